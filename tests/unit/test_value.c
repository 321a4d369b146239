/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/value.h"

#include <criterion/criterion.h>
#include <string.h>

Test(value, reads_integers_as_c_writes_them)
{
    static const struct {
        const char *text;
        int64_t value;
    } rows[] = {
        {"0", 0},
        {"7", 7},
        {"-7", -7},
        {"+7", 7},
        {"010", 8},
        {"-010", -8},
        {"0x10", 16},
        {"-0XfF", -255},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"0x7fffffffffffffff", INT64_MAX},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t value;
        cr_assert(rj_value_i64(rows[i].text, strlen(rows[i].text), &value), "%s", rows[i].text);
        cr_assert_eq(value, rows[i].value, "%s", rows[i].text);
    }
}

Test(value, refuses_what_is_no_integer)
{
    static const char *const rows[] = {"",
                                       "-",
                                       "+",
                                       "--1",
                                       " 1",
                                       "1 ",
                                       "1k",
                                       "0x",
                                       "x1",
                                       "08",
                                       "0xg",
                                       "1.",
                                       "++1",
                                       "9223372036854775808",
                                       "-9223372036854775809"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t value = 42;
        cr_assert(!rj_value_i64(rows[i], strlen(rows[i]), &value), "%s", rows[i]);
        cr_assert_eq(value, 42);
    }
}

Test(value, keeps_small_integers_within_32_bits)
{
    int32_t value;
    cr_assert(rj_value_i32("2147483647", 10, &value));
    cr_assert_eq(value, INT32_MAX);
    cr_assert(rj_value_i32("-2147483648", 11, &value));
    cr_assert_eq(value, INT32_MIN);
    cr_assert(!rj_value_i32("2147483648", 10, &value));
    cr_assert(!rj_value_i32("0xffffffff", 10, &value));
}

Test(value, reads_decimals_without_prefixes)
{
    int64_t value;
    cr_assert(rj_value_decimal("010", 3, &value));
    cr_assert_eq(value, 10);
    cr_assert(!rj_value_decimal("0x10", 4, &value));
    cr_assert(!rj_value_decimal("10k", 3, &value));
}

Test(value, reads_booleans_in_full_only)
{
    bool value;
    cr_assert(rj_value_bool("true", 4, &value));
    cr_assert(value);
    cr_assert(rj_value_bool("false", 5, &value));
    cr_assert(!value);
    static const char *const rows[] = {"", "tru", "trueish", "TRUE", "1", "falsehood"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_assert(!rj_value_bool(rows[i], strlen(rows[i]), &value), "%s", rows[i]);
}

Test(value, takes_anything_else_for_a_false_group)
{
    cr_assert_eq(rj_value_inferable("true", 4), RJ_INFERABLE_TRUE);
    cr_assert_eq(rj_value_inferable("infer", 5), RJ_INFERABLE_INFER);
    cr_assert_eq(rj_value_inferable("false", 5), RJ_INFERABLE_FALSE);
    cr_assert_eq(rj_value_inferable("yes", 3), RJ_INFERABLE_FALSE);
}
