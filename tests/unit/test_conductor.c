/* SPDX-License-Identifier: Apache-2.0 */
#include "conductor/conductor.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conductor/conductor_state.h"
#include "tests/fixtures/driver_rig.h"
#include "tests/fixtures/engine_bench.h"

#define CHANNEL    "aeron:udp?endpoint=127.0.0.1:24326"
#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { CLIENT = 7000, OTHER_CLIENT = 8000 };

static driver_rig_t rig;

static void open_rig(void)
{
    driver_rig_open(&rig, NULL);
}

static void close_rig(void)
{
    driver_rig_close(&rig);
}

TestSuite(conductor, .init = open_rig, .fini = close_rig);

static rig_event_t first_publication(bool is_exclusive, const char *channel)
{
    driver_rig_add_publication(&rig, CLIENT, is_exclusive, channel, 1001);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    cr_expect_eq(event.counter.correlation_id, CLIENT);
    return driver_rig_expect(&rig, is_exclusive ? RJ_EVENT_EXCLUSIVE_PUBLICATION_READY
                                                : RJ_EVENT_PUBLICATION_READY);
}

static void expect_error(int64_t correlation_id, int32_t code, const char *words)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(event.error.offending_correlation_id, correlation_id);
    cr_expect_eq(event.error.error_code, code, "%d: %s", event.error.error_code,
                 driver_rig_text(&event));
    cr_expect_not_null(strstr(driver_rig_text(&event), words), "%s", driver_rig_text(&event));
}

static void expect_counter(int32_t type_id, int64_t registration_id, const char *label)
{
    int32_t id = rj_counters_find(&rig.counters, type_id, registration_id);
    rj_counter_view_t view;
    cr_assert_neq(id, RJ_COUNTER_ID_NULL, "no counter of type %" PRId32, type_id);
    cr_assert_eq(rj_counters_read(&rig.counters, id, &view), 0);
    cr_expect_eq(strncmp(view.label, label, strlen(label)), 0, "%s", view.label);
}

Test(conductor, announces_the_client_then_its_publication_with_log_and_counters)
{
    rig_event_t event = first_publication(false, CHANNEL);
    int64_t id = event.publication.registration_id;
    cr_expect_eq(event.publication.correlation_id, id);
    cr_expect_eq(event.publication.stream_id, 1001);
    char path[512];
    snprintf(path, sizeof(path), "%.*s", event.publication.log_file_length,
             (const char *)event.bytes + sizeof(rj_event_publication_ready_t));
    cr_expect_eq(access(path, R_OK | W_OK), 0, "%s", path);
    expect_counter(RJ_COUNTER_TYPE_PUBLISHER_POSITION, id, "pub-pos (concurrent): ");
    expect_counter(RJ_COUNTER_TYPE_PUBLISHER_LIMIT, id, "pub-lmt: ");
    expect_counter(RJ_COUNTER_TYPE_SENDER_POSITION, id, "snd-pos: ");
    expect_counter(RJ_COUNTER_TYPE_SENDER_LIMIT, id, "snd-lmt: ");
    expect_counter(RJ_COUNTER_TYPE_SENDER_BPE, id, "snd-bpe: ");
    expect_counter(RJ_COUNTER_TYPE_SENDER_NAKS_RECEIVED, id, "snd-naks-received: ");
    expect_counter(RJ_COUNTER_TYPE_SEND_CHANNEL_STATUS, id, "snd-channel: " CHANNEL " ");
    expect_counter(RJ_COUNTER_TYPE_LOCAL_SOCKADDR, id, "snd-local-sockaddr: ");
    expect_counter(RJ_COUNTER_TYPE_CLIENT_HEARTBEAT, CLIENT, "client-heartbeat: id=7000");
}

