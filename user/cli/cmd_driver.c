/* SPDX-License-Identifier: Apache-2.0 */
/* ramjet driver: the media driver in the foreground. Called aeronmd it has that program's command
 * line and manner: settings come by the environment, -D and property files alone, and stderr stays
 * empty unless something that somebody asked for failed. */
#include <ramjet/version.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/driver_options.h"
#include "cli/options.h"
#include "cli/property_file.h"
#include "config/config.h"
#include "config/property.h"
#include "driver/start.h"
#include "driver/threads.h"

enum {
    ECHO_NS = 1000000000,
    OPTION_SETTINGS = 0x100,
    OPTION_SETTING_ROWS,
    OPERANDS_MAX = 64,
};

/* --- the command line of `ramjet driver` --- */

typedef struct input {
    rj_driver_options_t options;
    const char *files[OPERANDS_MAX]; /* of properties */
    int file_count;
} input_t;

static const struct argp_option option_rows[] = {
    {"dir", 'd', "DIR", 0, "driver directory (AERON_DIR)", 0},
    {"settings", OPTION_SETTINGS, NULL, 0, "print every setting with its default and end", 0},
    {"setting-rows", OPTION_SETTING_ROWS, NULL, OPTION_HIDDEN, "the same for a document", 0},
    {NULL, 'v', NULL, OPTION_HIDDEN, "print the version and end", 0},
    {NULL, 'h', NULL, OPTION_HIDDEN, "print this and end", 0},
    {0}};

static void print_version(const char *name)
{
    printf("%s %s-ramjet-%s major %d minor %d patch %d git ramjet\n", name, RJ_AERON_VERSION_TEXT,
           RJ_VERSION_TEXT, RJ_AERON_VERSION_MAJOR, RJ_AERON_VERSION_MINOR, RJ_AERON_VERSION_PATCH);
}

static void take_file(input_t *input, const char *name, const struct argp_state *state)
{
    if (input->file_count == OPERANDS_MAX)
        rj_options_fail(state, "%s: at most %d property files", name, OPERANDS_MAX);
    input->files[input->file_count++] = name;
}

static int parse_row(int key, char *arg, struct argp_state *state)
{
    input_t *input = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &input->options;
        return 0;
    case 'd':
        if (arg[0] == '\0')
            rj_options_fail(state, "--dir: an empty value: leave it out for the default");
        if (setenv("AERON_DIR", arg, 1) != 0)
            rj_options_fail(state, "--dir %s: %s", arg, strerror(errno));
        return 0;
    case OPTION_SETTINGS:
        rj_config_print_help(stdout);
        exit(RJ_EXIT_DONE);
    case OPTION_SETTING_ROWS:
        rj_config_print_rows(stdout);
        exit(RJ_EXIT_DONE);
    case 'v':
        print_version("ramjet driver");
        exit(RJ_EXIT_DONE);
    case 'h':
        argp_help(state->root_argp, stdout,
                  ARGP_HELP_USAGE | ARGP_HELP_PRE_DOC | ARGP_HELP_LONG | ARGP_HELP_POST_DOC,
                  state->name);
        exit(RJ_EXIT_DONE);
    case ARGP_KEY_ARG:
        take_file(input, arg, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&rj_driver_options_argp, 0, NULL, 0}, {0}};

static const struct argp argp = {
    .options = option_rows,
    .parser = parse_row,
    .children = children,
    .args_doc = "[PROPERTIES...]",
    .doc = "Runs the media driver in the foreground until SIGINT, SIGTERM or a terminate command. "
           "Settings come from the environment (AERON_*, RAMJET_*), then from -D and options, then "
           "from property files, each a path or an http:// URL.\v"
           "Examples:\n  ramjet driver --dir /dev/shm/aeron-demo -D aeron.threading.mode=SHARED\n"
           "  ramjet driver --interface eth0 --queues 0-3\n"};

/* --- the command line of aeronmd (driver.md 22.1) --- */

static void print_usage(FILE *out, const char *name)
{
    fprintf(out,
            "Usage: %s [-v] [-Dname=value ...] [properties file or URL ...]\n"
            "Runs the ramjet media driver in the foreground. Settings come from the environment, "
            "then from -D,\nthen from the files. `ramjet driver --settings` lists them.\n",
            name);
}

static _Noreturn void fail_usage(const char *name)
{
    print_usage(stderr, name);
    exit(RJ_EXIT_FAILED);
}

/* One option; returns how many words it takes. */
static int take_option(char **argv, const char *name)
{
    rj_err_t err;
    const char *word = argv[0];
    if (strcmp(word, "-v") == 0) {
        print_version(name);
        exit(RJ_EXIT_DONE);
    }
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
        print_usage(stdout, name);
        /* As the reference, to which -h is an option like any other that it does not know. */
        exit(word[1] == 'h' ? RJ_EXIT_FAILED : RJ_EXIT_DONE);
    }
    if (strncmp(word, "-D", 2) != 0 || (word[2] == '\0' && argv[1] == NULL))
        fail_usage(name);
    if (rj_property_define(word[2] != '\0' ? word + 2 : argv[1], &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(RJ_EXIT_FAILED);
    }
    return word[2] != '\0' ? 1 : 2;
}

static void parse_as_aeronmd(int argc, char **argv, input_t *input)
{
    for (int i = 1; i < argc;) {
        if (argv[i][0] == '-') {
            i += take_option(&argv[i], argv[0]);
        } else if (input->file_count < OPERANDS_MAX) {
            input->files[input->file_count++] = argv[i++];
        } else {
            fail_usage(argv[0]);
        }
    }
}

