/* SPDX-License-Identifier: Apache-2.0 */
/* packet_steer.h - steering for packet sockets on an interface (bpf/packet.bpf.c).
 *
 *      rj_packet_tap   the filter of every packet socket that receives there
 *      rj_packet_fan   gives a frame to the socket of its queue
 *      rj_packet_in    at the ingress: the kernel does not get what a tap has taken
 *
 * One driver has it on an interface; its maps are those of the XDP program, and so are found and
 * written by the same means. Nothing is pinned: where the kernel has tcx all of it goes with the
 * process. Elsewhere the program at the ingress stays, steers nothing once its driver gives no sign
 * of life, and is replaced by the next driver's.
 *
 * Units      none.
 * Ownership  the caller owns the struct, which owns descriptors.
 * Thread     as steer.h says.
 * Errors     those of steer.h. -EBUSY: another driver is there, or an XDP program of ours, which
 *            would take the frames before any tap.
 */
#ifndef RJ_XDP_PACKET_STEER_H
#define RJ_XDP_PACKET_STEER_H

#include "base/err.h"
#include "xdp/ingress.h"
#include "xdp/steer.h"

typedef struct rj_packet_steer_options {
    const char *interface;
    uint32_t first_queue; /* of the first engine */
    rj_ingress_way_t way;
} rj_packet_steer_options_t;

typedef struct rj_packet_steer {
    rj_steer_t steer; /* its mode is PACKET; closed with this, not by itself */
    int filter_fd;
    int fan_fd;
} rj_packet_steer_t;

int rj_packet_steer_open(rj_packet_steer_t *self, const rj_packet_steer_options_t *options,
                         int64_t now_ns, rj_err_t *err);

/* Takes the program off. Safe on closed and half open values. */
void rj_packet_steer_close(rj_packet_steer_t *self);

#endif
