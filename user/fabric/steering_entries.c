/* SPDX-License-Identifier: Apache-2.0 */
/* From a channel to its entries in the maps of one interface. Every step looks first: operators and
 * other drivers write the same maps, and whoever was not heard of for a while is swept. */
#include "fabric/steering_state.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <utlist.h>

/* Numbers tried in one search; where all are taken the next look goes on behind them. */
enum { SEARCH_MAX = 1024 };

/* --- telling --- */

static const char *print_channel(const rj_steered_channel_t *channel,
                                 char text[static RJ_ADDRESS_TEXT_BYTES])
{
    rj_address_print(&channel->address, text);
    return text;
}

static bool is_first(rj_steered_interface_t *interface, uint32_t what)
{
    const bool was_told = (interface->told & what) != 0;
    interface->told |= what;
    return !was_told;
}

static void note_error(rj_steering_t *steering, rj_steered_interface_t *interface, const char *map,
                       int result)
{
    steering->stats.map_errors++;
    if (is_first(interface, RJ_STEERED_TOLD_ERROR))
        rj_steering_tell(steering, interface, "%s cannot be used: %s: sockets serve instead", map,
                         strerror(-result));
}

/* --- numbers --- */

static uint32_t number_max(enum rj_xdp_claim kind)
{
    return kind == RJ_XDP_CLAIM_CHANNEL ? RJ_XDP_CHANNELS_MAX : RJ_XDP_COUNTERS_MAX - 1;
}

/* 0 when none was found: that took a thousand calls, so who asks again before the next look at the
 * entries is told so at once. */
static uint32_t take_number(rj_steering_t *steering, rj_steered_interface_t *interface,
                            enum rj_xdp_claim kind)
{
    rj_steer_maps_t *maps = interface->params.maps;
    if (steering->now_ns < interface->search_ns[kind])
        return 0;
    interface->search_ns[kind] = steering->now_ns + RJ_STEERING_PERIOD_NS;
    for (int i = 0; i < SEARCH_MAX; i++) {
        uint32_t *next = &interface->next_number[kind];
        *next = *next >= number_max(kind) ? 1 : *next + 1;
        const struct rj_claim_key key = {.kind = kind, .number = *next};
        const int result = maps->ops->claim(maps, &key, steering->owner);
        if (result == 0) {
            interface->search_ns[kind] = steering->now_ns;
            return key.number;
        }
        if (result != -EEXIST)
            return 0;
    }
    return 0;
}

/* Whether a number that was ours is so still, or is again. */
static bool keep_number(rj_steering_t *steering, rj_steered_interface_t *interface,
                        enum rj_xdp_claim kind, uint32_t number)
{
    rj_steer_maps_t *maps = interface->params.maps;
    const struct rj_claim_key key = {.kind = kind, .number = number};
    uint32_t owner;
    if (number == 0)
        return false;
    if (maps->ops->get_claim(maps, &key, &owner) == 0)
        return owner == steering->owner;
    return maps->ops->claim(maps, &key, steering->owner) == 0;
}

static void give_number(rj_steering_t *steering, rj_steered_interface_t *interface,
                        enum rj_xdp_claim kind, uint32_t *number)
{
    rj_steer_maps_t *maps = interface->params.maps;
    const struct rj_claim_key key = {.kind = kind, .number = *number};
    uint32_t owner;
    if (*number != 0 && maps->ops->get_claim(maps, &key, &owner) == 0 && owner == steering->owner) {
        (void)maps->ops->release(maps, &key);
        /* Where they are rare, this is the one to be found. */
        if (steering->now_ns < interface->search_ns[kind])
            interface->next_number[kind] = *number - 1;
        interface->search_ns[kind] = steering->now_ns;
    }
    *number = 0;
}

/* An entry without a counter works as well; it is only not seen. */
static void take_counter(rj_steering_t *steering, rj_steered_interface_t *interface,
                         uint32_t *counter_index)
{
    if (*counter_index != RJ_XDP_COUNTER_NONE)
        return;
    *counter_index = take_number(steering, interface, RJ_XDP_CLAIM_COUNTER);
    if (*counter_index != RJ_XDP_COUNTER_NONE) {
        (void)interface->params.maps->ops->clear_counter(interface->params.maps, *counter_index);
        return;
    }
    steering->stats.uncounted++;
    if (is_first(interface, RJ_STEERED_TOLD_UNCOUNTED))
        rj_steering_tell(steering, interface,
                         "all counters of the steering program are taken: some streams are not "
                         "counted");
}

