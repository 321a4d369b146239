/* SPDX-License-Identifier: Apache-2.0 */
/* route_table.h - the routes of a host, changed as the kernel says that it changed its own.
 *
 * Routes of one key stand in a list in the kernel's order, the first one counts:
 *
 *   (table, prefix, tos, priority) -> route -> route -> ...
 *
 * Units      counts in routes.
 * Ownership  open allocates, close frees everything; a visited route is lent.
 * Thread     the netlink agent's.
 * Errors     -ENOMEM: the table lacks the route, so the caller dumps anew.
 */
#ifndef RJ_NETLINK_ROUTE_TABLE_H
#define RJ_NETLINK_ROUTE_TABLE_H

#include "netlink/route.h"

typedef struct rj_nl_route_table rj_nl_route_table_t;

/* How a route comes into its list. */
typedef enum rj_nl_route_place {
    RJ_NL_ROUTE_DUMPED,  /* at the end, even if it was there: a dump tells them in order */
    RJ_NL_ROUTE_FIRST,   /* NLM_F_CREATE alone */
    RJ_NL_ROUTE_LAST,    /* NLM_F_APPEND */
    RJ_NL_ROUTE_REPLACE, /* in place of the first one */
} rj_nl_route_place_t;

/* -ENOMEM. */
int rj_nl_route_table_open(rj_nl_route_table_t **ret);
void rj_nl_route_table_close(rj_nl_route_table_t *table);

size_t rj_nl_route_table_count(const rj_nl_route_table_t *table);

/* Puts a copy of the route where it belongs and stamps it; one that is there already is left as it
 * is. IPv6 tells a route with several hops as a whole whenever one is added. Returns 1 when the
 * table changed, 0 when it did not. */
int rj_nl_route_table_put(rj_nl_route_table_t *table, const rj_nl_route_t *route,
                          rj_nl_route_place_t place, uint32_t stamp);

/* Removes the route, or from an IPv6 route the hops that `route` names. False when there was
 * nothing like it: what the table holds is then in doubt. -ENOMEM cannot happen. */
bool rj_nl_route_table_remove(rj_nl_route_table_t *table, const rj_nl_route_t *route);

/* Removes what has not got this stamp; returns how many. */
size_t rj_nl_route_table_sweep(rj_nl_route_table_t *table, uint32_t stamp);

/* Removes every route for which `is_gone` says so; returns how many. */
size_t rj_nl_route_table_remove_where(rj_nl_route_table_t *table,
                                      bool (*is_gone)(const rj_nl_route_t *route,
                                                      const void *state),
                                      const void *state);

/* Calls `visit` for every route, those of one key in their order. */
void rj_nl_route_table_visit(const rj_nl_route_table_t *table,
                             void (*visit)(const rj_nl_route_t *route, void *state), void *state);

#endif
