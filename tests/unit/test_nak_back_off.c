/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/nak_back_off.h"

#include <criterion/criterion.h>

static const int64_t ms = 1000 * 1000;

static rj_nak_back_off_t back_off_of(int64_t max_ns, int64_t group_size, uint64_t seed)
{
    rj_nak_back_off_t back_off;
    const rj_nak_back_off_config_t config = {
        .max_ns = max_ns, .group_size = group_size, .seed = seed};
    rj_nak_back_off_init(&back_off, &config);
    return back_off;
}

/* wire.md 13: the values for Aeron's defaults. */
Test(nak_back_off, follows_the_formula)
{
    const rj_nak_back_off_t back_off = back_off_of(10 * ms, 10, 1);
    cr_assert_eq(rj_nak_back_off_at(&back_off, 0.0), 0);
    cr_assert_eq(rj_nak_back_off_at(&back_off, 0.25), 6119383);
    cr_assert_eq(rj_nak_back_off_at(&back_off, 0.5), 8010589);
    cr_assert_eq(rj_nak_back_off_at(&back_off, 0.75), 9165823);
    cr_assert_leq(rj_nak_back_off_at(&back_off, 1.0 - 1e-16), 10 * ms);
}

Test(nak_back_off, draws_early_times_rarely_and_more_so_in_a_large_group)
{
    rj_nak_back_off_t small = back_off_of(10 * ms, 10, 7);
    rj_nak_back_off_t large = back_off_of(10 * ms, 1000, 7);
    int small_early = 0;
    int large_early = 0;
    for (int i = 0; i < 10000; i++) {
        const int64_t delay_ns = rj_nak_back_off_draw(&small);
        cr_assert(delay_ns >= 0 && delay_ns <= 10 * ms);
        small_early += delay_ns < 5 * ms;
        large_early += rj_nak_back_off_draw(&large) < 5 * ms;
    }
    /* (e^(L/2) - 1) / (e^L - 1): 16 % of them, and 1.9 %. */
    cr_assert(small_early > 1400 && small_early < 1800, "%d", small_early);
    cr_assert(large_early > 100 && large_early < 300, "%d", large_early);
}

Test(nak_back_off, differs_between_receivers_and_repeats_what_a_seed_gave)
{
    rj_nak_back_off_t one = back_off_of(10 * ms, 10, 1);
    rj_nak_back_off_t same = back_off_of(10 * ms, 10, 1);
    rj_nak_back_off_t other = back_off_of(10 * ms, 10, 2);
    int different = 0;
    for (int i = 0; i < 100; i++) {
        const int64_t delay_ns = rj_nak_back_off_draw(&one);
        cr_assert_eq(delay_ns, rj_nak_back_off_draw(&same));
        different += delay_ns != rj_nak_back_off_draw(&other);
    }
    cr_assert_gt(different, 90);
}

Test(nak_back_off, survives_the_largest_settings_and_waits_for_nobody_when_off)
{
    rj_nak_back_off_t widest = back_off_of(INT64_MAX / 4, INT32_MAX, 3);
    rj_nak_back_off_t one = back_off_of(1000, 1, 3);
    rj_nak_back_off_t off = back_off_of(0, 0, 3);
    for (int i = 0; i < 1000; i++) {
        const int64_t delay_ns = rj_nak_back_off_draw(&widest);
        cr_assert(delay_ns >= 0 && delay_ns <= INT64_MAX / 2);
        cr_assert_leq(rj_nak_back_off_draw(&one), 1000);
        cr_assert_eq(rj_nak_back_off_draw(&off), 0);
    }
}
