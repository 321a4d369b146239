/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet echo`: the echo service in the kernel, in the foreground, for latency floors. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"

#include "base/clock.h"
#include "xdp/echo.h"
#include "xdp/mode.h"
#include "xdp/veth.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    KEY_PORT = 0x100,
    KEY_MODE,
    KEY_DURATION,
    KEY_PASS,
    KEY_JSON,
    PORT_DEFAULT = 7,
    TURN_NS = 50000000,
};

#define SECOND_NS       INT64_C(1000000000)
#define DURATION_NS_MAX INT64_C(1000000000000000)

typedef struct tool {
    rj_echo_options_t options;
    int64_t duration_ns; /* INT64_MAX: until interrupted */
    rj_output_format_t format;
    bool is_live; /* a terminal watches */
    rj_echo_t echo;
    rj_output_t output;
    rj_echo_counts_t counts;
    uint64_t lost_begin; /* at the other end of a veth pair, before us */
    uint64_t lost;
    bool is_loss_told;
} tool_t;

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    (void)number;
    is_interrupted = 1;
}

__attribute__((format(printf, 2, 3))) static void say(const tool_t *tool, const char *format, ...)
{
    va_list args;
    if (tool->is_live)
        fputs("\r\033[K", stderr);
    fputs("ramjet echo: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* --- the command line --- */

static void take_mode(tool_t *tool, const char *arg, const struct argp_state *state)
{
    if (rj_xdp_mode_parse(arg, &tool->options.mode) < 0 ||
        tool->options.mode == RJ_XDP_MODE_ZERO_COPY)
        rj_options_fail(state, "--mode %s: give auto, native or generic", arg);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    tool_t *tool = state->input;
    switch (key) {
    case KEY_PORT:
        tool->options.port = (uint16_t)rj_option_integer(state, "--port", arg, 1, UINT16_MAX);
        return 0;
    case KEY_MODE:
        take_mode(tool, arg, state);
        return 0;
    case KEY_DURATION:
        tool->duration_ns =
            rj_option_duration_ns(state, "--duration", arg, 1000000, DURATION_NS_MAX);
        return 0;
    case KEY_PASS:
        tool->options.role = RJ_ECHO_PASSES;
        return 0;
    case KEY_JSON:
        tool->format = RJ_OUTPUT_JSON;
        return 0;
    case ARGP_KEY_ARG:
        if (tool->options.interface != NULL)
            rj_options_fail(state, "%s: one interface is enough", arg);
        tool->options.interface = arg;
        return 0;
    case ARGP_KEY_END:
        if (tool->options.interface == NULL)
            rj_options_fail(state, "name an interface: see `ip link`");
        if (tool->options.role == RJ_ECHO_PASSES && tool->options.mode == RJ_XDP_MODE_GENERIC)
            rj_options_fail(state, "--pass is of use in native mode only");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option rows[] = {
    {"port", KEY_PORT, "PORT", 0, "UDP port to answer (7)", 0},
    {"mode", KEY_MODE, "MODE", 0, "auto, native or generic (auto: generic on veth)", 0},
    {"duration", KEY_DURATION, "TIME", 0, "How long (until interrupted)", 0},
    {"pass", KEY_PASS, NULL, 0,
     "Answer nothing: be the program that the other end of a veth pair needs", 0},
    {"json", KEY_JSON, NULL, 0, "Report in JSON, an object a second and one at the end", 0},
    {0},
};

static const struct argp argp = {
    .options = rows,
    .parser = parse,
    .args_doc = "IF",
    .doc = "Sends UDP datagrams to one port of this host back by XDP_TX, and leaves everything "
           "else alone. Datagrams from ports below 1024 are not answered: another service might "
           "answer the answer.\vExample:\n\n  ramjet echo eth0 --port 7 --duration 60s\n",
};

/* --- the traps --- */

/* Native XDP_TX hands frames to the ring of the other end, and only a program empties it. */
static void tell_about_peer(const tool_t *tool)
{
    rj_veth_t veth;
    rj_err_t err;
    const char *interface = tool->echo.interface;
    if (tool->options.role == RJ_ECHO_PASSES || tool->echo.mode != RJ_XDP_MODE_NATIVE)
        return;
    if (rj_veth_look(tool->echo.interface_index, &veth, &err) < 0 || !veth.is_veth ||
        veth.peer_has_program)
        return;
    if (veth.is_peer_here)
        say(tool,
            "%s: in native mode answers arrive only where the other end of this veth pair has an "
            "XDP program, and %s has none (GRO does not suffice): run `ramjet echo %s --pass`, or "
            "use --mode generic",
            interface, veth.peer, veth.peer);
    else
        say(tool,
            "%s: in native mode answers arrive only where the other end of this veth pair, which "
            "is in another namespace, has an XDP program (GRO does not suffice): run `ramjet echo "
            "IF --pass` there unless it has one, or use --mode generic here",
            interface);
}

