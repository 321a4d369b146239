/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h - one thread's share of the data path: a sender half, then a receiver half, every turn.
 *
 * It owns its ports, publications and images between the ADD and the RELEASED message of each
 * (commands.h). A turn: commands from the conductor; setups, new data, resends and heartbeats of
 * all its publications as one batch of runs; packets from its ports; tracking of its images (gaps,
 * NAKs, status messages) as a second batch; system counters; positions.
 *
 * Units      monotonic ns, bytes.
 * Ownership  the driver owns the engine; the engine owns its scratch and its two rings.
 * Thread     `do_work` and `deadline_ns` from the engine's thread; `open` and `close` while it does
 * not run; the rings' far ends from the conductor. Errors     do_work cannot fail: what goes wrong
 * is counted, or told to the conductor.
 */
#ifndef RJ_DRIVER_ENGINE_H
#define RJ_DRIVER_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "driver/commands.h"
#include "driver/system_counters.h"
#include "shm/ring_spsc.h"
#include "transport/port.h"

enum {
    RJ_ENGINE_PORTS_MAX = 8,
    RJ_ENGINE_PUBLICATIONS_MAX = 16384,
    RJ_ENGINE_IMAGES_MAX = 16384,
};

typedef struct rj_engine rj_engine_t;

typedef struct rj_engine_params {
    int index;                             /* 0..N-1 */
    rj_port_t *ports[RJ_ENGINE_PORTS_MAX]; /* opened; the engine closes them */
    int port_count;
    rj_system_counters_t *system_counters;
    int32_t receive_batch; /* packets per poll */
    uint64_t seed;         /* for randomised back-off */
} rj_engine_params_t;

/* Takes all memory it will ever need. -ENOMEM. */
int rj_engine_open(rj_engine_t **ret_engine, const rj_engine_params_t *params, rj_err_t *err);
void rj_engine_close(rj_engine_t *engine);

/* One turn. Returns the work done; 0 means idle. */
int rj_engine_do_work(rj_engine_t *engine, int64_t now_ns);

/* The earliest time at which a turn without new data, frames or commands would do anything. */
int64_t rj_engine_deadline_ns(const rj_engine_t *engine);

/* conductor -> engine: rj_engine_command_t */
rj_ring_spsc_t *rj_engine_command_ring(rj_engine_t *engine);
/* engine -> conductor: rj_engine_event_t */
rj_ring_spsc_t *rj_engine_event_ring(rj_engine_t *engine);

#endif
