/* SPDX-License-Identifier: Apache-2.0 */
/* zero_copy.h - whether a driver hands frames to AF_XDP sockets without copying them.
 *
 * The only answer that holds on every kernel is that of a bind, so a small socket is bound to
 * queue 0 for a moment.
 *
 * Units      none.
 * Ownership  nothing is kept.
 * Thread     the thread that is in the interface's network namespace.
 * Errors     -EOPNOTSUPP and one line. Whatever hinders the asking (a queue in use, locked memory)
 *            counts as yes: the sockets that follow will say it.
 */
#ifndef RJ_XDP_ZERO_COPY_H
#define RJ_XDP_ZERO_COPY_H

#include "xdp/device.h"

int rj_zero_copy_probe(const rj_device_t *device, rj_err_t *err);

#endif
