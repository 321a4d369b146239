/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.h - what the kernel knew about links, addresses, routes and neighbours at one moment.
 *
 * Plain data, made by the agent (netlink/agent.h) or by the simulation, and the two questions that
 * are asked of it: how does a datagram reach this destination, and which addresses are ours.
 *
 * Units      bytes; addresses in network order; prefix lengths in bits.
 * Ownership  a snapshot is one allocation with its arrays behind it, constant once published.
 * Thread     any.
 * Errors     build: negative errno; the questions: an answer that says why there is no way.
 */
#ifndef RJ_NETLINK_SNAPSHOT_H
#define RJ_NETLINK_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/address.h"

enum { RJ_NET_NAME_MAX = 15, RJ_NET_KIND_MAX = 15 };

typedef struct rj_net_link {
    uint32_t index;
    uint32_t mtu_bytes;
    uint32_t rx_queue_count;
    uint32_t xdp_program_id; /* 0: none */
    char name[RJ_NET_NAME_MAX + 1];
    char kind[RJ_NET_KIND_MAX + 1]; /* "veth", "bridge"; empty for a plain device */
    uint8_t mac[6];
    bool is_ethernet;
    bool is_up; /* IFF_UP and a carrier */
    bool is_loopback;
} rj_net_link_t;

typedef struct rj_net_address {
    uint32_t link_index;
    uint8_t prefix_bits;
    rj_address_t address; /* port 0; link-local IPv6 with the index as scope */
} rj_net_address_t;

typedef enum rj_net_route_type {
    RJ_NET_ROUTE_UNICAST,
    RJ_NET_ROUTE_LOCAL, /* to this host */
    RJ_NET_ROUTE_OTHER, /* broadcast, blackhole, prohibit, encapsulated, ...: the kernel's affair */
} rj_net_route_type_t;

typedef struct rj_net_hop {
    uint32_t link_index;
    uint32_t weight;      /* 1.. */
    rj_address_t gateway; /* AF_UNSPEC: on link */
    bool is_dead;
} rj_net_hop_t;

typedef struct rj_net_route {
    rj_address_t destination; /* port 0 */
    uint8_t prefix_bits;
    uint8_t type; /* rj_net_route_type_t */
    uint32_t table;
    uint32_t priority;   /* the lowest wins */
    uint32_t mtu_bytes;  /* 0: the link's */
    rj_address_t source; /* preferred; AF_UNSPEC: none */
    uint32_t first_hop;  /* in snapshot->hops */
    uint32_t hop_count;
} rj_net_route_t;

typedef struct rj_net_neighbour {
    uint32_t link_index;
    rj_address_t address;
    uint8_t mac[6];
    bool is_usable; /* REACHABLE, STALE, DELAY, PROBE, PERMANENT, NOARP: with a MAC address */
} rj_net_neighbour_t;

/* A multicast group that sockets of this host have joined, from /proc/net/igmp and igmp6. Kept only
 * for groups that somebody wants watched. One with link 0 says no more than that somebody looked,
 * so that a group without members can be told from one that nobody looked for. */
typedef struct rj_net_membership {
    uint32_t link_index;
    uint32_t user_count; /* sockets */
    rj_address_t group;  /* port 0 */
} rj_net_membership_t;

/* Neighbouring routes of one table, family and prefix length: where a look-up of the longest prefix
 * goes from one binary search to the next. Made by rj_net_snapshot_build. */
typedef struct rj_net_route_group {
    uint32_t table;
    uint16_t family;
    uint8_t prefix_bits;
    uint32_t first_route; /* in snapshot->routes */
    uint32_t route_count;
} rj_net_route_group_t;

/* Sorted by rj_net_snapshot_build as the look-ups need it: links by index, addresses by link (and
 * within it in the order given, which is the order of the kernel's choice), routes by table (255,
 * 254, 253, others), family, prefix length (longest first), destination and priority, neighbours by
 * link and address, memberships by group and link. */
