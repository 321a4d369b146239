/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_commands.h"

#include <ramjet/version.h>

#include "base/bits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { EVENTS_PER_TURN_MAX = 64 };

/* Events are copied out of the broadcast buffer before they are read here; a field that does not
 * fit into what was received makes the event malformed, and it is dropped with a report. */
typedef struct event {
    const uint8_t *body;
    int32_t length;
} event_t;

/* Copies the fixed part of an event; false if it is too short. */
static bool get(const event_t *event, void *fixed, size_t size)
{
    if (event->length < 0 || (size_t)event->length < size)
        return false;
    memcpy(fixed, event->body, size);
    return true;
}

/* Copies a text of `length` bytes at `offset` and terminates it; false if it does not fit. */
static bool get_text(const event_t *event, int64_t offset, int32_t length, char *text,
                     size_t text_bytes)
{
    if (length < 0 || offset + length > event->length || (size_t)length >= text_bytes)
        return false;
    memcpy(text, event->body + offset, (size_t)length);
    text[length] = '\0';
    return true;
}

static rj_subscription_t *find_subscription(const rj_client_t *client, int64_t registration_id)
{
    rj_subscription_t *subscription = client->subscriptions;
    while (subscription != NULL && subscription->info.registration_id != registration_id)
        subscription = subscription->next;
    return subscription;
}

static bool on_error(rj_client_t *client, const event_t *event)
{
    rj_event_error_t error;
    if (!get(event, &error, sizeof(error)) || error.message_length < 0 ||
        error.message_length > event->length - (int32_t)sizeof(error))
        return false;
    rj_request_t *request = rj_request_find(client, error.offending_correlation_id);
    if (request == NULL)
        return true;
    char text[RJ_ERR_TEXT_MAX];
    snprintf(text, sizeof(text), "%.*s", error.message_length,
             (const char *)event->body + sizeof(error));
    rj_request_on_error(request, error.error_code, text);
    return true;
}

static bool on_publication_ready(rj_client_t *client, const event_t *event,
                                 rj_publication_kind_t kind)
{
    rj_event_publication_ready_t ready;
    char path[RJ_DIRECTORY_BYTES_MAX];
    if (!get(event, &ready, sizeof(ready)) ||
        !get_text(event, sizeof(ready), ready.log_file_length, path, sizeof(path)))
        return false;
    rj_request_t *request = rj_request_find(client, ready.correlation_id);
    if (request != NULL && request->publication_kind == kind)
        rj_request_on_publication_ready(request, &ready, path);
    return true;
}

static bool on_subscription_ready(rj_client_t *client, const event_t *event)
{
    rj_event_subscription_ready_t ready;
    if (!get(event, &ready, sizeof(ready)))
        return false;
    rj_request_t *request = rj_request_find(client, ready.correlation_id);
    if (request != NULL)
        rj_request_on_subscription_ready(request, ready.channel_status_counter_id);
    return true;
}

static bool on_available_image(rj_client_t *client, const event_t *event)
{
    rj_event_available_image_t image;
    char path[RJ_DIRECTORY_BYTES_MAX];
    if (!get(event, &image, sizeof(image)) ||
        !get_text(event, sizeof(image), image.log_file_length, path, sizeof(path)))
        return false;
    char source[256];
    int32_t source_length;
    int64_t source_at = (int64_t)sizeof(image) + rj_align_up(image.log_file_length, 4);
    if (source_at + (int64_t)sizeof(source_length) > event->length)
        return false;
    memcpy(&source_length, event->body + source_at, sizeof(source_length));
    if (!get_text(event, source_at + (int64_t)sizeof(source_length), source_length, source,
                  sizeof(source)))
        return false;
    rj_subscription_t *subscription = find_subscription(client, image.subscription_registration_id);
    if (subscription == NULL || rj_subscription_is_closed(subscription))
        return true;
    rj_err_t err;
    int code = rj_subscription_add_image(subscription, &image, path, source, &err);
    if (code < 0 && code != -EEXIST) {
        rj_err_context(&err, "image of %s: ", subscription->channel);
        rj_client_report(client, &err);
    }
    return true;
}

