/* SPDX-License-Identifier: Apache-2.0 */
/* ring_front.h - a port of rings, of one queue on every interface, in front of kernel sockets.
 *
 *      run --header, its interface has a ring here, it fits, it is not bulk--> ring
 *       `--else-----------------------------------------------------------> inner port, counted
 *
 *      packets <-- rings first, then the inner port
 *
 * A full ring is a short result; what waits in it is sent by later polls too. Received frames are
 * checked again from the Ethernet header on: UDP checksums that are right, absent (IPv4) or only of
 * the pseudo-header (local senders over veth) are accepted. A packet goes to every endpoint that is
 * bound to its destination address and port; where none is, to those bound to the wildcard and that
 * port. As with the kernel's sockets, one that is connected hears its peer alone, and a member of a
 * group the interface where it has joined.
 *
 * Bulk are runs of many datagrams where segmentation by the kernel beats the ring. What follows on
 * their path goes the same way until it has been quiet for RJ_RING_FRONT_QUIET_NS, for the doors
 * keep no order between each other; what went before, by the ring, was there first anyway. Whoever
 * receives by both doors has them found empty before he believes in a gap (`drained`).
 *
 * Units      bytes; packets.
 * Ownership  the port owns rings and inner port from a successful open on. All memory is taken by
 *            open.
 * Thread     as port.h says; the accessors and the counts may be read from any thread while the
 *            port is open.
 * Errors     open: -EINVAL, -ENOMEM.
 */
#ifndef RJ_TRANSPORT_RING_FRONT_H
#define RJ_TRANSPORT_RING_FRONT_H

#include <stdint.h>

#include "base/err.h"
#include "transport/frame_ring.h"
#include "transport/port.h"

enum {
    RJ_RING_FRONT_RINGS_MAX = 16,
    RJ_RING_FRONT_QUIET_NS = 500000,
};

typedef struct rj_ring_front_params {
    rj_port_params_t port;
    rj_port_t *sockets; /* the inner port, opened with the same rj_port_params_t */
    rj_frame_ring_t *const *rings;
    uint32_t ring_count; /* 1..RJ_RING_FRONT_RINGS_MAX, each interface once */
    /* Of each ring: a run of so many datagrams is bulk; 0: none is. NULL: none of any. */
    const uint32_t *bulk_datagrams_min;
} rj_ring_front_params_t;

/* Written by the engine's thread alone, each by a relaxed store. */
typedef struct rj_ring_front_stats {
    uint64_t socket_sends;    /* datagrams that went by the inner port */
    uint64_t socket_receives; /* that came by it */
    uint64_t bulk_sends;      /* of the sends, those that a ring would have taken */
    uint64_t merged_bytes;    /* that came by it many datagrams at a time */
    uint64_t single_bytes;    /* and one by one */
} rj_ring_front_stats_t;

/* On failure rings and inner port are still the caller's. */
int rj_ring_front_open(const rj_ring_front_params_t *params, rj_port_t **ret_port, rj_err_t *err);

const rj_ring_front_stats_t *rj_ring_front_stats(const rj_port_t *port);

#endif
