/* SPDX-License-Identifier: Apache-2.0 */
#include "fabric/steering.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "fabric/steering_state.h"

enum { OWNER_DRAWS_MAX = 16 };

void rj_steering_tell(rj_steering_t *steering, const rj_steered_interface_t *interface,
                      const char *format, ...)
{
    char text[RJ_ERR_TEXT_MAX];
    const int length = snprintf(text, sizeof(text), "%s: ", interface->params.name);
    va_list args;
    va_start(args, format);
    vsnprintf(text + length, sizeof(text) - (size_t)length, format, args);
    va_end(args);
    if (steering->params.on_event != NULL)
        steering->params.on_event(steering->params.on_event_state, text);
}

/* --- where a wish's datagrams arrive --- */

/* 127.0.0.0/8 and ::1 never come over a wire; an IPv4-mapped one is no address of a frame. */
static bool is_steerable(const rj_address_t *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t loopback[16] = {[15] = 1};
    if (address->family == AF_INET)
        return address->bytes[0] != 127;
    return memcmp(address->bytes, loopback, sizeof(loopback)) != 0 &&
           memcmp(address->bytes, mapped, sizeof(mapped)) != 0;
}

static struct rj_channel_key key_of(const rj_address_t *address, uint16_t port)
{
    struct rj_channel_key key = {.port = port};
    if (address->family == AF_INET) {
        key.address[10] = key.address[11] = 0xff;
        memcpy(key.address + 12, address->bytes, 4);
    } else {
        memcpy(key.address, address->bytes, sizeof(key.address));
    }
    return key;
}

static rj_steered_channel_t *find_channel(const rj_steered_interface_t *interface,
                                          const struct rj_channel_key *key)
{
    rj_steered_channel_t *channel;
    DL_FOREACH(interface->channels, channel)
    {
        if (memcmp(&channel->key, key, sizeof(*key)) == 0)
            return channel;
    }
    return NULL;
}

/* --- members of groups --- */

/* Sockets of ours that have joined the group on this interface, whatever their ports. */
static int own_member_count(const rj_steered_interface_t *interface,
                            const rj_steered_channel_t *channel)
{
    int count = 0;
    const rj_steered_channel_t *other;
    DL_FOREACH(interface->channels, other)
    {
        if (memcmp(other->key.address, channel->key.address, sizeof(other->key.address)) == 0)
            count += other->refcount;
    }
    return count;
}

static void review_group(rj_steering_t *steering, const rj_steered_interface_t *interface,
                         rj_steered_channel_t *channel)
{
    rj_address_t group = channel->address;
    group.port = 0;
    const int count =
        steering->snapshot == NULL
            ? -1
            : rj_net_snapshot_member_count(steering->snapshot, &group, interface->params.index);
    if (count < 0)
        return;
    const bool is_shared = count > own_member_count(interface, channel);
    if (is_shared && channel->is_known && steering->now_ns < channel->patient_until_ns)
        return;
    char text[RJ_ADDRESS_TEXT_BYTES];
    rj_address_print(&channel->address, text);
    channel->is_known = true;
    steering->stats.groups_shared += is_shared - channel->is_shared;
    if (is_shared && !channel->is_shared)
        rj_steering_tell(steering, interface,
                         "others on this host have joined the group of %s too: the kernel serves "
                         "all of them",
                         text);
    channel->is_shared = is_shared;
}

/* A socket that has just left may be in the next count still. */
static void expect_late_count(rj_steering_t *steering, rj_steered_interface_t *interface,
                              const rj_steered_channel_t *left)
{
    rj_steered_channel_t *channel;
    DL_FOREACH(interface->channels, channel)
    {
        if (channel->is_group &&
            memcmp(channel->key.address, left->key.address, sizeof(left->key.address)) == 0)
            channel->patient_until_ns = steering->now_ns + 2 * (int64_t)RJ_STEERING_PERIOD_NS;
    }
}

static int look_at(rj_steering_t *steering, rj_steered_interface_t *interface,
                   rj_steered_channel_t *channel)
{
    if (channel->is_group)
        review_group(steering, interface, channel);
    return rj_steered_settle(steering, interface, channel);
}

