/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/ipc_publication.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/prng.h"
#include "shm/term_append.h"
#include "shm/term_frame.h"
#include "tests/fixtures/stream_log.h"

enum { TERM = 64 * 1024, WINDOW = TERM / 2, MTU = STREAM_LOG_MTU, READERS = 4 };

static const int64_t s = 1000 * 1000 * 1000;

typedef struct bench {
    rj_log_t log;
    int64_t pub_pos;
    int64_t pub_lmt;
    int64_t words[READERS];
    rj_subscriber_position_t readers[READERS];
    rj_ipc_publication_t publication;
    int64_t unblocked_count;
    int64_t now_ns;
} bench_t;

static bench_t bench;

static void setup_with(int32_t term_length)
{
    memset(&bench, 0, sizeof(bench));
    stream_log_open(&bench.log, RJ_LOG_TYPE_CONCURRENT_PUBLICATION, term_length, MTU, 0);
    rj_ipc_publication_config_t config = {.session_id = STREAM_LOG_SESSION,
                                          .stream_id = STREAM_LOG_STREAM,
                                          .term_window_bytes = term_length / 2,
                                          .unblock_timeout_ns = 15 * s};
    rj_ipc_publication_counters_t counters = {&bench.pub_pos, &bench.pub_lmt};
    for (int i = 0; i < READERS; i++)
        bench.readers[i].counter = &bench.words[i];
    rj_ipc_publication_init(&bench.publication, &config, &counters, &bench.log, 0);
}

static void setup(void)
{
    setup_with(TERM);
}

static void teardown(void)
{
    rj_log_close(&bench.log);
}

TestSuite(ipc_publication, .init = setup, .fini = teardown);

static bool add(int reader)
{
    return rj_ipc_publication_add_subscriber(&bench.publication, &bench.readers[reader]);
}

static bool drop(int reader)
{
    return rj_ipc_publication_remove_subscriber(&bench.publication, &bench.readers[reader]);
}

static int update(void)
{
    return rj_ipc_publication_update_limit(&bench.publication);
}

static int64_t offer(int32_t length)
{
    static uint8_t bytes[8192];
    struct iovec part = {bytes, (size_t)length};
    memset(bytes, 0xA5, sizeof(bytes));
    return rj_append_shared(&bench.log, bench.pub_lmt, &part, 1, 0);
}

static rj_ipc_publication_state_t on_time(int refcount, int64_t after_ns)
{
    bench.now_ns += after_ns;
    return rj_ipc_publication_on_time(&bench.publication, refcount, &bench.unblocked_count,
                                      bench.now_ns);
}

/* Reads some frames as a client does. */
static void read_some(int reader, int frames)
{
    int64_t position = bench.words[reader];
    for (int i = 0; i < frames; i++) {
        const uint8_t *term = rj_log_term(&bench.log, position);
        int32_t length = rj_frame_length(term, rj_position_term_offset(position, TERM - 1));
        if (length <= 0)
            break;
        position += rj_frame_aligned_length(length);
    }
    rj_store_release_i64(&bench.words[reader], position);
}

Test(ipc_publication, is_connected_while_somebody_reads)
{
    cr_assert_eq(update(), 0);
    cr_assert_lt(offer(10), 0);
    cr_assert(add(0));
    cr_assert(rj_log_is_connected(&bench.log), "at once");
    cr_assert_eq(update(), 1);
    cr_assert_eq(bench.pub_lmt, WINDOW);
    cr_assert(add(1));
    cr_assert_eq(bench.readers[1].join_position, 0, "nothing was consumed");
    cr_assert(drop(0));
    cr_assert_not(drop(0));
    cr_assert(rj_log_is_connected(&bench.log));
    cr_assert(drop(1));
    cr_assert_not(rj_log_is_connected(&bench.log));
    cr_assert_eq(update(), 1);
    cr_assert_eq(bench.pub_lmt, 0);
}

