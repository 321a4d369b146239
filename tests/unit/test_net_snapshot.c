/* SPDX-License-Identifier: Apache-2.0 */
/* What a snapshot answers, for hosts that are written down here. */
#include "netlink/snapshot.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fixtures/address_text.h"

enum { LO = 1, ETH0 = 2, ETH1 = 3, TUN0 = 4, ITEMS_MAX = 32 };

typedef struct host {
    rj_net_snapshot_t parts;
    rj_net_link_t links[ITEMS_MAX];
    rj_net_address_t addresses[ITEMS_MAX];
    rj_net_route_t routes[ITEMS_MAX];
    rj_net_hop_t hops[ITEMS_MAX];
    rj_net_neighbour_t neighbours[ITEMS_MAX];
    rj_net_membership_t memberships[ITEMS_MAX];
    rj_net_snapshot_t *snapshot;
} host_t;

static host_t host;

static rj_address_t address(const char *text)
{
    return text != NULL ? address_of_text(text) : (rj_address_t){0};
}

static rj_address_t scoped(const char *text, uint32_t scope_id)
{
    rj_address_t result = address(text);
    result.scope_id = scope_id;
    return result;
}

static void add_link(uint32_t index, const char *name, bool is_ethernet)
{
    rj_net_link_t *link = &host.links[host.parts.link_count++];
    *link = (rj_net_link_t){.index = index,
                            .mtu_bytes = 1500,
                            .is_ethernet = is_ethernet,
                            .is_up = true,
                            .is_loopback = index == LO,
                            .mac = {2, 0, 0, 0, 0, (uint8_t)index}};
    snprintf(link->name, sizeof(link->name), "%s", name);
}

static void add_address(uint32_t link_index, const char *text, uint8_t prefix_bits)
{
    rj_address_t own = address(text);
    own.scope_id = rj_address_is_link_local(&own) ? link_index : 0;
    host.addresses[host.parts.address_count++] = (rj_net_address_t){link_index, prefix_bits, own};
}

static rj_net_route_t *add_route(uint32_t table, rj_net_route_type_t type, const char *destination,
                                 uint8_t prefix_bits)
{
    rj_net_route_t *route = &host.routes[host.parts.route_count++];
    *route = (rj_net_route_t){.destination = address(destination),
                              .prefix_bits = prefix_bits,
                              .type = (uint8_t)type,
                              .table = table,
                              .first_hop = (uint32_t)host.parts.hop_count};
    return route;
}

static rj_net_hop_t *add_hop(rj_net_route_t *route, uint32_t link_index, const char *gateway)
{
    rj_net_hop_t *hop = &host.hops[host.parts.hop_count++];
    *hop = (rj_net_hop_t){.link_index = link_index, .weight = 1, .gateway = address(gateway)};
    route->hop_count++;
    return hop;
}

static rj_net_route_t *add_main(const char *destination, uint8_t prefix_bits, uint32_t link_index,
                                const char *gateway)
{
    rj_net_route_t *route =
        add_route(RJ_NET_TABLE_MAIN, RJ_NET_ROUTE_UNICAST, destination, prefix_bits);
    add_hop(route, link_index, gateway);
    return route;
}

static rj_net_neighbour_t *add_neighbour(uint32_t link_index, const char *text, uint8_t last)
{
    rj_net_neighbour_t *neighbour = &host.neighbours[host.parts.neighbour_count++];
    *neighbour = (rj_net_neighbour_t){.link_index = link_index,
                                      .address = address(text),
                                      .mac = {6, 0, 0, 0, 0, last},
                                      .is_usable = true};
    return neighbour;
}

static void build(void)
{
    rj_err_t err;
    rj_net_snapshot_free(host.snapshot);
    host.snapshot = NULL;
    cr_assert_eq(rj_net_snapshot_build(&host.parts, &host.snapshot, &err), 0, "%s", err.text);
}

/* Two links in subnets of their own, a default route, and neighbours that are known. Everything is
 * given in an order that is not the snapshot's. */