/* --- start and end --- */

typedef struct daemon {
    const char *name; /* as it was called */
    bool is_aeronmd;
    rj_driver_config_t config;
    char choice[RJ_DRIVER_CHOICE_MAX];
    rj_driver_t *driver;
    rj_driver_threads_t threads;
} daemon_t;

static daemon_t the_daemon;
static volatile sig_atomic_t stop_signal;

/* Whoever asks twice does not want to wait for an orderly end. The same signal within a second is
 * an echo: timeout(1), for one, signals its child and then the child's whole group. */
static void on_signal(int number)
{
    static int64_t first_ns;
    int64_t now_ns = rj_clock_mono_ns();
    if (stop_signal == 0) {
        first_ns = now_ns;
        stop_signal = number;
    } else if (number != stop_signal || now_ns - first_ns > ECHO_NS) {
        signal(number, SIG_DFL);
        raise(number);
    }
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* Nobody listening to our words is no reason to leave without an end. */
    signal(SIGPIPE, SIG_IGN);
}

static bool is_interrupted(void *state)
{
    (void)state;
    return stop_signal != 0;
}

/* The loop of the main thread: it also looks whether somebody wants an end. */
static int work_end(void *state, int64_t now_ns)
{
    daemon_t *daemon = state;
    (void)now_ns;
    if (stop_signal != 0 || rj_driver_is_terminated(daemon->driver))
        rj_driver_threads_signal_stop(&daemon->threads);
    return 0;
}

/* What was asked for and refused is trouble, and belongs on stderr; what was chosen is not. Under
 * the name aeronmd that is told by a counter and the print-out alone, and so is what only an
 * interface that nobody named lacks. */
static void tell(void *state, rj_ring_told_t told, const char *text)
{
    const daemon_t *daemon = state;
    const bool is_asked_for =
        daemon->config.interface_count > 0 || rj_transport_is_ring(daemon->config.transport);
    if (told != RJ_RING_CHOSEN && (is_asked_for || !daemon->is_aeronmd))
        fprintf(stderr, "WARNING: %s\n", text);
    else if (!daemon->is_aeronmd)
        printf("%s\n", text);
}

static int load_files(const input_t *input, rj_err_t *err)
{
    for (int i = 0; i < input->file_count; i++) {
        const int result = rj_property_file_load(input->files[i], err);
        if (result < 0)
            return result;
    }
    return 0;
}

static int open_driver(daemon_t *daemon, rj_err_t *err)
{
    rj_property_warn_unknown(environ, stderr);
    rj_config_read(&daemon->config, rj_config_environment, NULL, stderr);
    int result = rj_driver_settle(&daemon->config, stderr, err);
    if (result == 0)
        result = rj_driver_threads_open(&daemon->threads, &daemon->config, err);
    if (result < 0)
        return result;
    const bool is_woken = rj_driver_threads_helper_is_woken(&daemon->threads);
    const rj_driver_start_t start = {
        .is_interrupted = is_interrupted,
        .wake_helper = is_woken ? rj_driver_threads_wake_helper : NULL,
        .wake_helper_state = &daemon->threads,
        .attach = daemon->is_aeronmd ? RJ_RING_ATTACH_NEVER : RJ_RING_ATTACH_NAMED,
        .privilege = RJ_RING_REDUCE_PRIVILEGE,
        .warnings = stderr,
        .tell = tell,
        .tell_state = daemon,
    };
    return rj_driver_start(&daemon->driver, &daemon->config, &start, daemon->choice, err);
}

static int run_driver(daemon_t *daemon, rj_err_t *err)
{
    if (daemon->config.print_configuration)
        rj_config_print(&daemon->config, daemon->choice, stdout);
    fflush(stdout);
    int result = rj_driver_threads_fill(&daemon->threads, daemon->driver, &daemon->config, err);
    if (result < 0)
        return result;
    rj_driver_threads_add(&daemon->threads, work_end, daemon);
    result = rj_driver_threads_start(&daemon->threads, RJ_FIRST_THREAD_CALLER, err);
    if (result == 0)
        rj_driver_threads_run(&daemon->threads);
    rj_driver_threads_stop(&daemon->threads);
    return result;
}

static int run(daemon_t *daemon, const input_t *input)
{
    rj_err_t err = {0};
    int result = load_files(input, &err);
    if (result < 0) {
        fprintf(stderr, "ERROR: %s\n", err.text);
        return RJ_EXIT_FAILED;
    }
    catch_signals();
    result = open_driver(daemon, &err);
    if (result == 0)
        result = run_driver(daemon, &err);
    if (result == 0 || stop_signal != 0) {
        printf("Shutting down driver...\n");
        fflush(stdout);
    }
    rj_driver_close(daemon->driver);
    if (result < 0 && stop_signal == 0) {
        fprintf(stderr, "%s: %s\n", daemon->name, err.text);
        return RJ_EXIT_FAILED;
    }
    /* As the reference: the signal's number, 0 after a terminate command. */
    return stop_signal;
}

int rj_cmd_driver(int argc, char **argv)
{
    input_t input = {.file_count = 0};
    the_daemon.name = "ramjet driver";
    rj_options_parse(&argp, the_daemon.name, 0, argc, argv, &input);
    return run(&the_daemon, &input);
}

int rj_cmd_aeronmd(int argc, char **argv)
{
    input_t input = {.file_count = 0};
    the_daemon.name = "aeronmd";
    the_daemon.is_aeronmd = true;
    parse_as_aeronmd(argc, argv, &input);
    return run(&the_daemon, &input);
}
