/* SPDX-License-Identifier: Apache-2.0 */
/* system_counters.h - the first 46 counters, by the ids that Aeron's tools expect
 * (commands.md 14.4).
 *
 * Units      as each label says.
 * Ownership  the value words live in the CnC file.
 * Thread     allocated by the conductor at start; `add` and `propose_max` from any thread.
 * Errors     allocation: -ENOSPC when the counters section is too small.
 */
#ifndef RJ_ENGINE_SYSTEM_COUNTERS_H
#define RJ_ENGINE_SYSTEM_COUNTERS_H

#include <stdint.h>

#include "base/atomic.h"
#include "base/err.h"
#include "ramjet/command.h"
#include "shm/counters.h"

typedef struct rj_system_counters {
    int64_t *values[RJ_SYSTEM_COUNTER_COUNT];
} rj_system_counters_t;

/* What stands behind the fixed labels. */
typedef struct rj_system_counter_labels {
    const char *threading_mode;
    const char *resolver_name;
    int64_t conductor_threshold_ns;
    int64_t sender_threshold_ns;
    int64_t receiver_threshold_ns;
    int64_t resolver_threshold_ns;
} rj_system_counter_labels_t;

/* Allocates all of them, in order, so that counter id = index, and stores the version counters. */
int rj_system_counters_allocate(rj_system_counters_t *system, rj_counters_t *counters,
                                const rj_system_counter_labels_t *labels, int64_t epoch_ms,
                                rj_err_t *err);

/* Several threads add to one counter, so this is an atomic read-modify-write: call it once a turn.
 */
static inline void rj_system_counter_add(rj_system_counters_t *system, int id, int64_t delta)
{
    if (delta != 0)
        rj_fetch_add_i64(system->values[id], delta);
}

/* Raises a maximum, of which several threads may know. */
static inline void rj_system_counter_propose_max(rj_system_counters_t *system, int id,
                                                 int64_t value)
{
    for (;;) {
        const int64_t seen = rj_load_acquire_i64(system->values[id]);
        if (value <= seen || rj_cas_i64(system->values[id], seen, value))
            return;
    }
}

#endif
