/* SPDX-License-Identifier: Apache-2.0 */
/* Our client under the protocol of README.md: a request a line on stdin, an answer a line on
 * stdout, for the driver in AERON_DIR. */
#include "tests/interop/peer_ours.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ramjet/command.h>

enum { HANDLES_MAX = 256, LINE_BYTES = 8192 };

typedef struct resource {
    enum { NOTHING, PUBLICATIONS, SUBSCRIPTIONS, COUNTER } kind;
    peer_publications_t publications;
    peer_subscriptions_t subscriptions;
    rj_client_counter_t *counter;
} resource_t;

static rj_client_t *client;
static resource_t resources[HANDLES_MAX]; /* by handle */
static int last_handle;

bool peer_fail(peer_failure_t *failure, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->text, sizeof(failure->text), format, arguments);
    va_end(arguments);
    failure->code = code;
    return false;
}

static bool refused(const peer_request_t *request, const rj_err_t *err)
{
    return peer_fail(request->failure, err->aeron_code, "%s", err->text);
}

const char *peer_text(const peer_request_t *request, const char *name)
{
    size_t length = strlen(name);
    for (int i = 0; i < request->word_count; i++) {
        if (strncmp(request->words[i], name, length) == 0 && request->words[i][length] == '=')
            return request->words[i] + length + 1;
    }
    return NULL;
}

int64_t peer_number(const peer_request_t *request, const char *name, int64_t otherwise)
{
    const char *text = peer_text(request, name);
    return text == NULL ? otherwise : strtoll(text, NULL, 10);
}

bool peer_is_late(const peer_request_t *request)
{
    return rj_clock_mono_ns() > request->deadline_ns;
}

bool peer_wait(const peer_request_t *request, const char *what)
{
    if (peer_is_late(request))
        return peer_fail(request->failure, 0, "timeout: %s", what);
    rj_clock_sleep_ns(100000);
    return true;
}

/* Texts of the driver and of channels; there are no control characters in them but from faults. */
static void print_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
    putchar('"');
}

/* ---- handles ---- */

static resource_t *keep(int kind)
{
    resource_t *resource = &resources[++last_handle % HANDLES_MAX];
    *resource = (resource_t){.kind = kind};
    return resource;
}

static resource_t *find(const peer_request_t *request)
{
    int64_t handle = peer_number(request, "handle", 0);
    resource_t *resource = &resources[(uint64_t)handle % HANDLES_MAX];
    if (handle > 0 && handle <= last_handle && resource->kind != NOTHING)
        return resource;
    peer_fail(request->failure, 0, "no such handle");
    return NULL;
}

static void release(resource_t *resource)
{
    for (size_t i = 0; i < resource->publications.count; i++)
        rj_publication_close(resource->publications.all[i]);
    for (size_t i = 0; i < resource->subscriptions.count; i++)
        rj_subscription_close(resource->subscriptions.all[i]);
    if (resource->subscriptions.assembler != NULL)
        rj_assembler_close(resource->subscriptions.assembler);
    rj_client_counter_close(resource->counter);
    free(resource->publications.all);
    free(resource->subscriptions.all);
    free(resource->subscriptions.orders);
    *resource = (resource_t){.kind = NOTHING};
}

static bool do_disconnect(const peer_request_t *request)
{
    (void)request;
    for (int i = 0; i < HANDLES_MAX; i++)
        release(&resources[i]);
    rj_client_close(client);
    client = NULL;
    printf("{");
    return true;
}

static bool do_connect(const peer_request_t *request)
{
    rj_context_t context;
    rj_err_t err;
    for (int i = 0; i < HANDLES_MAX; i++)
        release(&resources[i]);
    rj_client_close(client);
    client = NULL;
    rj_context_init(&context);
    context.idle_sleep_ns = 1000000;
    context.client_name = peer_text(request, "name");
    if (rj_client_connect(&context, &client, &err) < 0)
        return refused(request, &err);
    printf("{\"client\":%" PRId64, rj_client_id(client));
    return true;
}