Test(ipc_publication, lets_a_late_reader_join_at_the_slowest)
{
    add(0);
    update();
    for (int i = 0; i < 10; i++)
        offer(1000);
    update();
    read_some(0, 6);
    cr_assert(add(1));
    cr_assert_eq(bench.readers[1].join_position, 6 * 1056);
    read_some(0, 4);
    cr_assert(add(2));
    cr_assert_eq(bench.readers[2].join_position, 6 * 1056);
    drop(1);
    drop(2);
    drop(0);
    cr_assert(add(3));
    cr_assert_eq(bench.readers[3].join_position, 10 * 1056, "what all have left is gone");
}

Test(ipc_publication, moves_the_limit_in_steps_of_an_eighth_of_the_window)
{
    add(0);
    update();
    for (int i = 0; i < 10; i++)
        offer(1000);
    read_some(0, 3);
    cr_assert_eq(update(), 0, "less than an eighth");
    read_some(0, 1);
    cr_assert_eq(update(), 1);
    cr_assert_eq(bench.pub_lmt, 4 * 1056 + WINDOW);
}

static void run_until_wrapped(uint64_t seed)
{
    rj_prng_t prng;
    bool is_linked[READERS] = {true};
    rj_prng_init(&prng, seed);
    add(0);
    update();
    while (bench.pub_pos < 12 * TERM) {
        if (rj_prng_chance(&prng, 0.6)) {
            int64_t result = offer((int32_t)rj_prng_between(&prng, 0, 8192));
            cr_assert(result > 0 || result == RJ_APPEND_BACK_PRESSURED ||
                      result == RJ_APPEND_ADMIN_ACTION);
        }
        int reader = (int)rj_prng_below(&prng, READERS);
        if (is_linked[reader])
            read_some(reader, (int)rj_prng_below(&prng, 20));
        if (reader != 0 && rj_prng_chance(&prng, 0.02)) {
            cr_assert(is_linked[reader] ? drop(reader) : add(reader));
            is_linked[reader] = !is_linked[reader];
        }
        if (rj_prng_chance(&prng, 0.5))
            update();
        int64_t next_term = (bench.pub_lmt + TERM / 8 + 8192) / TERM;
        if (next_term > bench.pub_lmt / TERM)
            stream_log_expect_zero(&bench.log, next_term * TERM, next_term * TERM + TERM);
    }
    cr_assert_eq(bench.publication.bad_position_count, 0);
    cr_assert_not(bench.publication.is_broken);
}

Test(ipc_publication, keeps_the_next_term_zero_whatever_the_pace)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        teardown();
        setup();
        run_until_wrapped(seed);
    }
}

Test(ipc_publication, does_not_clean_by_the_word_of_a_client)
{
    add(0);
    add(1);
    update();
    offer(1000);
    update();
    bench.words[0] = bench.words[1] = 3 * TERM;
    update();
    cr_assert_eq(bench.publication.clean_position, 0);
    cr_assert_eq(bench.publication.bad_position_count, 2);
    cr_assert_eq(bench.pub_lmt, WINDOW);
}

Test(ipc_publication, cleans_behind_its_readers_before_the_limit_moves)
{
    enum { LONG_TERM = 16 * 1024 * 1024, STEP = 512 * 1024 };
    teardown();
    setup_with(LONG_TERM);
    add(0);
    update();
    int64_t position = 0;
    while (position < STEP)
        position = offer(MTU - 32);
    const int64_t pub_lmt = bench.pub_lmt;
    bench.words[0] = STEP - 64;
    update();
    cr_assert_eq(bench.publication.clean_position, 0, "a step is not worth while yet");
    bench.words[0] = position;
    cr_assert_eq(update(), 0, "the limit has an eighth of its window to go");
    cr_assert_eq(bench.pub_lmt, pub_lmt);
    cr_assert_eq(bench.publication.clean_position, position);
    cr_assert_eq(rj_frame_length(rj_log_term(&bench.log, 0), 0), 0);
}

