/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions and the endpoints that they receive at (commands.md 5.3, 5.4, 7.2). */
#include "driver/conductor_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

bool rj_conductor_subscription_wants(const rj_subscription_entry_t *subscription, int32_t stream_id,
                                     int32_t session_id)
{
    return subscription->stream_id == stream_id &&
           (!subscription->params.has_session_id || subscription->params.session_id == session_id);
}

/* --- links --- */

static void print_label(char label[static RJ_COUNTER_LABEL_BYTES_MAX + 1],
                        const rj_subscriber_link_t *link, int32_t session_id)
{
    const rj_subscription_entry_t *subscription = link->subscription;
    snprintf(label, RJ_COUNTER_LABEL_BYTES_MAX + 1,
             "sub-pos: %" PRId64 " %" PRId32 " %" PRId32 " %s @%" PRId64,
             subscription->registration_id, session_id, subscription->stream_id,
             subscription->channel, link->position.join_position);
}

void rj_conductor_label_link(rj_conductor_t *conductor, const rj_subscriber_link_t *link,
                             int32_t session_id)
{
    char label[RJ_COUNTER_LABEL_BYTES_MAX + 1];
    print_label(label, link, session_id);
    (void)rj_counters_label_set(conductor->counters, link->position.counter_id, label,
                                strlen(label));
}

rj_subscriber_link_t *rj_conductor_make_link(rj_conductor_t *conductor,
                                             rj_subscription_entry_t *subscription,
                                             int64_t stream_registration_id, int32_t session_id,
                                             int64_t join_position, rj_err_t *err)
{
    rj_subscriber_link_t *link = calloc(1, sizeof(*link));
    if (link == NULL) {
        rj_fail(err, -ENOMEM, "out of memory for a subscriber");
        return NULL;
    }
    link->subscription = subscription;
    link->position.is_tethered = subscription->params.is_tether;
    link->position.subscription_id = subscription->registration_id;
    link->position.client_id = subscription->client_id;
    link->position.join_position = join_position;
    size_t channel_length = strnlen(subscription->channel, RJ_STREAM_KEY_CHANNEL_BYTES_MAX);
    rj_stream_key_t key = {.registration_id = subscription->registration_id,
                           .session_id = session_id,
                           .stream_id = subscription->stream_id,
                           .channel_length = (int32_t)channel_length};
    memcpy(key.channel, subscription->channel, channel_length);
    char label[RJ_COUNTER_LABEL_BYTES_MAX + 1];
    print_label(label, link, session_id);
    rj_counter_spec_t spec = {.type_id = RJ_COUNTER_TYPE_SUBSCRIBER_POSITION,
                              .key = &key,
                              .key_length = sizeof(key),
                              .label = label,
                              .label_length = strlen(label),
                              .registration_id = subscription->registration_id,
                              .owner_id = subscription->client_id,
                              .reference_id = stream_registration_id,
                              .initial_value = join_position};
    if (rj_counters_allocate(conductor->counters, &spec, conductor->epoch_ms,
                             &link->position.counter_id, err) < 0) {
        free(link);
        return NULL;
    }
    link->position.counter = rj_counters_value(conductor->counters, link->position.counter_id);
    return link;
}

void rj_conductor_free_link(rj_conductor_t *conductor, rj_subscriber_link_t *link)
{
    rj_conductor_free_counter(conductor, link->position.counter_id);
    free(link);
}

/* --- receive endpoints --- */

static rj_receive_entry_t *find_receive(rj_conductor_t *conductor, const rj_channel_t *channel)
{
    rj_receive_entry_t *receive;
    DL_FOREACH(conductor->receive_endpoints, receive)
    {
        const rj_channel_t *other = &receive->endpoint.channel;
        bool is_other_tag = channel->has_tag && other->has_tag && channel->tag != other->tag;
        if (receive->state != RJ_ENDPOINT_RELEASED && !is_other_tag &&
            strcmp(other->canonical, channel->canonical) == 0)
            return receive;
    }
    return NULL;
}

static int32_t first_set(int32_t a, int32_t b)
{
    return a != 0 ? a : b;
}

static int32_t effective_rcvbuf(const rj_conductor_t *conductor, const rj_channel_t *channel)
{
    return first_set(channel->rcvbuf_bytes, (int32_t)conductor->config->socket_rcvbuf_bytes);
}

static int32_t effective_sndbuf(const rj_conductor_t *conductor, const rj_channel_t *channel)
{
    return first_set(channel->sndbuf_bytes, (int32_t)conductor->config->socket_sndbuf_bytes);
}

