/* SPDX-License-Identifier: Apache-2.0 */
/* term_frame.h - the words of a frame in a term, read and written in the order that peers rely on.
 *
 * Units      offsets and lengths in bytes. A frame occupies its length rounded up to 32.
 * Ownership  the caller's term memory. Offsets are multiples of 32 inside the term: the caller
 *            checks.
 * Thread     publishers write, everybody reads; the frame length publishes the rest of the frame.
 * Errors     none. A length read here is whatever a client wrote: check it before using it.
 */
#ifndef RJ_SHM_TERM_FRAME_H
#define RJ_SHM_TERM_FRAME_H

#include "ramjet/wire.h"
#include "base/atomic.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* 0: nothing yet; negative: being written; positive: complete, and the frame may be read.
 * Acquire: pairs with the release in rj_frame_publish and in rj_term_insert. */
static inline int32_t rj_frame_length(const uint8_t *term, int32_t offset)
{
    return rj_load_acquire_i32((const rj_shared_i32_t *)(const void *)(term + offset));
}

/* Release: pairs with the acquire in rj_frame_length of scanners and subscribers. */
static inline void rj_frame_publish(uint8_t *term, int32_t offset, int32_t frame_length)
{
    rj_store_release_i32((rj_shared_i32_t *)(void *)(term + offset), frame_length);
}

/* 64 bits, for a hostile length just below 2^31 must not become negative. */
static inline int64_t rj_frame_aligned_length(int32_t frame_length)
{
    return ((int64_t)frame_length + (RJ_FRAME_ALIGNMENT - 1)) & ~(int64_t)(RJ_FRAME_ALIGNMENT - 1);
}

static inline int16_t rj_frame_type(const uint8_t *term, int32_t offset)
{
    int16_t type;
    memcpy(&type, term + offset + offsetof(rj_wire_data_t, type), sizeof(type));
    return type;
}

/* Writes a padding frame of `length` bytes over a hole, from the stream's default header. */
static inline void rj_frame_write_padding(uint8_t *term, int32_t offset, int32_t length,
                                          const uint8_t *default_header, int32_t term_id)
{
    rj_wire_data_t header;
    memcpy(&header, default_header, sizeof(header));
    header.type = RJ_FRAME_TYPE_PAD;
    header.term_offset = offset;
    header.term_id = term_id;
    memcpy(term + offset + sizeof(int32_t), (const uint8_t *)&header + sizeof(int32_t),
           sizeof(header) - sizeof(int32_t));
    rj_frame_publish(term, offset, length);
}

#endif
