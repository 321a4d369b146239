/* SPDX-License-Identifier: Apache-2.0 */
/* What the client says to a driver, and what it makes of the answers, on a clock moved by hand. */
#include "client/client.h"
#include "tests/fixtures/fake_driver.h"
#include "tests/fixtures/hex.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define MS INT64_C(1000000)

static rj_fake_driver_t driver;
static rj_client_t *client;
static int64_t now_ns;
static rj_fake_command_t command;
static rj_err_t reported; /* the last error handed to the handler */
static int reported_count;

static void on_error(void *user, const rj_err_t *err)
{
    (void)user;
    reported = *err;
    reported_count++;
}

static int64_t epoch_ms(void)
{
    return RJ_FAKE_EPOCH_MS + now_ns / MS;
}

static rj_context_t test_context(void)
{
    rj_context_t context;
    rj_context_init(&context);
    context.directory = driver.directory;
    context.client_name = "tester";
    context.conductor_mode = RJ_CONDUCTOR_INVOKED;
    context.on_error = on_error;
    return context;
}

/* The vectors of commands.md 15 are those of client 7. */
static void open_both(void)
{
    rj_fake_driver_open(&driver, true);
    driver.commands.trailer->correlation_counter = 7;
    rj_context_t context = test_context();
    rj_err_t err = {.text = ""};
    now_ns = 0;
    cr_assert_eq(rj_client_try_connect(&context, now_ns, epoch_ms(), &client, &err), 0, "%s",
                 err.text);
    cr_assert_eq(rj_client_id(client), 7);
}

static void close_both(void)
{
    rj_client_close(client);
    rj_fake_driver_close(&driver);
}

TestSuite(client_conductor, .init = open_both, .fini = close_both);

static int turn(void)
{
    return rj_client_conductor_do_work(client, now_ns, epoch_ms());
}

/* Lets time pass in steps a conductor is run in, with a driver that lives. */
static void pass(int64_t duration_ns)
{
    for (int64_t end_ns = now_ns + duration_ns; now_ns < end_ns;) {
        now_ns += 100 * MS;
        rj_ring_mpsc_set_heartbeat_ms(&driver.commands, epoch_ms());
        turn();
    }
}

static void burn_id(void)
{
    rj_ring_mpsc_next_correlation_id(&driver.commands);
}

static int64_t correlation_id_of(const rj_fake_command_t *taken)
{
    rj_command_header_t header;
    memcpy(&header, taken->body, sizeof(header));
    return header.correlation_id;
}

static rj_request_t *request_publication(rj_publication_kind_t kind)
{
    rj_request_t *request = NULL;
    cr_assert_eq(rj_client_request_publication(client, "aeron:udp?endpoint=localhost:40123", 1001,
                                               kind, &request, NULL),
                 0);
    cr_assert(rj_fake_driver_take(&driver, &command));
    return request;
}

static rj_subscription_t *add_subscription(void)
{
    rj_request_t *request = NULL;
    rj_subscription_t *subscription = NULL;
    cr_assert_eq(rj_client_request_subscription(client, "aeron:ipc", 1001, NULL, &request, NULL),
                 0);
    cr_assert(rj_fake_driver_take(&driver, &command));
    rj_fake_driver_say_subscription(&driver, correlation_id_of(&command));
    turn();
    cr_assert_eq(rj_request_poll_subscription(request, &subscription, NULL), 1);
    return subscription;
}

/* commands.md 15 */
Test(client_conductor, asks_for_a_publication_in_the_words_of_the_specification)
{
    burn_id();
    rj_request_t *request = request_publication(RJ_PUBLICATION_SHARED);
    cr_assert_eq(command.type, 0x01);
    cr_assert_eq(command.length, 58);
    cr_assert_eq(rj_hex_compare(command.body, "07 00 00 00 00 00 00 00 09 00 00 00 00 00 00 00 "
                                              "e9 03 00 00 22 00 00 00 61 65 72 6f 6e 3a 75 64 "
                                              "70 3f 65 6e 64 70 6f 69 6e 74 3d 6c 6f 63 61 6c "
                                              "68 6f 73 74 3a 34 30 31 32 33"),
                 58);
    rj_request_cancel(request);
    rj_request_cancel(request_publication(RJ_PUBLICATION_EXCLUSIVE));
    cr_assert_eq(command.type, 0x03);
}

