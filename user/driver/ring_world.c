/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/ring_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/agent.h"
#include "driver/capabilities.h"
#include "driver/ring_state.h"
#include "transport/packet_ring.h"
#include "transport/registry.h"

/* --- rings --- */

static rj_xsk_mode_t xsk_mode(enum rj_xdp_mode mode)
{
    switch (mode) {
    case RJ_XDP_MODE_ZERO_COPY:
        return RJ_XSK_ZERO_COPY;
    case RJ_XDP_MODE_GENERIC:
        return RJ_XSK_COPY;
    case RJ_XDP_MODE_AUTO:
    case RJ_XDP_MODE_NATIVE:
    case RJ_XDP_MODE_PACKET:
        break;
    }
    return RJ_XSK_AUTO;
}

/* Whether engines with rings poll without a pause: an idle strategy that spins, or a program that
 * drives them itself, which embeds the driver for the sake of latency. */
static bool never_sleeps(const rj_driver_config_t *config)
{
    static const rj_thread_role_t roles[] = {
        [RJ_THREADING_DEDICATED] = RJ_ROLE_RECEIVER,
        [RJ_THREADING_SHARED_NETWORK] = RJ_ROLE_SHARED_NETWORK,
        [RJ_THREADING_SHARED] = RJ_ROLE_SHARED,
    };
    rj_idle_t idle;
    rj_err_t err;
    if (config->threading_mode == RJ_THREADING_INVOKER)
        return true;
    return rj_idle_init(&idle, &config->idle[roles[config->threading_mode]], &err) == 0 &&
           (idle.kind == RJ_IDLE_NOOP || idle.kind == RJ_IDLE_SPIN);
}

static rj_af_xdp_ring_params_t ring_params(const rj_ring_world_t *world,
                                           const ring_interface_t *interface, uint32_t queue)
{
    return (rj_af_xdp_ring_params_t){.interface_name = interface->name,
                                     .interface_index = interface->index,
                                     .mtu_bytes = interface->mtu_bytes,
                                     .queue = queue,
                                     .mode = xsk_mode(interface->xdp.wanted_mode),
                                     .is_generic = interface->xdp.mode == RJ_XDP_MODE_GENERIC,
                                     .never_sleeps = never_sleeps(world->params.config),
                                     .busy_poll_us = world->params.config->busy_poll_us,
                                     .busy_poll_budget = world->params.config->busy_poll_budget};
}

static const char *busy_poll_lack(int result)
{
    switch (-result) {
    case EPERM:
        return "it needs CAP_NET_ADMIN: run as root or grant it";
    case ENOPROTOOPT:
        return "this kernel's sockets cannot (Linux 5.11 with CONFIG_NET_RX_BUSY_POLL)";
    default:
        return strerror(-result);
    }
}

/* What leaves by that ring, and what by the sockets behind it. */
static rj_door_policy_t door_policy(const rj_ring_world_t *world, const ring_interface_t *interface,
                                    bool is_zero_copy)
{
    const rj_door_facts_t facts = {.asked = world->params.config->transport,
                                   .sockets = world->params.sockets,
                                   .link = interface->link,
                                   .mode = steer_of(interface)->mode,
                                   .is_zero_copy = is_zero_copy};
    return rj_door_policy(&facts);
}

static uint32_t bulk_datagrams_min(const rj_ring_world_t *world, const ring_interface_t *interface,
                                   const rj_frame_ring_t *ring)
{
    rj_af_xdp_ring_info_t info = {.is_zero_copy = false};
    if (interface->kind == RING_XDP)
        rj_af_xdp_ring_info(ring, &info);
    return door_policy(world, interface, info.is_zero_copy).bulk_datagrams_min;
}

/* Who asked for these rings knows that they take everything. */
static void tell_of_ring(const rj_ring_world_t *world, const ring_t *ring)
{
    const char *why = steer_of(ring->interface)->why;
    const bool is_auto = world->params.config->transport == RJ_TRANSPORT_AUTO;
    rj_ring_view_t view;
    rj_ring_world_look(world, (int)(ring - world->rings), &view);
    tell(world, RJ_RING_CHOSEN, "%s%s%s%s%s%s%s", view.name,
         ring->info.busy_polls ? ", busy polling" : "",
         ring->info.sends_by_reference ? ", copy-free" : "", why[0] != '\0' ? ": " : "", why,
         is_auto ? "; " : "",
         is_auto ? door_policy(world, ring->interface, ring->info.is_zero_copy).why : "");
    if (world->pool.bytes != NULL && !ring->info.sends_by_reference)
        tell(world, RJ_RING_LACKING,
             "%s: every payload is copied: this kernel or driver takes no packets of several "
             "buffers in this mode",
             view.name);
}

