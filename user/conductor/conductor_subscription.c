/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions, and the nodes that tie them to streams (commands.md 5.3, 5.4, 8). */
#include "conductor/conductor_receive.h"

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
           rj_conductor_subscription_is_bound(subscription) &&
           (!subscription->params.has_session_id || subscription->params.session_id == session_id);
}

/* --- links --- */

void rj_conductor_label_link(rj_conductor_t *conductor, const rj_subscriber_link_t *link)
{
    char text[32];
    int length = snprintf(text, sizeof(text), " @%" PRId64, link->position.join_position);
    (void)rj_counters_label_append(conductor->counters, link->position.counter_id, text,
                                   (size_t)length);
}

static void report_unlinked(rj_conductor_t *conductor, const rj_subscription_entry_t *subscription,
                            const char *why)
{
    rj_conductor_report(conductor, RJ_ERROR_GENERIC, "subscriber of %s not linked: %s",
                        subscription->channel, why);
}

rj_subscriber_link_t *rj_conductor_make_link(rj_conductor_t *conductor,
                                             rj_subscription_entry_t *subscription,
                                             int64_t stream_registration_id, int32_t session_id,
                                             int64_t position)
{
    rj_subscriber_link_t *link = calloc(1, sizeof(*link));
    if (link == NULL) {
        report_unlinked(conductor, subscription, "out of memory");
        return NULL;
    }
    link->subscription = subscription;
    link->position.tether = (rj_tether_t){.is_tethered = subscription->params.is_tether,
                                          .is_rejoin = subscription->params.is_rejoin,
                                          .since_ns = conductor->now_ns};
    link->position.subscription_id = subscription->registration_id;
    link->position.client_id = subscription->client_id;
    static const rj_stream_counter_row_t row = {RJ_COUNTER_TYPE_SUBSCRIBER_POSITION, "sub-pos",
                                                true};
    const rj_counted_stream_t stream = {.registration_id = subscription->registration_id,
                                        .owner_id = subscription->client_id,
                                        .reference_id = stream_registration_id,
                                        .session_id = session_id,
                                        .stream_id = subscription->stream_id,
                                        .channel = subscription->channel,
                                        .position = position};
    rj_err_t err;
    if (rj_conductor_stream_counters(conductor, &stream, &row, 1, &link->position.counter_id,
                                     &err) < 0) {
        report_unlinked(conductor, subscription, err.text);
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

bool rj_conductor_time_tether(rj_conductor_t *conductor, rj_subscriber_link_t *link,
                              const rj_log_t *log, const rj_untethered_timeouts_t *timeouts,
                              int64_t position, int64_t limit_pos)
{
    /* As Aeron: whatever the subscription's own channel is. */
    static const char channel[] = "aeron:ipc";
    rj_tether_t *tether = &link->position.tether;
    if (!rj_tether_on_time(tether, position, limit_pos, timeouts, conductor->now_ns))
        return false;
    if (tether->state == RJ_TETHER_LINGER)
        rj_reply_unavailable_image(&conductor->to_clients, log->correlation_id,
                                   link->position.subscription_id, log->stream_id, channel);
    return true;
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
    rj_conductor_tell(conductor, receive->endpoint.home, &command);
    rj_conductor_steer_interest(conductor, receive, interest, type);
}

/* It reads one session, and does not know yet which. */
static bool is_unbound(const rj_subscription_params_t *params)
{
    return params->is_response && !params->has_session_id;
}

int rj_conductor_add_interest(rj_conductor_t *conductor, rj_receive_entry_t *receive,
                              int32_t stream_id, const rj_subscription_params_t *params,
                              const char *channel, rj_err_t *err)
{
    if (is_unbound(params)) {
        receive->response_count++;
        return 0;
    }
    rj_interest_t *interest = find_interest(receive, stream_id, params);
    if (interest != NULL) {
        interest->refcount++;
        return 0;
    }
    int count;
    DL_COUNT(receive->interests, interest, count);
    if (count >= RJ_DISPATCHER_STREAMS_MAX)
        return rj_fail(err, -ENOSPC, "more than %d streams on one channel: %s",
                       RJ_DISPATCHER_STREAMS_MAX, channel);
    interest = calloc(1, sizeof(*interest));
    if (interest == NULL)
        return rj_fail(err, -ENOMEM, "out of memory for a subscription");
    *interest = (rj_interest_t){.stream_id = stream_id,
                                .session_id = params->session_id,
                                .has_session = params->has_session_id,
                                .refcount = 1};
    DL_APPEND(receive->interests, interest);
    tell_interest(conductor, receive, interest, RJ_ENGINE_ADD_INTEREST);
    return 0;
}

void rj_conductor_remove_interest(rj_conductor_t *conductor, rj_receive_entry_t *receive,
                                  const rj_subscription_entry_t *subscription)
{
    if (is_unbound(&subscription->params)) {
        receive->response_count--;
        return;
    }
    rj_interest_t *interest =
        find_interest(receive, subscription->stream_id, &subscription->params);
    if (interest == NULL || --interest->refcount > 0)
        return;
    tell_interest(conductor, receive, interest, RJ_ENGINE_REMOVE_INTEREST);
    DL_DELETE(receive->interests, interest);
    free(interest);
    rj_conductor_starve_images(conductor, receive);
}

/* --- adding --- */

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
        if (is_same_scope && existing->params.is_response != params->is_response)
            return fail_option("isResponse", params->is_response, existing, command, err);
    }
    return 0;
}

