/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/network_publication.h"

#include <criterion/criterion.h>
#include <string.h>

#include "shm/term_frame.h"
#include "tests/fixtures/publication_bench.h"
#include "tests/fixtures/stream_log.h"
#include "tests/fixtures/wire_vectors.h"

enum {
    TERM = PUBLICATION_BENCH_TERM,
    MTU = STREAM_LOG_MTU,
    PAYLOAD = MTU - 32,
    RUNS = PUBLICATION_BENCH_RUNS
};

static const int64_t ms = 1000 * 1000;
static const int64_t s = 1000 * 1000 * 1000;
static const int64_t receiver_id = 0x0102030405060708;

static publication_bench_t bench;

static void open_at(int64_t start_position)
{
    rj_network_publication_config_t config = publication_bench_config(start_position);
    publication_bench_open(&bench, &config);
}

static void teardown(void)
{
    rj_log_close(&bench.log);
}

TestSuite(network_publication, .fini = teardown);

static bool on_sm_of(int64_t receiver, int64_t position, int32_t window, uint8_t flags)
{
    rj_wire_sm_t sm = {
        .frame_length = RJ_SM_BYTES,
        .flags = flags,
        .type = RJ_FRAME_TYPE_SM,
        .session_id = STREAM_LOG_SESSION,
        .stream_id = STREAM_LOG_STREAM,
        .consumption_term_id =
            rj_position_term_id(position, bench.log.position_shift, bench.log.initial_term_id),
        .consumption_term_offset = rj_position_term_offset(position, bench.log.term_mask),
        .receiver_window = window,
        .receiver_id = receiver,
    };
    return rj_network_publication_on_sm(&bench.publication, &sm, bench.now_ns);
}

static bool on_sm(int64_t position, int32_t window, uint8_t flags)
{
    return on_sm_of(receiver_id, position, window, flags);
}

static void on_nak(int64_t position, int32_t length)
{
    rj_wire_nak_t nak = {
        .frame_length = RJ_NAK_BYTES,
        .type = RJ_FRAME_TYPE_NAK,
        .session_id = STREAM_LOG_SESSION,
        .stream_id = STREAM_LOG_STREAM,
        .term_id =
            rj_position_term_id(position, bench.log.position_shift, bench.log.initial_term_id),
        .term_offset = rj_position_term_offset(position, bench.log.term_mask),
        .length = length,
    };
    rj_network_publication_on_nak(&bench.publication, &nak, 0, bench.now_ns);
}

static int collect(void)
{
    return rj_network_publication_collect(&bench.publication, bench.runs, RUNS);
}

static int64_t commit(int count)
{
    return rj_network_publication_commit(&bench.publication, bench.runs, count, bench.now_ns);
}

static void take_all(int count)
{
    for (int i = 0; i < count; i++)
        bench.runs[i].result = (int32_t)bench.runs[i].total_bytes;
}

static int64_t send_all(void)
{
    int count = collect();
    take_all(count);
    return commit(count);
}

static int collect_resends(void)
{
    return rj_network_publication_collect_resends(&bench.publication, bench.runs, RUNS,
                                                  bench.now_ns);
}

static int64_t resend(void)
{
    int count = collect_resends();
    take_all(count);
    return rj_network_publication_commit_resends(&bench.publication, bench.runs, count,
                                                 bench.now_ns);
}

static int64_t append(int64_t position, int32_t payload)
{
    return stream_log_append(&bench.log, position, RJ_FRAME_TYPE_DATA, payload);
}

Test(network_publication, sends_nothing_before_the_first_status_message)
{
    open_at(0);
    append(0, 100);
    cr_assert_eq(collect(), 0);
    cr_assert_eq(bench.publication.stats.flow_control_limits, 0, "not tracked before a send");
    cr_assert(on_sm(0, TERM / 2, 0));
    cr_assert_eq(bench.words.snd_lmt, TERM / 2);
    cr_assert_eq(send_all(), 160);
    cr_assert_eq(bench.words.snd_pos, 160);
}

