/* SPDX-License-Identifier: Apache-2.0 */
#include "config/filter_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One `key=value` of a list, taken apart. */
typedef struct pair {
    char key[32];
    char value[64];
} pair_t;

/* The pair at the front of `*text`, which moves on; false at the end. What is too long for either
 * is cut: no key and no number is that long. */
static bool next_pair(const char **text, pair_t *ret)
{
    if (**text == '\0')
        return false;
    const size_t length = strcspn(*text, "|");
    const char *equals = memchr(*text, '=', length);
    const size_t key_length = equals == NULL ? length : (size_t)(equals - *text);
    const size_t value_length = equals == NULL ? 0 : length - key_length - 1;
    snprintf(ret->key, sizeof(ret->key), "%.*s", (int)key_length, *text);
    snprintf(ret->value, sizeof(ret->value), "%.*s", (int)value_length,
             equals == NULL ? "" : equals + 1);
    *text += length + ((*text)[length] == '|');
    return true;
}

static int fail_value(const char *filter, const pair_t *pair, rj_err_t *err)
{
    return rj_fail(err, -EINVAL, "arguments of the filter %s: %s=%s cannot be read", filter,
                   pair->key, pair->value);
}

static bool read_i64(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 0);
    if (end == text || *end != '\0' || errno != 0 || value < min || value > max)
        return false;
    *ret = value;
    return true;
}

static bool read_i32(const char *text, int32_t *ret)
{
    int64_t value;
    if (!read_i64(text, INT32_MIN, INT32_MAX, &value))
        return false;
    *ret = (int32_t)value;
    return true;
}

static bool read_length(const char *text, int64_t *ret)
{
    return read_i64(text, 0, INT32_MAX, ret);
}

static bool read_rate(const char *text, double *ret)
{
    char *end;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0 && value <= 1))
        return false;
    *ret = value;
    return true;
}

/* Hexadecimal, with or without 0x in front. */
static bool read_mask(const char *text, uint64_t *ret)
{
    char *end;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 16);
    if (end == text || *end != '\0' || errno != 0 || text[0] == '-')
        return false;
    *ret = value;
    return true;
}

static bool read_seed(const char *text, uint64_t *ret)
{
    int64_t value;
    if (!read_i64(text, INT64_MIN, INT64_MAX, &value))
        return false;
    *ret = (uint64_t)value;
    return true;
}

static int read_loss(rj_random_loss_args_t *ret, const char *text, rj_err_t *err)
{
    for (pair_t pair; next_pair(&text, &pair);) {
        bool is_fine = true;
        if (strcmp(pair.key, "rate") == 0)
            is_fine = read_rate(pair.value, &ret->rate);
        else if (strcmp(pair.key, "seed") == 0)
            is_fine = ret->has_seed = read_seed(pair.value, &ret->seed);
        else if (strcmp(pair.key, "recv-msg-mask") == 0)
            is_fine = read_mask(pair.value, &ret->type_mask);
        if (!is_fine)
            return fail_value("loss", &pair, err);
    }
    return 0;
}

static int read_fixed(rj_fixed_loss_args_t *ret, const char *text, rj_err_t *err)
{
    for (pair_t pair; next_pair(&text, &pair);) {
        bool is_fine = true;
        if (strcmp(pair.key, "term-id") == 0)
            is_fine = read_i32(pair.value, &ret->term_id);
        else if (strcmp(pair.key, "term-offset") == 0)
            is_fine = read_length(pair.value, &ret->offset);
        else if (strcmp(pair.key, "length") == 0)
            is_fine = read_length(pair.value, &ret->length);
        if (!is_fine)
            return fail_value("fixed-loss", &pair, err);
    }
    return 0;
}

static int read_multi_gap(rj_multi_gap_loss_args_t *ret, const char *text, rj_err_t *err)
{
    for (pair_t pair; next_pair(&text, &pair);) {
        bool is_fine = true;
        if (strcmp(pair.key, "term-id") == 0)
            is_fine = read_i32(pair.value, &ret->term_id);
        else if (strcmp(pair.key, "gap-radix") == 0)
            is_fine = read_length(pair.value, &ret->radix);
        else if (strcmp(pair.key, "gap-length") == 0)
            is_fine = read_length(pair.value, &ret->length);
        else if (strcmp(pair.key, "total-gaps") == 0)
            is_fine = read_length(pair.value, &ret->count);
        if (!is_fine)
            return fail_value("multi-gap-loss", &pair, err);
    }
    return 0;
}

int rj_filter_config_read(rj_filter_config_t *ret, const rj_driver_config_t *config, rj_err_t *err)
{
    *ret = (rj_filter_config_t){.list = config->incoming_interceptors};
    int result = read_loss(&ret->loss, config->loss_args, err);
    if (result == 0)
        result = read_fixed(&ret->fixed, config->fixed_loss_args, err);
    if (result == 0)
        result = read_multi_gap(&ret->multi_gap, config->multi_gap_loss_args, err);
    return result;
}
