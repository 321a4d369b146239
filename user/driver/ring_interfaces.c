/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/ring_state.h"

#include <errno.h>
#include <string.h>

#include "xdp/device.h"
#include "xdp/privilege.h"

static const rj_net_snapshot_t *snapshot_of(rj_ring_world_t *world)
{
    rj_net_feed_t *feed = rj_netlink_feed(world->netlink);
    return feed->ops->latest(feed);
}

static int open_program(const rj_ring_world_t *world, rj_steer_t *steer, const char *name,
                        rj_steer_attach_if_t attach_if, rj_err_t *err)
{
    const rj_driver_config_t *config = world->params.config;
    const rj_steer_options_t options = {.interface = name,
                                        .instance =
                                            config->instance[0] != '\0' ? config->instance : NULL,
                                        .mode = config->xdp_mode,
                                        .attach_if = attach_if};
    return rj_steer_open(steer, &options, world->params.now_ns, err);
}

static rj_link_kind_t link_kind(const rj_net_link_t *link)
{
    rj_device_t device = {.index = 0};
    (void)rj_device_look(link->name, &device, NULL); /* without: a card of which nothing is known */
    return rj_link_kind_of(link->is_loopback, link->kind, device.driver);
}

static ring_interface_t *add_link(rj_ring_world_t *world, const rj_net_link_t *link)
{
    ring_interface_t *interface = &world->interfaces[world->interface_count++];
    *interface =
        (ring_interface_t){.world = world,
                           .index = link->index,
                           .mtu_bytes = link->mtu_bytes,
                           .queue_count = link->rx_queue_count > 0 ? link->rx_queue_count : 1,
                           .link = link_kind(link),
                           .room_bytes = UINT32_MAX};
    return interface;
}

/* Takes over an opened program for good. */
static void add_interface(rj_ring_world_t *world, const rj_steer_t *steer,
                          const rj_net_link_t *link)
{
    ring_interface_t *interface = add_link(world, link);
    interface->kind = RING_XDP;
    interface->xdp = *steer;
    interface->name = interface->xdp.interface;
    interface->maps = &interface->xdp.maps.maps;
}

/* -EPERM and the like: by packet sockets it is not to be had. */
static int add_tapped(rj_ring_world_t *world, const rj_net_link_t *link, rj_err_t *err)
{
    rj_packet_steer_t packet;
    const rj_packet_steer_options_t options = {.interface = link->name,
                                               .first_queue = first_queue(world)};
    if (world->params.attach == RJ_RING_ATTACH_NEVER)
        return rj_fail(err, -EPERM,
                       "%s: packet sockets need a program at its ingress, and aeronmd never "
                       "attaches by itself: use `ramjet driver`",
                       link->name);
    const int result = rj_packet_steer_open(&packet, &options, world->params.now_ns, err);
    if (result < 0)
        return result;
    ring_interface_t *interface = add_link(world, link);
    interface->kind = RING_PACKET;
    interface->packet = packet;
    interface->name = interface->packet.steer.interface;
    interface->maps = &interface->packet.steer.maps.maps;
    return 0;
}

static void add_named(rj_ring_world_t *world, const char *name)
{
    rj_err_t err;
    rj_steer_t steer;
    const rj_net_link_t *link = rj_net_snapshot_link_named(
        rj_netlink_feed(world->netlink)->ops->latest(rj_netlink_feed(world->netlink)), name);
    if (link == NULL) {
        tell(world, RJ_RING_REFUSED, "%s: no such interface here: `ip link` lists them", name);
        return;
    }
    if (world->params.config->transport == RJ_TRANSPORT_PACKET) {
        if (add_tapped(world, link, &err) < 0)
            tell(world, RJ_RING_REFUSED, "%s", err.text);
        return;
    }
    const rj_steer_attach_if_t attach_if =
        world->params.attach == RJ_RING_ATTACH_NAMED ? RJ_STEER_ATTACH_IF_NONE : RJ_STEER_USE_ONLY;
    int code = open_program(world, &steer, name, attach_if, &err);
    if (code == 0)
        add_interface(world, &steer, link);
    else
        tell(world, RJ_RING_REFUSED, "%s%s", err.text,
             code == -ENOENT && attach_if == RJ_STEER_USE_ONLY
                 ? ", and aeronmd never attaches by itself"
                 : "");
}

