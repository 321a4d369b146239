/* SPDX-License-Identifier: Apache-2.0 */
/* gossip_wire.h - the socket by which drivers tell each other names, as a table, because the
 * simulation has its own.
 *
 * Units      bytes.
 * Ownership  made by the kernel's or the simulation's open; gone after `close`.
 * Thread     opened by whoever opens the driver, then the helper's.
 * Errors     negative errno; `open` with a text that names the address.
 */
#ifndef RJ_NAME_GOSSIP_WIRE_H
#define RJ_NAME_GOSSIP_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/address.h"

typedef struct rj_gossip_wire rj_gossip_wire_t;

typedef struct rj_gossip_wire_ops {
    /* Sends one datagram; 0, or a negative errno. What would block counts as sent: it is said again
     * soon. */
    int (*send)(rj_gossip_wire_t *wire, const rj_address_t *to, const uint8_t *bytes,
                size_t length);

    /* One datagram: its length, 0 when there is none, or a negative errno. What is longer than
     * `capacity` is cut. */
    int (*receive)(rj_gossip_wire_t *wire, uint8_t *bytes, size_t capacity,
                   rj_address_t *ret_source);

    void (*close)(rj_gossip_wire_t *wire);
} rj_gossip_wire_ops_t;

struct rj_gossip_wire {
    const rj_gossip_wire_ops_t *ops;
    rj_address_t local; /* as bound, with the real port */
};

/* The kernel's socket, bound to exactly this address. `state` is not used. */
int rj_gossip_socket_open(void *state, const rj_address_t *bind, rj_gossip_wire_t **ret_wire,
                          rj_err_t *err);

#endif
