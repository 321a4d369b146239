/* SPDX-License-Identifier: Apache-2.0 */
/* The sender half of an engine whose channel has many destinations. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint/fan_out.h"
#include "proto/frame.h"
#include "tests/fixtures/engine_bench.h"

enum {
    SESSION = STREAM_LOG_SESSION,
    WINDOW = BENCH_TERM / 2,
    PAYLOAD = STREAM_LOG_MTU - RJ_DATA_HEADER_BYTES,
    DESTINATIONS_MAX = RJ_SEND_DESTINATIONS_MAX,
};

static engine_bench_t bench;
static bench_publication_t publication;
static bench_publication_t other;
static rj_send_destination_t manual[8];

static rj_address_t at(int host)
{
    const uint8_t bytes[4] = {10, 1, (uint8_t)(host >> 8), (uint8_t)host};
    return rj_address_ipv4(bytes, 4000);
}

static void tell(rj_engine_command_type_t type, rj_send_destination_t *destination)
{
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = type,
                                                     .send_endpoint = &bench.send,
                                                     .destination = destination});
}

static void open_stream(bench_publication_t *stream, int32_t session_id)
{
    bench_publication_open(stream, &bench, session_id);
    stream->publication.fan_out = calloc(1, sizeof(rj_fan_out_t));
}

static void open_channel(rj_control_mode_t mode, bool is_aware)
{
    rj_err_t err;
    engine_bench_open(&bench);
    rj_send_endpoint_close(&bench.send);
    bench.send.channel.control_mode = mode;
    cr_assert_eq(rj_send_endpoint_open(&bench.send, &err), 0);
    bench.send.destinations->is_aware = is_aware;
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_ADD_SEND_ENDPOINT,
                                                     .send_endpoint = &bench.send});
    open_stream(&publication, SESSION);
    engine_bench_turn(&bench);
    memory_port_clear(&bench.port);
}

static void close_channel(void)
{
    engine_bench_close(&bench);
    rj_log_close(&publication.log);
    free(publication.publication.fan_out);
    if (other.publication.fan_out != NULL) {
        rj_log_close(&other.log);
        free(other.publication.fan_out);
    }
}

TestSuite(sender_fan_out, .fini = close_channel);

static void send_sm(const bench_publication_t *stream, int host, int64_t receiver_id,
                    int64_t position, uint8_t flags)
{
    const rj_address_t source = at(host);
    const rj_log_t *log = &publication.log;
    rj_frame_sm_t sm = {.term_id = log->initial_term_id,
                        .term_offset = (int32_t)position,
                        .receiver_window = WINDOW,
                        .receiver_id = receiver_id,
                        .flags = flags};
    if (stream != NULL) {
        sm.session_id = stream->publication.config.session_id;
        sm.stream_id = STREAM_LOG_STREAM;
    }
    rj_wire_sm_t frame;
    const uint32_t length = rj_frame_write_sm(&frame, &sm);
    memory_port_receive(&bench.port, &bench.send.base, &source, &frame, length);
}

/* A receiver there has an image of the stream. */
static void want(const bench_publication_t *stream, int host)
{
    send_sm(stream, host, 100 + host, 0, 0);
}

static void turns(int count)
{
    for (int i = 0; i < count; i++)
        engine_bench_turn(&bench);
}

static void advance(int64_t ns)
{
    bench.now_ns += ns;
    turns(2);
}

static int count_at(int host, int type)
{
    const rj_address_t address = at(host);
    int count = 0;
    for (int i = 0; i < bench.port.sent_count; i++) {
        const memory_datagram_t *datagram = &bench.port.sent[i];
        count += rj_address_equal(&datagram->address, &address) &&
                 rj_frame_check(datagram->bytes, datagram->length_bytes) == type;
    }
    return count;
}

