/* SPDX-License-Identifier: Apache-2.0 */
/* The decision about a frame, as built for user space; tests/bpf/test_steer.c has the kernel's. */
#include "bpf/steer_decide.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"
#include "tests/fixtures/steer_rows.h"

/* What a rule says is the rows' business; here one answer serves all. */
static const struct rj_channel_value channel = {.channel_id = 1,
                                                .owner = STEER_OWNER,
                                                .counter_index = 1,
                                                .flags = RJ_XDP_CONTROL_TO_USER,
                                                .verdict = RJ_XDP_TO_USER};
static struct rj_channel_key asked;
static struct rj_stream_key asked_streams[2];
static uint32_t stream_questions;

static const struct rj_channel_value *rj_channel_find(const struct rj_channel_key *key)
{
    asked = *key;
    return &channel;
}

static const struct rj_stream_value *rj_stream_find(const struct rj_stream_key *key)
{
    asked_streams[stream_questions++ % 2] = *key;
    return NULL;
}

static const struct rj_queue_value *rj_queue_find(__u32 queue)
{
    static const struct rj_queue_value value = {STEER_OWNER, 65535};
    return queue < RJ_XDP_QUEUES_MAX ? &value : NULL;
}

static struct rj_steer_decision decide(const steer_frame_t *frame)
{
    static uint8_t bytes[STEER_FRAME_BYTES_MAX];
    struct rj_steer_datagram datagram = {0};
    uint32_t length = steer_frame_build(frame, false, bytes);
    const struct rj_steer_frame received = {
        .data = bytes, .data_end = bytes + length, .length_bytes = length, .queue = frame->queue};
    return rj_steer_decide(&received, &steer_config, &datagram);
}

Test(steer_decide, gives_each_row_its_verdict)
{
    static uint8_t bytes[STEER_FRAME_BYTES_MAX];
    uint32_t rows = 0;
    for (size_t t = 0; t < steer_table_count; t++) {
        for (const steer_row_t *row = steer_tables[t]; row->what != NULL; row++, rows++) {
            uint32_t length = steer_frame_build(&row->frame, false, bytes);
            steer_decision_t decision =
                steer_decide_plainly(bytes, length, length, row->frame.queue, &steer_config);
            cr_expect_eq(decision.reason, row->reason, "%s: reason %u", row->what, decision.reason);
            cr_expect_eq(decision.counter_index, row->counter_index, "%s", row->what);
            cr_expect_eq(decision.queue, row->frame.queue, "%s", row->what);
            cr_expect_eq(decision.verdict == RJ_XDP_TO_KERNEL,
                         decision.reason < RJ_XDP_REDIRECTED_DATA, "%s", row->what);
        }
    }
    cr_assert_gt(rows, 150);
}

/* What the decision is when the frame, or its first buffer alone, ends there; the copy ends there
 * too, for the sanitizer. */
static steer_decision_t decide_cut(const uint8_t *bytes, uint32_t linear_bytes, uint32_t length)
{
    uint8_t *copy = malloc(linear_bytes + 1);
    cr_assert_not_null(copy);
    memcpy(copy + 1, bytes, linear_bytes);
    steer_decision_t decision =
        steer_decide_plainly(copy + 1, linear_bytes, length, 1, &steer_config);
    free(copy);
    return decision;
}

Test(steer_decide, lets_a_frame_that_ends_too_early_pass)
{
    static uint8_t bytes[STEER_FRAME_BYTES_MAX];
    for (size_t t = 0; t < steer_table_count; t++) {
        for (const steer_row_t *row = steer_tables[t]; row->what != NULL; row++) {
            uint32_t length = steer_frame_build(&row->frame, false, bytes) - row->frame.padding;
            for (uint32_t cut = 0; cut < length && cut < 200; cut++) {
                steer_decision_t decision = decide_cut(bytes, cut, cut);
                cr_assert_eq(decision.verdict, RJ_XDP_TO_KERNEL, "%s at %u", row->what, cut);
                cr_assert(cut >= 14 || decision.reason == RJ_XDP_PASS_SHORT, "%s", row->what);
            }
        }
    }
}

Test(steer_decide, takes_a_frame_whose_first_buffer_holds_the_headers_and_no_other)
{
    static uint8_t bytes[STEER_FRAME_BYTES_MAX];
    const steer_frame_t frames[] = {{.payload_bytes = 8960},
                                    {.payload_bytes = 8960, .is_ipv6 = true},
                                    {.payload_bytes = 8960, .words = 15, .tag_count = 1}};
    const uint32_t enough[] = {42 + 20, 62 + 20, 46 + 40 + 20};
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        uint32_t length = steer_frame_build(&frames[i], false, bytes);
        for (uint32_t linear_bytes = 0; linear_bytes < 300; linear_bytes++) {
            steer_decision_t decision = decide_cut(bytes, linear_bytes, length);
            cr_assert_eq(decision.verdict,
                         linear_bytes < enough[i] ? RJ_XDP_TO_KERNEL : RJ_XDP_TO_USER,
                         "frame %zu at %u", i, linear_bytes);
        }
    }
}