static void notice_losses(tool_t *tool)
{
    uint64_t total = 0;
    rj_err_t err;
    if (rj_veth_refused_count(tool->echo.interface, &total, &err) < 0)
        return;
    tool->lost = total - tool->lost_begin;
    if (tool->lost == 0 || tool->is_loss_told)
        return;
    tool->is_loss_told = true;
    say(tool,
        "%s: the other end of this veth pair takes no answers (%" PRIu64
        " lost): it has no XDP program: run `ramjet echo IF --pass` on it",
        tool->echo.interface, tool->lost);
}

/* --- the report --- */

static const rj_column_t columns[] = {
    {"interface", 0},       {"mode", 0},          {"echoed_packets", 0}, {"echoed_bytes", 0},
    {"refused_packets", 0}, {"other_packets", 0}, {"lost_packets", 0}};

/* Datagrams to the port that are not answered: their sender, or their hops, forbid it. */
static uint64_t refused_packets(const rj_echo_counts_t *counts)
{
    return counts->packets[RJ_ECHO_PASS_SOURCE] + counts->packets[RJ_ECHO_PASS_HOPS] +
           counts->packets[RJ_ECHO_PASS_UNFINISHED];
}

static void report_json(tool_t *tool)
{
    rj_output_text(&tool->output, tool->echo.interface);
    rj_output_text(&tool->output, rj_xdp_mode_name(tool->echo.mode));
    rj_output_integer(&tool->output, (int64_t)tool->counts.packets[RJ_ECHO_ANSWERED]);
    rj_output_integer(&tool->output, (int64_t)tool->counts.bytes[RJ_ECHO_ANSWERED]);
    rj_output_integer(&tool->output, (int64_t)refused_packets(&tool->counts));
    rj_output_integer(&tool->output, (int64_t)tool->counts.packets[RJ_ECHO_PASS_OTHER]);
    rj_output_integer(&tool->output, (int64_t)tool->lost);
    rj_output_end_row(&tool->output);
}

static void report_live(const tool_t *tool, uint64_t before)
{
    const rj_echo_counts_t *counts = &tool->counts;
    uint64_t packets = counts->packets[RJ_ECHO_ANSWERED];
    fprintf(stderr,
            "\r%s: echoed %" PRIu64 ", %" PRIu64 " a second; refused %" PRIu64
            ", other frames %" PRIu64 "\033[K",
            tool->echo.interface, packets, packets - before, refused_packets(counts),
            counts->packets[RJ_ECHO_PASS_OTHER]);
    fflush(stderr);
}

