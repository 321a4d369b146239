/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/term_append.h"

#include "base/prng.h"
#include "shm/term_frame.h"
#include "tests/fixtures/hex.h"
#include "tests/fixtures/log_fixture.h"

enum { TERM = 65536, FAR = 1 << 30 };

static rj_log_fixture_t fixture;
static uint8_t bytes[2 * TERM];

static void open_log(void)
{
    rj_log_params_t params = rj_log_fixture_params(-7);
    rj_log_fixture_open(&fixture, &params);
    rj_log_set_connected(&fixture.log, true);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + 1);
}

static void close_log(void)
{
    rj_log_fixture_close(&fixture);
}

TestSuite(term_append, .init = open_log, .fini = close_log);

/* A log whose publishers stand at that term count and offset. */
static void move_log(int32_t term_count, int32_t term_offset)
{
    rj_log_fixture_close(&fixture);
    rj_log_params_t params = rj_log_fixture_params(-7);
    params.start_term_id = rj_term_id_add(-7, term_count);
    params.start_term_offset = term_offset;
    rj_log_fixture_open(&fixture, &params);
    rj_log_set_connected(&fixture.log, true);
}

static int64_t offer(const void *body, size_t length, int64_t limit)
{
    struct iovec part = {(void *)(uintptr_t)body, length};
    return rj_append_shared(&fixture.log, limit, &part, 1, 0);
}

static int32_t frame_length(int partition, int32_t offset)
{
    return rj_frame_length(fixture.log.terms[partition], offset);
}

static uint8_t frame_flags(int partition, int32_t offset)
{
    return fixture.log.terms[partition][offset + 5];
}

/* shm.md 19.8, row by row */
Test(term_append, writes_what_the_specification_writes)
{
    const rj_log_t *log = &fixture.log;
    const int64_t limit = 32768;
    cr_assert_eq(offer("hello", 5, limit), 64);
    cr_assert_eq(rj_hex_compare(log->terms[0], "25 00 00 00 00 c0 01 00 00 00 00 00 1d 2c 3b 4a"
                                               "e9 03 00 00 f9 ff ff ff 00 00 00 00 00 00 00 00"
                                               "68 65 6c 6c 6f"),
                 37);
    cr_assert_eq((uint64_t)rj_log_raw_tail(log, 0), UINT64_C(0xFFFFFFF900000040));

    cr_assert_eq(offer(bytes, 3000, limit), 3168);
    cr_assert_eq(frame_length(0, 64), 1408);
    cr_assert_eq(frame_flags(0, 64), 0x80);
    cr_assert_eq(frame_length(0, 1472), 1408);
    cr_assert_eq(frame_flags(0, 1472), 0);
    cr_assert_eq(frame_length(0, 2880), 280);
    cr_assert_eq(frame_flags(0, 2880), 0x40);
    cr_assert_arr_eq(log->terms[0] + 96, bytes, 1376);
    cr_assert_arr_eq(log->terms[0] + 1504, bytes + 1376, 1376);
    cr_assert_arr_eq(log->terms[0] + 2912, bytes + 2752, 248);
    cr_assert_eq((uint32_t)rj_log_raw_tail(log, 0), 0xC60);

    cr_assert_eq(offer(NULL, 0, limit), 3200);
    cr_assert_eq(frame_length(0, 3168), 32);
    cr_assert_eq(offer(bytes, 8193, limit), RJ_APPEND_ERROR);
    cr_assert_eq((uint32_t)rj_log_raw_tail(log, 0), 3200);

    log->metadata->term_tail_counters[0] = rj_tail_pack(-7, 65472);
    cr_assert_eq(offer(bytes, 100, FAR), RJ_APPEND_ADMIN_ACTION);
    cr_assert_eq(rj_hex_compare(log->terms[0] + 65472,
                                "40 00 00 00 00 c0 00 00 c0 ff 00 00 1d 2c 3b 4a"
                                "e9 03 00 00 f9 ff ff ff"),
                 24);
    cr_assert_eq((uint64_t)rj_log_raw_tail(log, 0), UINT64_C(0xFFFFFFF900010060));
    cr_assert_eq((uint64_t)rj_log_raw_tail(log, 1), UINT64_C(0xFFFFFFFA00000000));
    cr_assert_eq((uint64_t)rj_log_raw_tail(log, 2), UINT64_C(0xFFFFFFF800000000));
    cr_assert_eq(rj_log_active_term_count(log), 1);

    cr_assert_eq(offer(bytes, 100, FAR), 65696);
    cr_assert_eq(rj_hex_compare(log->terms[1], "84 00 00 00 00 c0 01 00 00 00 00 00 1d 2c 3b 4a"
                                               "e9 03 00 00 fa ff ff ff"),
                 24);
    cr_assert_eq(offer(bytes, 1, 65696), RJ_APPEND_BACK_PRESSURED);
    rj_log_set_connected(log, false);
    cr_assert_eq(offer(bytes, 1, 65696), RJ_APPEND_NOT_CONNECTED);
    cr_assert_eq(rj_append_shared_position(log), 65696);
}

