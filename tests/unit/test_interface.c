/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/interface.h"

#include <criterion/criterion.h>
#include <ramjet/command.h>
#include <stdio.h>
#include <string.h>

#include "name/interfaces.h"

enum {
    UP = RJ_INTERFACE_UP,
    LOOPBACK = RJ_INTERFACE_UP | RJ_INTERFACE_LOOPBACK,
    MULTICAST = RJ_INTERFACE_UP | RJ_INTERFACE_MULTICAST,
    DOWN = RJ_INTERFACE_MULTICAST,
};

static rj_interface_t record(const char *name, uint32_t index, uint32_t flags, const char *address,
                             uint8_t prefix)
{
    rj_interface_t interface = {.index = index, .flags = flags, .prefix_bits = prefix};
    snprintf(interface.name, sizeof(interface.name), "%s", name);
    const uint16_t family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
    cr_assert(rj_address_parse_literal(&interface.address, family, address, strlen(address)));
    return interface;
}

typedef struct host {
    rj_interface_t records[10];
    size_t count;
} host_t;

static host_t a_host(void)
{
    return (host_t){
        {record("lo", 1, LOOPBACK, "127.0.0.1", 8), record("wg0", 2, UP, "10.9.0.1", 32),
         record("eth0", 3, MULTICAST, "10.1.0.7", 16), record("eth1", 4, MULTICAST, "10.1.2.7", 24),
         record("eth2", 5, MULTICAST, "10.1.3.7", 24), record("eth3", 6, DOWN, "10.1.4.7", 30),
         record("lo", 1, LOOPBACK, "::1", 128), record("eth0", 3, MULTICAST, "fe80::7", 64),
         record("eth1", 4, MULTICAST, "fe80::8", 64),
         record("eth1", 4, MULTICAST, "2001:db8::8", 64)},
        10};
}

static int find(const host_t *host, const char *text, rj_interface_match_t *ret, rj_err_t *err)
{
    rj_interface_spec_t spec;
    cr_assert_eq(rj_interface_spec_parse(&spec, text, strlen(text), err), 0, "%s", text);
    cr_assert(spec.is_literal, "%s", text);
    return rj_interface_find(host->records, host->count, &spec.address, spec.prefix_bits, text, ret,
                             err);
}

