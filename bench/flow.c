/* SPDX-License-Identifier: Apache-2.0 */
/* flow: streams to one or many subscribers, each message stamped with the time it was due to be
 * sent, so that what waits behind a loss counts with its wait.
 *
 *     flow pub DIRECTORY CHANNEL BYTES RATE MILLISECONDS STREAMS
 *         RATE 0: as fast as it goes, the streams in turn. Begins with a line on its input, once it
 *         has said that somebody listens to each. Prints what it sent, and then stays, for what is
 *         lost of the end is asked for as long as its publications are there.
 *     flow sub DIRECTORY CHANNEL COUNT PORT
 *         COUNT subscriptions in one process: to one stream where `%p` in CHANNEL is PORT for the
 *         first, and so on; without a `%p` to a stream each. Says when each has its image.
 *
 * The hosts of the bench share a clock. Each prints two JSON objects: `ready`, and its result. */
#include "base/clock.h"
#include "base/histogram.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ramjet/ramjet.h>

enum {
    STREAM_ID = 1001,
    BYTES_MAX = 65536,
    STREAMS_MAX = 1024, /* of a publisher; and subscriptions */
    CHANNEL_BYTES = 512,
    FRAGMENT_LIMIT = 64,
    IDLE_NS = 50000,
    ARGUMENTS_OF_PUB = 8,
    ARGUMENTS_OF_SUB = 6,
};
#define NS_PER_S    INT64_C(1000000000)
#define PATIENCE_NS (15 * NS_PER_S)
#define START_NS    (40 * NS_PER_S) /* for a thousand streams to be set up */
#define LATENCY_MAX (10 * NS_PER_S)

typedef struct subscriber {
    rj_subscription_t *subscription;
    int64_t message_count;
    int64_t announced_count; /* -1: the end has not come */
} subscriber_t;