Test(ipc_publication, drains_before_it_ends)
{
    add(0);
    update();
    int64_t end = offer(1000);
    rj_ipc_publication_on_unreferenced(&bench.publication, 0);
    cr_assert_eq(rj_log_end_of_stream(&bench.log), end);
    cr_assert_eq(bench.pub_lmt, end);
    cr_assert_eq(on_time(0, s), RJ_IPC_PUBLICATION_DRAINING);
    cr_assert(add(1), "not drained: it still accepts");
    read_some(0, 1);
    cr_assert_eq(on_time(0, s), RJ_IPC_PUBLICATION_DRAINING);
    read_some(1, 1);
    cr_assert_not(add(2));
    cr_assert_eq(on_time(0, s), RJ_IPC_PUBLICATION_LINGER);
    cr_assert_eq(on_time(1, s), RJ_IPC_PUBLICATION_LINGER);
    cr_assert_eq(on_time(0, s), RJ_IPC_PUBLICATION_DONE);
}

Test(ipc_publication, ends_at_once_when_revoked)
{
    add(0);
    update();
    int64_t end = offer(1000);
    rj_log_set_revoked(&bench.log);
    rj_ipc_publication_on_unreferenced(&bench.publication, 0);
    cr_assert_eq(on_time(0, s), RJ_IPC_PUBLICATION_LINGER);
    cr_assert_not(rj_log_is_connected(&bench.log));
    cr_assert_eq(bench.pub_lmt, end);
    cr_assert_eq(on_time(0, s), RJ_IPC_PUBLICATION_DONE);
}

Test(ipc_publication, frees_the_claim_of_a_dead_publisher)
{
    rj_claim_t claim;
    add(0);
    update();
    cr_assert_gt(rj_append_shared_claim(&bench.log, bench.pub_lmt, 100, &claim), 0);
    int64_t end = offer(64);
    on_time(1, s);
    on_time(1, 14 * s);
    cr_assert_eq(bench.unblocked_count, 0);
    on_time(1, 1);
    cr_assert_eq(bench.unblocked_count, 1);
    read_some(0, 2);
    cr_assert_eq(bench.words[0], end);

    cr_assert_gt(rj_append_shared_claim(&bench.log, bench.pub_lmt, 100, &claim), 0);
    rj_ipc_publication_on_unreferenced(&bench.publication, 0);
    cr_assert_eq(on_time(0, s), RJ_IPC_PUBLICATION_DRAINING);
    cr_assert_eq(bench.unblocked_count, 2, "without delay when nobody can be writing");
    read_some(0, 1);
    cr_assert_eq(on_time(0, s), RJ_IPC_PUBLICATION_LINGER);
}

/* What a process leaves that is killed between moving the tail and writing the frame's length. */
static void die_after_the_tail(int64_t bytes)
{
    int64_t *tails = bench.log.metadata->term_tail_counters;
    int32_t partition = rj_term_count_partition(rj_log_active_term_count(&bench.log));
    rj_store_release_i64(&tails[partition], rj_load_relaxed_i64(&tails[partition]) + bytes);
}

Test(ipc_publication, gives_up_a_claim_of_which_only_the_tail_tells)
{
    add(0);
    update();
    offer(64);
    read_some(0, 1);
    die_after_the_tail(192);
    rj_ipc_publication_on_unreferenced(&bench.publication, bench.now_ns);
    cr_assert_eq(on_time(0, s), RJ_IPC_PUBLICATION_DRAINING);
    on_time(0, 14 * s);
    cr_assert_eq(bench.unblocked_count, 0, "not yet: a thread may be between the two");
    on_time(0, 2 * s);
    cr_assert_eq(bench.unblocked_count, 1);
    read_some(0, 1);
    cr_assert_eq(on_time(0, s), RJ_IPC_PUBLICATION_LINGER);
}

Test(ipc_publication, freezes_when_the_tails_lie)
{
    add(0);
    update();
    bench.log.metadata->active_term_count = 9;
    update();
    cr_assert(bench.publication.is_broken);
    cr_assert_not(rj_log_is_connected(&bench.log));
    rj_ipc_publication_on_unreferenced(&bench.publication, 0);
    cr_assert_eq(on_time(0, s), RJ_IPC_PUBLICATION_LINGER);
}