/* --- streams of channels --- */

static bool is_same_stream(const rj_steer_stream_t *a, const rj_steer_stream_t *b)
{
    return a->stream_id == b->stream_id && a->has_session == b->has_session &&
           a->session_id == b->session_id;
}

static rj_steered_stream_t *find_stream(const rj_steered_channel_t *channel,
                                        const rj_steer_stream_t *wanted)
{
    rj_steered_stream_t *stream;
    DL_FOREACH(channel->streams, stream)
    {
        if (is_same_stream(&stream->stream, wanted))
            return stream;
    }
    return NULL;
}

static void refer_stream(rj_steered_channel_t *channel, const rj_steer_stream_t *wanted)
{
    rj_steered_stream_t *stream = find_stream(channel, wanted);
    if (stream == NULL) {
        stream = calloc(1, sizeof(*stream));
        if (stream == NULL)
            return; /* its frames go to the socket */
        stream->stream = *wanted;
        DL_APPEND(channel->streams, stream);
    }
    stream->refcount++;
}

static void release_stream(rj_steering_t *steering, rj_steered_interface_t *interface,
                           rj_steered_channel_t *channel, const rj_steer_stream_t *wanted)
{
    rj_steered_stream_t *stream = find_stream(channel, wanted);
    if (stream == NULL || --stream->refcount > 0)
        return;
    rj_steered_withdraw_stream(steering, interface, channel, stream);
    DL_DELETE(channel->streams, stream);
    free(stream);
}

/* --- a wish's channels --- */

static rj_steer_hold_t *find_hold(const rj_steer_wish_t *wish,
                                  const rj_steered_interface_t *interface,
                                  const struct rj_channel_key *key)
{
    for (int i = 0; i < wish->hold_count; i++) {
        rj_steer_hold_t *hold = &wish->holds[i];
        if (hold->interface == interface && memcmp(&hold->channel->key, key, sizeof(*key)) == 0)
            return hold;
    }
    return NULL;
}

static rj_steered_channel_t *make_channel(rj_steered_interface_t *interface,
                                          const struct rj_channel_key *key,
                                          const rj_address_t *address, uint16_t port)
{
    rj_steered_channel_t *channel = calloc(1, sizeof(*channel));
    if (channel == NULL)
        return NULL;
    channel->key = *key;
    channel->address = *address;
    channel->address.port = port;
    channel->is_group = rj_address_is_multicast(address);
    DL_APPEND(interface->channels, channel);
    return channel;
}

/* Where several endpoints share an address, the first one's home gets its frames. */
static void bring(rj_steering_t *steering, rj_steered_interface_t *interface,
                  const rj_steered_channel_t *channel, int engine)
{
    const rj_steering_interface_t *params = &interface->params;
    if (params->bring == NULL)
        return;
    const int result = params->bring(params->bring_state, &channel->address, engine);
    if (result == 0 || (interface->told & RJ_STEERED_TOLD_NOT_BROUGHT) != 0)
        return;
    char text[RJ_ADDRESS_TEXT_BYTES];
    rj_address_print(&channel->address, text);
    interface->told |= RJ_STEERED_TOLD_NOT_BROUGHT;
    rj_steering_tell(steering, interface,
                     "its card takes no flow rule for %s: %s: engines forward to each other", text,
                     strerror(-result));
}

static bool has_room_for_hold(rj_steer_wish_t *wish)
{
    if (wish->hold_count < wish->hold_room)
        return true;
    const int room = wish->hold_room == 0 ? 4 : wish->hold_room * 2;
    rj_steer_hold_t *holds = realloc(wish->holds, (size_t)room * sizeof(*holds));
    if (holds == NULL)
        return false;
    wish->holds = holds;
    wish->hold_room = room;
    return true;
}

