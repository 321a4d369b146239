/* SPDX-License-Identifier: Apache-2.0 */
/* Response channels, with client and server on this one driver. */
#include "conductor/conductor.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shm/log_buffer.h"
#include "tests/fixtures/driver_rig.h"

#define REQUESTS   "aeron:udp?endpoint=127.0.0.1:24450"
#define CONTROL    "control=127.0.0.1:24451"
#define RESPONSES  "aeron:udp?control-mode=response|" CONTROL
#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { CLIENT = 7000, SERVER = 8000, STREAM = 1001, ANSWERS = 1002, TEXT_BYTES = 256 };

static driver_rig_t rig;

static void make_client(int64_t client_id)
{
    driver_rig_make_client(&rig, client_id);
}

static void open_rig(void)
{
    driver_rig_open(&rig, NULL);
    make_client(CLIENT);
    make_client(SERVER);
}

static void close_rig(void)
{
    driver_rig_close(&rig);
}

TestSuite(conductor_response, .init = open_rig, .fini = close_rig);

static int64_t subscribe(int64_t client_id, const char *channel, int32_t stream_id)
{
    int64_t id = driver_rig_add_subscription(&rig, client_id, channel, stream_id);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    return id;
}

static const char *with_id(const char *channel, int64_t id)
{
    static char text[TEXT_BYTES];
    snprintf(text, sizeof(text), "%s%cresponse-correlation-id=%" PRId64, channel,
             strchr(channel, '?') != NULL ? '|' : '?', id);
    return text;
}

static rig_event_t publish(int64_t client_id, const char *channel, int32_t stream_id)
{
    driver_rig_add_publication(&rig, client_id, false, channel, stream_id);
    return driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
}

static void expect_refusal(int64_t client_id, const char *channel, const char *words)
{
    driver_rig_add_publication(&rig, client_id, false, channel, ANSWERS);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(event.error.error_code, RJ_ERROR_GENERIC);
    cr_expect_not_null(strstr(driver_rig_text(&event), words), "%s", driver_rig_text(&event));
}

static rig_event_t expect_image(int64_t subscription_id)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    cr_expect_eq(event.image.subscription_registration_id, subscription_id);
    return event;
}

static void pass_ms(int64_t duration_ms)
{
    for (int64_t i = 0; i < duration_ms; i += 50) {
        const rj_command_header_t keepalives[] = {{CLIENT, -1}, {SERVER, -1}};
        for (int n = 0; n < 2; n++)
            driver_rig_write(&rig, RJ_COMMAND_CLIENT_KEEPALIVE, &keepalives[n],
                             sizeof(keepalives[n]));
        rig.now_ns += 50 * INT64_C(1000000);
        rig.epoch_ms += 50;
        for (int quiet = 0; quiet < 3;)
            quiet = driver_rig_turn(&rig) > 0 ? 0 : quiet + 1;
    }
}

