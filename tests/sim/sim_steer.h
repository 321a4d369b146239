/* SPDX-License-Identifier: Apache-2.0 */
/* sim_steer.h - the steering program of a simulated host: its maps as plain tables, its decision
 * the very code that the kernel runs.
 *
 *     datagram -> Ethernet frame -> rj_steer_decide -> ring of the queue, or the sockets
 *
 * Units      bytes; virtual ns.
 * Ownership  owns tables and, while it is there, the other driver on the same interface.
 * Thread     one.
 * Errors     sim_fail where the accounts do not add up.
 */
#ifndef RJ_TESTS_SIM_STEER_H
#define RJ_TESTS_SIM_STEER_H

#include "fabric/steering.h"
#include "sim_feed.h"
#include "sim_net.h"
#include "tests/fixtures/steer_tables.h"

typedef struct sim_steer_params {
    uint64_t seed;
    int engine_count;
    uint32_t room_bytes; /* longest frame that a ring takes */
    rj_steering_control_t control;
    uint32_t foreign_ppm; /* frames that come to a queue of the other driver, while it is there */
} sim_steer_params_t;

/* frames = the sum of the reasons; redirected = those that a ring was offered. */
typedef struct sim_steer_stats {
    int64_t frames;
    int64_t redirected;
    int64_t detached; /* came while no program was there; none of the frames above */
    int64_t reasons[RJ_XDP_REASON_COUNT];
    int64_t events; /* lines for a person */
} sim_steer_stats_t;

typedef struct sim_steer sim_steer_t;

sim_steer_t *sim_steer_open(sim_host_t *host, sim_feed_t *feed, const sim_steer_params_t *params);
void sim_steer_close(sim_steer_t *steer);

/* What the host's driver is given, and what its rings ask (sim_rings_t). */
const rj_steering_params_t *sim_steer_wishes(const sim_steer_t *steer);
sim_door_t sim_steer_door(void *steer, int engine, const sim_arrival_t *arrival);

steer_tables_t *sim_steer_tables(sim_steer_t *steer);
const sim_steer_stats_t *sim_steer_stats(const sim_steer_t *steer);

/* A second driver comes to the interface, with a queue and channels of its own, and sweeps whoever
 * is dead; and goes again. */
void sim_steer_add_neighbour(sim_steer_t *steer);
void sim_steer_remove_neighbour(sim_steer_t *steer);

/* Its turn; nothing where it is not there. */
int sim_steer_work(sim_steer_t *steer);

/* Every frame has its reason, and every ring its frames. */
void sim_steer_check_accounts(const sim_steer_t *steer);

/* Nothing is left but what a driver without streams has: itself, its queues, its number. */
void sim_steer_check_idle(const sim_steer_t *steer);

/* Nothing of any driver is left, the other one aside. */
void sim_steer_check_swept(const sim_steer_t *steer);

/* A path's header says what the path says: destination, source port, a host that is there. */
void sim_steer_check_header(const sim_host_t *host, const rj_path_t *path);

#endif