static void make_host(void)
{
    memset(&host, 0, sizeof(host));
    host.parts = (rj_net_snapshot_t){.generation = 7,
                                     .links = host.links,
                                     .addresses = host.addresses,
                                     .routes = host.routes,
                                     .hops = host.hops,
                                     .neighbours = host.neighbours,
                                     .memberships = host.memberships};
    add_link(ETH1, "eth1", true);
    add_link(LO, "lo", false);
    add_link(TUN0, "tun0", false);
    add_link(ETH0, "eth0", true);
    add_address(ETH1, "10.1.0.1", 24);
    add_address(LO, "127.0.0.1", 8);
    add_address(ETH0, "10.0.0.1", 24);
    add_address(ETH0, "10.0.9.1", 24);
    add_address(ETH0, "fe80::1", 64);
    add_address(ETH0, "2001:db8::1", 64);
    add_address(ETH1, "fe80::1:1", 64);
    add_main("0.0.0.0", 0, ETH0, "10.0.9.254");
    add_main("10.1.0.0", 24, ETH1, NULL)->source = address("10.1.0.1");
    add_main("10.0.0.0", 24, ETH0, NULL)->source = address("10.0.0.1");
    add_main("2001:db8::", 64, ETH0, NULL);
    add_main("::", 0, ETH0, "fe80::fe");
    add_route(RJ_NET_TABLE_LOCAL, RJ_NET_ROUTE_LOCAL, "127.0.0.0", 8);
    add_route(RJ_NET_TABLE_LOCAL, RJ_NET_ROUTE_LOCAL, "10.0.0.1", 32);
    add_route(RJ_NET_TABLE_LOCAL, RJ_NET_ROUTE_OTHER, "10.0.0.255", 32);
    add_neighbour(ETH1, "10.1.0.2", 12);
    add_neighbour(ETH0, "10.0.9.254", 99);
    add_neighbour(ETH0, "10.0.0.2", 2);
    add_neighbour(ETH0, "fe80::fe", 98);
    add_neighbour(ETH0, "2001:db8::2", 6);
    build();
}

static void free_host(void)
{
    rj_net_snapshot_free(host.snapshot);
}

TestSuite(net_snapshot, .init = make_host, .fini = free_host);

static rj_net_answer_t ask(const char *source, const char *destination, uint32_t link_index,
                           rj_net_way_t *ret_way)
{
    const rj_address_t from = address(source);
    rj_address_t to = address(destination);
    to.port = 40123;
    return rj_net_snapshot_find_way(host.snapshot, &from, &to, link_index, ret_way);
}

static rj_net_way_t way_to(const char *destination)
{
    rj_net_way_t way;
    const rj_net_answer_t answer = ask(NULL, destination, 0, &way);
    cr_assert_eq(answer, RJ_NET_REACHED, "%s: %s", destination, rj_net_answer_text(answer));
    return way;
}

static void expect_answer(const char *destination, rj_net_answer_t expected)
{
    rj_net_way_t way;
    const rj_net_answer_t answer = ask(NULL, destination, 0, &way);
    cr_expect_eq(answer, expected, "%s: %s", destination, rj_net_answer_text(answer));
}

static void expect_host(const rj_address_t *got, const char *expected)
{
    char text[RJ_ADDRESS_TEXT_BYTES];
    const rj_address_t wanted = address(expected);
    rj_address_print(got, text);
    cr_expect(memcmp(got->bytes, wanted.bytes, 16) == 0 && got->family == wanted.family &&
                  got->port == 0,
              "%s instead of %s", text, expected);
}

Test(net_snapshot, a_neighbour_on_link_is_reached_over_its_link)
{
    const rj_net_way_t way = way_to("10.1.0.2");
    cr_expect_eq(way.link_index, ETH1);
    cr_expect_eq(way.mtu_bytes, 1500);
    cr_expect_eq(way.source_mac[5], ETH1);
    cr_expect_eq(way.destination_mac[5], 12);
    expect_host(&way.next_hop, "10.1.0.2");
    expect_host(&way.source, "10.1.0.1");
}

Test(net_snapshot, beyond_a_gateway_the_gateways_mac_and_subnet_count)
{
    const rj_net_way_t way = way_to("192.0.2.77");
    cr_expect_eq(way.link_index, ETH0);
    cr_expect_eq(way.destination_mac[5], 99);
    expect_host(&way.next_hop, "10.0.9.254");
    expect_host(&way.source, "10.0.9.1");
}

