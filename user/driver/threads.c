/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/threads.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { FIRST, HELPER, ENGINES /* the first of them, where engines have threads */ };

/* --- names (driver.md 1) --- */

static const char *const role_names[RJ_ROLE_COUNT][2] = {
    [RJ_ROLE_CONDUCTOR] = {"conductor", "aeron-md-cnd"},
    [RJ_ROLE_SENDER] = {"sender", "aeron-md-snd"},
    [RJ_ROLE_RECEIVER] = {"receiver", "aeron-md-rcv"},
    [RJ_ROLE_SHARED_NETWORK] = {"[sender, receiver]", "aeron-md-net"},
    [RJ_ROLE_SHARED] = {"[conductor, sender, receiver]", "aeron-md-shd"},
    [RJ_ROLE_HELPER] = {"aeron-md-nra", "aeron-md-nra"},
};

static const char *role_name(const rj_driver_config_t *config, rj_thread_role_t role)
{
    return role_names[role][config->thread_naming == RJ_THREAD_NAMES_NEW];
}

/* --- agents --- */

static int work_conductor(void *state, int64_t now_ns)
{
    return rj_driver_conductor_work(state, now_ns, rj_clock_epoch_ms());
}

static int work_engine(void *state, int64_t now_ns)
{
    const rj_engine_agent_t *agent = state;
    return rj_driver_engine_work(agent->driver, agent->index, now_ns);
}

static void end_engine(void *state)
{
    const rj_engine_agent_t *agent = state;
    rj_driver_engine_end(agent->driver, agent->index);
}

static int work_helper(void *state, int64_t now_ns)
{
    return rj_driver_helper_work(state, now_ns);
}

static void add_agent(rj_runner_t *runner, int (*do_work)(void *state, int64_t now_ns), void *state)
{
    runner->agents[runner->agent_count++] = (rj_agent_t){.do_work = do_work, .state = state};
}

static void add_engine(rj_runner_t *runner, rj_engine_agent_t *engine)
{
    runner->agents[runner->agent_count++] =
        (rj_agent_t){.do_work = work_engine, .state = engine, .end = end_engine};
}

/* --- arrangement --- */

static int add_runner(rj_driver_threads_t *threads, const rj_driver_config_t *config,
                      rj_thread_role_t role, const char *name, int64_t cpu, rj_err_t *err)
{
    char *kept = threads->names[threads->runner_count];
    rj_runner_t *runner = &threads->runners[threads->runner_count++];
    snprintf(kept, RJ_THREAD_NAME_MAX, "%s", name);
    *runner = (rj_runner_t){.name = kept, .cpu = (int)cpu, .is_running = 1};
    return rj_idle_init(&runner->idle, &config->idle[role], err);
}

static int add_role(rj_driver_threads_t *threads, const rj_driver_config_t *config,
                    rj_thread_role_t role, int64_t cpu, rj_err_t *err)
{
    return add_runner(threads, config, role, role_name(config, role), cpu, err);
}

static int check_engine_idles(const rj_driver_config_t *config, rj_err_t *err)
{
    rj_idle_t idle;
    if (config->threading_mode != RJ_THREADING_DEDICATED)
        return rj_idle_init(&idle, &config->idle[RJ_ROLE_SHARED_NETWORK], err);
    const int result = rj_idle_init(&idle, &config->idle[RJ_ROLE_SENDER], err);
    return result < 0 ? result : rj_idle_init(&idle, &config->idle[RJ_ROLE_RECEIVER], err);
}

int rj_driver_threads_open(rj_driver_threads_t *threads, const rj_driver_config_t *config,
                           rj_err_t *err)
{
    const bool is_shared = config->threading_mode == RJ_THREADING_SHARED;
    *threads = (rj_driver_threads_t){.names_main = config->thread_naming == RJ_THREAD_NAMES_NEW};
    if (config->threading_mode == RJ_THREADING_INVOKER)
        return rj_fail(err, -EINVAL,
                       "INVOKER threading mode requires manual_main_loop: it is for programs that "
                       "embed the driver");
    int result = add_role(threads, config, is_shared ? RJ_ROLE_SHARED : RJ_ROLE_CONDUCTOR,
                          config->conductor_cpu, err);
    if (result == 0)
        result = add_role(threads, config, RJ_ROLE_HELPER, config->helper_cpu, err);
    threads->runners[HELPER].is_woken =
        is_shared && config->resolver_supplier != RJ_RESOLVER_SUPPLIER_DRIVER;
    return result == 0 && !is_shared ? check_engine_idles(config, err) : result;
}

/* The engine of a queue is idle as the thread is that the reference has in its place, and has the
 * CPU of the list, where there is one. */
