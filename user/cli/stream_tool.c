/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stream_tool.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

enum {
    IDLE_SLEEP_NS = 50000,
    IDLE_SLEEP_NS_MAX = 1000000000,
    TURN_INTERVAL_NS = 2000000,
    AWAIT_SLEEP_NS = 200000,
    TIMER_SLACK_NS = 1000, /* the kernel's 50 us would double every short sleep */
};

#define CONNECT_TIMEOUT_NS     INT64_C(10000000000)
#define CONNECT_TIMEOUT_NS_MAX INT64_C(86400000000000)

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    (void)number;
    is_interrupted = 1;
}

void rj_stream_tool_init(rj_stream_tool_t *tool, const char *command, const char *channel,
                         int32_t stream_id)
{
    *tool = (rj_stream_tool_t){
        .command = command,
        .channel = channel,
        .stream_id = stream_id,
        .idle_sleep_ns = -1,
        .cpu = -1,
        .connect_timeout_ns = CONNECT_TIMEOUT_NS,
        .format = RJ_OUTPUT_TABLE,
    };
}

bool rj_stream_tool_take_option(rj_stream_tool_t *tool, int key, char *arg,
                                struct argp_state *state)
{
    switch (key) {
    case RJ_KEY_DIR:
        tool->directory = arg;
        return true;
    case RJ_KEY_CHANNEL:
        tool->channel = arg;
        return true;
    case RJ_KEY_STREAM:
        tool->stream_id = (int32_t)rj_option_integer(state, "--stream", arg, 0, INT32_MAX);
        return true;
    case RJ_KEY_IDLE_SLEEP:
        tool->idle_sleep_ns =
            rj_option_duration_ns(state, "--idle-sleep", arg, 0, IDLE_SLEEP_NS_MAX);
        return true;
    case RJ_KEY_CONNECT_TIMEOUT:
        tool->connect_timeout_ns =
            rj_option_duration_ns(state, "--connect-timeout", arg, 0, CONNECT_TIMEOUT_NS_MAX);
        if (tool->connect_timeout_ns == 0)
            tool->connect_timeout_ns = INT64_MAX;
        return true;
    case RJ_KEY_JSON:
        tool->format = RJ_OUTPUT_JSON;
        return true;
    case ARGP_KEY_ARG:
        rj_options_fail(state, "takes no operand, and '%s' is one: see `%s --help`", arg,
                        state->name);
    default:
        return false;
    }
}

bool rj_stream_tool_take_embedded_option(rj_stream_tool_t *tool, int key, char *arg,
                                         struct argp_state *state)
{
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &tool->driver_options;
        return true;
    case RJ_KEY_EMBEDDED:
        tool->is_embedded = true;
        return true;
    case RJ_KEY_CPU:
        tool->cpu = (int)rj_option_integer(state, "--cpu", arg, 0, CPU_SETSIZE - 1);
        return true;
    case ARGP_KEY_END:
        if (tool->driver_options.first != NULL && !tool->is_embedded)
            rj_options_fail(state,
                            "--%s is for a driver: give it to `ramjet driver`, or say "
                            "--embedded",
                            tool->driver_options.first);
        return true;
    default:
        return rj_stream_tool_take_option(tool, key, arg, state);
    }
}

/* A driver's reason may have many lines, and what it says comes from elsewhere: here it is one
 * line, of what can be printed. */
static void fold(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        bool is_plain = (unsigned char)*from >= ' ' && *from != 0x7f;
        char c = is_plain ? *from : ' ';
        if (c != ' ' || (to != text && to[-1] != ' '))
            *to++ = c;
    }
    while (to != text && to[-1] == ' ')
        to--;
    *to = '\0';
}

