/* SPDX-License-Identifier: Apache-2.0 */
#include "conductor/helper.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ramjet/command.h>

enum { LOOK_UP_NS = 1000 };

static int64_t values[RJ_SYSTEM_COUNTER_COUNT];
static rj_system_counters_t counters;
static rj_helper_t helper;
static char dir[64];
static int64_t now_ns;
static int wakes;

/* A look-up takes a while. */
static int resolve(rj_resolver_t *resolver, const char *host, uint16_t family,
                   rj_resolve_reason_t reason, rj_address_t *ret, rj_err_t *err)
{
    static const uint8_t answer[4] = {10, 0, 0, 9};
    (void)resolver;
    (void)family;
    (void)reason;
    now_ns += LOOK_UP_NS;
    if (strcmp(host, "nobody") == 0)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_UNKNOWN_HOST,
                             "Unable to resolve host=(nobody)");
    *ret = rj_address_ipv4(answer, 0);
    return 0;
}

static int no_interfaces(rj_interface_t *interfaces, size_t count_max, rj_err_t *err)
{
    (void)interfaces;
    (void)count_max;
    (void)err;
    return 0;
}

static int64_t mono_ns(void)
{
    return now_ns;
}

static void on_wake(void *state)
{
    ++*(int *)state;
}

static void open_helper(void)
{
    static const rj_resolver_ops_t ops = {.name = "test", .resolve = resolve};
    static rj_resolver_t resolver = {&ops};
    for (int id = 0; id < RJ_SYSTEM_COUNTER_COUNT; id++)
        counters.values[id] = &values[id];
    snprintf(dir, sizeof(dir), "/dev/shm/rj-helper-%d", (int)getpid());
    cr_assert_eq(mkdir(dir, 0777), 0);
    const rj_helper_params_t params = {.resolver = &resolver,
                                       .system = &counters,
                                       .dir = dir,
                                       .perform_storage_checks = true,
                                       .resolver_threshold_ns = LOOK_UP_NS - 1,
                                       .free_limit = 1,
                                       .read_interfaces = no_interfaces,
                                       .mono_ns = mono_ns,
                                       .wake = on_wake,
                                       .wake_state = &wakes};
    rj_err_t err;
    cr_assert_eq(rj_helper_open(&helper, &params, &err), 0);
}

static void close_helper(void)
{
    rj_helper_close(&helper);
    rj_err_t err;
    cr_expect_eq(rj_dir_remove_tree(dir, &err), 0, "%s", err.text);
}

TestSuite(helper, .init = open_helper, .fini = close_helper);

static rj_channel_t channel;

static void give_name(rj_task_t *task, const char *text)
{
    rj_err_t err;
    cr_assert_eq(rj_channel_parse(&channel, text, strlen(text), RJ_CHANNEL_SUBSCRIPTION, &err), 0);
    *task = (rj_task_t){.type = RJ_TASK_RESOLVE, .channel = &channel};
    cr_assert(rj_helper_give(&helper, task));
}

/* A log to be made, on the heap as the helper frees it. */
static rj_task_t *give_log(const char *name)
{
    rj_task_t *task = calloc(1, sizeof(*task));
    task->type = RJ_TASK_MAP_LOG;
    task->log = calloc(1, sizeof(*task->log));
    task->log_params = (rj_log_params_t){.term_length = 65536,
                                         .page_size = 4096,
                                         .mtu_length = 1408,
                                         .sparse = true,
                                         .type = RJ_LOG_TYPE_IMAGE};
    snprintf(task->path, sizeof(task->path), "%s/%s", dir, name);
    cr_assert(rj_helper_give(&helper, task));
    return task;
}

static rj_task_t *made_log(const char *name)
{
    rj_task_t *task = give_log(name);
    cr_assert_eq(rj_helper_do_work(&helper, 0), 1);
    cr_assert_eq(rj_task_state(task), RJ_TASK_DONE, "%s", task->err.text);
    return task;
}

