/* SPDX-License-Identifier: Apache-2.0 */
/* ring_state.h - what ring_world.c and ring_interfaces.c share: the world and its interfaces.
 *
 * Units      as in ring_world.h.
 * Ownership  the world owns its interfaces, in place: pointers into them are good as long as it is.
 * Thread     as ring_world.h says.
 * Errors     none here.
 */
#ifndef RJ_DRIVER_RING_STATE_H
#define RJ_DRIVER_RING_STATE_H

#include <stdarg.h>
#include <stdio.h>

#include "config/ring_config.h"
#include "driver/door_policy.h"
#include "driver/ring_nic.h"
#include "driver/ring_world.h"
#include "netlink/agent.h"
#include "transport/af_xdp.h"
#include "transport/dpdk.h"
#include "transport/ring_front.h"
#include "xdp/packet_steer.h"
#include "xdp/steer.h"
#include "xdp/steer_pair.h"

enum { RJ_RING_TEXT_MAX = 512, RINGS_MAX = RJ_ENGINES_MAX * RJ_AF_XDP_RINGS_MAX };

typedef enum ring_kind { RING_XDP, RING_PACKET, RING_DPDK } ring_kind_t;

/* An interface that can be steered: its program is there, or it is a port of DPDK's. */
typedef struct ring_interface {
    const rj_ring_world_t *world;
    const char *name;
    uint32_t index;
    rj_steer_maps_t *maps;
    ring_kind_t kind;
    rj_steer_t xdp;           /* of XDP, as card and nic are */
    rj_packet_steer_t packet; /* of packet sockets, and of a port that gets copies of frames */
    uint16_t fan_group;       /* of packet rings that share it; 0: none yet */
    int dpdk_port;
    bool has_copies;      /* its frames are: the kernel has each as well, and drops ours */
    rj_steer_pair_t pair; /* of such a port */
    uint32_t mtu_bytes;
    uint32_t queue_count; /* that the interface receives on */
    uint32_t room_bytes;  /* of the smallest UMEM */
    int ring_count;       /* of its queues, from the first asked for on */
    bool has_both_doors;  /* bulk goes by the sockets behind its rings */
    rj_link_kind_t link;
    bool busy_polls; /* and they do so busily */
    rj_kernel_nic_t card;
    rj_ring_nic_t nic;
} ring_interface_t;

typedef struct ring {
    const ring_interface_t *interface;
    rj_frame_ring_t *ring; /* its port's */
    rj_af_xdp_ring_info_t info;
} ring_t;

struct rj_ring_world {
    rj_ring_world_params_t params;
    rj_netlink_t *netlink; /* NULL: not open */
    rj_dpdk_t *dpdk;       /* the same */
    ring_interface_t interfaces[RJ_STEERING_INTERFACES_MAX];
    int interface_count;
    rj_port_t *ports[RJ_ENGINES_MAX];                          /* NULL once taken */
    const rj_ring_front_stats_t *socket_stats[RJ_ENGINES_MAX]; /* NULL: no ring */
    int engine_count;
    ring_t rings[RINGS_MAX];
    int ring_count;
    rj_log_pool_t pool; /* closed: everything is copied */
};

/* To whoever opened the world, in one line. */
__attribute__((format(printf, 3, 4))) static inline void
tell(const rj_ring_world_t *world, rj_ring_told_t told, const char *format, ...)
{
    char text[RJ_RING_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (told == RJ_RING_REFUSED && length >= 0 && length < RJ_RING_TEXT_MAX)
        snprintf(text + length, sizeof(text) - (size_t)length, "; sockets serve it");
    world->params.tell(world->params.tell_state, told, text);
}

static inline uint32_t first_queue(const rj_ring_world_t *world)
{
    const int32_t first = world->params.config->queue_first;
    return first < 0 ? 0 : (uint32_t)first;
}

static inline int wanted_engine_count(const rj_ring_world_t *world)
{
    const rj_driver_config_t *config = world->params.config;
    return config->queue_first < 0 ? 1 : config->queue_last - config->queue_first + 1;
}

/* What steers an interface of the kernel's. */
static inline const rj_steer_t *steer_of(const ring_interface_t *interface)
{
    return interface->kind == RING_PACKET ? &interface->packet.steer : &interface->xdp;
}

/* Finds the interfaces that are to have rings, and opens what steers them; what cannot be had is
 * told. */
void rj_ring_find_interfaces(rj_ring_world_t *world);

#endif
