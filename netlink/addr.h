/* SPDX-License-Identifier: Apache-2.0 */
/* addr.h - RTM_NEWADDR and RTM_DELADDR read.
 *
 * Units      bits.  Ownership plain values.  Thread any.
 * Errors     a message that does not name an IPv4 or IPv6 address is refused with false.
 */
#ifndef RJ_NETLINK_ADDR_H
#define RJ_NETLINK_ADDR_H

#include <linux/netlink.h>
#include <stdbool.h>

#include "netlink/snapshot.h"

/* Which of a link's addresses the kernel prefers, best first. */
typedef enum rj_nl_addr_rank {
    RJ_NL_ADDR_PRIMARY,
    RJ_NL_ADDR_SECONDARY, /* or deprecated: only where it is named */
    RJ_NL_ADDR_UNUSABLE,  /* not yet, or never, ours: duplicate address detection */
} rj_nl_addr_rank_t;

typedef struct rj_nl_addr {
    uint32_t stamp;
    rj_nl_addr_rank_t rank;
    rj_net_address_t net;
} rj_nl_addr_t;

bool rj_nl_addr_read(const struct nlmsghdr *message, rj_nl_addr_t *ret);

/* The same address of the same link with the same prefix length. */
bool rj_nl_addr_same(const rj_nl_addr_t *a, const rj_nl_addr_t *b);

#endif
