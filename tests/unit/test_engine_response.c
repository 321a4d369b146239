/* SPDX-License-Identifier: Apache-2.0 */
/* Both halves of an engine about response channels, and about images that are rejected. */
#include <criterion/criterion.h>
#include <string.h>

#include "engine/commands.h"
#include "proto/frame.h"
#include "tests/fixtures/engine_bench.h"
#include "transport/path_header.h"

enum {
    SESSION = STREAM_LOG_SESSION,
    WINDOW = BENCH_TERM / 2,
    ANSWER = 0x1234,
};

static engine_bench_t bench;
static bench_publication_t publication;
static bench_image_t image;
static rj_path_t response_path;

static void open_bench(void)
{
    engine_bench_open(&bench);
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_ADD_SEND_ENDPOINT,
                                                     .send_endpoint = &bench.send});
    engine_bench_add_receive(&bench, &bench);
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_ADD_INTEREST,
                                                     .receive_endpoint = &bench.receive,
                                                     .stream_id = STREAM_LOG_STREAM});
    bench_publication_open(&publication, &bench, SESSION);
    response_path = (rj_path_t){.endpoint = &bench.send.base};
}

static void close_bench(void)
{
    engine_bench_close(&bench);
    rj_log_close(&publication.log);
}

TestSuite(engine_response, .init = open_bench, .fini = close_bench);

/* Of a publication that the engine has not looked at yet. */
static void make_response(void)
{
    publication.publication.config.response_path = &response_path;
    publication.publication.path = NULL;
    engine_bench_turn(&bench);
}

static void advance(int64_t ns)
{
    bench.now_ns += ns;
    engine_bench_turn(&bench);
}

static rj_address_t host(uint8_t last, uint16_t port)
{
    const uint8_t bytes[] = {10, 0, 0, last};
    return rj_address_ipv4(bytes, port);
}

static void ask_for_setup(const rj_address_t *from)
{
    bench.remote = *from;
    bench_publication_on_sm(&publication, &bench, 0, WINDOW, RJ_SM_FLAG_SEND_SETUP);
    engine_bench_turn(&bench);
    engine_bench_turn(&bench);
}

static int setups_to(const rj_address_t *address)
{
    int count = 0;
    for (int i = 0; i < bench.port.sent_count; i++) {
        rj_wire_setup_t frame;
        memcpy(&frame, bench.port.sent[i].bytes, sizeof(frame));
        count += frame.type == RJ_FRAME_TYPE_SETUP &&
                 rj_address_equal(&bench.port.sent[i].address, address);
    }
    return count;
}

Test(engine_response, goes_nowhere_until_somebody_asks_and_there_at_once)
{
    const rj_address_t receiver = host(9, 41000);
    make_response();
    advance(101 * bench_ms);
    cr_assert_eq(bench.port.sent_count, 0);
    cr_assert_eq(bench.counters[RJ_SYSTEM_SHORT_SENDS], 2, "of two setups");
    ask_for_setup(&receiver);
    const rj_engine_event_t *event = engine_bench_event(&bench, RJ_ENGINE_RESPONSE_MOVED);
    cr_assert_eq(event->publication, &publication.publication);
    cr_assert(rj_address_equal(&event->address, &receiver));
    cr_assert_eq(setups_to(&receiver), 1);
    cr_assert_eq(bench.port.sent_count, 1);
}

Test(engine_response, tells_once_that_its_receiver_is_there)
{
    const rj_address_t receiver = host(9, 41000);
    make_response();
    ask_for_setup(&receiver);
    (void)engine_bench_event(&bench, RJ_ENGINE_RESPONSE_MOVED);
    bench_publication_on_sm(&publication, &bench, 0, WINDOW, 0);
    bench_publication_on_sm(&publication, &bench, 0, WINDOW, 0);
    engine_bench_turn(&bench);
    (void)engine_bench_event(&bench, RJ_ENGINE_RESPONSE_CONNECTED);
    ask_for_setup(&receiver);
    cr_assert_not(engine_bench_has_event(&bench));
}

Test(engine_response, follows_its_receiver_and_gives_the_header_back)
{
    const rj_address_t first = host(9, 41000);
    const rj_address_t second = host(9, 41001);
    rj_path_header_t headers[2] = {{.length_bytes = 42}, {.length_bytes = 42}};
    make_response();
    ask_for_setup(&first);
    (void)engine_bench_event(&bench, RJ_ENGINE_RESPONSE_MOVED);
    const rj_engine_command_t set = {.type = RJ_ENGINE_SET_HEADER,
                                     .path = &response_path,
                                     .header = &headers[0],
                                     .address = first};
    engine_bench_tell(&bench, &set);
    engine_bench_turn(&bench);
    cr_assert_eq(response_path.header, &headers[0]);
    ask_for_setup(&second);
    cr_assert(
        rj_address_equal(&engine_bench_event(&bench, RJ_ENGINE_RESPONSE_MOVED)->address, &second));
    cr_assert_null(response_path.header);
    cr_assert_eq(engine_bench_event(&bench, RJ_ENGINE_HEADER_RELEASED)->header, &headers[0]);
    cr_assert_eq(setups_to(&second), 1);
    /* One that was made before the conductor heard of it comes back unused. */
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_SET_HEADER,
                                                     .path = &response_path,
                                                     .header = &headers[1],
                                                     .address = first});
    engine_bench_turn(&bench);
    cr_assert_null(response_path.header);
    cr_assert_eq(engine_bench_event(&bench, RJ_ENGINE_HEADER_RELEASED)->header, &headers[1]);
}