/* ---- publications and subscriptions ---- */

/* All are asked for before the first answer is awaited. */
static bool request_all(const peer_request_t *request, bool is_publication,
                        const rj_image_handlers_t *handlers, rj_request_t **pending, size_t count)
{
    const char *channel = peer_text(request, "channel");
    const char *kind = peer_text(request, "kind");
    int32_t stream_id = (int32_t)peer_number(request, "stream", 0);
    bool is_exclusive = kind != NULL && strcmp(kind, "exclusive") == 0;
    if (channel == NULL)
        return peer_fail(request->failure, 0, "channel= is missing");
    for (size_t i = 0; i < count;) {
        rj_err_t err;
        int result = is_publication
                         ? rj_client_request_publication(client, channel, stream_id + (int32_t)i,
                                                         is_exclusive ? RJ_PUBLICATION_EXCLUSIVE
                                                                      : RJ_PUBLICATION_SHARED,
                                                         &pending[i], &err)
                         : rj_client_request_subscription(client, channel, stream_id + (int32_t)i,
                                                          handlers, &pending[i], &err);
        if (result == 0)
            i++;
        else if (err.aeron_code != RJ_CLIENT_ERROR_BUFFER_FULL)
            return refused(request, &err);
        else if (!peer_wait(request, "room for commands"))
            return false;
    }
    return true;
}

static bool do_pub(const peer_request_t *request)
{
    size_t count = (size_t)peer_number(request, "n", 1);
    resource_t *resource = keep(PUBLICATIONS);
    peer_publications_t *group = &resource->publications;
    rj_request_t **pending = calloc(count, sizeof(void *));
    group->all = calloc(count, sizeof(void *));
    bool good =
        pending != NULL && group->all != NULL && request_all(request, true, NULL, pending, count);
    while (good && group->count < count) {
        rj_err_t err;
        int result =
            rj_request_poll_publication(pending[group->count], &group->all[group->count], &err);
        if (result > 0)
            group->count++;
        else
            good = result == 0 ? peer_wait(request, "an answer") : refused(request, &err);
    }
    free(pending);
    if (!good)
        return false;
    const rj_publication_info_t *info = rj_publication_info(group->all[0]);
    printf("{\"handle\":%d,\"registration\":%" PRId64 ",\"original\":%" PRId64
           ",\"session\":%d,\"initial_term\":%d,\"term_length\":%d,\"payload_max\":%zu,"
           "\"message_max\":%zu,\"position\":%" PRId64,
           last_handle, info->registration_id, info->original_registration_id, info->session_id,
           info->initial_term_id, info->term_length, info->payload_length_max,
           info->message_length_max, rj_publication_position(group->all[0]));
    return true;
}

static void on_available(void *user, rj_subscription_t *subscription, rj_image_t *image)
{
    (void)subscription;
    (void)image;
    __atomic_fetch_add((int64_t *)&((peer_subscriptions_t *)user)->available_count, 1,
                       __ATOMIC_RELAXED);
}

static void on_unavailable(void *user, rj_subscription_t *subscription, rj_image_t *image)
{
    (void)subscription;
    (void)image;
    __atomic_fetch_add((int64_t *)&((peer_subscriptions_t *)user)->unavailable_count, 1,
                       __ATOMIC_RELAXED);
}

static bool do_sub(const peer_request_t *request)
{
    size_t count = (size_t)peer_number(request, "n", 1);
    resource_t *resource = keep(SUBSCRIPTIONS);
    peer_subscriptions_t *group = &resource->subscriptions;
    rj_image_handlers_t handlers = {on_available, on_unavailable, group};
    rj_request_t **pending = calloc(count, sizeof(void *));
    rj_err_t err;
    group->all = calloc(count, sizeof(void *));
    bool good = pending != NULL && group->all != NULL;
    if (good && rj_assembler_open(&group->assembler, peer_on_message, NULL, group, 0, &err) < 0)
        good = refused(request, &err);
    good = good && request_all(request, false, &handlers, pending, count);
    while (good && group->count < count) {
        int result =
            rj_request_poll_subscription(pending[group->count], &group->all[group->count], &err);
        if (result > 0)
            group->count++;
        else
            good = result == 0 ? peer_wait(request, "an answer") : refused(request, &err);
    }
    free(pending);
    if (!good)
        return false;
    printf("{\"handle\":%d,\"registration\":%" PRId64, last_handle,
           rj_subscription_info(group->all[0])->registration_id);
    return true;
}

