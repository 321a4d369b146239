/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/term_unblock.h"

#include "tests/fixtures/hex.h"
#include "tests/fixtures/log_fixture.h"

enum { TERM = 65536 };

static rj_log_fixture_t fixture;

static void open_log(void)
{
    rj_log_params_t params = rj_log_fixture_params(5);
    rj_log_fixture_open(&fixture, &params);
}

static void close_log(void)
{
    rj_log_fixture_close(&fixture);
}

TestSuite(term_unblock, .init = open_log, .fini = close_log);

static void set_tail(int partition, int32_t term_id, uint32_t offset)
{
    fixture.log.metadata->term_tail_counters[partition] = rj_tail_pack(term_id, offset);
}

static void frame(int32_t offset, int32_t length)
{
    rj_log_fixture_frame(fixture.log.terms[0], offset, length, RJ_FRAME_TYPE_DATA, 5);
}

static int32_t length_at(int32_t offset)
{
    int32_t length;
    memcpy(&length, fixture.log.terms[0] + offset, sizeof(length));
    return length;
}

/* shm.md 19.10 */
Test(term_unblock, pads_a_silent_hole_up_to_the_next_frame)
{
    set_tail(0, 5, 160);
    frame(96, 64);
    cr_assert(rj_term_unblock(&fixture.log, 0));
    cr_assert_eq(rj_hex_compare(fixture.log.terms[0], "60 00 00 00 00 c0 00 00 00 00 00 00 1d 2c 3b"
                                                      "4a e9 03 00 00 05 00 00 00"),
                 24);
    cr_assert_not(rj_term_unblock(&fixture.log, 0), "it is a frame now");
    cr_assert_not(rj_term_unblock(&fixture.log, 160), "nothing is behind");
}

/* shm.md 19.10 */
Test(term_unblock, pads_to_the_end_of_a_term_that_was_tripped)
{
    set_tail(0, 5, TERM + 64);
    frame(0, 160);
    cr_assert(rj_term_unblock(&fixture.log, 160));
    cr_assert_eq(rj_hex_compare(fixture.log.terms[0] + 160,
                                "60 ff 00 00 00 c0 00 00 a0 00 00 00 1d 2c 3b 4a"
                                "e9 03 00 00 05 00 00 00"),
                 24);
    cr_assert_eq((uint64_t)rj_log_raw_tail(&fixture.log, 1), UINT64_C(0x0000000600000000));
    cr_assert_eq(rj_log_active_term_count(&fixture.log), 1);
}

/* shm.md 19.10 */
Test(term_unblock, finishes_a_rotation)
{
    cr_assert(rj_term_unblock(&fixture.log, TERM));
    cr_assert_eq((uint64_t)rj_log_raw_tail(&fixture.log, 1), UINT64_C(0x0000000600000000));
    cr_assert_eq(rj_log_active_term_count(&fixture.log), 1);
    cr_assert_not(rj_term_unblock(&fixture.log, TERM));
}

Test(term_unblock, finishes_a_rotation_of_which_half_was_done)
{
    set_tail(1, 6, 96);
    cr_assert(rj_term_unblock(&fixture.log, TERM));
    cr_assert_eq(rj_log_raw_tail(&fixture.log, 1), rj_tail_pack(6, 96));
    cr_assert_eq(rj_log_active_term_count(&fixture.log), 1);
}

Test(term_unblock, gives_a_begun_claim_its_length)
{
    set_tail(0, 5, 192);
    frame(0, -100);
    frame(128, 64);
    cr_assert(rj_term_unblock(&fixture.log, 0));
    cr_assert_eq(length_at(0), 100);
    cr_assert_eq(fixture.log.terms[0][6], RJ_FRAME_TYPE_PAD);
}

Test(term_unblock, pads_the_last_slot_of_a_term)
{
    set_tail(0, 5, TERM);
    cr_assert(rj_term_unblock(&fixture.log, TERM - 32));
    cr_assert_eq(length_at(TERM - 32), 32);
    cr_assert_eq(rj_log_active_term_count(&fixture.log), 1);
}

Test(term_unblock, leaves_unclaimed_space_alone)
{
    set_tail(0, 5, TERM - 32);
    cr_assert_not(rj_term_unblock(&fixture.log, TERM - 32));
    set_tail(0, 5, 0);
    cr_assert_not(rj_term_unblock(&fixture.log, 0));
    cr_assert(rj_is_zero(fixture.log.terms[0], TERM));
}

Test(term_unblock, pads_a_silent_hole_up_to_the_tail_when_nobody_writes)
{
    set_tail(0, 5, 256);
    frame(0, 64);
    cr_assert_not(rj_term_unblock(&fixture.log, 64), "somebody may write yet");
    cr_assert(rj_term_unblock_tail(&fixture.log, 64));
    cr_assert_eq(length_at(64), 192);
    cr_assert_eq(fixture.log.terms[0][64 + 6], RJ_FRAME_TYPE_PAD);
    cr_assert_not(rj_term_unblock_tail(&fixture.log, 64), "it is a frame now");
    cr_assert_not(rj_term_unblock_tail(&fixture.log, 256), "nothing was claimed");
    cr_assert_not(rj_term_unblock_tail(&fixture.log, 320), "nothing was claimed");
    cr_assert_not(rj_term_unblock_tail(&fixture.log, TERM), "the tail is of another term");
}

Test(term_unblock, leaves_a_hole_with_frames_behind_to_the_other)
{
    set_tail(0, 5, 256);
    frame(128, 64);
    cr_assert_not(rj_term_unblock_tail(&fixture.log, 0));
    frame(0, -100);
    cr_assert_not(rj_term_unblock_tail(&fixture.log, 0));
}

/* shm.md 17: what a client may have written there */
Test(term_unblock, bounds_a_length_that_no_claim_has)
{
    const int32_t lengths[] = {INT32_MIN, -INT32_MAX, -TERM, -31, -1};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        set_tail(0, 5, 256);
        frame(128, lengths[i]);
        cr_assert(rj_term_unblock(&fixture.log, 128));
        cr_assert_eq(length_at(128), 128, "the rest up to the tail is padded");
        frame(128, lengths[i]);
        set_tail(0, 5, 128);
        cr_assert_not(rj_term_unblock(&fixture.log, 128));
    }
}

Test(term_unblock, does_nothing_where_the_tail_is_of_another_term)
{
    set_tail(0, 8, TERM);
    cr_assert_not(rj_term_unblock(&fixture.log, 0));
    cr_assert(rj_is_zero(fixture.log.terms[0], TERM));
}
