/* SPDX-License-Identifier: Apache-2.0 */
/* tether.h - what becomes of a reader that holds a stream up, unless it is tied to it.
 *
 *             too slow for          linger over,             resting over:
 *             the window limit      rejoin                   joins again
 *     ACTIVE ----------> LINGER -----------------> RESTING ----------------> ACTIVE
 *                           |
 *                           +--- linger over, no rejoin ---> CLOSED
 *
 * From LINGER on its client has been told that the image is gone; until RESTING its position still
 * limits the stream, so that what it is reading stays. Readers are tethered unless they say
 * tether=false, and then never leave ACTIVE. driver.md 9, commands.md 5.8
 *
 * Units      positions: stream bytes. Times: monotonic ns.
 * Ownership  a plain value inside a subscriber's position; nothing to close.
 * Thread     the conductor's.
 * Errors     none.
 */
#ifndef RJ_STREAM_TETHER_H
#define RJ_STREAM_TETHER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/stream_params.h"

typedef enum rj_tether_state {
    RJ_TETHER_ACTIVE,
    RJ_TETHER_LINGER,
    RJ_TETHER_RESTING,
    RJ_TETHER_CLOSED
} rj_tether_state_t;

typedef struct rj_tether {
    bool is_tethered;
    bool is_rejoin;
    rj_tether_state_t state;
    int64_t since_ns; /* in ACTIVE: when it was last fast enough; else when the state began */
} rj_tether_t;

/* The position that a reader must be above to count as fast enough, when `head_pos` is where the
 * stream's window begins: a quarter of the window from its far end. */
static inline int64_t rj_tether_limit(int64_t head_pos, int64_t window_bytes)
{
    return head_pos - window_bytes + window_bytes / 4;
}

/* The timer's look at a reader which has come to `position`. True when its state has changed. */
bool rj_tether_on_time(rj_tether_t *tether, int64_t position, int64_t limit_pos,
                       const rj_untethered_timeouts_t *timeouts, int64_t now_ns);

#endif
