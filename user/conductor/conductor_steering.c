/* SPDX-License-Identifier: Apache-2.0 */
/* Where frames come in and go out beside the kernel's sockets: the steering maps follow endpoints
 * and interest (fabric/steering.h), paths get ready headers from the netlink snapshot
 * (transport/path_header.h). */
#include "conductor/conductor_destination.h"
#include "conductor/conductor_receive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "transport/path_header.h"

enum {
    TTL_UNICAST = 64,  /* as the kernel's default */
    TTL_MULTICAST = 1, /* the same */
    PATH_MTU_PERIOD_NS = 1000 * 1000 * 1000,
};

/* --- headers of paths --- */

static const rj_steering_interface_t *find_interface(const rj_conductor_t *conductor,
                                                     uint32_t index)
{
    const rj_steering_params_t *params = conductor->params.steering;
    for (int i = 0; i < params->interface_count; i++) {
        if (params->interfaces[i].index == index)
            return &params->interfaces[i];
    }
    return NULL;
}

/* Engine k has queue k of every interface. */
static bool has_ring(const rj_conductor_t *conductor, int engine, uint32_t interface_index)
{
    const rj_steering_interface_t *interface = find_interface(conductor, interface_index);
    return interface != NULL && (uint32_t)engine < interface->queue_count &&
           rj_steering_serves(conductor->steering, interface_index);
}

static bool has_members(const rj_conductor_t *conductor, const rj_address_t *destination,
                        uint32_t link_index)
{
    rj_address_t group = *destination;
    group.port = 0;
    return rj_address_is_multicast(destination) &&
           rj_net_snapshot_member_count(conductor->snapshot, &group, link_index) != 0;
}

static rj_path_door_t choose_door(const rj_conductor_t *conductor, rj_headed_path_t *headed,
                                  rj_path_header_t *ret_header)
{
    rj_net_way_t way = {.link_index = 0};
    const rj_address_t *destination = &headed->destination;
    if (rj_transport_is_socket(headed->transport))
        return RJ_DOOR_CHANNEL;
    headed->answer = rj_net_snapshot_find_way(conductor->snapshot, &headed->source, destination,
                                              headed->link_index, &way);
    headed->hop_link_index = way.link_index;
    if (headed->answer != RJ_NET_REACHED)
        return RJ_DOOR_NO_WAY;
    if (!has_ring(conductor, headed->engine, way.link_index))
        return RJ_DOOR_NO_RING;
    if (has_members(conductor, destination, way.link_index))
        return RJ_DOOR_MEMBERS;
    rj_address_t source = headed->source;
    if (source.family == AF_UNSPEC || rj_address_is_wildcard(&source))
        source = way.source;
    if (source.family != destination->family || rj_address_is_wildcard(&source))
        return RJ_DOOR_NO_SOURCE;
    source.port = headed->path->endpoint->local.port;
    rj_path_header_hop_t hop = {
        .interface_index = way.link_index, .mtu_bytes = way.mtu_bytes, .ttl = headed->ttl};
    if (headed->path_mtu_bytes != 0 && headed->path_mtu_bytes < hop.mtu_bytes)
        hop.mtu_bytes = headed->path_mtu_bytes;
    memcpy(hop.source_mac, way.source_mac, sizeof(hop.source_mac));
    memcpy(hop.destination_mac, way.destination_mac, sizeof(hop.destination_mac));
    rj_path_header_init(ret_header, &hop, &source, destination);
    ret_header->takes_bulk = rj_transport_is_ring(headed->transport);
    return RJ_DOOR_RING;
}

/* Every header that is not freed yet is in the conductor's list, whoever holds it. */
static rj_owned_header_t *own(rj_conductor_t *conductor, const rj_path_header_t *header)
{
    rj_owned_header_t *owned = calloc(1, sizeof(*owned));
    if (owned == NULL)
        return NULL; /* the socket sends */
    owned->header = *header;
    DL_APPEND(conductor->headers, owned);
    return owned;
}

static void disown(rj_conductor_t *conductor, rj_owned_header_t *owned)
{
    if (owned == NULL)
        return;
    DL_DELETE(conductor->headers, owned);
    free(owned);
}