Test(interface, takes_every_form_apart)
{
    static const struct {
        const char *text;
        const char *host;
        uint16_t family;
        uint16_t port;
        uint8_t prefix;
        bool is_literal;
    } rows[] = {
        {"10.1.0.7", "10.1.0.7", AF_INET, 0, 32, true},
        {"10.1.0.0/16", "10.1.0.0", AF_INET, 0, 16, true},
        {"10.1.0.7:40/24", "10.1.0.7", AF_INET, 40, 24, true},
        {"localhost", "localhost", AF_INET, 0, 32, false},
        {"localhost:7", "localhost", AF_INET, 7, 32, false},
        {"[::1]", "::1", AF_INET6, 0, 128, true},
        {"[fe80::7%eth0]:5/64", "fe80::7", AF_INET6, 5, 64, true},
        {"[0::]/0", "0::", AF_INET6, 0, 0, true},
        {"[ip6-localhost]", "ip6-localhost", AF_INET6, 0, 128, false},
        {"{eth0}", "eth0", 0, 0, 0, false},
        {"{eth0}:65535", "eth0", 0, 65535, 0, false},
        {"{a}b}:1", "a}b", 0, 1, 0, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rj_interface_spec_t spec;
        rj_err_t err = {0};
        cr_assert_eq(rj_interface_spec_parse(&spec, rows[i].text, strlen(rows[i].text), &err), 0,
                     "%s: %s", rows[i].text, err.text);
        cr_assert_str_eq(spec.host, rows[i].host);
        cr_assert_eq(spec.family, rows[i].family);
        cr_assert_eq(spec.port, rows[i].port);
        cr_assert_eq(spec.prefix_bits, rows[i].prefix);
        cr_assert_eq(spec.is_literal, rows[i].is_literal);
        cr_assert_eq(spec.is_named, rows[i].text[0] == '{');
    }
}

Test(interface, refuses_texts_that_mean_none)
{
    static const char *const rows[] = {"",
                                       ":5",
                                       "10.1.0.7:",
                                       "10.1.0.7/33",
                                       "10.1.0.7/",
                                       "10.1.0.7/x",
                                       "[::1]/129",
                                       "[::1",
                                       "[::1]x",
                                       "{}",
                                       "{eth0",
                                       "{eth0}x",
                                       "{eth0}:",
                                       "{eth0}:65536",
                                       "{sixteen-bytes-xx}",
                                       "10.1.0.7/-1",
                                       "::1",
                                       "[]"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rj_interface_spec_t spec;
        rj_err_t err = {0};
        cr_assert_lt(rj_interface_spec_parse(&spec, rows[i], strlen(rows[i]), &err), 0, "%s",
                     rows[i]);
        cr_assert_eq(err.aeron_code, RJ_ERROR_GENERIC);
    }
}

Test(interface, prefers_multicast_and_the_longest_netmask)
{
    const host_t host = a_host();
    static const struct {
        const char *text;
        uint32_t index;
        uint16_t port;
    } rows[] = {
        {"0.0.0.0/0", 4, 0},       /* eth1: the first of two with the longest netmask */
        {"10.1.0.0/16", 4, 0},     /* not eth0, which is listed first with a shorter one */
        {"10.1.0.7", 3, 0},        /* exactly one */
        {"10.1.3.9:40/24", 5, 40}, /* the port of the text */
        {"127.0.0.0/8", 1, 0},     /* a loopback where nothing else matches */
        {"[::1]", 1, 0},
        {"[0::]/0", 3, 0}, /* the loopback gives way although its netmask is longer */
        {"[2001:db8::]/32", 4, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rj_interface_match_t match;
        rj_err_t err = {0};
        cr_assert_eq(find(&host, rows[i].text, &match, &err), 0, "%s: %s", rows[i].text, err.text);
        cr_assert_eq(match.index, rows[i].index, "%s gave %u", rows[i].text, match.index);
        cr_assert_eq(match.address.port, rows[i].port);
    }
}

Test(interface, does_not_take_a_loopback_listed_behind_another)
{
    host_t host = a_host();
    const rj_interface_t loopback = host.records[0];
    host.records[0] = host.records[2];
    host.records[2] = loopback;
    rj_interface_match_t match;
    cr_assert_eq(find(&host, "0.0.0.0/0", &match, NULL), 0);
    cr_assert_neq(match.index, 1);
}

Test(interface, finds_nothing_that_is_down_or_cannot_multicast)
{
    const host_t host = a_host();
    static const char *const rows[] = {"10.1.4.7", "10.9.0.1", "192.168.0.0/16", "[2001:db9::]/32"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rj_interface_match_t match;
        rj_err_t err;
        char expected[100];
        cr_assert_lt(find(&host, rows[i], &match, &err), 0, "%s", rows[i]);
        snprintf(expected, sizeof(expected), "could not find matching interface='%s'", rows[i]);
        cr_assert_str_eq(err.text, expected);
        cr_assert_eq(err.aeron_code, RJ_ERROR_GENERIC);
    }
}

Test(interface, gives_link_local_addresses_the_scope_of_their_interface)
{
    const host_t host = a_host();
    rj_interface_match_t match;
    cr_assert_eq(find(&host, "[fe80::8]", &match, NULL), 0);
    cr_assert_eq(match.address.scope_id, 4);
    struct sockaddr_storage storage;
    rj_address_to_sockaddr(&match.address, &storage);
    cr_assert_eq(((const struct sockaddr_in6 *)&storage)->sin6_scope_id, 4);
    cr_assert_eq(find(&host, "[2001:db8::8]", &match, NULL), 0);
    cr_assert_eq(match.address.scope_id, 0);
}

Test(interface, finds_by_name_whatever_the_interface_can_do)
{
    const host_t host = a_host();
    rj_interface_match_t match;
    rj_err_t err;
    cr_assert_eq(rj_interface_find_named(host.records, host.count, "wg0", AF_INET, 9, &match, &err),
                 0);
    cr_assert_eq(match.index, 2);
    cr_assert_eq(match.address.port, 9);
    cr_assert_eq(
        rj_interface_find_named(host.records, host.count, "eth1", AF_INET6, 0, &match, &err), 0);
    cr_assert_eq(match.address.scope_id, 4, "the first address of the family");

    cr_assert_lt(
        rj_interface_find_named(host.records, host.count, "eth9", AF_INET, 0, &match, &err), 0);
    cr_assert_str_eq(err.text, "unknown interface eth9");
    cr_assert_lt(
        rj_interface_find_named(host.records, host.count, "eth3", AF_INET, 0, &match, &err), 0);
    cr_assert_str_eq(err.text, "unknown interface eth3", "it is down");
    cr_assert_lt(
        rj_interface_find_named(host.records, host.count, "wg0", AF_INET6, 0, &match, &err), 0);
    cr_assert_str_eq(err.text, "no INET6 addresses found on interface wg0");
}

Test(interface, reads_the_loopback_of_this_host)
{
    static rj_interface_t interfaces[RJ_INTERFACES_MAX];
    rj_err_t err = {0};
    const int count = rj_interfaces_read(interfaces, RJ_INTERFACES_MAX, &err);
    cr_assert_geq(count, 0, "%s", err.text);
    bool is_found = false;
    for (int i = 0; i < count; i++) {
        cr_assert_gt(interfaces[i].index, 0);
        if (interfaces[i].address.family == AF_INET && interfaces[i].address.bytes[0] == 127) {
            is_found = true;
            cr_assert(interfaces[i].flags & RJ_INTERFACE_LOOPBACK);
            cr_assert_eq(interfaces[i].prefix_bits, 8);
        }
    }
    cr_assert(is_found);
    cr_assert_leq(rj_interfaces_read(interfaces, 1, &err), 1, "the array bounds it");
}
