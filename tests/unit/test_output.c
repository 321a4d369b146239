/* SPDX-License-Identifier: Apache-2.0 */
/* The command line's code is not in the library, so the source comes in here. */
#include "cli/output.c"

#include <criterion/criterion.h>
#include <stdlib.h>

static const rj_column_t columns[] = {{"host", -6}, {"mtu_bytes", 9}, {"loss_ratio", 10}};

typedef struct printed {
    char *text;
    size_t length;
    rj_output_t output;
} printed_t;

static void begin(printed_t *printed, rj_output_format_t format)
{
    FILE *stream = open_memstream(&printed->text, &printed->length);
    cr_assert_not_null(stream);
    rj_output_init(&printed->output, stream, format, columns, 3);
}

static void end_and_expect(printed_t *printed, const char *expected)
{
    fclose(printed->output.stream);
    cr_assert_str_eq(printed->text, expected);
    free(printed->text);
}

static void put_row(rj_output_t *output, const char *host, int64_t mtu_bytes, double ratio)
{
    rj_output_text(output, host);
    rj_output_integer(output, mtu_bytes);
    rj_output_real(output, ratio, 3);
    rj_output_end_row(output);
}

Test(output, a_table_has_a_heading_and_columns_that_stand_under_each_other)
{
    printed_t printed;
    begin(&printed, RJ_OUTPUT_TABLE);
    put_row(&printed.output, "h1", 1500, 0.0125);
    put_row(&printed.output, "wire", 9000, 1);
    end_and_expect(&printed, "host    mtu_bytes  loss_ratio\n"
                             "h1           1500       0.013\n"
                             "wire         9000       1.000\n");
}

Test(output, json_is_one_object_a_line_under_the_same_names)
{
    printed_t printed;
    begin(&printed, RJ_OUTPUT_JSON);
    put_row(&printed.output, "h1", -1, 0.5);
    put_row(&printed.output, NULL, 0, (double)INFINITY);
    end_and_expect(&printed, "{\"host\":\"h1\",\"mtu_bytes\":-1,\"loss_ratio\":0.500}\n"
                             "{\"host\":null,\"mtu_bytes\":0,\"loss_ratio\":null}\n");
}

Test(output, json_texts_are_escaped_and_valid_whatever_comes_in)
{
    printed_t printed;
    begin(&printed, RJ_OUTPUT_JSON);
    put_row(&printed.output, "a\"b\\c\n\x1b\xff\xc3\xa9\xed\xa0\x80", 1, 0);
    end_and_expect(&printed, "{\"host\":\"a\\\"b\\\\c\\u000a\\u001b\\ufffd\xc3\xa9"
                             "\\ufffd\\ufffd\\ufffd\",\"mtu_bytes\":1,\"loss_ratio\":0.000}\n");
}

Test(output, a_table_lets_no_text_write_to_the_terminal)
{
    printed_t printed;
    begin(&printed, RJ_OUTPUT_TABLE);
    put_row(&printed.output, "\x1b[2J\xc2\x9b\xff", 1, 0);
    end_and_expect(&printed, "host    mtu_bytes  loss_ratio\n"
                             "?[2J??          1       0.000\n");
}

Test(output, a_text_longer_than_its_column_is_not_cut)
{
    printed_t printed;
    begin(&printed, RJ_OUTPUT_TABLE);
    put_row(&printed.output, "rj-lab-h1", 1, 0);
    end_and_expect(&printed, "host    mtu_bytes  loss_ratio\n"
                             "rj-lab-h1          1       0.000\n");
}

Test(output, a_number_too_long_for_plain_digits_stays_a_number)
{
    printed_t printed;
    begin(&printed, RJ_OUTPUT_JSON);
    put_row(&printed.output, "h", 1, 1e300);
    end_and_expect(&printed,
                   "{\"host\":\"h\",\"mtu_bytes\":1,\"loss_ratio\":1.0000000000000001e+300}\n");
}