static rj_subscription_kind_t kind_of(const rj_channel_t *channel)
{
    if (channel->uri.is_spy)
        return RJ_SUBSCRIPTION_SPY;
    return channel->uri.media == RJ_MEDIA_IPC ? RJ_SUBSCRIPTION_IPC : RJ_SUBSCRIPTION_NETWORK;
}

static rj_subscription_entry_t *make_subscription(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    rj_subscription_entry_t *subscription = calloc(1, sizeof(*subscription));
    char *channel = strdup(command->channel.uri.text);
    char *canonical = strdup(command->channel.canonical);
    if (subscription == NULL || channel == NULL || canonical == NULL) {
        free(subscription);
        free(channel);
        free(canonical);
        rj_fail(err, -ENOMEM, "out of memory for a subscription");
        return NULL;
    }
    *subscription = (rj_subscription_entry_t){.registration_id = command->correlation_id,
                                              .client_id = command->client_id,
                                              .stream_id = command->stream_id,
                                              .kind = kind_of(&command->channel),
                                              .params = command->subscription_params,
                                              .has_tag = command->channel.has_tag,
                                              .tag = command->channel.tag,
                                              .canonical = canonical,
                                              .channel = channel};
    return subscription;
}

static void free_subscription(rj_subscription_entry_t *subscription)
{
    free(subscription->canonical);
    free(subscription->channel);
    free(subscription);
}

static int parse_params(rj_conductor_t *conductor, rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    return rj_subscription_params_parse(&command->subscription_params, &command->channel.uri,
                                        &conductor->defaults, err);
}

/* A subscription without an endpoint: to IPC publications, or a spy. */
static rj_subscription_entry_t *add_local(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    if (parse_params(conductor, err) < 0)
        return NULL;
    rj_subscription_entry_t *subscription = make_subscription(conductor, err);
    if (subscription == NULL)
        return NULL;
    if (rj_conductor_client(conductor, command->client_id, err) == NULL) {
        free_subscription(subscription);
        return NULL;
    }
    DL_APPEND(conductor->subscriptions, subscription);
    rj_reply_subscription_ready(&conductor->to_clients, command->correlation_id,
                                RJ_CHANNEL_STATUS_ID_NONE);
    return subscription;
}

static int add_ipc(rj_conductor_t *conductor, rj_err_t *err)
{
    rj_subscription_entry_t *subscription = add_local(conductor, err);
    if (subscription == NULL)
        return err->code;
    rj_conductor_link_ipc_subscription(conductor, subscription);
    return 0;
}

static int add_spy(rj_conductor_t *conductor, rj_err_t *err)
{
    rj_subscription_entry_t *subscription = add_local(conductor, err);
    if (subscription == NULL)
        return err->code;
    rj_conductor_finish_command(conductor);
    rj_conductor_link_spy(conductor, subscription);
    return 0;
}

