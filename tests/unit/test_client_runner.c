/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that wait, on a real clock, against a fake driver on a thread of its own. */
#include "base/clock.h"
#include "client/client.h"
#include "tests/fixtures/fake_driver.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { REFUSED_STREAM_ID = 13, UNANSWERED_STREAM_ID = 14, IMAGE_ID = 213 };

static rj_fake_driver_t driver;
static pthread_t thread;
static atomic_bool is_over;
static int32_t limit_id;
static int32_t position_id;
static rj_client_t *client;
static rj_log_t image_log;

static void answer_publication(const rj_fake_command_t *command, rj_event_id_t type)
{
    rj_command_publication_t asked;
    memcpy(&asked, command->body, sizeof(asked));
    int64_t id = asked.header.correlation_id;
    if (asked.stream_id == UNANSWERED_STREAM_ID)
        return;
    if (asked.stream_id == REFUSED_STREAM_ID) {
        rj_fake_driver_say_error(&driver, id, RJ_ERROR_GENERIC, "not today");
        return;
    }
    rj_log_t log;
    rj_fake_driver_make_log(&driver, "publications", id, &log);
    rj_log_set_connected(&log, true);
    rj_log_close(&log);
    rj_fake_driver_say_publication(&driver, type, id, id, limit_id);
}

