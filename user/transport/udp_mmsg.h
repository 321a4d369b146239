/* SPDX-License-Identifier: Apache-2.0 */
/* udp_mmsg.h - the port `socket`: kernel sockets, many datagrams in one system call.
 *
 * It uses only calls that have been there for long, and that stacks which replace the kernel's
 * sockets know (tests/netns/test_socket_calls.sh).
 *
 * Units      bytes.
 * Ownership  as in udp_port.h, like all the rest.
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