/* The old header, where there was one, comes back by HEADER_RELEASED. */
static void refresh_path(rj_conductor_t *conductor, rj_headed_path_t *headed)
{
    rj_path_header_t header;
    memset(&header, 0, sizeof(header));
    headed->door = choose_door(conductor, headed, &header);
    const bool has_header = headed->door == RJ_DOOR_RING;
    if (has_header
            ? headed->owned != NULL && memcmp(&headed->owned->header, &header, sizeof(header)) == 0
            : headed->owned == NULL)
        return;
    rj_owned_header_t *owned = has_header ? own(conductor, &header) : NULL;
    if (owned == headed->owned)
        return;
    headed->owned = owned;
    rj_engine_command_t set = {.type = RJ_ENGINE_SET_HEADER,
                               .path = headed->path,
                               .header = owned == NULL ? NULL : &owned->header,
                               .address = headed->destination};
    rj_conductor_tell(conductor, headed->engine, &set);
}

/* What a ring sends may not be cut on its way. A router that would have to tells the kernel, which
 * keeps it with the socket's route and tells nobody: a longer datagram is the socket's then, which
 * cuts it beforehand. Asked of connected sockets alone. */
static uint32_t path_mtu(rj_conductor_t *conductor, const rj_headed_path_t *headed)
{
    rj_sockets_t *sockets = conductor->params.sockets;
    return headed->is_connected ? sockets->ops->path_mtu(sockets, headed->path->endpoint->socket)
                                : 0;
}

static int refresh_path_mtus(rj_conductor_t *conductor)
{
    int work = 0;
    if (conductor->now_ns < conductor->path_mtu_due_ns)
        return 0;
    conductor->path_mtu_due_ns = conductor->now_ns + PATH_MTU_PERIOD_NS;
    rj_headed_path_t *headed;
    DL_FOREACH(conductor->headed_paths, headed)
    {
        const uint32_t mtu_bytes = path_mtu(conductor, headed);
        if (mtu_bytes == headed->path_mtu_bytes)
            continue;
        headed->path_mtu_bytes = mtu_bytes;
        refresh_path(conductor, headed);
        work++;
    }
    return work;
}

bool rj_conductor_keeps_headers(const rj_conductor_t *conductor)
{
    return conductor->params.feed != NULL && conductor->steering != NULL;
}

bool rj_conductor_awaits_ring(const rj_conductor_t *conductor, const rj_headed_path_t *headed)
{
    return headed->path != NULL && headed->door == RJ_DOOR_NO_WAY &&
           headed->answer == RJ_NET_NO_NEIGHBOUR &&
           has_ring(conductor, headed->engine, headed->hop_link_index);
}

/* The path's engine has it already. `local` is what its socket is bound to, `destination` what its
 * address is or becomes. */
static void keep_path_to(rj_conductor_t *conductor, rj_headed_path_t *headed, rj_path_t *path,
                         const rj_address_t *destination, int engine, const rj_channel_t *channel,
                         rj_transport_t transport)
{
    if (!rj_conductor_keeps_headers(conductor))
        return;
    const rj_address_t *local = &path->endpoint->local;
    const bool is_multicast = rj_address_is_multicast(destination);
    *headed = (rj_headed_path_t){
        .path = path,
        .destination = *destination,
        .is_connected = path->endpoint->peer.family != AF_UNSPEC,
        .engine = engine,
        .transport = transport,
        .source = rj_address_is_multicast(local) ? channel->local_data : *local,
        .link_index = is_multicast ? channel->interface_index : 0,
        .ttl = !is_multicast                           ? TTL_UNICAST
               : channel->ttl != 0                     ? channel->ttl
               : conductor->config->multicast_ttl != 0 ? (uint8_t)conductor->config->multicast_ttl
                                                       : TTL_MULTICAST};
    headed->path_mtu_bytes = path_mtu(conductor, headed);
    DL_APPEND(conductor->headed_paths, headed);
    conductor->params.feed->ops->want(conductor->params.feed, &headed->destination);
    refresh_path(conductor, headed);
}

static void keep_path(rj_conductor_t *conductor, rj_headed_path_t *headed, rj_path_t *path,
                      int engine, const rj_channel_t *channel)
{
    keep_path_to(conductor, headed, path, &path->address, engine, channel, channel->transport);
}

