/* SPDX-License-Identifier: Apache-2.0 */
/* af_xdp.h - rings of the kind `xdp`: AF_XDP sockets of one queue on every interface, which share
 * one UMEM.
 *
 * A datagram is copied into the UMEM, the checksum computed on the way, so that its bytes are free
 * at once. Received frames stay in the UMEM until the next poll.
 *
 * Units      bytes; packets.
 * Ownership  rings are the caller's, who as a rule has a front take them over (ring_front.h). All
 *            memory is taken by open; the last ring of an open to be closed frees it.
 * Thread     as frame_ring.h says; rj_af_xdp_ring_info from any thread while the ring is open.
 * Errors     open: negative errno with what to do; the caller goes on over sockets and says so.
 */
#ifndef RJ_TRANSPORT_AF_XDP_H
#define RJ_TRANSPORT_AF_XDP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/frame_ring.h"
#include "transport/ring_front.h"
#include "xsk/xsk.h"

enum {
    RJ_AF_XDP_RINGS_MAX = RJ_RING_FRONT_RINGS_MAX,
    RJ_AF_XDP_FRAMES_DEFAULT = 4096, /* of each ring: received and sent */
    RJ_AF_XDP_RING_SIZE_DEFAULT = 2048,
    RJ_AF_XDP_MEMORY_BYTES = RJ_AF_XDP_FRAMES_DEFAULT * RJ_UMEM_FRAME_BYTES_MAX,
};

/* One ring: a queue of an interface. */
typedef struct rj_af_xdp_ring_params {
    const char *interface_name; /* for texts; need not outlive open */
    uint32_t interface_index;
    uint32_t mtu_bytes;
    uint32_t queue;
    rj_xsk_mode_t mode;
    bool is_generic;       /* its program is behind the kernel's GRO */
    bool never_sleeps;     /* its engine polls without a pause (transport/xdp_ring.h) */
    uint32_t busy_poll_us; /* 0: none (xsk/xsk.h) */
    uint32_t busy_poll_budget;
} rj_af_xdp_ring_params_t;

typedef struct rj_af_xdp_params {
    const rj_af_xdp_ring_params_t *rings;
    uint32_t ring_count;      /* 1..RJ_AF_XDP_RINGS_MAX, each interface once */
    uint32_t frames_per_ring; /* 0: the default. The fill ring takes rx_size of them */
    uint32_t rx_size;         /* of fill and RX ring, a power of two; 0: the default */
    uint32_t tx_size;         /* of TX and completion ring, a power of two; 0: the default */
    /* Of the caller's, at a page: frames, RJ_AF_XDP_MEMORY_BYTES a ring of the default size, then
     * up to reach_bytes log buffers, which are sent from without a copy. NULL: our own frames. */
    uint8_t *memory;
    uint64_t reach_bytes;
} rj_af_xdp_params_t;

/* What stays as it is while the ring is open. */
typedef struct rj_af_xdp_ring_info {
    int fd; /* for the XSKMAP */
    bool is_zero_copy;
    bool uses_segments; /* the XDP program must be of kind frags in native mode */
    bool sends_by_reference;
    bool busy_polls;
    int busy_poll_result; /* why not, where it was asked for */
} rj_af_xdp_ring_info_t;

/* Opens all rings, ring_count of them, or fails: then `*ret_failed_ring` says which one could not
 * be opened, so that the others may be tried without it; ring_count when it was none of them. */
int rj_af_xdp_open(const rj_af_xdp_params_t *params, rj_frame_ring_t **ret_rings,
                   uint32_t *ret_failed_ring, rj_err_t *err);

/* Of a ring of this kind. */
void rj_af_xdp_ring_info(const rj_frame_ring_t *ring, rj_af_xdp_ring_info_t *ret_info);

#endif
