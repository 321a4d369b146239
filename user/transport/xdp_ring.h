/* SPDX-License-Identifier: Apache-2.0 */
/* xdp_ring.h - one queue's AF_XDP socket as the kind `xdp` uses it: frames in, frames out.
 *
 *      put, put, put, flush      a batch leaves by one kick
 *      recycle, next, next, ...  packets are valid until the next recycle
 *
 * Of the UMEM that all rings of a port share, each has a fixed part for receiving, always in its
 * fill ring, its RX ring or in our hands, and at most `tx_frames_max` for sending: a link that
 * stands still holds up no other.
 *
 * The kernel takes frames in the order of the fill ring, so every frame there is touched before one
 * is touched again: the fewer, the more of them are still in the caches. A ring therefore offers
 * RJ_XDP_RING_FEW frames, with the others in reserve, until more than a quarter of those few arrive
 * between two polls; then all of them, until RJ_XDP_RING_CALM packets have come without such a
 * burst. One whose engine sleeps begins with all. In zero-copy mode the device wants all, always.
 *
 * A payload that lies in memory the UMEM reaches behind its frames, which are log buffers then, is
 * not copied: its packet is a frame with the headers, then descriptors into the log. `reclaim` says
 * when the last of them has come back. Short ones, and packets of more parts than a card takes, are
 * copied as others are.
 *
 * Units      bytes; packets.
 * Ownership  the port owns it; the UMEM and the scratch are borrowed.
 * Thread     the engine's; `stats` as frame_ring.h says.
 * Errors     open: negative errno with a text. Later a full ring is an answer; a socket whose
 *            interface is gone is `is_gone`, and takes nothing any more.
 */
#ifndef RJ_TRANSPORT_XDP_RING_H
#define RJ_TRANSPORT_XDP_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "transport/af_xdp.h"
#include "transport/path_header.h"
#include "xsk/umem.h"
#include "xsk/xsk.h"

enum {
    RJ_XDP_RING_FEW = 512,
    RJ_XDP_RING_CALM = 1 << 16,
    /* A shorter payload is copied sooner than a second descriptor is dealt with. */
    RJ_XDP_RING_REFERENCED_BYTES_MIN = 512,
    /* Parts of one packet that every card takes in zero-copy mode which takes several. */
    RJ_XDP_RING_ZERO_COPY_PARTS_MAX = 4,
};

/* A part of a log buffer that the kernel may still read. */
typedef struct rj_xdp_reference {
    uint64_t address;
    uint64_t run_number;
    bool is_done;
} rj_xdp_reference_t;

typedef struct rj_xdp_ring {
    rj_frame_ring_t base; /* without its operations, which af_xdp.c knows */
    rj_xsk_t *xsk;
    rj_umem_t *umem;
    uint32_t tx_frames_max;
    uint32_t tx_frames; /* in the TX ring, with the driver or in the completion ring */
    bool skips_rest;    /* of a packet of too many frames */
    uint64_t *held;     /* [held_count], a stack: the reserve, then what was read last */
    uint32_t held_count;
    rj_xdp_reference_t *references; /* in the order of sending; NULL: everything is copied */
    uint32_t reference_head;        /* the oldest one; both count on for ever */
    uint32_t reference_tail;
    uint32_t rx_frames;  /* for receiving, wherever they are */
    uint32_t rx_offered; /* of them, how many the kernel gets */
    uint32_t rx_since;   /* packets read since the last recycle */
    uint32_t calm;       /* and since the last burst */
    uint32_t rx_taken;   /* descriptors ever, and so entries of the fill ring; counts on for ever */
    uint32_t rx_offset;  /* where in its frame the last packet began */
} rj_xdp_ring_t;

/* Gives the fill ring its frames. `xsk` is open; the ring closes it. */
int rj_xdp_ring_open(rj_xdp_ring_t *ring, rj_xsk_t *xsk, rj_umem_t *umem,
                     const rj_af_xdp_ring_params_t *params, uint32_t tx_frames_max, rj_err_t *err);

/* Lets go what still waits in the TX ring, as far as the kernel takes it now. Safe on a closed
 * ring. */
void rj_xdp_ring_close(rj_xdp_ring_t *ring);

/* Writes header and payload into a frame. False when ring or frames are used up. */
bool rj_xdp_ring_put(rj_xdp_ring_t *ring, const rj_path_header_t *header, const uint8_t *payload,
                     uint32_t payload_bytes, uint16_t identification);

/* The same of a run's payload, without a copy where that can be; the run's bytes stay until reclaim
 * says so. */
bool rj_xdp_ring_put_of(rj_xdp_ring_t *ring, const rj_run_t *run, uint32_t offset,
                        uint32_t payload_bytes, uint16_t identification);

/* As rj_frame_ring_ops_t.reclaim has it. */
uint64_t rj_xdp_ring_reclaim(const rj_xdp_ring_t *ring);

/* Takes back sent frames, submits what was put and makes the kernel send what waits, now or since
 * an earlier flush, if it must be told. */
void rj_xdp_ring_flush(rj_xdp_ring_t *ring);

/* Gives frames that were read before back to the fill ring, as many as are to be offered and it has
 * room for. */
void rj_xdp_ring_recycle(rj_xdp_ring_t *ring);

/* The next packet; false when there is none. One that lies in several frames is copied to
 * `scratch`, which has room for scratch_bytes. */
bool rj_xdp_ring_next(rj_xdp_ring_t *ring, uint8_t *scratch, rj_ring_frame_t *ret_frame);

/* After the last `next` of a poll: the RX ring has room again. */
void rj_xdp_ring_release(rj_xdp_ring_t *ring);

#endif
