/* SPDX-License-Identifier: Apache-2.0 */
/* term_append.h - how a client writes messages into a log.
 *
 * Shared publications claim by fetch-and-add on the tail, from any number of threads and processes.
 * An exclusive publication has one writer, which keeps its place in private and only tells the
 * tail. A message is contiguous and never crosses a term; one longer than a frame's payload is cut
 * into fragments. Who passes the end of a term pads it and rotates.
 *
 * Units      lengths in bytes, positions in stream bytes.
 * Ownership  the caller's log and bytes; nothing is kept but the log's address in rj_exclusive_t.
 * Thread     shared: any number; exclusive: one.
 * Errors     the six codes below, as Aeron's clients return them. No errno here.
 */
#ifndef RJ_SHM_TERM_APPEND_H
#define RJ_SHM_TERM_APPEND_H

#include "shm/log_buffer.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
    RJ_APPEND_NOT_CONNECTED = -1,
    RJ_APPEND_BACK_PRESSURED = -2,
    RJ_APPEND_ADMIN_ACTION = -3, /* a term was changed: try again at once */
    RJ_APPEND_CLOSED = -4,       /* given by who owns the publication, never here */
    RJ_APPEND_MAX_POSITION_EXCEEDED = -5,
    RJ_APPEND_ERROR = -6, /* a length that no message may have */
};

/* A frame that is claimed and waits for its payload. */
typedef struct rj_claim {
    uint8_t *frame; /* its header; NULL when there is no claim */
    uint8_t *payload;
    int32_t payload_length;
} rj_claim_t;

/* The private state of an exclusive publication's writer. */
typedef struct rj_exclusive {
    const rj_log_t *log;
    int64_t term_begin_position;
    int32_t term_id;
    int32_t term_offset;
    int32_t partition;
} rj_exclusive_t;

/* What a message of `length` occupies: one frame, or several with a header each. */
int64_t rj_append_framed_length(const rj_log_t *log, int64_t length);

/* Appends the bytes of the parts as one message (empty parts are fine). `limit_position` is the
 * publisher limit counter, read with acquire by the caller. Returns the position behind the
 * message. */
int64_t rj_append_shared(const rj_log_t *log, int64_t limit_position, const struct iovec *parts,
                         int part_count, int64_t reserved_value);

/* Claims one frame of `length` bytes, at most log->payload_length_max. Returns the position behind
 * it. */
int64_t rj_append_shared_claim(const rj_log_t *log, int64_t limit_position, int32_t length,
                               rj_claim_t *ret_claim);

/* Where the publishers of a shared log are; RJ_APPEND_ADMIN_ACTION during a rotation. */
int64_t rj_append_shared_position(const rj_log_t *log);

/* Takes the place from the log's metadata; done once, when the publication has been added. */
void rj_exclusive_init(rj_exclusive_t *exclusive, const rj_log_t *log);

/* The position behind the last message. */
static inline int64_t rj_exclusive_position(const rj_exclusive_t *exclusive)
{
    return exclusive->term_begin_position + exclusive->term_offset;
}

int64_t rj_exclusive_append(rj_exclusive_t *exclusive, int64_t limit_position,
                            const struct iovec *parts, int part_count, int64_t reserved_value);

int64_t rj_exclusive_claim(rj_exclusive_t *exclusive, int64_t limit_position, int32_t length,
                           rj_claim_t *ret_claim);

/* Appends one padding frame of a header and `length` bytes, which may be more than a frame's
 * payload. */
int64_t rj_exclusive_append_padding(rj_exclusive_t *exclusive, int64_t limit_position,
                                    int32_t length);

/* Appends frames that are complete already, as archive replay does. The first header must be DATA
 * and name this place, session, stream and term; `length` is a multiple of 32 that fits the term.
 */
int64_t rj_exclusive_append_block(rj_exclusive_t *exclusive, int64_t limit_position,
                                  const uint8_t *frames, int32_t length);

/* Makes the claim's frame visible to subscribers, or turns it into padding. Both end the claim. */
void rj_claim_commit(rj_claim_t *claim);
void rj_claim_abort(rj_claim_t *claim);

/* The application's value in the header of a claimed frame. */
void rj_claim_set_reserved_value(const rj_claim_t *claim, int64_t reserved_value);

#endif
