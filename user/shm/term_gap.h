/* SPDX-License-Identifier: Apache-2.0 */
/* term_gap.h - the first span of a term that is missing.
 *
 * Units      offsets and lengths in bytes.
 * Ownership  the caller's term memory, read only.
 * Thread     any.
 * Errors     none. A frame that reaches beyond the limit, which only a client's scribbling can
 *            make, counts as ending there.
 */
#ifndef RJ_SHM_TERM_GAP_H
#define RJ_SHM_TERM_GAP_H

#include "shm/term_frame.h"

#include <stdint.h>

typedef struct rj_term_gap {
    int32_t offset;
    int32_t length; /* 0: there is no gap */
} rj_term_gap_t;

/* Walks the frames from `offset` to `limit_offset`: the high-water mark, or the term's length when
 * the mark is in a later term. Returns the offset up to which everything is there; `ret_gap` is the
 * first gap below the limit. A call with offset = ret_gap->offset + ret_gap->length finds the next
 * one. */
static inline int32_t rj_term_gap_scan(const uint8_t *term, int32_t offset, int32_t limit_offset,
                                       rj_term_gap_t *ret_gap)
{
    *ret_gap = (rj_term_gap_t){0, 0};
    while (offset < limit_offset) {
        int32_t length = rj_frame_length(term, offset);
        if (length <= 0)
            break;
        int64_t aligned = rj_frame_aligned_length(length);
        if (aligned >= limit_offset - offset)
            return limit_offset;
        offset += (int32_t)aligned;
    }
    if (offset >= limit_offset)
        return offset;

    int32_t end = offset + RJ_FRAME_ALIGNMENT;
    while (end < limit_offset && rj_frame_length(term, end) == 0)
        end += RJ_FRAME_ALIGNMENT;
    *ret_gap = (rj_term_gap_t){offset, end - offset};
    return offset;
}

#endif
