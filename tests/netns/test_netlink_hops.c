/* SPDX-License-Identifier: Apache-2.0 */
/* The netlink agent serving wishes: next hops kept known through the kernel, members of groups
 * counted, a thread of its own. */
#include "netlink/agent.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/fixtures/netlink_host.h"

TestSuite(netlink_hops, .init = host_set_up, .fini = host_tear_down, .timeout = 120);

static const rj_net_link_t *link_named(const char *name)
{
    return rj_net_snapshot_link_named(host_latest(), name);
}

static void want(const char *destination)
{
    const rj_address_t to = host_address(destination);
    rj_net_feed_t *feed = rj_netlink_feed(&host_netlink);
    feed->ops->want(feed, &to);
}

static void unwant(const char *destination)
{
    const rj_address_t to = host_address(destination);
    rj_net_feed_t *feed = rj_netlink_feed(&host_netlink);
    feed->ops->unwant(feed, &to);
}

typedef struct neighbour_line {
    const char *name; /* "10.0.0.2 dev v0" */
    const char *word; /* that its line has or lacks */
} neighbour_line_t;

static bool neighbour_has(const void *state)
{
    const neighbour_line_t *wanted = state;
    char *text = host_read_output("ip neigh show");
    bool has_word = false;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        has_word |= strncmp(line, wanted->name, strlen(wanted->name)) == 0 &&
                    strstr(line, wanted->word) != NULL;
    free(text);
    return has_word;
}

static bool neighbour_lacks(const void *state)
{
    return !neighbour_has(state);
}

static void expect_neighbour(const char *name, const char *word)
{
    const neighbour_line_t line = {name, word};
    cr_expect(host_await(neighbour_has, &line), "%s: not %s", name, word);
}

static void expect_neighbour_without(const char *name, const char *word)
{
    const neighbour_line_t line = {name, word};
    cr_expect(host_await(neighbour_lacks, &line), "%s: %s", name, word);
}

Test(netlink_hops, wanted_next_hops_are_managed_by_the_kernel_until_unwanted)
{
    host_open_agent(NULL);
    run("ip route add 192.0.2.0/24 via 10.0.0.2");
    want("192.0.2.77");
    want("192.0.2.78");
    want("fd00:1::2");
    host_expect_way("192.0.2.77", RJ_NET_REACHED, "10.0.0.2");
    host_expect_way("fd00:1::2", RJ_NET_REACHED, "fd00:1::2");
    expect_neighbour("10.0.0.2 dev v0", "managed");
    expect_neighbour("fd00:1::2 dev v1", "managed");
    rj_netlink_status_t status;
    rj_netlink_read_status(&host_netlink, &status);
    cr_expect_eq(status.keep, RJ_NL_KEEP_MANAGED);

    run("ip neigh del 10.0.0.2 dev v0");
    host_expect_way("192.0.2.77", RJ_NET_REACHED, "10.0.0.2");
    run("ip neigh flush all");
    host_expect_way("192.0.2.77", RJ_NET_REACHED, "10.0.0.2");
    run("ip link set v0 down && ip link set v0 up && ip route add 192.0.2.0/24 via 10.0.0.2");
    host_expect_way("192.0.2.77", RJ_NET_REACHED, "10.0.0.2");
    run("ip route replace 192.0.2.0/24 via 10.0.1.2");
    host_expect_way("192.0.2.77", RJ_NET_REACHED, "10.0.1.2");
    expect_neighbour("10.0.1.2 dev v1", "managed");
    expect_neighbour_without("10.0.0.2 dev v0", "managed");
    expect_neighbour("10.0.0.2 dev v0", "lladdr");

    unwant("fd00:1::2");
    unwant("192.0.2.77");
    expect_neighbour_without("fd00:1::2 dev v1", "managed");
    const neighbour_line_t last = {"10.0.1.2 dev v1", "managed"};
    cr_expect(neighbour_has(&last), "still wanted once");
    unwant("192.0.2.78");
    expect_neighbour_without("10.0.1.2 dev v1", "managed");
    want("10.0.1.2");
    expect_neighbour("10.0.1.2 dev v1", "managed");
    host_close_agent();
    cr_expect_not(neighbour_has(&last), "closing takes it back");
}

