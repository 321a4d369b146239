/* SPDX-License-Identifier: Apache-2.0 */
/* agent.h - threads that run agents, and what they do when there is nothing to do.
 *
 * An agent is a bounded duty cycle that answers how much it did. A runner calls the agents of one
 * thread with one reading of the clock a turn and hands the sum to its idle strategy (driver.md 1).
 *
 *   work --0--> spin `spins` times --> yield `yields` times --> park, each time twice as long
 *    ^----------------------------- any work -----------------------------'
 *
 * Units      ns.
 * Ownership  the caller owns runners, agents and what they point at, until `stop` has returned.
 * Thread     start and stop: one. do_work: the runner's thread.
 * Errors     start: negative errno; a CPU that cannot be had is no error, `pin_result` tells.
 */
#ifndef RJ_DRIVER_AGENT_H
#define RJ_DRIVER_AGENT_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "config/config.h"

enum {
    RJ_RUNNER_AGENTS_MAX = RJ_ENGINES_MAX + 3, /* and conductor, helper, whoever looks for an end */
    RJ_BACKOFF_SPINS = 10,
    RJ_BACKOFF_YIELDS =
        0, /* ours: a thread that yields to a busy one starves (spec measuring.md 3) */
    RJ_BACKOFF_PARK_MIN_NS = 1000,
    RJ_BACKOFF_PARK_MAX_NS = 100000,
    RJ_WAKE_NS_MAX = 100000000, /* who waits to be woken looks this often for itself */
};

typedef enum rj_idle_kind {
    RJ_IDLE_NOOP,
    RJ_IDLE_SPIN,
    RJ_IDLE_YIELD,
    RJ_IDLE_SLEEP,
    RJ_IDLE_BACKOFF
} rj_idle_kind_t;

typedef struct rj_idle {
    rj_idle_kind_t kind;
    int64_t spins_max;
    int64_t yields_max;
    int64_t park_min_ns; /* also what `sleep` sleeps */
    int64_t park_max_ns;
    int64_t count; /* idle turns in a row, up to spins_max + yields_max */
    int64_t park_ns;
} rj_idle_t;

/* Reads name and arguments of driver.md 1.1. -EINVAL for a name that is not built in (foreign
 * symbols are not loaded) and for arguments that are not of its form. */
int rj_idle_init(rj_idle_t *idle, const rj_idle_config_t *config, rj_err_t *err);

/* What the next idle turn is to do; pure, so that it can be tested: returns the ns to sleep, 0 for
 * none, and sets `*ret_yields`. Any work starts the back-off again. */
int64_t rj_idle_next(rj_idle_t *idle, int work, bool *ret_yields);

typedef struct rj_agent {
    int (*do_work)(void *state, int64_t now_ns);
    void *state;
    void (*end)(void *state); /* from its thread after the last turn; NULL: nothing to do then */
} rj_agent_t;

typedef struct rj_runner {
    const char *name; /* of the thread, at most 15 bytes count */
    rj_agent_t agents[RJ_RUNNER_AGENTS_MAX];
    int agent_count;
    rj_idle_t idle;
    bool is_woken; /* with nothing to do it waits for rj_runner_wake, whatever `idle` says */
    sem_t wake;
    sem_t begun;    /* the thread has its name and its CPU, or knows that it cannot have that */
    int cpu;        /* -1: any */
    int pin_result; /* 0, or the negative errno with which the CPU was not to be had */
    int32_t is_running;
    bool has_thread; /* constant between start and close: who wakes it reads it */
    bool has_ended;
    pthread_t thread;
} rj_runner_t;

/* Runs the agents in a thread of their own, which takes no signals; `pin_result` is known then. */
int rj_runner_start(rj_runner_t *runner, rj_err_t *err);

/* `start` for who has a thread already: the calling one is the runner's, and keeps its own name
 * unless told otherwise. */
void rj_runner_take_thread(rj_runner_t *runner, bool is_renamed);

/* Runs the agents in the calling thread until stop. */
void rj_runner_run(rj_runner_t *runner);

/* There is work for a runner that waits to be woken; nothing happens to one that has ended. From
 * the thread that starts and stops it; never blocks. */
void rj_runner_wake(rj_runner_t *runner);

/* Makes the loop end after its turn; safe in a signal handler. */
void rj_runner_signal_stop(rj_runner_t *runner);

/* Stops and joins; a look-up of a name that takes long is cut short. Safe on a runner that was
 * never started. */
void rj_runner_stop(rj_runner_t *runner);

/* After stop, and once nobody wakes it any more: the threads that might have stopped too. Safe on a
 * runner that was never started. */
void rj_runner_close(rj_runner_t *runner);

#endif
