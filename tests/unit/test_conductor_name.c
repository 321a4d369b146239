/* SPDX-License-Identifier: Apache-2.0 */
/* Names whose address changes, through a whole driver and the table of names. */
#include "conductor/conductor_name.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/frame.h"
#include "shm/counters.h"
#include "tests/fixtures/driver_rig.h"
#include "transport/udp_socket.h"

enum { CLIENT = 7, STREAM = 1001, SECONDS_MAX = 10 };

#define CHANNEL "aeron:udp?endpoint=the-peer"
#define OTHERS  "aeron:udp?endpoint=peer-"
#define TABLE                                                                                      \
    "the-peer,127.0.0.1:24571,127.0.0.2:24571|peer-1,127.0.0.1:24572,127.0.0.2:24572|"             \
    "peer-2,127.0.0.1:24573,127.0.0.2:24573|peer-3,127.0.0.1:24574,127.0.0.2:24574|"

static driver_rig_t rig;

static void open_rig(void)
{
    static const char *const settings[] = {"AERON_NAME_RESOLVER_SUPPLIER", "csv_table",
                                           "AERON_NAME_RESOLVER_INIT_ARGS", TABLE, NULL};
    driver_rig_open(&rig, settings);
    (void)driver_rig_add_subscription(&rig, CLIENT, "aeron:ipc", 99);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
}

static void close_rig(void)
{
    driver_rig_close(&rig);
}

TestSuite(conductor_name, .init = open_rig, .fini = close_rig);

/* --- the table and the peers --- */

static void choose(int64_t choice)
{
    int32_t cursor = 0;
    rj_counter_view_t view;
    while (rj_counters_next(&rig.counters, &cursor, &view)) {
        if (view.type_id == RJ_COUNTER_TYPE_NAME_ENTRY)
            rj_counter_set((int64_t *)(uintptr_t)&rig.counters.values[view.id], choice);
    }
}

static int open_peer(uint8_t last_byte)
{
    const uint8_t bytes[4] = {127, 0, 0, last_byte};
    const rj_socket_params_t params = {.bind = rj_address_ipv4(bytes, 24571)};
    rj_sockets_t *sockets = rj_sockets_kernel();
    rj_socket_info_t info;
    rj_err_t err;
    cr_assert_eq(sockets->ops->open(sockets, &params, &info, &err), 0, "%s", err.text);
    return info.socket;
}

/* The next setup that comes to a peer, of those that are there: false for none. */
static bool take_setup(int peer, struct sockaddr_storage *ret_source)
{
    uint8_t bytes[2048];
    bool has_setup = false;
    for (;;) {
        socklen_t length = sizeof(*ret_source);
        const ssize_t got = recvfrom(peer, bytes, sizeof(bytes), MSG_DONTWAIT,
                                     (struct sockaddr *)ret_source, &length);
        if (got < 0)
            return has_setup;
        has_setup |= rj_frame_check(bytes, (uint32_t)got) == RJ_FRAME_TYPE_SETUP;
    }
}

static void drain(int peer)
{
    struct sockaddr_storage source;
    (void)take_setup(peer, &source);
}

static int64_t changes(void)
{
    return driver_rig_system_counter(&rig, RJ_SYSTEM_RESOLUTION_CHANGES);
}

/* Seconds until the number of changes is another; 0 if that does not happen. */
static int seconds_until_change(void)
{
    const int64_t before = changes();
    for (int second = 1; second <= SECONDS_MAX; second++) {
        driver_rig_live(&rig, CLIENT, 1000000000);
        if (changes() != before)
            return second;
    }
    return 0;
}

static int64_t publish(void)
{
    const int64_t id = driver_rig_add_publication(&rig, CLIENT, false, CHANNEL, STREAM);
    driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    return id;
}

/* --- tests --- */

Test(conductor_name, counts_a_row_of_the_table_with_key_and_label)
{
    int32_t cursor = 0;
    rj_counter_view_t view = {0};
    while (rj_counters_next(&rig.counters, &cursor, &view) &&
           view.type_id != RJ_COUNTER_TYPE_NAME_ENTRY)
        ;
    cr_assert_eq(view.type_id, RJ_COUNTER_TYPE_NAME_ENTRY);
    int32_t length;
    memcpy(&length, view.key, sizeof(length));
    cr_expect_eq(length, 8);
    cr_expect_arr_eq(view.key + 4, "the-peer", 8);
    cr_expect_str_eq(view.label, "NameEntry{name='the-peer', "
                                 "initialResolutionHost='127.0.0.1:24571', "
                                 "reResolutionHost='127.0.0.2:24571'}");
    cr_expect_eq(view.value, 0);
    cr_expect_eq(view.id, RJ_SYSTEM_COUNTER_COUNT, "right behind the system's");
}

