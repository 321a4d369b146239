/* SPDX-License-Identifier: Apache-2.0 */
/* capabilities.h - what a driver with rings keeps of its privileges once they are open.
 *
 *   CAP_BPF               its entries in the maps (kernels before 5.19 ask for it)
 *   CAP_NET_ADMIN         the kernel is asked to keep neighbours known
 *   CAP_NET_BIND_SERVICE  channels on ports below 1024
 *   CAP_DAC_OVERRIDE      where root's driver lives in a directory that only its owner may enter
 *
 * Of these it keeps what it has; everything else is gone for good, from the bounding set as well.
 *
 * Units      none.
 * Ownership  none.
 * Thread     the one that later threads come from, before there are any: each has its own set.
 * Errors     -EPERM and a text when the kernel does not let go; nothing or a part was given up.
 */
#ifndef RJ_DRIVER_CAPABILITIES_H
#define RJ_DRIVER_CAPABILITIES_H

#include "base/err.h"

/* `directory` is the driver's, and is there. */
int rj_capabilities_reduce(const char *directory, rj_err_t *err);

#endif
