/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static rj_request_t *allocate(rj_client_t *client, rj_request_kind_t kind, const char *channel,
                              int32_t stream_id)
{
    size_t channel_bytes = strlen(channel) + 1;
    rj_request_t *request = calloc(1, sizeof(*request) + channel_bytes);
    if (request == NULL)
        return NULL;
    request->client = client;
    request->kind = kind;
    request->state = RJ_REQUEST_AWAITING;
    request->correlation_id = rj_ring_mpsc_next_correlation_id(&client->to_driver);
    request->deadline_ns = client->now_ns + client->context.driver_timeout_ms * 1000000;
    request->stream_id = stream_id;
    memcpy(request->channel, channel, channel_bytes);
    return request;
}

static int refuse_closed(rj_err_t *err)
{
    return rj_fail(err, -ESHUTDOWN, "the client is closed");
}

/* Puts a request that was sent into the client's list, or frees one that was not. */
static int conclude(rj_request_t *request, int code, rj_request_t **ret_request)
{
    rj_client_t *client = request->client;
    if (code < 0) {
        free(request);
        return code;
    }
    request->next = client->requests;
    client->requests = request;
    *ret_request = request;
    return 0;
}

static int request_publication(rj_client_t *client, const char *channel, int32_t stream_id,
                               rj_publication_kind_t kind, rj_request_t **ret_request,
                               rj_err_t *err)
{
    if (rj_client_is_closed(client))
        return refuse_closed(err);
    rj_request_t *request = allocate(client, RJ_REQUEST_PUBLICATION, channel, stream_id);
    if (request == NULL)
        return rj_fail(err, -ENOMEM, "publication: out of memory");
    request->publication_kind = kind;
    int code = rj_client_send_add_publication(client, request->correlation_id, channel, stream_id,
                                              kind, err);
    return conclude(request, code, ret_request);
}

int rj_request_operation(rj_client_t *client, const rj_operation_t *operation,
                         rj_request_t **ret_request, rj_err_t *err)
{
    if (rj_client_is_closed(client))
        return refuse_closed(err);
    rj_request_t *request = allocate(client, RJ_REQUEST_OPERATION, operation->text, 0);
    if (request == NULL)
        return rj_fail(err, -ENOMEM, "%s: out of memory", operation->text);
    int code = rj_client_send_operation(client, request->correlation_id, operation, err);
    return conclude(request, code, ret_request);
}

int rj_client_request_publication(rj_client_t *client, const char *channel, int32_t stream_id,
                                  rj_publication_kind_t kind, rj_request_t **ret_request,
                                  rj_err_t *err)
{
    rj_client_lock(client);
    int code = request_publication(client, channel, stream_id, kind, ret_request, err);
    rj_client_unlock(client);
    return code;
}

static int request_subscription(rj_client_t *client, const char *channel, int32_t stream_id,
                                const rj_image_handlers_t *handlers, rj_request_t **ret_request,
                                rj_err_t *err)
{
    if (rj_client_is_closed(client))
        return refuse_closed(err);
    rj_request_t *request = allocate(client, RJ_REQUEST_SUBSCRIPTION, channel, stream_id);
    if (request == NULL)
        return rj_fail(err, -ENOMEM, "subscription: out of memory");
    request->handlers = handlers != NULL ? *handlers : client->context.image_handlers;
    int code =
        rj_client_send_add_subscription(client, request->correlation_id, channel, stream_id, err);
    return conclude(request, code, ret_request);
}

int rj_client_request_subscription(rj_client_t *client, const char *channel, int32_t stream_id,
                                   const rj_image_handlers_t *handlers, rj_request_t **ret_request,
                                   rj_err_t *err)
{
    rj_client_lock(client);
    int code = request_subscription(client, channel, stream_id, handlers, ret_request, err);
    rj_client_unlock(client);
    return code;
}

static int request_counter(rj_client_t *client, const rj_counter_request_t *counter,
                           rj_request_t **ret_request, rj_err_t *err)
{
    if (rj_client_is_closed(client))
        return refuse_closed(err);
    rj_request_t *request = allocate(client, RJ_REQUEST_COUNTER, "", 0);
    if (request == NULL)
        return rj_fail(err, -ENOMEM, "counter: out of memory");
    request->is_static_counter = counter->is_static;
    request->registration_id = counter->registration_id;
    int code = rj_client_send_add_counter(client, request->correlation_id, counter, err);
    return conclude(request, code, ret_request);
}

int rj_client_request_counter(rj_client_t *client, int32_t type_id, const void *key,
                              size_t key_length, const char *label, rj_request_t **ret_request,
                              rj_err_t *err)
{
    rj_counter_request_t counter = {
        .type_id = type_id, .key = key, .key_length = key_length, .label = label};
    rj_client_lock(client);
    int code = request_counter(client, &counter, ret_request, err);
    rj_client_unlock(client);
    return code;
}

