/* SPDX-License-Identifier: Apache-2.0 */
#include "conductor/conductor.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fixtures/driver_rig.h"

#define CHANNEL    "aeron:udp?endpoint=127.0.0.1:24390"
#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { CLIENT = 7000 };

static driver_rig_t rig;

static void open_rig(void)
{
    driver_rig_open(&rig, NULL);
}

static void close_rig(void)
{
    driver_rig_close(&rig);
}

TestSuite(conductor_endpoint, .init = open_rig, .fini = close_rig);

static int64_t subscribe(const char *channel)
{
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, channel, 1001);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    return id;
}

static int64_t publish(const char *channel)
{
    int64_t id = driver_rig_add_publication(&rig, CLIENT, true, channel, 2001);
    (void)driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
    return id;
}

static void expect_error(int64_t correlation_id, int32_t code, const char *words)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(event.error.offending_correlation_id, correlation_id);
    cr_expect_eq(event.error.error_code, code, "%s", driver_rig_text(&event));
    cr_expect_not_null(strstr(driver_rig_text(&event), words), "%s", driver_rig_text(&event));
}

/* The text of the local address of a registration. */
static void local_address(int64_t registration_id, char text[static 104])
{
    rj_counter_view_t view =
        driver_rig_counter(&rig, RJ_COUNTER_TYPE_LOCAL_SOCKADDR, registration_id);
    const rj_sockaddr_key_t *key = (const rj_sockaddr_key_t *)(const void *)view.key;
    cr_expect_eq(view.value, RJ_CHANNEL_STATUS_ACTIVE);
    snprintf(text, 104, "%.*s", key->address_length, key->address);
}

Test(conductor_endpoint, tells_the_port_that_the_system_chose_before_it_says_ready)
{
    driver_rig_make_client(&rig, CLIENT);
    char first[104], second[104];
    rig_event_t event;
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, "aeron:udp?endpoint=127.0.0.1:0", 1001);
    event = driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    local_address(id, first);
    cr_expect_eq(strncmp(first, "127.0.0.1:", 10), 0, "%s", first);
    cr_expect_gt(atoi(first + 10), 0);
    rj_counter_view_t view = driver_rig_counter(&rig, RJ_COUNTER_TYPE_LOCAL_SOCKADDR, id);
    const rj_sockaddr_key_t *key = (const rj_sockaddr_key_t *)(const void *)view.key;
    cr_expect_eq(key->channel_status_id, event.subscription.channel_status_counter_id);
    view = driver_rig_counter(&rig, RJ_COUNTER_TYPE_RECEIVE_CHANNEL_STATUS, id);
    cr_expect_not_null(strstr(view.label, first), "%s", view.label);
    cr_expect_eq(view.value, RJ_CHANNEL_STATUS_ACTIVE);
    /* The same text again is another endpoint. */
    local_address(subscribe("aeron:udp?endpoint=127.0.0.1:0"), second);
    cr_expect_str_neq(first, second);
}

Test(conductor_endpoint, prints_ipv6_addresses_in_brackets)
{
    driver_rig_make_client(&rig, CLIENT);
    char text[104];
    local_address(subscribe("aeron:udp?endpoint=[::1]:24390"), text);
    cr_expect_str_eq(text, "[::1]:24390");
    local_address(publish("aeron:udp?endpoint=[::1]:24390"), text);
    cr_expect_eq(strncmp(text, "[::1]:", 6), 0, "%s", text);
}

Test(conductor_endpoint, binds_a_publication_to_its_control_address_without_asking_more_of_it)
{
    driver_rig_make_client(&rig, CLIENT);
    char text[104];
    local_address(publish(CHANNEL "|control=127.0.0.1:24391"), text);
    cr_expect_str_eq(text, "127.0.0.1:24391");
}

