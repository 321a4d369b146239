/* SPDX-License-Identifier: Apache-2.0 */
/* threads.h - which agents of a driver share a thread, by its threading mode, and their lives.
 *
 *   thread 0   the conductor, or in SHARED all agents but the helper; the daemon's main thread
 *   thread 1   the helper
 *   thread 2.. the engines, where they have threads of their own
 *
 * SHARED has a helper's thread too, against its name: a look-up of a name may take longer than
 * clients live without a driver's heartbeat. There it sleeps until it is woken, and costs nothing,
 * unless it has to listen to other drivers.
 *
 * Units      ns.
 * Ownership  the caller owns the struct and the driver; both stay in place until `stop`.
 * Thread     one for all calls, but `signal_stop`.
 * Errors     negative errno and a text.
 */
#ifndef RJ_DRIVER_THREADS_H
#define RJ_DRIVER_THREADS_H

#include "driver/agent.h"
#include "driver/driver.h"

enum {
    RJ_DRIVER_THREADS_MAX = 2 + RJ_ENGINES_MAX,
    RJ_THREAD_NAME_MAX = 32 /* the system shows 15 bytes */
};

typedef struct rj_engine_agent {
    rj_driver_t *driver;
    int index;
} rj_engine_agent_t;

typedef struct rj_driver_threads {
    rj_driver_t *driver;
    rj_runner_t runners[RJ_DRIVER_THREADS_MAX];
    int runner_count;
    rj_engine_agent_t engines[RJ_ENGINES_MAX];
    char names[RJ_DRIVER_THREADS_MAX][RJ_THREAD_NAME_MAX];
    int told_count;  /* of those whose CPU was looked at */
    bool names_main; /* as the reference, in new naming only: the thread that it was given */
} rj_driver_threads_t;

/* What the threads will do when idle, and the first two of them. Before the driver is opened: one
 * that cannot start leaves every directory alone. -EINVAL in INVOKER. */
int rj_driver_threads_open(rj_driver_threads_t *threads, const rj_driver_config_t *config,
                           rj_err_t *err);

/* Wakes the helper; for rj_driver_world_t. `state` is the threads. */
void rj_driver_threads_wake_helper(void *state);

/* Whether the driver has to wake the helper. */
bool rj_driver_threads_helper_is_woken(const rj_driver_threads_t *threads);

/* Deals out the agents of the opened driver. */
int rj_driver_threads_fill(rj_driver_threads_t *threads, rj_driver_t *driver,
                           const rj_driver_config_t *config, rj_err_t *err);

/* One more agent for thread 0. Before start. */
void rj_driver_threads_add(rj_driver_threads_t *threads,
                           int (*do_work)(void *state, int64_t now_ns), void *state);

typedef enum rj_first_thread {
    RJ_FIRST_THREAD_NEW,    /* thread 0 is made as well */
    RJ_FIRST_THREAD_CALLER, /* the caller is it: rj_driver_threads_run */
} rj_first_thread_t;

/* Starts them all. A CPU that is not to be had is told in the driver's error log. After a failure
 * `stop` ends those that run. */
int rj_driver_threads_start(rj_driver_threads_t *threads, rj_first_thread_t first, rj_err_t *err);

/* Thread 0, in the calling thread, until signal_stop. */
void rj_driver_threads_run(rj_driver_threads_t *threads);

/* Ends `run` after its turn; safe in a signal handler. */
void rj_driver_threads_signal_stop(rj_driver_threads_t *threads);

/* Stops and joins all others. Safe on threads that were never started, and twice. */
void rj_driver_threads_stop(rj_driver_threads_t *threads);

#endif
