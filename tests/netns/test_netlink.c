/* SPDX-License-Identifier: Apache-2.0 */
/* The netlink agent in a namespace of its own, with `ip` as the one who changes links, addresses
 * and routes. */
#include "netlink/agent.h"

#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/fixtures/netlink_host.h"

TestSuite(netlink, .init = host_set_up, .fini = host_tear_down, .timeout = 120);

/* --- links and addresses --- */

static const rj_net_link_t *link_named(const char *name)
{
    return rj_net_snapshot_link_named(host_latest(), name);
}

static bool link_is_there(const void *name)
{
    return link_named(name) != NULL;
}

static bool link_is_gone(const void *name)
{
    return link_named(name) == NULL;
}

Test(netlink, the_first_snapshot_is_complete)
{
    host_open_agent(NULL);
    const rj_net_link_t *link = link_named("v0");
    cr_assert_not_null(link);
    cr_expect_str_eq(link->kind, "veth");
    cr_expect_eq(link->mtu_bytes, 1500);
    cr_expect(link->is_ethernet && link->is_up && !link->is_loopback);
    cr_expect_eq(link->rx_queue_count, 1, "allocated are as many as there are CPUs");
    cr_expect(link_named("lo")->is_loopback);
    const rj_address_t own = host_address("10.0.1.1");
    cr_expect(rj_net_snapshot_is_ours(host_latest(), &own));
    rj_net_way_t way;
    cr_expect_eq(host_ask("fd00:1::1", &way), RJ_NET_LOCAL);
    cr_expect_eq(host_ask("10.0.0.2", &way), RJ_NET_NO_NEIGHBOUR);
    cr_expect_eq(way.link_index, link->index);
    cr_expect_eq(memcmp(way.source_mac, link->mac, 6), 0);
    cr_expect_not(host_latest()->has_rules);
    host_expect_routes_of_ip("after a dump");
}

static bool is_changed_link(const void *state)
{
    const rj_net_link_t *link = link_named("v0");
    (void)state;
    return link != NULL && link->mtu_bytes == 1400 && link->mac[5] == 0x77;
}

static bool is_down(const void *name)
{
    return link_named(name) != NULL && !link_named(name)->is_up;
}

Test(netlink, links_are_followed)
{
    host_open_agent(NULL);
    run("ip link add x0 numrxqueues 3 numtxqueues 3 type veth peer name x1");
    cr_assert(host_await(link_is_there, "x0"));
    cr_expect_eq(link_named("x0")->rx_queue_count, 3);
    cr_expect_not(link_named("x0")->is_up);
    run("ip link set v0 mtu 1400 && ip link set v0 address 02:00:00:00:00:77");
    cr_expect(host_await(is_changed_link, NULL));
    const uint32_t index = link_named("v0")->index;
    run("ip link set v0 name w0");
    cr_expect(host_await(link_is_there, "w0"));
    cr_expect_eq(link_named("w0")->index, index);
    cr_expect_null(link_named("v0"));
    run("ip link del x0");
    cr_expect(host_await(link_is_gone, "x0"));
    run("ip -n %s link set p1 down", host_peer);
    cr_expect(host_await(is_down, "v1"), "without a carrier");
    run("ip link set w0 netns %s", host_peer);
    cr_expect(host_await(link_is_gone, "w0"));
    rj_net_way_t way;
    cr_expect_eq(host_ask("10.0.0.1", &way), RJ_NET_NO_ROUTE, "its address went with it");
    host_expect_routes_of_ip("without the link");
}

static bool is_own(const void *state)
{
    const rj_address_t own = host_address(state);
    return rj_net_snapshot_is_ours(host_latest(), &own);
}

static bool is_not_own(const void *state)
{
    return !is_own(state);
}

Test(netlink, addresses_come_and_go_with_the_routes_that_prefer_them)
{
    host_open_agent(NULL);
    run("ip addr add 10.0.9.1/24 dev v0");
    cr_expect(host_await(is_own, "10.0.9.1"));
    run("ip route add 192.0.2.0/24 via 10.0.0.2 src 10.0.9.1");
    host_expect_routes_of_ip("with a preferred source");
    rj_net_way_t way;
    host_ask("192.0.2.1", &way);
    const rj_address_t source = host_address("10.0.9.1");
    cr_expect(rj_address_equal(&way.source, &source));
    run("ip addr del 10.0.9.1/24 dev v0");
    cr_expect(host_await(is_not_own, "10.0.9.1"));
    host_expect_routes_of_ip("without the address");
    run("ip addr add fd00:9::1/64 dev v0 nodad");
    cr_expect(host_await(is_own, "fd00:9::1"));
    host_expect_routes_of_ip("with an address of IPv6");
}