Test(conductor, shares_a_publication_until_its_last_handle_goes)
{
    rig_event_t first = first_publication(false, CHANNEL);
    int64_t second_id = driver_rig_add_publication(&rig, OTHER_CLIENT, false, CHANNEL, 1001);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    rig_event_t second = driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    cr_expect_eq(second.publication.correlation_id, second_id);
    cr_expect_eq(second.publication.registration_id, first.publication.registration_id);
    cr_expect_eq(second.publication.session_id, first.publication.session_id);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_PUBLICATION, CLIENT,
                      first.publication.correlation_id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    driver_rig_add_publication(&rig, OTHER_CLIENT, false, CHANNEL, 1001);
    rig_event_t third = driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    cr_expect_eq(third.publication.registration_id, first.publication.registration_id);
}

Test(conductor, gives_each_exclusive_publication_a_session_of_its_own)
{
    rig_event_t first = first_publication(true, CHANNEL);
    driver_rig_add_publication(&rig, CLIENT, true, CHANNEL, 1001);
    rig_event_t second = driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
    cr_expect_neq(second.publication.session_id, first.publication.session_id);
    cr_expect_neq(second.publication.registration_id, first.publication.registration_id);
    cr_expect_eq(second.publication.channel_status_counter_id,
                 first.publication.channel_status_counter_id);
}

Test(conductor, frees_everything_of_a_publication_after_its_linger)
{
    rig_event_t event = first_publication(false, CHANNEL "|linger=0s");
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_PUBLICATION, CLIENT,
                      event.publication.correlation_id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    driver_rig_advance(&rig, SECONDS(6));
    /* The client's heartbeat counter alone is left. */
    cr_expect_eq(driver_rig_counter_count(&rig), 1);
}

Test(conductor, refuses_what_it_cannot_do_by_code_and_leaves_nothing)
{
    static const struct {
        const char *channel;
        int32_t code;
        const char *words;
    } rows[] = {
        {"aeron:tcp?endpoint=127.0.0.1:1", 1, "invalid URI scheme or transport"},
        {"junk", 1, "invalid URI"},
        {"aeron:udp?endpoint=no-such-host.invalid:1", 9, "endpoint=no-such-host.invalid:1"},
        {"aeron:udp?endpoint=127.0.0.1:99999", 11, "port"},
        {CHANNEL "|mtu=1000", 11, "mtu"},
        {CHANNEL "|term-length=100k", 11, "term-length"},
        {CHANNEL "|init-term-id=1", 11, "complete set"},
        {"aeron:udp?control-mode=dynamic", 1, "control-mode=dynamic needs a control address"},
        {"aeron:ipc?mtu=1000", 11, "mtu"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t id = driver_rig_add_publication(&rig, CLIENT, false, rows[i].channel, 1001);
        expect_error(id, rows[i].code, rows[i].words);
        cr_expect_eq(driver_rig_counter_count(&rig), 0, "%s", rows[i].channel);
        cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_ERRORS), (int64_t)i + 1);
    }
}

Test(conductor, refuses_a_second_publication_that_contradicts_the_first)
{
    first_publication(false, CHANNEL "|session-id=5|mtu=4096");
    expect_error(driver_rig_add_publication(&rig, CLIENT, false, CHANNEL "|mtu=1408", 1001), 11,
                 "existing publication has different 'mtu': existing=4096 requested=1408");
    expect_error(driver_rig_add_publication(&rig, CLIENT, true, CHANNEL "|session-id=5", 1001), 1,
                 "clashing sessionId=5 for streamId=1001");
}

