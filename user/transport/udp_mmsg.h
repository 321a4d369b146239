/* SPDX-License-Identifier: Apache-2.0 */
/* udp_mmsg.h - the port `socket`: kernel sockets, many datagrams in one system call.
 *
 * Sending, the datagrams of neighbouring runs that leave by one socket go into one sendmmsg,
 * straight from where they lie. Receiving, few sockets are read one after the other, more of them
 * are asked for readiness first; each gets an equal share of what a poll may give.
 *
 * Units      bytes.
 * Ownership  the port owns its receive buffers, not the sockets: endpoints keep them.
 * Thread     open by the conductor, the rest by the port's engine.
 * Errors     as in port.h.
 */
#ifndef RJ_TRANSPORT_UDP_MMSG_H
#define RJ_TRANSPORT_UDP_MMSG_H

#include "base/err.h"
#include "transport/port.h"

/* -EINVAL for params out of range, -ENOMEM, or what the system says. */
int rj_udp_mmsg_open(const rj_port_params_t *params, rj_port_t **ret_port, rj_err_t *err);

#endif
