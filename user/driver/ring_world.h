/* SPDX-License-Identifier: Apache-2.0 */
/* ring_world.h - the rings of a driver on this machine: interfaces, programs, AF_XDP sockets.
 *
 *      interface (named, or attached before) -> steering program -> maps
 *            | each queue
 *      engine k's port: queue first + k of every interface, in front of the engine's sockets
 *
 * Whatever cannot be had is told in one line, and the driver goes on over sockets there: a missing
 * privilege, an interface that another program holds, a queue that another driver has.
 *
 * Units      bytes; queue numbers.
 * Ownership  it owns programs, the netlink agent with its thread, and the ports until `take_port`.
 * Thread     open and close: the main thread. take_port: whoever opens the driver. The rest: the
 *            conductor's.
 * Errors     open fails only for want of memory and the like; no ring at all is no failure.
 */
#ifndef RJ_DRIVER_RING_WORLD_H
#define RJ_DRIVER_RING_WORLD_H

#include "base/err.h"
#include "base/transport.h"
#include "config/config.h"
#include "fabric/steering.h"
#include "netlink/feed.h"
#include "shm/log_pool.h"
#include "transport/port.h"

typedef struct rj_ring_world rj_ring_world_t;

typedef enum rj_ring_told {
    RJ_RING_CHOSEN,  /* what is used, and why */
    RJ_RING_REFUSED, /* what was wanted and could not be had; what to do */
    RJ_RING_LACKING, /* the same of what a ring does without */
} rj_ring_told_t;

/* Who may put a steering program on an interface that has none. */
typedef enum rj_ring_attach {
    RJ_RING_ATTACH_NEVER, /* as `aeronmd`: only what `ramjet attach` did before is used */
    RJ_RING_ATTACH_NAMED, /* on interfaces that the configuration names */
} rj_ring_attach_t;

/* What becomes of the process's capabilities once rings are open. */
typedef enum rj_ring_privilege {
    RJ_RING_KEEP_PRIVILEGE, /* the process is somebody else's */
    /* To what driver/capabilities.h lists, for this thread and later ones. */
    RJ_RING_REDUCE_PRIVILEGE,
} rj_ring_privilege_t;

typedef struct rj_ring_world_params {
    const rj_driver_config_t *config; /* outlives it; its directory is there */
    rj_transport_t sockets;           /* the kind of the inner ports */
    rj_port_params_t port;
    rj_ring_attach_t attach;
    rj_ring_privilege_t privilege;
    int64_t now_ns;
    void (*tell)(void *state, rj_ring_told_t told, const char *text); /* while it opens */
    void *tell_state;
} rj_ring_world_params_t;

int rj_ring_world_open(rj_ring_world_t **ret_world, const rj_ring_world_params_t *params,
                       rj_err_t *err);

/* Takes programs of our own off. Every port that was taken is closed before. Safe on NULL. */
void rj_ring_world_close(rj_ring_world_t *world);

/* How many engines have rings; 0: sockets only. */
int rj_ring_world_engine_count(const rj_ring_world_t *world);

/* The port of an engine below that count; the caller's from now on. */
rj_port_t *rj_ring_world_take_port(rj_ring_world_t *world, int engine);

/* Where logs of publications should be made, so that rings send from them without a copy; NULL:
 * anywhere. Safe on NULL. */
rj_log_pool_t *rj_ring_world_log_pool(const rj_ring_world_t *world);

/* What the conductor needs to steer; NULL without rings. */
rj_net_feed_t *rj_ring_world_feed(rj_ring_world_t *world);

/* Interfaces, maps and control way; the events' receiver is the caller's to fill in. */
void rj_ring_world_steering(const rj_ring_world_t *world, rj_steering_params_t *ret_params);

/* One ring, for whoever looks at a running driver. */
typedef struct rj_ring_view {
    char name[64];     /* "eth0 queue 0, generic, copy" */
    uint64_t received; /* frames */
    uint64_t sent;
    uint64_t sent_by_reference; /* of them: the payload was not copied */
    uint64_t send_full;         /* sends that a full TX ring cut short */
    uint64_t send_refused;      /* datagrams lost: the link did not take them, as when too long */
    uint64_t refused;           /* received, and neither whole nor for an endpoint of ours */
    uint64_t lost_full;         /* by the kernel: the RX ring was full */
    uint64_t lost_other;        /* by the kernel: no free frame, or too long a packet */
    bool has_kernel_side;       /* the three below mean something */
    uint64_t to_kernel;         /* frames that the ring gave it */
    uint64_t from_kernel;       /* and sent for it */
    uint64_t kernel_lost;       /* that it had no room for */
} rj_ring_view_t;

int rj_ring_world_ring_count(const rj_ring_world_t *world);

/* While the ring's engine lives. */
void rj_ring_world_look(const rj_ring_world_t *world, int ring, rj_ring_view_t *ret_view);

/* Datagrams that an engine with rings sent and received by its sockets. */
typedef struct rj_ring_sockets_view {
    uint64_t sent;
    uint64_t received;
    uint64_t sent_in_bulk; /* of those sent, what a ring could have taken */
    uint64_t merged_bytes; /* received, many datagrams at a time */
    uint64_t single_bytes; /* and one by one */
} rj_ring_sockets_view_t;

void rj_ring_world_sockets(const rj_ring_world_t *world, int engine,
                           rj_ring_sockets_view_t *ret_view);

#endif
