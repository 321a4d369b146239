/* SPDX-License-Identifier: Apache-2.0 */
/* Destinations of multi-destination publications: by command, by what an engine has heard
 * (commands.md 5.5; driver.md 12.4). */
#include "conductor/conductor_destination.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "endpoint/fan_out.h"
#include "ramjet/command.h"

/* --- which publication --- */

/* The C client names a publication by its handle, the Java client by its first registration id. */
static rj_network_entry_t *find_network(const rj_conductor_t *conductor, int64_t registration_id)
{
    rj_network_entry_t *network;
    DL_FOREACH(conductor->network_publications, network)
    {
        if (network->publication.config.registration_id == registration_id)
            return network;
    }
    const rj_client_entry_t *client;
    DL_FOREACH(conductor->clients, client)
    {
        const rj_publication_link_t *link;
        DL_SEARCH_SCALAR(client->publications, link, registration_id, registration_id);
        if (link != NULL)
            return link->network;
    }
    return NULL;
}

/* The endpoint whose destinations a command means; NULL with `err`. */
static rj_send_entry_t *find_manual(const rj_conductor_t *conductor, int64_t client_id,
                                    int64_t registration_id, rj_err_t *err)
{
    const rj_network_entry_t *network = find_network(conductor, registration_id);
    if (network == NULL) {
        rj_fail_aeron(err, -EINVAL, RJ_ERROR_UNKNOWN_PUBLICATION,
                      "unknown publication client_id=%" PRId64 " registration_id=%" PRId64,
                      client_id, registration_id);
        return NULL;
    }
    rj_send_entry_t *send = network->send;
    const rj_channel_t *channel = &send->endpoint.channel;
    if (channel->control_mode != RJ_CONTROL_MODE_MANUAL) {
        rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                      "channel does not allow manual control of destinations: %s",
                      channel->uri.text);
        return NULL;
    }
    if (send->state != RJ_ENDPOINT_ACTIVE) {
        rj_conductor_fail_closing("send", channel, err);
        return NULL;
    }
    return send;
}

/* --- entries --- */

static void set_count(rj_conductor_t *conductor, rj_send_entry_t *send, int count)
{
    send->destination_count = count;
    rj_counter_set(rj_counters_value(conductor->counters, send->count_counter_id), count);
}

static rj_destination_entry_t *make_entry(rj_send_entry_t *send, rj_err_t *err)
{
    rj_destination_entry_t *entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        rj_fail(err, -ENOMEM, "out of memory for a destination");
        return NULL;
    }
    entry->send = send;
    DL_APPEND(send->destinations, entry);
    return entry;
}

static void free_entry(rj_conductor_t *conductor, rj_destination_entry_t *entry)
{
    rj_conductor_unfollow_name(conductor, &entry->name);
    rj_conductor_drop_header(conductor, &entry->headed);
    DL_DELETE(entry->send->destinations, entry);
    free(entry);
}

/* From here on it is no destination any more; its memory is the engine's until that lets go. */
static void leave(rj_conductor_t *conductor, rj_destination_entry_t *entry)
{
    rj_send_entry_t *send = entry->send;
    const rj_engine_command_t remove = {.type = RJ_ENGINE_REMOVE_SEND_DESTINATION,
                                        .send_endpoint = &send->endpoint,
                                        .destination = &entry->destination};
    entry->is_leaving = true;
    set_count(conductor, send, send->destination_count - 1);
    rj_conductor_unfollow_name(conductor, &entry->name);
    rj_conductor_unsteer_send_destination(conductor, entry);
    rj_conductor_tell(conductor, send->endpoint.base.home, &remove);
}

/* --- names that have another address now --- */

static void on_moved(rj_conductor_t *conductor, void *owner, const rj_address_t *address)
{
    rj_destination_entry_t *entry = owner;
    rj_send_entry_t *send = entry->send;
    if (entry->is_leaving || send->state != RJ_ENDPOINT_ACTIVE)
        return;
    const rj_engine_command_t move = {.type = RJ_ENGINE_MOVE_SEND_DESTINATION,
                                      .send_endpoint = &send->endpoint,
                                      .destination = &entry->destination,
                                      .address = *address};
    entry->name.address = *address;
    rj_conductor_unsteer_send_destination(conductor, entry);
    rj_conductor_tell(conductor, send->endpoint.base.home, &move);
    rj_conductor_steer_send_destination(conductor, entry, &entry->destination.path, address);
    rj_system_counter_add(conductor->system, RJ_SYSTEM_RESOLUTION_CHANGES, 1);
}

