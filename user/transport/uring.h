/* SPDX-License-Identifier: Apache-2.0 */
/* uring.h - the port `uring`: kernel sockets by way of io_uring, one submission for a whole turn.
 *
 * Receiving, each socket has one request that lasts (multishot) and takes buffers from a ring that
 * all of them share; a poll that finds nothing costs no system call. Sending, all runs of a turn
 * are submitted at once, as super-datagrams that the kernel cuts (UDP_SEGMENT), and complete within
 * the submission: what the socket has no room for is not waited for. Of runs that are sent without
 * a copy, references are kept until the kernel says that it is done with them.
 *
 * Units      bytes.
 * Ownership  the port owns ring and buffers, not the sockets: endpoints keep them.
 * Thread     open by the conductor, the rest by the thread that runs the engine, always the same
 *            one, for the ring belongs to whoever used it first; close by any.
 * Errors     as in port.h. Open refuses in one line that says what to use instead.
 */
#ifndef RJ_TRANSPORT_URING_H
#define RJ_TRANSPORT_URING_H

#include "base/err.h"
#include "transport/port.h"

/* -EINVAL for params out of range, -ENOMEM, -ENOSYS where the kernel is too old, -EPERM where
 * io_uring is forbidden, or what the system says. */
int rj_uring_open(const rj_port_params_t *params, rj_port_t **ret_port, rj_err_t *err);

#endif
