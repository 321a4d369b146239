/* SPDX-License-Identifier: Apache-2.0 */
/* steer_rows.h - prints what is in an interface's steering maps.
 *
 * A table without rows prints nothing: neither its heading nor `before`, which goes in front of it
 * to set it apart and is not for JSON. In JSON every row begins with "kind" and "interface", since
 * rows of several kinds follow each other.
 *
 * Units      in the columns' names.
 * Ownership  nothing is kept.
 * Thread     the main thread. Others write the maps meanwhile: what goes away is left out.
 * Errors     negative errno and one line.
 */
#ifndef RJ_CLI_STEER_ROWS_H
#define RJ_CLI_STEER_ROWS_H

#include "base/err.h"
#include "cli/output.h"
#include "xdp/steer.h"

/* Channels, each with its default verdict, and below each its streams. */
int rj_steer_print_entries(const rj_steer_t *steer, rj_output_format_t format, const char *before,
                           rj_err_t *err);

/* Drivers, by their sign of life. */
int rj_steer_print_owners(const rj_steer_t *steer, int64_t now_ns, rj_output_format_t format,
                          const char *before, rj_err_t *err);

/* Queues that a driver has. */
int rj_steer_print_queues(const rj_steer_t *steer, rj_output_format_t format, const char *before,
                          rj_err_t *err);

/* Why frames went where they went; what never happened is left out. */
int rj_steer_print_reasons(const rj_steer_t *steer, rj_output_format_t format, const char *before,
                           rj_err_t *err);

#endif
