/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <criterion/criterion.h>

Test(clock, never_runs_backwards)
{
    int64_t before_ns = rj_clock_mono_ns();
    for (int i = 0; i < 1000; i++) {
        int64_t now_ns = rj_clock_mono_ns();
        cr_assert_geq(now_ns, before_ns);
        before_ns = now_ns;
    }
}

Test(clock, tells_the_same_epoch_in_ms_and_ns)
{
    enum { TICK_MS_MAX = 10 };
    int64_t before_ms = rj_clock_epoch_ms();
    int64_t now_ns = rj_clock_epoch_ns();
    int64_t after_ms = rj_clock_epoch_ms();
    cr_assert_leq(before_ms, now_ns / 1000000);
    cr_assert_geq(after_ms, now_ns / 1000000 - TICK_MS_MAX);
    cr_assert_gt(before_ms, INT64_C(1600000000000), "the epoch is not 1970");
}

Test(clock, sleeps_at_least_that_long)
{
    int64_t before_ns = rj_clock_mono_ns();
    rj_clock_sleep_ns(2000000);
    cr_assert_geq(rj_clock_mono_ns() - before_ns, 2000000);
    rj_clock_sleep_ns(0);
    rj_clock_sleep_ns(-1);
}
