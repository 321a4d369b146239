/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet pub`: a stream from a file, stdin or a generator. */
#include "cli/command.h"
#include "cli/digest.h"
#include "cli/end_mark.h"
#include "cli/generator.h"
#include "cli/pub_source.h"
#include "cli/stream_tool.h"
#include "cli/traffic.h"

#include <ramjet/command.h>

#include "base/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_EXCLUSIVE = 0x100,
    KEY_FILE,
    KEY_MESSAGES,
    KEY_LENGTH,
    KEY_RATE,
    KEY_FLAT_OUT,
    KEY_DURATION,
    KEY_SEED,
    KEY_DIGEST,
    KEY_LINGER,
    KEY_DESTINATION,
    DESTINATIONS_MAX = 64,
    BATCH_COUNT = 256, /* offers between two looks at the clock */
    GENERATED_LENGTH = 32,
    PAUSE_NS_MAX = 1000000,
};

#define LINGER_NS     INT64_C(10000000000)
#define LINGER_NS_MAX INT64_C(3600000000000)
#define STANDSTILL_NS INT64_C(2000000000)

typedef struct pub {
    /* what was asked for */
    rj_stream_tool_t tool;
    rj_publication_kind_t kind;
    const char *file; /* NULL: stdin, unless generated */
    bool is_generated;
    bool has_digest;
    bool has_lengths;
    rj_lengths_t lengths;
    int64_t message_limit; /* INT64_MAX: until Ctrl-C */
    int64_t duration_ns;   /* INT64_MAX: idem */
    int64_t rate;          /* messages a second; 0: flat out */
    int64_t linger_ns;
    uint64_t seed;
    const char *destinations[DESTINATIONS_MAX];
    int destination_count;
    /* what came of it */
    rj_publication_t *publication;
    int64_t window; /* of the receivers, when they connected; too wide if they were ahead of us */
    int64_t limit;  /* for the sender, as last seen */
    int64_t limit_moved_ns;
    bool may_share_session;
    rj_generator_t generator;
    rj_pub_source_t source;
    rj_traffic_t traffic;
    rj_digest_t digest;
    int64_t refusal; /* what the last offer answered */
} pub_t;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    pub_t *pub = state->input;
    rj_err_t err;
    switch (key) {
    case KEY_EXCLUSIVE:
        pub->kind = RJ_PUBLICATION_EXCLUSIVE;
        return 0;
    case KEY_FILE:
        pub->file = arg;
        return 0;
    case KEY_MESSAGES:
        pub->message_limit = rj_option_integer(state, "--messages", arg, 1, INT64_MAX);
        pub->is_generated = true;
        return 0;
    case KEY_LENGTH:
        if (rj_lengths_parse(&pub->lengths, arg, &err) < 0)
            rj_options_fail(state, "--length: %s", err.text);
        pub->has_lengths = true;
        return 0;
    case KEY_RATE:
        pub->rate = rj_option_integer(state, "--rate", arg, 1, 1000000000);
        pub->is_generated = true;
        return 0;
    case KEY_FLAT_OUT:
        pub->is_generated = true;
        return 0;
    case KEY_DURATION:
        pub->duration_ns = rj_option_duration_ns(state, "--duration", arg, 1, INT64_MAX / 2);
        pub->is_generated = true;
        return 0;
    case KEY_SEED:
        pub->seed = (uint64_t)rj_option_integer(state, "--seed", arg, 0, INT64_MAX);
        return 0;
    case KEY_DIGEST:
        pub->has_digest = true;
        return 0;
    case KEY_DESTINATION:
        if (pub->destination_count == DESTINATIONS_MAX)
            rj_options_fail(state, "--destination: at most %d times", DESTINATIONS_MAX);
        pub->destinations[pub->destination_count++] = arg;
        return 0;
    case KEY_LINGER:
        pub->linger_ns = rj_option_duration_ns(state, "--linger", arg, 0, LINGER_NS_MAX);
        return 0;
    case ARGP_KEY_END:
        if (pub->file != NULL && pub->is_generated)
            rj_options_fail(state, "--file sends a file; --messages, --rate, --duration and "
                                   "--flat-out make messages up: choose one");
        if (!pub->is_generated && pub->has_lengths &&
            (pub->lengths.class_count != 1 ||
             pub->lengths.classes[0].length_min != pub->lengths.classes[0].length_max ||
             pub->lengths.classes[0].length_max == 0))
            rj_options_fail(state, "--length: a file is cut into pieces of one length above 0");
        return 0;
    default:
        return rj_stream_tool_take_option(&pub->tool, key, arg, state) ? 0 : ARGP_ERR_UNKNOWN;
    }
}

/* What to do after an offer was refused. False: the tool must end. */
static bool recover(pub_t *pub)
{
    const rj_publication_info_t *info = rj_publication_info(pub->publication);
    switch (pub->refusal) {
    case RJ_OFFER_ADMIN_ACTION:
        return true;
    case RJ_OFFER_BACK_PRESSURED:
        pub->traffic.back_pressure_count++;
        return rj_stream_tool_idle(&pub->tool);
    case RJ_OFFER_NOT_CONNECTED:
        return rj_stream_tool_await_subscriber(&pub->tool, pub->publication);
    case RJ_OFFER_MAX_POSITION_EXCEEDED:
        rj_stream_tool_complain(&pub->tool, "the stream has reached its last position, %" PRId64,
                                info->position_max);
        return false;
    case RJ_OFFER_CLOSED:
        return false; /* the error handler has said why */
    default:
        rj_stream_tool_complain(&pub->tool, "an offer failed with %" PRId64, pub->refusal);
        return false;
    }
}

static inline void count(pub_t *pub, const uint8_t *message, size_t length)
{
    pub->traffic.message_count++;
    pub->traffic.byte_count += (int64_t)length;
    if (__builtin_expect(pub->has_digest, 0))
        rj_digest_add(&pub->digest, message, length);
}

/* Offers up to `limit` made-up messages; returns how many were taken. */
static int64_t offer_generated(pub_t *pub, int64_t limit)
{
    for (int64_t sent = 0; sent < limit; sent++) {
        int32_t length;
        const uint8_t *message = rj_generator_peek(&pub->generator, &length);
        int64_t position = rj_publication_offer(pub->publication, message, (size_t)length);
        if (__builtin_expect(position < 0, 0)) {
            pub->refusal = position;
            return sent;
        }
        count(pub, message, (size_t)length);
        rj_generator_next(&pub->generator);
    }
    return limit;
}

/* How many messages are due now, at most a batch. */
static int64_t due_count(const pub_t *pub, int64_t now_ns)
{
    int64_t due = pub->message_limit - pub->traffic.message_count;
    if (pub->rate > 0) {
        double elapsed_s = (double)(now_ns - pub->traffic.first_ns) / 1e9;
        int64_t scheduled = (int64_t)(elapsed_s * (double)pub->rate) + 1;
        if (scheduled - pub->traffic.message_count < due)
            due = scheduled - pub->traffic.message_count;
    }
    return due < BATCH_COUNT ? due : BATCH_COUNT;
}

/* Sleeps until the next message is due, or as long as the conductor may wait. */
static void pause_for_rate(const pub_t *pub, int64_t now_ns)
{
    double due_s = (double)pub->traffic.message_count / (double)pub->rate;
    int64_t wait_ns = pub->traffic.first_ns + (int64_t)(due_s * 1e9) - now_ns;
    if (pub->tool.idle_sleep_ns > 0 && wait_ns > 0)
        rj_clock_sleep_ns(wait_ns < PAUSE_NS_MAX ? wait_ns : PAUSE_NS_MAX);
}

/* Returns true when all was sent that was asked for. */
static bool send_generated(pub_t *pub)
{
    int64_t now_ns = rj_clock_mono_ns();
    pub->traffic.first_ns = now_ns;
    bool is_open_ended = pub->message_limit == INT64_MAX && pub->duration_ns == INT64_MAX;
    while (pub->traffic.message_count < pub->message_limit &&
           now_ns - pub->traffic.first_ns < pub->duration_ns) {
        if (!rj_stream_tool_turn(&pub->tool, now_ns))
            return is_open_ended && rj_stream_tool_is_interrupted();
        rj_traffic_report(&pub->traffic, now_ns);
        int64_t due = due_count(pub, now_ns);
        if (due <= 0)
            pause_for_rate(pub, now_ns);
        else if (offer_generated(pub, due) < due && !recover(pub))
            return is_open_ended && rj_stream_tool_is_interrupted();
        now_ns = rj_clock_mono_ns();
        pub->traffic.last_ns = now_ns;
    }
    return true;
}

/* Offers one message until it is taken. */
static bool offer_until_taken(pub_t *pub, const uint8_t *message, size_t length,
                              int64_t reserved_value)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = length};
    for (;;) {
        int64_t position = rj_publication_offer_vector(pub->publication, &part, 1, reserved_value);
        if (position > 0)
            return true;
        pub->refusal = position;
        if (!recover(pub))
            return false;
    }
}

static size_t piece_length(const pub_t *pub)
{
    const rj_publication_info_t *info = rj_publication_info(pub->publication);
    return pub->has_lengths ? (size_t)pub->lengths.classes[0].length_max : info->payload_length_max;
}

/* Sends a file or stdin to its end, then the end mark. */
static bool send_source(pub_t *pub)
{
    rj_err_t err;
    if (rj_pub_source_cut(&pub->source, piece_length(pub), &err) < 0) {
        rj_stream_tool_complain(&pub->tool, "%s", err.text);
        return false;
    }
    bool is_complete = false;
    pub->traffic.first_ns = rj_clock_mono_ns();
    for (int64_t n = 0; !is_complete; n++) {
        const uint8_t *piece;
        ssize_t length = rj_pub_source_next(&pub->source, &piece, &err);
        if (n % BATCH_COUNT == 0 || length == -EAGAIN) {
            int64_t now_ns = rj_clock_mono_ns();
            if (!rj_stream_tool_turn(&pub->tool, now_ns))
                break;
            rj_traffic_report(&pub->traffic, now_ns);
        }
        if (length == -EAGAIN)
            continue;
        if (length < 0) {
            rj_stream_tool_complain(&pub->tool, "%s", err.text);
            break;
        }
        is_complete = length == 0;
        int64_t mark = is_complete ? rj_end_mark_make(pub->traffic.byte_count) : 0;
        if (!offer_until_taken(pub, piece, (size_t)length, mark)) {
            is_complete = false;
            break;
        }
        if (!is_complete)
            count(pub, piece, (size_t)length);
    }
    pub->traffic.last_ns = rj_clock_mono_ns();
    return is_complete;
}

static int64_t counter_value(const pub_t *pub, int32_t type_id, int64_t otherwise)
{
    const rj_publication_info_t *info = rj_publication_info(pub->publication);
    rj_counter_record_t record;
    int32_t id = rj_client_counters_find(pub->tool.client, type_id, info->original_registration_id);
    if (id < 0 || rj_client_counters_read(pub->tool.client, id, &record) < 0)
        return otherwise;
    return record.value;
}

typedef struct laggards {
    int64_t registration_id;
    int64_t position;
    bool is_any_behind;
} laggards_t;

static bool look_for_laggard(void *user, const rj_counter_record_t *record)
{
    laggards_t *laggards = user;
    if (record->type_id == RJ_COUNTER_TYPE_SUBSCRIBER_POSITION &&
        record->reference_id == laggards->registration_id && record->value < laggards->position)
        laggards->is_any_behind = true;
    return !laggards->is_any_behind;
}

/* Somebody else may send the same session, and receivers have been ahead of us from the start. Then
 * nobody can tell how far the limit stands above them; but once we have sent everything it moves no
 * more when they have everything. */
static bool stands_still(pub_t *pub, int64_t limit, int64_t position)
{
    const int64_t now_ns = rj_clock_mono_ns();
    if (limit != pub->limit)
        pub->limit_moved_ns = now_ns;
    pub->limit = limit;
    return pub->may_share_session && limit >= position &&
           now_ns - pub->limit_moved_ns >= STANDSTILL_NS;
}

/* Subscribers on this host show their positions. Of those elsewhere the flow-control limit is
 * known: it stands one window above what they have told to be consumed, and they keep the last
 * quarter of a window to themselves. */
static bool is_consumed(pub_t *pub)
{
    const rj_publication_info_t *info = rj_publication_info(pub->publication);
    laggards_t laggards = {
        .registration_id = info->original_registration_id,
        .position = rj_publication_position(pub->publication),
    };
    rj_client_counters_foreach(pub->tool.client, look_for_laggard, &laggards);
    int64_t sent = counter_value(pub, RJ_COUNTER_TYPE_SENDER_POSITION, INT64_MAX);
    int64_t limit = counter_value(pub, RJ_COUNTER_TYPE_SENDER_LIMIT, INT64_MAX);
    return !laggards.is_any_behind && sent >= laggards.position &&
           (limit - (pub->window - pub->window / 4) >= laggards.position ||
            stands_still(pub, limit, laggards.position));
}

/* Gives subscribers time to get everything, before the publication is closed. */
static void linger(pub_t *pub)
{
    int64_t deadline_ns = rj_clock_mono_ns() + pub->linger_ns;
    while (!is_consumed(pub) && rj_publication_is_connected(pub->publication)) {
        if (rj_clock_mono_ns() >= deadline_ns) {
            rj_stream_tool_complain(&pub->tool, "subscribers are still behind after --linger");
            return;
        }
        if (!rj_stream_tool_idle(&pub->tool))
            return;
    }
}

static bool add_destination(pub_t *pub, const char *channel)
{
    rj_request_t *request;
    rj_err_t err;
    int result = rj_publication_request_add_destination(pub->publication, channel, &request, &err);
    if (result == 0) {
        while ((result = rj_request_poll_operation(request, NULL, &err)) == 0) {
            if (!rj_stream_tool_idle(&pub->tool))
                return false;
        }
    }
    if (result < 0)
        rj_stream_tool_complain(&pub->tool, "%s", err.text);
    return result > 0;
}

static bool add_destinations(pub_t *pub)
{
    for (int i = 0; i < pub->destination_count; i++) {
        if (!add_destination(pub, pub->destinations[i]))
            return false;
    }
    return true;
}

static bool run(pub_t *pub)
{
    pub->publication = rj_stream_tool_add_publication(&pub->tool, pub->tool.channel,
                                                      pub->tool.stream_id, pub->kind);
    if (pub->publication == NULL || !add_destinations(pub))
        return false;
    const rj_publication_info_t *info = rj_publication_info(pub->publication);
    if (pub->has_lengths && (size_t)rj_lengths_max(&pub->lengths) > info->message_length_max) {
        rj_stream_tool_complain(&pub->tool,
                                "--length: this stream takes messages of up to %zu bytes",
                                info->message_length_max);
        return false;
    }
    if (!rj_stream_tool_await_subscriber(&pub->tool, pub->publication))
        return false;
    pub->window = counter_value(pub, RJ_COUNTER_TYPE_SENDER_LIMIT, 0) -
                  rj_publication_position(pub->publication);
    if (pub->window < 0)
        pub->window = 0;
    pub->may_share_session = strstr(pub->tool.channel, "session-id=") != NULL;
    rj_traffic_open(&pub->traffic, &pub->tool, RJ_TRAFFIC_SENT, stdout);
    bool is_complete = pub->is_generated ? send_generated(pub) : send_source(pub);
    char sha256[RJ_DIGEST_TEXT_MAX];
    bool is_hashed = pub->has_digest && rj_digest_finish(&pub->digest, sha256) == 0;
    linger(pub);
    rj_traffic_conclude(&pub->traffic, is_hashed ? sha256 : NULL, is_complete);
    rj_traffic_close(&pub->traffic);
    return is_complete && is_hashed == pub->has_digest;
}

static bool prepare(pub_t *pub)
{
    rj_err_t err;
    if (!pub->has_lengths)
        pub->lengths =
            (rj_lengths_t){.classes = {{GENERATED_LENGTH, GENERATED_LENGTH, 1}}, .class_count = 1};
    if ((pub->is_generated &&
         rj_generator_open(&pub->generator, &pub->lengths, pub->seed, &err) < 0) ||
        (!pub->is_generated && rj_pub_source_open(&pub->source, pub->file, &err) < 0) ||
        (pub->has_digest && rj_digest_open(&pub->digest, &err) < 0)) {
        rj_stream_tool_complain(&pub->tool, "%s", err.text);
        return false;
    }
    return rj_stream_tool_open(&pub->tool) == 0;
}

static const struct argp_option rows[] = {
    {"channel", RJ_KEY_CHANNEL, "URI", 0, "Where to publish (aeron:ipc)", 0},
    {"stream", RJ_KEY_STREAM, "ID", 0, "Which stream of the channel (1001)", 0},
    {"destination", KEY_DESTINATION, "URI", 0,
     "Send to this one too, of a channel with control-mode=manual; any number of times", 0},
    {"exclusive", KEY_EXCLUSIVE, NULL, 0, "A session of our own: cheaper offers", 0},
    {"file", KEY_FILE, "FILE", 0, "Send a file; without this or a generator's option, stdin", 1},
    {"messages", KEY_MESSAGES, "N", 0, "Make up N messages", 2},
    {"duration", KEY_DURATION, "TIME", 0, "Make up messages for so long", 2},
    {"flat-out", KEY_FLAT_OUT, NULL, 0, "Make up messages, as fast as they are taken", 2},
    {"rate", KEY_RATE, "N", 0, "Make up N messages a second", 2},
    {"length", KEY_LENGTH, "BYTES", 0,
     "Length of messages (32): 1K, 32-1K, or weighted 0-1K:9,1K-16K:1; of a file's pieces (one "
     "frame)",
     3},
    {"seed", KEY_SEED, "N", 0, "The same seed makes the same messages (1)", 3},
    {"digest", KEY_DIGEST, NULL, 0, "Report the SHA-256 of what was sent", 3},
    {"linger", KEY_LINGER, "TIME", 0, "How long to wait for subscribers at the end (10s)", 3},
    RJ_STREAM_TOOL_ROWS,
    {0},
};

int rj_cmd_pub(int argc, char **argv)
{
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .doc = "Publishes a file, stdin or made-up messages.\vExample:\n\n"
               "  ramjet pub --channel 'aeron:udp?endpoint=h2:4000' --file notes.txt\n",
    };
    static pub_t pub = {.source = {.fd = -1},
                        .message_limit = INT64_MAX,
                        .duration_ns = INT64_MAX,
                        .linger_ns = LINGER_NS,
                        .seed = 1};
    rj_stream_tool_init(&pub.tool, "ramjet pub", "aeron:ipc", 1001);
    rj_options_parse(&argp, "ramjet pub", 0, argc, argv, &pub);
    bool is_done = prepare(&pub) && run(&pub);
    rj_stream_tool_close(&pub.tool);
    rj_generator_close(&pub.generator);
    rj_pub_source_close(&pub.source);
    rj_digest_close(&pub.digest);
    return is_done ? RJ_EXIT_DONE : RJ_EXIT_FAILED;
}
