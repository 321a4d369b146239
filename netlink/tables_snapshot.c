/* SPDX-License-Identifier: Apache-2.0 */
/* From the mirror to what others may look at: objects resolved, dead hops marked. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netlink/addr.h"
#include "netlink/tables.h"

/* The arrays of a snapshot while they are filled. */
typedef struct draft {
    const rj_nl_tables_t *tables;
    rj_net_link_t *links;
    rj_net_address_t *addresses;
    rj_net_neighbour_t *neighbours;
    rj_net_route_t *routes;
    rj_net_hop_t *hops;
    size_t address_count;
    size_t neighbour_count;
    size_t route_count;
    size_t hop_count;
    size_t hop_room;
    bool is_for_tos; /* this visit takes the routes for one type of service, the next all others */
    bool has_failed;
} draft_t;

static void free_draft(draft_t *draft)
{
    free(draft->links);
    free(draft->addresses);
    free(draft->neighbours);
    free(draft->routes);
    free(draft->hops);
}

/* --- routes --- */

static rj_net_hop_t *add_hop(draft_t *draft)
{
    if (draft->hop_count == draft->hop_room) {
        const size_t room = draft->hop_room == 0 ? 64 : draft->hop_room * 2;
        rj_net_hop_t *hops = realloc(draft->hops, room * sizeof(*hops));
        if (hops == NULL) {
            draft->has_failed = true;
            return NULL;
        }
        draft->hops = hops;
        draft->hop_room = room;
    }
    return memset(&draft->hops[draft->hop_count++], 0, sizeof(*draft->hops));
}

/* What the kernel keeps as flags of the hop, it changes with the link and without a word. */
static bool is_dead(const rj_nl_tables_t *tables, uint32_t link_index, uint16_t family)
{
    const rj_nl_link_t *link = rj_nl_tables_find_link(tables, link_index);
    if (link == NULL || !rj_nl_link_is_up(link))
        return true;
    const bool ignores =
        family == AF_INET ? link->ignores_linkdown_ipv4 : link->ignores_linkdown_ipv6;
    return ignores && !rj_nl_link_has_carrier(link);
}

static void copy_hop(draft_t *draft, rj_net_route_t *route, const rj_net_hop_t *hop,
                     uint32_t weight)
{
    rj_net_hop_t *copy = add_hop(draft);
    if (copy == NULL)
        return;
    copy->link_index = hop->link_index;
    copy->weight = weight;
    copy->gateway = hop->gateway;
    copy->is_dead = is_dead(draft->tables, hop->link_index, route->destination.family);
    route->hop_count++;
}

static const rj_nl_nexthop_t *find_nexthop(const draft_t *draft, uint32_t id)
{
    const rj_nl_nexthop_t key = {.id = id};
    const rj_nl_array_t *nexthops = &draft->tables->nexthops;
    bool is_there;
    const size_t at = rj_nl_array_find(nexthops, &key, rj_nl_nexthop_compare, &is_there);
    return is_there ? rj_nl_array_at(nexthops, at) : NULL;
}

/* Members of a group are no groups themselves. */
static void copy_nexthop(draft_t *draft, rj_net_route_t *route, const rj_nl_nexthop_t *nexthop)
{
    if (nexthop->is_odd)
        route->type = RJ_NET_ROUTE_OTHER;
    if (nexthop->member_count == 0 && !nexthop->is_odd)
        copy_hop(draft, route, &nexthop->hop, 1);
    for (uint32_t i = 0; i < nexthop->member_count; i++) {
        const rj_nl_nexthop_t *member = find_nexthop(draft, nexthop->members[i].id);
        if (member == NULL)
            continue;
        if (member->is_odd)
            route->type = RJ_NET_ROUTE_OTHER;
        else
            copy_hop(draft, route, &member->hop, nexthop->members[i].weight);
    }
}

static void add_route(const rj_nl_route_t *from, void *state)
{
    draft_t *draft = state;
    if ((from->key.tos != 0) != draft->is_for_tos)
        return;
    rj_net_route_t *route = memset(&draft->routes[draft->route_count], 0, sizeof(*route));
    route->destination.family = from->key.family;
    memcpy(route->destination.bytes, from->key.destination, sizeof(route->destination.bytes));
    route->prefix_bits = from->key.prefix_bits;
    route->table = from->key.table;
    /* A route for one type of service comes before the others of its prefix, and as it is none
     * that a header can follow it leaves the whole prefix to the kernel. */
    route->priority = from->key.tos != 0 ? 0 : from->key.priority;
    route->type = from->type;
    route->mtu_bytes = from->mtu_bytes;
    route->source = from->source;
    route->first_hop = (uint32_t)draft->hop_count;
    const rj_nl_nexthop_t *nexthop =
        from->nexthop_id != 0 ? find_nexthop(draft, from->nexthop_id) : NULL;
    if (nexthop != NULL) {
        copy_nexthop(draft, route, nexthop);
    } else {
        for (uint32_t i = 0; i < from->hop_count; i++)
            copy_hop(draft, route, &from->hops[i], from->hops[i].weight);
    }
    draft->route_count++;
}