typedef struct sink {
    subscriber_t subscribers[STREAMS_MAX];
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

static void say_ready(int64_t count)
{
    printf("{\"ready\":%" PRId64 "}\n", count);
    fflush(stdout);
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

typedef struct stream {
    rj_publication_t *publication;
    int64_t message_count;
} stream_t;

static stream_t streams[STREAMS_MAX];

/* False for now when there is no room. */
static bool try_offer(rj_publication_t *publication, const void *message, size_t bytes)
{
    int64_t position;
    do
        position = rj_publication_offer(publication, message, bytes);
    while (position == RJ_OFFER_ADMIN_ACTION);
    if (position < 0 && position != RJ_OFFER_BACK_PRESSURED)
        die("offer", "the subscribers are gone");
    return position > 0;
}

static void offer(rj_publication_t *publication, const void *message, size_t bytes)
{
    const int64_t deadline_ns = rj_clock_mono_ns() + PATIENCE_NS;
    while (!try_offer(publication, message, bytes)) {
        if (rj_clock_mono_ns() > deadline_ns)
            die("offer", "back pressure for too long");
        rj_clock_sleep_ns(IDLE_NS);
    }
}

static void await_subscribers(int64_t count)
{
    const int64_t deadline_ns = rj_clock_mono_ns() + START_NS;
    for (int64_t i = 0; i < count;) {
        if (rj_publication_is_connected(streams[i].publication)) {
            i++;
            continue;
        }
        if (rj_clock_mono_ns() > deadline_ns)
            die("pub", "nobody subscribes");
        rj_clock_sleep_ns(IDLE_NS);
    }
}

/* What it took to set the streams up is not to count: whoever measures says when to begin. Without
 * anybody at the other end that is now. */
static void await_word(void)
{
    char line[8];
    if (fgets(line, sizeof(line), stdin) == NULL && ferror(stdin))
        die("pub", "no word to begin");
}

static uint8_t message[BYTES_MAX];

/* Each stream in turn gets one message, if it has room for it. */
static void publish_flat_out(int64_t count, size_t bytes, int64_t end_ns)
{
    for (int64_t now_ns = rj_clock_mono_ns(); now_ns < end_ns;) {
        bool was_sent = false;
        for (int64_t i = 0; i < count; i++) {
            now_ns = rj_clock_mono_ns();
            const stamp_t stamp = {.due_ns = now_ns, .number = streams[i].message_count};
            memcpy(message, &stamp, sizeof(stamp));
            if (!try_offer(streams[i].publication, message, bytes))
                continue;
            streams[i].message_count++;
            was_sent = true;
        }
        if (!was_sent)
            rj_clock_sleep_ns(IDLE_NS);
    }
}

/* The messages of all streams together come at the rate. */
static void publish_paced(int64_t count, size_t bytes, int64_t rate, int64_t end_ns)
{
    const int64_t start_ns = rj_clock_mono_ns();
    int64_t due_ns = start_ns;
    for (int64_t total = 0; due_ns < end_ns; due_ns = start_ns + ++total * NS_PER_S / rate) {
        stream_t *stream = &streams[total % count];
        const stamp_t stamp = {.due_ns = due_ns, .number = stream->message_count++};
        int64_t now_ns;
        while ((now_ns = rj_clock_mono_ns()) < due_ns)
            rj_clock_sleep_ns(due_ns - now_ns);
        memcpy(message, &stamp, sizeof(stamp));
        offer(stream->publication, message, bytes);
    }
}

static void pub(char **argv)
{
    rj_client_t *client = connect_client(argv[2]);
    rj_err_t err;
    const size_t bytes = (size_t)number(argv[4], BYTES_MAX);
    const int64_t rate = number(argv[5], NS_PER_S);
    const int64_t run_ns = number(argv[6], 3600000) * (NS_PER_S / 1000);
    const int64_t count = number(argv[7], STREAMS_MAX);
    int64_t total = 0;
    if (bytes <= sizeof(stamp_t) || count == 0)
        die(argv[4], "too few bytes for a stamp, or no stream");
    for (int64_t i = 0; i < count; i++) {
        if (rj_client_add_publication(client, argv[3], STREAM_ID + (int32_t)i,
                                      RJ_PUBLICATION_EXCLUSIVE, &streams[i].publication, &err) < 0)
            die("pub", err.text);
    }
    await_subscribers(count);
    say_ready(count);
    await_word();
    if (rate == 0)
        publish_flat_out(count, bytes, rj_clock_mono_ns() + run_ns);
    else
        publish_paced(count, bytes, rate, rj_clock_mono_ns() + run_ns);
    for (int64_t i = 0; i < count; i++) {
        const stamp_t end = {.due_ns = rj_clock_mono_ns(), .number = streams[i].message_count};
        offer(streams[i].publication, &end, sizeof(end));
        total += streams[i].message_count;
    }
    printf("{\"messages\":%" PRId64 "}\n", total);
    fflush(stdout);
    rj_clock_sleep_ns(PATIENCE_NS);
    rj_client_close(client);
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

static void await_images(const sink_t *sink, int64_t count)
{
    const int64_t deadline_ns = rj_clock_mono_ns() + START_NS;
    for (int64_t i = 0; i < count;) {
        if (rj_subscription_image_count(sink->subscribers[i].subscription) > 0) {
            i++;
            continue;
        }
        if (rj_clock_mono_ns() > deadline_ns)
            die("sub", "nobody publishes");
        rj_clock_sleep_ns(IDLE_NS);
    }
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
    const int64_t count = number(argv[4], STREAMS_MAX);
    const int64_t port = number(argv[5], UINT16_MAX - STREAMS_MAX);
    if (rj_histogram_open(&sink.latency, LATENCY_MAX, &err) < 0)
        die("sub", err.text);
    for (int64_t i = 0; i < count; i++) {
        char channel[CHANNEL_BYTES];
        const bool has_ports = strstr(argv[3], "%p") != NULL;
        channel_of(argv[3], port + i, channel);
        sink.subscribers[i].announced_count = -1;
        if (rj_client_add_subscription(client, channel, STREAM_ID + (has_ports ? 0 : (int32_t)i),
                                       NULL, &sink.subscribers[i].subscription, &err) < 0)
            die(channel, err.text);
    }
    await_images(&sink, count);
    say_ready(count);
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
        fputs("usage: flow pub DIRECTORY CHANNEL BYTES RATE MILLISECONDS STREAMS\n"
              "       flow sub DIRECTORY CHANNEL COUNT PORT\n",
              stderr);
        return 2;
    }
    return 0;
}