Test(conductor_name, moves_a_publication_to_its_names_new_address_within_ten_seconds_and_back)
{
    const int first = open_peer(1);
    const int second = open_peer(2);
    struct sockaddr_storage source;
    struct sockaddr_storage moved;
    publish();
    driver_rig_live(&rig, CLIENT, 1000000000);
    cr_assert(take_setup(first, &source));
    choose(1);
    const int took = seconds_until_change();
    cr_expect(took >= 4 && took <= 9, "%d s", took);
    drain(first);
    driver_rig_live(&rig, CLIENT, 1000000000);
    cr_expect_not(take_setup(first, &moved));
    cr_assert(take_setup(second, &moved));
    cr_expect_eq(((struct sockaddr_in *)&source)->sin_port,
                 ((struct sockaddr_in *)&moved)->sin_port, "its port stays");
    choose(0);
    cr_expect_eq(seconds_until_change(), 1, "it is silent already, and asked at every check");
    drain(second);
    driver_rig_live(&rig, CLIENT, 1000000000);
    cr_expect(take_setup(first, &source));
    cr_expect_not(take_setup(second, &source));
    cr_expect_eq(changes(), 2);
    close(first);
    close(second);
}

Test(conductor_name, joins_a_publication_that_has_moved)
{
    const int64_t id = publish();
    choose(1);
    cr_assert_gt(seconds_until_change(), 0);
    const int64_t joined = driver_rig_add_publication(&rig, CLIENT, false, CHANNEL, STREAM);
    const rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    cr_expect_eq(event.publication.correlation_id, joined);
    cr_expect_eq(event.publication.registration_id, id);
}

Test(conductor_name, keeps_the_old_address_when_nobody_knows_the_name_and_logs_that)
{
    const int first = open_peer(1);
    struct sockaddr_storage source;
    publish();
    choose(-1);
    const int64_t errors = driver_rig_system_counter(&rig, RJ_SYSTEM_ERRORS);
    driver_rig_live(&rig, CLIENT, INT64_C(8000000000));
    cr_expect_eq(changes(), 0);
    cr_expect_gt(driver_rig_system_counter(&rig, RJ_SYSTEM_ERRORS), errors);
    cr_expect(driver_rig_has_error(&rig, "endpoint=the-peer"));
    cr_expect(driver_rig_has_error(&rig, "Unable to resolve host=(the-peer): (forced)"));
    drain(first);
    driver_rig_live(&rig, CLIENT, 1000000000);
    cr_expect(take_setup(first, &source));
    close(first);
}

Test(conductor_name, refuses_a_new_channel_while_its_name_fails)
{
    choose(-1);
    driver_rig_add_publication(&rig, CLIENT, false, CHANNEL, STREAM);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(event.error.error_code, RJ_ERROR_UNKNOWN_HOST);
    cr_expect_not_null(strstr(driver_rig_text(&event), "Unresolved - endpoint=the-peer"));
    choose(0);
    publish();
}

Test(conductor_name, lets_an_endpoint_go_that_is_asked_for)
{
    const int64_t id = publish();
    choose(1);
    for (int second = 0; second < 5; second++)
        driver_rig_live(&rig, CLIENT, 1000000000);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_PUBLICATION, CLIENT, id);
    driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    driver_rig_live(&rig, CLIENT, INT64_C(20000000000));
    cr_expect_eq(driver_rig_log_count(&rig), 0);
    publish();
}

/* One after the other, so that no slow answer keeps clients waiting for long; but all of them. */
Test(conductor_name, asks_for_every_silent_name_in_one_check)
{
    static const char *const channels[] = {OTHERS "1", OTHERS "2", OTHERS "3", CHANNEL};
    for (int i = 0; i < 4; i++) {
        (void)driver_rig_add_publication(&rig, CLIENT, false, channels[i], STREAM);
        (void)driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    }
    choose(1);
    cr_assert_gt(seconds_until_change(), 0);
    cr_expect_eq(changes(), 4);
}

/* What a tag leads to is compared by where it is now (commands.md 7.1). */
Test(conductor_name, finds_a_publication_that_has_moved_by_its_tag)
{
    const int64_t id = driver_rig_add_publication(&rig, CLIENT, false, CHANNEL "|tags=5", STREAM);
    driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    choose(1);
    cr_assert_gt(seconds_until_change(), 0);
    static const char *const channels[] = {"aeron:udp?tags=5", CHANNEL "|tags=5"};
    for (int i = 0; i < 2; i++) {
        (void)driver_rig_add_publication(&rig, CLIENT, false, channels[i], STREAM);
        const rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
        cr_expect_eq(event.publication.registration_id, id, "%s", channels[i]);
    }
}

/* The same, but that nobody asks again. */
Test(conductor_name_once, asks_for_no_name_again_where_the_interval_is_0)
{
    static const char *const settings[] = {"AERON_NAME_RESOLVER_SUPPLIER",
                                           "csv_table",
                                           "AERON_NAME_RESOLVER_INIT_ARGS",
                                           TABLE,
                                           "AERON_DRIVER_RERESOLUTION_CHECK_INTERVAL",
                                           "0",
                                           NULL};
    driver_rig_open(&rig, settings);
    (void)driver_rig_add_publication(&rig, CLIENT, false, CHANNEL, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    choose(1);
    cr_expect_eq(seconds_until_change(), 0);
    driver_rig_close(&rig);
}
