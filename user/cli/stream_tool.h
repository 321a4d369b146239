/* SPDX-License-Identifier: Apache-2.0 */
/* stream_tool.h - what pub, sub, ping and pong have in common: their options, their client, how
 * they idle and how they end.
 *
 * A tool runs its client's conductor itself, in its one thread: in every turn that had nothing to
 * do, and at least every few milliseconds otherwise. An embedded driver works in every turn.
 *
 * Units      times in ns of the monotonic clock.
 * Ownership  the caller owns the struct, which owns the client.
 * Thread     the main thread.
 * Errors     what goes wrong is printed where it happens, as one line `<command>: ...` on stderr,
 *            and told by a false or negative result.
 */
#ifndef RJ_CLI_STREAM_TOOL_H
#define RJ_CLI_STREAM_TOOL_H

#include <ramjet/ramjet.h>

#include "cli/driver_options.h"
#include "cli/embedded.h"
#include "cli/options.h"
#include "cli/output.h"

#include <stdbool.h>

enum {
    RJ_KEY_DIR = 0x200,
    RJ_KEY_CHANNEL,
    RJ_KEY_STREAM,
    RJ_KEY_IDLE_SLEEP,
    RJ_KEY_CONNECT_TIMEOUT,
    RJ_KEY_JSON,
    RJ_KEY_EMBEDDED,
    RJ_KEY_CPU,
};

/* The rows of the common options, for a command's table. */
#define RJ_STREAM_TOOL_ROWS                                                                        \
    {"dir", RJ_KEY_DIR, "DIR", 0, "The driver's directory (AERON_DIR, /dev/shm/aeron-USER)", 8},   \
        {"idle-sleep",                                                                             \
         RJ_KEY_IDLE_SLEEP,                                                                        \
         "TIME",                                                                                   \
         0,                                                                                        \
         "How long to sleep with nothing to do (50us); 0us spins",                                 \
         8},                                                                                       \
        {"connect-timeout",                                                                        \
         RJ_KEY_CONNECT_TIMEOUT,                                                                   \
         "TIME",                                                                                   \
         0,                                                                                        \
         "How long to wait for the other side (pub, ping: 10s; else for ever); 0s: for ever",      \
         8},                                                                                       \
    {                                                                                              \
        "json", RJ_KEY_JSON, NULL, 0, "Report in JSON, one object a line", 8                       \
    }

/* Those of a tool that can run its driver itself: it has rj_driver_options_argp as a child. */
#define RJ_STREAM_TOOL_EMBEDDED_ROWS                                                               \
    {"embedded",                                                                                   \
     RJ_KEY_EMBEDDED,                                                                              \
     NULL,                                                                                         \
     0,                                                                                            \
     "Be one's own media driver, in the same thread, which then spins",                            \
     3},                                                                                           \
    {                                                                                              \
        "cpu", RJ_KEY_CPU, "N", 0, "Run on this CPU alone", 3                                      \
    }

typedef struct rj_stream_tool {
    const char *command; /* as typed: "ramjet pub" */
    const char *directory;
    const char *channel;
    int32_t stream_id;
    int64_t idle_sleep_ns;      /* -1: not given */
    int64_t connect_timeout_ns; /* INT64_MAX: for ever */
    rj_output_format_t format;
    rj_client_t *client;
    int64_t turn_ns; /* when the last turn began */
    int64_t turn_deadline_ns;
    bool is_embedded;
    int cpu; /* -1: any */
    rj_driver_options_t driver_options;
    rj_media_driver_t *driver; /* when is_embedded */
} rj_stream_tool_t;

/* Sets the defaults. Who is called, sub and pong, waits for the caller for ever. */
void rj_stream_tool_init(rj_stream_tool_t *tool, const char *command, const char *channel,
                         int32_t stream_id);

/* For a command's parser: takes a common option; false if it is none. */
bool rj_stream_tool_take_option(rj_stream_tool_t *tool, int key, char *arg,
                                struct argp_state *state);

/* The same for a tool that can be its own driver; also to be called at ARGP_KEY_INIT and
 * ARGP_KEY_END. */
bool rj_stream_tool_take_embedded_option(rj_stream_tool_t *tool, int key, char *arg,
                                         struct argp_state *state);

/* Catches SIGINT and SIGTERM, starts the driver when it is embedded, and connects to it. */
int rj_stream_tool_open(rj_stream_tool_t *tool);

/* Closes the client, then an embedded driver. */
void rj_stream_tool_close(rj_stream_tool_t *tool);

/* True after Ctrl-C or SIGTERM. */
bool rj_stream_tool_is_interrupted(void);

/* Runs an embedded driver, and the conductor if it is due. False when the tool must end:
 * interrupted, or its client was closed. */
bool rj_stream_tool_turn(rj_stream_tool_t *tool, int64_t now_ns);

/* Runs the conductor and sleeps; returns as turn does. */
bool rj_stream_tool_idle(rj_stream_tool_t *tool);

/* Both wait for the driver's answer; NULL when it refused. */
rj_publication_t *rj_stream_tool_add_publication(rj_stream_tool_t *tool, const char *channel,
                                                 int32_t stream_id, rj_publication_kind_t kind);
rj_subscription_t *rj_stream_tool_add_subscription(rj_stream_tool_t *tool, const char *channel,
                                                   int32_t stream_id,
                                                   const rj_image_handlers_t *handlers);

/* Wait until somebody is at the other end, at most the connect time-out. */
bool rj_stream_tool_await_subscriber(rj_stream_tool_t *tool, const rj_publication_t *publication);
bool rj_stream_tool_await_publisher(rj_stream_tool_t *tool, const rj_subscription_t *subscription);

/* Prints `<command>: <text>` on stderr. */
void rj_stream_tool_complain(const rj_stream_tool_t *tool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
