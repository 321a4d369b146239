/* SPDX-License-Identifier: Apache-2.0 */
/* port.h - a way in and out of this machine that belongs to one engine.
 *
 * Two nouns: an endpoint is an address of ours with its kernel UDP socket; a port moves datagrams
 * for all endpoints attached to it. Per-socket and per-queue transports fit the same table
 * (design.md 2).
 *
 * Units      bytes; times are monotonic ns.
 * Ownership  the caller owns port and endpoints; a kind of port embeds rj_port_t as its first
 * member. Thread     every call comes from the port's engine thread; none blocks, none allocates.
 * Errors     negative errno, as each slot says. EAGAIN is never an error here: it is "nothing
 * taken".
 */
#ifndef RJ_TRANSPORT_PORT_H
#define RJ_TRANSPORT_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "proto/address.h"
#include "proto/packet.h"
#include "proto/run.h"
#include "transport/path.h"

/* Which half of an engine wants what arrives here. */
typedef enum rj_endpoint_kind {
    RJ_ENDPOINT_SEND,   /* embedded in rj_send_endpoint_t: status messages, NAKs, ... come in */
    RJ_ENDPOINT_RECEIVE /* embedded in rj_receive_destination_t: data and setups come in */
} rj_endpoint_kind_t;

typedef struct rj_endpoint {
    rj_endpoint_kind_t kind;
    int socket;         /* from rj_sockets_ops_t.open; -1 when it has none (yet) */
    rj_address_t local; /* as bound: the real port */
    int slot;           /* the port's own book-keeping; -1 while detached */
} rj_endpoint_t;

typedef struct rj_port rj_port_t;

typedef struct rj_port_ops {
    const char *name; /* as in the option --transport=NAME */

    /* Sends `count` runs in order. Fills in each run's number, counting on from the last call, and
     * its result: bytes taken, whole datagrams only, or a negative errno when none were. Returns
     * how many runs were looked at; the last one short, or fewer than `count`, means that a queue
     * is full. ECONNREFUSED, the echo of an earlier datagram, counts as taken nothing, not as an
     * error. */
    int (*send)(rj_port_t *port, rj_run_t *runs, size_t count);

    /* Fills up to `count` received packets, valid until the next poll of this port. `now_ns`
     * becomes their receive time where the port has none of its own. Serves attached endpoints
     * fairly. A socket's error is kept for `take_error` and does not stop the others. */
    int (*poll)(rj_port_t *port, rj_packet_t *packets, size_t count, int64_t now_ns);

    /* Collects completions; no byte of a run numbered below the result is referenced any more. */
    uint64_t (*reclaim)(rj_port_t *port);

    /* The home engine's port reads the endpoint's socket; a ring only learns its address and port.
     * -ENOSPC when the port's table is full. */
    int (*attach)(rj_port_t *port, rj_endpoint_t *endpoint);
    void (*detach)(rj_port_t *port, rj_endpoint_t *endpoint);

    /* Hands out one error of poll that nobody has seen yet: 0 when there is none, else a negative
     * errno and the endpoint it struck. */
    int (*take_error)(rj_port_t *port, rj_endpoint_t **ret_endpoint);

    /* Gives everything back. Safe on a closed or half-open port. */
    void (*close)(rj_port_t *port);
} rj_port_ops_t;

struct rj_port {
    const rj_port_ops_t *ops;
};

#endif
