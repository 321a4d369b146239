/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/term_unblock.h"

#include "base/bits.h"
#include "shm/term_frame.h"

/* Whether nobody woke up and began to write between the hole's start and `end`. */
static bool is_still_empty(const uint8_t *term, int32_t begin, int32_t end)
{
    for (int32_t at = end - RJ_FRAME_ALIGNMENT; at >= begin; at -= RJ_FRAME_ALIGNMENT) {
        if (rj_frame_length(term, at) != 0)
            return false;
    }
    return true;
}

/* A claim that was begun says how long it is. One that no claim can be is a client's scribbling:
 * then everything up to the tail is given up. */
static bool free_begun_claim(const rj_log_t *log, uint8_t *term, int32_t offset,
                             int32_t tail_offset, int32_t frame_length, int32_t term_id)
{
    int64_t length = -(int64_t)frame_length;
    if (length < RJ_DATA_HEADER_BYTES || length > log->term_length - offset)
        length = tail_offset - offset;
    if (length < RJ_DATA_HEADER_BYTES)
        return false;
    rj_frame_write_padding(term, offset, (int32_t)length, log->default_header, term_id);
    return true;
}

/* A claim that was never begun is as long as the way to the next frame, or to the end of a term
 * that the tail has passed. */
static bool free_silent_claim(const rj_log_t *log, uint8_t *term, int32_t offset,
                              int32_t tail_offset, int32_t term_count, int32_t term_id)
{
    int32_t end = offset + RJ_FRAME_ALIGNMENT;
    while (end < tail_offset && rj_frame_length(term, end) == 0)
        end += RJ_FRAME_ALIGNMENT;
    bool is_frame_behind = end < tail_offset;
    if (!is_frame_behind && tail_offset != log->term_length)
        return false;
    if (!is_still_empty(term, offset, end))
        return false;
    rj_frame_write_padding(term, offset, end - offset, log->default_header, term_id);
    if (!is_frame_behind)
        rj_log_rotate(log, term_count, term_id);
    return true;
}

bool rj_term_unblock(const rj_log_t *log, int64_t blocked_position)
{
    int32_t term_count = rj_position_term_count(blocked_position, log->position_shift);
    int32_t offset = rj_position_term_offset(blocked_position, log->term_mask);
    int32_t partition = rj_term_count_partition(term_count);
    int32_t active_count = rj_log_active_term_count(log);
    int64_t raw_tail = rj_log_raw_tail(log, partition);
    int32_t term_id = rj_term_id_add(log->initial_term_id, term_count);

    if (offset == 0 && active_count == rj_term_id_add(term_count, -1)) {
        /* The publisher died between padding the end of the term before and the rotation. */
        rj_log_rotate(log, active_count, rj_term_id_add(term_id, -1));
        return true;
    }
    if (rj_tail_term_id(raw_tail) != term_id)
        return false;

    uint8_t *term = log->terms[partition];
    int32_t tail_offset = rj_tail_term_offset(raw_tail, log->term_length);
    int32_t frame_length = rj_frame_length(term, offset);
    if (frame_length < 0)
        return free_begun_claim(log, term, offset, tail_offset, frame_length, term_id);
    if (frame_length == 0)
        return free_silent_claim(log, term, offset, tail_offset, term_count, term_id);
    return false;
}

bool rj_term_unblock_tail(const rj_log_t *log, int64_t blocked_position)
{
    int32_t term_count = rj_position_term_count(blocked_position, log->position_shift);
    int32_t offset = rj_position_term_offset(blocked_position, log->term_mask);
    int32_t partition = rj_term_count_partition(term_count);
    int64_t raw_tail = rj_log_raw_tail(log, partition);
    int32_t term_id = rj_term_id_add(log->initial_term_id, term_count);
    int32_t tail_offset = rj_tail_term_offset(raw_tail, log->term_length);
    uint8_t *term = log->terms[partition];

    if (rj_tail_term_id(raw_tail) != term_id || tail_offset <= offset ||
        !rj_is_aligned(tail_offset, RJ_FRAME_ALIGNMENT) ||
        !is_still_empty(term, offset, tail_offset))
        return false;
    rj_frame_write_padding(term, offset, tail_offset - offset, log->default_header, term_id);
    return true;
}