static void follow_name(rj_conductor_t *conductor, rj_destination_entry_t *entry,
                        const rj_address_t *address)
{
    entry->name = (rj_followed_name_t){.param = "endpoint",
                                       .text = entry->text,
                                       .last_activity_ns = &entry->destination.last_sm_ns,
                                       .repeat_ns = RJ_NAME_SILENCE_NS,
                                       .address = *address,
                                       .on_change = on_moved,
                                       .owner = entry};
    rj_conductor_follow_name(conductor, &entry->name);
}

/* --- the commands --- */

/* A port of 0 in the text; one that a name stands for is seen when that is resolved. */
static int check_port(const rj_channel_t *channel, rj_err_t *err)
{
    rj_host_port_t parsed;
    rj_err_t ignored;
    const char *text = channel->endpoint_text;
    if (rj_host_port_parse(&parsed, text, strlen(text), &ignored) == 0 && parsed.port == 0)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                             "a destination needs a port other than 0: %s", channel->uri.text);
    return 0;
}

static int await_name(rj_conductor_t *conductor, rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    rj_task_t *task = calloc(1, sizeof(*task));
    if (task == NULL)
        return rj_fail(err, -ENOMEM, "out of memory for a command");
    task->type = RJ_TASK_RESOLVE_NAME;
    task->param = "endpoint";
    task->reason =
        command->type == RJ_COMMAND_ADD_DESTINATION ? RJ_RESOLVE_FIRST : RJ_RESOLVE_AGAIN;
    memcpy(task->text, command->channel.endpoint_text, sizeof(task->text));
    command->task = task;
    return rj_conductor_await(conductor, RJ_STEP_RESOLVE, err);
}

static int begin(rj_conductor_t *conductor, const char *text, int32_t length, rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    if (find_manual(conductor, command->client_id, command->resource_id, err) == NULL)
        return err->code;
    int result =
        rj_channel_parse(&command->channel, text, (size_t)length, RJ_CHANNEL_SEND_DESTINATION, err);
    if (result == 0 && command->type == RJ_COMMAND_ADD_DESTINATION)
        result = rj_conductor_choose_transport(conductor, &command->channel, err);
    if (result == 0)
        result = check_port(&command->channel, err);
    return result == 0 ? await_name(conductor, err) : result;
}

void rj_conductor_on_send_destination(rj_conductor_t *conductor, int32_t type,
                                      const rj_command_destination_t *command, const char *channel)
{
    rj_err_t err = {0};
    conductor->command.task = NULL;
    conductor->command.type = type;
    conductor->command.client_id = command->header.client_id;
    conductor->command.correlation_id = command->header.correlation_id;
    conductor->command.resource_id = command->registration_id;
    if (begin(conductor, channel, command->channel_length, &err) < 0)
        rj_conductor_fail_command(conductor, &err);
}

void rj_conductor_on_remove_destination_by_id(rj_conductor_t *conductor,
                                              const rj_command_destination_by_id_t *command)
{
    rj_err_t err = {0};
    rj_destination_entry_t *entry, *next;
    rj_send_entry_t *send =
        find_manual(conductor, command->header.client_id, command->resource_registration_id, &err);
    if (send == NULL) {
        rj_conductor_refuse(conductor, command->header.correlation_id, &err);
        return;
    }
    DL_FOREACH_SAFE(send->destinations, entry, next)
    {
        if (!entry->is_leaving &&
            entry->destination.registration_id == command->destination_registration_id)
            leave(conductor, entry);
    }
    rj_reply_success(&conductor->to_clients, command->header.correlation_id);
}

static int add(rj_conductor_t *conductor, rj_send_entry_t *send, const rj_address_t *address,
               rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    if (send->destination_count >= RJ_SEND_DESTINATIONS_MAX)
        return rj_fail(err, -ENOSPC, "more than %d destinations of one channel: %s",
                       RJ_SEND_DESTINATIONS_MAX, send->endpoint.channel.uri.text);
    rj_destination_entry_t *entry = make_entry(send, err);
    if (entry == NULL)
        return err->code;
    rj_send_destination_init(&entry->destination, &send->endpoint.base, address,
                             command->correlation_id, conductor->now_ns);
    memcpy(entry->text, command->channel.endpoint_text, sizeof(entry->text));
    entry->transport = command->channel.transport;
    const rj_engine_command_t join = {.type = RJ_ENGINE_ADD_SEND_DESTINATION,
                                      .send_endpoint = &send->endpoint,
                                      .destination = &entry->destination};
    rj_conductor_tell(conductor, send->endpoint.base.home, &join);
    rj_conductor_steer_send_destination(conductor, entry, &entry->destination.path, address);
    follow_name(conductor, entry, address);
    set_count(conductor, send, send->destination_count + 1);
    return 0;
}

