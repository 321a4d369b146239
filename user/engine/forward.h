/* SPDX-License-Identifier: Apache-2.0 */
/* forward.h - frames on their way from the engine whose port received them to the one they are for.
 *
 *   record   | length, endpoint, source, times ... | frame |pad| record ...   | rest |  wrap
 *            16-byte aligned                        <- contiguous ->          unused
 *
 * A ring of bytes; a record that does not fit before its end begins at the start again, so that a
 * frame is always one span. The endpoint is named by its id: it may be gone when the record is
 * read.
 *
 * Units      bytes; monotonic ns.
 * Ownership  the caller owns the struct, which is aligned; the bytes are heap memory taken by open.
 * Thread     one producer, one consumer; open and close by whoever starts and stops both.
 * Errors     a full ring is an answer; the producer counts it.
 */
#ifndef RJ_ENGINE_FORWARD_H
#define RJ_ENGINE_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/address.h"
#include "shm/ring_spsc.h"

enum {
    RJ_FORWARD_RING_BYTES = 1 << 20,
    RJ_FORWARD_FRAME_BYTES_MAX = 65535, /* what one UDP datagram can hold */
};

/* All that a frame's packet said, but for the bytes; or that of a piece of several frames. */
typedef struct rj_forwarded {
    int64_t endpoint_id;
    int64_t receive_time_ns;
    int64_t media_epoch_ns;
    rj_address_t source;
    int32_t arrival_engine; /* whose port it came by */
    int32_t type;           /* as rj_frame_check found it */
    uint32_t length_bytes;
    uint32_t segment_bytes; /* as in rj_packet_t */
} rj_forwarded_t;

typedef struct rj_forward_ring {
    rj_ring_spsc_side_t producer; /* indices count bytes */
    rj_ring_spsc_side_t consumer;
    uint8_t *bytes; /* NULL when closed */
    uint64_t mask;
} __attribute__((aligned(2 * RJ_CACHE_LINE_BYTES))) rj_forward_ring_t;

/* Room for `capacity_bytes`, a power of two of at least 64 bytes. -EINVAL, -ENOMEM. */
int rj_forward_open(rj_forward_ring_t *ring, uint64_t capacity_bytes, rj_err_t *err);

/* Safe on a closed ring. */
void rj_forward_close(rj_forward_ring_t *ring);

/* Producer: copies a frame in. False when there is no room, or the frame is longer than any. */
bool rj_forward_push(rj_forward_ring_t *ring, const rj_forwarded_t *frame, const uint8_t *bytes);

/* Consumer: the oldest frame and where its bytes are; they may be written to, and stay until
 * rj_forward_release. NULL when there is none. */
uint8_t *rj_forward_peek(rj_forward_ring_t *ring, rj_forwarded_t *ret_frame);

/* Consumer: gives the room of the frame that was peeked back. */
void rj_forward_release(rj_forward_ring_t *ring);

/* Consumer, or nobody else at work: whether a frame waits. */
bool rj_forward_has_frames(const rj_forward_ring_t *ring);

#endif
