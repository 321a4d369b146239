/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_commands.h"
#include "tests/fixtures/fake_driver.h"
#include "tests/fixtures/hex.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static rj_fake_driver_t driver;
static rj_client_t *client;
static rj_fake_command_t command;

static void open_both(void)
{
    rj_fake_driver_open(&driver, true);
    driver.commands.trailer->correlation_counter = 7;
    rj_context_t context;
    rj_context_init(&context);
    context.directory = driver.directory;
    context.conductor_mode = RJ_CONDUCTOR_INVOKED;
    rj_err_t err = {.text = ""};
    cr_assert_eq(rj_client_try_connect(&context, 0, RJ_FAKE_EPOCH_MS, &client, &err), 0, "%s",
                 err.text);
}

static void close_both(void)
{
    rj_client_close(client);
    rj_fake_driver_close(&driver);
}

TestSuite(client_operation, .init = open_both, .fini = close_both);

static void turn(void)
{
    rj_client_conductor_do_work(client, 0, RJ_FAKE_EPOCH_MS);
}

static void take(int32_t type)
{
    cr_assert(rj_fake_driver_take(&driver, &command));
    cr_assert_eq(command.type, type);
}

static void say_success(int64_t correlation_id)
{
    const rj_event_operation_success_t success = {.correlation_id = correlation_id};
    rj_fake_driver_say(&driver, RJ_EVENT_OPERATION_SUCCESS, &success, sizeof(success));
}

/* Correlation id 8, with a counter for its channel's status. */
static rj_subscription_t *add_subscription(int32_t *ret_status_id)
{
    rj_request_t *request = NULL;
    rj_subscription_t *subscription = NULL;
    cr_assert_eq(rj_client_request_subscription(client, "aeron:udp?control-mode=manual", 1001, NULL,
                                                &request, NULL),
                 0);
    take(RJ_COMMAND_ADD_SUBSCRIPTION);
    *ret_status_id = rj_fake_driver_counter(&driver, RJ_COUNTER_TYPE_RECEIVE_CHANNEL_STATUS, 8,
                                            RJ_CHANNEL_STATUS_INITIALIZING);
    const rj_event_subscription_ready_t ready = {.correlation_id = 8,
                                                 .channel_status_counter_id = *ret_status_id};
    rj_fake_driver_say(&driver, RJ_EVENT_SUBSCRIPTION_READY, &ready, sizeof(ready));
    turn();
    cr_assert_eq(rj_request_poll_subscription(request, &subscription, NULL), 1);
    return subscription;
}

/* Registration id 8, of a log whose first handle had id 5. */
static rj_publication_t *add_publication(void)
{
    rj_request_t *request = NULL;
    rj_publication_t *publication = NULL;
    rj_log_t log;
    cr_assert_eq(rj_client_request_publication(client, "aeron:udp?control-mode=manual", 1001,
                                               RJ_PUBLICATION_SHARED, &request, NULL),
                 0);
    take(RJ_COMMAND_ADD_PUBLICATION);
    rj_fake_driver_make_log(&driver, "publications", 5, &log);
    const int32_t limit_id = rj_fake_driver_counter(&driver, RJ_COUNTER_TYPE_PUBLISHER_LIMIT, 5, 0);
    rj_fake_driver_say_publication(&driver, RJ_EVENT_PUBLICATION_READY, 8, 5, limit_id);
    turn();
    cr_assert_eq(rj_request_poll_publication(request, &publication, NULL), 1);
    rj_log_close(&log);
    return publication;
}

/* commands.md 3.6: the log's first registration id, as Java has it. */
Test(client_operation, a_destination_of_a_publication_is_asked_for_and_known_by_an_id)
{
    rj_publication_t *publication = add_publication();
    rj_request_t *request = NULL;
    cr_assert_eq(rj_publication_request_add_destination(publication, "aeron:udp?endpoint=h:1",
                                                        &request, NULL),
                 0);
    take(0x07);
    cr_assert_eq(command.length, 28 + 22);
    cr_assert_eq(rj_hex_compare(command.body, "07 00 00 00 00 00 00 00 09 00 00 00 00 00 00 00 "
                                              "05 00 00 00 00 00 00 00 16 00 00 00"),
                 28);
    cr_assert_eq(memcmp(command.body + 28, "aeron:udp?endpoint=h:1", 22), 0);

    int64_t id = 0;
    rj_err_t err;
    cr_assert_eq(rj_request_poll_operation(request, &id, &err), 0);
    say_success(9);
    turn();
    cr_assert_eq(rj_request_poll_operation(request, &id, &err), 1);
    cr_assert_eq(id, 9);
    cr_assert_null(client->requests);
    rj_publication_close(publication);
}

Test(client_operation, the_reason_of_a_refusal_names_the_destination)
{
    rj_publication_t *publication = add_publication();
    rj_request_t *request = NULL;
    rj_err_t err;
    cr_assert_eq(rj_publication_request_remove_destination(publication, "aeron:udp?endpoint=h:1",
                                                           &request, NULL),
                 0);
    take(0x08);
    rj_fake_driver_say_error(&driver, 9, 3, "no such destination");
    turn();
    cr_assert_eq(rj_request_poll_operation(request, NULL, &err), -EREMOTEIO);
    cr_assert_eq(err.aeron_code, 3);
    cr_assert_not_null(strstr(err.text, "aeron:udp?endpoint=h:1"));
    rj_publication_close(publication);
}