static int check_window(const rj_conductor_t *conductor, const rj_client_command_t *command,
                        rj_err_t *err)
{
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

static int fail_option(const char *option, bool value, const rj_subscription_entry_t *existing,
                       const rj_client_command_t *command, rj_err_t *err)
{
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                         "option conflicts with existing subscription: %s=%s existingChannel=%s "
                         "channel=%s",
                         option, value ? "true" : "false", existing->channel,
                         command->channel.uri.text);
}

/* Subscriptions of one scope must agree on what happens to the images that they share. */
static int check_siblings(const rj_conductor_t *conductor, const rj_receive_entry_t *receive,
                          const rj_client_command_t *command, rj_err_t *err)
{
    const rj_subscription_params_t *params = &command->subscription_params;
    const rj_subscription_entry_t *existing;
    DL_FOREACH(conductor->subscriptions, existing)
    {
        bool is_same_scope =
            existing->receive == receive && existing->stream_id == command->stream_id &&
            existing->params.has_session_id == params->has_session_id &&
            (!params->has_session_id || existing->params.session_id == params->session_id);
        if (is_same_scope && existing->params.is_reliable != params->is_reliable)
            return fail_option("reliable", params->is_reliable, existing, command, err);
        if (is_same_scope && existing->params.is_rejoin != params->is_rejoin)
            return fail_option("rejoin", params->is_rejoin, existing, command, err);
    }
    return 0;
}

static int fail_buffer(const char *option, int32_t value, int32_t existing,
                       const rj_receive_entry_t *receive, const rj_client_command_t *command,
                       rj_err_t *err)
{
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                         "%s=%d does not match existing value of %d: existingChannel=%s channel=%s",
                         option, value, existing, receive->endpoint.channel.uri.text,
                         command->channel.uri.text);
}

static int check_existing(const rj_conductor_t *conductor, const rj_receive_entry_t *receive,
                          const rj_client_command_t *command, rj_err_t *err)
{
    const rj_channel_t *channel = &command->channel;
    if (receive->state == RJ_ENDPOINT_CLOSING)
        return rj_fail_aeron(err, -EAGAIN, RJ_ERROR_RESOURCE_TEMPORARILY_UNAVAILABLE,
                             "receive channel found in CLOSING state, please retry: %s",
                             channel->uri.text);
    int result = check_siblings(conductor, receive, command, err);
    if (result < 0)
        return result;
    int32_t sndbuf = effective_sndbuf(conductor, channel);
    int32_t rcvbuf = effective_rcvbuf(conductor, channel);
    if (sndbuf != 0 && sndbuf != receive->sndbuf_bytes)
        return fail_buffer("so-sndbuf", sndbuf, receive->sndbuf_bytes, receive, command, err);
    if (rcvbuf != 0 && rcvbuf != receive->rcvbuf_bytes)
        return fail_buffer("so-rcvbuf", rcvbuf, receive->rcvbuf_bytes, receive, command, err);
    return 0;
}

static void free_receive(rj_conductor_t *conductor, rj_receive_entry_t *receive)
{
    for (int i = 0; i < receive->endpoint.destination_count; i++) {
        int socket = receive->endpoint.destinations[i].base.socket;
        if (socket >= 0)
            conductor->params.sockets->ops->close(conductor->params.sockets, socket);
    }
    rj_interest_t *interest, *next;
    DL_FOREACH_SAFE(receive->interests, interest, next)
    {
        free(interest);
    }
    rj_dispatcher_close(receive->endpoint.dispatcher);
    free(receive);
}

static int open_receive_socket(rj_conductor_t *conductor, rj_receive_entry_t *receive,
                               rj_err_t *err)
{
    const rj_channel_t *channel = &receive->endpoint.channel;
    rj_socket_params_t params = {.bind = channel->remote_data,
                                 .sndbuf_bytes = receive->sndbuf_bytes,
                                 .rcvbuf_bytes = receive->rcvbuf_bytes};
    rj_socket_info_t info;
    int result =
        conductor->params.sockets->ops->open(conductor->params.sockets, &params, &info, err);
    if (result < 0) {
        rj_err_context(err, "channel=%s: ", channel->uri.text);
        return result;
    }
    rj_receive_destination_t *destination = &receive->endpoint.destinations[0];
    *destination = (rj_receive_destination_t){.base = {.kind = RJ_ENDPOINT_RECEIVE,
                                                       .socket = info.socket,
                                                       .local = info.local,
                                                       .slot = -1},
                                              .endpoint = &receive->endpoint,
                                              .last_activity_ns = conductor->now_ns};
    receive->endpoint.destination_count = 1;
    return 0;
}

