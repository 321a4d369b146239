/* SPDX-License-Identifier: Apache-2.0 */
/* The conductor and the destinations of multi-destination publications (commands.md 3.6, 5.5). */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "endpoint/send_destination.h"
#include "proto/frame.h"
#include "tests/fixtures/driver_rig.h"

enum { CLIENT = 5, STREAM = 1001 };

#define MANUAL  "aeron:udp?control-mode=manual"
#define DYNAMIC "aeron:udp?control=127.0.0.1:24395|control-mode=dynamic"

static driver_rig_t rig;
static rj_address_t moved; /* what `somewhere` is; AF_UNSPEC: nobody knows */

static int resolve(rj_resolver_t *resolver, const char *host, uint16_t family,
                   rj_resolve_reason_t reason, rj_address_t *ret, rj_err_t *err)
{
    (void)resolver;
    (void)family;
    (void)reason;
    if (strcmp(host, "somewhere") == 0 && moved.family != AF_UNSPEC) {
        *ret = moved;
        return 0;
    }
    return rj_fail_aeron(err, -ENOENT, RJ_ERROR_UNKNOWN_HOST, "%s is not known", host);
}

static const rj_resolver_ops_t resolver_ops = {.name = "test", .resolve = resolve};

static void open_rig(void)
{
    driver_rig_open(&rig, NULL);
    rig.resolver.ops = &resolver_ops;
    moved = (rj_address_t){.family = AF_UNSPEC};
}

static void close_rig(void)
{
    driver_rig_close(&rig);
}

TestSuite(conductor_destination, .init = open_rig, .fini = close_rig);

/* --- what clients do --- */

static rj_event_publication_ready_t publish(const char *channel)
{
    int64_t id = driver_rig_add_publication(&rig, CLIENT, false, channel, STREAM);
    for (;;) {
        rig_event_t event = driver_rig_next(&rig);
        cr_assert_neq(event.type, RJ_EVENT_ERROR, "%s", driver_rig_text(&event));
        if (event.type == RJ_EVENT_PUBLICATION_READY && event.publication.correlation_id == id)
            return event.publication;
    }
}

static int64_t command(int32_t type, int64_t publication, const char *channel)
{
    uint8_t body[8192];
    rj_command_destination_t fixed = {.header = {CLIENT, driver_rig_id(&rig)},
                                      .registration_id = publication,
                                      .channel_length = (int32_t)strlen(channel)};
    memcpy(body, &fixed, sizeof(fixed));
    memcpy(body + sizeof(fixed), channel, strlen(channel));
    driver_rig_write(&rig, type, body, (int32_t)(sizeof(fixed) + strlen(channel)));
    return fixed.header.correlation_id;
}

static int64_t command_by_id(int64_t publication, int64_t destination)
{
    rj_command_destination_by_id_t fixed = {.header = {CLIENT, driver_rig_id(&rig)},
                                            .resource_registration_id = publication,
                                            .destination_registration_id = destination};
    driver_rig_write(&rig, RJ_COMMAND_REMOVE_DESTINATION_BY_ID, &fixed, sizeof(fixed));
    return fixed.header.correlation_id;
}

static int64_t expect_success(int64_t correlation_id)
{
    rig_event_t event = driver_rig_next(&rig);
    cr_assert_eq(event.type, RJ_EVENT_OPERATION_SUCCESS, "%s", driver_rig_text(&event));
    cr_assert_eq(event.success.correlation_id, correlation_id);
    return correlation_id;
}

static void expect_error(int64_t correlation_id, int32_t code, const char *words)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(event.error.offending_correlation_id, correlation_id);
    cr_expect_eq(event.error.error_code, code, "%d: %s", event.error.error_code,
                 driver_rig_text(&event));
    cr_expect_not_null(strstr(driver_rig_text(&event), words), "%s: %s", words,
                       driver_rig_text(&event));
}

static int64_t add(int64_t publication, const char *channel)
{
    return expect_success(command(RJ_COMMAND_ADD_DESTINATION, publication, channel));
}

static void drop(int64_t publication, const char *channel)
{
    expect_success(command(RJ_COMMAND_REMOVE_DESTINATION, publication, channel));
}

