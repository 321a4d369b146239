/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink messages made by hand: what the tables take from them, and what they refuse. */
#include "netlink/tables.h"

#include <criterion/criterion.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlink/attributes.h"
#include "netlink/membership.h"
#include "tests/fixtures/address_text.h"

static rj_nl_tables_t tables;
static _Alignas(8) uint8_t buffer[8192];
static struct nlmsghdr *message;

static void open_tables(void)
{
    cr_assert_eq(rj_nl_tables_open(&tables, NULL), 0);
}

static void close_tables(void)
{
    rj_nl_tables_close(&tables);
}

TestSuite(netlink, .init = open_tables, .fini = close_tables);

static void *begin(uint16_t type, uint16_t flags, size_t body_bytes)
{
    memset(buffer, 0, sizeof(buffer));
    message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = type;
    message->nlmsg_flags = flags;
    return mnl_nlmsg_put_extra_header(message, body_bytes);
}

static void put_address(uint16_t type, const char *text)
{
    const rj_address_t value = address_of_text(text);
    mnl_attr_put(message, type, value.family == AF_INET ? 4 : 16, value.bytes);
}

static void apply(rj_nl_origin_t origin)
{
    rj_nl_tables_apply(&tables, message, origin);
}

static void make_link(uint16_t type, int index, const char *name, unsigned flags)
{
    struct ifinfomsg *body = begin(type, 0, sizeof(*body));
    body->ifi_index = index;
    body->ifi_type = ARPHRD_ETHER;
    body->ifi_flags = flags;
    mnl_attr_put_strz(message, IFLA_IFNAME, name);
    mnl_attr_put_u32(message, IFLA_MTU, 1500);
    const uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)index};
    mnl_attr_put(message, IFLA_ADDRESS, sizeof(mac), mac);
}

static void add_link(int index, const char *name, unsigned flags)
{
    make_link(RTM_NEWLINK, index, name, flags);
    apply(RJ_NL_EVENT);
}

static struct rtmsg *make_route(uint16_t type, uint16_t flags, const char *destination,
                                uint8_t prefix_bits)
{
    const rj_address_t to = address_of_text(destination);
    struct rtmsg *body = begin(type, flags, sizeof(*body));
    body->rtm_family = (uint8_t)to.family;
    body->rtm_dst_len = prefix_bits;
    body->rtm_table = RT_TABLE_MAIN;
    body->rtm_type = RTN_UNICAST;
    if (prefix_bits > 0)
        put_address(RTA_DST, destination);
    return body;
}

static void put_hop(uint32_t link_index, const char *gateway)
{
    mnl_attr_put_u32(message, RTA_OIF, link_index);
    if (gateway != NULL)
        put_address(RTA_GATEWAY, gateway);
}

static void change_route(uint16_t type, uint16_t flags, const char *destination, uint8_t bits,
                         const char *gateway)
{
    make_route(type, flags, destination, bits);
    put_hop(2, gateway);
    apply(RJ_NL_EVENT);
}

static void put_multipath(const char *const *gateways, size_t count)
{
    struct nlattr *nest = mnl_attr_nest_start(message, RTA_MULTIPATH);
    for (size_t i = 0; i < count; i++) {
        struct rtnexthop *hop = mnl_nlmsg_get_payload_tail(message);
        memset(hop, 0, sizeof(*hop));
        hop->rtnh_ifindex = 2;
        hop->rtnh_hops = (uint8_t)i;
        message->nlmsg_len += (uint32_t)sizeof(*hop);
        put_address(RTA_GATEWAY, gateways[i]);
        hop->rtnh_len =
            (unsigned short)((uint8_t *)mnl_nlmsg_get_payload_tail(message) - (uint8_t *)hop);
    }
    mnl_attr_nest_end(message, nest);
}

static rj_net_snapshot_t *snapshot(void)
{
    static rj_net_snapshot_t *made;
    rj_net_snapshot_free(made);
    made = NULL;
    cr_assert_eq(rj_nl_tables_snapshot(&tables, NULL, 0, 1, NULL, &made, NULL), 0);
    return made;
}