static bool draft_routes(draft_t *draft)
{
    const size_t count = rj_nl_route_table_count(draft->tables->routes);
    draft->routes = malloc((count + 1) * sizeof(*draft->routes));
    draft->hop_room = count + 1;
    draft->hops = malloc(draft->hop_room * sizeof(*draft->hops));
    if (draft->routes == NULL || draft->hops == NULL)
        return false;
    draft->is_for_tos = true;
    rj_nl_route_table_visit(draft->tables->routes, add_route, draft);
    draft->is_for_tos = false;
    rj_nl_route_table_visit(draft->tables->routes, add_route, draft);
    return !draft->has_failed;
}

/* --- the rest --- */

static bool draft_links(draft_t *draft)
{
    const rj_nl_array_t *links = &draft->tables->links;
    draft->links = calloc(links->count + 1, sizeof(*draft->links));
    if (draft->links == NULL)
        return false;
    for (size_t i = 0; i < links->count; i++) {
        const rj_nl_link_t *link = rj_nl_array_at(links, i);
        memcpy(&draft->links[i], &link->net, sizeof(link->net));
    }
    return true;
}

static bool draft_addresses(draft_t *draft)
{
    const rj_nl_array_t *addrs = &draft->tables->addrs;
    draft->addresses = calloc(addrs->count + 1, sizeof(*draft->addresses));
    if (draft->addresses == NULL)
        return false;
    for (int rank = RJ_NL_ADDR_PRIMARY; rank < RJ_NL_ADDR_UNUSABLE; rank++) {
        for (size_t i = 0; i < addrs->count; i++) {
            const rj_nl_addr_t *addr = rj_nl_array_at(addrs, i);
            if ((int)addr->rank == rank)
                draft->addresses[draft->address_count++] = addr->net;
        }
    }
    return true;
}

static bool draft_neighbours(draft_t *draft)
{
    const rj_nl_array_t *neighs = &draft->tables->neighs;
    draft->neighbours = calloc(neighs->count + 1, sizeof(*draft->neighbours));
    if (draft->neighbours == NULL)
        return false;
    for (size_t i = 0; i < neighs->count; i++) {
        const rj_nl_neigh_t *neigh = rj_nl_array_at(neighs, i);
        if (!rj_nl_neigh_is_usable(neigh))
            continue;
        rj_net_neighbour_t *neighbour = &draft->neighbours[draft->neighbour_count++];
        neighbour->link_index = neigh->link_index;
        neighbour->address = neigh->address;
        if (rj_address_is_link_local(&neigh->address))
            neighbour->address.scope_id = neigh->link_index;
        memcpy(neighbour->mac, neigh->mac, sizeof(neighbour->mac));
        neighbour->is_usable = true;
    }
    return true;
}

int rj_nl_tables_snapshot(const rj_nl_tables_t *tables, const rj_net_membership_t *memberships,
                          size_t membership_count, uint64_t generation,
                          const rj_net_snapshot_t *last, rj_net_snapshot_t **ret, rj_err_t *err)
{
    const bool keeps_routes = last != NULL && !tables->are_routes_changed;
    draft_t draft = {.tables = tables};
    int result = -ENOMEM;
    if (!draft_links(&draft) || !draft_addresses(&draft) || !draft_neighbours(&draft) ||
        (!keeps_routes && !draft_routes(&draft)))
        goto out;
    const rj_net_snapshot_t parts = {.generation = generation,
                                     .has_rules = rj_nl_rules_are_special(&tables->rules),
                                     .links = draft.links,
                                     .link_count = tables->links.count,
                                     .addresses = draft.addresses,
                                     .address_count = draft.address_count,
                                     .routes = draft.routes,
                                     .route_count = draft.route_count,
                                     .hops = draft.hops,
                                     .hop_count = draft.hop_count,
                                     .neighbours = draft.neighbours,
                                     .neighbour_count = draft.neighbour_count,
                                     .memberships = memberships,
                                     .membership_count = membership_count};
    result = keeps_routes ? rj_net_snapshot_rebuild(&parts, last, ret, err)
                          : rj_net_snapshot_build(&parts, ret, err);
out:
    free_draft(&draft);
    if (result == -ENOMEM)
        return rj_fail(err, result, "netlink: no memory for a snapshot of %zu routes",
                       rj_nl_route_table_count(tables->routes));
    return result;
}
