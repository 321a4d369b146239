/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/term_scan.h"

#include "base/prng.h"
#include "tests/fixtures/log_fixture.h"

enum { TERM = 65536 };

static uint8_t term[TERM] __attribute__((aligned(64)));

static void frame(int32_t offset, int32_t length, int16_t type)
{
    rj_log_fixture_frame(term, offset, length, type, 5);
}

static void expect(int32_t offset, int32_t length_max, int32_t available, int32_t padding)
{
    rj_term_scan_t scan = rj_term_scan(term, offset, TERM, length_max);
    cr_assert_eq(scan.available, available, "at %d, at most %d: available is %d, not %d", offset,
                 length_max, scan.available, available);
    cr_assert_eq(scan.padding, padding, "at %d, at most %d: padding is %d, not %d", offset,
                 length_max, scan.padding, padding);
}

/* shm.md 19.9, on the term of 19.8 */
Test(term_scan, finds_what_the_specification_finds)
{
    frame(0, 37, RJ_FRAME_TYPE_DATA);
    frame(64, 1408, RJ_FRAME_TYPE_DATA);
    frame(1472, 1408, RJ_FRAME_TYPE_DATA);
    frame(2880, 280, RJ_FRAME_TYPE_DATA);
    frame(65472, 64, RJ_FRAME_TYPE_PAD);
    expect(0, 1408, 64, 0);
    expect(0, 32, -64, 0);
    expect(64, 1408, 1408, 0);
    expect(65472, 1408, 32, 32);
    expect(65472, 31, -32, 0);
    expect(3168, 1408, 0, 0);
}

Test(term_scan, gathers_frames_up_to_the_limit)
{
    frame(0, 33, RJ_FRAME_TYPE_DATA);
    frame(64, 32, RJ_FRAME_TYPE_DATA);
    frame(96, 100, RJ_FRAME_TYPE_DATA);
    expect(0, 1408, 224, 0);
    expect(0, 224, 224, 0);
    expect(0, 223, 96, 0);
    expect(0, 96, 96, 0);
    expect(0, 95, 64, 0);
}

Test(term_scan, ends_a_datagram_with_the_header_of_a_padding_frame)
{
    frame(0, 64, RJ_FRAME_TYPE_DATA);
    frame(64, 1024, RJ_FRAME_TYPE_PAD);
    frame(1088, 64, RJ_FRAME_TYPE_DATA);
    expect(0, 1408, 96, 992);
    expect(0, 96, 96, 992);
    expect(0, 95, 64, 0);
    /* A padding frame that is nothing but its header does not end it. */
    frame(64, 32, RJ_FRAME_TYPE_PAD);
    frame(96, 64, RJ_FRAME_TYPE_DATA);
    expect(0, 1408, 160, 0);
}

Test(term_scan, stops_at_frames_that_are_being_written)
{
    frame(0, 64, RJ_FRAME_TYPE_DATA);
    frame(64, -64, RJ_FRAME_TYPE_DATA);
    expect(0, 1408, 64, 0);
    expect(64, 1408, 0, 0);
}

Test(term_scan, never_passes_the_end_of_the_term)
{
    frame(TERM - 64, 64, RJ_FRAME_TYPE_DATA);
    expect(TERM - 64, 1408, 64, 0);
    frame(TERM - 32, 32, RJ_FRAME_TYPE_PAD);
    expect(TERM - 32, 1408, 32, 0);
}

/* shm.md 17: lengths that a client has spoilt */
Test(term_scan, reports_lengths_that_no_frame_has)
{
    frame(64, 64, RJ_FRAME_TYPE_DATA);
    const int32_t lengths[] = {1, 31, TERM - 64 + 1, TERM, INT32_MAX, INT32_MAX - 31};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        frame(128, 64, RJ_FRAME_TYPE_DATA);
        expect(64, 1408, 128, 0);
        for (int16_t type = RJ_FRAME_TYPE_PAD; type <= RJ_FRAME_TYPE_DATA; type++) {
            frame(128, lengths[i] == TERM - 64 + 1 ? TERM - 128 + 1 : lengths[i], type);
            expect(128, 1408, RJ_TERM_SCAN_CORRUPT, 0);
            expect(64, 1408, 64, 0);
        }
    }
}

/* Every scan over random frames covers the term exactly, in order, and respects the limit. */
Test(term_scan, covers_any_term_exactly_once)
{
    rj_prng_t prng;
    rj_prng_init(&prng, 6);
    for (int round = 0; round < 200; round++) {
        int32_t offset = 0, scanned = 0;
        memset(term, 0, sizeof(term));
        while (offset < TERM) {
            int32_t left = TERM - offset;
            int32_t length = (int32_t)rj_prng_between(&prng, 32, left < 1408 ? left : 1408);
            bool is_padding = left < 2048 && rj_prng_chance(&prng, 0.3);
            if (is_padding)
                length = left;
            frame(offset, length, is_padding ? RJ_FRAME_TYPE_PAD : RJ_FRAME_TYPE_DATA);
            offset += (length + 31) & ~31;
        }
        while (scanned < TERM) {
            int32_t limit = (int32_t)rj_prng_between(&prng, 1408, 8192);
            rj_term_scan_t scan = rj_term_scan(term, scanned, TERM, limit);
            cr_assert(scan.available > 0 && scan.available <= limit && scan.padding >= 0);
            scanned += scan.available + scan.padding;
        }
        cr_assert_eq(scanned, TERM);
    }
}