/* Message bytes that a host was sent, and that none of them came out of order. */
static int64_t data_at(int host)
{
    const rj_address_t address = at(host);
    int64_t bytes = 0;
    for (int i = 0; i < bench.port.sent_count; i++) {
        const memory_datagram_t *datagram = &bench.port.sent[i];
        if (!rj_address_equal(&datagram->address, &address) ||
            rj_frame_check(datagram->bytes, datagram->length_bytes) != RJ_FRAME_TYPE_DATA ||
            datagram->length_bytes == RJ_DATA_HEADER_BYTES)
            continue;
        rj_wire_data_t header;
        memcpy(&header, datagram->bytes, sizeof(header));
        cr_assert_eq(header.term_offset, bytes, "at host %d", host);
        bytes += datagram->length_bytes;
    }
    return bytes;
}

static void connect_two(void)
{
    want(&publication, 1);
    want(&publication, 2);
    turns(3);
    memory_port_clear(&bench.port);
    bench.counters[RJ_SYSTEM_BYTES_SENT] = 0;
}

/* --- who is there --- */

Test(sender_fan_out, announces_nothing_while_nobody_is_there)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    for (int i = 0; i < 5; i++)
        advance(101 * bench_ms);
    cr_assert_eq(bench.port.sent_count, 0);
}

Test(sender_fan_out, greets_whoever_sends_a_status_message_of_no_stream)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    send_sm(NULL, 1, 101, 0, RJ_SM_FLAG_SEND_SETUP);
    turns(2);
    cr_assert_eq(bench.send.destinations->count, 1);
    cr_assert_eq(count_at(1, RJ_FRAME_TYPE_SETUP), 1, "at once, whenever the last one was");
    cr_assert_eq(bench.port.sent_count, 1);
    advance(101 * bench_ms);
    cr_assert_eq(count_at(1, RJ_FRAME_TYPE_SETUP), 2);
}

Test(sender_fan_out, drops_a_destination_that_is_silent_for_more_than_five_seconds)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    int64_t counted = -1;
    bench.send.destinations->count_counter = &counted;
    connect_two();
    cr_assert_eq(counted, 2);
    for (int i = 0; i < 50; i++) {
        want(&publication, 2);
        advance(100 * bench_ms);
    }
    cr_assert_eq(counted, 2);
    advance(1);
    advance(100 * bench_ms);
    cr_assert_eq(counted, 1);
    const rj_engine_event_t *event = engine_bench_event(&bench, RJ_ENGINE_SEND_DESTINATION_LEFT);
    cr_assert_eq(event->send_endpoint, &bench.send);
    cr_assert(event->destination->is_lent);
    tell(RJ_ENGINE_FREE_SEND_DESTINATION, event->destination);
    turns(1);
    cr_assert_not(bench.send.destinations->pool[0].is_lent);
}

Test(sender_fan_out, tells_of_a_destination_that_joins_where_somebody_gives_it_a_header)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    bench.send.destinations->tells = true;
    send_sm(NULL, 1, 101, 0, RJ_SM_FLAG_SEND_SETUP);
    turns(1);
    const rj_address_t address = at(1);
    const rj_engine_event_t *event = engine_bench_event(&bench, RJ_ENGINE_SEND_DESTINATION_JOINED);
    cr_assert(rj_address_equal(&event->destination->path.address, &address));
}

Test(sender_fan_out, takes_no_status_message_for_true_whose_fields_cannot_be)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    rj_frame_sm_t sm = {.receiver_window = -1, .receiver_id = 5};
    rj_wire_sm_t frame;
    const rj_address_t source = at(1);
    const uint32_t length = rj_frame_write_sm(&frame, &sm);
    memory_port_receive(&bench.port, &bench.send.base, &source, &frame, length);
    turns(2);
    cr_assert_eq(bench.send.destinations->count, 0);
    cr_assert_eq(bench.counters[RJ_SYSTEM_INVALID_PACKETS], 1);
}

/* --- data --- */

