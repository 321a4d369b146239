/* SPDX-License-Identifier: Apache-2.0 */
/* route.h - RTM_NEWROUTE and RTM_DELROUTE read.
 *
 * Units      as rj_net_route_t.
 * Ownership  `hops` is the reader's buffer, or the table's (route_table.h).
 * Thread     any.
 * Errors     a message about no route of ours is refused with false.
 */
#ifndef RJ_NETLINK_ROUTE_H
#define RJ_NETLINK_ROUTE_H

#include <linux/netlink.h>
#include <stdbool.h>

#include "netlink/snapshot.h"

enum { RJ_NL_ROUTE_HOPS_MAX = 256 };

/* The kernel's key of a route; several routes may have the same. */
typedef struct rj_nl_route_key {
    uint8_t destination[16];
    uint32_t table;
    uint32_t priority;
    uint16_t family;
    uint8_t prefix_bits;
    uint8_t tos;
} rj_nl_route_key_t;

_Static_assert(sizeof(rj_nl_route_key_t) == 28, "a key has no padding: it is hashed as bytes");

typedef struct rj_nl_route {
    rj_nl_route_key_t key;
    uint8_t type; /* rj_net_route_type_t */
    uint8_t protocol;
    uint8_t scope;
    uint32_t mtu_bytes;
    uint32_t nexthop_id; /* 0: the hops are its own */
    rj_address_t source;
    uint32_t hop_count;
    rj_net_hop_t *hops; /* `is_dead` is not used: whether a hop lives follows from its link */
} rj_nl_route_t;

/* False for what is no route of the tables local, main and default (policy routes, clones of the
 * cache, other families). A route that a frame cannot simply follow becomes RJ_NET_ROUTE_OTHER. */
bool rj_nl_route_read(const struct nlmsghdr *message, rj_nl_route_t *ret,
                      rj_net_hop_t ret_hops[static RJ_NL_ROUTE_HOPS_MAX]);

#endif
