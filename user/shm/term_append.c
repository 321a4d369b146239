/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/term_append.h"

#include "base/bits.h"
#include "shm/term_frame.h"
#include "shm/term_rebuild.h"

/* A claimed term is in nobody's cache but perhaps a reader's. Asking for the lines of frames to
 * come while this one is written takes a quarter off the CPU time of small messages. */
enum { PREFETCH_BYTES = 4096 };

/* Of a log that the driver lets grow page by page, so far ahead of the writer are pages. */
enum { TOUCHED_BYTES = 32 * 1024, PAGE_BYTES = 4096 };

/* Where the next byte of a message comes from. */
typedef struct gather {
    const struct iovec *part;
    size_t part_offset;
} gather_t;

/* A span of a term that a writer has claimed. */
typedef struct place {
    uint8_t *term;
    int32_t offset;
    int32_t term_id;
} place_t;

/* The length of a message, or above every limit as soon as one part is. */
static inline int64_t total_length(const struct iovec *parts, int part_count)
{
    int64_t length = 0;
    for (int i = 0; i < part_count; i++) {
        if (parts[i].iov_len > RJ_MESSAGE_BYTES_MAX)
            return INT64_MAX;
        length += (int64_t)parts[i].iov_len;
    }
    return length;
}

static void copy_next(gather_t *gather, uint8_t *to, int32_t length)
{
    size_t wanted = (size_t)length;
    while (wanted > 0) {
        size_t ready = gather->part->iov_len - gather->part_offset;
        size_t count = ready < wanted ? ready : wanted;
        if (count > 0)
            memcpy(to, (const uint8_t *)gather->part->iov_base + gather->part_offset, count);
        to += count;
        wanted -= count;
        gather->part_offset += count;
        if (wanted > 0) {
            gather->part++;
            gather->part_offset = 0;
        }
    }
}

/* The length goes first, negative, so that unblock knows how much a writer that dies here has
 * claimed; the fence keeps the header's stores behind it. */
static inline void begin_frame(const rj_log_t *log, const place_t *place, int32_t frame_length,
                               int32_t flags, int16_t type, int64_t reserved_value)
{
    rj_wire_data_t *header = (rj_wire_data_t *)(void *)(place->term + place->offset);
    __builtin_prefetch(place->term + place->offset + PREFETCH_BYTES, 1);
    rj_frame_publish(place->term, place->offset, -frame_length);
    rj_fence_store_store();
    header->version = RJ_FRAME_VERSION;
    header->flags = (uint8_t)flags;
    header->type = type;
    header->term_offset = place->offset;
    header->session_id = log->session_id;
    header->stream_id = log->stream_id;
    header->term_id = place->term_id;
    header->reserved_value = reserved_value;
}

/* Who enters a page reads from one further on: the fault of a reader brings all pages around that
 * are there, that of a writer only one. */
static inline void touch_ahead(const rj_log_t *log, const place_t *place, int64_t needed)
{
    const int64_t end = place->offset + needed;
    if (((place->offset ^ end) & -PAGE_BYTES) != 0 && end + TOUCHED_BYTES < log->term_length)
        (void)rj_frame_length(place->term, (int32_t)end + TOUCHED_BYTES);
}

static void write_padding(const rj_log_t *log, const place_t *place, int32_t length)
{
    begin_frame(log, place, length, RJ_DATA_FLAG_UNFRAGMENTED, RJ_FRAME_TYPE_PAD, 0);
    rj_frame_publish(place->term, place->offset, length);
}

/* Fragments are published one by one. */
static void write_fragments(const rj_log_t *log, place_t place, const struct iovec *parts,
                            int64_t length, int64_t reserved_value)
{
    gather_t gather = {parts, 0};
    int32_t flags = RJ_DATA_FLAG_BEGIN;
    int64_t left = length;
    do {
        int32_t payload = left < log->payload_length_max ? (int32_t)left : log->payload_length_max;
        int32_t frame_length = payload + RJ_DATA_HEADER_BYTES;
        left -= payload;
        if (left == 0)
            flags |= RJ_DATA_FLAG_END;
        begin_frame(log, &place, frame_length, flags, RJ_FRAME_TYPE_DATA, reserved_value);
        copy_next(&gather, place.term + place.offset + RJ_DATA_HEADER_BYTES, payload);
        rj_frame_publish(place.term, place.offset, frame_length);
        place.offset += (int32_t)rj_frame_aligned_length(frame_length);
        flags = 0;
    } while (left > 0);
}

