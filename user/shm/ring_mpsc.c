/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/ring_mpsc.h"

#include "base/bits.h"

#include <errno.h>
#include <string.h>

static int32_t *length_at(const rj_ring_mpsc_t *ring, int64_t index)
{
    return (int32_t *)(void *)(ring->data + index);
}

static int32_t *type_at(const rj_ring_mpsc_t *ring, int64_t index)
{
    return (int32_t *)(void *)(ring->data + index + offsetof(rj_record_t, type));
}

int rj_ring_mpsc_attach(rj_ring_mpsc_t *ring, uint8_t *section, int64_t section_length)
{
    *ring = (rj_ring_mpsc_t){0};
    int64_t capacity_bytes = section_length - RJ_RING_TRAILER_BYTES;
    if (!rj_is_pow2(capacity_bytes) || capacity_bytes < RJ_RECORD_ALIGNMENT ||
        capacity_bytes > INT32_MAX || !rj_is_aligned((int64_t)(uintptr_t)section, 8))
        return -EINVAL;
    ring->data = section;
    ring->trailer = (rj_ring_trailer_t *)(void *)(section + capacity_bytes);
    ring->capacity_bytes = capacity_bytes;
    ring->mask = capacity_bytes - 1;
    ring->body_length_max =
        capacity_bytes == RJ_RECORD_HEADER_BYTES ? 0 : (int32_t)(capacity_bytes / 8);
    /* A hostile head that is not a record's start would unalign every access. */
    ring->head_position = rj_load_acquire_i64(&ring->trailer->head_position) & ~INT64_C(7);
    return 0;
}

/* How far `position` is ahead of `from`. Both are read from memory that anybody can write, so the
 * difference may be anything; it is formed without overflow. */
static int64_t distance(int64_t position, int64_t from)
{
    return (int64_t)((uint64_t)position - (uint64_t)from);
}

static bool has_room(const rj_ring_mpsc_t *ring, int64_t tail, int64_t head, int64_t needed)
{
    return distance(tail, head) <= ring->capacity_bytes - needed;
}

/* The head has moved on since it was cached: tell the other producers too. */
static int64_t refresh_head(rj_ring_mpsc_t *ring, int64_t *ret_head)
{
    /* Acquire: pairs with the release in rj_ring_mpsc_read; the space below it reads zero. */
    *ret_head = rj_load_acquire_i64(&ring->trailer->head_position);
    return *ret_head;
}

/* Claims `needed` contiguous bytes, with padding up to the buffer's end if they would wrap. Returns
 * their index, or -EAGAIN when full. A wrapping record must fit below the head's index altogether.
 * -EBADMSG: a tail that no producer leaves. */
static int64_t claim(rj_ring_mpsc_t *ring, int64_t needed)
{
    rj_ring_trailer_t *trailer = ring->trailer;
    int64_t head = rj_load_acquire_i64(&trailer->head_cache_position);
    int64_t tail, index, padding;
    do {
        tail = rj_load_acquire_i64(&trailer->tail_position);
        if (tail < 0 || !rj_is_aligned(tail, RJ_RECORD_ALIGNMENT) || tail > INT64_MAX / 2)
            return -EBADMSG;
        if (!has_room(ring, tail, head, needed)) {
            if (!has_room(ring, tail, refresh_head(ring, &head), needed))
                return -EAGAIN;
            rj_store_release_i64(&trailer->head_cache_position, head);
        }
        index = tail & ring->mask;
        padding = 0;
        if (needed > ring->capacity_bytes - index) {
            if (needed > (head & ring->mask)) {
                if (needed > (refresh_head(ring, &head) & ring->mask))
                    return -EAGAIN;
                rj_store_release_i64(&trailer->head_cache_position, head);
            }
            padding = ring->capacity_bytes - index;
        }
    } while (!rj_cas_i64(&trailer->tail_position, tail, tail + needed + padding));

    if (padding > 0) {
        rj_store_release_i32(length_at(ring, index), (int32_t)-padding);
        rj_fence_store_store();
        rj_store_relaxed_i32(type_at(ring, index), RJ_RECORD_TYPE_PADDING);
        rj_store_release_i32(length_at(ring, index), (int32_t)padding);
        index = 0;
    }
    return index;
}