static void want_channel(rj_steering_t *steering, rj_steer_wish_t *wish,
                         rj_steered_interface_t *interface, const rj_address_t *address)
{
    const struct rj_channel_key key = key_of(address, wish->local.port);
    rj_steer_hold_t *hold = find_hold(wish, interface, &key);
    if (hold != NULL) {
        hold->is_wanted = true;
        return;
    }
    rj_steered_channel_t *channel = find_channel(interface, &key);
    if (has_room_for_hold(wish) && channel == NULL) {
        channel = make_channel(interface, &key, address, wish->local.port);
        if (channel != NULL)
            bring(steering, interface, channel, wish->engine);
    }
    if (channel == NULL || wish->hold_count == wish->hold_room)
        return; /* no memory: the socket serves it, and the next review tries again */
    wish->holds[wish->hold_count++] =
        (rj_steer_hold_t){.interface = interface, .channel = channel, .is_wanted = true};
    channel->refcount++;
    for (int i = 0; i < wish->stream_count; i++)
        refer_stream(channel, &wish->streams[i]);
    (void)look_at(steering, interface, channel);
}

static void free_channel(rj_steering_t *steering, rj_steered_interface_t *interface,
                         rj_steered_channel_t *channel)
{
    bring(steering, interface, channel, -1);
    rj_steered_withdraw(steering, interface, channel);
    steering->stats.groups_shared -= channel->is_shared;
    if (interface->cursor == channel)
        interface->cursor = channel->next;
    DL_DELETE(interface->channels, channel);
    free(channel);
}

static void let_channel_go(rj_steering_t *steering, rj_steer_wish_t *wish, int index)
{
    const rj_steer_hold_t hold = wish->holds[index];
    wish->holds[index] = wish->holds[--wish->hold_count];
    for (int i = 0; i < wish->stream_count; i++)
        release_stream(steering, hold.interface, hold.channel, &wish->streams[i]);
    if (hold.channel->is_group)
        expect_late_count(steering, hold.interface, hold.channel);
    if (--hold.channel->refcount == 0)
        free_channel(steering, hold.interface, hold.channel);
    else
        (void)rj_steered_settle(steering, hold.interface, hold.channel);
}

/* A group that was joined without naming an interface was joined where the routes lead. */
static uint32_t group_link(const rj_steering_t *steering, rj_steer_wish_t *wish)
{
    rj_net_way_t way;
    const rj_address_t any = {.family = AF_UNSPEC};
    if (wish->link_index == 0 && steering->snapshot != NULL &&
        rj_net_snapshot_find_way(steering->snapshot, &any, &wish->local, 0, &way) == RJ_NET_REACHED)
        wish->link_index = way.link_index;
    return wish->link_index;
}

/* Link-local addresses mean a host on their own link only. */
static void want_wildcard(rj_steering_t *steering, rj_steer_wish_t *wish,
                          rj_steered_interface_t *interface)
{
    const rj_net_snapshot_t *snapshot = steering->snapshot;
    for (size_t i = 0; snapshot != NULL && i < snapshot->address_count; i++) {
        const rj_net_address_t *ours = &snapshot->addresses[i];
        if (ours->address.family == wish->local.family && is_steerable(&ours->address) &&
            (!rj_address_is_link_local(&ours->address) ||
             ours->link_index == interface->params.index))
            want_channel(steering, wish, interface, &ours->address);
    }
}

static void want_on(rj_steering_t *steering, rj_steer_wish_t *wish,
                    rj_steered_interface_t *interface)
{
    const rj_address_t *local = &wish->local;
    if (rj_address_is_wildcard(local)) {
        want_wildcard(steering, wish, interface);
    } else if (rj_address_is_multicast(local)) {
        if (group_link(steering, wish) == interface->params.index)
            want_channel(steering, wish, interface, local);
    } else if (is_steerable(local) &&
               (steering->snapshot == NULL || rj_net_snapshot_is_ours(steering->snapshot, local))) {
        if (!rj_address_is_link_local(local) || local->scope_id == interface->params.index)
            want_channel(steering, wish, interface, local);
    }
}

