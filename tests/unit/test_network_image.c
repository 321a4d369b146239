/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/network_image.h"

#include <criterion/criterion.h>
#include <string.h>

#include "shm/term_frame.h"
#include "tests/fixtures/stream_log.h"
#include "tests/fixtures/wire_vectors.h"

enum { TERM = 64 * 1024, WINDOW = TERM / 2, MTU = STREAM_LOG_MTU };

static const int64_t us = 1000;
static const int64_t ms = 1000 * 1000;
static const int64_t s = 1000 * 1000 * 1000;

typedef struct bench {
    rj_log_t log;
    struct {
        int64_t rcv_hwm, rcv_pos, naks;
    } words;
    rj_network_image_t image;
    rj_network_image_work_t work;
    int64_t reader_words[2];
    rj_subscriber_position_t readers[2];
    int connection;
    int64_t now_ns;
} bench_t;

static bench_t bench;

static rj_network_image_config_t default_config(int64_t join_position)
{
    return (rj_network_image_config_t){
        .correlation_id = 7,
        .session_id = STREAM_LOG_SESSION,
        .stream_id = STREAM_LOG_STREAM,
        .join_position = join_position,
        .window_bytes = 128 * 1024,
        .sm_timeout_ns = 200 * ms,
        .liveness_timeout_ns = 10 * s,
        .receiver_id = VECTOR_RECEIVER_ID,
        .is_reliable = true,
        .loss = {.delay_ns = 1 * us, .retry_ns = 100 * us, .is_explicit = true},
        .congestion = {.ops = &rj_congestion_static, .mtu = MTU},
    };
}

static void open_with(const rj_network_image_config_t *config)
{
    memset(&bench, 0, sizeof(bench));
    stream_log_open(&bench.log, RJ_LOG_TYPE_IMAGE, TERM, MTU, 0);
    rj_network_image_counters_t counters = {&bench.words.rcv_hwm, &bench.words.rcv_pos,
                                            &bench.words.naks};
    bench.words.rcv_hwm = bench.words.rcv_pos = config->join_position;
    bench.now_ns = 1000 * s;
    rj_network_image_init(&bench.image, config, &counters, &bench.log, bench.now_ns);
    for (int i = 0; i < 2; i++)
        bench.readers[i].counter = &bench.reader_words[i];
    cr_assert(rj_network_image_add_subscriber(&bench.image, &bench.readers[0]));
    /* A path is never looked into: any address will do. */
    bench.connection = rj_network_image_add_connection(
        &bench.image, 1, (const struct rj_path *)(const void *)&bench, bench.now_ns);
}

static void open_at(int64_t join_position)
{
    rj_network_image_config_t config = default_config(join_position);
    open_with(&config);
}

static void teardown(void)
{
    rj_log_close(&bench.log);
}

TestSuite(network_image, .fini = teardown);

static rj_network_image_insert_t insert_bytes(const void *data, uint32_t length)
{
    return rj_network_image_insert(&bench.image, bench.connection, data, length, bench.now_ns);
}

static rj_network_image_insert_t insert(int64_t position, int32_t payload)
{
    uint8_t datagram[2048];
    int32_t length = stream_log_frame(&bench.log, datagram, position, RJ_FRAME_TYPE_DATA, payload);
    return insert_bytes(datagram, (uint32_t)length);
}

static rj_network_image_insert_t heartbeat(int64_t position, uint8_t flags)
{
    rj_wire_data_t frame = {
        .flags = flags,
        .type = RJ_FRAME_TYPE_DATA,
        .term_offset = rj_position_term_offset(position, TERM - 1),
        .session_id = STREAM_LOG_SESSION,
        .stream_id = STREAM_LOG_STREAM,
        .term_id =
            rj_position_term_id(position, bench.log.position_shift, bench.log.initial_term_id),
    };
    return insert_bytes(&frame, sizeof(frame));
}

static int track(int64_t after_ns)
{
    bench.now_ns += after_ns;
    return rj_network_image_track(&bench.image, &bench.work, bench.now_ns);
}

