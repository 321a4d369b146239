/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet loss`: the loss report of a driver. */
#include "cli/command.h"
#include "cli/driver_files.h"
#include "cli/output.h"

#include "base/mapfile.h"
#include "shm/dir.h"
#include "shm/loss_report.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 4096 };

static void print_text(rj_output_t *output, const char *text, int32_t length)
{
    char copy[TEXT_BYTES_MAX];
    snprintf(copy, sizeof(copy), "%.*s", length, text);
    rj_output_text(output, copy);
}

static void print_time(rj_output_t *output, int64_t epoch_ms)
{
    char time[RJ_TIME_TEXT_MAX];
    if (output->format == RJ_OUTPUT_JSON) {
        rj_output_integer(output, epoch_ms);
        return;
    }
    rj_time_print(time, epoch_ms);
    rj_output_text(output, time);
}

static void print_losses(const rj_mapfile_t *report, rj_output_format_t format)
{
    static const rj_column_t table[] = {{"count", 7},     {"bytes", 14},      {"first", -23},
                                        {"last", -23},    {"session_id", 11}, {"stream_id", 11},
                                        {"channel", -40}, {"source", -1}};
    static const rj_column_t json[] = {
        {"count", 0},      {"bytes", 0},     {"first_epoch_ms", 0}, {"last_epoch_ms", 0},
        {"session_id", 0}, {"stream_id", 0}, {"channel", 0},        {"source", 0}};
    rj_output_t output;
    rj_output_init(&output, stdout, format, format == RJ_OUTPUT_JSON ? json : table, 8);
    int64_t offset = 0;
    rj_loss_view_t view;
    while (rj_loss_report_next(report->bytes, report->length_bytes, &offset, &view)) {
        rj_output_integer(&output, view.observation_count);
        rj_output_integer(&output, view.total_bytes_lost);
        print_time(&output, view.first_observation_ms);
        print_time(&output, view.last_observation_ms);
        rj_output_integer(&output, view.session_id);
        rj_output_integer(&output, view.stream_id);
        print_text(&output, view.channel, view.channel_length);
        print_text(&output, view.source, view.source_length);
        rj_output_end_row(&output);
    }
}

/* The CnC file is looked at first, for its messages say best what is wrong with a directory. */
static int show(const rj_look_input_t *input, rj_err_t *err)
{
    rj_driver_files_t files;
    int code = rj_driver_files_open(&files, input->directory, err);
    if (code < 0)
        return code;
    rj_driver_files_close(&files);
    char path[RJ_DIR_PATH_BYTES_MAX];
    rj_mapfile_t report;
    code = rj_dir_join(path, sizeof(path), files.directory, RJ_LOSS_REPORT_FILE);
    if (code < 0)
        return rj_fail(err, code, "--dir: the path is too long");
    code = rj_mapfile_open(&report, path, 1, RJ_MAPFILE_READ_ONLY, err);
    if (code < 0)
        return code;
    print_losses(&report, input->format);
    rj_mapfile_close(&report);
    return 0;
}

int rj_cmd_loss(int argc, char **argv)
{
    static const char doc[] =
        "Prints which streams lost how many bytes before they were repaired.\vExample:\n\n"
        "  ramjet loss --json\n";
    rj_look_input_t input;
    rj_look_parse("ramjet loss", doc, argc, argv, &input);
    rj_err_t err;
    if (show(&input, &err) < 0) {
        fprintf(stderr, "ramjet loss: %s\n", err.text);
        return RJ_EXIT_FAILED;
    }
    return RJ_EXIT_DONE;
}
