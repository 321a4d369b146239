/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints, which streams of one channel share: found by channel, opened, given back
 * (commands.md 7; driver.md 12, 13). */
#include "conductor/conductor_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* --- what both sides have in common --- */

static int32_t first_set(int32_t a, int32_t b)
{
    return a != 0 ? a : b;
}

static int32_t effective_sndbuf(const rj_conductor_t *conductor, const rj_channel_t *channel)
{
    return first_set(channel->sndbuf_bytes, (int32_t)conductor->config->socket_sndbuf_bytes);
}

static int32_t effective_rcvbuf(const rj_conductor_t *conductor, const rj_channel_t *channel)
{
    return first_set(channel->rcvbuf_bytes, (int32_t)conductor->config->socket_rcvbuf_bytes);
}

/* Whether an endpoint serves a channel. Those that are released are only waiting to be deleted. */
static bool is_for(const rj_channel_t *existing, rj_endpoint_state_t state,
                   const rj_channel_t *channel)
{
    bool is_other_tag = channel->has_tag && existing->has_tag && channel->tag != existing->tag;
    return state != RJ_ENDPOINT_RELEASED && !is_other_tag &&
           strcmp(existing->canonical, channel->canonical) == 0;
}

static int fail_closing(const char *side, const rj_channel_t *channel, rj_err_t *err)
{
    return rj_fail_aeron(err, -EAGAIN, RJ_ERROR_RESOURCE_TEMPORARILY_UNAVAILABLE,
                         "%s channel found in CLOSING state, please retry: %s", side,
                         channel->uri.text);
}

/* A stated buffer size must be that of the socket which is there. */
static int check_buffer(const char *option, int32_t stated, int32_t existing,
                        const rj_channel_t *existing_channel, const rj_channel_t *channel,
                        rj_err_t *err)
{
    if (stated == 0 || stated == existing)
        return 0;
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                         "%s=%d does not match existing value of %d%s: existingChannel=%s "
                         "channel=%s",
                         option, stated, existing, existing == 0 ? " (OS default)" : "",
                         existing_channel->uri.text, channel->uri.text);
}

/* In some threading modes one port serves all of them. */
static int check_count(const rj_conductor_t *conductor, const rj_channel_t *channel, rj_err_t *err)
{
    if (conductor->endpoint_count < RJ_PORT_ENDPOINTS_MAX)
        return 0;
    return rj_fail(err, -ENOSPC, "more than %d channels: %s", RJ_PORT_ENDPOINTS_MAX,
                   channel->uri.text);
}

/* Who hears a group binds its port on any address; what it answers, or sends, goes to groups too
 * (wire.md 7.2, 8). */
static void bind_group(const rj_conductor_t *conductor, const rj_channel_t *channel,
                       const rj_address_t *group, rj_socket_params_t *params)
{
    const uint8_t ttl =
        channel->ttl != 0 ? channel->ttl : (uint8_t)conductor->config->multicast_ttl;
    params->bind = rj_address_wildcard(group->family);
    params->bind.port = group->port;
    params->group = (rj_socket_group_t){.address = *group,
                                        .interface = channel->local_data,
                                        .interface_index = channel->interface_index,
                                        .ttl = ttl};
}

/* `*ret_bound` is what the counters tell: as Aeron, of a group the address bound, not the group. */
static int open_socket(rj_conductor_t *conductor, const rj_channel_t *channel,
                       const rj_socket_params_t *params, rj_endpoint_t *base,
                       rj_address_t *ret_bound, rj_err_t *err)
{
    rj_socket_info_t info;
    int result =
        conductor->params.sockets->ops->open(conductor->params.sockets, params, &info, err);
    if (result < 0) {
        rj_err_context(err, "channel=%s: ", channel->uri.text);
        return result;
    }
    base->socket = info.socket;
    base->local = info.local;
    base->peer = params->connect;
    base->group_link = 0;
    if (params->group.address.family != AF_UNSPEC) {
        base->group_link = params->group.interface_index;
        base->local = params->group.address;
        base->local.port = info.local.port;
    }
    *ret_bound = info.local;
    return 0;
}

static void close_socket(rj_conductor_t *conductor, rj_endpoint_t *base)
{
    if (base->socket >= 0)
        conductor->params.sockets->ops->close(conductor->params.sockets, base->socket);
    base->socket = -1;
}