static int64_t sm_position(void)
{
    return rj_position_pack(bench.work.sm.consumption_term_id,
                            bench.work.sm.consumption_term_offset, bench.log.position_shift,
                            bench.log.initial_term_id);
}

static void read_to(int64_t position)
{
    rj_store_release_i64(&bench.reader_words[0], position);
}

Test(network_image, opens_the_senders_window_at_once)
{
    open_at(0);
    cr_assert_eq(track(0), 1);
    cr_assert(bench.work.sm_is_due);
    cr_assert_eq(bench.work.sm_length_bytes, 36);
    cr_assert_arr_eq(&bench.work.sm, wire_vectors[V4].bytes, 36);
    cr_assert_eq(track(200 * ms), 0);
    cr_assert_eq(rj_network_image_deadline_ns(&bench.image), bench.now_ns + 1);
    cr_assert_eq(track(1), 1, "and again after the timeout");
}

Test(network_image, answers_a_setup_at_once_until_data_comes)
{
    open_at(0);
    track(0);
    rj_network_image_on_setup(&bench.image, bench.connection, bench.now_ns);
    cr_assert_eq(track(1), 1, "the first was lost");
    insert(0, 992);
    rj_network_image_on_setup(&bench.image, bench.connection, bench.now_ns);
    cr_assert_eq(track(1), 0);
}

/* Not in the reference, whose receiver waits for the timeout. */
Test(network_image, repeats_a_status_message_that_a_stuck_sender_has_not_heard)
{
    open_at(0);
    track(0);
    for (int i = 0; i < 32; i++)
        insert(1024 * i, 992);
    track(1);
    read_to(WINDOW);
    cr_assert_eq(track(1), 1);
    cr_assert_eq(track(100 * us), 0);
    cr_assert_eq(track(1), 1, "it stands at the end of its first window");
    cr_assert_eq(track(200 * us), 0);
    cr_assert_eq(track(1), 1, "at growing intervals");
    insert(WINDOW, 992);
    cr_assert_eq(track(1), 0);
    cr_assert_eq(track(150 * ms), 0, "it goes on: all is well");
}

Test(network_image, repeats_no_status_message_where_the_references_timing_is_wanted)
{
    rj_network_image_config_t config = default_config(0);
    config.has_reference_timing = true;
    open_with(&config);
    track(0);
    for (int i = 0; i < 32; i++)
        insert(1024 * i, 992);
    track(1);
    read_to(WINDOW);
    cr_assert_eq(track(1), 1);
    cr_assert_eq(track(200 * ms), 0);
    cr_assert_eq(track(1), 1);
}

Test(network_image, adds_the_group_tag_and_the_end_to_status_messages)
{
    rj_network_image_config_t config = default_config(8192);
    config.has_group_tag = true;
    config.group_tag = -1;
    open_with(&config);
    track(0);
    cr_assert_eq(bench.work.sm_length_bytes, 44);
    cr_assert_arr_eq(&bench.work.sm, wire_vectors[V5].bytes, 44);
    teardown();
    open_at(8192);
    rj_store_release_i32(&bench.image.sends_eos_sm, 1);
    track(0);
    cr_assert_arr_eq(&bench.work.sm, wire_vectors[V6].bytes, 36);
}

Test(network_image, says_how_far_readers_are_after_a_quarter_of_the_window)
{
    open_at(0);
    track(0);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(insert(1024 * i, 992), RJ_NETWORK_IMAGE_INSERTED);
    read_to(WINDOW / 4);
    cr_assert_eq(track(1), 0);
    cr_assert_eq(bench.words.rcv_pos, 10240);
    read_to(9216);
    cr_assert_eq(track(1), 1);
    cr_assert_eq(sm_position(), 9216);
    cr_assert_eq(bench.work.sm.receiver_window, WINDOW);
    read_to(10240);
    cr_assert_eq(track(200 * ms + 1), 1);
    cr_assert_eq(sm_position(), 9216, "a timeout repeats what was said");
}

Test(network_image, cleans_up_to_where_its_readers_are_before_it_says_so)
{
    open_at(0);
    track(0);
    for (int i = 0; i < 10; i++)
        insert(1024 * i, 992);
    read_to(9216);
    cr_assert_eq(track(1), 1);
    stream_log_expect_zero(&bench.log, 0, 9216);
    cr_assert_eq(rj_frame_length(rj_log_term(&bench.log, 0), 9216), 1024, "not read yet");
}

