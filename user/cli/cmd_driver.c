/* SPDX-License-Identifier: Apache-2.0 */
/* ramjet driver: the media driver in the foreground, also under the name aeronmd. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/driver_options.h"
#include "cli/driver_start.h"
#include "cli/options.h"
#include "config/config.h"
#include "driver/agent.h"
#include "driver/driver.h"

enum {
    RUNNERS_MAX = 2 + RJ_ENGINES_MAX,
    HELPER_RUNNER = 1,
    ENGINE_RUNNER = 2,      /* the first of them, where engines have threads */
    THREAD_NAME_BYTES = 24, /* the system shows 15 of them */
    ECHO_NS = 1000000000,
    OPTION_SETTINGS = 0x100,
};

/* --- the command line --- */

static const struct argp_option option_rows[] = {
    {"dir", 'd', "DIR", 0, "driver directory (AERON_DIR)", 0},
    {"settings", OPTION_SETTINGS, NULL, 0, "print every setting with its default and end", 0},
    {0}};

static int parse_row(int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->input;
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
    case ARGP_KEY_ARG:
        rj_options_fail(state, "%s: no operand is expected: settings are given by -D", arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&rj_driver_options_argp, 0, NULL, 0}, {0}};

static const struct argp argp = {
    .options = option_rows,
    .parser = parse_row,
    .children = children,
    .doc = "Runs the media driver in the foreground until SIGINT, SIGTERM or a terminate command. "
           "Settings come from the environment (AERON_*, RAMJET_*), then from -D and options.\v"
           "Examples:\n  ramjet driver --dir /dev/shm/aeron-demo -D aeron.threading.mode=SHARED\n"
           "  ramjet driver --interface eth0 --queues 0-3\n"};

/* --- agents in threads --- */

typedef struct daemon {
    rj_driver_t *driver;
    rj_runner_t runners[RUNNERS_MAX];
    int runner_count;
} daemon_t;

typedef struct engine_agent {
    rj_driver_t *driver;
    int index;
} engine_agent_t;

static engine_agent_t engine_agents[RJ_ENGINES_MAX];
static char engine_names[RJ_ENGINES_MAX][THREAD_NAME_BYTES];
static daemon_t the_daemon;
static volatile sig_atomic_t stop_signal;

static int work_conductor(void *state, int64_t now_ns)
{
    return rj_driver_conductor_work(state, now_ns, rj_clock_epoch_ms());
}

static int work_engine(void *state, int64_t now_ns)
{
    const engine_agent_t *agent = state;
    return rj_driver_engine_work(agent->driver, agent->index, now_ns);
}

static int work_helper(void *state, int64_t now_ns)
{
    return rj_driver_helper_work(state, now_ns);
}

/* The loop of the main thread: it also looks whether somebody wants an end. */
static int work_end(void *state, int64_t now_ns)
{
    const daemon_t *daemon = state;
    (void)now_ns;
    if (stop_signal != 0 || rj_driver_is_terminated(daemon->driver))
        rj_runner_signal_stop(&the_daemon.runners[0]);
    return 0;
}

static int add_runner(daemon_t *daemon, const rj_driver_config_t *config, rj_thread_role_t role,
                      const char *name, int64_t cpu, rj_err_t *err)
{
    rj_runner_t *runner = &daemon->runners[daemon->runner_count++];
    *runner = (rj_runner_t){.name = name, .cpu = (int)cpu, .is_running = 1};
    return rj_idle_init(&runner->idle, &config->idle[role], err);
}

static void add_agent(rj_runner_t *runner, int (*do_work)(void *state, int64_t now_ns), void *state)
{
    runner->agents[runner->agent_count++] = (rj_agent_t){do_work, state};
}

/* What engines will do when idle; a driver that cannot start leaves every directory alone. */
static int check_engine_idles(const rj_driver_config_t *config, rj_err_t *err)
{
    rj_idle_t idle;
    if (config->threading_mode != RJ_THREADING_DEDICATED)
        return rj_idle_init(&idle, &config->idle[RJ_ROLE_SHARED_NETWORK], err);
    int result = rj_idle_init(&idle, &config->idle[RJ_ROLE_SENDER], err);
    return result < 0 ? result : rj_idle_init(&idle, &config->idle[RJ_ROLE_RECEIVER], err);
}

/* Which agents share a thread (docs/architecture.md); runner 0 is the main thread's, runner 1 the
 * helper's. SHARED has one too, against its name: a look-up of a name may take longer than clients
 * live without a driver's heartbeat. There it sleeps until it is woken, and costs nothing,
 * unless it has to listen to other drivers. */
static int arrange(daemon_t *daemon, const rj_driver_config_t *config, rj_err_t *err)
{
    bool is_shared = config->threading_mode == RJ_THREADING_SHARED;
    int result =
        is_shared ? add_runner(daemon, config, RJ_ROLE_SHARED, "ramjet", config->conductor_cpu, err)
                  : add_runner(daemon, config, RJ_ROLE_CONDUCTOR, "conductor",
                               config->conductor_cpu, err);
    if (result == 0)
        result =
            add_runner(daemon, config, RJ_ROLE_HELPER, "aeron-md-nra", config->helper_cpu, err);
    daemon->runners[HELPER_RUNNER].is_woken =
        is_shared && config->resolver_supplier != RJ_RESOLVER_SUPPLIER_DRIVER;
    return result == 0 && !is_shared ? check_engine_idles(config, err) : result;
}

/* The engine of a queue is idle as the thread is that the reference has in its place, and has the
 * CPU of the list, where there is one. */
