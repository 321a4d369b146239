/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/snapshot.h"

#include <string.h>

/* How many bits of an address its family has. */
static unsigned bits_of(uint16_t family)
{
    return family == AF_INET ? 32 : 128;
}

/* Neither port nor scope: look-ups below name the link beside the address. */
static bool same_bytes(const rj_address_t *a, const rj_address_t *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static bool is_given(const rj_address_t *source)
{
    return source->family != AF_UNSPEC && !rj_address_is_wildcard(source);
}

static bool is_v4_mapped(const rj_address_t *address)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return address->family == AF_INET6 && memcmp(address->bytes, prefix, sizeof(prefix)) == 0;
}

static bool is_limited_broadcast(const rj_address_t *address)
{
    static const uint8_t ones[4] = {0xff, 0xff, 0xff, 0xff};
    return address->family == AF_INET && memcmp(address->bytes, ones, sizeof(ones)) == 0;
}

static rj_address_t without_port(const rj_address_t *address)
{
    rj_address_t host = *address;
    host.port = 0;
    return host;
}

/* --- links, neighbours, memberships --- */

const rj_net_link_t *rj_net_snapshot_link(const rj_net_snapshot_t *snapshot, uint32_t index)
{
    size_t low = 0;
    size_t high = snapshot->link_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (snapshot->links[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    const bool is_there = low < snapshot->link_count && snapshot->links[low].index == index;
    return is_there ? &snapshot->links[low] : NULL;
}

const rj_net_link_t *rj_net_snapshot_link_named(const rj_net_snapshot_t *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->link_count; i++) {
        if (strcmp(snapshot->links[i].name, name) == 0)
            return &snapshot->links[i];
    }
    return NULL;
}

/* Below, equal to or above the neighbour's place in the order of rj_net_snapshot_build. */
static int compare_to_neighbour(uint32_t link_index, const rj_address_t *address,
                                const rj_net_neighbour_t *neighbour)
{
    if (link_index != neighbour->link_index)
        return link_index < neighbour->link_index ? -1 : 1;
    if (address->family != neighbour->address.family)
        return address->family < neighbour->address.family ? -1 : 1;
    return memcmp(address->bytes, neighbour->address.bytes, sizeof(address->bytes));
}

static const rj_net_neighbour_t *find_neighbour(const rj_net_snapshot_t *snapshot,
                                                uint32_t link_index, const rj_address_t *address)
{
    size_t low = 0;
    size_t high = snapshot->neighbour_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const rj_net_neighbour_t *neighbour = &snapshot->neighbours[middle];
        const int result = compare_to_neighbour(link_index, address, neighbour);
        if (result == 0)
            return neighbour;
        if (result > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

int rj_net_snapshot_member_count(const rj_net_snapshot_t *snapshot, const rj_address_t *group,
                                 uint32_t link_index)
{
    int count = -1;
    for (size_t i = 0; i < snapshot->membership_count; i++) {
        const rj_net_membership_t *membership = &snapshot->memberships[i];
        if (!same_bytes(&membership->group, group))
            continue;
        const bool is_meant = link_index == 0 || membership->link_index == link_index;
        count = (count < 0 ? 0 : count) + (is_meant ? (int)membership->user_count : 0);
    }
    return count;
}

/* --- routes --- */

static rj_address_t masked(const rj_address_t *address, unsigned prefix_bits)
{
    rj_address_t result = {.family = address->family};
    const unsigned whole = prefix_bits / 8;
    memcpy(result.bytes, address->bytes, whole);
    if (prefix_bits % 8 != 0)
        result.bytes[whole] = address->bytes[whole] & (uint8_t)(0xff00 >> (prefix_bits % 8));
    return result;
}

/* The first route of the group with that destination, or where it would stand. */
static size_t lower_bound(const rj_net_snapshot_t *snapshot, const rj_net_route_group_t *group,
                          const rj_address_t *destination)
{
    size_t low = group->first_route;
    size_t high = low + group->route_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (memcmp(snapshot->routes[middle].destination.bytes, destination->bytes,
                   sizeof(destination->bytes)) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What one table says of a destination. */
typedef struct pick {
    bool is_found;     /* a route decides; otherwise the next table is asked */
    bool has_dead_hop; /* a route was passed over because nothing of it is alive */
    rj_net_answer_t answer;
    const rj_net_route_t *route;
    const rj_net_hop_t *hop;
} pick_t;

typedef struct question {
    const rj_net_snapshot_t *snapshot;
    const rj_address_t *destination;
    uint32_t link_index; /* 0: any */
} question_t;

/* How many hops can be taken; the last of them in `ret_hop`. */
static size_t count_alive(const question_t *question, const rj_net_route_t *route,
                          const rj_net_hop_t **ret_hop)
{
    size_t count = 0;
    for (uint32_t i = 0; i < route->hop_count; i++) {
        const rj_net_hop_t *hop = &question->snapshot->hops[route->first_hop + i];
        if (hop->is_dead || (question->link_index != 0 && hop->link_index != question->link_index))
            continue;
        *ret_hop = hop;
        count++;
    }
    return count;
}

/* Looks at the routes of one prefix, the lowest priority first, as the kernel does: one without an
 * alive hop is passed over. */
static void pick_of_prefix(const question_t *question, const rj_net_route_t *route, size_t count,
                           pick_t *pick)
{
    for (size_t i = 0; i < count && !pick->is_found; i++) {
        const rj_net_route_t *candidate = &route[i];
        if (candidate->type != RJ_NET_ROUTE_UNICAST) {
            const bool is_local = candidate->type == RJ_NET_ROUTE_LOCAL;
            *pick = (pick_t){.is_found = true,
                             .answer = is_local ? RJ_NET_LOCAL : RJ_NET_NOT_SIMPLE,
                             .route = candidate};
            return;
        }
        const rj_net_hop_t *hop = NULL;
        const size_t alive_count = count_alive(question, candidate, &hop);
        if (alive_count == 0) {
            pick->has_dead_hop = true;
            continue;
        }
        pick->is_found = true;
        pick->route = candidate;
        pick->hop = hop;
        pick->answer = alive_count == 1 ? RJ_NET_REACHED : RJ_NET_NOT_SIMPLE;
        /* IPv6 scores routes of equal priority by what it knows of their routers. */
        const bool has_equal = i + 1 < count && route[i + 1].priority == candidate->priority;
        if (has_equal && question->destination->family == AF_INET6 &&
            (route[i + 1].type != RJ_NET_ROUTE_UNICAST ||
             count_alive(question, &route[i + 1], &hop) > 0))
            pick->answer = RJ_NET_NOT_SIMPLE;
    }
}

/* The longest prefix in one table that has something alive. */
static pick_t pick_of_table(const question_t *question, uint32_t table)
{
    const rj_net_snapshot_t *snapshot = question->snapshot;
    pick_t pick = {.answer = RJ_NET_NO_ROUTE};
    for (size_t i = 0; i < snapshot->group_count && !pick.is_found; i++) {
        const rj_net_route_group_t *group = &snapshot->groups[i];
        if (group->table != table || group->family != question->destination->family)
            continue;
        const rj_address_t prefix = masked(question->destination, group->prefix_bits);
        const size_t begin = lower_bound(snapshot, group, &prefix);
        size_t end = begin;
        while (end < (size_t)group->first_route + group->route_count &&
               same_bytes(&snapshot->routes[end].destination, &prefix))
            end++;
        pick_of_prefix(question, snapshot->routes + begin, end - begin, &pick);
    }
    return pick;
}

/* The kernel asks local, main and default, and stops at the first that has a route. While there
 * are no rules IPv4 keeps local and main in one tree, where a longer prefix of main wins over a
 * shorter one of local; whether it does cannot be seen from here. */
static pick_t pick_route(const question_t *question)
{
    pick_t local = pick_of_table(question, RJ_NET_TABLE_LOCAL);
    if (local.is_found && local.route->prefix_bits == bits_of(question->destination->family))
        return local;
    pick_t pick = pick_of_table(question, RJ_NET_TABLE_MAIN);
    if (local.is_found) {
        if (pick.is_found && pick.route->prefix_bits > local.route->prefix_bits)
            local.answer = RJ_NET_NOT_SIMPLE;
        return local;
    }
    if (!pick.is_found) {
        const bool has_dead_hop = pick.has_dead_hop;
        pick = pick_of_table(question, RJ_NET_TABLE_DEFAULT);
        pick.has_dead_hop = pick.has_dead_hop || has_dead_hop;
    }
    if (!pick.is_found && pick.has_dead_hop)
        pick.answer = RJ_NET_LINK_DOWN;
    return pick;
}

/* --- addresses --- */

static const rj_net_address_t *find_address(const rj_net_snapshot_t *snapshot,
                                            const rj_address_t *address)
{
    for (size_t i = 0; i < snapshot->address_count; i++) {
        const rj_net_address_t *own = &snapshot->addresses[i];
        if (!same_bytes(&own->address, address))
            continue;
        if (address->scope_id == 0 || address->scope_id == own->link_index ||
            !rj_address_is_link_local(address))
            return own;
    }
    return NULL;
}

bool rj_net_snapshot_is_ours(const rj_net_snapshot_t *snapshot, const rj_address_t *address)
{
    if (address->family == AF_UNSPEC || rj_address_is_wildcard(address) ||
        rj_address_is_multicast(address))
        return false;
    if (find_address(snapshot, address) != NULL)
        return true;
    /* All of 127.0.0.0/8, and what an operator declared with `ip route add local`. A link-local
     * route says nothing without its link. */
    const question_t question = {.snapshot = snapshot, .destination = address};
    return !rj_address_is_link_local(address) &&
           pick_of_table(&question, RJ_NET_TABLE_LOCAL).answer == RJ_NET_LOCAL;
}

static unsigned common_bits(const rj_address_t *a, const rj_address_t *b)
{
    unsigned bits = 0;
    const unsigned bits_max = bits_of(a->family);
    while (bits < bits_max && rj_address_matches_prefix(a, b, bits + 1))
        bits++;
    return bits;
}

/* How far an IPv6 address reaches: 0 its link, 1 beyond (RFC 6724 3.1, without the sites that
 * nobody has any more). */
static int reach_of(const rj_address_t *address)
{
    if (rj_address_is_multicast(address))
        return (address->bytes[1] & 0x0f) > 2;
    return !rj_address_is_link_local(address);
}

/* RFC 6724 5, as far as the snapshot can tell: a reach that suffices, the outgoing link, the
 * longest common prefix, the kernel's order. Higher is better; negative: cannot be it. */
static int score_ipv6(const rj_net_address_t *own, uint32_t link_index, const rj_address_t *peer)
{
    const int own_reach = reach_of(&own->address);
    const int peer_reach = reach_of(peer);
    const bool is_on_link = own->link_index == link_index;
    if (own_reach == 0 && !is_on_link)
        return -1;
    int score = own_reach == peer_reach ? 6 : own_reach > peer_reach ? 4 : 0;
    score += is_on_link ? 1 : 0;
    return score * 256 + (int)common_bits(&own->address, peer);
}

/* IPv4: an address of the outgoing link whose subnet holds the next hop, else its first, else the
 * first of any other link. */
static int score_ipv4(const rj_net_address_t *own, uint32_t link_index, const rj_address_t *peer)
{
    const bool is_loopback = own->address.bytes[0] == 127;
    if (own->link_index != link_index)
        return is_loopback ? -1 : 0;
    return rj_address_matches_prefix(&own->address, peer, own->prefix_bits) ? 2 : 1;
}

/* Which source the kernel would choose; false when there is none. `peer` is the destination, for
 * IPv4 the next hop. */
static bool choose_source(const rj_net_snapshot_t *snapshot, uint32_t link_index,
                          const rj_address_t *peer, rj_address_t *ret_source)
{
    int best = -1;
    for (size_t i = 0; i < snapshot->address_count; i++) {
        const rj_net_address_t *own = &snapshot->addresses[i];
        if (own->address.family != peer->family)
            continue;
        const int score = peer->family == AF_INET ? score_ipv4(own, link_index, peer)
                                                  : score_ipv6(own, link_index, peer);
        if (score > best) {
            best = score;
            *ret_source = without_port(&own->address);
        }
    }
    return best >= 0;
}

/* --- ways --- */

static void multicast_mac(const rj_address_t *group, uint8_t ret[static 6])
{
    static const uint8_t ipv4[3] = {0x01, 0x00, 0x5e};
    static const uint8_t ipv6[2] = {0x33, 0x33};
    if (group->family == AF_INET) {
        memcpy(ret, ipv4, sizeof(ipv4));
        memcpy(ret + 3, group->bytes + 1, 3);
        ret[3] &= 0x7f;
    } else {
        memcpy(ret, ipv6, sizeof(ipv6));
        memcpy(ret + 2, group->bytes + 12, 4);
    }
}

/* What the link adds to a way: whether it can be used at all, its MAC and MTU. */
static rj_net_answer_t use_link(const rj_net_snapshot_t *snapshot, uint32_t link_index,
                                uint32_t route_mtu_bytes, rj_net_way_t *way)
{
    const rj_net_link_t *link = rj_net_snapshot_link(snapshot, link_index);
    if (link == NULL)
        return RJ_NET_NO_ROUTE;
    way->link_index = link_index;
    way->mtu_bytes = route_mtu_bytes != 0 && route_mtu_bytes < link->mtu_bytes ? route_mtu_bytes
                                                                               : link->mtu_bytes;
    memcpy(way->source_mac, link->mac, sizeof(way->source_mac));
    if (link->is_loopback || !link->is_ethernet)
        return RJ_NET_NOT_ETHERNET;
    return link->is_up ? RJ_NET_REACHED : RJ_NET_LINK_DOWN;
}

/* Fills in the source: what the caller has, what the route prefers, what the kernel would take. */
static bool use_source(const rj_net_snapshot_t *snapshot, const rj_address_t *source,
                       const rj_net_route_t *route, const rj_address_t *destination,
                       rj_net_way_t *way)
{
    if (is_given(source))
        way->source = without_port(source);
    else if (route != NULL && route->source.family == destination->family)
        way->source = route->source;
    else
        return choose_source(snapshot, way->link_index,
                             destination->family == AF_INET && way->next_hop.family == AF_INET
                                 ? &way->next_hop
                                 : destination,
                             &way->source);
    return true;
}

static rj_net_answer_t reach_group(const rj_net_snapshot_t *snapshot, const rj_address_t *source,
                                   const rj_address_t *group, uint32_t link_index,
                                   rj_net_way_t *ret_way)
{
    pick_t pick = {0};
    if (link_index == 0 && rj_address_is_link_local(group))
        link_index = group->scope_id;
    if (link_index == 0 && group->family == AF_INET && is_given(source)) {
        const rj_net_address_t *own = find_address(snapshot, source);
        link_index = own != NULL ? own->link_index : 0;
    }
    if (link_index == 0) {
        if (snapshot->has_rules)
            return RJ_NET_NOT_SIMPLE;
        const question_t question = {.snapshot = snapshot, .destination = group};
        pick = pick_route(&question);
        if (pick.answer != RJ_NET_REACHED)
            return pick.answer == RJ_NET_LOCAL ? RJ_NET_NOT_SIMPLE : pick.answer;
        link_index = pick.hop->link_index;
    }
    ret_way->next_hop = without_port(group);
    multicast_mac(group, ret_way->destination_mac);
    const rj_net_answer_t answer =
        use_link(snapshot, link_index, pick.route != NULL ? pick.route->mtu_bytes : 0, ret_way);
    if (answer != RJ_NET_REACHED)
        return answer;
    return use_source(snapshot, source, pick.route, group, ret_way) ? answer : RJ_NET_NOT_SIMPLE;
}

/* To the neighbour on the link; `pick` without a route: the destination itself is one. */
static rj_net_answer_t reach_neighbour(const rj_net_snapshot_t *snapshot,
                                       const rj_address_t *source, const rj_address_t *destination,
                                       const pick_t *pick, uint32_t link_index,
                                       rj_net_way_t *ret_way)
{
    const bool has_gateway = pick->hop != NULL && pick->hop->gateway.family != AF_UNSPEC;
    ret_way->next_hop = without_port(has_gateway ? &pick->hop->gateway : destination);
    if (rj_address_is_link_local(&ret_way->next_hop))
        ret_way->next_hop.scope_id = link_index;
    const rj_net_answer_t answer =
        use_link(snapshot, link_index, pick->route != NULL ? pick->route->mtu_bytes : 0, ret_way);
    if (answer != RJ_NET_REACHED)
        return answer;
    if (!use_source(snapshot, source, pick->route, destination, ret_way))
        return RJ_NET_NOT_SIMPLE;
    const rj_net_neighbour_t *neighbour = find_neighbour(snapshot, link_index, &ret_way->next_hop);
    if (neighbour == NULL || !neighbour->is_usable)
        return RJ_NET_NO_NEIGHBOUR;
    memcpy(ret_way->destination_mac, neighbour->mac, sizeof(ret_way->destination_mac));
    return RJ_NET_REACHED;
}

rj_net_answer_t rj_net_snapshot_find_way(const rj_net_snapshot_t *snapshot,
                                         const rj_address_t *source,
                                         const rj_address_t *destination, uint32_t link_index,
                                         rj_net_way_t *ret_way)
{
    memset(ret_way, 0, sizeof(*ret_way));
    if (destination->family == AF_UNSPEC)
        return RJ_NET_NO_ROUTE;
    if (rj_address_is_multicast(destination))
        return reach_group(snapshot, source, destination, link_index, ret_way);
    /* The kernel takes the wildcard for this host. */
    if (rj_address_is_wildcard(destination) || rj_net_snapshot_is_ours(snapshot, destination))
        return RJ_NET_LOCAL;
    if (is_limited_broadcast(destination) || is_v4_mapped(destination) || snapshot->has_rules)
        return RJ_NET_NOT_SIMPLE;

    if (rj_address_is_link_local(destination)) {
        const uint32_t scope = destination->scope_id != 0 ? destination->scope_id : link_index;
        return scope == 0
                   ? RJ_NET_NO_ROUTE
                   : reach_neighbour(snapshot, source, destination, &(pick_t){0}, scope, ret_way);
    }
    const question_t question = {snapshot, destination, link_index};
    const pick_t pick = pick_route(&question);
    if (pick.answer != RJ_NET_REACHED)
        return pick.answer;
    return reach_neighbour(snapshot, source, destination, &pick, pick.hop->link_index, ret_way);
}

const char *rj_net_answer_text(rj_net_answer_t answer)
{
    switch (answer) {
    case RJ_NET_REACHED:
        return "reached";
    case RJ_NET_LOCAL:
        return "this host";
    case RJ_NET_NO_ROUTE:
        return "no route";
    case RJ_NET_LINK_DOWN:
        return "link down";
    case RJ_NET_NOT_ETHERNET:
        return "not Ethernet";
    case RJ_NET_NO_NEIGHBOUR:
        return "neighbour unknown";
    case RJ_NET_NOT_SIMPLE:
        return "the kernel's choice";
    }
    return "unknown";
}