/* --- standing, and what is counted of it --- */

static void stand_stream(rj_steering_t *steering, rj_steered_stream_t *stream,
                         rj_steered_standing_t standing)
{
    steering->stats.streams +=
        (standing == RJ_STEERED_PLACED) - (stream->standing == RJ_STEERED_PLACED);
    stream->standing = standing;
}

static void stand_channel(rj_steering_t *steering, rj_steered_channel_t *channel,
                          rj_steered_standing_t standing)
{
    steering->stats.channels +=
        (standing == RJ_STEERED_PLACED) - (channel->standing == RJ_STEERED_PLACED);
    channel->standing = standing;
}

static void leave_stream_out(rj_steering_t *steering, rj_steered_interface_t *interface,
                             rj_steered_channel_t *channel, rj_steered_stream_t *stream,
                             bool is_left_out)
{
    const int change = is_left_out - stream->is_left_out;
    stream->is_left_out = is_left_out;
    channel->streams_left_out += change;
    steering->stats.streams_left_out += change;
    char text[RJ_ADDRESS_TEXT_BYTES];
    if (change > 0 && is_first(interface, RJ_STEERED_TOLD_STREAMS_FULL))
        rj_steering_tell(steering, interface,
                         "rj_streams is full: every stream to %s comes to user space, which "
                         "filters",
                         print_channel(channel, text));
    if (steering->stats.streams_left_out == 0)
        interface->told &= ~(uint32_t)RJ_STEERED_TOLD_STREAMS_FULL;
}

static void leave_channel_out(rj_steering_t *steering, rj_steered_interface_t *interface,
                              rj_steered_channel_t *channel, bool is_left_out)
{
    const int change = is_left_out - channel->is_left_out;
    channel->is_left_out = is_left_out;
    steering->stats.channels_left_out += change;
    char text[RJ_ADDRESS_TEXT_BYTES];
    if (change > 0 && is_first(interface, RJ_STEERED_TOLD_CHANNELS_FULL))
        rj_steering_tell(steering, interface, "rj_channels is full: the socket serves %s",
                         print_channel(channel, text));
    if (steering->stats.channels_left_out == 0)
        interface->told &= ~(uint32_t)RJ_STEERED_TOLD_CHANNELS_FULL;
}

/* --- streams --- */

static struct rj_stream_key stream_key(const rj_steered_channel_t *channel,
                                       const rj_steered_stream_t *stream)
{
    return (struct rj_stream_key){.channel_id = channel->channel_id,
                                  .stream_id = stream->stream.stream_id,
                                  .session_id = stream->stream.session_id,
                                  .any_session = !stream->stream.has_session};
}

static void put_stream(rj_steering_t *steering, rj_steered_interface_t *interface,
                       rj_steered_channel_t *channel, rj_steered_stream_t *stream,
                       rj_steer_put_t how)
{
    rj_steer_maps_t *maps = interface->params.maps;
    if (!keep_number(steering, interface, RJ_XDP_CLAIM_COUNTER, stream->counter_index))
        stream->counter_index = RJ_XDP_COUNTER_NONE;
    take_counter(steering, interface, &stream->counter_index);
    const struct rj_stream_key key = stream_key(channel, stream);
    const struct rj_stream_value value = {.owner = steering->owner,
                                          .counter_index = stream->counter_index,
                                          .verdict = RJ_XDP_TO_USER,
                                          .origin = RJ_XDP_FROM_DRIVER};
    const int result = maps->ops->put_stream(maps, &key, &value, how);
    stand_stream(steering, stream, result == 0 ? RJ_STEERED_PLACED : RJ_STEERED_ABSENT);
    leave_stream_out(steering, interface, channel, stream, result == -E2BIG);
    if (result == 0)
        return;
    give_number(steering, interface, RJ_XDP_CLAIM_COUNTER, &stream->counter_index);
    /* Somebody was faster: the next look sees who. */
    if (result != -E2BIG && result != -EEXIST)
        note_error(steering, interface, "rj_streams", result);
}