static void let_path_go(rj_conductor_t *conductor, rj_headed_path_t *headed)
{
    if (headed->path == NULL)
        return;
    conductor->params.feed->ops->unwant(conductor->params.feed, &headed->destination);
    DL_DELETE(conductor->headed_paths, headed);
    headed->path = NULL;
}

void rj_conductor_drop_header(rj_conductor_t *conductor, rj_headed_path_t *headed)
{
    let_path_go(conductor, headed);
    disown(conductor, headed->owned);
    headed->owned = NULL;
}

/* The engine gives the header back with the old address; the new one's follows. */
void rj_conductor_redirect_path(rj_conductor_t *conductor, rj_headed_path_t *headed,
                                rj_path_t *path, int engine, const rj_address_t *address)
{
    const rj_engine_command_t set = {
        .type = RJ_ENGINE_SET_ADDRESS, .path = path, .address = *address};
    rj_conductor_tell(conductor, engine, &set);
    if (headed->path == NULL)
        return;
    rj_net_feed_t *feed = conductor->params.feed;
    feed->ops->want(feed, address);
    feed->ops->unwant(feed, &headed->destination);
    headed->destination = *address;
    headed->owned = NULL;
    refresh_path(conductor, headed);
}

void rj_conductor_on_header_released(rj_conductor_t *conductor, rj_path_header_t *header)
{
    disown(conductor, (rj_owned_header_t *)header);
}

/* --- wishes --- */

/* Of a group also the feed is asked: who else has joined it decides whether a ring may take it. */
static rj_steer_wish_t *wish_for(rj_conductor_t *conductor, const rj_endpoint_t *base,
                                 const rj_channel_t *channel)
{
    rj_net_feed_t *feed = conductor->params.feed;
    if (conductor->steering == NULL)
        return NULL;
    if (feed != NULL && rj_address_is_multicast(&base->local))
        feed->ops->want(feed, &base->local);
    if (rj_transport_is_socket(channel->transport))
        return NULL;
    return rj_steering_add(conductor->steering, &base->local, channel->interface_index, base->home);
}

static void unwish(rj_conductor_t *conductor, rj_steer_wish_t **wish, const rj_endpoint_t *base)
{
    rj_net_feed_t *feed = conductor->params.feed;
    if (conductor->steering == NULL)
        return;
    if (feed != NULL && rj_address_is_multicast(&base->local))
        feed->ops->unwant(feed, &base->local);
    rj_steering_remove(conductor->steering, *wish);
    *wish = NULL;
}

void rj_conductor_steer_send(rj_conductor_t *conductor, rj_send_entry_t *send)
{
    rj_send_endpoint_t *endpoint = &send->endpoint;
    send->wish = wish_for(conductor, &endpoint->base, &endpoint->channel);
    if (endpoint->destinations == NULL)
        keep_path(conductor, &send->headed, &endpoint->data_path, endpoint->base.home,
                  &endpoint->channel);
}

void rj_conductor_unsteer_send(rj_conductor_t *conductor, rj_send_entry_t *send)
{
    unwish(conductor, &send->wish, &send->endpoint.base);
    let_path_go(conductor, &send->headed);
}

/* What is of another family than the socket cannot be sent, nor answered. */
void rj_conductor_steer_send_destination(rj_conductor_t *conductor, rj_destination_entry_t *entry,
                                         rj_path_t *path, const rj_address_t *address)
{
    const rj_send_endpoint_t *endpoint = &entry->send->endpoint;
    if (address->family == endpoint->base.local.family)
        keep_path_to(
            conductor, &entry->headed, path, address, endpoint->base.home, &endpoint->channel,
            entry->transport != RJ_TRANSPORT_AUTO ? entry->transport : endpoint->channel.transport);
}

void rj_conductor_unsteer_send_destination(rj_conductor_t *conductor, rj_destination_entry_t *entry)
{
    let_path_go(conductor, &entry->headed);
}