typedef struct rj_net_snapshot {
    uint64_t generation; /* counts on with every change */
    bool has_rules; /* policy rules beside the default three: routes cannot be told from here */
    const rj_net_link_t *links;
    size_t link_count;
    const rj_net_address_t *addresses;
    size_t address_count;
    const rj_net_route_t *routes;
    size_t route_count;
    const rj_net_route_group_t *groups;
    size_t group_count;
    const rj_net_hop_t *hops;
    size_t hop_count;
    const rj_net_neighbour_t *neighbours;
    size_t neighbour_count;
    const rj_net_membership_t *memberships;
    size_t membership_count;
} rj_net_snapshot_t;

enum { RJ_NET_TABLE_DEFAULT = 253, RJ_NET_TABLE_MAIN = 254, RJ_NET_TABLE_LOCAL = 255 };

/* Copies what `parts` points at, in any order, into one sorted allocation; `groups` is not read.
 * Routes of one prefix and priority keep their order. -EINVAL for a route whose hops or prefix are
 * out of range, -ENOMEM. */
int rj_net_snapshot_build(const rj_net_snapshot_t *parts, rj_net_snapshot_t **ret, rj_err_t *err);

/* The same, where the routes and their hops are those of `last`: they are copied, not sorted. */
int rj_net_snapshot_rebuild(const rj_net_snapshot_t *parts, const rj_net_snapshot_t *last,
                            rj_net_snapshot_t **ret, rj_err_t *err);

void rj_net_snapshot_free(rj_net_snapshot_t *snapshot);

/* Equal but for the generation. */
bool rj_net_snapshot_equal(const rj_net_snapshot_t *a, const rj_net_snapshot_t *b);

typedef enum rj_net_answer {
    RJ_NET_REACHED, /* `ret_way` is complete */
    RJ_NET_LOCAL,   /* the destination is this host */
    RJ_NET_NO_ROUTE,
    RJ_NET_LINK_DOWN,
    RJ_NET_NOT_ETHERNET,
    RJ_NET_NO_NEIGHBOUR, /* `ret_way` lacks the destination's MAC; gateway and link are there */
    RJ_NET_NOT_SIMPLE,   /* rules, several hops, other kinds of route: ask the kernel */
} rj_net_answer_t;

/* How the first hop is reached. */
typedef struct rj_net_way {
    uint32_t link_index;
    uint32_t mtu_bytes;
    uint8_t source_mac[6];
    uint8_t destination_mac[6];
    rj_address_t next_hop; /* the neighbour; port 0 */
    rj_address_t source;   /* that the kernel would choose; port 0 */
} rj_net_way_t;

/* `source` AF_UNSPEC or wildcard: any. Multicast: the group's MAC, over `link_index` (0: as the
 * routes say; IPv4 from a source of ours: over its link, as the kernel does). Unicast over
 * `link_index`: only hops there. Several next hops: the one that is alive when it is the only one,
 * else NOT_SIMPLE, for the kernel's choice of the moment is not known here. Broadcast addresses are
 * NOT_SIMPLE: whether a socket may, and who hears it on this host, is the kernel's to say. */
rj_net_answer_t rj_net_snapshot_find_way(const rj_net_snapshot_t *snapshot,
                                         const rj_address_t *source,
                                         const rj_address_t *destination, uint32_t link_index,
                                         rj_net_way_t *ret_way);

/* NULL when there is none. */
const rj_net_link_t *rj_net_snapshot_link(const rj_net_snapshot_t *snapshot, uint32_t index);
const rj_net_link_t *rj_net_snapshot_link_named(const rj_net_snapshot_t *snapshot,
                                                const char *name);

/* Whether it is an address of this host; the port is not looked at. */
bool rj_net_snapshot_is_ours(const rj_net_snapshot_t *snapshot, const rj_address_t *address);

/* How many sockets of this host have joined the group on the link (0: any link); -1 when nobody has
 * looked yet. */
int rj_net_snapshot_member_count(const rj_net_snapshot_t *snapshot, const rj_address_t *group,
                                 uint32_t link_index);

const char *rj_net_answer_text(rj_net_answer_t answer);

#endif