static bool has_program(const void *state)
{
    return link_named("v0")->xdp_program_id == *(const uint32_t *)state;
}

Test(netlink, a_program_is_seen_though_no_message_tells_of_it)
{
    host_open_agent(NULL);
    /* return XDP_PASS */
    const struct bpf_insn instructions[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS},
        {.code = BPF_JMP | BPF_EXIT}};
    const int program = bpf_prog_load(BPF_PROG_TYPE_XDP, "rj_pass", "GPL", instructions, 2, NULL);
    cr_assert_geq(program, 0, "%s", strerror(errno));
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_SKB_MODE);
    const int attached = bpf_link_create(program, (int)link_named("v0")->index, BPF_XDP, &options);
    cr_assert_geq(attached, 0, "%s", strerror(errno));
    struct bpf_prog_info info = {0};
    uint32_t length = sizeof(info);
    cr_assert_eq(bpf_obj_get_info_by_fd(program, &info, &length), 0);
    cr_expect(host_await(has_program, &info.id));
    close(attached);
    const uint32_t none = 0;
    cr_expect(host_await(has_program, &none));
    close(program);
}

/* --- routes --- */

Test(netlink, routes_are_added_replaced_appended_and_deleted)
{
    host_open_agent(NULL);
    run("ip route add 192.0.2.0/24 via 10.0.0.2");
    host_expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
    run("ip route append 192.0.2.0/24 via 10.0.0.3");
    run("ip route prepend 192.0.2.0/24 via 10.0.0.4");
    host_expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.4");
    host_expect_routes_of_ip("in one place");
    run("ip route replace 192.0.2.0/24 via 10.0.1.5");
    host_expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.1.5");
    host_expect_routes_of_ip("with the first one replaced");
    run("ip route del 192.0.2.0/24 via 10.0.1.5");
    host_expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
    run("ip route del 192.0.2.0/24 via 10.0.0.2 && ip route del 192.0.2.0/24");
    host_expect_way("192.0.2.1", RJ_NET_NO_ROUTE, NULL);
    host_expect_routes_of_ip("without them");
}

Test(netlink, the_lowest_metric_counts_and_the_next_is_promoted)
{
    host_open_agent(NULL);
    run("ip route add 192.0.2.0/24 via 10.0.0.2 metric 20");
    run("ip route add 192.0.2.0/24 via 10.0.1.2 metric 10");
    host_expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.1.2");
    run("ip route del 192.0.2.0/24 metric 10");
    host_expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
    run("ip -6 route add fd02::/64 via fd00:0::2 metric 20");
    run("ip -6 route add fd02::/64 via fd00:1::2 metric 10");
    host_expect_way("fd02::1", RJ_NET_NO_NEIGHBOUR, "fd00:1::2");
    run("ip -6 route del fd02::/64 metric 10");
    host_expect_way("fd02::1", RJ_NET_NO_NEIGHBOUR, "fd00::2");
}

