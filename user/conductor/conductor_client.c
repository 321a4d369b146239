/* SPDX-License-Identifier: Apache-2.0 */
/* Clients: who is alive, and what goes with one that is not (commands.md 11). */
#include "conductor/conductor_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

rj_client_entry_t *rj_conductor_find_client(rj_conductor_t *conductor, int64_t client_id)
{
    rj_client_entry_t *client;
    DL_FOREACH(conductor->clients, client)
    {
        if (client->client_id == client_id)
            return client;
    }
    return NULL;
}

rj_client_entry_t *rj_conductor_client(rj_conductor_t *conductor, int64_t client_id, rj_err_t *err)
{
    rj_client_entry_t *client = rj_conductor_find_client(conductor, client_id);
    if (client != NULL)
        return client;
    client = calloc(1, sizeof(*client));
    if (client == NULL) {
        rj_fail(err, -ENOMEM, "out of memory for a client");
        return NULL;
    }
    char label[64];
    int length = snprintf(label, sizeof(label), "client-heartbeat: id=%" PRId64, client_id);
    rj_counter_spec_t spec = {.type_id = RJ_COUNTER_TYPE_CLIENT_HEARTBEAT,
                              .key = &client_id,
                              .key_length = sizeof(client_id),
                              .label = label,
                              .label_length = (size_t)length,
                              .registration_id = client_id,
                              .owner_id = client_id,
                              .initial_value = conductor->epoch_ms};
    if (rj_counters_allocate(conductor->counters, &spec, conductor->epoch_ms,
                             &client->heartbeat_counter_id, err) < 0) {
        free(client);
        return NULL;
    }
    client->client_id = client_id;
    client->heartbeat = rj_counters_value(conductor->counters, client->heartbeat_counter_id);
    DL_APPEND(conductor->clients, client);
    rj_reply_counter(&conductor->to_clients, RJ_EVENT_COUNTER_READY, client_id,
                     client->heartbeat_counter_id);
    return client;
}

void rj_conductor_on_keepalive(rj_conductor_t *conductor, int64_t client_id)
{
    rj_client_entry_t *client = rj_conductor_find_client(conductor, client_id);
    if (client != NULL)
        rj_counter_set(client->heartbeat, conductor->epoch_ms);
}

void rj_conductor_on_client_close(rj_conductor_t *conductor, int64_t client_id)
{
    rj_client_entry_t *client = rj_conductor_find_client(conductor, client_id);
    if (client == NULL)
        return;
    client->closed_by_command = true;
    rj_counter_set(client->heartbeat, 0);
}

static void drop_client_counters(rj_conductor_t *conductor, rj_client_entry_t *client)
{
    rj_counter_link_t *link, *next;
    DL_FOREACH_SAFE(client->counters, link, next)
    {
        rj_reply_counter(&conductor->to_clients, RJ_EVENT_UNAVAILABLE_COUNTER,
                         link->registration_id, link->counter_id);
        rj_conductor_free_counter(conductor, link->counter_id);
        DL_DELETE(client->counters, link);
        free(link);
    }
}

static void drop_client_subscriptions(rj_conductor_t *conductor, int64_t client_id)
{
    rj_subscription_entry_t *subscription, *next;
    DL_FOREACH_SAFE(conductor->subscriptions, subscription, next)
    {
        if (subscription->client_id == client_id)
            rj_conductor_delete_subscription(conductor, subscription);
    }
}

static void end_client(rj_conductor_t *conductor, rj_client_entry_t *client)
{
    if (!client->closed_by_command) {
        rj_system_counter_add(conductor->system, RJ_SYSTEM_CLIENT_TIMEOUTS, 1);
        rj_reply_client_timeout(&conductor->to_clients, client->client_id);
    }
    rj_reply_counter(&conductor->to_clients, RJ_EVENT_UNAVAILABLE_COUNTER, client->client_id,
                     client->heartbeat_counter_id);
    rj_publication_link_t *link, *next;
    DL_FOREACH_SAFE(client->publications, link, next)
    {
        rj_conductor_unlink_publication(conductor, link);
    }
    drop_client_counters(conductor, client);
    drop_client_subscriptions(conductor, client->client_id);
    rj_conductor_free_counter(conductor, client->heartbeat_counter_id);
    DL_DELETE(conductor->clients, client);
    free(client);
}

void rj_conductor_time_clients(rj_conductor_t *conductor)
{
    int64_t timeout_ms = conductor->config->client_liveness_timeout_ns / 1000000;
    if (timeout_ms < 1)
        timeout_ms = 1;
    rj_client_entry_t *client, *next;
    DL_FOREACH_SAFE(conductor->clients, client, next)
    {
        /* Acquire: pairs with the client's release. Hostile: any value is a time stamp, no more. */
        int64_t age_ms;
        if (__builtin_sub_overflow(conductor->epoch_ms, rj_counter_get(client->heartbeat), &age_ms))
            age_ms = INT64_MAX;
        /* A thread of a closing client may have written its time once more. */
        if (client->closed_by_command || age_ms > timeout_ms)
            end_client(conductor, client);
    }
}

void rj_conductor_free_clients(rj_conductor_t *conductor)
{
    rj_client_entry_t *client, *next;
    DL_FOREACH_SAFE(conductor->clients, client, next)
    {
        rj_publication_link_t *publication, *next_publication;
        DL_FOREACH_SAFE(client->publications, publication, next_publication)
        {
            free(publication);
        }
        rj_counter_link_t *counter, *next_counter;
        DL_FOREACH_SAFE(client->counters, counter, next_counter)
        {
            free(counter);
        }
        free(client);
    }
    conductor->clients = NULL;
}
