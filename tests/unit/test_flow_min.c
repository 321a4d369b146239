/* SPDX-License-Identifier: Apache-2.0 */
/* Flow control that waits for the slowest (wire.md 16.4). */
#include <criterion/criterion.h>

#include "stream/flow_control.h"

enum { TERM = 64 * 1024, WINDOW = 8192, TAG = 77 };

static const int64_t s = 1000 * 1000 * 1000;

static rj_flow_control_t flow;
static int64_t limit;

static void open_flow(const rj_flow_control_ops_t *ops, int32_t group_size_min)
{
    const rj_flow_control_config_t config = {.ops = ops,
                                             .resend_window_multiple = 4,
                                             .group_size_min = group_size_min,
                                             .group_tag = TAG,
                                             .receiver_timeout_ns = 5 * s};
    rj_flow_control_init(&flow, &config, TERM);
    limit = 0;
}

static rj_wire_sm_t sm_of(int64_t receiver_id, uint8_t flags)
{
    return (rj_wire_sm_t){.frame_length = RJ_SM_BYTES,
                          .flags = flags,
                          .receiver_window = WINDOW,
                          .receiver_id = receiver_id};
}

static rj_wire_sm_t tagged(rj_wire_sm_t sm, int64_t tag)
{
    sm.frame_length = RJ_SM_TAGGED_BYTES;
    sm.group_tag = tag;
    return sm;
}

static int64_t tell(rj_wire_sm_t sm, int64_t position, int64_t now_ns)
{
    limit = flow.ops->on_sm(&flow, &sm, position, limit, now_ns);
    return limit;
}

static int64_t hear(int64_t receiver_id, int64_t position, int64_t now_ns)
{
    return tell(sm_of(receiver_id, 0), position, now_ns);
}

static int64_t idle(int64_t now_ns)
{
    limit = flow.ops->on_idle(&flow, limit, now_ns);
    return limit;
}

static void elicit_setup(rj_wire_sm_t sm, int64_t now_ns)
{
    flow.ops->on_setup_elicited(&flow, &sm, now_ns);
    flow.ops->on_setup(&flow, limit, now_ns);
}

Test(flow_min, the_slowest_governs)
{
    open_flow(&rj_flow_control_min, 0);
    cr_assert(flow.ops->is_ready(&flow));
    cr_assert_eq(hear(1, 0, 0), WINDOW);
    cr_assert_eq(hear(2, 4096, 0), WINDOW);
    cr_assert_eq(flow.governor_id, 1);
    cr_assert_eq(hear(1, 8192, 0), 4096 + WINDOW);
    cr_assert_eq(flow.governor_id, 2);
    cr_assert_eq(hear(2, 16384, 0), 8192 + WINDOW);
    cr_assert_eq(flow.receiver_count, 2);
}

Test(flow_min, a_status_message_takes_nothing_back_an_idle_turn_does)
{
    open_flow(&rj_flow_control_min, 0);
    hear(1, 8192, 0);
    cr_assert_eq(hear(2, 4096, 0), 8192 + WINDOW);
    cr_assert_eq(idle(0), 4096 + WINDOW);
    rj_wire_sm_t smaller = sm_of(2, 0);
    smaller.receiver_window = 1024;
    cr_assert_eq(tell(smaller, 4096, 0), 4096 + WINDOW);
    cr_assert_eq(idle(0), 4096 + 1024);
}

Test(flow_min, one_further_behind_than_its_window_is_not_waited_for)
{
    open_flow(&rj_flow_control_min, 0);
    hear(1, 32768, 0);
    hear(2, 32768 - WINDOW - 32, 0);
    cr_assert_eq(flow.receiver_count, 1);
    hear(2, 32768 - WINDOW, 0);
    cr_assert_eq(flow.receiver_count, 2);
}

Test(flow_min, forgets_who_leaves_at_the_next_idle_turn)
{
    open_flow(&rj_flow_control_min, 0);
    hear(1, 0, 0);
    hear(2, 4096, 0);
    tell(sm_of(1, RJ_SM_FLAG_EOS), 0, 1);
    cr_assert_eq(flow.receiver_count, 2);
    cr_assert_leq(flow.ops->deadline_ns(&flow), 1);
    cr_assert_eq(idle(1), 4096 + WINDOW);
    cr_assert_eq(flow.receiver_count, 1);
    tell(sm_of(3, RJ_SM_FLAG_EOS), 4096, 1);
    cr_assert_eq(flow.receiver_count, 1, "a farewell introduces nobody");

    flow.ops->on_error(&flow, 99, 2);
    flow.ops->on_error(&flow, 2, 2);
    cr_assert_eq(idle(2), 4096 + WINDOW, "the limit stays when nobody is left");
    cr_assert_eq(flow.receiver_count, 0);
    cr_assert_not(flow.has_governor);
}

Test(flow_min, forgets_who_is_silent_for_longer_than_the_timeout)
{
    open_flow(&rj_flow_control_min, 0);
    hear(1, 0, 0);
    hear(2, 4096, 2 * s);
    cr_assert_eq(flow.ops->deadline_ns(&flow), 5 * s + 1);
    cr_assert_eq(idle(5 * s), WINDOW);
    cr_assert_eq(idle(5 * s + 1), 4096 + WINDOW);
    cr_assert_eq(flow.ops->deadline_ns(&flow), 7 * s + 1);
    idle(7 * s + 1);
    cr_assert_eq(flow.receiver_count, 0);
    cr_assert_eq(flow.ops->deadline_ns(&flow), INT64_MAX);
}