static bool do_counter(const peer_request_t *request)
{
    int32_t type_id = (int32_t)peer_number(request, "type", 0);
    const char *label = peer_text(request, "label");
    resource_t *resource = keep(COUNTER);
    rj_err_t err;
    int result = peer_text(request, "registration") == NULL
                     ? rj_client_add_counter(client, type_id, &type_id, sizeof(type_id), label,
                                             &resource->counter, &err)
                     : rj_client_add_static_counter(
                           client, type_id, peer_number(request, "registration", 0), &type_id,
                           sizeof(type_id), label, &resource->counter, &err);
    if (result < 0)
        return refused(request, &err);
    printf("{\"handle\":%d,\"id\":%d,\"registration\":%" PRId64 ",\"value\":%" PRId64, last_handle,
           rj_client_counter_id(resource->counter),
           rj_client_counter_registration_id(resource->counter),
           rj_client_counter_value(resource->counter));
    return true;
}

/* ---- what there is ---- */

static size_t connected_count(const peer_publications_t *group)
{
    size_t count = 0;
    for (size_t i = 0; i < group->count; i++)
        count += rj_publication_is_connected(group->all[i]);
    return count;
}

static size_t image_count(const peer_subscriptions_t *group)
{
    size_t count = 0;
    for (size_t i = 0; i < group->count; i++)
        count += rj_subscription_image_count(group->all[i]);
    return count;
}

static bool is_awaited(const resource_t *resource, const peer_request_t *request)
{
    if (resource->kind == PUBLICATIONS) {
        const peer_publications_t *group = &resource->publications;
        size_t wanted = peer_number(request, "connected", 1) == 1 ? group->count : 0;
        return connected_count(group) == wanted;
    }
    const peer_subscriptions_t *group = &resource->subscriptions;
    int64_t images = (int64_t)image_count(group);
    return peer_number(request, "images", images) == images &&
           __atomic_load_n(&group->unavailable_count, __ATOMIC_RELAXED) >=
               peer_number(request, "gone", 0);
}

static bool do_await(const peer_request_t *request)
{
    resource_t *resource = find(request);
    if (resource == NULL)
        return false;
    while (!is_awaited(resource, request)) {
        if (!peer_wait(request, ""))
            return peer_fail(
                request->failure, 0, "timeout: %zu connected, %zu images, %" PRId64 " gone",
                connected_count(&resource->publications), image_count(&resource->subscriptions),
                resource->subscriptions.unavailable_count);
    }
    printf("{");
    return true;
}

typedef struct address_search {
    int32_t channel_status_id;
    const char *separator;
} address_search_t;

static bool print_address(void *user, const rj_counter_record_t *record)
{
    address_search_t *search = user;
    rj_sockaddr_key_t key;
    memcpy(&key, record->key, sizeof(key));
    if (record->type_id == RJ_COUNTER_TYPE_LOCAL_SOCKADDR && record->value == 1 &&
        key.channel_status_id == search->channel_status_id) {
        printf("%s", search->separator);
        print_text(key.address);
        search->separator = ",";
    }
    return true;
}

static void print_addresses(int32_t channel_status_id)
{
    address_search_t search = {channel_status_id, ""};
    printf(",\"addresses\":[");
    rj_client_counters_foreach(client, print_address, &search);
    printf("]");
}

