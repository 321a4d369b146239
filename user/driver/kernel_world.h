/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_world.h - the outside that a real driver touches: this kernel, its sockets and names.
 *
 * Units      none.
 * Ownership  the world points at static values only; `transport` has to outlive it.
 * Thread     whoever opens the driver.
 * Errors     negative errno and a text.
 */
#ifndef RJ_DRIVER_KERNEL_WORLD_H
#define RJ_DRIVER_KERNEL_WORLD_H

#include "driver/driver.h"

/* `transport` is the name of a kind of port (transport/registry.h). */
int rj_driver_kernel_world(rj_driver_world_t *ret_world, const char *transport, rj_err_t *err);

#endif
