/* SPDX-License-Identifier: Apache-2.0 */
/* Ports out of a range, through a whole driver (driver.md 14, 23.15). */
#include "conductor/conductor.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/fixtures/driver_rig.h"

#define OPEN "aeron:udp?endpoint=127.0.0.1:0"

enum { CLIENT = 7 };

static driver_rig_t rig;

static void open_rig(void)
{
    static const char *const settings[] = {"AERON_RECEIVER_WILDCARD_PORT_RANGE", "24600 24602",
                                           "AERON_SENDER_WILDCARD_PORT_RANGE", "24610 24611", NULL};
    driver_rig_open(&rig, settings);
    (void)driver_rig_add_subscription(&rig, CLIENT, "aeron:ipc", 99);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
}

static void close_rig(void)
{
    driver_rig_close(&rig);
}

TestSuite(conductor_ports, .init = open_rig, .fini = close_rig);

/* The port that the counter of a registration tells. */
static int port_of(int64_t registration_id)
{
    const rj_counter_view_t view =
        driver_rig_counter(&rig, RJ_COUNTER_TYPE_LOCAL_SOCKADDR, registration_id);
    const rj_sockaddr_key_t *key = (const rj_sockaddr_key_t *)(const void *)view.key;
    char text[104];
    int port = 0;
    snprintf(text, sizeof(text), "%.*s", key->address_length, key->address);
    cr_assert_eq(sscanf(strrchr(text, ':'), ":%d", &port), 1, "%s", text);
    return port;
}

static int64_t subscribe(const char *channel)
{
    const int64_t id = driver_rig_add_subscription(&rig, CLIENT, channel, 1001);
    driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    return id;
}

static void expect_none_left(const char *channel, const char *words)
{
    const int before = driver_rig_counter_count(&rig);
    const int64_t id = driver_rig_add_subscription(&rig, CLIENT, channel, 1001);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(event.error.offending_correlation_id, id);
    cr_expect_eq(event.error.error_code, RJ_ERROR_GENERIC);
    cr_expect_not_null(strstr(driver_rig_text(&event), words), "%s", driver_rig_text(&event));
    cr_expect_eq(driver_rig_counter_count(&rig), before, "nothing of it is left");
}

static void unsubscribe(int64_t id)
{
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, id);
    driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    driver_rig_live(&rig, CLIENT, INT64_C(3000000000));
}

Test(conductor_ports, gives_subscriptions_ports_of_their_range_and_takes_them_back)
{
    cr_expect_eq(port_of(subscribe(OPEN)), 24600);
    const int64_t second = subscribe(OPEN);
    cr_expect_eq(port_of(second), 24601);
    cr_expect_eq(port_of(subscribe(OPEN)), 24602);
    expect_none_left(OPEN, "no available ports in range 24600 24602");
    unsubscribe(second);
    cr_expect_eq(port_of(subscribe(OPEN)), 24601);
}

Test(conductor_ports, does_not_give_out_ports_that_are_asked_for)
{
    const int64_t asked = subscribe("aeron:udp?endpoint=127.0.0.1:24601");
    cr_expect_eq(port_of(subscribe(OPEN)), 24600);
    cr_expect_eq(port_of(subscribe(OPEN)), 24602);
    expect_none_left(OPEN, "no available ports");
    unsubscribe(asked);
    cr_expect_eq(port_of(subscribe(OPEN)), 24601);
}

Test(conductor_ports, passes_over_what_somebody_else_has)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    const rj_socket_params_t params = {.bind = rj_address_ipv4(loopback, 24600)};
    rj_sockets_t *sockets = rj_sockets_kernel();
    rj_socket_info_t info;
    rj_err_t err;
    cr_assert_eq(sockets->ops->open(sockets, &params, &info, &err), 0, "%s", err.text);
    cr_expect_eq(port_of(subscribe(OPEN)), 24601);
    cr_expect_eq(port_of(subscribe(OPEN)), 24602);
    expect_none_left(OPEN, "Address already in use");
    sockets->ops->close(sockets, info.socket);
    cr_expect_eq(port_of(subscribe(OPEN)), 24600);
}

Test(conductor_ports, gives_publications_with_control_ports_of_the_other_range)
{
    const int64_t id = driver_rig_add_publication(
        &rig, CLIENT, false, "aeron:udp?endpoint=127.0.0.1:24701|control=127.0.0.1:0", 1001);
    driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    cr_expect_eq(port_of(id), 24610);
    const int64_t dynamic = driver_rig_add_publication(
        &rig, CLIENT, false, "aeron:udp?control=127.0.0.1:0|control-mode=dynamic", 1001);
    driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    cr_expect_eq(port_of(dynamic), 24611);
    const int64_t plain =
        driver_rig_add_publication(&rig, CLIENT, false, "aeron:udp?endpoint=127.0.0.1:24700", 1001);
    driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    const int port = port_of(plain);
    cr_expect(port < 24610 || port > 24611, "without control the system chooses: %d", port);
}
