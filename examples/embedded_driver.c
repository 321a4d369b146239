/* SPDX-License-Identifier: Apache-2.0 */
/* A media driver and its client in one program and one thread: the driver in INVOKER mode, turned
 * by the same loop that publishes and polls.
 *
 *     cc embedded_driver.c $(pkg-config --cflags --libs --static ramjet) && ./a.out
 */
#include <ramjet/driver.h>
#include <ramjet/ramjet.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

typedef struct program {
    rj_media_driver_t *driver;
    rj_client_t *client;
    rj_publication_t *publication;
    rj_subscription_t *subscription;
    int received;
} program_t;

/* A turn of driver and client; sleeps a little when there was nothing to do. */
static void turn(program_t *program)
{
    const int64_t now_ns = read_clock(CLOCK_MONOTONIC);
    const int64_t epoch_ms = read_clock(CLOCK_REALTIME) / 1000000;
    int work = rj_media_driver_do_work(program->driver, now_ns, epoch_ms);
    work += rj_client_conductor_do_work(program->client, now_ns, epoch_ms);
    if (work == 0)
        usleep(100);
}

static void on_message(void *user, const uint8_t *payload, size_t length, const rj_header_t *header)
{
    program_t *program = user;
    (void)header;
    printf("%.*s\n", (int)length, (const char *)payload);
    program->received++;
}

static int open_all(program_t *program, rj_err_t *err)
{
    char directory[64];
    snprintf(directory, sizeof(directory), "/dev/shm/ramjet-example-%d", getpid());
    const rj_setting_t settings[] = {{"aeron.dir", directory},
                                     {"aeron.dir.delete.on.shutdown", "true"},
                                     {"aeron.threading.mode", "INVOKER"}};
    const rj_media_driver_options_t options = {
        .settings = settings, .setting_count = 3, .warnings = stderr};
    int result = rj_media_driver_open(&program->driver, &options, err);
    if (result < 0)
        return result;
    rj_context_t context;
    rj_context_init(&context);
    context.directory = rj_media_driver_directory(program->driver);
    context.conductor_mode = RJ_CONDUCTOR_INVOKED;
    return rj_client_connect(&context, &program->client, err);
}

/* Nobody but this loop would answer a call that waits: requests are polled instead. */
static int add_streams(program_t *program, rj_err_t *err)
{
    rj_request_t *subscription, *publication;
    int result = rj_client_request_subscription(program->client, "aeron:ipc", 1001, NULL,
                                                &subscription, err);
    if (result == 0)
        result = rj_client_request_publication(program->client, "aeron:ipc", 1001,
                                               RJ_PUBLICATION_EXCLUSIVE, &publication, err);
    if (result < 0)
        return result;
    do {
        turn(program);
        result = rj_request_poll_subscription(subscription, &program->subscription, err);
    } while (result == 0);
    if (result < 0)
        return result;
    do {
        turn(program);
        result = rj_request_poll_publication(publication, &program->publication, err);
    } while (result == 0);
    return result < 0 ? result : 0;
}

int main(void)
{
    enum { MESSAGES = 3 };
    program_t program = {.received = 0};
    rj_err_t err;
    int result = open_all(&program, &err);
    if (result == 0)
        result = add_streams(&program, &err);
    for (int sent = 0; result == 0 && program.received < MESSAGES;) {
        char text[32];
        snprintf(text, sizeof(text), "message %d", sent);
        if (sent < MESSAGES && rj_publication_offer(program.publication, text, strlen(text)) > 0)
            sent++;
        turn(&program);
        rj_subscription_poll(program.subscription, on_message, &program, 10);
    }
    if (result < 0)
        fprintf(stderr, "embedded_driver: %s\n", err.text);
    rj_client_close(program.client);
    rj_media_driver_close(program.driver);
    return result < 0;
}