/* From now on it is the helper's. */
static void give_back(rj_task_t *task)
{
    task->type = RJ_TASK_FREE_LOG;
    cr_assert(rj_helper_give(&helper, task));
}

Test(helper, resolves_names_and_notes_how_long_that_took)
{
    rj_task_t task;
    give_name(&task, "aeron:udp?endpoint=somebody:4000");
    cr_expect_eq(rj_task_state(&task), RJ_TASK_PENDING);
    cr_expect_eq(wakes, 1);
    cr_expect_eq(rj_helper_do_work(&helper, 0), 1);
    cr_expect_eq(rj_task_state(&task), RJ_TASK_DONE);
    cr_expect(channel.is_resolved);
    cr_expect_str_eq(channel.canonical, "UDP-0.0.0.0:0-somebody:4000");
    cr_expect_eq(values[RJ_SYSTEM_NAME_RESOLVER_MAX_TIME], LOOK_UP_NS);
    cr_expect_eq(values[RJ_SYSTEM_NAME_RESOLVER_TIME_EXCEEDED], 1);
    cr_expect_eq(rj_helper_do_work(&helper, 0), 0);
}

Test(helper, hands_back_a_name_that_nobody_knows_with_its_code)
{
    rj_task_t task;
    give_name(&task, "aeron:udp?endpoint=nobody:4000");
    rj_helper_do_work(&helper, 0);
    cr_expect_eq(rj_task_state(&task), RJ_TASK_FAILED);
    cr_expect_eq(task.err.aeron_code, RJ_ERROR_UNKNOWN_HOST);
    cr_expect_not_null(strstr(task.err.text, "Unresolved - endpoint=nobody:4000"));
    cr_expect_str_eq(strrchr(task.err.text, ' ') + 1, "aeron:udp?endpoint=nobody:4000",
                     "tests look for the channel at the end");
}

Test(helper, asks_again_for_one_name_and_notes_how_long_that_took)
{
    rj_task_t task = {.type = RJ_TASK_RESOLVE_NAME, .param = "control", .text = "somebody:4000"};
    cr_assert(rj_helper_give(&helper, &task));
    rj_helper_do_work(&helper, 0);
    cr_expect_eq(rj_task_state(&task), RJ_TASK_DONE);
    cr_expect_eq(task.address.bytes[3], 9);
    cr_expect_eq(task.address.port, 4000);
    cr_expect_eq(values[RJ_SYSTEM_NAME_RESOLVER_MAX_TIME], LOOK_UP_NS);
    cr_expect_eq(values[RJ_SYSTEM_NAME_RESOLVER_TIME_EXCEEDED], 1);
    task = (rj_task_t){.type = RJ_TASK_RESOLVE_NAME, .param = "control", .text = "nobody:4000"};
    cr_assert(rj_helper_give(&helper, &task));
    rj_helper_do_work(&helper, 0);
    cr_expect_eq(rj_task_state(&task), RJ_TASK_FAILED);
    cr_expect_str_eq(task.err.text, "Unresolved - control=nobody:4000: Unable to resolve "
                                    "host=(nobody)");
}

/* The log is the conductor's to write; what counts is counted at once. */
Test(helper, hands_the_conductor_what_the_resolver_tells)
{
    rj_err_t err;
    rj_helper_report_t report;
    rj_fail_aeron(&err, -EINVAL, RJ_ERROR_UNKNOWN_HOST, "who is that");
    rj_helper_report(&helper, RJ_RESOLVER_NOTED, &err);
    cr_expect_eq(values[RJ_SYSTEM_ERRORS], 0);
    rj_fail(&err, -ENETUNREACH, "no way");
    for (int i = 0; i < RJ_HELPER_REPORTS_MAX + 5; i++)
        rj_helper_report(&helper, RJ_RESOLVER_FAILED, &err);
    cr_expect_eq(values[RJ_SYSTEM_ERRORS], RJ_HELPER_REPORTS_MAX + 5);
    cr_assert(rj_ring_spsc_pop(&helper.reports, &report));
    cr_expect_eq(report.error_code, RJ_ERROR_UNKNOWN_HOST);
    cr_expect_str_eq(report.text, "who is that");
    cr_assert(rj_ring_spsc_pop(&helper.reports, &report));
    cr_expect_eq(report.error_code, RJ_ERROR_GENERIC);
    cr_expect_str_eq(report.text, "no way");
}