Test(client_conductor, asks_for_a_subscription_in_the_words_of_the_specification)
{
    rj_request_t *request = NULL;
    burn_id();
    burn_id();
    cr_assert_eq(rj_client_request_subscription(client, "aeron:ipc", 1001, NULL, &request, NULL),
                 0);
    cr_assert(rj_fake_driver_take(&driver, &command));
    cr_assert_eq(command.type, 0x04);
    cr_assert_eq(command.length, 41);
    cr_assert_eq(rj_hex_compare(command.body, "07 00 00 00 00 00 00 00 0a 00 00 00 00 00 00 00 "
                                              "ff ff ff ff ff ff ff ff e9 03 00 00 09 00 00 00 "
                                              "61 65 72 6f 6e 3a 69 70 63"),
                 41);
}

Test(client_conductor, asks_for_counters_in_the_words_of_the_specification)
{
    rj_request_t *request = NULL;
    for (int i = 0; i < 4; i++)
        burn_id();
    cr_assert_eq(
        rj_client_request_counter(client, 1001, "\x2a\0\0\0\x05", 5, "my-count", &request, NULL),
        0);
    cr_assert(rj_fake_driver_take(&driver, &command));
    cr_assert_eq(command.type, 0x09);
    cr_assert_eq(command.length, 44);
    cr_assert_eq(rj_hex_compare(command.body, "07 00 00 00 00 00 00 00 0c 00 00 00 00 00 00 00 "
                                              "e9 03 00 00 05 00 00 00 2a 00 00 00 05 00 00 00 "
                                              "08 00 00 00 6d 79 2d 63 6f 75 6e 74"),
                 44);
    cr_assert_eq(rj_client_request_static_counter(client, 1001, 77, NULL, 0, "fix", &request, NULL),
                 0);
    cr_assert(rj_fake_driver_take(&driver, &command));
    cr_assert_eq(command.type, 0x0f);
    cr_assert_eq(rj_hex_compare(command.body, "07 00 00 00 00 00 00 00 0d 00 00 00 00 00 00 00 "
                                              "4d 00 00 00 00 00 00 00 e9 03 00 00 00 00 00 00 "
                                              "03 00 00 00 66 69 78"),
                 39);
}

Test(client_conductor, refuses_what_no_driver_would_read)
{
    rj_request_t *request = NULL;
    static char channel[4097];
    memset(channel, 'x', sizeof(channel) - 1);
    cr_assert_eq(
        rj_client_request_publication(client, channel, 1, RJ_PUBLICATION_SHARED, &request, NULL),
        -EINVAL);
    uint8_t key[113] = {0};
    cr_assert_eq(rj_client_request_counter(client, 1, key, 113, "x", &request, NULL), -EINVAL);
    channel[381] = '\0';
    cr_assert_eq(rj_client_request_counter(client, 1, key, 112, channel, &request, NULL), -EINVAL);
    cr_assert_not(rj_fake_driver_take(&driver, &command));
}