static void note_ring(rj_ring_world_t *world, rj_frame_ring_t *opened, ring_interface_t *interface)
{
    ring_t *ring = &world->rings[world->ring_count];
    *ring = (ring_t){.interface = interface, .ring = opened};
    int result = 0;
    if (interface->kind == RING_XDP) {
        rj_af_xdp_ring_info(opened, &ring->info);
        result = rj_steer_put_xsk(&interface->xdp, opened->queue, ring->info.fd);
    }
    if (result < 0) {
        tell(world, RJ_RING_REFUSED, "%s queue %u: the steering program does not take the ring: %s",
             interface->name, opened->queue, strerror(-result));
        return;
    }
    world->ring_count++;
    interface->ring_count++;
    interface->busy_polls = ring->info.busy_polls;
    if (opened->receive_room_bytes < interface->room_bytes)
        interface->room_bytes = opened->receive_room_bytes;
    tell_of_ring(world, ring);
    if (ring->info.busy_poll_result < 0 && interface->ring_count == 1)
        tell(world, RJ_RING_LACKING, "%s queue %u: no busy polling: %s", interface->name,
             opened->queue, busy_poll_lack(ring->info.busy_poll_result));
}

/* Whether that queue of the interface is to be tried: a ring whose queue is missing would leave a
 * hole in the range that steering keeps. */
static bool has_queue(const rj_ring_world_t *world, const ring_interface_t *interface, int engine)
{
    if (interface->ring_count != engine)
        return false;
    if (first_queue(world) + (uint32_t)engine < interface->queue_count)
        return true;
    tell(world, RJ_RING_REFUSED,
         "%s has %u receive queues, and queue %u is not among them: `ethtool -L %s combined N` "
         "(veth: rx N tx N), or fewer --queues",
         interface->name, interface->queue_count, first_queue(world) + (uint32_t)engine,
         interface->name);
    return false;
}

static int64_t engine_memory_bytes(const rj_ring_world_t *world)
{
    return (int64_t)world->interface_count * RJ_AF_XDP_MEMORY_BYTES;
}

/* Without the logs where the kernel does not take them. */
static int open_rings_once(const rj_ring_world_t *world, int engine, rj_af_xdp_params_t *params,
                           rj_frame_ring_t **ret_rings, uint32_t *ret_failed, rj_err_t *err)
{
    const int64_t at = engine * engine_memory_bytes(world);
    if (world->pool.bytes == NULL)
        return rj_af_xdp_open(params, ret_rings, ret_failed, err);
    params->memory = world->pool.bytes + at;
    params->reach_bytes = (uint64_t)(rj_log_pool_bytes(&world->pool) - at);
    const int result = rj_af_xdp_open(params, ret_rings, ret_failed, err);
    if (result != -ENOBUFS && result != -EFAULT && result != -ENOMEM)
        return result;
    params->memory = NULL;
    tell(world, RJ_RING_LACKING, "engine %d copies every payload: %s", engine, err->text);
    return rj_af_xdp_open(params, ret_rings, ret_failed, err);
}

/* Opens as many of the rings as can be had: one that cannot is told of and left out. */
static uint32_t open_xdp_rings(const rj_ring_world_t *world, int engine,
                               rj_af_xdp_ring_params_t *wanted, ring_interface_t **interfaces,
                               uint32_t count, rj_frame_ring_t **ret_rings)
{
    while (count > 0) {
        uint32_t failed = 0;
        rj_err_t err;
        rj_af_xdp_params_t params = {.rings = wanted, .ring_count = count};
        if (open_rings_once(world, engine, &params, ret_rings, &failed, &err) == 0)
            break;
        tell(world, RJ_RING_REFUSED, "%s", err.text);
        if (failed >= count)
            return 0;
        count--;
        memmove(&wanted[failed], &wanted[failed + 1], (count - failed) * sizeof(wanted[0]));
        memmove(&interfaces[failed], &interfaces[failed + 1],
                (count - failed) * sizeof(interfaces[0]));
    }
    return count;
}

