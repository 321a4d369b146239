/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/network_publication.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/prng.h"
#include "shm/term_append.h"
#include "tests/fixtures/publication_bench.h"
#include "tests/fixtures/stream_log.h"

enum { TERM = PUBLICATION_BENCH_TERM, WINDOW = TERM / 2, MTU = STREAM_LOG_MTU };

static const int64_t s = 1000 * 1000 * 1000;
static const int64_t receiver_id = 77;

enum { SPIES = 3 };

static publication_bench_t bench;
static rj_subscriber_position_t spies[SPIES];
static int64_t spy_words[SPIES];

static void setup(void)
{
    memset(spies, 0, sizeof(spies));
    for (int i = 0; i < SPIES; i++)
        spies[i].counter = &spy_words[i];
    rj_network_publication_config_t config = publication_bench_config(0);
    publication_bench_open(&bench, &config);
}

static void teardown(void)
{
    rj_log_close(&bench.log);
}

TestSuite(network_publication_life, .init = setup, .fini = teardown);

static void on_sm(int64_t position, uint8_t flags)
{
    rj_wire_sm_t sm = {
        .frame_length = RJ_SM_BYTES,
        .flags = flags,
        .consumption_term_id =
            rj_position_term_id(position, bench.log.position_shift, bench.log.initial_term_id),
        .consumption_term_offset = rj_position_term_offset(position, bench.log.term_mask),
        .receiver_window = WINDOW,
        .receiver_id = receiver_id,
    };
    cr_assert(rj_network_publication_on_sm(&bench.publication, &sm, bench.now_ns));
}

static int64_t send_some(int run_max, bool is_short)
{
    rj_run_t runs[RJ_NETWORK_PUBLICATION_RUNS_MAX];
    int count = rj_network_publication_collect(&bench.publication, runs, run_max);
    for (int i = 0; i < count; i++)
        runs[i].result = (int32_t)runs[i].total_bytes;
    if (is_short && count > 0)
        runs[count - 1].result -= runs[count - 1].result % (int32_t)runs[count - 1].segment_bytes;
    return rj_network_publication_commit(&bench.publication, runs, count, bench.now_ns);
}

static int64_t offer(int32_t length)
{
    static uint8_t bytes[8192];
    struct iovec part = {bytes, (size_t)length};
    memset(bytes, 0xA5, sizeof(bytes));
    return rj_append_shared(&bench.log, bench.words.pub_lmt, &part, 1, 0);
}

static rj_network_publication_state_t on_time(int refcount, int64_t after_ns)
{
    bench.now_ns += after_ns;
    return rj_network_publication_on_time(&bench.publication, refcount, &bench.unblocked_count,
                                          bench.now_ns);
}

static int update(void)
{
    return rj_network_publication_update_limit(&bench.publication);
}

static void idle(void)
{
    rj_wire_data_t heartbeat;
    (void)rj_network_publication_idle(&bench.publication, &heartbeat, bench.now_ns);
}

static bool add_spy(int spy)
{
    return rj_network_publication_add_spy(&bench.publication, &spies[spy]);
}

static void open_simulating(void)
{
    teardown();
    rj_network_publication_config_t config = publication_bench_config(0);
    config.spies_simulate_connection = true;
    publication_bench_open(&bench, &config);
}

Test(network_publication_life, opens_the_limit_with_the_first_receiver_and_closes_it_with_the_last)
{
    cr_assert_eq(update(), 0);
    cr_assert_not(rj_log_is_connected(&bench.log));
    on_sm(0, 0);
    cr_assert_eq(update(), 1);
    cr_assert(rj_log_is_connected(&bench.log));
    cr_assert_eq(bench.words.pub_lmt, WINDOW);
    cr_assert_eq(update(), 0);
    cr_assert_gt(offer(100), 0);
    update();
    cr_assert_eq(bench.words.pub_pos, 160);
    on_sm(0, RJ_SM_FLAG_EOS);
    cr_assert_eq(update(), 1);
    cr_assert_not(rj_log_is_connected(&bench.log));
    cr_assert_eq(bench.words.pub_lmt, 0, "back to the sender");
}