Test(client_conductor, makes_a_publication_of_the_answer_and_removes_it_in_the_right_words)
{
    rj_log_t log;
    rj_publication_t *publication = NULL;
    burn_id();
    rj_request_t *request = request_publication(RJ_PUBLICATION_SHARED);
    cr_assert_eq(rj_request_poll_publication(request, &publication, NULL), 0);
    rj_fake_driver_make_log(&driver, "publications", 9, &log);
    int32_t limit_id = rj_fake_driver_counter(&driver, RJ_COUNTER_TYPE_PUBLISHER_LIMIT, 9, 128);
    rj_fake_driver_say_publication(&driver, RJ_EVENT_PUBLICATION_READY, 9, 9, limit_id);
    turn();
    cr_assert_eq(rj_request_poll_publication(request, &publication, NULL), 1);
    const rj_publication_info_t *info = rj_publication_info(publication);
    cr_assert_eq(info->registration_id, 9);
    cr_assert_eq(info->session_id, RJ_FAKE_SESSION_ID);
    cr_assert_eq(info->payload_length_max, 1376);
    cr_assert_eq(info->message_length_max, 8192);
    cr_assert_str_eq(info->channel, "aeron:udp?endpoint=localhost:40123");

    rj_log_set_connected(&log, true);
    cr_assert(rj_publication_is_connected(publication));
    cr_assert_eq(rj_publication_offer(publication, "hello", 5), 64);
    cr_assert_eq(rj_publication_position(publication), 64);
    cr_assert_eq(rj_hex_compare(log.terms[0] + 32, "68 65 6c 6c 6f"), 5);
    rj_offer_claim_t claim;
    cr_assert_eq(rj_publication_try_claim(publication, 3, &claim), 128);
    memcpy(claim.payload, "abc", 3);
    rj_offer_claim_set_reserved_value(&claim, 0x77);
    rj_offer_claim_commit(&claim);
    cr_assert_eq(rj_hex_compare(log.terms[0] + 64, "23 00 00 00 00 c0 01 00 40 00 00 00"), 12);
    cr_assert_eq(rj_hex_compare(log.terms[0] + 88, "77 00 00 00 00 00 00 00 61 62 63"), 11);
    cr_assert_eq(rj_publication_offer(publication, "x", 1), RJ_OFFER_BACK_PRESSURED);
    rj_log_set_connected(&log, false);
    cr_assert_eq(rj_publication_offer(publication, "x", 1), RJ_OFFER_NOT_CONNECTED);
    cr_assert_eq(rj_publication_try_claim(publication, 1377, &claim), RJ_OFFER_ERROR);

    rj_publication_close(publication);
    cr_assert_eq(rj_publication_offer(publication, "x", 1), RJ_OFFER_CLOSED, "while it lingers");
    cr_assert(rj_fake_driver_take(&driver, &command));
    cr_assert_eq(command.type, 0x02);
    cr_assert_eq(command.length, 32);
    cr_assert_eq(rj_hex_compare(command.body, "07 00 00 00 00 00 00 00 0a 00 00 00 00 00 00 00 "
                                              "09 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"),
                 32);
    cr_assert_not_null(client->logs);
    pass(2900 * MS);
    cr_assert_not_null(client->logs, "mapped for the linger time");
    pass(200 * MS);
    cr_assert_null(client->logs);
    rj_log_close(&log);
}

Test(client_conductor, maps_the_log_of_two_handles_once)
{
    rj_log_t log;
    rj_publication_t *first = NULL;
    rj_publication_t *second = NULL;
    rj_fake_driver_make_log(&driver, "publications", 8, &log);
    int32_t limit_id = rj_fake_driver_counter(&driver, RJ_COUNTER_TYPE_PUBLISHER_LIMIT, 8, 4096);
    rj_request_t *request_1 = request_publication(RJ_PUBLICATION_SHARED);
    rj_fake_driver_say_publication(&driver, RJ_EVENT_PUBLICATION_READY, 8, 8, limit_id);
    rj_request_t *request_2 = request_publication(RJ_PUBLICATION_SHARED);
    rj_fake_driver_say_publication(&driver, RJ_EVENT_PUBLICATION_READY, 9, 8, limit_id);
    turn();
    cr_assert_eq(rj_request_poll_publication(request_1, &first, NULL), 1);
    cr_assert_eq(rj_request_poll_publication(request_2, &second, NULL), 1);
    cr_assert_eq(first->log, second->log);
    cr_assert_eq(rj_publication_offer(first, "a", 1), 64);
    cr_assert_eq(rj_publication_offer(second, "b", 1), 128);
    rj_publication_close(first);
    pass(4000 * MS);
    cr_assert_eq(rj_publication_offer(second, "c", 1), 192);
    rj_log_close(&log);
}