static int add_ring_runner(rj_driver_threads_t *threads, const rj_driver_config_t *config,
                           int index, rj_err_t *err)
{
    const bool is_dedicated = config->threading_mode == RJ_THREADING_DEDICATED;
    int64_t cpu = is_dedicated ? config->receiver_cpu : config->sender_cpu;
    char name[RJ_THREAD_NAME_MAX];
    if (index < config->engine_cpu_count)
        cpu = config->engine_cpus[index];
    snprintf(name, sizeof(name), "%sengine-%d",
             config->thread_naming == RJ_THREAD_NAMES_NEW ? "md-" : "", index);
    return add_runner(threads, config, is_dedicated ? RJ_ROLE_RECEIVER : RJ_ROLE_SHARED_NETWORK,
                      name, cpu, err);
}

static int add_engine_runners(rj_driver_threads_t *threads, const rj_driver_config_t *config,
                              rj_err_t *err)
{
    int result = 0;
    if (rj_driver_has_rings(threads->driver)) {
        for (int i = 0; result == 0 && i < rj_driver_engine_count(threads->driver); i++)
            result = add_ring_runner(threads, config, i, err);
        return result;
    }
    if (config->threading_mode != RJ_THREADING_DEDICATED)
        return add_role(threads, config, RJ_ROLE_SHARED_NETWORK, config->sender_cpu, err);
    result = add_role(threads, config, RJ_ROLE_SENDER, config->sender_cpu, err);
    return result < 0 ? result
                      : add_role(threads, config, RJ_ROLE_RECEIVER, config->receiver_cpu, err);
}

/* How many engines there are is known only now. */
int rj_driver_threads_fill(rj_driver_threads_t *threads, rj_driver_t *driver,
                           const rj_driver_config_t *config, rj_err_t *err)
{
    const bool is_shared = config->threading_mode == RJ_THREADING_SHARED;
    threads->driver = driver;
    const int result = is_shared ? 0 : add_engine_runners(threads, config, err);
    if (result < 0)
        return result;
    for (int i = 0; i < rj_driver_engine_count(driver); i++) {
        threads->engines[i] = (rj_engine_agent_t){driver, i};
        add_engine(&threads->runners[is_shared ? FIRST : ENGINES + i], &threads->engines[i]);
    }
    add_agent(&threads->runners[HELPER], work_helper, driver);
    add_agent(&threads->runners[FIRST], work_conductor, driver);
    return 0;
}

void rj_driver_threads_add(rj_driver_threads_t *threads,
                           int (*do_work)(void *state, int64_t now_ns), void *state)
{
    add_agent(&threads->runners[FIRST], do_work, state);
}

bool rj_driver_threads_helper_is_woken(const rj_driver_threads_t *threads)
{
    return threads->runners[HELPER].is_woken;
}

void rj_driver_threads_wake_helper(void *state)
{
    rj_driver_threads_t *threads = state;
    rj_runner_wake(&threads->runners[HELPER]);
}

/* --- lives --- */

/* As the reference: a CPU that is not to be had is told in the error log, and that is all. The log
 * is the conductor's to write, so this is an agent of its thread, which is the last to start. */
static int tell_pinning(void *state, int64_t now_ns)
{
    rj_driver_threads_t *threads = state;
    (void)now_ns;
    for (; threads->told_count < threads->runner_count; threads->told_count++) {
        const rj_runner_t *runner = &threads->runners[threads->told_count];
        char text[128];
        snprintf(text, sizeof(text), "thread %s stays on any CPU, CPU %d is not to be had: %s",
                 runner->name, runner->cpu, strerror(-runner->pin_result));
        if (runner->pin_result < 0)
            rj_driver_warn(threads->driver, text);
    }
    return 0;
}

int rj_driver_threads_start(rj_driver_threads_t *threads, rj_first_thread_t first, rj_err_t *err)
{
    rj_runner_t *conductor = &threads->runners[FIRST];
    int result = 0;
    add_agent(conductor, tell_pinning, threads);
    for (int i = threads->runner_count - 1; result == 0 && i > FIRST; i--)
        result = rj_runner_start(&threads->runners[i], err);
    if (result < 0)
        return result;
    if (first == RJ_FIRST_THREAD_NEW)
        return rj_runner_start(conductor, err);
    rj_runner_take_thread(conductor, threads->names_main);
    return 0;
}

void rj_driver_threads_run(rj_driver_threads_t *threads)
{
    rj_runner_run(&threads->runners[FIRST]);
}

void rj_driver_threads_signal_stop(rj_driver_threads_t *threads)
{
    rj_runner_signal_stop(&threads->runners[FIRST]);
}

void rj_driver_threads_stop(rj_driver_threads_t *threads)
{
    for (int i = threads->runner_count - 1; i >= 0; i--)
        rj_runner_stop(&threads->runners[i]);
    /* The conductor's thread is the last, and may wake the helper's until then. */
    for (int i = threads->runner_count - 1; i >= 0; i--)
        rj_runner_close(&threads->runners[i]);
}