Test(netlink, longer_prefixes_stand_beside_shorter_ones)
{
    host_open_agent(NULL);
    run("ip route add 192.0.2.0/24 via 10.0.0.2 && ip route add 192.0.2.0/25 via 10.0.1.2");
    run("ip route add 192.0.2.200/32 via 10.0.1.2 && ip route add blackhole 192.0.3.0/24");
    host_expect_way("192.0.2.200", RJ_NET_NO_NEIGHBOUR, "10.0.1.2");
    host_expect_way("192.0.2.201", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
    host_expect_way("192.0.3.1", RJ_NET_NOT_SIMPLE, NULL);
    run("ip route del 192.0.2.0/24");
    host_expect_way("192.0.2.201", RJ_NET_NO_ROUTE, NULL);
    host_expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.1.2");
    run("ip route add 192.0.4.0/24 via inet6 fd00:1::2 dev v1");
    host_expect_way("192.0.4.1", RJ_NET_NO_NEIGHBOUR, "fd00:1::2");
    run("ip route add 192.0.5.0/24 via 10.0.0.2 mtu 1300");
    host_expect_way("192.0.5.1", RJ_NET_NO_NEIGHBOUR, NULL);
    rj_net_way_t way;
    host_ask("192.0.5.1", &way);
    cr_expect_eq(way.mtu_bytes, 1300);
}

Test(netlink, members_of_a_route_with_several_hops_come_and_go)
{
    host_open_agent(NULL);
    run("ip route add 192.0.2.0/24 nexthop via 10.0.0.2 nexthop via 10.0.1.2");
    host_expect_way("192.0.2.1", RJ_NET_NOT_SIMPLE, NULL);
    run("ip route replace 192.0.2.0/24 nexthop via 10.0.0.2");
    host_expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
    run("ip -6 route add fd02::/64 via fd00:0::2 && ip -6 route append fd02::/64 via fd00:1::2");
    host_expect_way("fd02::1", RJ_NET_NOT_SIMPLE, NULL);
    host_expect_routes_of_ip("with two hops");
    run("ip -6 route del fd02::/64 via fd00:0::2");
    host_expect_way("fd02::1", RJ_NET_NO_NEIGHBOUR, "fd00:1::2");
    run("ip -6 route replace fd02::/64 via fd00:0::3");
    host_expect_way("fd02::1", RJ_NET_NO_NEIGHBOUR, "fd00:0::3");
    host_expect_routes_of_ip("replaced");
    run("ip -6 route add fd03::/64 nexthop via fd00:0::2 nexthop via fd00:1::2");
    run("ip -6 route del fd03::/64");
    host_expect_routes_of_ip("deleted as a whole");
}

static void change_objects(int compat_mode)
{
    host_open_agent(NULL);
    run("echo %d > /proc/sys/net/ipv4/nexthop_compat_mode", compat_mode);
    run("ip nexthop add id 1 via 10.0.0.2 dev v0 && ip nexthop add id 2 via 10.0.1.2 dev v1");
    run("ip nexthop add id 9 group 1/2");
    run("ip route add 192.0.2.0/24 nhid 1 && ip route add 192.0.3.0/24 nhid 9");
    run("ip nexthop add id 6 via fd00:1::2 dev v1 && ip -6 route add fd02::/64 nhid 6");
    host_expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
    host_expect_way("192.0.3.1", RJ_NET_NOT_SIMPLE, NULL);
    host_expect_way("fd02::1", RJ_NET_NO_NEIGHBOUR, "fd00:1::2");
    run("ip nexthop replace id 1 via 10.0.0.7 dev v0");
    host_expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.7");
    run("ip nexthop del id 1");
    host_expect_way("192.0.2.1", RJ_NET_NO_ROUTE, NULL);
    host_expect_way("192.0.3.1", RJ_NET_NO_NEIGHBOUR, "10.0.1.2");
    run("ip nexthop add id 4 blackhole && ip route add 192.0.4.0/24 nhid 4");
    host_expect_way("192.0.4.1", RJ_NET_NOT_SIMPLE, NULL);
    run("ip link set v1 down");
    host_expect_way("192.0.3.1", RJ_NET_NO_ROUTE, NULL);
    host_expect_way("fd02::1", RJ_NET_NO_ROUTE, NULL);
}

Test(netlink, objects_change_their_routes_when_the_kernel_tells_each)
{
    change_objects(1);
}

Test(netlink, objects_change_their_routes_when_the_kernel_tells_only_the_object)
{
    change_objects(0);
}

Test(netlink, a_link_that_goes_down_takes_its_routes_along)
{
    host_open_agent(NULL);
    run("ip route add 192.0.2.0/24 via 10.0.0.2");
    run("ip route add 192.0.3.0/24 nexthop via 10.0.0.2 nexthop via 10.0.1.2");
    run("ip route add 192.0.4.0/24 via 10.0.1.2 metric 10");
    run("ip route add 192.0.4.0/24 via 10.0.0.2 metric 5");
    host_expect_way("192.0.4.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
    run("ip link set v0 down");
    host_expect_way("192.0.2.1", RJ_NET_NO_ROUTE, NULL);
    host_expect_way("192.0.3.1", RJ_NET_NO_NEIGHBOUR, "10.0.1.2");
    host_expect_way("192.0.4.1", RJ_NET_NO_NEIGHBOUR, "10.0.1.2");
    host_expect_routes_of_ip("with the link down");
    run("ip link set v0 up");
    host_expect_way("192.0.3.1", RJ_NET_NOT_SIMPLE, NULL);
    host_expect_way("10.0.0.2", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
    host_expect_routes_of_ip("with the link up again");
}

Test(netlink, without_a_carrier_the_kernels_setting_decides)
{
    host_open_agent(NULL);
    run("ip route add 192.0.2.0/24 via 10.0.0.2 metric 5");
    run("ip route add 192.0.2.0/24 via 10.0.1.2 metric 10");
    run("ip -n %s link set p0 down", host_peer);
    host_expect_way("192.0.2.1", RJ_NET_LINK_DOWN, "10.0.0.2");
    run("echo 1 > /proc/sys/net/ipv4/conf/v0/ignore_routes_with_linkdown");
    host_expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.1.2");
    run("ip -n %s link set p0 up", host_peer);
    host_expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
}

static bool has_rules(const void *state)
{
    return host_latest()->has_rules == *(const bool *)state;
}

Test(netlink, rules_beside_the_default_ones_are_noticed)
{
    host_open_agent(NULL);
    bool expected = true;
    run("ip rule add from 10.0.0.0/8 lookup 100 && ip route add 192.0.2.0/24 via 10.0.0.2 table "
        "100");
    cr_expect(host_await(has_rules, &expected));
    host_expect_way("192.0.2.1", RJ_NET_NOT_SIMPLE, NULL);
    run("ip rule del from 10.0.0.0/8 lookup 100");
    expected = false;
    cr_expect(host_await(has_rules, &expected));
    host_expect_way("192.0.2.1", RJ_NET_NO_ROUTE, NULL);
    run("ip -6 rule del lookup main");
    expected = true;
    cr_expect(host_await(has_rules, &expected));
}

/* --- more than the agent can take --- */

static void write_batch(const char *path, const char *verb, int count)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    for (int i = 0; i < count; i++)
        fprintf(file, "route %s 20.%d.%d.%d/32 via 10.0.%d.2\n", verb, i >> 16, (i >> 8) & 255,
                i & 255, i & 1);
    fclose(file);
}

static bool has_resynced(const void *state)
{
    rj_netlink_status_t status;
    (void)state;
    rj_netlink_read_status(&host_netlink, &status);
    return status.resync_count > 0;
}

Test(netlink, an_overrun_is_noticed_and_mended)
{
    char path[64];
    snprintf(path, sizeof(path), "/dev/shm/rj-netlink-%d", (int)getpid());
    run("ip route add 192.0.2.0/24 via 10.0.0.2");
    const rj_netlink_params_t params = {.receive_bytes = 65536};
    host_open_agent(&params);
    write_batch(path, "add", 20000);
    run("ip -batch %s", path);
    run("ip route del 192.0.2.0/24");
    cr_expect(host_await(has_resynced, NULL));
    rj_netlink_status_t status;
    rj_netlink_read_status(&host_netlink, &status);
    cr_expect_geq(status.overrun_count, 1);
    host_expect_routes_of_ip("after 20000 new routes");
    cr_expect_gt(host_latest()->route_count, 20000);
    run("ip link set v0 down");
    host_expect_routes_of_ip("after half of them went without a word");
    write_batch(path, "replace", 5000);
    run("ip link set v0 up && ip -batch %s", path);
    unlink(path);
    host_expect_routes_of_ip("after another burst");
}

Test(netlink, a_dump_amid_changes_ends_with_the_truth)
{
    char path[64];
    snprintf(path, sizeof(path), "/dev/shm/rj-netlink-%d", (int)getpid());
    write_batch(path, "add", 20000);
    run("ip -batch %s", path);
    write_batch(path, "del", 20000);
    FILE *deleting = popen("exec ip -batch - >/dev/null", "w");
    cr_assert_not_null(deleting);
    for (int i = 0; i < 20000; i++) {
        if (i == 1000)
            host_open_agent(NULL);
        fprintf(deleting, "route del 20.%d.%d.%d/32\n", i >> 16, (i >> 8) & 255, i & 255);
        if (i > 1000 && i % 1000 == 0)
            rj_netlink_do_work(&host_netlink, rj_clock_mono_ns());
    }
    cr_assert_eq(pclose(deleting), 0);
    unlink(path);
    host_expect_routes_of_ip("after all were deleted");
}
