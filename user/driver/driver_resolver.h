/* SPDX-License-Identifier: Apache-2.0 */
/* driver_resolver.h - the resolver that the settings ask for, with its counters.
 *
 * Units      as the configuration.
 * Ownership  it owns the resolver; counters live in the directory; the world's is the caller's.
 * Thread     open and close: while no agent works; in between the helper's.
 * Errors     negative errno and a text; nothing stays open.
 */
#ifndef RJ_DRIVER_DRIVER_RESOLVER_H
#define RJ_DRIVER_DRIVER_RESOLVER_H

#include "conductor/helper.h"
#include "config/config.h"
#include "driver/driver.h"
#include "engine/system_counters.h"
#include "name/resolve_csv.h"
#include "name/resolve_gossip.h"
#include "shm/counters.h"

typedef struct rj_driver_resolver {
    rj_resolver_t *resolver; /* what names are asked of */
    rj_resolver_csv_t csv;
    rj_resolver_t *gossip; /* NULL: none */
    rj_counters_t *counters;
    rj_system_counters_t *system;
    rj_helper_t *helper;
    const char *bootstraps;
    int32_t bootstrap_ids[RJ_GOSSIP_BOOTSTRAPS_MAX];
} rj_driver_resolver_t;

/* Makes it, and its counters (commands.md 14.3). What it has to tell goes to `helper`, which may be
 * opened later. `config` outlives it. */
int rj_driver_resolver_open(rj_driver_resolver_t *self, const rj_driver_config_t *config,
                            const rj_driver_world_t *world, rj_counters_t *counters,
                            rj_system_counters_t *system, rj_helper_t *helper, int64_t epoch_ms,
                            rj_err_t *err);

/* Safe on one that is zeroed. */
void rj_driver_resolver_close(rj_driver_resolver_t *self);

#endif
