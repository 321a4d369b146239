/* SPDX-License-Identifier: Apache-2.0 */
/* driver_files.h - what a driver leaves in its directory, read without becoming its client.
 *
 * A driver need not be alive: counters and errors of a dead one are what is left to look at.
 *
 * Units      times in ms of the epoch.
 * Ownership  the caller owns the struct, which owns the mapping.
 * Thread     one.
 * Errors     negative errno, text in `err` that names the directory and the next step.
 */
#ifndef RJ_CLI_DRIVER_FILES_H
#define RJ_CLI_DRIVER_FILES_H

#include "base/err.h"
#include "cli/output.h"
#include "shm/cnc.h"
#include "shm/counters.h"

#include <argp.h>
#include <stdbool.h>

enum {
    RJ_TIME_TEXT_MAX = 32,
    RJ_DRIVER_TRANSPORT_MAX = 512,
};

typedef struct rj_driver_files {
    char directory[4096];
    rj_cnc_t cnc;
    rj_counters_reader_t counters;
} rj_driver_files_t;

/* The options of a command that only looks: --dir and --json. */
typedef struct rj_look_input {
    const char *directory; /* NULL: the default one */
    rj_output_format_t format;
} rj_look_input_t;

/* Their parser, for commands with more options: a child, whose input is a rj_look_input_t. */
extern const struct argp rj_look_argp;

/* Parses them; `doc` is argp's. Ends the process on a mistake. */
void rj_look_parse(const char *command, const char *doc, int argc, char **argv,
                   rj_look_input_t *ret_input);

/* Maps the CnC file of `directory`, NULL for the default one, for reading. */
int rj_driver_files_open(rj_driver_files_t *files, const char *directory, rj_err_t *err);

void rj_driver_files_close(rj_driver_files_t *files);

/* How data travel and why, as "gso: asked for"; false, and "", when the driver does not tell. */
bool rj_driver_files_transport(const rj_driver_files_t *files,
                               char text[static RJ_DRIVER_TRANSPORT_MAX]);

/* Writes "alive", "shut down" or "no life for 12 s". */
void rj_driver_files_state(const rj_driver_files_t *files, int64_t epoch_ms, char *text,
                           size_t size);

/* Local time to the millisecond, "2026-11-21 13:00:59.123"; "-" for 0. */
void rj_time_print(char text[static RJ_TIME_TEXT_MAX], int64_t epoch_ms);

#endif