Test(conductor_endpoint, says_where_it_could_not_bind_and_leaves_nothing)
{
    static const struct {
        const char *channel;
        const char *words;
    } rows[] = {
        {"aeron:udp?endpoint=203.0.113.7:24390", "failed to bind to address"},
        {CHANNEL "|interface={nosuch0}", "unknown interface nosuch0"},
        {CHANNEL "|interface=203.0.113.7", "could not find matching interface"},
    };
    driver_rig_make_client(&rig, CLIENT);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_error(driver_rig_add_subscription(&rig, CLIENT, rows[i].channel, 1001), 11,
                     rows[i].words);
        cr_expect_eq(driver_rig_counter_count(&rig), 1, "%s", rows[i].channel);
        cr_expect(driver_rig_has_error(&rig, rows[i].words), "%s", rows[i].channel);
    }
}

Test(conductor_endpoint, shares_one_endpoint_between_streams_of_one_channel)
{
    driver_rig_make_client(&rig, CLIENT);
    int64_t first = driver_rig_add_subscription(&rig, CLIENT, CHANNEL, 1001);
    rig_event_t one = driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    int64_t second = driver_rig_add_subscription(&rig, CLIENT, CHANNEL "|alias=other", 1002);
    rig_event_t two = driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    cr_expect_eq(one.subscription.channel_status_counter_id,
                 two.subscription.channel_status_counter_id);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, first);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    driver_rig_live(&rig, CLIENT, SECONDS(3));
    /* Its creator is gone, the endpoint is not. */
    cr_expect_eq(driver_rig_counter_count(&rig), 3);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, second);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    driver_rig_live(&rig, CLIENT, SECONDS(3));
    cr_expect_eq(driver_rig_counter_count(&rig), 1);
}

Test(conductor_endpoint, refuses_buffers_that_contradict_the_socket_or_the_window)
{
    static const struct {
        bool is_publication;
        const char *params;
        const char *words;
    } rows[] = {
        {true, "|so-sndbuf=32k", "so-sndbuf=32768 does not match existing value of 65536"},
        {true, "|so-rcvbuf=32k", "so-rcvbuf=32768 does not match existing value of 131072"},
        {true, "|mtu=65504|so-sndbuf=64k", ""}, /* fits the buffer that was asked for */
        {false, "|so-rcvbuf=256k", "so-rcvbuf=262144 does not match existing value of 131072"},
        {false, "|so-sndbuf=32k", "so-sndbuf=32768 does not match existing value of 0"},
        {false, "|rcv-wnd=129k", "Initial window greater than SO_RCVBUF"},
    };
    driver_rig_make_client(&rig, CLIENT);
    publish(CHANNEL "|so-sndbuf=64k");
    subscribe(CHANNEL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char channel[128];
        snprintf(channel, sizeof(channel), CHANNEL "%s", rows[i].params);
        if (rows[i].words[0] == '\0')
            publish(channel);
        else if (rows[i].is_publication)
            expect_error(driver_rig_add_publication(&rig, CLIENT, true, channel, 7), 11,
                         rows[i].words);
        else
            expect_error(driver_rig_add_subscription(&rig, CLIENT, channel, 7), 11, rows[i].words);
    }
    expect_error(driver_rig_add_publication(
                     &rig, CLIENT, true, "aeron:udp?endpoint=127.0.0.1:1|so-sndbuf=4k|mtu=8k", 7),
                 11, "MTU greater than SO_SNDBUF");
}

/* Runs conductor and helper while the engines sleep, until the driver has said something. */
static void run_without_engines(void)
{
    int64_t before = driver_rig_event_position(&rig);
    for (int i = 0; i < 20 && driver_rig_event_position(&rig) == before; i++) {
        rj_driver_helper_work(rig.driver, rig.now_ns);
        rj_driver_conductor_work(rig.driver, rig.now_ns, rig.epoch_ms);
    }
}

