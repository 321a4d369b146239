/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_feed.h"

#include <stdlib.h>
#include <string.h>

#include "sim_state.h"

enum {
    WANTS_MAX = 256,
    NEIGHBOURS_MAX = 4, /* hosts of a network that is steered */
    LOOK_NS = 1000000000,
};

typedef struct want {
    rj_address_t destination;
    int count;
} want_t;

struct sim_feed {
    rj_net_feed_t base; /* first member */
    sim_host_t *host;
    sim_view_t view;
    sim_view_t shown; /* of the last snapshot */
    rj_net_snapshot_t *snapshot;
    uint64_t generation;
    int64_t next_look_ns;
    want_t wants[WANTS_MAX];
    int want_count;
};

void sim_host_mac(int host, uint8_t ret_mac[6])
{
    const uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)(host + 1)};
    memcpy(ret_mac, mac, sizeof(mac));
}

static rj_address_t without_port(const rj_address_t *address)
{
    rj_address_t host = *address;
    host.port = 0;
    return host;
}

rj_address_t sim_feed_second_address(const sim_feed_t *feed)
{
    rj_address_t address = feed->host->address;
    address.bytes[address.family == AF_INET ? 3 : 15] = (uint8_t)(100 + feed->host->index);
    return address;
}

/* --- the parts of a snapshot --- */

static size_t list_neighbours(const sim_feed_t *feed, rj_net_neighbour_t *neighbours)
{
    size_t count = 0;
    for (int i = 0; i < NEIGHBOURS_MAX; i++) {
        if (i == feed->host->index)
            continue;
        rj_net_neighbour_t *neighbour = &neighbours[count++];
        neighbour->link_index = SIM_LINK_INDEX;
        neighbour->address = feed->host->net->hosts[i].address;
        neighbour->is_usable = (feed->view.lost_neighbours >> i & 1) == 0;
        sim_host_mac(i, neighbour->mac);
    }
    return count;
}

static uint32_t count_members(const sim_feed_t *feed, const rj_address_t *group)
{
    uint32_t count = feed->view.has_foreign_members;
    for (int i = 0; i < SIM_SOCKETS_MAX; i++) {
        const sim_socket_t *socket = &feed->host->net->sockets[i];
        count += socket->is_open && socket->host == feed->host->index &&
                 rj_address_same_host(&socket->group, group);
    }
    return count;
}

/* A row with link 0 for each group that was looked for, another where there are members. */
static size_t list_memberships(const sim_feed_t *feed, rj_net_membership_t *memberships)
{
    size_t count = 0;
    for (int i = 0; i < feed->want_count; i++) {
        const rj_address_t group = without_port(&feed->wants[i].destination);
        if (!rj_address_is_multicast(&group))
            continue;
        const uint32_t members = count_members(feed, &group);
        memberships[count++] = (rj_net_membership_t){.group = group};
        if (members > 0)
            memberships[count++] = (rj_net_membership_t){SIM_LINK_INDEX, members, group};
    }
    return count;
}

/* What a snapshot is made of. All of it is zeroed first: snapshots are compared with their padding.
 */
typedef struct parts {
    rj_net_link_t link;
    rj_net_address_t addresses[2];
    rj_net_hop_t hop;
    rj_net_route_t route;
    rj_net_neighbour_t neighbours[NEIGHBOURS_MAX];
    rj_net_membership_t memberships[2 * WANTS_MAX];
} parts_t;

static void fill_link(const sim_feed_t *feed, rj_net_link_t *link)
{
    link->index = SIM_LINK_INDEX;
    link->mtu_bytes = feed->view.mtu_bytes;
    link->rx_queue_count = 1;
    memcpy(link->name, "sim0", 4);
    link->is_ethernet = true;
    link->is_up = !feed->view.is_link_down;
    sim_host_mac(feed->host->index, link->mac);
}

/* The subnet is on the link; there is no other route. */
static void fill_addresses(const sim_feed_t *feed, parts_t *own)
{
    const bool is_ipv4 = feed->host->address.family == AF_INET;
    for (int i = 0; i < 2; i++) {
        own->addresses[i].link_index = SIM_LINK_INDEX;
        own->addresses[i].prefix_bits = is_ipv4 ? 24 : 64;
        own->addresses[i].address = i == 0 ? feed->host->address : sim_feed_second_address(feed);
    }
    own->hop.link_index = SIM_LINK_INDEX;
    own->hop.weight = 1;
    own->route.destination = feed->host->address;
    own->route.destination.bytes[is_ipv4 ? 3 : 15] = 0;
    own->route.prefix_bits = is_ipv4 ? 24 : 64;
    own->route.type = RJ_NET_ROUTE_UNICAST;
    own->route.table = RJ_NET_TABLE_MAIN;
    own->route.hop_count = 1;
}

