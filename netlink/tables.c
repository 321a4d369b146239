/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/tables.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netlink/addr.h"

int rj_nl_tables_open(rj_nl_tables_t *tables, rj_err_t *err)
{
    memset(tables, 0, sizeof(*tables));
    rj_nl_array_init(&tables->links, sizeof(rj_nl_link_t));
    rj_nl_array_init(&tables->addrs, sizeof(rj_nl_addr_t));
    rj_nl_array_init(&tables->nexthops, sizeof(rj_nl_nexthop_t));
    rj_nl_array_init(&tables->neighs, sizeof(rj_nl_neigh_t));
    if (rj_nl_route_table_open(&tables->routes) < 0)
        return rj_fail(err, -ENOMEM, "netlink: no memory for the route table");
    return 0;
}

void rj_nl_tables_close(rj_nl_tables_t *tables)
{
    rj_nl_array_close(&tables->links);
    rj_nl_array_close(&tables->addrs);
    rj_nl_array_close(&tables->nexthops);
    rj_nl_array_close(&tables->neighs);
    rj_nl_route_table_close(tables->routes);
    tables->routes = NULL;
}

static void note_change(rj_nl_tables_t *tables)
{
    tables->is_changed = true;
}

static void note_route_change(rj_nl_tables_t *tables)
{
    tables->is_changed = true;
    tables->are_routes_changed = true;
}

/* The table lacks something that the kernel has. */
static void note_failure(rj_nl_tables_t *tables, uint32_t kind)
{
    tables->failed_count++;
    tables->doubts |= kind;
}

/* Puts the item, stamped, in the place of the one that compares equal, or where it belongs. */
static int put(rj_nl_tables_t *tables, rj_nl_array_t *array, const void *item,
               int (*compare)(const void *item, const void *key), uint32_t kind)
{
    bool is_there;
    const size_t at = rj_nl_array_find(array, item, compare, &is_there);
    if (is_there) {
        const int difference =
            memcmp((const uint8_t *)rj_nl_array_at(array, at) + sizeof(uint32_t),
                   (const uint8_t *)item + sizeof(uint32_t), array->item_bytes - sizeof(uint32_t));
        memcpy(rj_nl_array_at(array, at), item, array->item_bytes);
        return difference != 0;
    }
    if (rj_nl_array_insert(array, at, item) == 0)
        return 1;
    note_failure(tables, kind);
    return 0;
}

static bool take_out(rj_nl_array_t *array, const void *key,
                     int (*compare)(const void *item, const void *key))
{
    bool is_there;
    const size_t at = rj_nl_array_find(array, key, compare, &is_there);
    if (is_there)
        rj_nl_array_remove(array, at);
    return is_there;
}

/* --- what goes with a link --- */

static int compare_links(const void *item, const void *key)
{
    const uint32_t a = ((const rj_nl_link_t *)item)->net.index;
    const uint32_t b = *(const uint32_t *)key;
    return a < b ? -1 : a > b;
}

rj_nl_link_t *rj_nl_tables_find_link(const rj_nl_tables_t *tables, uint32_t index)
{
    bool is_there;
    const size_t at = rj_nl_array_find(&tables->links, &index, compare_links, &is_there);
    return is_there ? rj_nl_array_at(&tables->links, at) : NULL;
}

static bool addr_is_of(const void *item, const void *state)
{
    return ((const rj_nl_addr_t *)item)->net.link_index == *(const uint32_t *)state;
}

static bool neigh_is_of(const void *item, const void *state)
{
    return ((const rj_nl_neigh_t *)item)->link_index == *(const uint32_t *)state;
}

static bool nexthop_is_of(const void *item, const void *state)
{
    const rj_nl_nexthop_t *nexthop = item;
    return nexthop->member_count == 0 && nexthop->hop.link_index == *(const uint32_t *)state;
}

typedef struct gone_link {
    const rj_nl_tables_t *tables;
    uint32_t index;
    bool is_removed; /* for good, with its IPv6 and local routes, which otherwise speak for
                      * themselves or stay */
} gone_link_t;

