/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Length of the well-formed UTF-8 sequence at `text`, or 0. Overlong forms, surrogates and code
 * points above U+10FFFF are not well-formed. */
static size_t utf8_length(const unsigned char *text)
{
    unsigned char first = text[0];
    if (first < 0x80)
        return 1;
    size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                    : first >= 0xe0 && first <= 0xef ? 3
                    : first >= 0xf0 && first <= 0xf4 ? 4
                                                     : 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f) ||
        (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f))
        return 0;
    return length;
}

static bool is_control(const unsigned char *text, size_t length)
{
    return (length == 1 && (text[0] < 0x20 || text[0] == 0x7f)) ||
           (length == 2 && text[0] == 0xc2 && text[1] < 0xa0);
}

/* Writes a text that no longer can do harm; returns how many places it takes on a terminal. */
static int put_plain(FILE *stream, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    int places = 0;
    while (*at != '\0') {
        size_t length = utf8_length(at);
        if (length == 0 || is_control(at, length))
            fputc('?', stream);
        else
            fwrite(at, 1, length, stream);
        at += length == 0 ? 1 : length;
        places++;
    }
    return places;
}

static void put_json_text(FILE *stream, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    fputc('"', stream);
    while (*at != '\0') {
        size_t length = utf8_length(at);
        if (length == 0)
            fputs("\\ufffd", stream);
        else if (*at == '"' || *at == '\\')
            fprintf(stream, "\\%c", *at);
        else if (length == 1 && is_control(at, length))
            fprintf(stream, "\\u%04x", *at);
        else
            fwrite(at, 1, length, stream);
        at += length == 0 ? 1 : length;
    }
    fputc('"', stream);
}

static void put_blanks(FILE *stream, int count)
{
    for (; count > 0; count--)
        fputc(' ', stream);
}

/* How many places a text takes: one for each sequence, one for each byte that is replaced. */
static int text_places(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    int places = 0;
    for (; *at != '\0'; places++) {
        size_t length = utf8_length(at);
        at += length == 0 ? 1 : length;
    }
    return places;
}

static void put_table_cell(rj_output_t *output, const char *text)
{
    int width = output->columns[output->column_index].width;
    bool is_last = output->column_index + 1 == output->column_count;
    if (output->column_index > 0)
        fputs("  ", output->stream);
    if (width > 0)
        put_blanks(output->stream, width - text_places(text));
    int places = put_plain(output->stream, text);
    if (width < 0 && !is_last)
        put_blanks(output->stream, -width - places);
    output->column_index++;
}

static void begin_json_cell(rj_output_t *output)
{
    fputs(output->column_index == 0 ? "{" : ",", output->stream);
    put_json_text(output->stream, output->columns[output->column_index].name);
    fputc(':', output->stream);
    output->column_index++;
}

/* A cell whose text is the same in both formats and needs no quotes in JSON. */
static void put_bare_cell(rj_output_t *output, const char *table_text, const char *json_text)
{
    assert(output->column_index < output->column_count);
    if (output->format == RJ_OUTPUT_TABLE) {
        put_table_cell(output, table_text);
        return;
    }
    begin_json_cell(output);
    fputs(json_text, output->stream);
}

void rj_output_init(rj_output_t *output, FILE *stream, rj_output_format_t format,
                    const rj_column_t *columns, size_t column_count)
{
    *output = (rj_output_t){
        .stream = stream, .format = format, .columns = columns, .column_count = column_count};
    if (format == RJ_OUTPUT_TABLE) {
        for (size_t i = 0; i < column_count; i++)
            put_table_cell(output, columns[i].name);
        rj_output_end_row(output);
    }
}

void rj_output_text(rj_output_t *output, const char *text)
{
    assert(output->column_index < output->column_count);
    if (text == NULL) {
        rj_output_none(output);
    } else if (output->format == RJ_OUTPUT_TABLE) {
        put_table_cell(output, text);
    } else {
        begin_json_cell(output);
        put_json_text(output->stream, text);
    }
}

void rj_output_integer(rj_output_t *output, int64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, value);
    put_bare_cell(output, text, text);
}

void rj_output_real(rj_output_t *output, double value, int decimals)
{
    char text[64];
    if (!isfinite(value)) {
        rj_output_none(output); /* JSON has no word for it */
        return;
    }
    if (fabs(value) < 1e30)
        snprintf(text, sizeof(text), "%.*f", decimals, value);
    else
        snprintf(text, sizeof(text), "%.17g", value);
    put_bare_cell(output, text, text);
}

void rj_output_none(rj_output_t *output)
{
    put_bare_cell(output, "-", "null");
}

void rj_output_end_row(rj_output_t *output)
{
    assert(output->column_index == output->column_count);
    fputs(output->format == RJ_OUTPUT_JSON ? "}\n" : "\n", output->stream);
    fflush(output->stream);
    output->column_index = 0;
}
