/* SPDX-License-Identifier: Apache-2.0 */
/* port.h - a way in and out of this machine that belongs to one engine.
 *
 * Two nouns: an endpoint is an address of ours with its kernel UDP socket; a port moves datagrams
 * for all endpoints attached to it. Per-socket and per-queue transports fit the same table
 * (docs/architecture.md).
 *
 * Units      bytes; times are monotonic ns.
 * Ownership  a port is made by its kind's open (registry.h names them) and gone after `close`; a
 *            kind embeds rj_port_t as its first member. The caller owns the endpoints.
 * Thread     every call comes from the port's engine thread; none blocks, none allocates.
 * Errors     negative errno, as each slot says. EAGAIN is never an error here: it is "nothing
 *            taken".
 */
#ifndef RJ_TRANSPORT_PORT_H
#define RJ_TRANSPORT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/transport.h"
#include "proto/address.h"
#include "proto/packet.h"
#include "proto/run.h"
#include "transport/path.h"
#include "transport/port_stats.h"

enum {
    RJ_PORT_RECEIVE_BATCH_DEFAULT = 64,
    RJ_PORT_RECEIVE_BATCH_MAX = 1024,
    RJ_PORT_ENDPOINTS_MAX = 8192,
};

/* What a port is opened with; it takes all memory that it will ever need. */
typedef struct rj_port_params {
    uint32_t receive_batch;   /* most packets that one poll gives, 1..RJ_PORT_RECEIVE_BATCH_MAX */
    uint32_t endpoint_max;    /* endpoints attached at a time, 1..RJ_PORT_ENDPOINTS_MAX */
    rj_zero_copy_t zero_copy; /* of `uring` */
} rj_port_params_t;

/* Which half of an engine wants what arrives here. */
typedef enum rj_endpoint_kind {
    RJ_ENDPOINT_SEND,   /* embedded in rj_send_endpoint_t: status messages, NAKs, ... come in */
    RJ_ENDPOINT_RECEIVE /* embedded in rj_receive_destination_t: data and setups come in */
} rj_endpoint_kind_t;

/* Whether a port reads an endpoint's socket, or only learns which frames are for it. */
typedef enum rj_attach_role {
    RJ_ATTACH_HOME, /* the port of the endpoint's home engine */
    RJ_ATTACH_GUEST /* a port of any other engine: rings learn the address, sockets nothing */
} rj_attach_role_t;

typedef struct rj_endpoint {
    rj_endpoint_kind_t kind;
    int64_t id;          /* never another endpoint's in this driver */
    int home;            /* the engine whose port reads the socket */
    int socket;          /* from rj_sockets_ops_t.open; -1 when it has none (yet) */
    rj_address_t local;  /* what datagrams for it are addressed to: as bound, with the real port,
                            or its multicast group, of which there may be several members */
    uint32_t group_link; /* the interface on which its group was joined; 0: not known, or none */
    rj_address_t peer;   /* what its socket is connected to, and alone hears; AF_UNSPEC: nothing */
    int slot;            /* book-keeping of the home engine's port; -1 while detached */
    uint16_t managed_port; /* given back with the socket (conductor/port_manager.h); 0: none */
    bool wants_media_time; /* that the kernel stamps what its socket receives */
} rj_endpoint_t;

typedef struct rj_port rj_port_t;

typedef struct rj_port_ops {
    const char *name; /* as in the option --transport=NAME */

    /* Sends `count` runs in order. Fills in each run's number, counting on from the last call, and
     * its result: bytes taken, whole datagrams only, or a negative errno when none were. A short
     * result is a full queue; what follows for the same queue is not tried then and has result 0.
     * Returns how many runs were looked at, fewer than `count` where all that is left must wait.
     * ECONNREFUSED, the echo of an earlier datagram, counts as taken nothing, not as an error. */
    int (*send)(rj_port_t *port, rj_run_t *runs, size_t count);

    /* Fills up to `count` received packets, never more than the port's batch, valid until the next
     * poll of this port. `now_ns` becomes their receive time where the port has none of its own;
     * when the kernel had them is told where the endpoint wants it and a socket brings them.
     * Fewer than wanted: nothing more was there, unless `has_more` says so.
     * Serves attached endpoints fairly. A socket's error is kept for `take_error` and stops no
     * other. */
    int (*poll)(rj_port_t *port, rj_packet_t *packets, size_t count, int64_t now_ns);

    /* Collects completions; no byte of a run numbered below the result is referenced any more. */
    uint64_t (*reclaim)(rj_port_t *port);

    /* The home engine's port reads the endpoint's socket; a ring only learns its address and port.
     * -ENOSPC when the port's table is full. */
    int (*attach)(rj_port_t *port, rj_endpoint_t *endpoint, rj_attach_role_t role);
    void (*detach)(rj_port_t *port, rj_endpoint_t *endpoint, rj_attach_role_t role);

    /* NULL where what arrives keeps its order, for it comes by one way in. Else in which polls the
     * ways in were found empty. */
    rj_drained_t (*drained)(const rj_port_t *port);

    /* Hands out one error of poll that nobody has seen yet: 0 when there is none, else a negative
     * errno and the endpoint it struck. */
    int (*take_error)(rj_port_t *port, rj_endpoint_t **ret_endpoint);

    /* Gives everything back, the port itself included. */
    void (*close)(rj_port_t *port);

    /* May be missing. The port will only be closed: its engine's thread is about to end, and lets
     * go of what no other thread can let go of at once. */
    void (*retire)(rj_port_t *port);

    /* May be missing. Any thread, until `close`. */
    const rj_port_stats_t *(*stats)(const rj_port_t *port);
} rj_port_ops_t;

struct rj_port {
    const rj_port_ops_t *ops;
    bool has_more; /* the last poll may have left something that was there */
};

#endif
