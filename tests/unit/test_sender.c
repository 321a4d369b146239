/* SPDX-License-Identifier: Apache-2.0 */
/* The sender half of an engine. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "proto/frame.h"
#include "tests/fixtures/engine_bench.h"

enum {
    SESSION = STREAM_LOG_SESSION,
    WINDOW = BENCH_TERM / 2,
    PAYLOAD = STREAM_LOG_MTU - RJ_DATA_HEADER_BYTES,
};

static engine_bench_t bench;
static bench_publication_t publication;

static void open_bench(void)
{
    engine_bench_open(&bench);
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_ADD_SEND_ENDPOINT,
                                                     .send_endpoint = &bench.send});
    bench_publication_open(&publication, &bench, SESSION);
    engine_bench_turn(&bench);
}

static void close_bench(void)
{
    engine_bench_close(&bench);
    rj_log_close(&publication.log);
}

TestSuite(sender, .init = open_bench, .fini = close_bench);

/* The receiver's first status message, to which a heartbeat answers; that one is forgotten. */
static void connect_receiver(void)
{
    bench_publication_on_sm(&publication, &bench, 0, WINDOW, 0);
    engine_bench_turn(&bench);
    engine_bench_turn(&bench);
    memory_port_clear(&bench.port);
    bench.counters[RJ_SYSTEM_BYTES_SENT] = 0;
    bench.counters[RJ_SYSTEM_HEARTBEATS_SENT] = 0;
}

static void advance(int64_t ns)
{
    bench.now_ns += ns;
    engine_bench_turn(&bench);
}

static void receive_nak(int64_t position, int32_t length)
{
    const rj_frame_nak_t nak = {.session_id = SESSION,
                                .stream_id = STREAM_LOG_STREAM,
                                .term_id = STREAM_LOG_INITIAL_TERM,
                                .term_offset = (int32_t)position,
                                .length = length};
    rj_wire_nak_t frame;
    const uint32_t bytes = rj_frame_write_nak(&frame, &nak);
    engine_bench_receive(&bench, &bench.send.base, &frame, bytes);
}

static void receive_vector(wire_vector_index_t index)
{
    engine_bench_receive(&bench, &bench.send.base, wire_vectors[index].bytes,
                         wire_vectors[index].length_bytes);
}

Test(sender, announces_the_stream_until_somebody_answers)
{
    cr_assert_eq(bench.port.sent_count, 1);
    const memory_datagram_t *setup = memory_port_find(&bench.port, RJ_FRAME_TYPE_SETUP);
    cr_assert_eq(setup->length_bytes, wire_vectors[V1].length_bytes);
    cr_assert_arr_eq(setup->bytes, wire_vectors[V1].bytes, wire_vectors[V1].length_bytes);
    cr_assert(rj_address_equal(&setup->address, &bench.remote));
    cr_assert_eq(setup->endpoint, &bench.send.base);
    cr_assert_eq(bench.counters[RJ_SYSTEM_BYTES_SENT], 0, "setups are not counted as bytes");
    advance(100 * bench_ms);
    cr_assert_eq(bench.port.sent_count, 1);
    advance(1);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_SETUP), 2);
    connect_receiver();
    advance(101 * bench_ms);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_SETUP), 0);
}

Test(sender, sends_nothing_but_setups_without_a_window)
{
    bench_publication_append(&publication, 1, 100);
    advance(1);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_DATA), 0);
    cr_assert_eq(publication.snd_pos, 0);
}

Test(sender, sends_what_was_appended_as_it_lies_in_the_log)
{
    connect_receiver();
    bench_publication_append(&publication, 3, PAYLOAD);
    bench_publication_append(&publication, 2, 100);
    cr_assert_gt(engine_bench_turn(&bench), 0);
    cr_assert_eq(bench.port.sent_count, 4, "the two short ones share a datagram");
    cr_assert_eq(bench.port.send_calls, 1);
    const uint8_t *term = publication.log.terms[0];
    uint32_t offset = 0;
    for (int i = 0; i < 4; i++) {
        cr_assert_arr_eq(bench.port.sent[i].bytes, term + offset, bench.port.sent[i].length_bytes);
        offset += bench.port.sent[i].length_bytes;
    }
    cr_assert_eq(offset, publication.end_pos);
    cr_assert_eq(publication.snd_pos, publication.end_pos);
    cr_assert_eq(bench.counters[RJ_SYSTEM_BYTES_SENT], publication.end_pos);
    cr_assert_eq(engine_bench_turn(&bench), 0, "and is idle then");
}