Test(network_publication, merges_datagrams_of_equal_size_into_one_run)
{
    open_at(0);
    int64_t position = 0;
    for (int i = 0; i < 5; i++)
        position = append(position, PAYLOAD);
    append(position, 100);
    on_sm(0, TERM / 2, 0);
    cr_assert_eq(collect(), 1);
    cr_assert_eq(bench.runs[0].segment_bytes, MTU);
    cr_assert_eq(bench.runs[0].total_bytes, 5 * MTU + 160, "the last may be shorter");
    cr_assert_eq(bench.runs[0].start, bench.log.terms[0]);
}

Test(network_publication, starts_a_run_when_a_datagram_is_longer_than_those_before)
{
    open_at(0);
    int64_t position = append(0, 1000);
    position = append(position, PAYLOAD);
    append(position, PAYLOAD);
    on_sm(0, TERM / 2, 0);
    cr_assert_eq(collect(), 2);
    cr_assert_eq(bench.runs[0].total_bytes, 1056);
    cr_assert_eq(bench.runs[1].total_bytes, 2 * MTU);
}

Test(network_publication, packs_small_frames_into_datagrams)
{
    open_at(0);
    int64_t position = 0;
    for (int i = 0; i < 50; i++)
        position = append(position, 32);
    on_sm(0, TERM / 2, 0);
    cr_assert_eq(collect(), 1);
    cr_assert_eq(bench.runs[0].segment_bytes, 22 * 64);
    cr_assert_eq(bench.runs[0].total_bytes, 50 * 64);
    cr_assert_eq(send_all(), 50 * 64);
}

Test(network_publication, sends_at_most_so_many_datagrams_a_turn)
{
    rj_network_publication_config_t config = publication_bench_config(0);
    config.datagrams_max = 4;
    publication_bench_open(&bench, &config);
    int64_t position = 0;
    for (int i = 0; i < 6; i++)
        position = append(position, PAYLOAD);
    on_sm(0, TERM / 2, 0);
    cr_assert_eq(send_all(), 4 * MTU);
    cr_assert_eq(send_all(), 2 * MTU);
    cr_assert_eq(send_all(), 0);
}

Test(network_publication, fills_the_window_exactly_and_counts_back_pressure_once)
{
    open_at(0);
    int64_t position = 0;
    for (int i = 0; i < 4; i++)
        position = append(position, PAYLOAD);
    on_sm(0, 2 * MTU, 0);
    cr_assert_eq(send_all(), 2 * MTU);
    cr_assert_eq(bench.words.snd_pos, bench.words.snd_lmt);
    cr_assert_eq(send_all(), 0);
    cr_assert_eq(send_all(), 0);
    cr_assert_eq(bench.publication.stats.flow_control_limits, 1);
    cr_assert_eq(bench.words.snd_bpe, 1);
    on_sm(0, 3 * MTU - 32, 0);
    cr_assert_eq(send_all(), 0, "a frame that does not fit the window waits");
    on_sm(0, 3 * MTU, 0);
    cr_assert_eq(send_all(), MTU);
}

Test(network_publication, sends_of_padding_the_header_alone_and_goes_on_in_the_next_term)
{
    open_at(TERM - 256);
    int64_t position = append(TERM - 256, 96);
    position = stream_log_append(&bench.log, position, RJ_FRAME_TYPE_PAD, 96);
    cr_assert_eq(position, TERM);
    append(position, 64);
    on_sm(TERM - 256, TERM / 2, 0);
    cr_assert_eq(collect(), 1);
    cr_assert_eq(bench.runs[0].total_bytes, 128 + 32);
    take_all(1);
    cr_assert_eq(commit(1), 160);
    cr_assert_eq(bench.words.snd_pos, TERM);
    cr_assert_eq(send_all(), 96, "from the next partition");
    cr_assert_eq(bench.words.snd_pos, TERM + 96);
}

Test(network_publication, commits_the_whole_datagrams_that_were_taken)
{
    open_at(0);
    int64_t position = 0;
    for (int i = 0; i < 5; i++)
        position = append(position, PAYLOAD);
    on_sm(0, TERM / 2, 0);
    cr_assert_eq(collect(), 1);
    bench.runs[0].result = 2 * MTU;
    cr_assert_eq(commit(1), 2 * MTU);
    cr_assert_eq(bench.words.snd_pos, 2 * MTU);
    cr_assert_eq(bench.publication.stats.short_sends, 1);
    cr_assert_eq(collect(), 1);
    cr_assert_eq(bench.runs[0].total_bytes, 3 * MTU);
    bench.runs[0].result = 0;
    cr_assert_eq(commit(1), 0);
    cr_assert_eq(bench.publication.stats.short_sends, 2);
    cr_assert_eq(collect(), 1);
    cr_assert_eq(commit(0), 0, "the port did not come to it");
    cr_assert_eq(bench.publication.stats.short_sends, 3);
}