static int open_packet_ring(const rj_ring_world_t *world, ring_interface_t *interface,
                            uint32_t queue, rj_frame_ring_t **ret_ring, rj_err_t *err)
{
    const bool is_one_of_many = wanted_engine_count(world) > 1;
    const rj_packet_ring_params_t params = {.interface_name = interface->name,
                                            .interface_index = interface->index,
                                            .mtu_bytes = interface->mtu_bytes,
                                            .queue = queue,
                                            .filter_fd = interface->packet.filter_fd,
                                            .fan_fd =
                                                is_one_of_many ? interface->packet.fan_fd : -1,
                                            .fan_group = &interface->fan_group};
    return rj_packet_ring_open(&params, ret_ring, err);
}

/* The same of kinds whose rings share nothing. */
static uint32_t open_single_rings(const rj_ring_world_t *world, ring_interface_t **interfaces,
                                  uint32_t count, uint32_t queue, rj_frame_ring_t **ret_rings)
{
    uint32_t opened = 0;
    for (uint32_t i = 0; i < count; i++) {
        ring_interface_t *interface = interfaces[i];
        rj_frame_ring_t **ret_ring = &ret_rings[opened];
        rj_err_t err;
        const int result = interface->kind == RING_PACKET
                               ? open_packet_ring(world, interface, queue, ret_ring, &err)
                               : rj_dpdk_ops.open_ring(world->dpdk, (uint32_t)interface->dpdk_port,
                                                       queue, ret_ring, &err);
        if (result == 0)
            interfaces[opened++] = interface;
        else
            tell(world, RJ_RING_REFUSED, "%s", err.text);
    }
    return opened;
}

/* The port of one engine: its sockets, and its rings in front of them. */
static int open_port(rj_ring_world_t *world, int engine, rj_err_t *err)
{
    rj_af_xdp_ring_params_t wanted[RJ_STEERING_INTERFACES_MAX];
    ring_interface_t *interfaces[RJ_STEERING_INTERFACES_MAX];
    rj_frame_ring_t *rings[RJ_STEERING_INTERFACES_MAX];
    uint32_t bulk[RJ_STEERING_INTERFACES_MAX];
    uint32_t count = 0;
    rj_port_t *sockets;
    int result =
        rj_port_open(rj_transport_name(world->params.sockets), &world->params.port, &sockets, err);
    if (result < 0)
        return result;
    world->ports[engine] = sockets;
    for (int i = 0; i < world->interface_count; i++) {
        ring_interface_t *interface = &world->interfaces[i];
        if (!has_queue(world, interface, engine))
            continue;
        interfaces[count] = interface;
        wanted[count++] = ring_params(world, interface, first_queue(world) + (uint32_t)engine);
    }
    if (count > 0 && interfaces[0]->kind == RING_XDP)
        count = open_xdp_rings(world, engine, wanted, interfaces, count, rings);
    else
        count = open_single_rings(world, interfaces, count, first_queue(world) + (uint32_t)engine,
                                  rings);
    if (count == 0)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        bulk[i] = bulk_datagrams_min(world, interfaces[i], rings[i]);
        interfaces[i]->has_both_doors = bulk[i] > 0;
    }
    const rj_ring_front_params_t front = {.port = world->params.port,
                                          .sockets = sockets,
                                          .rings = rings,
                                          .ring_count = count,
                                          .bulk_datagrams_min = bulk};
    result = rj_ring_front_open(&front, &world->ports[engine], err);
    for (uint32_t i = 0; i < count; i++) {
        if (result == 0)
            note_ring(world, rings[i], interfaces[i]);
        else
            rings[i]->ops->close(rings[i]);
    }
    if (result == 0)
        world->socket_stats[engine] = rj_ring_front_stats(world->ports[engine]);
    return result;
}

/* Each engine's frames, and behind those of the last one the logs that all of them may send. */
static void open_pool(rj_ring_world_t *world, int engine_count)
{
    const rj_driver_config_t *config = world->params.config;
    rj_err_t err;
    if (config->copy_free == 0)
        return;
    if (rj_transport_is_ring(config->transport) && config->transport != RJ_TRANSPORT_XDP) {
        tell(world, RJ_RING_LACKING, "every payload is copied: only AF_XDP sends from log buffers");
        return;
    }
    const rj_log_pool_params_t params = {.dir = config->dir,
                                         .term_length = (int32_t)config->term_bytes,
                                         .page_size = (int32_t)config->file_page_bytes,
                                         .count = config->copy_free,
                                         .head_bytes = engine_count * engine_memory_bytes(world)};
    if (rj_log_pool_open(&world->pool, &params, &err) < 0)
        tell(world, RJ_RING_LACKING, "every payload is copied: %s", err.text);
}

