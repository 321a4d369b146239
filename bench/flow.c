/* SPDX-License-Identifier: Apache-2.0 */
/* flow: one stream to one or many subscribers, each message stamped with the time it was due to be
 * sent, so that what waits behind a loss counts with its wait.
 *
 *     flow pub DIRECTORY CHANNEL BYTES RATE SECONDS    RATE 0: as fast as it goes
 *     flow sub DIRECTORY CHANNEL COUNT PORT            COUNT subscriptions in one process; `%p` in
 *                                                      CHANNEL is PORT for the first, and so on
 *
 * The hosts of the bench share a clock. Each prints one JSON object. */
#include "base/clock.h"
#include "base/histogram.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ramjet/ramjet.h>

enum {
    STREAM_ID = 1001,
    BYTES_MAX = 65536,
    SUBSCRIBERS_MAX = 256,
    CHANNEL_BYTES = 512,
    FRAGMENT_LIMIT = 64,
    IDLE_NS = 50000,
    ARGUMENTS_OF_PUB = 7,
    ARGUMENTS_OF_SUB = 6,
};
#define NS_PER_S    INT64_C(1000000000)
#define PATIENCE_NS (30 * NS_PER_S)
#define LATENCY_MAX (10 * NS_PER_S)
#define LINGER_NS   (NS_PER_S)
#define SETTLED_NS  (NS_PER_S / 2)

typedef struct subscriber {
    rj_subscription_t *subscription;
    int64_t message_count;
    int64_t announced_count; /* -1: the end has not come */
} subscriber_t;

typedef struct sink {
    subscriber_t subscribers[SUBSCRIBERS_MAX];
    subscriber_t *at_work;
    rj_histogram_t latency;
    int64_t first_ns;
    int64_t last_ns;
} sink_t;

/* Before the payload of every message. A message of these bytes alone is the last. */
typedef struct stamp {
    int64_t due_ns;
    int64_t number;
} stamp_t;

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
    fprintf(stderr, "flow: %s: %s\n", what, why);
    exit(1);
}

static int64_t number(const char *text, int64_t max)
{
    char *end;
    const long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || value < 0 || value > max)
        die(text, "not a number that fits here");
    return value;
}

static rj_client_t *connect_client(const char *directory)
{
    rj_context_t context;
    rj_client_t *client;
    rj_err_t err;
    rj_context_init(&context);
    context.directory = directory;
    if (rj_client_connect(&context, &client, &err) < 0)
        die("connect", err.text);
    return client;
}

/* --- pub --- */

static void offer(rj_publication_t *publication, const void *message, size_t bytes)
{
    const int64_t deadline_ns = rj_clock_mono_ns() + PATIENCE_NS;
    for (;;) {
        const int64_t position = rj_publication_offer(publication, message, bytes);
        if (position > 0)
            return;
        if (position != RJ_OFFER_BACK_PRESSURED && position != RJ_OFFER_ADMIN_ACTION)
            die("offer", "the subscribers are gone");
        if (rj_clock_mono_ns() > deadline_ns)
            die("offer", "back pressure for too long");
        if (position == RJ_OFFER_BACK_PRESSURED)
            rj_clock_sleep_ns(IDLE_NS);
    }
}

/* All that are to listen have half a second to be heard of. */
static void await_subscribers(const rj_publication_t *publication)
{
    const int64_t deadline_ns = rj_clock_mono_ns() + PATIENCE_NS;
    while (!rj_publication_is_connected(publication)) {
        if (rj_clock_mono_ns() > deadline_ns)
            die("pub", "nobody subscribes");
        rj_clock_sleep_ns(IDLE_NS);
    }
    rj_clock_sleep_ns(SETTLED_NS);
}

static int64_t publish(rj_publication_t *publication, size_t bytes, int64_t rate, int64_t seconds)
{
    static uint8_t message[BYTES_MAX];
    const int64_t start_ns = rj_clock_mono_ns();
    const int64_t end_ns = start_ns + seconds * NS_PER_S;
    stamp_t stamp = {.due_ns = start_ns};
    while (stamp.due_ns < end_ns) {
        int64_t now_ns = rj_clock_mono_ns();
        if (rate == 0)
            stamp.due_ns = now_ns;
        while (now_ns < stamp.due_ns) {
            rj_clock_sleep_ns(stamp.due_ns - now_ns);
            now_ns = rj_clock_mono_ns();
        }
        memcpy(message, &stamp, sizeof(stamp));
        offer(publication, message, bytes);
        stamp.number++;
        if (rate > 0)
            stamp.due_ns = start_ns + stamp.number * NS_PER_S / rate;
    }
    offer(publication, &stamp, sizeof(stamp));
    return stamp.number;
}

static void pub(char **argv)
{
    rj_client_t *client = connect_client(argv[2]);
    rj_publication_t *publication;
    rj_err_t err;
    const size_t bytes = (size_t)number(argv[4], BYTES_MAX);
    if (bytes <= sizeof(stamp_t))
        die(argv[4], "too few bytes for a stamp");
    if (rj_client_add_publication(client, argv[3], STREAM_ID, RJ_PUBLICATION_EXCLUSIVE,
                                  &publication, &err) < 0)
        die("pub", err.text);
    await_subscribers(publication);
    const int64_t count =
        publish(publication, bytes, number(argv[5], NS_PER_S), number(argv[6], 3600));
    /* What is lost of the end is asked for as long as the publication is there. */
    rj_clock_sleep_ns(LINGER_NS);
    rj_publication_close(publication);
    rj_client_close(client);
    printf("{\"messages\":%" PRId64 "}\n", count);
}

