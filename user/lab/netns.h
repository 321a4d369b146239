/* SPDX-License-Identifier: Apache-2.0 */
/* netns.h - enters a named network namespace and nothing else, as `nsenter --net` does.
 *
 * The mount namespace stays, so the caller's bpffs and its pins remain visible; so does the
 * caller's /sys, whose class/net goes on showing the old interfaces. /proc/sys/net follows the
 * thread.
 *
 * Units      none.
 * Ownership  rj_netns_t holds one descriptor of the namespace that was left; leave gives it back.
 * Thread     the calling thread only.
 * Errors     negative errno; -ENOENT when there is no such namespace, -EPERM without privilege.
 */
#ifndef RJ_LAB_NETNS_H
#define RJ_LAB_NETNS_H

#include "base/err.h"

#include <stdbool.h>

#define RJ_NETNS_FOLDER "/run/netns"

typedef struct rj_netns {
    int home_fd; /* -1 while at home */
} rj_netns_t;

/* Enters `name`; `netns` remembers where the thread was. */
int rj_netns_enter(rj_netns_t *netns, const char *name, rj_err_t *err);

/* Returns to where the thread was; does nothing at home. */
void rj_netns_leave(rj_netns_t *netns);

/* True when `name` is a namespace one can enter, not just a file left by a half-done `ip netns
 * add`. */
bool rj_netns_exists(const char *name);

#endif
