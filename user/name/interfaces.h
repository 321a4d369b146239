/* SPDX-License-Identifier: Apache-2.0 */
/* interfaces.h - the addresses of this host's interfaces, as the system lists them.
 *
 * Units      none.  Ownership  the caller's array.
 * Thread     any; it makes system calls, so not an engine.
 * Errors     negative errno and a text.
 */
#ifndef RJ_NAME_INTERFACES_H
#define RJ_NAME_INTERFACES_H

#include "proto/interface.h"

enum {
    RJ_INTERFACES_MAX = 512, /* addresses; a host with more of them is served by the first ones */
};

/* Fills `ret` with the IPv4 and IPv6 addresses of all interfaces; returns how many. */
int rj_interfaces_read(rj_interface_t *ret, size_t count_max, rj_err_t *err);

#endif
