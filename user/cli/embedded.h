/* SPDX-License-Identifier: Apache-2.0 */
/* embedded.h - a media driver in the thread of the tool that is its client.
 *
 * Engines work in every turn; what serves commands and timers works every 100 us, which is early
 * enough for it and keeps it out of most round trips.
 *
 * Units      none.
 * Ownership  the driver is the caller's, to be closed by rj_media_driver_close; unless it was
 *            named, its directory goes with it.
 * Thread     one, the main thread.
 * Errors     negative errno and a text.
 */
#ifndef RJ_CLI_EMBEDDED_H
#define RJ_CLI_EMBEDDED_H

#include <ramjet/driver.h>

#include <stdbool.h>

/* Opens it with the settings of the environment. `directory` NULL: AERON_DIR, or one of its own
 * that ends with it. `is_interrupted` ends a wait for another driver's directory. */
int rj_embedded_open(rj_media_driver_t **ret_driver, const char *directory,
                     bool (*is_interrupted)(void *user), rj_err_t *err);

#endif
