/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/term_gap.h"

#include "tests/fixtures/log_fixture.h"

enum { TERM = 65536 };

static uint8_t term[TERM] __attribute__((aligned(64)));

static void frame(int32_t offset, int32_t length)
{
    rj_log_fixture_frame(term, offset, length, RJ_FRAME_TYPE_DATA, 5);
}

static void expect(int32_t offset, int32_t limit, int32_t rebuilt, int32_t gap_offset,
                   int32_t gap_length)
{
    rj_term_gap_t gap;
    cr_assert_eq(rj_term_gap_scan(term, offset, limit, &gap), rebuilt);
    cr_assert_eq(gap.length, gap_length);
    if (gap_length > 0)
        cr_assert_eq(gap.offset, gap_offset);
}

/* shm.md 19.10 */
Test(term_gap, finds_the_gap_of_the_specification)
{
    frame(0, 64);
    frame(256, 32);
    expect(0, 288, 64, 64, 192);
    expect(0, 256, 64, 64, 192);
    frame(64, 192);
    expect(0, 288, 288, 0, 0);
}

Test(term_gap, finds_nothing_where_nothing_is_expected)
{
    expect(0, 0, 0, 0, 0);
    expect(320, 320, 320, 0, 0);
    expect(TERM, TERM, TERM, 0, 0);
    frame(0, 1408);
    expect(0, 1408, 1408, 0, 0);
}

Test(term_gap, ends_a_gap_at_the_mark_or_at_the_end_of_the_term)
{
    frame(0, 64);
    expect(0, 4096, 64, 64, 4032);
    expect(0, TERM, 64, 64, TERM - 64);
    frame(TERM - 32, 32);
    expect(64, TERM, 64, 64, TERM - 96);
    expect(TERM - 32, TERM, TERM, 0, 0);
}

Test(term_gap, finds_the_next_gap_behind_the_first)
{
    frame(64, 32);
    frame(160, 32);
    expect(0, 192, 0, 0, 64);
    expect(64, 192, 96, 96, 64);
    expect(160, 192, 192, 0, 0);
}

Test(term_gap, takes_a_padding_frame_for_the_span_it_covers)
{
    rj_log_fixture_frame(term, 0, TERM, RJ_FRAME_TYPE_PAD, 5);
    expect(0, TERM, TERM, 0, 0);
}

Test(term_gap, never_leaves_the_term_whatever_a_client_wrote)
{
    const int32_t lengths[] = {INT32_MAX, INT32_MAX - 31, TERM + 1, 4097};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        frame(0, lengths[i]);
        expect(0, 4096, 4096, 0, 0);
    }
    frame(0, INT32_MIN);
    expect(0, 4096, 0, 0, 4096);
}