static void close_ports(rj_ring_world_t *world)
{
    for (int i = 0; i < RJ_ENGINES_MAX; i++) {
        if (world->ports[i] != NULL)
            world->ports[i]->ops->close(world->ports[i]);
        world->ports[i] = NULL;
    }
}

/* All engines have a port each, also those whose queues are not to be had: homes are spread over
 * all of them. Without any ring there are no engines of this kind. */
static int open_ports(rj_ring_world_t *world, rj_err_t *err)
{
    const int count = wanted_engine_count(world);
    open_pool(world, count);
    for (int i = 0; i < count; i++) {
        const int result = open_port(world, i, err);
        if (result < 0)
            return result;
    }
    if (world->ring_count > 0)
        world->engine_count = count;
    else
        close_ports(world);
    return 0;
}

/* --- cards --- */

static void tell_of_card(void *state, bool is_lack, const char *text)
{
    tell(state, is_lack ? RJ_RING_LACKING : RJ_RING_CHOSEN, "%s", text);
}

static void open_cards(rj_ring_world_t *world)
{
    const rj_driver_config_t *config = world->params.config;
    for (int i = 0; i < world->interface_count; i++) {
        ring_interface_t *interface = &world->interfaces[i];
        rj_err_t err;
        if (interface->ring_count == 0 || interface->kind != RING_XDP)
            continue;
        if (rj_kernel_nic_open(&interface->card, interface->name, &err) < 0) {
            tell(world, RJ_RING_LACKING, "%s", err.text);
            continue;
        }
        const rj_ring_nic_params_t params = {.nic = &interface->card.base,
                                             .interface = interface->name,
                                             .undo_folder = RJ_NIC_UNDO_FOLDER,
                                             .steer_queues = config->steer_queues,
                                             .wants_busy_poll = interface->busy_polls,
                                             .queue_first = first_queue(world),
                                             .queue_count = (uint32_t)interface->ring_count,
                                             .queues_of_card = interface->queue_count,
                                             .tell = tell_of_card,
                                             .tell_state = world};
        rj_ring_nic_open(&interface->nic, &params);
    }
}

/* --- open, close --- */

static bool is_wanted(const rj_driver_config_t *config)
{
    return !rj_transport_is_socket(config->transport);
}

static int open_netlink(rj_ring_world_t *world, rj_err_t *err)
{
    world->netlink = calloc(1, sizeof(*world->netlink));
    if (world->netlink == NULL)
        return rj_fail(err, -ENOMEM, "no memory for the kernel's routes");
    return rj_netlink_open(world->netlink, NULL, world->params.now_ns, err);
}

static void close_netlink(rj_ring_world_t *world)
{
    if (world->netlink == NULL)
        return;
    rj_netlink_stop(world->netlink);
    rj_netlink_close(world->netlink);
    free(world->netlink);
}

/* The card's hash, not we, chooses queues: what comes by another one takes the kernel's way. */
static void tell_of_other_queues(const rj_ring_world_t *world)
{
    if (world->params.config->queue_first >= 0 ||
        world->params.config->transport == RJ_TRANSPORT_PACKET)
        return;
    for (int i = 0; i < world->interface_count; i++) {
        const ring_interface_t *interface = &world->interfaces[i];
        const uint32_t count = interface->queue_count;
        if (interface->ring_count > 0 && count > 1)
            tell(world, RJ_RING_CHOSEN,
                 "%s has %u receive queues: what comes by others than queue 0 takes the sockets; "
                 "--queues 0-%u has an engine for each",
                 interface->name, count, (count < RJ_ENGINES_MAX ? count : RJ_ENGINES_MAX) - 1);
    }
}

