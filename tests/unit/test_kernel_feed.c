/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/kernel_feed.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <string.h>

static rj_nl_kernel_feed_t feed;
static rj_address_t wanted[RJ_NL_WANTS_MAX];

static void open_feed(void)
{
    cr_assert_eq(rj_nl_kernel_feed_open(&feed, NULL), 0);
}

static void close_feed(void)
{
    rj_nl_kernel_feed_close(&feed);
}

TestSuite(kernel_feed, .init = open_feed, .fini = close_feed);

static rj_address_t host(uint32_t number)
{
    const uint8_t bytes[4] = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    return rj_address_ipv4(bytes, 4000);
}

static void want(uint32_t number)
{
    const rj_address_t destination = host(number);
    feed.feed.ops->want(&feed.feed, &destination);
}

static void unwant(uint32_t number)
{
    const rj_address_t destination = host(number);
    feed.feed.ops->unwant(&feed.feed, &destination);
}

static int wishes(void)
{
    return rj_nl_kernel_feed_wanted(&feed, wanted);
}

static rj_net_snapshot_t *snapshot(uint64_t generation)
{
    const rj_net_snapshot_t parts = {.generation = generation};
    rj_net_snapshot_t *made = NULL;
    cr_assert_eq(rj_net_snapshot_build(&parts, &made, NULL), 0);
    return made;
}

static bool is_awake(void)
{
    struct pollfd poll_fd = {.fd = feed.wake_fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

Test(kernel_feed, the_newest_snapshot_is_given_and_those_before_are_freed)
{
    feed.current = snapshot(1);
    cr_expect_eq(feed.feed.ops->latest(&feed.feed)->generation, 1);
    rj_nl_kernel_feed_publish(&feed, snapshot(2));
    rj_nl_kernel_feed_publish(&feed, snapshot(3));
    cr_expect_eq(feed.feed.ops->latest(&feed.feed)->generation, 3);
    cr_expect_eq(rj_ring_spsc_used_count(&feed.retired), 1);
    rj_nl_kernel_feed_collect(&feed);
    cr_expect_eq(rj_ring_spsc_used_count(&feed.retired), 0);
    cr_expect_eq(feed.feed.ops->latest(&feed.feed)->generation, 3);
}

Test(kernel_feed, an_agent_that_never_collects_leaves_no_snapshot_behind)
{
    feed.current = snapshot(1);
    for (uint64_t i = 2; i < 4 * RJ_NL_RETIRED_MAX; i++) {
        rj_nl_kernel_feed_publish(&feed, snapshot(i));
        cr_assert_eq(feed.feed.ops->latest(&feed.feed)->generation, i);
    }
}

Test(kernel_feed, wishes_are_counted_per_host)
{
    cr_expect_eq(wishes(), -1);
    want(1);
    want(1);
    want(2);
    cr_expect(is_awake());
    cr_expect_eq(wishes(), 2);
    cr_expect_not(is_awake());
    cr_expect_eq(wanted[0].port, 0);
    unwant(1);
    cr_expect_eq(wishes(), -1, "once is left");
    unwant(1);
    cr_expect_eq(wishes(), 1);
    unwant(1);
    unwant(7);
    cr_expect_eq(wishes(), -1, "nobody wanted that");
    const rj_address_t last = host(2);
    cr_expect(rj_address_same_host(&wanted[0], &last));
}

Test(kernel_feed, a_wish_may_come_back_before_the_agent_saw_it_go)
{
    want(1);
    cr_expect_eq(wishes(), 1);
    unwant(1);
    want(1);
    cr_expect_eq(wishes(), 1);
    unwant(1);
    want(2);
    cr_expect_eq(wishes(), 1);
    const rj_address_t second = host(2);
    cr_expect(rj_address_same_host(&wanted[0], &second));
    cr_expect_eq(feed.want_end, 2);
    want(3);
    cr_expect_eq(feed.want_end, 2, "the place that became free is taken");
}

Test(kernel_feed, a_full_table_refuses_and_counts)
{
    for (uint32_t i = 0; i < RJ_NL_WANTS_MAX + 3; i++)
        want(i);
    cr_expect_eq(feed.refused_count, 3);
    cr_expect_eq(wishes(), RJ_NL_WANTS_MAX);
    unwant(RJ_NL_WANTS_MAX + 1);
    cr_expect_eq(wishes(), -1);
    unwant(5);
    cr_expect_eq(wishes(), RJ_NL_WANTS_MAX - 1);
    want(RJ_NL_WANTS_MAX + 1);
    cr_expect_eq(wishes(), RJ_NL_WANTS_MAX);
    cr_expect_eq(feed.refused_count, 3);
}
