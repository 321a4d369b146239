/* SPDX-License-Identifier: Apache-2.0 */
/* embedded.h - a media driver in the thread of the tool that is its client.
 *
 * Engines work in every turn; what serves commands and timers works every 100 us, which is early
 * enough for it and keeps it out of most round trips.
 *
 * Units      ns of the monotonic clock.
 * Ownership  the caller owns the struct, which owns the driver and, unless it was named, its
 *            directory.
 * Thread     one, the main thread.
 * Errors     negative errno and a text.
 */
#ifndef RJ_CLI_EMBEDDED_H
#define RJ_CLI_EMBEDDED_H

#include "driver/driver.h"

#include <stdbool.h>

typedef struct rj_embedded {
    rj_driver_config_t config; /* config.dir is where clients find it */
    rj_driver_t *driver;
    int64_t conductor_due_ns;
} rj_embedded_t;

/* Opens it with the settings of the environment. `directory` NULL: AERON_DIR, or one of its own
 * that ends with it. `is_interrupted` ends a wait for another driver's directory. */
int rj_embedded_open(rj_embedded_t *embedded, const char *directory, bool (*is_interrupted)(void),
                     rj_err_t *err);

/* A turn of everything that is due; returns the work done. */
int rj_embedded_work(rj_embedded_t *embedded, int64_t now_ns);

/* Safe on a value that is all zero. */
void rj_embedded_close(rj_embedded_t *embedded);

#endif