static void print_images(const peer_subscriptions_t *group)
{
    const char *separator = "";
    printf("{\"images\":[");
    for (size_t i = 0; i < group->count; i++) {
        rj_image_t *image;
        for (size_t k = 0; (image = rj_subscription_image_at(group->all[i], k)) != NULL; k++) {
            const rj_image_info_t *info = rj_image_info(image);
            printf("%s{\"session\":%d,\"correlation\":%" PRId64 ",\"join\":%" PRId64
                   ",\"position\":%" PRId64
                   ",\"eos\":%s,\"revoked\":%s,\"transports\":%d,\"source\":",
                   separator, info->session_id, info->correlation_id, info->join_position,
                   rj_image_position(image), rj_image_is_end_of_stream(image) ? "true" : "false",
                   rj_image_is_revoked(image) ? "true" : "false",
                   rj_image_active_transport_count(image));
            print_text(info->source_identity);
            printf("}");
            separator = ",";
        }
    }
    printf("],\"available\":%" PRId64 ",\"unavailable\":%" PRId64,
           __atomic_load_n(&group->available_count, __ATOMIC_RELAXED),
           __atomic_load_n(&group->unavailable_count, __ATOMIC_RELAXED));
    print_addresses(rj_subscription_info(group->all[0])->channel_status_id);
}

static bool do_info(const peer_request_t *request)
{
    const resource_t *resource = find(request);
    if (resource == NULL)
        return false;
    if (resource->kind == SUBSCRIPTIONS) {
        print_images(&resource->subscriptions);
    } else if (resource->kind == COUNTER) {
        printf("{\"id\":%d,\"value\":%" PRId64, rj_client_counter_id(resource->counter),
               rj_client_counter_value(resource->counter));
    } else {
        const rj_publication_t *first = resource->publications.all[0];
        printf("{\"connected\":%s,\"closed\":%s,\"position\":%" PRId64 ",\"limit\":%" PRId64,
               rj_publication_is_connected(first) ? "true" : "false",
               rj_publication_is_closed(first) ? "true" : "false", rj_publication_position(first),
               rj_publication_position_limit(first));
        print_addresses(rj_publication_info(first)->channel_status_id);
    }
    return true;
}

/* ---- what is done with it ---- */

static bool do_send(const peer_request_t *request)
{
    const resource_t *resource = find(request);
    peer_sum_t sum = {0};
    if (resource == NULL || !peer_send(&resource->publications, request, &sum))
        return false;
    printf("{\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"digest\":\"%016" PRIx64
           "\",\"waits\":%" PRIu64 ",\"position\":%" PRId64,
           sum.messages, sum.bytes, sum.digest, sum.waits,
           rj_publication_position(resource->publications.all[0]));
    return true;
}

static bool do_recv(const peer_request_t *request)
{
    resource_t *resource = find(request);
    peer_sum_t sum = {0};
    if (resource == NULL || !peer_receive(&resource->subscriptions, request, &sum))
        return false;
    printf("{\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"digest\":\"%016" PRIx64
           "\",\"gaps\":%" PRIu64,
           sum.messages, sum.bytes, sum.digest, sum.gaps);
    return true;
}

static bool do_set(const peer_request_t *request)
{
    const resource_t *resource = find(request);
    if (resource == NULL)
        return false;
    rj_client_counter_set(resource->counter, peer_number(request, "value", 0));
    printf("{");
    return true;
}

static bool do_close(const peer_request_t *request)
{
    resource_t *resource = find(request);
    if (resource == NULL)
        return false;
    release(resource);
    printf("{");
    return true;
}

static bool do_reports(const peer_request_t *request)
{
    (void)request;
    printf("{\"reports\":[]");
    return true;
}

static bool do_destination(const peer_request_t *request)
{
    const resource_t *resource = find(request);
    const char *uri = peer_text(request, "uri");
    int64_t id = -1;
    rj_err_t err;
    if (resource == NULL || uri == NULL)
        return false;
    int result = resource->kind == PUBLICATIONS
                     ? rj_publication_add_destination(resource->publications.all[0], uri, &id, &err)
                     : rj_subscription_add_destination(resource->subscriptions.all[0], uri, &err);
    if (result < 0)
        return refused(request, &err);
    printf("{\"registration\":%" PRId64, id);
    return true;
}

