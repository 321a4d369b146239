/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/channel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ramjet/command.h>

static int fail_channel(rj_err_t *err, const rj_channel_t *channel, const char *what)
{
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_INVALID_CHANNEL, "%s: %s", what, channel->uri.text);
}

/* As Aeron: what is wrong with a publication or a subscription alone is no bad channel. */
static int fail_use(rj_err_t *err, const rj_channel_t *channel, const char *what)
{
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC, "%s: %s", what, channel->uri.text);
}

static bool is_destination(const rj_channel_t *channel)
{
    return channel->role == RJ_CHANNEL_SEND_DESTINATION ||
           channel->role == RJ_CHANNEL_RECEIVE_DESTINATION;
}

/* Copies the value of `key`; 1 when it is there, 0 when not, negative when it is too long to mean a
 * host. */
static int copy_text(const rj_channel_t *channel, const char *key,
                     char ret[static RJ_CHANNEL_TEXT_BYTES], rj_err_t *err)
{
    rj_uri_value_t value = rj_uri_find(&channel->uri, key);
    ret[0] = '\0';
    if (value.text == NULL)
        return 0;
    if (value.length >= RJ_CHANNEL_TEXT_BYTES)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC, "%s is longer than %d bytes: %s", key,
                             RJ_CHANNEL_TEXT_BYTES - 1, channel->uri.text);
    memcpy(ret, value.text, value.length);
    ret[value.length] = '\0';
    return 1;
}

static int parse_texts(rj_channel_t *channel, rj_err_t *err)
{
    const struct {
        const char *key;
        char *text;
        bool *is_present;
    } rows[] = {
        {"endpoint", channel->endpoint_text, &channel->has_endpoint},
        {"control", channel->control_text, &channel->has_control},
        {"interface", channel->interface_text, &channel->has_interface},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int result = copy_text(channel, rows[i].key, rows[i].text, err);
        if (result < 0)
            return result;
        *rows[i].is_present = result > 0;
    }
    return 0;
}

static rj_control_mode_t parse_control_mode(const rj_uri_t *uri)
{
    if (rj_uri_value_is(uri, "control-mode", "manual"))
        return RJ_CONTROL_MODE_MANUAL;
    if (rj_uri_value_is(uri, "control-mode", "dynamic"))
        return RJ_CONTROL_MODE_DYNAMIC;
    if (rj_uri_value_is(uri, "control-mode", "response"))
        return RJ_CONTROL_MODE_RESPONSE;
    return RJ_CONTROL_MODE_NONE;
}

/* A multi-destination publication sets these once for all; a destination has no say. */
static int check_destination_keys(const rj_channel_t *channel, rj_err_t *err)
{
    static const char *const forbidden[] = {"mtu", "rcv-wnd", "so-rcvbuf", "so-sndbuf",
                                            "response-correlation-id"};
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        if (rj_uri_has(&channel->uri, forbidden[i]))
            return rj_fail_aeron(err, -EINVAL, RJ_ERROR_INVALID_CHANNEL,
                                 "destinations must not contain the key %s: %s", forbidden[i],
                                 channel->uri.text);
    }
    if (channel->control_mode == RJ_CONTROL_MODE_RESPONSE)
        return fail_channel(err, channel, "destinations may not specify control-mode=response");
    if (channel->role == RJ_CHANNEL_SEND_DESTINATION && !channel->has_endpoint)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                             "destinations must have an endpoint: %s", channel->uri.text);
    return 0;
}

/* commands.md 13.6, and what a publication needs besides. */
static int check_reach(const rj_channel_t *channel, rj_err_t *err)
{
    if (channel->control_mode == RJ_CONTROL_MODE_DYNAMIC && !channel->has_control)
        return fail_channel(err, channel, "control-mode=dynamic needs a control address");
    const bool is_reached_later = channel->control_mode == RJ_CONTROL_MODE_MANUAL ||
                                  channel->control_mode == RJ_CONTROL_MODE_RESPONSE;
    if (!channel->has_endpoint && !channel->has_control && !channel->has_tag && !is_reached_later)
        return fail_channel(
            err, channel,
            "a channel needs one of endpoint, control, tags, or control-mode manual or response");
    if (channel->role == RJ_CHANNEL_PUBLICATION && channel->has_control && !channel->has_endpoint &&
        channel->control_mode == RJ_CONTROL_MODE_NONE)
        return fail_use(err, channel,
                        "a publication with control but no endpoint needs a control-mode");
    return 0;
}

static int check_media(const rj_channel_t *channel, rj_err_t *err)
{
    const rj_uri_t *uri = &channel->uri;
    const bool sends =
        channel->role == RJ_CHANNEL_PUBLICATION || channel->role == RJ_CHANNEL_SEND_DESTINATION;
    if (uri->is_spy && sends)
        return fail_channel(err, channel, "spies are invalid here");
    if (uri->is_spy && uri->media == RJ_MEDIA_IPC)
        return fail_channel(err, channel, "spies are invalid on ipc");
    if (uri->media == RJ_MEDIA_IPC && channel->role == RJ_CHANNEL_SEND_DESTINATION)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                             "destinations of a publication must be udp: %s", uri->text);
    return 0;
}

