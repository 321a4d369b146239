/* SPDX-License-Identifier: Apache-2.0 */
#include "conductor/conductor.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "tests/fixtures/driver_rig.h"

#define CHANNEL    "aeron:udp?endpoint=127.0.0.1:24410"
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

TestSuite(conductor_client, .init = open_rig, .fini = close_rig);

static void expect_counter_event(int32_t type, int64_t registration_id)
{
    rig_event_t event = driver_rig_expect(&rig, type);
    cr_expect_eq(event.counter.correlation_id, registration_id);
}

static int64_t add_counter(int64_t client_id)
{
    struct __attribute__((packed)) {
        rj_command_counter_t fixed;
        int32_t label_length;
    } command = {.fixed = {.header = {client_id, driver_rig_id(&rig)}, .type_id = 1001}};
    driver_rig_write(&rig, RJ_COMMAND_ADD_COUNTER, &command, sizeof(command));
    return command.fixed.header.correlation_id;
}

Test(conductor_client, is_made_by_an_add_and_by_nothing_else)
{
    const rj_command_header_t header = {CLIENT, -1};
    driver_rig_write(&rig, RJ_COMMAND_CLIENT_KEEPALIVE, &header, sizeof(header));
    driver_rig_write(&rig, RJ_COMMAND_CLIENT_CLOSE, &header, sizeof(header));
    driver_rig_expect_nothing(&rig);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_COUNTER, CLIENT, 1);
    (void)driver_rig_expect(&rig, RJ_EVENT_ERROR);
    driver_rig_add_publication(&rig, CLIENT, false, "aeron:ipc?mtu=1", 1);
    (void)driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(driver_rig_counter_count(&rig), 0);
    int64_t id = add_counter(CLIENT);
    expect_counter_event(RJ_EVENT_COUNTER_READY, CLIENT);
    expect_counter_event(RJ_EVENT_COUNTER_READY, id);
    rj_counter_view_t view = driver_rig_counter(&rig, RJ_COUNTER_TYPE_CLIENT_HEARTBEAT, CLIENT);
    cr_expect_eq(view.value, rig.epoch_ms);
    int64_t key;
    memcpy(&key, view.key, sizeof(key));
    cr_expect_eq(key, CLIENT);
}

Test(conductor_client, goes_with_everything_in_the_order_that_clients_rely_on)
{
    int64_t first = add_counter(CLIENT);
    int64_t second = add_counter(CLIENT);
    expect_counter_event(RJ_EVENT_COUNTER_READY, CLIENT);
    expect_counter_event(RJ_EVENT_COUNTER_READY, first);
    expect_counter_event(RJ_EVENT_COUNTER_READY, second);
    driver_rig_add_subscription(&rig, CLIENT, "aeron:ipc", 1);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    driver_rig_add_publication(&rig, OTHER_CLIENT, false, "aeron:ipc", 1);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    driver_rig_live(&rig, OTHER_CLIENT, SECONDS(12));
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_CLIENT_TIMEOUT);
    cr_expect_eq(event.client_timeout.client_id, CLIENT);
    expect_counter_event(RJ_EVENT_UNAVAILABLE_COUNTER, CLIENT);
    expect_counter_event(RJ_EVENT_UNAVAILABLE_COUNTER, first);
    expect_counter_event(RJ_EVENT_UNAVAILABLE_COUNTER, second);
    /* No image goes: it was this client's, and its subscriber position is no client's counter. */
    driver_rig_expect_nothing(&rig);
    driver_rig_live(&rig, OTHER_CLIENT, SECONDS(2));
    /* The other's heartbeat and publication (two positions, and why it waits) are as they were. */
    cr_expect_eq(driver_rig_counter_count(&rig), 4);
}

Test(conductor_client, that_said_goodbye_goes_even_if_a_thread_of_it_lives_on)
{
    add_counter(CLIENT);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    const rj_command_header_t header = {CLIENT, -1};
    driver_rig_write(&rig, RJ_COMMAND_CLIENT_CLOSE, &header, sizeof(header));
    driver_rig_write(&rig, RJ_COMMAND_CLIENT_KEEPALIVE, &header, sizeof(header));
    driver_rig_expect_nothing(&rig);
    driver_rig_advance(&rig, SECONDS(1));
    expect_counter_event(RJ_EVENT_UNAVAILABLE_COUNTER, CLIENT);
    (void)driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_COUNTER);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_CLIENT_TIMEOUTS), 0);
}

Test(conductor_client, gets_a_fresh_record_when_it_comes_back)
{
    for (int64_t i = 1; i <= 3; i++) {
        int64_t id = add_counter(CLIENT);
        expect_counter_event(RJ_EVENT_COUNTER_READY, CLIENT);
        expect_counter_event(RJ_EVENT_COUNTER_READY, id);
        driver_rig_advance(&rig, SECONDS(12));
        (void)driver_rig_expect(&rig, RJ_EVENT_CLIENT_TIMEOUT);
        expect_counter_event(RJ_EVENT_UNAVAILABLE_COUNTER, CLIENT);
        expect_counter_event(RJ_EVENT_UNAVAILABLE_COUNTER, id);
        driver_rig_advance(&rig, SECONDS(2));
        cr_expect_eq(driver_rig_counter_count(&rig), 0);
        cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_CLIENT_TIMEOUTS), i);
    }
}

/* Its name is being looked up, or its log made, when its time is over. */
Test(conductor_client, that_is_timed_out_in_the_middle_of_an_add_leaves_nothing_behind)
{
    for (int turns = 0; turns < 6; turns++) {
        add_counter(CLIENT);
        (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
        (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
        int64_t id = driver_rig_add_publication(&rig, CLIENT, false, CHANNEL "|linger=0s", 1);
        for (int i = 0; i < turns; i++)
            driver_rig_turn(&rig);
        /* The client's last sign of life is older than all that. */
        rig.now_ns += SECONDS(11);
        rig.epoch_ms += 11000;
        int readies = 0;
        for (rig_event_t event; (event = driver_rig_next(&rig)).type != 0;) {
            readies += event.type == RJ_EVENT_PUBLICATION_READY;
            cr_expect_neq(event.type, RJ_EVENT_ERROR);
        }
        cr_expect_eq(readies, 1, "%" PRId64 " after %d turns", id, turns);
        driver_rig_advance(&rig, SECONDS(18));
        while (driver_rig_next(&rig).type != 0)
            continue;
        cr_expect_eq(driver_rig_counter_count(&rig), 0, "after %d turns", turns);
        cr_expect_eq(driver_rig_log_count(&rig), 0);
    }
}

Test(conductor_client, keeps_the_label_that_it_gave_its_heartbeat_counter)
{
    add_counter(CLIENT);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    int32_t id = driver_rig_counter(&rig, RJ_COUNTER_TYPE_CLIENT_HEARTBEAT, CLIENT).id;
    rj_counter_metadata_t *metadata =
        (rj_counter_metadata_t *)(void *)rig.cnc.counters_metadata.bytes + id;
    static const char more[] = " name=test";
    memcpy(metadata->label + metadata->label_length, more, strlen(more));
    metadata->label_length += (int32_t)strlen(more);
    driver_rig_live(&rig, CLIENT, SECONDS(5));
    cr_expect_str_eq(driver_rig_counter(&rig, RJ_COUNTER_TYPE_CLIENT_HEARTBEAT, CLIENT).label,
                     "client-heartbeat: id=7000 name=test");
}
