/* SPDX-License-Identifier: Apache-2.0 */
/* sim_feed.h - what the kernel of a simulated host would tell of links, addresses and neighbours.
 *
 * One Ethernet link to all other hosts, in one subnet. What changes during a run is a field of the
 * view; memberships are counted from the host's sockets, once a second, as the agent does.
 *
 * Units      virtual ns; bytes.
 * Ownership  the feed owns its snapshots; hosts are the network's.
 * Thread     one.
 * Errors     a mistake of the simulation itself fails the seed.
 */
#ifndef RJ_TESTS_SIM_FEED_H
#define RJ_TESTS_SIM_FEED_H

#include "netlink/feed.h"
#include "sim_net.h"

enum {
    SIM_LINK_INDEX = 1,
    SIM_MTU_BYTES = 1500,
};

typedef struct sim_view {
    uint32_t lost_neighbours; /* hosts, as bits */
    bool is_link_down;
    bool is_route_gone;
    bool has_second_address;
    bool has_foreign_members; /* of every group that somebody asks for: not the driver's sockets */
    uint32_t mtu_bytes;
} sim_view_t;

typedef struct sim_feed sim_feed_t;

sim_feed_t *sim_feed_open(sim_host_t *host);
void sim_feed_close(sim_feed_t *feed);
rj_net_feed_t *sim_feed_base(sim_feed_t *feed);

/* May be changed at any time: the next snapshot has it. */
sim_view_t *sim_feed_view(sim_feed_t *feed);

/* How often somebody wants a destination looked after and has not said that it is over. */
int sim_feed_want_count(const sim_feed_t *feed);

/* The address that it has besides its first one when the view says so. */
rj_address_t sim_feed_second_address(const sim_feed_t *feed);

void sim_host_mac(int host, uint8_t ret_mac[6]);

#endif
