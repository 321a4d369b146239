/* SPDX-License-Identifier: Apache-2.0 */
/* Receivers with an explicit control address (wire.md 7.2, 11.4; driver.md 13.3). */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/frame.h"
#include "ramjet/wire.h"
#include "tests/fixtures/rig_stream.h"

#define ENDPOINT   "endpoint=127.0.0.1:24471"
#define CONTROL    "control=127.0.0.1:24472"
#define CHANNEL    "aeron:udp?" ENDPOINT "|" CONTROL
#define MANUAL     "aeron:udp?control-mode=manual"
#define SECONDS(n) ((n)*INT64_C(1000000000))
#define MILLIS(n)  ((n)*INT64_C(1000000))

enum { CLIENT = 7000, STREAM = 1001, PORT = 24471, CONTROL_PORT = 24472, SESSION = 77 };

static driver_rig_t rig;
static int control; /* the sender's socket */

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static int open_socket(uint16_t port)
{
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const struct sockaddr_in address = loopback(port);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void open_rig_with(const char *const *settings)
{
    driver_rig_open(&rig, settings);
    driver_rig_make_client(&rig, CLIENT);
    control = open_socket(CONTROL_PORT);
}

static void open_rig(void)
{
    open_rig_with(NULL);
}

static void open_rig_with_names(void)
{
    static const char *const settings[] = {"AERON_NAME_RESOLVER_SUPPLIER", "csv_table",
                                           "AERON_NAME_RESOLVER_INIT_ARGS",
                                           "the-sender,127.0.0.1:24472,127.0.0.1:24473|", NULL};
    open_rig_with(settings);
}

static void close_rig(void)
{
    close(control);
    driver_rig_close(&rig);
}

TestSuite(conductor_control, .init = open_rig, .fini = close_rig);
TestSuite(conductor_control_name, .init = open_rig_with_names, .fini = close_rig);

static void settle(void)
{
    for (int quiet = 0; quiet < 3;)
        quiet = driver_rig_turn(&rig) > 0 ? 0 : quiet + 1;
}

/* Less than a step of the rig's own clocks. */
static void pass(int64_t duration_ns)
{
    rig.now_ns += duration_ns;
    rig.epoch_ms += duration_ns / 1000000;
    settle();
}

static int64_t subscribe(const char *channel)
{
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, channel, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    driver_rig_expect_nothing(&rig);
    return id;
}

static void add_destination(int64_t registration_id, const char *channel)
{
    uint8_t body[512];
    const rj_command_destination_t command = {.header = {CLIENT, driver_rig_id(&rig)},
                                              .registration_id = registration_id,
                                              .channel_length = (int32_t)strlen(channel)};
    memcpy(body, &command, sizeof(command));
    memcpy(body + sizeof(command), channel, strlen(channel));
    driver_rig_write(&rig, RJ_COMMAND_ADD_RCV_DESTINATION, body,
                     (int32_t)(sizeof(command) + strlen(channel)));
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    driver_rig_expect_nothing(&rig);
}

/* The next status message that came to a sender's socket; false when there is none. */
static bool receive_sm(int fd, rj_wire_sm_t *ret_sm, uint16_t *ret_port)
{
    struct sockaddr_in from;
    socklen_t from_bytes = sizeof(from);
    uint8_t bytes[2048] __attribute__((aligned(8)));
    const ssize_t length =
        recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &from_bytes);
    if (length < 0)
        return false;
    cr_assert_eq(rj_frame_check(bytes, (uint32_t)length), RJ_FRAME_TYPE_SM);
    memcpy(ret_sm, bytes, sizeof(*ret_sm));
    *ret_port = ntohs(from.sin_port);
    return true;
}

/* One that asks for the setup of a session, from the address at which its data would arrive. */
static void expect_request(int32_t stream_id, int32_t session_id, uint16_t port)
{
    rj_wire_sm_t sm;
    uint16_t from;
    cr_assert(receive_sm(control, &sm, &from), "no status message came");
    cr_expect_eq(sm.flags, RJ_SM_FLAG_SEND_SETUP);
    cr_expect_eq(sm.stream_id, stream_id);
    cr_expect_eq(sm.session_id, session_id);
    cr_expect_eq(sm.receiver_window, 0);
    cr_expect_neq(sm.receiver_id, 0);
    cr_expect(port == 0 || from == port);
}

static void expect_silence(void)
{
    rj_wire_sm_t sm;
    uint16_t from;
    cr_expect_not(receive_sm(control, &sm, &from));
}

