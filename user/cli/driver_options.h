/* SPDX-License-Identifier: Apache-2.0 */
/* driver_options.h - the options that shape a media driver, for each command that runs one.
 *
 * Every option has a setting of the same meaning (config/config.h) and goes there by way of the
 * process environment, so that -D, the environment and the option are three spellings of one thing
 * and the last one said on the command line wins.
 *
 * Units      config/config.h.
 * Ownership  the environment keeps copies.
 * Thread     the main thread, before any other starts.
 * Errors     a wrong value ends the process with RJ_EXIT_MISUSE and one line.
 */
#ifndef RJ_CLI_DRIVER_OPTIONS_H
#define RJ_CLI_DRIVER_OPTIONS_H

#include <argp.h>
#include <stdbool.h>

typedef struct rj_driver_options {
    const char *first; /* the first of them that was given, as "interface"; NULL for none */
    bool has_interface;
} rj_driver_options_t;

/* A child parser, whose input is a rj_driver_options_t: the parent sets it at ARGP_KEY_INIT. */
extern const struct argp rj_driver_options_argp;

#endif