Test(client_conductor, hands_on_the_reason_of_a_refusal)
{
    rj_publication_t *publication = NULL;
    rj_err_t err;
    rj_request_t *request = request_publication(RJ_PUBLICATION_SHARED);
    rj_fake_driver_say_error(&driver, 4711, 11, "somebody else's");
    rj_fake_driver_say_error(&driver, 8, 9, "no such host: nowhere");
    turn();
    cr_assert_eq(rj_request_poll_publication(request, &publication, &err), -EREMOTEIO);
    cr_assert_eq(err.aeron_code, 9);
    cr_assert_not_null(strstr(err.text, "no such host: nowhere"));
    cr_assert_not_null(strstr(err.text, "aeron:udp?endpoint=localhost:40123"));
    cr_assert_eq(reported_count, 0);
}

Test(client_conductor, gives_up_waiting_and_removes_what_comes_late)
{
    rj_publication_t *publication = NULL;
    rj_log_t log;
    rj_err_t err;
    rj_request_t *request = request_publication(RJ_PUBLICATION_SHARED);
    pass(9900 * MS);
    cr_assert_eq(rj_request_poll_publication(request, &publication, &err), 0);
    pass(100 * MS);
    cr_assert_eq(rj_request_poll_publication(request, &publication, &err), -ETIMEDOUT);
    cr_assert_eq(err.aeron_code, RJ_CLIENT_ERROR_DRIVER_TIMEOUT);

    rj_fake_driver_make_log(&driver, "publications", 8, &log);
    int32_t limit_id = rj_fake_driver_counter(&driver, RJ_COUNTER_TYPE_PUBLISHER_LIMIT, 8, 0);
    rj_fake_driver_say_publication(&driver, RJ_EVENT_PUBLICATION_READY, 8, 8, limit_id);
    turn();
    cr_assert(rj_fake_driver_take(&driver, &command));
    cr_assert_eq(command.type, RJ_COMMAND_REMOVE_PUBLICATION);
    cr_assert_eq(rj_hex_compare(command.body + 16, "08 00 00 00 00 00 00 00"), 8);
    cr_assert_null(client->requests);
    cr_assert_null(client->publications);
    rj_log_close(&log);
}

Test(client_conductor, keeps_the_verdict_when_the_late_answer_is_there_before_the_poll)
{
    rj_subscription_t *subscription = NULL;
    rj_request_t *request = NULL;
    rj_client_request_subscription(client, "aeron:ipc", 1001, NULL, &request, NULL);
    cr_assert(rj_fake_driver_take(&driver, &command));
    pass(10000 * MS);
    rj_fake_driver_say_subscription(&driver, 8);
    turn();
    cr_assert(rj_fake_driver_take(&driver, &command));
    cr_assert_eq(command.type, RJ_COMMAND_REMOVE_SUBSCRIPTION);
    cr_assert_eq(rj_request_poll_subscription(request, &subscription, NULL), -ETIMEDOUT);
    cr_assert_null(client->requests);
}

Test(client_conductor, removes_what_comes_for_a_cancelled_request)
{
    rj_request_t *request = NULL;
    rj_client_request_counter(client, 1001, NULL, 0, "x", &request, NULL);
    cr_assert(rj_fake_driver_take(&driver, &command));
    rj_request_cancel(request);
    int32_t id = rj_fake_driver_counter(&driver, 1001, 8, 0);
    rj_fake_driver_say_counter(&driver, RJ_EVENT_COUNTER_READY, 8, id);
    turn();
    cr_assert(rj_fake_driver_take(&driver, &command));
    cr_assert_eq(command.type, RJ_COMMAND_REMOVE_COUNTER);
    cr_assert_null(client->requests);
    cr_assert_null(client->owned_counters);
}