Test(term_append, knows_what_a_message_occupies)
{
    const rj_log_t *log = &fixture.log;
    cr_assert_eq(rj_append_framed_length(log, 0), 32);
    cr_assert_eq(rj_append_framed_length(log, 1), 64);
    cr_assert_eq(rj_append_framed_length(log, 1376), 1408);
    cr_assert_eq(rj_append_framed_length(log, 1377), 1472);
    cr_assert_eq(rj_append_framed_length(log, 2 * 1376), 2816);
    cr_assert_eq(rj_append_framed_length(log, 3000), 3104);
}

Test(term_append, gathers_parts_across_fragments)
{
    struct iovec parts[] = {
        {bytes, 1}, {NULL, 0}, {bytes + 1, 1999}, {bytes + 2000, 1000}, {NULL, 0}};
    cr_assert_eq(rj_append_shared(&fixture.log, FAR, parts, 5, 0x0102030405060708), 3104);
    const uint8_t *term = fixture.log.terms[0];
    cr_assert_arr_eq(term + 32, bytes, 1376);
    cr_assert_arr_eq(term + 1440, bytes + 1376, 1376);
    cr_assert_arr_eq(term + 2848, bytes + 2752, 248);
    for (int32_t at = 0; at < 3104; at += 1408)
        cr_assert_eq(rj_hex_compare(term + at + 24, "08 07 06 05 04 03 02 01"), 8);
    cr_assert_eq(rj_append_shared(&fixture.log, FAR, NULL, 0, 0), 3136);
}

Test(term_append, refuses_lengths_whose_sum_makes_no_sense)
{
    struct iovec parts[] = {{bytes, SIZE_MAX}, {bytes, 2}};
    cr_assert_eq(rj_append_shared(&fixture.log, FAR, parts, 2, 0), RJ_APPEND_ERROR);
    rj_claim_t claim = {0};
    cr_assert_eq(rj_append_shared_claim(&fixture.log, FAR, -1, &claim), RJ_APPEND_ERROR);
    cr_assert_eq(rj_append_shared_claim(&fixture.log, FAR, 1377, &claim), RJ_APPEND_ERROR);
    cr_assert_null(claim.frame);
    cr_assert_eq(rj_log_raw_tail(&fixture.log, 0), rj_tail_pack(-7, 0));
}

Test(term_append, only_pads_in_the_thread_that_straddles_the_end)
{
    const rj_log_t *log = &fixture.log;
    log->metadata->term_tail_counters[0] = rj_tail_pack(-7, TERM);
    cr_assert_eq(offer(bytes, 100, FAR), RJ_APPEND_ADMIN_ACTION);
    cr_assert(rj_is_zero(log->terms[0], TERM));
    cr_assert_eq(rj_log_active_term_count(log), 1);
}

