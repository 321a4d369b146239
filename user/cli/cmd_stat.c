/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet stat`: the counters of a driver, as AeronStat shows them. */
#include "cli/command.h"
#include "cli/driver_files.h"
#include "cli/options.h"
#include "cli/output.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_WATCH = 0x200, KEY_INTERVAL };

typedef struct stat_input {
    rj_look_input_t look;
    bool is_watching;
    int64_t interval_ns;
} stat_input_t;

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    (void)number;
    is_interrupted = 1;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    stat_input_t *input = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &input->look;
        return 0;
    case KEY_WATCH:
        input->is_watching = true;
        return 0;
    case KEY_INTERVAL:
        input->interval_ns =
            rj_option_duration_ns(state, "--interval", arg, 10000000, INT64_C(3600000000000));
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

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

static void print_heading(const rj_driver_files_t *files)
{
    char now[RJ_TIME_TEXT_MAX];
    char state[64];
    int64_t epoch_ms = rj_clock_epoch_ms();
    rj_time_print(now, epoch_ms);
    rj_driver_files_state(files, epoch_ms, state, sizeof(state));
    /* Home and clear: the table is drawn over the last one. */
    printf("\033[H\033[2J%s  %s  driver %" PRId64 " %s\n\n", now, files->directory,
           files->cnc.header->pid, state);
}

static void print_once(const stat_input_t *input, const rj_driver_files_t *files)
{
    if (input->look.format == RJ_OUTPUT_JSON) {
        print_json(files);
        return;
    }
    if (input->is_watching)
        print_heading(files);
    print_table(files);
}

/* The file is mapped anew each time: another driver may have moved into the directory. */
static int show(const stat_input_t *input, rj_err_t *err)
{
    rj_driver_files_t files;
    int code = rj_driver_files_open(&files, input->look.directory, err);
    if (code < 0)
        return code;
    print_once(input, &files);
    rj_driver_files_close(&files);
    return fflush(stdout) == 0 ? 0 : rj_fail(err, -EIO, "cannot write the output");
}

int rj_cmd_stat(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        {"watch", KEY_WATCH, NULL, 0, "Draw the table again and again until Ctrl-C", 0},
        {"interval", KEY_INTERVAL, "TIME", 0, "How often with --watch (1s)", 0},
        {0},
    };
    static const struct argp_child children[] = {{.argp = &rj_look_argp}, {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .children = children,
        .doc = "Prints the counters of a driver, alive or dead.\vExample:\n\n"
               "  ramjet stat --watch\n",
    };
    stat_input_t input = {.look.format = RJ_OUTPUT_TABLE, .interval_ns = 1000000000};
    rj_options_parse(&argp, "ramjet stat", 0, argc, argv, &input);
    if (input.is_watching) {
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
    }
    rj_err_t err;
    for (;;) {
        if (show(&input, &err) < 0) {
            fprintf(stderr, "ramjet stat: %s\n", err.text);
            return RJ_EXIT_FAILED;
        }
        int64_t wake_ns = rj_clock_mono_ns() + input.interval_ns;
        while (input.is_watching && is_interrupted == 0 && rj_clock_mono_ns() < wake_ns)
            rj_clock_sleep_ns(10000000);
        if (!input.is_watching || is_interrupted != 0)
            return RJ_EXIT_DONE;
    }
}