Test(network_publication_life, holds_the_limit_at_the_slowest_spy)
{
    on_sm(0, 0);
    cr_assert(add_spy(0));
    cr_assert(add_spy(1));
    cr_assert_eq(update(), 1);
    while (offer(1000) > 0)
        ;
    send_some(64, false);
    cr_assert_gt(bench.words.snd_pos, 0);
    cr_assert_eq(update(), 0);
    spy_words[0] = 2112;
    cr_assert_eq(update(), 0);
    spy_words[1] = 1056;
    cr_assert_eq(update(), 1);
    cr_assert_eq(bench.words.pub_lmt, 1056 + WINDOW);
    cr_assert(rj_network_publication_remove_spy(&bench.publication, &spies[1]));
    cr_assert_not(rj_network_publication_remove_spy(&bench.publication, &spies[1]));
    cr_assert_eq(update(), 1);
    cr_assert_eq(bench.words.pub_lmt, 2112 + WINDOW);
}

Test(network_publication_life, lets_spies_read_what_is_not_sent_but_believes_no_more)
{
    on_sm(0, 0);
    add_spy(0);
    update();
    int64_t end = offer(1000);
    spy_words[0] = end;
    cr_assert_eq(update(), 0, "the sender holds it");
    cr_assert_eq(bench.publication.max_spy_pos, end);
    spy_words[0] = end + 32;
    update();
    cr_assert_eq(bench.publication.max_spy_pos, end, "nothing was written there");
    cr_assert_eq(bench.publication.bad_position_count, 1);
}

Test(network_publication_life, takes_spies_for_a_connection_where_told)
{
    add_spy(0);
    cr_assert_eq(update(), 0);
    cr_assert_not(rj_log_is_connected(&bench.log));
    open_simulating();
    add_spy(1);
    cr_assert(rj_log_is_connected(&bench.log), "at once");
    cr_assert_eq(update(), 1);
    rj_network_publication_remove_spy(&bench.publication, &spies[1]);
    cr_assert_not(rj_log_is_connected(&bench.log), "at once");
}

Test(network_publication_life, goes_on_with_its_fastest_spy_while_there_is_no_receiver)
{
    open_simulating();
    add_spy(0);
    add_spy(1);
    update();
    int64_t first = offer(1000);
    int64_t end = offer(1000);
    spy_words[0] = end;
    spy_words[1] = first;
    update();
    cr_assert_eq(send_some(64, false), 0, "to nobody");
    idle();
    cr_assert_eq(bench.words.snd_pos, end);
    cr_assert_eq(bench.words.snd_lmt, end);
    on_sm(end, 0);
    cr_assert_gt(offer(1000), 0);
    spy_words[0] = end + 1056;
    update();
    idle();
    cr_assert_eq(bench.words.snd_pos, end, "a receiver has to be sent it");
    cr_assert_eq(send_some(64, false), 1056);
    cr_assert_eq(bench.words.snd_pos, end + 1056);
    cr_assert(rj_log_is_connected(&bench.log));
    on_sm(end + 1056, RJ_SM_FLAG_EOS);
    update();
    cr_assert(rj_log_is_connected(&bench.log), "its spies are still there");
}

Test(network_publication_life, takes_spies_until_it_has_drained)
{
    on_sm(0, 0);
    update();
    int64_t end = offer(1000);
    send_some(64, false);
    cr_assert(add_spy(0));
    cr_assert_eq(spies[0].join_position, end);
    cr_assert_eq(spy_words[0], end);
    offer(1000);
    rj_network_publication_on_unreferenced(&bench.publication, bench.now_ns);
    cr_assert(add_spy(1));
    send_some(64, false);
    cr_assert_not(add_spy(2), "all is sent");
}

/* The invariant behind everything: the term that a publisher may rotate into is zero. Random
 * publishers, senders that stutter, windows in any phase. */
static void run_until_wrapped(uint64_t seed)
{
    rj_prng_t prng;
    rj_prng_init(&prng, seed);
    on_sm(0, 0);
    update();
    int64_t checked_pos = 0;
    while (bench.words.snd_pos < 12 * TERM) {
        bench.now_ns += 1000;
        if (rj_prng_chance(&prng, 0.6)) {
            int64_t result = offer((int32_t)rj_prng_between(&prng, 0, 8192));
            cr_assert(result > 0 || result == RJ_APPEND_BACK_PRESSURED ||
                          result == RJ_APPEND_ADMIN_ACTION,
                      "%ld", (long)result);
        }
        if (rj_prng_chance(&prng, 0.5))
            send_some((int)rj_prng_between(&prng, 1, 4), rj_prng_chance(&prng, 0.2));
        if (rj_prng_chance(&prng, 0.5))
            on_sm(bench.words.snd_pos, 0);
        if (rj_prng_chance(&prng, 0.5))
            update();
        /* What lies from the limit to the end of the next term may be written or scanned soon. */
        int64_t limit_term = bench.words.pub_lmt / TERM;
        if (limit_term * TERM > checked_pos) {
            checked_pos = limit_term * TERM;
            stream_log_expect_zero(&bench.log, checked_pos + TERM / 8 + 1408, checked_pos + TERM);
        }
        int64_t next_term = (bench.words.pub_lmt + TERM / 8 + 8192) / TERM;
        if (next_term > limit_term)
            stream_log_expect_zero(&bench.log, next_term * TERM, next_term * TERM + TERM);
    }
    cr_assert_not(bench.publication.is_broken);
}