Test(client_operation, destinations_of_a_subscription_have_commands_of_their_own)
{
    int32_t status_id;
    rj_subscription_t *subscription = add_subscription(&status_id);
    rj_request_t *request = NULL;
    cr_assert_eq(rj_subscription_request_add_destination(subscription, "aeron:ipc", &request, NULL),
                 0);
    take(0x0C);
    cr_assert_eq(rj_hex_compare(command.body + 16, "08 00 00 00 00 00 00 00 09 00 00 00"), 12);
    say_success(9);
    turn();
    cr_assert_eq(rj_request_poll_operation(request, NULL, NULL), 1);
    cr_assert_eq(
        rj_subscription_request_remove_destination(subscription, "aeron:ipc", &request, NULL), 0);
    take(0x0D);
    rj_request_cancel(request);
    say_success(10);
    turn();
    cr_assert_null(client->requests, "what came for a cancelled one is done with");
    cr_assert_not(rj_fake_driver_take(&driver, &command), "and is not undone");
}

Test(client_operation, other_operations_are_said_in_the_words_of_the_specification)
{
    const rj_operation_t by_id = {.type = RJ_COMMAND_REMOVE_DESTINATION_BY_ID,
                                  .registration_id = 5,
                                  .destination_id = 9,
                                  .text = "x"};
    const rj_operation_t session = {
        .type = RJ_COMMAND_GET_NEXT_AVAILABLE_SESSION_ID, .stream_id = 1001, .text = "x"};
    const rj_operation_t reject = {
        .type = RJ_COMMAND_REJECT_IMAGE, .registration_id = 213, .position = 64, .text = "bad"};
    rj_request_t *request = NULL;
    cr_assert_eq(rj_request_operation(client, &by_id, &request, NULL), 0);
    take(0x11);
    cr_assert_eq(
        rj_hex_compare(command.body + 16, "05 00 00 00 00 00 00 00 09 00 00 00 00 00 00 00"), 16);
    cr_assert_eq(rj_request_operation(client, &session, &request, NULL), 0);
    take(0x12);
    cr_assert_eq(command.length, 20);
    const rj_event_next_session_id_t next = {.correlation_id = 9, .next_session_id = -77};
    rj_fake_driver_say(&driver, RJ_EVENT_NEXT_AVAILABLE_SESSION_ID, &next, sizeof(next));
    turn();
    int64_t value = 0;
    cr_assert_eq(rj_request_poll_operation(request, &value, NULL), 1);
    cr_assert_eq(value, -77);
    cr_assert_eq(rj_request_operation(client, &reject, &request, NULL), 0);
    take(0x10);
    cr_assert_eq(command.length, 39);
    cr_assert_eq(rj_hex_compare(command.body + 16,
                                "d5 00 00 00 00 00 00 00 40 00 00 00 00 00 00 00 "
                                "03 00 00 00 62 61 64"),
                 23);
    static char reason[1025];
    memset(reason, 'x', sizeof(reason) - 1);
    const rj_operation_t too_long = {.type = RJ_COMMAND_REJECT_IMAGE, .text = reason};
    cr_assert_eq(rj_request_operation(client, &too_long, &request, NULL), -EINVAL);
}

Test(client_operation, a_driver_without_session_ids_is_not_asked)
{
    int32_t id;
    rj_err_t err;
    cr_assert_eq(rj_client_next_session_id(client, 1001, &id, &err), -EOPNOTSUPP);
    cr_assert_not(rj_fake_driver_take(&driver, &command));
}

Test(client_operation, a_publication_is_revoked_by_a_flag)
{
    rj_publication_revoke(add_publication());
    take(0x02);
    cr_assert_eq(
        rj_hex_compare(command.body + 16, "08 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00"), 16);
}

/* commands.md 14.6: active ones only, and of several the oldest. */
Test(client_operation, a_channel_says_where_it_is_bound_once_it_is)
{
    int32_t status_id;
    char text[32];
    rj_subscription_t *subscription = add_subscription(&status_id);
    cr_assert_eq(rj_subscription_local_address(subscription, text, sizeof(text)), 0);
    rj_counter_set(rj_counters_value(&driver.counters, status_id), RJ_CHANNEL_STATUS_ACTIVE);
    cr_assert_eq(rj_subscription_local_address(subscription, text, sizeof(text)), 0);
    for (int32_t i = 0; i < 2; i++) {
        rj_sockaddr_key_t key = {.channel_status_id = status_id, .address_length = 14};
        memcpy(key.address, i == 0 ? "127.0.0.1:4000" : "127.0.0.1:5000", 14);
        const rj_counter_spec_t spec = {.type_id = RJ_COUNTER_TYPE_LOCAL_SOCKADDR,
                                        .key = &key,
                                        .key_length = sizeof(key),
                                        .label = "x",
                                        .label_length = 1,
                                        .initial_value = RJ_CHANNEL_STATUS_ACTIVE};
        int32_t id;
        cr_assert_eq(rj_counters_allocate(&driver.counters, &spec, RJ_FAKE_EPOCH_MS, &id, NULL), 0);
    }
    cr_assert_eq(rj_subscription_local_address(subscription, text, sizeof(text)), 14);
    cr_assert_str_eq(text, "127.0.0.1:4000");
    cr_assert_eq(rj_subscription_local_address(subscription, text, 14), -ENOBUFS);
}