Test(net_snapshot, ipv6_finds_neighbour_and_gateway)
{
    rj_net_way_t way = way_to("2001:db8::2");
    cr_expect_eq(way.destination_mac[5], 6);
    expect_host(&way.source, "2001:db8::1");
    way = way_to("2001:db8:1::2");
    cr_expect_eq(way.destination_mac[5], 98);
    expect_host(&way.next_hop, "fe80::fe");
    cr_expect_eq(way.next_hop.scope_id, ETH0);
    expect_host(&way.source, "2001:db8::1");
}

Test(net_snapshot, a_link_local_destination_needs_its_link)
{
    rj_net_way_t way;
    const rj_address_t any = {0};
    rj_address_t to = scoped("fe80::fe", ETH0);
    cr_expect_eq(rj_net_snapshot_find_way(host.snapshot, &any, &to, 0, &way), RJ_NET_REACHED);
    cr_expect_eq(way.destination_mac[5], 98);
    expect_host(&way.source, "fe80::1");
    to.scope_id = ETH1;
    cr_expect_eq(rj_net_snapshot_find_way(host.snapshot, &any, &to, 0, &way), RJ_NET_NO_NEIGHBOUR);
    expect_host(&way.source, "fe80::1:1");
    to.scope_id = 0;
    cr_expect_eq(rj_net_snapshot_find_way(host.snapshot, &any, &to, 0, &way), RJ_NET_NO_ROUTE);
    cr_expect_eq(rj_net_snapshot_find_way(host.snapshot, &any, &to, ETH0, &way), RJ_NET_REACHED);
}

Test(net_snapshot, the_longest_prefix_wins_then_the_lowest_priority)
{
    add_main("192.0.2.0", 24, ETH1, "10.1.0.2");
    add_main("192.0.2.128", 25, ETH0, "10.0.0.2")->priority = 20;
    add_main("192.0.2.128", 25, ETH1, "10.1.0.2")->priority = 10;
    add_main("192.0.2.129", 32, ETH0, "10.0.0.2");
    build();
    cr_expect_eq(way_to("192.0.2.1").destination_mac[5], 12);
    cr_expect_eq(way_to("192.0.2.128").destination_mac[5], 12);
    cr_expect_eq(way_to("192.0.2.129").destination_mac[5], 2);
    cr_expect_eq(way_to("192.0.3.1").destination_mac[5], 99);
}

Test(net_snapshot, every_prefix_length_finds_its_own)
{
    host.parts.route_count = 0;
    host.parts.hop_count = 0;
    static const uint8_t lengths[] = {0, 1, 7, 8, 9, 15, 16, 17, 23, 24, 25, 30, 31, 32};
    for (size_t i = 0; i < sizeof(lengths); i++) {
        const uint32_t mask = lengths[i] == 0 ? 0 : UINT32_MAX << (32 - lengths[i]);
        const uint32_t prefix = htonl(0xc0a85aa5 & mask);
        rj_net_route_t *route = add_main("0.0.0.0", lengths[i], ETH0, "10.0.0.2");
        memcpy(route->destination.bytes, &prefix, 4);
        route->mtu_bytes = 100u + lengths[i];
    }
    build();
    for (size_t i = 0; i < sizeof(lengths); i++) {
        /* Differs from the prefixes in the first bit behind this one's. */
        const uint32_t flip = lengths[i] == 32 ? 0 : 0x80000000 >> lengths[i];
        const uint32_t to = htonl(0xc0a85aa5 ^ flip);
        uint8_t bytes[4];
        memcpy(bytes, &to, 4);
        const rj_address_t destination = rj_address_ipv4(bytes, 1);
        const rj_address_t any = {0};
        rj_net_way_t way;
        cr_assert_eq(rj_net_snapshot_find_way(host.snapshot, &any, &destination, 0, &way),
                     RJ_NET_REACHED);
        cr_expect_eq(way.mtu_bytes, 100u + lengths[i], "/%u gives %u", lengths[i], way.mtu_bytes);
    }
}