Test(client_conductor, reports_a_log_that_is_none_and_takes_the_publication_back)
{
    rj_publication_t *publication = NULL;
    rj_err_t err;
    rj_request_t *request = request_publication(RJ_PUBLICATION_EXCLUSIVE);
    int32_t limit_id = rj_fake_driver_counter(&driver, RJ_COUNTER_TYPE_PUBLISHER_LIMIT, 8, 0);
    rj_fake_driver_say_publication(&driver, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY, 8, 8, limit_id);
    turn();
    cr_assert_eq(rj_request_poll_publication(request, &publication, &err), -ENOENT);
    cr_assert(rj_fake_driver_take(&driver, &command));
    cr_assert_eq(command.type, RJ_COMMAND_REMOVE_PUBLICATION);

    rj_log_t log;
    request = request_publication(RJ_PUBLICATION_EXCLUSIVE);
    int64_t id = correlation_id_of(&command);
    rj_fake_driver_make_log(&driver, "publications", id, &log);
    rj_fake_driver_say_publication(&driver, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY, id, id, 9999);
    turn();
    cr_assert_eq(rj_request_poll_publication(request, &publication, &err), -EPROTO);
    rj_log_close(&log);
}

Test(client_conductor, counts_in_a_counter_of_its_own)
{
    rj_client_counter_t *counter = NULL;
    rj_request_t *request = NULL;
    rj_client_request_counter(client, 1001, NULL, 0, "x", &request, NULL);
    cr_assert(rj_fake_driver_take(&driver, &command));
    int32_t id = rj_fake_driver_counter(&driver, 1001, 8, 0);
    rj_fake_driver_say_counter(&driver, RJ_EVENT_COUNTER_READY, 8, id);
    turn();
    cr_assert_eq(rj_request_poll_counter(request, &counter, NULL), 1);
    cr_assert_eq(rj_client_counter_id(counter), id);
    rj_client_counter_set(counter, 40);
    cr_assert_eq(rj_client_counter_add(counter, 2), 40);
    cr_assert_eq(rj_counter_get(rj_counters_value(&driver.counters, id)), 42);
    cr_assert_eq(rj_client_counters_find(client, 1001, 8), id);
    rj_counter_record_t record;
    cr_assert_eq(rj_client_counters_read(client, id, &record), 0);
    cr_assert_eq(record.value, 42);
    cr_assert_str_eq(record.label, "fake");

    rj_fake_driver_say_counter(&driver, RJ_EVENT_UNAVAILABLE_COUNTER, 8, id);
    turn();
    cr_assert(rj_client_counter_is_closed(counter));
    rj_client_counter_set(counter, 99);
    cr_assert_eq(rj_counter_get(rj_counters_value(&driver.counters, id)), 42);
    rj_client_counter_close(counter);
    cr_assert_not(rj_fake_driver_take(&driver, &command), "the driver removed it by itself");
}

Test(client_conductor, leaves_a_static_counter_to_the_driver)
{
    rj_client_counter_t *counter = NULL;
    rj_request_t *request = NULL;
    rj_client_request_static_counter(client, 1001, 77, NULL, 0, "x", &request, NULL);
    cr_assert(rj_fake_driver_take(&driver, &command));
    int32_t id = rj_fake_driver_counter(&driver, 1001, 77, 0);
    rj_fake_driver_say_counter(&driver, RJ_EVENT_STATIC_COUNTER, 8, id);
    turn();
    cr_assert_eq(rj_request_poll_counter(request, &counter, NULL), 1);
    cr_assert_eq(rj_client_counter_registration_id(counter), 77);
    rj_client_counter_close(counter);
    cr_assert_not(rj_fake_driver_take(&driver, &command));
}

Test(client_conductor, sends_removals_again_when_the_ring_was_full)
{
    rj_subscription_t *subscription = add_subscription();
    uint8_t filler[400] = {0};
    while (rj_ring_mpsc_write(&driver.commands, 6, filler, sizeof(filler)) == 0)
        continue;
    while (rj_ring_mpsc_write(&driver.commands, 6, filler, 8) == 0)
        continue;
    rj_request_t *request = NULL;
    rj_err_t err;
    cr_assert_eq(rj_client_request_subscription(client, "aeron:ipc", 1001, NULL, &request, &err),
                 -EAGAIN);
    cr_assert_eq(err.aeron_code, RJ_CLIENT_ERROR_BUFFER_FULL);
    rj_subscription_close(subscription);
    turn();
    cr_assert_not_null(client->unsent);
    while (rj_fake_driver_take(&driver, &command))
        continue;
    turn();
    cr_assert(rj_fake_driver_take(&driver, &command));
    cr_assert_eq(command.type, RJ_COMMAND_REMOVE_SUBSCRIPTION);
    cr_assert_null(client->unsent);
}