int rj_ring_mpsc_try_claim(rj_ring_mpsc_t *ring, int32_t type, int32_t length, uint8_t **ret_body)
{
    if (type < 1)
        return -EINVAL;
    if (length < 0 || length > ring->body_length_max)
        return -EMSGSIZE;
    int32_t record_length = length + RJ_RECORD_HEADER_BYTES;
    int64_t index = claim(ring, rj_align_up(record_length, RJ_RECORD_ALIGNMENT));
    if (index < 0)
        return (int)index;
    /* Negative first, so that unblock knows how much a producer that dies here has claimed. */
    rj_store_release_i32(length_at(ring, index), -record_length);
    rj_fence_store_store();
    rj_store_relaxed_i32(type_at(ring, index), type);
    *ret_body = ring->data + index + RJ_RECORD_HEADER_BYTES;
    return 0;
}

int rj_ring_mpsc_write(rj_ring_mpsc_t *ring, int32_t type, const void *body, int32_t length)
{
    uint8_t *to;
    int code = rj_ring_mpsc_try_claim(ring, type, length, &to);
    if (code != 0)
        return code;
    if (length > 0)
        memcpy(to, body, (size_t)length);
    return rj_ring_mpsc_commit(ring, to);
}

/* The index of the claim with that body, or -EINVAL. */
static int64_t index_of_claim(const rj_ring_mpsc_t *ring, const uint8_t *body)
{
    int64_t index = body - ring->data - RJ_RECORD_HEADER_BYTES;
    if (index < 0 || index >= ring->capacity_bytes || !rj_is_aligned(index, RJ_RECORD_ALIGNMENT) ||
        rj_load_relaxed_i32(length_at(ring, index)) >= 0)
        return -EINVAL;
    return index;
}

static int end_claim(rj_ring_mpsc_t *ring, int64_t index)
{
    uint32_t negated = (uint32_t)rj_load_relaxed_i32(length_at(ring, index));
    /* Release: pairs with the acquire in record_length. */
    rj_store_release_i32(length_at(ring, index), (int32_t)(0 - negated));
    return 0;
}

int rj_ring_mpsc_commit(rj_ring_mpsc_t *ring, uint8_t *body)
{
    int64_t index = index_of_claim(ring, body);
    return index < 0 ? (int)index : end_claim(ring, index);
}

int rj_ring_mpsc_abort(rj_ring_mpsc_t *ring, uint8_t *body)
{
    int64_t index = index_of_claim(ring, body);
    if (index < 0)
        return (int)index;
    rj_store_relaxed_i32(type_at(ring, index), RJ_RECORD_TYPE_PADDING);
    return end_claim(ring, index);
}

/* Zeroes what was consumed, then gives it to the producers. */
static void release_space(rj_ring_mpsc_t *ring, int64_t length)
{
    if (length == 0)
        return;
    memset(ring->data + (ring->head_position & ring->mask), 0, (size_t)length);
    ring->head_position += length;
    /* Release: pairs with the acquire in refresh_head. */
    rj_store_release_i64(&ring->trailer->head_position, ring->head_position);
}

/* How far a spoilt ring is given up: all that has been claimed, up to the buffer's end. */
static int64_t give_up(rj_ring_mpsc_t *ring, int64_t done, int64_t limit)
{
    ring->corrupt_count++;
    int64_t claimed =
        distance(rj_ring_mpsc_producer_position(ring), ring->head_position) & ~INT64_C(7);
    return claimed > done && claimed < limit ? claimed : limit;
}

/* The aligned length of the record `done` bytes behind the head, 0 if nothing is complete there, or
 * -EBADMSG for a length that no producer of ours writes. */