static rj_net_answer_t way(const char *destination, rj_net_way_t *ret)
{
    const rj_address_t any = {0};
    const rj_address_t to = address_of_text(destination);
    return rj_net_snapshot_find_way(snapshot(), &any, &to, 0, ret);
}

static void expect_gateway(const char *destination, const char *gateway)
{
    rj_net_way_t found;
    way(destination, &found);
    const rj_address_t expected = address_of_text(gateway);
    cr_expect_eq(memcmp(found.next_hop.bytes, expected.bytes, 16), 0, "%s: not by %s", destination,
                 gateway);
}

static void add_address(int index, const char *text, uint8_t prefix_bits)
{
    const rj_address_t own = address_of_text(text);
    struct ifaddrmsg *body = begin(RTM_NEWADDR, 0, sizeof(*body));
    body->ifa_family = (uint8_t)own.family;
    body->ifa_prefixlen = prefix_bits;
    body->ifa_index = (unsigned)index;
    put_address(IFA_ADDRESS, text);
    apply(RJ_NL_EVENT);
}

/* Link 2 with 10.0.0.1. */
static void make_host(void)
{
    add_link(2, "eth0", IFF_UP | IFF_RUNNING);
    add_address(2, "10.0.0.1", 24);
    add_address(2, "fd00::1", 64);
}

/* --- links, addresses, neighbours --- */

Test(netlink, a_link_is_read_and_followed)
{
    add_link(2, "eth0", IFF_UP | IFF_RUNNING);
    const rj_net_link_t *link = rj_net_snapshot_link_named(snapshot(), "eth0");
    cr_assert_not_null(link);
    cr_expect(link->is_up && link->is_ethernet && link->mtu_bytes == 1500 && link->mac[5] == 2);
    /* A message need not tell everything again. */
    struct ifinfomsg *body = begin(RTM_NEWLINK, 0, sizeof(*body));
    body->ifi_index = 2;
    body->ifi_type = ARPHRD_ETHER;
    apply(RJ_NL_EVENT);
    link = rj_net_snapshot_link_named(snapshot(), "eth0");
    cr_assert_not_null(link);
    cr_expect(!link->is_up && link->mtu_bytes == 1500);
    make_link(RTM_DELLINK, 2, "eth0", 0);
    apply(RJ_NL_EVENT);
    cr_expect_null(rj_net_snapshot_link_named(snapshot(), "eth0"));
}

Test(netlink, a_bridge_that_speaks_of_its_port_does_not_remove_the_link)
{
    add_link(2, "eth0", IFF_UP | IFF_RUNNING);
    make_link(RTM_DELLINK, 2, "eth0", 0);
    ((struct ifinfomsg *)mnl_nlmsg_get_payload(message))->ifi_family = AF_BRIDGE;
    apply(RJ_NL_EVENT);
    cr_expect_not_null(rj_net_snapshot_link_named(snapshot(), "eth0"));
    cr_expect_eq(tables.ignored_count, 1);
}

Test(netlink, the_local_address_counts_and_not_that_of_the_far_end)
{
    add_link(2, "ppp0", IFF_UP | IFF_RUNNING);
    struct ifaddrmsg *body = begin(RTM_NEWADDR, 0, sizeof(*body));
    body->ifa_family = AF_INET;
    body->ifa_prefixlen = 32;
    body->ifa_index = 2;
    put_address(IFA_ADDRESS, "10.0.0.9");
    put_address(IFA_LOCAL, "10.0.0.1");
    apply(RJ_NL_EVENT);
    const rj_address_t own = address_of_text("10.0.0.1");
    const rj_address_t peer = address_of_text("10.0.0.9");
    cr_expect(rj_net_snapshot_is_ours(snapshot(), &own));
    cr_expect_not(rj_net_snapshot_is_ours(snapshot(), &peer));
}