Test(conductor, answers_unknown_ids_with_the_code_of_their_kind)
{
    static const struct {
        int32_t type;
        int32_t code;
    } rows[] = {{RJ_COMMAND_REMOVE_PUBLICATION, 3},
                {RJ_COMMAND_REMOVE_SUBSCRIPTION, 2},
                {RJ_COMMAND_REMOVE_COUNTER, 5}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_error(driver_rig_remove(&rig, rows[i].type, CLIENT, 99), rows[i].code, "unknown");
}

Test(conductor, records_malformed_and_unknown_commands_without_an_answer)
{
    rj_command_publication_t lying = {
        .header = {CLIENT, 1}, .stream_id = 1, .channel_length = 4000};
    driver_rig_write(&rig, RJ_COMMAND_ADD_PUBLICATION, &lying, sizeof(lying));
    lying.channel_length = -1;
    driver_rig_write(&rig, RJ_COMMAND_ADD_PUBLICATION, &lying, sizeof(lying));
    driver_rig_write(&rig, RJ_COMMAND_REMOVE_PUBLICATION, &lying, 25 - 8);
    driver_rig_write(&rig, RJ_COMMAND_CLIENT_KEEPALIVE, &lying, 3);
    driver_rig_write(&rig, 77, &lying, sizeof(lying));
    driver_rig_expect_nothing(&rig);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_ERRORS), 5);
}

Test(conductor, links_ipc_both_ways_round_and_ends_the_image_when_it_is_drained)
{
    int64_t early = driver_rig_add_subscription(&rig, CLIENT, "aeron:ipc", 1001);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    cr_expect_eq(event.subscription.channel_status_counter_id, -1);
    driver_rig_add_publication(&rig, CLIENT, false, "aeron:ipc", 1001);
    rig_event_t ready = driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    cr_expect_eq(ready.publication.channel_status_counter_id, -1);
    event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    cr_expect_eq(event.image.subscription_registration_id, early);
    cr_expect_eq(event.image.correlation_id, ready.publication.registration_id);
    int64_t late = driver_rig_add_subscription(&rig, CLIENT, "aeron:ipc", 1001);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    cr_expect_eq(event.image.subscription_registration_id, late);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_PUBLICATION, CLIENT,
                      ready.publication.correlation_id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    driver_rig_advance(&rig, SECONDS(1));
    (void)driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_IMAGE);
    (void)driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_IMAGE);
}

Test(conductor, says_which_address_is_taken)
{
    driver_rig_add_subscription(&rig, CLIENT, CHANNEL, 1001);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    int before = driver_rig_counter_count(&rig);
    /* The same port by another name is another endpoint, and the port is in use. */
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, "aeron:udp?endpoint=localhost:24326", 1);
    expect_error(id, 11, "Address already in use");
    cr_expect_eq(driver_rig_counter_count(&rig), before);
}

Test(conductor, refuses_subscriptions_that_disagree_about_a_shared_image)
{
    driver_rig_add_subscription(&rig, CLIENT, CHANNEL, 1001);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    expect_error(driver_rig_add_subscription(&rig, CLIENT, CHANNEL "|reliable=false", 1001), 11,
                 "option conflicts with existing subscription: reliable=false");
    expect_error(driver_rig_add_subscription(&rig, CLIENT, CHANNEL "|rejoin=false", 1001), 11,
                 "option conflicts with existing subscription: rejoin=false");
    expect_error(driver_rig_add_subscription(&rig, CLIENT, CHANNEL "|rcv-wnd=8m", 1001), 11,
                 "SO_RCVBUF");
}

Test(conductor, frees_a_receive_endpoint_with_its_last_subscription)
{
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, CHANNEL, 1001);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    expect_counter(RJ_COUNTER_TYPE_LOCAL_SOCKADDR, id, "rcv-local-sockaddr: ");
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    driver_rig_advance(&rig, SECONDS(2));
    cr_expect_eq(driver_rig_counter_count(&rig), 1);
    driver_rig_add_subscription(&rig, CLIENT, CHANNEL, 1001);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
}

typedef struct counter_command {
    rj_command_counter_t fixed;
    uint8_t key[8];
    int32_t label_length;
    char label[8];
} __attribute__((packed)) counter_command_t;

