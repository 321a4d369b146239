/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/why.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(why, is_read_as_it_was_written)
{
    static const rj_why_t rows[] = {
        {RJ_WHY_FLOWS, false, 0, 0, 0},
        {RJ_WHY_NO_SUBSCRIBER, true, 0, 0, 0},
        {RJ_WHY_GROUP_INCOMPLETE, true, 1, 3, 0},
        {RJ_WHY_GROUP_INCOMPLETE, true, (1 << 24) - 2, (1 << 24) - 1, 0},
        {RJ_WHY_WINDOW_CLOSED, false, 0, 0, INT64_MIN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const rj_why_t read = rj_why_unpack(rj_why_pack(&rows[i]), rows[i].who);
        cr_expect_eq(read.reason, rows[i].reason);
        cr_expect_eq(read.is_held, rows[i].is_held);
        cr_expect_eq(read.has, rows[i].has);
        cr_expect_eq(read.needs, rows[i].needs);
        cr_expect_eq(read.who, rows[i].who);
    }
}

Test(why, tells_numbers_beyond_its_room_as_the_greatest)
{
    const rj_why_t why = {RJ_WHY_GROUP_INCOMPLETE, true, -1, INT32_MAX, 0};
    const rj_why_t read = rj_why_unpack(rj_why_pack(&why), 0);
    cr_expect_eq(read.has, 0);
    cr_expect_eq(read.needs, (1 << 24) - 1);
    cr_expect(read.is_held);
}

/* Another program's counter, or a driver's of a later version. */
Test(why, has_a_sentence_for_everything_that_a_word_may_say)
{
    for (int64_t value = 0; value < 256; value++) {
        char text[256];
        const rj_why_t why = rj_why_unpack(value, -1);
        cr_expect_gt(strlen(rj_why_word(why.reason)), 0);
        const int length = rj_why_sentence(text, sizeof(text), &why, NULL);
        cr_expect(length > 0 && length < (int)sizeof(text));
        cr_expect_eq(why.reason, value < RJ_WHY_COUNT ? (rj_why_reason_t)value : RJ_WHY_COUNT);
    }
}

Test(why, names_who_is_waited_for)
{
    char text[256];
    rj_why_t why = {RJ_WHY_WINDOW_CLOSED, true, 0, 0, 42};
    rj_why_sentence(text, sizeof(text), &why, "10.0.0.2:4000");
    cr_expect_not_null(strstr(text, "receiver 42 at 10.0.0.2:4000"), "%s", text);
    rj_why_sentence(text, sizeof(text), &why, NULL);
    cr_expect_not_null(strstr(text, "receiver 42 is closed"), "%s", text);
    why = (rj_why_t){RJ_WHY_GROUP_INCOMPLETE, true, 1, 3, 0};
    rj_why_sentence(text, sizeof(text), &why, NULL);
    cr_expect_str_eq(text, "it waits for a group of 3 receivers and has 1");
    why = (rj_why_t){RJ_WHY_SUBSCRIBER_SLOW, true, 0, 0, 7};
    cr_expect_lt(rj_why_sentence(text, 8, &why, NULL), 256);
    cr_expect_eq(strlen(text), 7, "cut, and terminated");
}