static void drop(int64_t client_id, int32_t type, int64_t id)
{
    driver_rig_remove(&rig, type, client_id, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
}

/* A client's pair, and the image of its requests at the server. */
typedef struct pair {
    int64_t subscription_id;
    int64_t publication_id;
    int64_t image_id;
    int32_t session_id;
} pair_t;

static pair_t ask(int64_t server_subscription)
{
    pair_t pair;
    pair.subscription_id = subscribe(CLIENT, RESPONSES, ANSWERS);
    rig_event_t request = publish(CLIENT, with_id(REQUESTS, pair.subscription_id), STREAM);
    pair.publication_id = request.publication.registration_id;
    pair.session_id = request.publication.session_id;
    rig_event_t image = expect_image(server_subscription);
    pair.image_id = image.image.correlation_id;
    cr_expect_eq(image.image.session_id, pair.session_id);
    return pair;
}

Test(conductor_response, reaches_the_subscription_of_whoever_asked)
{
    int64_t requests = subscribe(SERVER, REQUESTS, STREAM);
    pair_t pair = ask(requests);
    driver_rig_expect_nothing(&rig);
    rig_event_t response = publish(SERVER, with_id(RESPONSES, pair.image_id), ANSWERS);
    pass_ms(500);
    rig_event_t image = expect_image(pair.subscription_id);
    cr_expect_eq(image.image.session_id, response.publication.session_id);
    cr_expect_eq(image.image.stream_id, ANSWERS);
    driver_rig_expect_nothing(&rig);
}

Test(conductor_response, of_many_clients_at_one_address_each_reads_its_own)
{
    enum { CLIENTS = 5 };
    int64_t requests = subscribe(SERVER, REQUESTS, STREAM);
    pair_t pairs[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        pairs[i] = ask(requests);
    for (int i = CLIENTS - 1; i >= 0; i--) {
        rig_event_t response = publish(SERVER, with_id(RESPONSES, pairs[i].image_id), ANSWERS);
        pass_ms(500);
        rig_event_t image = expect_image(pairs[i].subscription_id);
        cr_expect_eq(image.image.session_id, response.publication.session_id);
        driver_rig_expect_nothing(&rig);
    }
    /* All of them leave; nothing stays. */
    for (int i = 0; i < CLIENTS; i++) {
        drop(CLIENT, RJ_COMMAND_REMOVE_SUBSCRIPTION, pairs[i].subscription_id);
        drop(CLIENT, RJ_COMMAND_REMOVE_PUBLICATION, pairs[i].publication_id);
    }
}

Test(conductor_response, stops_naming_itself_once_it_is_heard)
{
    int64_t requests = subscribe(SERVER, REQUESTS, STREAM);
    pair_t pair = ask(requests);
    publish(SERVER, with_id(RESPONSES, pair.image_id), ANSWERS);
    pass_ms(500);
    (void)expect_image(pair.subscription_id);
    /* Each RSP_SETUP makes the client's side ask for a setup again, by a status message. */
    pass_ms(1000);
    int64_t before = driver_rig_system_counter(&rig, RJ_SYSTEM_SMS_RECEIVED);
    pass_ms(1000);
    int64_t received = driver_rig_system_counter(&rig, RJ_SYSTEM_SMS_RECEIVED) - before;
    cr_expect_leq(received, 12, "%" PRId64 " in a second, of two streams", received);
}

Test(conductor_response, is_one_for_all_who_answer_the_same_image)
{
    int64_t requests = subscribe(SERVER, REQUESTS, STREAM);
    pair_t pair = ask(requests);
    rig_event_t first = publish(SERVER, with_id(RESPONSES, pair.image_id), ANSWERS);
    pass_ms(500);
    (void)expect_image(pair.subscription_id);
    rig_event_t second = publish(SERVER, with_id(RESPONSES, pair.image_id), ANSWERS);
    cr_expect_eq(second.publication.registration_id, first.publication.registration_id);
    pair_t other = ask(requests);
    rig_event_t third = publish(SERVER, with_id(RESPONSES, other.image_id), ANSWERS);
    cr_expect_neq(third.publication.registration_id, first.publication.registration_id);
}

Test(conductor_response, reads_nothing_before_it_is_bound_whatever_the_session)
{
    int64_t waits = subscribe(CLIENT, "aeron:ipc?control-mode=response", ANSWERS);
    publish(SERVER, "aeron:ipc?session-id=0", ANSWERS);
    driver_rig_expect_nothing(&rig);
    drop(CLIENT, RJ_COMMAND_REMOVE_SUBSCRIPTION, waits);
}

Test(conductor_response, to_somebody_else_is_refused)
{
    int64_t requests = subscribe(SERVER, REQUESTS, STREAM);
    publish(CLIENT, REQUESTS, STREAM);
    int64_t plain = expect_image(requests).image.correlation_id;
    expect_refusal(SERVER, RESPONSES,
                   "control-mode=response was specified, but no response-correlation-id set");
    expect_refusal(SERVER, with_id(RESPONSES, -1),
                   "control-mode=response was specified, but no response-correlation-id set");
    expect_refusal(SERVER, with_id(RESPONSES, 4711), "image.correlationId=4711 not found");
    expect_refusal(SERVER, with_id(RESPONSES, plain), "did not request a response channel");
    expect_refusal(SERVER, with_id(RESPONSES, -2), "invalid response-correlation-id");
    expect_refusal(SERVER, RESPONSES "|response-correlation-id=me",
                   "invalid response-correlation-id");
    expect_refusal(CLIENT, with_id(REQUESTS, 4711), "unable to find response subscription");
    expect_refusal(CLIENT, REQUESTS "|response-correlation-id=prototype",
                   "unable to find response subscription for response-correlation-id=-2");
    driver_rig_expect_nothing(&rig);
}

Test(conductor_response, may_hold_the_channel_by_a_prototype)
{
    rig_event_t prototype =
        publish(SERVER, RESPONSES "|response-correlation-id=prototype|term-length=1m", ANSWERS);
    int32_t status = prototype.publication.channel_status_counter_id;
    rj_counter_view_t view = driver_rig_counter(&rig, RJ_COUNTER_TYPE_PUBLISHER_LIMIT,
                                                prototype.publication.registration_id);
    cr_expect_eq(view.value, 0);
    int64_t requests = subscribe(SERVER, REQUESTS, STREAM);
    pair_t pair = ask(requests);
    rig_event_t response = publish(SERVER, with_id(RESPONSES, pair.image_id), ANSWERS);
    cr_expect_eq(response.publication.channel_status_counter_id, status);
    cr_expect_neq(response.publication.registration_id, prototype.publication.registration_id);
    pass_ms(500);
    cr_expect_eq(expect_image(pair.subscription_id).image.session_id,
                 response.publication.session_id);
}

Test(conductor_response, serves_a_client_that_comes_again)
{
    int64_t requests = subscribe(SERVER, REQUESTS, STREAM);
    pair_t first = ask(requests);
    rig_event_t response = publish(SERVER, with_id(RESPONSES, first.image_id), ANSWERS);
    pass_ms(500);
    (void)expect_image(first.subscription_id);
    drop(CLIENT, RJ_COMMAND_REMOVE_SUBSCRIPTION, first.subscription_id);
    drop(CLIENT, RJ_COMMAND_REMOVE_PUBLICATION, first.publication_id);
    drop(SERVER, RJ_COMMAND_REMOVE_PUBLICATION, response.publication.registration_id);
    pass_ms(15000);
    rig_event_t gone = driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_IMAGE);
    cr_expect_eq(gone.unavailable.correlation_id, first.image_id);
    driver_rig_expect_nothing(&rig);
    pair_t second = ask(requests);
    response = publish(SERVER, with_id(RESPONSES, second.image_id), ANSWERS);
    pass_ms(500);
    cr_expect_eq(expect_image(second.subscription_id).image.session_id,
                 response.publication.session_id);
}

Test(conductor_response, leaves_nothing_behind)
{
    int64_t requests = subscribe(SERVER, REQUESTS, STREAM);
    pair_t pair = ask(requests);
    rig_event_t response = publish(SERVER, with_id(RESPONSES, pair.image_id), ANSWERS);
    pass_ms(500);
    (void)expect_image(pair.subscription_id);
    int64_t unbound = subscribe(CLIENT, RESPONSES, ANSWERS);
    drop(CLIENT, RJ_COMMAND_REMOVE_SUBSCRIPTION, unbound);
    drop(CLIENT, RJ_COMMAND_REMOVE_SUBSCRIPTION, pair.subscription_id);
    drop(CLIENT, RJ_COMMAND_REMOVE_PUBLICATION, pair.publication_id);
    drop(SERVER, RJ_COMMAND_REMOVE_PUBLICATION, response.publication.registration_id);
    drop(SERVER, RJ_COMMAND_REMOVE_SUBSCRIPTION, requests);
    pass_ms(20000);
    cr_expect_eq(driver_rig_log_count(&rig), 0);
    cr_expect_eq(driver_rig_counter_count(&rig), 2, "the clients' heartbeats");
}

Test(conductor_response, over_ipc_is_read_at_once_by_whoever_asked)
{
    int64_t requests = subscribe(SERVER, "aeron:ipc", STREAM);
    int64_t first = subscribe(CLIENT, "aeron:ipc?control-mode=response", ANSWERS);
    int64_t second = subscribe(CLIENT, "aeron:ipc?control-mode=response", ANSWERS);
    rig_event_t ask_first = publish(CLIENT, with_id("aeron:ipc", first), STREAM);
    int64_t first_image = expect_image(requests).image.correlation_id;
    cr_expect_eq(first_image, ask_first.publication.registration_id);
    rig_event_t ask_second = publish(CLIENT, with_id("aeron:ipc", second), STREAM);
    int64_t second_image = expect_image(requests).image.correlation_id;
    cr_expect_neq(ask_second.publication.registration_id, ask_first.publication.registration_id);

    rig_event_t answer =
        publish(SERVER, with_id("aeron:ipc?control-mode=response", second_image), ANSWERS);
    cr_expect_eq(expect_image(second).image.correlation_id, answer.publication.registration_id);
    driver_rig_expect_nothing(&rig);
    answer = publish(SERVER, with_id("aeron:ipc?control-mode=response", first_image), ANSWERS);
    cr_expect_eq(expect_image(first).image.correlation_id, answer.publication.registration_id);
    driver_rig_expect_nothing(&rig);
}
