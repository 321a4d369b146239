/* SPDX-License-Identifier: Apache-2.0 */
/* Images come and go under a poller that takes no lock, while other threads offer and look on.
 *
 * Three threads of the application and the client's conductor, each at its own pace, against a
 * driver moved by hand. Every fragment must arrive exactly once, and everything that lingered must
 * be given back; the thread sanitizer watches the rest. */
#include "client/client.h"
#include "base/clock.h"
/* Stress programs stand on the library alone, so the source comes in here. */
#include "tests/fixtures/fake_driver.c"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ROUND_COUNT = 200,
    FRAMES_PER_IMAGE = 8,
    FIRST_IMAGE_ID = 1000,
    LINGER_NS = 300000,
    PATIENCE_NS = 50000,
    WHOLE = 0xc0,
};

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static rj_fake_driver_t driver;
static rj_client_t *client;
static rj_subscription_t *subscription;
static rj_publication_t *publication;
static atomic_bool is_over;
static int64_t fragment_count;
static int64_t unavailable_count;

static void on_unavailable(void *user, rj_subscription_t *owner, rj_image_t *image)
{
    (void)user;
    (void)owner;
    CHECK(rj_image_is_closed(image));
    unavailable_count++;
}

static void on_fragment(void *user, const uint8_t *payload, size_t length,
                        const rj_header_t *header)
{
    (void)user;
    CHECK(length == 4 && memcmp(payload, "data", 4) == 0);
    CHECK(rj_header_position(header) > 0);
    fragment_count++;
}

static void *run_conductor(void *argument)
{
    (void)argument;
    while (!atomic_load(&is_over)) {
        rj_client_conductor_do_work(client, rj_clock_mono_ns(), RJ_FAKE_EPOCH_MS);
        rj_clock_sleep_ns(PATIENCE_NS);
    }
    return NULL;
}

static void *run_poller(void *argument)
{
    (void)argument;
    while (!atomic_load(&is_over))
        if (rj_subscription_poll(subscription, on_fragment, NULL, 3) == 0)
            rj_clock_sleep_ns(PATIENCE_NS);
    return NULL;
}

static void *run_publisher(void *argument)
{
    int64_t *sent = argument;
    while (!atomic_load(&is_over)) {
        for (int i = 0; i < 16; i++)
            if (rj_publication_offer(publication, "message", 7) > 0)
                ++*sent;
        CHECK(rj_publication_position(publication) != RJ_OFFER_CLOSED);
        rj_subscription_is_connected(subscription);
        rj_clock_sleep_ns(PATIENCE_NS);
    }
    return NULL;
}

static int64_t correlation_id_of_next_command(void)
{
    rj_fake_command_t command;
    int64_t id;
    CHECK(rj_fake_driver_take(&driver, &command));
    memcpy(&id, command.body + 8, sizeof(id));
    return id;
}

static void add_handles(rj_log_t *log)
{
    static const rj_image_handlers_t handlers = {.on_unavailable = on_unavailable};
    rj_request_t *request;
    CHECK(rj_client_request_subscription(client, "aeron:ipc", RJ_FAKE_STREAM_ID, &handlers,
                                         &request, NULL) == 0);
    rj_fake_driver_say_subscription(&driver, correlation_id_of_next_command());
    rj_client_conductor_do_work(client, rj_clock_mono_ns(), RJ_FAKE_EPOCH_MS);
    CHECK(rj_request_poll_subscription(request, &subscription, NULL) == 1);

    CHECK(rj_client_request_publication(client, "aeron:ipc", RJ_FAKE_STREAM_ID,
                                        RJ_PUBLICATION_SHARED, &request, NULL) == 0);
    int64_t id = correlation_id_of_next_command();
    rj_fake_driver_make_log(&driver, "publications", id, log);
    rj_fake_driver_say_publication(
        &driver, RJ_EVENT_PUBLICATION_READY, id, id,
        rj_fake_driver_counter(&driver, RJ_COUNTER_TYPE_PUBLISHER_LIMIT, id, INT64_MAX));
    rj_client_conductor_do_work(client, rj_clock_mono_ns(), RJ_FAKE_EPOCH_MS);
    CHECK(rj_request_poll_publication(request, &publication, NULL) == 1);
}

/* One image: announced, filled, consumed, taken away. */
static void show_image(int64_t image_id, int32_t position_id)
{
    rj_log_t log;
    int64_t *position = rj_counters_value(&driver.counters, position_id);
    int64_t subscription_id = rj_subscription_info(subscription)->registration_id;
    rj_counter_set(position, 0);
    rj_fake_driver_make_log(&driver, "images", image_id, &log);
    rj_fake_driver_say_image(&driver, image_id, subscription_id, position_id);
    int32_t end = 0;
    for (int i = 0; i < FRAMES_PER_IMAGE; i++)
        end = rj_fake_frame(&log, end, WHOLE, "data");
    while (rj_counter_get(position) < end)
        rj_clock_sleep_ns(PATIENCE_NS);
    rj_fake_driver_say_no_image(&driver, image_id, subscription_id);
    char path[256];
    snprintf(path, sizeof(path), "%s/images/%lld.logbuffer", driver.directory, (long long)image_id);
    unlink(path);
    rj_log_close(&log);
}

int main(void)
{
    rj_fake_driver_open(&driver, true);
    rj_context_t context;
    rj_context_init(&context);
    context.directory = driver.directory;
    context.conductor_mode = RJ_CONDUCTOR_INVOKED;
    context.resource_linger_ns = LINGER_NS;
    CHECK(rj_client_try_connect(&context, rj_clock_mono_ns(), RJ_FAKE_EPOCH_MS, &client, NULL) ==
          0);
    rj_log_t publication_log;
    add_handles(&publication_log);

    pthread_t threads[4];
    int64_t sent[2] = {0};
    CHECK(pthread_create(&threads[0], NULL, run_conductor, NULL) == 0);
    CHECK(pthread_create(&threads[1], NULL, run_poller, NULL) == 0);
    CHECK(pthread_create(&threads[2], NULL, run_publisher, &sent[0]) == 0);
    CHECK(pthread_create(&threads[3], NULL, run_publisher, &sent[1]) == 0);
    int32_t position_ids[2];
    for (int i = 0; i < 2; i++)
        position_ids[i] =
            rj_fake_driver_counter(&driver, RJ_COUNTER_TYPE_SUBSCRIBER_POSITION, i, 0);
    for (int i = 0; i < ROUND_COUNT; i++)
        show_image(FIRST_IMAGE_ID + i, position_ids[i % 2]);
    atomic_store(&is_over, true);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);

    /* The last poll lets the last image go. */
    rj_client_conductor_do_work(client, rj_clock_mono_ns(), RJ_FAKE_EPOCH_MS);
    CHECK(rj_subscription_poll(subscription, on_fragment, NULL, 1) == 0);
    rj_client_conductor_do_work(client, rj_clock_mono_ns() + LINGER_NS, RJ_FAKE_EPOCH_MS);
    CHECK(client->lingering_first == NULL);
    CHECK(fragment_count == ROUND_COUNT * FRAMES_PER_IMAGE);
    CHECK(unavailable_count == ROUND_COUNT);
    CHECK(sent[0] > 0 && sent[1] > 0);
    CHECK(rj_publication_position(publication) >= (sent[0] + sent[1]) * 64);
    rj_client_close(client);
    rj_log_close(&publication_log);
    rj_fake_driver_close(&driver);
    return 0;
}
