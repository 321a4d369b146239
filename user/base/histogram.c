/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINEAR_BITS = 11,
    LINEAR_COUNT = 1 << LINEAR_BITS, /* buckets of width 1 */
    OCTAVE_COUNT = LINEAR_COUNT / 2, /* buckets of each doubling above */
    STEPS_PER_HALF = 5,              /* lines of print-out for each halving of what is left */
};

/* Which doubling above the linear part `value` lies in; 0 is the linear part itself. */
static int octave_of(int64_t value)
{
    int bits = 64 - __builtin_clzll((uint64_t)value | (LINEAR_COUNT - 1));
    return bits - LINEAR_BITS;
}

static size_t index_of(int64_t value)
{
    int octave = octave_of(value);
    return (size_t)octave * OCTAVE_COUNT + (size_t)(value >> octave);
}

/* The largest value that falls into the bucket. */
static int64_t upper_end(size_t index)
{
    if (index < LINEAR_COUNT)
        return (int64_t)index;
    int octave = (int)(index / OCTAVE_COUNT) - 1;
    uint64_t begin = (uint64_t)(index - (size_t)octave * OCTAVE_COUNT) << octave;
    return (int64_t)(begin + ((uint64_t)1 << octave) - 1);
}

static double middle_of(size_t index)
{
    int64_t last = upper_end(index);
    int64_t width = (int64_t)1 << octave_of(last);
    return (double)last - (double)(width - 1) / 2.0;
}

int rj_histogram_open(rj_histogram_t *histogram, int64_t value_max, rj_err_t *err)
{
    *histogram = (rj_histogram_t){.min = INT64_MAX};
    if (value_max < LINEAR_COUNT)
        return rj_fail(err, -EINVAL, "histogram: largest value %lld is below %d",
                       (long long)value_max, LINEAR_COUNT);
    size_t bucket_count = index_of(value_max) + 1;
    histogram->counts = calloc(bucket_count, sizeof(uint64_t));
    if (histogram->counts == NULL)
        return rj_fail(err, -ENOMEM, "histogram: out of memory");
    histogram->bucket_count = bucket_count;
    histogram->value_max = value_max;
    return 0;
}

void rj_histogram_close(rj_histogram_t *histogram)
{
    free(histogram->counts);
    *histogram = (rj_histogram_t){.min = INT64_MAX};
}

void rj_histogram_reset(rj_histogram_t *histogram)
{
    memset(histogram->counts, 0, histogram->bucket_count * sizeof(uint64_t));
    histogram->total_count = 0;
    histogram->clipped_count = 0;
    histogram->min = INT64_MAX;
    histogram->max = 0;
}

void rj_histogram_record(rj_histogram_t *histogram, int64_t value)
{
    rj_histogram_record_many(histogram, value, 1);
}

void rj_histogram_record_many(rj_histogram_t *histogram, int64_t value, int64_t count)
{
    if (count <= 0)
        return;
    if (value > histogram->value_max) {
        value = histogram->value_max;
        histogram->clipped_count += count;
    }
    if (value < 0)
        value = 0;
    if (value < histogram->min)
        histogram->min = value;
    if (value > histogram->max)
        histogram->max = value;
    histogram->counts[index_of(value)] += (uint64_t)count;
    histogram->total_count += count;
}

void rj_histogram_merge(rj_histogram_t *histogram, const rj_histogram_t *other)
{
    if (other->total_count == 0)
        return;
    int64_t clipped_before = histogram->clipped_count;
    for (size_t i = 0; i < other->bucket_count; i++) {
        /* The upper end of the last bucket may lie above what `other` was asked to tell apart. */
        int64_t value = upper_end(i) < other->max ? upper_end(i) : other->max;
        rj_histogram_record_many(histogram, value, (int64_t)other->counts[i]);
    }
    if (histogram->clipped_count == clipped_before)
        histogram->clipped_count += other->clipped_count;
    if (other->min < histogram->min)
        histogram->min = other->min;
}

