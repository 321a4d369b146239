/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - commands that show what a driver's files say, once or again and again.
 *
 * Units      ns.
 * Ownership  the caller's.
 * Thread     the main thread.
 * Errors     said on stderr in one line.
 */
#ifndef RJ_CLI_WATCH_H
#define RJ_CLI_WATCH_H

#include "cli/driver_files.h"

typedef struct rj_watch {
    const char *command; /* "ramjet stat" */
    const char *doc;     /* argp's */
    void (*print)(const rj_driver_files_t *files, rj_output_format_t format);
} rj_watch_t;

/* Reads --dir, --json, --watch and --interval and prints until there is an end. Returns the exit
 * status; a mistake in the arguments ends the process. */
int rj_watch_run(const rj_watch_t *watch, int argc, char **argv);

#endif
