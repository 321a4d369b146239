/* SPDX-License-Identifier: Apache-2.0 */
/* udp_gso.h - the port `gso`: kernel sockets, many datagrams in one message of a system call.
 *
 * The kernel cuts a message into datagrams when it must, on a link without peer as a card, and not
 * at all on the way to another network namespace of the machine; receiving, it merges what came at
 * once. So most of its work is done once for up to 64 datagrams.
 *
 * Units      bytes.
 * Ownership  as in udp_port.h, like all the rest.
 * Thread     open by the conductor, the rest by the port's engine.
 * Errors     as in port.h.
 */
#ifndef RJ_TRANSPORT_UDP_GSO_H
#define RJ_TRANSPORT_UDP_GSO_H

#include "base/err.h"
#include "transport/port.h"

/* -EOPNOTSUPP on a kernel that cannot do it, -EINVAL for params out of range, -ENOMEM, or what the
 * system says. */
int rj_udp_gso_open(const rj_port_params_t *params, rj_port_t **ret_port, rj_err_t *err);

#endif
