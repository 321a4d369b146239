/* SPDX-License-Identifier: Apache-2.0 */
#include "name/gossip_cache.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { TIMEOUT_NS = 1000 };

static rj_gossip_cache_t cache;

static void open_cache(void)
{
    rj_err_t err;
    cr_assert_eq(rj_gossip_cache_open(&cache, TIMEOUT_NS, &err), 0, "%s", err.text);
}

static void close_cache(void)
{
    rj_gossip_cache_close(&cache);
}

TestSuite(gossip_cache, .init = open_cache, .fini = close_cache);

static rj_address_t host(uint8_t number)
{
    const uint8_t bytes[4] = {10, 0, 0, number};
    return rj_address_ipv4(bytes, 8050);
}

static bool learn(const char *name, const rj_address_t *address, bool is_self, int64_t heard_ns)
{
    const rj_gossip_entry_t entry = {.address = *address,
                                     .is_self = is_self,
                                     .name_length = (uint16_t)strlen(name),
                                     .name = name};
    return rj_gossip_cache_learn(&cache, &entry, heard_ns);
}

static const rj_address_t *find(const char *name)
{
    return rj_gossip_cache_find(&cache, name, strlen(name), AF_INET);
}

Test(gossip_cache, finds_whole_names_only)
{
    const rj_address_t a = host(1);
    cr_assert(learn("host-a", &a, true, 0));
    cr_assert(rj_address_equal(find("host-a"), &a));
    cr_assert_null(find("host"));
    cr_assert_null(find("host-ab"));
    cr_assert_null(find("host-b"));
    cr_assert_null(rj_gossip_cache_find(&cache, "host-a", 6, AF_INET6));
}

Test(gossip_cache, keeps_one_address_for_each_family)
{
    static const uint8_t bytes[16] = {0xfd, [15] = 1};
    const rj_address_t a = host(1);
    const rj_address_t b = host(2);
    const rj_address_t c = rj_address_ipv6(bytes, 8050, 0);
    learn("x", &a, true, 0);
    learn("x", &c, true, 0);
    learn("x", &b, true, 0);
    cr_assert_eq(cache.name_count, 2);
    cr_assert(rj_address_equal(find("x"), &b));
    cr_assert(rj_address_equal(rj_gossip_cache_find(&cache, "x", 1, AF_INET6), &c));
    cr_assert_eq(cache.neighbor_count, 3);
}

Test(gossip_cache, forgets_at_the_timeout_after_the_last_sign_of_the_origin)
{
    const rj_address_t a = host(1);
    learn("x", &a, true, 100);
    cr_assert_eq(rj_gossip_cache_expire(&cache, 100 + TIMEOUT_NS - 1), 0);
    learn("x", &a, true, 500);
    cr_assert_eq(rj_gossip_cache_expire(&cache, 500 + TIMEOUT_NS - 1), 0);
    cr_assert_eq(rj_gossip_cache_expire(&cache, 500 + TIMEOUT_NS), 2);
    cr_assert_null(find("x"));
    cr_assert_not(rj_gossip_cache_has_neighbor(&cache, &a));
}

Test(gossip_cache, takes_older_news_of_a_name_but_no_sign_of_a_neighbour_from_others)
{
    const rj_address_t a = host(1);
    const rj_address_t b = host(2);
    learn("x", &a, true, 500);
    learn("x", &b, false, 300);
    cr_assert(rj_address_equal(find("x"), &b));
    cr_assert(rj_gossip_cache_has_neighbor(&cache, &b), "told of, so it is told too");
    learn("x", &a, false, 900);
    cr_assert_eq(rj_gossip_cache_expire(&cache, 300 + TIMEOUT_NS), 1, "b");
    cr_assert_eq(rj_gossip_cache_expire(&cache, 500 + TIMEOUT_NS), 1, "a, though told of since");
    cr_assert_not_null(find("x"));
}

Test(gossip_cache, takes_nobody_for_a_neighbour_who_can_be_none)
{
    static const uint8_t group[4] = {224, 0, 0, 1};
    rj_address_t any = rj_address_wildcard(AF_INET);
    any.port = 8050;
    rj_address_t no_port = host(1);
    no_port.port = 0;
    const rj_address_t many = rj_address_ipv4(group, 8050);
    cr_expect(learn("any", &any, false, 0));
    cr_expect(learn("no-port", &no_port, false, 0));
    cr_expect(learn("many", &many, false, 0));
    cr_expect_eq(cache.neighbor_count, 0);
    cr_expect_eq(cache.name_count, 3);
}

Test(gossip_cache, takes_nothing_new_when_it_is_full_and_goes_on)
{
    char name[16];
    const rj_address_t a = host(1);
    for (int i = 0; i < RJ_GOSSIP_NAMES_MAX; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        cr_assert(learn(name, &a, true, i < 10 ? 0 : 100));
    }
    cr_assert_not(learn("one-more", &a, true, 100));
    cr_assert(learn("n7", &a, true, 100), "what is known is refreshed");
    cr_assert_eq(rj_gossip_cache_expire(&cache, TIMEOUT_NS), 9);
    cr_assert(learn("one-more", &a, true, 100));
    for (int i = cache.neighbor_count; i < RJ_GOSSIP_NEIGHBORS_MAX; i++) {
        rj_address_t address = host(2);
        address.port = (uint16_t)(1000 + i);
        cr_assert(learn("n7", &address, true, 100));
    }
    const rj_address_t b = host(3);
    cr_assert_not(learn("n7", &b, true, 100));
    cr_assert(rj_address_equal(find("n7"), &b), "the name all the same");
}
