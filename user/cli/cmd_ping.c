/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet ping`: round trips to a `ramjet pong`, as a histogram. */
#include "cli/command.h"
#include "cli/ping_channels.h"
#include "cli/stream_tool.h"

#include "base/clock.h"
#include "base/histogram.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_REPLY_CHANNEL = 0x100,
    KEY_REPLY_STREAM,
    KEY_MESSAGES,
    KEY_WARMUP,
    KEY_LENGTH,
    KEY_INTERVAL,
    KEY_HGRM,
    LENGTH_DEFAULT = 32,
    LENGTH_MAX = 16 * 1024 * 1024,
    FRAGMENT_LIMIT = 64,
    PAUSE_NS_MAX = 1000000,
};

#define RTT_NS_MAX   INT64_C(60000000000)
#define REPLY_NS_MAX INT64_C(10000000000)

/* Begins every message; pong sends it back as it is. */
typedef struct ping_stamp {
    int64_t sent_ns;
    int64_t sequence;
} ping_stamp_t;

typedef struct ping {
    /* what was asked for */
    rj_stream_tool_t tool;
    const char *reply_channel;
    int32_t reply_stream_id;
    int64_t message_count;
    int64_t warmup_count;
    int32_t length;
    int64_t interval_ns;
    const char *hgrm; /* file, or NULL */
    /* what came of it */
    rj_publication_t *publication;
    rj_subscription_t *subscription;
    rj_assembler_t *assembler;
    rj_histogram_t histogram;
    uint8_t *message;
    int64_t sequence; /* of the ping under way */
    bool is_answered;
} ping_t;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    ping_t *ping = state->input;
    switch (key) {
    case KEY_REPLY_CHANNEL:
        ping->reply_channel = arg;
        return 0;
    case KEY_REPLY_STREAM:
        ping->reply_stream_id =
            (int32_t)rj_option_integer(state, "--reply-stream", arg, 0, INT32_MAX);
        return 0;
    case KEY_MESSAGES:
        ping->message_count = rj_option_integer(state, "--messages", arg, 1, INT64_MAX);
        return 0;
    case KEY_WARMUP:
        ping->warmup_count = rj_option_integer(state, "--warmup", arg, 0, INT32_MAX);
        return 0;
    case KEY_LENGTH:
        ping->length = (int32_t)rj_option_bytes(state, "--length", arg,
                                                (int64_t)sizeof(ping_stamp_t), LENGTH_MAX);
        return 0;
    case KEY_INTERVAL:
        ping->interval_ns =
            rj_option_duration_ns(state, "--interval", arg, 0, INT64_C(3600000000000));
        return 0;
    case KEY_HGRM:
        ping->hgrm = arg;
        return 0;
    default:
        return rj_stream_tool_take_embedded_option(&ping->tool, key, arg, state) ? 0
                                                                                 : ARGP_ERR_UNKNOWN;
    }
}

static void on_reply(void *user, const uint8_t *message, size_t length, const rj_header_t *header)
{
    (void)header;
    ping_t *ping = user;
    ping_stamp_t stamp;
    if (length < sizeof(stamp))
        return;
    memcpy(&stamp, message, sizeof(stamp));
    if (stamp.sequence != ping->sequence)
        return; /* an earlier ping's, from another run */
    ping->is_answered = true;
    if (ping->sequence >= ping->warmup_count)
        rj_histogram_record(&ping->histogram, rj_clock_mono_ns() - stamp.sent_ns);
}

/* Sends the ping; false when it cannot be sent. */
static bool send_ping(ping_t *ping)
{
    for (;;) {
        ping_stamp_t stamp = {.sent_ns = rj_clock_mono_ns(), .sequence = ping->sequence};
        memcpy(ping->message, &stamp, sizeof(stamp));
        int64_t position =
            rj_publication_offer(ping->publication, ping->message, (size_t)ping->length);
        if (position > 0)
            return true;
        if (position == RJ_OFFER_NOT_CONNECTED) {
            rj_stream_tool_complain(&ping->tool, "pong is gone");
            return false;
        }
        if (position != RJ_OFFER_ADMIN_ACTION && position != RJ_OFFER_BACK_PRESSURED) {
            rj_stream_tool_complain(&ping->tool, "an offer failed with %" PRId64, position);
            return false;
        }
        if (position == RJ_OFFER_BACK_PRESSURED && !rj_stream_tool_idle(&ping->tool))
            return false;
    }
}

static bool await_reply(ping_t *ping)
{
    int64_t deadline_ns = rj_clock_mono_ns() + REPLY_NS_MAX;
    while (!ping->is_answered) {
        int fragments = rj_subscription_poll(ping->subscription, rj_assembler_on_fragment,
                                             ping->assembler, FRAGMENT_LIMIT);
        if (fragments < 0)
            return false;
        if (fragments > 0)
            continue;
        if (!rj_stream_tool_idle(&ping->tool))
            return false;
        if (ping->tool.turn_ns >= deadline_ns) {
            rj_stream_tool_complain(&ping->tool, "no reply within %" PRId64 " s",
                                    REPLY_NS_MAX / 1000000000);
            return false;
        }
    }
    return true;
}

static bool pause_until(ping_t *ping, int64_t due_ns)
{
    for (int64_t now_ns; (now_ns = rj_clock_mono_ns()) < due_ns;) {
        if (!rj_stream_tool_turn(&ping->tool, now_ns))
            return false;
        int64_t wait_ns = due_ns - now_ns;
        if (ping->tool.idle_sleep_ns > 0)
            rj_clock_sleep_ns(wait_ns < PAUSE_NS_MAX ? wait_ns : PAUSE_NS_MAX);
    }
    return true;
}

/* Pings until all are answered; false when that was broken off. */
static bool ping_all(ping_t *ping)
{
    int64_t due_ns = rj_clock_mono_ns();
    int64_t total = ping->warmup_count + ping->message_count;
    for (ping->sequence = 0; ping->sequence < total; ping->sequence++) {
        ping->is_answered = false;
        if (!pause_until(ping, due_ns) || !rj_stream_tool_turn(&ping->tool, rj_clock_mono_ns()))
            return false;
        due_ns += ping->interval_ns;
        if (!send_ping(ping) || !await_reply(ping))
            return false;
    }
    return true;
}

static double us(int64_t ns)
{
    return (double)ns / 1000;
}

static void report(const ping_t *ping)
{
    static const rj_column_t columns[] = {{"count", 0},     {"min_us", 0}, {"p50_us", 0},
                                          {"p90_us", 0},    {"p99_us", 0}, {"p99_9_us", 0},
                                          {"p99_99_us", 0}, {"max_us", 0}, {"mean_us", 0}};
    const rj_histogram_t *h = &ping->histogram;
    int64_t min = h->total_count > 0 ? h->min : 0;
    int64_t max = h->total_count > 0 ? h->max : 0;
    double values[] = {us(min),
                       us(rj_histogram_percentile(h, 50)),
                       us(rj_histogram_percentile(h, 90)),
                       us(rj_histogram_percentile(h, 99)),
                       us(rj_histogram_percentile(h, 99.9)),
                       us(rj_histogram_percentile(h, 99.99)),
                       us(max),
                       rj_histogram_mean(h) / 1000};
    if (ping->tool.format != RJ_OUTPUT_JSON) {
        printf("%" PRId64 " round trips of %d bytes, us: min %.1f, p50 %.1f, p90 %.1f, p99 %.1f, "
               "p99.9 %.1f, p99.99 %.1f, max %.1f, mean %.1f\n",
               h->total_count, ping->length, values[0], values[1], values[2], values[3], values[4],
               values[5], values[6], values[7]);
        return;
    }
    rj_output_t output;
    rj_output_init(&output, stdout, RJ_OUTPUT_JSON, columns, sizeof(columns) / sizeof(columns[0]));
    rj_output_integer(&output, h->total_count);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        rj_output_real(&output, values[i], 3);
    rj_output_end_row(&output);
}

static bool write_hgrm(const ping_t *ping)
{
    if (ping->hgrm == NULL)
        return true;
    FILE *file = fopen(ping->hgrm, "w");
    int code = file != NULL ? rj_histogram_write_hgrm(&ping->histogram, file, 1000.0) : -errno;
    if (file != NULL && fclose(file) != 0 && code == 0)
        code = -errno;
    if (code < 0)
        rj_stream_tool_complain(&ping->tool, "--hgrm %s: %s", ping->hgrm, strerror(-code));
    return code == 0;
}

static bool run(ping_t *ping)
{
    ping->subscription = rj_stream_tool_add_subscription(&ping->tool, ping->reply_channel,
                                                         ping->reply_stream_id, NULL);
    if (ping->subscription == NULL)
        return false;
    ping->publication = rj_stream_tool_add_publication(
        &ping->tool, ping->tool.channel, ping->tool.stream_id, RJ_PUBLICATION_EXCLUSIVE);
    if (ping->publication == NULL)
        return false;
    if ((size_t)ping->length > rj_publication_info(ping->publication)->message_length_max) {
        rj_stream_tool_complain(&ping->tool,
                                "--length: this stream takes messages of up to %zu "
                                "bytes",
                                rj_publication_info(ping->publication)->message_length_max);
        return false;
    }
    if (!rj_stream_tool_await_subscriber(&ping->tool, ping->publication) ||
        !rj_stream_tool_await_publisher(&ping->tool, ping->subscription))
        return false;
    bool is_complete = ping_all(ping);
    report(ping);
    return write_hgrm(ping) && is_complete;
}

static bool prepare(ping_t *ping)
{
    rj_err_t err;
    ping->message = calloc(1, (size_t)ping->length);
    if (ping->message == NULL) {
        rj_stream_tool_complain(&ping->tool, "out of memory");
        return false;
    }
    if (rj_histogram_open(&ping->histogram, RTT_NS_MAX, &err) < 0 ||
        rj_assembler_open(&ping->assembler, on_reply, NULL, ping, 0, &err) < 0) {
        rj_stream_tool_complain(&ping->tool, "%s", err.text);
        return false;
    }
    return rj_stream_tool_open(&ping->tool) == 0;
}

static const struct argp_option rows[] = {
    {"channel", RJ_KEY_CHANNEL, "URI", 0, "Where pings go (" RJ_PING_CHANNEL ")", 0},
    {"stream", RJ_KEY_STREAM, "ID", 0, "On which stream (1002)", 0},
    {"reply-channel", KEY_REPLY_CHANNEL, "URI", 0, "Where replies come (" RJ_PONG_CHANNEL ")", 0},
    {"reply-stream", KEY_REPLY_STREAM, "ID", 0, "On which stream (1003)", 0},
    {"messages", KEY_MESSAGES, "N", 0, "How many round trips to measure (10000)", 1},
    {"warmup", KEY_WARMUP, "N", 0, "How many to make before that (1000)", 1},
    {"length", KEY_LENGTH, "BYTES", 0, "Length of a message, at least 16 (32)", 1},
    {"interval", KEY_INTERVAL, "TIME", 0, "Time between pings (0us: as soon as answered)", 1},
    {"hgrm", KEY_HGRM, "FILE", 0, "Write the percentile distribution, in us, for plotters", 2},
    RJ_STREAM_TOOL_EMBEDDED_ROWS,
    RJ_STREAM_TOOL_ROWS,
    {0},
};

static const struct argp_child children[] = {{&rj_driver_options_argp, 0, NULL, 0}, {0}};

int rj_cmd_ping(int argc, char **argv)
{
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .children = children,
        .doc = "Measures round trips to a `ramjet pong`.\vExamples:\n\n"
               "  ramjet pong & ramjet ping --messages 100000 --hgrm rtt.hgrm\n"
               "  ramjet ping --embedded --interface eth0 --cpu 1\n",
    };
    static ping_t ping = {.reply_channel = RJ_PONG_CHANNEL,
                          .reply_stream_id = RJ_PONG_STREAM_ID,
                          .message_count = 10000,
                          .warmup_count = 1000,
                          .length = LENGTH_DEFAULT};
    rj_stream_tool_init(&ping.tool, "ramjet ping", RJ_PING_CHANNEL, RJ_PING_STREAM_ID);
    rj_options_parse(&argp, "ramjet ping", 0, argc, argv, &ping);
    bool is_done = prepare(&ping) && run(&ping);
    rj_stream_tool_close(&ping.tool);
    rj_assembler_close(ping.assembler);
    rj_histogram_close(&ping.histogram);
    free(ping.message);
    return is_done ? RJ_EXIT_DONE : RJ_EXIT_FAILED;
}