/* Brings the channels of a wish in step with the addresses of this host. */
static void review(rj_steering_t *steering, rj_steer_wish_t *wish)
{
    for (int i = 0; i < wish->hold_count; i++)
        wish->holds[i].is_wanted = false;
    for (int i = 0; i < steering->interface_count; i++)
        want_on(steering, wish, &steering->interfaces[i]);
    for (int i = wish->hold_count - 1; i >= 0; i--) {
        if (!wish->holds[i].is_wanted)
            let_channel_go(steering, wish, i);
    }
}

/* --- wishes --- */

rj_steer_wish_t *rj_steering_add(rj_steering_t *steering, const rj_address_t *local,
                                 uint32_t link_index, int engine)
{
    rj_steer_wish_t *wish = calloc(1, sizeof(*wish));
    if (wish == NULL) {
        if (steering->interface_count > 0)
            rj_steering_tell(steering, &steering->interfaces[0],
                             "out of memory: an endpoint is left to its socket");
        return NULL;
    }
    wish->local = *local;
    wish->link_index = link_index;
    wish->engine = engine;
    DL_APPEND(steering->wishes, wish);
    review(steering, wish);
    return wish;
}

void rj_steering_remove(rj_steering_t *steering, rj_steer_wish_t *wish)
{
    if (wish == NULL)
        return;
    for (int i = wish->hold_count - 1; i >= 0; i--)
        let_channel_go(steering, wish, i);
    DL_DELETE(steering->wishes, wish);
    free(wish->streams);
    free(wish->holds);
    free(wish);
}

void rj_steering_add_stream(rj_steering_t *steering, rj_steer_wish_t *wish,
                            const rj_steer_stream_t *stream)
{
    if (wish == NULL)
        return;
    if (wish->stream_count == wish->stream_room) {
        const int room = wish->stream_room == 0 ? 4 : wish->stream_room * 2;
        rj_steer_stream_t *streams = realloc(wish->streams, (size_t)room * sizeof(*streams));
        if (streams == NULL)
            return; /* its frames go to the socket */
        wish->streams = streams;
        wish->stream_room = room;
    }
    wish->streams[wish->stream_count++] = *stream;
    for (int i = 0; i < wish->hold_count; i++) {
        refer_stream(wish->holds[i].channel, stream);
        (void)rj_steered_settle(steering, wish->holds[i].interface, wish->holds[i].channel);
    }
}

void rj_steering_remove_stream(rj_steering_t *steering, rj_steer_wish_t *wish,
                               const rj_steer_stream_t *stream)
{
    if (wish == NULL)
        return;
    int at = 0;
    while (at < wish->stream_count && !is_same_stream(&wish->streams[at], stream))
        at++;
    if (at == wish->stream_count)
        return;
    wish->streams[at] = wish->streams[--wish->stream_count];
    for (int i = 0; i < wish->hold_count; i++) {
        rj_steer_hold_t *hold = &wish->holds[i];
        release_stream(steering, hold->interface, hold->channel, stream);
        (void)rj_steered_settle(steering, hold->interface, hold->channel);
    }
}

/* --- once a second --- */

/* The bind of a queue is ours by the kernel's word, so its entry is too. */
static void keep_queues(rj_steering_t *steering, rj_steered_interface_t *interface)
{
    const rj_steering_interface_t *params = &interface->params;
    const struct rj_queue_value wanted = {.owner = steering->owner,
                                          .room_bytes = params->room_bytes};
    for (uint32_t i = 0; i < params->queue_count; i++) {
        struct rj_queue_value there;
        const uint32_t queue = params->queue_first + i;
        if (params->maps->ops->get_queue(params->maps, queue, &there) == 0 &&
            memcmp(&there, &wanted, sizeof(there)) == 0)
            continue;
        if (params->maps->ops->put_queue(params->maps, queue, &wanted) < 0)
            steering->stats.map_errors++;
    }
}

/* Who has no ring there any more must not be sent frames: the kernel drops what is redirected to a
 * socket that is bound to nothing. */
