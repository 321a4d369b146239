/* SPDX-License-Identifier: Apache-2.0 */
/* A driver whose engines have rings: where endpoints and images live, and that all of it is given
 * back. The rings are memory, so that a test decides which engine a frame comes to. */
#include "conductor/conductor.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "proto/frame.h"
#include "tests/fixtures/driver_rig.h"
#include "tests/fixtures/memory_port.h"
#include "tests/fixtures/wire_vectors.h"

#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { CLIENT = 7000, ENGINES = 3, PORT = 24600 };

static driver_rig_t rig;
static memory_port_t ports[ENGINES];

static int open_port(void *state, int index, const rj_port_params_t *params, rj_port_t **ret_port,
                     rj_err_t *err)
{
    (void)state;
    (void)params;
    (void)err;
    memory_port_init(&ports[index]);
    *ret_port = &ports[index].base;
    return 0;
}

static void open_rig(void)
{
    driver_rig_open_rings(&rig, NULL, ENGINES, open_port);
    driver_rig_make_client(&rig, CLIENT);
}

static void close_rig(void)
{
    driver_rig_close(&rig);
}

TestSuite(conductor_engines, .init = open_rig, .fini = close_rig);

static int64_t subscribe(int port)
{
    char channel[64];
    snprintf(channel, sizeof(channel), "aeron:udp?endpoint=127.0.0.1:%d", port);
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, channel, VECTOR_STREAM_ID);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    driver_rig_expect_nothing(&rig); /* until all engines know it */
    return id;
}

static int64_t publish(int port)
{
    char channel[64];
    snprintf(channel, sizeof(channel), "aeron:udp?endpoint=127.0.0.1:%d", port);
    int64_t id = driver_rig_add_publication(&rig, CLIENT, true, channel, VECTOR_STREAM_ID);
    (void)driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
    return id;
}

static void unsubscribe(int64_t id)
{
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
}

/* A worked frame comes to the one receive endpoint there is, by the port of an engine. */
static void receive_at(int engine, int vector)
{
    static const uint8_t host[4] = {127, 0, 0, 1};
    const rj_address_t source = rj_address_ipv4(host, 50001);
    rj_endpoint_t *endpoint = NULL;
    for (int i = 0; i < ENGINES; i++) {
        if (ports[i].endpoint_count > 0)
            endpoint = ports[i].endpoints[0];
    }
    cr_assert_not_null(endpoint);
    memory_port_receive(&ports[engine], endpoint, &source, wire_vectors[vector].bytes,
                        wire_vectors[vector].length_bytes);
}

static int sm_count(int engine)
{
    return memory_port_count(&ports[engine], RJ_FRAME_TYPE_SM);
}

Test(conductor_engines, spreads_endpoints_over_all_engines)
{
    for (int i = 0; i < ENGINES; i++) {
        subscribe(PORT + i);
        publish(PORT + i);
    }
    driver_rig_expect_nothing(&rig);
    for (int i = 0; i < ENGINES; i++) {
        cr_expect_eq(ports[i].endpoint_count, 2, "engine %d has %d", i, ports[i].endpoint_count);
        cr_expect_eq(ports[i].guest_count, 2 * ENGINES - 2);
        int kinds = 0;
        for (int k = 0; k < ports[i].endpoint_count; k++) {
            cr_expect_eq(ports[i].endpoints[k]->home, i);
            kinds |= 1 << ports[i].endpoints[k]->kind;
        }
        cr_expect_eq(kinds, 1 << RJ_ENDPOINT_SEND | 1 << RJ_ENDPOINT_RECEIVE, "one of each kind");
    }
}

Test(conductor_engines, gives_an_endpoint_up_when_every_engine_has)
{
    unsubscribe(subscribe(PORT));
    driver_rig_expect_nothing(&rig);
    driver_rig_live(&rig, CLIENT, SECONDS(3));
    for (int i = 0; i < ENGINES; i++)
        cr_expect_eq(ports[i].endpoint_count + ports[i].guest_count, 0);
    subscribe(PORT);
}

/* All agents but one engine, over a timer event. */
static void run_without_engine(int resting)
{
    rig.now_ns += SECONDS(2);
    for (int turn = 0; turn < 10; turn++) {
        for (int i = 0; i < ENGINES; i++) {
            if (i != resting)
                rj_driver_engine_work(rig.driver, i, rig.now_ns);
        }
        rj_driver_conductor_work(rig.driver, rig.now_ns, rig.epoch_ms);
    }
}