Test(network_image, asks_for_nothing_more_than_the_slowest_reader_allows)
{
    open_at(0);
    cr_assert(rj_network_image_add_subscriber(&bench.image, &bench.readers[1]));
    track(0);
    for (int i = 0; i < 10; i++)
        insert(1024 * i, 992);
    read_to(10240);
    cr_assert_eq(track(1), 0);
    cr_assert_eq(bench.image.is_drained, 0);
    rj_network_image_remove_subscriber(&bench.image, &bench.readers[1]);
    cr_assert_eq(track(1), 1);
    cr_assert_eq(bench.image.is_drained, 1);
    cr_assert_eq(bench.image.working_count, 1);
}

Test(network_image, accepts_up_to_half_a_term_beyond_the_last_status_message)
{
    open_at(0);
    track(0);
    cr_assert_eq(insert(WINDOW - 1024, 992), RJ_NETWORK_IMAGE_INSERTED);
    cr_assert_eq(insert(WINDOW - 992, 992), RJ_NETWORK_IMAGE_OVERRUN);
    cr_assert_eq(insert(WINDOW, 0), RJ_NETWORK_IMAGE_OVERRUN);
    cr_assert_eq(heartbeat(WINDOW, 0xC0), RJ_NETWORK_IMAGE_HEARTBEAT);
}

Test(network_image, refuses_what_readers_have_left_behind)
{
    open_at(2 * TERM);
    track(0);
    bench.now_ns += s;
    cr_assert_eq(insert(2 * TERM - 1024, 992), RJ_NETWORK_IMAGE_UNDERRUN);
    cr_assert_eq(bench.image.connections[0].last_frame_ns, bench.now_ns,
                 "but the path is alive: the end was within a window");
    cr_assert_eq(bench.image.last_packet_ns, 1000 * s);
    bench.now_ns += s;
    cr_assert_eq(insert(TERM, 992), RJ_NETWORK_IMAGE_UNDERRUN);
    cr_assert_lt(bench.image.connections[0].last_frame_ns, bench.now_ns);
    cr_assert_eq(heartbeat(TERM, 0xC0), RJ_NETWORK_IMAGE_HEARTBEAT);
    cr_assert_eq(heartbeat(TERM - 32, 0xC0), RJ_NETWORK_IMAGE_UNDERRUN);
    cr_assert_eq(insert(-TERM, 992), RJ_NETWORK_IMAGE_IGNORED);
}

Test(network_image, refuses_datagrams_that_do_not_add_up)
{
    uint8_t bytes[128];
    open_at(0);
    memcpy(bytes, wire_vectors[V7].bytes, 64);
    bytes[8] = 0x10;
    cr_assert_eq(insert_bytes(bytes, 64), RJ_NETWORK_IMAGE_INVALID);
    memcpy(bytes, wire_vectors[V7].bytes, 64);
    bytes[0] = 0x45;
    cr_assert_eq(insert_bytes(bytes, 64), RJ_NETWORK_IMAGE_INVALID);
    memcpy(bytes, wire_vectors[V20].bytes, 96);
    bytes[0x48] = 0x60;
    cr_assert_eq(insert_bytes(bytes, 96), RJ_NETWORK_IMAGE_INVALID);
    cr_assert_eq(insert_bytes(wire_vectors[V20].bytes, 96), RJ_NETWORK_IMAGE_INSERTED);
    track(0);
    cr_assert_eq(bench.words.rcv_hwm, 96);
    cr_assert_eq(bench.words.rcv_pos, 96);
}

Test(network_image, takes_a_padding_header_for_the_whole_of_it)
{
    open_at(65408);
    cr_assert_eq(insert_bytes(wire_vectors[V13].bytes, 32), RJ_NETWORK_IMAGE_INSERTED);
    track(0);
    cr_assert_eq(bench.words.rcv_pos, TERM);
}

