/* SPDX-License-Identifier: Apache-2.0 */
/* The slowest receiver governs: `min`, and `tagged`, which is the same among those with the tag
 * (wire.md 16.4). */
#include "base/bits.h"
#include "stream/flow_control.h"

/* The lowest of some limits, and who set it. */
typedef struct floor {
    int64_t limit;
    int64_t receiver_id;
    bool is_of_receiver;
} floor_t;

static void lower(floor_t *lowest, const rj_flow_receiver_t *receiver)
{
    if (receiver->limit < lowest->limit)
        *lowest = (floor_t){receiver->limit, receiver->receiver_id, true};
}

/* Whoever asked for a setup must not be overrun before his first status message: the limit stays
 * where it was, for one timeout at most. */
static floor_t setup_floor(rj_flow_control_t *flow_control, int64_t now_ns)
{
    if (flow_control->setup_limit >= 0 &&
        flow_control->setup_ns + flow_control->config.receiver_timeout_ns < now_ns)
        flow_control->setup_limit = -1;
    return (floor_t){.limit =
                         flow_control->setup_limit >= 0 ? flow_control->setup_limit : INT64_MAX};
}

static void set_governor(rj_flow_control_t *flow_control, const floor_t *lowest)
{
    flow_control->governor_id = lowest->receiver_id;
    flow_control->has_governor = lowest->is_of_receiver;
}

static int64_t due_ns(const rj_flow_control_t *flow_control, const rj_flow_receiver_t *receiver)
{
    return receiver->is_leaving
               ? INT64_MIN
               : receiver->last_sm_ns + flow_control->config.receiver_timeout_ns + 1;
}

static void arm(rj_flow_control_t *flow_control, const rj_flow_receiver_t *receiver)
{
    flow_control->due_ns = rj_min_i64(flow_control->due_ns, due_ns(flow_control, receiver));
}

static bool update(rj_flow_control_t *flow_control, const rj_wire_sm_t *sm, int64_t sm_pos,
                   int64_t now_ns)
{
    for (int i = 0; i < flow_control->receiver_count; i++) {
        rj_flow_receiver_t *receiver = &flow_control->receivers[i];
        if (receiver->receiver_id != sm->receiver_id)
            continue;
        receiver->is_leaving = (sm->flags & RJ_SM_FLAG_EOS) != 0;
        receiver->last_position = rj_max_i64(receiver->last_position, sm_pos);
        receiver->limit = sm_pos + sm->receiver_window;
        receiver->last_sm_ns = now_ns;
        arm(flow_control, receiver);
        return true;
    }
    return false;
}

/* A full table waits for nobody more; the one that is left out is counted. */
static void add(rj_flow_control_t *flow_control, const rj_wire_sm_t *sm, int64_t sm_pos,
                int64_t now_ns, floor_t *lowest)
{
    if (flow_control->receiver_count == RJ_FLOW_CONTROL_RECEIVERS_MAX) {
        flow_control->overflow_count++;
        return;
    }
    rj_flow_receiver_t *receiver = &flow_control->receivers[flow_control->receiver_count++];
    *receiver = (rj_flow_receiver_t){.receiver_id = sm->receiver_id,
                                     .last_position = sm_pos,
                                     .limit = sm_pos + sm->receiver_window,
                                     .last_sm_ns = now_ns};
    flow_control->setup_limit = -1;
    arm(flow_control, receiver);
    lower(lowest, receiver);
}

static bool is_complete(const rj_flow_control_t *flow_control)
{
    return flow_control->receiver_count >= flow_control->config.group_size_min;
}

/* `counts`: the strategy waits for this receiver. */
static int64_t on_any_sm(rj_flow_control_t *flow_control, const rj_wire_sm_t *sm, int64_t sm_pos,
                         int64_t snd_lmt, bool counts, int64_t now_ns)
{
    int64_t limit = sm_pos + sm->receiver_window;
    floor_t lowest = setup_floor(flow_control, now_ns);
    bool is_known = counts && update(flow_control, sm, sm_pos, now_ns);
    for (int i = 0; i < flow_control->receiver_count; i++)
        lower(&lowest, &flow_control->receivers[i]);
    bool is_near = flow_control->receiver_count == 0 ||
                   sm_pos + 2 * (int64_t)sm->receiver_window >= lowest.limit;
    if (counts && !is_known && is_near && (sm->flags & RJ_SM_FLAG_EOS) == 0)
        add(flow_control, sm, sm_pos, now_ns, &lowest);

    if (!is_complete(flow_control))
        return snd_lmt;
    if (flow_control->receiver_count == 0)
        lowest = (floor_t){limit, sm->receiver_id, true};
    set_governor(flow_control, &lowest);
    return rj_max_i64(snd_lmt, lowest.limit);
}

