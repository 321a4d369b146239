/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - how every command reads its command line: argp, with one line for each mistake.
 *
 * A command declares its rows as `struct argp_option`, long names everywhere, and a parser. This
 * module adds --help and turns each mistake into one line, `ramjet lab up: ...: what to do`, and
 * exit code 2. The text after \v in argp's `doc` is the example that --help ends with.
 *
 * Units      said by each function's name; percent becomes parts per million.
 * Ownership  nothing is kept; texts point into argv.
 * Thread     the main thread.
 * Errors     none is returned: a wrong command line ends the process with RJ_EXIT_MISUSE, which is
 *            safe because options are read before anything is made.
 */
#ifndef RJ_CLI_OPTIONS_H
#define RJ_CLI_OPTIONS_H

#include <argp.h>
#include <stdint.h>

enum { RJ_PPM = 1000000 };

/* Parses the whole of argv into `input`, which the argp parser finds in state->input. `command` is
 * the command as typed, "ramjet lab up". `flags` is 0, or ARGP_IN_ORDER for a command that runs
 * another one. Ends the process on --help and on a mistake. */
void rj_options_parse(const struct argp *argp, const char *command, unsigned flags, int argc,
                      char **argv, void *input);

/* For parsers: prints `<command>: <text>` and ends the process with RJ_EXIT_MISUSE. */
void rj_options_fail(const struct argp_state *state, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* Each reads one value; `option` is named in the message when `text` is no such value or out of
 * range. All of `text` must be used up, and a sign, a blank or an empty text is a mistake. */
int64_t rj_option_integer(const struct argp_state *state, const char *option, const char *text,
                          int64_t min, int64_t max);

/* A count of bytes: digits and at most one of K, M, G (powers of 1,024). */
int64_t rj_option_bytes(const struct argp_state *state, const char *option, const char *text,
                        int64_t min, int64_t max);

/* A time: digits and one of ns, us, ms, s, m, h. */
int64_t rj_option_duration_ns(const struct argp_state *state, const char *option, const char *text,
                              int64_t min_ns, int64_t max_ns);

/* A share from 0 to 100, with up to four decimals and an optional % sign, in parts per million. */
uint32_t rj_option_percent_ppm(const struct argp_state *state, const char *option,
                               const char *text);

#endif
