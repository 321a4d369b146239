/* SPDX-License-Identifier: Apache-2.0 */
/* broadcast.h - events from one driver to all clients, in memory that all of them map.
 *
 *   | records, 8-byte aligned, none wraps | trailer 128: tail intent, tail, latest |
 *
 * The transmitter never waits. It says how far it is going to overwrite before it touches data; a
 * receiver that finds itself inside that range has been lapped and what it copied is worth nothing.
 *
 * Units      lengths in bytes; positions count bytes ever transmitted.
 * Ownership  the section belongs to its mapping; both structs are views and need no close.
 * Thread     one transmitter; each receiver in one thread.
 * Errors     negative errno.
 */
#ifndef RJ_SHM_BROADCAST_H
#define RJ_SHM_BROADCAST_H

#include "ramjet/shm.h"
#include "base/atomic.h"

#include <stdint.h>

typedef struct rj_broadcast {
    uint8_t *data; /* NULL when not attached */
    rj_broadcast_trailer_t *trailer;
    int64_t capacity_bytes;
    int64_t mask;
    int32_t body_length_max; /* an eighth of the capacity */
    int64_t tail_position;   /* the transmitter's own copy, for clients can write the shared one */
    /* Told of each event that was sent, by the transmitter's thread; NULL: nobody. */
    void (*on_transmit)(void *state, int32_t type, const void *body, int32_t length);
    void *on_transmit_state;
} rj_broadcast_t;

typedef struct rj_broadcast_receiver {
    const uint8_t *data; /* NULL when not attached */
    const rj_broadcast_trailer_t *trailer;
    int64_t capacity_bytes;
    int64_t mask;
    int64_t next_position; /* of the record after the last one received */
    int64_t lapped_count;
} rj_broadcast_receiver_t;

/* Lays the view over a section of the CnC file; -EINVAL unless `section_length` less the trailer is
 * a power of two of at least 8 and the section is 8-byte aligned. Nothing is written. */
int rj_broadcast_attach(rj_broadcast_t *broadcast, uint8_t *section, int64_t section_length);

/* Sends one event to everybody; -EINVAL for a type below 1, -EMSGSIZE above body_length_max. */
int rj_broadcast_transmit(rj_broadcast_t *broadcast, int32_t type, const void *body,
                          int32_t length);

/* Bytes ever transmitted: what the conductor paces itself by. */
static inline int64_t rj_broadcast_position(const rj_broadcast_t *broadcast)
{
    return broadcast->tail_position;
}

/* As rj_broadcast_attach; the newest record is the first that will be received. */
int rj_broadcast_receiver_attach(rj_broadcast_receiver_t *receiver, const uint8_t *section,
                                 int64_t section_length);

/* Copies the next event's body into `body` and returns its length. -EAGAIN: nothing new.
 * -EOVERFLOW: the driver has lapped us; events are lost and the next call goes on at the newest.
 * -EMSGSIZE: the event is longer than `body_length_max` and is left out. */
int rj_broadcast_receive(rj_broadcast_receiver_t *receiver, int32_t *ret_type, void *body,
                         int32_t body_length_max);

#endif
