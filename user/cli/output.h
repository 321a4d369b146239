/* SPDX-License-Identifier: Apache-2.0 */
/* output.h - what commands print: a table for people, or one flat JSON object a line for machines.
 *
 * The columns are declared once; a column's name is the table's heading and the JSON key, with the
 * unit in it. Cells are given in the order of the columns and go out as the row ends, so a command
 * that runs for hours prints as it goes.
 *
 *     rj_output_t out;
 *     rj_output_init(&out, stdout, RJ_OUTPUT_TABLE, columns, 2);
 *     rj_output_text(&out, "h1");
 *     rj_output_integer(&out, 1500);
 *     rj_output_end_row(&out);
 *
 * Units      in the column names.
 * Ownership  the caller's value; stream and columns are borrowed.
 * Thread     the main thread.
 * Errors     none here; main() checks stdout once at the end.
 *
 * Texts may come from elsewhere (a counter's label, a file's name): control characters and bytes
 * that are no UTF-8 are replaced, so that nobody else writes to the user's terminal.
 */
#ifndef RJ_CLI_OUTPUT_H
#define RJ_CLI_OUTPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum rj_output_format { RJ_OUTPUT_TABLE, RJ_OUTPUT_JSON } rj_output_format_t;

typedef struct rj_column {
    const char *name;
    int width; /* least width in the table; negative puts the cell to the left */
} rj_column_t;

typedef struct rj_output {
    FILE *stream;
    rj_output_format_t format;
    const rj_column_t *columns;
    size_t column_count;
    size_t column_index; /* where the next cell goes */
} rj_output_t;

/* Prints the heading when the format is a table. */
void rj_output_init(rj_output_t *output, FILE *stream, rj_output_format_t format,
                    const rj_column_t *columns, size_t column_count);

/* One cell each. NULL and rj_output_none give "-" in the table, null in JSON. */
void rj_output_text(rj_output_t *output, const char *text);
void rj_output_integer(rj_output_t *output, int64_t value);
void rj_output_real(rj_output_t *output, double value, int decimals);
void rj_output_none(rj_output_t *output);

/* Ends the row and flushes it. Every column must have got its cell. */
void rj_output_end_row(rj_output_t *output);

#endif