static void let_queues_go(const rj_steering_t *steering, rj_steered_interface_t *interface)
{
    const rj_steering_interface_t *params = &interface->params;
    const struct rj_queue_value nobody = {.owner = RJ_XDP_OWNER_NONE};
    for (uint32_t i = 0; i < params->queue_count; i++) {
        struct rj_queue_value there;
        const uint32_t queue = params->queue_first + i;
        if (params->maps->ops->get_queue(params->maps, queue, &there) == 0 &&
            there.owner == steering->owner)
            (void)params->maps->ops->put_queue(params->maps, queue, &nobody);
    }
}

static bool are_queues_bound(const rj_steering_interface_t *params)
{
    for (uint32_t i = 0; params->is_bound != NULL && i < params->queue_count; i++) {
        if (!params->is_bound(params->is_bound_state, params->queue_first + i))
            return false;
    }
    return true;
}

static void keep_mac(rj_steering_t *steering, rj_steered_interface_t *interface)
{
    const rj_net_link_t *link =
        steering->snapshot == NULL
            ? NULL
            : rj_net_snapshot_link(steering->snapshot, interface->params.index);
    if (link == NULL || !link->is_ethernet ||
        (interface->has_mac && memcmp(interface->mac, link->mac, sizeof(link->mac)) == 0))
        return;
    rj_steer_maps_t *maps = interface->params.maps;
    if (maps->ops->set_mac(maps, link->mac) < 0) {
        steering->stats.map_errors++;
        return;
    }
    memcpy(interface->mac, link->mac, sizeof(interface->mac));
    interface->has_mac = true;
}

static rj_steered_state_t look_at_interface(rj_steering_t *steering,
                                            const rj_steered_interface_t *interface)
{
    rj_steer_maps_t *maps = interface->params.maps;
    const struct rj_owner_value value = {.start_ns = (__u64)steering->start_ns,
                                         .alive_ns = (__u64)steering->now_ns,
                                         .pid = steering->params.pid};
    if (!maps->ops->is_attached(maps))
        return RJ_STEERED_DETACHED;
    if (!are_queues_bound(&interface->params))
        return RJ_STEERED_UNBOUND;
    const int result = maps->ops->put_owner(maps, steering->owner, &value);
    if (result == -E2BIG) {
        /* Drivers that died one after the other may be what is there: room for the next look. */
        const int swept = maps->ops->sweep(maps, RJ_XDP_OWNER_NONE, steering->now_ns);
        steering->stats.swept_owners += swept > 0 ? swept : 0;
        return RJ_STEERED_CROWDED;
    }
    steering->stats.map_errors += result < 0;
    return RJ_STEERED_ON;
}

static void leave(rj_steering_t *steering, rj_steered_interface_t *interface)
{
    switch (interface->state) {
    case RJ_STEERED_DETACHED:
        steering->stats.detached++;
        rj_steering_tell(steering, interface,
                         "the steering program is gone from the interface: going on over sockets");
        break;
    case RJ_STEERED_UNBOUND:
        steering->stats.detached++;
        rj_steering_tell(steering, interface,
                         "the kernel has unbound its rings, for it was removed or moved elsewhere: "
                         "going on over sockets until the driver starts again");
        break;
    case RJ_STEERED_CROWDED:
        rj_steering_tell(steering, interface,
                         "%d drivers use the steering program already: going on over sockets",
                         RJ_XDP_OWNERS_MAX);
        break;
    case RJ_STEERED_ON:
        break;
    }
}

static void live_on(rj_steering_t *steering, rj_steered_interface_t *interface)
{
    const rj_steered_state_t before = interface->state;
    interface->state = look_at_interface(steering, interface);
    if (interface->state == RJ_STEERED_ON) {
        if (before != RJ_STEERED_ON)
            rj_steering_tell(steering, interface, "the steering program serves this driver again");
        keep_queues(steering, interface);
        keep_mac(steering, interface);
        interface->cursor = interface->channels;
    } else if (interface->state != before) {
        let_queues_go(steering, interface);
        leave(steering, interface);
    }
}

/* --- turns --- */

static uint64_t digest(uint64_t seed, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < length; i++)
        seed = (seed ^ at[i]) * UINT64_C(0x100000001b3);
    return seed;
}

