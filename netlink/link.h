/* SPDX-License-Identifier: Apache-2.0 */
/* link.h - RTM_NEWLINK read, and how many receive queues a link really has.
 *
 * Units      as rj_net_link_t.
 * Ownership  plain values.
 * Thread     any.
 * Errors     a message that says nothing of a link of ours is refused with false.
 */
#ifndef RJ_NETLINK_LINK_H
#define RJ_NETLINK_LINK_H

#include <linux/netlink.h>
#include <net/if.h>
#include <stdbool.h>

#include "netlink/snapshot.h"

typedef struct rj_nl_link {
    uint32_t stamp;
    uint32_t flags;               /* IFF_* */
    uint32_t queue_count_at_most; /* what the device was made with */
    bool ignores_linkdown_ipv4;   /* routes over it are dead without a carrier */
    bool ignores_linkdown_ipv6;
    bool is_fresh; /* its queues have not been counted since the last message */
    rj_net_link_t net;
} rj_nl_link_t;

static inline bool rj_nl_link_is_up(const rj_nl_link_t *link)
{
    return (link->flags & IFF_UP) != 0;
}

/* As the kernel's routing does (an operating state may lag behind). */
bool rj_nl_link_has_carrier(const rj_nl_link_t *link);

/* Writes the attributes that are there over `link`, which holds what was known before. False for
 * messages of other families: a bridge reports its ports with RTM_NEWLINK, too. */
bool rj_nl_link_read(const struct nlmsghdr *message, rj_nl_link_t *link);

/* The index of the link that is gone; 0 when the message does not say that. */
uint32_t rj_nl_link_read_removed(const struct nlmsghdr *message);

/* Asks the driver, through any socket `fd`, for its active receive queues. IFLA_NUM_RX_QUEUES says
 * how many were allocated (veth: one for each CPU), sysfs shows the links of the namespace it was
 * mounted in. A driver that cannot say has as many as it was made with. */
uint32_t rj_nl_link_count_queues(int fd, const rj_nl_link_t *link);

#endif
