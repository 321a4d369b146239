/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet pong`: sends back what a `ramjet ping` sends. */
#include "cli/command.h"
#include "cli/ping_channels.h"
#include "cli/stream_tool.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum { KEY_REPLY_CHANNEL = 0x100, KEY_REPLY_STREAM, FRAGMENT_LIMIT = 64 };

static const int64_t unheard_ns_max = INT64_C(1000000000);

typedef struct pong {
    rj_stream_tool_t tool;
    const char *reply_channel;
    int32_t reply_stream_id;
    rj_publication_t *publication;
    rj_subscription_t *subscription;
    rj_assembler_t *assembler;
    int64_t message_count;
    int64_t dropped_count; /* nobody listened to the reply */
    int64_t unheard_ns;    /* since when nobody has; 0 while somebody does */
} pong_t;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    pong_t *pong = state->input;
    switch (key) {
    case KEY_REPLY_CHANNEL:
        pong->reply_channel = arg;
        return 0;
    case KEY_REPLY_STREAM:
        pong->reply_stream_id =
            (int32_t)rj_option_integer(state, "--reply-stream", arg, 0, INT32_MAX);
        return 0;
    default:
        return rj_stream_tool_take_embedded_option(&pong->tool, key, arg, state) ? 0
                                                                                 : ARGP_ERR_UNKNOWN;
    }
}

/* The first ping may overtake what says that its sender listens. */
static bool may_be_heard_yet(pong_t *pong)
{
    const int64_t now_ns = pong->tool.turn_ns;
    if (pong->unheard_ns == 0)
        pong->unheard_ns = now_ns;
    return now_ns - pong->unheard_ns < unheard_ns_max;
}

/* A reply that meets back pressure makes its ping come again. */
static rj_action_t on_ping(void *user, const uint8_t *message, size_t length,
                           const rj_header_t *header)
{
    (void)header;
    pong_t *pong = user;
    int64_t position;
    do
        position = rj_publication_offer(pong->publication, message, length);
    while (position == RJ_OFFER_ADMIN_ACTION);
    if (position == RJ_OFFER_BACK_PRESSURED)
        return RJ_ACTION_ABORT;
    if (position == RJ_OFFER_NOT_CONNECTED && may_be_heard_yet(pong))
        return RJ_ACTION_ABORT;
    if (position < 0) {
        pong->dropped_count++;
    } else {
        pong->unheard_ns = 0;
        pong->message_count++;
    }
    return RJ_ACTION_COMMIT;
}

static bool run(pong_t *pong)
{
    pong->publication = rj_stream_tool_add_publication(
        &pong->tool, pong->reply_channel, pong->reply_stream_id, RJ_PUBLICATION_EXCLUSIVE);
    if (pong->publication == NULL)
        return false;
    pong->subscription = rj_stream_tool_add_subscription(&pong->tool, pong->tool.channel,
                                                         pong->tool.stream_id, NULL);
    if (pong->subscription == NULL ||
        !rj_stream_tool_await_publisher(&pong->tool, pong->subscription))
        return rj_stream_tool_is_interrupted();
    bool goes_on = true;
    while (goes_on) {
        int fragments =
            rj_subscription_controlled_poll(pong->subscription, rj_assembler_on_controlled_fragment,
                                            pong->assembler, FRAGMENT_LIMIT);
        goes_on = fragments > 0 ? rj_stream_tool_turn(&pong->tool, rj_clock_mono_ns())
                                : rj_stream_tool_idle(&pong->tool);
    }
    return rj_stream_tool_is_interrupted();
}

static void report(const pong_t *pong)
{
    static const rj_column_t columns[] = {{"messages", 0}, {"dropped_count", 0}};
    if (pong->tool.format != RJ_OUTPUT_JSON) {
        printf("answered %" PRId64 " messages, dropped %" PRId64 "\n", pong->message_count,
               pong->dropped_count);
        return;
    }
    rj_output_t output;
    rj_output_init(&output, stdout, RJ_OUTPUT_JSON, columns, 2);
    rj_output_integer(&output, pong->message_count);
    rj_output_integer(&output, pong->dropped_count);
    rj_output_end_row(&output);
}

static bool prepare(pong_t *pong)
{
    rj_err_t err;
    if (rj_assembler_open(&pong->assembler, NULL, on_ping, pong, 0, &err) < 0) {
        rj_stream_tool_complain(&pong->tool, "%s", err.text);
        return false;
    }
    return rj_stream_tool_open(&pong->tool) == 0;
}

static const struct argp_option rows[] = {
    {"channel", RJ_KEY_CHANNEL, "URI", 0, "Where pings come (" RJ_PING_CHANNEL ")", 0},
    {"stream", RJ_KEY_STREAM, "ID", 0, "On which stream (1002)", 0},
    {"reply-channel", KEY_REPLY_CHANNEL, "URI", 0, "Where replies go (" RJ_PONG_CHANNEL ")", 0},
    {"reply-stream", KEY_REPLY_STREAM, "ID", 0, "On which stream (1003)", 0},
    RJ_STREAM_TOOL_EMBEDDED_ROWS,
    RJ_STREAM_TOOL_ROWS,
    {0},
};

static const struct argp_child children[] = {{&rj_driver_options_argp, 0, NULL, 0}, {0}};

int rj_cmd_pong(int argc, char **argv)
{
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .children = children,
        .doc = "Sends back what `ramjet ping` sends, until Ctrl-C.\vExample:\n\n"
               "  ramjet pong --idle-sleep 0us\n",
    };
    static pong_t pong = {.reply_channel = RJ_PONG_CHANNEL, .reply_stream_id = RJ_PONG_STREAM_ID};
    rj_stream_tool_init(&pong.tool, "ramjet pong", RJ_PING_CHANNEL, RJ_PING_STREAM_ID);
    pong.tool.connect_timeout_ns = INT64_MAX;
    rj_options_parse(&argp, "ramjet pong", 0, argc, argv, &pong);
    bool is_open = prepare(&pong);
    bool is_done = is_open && run(&pong);
    if (is_open)
        report(&pong);
    rj_stream_tool_close(&pong.tool);
    rj_assembler_close(pong.assembler);
    return is_done ? RJ_EXIT_DONE : RJ_EXIT_FAILED;
}
