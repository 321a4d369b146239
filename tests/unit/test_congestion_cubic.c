/* SPDX-License-Identifier: Apache-2.0 */
/* CUBIC as wire.md 17 tells it; the numbers were worked out by hand from its formula. */
#include <criterion/criterion.h>

#include "stream/congestion.h"

enum { MTU = 1000, WINDOW = 100 * MTU, TERM = 1 << 20 };

static const int64_t us = 1000;
static const int64_t ms = 1000 * 1000;
static const int64_t s = 1000 * 1000 * 1000;

static rj_congestion_t congestion;
static int64_t rtt_word;
static int64_t window_word;
static bool is_forced;

static rj_congestion_config_t config_of(bool measures_rtt, bool is_tcp_friendly)
{
    rtt_word = window_word = 0;
    return (rj_congestion_config_t){.ops = &rj_congestion_cubic,
                                    .mtu = MTU,
                                    .initial_rtt_ns = 100 * us,
                                    .measures_rtt = measures_rtt,
                                    .is_tcp_friendly = is_tcp_friendly,
                                    .rtt_counter = &rtt_word,
                                    .window_counter = &window_word};
}

static void open_cubic(bool measures_rtt, bool is_tcp_friendly)
{
    const rj_congestion_config_t config = config_of(measures_rtt, is_tcp_friendly);
    rj_congestion_init(&congestion, &config, WINDOW, TERM, 0);
}

static int32_t rebuild(bool has_loss, int64_t read_pos, int64_t now_ns)
{
    const rj_congestion_sample_t sample = {.min_position = read_pos, .loss_is_found = has_loss};
    return congestion.ops->on_rebuild(&congestion, &sample, &is_forced, now_ns);
}

Test(congestion_cubic, begins_with_ten_segments_or_what_there_is)
{
    open_cubic(false, false);
    cr_assert_eq(congestion.window_bytes, 10 * MTU);
    cr_assert_eq(window_word, 10 * MTU);
    cr_assert_eq(rtt_word, 0);
    const rj_congestion_config_t config = config_of(false, false);
    rj_congestion_init(&congestion, &config, 3500, TERM, 0);
    cr_assert_eq(congestion.window_bytes, 3 * MTU);
    rj_congestion_init(&congestion, &config, 500, TERM, 0);
    cr_assert_eq(congestion.window_bytes, 500, "less than a segment is granted as it is");
    rj_congestion_init(&congestion, &config, WINDOW, 16 * MTU, 0);
    cr_assert_eq(congestion.window_bytes_max, 8 * MTU);
    cr_assert_eq(congestion.window_bytes, 8 * MTU);
}

Test(congestion_cubic, grows_by_the_curve_once_in_an_initial_round_trip)
{
    open_cubic(false, false);
    cr_assert_eq(rebuild(false, 0, 100 * us), 10 * MTU);
    /* w_max 100, K = cbrt(50) = 3.684 s; 100 + trunc(0.4 * (0 - 3.684)^3) = 100 - 19. */
    cr_assert_eq(rebuild(false, 0, 101 * us), 81 * MTU);
    cr_assert_eq(window_word, 81 * MTU);
    cr_assert_not(is_forced);
    /* 0.4 * (2 - 3.684)^3 = -1.91 */
    cr_assert_eq(rebuild(false, 0, 2 * s), 99 * MTU);
    cr_assert_eq(rebuild(false, 0, 4 * s), WINDOW);
    cr_assert_eq(rebuild(false, 0, 9 * s), WINDOW, "never above the configured window");
}

Test(congestion_cubic, gives_way_by_a_fifth_and_tells_at_once)
{
    open_cubic(false, false);
    rebuild(false, 0, 4 * s);
    cr_assert_eq(rebuild(true, 0, 5 * s), 80 * MTU);
    cr_assert(is_forced);
    cr_assert_eq(rebuild(true, 0, 5 * s + 1), 64 * MTU);
    /* w_max 80, K = cbrt(40) = 3.420 s; a second later 80 + trunc(0.4 * (-2.42)^3 = -5.66) */
    cr_assert_eq(rebuild(false, 0, 6 * s + 1), 75 * MTU);
    cr_assert_not(is_forced);
}

Test(congestion_cubic, never_goes_below_a_segment_and_then_tells_of_every_progress)
{
    open_cubic(false, false);
    for (int i = 0; i < 40; i++)
        rebuild(true, 0, i);
    cr_assert_eq(congestion.window_bytes, MTU);
    cr_assert_eq(rebuild(false, 0, 50), MTU);
    cr_assert_not(is_forced);
    cr_assert_eq(rebuild(false, 32, 50), MTU);
    cr_assert(is_forced);
    /* w_max 1: the curve itself would say 1 + trunc(0.4 * (-0.794)^3) = 1. */
    cr_assert_eq(rebuild(false, 0, ms), MTU);
}

Test(congestion_cubic, may_grow_as_tcp_would_where_that_is_more)
{
    open_cubic(false, true);
    rebuild(false, 0, 4 * s);
    rebuild(true, 0, 5 * s);
    /* max(100 + trunc(0.4 * (0.01 - 3.684)^3), trunc(80 + 0.333 * 0.01 s / 100 us)) */
    cr_assert_eq(rebuild(false, 0, 5 * s + 10 * ms), WINDOW);
    open_cubic(false, true);
    rebuild(false, 0, 4 * s);
    rebuild(true, 0, 5 * s);
    /* 80 + trunc(0.333 * 15) = 85, against 81 of the curve */
    cr_assert_eq(rebuild(false, 0, 5 * s + 1500 * us), 85 * MTU);
}

Test(congestion_cubic, measures_the_round_trip_only_where_it_is_told_to)
{
    open_cubic(false, false);
    cr_assert_not(congestion.ops->wants_rtt(&congestion, s));
    congestion.ops->on_rtt(&congestion, ms, s);
    cr_assert_eq(rtt_word, 0);

    open_cubic(true, false);
    cr_assert(congestion.ops->wants_rtt(&congestion, 0), "at once");
    congestion.ops->on_rtt_request(&congestion, 0);
    cr_assert_not(congestion.ops->wants_rtt(&congestion, 400 * us));
    cr_assert(congestion.ops->wants_rtt(&congestion, 400 * us + 1));
    congestion.ops->on_rtt(&congestion, 2 * ms, 3 * ms);
    cr_assert_eq(rtt_word, 2 * ms);
    cr_assert_not(congestion.ops->wants_rtt(&congestion, 11 * ms));
    cr_assert(congestion.ops->wants_rtt(&congestion, 11 * ms + 1));
    congestion.ops->on_rtt(&congestion, 10 * us, 20 * ms);
    cr_assert_eq(rtt_word, 10 * us);
    cr_assert_not(congestion.ops->wants_rtt(&congestion, 20 * ms + 400 * us));
}

Test(congestion_cubic, believes_no_round_trip_that_cannot_be)
{
    open_cubic(true, true);
    congestion.ops->on_rtt(&congestion, 0, 0);
    congestion.ops->on_rtt(&congestion, -ms, 0);
    congestion.ops->on_rtt(&congestion, INT64_MAX, 0);
    cr_assert_eq(rtt_word, 0);
    rebuild(true, 0, 0);
    /* 8 + trunc(0.333 * 2 ms / 100 us) */
    cr_assert_eq(rebuild(false, 0, 2 * ms), 14 * MTU, "the first round trip stands");
}
