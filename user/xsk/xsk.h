/* SPDX-License-Identifier: Apache-2.0 */
/* xsk.h - one AF_XDP socket: an (interface, queue) with its four rings.
 *
 *            fill ring   we give empty frames   ->  kernel receives
 *            RX ring     we read packets        <-  kernel received
 *            TX ring     we give packets        ->  kernel sends
 *      completion ring   we get frames back     <-  kernel sent
 *
 * The rings are mapped here rather than by libxdp: a UMEM that several interfaces share, retries of
 * a bind and multi-buffer packets need each step apart. No XDP program is loaded; whoever steers
 * puts `fd` into the program's XSKMAP.
 *
 * Units      bytes; ring sizes in entries, powers of two.
 * Ownership  the caller owns the struct and the UMEM, which outlives it.
 * Thread     open and close: any. Rings: the engine's. The rest: any, while it is open.
 * Errors     open: negative errno with what to do. Kicks answer what the kernel said.
 */
#ifndef RJ_XSK_XSK_H
#define RJ_XSK_XSK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "xsk/umem.h"
#include "xsk/xsk_ring.h"

/* The greatest MTU whose frames, tag included, lie in one buffer. */
#define RJ_XSK_MTU_MAX                                                                             \
    (RJ_UMEM_FRAME_BYTES_MAX - RJ_UMEM_XDP_HEADROOM_BYTES - RJ_UMEM_HEADROOM_BYTES - 18)

typedef enum rj_xsk_mode {
    RJ_XSK_AUTO, /* zero-copy where the driver can, else copy */
    RJ_XSK_ZERO_COPY,
    RJ_XSK_COPY,
} rj_xsk_mode_t;

typedef struct rj_xsk rj_xsk_t;

typedef struct rj_xsk_params {
    const char *interface_name; /* for texts */
    uint32_t interface_index;
    uint32_t queue;
    uint32_t mtu_bytes;
    rj_xsk_mode_t mode;
    bool uses_segments;        /* packets may lie in several frames: the mode of jumbo MTUs */
    bool likes_segments;       /* the same, but it will do without: `uses_segments` says */
    uint32_t busy_poll_us;     /* 0: none (nic/busy_poll.h) */
    uint32_t busy_poll_budget; /* packets of one such poll */
    uint32_t rx_size;
    uint32_t tx_size;
    uint32_t fill_size;
    uint32_t completion_size;
} rj_xsk_params_t;

struct rj_xsk {
    int fd;        /* -1 when closed */
    int direct_fd; /* sends a frame by itself (rj_xsk_send_directly); -1: none */
    bool is_zero_copy;
    bool uses_segments;
    bool owns_registration;   /* others of its mode may share it */
    bool busy_polls;          /* kicks do the card's work, so every poll kicks */
    int busy_poll_result;     /* why not, where it was asked for: a negative errno */
    rj_xsk_ring_t rx;         /* struct xdp_desc */
    rj_xsk_ring_t tx;         /* struct xdp_desc */
    rj_xsk_ring_t fill;       /* addresses */
    rj_xsk_ring_t completion; /* addresses */
};

/* What the kernel lost or refused. A frame lost for want of a fill entry is in `rx_dropped` *and*
 * in `fill_ring_empty`: lost are rx_dropped + rx_ring_full. */
typedef struct rj_xsk_losses {
    uint64_t rx_dropped;
    uint64_t rx_ring_full;
    uint64_t fill_ring_empty;
    uint64_t rx_invalid_descriptors;
    uint64_t tx_invalid_descriptors;
} rj_xsk_losses_t;

/* Opens and binds, with need-wakeup. `peers` are sockets that are open on the same UMEM: one of the
 * same mode shares its registration. A queue that was released a moment ago is tried again for a
 * second. -EPERM, -EBUSY (taken), -EINVAL (no such queue), -EOPNOTSUPP (zero-copy, or a kernel
 * without the feature), -ENOBUFS (memory cannot be locked), -EMSGSIZE (MTU), ... */
int rj_xsk_open(rj_xsk_t *xsk, const rj_xsk_params_t *params, const rj_umem_t *umem,
                const rj_xsk_t *peers, uint32_t peer_count, rj_err_t *err);

/* Safe on a closed socket. The kernel lets go of the queue some milliseconds later. */
void rj_xsk_close(rj_xsk_t *xsk);

/* False for good once the interface was removed or has left the network namespace: the kernel has
 * let go of the queue then, and drops what a program still redirects to the socket. */
bool rj_xsk_is_bound(int fd);

int rj_xsk_losses(int fd, rj_xsk_losses_t *ret_losses);

/* Makes the kernel look at the TX ring: one system call, which in copy mode sends a number of
 * packets itself. 0, or a negative errno: -EAGAIN when there is more to send. */
int rj_xsk_kick_tx(const rj_xsk_t *xsk);

/* Sends one frame past the TX ring, by a packet socket: in copy mode that takes a fifth less than
 * ring, kick and completion, where nothing else is on its way that it could overtake. The bytes are
 * the caller's again. False: it was not sent, or there is no such way. */
bool rj_xsk_send_directly(const rj_xsk_t *xsk, const void *frame, uint32_t length);

/* The same where kicks do the card's work, and wake nobody (`busy_polls`): makes the card send. */
void rj_xsk_wake_tx(const rj_xsk_t *xsk);

/* Makes the driver look at the fill ring. */
void rj_xsk_kick_rx(const rj_xsk_t *xsk);

#endif
