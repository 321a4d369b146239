/* SPDX-License-Identifier: Apache-2.0 */
/* Why a publication waits, in every state it can be in. */
#include "stream/publication_why.h"

#include <criterion/criterion.h>
#include <string.h>

#include "shm/term_append.h"
#include "tests/fixtures/publication_bench.h"
#include "tests/fixtures/stream_log.h"

enum { TERM = PUBLICATION_BENCH_TERM, WINDOW = TERM / 2, MTU = STREAM_LOG_MTU };

static const int64_t s = 1000 * 1000 * 1000;

static publication_bench_t bench;
static rj_subscriber_position_t spy;
static int64_t spy_word;
static int32_t consumed; /* by whoever sends a status message */

static void open_with(const rj_network_publication_config_t *config)
{
    spy = (rj_subscriber_position_t){.counter = &spy_word, .subscription_id = 31};
    consumed = 0;
    publication_bench_open(&bench, config);
}

static void setup(void)
{
    const rj_network_publication_config_t config = publication_bench_config(0);
    open_with(&config);
}

static void teardown(void)
{
    rj_log_close(&bench.log);
}

TestSuite(publication_why, .init = setup, .fini = teardown);

static void reopen(const rj_network_publication_config_t *config)
{
    teardown();
    open_with(config);
}

static void hear(int64_t receiver_id, int32_t window, uint8_t flags)
{
    const rj_wire_sm_t sm = {.frame_length = RJ_SM_BYTES,
                             .flags = flags,
                             .consumption_term_id = bench.log.initial_term_id,
                             .consumption_term_offset = consumed,
                             .receiver_window = window,
                             .receiver_id = receiver_id};
    cr_assert(rj_network_publication_on_sm(&bench.publication, &sm, bench.now_ns));
}

static void idle(void)
{
    rj_wire_data_t heartbeat;
    (void)rj_network_publication_idle(&bench.publication, &heartbeat, bench.now_ns);
}

static void update(void)
{
    (void)rj_network_publication_update_limit(&bench.publication);
}

static void send_all(void)
{
    rj_run_t runs[RJ_NETWORK_PUBLICATION_RUNS_MAX];
    int count =
        rj_network_publication_collect(&bench.publication, runs, RJ_NETWORK_PUBLICATION_RUNS_MAX);
    for (int i = 0; i < count; i++)
        runs[i].result = (int32_t)runs[i].total_bytes;
    rj_network_publication_commit(&bench.publication, runs, count, bench.now_ns);
}

static int64_t offer(void)
{
    static uint8_t bytes[1000];
    struct iovec part = {bytes, sizeof(bytes)};
    return rj_append_shared(&bench.log, bench.words.pub_lmt, &part, 1, 0);
}

static rj_why_t expect(rj_why_reason_t reason, bool is_held)
{
    update();
    const rj_why_t why = rj_network_publication_why(&bench.publication);
    cr_assert_eq(why.reason, reason, "%s", rj_why_word(why.reason));
    cr_assert_eq(why.is_held, is_held);
    return why;
}

Test(publication_why, nobody_has_answered_or_all_have_gone)
{
    expect(RJ_WHY_NO_SUBSCRIBER, true);
    hear(1, WINDOW, 0);
    expect(RJ_WHY_FLOWS, false);
    hear(1, WINDOW, RJ_SM_FLAG_EOS);
    expect(RJ_WHY_SUBSCRIBERS_GONE, true);
    hear(1, WINDOW, 0);
    expect(RJ_WHY_FLOWS, false);
    bench.now_ns += 6 * s;
    idle();
    expect(RJ_WHY_SUBSCRIBERS_GONE, true);
}

Test(publication_why, a_group_is_not_complete)
{
    rj_network_publication_config_t config = publication_bench_config(0);
    config.is_group = true;
    config.flow_control.ops = &rj_flow_control_min;
    config.flow_control.group_size_min = 3;
    config.flow_control.receiver_timeout_ns = 5 * s;
    reopen(&config);
    expect(RJ_WHY_NO_SUBSCRIBER, true);
    hear(1, WINDOW, 0);
    hear(2, WINDOW, 0);
    const rj_why_t why = expect(RJ_WHY_GROUP_INCOMPLETE, true);
    cr_assert_eq(why.has, 2);
    cr_assert_eq(why.needs, 3);
    hear(3, WINDOW, 0);
    expect(RJ_WHY_FLOWS, false);
}

Test(publication_why, a_receivers_window_is_closed)
{
    hear(8, 2 * MTU, 0);
    const rj_address_t source = rj_address_ipv4((const uint8_t[]){10, 0, 0, 2}, 4000);
    rj_network_publication_on_source(&bench.publication, 8, &source);
    update();
    for (int i = 0; i < 4; i++)
        cr_assert_gt(offer(), 0);
    send_all();
    cr_assert_eq(expect(RJ_WHY_WINDOW_CLOSED, false).who, 8);
    int64_t receiver_id;
    rj_address_t address;
    cr_assert(rj_governor_get(&bench.publication.governor, &receiver_id, &address));
    cr_assert_eq(receiver_id, 8);
    cr_assert(rj_address_equal(&address, &source));
    while (offer() > 0)
        continue;
    cr_assert_eq(expect(RJ_WHY_WINDOW_CLOSED, true).who, 8, "and now the publisher waits as well");
    consumed = TERM / 4;
    hear(9, WINDOW, 0);
    send_all();
    expect(RJ_WHY_FLOWS, false);
}