static int64_t destination_count(int64_t publication)
{
    return driver_rig_counter(&rig, RJ_COUNTER_TYPE_MDC_NUM_DESTINATIONS, publication).value;
}

/* --- receivers that are bare sockets --- */

static int open_socket(uint16_t port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(port),
                                        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Empties it; returns how many frames of a type came. */
static int count_frames(int fd, int type)
{
    uint8_t bytes[2048];
    int count = 0;
    for (;;) {
        const ssize_t length = recv(fd, bytes, sizeof(bytes), 0);
        if (length < 0)
            return count;
        count += rj_frame_check(bytes, (uint32_t)length) == type;
    }
}

static void send_elicitation(int fd, uint16_t port, int64_t receiver_id)
{
    const rj_frame_sm_t sm = {.receiver_id = receiver_id, .flags = RJ_SM_FLAG_SEND_SETUP};
    rj_wire_sm_t frame;
    const uint32_t length = rj_frame_write_sm(&frame, &sm);
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    cr_assert_eq(sendto(fd, &frame, length, 0, (const struct sockaddr *)&to, sizeof(to)), length);
}

/* --- manual --- */

Test(conductor_destination, counts_and_reaches_what_is_added_by_uri)
{
    int first = open_socket(24401);
    int second = open_socket(24402);
    int64_t publication = publish(MANUAL).registration_id;
    rj_counter_view_t counter =
        driver_rig_counter(&rig, RJ_COUNTER_TYPE_MDC_NUM_DESTINATIONS, publication);
    cr_expect_eq(counter.value, 0);
    cr_expect_str_eq(counter.label, "mdc-num-dest: " MANUAL);
    add(publication, "aeron:udp?endpoint=127.0.0.1:24401");
    cr_expect_eq(destination_count(publication), 1);
    add(publication, "aeron:udp?endpoint=127.0.0.1:24402");
    cr_expect_eq(destination_count(publication), 2);
    driver_rig_live(&rig, CLIENT, 1000 * INT64_C(1000000));
    cr_expect_gt(count_frames(first, RJ_FRAME_TYPE_SETUP), 0);
    cr_expect_gt(count_frames(second, RJ_FRAME_TYPE_SETUP), 0);
    drop(publication, "aeron:udp?endpoint=127.0.0.1:24401");
    cr_expect_eq(destination_count(publication), 1);
    driver_rig_expect_nothing(&rig);
    count_frames(first, RJ_FRAME_TYPE_SETUP);
    driver_rig_live(&rig, CLIENT, 1000 * INT64_C(1000000));
    cr_expect_eq(count_frames(first, RJ_FRAME_TYPE_SETUP), 0);
    cr_expect_gt(count_frames(second, RJ_FRAME_TYPE_SETUP), 0);
    close(first);
    close(second);
}

Test(conductor_destination, removes_by_the_id_that_adding_had)
{
    int64_t publication = publish(MANUAL).registration_id;
    int64_t first = add(publication, "aeron:udp?endpoint=127.0.0.1:24401");
    add(publication, "aeron:udp?endpoint=127.0.0.1:24401");
    cr_expect_eq(destination_count(publication), 2, "nobody looks whether it is there");
    expect_success(command_by_id(publication, first));
    cr_expect_eq(destination_count(publication), 1);
    expect_success(command_by_id(publication, first));
    cr_expect_eq(destination_count(publication), 1, "it is not there any more");
    drop(publication, "aeron:udp?endpoint=127.0.0.1:24401");
    drop(publication, "aeron:udp?endpoint=127.0.0.1:24401");
    cr_expect_eq(destination_count(publication), 0);
}

Test(conductor_destination, takes_any_handle_of_the_publication_for_it)
{
    int64_t original = publish(MANUAL "|tags=7").registration_id;
    rj_event_publication_ready_t second = publish(MANUAL "|tags=7");
    cr_assert_eq(second.registration_id, original);
    add(second.correlation_id, "aeron:udp?endpoint=127.0.0.1:24401");
    cr_expect_eq(destination_count(original), 1);
}

Test(conductor_destination, refuses_what_is_no_destination_of_a_publication)
{
    int64_t publication = publish(MANUAL).registration_id;
    int64_t unicast = publish("aeron:udp?endpoint=127.0.0.1:24399").registration_id;
    int64_t dynamic = publish(DYNAMIC).registration_id;
    static const char manual[] = "channel does not allow manual control";
    const struct {
        int64_t publication;
        const char *channel;
        int32_t code;
        const char *words;
    } rows[] = {
        {12345, "aeron:udp?endpoint=127.0.0.1:24401", 3, "unknown publication"},
        {unicast, "aeron:udp?endpoint=127.0.0.1:24401", 11, manual},
        {dynamic, "aeron:udp?endpoint=127.0.0.1:24401", 11, manual},
        {publication, "aeron-spy:aeron:udp?endpoint=127.0.0.1:24401", 1, "spies are invalid"},
        {publication, "junk", 1, "invalid URI"},
        {publication, "aeron:ipc", 11, "udp"},
        {publication, "aeron:udp?control=127.0.0.1:24401|control-mode=dynamic", 11, "endpoint"},
        {publication, "aeron:udp?endpoint=127.0.0.1:0", 11, "port"},
        {publication, "aeron:udp?endpoint=nobody:0", 11, "port"},
        {publication, "aeron:udp?endpoint=127.0.0.1:1|mtu=1408", 1, "mtu"},
        {publication, "aeron:udp?endpoint=127.0.0.1:1|rcv-wnd=64k", 1, "rcv-wnd"},
        {publication, "aeron:udp?endpoint=127.0.0.1:1|so-rcvbuf=64k", 1, "so-rcvbuf"},
        {publication, "aeron:udp?endpoint=127.0.0.1:1|so-sndbuf=64k", 1, "so-sndbuf"},
        {publication, "aeron:udp?endpoint=127.0.0.1:1|response-correlation-id=1", 1,
         "response-correlation-id"},
        {publication, "aeron:udp?endpoint=127.0.0.1:1|control-mode=response", 1,
         "control-mode=response"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_error(command(RJ_COMMAND_ADD_DESTINATION, rows[i].publication, rows[i].channel),
                     rows[i].code, rows[i].words);
        cr_expect_eq(destination_count(publication), 0, "%s", rows[i].channel);
    }
    expect_error(command_by_id(12345, 1), 3, "unknown publication");
    expect_error(command_by_id(dynamic, 1), 11, manual);
}

Test(conductor_destination, takes_a_name_that_nobody_knows_and_asks_for_it_again)
{
    int receiver = open_socket(24401);
    const uint8_t loopback[4] = {127, 0, 0, 1};
    int64_t publication = publish(MANUAL).registration_id;
    add(publication, "aeron:udp?endpoint=somewhere:24401");
    cr_expect_eq(destination_count(publication), 1);
    driver_rig_live(&rig, CLIENT, 2000 * INT64_C(1000000));
    cr_expect_eq(count_frames(receiver, RJ_FRAME_TYPE_SETUP), 0);
    moved = rj_address_ipv4(loopback, 0);
    int64_t changes = driver_rig_system_counter(&rig, RJ_SYSTEM_RESOLUTION_CHANGES);
    driver_rig_live(&rig, CLIENT, 6000 * INT64_C(1000000));
    cr_expect_gt(count_frames(receiver, RJ_FRAME_TYPE_SETUP), 0);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_RESOLUTION_CHANGES), changes + 1);
    drop(publication, "aeron:udp?endpoint=somewhere:24401");
    cr_expect_eq(destination_count(publication), 0);
    close(receiver);
}

