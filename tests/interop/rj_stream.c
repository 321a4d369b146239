/* SPDX-License-Identifier: Apache-2.0 */
/* rj_stream: our client as publisher or subscriber of the test stream, with the arguments of its
 * Java twins and their verdicts (StreamPublisher.java, StreamSubscriber.java):
 *
 *     AERON_DIR=... rj_stream pub channel=... [stream=1001] [count=1000] [seed=1]
 *                             [kind=shared|exclusive] [rate=MESSAGES_PER_SECOND] [timeout=SECONDS]
 *     AERON_DIR=... rj_stream sub channel=... [stream=] [count=] [seed=]
 *                             [poll=subscription|image] [timeout=]
 */
#include "base/clock.h"
#include "tests/fixtures/message_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ramjet/ramjet.h>

enum { WAIT_NS = 50000, FRAGMENT_LIMIT = 64 };
#define NS_PER_S INT64_C(1000000000)

typedef struct options {
    const char *channel;
    int32_t stream_id;
    int64_t count;
    uint64_t seed;
    int64_t rate;
    rj_publication_kind_t kind;
    bool polls_image;
    int64_t deadline_ns;
} options_t;

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "rj_stream: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static _Noreturn void differ(int64_t sequence, const char *what)
{
    fprintf(stderr, "rj_stream: message %" PRId64 ": %s\n", sequence, what);
    exit(EXIT_FAILURE);
}

/* One of two words; true for the second. */
static bool choose(const char *argument, const char *value, const char *first, const char *second)
{
    if (strcmp(value, first) != 0 && strcmp(value, second) != 0)
        die("unknown argument", argument);
    return strcmp(value, second) == 0;
}

static options_t read_options(int count, char **arguments)
{
    options_t options = {.stream_id = 1001, .count = 1000, .seed = 1};
    int64_t timeout_s = 60;
    for (int i = 0; i < count; i++) {
        const char *argument = arguments[i];
        const char *equals = strchr(argument, '=');
        const char *value = equals == NULL ? "" : equals + 1;
        if (strncmp(argument, "channel=", 8) == 0)
            options.channel = value;
        else if (strncmp(argument, "stream=", 7) == 0)
            options.stream_id = (int32_t)strtol(value, NULL, 0);
        else if (strncmp(argument, "count=", 6) == 0)
            options.count = strtoll(value, NULL, 0);
        else if (strncmp(argument, "seed=", 5) == 0)
            options.seed = strtoull(value, NULL, 0);
        else if (strncmp(argument, "rate=", 5) == 0)
            options.rate = strtoll(value, NULL, 0);
        else if (strncmp(argument, "timeout=", 8) == 0)
            timeout_s = strtoll(value, NULL, 0);
        else if (strncmp(argument, "kind=", 5) == 0)
            options.kind = choose(argument, value, "shared", "exclusive") ? RJ_PUBLICATION_EXCLUSIVE
                                                                          : RJ_PUBLICATION_SHARED;
        else if (strncmp(argument, "poll=", 5) == 0)
            options.polls_image = choose(argument, value, "subscription", "image");
        else
            die("unknown argument", argument);
    }
    if (options.channel == NULL)
        die("argument missing", "channel=");
    options.deadline_ns = rj_clock_mono_ns() + timeout_s * NS_PER_S;
    return options;
}

/* Waits by sleeping: a client that spins on a small machine measures its scheduler. */
static void await(const options_t *options, int64_t sequence, const char *what)
{
    if (rj_clock_mono_ns() > options->deadline_ns)
        differ(sequence, what);
    rj_clock_sleep_ns(WAIT_NS);
}

static void on_error(void *user, const rj_err_t *err)
{
    (void)user;
    die("client", err->text);
}

static rj_client_t *connect_client(void)
{
    rj_context_t context;
    rj_client_t *client;
    rj_err_t err;
    rj_context_init(&context);
    context.idle_sleep_ns = 1000000;
    context.on_error = on_error;
    if (rj_client_connect(&context, &client, &err) < 0)
        die("connect", err.text);
    return client;
}

/* ---- publisher ---- */

static int64_t offer_by_claim(rj_publication_t *publication, const uint8_t *message, size_t length)
{
    rj_offer_claim_t claim;
    int64_t result = rj_publication_try_claim(publication, length, &claim);
    if (result > 0) {
        memcpy(claim.payload, message, length);
        rj_offer_claim_commit(&claim);
    }
    return result;
}

/* Takes the ways a client has in turn: one buffer, two parts, a claim where it fits. */
static int64_t offer(rj_publication_t *publication, int64_t sequence, uint8_t *message,
                     size_t length)
{
    if (sequence % 4 == 1 && length <= rj_publication_info(publication)->payload_length_max)
        return offer_by_claim(publication, message, length);
    if (sequence % 4 == 2) {
        struct iovec parts[] = {{message, length / 3}, {message + length / 3, length - length / 3}};
        return rj_publication_offer_vector(publication, parts, 2, 0);
    }
    return rj_publication_offer(publication, message, length);
}

