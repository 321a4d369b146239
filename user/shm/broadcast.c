/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/broadcast.h"

#include "base/bits.h"

#include <errno.h>
#include <string.h>

/* The capacity of a section, or -EINVAL. */
static int64_t checked_capacity(const uint8_t *section, int64_t section_length)
{
    int64_t capacity_bytes = section_length - RJ_BROADCAST_TRAILER_BYTES;
    if (!rj_is_pow2(capacity_bytes) || capacity_bytes < RJ_RECORD_ALIGNMENT ||
        capacity_bytes > INT32_MAX || !rj_is_aligned((int64_t)(uintptr_t)section, 8))
        return -EINVAL;
    return capacity_bytes;
}

int rj_broadcast_attach(rj_broadcast_t *broadcast, uint8_t *section, int64_t section_length)
{
    *broadcast = (rj_broadcast_t){0};
    int64_t capacity_bytes = checked_capacity(section, section_length);
    if (capacity_bytes < 0)
        return (int)capacity_bytes;
    broadcast->data = section;
    broadcast->trailer = (rj_broadcast_trailer_t *)(void *)(section + capacity_bytes);
    broadcast->capacity_bytes = capacity_bytes;
    broadcast->mask = capacity_bytes - 1;
    broadcast->body_length_max = (int32_t)(capacity_bytes / 8);
    broadcast->tail_position = rj_load_relaxed_i64(&broadcast->trailer->tail) & ~INT64_C(7);
    return 0;
}

static void write_header(rj_broadcast_t *broadcast, int64_t offset, int32_t length, int32_t type)
{
    uint8_t *record = broadcast->data + offset;
    rj_store_relaxed_i32((int32_t *)(void *)record, length);
    rj_store_relaxed_i32((int32_t *)(void *)(record + offsetof(rj_record_t, type)), type);
}

/* Receivers may read these bytes while they change, so both sides copy by words, atomically; the
 * fences around the copies order them. The record's last word is filled up with zeros. */
static void copy_in(uint8_t *to, const uint8_t *from, int32_t length)
{
    for (int32_t done = 0; done < length; done += (int32_t)sizeof(int64_t)) {
        int64_t word = 0;
        int32_t left = length - done;
        memcpy(&word, from + done, left < 8 ? (size_t)left : sizeof(word));
        rj_store_relaxed_i64((rj_shared_i64_t *)(void *)(to + done), word);
    }
}

static void copy_out(uint8_t *to, const uint8_t *from, int32_t length)
{
    for (int32_t done = 0; done < length; done += (int32_t)sizeof(int64_t)) {
        int64_t word = rj_load_relaxed_i64((const rj_shared_i64_t *)(const void *)(from + done));
        int32_t left = length - done;
        memcpy(to + done, &word, left < 8 ? (size_t)left : sizeof(word));
    }
}

int rj_broadcast_transmit(rj_broadcast_t *broadcast, int32_t type, const void *body, int32_t length)
{
    if (type < 1)
        return -EINVAL;
    if (length < 0 || length > broadcast->body_length_max)
        return -EMSGSIZE;
    rj_broadcast_trailer_t *trailer = broadcast->trailer;
    int64_t tail = broadcast->tail_position;
    int64_t offset = tail & broadcast->mask;
    int64_t record_bytes = rj_align_up(length + RJ_RECORD_HEADER_BYTES, RJ_RECORD_ALIGNMENT);
    int64_t to_end = broadcast->capacity_bytes - offset;
    int64_t padding = record_bytes > to_end ? to_end : 0;

    /* Receivers must see the intent before a byte of what it covers changes: pairs with the fence
     * and the acquire in is_lapped. */
    rj_store_release_i64(&trailer->tail_intent, tail + padding + record_bytes);
    rj_fence_store_store();
    if (padding > 0) {
        write_header(broadcast, offset, (int32_t)padding, RJ_RECORD_TYPE_PADDING);
        tail += padding;
        offset = 0;
    }
    write_header(broadcast, offset, length + RJ_RECORD_HEADER_BYTES, type);
    copy_in(broadcast->data + offset + RJ_RECORD_HEADER_BYTES, body, length);
    rj_store_release_i64(&trailer->latest, tail);
    broadcast->tail_position = tail + record_bytes;
    /* Release: pairs with the acquire in rj_broadcast_receive. */
    rj_store_release_i64(&trailer->tail, broadcast->tail_position);
    if (broadcast->on_transmit != NULL)
        broadcast->on_transmit(broadcast->on_transmit_state, type, body, length);
    return 0;
}

