/* SPDX-License-Identifier: Apache-2.0 */
/* term_scan.h - how many bytes of whole frames may be sent next.
 *
 * Units      bytes.
 * Ownership  the caller's term memory, read only.
 * Thread     the sender's.
 * Errors     in the result: RJ_TERM_SCAN_CORRUPT says that a client wrote a length no frame can
 *            have.
 */
#ifndef RJ_SHM_TERM_SCAN_H
#define RJ_SHM_TERM_SCAN_H

#include "shm/term_frame.h"

#include <stdint.h>

#define RJ_TERM_SCAN_CORRUPT INT32_MIN

/* What lies at the offset:
 *   available > 0         so many bytes go out as one datagram, then the position moves on by
 *                         available + padding; the 32 bytes of a padding header come last
 *   available = 0         nothing yet
 *   available < 0         one frame that does not fit (its aligned length, negated)
 *   RJ_TERM_SCAN_CORRUPT  a frame that cannot be: the publication is broken */
typedef struct rj_term_scan {
    int32_t available;
    int32_t padding;
} rj_term_scan_t;

/* So many frames ahead, if all are as long as this one, the next header is on its way from the
 * publisher's cache while this one is looked at. */
#define RJ_TERM_SCAN_AHEAD 4

/* Looks from `term` + `offset` at most `length_max` bytes ahead, never beyond `term_length`. Frames
 * in front of a corrupt one are still returned. */
static inline rj_term_scan_t rj_term_scan(const uint8_t *term, int32_t offset, int32_t term_length,
                                          int32_t length_max)
{
    int32_t left = term_length - offset;
    int32_t limit = length_max < left ? length_max : left;
    int32_t available = 0;

    do {
        int32_t length = rj_frame_length(term, offset + available);
        if (length <= 0)
            break;
        int64_t aligned = rj_frame_aligned_length(length);
        if (aligned * RJ_TERM_SCAN_AHEAD < left - available)
            __builtin_prefetch(term + offset + available + aligned * RJ_TERM_SCAN_AHEAD);
        if (__builtin_expect(length < RJ_DATA_HEADER_BYTES || aligned > left - available, 0)) {
            rj_term_scan_t corrupt = {RJ_TERM_SCAN_CORRUPT, 0};
            rj_term_scan_t whole = {available, 0};
            return available == 0 ? corrupt : whole;
        }
        int32_t padding = 0;
        int32_t bytes = (int32_t)aligned;
        if (rj_frame_type(term, offset + available) == RJ_FRAME_TYPE_PAD) {
            padding = bytes - RJ_DATA_HEADER_BYTES;
            bytes = RJ_DATA_HEADER_BYTES;
        }
        if (bytes > limit - available)
            return (rj_term_scan_t){available == 0 ? -bytes : available, 0};
        available += bytes;
        if (padding > 0)
            return (rj_term_scan_t){available, padding};
    } while (available < limit);
    return (rj_term_scan_t){available, 0};
}

#endif
