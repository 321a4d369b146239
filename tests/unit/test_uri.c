/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/uri.h"

#include <criterion/criterion.h>
#include <ramjet/command.h>
#include <string.h>

static int parse(rj_uri_t *uri, const char *text, rj_err_t *err)
{
    return rj_uri_parse(uri, text, strlen(text), err);
}

static rj_uri_t parsed(const char *text)
{
    rj_uri_t uri;
    rj_err_t err = {0};
    cr_assert_eq(parse(&uri, text, &err), 0, "%s: %s", text, err.text);
    return uri;
}

static void assert_value(const rj_uri_t *uri, const char *key, const char *expected)
{
    rj_uri_value_t value = rj_uri_find(uri, key);
    if (expected == NULL) {
        cr_assert_null(value.text, "%s is there", key);
        return;
    }
    cr_assert_not_null(value.text, "%s is absent", key);
    cr_assert_eq(value.length, strlen(expected));
    cr_assert_eq(memcmp(value.text, expected, value.length), 0, "%s", key);
}

Test(uri, reads_every_form_of_the_grammar)
{
    static const struct {
        const char *text;
        rj_media_t media;
        bool is_spy;
    } rows[] = {
        {"aeron:udp?endpoint=localhost:40456", RJ_MEDIA_UDP, false},
        {"aeron:udp?", RJ_MEDIA_UDP, false},
        {"aeron:ipc", RJ_MEDIA_IPC, false},
        {"aeron:ipc?", RJ_MEDIA_IPC, false},
        {"aeron:ipc?term-length=64k|alias=x", RJ_MEDIA_IPC, false},
        {"aeron-spy:aeron:udp?tags=1", RJ_MEDIA_UDP, true},
        {"aeron-spy:aeron:ipc", RJ_MEDIA_IPC, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const rj_uri_t uri = parsed(rows[i].text);
        cr_assert_eq(uri.media, rows[i].media);
        cr_assert_eq(uri.is_spy, rows[i].is_spy);
        cr_assert_str_eq(uri.text, rows[i].text);
    }
}

Test(uri, refuses_what_the_grammar_does_not_have)
{
    static const struct {
        const char *text;
        const char *words;
    } rows[] = {
        {"", "invalid URI scheme or transport"},
        {"aeron", "invalid URI scheme or transport"},
        {"aeron:", "invalid URI scheme or transport"},
        {"aeron:tcp?endpoint=a:1", "invalid URI scheme or transport"},
        {"aeron:udp", "invalid URI scheme or transport"},
        {"aeron:ipcX", "invalid URI scheme or transport"},
        {"AERON:udp?endpoint=a:1", "invalid URI scheme or transport"},
        {" aeron:udp?endpoint=a:1", "invalid URI scheme or transport"},
        {"aeron-spy:", "invalid URI scheme or transport"},
        {"aeron-spy:aeron-spy:aeron:ipc", "invalid URI scheme or transport"},
        {"aeron:udp?=x", "empty key not allowed"},
        {"aeron:udp?a=b|=x", "empty key not allowed"},
        {"aeron:udp?a|b=c", "invalid end of key"},
        {"aeron:udp?a=b||c=d", "invalid end of key"},
        {"aeron:udp?|a=b", "invalid end of key"},
        {"aeron:udp?a=|b=c", "empty value not allowed"},
        {"aeron:udp?a=b|tags=", "empty value not allowed"},
        {"aeron:udp?a=b|c", "invalid end of key"},
        {"aeron:udp?a=b|", "invalid end of key"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rj_uri_t uri;
        rj_err_t err;
        cr_assert_lt(parse(&uri, rows[i].text, &err), 0, "%s", rows[i].text);
        cr_assert_not_null(strstr(err.text, rows[i].words), "%s: %s", rows[i].text, err.text);
        cr_assert_eq(err.aeron_code, RJ_ERROR_INVALID_CHANNEL);
    }
}

Test(uri, refuses_a_zero_byte_inside)
{
    static const char text[] = "aeron:udp?endpoint=a:1\0|mtu=64";
    rj_uri_t uri;
    rj_err_t err;
    cr_assert_lt(rj_uri_parse(&uri, text, sizeof(text) - 1, &err), 0);
    cr_assert_eq(err.aeron_code, RJ_ERROR_INVALID_CHANNEL);
}

Test(uri, takes_4095_bytes_behind_the_spy_prefix_and_tells_the_first_of_more)
{
    static char text[RJ_URI_SPY_PREFIX_LENGTH + RJ_URI_LENGTH_MAX + 1];
    static const char head[] = "aeron-spy:aeron:udp?alias=";
    memset(text, 'x', sizeof(text));
    memcpy(text, head, sizeof(head) - 1);
    rj_uri_t uri;
    rj_err_t err;
    cr_assert_eq(rj_uri_parse(&uri, text, sizeof(text) - 1, &err), 0);
    cr_assert_eq(rj_uri_find(&uri, "alias").length, sizeof(text) - sizeof(head));
    cr_assert_lt(rj_uri_parse(&uri, text, sizeof(text), &err), 0);
    cr_assert_eq(err.aeron_code, RJ_ERROR_INVALID_CHANNEL);

    const char *plain = text + RJ_URI_SPY_PREFIX_LENGTH;
    cr_assert_eq(rj_uri_parse(&uri, plain, RJ_URI_LENGTH_MAX, &err), 0);
    cr_assert_lt(rj_uri_parse(&uri, plain, RJ_URI_LENGTH_MAX + 1, &err), 0);
    const char *told = strstr(err.text, "aeron:udp");
    cr_assert_not_null(told);
    cr_assert_eq(memcmp(told, plain, RJ_URI_LENGTH_MAX), 0);
}

Test(uri, finds_keys_exactly)
{
    const rj_uri_t uri = parsed("aeron:udp?mtuX=1|Mtu=2|xmtu=3|a=b=c|mtu=4k|e= f |q=%20");
    assert_value(&uri, "mtu", "4k");
    assert_value(&uri, "mtuX", "1");
    assert_value(&uri, "m", NULL);
    assert_value(&uri, "a", "b=c");
    assert_value(&uri, "e", " f ");
    assert_value(&uri, "q", "%20");
    cr_assert(rj_uri_value_is(&uri, "mtu", "4k"));
    cr_assert(!rj_uri_value_is(&uri, "mtu", "4"));
}

Test(uri, takes_the_last_of_addresses_and_the_first_of_others)
{
    const rj_uri_t uri = parsed(
        "aeron:udp?endpoint=a:1|interface=i|ttl=1|control=c:1|control-mode=manual|tags=1|mtu=64|"
        "endpoint=b:2|interface=j|ttl=2|control=d:2|control-mode=dynamic|tags=2|mtu=128");
    assert_value(&uri, "endpoint", "b:2");
    assert_value(&uri, "interface", "j");
    assert_value(&uri, "ttl", "2");
    assert_value(&uri, "control", "d:2");
    assert_value(&uri, "control-mode", "dynamic");
    assert_value(&uri, "tags", "2");
    assert_value(&uri, "mtu", "64");
}

Test(uri, answers_absent_read_or_wrong)
{
    const rj_uri_t uri = parsed("aeron:ipc?s=64k|d=10us|i=-5|l=0x7f|b=true|g=infer|bad=nope");
    int64_t size = 1;
    int64_t duration = 2;
    int32_t small = 3;
    int64_t large = 4;
    bool flag = false;
    rj_inferable_t group = RJ_INFERABLE_FALSE;
    rj_err_t err;
    cr_assert_eq(rj_uri_get_size(&uri, "absent", &size, &err), 0);
    cr_assert_eq(size, 1);
    cr_assert_eq(rj_uri_get_size(&uri, "s", &size, &err), 1);
    cr_assert_eq(size, 65536);
    cr_assert_eq(rj_uri_get_duration(&uri, "d", &duration, &err), 1);
    cr_assert_eq(duration, 10000);
    cr_assert_eq(rj_uri_get_i32(&uri, "i", &small, &err), 1);
    cr_assert_eq(small, -5);
    cr_assert_eq(rj_uri_get_i64(&uri, "l", &large, &err), 1);
    cr_assert_eq(large, 127);
    cr_assert_eq(rj_uri_get_bool(&uri, "b", &flag, &err), 1);
    cr_assert(flag);
    cr_assert_eq(rj_uri_get_inferable(&uri, "g", &group), 1);
    cr_assert_eq(group, RJ_INFERABLE_INFER);

    cr_assert_lt(rj_uri_get_size(&uri, "bad", &size, &err), 0);
    cr_assert_str_eq(err.text, "could not parse bad=nope");
    cr_assert_eq(err.aeron_code, RJ_ERROR_GENERIC);
    cr_assert_lt(rj_uri_get_duration(&uri, "bad", &duration, &err), 0);
    cr_assert_lt(rj_uri_get_i32(&uri, "bad", &small, &err), 0);
    cr_assert_lt(rj_uri_get_i64(&uri, "bad", &large, &err), 0);
    cr_assert_lt(rj_uri_get_bool(&uri, "bad", &flag, &err), 0);
    cr_assert_eq(size, 65536, "a failure writes nothing");
    cr_assert_eq(rj_uri_get_inferable(&uri, "bad", &group), 1);
    cr_assert_eq(group, RJ_INFERABLE_FALSE);
}

Test(uri, reads_either_half_of_tags)
{
    enum { ABSENT = -100, WRONG = -200 };
    static const struct {
        const char *text;
        int64_t channel;
        int64_t entity;
    } rows[] = {
        {"aeron:ipc", ABSENT, ABSENT},
        {"aeron:ipc?tags=5", 5, ABSENT},
        {"aeron:ipc?tags=5,6", 5, 6},
        {"aeron:ipc?tags=,6", ABSENT, 6},
        {"aeron:ipc?tags=5,", 5, ABSENT},
        {"aeron:ipc?tags=-1", WRONG, ABSENT},
        {"aeron:ipc?tags=1,-1", 1, WRONG},
        {"aeron:ipc?tags=x,2", WRONG, 2},
        {"aeron:ipc?tags=1,2,3", 1, WRONG},
        {"aeron:ipc?tags=-7,0", -7, 0},
        {"aeron:ipc?tags=99999999999999999999", WRONG, ABSENT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const rj_uri_t uri = parsed(rows[i].text);
        int64_t tag = ABSENT;
        rj_err_t err = {0};
        if (rj_uri_get_channel_tag(&uri, &tag, &err) < 0) {
            cr_assert_eq(err.aeron_code, RJ_ERROR_INVALID_CHANNEL);
            tag = WRONG;
        }
        cr_assert_eq(tag, rows[i].channel, "%s", rows[i].text);
        tag = ABSENT;
        if (rj_uri_get_entity_tag(&uri, &tag, &err) < 0) {
            cr_assert_eq(err.aeron_code, RJ_ERROR_GENERIC);
            tag = WRONG;
        }
        cr_assert_eq(tag, rows[i].entity, "%s", rows[i].text);
    }
}
