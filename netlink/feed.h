/* SPDX-License-Identifier: Apache-2.0 */
/* feed.h - the conductor's end of whatever keeps a snapshot up to date.
 *
 * Two kinds: the netlink agent (netlink/agent.h), which works in a thread of its own, and the
 * simulation's.
 *
 * Units      none.
 * Ownership  `latest` lends; the snapshot is valid until the caller's next call of `latest`.
 * Thread     the conductor's.
 * Errors     none: `want` may find its table full, and is counted there.
 */
#ifndef RJ_NETLINK_FEED_H
#define RJ_NETLINK_FEED_H

#include "netlink/snapshot.h"

typedef struct rj_net_feed rj_net_feed_t;

typedef struct rj_net_feed_ops {
    /* The newest snapshot; never NULL once the feed is open. Unchanged while its generation is. */
    const rj_net_snapshot_t *(*latest)(rj_net_feed_t *feed);

    /* The way to `destination` is used: its next hop is resolved and kept alive through the kernel
     * until `unwant` was called as often. A multicast group: its memberships are watched. */
    void (*want)(rj_net_feed_t *feed, const rj_address_t *destination);
    void (*unwant)(rj_net_feed_t *feed, const rj_address_t *destination);
} rj_net_feed_ops_t;

struct rj_net_feed {
    const rj_net_feed_ops_t *ops;
};

#endif
