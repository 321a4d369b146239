/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/endpoint_table.h"

#include <criterion/criterion.h>
#include <errno.h>

enum { ENDPOINTS = 6 };

static rj_endpoint_table_t table;
static rj_endpoint_t endpoints[ENDPOINTS];

static void open_table(void)
{
    rj_err_t err;
    cr_assert_eq(rj_endpoint_table_open(&table, ENDPOINTS, &err), 0, "%s", err.text);
}

static void close_table(void)
{
    rj_endpoint_table_close(&table);
}

TestSuite(endpoint_table, .init = open_table, .fini = close_table);

static rj_address_t ipv4(uint8_t last, uint16_t port)
{
    const uint8_t bytes[4] = {10, 0, 0, last};
    return rj_address_ipv4(bytes, port);
}

static rj_address_t wildcard(uint16_t family, uint16_t port)
{
    rj_address_t address = rj_address_wildcard(family);
    address.port = port;
    return address;
}

static int add(int index, rj_address_t local)
{
    endpoints[index] = (rj_endpoint_t){.local = local};
    return rj_endpoint_table_add(&table, &endpoints[index]);
}

/* Which endpoints a datagram is for, as bits. */
static unsigned takers(rj_address_t destination)
{
    unsigned bits = 0;
    for (int32_t i = rj_endpoint_table_first(&table, &destination); i >= 0;
         i = rj_endpoint_table_next(&table, i, &destination))
        bits |= 1U << (table.entries[i].endpoint - endpoints);
    return bits;
}

Test(endpoint_table, prefers_the_address_to_the_wildcard)
{
    add(0, wildcard(AF_INET, 100));
    add(1, ipv4(1, 100));
    add(2, wildcard(AF_INET6, 100));
    cr_assert_eq(takers(ipv4(1, 100)), 2);
    cr_assert_eq(takers(ipv4(2, 100)), 1);
    cr_assert_eq(takers(ipv4(1, 101)), 0);
    static const uint8_t host6[16] = {0xfd, [15] = 1};
    cr_assert_eq(takers(rj_address_ipv6(host6, 100, 0)), 4);
}

Test(endpoint_table, names_every_member_of_a_group)
{
    for (int i = 0; i < 3; i++)
        cr_assert_eq(add(i, ipv4(7, 100)), 0);
    add(3, ipv4(8, 100));
    cr_assert_eq(takers(ipv4(7, 100)), 7);
    cr_assert_eq(takers(ipv4(8, 100)), 8);
    cr_assert_eq(table.fan_out_max, 3);
    rj_endpoint_table_remove(&table, &endpoints[1]);
    cr_assert_eq(takers(ipv4(7, 100)), 5);
}

Test(endpoint_table, keeps_link_local_addresses_of_two_interfaces_apart)
{
    static const uint8_t link_local[16] = {0xfe, 0x80, [15] = 1};
    add(0, rj_address_ipv6(link_local, 100, 2));
    add(1, rj_address_ipv6(link_local, 100, 3));
    add(2, rj_address_ipv6(link_local, 100, 0));
    cr_assert_eq(takers(rj_address_ipv6(link_local, 100, 2)), 5);
    cr_assert_eq(takers(rj_address_ipv6(link_local, 100, 3)), 6);
}

Test(endpoint_table, is_full_at_its_limit_and_uses_places_again)
{
    for (int i = 0; i < ENDPOINTS; i++)
        cr_assert_eq(add(i, ipv4((uint8_t)i, 100)), 0);
    rj_endpoint_t more = {.local = ipv4(99, 100)};
    cr_assert_eq(rj_endpoint_table_add(&table, &more), -ENOSPC);
    rj_endpoint_table_remove(&table, &more);
    for (int round = 0; round < 3; round++) {
        rj_endpoint_table_remove(&table, &endpoints[4]);
        rj_endpoint_table_remove(&table, &endpoints[4]);
        cr_assert_eq(takers(ipv4(4, 100)), 0);
        cr_assert_eq(add(4, ipv4(4, 100)), 0);
    }
    for (int i = 0; i < ENDPOINTS; i++)
        cr_assert_eq(takers(ipv4((uint8_t)i, 100)), 1U << i);
}