Test(netlink, a_tentative_address_is_not_ours_yet)
{
    add_link(2, "eth0", IFF_UP | IFF_RUNNING);
    const rj_address_t own = address_of_text("fd00::1");
    for (int i = 0; i < 2; i++) {
        struct ifaddrmsg *body = begin(RTM_NEWADDR, 0, sizeof(*body));
        body->ifa_family = AF_INET6;
        body->ifa_prefixlen = 64;
        body->ifa_index = 2;
        put_address(IFA_ADDRESS, "fd00::1");
        mnl_attr_put_u32(message, IFA_FLAGS, i == 0 ? IFA_F_TENTATIVE : 0);
        apply(RJ_NL_EVENT);
        cr_expect_eq(rj_net_snapshot_is_ours(snapshot(), &own), i == 1);
    }
    cr_expect_eq(tables.addrs.count, 1);
}

static void make_neighbour(uint16_t type, const char *text, uint16_t state)
{
    const rj_address_t to = address_of_text(text);
    struct ndmsg *body = begin(type, 0, sizeof(*body));
    body->ndm_family = (uint8_t)to.family;
    body->ndm_ifindex = 2;
    body->ndm_state = state;
    put_address(NDA_DST, text);
    const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
    if (state != NUD_FAILED && state != NUD_INCOMPLETE)
        mnl_attr_put(message, NDA_LLADDR, sizeof(mac), mac);
}

Test(netlink, a_neighbour_is_usable_while_it_has_a_mac)
{
    static const struct {
        uint16_t state;
        bool is_usable;
    } rows[] = {{NUD_INCOMPLETE, false}, {NUD_REACHABLE, true}, {NUD_STALE, true},
                {NUD_DELAY, true},       {NUD_PROBE, true},     {NUD_FAILED, false},
                {NUD_PERMANENT, true},   {NUD_NOARP, true}};
    make_host();
    change_route(RTM_NEWROUTE, NLM_F_CREATE, "10.0.0.0", 24, NULL);
    rj_net_way_t found;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        make_neighbour(RTM_NEWNEIGH, "10.0.0.9", rows[i].state);
        apply(RJ_NL_EVENT);
        cr_expect_eq(way("10.0.0.9", &found),
                     rows[i].is_usable ? RJ_NET_REACHED : RJ_NET_NO_NEIGHBOUR, "state %#x",
                     rows[i].state);
    }
    make_neighbour(RTM_DELNEIGH, "10.0.0.9", NUD_FAILED);
    apply(RJ_NL_EVENT);
    cr_expect_eq(tables.neighs.count, 0);
    make_neighbour(RTM_NEWNEIGH, "10.0.0.9", NUD_REACHABLE);
    ((struct ndmsg *)mnl_nlmsg_get_payload(message))->ndm_flags = NTF_PROXY;
    apply(RJ_NL_EVENT);
    cr_expect_eq(tables.neighs.count, 0, "what we answer for is no neighbour");
}

/* --- routes --- */

Test(netlink, routes_of_one_key_stand_in_the_kernels_order)
{
    make_host();
    change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "192.0.2.0", 24, "10.0.0.2");
    change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, "192.0.2.0", 24, "10.0.0.3");
    expect_gateway("192.0.2.1", "10.0.0.2");
    change_route(RTM_NEWROUTE, NLM_F_CREATE, "192.0.2.0", 24, "10.0.0.4");
    expect_gateway("192.0.2.1", "10.0.0.4");
    change_route(RTM_NEWROUTE, NLM_F_REPLACE, "192.0.2.0", 24, "10.0.0.5");
    expect_gateway("192.0.2.1", "10.0.0.5");
    cr_expect_eq(rj_nl_route_table_count(tables.routes), 3);
    change_route(RTM_DELROUTE, 0, "192.0.2.0", 24, "10.0.0.2");
    expect_gateway("192.0.2.1", "10.0.0.5");
    change_route(RTM_DELROUTE, 0, "192.0.2.0", 24, "10.0.0.5");
    expect_gateway("192.0.2.1", "10.0.0.3");
    cr_expect_eq(tables.doubts, 0);
}

Test(netlink, a_route_that_is_told_twice_is_there_once)
{
    make_host();
    for (int i = 0; i < 3; i++)
        change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, "192.0.2.0", 24, "10.0.0.2");
    cr_expect_eq(rj_nl_route_table_count(tables.routes), 1);
}