static int64_t publish(const options_t *options, rj_publication_t *publication, int64_t sequence,
                       uint8_t *message, size_t length)
{
    for (int64_t back_pressure_count = 0;;) {
        int64_t result = offer(publication, sequence, message, length);
        if (result > 0)
            return back_pressure_count;
        if (result == RJ_OFFER_BACK_PRESSURED) {
            back_pressure_count++;
            await(options, sequence, "timeout waiting for room");
        } else if (result == RJ_OFFER_NOT_CONNECTED) {
            differ(sequence, "the subscriber went away");
        } else if (result != RJ_OFFER_ADMIN_ACTION) {
            differ(sequence, "cannot be offered");
        }
    }
}

static void run_publisher(const options_t *options, rj_client_t *client)
{
    static rj_message_stream_t stream;
    rj_publication_t *publication;
    rj_err_t err;
    stream.seed = options->seed;
    if (rj_client_add_publication(client, options->channel, options->stream_id, options->kind,
                                  &publication, &err) < 0)
        die("add publication", err.text);
    while (!rj_publication_is_connected(publication))
        await(options, 0, "timeout waiting for a subscriber");

    int64_t start_ns = rj_clock_mono_ns();
    int64_t byte_count = 0;
    int64_t back_pressure_count = 0;
    for (int64_t sequence = 0; sequence < options->count; sequence++) {
        size_t length = rj_message_stream_make(&stream, (uint64_t)sequence);
        while (options->rate > 0 &&
               rj_clock_mono_ns() - start_ns < sequence * NS_PER_S / options->rate)
            rj_clock_sleep_ns(WAIT_NS);
        back_pressure_count += publish(options, publication, sequence, stream.message, length);
        byte_count += (int64_t)length;
    }
    printf("{\"messages\":%" PRId64 ",\"bytes\":%" PRId64
           ",\"seconds\":%.3f,\"back_pressure\":%" PRId64 "}\n",
           options->count, byte_count, (double)(rj_clock_mono_ns() - start_ns) / 1e9,
           back_pressure_count);
}

/* ---- subscriber ---- */

typedef struct receiver {
    const options_t *options;
    rj_message_stream_t stream;
    int64_t sequence;
    int64_t byte_count;
    int64_t start_ns;
} receiver_t;

static void on_message(void *user, const uint8_t *payload, size_t length, const rj_header_t *header)
{
    receiver_t *receiver = user;
    (void)header;
    if (receiver->sequence == 0)
        receiver->start_ns = rj_clock_mono_ns();
    if (receiver->sequence == receiver->options->count)
        differ(receiver->sequence, "is one too many");
    if (rj_message_stream_make(&receiver->stream, (uint64_t)receiver->sequence) != length)
        differ(receiver->sequence, "has the wrong length");
    if (memcmp(payload, receiver->stream.message, length) != 0)
        differ(receiver->sequence, "has the wrong content");
    receiver->sequence++;
    receiver->byte_count += (int64_t)length;
}

static int poll_once(const options_t *options, rj_subscription_t *subscription, rj_image_t *image,
                     rj_assembler_t *assembler)
{
    return options->polls_image
               ? rj_image_poll(image, rj_assembler_on_fragment, assembler, FRAGMENT_LIMIT)
               : rj_subscription_poll(subscription, rj_assembler_on_fragment, assembler,
                                      FRAGMENT_LIMIT);
}

/* Ends well only behind the end of the stream, so a duplicate of the last message is seen too. */
static void run_subscriber(const options_t *options, rj_client_t *client)
{
    static receiver_t receiver;
    rj_subscription_t *subscription;
    rj_assembler_t *assembler;
    rj_err_t err;
    receiver.options = options;
    receiver.stream.seed = options->seed;
    if (rj_assembler_open(&assembler, on_message, NULL, &receiver, 0, &err) < 0)
        die("assembler", err.text);
    if (rj_client_add_subscription(client, options->channel, options->stream_id, NULL,
                                   &subscription, &err) < 0)
        die("add subscription", err.text);
    puts("{\"ready\":true}");
    fflush(stdout);

    rj_image_t *image;
    while ((image = rj_subscription_image_at(subscription, 0)) == NULL)
        await(options, 0, "timeout waiting for a publisher");
    while (receiver.sequence < options->count || !rj_image_is_end_of_stream(image)) {
        if (poll_once(options, subscription, image, assembler) != 0)
            continue;
        if (rj_image_is_closed(image)) {
            if (receiver.sequence < options->count)
                differ(receiver.sequence, "the image went away");
            break;
        }
        await(options, receiver.sequence, "timeout waiting for it or for the end of the stream");
    }
    printf("{\"messages\":%" PRId64 ",\"bytes\":%" PRId64 ",\"seconds\":%.3f}\n", receiver.sequence,
           receiver.byte_count, (double)(rj_clock_mono_ns() - receiver.start_ns) / 1e9);
    rj_assembler_close(assembler);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        die("usage", "rj_stream pub|sub channel=... [name=value...]");
    options_t options = read_options(argc - 2, argv + 2);
    rj_client_t *client = connect_client();
    if (strcmp(argv[1], "pub") == 0)
        run_publisher(&options, client);
    else
        run_subscriber(&options, client);
    rj_client_close(client);
    return 0;
}
