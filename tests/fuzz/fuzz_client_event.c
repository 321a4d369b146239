/* SPDX-License-Identifier: Apache-2.0 */
/* What a driver, or whoever can write to its broadcast buffer, may do to a client with one event:
 * nothing is read beyond it, and the client's own lists stay in order. The counters have no room,
 * so that no event leads to a file. */
#include "client/client_conductor.c"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RING_BYTES = 4096, SUBSCRIPTION_ID = 1, REQUEST_ID_FIRST = 2 };

static uint8_t ring_section[RING_BYTES + RJ_RING_TRAILER_BYTES] __attribute__((aligned(128)));

static void ignore_error(void *user, const rj_err_t *err)
{
    (void)user;
    (void)strlen(err->text);
}

static rj_request_t *add_request(rj_client_t *client, rj_request_kind_t kind, int64_t id)
{
    rj_request_t *request = calloc(1, sizeof(*request) + 1);
    assert(request != NULL);
    request->client = client;
    request->kind = kind;
    request->correlation_id = id;
    request->next = client->requests;
    client->requests = request;
    return request;
}

/* A client with a subscription, and with a request of each kind in each state that takes answers.
 * */
static rj_client_t *make_client(void)
{
    rj_client_t *client = calloc(1, sizeof(*client));
    assert(client != NULL);
    pthread_mutex_init(&client->lock, NULL);
    memset(ring_section, 0, sizeof(ring_section));
    rj_ring_mpsc_attach(&client->to_driver, ring_section, sizeof(ring_section));
    client->context.directory = "fuzz";
    client->context.on_error = ignore_error;
    client->lingering_end = &client->lingering_first;
    client->id = 1;
    rj_request_t *first = add_request(client, RJ_REQUEST_SUBSCRIPTION, SUBSCRIPTION_ID);
    rj_request_on_subscription_ready(first, -1);
    assert(first->state == RJ_REQUEST_READY);
    static const rj_request_state_t states[] = {RJ_REQUEST_AWAITING, RJ_REQUEST_LATE,
                                                RJ_REQUEST_ABANDONED};
    int64_t id = REQUEST_ID_FIRST;
    for (int kind = RJ_REQUEST_PUBLICATION; kind <= RJ_REQUEST_COUNTER; kind++)
        for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
            add_request(client, (rj_request_kind_t)kind, id++)->state = states[i];
    return client;
}

static void free_client(rj_client_t *client)
{
    for (rj_subscription_t *s; (s = client->subscriptions) != NULL;) {
        client->subscriptions = s->next;
        rj_subscription_release(&s->lingering);
    }
    for (rj_request_t *r; (r = client->requests) != NULL;) {
        client->requests = r->next;
        free(r);
    }
    for (rj_unsent_t *u; (u = client->unsent) != NULL;) {
        client->unsent = u->next;
        free(u);
    }
    assert(client->publications == NULL && client->owned_counters == NULL);
    assert(client->logs == NULL && client->lingering_first == NULL);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    rj_client_t *client = make_client();
    event_t event = {.body = data + 1, .length = (int32_t)(size - 1)};
    dispatch(client, RJ_EVENT_ERROR + data[0] % 16, &event);
    free_client(client);
    return 0;
}