/* A new endpoint with its socket and counters, known to its engine. NULL with `err`. */
static rj_receive_entry_t *make_receive(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    rj_receive_entry_t *receive = calloc(1, sizeof(*receive));
    if (receive == NULL) {
        rj_fail(err, -ENOMEM, "out of memory for a channel");
        return NULL;
    }
    receive->endpoint.channel = command->channel;
    receive->endpoint.receiver_id = conductor->next_receiver_id++;
    receive->endpoint.has_group_tag = command->subscription_params.has_group_tag;
    receive->endpoint.group_tag = command->subscription_params.group_tag;
    receive->sndbuf_bytes = effective_sndbuf(conductor, &command->channel);
    receive->rcvbuf_bytes = effective_rcvbuf(conductor, &command->channel);
    receive->window_bytes = command->subscription_params.receiver_window_bytes;
    int result = rj_dispatcher_open(&receive->endpoint.dispatcher, RJ_DISPATCHER_STREAMS_MAX,
                                    RJ_DISPATCHER_SESSIONS_MAX,
                                    (int32_t)conductor->config->stream_session_limit);
    if (result < 0)
        rj_fail(err, result, "out of memory for a channel");
    if (result == 0)
        result = open_receive_socket(conductor, receive, err);
    if (result == 0)
        result = rj_conductor_channel_counters(
            conductor, false, command->correlation_id, command->channel.uri.text,
            &receive->endpoint.destinations[0].base.local, &receive->status_counter_id,
            &receive->address_counter_id, err);
    if (result < 0) {
        free_receive(conductor, receive);
        return NULL;
    }
    DL_APPEND(conductor->receive_endpoints, receive);
    rj_engine_command_t add = {.type = RJ_ENGINE_ADD_RECEIVE_ENDPOINT,
                               .receive_endpoint = &receive->endpoint};
    rj_conductor_tell(conductor, conductor->params.receive_engine, &add);
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
    rj_conductor_tell(conductor, conductor->params.receive_engine, &remove);
}

void rj_conductor_time_receive_endpoints(rj_conductor_t *conductor)
{
    rj_receive_entry_t *receive, *next;
    DL_FOREACH_SAFE(conductor->receive_endpoints, receive, next)
    {
        if (receive->state != RJ_ENDPOINT_RELEASED)
            continue;
        rj_conductor_forget_receive(conductor, receive);
        rj_conductor_free_counter(conductor, receive->status_counter_id);
        rj_conductor_free_counter(conductor, receive->address_counter_id);
        DL_DELETE(conductor->receive_endpoints, receive);
        free_receive(conductor, receive);
    }
}

/* --- interest --- */

static rj_interest_t *find_interest(const rj_receive_entry_t *receive, int32_t stream_id,
                                    const rj_subscription_params_t *params)
{
    rj_interest_t *interest;
    DL_FOREACH(receive->interests, interest)
    {
        if (interest->stream_id == stream_id && interest->has_session == params->has_session_id &&
            (!interest->has_session || interest->session_id == params->session_id))
            return interest;
    }
    return NULL;
}

static void tell_interest(rj_conductor_t *conductor, rj_receive_entry_t *receive,
                          const rj_interest_t *interest, rj_engine_command_type_t type)
{
    rj_engine_command_t command = {.type = type,
                                   .receive_endpoint = &receive->endpoint,
                                   .stream_id = interest->stream_id,
                                   .session_id = interest->session_id,
                                   .has_session = interest->has_session};
    rj_conductor_tell(conductor, conductor->params.receive_engine, &command);
}

static int add_interest(rj_conductor_t *conductor, rj_receive_entry_t *receive,
                        const rj_client_command_t *command, rj_err_t *err)
{
    const rj_subscription_params_t *params = &command->subscription_params;
    rj_interest_t *interest = find_interest(receive, command->stream_id, params);
    if (interest != NULL) {
        interest->refcount++;
        return 0;
    }
    int count;
    DL_COUNT(receive->interests, interest, count);
    if (count >= RJ_DISPATCHER_STREAMS_MAX)
        return rj_fail(err, -ENOSPC, "more than %d streams on one channel: %s",
                       RJ_DISPATCHER_STREAMS_MAX, command->channel.uri.text);
    interest = calloc(1, sizeof(*interest));
    if (interest == NULL)
        return rj_fail(err, -ENOMEM, "out of memory for a subscription");
    *interest = (rj_interest_t){.stream_id = command->stream_id,
                                .session_id = params->session_id,
                                .has_session = params->has_session_id,
                                .refcount = 1};
    DL_APPEND(receive->interests, interest);
    tell_interest(conductor, receive, interest, RJ_ENGINE_ADD_INTEREST);
    return 0;
}