Test(netlink, to_delete_what_is_not_there_casts_doubt)
{
    make_host();
    tables.doubts = 0;
    change_route(RTM_DELROUTE, 0, "192.0.2.0", 24, "10.0.0.2");
    cr_expect_eq(tables.doubts, RJ_NL_ROUTES);
}

Test(netlink, only_the_exact_key_is_deleted)
{
    make_host();
    change_route(RTM_NEWROUTE, NLM_F_CREATE, "192.0.2.0", 24, "10.0.0.2");
    change_route(RTM_NEWROUTE, NLM_F_CREATE, "192.0.2.0", 25, "10.0.0.3");
    change_route(RTM_DELROUTE, 0, "192.0.2.0", 24, "10.0.0.2");
    expect_gateway("192.0.2.1", "10.0.0.3");
    rj_net_way_t found;
    cr_expect_eq(way("192.0.2.200", &found), RJ_NET_NO_ROUTE);
}

Test(netlink, ipv6_tells_several_hops_as_a_whole_and_deletes_them_one_by_one)
{
    static const char *const two[] = {"fd00::2", "fd00::3"};
    make_host();
    change_route(RTM_NEWROUTE, NLM_F_CREATE, "fd02::", 64, "fd00::2");
    make_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, "fd02::", 64);
    put_multipath(two, 2);
    apply(RJ_NL_EVENT);
    rj_net_way_t found;
    cr_expect_eq(way("fd02::1", &found), RJ_NET_NOT_SIMPLE);
    cr_expect_eq(rj_nl_route_table_count(tables.routes), 1);
    change_route(RTM_DELROUTE, 0, "fd02::", 64, "fd00::2");
    expect_gateway("fd02::1", "fd00::3");
    change_route(RTM_DELROUTE, 0, "fd02::", 64, "fd00::3");
    cr_expect_eq(rj_nl_route_table_count(tables.routes), 0);
}

Test(netlink, the_table_of_the_attribute_counts)
{
    make_host();
    make_route(RTM_NEWROUTE, NLM_F_CREATE, "192.0.2.0", 24);
    put_hop(2, "10.0.0.2");
    mnl_attr_put_u32(message, RTA_TABLE, 1000);
    apply(RJ_NL_EVENT);
    cr_expect_eq(rj_nl_route_table_count(tables.routes), 0);
}

Test(netlink, what_a_header_alone_cannot_follow_is_left_to_the_kernel)
{
    static const uint8_t types[] = {RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT, RTN_THROW};
    make_host();
    rj_net_way_t found;
    for (size_t i = 0; i < sizeof(types); i++) {
        make_route(RTM_NEWROUTE, NLM_F_REPLACE, "192.0.2.0", 24)->rtm_type = types[i];
        apply(RJ_NL_EVENT);
        cr_expect_eq(way("192.0.2.1", &found), RJ_NET_NOT_SIMPLE, "type %u", types[i]);
    }
    make_route(RTM_NEWROUTE, NLM_F_CREATE, "192.0.3.0", 24);
    put_hop(2, "10.0.0.2");
    mnl_attr_put_u16(message, RTA_ENCAP_TYPE, 1);
    apply(RJ_NL_EVENT);
    cr_expect_eq(way("192.0.3.1", &found), RJ_NET_NOT_SIMPLE);
    change_route(RTM_NEWROUTE, NLM_F_CREATE, "192.0.4.0", 24, "10.0.0.2");
    make_route(RTM_NEWROUTE, NLM_F_CREATE, "192.0.4.0", 24)->rtm_tos = 0x10;
    put_hop(2, "10.0.0.3");
    mnl_attr_put_u32(message, RTA_PRIORITY, 50);
    apply(RJ_NL_EVENT);
    cr_expect_eq(way("192.0.4.1", &found), RJ_NET_NOT_SIMPLE, "by type of service");
    make_route(RTM_NEWROUTE, NLM_F_CREATE, "192.0.5.0", 24)->rtm_flags = RTM_F_CLONED;
    put_hop(2, "10.0.0.2");
    apply(RJ_NL_EVENT);
    cr_expect_eq(way("192.0.5.1", &found), RJ_NET_NO_ROUTE);
}