/* --- sub --- */

static void on_message(void *user, const uint8_t *payload, size_t length, const rj_header_t *header)
{
    (void)header;
    sink_t *sink = user;
    stamp_t stamp;
    if (length < sizeof(stamp))
        die("sub", "a message without a stamp");
    memcpy(&stamp, payload, sizeof(stamp));
    if (length == sizeof(stamp)) {
        sink->at_work->announced_count = stamp.number;
        return;
    }
    if (stamp.number != sink->at_work->message_count)
        die("sub", "a message is missing, or twice there");
    sink->at_work->message_count++;
    const int64_t now_ns = rj_clock_mono_ns();
    if (sink->first_ns == 0)
        sink->first_ns = now_ns;
    sink->last_ns = now_ns;
    rj_histogram_record(&sink->latency, now_ns - stamp.due_ns);
}

/* The channel of subscriber `index`, with its port. */
static void channel_of(const char *pattern, int64_t port, char ret[static CHANNEL_BYTES])
{
    const char *at = strstr(pattern, "%p");
    if (at == NULL)
        snprintf(ret, CHANNEL_BYTES, "%s", pattern);
    else
        snprintf(ret, CHANNEL_BYTES, "%.*s%" PRId64 "%s", (int)(at - pattern), pattern, port,
                 at + 2);
}

static int poll_all(sink_t *sink, int64_t count, int64_t *ret_ended)
{
    int fragments = 0;
    *ret_ended = 0;
    for (int64_t i = 0; i < count; i++) {
        sink->at_work = &sink->subscribers[i];
        const int got =
            rj_subscription_poll(sink->at_work->subscription, on_message, sink, FRAGMENT_LIMIT);
        if (got < 0)
            die("sub", "the driver is gone");
        fragments += got;
        *ret_ended += sink->at_work->announced_count >= 0;
    }
    return fragments;
}

static int64_t receive(sink_t *sink, int64_t count)
{
    int64_t ended = 0;
    int64_t total = 0;
    int64_t deadline_ns = rj_clock_mono_ns() + PATIENCE_NS;
    while (ended < count) {
        if (poll_all(sink, count, &ended) > 0) {
            deadline_ns = sink->last_ns + PATIENCE_NS;
            continue;
        }
        if (rj_clock_mono_ns() > deadline_ns && sink->last_ns > 0)
            die("sub", "the stream does not go on");
        rj_clock_sleep_ns(IDLE_NS);
    }
    for (int64_t i = 0; i < count; i++) {
        if (sink->subscribers[i].message_count != sink->subscribers[i].announced_count)
            die("sub", "fewer messages than were announced");
        total += sink->subscribers[i].message_count;
    }
    return total;
}

static void report(const sink_t *sink, int64_t total)
{
    const rj_histogram_t *h = &sink->latency;
    const double seconds = (double)(sink->last_ns - sink->first_ns) / (double)NS_PER_S;
    printf("{\"messages\":%" PRId64 ",\"seconds\":%.6f,\"messages_per_s\":%.1f,\"p50_us\":%.3f,"
           "\"p90_us\":%.3f,\"p99_us\":%.3f,\"max_us\":%.3f}\n",
           total, seconds, seconds > 0 ? (double)total / seconds : 0,
           (double)rj_histogram_percentile(h, 50) / 1000,
           (double)rj_histogram_percentile(h, 90) / 1000,
           (double)rj_histogram_percentile(h, 99) / 1000, (double)h->max / 1000);
}

static void sub(char **argv)
{
    static sink_t sink;
    rj_err_t err;
    rj_client_t *client = connect_client(argv[2]);
    const int64_t count = number(argv[4], SUBSCRIBERS_MAX);
    const int64_t port = number(argv[5], UINT16_MAX - SUBSCRIBERS_MAX);
    if (rj_histogram_open(&sink.latency, LATENCY_MAX, &err) < 0)
        die("sub", err.text);
    for (int64_t i = 0; i < count; i++) {
        char channel[CHANNEL_BYTES];
        channel_of(argv[3], port + i, channel);
        sink.subscribers[i].announced_count = -1;
        if (rj_client_add_subscription(client, channel, STREAM_ID, NULL,
                                       &sink.subscribers[i].subscription, &err) < 0)
            die(channel, err.text);
    }
    report(&sink, receive(&sink, count));
    rj_histogram_close(&sink.latency);
    rj_client_close(client);
}

int main(int argc, char **argv)
{
    if (argc == ARGUMENTS_OF_PUB && strcmp(argv[1], "pub") == 0) {
        pub(argv);
    } else if (argc == ARGUMENTS_OF_SUB && strcmp(argv[1], "sub") == 0) {
        sub(argv);
    } else {
        fputs("usage: flow pub DIRECTORY CHANNEL BYTES RATE SECONDS\n"
              "       flow sub DIRECTORY CHANNEL COUNT PORT\n",
              stderr);
        return 2;
    }
    return 0;
}