/* Where the newest record begins; a value that no driver leaves is brought into range, so that
 * adding to it neither overflows nor unaligns. */
static int64_t latest_position(const rj_broadcast_receiver_t *receiver)
{
    return rj_load_acquire_i64(&receiver->trailer->latest) & (INT64_MAX / 2) & ~INT64_C(7);
}

int rj_broadcast_receiver_attach(rj_broadcast_receiver_t *receiver, const uint8_t *section,
                                 int64_t section_length)
{
    *receiver = (rj_broadcast_receiver_t){0};
    int64_t capacity_bytes = checked_capacity(section, section_length);
    if (capacity_bytes < 0)
        return (int)capacity_bytes;
    receiver->data = section;
    receiver->trailer = (const rj_broadcast_trailer_t *)(const void *)(section + capacity_bytes);
    receiver->capacity_bytes = capacity_bytes;
    receiver->mask = capacity_bytes - 1;
    receiver->next_position = latest_position(receiver);
    return 0;
}

/* Whether the record at `position` may be, or may have been, overwritten. */
static bool is_lapped(const rj_broadcast_receiver_t *receiver, int64_t position)
{
    /* Acquire: pairs with the release of the intent in rj_broadcast_transmit. */
    int64_t intent = rj_load_acquire_i64(&receiver->trailer->tail_intent);
    return (int64_t)((uint64_t)intent - (uint64_t)position) >= receiver->capacity_bytes;
}

static int give_up(rj_broadcast_receiver_t *receiver)
{
    receiver->lapped_count++;
    receiver->next_position = latest_position(receiver);
    return -EOVERFLOW;
}

/* Reads a header that may be changing under our eyes; the length is bounded, so that what is copied
 * by it lies in the section. Returns 0 for one that cannot be. */
static int32_t read_header(const rj_broadcast_receiver_t *receiver, int64_t position,
                           int32_t *ret_type)
{
    int64_t offset = position & receiver->mask;
    const uint8_t *record = receiver->data + offset;
    int32_t length = rj_load_relaxed_i32((const int32_t *)(const void *)record);
    *ret_type =
        rj_load_relaxed_i32((const int32_t *)(const void *)(record + offsetof(rj_record_t, type)));
    if (length < RJ_RECORD_HEADER_BYTES || length > receiver->capacity_bytes - offset)
        return 0;
    return length;
}

int rj_broadcast_receive(rj_broadcast_receiver_t *receiver, int32_t *ret_type, void *body,
                         int32_t body_length_max)
{
    int64_t position = receiver->next_position;
    /* Acquire: pairs with the release of the tail in rj_broadcast_transmit. */
    if (rj_load_acquire_i64(&receiver->trailer->tail) <= position)
        return -EAGAIN;
    if (is_lapped(receiver, position))
        return give_up(receiver);

    int32_t type;
    int32_t length = read_header(receiver, position, &type);
    if (length > 0 && type == RJ_RECORD_TYPE_PADDING) {
        position += rj_align_up(length, RJ_RECORD_ALIGNMENT);
        length = read_header(receiver, position, &type);
    }
    if (length == 0)
        return give_up(receiver);
    int32_t body_length = length - RJ_RECORD_HEADER_BYTES;
    if (body_length <= body_length_max)
        copy_out(body, receiver->data + (position & receiver->mask) + RJ_RECORD_HEADER_BYTES,
                 body_length);
    rj_fence_load_load();
    if (is_lapped(receiver, position))
        return give_up(receiver);

    receiver->next_position = position + rj_align_up(length, RJ_RECORD_ALIGNMENT);
    if (body_length > body_length_max)
        return -EMSGSIZE;
    *ret_type = type;
    return body_length;
}