static const rj_nl_nexthop_t *find_nexthop(const rj_nl_tables_t *tables, uint32_t id)
{
    const rj_nl_nexthop_t key = {.id = id};
    bool is_there;
    const size_t at = rj_nl_array_find(&tables->nexthops, &key, rj_nl_nexthop_compare, &is_there);
    return is_there ? rj_nl_array_at(&tables->nexthops, at) : NULL;
}

/* All of the route's hops are on the link. One that leads nowhere by itself (blackhole) stays. */
static bool route_is_of(const rj_nl_route_t *route, const void *state)
{
    const gone_link_t *gone = state;
    if (!gone->is_removed && (route->key.family != AF_INET || route->type == RJ_NET_ROUTE_LOCAL))
        return false;
    if (route->nexthop_id != 0) {
        const rj_nl_nexthop_t *nexthop = find_nexthop(gone->tables, route->nexthop_id);
        return nexthop != NULL && nexthop_is_of(nexthop, &gone->index);
    }
    for (uint32_t i = 0; i < route->hop_count; i++) {
        if (route->hops[i].link_index != gone->index)
            return false;
    }
    return route->hop_count > 0;
}

/* With an interface go its IPv4 routes and next-hop objects; the kernel says nothing of them. */
static void drop_routes_of_link(rj_nl_tables_t *tables, uint32_t index, bool is_removed)
{
    const gone_link_t gone = {tables, index, is_removed};
    rj_nl_route_table_remove_where(tables->routes, route_is_of, &gone);
    rj_nl_array_remove_where(&tables->nexthops, nexthop_is_of, &index);
    note_route_change(tables);
}

/* What a snapshot shows of it, or what its routes rest on. */
static bool links_differ(const rj_nl_link_t *a, const rj_nl_link_t *b)
{
    return a->flags != b->flags || a->ignores_linkdown_ipv4 != b->ignores_linkdown_ipv4 ||
           a->ignores_linkdown_ipv6 != b->ignores_linkdown_ipv6 ||
           memcmp(&a->net, &b->net, sizeof(a->net)) != 0;
}

/* False when there is no room. */
static bool store_link(rj_nl_tables_t *tables, rj_nl_link_t *known, const rj_nl_link_t *link)
{
    if (known != NULL) {
        if (links_differ(known, link))
            note_change(tables);
        *known = *link;
        return true;
    }
    bool is_there;
    const size_t at = rj_nl_array_find(&tables->links, &link->net.index, compare_links, &is_there);
    if (rj_nl_array_insert(&tables->links, at, link) < 0) {
        note_failure(tables, RJ_NL_LINKS);
        return false;
    }
    note_change(tables);
    return true;
}

static void apply_new_link(rj_nl_tables_t *tables, const struct nlmsghdr *message)
{
    rj_nl_link_t link = {0};
    if (!rj_nl_link_read(message, &link)) {
        tables->ignored_count++;
        return;
    }
    const uint32_t index = link.net.index;
    rj_nl_link_t *known = rj_nl_tables_find_link(tables, index);
    if (known != NULL) {
        link = *known;
        rj_nl_link_read(message, &link);
    } else {
        link.net.rx_queue_count = link.queue_count_at_most;
    }
    link.stamp = tables->stamp;
    const bool was_up = known != NULL && rj_nl_link_is_up(known);
    const bool is_up = rj_nl_link_is_up(&link);
    const bool had_carrier = known != NULL && rj_nl_link_has_carrier(known);
    const bool are_routes_met =
        was_up != is_up || had_carrier != rj_nl_link_has_carrier(&link) ||
        (known != NULL && (known->ignores_linkdown_ipv4 != link.ignores_linkdown_ipv4 ||
                           known->ignores_linkdown_ipv6 != link.ignores_linkdown_ipv6));
    const bool is_new = known == NULL;
    if (!store_link(tables, known, &link))
        return;
    if (was_up && !is_up) {
        drop_routes_of_link(tables, index, false);
        tables->doubts |= RJ_NL_NEXTHOPS | RJ_NL_ROUTES;
    } else if (are_routes_met) {
        note_route_change(tables);
        tables->doubts |= is_new ? 0 : RJ_NL_ROUTES;
    }
}

