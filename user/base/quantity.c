/* SPDX-License-Identifier: Apache-2.0 */
#include "base/quantity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <strings.h>

/* Reads the leading digits. Returns how many there were; `*ret_overflow` when they do not fit. */
static size_t read_digits(const char *text, size_t length, int64_t *ret_value, bool *ret_overflow)
{
    int64_t value = 0;
    bool overflow = false;
    size_t i = 0;
    for (; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text[i] - '0', &value))
            overflow = true;
    }
    *ret_value = value;
    *ret_overflow = overflow;
    return i;
}

int rj_parse_size(const char *text, size_t length, int64_t *ret_bytes)
{
    int64_t value;
    bool overflow;
    size_t used = read_digits(text, length, &value, &overflow);
    if (used == 0 || length - used > 1)
        return -EINVAL;
    int shift = 0;
    if (used < length) {
        switch (text[used]) {
        case 'k':
        case 'K':
            shift = 10;
            break;
        case 'm':
        case 'M':
            shift = 20;
            break;
        case 'g':
        case 'G':
            shift = 30;
            break;
        default:
            return -EINVAL;
        }
    }
    if (overflow || __builtin_mul_overflow(value, (int64_t)1 << shift, &value))
        return -ERANGE;
    *ret_bytes = value;
    return 0;
}

int rj_parse_duration(const char *text, size_t length, int64_t *ret_ns)
{
    static const struct {
        const char *suffix;
        size_t length;
        int64_t ns;
    } units[] = {{"ns", 2, 1}, {"us", 2, 1000}, {"ms", 2, 1000000}, {"s", 1, 1000000000}};

    int64_t value;
    bool overflow;
    size_t used = read_digits(text, length, &value, &overflow);
    if (used == 0)
        return -EINVAL;
    int64_t scale = used == length ? 1 : 0;
    for (size_t i = 0; scale == 0 && i < sizeof(units) / sizeof(units[0]); i++) {
        if (length - used == units[i].length &&
            strncasecmp(text + used, units[i].suffix, units[i].length) == 0)
            scale = units[i].ns;
    }
    if (scale == 0)
        return -EINVAL;
    if (overflow || __builtin_mul_overflow(value, scale, &value))
        value = INT64_MAX;
    *ret_ns = value;
    return 0;
}

void rj_print_duration(char text[static RJ_QUANTITY_TEXT_MAX], int64_t ns)
{
    static const struct {
        const char *suffix;
        int64_t ns;
    } units[] = {{"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}};

    size_t i = 0;
    while (ns % units[i].ns != 0)
        i++;
    snprintf(text, RJ_QUANTITY_TEXT_MAX, "%" PRId64 "%s", ns / units[i].ns, units[i].suffix);
}
