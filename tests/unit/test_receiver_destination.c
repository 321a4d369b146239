/* SPDX-License-Identifier: Apache-2.0 */
/* Destinations of a receive endpoint that come and go in an engine (wire.md 7.5, 11.4). */
#include <criterion/criterion.h>
#include <string.h>

#include "proto/frame.h"
#include "tests/fixtures/engine_bench.h"

enum { SESSION = STREAM_LOG_SESSION, PAYLOAD = 1000 };

static engine_bench_t bench;
static bench_image_t image;
static rj_receive_destination_t second; /* of the bench's endpoint */

static const uint8_t host_bytes[4] = {10, 0, 0, 1};
static const uint8_t control_bytes[4] = {10, 0, 0, 3};

static rj_address_t control_address(uint16_t port)
{
    return rj_address_ipv4(control_bytes, port);
}

static void tell_destination(rj_engine_command_type_t type)
{
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = type, .receive_destination = &second});
}

static void tell_interest(rj_engine_command_type_t type)
{
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = type,
                                                     .receive_endpoint = &bench.receive,
                                                     .stream_id = STREAM_LOG_STREAM});
}

static void open_bench(void)
{
    engine_bench_open(&bench);
    engine_bench_add_receive(&bench, &bench);
    tell_interest(RJ_ENGINE_ADD_INTEREST);
    second = (rj_receive_destination_t){.endpoint = &bench.receive, .id = 1, .slot = 1};
    second.base = (rj_endpoint_t){.kind = RJ_ENDPOINT_RECEIVE,
                                  .id = 200,
                                  .socket = 103,
                                  .local = rj_address_ipv4(host_bytes, 40457),
                                  .slot = -1};
    bench_image_open(&image, &bench, SESSION, true);
    engine_bench_turn(&bench);
    memory_port_clear(&bench.port);
}

static void close_bench(void)
{
    engine_bench_close(&bench);
    rj_log_close(&image.log);
}

TestSuite(receiver_destination, .init = open_bench, .fini = close_bench);

/* With an explicit control address when `port` is not 0. */
static void add_second(uint16_t port)
{
    const rj_address_t control = control_address(port);
    if (port != 0)
        rj_receive_destination_set_control(&second, &control);
    tell_destination(RJ_ENGINE_ADD_RECEIVE_DESTINATION);
    engine_bench_turn(&bench);
}

/* Data of the image's session at `position`, by the second destination. */
static void receive_by_second(int64_t position)
{
    uint8_t frame[STREAM_LOG_MTU];
    const int32_t length =
        stream_log_frame(&image.log, frame, position, RJ_FRAME_TYPE_DATA, PAYLOAD);
    engine_bench_receive(&bench, &second.base, frame, (size_t)length);
    engine_bench_turn(&bench);
}

/* How many frames of a type left for an address by a destination's endpoint. */
static int count_sent(int type, const rj_endpoint_t *by, const rj_address_t *to)
{
    int count = 0;
    for (int i = 0; i < bench.port.sent_count; i++) {
        const memory_datagram_t *sent = &bench.port.sent[i];
        count += rj_frame_check(sent->bytes, sent->length_bytes) == type && sent->endpoint == by &&
                 rj_address_equal(&sent->address, to);
    }
    return count;
}

static void await_sm(void)
{
    memory_port_clear(&bench.port);
    bench.now_ns += 201 * bench_ms;
    engine_bench_turn(&bench);
}

Test(receiver_destination, speaks_on_every_connection_and_for_each_with_its_own_socket)
{
    add_second(0);
    await_sm();
    cr_assert_eq(bench.port.sent_count, 1, "nobody was heard by the second yet");
    receive_by_second(0);
    const rj_engine_event_t *event = engine_bench_event(&bench, RJ_ENGINE_CONNECTED);
    cr_expect_eq(event->image, &image.received.image);
    cr_expect_eq(event->receive_destination, &second);
    cr_expect(rj_address_equal(&event->address, &bench.remote));
    await_sm();
    cr_expect_eq(count_sent(RJ_FRAME_TYPE_SM, &bench.destination.base, &bench.remote), 1);
    cr_expect_eq(count_sent(RJ_FRAME_TYPE_SM, &second.base, &bench.remote), 1);
    cr_expect_eq(bench.counters[RJ_SYSTEM_SMS_SENT], 1 + 1 + 2);
    receive_by_second(PAYLOAD * 3 / 32 * 32 + 128); /* behind a gap */
    memory_port_clear(&bench.port);
    bench.now_ns += bench_ms;
    engine_bench_turn(&bench);
    cr_expect_eq(count_sent(RJ_FRAME_TYPE_NAK, &bench.destination.base, &bench.remote), 1);
    cr_expect_eq(count_sent(RJ_FRAME_TYPE_NAK, &second.base, &bench.remote), 1);
    cr_expect_eq(image.naks, 2);
}

Test(receiver_destination, speaks_to_a_control_address_before_anything_has_come_by_it)
{
    const rj_address_t control = control_address(7000);
    add_second(7000);
    cr_expect_eq(count_sent(RJ_FRAME_TYPE_SM, &second.base, &control), 1, "that it is there");
    engine_bench_event(&bench, RJ_ENGINE_CONNECTED);
    await_sm();
    cr_expect_eq(count_sent(RJ_FRAME_TYPE_SM, &second.base, &control), 1);
    bench.now_ns += 5000 * bench_ms;
    await_sm();
    cr_expect_eq(count_sent(RJ_FRAME_TYPE_SM, &bench.destination.base, &bench.remote), 0,
                 "silent for 5 s, as the other");
    receive_by_second(0);
    await_sm();
    cr_expect_eq(count_sent(RJ_FRAME_TYPE_SM, &second.base, &control), 1);
    cr_expect_not(engine_bench_has_event(&bench), "it is known");
}

