/* SPDX-License-Identifier: Apache-2.0 */
/* Destinations of a subscription with control-mode=manual: added and removed by its client
 * (commands.md 5.6; driver.md 13.3, 23.8). */
#include "conductor/conductor_receive.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <utlist.h>

/* --- which subscription --- */

/* IPC and spy destinations have the same id, and are no subscription of their own to the client. */
static rj_subscription_entry_t *find_network(rj_conductor_t *conductor, int64_t registration_id)
{
    rj_subscription_entry_t *subscription;
    DL_FOREACH(conductor->subscriptions, subscription)
    {
        if (subscription->registration_id == registration_id &&
            subscription->kind == RJ_SUBSCRIPTION_NETWORK)
            return subscription;
    }
    return NULL;
}

/* The subscription of the command in flight. Whether it takes destinations is its endpoint's word:
 * by a tag it may have joined one that does. */
static rj_subscription_entry_t *find_manual(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    rj_subscription_entry_t *subscription = find_network(conductor, command->resource_id);
    if (subscription == NULL) {
        rj_fail_aeron(err, -ENOENT, RJ_ERROR_UNKNOWN_SUBSCRIPTION,
                      "unknown subscription client_id=%" PRId64 " registration_id=%" PRId64,
                      command->client_id, command->resource_id);
        return NULL;
    }
    if (subscription->receive->endpoint.channel.control_mode == RJ_CONTROL_MODE_MANUAL)
        return subscription;
    rj_fail_aeron(err, -EINVAL, RJ_ERROR_INVALID_CHANNEL,
                  "channel does not allow manual control of destinations: %s",
                  subscription->channel);
    return NULL;
}

static bool is_local(const rj_channel_t *channel)
{
    return channel->uri.is_spy || channel->uri.media == RJ_MEDIA_IPC;
}

/* --- IPC and spies --- */

static void announce_end(rj_conductor_t *conductor, const rj_subscriber_link_t *links,
                         const rj_subscription_entry_t *subscription, int64_t correlation_id)
{
    const rj_subscriber_link_t *link;
    DL_FOREACH2(links, link, next_link)
    {
        if (link->subscription == subscription && link->position.tether.state == RJ_TETHER_ACTIVE)
            rj_reply_unavailable_image(&conductor->to_clients, correlation_id,
                                       subscription->registration_id, subscription->stream_id,
                                       subscription->channel);
    }
}

/* The subscription goes on without these streams, so its client has to be told that they end. */
static void announce_ends(rj_conductor_t *conductor, const rj_subscription_entry_t *subscription)
{
    const rj_ipc_entry_t *ipc;
    DL_FOREACH(conductor->ipc_publications, ipc)
    {
        announce_end(conductor, ipc->links, subscription, ipc->publication.config.registration_id);
    }
    const rj_network_entry_t *network;
    DL_FOREACH(conductor->network_publications, network)
    {
        announce_end(conductor, network->spies, subscription,
                     network->publication.config.registration_id);
    }
}

static int remove_local(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    rj_subscription_entry_t *subscription;
    DL_FOREACH(conductor->subscriptions, subscription)
    {
        if (subscription->registration_id == command->resource_id &&
            subscription->kind != RJ_SUBSCRIPTION_NETWORK &&
            strcmp(subscription->channel, command->channel.uri.text) == 0)
            break;
    }
    if (subscription == NULL)
        return rj_fail_aeron(err, -ENOENT, RJ_ERROR_UNKNOWN_SUBSCRIPTION,
                             "subscription %" PRId64 " has no destination %s", command->resource_id,
                             command->channel.uri.text);
    rj_reply_success(&conductor->to_clients, command->correlation_id);
    announce_ends(conductor, subscription);
    rj_conductor_delete_subscription(conductor, subscription);
    rj_conductor_finish_command(conductor);
    return 0;
}

/* --- network destinations --- */

/* Whether what was in the way is a destination that is being removed; then the command is tried
 * again in the next turn. */
static bool comes_free(rj_conductor_t *conductor, const rj_receive_entry_t *receive, int code)
{
    if (code == -EADDRINUSE)
        return rj_conductor_port_comes_free(conductor, &conductor->command.channel.remote_data);
    const rj_receive_destination_entry_t *destination;
    DL_FOREACH(receive->destinations, destination)
    {
        if (code == -ENOSPC && destination->state == RJ_ENDPOINT_CLOSING)
            return true;
    }
    return false;
}