static bool do_undestination(const peer_request_t *request)
{
    const resource_t *resource = find(request);
    const char *uri = peer_text(request, "uri");
    rj_err_t err;
    int result;
    if (resource == NULL)
        return false;
    if (uri == NULL)
        result = rj_publication_remove_destination_by_id(resource->publications.all[0],
                                                         peer_number(request, "id", -1), &err);
    else if (resource->kind == PUBLICATIONS)
        result = rj_publication_remove_destination(resource->publications.all[0], uri, &err);
    else
        result = rj_subscription_remove_destination(resource->subscriptions.all[0], uri, &err);
    if (result < 0)
        return refused(request, &err);
    printf("{");
    return true;
}

static bool do_session(const peer_request_t *request)
{
    int32_t session_id;
    rj_err_t err;
    if (rj_client_next_session_id(client, (int32_t)peer_number(request, "stream", 0), &session_id,
                                  &err) < 0)
        return refused(request, &err);
    printf("{\"session\":%d", session_id);
    return true;
}

static bool do_reject(const peer_request_t *request)
{
    const resource_t *resource = find(request);
    rj_image_t *image;
    rj_err_t err;
    if (resource == NULL)
        return false;
    for (size_t i = 0;
         (image = rj_subscription_image_at(resource->subscriptions.all[0], i)) != NULL; i++) {
        if (rj_image_reject(image, peer_text(request, "reason"), &err) < 0)
            return refused(request, &err);
    }
    printf("{");
    return true;
}

static bool do_revoke(const peer_request_t *request)
{
    resource_t *resource = find(request);
    if (resource == NULL)
        return false;
    for (size_t i = 0; i < resource->publications.count; i++)
        rj_publication_revoke(resource->publications.all[i]);
    resource->publications.count = 0; /* the handles went with it */
    release(resource);
    printf("{");
    return true;
}

static const struct {
    const char *verb;
    bool (*act)(const peer_request_t *request);
} acts[] = {
    {"connect", do_connect},
    {"disconnect", do_disconnect},
    {"pub", do_pub},
    {"sub", do_sub},
    {"counter", do_counter},
    {"set", do_set},
    {"session", do_session},
    {"destination", do_destination},
    {"undestination", do_undestination},
    {"await", do_await},
    {"send", do_send},
    {"recv", do_recv},
    {"info", do_info},
    {"reject", do_reject},
    {"reports", do_reports},
    {"revoke", do_revoke},
    {"close", do_close},
};

static bool act(const peer_request_t *request)
{
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        if (strcmp(acts[i].verb, request->verb) != 0)
            continue;
        if (client == NULL && strcmp(request->verb, "connect") != 0 &&
            strcmp(request->verb, "disconnect") != 0)
            return peer_fail(request->failure, 0, "not connected");
        return acts[i].act(request);
    }
    return peer_fail(request->failure, 0, "no such verb: %s", request->verb);
}

static void answer(char *line)
{
    peer_failure_t failure = {0};
    peer_request_t request = {.failure = &failure};
    char *rest;
    request.verb = strtok_r(line, " \n", &rest);
    char *word;
    while ((word = strtok_r(NULL, " \n", &rest)) != NULL && request.word_count < PEER_WORDS_MAX)
        request.words[request.word_count++] = word;
    const char *patience = peer_text(&request, "timeout");
    request.deadline_ns =
        rj_clock_mono_ns() + (int64_t)((patience == NULL ? 20.0 : strtod(patience, NULL)) * 1e9);
    if (request.verb == NULL)
        request.verb = "";
    if (!act(&request)) {
        printf("{\"error\":");
        print_text(failure.text);
        printf(",\"code\":%d,\"missing\":false", failure.code);
    }
    puts("}");
    fflush(stdout);
}

int main(void)
{
    static char line[LINE_BYTES];
    while (fgets(line, sizeof(line), stdin) != NULL)
        answer(line);
    for (int i = 0; i < HANDLES_MAX; i++)
        release(&resources[i]);
    rj_client_close(client);
    return 0;
}
