/* SPDX-License-Identifier: Apache-2.0 */
/* dir.h - the directory of a driver: who lives there, and how to move in.
 *
 * A directory whose driver is dead is removed with all that is in it; the errors it had recorded
 * are saved beside it first.
 *
 * Units      times in ms of the epoch, passed in.
 * Ownership  nothing is kept open.
 * Thread     whoever starts the driver.
 * Errors     negative errno, text in `err`.
 */
#ifndef RJ_SHM_DIR_H
#define RJ_SHM_DIR_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RJ_DIR_PATH_BYTES_MAX = 4096 };

typedef enum rj_dir_state {
    RJ_DIR_ABSENT,  /* no directory */
    RJ_DIR_EMPTY,   /* a directory without cnc.dat */
    RJ_DIR_UNREADY, /* cnc.dat is there and not published yet */
    RJ_DIR_DEAD,    /* left by a driver that is gone, or that is none of ours */
    RJ_DIR_ACTIVE,  /* a driver lives here */
} rj_dir_state_t;

/* Whether a file that is not published may still become so. */
typedef enum rj_dir_patience {
    RJ_DIR_MAY_WAIT,
    RJ_DIR_HAS_WAITED, /* for the driver timeout: unready counts as dead */
} rj_dir_patience_t;

typedef struct rj_dir_options {
    const char *path;
    int64_t driver_timeout_ms;
    bool warn_if_exists;
    bool delete_on_start; /* even from under a living driver */
} rj_dir_options_t;

/* Looks who lives in `path`. `ret_heartbeat_age_ms` (NULL allowed) is set for DEAD and ACTIVE when
 * there is a heartbeat, else -1. */
int rj_dir_probe(const char *path, int64_t driver_timeout_ms, int64_t epoch_ms,
                 rj_dir_state_t *ret_state, int64_t *ret_heartbeat_age_ms, rj_err_t *err);

/* Driver start: makes an empty directory with its two sub-directories. -EBUSY if a driver lives
 * there; -EAGAIN while a cnc.dat is not published: ask again every millisecond, and with
 * RJ_DIR_HAS_WAITED when the driver timeout is over. */
int rj_dir_prepare(const rj_dir_options_t *options, int64_t epoch_ms, rj_dir_patience_t patience,
                   rj_err_t *err);

/* Creates a directory of mode 0777 before the umask, with missing parents; fine if it is there. */
int rj_dir_make(const char *path, rj_err_t *err);

/* Removes a directory with everything in it, depth first. Symbolic links are removed, never
 * followed. Fine if it is not there. */
int rj_dir_remove_tree(const char *path, rj_err_t *err);

/* Joins directory and name; -ENAMETOOLONG. */
int rj_dir_join(char *path, size_t path_bytes, const char *directory, const char *name);

/* <directory>/publications|images/<id>.logbuffer; -ENAMETOOLONG. */
int rj_dir_publication_path(char *path, size_t path_bytes, const char *directory, int64_t id);
int rj_dir_image_path(char *path, size_t path_bytes, const char *directory, int64_t id);

#endif
