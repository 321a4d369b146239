/* SPDX-License-Identifier: Apache-2.0 */
#include "xsk/umem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/bits.h"

enum { ETHERNET_BYTES_MAX = 18 }; /* with a tag */

uint32_t rj_umem_frame_bytes(uint32_t mtu_bytes)
{
    uint32_t frame_bytes = RJ_UMEM_FRAME_BYTES_MIN;
    while (frame_bytes < RJ_UMEM_FRAME_BYTES_MAX &&
           mtu_bytes + ETHERNET_BYTES_MAX > rj_umem_receive_room(frame_bytes, 1))
        frame_bytes *= 2;
    return frame_bytes;
}

static void *take_memory(uint64_t length)
{
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* `memory` NULL: our own. */
static int open_umem(rj_umem_t *umem, uint32_t frame_bytes, uint32_t frame_count, uint8_t *memory,
                     uint64_t reach_bytes, rj_err_t *err)
{
    *umem = (rj_umem_t){0};
    if (!rj_is_pow2(frame_bytes) || frame_bytes < RJ_UMEM_FRAME_BYTES_MIN ||
        frame_bytes > RJ_UMEM_FRAME_BYTES_MAX)
        return rj_fail(err, -EINVAL, "umem: frames of %u bytes: %d or %d are possible", frame_bytes,
                       RJ_UMEM_FRAME_BYTES_MIN, RJ_UMEM_FRAME_BYTES_MAX);
    if (frame_count < 1 || frame_count > RJ_UMEM_FRAMES_MAX)
        return rj_fail(err, -EINVAL, "umem: %u frames: 1 to %d are possible", frame_count,
                       RJ_UMEM_FRAMES_MAX);
    umem->frame_bytes = frame_bytes;
    umem->frame_shift = (uint32_t)rj_log2(frame_bytes);
    umem->frame_count = frame_count;
    umem->counts[RJ_FRAME_FREE] = frame_count;
    umem->owners = calloc(frame_count, sizeof(umem->owners[0]));
    umem->free_list = calloc(frame_count, sizeof(umem->free_list[0]));
    umem->is_lent = memory != NULL;
    umem->bytes = memory != NULL ? memory : take_memory(rj_umem_length(umem));
    umem->reach_bytes = memory != NULL ? reach_bytes : rj_umem_length(umem);
    if (umem->bytes == NULL || umem->owners == NULL || umem->free_list == NULL) {
        rj_umem_close(umem);
        return rj_fail(err, -ENOMEM, "umem: no memory for %u frames of %u bytes", frame_count,
                       frame_bytes);
    }
    /* The stack's top is the lowest frame. */
    for (uint32_t i = 0; i < frame_count; i++)
        umem->free_list[i] = frame_count - 1 - i;
    return 0;
}

int rj_umem_open(rj_umem_t *umem, uint32_t frame_bytes, uint32_t frame_count, rj_err_t *err)
{
    return open_umem(umem, frame_bytes, frame_count, NULL, 0, err);
}

int rj_umem_open_in(rj_umem_t *umem, uint32_t frame_bytes, uint32_t frame_count, uint8_t *memory,
                    uint64_t reach_bytes, rj_err_t *err)
{
    return open_umem(umem, frame_bytes, frame_count, memory, reach_bytes, err);
}

void rj_umem_close(rj_umem_t *umem)
{
    if (umem->bytes != NULL && !umem->is_lent)
        munmap(umem->bytes, rj_umem_length(umem));
    free(umem->owners);
    free(umem->free_list);
    *umem = (rj_umem_t){0};
}