static bool on_unavailable_image(rj_client_t *client, const event_t *event)
{
    rj_event_unavailable_image_t image;
    if (!get(event, &image, sizeof(image)))
        return false;
    rj_subscription_t *subscription = find_subscription(client, image.subscription_registration_id);
    if (subscription != NULL)
        rj_subscription_remove_image(subscription, image.correlation_id);
    return true;
}

static bool on_counter_ready(rj_client_t *client, const event_t *event)
{
    rj_event_counter_t ready;
    if (!get(event, &ready, sizeof(ready)))
        return false;
    rj_request_t *request = rj_request_find(client, ready.correlation_id);
    if (request != NULL)
        rj_request_on_counter_ready(request, ready.counter_id);
    return true;
}

static bool on_unavailable_counter(rj_client_t *client, const event_t *event)
{
    rj_event_counter_t gone;
    if (!get(event, &gone, sizeof(gone)))
        return false;
    for (rj_client_counter_t *c = client->owned_counters; c != NULL; c = c->next)
        if (c->registration_id == gone.correlation_id && c->id == gone.counter_id)
            atomic_store_explicit(&c->is_closed, true, memory_order_release);
    return true;
}

static bool on_client_timeout(rj_client_t *client, const event_t *event)
{
    rj_event_client_timeout_t timeout;
    if (!get(event, &timeout, sizeof(timeout)))
        return false;
    if (timeout.client_id == client->id) {
        rj_err_t err;
        rj_fail_aeron(&err, -ETIMEDOUT, RJ_CLIENT_ERROR_CLIENT_TIMEOUT,
                      "the driver in %s has given this client up: its conductor did not run",
                      client->context.directory);
        rj_client_force_close(client, &err);
    }
    return true;
}

static bool on_publication_error(rj_client_t *client, const event_t *event)
{
    rj_event_publication_error_t error;
    if (!get(event, &error, sizeof(error)) || error.message_length < 0 ||
        error.message_length > event->length - (int32_t)sizeof(error))
        return false;
    for (rj_publication_t *p = client->publications; p != NULL; p = p->next) {
        if (p->info.original_registration_id != error.registration_id)
            continue;
        rj_err_t err;
        rj_fail_aeron(&err, -EREMOTEIO, error.error_code, "publication on %s: %.*s", p->channel,
                      error.message_length, (const char *)event->body + sizeof(error));
        rj_client_report(client, &err);
        return true; /* one report is enough for all handles of a log */
    }
    return true;
}

/* Removals have answers too, for which nobody waits. */
static bool on_success(rj_client_t *client, const event_t *event)
{
    rj_event_operation_success_t success;
    if (!get(event, &success, sizeof(success)))
        return false;
    rj_request_t *request = rj_request_find(client, success.correlation_id);
    if (request != NULL)
        rj_request_on_success(request, success.correlation_id);
    return true;
}

static bool on_next_session_id(rj_client_t *client, const event_t *event)
{
    rj_event_next_session_id_t next;
    if (!get(event, &next, sizeof(next)))
        return false;
    rj_request_t *request = rj_request_find(client, next.correlation_id);
    if (request != NULL)
        rj_request_on_success(request, next.next_session_id);
    return true;
}

/* False: the event is malformed. */
static bool dispatch(rj_client_t *client, int32_t type, const event_t *event)
{
    switch (type) {
    case RJ_EVENT_ERROR:
        return on_error(client, event);
    case RJ_EVENT_AVAILABLE_IMAGE:
        return on_available_image(client, event);
    case RJ_EVENT_PUBLICATION_READY:
        return on_publication_ready(client, event, RJ_PUBLICATION_SHARED);
    case RJ_EVENT_EXCLUSIVE_PUBLICATION_READY:
        return on_publication_ready(client, event, RJ_PUBLICATION_EXCLUSIVE);
    case RJ_EVENT_SUBSCRIPTION_READY:
        return on_subscription_ready(client, event);
    case RJ_EVENT_UNAVAILABLE_IMAGE:
        return on_unavailable_image(client, event);
    case RJ_EVENT_COUNTER_READY:
    case RJ_EVENT_STATIC_COUNTER:
        return on_counter_ready(client, event);
    case RJ_EVENT_UNAVAILABLE_COUNTER:
        return on_unavailable_counter(client, event);
    case RJ_EVENT_CLIENT_TIMEOUT:
        return on_client_timeout(client, event);
    case RJ_EVENT_PUBLICATION_ERROR:
        return on_publication_error(client, event);
    case RJ_EVENT_OPERATION_SUCCESS:
        return on_success(client, event);
    case RJ_EVENT_NEXT_AVAILABLE_SESSION_ID:
        return on_next_session_id(client, event);
    default: /* what newer drivers may say */
        return true;
    }
}

