/* SPDX-License-Identifier: Apache-2.0 */
/* membership.h - who on this host has joined a multicast group, from the kernel's lists in text.
 *
 * Units      sockets.
 * Ownership  the caller's arrays; the lists stay open from open to close, and with them the network
 *            namespace of the thread that opened them.
 * Thread     the netlink agent's.
 * Errors     open: negative errno. A line that does not read as one of the list is passed over.
 */
#ifndef RJ_NETLINK_MEMBERSHIP_H
#define RJ_NETLINK_MEMBERSHIP_H

#include "netlink/snapshot.h"

typedef struct rj_nl_members {
    rj_net_membership_t *items; /* NULL or heap memory */
    size_t count;
    size_t room;
} rj_nl_members_t;

void rj_nl_members_close(rj_nl_members_t *members);

/* Adds what a list says of the groups that are asked for. AF_INET: as /proc/net/igmp, AF_INET6: as
 * /proc/net/igmp6. -ENOMEM. */
int rj_nl_members_parse(rj_nl_members_t *members, uint16_t family, const char *text,
                        const rj_address_t *groups, size_t group_count);

typedef struct rj_nl_member_lists {
    int igmp_fd; /* -1: the kernel has no such list */
    int igmp6_fd;
} rj_nl_member_lists_t;

void rj_nl_member_lists_open(rj_nl_member_lists_t *lists);
void rj_nl_member_lists_close(rj_nl_member_lists_t *lists);

/* Looks for the groups and fills `members` anew, with one entry of link 0 for each group. */
int rj_nl_member_lists_read(const rj_nl_member_lists_t *lists, rj_nl_members_t *members,
                            const rj_address_t *groups, size_t group_count);

#endif
