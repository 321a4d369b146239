/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

#include "base/prng.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t hour_ns = INT64_C(3600) * 1000 * 1000 * 1000;

Test(histogram, is_exact_for_small_values)
{
    rj_histogram_t histogram;
    cr_assert_eq(rj_histogram_open(&histogram, hour_ns, NULL), 0);
    cr_assert_eq(rj_histogram_percentile(&histogram, 50), 0);
    for (int64_t value = 1; value <= 1000; value++)
        rj_histogram_record(&histogram, value);
    cr_assert_eq(rj_histogram_percentile(&histogram, 0), 1);
    cr_assert_eq(rj_histogram_percentile(&histogram, 50), 500);
    cr_assert_eq(rj_histogram_percentile(&histogram, 99.9), 999);
    cr_assert_eq(rj_histogram_percentile(&histogram, 100), 1000);
    cr_assert_float_eq(rj_histogram_mean(&histogram), 500.5, 1e-9);
    cr_assert_float_eq(rj_histogram_stddev(&histogram), 288.6749902572095, 1e-6);
    cr_assert_eq(histogram.min, 1);
    cr_assert_eq(histogram.max, 1000);
    rj_histogram_close(&histogram);
}

Test(histogram, keeps_three_digits_of_every_value)
{
    rj_histogram_t histogram;
    cr_assert_eq(rj_histogram_open(&histogram, INT64_MAX, NULL), 0);
    rj_prng_t prng;
    rj_prng_init(&prng, 3);
    for (int i = 0; i < 20000; i++) {
        int64_t value = (int64_t)(rj_prng_next(&prng) >> rj_prng_between(&prng, 1, 63));
        rj_histogram_reset(&histogram);
        rj_histogram_record(&histogram, value);
        /* A second, larger value keeps the maximum from giving the answer away. */
        rj_histogram_record(&histogram, INT64_MAX);
        int64_t found = rj_histogram_percentile(&histogram, 50);
        cr_assert_geq(found, value);
        cr_assert_leq(found - value, value / 1000, "%ld became %ld", value, found);
    }
    rj_histogram_close(&histogram);
}

static int by_value(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

Test(histogram, agrees_with_sorting)
{
    enum { COUNT = 5000 };
    static int64_t values[COUNT];
    rj_histogram_t histogram;
    rj_prng_t prng;
    rj_prng_init(&prng, 11);
    cr_assert_eq(rj_histogram_open(&histogram, hour_ns, NULL), 0);
    for (int i = 0; i < COUNT; i++) {
        values[i] = (int64_t)exp(rj_prng_unit(&prng) * 25);
        rj_histogram_record(&histogram, values[i]);
    }
    qsort(values, COUNT, sizeof(values[0]), by_value);
    for (double percentile = 0.1; percentile <= 100; percentile += 0.1) {
        int64_t exact = values[(int)ceil(percentile / 100 * COUNT - 1e-9) - 1];
        int64_t found = rj_histogram_percentile(&histogram, percentile);
        int64_t next = values[(int)fmin(ceil(percentile / 100 * COUNT), COUNT - 1)];
        cr_assert(found >= exact && found <= next + next / 1000 + 1, "%f: %ld for %ld", percentile,
                  found, exact);
    }
    rj_histogram_close(&histogram);
}

Test(histogram, clips_what_is_out_of_range_and_says_so)
{
    rj_histogram_t histogram;
    cr_assert_eq(rj_histogram_open(&histogram, 10000, NULL), 0);
    rj_histogram_record(&histogram, 20000);
    rj_histogram_record(&histogram, -5);
    rj_histogram_record_many(&histogram, 7, 0);
    cr_assert_eq(histogram.clipped_count, 1);
    cr_assert_eq(histogram.max, 10000);
    cr_assert_eq(histogram.min, 0);
    cr_assert_eq(histogram.total_count, 2);
    rj_histogram_close(&histogram);
    rj_err_t err;
    cr_assert_eq(rj_histogram_open(&histogram, 100, &err), -EINVAL);
    rj_histogram_close(&histogram);
}

Test(histogram, merges_as_if_all_had_been_recorded_in_one)
{
    rj_histogram_t left, right, both;
    cr_assert_eq(rj_histogram_open(&left, hour_ns, NULL), 0);
    cr_assert_eq(rj_histogram_open(&right, 1000000, NULL), 0);
    cr_assert_eq(rj_histogram_open(&both, hour_ns, NULL), 0);
    rj_prng_t prng;
    rj_prng_init(&prng, 5);
    for (int i = 0; i < 1000; i++) {
        int64_t value = rj_prng_between(&prng, 3, 1000000);
        rj_histogram_record(i % 2 ? &left : &right, value);
        rj_histogram_record(&both, value);
    }
    rj_histogram_merge(&left, &right);
    cr_assert_eq(left.total_count, both.total_count);
    cr_assert_eq(left.min, both.min);
    cr_assert_eq(left.max, both.max);
    for (double percentile = 0; percentile <= 100; percentile += 0.5)
        cr_assert_eq(rj_histogram_percentile(&left, percentile),
                     rj_histogram_percentile(&both, percentile));
    rj_histogram_close(&left);
    rj_histogram_close(&right);
    rj_histogram_close(&both);
}

Test(histogram, prints_the_form_that_plotters_read)
{
    rj_histogram_t histogram;
    cr_assert_eq(rj_histogram_open(&histogram, hour_ns, NULL), 0);
    for (int64_t value = 1000; value <= 4000; value += 1000)
        rj_histogram_record(&histogram, value);
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    cr_assert_eq(rj_histogram_write_hgrm(&histogram, stream, 1000.0), 0);
    fclose(stream);
    cr_assert_str_eq(text, "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
                           "       1.000 0.250000000000          1           1.33\n"
                           "       2.000 0.500000000000          2           2.00\n"
                           "       3.001 0.750000000000          3           4.00\n"
                           "       4.000 1.000000000000          4\n"
                           "#[Mean    =        2.500, StdDeviation   =        1.118]\n"
                           "#[Max     =        4.000, Total count    =            4]\n"
                           "#[Buckets =           32, SubBuckets     =         2048]\n");
    free(text);
    rj_histogram_close(&histogram);
}