Test(sender_fan_out, sends_each_datagram_to_everybody_who_wants_the_stream)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    connect_two();
    send_sm(NULL, 3, 103, 0, RJ_SM_FLAG_SEND_SETUP);
    bench_publication_append(&publication, 5, PAYLOAD);
    turns(3);
    cr_assert_eq(data_at(1), 5 * STREAM_LOG_MTU);
    cr_assert_eq(data_at(2), 5 * STREAM_LOG_MTU);
    cr_assert_eq(data_at(3), 0, "nobody there has asked for it");
    cr_assert_eq(publication.publication.snd_pos, publication.end_pos);
    cr_assert_eq(bench.counters[RJ_SYSTEM_BYTES_SENT], 10 * STREAM_LOG_MTU);
}

Test(sender_fan_out, sends_the_heartbeat_of_a_stream_to_those_who_want_it)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    connect_two();
    send_sm(NULL, 3, 103, 0, RJ_SM_FLAG_SEND_SETUP);
    turns(2);
    memory_port_clear(&bench.port);
    advance(101 * bench_ms);
    cr_assert_eq(count_at(1, RJ_FRAME_TYPE_DATA), 1);
    cr_assert_eq(count_at(2, RJ_FRAME_TYPE_DATA), 1);
    cr_assert_eq(count_at(3, RJ_FRAME_TYPE_DATA), 0);
    cr_assert_eq(count_at(1, RJ_FRAME_TYPE_SETUP), 0);
    cr_assert_eq(count_at(3, RJ_FRAME_TYPE_SETUP), 1, "which tells it of the stream");
    cr_assert_eq(bench.counters[RJ_SYSTEM_HEARTBEATS_SENT], 2, "one a stream, not a destination");
}

Test(sender_fan_out, sends_each_stream_to_its_own)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    open_stream(&other, SESSION + 1);
    turns(1);
    want(&publication, 1);
    want(&other, 2);
    turns(3);
    memory_port_clear(&bench.port);
    bench_publication_append(&publication, 3, PAYLOAD);
    bench_publication_append(&other, 2, PAYLOAD);
    turns(3);
    cr_assert_eq(data_at(1), 3 * STREAM_LOG_MTU);
    cr_assert_eq(data_at(2), 2 * STREAM_LOG_MTU);
    cr_assert_eq(bench.port.sent_count, 5);
}

Test(sender_fan_out, sends_all_to_all_where_the_set_is_not_aware)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, false);
    open_stream(&other, SESSION + 1);
    turns(1);
    want(&publication, 1);
    send_sm(NULL, 2, 102, 0, RJ_SM_FLAG_SEND_SETUP);
    turns(3);
    memory_port_clear(&bench.port);
    bench_publication_append(&publication, 3, PAYLOAD);
    turns(3);
    cr_assert_eq(data_at(1), 3 * STREAM_LOG_MTU);
    cr_assert_eq(data_at(2), 3 * STREAM_LOG_MTU);
}

Test(sender_fan_out, stops_a_stream_when_its_receiver_says_goodbye)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    connect_two();
    send_sm(&publication, 1, 101, 0, RJ_SM_FLAG_EOS);
    turns(2);
    bench_publication_append(&publication, 2, PAYLOAD);
    turns(3);
    cr_assert_eq(data_at(1), 0);
    cr_assert_eq(data_at(2), 2 * STREAM_LOG_MTU);
    cr_assert_eq(bench.send.destinations->count, 2, "it stays until it is silent");
}

Test(sender_fan_out, stops_a_stream_that_nobody_has_wanted_for_five_seconds)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    connect_two();
    for (int i = 0; i < 51; i++) {
        want(&publication, 2);
        send_sm(NULL, 1, 101, 0, RJ_SM_FLAG_SEND_SETUP);
        advance(100 * bench_ms);
    }
    memory_port_clear(&bench.port);
    bench_publication_append(&publication, 2, PAYLOAD);
    turns(3);
    cr_assert_eq(data_at(1), 0);
    cr_assert_eq(data_at(2), 2 * STREAM_LOG_MTU);
    cr_assert_eq(bench.send.destinations->count, 2);
}