Test(net_snapshot, what_is_ours_is_local)
{
    expect_answer("10.0.0.1", RJ_NET_LOCAL);
    expect_answer("10.1.0.1", RJ_NET_LOCAL);
    expect_answer("127.9.8.7", RJ_NET_LOCAL);
    expect_answer("2001:db8::1", RJ_NET_LOCAL);
    expect_answer("0.0.0.0", RJ_NET_LOCAL);
    const rj_address_t own = scoped("fe80::1", ETH0);
    const rj_address_t other = scoped("fe80::1", ETH1);
    cr_expect(rj_net_snapshot_is_ours(host.snapshot, &own));
    cr_expect_not(rj_net_snapshot_is_ours(host.snapshot, &other));
    const rj_address_t wildcard = address("0.0.0.0");
    cr_expect_not(rj_net_snapshot_is_ours(host.snapshot, &wildcard));
}

Test(net_snapshot, what_the_kernel_alone_decides_is_not_simple)
{
    add_route(RJ_NET_TABLE_MAIN, RJ_NET_ROUTE_OTHER, "192.0.2.0", 24);
    rj_net_route_t *several = add_main("198.51.100.0", 24, ETH0, "10.0.0.2");
    add_hop(several, ETH1, "10.1.0.2");
    rj_net_route_t *same = add_main("2001:db8:2::", 64, ETH0, "fe80::fe");
    same->priority = 1024;
    add_main("2001:db8:2::", 64, ETH1, "fe80::fe")->priority = 1024;
    /* A longer prefix in main than in local: IPv4 and IPv6 differ. */
    add_main("127.1.0.0", 16, ETH0, "10.0.0.2");
    build();
    expect_answer("192.0.2.1", RJ_NET_NOT_SIMPLE);
    expect_answer("198.51.100.1", RJ_NET_NOT_SIMPLE);
    expect_answer("2001:db8:2::9", RJ_NET_NOT_SIMPLE);
    expect_answer("10.0.0.255", RJ_NET_NOT_SIMPLE);
    expect_answer("255.255.255.255", RJ_NET_NOT_SIMPLE);
    expect_answer("::ffff:10.0.0.2", RJ_NET_NOT_SIMPLE);
}

Test(net_snapshot, rules_leave_routes_to_the_kernel)
{
    host.parts.has_rules = true;
    build();
    expect_answer("10.1.0.2", RJ_NET_NOT_SIMPLE);
    expect_answer("10.0.0.1", RJ_NET_LOCAL);
    expect_answer("224.1.1.1", RJ_NET_NOT_SIMPLE);
    rj_net_way_t way;
    cr_expect_eq(ask(NULL, "224.1.1.1", ETH0, &way), RJ_NET_REACHED);
}

Test(net_snapshot, of_several_hops_the_only_living_one_is_taken)
{
    rj_net_route_t *route = add_main("198.51.100.0", 24, ETH0, "10.0.0.2");
    rj_net_hop_t *second = add_hop(route, ETH1, "10.1.0.2");
    second->is_dead = true;
    build();
    cr_expect_eq(way_to("198.51.100.1").destination_mac[5], 2);
    rj_net_way_t way;
    second->is_dead = false;
    build();
    cr_expect_eq(ask(NULL, "198.51.100.1", ETH1, &way), RJ_NET_REACHED);
    cr_expect_eq(way.destination_mac[5], 12, "over the link that was asked for");
}

Test(net_snapshot, a_dead_route_leaves_the_field_to_the_next)
{
    rj_net_route_t *first = add_main("192.0.2.0", 24, ETH1, "10.1.0.2");
    host.hops[first->first_hop].is_dead = true;
    build();
    cr_expect_eq(way_to("192.0.2.1").destination_mac[5], 99, "the shorter prefix");
    add_main("192.0.2.0", 24, ETH0, "10.0.0.2")->priority = 5;
    build();
    cr_expect_eq(way_to("192.0.2.1").destination_mac[5], 2, "the next priority");
    for (size_t i = 0; i < host.parts.hop_count; i++)
        host.hops[i].is_dead = true;
    build();
    expect_answer("192.0.2.1", RJ_NET_LINK_DOWN);
}

