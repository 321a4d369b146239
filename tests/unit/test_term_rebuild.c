/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/term_rebuild.h"

#include "base/prng.h"
#include "shm/term_gap.h"
#include "tests/fixtures/hex.h"
#include "tests/fixtures/log_fixture.h"

enum { TERM = 65536 };

static uint8_t term[TERM] __attribute__((aligned(64)));

static void default_header(uint8_t *header)
{
    rj_log_fixture_frame(header, 0, 0, RJ_FRAME_TYPE_DATA, 5);
}

Test(term_rebuild, puts_a_datagram_where_it_belongs)
{
    /* Received bytes lie anywhere: at an odd address here. */
    uint8_t storage[257];
    uint8_t *packet = storage + 1;
    for (int i = 0; i < 256; i++)
        packet[i] = (uint8_t)i;
    rj_log_fixture_frame(packet, 0, 100, RJ_FRAME_TYPE_DATA, 5);
    rj_log_fixture_frame(packet, 128, 128, RJ_FRAME_TYPE_DATA, 5);
    cr_assert(rj_term_insert(term, 4096, packet, 256));
    cr_assert_arr_eq(term + 4096, packet, 256);
    cr_assert(rj_is_zero(term, 4096));
    cr_assert(rj_is_zero(term + 4096 + 256, TERM - 4096 - 256));
}

Test(term_rebuild, takes_a_bare_header)
{
    uint8_t packet[32];
    rj_log_fixture_frame(packet, 0, 4096, RJ_FRAME_TYPE_PAD, 5);
    cr_assert(rj_term_insert(term, TERM - 4096, packet, 32));
    cr_assert_arr_eq(term + TERM - 4096, packet, 32);
}

Test(term_rebuild, ignores_what_is_there_already)
{
    uint8_t packet[64] = {0};
    rj_log_fixture_frame(packet, 0, 64, RJ_FRAME_TYPE_DATA, 5);
    cr_assert(rj_term_insert(term, 0, packet, 64));
    packet[40] = 9;
    cr_assert_not(rj_term_insert(term, 0, packet, 64));
    cr_assert_eq(term[40], 0);
}

/* shm.md 19.10 */
Test(term_rebuild, fills_the_gap_of_the_specification)
{
    uint8_t header[32];
    default_header(header);
    rj_log_fixture_frame(term, 0, 64, RJ_FRAME_TYPE_DATA, 5);
    rj_log_fixture_frame(term, 256, 32, RJ_FRAME_TYPE_DATA, 5);
    cr_assert(rj_term_fill_gap(term, 64, 192, header, 5));
    cr_assert_eq(rj_hex_compare(term + 64, "c0 00 00 00 00 c0 00 00 40 00 00 00 1d 2c 3b 4a"
                                           "e9 03 00 00 05 00 00 00 00 00 00 00 00 00 00 00"),
                 32);
    cr_assert_not(rj_term_fill_gap(term, 64, 192, header, 5));
}

Test(term_rebuild, fills_no_gap_in_which_data_has_arrived)
{
    uint8_t header[32];
    default_header(header);
    rj_log_fixture_frame(term, 128, 32, RJ_FRAME_TYPE_DATA, 5);
    cr_assert_not(rj_term_fill_gap(term, 64, 192, header, 5));
    cr_assert(rj_is_zero(term + 64, 64));
    cr_assert(rj_term_fill_gap(term, 64, 64, header, 5));
}

/* Datagrams of a whole term arrive in any order, some twice: after each one the gap scan agrees
 * with a list of what has arrived, and in the end every byte is in its place. */
Test(term_rebuild, agrees_with_a_list_of_what_has_arrived)
{
    enum { PACKETS_MAX = TERM / 32 };
    static uint8_t source[TERM] __attribute__((aligned(64)));
    static int32_t offsets[PACKETS_MAX + 1];
    static bool arrived[PACKETS_MAX];
    rj_prng_t prng;
    rj_prng_init(&prng, 2);
    for (int round = 0; round < 10; round++) {
        int count = 0;
        for (int32_t at = 0; at < TERM; count++) {
            int32_t left = TERM - at;
            int32_t length = (int32_t)rj_prng_between(&prng, 33, 1408);
            length = length > left - 64 ? left : length;
            for (int32_t i = 0; i < length; i++)
                source[at + i] = (uint8_t)(rj_prng_next(&prng) | 1);
            rj_log_fixture_frame(source, at, length, RJ_FRAME_TYPE_DATA, round);
            offsets[count] = at;
            arrived[count] = false;
            at += (length + 31) & ~31;
        }
        offsets[count] = TERM;
        memset(term, 0, sizeof(term));
        int missing = count;
        int32_t mark = 0;
        while (missing > 0) {
            int i = (int)rj_prng_below(&prng, (uint64_t)count);
            int32_t length = offsets[i + 1] - offsets[i];
            cr_assert_eq(rj_term_insert(term, offsets[i], source + offsets[i], length),
                         !arrived[i]);
            missing -= !arrived[i];
            arrived[i] = true;
            mark = mark > offsets[i + 1] ? mark : offsets[i + 1];
            int first = 0, end;
            while (first < count && arrived[first])
                first++;
            for (end = first; end < count && !arrived[end];)
                end++;
            rj_term_gap_t gap;
            int32_t rebuilt = rj_term_gap_scan(term, 0, mark, &gap);
            cr_assert_eq(rebuilt, offsets[first] < mark ? offsets[first] : mark);
            int32_t expected_end = offsets[end] < mark ? offsets[end] : mark;
            cr_assert_eq(gap.length, rebuilt < mark ? expected_end - rebuilt : 0);
        }
        cr_assert_arr_eq(term, source, TERM);
    }
}