Test(sender_fan_out, gives_a_newcomer_what_went_out_since_the_setup_that_it_answers)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    want(&publication, 1);
    turns(3);
    bench_publication_append(&publication, 8, PAYLOAD);
    turns(3);
    memory_port_clear(&bench.port);
    want(&publication, 2);
    turns(2);
    bench_publication_append(&publication, 2, PAYLOAD);
    turns(3);
    cr_assert_eq(data_at(2), 10 * STREAM_LOG_MTU, "nothing has to be asked for");
}

Test(sender_fan_out, believes_no_position_at_which_no_frame_begins)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    want(&publication, 1);
    turns(3);
    bench_publication_append(&publication, 8, PAYLOAD);
    turns(3);
    send_sm(&publication, 2, 102, 64, 0);
    turns(3);
    memory_port_clear(&bench.port);
    advance(101 * bench_ms);
    cr_assert_eq(count_at(2, RJ_FRAME_TYPE_DATA), 1, "a heartbeat, where the stream stands");
    cr_assert_eq(bench.port.sent_count, 2);
}

Test(sender_fan_out, sends_to_a_receiver_that_is_further_behind_than_it_is_believed)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    want(&publication, 1);
    turns(3);
    const int messages = BENCH_TERM * 3 / 4 / STREAM_LOG_MTU;
    bench_publication_append(&publication, messages, PAYLOAD);
    for (int i = 0; i < 4; i++) {
        send_sm(&publication, 1, 101, publication.publication.snd_pos, 0);
        turns(2);
    }
    cr_assert_eq(publication.publication.snd_pos, publication.end_pos);
    memory_port_clear(&bench.port);
    send_sm(&publication, 2, 102, 0, 0); /* it replays the stream and will merge */
    turns(2);
    cr_assert_eq(bench.counters[RJ_SYSTEM_SMS_REJECTED], 1);
    bench_publication_append(&publication, 1, PAYLOAD);
    turns(3);
    cr_assert_eq(count_at(2, RJ_FRAME_TYPE_DATA), 1, "from where the stream is");
}

/* --- queues that are full, addresses that fail --- */

Test(sender_fan_out, goes_on_to_others_where_one_queue_is_full_and_gives_it_the_rest_later)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    connect_two();
    bench.port.full_address = at(1);
    bench_publication_append(&publication, 4, PAYLOAD);
    turns(3);
    cr_assert_eq(data_at(1), 0);
    cr_assert_eq(data_at(2), 4 * STREAM_LOG_MTU);
    cr_assert_eq(publication.publication.snd_pos, publication.end_pos);
    cr_assert_gt(bench.counters[RJ_SYSTEM_SHORT_SENDS], 0);
    bench.port.full_address.family = AF_UNSPEC;
    bench_publication_append(&publication, 1, PAYLOAD);
    turns(3);
    cr_assert_eq(data_at(1), 5 * STREAM_LOG_MTU);
    cr_assert_eq(data_at(2), 5 * STREAM_LOG_MTU);
}

Test(sender_fan_out, waits_where_no_queue_has_room)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    connect_two();
    bench.port.room = 0;
    bench_publication_append(&publication, 4, PAYLOAD);
    turns(3);
    cr_assert_eq(publication.publication.snd_pos, 0);
    bench.port.room = 3;
    turns(1);
    bench.port.room = -1;
    turns(4);
    cr_assert_eq(data_at(1), 4 * STREAM_LOG_MTU);
    cr_assert_eq(data_at(2), 4 * STREAM_LOG_MTU);
    cr_assert_eq(publication.publication.snd_pos, publication.end_pos);
}

