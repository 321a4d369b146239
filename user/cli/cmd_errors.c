/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet errors`: the distinct error log of a driver. */
#include "cli/command.h"
#include "cli/driver_files.h"
#include "cli/output.h"

#include "shm/error_log.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 8192 };

static void print_errors(const rj_driver_files_t *files, rj_output_format_t format)
{
    static const rj_column_t table[] = {{"count", 7}, {"first", -23}, {"last", -23}, {"text", -1}};
    static const rj_column_t json[] = {
        {"count", 0}, {"first_epoch_ms", 0}, {"last_epoch_ms", 0}, {"text", 0}};
    rj_output_t output;
    rj_output_init(&output, stdout, format, format == RJ_OUTPUT_JSON ? json : table, 4);
    const rj_cnc_section_t *section = &files->cnc.error_log;
    int64_t offset = 0;
    rj_error_view_t view;
    while (rj_error_log_next(section->bytes, section->length_bytes, 0, &offset, &view)) {
        char text[TEXT_BYTES_MAX];
        snprintf(text, sizeof(text), "%.*s", view.text_length, view.text);
        rj_output_integer(&output, view.observation_count);
        if (format == RJ_OUTPUT_JSON) {
            rj_output_integer(&output, view.first_observation_ms);
            rj_output_integer(&output, view.last_observation_ms);
        } else {
            char time[RJ_TIME_TEXT_MAX];
            rj_time_print(time, view.first_observation_ms);
            rj_output_text(&output, time);
            rj_time_print(time, view.last_observation_ms);
            rj_output_text(&output, time);
        }
        rj_output_text(&output, text);
        rj_output_end_row(&output);
    }
}

int rj_cmd_errors(int argc, char **argv)
{
    static const char doc[] =
        "Prints the errors a driver has met, each once, with a count.\vExample:\n\n"
        "  ramjet errors --dir /dev/shm/aeron-root\n";
    rj_look_input_t input;
    rj_look_parse("ramjet errors", doc, argc, argv, &input);
    rj_driver_files_t files;
    rj_err_t err;
    if (rj_driver_files_open(&files, input.directory, &err) < 0) {
        fprintf(stderr, "ramjet errors: %s\n", err.text);
        return RJ_EXIT_FAILED;
    }
    print_errors(&files, input.format);
    rj_driver_files_close(&files);
    return RJ_EXIT_DONE;
}