/* Most messages are one piece that fits one frame: they go the short way. */
static inline void write_message(const rj_log_t *log, const place_t *place,
                                 const struct iovec *parts, int part_count, int64_t length,
                                 int64_t reserved_value)
{
    if (part_count != 1 || length > log->payload_length_max) {
        write_fragments(log, *place, parts, length, reserved_value);
        return;
    }
    int32_t frame_length = (int32_t)length + RJ_DATA_HEADER_BYTES;
    begin_frame(log, place, frame_length, RJ_DATA_FLAG_UNFRAGMENTED, RJ_FRAME_TYPE_DATA,
                reserved_value);
    if (length > 0)
        memcpy(place->term + place->offset + RJ_DATA_HEADER_BYTES, parts->iov_base, (size_t)length);
    rj_frame_publish(place->term, place->offset, frame_length);
}

int64_t rj_append_framed_length(const rj_log_t *log, int64_t length)
{
    if (length <= log->payload_length_max)
        return rj_align_up(length + RJ_DATA_HEADER_BYTES, RJ_FRAME_ALIGNMENT);
    int64_t full_count = length / log->payload_length_max;
    int64_t rest = length % log->payload_length_max;
    int64_t framed = full_count * log->mtu_length;
    if (rest > 0)
        framed += rj_align_up(rest + RJ_DATA_HEADER_BYTES, RJ_FRAME_ALIGNMENT);
    return framed;
}

/* Why a message may not begin at `position`, which has reached the publisher limit. */
static int64_t limit_status(const rj_log_t *log, int64_t position, int64_t length)
{
    int64_t needed = rj_align_up(length + RJ_DATA_HEADER_BYTES, RJ_FRAME_ALIGNMENT);
    if (needed >= rj_position_limit(log->term_length) - position)
        return RJ_APPEND_MAX_POSITION_EXCEEDED;
    return rj_log_is_connected(log) ? RJ_APPEND_BACK_PRESSURED : RJ_APPEND_NOT_CONNECTED;
}

/* 0 if a message of that length may begin at `position`. The limit comes before the length. */
static inline int64_t check_start(const rj_log_t *log, int64_t position, int64_t limit_position,
                                  int64_t length, int32_t length_max)
{
    if (position >= limit_position)
        return limit_status(log, position, length < 0 || length > length_max ? 0 : length);
    return length < 0 || length > length_max ? RJ_APPEND_ERROR : 0;
}

/* The position of the active term's tail, and its partition: at the very end of a term the position
 * alone would name the next one. */
static inline int64_t shared_start(const rj_log_t *log, int32_t *ret_partition)
{
    int32_t term_count = rj_log_active_term_count(log);
    int32_t partition = rj_term_count_partition(term_count);
    int64_t raw_tail = rj_log_raw_tail(log, partition);
    int32_t term_id = rj_tail_term_id(raw_tail);
    if (rj_term_count(term_id, log->initial_term_id) != term_count)
        return RJ_APPEND_ADMIN_ACTION;
    *ret_partition = partition;
    return rj_position_pack(term_id, rj_tail_term_offset(raw_tail, log->term_length),
                            log->position_shift, log->initial_term_id);
}

int64_t rj_append_shared_position(const rj_log_t *log)
{
    int32_t partition;
    return shared_start(log, &partition);
}

/* The end of a term has been passed: only who straddles it pads, all rotate. */
static int64_t trip_shared(const rj_log_t *log, const place_t *place, int64_t needed)
{
    if (place->offset < log->term_length)
        write_padding(log, place, log->term_length - place->offset);
    int64_t position =
        rj_position_pack(place->term_id, place->offset, log->position_shift, log->initial_term_id);
    if (needed >= rj_position_limit(log->term_length) - position)
        return RJ_APPEND_MAX_POSITION_EXCEEDED;
    rj_log_rotate(log, rj_term_count(place->term_id, log->initial_term_id), place->term_id);
    return RJ_APPEND_ADMIN_ACTION;
}

/* Claims `needed` bytes of a partition; returns the position behind them. */
static inline int64_t claim_shared(const rj_log_t *log, int32_t partition, int64_t needed,
                                   place_t *ret_place)
{
    int64_t raw_tail = rj_fetch_add_i64(&log->metadata->term_tail_counters[partition], needed);
    place_t place = {
        .term = log->terms[partition],
        .offset = rj_tail_term_offset(raw_tail, log->term_length),
        .term_id = rj_tail_term_id(raw_tail),
    };
    *ret_place = place;
    if (needed > log->term_length - place.offset)
        return trip_shared(log, &place, needed);
    touch_ahead(log, &place, needed);
    return needed +
           rj_position_pack(place.term_id, place.offset, log->position_shift, log->initial_term_id);
}