/* wire.md 28, Loss: V8, then V10. */
Test(network_image, asks_for_a_gap_after_the_delay_and_at_every_retry)
{
    open_at(64);
    track(0);
    insert_bytes(wire_vectors[V8].bytes, 128);
    insert_bytes(wire_vectors[V10].bytes, 64);
    cr_assert_eq(track(0), 0);
    cr_assert_eq(bench.words.rcv_pos, 192);
    cr_assert_eq(bench.words.rcv_hwm, 384);
    cr_assert_eq(track(1 * us), 1);
    cr_assert_eq(bench.work.nak_count, 1);
    cr_assert_arr_eq(&bench.work.naks[0], wire_vectors[V14].bytes, 28);
    cr_assert_eq(bench.work.lost_bytes, 128);
    cr_assert_eq(track(100 * us - 1), 0);
    cr_assert_eq(track(1), 1);
    cr_assert_eq(bench.work.lost_bytes, 0);
    rj_network_image_on_naks_sent(&bench.image, 2);
    cr_assert_eq(bench.words.naks, 2);
    cr_assert_eq(insert_bytes(wire_vectors[V9].bytes, 128), RJ_NETWORK_IMAGE_INSERTED);
    cr_assert_eq(insert_bytes(wire_vectors[V9].bytes, 128), RJ_NETWORK_IMAGE_DUPLICATE);
    cr_assert_eq(track(s / 10), 0);
    cr_assert_eq(bench.words.rcv_pos, 384);
}

Test(network_image, fills_a_gap_at_once_where_the_stream_is_unreliable)
{
    rj_network_image_config_t config = default_config(64);
    config.is_reliable = false;
    open_with(&config);
    track(0);
    insert_bytes(wire_vectors[V8].bytes, 128);
    insert_bytes(wire_vectors[V10].bytes, 64);
    cr_assert_eq(track(0), 0);
    cr_assert_eq(bench.work.gaps_filled, 1);
    cr_assert_eq(bench.work.lost_bytes, 128);
    cr_assert_eq(bench.words.rcv_pos, 384);
    const rj_wire_data_t *frame = (const rj_wire_data_t *)(bench.log.terms[0] + 192);
    cr_assert_eq(frame->frame_length, 128);
    cr_assert_eq(frame->type, RJ_FRAME_TYPE_PAD);
    cr_assert_eq(frame->flags, 0xC0);
    cr_assert_eq(frame->term_offset, 192);
    cr_assert_eq(frame->session_id, STREAM_LOG_SESSION);
    cr_assert_eq(insert_bytes(wire_vectors[V9].bytes, 128), RJ_NETWORK_IMAGE_DUPLICATE);
    cr_assert_eq(frame->type, RJ_FRAME_TYPE_PAD, "too late");
}

Test(network_image, finds_lost_tails_by_heartbeats)
{
    open_at(0);
    track(0);
    insert(0, 992);
    heartbeat(2048, 0xC0);
    track(1 * us);
    cr_assert_eq(bench.work.nak_count, 1);
    cr_assert_eq(bench.work.naks[0].term_offset, 1024);
    cr_assert_eq(bench.work.naks[0].length, 1024);
}

Test(network_image, believes_a_heartbeat_that_stands_behind_padding_beyond_the_window)
{
    open_at(0);
    track(0);
    /* Data is accepted as far as the window; the sender's padding may end beyond it. */
    cr_expect_eq(heartbeat(WINDOW + TERM / 8, RJ_DATA_FLAG_BEGIN), RJ_NETWORK_IMAGE_HEARTBEAT);
    cr_expect_eq(bench.image.loss.hwm_pos, WINDOW + TERM / 8);
    cr_expect_eq(heartbeat(WINDOW + TERM / 2, RJ_DATA_FLAG_BEGIN), RJ_NETWORK_IMAGE_OVERRUN);
    cr_expect_eq(bench.image.loss.hwm_pos, WINDOW + TERM / 8);
}

