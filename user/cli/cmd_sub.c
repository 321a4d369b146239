/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet sub`: a stream to a file, to stdout, to a digest, or counted only. */
#include "cli/command.h"
#include "cli/end_mark.h"
#include "cli/stream_tool.h"
#include "cli/sub_sink.h"
#include "cli/traffic.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

enum {
    KEY_OUT = 0x100,
    KEY_STDOUT,
    KEY_DIGEST,
    KEY_DISCARD,
    KEY_MESSAGES,
    KEY_UNTIL_EOS,
    KEY_DESTINATION,
    DESTINATIONS_MAX = 16,
    FRAGMENT_LIMIT = 256, /* between two looks at the clock */
};

typedef struct sub {
    /* what was asked for */
    rj_stream_tool_t tool;
    const char *out; /* "-": stdout; NULL: none */
    bool has_digest;
    bool is_discarding;
    bool is_until_end;
    int64_t message_limit; /* INT64_MAX: until Ctrl-C or the end */
    const char *destinations[DESTINATIONS_MAX];
    int destination_count;
    /* what came of it */
    rj_subscription_t *subscription;
    rj_assembler_t *assembler;
    rj_traffic_t traffic;
    rj_sub_sink_t sink;
    bool has_sink; /* bytes are wanted, not only counts */
    bool was_connected;
    bool is_broken_off; /* an image went away before its end was known or reached */
    bool is_ended;      /* an end mark came */
    int64_t announced_bytes;
} sub_t;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    sub_t *sub = state->input;
    switch (key) {
    case KEY_OUT:
        sub->out = arg;
        return 0;
    case KEY_STDOUT:
        sub->out = "-";
        return 0;
    case KEY_DIGEST:
        sub->has_digest = true;
        return 0;
    case KEY_DISCARD:
        sub->is_discarding = true;
        return 0;
    case KEY_MESSAGES:
        sub->message_limit = rj_option_integer(state, "--messages", arg, 1, INT64_MAX);
        return 0;
    case KEY_UNTIL_EOS:
        sub->is_until_end = true;
        return 0;
    case KEY_DESTINATION:
        if (sub->destination_count == DESTINATIONS_MAX)
            rj_options_fail(state, "--destination: at most %d times", DESTINATIONS_MAX);
        sub->destinations[sub->destination_count++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (sub->is_discarding && sub->out != NULL)
            rj_options_fail(state, "--discard drops what --out and --stdout keep: choose one");
        return 0;
    default:
        return rj_stream_tool_take_option(&sub->tool, key, arg, state) ? 0 : ARGP_ERR_UNKNOWN;
    }
}

/* The empty message that says how much there was; anything else empty is a message like others. */
static bool take_end_mark(sub_t *sub, const rj_header_t *header)
{
    int64_t byte_count;
    if (!rj_end_mark_parse(rj_header_reserved_value(header), &byte_count))
        return false;
    sub->is_ended = true;
    sub->announced_bytes = byte_count;
    return true;
}

/* What follows the last message wanted stays unread. */
static rj_action_t on_message(void *user, const uint8_t *message, size_t length,
                              const rj_header_t *header)
{
    sub_t *sub = user;
    if (__builtin_expect(sub->traffic.message_count >= sub->message_limit, 0))
        return RJ_ACTION_ABORT;
    if (__builtin_expect(length == 0, 0) && take_end_mark(sub, header))
        return RJ_ACTION_BREAK;
    sub->traffic.message_count++;
    sub->traffic.byte_count += (int64_t)length;
    if (sub->has_sink)
        rj_sub_sink_add(&sub->sink, message, length);
    return RJ_ACTION_CONTINUE;
}

static void on_unavailable(void *user, rj_subscription_t *subscription, rj_image_t *image)
{
    (void)subscription;
    sub_t *sub = user;
    rj_assembler_forget(sub->assembler, rj_image_info(image)->session_id);
    if (!rj_image_is_end_of_stream(image))
        sub->is_broken_off = true;
}

static bool is_at_end(sub_t *sub)
{
    size_t count = rj_subscription_image_count(sub->subscription);
    for (size_t i = 0; i < count; i++)
        if (!rj_image_is_end_of_stream(rj_subscription_image_at(sub->subscription, i)))
            return false;
    return sub->was_connected;
}

/* What ends the loop when nothing new came. */
static bool has_finished(sub_t *sub)
{
    if (sub->traffic.message_count >= sub->message_limit)
        return true;
    return sub->is_until_end && (sub->is_ended || is_at_end(sub));
}

/* Receives until an end that was asked for; false when something else ended it. */
static bool receive(sub_t *sub)
{
    for (;;) {
        int fragments = rj_subscription_controlled_poll(
            sub->subscription, rj_assembler_on_controlled_fragment, sub->assembler, FRAGMENT_LIMIT);
        if (fragments < 0)
            return false;
        if (fragments > 0) {
            int64_t now_ns = rj_clock_mono_ns();
            if (sub->traffic.first_ns == 0)
                sub->traffic.first_ns = now_ns;
            sub->traffic.last_ns = now_ns;
            sub->was_connected = true;
            rj_traffic_report(&sub->traffic, now_ns);
            if (!rj_stream_tool_turn(&sub->tool, now_ns))
                return false;
            if (sub->traffic.message_count < sub->message_limit &&
                !(sub->is_ended && sub->is_until_end))
                continue;
            return true;
        }
        if (sub->out != NULL)
            rj_sub_sink_flush(&sub->sink);
        if (has_finished(sub))
            return true;
        if (sub->sink.code < 0 || !rj_stream_tool_idle(&sub->tool))
            return false;
        rj_traffic_report(&sub->traffic, rj_clock_mono_ns());
    }
}

/* Whether what came is what was sent, as far as that can be known. */
static bool is_whole(sub_t *sub)
{
    if (sub->is_ended && sub->announced_bytes != sub->traffic.byte_count) {
        rj_stream_tool_complain(&sub->tool,
                                "the stream ended after %" PRId64 " bytes, of %" PRId64 " sent: "
                                "was the subscriber started late?",
                                sub->traffic.byte_count, sub->announced_bytes);
        return false;
    }
    if (sub->is_until_end && !sub->is_ended && sub->is_broken_off) {
        rj_stream_tool_complain(&sub->tool, "the publisher was lost after %" PRId64 " bytes",
                                sub->traffic.byte_count);
        return false;
    }
    return true;
}

static bool add_destination(sub_t *sub, const char *channel)
{
    rj_request_t *request;
    rj_err_t err;
    int result =
        rj_subscription_request_add_destination(sub->subscription, channel, &request, &err);
    if (result == 0) {
        while ((result = rj_request_poll_operation(request, NULL, &err)) == 0) {
            if (!rj_stream_tool_idle(&sub->tool))
                return false;
        }
    }
    if (result < 0)
        rj_stream_tool_complain(&sub->tool, "%s", err.text);
    return result > 0;
}

static bool add_destinations(sub_t *sub)
{
    for (int i = 0; i < sub->destination_count; i++) {
        if (!add_destination(sub, sub->destinations[i]))
            return false;
    }
    return true;
}

static bool run(sub_t *sub)
{
    const rj_image_handlers_t handlers = {.on_unavailable = on_unavailable, .user = sub};
    sub->subscription = rj_stream_tool_add_subscription(&sub->tool, sub->tool.channel,
                                                        sub->tool.stream_id, &handlers);
    if (sub->subscription == NULL || !add_destinations(sub) ||
        !rj_stream_tool_await_publisher(&sub->tool, sub->subscription))
        return false;
    bool is_stdout_taken = sub->out != NULL && strcmp(sub->out, "-") == 0;
    rj_traffic_open(&sub->traffic, &sub->tool, RJ_TRAFFIC_RECEIVED,
                    is_stdout_taken ? stderr : stdout);
    bool is_finished = receive(sub);
    bool is_open_ended = sub->message_limit == INT64_MAX && !sub->is_until_end;
    if (!is_finished && is_open_ended && rj_stream_tool_is_interrupted())
        is_finished = true;
    is_finished = is_finished && is_whole(sub);

    char sha256[RJ_DIGEST_TEXT_MAX];
    rj_err_t err;
    if (rj_sub_sink_finish(&sub->sink, sha256, &err) < 0) {
        rj_stream_tool_complain(&sub->tool, "%s", err.text);
        is_finished = false;
    }
    rj_traffic_conclude(&sub->traffic, sha256[0] != '\0' ? sha256 : NULL, is_finished);
    rj_traffic_close(&sub->traffic);
    return is_finished;
}

/* Without a word about it, bytes go to stdout, unless that is where JSON goes. */
static void choose_output(sub_t *sub)
{
    if (sub->out == NULL && !sub->has_digest && !sub->is_discarding &&
        sub->tool.format != RJ_OUTPUT_JSON)
        sub->out = "-";
    sub->has_sink = sub->out != NULL || sub->has_digest;
}

static bool prepare(sub_t *sub)
{
    rj_err_t err;
    choose_output(sub);
    if (rj_assembler_open(&sub->assembler, NULL, on_message, sub, 0, &err) < 0 ||
        rj_sub_sink_open(&sub->sink, sub->out, sub->has_digest, &err) < 0) {
        rj_stream_tool_complain(&sub->tool, "%s", err.text);
        return false;
    }
    return rj_stream_tool_open(&sub->tool) == 0;
}

static const struct argp_option rows[] = {
    {"channel", RJ_KEY_CHANNEL, "URI", 0, "Where to subscribe (aeron:ipc)", 0},
    {"stream", RJ_KEY_STREAM, "ID", 0, "Which stream of the channel (1001)", 0},
    {"destination", KEY_DESTINATION, "URI", 0,
     "Receive by this one too, of a channel with control-mode=manual; any number of times", 0},
    {"out", KEY_OUT, "FILE", 0, "Write what comes to FILE", 1},
    {"stdout", KEY_STDOUT, NULL, 0, "Write it to stdout, as without --json is the default", 1},
    {"digest", KEY_DIGEST, NULL, 0, "Report its SHA-256; alone, nothing is written", 1},
    {"discard", KEY_DISCARD, NULL, 0, "Only count it, as with --json is the default", 1},
    {"messages", KEY_MESSAGES, "N", 0, "End after N messages", 2},
    {"until-eos", KEY_UNTIL_EOS, NULL, 0, "End when the publisher has ended", 2},
    RJ_STREAM_TOOL_ROWS,
    {0},
};

int rj_cmd_sub(int argc, char **argv)
{
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .doc = "Subscribes to a stream and writes, hashes or counts it.\vExample:\n\n"
               "  ramjet sub --channel 'aeron:udp?endpoint=h2:4000' --until-eos --out new.txt\n",
    };
    static sub_t sub = {.message_limit = INT64_MAX, .sink = {.fd = -1}};
    rj_stream_tool_init(&sub.tool, "ramjet sub", "aeron:ipc", 1001);
    sub.tool.connect_timeout_ns = INT64_MAX;
    rj_options_parse(&argp, "ramjet sub", 0, argc, argv, &sub);
    bool is_done = prepare(&sub) && run(&sub);
    rj_stream_tool_close(&sub.tool);
    rj_assembler_close(sub.assembler);
    return is_done ? RJ_EXIT_DONE : RJ_EXIT_FAILED;
}