Test(sender_fan_out, leaves_to_its_naks_what_is_more_than_half_a_term_back)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    connect_two();
    bench.port.full_address = at(1);
    const int messages = BENCH_TERM / STREAM_LOG_MTU - 2;
    bench_publication_append(&publication, messages, PAYLOAD);
    for (int i = 0; i < 4; i++) {
        send_sm(&publication, 2, 102, publication.publication.snd_pos, 0);
        turns(2);
    }
    cr_assert_eq(publication.publication.snd_pos, publication.end_pos);
    bench.port.full_address.family = AF_UNSPEC;
    memory_port_clear(&bench.port);
    turns(4);
    cr_assert_eq(data_at(1), 0);
    cr_assert_eq(data_at(2), 0);
}

Test(sender_fan_out, goes_on_to_others_where_one_address_fails_and_says_so)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    connect_two();
    bench.port.failed_address = at(1);
    bench.port.failed_error = -EHOSTUNREACH;
    bench_publication_append(&publication, 4, PAYLOAD);
    turns(3);
    cr_assert_eq(data_at(2), 4 * STREAM_LOG_MTU);
    cr_assert_eq(publication.publication.snd_pos, publication.end_pos);
    const rj_engine_event_t *event = engine_bench_event(&bench, RJ_ENGINE_IO_ERROR);
    cr_assert_eq(event->value, -EHOSTUNREACH);
    cr_assert(rj_address_equal(&event->address, &bench.port.failed_address));
    cr_assert_not(engine_bench_has_event(&bench), "once a second");
    bench.port.failed_address.family = AF_UNSPEC;
    memory_port_clear(&bench.port);
    turns(3);
    cr_assert_eq(data_at(1), 0, "its receiver asks for it");
}

Test(sender_fan_out, stays_where_it_is_while_every_address_fails)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    connect_two();
    bench.port.error = -ENETUNREACH;
    bench_publication_append(&publication, 4, PAYLOAD);
    turns(3);
    cr_assert_eq(publication.publication.snd_pos, 0);
    bench.port.error = 0;
    turns(3);
    cr_assert_eq(data_at(1), 4 * STREAM_LOG_MTU);
}

/* --- resends and answers --- */

static void send_nak(int host, int64_t position, int32_t length)
{
    const rj_address_t source = at(host);
    const rj_frame_nak_t nak = {.session_id = SESSION,
                                .stream_id = STREAM_LOG_STREAM,
                                .term_id = STREAM_LOG_INITIAL_TERM,
                                .term_offset = (int32_t)position,
                                .length = length};
    rj_wire_nak_t frame;
    const uint32_t bytes = rj_frame_write_nak(&frame, &nak);
    memory_port_receive(&bench.port, &bench.send.base, &source, &frame, bytes);
}

Test(sender_fan_out, sends_again_to_those_who_asked)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    connect_two();
    bench_publication_append(&publication, 4, PAYLOAD);
    turns(3);
    memory_port_clear(&bench.port);
    send_nak(2, 0, 2 * STREAM_LOG_MTU);
    turns(2);
    cr_assert_eq(data_at(1), 0);
    cr_assert_eq(data_at(2), 2 * STREAM_LOG_MTU);
    cr_assert_eq(bench.counters[RJ_SYSTEM_RETRANSMITS_SENT], 1);
    send_nak(9, 3 * STREAM_LOG_MTU, STREAM_LOG_MTU);
    turns(2);
    cr_assert_eq(bench.port.sent_count, 2, "a stranger gets nothing");
    cr_assert_eq(bench.counters[RJ_SYSTEM_NAKS_RECEIVED], 2);
}

Test(sender_fan_out, answers_a_question_for_the_round_trip_to_the_asker)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    connect_two();
    const rj_address_t source = at(2);
    const rj_frame_rttm_t rttm = {.session_id = SESSION,
                                  .stream_id = STREAM_LOG_STREAM,
                                  .echo_timestamp = 77,
                                  .receiver_id = 102,
                                  .wants_reply = true};
    rj_wire_rttm_t frame;
    rj_frame_write_rttm(&frame, &rttm);
    memory_port_receive(&bench.port, &bench.send.base, &source, &frame, RJ_RTTM_BYTES);
    turns(2);
    cr_assert_eq(count_at(2, RJ_FRAME_TYPE_RTTM), 1);
    cr_assert_eq(bench.port.sent_count, 1);
}