/* Opens publications beside the first, and gives all of them a window. */
static void open_others(bench_publication_t *others, int count)
{
    for (int i = 0; i < count; i++) {
        bench_publication_open(&others[i], &bench, SESSION + 1 + i);
        engine_bench_turn(&bench);
        bench_publication_on_sm(&others[i], &bench, 0, WINDOW, 0);
    }
    connect_receiver();
}

Test(sender, serves_all_publications_with_one_call_and_each_first_in_its_turn)
{
    enum { COUNT = 4 };
    static bench_publication_t others[COUNT - 1];
    open_others(others, COUNT - 1);
    int firsts[COUNT] = {0};
    for (int turn = 0; turn < 2 * COUNT; turn++) {
        memory_port_clear(&bench.port);
        bench_publication_append(&publication, 1, 64);
        for (int i = 0; i < COUNT - 1; i++)
            bench_publication_append(&others[i], 1, 64 * (i + 2));
        engine_bench_turn(&bench);
        cr_assert_eq(bench.port.sent_count, COUNT);
        cr_assert_eq(bench.port.send_calls, 1);
        firsts[bench.port.sent[0].length_bytes / 64 - 1]++;
    }
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(firsts[i], 2);
    for (int i = 0; i < COUNT - 1; i++)
        rj_log_close(&others[i].log);
}

Test(sender, bounds_a_turn_and_goes_on_with_the_next_publication)
{
    enum { OTHERS = 15, EACH = RJ_NETWORK_PUBLICATION_DATAGRAMS_MAX };
    static bench_publication_t others[OTHERS];
    open_others(others, OTHERS);
    for (int i = 0; i < OTHERS; i++)
        bench_publication_append(&others[i], 24, PAYLOAD);
    bench_publication_append(&publication, 24, PAYLOAD);
    int turns = 0;
    while (engine_bench_turn(&bench) > 0) {
        turns++;
        cr_assert_leq(bench.port.sent_count, turns * (RJ_ENGINE_DATAGRAMS_MAX + EACH));
    }
    cr_assert_geq(turns, 2);
    /* 23 datagrams fill the window of 32,768 bytes; the 24th waits. */
    cr_assert_eq(bench.port.sent_count, (OTHERS + 1) * 23, "nobody was passed over");
    for (int i = 0; i < OTHERS; i++)
        rj_log_close(&others[i].log);
}

Test(sender, sends_more_runs_than_a_batch_holds)
{
    enum { OTHERS = 40, MESSAGES = 16 };
    static bench_publication_t others[OTHERS];
    open_others(others, OTHERS);
    /* Growing messages, none of which fits behind another: each datagram is a run of its own. */
    for (int n = 0; n < MESSAGES; n++) {
        for (int i = 0; i < OTHERS; i++)
            bench_publication_append(&others[i], 1, 720 + 32 * n);
    }
    while (engine_bench_turn(&bench) > 0)
        continue;
    cr_assert_eq(bench.port.sent_count, OTHERS * MESSAGES);
    for (int i = 0; i < OTHERS; i++) {
        cr_assert_eq(others[i].snd_pos, others[i].end_pos);
        rj_log_close(&others[i].log);
    }
}

Test(sender, goes_on_where_a_full_queue_stopped_it)
{
    connect_receiver();
    bench_publication_append(&publication, 5, PAYLOAD);
    bench.port.room = 2;
    engine_bench_turn(&bench);
    cr_assert_eq(publication.snd_pos, 2 * STREAM_LOG_MTU);
    cr_assert_eq(bench.counters[RJ_SYSTEM_SHORT_SENDS], 1);
    bench.port.room = 0;
    cr_assert_eq(engine_bench_turn(&bench), 0, "nothing done is no work");
    cr_assert_eq(bench.counters[RJ_SYSTEM_SHORT_SENDS], 2);
    bench.port.room = -1;
    engine_bench_turn(&bench);
    cr_assert_eq(publication.snd_pos, publication.end_pos);
    cr_assert_eq(bench.port.sent_count, 5);
    for (int i = 0; i < 5; i++)
        cr_assert_arr_eq(bench.port.sent[i].bytes, publication.log.terms[0] + i * STREAM_LOG_MTU,
                         STREAM_LOG_MTU);
}

Test(sender, beats_and_forgets_receivers_while_its_queue_stays_full)
{
    connect_receiver();
    bench_publication_append(&publication, 1, PAYLOAD);
    bench.port.room = 0;
    cr_assert_eq(publication.publication.has_receivers, 1);
    for (int i = 0; i < 51; i++)
        advance(100 * bench_ms);
    cr_assert_eq(publication.publication.has_receivers, 0);
    cr_assert_gt(bench.counters[RJ_SYSTEM_HEARTBEATS_SENT], 0);
    cr_assert_eq(bench.counters[RJ_SYSTEM_BYTES_SENT], 0);
}