/* Whoever asked for rings hears that there are none; of named interfaces he has heard. */
static void tell_of_none(const rj_ring_world_t *world)
{
    const rj_driver_config_t *config = world->params.config;
    if (config->interface_count == 0 && rj_transport_is_ring(config->transport) &&
        config->transport != RJ_TRANSPORT_DPDK)
        tell(world, RJ_RING_REFUSED, "transport %s: no interface is named (--interface IF)%s",
             rj_transport_name(config->transport),
             config->transport == RJ_TRANSPORT_XDP
                 ? " and none was attached before (`ramjet attach IF`)"
                 : "");
}

/* Everything that needs more is open. Threads keep what they began with: there are none yet. */
static void reduce_privilege(const rj_ring_world_t *world)
{
    rj_err_t err;
    if (world->params.privilege == RJ_RING_REDUCE_PRIVILEGE &&
        rj_capabilities_reduce(world->params.config->dir, &err) < 0)
        tell(world, RJ_RING_CHOSEN, "%s", err.text);
}

static int open_rings(rj_ring_world_t *world, rj_err_t *err)
{
    int result = open_netlink(world, err);
    if (result < 0) {
        tell(world, RJ_RING_REFUSED, "no rings without it: %s", err->text);
        return 0;
    }
    rj_ring_find_interfaces(world);
    if (world->interface_count > 0)
        result = open_ports(world, err);
    if (result == 0 && world->engine_count > 0) {
        tell_of_other_queues(world);
        open_cards(world);
        reduce_privilege(world);
        return rj_netlink_start(world->netlink, err);
    }
    if (result == 0)
        tell_of_none(world);
    return result;
}

int rj_ring_world_open(rj_ring_world_t **ret_world, const rj_ring_world_params_t *params,
                       rj_err_t *err)
{
    rj_ring_world_t *world = calloc(1, sizeof(*world));
    if (world == NULL)
        return rj_fail(err, -ENOMEM, "no memory for rings");
    world->params = *params;
    int result = is_wanted(params->config) ? open_rings(world, err) : 0;
    if (result < 0) {
        rj_ring_world_close(world);
        return result;
    }
    *ret_world = world;
    return 0;
}

void rj_ring_world_close(rj_ring_world_t *world)
{
    if (world == NULL)
        return;
    close_netlink(world);
    close_ports(world);
    rj_log_pool_close(&world->pool);
    for (int i = 0; i < world->interface_count; i++) {
        ring_interface_t *interface = &world->interfaces[i];
        if (interface->kind == RING_PACKET || interface->has_copies)
            rj_packet_steer_close(&interface->packet);
        if (interface->kind != RING_XDP)
            continue;
        rj_ring_nic_close(&interface->nic);
        rj_kernel_nic_close(&interface->card);
        rj_steer_close(&interface->xdp);
    }
    if (world->dpdk != NULL)
        rj_dpdk_ops.close(world->dpdk);
    free(world);
}

/* --- what others ask --- */

int rj_ring_world_engine_count(const rj_ring_world_t *world)
{
    return world->engine_count;
}

rj_port_t *rj_ring_world_take_port(rj_ring_world_t *world, int engine)
{
    rj_port_t *port = world->ports[engine];
    world->ports[engine] = NULL;
    return port;
}

/* Its files are taken; the world itself stays as it is. */
rj_log_pool_t *rj_ring_world_log_pool(const rj_ring_world_t *world)
{
    return world != NULL && world->pool.bytes != NULL ? (rj_log_pool_t *)(uintptr_t)&world->pool
                                                      : NULL;
}

rj_net_feed_t *rj_ring_world_feed(rj_ring_world_t *world)
{
    return world->engine_count > 0 ? rj_netlink_feed(world->netlink) : NULL;
}

/* A tap has no queue, unless several share their interface by queues. */
static bool takes_every_queue(const ring_interface_t *interface)
{
    return interface->kind == RING_PACKET && interface->world->params.config->queue_first < 0;
}

static uint32_t steered_queues(const ring_interface_t *interface)
{
    if (!takes_every_queue(interface))
        return (uint32_t)interface->ring_count;
    return interface->queue_count < RJ_XDP_QUEUES_MAX ? interface->queue_count : RJ_XDP_QUEUES_MAX;
}

/* While the ports are open, which is as long as the conductor works. */
static bool is_bound(const void *state, uint32_t queue)
{
    const ring_interface_t *interface = state;
    const rj_ring_world_t *world = interface->world;
    for (int i = 0; i < world->ring_count; i++) {
        const ring_t *ring = &world->rings[i];
        rj_frame_ring_look_t look;
        if (ring->interface != interface ||
            (ring->ring->queue != queue && !takes_every_queue(interface)))
            continue;
        ring->ring->ops->look(ring->ring, &look);
        return look.is_bound;
    }
    return false;
}

