/* SPDX-License-Identifier: Apache-2.0 */
#include "config/channel_rules.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(channel_rules, take_the_first_that_fits)
{
    static const char rules[] = "10.0.0.2:*=socket,*:40123=xdp,host*.lan:1=gso,[fd00::*]:7=uring";
    static const struct {
        const char *endpoint;
        rj_transport_t transport;
    } rows[] = {
        {"10.0.0.2:1", RJ_TRANSPORT_SOCKET},   {"10.0.0.2:40123", RJ_TRANSPORT_SOCKET},
        {"10.0.0.3:40123", RJ_TRANSPORT_XDP},  {"10.0.0.3:4012", RJ_TRANSPORT_AUTO},
        {"host7.x.lan:1", RJ_TRANSPORT_GSO},   {"host.lan:12", RJ_TRANSPORT_AUTO},
        {"[fd00::1:2]:7", RJ_TRANSPORT_URING}, {"[fd01::1:2]:7", RJ_TRANSPORT_AUTO},
        {"host.lan.lan:1", RJ_TRANSPORT_GSO},  {"", RJ_TRANSPORT_AUTO},
    };
    rj_err_t err;
    cr_assert_eq(rj_channel_rules_check(rules, &err), 0, "%s", err.text);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_expect_eq(rj_channel_rules_find(rules, rows[i].endpoint), rows[i].transport, "%s",
                     rows[i].endpoint);
}

Test(channel_rules, may_be_none)
{
    cr_assert_eq(rj_channel_rules_check("", NULL), 0);
    cr_expect_eq(rj_channel_rules_find("", "10.0.0.2:1"), RJ_TRANSPORT_AUTO);
}

Test(channel_rules, refuse_what_is_none_and_say_which)
{
    static const char *const bad[] = {"a",      "=socket",        "a=",           "a=pigeon",
                                      "a=xdp,", "a=xdp,,b=xdp",   ",a=xdp",       "a=xdp,b",
                                      "a=xdp ", "a=socketsocket", "a=b=c,d=sock", ","};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        rj_err_t err = {0};
        cr_expect_eq(rj_channel_rules_check(bad[i], &err), -EINVAL, "%s", bad[i]);
        cr_expect_not_null(strstr(err.text, "ENDPOINT-PATTERN=NAME"), "%s", err.text);
    }
}