/* What `ramjet attach` prepared is used without being named. Who has no privilege for XDP at all
 * has not prepared it for himself, and hears nothing; who was given some lacks only a sight of it.
 */
static void add_attached(rj_ring_world_t *world)
{
    const rj_net_snapshot_t *snapshot = snapshot_of(world);
    for (size_t i = 0; i < snapshot->link_count; i++) {
        const rj_net_link_t *link = &snapshot->links[i];
        rj_err_t err;
        rj_steer_t steer;
        if (link->xdp_program_id == 0 || world->interface_count == RJ_STEERING_INTERFACES_MAX)
            continue;
        const int code = open_program(world, &steer, link->name, RJ_STEER_USE_ONLY, &err);
        if (code == -EPERM && rj_privilege_check(NULL) == 0)
            tell(world, RJ_RING_REFUSED, "%s", err.text);
        if (code < 0)
            continue;
        if (steer.holder == RJ_STEER_PINNED)
            add_interface(world, &steer, link);
        else
            rj_steer_close(&steer);
    }
}

static void tell_of_port(void *state, const char *text)
{
    tell(state, RJ_RING_REFUSED, "%s", text);
}

/* A port whose frames are copies: what is ours the kernel is told to drop. */
static void keep_from_kernel(rj_ring_world_t *world, ring_interface_t *interface)
{
    static const char twice[] = "; each datagram comes twice, by DPDK and by its socket";
    const rj_packet_steer_options_t options = {.interface = interface->name,
                                               .first_queue = first_queue(world)};
    rj_err_t err;
    if (world->params.attach == RJ_RING_ATTACH_NEVER) {
        tell(world, RJ_RING_LACKING, "%s: aeronmd never attaches by itself%s", interface->name,
             twice);
        return;
    }
    if (rj_packet_steer_open(&interface->packet, &options, world->params.now_ns, &err) < 0) {
        tell(world, RJ_RING_LACKING, "%s%s", err.text, twice);
        return;
    }
    interface->has_copies = true;
    rj_steer_pair_init(&interface->pair, &interface->packet.steer.maps.maps, interface->maps);
    interface->maps = &interface->pair.maps;
}

static void add_ports_of_dpdk(rj_ring_world_t *world)
{
    const rj_driver_config_t *config = world->params.config;
    const char *names[RJ_STEERING_INTERFACES_MAX];
    rj_err_t err;
    for (int i = 0; i < config->interface_count; i++)
        names[i] = config->interfaces[i];
    const rj_dpdk_params_t params = {.arguments = config->dpdk_args,
                                     .interfaces = names,
                                     .interface_count = (uint32_t)config->interface_count,
                                     .queue_count = (uint32_t)wanted_engine_count(world),
                                     .tell = tell_of_port,
                                     .tell_state = world};
    if (rj_dpdk_ops.open(&world->dpdk, &params, &err) < 0) {
        tell(world, RJ_RING_REFUSED, "%s", err.text);
        return;
    }
    for (uint32_t i = 0; i < rj_dpdk_ops.port_count(world->dpdk); i++) {
        rj_dpdk_view_t view;
        rj_dpdk_ops.view(world->dpdk, i, &view);
        ring_interface_t *interface = &world->interfaces[world->interface_count++];
        *interface = (ring_interface_t){.world = world,
                                        .name = view.interface_name,
                                        .index = view.interface_index,
                                        .maps = view.maps,
                                        .kind = RING_DPDK,
                                        .dpdk_port = (int)i,
                                        .mtu_bytes = view.mtu_bytes,
                                        .queue_count = view.queue_count,
                                        .room_bytes = UINT32_MAX};
        if (!view.has_tap)
            keep_from_kernel(world, interface);
    }
}

void rj_ring_find_interfaces(rj_ring_world_t *world)
{
    const rj_driver_config_t *config = world->params.config;
    if (config->transport == RJ_TRANSPORT_DPDK) {
        add_ports_of_dpdk(world);
        return;
    }
    for (int i = 0; i < config->interface_count; i++)
        add_named(world, config->interfaces[i]);
    if (config->interface_count == 0 && config->transport != RJ_TRANSPORT_PACKET)
        add_attached(world);
}