Test(engine_response, asked_for_by_its_setups_and_named_once_in_a_while)
{
    const rj_frame_rsp_setup_t params = {
        .session_id = SESSION, .stream_id = STREAM_LOG_STREAM, .response_session_id = ANSWER};
    rj_wire_rsp_setup_t frame;
    const uint32_t length = rj_frame_write_rsp_setup(&frame, &params);
    engine_bench_receive(&bench, &bench.send.base, &frame, length);
    engine_bench_turn(&bench);
    cr_assert_not(engine_bench_has_event(&bench), "nobody asked");

    publication.publication.config.wants_response = true;
    memory_port_clear(&bench.port);
    advance(101 * bench_ms);
    const rj_wire_setup_t *setup =
        (const rj_wire_setup_t *)memory_port_find(&bench.port, RJ_FRAME_TYPE_SETUP)->bytes;
    cr_assert_eq(setup->flags, RJ_SETUP_FLAG_SEND_RESPONSE);
    for (int i = 0; i < 5; i++)
        engine_bench_receive(&bench, &bench.send.base, &frame, length);
    engine_bench_turn(&bench);
    const rj_engine_event_t *event = engine_bench_event(&bench, RJ_ENGINE_RSP_SETUP);
    cr_assert_eq(event->publication, &publication.publication);
    cr_assert_eq(event->value, ANSWER);
    cr_assert_not(engine_bench_has_event(&bench), "one of five at a time is enough");
    advance(11 * bench_ms);
    engine_bench_receive(&bench, &bench.send.base, &frame, length);
    engine_bench_turn(&bench);
    (void)engine_bench_event(&bench, RJ_ENGINE_RSP_SETUP);
}

/* --- images --- */

static void open_image(void)
{
    bench_image_open(&image, &bench, SESSION, true);
    engine_bench_turn(&bench);
    memory_port_clear(&bench.port);
    bench.counters[RJ_SYSTEM_SMS_SENT] = 0;
}

static void close_image(void)
{
    rj_log_close(&image.log);
}

Test(engine_response, of_an_image_is_named_before_each_status_message_that_timed_out)
{
    open_image();
    rj_network_image_set_response(&image.received.image, ANSWER);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 2, "at once");
    const rj_wire_rsp_setup_t *frame = (const rj_wire_rsp_setup_t *)bench.port.sent[0].bytes;
    cr_assert_eq(frame->type, RJ_FRAME_TYPE_RSP_SETUP);
    cr_assert_eq(frame->session_id, SESSION);
    cr_assert_eq(frame->stream_id, STREAM_LOG_STREAM);
    cr_assert_eq(frame->response_session_id, ANSWER);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_SM), 1);
    advance(201 * bench_ms);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_RSP_SETUP), 2);
    rj_network_image_clear_response(&image.received.image);
    advance(201 * bench_ms);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_RSP_SETUP), 2);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_SM), 3);
    close_image();
}

static void reject(const char *reason)
{
    static uint8_t frame[RJ_ERR_HEADER_BYTES + RJ_ERR_TEXT_BYTES_MAX];
    const rj_frame_err_t params = {.session_id = SESSION,
                                   .stream_id = STREAM_LOG_STREAM,
                                   .error_code = 13,
                                   .text = reason,
                                   .text_length = strlen(reason)};
    image.received.err_frame_bytes = rj_frame_write_err(frame, &params);
    image.received.err_frame = frame;
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_REJECT_IMAGE,
                                                     .image = &image.received.image});
    engine_bench_turn(&bench);
}

Test(engine_response, of_a_rejected_image_is_its_reason_and_nothing_else)
{
    open_image();
    const int64_t end_pos = bench_image_receive(&image, &bench, 0, 100);
    engine_bench_turn(&bench);
    rj_network_image_set_response(&image.received.image, ANSWER);
    const int64_t last_packet_ns = image.received.image.last_packet_ns;
    memory_port_clear(&bench.port);
    bench.now_ns += bench_ms;
    char reason[RJ_ERR_TEXT_BYTES_MAX + 1];
    memset(reason, 'r', RJ_ERR_TEXT_BYTES_MAX);
    reason[RJ_ERR_TEXT_BYTES_MAX] = '\0';
    reject(reason);
    cr_assert_eq(bench.port.sent_count, 1, "at once");
    cr_assert_eq(bench.port.sent[0].length_bytes, RJ_ERR_HEADER_BYTES + RJ_ERR_TEXT_BYTES_MAX);
    /* Data is not taken, and asks for nothing: neither what comes next nor what is missing. */
    bench_image_receive(&image, &bench, end_pos, 100);
    bench_image_receive(&image, &bench, end_pos + 4096, 100);
    for (int i = 0; i < 4; i++)
        advance(201 * bench_ms);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_ERR), 5);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_SM), 0);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_NAK), 0);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_RSP_SETUP), 0);
    cr_assert_eq(bench.counters[RJ_SYSTEM_ERROR_FRAMES_SENT], 5);
    cr_assert_eq(bench.counters[RJ_SYSTEM_SMS_SENT], 0);
    cr_assert_eq(image.rcv_pos, end_pos);
    cr_assert_eq(image.received.image.last_packet_ns, last_packet_ns);
    cr_assert_eq(image.received.image.is_drained, 0);
    image.sub_pos = end_pos;
    advance(201 * bench_ms);
    cr_assert_eq(image.received.image.is_drained, 1, "what came before may be read to its end");
    close_image();
}

Test(engine_response, of_a_rejected_image_reaches_a_sender_that_is_silent)
{
    open_image();
    bench.now_ns += 6000 * bench_ms; /* its connection is no longer live */
    reject("still not");
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_ERR), 1);
    close_image();
}
