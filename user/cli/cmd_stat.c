/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet stat`: the counters of a driver, as AeronStat shows them. */
#include "cli/command.h"
#include "cli/watch.h"

#include <stdio.h>

static void print_table(const rj_driver_files_t *files)
{
    static const rj_column_t columns[] = {{"id", 5}, {"value", 20}, {"label", -1}};
    rj_output_t output;
    rj_output_init(&output, stdout, RJ_OUTPUT_TABLE, columns, 3);
    int32_t cursor = 0;
    rj_counter_view_t view;
    while (rj_counters_next(&files->counters, &cursor, &view)) {
        rj_output_integer(&output, view.id);
        rj_output_integer(&output, view.value);
        rj_output_text(&output, view.label);
        rj_output_end_row(&output);
    }
}

static void print_json(const rj_driver_files_t *files)
{
    static const rj_column_t columns[] = {
        {"id", 0},       {"type_id", 0},      {"value", 0}, {"registration_id", 0},
        {"owner_id", 0}, {"reference_id", 0}, {"label", 0}};
    rj_output_t output;
    rj_output_init(&output, stdout, RJ_OUTPUT_JSON, columns, sizeof(columns) / sizeof(columns[0]));
    int32_t cursor = 0;
    rj_counter_view_t view;
    while (rj_counters_next(&files->counters, &cursor, &view)) {
        rj_output_integer(&output, view.id);
        rj_output_integer(&output, view.type_id);
        rj_output_integer(&output, view.value);
        rj_output_integer(&output, view.registration_id);
        rj_output_integer(&output, view.owner_id);
        rj_output_integer(&output, view.reference_id);
        rj_output_text(&output, view.label);
        rj_output_end_row(&output);
    }
}

static void print(const rj_driver_files_t *files, rj_output_format_t format)
{
    if (format == RJ_OUTPUT_JSON)
        print_json(files);
    else
        print_table(files);
}

int rj_cmd_stat(int argc, char **argv)
{
    static const rj_watch_t watch = {
        .command = "ramjet stat",
        .doc = "Prints the counters of a driver, alive or dead.\vExample:\n\n"
               "  ramjet stat --watch\n",
        .print = print,
    };
    return rj_watch_run(&watch, argc, argv);
}