Test(network_publication_life, keeps_the_next_term_zero_whatever_the_pace)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        teardown();
        setup();
        run_until_wrapped(seed);
    }
}

Test(network_publication_life, freezes_when_the_tails_lie)
{
    on_sm(0, 0);
    update();
    offer(100);
    bench.log.metadata->term_tail_counters[0] = rj_tail_pack(12345, 64);
    cr_assert_eq(update(), 0);
    cr_assert_eq(bench.publication.is_broken, 1);
    cr_assert_not(rj_log_is_connected(&bench.log));
    cr_assert_eq(send_some(64, false), 0);
    cr_assert_eq(bench.words.pub_lmt, WINDOW);
    rj_network_publication_on_unreferenced(&bench.publication, bench.now_ns);
    cr_assert_eq(on_time(0, s), RJ_NETWORK_PUBLICATION_LINGER, "it can still be closed");
}

Test(network_publication_life, drains_lingers_and_is_done)
{
    on_sm(0, 0);
    update();
    int64_t end = offer(1000);
    rj_network_publication_on_unreferenced(&bench.publication, bench.now_ns);
    cr_assert_eq(bench.publication.state, RJ_NETWORK_PUBLICATION_DRAINING);
    cr_assert_eq(bench.words.pub_lmt, end);
    cr_assert_eq(rj_log_end_of_stream(&bench.log), end);
    cr_assert_eq(bench.publication.is_end_of_stream, 0);
    cr_assert_eq(on_time(0, s), RJ_NETWORK_PUBLICATION_DRAINING, "a receiver waits for the rest");
    send_some(64, false);
    cr_assert_eq(on_time(0, s), RJ_NETWORK_PUBLICATION_LINGER);
    cr_assert_eq(bench.publication.is_end_of_stream, 1);
    cr_assert_eq(on_time(0, 5 * s), RJ_NETWORK_PUBLICATION_LINGER);
    cr_assert_eq(on_time(0, 1), RJ_NETWORK_PUBLICATION_DONE);
}

Test(network_publication_life, ends_the_linger_when_the_receiver_says_goodbye)
{
    on_sm(0, 0);
    rj_network_publication_on_unreferenced(&bench.publication, bench.now_ns);
    cr_assert_eq(bench.publication.is_end_of_stream, 1);
    cr_assert_eq(on_time(0, s), RJ_NETWORK_PUBLICATION_LINGER);
    on_sm(0, RJ_SM_FLAG_EOS);
    cr_assert_eq(on_time(0, 1), RJ_NETWORK_PUBLICATION_DONE);
}

Test(network_publication_life, gives_up_what_nobody_will_take)
{
    on_sm(0, 0);
    update();
    offer(1000);
    on_sm(0, RJ_SM_FLAG_EOS);
    rj_network_publication_on_unreferenced(&bench.publication, bench.now_ns);
    cr_assert_eq(on_time(0, s), RJ_NETWORK_PUBLICATION_LINGER);
    cr_assert_eq(bench.publication.is_end_of_stream, 0, "its end was not reached");
}

Test(network_publication_life, waits_while_draining_for_spies)
{
    on_sm(0, 0);
    update();
    add_spy(0);
    int64_t end = offer(1000);
    send_some(64, false);
    rj_network_publication_on_unreferenced(&bench.publication, bench.now_ns);
    cr_assert_eq(on_time(0, s), RJ_NETWORK_PUBLICATION_DRAINING);
    spy_words[0] = end;
    cr_assert_eq(on_time(0, s), RJ_NETWORK_PUBLICATION_LINGER);
}