static int add_network(rj_conductor_t *conductor, const rj_subscription_entry_t *manual,
                       rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    if (rj_conductor_add_receive_destination(conductor, manual->receive, &command->channel,
                                             manual->registration_id, err) == NULL)
        return comes_free(conductor, manual->receive, err->code) ? 0 : err->code;
    rj_reply_success(&conductor->to_clients, command->correlation_id);
    rj_conductor_finish_command(conductor);
    return 0;
}

typedef bool (*matches_t)(const rj_channel_t *destination, const rj_channel_t *channel);

static bool has_same_text(const rj_channel_t *destination, const rj_channel_t *channel)
{
    return strcmp(destination->uri.text, channel->uri.text) == 0;
}

static bool has_same_form(const rj_channel_t *destination, const rj_channel_t *channel)
{
    return strcmp(destination->canonical, channel->canonical) == 0;
}

/* Removes the oldest destination that matches, if there is one; its client is answered when its
 * port is free. */
static bool remove_network(rj_conductor_t *conductor, const rj_subscription_entry_t *manual,
                           matches_t matches)
{
    const rj_client_command_t *command = &conductor->command;
    rj_receive_destination_entry_t *destination;
    DL_FOREACH(manual->receive->destinations, destination)
    {
        if (destination->state != RJ_ENDPOINT_ACTIVE ||
            !matches(&destination->channel, &command->channel))
            continue;
        rj_conductor_remove_receive_destination(conductor, destination, command->correlation_id);
        rj_conductor_finish_command(conductor);
        return true;
    }
    return false;
}

int rj_conductor_step_receive_destination(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    const rj_subscription_entry_t *manual = find_manual(conductor, err);
    if (manual == NULL)
        return err->code;
    if (command->type == RJ_COMMAND_ADD_RCV_DESTINATION)
        return is_local(&command->channel)
                   ? rj_conductor_add_local_destination(conductor, manual, err)
                   : add_network(conductor, manual, err);
    if (!remove_network(conductor, manual, has_same_form)) {
        rj_reply_success(&conductor->to_clients, command->correlation_id);
        rj_conductor_finish_command(conductor);
    }
    return 0;
}

/* --- the commands --- */

static int parse(rj_channel_t *ret, const char *text, int32_t length, rj_err_t *err)
{
    int result = rj_channel_parse(ret, text, (size_t)length, RJ_CHANNEL_RECEIVE_DESTINATION, err);
    /* A spy is found by the form that its publication has as a channel. */
    if (result == 0 && ret->uri.is_spy)
        result = rj_channel_parse(ret, text, (size_t)length, RJ_CHANNEL_SUBSCRIPTION, err);
    return result;
}

static int start(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    const bool is_added = command->type == RJ_COMMAND_ADD_RCV_DESTINATION;
    const rj_subscription_entry_t *manual = find_manual(conductor, err);
    if (manual == NULL)
        return err->code;
    if (!is_added && is_local(&command->channel))
        return remove_local(conductor, err);
    if (command->channel.uri.media == RJ_MEDIA_IPC)
        return rj_conductor_add_local_destination(conductor, manual, err);
    /* What was added by this very text is found without asking for names, which may fail by now. */
    if (!is_added && remove_network(conductor, manual, has_same_text))
        return 0;
    return rj_conductor_await_resolve(conductor, err);
}

void rj_conductor_on_receive_destination(rj_conductor_t *conductor, int32_t type,
                                         const rj_command_destination_t *destination,
                                         const char *channel)
{
    rj_client_command_t *command = &conductor->command;
    command->type = type;
    command->client_id = destination->header.client_id;
    command->correlation_id = destination->header.correlation_id;
    command->resource_id = destination->registration_id;
    rj_err_t err = {0};
    int result = parse(&command->channel, channel, destination->channel_length, &err);
    if (result == 0 && type == RJ_COMMAND_ADD_RCV_DESTINATION)
        result = rj_conductor_choose_transport(conductor, &command->channel, &err);
    if (result == 0)
        result = start(conductor, &err);
    if (result < 0)
        rj_conductor_fail_command(conductor, &err);
}