Test(conductor_endpoint, asks_to_come_again_while_an_endpoint_closes_and_calls_that_no_error)
{
    driver_rig_make_client(&rig, CLIENT);
    int64_t id = subscribe(CHANNEL);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, id);
    run_without_engines();
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    id = driver_rig_add_subscription(&rig, CLIENT, CHANNEL, 1001);
    run_without_engines();
    expect_error(id, 10, "found in CLOSING state, please retry");
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_ERRORS), 0);
    cr_expect_not(driver_rig_has_error(&rig, "CLOSING"));
    /* As soon as the engine has let go, and not only with the next timer event. */
    while (driver_rig_turn(&rig) > 0)
        continue;
    subscribe(CHANNEL);
    driver_rig_live(&rig, CLIENT, SECONDS(2));
    cr_expect_eq(driver_rig_counter_count(&rig), 3, "the old endpoint took the new one along");
}

Test(conductor_endpoint, does_so_for_publications_too)
{
    driver_rig_make_client(&rig, CLIENT);
    int64_t id = publish(CHANNEL "|linger=0s");
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_PUBLICATION, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    /* Drained, then taken from the engine; the third timer event deletes it. */
    driver_rig_live(&rig, CLIENT, SECONDS(2));
    rig.now_ns += SECONDS(2);
    rj_driver_conductor_work(rig.driver, rig.now_ns, rig.epoch_ms);
    id = driver_rig_add_publication(&rig, CLIENT, false, CHANNEL, 1001);
    run_without_engines();
    expect_error(id, 10, "send channel found in CLOSING state");
    cr_expect_eq(driver_rig_log_count(&rig), 0);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_ERRORS), 0);
}

Test(conductor_endpoint, frees_the_port_before_the_counters_that_stand_for_it)
{
    driver_rig_make_client(&rig, CLIENT);
    int64_t id = subscribe(CHANNEL);
    int32_t counter_id = driver_rig_counter(&rig, RJ_COUNTER_TYPE_LOCAL_SOCKADDR, id).id;
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    driver_rig_live(&rig, CLIENT, SECONDS(2));
    rj_counter_view_t view;
    cr_assert_eq(rj_counters_read(&rig.counters, counter_id, &view), 0);
    cr_expect_eq(view.state, RJ_COUNTER_RECLAIMED);
    cr_expect_eq(view.value, RJ_CHANNEL_STATUS_CLOSING);
    /* By another name it is another endpoint, which needs the port. */
    subscribe("aeron:udp?endpoint=localhost:24390");
}

Test(conductor_endpoint, refuses_destinations_of_what_can_have_none)
{
    driver_rig_make_client(&rig, CLIENT);
    int64_t publication = publish(CHANNEL);
    int64_t ipc = publish("aeron:ipc");
    static const char manual[] = "channel does not allow manual control";
    const struct {
        int32_t type;
        int64_t registration_id;
        int32_t code;
        const char *words;
    } rows[] = {
        {RJ_COMMAND_ADD_DESTINATION, publication, 11, manual},
        {RJ_COMMAND_REMOVE_DESTINATION, publication, 11, manual},
        {RJ_COMMAND_REMOVE_DESTINATION_BY_ID, publication, 11, manual},
        {RJ_COMMAND_ADD_DESTINATION, ipc, 3, "unknown publication"},
        {RJ_COMMAND_REMOVE_DESTINATION_BY_ID, 12345, 3, "unknown publication"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].type == RJ_COMMAND_REMOVE_DESTINATION_BY_ID) {
            rj_command_destination_by_id_t command = {.header = {CLIENT, driver_rig_id(&rig)},
                                                      .resource_registration_id =
                                                          rows[i].registration_id};
            driver_rig_write(&rig, rows[i].type, &command, sizeof(command));
            expect_error(command.header.correlation_id, rows[i].code, rows[i].words);
        } else {
            rj_command_destination_t command = {.header = {CLIENT, driver_rig_id(&rig)},
                                                .registration_id = rows[i].registration_id};
            driver_rig_write(&rig, rows[i].type, &command, sizeof(command));
            expect_error(command.header.correlation_id, rows[i].code, rows[i].words);
        }
    }
}
