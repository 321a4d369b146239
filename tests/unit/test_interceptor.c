/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/interceptor.h"

#include <criterion/criterion.h>
#include <string.h>

#include "ramjet/wire.h"

enum { SESSION = 77, STREAM = 1001, FRAMES = 64 };

static rj_interceptor_t *filter;
static int64_t lost[RJ_INTERCEPTOR_KINDS];
static rj_wire_data_t frame;
static rj_packet_t packet;

static void open_filter(const rj_filter_config_t *config)
{
    rj_interceptor_counters_t counters;
    rj_err_t err;
    for (int i = 0; i < RJ_INTERCEPTOR_KINDS; i++)
        counters.lost[i] = &lost[i];
    memset(lost, 0, sizeof(lost));
    cr_assert_eq(rj_interceptor_open(&filter, config, &counters, 5, 0, &err), 0, "%s", err.text);
}

static void close_filter(void)
{
    rj_interceptor_close(filter);
}

TestSuite(interceptor, .fini = close_filter);

/* Whether a data frame of `length` bytes at `offset` comes through. */
static bool passes_of(int32_t session_id, int32_t term_id, int32_t offset, int32_t length)
{
    frame = (rj_wire_data_t){.frame_length = length,
                             .type = RJ_FRAME_TYPE_DATA,
                             .term_offset = offset,
                             .session_id = session_id,
                             .stream_id = STREAM,
                             .term_id = term_id};
    packet = (rj_packet_t){.data = (uint8_t *)&frame,
                           .length_bytes = length == 0 ? 32 : (uint32_t)length};
    return rj_interceptor_passes(filter, &packet);
}

static bool passes(int32_t offset, int32_t length)
{
    return passes_of(SESSION, 0, offset, length);
}

/* Sends a term in frames of `length` bytes; what is lost lies in [*ret_begin, *ret_end) if it is in
 * one piece. Returns how many frames were lost. */
static int lose_in_order(int32_t length, int32_t until, int32_t *ret_begin, int32_t *ret_end)
{
    int count = 0;
    for (int32_t offset = 0; offset < until; offset += length) {
        if (passes(offset, length))
            continue;
        if (count++ == 0)
            *ret_begin = offset;
        *ret_end = offset + length;
    }
    return count;
}

static const rj_filter_config_t fixed = {
    .list = {.count = 1, .kinds = {RJ_INTERCEPTOR_FIXED_LOSS}},
    .fixed = {.term_id = 0, .offset = 2048, .length = 600},
};

/* What the official C driver 1.54 does with these arguments: NAK of 0 to 2816. */
Test(interceptor, loses_a_fixed_range_and_all_before_it_as_the_reference)
{
    int32_t begin = -1, end = -1;
    open_filter(&fixed);
    cr_expect_eq(lose_in_order(256, 8192, &begin, &end), 11);
    cr_expect_eq(begin, 0);
    cr_expect_eq(end, 2816);
    cr_expect_eq(lost[RJ_INTERCEPTOR_FIXED_LOSS], 11);
    cr_expect_eq(lose_in_order(256, 8192, &begin, &end), 0, "sent again it passes");
}

Test(interceptor, loses_by_place_once_in_each_stream_and_in_one_term)
{
    open_filter(&fixed);
    cr_expect(passes_of(SESSION, 1, 2048, 256), "another term");
    cr_expect_not(passes_of(SESSION, 0, 2048, 256));
    cr_expect(passes_of(SESSION, 0, 2048, 256));
    cr_expect_not(passes_of(SESSION + 1, 0, 2048, 256), "another session");
    cr_expect(passes_of(SESSION + 1, 0, 2816, 256));
}

/* A heartbeat stands where the next data will; it must not be taken for that data. */
Test(interceptor, lets_heartbeats_and_what_is_no_data_through)
{
    open_filter(&fixed);
    cr_expect(passes(0, 0));
    frame.type = RJ_FRAME_TYPE_SETUP;
    frame.frame_length = 40;
    packet.length_bytes = 40;
    cr_expect(rj_interceptor_passes(filter, &packet));
    frame.type = RJ_FRAME_TYPE_DATA;
    packet.length_bytes = 31;
    cr_expect(rj_interceptor_passes(filter, &packet), "not even a whole header");
    cr_expect_not(passes(0, 256));
}

/* The same driver: NAKs of 4096 to 5120, 8192 to 9216, 12288 to 13312. */
Test(interceptor, loses_evenly_spaced_gaps_from_the_first_multiple_on)
{
    const rj_filter_config_t config = {
        .list = {.count = 1, .kinds = {RJ_INTERCEPTOR_MULTI_GAP_LOSS}},
        .multi_gap = {.radix = 4096, .length = 1024, .count = 3},
    };
    open_filter(&config);
    for (int32_t offset = 0; offset < 65536; offset += 256) {
        const int32_t gap = offset / 4096;
        const bool is_inside = offset % 4096 < 1024 && gap >= 1 && gap <= 3;
        cr_expect_eq(passes(offset, 256), !is_inside, "%d", offset);
        cr_expect(passes(offset, 256) || !is_inside, "%d again", offset);
    }
    cr_expect_eq(lost[RJ_INTERCEPTOR_MULTI_GAP_LOSS], 12);
}

