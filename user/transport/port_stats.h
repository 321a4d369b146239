/* SPDX-License-Identifier: Apache-2.0 */
/* port_stats.h - what a port of kernel sockets did, of whichever kind.
 *
 * Units      datagrams, messages (what one system call takes or gives several of), system calls.
 * Ownership  the port's; it lives as long.
 * Thread     written by the port's thread alone; anybody may read a figure, each whole by itself.
 * Errors     none.
 */
#ifndef RJ_TRANSPORT_PORT_STATS_H
#define RJ_TRANSPORT_PORT_STATS_H

#include <stdint.h>

typedef struct rj_port_stats {
    uint64_t sent_datagrams;
    uint64_t send_calls;
    uint64_t sent_segmented;  /* messages that the kernel was to cut into several datagrams */
    uint64_t segment_refused; /* of them it would not: they went as single ones */
    uint64_t short_sends;     /* full queues met */
    uint64_t received_datagrams;
    uint64_t receive_calls;
    uint64_t received_merged; /* messages of several datagrams */
    uint64_t rearms;          /* lasting requests to receive that ended and were made again */
    uint64_t out_of_buffers;  /* of them, for want of buffers: datagrams waited in their sockets */
    uint64_t sent_uncopied;   /* messages that the kernel was to read where they lie */
    uint64_t failed_late;     /* messages that were taken, and then could not be sent */
} rj_port_stats_t;

/* The port's thread: no read-modify-write is needed. */
static inline void rj_port_count(uint64_t *value, uint64_t delta)
{
    __atomic_store_n(value, *value + delta, __ATOMIC_RELAXED);
}

static inline uint64_t rj_port_figure(const uint64_t *value)
{
    return __atomic_load_n(value, __ATOMIC_RELAXED);
}

#endif
