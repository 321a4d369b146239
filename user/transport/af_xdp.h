/* SPDX-License-Identifier: Apache-2.0 */
/* af_xdp.h - the port `xdp`: AF_XDP rings of one queue on every interface, and kernel sockets.
 *
 *      run --header, its interface has a ring here, it fits--> TX ring
 *       `--else--------------------------------------------> inner port (sockets), counted
 *
 *      packets <-- RX rings first, then the inner port
 *
 * A datagram is copied into the UMEM, the checksum computed on the way, so that its bytes are free
 * at once. A full TX ring is a short result; what stands in it is sent by later polls too. Received
 * packets point into the UMEM and are checked again from the Ethernet header on: UDP checksums that
 * are right, absent (IPv4) or only of the pseudo-header (local senders over veth) are accepted. A
 * packet goes to every endpoint that is bound to its destination address and port; where none is,
 * to those bound to the wildcard and that port. As with the kernel's sockets, one that is connected
 * hears its peer alone, and a member of a group the interface where it has joined.
 *
 * Units      bytes; packets.
 * Ownership  the port owns the inner port from a successful open on. All memory is taken by open.
 * Thread     as port.h says; rj_af_xdp_* accessors and the counts may be read from any thread while
 *            the port is open.
 * Errors     open: negative errno with what to do; the caller goes on over sockets and says so.
 */
#ifndef RJ_TRANSPORT_AF_XDP_H
#define RJ_TRANSPORT_AF_XDP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/port.h"
#include "xsk/xsk.h"

enum {
    RJ_AF_XDP_RINGS_MAX = 16,
    RJ_AF_XDP_FRAMES_DEFAULT = 4096, /* of each ring: received and sent */
    RJ_AF_XDP_RING_SIZE_DEFAULT = 2048,
};

/* One ring: a queue of an interface. */
typedef struct rj_af_xdp_ring_params {
    const char *interface_name; /* for texts; need not outlive open */
    uint32_t interface_index;
    uint32_t mtu_bytes;
    uint32_t queue;
    rj_xsk_mode_t mode;
    bool never_sleeps; /* its engine polls without a pause (transport/xdp_ring.h) */
} rj_af_xdp_ring_params_t;

typedef struct rj_af_xdp_params {
    rj_port_params_t port;
    rj_port_t *sockets; /* the inner port, opened with the same rj_port_params_t */
    const rj_af_xdp_ring_params_t *rings;
    uint32_t ring_count;      /* 1..RJ_AF_XDP_RINGS_MAX, each interface once */
    uint32_t frames_per_ring; /* 0: the default. The fill ring takes rx_size of them */
    uint32_t rx_size;         /* of fill and RX ring, a power of two; 0: the default */
    uint32_t tx_size;         /* of TX and completion ring, a power of two; 0: the default */
} rj_af_xdp_params_t;

/* Written by the engine's thread alone, each by a relaxed store. */
typedef struct rj_af_xdp_ring_stats {
    uint64_t rx_frames; /* packets taken from the RX ring, the four below included */
    uint64_t rx_checksum_errors;
    uint64_t rx_malformed;
    uint64_t rx_unknown;     /* no endpoint: a stale entry of the steering */
    uint64_t rx_linearised;  /* came in several frames, so were copied once more */
    uint64_t rx_fan_out_cut; /* copies lost where a group has more endpoints than a batch */
    uint64_t tx_frames;      /* datagrams put into the TX ring */
    uint64_t tx_ring_full;   /* sends that ended short */
    uint64_t tx_kicks;       /* system calls */
} rj_af_xdp_ring_stats_t;

typedef struct rj_af_xdp_stats {
    uint64_t socket_sends;    /* datagrams that went by the inner port */
    uint64_t socket_receives; /* that came by it */
} rj_af_xdp_stats_t;

/* What stays as it is while the port is open. */
typedef struct rj_af_xdp_ring_info {
    uint32_t interface_index;
    uint32_t queue;
    int fd;              /* for the XSKMAP and rj_xsk_losses */
    uint32_t room_bytes; /* longest frame that it receives: rj_queue_value.room_bytes */
    bool is_zero_copy;
    bool uses_segments; /* the XDP program must be of kind frags in native mode */
    const rj_af_xdp_ring_stats_t *stats;
} rj_af_xdp_ring_info_t;

/* Opens all rings or fails. On failure the inner port is still the caller's, and
 * `*ret_failed_ring` says which ring could not be opened, so that the others may be tried without
 * it; ring_count when it was none of them. */
int rj_af_xdp_open(const rj_af_xdp_params_t *params, rj_port_t **ret_port,
                   uint32_t *ret_failed_ring, rj_err_t *err);

uint32_t rj_af_xdp_ring_count(const rj_port_t *port);

/* `index` below the count. */
void rj_af_xdp_ring_info(const rj_port_t *port, uint32_t index, rj_af_xdp_ring_info_t *ret_info);

const rj_af_xdp_stats_t *rj_af_xdp_stats(const rj_port_t *port);

#endif