static int parse_socket_buffer(const rj_uri_t *uri, const char *key, int32_t *ret_bytes,
                               rj_err_t *err)
{
    int64_t bytes = 0;
    int result = rj_uri_get_size(uri, key, &bytes, err);
    if (result < 0)
        return result;
    if (bytes > INT32_MAX)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                             "%s=%" PRId64 " is more than a socket can have", key, bytes);
    *ret_bytes = (int32_t)bytes;
    return 0;
}

/* A key of our own, which other drivers pass over. */
static int parse_transport(rj_channel_t *channel, rj_err_t *err)
{
    const rj_uri_value_t value = rj_uri_find(&channel->uri, "ramjet-transport");
    char text[16];
    if (value.text == NULL)
        return 0;
    snprintf(text, sizeof(text), "%.*s", (int)value.length, value.text);
    if (value.length < sizeof(text) && rj_transport_parse(text, &channel->transport) == 0)
        return 0;
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                         "ramjet-transport=%.*s: no such transport: give " RJ_TRANSPORT_NAMES,
                         (int)value.length, value.text);
}

static int parse_socket_options(rj_channel_t *channel, rj_err_t *err)
{
    int64_t ttl = 0;
    int result = rj_uri_get_i64(&channel->uri, "ttl", &ttl, err);
    if (result < 0)
        return result;
    if (ttl < 0)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC, "could not parse ttl=%" PRId64, ttl);
    channel->ttl = (uint8_t)(ttl > UINT8_MAX ? UINT8_MAX : ttl);

    result = parse_socket_buffer(&channel->uri, "so-sndbuf", &channel->sndbuf_bytes, err);
    if (result < 0)
        return result;
    result = parse_socket_buffer(&channel->uri, "so-rcvbuf", &channel->rcvbuf_bytes, err);
    if (result < 0)
        return result;

    result = parse_transport(channel, err);
    if (result < 0)
        return result;

    bool is_ats = false;
    result = rj_uri_get_bool(&channel->uri, "ats", &is_ats, err);
    if (result < 0)
        return result;
    if (is_ats)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC, "ATS is not enabled: %s",
                             channel->uri.text);
    return 0;
}

static int parse_timestamp(const rj_uri_t *uri, const char *key, int32_t *ret_offset, rj_err_t *err)
{
    if (rj_uri_value_is(uri, key, "reserved")) {
        *ret_offset = RJ_TIMESTAMP_RESERVED_VALUE;
        return 0;
    }
    int32_t offset = RJ_TIMESTAMP_NONE;
    int result = rj_uri_get_i32(uri, key, &offset, err);
    if (result < 0)
        return result;
    /* Any other negative offset would write over the header of the frame. */
    if (result > 0 && offset < 0 && offset != RJ_TIMESTAMP_RESERVED_VALUE)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC, "%s=%d lies before the message", key,
                             offset);
    *ret_offset = offset;
    return 0;
}

static int parse_timestamps(rj_channel_t *channel, rj_err_t *err)
{
    if (channel->role == RJ_CHANNEL_PUBLICATION)
        return parse_timestamp(&channel->uri, "channel-snd-ts-offset",
                               &channel->channel_send_timestamp_offset, err);

    int result = parse_timestamp(&channel->uri, "media-rcv-ts-offset",
                                 &channel->media_receive_timestamp_offset, err);
    if (result < 0)
        return result;
    result = parse_timestamp(&channel->uri, "channel-rcv-ts-offset",
                             &channel->channel_receive_timestamp_offset, err);
    if (result < 0)
        return result;

    const int64_t media = channel->media_receive_timestamp_offset;
    const int64_t software = channel->channel_receive_timestamp_offset;
    if (media != RJ_TIMESTAMP_NONE && software != RJ_TIMESTAMP_NONE &&
        llabs(media - software) < RJ_TIMESTAMP_BYTES)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                             "media-rcv-ts-offset and channel-rcv-ts-offset overlap: %s",
                             channel->uri.text);
    return 0;
}

static int parse_udp(rj_channel_t *channel, rj_err_t *err)
{
    int result = parse_texts(channel, err);
    if (result < 0)
        return result;
    if (is_destination(channel) && !channel->uri.is_spy) {
        result = check_destination_keys(channel, err);
        if (result < 0)
            return result;
    }
    result = check_reach(channel, err);
    if (result < 0)
        return result;
    result = parse_socket_options(channel, err);
    if (result < 0)
        return result;
    return is_destination(channel) ? 0 : parse_timestamps(channel, err);
}

int rj_channel_parse(rj_channel_t *ret, const char *text, size_t length, rj_channel_role_t role,
                     rj_err_t *err)
{
    memset(ret, 0, sizeof(*ret));
    ret->role = role;
    ret->media_receive_timestamp_offset = RJ_TIMESTAMP_NONE;
    ret->channel_receive_timestamp_offset = RJ_TIMESTAMP_NONE;
    ret->channel_send_timestamp_offset = RJ_TIMESTAMP_NONE;

    int result = rj_uri_parse(&ret->uri, text, length, err);
    if (result < 0)
        return result;
    ret->control_mode = parse_control_mode(&ret->uri);
    result = check_media(ret, err);
    if (result < 0)
        return result;
    /* As Aeron: of IPC nobody asks for it, so it may be anything. */
    result = rj_uri_get_channel_tag(&ret->uri, &ret->tag, err);
    ret->has_tag = result > 0;
    if (ret->uri.media == RJ_MEDIA_IPC)
        return 0;
    return result < 0 ? result : parse_udp(ret, err);
}