static int add_ring_runner(daemon_t *daemon, const rj_driver_config_t *config, int index,
                           rj_err_t *err)
{
    bool is_dedicated = config->threading_mode == RJ_THREADING_DEDICATED;
    int64_t cpu = is_dedicated ? config->receiver_cpu : config->sender_cpu;
    if (index < config->engine_cpu_count)
        cpu = config->engine_cpus[index];
    snprintf(engine_names[index], sizeof(engine_names[index]), "engine-%d", index);
    return add_runner(daemon, config, is_dedicated ? RJ_ROLE_RECEIVER : RJ_ROLE_SHARED_NETWORK,
                      engine_names[index], cpu, err);
}

static int add_engine_runners(daemon_t *daemon, const rj_driver_config_t *config, rj_err_t *err)
{
    int result = 0;
    if (rj_driver_has_rings(daemon->driver)) {
        for (int i = 0; result == 0 && i < rj_driver_engine_count(daemon->driver); i++)
            result = add_ring_runner(daemon, config, i, err);
        return result;
    }
    if (config->threading_mode != RJ_THREADING_DEDICATED)
        return add_runner(daemon, config, RJ_ROLE_SHARED_NETWORK, "[sender, receiver]",
                          config->sender_cpu, err);
    result = add_runner(daemon, config, RJ_ROLE_SENDER, "sender", config->sender_cpu, err);
    return result < 0 ? result
                      : add_runner(daemon, config, RJ_ROLE_RECEIVER, "receiver",
                                   config->receiver_cpu, err);
}

/* How many engines there are is known only now. */
static int fill(daemon_t *daemon, const rj_driver_config_t *config, rj_err_t *err)
{
    bool is_shared = config->threading_mode == RJ_THREADING_SHARED;
    int result = is_shared ? 0 : add_engine_runners(daemon, config, err);
    if (result < 0)
        return result;
    for (int i = 0; i < rj_driver_engine_count(daemon->driver); i++) {
        engine_agents[i] = (engine_agent_t){daemon->driver, i};
        add_agent(&daemon->runners[is_shared ? 0 : ENGINE_RUNNER + i], work_engine,
                  &engine_agents[i]);
    }
    add_agent(&daemon->runners[HELPER_RUNNER], work_helper, daemon->driver);
    add_agent(&daemon->runners[0], work_conductor, daemon->driver);
    add_agent(&daemon->runners[0], work_end, daemon);
    return 0;
}

static void wake_helper(void *state)
{
    daemon_t *daemon = state;
    rj_runner_wake(&daemon->runners[HELPER_RUNNER]);
}

/* As the reference: a CPU that is not to be had is told in the error log, and that is all. */
static void note_pinning(daemon_t *daemon)
{
    for (int i = 0; i < daemon->runner_count; i++) {
        const rj_runner_t *runner = &daemon->runners[i];
        char text[128];
        snprintf(text, sizeof(text), "thread %s stays on any CPU, CPU %d is not to be had: %s",
                 runner->name, runner->cpu, strerror(-runner->pin_result));
        if (runner->pin_result < 0)
            rj_driver_warn(daemon->driver, text);
    }
}

static int run_agents(daemon_t *daemon, rj_err_t *err)
{
    int result = 0;
    rj_runner_take_thread(&daemon->runners[0]);
    for (int i = 1; result == 0 && i < daemon->runner_count; i++)
        result = rj_runner_start(&daemon->runners[i], err);
    if (result == 0) {
        note_pinning(daemon);
        rj_runner_run(&daemon->runners[0]);
    }
    for (int i = daemon->runner_count - 1; i > 0; i--)
        rj_runner_stop(&daemon->runners[i]);
    return result;
}

/* --- start and end --- */

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

static bool is_interrupted(void)
{
    return stop_signal != 0;
}

static int start(daemon_t *daemon, rj_driver_config_t *config, rj_err_t *err)
{
    int result = rj_driver_settle(config, err);
    if (result == 0 && config->threading_mode == RJ_THREADING_INVOKER)
        result = rj_fail(err, -EINVAL,
                         "INVOKER threading mode requires manual_main_loop: it is for "
                         "programs that embed the driver");
    if (result == 0)
        result = arrange(daemon, config, err);
    const rj_driver_start_t how = {
        .is_interrupted = is_interrupted,
        .wake_helper = config->threading_mode == RJ_THREADING_SHARED ? wake_helper : NULL,
        .wake_helper_state = daemon,
        .privilege = RJ_RING_REDUCE_PRIVILEGE,
        .attach = strcmp(program_invocation_short_name, "aeronmd") == 0 ? RJ_RING_ATTACH_NEVER
                                                                        : RJ_RING_ATTACH_NAMED,
    };
    return result == 0 ? rj_driver_start(&daemon->driver, config, &how, err) : result;
}

int rj_cmd_driver(int argc, char **argv)
{
    rj_driver_options_t options = {.first = NULL};
    rj_options_parse(&argp, "ramjet driver", 0, argc, argv, &options);
    rj_driver_config_t config;
    rj_config_read(&config, rj_config_environment, NULL, stderr);
    catch_signals();
    rj_err_t err = {0};
    int result = start(&the_daemon, &config, &err);
    if (result == 0) {
        if (config.print_configuration)
            rj_config_print(&config, NULL, stdout);
        fflush(stdout);
        result = fill(&the_daemon, &config, &err);
        if (result == 0)
            result = run_agents(&the_daemon, &err);
    }
    if (result == 0 || stop_signal != 0) {
        printf("Shutting down driver...\n");
        fflush(stdout);
    }
    rj_driver_close(the_daemon.driver);
    if (result < 0 && stop_signal == 0) {
        fprintf(stderr, "ramjet driver: %s\n", err.text);
        return RJ_EXIT_FAILED;
    }
    /* As the reference: the signal's number, 0 after a terminate command. */
    return stop_signal;
}