static bool has_tag(const rj_flow_control_t *flow_control, const rj_wire_sm_t *sm)
{
    return sm->frame_length == RJ_SM_TAGGED_BYTES &&
           sm->group_tag == flow_control->config.group_tag;
}

static int64_t on_min_sm(rj_flow_control_t *flow_control, const rj_wire_sm_t *sm, int64_t sm_pos,
                         int64_t snd_lmt, int64_t now_ns)
{
    return on_any_sm(flow_control, sm, sm_pos, snd_lmt, true, now_ns);
}

static int64_t on_tagged_sm(rj_flow_control_t *flow_control, const rj_wire_sm_t *sm, int64_t sm_pos,
                            int64_t snd_lmt, int64_t now_ns)
{
    return on_any_sm(flow_control, sm, sm_pos, snd_lmt, has_tag(flow_control, sm), now_ns);
}

static void forget_silent(rj_flow_control_t *flow_control, int64_t now_ns)
{
    if (now_ns < flow_control->due_ns)
        return;
    flow_control->due_ns = INT64_MAX;
    for (int i = flow_control->receiver_count - 1; i >= 0; i--) {
        if (due_ns(flow_control, &flow_control->receivers[i]) <= now_ns)
            flow_control->receivers[i] = flow_control->receivers[--flow_control->receiver_count];
        else
            arm(flow_control, &flow_control->receivers[i]);
    }
}

static int64_t on_idle(rj_flow_control_t *flow_control, int64_t snd_lmt, int64_t now_ns)
{
    forget_silent(flow_control, now_ns);
    floor_t lowest = setup_floor(flow_control, now_ns);
    for (int i = 0; i < flow_control->receiver_count; i++)
        lower(&lowest, &flow_control->receivers[i]);
    if (!is_complete(flow_control) || flow_control->receiver_count == 0) {
        flow_control->has_governor = false;
        return snd_lmt;
    }
    set_governor(flow_control, &lowest);
    return lowest.limit;
}

static void on_min_setup_elicited(rj_flow_control_t *flow_control, const rj_wire_sm_t *sm,
                                  int64_t now_ns)
{
    (void)sm;
    (void)now_ns;
    flow_control->setup_is_elicited = true;
}

static void on_tagged_setup_elicited(rj_flow_control_t *flow_control, const rj_wire_sm_t *sm,
                                     int64_t now_ns)
{
    (void)now_ns;
    flow_control->setup_is_elicited |= has_tag(flow_control, sm);
}

static void on_setup(rj_flow_control_t *flow_control, int64_t snd_lmt, int64_t now_ns)
{
    if (flow_control->setup_is_elicited && flow_control->receiver_count > 0) {
        flow_control->setup_ns = now_ns;
        flow_control->setup_limit = snd_lmt;
    }
    flow_control->setup_is_elicited = false;
}

static void on_error(rj_flow_control_t *flow_control, int64_t receiver_id, int64_t now_ns)
{
    (void)now_ns;
    for (int i = 0; i < flow_control->receiver_count; i++) {
        rj_flow_receiver_t *receiver = &flow_control->receivers[i];
        if (receiver->receiver_id != receiver_id)
            continue;
        receiver->is_leaving = true;
        arm(flow_control, receiver);
        return;
    }
}

static int64_t deadline_ns(const rj_flow_control_t *flow_control)
{
    if (flow_control->setup_limit < 0)
        return flow_control->due_ns;
    return rj_min_i64(flow_control->due_ns,
                      flow_control->setup_ns + flow_control->config.receiver_timeout_ns + 1);
}

const rj_flow_control_ops_t rj_flow_control_min = {
    .name = "min",
    .on_sm = on_min_sm,
    .on_idle = on_idle,
    .on_setup_elicited = on_min_setup_elicited,
    .on_setup = on_setup,
    .on_error = on_error,
    .is_ready = is_complete,
    .deadline_ns = deadline_ns,
};

const rj_flow_control_ops_t rj_flow_control_tagged = {
    .name = "tagged",
    .on_sm = on_tagged_sm,
    .on_idle = on_idle,
    .on_setup_elicited = on_tagged_setup_elicited,
    .on_setup = on_setup,
    .on_error = on_error,
    .is_ready = is_complete,
    .deadline_ns = deadline_ns,
};
