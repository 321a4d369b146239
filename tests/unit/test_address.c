/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/address.h"

#include <criterion/criterion.h>
#include <ramjet/command.h>
#include <string.h>

static rj_address_t literal(uint16_t family, const char *text, uint16_t port)
{
    rj_address_t address;
    cr_assert(rj_address_parse_literal(&address, family, text, strlen(text)), "%s", text);
    address.port = port;
    return address;
}

static rj_address_t ipv4(const char *text, uint16_t port)
{
    return literal(AF_INET, text, port);
}

static rj_address_t ipv6(const char *text, uint16_t port)
{
    return literal(AF_INET6, text, port);
}

static const char *print(const rj_address_t *address)
{
    static char text[RJ_ADDRESS_TEXT_BYTES];
    cr_assert_eq(rj_address_print(address, text), strlen(text));
    return text;
}

Test(address, takes_host_and_port_apart)
{
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
        bool is_literal;
    } rows[] = {
        {"localhost:40456", "localhost", 40456, false}, {"127.0.0.1:0", "127.0.0.1", 0, true},
        {"1.2.3:65535", "1.2.3", 65535, false},         {"[::1]:40456", "::1", 40456, true},
        {"[fe80::1%eth0]:1", "fe80::1", 1, true},       {"[host]:7", "host", 7, false},
        {"[127.0.0.1]:7", "127.0.0.1", 7, false},       {"a:007", "a", 7, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rj_host_port_t parsed;
        rj_err_t err;
        cr_assert_eq(rj_host_port_parse(&parsed, rows[i].text, strlen(rows[i].text), &err), 0, "%s",
                     rows[i].text);
        cr_assert_str_eq(parsed.host.name, rows[i].host);
        cr_assert_eq(parsed.port, rows[i].port);
        cr_assert_eq(parsed.is_literal, rows[i].is_literal, "%s", rows[i].text);
        cr_assert(!parsed.is_literal || parsed.address.port == parsed.port);
        cr_assert_eq(parsed.host.is_bracketed, rows[i].text[0] == '[');
    }
}

