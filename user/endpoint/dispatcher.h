/* SPDX-License-Identifier: Apache-2.0 */
/* dispatcher.h - stream and session -> image, or what to do without one.
 *
 * One for each receive endpoint (wire.md 11, driver.md 11). Per stream: which sessions are wanted,
 * the images there are, and for wanted sessions without image a state:
 *
 *   UNKNOWN --data--> PENDING_SETUP --setup--> INIT_IN_PROGRESS --image added--> ACTIVE
 *      \ ------setup---------------------------^   |                              |removed before
 *                                                  |failed -> UNKNOWN             |its end
 *                                                                                 v
 *                                                                             COOL_DOWN
 *
 * An image that another engine owns makes the session ELSEWHERE instead of ACTIVE.
 *
 * A session that nobody wants is not remembered: asking again costs what a mark would, and nobody
 * outside can fill the table with marks.
 *
 * Units      none.
 * Ownership  its tables have a fixed capacity, taken when it is opened. It does not own images.
 * Thread     opened and closed by the conductor while no engine has it, else the engine's.
 * Errors     a full table: -ENOSPC, or RJ_DISPATCH_FULL; nothing changes then.
 */
#ifndef RJ_ENDPOINT_DISPATCHER_H
#define RJ_ENDPOINT_DISPATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "stream/network_image.h"

enum {
    RJ_DISPATCHER_STREAMS_MAX = 4096,  /* streams with interest, per endpoint */
    RJ_DISPATCHER_SESSIONS_MAX = 8192, /* (stream, session) pairs known, per endpoint */
};

typedef enum rj_session_state {
    RJ_SESSION_UNKNOWN = 0,
    RJ_SESSION_ACTIVE, /* there is an image */
    RJ_SESSION_PENDING_SETUP,
    RJ_SESSION_INIT_IN_PROGRESS,
    RJ_SESSION_COOL_DOWN,
    RJ_SESSION_ELSEWHERE, /* there is an image, another engine's */
} rj_session_state_t;

/* What is to be done with a frame. */
typedef enum rj_dispatch {
    RJ_DISPATCH_IGNORE,
    RJ_DISPATCH_IMAGE,         /* there is an image: insert, or track its connection */
    RJ_DISPATCH_ELSEWHERE,     /* there is one in another engine: rj_dispatcher_owner says which */
    RJ_DISPATCH_ELICIT_SETUP,  /* send an SM with the setup flag; the state is PENDING_SETUP now */
    RJ_DISPATCH_CREATE_IMAGE,  /* ask the conductor; the state is INIT_IN_PROGRESS now */
    RJ_DISPATCH_SESSION_LIMIT, /* too many images of this stream: report */
    RJ_DISPATCH_FULL,          /* no room to remember the session: count */
} rj_dispatch_t;

typedef struct rj_dispatcher rj_dispatcher_t;

/* Memory for the given numbers of streams and sessions. `session_limit` is how many images, and
 * images in the making, one stream may have. -ENOMEM. */
int rj_dispatcher_open(rj_dispatcher_t **ret_dispatcher, int32_t stream_capacity,
                       int32_t session_capacity, int32_t session_limit);

/* NULL is allowed. */
void rj_dispatcher_close(rj_dispatcher_t *dispatcher);

/* Interest in a whole stream, or in one session of it. Twice is once. */
int rj_dispatcher_add_stream(rj_dispatcher_t *dispatcher, int32_t stream_id);
int rj_dispatcher_add_session(rj_dispatcher_t *dispatcher, int32_t stream_id, int32_t session_id);

/* Forgets states and images of sessions that nobody wants any more; the images live on, unfed. */
void rj_dispatcher_remove_stream(rj_dispatcher_t *dispatcher, int32_t stream_id);
void rj_dispatcher_remove_session(rj_dispatcher_t *dispatcher, int32_t stream_id,
                                  int32_t session_id);
bool rj_dispatcher_has_interest(const rj_dispatcher_t *dispatcher);

/* `flags` are the frame's. `*ret_image` is set with RJ_DISPATCH_IMAGE only. */
rj_dispatch_t rj_dispatcher_on_data(rj_dispatcher_t *dispatcher, int32_t stream_id,
                                    int32_t session_id, uint8_t flags,
                                    rj_network_image_t **ret_image);
rj_dispatch_t rj_dispatcher_on_setup(rj_dispatcher_t *dispatcher, int32_t stream_id,
                                     int32_t session_id, rj_network_image_t **ret_image);

/* Whether the state is PENDING_SETUP. */
bool rj_dispatcher_awaits_setup(const rj_dispatcher_t *dispatcher, int32_t stream_id,
                                int32_t session_id);

/* NULL when there is none. */
rj_network_image_t *rj_dispatcher_find_image(const rj_dispatcher_t *dispatcher, int32_t stream_id,
                                             int32_t session_id);

/* Installs an image in place of any older one of its session; false when the session is no longer
 * wanted, or there is no room: it will not be fed then, and drains by itself. */
bool rj_dispatcher_add_image(rj_dispatcher_t *dispatcher, rj_network_image_t *image);

/* The engine that owns the session's image; -1 unless it is ELSEWHERE. */
int rj_dispatcher_owner(const rj_dispatcher_t *dispatcher, int32_t stream_id, int32_t session_id);

/* Notes that the session's image is that of engine `owner`, in place of any older one; false as for
 * add_image. The image stands for itself: it is not looked at, and may be gone. */
bool rj_dispatcher_add_elsewhere(rj_dispatcher_t *dispatcher, const rj_network_image_t *image,
                                 int32_t stream_id, int32_t session_id, int owner);

/* Only if the session leads to that very image, likewise; COOL_DOWN follows unless it had ended by
 * itself. */
void rj_dispatcher_remove_elsewhere(rj_dispatcher_t *dispatcher, const rj_network_image_t *image,
                                    int32_t stream_id, int32_t session_id, bool has_ended);

/* Only if the session leads to this very image; COOL_DOWN follows unless it had ended by itself. */
void rj_dispatcher_remove_image(rj_dispatcher_t *dispatcher, rj_network_image_t *image);

/* Forgets PENDING_SETUP, INIT_IN_PROGRESS or COOL_DOWN, if that is the state. */
void rj_dispatcher_clear_state(rj_dispatcher_t *dispatcher, int32_t stream_id, int32_t session_id,
                               rj_session_state_t state);

#endif
