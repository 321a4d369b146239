/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/stream_params.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <ramjet/command.h>
#include <stdio.h>
#include <string.h>

enum { STREAM_ID = 1001 };

static rj_stream_defaults_t defaults;
static rj_publication_params_t publication;
static rj_subscription_params_t subscription;
static rj_uri_t uri;
static rj_err_t failure;

static void parse_uri(const char *media, const char *params)
{
    char text[512];
    snprintf(text, sizeof(text), "aeron:%s?%s", media, params);
    memset(&failure, 0, sizeof(failure));
    cr_assert_eq(rj_uri_parse(&uri, text, strlen(text), &failure), 0, "%s: %s", text, failure.text);
}

static int publish(const char *media, const char *params)
{
    parse_uri(media, params);
    return rj_publication_params_parse(&publication, &uri, STREAM_ID, &defaults, &failure);
}

static int subscribe(const char *media, const char *params)
{
    parse_uri(media, params);
    return rj_subscription_params_parse(&subscription, &uri, &defaults, &failure);
}

static void use_reference_defaults(void)
{
    defaults = rj_stream_defaults_reference();
}

TestSuite(stream_params, .init = use_reference_defaults);

Test(stream_params, falls_back_on_the_defaults_of_the_driver)
{
    cr_assert_eq(publish("udp", ""), 0, "%s", failure.text);
    cr_assert_eq(publication.mtu_bytes, 1408);
    cr_assert_eq(publication.term_length_bytes, 16 << 20);
    cr_assert_eq(publication.window_bytes, 8 << 20);
    cr_assert_eq(publication.linger_ns, INT64_C(5000000000));
    cr_assert_eq(publication.max_resend, 16);
    cr_assert_eq(publication.response_correlation_id, RJ_RESPONSE_NONE);
    cr_assert_eq(publication.untethered.linger_ns, publication.untethered.window_limit_ns);
    cr_assert(publication.signals_eos && publication.is_sparse &&
              !publication.spies_simulate_connection);
    cr_assert(!publication.has_mtu && !publication.has_term_length && !publication.has_session_id);
    cr_assert(!publication.has_window && !publication.has_position && !publication.has_entity_tag);

    cr_assert_eq(publish("ipc", ""), 0);
    cr_assert_eq(publication.term_length_bytes, 64 << 20);
    defaults.ipc_publication_window_bytes = 1 << 20;
    defaults.publication_window_bytes = 1 << 30;
    cr_assert_eq(publish("ipc", ""), 0);
    cr_assert_eq(publication.window_bytes, 1 << 20);
    cr_assert_eq(publish("udp", ""), 0);
    cr_assert_eq(publication.window_bytes, 8 << 20, "cut to half a term");
}

Test(stream_params, reads_every_key_of_a_publication)
{
    cr_assert_eq(
        publish(
            "udp",
            "session-id=-7|tags=1,2|linger=10ms|term-length=64k|max-resend=256|mtu=8k|pub-wnd=16k|"
            "init-term-id=2147483647|term-id=-2147483648|term-offset=96|sparse=false|eos=false|"
            "ssc=true|response-correlation-id=42|untethered-window-limit-timeout=1s|"
            "untethered-linger-timeout=2s|untethered-resting-timeout=3s|stream-id=1001"),
        0, "%s", failure.text);
    cr_assert(publication.has_session_id);
    cr_assert_eq(publication.session_id, -7);
    cr_assert_eq(publication.entity_tag, 2);
    cr_assert_eq(publication.linger_ns, 10000000);
    cr_assert_eq(publication.term_length_bytes, 65536);
    cr_assert_eq(publication.max_resend, 256);
    cr_assert_eq(publication.mtu_bytes, 8192);
    cr_assert_eq(publication.window_bytes, 16384);
    cr_assert_eq(rj_publication_params_position(&publication), 65536 + 96);
    cr_assert(!publication.is_sparse && !publication.signals_eos &&
              publication.spies_simulate_connection);
    cr_assert_eq(publication.response_correlation_id, 42);
    cr_assert_eq(publication.untethered.window_limit_ns, 1000000000);
    cr_assert_eq(publication.untethered.linger_ns, 2000000000);
    cr_assert_eq(publication.untethered.resting_ns, INT64_C(3000000000));
}

