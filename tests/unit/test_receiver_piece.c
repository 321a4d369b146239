/* SPDX-License-Identifier: Apache-2.0 */
/* Several datagrams that came merged: whatever they are, what becomes of them is what would have
 * become of each alone. */
#include <criterion/criterion.h>
#include <string.h>

#include "proto/frame.h"
#include "tests/fixtures/engine_bench.h"

enum {
    SESSION = STREAM_LOG_SESSION,
    SEGMENT = 256,
    PAYLOAD = SEGMENT - RJ_DATA_HEADER_BYTES,
    SEGMENTS_MAX = MEMORY_PORT_BYTES_MAX / SEGMENT,
};

static engine_bench_t bench;
static bench_image_t image;

/* What comes next. */
static struct {
    uint8_t bytes[MEMORY_PORT_BYTES_MAX];
    uint32_t length;
} merged;

static void open_bench(void)
{
    engine_bench_open(&bench);
    engine_bench_add_receive(&bench, &bench);
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_ADD_INTEREST,
                                                     .receive_endpoint = &bench.receive,
                                                     .stream_id = STREAM_LOG_STREAM});
    engine_bench_turn(&bench);
    bench_image_open(&image, &bench, SESSION, true);
    engine_bench_turn(&bench);
    memory_port_clear(&bench.port);
    merged.length = 0;
}

static void close_bench(void)
{
    engine_bench_close(&bench);
    rj_log_close(&image.log);
}

TestSuite(receiver_piece, .init = open_bench, .fini = close_bench);

static void add_bytes(const void *bytes, uint32_t length)
{
    cr_assert_leq(merged.length + length, sizeof(merged.bytes));
    memcpy(merged.bytes + merged.length, bytes, length);
    merged.length += length;
}

/* A frame of one whole datagram. */
static void add_data(int64_t position)
{
    uint8_t frame[SEGMENT];
    cr_assert_eq(stream_log_frame(&image.log, frame, position, RJ_FRAME_TYPE_DATA, PAYLOAD),
                 SEGMENT);
    add_bytes(frame, SEGMENT);
}

static void come(uint32_t segment_bytes)
{
    memory_port_receive_merged(&bench.port, &bench.destination.base, &bench.remote, merged.bytes,
                               merged.length, segment_bytes);
    engine_bench_turn(&bench);
    merged.length = 0;
}

static void expect_complete(int64_t end_pos)
{
    cr_expect_eq(image.rcv_pos, end_pos);
    cr_expect_eq(image.hwm, end_pos);
    for (int64_t at = 0; at < end_pos; at++)
        if (at % SEGMENT >= RJ_DATA_HEADER_BYTES)
            cr_assert_eq(image.log.terms[0][at], stream_log_byte(at), "at %ld", (long)at);
}

static int nak_count(void)
{
    bench.now_ns += 1000 * bench_ms;
    engine_bench_turn(&bench);
    return memory_port_count(&bench.port, RJ_FRAME_TYPE_NAK);
}

Test(receiver_piece, puts_one_piece_of_a_stream_in_its_place)
{
    for (int i = 0; i < SEGMENTS_MAX; i++)
        add_data(i * SEGMENT);
    come(SEGMENT);
    expect_complete(SEGMENTS_MAX * SEGMENT);
    cr_expect_eq(bench.counters[RJ_SYSTEM_BYTES_RECEIVED], SEGMENTS_MAX * SEGMENT);
    cr_expect_eq(bench.counters[RJ_SYSTEM_INVALID_PACKETS], 0);
    cr_expect_eq(nak_count(), 0);
}

/* Two frames of `type`, of the image's session and of another, one behind the other. */
static void add_two(const void *frame, uint32_t length, size_t session_offset)
{
    uint8_t bytes[64];
    const int32_t other = SESSION + 1;
    memcpy(bytes, frame, length);
    add_bytes(bytes, length);
    memcpy(bytes + session_offset, &other, sizeof(other));
    add_bytes(bytes, length);
}

Test(receiver_piece, tells_datagrams_apart_that_nobody_marked)
{
    add_data(0);
    add_data(SEGMENT);
    uint8_t foreign[SEGMENT];
    stream_log_frame(&image.log, foreign, 0, RJ_FRAME_TYPE_DATA, PAYLOAD);
    ((rj_wire_data_t *)(void *)foreign)->stream_id++;
    add_bytes(foreign, SEGMENT);
    add_data(2L * SEGMENT);
    come(RJ_PACKET_UNMARKED);
    expect_complete(3 * SEGMENT);
    cr_expect_eq(bench.counters[RJ_SYSTEM_BYTES_RECEIVED], 4 * SEGMENT);
    cr_expect_eq(bench.counters[RJ_SYSTEM_INVALID_PACKETS], 0);
    cr_expect_eq(nak_count(), 0);
}