Test(term_append, fills_a_term_to_its_last_byte)
{
    const rj_log_t *log = &fixture.log;
    log->metadata->term_tail_counters[0] = rj_tail_pack(-7, TERM - 64);
    cr_assert_eq(offer(bytes, 32, FAR), TERM);
    cr_assert_eq(rj_append_shared_position(log), TERM);
    cr_assert_eq(rj_log_active_term_count(log), 0);
    cr_assert_eq(offer(bytes, 32, FAR), RJ_APPEND_ADMIN_ACTION);
    cr_assert_eq(offer(bytes, 32, FAR), TERM + 64);
}

Test(term_append, sees_that_a_rotation_is_in_progress)
{
    /* The count has been moved on and the tail still is that of three terms ago. */
    fixture.log.metadata->active_term_count = 1;
    cr_assert_eq(offer(bytes, 32, FAR), RJ_APPEND_ADMIN_ACTION);
    cr_assert_eq(rj_log_raw_tail(&fixture.log, 1), rj_tail_pack(-9, 0));
}

Test(term_append, ends_at_the_last_position_of_all)
{
    const int64_t last = rj_position_limit(TERM) - TERM;
    move_log(INT32_MAX, TERM - 128);
    const rj_log_t *log = &fixture.log;
    cr_assert_eq(offer(bytes, 96, last + TERM - 128), RJ_APPEND_MAX_POSITION_EXCEEDED);
    cr_assert_eq(offer(bytes, 64, last + TERM - 128), RJ_APPEND_BACK_PRESSURED);
    cr_assert_eq(offer(bytes, 64, INT64_MAX), last + TERM - 32);
    cr_assert_eq(offer(bytes, 64, INT64_MAX), RJ_APPEND_MAX_POSITION_EXCEEDED);
    cr_assert_eq(rj_log_active_term_count(log), INT32_MAX);
    cr_assert_eq(rj_frame_length(log->terms[INT32_MAX % 3], TERM - 32), 32);
}

Test(term_append, shows_a_claim_when_it_is_committed)
{
    rj_claim_t claim;
    cr_assert_eq(rj_append_shared_claim(&fixture.log, FAR, 5, &claim), 64);
    cr_assert_eq(frame_length(0, 0), -37);
    memcpy(claim.payload, "hello", 5);
    rj_claim_set_reserved_value(&claim, 3);
    rj_claim_commit(&claim);
    cr_assert_null(claim.frame);
    cr_assert_eq(rj_hex_compare(fixture.log.terms[0], "25 00 00 00 00 c0 01 00 00 00 00 00 1d 2c 3b"
                                                      "4a e9 03 00 00 f9 ff ff ff 03 00 00 00 00 00"
                                                      "00 00 68 65 6c 6c 6f"),
                 37);
    cr_assert_eq(rj_append_shared_claim(&fixture.log, FAR, 0, &claim), 96);
    rj_claim_abort(&claim);
    cr_assert_eq(frame_length(0, 64), 32);
    cr_assert_eq(rj_frame_type(fixture.log.terms[0], 64), RJ_FRAME_TYPE_PAD);
}

Test(term_append, lets_an_exclusive_writer_tell_its_tail_first)
{
    rj_exclusive_t exclusive;
    rj_claim_t claim;
    rj_exclusive_init(&exclusive, &fixture.log);
    cr_assert_eq(rj_exclusive_claim(&exclusive, FAR, 100, &claim), 160);
    cr_assert_eq(rj_log_raw_tail(&fixture.log, 0), rj_tail_pack(-7, 160));
    cr_assert_eq(frame_length(0, 0), -132);
    rj_claim_commit(&claim);
    struct iovec part = {bytes, 3000};
    cr_assert_eq(rj_exclusive_append(&exclusive, FAR, &part, 1, 0), 160 + 3104);
    cr_assert_eq(frame_length(0, 160 + 2816), 280);
    cr_assert_eq(rj_exclusive_position(&exclusive), 160 + 3104);
    cr_assert_eq(rj_exclusive_append(&exclusive, 160, &part, 1, 0), RJ_APPEND_BACK_PRESSURED);
    rj_log_set_connected(&fixture.log, false);
    cr_assert_eq(rj_exclusive_append(&exclusive, 160, &part, 1, 0), RJ_APPEND_NOT_CONNECTED);
    part.iov_len = 8193;
    cr_assert_eq(rj_exclusive_append(&exclusive, FAR, &part, 1, 0), RJ_APPEND_ERROR);
    cr_assert_eq(rj_exclusive_claim(&exclusive, FAR, 1377, &claim), RJ_APPEND_ERROR);
}

