/* SPDX-License-Identifier: Apache-2.0 */
/* start.h - from settings to a driver of this machine whose agents can work.
 *
 * Units      none.
 * Ownership  the caller owns the driver and closes it.
 * Thread     one, before any agent works.
 * Errors     negative errno and a text; nothing is left behind.
 */
#ifndef RJ_DRIVER_START_H
#define RJ_DRIVER_START_H

#include "driver/driver.h"
#include "driver/ring_world.h"

enum { RJ_DRIVER_CHOICE_MAX = 512 };

typedef struct rj_driver_start {
    bool (*is_interrupted)(void *state); /* ends the wait for another driver's directory */
    void *is_interrupted_state;
    void (*wake_helper)(void *state); /* NULL: the helper looks by itself */
    void *wake_helper_state;
    int64_t (*mono_ns)(void); /* NULL: the system's clocks; else there are no rings */
    int64_t (*epoch_ns)(void);
    rj_ring_attach_t attach;
    rj_ring_privilege_t privilege;
    FILE *warnings; /* what the system does not grant, in lines; NULL: nowhere */
    /* Hears what was chosen for data and why, and what was asked for and is not to be had, in
     * lines; NULL: nobody. */
    void (*tell)(void *state, rj_ring_told_t told, const char *text);
    void *tell_state;
} rj_driver_start_t;

/* Makes the directory absolute, maps CPUs into the cpuset where that was asked for, and checks the
 * settings. Touches nothing but the event log's file. `warnings`, NULL for nowhere, gets a line for
 * each. */
int rj_driver_settle(rj_driver_config_t *config, FILE *warnings, rj_err_t *err);

/* Opens the driver of settled settings on this machine. `choice` gets one line: how data travel,
 * and why. */
int rj_driver_start(rj_driver_t **ret_driver, const rj_driver_config_t *config,
                    const rj_driver_start_t *start, char choice[static RJ_DRIVER_CHOICE_MAX],
                    rj_err_t *err);

#endif
