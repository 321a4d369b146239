/* SPDX-License-Identifier: Apache-2.0 */
/* conductor.h - executes what clients ask for and owns the life of everything in the driver.
 *
 * A turn: clocks, the timer's events when its interval is over, one command of a client (or a step
 * of the one in flight), what the engines report, publisher limits (driver.md 2.1).
 *
 * Units      monotonic ns; epoch ms where clients share the time.
 * Ownership  what `params` points at belongs to the driver and outlives the conductor; everything
 *            that clients create belongs to the conductor and is lent to engines by message
 *            (commands.h).
 * Thread     one; the far ends of the rings belong to the engines and the helper.
 * Errors     go to the client that asked, and to the distinct error log; do_work cannot fail.
 */
#ifndef RJ_CONDUCTOR_CONDUCTOR_H
#define RJ_CONDUCTOR_CONDUCTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "conductor/helper.h"
#include "conductor/path_counts.h"
#include "config/config.h"
#include "engine/engine.h"
#include "engine/system_counters.h"
#include "fabric/steering.h"
#include "netlink/feed.h"
#include "shm/cnc.h"
#include "shm/counters.h"
#include "transport/udp_socket.h"

typedef struct rj_conductor rj_conductor_t;

typedef struct rj_conductor_params {
    const rj_driver_config_t *config;
    rj_cnc_t *cnc;
    uint8_t *loss_report_bytes;
    int64_t loss_report_length;
    rj_counters_t *counters;
    rj_system_counters_t *system;
    rj_sockets_t *sockets;
    rj_helper_t *helper;
    rj_engine_t *engines[RJ_ENGINES_MAX];
    int engine_count;
    /* With rings endpoints are spread over all engines, and each is known to all of them. Without,
     * send endpoints live in the first engine and receive endpoints in the last, unknown to the
     * other. */
    bool has_rings;
    /* Interfaces whose queues are the engines' rings: queue_first + k is engine k's. NULL: none.
     * Its events go to the error log as warnings, and then to its own `on_event`. */
    const rj_steering_params_t *steering;
    rj_transport_t socket_transport; /* how endpoints are served, */
    rj_transport_t ring_transport;   /* and by which rings before that; auto: by none */
    rj_net_feed_t *feed; /* NULL: nothing is known of ways, so sockets send everything */
    uint64_t seed;       /* of session ids, initial term ids and the receiver id */
    /* A validated terminate command arrived (driver.md 19). */
    void (*on_terminate)(void *state);
    void *on_terminate_state;
    /* Told of each command of a client, before it is looked at, and of each message to clients;
     * NULL: nobody. */
    void (*on_message)(void *state, int32_t type, const void *body, int32_t length);
    void *on_message_state;
} rj_conductor_params_t;

int rj_conductor_open(rj_conductor_t **ret_conductor, const rj_conductor_params_t *params,
                      rj_err_t *err);

/* One turn. Returns the work done; 0 means idle. */
int rj_conductor_do_work(rj_conductor_t *conductor, int64_t now_ns, int64_t epoch_ms);

/* The earliest time at which a turn without command or event would do anything. */
int64_t rj_conductor_deadline_ns(const rj_conductor_t *conductor);

/* What the steering maps hold for this driver; NULL when no interface is steered. */
const rj_steering_stats_t *rj_conductor_steering_stats(const rj_conductor_t *conductor);

/* How many paths have a header, and why the others have none. */
rj_path_counts_t rj_conductor_count_paths(const rj_conductor_t *conductor);

/* Records an error in the distinct error log and counts it, once. */
void rj_conductor_report(rj_conductor_t *conductor, int error_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Frees everything: sockets, log buffers and their files, counters. Engines and helper are
 * stopped. */
void rj_conductor_close(rj_conductor_t *conductor);

#endif