void rj_conductor_steer_response(rj_conductor_t *conductor, rj_network_entry_t *network,
                                 const rj_address_t *address)
{
    const rj_send_endpoint_t *endpoint = &network->send->endpoint;
    let_path_go(conductor, &network->response_headed);
    keep_path_to(conductor, &network->response_headed, &network->response_path, address,
                 endpoint->base.home, &endpoint->channel, endpoint->channel.transport);
}

void rj_conductor_unsteer_response(rj_conductor_t *conductor, rj_network_entry_t *network)
{
    let_path_go(conductor, &network->response_headed);
}

static void tell_stream(rj_conductor_t *conductor, rj_receive_destination_entry_t *destination,
                        const rj_interest_t *interest, rj_engine_command_type_t type)
{
    const rj_steer_stream_t stream = {.stream_id = interest->stream_id,
                                      .session_id =
                                          interest->has_session ? interest->session_id : 0,
                                      .has_session = interest->has_session};
    if (type == RJ_ENGINE_ADD_INTEREST)
        rj_steering_add_stream(conductor->steering, destination->wish, &stream);
    else
        rj_steering_remove_stream(conductor->steering, destination->wish, &stream);
}

static rj_receive_entry_t *receive_of(const rj_receive_destination_entry_t *destination)
{
    return (rj_receive_entry_t *)destination->destination.endpoint;
}

void rj_conductor_steer_destination(rj_conductor_t *conductor,
                                    rj_receive_destination_entry_t *destination)
{
    destination->wish = wish_for(conductor, &destination->destination.base, &destination->channel);
    if (destination->wish == NULL)
        return;
    const rj_interest_t *interest;
    DL_FOREACH(receive_of(destination)->interests, interest)
    {
        tell_stream(conductor, destination, interest, RJ_ENGINE_ADD_INTEREST);
    }
}

void rj_conductor_unsteer_destination(rj_conductor_t *conductor,
                                      rj_receive_destination_entry_t *destination)
{
    unwish(conductor, &destination->wish, &destination->destination.base);
    rj_image_entry_t *image;
    DL_FOREACH(conductor->images, image)
    {
        if (image->receive == receive_of(destination))
            let_path_go(conductor, &image->headed[destination->destination.slot]);
    }
}

void rj_conductor_steer_interest(rj_conductor_t *conductor, rj_receive_entry_t *receive,
                                 const rj_interest_t *interest, rj_engine_command_type_t type)
{
    if (conductor->steering == NULL)
        return;
    rj_receive_destination_entry_t *destination;
    DL_FOREACH(receive->destinations, destination)
    {
        if (destination->state == RJ_ENDPOINT_ACTIVE)
            tell_stream(conductor, destination, interest, type);
    }
}

void rj_conductor_steer_connection(rj_conductor_t *conductor, rj_image_entry_t *entry,
                                   const rj_receive_destination_entry_t *destination)
{
    const int32_t slot = destination->destination.slot;
    keep_path(conductor, &entry->headed[slot], &entry->received.control_paths[slot], entry->engine,
              &destination->channel);
}

void rj_conductor_unsteer_image(rj_conductor_t *conductor, rj_image_entry_t *entry)
{
    for (int slot = 0; slot < RJ_RECEIVE_DESTINATIONS_MAX; slot++)
        let_path_go(conductor, &entry->headed[slot]);
}

/* Takes the header back from the engine. */
static void give_to_socket(rj_conductor_t *conductor, rj_headed_path_t *headed)
{
    const rj_engine_command_t set = {.type = RJ_ENGINE_SET_HEADER, .path = headed->path};
    if (headed->owned != NULL)
        rj_conductor_tell(conductor, headed->engine, &set);
    headed->owned = NULL;
    let_path_go(conductor, headed);
}

void rj_conductor_forget_connections(rj_conductor_t *conductor,
                                     const rj_receive_destination_entry_t *destination)
{
    rj_image_entry_t *image;
    DL_FOREACH(conductor->images, image)
    {
        rj_headed_path_t *headed = &image->headed[destination->destination.slot];
        if (image->receive == receive_of(destination) && headed->path != NULL)
            give_to_socket(conductor, headed);
    }
}

/* --- following the snapshot --- */

