/* SPDX-License-Identifier: Apache-2.0 */
/* socket_kind.h - which port serves endpoints by their kernel sockets: the one asked for, or else
 * the best that this kernel has.
 *
 * Units      none.
 * Ownership  a plain value; the name is constant.
 * Thread     any.
 * Errors     -EINVAL, or what the kind says, for one that was asked for and cannot be had; the text
 *            says what there is.
 */
#ifndef RJ_DRIVER_SOCKET_KIND_H
#define RJ_DRIVER_SOCKET_KIND_H

#include "base/err.h"
#include "base/transport.h"

typedef struct rj_socket_kind {
    rj_transport_t transport; /* a socket kind */
    rj_err_t lack;            /* what a better one lacks here; code 0: this is the best */
} rj_socket_kind_t;

/* `asked` is what the whole driver was asked for. A socket kind has to be had then. Rings stand in
 * front of the best one, and so does nothing at all; but frames that `packet` takes are not merged
 * again for its sockets. */
int rj_socket_kind_choose(rj_socket_kind_t *ret_kind, rj_transport_t asked, rj_err_t *err);

#endif
