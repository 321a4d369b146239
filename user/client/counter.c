/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client.h"
#include "client/client_commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(((rj_counter_record_t *)0)->key) == RJ_COUNTER_KEY_BYTES_MAX &&
                   sizeof(((rj_counter_record_t *)0)->label) == RJ_COUNTER_LABEL_BYTES_MAX + 1,
               "the public record has room for all of a counter");

int64_t *rj_client_counter_address(const rj_client_t *client, int32_t id)
{
    if (id < 0 || id >= client->counters.count_max)
        return NULL;
    rj_counter_value_t *values = (rj_counter_value_t *)(void *)client->cnc.counters_values.bytes;
    return &values[id].value;
}

int rj_client_counter_create(rj_client_t *client, const rj_request_t *request, int32_t counter_id,
                             rj_client_counter_t **ret_counter, rj_err_t *err)
{
    int64_t *value = rj_client_counter_address(client, counter_id);
    if (value == NULL)
        return rj_fail(err, -EPROTO, "counter %lld: the driver answered with id %d",
                       (long long)request->correlation_id, counter_id);
    rj_client_counter_t *counter = calloc(1, sizeof(*counter));
    if (counter == NULL)
        return rj_fail(err, -ENOMEM, "counter: out of memory");
    counter->client = client;
    counter->id = counter_id;
    counter->value = value;
    counter->is_static = request->is_static_counter;
    counter->registration_id =
        request->is_static_counter ? request->registration_id : request->correlation_id;
    counter->next = client->owned_counters;
    client->owned_counters = counter;
    *ret_counter = counter;
    return 0;
}

/* Acquire: pairs with the release of who closes it; its id may be another's soon after. */
static inline bool is_closed(const rj_client_counter_t *counter)
{
    return atomic_load_explicit(&counter->is_closed, memory_order_acquire);
}

int32_t rj_client_counter_id(const rj_client_counter_t *counter)
{
    return counter->id;
}

int64_t rj_client_counter_registration_id(const rj_client_counter_t *counter)
{
    return counter->registration_id;
}

int64_t rj_client_counter_value(const rj_client_counter_t *counter)
{
    return rj_counter_get(counter->value);
}

void rj_client_counter_set(rj_client_counter_t *counter, int64_t value)
{
    if (!is_closed(counter))
        rj_counter_set(counter->value, value);
}

int64_t rj_client_counter_add(rj_client_counter_t *counter, int64_t increment)
{
    int64_t before = rj_counter_get(counter->value);
    if (!is_closed(counter))
        rj_counter_set(counter->value, before + increment);
    return before;
}

bool rj_client_counter_is_closed(const rj_client_counter_t *counter)
{
    return is_closed(counter);
}

void rj_client_counter_release(rj_lingering_t *lingering)
{
    free(lingering);
}

void rj_client_counter_close(rj_client_counter_t *counter)
{
    if (counter == NULL)
        return;
    rj_client_t *client = counter->client;
    rj_client_lock(client);
    rj_client_counter_t **at = &client->owned_counters;
    while (*at != counter)
        at = &(*at)->next;
    *at = counter->next;
    if (!is_closed(counter)) {
        atomic_store_explicit(&counter->is_closed, true, memory_order_release);
        if (!counter->is_static)
            rj_client_send_removal(client, RJ_COMMAND_REMOVE_COUNTER, counter->registration_id);
    }
    rj_client_linger(client, &counter->lingering, rj_client_counter_release, NULL, 0);
    rj_client_unlock(client);
}

static void copy_record(rj_counter_record_t *record, const rj_counter_view_t *view)
{
    record->id = view->id;
    record->type_id = view->type_id;
    record->value = view->value;
    record->registration_id = view->registration_id;
    record->owner_id = view->owner_id;
    record->reference_id = view->reference_id;
    memcpy(record->key, view->key, sizeof(record->key));
    memcpy(record->label, view->label, sizeof(record->label));
}

void rj_client_counters_foreach(const rj_client_t *client,
                                bool (*visit)(void *user, const rj_counter_record_t *record),
                                void *user)
{
    int32_t cursor = 0;
    rj_counter_view_t view;
    while (rj_counters_next(&client->counters, &cursor, &view)) {
        rj_counter_record_t record;
        copy_record(&record, &view);
        if (!visit(user, &record))
            return;
    }
}

int rj_client_counters_read(const rj_client_t *client, int32_t id, rj_counter_record_t *ret_record)
{
    rj_counter_view_t view;
    if (rj_counters_read(&client->counters, id, &view) < 0 || view.state != RJ_COUNTER_ALLOCATED)
        return -ENOENT;
    copy_record(ret_record, &view);
    return 0;
}

int32_t rj_client_counters_find(const rj_client_t *client, int32_t type_id, int64_t registration_id)
{
    return rj_counters_find(&client->counters, type_id, registration_id);
}
