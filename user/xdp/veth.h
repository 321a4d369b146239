/* SPDX-License-Identifier: Apache-2.0 */
/* veth.h - what XDP has to know of a veth pair: that it is one, who is at the other end, and what
 * the other end did not take (spec/xdp.md 3.10).
 *
 * Units      interface indices, packets.
 * Ownership  plain values.
 * Thread     the thread that is in the interface's network namespace.
 * Errors     negative errno and a text.
 */
#ifndef RJ_XDP_VETH_H
#define RJ_XDP_VETH_H

#include "base/err.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct rj_veth {
    bool is_veth;          /* everything below is of a veth only */
    bool is_peer_here;     /* in this namespace; the rest of it only then */
    bool peer_has_program; /* a native one: GRO or a generic program does not serve XDP_TX */
    char peer[IF_NAMESIZE];
} rj_veth_t;

/* Looks at the interface and at its other end. */
int rj_veth_look(uint32_t interface_index, rj_veth_t *ret_veth, rj_err_t *err);

/* How many frames of XDP_TX the other end has not taken so far. The kernel counts them only while
 * that end has neither GRO nor a program; 0 for what is no veth. */
int rj_veth_refused_count(const char *interface, uint64_t *ret_packets, rj_err_t *err);

#endif
