/* SPDX-License-Identifier: Apache-2.0 */
/* flow_control.h - how far a sender may go, by what its receivers say.
 *
 * A table of functions for each strategy; the state of all of them lies in one union inside the
 * struct, so choosing one allocates nothing. `unicast` and, for groups, `max` let the furthest
 * status message govern: whoever is slower has to catch up by NAKs, or loses.
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
};

typedef struct rj_flow_control rj_flow_control_t;

typedef struct rj_flow_control_ops {
    const char *name; /* as in the URI: fc=NAME */

    /* A status message for `sm_pos` that passed all checks; `sm` may be 36 or 44 bytes by its own
     * frame_length. Returns the new sender limit. */
    int64_t (*on_sm)(rj_flow_control_t *flow_control, const rj_wire_sm_t *sm, int64_t sm_pos,
                     int64_t snd_lmt, int64_t now_ns);

    /* A turn in which nothing was sent. Returns the new sender limit, which may be a lower one. */
    int64_t (*on_idle)(rj_flow_control_t *flow_control, int64_t snd_lmt, int64_t snd_pos,
                       int64_t now_ns);

    /* A status message that asks for a setup; and the setup about to be sent for that reason. */
    void (*on_setup_elicited)(rj_flow_control_t *flow_control, const rj_wire_sm_t *sm,
                              int64_t now_ns);
    void (*on_setup)(rj_flow_control_t *flow_control, int64_t snd_lmt, int64_t now_ns);

    /* A receiver rejected the stream. */
    void (*on_error)(rj_flow_control_t *flow_control, int64_t receiver_id, int64_t now_ns);

    /* Whether all receivers that the strategy insists on are there. */
    bool (*is_ready)(const rj_flow_control_t *flow_control);
} rj_flow_control_ops_t;

typedef struct rj_flow_control_config {
    const rj_flow_control_ops_t *ops;
    int32_t resend_window_multiple; /* rrwm */
} rj_flow_control_config_t;

struct rj_flow_control {
    const rj_flow_control_ops_t *ops;
    int64_t resend_bytes_max; /* of one NAK */
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

#endif