/* And with frames of 768 bytes: 3840 to 5376, 7680 to 9216. */
Test(interceptor, loses_frames_that_a_gap_touches)
{
    const rj_filter_config_t config = {
        .list = {.count = 1, .kinds = {RJ_INTERCEPTOR_MULTI_GAP_LOSS}},
        .multi_gap = {.radix = 4096, .length = 1000, .count = 2},
    };
    static const int32_t expected[] = {3840, 4608, 7680, 8448};
    int found = 0;
    open_filter(&config);
    for (int32_t offset = 0; offset < 20736; offset += 768) {
        if (passes(offset, 768))
            continue;
        cr_assert_lt(found, 4);
        cr_expect_eq(offset, expected[found++]);
    }
    cr_expect_eq(found, 4);
}

Test(interceptor, without_radix_length_or_count_loses_nothing)
{
    static const rj_multi_gap_loss_args_t rows[] = {
        {.radix = 0, .length = 100, .count = 5},
        {.radix = 100, .length = 0, .count = 5},
        {.radix = 100, .length = 100, .count = 0},
        {.radix = INT32_MAX, .length = INT32_MAX, .count = INT32_MAX}};
    int32_t begin, end;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const rj_filter_config_t config = {
            .list = {.count = 1, .kinds = {RJ_INTERCEPTOR_MULTI_GAP_LOSS}}, .multi_gap = rows[i]};
        rj_interceptor_close(filter);
        open_filter(&config);
        cr_expect_eq(lose_in_order(256, 65536, &begin, &end), 0, "row %zu", i);
    }
}

/* Sends 1000 frames of a type; returns how many are lost, and their pattern. */
static int lose_of_type(int16_t type, uint64_t *ret_pattern)
{
    int count = 0;
    *ret_pattern = 0;
    for (int i = 0; i < 1000; i++) {
        frame = (rj_wire_data_t){.frame_length = 32, .type = type};
        packet = (rj_packet_t){.data = (uint8_t *)&frame, .length_bytes = 32};
        const int is_lost = !rj_interceptor_passes(filter, &packet);
        count += is_lost;
        *ret_pattern = *ret_pattern * 31 + (uint64_t)is_lost;
    }
    return count;
}

Test(interceptor, loses_a_share_of_the_masked_types_the_same_for_the_same_seed)
{
    rj_filter_config_t config = {
        .list = {.count = 1, .kinds = {RJ_INTERCEPTOR_LOSS}},
        .loss = {.rate = 0.2, .has_seed = true, .seed = 7, .type_mask = 1 << RJ_FRAME_TYPE_DATA},
    };
    uint64_t first, second;
    open_filter(&config);
    const int count = lose_of_type(RJ_FRAME_TYPE_DATA, &first);
    cr_expect(count > 140 && count < 260, "%d of 1000", count);
    cr_expect_eq(lost[RJ_INTERCEPTOR_LOSS], count);
    cr_expect_eq(lose_of_type(RJ_FRAME_TYPE_SETUP, &second), 0);
    cr_expect_eq(lose_of_type(-1, &second), 0);
    cr_expect_eq(lose_of_type(300, &second), 0);
    rj_interceptor_close(filter);
    open_filter(&config);
    lose_of_type(RJ_FRAME_TYPE_DATA, &second);
    cr_expect_eq(first, second);
    rj_interceptor_close(filter);
    config.loss.seed = 8;
    open_filter(&config);
    lose_of_type(RJ_FRAME_TYPE_DATA, &second);
    cr_expect_neq(first, second);
}

Test(interceptor, lets_what_lies_between_its_gaps_pass)
{
    const rj_filter_config_t config = {
        .list = {.count = 1, .kinds = {RJ_INTERCEPTOR_MULTI_GAP_LOSS}},
        .multi_gap = {.radix = 64, .length = 32, .count = FRAMES},
    };
    open_filter(&config);
    cr_expect(passes(0, 32), "the first multiple is not 0");
    for (int i = 1; i < FRAMES; i++)
        cr_expect_eq(passes(32 * i, 32), i % 2 != 0, "at %d", 32 * i);
}

/* Both want the second frame; the first in the list has it. */
Test(interceptor, asks_its_filters_in_the_order_of_their_names)
{
    const rj_filter_config_t config = {
        .list = {.count = 2, .kinds = {RJ_INTERCEPTOR_MULTI_GAP_LOSS, RJ_INTERCEPTOR_LOSS}},
        .loss = {.rate = 1, .type_mask = 1 << RJ_FRAME_TYPE_DATA},
        .multi_gap = {.radix = 256, .length = 256, .count = 1},
    };
    open_filter(&config);
    cr_expect_not(passes(0, 256));
    cr_expect_not(passes(256, 256));
    cr_expect_eq(lost[RJ_INTERCEPTOR_LOSS], 1);
    cr_expect_eq(lost[RJ_INTERCEPTOR_MULTI_GAP_LOSS], 1);
}
