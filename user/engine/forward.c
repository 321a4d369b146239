/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/forward.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

enum {
    RECORD_ALIGNMENT = 16,
    CAPACITY_MIN = 64,
};

/* What stands in front of each frame; `is_wrap` says that nothing follows up to the ring's end. */
typedef struct record {
    uint32_t record_bytes;
    uint32_t is_wrap;
    rj_forwarded_t frame;
} __attribute__((aligned(RECORD_ALIGNMENT))) record_t;

int rj_forward_open(rj_forward_ring_t *ring, uint64_t capacity_bytes, rj_err_t *err)
{
    *ring = (rj_forward_ring_t){.mask = capacity_bytes - 1};
    if (capacity_bytes < CAPACITY_MIN || (capacity_bytes & (capacity_bytes - 1)) != 0)
        return rj_fail(err, -EINVAL, "a ring between engines of %llu bytes: not a power of two",
                       (unsigned long long)capacity_bytes);
    /* Fresh from the kernel: a ring that is never used costs no memory. */
    ring->bytes = calloc(1, capacity_bytes);
    if (ring->bytes == NULL)
        return rj_fail(err, -ENOMEM, "no memory for a ring between engines");
    return 0;
}

void rj_forward_close(rj_forward_ring_t *ring)
{
    free(ring->bytes);
    ring->bytes = NULL;
}

static record_t *record_at(const rj_forward_ring_t *ring, uint64_t index)
{
    return (record_t *)(void *)(ring->bytes + (index & ring->mask));
}

/* Whether so many bytes are free, asking the consumer only when they seem not to be. */
static bool has_room(rj_forward_ring_t *ring, uint64_t index, uint64_t bytes)
{
    if (index + bytes - ring->producer.other_seen <= ring->mask + 1)
        return true;
    /* Acquire: pairs with the release in rj_forward_release. */
    ring->producer.other_seen = __atomic_load_n(&ring->consumer.index, __ATOMIC_ACQUIRE);
    return index + bytes - ring->producer.other_seen <= ring->mask + 1;
}

bool rj_forward_push(rj_forward_ring_t *ring, const rj_forwarded_t *frame, const uint8_t *bytes)
{
    if (frame->length_bytes > RJ_FORWARD_FRAME_BYTES_MAX)
        return false;
    uint64_t index = ring->producer.index;
    const uint64_t need =
        (uint64_t)rj_align_up((int64_t)(sizeof(record_t) + frame->length_bytes), RECORD_ALIGNMENT);
    const uint64_t to_end = ring->mask + 1 - (index & ring->mask);
    const uint64_t skipped = need > to_end ? to_end : 0;
    if (!has_room(ring, index, skipped + need))
        return false;
    if (skipped > 0) {
        record_t *wrap = record_at(ring, index);
        wrap->record_bytes = (uint32_t)skipped;
        wrap->is_wrap = 1;
        index += skipped;
    }
    record_t *record = record_at(ring, index);
    record->record_bytes = (uint32_t)need;
    record->is_wrap = 0;
    record->frame = *frame;
    memcpy(record + 1, bytes, frame->length_bytes);
    /* Release: pairs with the acquire in has_frames. */
    __atomic_store_n(&ring->producer.index, index + need, __ATOMIC_RELEASE);
    return true;
}

static bool has_frames(rj_forward_ring_t *ring)
{
    if (ring->consumer.index != ring->consumer.other_seen)
        return true;
    /* Acquire: pairs with the release in rj_forward_push. */
    ring->consumer.other_seen = __atomic_load_n(&ring->producer.index, __ATOMIC_ACQUIRE);
    return ring->consumer.index != ring->consumer.other_seen;
}

uint8_t *rj_forward_peek(rj_forward_ring_t *ring, rj_forwarded_t *ret_frame)
{
    if (!has_frames(ring))
        return NULL;
    record_t *record = record_at(ring, ring->consumer.index);
    if (record->is_wrap != 0) {
        /* It was published together with the frame behind it. */
        const uint64_t index = ring->consumer.index + record->record_bytes;
        __atomic_store_n(&ring->consumer.index, index, __ATOMIC_RELEASE);
        record = record_at(ring, index);
    }
    *ret_frame = record->frame;
    return (uint8_t *)(record + 1);
}

void rj_forward_release(rj_forward_ring_t *ring)
{
    const uint64_t index = ring->consumer.index;
    /* Release: pairs with the acquire in has_room. */
    __atomic_store_n(&ring->consumer.index, index + record_at(ring, index)->record_bytes,
                     __ATOMIC_RELEASE);
}

bool rj_forward_has_frames(const rj_forward_ring_t *ring)
{
    /* Acquire: pairs with the release in rj_forward_push. */
    return __atomic_load_n(&ring->producer.index, __ATOMIC_ACQUIRE) != ring->consumer.index;
}