static void remove_interest(rj_conductor_t *conductor, rj_receive_entry_t *receive,
                            const rj_subscription_entry_t *subscription)
{
    rj_interest_t *interest =
        find_interest(receive, subscription->stream_id, &subscription->params);
    if (interest == NULL || --interest->refcount > 0)
        return;
    tell_interest(conductor, receive, interest, RJ_ENGINE_REMOVE_INTEREST);
    DL_DELETE(receive->interests, interest);
    free(interest);
}

/* --- adding --- */

static int check_supported(const rj_channel_t *channel, rj_err_t *err)
{
    const char *what = NULL;
    if (channel->uri.is_spy)
        what = "a spy";
    else if (channel->control_mode == RJ_CONTROL_MODE_MANUAL)
        what = "control-mode=manual";
    else if (channel->control_mode == RJ_CONTROL_MODE_DYNAMIC)
        what = "control-mode=dynamic";
    else if (channel->control_mode == RJ_CONTROL_MODE_RESPONSE)
        what = "control-mode=response";
    else if (channel->uri.media == RJ_MEDIA_UDP && channel->has_control)
        what = "control= on a subscription";
    else if (channel->uri.media == RJ_MEDIA_UDP && !channel->has_endpoint)
        what = "a subscription channel without endpoint";
    else if (rj_uri_value_is(&channel->uri, "cc", "cubic"))
        what = "cc=cubic";
    else if (channel->media_receive_timestamp_offset != RJ_TIMESTAMP_NONE)
        what = "media-rcv-ts-offset";
    else if (channel->channel_receive_timestamp_offset != RJ_TIMESTAMP_NONE)
        what = "channel-rcv-ts-offset";
    if (what == NULL)
        return 0;
    return rj_fail_aeron(err, -ENOTSUP, RJ_ERROR_GENERIC,
                         "%s is not supported by this driver yet: %s", what, channel->uri.text);
}

static rj_subscription_entry_t *make_subscription(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    rj_subscription_entry_t *subscription = calloc(1, sizeof(*subscription));
    char *channel = strdup(command->channel.uri.text);
    if (subscription == NULL || channel == NULL) {
        free(subscription);
        free(channel);
        rj_fail(err, -ENOMEM, "out of memory for a subscription");
        return NULL;
    }
    *subscription = (rj_subscription_entry_t){.registration_id = command->correlation_id,
                                              .client_id = command->client_id,
                                              .stream_id = command->stream_id,
                                              .is_ipc = command->channel.uri.media == RJ_MEDIA_IPC,
                                              .params = command->subscription_params,
                                              .channel = channel};
    return subscription;
}

static void free_subscription(rj_subscription_entry_t *subscription)
{
    free(subscription->channel);
    free(subscription);
}

static int add_ipc(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    rj_subscription_entry_t *subscription = make_subscription(conductor, err);
    if (subscription == NULL)
        return err->code;
    if (rj_conductor_client(conductor, command->client_id, err) == NULL) {
        free_subscription(subscription);
        return err->code;
    }
    DL_APPEND(conductor->subscriptions, subscription);
    rj_reply_subscription_ready(&conductor->to_clients, command->correlation_id,
                                RJ_CHANNEL_STATUS_ID_NONE);
    rj_conductor_link_ipc_subscription(conductor, subscription);
    return 0;
}

static int add_network(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    rj_receive_entry_t *receive = find_receive(conductor, &command->channel);
    int result = check_window(conductor, command, err);
    if (result == 0 && receive != NULL)
        result = check_existing(conductor, receive, command, err);
    if (result < 0)
        return result;
    rj_subscription_entry_t *subscription = make_subscription(conductor, err);
    if (subscription == NULL)
        return err->code;
    if (receive == NULL)
        receive = make_receive(conductor, err);
    if (receive == NULL || rj_conductor_client(conductor, command->client_id, err) == NULL ||
        add_interest(conductor, receive, command, err) < 0) {
        free_subscription(subscription);
        if (receive != NULL)
            rj_conductor_try_close_receive(conductor, receive);
        return err->code;
    }
    subscription->receive = receive;
    DL_APPEND(conductor->subscriptions, subscription);
    rj_reply_subscription_ready(&conductor->to_clients, command->correlation_id,
                                receive->status_counter_id);
    rj_conductor_link_images(conductor, subscription);
    return 0;
}