/* --- homes --- */

/* How many endpoints live in each engine: of `kind`, and of both kinds. */
static void count_homes(const rj_conductor_t *conductor, rj_endpoint_kind_t kind, int *ret_of_kind,
                        int *ret_of_both)
{
    const rj_send_entry_t *send;
    DL_FOREACH(conductor->send_endpoints, send)
    {
        ret_of_both[send->endpoint.base.home]++;
        ret_of_kind[send->endpoint.base.home] += kind == RJ_ENDPOINT_SEND;
    }
    const rj_receive_entry_t *receive;
    DL_FOREACH(conductor->receive_endpoints, receive)
    {
        ret_of_both[receive->endpoint.home]++;
        ret_of_kind[receive->endpoint.home] += kind == RJ_ENDPOINT_RECEIVE;
    }
}

/* Where the next endpoint of a kind lives: spread evenly, each kind by itself first. */
static int choose_home(const rj_conductor_t *conductor, rj_endpoint_kind_t kind)
{
    if (!conductor->params.has_rings)
        return kind == RJ_ENDPOINT_SEND ? 0 : conductor->params.engine_count - 1;
    int of_kind[RJ_ENGINES_MAX] = {0};
    int of_both[RJ_ENGINES_MAX] = {0};
    count_homes(conductor, kind, of_kind, of_both);
    int best = 0;
    for (int i = 1; i < conductor->params.engine_count; i++) {
        if (of_kind[i] < of_kind[best] ||
            (of_kind[i] == of_kind[best] && of_both[i] < of_both[best]))
            best = i;
    }
    return best;
}

static void init_base(rj_conductor_t *conductor, rj_endpoint_t *base, rj_endpoint_kind_t kind,
                      int home)
{
    *base = (rj_endpoint_t){
        .kind = kind, .id = ++conductor->next_endpoint_id, .home = home, .socket = -1, .slot = -1};
}

/* Tells all engines that know an endpoint, its home first; returns how many. */
static int tell_all(rj_conductor_t *conductor, int home, const rj_engine_command_t *command)
{
    rj_conductor_tell(conductor, home, command);
    if (!conductor->params.has_rings)
        return 1;
    for (int i = 0; i < conductor->params.engine_count; i++) {
        if (i != home)
            rj_conductor_tell(conductor, i, command);
    }
    return conductor->params.engine_count;
}

/* --- send endpoints --- */

rj_send_entry_t *rj_conductor_find_send(rj_conductor_t *conductor, const rj_channel_t *channel)
{
    rj_send_entry_t *send;
    DL_FOREACH(conductor->send_endpoints, send)
    {
        if (is_for(&send->endpoint.channel, send->state, channel))
            return send;
    }
    return NULL;
}

int rj_conductor_check_send(rj_conductor_t *conductor, const rj_send_entry_t *send, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    const rj_channel_t *channel = &command->channel;
    int32_t existing_sndbuf = 0;
    if (send != NULL) {
        const rj_channel_t *existing = &send->endpoint.channel;
        if (send->state == RJ_ENDPOINT_CLOSING)
            return fail_closing("send", channel, err);
        int result = check_buffer("so-sndbuf", channel->sndbuf_bytes, send->sndbuf_bytes, existing,
                                  channel, err);
        if (result == 0)
            result = check_buffer("so-rcvbuf", channel->rcvbuf_bytes, send->rcvbuf_bytes, existing,
                                  channel, err);
        if (result < 0)
            return result;
        existing_sndbuf = send->sndbuf_bytes;
    }
    int32_t sndbuf = first_set(existing_sndbuf, effective_sndbuf(conductor, channel));
    sndbuf = first_set(sndbuf, conductor->sndbuf_default_bytes);
    if (command->publication_params.mtu_bytes > sndbuf)
        return rj_fail_aeron(
            err, -EINVAL, RJ_ERROR_GENERIC,
            "MTU greater than SO_SNDBUF for channel: mtu=%d so-sndbuf=%d channel=%s",
            command->publication_params.mtu_bytes, sndbuf, channel->uri.text);
    return 0;
}

static void free_send(rj_conductor_t *conductor, rj_send_entry_t *send)
{
    close_socket(conductor, &send->endpoint.base);
    rj_conductor_drop_header(conductor, &send->headed);
    rj_send_endpoint_close(&send->endpoint);
    free(send);
}