static bool mac_is(const void *state)
{
    rj_net_way_t way;
    return host_ask("10.0.0.2", &way) == RJ_NET_REACHED &&
           way.destination_mac[5] == *(const uint8_t *)state;
}

Test(netlink_hops, a_peer_with_another_mac_is_found_again)
{
    host_open_agent(NULL);
    run("ip -n %s link set p0 address 02:00:00:00:00:41", host_peer);
    want("10.0.0.2");
    uint8_t last = 0x41;
    cr_expect(host_await(mac_is, &last));
    run("ip -n %s link set p0 address 02:00:00:00:00:42", host_peer);
    run("ip -n %s neigh flush all", host_peer);
    /* Its own question tells us the new one. */
    run("ip netns exec %s python3 -c 'import socket; s = socket.socket(socket.AF_INET, "
        "socket.SOCK_DGRAM); s.sendto(b\"\", (\"10.0.0.1\", 9))'",
        host_peer);
    last = 0x42;
    cr_expect(host_await(mac_is, &last));
}

Test(netlink_hops, a_neighbour_that_is_silent_at_first_is_asked_again)
{
    host_open_agent(NULL);
    run("ip -n %s link set p0 down", host_peer);
    want("10.0.0.2");
    host_expect_way("10.0.0.2", RJ_NET_LINK_DOWN, NULL);
    run("ip -n %s addr flush dev p0 && ip -n %s link set p0 up", host_peer, host_peer);
    expect_neighbour("10.0.0.2 dev v0", "FAILED");
    run("ip -n %s addr add 10.0.0.2/24 dev p0", host_peer);
    host_expect_way("10.0.0.2", RJ_NET_REACHED, NULL);
}

Test(netlink_hops, a_neighbour_that_was_written_down_is_left_alone)
{
    host_open_agent(NULL);
    run("ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:55 dev v0 nud permanent");
    want("10.0.0.2");
    uint8_t last = 0x55;
    cr_expect(host_await(mac_is, &last));
    rj_netlink_status_t status;
    rj_netlink_read_status(&host_netlink, &status);
    cr_expect_eq(status.request_count, 0);
    expect_neighbour("10.0.0.2 dev v0", "PERMANENT");
}

Test(netlink_hops, where_the_kernel_cannot_manage_it_is_told_of_the_use)
{
    const rj_netlink_params_t params = {.keep = RJ_NL_KEEP_USE};
    host_open_agent(&params);
    want("10.0.0.2");
    want("fd00::2");
    host_expect_way("10.0.0.2", RJ_NET_REACHED, NULL);
    host_expect_way("fd00::2", RJ_NET_REACHED, NULL);
    expect_neighbour_without("10.0.0.2 dev v0", "managed");
}

Test(netlink_hops, without_privilege_a_datagram_resolves)
{
    cr_assert_eq(setresuid(65534, 65534, 0), 0);
    host_open_agent(NULL);
    want("10.0.0.2");
    want("fd00::2");
    host_expect_way("10.0.0.2", RJ_NET_REACHED, NULL);
    host_expect_way("fd00::2", RJ_NET_REACHED, NULL);
    rj_netlink_status_t status;
    rj_netlink_read_status(&host_netlink, &status);
    cr_expect_eq(status.keep, RJ_NL_KEEP_DATAGRAM);
    host_close_agent();
    cr_assert_eq(setresuid(0, 0, 0), 0);
}

/* --- memberships, generations, the thread --- */

typedef struct members {
    const char *group;
    const char *link; /* NULL: any */
    int count;
} members_t;

