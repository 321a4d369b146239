/* SPDX-License-Identifier: Apache-2.0 */
/* The command line's code is not in the library, so the source comes in here. */
#include "cli/end_mark.h"
#include "cli/generator.c"

#include <criterion/criterion.h>

static int parse(rj_lengths_t *lengths, const char *text)
{
    rj_err_t err = {.text = ""};
    return rj_lengths_parse(lengths, text, &err);
}

Test(generator, reads_a_length_a_range_and_weighted_ranges)
{
    rj_lengths_t lengths;
    cr_assert_eq(parse(&lengths, "32"), 0);
    cr_assert_eq(lengths.class_count, 1);
    cr_assert_eq(lengths.classes[0].length_min, 32);
    cr_assert_eq(lengths.classes[0].length_max, 32);
    cr_assert_eq(parse(&lengths, "0-1k"), 0);
    cr_assert_eq(rj_lengths_max(&lengths), 1024);
    cr_assert_eq(parse(&lengths, "0-1K:90,1K-16K:9,16K-256K:1"), 0);
    cr_assert_eq(lengths.class_count, 3);
    cr_assert_eq(lengths.classes[1].weight, 9);
    cr_assert_eq(rj_lengths_max(&lengths), 256 * 1024);
}

Test(generator, refuses_what_is_no_length)
{
    static const char *const texts[] = {
        "",    "x",    "-1",    "5-2",       "1-", "1:0", "1:-1",
        "17M", "1,,2", "1-2-3", "1:1000001", "1 ", "1,",  "1,1,1,1,1,1,1,1,1"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        rj_lengths_t lengths = {.class_count = 77};
        cr_assert_eq(parse(&lengths, texts[i]), -EINVAL, "'%s'", texts[i]);
        cr_assert_eq(lengths.class_count, 77, "'%s' left something behind", texts[i]);
    }
}

Test(generator, makes_the_same_messages_from_the_same_seed)
{
    static rj_generator_t first;
    static rj_generator_t second;
    static rj_generator_t other;
    rj_lengths_t lengths;
    cr_assert_eq(parse(&lengths, "0-100:1,1000-2000:1"), 0);
    cr_assert_eq(rj_generator_open(&first, &lengths, 5, NULL), 0);
    cr_assert_eq(rj_generator_open(&second, &lengths, 5, NULL), 0);
    cr_assert_eq(rj_generator_open(&other, &lengths, 6, NULL), 0);
    int differences = 0;
    int shorts = 0;
    for (int i = 0; i < 10000; i++) {
        int32_t length_1, length_2, length_3;
        const uint8_t *message_1 = rj_generator_peek(&first, &length_1);
        const uint8_t *message_2 = rj_generator_peek(&second, &length_2);
        rj_generator_peek(&other, &length_3);
        cr_assert_eq(length_1, length_2);
        cr_assert_arr_eq(message_1, message_2, (size_t)length_1);
        cr_assert(length_1 <= 100 || (length_1 >= 1000 && length_1 <= 2000));
        differences += length_1 != length_3;
        shorts += length_1 <= 100;
        rj_generator_next(&first);
        rj_generator_next(&second);
        rj_generator_next(&other);
    }
    cr_assert(differences > 9000);
    cr_assert(shorts > 4000 && shorts < 6000, "%d", shorts);
    rj_generator_close(&first);
    rj_generator_close(&second);
    rj_generator_close(&other);
}

Test(generator, marks_the_end_so_that_no_other_value_looks_like_it)
{
    int64_t bytes = -1;
    cr_assert(rj_end_mark_parse(rj_end_mark_make(1234567890123), &bytes));
    cr_assert_eq(bytes, 1234567890123);
    cr_assert_not(rj_end_mark_parse(0, &bytes));
    cr_assert_not(rj_end_mark_parse(-1, &bytes));
    cr_assert_not(rj_end_mark_parse(1234567890123, &bytes));
}