void rj_stream_tool_complain(const rj_stream_tool_t *tool, const char *format, ...)
{
    char text[RJ_ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fold(text);
    fprintf(stderr, "%s: %s\n", tool->command, text);
}

static void on_error(void *user, const rj_err_t *err)
{
    rj_stream_tool_complain(user, "%s", err->text);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: a read must end */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int connect_client(rj_stream_tool_t *tool, rj_err_t *err)
{
    rj_context_t context;
    rj_context_init(&context);
    context.directory =
        tool->is_embedded ? rj_media_driver_directory(tool->driver) : tool->directory;
    context.client_name = tool->command;
    context.conductor_mode = RJ_CONDUCTOR_INVOKED;
    context.on_error = on_error;
    context.error_user = tool;
    return rj_client_connect(&context, &tool->client, err);
}

static int pin(const rj_stream_tool_t *tool, rj_err_t *err)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET((size_t)tool->cpu, &cpus);
    if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
        return rj_fail(err, -errno, "--cpu %d: %s: see `nproc` and `taskset -p $$`", tool->cpu,
                       strerror(errno));
    return 0;
}

static bool end_wait(void *user)
{
    (void)user;
    return rj_stream_tool_is_interrupted();
}

int rj_stream_tool_open(rj_stream_tool_t *tool)
{
    rj_err_t err;
    catch_signals();
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
    if (tool->idle_sleep_ns < 0)
        tool->idle_sleep_ns = tool->is_embedded ? 0 : IDLE_SLEEP_NS;
    int code = tool->cpu >= 0 ? pin(tool, &err) : 0;
    if (code == 0 && tool->is_embedded)
        code = rj_embedded_open(&tool->driver, tool->directory, end_wait, &err);
    if (code < 0) {
        rj_stream_tool_complain(tool, "%s", err.text);
        return code;
    }
    code = connect_client(tool, &err);
    if (code < 0)
        rj_stream_tool_complain(tool, "%s (--dir)", err.text);
    return code;
}

void rj_stream_tool_close(rj_stream_tool_t *tool)
{
    rj_client_close(tool->client);
    tool->client = NULL;
    rj_media_driver_close(tool->driver);
    tool->driver = NULL;
}

bool rj_stream_tool_is_interrupted(void)
{
    return is_interrupted != 0;
}

bool rj_stream_tool_turn(rj_stream_tool_t *tool, int64_t now_ns)
{
    tool->turn_ns = now_ns;
    if (tool->is_embedded)
        rj_media_driver_do_work(tool->driver, now_ns, rj_clock_epoch_ms());
    if (now_ns >= tool->turn_deadline_ns) {
        tool->turn_deadline_ns = now_ns + TURN_INTERVAL_NS;
        rj_client_conductor_do_work(tool->client, now_ns, rj_clock_epoch_ms());
    }
    return !rj_stream_tool_is_interrupted() && !rj_client_is_closed(tool->client);
}

static bool idle(rj_stream_tool_t *tool, int64_t sleep_ns)
{
    bool goes_on = rj_stream_tool_turn(tool, rj_clock_mono_ns());
    if (goes_on && sleep_ns > 0)
        rj_clock_sleep_ns(sleep_ns);
    return goes_on;
}

bool rj_stream_tool_idle(rj_stream_tool_t *tool)
{
    return idle(tool, tool->idle_sleep_ns);
}

/* Waits in turns of the tool: a driver in this thread answers only while it works. `code` is what
 * the request came to. */
static void await_answer(rj_stream_tool_t *tool, int code, rj_request_t *request,
                         int (*poll)(rj_request_t *request, void *ret_handle, rj_err_t *err),
                         void *ret_handle, rj_err_t *err)
{
    while (code == 0) {
        tool->turn_deadline_ns = 0;
        rj_stream_tool_turn(tool, rj_clock_mono_ns());
        if (!tool->is_embedded)
            rj_clock_sleep_ns(AWAIT_SLEEP_NS);
        code = poll(request, ret_handle, err);
    }
    if (code < 0)
        rj_stream_tool_complain(tool, "%s", err->text);
}

static int poll_publication(rj_request_t *request, void *ret_handle, rj_err_t *err)
{
    return rj_request_poll_publication(request, ret_handle, err);
}

static int poll_subscription(rj_request_t *request, void *ret_handle, rj_err_t *err)
{
    return rj_request_poll_subscription(request, ret_handle, err);
}

rj_publication_t *rj_stream_tool_add_publication(rj_stream_tool_t *tool, const char *channel,
                                                 int32_t stream_id, rj_publication_kind_t kind)
{
    rj_publication_t *publication = NULL;
    rj_request_t *request = NULL;
    rj_err_t err;
    rj_stream_tool_turn(tool, rj_clock_mono_ns());
    int code =
        rj_client_request_publication(tool->client, channel, stream_id, kind, &request, &err);
    await_answer(tool, code, request, poll_publication, &publication, &err);
    return publication;
}

rj_subscription_t *rj_stream_tool_add_subscription(rj_stream_tool_t *tool, const char *channel,
                                                   int32_t stream_id,
                                                   const rj_image_handlers_t *handlers)
{
    rj_subscription_t *subscription = NULL;
    rj_request_t *request = NULL;
    rj_err_t err;
    rj_stream_tool_turn(tool, rj_clock_mono_ns());
    int code =
        rj_client_request_subscription(tool->client, channel, stream_id, handlers, &request, &err);
    await_answer(tool, code, request, poll_subscription, &subscription, &err);
    return subscription;
}

static int64_t connect_deadline_ns(const rj_stream_tool_t *tool)
{
    return tool->connect_timeout_ns == INT64_MAX ? INT64_MAX
                                                 : rj_clock_mono_ns() + tool->connect_timeout_ns;
}

bool rj_stream_tool_await_subscriber(rj_stream_tool_t *tool, const rj_publication_t *publication)
{
    int64_t deadline_ns = connect_deadline_ns(tool);
    while (!rj_publication_is_connected(publication)) {
        if (!idle(tool, AWAIT_SLEEP_NS))
            return false;
        if (rj_clock_mono_ns() >= deadline_ns) {
            const rj_publication_info_t *info = rj_publication_info(publication);
            rj_stream_tool_complain(tool,
                                    "nobody subscribes to %s stream %d: start `ramjet sub`, or "
                                    "wait longer with --connect-timeout",
                                    info->channel, info->stream_id);
            return false;
        }
    }
    return true;
}

bool rj_stream_tool_await_publisher(rj_stream_tool_t *tool, const rj_subscription_t *subscription)
{
    int64_t deadline_ns = connect_deadline_ns(tool);
    while (rj_subscription_image_count(subscription) == 0) {
        if (!idle(tool, AWAIT_SLEEP_NS))
            return false;
        if (rj_clock_mono_ns() >= deadline_ns) {
            const rj_subscription_info_t *info = rj_subscription_info(subscription);
            rj_stream_tool_complain(tool,
                                    "nobody publishes on %s stream %d: start `ramjet pub`, or "
                                    "wait longer with --connect-timeout",
                                    info->channel, info->stream_id);
            return false;
        }
    }
    return true;
}
