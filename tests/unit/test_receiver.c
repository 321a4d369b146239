/* SPDX-License-Identifier: Apache-2.0 */
/* The receiver half of an engine. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "proto/frame.h"
#include "tests/fixtures/engine_bench.h"

enum { SESSION = STREAM_LOG_SESSION, PAYLOAD = STREAM_LOG_MTU - RJ_DATA_HEADER_BYTES };

static engine_bench_t bench;
static bench_image_t image;

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
    engine_bench_turn(&bench);
}

static void close_bench(void)
{
    engine_bench_close(&bench);
    rj_log_close(&image.log);
}

TestSuite(receiver, .init = open_bench, .fini = close_bench);

/* An image whose first status message has gone. */
static void open_image(bool is_reliable)
{
    bench_image_open(&image, &bench, SESSION, is_reliable);
    engine_bench_turn(&bench);
    memory_port_clear(&bench.port);
}

static void receive(const uint8_t *bytes, uint32_t length)
{
    engine_bench_receive(&bench, &bench.destination.base, bytes, length);
}

static void receive_vector(wire_vector_index_t index)
{
    receive(wire_vectors[index].bytes, wire_vectors[index].length_bytes);
}

static void tell_image(rj_engine_command_type_t type)
{
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = type,
                                                     .receive_endpoint = &bench.receive,
                                                     .stream_id = STREAM_LOG_STREAM,
                                                     .session_id = SESSION,
                                                     .image = &image.received.image,
                                                     .position = &image.subscriber});
}

Test(receiver, hands_a_setup_to_the_conductor_once)
{
    receive_vector(V1);
    receive_vector(V1);
    engine_bench_turn(&bench);
    const rj_engine_event_t *event = engine_bench_event(&bench, RJ_ENGINE_SETUP);
    cr_assert_eq(event->receive_endpoint, &bench.receive);
    cr_assert_eq(event->stream_id, STREAM_LOG_STREAM);
    cr_assert_arr_eq(&event->setup.frame, wire_vectors[V1].bytes, RJ_SETUP_BYTES);
    cr_assert(rj_address_equal(&event->setup.source, &bench.remote));
    cr_assert_eq(event->setup.destination_id, 0);
    cr_assert_not(engine_bench_has_event(&bench));
    tell_image(RJ_ENGINE_IMAGE_FAILED);
    receive_vector(V1);
    engine_bench_turn(&bench);
    engine_bench_event(&bench, RJ_ENGINE_SETUP);
}

Test(receiver, ignores_a_stream_that_nobody_wants)
{
    tell_interest(RJ_ENGINE_REMOVE_INTEREST);
    engine_bench_turn(&bench);
    receive_vector(V1);
    receive_vector(V7);
    engine_bench_turn(&bench);
    cr_assert_not(engine_bench_has_event(&bench));
    cr_assert_eq(bench.port.sent_count, 0);
    cr_assert_eq(bench.counters[RJ_SYSTEM_BYTES_RECEIVED], 40 + 64);
    cr_assert_eq(bench.counters[RJ_SYSTEM_INVALID_PACKETS], 0);
}

Test(receiver, wants_one_session_when_told_so)
{
    tell_interest(RJ_ENGINE_REMOVE_INTEREST);
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_ADD_INTEREST,
                                                     .receive_endpoint = &bench.receive,
                                                     .stream_id = STREAM_LOG_STREAM,
                                                     .session_id = SESSION + 1,
                                                     .has_session = 1});
    engine_bench_turn(&bench);
    receive_vector(V1);
    engine_bench_turn(&bench);
    cr_assert_not(engine_bench_has_event(&bench));
}

Test(receiver, asks_for_a_setup_when_data_comes_first_and_again_after_a_second)
{
    receive_vector(V7);
    receive_vector(V7);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 1);
    const memory_datagram_t *sm = memory_port_find(&bench.port, RJ_FRAME_TYPE_SM);
    cr_assert_eq(sm->length_bytes, wire_vectors[V3].length_bytes);
    cr_assert_arr_eq(sm->bytes, wire_vectors[V3].bytes, wire_vectors[V3].length_bytes);
    cr_assert(rj_address_equal(&sm->address, &bench.remote), "to where the data came from");
    cr_assert_eq(sm->endpoint, &bench.destination.base);
    cr_assert_eq(bench.counters[RJ_SYSTEM_SMS_SENT], 0, "such status messages are not counted");

    bench.now_ns += 1000 * bench_ms;
    receive_vector(V7);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 1, "the second is not over");
    cr_assert_eq(rj_engine_deadline_ns(bench.engine), bench.now_ns + 1);
    bench.now_ns += 1;
    engine_bench_turn(&bench);
    receive_vector(V7);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 2);
}

