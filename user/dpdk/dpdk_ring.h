/* SPDX-License-Identifier: Apache-2.0 */
/* dpdk_ring.h - one queue of a DPDK port as a ring: bursts of buffers in and out.
 *
 *      put, put, flush     header and payload are copied into a buffer; DPDK has it with the flush,
 *                          or stays behind with it until a later one
 *      begin, next, ...    ours are given; what is not goes to the kernel (dpdk_port.h)
 *
 * What is ours is decided as the steering program does (xdp/steer_table.h). The ring of queue 0
 * also sends what the kernel wants to send by the TAP interface: a look there is a system call, and
 * is left out in most polls that frames come by.
 *
 * Units      bytes; frames.
 * Ownership  the ring is heap memory that its `close` frees; the port outlives it.
 * Thread     as transport/frame_ring.h says.
 * Errors     open: negative errno and a text.
 */
#ifndef RJ_DPDK_DPDK_RING_H
#define RJ_DPDK_DPDK_RING_H

#include <stdint.h>

#include "base/err.h"
#include "dpdk/dpdk_port.h"
#include "transport/frame_ring.h"

/* Frames between a port and the kernel, beside ours; written as rj_frame_ring_stats_t is. */
typedef struct rj_dpdk_ring_stats {
    uint64_t to_kernel;   /* by the TAP interface */
    uint64_t from_kernel; /* by it too */
    uint64_t left;        /* not ours; the kernel has its own copy */
    uint64_t kernel_lost; /* either way: there was no room */
} rj_dpdk_ring_stats_t;

/* `queue` below the port's count. */
int rj_dpdk_ring_open(rj_frame_ring_t **ret_ring, rj_dpdk_port_t *port, uint32_t queue,
                      rj_err_t *err);

const rj_dpdk_ring_stats_t *rj_dpdk_ring_stats(const rj_frame_ring_t *ring);

#endif
