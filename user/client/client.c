/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    DRIVER_TIMEOUT_MS = 10000,
    KEEPALIVE_INTERVAL_NS = 500 * 1000 * 1000,
    IDLE_SLEEP_NS = 16 * 1000 * 1000,
};

#define RESOURCE_LINGER_NS INT64_C(3000000000)

void rj_context_init(rj_context_t *context)
{
    *context = (rj_context_t){
        .driver_timeout_ms = DRIVER_TIMEOUT_MS,
        .keepalive_interval_ns = KEEPALIVE_INTERVAL_NS,
        .resource_linger_ns = RESOURCE_LINGER_NS,
        .idle_sleep_ns = IDLE_SLEEP_NS,
        .conductor_mode = RJ_CONDUCTOR_THREAD,
    };
}

static void destroy(rj_client_t *client)
{
    rj_cnc_close(&client->cnc);
    free(client->event);
    free((void *)(uintptr_t)client->context.directory);
    free((void *)(uintptr_t)client->context.client_name);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

static int init_lock(rj_client_t *client)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    int code = -pthread_mutex_init(&client->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return code;
}

static rj_client_t *allocate(const rj_context_t *context, const char *directory)
{
    rj_client_t *client = calloc(1, sizeof(*client));
    if (client == NULL)
        return NULL;
    if (init_lock(client) < 0) {
        free(client);
        return NULL;
    }
    client->context = *context;
    client->context.directory = strdup(directory);
    client->context.client_name = strdup(context->client_name != NULL ? context->client_name : "");
    client->heartbeat_id = RJ_COUNTER_ID_NULL;
    client->lingering_end = &client->lingering_first;
    if (client->context.directory == NULL || client->context.client_name == NULL) {
        destroy(client);
        return NULL;
    }
    return client;
}

/* Lays rings and counters over the sections of a mapped CnC file. */
static int attach_sections(rj_client_t *client, rj_err_t *err)
{
    const rj_cnc_t *cnc = &client->cnc;
    if (rj_ring_mpsc_attach(&client->to_driver, cnc->to_driver.bytes, cnc->to_driver.length_bytes) <
        0)
        return rj_fail(err, -EINVAL, "its command ring has an impossible length");
    if (rj_broadcast_receiver_attach(&client->from_driver, cnc->to_clients.bytes,
                                     cnc->to_clients.length_bytes) < 0)
        return rj_fail(err, -EINVAL, "its broadcast buffer has an impossible length");
    if (rj_counters_reader_init(&client->counters, cnc->counters_metadata.bytes,
                                cnc->counters_metadata.length_bytes, cnc->counters_values.bytes,
                                cnc->counters_values.length_bytes) < 0)
        return rj_fail(err, -EINVAL, "its counters have an impossible length");
    client->event_length_max = (int32_t)(client->from_driver.capacity_bytes / 8);
    client->event = malloc((size_t)client->event_length_max);
    if (client->event == NULL)
        return rj_fail(err, -ENOMEM, "out of memory");
    return 0;
}

static int check_driver(rj_client_t *client, int64_t epoch_ms, rj_err_t *err)
{
    int64_t heartbeat_ms = rj_cnc_heartbeat_ms(&client->cnc);
    if (rj_cnc_driver_is_alive(&client->cnc, epoch_ms, client->context.driver_timeout_ms))
        return 0;
    if (heartbeat_ms == 0)
        return rj_fail(err, -EAGAIN, "its driver is still starting");
    if (heartbeat_ms == RJ_NULL_VALUE)
        return rj_fail(err, -EAGAIN, "its driver has shut down");
    return rj_fail(err, -EAGAIN, "its driver shows no life");
}

int rj_client_try_connect(const rj_context_t *context, int64_t now_ns, int64_t epoch_ms,
                          rj_client_t **ret_client, rj_err_t *err)
{
    char directory[RJ_DIRECTORY_BYTES_MAX];
    if (context->directory == NULL && rj_directory_default(directory, sizeof(directory)) < 0)
        return rj_fail(err, -ENAMETOOLONG, "the path of the driver's directory is too long");
    rj_client_t *client =
        allocate(context, context->directory != NULL ? context->directory : directory);
    if (client == NULL)
        return rj_fail(err, -ENOMEM, "client: out of memory");

    int code = rj_cnc_try_map(&client->cnc, client->context.directory, RJ_MAPFILE_READ_WRITE, err);
    if (code == 0)
        code = check_driver(client, epoch_ms, err);
    if (code == 0)
        code = attach_sections(client, err);
    client->service_interval_ns = code == 0 ? client->cnc.header->client_liveness_timeout_ns : 0;
    if (code == 0 && client->service_interval_ns <= context->keepalive_interval_ns)
        code = rj_fail(err, -EINVAL,
                       "its client liveness timeout is not above the keepalive interval");
    if (code < 0) {
        rj_err_context(err, "driver in %s: ", client->context.directory);
        destroy(client);
        return code;
    }
    client->id = rj_ring_mpsc_next_correlation_id(&client->to_driver);
    client->now_ns = now_ns;
    client->keepalive_deadline_ns = now_ns + context->keepalive_interval_ns;
    *ret_client = client;
    return 0;
}

static void close_handles(rj_client_t *client)
{
    while (client->publications != NULL)
        rj_publication_close(client->publications);
    while (client->subscriptions != NULL)
        rj_subscription_close(client->subscriptions);
    while (client->owned_counters != NULL)
        rj_client_counter_close(client->owned_counters);
}

void rj_client_close(rj_client_t *client)
{
    if (client == NULL)
        return;
    rj_client_stop_thread(client);
    rj_client_lock(client);
    close_handles(client);
    if (!rj_client_is_closed(client)) {
        rj_command_header_t body = {.client_id = client->id, .correlation_id = RJ_NULL_VALUE};
        rj_ring_mpsc_write(&client->to_driver, RJ_COMMAND_CLIENT_CLOSE, &body, sizeof(body));
        atomic_store_explicit(&client->is_closed, true, memory_order_release);
    }
    rj_client_free_lingering(client, INT64_MAX);
    while (client->requests != NULL) {
        rj_request_t *request = client->requests;
        client->requests = request->next;
        free(request);
    }
    while (client->unsent != NULL) {
        rj_unsent_t *unsent = client->unsent;
        client->unsent = unsent->next;
        free(unsent);
    }
    rj_client_unlock(client);
    destroy(client);
}

int64_t rj_client_id(const rj_client_t *client)
{
    return client->id;
}

bool rj_client_is_closed(const rj_client_t *client)
{
    return atomic_load_explicit(&client->is_closed, memory_order_acquire);
}

void rj_client_report(rj_client_t *client, const rj_err_t *err)
{
    if (client->context.on_error == NULL)
        return;
    bool was_in_handler = client->is_in_handler;
    client->is_in_handler = true;
    client->context.on_error(client->context.error_user, err);
    client->is_in_handler = was_in_handler;
}

static rj_subscription_t *first_open_subscription(const rj_client_t *client)
{
    rj_subscription_t *subscription = client->subscriptions;
    while (subscription != NULL && rj_subscription_is_closed(subscription))
        subscription = subscription->next;
    return subscription;
}

void rj_client_force_close(rj_client_t *client, const rj_err_t *err)
{
    if (rj_client_is_closed(client))
        return;
    atomic_store_explicit(&client->is_closed, true, memory_order_release);
    for (rj_publication_t *p = client->publications; p != NULL; p = p->next)
        rj_publication_force_close(p);
    for (rj_client_counter_t *c = client->owned_counters; c != NULL; c = c->next)
        atomic_store_explicit(&c->is_closed, true, memory_order_release);
    rj_request_fail_all(client, err);
    /* Handlers may close subscriptions, so the list is looked at anew each time. */
    for (rj_subscription_t *s; (s = first_open_subscription(client)) != NULL;)
        rj_subscription_force_close(s);
    rj_client_report(client, err);
}

void rj_client_linger(rj_client_t *client, rj_lingering_t *lingering,
                      void (*release)(rj_lingering_t *lingering), const rj_subscription_t *reader,
                      uint64_t reader_version)
{
    lingering->next = NULL;
    lingering->deadline_ns = client->now_ns + client->context.resource_linger_ns;
    lingering->release = release;
    lingering->reader = reader;
    lingering->reader_version = reader_version;
    *client->lingering_end = lingering;
    client->lingering_end = &lingering->next;
}

static bool is_unused(const rj_lingering_t *lingering)
{
    const rj_subscription_t *reader = lingering->reader;
    /* Acquire: pairs with the release in see_images. */
    return reader == NULL || rj_subscription_is_closed(reader) ||
           atomic_load_explicit(&reader->version_seen, memory_order_acquire) >=
               lingering->reader_version;
}

/* The list is in the order in which things were taken away, so that what depends on a subscription
 * goes before it. */
int rj_client_free_lingering(rj_client_t *client, int64_t now_ns)
{
    int count = 0;
    rj_lingering_t **at = &client->lingering_first;
    while (*at != NULL && (*at)->deadline_ns <= now_ns) {
        rj_lingering_t *lingering = *at;
        if (now_ns != INT64_MAX && !is_unused(lingering)) {
            at = &lingering->next;
            continue;
        }
        *at = lingering->next;
        if (client->lingering_end == &lingering->next)
            client->lingering_end = at;
        lingering->release(lingering);
        count++;
    }
    return count;
}