Test(network_image, neither_asks_nor_cleans_without_readers)
{
    open_at(0);
    track(0);
    insert(1024, 992);
    cr_assert(rj_network_image_remove_subscriber(&bench.image, &bench.readers[0]));
    cr_assert_eq(track(s / 10), 0);
    cr_assert_eq(bench.image.working_count, 0);
    cr_assert_eq(bench.image.is_drained, 1);
    cr_assert_not(rj_network_image_add_subscriber(&bench.image, &bench.readers[1]), "it is over");
    cr_assert_eq(track(s / 10 + 1), 1, "but the sender hears of it");
}

Test(network_image, lets_late_readers_join_where_the_slowest_is_until_it_is_drained)
{
    open_at(0);
    track(0);
    for (int i = 0; i < 4; i++)
        insert(1024 * i, 992);
    read_to(1024);
    track(1);
    cr_assert(rj_network_image_add_subscriber(&bench.image, &bench.readers[1]));
    cr_assert_eq(bench.readers[1].join_position, 1024);
    cr_assert_eq(bench.reader_words[1], 1024);
    rj_network_image_remove_subscriber(&bench.image, &bench.readers[1]);
    rj_store_release_i32(&bench.image.sends_eos_sm, 1);
    cr_assert(rj_network_image_add_subscriber(&bench.image, &bench.readers[1]));
    rj_network_image_remove_subscriber(&bench.image, &bench.readers[1]);
    read_to(4096);
    track(1);
    cr_assert_not(rj_network_image_add_subscriber(&bench.image, &bench.readers[1]));
}

Test(network_image, does_not_clean_by_the_word_of_a_client)
{
    open_at(0);
    track(0);
    insert(0, 992);
    read_to(2048);
    cr_assert_eq(track(1), 0);
    cr_assert_eq(bench.image.bad_position_count, 1);
    read_to(16);
    cr_assert_eq(track(1), 0);
    cr_assert_eq(bench.image.bad_position_count, 2);
    cr_assert_eq(bench.image.last_sm_position, 0);
}

Test(network_image, ends_when_every_connection_says_so)
{
    open_at(0);
    int other = rj_network_image_add_connection(&bench.image, 2, NULL, bench.now_ns);
    track(0);
    insert(0, 992);
    heartbeat(1024, 0xE0);
    cr_assert_eq(bench.image.is_end_of_stream, 0);
    cr_assert_eq(rj_log_end_of_stream(&bench.log), INT64_MAX);
    bench.connection = other;
    heartbeat(992, 0xE0);
    cr_assert_eq(bench.image.is_end_of_stream, 1);
    cr_assert_eq(rj_log_end_of_stream(&bench.log), 1024, "the highest");
    cr_assert_eq(bench.image.is_revoked, 0);
    heartbeat(2048, 0xF0);
    cr_assert_eq(rj_log_end_of_stream(&bench.log), 1024);
    cr_assert_eq(bench.image.is_revoked, 0, "the first time only");
}

Test(network_image, stops_repairing_when_revoked)
{
    open_at(0);
    track(0);
    insert(1024, 992);
    heartbeat(2048, 0xF0);
    cr_assert_eq(bench.image.is_revoked, 1);
    cr_assert(rj_log_is_revoked(&bench.log));
    cr_assert_eq(track(s / 10), 0);
    rj_store_release_i32(&bench.image.sends_eos_sm, 1);
    rj_store_release_i32(&bench.image.sm_is_requested, 1);
    cr_assert_eq(track(1), 1);
    cr_assert_eq(bench.work.sm.flags, RJ_SM_FLAG_EOS);
    cr_assert_eq(track(1), 0, "asked for once");
}

Test(network_image, lets_a_newer_image_of_the_session_speak)
{
    open_at(0);
    track(0);
    bench.image.sm_is_enabled = false;
    cr_assert_eq(track(10 * s), 0);
}