static void report_lapped(rj_client_t *client)
{
    rj_err_t err;
    rj_fail_aeron(&err, -EOVERFLOW, RJ_CLIENT_ERROR_LAPPED,
                  "the driver's events came faster than this client's conductor was run: some "
                  "answers and images are lost");
    rj_client_report(client, &err);
}

static int receive_events(rj_client_t *client)
{
    int count = 0;
    while (count < EVENTS_PER_TURN_MAX && !rj_client_is_closed(client)) {
        int32_t type;
        int length = rj_broadcast_receive(&client->from_driver, &type, client->event,
                                          client->event_length_max);
        if (length == -EAGAIN)
            break;
        count++;
        if (length == -EOVERFLOW) {
            report_lapped(client);
            continue;
        }
        event_t event = {.body = client->event, .length = length};
        if (length < 0 || !dispatch(client, type, &event)) {
            rj_err_t err;
            rj_fail(&err, -EPROTO, "the driver sent a malformed event of type %#x", (unsigned)type);
            rj_client_report(client, &err);
        }
    }
    return count;
}

static int64_t own_heartbeat_key(const rj_counter_metadata_t *metadata)
{
    int64_t key;
    memcpy(&key, metadata->key, sizeof(key));
    return key;
}

static bool is_own_heartbeat(const rj_client_t *client, int32_t id)
{
    const rj_counter_metadata_t *metadata = &client->counters.metadata[id];
    return rj_load_acquire_i32(&metadata->state) == RJ_COUNTER_ALLOCATED &&
           metadata->type_id == RJ_COUNTER_TYPE_CLIENT_HEARTBEAT &&
           own_heartbeat_key(metadata) == client->id;
}

/* Appends who we are to the label, once. The counter is ours, so the driver does not touch it. */
static void name_heartbeat(rj_client_t *client, int32_t id)
{
    char name[RJ_COUNTER_LABEL_BYTES_MAX];
    int length = snprintf(name, sizeof(name), " name=%s version=%s commit=none",
                          client->context.client_name, RJ_VERSION_TEXT);
    rj_counter_metadata_t *metadata =
        (rj_counter_metadata_t *)(void *)client->cnc.counters_metadata.bytes + id;
    int32_t used = rj_load_acquire_i32(&metadata->label_length);
    if (length < 0 || used < 0 || used > RJ_COUNTER_LABEL_BYTES_MAX)
        return;
    int32_t room = RJ_COUNTER_LABEL_BYTES_MAX - used;
    int32_t added = length < (int)sizeof(name) ? length : (int)sizeof(name) - 1;
    if (added > room)
        added = room;
    memcpy(metadata->label + used, name, (size_t)added);
    rj_store_release_i32(&metadata->label_length, used + added);
}

/* The driver makes the counter with our first command. Returns false when it was ours and is not
 * any more. */
static bool keep_heartbeat(rj_client_t *client, int64_t epoch_ms)
{
    if (client->heartbeat_id == RJ_COUNTER_ID_NULL) {
        int32_t id =
            rj_counters_find(&client->counters, RJ_COUNTER_TYPE_CLIENT_HEARTBEAT, client->id);
        if (id == RJ_COUNTER_ID_NULL || !is_own_heartbeat(client, id))
            return true;
        client->heartbeat_id = id;
        name_heartbeat(client, id);
    } else if (!is_own_heartbeat(client, client->heartbeat_id)) {
        return false;
    }
    rj_counter_set(rj_client_counter_address(client, client->heartbeat_id), epoch_ms);
    return true;
}