Test(client_conductor, finds_names_and_keeps_its_heartbeat_counter)
{
    pass(1000 * MS);
    int32_t id = rj_fake_driver_heartbeat(&driver, 7);
    pass(500 * MS);
    rj_counter_record_t record;
    cr_assert_eq(rj_client_counters_read(client, id, &record), 0);
    cr_assert_eq(strncmp(record.label, "client-heartbeat: id=7 name=tester version=", 43), 0, "%s",
                 record.label);
    cr_assert_eq(record.value, epoch_ms());
    size_t label_length = strlen(record.label);
    pass(600 * MS);
    cr_assert_eq(rj_client_counters_read(client, id, &record), 0);
    cr_assert_eq(record.value, RJ_FAKE_EPOCH_MS + 2000);
    cr_assert_eq(strlen(record.label), label_length, "named once");
    cr_assert_not(rj_client_is_closed(client));
}

Test(client_conductor, closes_when_its_heartbeat_counter_is_gone)
{
    int32_t id = rj_fake_driver_heartbeat(&driver, 7);
    pass(500 * MS);
    rj_counters_free(&driver.counters, id, epoch_ms());
    pass(500 * MS);
    cr_assert(rj_client_is_closed(client));
    cr_assert_eq(reported.aeron_code, RJ_CLIENT_ERROR_CLIENT_TIMEOUT);
}

Test(client_conductor, closes_everything_when_the_driver_says_goodbye)
{
    rj_subscription_t *subscription = add_subscription();
    rj_request_t *request = request_publication(RJ_PUBLICATION_SHARED);
    rj_cnc_retire(&driver.cnc);
    now_ns += 500 * MS;
    turn();
    cr_assert(rj_client_is_closed(client));
    cr_assert_eq(reported_count, 1);
    cr_assert_eq(reported.aeron_code, RJ_CLIENT_ERROR_DRIVER_SHUTDOWN);
    cr_assert_eq(rj_subscription_poll(subscription, NULL, NULL, 1), -ESHUTDOWN);
    rj_publication_t *publication = NULL;
    cr_assert_eq(rj_request_poll_publication(request, &publication, NULL), -ESHUTDOWN);
    cr_assert_eq(rj_client_request_publication(client, "aeron:ipc", 1, RJ_PUBLICATION_SHARED,
                                               &request, NULL),
                 -ESHUTDOWN);
    cr_assert_eq(rj_client_conductor_deadline_ns(client), INT64_MAX);
    rj_subscription_close(subscription);
    cr_assert_not(rj_fake_driver_take(&driver, &command), "nobody is there to tell");
}

Test(client_conductor, closes_when_the_driver_shows_no_life)
{
    rj_ring_mpsc_set_heartbeat_ms(&driver.commands, epoch_ms());
    for (int i = 0; i < 20; i++) {
        now_ns += 500 * MS;
        turn();
        cr_assert_not(rj_client_is_closed(client));
    }
    now_ns += 500 * MS;
    turn();
    cr_assert(rj_client_is_closed(client));
    cr_assert_eq(reported.aeron_code, RJ_CLIENT_ERROR_DRIVER_TIMEOUT);
}

Test(client_conductor, closes_when_it_was_not_run_in_time)
{
    now_ns += 10000 * MS;
    rj_ring_mpsc_set_heartbeat_ms(&driver.commands, epoch_ms());
    turn();
    cr_assert_not(rj_client_is_closed(client));
    now_ns += 10001 * MS;
    rj_ring_mpsc_set_heartbeat_ms(&driver.commands, epoch_ms());
    turn();
    cr_assert(rj_client_is_closed(client));
    cr_assert_eq(reported.aeron_code, RJ_CLIENT_ERROR_SERVICE_TIMEOUT);
}