/* As Aeron: one of those that have the address, the youngest, and none is no error. */
static void remove_one(rj_conductor_t *conductor, rj_send_entry_t *send,
                       const rj_address_t *address)
{
    rj_destination_entry_t *found = NULL;
    rj_destination_entry_t *entry;
    DL_FOREACH(send->destinations, entry)
    {
        if (!entry->is_leaving && rj_address_equal(&entry->name.address, address))
            found = entry;
    }
    if (found != NULL)
        leave(conductor, found);
}

/* As Aeron: what cannot be resolved is no address. It is added so, for it may be known later, and
 * removes one that was. */
static rj_address_t address_of(const rj_task_t *task)
{
    const rj_address_t none = {.family = AF_UNSPEC};
    return rj_task_state(task) == RJ_TASK_DONE ? task->address : none;
}

int rj_conductor_step_send_destination(rj_conductor_t *conductor, rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    const rj_address_t address = address_of(command->task);
    int result = 0;
    /* Whatever was asked about may have come to its end meanwhile. */
    rj_send_entry_t *send = find_manual(conductor, command->client_id, command->resource_id, err);
    if (send == NULL)
        return err->code;
    if (address.family != AF_UNSPEC && address.port == 0)
        result =
            rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                          "a destination needs a port other than 0: %s", command->channel.uri.text);
    if (result == 0 && command->type == RJ_COMMAND_ADD_DESTINATION)
        result = add(conductor, send, &address, err);
    else if (result == 0)
        remove_one(conductor, send, &address);
    if (result < 0)
        return result;
    rj_reply_success(&conductor->to_clients, command->correlation_id);
    rj_conductor_finish_command(conductor);
    return 0;
}

/* --- what the engine says --- */

void rj_conductor_on_destination_released(rj_conductor_t *conductor, const rj_engine_event_t *event)
{
    free_entry(conductor, (rj_destination_entry_t *)event->destination);
}

void rj_conductor_on_destination_joined(rj_conductor_t *conductor, const rj_engine_event_t *event)
{
    rj_err_t err;
    rj_send_entry_t *send = (rj_send_entry_t *)event->send_endpoint;
    if (send->state != RJ_ENDPOINT_ACTIVE)
        return;
    rj_destination_entry_t *entry = make_entry(send, &err);
    if (entry == NULL)
        return; /* the socket sends to it */
    entry->dynamic = event->destination;
    rj_conductor_steer_send_destination(conductor, entry, &event->destination->path,
                                        &event->destination->path.address);
}

void rj_conductor_on_destination_left(rj_conductor_t *conductor, const rj_engine_event_t *event)
{
    rj_send_entry_t *send = (rj_send_entry_t *)event->send_endpoint;
    rj_destination_entry_t *entry, *next;
    DL_FOREACH_SAFE(send->destinations, entry, next)
    {
        if (entry->dynamic == event->destination)
            free_entry(conductor, entry);
    }
    /* An engine that was asked to let go of the endpoint needs no room in it. */
    if (send->state != RJ_ENDPOINT_ACTIVE)
        return;
    const rj_engine_command_t free_it = {.type = RJ_ENGINE_FREE_SEND_DESTINATION,
                                         .send_endpoint = &send->endpoint,
                                         .destination = event->destination};
    rj_conductor_tell(conductor, send->endpoint.base.home, &free_it);
}

/* --- their endpoint --- */

void rj_conductor_unsteer_destinations(rj_conductor_t *conductor, rj_send_entry_t *send)
{
    rj_destination_entry_t *entry;
    DL_FOREACH(send->destinations, entry)
    {
        rj_conductor_unfollow_name(conductor, &entry->name);
        rj_conductor_unsteer_send_destination(conductor, entry);
    }
}

void rj_conductor_free_destinations(rj_conductor_t *conductor, rj_send_entry_t *send)
{
    rj_destination_entry_t *entry, *next;
    DL_FOREACH_SAFE(send->destinations, entry, next)
    {
        free_entry(conductor, entry);
    }
}