Test(network_publication, commits_padding_only_with_the_datagram_that_ends_in_it)
{
    open_at(TERM - 2 * MTU - 64);
    int64_t position = append(TERM - 2 * MTU - 64, PAYLOAD);
    position = append(position, PAYLOAD);
    stream_log_append(&bench.log, position, RJ_FRAME_TYPE_PAD, 32);
    on_sm(TERM - 2 * MTU - 64, TERM / 2, 0);
    cr_assert_eq(collect(), 1);
    cr_assert_eq(bench.runs[0].total_bytes, 2 * MTU + 32);
    bench.runs[0].result = 2 * MTU;
    commit(1);
    cr_assert_eq(bench.words.snd_pos, TERM - 64);
    cr_assert_eq(send_all(), 32);
    cr_assert_eq(bench.words.snd_pos, TERM);
}

Test(network_publication, stops_at_an_error_of_the_port_and_counts_no_short_send)
{
    open_at(0);
    int64_t position = append(0, 1000);
    append(position, PAYLOAD);
    on_sm(0, TERM / 2, 0);
    cr_assert_eq(collect(), 2);
    bench.runs[0].result = (int32_t)bench.runs[0].total_bytes;
    bench.runs[1].result = -5;
    cr_assert_eq(commit(2), 1056);
    cr_assert_eq(bench.words.snd_pos, 1056);
    cr_assert_eq(bench.publication.stats.short_sends, 0);
}

Test(network_publication, refuses_a_log_whose_frame_lengths_cannot_be)
{
    static const int32_t lengths[] = {INT32_MAX, TERM + 1, 31, MTU + 1};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        open_at(0);
        append(0, 64);
        rj_frame_publish(bench.log.terms[0], 0, lengths[i]);
        on_sm(0, TERM / 2, 0);
        cr_assert_eq(collect(), 0);
        cr_assert_eq(bench.publication.is_broken, 1, "length %d", lengths[i]);
        cr_assert_eq(bench.publication.stats.log_corruptions, 1);
        rj_log_close(&bench.log);
    }
    open_at(0);
}

Test(network_publication, repeats_its_setup_until_a_receiver_answers)
{
    rj_wire_setup_t frame;
    open_at(0);
    cr_assert(rj_network_publication_setup(&bench.publication, &frame, bench.now_ns));
    cr_assert_arr_eq(&frame, wire_vectors[V1].bytes, RJ_SETUP_BYTES);
    cr_assert_not(
        rj_network_publication_setup(&bench.publication, &frame, bench.now_ns + 100 * ms));
    bench.now_ns += 100 * ms + 1;
    cr_assert_eq(rj_network_publication_deadline_ns(&bench.publication), bench.now_ns);
    cr_assert(rj_network_publication_setup(&bench.publication, &frame, bench.now_ns));
    on_sm(0, TERM / 2, 0);
    cr_assert_not(rj_network_publication_setup(&bench.publication, &frame, bench.now_ns + s));
}

Test(network_publication, holds_its_first_setup_for_a_while_or_until_it_is_let_go)
{
    rj_wire_setup_t frame;
    open_at(0);
    rj_network_publication_t *publication = &bench.publication;
    rj_network_publication_let_setup_go(publication);
    rj_network_publication_hold_setup(publication);
    cr_assert_not(rj_network_publication_setup(publication, &frame, bench.now_ns));
    cr_assert_gt(rj_network_publication_deadline_ns(publication), bench.now_ns);
    rj_network_publication_let_setup_go(publication);
    cr_assert(rj_network_publication_setup(publication, &frame, bench.now_ns));

    open_at(0);
    bench.now_ns += RJ_NETWORK_PUBLICATION_SETUP_NS;
    rj_network_publication_hold_setup(publication);
    cr_assert(rj_network_publication_setup(publication, &frame, bench.now_ns), "long enough");
    rj_network_publication_let_setup_go(publication);
    cr_assert_not(rj_network_publication_setup(publication, &frame, bench.now_ns + 1),
                  "it has left, and is repeated when that is due");
}