/* Every neighbour that comes or goes makes a new snapshot; addresses hardly ever change. */
static bool are_addresses_new(rj_steering_t *steering)
{
    const rj_net_snapshot_t *snapshot = steering->snapshot;
    uint64_t now = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < snapshot->address_count; i++) {
        const rj_net_address_t *address = &snapshot->addresses[i];
        now = digest(now, &address->link_index, sizeof(address->link_index));
        now = digest(now, &address->address, sizeof(address->address));
    }
    const bool is_new = now != steering->address_digest;
    steering->address_digest = now;
    return is_new;
}

static bool are_memberships_new(rj_steering_t *steering)
{
    const rj_net_snapshot_t *snapshot = steering->snapshot;
    uint64_t now = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < snapshot->membership_count; i++) {
        const rj_net_membership_t *membership = &snapshot->memberships[i];
        now = digest(now, &membership->link_index, sizeof(membership->link_index));
        now = digest(now, &membership->user_count, sizeof(membership->user_count));
        now = digest(now, &membership->group, sizeof(membership->group));
    }
    const bool is_new = now != steering->membership_digest;
    steering->membership_digest = now;
    return is_new;
}

/* The kernel knew the way to the group when it was joined; the snapshot may learn it later. */
static bool is_unplaced_group(const rj_steer_wish_t *wish)
{
    return wish->link_index == 0 && rj_address_is_multicast(&wish->local);
}

static void follow_snapshot(rj_steering_t *steering)
{
    const bool has_new_members = are_memberships_new(steering);
    steering->generation = steering->snapshot->generation;
    for (int i = 0; i < steering->interface_count; i++) {
        keep_mac(steering, &steering->interfaces[i]);
        if (has_new_members)
            steering->interfaces[i].cursor = steering->interfaces[i].channels;
    }
    const bool has_new_addresses = are_addresses_new(steering);
    rj_steer_wish_t *wish;
    DL_FOREACH(steering->wishes, wish)
    {
        if (has_new_addresses || is_unplaced_group(wish))
            review(steering, wish);
    }
}

static int look_at_some(rj_steering_t *steering)
{
    int looked = 0;
    for (int i = 0; i < steering->interface_count; i++) {
        rj_steered_interface_t *interface = &steering->interfaces[i];
        while (interface->cursor != NULL && looked < RJ_STEERING_LOOKS_PER_TURN) {
            rj_steered_channel_t *channel = interface->cursor;
            interface->cursor = channel->next;
            looked += 1 + look_at(steering, interface, channel);
        }
    }
    return looked;
}

int rj_steering_do_work(rj_steering_t *steering, const rj_net_snapshot_t *snapshot, int64_t now_ns)
{
    int work = 0;
    steering->now_ns = now_ns;
    steering->snapshot = snapshot;
    if (now_ns >= steering->deadline_ns) {
        steering->deadline_ns = now_ns + RJ_STEERING_PERIOD_NS;
        for (int i = 0; i < steering->interface_count; i++)
            live_on(steering, &steering->interfaces[i]);
        work++;
    }
    if (snapshot != NULL && snapshot->generation != steering->generation) {
        follow_snapshot(steering);
        work++;
    }
    return work + look_at_some(steering);
}

int64_t rj_steering_deadline_ns(const rj_steering_t *steering)
{
    for (int i = 0; i < steering->interface_count; i++) {
        if (steering->interfaces[i].cursor != NULL)
            return steering->now_ns;
    }
    return steering->deadline_ns;
}

/* --- open and close --- */

static void sweep(rj_steering_t *steering, int index, uint32_t owner)
{
    rj_steer_maps_t *maps = steering->interfaces[index].params.maps;
    const int swept = maps->ops->sweep(maps, owner, steering->now_ns);
    if (owner == RJ_XDP_OWNER_NONE && swept > 0)
        steering->stats.swept_owners += swept;
}