Test(helper, makes_logs_in_order_and_frees_them_with_their_files)
{
    rj_task_t *first = give_log("1.logbuffer");
    rj_task_t *second = give_log("2.logbuffer");
    cr_expect_eq(rj_helper_do_work(&helper, 0), 1);
    cr_expect_eq(rj_task_state(first), RJ_TASK_DONE);
    cr_expect_eq(rj_task_state(second), RJ_TASK_PENDING);
    rj_helper_do_work(&helper, 0);
    cr_expect_eq(rj_task_state(second), RJ_TASK_DONE);
    cr_expect_gt(first->usable_bytes, 0);
    cr_expect_eq(values[RJ_SYSTEM_BYTES_CURRENTLY_MAPPED], 2 * rj_log_file_length(65536, 4096));
    give_back(first);
    give_back(second);
    while (rj_helper_do_work(&helper, 0) > 0)
        continue;
    cr_expect_eq(values[RJ_SYSTEM_BYTES_CURRENTLY_MAPPED], 0);
    cr_expect_eq(rmdir(dir), 0, "not empty");
    cr_assert_eq(mkdir(dir, 0777), 0);
}

Test(helper, leaves_a_file_alone_that_was_there_before)
{
    rj_task_t *first = made_log("1.logbuffer");
    rj_task_t *second = give_log("1.logbuffer");
    rj_helper_do_work(&helper, 0);
    cr_expect_eq(rj_task_state(second), RJ_TASK_FAILED);
    cr_expect_eq(second->err.code, -EEXIST);
    cr_expect_eq(access(first->path, F_OK), 0);
    free(second->log);
    free(second);
    give_back(first);
    rj_helper_do_work(&helper, 0);
}

Test(helper, says_what_is_wrong_with_a_log_and_makes_none)
{
    rj_task_t *task = give_log("1.logbuffer");
    task->log_params.page_size = 1 << 30;
    task->log_params.term_length = 1 << 29;
    rj_helper_do_work(&helper, 0);
    cr_expect_eq(rj_task_state(task), RJ_TASK_FAILED);
    cr_expect_not_null(strstr(task->err.text, "no log that clients can map"));
    cr_expect_eq(access(task->path, F_OK), -1);
    free(task->log);
    free(task);
}

/* A directory in the place of the file cannot be unlinked. */
static void put_in_the_way(rj_task_t *task)
{
    cr_assert_eq(unlink(task->path), 0);
    cr_assert_eq(mkdir(task->path, 0777), 0);
}

Test(helper, tries_again_what_cannot_be_unlinked_and_holds_up_nobody)
{
    rj_task_t *tasks[3];
    char stuck[2][RJ_DIR_PATH_BYTES_MAX];
    const char *const names[] = {"1.logbuffer", "2.logbuffer", "3.logbuffer"};
    for (int i = 0; i < 3; i++)
        tasks[i] = made_log(names[i]);
    for (int i = 0; i < 2; i++) {
        put_in_the_way(tasks[i]);
        memcpy(stuck[i], tasks[i]->path, sizeof(stuck[i]));
    }
    for (int i = 0; i < 3; i++)
        give_back(tasks[i]);
    for (int i = 0; i < 5; i++)
        rj_helper_do_work(&helper, 0);
    cr_expect_gt(values[RJ_SYSTEM_FREE_FAILS], 2);
    cr_expect_eq(values[RJ_SYSTEM_BYTES_CURRENTLY_MAPPED], 2 * rj_log_file_length(65536, 4096));
    /* The second can go now, though the first in the list still cannot. */
    cr_assert_eq(rmdir(stuck[1]), 0);
    for (int i = 0; i < 2; i++)
        rj_helper_do_work(&helper, 0);
    cr_expect_eq(values[RJ_SYSTEM_BYTES_CURRENTLY_MAPPED], rj_log_file_length(65536, 4096));
    cr_assert_eq(rmdir(stuck[0]), 0);
    rj_helper_do_work(&helper, 0);
    cr_expect_eq(values[RJ_SYSTEM_BYTES_CURRENTLY_MAPPED], 0);
}

