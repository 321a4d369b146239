/* SPDX-License-Identifier: Apache-2.0 */
/* udp_port.h - a port of kernel sockets, whose kinds differ in what the kernel cuts and merges.
 *
 * Sending, the datagrams of neighbouring runs that leave by one socket go into one sendmmsg,
 * straight from where they lie. Where the kernel cuts messages into segments, a message holds as
 * many datagrams of one size for one address as it may, of one run or of several:
 *
 *   runs       | 1408 1408 1408 ... 1408 900 | 1408 1408 | 40 | 40 |      of one socket
 *   messages   [ 1408 ... 1408 ][ 1408.. 900 ][1408 1408 ][40 40]         one system call
 *
 * What is not to be had for some address, as where a datagram is longer than the path's MTU and has
 * to be fragmented, goes there as single datagrams for a while.
 *
 * Units      bytes.
 * Ownership  the port owns its buffers, not the sockets: endpoints keep them.
 * Thread     open by the conductor, the rest by the port's engine.
 * Errors     as in port.h.
 */
#ifndef RJ_TRANSPORT_UDP_PORT_H
#define RJ_TRANSPORT_UDP_PORT_H

#include "base/err.h"
#include "transport/port.h"

typedef struct rj_udp_kind {
    const char *name;
    bool cuts;   /* messages are cut into segments when they are sent (UDP_SEGMENT) */
    bool merges; /* datagrams are merged when they are received (UDP_GRO) */
} rj_udp_kind_t;

/* -EINVAL for params out of range, -ENOMEM, or what the system says. */
int rj_udp_port_open(const rj_udp_kind_t *kind, const rj_port_params_t *params,
                     rj_port_t **ret_port, rj_err_t *err);

#endif
