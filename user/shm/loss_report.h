/* SPDX-License-Identifier: Apache-2.0 */
/* loss_report.h - which images lost how many bytes, for tools that read loss-report.dat.
 *
 *   | count i64 | bytes i64 | first, last ms | session | stream | i32 + channel | i32 + source |
 *
 * Units      bytes; epoch ms, passed in.
 * Ownership  the writer is a view over mapped memory and needs no close.
 * Thread     writer: one. Reader: any.
 * Errors     negative errno.
 */
#ifndef RJ_SHM_LOSS_REPORT_H
#define RJ_SHM_LOSS_REPORT_H

#include "ramjet/shm.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct rj_loss_report {
    uint8_t *section; /* NULL when not attached */
    int64_t section_length;
    int64_t next_offset;
} rj_loss_report_t;

/* What an image has reported last; zero at first. Retries of one gap count once. */
typedef struct rj_loss_observed {
    int32_t term_id;
    int32_t offset;
    int32_t length;
} rj_loss_observed_t;

/* -EINVAL if the section is not 8-byte aligned. */
int rj_loss_report_attach(rj_loss_report_t *report, uint8_t *section, int64_t section_length);

/* Adds an entry for an image's first loss and returns its offset for rj_loss_report_add; -ENOSPC
 * when the report is full: that image reports nothing any more. */
int64_t rj_loss_report_create(rj_loss_report_t *report, int64_t bytes_lost, int64_t epoch_ms,
                              int32_t session_id, int32_t stream_id, const char *channel,
                              const char *source);

/* Counts a further loss in the entry at `offset`. */
void rj_loss_report_add(rj_loss_report_t *report, int64_t offset, int64_t bytes_lost,
                        int64_t epoch_ms);

/* How many bytes of this gap have not been reported yet; remembers it. */
int32_t rj_loss_observe(rj_loss_observed_t *observed, int32_t term_id, int32_t offset,
                        int32_t length);

typedef struct rj_loss_view {
    int64_t observation_count;
    int64_t total_bytes_lost;
    int64_t first_observation_ms;
    int64_t last_observation_ms;
    int32_t session_id;
    int32_t stream_id;
    const char *channel; /* both in the section, not terminated */
    int32_t channel_length;
    const char *source;
    int32_t source_length;
} rj_loss_view_t;

/* Reads the next entry; start with *offset 0. False at the end, or where a length cannot be. */
bool rj_loss_report_next(const uint8_t *section, int64_t section_length, int64_t *offset,
                         rj_loss_view_t *ret_view);

#endif