Test(network_publication, sends_a_setup_on_demand_until_somebody_listens)
{
    rj_wire_setup_t frame;
    open_at(0);
    on_sm(0, TERM / 2, 0);
    bench.now_ns += s;
    on_sm(0, 0, RJ_SM_FLAG_SEND_SETUP);
    cr_assert(rj_network_publication_setup(&bench.publication, &frame, bench.now_ns));
    cr_assert_not(rj_network_publication_setup(&bench.publication, &frame, bench.now_ns + s));

    on_sm(0, 0, RJ_SM_FLAG_EOS);
    bench.now_ns += s;
    on_sm(0, 0, RJ_SM_FLAG_SEND_SETUP);
    cr_assert(rj_network_publication_setup(&bench.publication, &frame, bench.now_ns));
    cr_assert(rj_network_publication_setup(&bench.publication, &frame, bench.now_ns + s),
              "nobody is there: again");
    rj_store_release_i32(&bench.publication.is_end_of_stream, 1);
    bench.publication.is_setup_elicited = false;
    on_sm(0, 0, RJ_SM_FLAG_SEND_SETUP);
    cr_assert_not(rj_network_publication_setup(&bench.publication, &frame, bench.now_ns + 3 * s));
}

Test(network_publication, describes_its_position_in_setups_and_heartbeats_after_the_ids_wrapped)
{
    rj_wire_setup_t setup;
    rj_wire_data_t heartbeat;
    open_at(2 * TERM + 64);
    rj_network_publication_setup(&bench.publication, &setup, bench.now_ns);
    cr_assert_eq(setup.active_term_id, INT32_MIN);
    cr_assert_eq(setup.initial_term_id, STREAM_LOG_INITIAL_TERM);
    cr_assert_eq(setup.term_offset, 64);
    on_sm(2 * TERM + 64, TERM / 2, 0);
    cr_assert(rj_network_publication_idle(&bench.publication, &heartbeat, bench.now_ns));
    cr_assert_eq(heartbeat.term_id, INT32_MIN);
    cr_assert_eq(heartbeat.term_offset, 64);
}

Test(network_publication, beats_every_100_ms_when_idle_and_connected_once)
{
    rj_wire_data_t frame;
    rj_network_publication_config_t config = publication_bench_config(0);
    config.has_reference_timing = true;
    publication_bench_open(&bench, &config);
    cr_assert_not(rj_network_publication_idle(&bench.publication, &frame, bench.now_ns));
    append(0, PAYLOAD);
    on_sm(0, TERM / 2, 0);
    send_all();
    cr_assert_not(rj_network_publication_idle(&bench.publication, &frame, bench.now_ns + 100 * ms));
    bench.now_ns += 100 * ms + 1;
    cr_assert_eq(rj_network_publication_deadline_ns(&bench.publication), bench.now_ns);
    cr_assert(rj_network_publication_idle(&bench.publication, &frame, bench.now_ns));
    cr_assert_eq(frame.frame_length, 0);
    cr_assert_eq(frame.flags, 0xC0);
    cr_assert_eq(frame.type, RJ_FRAME_TYPE_DATA);
    cr_assert_eq(frame.term_offset, MTU);
    cr_assert_not(rj_network_publication_idle(&bench.publication, &frame, bench.now_ns + 100 * ms));
    cr_assert_eq(bench.publication.stats.heartbeats_sent, 1);
}

Test(network_publication, tells_soon_where_a_burst_ended_and_then_at_growing_intervals)
{
    static const int64_t after_ns[] = {ms, 8 * ms, 64 * ms, 100 * ms, 100 * ms};
    rj_wire_data_t frame;
    open_at(0);
    int64_t end = append(0, PAYLOAD);
    on_sm(0, TERM / 2, 0);
    for (int burst = 0; burst < 2; burst++) {
        send_all();
        for (size_t i = 0; i < sizeof(after_ns) / sizeof(after_ns[0]); i++) {
            bench.now_ns += after_ns[i];
            cr_assert_not(rj_network_publication_idle(&bench.publication, &frame, bench.now_ns));
            bench.now_ns++;
            cr_assert_eq(rj_network_publication_deadline_ns(&bench.publication), bench.now_ns);
            cr_assert(rj_network_publication_idle(&bench.publication, &frame, bench.now_ns));
            cr_assert_eq(frame.term_offset, end);
        }
        end = append(end, PAYLOAD);
    }
}