Test(network_image, knows_its_connections_and_counts_those_that_deliver)
{
    open_at(0);
    track(0);
    cr_assert_eq(rj_log_active_transports(&bench.log), 0);
    int other = rj_network_image_add_connection(&bench.image, 2, NULL, bench.now_ns);
    cr_assert_eq(other, 1);
    cr_assert_eq(rj_network_image_add_connection(&bench.image, 2, NULL, bench.now_ns), 1);
    cr_assert_eq(rj_network_image_find_connection(&bench.image, 3), -1);
    cr_assert_not(
        rj_network_image_connection_is_alive(&bench.image.connections[other], bench.now_ns),
        "without a way back");
    insert(0, 992);
    rj_network_image_on_setup(&bench.image, other, bench.now_ns);
    track(200 * ms + 1);
    cr_assert_eq(rj_log_active_transports(&bench.log), 2);
    cr_assert_eq(rj_network_image_remove_connection(&bench.image, 1, bench.now_ns), 0);
    cr_assert_eq(bench.image.connections[0].destination_id, 2);
    cr_assert_eq(rj_log_active_transports(&bench.log), 1);
    cr_assert_eq(rj_network_image_remove_connection(&bench.image, 1, bench.now_ns), -1);
    for (int i = 0; i < RJ_NETWORK_IMAGE_CONNECTIONS_MAX; i++)
        rj_network_image_add_connection(&bench.image, 10 + i, NULL, bench.now_ns);
    cr_assert_eq(rj_network_image_add_connection(&bench.image, 99, NULL, bench.now_ns), -1);
}

Test(network_image, forgets_a_connection_after_five_seconds)
{
    open_at(0);
    const rj_network_image_connection_t *connection = &bench.image.connections[0];
    cr_assert(rj_network_image_connection_is_alive(connection, bench.now_ns + 5 * s - 1));
    cr_assert_not(rj_network_image_connection_is_alive(connection, bench.now_ns + 5 * s));
}

Test(network_image, measures_the_path_of_a_group_when_it_loses_something)
{
    rj_network_image_config_t config = default_config(0);
    config.is_group = true;
    config.loss = (rj_loss_config_t){.retry_ns = RJ_LOSS_GROUP_RETRY_NS,
                                     .back_off = {.max_ns = 10 * ms, .group_size = 10, .seed = 1}};
    open_with(&config);
    track(0);
    cr_assert_not(bench.work.rttm_is_due);
    insert(1024, 992);
    track(1);
    cr_assert(bench.work.rttm_is_due);
    cr_assert_eq(bench.work.rttm.flags, RJ_RTTM_FLAG_REPLY);
    cr_assert_eq(bench.work.rttm.receiver_id, VECTOR_RECEIVER_ID);
    rj_wire_rttm_t answer = {.echo_timestamp = bench.now_ns - 1};
    rj_network_image_on_rttm(&bench.image, &answer, bench.now_ns + 100 * us);
    cr_assert_eq(bench.image.loss.rtt_ns, 0, "nobody asked at that time");
    answer.echo_timestamp = bench.now_ns;
    rj_network_image_on_rttm(&bench.image, &answer, bench.now_ns + 100 * us);
    cr_assert_eq(bench.image.loss.rtt_ns, 100 * us);
    rj_network_image_on_rttm(&bench.image, &answer, bench.now_ns + 5 * ms);
    cr_assert_eq(bench.image.loss.rtt_ns, 100 * us, "one answer for each question");
    cr_assert_eq(track(100 * us), 1, "within a round trip of it");
    cr_assert_eq(bench.work.nak_count, 1);
}

Test(network_image, takes_no_harm_from_forged_round_trips)
{
    open_at(0);
    rj_wire_rttm_t rttm = {.echo_timestamp = INT64_MIN, .reception_delta = INT64_MIN};
    rj_network_image_on_rttm(&bench.image, &rttm, bench.now_ns);
    rttm.echo_timestamp = INT64_MAX;
    rj_network_image_on_rttm(&bench.image, &rttm, bench.now_ns);
}

Test(network_image, leaves_what_is_complete_alone_even_where_it_reads_zero)
{
    open_at(0);
    track(0);
    uint8_t datagram[256];
    stream_log_frame(&bench.log, datagram, 0, RJ_FRAME_TYPE_DATA, 224);
    memset(datagram + 32, 0, 224);
    cr_assert_eq(insert_bytes(datagram, 256), RJ_NETWORK_IMAGE_INSERTED);
    cr_assert_eq(insert(64, 0), RJ_NETWORK_IMAGE_DUPLICATE,
                 "a forged frame into a payload of zeroes");
    stream_log_expect_zero(&bench.log, 32, 256);
}