Test(receiver, asks_with_its_group_tag)
{
    bench.receive.has_group_tag = true;
    bench.receive.group_tag = -1;
    receive_vector(V7);
    engine_bench_turn(&bench);
    const memory_datagram_t *sm = memory_port_find(&bench.port, RJ_FRAME_TYPE_SM);
    cr_assert_eq(sm->length_bytes, RJ_SM_TAGGED_BYTES);
}

Test(receiver, asks_for_so_many_setups_at_a_time_and_no_more)
{
    enum { FLOOD = 300 };
    for (int i = 0; i < FLOOD; i++) {
        uint8_t bytes[64];
        memcpy(bytes, wire_vectors[V7].bytes, sizeof(bytes));
        memcpy(bytes + 12, &i, sizeof(i));
        receive(bytes, sizeof(bytes));
        if (i % BENCH_BATCH == BENCH_BATCH - 1)
            engine_bench_turn(&bench);
    }
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, RJ_PENDING_SETUPS_MAX);
    cr_assert_eq(rj_engine_stats(bench.engine)->pending_setups_dropped,
                 FLOOD - RJ_PENDING_SETUPS_MAX);
    bench.now_ns += 1001 * bench_ms;
    engine_bench_turn(&bench);
    receive_vector(V7);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, RJ_PENDING_SETUPS_MAX + 1);
}

Test(receiver, opens_the_window_of_a_new_image_at_once)
{
    bench_image_open(&image, &bench, SESSION, true);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 1);
    const memory_datagram_t *sm = memory_port_find(&bench.port, RJ_FRAME_TYPE_SM);
    cr_assert_eq(sm->length_bytes, wire_vectors[V4].length_bytes);
    cr_assert_arr_eq(sm->bytes, wire_vectors[V4].bytes, wire_vectors[V4].length_bytes);
    cr_assert(rj_address_equal(&sm->address, &bench.remote));
    cr_assert_eq(bench.counters[RJ_SYSTEM_SMS_SENT], 1);
    bench.now_ns += 200 * bench_ms;
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 1);
    bench.now_ns = rj_engine_deadline_ns(bench.engine);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 2, "and again when it times out");
}

Test(receiver, repeats_the_window_for_a_sender_that_has_not_heard_of_it)
{
    open_image(true);
    receive_vector(V1);
    engine_bench_turn(&bench);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_SM), 1);
    cr_assert_not(engine_bench_has_event(&bench), "the image is there");
}

Test(receiver, puts_data_in_its_place_and_shows_the_positions)
{
    open_image(true);
    const int64_t end_pos =
        bench_image_receive(&image, &bench, bench_image_receive(&image, &bench, 0, PAYLOAD), 100);
    cr_assert_gt(engine_bench_turn(&bench), 0);
    cr_assert_eq(image.hwm, end_pos);
    cr_assert_eq(image.rcv_pos, end_pos);
    for (int64_t at = RJ_DATA_HEADER_BYTES; at < STREAM_LOG_MTU; at++)
        cr_assert_eq(image.log.terms[0][at], stream_log_byte(at));
    cr_assert_eq(bench.counters[RJ_SYSTEM_BYTES_RECEIVED], end_pos);
    cr_assert_eq(engine_bench_turn(&bench), 0);
}

Test(receiver, follows_its_readers_with_status_messages)
{
    open_image(true);
    int64_t position = 0;
    while (position < BENCH_TERM / 4)
        position = bench_image_receive(&image, &bench, position, PAYLOAD);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 0, "nobody has read anything");
    image.sub_pos = position;
    cr_assert_gt(engine_bench_turn(&bench), 0);
    const memory_datagram_t *sm = memory_port_find(&bench.port, RJ_FRAME_TYPE_SM);
    cr_assert_eq(((const rj_wire_sm_t *)sm->bytes)->consumption_term_offset, position);
    cr_assert_eq(engine_bench_turn(&bench), 0);
}

