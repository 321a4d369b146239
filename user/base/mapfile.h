/* SPDX-License-Identifier: Apache-2.0 */
/* mapfile.h - a whole file mapped shared.
 *
 * Units      lengths in bytes.
 * Ownership  the caller owns the struct, which owns the mapping; the descriptor is closed before
 *            open or create return. The path is not kept: who wants the file gone calls unlink.
 * Thread     any, one at a time.
 * Errors     negative errno, text in `err`. A file that another process truncates after it was
 *            mapped kills this one with SIGBUS; no call can prevent that.
 */
#ifndef RJ_BASE_MAPFILE_H
#define RJ_BASE_MAPFILE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum rj_mapfile_space {
    RJ_MAPFILE_SPARSE,    /* pages come with the first touch */
    RJ_MAPFILE_ALLOCATED, /* all space is reserved and mapped now, so that a full disk is known now
                           */
} rj_mapfile_space_t;

typedef enum rj_mapfile_access {
    RJ_MAPFILE_READ_ONLY,
    RJ_MAPFILE_READ_WRITE,
} rj_mapfile_access_t;

typedef struct rj_mapfile {
    uint8_t *bytes; /* NULL when closed */
    int64_t length_bytes;
    bool is_lent; /* the mapping is somebody else's: close leaves it */
} rj_mapfile_t;

/* Creates a file that must not exist yet (-EEXIST), of mode 0666 before the umask, and maps it; its
 * bytes are zero. On failure nothing of the file stays. */
int rj_mapfile_create(rj_mapfile_t *file, const char *path, int64_t length_bytes,
                      rj_mapfile_space_t space, rj_err_t *err);

/* Maps an existing regular file in its present length; -ENOENT if it is not there, -ENODATA if it
 * is shorter than `length_bytes_min`, -EINVAL if it is no regular file. */
int rj_mapfile_open(rj_mapfile_t *file, const char *path, int64_t length_bytes_min,
                    rj_mapfile_access_t access, rj_err_t *err);

/* Writes what was changed back to the disk; returns a negative errno. */
int rj_mapfile_sync(const rj_mapfile_t *file);

/* Unmaps; safe on a closed struct. */
void rj_mapfile_close(rj_mapfile_t *file);

#endif
