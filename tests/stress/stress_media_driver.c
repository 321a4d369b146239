/* SPDX-License-Identifier: Apache-2.0 */
/* Whole drivers with all their threads, and clients with theirs, in one process: messages go over
 * loopback and over IPC, streams come and go, events are recorded, and drivers end while clients
 * are still there. The thread sanitizer watches. */
#include <ramjet/driver.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 3, MESSAGES = 3000, STREAM = 1001 };

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, err.text);          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static rj_err_t err;

static rj_media_driver_t *open_driver(const char *mode, int index)
{
    char directory[64];
    snprintf(directory, sizeof(directory), "/dev/shm/rj-stress-media-%d-%d", (int)getpid(), index);
    const rj_setting_t settings[] = {{"aeron.dir", directory},
                                     {"aeron.dir.delete.on.shutdown", "true"},
                                     {"aeron.threading.mode", mode},
                                     {"aeron.timer.interval", "1ms"},
                                     {"aeron.publication.linger.timeout", "1ms"},
                                     {"aeron.term.buffer.length", "64k"},
                                     {"aeron.ipc.term.buffer.length", "64k"},
                                     {"aeron.counters.buffer.length", "1m"},
                                     {"aeron.event.log", "admin"},
                                     {"aeron.event.log.filename", "/dev/null"}};
    const rj_media_driver_options_t options = {.settings = settings,
                                               .setting_count =
                                                   sizeof(settings) / sizeof(settings[0]),
                                               .warnings = stderr};
    rj_media_driver_t *driver = NULL;
    CHECK(rj_media_driver_open(&driver, &options, &err) == 0);
    return driver;
}

static rj_client_t *open_client(const rj_media_driver_t *driver)
{
    rj_context_t context;
    rj_client_t *client;
    rj_context_init(&context);
    context.directory = rj_media_driver_directory(driver);
    context.idle_sleep_ns = 100000;
    CHECK(rj_client_connect(&context, &client, &err) == 0);
    return client;
}

static void on_message(void *user, const uint8_t *payload, size_t length, const rj_header_t *header)
{
    int64_t *next = user;
    int64_t number;
    (void)header;
    CHECK(length == sizeof(number));
    memcpy(&number, payload, sizeof(number));
    CHECK(number == *next);
    ++*next;
}

static void carry(rj_client_t *from, rj_client_t *to, const char *channel)
{
    rj_publication_t *publication;
    rj_subscription_t *subscription;
    int64_t received = 0;
    CHECK(rj_client_add_subscription(to, channel, STREAM, NULL, &subscription, &err) == 0);
    CHECK(rj_client_add_publication(from, channel, STREAM, RJ_PUBLICATION_EXCLUSIVE, &publication,
                                    &err) == 0);
    for (int64_t sent = 0; received < MESSAGES;) {
        if (sent < MESSAGES && rj_publication_offer(publication, &sent, sizeof(sent)) > 0)
            sent++;
        else if (rj_subscription_poll(subscription, on_message, &received, 100) == 0)
            usleep(50);
    }
    rj_publication_close(publication);
    rj_subscription_close(subscription);
}

static bool count_one(void *user, const rj_counter_record_t *record)
{
    (void)record;
    ++*(int *)user;
    return true;
}

static void run_round(int round)
{
    static const char *const modes[][2] = {
        {"DEDICATED", "SHARED"}, {"SHARED_NETWORK", "DEDICATED"}, {"SHARED", "SHARED_NETWORK"}};
    char channel[64];
    int counters = 0;
    rj_media_driver_t *drivers[2] = {open_driver(modes[round][0], 0),
                                     open_driver(modes[round][1], 1)};
    rj_client_t *clients[2] = {open_client(drivers[0]), open_client(drivers[1])};
    snprintf(channel, sizeof(channel), "aeron:udp?endpoint=127.0.0.1:%d",
             25000 + (int)getpid() % 5000 + round);
    carry(clients[0], clients[1], channel);
    carry(clients[1], clients[1], "aeron:ipc");
    rj_media_driver_counters_foreach(drivers[1], count_one, &counters);
    CHECK(counters > 46);
    rj_media_driver_close(drivers[round % 2]);
    rj_client_close(clients[0]);
    rj_client_close(clients[1]);
    rj_media_driver_close(drivers[1 - round % 2]);
}

int main(void)
{
    for (int round = 0; round < ROUNDS; round++)
        run_round(round);
    puts("ok drivers and clients of one process");
    return 0;
}
