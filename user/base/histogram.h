/* SPDX-License-Identifier: Apache-2.0 */
/* histogram.h - how often which value was seen, to three significant digits.
 *
 * Values below 2048 have a bucket each; above, every doubling of the value has 1024 buckets, so
 * that a bucket is never wider than a thousandth of its values. The print-out is the .hgrm text
 * that HdrHistogram's tools plot.
 *
 *   value   0 .. 2047 | 2048 .. 4095 | 4096 .. 8191 | ...
 *   width   1         | 2            | 4            | ...
 *
 * Units      the caller's; latencies are recorded in ns. Values below 0 count as 0, above the
 *            maximum as the maximum (and as clipped).
 * Ownership  the caller owns the struct; counts are heap memory taken by open. Recording never
 *            allocates.
 * Thread     one at a time.
 * Errors     negative errno.
 */
#ifndef RJ_BASE_HISTOGRAM_H
#define RJ_BASE_HISTOGRAM_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct rj_histogram {
    uint64_t *counts;
    size_t bucket_count;
    int64_t value_max; /* the largest that is told apart */
    int64_t total_count;
    int64_t clipped_count;
    int64_t min; /* as recorded; INT64_MAX while empty */
    int64_t max;
} rj_histogram_t;

/* Takes memory for values up to `value_max`, at least 2048; -EINVAL, -ENOMEM. */
int rj_histogram_open(rj_histogram_t *histogram, int64_t value_max, rj_err_t *err);

void rj_histogram_close(rj_histogram_t *histogram);

/* Forgets all values. */
void rj_histogram_reset(rj_histogram_t *histogram);

void rj_histogram_record(rj_histogram_t *histogram, int64_t value);
void rj_histogram_record_many(rj_histogram_t *histogram, int64_t value, int64_t count);

/* Adds all values of `other`, which may have another value_max. */
void rj_histogram_merge(rj_histogram_t *histogram, const rj_histogram_t *other);

/* The smallest value, to the width of its bucket (upper end), that at least `percentile` percent of
 * the recorded values do not exceed; 0 while empty. */
int64_t rj_histogram_percentile(const rj_histogram_t *histogram, double percentile);

double rj_histogram_mean(const rj_histogram_t *histogram);
double rj_histogram_stddev(const rj_histogram_t *histogram);

/* Writes the percentile distribution with five steps for each halving of the distance to 100 %,
 * values divided by `unit` (1000.0 prints ns as us). Returns -EIO if the stream has an error. */
int rj_histogram_write_hgrm(const rj_histogram_t *histogram, FILE *stream, double unit);

#endif