/* Everything a shared publication does before it writes. */
static inline int64_t begin_shared(const rj_log_t *log, int64_t limit_position, int64_t length,
                                   int32_t length_max, place_t *ret_place)
{
    int32_t partition;
    int64_t position = shared_start(log, &partition);
    if (position < 0)
        return position;
    int64_t status = check_start(log, position, limit_position, length, length_max);
    if (status != 0)
        return status;
    return claim_shared(log, partition, rj_append_framed_length(log, length), ret_place);
}

int64_t rj_append_shared(const rj_log_t *log, int64_t limit_position, const struct iovec *parts,
                         int part_count, int64_t reserved_value)
{
    place_t place;
    int64_t length = total_length(parts, part_count);
    int64_t position = begin_shared(log, limit_position, length, log->message_length_max, &place);
    if (position > 0)
        write_message(log, &place, parts, part_count, length, reserved_value);
    return position;
}

/* A claimed frame is complete but for its payload and the sign of its length. */
static void begin_claim(const rj_log_t *log, const place_t *place, int32_t length,
                        rj_claim_t *claim)
{
    begin_frame(log, place, length + RJ_DATA_HEADER_BYTES, RJ_DATA_FLAG_UNFRAGMENTED,
                RJ_FRAME_TYPE_DATA, 0);
    claim->frame = place->term + place->offset;
    claim->payload = claim->frame + RJ_DATA_HEADER_BYTES;
    claim->payload_length = length;
}

int64_t rj_append_shared_claim(const rj_log_t *log, int64_t limit_position, int32_t length,
                               rj_claim_t *ret_claim)
{
    place_t place;
    int64_t position = begin_shared(log, limit_position, length, log->payload_length_max, &place);
    if (position > 0)
        begin_claim(log, &place, length, ret_claim);
    return position;
}

void rj_exclusive_init(rj_exclusive_t *exclusive, const rj_log_t *log)
{
    int32_t term_count = rj_log_active_term_count(log);
    int32_t partition = rj_term_count_partition(term_count);
    int64_t raw_tail = rj_log_raw_tail(log, partition);
    *exclusive = (rj_exclusive_t){
        .log = log,
        .term_begin_position = (int64_t)term_count << log->position_shift,
        .term_id = rj_tail_term_id(raw_tail),
        .term_offset = rj_tail_term_offset(raw_tail, log->term_length),
        .partition = partition,
    };
}

/* Release: pairs with the acquire in rj_log_raw_tail. */
static void tell_tail(const rj_exclusive_t *exclusive, int64_t term_offset)
{
    rj_store_release_i64(&exclusive->log->metadata->term_tail_counters[exclusive->partition],
                         rj_tail_pack(exclusive->term_id, (uint32_t)term_offset));
}

/* Goes on to the next term; RJ_APPEND_MAX_POSITION_EXCEEDED if there is none. */
static int64_t rotate_exclusive(rj_exclusive_t *exclusive)
{
    const rj_log_t *log = exclusive->log;
    int64_t next_begin = exclusive->term_begin_position + log->term_length;
    /* Stays behind the padding, so that a shorter message cannot overwrite it. */
    exclusive->term_offset = log->term_length;
    if (next_begin >= rj_position_limit(log->term_length))
        return RJ_APPEND_MAX_POSITION_EXCEEDED;

    int32_t term_count = rj_position_term_count(next_begin, log->position_shift);
    exclusive->term_begin_position = next_begin;
    exclusive->term_id = rj_term_id_add(exclusive->term_id, 1);
    exclusive->term_offset = 0;
    exclusive->partition = rj_term_count_partition(term_count);
    tell_tail(exclusive, 0);
    /* Release: pairs with the acquire in rj_log_active_term_count; the tail is valid before it. */
    rj_store_release_i32(&log->metadata->active_term_count, term_count);
    return RJ_APPEND_ADMIN_ACTION;
}

/* Claims `needed` bytes and moves on; the tail is told before the frames are written. */
static inline int64_t claim_exclusive(rj_exclusive_t *exclusive, int64_t needed, place_t *ret_place)
{
    const rj_log_t *log = exclusive->log;
    place_t place = {log->terms[exclusive->partition], exclusive->term_offset, exclusive->term_id};
    *ret_place = place;
    tell_tail(exclusive, place.offset + needed);
    if (needed > log->term_length - place.offset) {
        if (place.offset < log->term_length)
            write_padding(log, &place, log->term_length - place.offset);
        return rotate_exclusive(exclusive);
    }
    touch_ahead(log, &place, needed);
    exclusive->term_offset += (int32_t)needed;
    return rj_exclusive_position(exclusive);
}