Test(network_publication, says_the_end_and_the_revocation_in_heartbeats)
{
    rj_wire_data_t frame;
    rj_network_publication_config_t config = publication_bench_config(0);
    for (int signals = 0; signals < 2; signals++) {
        config.signal_eos = signals != 0;
        publication_bench_open(&bench, &config);
        on_sm(0, TERM / 2, 0);
        rj_network_publication_on_unreferenced(&bench.publication, bench.now_ns);
        cr_assert(rj_network_publication_idle(&bench.publication, &frame, bench.now_ns + 101 * ms));
        cr_assert_eq(frame.flags, signals ? 0xE0 : 0xC0);
        rj_log_set_revoked(&bench.log);
        cr_assert(rj_network_publication_idle(&bench.publication, &frame, bench.now_ns + 202 * ms));
        cr_assert_eq(frame.flags, 0xF0);
        if (!signals)
            rj_log_close(&bench.log);
    }
}

Test(network_publication, believes_status_messages_only_within_half_a_term_of_the_sender)
{
    open_at(TERM);
    cr_assert_not(on_sm(TERM / 2 - 32, TERM / 2, 0));
    cr_assert_not(on_sm(TERM + TERM / 2 + 32, TERM / 2, 0));
    cr_assert_eq(bench.publication.stats.sms_rejected, 2);
    cr_assert_eq(bench.publication.stats.sms_received, 2);
    cr_assert_eq(bench.words.snd_lmt, TERM);
    cr_assert_eq(bench.publication.has_receivers, 0);
    cr_assert(on_sm(TERM / 2, TERM / 2, 0));
    cr_assert(on_sm(TERM + TERM / 2, TERM / 2, 0));
    cr_assert_not(on_sm(TERM, TERM / 2 + 1, 0));
    cr_assert_not(on_sm(TERM, -1, 0));
    cr_assert_not(on_sm(TERM + 16, 0, 0));
    cr_assert_eq(bench.publication.stats.invalid_packets, 3);
    cr_assert_eq(bench.publication.stats.sms_received, 4);
}

Test(network_publication, forgets_receivers_that_say_goodbye_or_nothing)
{
    rj_wire_data_t frame;
    open_at(0);
    on_sm(0, TERM / 2, 0);
    cr_assert_eq(bench.publication.has_receivers, 1);
    on_sm(0, TERM / 2, RJ_SM_FLAG_EOS);
    cr_assert_eq(bench.publication.has_receivers, 0);
    cr_assert_eq(bench.publication.has_unicast_eos, 1);

    on_sm(0, TERM / 2, 0);
    cr_assert_eq(bench.publication.has_unicast_eos, 0, "another one came");
    rj_network_publication_idle(&bench.publication, &frame, bench.now_ns + 5 * s - 1);
    cr_assert_eq(bench.publication.has_receivers, 1);
    bench.now_ns += 4 * s;
    on_sm(0, TERM / 2, 0);
    rj_network_publication_idle(&bench.publication, &frame, bench.now_ns + 5 * s - 1);
    cr_assert_eq(bench.publication.has_receivers, 1);
    rj_network_publication_idle(&bench.publication, &frame, bench.now_ns + 5 * s);
    cr_assert_eq(bench.publication.has_receivers, 0);

    on_sm(0, TERM / 2, 0);
    cr_assert(rj_network_publication_on_error(&bench.publication, receiver_id, bench.now_ns));
    cr_assert_not(rj_network_publication_on_error(&bench.publication, receiver_id, bench.now_ns),
                  "told once");
    rj_network_publication_idle(&bench.publication, &frame, bench.now_ns);
    cr_assert_eq(bench.publication.has_receivers, 0);
}