Test(net_snapshot, the_default_table_comes_after_main)
{
    rj_net_route_t *last = add_route(RJ_NET_TABLE_DEFAULT, RJ_NET_ROUTE_UNICAST, "192.0.2.0", 24);
    add_hop(last, ETH1, "10.1.0.2");
    build();
    cr_expect_eq(way_to("192.0.2.1").destination_mac[5], 99, "main has a default route");
    host.routes[0].table = 100;
    build();
    cr_expect_eq(way_to("192.0.2.1").destination_mac[5], 12);
    expect_answer("203.0.113.1", RJ_NET_NO_ROUTE);
}

Test(net_snapshot, says_what_is_missing)
{
    expect_answer("10.0.0.9", RJ_NET_NO_NEIGHBOUR);
    host.neighbours[0].is_usable = false;
    add_main("192.0.2.0", 24, TUN0, NULL);
    add_main("192.0.3.0", 24, LO, NULL);
    build();
    expect_answer("10.1.0.2", RJ_NET_NO_NEIGHBOUR);
    expect_answer("192.0.2.1", RJ_NET_NOT_ETHERNET);
    expect_answer("192.0.3.1", RJ_NET_NOT_ETHERNET);
    host.links[0].is_up = false;
    build();
    expect_answer("10.1.0.2", RJ_NET_LINK_DOWN);
    const rj_address_t nowhere = {0};
    rj_net_way_t way;
    cr_expect_eq(rj_net_snapshot_find_way(host.snapshot, &nowhere, &nowhere, 0, &way),
                 RJ_NET_NO_ROUTE);
}

Test(net_snapshot, without_a_neighbour_the_rest_of_the_way_is_there)
{
    rj_net_way_t way;
    cr_assert_eq(ask(NULL, "10.0.0.9", 0, &way), RJ_NET_NO_NEIGHBOUR);
    cr_expect_eq(way.link_index, ETH0);
    expect_host(&way.next_hop, "10.0.0.9");
    expect_host(&way.source, "10.0.0.1");
}

Test(net_snapshot, a_group_has_a_mac_of_its_own)
{
    rj_net_way_t way;
    static const uint8_t ipv4[6] = {0x01, 0x00, 0x5e, 0x7f, 0x02, 0x03};
    cr_assert_eq(ask(NULL, "239.255.2.3", ETH1, &way), RJ_NET_REACHED);
    cr_expect_eq(memcmp(way.destination_mac, ipv4, 6), 0);
    cr_expect_eq(way.link_index, ETH1);
    expect_host(&way.source, "10.1.0.1");
    static const uint8_t ipv6[6] = {0x33, 0x33, 0x12, 0x34, 0x56, 0x78};
    cr_assert_eq(ask(NULL, "ff05::1234:5678", ETH0, &way), RJ_NET_REACHED);
    cr_expect_eq(memcmp(way.destination_mac, ipv6, 6), 0);
    expect_host(&way.source, "2001:db8::1");
    cr_assert_eq(ask(NULL, "ff02::9", ETH0, &way), RJ_NET_REACHED);
    expect_host(&way.source, "fe80::1");
}

Test(net_snapshot, a_group_goes_by_its_source_or_by_the_routes)
{
    rj_net_way_t way;
    cr_assert_eq(ask("10.1.0.1", "239.1.1.1", 0, &way), RJ_NET_REACHED);
    cr_expect_eq(way.link_index, ETH1);
    cr_assert_eq(ask(NULL, "239.1.1.1", 0, &way), RJ_NET_REACHED);
    cr_expect_eq(way.link_index, ETH0, "the default route");
    add_main("239.0.0.0", 8, ETH1, NULL);
    build();
    cr_assert_eq(ask("0.0.0.0", "239.1.1.1", 0, &way), RJ_NET_REACHED);
    cr_expect_eq(way.link_index, ETH1);
    cr_expect_eq(ask(NULL, "239.1.1.1", LO, &way), RJ_NET_NOT_ETHERNET);
    cr_expect_eq(ask(NULL, "239.1.1.1", 77, &way), RJ_NET_NO_ROUTE);
}

Test(net_snapshot, a_given_source_stays)
{
    rj_net_way_t way;
    cr_assert_eq(ask("10.1.0.1", "10.0.0.2", 0, &way), RJ_NET_REACHED);
    expect_host(&way.source, "10.1.0.1");
    cr_expect_eq(way.link_index, ETH0);
}

