/* SPDX-License-Identifier: Apache-2.0 */
#include "conductor/helper.h"

#include <errno.h>
#include <ramjet/command.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "name/interfaces.h"

int rj_helper_open(rj_helper_t *helper, const rj_helper_params_t *params, rj_err_t *err)
{
    memset(helper, 0, sizeof(*helper));
    helper->params = *params;
    rj_resolver_system_init(&helper->system_resolver);
    const int result =
        rj_ring_spsc_open(&helper->tasks, sizeof(rj_task_t *), RJ_HELPER_TASKS_MAX, err);
    return result < 0 ? result
                      : rj_ring_spsc_open(&helper->reports, sizeof(rj_helper_report_t),
                                          RJ_HELPER_REPORTS_MAX, err);
}

bool rj_helper_give(rj_helper_t *helper, rj_task_t *task)
{
    rj_store_release_i32(&task->state, RJ_TASK_PENDING);
    if (!rj_ring_spsc_push(&helper->tasks, &task))
        return false;
    if (helper->params.wake != NULL)
        helper->params.wake(helper->params.wake_state);
    return true;
}

/* Release: pairs with rj_task_state; the conductor may then read everything in the task. */
static void finish(rj_task_t *task, int result)
{
    rj_store_release_i32(&task->state, result < 0 ? RJ_TASK_FAILED : RJ_TASK_DONE);
}

static int resolve_channel(rj_helper_t *helper, rj_task_t *task)
{
    rj_interface_t interfaces[RJ_INTERFACES_MAX];
    int count = helper->params.read_interfaces(interfaces, RJ_INTERFACES_MAX, &task->err);
    if (count < 0)
        return count;
    rj_channel_world_t world = {.resolver = helper->params.resolver,
                                .system_resolver = &helper->system_resolver,
                                .interfaces = interfaces,
                                .interface_count = (size_t)count,
                                .unique_suffix = &helper->unique_suffix};
    return rj_channel_resolve(task->channel, &world, RJ_RESOLVE_FIRST, &task->err);
}

/* How long names take is told by two counters (driver.md 20.3). */
static int resolve(rj_helper_t *helper, rj_task_t *task)
{
    const int64_t before_ns = helper->params.mono_ns();
    const int result =
        task->type == RJ_TASK_RESOLVE
            ? resolve_channel(helper, task)
            : rj_resolver_resolve_text(helper->params.resolver, task->param, task->text,
                                       task->reason, &task->address, &task->err);
    const int64_t took_ns = helper->params.mono_ns() - before_ns;
    rj_system_counter_propose_max(helper->params.system, RJ_SYSTEM_NAME_RESOLVER_MAX_TIME, took_ns);
    if (took_ns > helper->params.resolver_threshold_ns)
        rj_system_counter_add(helper->params.system, RJ_SYSTEM_NAME_RESOLVER_TIME_EXCEEDED, 1);
    return result;
}

/* A file of the pool has its space already. */
static bool take_from_pool(rj_helper_t *helper, rj_task_t *task, int64_t length, int *ret_result)
{
    rj_mapfile_t file;
    if (!task->is_sent || helper->params.log_pool == NULL ||
        !rj_log_pool_take(helper->params.log_pool, length, task->path, &file))
        return false;
    *ret_result = rj_log_create_in(task->log, &file, &task->log_params, &task->err);
    if (*ret_result < 0)
        unlink(task->path);
    return true;
}

static int map_log(rj_helper_t *helper, rj_task_t *task)
{
    int64_t length = rj_log_file_length(task->log_params.term_length, task->log_params.page_size);
    if (length < 0)
        return rj_fail(&task->err, (int)length,
                       "term-length %d with file page size %d makes no log that clients can map",
                       task->log_params.term_length, task->log_params.page_size);
    task->usable_bytes = -1;
    if (helper->params.perform_storage_checks) {
        int result =
            rj_log_check_storage(helper->params.dir, length, &task->usable_bytes, &task->err);
        if (result < 0)
            return result;
    }
    int result;
    if (!take_from_pool(helper, task, length, &result))
        result = rj_log_create(task->log, task->path, &task->log_params, &task->err);
    if (result == 0)
        rj_system_counter_add(helper->params.system, RJ_SYSTEM_BYTES_CURRENTLY_MAPPED, length);
    return result;
}