Test(flow_min, moves_nothing_before_the_group_is_there)
{
    open_flow(&rj_flow_control_min, 2);
    cr_assert_not(flow.ops->is_ready(&flow));
    cr_assert_eq(hear(1, 0, 0), 0);
    cr_assert_not(flow.ops->is_ready(&flow));
    cr_assert_eq(idle(0), 0);
    cr_assert_eq(hear(2, 0, 0), WINDOW);
    cr_assert(flow.ops->is_ready(&flow));
    tell(sm_of(2, RJ_SM_FLAG_EOS), 4096, 1);
    idle(1);
    cr_assert_not(flow.ops->is_ready(&flow));
    cr_assert_eq(hear(1, 4096, 1), WINDOW, "and nothing when it is not there any more");
}

Test(flow_min, holds_the_limit_for_one_who_asked_for_a_setup)
{
    open_flow(&rj_flow_control_min, 0);
    elicit_setup(sm_of(1, RJ_SM_FLAG_SEND_SETUP), 0);
    cr_assert_eq(flow.setup_limit, -1, "there is nobody yet whom the limit could run away with");
    hear(1, 0, 0);
    elicit_setup(sm_of(2, RJ_SM_FLAG_SEND_SETUP), s);
    cr_assert_eq(hear(1, 4096, s), WINDOW);
    cr_assert_not(flow.has_governor);
    cr_assert_leq(flow.ops->deadline_ns(&flow), 6 * s + 1);
    hear(2, 4096, 2 * s);
    cr_assert_eq(idle(2 * s), 4096 + WINDOW, "its first status message ends it");

    elicit_setup(sm_of(3, RJ_SM_FLAG_SEND_SETUP), 2 * s);
    cr_assert_eq(hear(1, 8192, 3 * s), 4096 + WINDOW);
    cr_assert_eq(hear(2, 8192, 7 * s), 4096 + WINDOW);
    cr_assert_eq(hear(2, 8192, 7 * s + 1), 8192 + WINDOW, "for one timeout at most");
}

Test(flow_min, counts_whom_the_table_has_no_room_for)
{
    open_flow(&rj_flow_control_min, 0);
    for (int64_t id = 0; id < (int64_t)RJ_FLOW_CONTROL_RECEIVERS_MAX; id++)
        hear(id, 4096, 0);
    cr_assert_eq(hear(-1, 0, 0), 4096 + WINDOW);
    cr_assert_eq(flow.receiver_count, RJ_FLOW_CONTROL_RECEIVERS_MAX);
    cr_assert_eq(flow.overflow_count, 1);
    hear(0, 0, 0);
    cr_assert_eq(flow.overflow_count, 1, "who is known needs no room");
}

Test(flow_min, tagged_waits_for_those_with_the_tag_alone)
{
    open_flow(&rj_flow_control_tagged, 0);
    cr_assert_eq(hear(1, 0, 0), WINDOW, "as max, while nobody has the tag");
    cr_assert_eq(tell(tagged(sm_of(2, 0), TAG + 1), 4096, 0), 4096 + WINDOW);
    cr_assert_eq(flow.receiver_count, 0);
    cr_assert_eq(flow.governor_id, 2);

    tell(tagged(sm_of(3, 0), TAG), 4096, 0);
    cr_assert_eq(flow.receiver_count, 1);
    cr_assert_eq(hear(1, 32768, 0), 4096 + WINDOW);
    cr_assert_eq(tell(tagged(sm_of(3, 0), TAG), 8192, 0), 8192 + WINDOW);
    cr_assert_eq(flow.governor_id, 3);
}

Test(flow_min, tagged_counts_its_own_towards_the_group)
{
    open_flow(&rj_flow_control_tagged, 1);
    cr_assert_eq(hear(1, 0, 0), 0);
    cr_assert_not(flow.ops->is_ready(&flow));
    cr_assert_eq(tell(tagged(sm_of(2, 0), TAG), 0, 0), WINDOW);
    cr_assert(flow.ops->is_ready(&flow));
    elicit_setup(sm_of(3, RJ_SM_FLAG_SEND_SETUP), 0);
    cr_assert_eq(flow.setup_limit, -1, "nor is anybody else's setup waited for");
    elicit_setup(tagged(sm_of(3, RJ_SM_FLAG_SEND_SETUP), TAG), 0);
    cr_assert_eq(flow.setup_limit, WINDOW);
}

/* V5 of wire.md 28: its tag is -1, which is also the tag of a driver without configuration. */
Test(flow_min, the_tag_minus_one_is_a_tag)
{
    open_flow(&rj_flow_control_tagged, 0);
    flow.config.group_tag = -1;
    hear(1, 0, 0);
    cr_assert_eq(flow.receiver_count, 0, "without a tag is not with the tag -1");
    cr_assert_eq(tell(tagged(sm_of(2, 0), -1), 8192, 0), 8192 + WINDOW);
    cr_assert_eq(flow.receiver_count, 1);
}