Test(sender, tells_of_an_error_once_a_second_and_keeps_the_position)
{
    connect_receiver();
    bench_publication_append(&publication, 1, PAYLOAD);
    bench.port.error = -ENETUNREACH;
    advance(1);
    const rj_engine_event_t *event = engine_bench_event(&bench, RJ_ENGINE_IO_ERROR);
    cr_assert_eq(event->value, -ENETUNREACH);
    cr_assert_eq(event->send_endpoint, &bench.send);
    cr_assert_null(event->receive_endpoint);
    cr_assert_eq(publication.snd_pos, 0);
    advance(999 * bench_ms);
    cr_assert_not(engine_bench_has_event(&bench));
    advance(1 * bench_ms);
    engine_bench_event(&bench, RJ_ENGINE_IO_ERROR);
    bench.port.error = 0;
    advance(1);
    cr_assert_eq(publication.snd_pos, STREAM_LOG_MTU);
}

Test(sender, beats_when_it_has_nothing_to_send)
{
    connect_receiver();
    advance(101 * bench_ms);
    const memory_datagram_t *beat = memory_port_find(&bench.port, RJ_FRAME_TYPE_DATA);
    cr_assert_eq(beat->length_bytes, RJ_DATA_HEADER_BYTES);
    cr_assert(rj_frame_is_heartbeat((const rj_wire_data_t *)beat->bytes, beat->length_bytes));
    cr_assert_eq(bench.counters[RJ_SYSTEM_HEARTBEATS_SENT], 1);
    cr_assert_eq(bench.counters[RJ_SYSTEM_BYTES_SENT], RJ_DATA_HEADER_BYTES);
    advance(100 * bench_ms);
    cr_assert_eq(bench.port.sent_count, 1);
    cr_assert_gt(rj_engine_deadline_ns(bench.engine), bench.now_ns);
    bench.now_ns = rj_engine_deadline_ns(bench.engine);
    cr_assert_gt(engine_bench_turn(&bench), 0, "at its deadline it does something");
    cr_assert_eq(bench.port.sent_count, 2);
}

Test(sender, notes_the_end_of_the_window_once)
{
    bench_publication_on_sm(&publication, &bench, 0, STREAM_LOG_MTU, 0);
    engine_bench_turn(&bench);
    bench_publication_append(&publication, 1, PAYLOAD);
    engine_bench_turn(&bench);
    cr_assert_eq(publication.snd_bpe, 0);
    engine_bench_turn(&bench);
    engine_bench_turn(&bench);
    cr_assert_eq(publication.snd_bpe, 1, "even though nothing waits behind it");
    cr_assert_eq(bench.counters[RJ_SYSTEM_SENDER_FLOW_CONTROL_LIMITS], 1);
}

Test(sender, answers_a_nak_with_the_same_bytes)
{
    connect_receiver();
    bench_publication_append(&publication, 4, PAYLOAD);
    engine_bench_turn(&bench);
    memory_port_clear(&bench.port);
    const int64_t sent_bytes = bench.counters[RJ_SYSTEM_BYTES_SENT];
    receive_nak(STREAM_LOG_MTU, 2 * STREAM_LOG_MTU);
    engine_bench_turn(&bench);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 2);
    for (int i = 0; i < 2; i++)
        cr_assert_arr_eq(bench.port.sent[i].bytes,
                         publication.log.terms[0] + (i + 1) * STREAM_LOG_MTU, STREAM_LOG_MTU);
    cr_assert_eq(bench.counters[RJ_SYSTEM_NAKS_RECEIVED], 1);
    cr_assert_eq(publication.naks, 1);
    cr_assert_eq(bench.counters[RJ_SYSTEM_RETRANSMITS_SENT], 1);
    cr_assert_eq(bench.counters[RJ_SYSTEM_RETRANSMITTED_BYTES], 2 * STREAM_LOG_MTU);
    cr_assert_eq(bench.counters[RJ_SYSTEM_BYTES_SENT] - sent_bytes, 2 * STREAM_LOG_MTU);
    receive_nak(STREAM_LOG_MTU, 2 * STREAM_LOG_MTU);
    engine_bench_turn(&bench);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 2, "an echo of the same NAK");
    cr_assert_eq(publication.snd_pos, publication.end_pos);
}

