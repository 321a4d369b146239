/* SPDX-License-Identifier: Apache-2.0 */
/* position.h - term id and offset <-> stream position, and the packed tails of a log.
 *
 * Term ids wrap around; a position does not. Partitions are used in turn, so position, term count
 * and partition follow from one another:
 *
 *   position = term count << shift | offset      term count = term id - initial term id (wrapping)
 *   partition = term count mod 3                 raw tail = term id << 32 | offset (unsigned)
 *
 * Units      positions: stream bytes since the initial term began. Offsets: bytes in a term.
 * Ownership  none.  Thread any.  Errors none.
 */
#ifndef RJ_SHM_POSITION_H
#define RJ_SHM_POSITION_H

#include "ramjet/shm.h"

#include <stdint.h>

/* How many terms after the initial one `term_id` is; negative for one before it. */
static inline int32_t rj_term_count(int32_t term_id, int32_t initial_term_id)
{
    return (int32_t)((uint32_t)term_id - (uint32_t)initial_term_id);
}

/* The term id `count` terms after `term_id`. */
static inline int32_t rj_term_id_add(int32_t term_id, int32_t count)
{
    return (int32_t)((uint32_t)term_id + (uint32_t)count);
}

/* The partition of a term count; in 0..2 whatever the count. */
static inline int32_t rj_term_count_partition(int32_t term_count)
{
    return (int32_t)((uint32_t)term_count % RJ_LOG_TERM_COUNT);
}

static inline int64_t rj_position_pack(int32_t term_id, int32_t term_offset, int32_t shift,
                                       int32_t initial_term_id)
{
    return ((int64_t)rj_term_count(term_id, initial_term_id) * ((int64_t)1 << shift)) + term_offset;
}

static inline int32_t rj_position_term_count(int64_t position, int32_t shift)
{
    return (int32_t)(position >> shift);
}

static inline int32_t rj_position_term_id(int64_t position, int32_t shift, int32_t initial_term_id)
{
    return rj_term_id_add(initial_term_id, rj_position_term_count(position, shift));
}

static inline int32_t rj_position_term_offset(int64_t position, int32_t term_mask)
{
    return (int32_t)(position & term_mask);
}

static inline int32_t rj_position_partition(int64_t position, int32_t shift)
{
    return rj_term_count_partition(rj_position_term_count(position, shift));
}

/* The first position that no message of the log may reach. */
static inline int64_t rj_position_limit(int32_t term_length)
{
    return (int64_t)term_length << 31;
}

static inline int64_t rj_tail_pack(int32_t term_id, uint32_t term_offset)
{
    return (int64_t)((uint64_t)(uint32_t)term_id << 32 | term_offset);
}

static inline int32_t rj_tail_term_id(int64_t raw_tail)
{
    return (int32_t)(raw_tail >> 32);
}

/* The offset, cut at the term's end: publishers that trip over it leave it behind the end. */
static inline int32_t rj_tail_term_offset(int64_t raw_tail, int32_t term_length)
{
    uint32_t offset = (uint32_t)raw_tail;
    return offset < (uint32_t)term_length ? (int32_t)offset : term_length;
}

#endif