static int parse_params(rj_conductor_t *conductor, rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    return rj_subscription_params_parse(&command->subscription_params, &command->channel.uri,
                                        &conductor->defaults, err);
}

void rj_conductor_on_add_subscription(rj_conductor_t *conductor,
                                      const rj_command_subscription_t *add, const char *channel)
{
    rj_client_command_t *command = &conductor->command;
    command->type = RJ_COMMAND_ADD_SUBSCRIPTION;
    command->client_id = add->header.client_id;
    command->correlation_id = add->header.correlation_id;
    command->stream_id = add->stream_id;
    rj_err_t err = {0};
    int result = rj_channel_parse(&command->channel, channel, (size_t)add->channel_length,
                                  RJ_CHANNEL_SUBSCRIPTION, &err);
    if (result == 0)
        result = check_supported(&command->channel, &err);
    if (result == 0 && command->channel.uri.media == RJ_MEDIA_IPC) {
        result = parse_params(conductor, &err);
        if (result == 0)
            result = add_ipc(conductor, &err);
        if (result == 0)
            return;
    }
    if (result == 0) {
        command->task = calloc(1, sizeof(*command->task));
        if (command->task == NULL)
            result = rj_fail(&err, -ENOMEM, "out of memory for a command");
    }
    if (result < 0) {
        rj_conductor_fail_command(conductor, &err);
        return;
    }
    command->task->type = RJ_TASK_RESOLVE;
    command->task->channel = &command->channel;
    rj_conductor_await(conductor, RJ_STEP_RESOLVE);
}

void rj_conductor_step_subscription(rj_conductor_t *conductor)
{
    rj_client_command_t *command = &conductor->command;
    rj_err_t err = {0};
    int result = 0;
    if (rj_task_state(command->task) == RJ_TASK_FAILED) {
        err = command->task->err;
        result = err.code;
    } else if (command->channel.is_multicast) {
        result = rj_fail_aeron(&err, -ENOTSUP, RJ_ERROR_GENERIC,
                               "a multicast endpoint is not supported by this driver yet: %s",
                               command->channel.uri.text);
    }
    if (result == 0)
        result = parse_params(conductor, &err);
    if (result == 0)
        result = add_network(conductor, &err);
    if (result < 0)
        rj_conductor_fail_command(conductor, &err);
    else
        rj_conductor_finish_command(conductor);
}

/* --- removing --- */

void rj_conductor_delete_subscription(rj_conductor_t *conductor,
                                      rj_subscription_entry_t *subscription)
{
    DL_DELETE(conductor->subscriptions, subscription);
    if (subscription->is_ipc) {
        rj_conductor_unlink_ipc_subscription(conductor, subscription);
    } else {
        rj_conductor_unlink_images(conductor, subscription);
        remove_interest(conductor, subscription->receive, subscription);
        rj_conductor_try_close_receive(conductor, subscription->receive);
    }
    free_subscription(subscription);
}

void rj_conductor_on_remove_subscription(rj_conductor_t *conductor,
                                         const rj_command_remove_t *command)
{
    rj_subscription_entry_t *subscription;
    DL_SEARCH_SCALAR(conductor->subscriptions, subscription, registration_id,
                     command->registration_id);
    if (subscription == NULL) {
        rj_err_t err;
        rj_fail_aeron(&err, -EINVAL, RJ_ERROR_UNKNOWN_SUBSCRIPTION,
                      "unknown subscription client_id=%" PRId64 " registration_id=%" PRId64,
                      command->header.client_id, command->registration_id);
        rj_conductor_refuse(conductor, command->header.correlation_id, &err);
        return;
    }
    rj_conductor_delete_subscription(conductor, subscription);
    rj_reply_success(&conductor->to_clients, command->header.correlation_id);
}

void rj_conductor_free_subscriptions(rj_conductor_t *conductor)
{
    rj_subscription_entry_t *subscription, *next;
    DL_FOREACH_SAFE(conductor->subscriptions, subscription, next)
    {
        free_subscription(subscription);
    }
    conductor->subscriptions = NULL;
    rj_receive_entry_t *receive, *next_receive;
    DL_FOREACH_SAFE(conductor->receive_endpoints, receive, next_receive)
    {
        rj_conductor_free_counter(conductor, receive->status_counter_id);
        rj_conductor_free_counter(conductor, receive->address_counter_id);
        free_receive(conductor, receive);
    }
    conductor->receive_endpoints = NULL;
}