int rj_conductor_add_local_destination(rj_conductor_t *conductor,
                                       const rj_subscription_entry_t *manual, rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    command->stream_id = manual->stream_id;
    if (parse_params(conductor, err) < 0)
        return err->code;
    rj_subscription_entry_t *subscription = make_subscription(conductor, err);
    if (subscription == NULL)
        return err->code;
    subscription->registration_id = manual->registration_id;
    subscription->client_id = manual->client_id;
    DL_APPEND(conductor->subscriptions, subscription);
    rj_reply_success(&conductor->to_clients, command->correlation_id);
    rj_conductor_finish_command(conductor);
    if (subscription->kind == RJ_SUBSCRIPTION_SPY)
        rj_conductor_link_spy(conductor, subscription);
    else
        rj_conductor_link_ipc_subscription(conductor, subscription);
    return 0;
}

int rj_conductor_step_subscription(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    if (command->channel.uri.is_spy)
        return add_spy(conductor, err);
    int result = parse_params(conductor, err);
    if (result < 0)
        return result;
    rj_receive_entry_t *receive = NULL;
    result = rj_conductor_find_receive(conductor, &command->channel, &receive, err);
    if (result == 0)
        result = rj_conductor_check_receive(conductor, receive, err);
    if (result == 0 && receive != NULL)
        result = check_siblings(conductor, receive, command, err);
    if (result < 0)
        return result;
    rj_subscription_entry_t *subscription = make_subscription(conductor, err);
    if (subscription == NULL)
        return err->code;
    if (receive == NULL)
        receive = rj_conductor_make_receive(conductor, err);
    if (receive == NULL && err->code == -EADDRINUSE &&
        rj_conductor_port_comes_free(conductor, &command->channel.remote_data)) {
        free_subscription(subscription);
        return 0; /* tried again in the next turn */
    }
    if (receive == NULL || rj_conductor_client(conductor, command->client_id, err) == NULL ||
        rj_conductor_add_interest(conductor, receive, command->stream_id,
                                  &command->subscription_params, command->channel.uri.text,
                                  err) < 0) {
        free_subscription(subscription);
        if (receive != NULL)
            rj_conductor_try_close_receive(conductor, receive);
        return err->code;
    }
    subscription->receive = receive;
    DL_APPEND(conductor->subscriptions, subscription);
    rj_reply_subscription_ready(&conductor->to_clients, command->correlation_id,
                                receive->status_counter_id);
    rj_conductor_finish_command(conductor);
    rj_conductor_link_images(conductor, subscription);
    return 0;
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
        result = rj_conductor_choose_transport(conductor, &command->channel, &err);
    if (result == 0)
        result = command->channel.uri.media == RJ_MEDIA_IPC
                     ? add_ipc(conductor, &err)
                     : rj_conductor_await_resolve(conductor, &err);
    if (result < 0)
        rj_conductor_fail_command(conductor, &err);
}

/* --- removing --- */

void rj_conductor_delete_subscription(rj_conductor_t *conductor,
                                      rj_subscription_entry_t *subscription)
{
    DL_DELETE(conductor->subscriptions, subscription);
    switch (subscription->kind) {
    case RJ_SUBSCRIPTION_IPC:
        rj_conductor_unlink_ipc_subscription(conductor, subscription);
        break;
    case RJ_SUBSCRIPTION_SPY:
        rj_conductor_unlink_spy(conductor, subscription);
        break;
    case RJ_SUBSCRIPTION_NETWORK:
        rj_conductor_unlink_images(conductor, subscription);
        rj_conductor_remove_interest(conductor, subscription->receive, subscription);
        rj_conductor_try_close_receive(conductor, subscription->receive);
        break;
    }
    free_subscription(subscription);
}

void rj_conductor_on_remove_subscription(rj_conductor_t *conductor,
                                         const rj_command_remove_t *command)
{
    bool is_known = false;
    rj_subscription_entry_t *subscription, *next;
    DL_FOREACH_SAFE(conductor->subscriptions, subscription, next)
    {
        if (subscription->registration_id != command->registration_id)
            continue;
        rj_conductor_delete_subscription(conductor, subscription);
        is_known = true;
    }
    if (is_known)
        rj_reply_success(&conductor->to_clients, command->header.correlation_id);
    else
        rj_conductor_refuse_unknown(conductor, &command->header, RJ_ERROR_UNKNOWN_SUBSCRIPTION,
                                    "subscription", command->registration_id);
}

void rj_conductor_free_subscriptions(rj_conductor_t *conductor)
{
    rj_subscription_entry_t *subscription, *next;
    DL_FOREACH_SAFE(conductor->subscriptions, subscription, next)
    {
        free_subscription(subscription);
    }
    conductor->subscriptions = NULL;
}
