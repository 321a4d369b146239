/* SPDX-License-Identifier: Apache-2.0 */
/* mapped_log.h - one mapping for each log file, however many handles of a client use it.
 *
 * Handles of a shared publication, and images of an IPC publication or a spy, name the same file.
 *
 * Units      none.
 * Ownership  the list owns the mappings; every acquire wants one release, the last of which unmaps.
 * Thread     under the client's lock.
 * Errors     negative errno, text in `err`.
 */
#ifndef RJ_CLIENT_MAPPED_LOG_H
#define RJ_CLIENT_MAPPED_LOG_H

#include "base/err.h"
#include "shm/log_buffer.h"

typedef struct rj_mapped_log {
    struct rj_mapped_log *next;
    struct rj_mapped_log **list;
    int reference_count;
    rj_log_t log;
    char path[];
} rj_mapped_log_t;

/* Finds the file in the list or maps it; -EINVAL if it is no log buffer. */
int rj_mapped_log_acquire(rj_mapped_log_t **list, const char *path, rj_mapped_log_t **ret_log,
                          rj_err_t *err);

/* NULL is allowed. */
void rj_mapped_log_release(rj_mapped_log_t *mapped);

#endif
