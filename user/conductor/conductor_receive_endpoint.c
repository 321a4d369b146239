/* SPDX-License-Identifier: Apache-2.0 */
/* Receive endpoints: found by channel, opened, given back (commands.md 7.2; driver.md 13). */
#include "conductor/conductor_endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

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

int rj_conductor_check_receive(rj_conductor_t *conductor, const rj_receive_entry_t *receive,
                               rj_err_t *err)
{
    const rj_channel_t *channel = &conductor->command.channel;
    int result = receive != NULL ? check_timestamps(&receive->endpoint.channel, channel, err) : 0;
    if (result == 0)
        result = check_window(conductor, err);
    if (result < 0 || receive == NULL)
        return result;
    const rj_channel_t *existing = &receive->endpoint.channel;
    result = rj_conductor_check_buffer("so-sndbuf", rj_conductor_sndbuf(conductor, channel),
                                       receive->sndbuf_bytes, existing, channel, err);
    if (result < 0)
        return result;
    return rj_conductor_check_buffer("so-rcvbuf", rj_conductor_rcvbuf(conductor, channel),
                                     receive->rcvbuf_bytes, existing, channel, err);
}

static void free_receive(rj_conductor_t *conductor, rj_receive_entry_t *receive)
{
    for (int i = 0; i < receive->endpoint.destination_count; i++)
        rj_conductor_close_socket(conductor, &receive->endpoint.destinations[i].base);
    rj_interest_t *interest, *next;
    DL_FOREACH_SAFE(receive->interests, interest, next)
    {
        free(interest);
    }
    rj_dispatcher_close(receive->endpoint.dispatcher);
    free(receive);
}

static int open_receive_socket(rj_conductor_t *conductor, rj_receive_entry_t *receive,
                               rj_address_t *ret_bound, rj_err_t *err)
{
    const rj_channel_t *channel = &receive->endpoint.channel;
    rj_socket_params_t params = {.bind = channel->remote_data,
                                 .sndbuf_bytes = receive->sndbuf_bytes,
                                 .rcvbuf_bytes = receive->rcvbuf_bytes};
    rj_receive_destination_t *destination = &receive->endpoint.destinations[0];
    *destination = (rj_receive_destination_t){.endpoint = &receive->endpoint,
                                              .is_multicast = channel->is_multicast,
                                              .ttl = channel->ttl,
                                              .last_activity_ns = conductor->now_ns};
    rj_conductor_init_base(conductor, &destination->base, RJ_ENDPOINT_RECEIVE,
                           receive->endpoint.home);
    receive->endpoint.destination_count = 1;
    if (channel->is_multicast) {
        rj_conductor_bind_group(conductor, channel, &channel->remote_data, &params);
        destination->has_control = true;
        rj_path_init(&destination->control_path, &destination->base, &channel->remote_control,
                     false);
    } else if (channel->has_control) {
        destination->has_control = true;
        rj_path_init(&destination->control_path, &destination->base, &channel->local_control,
                     false);
    }
    return rj_conductor_open_socket(conductor, channel, &params, &destination->base, ret_bound,
                                    err);
}

rj_receive_entry_t *rj_conductor_make_receive(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    if (rj_conductor_check_count(conductor, &command->channel, err) < 0)
        return NULL;
    rj_receive_entry_t *receive = calloc(1, sizeof(*receive));
    if (receive == NULL) {
        rj_fail(err, -ENOMEM, "out of memory for a channel");
        return NULL;
    }
    receive->endpoint.channel = command->channel;
    receive->endpoint.home = rj_conductor_choose_home(conductor, RJ_ENDPOINT_RECEIVE);
    receive->endpoint.receiver_id = conductor->next_receiver_id++;
    receive->endpoint.has_group_tag = command->subscription_params.has_group_tag;
    receive->endpoint.group_tag = command->subscription_params.group_tag;
    receive->sndbuf_bytes = rj_conductor_sndbuf(conductor, &command->channel);
    receive->rcvbuf_bytes = rj_conductor_rcvbuf(conductor, &command->channel);
    receive->params = command->subscription_params;
    rj_address_t bound;
    int result = rj_dispatcher_open(&receive->endpoint.dispatcher, RJ_DISPATCHER_STREAMS_MAX,
                                    RJ_DISPATCHER_SESSIONS_MAX,
                                    (int32_t)conductor->config->stream_session_limit);
    if (result < 0)
        rj_fail(err, result, "out of memory for a channel");
    if (result == 0)
        result = open_receive_socket(conductor, receive, &bound, err);
    if (result == 0)
        result = rj_conductor_channel_counters(
            conductor, false, command->correlation_id, command->channel.uri.text, &bound,
            &receive->status_counter_id, &receive->address_counter_id, err);
    if (result < 0) {
        free_receive(conductor, receive);
        return NULL;
    }
    DL_APPEND(conductor->receive_endpoints, receive);
    conductor->endpoint_count++;
    rj_engine_command_t add = {.type = RJ_ENGINE_ADD_RECEIVE_ENDPOINT,
                               .receive_endpoint = &receive->endpoint};
    receive->knowing_count = rj_conductor_tell_all(conductor, receive->endpoint.home, &add);
    rj_conductor_steer_receive(conductor, receive);
    return receive;
}

void rj_conductor_try_close_receive(rj_conductor_t *conductor, rj_receive_entry_t *receive)
{
    if (receive->state != RJ_ENDPOINT_ACTIVE || receive->interests != NULL ||
        receive->image_count > 0 || receive->creation_count > 0 || receive->response_count > 0)
        return;
    receive->state = RJ_ENDPOINT_CLOSING;
    rj_engine_command_t remove = {.type = RJ_ENGINE_REMOVE_RECEIVE_ENDPOINT,
                                  .receive_endpoint = &receive->endpoint};
    rj_conductor_tell_all(conductor, receive->endpoint.home, &remove);
    rj_conductor_unsteer_receive(conductor, receive);
}

void rj_conductor_on_receive_released(rj_conductor_t *conductor, rj_receive_entry_t *receive)
{
    if (--receive->knowing_count > 0)
        return;
    receive->state = RJ_ENDPOINT_RELEASED;
    for (int i = 0; i < receive->endpoint.destination_count; i++)
        rj_conductor_close_socket(conductor, &receive->endpoint.destinations[i].base);
}

static void delete_receive(rj_conductor_t *conductor, rj_receive_entry_t *receive)
{
    rj_conductor_forget_receive(conductor, receive);
    /* As Aeron: the value stays readable, and says that this is no address any more. */
    rj_counter_set(rj_counters_value(conductor->counters, receive->address_counter_id),
                   RJ_CHANNEL_STATUS_CLOSING);
    rj_conductor_free_counter(conductor, receive->status_counter_id);
    rj_conductor_free_counter(conductor, receive->address_counter_id);
    DL_DELETE(conductor->receive_endpoints, receive);
    conductor->endpoint_count--;
    free_receive(conductor, receive);
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
