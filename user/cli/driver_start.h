/* SPDX-License-Identifier: Apache-2.0 */
/* driver_start.h - from settings to a driver whose agents can work, for each command that runs one.
 *
 * Units      none.
 * Ownership  the caller owns the driver and closes it.
 * Thread     the main thread, before any agent works.
 * Errors     negative errno and a text; nothing is left behind.
 */
#ifndef RJ_CLI_DRIVER_START_H
#define RJ_CLI_DRIVER_START_H

#include "driver/driver.h"
#include "driver/ring_world.h"

typedef struct rj_driver_start {
    bool (*is_interrupted)(void);     /* ends the wait for another driver's directory */
    void (*wake_helper)(void *state); /* NULL: the helper looks by itself */
    void *wake_helper_state;
    rj_ring_attach_t attach;
    rj_ring_privilege_t privilege;
    bool is_quiet; /* says nothing of what was chosen, only of what was refused */
} rj_driver_start_t;

/* Makes the directory absolute and checks the settings. Touches nothing. */
int rj_driver_settle(rj_driver_config_t *config, rj_err_t *err);

/* Opens the driver of settled settings on this machine. What is granted less than asked for is told
 * on stderr. */
int rj_driver_start(rj_driver_t **ret_driver, const rj_driver_config_t *config,
                    const rj_driver_start_t *start, rj_err_t *err);

#endif