Test(term_append, rotates_an_exclusive_log_behind_its_padding)
{
    move_log(4, TERM - 96);
    rj_exclusive_t exclusive;
    rj_exclusive_init(&exclusive, &fixture.log);
    cr_assert_eq(rj_exclusive_position(&exclusive), 5 * TERM - 96);
    struct iovec part = {bytes, 100};
    cr_assert_eq(rj_exclusive_append(&exclusive, FAR, &part, 1, 0), RJ_APPEND_ADMIN_ACTION);
    cr_assert_eq(rj_log_raw_tail(&fixture.log, 1), rj_tail_pack(-3, TERM + 64));
    cr_assert_eq(frame_length(1, TERM - 96), 96);
    cr_assert_eq(rj_frame_type(fixture.log.terms[1], TERM - 96), RJ_FRAME_TYPE_PAD);
    cr_assert_eq(rj_log_active_term_count(&fixture.log), 5);
    cr_assert_eq(rj_log_raw_tail(&fixture.log, 2), rj_tail_pack(-2, 0));
    cr_assert_eq(rj_exclusive_append(&exclusive, FAR, &part, 1, 0), 5 * TERM + 160);
    cr_assert_eq(rj_hex_compare(fixture.log.terms[2] + 20, "fe ff ff ff"), 4);
}

Test(term_append, never_overwrites_the_padding_of_an_exclusive_log_at_its_end)
{
    const int64_t last = rj_position_limit(TERM) - TERM;
    move_log(INT32_MAX, TERM - 96);
    rj_exclusive_t exclusive;
    rj_exclusive_init(&exclusive, &fixture.log);
    struct iovec part = {bytes, 100};
    cr_assert_eq(rj_exclusive_append(&exclusive, INT64_MAX, &part, 1, 0),
                 RJ_APPEND_MAX_POSITION_EXCEEDED);
    part.iov_len = 1;
    cr_assert_eq(rj_exclusive_append(&exclusive, INT64_MAX, &part, 1, 0),
                 RJ_APPEND_MAX_POSITION_EXCEEDED);
    cr_assert_eq(frame_length(INT32_MAX % 3, TERM - 96), 96);
    cr_assert_eq(rj_exclusive_position(&exclusive), last + TERM);
}

Test(term_append, appends_padding_longer_than_a_frame)
{
    rj_exclusive_t exclusive;
    rj_exclusive_init(&exclusive, &fixture.log);
    cr_assert_eq(rj_exclusive_append_padding(&exclusive, FAR, 5000), 5056);
    cr_assert_eq(frame_length(0, 0), 5032);
    cr_assert_eq(rj_frame_type(fixture.log.terms[0], 0), RJ_FRAME_TYPE_PAD);
    cr_assert_eq(rj_exclusive_append_padding(&exclusive, FAR, 8192 - 31), RJ_APPEND_ERROR);
    cr_assert_eq(rj_exclusive_append_padding(&exclusive, FAR, -1), RJ_APPEND_ERROR);
    cr_assert_eq(rj_exclusive_append_padding(&exclusive, 5056, 1), RJ_APPEND_BACK_PRESSURED);
}

static void make_block(uint8_t *block, int32_t offset, int32_t term_id)
{
    memcpy(block, bytes, 192);
    rj_log_fixture_frame(block, 0, 100, RJ_FRAME_TYPE_DATA, term_id);
    rj_log_fixture_frame(block, 128, 64, RJ_FRAME_TYPE_DATA, term_id);
    rj_wire_data_t *first = (rj_wire_data_t *)(void *)block;
    rj_wire_data_t *second = (rj_wire_data_t *)(void *)(block + 128);
    first->term_offset = offset;
    second->term_offset = offset + 128;
}