static void apply_removed_link(rj_nl_tables_t *tables, const struct nlmsghdr *message)
{
    const uint32_t index = rj_nl_link_read_removed(message);
    if (index == 0 || !take_out(&tables->links, &index, compare_links)) {
        tables->ignored_count++;
        return;
    }
    rj_nl_array_remove_where(&tables->addrs, addr_is_of, &index);
    rj_nl_array_remove_where(&tables->neighs, neigh_is_of, &index);
    drop_routes_of_link(tables, index, true);
    tables->doubts |= RJ_NL_NEXTHOPS | RJ_NL_ROUTES;
}

/* --- addresses --- */

static void apply_addr(rj_nl_tables_t *tables, const struct nlmsghdr *message,
                       rj_nl_origin_t origin)
{
    rj_nl_addr_t addr;
    if (!rj_nl_addr_read(message, &addr)) {
        tables->ignored_count++;
        return;
    }
    addr.stamp = tables->stamp;
    size_t at = 0;
    while (at < tables->addrs.count && !rj_nl_addr_same(rj_nl_array_at(&tables->addrs, at), &addr))
        at++;
    const bool is_there = at < tables->addrs.count;
    if (message->nlmsg_type == RTM_DELADDR) {
        if (is_there)
            rj_nl_array_remove(&tables->addrs, at);
        /* Routes that prefer it as source go with it, not always with a word. */
        tables->doubts |= RJ_NL_ROUTES;
        note_change(tables);
        return;
    }
    /* A dump tells the order of the kernel, so the told one goes to the end. */
    const bool is_moved = is_there && origin == RJ_NL_DUMPED;
    if (is_there && !is_moved) {
        memcpy(rj_nl_array_at(&tables->addrs, at), &addr, sizeof(addr));
    } else {
        if (is_moved)
            rj_nl_array_remove(&tables->addrs, at);
        if (rj_nl_array_insert(&tables->addrs, tables->addrs.count, &addr) < 0)
            note_failure(tables, RJ_NL_ADDRS);
    }
    note_change(tables);
}

/* --- next hops, routes, neighbours --- */

static void apply_nexthop(rj_nl_tables_t *tables, const struct nlmsghdr *message)
{
    rj_nl_nexthop_t nexthop;
    if (!rj_nl_nexthop_read(message, &nexthop)) {
        tables->ignored_count++;
        return;
    }
    nexthop.stamp = tables->stamp;
    if (message->nlmsg_type == RTM_NEWNEXTHOP) {
        if (put(tables, &tables->nexthops, &nexthop, rj_nl_nexthop_compare, RJ_NL_NEXTHOPS))
            note_route_change(tables);
        return;
    }
    /* The routes that use it go, too; a dump will tell which. Until then they have no hop. */
    if (take_out(&tables->nexthops, &nexthop, rj_nl_nexthop_compare))
        note_route_change(tables);
    tables->doubts |= RJ_NL_NEXTHOPS | RJ_NL_ROUTES;
}

static rj_nl_route_place_t place_of(const struct nlmsghdr *message, rj_nl_origin_t origin)
{
    return origin == RJ_NL_DUMPED                 ? RJ_NL_ROUTE_DUMPED
           : message->nlmsg_flags & NLM_F_REPLACE ? RJ_NL_ROUTE_REPLACE
           : message->nlmsg_flags & NLM_F_APPEND  ? RJ_NL_ROUTE_LAST
                                                  : RJ_NL_ROUTE_FIRST;
}

static void apply_route(rj_nl_tables_t *tables, const struct nlmsghdr *message,
                        rj_nl_origin_t origin)
{
    rj_nl_route_t route;
    rj_net_hop_t hops[RJ_NL_ROUTE_HOPS_MAX];
    if (!rj_nl_route_read(message, &route, hops)) {
        tables->ignored_count++;
        return;
    }
    if (message->nlmsg_type == RTM_DELROUTE) {
        if (rj_nl_route_table_remove(tables->routes, &route))
            note_route_change(tables);
        else
            tables->doubts |= RJ_NL_ROUTES;
        return;
    }
    const int result =
        rj_nl_route_table_put(tables->routes, &route, place_of(message, origin), tables->stamp);
    if (result < 0)
        note_failure(tables, RJ_NL_ROUTES);
    else if (result > 0)
        note_route_change(tables);
}