int rj_client_request_static_counter(rj_client_t *client, int32_t type_id, int64_t registration_id,
                                     const void *key, size_t key_length, const char *label,
                                     rj_request_t **ret_request, rj_err_t *err)
{
    rj_counter_request_t counter = {.type_id = type_id,
                                    .key = key,
                                    .key_length = key_length,
                                    .label = label,
                                    .is_static = true,
                                    .registration_id = registration_id};
    rj_client_lock(client);
    int code = request_counter(client, &counter, ret_request, err);
    rj_client_unlock(client);
    return code;
}

rj_request_t *rj_request_find(rj_client_t *client, int64_t correlation_id)
{
    for (rj_request_t *request = client->requests; request != NULL; request = request->next)
        if (request->correlation_id == correlation_id && request->state != RJ_REQUEST_READY &&
            request->state != RJ_REQUEST_FAILED)
            return request;
    return NULL;
}

static void unlink_and_free(rj_request_t *request)
{
    rj_request_t **at = &request->client->requests;
    while (*at != request)
        at = &(*at)->next;
    *at = request->next;
    free(request);
}

/* Nobody waits for this answer any more: the driver is to take back what it made. */
static void on_unwanted(rj_request_t *request)
{
    static const int32_t removals[] = {
        [RJ_REQUEST_PUBLICATION] = RJ_COMMAND_REMOVE_PUBLICATION,
        [RJ_REQUEST_SUBSCRIPTION] = RJ_COMMAND_REMOVE_SUBSCRIPTION,
        [RJ_REQUEST_COUNTER] = RJ_COMMAND_REMOVE_COUNTER,
    };
    const bool stays = request->kind == RJ_REQUEST_OPERATION || request->is_static_counter;
    if (!stays)
        rj_client_send_removal(request->client, removals[request->kind], request->correlation_id);
    if (request->state == RJ_REQUEST_ABANDONED)
        unlink_and_free(request);
    else
        request->state = RJ_REQUEST_FAILED; /* with the time-out as its reason */
}

/* Takes over what came of creating the handle; a failure there is the answer, and the driver's side
 * of it is removed. */
static void on_created(rj_request_t *request, int code)
{
    if (code == 0) {
        request->state = RJ_REQUEST_READY;
        return;
    }
    on_unwanted(request);
}

void rj_request_on_publication_ready(rj_request_t *request,
                                     const rj_event_publication_ready_t *event,
                                     const char *log_path)
{
    if (request->kind != RJ_REQUEST_PUBLICATION)
        return;
    if (request->state != RJ_REQUEST_AWAITING)
        on_unwanted(request);
    else
        on_created(request, rj_publication_create(request->client, request, event, log_path,
                                                  &request->result.publication, &request->err));
}

void rj_request_on_subscription_ready(rj_request_t *request, int32_t channel_status_id)
{
    if (request->kind != RJ_REQUEST_SUBSCRIPTION)
        return;
    if (request->state != RJ_REQUEST_AWAITING)
        on_unwanted(request);
    else
        on_created(request, rj_subscription_create(request->client, request, channel_status_id,
                                                   &request->result.subscription, &request->err));
}

void rj_request_on_counter_ready(rj_request_t *request, int32_t counter_id)
{
    if (request->kind != RJ_REQUEST_COUNTER)
        return;
    if (request->state != RJ_REQUEST_AWAITING)
        on_unwanted(request);
    else
        on_created(request, rj_client_counter_create(request->client, request, counter_id,
                                                     &request->result.counter, &request->err));
}

/* What was done stays done, whether or not somebody still waits for the word. */
void rj_request_on_success(rj_request_t *request, int64_t value)
{
    if (request->kind != RJ_REQUEST_OPERATION)
        return;
    request->result.value = value;
    if (request->state != RJ_REQUEST_AWAITING)
        on_unwanted(request);
    else
        request->state = RJ_REQUEST_READY;
}

void rj_request_on_error(rj_request_t *request, int32_t error_code, const char *text)
{
    if (request->state == RJ_REQUEST_ABANDONED) {
        unlink_and_free(request);
        return;
    }
    rj_fail_aeron(&request->err, -EREMOTEIO, error_code, "the driver refused %s%s(code %d): %s",
                  request->channel, request->channel[0] != '\0' ? " " : "", error_code, text);
    request->state = RJ_REQUEST_FAILED;
}

