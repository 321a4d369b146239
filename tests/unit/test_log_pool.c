/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/log_pool.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/log_buffer.h"
#include "tests/fixtures/log_fixture.h"

enum { COUNT = 2, HEAD = 8192 };

static char dir[] = "/dev/shm/rj-log-pool-XXXXXX";
static rj_log_pool_t pool;
static char path[128];

static rj_log_pool_params_t params(void)
{
    return (rj_log_pool_params_t){.dir = dir,
                                  .term_length = RJ_TERM_LENGTH_MIN,
                                  .page_size = 4096,
                                  .count = COUNT,
                                  .head_bytes = HEAD};
}

static void open_pool(void)
{
    const rj_log_pool_params_t wanted = params();
    rj_err_t err;
    cr_assert_not_null(mkdtemp(dir));
    cr_assert_eq(rj_log_pool_open(&pool, &wanted, &err), 0, "%s", err.text);
    snprintf(path, sizeof(path), "%s/7.logbuffer", dir);
}

static void close_pool(void)
{
    rj_log_pool_close(&pool);
    unlink(path);
    cr_assert_eq(rmdir(dir), 0, "it leaves nothing");
}

TestSuite(log_pool, .init = open_pool, .fini = close_pool);

Test(log_pool, lies_in_one_piece_behind_its_head)
{
    cr_assert_eq(rj_log_pool_bytes(&pool), HEAD + COUNT * pool.file_bytes);
    cr_assert_eq(pool.file_bytes, rj_log_file_length(RJ_TERM_LENGTH_MIN, 4096));
    for (int64_t i = 0; i < rj_log_pool_bytes(&pool); i += 1024)
        cr_assert_eq(pool.bytes[i], 0);
}

Test(log_pool, gives_a_file_that_clients_map_as_any_log)
{
    rj_log_params_t log_params = rj_log_fixture_params(-7);
    log_params.term_length = RJ_TERM_LENGTH_MIN;
    rj_mapfile_t file;
    rj_log_t log, mapped;
    rj_err_t err;
    cr_assert(rj_log_pool_take(&pool, pool.file_bytes, path, &file));
    cr_assert_eq(file.bytes, pool.bytes + HEAD);
    cr_assert_eq(rj_log_create_in(&log, &file, &log_params, &err), 0, "%s", err.text);
    cr_assert_eq(rj_log_map(&mapped, path, &err), 0, "%s", err.text);
    cr_assert_eq(mapped.initial_term_id, -7);
    mapped.terms[1][100] = 42;
    cr_assert_eq(log.terms[1][100], 42);
    rj_log_close(&log);
    cr_assert_eq(pool.bytes[HEAD + RJ_TERM_LENGTH_MIN + 100], 42, "its memory stays");
    rj_log_close(&mapped);
}

Test(log_pool, gives_each_file_once_and_counts_who_got_none)
{
    rj_mapfile_t first, second, none;
    char other[128];
    snprintf(other, sizeof(other), "%s/8.logbuffer", dir);
    cr_assert_not(rj_log_pool_take(&pool, pool.file_bytes * 2, path, &none));
    cr_assert(rj_log_pool_take(&pool, pool.file_bytes, path, &first));
    cr_assert_not(rj_log_pool_take(&pool, pool.file_bytes, path, &none), "that name is taken");
    cr_assert(rj_log_pool_take(&pool, pool.file_bytes, other, &second));
    cr_assert_eq(second.bytes, first.bytes + pool.file_bytes);
    unlink(path);
    cr_assert_not(rj_log_pool_take(&pool, pool.file_bytes, path, &none), "not even when one ended");
    cr_assert_eq(pool.taken, COUNT);
    cr_assert_eq(pool.missed, 3);
    unlink(other);
}

Test(log_pool, opens_whole_or_not_at_all)
{
    rj_log_pool_t other;
    rj_log_pool_params_t wanted = params();
    rj_err_t err;
    wanted.term_length = 1000;
    cr_assert_eq(rj_log_pool_open(&other, &wanted, &err), -EINVAL);
    wanted = params();
    cr_assert_eq(rj_log_pool_open(&other, &wanted, &err), -EEXIST, "another pool's are there");
    cr_assert_not_null(strstr(err.text, "log buffer 0 of 2"), "%s", err.text);
    wanted.dir = "/dev/shm/rj-log-pool-nowhere";
    cr_assert_eq(rj_log_pool_open(&other, &wanted, &err), -ENOENT);
    rj_log_pool_close(&other);
}