void rj_ring_world_steering(const rj_ring_world_t *world, rj_steering_params_t *ret_params)
{
    *ret_params = (rj_steering_params_t){.control = world->params.config->control == RJ_CONTROL_RING
                                                        ? RJ_STEERING_CONTROL_TO_RING
                                                        : RJ_STEERING_CONTROL_TO_KERNEL};
    for (int i = 0; i < world->interface_count; i++) {
        const ring_interface_t *interface = &world->interfaces[i];
        if (interface->ring_count == 0)
            continue;
        ret_params->interfaces[ret_params->interface_count++] = (rj_steering_interface_t){
            .maps = interface->maps,
            .name = interface->name,
            .index = interface->index,
            .queue_first = first_queue(world),
            .queue_count = steered_queues(interface),
            .room_bytes = interface->room_bytes,
            .is_bound = is_bound,
            .is_bound_state = interface,
            .bring = interface->kind == RING_XDP ? rj_ring_nic_bring : NULL,
            /* The world itself stays as it is. */
            .bring_state = (rj_ring_nic_t *)(uintptr_t)&interface->nic};
    }
}

int rj_ring_world_ring_count(const rj_ring_world_t *world)
{
    return world->ring_count;
}

/* Relaxed: figures for people, each whole by itself. */
static uint64_t load(const uint64_t *value)
{
    return __atomic_load_n(value, __ATOMIC_RELAXED);
}

static void describe(const ring_t *ring, rj_ring_view_t *view)
{
    const ring_interface_t *interface = ring->interface;
    rj_dpdk_view_t port;
    switch (interface->kind) {
    case RING_XDP:
        snprintf(view->name, sizeof(view->name), "%s queue %u, %s, %s", interface->name,
                 ring->ring->queue, rj_xdp_mode_name(interface->xdp.mode),
                 ring->info.is_zero_copy ? "zero-copy" : "copy");
        break;
    case RING_PACKET:
        snprintf(view->name, sizeof(view->name), "%s queue %u, packet", interface->name,
                 ring->ring->queue);
        break;
    case RING_DPDK:
        rj_dpdk_ops.view(interface->world->dpdk, (uint32_t)interface->dpdk_port, &port);
        snprintf(view->name, sizeof(view->name), "%s queue %u, DPDK %.20s%s", interface->name,
                 ring->ring->queue, port.name, port.has_tap ? ", tap" : "");
        break;
    }
}

void rj_ring_world_look(const rj_ring_world_t *world, int ring, rj_ring_view_t *ret_view)
{
    const ring_t *at = &world->rings[ring];
    const rj_frame_ring_stats_t *stats = &at->ring->stats;
    rj_frame_ring_look_t look;
    at->ring->ops->look(at->ring, &look);
    *ret_view = (rj_ring_view_t){.received = load(&stats->rx_frames),
                                 .sent = load(&stats->tx_frames),
                                 .sent_by_reference = load(&stats->tx_referenced),
                                 .send_full = load(&stats->tx_ring_full),
                                 .send_refused = load(&stats->tx_refused),
                                 .refused = load(&stats->rx_checksum_errors) +
                                            load(&stats->rx_malformed) + load(&stats->rx_unknown),
                                 .lost_full = look.lost_full,
                                 .lost_other = look.lost_other,
                                 .has_kernel_side = look.has_kernel_side,
                                 .to_kernel = look.to_kernel,
                                 .from_kernel = look.from_kernel,
                                 .kernel_lost = look.kernel_lost};
    describe(at, ret_view);
}

void rj_ring_world_sockets(const rj_ring_world_t *world, int engine,
                           rj_ring_sockets_view_t *ret_view)
{
    static const rj_ring_front_stats_t none;
    const rj_ring_front_stats_t *stats =
        world->socket_stats[engine] != NULL ? world->socket_stats[engine] : &none;
    *ret_view = (rj_ring_sockets_view_t){.sent = load(&stats->socket_sends),
                                         .received = load(&stats->socket_receives),
                                         .sent_in_bulk = load(&stats->bulk_sends),
                                         .merged_bytes = load(&stats->merged_bytes),
                                         .single_bytes = load(&stats->single_bytes)};
}
