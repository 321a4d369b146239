/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where in the one allocation an array lies. */
typedef struct section {
    size_t offset;
    size_t length_bytes;
} section_t;

typedef struct layout {
    section_t links, addresses, routes, groups, hops, neighbours, memberships;
    size_t total_bytes;
} layout_t;

static section_t place(layout_t *layout, size_t count, size_t item_bytes)
{
    const size_t align = _Alignof(max_align_t);
    const section_t section = {layout->total_bytes, count * item_bytes};
    layout->total_bytes += (section.length_bytes + align - 1) / align * align;
    return section;
}

static layout_t lay_out(const rj_net_snapshot_t *parts, size_t group_count)
{
    layout_t layout = {0};
    place(&layout, 1, sizeof(rj_net_snapshot_t));
    layout.links = place(&layout, parts->link_count, sizeof(*parts->links));
    layout.addresses = place(&layout, parts->address_count, sizeof(*parts->addresses));
    layout.routes = place(&layout, parts->route_count, sizeof(*parts->routes));
    layout.groups = place(&layout, group_count, sizeof(*parts->groups));
    layout.hops = place(&layout, parts->hop_count, sizeof(*parts->hops));
    layout.neighbours = place(&layout, parts->neighbour_count, sizeof(*parts->neighbours));
    layout.memberships = place(&layout, parts->membership_count, sizeof(*parts->memberships));
    return layout;
}

static void *copy(rj_net_snapshot_t *snapshot, const section_t *section, const void *from)
{
    uint8_t *to = (uint8_t *)snapshot + section->offset;
    if (section->length_bytes > 0)
        memcpy(to, from, section->length_bytes);
    return to;
}

/* The order in which the kernel's default rules ask the tables. */
static int table_rank(uint32_t table)
{
    return table == RJ_NET_TABLE_LOCAL     ? 0
           : table == RJ_NET_TABLE_MAIN    ? 1
           : table == RJ_NET_TABLE_DEFAULT ? 2
                                           : 3;
}

static int order(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_hosts(const rj_address_t *a, const rj_address_t *b)
{
    const int families = order(a->family, b->family);
    return families != 0 ? families : memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* Same group: same table, family and prefix length. */
static int compare_groups(const rj_net_route_t *a, const rj_net_route_t *b)
{
    int result = table_rank(a->table) - table_rank(b->table);
    if (result == 0)
        result = order(a->table, b->table);
    if (result == 0)
        result = order(a->destination.family, b->destination.family);
    return result != 0 ? result : order(b->prefix_bits, a->prefix_bits);
}

/* By number, so that equal ones keep the order in which they were given. */
static int compare_routes(const void *left, const void *right, void *state)
{
    const rj_net_route_t *routes = state;
    const uint32_t i = *(const uint32_t *)left;
    const uint32_t k = *(const uint32_t *)right;
    int result = compare_groups(&routes[i], &routes[k]);
    if (result == 0)
        result = memcmp(routes[i].destination.bytes, routes[k].destination.bytes,
                        sizeof(routes[i].destination.bytes));
    if (result == 0)
        result = order(routes[i].priority, routes[k].priority);
    return result != 0 ? result : order(i, k);
}

static int compare_links(const void *left, const void *right)
{
    const rj_net_link_t *a = left, *b = right;
    return order(a->index, b->index);
}

static int compare_neighbours(const void *left, const void *right)
{
    const rj_net_neighbour_t *a = left, *b = right;
    const int links = order(a->link_index, b->link_index);
    return links != 0 ? links : compare_hosts(&a->address, &b->address);
}

static int compare_memberships(const void *left, const void *right)
{
    const rj_net_membership_t *a = left, *b = right;
    const int groups = compare_hosts(&a->group, &b->group);
    return groups != 0 ? groups : order(a->link_index, b->link_index);
}

/* Stable, for the order within a link says which address the kernel prefers; few and mostly in
 * order already. */
static void sort_addresses(rj_net_address_t *addresses, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const rj_net_address_t moved = addresses[i];
        size_t at = i;
        for (; at > 0 && addresses[at - 1].link_index > moved.link_index; at--)
            addresses[at] = addresses[at - 1];
        addresses[at] = moved;
    }
}

static int check_route(const rj_net_snapshot_t *parts, const rj_net_route_t *route, rj_err_t *err)
{
    const uint16_t family = route->destination.family;
    const unsigned bits_max = family == AF_INET ? 32 : family == AF_INET6 ? 128 : 0;
    if (bits_max == 0 || route->prefix_bits > bits_max)
        return rj_fail(err, -EINVAL, "snapshot: a route of family %u with a prefix of %u bits",
                       family, route->prefix_bits);
    if (route->first_hop > parts->hop_count ||
        route->hop_count > parts->hop_count - route->first_hop)
        return rj_fail(err, -EINVAL, "snapshot: a route's hops %u to %u are not there",
                       route->first_hop, route->first_hop + route->hop_count);
    return 0;
}

static uint32_t *sort_routes(const rj_net_snapshot_t *parts)
{
    uint32_t *numbers = malloc((parts->route_count + 1) * sizeof(*numbers));
    if (numbers == NULL)
        return NULL;
    for (size_t i = 0; i < parts->route_count; i++)
        numbers[i] = (uint32_t)i;
    /* The comparison only reads. */
    qsort_r(numbers, parts->route_count, sizeof(*numbers), compare_routes,
            (void *)(uintptr_t)parts->routes);
    return numbers;
}

static size_t count_groups(const rj_net_route_t *routes, const uint32_t *numbers, size_t count)
{
    size_t groups = count > 0;
    for (size_t i = 1; i < count; i++)
        groups += compare_groups(&routes[numbers[i - 1]], &routes[numbers[i]]) != 0;
    return groups;
}

static void fill_groups(rj_net_route_group_t *groups, const rj_net_route_t *routes, size_t count)
{
    rj_net_route_group_t *group = groups - 1;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || compare_groups(&routes[i - 1], &routes[i]) != 0) {
            group++;
            *group = (rj_net_route_group_t){.table = routes[i].table,
                                            .family = routes[i].destination.family,
                                            .prefix_bits = routes[i].prefix_bits,
                                            .first_route = (uint32_t)i};
        }
        group->route_count++;
    }
}