static void settle_stream(rj_steering_t *steering, rj_steered_interface_t *interface,
                          rj_steered_channel_t *channel, rj_steered_stream_t *stream)
{
    rj_steer_maps_t *maps = interface->params.maps;
    const struct rj_stream_key key = stream_key(channel, stream);
    struct rj_stream_value there;
    const int result = maps->ops->get_stream(maps, &key, &there);
    if (result == -ENOENT) {
        steering->stats.put_again += stream->standing == RJ_STEERED_PLACED;
        put_stream(steering, interface, channel, stream, RJ_STEER_PUT_NEW);
    } else if (result < 0) {
        note_error(steering, interface, "rj_streams", result);
    } else if (there.origin == RJ_XDP_FROM_OPERATOR) {
        if (stream->standing != RJ_STEERED_OPERATOR)
            steering->stats.operator_entries++;
        stand_stream(steering, stream, RJ_STEERED_OPERATOR);
        leave_stream_out(steering, interface, channel, stream, false);
        give_number(steering, interface, RJ_XDP_CLAIM_COUNTER, &stream->counter_index);
    } else if (there.owner != steering->owner || there.verdict != RJ_XDP_TO_USER ||
               there.counter_index != stream->counter_index) {
        steering->stats.taken_over += there.owner != steering->owner;
        put_stream(steering, interface, channel, stream, RJ_STEER_PUT_ANY);
    }
}

void rj_steered_withdraw_stream(rj_steering_t *steering, rj_steered_interface_t *interface,
                                rj_steered_channel_t *channel, rj_steered_stream_t *stream)
{
    rj_steer_maps_t *maps = interface->params.maps;
    const struct rj_stream_key key = stream_key(channel, stream);
    struct rj_stream_value there;
    if (stream->standing == RJ_STEERED_PLACED && maps->ops->get_stream(maps, &key, &there) == 0 &&
        there.owner == steering->owner)
        (void)maps->ops->remove_stream(maps, &key);
    stand_stream(steering, stream, RJ_STEERED_ABSENT);
    leave_stream_out(steering, interface, channel, stream, false);
    give_number(steering, interface, RJ_XDP_CLAIM_COUNTER, &stream->counter_index);
}

static void withdraw_streams(rj_steering_t *steering, rj_steered_interface_t *interface,
                             rj_steered_channel_t *channel)
{
    rj_steered_stream_t *stream;
    DL_FOREACH(channel->streams, stream)
    {
        rj_steered_withdraw_stream(steering, interface, channel, stream);
    }
}

/* --- channels --- */

/* Whether an operator's stream rules refer to the channel's number: `ramjet filter` has claimed it.
 * Such a number outlives the drivers that use it. */
static bool is_numbered_by_operator(rj_steered_interface_t *interface, uint32_t channel_id)
{
    rj_steer_maps_t *maps = interface->params.maps;
    const struct rj_claim_key key = {.kind = RJ_XDP_CLAIM_CHANNEL, .number = channel_id};
    uint32_t owner;
    return channel_id != 0 && maps->ops->get_claim(maps, &key, &owner) == 0 &&
           owner == RJ_XDP_OWNER_OPERATOR;
}

/* An operator's rules for its streams stay reachable: the channel is left to the kernel then. */
static void remove_channel(rj_steered_interface_t *interface, const rj_steered_channel_t *channel,
                           const struct rj_channel_value *there)
{
    rj_steer_maps_t *maps = interface->params.maps;
    const struct rj_channel_value nobodys = {.channel_id = there->channel_id,
                                             .owner = RJ_XDP_OWNER_OPERATOR,
                                             .verdict = RJ_XDP_TO_KERNEL,
                                             .origin = RJ_XDP_FROM_DRIVER};
    if (is_numbered_by_operator(interface, there->channel_id))
        (void)maps->ops->put_channel(maps, &channel->key, &nobodys, RJ_STEER_PUT_ANY);
    else
        (void)maps->ops->remove_channel(maps, &channel->key);
}