Test(helper, tries_as_many_again_in_a_turn_as_it_is_told)
{
    rj_task_t *tasks[3];
    const char *const names[] = {"1.logbuffer", "2.logbuffer", "3.logbuffer"};
    for (int i = 0; i < 3; i++)
        tasks[i] = made_log(names[i]);
    for (int i = 0; i < 3; i++) {
        put_in_the_way(tasks[i]);
        give_back(tasks[i]);
    }
    while (helper.retry_count < 3)
        rj_helper_do_work(&helper, 0);
    helper.params.free_limit = 2;
    const int64_t before = values[RJ_SYSTEM_FREE_FAILS];
    rj_helper_do_work(&helper, 0);
    cr_expect_eq(values[RJ_SYSTEM_FREE_FAILS] - before, 2);
    helper.params.free_limit = 9;
    rj_helper_do_work(&helper, 0);
    cr_expect_eq(values[RJ_SYSTEM_FREE_FAILS] - before, 5);
}

static int fail_with(void *state, rj_err_t *err)
{
    const int code = *(const int *)state;
    return code == 0 ? 0 : rj_fail(err, code, "code %d", code);
}

Test(helper, calls_what_may_block_and_says_how_it_went)
{
    int codes[] = {0, -EBUSY};
    rj_task_t tasks[2];
    for (int i = 0; i < 2; i++) {
        tasks[i] = (rj_task_t){.type = RJ_TASK_CALL, .call = fail_with, .call_state = &codes[i]};
        cr_assert(rj_helper_give(&helper, &tasks[i]));
    }
    rj_helper_do_work(&helper, 0);
    cr_expect_eq(rj_task_state(&tasks[0]), RJ_TASK_DONE);
    cr_expect_eq(rj_task_state(&tasks[1]), RJ_TASK_PENDING);
    rj_helper_do_work(&helper, 0);
    cr_expect_eq(rj_task_state(&tasks[1]), RJ_TASK_FAILED);
    cr_expect_eq(tasks[1].err.code, -EBUSY);
}

Test(helper, ends_what_it_has_not_begun_and_frees_what_is_to_be_freed)
{
    rj_task_t name;
    rj_task_t *made = made_log("1.logbuffer");
    give_back(made);
    give_name(&name, "aeron:udp?endpoint=somebody:4000");
    rj_task_t *never = give_log("2.logbuffer");
    rj_helper_end_tasks(&helper);
    cr_expect_eq(rj_task_state(&name), RJ_TASK_FAILED);
    cr_expect_eq(name.err.code, -ECANCELED);
    cr_expect_eq(now_ns, 0, "no name is looked up any more");
    cr_expect_eq(rj_task_state(never), RJ_TASK_FAILED);
    free(never->log);
    free(never);
    cr_expect_eq(values[RJ_SYSTEM_BYTES_CURRENTLY_MAPPED], 0);
    cr_expect_eq(rmdir(dir), 0, "not empty");
    cr_assert_eq(mkdir(dir, 0777), 0);
}

Test(helper, unmaps_at_the_end_what_cannot_be_unlinked)
{
    rj_task_t *task = made_log("1.logbuffer");
    put_in_the_way(task);
    give_back(task);
    rj_helper_do_work(&helper, 0);
    rj_helper_end_tasks(&helper);
    cr_expect_eq(helper.retry_count, 0);
}