Test(conductor, keeps_counters_of_clients_until_they_are_removed)
{
    counter_command_t command = {
        .fixed = {.header = {CLIENT, driver_rig_id(&rig)}, .type_id = 1001, .key_length = 5},
        .key = {0x2a, 0, 0, 0, 5},
        .label_length = 8,
        .label = "my-count"};
    driver_rig_write(&rig, RJ_COMMAND_ADD_COUNTER, &command, sizeof(command));
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    int64_t id = command.fixed.header.correlation_id;
    cr_expect_eq(event.counter.correlation_id, id);
    expect_counter(1001, id, "my-count");
    /* A label that would reach beyond the record. */
    command.label_length = 9;
    driver_rig_write(&rig, RJ_COMMAND_ADD_COUNTER, &command, sizeof(command));
    driver_rig_expect_nothing(&rig);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_COUNTER, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    (void)driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_COUNTER);
    cr_expect_eq(driver_rig_counter_count(&rig), 1);
}

typedef struct static_counter_command {
    rj_command_static_counter_t fixed;
    int32_t label_length;
    char label[4];
} __attribute__((packed)) static_counter_command_t;

Test(conductor, keeps_static_counters_for_ever_and_apart_from_others)
{
    static_counter_command_t command = {
        .fixed = {.header = {CLIENT, driver_rig_id(&rig)}, .registration_id = 55, .type_id = 1001},
        .label_length = 4,
        .label = "ever"};
    driver_rig_write(&rig, RJ_COMMAND_ADD_STATIC_COUNTER, &command, sizeof(command));
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    rig_event_t first = driver_rig_expect(&rig, RJ_EVENT_STATIC_COUNTER);
    driver_rig_write(&rig, RJ_COMMAND_ADD_STATIC_COUNTER, &command, sizeof(command));
    rig_event_t second = driver_rig_expect(&rig, RJ_EVENT_STATIC_COUNTER);
    cr_expect_eq(second.counter.counter_id, first.counter.counter_id);
    expect_error(driver_rig_remove(&rig, RJ_COMMAND_REMOVE_COUNTER, CLIENT, 55), 5, "unknown");
    driver_rig_advance(&rig, SECONDS(12));
    expect_counter(1001, 55, "ever");
}

Test(conductor, times_a_silent_client_out_with_everything_it_had)
{
    first_publication(false, CHANNEL "|linger=0s");
    driver_rig_add_subscription(&rig, CLIENT, CHANNEL, 2);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    driver_rig_advance(&rig, SECONDS(11));
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_CLIENT_TIMEOUT);
    cr_expect_eq(event.client_timeout.client_id, CLIENT);
    event = driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_COUNTER);
    cr_expect_eq(event.counter.correlation_id, CLIENT);
    driver_rig_advance(&rig, SECONDS(5));
    cr_expect_eq(driver_rig_counter_count(&rig), 0);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_CLIENT_TIMEOUTS), 1);
}

Test(conductor, lets_a_client_go_at_its_own_word_within_one_interval)
{
    first_publication(false, "aeron:ipc");
    rj_command_header_t close = {CLIENT, -1};
    driver_rig_write(&rig, RJ_COMMAND_CLIENT_CLOSE, &close, sizeof(close));
    driver_rig_expect_nothing(&rig);
    driver_rig_advance(&rig, SECONDS(1));
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_COUNTER);
    cr_expect_eq(event.counter.correlation_id, CLIENT);
    driver_rig_advance(&rig, SECONDS(3));
    cr_expect_eq(driver_rig_counter_count(&rig), 0);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_CLIENT_TIMEOUTS), 0);
}

Test(conductor, keeps_a_client_alive_by_keepalive)
{
    first_publication(false, "aeron:ipc");
    rj_command_header_t keepalive = {CLIENT, -1};
    for (int i = 0; i < 15; i++) {
        driver_rig_write(&rig, RJ_COMMAND_CLIENT_KEEPALIVE, &keepalive, sizeof(keepalive));
        driver_rig_advance(&rig, SECONDS(1));
    }
    driver_rig_expect_nothing(&rig);
}