/* True when the file is gone; then the task is too. */
static bool free_log(rj_helper_t *helper, rj_task_t *task)
{
    if (unlink(task->path) != 0 && errno != ENOENT) {
        rj_system_counter_add(helper->params.system, RJ_SYSTEM_FREE_FAILS, 1);
        return false;
    }
    int64_t length = task->log->file.length_bytes;
    rj_log_close(task->log);
    rj_system_counter_add(helper->params.system, RJ_SYSTEM_BYTES_CURRENTLY_MAPPED, -length);
    free(task->log);
    free(task);
    return true;
}

/* What cannot be unlinked now is tried again later, each in its turn. */
static void retry_later(rj_helper_t *helper, rj_task_t *task)
{
    helper->retries[helper->retry_count++] = task;
}

static void run(rj_helper_t *helper, rj_task_t *task)
{
    switch (task->type) {
    case RJ_TASK_RESOLVE:
    case RJ_TASK_RESOLVE_NAME:
        finish(task, resolve(helper, task));
        break;
    case RJ_TASK_MAP_LOG:
        finish(task, map_log(helper, task));
        break;
    case RJ_TASK_FREE_LOG:
        if (!free_log(helper, task))
            retry_later(helper, task);
        break;
    case RJ_TASK_CALL:
        finish(task, task->call(task->call_state, &task->err));
        break;
    }
}

static int retry_one(rj_helper_t *helper)
{
    rj_task_t *task = helper->retries[0];
    helper->retry_count--;
    memmove(&helper->retries[0], &helper->retries[1],
            (size_t)helper->retry_count * sizeof(helper->retries[0]));
    if (free_log(helper, task))
        return 1;
    retry_later(helper, task);
    return 0;
}

void rj_helper_report(rj_helper_t *helper, rj_resolver_trouble_t trouble, const rj_err_t *err)
{
    rj_system_counter_add(helper->params.system, RJ_SYSTEM_ERRORS, trouble == RJ_RESOLVER_FAILED);
    rj_helper_report_t *entry = rj_ring_spsc_claim(&helper->reports);
    if (entry == NULL)
        return;
    entry->error_code = err->aeron_code != 0 ? err->aeron_code : RJ_ERROR_GENERIC;
    snprintf(entry->text, sizeof(entry->text), "%.*s", RJ_HELPER_REPORT_BYTES - 1, err->text);
    rj_ring_spsc_publish(&helper->reports);
}

static int work_resolver(rj_helper_t *helper, int64_t now_ns)
{
    rj_resolver_t *resolver = helper->params.resolver;
    return resolver->ops->do_work == NULL ? 0 : resolver->ops->do_work(resolver, now_ns);
}

int64_t rj_helper_deadline_ns(const rj_helper_t *helper)
{
    const rj_resolver_t *resolver = helper->params.resolver;
    return resolver->ops->deadline_ns == NULL ? INT64_MAX : resolver->ops->deadline_ns(resolver);
}

int rj_helper_do_work(rj_helper_t *helper, int64_t now_ns)
{
    /* With the retry list full nothing is taken: what waits in the queue is not lost, only late. */
    rj_task_t *task;
    int work = work_resolver(helper, now_ns);
    if (helper->retry_count < RJ_HELPER_RETRIES_MAX && rj_ring_spsc_pop(&helper->tasks, &task)) {
        run(helper, task);
        work++;
    }
    const int limit = rj_min_i32(helper->params.free_limit, helper->retry_count);
    for (int i = 0; i < limit; i++)
        work += retry_one(helper);
    return work;
}

/* Unmaps the log, whether or not its file can be unlinked. */
static void give_up_log(rj_helper_t *helper, rj_task_t *task)
{
    if (free_log(helper, task))
        return;
    rj_log_close(task->log);
    free(task->log);
    free(task);
}

void rj_helper_end_tasks(rj_helper_t *helper)
{
    if (helper->tasks.slots == NULL)
        return;
    rj_task_t *task;
    while (rj_ring_spsc_pop(&helper->tasks, &task)) {
        if (task->type == RJ_TASK_FREE_LOG)
            give_up_log(helper, task);
        else
            finish(task, rj_fail(&task->err, -ECANCELED, "the driver is closing"));
    }
    for (int i = 0; i < helper->retry_count; i++)
        give_up_log(helper, helper->retries[i]);
    helper->retry_count = 0;
}

void rj_helper_close(rj_helper_t *helper)
{
    rj_helper_end_tasks(helper);
    rj_ring_spsc_close(&helper->tasks);
    rj_ring_spsc_close(&helper->reports);
}
