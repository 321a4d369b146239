/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/error_log.h"

#include "tests/fixtures/hex.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECTION = 256 };

static const int64_t NOW_MS = INT64_C(1700000000123);
static uint8_t section[SECTION + 8] __attribute__((aligned(8)));
static rj_error_log_t error_log;

static void start(void)
{
    cr_assert_eq(rj_error_log_open(&error_log, section, SECTION, NULL), 0);
}

static void stop(void)
{
    rj_error_log_close(&error_log);
    rj_error_log_close(&error_log);
}

TestSuite(error_log, .init = start, .fini = stop);

/* shm.md 19.5 */
Test(error_log, writes_the_entries_of_the_specification)
{
    cr_assert_eq(rj_error_log_record(&error_log, 7, "short", NOW_MS), 0);
    cr_assert_eq(rj_error_log_record(&error_log, 7, "short", NOW_MS), 0);
    cr_assert_eq(rj_error_log_record(&error_log, 7, "other!", NOW_MS), 0);
    cr_assert_eq(rj_hex_compare(section, "1d 00 00 00 02 00 00 00 7b 68 e5 cf 8b 01 00 00"
                                         "7b 68 e5 cf 8b 01 00 00 73 68 6f 72 74 00 00 00"
                                         "1e 00 00 00 01 00 00 00 7b 68 e5 cf 8b 01 00 00"
                                         "7b 68 e5 cf 8b 01 00 00 6f 74 68 65 72 21 00 00"),
                 64);
}

static int count_entries(int64_t since_ms)
{
    int64_t offset = 0;
    rj_error_view_t view;
    int count = 0;
    while (rj_error_log_next(section, SECTION, since_ms, &offset, &view))
        count++;
    return count;
}

Test(error_log, tells_errors_apart_by_code_and_text)
{
    rj_error_log_record(&error_log, 7, "short", NOW_MS);
    rj_error_log_record(&error_log, 8, "short", NOW_MS);
    rj_error_log_record(&error_log, 7, "shor", NOW_MS);
    cr_assert_eq(count_entries(0), 3);
    rj_error_log_record(&error_log, 8, "short of memory", NOW_MS + 1);
    cr_assert_eq(count_entries(0), 3, "it begins with a stored text");
    cr_assert_eq(count_entries(NOW_MS + 1), 1);
    cr_assert_eq(count_entries(NOW_MS + 2), 0);
}

Test(error_log, reads_back_count_times_and_text)
{
    rj_error_log_record(&error_log, 1, "disk", NOW_MS);
    rj_error_log_record(&error_log, 1, "disk", NOW_MS + 50);
    int64_t offset = 0;
    rj_error_view_t view;
    cr_assert(rj_error_log_next(section, SECTION, 0, &offset, &view));
    cr_assert_eq(view.observation_count, 2);
    cr_assert_eq(view.first_observation_ms, NOW_MS);
    cr_assert_eq(view.last_observation_ms, NOW_MS + 50);
    cr_assert_eq(view.text_length, 4);
    cr_assert_eq(memcmp(view.text, "disk", 4), 0);
    cr_assert_not(rj_error_log_next(section, SECTION, 0, &offset, &view));
}

Test(error_log, records_nothing_that_does_not_fit)
{
    char text[SECTION + 1];
    memset(text, 'x', sizeof(text));
    text[SECTION - 24 + 1] = '\0';
    cr_assert_eq(rj_error_log_record(&error_log, 1, text, NOW_MS), -ENOMEM);
    cr_assert_eq(count_entries(0), 0);
    text[SECTION - 24] = '\0';
    cr_assert_eq(rj_error_log_record(&error_log, 1, text, NOW_MS), 0);
    cr_assert(rj_is_zero(section + SECTION, 8));
    cr_assert_eq(rj_error_log_record(&error_log, 2, "", NOW_MS), -ENOMEM);
    cr_assert_eq(rj_error_log_record(&error_log, 1, text, NOW_MS), 0, "what is there still counts");
    cr_assert_eq(count_entries(0), 1);
}

Test(error_log, stops_reading_where_a_length_cannot_be)
{
    const int32_t lengths[] = {-1, 1, 23, SECTION + 1, INT32_MAX};
    rj_error_view_t view;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        int64_t offset = 0;
        memcpy(section, &lengths[i], sizeof(int32_t));
        cr_assert_not(rj_error_log_next(section, SECTION, 0, &offset, &view));
    }
    int64_t offset = -8;
    cr_assert_not(rj_error_log_next(section, SECTION, 0, &offset, &view));
    offset = SECTION - 16;
    cr_assert_not(rj_error_log_next(section, SECTION, 0, &offset, &view));
}

Test(error_log, refuses_a_section_without_room)
{
    rj_error_log_t other;
    rj_err_t err;
    cr_assert_eq(rj_error_log_open(&other, section, 23, &err), -EINVAL);
    cr_assert_eq(rj_error_log_open(&other, section + 4, 64, &err), -EINVAL);
    rj_error_log_close(&other);
}

Test(error_log, saves_what_people_can_read)
{
    char directory[] = "/tmp/rj-errors-XXXXXX", path[64], text[1024];
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/errors.log", directory);
    setenv("TZ", "UTC", 1);
    cr_assert_eq(rj_error_log_save(section, SECTION, path, NULL), 0);
    cr_assert_neq(access(path, F_OK), 0, "no errors, no file");
    rj_error_log_record(&error_log, 7, "short", NOW_MS);
    rj_error_log_record(&error_log, 7, "short", NOW_MS + 1000);
    cr_assert_eq(rj_error_log_save(section, SECTION, path, NULL), 1);
    FILE *stream = fopen(path, "r");
    size_t length = fread(text, 1, sizeof(text) - 1, stream);
    fclose(stream);
    text[length] = '\0';
    cr_assert_str_eq(text, "***\n2 observations from 2023-11-14 22:13:20.123+0000 to "
                           "2023-11-14 22:13:21.123+0000 for:\n short\n\n"
                           "1 distinct errors observed.\n");
    rj_err_t err;
    cr_assert_eq(rj_error_log_save(section, SECTION, path, &err), -EEXIST);
    unlink(path);
    rmdir(directory);
}