Test(netlink, a_link_that_goes_down_takes_ipv4_routes_silently)
{
    make_host();
    change_route(RTM_NEWROUTE, NLM_F_CREATE, "192.0.2.0", 24, "10.0.0.2");
    change_route(RTM_NEWROUTE, NLM_F_CREATE, "fd02::", 64, "fd00::2");
    tables.doubts = 0;
    add_link(2, "eth0", 0);
    cr_expect_eq(rj_nl_route_table_count(tables.routes), 1, "IPv6 speaks for itself");
    cr_expect(tables.doubts & RJ_NL_ROUTES);
}

Test(netlink, a_dump_sweeps_what_it_does_not_tell_and_nothing_before)
{
    make_host();
    change_route(RTM_NEWROUTE, NLM_F_CREATE, "192.0.2.0", 24, "10.0.0.2");
    change_route(RTM_NEWROUTE, NLM_F_CREATE, "192.0.3.0", 24, "10.0.0.2");
    make_neighbour(RTM_NEWNEIGH, "10.0.0.2", NUD_REACHABLE);
    apply(RJ_NL_EVENT);
    rj_nl_tables_begin_dump(&tables, RJ_NL_ROUTES);
    make_route(RTM_NEWROUTE, NLM_F_MULTI, "192.0.3.0", 24);
    put_hop(2, "10.0.0.2");
    apply(RJ_NL_DUMPED);
    rj_net_way_t found;
    cr_expect_eq(way("192.0.2.1", &found), RJ_NET_REACHED, "it serves while the dump goes on");
    rj_nl_tables_end_dump(&tables, RJ_NL_ROUTES);
    cr_expect_eq(way("192.0.2.1", &found), RJ_NET_NO_ROUTE);
    cr_expect_eq(way("192.0.3.1", &found), RJ_NET_REACHED, "neighbours were not dumped");
}

Test(netlink, a_dump_puts_routes_of_one_key_in_its_order)
{
    static const char *const gateways[] = {"10.0.0.4", "10.0.0.3", "10.0.0.2"};
    make_host();
    change_route(RTM_NEWROUTE, NLM_F_CREATE, "192.0.2.0", 24, "10.0.0.2");
    change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, "192.0.2.0", 24, "10.0.0.3");
    rj_nl_tables_begin_dump(&tables, RJ_NL_ROUTES);
    for (size_t i = 0; i < 3; i++) {
        make_route(RTM_NEWROUTE, NLM_F_MULTI, "192.0.2.0", 24);
        put_hop(2, gateways[i]);
        apply(RJ_NL_DUMPED);
    }
    rj_nl_tables_end_dump(&tables, RJ_NL_ROUTES);
    for (size_t i = 0; i < 3; i++) {
        expect_gateway("192.0.2.1", gateways[i]);
        change_route(RTM_DELROUTE, 0, "192.0.2.0", 24, gateways[i]);
    }
}

/* --- next-hop objects and rules --- */

static void add_nexthop(uint32_t id, const char *gateway)
{
    struct nhmsg *body = begin(RTM_NEWNEXTHOP, NLM_F_CREATE, sizeof(*body));
    body->nh_family = AF_INET;
    mnl_attr_put_u32(message, NHA_ID, id);
    mnl_attr_put_u32(message, NHA_OIF, 2);
    put_address(NHA_GATEWAY, gateway);
    apply(RJ_NL_EVENT);
}