Test(sender, sends_a_setup_when_it_is_asked_for)
{
    connect_receiver();
    advance(101 * bench_ms);
    memory_port_clear(&bench.port);
    receive_vector(V3);
    engine_bench_turn(&bench);
    engine_bench_turn(&bench);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_SETUP), 1);
    cr_assert_eq(bench.counters[RJ_SYSTEM_SMS_RECEIVED], 2);
}

Test(sender, echoes_a_round_trip_to_where_the_data_goes)
{
    memory_port_clear(&bench.port);
    receive_vector(V15);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 1);
    cr_assert_eq(bench.port.sent[0].length_bytes, wire_vectors[V16].length_bytes);
    cr_assert_arr_eq(bench.port.sent[0].bytes, wire_vectors[V16].bytes,
                     wire_vectors[V16].length_bytes);
    cr_assert(rj_address_equal(&bench.port.sent[0].address, &bench.remote));
    memory_port_clear(&bench.port);
    receive_vector(V16);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 0, "an answer is not answered");
}

Test(sender, hands_on_an_error_of_a_live_receiver_once)
{
    receive_vector(V17);
    engine_bench_turn(&bench);
    cr_assert_not(engine_bench_has_event(&bench), "nobody was there to reject anything");
    connect_receiver();
    receive_vector(V17);
    receive_vector(V17);
    engine_bench_turn(&bench);
    const rj_engine_event_t *event = engine_bench_event(&bench, RJ_ENGINE_PUBLICATION_ERROR);
    cr_assert_eq(event->publication, &publication.publication);
    cr_assert_eq(event->error.error_code, 13);
    cr_assert_eq(event->error.text_bytes, 8);
    cr_assert_arr_eq(event->error.text, "rejected", 8);
    cr_assert_eq(event->error.receiver_id, VECTOR_RECEIVER_ID);
    cr_assert_eq(event->error.group_tag, -1);
    cr_assert(rj_address_equal(&event->error.source, &bench.remote));
    cr_assert_not(engine_bench_has_event(&bench));
    cr_assert_eq(bench.counters[RJ_SYSTEM_ERROR_FRAMES_RECEIVED], 3);
}

Test(sender, counts_what_makes_no_sense_and_ignores_what_is_for_others)
{
    uint8_t bytes[VECTOR_BYTES_MAX];
    memcpy(bytes, wire_vectors[V14].bytes, RJ_NAK_BYTES);
    bytes[4] = 1; /* another version */
    engine_bench_receive(&bench, &bench.send.base, bytes, RJ_NAK_BYTES);
    engine_bench_receive(&bench, &bench.send.base, wire_vectors[V4].bytes, 7);
    memcpy(bytes, wire_vectors[V17].bytes, wire_vectors[V17].length_bytes);
    bytes[36] = 9; /* a text longer than the frame */
    engine_bench_receive(&bench, &bench.send.base, bytes, wire_vectors[V17].length_bytes);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.counters[RJ_SYSTEM_INVALID_PACKETS], 3);
    receive_vector(V1);
    receive_vector(V7);
    receive_vector(V18);
    receive_vector(V19);
    memcpy(bytes, wire_vectors[V4].bytes, RJ_SM_BYTES);
    bytes[8] ^= 1; /* another session */
    engine_bench_receive(&bench, &bench.send.base, bytes, RJ_SM_BYTES);
    memcpy(bytes, wire_vectors[V14].bytes, RJ_NAK_BYTES);
    bytes[8] ^= 1;
    engine_bench_receive(&bench, &bench.send.base, bytes, RJ_NAK_BYTES);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.counters[RJ_SYSTEM_INVALID_PACKETS], 3);
    cr_assert_eq(bench.counters[RJ_SYSTEM_NAKS_RECEIVED], 0);
    cr_assert_eq(bench.counters[RJ_SYSTEM_SMS_RECEIVED], 1, "in range, for whom ever (4.3)");
    cr_assert_eq(bench.counters[RJ_SYSTEM_BYTES_RECEIVED], 0, "only data sockets count");
}

Test(sender, gives_a_publication_back_and_knows_it_no_more)
{
    connect_receiver();
    bench_publication_append(&publication, 1, PAYLOAD);
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_REMOVE_PUBLICATION,
                                                     .publication = &publication.publication});
    receive_vector(V15);
    engine_bench_turn(&bench);
    cr_assert_eq(bench.port.sent_count, 0);
    cr_assert_eq(engine_bench_event(&bench, RJ_ENGINE_PUBLICATION_RELEASED)->publication,
                 &publication.publication);
    cr_assert_eq(rj_engine_deadline_ns(bench.engine), INT64_MAX);
}