/* A group's one socket both sends and listens, so it is not connected, which would silence it. */
static int open_send_socket(rj_conductor_t *conductor, rj_send_entry_t *send,
                            rj_address_t *ret_bound, rj_err_t *err)
{
    const rj_channel_t *channel = &send->endpoint.channel;
    bool connects =
        channel->has_endpoint && !channel->is_multicast && conductor->config->connect_sockets;
    rj_socket_params_t params = {.bind = channel->local_data,
                                 .sndbuf_bytes = send->sndbuf_bytes,
                                 .rcvbuf_bytes = send->rcvbuf_bytes};
    if (connects)
        params.connect = channel->remote_data;
    if (channel->is_multicast)
        bind_group(conductor, channel, &channel->remote_control, &params);
    int result = open_socket(conductor, channel, &params, &send->endpoint.base, ret_bound, err);
    if (result == 0)
        rj_path_init(&send->endpoint.data_path, &send->endpoint.base, &channel->remote_data,
                     connects);
    return result;
}

rj_send_entry_t *rj_conductor_make_send(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    if (check_count(conductor, &command->channel, err) < 0)
        return NULL;
    rj_send_entry_t *send = calloc(1, sizeof(*send));
    if (send == NULL) {
        rj_fail(err, -ENOMEM, "out of memory for a channel");
        return NULL;
    }
    init_base(conductor, &send->endpoint.base, RJ_ENDPOINT_SEND,
              choose_home(conductor, RJ_ENDPOINT_SEND));
    send->endpoint.channel = command->channel;
    send->sndbuf_bytes = effective_sndbuf(conductor, &command->channel);
    send->rcvbuf_bytes = effective_rcvbuf(conductor, &command->channel);
    rj_address_t bound;
    if (rj_send_endpoint_open(&send->endpoint, err) < 0 ||
        open_send_socket(conductor, send, &bound, err) < 0 ||
        rj_conductor_channel_counters(conductor, true, command->correlation_id,
                                      command->channel.uri.text, &bound, &send->status_counter_id,
                                      &send->address_counter_id, err) < 0) {
        free_send(conductor, send);
        return NULL;
    }
    DL_APPEND(conductor->send_endpoints, send);
    conductor->endpoint_count++;
    rj_engine_command_t add = {.type = RJ_ENGINE_ADD_SEND_ENDPOINT,
                               .send_endpoint = &send->endpoint};
    send->knowing_count = tell_all(conductor, send->endpoint.base.home, &add);
    rj_conductor_steer_send(conductor, send);
    return send;
}

void rj_conductor_try_close_send(rj_conductor_t *conductor, rj_send_entry_t *send)
{
    if (send->refcount > 0 || send->state != RJ_ENDPOINT_ACTIVE)
        return;
    send->state = RJ_ENDPOINT_CLOSING;
    rj_engine_command_t remove = {.type = RJ_ENGINE_REMOVE_SEND_ENDPOINT,
                                  .send_endpoint = &send->endpoint};
    tell_all(conductor, send->endpoint.base.home, &remove);
    rj_conductor_unsteer_send(conductor, send);
}

/* The port is free from here on; the counters that tell so follow with the timer. */
void rj_conductor_on_send_released(rj_conductor_t *conductor, rj_send_entry_t *send)
{
    if (--send->knowing_count > 0)
        return;
    send->state = RJ_ENDPOINT_RELEASED;
    close_socket(conductor, &send->endpoint.base);
}

static void delete_send(rj_conductor_t *conductor, rj_send_entry_t *send)
{
    rj_conductor_free_counter(conductor, send->status_counter_id);
    rj_conductor_free_counter(conductor, send->address_counter_id);
    DL_DELETE(conductor->send_endpoints, send);
    conductor->endpoint_count--;
    free_send(conductor, send);
}

void rj_conductor_time_send_endpoints(rj_conductor_t *conductor)
{
    rj_send_entry_t *send, *next;
    DL_FOREACH_SAFE(conductor->send_endpoints, send, next)
    {
        if (send->state == RJ_ENDPOINT_RELEASED)
            delete_send(conductor, send);
    }
}

/* --- receive endpoints --- */