/* The first `count` interfaces know the owner already. */
static bool claim_owner(rj_steering_t *steering, uint32_t owner)
{
    const struct rj_claim_key key = {.kind = RJ_XDP_CLAIM_OWNER, .number = owner};
    int taken = 0;
    while (taken < steering->interface_count) {
        rj_steer_maps_t *maps = steering->interfaces[taken].params.maps;
        if (maps->ops->claim(maps, &key, owner) == -EEXIST)
            break;
        taken++;
    }
    if (taken == steering->interface_count)
        return true;
    while (taken-- > 0) {
        rj_steer_maps_t *maps = steering->interfaces[taken].params.maps;
        (void)maps->ops->release(maps, &key);
    }
    return false;
}

/* The same number on every interface. */
static void draw_owner(rj_steering_t *steering, rj_prng_t *prng)
{
    for (int i = 0; i < OWNER_DRAWS_MAX; i++) {
        steering->owner = (uint32_t)rj_prng_between(prng, RJ_XDP_OWNER_OPERATOR + 1, UINT32_MAX);
        if (claim_owner(steering, steering->owner))
            return;
    }
}

static void open_interface(rj_steering_t *steering, int index)
{
    rj_steered_interface_t *interface = &steering->interfaces[index];
    /* Drivers that begin apart do not search the same numbers. */
    interface->next_number[RJ_XDP_CLAIM_CHANNEL] = steering->owner % RJ_XDP_CHANNELS_MAX;
    interface->next_number[RJ_XDP_CLAIM_COUNTER] = steering->owner % (RJ_XDP_COUNTERS_MAX - 1);
    live_on(steering, interface);
}

int rj_steering_open(rj_steering_t **ret_steering, const rj_steering_params_t *params,
                     rj_prng_t *prng, const rj_net_snapshot_t *snapshot, int64_t now_ns,
                     rj_err_t *err)
{
    rj_steering_t *steering = calloc(1, sizeof(*steering));
    if (steering == NULL)
        return rj_fail(err, -ENOMEM, "steering: out of memory");
    steering->params = *params;
    steering->interface_count = params->interface_count;
    steering->start_ns = now_ns;
    steering->now_ns = now_ns;
    steering->deadline_ns = now_ns + RJ_STEERING_PERIOD_NS;
    steering->snapshot = snapshot;
    for (int i = 0; i < steering->interface_count; i++) {
        steering->interfaces[i].params = params->interfaces[i];
        sweep(steering, i, RJ_XDP_OWNER_NONE);
    }
    draw_owner(steering, prng);
    for (int i = 0; i < steering->interface_count; i++)
        open_interface(steering, i);
    *ret_steering = steering;
    return 0;
}

static void drop_channels(rj_steered_interface_t *interface)
{
    rj_steered_channel_t *channel, *next;
    DL_FOREACH_SAFE(interface->channels, channel, next)
    {
        rj_steered_stream_t *stream, *next_stream;
        DL_FOREACH_SAFE(channel->streams, stream, next_stream)
        {
            free(stream);
        }
        free(channel);
    }
}

void rj_steering_close(rj_steering_t *steering)
{
    if (steering == NULL)
        return;
    /* One sweep does what thousands of removals would. */
    for (int i = 0; i < steering->interface_count; i++) {
        sweep(steering, i, steering->owner);
        drop_channels(&steering->interfaces[i]);
    }
    rj_steer_wish_t *wish, *next;
    DL_FOREACH_SAFE(steering->wishes, wish, next)
    {
        free(wish->streams);
        free(wish->holds);
        free(wish);
    }
    free(steering);
}

/* --- questions --- */

bool rj_steering_serves(const rj_steering_t *steering, uint32_t interface_index)
{
    for (int i = 0; i < steering->interface_count; i++) {
        const rj_steered_interface_t *interface = &steering->interfaces[i];
        if (interface->params.index == interface_index)
            return interface->state == RJ_STEERED_ON;
    }
    return false;
}

uint32_t rj_steering_owner(const rj_steering_t *steering)
{
    return steering->owner;
}

const rj_steering_stats_t *rj_steering_stats(const rj_steering_t *steering)
{
    return &steering->stats;
}