int rj_request_expire_all(rj_client_t *client, int64_t now_ns)
{
    int count = 0;
    for (rj_request_t *request = client->requests; request != NULL; request = request->next) {
        if (request->state != RJ_REQUEST_AWAITING || now_ns < request->deadline_ns)
            continue;
        rj_fail_aeron(&request->err, -ETIMEDOUT, RJ_CLIENT_ERROR_DRIVER_TIMEOUT,
                      "%s: no answer from the driver in %s within %lld ms", request->channel,
                      client->context.directory, (long long)client->context.driver_timeout_ms);
        request->state = RJ_REQUEST_LATE;
        count++;
    }
    return count;
}

void rj_request_fail_all(rj_client_t *client, const rj_err_t *err)
{
    for (rj_request_t *request = client->requests; request != NULL; request = request->next) {
        if (request->state == RJ_REQUEST_AWAITING) {
            request->err = *err;
            request->err.code = -ESHUTDOWN;
            request->state = RJ_REQUEST_FAILED;
        }
    }
}

bool rj_request_is_awaiting(rj_request_t *request)
{
    rj_client_lock(request->client);
    bool is_awaiting = request->state == RJ_REQUEST_AWAITING;
    rj_client_unlock(request->client);
    return is_awaiting;
}

/* What a poll answers; on 1 the caller takes the result and frees the request. */
static int look_at(rj_request_t *request, rj_request_kind_t kind, rj_err_t *err)
{
    if (request->kind != kind)
        return rj_fail(err, -EINVAL, "this request is for something else");
    int code;
    switch (request->state) {
    case RJ_REQUEST_AWAITING:
        return 0;
    case RJ_REQUEST_READY:
        return 1;
    case RJ_REQUEST_LATE:
        code = request->err.code;
        if (err != NULL)
            *err = request->err;
        request->state = RJ_REQUEST_ABANDONED;
        return code;
    case RJ_REQUEST_FAILED:
        code = request->err.code;
        if (err != NULL)
            *err = request->err;
        unlink_and_free(request);
        return code;
    case RJ_REQUEST_ABANDONED:
        break;
    }
    return rj_fail(err, -EINVAL, "this request has ended");
}

int rj_request_poll_publication(rj_request_t *request, rj_publication_t **ret_publication,
                                rj_err_t *err)
{
    rj_client_t *client = request->client;
    rj_client_lock(client);
    int code = look_at(request, RJ_REQUEST_PUBLICATION, err);
    if (code == 1) {
        *ret_publication = request->result.publication;
        unlink_and_free(request);
    }
    rj_client_unlock(client);
    return code;
}

int rj_request_poll_subscription(rj_request_t *request, rj_subscription_t **ret_subscription,
                                 rj_err_t *err)
{
    rj_client_t *client = request->client;
    rj_client_lock(client);
    int code = look_at(request, RJ_REQUEST_SUBSCRIPTION, err);
    if (code == 1) {
        *ret_subscription = request->result.subscription;
        unlink_and_free(request);
    }
    rj_client_unlock(client);
    return code;
}

int rj_request_poll_counter(rj_request_t *request, rj_client_counter_t **ret_counter, rj_err_t *err)
{
    rj_client_t *client = request->client;
    rj_client_lock(client);
    int code = look_at(request, RJ_REQUEST_COUNTER, err);
    if (code == 1) {
        *ret_counter = request->result.counter;
        unlink_and_free(request);
    }
    rj_client_unlock(client);
    return code;
}

int rj_request_poll_operation(rj_request_t *request, int64_t *ret_value, rj_err_t *err)
{
    rj_client_t *client = request->client;
    rj_client_lock(client);
    int code = look_at(request, RJ_REQUEST_OPERATION, err);
    if (code == 1) {
        if (ret_value != NULL)
            *ret_value = request->result.value;
        unlink_and_free(request);
    }
    rj_client_unlock(client);
    return code;
}

/* Closes what came in time but was never fetched. */
static void close_result(rj_request_t *request)
{
    switch (request->kind) {
    case RJ_REQUEST_PUBLICATION:
        rj_publication_close(request->result.publication);
        break;
    case RJ_REQUEST_SUBSCRIPTION:
        rj_subscription_close(request->result.subscription);
        break;
    case RJ_REQUEST_COUNTER:
        rj_client_counter_close(request->result.counter);
        break;
    case RJ_REQUEST_OPERATION:
        break;
    }
}

void rj_request_cancel(rj_request_t *request)
{
    if (request == NULL)
        return;
    rj_client_t *client = request->client;
    rj_client_lock(client);
    switch (request->state) {
    case RJ_REQUEST_AWAITING:
    case RJ_REQUEST_LATE:
        request->state = RJ_REQUEST_ABANDONED;
        break;
    case RJ_REQUEST_READY:
        close_result(request);
        unlink_and_free(request);
        break;
    case RJ_REQUEST_FAILED:
        unlink_and_free(request);
        break;
    case RJ_REQUEST_ABANDONED:
        break;
    }
    rj_client_unlock(client);
}
