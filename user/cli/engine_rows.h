/* SPDX-License-Identifier: Apache-2.0 */
/* engine_rows.h - the engines of a driver with rings: by which doors each of them moves datagrams.
 *
 * Units      datagrams.
 * Ownership  nothing is kept.
 * Thread     one.
 * Errors     none: a driver without rings has no rows.
 */
#ifndef RJ_CLI_ENGINE_ROWS_H
#define RJ_CLI_ENGINE_ROWS_H

#include "cli/driver_files.h"

void rj_engine_rows_print(const rj_driver_files_t *files, rj_output_format_t format);

#endif
