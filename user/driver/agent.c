/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/agent.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/quantity.h"

/* --- idle strategies --- */

static const struct {
    const char *name;
    const char *symbol; /* what the reference's users write */
    rj_idle_kind_t kind;
} idle_names[] = {
    {"noop", "aeron_idle_strategy_noop", RJ_IDLE_NOOP},
    {"spin", "aeron_idle_strategy_busy_spinning", RJ_IDLE_SPIN},
    {"yield", "aeron_idle_strategy_yielding", RJ_IDLE_YIELD},
    {"sleeping", "aeron_idle_strategy_sleeping", RJ_IDLE_SLEEP},
    {"sleep-ns", "aeron_idle_strategy_sleeping", RJ_IDLE_SLEEP},
    {"backoff", "aeron_idle_strategy_backoff", RJ_IDLE_BACKOFF},
};

/* The next field up to a dash or the end; moves `*text` behind it. */
static size_t next_field(const char **text, const char **ret_field)
{
    size_t length = strcspn(*text, "-");
    *ret_field = *text;
    *text += length + ((*text)[length] == '-');
    return length;
}

static int read_backoff(rj_idle_t *idle, const char *args, rj_err_t *err)
{
    const char *rest = args;
    int64_t *const fields[] = {&idle->spins_max, &idle->yields_max, &idle->park_min_ns,
                               &idle->park_max_ns};
    int dashes = 0;
    for (const char *c = args; *c != '\0'; c++)
        dashes += *c == '-';
    bool is_good = dashes == 3;
    for (int i = 0; is_good && i < 4; i++) {
        const char *field;
        size_t length = next_field(&rest, &field);
        is_good = rj_parse_duration(field, length, fields[i]) == 0;
    }
    if (!is_good || idle->park_max_ns < idle->park_min_ns || idle->park_min_ns < 1)
        return rj_fail(err, -EINVAL,
                       "idle strategy backoff: cannot read '%s': write spins-yields-min-max, as "
                       "10-20-1us-1ms",
                       args);
    return 0;
}

int rj_idle_init(rj_idle_t *idle, const rj_idle_config_t *config, rj_err_t *err)
{
    for (size_t i = 0; i < sizeof(idle_names) / sizeof(idle_names[0]); i++) {
        if (strcmp(config->name, idle_names[i].name) != 0 &&
            strcmp(config->name, idle_names[i].symbol) != 0)
            continue;
        *idle = (rj_idle_t){.kind = idle_names[i].kind, .park_min_ns = 1, .park_ns = 1};
        if (idle->kind == RJ_IDLE_SLEEP && config->args[0] != '\0' &&
            rj_parse_duration(config->args, strlen(config->args), &idle->park_min_ns) < 0)
            return rj_fail(err, -EINVAL,
                           "idle strategy %s: cannot read '%s': write a duration as 1ms",
                           config->name, config->args);
        if (idle->kind != RJ_IDLE_BACKOFF)
            return 0;
        idle->spins_max = RJ_BACKOFF_SPINS;
        idle->yields_max = RJ_BACKOFF_YIELDS;
        idle->park_min_ns = RJ_BACKOFF_PARK_MIN_NS;
        idle->park_max_ns = RJ_BACKOFF_PARK_MAX_NS;
        int result = config->args[0] == '\0' ? 0 : read_backoff(idle, config->args, err);
        idle->park_ns = idle->park_min_ns;
        return result;
    }
    return rj_fail(
        err, -EINVAL,
        "idle strategy '%s' is not built in, and foreign symbols are not loaded: use noop, "
        "spin, yield, sleep-ns or backoff",
        config->name);
}

int64_t rj_idle_next(rj_idle_t *idle, int work, bool *ret_yields)
{
    *ret_yields = false;
    if (work > 0) {
        idle->count = 0;
        idle->park_ns = idle->park_min_ns;
        return 0;
    }
    switch (idle->kind) {
    case RJ_IDLE_NOOP:
    case RJ_IDLE_SPIN:
        return 0;
    case RJ_IDLE_YIELD:
        *ret_yields = true;
        return 0;
    case RJ_IDLE_SLEEP:
        return idle->park_min_ns;
    case RJ_IDLE_BACKOFF:
        break;
    }
    if (idle->count < idle->spins_max + idle->yields_max) {
        *ret_yields = idle->count++ >= idle->spins_max;
        return 0;
    }
    int64_t park_ns = idle->park_ns;
    idle->park_ns = park_ns > idle->park_max_ns / 2 ? idle->park_max_ns : park_ns * 2;
    return park_ns;
}