Test(receiver, asks_for_what_is_missing_on_every_live_connection)
{
    open_image(true);
    bench_image_receive(&image, &bench, 2 * STREAM_LOG_MTU, PAYLOAD);
    engine_bench_turn(&bench);
    cr_assert_eq(image.rcv_pos, 0);
    bench.now_ns += 1000;
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 1);
    const rj_wire_nak_t *nak =
        (const rj_wire_nak_t *)memory_port_find(&bench.port, RJ_FRAME_TYPE_NAK)->bytes;
    cr_assert_eq(nak->term_offset, 0);
    cr_assert_eq(nak->length, 2 * STREAM_LOG_MTU);
    cr_assert_eq(bench.counters[RJ_SYSTEM_NAKS_SENT], 1);
    cr_assert_eq(image.naks, 1);
    const rj_engine_event_t *event = engine_bench_event(&bench, RJ_ENGINE_LOSS);
    cr_assert_eq(event->image, &image.received.image);
    cr_assert_eq(event->value, 2 * STREAM_LOG_MTU);

    bench_image_receive(&image, &bench, bench_image_receive(&image, &bench, 0, PAYLOAD), PAYLOAD);
    engine_bench_turn(&bench);
    cr_assert_eq(image.rcv_pos, 3 * STREAM_LOG_MTU);
    cr_assert_not(engine_bench_has_event(&bench));
}

Test(receiver, fills_gaps_of_an_unreliable_stream)
{
    open_image(false);
    bench_image_receive(&image, &bench, STREAM_LOG_MTU, PAYLOAD);
    engine_bench_turn(&bench);
    engine_bench_turn(&bench);
    cr_assert_eq(image.rcv_pos, 2 * STREAM_LOG_MTU);
    cr_assert_eq(bench.counters[RJ_SYSTEM_LOSS_GAP_FILLS], 1);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_NAK), 0);
    engine_bench_event(&bench, RJ_ENGINE_LOSS);
}

Test(receiver, counts_what_an_image_refuses)
{
    open_image(true);
    bench_image_receive(&image, &bench, BENCH_TERM / 2, PAYLOAD);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.counters[RJ_SYSTEM_FLOW_CONTROL_OVER_RUNS], 1);
    receive_vector(V11);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.counters[RJ_SYSTEM_HEARTBEATS_RECEIVED], 1);
    uint8_t bytes[96];
    memcpy(bytes, wire_vectors[V20].bytes, sizeof(bytes));
    bytes[0x48] = 0x60;
    receive(bytes, sizeof(bytes));
    memcpy(bytes, wire_vectors[V7].bytes, 64);
    receive(bytes, 63);
    memcpy(bytes, wire_vectors[V1].bytes, RJ_SETUP_BYTES);
    bytes[32] = 0x78; /* an MTU of 1,400 */
    receive(bytes, RJ_SETUP_BYTES);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.counters[RJ_SYSTEM_INVALID_PACKETS], 3);
    receive_vector(V4);
    receive_vector(V14);
    receive_vector(V19);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.counters[RJ_SYSTEM_INVALID_PACKETS], 3, "those are only not for this side");
}

Test(receiver, counts_a_revoked_stream)
{
    open_image(true);
    uint8_t bytes[RJ_DATA_HEADER_BYTES];
    memcpy(bytes, wire_vectors[V12].bytes, sizeof(bytes));
    bytes[5] = 0xf0;
    receive(bytes, sizeof(bytes));
    receive(bytes, sizeof(bytes));
    engine_bench_turn(&bench);
    cr_assert_eq(bench.counters[RJ_SYSTEM_PUBLICATION_IMAGES_REVOKED], 1);
    cr_assert_eq(image.received.image.is_end_of_stream, 1);
}

Test(receiver, answers_round_trips_to_the_source_of_an_image)
{
    uint8_t foreign[RJ_RTTM_BYTES];
    memcpy(foreign, wire_vectors[V15].bytes, sizeof(foreign));
    receive_vector(V15);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 0, "no image");
    open_image(true);
    foreign[32] ^= 1; /* another receiver */
    receive(foreign, sizeof(foreign));
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 0);
    receive_vector(V15);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 1);
    cr_assert_arr_eq(bench.port.sent[0].bytes, wire_vectors[V16].bytes, RJ_RTTM_BYTES);
    cr_assert(rj_address_equal(&bench.port.sent[0].address, &bench.remote));
}

Test(receiver, sends_a_status_message_that_the_conductor_requests)
{
    open_image(true);
    image.received.image.sm_is_requested = 1;
    engine_bench_turn(&bench);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_SM), 1);
    cr_assert_eq(engine_bench_turn(&bench), 0);
}

