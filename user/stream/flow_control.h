/* SPDX-License-Identifier: Apache-2.0 */
/* flow_control.h - how far a sender may go, by what its receivers say.
 *
 * A table of functions for each strategy; what they need lies inside the struct, so choosing one
 * allocates nothing.
 *
 *   unicast, max   the furthest status message governs: whoever is slower has to catch up by NAKs,
 *                  or loses.
 *   min            the slowest receiver governs. Each is remembered until it leaves or is silent
 *                  for the timeout; one that is further behind than its window is not waited for.
 *   tagged         the same among those whose status messages carry the tag. Others do not count;
 *                  only while there is none with the tag do they govern, as with max.
 *
 * min and tagged may insist on a number of receivers. Below it nothing moves the limit.
 *
 * Units      positions: stream bytes since the initial term began. Times: monotonic ns.
 * Ownership  a plain value inside its publication; nothing to close.
 * Thread     the publication's engine.
 * Errors     none; the conductor has refused names and options that it does not know.
 */
#ifndef RJ_STREAM_FLOW_CONTROL_H
#define RJ_STREAM_FLOW_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "ramjet/wire.h"

enum {
    RJ_FLOW_CONTROL_RESEND_WINDOWS_UNICAST = 16, /* rrwm, where nobody says otherwise */
    RJ_FLOW_CONTROL_RESEND_WINDOWS_GROUP = 4,
    RJ_FLOW_CONTROL_RESEND_WINDOW_BYTES = 128 * 1024,
    RJ_FLOW_CONTROL_RECEIVERS_MAX = 256, /* that min and tagged wait for */
};

typedef struct rj_flow_control rj_flow_control_t;

typedef struct rj_flow_control_ops {
    const char *name; /* as in the URI: fc=NAME */

    /* A status message for `sm_pos` that passed all checks; `sm` may be 36 or 44 bytes by its own
     * frame_length. Returns the new sender limit. */
    int64_t (*on_sm)(rj_flow_control_t *flow_control, const rj_wire_sm_t *sm, int64_t sm_pos,
                     int64_t snd_lmt, int64_t now_ns);

    /* A turn in which nothing was sent. Returns the new sender limit, which may be a lower one. */
    int64_t (*on_idle)(rj_flow_control_t *flow_control, int64_t snd_lmt, int64_t now_ns);

    /* A status message that asks for a setup; and the setup about to be sent for that reason. */
    void (*on_setup_elicited)(rj_flow_control_t *flow_control, const rj_wire_sm_t *sm,
                              int64_t now_ns);
    void (*on_setup)(rj_flow_control_t *flow_control, int64_t snd_lmt, int64_t now_ns);

    /* A receiver rejected the stream. */
    void (*on_error)(rj_flow_control_t *flow_control, int64_t receiver_id, int64_t now_ns);

    /* Whether all receivers that the strategy insists on are there. */
    bool (*is_ready)(const rj_flow_control_t *flow_control);

    /* The earliest time at which on_idle could do anything by itself; INT64_MAX: never. */
    int64_t (*deadline_ns)(const rj_flow_control_t *flow_control);
} rj_flow_control_ops_t;

typedef struct rj_flow_control_config {
    const rj_flow_control_ops_t *ops;
    int32_t resend_window_multiple; /* rrwm */
    int32_t group_size_min;         /* min, tagged: receivers to insist on */
    int64_t group_tag;              /* tagged */
    int64_t receiver_timeout_ns;    /* min, tagged */
} rj_flow_control_config_t;

/* One that min or tagged waits for. */
typedef struct rj_flow_receiver {
    int64_t receiver_id;
    int64_t last_position;
    int64_t limit;
    int64_t last_sm_ns;
    bool is_leaving; /* the next idle turn forgets it */
} rj_flow_receiver_t;

struct rj_flow_control {
    rj_flow_control_config_t config;
    const rj_flow_control_ops_t *ops;
    int64_t resend_bytes_max; /* of one NAK */

    /* The receiver whose word the limit is, as far as one is known. */
    int64_t governor_id;
    bool has_governor;

    /* min, tagged */
    int32_t receiver_count;
    int64_t overflow_count; /* times that the table had no room for a receiver */
    int64_t due_ns;         /* no receiver is silent for too long before it */
    int64_t setup_limit;    /* held since a setup was asked for; -1: none */
    int64_t setup_ns;
    bool setup_is_elicited; /* by one that counts */
    rj_flow_receiver_t receivers[RJ_FLOW_CONTROL_RECEIVERS_MAX];
};

/* wire.md 16 */
void rj_flow_control_init(rj_flow_control_t *flow_control, const rj_flow_control_config_t *config,
                          int32_t term_length);

/* How much of a NAK for `length` bytes is answered; the caller cuts at the term's end. wire.md 16.5
 */
static inline int64_t rj_flow_control_resend_length(const rj_flow_control_t *flow_control,
                                                    int64_t length)
{
    return length < flow_control->resend_bytes_max ? length : flow_control->resend_bytes_max;
}

extern const rj_flow_control_ops_t rj_flow_control_unicast;
extern const rj_flow_control_ops_t rj_flow_control_max;
extern const rj_flow_control_ops_t rj_flow_control_min;
extern const rj_flow_control_ops_t rj_flow_control_tagged;

#endif
