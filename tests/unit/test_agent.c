/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/agent.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/atomic.h"

static rj_idle_t idle_of(const char *name, const char *args)
{
    rj_idle_config_t config;
    memset(&config, 0, sizeof(config));
    strncpy(config.name, name, sizeof(config.name) - 1);
    strncpy(config.args, args, sizeof(config.args) - 1);
    rj_idle_t idle;
    rj_err_t err;
    cr_assert_eq(rj_idle_init(&idle, &config, &err), 0, "%s", err.text);
    return idle;
}

Test(agent, backs_off_from_spins_to_ever_longer_parks_and_starts_again_with_work)
{
    rj_idle_t idle = idle_of("backoff", "");
    bool yields;
    for (int i = 0; i < RJ_BACKOFF_SPINS; i++)
        cr_assert_eq(rj_idle_next(&idle, 0, &yields), 0);
    int64_t expected = RJ_BACKOFF_PARK_MIN_NS;
    for (int i = 0; i < 12; i++) {
        cr_assert_eq(rj_idle_next(&idle, 0, &yields), expected);
        cr_assert_not(yields);
        expected = expected * 2 > RJ_BACKOFF_PARK_MAX_NS ? RJ_BACKOFF_PARK_MAX_NS : expected * 2;
    }
    cr_assert_eq(rj_idle_next(&idle, 1, &yields), 0);
    cr_assert_eq(rj_idle_next(&idle, 0, &yields), 0);
}

Test(agent, follows_explicit_arguments_yields_included)
{
    rj_idle_t idle = idle_of("aeron_idle_strategy_backoff", "1-2-5us-1ms");
    bool yields;
    cr_expect_eq(rj_idle_next(&idle, 0, &yields), 0);
    cr_expect_not(yields);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(rj_idle_next(&idle, 0, &yields), 0);
        cr_expect(yields);
    }
    cr_expect_eq(rj_idle_next(&idle, 0, &yields), 5000);
    cr_expect_eq(rj_idle_next(&idle, 0, &yields), 10000);
}

Test(agent, sleeps_as_long_as_it_is_told)
{
    bool yields;
    rj_idle_t idle = idle_of("sleep-ns", "1ms");
    cr_expect_eq(rj_idle_next(&idle, 0, &yields), 1000000);
    idle = idle_of("sleeping", "");
    cr_expect_eq(rj_idle_next(&idle, 0, &yields), 1);
}

Test(agent, refuses_names_and_arguments_it_does_not_know)
{
    static const char *const rows[][2] = {
        {"my_strategy", ""},        {"backoff", "1-2-3us"},     {"backoff", "1-2-3us-4us-5us"},
        {"backoff", "1-2-9us-4us"}, {"backoff", "x-2-3us-4us"}, {"sleep-ns", "soon"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rj_idle_config_t config;
        memset(&config, 0, sizeof(config));
        strncpy(config.name, rows[i][0], sizeof(config.name) - 1);
        strncpy(config.args, rows[i][1], sizeof(config.args) - 1);
        rj_idle_t idle;
        rj_err_t err;
        cr_expect_eq(rj_idle_init(&idle, &config, &err), -EINVAL, "%s %s", rows[i][0], rows[i][1]);
    }
}

static int count_turns(void *state, int64_t now_ns)
{
    cr_assert_gt(now_ns, 0);
    rj_store_release_i32(state, rj_load_acquire_i32(state) + 1);
    return 0;
}

static pthread_t ended_in;
static int32_t turns_at_end;

static void note_end(void *state)
{
    ended_in = pthread_self();
    turns_at_end = rj_load_acquire_i32(state);
}

Test(agent, runs_its_agents_in_a_thread_until_it_is_stopped)
{
    int32_t turns = 0;
    rj_runner_t runner = {.name = "a-rather-long-thread-name",
                          .agents = {{count_turns, &turns, note_end}},
                          .agent_count = 1,
                          .idle = idle_of("sleep-ns", "10us"),
                          .cpu = -1};
    rj_err_t err;
    cr_assert_eq(rj_runner_start(&runner, &err), 0);
    while (rj_load_acquire_i32(&turns) < 3)
        continue;
    const pthread_t thread = runner.thread;
    rj_runner_stop(&runner);
    int32_t after = rj_load_acquire_i32(&turns);
    rj_runner_stop(&runner);
    rj_runner_close(&runner);
    cr_expect_eq(rj_load_acquire_i32(&turns), after);
    cr_expect_eq(turns_at_end, after, "told after the last turn, once");
    cr_expect(pthread_equal(ended_in, thread), "by the thread itself");
}