Test(conductor_engines, keeps_an_endpoint_that_one_engine_has_not_released)
{
    char channel[64];
    snprintf(channel, sizeof(channel), "aeron:udp?endpoint=127.0.0.1:%d", PORT);
    int64_t id = subscribe(PORT);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, id);
    run_without_engine(2);
    run_without_engine(2);
    driver_rig_add_subscription(&rig, CLIENT, channel, VECTOR_STREAM_ID);
    run_without_engine(2);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    rig_event_t refused = driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(refused.error.error_code, RJ_ERROR_RESOURCE_TEMPORARILY_UNAVAILABLE);
    driver_rig_expect_nothing(&rig);
    driver_rig_live(&rig, CLIENT, SECONDS(3));
    subscribe(PORT);
}

Test(conductor_engines, grants_an_image_to_the_engine_that_its_setup_came_to)
{
    int64_t id = subscribe(PORT);
    receive_at(2, V1);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    cr_expect_eq(event.image.subscription_registration_id, id);
    driver_rig_expect_nothing(&rig);
    cr_expect_eq(sm_count(2), 1, "its own engine speaks for it");
    cr_expect_eq(sm_count(0) + sm_count(1), 0);
    /* Data by the third engine: to the home, to the owner. */
    receive_at(1, V7);
    driver_rig_expect_nothing(&rig);
    cr_expect_gt(
        driver_rig_counter(&rig, RJ_COUNTER_TYPE_RECEIVER_POSITION, event.image.correlation_id)
            .value,
        0);
}

Test(conductor_engines, lets_a_session_come_back_in_another_engine)
{
    subscribe(PORT);
    receive_at(2, V1);
    rig_event_t first = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    /* Nothing more is heard: it ends by its time-out, and lingers as long again. */
    rig_event_t event = {.type = 0};
    for (int i = 0; i < 30 && event.type != RJ_EVENT_UNAVAILABLE_IMAGE; i++) {
        driver_rig_live(&rig, CLIENT, SECONDS(1));
        event = driver_rig_next(&rig);
    }
    cr_assert_eq(event.type, RJ_EVENT_UNAVAILABLE_IMAGE);
    cr_expect_eq(event.unavailable.correlation_id, first.image.correlation_id);
    receive_at(1, V1);
    (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    driver_rig_expect_nothing(&rig);
    cr_expect_eq(sm_count(1), 1);
}

Test(conductor_engines, leaves_nothing_of_an_image_in_another_engine)
{
    int64_t id = subscribe(PORT);
    receive_at(1, V1);
    (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    unsubscribe(id);
    driver_rig_live(&rig, CLIENT, SECONDS(30));
    cr_expect_eq(driver_rig_log_count(&rig), 0);
    cr_expect_eq(driver_rig_counter_count(&rig), 1, "the client's heartbeat");
    for (int i = 0; i < ENGINES; i++)
        cr_expect_eq(ports[i].endpoint_count + ports[i].guest_count, 0);
}

/* A session that nobody wants and then somebody again: its old image lives on, unfed, and the new
 * one is made in the same engine, for one receiver has one voice. */
Test(conductor_engines, grants_a_session_to_where_its_older_image_lives)
{
    int64_t id = subscribe(PORT);
    receive_at(2, V1);
    rig_event_t first = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    unsubscribe(id);
    driver_rig_expect_nothing(&rig);
    receive_at(2, V7);
    driver_rig_expect_nothing(&rig);
    cr_expect_eq(
        driver_rig_counter(&rig, RJ_COUNTER_TYPE_RECEIVER_HWM, first.image.correlation_id).value, 0,
        "nobody wants it");
    subscribe(PORT);
    memory_port_clear(&ports[2]);
    receive_at(1, V1);
    (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    driver_rig_expect_nothing(&rig);
    cr_expect_geq(sm_count(2), 1);
    cr_expect_eq(sm_count(1), 0);
}

static void check_mode(const char *mode)
{
    const char *const settings[] = {"AERON_THREADING_MODE", mode, NULL};
    close_rig();
    driver_rig_open_rings(&rig, settings, ENGINES, open_port);
    cr_expect_eq(rj_driver_engine_count(rig.driver), ENGINES, "%s", mode);
    cr_expect(rj_driver_has_rings(rig.driver));
}

Test(conductor_engines, has_an_engine_for_each_queue_in_every_threading_mode)
{
    check_mode("DEDICATED");
    check_mode("SHARED_NETWORK");
    check_mode("SHARED");
    check_mode("INVOKER");
}
