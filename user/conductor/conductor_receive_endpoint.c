/* SPDX-License-Identifier: Apache-2.0 */
/* Receive endpoints: found by channel, opened, given back (commands.md 7.2; driver.md 13). */
#include "conductor/conductor_endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#include "conductor/conductor_receive.h"
#include "shm/counters.h"

enum { REMOVAL_NONE = -1 };

static rj_receive_entry_t *
find_receive(const rj_conductor_t *conductor, const rj_channel_t *channel,
             bool (*is_for)(const rj_channel_t *existing, rj_endpoint_state_t state,
                            const rj_channel_t *channel))
{
    rj_receive_entry_t *receive;
    DL_FOREACH(conductor->receive_endpoints, receive)
    {
        if (is_for(&receive->endpoint.channel, receive->state, channel))
            return receive;
    }
    return NULL;
}

int rj_conductor_find_receive(rj_conductor_t *conductor, const rj_channel_t *channel,
                              rj_receive_entry_t **ret_receive, rj_err_t *err)
{
    rj_receive_entry_t *receive = find_receive(conductor, channel, rj_conductor_has_tag_of);
    bool is_tagged = receive != NULL;
    if (!is_tagged)
        receive = find_receive(conductor, channel, rj_conductor_has_text_of);
    if (receive != NULL && receive->state == RJ_ENDPOINT_CLOSING)
        return rj_conductor_fail_closing("receive", channel, err);
    if (is_tagged && rj_conductor_check_tag(&receive->endpoint.channel, channel, err) < 0)
        return err->code;
    *ret_receive = receive;
    return 0;
}

static int check_timestamps(const rj_channel_t *existing, const rj_channel_t *channel,
                            rj_err_t *err)
{
    if (channel->media_receive_timestamp_offset != existing->media_receive_timestamp_offset)
        return rj_conductor_fail_timestamp(
            "media-rcv-ts-offset", channel->media_receive_timestamp_offset, existing, channel, err);
    if (channel->channel_receive_timestamp_offset != existing->channel_receive_timestamp_offset)
        return rj_conductor_fail_timestamp("channel-rcv-ts-offset",
                                           channel->channel_receive_timestamp_offset, existing,
                                           channel, err);
    return 0;
}

static int check_window(const rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    int32_t rcvbuf = rj_first_set(rj_conductor_rcvbuf(conductor, &command->channel),
                                  conductor->rcvbuf_default_bytes);
    int32_t window = command->subscription_params.receiver_window_bytes;
    if (window <= rcvbuf)
        return 0;
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                         "Initial window greater than SO_RCVBUF for channel: rcv-wnd=%d "
                         "so-rcvbuf=%d channel=%s",
                         window, rcvbuf, command->channel.uri.text);
}

static bool has_one_destination(const rj_receive_entry_t *receive)
{
    return receive->destinations != NULL && receive->destinations->next == NULL;
}

int rj_conductor_check_receive(rj_conductor_t *conductor, const rj_receive_entry_t *receive,
                               rj_err_t *err)
{
    const rj_channel_t *channel = &conductor->command.channel;
    int result = receive != NULL ? check_timestamps(&receive->endpoint.channel, channel, err) : 0;
    if (result < 0)
        return result;
    /* What an endpoint without a socket of its own has for those that it will get, its maker said;
     * one of several sockets is nobody's in particular. */
    if (receive != NULL &&
        (channel->control_mode == RJ_CONTROL_MODE_MANUAL || !has_one_destination(receive)))
        return 0;
    result = check_window(conductor, err);
    if (result < 0 || receive == NULL)
        return result;
    const rj_channel_t *existing = &receive->endpoint.channel;
    result = rj_conductor_check_transport(existing, channel, err);
    if (result < 0)
        return result;
    result = rj_conductor_check_buffer("so-sndbuf", rj_conductor_sndbuf(conductor, channel),
                                       receive->sndbuf_bytes, existing, channel, err);
    if (result < 0)
        return result;
    return rj_conductor_check_buffer("so-rcvbuf", rj_conductor_rcvbuf(conductor, channel),
                                     receive->rcvbuf_bytes, existing, channel, err);
}

/* --- destinations --- */