static int64_t record_length(const rj_ring_mpsc_t *ring, int64_t index, int64_t left,
                             int32_t *ret_length)
{
    /* Acquire: pairs with the release in end_claim. */
    int32_t length = rj_load_acquire_i32(length_at(ring, index));
    if (length <= 0)
        return 0;
    int64_t aligned = rj_align_up(length, RJ_RECORD_ALIGNMENT);
    if (length < RJ_RECORD_HEADER_BYTES || aligned > left)
        return -EBADMSG;
    *ret_length = length;
    return aligned;
}

int rj_ring_mpsc_read(rj_ring_mpsc_t *ring, rj_ring_handler_t handler, void *context,
                      int message_count_max)
{
    int64_t begin = ring->head_position & ring->mask;
    int64_t limit = ring->capacity_bytes - begin;
    int64_t done = 0;
    int message_count = 0;
    rj_ring_action_t action = RJ_RING_CONTINUE;

    while (done < limit && message_count < message_count_max && action != RJ_RING_BREAK) {
        int32_t length = 0;
        int64_t index = begin + done;
        int64_t aligned = record_length(ring, index, limit - done, &length);
        if (aligned == 0)
            break;
        if (aligned < 0) {
            done = give_up(ring, done, limit);
            break;
        }
        int32_t type = rj_load_relaxed_i32(type_at(ring, index));
        if (type == RJ_RECORD_TYPE_PADDING) {
            done += aligned;
            continue;
        }
        action = handler(context, type, ring->data + index + RJ_RECORD_HEADER_BYTES,
                         length - RJ_RECORD_HEADER_BYTES);
        if (action == RJ_RING_ABORT)
            break;
        message_count++;
        done += aligned;
        if (action == RJ_RING_COMMIT) {
            release_space(ring, done);
            begin += done;
            limit -= done;
            done = 0;
        }
    }
    release_space(ring, done);
    return message_count;
}

/* Whether every length word in [begin, end) is still 0: nobody woke up. */
static bool is_still_empty(const rj_ring_mpsc_t *ring, int64_t begin, int64_t end)
{
    for (int64_t index = end - RJ_RECORD_ALIGNMENT; index >= begin; index -= RJ_RECORD_ALIGNMENT) {
        if (rj_load_acquire_i32(length_at(ring, index)) != 0)
            return false;
    }
    return true;
}

static void make_padding(rj_ring_mpsc_t *ring, int64_t index, int64_t length)
{
    rj_store_relaxed_i32(type_at(ring, index), RJ_RECORD_TYPE_PADDING);
    /* Release: pairs with the acquire in record_length. */
    rj_store_release_i32(length_at(ring, index), (int32_t)length);
}

/* A claim that was never begun reaches to the next length word that is not 0, if there is one. */
static bool unblock_silent_claim(rj_ring_mpsc_t *ring, int64_t begin, int64_t end)
{
    for (int64_t index = begin + RJ_RECORD_ALIGNMENT; index < end; index += RJ_RECORD_ALIGNMENT) {
        if (rj_load_acquire_i32(length_at(ring, index)) == 0)
            continue;
        if (!is_still_empty(ring, begin, index))
            return false;
        make_padding(ring, begin, index - begin);
        return true;
    }
    return false;
}

bool rj_ring_mpsc_unblock(rj_ring_mpsc_t *ring)
{
    int64_t tail = rj_ring_mpsc_producer_position(ring);
    if (tail == ring->head_position)
        return false;
    int64_t begin = ring->head_position & ring->mask;
    int64_t tail_index = tail & ring->mask & ~INT64_C(7);
    int32_t length = rj_load_acquire_i32(length_at(ring, begin));
    if (length < 0) {
        /* Read as a positive record of that length: an impossible one is given up by the reader. */
        make_padding(ring, begin, length == INT32_MIN ? INT32_MAX : -(int64_t)length);
        return true;
    }
    if (length > 0)
        return false;
    return unblock_silent_claim(ring, begin,
                                tail_index > begin ? tail_index : ring->capacity_bytes);
}