Test(conductor_destination, removes_one_without_address_by_a_name_without_one)
{
    int64_t publication = publish(MANUAL).registration_id;
    add(publication, "aeron:udp?endpoint=somewhere:24401");
    add(publication, "aeron:udp?endpoint=127.0.0.1:24401");
    drop(publication, "aeron:udp?endpoint=elsewhere:24401");
    cr_expect_eq(destination_count(publication), 1);
    drop(publication, "aeron:udp?endpoint=elsewhere:24401");
    cr_expect_eq(destination_count(publication), 1);
}

Test(conductor_destination, takes_as_many_as_a_channel_can_have_and_refuses_the_next)
{
    int64_t publication = publish(MANUAL).registration_id;
    char channel[64];
    for (int i = 0; i < RJ_SEND_DESTINATIONS_MAX; i++) {
        snprintf(channel, sizeof(channel), "aeron:udp?endpoint=127.0.1.1:%d", 30000 + i);
        add(publication, channel);
    }
    cr_expect_eq(destination_count(publication), RJ_SEND_DESTINATIONS_MAX);
    expect_error(command(RJ_COMMAND_ADD_DESTINATION, publication, MANUAL "|endpoint=127.0.1.1:1"),
                 11, "more than 1024 destinations");
    drop(publication, channel);
    add(publication, channel);
}