Test(receiver_piece, hears_each_heartbeat_and_setup_of_several_that_nobody_marked)
{
    rj_wire_data_t heartbeat = {.version = RJ_FRAME_VERSION,
                                .type = RJ_FRAME_TYPE_DATA,
                                .flags = RJ_DATA_FLAG_UNFRAGMENTED,
                                .session_id = SESSION,
                                .stream_id = STREAM_LOG_STREAM,
                                .term_id = image.log.initial_term_id};
    add_two(&heartbeat, sizeof(heartbeat), offsetof(rj_wire_data_t, session_id));
    come(RJ_PACKET_UNMARKED);
    cr_expect_eq(bench.counters[RJ_SYSTEM_HEARTBEATS_RECEIVED], 1);
    cr_expect_eq(bench.counters[RJ_SYSTEM_INVALID_PACKETS], 0);
    cr_expect_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_SM), 1, "who is the other one?");

    memory_port_clear(&bench.port);
    rj_wire_setup_t setup;
    const rj_frame_setup_t params = {.session_id = SESSION,
                                     .stream_id = STREAM_LOG_STREAM + 1,
                                     .term_length = RJ_TERM_LENGTH_MIN,
                                     .mtu = 1408};
    const uint32_t length = rj_frame_write_setup(&setup, &params);
    add_bytes(&setup, length);
    setup.session_id = SESSION + 1;
    setup.stream_id = STREAM_LOG_STREAM;
    add_bytes(&setup, length);
    come(RJ_PACKET_UNMARKED);
    const rj_engine_event_t *event = engine_bench_event(&bench, RJ_ENGINE_SETUP);
    cr_expect_eq(event->setup.frame.session_id, SESSION + 1);
}

Test(receiver_piece, keeps_what_is_new_of_a_piece_whose_head_is_there)
{
    add_data(0);
    add_data(SEGMENT);
    come(SEGMENT);
    for (int i = 0; i < 4; i++)
        add_data(i * SEGMENT);
    come(SEGMENT);
    expect_complete(4 * SEGMENT);
    cr_expect_eq(bench.counters[RJ_SYSTEM_BYTES_RECEIVED], 6 * SEGMENT, "duplicates too");
    cr_expect_eq(nak_count(), 0);
}

Test(receiver_piece, keeps_what_is_new_of_a_piece_of_which_a_part_came_before)
{
    add_data(2 * SEGMENT);
    come(0);
    for (int i = 0; i < 4; i++)
        add_data(i * SEGMENT);
    come(SEGMENT);
    expect_complete(4 * SEGMENT);
    cr_expect_eq(nak_count(), 0);
}

Test(receiver_piece, misses_what_was_lost_in_the_middle)
{
    add_data(0);
    add_data(3 * SEGMENT);
    come(SEGMENT);
    cr_expect_eq(image.rcv_pos, SEGMENT);
    cr_expect_eq(image.hwm, 4 * SEGMENT);
    cr_assert_eq(nak_count(), 1);
    const rj_wire_nak_t *nak =
        (const rj_wire_nak_t *)memory_port_find(&bench.port, RJ_FRAME_TYPE_NAK)->bytes;
    cr_expect_eq(nak->term_offset, SEGMENT);
    cr_expect_eq(nak->length, 2 * SEGMENT);
    add_data(SEGMENT);
    add_data(2 * SEGMENT);
    come(SEGMENT);
    expect_complete(4 * SEGMENT);
}

Test(receiver_piece, takes_datagrams_in_any_order)
{
    static const int order[] = {3, 0, 4, 1, 2};
    for (int i = 0; i < SEGMENTS_MAX; i++)
        add_data(order[i] * SEGMENT);
    come(SEGMENT);
    expect_complete(SEGMENTS_MAX * SEGMENT);
}

Test(receiver_piece, gives_each_of_several_streams_what_is_its)
{
    static bench_image_t other;
    bench_image_open(&other, &bench, SESSION + 1, true);
    engine_bench_turn(&bench);
    for (int i = 0; i < 4; i++) {
        add_data(i / 2 * SEGMENT);
        if (i % 2 != 0)
            ((rj_wire_data_t *)(void *)(merged.bytes + merged.length - SEGMENT))->session_id++;
    }
    come(SEGMENT);
    expect_complete(2 * SEGMENT);
    cr_expect_eq(other.rcv_pos, 2 * SEGMENT);
    rj_log_close(&other.log);
}

Test(receiver_piece, counts_what_is_beyond_the_window_and_keeps_the_rest)
{
    int64_t position = 0;
    for (; position < BENCH_TERM / 2 - 2 * SEGMENT; position += SEGMENT) {
        add_data(position);
        come(0);
    }
    for (int i = 0; i < 4; i++)
        add_data(position + i * SEGMENT);
    come(SEGMENT);
    cr_expect_eq(image.rcv_pos, BENCH_TERM / 2);
    cr_expect_eq(bench.counters[RJ_SYSTEM_FLOW_CONTROL_OVER_RUNS], 2, "of each datagram");
}

