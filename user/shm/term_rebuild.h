/* SPDX-License-Identifier: Apache-2.0 */
/* term_rebuild.h - puts what arrived, or a filler for what never will, into the term of an image.
 *
 * Units      offsets and lengths in bytes.
 * Ownership  the caller's term memory; the packet is only read.
 * Thread     the image's engine, which alone writes the term.
 * Errors     none; the caller has checked the packet (spec shm.md 15.2): a multiple of 32 as
 *            offset, at least a header of bytes, nothing beyond the term's end.
 */
#ifndef RJ_SHM_TERM_REBUILD_H
#define RJ_SHM_TERM_REBUILD_H

#include "shm/term_frame.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Copies the frames of a datagram to their place. The first word goes last: subscribers stop at the
 * first empty slot, so that the inner frames appear together with the first. Returns false, and
 * changes nothing, if something is there already. */
static inline bool rj_term_insert(uint8_t *term, int32_t offset, const uint8_t *packet,
                                  int32_t packet_length)
{
    uint8_t *frame = term + offset;
    if (rj_load_relaxed_i32((const rj_shared_i32_t *)(const void *)frame) != 0)
        return false;

    int64_t word[4];
    memcpy(word, packet, sizeof(word));
    memcpy(frame + RJ_DATA_HEADER_BYTES, packet + RJ_DATA_HEADER_BYTES,
           (size_t)(packet_length - RJ_DATA_HEADER_BYTES));
    memcpy(frame + 8, &word[1], 3 * sizeof(word[0]));
    /* Release: pairs with the acquire in rj_frame_length. */
    rj_store_release_i64((rj_shared_i64_t *)(void *)frame, word[0]);
    return true;
}

/* Fills a gap of an unreliable image with one padding frame. Returns false, and changes nothing, if
 * data has arrived in it meanwhile. */
static inline bool rj_term_fill_gap(uint8_t *term, int32_t offset, int32_t length,
                                    const uint8_t *default_header, int32_t term_id)
{
    for (int32_t at = offset + length - RJ_FRAME_ALIGNMENT; at >= offset;
         at -= RJ_FRAME_ALIGNMENT) {
        if (rj_load_relaxed_i32((const rj_shared_i32_t *)(const void *)(term + at)) != 0)
            return false;
    }
    rj_frame_write_padding(term, offset, length, default_header, term_id);
    return true;
}

#endif