Test(receiver, links_and_unlinks_subscribers_and_says_so)
{
    open_image(true);
    rj_subscriber_position_t late = {0};
    int64_t late_pos = 0;
    late.counter = &late_pos;
    bench_image_receive(&image, &bench, 0, PAYLOAD);
    engine_bench_turn(&bench);
    image.sub_pos = STREAM_LOG_MTU;
    engine_bench_turn(&bench);
    rj_engine_command_t command = {
        .type = RJ_ENGINE_ADD_SUBSCRIBER, .image = &image.received.image, .position = &late};
    engine_bench_tell(&bench, &command);
    engine_bench_turn(&bench);
    const rj_engine_event_t *event = engine_bench_event(&bench, RJ_ENGINE_SUBSCRIBER_ADDED);
    cr_assert_eq(event->position, &late);
    cr_assert_eq(event->image, &image.received.image);
    cr_assert_eq(late.join_position, STREAM_LOG_MTU);
    tell_image(RJ_ENGINE_REMOVE_SUBSCRIBER);
    command.type = RJ_ENGINE_REMOVE_SUBSCRIBER;
    engine_bench_tell(&bench, &command);
    command.type = RJ_ENGINE_ADD_SUBSCRIBER;
    engine_bench_tell(&bench, &command);
    engine_bench_turn(&bench);
    cr_assert_eq(engine_bench_event(&bench, RJ_ENGINE_SUBSCRIBER_REMOVED)->position,
                 &image.subscriber);
    cr_assert_eq(engine_bench_event(&bench, RJ_ENGINE_SUBSCRIBER_REMOVED)->position, &late);
    engine_bench_event(&bench, RJ_ENGINE_SUBSCRIBER_REFUSED);
    cr_assert_eq(image.received.image.working_count, 0);
}

Test(receiver, cools_down_when_an_image_is_taken_away)
{
    open_image(true);
    tell_image(RJ_ENGINE_REMOVE_IMAGE);
    receive_vector(V7);
    engine_bench_turn(&bench);
    cr_assert_eq(engine_bench_event(&bench, RJ_ENGINE_IMAGE_RELEASED)->image,
                 &image.received.image);
    cr_assert_eq(bench.port.sent_count, 0, "cooling down");
    cr_assert_eq(image.hwm, 0);
    tell_image(RJ_ENGINE_END_COOL_DOWN);
    receive_vector(V7);
    engine_bench_turn(&bench);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_SM), 1);
    cr_assert_eq(rj_engine_deadline_ns(bench.engine), bench.now_ns + 1000 * bench_ms + 1);
}

Test(receiver, lets_only_the_newest_image_of_a_session_speak)
{
    static bench_image_t newer;
    open_image(true);
    bench_image_open(&newer, &bench, SESSION, true);
    engine_bench_turn(&bench);
    memory_port_clear(&bench.port);
    image.received.image.sends_eos_sm = 1;
    bench_image_receive(&newer, &bench, 0, 100);
    bench.now_ns += 201 * bench_ms;
    engine_bench_turn(&bench);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_SM), 1);
    const rj_wire_sm_t *sm =
        (const rj_wire_sm_t *)memory_port_find(&bench.port, RJ_FRAME_TYPE_SM)->bytes;
    cr_assert_eq(sm->flags, 0, "the end of the older one would end the stream");
    cr_assert_gt(newer.rcv_pos, 0);
    cr_assert_eq(image.rcv_pos, 0);
    tell_image(RJ_ENGINE_REMOVE_IMAGE);
    bench_image_receive(&newer, &bench, newer.rcv_pos, 100);
    engine_bench_turn(&bench);
    cr_assert_eq(newer.rcv_pos, 2 * 160);
    rj_log_close(&newer.log);
}

Test(receiver, feeds_an_image_no_more_when_its_endpoint_goes)
{
    open_image(true);
    bench_image_receive(&image, &bench, 0, PAYLOAD);
    engine_bench_remove_receive(&bench, &bench);
    bench.port.incoming_count = 0;
    engine_bench_turn(&bench);
    engine_bench_event(&bench, RJ_ENGINE_RECEIVE_DESTINATION_RELEASED);
    cr_assert_eq(engine_bench_event(&bench, RJ_ENGINE_RECEIVE_ENDPOINT_RELEASED)->receive_endpoint,
                 &bench.receive);
    cr_assert_eq(bench.port.endpoint_count, 0);
    bench.now_ns += 201 * bench_ms;
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 0, "there is no socket to answer by");
    tell_image(RJ_ENGINE_REMOVE_IMAGE);
    engine_bench_turn(&bench);
    engine_bench_event(&bench, RJ_ENGINE_IMAGE_RELEASED);
}