rj_receive_entry_t *rj_conductor_find_receive(rj_conductor_t *conductor,
                                              const rj_channel_t *channel)
{
    rj_receive_entry_t *receive;
    DL_FOREACH(conductor->receive_endpoints, receive)
    {
        if (is_for(&receive->endpoint.channel, receive->state, channel))
            return receive;
    }
    return NULL;
}

static int check_window(const rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    int32_t rcvbuf =
        first_set(effective_rcvbuf(conductor, &command->channel), conductor->rcvbuf_default_bytes);
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
    if (receive != NULL && receive->state == RJ_ENDPOINT_CLOSING)
        return fail_closing("receive", channel, err);
    int result = check_window(conductor, err);
    if (result < 0 || receive == NULL)
        return result;
    const rj_channel_t *existing = &receive->endpoint.channel;
    result = check_buffer("so-sndbuf", effective_sndbuf(conductor, channel), receive->sndbuf_bytes,
                          existing, channel, err);
    if (result < 0)
        return result;
    return check_buffer("so-rcvbuf", effective_rcvbuf(conductor, channel), receive->rcvbuf_bytes,
                        existing, channel, err);
}

static void free_receive(rj_conductor_t *conductor, rj_receive_entry_t *receive)
{
    for (int i = 0; i < receive->endpoint.destination_count; i++)
        close_socket(conductor, &receive->endpoint.destinations[i].base);
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
    init_base(conductor, &destination->base, RJ_ENDPOINT_RECEIVE, receive->endpoint.home);
    receive->endpoint.destination_count = 1;
    if (channel->is_multicast) {
        bind_group(conductor, channel, &channel->remote_data, &params);
        destination->has_control = true;
        rj_path_init(&destination->control_path, &destination->base, &channel->remote_control,
                     false);
    }
    return open_socket(conductor, channel, &params, &destination->base, ret_bound, err);
}

rj_receive_entry_t *rj_conductor_make_receive(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    if (check_count(conductor, &command->channel, err) < 0)
        return NULL;
    rj_receive_entry_t *receive = calloc(1, sizeof(*receive));
    if (receive == NULL) {
        rj_fail(err, -ENOMEM, "out of memory for a channel");
        return NULL;
    }
    receive->endpoint.channel = command->channel;
    receive->endpoint.home = choose_home(conductor, RJ_ENDPOINT_RECEIVE);
    receive->endpoint.receiver_id = conductor->next_receiver_id++;
    receive->endpoint.has_group_tag = command->subscription_params.has_group_tag;
    receive->endpoint.group_tag = command->subscription_params.group_tag;
    receive->sndbuf_bytes = effective_sndbuf(conductor, &command->channel);
    receive->rcvbuf_bytes = effective_rcvbuf(conductor, &command->channel);
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
    receive->knowing_count = tell_all(conductor, receive->endpoint.home, &add);
    rj_conductor_steer_receive(conductor, receive);
    return receive;
}

void rj_conductor_try_close_receive(rj_conductor_t *conductor, rj_receive_entry_t *receive)
{
    if (receive->state != RJ_ENDPOINT_ACTIVE || receive->interests != NULL ||
        receive->image_count > 0 || receive->creation_count > 0)
        return;
    receive->state = RJ_ENDPOINT_CLOSING;
    rj_engine_command_t remove = {.type = RJ_ENGINE_REMOVE_RECEIVE_ENDPOINT,
                                  .receive_endpoint = &receive->endpoint};
    tell_all(conductor, receive->endpoint.home, &remove);
    rj_conductor_unsteer_receive(conductor, receive);
}

void rj_conductor_on_receive_released(rj_conductor_t *conductor, rj_receive_entry_t *receive)
{
    if (--receive->knowing_count > 0)
        return;
    receive->state = RJ_ENDPOINT_RELEASED;
    for (int i = 0; i < receive->endpoint.destination_count; i++)
        close_socket(conductor, &receive->endpoint.destinations[i].base);
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

void rj_conductor_free_endpoints(rj_conductor_t *conductor)
{
    rj_send_entry_t *send, *next_send;
    DL_FOREACH_SAFE(conductor->send_endpoints, send, next_send)
    {
        delete_send(conductor, send);
    }
    rj_receive_entry_t *receive, *next_receive;
    DL_FOREACH_SAFE(conductor->receive_endpoints, receive, next_receive)
    {
        delete_receive(conductor, receive);
    }
}