static void free_destination(rj_conductor_t *conductor, rj_receive_destination_entry_t *destination)
{
    rj_conductor_close_socket(conductor, &destination->destination.base);
    free(destination);
}

static int open_socket(rj_conductor_t *conductor, const rj_receive_entry_t *receive,
                       rj_receive_destination_entry_t *entry, rj_address_t *ret_bound,
                       rj_err_t *err)
{
    const rj_channel_t *channel = &entry->channel;
    rj_receive_destination_t *destination = &entry->destination;
    /* Buffers are the subscription's business, addresses the destination's (driver.md 13.3). */
    rj_socket_params_t params = {.bind = channel->remote_data,
                                 .sndbuf_bytes = receive->sndbuf_bytes,
                                 .rcvbuf_bytes = receive->rcvbuf_bytes,
                                 .wants_media_time = receive->endpoint.media_timestamp.is_wanted};
    if (channel->is_multicast)
        rj_conductor_bind_group(conductor, channel, &channel->remote_data, &params);
    int result =
        rj_conductor_open_socket(conductor, channel, &params, &destination->base, ret_bound, err);
    if (result == 0 && channel->is_multicast)
        rj_receive_destination_set_control(destination, &channel->remote_control);
    else if (result == 0 && channel->has_control)
        rj_receive_destination_set_control(destination, &channel->local_control);
    return result;
}

/* A destination with its socket, that nobody knows yet. */
static rj_receive_destination_entry_t *open_destination(rj_conductor_t *conductor,
                                                        rj_receive_entry_t *receive,
                                                        const rj_channel_t *channel,
                                                        rj_address_t *ret_bound, rj_err_t *err)
{
    const int slot = __builtin_ffs((int)~receive->slots_taken) - 1;
    if (slot < 0 || slot >= RJ_RECEIVE_DESTINATIONS_MAX) {
        rj_fail(err, -ENOSPC, "more than %d destinations of one subscription: %s",
                RJ_RECEIVE_DESTINATIONS_MAX, channel->uri.text);
        return NULL;
    }
    if (rj_conductor_check_count(conductor, channel, err) < 0)
        return NULL;
    rj_receive_destination_entry_t *entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        rj_fail(err, -ENOMEM, "out of memory for a channel");
        return NULL;
    }
    entry->channel = *channel;
    entry->removal_id = REMOVAL_NONE;
    entry->address_counter_id = RJ_COUNTER_ID_NULL;
    entry->destination = (rj_receive_destination_t){.endpoint = &receive->endpoint,
                                                    .id = receive->next_destination_id,
                                                    .slot = slot,
                                                    .is_multicast = channel->is_multicast,
                                                    .ttl = channel->ttl,
                                                    .last_activity_ns = conductor->now_ns};
    rj_conductor_init_base(conductor, &entry->destination.base, RJ_ENDPOINT_RECEIVE,
                           receive->endpoint.home);
    if (open_socket(conductor, receive, entry, ret_bound, err) < 0) {
        free_destination(conductor, entry);
        return NULL;
    }
    return entry;
}

static void on_control_moved(rj_conductor_t *conductor, void *owner, const rj_address_t *control)
{
    rj_conductor_redirect_receive_destination(conductor, owner, control);
}

/* Who finds its receivers by what they tell a control address may be elsewhere tomorrow. */
static void follow_name(rj_conductor_t *conductor, rj_receive_destination_entry_t *destination)
{
    if (!rj_receive_destination_registers(&destination->destination))
        return;
    destination->name =
        (rj_followed_name_t){.param = "control",
                             .text = destination->channel.control_text,
                             .last_activity_ns = &destination->destination.last_activity_ns,
                             .repeat_ns = RJ_NAME_SILENCE_NS,
                             .address = destination->channel.local_control,
                             .on_change = on_control_moved,
                             .owner = destination};
    rj_conductor_follow_name(conductor, &destination->name);
}