/* Which interfaces carry our program, as bits. */
static uint32_t serving(const rj_conductor_t *conductor)
{
    const rj_steering_params_t *params = conductor->params.steering;
    uint32_t bits = 0;
    for (int i = 0; i < params->interface_count; i++)
        bits |= (uint32_t)rj_steering_serves(conductor->steering, params->interfaces[i].index) << i;
    return bits;
}

static int refresh_paths(rj_conductor_t *conductor)
{
    const uint32_t now_serving = serving(conductor);
    if (conductor->snapshot->generation == conductor->snapshot_generation &&
        now_serving == conductor->serving)
        return 0;
    conductor->snapshot_generation = conductor->snapshot->generation;
    conductor->serving = now_serving;
    rj_headed_path_t *headed;
    DL_FOREACH(conductor->headed_paths, headed)
    {
        refresh_path(conductor, headed);
    }
    return 1;
}

/* --- open and close --- */

static void on_event(void *state, const char *text)
{
    rj_conductor_t *conductor = state;
    const rj_steering_params_t *params = conductor->params.steering;
    rj_conductor_report(conductor, RJ_ERROR_GENERIC, "WARNING: %s", text);
    if (params->on_event != NULL)
        params->on_event(params->on_event_state, text);
}

/* In the first turn, which is the first to know the time. */
static int open_steering(rj_conductor_t *conductor)
{
    rj_steering_params_t params = *conductor->params.steering;
    params.on_event = on_event;
    params.on_event_state = conductor;
    rj_err_t err;
    if (rj_steering_open(&conductor->steering, &params, &conductor->prng, conductor->snapshot,
                         conductor->now_ns, &err) < 0) {
        conductor->params.steering = NULL;
        rj_conductor_report(conductor, RJ_ERROR_GENERIC, "%s: going on over sockets", err.text);
    }
    return 1;
}

/* --- turns --- */

int rj_conductor_work_steering(rj_conductor_t *conductor)
{
    rj_net_feed_t *feed = conductor->params.feed;
    if (conductor->params.steering == NULL)
        return 0;
    conductor->snapshot = feed == NULL ? NULL : feed->ops->latest(feed);
    if (conductor->steering == NULL)
        return open_steering(conductor);
    int work = rj_steering_do_work(conductor->steering, conductor->snapshot, conductor->now_ns);
    if (conductor->snapshot != NULL)
        work += refresh_paths(conductor) + refresh_path_mtus(conductor);
    return work;
}

int64_t rj_conductor_steering_deadline_ns(const rj_conductor_t *conductor)
{
    return conductor->steering == NULL ? INT64_MAX : rj_steering_deadline_ns(conductor->steering);
}

/* Before the endpoints go: one sweep is quicker than their removals. */
void rj_conductor_close_steering(rj_conductor_t *conductor)
{
    rj_steering_close(conductor->steering);
    conductor->steering = NULL;
}

void rj_conductor_free_headers(rj_conductor_t *conductor)
{
    rj_owned_header_t *owned, *next;
    DL_FOREACH_SAFE(conductor->headers, owned, next)
    {
        disown(conductor, owned);
    }
}

/* --- questions --- */

const rj_steering_stats_t *rj_conductor_steering_stats(const rj_conductor_t *conductor)
{
    return conductor->steering == NULL ? NULL : rj_steering_stats(conductor->steering);
}

rj_path_counts_t rj_conductor_count_paths(const rj_conductor_t *conductor)
{
    rj_path_counts_t counts = {0};
    const rj_headed_path_t *headed;
    DL_FOREACH(conductor->headed_paths, headed)
    {
        counts.by_door[headed->door]++;
        if (headed->door == RJ_DOOR_NO_WAY)
            counts.by_answer[headed->answer]++;
    }
    return counts;
}

const char *rj_path_door_text(rj_path_door_t door)
{
    static const char *const texts[] = {[RJ_DOOR_RING] = "sent by a ring",
                                        [RJ_DOOR_NO_WAY] = "no way known",
                                        [RJ_DOOR_NO_RING] = "no ring on that interface",
                                        [RJ_DOOR_MEMBERS] = "members of the group on this host",
                                        [RJ_DOOR_NO_SOURCE] = "no source address known",
                                        [RJ_DOOR_CHANNEL] = "its channel is for sockets"};
    return texts[door];
}