Test(receiver, drops_a_setup_while_the_conductor_is_behind_and_takes_it_later)
{
    rj_ring_spsc_t *events = rj_engine_event_ring(bench.engine);
    int count = 0;
    for (int i = 0; i < RJ_ENGINE_EVENT_RING; i++, count++) {
        uint8_t bytes[RJ_SETUP_BYTES];
        memcpy(bytes, wire_vectors[V1].bytes, sizeof(bytes));
        const int32_t session_id = i % 400;
        memcpy(bytes + 12, &session_id, sizeof(session_id));
        receive(bytes, sizeof(bytes));
        engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_IMAGE_FAILED,
                                                         .receive_endpoint = &bench.receive,
                                                         .stream_id = STREAM_LOG_STREAM,
                                                         .session_id = session_id});
        engine_bench_turn(&bench);
    }
    cr_assert_eq(rj_ring_spsc_used_count(events), RJ_ENGINE_EVENT_RING / 2);
    cr_assert_eq(rj_engine_stats(bench.engine)->events_dropped, RJ_ENGINE_EVENT_RING / 2);
    while (engine_bench_has_event(&bench))
        engine_bench_event(&bench, RJ_ENGINE_SETUP);
    receive_vector(V1);
    engine_bench_turn(&bench);
    engine_bench_event(&bench, RJ_ENGINE_SETUP);
}

Test(receiver, tells_of_an_error_that_a_poll_met)
{
    bench.port.failed_endpoint = &bench.destination.base;
    bench.port.poll_error = -EIO;
    engine_bench_turn(&bench);
    const rj_engine_event_t *event = engine_bench_event(&bench, RJ_ENGINE_IO_ERROR);
    cr_assert_eq(event->receive_destination, &bench.destination);
    cr_assert_null(event->send_endpoint);
    cr_assert_eq(event->value, -EIO);
}

static const uint8_t control_host[4] = {224, 20, 30, 40};

/* The endpoint's one destination hears a group. */
static rj_address_t join_group(uint8_t ttl)
{
    const rj_address_t control = rj_address_ipv4(control_host, 40456);
    rj_receive_destination_t *destination = &bench.destination;
    rj_receive_destination_set_control(destination, &control);
    destination->is_multicast = true;
    destination->ttl = ttl;
    return control;
}

Test(receiver, speaks_of_a_group_to_its_control_address)
{
    const rj_address_t control = join_group(0);
    receive_vector(V7);
    engine_bench_turn(&bench);
    const memory_datagram_t *sm = memory_port_find(&bench.port, RJ_FRAME_TYPE_SM);
    cr_assert(rj_address_equal(&sm->address, &control), "asks for a setup");
    memory_port_clear(&bench.port);

    open_image(true);
    const int64_t gap = bench_image_receive(&image, &bench, 0, PAYLOAD);
    bench_image_receive(&image, &bench, gap + STREAM_LOG_MTU, PAYLOAD);
    engine_bench_turn(&bench);
    bench.now_ns += 300 * bench_ms;
    engine_bench_turn(&bench);
    cr_assert_geq(memory_port_count(&bench.port, RJ_FRAME_TYPE_NAK), 1);
    cr_assert_geq(memory_port_count(&bench.port, RJ_FRAME_TYPE_SM), 1);
    for (int i = 0; i < bench.port.sent_count; i++)
        cr_assert(rj_address_equal(&bench.port.sent[i].address, &control));
    memory_port_clear(&bench.port);

    const rj_frame_rttm_t question = {.session_id = SESSION,
                                      .stream_id = STREAM_LOG_STREAM,
                                      .echo_timestamp = 1,
                                      .wants_reply = true};
    rj_wire_rttm_t frame;
    receive((const uint8_t *)&frame, rj_frame_write_rttm(&frame, &question));
    engine_bench_turn(&bench);
    const memory_datagram_t *answer = memory_port_find(&bench.port, RJ_FRAME_TYPE_RTTM);
    cr_assert(rj_address_equal(&answer->address, &control), "answers what a sender measures");
}

Test(receiver, notes_a_sender_that_reaches_further_than_its_answers)
{
    static const struct {
        uint8_t ttl;
        bool is_elicited;
        int64_t count;
    } rows[] = {{3, true, 1}, {4, true, 0}, {3, false, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        join_group(rows[i].ttl);
        bench.counters[RJ_SYSTEM_POSSIBLE_TTL_ASYMMETRY] = 0;
        if (rows[i].is_elicited)
            receive_vector(V7);
        receive_vector(V2);
        engine_bench_turn(&bench);
        cr_assert_eq(bench.counters[RJ_SYSTEM_POSSIBLE_TTL_ASYMMETRY], rows[i].count, "row %zu", i);
        engine_bench_event(&bench, RJ_ENGINE_SETUP);
        tell_image(RJ_ENGINE_IMAGE_FAILED);
        engine_bench_turn(&bench);
    }
}
