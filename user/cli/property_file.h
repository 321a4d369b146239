/* SPDX-License-Identifier: Apache-2.0 */
/* property_file.h - property files named on a command line, by path or by URL (driver.md 22.1).
 *
 * Units      none.
 * Ownership  the environment keeps what they say.
 * Thread     the main thread, before any other starts.
 * Errors     negative errno and a line that begins "loading properties from NAME".
 */
#ifndef RJ_CLI_PROPERTY_FILE_H
#define RJ_CLI_PROPERTY_FILE_H

#include "base/err.h"

/* Puts the settings of a file into the environment: a path, file:///path, or http://host/path. */
int rj_property_file_load(const char *name, rj_err_t *err);

#endif