static void report_end(const tool_t *tool)
{
    const rj_echo_counts_t *counts = &tool->counts;
    if (tool->is_live)
        fputs("\r\033[K", stderr);
    printf(
        "echoed %" PRIu64 " datagrams in %" PRIu64 " bytes of frames, refused %" PRIu64
        " (source %" PRIu64 ", hops %" PRIu64 ", sum %" PRIu64 "), passed %" PRIu64 " other frames",
        counts->packets[RJ_ECHO_ANSWERED], counts->bytes[RJ_ECHO_ANSWERED], refused_packets(counts),
        counts->packets[RJ_ECHO_PASS_SOURCE], counts->packets[RJ_ECHO_PASS_HOPS],
        counts->packets[RJ_ECHO_PASS_UNFINISHED], counts->packets[RJ_ECHO_PASS_OTHER]);
    if (tool->lost > 0)
        printf(", lost %" PRIu64 " at the other end", tool->lost);
    putchar('\n');
}

/* --- a run --- */

static void tell_start(const tool_t *tool)
{
    const rj_echo_t *echo = &tool->echo;
    const char *mode = rj_xdp_mode_name(echo->mode);
    bool has_reason = echo->why[0] != '\0';
    if (tool->options.role == RJ_ECHO_PASSES) {
        say(tool, "%s: %s mode, passing everything", echo->interface, mode);
        return;
    }
    say(tool, "%s: %s mode%s%s%s, answering UDP port %u on %u addresses", echo->interface, mode,
        has_reason ? " (" : "", echo->why, has_reason ? ")" : "", echo->port, echo->address_count);
}

/* Once a second. */
static int look(tool_t *tool, rj_err_t *err)
{
    uint64_t before = tool->counts.packets[RJ_ECHO_ANSWERED];
    int code = rj_echo_refresh(&tool->echo, err);
    if (code == 0 && tool->options.role == RJ_ECHO_ANSWERS) {
        code = rj_echo_read(&tool->echo, &tool->counts, err);
        notice_losses(tool);
        if (code == 0 && tool->format == RJ_OUTPUT_JSON)
            report_json(tool);
        else if (code == 0 && tool->is_live)
            report_live(tool, before);
    }
    return code;
}

static int serve(tool_t *tool, rj_err_t *err)
{
    int64_t begin_ns = rj_clock_mono_ns();
    int64_t due_ns = begin_ns + SECOND_NS;
    int code = 0;
    while (code == 0 && !is_interrupted) {
        int64_t now_ns = rj_clock_mono_ns();
        if (now_ns - begin_ns >= tool->duration_ns)
            break;
        if (now_ns >= due_ns) {
            due_ns += SECOND_NS;
            code = look(tool, err);
        }
        rj_clock_sleep_ns(TURN_NS);
    }
    return code;
}

static int run(tool_t *tool, rj_err_t *err)
{
    rj_err_t ignored;
    int code = rj_echo_open(&tool->echo, &tool->options, err);
    if (code < 0)
        return code;
    rj_veth_refused_count(tool->echo.interface, &tool->lost_begin, &ignored);
    tell_start(tool);
    tell_about_peer(tool);
    code = serve(tool, err);
    if (tool->options.role == RJ_ECHO_PASSES)
        return code;
    rj_echo_read(&tool->echo, &tool->counts, &ignored);
    notice_losses(tool);
    if (tool->format == RJ_OUTPUT_JSON)
        report_json(tool);
    else
        report_end(tool);
    return code;
}

int rj_cmd_echo(int argc, char **argv)
{
    static tool_t tool = {
        .options = {.port = PORT_DEFAULT}, .duration_ns = INT64_MAX, .echo = {.link_fd = -1}};
    rj_err_t err = {0};
    rj_options_parse(&argp, "ramjet echo", 0, argc, argv, &tool);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    tool.is_live = tool.format != RJ_OUTPUT_JSON && isatty(STDERR_FILENO);
    rj_output_init(&tool.output, stdout, RJ_OUTPUT_JSON, columns,
                   sizeof(columns) / sizeof(columns[0]));
    int code = run(&tool, &err);
    rj_echo_close(&tool.echo);
    if (code < 0)
        say(&tool, "%s", err.text);
    return code < 0 ? RJ_EXIT_FAILED : RJ_EXIT_DONE;
}
