/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/driver_files.h"

#include "cli/options.h"

#include <ramjet/command.h>
#include <ramjet/ramjet.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { KEY_DIR = 0x100, KEY_JSON, DRIVER_TIMEOUT_MS = 10000 };

static error_t parse(int key, char *arg, struct argp_state *state)
{
    rj_look_input_t *input = state->input;
    switch (key) {
    case KEY_DIR:
        input->directory = arg;
        return 0;
    case KEY_JSON:
        input->format = RJ_OUTPUT_JSON;
        return 0;
    case ARGP_KEY_ARG:
        rj_options_fail(state, "takes no operand, and '%s' is one: see `%s --help`", arg,
                        state->name);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option rows[] = {
    {"dir", KEY_DIR, "DIR", 0, "The driver's directory (AERON_DIR, /dev/shm/aeron-USER)", 0},
    {"json", KEY_JSON, NULL, 0, "Print one JSON object a line", 0},
    {0},
};

const struct argp rj_look_argp = {.options = rows, .parser = parse};

void rj_look_parse(const char *command, const char *doc, int argc, char **argv,
                   rj_look_input_t *ret_input)
{
    const struct argp argp = {.options = rows, .parser = parse, .doc = doc};
    *ret_input = (rj_look_input_t){.format = RJ_OUTPUT_TABLE};
    rj_options_parse(&argp, command, 0, argc, argv, ret_input);
}

int rj_driver_files_open(rj_driver_files_t *files, const char *directory, rj_err_t *err)
{
    *files = (rj_driver_files_t){0};
    if (directory == NULL) {
        if (rj_directory_default(files->directory, sizeof(files->directory)) < 0)
            return rj_fail(err, -ENAMETOOLONG, "the path in AERON_DIR is too long");
    } else if ((size_t)snprintf(files->directory, sizeof(files->directory), "%s", directory) >=
               sizeof(files->directory)) {
        return rj_fail(err, -ENAMETOOLONG, "--dir: the path is too long");
    }
    rj_err_t reason = {0};
    int code = rj_cnc_try_map(&files->cnc, files->directory, RJ_MAPFILE_READ_ONLY, &reason);
    if (code < 0)
        return rj_fail(err, code, "no driver's files in %s (%s): name its directory with --dir",
                       files->directory, reason.text);
    code = rj_counters_reader_init(&files->counters, files->cnc.counters_metadata.bytes,
                                   files->cnc.counters_metadata.length_bytes,
                                   files->cnc.counters_values.bytes,
                                   files->cnc.counters_values.length_bytes);
    if (code < 0) {
        rj_driver_files_close(files);
        return rj_fail(err, code, "the counters in %s have an impossible length", files->directory);
    }
    return 0;
}

void rj_driver_files_close(rj_driver_files_t *files)
{
    rj_cnc_close(&files->cnc);
}

void rj_driver_files_state(const rj_driver_files_t *files, int64_t epoch_ms, char *text,
                           size_t size)
{
    int64_t heartbeat_ms = rj_cnc_heartbeat_ms(&files->cnc);
    if (heartbeat_ms == RJ_NULL_VALUE)
        snprintf(text, size, "shut down");
    else if (rj_cnc_driver_is_alive(&files->cnc, epoch_ms, DRIVER_TIMEOUT_MS))
        snprintf(text, size, "alive");
    else
        snprintf(text, size, "no life for %" PRId64 " s", (epoch_ms - heartbeat_ms) / 1000);
}

void rj_time_print(char text[static RJ_TIME_TEXT_MAX], int64_t epoch_ms)
{
    time_t seconds = (time_t)(epoch_ms / 1000);
    struct tm local;
    char date[RJ_TIME_TEXT_MAX];
    if (epoch_ms <= 0 || localtime_r(&seconds, &local) == NULL ||
        strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &local) == 0)
        snprintf(text, RJ_TIME_TEXT_MAX, "-");
    else
        snprintf(text, RJ_TIME_TEXT_MAX, "%.24s.%03d", date, (int)(epoch_ms % 1000));
}

bool rj_driver_files_transport(const rj_driver_files_t *files,
                               char text[static RJ_DRIVER_TRANSPORT_MAX])
{
    static const char prefix[] = "ramjet transport: ";
    rj_counter_view_t view;
    int32_t cursor = 0;
    text[0] = '\0';
    while (rj_counters_next(&files->counters, &cursor, &view)) {
        if (view.type_id != RJ_COUNTER_TYPE_RAMJET_TRANSPORT ||
            strncmp(view.label, prefix, strlen(prefix)) != 0)
            continue;
        snprintf(text, RJ_DRIVER_TRANSPORT_MAX, "%s", view.label + strlen(prefix));
        return true;
    }
    return false;
}
