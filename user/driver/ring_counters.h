/* SPDX-License-Identifier: Apache-2.0 */
/* ring_counters.h - what rings, forwarding and steering did, as counters of the driver's directory.
 *
 * Their type ids, from RJ_COUNTER_TYPE_RAMJET_MIN on, are none of Aeron's; its tools print them
 * by their labels. A driver on sockets alone has none of them.
 *
 * Units      frames, datagrams, entries.
 * Ownership  the counters live as long as the driver; nothing to close.
 * Thread     the conductor's; open before it works.
 * Errors     open: what rj_counters_allocate says.
 */
#ifndef RJ_DRIVER_RING_COUNTERS_H
#define RJ_DRIVER_RING_COUNTERS_H

#include "conductor/conductor.h"
#include "driver/ring_world.h"
#include "engine/engine.h"
#include "shm/counters.h"

enum {
    RJ_RING_COUNTERS_MAX = 2048,
    RJ_RING_COUNTERS_PERIOD_NS = 100 * 1000 * 1000,
};

typedef struct rj_ring_counters {
    int64_t *values[RJ_RING_COUNTERS_MAX]; /* in the order of open */
    int count;
    int64_t next_ns;
} rj_ring_counters_t;

/* Allocates the counters of every ring, of every engine, and of the steering. */
int rj_ring_counters_open(rj_ring_counters_t *self, rj_counters_t *counters,
                          const rj_ring_world_t *rings, int64_t epoch_ms, rj_err_t *err);

/* Writes the figures once a period. */
void rj_ring_counters_update(rj_ring_counters_t *self, const rj_ring_world_t *rings,
                             rj_engine_t *const *engines, const rj_conductor_t *conductor,
                             int64_t now_ns);

#endif