Test(client_conductor, closes_when_the_driver_gives_it_up_and_not_for_others)
{
    int64_t id = 6;
    rj_fake_driver_say(&driver, RJ_EVENT_CLIENT_TIMEOUT, &id, sizeof(id));
    turn();
    cr_assert_not(rj_client_is_closed(client));
    id = 7;
    rj_fake_driver_say(&driver, RJ_EVENT_CLIENT_TIMEOUT, &id, sizeof(id));
    turn();
    cr_assert(rj_client_is_closed(client));
    cr_assert_eq(reported.aeron_code, RJ_CLIENT_ERROR_CLIENT_TIMEOUT);
}

Test(client_conductor, says_that_it_was_lapped_and_goes_on)
{
    rj_request_t *request = NULL;
    rj_subscription_t *subscription = NULL;
    rj_client_request_subscription(client, "aeron:ipc", 1001, NULL, &request, NULL);
    uint8_t filler[256] = {0};
    for (int i = 0; i < RJ_FAKE_CAPACITY_BYTES / 256 + 1; i++)
        rj_fake_driver_say(&driver, RJ_EVENT_OPERATION_SUCCESS, filler, sizeof(filler));
    turn();
    cr_assert_eq(reported_count, 1);
    cr_assert_eq(reported.aeron_code, RJ_CLIENT_ERROR_LAPPED);
    rj_fake_driver_say_subscription(&driver, 8);
    turn();
    cr_assert_eq(rj_request_poll_subscription(request, &subscription, NULL), 1);
}

Test(client_conductor, drops_events_whose_lengths_lie)
{
    rj_subscription_t *subscription = add_subscription();
    uint8_t body[64] = {0};
    rj_event_available_image_t image = {.correlation_id = 5,
                                        .subscription_registration_id =
                                            rj_subscription_info(subscription)->registration_id,
                                        .log_file_length = INT32_MAX};
    memcpy(body, &image, sizeof(image));
    static const int32_t types[] = {RJ_EVENT_ERROR,
                                    RJ_EVENT_AVAILABLE_IMAGE,
                                    RJ_EVENT_PUBLICATION_READY,
                                    RJ_EVENT_COUNTER_READY,
                                    RJ_EVENT_SUBSCRIPTION_READY,
                                    RJ_EVENT_UNAVAILABLE_IMAGE,
                                    RJ_EVENT_CLIENT_TIMEOUT,
                                    RJ_EVENT_UNAVAILABLE_COUNTER,
                                    RJ_EVENT_STATIC_COUNTER,
                                    RJ_EVENT_PUBLICATION_ERROR};
    int expected = 0;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        rj_fake_driver_say(&driver, types[i], body, 4);
        turn();
        cr_assert_eq(reported_count, ++expected, "type %x", (unsigned)types[i]);
        cr_assert_eq(reported.code, -EPROTO);
    }
    rj_fake_driver_say(&driver, RJ_EVENT_AVAILABLE_IMAGE, body, sizeof(body));
    image.log_file_length = -1;
    memcpy(body, &image, sizeof(image));
    rj_fake_driver_say(&driver, RJ_EVENT_AVAILABLE_IMAGE, body, sizeof(body));
    turn();
    cr_assert_eq(reported_count, expected + 2);
    cr_assert_eq(rj_subscription_image_count(subscription), 0);
}