Test(net_snapshot, an_ipv4_route_may_have_an_ipv6_gateway)
{
    add_main("192.0.2.0", 24, ETH0, "fe80::fe");
    build();
    const rj_net_way_t way = way_to("192.0.2.1");
    cr_expect_eq(way.destination_mac[5], 98);
    expect_host(&way.source, "10.0.0.1");
}

Test(net_snapshot, memberships_are_counted_by_link_once_somebody_looked)
{
    const rj_address_t group = address("239.1.1.1");
    const rj_address_t empty = address("239.1.1.2");
    cr_expect_eq(rj_net_snapshot_member_count(host.snapshot, &group, 0), -1);
    host.memberships[0] = (rj_net_membership_t){ETH1, 2, group};
    host.memberships[1] = (rj_net_membership_t){0, 0, empty};
    host.memberships[2] = (rj_net_membership_t){ETH0, 1, group};
    host.parts.membership_count = 3;
    build();
    cr_expect_eq(rj_net_snapshot_member_count(host.snapshot, &group, 0), 3);
    cr_expect_eq(rj_net_snapshot_member_count(host.snapshot, &group, ETH1), 2);
    cr_expect_eq(rj_net_snapshot_member_count(host.snapshot, &group, LO), 0);
    cr_expect_eq(rj_net_snapshot_member_count(host.snapshot, &empty, ETH0), 0);
}

Test(net_snapshot, links_are_found_by_index_and_by_name)
{
    cr_assert_not_null(rj_net_snapshot_link(host.snapshot, ETH1));
    cr_expect_str_eq(rj_net_snapshot_link(host.snapshot, ETH1)->name, "eth1");
    cr_expect_null(rj_net_snapshot_link(host.snapshot, 9));
    cr_assert_not_null(rj_net_snapshot_link_named(host.snapshot, "lo"));
    cr_expect_eq(rj_net_snapshot_link_named(host.snapshot, "lo")->index, LO);
    cr_expect_null(rj_net_snapshot_link_named(host.snapshot, "eth"));
}

Test(net_snapshot, parts_that_do_not_fit_are_refused)
{
    rj_net_snapshot_t *none = NULL;
    rj_err_t err;
    rj_net_route_t *route = add_main("192.0.2.0", 33, ETH0, NULL);
    cr_expect_eq(rj_net_snapshot_build(&host.parts, &none, &err), -EINVAL);
    route->prefix_bits = 24;
    route->hop_count = ITEMS_MAX;
    cr_expect_eq(rj_net_snapshot_build(&host.parts, &none, &err), -EINVAL);
    route->hop_count = 1;
    route->destination.family = AF_UNSPEC;
    cr_expect_eq(rj_net_snapshot_build(&host.parts, &none, &err), -EINVAL);
    cr_expect_null(none);
}

Test(net_snapshot, a_host_without_anything_has_no_routes)
{
    const rj_net_snapshot_t nothing = {0};
    rj_net_snapshot_t *snapshot = NULL;
    cr_assert_eq(rj_net_snapshot_build(&nothing, &snapshot, NULL), 0);
    const rj_address_t any = {0};
    const rj_address_t to = address("10.0.0.2");
    rj_net_way_t way;
    cr_expect_eq(rj_net_snapshot_find_way(snapshot, &any, &to, 0, &way), RJ_NET_NO_ROUTE);
    rj_net_snapshot_free(snapshot);
}

Test(net_snapshot, rebuilt_with_the_same_routes_it_answers_the_same)
{
    rj_net_snapshot_t *again = NULL;
    cr_assert_eq(rj_net_snapshot_rebuild(&host.parts, host.snapshot, &again, NULL), 0);
    cr_expect(rj_net_snapshot_equal(host.snapshot, again));
    host.neighbours[0].mac[5] = 77;
    rj_net_snapshot_free(again);
    cr_assert_eq(rj_net_snapshot_rebuild(&host.parts, host.snapshot, &again, NULL), 0);
    cr_expect_not(rj_net_snapshot_equal(host.snapshot, again));
    rj_net_snapshot_free(host.snapshot);
    host.snapshot = again;
    cr_expect_eq(way_to("10.1.0.2").destination_mac[5], 77);
    cr_expect_eq(way_to("192.0.2.77").destination_mac[5], 99);
}
