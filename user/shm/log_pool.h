/* SPDX-License-Identifier: Apache-2.0 */
/* log_pool.h - log buffer files made ahead of time, side by side in one piece of memory.
 *
 *      | head: the caller's own | file 0 | file 1 | ...      contiguous, page-aligned
 *
 * Whoever sends straight from log buffers has to name them to the kernel beforehand, as one range:
 * a publication then takes a file that lies in it, under the name that it should have. A file is
 * taken once. Clients may have it mapped long after their publication has ended, so it is never
 * given to another; its memory stays until the pool is closed.
 *
 * Units      bytes.
 * Ownership  the caller owns the struct, which owns the memory and the files that nobody took.
 * Thread     open and close: one thread. take: one at a time; the counts may be read from any.
 * Errors     open: negative errno, nothing is left behind.
 */
#ifndef RJ_SHM_LOG_POOL_H
#define RJ_SHM_LOG_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mapfile.h"
#include "shm/dir.h"

enum { RJ_LOG_POOL_FILES_MAX = 64 };

typedef struct rj_log_pool_params {
    const char *dir; /* where the files are until they are taken: on the same file system */
    int32_t term_length;
    int32_t page_size;
    int32_t count;
    int64_t head_bytes; /* a multiple of the page */
} rj_log_pool_params_t;

typedef struct rj_log_pool {
    uint8_t *bytes; /* of the head; NULL when closed */
    int64_t head_bytes;
    int64_t file_bytes;
    int32_t count;
    int64_t taken;  /* files */
    int64_t missed; /* logs that got none: all were taken, or they have another length */
    char dir[RJ_DIR_PATH_BYTES_MAX];
} rj_log_pool_t;

/* The head is memory of zeros. -EINVAL for lengths that no log has. */
int rj_log_pool_open(rj_log_pool_t *pool, const rj_log_pool_params_t *params, rj_err_t *err);

/* A file of exactly that length, named `path` from now on; false: none, counted. `ret_file` is
 * lent: closing it leaves the mapping. */
bool rj_log_pool_take(rj_log_pool_t *pool, int64_t length_bytes, const char *path,
                      rj_mapfile_t *ret_file);

/* Unlinks what nobody took and unmaps everything: after whoever uses it. Safe on a closed pool and
 * on one that is all zeros. */
void rj_log_pool_close(rj_log_pool_t *pool);

static inline int64_t rj_log_pool_bytes(const rj_log_pool_t *pool)
{
    return pool->head_bytes + pool->count * pool->file_bytes;
}

#endif