Test(receiver_destination, registers_with_stream_and_session_0_while_something_is_wanted)
{
    const rj_address_t control = control_address(7000);
    add_second(7000);
    const memory_datagram_t *sent = memory_port_find(&bench.port, RJ_FRAME_TYPE_SM);
    const rj_wire_sm_t *sm = (const rj_wire_sm_t *)sent->bytes;
    cr_expect_eq(sm->stream_id, 0);
    cr_expect_eq(sm->session_id, 0);
    cr_expect_eq(sm->flags, RJ_SM_FLAG_SEND_SETUP);
    memory_port_clear(&bench.port);
    bench.counters[RJ_SYSTEM_SMS_SENT] = 0;
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_REMOVE_IMAGE,
                                                     .receive_endpoint = &bench.receive,
                                                     .image = &image.received.image});
    for (int second_count = 1; second_count <= 3; second_count++) {
        bench.now_ns += 1000 * bench_ms + 1;
        cr_expect_leq(rj_engine_deadline_ns(bench.engine), bench.now_ns);
        engine_bench_turn(&bench);
        cr_expect_eq(count_sent(RJ_FRAME_TYPE_SM, &second.base, &control), second_count);
    }
    cr_expect_eq(bench.counters[RJ_SYSTEM_SMS_SENT], 0, "they speak for no image");

    tell_interest(RJ_ENGINE_REMOVE_INTEREST);
    memory_port_clear(&bench.port);
    for (int i = 0; i < 3; i++) {
        bench.now_ns += 1000 * bench_ms + 1;
        engine_bench_turn(&bench);
    }
    cr_expect_eq(bench.port.sent_count, 0);
    tell_interest(RJ_ENGINE_ADD_INTEREST);
    engine_bench_turn(&bench);
    cr_expect_eq(count_sent(RJ_FRAME_TYPE_SM, &second.base, &control), 1, "overdue");
}

Test(receiver_destination, is_silent_once_it_is_removed)
{
    add_second(7000);
    engine_bench_event(&bench, RJ_ENGINE_CONNECTED);
    receive_by_second(0);
    await_sm();
    cr_expect_eq(rj_log_active_transports(&image.log), 1);
    tell_destination(RJ_ENGINE_REMOVE_RECEIVE_DESTINATION);
    engine_bench_turn(&bench);
    const rj_engine_event_t *event =
        engine_bench_event(&bench, RJ_ENGINE_RECEIVE_DESTINATION_RELEASED);
    cr_expect_eq(event->receive_destination, &second);
    cr_expect_eq(rj_log_active_transports(&image.log), 0, "at once");
    cr_expect_eq(bench.port.endpoint_count, 1);
    memset(&second, 0xff, sizeof(second)); /* it is the conductor's again */
    for (int i = 0; i < 3; i++) {
        await_sm();
        bench.now_ns += 1000 * bench_ms;
        cr_expect_eq(bench.port.sent_count, 1);
        cr_expect_eq(bench.port.sent[0].endpoint, &bench.destination.base);
        bench_image_receive(&image, &bench, 0, PAYLOAD); /* keeps its own connection */
        engine_bench_turn(&bench);
    }
    cr_expect_not(engine_bench_has_event(&bench));
}

Test(receiver_destination, follows_a_control_address_that_moves)
{
    const rj_address_t before = control_address(7000);
    const rj_address_t after = control_address(7001);
    add_second(7000);
    engine_bench_event(&bench, RJ_ENGINE_CONNECTED);
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_SET_CONTROL,
                                                     .receive_destination = &second,
                                                     .address = after});
    engine_bench_turn(&bench);
    receive_by_second(0);
    const rj_engine_event_t *event = engine_bench_event(&bench, RJ_ENGINE_CONNECTED);
    cr_expect(rj_address_equal(&event->address, &after), "its header is another, too");
    memory_port_clear(&bench.port);
    bench.now_ns += 1001 * bench_ms;
    engine_bench_turn(&bench);
    cr_expect_eq(count_sent(RJ_FRAME_TYPE_SM, &second.base, &after), 2, "image and registration");
    cr_expect_eq(count_sent(RJ_FRAME_TYPE_SM, &second.base, &before), 0);
}

Test(receiver_destination, has_ended_when_all_connections_say_so)
{
    add_second(7000);
    uint8_t frame[STREAM_LOG_MTU];
    const int32_t length = stream_log_frame(&image.log, frame, 0, RJ_FRAME_TYPE_DATA, 0);
    rj_wire_data_t heartbeat;
    cr_assert_geq(length, (int32_t)sizeof(heartbeat));
    memcpy(&heartbeat, frame, sizeof(heartbeat));
    heartbeat.frame_length = 0;
    heartbeat.flags |= RJ_DATA_FLAG_EOS;
    engine_bench_receive(&bench, &bench.destination.base, &heartbeat, sizeof(heartbeat));
    engine_bench_turn(&bench);
    cr_expect_eq(image.received.image.is_end_of_stream, 0);
    engine_bench_receive(&bench, &second.base, &heartbeat, sizeof(heartbeat));
    engine_bench_turn(&bench);
    cr_expect_eq(image.received.image.is_end_of_stream, 1);
}
