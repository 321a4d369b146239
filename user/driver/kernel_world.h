/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_world.h - the outside that a real driver touches: this kernel, its sockets, names, rings.
 *
 * Units      none.
 * Ownership  the world's `close` gives everything back; rj_driver_open takes care of it.
 * Thread     whoever opens the driver.
 * Errors     negative errno and a text; nothing stays open.
 */
#ifndef RJ_DRIVER_KERNEL_WORLD_H
#define RJ_DRIVER_KERNEL_WORLD_H

#include "driver/driver.h"
#include "driver/ring_world.h"
#include "driver/socket_kind.h"

/* Who hears what was chosen for data, and what was wanted and is not to be had. */
typedef struct rj_kernel_world_params {
    const rj_driver_config_t *config; /* outlives the world */
    rj_ring_attach_t attach;
    rj_ring_privilege_t privilege;
    int64_t now_ns;
    void (*tell)(void *state, rj_ring_told_t told, const char *text);
    void *tell_state;
} rj_kernel_world_params_t;

int rj_driver_kernel_world(rj_driver_world_t *ret_world, const rj_kernel_world_params_t *params,
                           rj_err_t *err);

#endif
