/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/loss_report.h"

#include "tests/fixtures/hex.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

enum { SECTION = 1024 };

static const int64_t FIRST_MS = INT64_C(1700000000123), LAST_MS = INT64_C(1700000000999);
static const char *const CHANNEL = "aeron:udp?endpoint=224.0.1.1:40456";
static const char *const SOURCE = "127.0.0.1:50000";
static uint8_t section[SECTION] __attribute__((aligned(64)));
static rj_loss_report_t report;

static void start(void)
{
    cr_assert_eq(rj_loss_report_attach(&report, section, SECTION), 0);
}

TestSuite(loss_report, .init = start);

/* shm.md 19.6 */
Test(loss_report, writes_the_entry_of_the_specification)
{
    int64_t offset =
        rj_loss_report_create(&report, 1408, FIRST_MS, 0x4A3B2C1D, 1001, CHANNEL, SOURCE);
    cr_assert_eq(offset, 0);
    rj_loss_report_add(&report, offset, 2816, LAST_MS);
    cr_assert_eq(rj_hex_compare(section, "02 00 00 00 00 00 00 00 80 10 00 00 00 00 00 00"
                                         "7b 68 e5 cf 8b 01 00 00 e7 6b e5 cf 8b 01 00 00"
                                         "1d 2c 3b 4a e9 03 00 00 22 00 00 00 61 65 72 6f"
                                         "6e 3a 75 64 70 3f 65 6e 64 70 6f 69 6e 74 3d 32"
                                         "32 34 2e 30 2e 31 2e 31 3a 34 30 34 35 36 00 00"
                                         "0f 00 00 00 31 32 37 2e 30 2e 30 2e 31 3a 35 30"
                                         "30 30 30 00"),
                 100);
    cr_assert_eq(rj_loss_report_create(&report, 1, FIRST_MS, 1, 2, CHANNEL, SOURCE), 128);
}

static int64_t align64(int64_t value)
{
    return (value + 63) / 64 * 64;
}

/* Readers in C stride by 48 + channel + source, readers in Java by the aligned channel: every entry
 * must begin where both look for it. */
Test(loss_report, keeps_the_place_of_both_kinds_of_reader)
{
    char channel[64] = "", source[64] = "";
    for (int c = 0; c < 60; c++) {
        for (int s = 0; s < 60; s++) {
            memset(section, 0, sizeof(section));
            memset(channel, 'c', sizeof(channel));
            memset(source, 's', sizeof(source));
            channel[c] = source[s] = '\0';
            rj_loss_report_attach(&report, section, SECTION);
            cr_assert_eq(rj_loss_report_create(&report, 1, 1, 1, 1, channel, source), 0);
            int32_t stored;
            memcpy(&stored, section + 40, sizeof(stored));
            cr_assert(stored >= c && stored < c + 4);
            cr_assert_eq(align64(48 + stored + s), report.next_offset);
            cr_assert_eq(align64(48 + (stored + 3) / 4 * 4 + s), report.next_offset);
            int64_t offset = 0;
            rj_loss_view_t view;
            cr_assert(rj_loss_report_next(section, SECTION, &offset, &view));
            cr_assert_eq(offset, report.next_offset);
            cr_assert_eq(view.source_length, s);
            cr_assert_eq(memcmp(view.source, source, (size_t)s), 0);
            cr_assert_eq(memcmp(view.channel, channel, (size_t)c), 0);
            for (int i = c; i < stored; i++)
                cr_assert_eq(view.channel[i], ' ');
        }
    }
}

Test(loss_report, reads_all_entries_and_stops)
{
    rj_loss_report_create(&report, 100, FIRST_MS, 1, 10, CHANNEL, SOURCE);
    rj_loss_report_create(&report, 200, LAST_MS, 2, 20, CHANNEL, "");
    int64_t offset = 0;
    rj_loss_view_t view;
    cr_assert(rj_loss_report_next(section, SECTION, &offset, &view));
    cr_assert_eq(view.session_id, 1);
    cr_assert(rj_loss_report_next(section, SECTION, &offset, &view));
    cr_assert_eq(view.stream_id, 20);
    cr_assert_eq(view.total_bytes_lost, 200);
    cr_assert_eq(view.first_observation_ms, LAST_MS);
    cr_assert_eq(view.source_length, 0);
    cr_assert_not(rj_loss_report_next(section, SECTION, &offset, &view));
}

Test(loss_report, is_full_when_the_next_entry_does_not_fit)
{
    int64_t offset = 0;
    int count = 0;
    while ((offset = rj_loss_report_create(&report, 1, 1, 1, 1, CHANNEL, SOURCE)) >= 0)
        count++;
    cr_assert_eq(offset, -ENOSPC);
    cr_assert_eq(count, SECTION / 128);
    rj_loss_view_t view;
    for (offset = 0; rj_loss_report_next(section, SECTION, &offset, &view);)
        count--;
    cr_assert_eq(count, 0);
}

Test(loss_report, stops_reading_where_a_length_cannot_be)
{
    const int32_t lengths[] = {-1, INT32_MIN, SECTION, SECTION - 44 + 1, INT32_MAX};
    rj_loss_view_t view;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        memset(section, 0, sizeof(section));
        start();
        rj_loss_report_create(&report, 1, 1, 1, 1, CHANNEL, SOURCE);
        memcpy(section + 40, &lengths[i], sizeof(int32_t));
        int64_t offset = 0;
        cr_assert_not(rj_loss_report_next(section, SECTION, &offset, &view));
        const int32_t sound = 34;
        memcpy(section + 40, &sound, sizeof(sound));
        memcpy(section + 80, &lengths[i], sizeof(int32_t));
        cr_assert_not(rj_loss_report_next(section, SECTION, &offset, &view));
    }
    int64_t offset = SECTION - 40;
    cr_assert_not(rj_loss_report_next(section, SECTION, &offset, &view));
    cr_assert_eq(rj_loss_report_attach(&report, section + 4, 64), -EINVAL);
}

/* shm.md 9: retries of one gap count once, and only the bytes beyond what is known. */
Test(loss_report, counts_each_lost_byte_once)
{
    rj_loss_observed_t observed = {0};
    cr_assert_eq(rj_loss_observe(&observed, 3, 64, 192), 192);
    cr_assert_eq(rj_loss_observe(&observed, 3, 64, 192), 0);
    cr_assert_eq(rj_loss_observe(&observed, 3, 128, 128), 0);
    cr_assert_eq(rj_loss_observe(&observed, 3, 128, 192), 64);
    cr_assert_eq(rj_loss_observe(&observed, 3, 320, 32), 32);
    cr_assert_eq(rj_loss_observe(&observed, 4, 0, 32), 32);
    observed = (rj_loss_observed_t){0};
    cr_assert_eq(rj_loss_observe(&observed, 0, 0, 32), 32, "the zeros at first are no gap");
}
