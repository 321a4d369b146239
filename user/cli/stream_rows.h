/* SPDX-License-Identifier: Apache-2.0 */
/* stream_rows.h - the streams of a driver, put together from its counters, and why each waits.
 *
 * Publications are known by their registration id, images by their correlation id; a subscription
 * whose channel has no image is a row too. Of other drivers than ours there is everything but the
 * reason, which is then only guessed at.
 *
 * Units      positions and lengths in bytes.
 * Ownership  the list owns its rows; rj_stream_rows_close frees them.
 * Thread     the caller's. The counters change meanwhile: a row may be a moment older than another.
 * Errors     -ENOMEM.
 */
#ifndef RJ_CLI_STREAM_ROWS_H
#define RJ_CLI_STREAM_ROWS_H

#include "shm/counters.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RJ_STREAM_ROW_WHY_MAX = 256 };

typedef enum rj_stream_row_kind {
    RJ_STREAM_ROW_PUBLICATION,
    RJ_STREAM_ROW_IPC_PUBLICATION,
    RJ_STREAM_ROW_IMAGE,
    RJ_STREAM_ROW_SUBSCRIPTION, /* of a network channel, without image */
} rj_stream_row_kind_t;

typedef struct rj_stream_row {
    rj_stream_row_kind_t kind;
    int64_t id; /* registration or correlation id */
    int32_t session_id;
    int32_t stream_id;
    char channel[RJ_COUNTER_LABEL_BYTES_MAX + 1];
    int64_t position;      /* written by publishers; received without a gap. -1: not known */
    int64_t limit;         /* of publishers; of what was received at all */
    int64_t sent;          /* network publications */
    int64_t window_limit;  /* network publications: up to where receivers allow */
    int64_t naks;          /* -1: not known */
    int64_t back_pressure; /* network publications: events; -1: not known */
    int64_t slowest;       /* position of the slowest local subscriber; -1: there is none */
    int64_t slowest_id;    /* its registration id */
    int subscriber_count;  /* local ones: readers of an image, of IPC, spies */
    char why_word[32];     /* for programs; empty until rj_stream_rows_read has ended */
    char why[RJ_STREAM_ROW_WHY_MAX];
} rj_stream_row_t;

typedef struct rj_stream_rows {
    rj_stream_row_t *rows;
    size_t count;
    size_t room;
} rj_stream_rows_t;

/* Reads all of them, publications first, in the order of their ids. */
int rj_stream_rows_read(rj_stream_rows_t *rows, const rj_counters_reader_t *counters);

/* Safe on a zeroed list. */
void rj_stream_rows_close(rj_stream_rows_t *rows);

#endif