Test(stream_params, bounds_every_value_of_a_publication)
{
    static const struct {
        const char *params;
        bool is_valid;
    } rows[] = {
        {"mtu=32", false},
        {"mtu=64", true},
        {"mtu=65504", true},
        {"mtu=65536", false},
        {"mtu=1400", false},
        {"mtu=0", false},
        {"mtu=-64", false},
        {"mtu=9223372036854775807g", false},
        {"term-length=64k", true},
        {"term-length=1g", true},
        {"term-length=32k", false},
        {"term-length=2g", false},
        {"term-length=65537", false},
        {"term-length=96k", false},
        {"term-length=64k|pub-wnd=32k", true},
        {"term-length=64k|pub-wnd=32769", false},
        {"pub-wnd=1408", true},
        {"pub-wnd=1407", false},
        {"pub-wnd=0", false},
        {"max-resend=1", true},
        {"max-resend=0", false},
        {"max-resend=256", true},
        {"max-resend=257", false},
        {"linger=0", true},
        {"linger=x", false},
        {"linger=-1", false},
        {"init-term-id=1|term-id=1", false},
        {"term-offset=0", false},
        {"term-id=3", false},
        {"init-term-id=1|term-id=1|term-offset=0", true},
        {"init-term-id=2|term-id=1|term-offset=0", false},
        {"init-term-id=1|term-id=1|term-offset=16", false},
        {"init-term-id=1|term-id=1|term-offset=-32", false},
        {"term-length=64k|init-term-id=1|term-id=1|term-offset=65536", true},
        {"term-length=64k|init-term-id=1|term-id=1|term-offset=65568", false},
        {"init-term-id=2147483648|term-id=1|term-offset=0", false},
        {"session-id=tag:7", true},
        {"session-id=tag:", false},
        {"session-id=tag:x", false},
        {"session-id=x", false},
        {"session-id=4294967295", false},
        {"tags=1,x", false},
        {"sparse=maybe", false},
        {"eos=1", false},
        {"ssc=yes", false},
        {"response-correlation-id=-1", true},
        {"response-correlation-id=-2", false},
        {"response-correlation-id=x", false},
        {"response-correlation-id=prototypes", false},
        {"untethered-window-limit-timeout=x", false},
        {"untethered-linger-timeout=x", false},
        {"untethered-resting-timeout=x", false},
        {"stream-id=x", false},
        {"unknown=x|reliable=x|rcv-wnd=x|cc=x", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const int result = publish("udp", rows[i].params);
        cr_assert_eq(result == 0, rows[i].is_valid, "%s: %s", rows[i].params, failure.text);
        cr_assert(rows[i].is_valid || failure.aeron_code == RJ_ERROR_GENERIC, "%s", rows[i].params);
    }
}

Test(stream_params, says_what_is_wrong)
{
    cr_assert_lt(publish("udp", "init-term-id=1|term-id=1"), 0);
    cr_assert_not_null(strstr(failure.text, "params: "));
    cr_assert_not_null(strstr(failure.text, "must be used as a complete set"));
    cr_assert_lt(publish("udp", "mtu=33"), 0);
    cr_assert_not_null(strstr(failure.text, "mtu=33"));
    cr_assert_lt(publish("udp", "response-correlation-id=-3"), 0);
    cr_assert_not_null(strstr(failure.text, "invalid response-correlation-id"));
    cr_assert_lt(publish("udp", "stream-id=7"), 0);
    cr_assert_eq(failure.aeron_code, RJ_ERROR_INVALID_CHANNEL);
}

Test(stream_params, reports_the_first_failure_in_the_order_of_the_reference)
{
    static const char *const keys[] = {"session-id", "linger",  "term-length",  "max-resend",
                                       "mtu",        "pub-wnd", "init-term-id", "sparse",
                                       "eos",        "ssc"};
    char params[400];
    for (size_t first = 0; first < sizeof(keys) / sizeof(keys[0]); first++) {
        params[0] = '\0';
        for (size_t i = sizeof(keys) / sizeof(keys[0]); i-- > first;) {
            strcat(params, keys[i]);
            strcat(params, i > first ? "=x|" : "=x");
        }
        cr_assert_lt(publish("udp", params), 0);
        char expected[64];
        snprintf(expected, sizeof(expected), "could not parse %s=x", keys[first]);
        cr_assert_str_eq(failure.text, expected);
    }
}

Test(stream_params, makes_the_log_of_a_response_prototype_as_small_as_can_be)
{
    cr_assert_eq(publish("udp", "response-correlation-id=prototype|term-length=16m|pub-wnd=4m"), 0);
    cr_assert_eq(publication.response_correlation_id, RJ_RESPONSE_PROTOTYPE);
    cr_assert_eq(publication.term_length_bytes, 65536);
    cr_assert_eq(publication.window_bytes, 32768);
    cr_assert_lt(publish("udp", "response-correlation-id=prototype|init-term-id=0|term-id=0|"
                                "term-offset=1048576"),
                 0);
    cr_assert_eq(publish("ipc", "response-correlation-id=prototype|term-length=16m"), 0);
    cr_assert_eq(publication.term_length_bytes, 16 * 1024 * 1024, "IPC has no channel to hold");
}

Test(stream_params, ignores_what_only_udp_has_on_ipc)
{
    cr_assert_lt(publish("ipc", "max-resend=1000"), 0, "as Aeron: of no use, and checked");
    cr_assert_eq(subscribe("ipc", "reliable=x|rcv-wnd=x|gtag=x|nak-delay=x"), 0);
    cr_assert_eq(subscription.nak_delay_ns, RJ_NAK_DELAY_DEFAULT);
}

Test(stream_params, follows_the_publication_that_a_session_tag_names)
{
    cr_assert_eq(publish("udp", "session-id=tag:9|init-term-id=0|term-id=2|term-offset=64"), 0);
    cr_assert(publication.has_session_tag && !publication.has_session_id);
    cr_assert_eq(publication.session_tag, 9);
    cr_assert_eq(
        rj_publication_params_follow(&publication, -5, 4096, 65536, &uri, &defaults, &failure), 0);
    cr_assert(publication.has_session_id);
    cr_assert_eq(publication.session_id, -5);
    cr_assert_eq(publication.mtu_bytes, 4096);
    cr_assert_eq(publication.window_bytes, 32768);
    cr_assert_eq(rj_publication_params_position(&publication), 2 * 65536 + 64);

    static const char *const refused[] = {
        "session-id=tag:9|mtu=64", "session-id=tag:9|term-length=128k",
        "session-id=tag:9|pub-wnd=1m", "session-id=tag:9|pub-wnd=2k",
        "session-id=tag:9|init-term-id=0|term-id=2|term-offset=131072"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        cr_assert_eq(publish("udp", refused[i]), 0, "%s", failure.text);
        cr_assert_lt(
            rj_publication_params_follow(&publication, -5, 4096, 65536, &uri, &defaults, &failure),
            0, "%s", refused[i]);
        cr_assert_eq(failure.aeron_code, RJ_ERROR_GENERIC);
        cr_assert(!publication.has_session_id, "a failure changes nothing");
    }
}

Test(stream_params, reads_every_key_of_a_subscription)
{
    cr_assert_eq(
        subscribe(
            "udp",
            "session-id=5|reliable=false|rejoin=false|tether=false|sparse=false|group=true|gtag=-5|"
            "cc=cubic|rcv-wnd=256k|nak-delay=5us|control-mode=response|"
            "untethered-window-limit-timeout=1s|untethered-linger-timeout=0"),
        0, "%s", failure.text);
    cr_assert(subscription.has_session_id && subscription.session_id == 5);
    cr_assert(!subscription.is_reliable && !subscription.is_rejoin && !subscription.is_tether);
    cr_assert(!subscription.is_sparse && subscription.is_response);
    cr_assert_eq(subscription.group, RJ_INFERABLE_TRUE);
    cr_assert(subscription.has_group_tag && subscription.group_tag == -5);
    cr_assert_eq(subscription.congestion, RJ_CONGESTION_CUBIC);
    cr_assert(subscription.has_receiver_window);
    cr_assert_eq(subscription.receiver_window_bytes, 256 * 1024);
    cr_assert_eq(subscription.nak_delay_ns, 5000);
    cr_assert_eq(subscription.untethered.linger_ns, 1000000000, "0 is the window limit's");
}

Test(stream_params, keeps_a_subscriptions_defaults)
{
    defaults.has_group_tag = true;
    defaults.group_tag = 77;
    cr_assert_eq(subscribe("udp", ""), 0);
    cr_assert(!subscription.has_session_id && !subscription.has_receiver_window &&
              !subscription.is_response);
    cr_assert(subscription.is_reliable && subscription.is_rejoin && subscription.is_tether);
    cr_assert_eq(subscription.group, RJ_INFERABLE_INFER);
    cr_assert(subscription.has_group_tag && subscription.group_tag == 77);
    cr_assert_eq(subscription.congestion, RJ_CONGESTION_DEFAULT);
    cr_assert_eq(subscription.receiver_window_bytes, 128 * 1024);
    cr_assert_eq(subscription.nak_delay_ns, RJ_NAK_DELAY_DEFAULT);
}

Test(stream_params, refuses_bad_values_of_a_subscription_now_or_with_its_image)
{
    static const char *const refused[] = {"session-id=tag:1",
                                          "session-id=x",
                                          "reliable=x",
                                          "rejoin=x",
                                          "tether=x",
                                          "sparse=x",
                                          "gtag=x",
                                          "rcv-wnd=x",
                                          "rcv-wnd=2g",
                                          "rcv-wnd=-1",
                                          "untethered-resting-timeout=x"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        cr_assert_lt(subscribe("udp", refused[i]), 0, "%s", refused[i]);
        cr_assert_eq(failure.aeron_code, RJ_ERROR_GENERIC);
    }
    cr_assert_eq(subscribe("udp", "cc=vegas|nak-delay=soon|group=perhaps"), 0);
    cr_assert_eq(subscription.congestion, RJ_CONGESTION_UNKNOWN);
    cr_assert_eq(subscription.nak_delay_ns, RJ_NAK_DELAY_INVALID);
    cr_assert_eq(subscription.group, RJ_INFERABLE_FALSE);
}