Test(client_conductor, tells_of_the_error_of_a_publication_that_it_has)
{
    rj_log_t log;
    rj_publication_t *publication = NULL;
    rj_request_t *request = request_publication(RJ_PUBLICATION_SHARED);
    rj_fake_driver_make_log(&driver, "publications", 8, &log);
    int32_t limit_id = rj_fake_driver_counter(&driver, RJ_COUNTER_TYPE_PUBLISHER_LIMIT, 8, 0);
    rj_fake_driver_say_publication(&driver, RJ_EVENT_PUBLICATION_READY, 8, 8, limit_id);
    turn();
    cr_assert_eq(rj_request_poll_publication(request, &publication, NULL), 1);
    uint8_t body[80] = {0};
    rj_event_publication_error_t error = {
        .registration_id = 99, .error_code = RJ_ERROR_IMAGE_REJECTED, .message_length = 3};
    memcpy(body, &error, sizeof(error));
    memcpy(body + sizeof(error), "why", 3);
    rj_fake_driver_say(&driver, RJ_EVENT_PUBLICATION_ERROR, body, 72);
    turn();
    cr_assert_eq(reported_count, 0);
    error.registration_id = 8;
    memcpy(body, &error, sizeof(error));
    rj_fake_driver_say(&driver, RJ_EVENT_PUBLICATION_ERROR, body, 72);
    turn();
    cr_assert_eq(reported_count, 1);
    cr_assert_eq(reported.aeron_code, RJ_ERROR_IMAGE_REJECTED);
    cr_assert_not_null(strstr(reported.text, "why"));
    rj_log_close(&log);
}

Test(client_conductor, says_goodbye_when_it_closes)
{
    rj_subscription_t *subscription = add_subscription();
    (void)subscription;
    rj_client_close(client);
    client = NULL;
    cr_assert(rj_fake_driver_take(&driver, &command));
    cr_assert_eq(command.type, RJ_COMMAND_REMOVE_SUBSCRIPTION);
    cr_assert(rj_fake_driver_take(&driver, &command));
    cr_assert_eq(command.type, RJ_COMMAND_CLIENT_CLOSE);
    cr_assert_eq(rj_hex_compare(command.body, "07 00 00 00 00 00 00 00 ff ff ff ff ff ff ff ff"),
                 16);
}

Test(client_connect, wants_a_driver_that_is_there_and_lives)
{
    rj_context_t context;
    rj_context_init(&context);
    rj_err_t err;
    context.directory = "/tmp/rj-client-nowhere";
    cr_assert_eq(rj_client_try_connect(&context, 0, RJ_FAKE_EPOCH_MS, &client, &err), -EAGAIN);
    cr_assert_not_null(strstr(err.text, "/tmp/rj-client-nowhere"));

    rj_fake_driver_open(&driver, false);
    context.directory = driver.directory;
    cr_assert_eq(rj_client_try_connect(&context, 0, RJ_FAKE_EPOCH_MS, &client, &err), -EAGAIN);
    rj_cnc_publish(&driver.cnc, RJ_FAKE_EPOCH_MS);
    cr_assert_eq(rj_client_try_connect(&context, 0, RJ_FAKE_EPOCH_MS + 10001, &client, &err),
                 -EAGAIN);
    rj_cnc_retire(&driver.cnc);
    cr_assert_eq(rj_client_try_connect(&context, 0, RJ_FAKE_EPOCH_MS, &client, &err), -EAGAIN);
    cr_assert_not_null(strstr(err.text, "shut down"), "%s", err.text);
    rj_ring_mpsc_set_heartbeat_ms(&driver.commands, RJ_FAKE_EPOCH_MS);
    driver.cnc.header->version = 0x00010000;
    cr_assert_eq(rj_client_try_connect(&context, 0, RJ_FAKE_EPOCH_MS, &client, &err), -EPROTO);
    driver.cnc.header->version = RJ_CNC_VERSION;
    context.keepalive_interval_ns = INT64_C(10000000000);
    cr_assert_eq(rj_client_try_connect(&context, 0, RJ_FAKE_EPOCH_MS, &client, &err), -EINVAL);
    rj_context_init(&context);
    context.directory = driver.directory;
    cr_assert_eq(rj_client_try_connect(&context, 0, RJ_FAKE_EPOCH_MS, &client, &err), 0);
    rj_client_close(client);
    rj_fake_driver_close(&driver);
}

Test(client_connect, gives_up_after_the_driver_timeout)
{
    rj_context_t context;
    rj_context_init(&context);
    context.directory = "/tmp/rj-client-nowhere";
    context.driver_timeout_ms = 20;
    rj_err_t err;
    cr_assert_eq(rj_client_connect(&context, &client, &err), -ETIMEDOUT);
    cr_assert_eq(err.aeron_code, RJ_CLIENT_ERROR_DRIVER_TIMEOUT);
}
