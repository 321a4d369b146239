/* SPDX-License-Identifier: Apache-2.0 */
/* sweep.h - takes out of a program's maps what dead owners left there.
 *
 * An owner is dead when rj_owners does not know it, or has no sign of life of it for
 * RJ_XDP_OWNER_TIMEOUT_NS; hence a driver writes its rj_owners entry before any other. What an
 * operator wrote stays. So does a dead driver's channel whose number the operator has claimed, for
 * stream rules refer to it: it belongs to nobody's driver then, and its frames pass.
 *
 * Units      ramjet/xdp_abi.h; times are CLOCK_MONOTONIC ns.
 * Ownership  nothing is kept.
 * Thread     any; others may write the maps meanwhile.
 * Errors     negative errno; what was removed until then stays removed, and the owner's entry goes
 *            last, so that the next sweep goes on.
 */
#ifndef RJ_XDP_SWEEP_H
#define RJ_XDP_SWEEP_H

#include "xdp/kernel_maps.h"

/* Sweeps `owner`, dead or alive, or with RJ_XDP_OWNER_NONE all that are dead. Returns how many of
 * rj_owners it removed. */
int rj_kernel_maps_sweep(rj_kernel_maps_t *maps, uint32_t owner, int64_t now_ns);

#endif
