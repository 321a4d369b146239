/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/tether.h"

#include <criterion/criterion.h>

enum { WINDOW = 32768, HEAD = 65536, LIMIT = HEAD - WINDOW + WINDOW / 4 };

static const rj_untethered_timeouts_t timeouts = {
    .window_limit_ns = 5, .linger_ns = 7, .resting_ns = 10};

static rj_tether_t tether = {.is_rejoin = true};

TestSuite(tether);

Test(tether, takes_a_reader_for_slow_in_the_last_quarter_of_the_window)
{
    cr_assert_eq(rj_tether_limit(HEAD, WINDOW), LIMIT);
}

Test(tether, never_lets_go_of_a_tethered_reader)
{
    tether.is_tethered = true;
    cr_assert_not(rj_tether_on_time(&tether, 0, LIMIT, &timeouts, 100));
    cr_assert_eq(tether.state, RJ_TETHER_ACTIVE);
}

Test(tether, counts_from_when_a_reader_was_last_fast_enough)
{
    cr_assert_not(rj_tether_on_time(&tether, LIMIT + 32, LIMIT, &timeouts, 100));
    cr_assert_not(rj_tether_on_time(&tether, LIMIT, LIMIT, &timeouts, 105));
    cr_assert(rj_tether_on_time(&tether, LIMIT, LIMIT, &timeouts, 106));
    cr_assert_eq(tether.state, RJ_TETHER_LINGER);
}

Test(tether, lingers_rests_and_comes_back)
{
    cr_assert(rj_tether_on_time(&tether, 0, LIMIT, &timeouts, 100));
    cr_assert_not(rj_tether_on_time(&tether, HEAD, LIMIT, &timeouts, 107), "however fast by now");
    cr_assert(rj_tether_on_time(&tether, HEAD, LIMIT, &timeouts, 108));
    cr_assert_eq(tether.state, RJ_TETHER_RESTING);
    cr_assert_not(rj_tether_on_time(&tether, HEAD, LIMIT, &timeouts, 118));
    cr_assert(rj_tether_on_time(&tether, HEAD, LIMIT, &timeouts, 119));
    cr_assert_eq(tether.state, RJ_TETHER_ACTIVE);
    cr_assert_not(rj_tether_on_time(&tether, 0, LIMIT, &timeouts, 124), "a new count");
}

Test(tether, closes_what_does_not_rejoin)
{
    tether.is_rejoin = false;
    cr_assert(rj_tether_on_time(&tether, 0, LIMIT, &timeouts, 100));
    cr_assert(rj_tether_on_time(&tether, 0, LIMIT, &timeouts, 108));
    cr_assert_eq(tether.state, RJ_TETHER_CLOSED);
    cr_assert_not(rj_tether_on_time(&tether, 0, LIMIT, &timeouts, 1000));
}

Test(tether, waits_for_ever_where_a_timeout_is_that_long)
{
    static const rj_untethered_timeouts_t never = {
        .window_limit_ns = INT64_MAX, .linger_ns = INT64_MAX, .resting_ns = INT64_MAX};
    cr_assert_not(rj_tether_on_time(&tether, 0, LIMIT, &never, INT64_MAX));
}
