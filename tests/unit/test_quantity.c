/* SPDX-License-Identifier: Apache-2.0 */
#include "base/quantity.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(quantity, reads_sizes_with_binary_suffixes)
{
    static const struct {
        const char *text;
        int result;
        int64_t bytes;
    } rows[] = {
        {"0", 0, 0},
        {"1408", 0, 1408},
        {"64k", 0, 65536},
        {"64K", 0, 65536},
        {"16m", 0, 16 << 20},
        {"1g", 0, 1 << 30},
        {"9223372036854775807", 0, INT64_MAX},
        {"9223372036854775808", -ERANGE, 0},
        {"9223372036854775807k", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"k", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1t", -EINVAL, 0},
        {"64kb", -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t bytes = -1;
        int result = rj_parse_size(rows[i].text, strlen(rows[i].text), &bytes);
        cr_expect_eq(result, rows[i].result, "%s", rows[i].text);
        cr_expect_eq(bytes, result == 0 ? rows[i].bytes : -1, "%s", rows[i].text);
    }
}

Test(quantity, reads_durations_and_saturates)
{
    static const struct {
        const char *text;
        int result;
        int64_t ns;
    } rows[] = {
        {"5", 0, 5},
        {"1us", 0, 1000},
        {"200ms", 0, 200000000},
        {"10s", 0, 10000000000},
        {"1S", 0, 1000000000},
        {"2Ms", 0, 2000000},
        {"99999999999999s", 0, INT64_MAX},
        {"99999999999999999999", 0, INT64_MAX},
        {"", -EINVAL, 0},
        {"s", -EINVAL, 0},
        {"1m", -EINVAL, 0},
        {"1 s", -EINVAL, 0},
        {"1sx", -EINVAL, 0},
        {"-1s", -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ns = -1;
        int result = rj_parse_duration(rows[i].text, strlen(rows[i].text), &ns);
        cr_expect_eq(result, rows[i].result, "%s", rows[i].text);
        cr_expect_eq(ns, result == 0 ? rows[i].ns : -1, "%s", rows[i].text);
    }
}

Test(quantity, prints_the_largest_exact_unit)
{
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {
        {7200000000000, "7200s"}, {321000, "321us"}, {100000000, "100ms"}, {1, "1ns"}, {0, "0s"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[RJ_QUANTITY_TEXT_MAX];
        rj_print_duration(text, rows[i].ns);
        cr_expect_str_eq(text, rows[i].text);
    }
}