Test(netlink, a_route_follows_its_next_hop_object)
{
    make_host();
    add_nexthop(7, "10.0.0.2");
    make_route(RTM_NEWROUTE, NLM_F_CREATE, "192.0.2.0", 24);
    mnl_attr_put_u32(message, RTA_NH_ID, 7);
    apply(RJ_NL_EVENT);
    expect_gateway("192.0.2.1", "10.0.0.2");
    add_nexthop(7, "10.0.0.3");
    expect_gateway("192.0.2.1", "10.0.0.3");
    add_nexthop(8, "10.0.0.4");
    struct nhmsg *body = begin(RTM_NEWNEXTHOP, NLM_F_REPLACE, sizeof(*body));
    mnl_attr_put_u32(message, NHA_ID, 7);
    const struct nexthop_grp group[] = {{.id = 8}, {.id = 99}};
    mnl_attr_put(message, NHA_GROUP, sizeof(group), group);
    apply(RJ_NL_EVENT);
    expect_gateway("192.0.2.1", "10.0.0.4");
}

static void add_rule(uint8_t family, uint32_t table, uint32_t priority, const char *source)
{
    struct fib_rule_hdr *body = begin(RTM_NEWRULE, 0, sizeof(*body));
    body->family = family;
    body->action = FR_ACT_TO_TBL;
    body->table = (uint8_t)table;
    mnl_attr_put_u32(message, FRA_PRIORITY, priority);
    mnl_attr_put_u32(message, FRA_SUPPRESS_PREFIXLEN, UINT32_MAX);
    if (source != NULL)
        put_address(FRA_SRC, source);
    apply(RJ_NL_DUMPED);
}

Test(netlink, the_default_rules_are_nothing_special)
{
    for (int i = 0; i < 4; i++) {
        rj_nl_tables_begin_dump(&tables, RJ_NL_RULES);
        if (i != 1)
            add_rule(AF_INET, 254, 32766, NULL);
        add_rule(AF_INET, 255, 0, NULL);
        add_rule(AF_INET, 253, 32767, NULL);
        if (i == 2)
            add_rule(AF_INET6, 100, 1000, "fd00::1");
        rj_nl_tables_end_dump(&tables, RJ_NL_RULES);
        cr_expect_eq(snapshot()->has_rules, i == 1 || i == 2, "case %d", i);
    }
}

/* --- what is hostile --- */

Test(netlink, messages_cut_anywhere_are_read_no_further_than_they_go)
{
    static const char *const two[] = {"10.0.0.2", "10.0.0.3"};
    make_host();
    make_route(RTM_NEWROUTE, NLM_F_CREATE, "192.0.2.0", 24);
    put_multipath(two, 2);
    const uint32_t whole = message->nlmsg_len;
    for (uint32_t length = whole; length >= sizeof(*message); length--) {
        /* A copy of just that length: the sanitizer watches what is behind it. */
        struct nlmsghdr *cut = malloc(length);
        memcpy(cut, buffer, length);
        cut->nlmsg_len = length;
        rj_nl_tables_apply(&tables, cut, RJ_NL_EVENT);
        free(cut);
    }
    rj_net_way_t found;
    cr_expect_eq(way("192.0.2.1", &found), RJ_NET_NOT_SIMPLE, "the whole one was taken");
}

Test(netlink, broken_lists_of_hops_make_a_route_for_the_kernel)
{
    static const uint16_t lengths[] = {0, 4, 7, 500, UINT16_MAX};
    make_host();
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        make_route(RTM_NEWROUTE, NLM_F_REPLACE, "192.0.2.0", 24);
        const struct rtnexthop hop = {.rtnh_len = lengths[i], .rtnh_ifindex = 2};
        mnl_attr_put(message, RTA_MULTIPATH, sizeof(hop), &hop);
        apply(RJ_NL_EVENT);
        rj_net_way_t found;
        cr_expect_eq(way("192.0.2.1", &found), RJ_NET_NOT_SIMPLE, "length %u", lengths[i]);
    }
}

Test(netlink, only_a_length_that_was_read_makes_a_whole_message)
{
    const uint32_t wrong[] = {0, NLMSG_HDRLEN - 1, 65, UINT32_C(1) << 31, UINT32_MAX};
    alignas(struct nlmsghdr) uint8_t bytes[64] = {0};
    struct nlmsghdr *header = (struct nlmsghdr *)bytes;
    header->nlmsg_len = sizeof(bytes);
    cr_expect(rj_nl_message_is_whole(header, sizeof(bytes)));
    cr_expect_not(rj_nl_message_is_whole(header, sizeof(bytes) - 1));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        header->nlmsg_len = wrong[i];
        cr_expect_not(rj_nl_message_is_whole(header, sizeof(bytes)), "length %u", wrong[i]);
    }
}

