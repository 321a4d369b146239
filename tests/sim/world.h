/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - whole drivers and clients in one thread, on virtual time.
 *
 * Every agent (conductors, engines, helpers, client conductors, workloads) is stepped in an order
 * that the seed draws, until a round in which nobody did anything; then time jumps to the next
 * deadline.
 *
 * Units      virtual ns.
 * Ownership  the world owns drivers, clients and the network.
 * Thread     one.
 * Errors     sim_fail ends the seed: its text is what the run reports.
 */
#ifndef RJ_TESTS_SIM_WORLD_H
#define RJ_TESTS_SIM_WORLD_H

#include <ramjet/ramjet.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim_net.h"
#include "sim_steer.h"

enum {
    WORLD_CLIENTS_MAX = 80,
    WORLD_TASKS_MAX = 128,
    WORLD_AGENTS_MAX = SIM_HOSTS_MAX * (2 + RJ_ENGINES_MAX) + WORLD_CLIENTS_MAX + WORLD_TASKS_MAX,
};

typedef struct world world_t;

/* One more thing to step: what a workload does with its client. Returns work done. */
typedef int (*world_task_t)(void *state, int64_t now_ns);

typedef struct world_params {
    uint64_t seed;
    int host_count;
    bool is_ipv6;
    rj_threading_mode_t threading;
    const char *directory; /* below which each host has its own */
    bool nak_delay_is_explicit;
    sim_rings_t rings; /* of every host */
    bool has_names;    /* drivers are called h0, h1, ... and tell each other */
    bool is_steered;   /* by maps, with a feed; else everything comes by the rings */
    sim_steer_params_t steer;
    bool sends_all; /* multi-destination channels are not aware of streams */
} world_params_t;

world_t *world_open(const world_params_t *params);

/* Closes clients, then drivers. Safe at any time. */
void world_close(world_t *world);

sim_net_t *world_net(world_t *world);
rj_prng_t *world_prng(world_t *world);

/* NULL unless it is steered. */
sim_steer_t *world_steer(world_t *world, int host);
sim_feed_t *world_feed(world_t *world, int host);
int64_t world_now_ns(const world_t *world);

/* By which door the paths of a host's driver send. */
rj_path_counts_t world_path_counts(const world_t *world, int host);

/* A client of the driver on `host`. */
rj_client_t *world_connect(world_t *world, int host);
void world_disconnect(world_t *world, rj_client_t *client);

/* The process is gone between two instructions: it never runs again and closes nothing. */
void world_kill_client(world_t *world, rj_client_t *client);

/* The machine is gone: its agents and clients never run again, nothing of it reaches the net. */
void world_crash_host(world_t *world, int host);

/* The agents of a host do not run until then, as if the scheduler had forgotten them. */
void world_pause_host(world_t *world, int host, int64_t until_ns);

void world_add_task(world_t *world, world_task_t task, void *state);
void world_address(const world_t *world, int host, int port, char *text, size_t size);
void world_channel(world_t *world, int host, int port, const char *params, char *text, size_t size);

/* Every address of a host, as a channel's endpoint names it. */
const char *world_wildcard(const world_t *world);

/* A channel of the one multicast group that the simulation uses. */
void world_group_channel(const world_t *world, int port, const char *params, char *text,
                         size_t size);

/* Steps until `is_done` says so; fails after `limit_ns` of virtual time. `what` names the wait. */
void world_run_until(world_t *world, bool (*is_done)(void *state), void *state, int64_t limit_ns,
                     const char *what);
void world_run_for(world_t *world, int64_t duration_ns);

/* Nothing is left of streams and channels: no counter of theirs, no socket, no log file. */
void world_check_empty(world_t *world, int host);

/* Counters never contradict each other: positions in order, none going back. */
void world_check_counters(world_t *world);

/* What the engines of a host forwarded to each other; fails unless all of it was taken. The host is
 * idle. */
int64_t world_forwarded(world_t *world, int host);

/* The host's driver ends as it should, and another one starts, called otherwise. No client of it is
 * connected. */
void world_rename_host(world_t *world, int host, const char *name);

/* The value of a driver's one counter of a type; -1 when it has none. */
int64_t world_counter(world_t *world, int host, int32_t type_id);

/* A system counter of a host's driver, by its id. */
int64_t world_system_counter(world_t *world, int host, int id);

/* Where sim_fail lands, and what it said. */
extern jmp_buf sim_failure;
extern char sim_failure_text[1024];

#endif
