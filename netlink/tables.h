/* SPDX-License-Identifier: Apache-2.0 */
/* tables.h - the mirror of the kernel's tables: messages go in, snapshots come out.
 *
 * What is dumped and what is told as an event go through the same call; each sets a state, so that
 * an event older than the dump does no harm. Nothing is cleared before a dump: what a dump does not
 * tell again is swept after it.
 *
 *   begin_dump -> apply (DUMPED) ... -> end_dump: what lacks the new stamp goes
 *   apply (EVENT) ...                -> `doubts`: what should be dumped again soon
 *
 * Units      counts of objects.
 * Ownership  open allocates, close frees.
 * Thread     the netlink agent's.
 * Errors     out of memory leaves an object out, counted, and in doubt.
 */
#ifndef RJ_NETLINK_TABLES_H
#define RJ_NETLINK_TABLES_H

#include <linux/netlink.h>

#include "netlink/array.h"
#include "netlink/link.h"
#include "netlink/neigh.h"
#include "netlink/nexthop.h"
#include "netlink/route_table.h"
#include "netlink/rule.h"
#include "netlink/snapshot.h"

/* Kinds of objects, as a mask. */
enum {
    RJ_NL_LINKS = 1,
    RJ_NL_ADDRS = 2,
    RJ_NL_NEXTHOPS = 4,
    RJ_NL_ROUTES = 8,
    RJ_NL_RULES = 16,
    RJ_NL_NEIGHS = 32,
    RJ_NL_EVERYTHING = 63,
};

typedef enum rj_nl_origin { RJ_NL_EVENT, RJ_NL_DUMPED } rj_nl_origin_t;

typedef struct rj_nl_tables {
    rj_nl_array_t links;    /* of rj_nl_link_t, by index */
    rj_nl_array_t addrs;    /* of rj_nl_addr_t, in the kernel's order */
    rj_nl_array_t nexthops; /* of rj_nl_nexthop_t, by id */
    rj_nl_array_t neighs;   /* of rj_nl_neigh_t, by link and address */
    rj_nl_route_table_t *routes;
    rj_nl_rules_t rules;
    rj_nl_rules_t rules_dumped; /* while a dump tells them */
    uint32_t stamp;
    uint32_t doubts;         /* mask: what the kernel may have changed without a word */
    bool is_changed;         /* since the flag was taken back */
    bool are_routes_changed; /* routes, or what decides whether their hops live */
    uint64_t ignored_count;  /* messages about nothing of ours, or too short */
    uint64_t failed_count;   /* objects that found no memory */
} rj_nl_tables_t;

int rj_nl_tables_open(rj_nl_tables_t *tables, rj_err_t *err);
void rj_nl_tables_close(rj_nl_tables_t *tables);

void rj_nl_tables_begin_dump(rj_nl_tables_t *tables, uint32_t kinds);

/* Only after every message of those kinds has been applied. */
void rj_nl_tables_end_dump(rj_nl_tables_t *tables, uint32_t kinds);

/* Any message; those of unknown types are counted. */
void rj_nl_tables_apply(rj_nl_tables_t *tables, const struct nlmsghdr *message,
                        rj_nl_origin_t origin);

/* NULL when there is none. */
rj_nl_link_t *rj_nl_tables_find_link(const rj_nl_tables_t *tables, uint32_t index);
const rj_nl_neigh_t *rj_nl_tables_find_neigh(const rj_nl_tables_t *tables, uint32_t link_index,
                                             const rj_address_t *address);

/* A snapshot of everything, with these memberships. `last` may be NULL; its routes are copied when
 * `are_routes_changed` is false. */
int rj_nl_tables_snapshot(const rj_nl_tables_t *tables, const rj_net_membership_t *memberships,
                          size_t membership_count, uint64_t generation,
                          const rj_net_snapshot_t *last, rj_net_snapshot_t **ret, rj_err_t *err);

#endif
