/* SPDX-License-Identifier: Apache-2.0 */
/* error_log.h - the distinct errors of a driver, each with a count and two times.
 *
 *   | length i32 | count i32 | last ms i64 | first ms i64 | text ... |   8-byte aligned
 *
 * Units      epoch ms, passed in.
 * Ownership  the writer owns a private list on the heap (clients can write the section); the
 *            section belongs to its mapping.
 * Thread     writer: one. Reader: any.
 * Errors     negative errno.
 */
#ifndef RJ_SHM_ERROR_LOG_H
#define RJ_SHM_ERROR_LOG_H

#include "ramjet/shm.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rj_error_observation rj_error_observation_t;

typedef struct rj_error_log {
    uint8_t *section; /* NULL when closed */
    int64_t section_length;
    int64_t next_offset;
    rj_error_observation_t *newest;
} rj_error_log_t;

/* Takes over a zeroed section; -EINVAL if it is not 8-byte aligned or too short for an entry. */
int rj_error_log_open(rj_error_log_t *log, uint8_t *section, int64_t section_length, rj_err_t *err);

void rj_error_log_close(rj_error_log_t *log);

/* Counts an error: a new entry, or one more observation of the newest entry with this code whose
 * text `text` begins with. -ENOMEM when there is no room: nothing is recorded then, and the caller
 * says it on stderr. Numbers that change belong at the end of a text, or better nowhere. */
int rj_error_log_record(rj_error_log_t *log, int32_t error_code, const char *text,
                        int64_t epoch_ms);

typedef struct rj_error_view {
    int32_t observation_count;
    int64_t first_observation_ms;
    int64_t last_observation_ms;
    const char *text; /* in the section, not terminated */
    int32_t text_length;
} rj_error_view_t;

/* Reads the next entry that was last observed at `since_ms` or later. Start with *offset 0; false
 * at the end, or where a length cannot be. */
bool rj_error_log_next(const uint8_t *section, int64_t section_length, int64_t since_ms,
                       int64_t *offset, rj_error_view_t *ret_view);

/* Writes all entries of a section to a text file that must not exist; returns their number. The
 * file is not created if there is none. */
int rj_error_log_save(const uint8_t *section, int64_t section_length, const char *path,
                      rj_err_t *err);

#endif