static void withdraw_entries(rj_steering_t *steering, rj_steered_interface_t *interface,
                             rj_steered_channel_t *channel)
{
    rj_steer_maps_t *maps = interface->params.maps;
    struct rj_channel_value there;
    if (channel->standing == RJ_STEERED_PLACED &&
        maps->ops->get_channel(maps, &channel->key, &there) == 0 &&
        there.owner == steering->owner && there.origin == RJ_XDP_FROM_DRIVER)
        remove_channel(interface, channel, &there);
    stand_channel(steering, channel, RJ_STEERED_ABSENT);
    withdraw_streams(steering, interface, channel);
    give_number(steering, interface, RJ_XDP_CLAIM_COUNTER, &channel->counter_index);
    give_number(steering, interface, RJ_XDP_CLAIM_CHANNEL, &channel->channel_id);
}

void rj_steered_withdraw(rj_steering_t *steering, rj_steered_interface_t *interface,
                         rj_steered_channel_t *channel)
{
    withdraw_entries(steering, interface, channel);
    leave_channel_out(steering, interface, channel, false);
}

static struct rj_channel_value channel_value(const rj_steering_t *steering,
                                             const rj_steered_channel_t *channel)
{
    const bool is_overflowing = channel->streams_left_out > 0;
    unsigned flags = is_overflowing ? RJ_XDP_STREAMS_OVERFLOW : 0;
    if (steering->params.control == RJ_STEERING_CONTROL_TO_RING)
        flags |= RJ_XDP_CONTROL_TO_USER;
    return (struct rj_channel_value){.channel_id = channel->channel_id,
                                     .owner = steering->owner,
                                     .counter_index = channel->counter_index,
                                     .flags = (__u16)flags,
                                     .verdict = is_overflowing ? RJ_XDP_TO_USER : RJ_XDP_TO_KERNEL,
                                     .origin = RJ_XDP_FROM_DRIVER};
}

/* Streams come before their channel, so that no frame is judged by half of what is wanted. */
static void put_channel(rj_steering_t *steering, rj_steered_interface_t *interface,
                        rj_steered_channel_t *channel, rj_steer_put_t how)
{
    rj_steer_maps_t *maps = interface->params.maps;
    channel->value = channel_value(steering, channel);
    const int result = maps->ops->put_channel(maps, &channel->key, &channel->value, how);
    stand_channel(steering, channel, result == 0 ? RJ_STEERED_PLACED : RJ_STEERED_ABSENT);
    leave_channel_out(steering, interface, channel, result == -E2BIG);
    if (result == 0)
        return;
    withdraw_entries(steering, interface, channel);
    if (result != -E2BIG && result != -EEXIST)
        note_error(steering, interface, "rj_channels", result);
}

/* The numbers of an entry that is to be put in place of the one numbered `there_id` (0: there is
 * none); false where none is left. Whoever was swept while it slept may find them in other hands.
 */
static bool number_channel(rj_steering_t *steering, rj_steered_interface_t *interface,
                           rj_steered_channel_t *channel, uint32_t there_id)
{
    if (is_numbered_by_operator(interface, there_id)) {
        give_number(steering, interface, RJ_XDP_CLAIM_CHANNEL, &channel->channel_id);
        channel->channel_id = there_id;
    } else if (!keep_number(steering, interface, RJ_XDP_CLAIM_CHANNEL, channel->channel_id)) {
        withdraw_streams(steering, interface, channel);
        channel->channel_id = take_number(steering, interface, RJ_XDP_CLAIM_CHANNEL);
    }
    if (channel->channel_id == 0) {
        withdraw_entries(steering, interface, channel);
        leave_channel_out(steering, interface, channel, true);
        return false;
    }
    if (!keep_number(steering, interface, RJ_XDP_CLAIM_COUNTER, channel->counter_index))
        channel->counter_index = RJ_XDP_COUNTER_NONE;
    take_counter(steering, interface, &channel->counter_index);
    return true;
}

/* Whether the number under which our entry stands is ours, or an operator's. Whoever sweeps takes
 * the numbers last: a driver that woke up meanwhile has put its entries back and lost theirs. */