Test(receiver_piece, sees_heartbeats_among_others_of_their_size)
{
    uint8_t bytes[RJ_DATA_HEADER_BYTES];
    memcpy(bytes, wire_vectors[V12].bytes, sizeof(bytes));
    add_bytes(bytes, sizeof(bytes));
    add_bytes(bytes, sizeof(bytes));
    come(sizeof(bytes));
    cr_expect_eq(bench.counters[RJ_SYSTEM_HEARTBEATS_RECEIVED], 2);
}

/* Each half is no frame, and that they are one together is not for us to see. */
Test(receiver_piece, refuses_a_frame_that_goes_on_in_the_next_datagram)
{
    add_data(0);
    add_data(SEGMENT);
    come(SEGMENT / 2);
    cr_expect_eq(image.rcv_pos, 0);
    cr_expect_gt(bench.counters[RJ_SYSTEM_INVALID_PACKETS], 0);
    add_data(0);
    ((rj_wire_data_t *)(void *)merged.bytes)->frame_length = 2 * SEGMENT;
    add_data(SEGMENT);
    come(SEGMENT);
    cr_expect_eq(image.rcv_pos, 0, "the first is broken");
    cr_expect_eq(image.hwm, 2 * SEGMENT);
}

Test(receiver_piece, checks_each_datagram_as_if_it_were_alone)
{
    for (int i = 0; i < 3; i++)
        add_data(i * SEGMENT);
    merged.bytes[SEGMENT + offsetof(rj_wire_data_t, version)] = 1;
    come(SEGMENT);
    cr_expect_eq(image.rcv_pos, SEGMENT);
    cr_expect_eq(bench.counters[RJ_SYSTEM_INVALID_PACKETS], 1);
    cr_expect_eq(image.hwm, 3 * SEGMENT);
}

Test(receiver_piece, drops_what_nobody_knows_and_asks_for_its_setup_once)
{
    for (int i = 0; i < 3; i++) {
        add_data(i * SEGMENT);
        ((rj_wire_data_t *)(void *)(merged.bytes + i * SEGMENT))->session_id = SESSION + 7;
    }
    come(SEGMENT);
    cr_expect_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_SM), 1);
    cr_expect_eq(bench.counters[RJ_SYSTEM_BYTES_RECEIVED], 3 * SEGMENT);
}

Test(receiver_piece, hands_a_setup_over_that_came_with_another)
{
    uint8_t setup[RJ_SETUP_BYTES];
    memcpy(setup, wire_vectors[V1].bytes, sizeof(setup));
    ((rj_wire_setup_t *)(void *)setup)->session_id = SESSION + 1;
    add_bytes(setup, sizeof(setup));
    ((rj_wire_setup_t *)(void *)setup)->session_id = SESSION + 2;
    add_bytes(setup, sizeof(setup));
    come(sizeof(setup));
    cr_expect_eq(engine_bench_event(&bench, RJ_ENGINE_SETUP)->setup.frame.session_id, SESSION + 1);
    cr_expect_eq(engine_bench_event(&bench, RJ_ENGINE_SETUP)->setup.frame.session_id, SESSION + 2);
}

Test(receiver_piece, writes_receive_times_into_every_message)
{
    bench.receive.media_timestamp = rj_timestamp_place(RJ_TIMESTAMP_RESERVED_VALUE);
    for (int i = 0; i < 3; i++)
        add_data(i * SEGMENT);
    memory_port_receive_merged(&bench.port, &bench.destination.base, &bench.remote, merged.bytes,
                               merged.length, SEGMENT);
    bench.port.incoming[0].media_epoch_ns = 123456789;
    engine_bench_turn(&bench);
    for (int i = 0; i < 3; i++) {
        const rj_wire_data_t *frame =
            (const rj_wire_data_t *)(const void *)(image.log.terms[0] + i * SEGMENT);
        cr_expect_eq(frame->reserved_value, 123456789);
    }
}

Test(receiver_piece, answers_every_status_message_that_came_with_others)
{
    static bench_publication_t publications[2];
    rj_wire_sm_t frame;
    uint32_t length = 0;
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_ADD_SEND_ENDPOINT,
                                                     .send_endpoint = &bench.send});
    for (int i = 0; i < 2; i++) {
        bench_publication_open(&publications[i], &bench, SESSION + i);
        const rj_frame_sm_t sm = {.session_id = SESSION + i,
                                  .stream_id = STREAM_LOG_STREAM,
                                  .term_id = publications[i].log.initial_term_id,
                                  .receiver_window = 4096 * (i + 1),
                                  .receiver_id = VECTOR_RECEIVER_ID};
        length = rj_frame_write_sm(&frame, &sm);
        add_bytes(&frame, length);
    }
    memory_port_receive_merged(&bench.port, &bench.send.base, &bench.remote, merged.bytes,
                               merged.length, length);
    engine_bench_turn(&bench);
    cr_expect_eq(publications[0].snd_lmt, 4096);
    cr_expect_eq(publications[1].snd_lmt, 8192);
    cr_expect_eq(bench.counters[RJ_SYSTEM_BYTES_RECEIVED], 0, "as for one alone");
    for (int i = 0; i < 2; i++)
        rj_log_close(&publications[i].log);
}
