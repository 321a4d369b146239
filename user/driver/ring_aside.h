/* SPDX-License-Identifier: Apache-2.0 */
/* ring_aside.h - has the rings of `auto` step aside while their interfaces bring bulk.
 *
 *      what came in ──aside_policy.h──► task ──helper: program off, or on again──► told, counted
 *
 * Only a program in generic mode that this driver has put there itself steps aside, and only while
 * nobody else needs it: no other driver, no filter of an operator. Sockets, maps and rings stay
 * open: what a ring still holds is read as ever, and what it is given to send it sends.
 *
 * What comes by an interface its program counts; while that is off, the sockets count for all of
 * them, so that several come back together.
 *
 * Units      monotonic ns.
 * Ownership  the rings and the helper are the caller's and outlive it; nothing to close, once the
 *            helper has ended its tasks.
 * Thread     the conductor's; open before it works.
 * Errors     open: what rj_counters_allocate says.
 */
#ifndef RJ_DRIVER_RING_ASIDE_H
#define RJ_DRIVER_RING_ASIDE_H

#include "conductor/helper.h"
#include "driver/aside_policy.h"
#include "driver/ring_world.h"
#include "shm/counters.h"

/* One interface. */
typedef struct rj_ring_aside_entry {
    struct ring_interface *interface;
    rj_aside_policy_t policy;
    uint64_t merged_bytes; /* of all sockets, at the last look */
    bool is_given;         /* the task is the helper's */
    bool is_refused;       /* and it was told */
    int64_t not_before_ns; /* after a refusal */
    rj_task_t task;
    int32_t counter_id; /* its value: how often it has stepped aside */
} rj_ring_aside_entry_t;

typedef struct rj_ring_aside {
    rj_ring_world_t *rings;
    rj_helper_t *helper;
    rj_counters_t *counters;
    rj_ring_aside_entry_t entries[RJ_STEERING_INTERFACES_MAX];
    int count;
} rj_ring_aside_t;

/* A counter for each interface whose ring may step aside; its label says where the ring is. */
int rj_ring_aside_open(rj_ring_aside_t *self, rj_ring_world_t *rings, rj_helper_t *helper,
                       rj_counters_t *counters, int64_t now_ns, int64_t epoch_ms, rj_err_t *err);

/* Looks when it is time to. Returns the work done. */
int rj_ring_aside_do_work(rj_ring_aside_t *self, int64_t now_ns);

#endif