/* Walks the buckets up to the one where the sum of counts reaches `wanted`. */
static size_t bucket_at_count(const rj_histogram_t *histogram, int64_t wanted, int64_t *ret_sum)
{
    int64_t sum = 0;
    size_t index = 0;
    for (; index < histogram->bucket_count; index++) {
        sum += (int64_t)histogram->counts[index];
        if (sum >= wanted)
            break;
    }
    *ret_sum = sum;
    return index;
}

/* How many values the percentile asks for, at least one. 99.9 % of 1000 is a hair above 999 in
 * binary; the factor keeps such a product from being rounded up to the next value. */
static int64_t count_at_percentile(const rj_histogram_t *histogram, double percentile)
{
    if (percentile >= 100)
        return histogram->total_count;
    double wanted = percentile / 100 * (double)histogram->total_count;
    int64_t count = (int64_t)ceil(wanted * (1 - 1e-14));
    return count < 1 ? 1 : count;
}

static int64_t value_of_bucket(const rj_histogram_t *histogram, size_t index)
{
    int64_t value = upper_end(index);
    return value < histogram->max ? value : histogram->max;
}

int64_t rj_histogram_percentile(const rj_histogram_t *histogram, double percentile)
{
    if (histogram->total_count == 0)
        return 0;
    int64_t sum;
    return value_of_bucket(
        histogram, bucket_at_count(histogram, count_at_percentile(histogram, percentile), &sum));
}

double rj_histogram_mean(const rj_histogram_t *histogram)
{
    if (histogram->total_count == 0)
        return 0;
    double sum = 0;
    for (size_t i = 0; i < histogram->bucket_count; i++)
        sum += middle_of(i) * (double)histogram->counts[i];
    return sum / (double)histogram->total_count;
}

double rj_histogram_stddev(const rj_histogram_t *histogram)
{
    if (histogram->total_count == 0)
        return 0;
    double mean = rj_histogram_mean(histogram);
    double sum = 0;
    for (size_t i = 0; i < histogram->bucket_count; i++) {
        double deviation = middle_of(i) - mean;
        sum += deviation * deviation * (double)histogram->counts[i];
    }
    return sqrt(sum / (double)histogram->total_count);
}

/* The next percentile to print: five equal steps until half of what is left to 100 % is done, then
 * five of half the size, and so on. */
static double next_level(double level)
{
    double halvings = floor(log2(100.0 / (100.0 - level))) + 1;
    return level + 100.0 / (STEPS_PER_HALF * exp2(halvings));
}

static void write_line(const rj_histogram_t *histogram, FILE *stream, double unit, size_t index,
                       int64_t sum)
{
    double share = (double)sum / (double)histogram->total_count;
    double value = (double)value_of_bucket(histogram, index) / unit;
    if (sum < histogram->total_count)
        fprintf(stream, "%12.3f %2.12f %10lld %14.2f\n", value, share, (long long)sum,
                1.0 / (1.0 - share));
    else
        fprintf(stream, "%12.3f %2.12f %10lld\n", value, share, (long long)sum);
}

static void write_lines(const rj_histogram_t *histogram, FILE *stream, double unit)
{
    int64_t sum = 0;
    for (double level = 0; sum < histogram->total_count; level = next_level(level)) {
        size_t index = bucket_at_count(histogram, count_at_percentile(histogram, level), &sum);
        write_line(histogram, stream, unit, index, sum);
        /* A bucket that takes the sum over several levels is printed once. */
        double reached = 100.0 * (double)sum / (double)histogram->total_count;
        while (sum < histogram->total_count && next_level(level) <= reached)
            level = next_level(level);
    }
}

int rj_histogram_write_hgrm(const rj_histogram_t *histogram, FILE *stream, double unit)
{
    fprintf(stream, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
            "1/(1-Percentile)");
    write_lines(histogram, stream, unit);
    fprintf(stream, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n",
            rj_histogram_mean(histogram) / unit, rj_histogram_stddev(histogram) / unit);
    fprintf(stream, "#[Max     = %12.3f, Total count    = %12lld]\n", (double)histogram->max / unit,
            (long long)histogram->total_count);
    fprintf(stream, "#[Buckets = %12d, SubBuckets     = %12d]\n",
            octave_of(histogram->value_max) + 1, LINEAR_COUNT);
    return ferror(stream) ? -EIO : 0;
}