Test(conductor_control, tells_its_control_address_at_once_and_then_every_second)
{
    static const char *const channels[] = {CHANNEL, CHANNEL "|control-mode=dynamic"};
    for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++) {
        int64_t id = subscribe(channels[i]);
        expect_request(0, 0, PORT);
        expect_silence();
        pass(MILLIS(900));
        expect_silence();
        for (int n = 0; n < 3; n++) {
            pass(MILLIS(1002));
            expect_request(0, 0, PORT);
            expect_silence();
        }
        driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, id);
        (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
        driver_rig_live(&rig, CLIENT, SECONDS(3));
        expect_silence();
    }
}

Test(conductor_control, asks_for_a_session_that_is_wanted_by_name)
{
    subscribe(CHANNEL "|session-id=77");
    expect_request(0, 0, PORT);
    expect_request(STREAM, SESSION, PORT);
    subscribe(CHANNEL "|session-id=78");
    expect_request(STREAM, SESSION + 1, PORT);
    subscribe(CHANNEL);
    expect_silence();
}

Test(conductor_control, chooses_a_port_where_only_a_control_address_is_given)
{
    int64_t id = subscribe("aeron:udp?control-mode=dynamic|" CONTROL);
    rj_counter_view_t view = driver_rig_counter(&rig, RJ_COUNTER_TYPE_LOCAL_SOCKADDR, id);
    cr_expect_not_null(strstr(view.label, " 0.0.0.0:"), "%s", view.label);
    expect_request(0, 0, 0);
}

Test(conductor_control, speaks_for_each_destination_that_has_one)
{
    int64_t id = subscribe(MANUAL "|session-id=77");
    expect_silence();
    add_destination(id, "aeron:udp?" ENDPOINT "|control-mode=dynamic|" CONTROL);
    expect_request(0, 0, PORT);
    expect_silence(); /* the subscription's own channel names no control address */
    pass(MILLIS(1002));
    expect_request(0, 0, PORT);
}

/* A publication of this driver that has the control address for its own. */
Test(conductor_control, sends_status_messages_there_whoever_sent_the_setup)
{
    subscribe(CHANNEL);
    expect_request(0, 0, PORT);
    driver_rig_add_publication(&rig, CLIENT, false, "aeron:udp?" ENDPOINT, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    pass(MILLIS(300));
    rj_wire_sm_t sm;
    uint16_t from;
    int count = 0;
    while (receive_sm(control, &sm, &from)) {
        cr_expect_eq(from, PORT);
        cr_expect_eq(sm.stream_id, STREAM);
        cr_expect_eq(sm.flags, 0);
        cr_expect_gt(sm.receiver_window, 0);
        count++;
    }
    cr_expect_geq(count, 1);
}

Test(conductor_control, needs_a_control_address_with_a_port)
{
    int64_t id = driver_rig_add_subscription(&rig, CLIENT,
                                             "aeron:udp?" ENDPOINT "|control=127.0.0.1:0", STREAM);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(event.error.offending_correlation_id, id);
    cr_expect_eq(event.error.error_code, RJ_ERROR_GENERIC);
}

/* The sender's name leads elsewhere from now on; by its row in the table. */
static void move_name(void)
{
    int32_t cursor = 0;
    rj_counter_view_t view;
    while (rj_counters_next(&rig.counters, &cursor, &view)) {
        if (view.type_id == RJ_COUNTER_TYPE_NAME_ENTRY)
            rj_counter_set(rig_counter_value(&rig, view.id), 1);
    }
}

Test(conductor_control_name, follows_the_senders_name_while_nothing_comes)
{
    static const char *const channels[] = {"aeron:udp?" ENDPOINT "|control=the-sender",
                                           "aeron:udp?control-mode=manual"};
    for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++) {
        int64_t id = subscribe(channels[i]);
        if (i == 1)
            add_destination(id, channels[0]);
        expect_request(0, 0, PORT);
        int64_t changes = driver_rig_system_counter(&rig, RJ_SYSTEM_RESOLUTION_CHANGES);
        driver_rig_live(&rig, CLIENT, SECONDS(7));
        cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_RESOLUTION_CHANGES), changes);
        while (receive_sm(control, &(rj_wire_sm_t){0}, &(uint16_t){0}))
            continue;
        close(control);
        control = open_socket(CONTROL_PORT + 1);
        move_name();
        driver_rig_live(&rig, CLIENT, SECONDS(7));
        cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_RESOLUTION_CHANGES), changes + 1);
        expect_request(0, 0, PORT);

        driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, id);
        (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
        driver_rig_live(&rig, CLIENT, SECONDS(3));
        close(control);
        control = open_socket(CONTROL_PORT);
        rj_counter_set(rig_counter_value(&rig, RJ_SYSTEM_COUNTER_COUNT), 0); /* and back again */
    }
}