Test(steer_decide, lets_everything_pass_by_maps_of_another_version)
{
    static uint8_t bytes[STEER_FRAME_BYTES_MAX];
    struct rj_xdp_config config = steer_config;
    uint32_t length = steer_frame_build(&(steer_frame_t){0}, false, bytes);
    const uint32_t versions[] = {0, RJ_XDP_ABI_VERSION + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        config.abi_version = versions[i];
        cr_assert_eq(steer_decide_plainly(bytes, length, length, 0, &config).reason,
                     RJ_XDP_PASS_VERSION);
    }
    cr_assert_eq(steer_decide_plainly(bytes, length, length, 0, NULL).reason, RJ_XDP_PASS_VERSION);
}

Test(steer_decide, asks_for_the_destination_in_the_order_of_the_abi)
{
    const uint8_t mapped[16] = {[10] = 0xff, 0xff, 10, 9, 0, 1};
    const uint8_t ipv6[16] = {0xfd, 9, [15] = 1};
    decide(&(steer_frame_t){.port = 0xabcd, .tag_count = 1, .tag = {0x7123}});
    cr_assert_arr_eq(asked.address, mapped, sizeof(mapped));
    cr_assert_eq(asked.port, 0xabcd);
    cr_assert_eq(asked.vlan, 0x123);
    decide(&(steer_frame_t){.port = 1, .is_ipv6 = true});
    cr_assert_arr_eq(asked.address, ipv6, sizeof(ipv6));
    cr_assert_eq(asked.port, 1);
    cr_assert_eq(asked.vlan, 0);
}

Test(steer_decide, asks_for_the_session_first_and_then_for_any)
{
    decide(&(steer_frame_t){.stream_id = -2, .session_id = INT32_MIN});
    cr_assert_eq(stream_questions, 2);
    cr_assert_eq(asked_streams[0].stream_id, -2);
    cr_assert_eq(asked_streams[0].session_id, INT32_MIN);
    cr_assert_eq(asked_streams[0].any_session, 0);
    cr_assert_eq(asked_streams[1].stream_id, -2);
    cr_assert_eq(asked_streams[1].session_id, 0);
    cr_assert_eq(asked_streams[1].any_session, 1);
    decide(&(steer_frame_t){.kind = STEER_SM});
    cr_assert_eq(stream_questions, 2);
}

Test(steer_decide, knows_no_queue_beyond_the_last)
{
    steer_frame_t frame = {.queue = RJ_XDP_QUEUES_MAX - 1};
    cr_assert_eq(decide(&frame).reason, RJ_XDP_REDIRECTED_DEFAULT);
    frame.queue = RJ_XDP_QUEUES_MAX;
    cr_assert_eq(decide(&frame).reason, RJ_XDP_PASS_NO_QUEUE);
    frame.queue = UINT32_MAX;
    cr_assert_eq(decide(&frame).reason, RJ_XDP_PASS_NO_QUEUE);
}

/* What the ring's driver refuses would be lost there without need; what it takes must get there. */
static enum rj_steer_kind expected_kind(const uint8_t *payload, uint32_t length)
{
    switch (rj_frame_check(payload, length)) {
    case RJ_FRAME_TYPE_DATA:
    case RJ_FRAME_TYPE_PAD:
    case RJ_FRAME_TYPE_SETUP:
        return RJ_STEER_IS_DATA;
    case RJ_FRAME_TYPE_NAK:
    case RJ_FRAME_TYPE_SM:
    case RJ_FRAME_TYPE_ERR:
    case RJ_FRAME_TYPE_RTTM:
    case RJ_FRAME_TYPE_RSP_SETUP:
        return RJ_STEER_IS_CONTROL;
    default:
        return RJ_STEER_NO_AERON;
    }
}

static void compare_kind(uint32_t type, uint32_t length, uint32_t frame_bytes, uint8_t version)
{
    _Alignas(8)
        uint8_t payload[256] = {[4] = version, [6] = (uint8_t)type, [7] = (uint8_t)(type >> 8)};
    const struct rj_steer_frame frame = {.data = payload, .data_end = payload + length};
    const struct rj_steer_datagram datagram = {.payload = payload,
                                               .udp_bytes = RJ_STEER_UDP_BYTES + length};
    memcpy(payload, &frame_bytes, sizeof(frame_bytes));
    cr_assert_eq(rj_steer_classify(&frame, &datagram), expected_kind(payload, length),
                 "type %u length %u frame %u version %u", type, length, frame_bytes, version);
}

Test(steer_decide, calls_aeron_what_the_driver_takes_for_it)
{
    for (uint32_t type = 0; type < 16; type++) {
        for (uint32_t length = 0; length < 140; length++) {
            const uint32_t frames[] = {0, 1, length, length + 1, INT32_MAX, 0x80000000, UINT32_MAX};
            for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
                for (uint32_t version = 0; version < 256; version += 85)
                    compare_kind(type, length, frames[i], (uint8_t)version);
        }
    }
    for (uint32_t type = 16; type < 0x10000; type++)
        compare_kind(type, 64, 64, 0);
}

Test(steer_decide, counts_by_verdict)
{
    struct rj_stream_count count;
    cr_assert_eq(rj_steer_count_of(&count, RJ_XDP_TO_USER), &count.redirected);
    cr_assert_eq(rj_steer_count_of(&count, RJ_XDP_TO_KERNEL), &count.passed);
    cr_assert_eq(rj_steer_count_of(&count, RJ_XDP_BROKER), &count.passed);
    cr_assert_eq(rj_steer_count_of(&count, RJ_XDP_DROP), &count.dropped);
    cr_assert_eq(rj_steer_count_of(&count, RJ_XDP_ECHO), &count.echoed);
}
