/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet streams`: what flows through a driver, and what each stream waits for. */
#include "cli/command.h"
#include "cli/stream_rows.h"
#include "cli/watch.h"

#include <stdio.h>

static const char *kind_of(const rj_stream_row_t *row)
{
    static const char *const kinds[] = {
        [RJ_STREAM_ROW_PUBLICATION] = "publication",
        [RJ_STREAM_ROW_IPC_PUBLICATION] = "ipc",
        [RJ_STREAM_ROW_IMAGE] = "image",
        [RJ_STREAM_ROW_SUBSCRIPTION] = "subscription",
    };
    return kinds[row->kind];
}

static void number(rj_output_t *output, int64_t value)
{
    if (value < 0)
        rj_output_none(output);
    else
        rj_output_integer(output, value);
}

/* What is written and not sent yet, or received and not read by everybody. */
static int64_t waiting(const rj_stream_row_t *row)
{
    int64_t done = row->kind == RJ_STREAM_ROW_PUBLICATION ? row->sent : row->slowest;
    return row->position < 0 || done < 0 ? -1 : row->position - done;
}

static int64_t window(const rj_stream_row_t *row)
{
    return row->sent < 0 || row->window_limit < 0 ? -1 : row->window_limit - row->sent;
}

/* Stream and session; a channel that nothing came by has none. */
static void put_stream(rj_output_t *output, const rj_stream_row_t *row)
{
    if (row->kind == RJ_STREAM_ROW_SUBSCRIPTION) {
        rj_output_none(output);
        rj_output_none(output);
    } else {
        rj_output_integer(output, row->stream_id);
        rj_output_integer(output, row->session_id);
    }
}

static void print_table(const rj_stream_rows_t *rows)
{
    static const rj_column_t columns[] = {
        {"kind", -12},  {"stream", 8}, {"session", 11}, {"position", 16}, {"waiting", 10},
        {"window", 10}, {"naks", 8},   {"readers", 7},  {"channel", -40}, {"why", -1}};
    rj_output_t output;
    rj_output_init(&output, stdout, RJ_OUTPUT_TABLE, columns, sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; i < rows->count; i++) {
        const rj_stream_row_t *row = &rows->rows[i];
        rj_output_text(&output, kind_of(row));
        put_stream(&output, row);
        number(&output, row->position);
        number(&output, waiting(row));
        number(&output, window(row));
        number(&output, row->naks);
        rj_output_integer(&output, row->subscriber_count);
        rj_output_text(&output, row->channel);
        rj_output_text(&output, row->why);
        rj_output_end_row(&output);
    }
}

static void print_json(const rj_stream_rows_t *rows)
{
    static const rj_column_t columns[] = {{"kind", 0},         {"id", 0},
                                          {"stream_id", 0},    {"session_id", 0},
                                          {"channel", 0},      {"position", 0},
                                          {"limit", 0},        {"sent_position", 0},
                                          {"window_limit", 0}, {"waiting_bytes", 0},
                                          {"naks_count", 0},   {"back_pressure_count", 0},
                                          {"readers", 0},      {"slowest_position", 0},
                                          {"reason", 0},       {"why", 0}};
    rj_output_t output;
    rj_output_init(&output, stdout, RJ_OUTPUT_JSON, columns, sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; i < rows->count; i++) {
        const rj_stream_row_t *row = &rows->rows[i];
        rj_output_text(&output, kind_of(row));
        rj_output_integer(&output, row->id);
        put_stream(&output, row);
        rj_output_text(&output, row->channel);
        number(&output, row->position);
        number(&output, row->limit);
        number(&output, row->sent);
        number(&output, row->window_limit);
        number(&output, waiting(row));
        number(&output, row->naks);
        number(&output, row->back_pressure);
        rj_output_integer(&output, row->subscriber_count);
        number(&output, row->slowest);
        rj_output_text(&output, row->why_word);
        rj_output_text(&output, row->why);
        rj_output_end_row(&output);
    }
}

static void print(const rj_driver_files_t *files, rj_output_format_t format)
{
    rj_stream_rows_t rows;
    if (rj_stream_rows_read(&rows, &files->counters) < 0) {
        fprintf(stderr, "ramjet streams: out of memory\n");
        return;
    }
    if (format == RJ_OUTPUT_JSON)
        print_json(&rows);
    else
        print_table(&rows);
    rj_stream_rows_close(&rows);
}

int rj_cmd_streams(int argc, char **argv)
{
    static const rj_watch_t watch = {
        .command = "ramjet streams",
        .doc = "Prints what flows through a driver, a row for each publication, image and channel "
               "without one, and says in a sentence what it waits for.\vExample:\n\n"
               "  ramjet streams --watch\n"
               "  ramjet streams --json | grep window-closed\n",
        .print = print,
    };
    return rj_watch_run(&watch, argc, argv);
}
