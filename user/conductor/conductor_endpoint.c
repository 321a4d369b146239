/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints, which streams of one channel share: what both sides have in common, and the send side
 * (commands.md 7; driver.md 12). */
#include "conductor/conductor_destination.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* --- what both sides have in common --- */

int32_t rj_conductor_sndbuf(const rj_conductor_t *conductor, const rj_channel_t *channel)
{
    return rj_first_set(channel->sndbuf_bytes, (int32_t)conductor->config->socket_sndbuf_bytes);
}

int32_t rj_conductor_rcvbuf(const rj_conductor_t *conductor, const rj_channel_t *channel)
{
    return rj_first_set(channel->rcvbuf_bytes, (int32_t)conductor->config->socket_rcvbuf_bytes);
}

int rj_conductor_fail_closing(const char *side, const rj_channel_t *channel, rj_err_t *err)
{
    return rj_fail_aeron(err, -EAGAIN, RJ_ERROR_RESOURCE_TEMPORARILY_UNAVAILABLE,
                         "%s channel found in CLOSING state, please retry: %s", side,
                         channel->uri.text);
}

int rj_conductor_fail_timestamp(const char *option, int32_t offset,
                                const rj_channel_t *existing_channel, const rj_channel_t *channel,
                                rj_err_t *err)
{
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                         "option conflicts with existing subscription: %s=%d existingChannel=%s "
                         "channel=%s",
                         option, offset, existing_channel->uri.text, channel->uri.text);
}