/* Its engines have the endpoint. */
static void start_destination(rj_conductor_t *conductor, rj_receive_entry_t *receive,
                              rj_receive_destination_entry_t *destination)
{
    receive->slots_taken |= 1u << destination->destination.slot;
    receive->next_destination_id++;
    DL_APPEND(receive->destinations, destination);
    conductor->endpoint_count++;
    const rj_engine_command_t add = {.type = RJ_ENGINE_ADD_RECEIVE_DESTINATION,
                                     .receive_destination = &destination->destination};
    destination->knowing_count = rj_conductor_tell_all(conductor, receive->endpoint.home, &add);
    rj_conductor_steer_destination(conductor, destination);
    follow_name(conductor, destination);
}

rj_receive_destination_entry_t *rj_conductor_add_receive_destination(rj_conductor_t *conductor,
                                                                     rj_receive_entry_t *receive,
                                                                     const rj_channel_t *channel,
                                                                     int64_t registration_id,
                                                                     rj_err_t *err)
{
    rj_address_t bound;
    rj_receive_destination_entry_t *destination =
        open_destination(conductor, receive, channel, &bound, err);
    if (destination == NULL)
        return NULL;
    if (rj_conductor_address_counter(conductor, false, registration_id, receive->status_counter_id,
                                     &bound, &destination->address_counter_id, err) < 0) {
        free_destination(conductor, destination);
        return NULL;
    }
    start_destination(conductor, receive, destination);
    return destination;
}

static rj_receive_entry_t *receive_of(const rj_receive_destination_entry_t *destination)
{
    return (rj_receive_entry_t *)destination->destination.endpoint;
}

void rj_conductor_remove_receive_destination(rj_conductor_t *conductor,
                                             rj_receive_destination_entry_t *destination,
                                             int64_t removal_id)
{
    destination->state = RJ_ENDPOINT_CLOSING;
    destination->removal_id = removal_id;
    const rj_engine_command_t remove = {.type = RJ_ENGINE_REMOVE_RECEIVE_DESTINATION,
                                        .receive_destination = &destination->destination};
    rj_conductor_tell_all(conductor, destination->destination.base.home, &remove);
    rj_conductor_unsteer_destination(conductor, destination);
}

/* Of the images that were heard through it, whatever engine they are in. */
static void drop_headers(rj_conductor_t *conductor,
                         const rj_receive_destination_entry_t *destination)
{
    rj_image_entry_t *image;
    DL_FOREACH(conductor->images, image)
    {
        if (image->receive == receive_of(destination))
            rj_conductor_drop_header(conductor, &image->headed[destination->destination.slot]);
    }
}

/* Its counter goes with it: who waits for the port to be free looks there, without a time limit
 * (driver.md 23.18). As Aeron: the value says that this is no address any more. */
static void delete_destination(rj_conductor_t *conductor,
                               rj_receive_destination_entry_t *destination)
{
    rj_receive_entry_t *receive = receive_of(destination);
    rj_conductor_unfollow_name(conductor, &destination->name);
    drop_headers(conductor, destination);
    rj_counter_set(rj_counters_value(conductor->counters, destination->address_counter_id),
                   RJ_CHANNEL_STATUS_CLOSING);
    rj_conductor_free_counter(conductor, destination->address_counter_id);
    receive->slots_taken &= ~(1u << destination->destination.slot);
    DL_DELETE(receive->destinations, destination);
    conductor->endpoint_count--;
    free_destination(conductor, destination);
}

void rj_conductor_on_receive_destination_released(rj_conductor_t *conductor,
                                                  rj_receive_destination_entry_t *destination)
{
    if (--destination->knowing_count > 0)
        return;
    const int64_t removal_id = destination->removal_id;
    delete_destination(conductor, destination);
    if (removal_id != REMOVAL_NONE)
        rj_reply_success(&conductor->to_clients, removal_id);
}

rj_receive_destination_entry_t *
rj_conductor_find_receive_destination(const rj_receive_entry_t *receive, int32_t destination_id)
{
    rj_receive_destination_entry_t *destination;
    DL_FOREACH(receive->destinations, destination)
    {
        if (destination->destination.id == destination_id)
            return destination->state == RJ_ENDPOINT_ACTIVE ? destination : NULL;
    }
    return NULL;
}