Test(conductor_destination, goes_with_its_publication)
{
    int64_t publication = publish(MANUAL "|linger=0").registration_id;
    add(publication, "aeron:udp?endpoint=127.0.0.1:24401");
    add(publication, "aeron:udp?endpoint=somewhere:24401");
    expect_success(driver_rig_remove(&rig, RJ_COMMAND_REMOVE_PUBLICATION, CLIENT, publication));
    driver_rig_live(&rig, CLIENT, 8000 * INT64_C(1000000));
    cr_expect_eq(driver_rig_counter_count(&rig), 1, "the client's heartbeat alone");
    expect_error(
        command(RJ_COMMAND_ADD_DESTINATION, publication, "aeron:udp?endpoint=127.0.0.1:24401"), 3,
        "unknown publication");
}

Test(conductor_destination, takes_what_its_socket_can_never_reach_and_says_so)
{
    int64_t publication = publish(MANUAL).registration_id;
    add(publication, "aeron:udp?endpoint=127.0.0.1:99999");
    add(publication, "aeron:udp?endpoint=127.0.0.1");
    add(publication, "aeron:udp?endpoint=[::1]:24401");
    cr_expect_eq(destination_count(publication), 3);
    driver_rig_live(&rig, CLIENT, 1000 * INT64_C(1000000));
    cr_expect(driver_rig_has_error(&rig, "to [::1]:24401: Address family not supported"));
}

/* --- dynamic --- */

static uint16_t bound_port(int64_t publication)
{
    const rj_counter_view_t view =
        driver_rig_counter(&rig, RJ_COUNTER_TYPE_LOCAL_SOCKADDR, publication);
    const char *colon = strrchr(view.label, ':');
    cr_assert_not_null(colon);
    return (uint16_t)atoi(colon + 1);
}

Test(conductor_destination,
     joins_a_dynamic_channel_by_its_status_message_at_a_port_that_can_be_read)
{
    int receiver = open_socket(24401);
    int64_t publication =
        publish("aeron:udp?control=127.0.0.1:0|control-mode=dynamic").registration_id;
    const uint16_t port = bound_port(publication);
    cr_assert_neq(port, 0);
    cr_expect_eq(destination_count(publication), 0);
    send_elicitation(receiver, port, 17);
    driver_rig_expect_nothing(&rig);
    cr_expect_eq(destination_count(publication), 1);
    cr_expect_gt(count_frames(receiver, RJ_FRAME_TYPE_SETUP), 0);
    driver_rig_live(&rig, CLIENT, 4000 * INT64_C(1000000));
    cr_expect_eq(destination_count(publication), 1);
    driver_rig_live(&rig, CLIENT, 2000 * INT64_C(1000000));
    cr_expect_eq(destination_count(publication), 0);
    send_elicitation(receiver, port, 17);
    driver_rig_expect_nothing(&rig);
    cr_expect_eq(destination_count(publication), 1, "it comes back");
    close(receiver);
}

Test(conductor_destination, is_shared_by_the_streams_of_one_control_address)
{
    int receiver = open_socket(24401);
    int64_t first = publish(DYNAMIC).registration_id;
    int64_t second = driver_rig_add_publication(&rig, CLIENT, false, DYNAMIC, STREAM + 1);
    driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    send_elicitation(receiver, 24395, 17);
    driver_rig_expect_nothing(&rig);
    cr_expect_eq(destination_count(first), 1);
    cr_expect_eq(count_frames(receiver, RJ_FRAME_TYPE_SETUP), 2, "of each stream");
    int64_t manual = publish(MANUAL).registration_id;
    int64_t another = driver_rig_add_publication(&rig, CLIENT, false, MANUAL, STREAM);
    driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    cr_expect_neq(bound_port(manual), bound_port(another), "each has a socket of its own");
    (void)second;
    close(receiver);
}
