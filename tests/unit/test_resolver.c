/* SPDX-License-Identifier: Apache-2.0 */
#include "name/resolver.h"

#include <criterion/criterion.h>
#include <ramjet/command.h>
#include <string.h>

Test(resolver, lets_the_system_find_localhost_over_ipv4_first)
{
    rj_resolver_t resolver;
    rj_resolver_system_init(&resolver);
    rj_address_t address;
    rj_err_t err = {0};
    cr_assert_eq(rj_resolver_resolve_text(&resolver, "endpoint", "localhost:40456",
                                          RJ_RESOLVE_FIRST, &address, &err),
                 0, "%s", err.text);
    cr_assert_eq(address.family, AF_INET);
    cr_assert_eq(address.bytes[0], 127);
    cr_assert_eq(address.port, 40456);
}

Test(resolver, falls_back_to_ipv6_only_when_no_family_is_asked_for)
{
    rj_resolver_t resolver;
    rj_resolver_system_init(&resolver);
    rj_address_t address;
    rj_err_t err;
    cr_assert_eq(
        resolver.ops->resolve(&resolver, "::1", AF_UNSPEC, RJ_RESOLVE_FIRST, &address, &err), 0);
    cr_assert_eq(address.family, AF_INET6);
    cr_assert_lt(resolver.ops->resolve(&resolver, "::1", AF_INET, RJ_RESOLVE_FIRST, &address, &err),
                 0);
    cr_assert_eq(err.aeron_code, RJ_ERROR_UNKNOWN_HOST);
}

/* A label of more than 63 bytes is refused by every resolver without asking a server. */
Test(resolver, tells_which_name_it_does_not_know)
{
    char text[80];
    memset(text, 'x', sizeof(text));
    memcpy(text + 70, ":5", 3);
    rj_resolver_t resolver;
    rj_resolver_system_init(&resolver);
    rj_address_t address = {.port = 42};
    rj_err_t err;
    cr_assert_lt(
        rj_resolver_resolve_text(&resolver, "endpoint", text, RJ_RESOLVE_FIRST, &address, &err), 0);
    cr_assert_eq(err.aeron_code, RJ_ERROR_UNKNOWN_HOST);
    cr_assert_not_null(strstr(err.text, "Unresolved - endpoint=xxx"));
    cr_assert_not_null(strstr(err.text, "Unable to resolve host"));
    cr_assert_eq(address.port, 42, "a failure writes nothing");
}

Test(resolver, leaves_literals_and_malformed_texts_to_nobody)
{
    rj_resolver_t resolver;
    rj_resolver_system_init(&resolver);
    rj_address_t address;
    rj_err_t err;
    cr_assert_eq(
        rj_resolver_resolve_text(&resolver, "control", "[::1]:7", RJ_RESOLVE_AGAIN, &address, &err),
        0);
    cr_assert_eq(address.family, AF_INET6);
    cr_assert_eq(address.port, 7);
    cr_assert_lt(
        rj_resolver_resolve_text(&resolver, "control", "1.2.3.4", RJ_RESOLVE_FIRST, &address, &err),
        0);
    cr_assert_eq(err.aeron_code, RJ_ERROR_GENERIC);
    cr_assert_not_null(strstr(err.text, "control=1.2.3.4"));
}
