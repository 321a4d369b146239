/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/flow_control.h"

/* Whoever is furthest governs, be it the only one or the fastest of a group; a window that shrinks
 * does not take back what it granted. */
static int64_t on_sm(rj_flow_control_t *flow_control, const rj_wire_sm_t *sm, int64_t sm_pos,
                     int64_t snd_lmt, int64_t now_ns)
{
    (void)now_ns;
    int64_t limit = sm_pos + sm->receiver_window;
    if (limit < snd_lmt)
        return snd_lmt;
    flow_control->governor_id = sm->receiver_id;
    flow_control->has_governor = true;
    return limit;
}

static int64_t on_idle(rj_flow_control_t *flow_control, int64_t snd_lmt, int64_t now_ns)
{
    (void)flow_control;
    (void)now_ns;
    return snd_lmt;
}

static void on_setup_elicited(rj_flow_control_t *flow_control, const rj_wire_sm_t *sm,
                              int64_t now_ns)
{
    (void)flow_control;
    (void)sm;
    (void)now_ns;
}

static void on_setup(rj_flow_control_t *flow_control, int64_t snd_lmt, int64_t now_ns)
{
    (void)flow_control;
    (void)snd_lmt;
    (void)now_ns;
}

static void on_error(rj_flow_control_t *flow_control, int64_t receiver_id, int64_t now_ns)
{
    (void)flow_control;
    (void)receiver_id;
    (void)now_ns;
}

static bool is_ready(const rj_flow_control_t *flow_control)
{
    (void)flow_control;
    return true;
}

static int64_t deadline_ns(const rj_flow_control_t *flow_control)
{
    (void)flow_control;
    return INT64_MAX;
}

const rj_flow_control_ops_t rj_flow_control_unicast = {
    .name = "unicast",
    .on_sm = on_sm,
    .on_idle = on_idle,
    .on_setup_elicited = on_setup_elicited,
    .on_setup = on_setup,
    .on_error = on_error,
    .is_ready = is_ready,
    .deadline_ns = deadline_ns,
};

const rj_flow_control_ops_t rj_flow_control_max = {
    .name = "max",
    .on_sm = on_sm,
    .on_idle = on_idle,
    .on_setup_elicited = on_setup_elicited,
    .on_setup = on_setup,
    .on_error = on_error,
    .is_ready = is_ready,
    .deadline_ns = deadline_ns,
};