Test(term_append, copies_a_block_that_names_its_place)
{
    static uint8_t block[192];
    move_log(0, TERM - 192);
    rj_exclusive_t exclusive;
    rj_exclusive_init(&exclusive, &fixture.log);
    make_block(block, TERM - 192, -7);
    cr_assert_eq(rj_exclusive_append_block(&exclusive, FAR, block, 224), RJ_APPEND_ERROR);
    cr_assert_eq(rj_exclusive_append_block(&exclusive, FAR, block, 33), RJ_APPEND_ERROR);
    cr_assert_eq(rj_exclusive_append_block(&exclusive, FAR, block, 0), RJ_APPEND_ERROR);
    for (size_t i = 6; i < 24; i++) {
        block[i] ^= 0x40; /* type, offset, session, stream, term id: each counts */
        cr_assert_eq(rj_exclusive_append_block(&exclusive, FAR, block, 192), RJ_APPEND_ERROR);
        block[i] ^= 0x40;
    }
    cr_assert_eq(rj_exclusive_append_block(&exclusive, TERM - 192, block, 192),
                 RJ_APPEND_BACK_PRESSURED);
    cr_assert_eq(rj_exclusive_append_block(&exclusive, FAR, block, 192), TERM);
    cr_assert_arr_eq(fixture.log.terms[0] + TERM - 192, block, 192);
    /* The term is full to its end; the next block begins the next term at once. */
    make_block(block, 0, -6);
    cr_assert_eq(rj_exclusive_append_block(&exclusive, FAR, block, 192), TERM + 192);
    cr_assert_eq(rj_log_active_term_count(&fixture.log), 1);
    cr_assert_eq(rj_log_raw_tail(&fixture.log, 1), rj_tail_pack(-6, 192));
}

/* Messages of random lengths are read back in order while a cleaner runs behind. */
static void round_trip(uint64_t seed, bool is_exclusive)
{
    rj_prng_t prng;
    rj_prng_init(&prng, seed);
    rj_exclusive_t exclusive;
    rj_exclusive_init(&exclusive, &fixture.log);
    const rj_log_t *log = &fixture.log;
    int64_t clean = 0, read = 0;
    for (int i = 0; i < 2000; i++) {
        size_t length = rj_prng_below(&prng, rj_prng_chance(&prng, 0.2) ? 8193 : 500);
        const uint8_t *from = bytes + rj_prng_below(&prng, TERM);
        struct iovec part = {(void *)(uintptr_t)from, length};
        int64_t limit = read + TERM / 2, position;
        do {
            position = is_exclusive ? rj_exclusive_append(&exclusive, limit, &part, 1, 0)
                                    : rj_append_shared(log, limit, &part, 1, 0);
        } while (position == RJ_APPEND_ADMIN_ACTION);
        cr_assert_gt(position, 0);
        size_t got = 0;
        while (read < position) {
            const uint8_t *term = rj_log_term(log, read);
            int32_t offset = rj_position_term_offset(read, log->term_mask);
            int32_t frame = rj_frame_length(term, offset);
            cr_assert_gt(frame, 0);
            read += rj_frame_aligned_length(frame);
            if (rj_frame_type(term, offset) == RJ_FRAME_TYPE_PAD)
                continue;
            bool is_first = got == 0;
            cr_assert_arr_eq(term + offset + 32, from + got, (size_t)frame - 32);
            got += (size_t)frame - 32;
            cr_assert_eq(frame_flags(rj_position_partition(read - 1, log->position_shift), offset),
                         (is_first ? 0x80 : 0) | (got == length ? 0x40 : 0));
        }
        cr_assert_eq(got, length);
        cr_assert_eq(read, position);
        while (clean < read)
            rj_log_clean_to(log, &clean, read);
    }
}

Test(term_append, reads_back_whatever_shared_publishers_wrote)
{
    round_trip(21, false);
}

Test(term_append, reads_back_whatever_an_exclusive_publisher_wrote)
{
    round_trip(22, true);
}