Test(publication_why, of_several_the_slowest_is_named)
{
    rj_network_publication_config_t config = publication_bench_config(0);
    config.is_group = true;
    config.flow_control.ops = &rj_flow_control_min;
    config.flow_control.receiver_timeout_ns = 5 * s;
    reopen(&config);
    hear(1, 8 * MTU, 0);
    hear(2, 4 * MTU, 0);
    idle();
    update();
    for (int i = 0; i < 8; i++)
        cr_assert_gt(offer(), 0);
    send_all();
    cr_assert_eq(expect(RJ_WHY_WINDOW_CLOSED, false).who, 2);

    const rj_wire_sm_t setup = {.frame_length = RJ_SM_BYTES,
                                .flags = RJ_SM_FLAG_SEND_SETUP,
                                .consumption_term_id = bench.log.initial_term_id,
                                .receiver_id = 3};
    rj_wire_setup_t frame;
    bench.now_ns += s;
    cr_assert(rj_network_publication_on_sm(&bench.publication, &setup, bench.now_ns));
    cr_assert(rj_network_publication_setup(&bench.publication, &frame, bench.now_ns));
    hear(2, 8 * MTU, 0);
    expect(RJ_WHY_RECEIVER_JOINS, false);
}

Test(publication_why, the_sender_or_a_subscriber_here_is_behind)
{
    hear(1, WINDOW, 0);
    cr_assert(rj_network_publication_add_spy(&bench.publication, &spy));
    update();
    while (offer() > 0)
        continue;
    expect(RJ_WHY_SENDER_BEHIND, true);
    while (bench.publication.snd_pos < bench.publication.producer.position &&
           bench.publication.snd_pos + MTU <= bench.publication.snd_lmt)
        send_all();
    update();
    while (offer() > 0)
        continue;
    hear(1, TERM / 2, 0);
    bench.publication.snd_lmt = TERM;
    bench.words.snd_lmt = TERM;
    while (bench.publication.snd_pos < bench.publication.producer.position)
        send_all();
    cr_assert_eq(expect(RJ_WHY_SUBSCRIBER_SLOW, true).who, 31);
    rj_store_release_i64(&spy_word, bench.publication.snd_pos);
    expect(RJ_WHY_FLOWS, false);
}

Test(publication_why, resends_are_more_than_their_budget)
{
    hear(1, WINDOW, 0);
    expect(RJ_WHY_FLOWS, false);
    rj_store_relaxed_i32(&bench.publication.resends_are_throttled, 1);
    expect(RJ_WHY_RESENDS_THROTTLED, false);
    rj_run_t runs[4];
    cr_assert_eq(rj_network_publication_collect_resends(&bench.publication, runs, 4, bench.now_ns),
                 0);
    expect(RJ_WHY_FLOWS, false);
}

Test(publication_why, its_life_is_coming_to_an_end)
{
    hear(1, WINDOW, 0);
    update();
    rj_network_publication_on_unreferenced(&bench.publication, bench.now_ns);
    expect(RJ_WHY_DRAINING, true);
    (void)rj_network_publication_on_time(&bench.publication, 0, &bench.unblocked_count,
                                         bench.now_ns);
    expect(RJ_WHY_LINGERING, true);
    rj_log_set_revoked(&bench.log);
    expect(RJ_WHY_REVOKED, true);
    rj_store_release_i32(&bench.publication.is_broken, 1);
    expect(RJ_WHY_BROKEN, true);
}

static rj_why_reason_t ipc_reason(rj_ipc_publication_t *publication)
{
    (void)rj_ipc_publication_update_limit(publication);
    return rj_ipc_publication_why(publication).reason;
}

Test(publication_why, an_ipc_publication_waits_for_its_subscribers)
{
    rj_ipc_publication_t ipc;
    const rj_ipc_publication_config_t config = {.term_window_bytes = WINDOW,
                                                .unblock_timeout_ns = 15 * s};
    const rj_ipc_publication_counters_t counters = {&bench.words.pub_pos, &bench.words.pub_lmt};
    rj_ipc_publication_init(&ipc, &config, &counters, &bench.log, 0);
    cr_assert_eq(ipc_reason(&ipc), RJ_WHY_NO_SUBSCRIBER);
    cr_assert(rj_ipc_publication_add_subscriber(&ipc, &spy));
    cr_assert_eq(ipc_reason(&ipc), RJ_WHY_FLOWS);
    while (offer() > 0)
        continue;
    cr_assert_eq(ipc_reason(&ipc), RJ_WHY_SUBSCRIBER_SLOW);
    cr_assert_eq(rj_ipc_publication_why(&ipc).who, 31);
    cr_assert(rj_ipc_publication_remove_subscriber(&ipc, &spy));
    cr_assert_eq(ipc_reason(&ipc), RJ_WHY_SUBSCRIBERS_GONE);
    rj_ipc_publication_on_unreferenced(&ipc, 0);
    cr_assert_eq(ipc_reason(&ipc), RJ_WHY_DRAINING);
    rj_log_set_revoked(&bench.log);
    cr_assert_eq(ipc_reason(&ipc), RJ_WHY_REVOKED);
}
