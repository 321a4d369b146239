/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h - puts a media driver together, lets its agents work, and takes it apart.
 *
 * It starts no thread and reads no clock: whoever embeds it (the daemon, the simulation) calls each
 * agent's work with the time. Which agents share a thread is the caller's choice
 * (docs/architecture.md):
 *
 *      conductor    always one
 *      engine 0..N  sockets only: two in DEDICATED (sender, receiver), else one with both halves;
 *                   rings: as many as were asked for, both halves each
 *      helper       a thread of its own, or one more agent of the shared thread
 *
 * Units      monotonic ns; epoch ms.
 * Ownership  the driver owns everything below it; `world` is copied, what it points at is the
 *            caller's.
 * Thread     open and close: one, while no agent works. Each agent: one thread.
 * Errors     open: negative errno and a text; nothing stays, but a directory that was prepared.
 */
#ifndef RJ_DRIVER_DRIVER_H
#define RJ_DRIVER_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "conductor/path_counts.h"
#include "config/config.h"
#include "engine/engine.h"
#include "fabric/steering.h"
#include "name/gossip_wire.h"
#include "name/resolver.h"
#include "netlink/feed.h"
#include "proto/interface.h"
#include "shm/counters.h"
#include "shm/dir.h"
#include "transport/port.h"
#include "transport/udp_socket.h"

/* Everything from outside that a driver touches; the simulation brings its own. */
typedef struct rj_driver_world {
    rj_sockets_t *sockets;
    rj_resolver_t *resolver; /* the system's; the configured one is built on it */
    /* The socket of the resolver `driver`. NULL: the world has none. */
    int (*open_gossip_wire)(void *state, const rj_address_t *bind, rj_gossip_wire_t **ret_wire,
                            rj_err_t *err);
    void *open_gossip_state;
    int (*read_interfaces)(rj_interface_t *interfaces, size_t count_max, rj_err_t *err);
    int64_t (*mono_ns)(void);
    int64_t (*epoch_ns)(void); /* NULL: times in messages are 0 */
    /* Opens the port of engine `index`. */
    int (*open_port)(void *state, int index, const rj_port_params_t *params, rj_port_t **ret_port,
                     rj_err_t *err);
    void *open_port_state;
    rj_transport_t socket_transport;      /* what those ports are, or have behind their rings */
    rj_transport_t ring_transport;        /* of those rings; auto: there are none */
    int ring_engine_count;                /* 0: sockets only; else up to RJ_ENGINES_MAX engines */
    const rj_steering_params_t *steering; /* of the rings' interfaces; NULL: none is steered */
    rj_net_feed_t *feed;                  /* NULL: paths get no headers */
    struct rj_ring_world *rings;          /* whose figures become counters; NULL: none */
    const char *choice;                   /* how data travel, and why; NULL: nobody is told */
    void (*wake_helper)(void *state); /* there is work for the helper; NULL: it looks by itself */
    void *wake_helper_state;
    int64_t pid;
    uint64_t seed;
    void (*close)(void *state); /* the last thing that a driver does; NULL: nothing */
    void *close_state;
} rj_driver_world_t;

typedef struct rj_driver rj_driver_t;

/* What the ports of a driver with these settings are opened with, by what their engine does. */
rj_port_params_t rj_driver_port_params(const rj_driver_config_t *config, rj_engine_halves_t halves);

/* Whether MTU and window fit into the socket buffers that the system grants. Asked first: a driver
 * that cannot start leaves every directory alone. `warnings` (NULL: nowhere) gets a line about what
 * was asked for and not granted. */
int rj_driver_check(const rj_driver_config_t *config, rj_sockets_t *sockets, FILE *warnings,
                    rj_err_t *err);

/* Moves into the directory: -EAGAIN while another driver's file is not ready (ask again each ms,
 * and with RJ_DIR_HAS_WAITED once the driver timeout is over), -EBUSY when one lives there. */
int rj_driver_prepare_dir(const rj_driver_config_t *config, int64_t epoch_ms,
                          rj_dir_patience_t patience, rj_err_t *err);

/* Makes the files, opens ports and agents and, last, shows itself to clients. The directory is
 * prepared. The world is closed with the driver, or by this call when it fails. */
int rj_driver_open(rj_driver_t **ret_driver, const rj_driver_config_t *config,
                   const rj_driver_world_t *world, int64_t epoch_ms, rj_err_t *err);

/* Records a warning in the distinct error log, before the conductor works or from its thread. */
void rj_driver_warn(rj_driver_t *driver, const char *text);

/* Whether a validated terminate command arrived. Any thread. */
bool rj_driver_is_terminated(const rj_driver_t *driver);

/* What the steering maps hold for it (NULL: no interface is steered), and by which door its paths
 * send. The conductor's thread. */
const rj_steering_stats_t *rj_driver_steering_stats(const rj_driver_t *driver);
rj_path_counts_t rj_driver_count_paths(const rj_driver_t *driver);

/* Every counter in its directory. Any thread, while the driver is open. */
void rj_driver_counters(const rj_driver_t *driver, rj_counters_reader_t *ret_reader);

int rj_driver_engine_count(const rj_driver_t *driver);

/* Whether engines have rings: then each has both halves. */
bool rj_driver_has_rings(const rj_driver_t *driver);

/* From the engine's thread, or while it does not work. */
const rj_engine_stats_t *rj_driver_engine_stats(const rj_driver_t *driver, int index);

int rj_driver_conductor_work(rj_driver_t *driver, int64_t now_ns, int64_t epoch_ms);
int rj_driver_engine_work(rj_driver_t *driver, int index, int64_t now_ns);

/* The thread that worked for this engine does so no more: what only it can let go of it lets go of.
 * Nobody has to call this. */
void rj_driver_engine_end(rj_driver_t *driver, int index);
int rj_driver_helper_work(rj_driver_t *driver, int64_t now_ns);

/* The earliest time at which any agent would work without something new. */
int64_t rj_driver_deadline_ns(const rj_driver_t *driver);

/* Frees everything, removes log buffers, says goodbye to clients and, if configured, removes the
 * directory. No agent works any more. Safe on NULL. */
void rj_driver_close(rj_driver_t *driver);

#endif
