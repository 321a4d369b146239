/* SPDX-License-Identifier: Apache-2.0 */
/* What receivers may tell a publication: any order of status messages, NAKs, errors, round trips,
 * true or not, under each flow control. Whatever they say, it sends only what is there, once in a
 * row what is new, no more again than its budgets allow, and believes in no more receivers than it
 * has room for. */
#include "stream/network_publication.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    TERM = 64 * 1024,
    SHIFT = 16,
    MTU = 1408,
    INITIAL_TERM = 0x7FFFFFFE, /* the third term's id is negative */
    FRAME = 352,               /* four in a datagram; TERM is no multiple of it */
    STEPS_MAX = 2000,
};

typedef struct input {
    const uint8_t *at;
    const uint8_t *end;
} input_t;

static uint8_t terms[RJ_LOG_TERM_COUNT][TERM] __attribute__((aligned(64)));
static uint8_t metadata[4096] __attribute__((aligned(64)));
static rj_network_publication_t publication;
static rj_log_t stream;
static int64_t words[7];
static int64_t producer_pos;
static int64_t now_ns;
static int64_t new_bytes;
static int64_t resent_bytes; /* to one destination */

static uint8_t take(input_t *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

static void take_bytes(input_t *input, void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        ((uint8_t *)bytes)[i] = take(input);
}

static void open_publication(uint8_t kind)
{
    static const rj_flow_control_ops_t *const strategies[] = {
        &rj_flow_control_unicast, &rj_flow_control_max, &rj_flow_control_min,
        &rj_flow_control_tagged};
    memset(terms, 0, sizeof(terms));
    memset(metadata, 0, sizeof(metadata));
    memset(words, 0, sizeof(words));
    stream = (rj_log_t){.terms = {terms[0], terms[1], terms[2]},
                        .metadata = (rj_log_metadata_t *)(void *)metadata,
                        .term_length = TERM,
                        .term_mask = TERM - 1,
                        .position_shift = SHIFT,
                        .initial_term_id = INITIAL_TERM,
                        .mtu_length = MTU,
                        .payload_length_max = MTU - 32,
                        .message_length_max = TERM / 8};
    const rj_network_publication_config_t config = {
        .term_window_bytes = TERM / 2,
        .datagrams_max = RJ_NETWORK_PUBLICATION_DATAGRAMS_MAX,
        .connection_timeout_ns = 5000000000,
        .flow_control = {.ops = strategies[kind & 3],
                         .resend_window_multiple = 4,
                         .group_size_min = kind >> 2 & 3,
                         .group_tag = 7,
                         .receiver_timeout_ns = 5000000000},
        .retransmit = {.slot_count = 1 + (kind >> 4), .linger_ns = 10000000},
        .is_group = (kind & 3) != 0,
        .signal_eos = true};
    const rj_network_publication_counters_t counters = {&words[0], &words[1], &words[2], &words[3],
                                                        &words[4], &words[5], &words[6]};
    producer_pos = new_bytes = resent_bytes = 0;
    now_ns = 1000000000;
    rj_network_publication_init(&publication, &config, &counters, &stream, NULL, now_ns);
}

/* A frame as a publisher writes it, and the padding at a term's end. */
static void append(void)
{
    if (producer_pos - publication.snd_pos >= TERM)
        return;
    const int32_t left = TERM - (int32_t)(producer_pos & (TERM - 1));
    const int32_t length = left < FRAME ? left : FRAME;
    const rj_wire_data_t frame = {.frame_length = length,
                                  .flags = RJ_DATA_FLAG_UNFRAGMENTED,
                                  .type = left < FRAME ? RJ_FRAME_TYPE_PAD : RJ_FRAME_TYPE_DATA,
                                  .term_offset = (int32_t)(producer_pos & (TERM - 1)),
                                  .term_id =
                                      rj_position_term_id(producer_pos, SHIFT, INITIAL_TERM)};
    uint8_t *at = rj_log_term(&stream, producer_pos) + frame.term_offset;
    memset(at, 0, (size_t)length);
    memcpy(at, &frame, sizeof(frame));
    producer_pos += length;
    /* As the conductor cleans, a term behind the sender. */
    if (left <= FRAME)
        memset(rj_log_term(&stream, producer_pos), 0, TERM);
}

/* Whole datagrams, and how many of them is the input's choice. */
static void take_runs(input_t *input, rj_run_t *runs, int count)
{
    for (int i = 0; i < count; i++) {
        const uint8_t *term = terms[0];
        assert(runs[i].start >= term && runs[i].total_bytes > 0 &&
               runs[i].start + runs[i].total_bytes <= term + sizeof(terms));
        assert(runs[i].segment_bytes <= MTU);
        const uint8_t choice = take(input);
        const int32_t segment = (int32_t)runs[i].segment_bytes;
        runs[i].result = (int32_t)runs[i].total_bytes;
        if (choice == 1)
            runs[i].result = 0;
        else if (choice == 2)
            runs[i].result -= runs[i].result % segment == 0 ? segment : runs[i].result % segment;
        else if (choice == 3)
            runs[i].result = -1;
    }
}

static void send_new(input_t *input)
{
    rj_run_t runs[RJ_NETWORK_PUBLICATION_RUNS_MAX];
    const int64_t before = publication.snd_pos;
    const int count =
        rj_network_publication_collect(&publication, runs, RJ_NETWORK_PUBLICATION_RUNS_MAX);
    take_runs(input, runs, count);
    const int64_t bytes = rj_network_publication_commit(&publication, runs, count, now_ns);
    new_bytes += bytes;
    assert(publication.snd_pos >= before && publication.snd_pos <= producer_pos);
    assert((publication.snd_pos == before) == (bytes == 0));
}

static void send_again(input_t *input)
{
    rj_run_t runs[RJ_NETWORK_PUBLICATION_RUNS_MAX];
    const int count = rj_network_publication_collect_resends(
        &publication, runs, RJ_NETWORK_PUBLICATION_RUNS_MAX, now_ns);
    take_runs(input, runs, count);
    for (int i = 0; i < count; i++) {
        if ((publication.resend_askers[i] & 1) != 0 && runs[i].result > 0)
            resent_bytes += runs[i].result;
    }
    (void)rj_network_publication_commit_resends(&publication, runs, count, now_ns);
}

static void hear_sm(input_t *input)
{
    rj_wire_sm_t sm;
    const uint8_t shape = take(input);
    const int64_t position = publication.snd_pos + (int64_t)(int8_t)take(input) * 256;
    sm = (rj_wire_sm_t){.frame_length = (shape & 1) != 0 ? RJ_SM_TAGGED_BYTES : RJ_SM_BYTES,
                        .flags = (uint8_t)(shape & 0xC0),
                        .consumption_term_id = rj_position_term_id(position, SHIFT, INITIAL_TERM),
                        .consumption_term_offset = (int32_t)(position & (TERM - 32)),
                        .receiver_window = take(input) << 8,
                        .receiver_id = take(input) << (shape >> 1 & 1),
                        .group_tag = take(input)};
    if ((shape & 4) != 0)
        take_bytes(input, (uint8_t *)&sm + 16, sizeof(sm) - 16);
    if (rj_network_publication_on_sm(&publication, &sm, now_ns)) {
        const rj_address_t source = rj_address_ipv4((const uint8_t[]){10, 0, 0, 1}, 1);
        rj_network_publication_on_source(&publication, sm.receiver_id, &source);
    }
}

static void hear_nak(input_t *input)
{
    const uint8_t shape = take(input);
    const int64_t position = publication.snd_pos - ((int64_t)take(input) << 9);
    rj_wire_nak_t nak = {.term_id = rj_position_term_id(position, SHIFT, INITIAL_TERM),
                         .term_offset = (int32_t)(position & (TERM - 32)),
                         .length = take(input) << 8};
    if ((shape & 4) != 0)
        take_bytes(input, (uint8_t *)&nak + 16, sizeof(nak) - 16);
    rj_network_publication_on_nak(&publication, &nak, shape >> 3, now_ns);
}

static void hear_rest(input_t *input, uint8_t what)
{
    rj_wire_rttm_t rttm = {.echo_timestamp = publication.last_rttm_ns};
    rj_wire_rttm_t question;
    if (what == 0)
        (void)rj_network_publication_on_error(&publication, take(input), now_ns);
    else if (what == 1)
        (void)rj_network_publication_rttm(&publication, &question, now_ns);
    else if (what == 2)
        take_bytes(input, &rttm, sizeof(rttm));
    rj_network_publication_on_rttm(&publication, &rttm, now_ns);
}

static void pass_time(input_t *input)
{
    rj_wire_setup_t setup;
    rj_wire_data_t heartbeat;
    now_ns += (int64_t)take(input) << (take(input) % 28);
    (void)rj_network_publication_setup(&publication, &setup, now_ns);
    (void)rj_network_publication_idle(&publication, &heartbeat, now_ns);
}

static void check(void)
{
    const rj_retransmit_t *retransmit = &publication.retransmit;
    const int64_t earned = new_bytes + ((now_ns - 1000000000) >> RJ_RETRANSMIT_EARN_SHIFT);
    assert(resent_bytes <= retransmit->budget_bytes_max + earned + MTU);
    assert(retransmit->linger_ns <= RJ_RETRANSMIT_LINGER_NS_MAX);
    assert(publication.receiver_count <= RJ_NETWORK_PUBLICATION_RECEIVERS_MAX);
    assert(publication.flow_control.receiver_count <= RJ_FLOW_CONTROL_RECEIVERS_MAX);
    assert(words[6] <= RJ_FLOW_CONTROL_RECEIVERS_MAX);
    assert(publication.snd_lmt <= publication.snd_pos + TERM);
    assert(retransmit->active_count >= 0 && retransmit->ready_count >= 0 &&
           retransmit->ready_count <= retransmit->active_count &&
           retransmit->active_count <= retransmit->config.slot_count);
    (void)rj_network_publication_deadline_ns(&publication);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t input = {data, data + size};
    open_publication(take(&input));
    for (int step = 0; step < STEPS_MAX && input.at < input.end; step++) {
        const uint8_t what = take(&input);
        switch (what & 7) {
        case 0:
            for (int i = 0; i <= what >> 3; i++)
                append();
            break;
        case 1:
            send_new(&input);
            break;
        case 2:
        case 3:
            hear_sm(&input);
            break;
        case 4:
            hear_nak(&input);
            break;
        case 5:
            send_again(&input);
            break;
        case 6:
            pass_time(&input);
            break;
        default:
            hear_rest(&input, what >> 3 & 3);
        }
        check();
    }
    return 0;
}