static bool has_channel_number(rj_steering_t *steering, rj_steered_interface_t *interface,
                               uint32_t channel_id)
{
    return is_numbered_by_operator(interface, channel_id) ||
           keep_number(steering, interface, RJ_XDP_CLAIM_CHANNEL, channel_id);
}

static int settle_streams(rj_steering_t *steering, rj_steered_interface_t *interface,
                          rj_steered_channel_t *channel)
{
    int looked = 0;
    rj_steered_stream_t *stream;
    DL_FOREACH(channel->streams, stream)
    {
        settle_stream(steering, interface, channel, stream);
        looked++;
    }
    return looked;
}

/* Another member of the group would not get a single frame that a ring takes, whoever's ring. */
static void yield_group(rj_steering_t *steering, rj_steered_interface_t *interface,
                        rj_steered_channel_t *channel)
{
    rj_steer_maps_t *maps = interface->params.maps;
    struct rj_channel_value there;
    rj_steered_withdraw(steering, interface, channel);
    if (maps->ops->get_channel(maps, &channel->key, &there) == 0 &&
        there.origin == RJ_XDP_FROM_DRIVER && maps->ops->remove_channel(maps, &channel->key) == 0)
        steering->stats.taken_over++;
}

static void respect_operator(rj_steering_t *steering, rj_steered_interface_t *interface,
                             rj_steered_channel_t *channel)
{
    if (channel->standing == RJ_STEERED_OPERATOR)
        return;
    char text[RJ_ADDRESS_TEXT_BYTES];
    rj_steered_withdraw(steering, interface, channel);
    stand_channel(steering, channel, RJ_STEERED_OPERATOR);
    steering->stats.operator_entries++;
    rj_steering_tell(steering, interface, "an operator's rule for %s is left as it is",
                     print_channel(channel, text));
}

static void take_over(rj_steering_t *steering, rj_steered_interface_t *interface,
                      const rj_steered_channel_t *channel, uint32_t owner)
{
    char text[RJ_ADDRESS_TEXT_BYTES];
    steering->stats.taken_over++;
    rj_steering_tell(steering, interface,
                     "%s was driver %" PRIu32 "'s in the steering maps; its socket is ours, so the "
                     "entry is now",
                     print_channel(channel, text), owner);
}

int rj_steered_settle(rj_steering_t *steering, rj_steered_interface_t *interface,
                      rj_steered_channel_t *channel)
{
    rj_steer_maps_t *maps = interface->params.maps;
    if (interface->state != RJ_STEERED_ON)
        return 0;
    if (channel->is_group && (!channel->is_known || channel->is_shared)) {
        if (channel->is_shared)
            yield_group(steering, interface, channel);
        return 1;
    }
    struct rj_channel_value there;
    const int result = maps->ops->get_channel(maps, &channel->key, &there);
    if (result < 0 && result != -ENOENT) {
        note_error(steering, interface, "rj_channels", result);
        return 1;
    }
    const bool is_there = result == 0;
    if (is_there && there.origin == RJ_XDP_FROM_OPERATOR) {
        respect_operator(steering, interface, channel);
        return 1;
    }
    const bool is_ours = is_there && there.owner == steering->owner;
    if (is_there && !is_ours && there.owner != RJ_XDP_OWNER_OPERATOR)
        take_over(steering, interface, channel, there.owner);
    if ((!is_ours || !has_channel_number(steering, interface, channel->channel_id)) &&
        !number_channel(steering, interface, channel, is_there ? there.channel_id : 0))
        return 1;
    const int looked = settle_streams(steering, interface, channel);
    const struct rj_channel_value wanted = channel_value(steering, channel);
    if (is_ours && memcmp(&there, &wanted, sizeof(there)) == 0)
        return 1 + looked;
    /* Not counted where it is we who have changed our mind. */
    if (channel->standing == RJ_STEERED_PLACED &&
        (!is_ours || memcmp(&there, &channel->value, sizeof(there)) != 0))
        steering->stats.put_again++;
    put_channel(steering, interface, channel, is_there ? RJ_STEER_PUT_ANY : RJ_STEER_PUT_NEW);
    return 1 + looked;
}
