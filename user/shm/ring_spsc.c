/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/ring_spsc.h"

#include "base/bits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SLOT_ALIGNMENT = 16 };

_Static_assert(sizeof(rj_ring_spsc_side_t) == 2 * RJ_CACHE_LINE_BYTES, "one pair of lines a side");

int rj_ring_spsc_open(rj_ring_spsc_t *ring, size_t message_bytes, size_t count, rj_err_t *err)
{
    memset(ring, 0, sizeof(*ring));
    if (message_bytes == 0 || count == 0 || message_bytes > INT32_MAX || count > INT32_MAX)
        return rj_fail(err, -EINVAL, "ring of %zu messages of %zu bytes", count, message_bytes);
    uint64_t slot_count = 1;
    while (slot_count < count)
        slot_count *= 2;
    size_t slot_bytes = (size_t)rj_align_up((int64_t)message_bytes, SLOT_ALIGNMENT);
    void *slots;
    if (posix_memalign(&slots, RJ_CACHE_LINE_BYTES, slot_count * slot_bytes) != 0)
        return rj_fail(err, -ENOMEM, "ring of %zu messages of %zu bytes: out of memory", count,
                       message_bytes);
    /* Touched now, so that no page fault comes later. */
    memset(slots, 0, slot_count * slot_bytes);
    ring->slots = slots;
    ring->slot_bytes = slot_bytes;
    ring->message_bytes = message_bytes;
    ring->mask = slot_count - 1;
    return 0;
}

void rj_ring_spsc_close(rj_ring_spsc_t *ring)
{
    free(ring->slots);
    memset(ring, 0, sizeof(*ring));
}

bool rj_ring_spsc_push(rj_ring_spsc_t *ring, const void *message)
{
    void *slot = rj_ring_spsc_claim(ring);
    if (slot == NULL)
        return false;
    memcpy(slot, message, ring->message_bytes);
    rj_ring_spsc_publish(ring);
    return true;
}

bool rj_ring_spsc_pop(rj_ring_spsc_t *ring, void *ret_message)
{
    const void *slot = rj_ring_spsc_peek(ring);
    if (slot == NULL)
        return false;
    memcpy(ret_message, slot, ring->message_bytes);
    rj_ring_spsc_release(ring);
    return true;
}

size_t rj_ring_spsc_free_count(rj_ring_spsc_t *ring)
{
    /* Acquire: pairs with the release in rj_ring_spsc_release. */
    ring->producer.other_seen = __atomic_load_n(&ring->consumer.index, __ATOMIC_ACQUIRE);
    return ring->mask + 1 - (ring->producer.index - ring->producer.other_seen);
}

size_t rj_ring_spsc_used_count(rj_ring_spsc_t *ring)
{
    /* Acquire: pairs with the release in rj_ring_spsc_publish. */
    ring->consumer.other_seen = __atomic_load_n(&ring->producer.index, __ATOMIC_ACQUIRE);
    return ring->consumer.other_seen - ring->consumer.index;
}