Test(sender_fan_out, names_the_destination_from_which_a_stream_was_rejected)
{
    open_channel(RJ_CONTROL_MODE_MANUAL, true);
    const rj_address_t address = at(1);
    rj_send_destination_init(&manual[0], &bench.send.base, &address, 501, bench.now_ns);
    tell(RJ_ENGINE_ADD_SEND_DESTINATION, &manual[0]);
    turns(1);
    want(&publication, 1);
    turns(2);
    static const char text[] = "no";
    const rj_wire_err_t err = {.frame_length = RJ_ERR_HEADER_BYTES + 2,
                               .type = RJ_FRAME_TYPE_ERR,
                               .session_id = SESSION,
                               .stream_id = STREAM_LOG_STREAM,
                               .receiver_id = 101,
                               .error_code = 13,
                               .error_length = 2};
    uint8_t frame[RJ_ERR_HEADER_BYTES + 2];
    memcpy(frame, &err, RJ_ERR_HEADER_BYTES);
    memcpy(frame + RJ_ERR_HEADER_BYTES, text, 2);
    memory_port_receive(&bench.port, &bench.send.base, &address, frame, sizeof(frame));
    turns(1);
    const rj_engine_event_t *event = engine_bench_event(&bench, RJ_ENGINE_PUBLICATION_ERROR);
    cr_assert_eq(event->error.destination_registration_id, 501);
}

/* --- by command --- */

static void add_manual(int index, const rj_address_t *address)
{
    rj_send_destination_init(&manual[index], &bench.send.base, address, 500 + index, bench.now_ns);
    tell(RJ_ENGINE_ADD_SEND_DESTINATION, &manual[index]);
}

Test(sender_fan_out, tells_a_manual_destination_of_the_stream_and_sends_what_it_wants)
{
    open_channel(RJ_CONTROL_MODE_MANUAL, true);
    const rj_address_t first = at(1);
    const rj_address_t second = at(2);
    add_manual(0, &first);
    add_manual(1, &second);
    turns(2);
    cr_assert_eq(count_at(1, RJ_FRAME_TYPE_SETUP), 1);
    cr_assert_eq(count_at(2, RJ_FRAME_TYPE_SETUP), 1);
    want(&publication, 1);
    turns(2);
    bench_publication_append(&publication, 2, PAYLOAD);
    turns(2);
    cr_assert_eq(data_at(1), 2 * STREAM_LOG_MTU);
    cr_assert_eq(data_at(2), 0);
    tell(RJ_ENGINE_REMOVE_SEND_DESTINATION, &manual[0]);
    turns(1);
    cr_assert_eq(engine_bench_event(&bench, RJ_ENGINE_SEND_DESTINATION_RELEASED)->destination,
                 &manual[0]);
    memory_port_clear(&bench.port);
    bench_publication_append(&publication, 2, PAYLOAD);
    advance(101 * bench_ms);
    cr_assert_eq(count_at(1, RJ_FRAME_TYPE_DATA) + count_at(1, RJ_FRAME_TYPE_SETUP), 0);
}

Test(sender_fan_out, knows_no_status_message_of_a_manual_channel_as_a_new_destination)
{
    open_channel(RJ_CONTROL_MODE_MANUAL, true);
    want(&publication, 1);
    turns(2);
    cr_assert_eq(bench.send.destinations->count, 0);
}