/* wire.md 28: V8 to V10 sent, V14 three times within 10 ms, V9 once. */
Test(network_publication, resends_the_bytes_of_a_nak_once)
{
    open_at(0);
    memcpy(bench.log.terms[0], wire_vectors[V7].bytes, 64);
    memcpy(bench.log.terms[0] + 64, wire_vectors[V8].bytes, 128);
    memcpy(bench.log.terms[0] + 192, wire_vectors[V9].bytes, 128);
    memcpy(bench.log.terms[0] + 320, wire_vectors[V10].bytes, 64);
    on_sm(0, TERM / 2, 0);
    cr_assert_eq(send_all(), 384);
    rj_wire_nak_t nak;
    memcpy(&nak, wire_vectors[V14].bytes, sizeof(nak));
    int64_t resent = 0;
    for (int i = 0; i < 3; i++) {
        rj_network_publication_on_nak(&bench.publication, &nak, 0, bench.now_ns + i * 5 * ms);
        int count = rj_network_publication_collect_resends(&bench.publication, bench.runs, RUNS,
                                                           bench.now_ns + i * 5 * ms);
        if (count > 0)
            cr_assert_arr_eq(bench.runs[0].start, wire_vectors[V9].bytes, 128);
        take_all(count);
        resent += rj_network_publication_commit_resends(&bench.publication, bench.runs, count,
                                                        bench.now_ns + i * 5 * ms);
    }
    cr_assert_eq(resent, 128);
    cr_assert_eq(bench.publication.stats.naks_received, 3);
    cr_assert_eq(bench.words.naks, 3);
    cr_assert_eq(bench.publication.stats.retransmits_sent, 1);
    cr_assert_eq(bench.publication.stats.retransmitted_bytes, 128);
}

Test(network_publication, drops_naks_for_what_it_did_not_send_or_no_longer_has)
{
    open_at(2 * TERM);
    append(2 * TERM, PAYLOAD);
    on_sm(2 * TERM, TERM / 2, 0);
    send_all();
    on_nak(2 * TERM + MTU, MTU);
    on_nak(-TERM, MTU);
    on_nak(0, MTU);
    on_nak(2 * TERM, 0);
    cr_assert_eq(resend(), 0);
    cr_assert_eq(bench.publication.stats.invalid_packets, 0);
    on_nak(2 * TERM, TERM);
    cr_assert_eq(resend(), MTU, "not beyond the sender's position");

    on_nak(2 * TERM + 64, TERM - 32);
    on_nak(2 * TERM + 16, 64);
    on_nak(2 * TERM, -1);
    cr_assert_eq(bench.publication.stats.invalid_packets, 3);
}

Test(network_publication, resends_only_from_where_a_frame_of_that_place_begins)
{
    open_at(0);
    append(0, PAYLOAD);
    /* A payload that looks like a frame. */
    rj_wire_data_t fake = {.frame_length = 64, .type = RJ_FRAME_TYPE_DATA, .term_offset = 96};
    memcpy(bench.log.terms[0] + 64, &fake, sizeof(fake));
    on_sm(0, TERM / 2, 0);
    send_all();
    on_nak(64, 64);
    cr_assert_eq(resend(), 0);
    cr_assert_eq(bench.publication.stats.retransmits_sent, 0);
}

Test(network_publication, resends_several_ranges_in_runs_and_what_was_not_taken_again)
{
    open_at(0);
    int64_t position = 0;
    for (int i = 0; i < 10; i++)
        position = append(position, PAYLOAD);
    on_sm(0, TERM / 2, 0);
    send_all();
    on_nak(MTU, 3 * MTU);
    on_nak(6 * MTU, 2 * MTU);
    cr_assert_eq(collect_resends(), 2);
    cr_assert_eq(bench.runs[0].total_bytes, 3 * MTU);
    cr_assert_eq(bench.runs[0].segment_bytes, MTU);
    bench.runs[0].result = MTU;
    bench.runs[1].result = 0;
    cr_assert_eq(
        rj_network_publication_commit_resends(&bench.publication, bench.runs, 1, bench.now_ns),
        MTU);
    cr_assert_eq(bench.publication.stats.short_sends, 1);
    cr_assert_eq(resend(), 4 * MTU);
    cr_assert_eq(bench.publication.stats.retransmits_sent, 2);
    cr_assert_eq(bench.publication.stats.retransmitted_bytes, 5 * MTU);
    cr_assert_eq(resend(), 0);
}