Test(netlink, wrong_lengths_and_unknown_types_are_counted_and_change_nothing)
{
    make_host();
    make_route(RTM_NEWROUTE, NLM_F_CREATE, "192.0.2.0", 24)->rtm_dst_len = 33;
    apply(RJ_NL_EVENT);
    make_route(RTM_NEWROUTE, NLM_F_CREATE, "fd02::", 64)->rtm_family = AF_INET;
    apply(RJ_NL_EVENT);
    make_route(RTM_NEWROUTE, NLM_F_CREATE, "192.0.2.0", 24)->rtm_family = 128;
    apply(RJ_NL_EVENT);
    begin(RTM_NEWROUTE, 0, 4);
    apply(RJ_NL_EVENT);
    begin(RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
    apply(RJ_NL_EVENT);
    begin(RTM_NEWNEIGH, 0, sizeof(struct ndmsg));
    apply(RJ_NL_EVENT);
    begin(RTM_NEWNEXTHOP, 0, sizeof(struct nhmsg));
    apply(RJ_NL_EVENT);
    begin(RTM_NEWQDISC, 0, 64);
    apply(RJ_NL_EVENT);
    begin(60000, 0, 0);
    apply(RJ_NL_EVENT);
    cr_expect_eq(tables.ignored_count, 9);
    cr_expect_eq(rj_nl_route_table_count(tables.routes), 0);
    cr_expect_eq(tables.links.count, 1);
}

Test(netlink, a_name_too_long_and_a_mac_too_short_are_left_out)
{
    add_link(2, "eth0", IFF_UP | IFF_RUNNING);
    struct ifinfomsg *body = begin(RTM_NEWLINK, 0, sizeof(*body));
    body->ifi_index = 2;
    mnl_attr_put_strz(message, IFLA_IFNAME, "a-name-of-more-than-15");
    mnl_attr_put(message, IFLA_ADDRESS, 4, "\xff\xff\xff\xff");
    mnl_attr_put(message, IFLA_MTU, 2, "\xff\xff");
    apply(RJ_NL_EVENT);
    const rj_net_link_t *link = rj_net_snapshot_link_named(snapshot(), "eth0");
    cr_assert_not_null(link);
    cr_expect(link->mac[5] == 2 && link->mtu_bytes == 1500);
}

/* --- memberships --- */

static const char igmp[] = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"
                           "1\tlo        :     1      V3\n"
                           "\t\t\t\t010000E0     1 0:00000000\t\t0\n"
                           "12\tv0        :     2      V3\n"
                           "\t\t\t\t030201EF     2 0:00000000\t\t1\n"
                           "\t\t\t\t010000E0     1 0:00000000\t\t0\n";

Test(netlink, the_kernels_list_of_groups_is_read)
{
    rj_nl_members_t members = {0};
    const rj_address_t groups[] = {address_of_text("239.1.2.3"), address_of_text("ff05::123")};
    cr_assert_eq(rj_nl_members_parse(&members, AF_INET, igmp, groups, 2), 0);
    cr_assert_eq(rj_nl_members_parse(&members, AF_INET6,
                                     "3    v1              "
                                     "ff050000000000000000000000000123     4 00000004 0\n"
                                     "1    lo   ff02 1 1 0\n3 v1 zz 1\n\n3",
                                     groups, 2),
                 0);
    cr_assert_eq(members.count, 2);
    cr_expect(members.items[0].link_index == 12 && members.items[0].user_count == 2);
    cr_expect(rj_address_equal(&members.items[0].group, &groups[0]));
    cr_expect(members.items[1].link_index == 3 && members.items[1].user_count == 4);
    cr_expect(rj_address_equal(&members.items[1].group, &groups[1]));
    rj_nl_members_close(&members);
}
