/* SPDX-License-Identifier: Apache-2.0 */
/* frame_ring.h - what a ring must do: Ethernet frames in and out of one queue of an interface.
 *
 *      put, put, put, flush            a batch leaves by few system calls
 *      begin, next, next, ..., end     a poll; frames are valid until the next begin
 *
 * A kind embeds rj_frame_ring_t as its first member and is opened by a function of its own. Rings
 * of any kinds then stand side by side in front of the sockets of an engine (ring_front.h), which
 * knows endpoints and addresses; a ring knows frames.
 *
 * Units      bytes; frames. A run's datagrams are counted as run.h has them.
 * Ownership  whoever opened a ring closes it, or has the front do so.
 * Thread     the engine's, but for `look`; none blocks, none allocates. The counts are written by
 *            the engine's thread alone, each by a relaxed store, and may be read from any.
 * Errors     a full ring is an answer; one whose interface is gone is `is_gone`, and the sockets
 *            have what was for it.
 */
#ifndef RJ_TRANSPORT_FRAME_RING_H
#define RJ_TRANSPORT_FRAME_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/run.h"

typedef struct rj_frame_ring rj_frame_ring_t;

/* A received frame: Ethernet header and all, contiguous. */
typedef struct rj_ring_frame {
    uint8_t *bytes;
    uint32_t length_bytes;
    bool has_right_sum; /* of UDP: the card has looked */
} rj_ring_frame_t;

typedef struct rj_frame_ring_stats {
    uint64_t rx_frames; /* packets taken from the ring, the four below included */
    uint64_t rx_checksum_errors;
    uint64_t rx_malformed;
    uint64_t rx_unknown;     /* no endpoint: a stale entry of the steering */
    uint64_t rx_linearised;  /* came in several parts, so were copied once more */
    uint64_t rx_fan_out_cut; /* copies lost where a group has more endpoints than a batch */
    uint64_t tx_frames;      /* datagrams put into the ring */
    uint64_t tx_referenced;  /* those of them whose payload was not copied */
    uint64_t tx_direct;      /* and those that went past it, each with a call of its own */
    uint64_t tx_ring_full;   /* sends that ended short */
    uint64_t tx_refused;     /* datagrams lost: the link does not take them, as when too long */
    uint64_t tx_kicks;       /* system calls */
} rj_frame_ring_stats_t;

/* What the kernel says of a ring. */
typedef struct rj_frame_ring_look {
    bool is_bound;       /* to an interface that is still there */
    uint64_t lost_full;  /* frames: the ring had no room */
    uint64_t lost_other; /* frames: none free to receive into, or too long */
    /* Where the kernel has its frames by the ring alone: */
    bool has_kernel_side;
    uint64_t to_kernel;   /* frames: not ours */
    uint64_t from_kernel; /* frames that it sends */
    uint64_t kernel_lost; /* frames that it did not take */
} rj_frame_ring_look_t;

typedef struct rj_frame_ring_ops {
    /* Takes the run's datagrams from byte `offset` on, which is below its end, each behind the
     * path's header; says how many bytes. Fewer than are left: there is no more room until a flush
     * has made some. Sets `has_unsent` and counts tx_frames. */
    uint32_t (*put)(rj_frame_ring_t *ring, const rj_run_t *run, uint32_t offset);

    /* Lets go what was put, now or before an earlier flush, as far as the link takes it now, and
     * has `has_unsent` false. */
    void (*flush)(rj_frame_ring_t *ring);

    /* A poll begins: frames that the last one read go back, and what waits to be sent goes on. */
    void (*begin)(rj_frame_ring_t *ring);

    /* The next frame; false when there is none. One that lies in several parts is copied to
     * `scratch`, which has room for scratch_bytes. Counts rx_frames. An empty one is malformed. */
    bool (*next)(rj_frame_ring_t *ring, uint8_t *scratch, rj_ring_frame_t *ret_frame);

    /* After the last `next` of a poll. */
    void (*end)(rj_frame_ring_t *ring);

    /* Collects completions; no byte of a run numbered below the result is referenced by this ring
     * any more, and UINT64_MAX says that none at all is. NULL: `put` has copied everything. */
    uint64_t (*reclaim)(rj_frame_ring_t *ring);

    /* From any one thread but the engine's, while the ring is open. */
    void (*look)(rj_frame_ring_t *ring, rj_frame_ring_look_t *ret_look);

    /* Lets go what still waits, as far as the link takes it now, and gives everything back. */
    void (*close)(rj_frame_ring_t *ring);
} rj_frame_ring_ops_t;

struct rj_frame_ring {
    const rj_frame_ring_ops_t *ops;
    uint32_t interface_index;
    uint32_t queue;
    uint32_t receive_room_bytes; /* longest frame that it receives */
    uint32_t send_room_bytes;    /* and sends */
    uint32_t scratch_bytes;      /* for `next` */
    uint16_t identification;     /* of the next IPv4 datagram */
    bool may_be_merged;          /* what comes: the kernel's GRO has been at it before */
    bool has_unsent;             /* frames were put and not flushed */
    bool is_full;                /* the front's, for the rest of a send */
    bool is_gone;                /* the interface is */
    rj_frame_ring_stats_t stats;
};

static inline void rj_frame_ring_count(uint64_t *counter, uint64_t delta)
{
    __atomic_store_n(counter, *counter + delta, __ATOMIC_RELAXED);
}

#endif