Test(network_publication, holds_resends_to_their_budget)
{
    rj_network_publication_config_t config = publication_bench_config(0);
    config.retransmit.linger_ns = 1;
    publication_bench_open(&bench, &config);
    int64_t position = 0;
    for (int i = 0; i < TERM / 2 / MTU; i++)
        position = append(position, PAYLOAD);
    on_sm(0, TERM / 2, 0);
    send_all();
    /* Everything is asked for again and again, each time after its linger. */
    int64_t resent = 0;
    for (int i = 0; i < 100; i++) {
        for (int64_t at = 0; at < position; at += MTU)
            on_nak(at, MTU);
        resent += resend();
        bench.now_ns += 16;
    }
    cr_assert_geq(resent, TERM / 2 + RJ_RETRANSMIT_BURST_BYTES);
    cr_assert_leq(resent, TERM / 2 + RJ_RETRANSMIT_BURST_BYTES + MTU + 100);
    cr_assert_gt(bench.publication.stats.retransmit_throttles, 0);
    int64_t due_ns = rj_network_publication_deadline_ns(&bench.publication);
    cr_assert_gt(due_ns, bench.now_ns);
    bench.now_ns = due_ns;
    cr_assert_eq(resend(), MTU, "as soon as there is a byte to spend");
}

Test(network_publication, measures_the_round_trip_when_a_receiver_comes_and_while_naks_do)
{
    rj_wire_rttm_t frame;
    open_at(0);
    append(0, PAYLOAD);
    on_sm(0, TERM / 2, 0);
    send_all();
    cr_assert(rj_network_publication_rttm(&bench.publication, &frame, bench.now_ns),
              "a receiver has come");
    cr_assert_not(rj_network_publication_rttm(&bench.publication, &frame, bench.now_ns + s));
    on_nak(0, MTU);
    bench.now_ns += 100 * ms + 1;
    cr_assert(rj_network_publication_rttm(&bench.publication, &frame, bench.now_ns));
    cr_assert_eq(frame.flags, RJ_RTTM_FLAG_REPLY);
    cr_assert_not(rj_network_publication_rttm(&bench.publication, &frame, bench.now_ns));
    on_nak(0, MTU);
    cr_assert_not(rj_network_publication_rttm(&bench.publication, &frame, bench.now_ns + 100 * ms));

    rj_wire_rttm_t answer = {.echo_timestamp = bench.now_ns - 1};
    rj_network_publication_on_rttm(&bench.publication, &answer, bench.now_ns + 8 * ms);
    cr_assert_eq(bench.publication.rtt_ns, 0, "nobody asked at that time");
    answer = (rj_wire_rttm_t){.echo_timestamp = bench.now_ns, .reception_delta = 9 * ms};
    rj_network_publication_on_rttm(&bench.publication, &answer, bench.now_ns + 8 * ms);
    cr_assert_eq(bench.publication.rtt_ns, 0, "longer at the receiver than under way");
    answer = (rj_wire_rttm_t){.echo_timestamp = bench.now_ns};
    rj_network_publication_on_rttm(&bench.publication, &answer, bench.now_ns + 8 * ms);
    cr_assert_eq(bench.publication.rtt_ns, 8 * ms);
    cr_assert_eq(bench.publication.retransmit.linger_ns, 12 * ms);
    rj_network_publication_on_rttm(&bench.publication, &answer, bench.now_ns + 80 * ms);
    cr_assert_eq(bench.publication.rtt_ns, 8 * ms, "one answer for each question");
}

static void open_group(void)
{
    rj_network_publication_config_t config = publication_bench_config(0);
    config.is_group = true;
    config.retransmit.slot_count = 2;
    config.flow_control =
        (rj_flow_control_config_t){.ops = &rj_flow_control_max,
                                   .resend_window_multiple = RJ_FLOW_CONTROL_RESEND_WINDOWS_GROUP};
    publication_bench_open(&bench, &config);
}

Test(network_publication, follows_the_furthest_of_a_group_until_the_last_has_left)
{
    open_group();
    cr_assert(on_sm_of(1, 0, 4096, 0));
    cr_assert(on_sm_of(2, 1024, 8192, 0));
    cr_assert(on_sm_of(1, 2048, 4096, 0));
    cr_assert_eq(bench.words.snd_lmt, 1024 + 8192);
    cr_assert(on_sm_of(2, 1024, 8192, RJ_SM_FLAG_EOS));
    cr_assert_eq(bench.publication.receiver_count, 1);
    cr_assert_eq(bench.publication.has_unicast_eos, 0, "one that leaves ends no linger of a group");
}

