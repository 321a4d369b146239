/* SPDX-License-Identifier: Apache-2.0 */
/* ring_mpsc.h - commands from many clients to one driver, in memory that all of them map.
 *
 *   | records, 8-byte aligned, none wraps | trailer 768: tail, head, correlation id, heartbeat |
 *
 * A record's length is 0 where nothing has begun, negative while it is written, positive when
 * complete. The consumer zeroes what it consumed before it releases the head: producers and unblock
 * rely on it.
 *
 * Units      lengths in bytes; positions count bytes ever written or consumed.
 * Ownership  the section belongs to its mapping; the struct is a view and needs no close.
 * Thread     producers: any number of threads and processes. Consumer calls: one thread.
 * Errors     negative errno. Producers may be hostile: what they can write is bounded before use,
 *            and spoilt records are skipped and counted in `corrupt_count`.
 */
#ifndef RJ_SHM_RING_MPSC_H
#define RJ_SHM_RING_MPSC_H

#include "ramjet/shm.h"
#include "base/atomic.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct rj_ring_mpsc {
    uint8_t *data; /* NULL when not attached */
    rj_ring_trailer_t *trailer;
    int64_t capacity_bytes;
    int64_t mask;
    int32_t body_length_max; /* an eighth of the capacity */
    int64_t head_position;   /* consumer: its own copy, for clients can write the shared one */
    uint64_t corrupt_count;  /* consumer: blocks that were given up */
} rj_ring_mpsc_t;

typedef enum rj_ring_action {
    RJ_RING_CONTINUE, /* consumed; go on */
    RJ_RING_COMMIT,   /* consumed, and release the space now; go on */
    RJ_RING_BREAK,    /* consumed; stop */
    RJ_RING_ABORT,    /* not consumed: it comes again with the next call; stop */
} rj_ring_action_t;

/* Gets one message. `body` dies when the handler returns, and a hostile producer can still write to
 * it: copy what is checked before it is used twice. */
typedef rj_ring_action_t (*rj_ring_handler_t)(void *context, int32_t type, const uint8_t *body,
                                              int32_t length);

/* Lays the view over a section of the CnC file; -EINVAL unless `section_length` less the trailer is
 * a power of two of at least 8 and the section is 8-byte aligned. Nothing is written. */
int rj_ring_mpsc_attach(rj_ring_mpsc_t *ring, uint8_t *section, int64_t section_length);

/* Producer: copies a message in. -EAGAIN when full, -EINVAL for a type below 1, -EMSGSIZE, -EBADMSG
 * if somebody has spoilt the tail. */
int rj_ring_mpsc_write(rj_ring_mpsc_t *ring, int32_t type, const void *body, int32_t length);

/* Producer: claims room and gives the address of the body, which is published by commit or turned
 * into padding by abort; errors as for write. */
int rj_ring_mpsc_try_claim(rj_ring_mpsc_t *ring, int32_t type, int32_t length, uint8_t **ret_body);

/* Producer: both return -EINVAL if `body` is no claim in progress. */
int rj_ring_mpsc_commit(rj_ring_mpsc_t *ring, uint8_t *body);
int rj_ring_mpsc_abort(rj_ring_mpsc_t *ring, uint8_t *body);

/* Consumer: hands up to `message_count_max` messages to the handler and returns how many it got,
 * aborted ones not counted. One call never crosses the end of the buffer. */
int rj_ring_mpsc_read(rj_ring_mpsc_t *ring, rj_ring_handler_t handler, void *context,
                      int message_count_max);

/* Consumer: turns the claim at the head that has not moved for the liveness timeout into padding.
 * Returns false if there is none, or if it is the newest and may still be written. */
bool rj_ring_mpsc_unblock(rj_ring_mpsc_t *ring);

/* Consumer: the positions by which a blocked ring is recognised. */
static inline int64_t rj_ring_mpsc_consumer_position(const rj_ring_mpsc_t *ring)
{
    return ring->head_position;
}

/* Acquire: pairs with the CAS of the claiming producer. */
static inline int64_t rj_ring_mpsc_producer_position(const rj_ring_mpsc_t *ring)
{
    return rj_load_acquire_i64(&ring->trailer->tail_position);
}

/* Anybody: takes the next id of the one id space of clients and driver. */
static inline int64_t rj_ring_mpsc_next_correlation_id(rj_ring_mpsc_t *ring)
{
    return rj_fetch_add_i64(&ring->trailer->correlation_counter, 1);
}

/* Consumer: tells clients that the driver lives. Release: pairs with rj_ring_mpsc_heartbeat_ms. */
static inline void rj_ring_mpsc_set_heartbeat_ms(rj_ring_mpsc_t *ring, int64_t epoch_ms)
{
    rj_store_release_i64(&ring->trailer->consumer_heartbeat_ms, epoch_ms);
}

/* -1 after an orderly shutdown, 0 before the first start. */
static inline int64_t rj_ring_mpsc_heartbeat_ms(const rj_ring_mpsc_t *ring)
{
    return rj_load_acquire_i64(&ring->trailer->consumer_heartbeat_ms);
}

#endif