Test(sender_fan_out, sends_to_silent_destinations_while_somebody_answers_from_elsewhere)
{
    open_channel(RJ_CONTROL_MODE_MANUAL, true);
    const rj_address_t first = at(1);
    const rj_address_t second = at(2);
    add_manual(0, &first);
    add_manual(1, &second);
    turns(2);
    want(&publication, 2);
    turns(2);
    memory_port_clear(&bench.port);
    want(&publication, 9); /* the receiver behind the first has several addresses */
    turns(2);
    bench_publication_append(&publication, 2, PAYLOAD);
    turns(3);
    cr_assert_eq(data_at(1), 2 * STREAM_LOG_MTU);
    cr_assert_eq(data_at(2), 2 * STREAM_LOG_MTU);
}

Test(sender_fan_out, sends_twice_to_an_address_that_was_added_twice)
{
    open_channel(RJ_CONTROL_MODE_MANUAL, true);
    const rj_address_t first = at(1);
    add_manual(0, &first);
    add_manual(1, &first);
    turns(2);
    want(&publication, 1);
    turns(3);
    memory_port_clear(&bench.port);
    bench_publication_append(&publication, 1, PAYLOAD);
    turns(3);
    cr_assert_eq(count_at(1, RJ_FRAME_TYPE_DATA), 2);
}

Test(sender_fan_out, sends_to_a_group_without_being_asked)
{
    open_channel(RJ_CONTROL_MODE_MANUAL, true);
    const uint8_t bytes[4] = {224, 1, 1, 1};
    const rj_address_t group = rj_address_ipv4(bytes, 4000);
    const rj_address_t second = at(2);
    add_manual(0, &group);
    add_manual(1, &second);
    turns(1);
    want(&publication, 2);
    turns(3);
    memory_port_clear(&bench.port);
    bench_publication_append(&publication, 2, PAYLOAD);
    turns(3);
    cr_assert_eq(bench.port.sent_count, 4);
    cr_assert_eq(data_at(2), 2 * STREAM_LOG_MTU);
}

Test(sender_fan_out, skips_a_destination_whose_name_has_no_address_yet)
{
    open_channel(RJ_CONTROL_MODE_MANUAL, false);
    const rj_address_t none = {.family = AF_UNSPEC};
    const rj_address_t first = at(1);
    const rj_address_t second = at(2);
    add_manual(0, &none);
    add_manual(1, &second);
    turns(1);
    want(&publication, 2);
    turns(2);
    bench_publication_append(&publication, 2, PAYLOAD);
    turns(3);
    cr_assert_eq(data_at(2), 2 * STREAM_LOG_MTU);
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_MOVE_SEND_DESTINATION,
                                                     .send_endpoint = &bench.send,
                                                     .destination = &manual[0],
                                                     .address = first});
    turns(1);
    memory_port_clear(&bench.port);
    bench_publication_append(&publication, 2, PAYLOAD);
    turns(3);
    cr_assert_eq(count_at(1, RJ_FRAME_TYPE_DATA), 2, "from where the stream is");
}

/* --- many --- */

Test(sender_fan_out, sends_to_as_many_as_there_may_be_in_several_batches)
{
    open_channel(RJ_CONTROL_MODE_DYNAMIC, true);
    for (int host = 0; host < DESTINATIONS_MAX; host++) {
        want(&publication, host);
        if (host % BENCH_BATCH == BENCH_BATCH - 1)
            turns(1);
    }
    turns(2);
    memory_port_clear(&bench.port);
    bench_publication_append(&publication, 3, PAYLOAD);
    turns(4);
    for (int host = 0; host < DESTINATIONS_MAX; host++)
        cr_assert_eq(data_at(host), 3 * STREAM_LOG_MTU);
    cr_assert_eq(publication.publication.snd_pos, publication.end_pos);
    want(&publication, DESTINATIONS_MAX);
    turns(2);
    cr_assert_eq(rj_engine_stats(bench.engine)->destinations_dropped, 1);
    cr_assert_eq(engine_bench_event(&bench, RJ_ENGINE_IO_ERROR)->value, -ENOSPC);
}
