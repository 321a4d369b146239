/* SPDX-License-Identifier: Apache-2.0 */
/* packet_ring.h - a ring of the kind `packet`: AF_PACKET sockets of one interface.
 *
 *      in    TPACKET_V2 ring: | header | Ethernet, IP, UDP | payload ... |  a slot a frame
 *      out   sendmmsg past the qdisc: [ header of ours | the log buffer's bytes ], ...
 *
 * Frames that an eBPF filter accepts are received; who accepts has the kernel drop its own copy
 * (xdp/packet_steer.h). A slot says by itself that it is filled: the block ring of TPACKET_V3 is
 * cheaper by little, and shows a block only when it is full or some milliseconds old.
 *
 * Of what is sent the kernel makes its own copy within the flush, the only one; the link sums up
 * the datagram, or the kernel where the link cannot. What the link does not take is copied here and
 * waits. So the bytes of a run are free as soon as the send has ended.
 *
 * Units      bytes; frames.
 * Ownership  open gives a ring; its close frees it. The programs are the caller's.
 * Thread     as frame_ring.h says.
 * Errors     open: negative errno with what to do. -EPERM without CAP_NET_RAW.
 */
#ifndef RJ_TRANSPORT_PACKET_RING_H
#define RJ_TRANSPORT_PACKET_RING_H

#include <stdint.h>

#include "base/err.h"
#include "transport/frame_ring.h"

enum {
    RJ_PACKET_RING_RX_FRAMES_DEFAULT = 2048,
    RJ_PACKET_RING_TX_FRAMES = 128, /* that one flush sends, or that wait */
};

typedef struct rj_packet_ring_params {
    const char *interface_name; /* for texts; need not outlive open */
    uint32_t interface_index;
    uint32_t mtu_bytes;
    uint32_t queue;
    int filter_fd;       /* program of a socket filter; -1: every frame is received */
    int fan_fd;          /* program that tells members of a fan-out group apart; -1: no group */
    uint16_t *fan_group; /* the group to join, in the order of the members; 0: a new one, told */
    uint32_t rx_frames;  /* 0: the default */
} rj_packet_ring_params_t;

int rj_packet_ring_open(const rj_packet_ring_params_t *params, rj_frame_ring_t **ret_ring,
                        rj_err_t *err);

#endif