Test(network_publication_life, frees_spies_from_a_hole_that_no_receiver_waits_for)
{
    on_sm(0, 0);
    add_spy(0);
    update();
    int64_t first = offer(1000);
    int64_t hole = offer(1000);
    int64_t end = offer(1000);
    uint8_t *term = bench.log.terms[0];
    memset(term + first, 0, (size_t)(hole - first)); /* claimed, and its publisher died */
    spy_words[0] = first;
    on_sm(0, RJ_SM_FLAG_EOS);
    rj_network_publication_on_unreferenced(&bench.publication, bench.now_ns);
    cr_assert_eq(on_time(0, s), RJ_NETWORK_PUBLICATION_DRAINING);
    cr_assert_eq(bench.unblocked_count, 1);
    spy_words[0] = end;
    cr_assert_eq(on_time(0, s), RJ_NETWORK_PUBLICATION_LINGER);
}

Test(network_publication_life, ends_at_once_when_revoked)
{
    on_sm(0, 0);
    update();
    int64_t end = offer(1000);
    rj_log_set_revoked(&bench.log);
    rj_network_publication_on_unreferenced(&bench.publication, bench.now_ns);
    cr_assert_eq(bench.publication.state, RJ_NETWORK_PUBLICATION_ACTIVE);
    cr_assert_eq(on_time(0, s), RJ_NETWORK_PUBLICATION_LINGER);
    cr_assert_eq(bench.publication.is_end_of_stream, 1);
    cr_assert_eq(bench.words.pub_lmt, end);
    cr_assert_not(rj_log_is_connected(&bench.log));
    cr_assert_eq(on_time(0, 4 * s), RJ_NETWORK_PUBLICATION_LINGER);
    cr_assert_eq(on_time(0, 1), RJ_NETWORK_PUBLICATION_DONE, "counted from the last reference");
}

Test(network_publication_life, frees_the_claim_of_a_dead_publisher_after_the_timeout)
{
    rj_claim_t claim;
    on_sm(0, 0);
    update();
    cr_assert_gt(rj_append_shared_claim(&bench.log, bench.words.pub_lmt, 100, &claim), 0);
    int64_t end = offer(64);
    cr_assert_eq(send_some(64, false), 0);
    on_time(1, s);
    on_time(1, 14 * s);
    cr_assert_eq(bench.unblocked_count, 0, "not yet: a publisher may be slow");
    on_time(1, 1);
    cr_assert_eq(bench.unblocked_count, 1);
    cr_assert_gt(send_some(64, false), 0);
    send_some(64, false);
    cr_assert_eq(bench.words.snd_pos, end);
    on_time(1, 100 * s);
    cr_assert_eq(bench.unblocked_count, 1);
}

Test(network_publication_life, gives_up_a_claim_of_which_only_the_tail_tells)
{
    on_sm(0, 0);
    update();
    offer(64);
    send_some(64, false);
    /* A process was killed between moving the tail and writing the frame's length. */
    int64_t *tail = &bench.log.metadata->term_tail_counters[0];
    rj_store_release_i64(tail, rj_load_relaxed_i64(tail) + 192);
    rj_network_publication_on_unreferenced(&bench.publication, bench.now_ns);
    cr_assert_eq(on_time(0, s), RJ_NETWORK_PUBLICATION_DRAINING);
    on_time(0, 14 * s);
    cr_assert_eq(bench.unblocked_count, 0, "not yet: a thread may be between the two");
    on_time(0, 2 * s);
    cr_assert_eq(bench.unblocked_count, 1);
    send_some(64, false);
    cr_assert_eq(on_time(0, s), RJ_NETWORK_PUBLICATION_LINGER);
}

Test(network_publication_life, leaves_the_holes_of_an_exclusive_publisher_alone_until_it_is_gone)
{
    teardown();
    rj_network_publication_config_t config = publication_bench_config(0);
    config.is_exclusive = true;
    publication_bench_open(&bench, &config);
    rj_exclusive_t writer;
    rj_claim_t claim;
    rj_exclusive_init(&writer, &bench.log);
    on_sm(0, 0);
    update();
    cr_assert_gt(rj_exclusive_claim(&writer, bench.words.pub_lmt, 100, &claim), 0);
    on_time(1, s);
    on_time(1, 100 * s);
    cr_assert_eq(bench.unblocked_count, 0);
    rj_network_publication_on_unreferenced(&bench.publication, bench.now_ns);
    cr_assert_eq(on_time(0, s), RJ_NETWORK_PUBLICATION_DRAINING);
    cr_assert_eq(bench.unblocked_count, 1);
    send_some(64, false);
    cr_assert_eq(on_time(0, s), RJ_NETWORK_PUBLICATION_LINGER);
}
