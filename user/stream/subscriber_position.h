/* SPDX-License-Identifier: Apache-2.0 */
/* subscriber_position.h - how far one subscription has read one stream.
 *
 * The position itself is a counter that the client alone writes (shm.md 14). It is hostile until
 * checked: a value that goes back, is not frame aligned or lies beyond what there is to read is
 * counted and ignored, because cleaning zeroes memory by it.
 *
 * Units      stream positions in bytes.
 * Ownership  allocated and freed by the conductor. While linked to an image the engine owns `next`,
 *            `last`; the conductor gets the node back by message before it frees the counter.
 * Thread     see each field.
 * Errors     none.
 */
#ifndef RJ_STREAM_SUBSCRIBER_POSITION_H
#define RJ_STREAM_SUBSCRIBER_POSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "stream/tether.h"

typedef struct rj_subscriber_position {
    struct rj_subscriber_position
        *next;             /* list of the stream's owner: engine (image), conductor (IPC, spies) */
    int64_t *counter;      /* value word in the counters section; the client writes it */
    int64_t last;          /* newest value that passed the check */
    int64_t join_position; /* where it was linked */
    int32_t counter_id;

    /* The conductor's alone. */
    rj_tether_t tether;
    int64_t subscription_id;
    int64_t client_id;
} rj_subscriber_position_t;

/* Puts `position` at the head of the list, at `join_position`: stores it in the counter (release,
 * pairs with the client's acquire) and remembers it. */
void rj_subscriber_position_link(rj_subscriber_position_t **list,
                                 rj_subscriber_position_t *position, int64_t join_position);

/* Takes `position` out of the list. Returns false when it is not in it. */
bool rj_subscriber_position_unlink(rj_subscriber_position_t **list,
                                   rj_subscriber_position_t *position);

/* Keeps `value` if it is frame aligned, not below the last one and not beyond `limit_pos`. Returns
 * the value to work with; a bad one adds 1 to `*bad_count`. */
int64_t rj_subscriber_position_check(rj_subscriber_position_t *position, int64_t value,
                                     int64_t limit_pos, uint64_t *bad_count);

/* Reads the counter (acquire: the client's reads below it are done) and checks it. Nobody but the
 * caller may move the limit. */
int64_t rj_subscriber_position_poll(rj_subscriber_position_t *position, int64_t limit_pos,
                                    uint64_t *bad_count);

#endif