Test(network_publication, resends_to_a_group_what_it_has_slots_for)
{
    open_group();
    int64_t end = 0;
    for (int i = 0; i < 8; i++)
        end = append(end, PAYLOAD);
    on_sm(0, 8 * MTU, 0);
    for (int64_t sent = 0; sent < end;)
        sent += send_all();
    on_nak(0, MTU);
    on_nak(2 * MTU, MTU);
    on_nak(2 * MTU, MTU);
    cr_assert_eq(bench.publication.stats.retransmit_overflows, 0, "twice is once");
    on_nak(4 * MTU, MTU);
    cr_assert_eq(bench.publication.stats.retransmit_overflows, 1);
}

Test(network_publication, lets_resends_to_a_group_linger_for_the_longest_round_trip)
{
    rj_wire_rttm_t frame;
    open_group();
    append(0, PAYLOAD);
    on_sm(0, TERM / 2, 0);
    send_all();
    on_nak(0, MTU);
    cr_assert(rj_network_publication_rttm(&bench.publication, &frame, bench.now_ns));
    rj_wire_rttm_t answer = {.echo_timestamp = bench.now_ns};
    rj_network_publication_on_rttm(&bench.publication, &answer, bench.now_ns + 2 * ms);
    cr_assert_eq(bench.publication.retransmit.linger_ns, 3 * ms);
    rj_network_publication_on_rttm(&bench.publication, &answer, bench.now_ns + 4 * ms);
    rj_network_publication_on_rttm(&bench.publication, &answer, bench.now_ns + ms);
    cr_assert_eq(bench.publication.retransmit.linger_ns, 6 * ms);
    rj_network_publication_on_rttm(&bench.publication, &answer, bench.now_ns + 900 * ms);
    cr_assert_eq(bench.publication.retransmit.linger_ns, RJ_RETRANSMIT_GROUP_LINGER_NS_MAX,
                 "one must not hold up the rest");

    on_nak(0, MTU);
    const int64_t later_ns = bench.now_ns + RJ_NETWORK_PUBLICATION_GROUP_RTTM_NS;
    cr_assert_not(rj_network_publication_rttm(&bench.publication, &frame, later_ns));
    cr_assert(rj_network_publication_rttm(&bench.publication, &frame, later_ns + 1));
    cr_assert_lt(bench.publication.rtt_ns, 900 * ms, "who has left is forgotten in time");
}

static int64_t reserved_at(int64_t position)
{
    rj_wire_data_t header;
    memcpy(&header, rj_log_term(&bench.log, position) + position, sizeof(header));
    return header.reserved_value;
}

/* A clock that goes on with each look, which nobody takes before there is something to stamp. */
static int64_t looks;

static int64_t look_at_the_clock(void)
{
    return 1000 + looks++;
}

/* Spies read it in the log, and receivers in what comes: the time of the last sending. */
Test(network_publication, stamps_what_it_sends_and_what_it_resends_anew)
{
    enum { SMALL = 128, PER_DATAGRAM = MTU / SMALL };
    rj_network_publication_config_t config = publication_bench_config(0);
    config.send_timestamp = rj_timestamp_place(RJ_TIMESTAMP_RESERVED_VALUE);
    publication_bench_open(&bench, &config);
    on_sm(0, TERM / 2, 0);
    for (int i = 0; i < 2 * PER_DATAGRAM; i++)
        stream_log_append(&bench.log, i * SMALL, RJ_FRAME_TYPE_DATA, SMALL - RJ_DATA_HEADER_BYTES);
    bench.publication.epoch_ns = look_at_the_clock;
    cr_assert_gt(send_all(), 0);
    for (int i = 0; i < 2 * PER_DATAGRAM; i++)
        cr_assert_eq(reserved_at(i * SMALL), 1000 + i / PER_DATAGRAM, "%d", i);
    cr_assert_eq(looks, 2);
    on_nak((PER_DATAGRAM + 1) * SMALL, SMALL);
    cr_assert_gt(resend(), 0);
    cr_assert_eq(reserved_at((PER_DATAGRAM + 1) * SMALL), 1002);
    cr_assert_eq(reserved_at(PER_DATAGRAM * SMALL), 1001);
    cr_assert_eq(reserved_at((PER_DATAGRAM + 2) * SMALL), 1001);
}