Test(conductor, hands_out_session_ids_that_follow_one_another)
{
    rig_event_t event = first_publication(false, CHANNEL);
    int32_t session_id = event.publication.session_id;
    for (int32_t i = 1; i < 4; i++) {
        rj_command_next_session_id_t ask = {.header = {CLIENT, driver_rig_id(&rig)},
                                            .stream_id = 1001};
        driver_rig_write(&rig, RJ_COMMAND_GET_NEXT_AVAILABLE_SESSION_ID, &ask, sizeof(ask));
        event = driver_rig_expect(&rig, RJ_EVENT_NEXT_AVAILABLE_SESSION_ID);
        cr_expect_eq(event.next_session.next_session_id, (int32_t)((uint32_t)session_id + i));
    }
}

Test(conductor, frees_the_ring_from_a_client_that_died_in_a_claim)
{
    uint8_t *body;
    cr_assert_eq(rj_ring_mpsc_try_claim(&rig.ring, RJ_COMMAND_CLIENT_CLOSE, 16, &body), 0);
    driver_rig_add_publication(&rig, CLIENT, false, "aeron:ipc", 1);
    driver_rig_expect_nothing(&rig);
    driver_rig_advance(&rig, SECONDS(13));
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_UNBLOCKED_COMMANDS), 1);
}

Test(conductor, terminates_only_when_that_is_allowed)
{
    rj_command_terminate_t terminate = {.header = {CLIENT, -1}, .token_length = 0};
    driver_rig_write(&rig, RJ_COMMAND_TERMINATE_DRIVER, &terminate, sizeof(terminate));
    driver_rig_expect_nothing(&rig);
    cr_expect_not(rj_driver_is_terminated(rig.driver));
    driver_rig_close(&rig);
    const char *const settings[] = {"AERON_DRIVER_TERMINATION_VALIDATOR", "allow", NULL};
    driver_rig_open(&rig, settings);
    driver_rig_write(&rig, RJ_COMMAND_TERMINATE_DRIVER, &terminate, sizeof(terminate));
    driver_rig_expect_nothing(&rig);
    cr_expect(rj_driver_is_terminated(rig.driver));
}

TestSuite(conductor_tell);

/* More messages than the ring holds, in an order that shows in what is left at the end. */
Test(conductor_tell, keeps_in_order_what_an_engine_has_no_room_for)
{
    static engine_bench_t bench;
    engine_bench_open(&bench);
    static rj_conductor_t conductor;
    conductor.params.engines[0] = bench.engine;
    conductor.params.engine_count = 1;
    conductor.system = &bench.system;
    rj_engine_command_t command = {.type = RJ_ENGINE_ADD_RECEIVE_ENDPOINT,
                                   .receive_endpoint = &bench.receive};
    rj_conductor_tell(&conductor, 0, &command);
    for (int i = 0; i < 2 * RJ_ENGINE_COMMAND_RING; i++) {
        command.type = i % 2 == 0 ? RJ_ENGINE_ADD_INTEREST : RJ_ENGINE_REMOVE_INTEREST;
        command.stream_id = i / 2;
        rj_conductor_tell(&conductor, 0, &command);
    }
    command.type = RJ_ENGINE_ADD_INTEREST;
    rj_conductor_tell(&conductor, 0, &command);
    cr_expect_eq(bench.counters[RJ_SYSTEM_SENDER_PROXY_FAILS], 1);
    while (engine_bench_turn(&bench) + rj_conductor_tell_kept(&conductor) > 0)
        continue;
    cr_expect_null(conductor.kept[0]);
    cr_expect(rj_dispatcher_has_interest(bench.receive.dispatcher));
    rj_dispatcher_remove_stream(bench.receive.dispatcher, command.stream_id);
    cr_expect_not(rj_dispatcher_has_interest(bench.receive.dispatcher));
    engine_bench_close(&bench);
}