void rj_conductor_redirect_receive_destination(rj_conductor_t *conductor,
                                               rj_receive_destination_entry_t *destination,
                                               const rj_address_t *control)
{
    if (destination->state != RJ_ENDPOINT_ACTIVE)
        return;
    /* What later subscriptions by tag are compared with is the address of now (commands.md 7.2). */
    rj_channel_t *made_by = &receive_of(destination)->endpoint.channel;
    destination->channel.local_data = *control;
    destination->channel.local_control = *control;
    if (made_by->has_control && made_by->control_mode != RJ_CONTROL_MODE_MANUAL) {
        made_by->local_data = *control;
        made_by->local_control = *control;
    }
    destination->name.address = *control;
    rj_system_counter_add(conductor->system, RJ_SYSTEM_RESOLUTION_CHANGES, 1);
    rj_conductor_forget_connections(conductor, destination);
    const rj_engine_command_t set = {.type = RJ_ENGINE_SET_CONTROL,
                                     .receive_destination = &destination->destination,
                                     .address = *control};
    rj_conductor_tell_all(conductor, destination->destination.base.home, &set);
}

static bool stands_in_the_way(const rj_receive_destination_entry_t *destination,
                              const rj_address_t *address)
{
    const rj_address_t *local = &destination->destination.base.local;
    return local->port == address->port && local->family == address->family &&
           !rj_address_is_multicast(local) &&
           (rj_address_same_host(local, address) || rj_address_is_wildcard(local) ||
            rj_address_is_wildcard(address));
}

bool rj_conductor_port_comes_free(rj_conductor_t *conductor, const rj_address_t *address)
{
    rj_receive_entry_t *receive;
    DL_FOREACH(conductor->receive_endpoints, receive)
    {
        const bool is_needed = receive->interests != NULL || receive->response_count > 0;
        rj_receive_destination_entry_t *destination;
        DL_FOREACH(receive->destinations, destination)
        {
            if (!stands_in_the_way(destination, address))
                continue;
            if (destination->state == RJ_ENDPOINT_ACTIVE && is_needed)
                return false;
            if (destination->state == RJ_ENDPOINT_ACTIVE)
                rj_conductor_remove_receive_destination(conductor, destination, REMOVAL_NONE);
            return true;
        }
    }
    return false;
}

/* --- endpoints --- */

/* It has no destination (any more). */
static void free_receive(rj_receive_entry_t *receive)
{
    rj_interest_t *interest, *next;
    DL_FOREACH_SAFE(receive->interests, interest, next)
    {
        free(interest);
    }
    rj_dispatcher_close(receive->endpoint.dispatcher);
    free(receive);
}

static rj_receive_entry_t *open_receive(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    if (conductor->receive_count >= RJ_ENGINE_ENDPOINTS_MAX) {
        rj_fail(err, -ENOSPC, "more than %d channels: %s", RJ_ENGINE_ENDPOINTS_MAX,
                command->channel.uri.text);
        return NULL;
    }
    rj_receive_entry_t *receive = calloc(1, sizeof(*receive));
    if (receive == NULL ||
        rj_dispatcher_open(&receive->endpoint.dispatcher, RJ_DISPATCHER_STREAMS_MAX,
                           RJ_DISPATCHER_SESSIONS_MAX,
                           (int32_t)conductor->config->stream_session_limit) < 0) {
        rj_fail(err, -ENOMEM, "out of memory for a channel");
        free(receive);
        return NULL;
    }
    receive->endpoint.channel = command->channel;
    receive->endpoint.home = rj_conductor_choose_home(conductor, RJ_ENDPOINT_RECEIVE);
    receive->endpoint.receiver_id = conductor->next_receiver_id++;
    receive->endpoint.has_group_tag = command->subscription_params.has_group_tag;
    receive->endpoint.group_tag = command->subscription_params.group_tag;
    receive->endpoint.media_timestamp =
        rj_timestamp_place(command->channel.media_receive_timestamp_offset);
    receive->endpoint.channel_timestamp =
        rj_timestamp_place(command->channel.channel_receive_timestamp_offset);
    receive->sndbuf_bytes = rj_conductor_sndbuf(conductor, &command->channel);
    receive->rcvbuf_bytes = rj_conductor_rcvbuf(conductor, &command->channel);
    receive->params = command->subscription_params;
    return receive;
}