static void answer(const rj_fake_command_t *command)
{
    rj_command_header_t header;
    memcpy(&header, command->body, sizeof(header));
    switch (command->type) {
    case RJ_COMMAND_ADD_PUBLICATION:
        answer_publication(command, RJ_EVENT_PUBLICATION_READY);
        break;
    case RJ_COMMAND_ADD_EXCLUSIVE_PUBLICATION:
        answer_publication(command, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
        break;
    case RJ_COMMAND_ADD_SUBSCRIPTION:
        rj_fake_driver_say_subscription(&driver, header.correlation_id);
        rj_fake_driver_say_image(&driver, IMAGE_ID, header.correlation_id, position_id);
        break;
    case RJ_COMMAND_ADD_COUNTER:
        rj_fake_driver_say_counter(&driver, RJ_EVENT_COUNTER_READY, header.correlation_id, 5);
        break;
    case RJ_COMMAND_ADD_STATIC_COUNTER:
        rj_fake_driver_say_counter(&driver, RJ_EVENT_STATIC_COUNTER, header.correlation_id, 6);
        break;
    default:
        break;
    }
}

static void *run_driver(void *argument)
{
    (void)argument;
    rj_fake_command_t command;
    while (!atomic_load(&is_over)) {
        rj_ring_mpsc_set_heartbeat_ms(&driver.commands, rj_clock_epoch_ms());
        while (rj_fake_driver_take(&driver, &command))
            answer(&command);
        rj_clock_sleep_ns(200000);
    }
    return NULL;
}

static int handler_code;

static void on_available(void *user, rj_subscription_t *subscription, rj_image_t *image)
{
    (void)user;
    (void)subscription;
    (void)image;
    rj_publication_t *publication = NULL;
    handler_code = rj_client_add_publication(client, "aeron:ipc", 1, RJ_PUBLICATION_SHARED,
                                             &publication, NULL);
}

static void connect_in(rj_conductor_mode_t mode, int64_t driver_timeout_ms)
{
    rj_context_t context;
    rj_context_init(&context);
    context.directory = driver.directory;
    context.conductor_mode = mode;
    context.driver_timeout_ms = driver_timeout_ms;
    context.idle_sleep_ns = 1000000;
    rj_err_t err = {.text = ""};
    cr_assert_eq(rj_client_connect(&context, &client, &err), 0, "%s", err.text);
}

static void open_driver(void)
{
    rj_fake_driver_open(&driver, true);
    rj_ring_mpsc_set_heartbeat_ms(&driver.commands, rj_clock_epoch_ms());
    limit_id = rj_fake_driver_counter(&driver, RJ_COUNTER_TYPE_PUBLISHER_LIMIT, 1, 4096);
    position_id = rj_fake_driver_counter(&driver, RJ_COUNTER_TYPE_SUBSCRIBER_POSITION, 1, 0);
    rj_fake_driver_make_log(&driver, "images", IMAGE_ID, &image_log);
    cr_assert_eq(pthread_create(&thread, NULL, run_driver, NULL), 0);
}

static void close_driver(void)
{
    rj_client_close(client);
    atomic_store(&is_over, true);
    pthread_join(thread, NULL);
    rj_log_close(&image_log);
    rj_fake_driver_close(&driver);
}

TestSuite(client_runner, .init = open_driver, .fini = close_driver);

static void use_everything(void)
{
    rj_publication_t *shared = NULL;
    rj_publication_t *exclusive = NULL;
    rj_subscription_t *subscription = NULL;
    rj_client_counter_t *counter = NULL;
    const rj_image_handlers_t handlers = {.on_available = on_available};
    cr_assert_eq(
        rj_client_add_publication(client, "aeron:ipc", 1, RJ_PUBLICATION_SHARED, &shared, NULL), 0);
    cr_assert_eq(rj_client_add_publication(client, "aeron:ipc", 1, RJ_PUBLICATION_EXCLUSIVE,
                                           &exclusive, NULL),
                 0);
    cr_assert_eq(rj_publication_offer(shared, "a", 1), 64);
    cr_assert_eq(rj_publication_offer(exclusive, "a", 1), 64);
    cr_assert_eq(rj_publication_position(exclusive), 64);
    cr_assert_eq(rj_client_add_subscription(client, "aeron:ipc", 1, &handlers, &subscription, NULL),
                 0);
    while (rj_subscription_image_count(subscription) == 0)
        rj_client_conductor_do_work(client, rj_clock_mono_ns(), rj_clock_epoch_ms());
    cr_assert_eq(handler_code, -EDEADLK, "a handler must not wait");
    cr_assert_eq(rj_client_add_counter(client, 1001, NULL, 0, "x", &counter, NULL), 0);
    cr_assert_eq(rj_client_counter_id(counter), 5);
    cr_assert_eq(rj_client_add_static_counter(client, 1001, 9, NULL, 0, "x", &counter, NULL), 0);
    cr_assert_eq(rj_client_counter_id(counter), 6);
}

Test(client_runner, runs_the_conductor_on_its_own_thread)
{
    connect_in(RJ_CONDUCTOR_THREAD, 10000);
    use_everything();
}

Test(client_runner, drives_an_invoked_conductor_while_it_waits)
{
    connect_in(RJ_CONDUCTOR_INVOKED, 10000);
    use_everything();
}

Test(client_runner, hands_on_refusals_and_time_outs)
{
    rj_publication_t *publication = NULL;
    rj_err_t err;
    connect_in(RJ_CONDUCTOR_THREAD, 300);
    cr_assert_eq(rj_client_add_publication(client, "aeron:ipc", REFUSED_STREAM_ID,
                                           RJ_PUBLICATION_SHARED, &publication, &err),
                 -EREMOTEIO);
    cr_assert_not_null(strstr(err.text, "not today"));
    cr_assert_eq(rj_client_add_publication(client, "aeron:ipc", UNANSWERED_STREAM_ID,
                                           RJ_PUBLICATION_SHARED, &publication, &err),
                 -ETIMEDOUT);
}

Test(client_directory, comes_from_the_environment_or_the_user)
{
    char path[64];
    setenv("AERON_DIR", "/somewhere", 1);
    cr_assert_eq(rj_directory_default(path, sizeof(path)), 0);
    cr_assert_str_eq(path, "/somewhere");
    unsetenv("AERON_DIR");
    setenv("USER", "jane", 1);
    cr_assert_eq(rj_directory_default(path, sizeof(path)), 0);
    cr_assert_str_eq(path, "/dev/shm/aeron-jane");
    cr_assert_eq(rj_directory_default(path, 19), -ENAMETOOLONG);
}
