/* SPDX-License-Identifier: Apache-2.0 */
/* port_counters.h - what ports of kernel sockets did, as counters of the driver's directory.
 *
 * A driver that was asked for such a port by name has a block for each engine; one that was not has
 * none, so that it looks as the reference does.
 *
 * Units      as port_stats.h says.
 * Ownership  the counters live as long as the driver; nothing to close.
 * Thread     the conductor's; open before it works.
 * Errors     open: what rj_counters_allocate says.
 */
#ifndef RJ_DRIVER_PORT_COUNTERS_H
#define RJ_DRIVER_PORT_COUNTERS_H

#include "config/config.h"
#include "engine/engine.h"
#include "shm/counters.h"

enum {
    RJ_PORT_COUNTERS_ROWS = 12,
    RJ_PORT_COUNTERS_PERIOD_NS = 100 * 1000 * 1000,
};

typedef struct rj_port_counters {
    int64_t *values[RJ_ENGINES_MAX][RJ_PORT_COUNTERS_ROWS];
    int engine_count;
    int64_t next_ns;
} rj_port_counters_t;

/* Allocates a block for each engine whose port counts; `transport` is what was asked for. */
int rj_port_counters_open(rj_port_counters_t *self, rj_counters_t *counters,
                          rj_transport_t transport, rj_engine_t *const *engines, int engine_count,
                          int64_t epoch_ms, rj_err_t *err);

/* Writes the figures once a period. */
void rj_port_counters_update(rj_port_counters_t *self, rj_engine_t *const *engines, int64_t now_ns);

#endif