/* The socket of an ordinary endpoint, and the counters. Nothing of them stays on failure. */
static int open_address(rj_conductor_t *conductor, rj_receive_entry_t *receive,
                        rj_receive_destination_entry_t **ret_destination, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    const char *channel = command->channel.uri.text;
    if (command->channel.control_mode == RJ_CONTROL_MODE_MANUAL)
        return rj_conductor_status_counter(conductor, false, command->correlation_id, channel, NULL,
                                           &receive->status_counter_id, err);
    rj_address_t bound;
    rj_receive_destination_entry_t *destination =
        open_destination(conductor, receive, &command->channel, &bound, err);
    if (destination == NULL)
        return err->code;
    int result = rj_conductor_channel_counters(conductor, false, command->correlation_id, channel,
                                               &bound, &receive->status_counter_id,
                                               &destination->address_counter_id, err);
    if (result < 0)
        free_destination(conductor, destination);
    else
        *ret_destination = destination;
    return result;
}

rj_receive_entry_t *rj_conductor_make_receive(rj_conductor_t *conductor, rj_err_t *err)
{
    rj_receive_entry_t *receive = open_receive(conductor, err);
    rj_receive_destination_entry_t *destination = NULL;
    if (receive == NULL)
        return NULL;
    if (open_address(conductor, receive, &destination, err) < 0) {
        free_receive(receive);
        return NULL;
    }
    DL_APPEND(conductor->receive_endpoints, receive);
    conductor->receive_count++;
    rj_engine_command_t add = {.type = RJ_ENGINE_ADD_RECEIVE_ENDPOINT,
                               .receive_endpoint = &receive->endpoint};
    receive->knowing_count = rj_conductor_tell_all(conductor, receive->endpoint.home, &add);
    if (destination != NULL)
        start_destination(conductor, receive, destination);
    return receive;
}

void rj_conductor_try_close_receive(rj_conductor_t *conductor, rj_receive_entry_t *receive)
{
    if (receive->state != RJ_ENDPOINT_ACTIVE || receive->interests != NULL ||
        receive->image_count > 0 || receive->creation_count > 0 || receive->response_count > 0)
        return;
    receive->state = RJ_ENDPOINT_CLOSING;
    rj_receive_destination_entry_t *destination;
    DL_FOREACH(receive->destinations, destination)
    {
        if (destination->state == RJ_ENDPOINT_ACTIVE)
            rj_conductor_remove_receive_destination(conductor, destination, REMOVAL_NONE);
    }
    rj_engine_command_t remove = {.type = RJ_ENGINE_REMOVE_RECEIVE_ENDPOINT,
                                  .receive_endpoint = &receive->endpoint};
    rj_conductor_tell_all(conductor, receive->endpoint.home, &remove);
}

/* Its destinations were released before, in every engine. */
void rj_conductor_on_receive_released(rj_conductor_t *conductor, rj_receive_entry_t *receive)
{
    (void)conductor;
    if (--receive->knowing_count == 0)
        receive->state = RJ_ENDPOINT_RELEASED;
}

static void delete_receive(rj_conductor_t *conductor, rj_receive_entry_t *receive)
{
    /* Those that engines still have when the driver closes; else they went before. */
    rj_receive_destination_entry_t *destination, *next;
    DL_FOREACH_SAFE(receive->destinations, destination, next)
    {
        delete_destination(conductor, destination);
    }
    rj_conductor_forget_receive(conductor, receive);
    rj_conductor_free_counter(conductor, receive->status_counter_id);
    DL_DELETE(conductor->receive_endpoints, receive);
    conductor->receive_count--;
    free_receive(receive);
}

void rj_conductor_time_receive_endpoints(rj_conductor_t *conductor)
{
    rj_receive_entry_t *receive, *next;
    DL_FOREACH_SAFE(conductor->receive_endpoints, receive, next)
    {
        if (receive->state == RJ_ENDPOINT_RELEASED)
            delete_receive(conductor, receive);
    }
}

void rj_conductor_free_receive_endpoints(rj_conductor_t *conductor)
{
    rj_receive_entry_t *receive, *next;
    DL_FOREACH_SAFE(conductor->receive_endpoints, receive, next)
    {
        delete_receive(conductor, receive);
    }
}