int64_t rj_exclusive_append(rj_exclusive_t *exclusive, int64_t limit_position,
                            const struct iovec *parts, int part_count, int64_t reserved_value)
{
    const rj_log_t *log = exclusive->log;
    int64_t length = total_length(parts, part_count);
    int64_t status = check_start(log, rj_exclusive_position(exclusive), limit_position, length,
                                 log->message_length_max);
    if (status != 0)
        return status;
    place_t place;
    int64_t position = claim_exclusive(exclusive, rj_append_framed_length(log, length), &place);
    if (position > 0)
        write_message(log, &place, parts, part_count, length, reserved_value);
    return position;
}

int64_t rj_exclusive_claim(rj_exclusive_t *exclusive, int64_t limit_position, int32_t length,
                           rj_claim_t *ret_claim)
{
    const rj_log_t *log = exclusive->log;
    int64_t status = check_start(log, rj_exclusive_position(exclusive), limit_position, length,
                                 log->payload_length_max);
    if (status != 0)
        return status;
    place_t place;
    int64_t position = claim_exclusive(exclusive, rj_append_framed_length(log, length), &place);
    if (position > 0)
        begin_claim(log, &place, length, ret_claim);
    return position;
}

int64_t rj_exclusive_append_padding(rj_exclusive_t *exclusive, int64_t limit_position,
                                    int32_t length)
{
    const rj_log_t *log = exclusive->log;
    int64_t status = check_start(log, rj_exclusive_position(exclusive), limit_position, length,
                                 log->message_length_max - RJ_DATA_HEADER_BYTES);
    if (status != 0)
        return status;
    place_t place;
    int64_t needed = rj_align_up(length + RJ_DATA_HEADER_BYTES, RJ_FRAME_ALIGNMENT);
    int64_t position = claim_exclusive(exclusive, needed, &place);
    if (position > 0)
        write_padding(log, &place, length + RJ_DATA_HEADER_BYTES);
    return position;
}

static bool is_block_for(const rj_exclusive_t *exclusive, const uint8_t *frames, int32_t length)
{
    const rj_log_t *log = exclusive->log;
    rj_wire_data_t header;
    if (length < RJ_DATA_HEADER_BYTES || !rj_is_aligned(length, RJ_FRAME_ALIGNMENT) ||
        length > log->term_length - exclusive->term_offset)
        return false;
    memcpy(&header, frames, sizeof(header));
    return header.type == RJ_FRAME_TYPE_DATA && header.term_offset == exclusive->term_offset &&
           header.session_id == log->session_id && header.stream_id == log->stream_id &&
           header.term_id == exclusive->term_id;
}

int64_t rj_exclusive_append_block(rj_exclusive_t *exclusive, int64_t limit_position,
                                  const uint8_t *frames, int32_t length)
{
    const rj_log_t *log = exclusive->log;
    int64_t status = check_start(log, rj_exclusive_position(exclusive), limit_position, 0, 0);
    if (status != 0)
        return status;
    if (exclusive->term_offset >= log->term_length) {
        status = rotate_exclusive(exclusive);
        if (status != RJ_APPEND_ADMIN_ACTION)
            return status;
    }
    if (!is_block_for(exclusive, frames, length))
        return RJ_APPEND_ERROR;

    tell_tail(exclusive, exclusive->term_offset + length);
    /* As a receiver inserts a datagram: subscribers see all frames at once. */
    rj_term_insert(log->terms[exclusive->partition], exclusive->term_offset, frames, length);
    exclusive->term_offset += length;
    return rj_exclusive_position(exclusive);
}

static void end_claim(rj_claim_t *claim)
{
    rj_frame_publish(claim->frame, 0, claim->payload_length + RJ_DATA_HEADER_BYTES);
    *claim = (rj_claim_t){0};
}

void rj_claim_commit(rj_claim_t *claim)
{
    end_claim(claim);
}

void rj_claim_abort(rj_claim_t *claim)
{
    int16_t type = RJ_FRAME_TYPE_PAD;
    memcpy(claim->frame + offsetof(rj_wire_data_t, type), &type, sizeof(type));
    end_claim(claim);
}

void rj_claim_set_reserved_value(const rj_claim_t *claim, int64_t reserved_value)
{
    memcpy(claim->frame + offsetof(rj_wire_data_t, reserved_value), &reserved_value,
           sizeof(reserved_value));
}