static void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#endif
}

static void wait_idle(rj_idle_t *idle, int work)
{
    bool yields;
    int64_t sleep_ns = rj_idle_next(idle, work, &yields);
    if (work > 0 || idle->kind == RJ_IDLE_NOOP)
        return;
    if (sleep_ns > 0)
        rj_clock_sleep_ns(sleep_ns);
    else if (yields)
        sched_yield();
    else
        pause_cpu();
}

/* --- runners --- */

static void wait_to_be_woken(rj_runner_t *runner)
{
    struct timespec until;
    const int64_t until_ns = rj_clock_mono_ns() + RJ_WAKE_NS_MAX;
    until.tv_sec = (time_t)(until_ns / 1000000000);
    until.tv_nsec = (long)(until_ns % 1000000000);
    sem_clockwait(&runner->wake, CLOCK_MONOTONIC, &until);
}

static void end_agents(const rj_runner_t *runner)
{
    for (int i = 0; i < runner->agent_count; i++)
        if (runner->agents[i].end != NULL)
            runner->agents[i].end(runner->agents[i].state);
}

void rj_runner_run(rj_runner_t *runner)
{
    /* Acquire: pairs with the release of whoever stops it. */
    while (rj_load_acquire_i32(&runner->is_running) != 0) {
        int64_t now_ns = rj_clock_mono_ns();
        int work = 0;
        for (int i = 0; i < runner->agent_count; i++)
            work += runner->agents[i].do_work(runner->agents[i].state, now_ns);
        if (work <= 0 && runner->is_woken)
            wait_to_be_woken(runner);
        else
            wait_idle(&runner->idle, work);
    }
    end_agents(runner);
}

static int pin(int cpu)
{
    if (cpu < 0)
        return 0;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET((size_t)cpu, &cpus);
    return -pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
}

static void name_thread(const rj_runner_t *runner)
{
    char name[16];
    snprintf(name, sizeof(name), "%s", runner->name);
    pthread_setname_np(pthread_self(), name);
}

/* Only what may block for long lets itself be cut short (name/resolve_system.c). */
static void *thread_main(void *state)
{
    rj_runner_t *runner = state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    name_thread(runner);
    runner->pin_result = pin(runner->cpu);
    sem_post(&runner->begun);
    rj_runner_run(runner);
    return NULL;
}

/* Signals are for the program's own threads; faults are the exception, they are ours. */
static int create_thread(rj_runner_t *runner)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    const int result = pthread_create(&runner->thread, NULL, thread_main, runner);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

int rj_runner_start(rj_runner_t *runner, rj_err_t *err)
{
    rj_store_release_i32(&runner->is_running, 1);
    sem_init(&runner->wake, 0, 0);
    sem_init(&runner->begun, 0, 0);
    int result = create_thread(runner);
    if (result != 0)
        return rj_fail(err, -result, "thread %s: %s", runner->name, strerror(result));
    runner->has_thread = true;
    while (sem_wait(&runner->begun) != 0)
        continue; /* a signal */
    return 0;
}

void rj_runner_take_thread(rj_runner_t *runner, bool is_renamed)
{
    rj_store_release_i32(&runner->is_running, 1);
    if (is_renamed)
        name_thread(runner);
    runner->pin_result = pin(runner->cpu);
}

void rj_runner_wake(rj_runner_t *runner)
{
    if (runner->has_thread)
        sem_post(&runner->wake);
}

void rj_runner_signal_stop(rj_runner_t *runner)
{
    rj_store_release_i32(&runner->is_running, 0);
}

void rj_runner_stop(rj_runner_t *runner)
{
    rj_runner_signal_stop(runner);
    if (!runner->has_thread || runner->has_ended)
        return;
    rj_runner_wake(runner);
    pthread_cancel(runner->thread);
    pthread_join(runner->thread, NULL);
    runner->has_ended = true;
}

void rj_runner_close(rj_runner_t *runner)
{
    if (!runner->has_thread)
        return;
    sem_destroy(&runner->wake);
    sem_destroy(&runner->begun);
    runner->has_thread = false;
}
