/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/log_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/atomic.h"
#include "shm/log_buffer.h"

static int print_path(const rj_log_pool_t *pool, int32_t index, char path[RJ_DIR_PATH_BYTES_MAX])
{
    const int length =
        snprintf(path, RJ_DIR_PATH_BYTES_MAX, "%s/copy-free-%d.logbuffer", pool->dir, (int)index);
    return length < RJ_DIR_PATH_BYTES_MAX ? 0 : -ENAMETOOLONG;
}

static uint8_t *file_of(const rj_log_pool_t *pool, int32_t index)
{
    return pool->bytes + pool->head_bytes + index * pool->file_bytes;
}

/* All its space is taken now: memory that is pinned later would take it then, and find none. */
static int map_file(const rj_log_pool_t *pool, int32_t index, const char *path)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return -errno;
    int result = fallocate(fd, 0, 0, pool->file_bytes) < 0 ? -errno : 0;
    if (result == 0 && mmap(file_of(pool, index), (size_t)pool->file_bytes, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
        result = -errno;
    close(fd);
    if (result < 0)
        unlink(path);
    return result;
}

static int make_files(rj_log_pool_t *pool, int32_t count, rj_err_t *err)
{
    while (pool->count < count) {
        char path[RJ_DIR_PATH_BYTES_MAX];
        int result = print_path(pool, pool->count, path);
        if (result == 0)
            result = map_file(pool, pool->count, path);
        if (result < 0)
            return rj_fail(err, result, "log buffer %d of %d, of %lld bytes, in %s: %s",
                           (int)pool->count, (int)count, (long long)pool->file_bytes, pool->dir,
                           strerror(-result));
        pool->count++;
    }
    return 0;
}

int rj_log_pool_open(rj_log_pool_t *pool, const rj_log_pool_params_t *params, rj_err_t *err)
{
    *pool = (rj_log_pool_t){.head_bytes = params->head_bytes};
    const int64_t file_bytes = rj_log_file_length(params->term_length, params->page_size);
    if (file_bytes < 0 || params->count < 1 || params->count > RJ_LOG_POOL_FILES_MAX)
        return rj_fail(err, -EINVAL, "%d log buffers of term length %d: 1 to %d are possible",
                       (int)params->count, (int)params->term_length, RJ_LOG_POOL_FILES_MAX);
    if (snprintf(pool->dir, sizeof(pool->dir), "%s", params->dir) >= (int)sizeof(pool->dir))
        return rj_fail(err, -ENAMETOOLONG, "%s: the name is too long", params->dir);
    pool->file_bytes = file_bytes;
    const int64_t length = params->head_bytes + params->count * file_bytes;
    void *memory = mmap(NULL, (size_t)length, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return rj_fail(err, -ENOMEM, "no room for %d log buffers of %lld bytes", (int)params->count,
                       (long long)file_bytes);
    pool->bytes = memory;
    const int result = make_files(pool, params->count, err);
    if (result < 0) {
        munmap(file_of(pool, pool->count), (size_t)((params->count - pool->count) * file_bytes));
        rj_log_pool_close(pool);
    }
    return result;
}

/* The counts are for people: relaxed. */
bool rj_log_pool_take(rj_log_pool_t *pool, int64_t length_bytes, const char *path,
                      rj_mapfile_t *ret_file)
{
    char from[RJ_DIR_PATH_BYTES_MAX];
    const int32_t index = (int32_t)pool->taken;
    if (index == pool->count || length_bytes != pool->file_bytes ||
        print_path(pool, index, from) < 0 ||
        renameat2(AT_FDCWD, from, AT_FDCWD, path, RENAME_NOREPLACE) < 0) {
        rj_store_relaxed_i64(&pool->missed, pool->missed + 1);
        return false;
    }
    rj_store_relaxed_i64(&pool->taken, index + 1);
    *ret_file = (rj_mapfile_t){
        .bytes = file_of(pool, index), .length_bytes = pool->file_bytes, .is_lent = true};
    return true;
}

void rj_log_pool_close(rj_log_pool_t *pool)
{
    char path[RJ_DIR_PATH_BYTES_MAX];
    if (pool->bytes == NULL)
        return;
    for (int32_t i = (int32_t)pool->taken; i < pool->count; i++) {
        if (print_path(pool, i, path) == 0)
            unlink(path);
    }
    munmap(pool->bytes, (size_t)rj_log_pool_bytes(pool));
    *pool = (rj_log_pool_t){.bytes = NULL};
}
