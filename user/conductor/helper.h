/* SPDX-License-Identifier: Apache-2.0 */
/* helper.h - does for the conductor what may block: names, log buffer files, unmapping.
 *
 * The conductor hands it a task and polls the task's state in its own turns (driver.md 4); it never
 * waits. An embedding program, and the simulation, may call it from the same thread.
 *
 * Units      ns, bytes.
 * Ownership  a task belongs to the conductor before it is given and once its state says finished,
 *            to the helper in between. A FREE_LOG task is given away for good, with its log.
 * Thread     give, room and reading reports: the conductor. do_work: the helper's thread.
 * Errors     in the task: state FAILED and `err`. Freeing is retried until it succeeds, counted
 *            (17).
 */
#ifndef RJ_CONDUCTOR_HELPER_H
#define RJ_CONDUCTOR_HELPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/system_counters.h"
#include "name/channel_resolve.h"
#include "proto/channel.h"
#include "shm/dir.h"
#include "shm/log_buffer.h"
#include "shm/log_pool.h"
#include "shm/ring_spsc.h"

enum {
    RJ_HELPER_TASKS_MAX = 65536,
    RJ_HELPER_RETRIES_MAX = 64,
    RJ_HELPER_REPORTS_MAX = 64, /* not read yet; one more is lost, and counted all the same */
    RJ_HELPER_REPORT_BYTES = 1024,
};

/* Trouble that is in no task: for the error log, which the conductor writes. */
typedef struct rj_helper_report {
    int32_t error_code; /* as clients know them */
    char text[RJ_HELPER_REPORT_BYTES];
} rj_helper_report_t;

typedef enum rj_task_type {
    RJ_TASK_RESOLVE,      /* channel: its second stage */
    RJ_TASK_RESOLVE_NAME, /* param, text, reason -> address */
    RJ_TASK_MAP_LOG,      /* path, log_params -> log, usable_bytes */
    RJ_TASK_FREE_LOG,     /* log, path: unmapped, unlinked and freed, the task too */
    RJ_TASK_CALL          /* call, call_state: whatever else may block */
} rj_task_type_t;

typedef enum rj_task_state { RJ_TASK_PENDING, RJ_TASK_DONE, RJ_TASK_FAILED } rj_task_state_t;

typedef struct rj_task {
    rj_task_type_t type;
    int32_t state; /* rj_task_state_t; helper -> conductor, release/acquire */
    rj_err_t err;
    rj_channel_t *channel;
    const char *param; /* the URI's key, for words */
    char text[RJ_CHANNEL_TEXT_BYTES];
    rj_resolve_reason_t reason;
    rj_address_t address;
    rj_log_t *log; /* allocated by the conductor, filled in by MAP_LOG */
    rj_log_params_t log_params;
    bool is_sent;         /* the log's: over a network, so that a file of the pool is of use */
    int64_t usable_bytes; /* of the file system before the log was made; -1: not looked at */
    char path[RJ_DIR_PATH_BYTES_MAX];
    int (*call)(void *state, rj_err_t *err); /* 0 or a negative errno */
    void *call_state;
} rj_task_t;

typedef struct rj_helper_params {
    rj_resolver_t *resolver;
    rj_system_counters_t *system;
    const char *dir;
    bool perform_storage_checks;
    rj_log_pool_t *log_pool; /* NULL: none */
    int64_t resolver_threshold_ns;
    int32_t free_limit; /* logs that could not be freed and are tried again, in a turn */
    /* Interfaces of this machine, read anew for each channel; the simulation has its own list.
     * Returns how many it wrote, or a negative errno. */
    int (*read_interfaces)(rj_interface_t *interfaces, size_t count_max, rj_err_t *err);
    int64_t (*mono_ns)(void);  /* how long a look-up took is measured around it */
    void (*wake)(void *state); /* told of every task that is given; NULL: it looks by itself */
    void *wake_state;
} rj_helper_params_t;

typedef struct rj_helper {
    rj_helper_params_t params;
    rj_ring_spsc_t tasks;   /* of rj_task_t * */
    rj_ring_spsc_t reports; /* of rj_helper_report_t, to the conductor */
    rj_resolver_t system_resolver;
    int64_t unique_suffix;
    rj_task_t *retries[RJ_HELPER_RETRIES_MAX];
    int retry_count;
} rj_helper_t;

int rj_helper_open(rj_helper_t *helper, const rj_helper_params_t *params, rj_err_t *err);

/* Ends what was given and not yet taken: names and logs to be made fail, logs are freed. No thread
 * runs it any more; one that was cut short leaves its task PENDING, which is the conductor's again.
 */
void rj_helper_end_tasks(rj_helper_t *helper);

/* The same, and closes. Safe on a helper that was never opened. */
void rj_helper_close(rj_helper_t *helper);

/* Conductor: gives a task; false when the queue is full and nothing was given. */
bool rj_helper_give(rj_helper_t *helper, rj_task_t *task);

/* Conductor: acquire, pairs with the helper's release when it has finished. */
static inline rj_task_state_t rj_task_state(const rj_task_t *task)
{
    return (rj_task_state_t)rj_load_acquire_i32(&task->state);
}

/* What the resolver does of itself, and one task a turn. Returns the work done. */
int rj_helper_do_work(rj_helper_t *helper, int64_t now_ns);

/* The earliest time at which a turn without a task would do anything. */
int64_t rj_helper_deadline_ns(const rj_helper_t *helper);

/* Helper: trouble of the resolver; its failures count as errors (15). */
void rj_helper_report(rj_helper_t *helper, rj_resolver_trouble_t trouble, const rj_err_t *err);

#endif
