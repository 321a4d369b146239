/* SPDX-License-Identifier: Apache-2.0 */
#include "name/resolve_csv.h"

#include <criterion/criterion.h>
#include <ramjet/command.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *asked; /* of the fallback, last */

static int fallback_resolve(rj_resolver_t *resolver, const char *host, uint16_t family,
                            rj_resolve_reason_t reason, rj_address_t *ret, rj_err_t *err)
{
    static const uint8_t bytes[4] = {10, 0, 0, 7};
    static char copy[64];
    (void)resolver;
    (void)family;
    (void)reason;
    (void)err;
    snprintf(copy, sizeof(copy), "%s", host);
    asked = copy;
    *ret = rj_address_ipv4(bytes, 0);
    return 0;
}

static const rj_resolver_ops_t fallback_ops = {.name = "fallback", .resolve = fallback_resolve};
static rj_resolver_t fallback = {.ops = &fallback_ops};
static rj_resolver_csv_t csv;
static int64_t words[2];

static void open_table(const char *table)
{
    rj_err_t err;
    asked = NULL;
    cr_assert_eq(rj_resolver_csv_open(&csv, table, &fallback, &err), 0, "%s", err.text);
    for (int i = 0; i < csv.row_count && i < 2; i++) {
        words[i] = RJ_CSV_FIRST;
        csv.rows[i].choice = &words[i];
    }
}

static void close_table(void)
{
    rj_resolver_csv_close(&csv);
}

static void expect(const char *text, const char *address)
{
    char printed[RJ_ADDRESS_TEXT_BYTES];
    rj_address_t found;
    rj_err_t err;
    cr_assert_eq(
        rj_resolver_resolve_text(&csv.base, "endpoint", text, RJ_RESOLVE_AGAIN, &found, &err), 0,
        "%s", err.text);
    rj_address_print(&found, printed);
    cr_expect_str_eq(printed, address);
}

TestSuite(resolve_csv, .fini = close_table);

Test(resolve_csv, gives_the_host_that_the_word_of_the_row_says)
{
    open_table("name-0,127.0.0.1:24326,127.0.0.1:24327|name-1,10.1.1.1:5,10.1.1.2:5|");
    cr_assert_eq(csv.row_count, 2);
    expect("name-0", "127.0.0.1:24326");
    words[0] = RJ_CSV_OTHER;
    expect("name-0", "127.0.0.1:24327");
    expect("name-1", "10.1.1.1:5");
    words[0] = RJ_CSV_FIRST;
    expect("name-0", "127.0.0.1:24326");
}

Test(resolve_csv, replaces_a_host_and_keeps_the_port)
{
    open_table("node0,127.0.0.1,[::1]");
    expect("node0:20111", "127.0.0.1:20111");
    words[0] = RJ_CSV_OTHER;
    expect("node0:20111", "[::1]:20111");
    cr_expect_null(asked);
}

Test(resolve_csv, replaces_a_literal_too)
{
    open_table("127.0.0.1:40456,127.0.0.1:40456,127.0.0.2:40456");
    expect("127.0.0.1:40456", "127.0.0.1:40456");
    words[0] = RJ_CSV_OTHER;
    expect("127.0.0.1:40456", "127.0.0.2:40456");
}

Test(resolve_csv, asks_for_names_of_the_table_and_all_others)
{
    open_table("node0,somewhere,elsewhere");
    expect("node0:1", "10.0.0.7:1");
    cr_expect_str_eq(asked, "somewhere");
    expect("node:2", "10.0.0.7:2");
    cr_expect_str_eq(asked, "node");
    expect("node00:2", "10.0.0.7:2");
    cr_expect_str_eq(asked, "node00", "only a whole name is one of the table");
}

Test(resolve_csv, fails_where_it_was_told_to)
{
    rj_address_t found = {.port = 7};
    rj_err_t err;
    open_table("name-0,127.0.0.1:24326,127.0.0.1:24327|node0,127.0.0.1,127.0.0.1");
    words[0] = RJ_CSV_FAILS;
    words[1] = RJ_CSV_FAILS;
    cr_expect_lt(
        rj_resolver_resolve_text(&csv.base, "endpoint", "name-0", RJ_RESOLVE_AGAIN, &found, &err),
        0);
    cr_expect_eq(err.aeron_code, RJ_ERROR_UNKNOWN_HOST);
    cr_expect_str_eq(err.text, "Unresolved - endpoint=name-0: Unable to resolve host=(name-0): "
                               "(forced)");
    cr_expect_lt(
        rj_resolver_resolve_text(&csv.base, "control", "node0:5", RJ_RESOLVE_AGAIN, &found, &err),
        0);
    cr_expect_not_null(strstr(err.text, "Unresolved - control=node0:5"));
    cr_expect_eq(found.port, 7);
}

Test(resolve_csv, refuses_rows_that_have_not_three_columns)
{
    static const char *const tables[] = {"a,b", "a,b,c,d", "a,,c", ",b,c", "a,b,c|d"};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        rj_err_t err;
        cr_expect_eq(rj_resolver_csv_open(&csv, tables[i], &fallback, &err), -EINVAL, "%s",
                     tables[i]);
        cr_expect_not_null(strstr(err.text, "row"), "%s", err.text);
    }
}

Test(resolve_csv, refuses_more_rows_than_it_has_room_for)
{
    static char table[(RJ_CSV_ROWS_MAX + 1) * 8];
    rj_err_t err;
    for (int i = 0; i <= RJ_CSV_ROWS_MAX; i++)
        strcat(table, "a,b,c|");
    cr_expect_eq(rj_resolver_csv_open(&csv, table, &fallback, &err), -EINVAL);
    table[strlen(table) - 6] = '\0';
    cr_expect_eq(rj_resolver_csv_open(&csv, table, &fallback, &err), 0);
}