static void apply_neigh(rj_nl_tables_t *tables, const struct nlmsghdr *message)
{
    rj_nl_neigh_t neigh;
    if (!rj_nl_neigh_read(message, &neigh)) {
        tables->ignored_count++;
        return;
    }
    neigh.stamp = tables->stamp;
    const bool is_changed =
        message->nlmsg_type == RTM_NEWNEIGH
            ? put(tables, &tables->neighs, &neigh, rj_nl_neigh_compare, RJ_NL_NEIGHS) != 0
            : take_out(&tables->neighs, &neigh, rj_nl_neigh_compare);
    if (is_changed)
        note_change(tables);
}

const rj_nl_neigh_t *rj_nl_tables_find_neigh(const rj_nl_tables_t *tables, uint32_t link_index,
                                             const rj_address_t *address)
{
    rj_nl_neigh_t key = {.link_index = link_index, .address = *address};
    key.address.scope_id = 0;
    key.address.port = 0;
    bool is_there;
    const size_t at = rj_nl_array_find(&tables->neighs, &key, rj_nl_neigh_compare, &is_there);
    return is_there ? rj_nl_array_at(&tables->neighs, at) : NULL;
}

/* --- dumps --- */

void rj_nl_tables_apply(rj_nl_tables_t *tables, const struct nlmsghdr *message,
                        rj_nl_origin_t origin)
{
    switch (message->nlmsg_type) {
    case RTM_NEWLINK:
        apply_new_link(tables, message);
        return;
    case RTM_DELLINK:
        apply_removed_link(tables, message);
        return;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        apply_addr(tables, message, origin);
        return;
    case RTM_NEWNEXTHOP:
    case RTM_DELNEXTHOP:
        apply_nexthop(tables, message);
        return;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        apply_route(tables, message, origin);
        return;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        apply_neigh(tables, message);
        return;
    case RTM_NEWRULE:
    case RTM_DELRULE:
        if (origin == RJ_NL_DUMPED)
            rj_nl_rules_add(&tables->rules_dumped, message);
        else
            tables->doubts |= RJ_NL_RULES;
        return;
    case RTM_NEWNETCONF:
        /* Whether routes count without a carrier stands in the link's own message. */
        tables->doubts |= RJ_NL_LINKS;
        return;
    default:
        tables->ignored_count++;
        return;
    }
}

void rj_nl_tables_begin_dump(rj_nl_tables_t *tables, uint32_t kinds)
{
    tables->stamp++;
    if (kinds & RJ_NL_RULES)
        tables->rules_dumped = (rj_nl_rules_t){0};
}

/* Links that were not told again went without a word, and what is theirs with them. */
static void sweep_links(rj_nl_tables_t *tables)
{
    for (size_t i = tables->links.count; i > 0; i--) {
        const rj_nl_link_t *link = rj_nl_array_at(&tables->links, i - 1);
        const uint32_t index = link->net.index;
        if (link->stamp == tables->stamp)
            continue;
        rj_nl_array_remove(&tables->links, i - 1);
        rj_nl_array_remove_where(&tables->addrs, addr_is_of, &index);
        rj_nl_array_remove_where(&tables->neighs, neigh_is_of, &index);
        drop_routes_of_link(tables, index, true);
    }
}

void rj_nl_tables_end_dump(rj_nl_tables_t *tables, uint32_t kinds)
{
    if (kinds & RJ_NL_LINKS)
        sweep_links(tables);
    if ((kinds & RJ_NL_ADDRS) && rj_nl_array_sweep(&tables->addrs, tables->stamp) > 0)
        note_change(tables);
    if ((kinds & RJ_NL_NEXTHOPS) && rj_nl_array_sweep(&tables->nexthops, tables->stamp) > 0)
        note_route_change(tables);
    if ((kinds & RJ_NL_ROUTES) && rj_nl_route_table_sweep(tables->routes, tables->stamp) > 0)
        note_route_change(tables);
    if ((kinds & RJ_NL_NEIGHS) && rj_nl_array_sweep(&tables->neighs, tables->stamp) > 0)
        note_change(tables);
    if ((kinds & RJ_NL_RULES) &&
        memcmp(&tables->rules, &tables->rules_dumped, sizeof(tables->rules)) != 0) {
        tables->rules = tables->rules_dumped;
        note_change(tables);
    }
}
