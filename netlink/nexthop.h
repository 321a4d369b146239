/* SPDX-License-Identifier: Apache-2.0 */
/* nexthop.h - next-hop objects, which routes name by their number.
 *
 * Units      none.  Ownership plain values.  Thread any.
 * Errors     a message that does not name an object is refused with false.
 */
#ifndef RJ_NETLINK_NEXTHOP_H
#define RJ_NETLINK_NEXTHOP_H

#include <linux/netlink.h>
#include <stdbool.h>

#include "netlink/snapshot.h"

enum { RJ_NL_NEXTHOP_MEMBERS_MAX = 32 };

typedef struct rj_nl_nexthop_member {
    uint32_t id;
    uint32_t weight;
} rj_nl_nexthop_member_t;

typedef struct rj_nl_nexthop {
    uint32_t stamp;
    uint32_t id;
    bool is_odd;      /* blackhole, encapsulated, more members than fit: the kernel's affair */
    rj_net_hop_t hop; /* of an object that is no group; weight 1 */
    uint32_t member_count;
    rj_nl_nexthop_member_t members[RJ_NL_NEXTHOP_MEMBERS_MAX];
} rj_nl_nexthop_t;

bool rj_nl_nexthop_read(const struct nlmsghdr *message, rj_nl_nexthop_t *ret);

/* By id. */
int rj_nl_nexthop_compare(const void *item, const void *key);

#endif