int rj_conductor_check_buffer(const char *option, int32_t stated, int32_t existing,
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

int rj_conductor_check_count(const rj_conductor_t *conductor, const rj_channel_t *channel,
                             rj_err_t *err)
{
    if (conductor->endpoint_count < RJ_PORT_ENDPOINTS_MAX)
        return 0;
    return rj_fail(err, -ENOSPC, "more than %d channels: %s", RJ_PORT_ENDPOINTS_MAX,
                   channel->uri.text);
}

void rj_conductor_bind_group(const rj_conductor_t *conductor, const rj_channel_t *channel,
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

static rj_port_manager_t *ports_of(rj_conductor_t *conductor, rj_endpoint_kind_t kind)
{
    return kind == RJ_ENDPOINT_RECEIVE ? &conductor->receiver_ports : &conductor->sender_ports;
}

/* As the reference: what a publication binds without `control` is the system's to choose. */
static bool has_managed_port(const rj_endpoint_t *base, const rj_channel_t *channel)
{
    return base->kind == RJ_ENDPOINT_RECEIVE || (channel->has_control && !channel->is_multicast);
}

/* On the next port of the range that nobody has, neither this driver nor anybody else. */
static int open_in_range(rj_conductor_t *conductor, rj_port_manager_t *ports,
                         const rj_socket_params_t *params, rj_socket_info_t *ret_info,
                         rj_err_t *err)
{
    rj_sockets_t *sockets = conductor->params.sockets;
    rj_socket_params_t chosen = *params;
    int result = -EADDRINUSE;
    for (int i = 0; result == -EADDRINUSE && i <= ports->range.high - ports->range.low; i++) {
        result = rj_port_manager_take(ports, &chosen.bind.port, err);
        if (result < 0)
            return result;
        result = sockets->ops->open(sockets, &chosen, ret_info, err);
        if (result < 0)
            rj_port_manager_release(ports, chosen.bind.port);
    }
    return result;
}

static int open_on_port(rj_conductor_t *conductor, const rj_channel_t *channel,
                        const rj_socket_params_t *params, rj_endpoint_t *base,
                        rj_socket_info_t *ret_info, rj_err_t *err)
{
    rj_sockets_t *sockets = conductor->params.sockets;
    rj_port_manager_t *ports = ports_of(conductor, base->kind);
    const bool is_managed = rj_port_manager_has_range(ports) && has_managed_port(base, channel);
    if (is_managed && params->bind.port == 0) {
        const int result = open_in_range(conductor, ports, params, ret_info, err);
        base->managed_port = result < 0 ? 0 : ret_info->local.port;
        return result;
    }
    const int result = sockets->ops->open(sockets, params, ret_info, err);
    base->managed_port = result < 0 || !is_managed ? 0 : ret_info->local.port;
    rj_port_manager_hold(ports, base->managed_port);
    return result;
}

int rj_conductor_open_socket(rj_conductor_t *conductor, const rj_channel_t *channel,
                             const rj_socket_params_t *params, rj_endpoint_t *base,
                             rj_address_t *ret_bound, rj_err_t *err)
{
    rj_socket_info_t info;
    int result = open_on_port(conductor, channel, params, base, &info, err);
    if (result < 0) {
        rj_err_context(err, "channel=%s: ", channel->uri.text);
        return result;
    }
    base->socket = info.socket;
    base->local = info.local;
    base->peer = params->connect;
    base->wants_media_time = params->wants_media_time;
    if (params->wants_media_time && !info.has_media_time)
        rj_conductor_report(conductor, RJ_ERROR_GENERIC,
                            "WARNING: the kernel does not tell when it has datagrams: "
                            "media-rcv-ts-offset shows when they were read: %s",
                            channel->uri.text);
    base->group_link = 0;
    if (params->group.address.family != AF_UNSPEC) {
        base->group_link = params->group.interface_index;
        base->local = params->group.address;
        base->local.port = info.local.port;
    }
    *ret_bound = info.local;
    return 0;
}

void rj_conductor_close_socket(rj_conductor_t *conductor, rj_endpoint_t *base)
{
    if (base->socket >= 0)
        conductor->params.sockets->ops->close(conductor->params.sockets, base->socket);
    base->socket = -1;
    rj_port_manager_release(ports_of(conductor, base->kind), base->managed_port);
    base->managed_port = 0;
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

int rj_conductor_choose_home(const rj_conductor_t *conductor, rj_endpoint_kind_t kind)
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

void rj_conductor_init_base(rj_conductor_t *conductor, rj_endpoint_t *base, rj_endpoint_kind_t kind,
                            int home)
{
    *base = (rj_endpoint_t){
        .kind = kind, .id = ++conductor->next_endpoint_id, .home = home, .socket = -1, .slot = -1};
}

int rj_conductor_tell_all(rj_conductor_t *conductor, int home, const rj_engine_command_t *command)
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

static rj_send_entry_t *find_send(const rj_conductor_t *conductor, const rj_channel_t *channel,
                                  bool (*is_for)(const rj_channel_t *existing,
                                                 rj_endpoint_state_t state,
                                                 const rj_channel_t *channel))
{
    rj_send_entry_t *send;
    DL_FOREACH(conductor->send_endpoints, send)
    {
        if (is_for(&send->endpoint.channel, send->state, channel))
            return send;
    }
    return NULL;
}

int rj_conductor_find_send(rj_conductor_t *conductor, const rj_channel_t *channel,
                           rj_send_entry_t **ret_send, rj_err_t *err)
{
    rj_send_entry_t *send = find_send(conductor, channel, rj_conductor_has_tag_of);
    bool is_tagged = send != NULL;
    if (!is_tagged && rj_channel_is_tag_only(channel) &&
        channel->control_mode != RJ_CONTROL_MODE_MANUAL)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                             "URI must have explicit control, endpoint, or be manual control-mode "
                             "when original: channel=%s",
                             channel->uri.text);
    if (!is_tagged)
        send = find_send(conductor, channel, rj_conductor_has_text_of);
    if (send != NULL && send->state == RJ_ENDPOINT_CLOSING)
        return rj_conductor_fail_closing("send", channel, err);
    if (is_tagged && rj_conductor_check_tag(&send->endpoint.channel, channel, err) < 0)
        return err->code;
    *ret_send = send;
    return 0;
}

static int check_send_timestamp(const rj_channel_t *existing, const rj_channel_t *channel,
                                rj_err_t *err)
{
    if (channel->channel_send_timestamp_offset == existing->channel_send_timestamp_offset)
        return 0;
    return rj_conductor_fail_timestamp(
        "channel-snd-ts-offset", channel->channel_send_timestamp_offset, existing, channel, err);
}

int rj_conductor_check_send(rj_conductor_t *conductor, const rj_send_entry_t *send, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    const rj_channel_t *channel = &command->channel;
    int32_t existing_sndbuf = 0;
    if (send != NULL) {
        const rj_channel_t *existing = &send->endpoint.channel;
        int result = check_send_timestamp(existing, channel, err);
        if (result == 0)
            result = rj_conductor_check_transport(existing, channel, err);
        if (result == 0)
            result = rj_conductor_check_buffer("so-sndbuf", channel->sndbuf_bytes,
                                               send->sndbuf_bytes, existing, channel, err);
        if (result == 0)
            result = rj_conductor_check_buffer("so-rcvbuf", channel->rcvbuf_bytes,
                                               send->rcvbuf_bytes, existing, channel, err);
        if (result < 0)
            return result;
        existing_sndbuf = send->sndbuf_bytes;
    }
    int32_t sndbuf = rj_first_set(existing_sndbuf, rj_conductor_sndbuf(conductor, channel));
    sndbuf = rj_first_set(sndbuf, conductor->sndbuf_default_bytes);
    if (command->publication_params.mtu_bytes > sndbuf)
        return rj_fail_aeron(
            err, -EINVAL, RJ_ERROR_GENERIC,
            "MTU greater than SO_SNDBUF for channel: mtu=%d so-sndbuf=%d channel=%s",
            command->publication_params.mtu_bytes, sndbuf, channel->uri.text);
    return 0;
}

static void free_send(rj_conductor_t *conductor, rj_send_entry_t *send)
{
    rj_conductor_close_socket(conductor, &send->endpoint.base);
    rj_conductor_free_destinations(conductor, send);
    rj_conductor_drop_header(conductor, &send->headed);
    rj_send_endpoint_close(&send->endpoint);
    free(send);
}

/* A group's one socket both sends and listens, so it is not connected, which would silence it. */
static int open_send_socket(rj_conductor_t *conductor, rj_send_entry_t *send,
                            rj_address_t *ret_bound, rj_err_t *err)
{
    const rj_channel_t *channel = &send->endpoint.channel;
    bool connects = channel->has_endpoint && !channel->is_multicast &&
                    channel->control_mode != RJ_CONTROL_MODE_RESPONSE &&
                    !rj_channel_is_mdc(channel) && conductor->config->connect_sockets;
    rj_socket_params_t params = {.bind = channel->local_data,
                                 .sndbuf_bytes = send->sndbuf_bytes,
                                 .rcvbuf_bytes = send->rcvbuf_bytes};
    if (connects)
        params.connect = channel->remote_data;
    if (channel->is_multicast)
        rj_conductor_bind_group(conductor, channel, &channel->remote_control, &params);
    int result =
        rj_conductor_open_socket(conductor, channel, &params, &send->endpoint.base, ret_bound, err);
    if (result == 0)
        rj_path_init(&send->endpoint.data_path, &send->endpoint.base, &channel->remote_data,
                     connects);
    return result;
}

/* Its counters, or none. */
static int count_send(rj_conductor_t *conductor, rj_send_entry_t *send, const rj_address_t *bound,
                      rj_err_t *err)
{
    const int64_t registration_id = conductor->command.correlation_id;
    const char *channel = send->endpoint.channel.uri.text;
    rj_send_destinations_t *destinations = send->endpoint.destinations;
    int result =
        rj_conductor_channel_counters(conductor, true, registration_id, channel, bound,
                                      &send->status_counter_id, &send->address_counter_id, err);
    send->count_counter_id = RJ_COUNTER_ID_NULL;
    if (result < 0 || destinations == NULL)
        return result;
    result = rj_conductor_destination_counter(conductor, registration_id, channel,
                                              &send->count_counter_id, err);
    if (result < 0) {
        rj_conductor_free_counter(conductor, send->status_counter_id);
        rj_conductor_free_counter(conductor, send->address_counter_id);
        return result;
    }
    destinations->is_aware = conductor->config->mdc_stream_aware;
    destinations->tells = rj_conductor_keeps_headers(conductor);
    destinations->count_counter = rj_counters_value(conductor->counters, send->count_counter_id);
    return 0;
}

rj_send_entry_t *rj_conductor_make_send(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    if (rj_conductor_check_count(conductor, &command->channel, err) < 0)
        return NULL;
    rj_send_entry_t *send = calloc(1, sizeof(*send));
    if (send == NULL) {
        rj_fail(err, -ENOMEM, "out of memory for a channel");
        return NULL;
    }
    rj_conductor_init_base(conductor, &send->endpoint.base, RJ_ENDPOINT_SEND,
                           rj_conductor_choose_home(conductor, RJ_ENDPOINT_SEND));
    send->endpoint.channel = command->channel;
    send->endpoint.last_sm_ns = conductor->now_ns;
    send->sndbuf_bytes = rj_conductor_sndbuf(conductor, &command->channel);
    send->rcvbuf_bytes = rj_conductor_rcvbuf(conductor, &command->channel);
    rj_address_t bound;
    if (rj_send_endpoint_open(&send->endpoint, err) < 0 ||
        open_send_socket(conductor, send, &bound, err) < 0 ||
        count_send(conductor, send, &bound, err) < 0) {
        free_send(conductor, send);
        return NULL;
    }
    DL_APPEND(conductor->send_endpoints, send);
    conductor->endpoint_count++;
    rj_engine_command_t add = {.type = RJ_ENGINE_ADD_SEND_ENDPOINT,
                               .send_endpoint = &send->endpoint};
    send->knowing_count = rj_conductor_tell_all(conductor, send->endpoint.base.home, &add);
    rj_conductor_steer_send(conductor, send);
    rj_conductor_follow_send(conductor, send);
    return send;
}

void rj_conductor_try_close_send(rj_conductor_t *conductor, rj_send_entry_t *send)
{
    if (send->refcount > 0 || send->state != RJ_ENDPOINT_ACTIVE || send->moving_count > 0)
        return;
    send->state = RJ_ENDPOINT_CLOSING;
    rj_conductor_unfollow_name(conductor, &send->name);
    rj_engine_command_t remove = {.type = RJ_ENGINE_REMOVE_SEND_ENDPOINT,
                                  .send_endpoint = &send->endpoint};
    rj_conductor_tell_all(conductor, send->endpoint.base.home, &remove);
    rj_conductor_unsteer_send(conductor, send);
    rj_conductor_unsteer_destinations(conductor, send);
}

/* The port is free from here on; the counters that tell so follow with the timer. */
void rj_conductor_on_send_released(rj_conductor_t *conductor, rj_send_entry_t *send)
{
    if (--send->knowing_count > 0)
        return;
    send->state = RJ_ENDPOINT_RELEASED;
    rj_conductor_close_socket(conductor, &send->endpoint.base);
}

static void delete_send(rj_conductor_t *conductor, rj_send_entry_t *send)
{
    rj_conductor_free_counter(conductor, send->status_counter_id);
    rj_conductor_free_counter(conductor, send->address_counter_id);
    if (send->count_counter_id != RJ_COUNTER_ID_NULL)
        rj_conductor_free_counter(conductor, send->count_counter_id);
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

void rj_conductor_free_send_endpoints(rj_conductor_t *conductor)
{
    rj_send_entry_t *send, *next;
    DL_FOREACH_SAFE(conductor->send_endpoints, send, next)
    {
        delete_send(conductor, send);
    }
}