Test(address, refuses_what_is_no_host_and_port)
{
    static const struct {
        const char *text;
        const char *words;
    } rows[] = {
        {"localhost", "port invalid"},
        {"localhost:", "port invalid"},
        {"localhost:x", "port invalid"},
        {"localhost:1x", "port invalid"},
        {"localhost: 1", "port invalid"},
        {"localhost:+1", "port invalid"},
        {"localhost:65536", "port out of range"},
        {"localhost:-1", "port out of range"},
        {"h:99999999999999999999", "port invalid"},
        {"[::1]", "port invalid"},
        {"[::1]40", "port invalid"},
        {"[::1", "no closing bracket"},
        {"::1:40456", "address invalid"},
        {"fe80::1:40456", "needs brackets"},
        {":40456", "address invalid"},
        {"[]:1", "address invalid"},
        {"[%eth0]:1", "address invalid"},
        {"", "address invalid"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rj_host_port_t parsed;
        rj_err_t err;
        cr_assert_lt(rj_host_port_parse(&parsed, rows[i].text, strlen(rows[i].text), &err), 0, "%s",
                     rows[i].text);
        cr_assert_not_null(strstr(err.text, rows[i].words), "%s: %s", rows[i].text, err.text);
        cr_assert_eq(err.aeron_code, RJ_ERROR_GENERIC);
    }
}

Test(address, bounds_the_length_of_a_host)
{
    char text[RJ_ADDRESS_HOST_MAX + 4];
    memset(text, 'h', sizeof(text));
    rj_host_port_t parsed;
    memcpy(text + RJ_ADDRESS_HOST_MAX, ":1", 2);
    cr_assert_eq(rj_host_port_parse(&parsed, text, RJ_ADDRESS_HOST_MAX + 2, NULL), 0);
    memcpy(text + RJ_ADDRESS_HOST_MAX, "h:1", 3);
    cr_assert_lt(rj_host_port_parse(&parsed, text, RJ_ADDRESS_HOST_MAX + 3, NULL), 0);
}

Test(address, prints_as_the_system_does)
{
    const rj_address_t v4 = ipv4("224.20.30.39", 40456);
    cr_assert_str_eq(print(&v4), "224.20.30.39:40456");
    const rj_address_t v6 = ipv6("0:0:0:0:0:0:0:1", 0);
    cr_assert_str_eq(print(&v6), "[::1]:0");
    const rj_address_t longest = ipv6("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", 65535);
    cr_assert_str_eq(print(&longest), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
    const rj_address_t mapped = ipv6("::ffff:255.255.255.255", 65535);
    cr_assert_str_eq(print(&mapped), "[::ffff:255.255.255.255]:65535");
    const rj_address_t none = {0};
    cr_assert_str_eq(print(&none), "unspecified");
}

Test(address, survives_a_socket_address_and_keeps_its_scope)
{
    const uint8_t link_local[16] = {0xfe, 0x80, [15] = 9};
    const rj_address_t rows[] = {ipv4("10.1.2.3", 40456), rj_address_ipv6(link_local, 7, 42),
                                 ipv6("::", 0)};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sockaddr_storage storage;
        const socklen_t length = rj_address_to_sockaddr(&rows[i], &storage);
        rj_address_t back;
        cr_assert(rj_address_from_sockaddr(&back, (const struct sockaddr *)&storage, length));
        cr_assert(rj_address_equal(&rows[i], &back));
        cr_assert(!rj_address_from_sockaddr(&back, (const struct sockaddr *)&storage, length - 1));
    }
    struct sockaddr_storage storage;
    rj_address_to_sockaddr(&rows[1], &storage);
    cr_assert_eq(((const struct sockaddr_in6 *)&storage)->sin6_scope_id, 42);
    const rj_address_t none = {0};
    cr_assert_eq(rj_address_to_sockaddr(&none, &storage), 0);
    rj_address_t unused;
    cr_assert(
        !rj_address_from_sockaddr(&unused, (const struct sockaddr *)&storage, sizeof(storage)));
}

Test(address, tells_addresses_apart_by_every_part)
{
    const rj_address_t base = ipv6("fe80::1", 7);
    rj_address_t other = base;
    cr_assert(rj_address_equal(&base, &other));
    cr_assert_eq(rj_address_hash(&base), rj_address_hash(&other));
    other.port = 8;
    cr_assert(!rj_address_equal(&base, &other));
    cr_assert(rj_address_same_host(&base, &other));
    cr_assert_neq(rj_address_hash(&base), rj_address_hash(&other));
    other.scope_id = 3;
    cr_assert(!rj_address_same_host(&base, &other));
    other = ipv4("0.0.0.0", 0);
    const rj_address_t any6 = rj_address_wildcard(AF_INET6);
    cr_assert(!rj_address_equal(&other, &any6));
}

Test(address, knows_wildcards_groups_and_link_locals)
{
    static const struct {
        uint16_t family;
        const char *text;
        bool is_wildcard, is_multicast, is_link_local;
    } rows[] = {
        {AF_INET, "0.0.0.0", true, false, false},
        {AF_INET, "0.0.0.1", false, false, false},
        {AF_INET, "223.255.255.255", false, false, false},
        {AF_INET, "224.0.0.1", false, true, false},
        {AF_INET, "239.255.255.255", false, true, false},
        {AF_INET, "240.0.0.1", false, false, false},
        {AF_INET6, "::", true, false, false},
        {AF_INET6, "::1", false, false, false},
        {AF_INET6, "::ffff:0:0", false, false, false},
        {AF_INET6, "ff02::1:1", false, true, true},
        {AF_INET6, "ff05::1", false, true, false},
        {AF_INET6, "ff12::1", false, true, true},
        {AF_INET6, "fe80::1", false, false, true},
        {AF_INET6, "febf::1", false, false, true},
        {AF_INET6, "fec0::1", false, false, false},
        {AF_INET6, "fe00::1", false, false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const rj_address_t address = literal(rows[i].family, rows[i].text, 5);
        cr_assert_eq(rj_address_is_wildcard(&address), rows[i].is_wildcard, "%s", rows[i].text);
        cr_assert_eq(rj_address_is_multicast(&address), rows[i].is_multicast, "%s", rows[i].text);
        cr_assert_eq(rj_address_is_link_local(&address), rows[i].is_link_local, "%s", rows[i].text);
    }
}

Test(address, pairs_an_odd_data_group_with_the_next_one)
{
    static const struct {
        uint16_t family;
        const char *data;
        const char *control;
    } rows[] = {
        {AF_INET, "224.20.30.39", "224.20.30.40:40456"},
        {AF_INET, "224.10.9.255", "224.10.9.0:40456"}, /* without carry */
        {AF_INET6, "ff02::1:1", "[ff02::1:2]:40456"},
        {AF_INET6, "ff05::ff", "[ff05::]:40456"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const rj_address_t data = literal(rows[i].family, rows[i].data, 40456);
        rj_address_t control;
        cr_assert_eq(rj_address_multicast_control(&data, &control, NULL), 0);
        cr_assert_str_eq(print(&control), rows[i].control);
    }
    const rj_address_t even = ipv4("224.10.9.8", 40124);
    rj_address_t control;
    rj_err_t err;
    cr_assert_lt(rj_address_multicast_control(&even, &control, &err), 0);
    cr_assert_not_null(strstr(err.text, "Multicast data address must be odd"));
    cr_assert_eq(err.aeron_code, RJ_ERROR_GENERIC);
}

Test(address, compares_prefixes_bit_by_bit)
{
    const rj_address_t a = ipv4("10.1.128.1", 1);
    const rj_address_t b = ipv4("10.1.255.2", 2);
    cr_assert(rj_address_matches_prefix(&a, &b, 0));
    cr_assert(rj_address_matches_prefix(&a, &b, 17));
    cr_assert(!rj_address_matches_prefix(&a, &b, 18));
    cr_assert(!rj_address_matches_prefix(&a, &b, 32));
    cr_assert(rj_address_matches_prefix(&a, &a, 32));
    cr_assert(!rj_address_matches_prefix(&a, &a, 33), "longer than the address");
    const rj_address_t c = ipv6("2001:db8::1", 0);
    cr_assert(rj_address_matches_prefix(&c, &c, 128));
    cr_assert(!rj_address_matches_prefix(&a, &c, 0), "another family");
}

Test(address, refuses_literals_of_another_family_or_with_junk)
{
    static const char *const rows[] = {"",         "1.2.3",    "1.2.3.4.5", "256.1.1.1",
                                       " 1.2.3.4", "1.2.3.4 ", "::1"};
    rj_address_t address;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_assert(!rj_address_parse_literal(&address, AF_INET, rows[i], strlen(rows[i])), "%s",
                  rows[i]);
    cr_assert(!rj_address_parse_literal(&address, AF_INET, "1.2.3.4\0x", 9));
    cr_assert(!rj_address_parse_literal(&address, AF_INET6, "1.2.3.4", 7));
}
