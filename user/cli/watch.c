/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/watch.h"

#include "base/clock.h"
#include "cli/command.h"
#include "cli/options.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

enum { KEY_WATCH = 0x200, KEY_INTERVAL };

typedef struct input {
    rj_look_input_t look;
    bool is_watching;
    int64_t interval_ns;
} input_t;

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    (void)number;
    is_interrupted = 1;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    input_t *input = state->input;
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

/* The file is mapped anew each time: another driver may have moved into the directory. */
static int show(const rj_watch_t *watch, const input_t *input, rj_err_t *err)
{
    rj_driver_files_t files;
    int code = rj_driver_files_open(&files, input->look.directory, err);
    if (code < 0)
        return code;
    if (input->is_watching && input->look.format != RJ_OUTPUT_JSON)
        print_heading(&files);
    watch->print(&files, input->look.format);
    rj_driver_files_close(&files);
    return fflush(stdout) == 0 ? 0 : rj_fail(err, -EIO, "cannot write the output");
}

int rj_watch_run(const rj_watch_t *watch, int argc, char **argv)
{
    const struct argp_option rows[] = {
        {"watch", KEY_WATCH, NULL, 0, "Draw the table again and again until Ctrl-C", 0},
        {"interval", KEY_INTERVAL, "TIME", 0, "How often with --watch (1s)", 0},
        {0},
    };
    static const struct argp_child children[] = {{.argp = &rj_look_argp}, {0}};
    const struct argp argp = {
        .options = rows, .parser = parse, .children = children, .doc = watch->doc};
    input_t input = {.look.format = RJ_OUTPUT_TABLE, .interval_ns = 1000000000};
    rj_options_parse(&argp, watch->command, 0, argc, argv, &input);
    if (input.is_watching) {
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
    }
    rj_err_t err;
    for (;;) {
        if (show(watch, &input, &err) < 0) {
            fprintf(stderr, "%s: %s\n", watch->command, err.text);
            return RJ_EXIT_FAILED;
        }
        int64_t wake_ns = rj_clock_mono_ns() + input.interval_ns;
        while (input.is_watching && is_interrupted == 0 && rj_clock_mono_ns() < wake_ns)
            rj_clock_sleep_ns(10000000);
        if (!input.is_watching || is_interrupted != 0)
            return RJ_EXIT_DONE;
    }
}
