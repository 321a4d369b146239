/* SPDX-License-Identifier: Apache-2.0 */
/* The edge of the client: its clock, its thread, its environment. All else in this folder takes the
 * time as an argument and never waits. */
#include "client/client_commands.h"

#include "base/clock.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECT_SLEEP_NS = 10 * 1000 * 1000,
    ANSWER_SLEEP_NS = 200 * 1000,
};

int rj_directory_default(char *path, size_t size)
{
    int length;
    const char *directory = getenv("AERON_DIR");
    if (directory != NULL && directory[0] != '\0') {
        length = snprintf(path, size, "%s", directory);
    } else {
        const char *user = getenv("USER");
        struct passwd *entry = user == NULL || user[0] == '\0' ? getpwuid(getuid()) : NULL;
        if (entry != NULL)
            user = entry->pw_name;
        length = snprintf(path, size, "/dev/shm/aeron-%s",
                          user != NULL && user[0] != '\0' ? user : "default");
    }
    return length >= 0 && (size_t)length < size ? 0 : -ENAMETOOLONG;
}

static int turn(rj_client_t *client)
{
    return rj_client_conductor_do_work(client, rj_clock_mono_ns(), rj_clock_epoch_ms());
}

static void *run(void *argument)
{
    rj_client_t *client = argument;
    while (!atomic_load_explicit(&client->is_stopping, memory_order_acquire))
        if (turn(client) == 0)
            rj_clock_sleep_ns(client->context.idle_sleep_ns);
    return NULL;
}

void rj_client_stop_thread(rj_client_t *client)
{
    if (!client->has_thread)
        return;
    atomic_store_explicit(&client->is_stopping, true, memory_order_release);
    pthread_join(client->thread, NULL);
    client->has_thread = false;
}

int rj_client_connect(const rj_context_t *context, rj_client_t **ret_client, rj_err_t *err)
{
    rj_err_t reason = {0};
    int64_t deadline_ns = rj_clock_mono_ns() + context->driver_timeout_ms * 1000000;
    rj_client_t *client = NULL;
    for (;;) {
        int64_t now_ns = rj_clock_mono_ns();
        int code = rj_client_try_connect(context, now_ns, rj_clock_epoch_ms(), &client, &reason);
        if (code == 0)
            break;
        if (code != -EAGAIN)
            return rj_fail(err, code, "%s", reason.text);
        if (now_ns >= deadline_ns)
            return rj_fail_aeron(err, -ETIMEDOUT, RJ_CLIENT_ERROR_DRIVER_TIMEOUT,
                                 "%s: start a media driver there, or name another directory",
                                 reason.text);
        rj_clock_sleep_ns(CONNECT_SLEEP_NS);
    }
    if (context->conductor_mode == RJ_CONDUCTOR_THREAD) {
        int code = -pthread_create(&client->thread, NULL, run, client);
        if (code < 0) {
            rj_client_close(client);
            return rj_fail(err, code, "client: cannot start a thread: %s", strerror(-code));
        }
        client->has_thread = true;
    }
    *ret_client = client;
    return 0;
}

/* A handler runs under the lock, so whoever holds it and sees the flag is inside one. */
static int refuse_in_handler(rj_client_t *client, rj_err_t *err)
{
    rj_client_lock(client);
    bool is_in_handler = client->is_in_handler;
    rj_client_unlock(client);
    return is_in_handler ? rj_fail(err, -EDEADLK, "a handler must not wait for the driver") : 0;
}

/* Before the request, so that its time begins now. */
static int begin_wait(rj_client_t *client, rj_err_t *err)
{
    int code = refuse_in_handler(client, err);
    if (code == 0)
        turn(client);
    return code;
}

/* Drives the conductor until there is an answer; the request's time-out is one. */
static void await(rj_client_t *client, rj_request_t *request)
{
    for (;;) {
        turn(client);
        if (!rj_request_is_awaiting(request))
            return;
        rj_clock_sleep_ns(ANSWER_SLEEP_NS);
    }
}

int rj_client_perform(rj_client_t *client, const rj_operation_t *operation, int64_t *ret_value,
                      rj_err_t *err)
{
    rj_request_t *request = NULL;
    int code = begin_wait(client, err);
    if (code < 0)
        return code;
    rj_client_lock(client);
    code = rj_request_operation(client, operation, &request, err);
    rj_client_unlock(client);
    if (code < 0)
        return code;
    await(client, request);
    code = rj_request_poll_operation(request, ret_value, err);
    return code < 0 ? code : 0;
}

int rj_client_add_publication(rj_client_t *client, const char *channel, int32_t stream_id,
                              rj_publication_kind_t kind, rj_publication_t **ret_publication,
                              rj_err_t *err)
{
    rj_request_t *request = NULL;
    int code = begin_wait(client, err);
    if (code == 0)
        code = rj_client_request_publication(client, channel, stream_id, kind, &request, err);
    if (code < 0)
        return code;
    await(client, request);
    code = rj_request_poll_publication(request, ret_publication, err);
    return code < 0 ? code : 0;
}

int rj_client_add_subscription(rj_client_t *client, const char *channel, int32_t stream_id,
                               const rj_image_handlers_t *handlers,
                               rj_subscription_t **ret_subscription, rj_err_t *err)
{
    rj_request_t *request = NULL;
    int code = begin_wait(client, err);
    if (code == 0)
        code = rj_client_request_subscription(client, channel, stream_id, handlers, &request, err);
    if (code < 0)
        return code;
    await(client, request);
    code = rj_request_poll_subscription(request, ret_subscription, err);
    return code < 0 ? code : 0;
}

static int await_counter(rj_client_t *client, rj_request_t *request,
                         rj_client_counter_t **ret_counter, rj_err_t *err)
{
    await(client, request);
    int code = rj_request_poll_counter(request, ret_counter, err);
    return code < 0 ? code : 0;
}

int rj_client_add_counter(rj_client_t *client, int32_t type_id, const void *key, size_t key_length,
                          const char *label, rj_client_counter_t **ret_counter, rj_err_t *err)
{
    rj_request_t *request = NULL;
    int code = begin_wait(client, err);
    if (code == 0)
        code = rj_client_request_counter(client, type_id, key, key_length, label, &request, err);
    return code < 0 ? code : await_counter(client, request, ret_counter, err);
}

int rj_client_add_static_counter(rj_client_t *client, int32_t type_id, int64_t registration_id,
                                 const void *key, size_t key_length, const char *label,
                                 rj_client_counter_t **ret_counter, rj_err_t *err)
{
    rj_request_t *request = NULL;
    int code = begin_wait(client, err);
    if (code == 0)
        code = rj_client_request_static_counter(client, type_id, registration_id, key, key_length,
                                                label, &request, err);
    return code < 0 ? code : await_counter(client, request, ret_counter, err);
}