/* Both sides' liveness; what is lost closes the client. */
static void keep_alive(rj_client_t *client, int64_t epoch_ms)
{
    rj_err_t err;
    const char *directory = client->context.directory;
    int64_t heartbeat_ms = rj_cnc_heartbeat_ms(&client->cnc);
    if (heartbeat_ms == RJ_NULL_VALUE) {
        rj_fail_aeron(&err, -ESHUTDOWN, RJ_CLIENT_ERROR_DRIVER_SHUTDOWN,
                      "the driver in %s has been shut down", directory);
        rj_client_force_close(client, &err);
    } else if (epoch_ms - heartbeat_ms > client->context.driver_timeout_ms) {
        rj_fail_aeron(&err, -ETIMEDOUT, RJ_CLIENT_ERROR_DRIVER_TIMEOUT,
                      "the driver in %s has shown no life for %" PRId64 " ms", directory,
                      epoch_ms - heartbeat_ms);
        rj_client_force_close(client, &err);
    } else if (!keep_heartbeat(client, epoch_ms)) {
        rj_fail_aeron(&err, -ETIMEDOUT, RJ_CLIENT_ERROR_CLIENT_TIMEOUT,
                      "the driver in %s has forgotten this client", directory);
        rj_client_force_close(client, &err);
    }
}

static void check_service(rj_client_t *client, int64_t now_ns)
{
    if (now_ns - client->now_ns <= client->service_interval_ns)
        return;
    rj_err_t err;
    rj_fail_aeron(&err, -ETIMEDOUT, RJ_CLIENT_ERROR_SERVICE_TIMEOUT,
                  "the client's conductor was not run for %" PRId64 " ms",
                  (now_ns - client->now_ns) / 1000000);
    rj_client_force_close(client, &err);
}

/* Polls cannot report; the conductor does it for them. */
static void report_damage(rj_client_t *client)
{
    for (rj_subscription_t *s = client->subscriptions; s != NULL; s = s->next) {
        const rj_image_array_t *images = atomic_load_explicit(&s->images, memory_order_relaxed);
        for (size_t i = 0; i < images->count; i++) {
            rj_image_t *image = images->images[i];
            if (image->is_damage_reported ||
                !atomic_load_explicit(&image->is_damaged, memory_order_relaxed))
                continue;
            image->is_damage_reported = true;
            rj_err_t err;
            rj_fail(&err, -EBADMSG, "image %" PRId64 " of %s: a frame with an impossible length",
                    image->info.correlation_id, s->channel);
            rj_client_report(client, &err);
            return; /* the handler may have changed the lists; the next turn goes on */
        }
    }
}

static int take_turn(rj_client_t *client, int64_t now_ns, int64_t epoch_ms)
{
    int work = 0;
    if (!rj_client_is_closed(client))
        check_service(client, now_ns);
    client->now_ns = now_ns;
    if (!rj_client_is_closed(client)) {
        work += receive_events(client);
        work += rj_request_expire_all(client, now_ns);
        work += rj_client_send_unsent(client);
    }
    if (!rj_client_is_closed(client) && now_ns >= client->keepalive_deadline_ns) {
        client->keepalive_deadline_ns = now_ns + client->context.keepalive_interval_ns;
        keep_alive(client, epoch_ms);
        report_damage(client);
        work++;
    }
    return work + rj_client_free_lingering(client, now_ns);
}

int rj_client_conductor_do_work(rj_client_t *client, int64_t now_ns, int64_t epoch_ms)
{
    rj_client_lock(client);
    int work = client->is_in_handler ? 0 : take_turn(client, now_ns, epoch_ms);
    rj_client_unlock(client);
    return work;
}

int64_t rj_client_conductor_deadline_ns(rj_client_t *client)
{
    rj_client_lock(client);
    int64_t deadline_ns = INT64_MAX;
    if (!rj_client_is_closed(client)) {
        deadline_ns = client->keepalive_deadline_ns;
        for (const rj_request_t *r = client->requests; r != NULL; r = r->next)
            if (r->state == RJ_REQUEST_AWAITING && r->deadline_ns < deadline_ns)
                deadline_ns = r->deadline_ns;
    }
    /* Only the first matters: the list is in order of time, but what a poller still holds can wait.
     */
    if (client->lingering_first != NULL && client->lingering_first->deadline_ns < deadline_ns &&
        client->lingering_first->deadline_ns > client->now_ns)
        deadline_ns = client->lingering_first->deadline_ns;
    rj_client_unlock(client);
    return deadline_ns;
}