/* Everything but the routes and their groups. */
static rj_net_snapshot_t *build_rest(const rj_net_snapshot_t *parts, const layout_t *layout)
{
    rj_net_snapshot_t *snapshot = calloc(1, layout->total_bytes);
    if (snapshot == NULL)
        return NULL;
    *snapshot = *parts;
    rj_net_link_t *links = copy(snapshot, &layout->links, parts->links);
    rj_net_address_t *addresses = copy(snapshot, &layout->addresses, parts->addresses);
    rj_net_neighbour_t *neighbours = copy(snapshot, &layout->neighbours, parts->neighbours);
    rj_net_membership_t *memberships = copy(snapshot, &layout->memberships, parts->memberships);
    qsort(links, parts->link_count, sizeof(*links), compare_links);
    sort_addresses(addresses, parts->address_count);
    qsort(neighbours, parts->neighbour_count, sizeof(*neighbours), compare_neighbours);
    qsort(memberships, parts->membership_count, sizeof(*memberships), compare_memberships);
    snapshot->links = links;
    snapshot->addresses = addresses;
    snapshot->neighbours = neighbours;
    snapshot->memberships = memberships;
    return snapshot;
}

int rj_net_snapshot_build(const rj_net_snapshot_t *parts, rj_net_snapshot_t **ret, rj_err_t *err)
{
    for (size_t i = 0; i < parts->route_count; i++) {
        const int result = check_route(parts, &parts->routes[i], err);
        if (result < 0)
            return result;
    }
    uint32_t *numbers = sort_routes(parts);
    if (numbers == NULL)
        return rj_fail(err, -ENOMEM, "snapshot: no memory for %zu routes", parts->route_count);
    const size_t group_count = count_groups(parts->routes, numbers, parts->route_count);
    const layout_t layout = lay_out(parts, group_count);
    rj_net_snapshot_t *snapshot = build_rest(parts, &layout);
    if (snapshot == NULL) {
        free(numbers);
        return rj_fail(err, -ENOMEM, "snapshot: no memory for %zu bytes", layout.total_bytes);
    }

    rj_net_route_t *routes = (void *)((uint8_t *)snapshot + layout.routes.offset);
    rj_net_route_group_t *groups = (void *)((uint8_t *)snapshot + layout.groups.offset);
    for (size_t i = 0; i < parts->route_count; i++)
        routes[i] = parts->routes[numbers[i]];
    fill_groups(groups, routes, parts->route_count);
    free(numbers);
    snapshot->routes = routes;
    snapshot->groups = groups;
    snapshot->group_count = group_count;
    snapshot->hops = copy(snapshot, &layout.hops, parts->hops);
    *ret = snapshot;
    return 0;
}

int rj_net_snapshot_rebuild(const rj_net_snapshot_t *parts, const rj_net_snapshot_t *last,
                            rj_net_snapshot_t **ret, rj_err_t *err)
{
    rj_net_snapshot_t joined = *parts;
    joined.routes = last->routes;
    joined.route_count = last->route_count;
    joined.hops = last->hops;
    joined.hop_count = last->hop_count;
    const layout_t layout = lay_out(&joined, last->group_count);
    rj_net_snapshot_t *snapshot = build_rest(&joined, &layout);
    if (snapshot == NULL)
        return rj_fail(err, -ENOMEM, "snapshot: no memory for %zu bytes", layout.total_bytes);
    snapshot->routes = copy(snapshot, &layout.routes, last->routes);
    snapshot->groups = copy(snapshot, &layout.groups, last->groups);
    snapshot->group_count = last->group_count;
    snapshot->hops = copy(snapshot, &layout.hops, last->hops);
    *ret = snapshot;
    return 0;
}

void rj_net_snapshot_free(rj_net_snapshot_t *snapshot)
{
    free(snapshot);
}

static bool same_array(const void *a, size_t a_count, const void *b, size_t b_count, size_t bytes)
{
    return a_count == b_count && (a_count == 0 || memcmp(a, b, a_count * bytes) == 0);
}

bool rj_net_snapshot_equal(const rj_net_snapshot_t *a, const rj_net_snapshot_t *b)
{
    return a->has_rules == b->has_rules &&
           same_array(a->links, a->link_count, b->links, b->link_count, sizeof(*a->links)) &&
           same_array(a->addresses, a->address_count, b->addresses, b->address_count,
                      sizeof(*a->addresses)) &&
           same_array(a->neighbours, a->neighbour_count, b->neighbours, b->neighbour_count,
                      sizeof(*a->neighbours)) &&
           same_array(a->memberships, a->membership_count, b->memberships, b->membership_count,
                      sizeof(*a->memberships)) &&
           same_array(a->routes, a->route_count, b->routes, b->route_count, sizeof(*a->routes)) &&
           same_array(a->hops, a->hop_count, b->hops, b->hop_count, sizeof(*a->hops));
}
