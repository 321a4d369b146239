/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/flow_option.h"

#include <criterion/criterion.h>
#include <ramjet/command.h>
#include <string.h>

static const rj_flow_option_t defaults = {.strategy = RJ_FLOW_MAX,
                                          .timeout_ns = 5,
                                          .group_tag = -1,
                                          .group_size_min = 0,
                                          .resend_window_multiple = 4};

Test(flow_option, reads_what_is_said_and_keeps_the_rest)
{
    static const struct {
        const char *text;
        rj_flow_option_t option;
    } rows[] = {
        {"max", {RJ_FLOW_MAX, 5, -1, 0, 4}},
        {"max,rrwm:8", {RJ_FLOW_MAX, 5, -1, 0, 8}},
        {"max,maximum", {RJ_FLOW_MAX, 5, -1, 0, 4}},
        {"min", {RJ_FLOW_MIN, 5, -1, 0, 4}},
        {"min,t:10s", {RJ_FLOW_MIN, 10000000000, -1, 0, 4}},
        {"min,g:/2", {RJ_FLOW_MIN, 5, -1, 2, 4}},
        {"min,t:7", {RJ_FLOW_MIN, 7, -1, 0, 4}},
        {"tagged", {RJ_FLOW_TAGGED, 5, -1, 0, 4}},
        {"tagged,g:101/3,t:5s", {RJ_FLOW_TAGGED, 5000000000, 101, 3, 4}},
        {"tagged,t:5us,g:-9,rrwm:1", {RJ_FLOW_TAGGED, 5000, -9, 0, 1}},
        {"tagged,g:abc", {RJ_FLOW_TAGGED, 5, -1, 0, 4}},
        {"tagged,g:0/2147483647", {RJ_FLOW_TAGGED, 5, 0, INT32_MAX, 4}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rj_flow_option_t option = defaults;
        rj_err_t err = {0};
        cr_assert_eq(rj_flow_option_parse(&option, rows[i].text, strlen(rows[i].text), &err), 0,
                     "%s", err.text);
        cr_assert_eq(option.strategy, rows[i].option.strategy, "%s", rows[i].text);
        cr_assert_eq(option.timeout_ns, rows[i].option.timeout_ns, "%s", rows[i].text);
        cr_assert_eq(option.group_tag, rows[i].option.group_tag, "%s", rows[i].text);
        cr_assert_eq(option.group_size_min, rows[i].option.group_size_min, "%s", rows[i].text);
        cr_assert_eq(option.resend_window_multiple, rows[i].option.resend_window_multiple, "%s",
                     rows[i].text);
    }
}

Test(flow_option, refuses_what_it_does_not_know)
{
    static const char *const rows[] = {
        "",
        "maxi",
        "preferred",
        "min ",
        "max,t:5s",
        "max,g:1",
        "max,",
        "min,",
        "min,,t:5s",
        "min,x:1",
        "min,t:",
        "min,t",
        "min,g:",
        "min,t:x",
        "min,g:1x",
        "min,g:1/",
        "min,g:1/x",
        "min,g:1/-1",
        "min,g:1/2147483648",
        "min,g:9223372036854775808",
        "min,rrwm:0",
        "min,rrwm:-1",
        "min,rrwm:x",
        "min,rrwm:99999999999",
        "tagged,g:0000000000000000000000000000000000000000000000000000000000000001"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rj_flow_option_t option = defaults;
        rj_err_t err = {0};
        cr_assert_lt(rj_flow_option_parse(&option, rows[i], strlen(rows[i]), &err), 0, "%s",
                     rows[i]);
        cr_assert_eq(err.aeron_code, RJ_ERROR_GENERIC);
        cr_assert_eq(memcmp(&option, &defaults, sizeof(option)), 0, "a failure changes nothing");
    }
}

Test(flow_option, does_not_read_beyond_the_value)
{
    rj_flow_option_t option = defaults;
    cr_assert_eq(rj_flow_option_parse(&option, "tagged,g:x9", 10, NULL), 0);
    cr_assert_eq(option.group_tag, -1);
}