Test(sender, gives_nothing_back_that_the_port_still_holds)
{
    connect_receiver();
    bench.port.holds = true;
    bench_publication_append(&publication, 1, PAYLOAD);
    engine_bench_turn(&bench);
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_REMOVE_PUBLICATION,
                                                     .publication = &publication.publication});
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_REMOVE_SEND_ENDPOINT,
                                                     .send_endpoint = &bench.send});
    engine_bench_turn(&bench);
    cr_assert_not(engine_bench_has_event(&bench));
    cr_assert_eq(bench.port.endpoint_count, 0, "it hears nothing any more");
    bench.port.holds = false;
    engine_bench_turn(&bench);
    engine_bench_event(&bench, RJ_ENGINE_PUBLICATION_RELEASED);
    cr_assert_eq(engine_bench_event(&bench, RJ_ENGINE_SEND_ENDPOINT_RELEASED)->send_endpoint,
                 &bench.send);
}

Test(sender, keeps_serving_the_others_when_one_goes)
{
    enum { COUNT = 3 };
    static bench_publication_t others[COUNT];
    open_others(others, COUNT);
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_REMOVE_PUBLICATION,
                                                     .publication = &others[0].publication});
    for (int i = 0; i < COUNT; i++)
        bench_publication_append(&others[i], 1, PAYLOAD);
    bench_publication_append(&publication, 1, PAYLOAD);
    engine_bench_turn(&bench);
    cr_assert_eq(others[0].snd_pos, 0);
    cr_assert_eq(others[1].snd_pos, STREAM_LOG_MTU);
    cr_assert_eq(others[2].snd_pos, STREAM_LOG_MTU);
    cr_assert_eq(publication.snd_pos, STREAM_LOG_MTU);
    for (int i = 1; i < COUNT; i++)
        bench_publication_on_sm(&others[i], &bench, STREAM_LOG_MTU, WINDOW, 0);
    engine_bench_turn(&bench);
    cr_assert_eq(others[2].snd_lmt, STREAM_LOG_MTU + WINDOW, "frames still find it");
    for (int i = 0; i < COUNT; i++)
        rj_log_close(&others[i].log);
}

/* --- an engine of the sender alone --- */

/* One more message to send, and one status message that waits to be read. */
static int64_t heard_in_busy_turn(void)
{
    const int64_t before = bench.counters[RJ_SYSTEM_SMS_RECEIVED];
    bench_publication_append(&publication, 1, 64);
    engine_bench_turn(&bench);
    return bench.counters[RJ_SYSTEM_SMS_RECEIVED] - before;
}

static void open_alone(int32_t ratio)
{
    engine_bench_close(&bench);
    rj_log_close(&publication.log);
    engine_bench_open_sender(&bench, ratio, 100 * bench_ms);
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_ADD_SEND_ENDPOINT,
                                                     .send_endpoint = &bench.send});
    bench_publication_open(&publication, &bench, SESSION);
    engine_bench_turn(&bench);
    connect_receiver();
    engine_bench_turn(&bench); /* with nothing to send, so that the count begins */
}

Test(sender, alone_reads_its_sockets_every_so_many_turns_while_it_has_data)
{
    open_alone(3);
    bench_publication_on_sm(&publication, &bench, 0, WINDOW, 0);
    cr_expect_eq(heard_in_busy_turn(), 0);
    cr_expect_eq(heard_in_busy_turn(), 0);
    cr_expect_eq(heard_in_busy_turn(), 1);
    bench_publication_on_sm(&publication, &bench, 0, WINDOW, 0);
    cr_expect_eq(heard_in_busy_turn(), 0);
    engine_bench_turn(&bench);
    cr_expect_eq(bench.counters[RJ_SYSTEM_SMS_RECEIVED], 3, "at once with nothing to send");
}

Test(sender, alone_never_listens_less_often_than_receivers_speak)
{
    open_alone(100);
    bench_publication_on_sm(&publication, &bench, 0, WINDOW, 0);
    cr_expect_eq(heard_in_busy_turn(), 0);
    bench.now_ns += 100 * bench_ms;
    cr_expect_eq(heard_in_busy_turn(), 1);
}

Test(sender, alone_listens_at_once_when_the_system_takes_less_than_it_was_given)
{
    open_alone(100);
    bench_publication_on_sm(&publication, &bench, 0, WINDOW, 0);
    bench_publication_append(&publication, 3, PAYLOAD);
    bench.port.room = 1;
    engine_bench_turn(&bench);
    cr_expect_eq(bench.counters[RJ_SYSTEM_SMS_RECEIVED], 2);
}