static int check_ports(const rj_channel_t *channel, const rj_address_t *endpoint,
                       const rj_address_t *control, rj_err_t *err)
{
    const bool endpoint_is_any = channel->has_endpoint && endpoint->port == 0;
    const bool control_is_any = channel->has_control && control->port == 0;
    switch (channel->role) {
    case RJ_CHANNEL_PUBLICATION:
        if (endpoint_is_any && !rj_channel_is_mdc(channel))
            return fail_use(err, channel,
                            "the endpoint of a publication needs a port other than 0");
        return 0;
    case RJ_CHANNEL_SEND_DESTINATION:
        if (endpoint_is_any)
            return fail_use(err, channel, "a destination needs a port other than 0");
        return 0;
    case RJ_CHANNEL_SUBSCRIPTION:
    case RJ_CHANNEL_RECEIVE_DESTINATION:
        /* A spy repeats the publication's control, which may leave the port to the system. */
        if (control_is_any && !channel->uri.is_spy)
            return fail_use(err, channel,
                            "the control of a subscription needs a port other than 0");
        return 0;
    }
    return 0;
}

/* A link-local address without scope means that of the interface which the URI names. */
static rj_address_t with_scope(const rj_address_t *address, uint32_t interface_index)
{
    rj_address_t scoped = *address;
    if (scoped.scope_id == 0 && rj_address_is_link_local(&scoped))
        scoped.scope_id = interface_index;
    return scoped;
}

static int assign_addresses(rj_channel_t *channel, const rj_address_t *endpoint,
                            const rj_address_t *control, const rj_address_t *local, rj_err_t *err)
{
    const uint32_t index = channel->interface_index;
    if (channel->has_endpoint)
        channel->remote_data = with_scope(endpoint, index);
    else
        channel->remote_data =
            rj_address_wildcard(channel->has_control ? control->family : AF_INET);
    channel->remote_control = channel->remote_data;
    channel->is_multicast = channel->has_endpoint && rj_address_is_multicast(endpoint);

    if (channel->is_multicast) {
        if (local->family != endpoint->family)
            return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                                 "interface and endpoint are of different families: %s",
                                 channel->uri.text);
        channel->local_data = *local;
        channel->local_control = *local;
        return rj_address_multicast_control(&channel->remote_data, &channel->remote_control, err);
    }
    channel->local_data = channel->has_control ? with_scope(control, index) : *local;
    channel->local_control = channel->local_data;
    return 0;
}

/* Channels that leave an address open are never the same by their text: each gets its tag, or a
 * number. */
static void write_suffix(const rj_channel_t *channel, bool is_open, int64_t *unique_suffix,
                         char *ret, size_t ret_bytes)
{
    ret[0] = '\0';
    if (!is_open || is_destination(channel))
        return;
    if (channel->has_tag)
        snprintf(ret, ret_bytes, "#%" PRId64, channel->tag);
    else
        snprintf(ret, ret_bytes, "-%" PRId64, (*unique_suffix)++);
}

static void write_canonical(rj_channel_t *channel, const rj_address_t *endpoint,
                            const rj_address_t *control, int64_t *unique_suffix)
{
    char local[RJ_ADDRESS_TEXT_BYTES];
    char remote[RJ_ADDRESS_TEXT_BYTES];
    char suffix[24];
    rj_address_print(&channel->local_data, local);
    rj_address_print(&channel->remote_data, remote);

    if (channel->is_multicast) {
        snprintf(channel->canonical, sizeof(channel->canonical), "UDP-%s-%s", local, remote);
        return;
    }
    const bool is_open = (!channel->has_endpoint && !channel->has_control) ||
                         (channel->has_endpoint && endpoint->port == 0) ||
                         (channel->has_control && control->port == 0);
    write_suffix(channel, is_open, unique_suffix, suffix, sizeof(suffix));
    snprintf(channel->canonical, sizeof(channel->canonical), "UDP-%s-%s%s",
             channel->has_control ? channel->control_text : local,
             channel->has_endpoint ? channel->endpoint_text : remote, suffix);
}

int rj_channel_assign(rj_channel_t *channel, const rj_address_t *endpoint,
                      const rj_address_t *control, const rj_address_t *local,
                      uint32_t interface_index, int64_t *unique_suffix, rj_err_t *err)
{
    channel->interface_index = interface_index;
    int result = check_ports(channel, endpoint, control, err);
    if (result < 0)
        return result;
    result = assign_addresses(channel, endpoint, control, local, err);
    if (result < 0)
        return result;
    write_canonical(channel, endpoint, control, unique_suffix);
    channel->is_resolved = true;
    return 0;
}