static bool members_are(const void *state)
{
    const members_t *expected = state;
    const rj_address_t group = host_address(expected->group);
    const uint32_t index = expected->link != NULL ? link_named(expected->link)->index : 0;
    return rj_net_snapshot_member_count(host_latest(), &group, index) == expected->count;
}

static void expect_members(const char *group, const char *link, int count)
{
    const members_t expected = {group, link, count};
    cr_expect(host_await(members_are, &expected), "%s on %s: not %d", group,
              link != NULL ? link : "any", count);
}

static int join(const char *group, const char *link)
{
    const rj_address_t to = host_address(group);
    struct group_req request = {.gr_interface = link_named(link)->index};
    rj_address_to_sockaddr(&to, &request.gr_group);
    const int fd = socket(to.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int level = to.family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    cr_assert_eq(setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof(request)), 0, "%s",
                 strerror(errno));
    return fd;
}

Test(netlink_hops, members_of_wanted_groups_are_counted)
{
    host_open_agent(NULL);
    expect_members("239.1.2.3", NULL, -1);
    want("239.1.2.3");
    want("ff05::123");
    expect_members("239.1.2.3", NULL, 0);
    const int first = join("239.1.2.3", "v0");
    const int second = join("239.1.2.3", "v0");
    const int third = join("239.1.2.3", "v1");
    const int sixth = join("ff05::123", "v1");
    expect_members("239.1.2.3", "v0", 2);
    expect_members("239.1.2.3", "v1", 1);
    expect_members("239.1.2.3", NULL, 3);
    expect_members("ff05::123", "v1", 1);
    expect_members("ff05::123", "v0", 0);
    close(first);
    expect_members("239.1.2.3", "v0", 1);
    unwant("239.1.2.3");
    expect_members("239.1.2.3", NULL, -1);
    close(second);
    close(third);
    close(sixth);
}

static bool has_ticked_twice(const void *state)
{
    return host_netlink.tick_due_ns >= *(const int64_t *)state + 2 * INT64_C(1000000000);
}

Test(netlink_hops, the_generation_stands_while_nothing_changes)
{
    host_open_agent(NULL);
    want("10.0.0.2");
    host_expect_way("10.0.0.2", RJ_NET_REACHED, NULL);
    run("ip link set v0 mtu 1400");
    const int64_t ticked_ns = host_netlink.tick_due_ns;
    cr_expect(host_await(has_ticked_twice, &ticked_ns));
    const uint64_t generation = host_latest()->generation;
    const rj_net_snapshot_t *snapshot = host_latest();
    const int64_t again_ns = host_netlink.tick_due_ns;
    cr_expect(host_await(has_ticked_twice, &again_ns));
    cr_expect_eq(host_latest()->generation, generation);
    cr_expect_eq(host_latest(), snapshot);
}

static bool await_other_thread(bool (*is_met)(const void *state), const void *state)
{
    for (int i = 0; i < HOST_PATIENCE_MS / 5; i++) {
        if (is_met(state))
            return true;
        poll(NULL, 0, 5);
    }
    return false;
}

Test(netlink_hops, in_its_own_thread_it_serves_the_one_that_asks)
{
    host_open_agent(NULL);
    rj_err_t err;
    cr_assert_eq(rj_netlink_start(&host_netlink, &err), 0, "%s", err.text);
    const host_expectation_t reached = {"10.0.0.2", RJ_NET_REACHED, NULL};
    const host_expectation_t gone = {"192.0.2.1", RJ_NET_NO_ROUTE, NULL};
    want("10.0.0.2");
    cr_expect(await_other_thread(host_way_is, &reached));
    for (int i = 0; i < 20; i++) {
        const host_expectation_t there = {"192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.3"};
        run("ip route add 192.0.2.0/24 via 10.0.0.3");
        cr_expect(await_other_thread(host_way_is, &there), "round %d", i);
        run("ip route del 192.0.2.0/24");
        cr_expect(await_other_thread(host_way_is, &gone), "round %d", i);
    }
    rj_netlink_stop(&host_netlink);
}