static rj_net_snapshot_t *build(const sim_feed_t *feed)
{
    parts_t own;
    memset(&own, 0, sizeof(own));
    fill_link(feed, &own.link);
    fill_addresses(feed, &own);
    const rj_net_snapshot_t parts = {.generation = feed->generation,
                                     .links = &own.link,
                                     .link_count = 1,
                                     .addresses = own.addresses,
                                     .address_count = feed->view.has_second_address ? 2 : 1,
                                     .routes = &own.route,
                                     .route_count = feed->view.is_route_gone ? 0 : 1,
                                     .hops = &own.hop,
                                     .hop_count = 1,
                                     .neighbours = own.neighbours,
                                     .neighbour_count = list_neighbours(feed, own.neighbours),
                                     .memberships = own.memberships,
                                     .membership_count = list_memberships(feed, own.memberships)};
    rj_net_snapshot_t *snapshot;
    rj_err_t err;
    if (rj_net_snapshot_build(&parts, &snapshot, &err) < 0)
        sim_fail("no snapshot: %s", err.text);
    return snapshot;
}

/* --- the feed --- */

static bool is_same_view(const sim_view_t *a, const sim_view_t *b)
{
    return a->lost_neighbours == b->lost_neighbours && a->is_link_down == b->is_link_down &&
           a->is_route_gone == b->is_route_gone && a->has_second_address == b->has_second_address &&
           a->has_foreign_members == b->has_foreign_members && a->mtu_bytes == b->mtu_bytes;
}

static const rj_net_snapshot_t *latest(rj_net_feed_t *base)
{
    sim_feed_t *feed = (sim_feed_t *)base;
    const int64_t now_ns = sim_net_now_ns(feed->host->net);
    if (feed->snapshot != NULL && now_ns < feed->next_look_ns &&
        is_same_view(&feed->view, &feed->shown))
        return feed->snapshot;
    feed->next_look_ns = now_ns + LOOK_NS;
    feed->shown = feed->view;
    feed->generation++;
    rj_net_snapshot_t *snapshot = build(feed);
    if (feed->snapshot != NULL && rj_net_snapshot_equal(feed->snapshot, snapshot)) {
        rj_net_snapshot_free(snapshot);
        return feed->snapshot;
    }
    rj_net_snapshot_free(feed->snapshot);
    feed->snapshot = snapshot;
    return snapshot;
}

static want_t *find_want(sim_feed_t *feed, const rj_address_t *destination)
{
    for (int i = 0; i < feed->want_count; i++) {
        if (rj_address_same_host(&feed->wants[i].destination, destination))
            return &feed->wants[i];
    }
    return NULL;
}

/* Who asks for a group waits for its count: the agent looks at once. */
static void want(rj_net_feed_t *base, const rj_address_t *destination)
{
    sim_feed_t *feed = (sim_feed_t *)base;
    want_t *known = find_want(feed, destination);
    if (known != NULL) {
        known->count++;
        return;
    }
    if (feed->want_count == WANTS_MAX)
        sim_fail("more destinations than the feed has room for");
    feed->wants[feed->want_count++] = (want_t){without_port(destination), 1};
    feed->next_look_ns = 0;
}

static void unwant(rj_net_feed_t *base, const rj_address_t *destination)
{
    sim_feed_t *feed = (sim_feed_t *)base;
    want_t *known = find_want(feed, destination);
    if (known == NULL)
        sim_fail("a destination that nobody wanted is unwanted");
    if (--known->count == 0)
        *known = feed->wants[--feed->want_count];
}

static const rj_net_feed_ops_t feed_ops = {.latest = latest, .want = want, .unwant = unwant};

sim_feed_t *sim_feed_open(sim_host_t *host)
{
    sim_feed_t *feed = calloc(1, sizeof(*feed));
    if (feed == NULL)
        abort();
    feed->base.ops = &feed_ops;
    feed->host = host;
    feed->view.mtu_bytes = SIM_MTU_BYTES;
    return feed;
}

void sim_feed_close(sim_feed_t *feed)
{
    if (feed == NULL)
        return;
    rj_net_snapshot_free(feed->snapshot);
    free(feed);
}

rj_net_feed_t *sim_feed_base(sim_feed_t *feed)
{
    return &feed->base;
}

sim_view_t *sim_feed_view(sim_feed_t *feed)
{
    return &feed->view;
}

int sim_feed_want_count(const sim_feed_t *feed)
{
    return feed->want_count;
}
