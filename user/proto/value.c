/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/value.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int digit_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

/* Digits of `base` to the end of the text, as a negative number, for that side has one more value.
 */
static bool read_negated(const char *text, size_t length, int base, int64_t *ret)
{
    if (length == 0)
        return false;
    int64_t value = 0;
    for (size_t i = 0; i < length; i++) {
        int digit = digit_value(text[i]);
        if (digit >= base || __builtin_mul_overflow(value, (int64_t)base, &value) ||
            __builtin_sub_overflow(value, (int64_t)digit, &value))
            return false;
    }
    *ret = value;
    return true;
}

static size_t read_sign(const char *text, size_t length, bool *ret_negative)
{
    bool has_sign = length > 0 && (text[0] == '-' || text[0] == '+');
    *ret_negative = has_sign && text[0] == '-';
    return has_sign ? 1 : 0;
}

static bool finish_number(int64_t negated, bool is_negative, int64_t *ret)
{
    if (!is_negative && negated == INT64_MIN)
        return false;
    *ret = is_negative ? negated : -negated;
    return true;
}

bool rj_value_i64(const char *text, size_t length, int64_t *ret)
{
    bool is_negative;
    size_t skip = read_sign(text, length, &is_negative);
    int base = 10;
    if (length - skip > 2 && text[skip] == '0' &&
        (text[skip + 1] == 'x' || text[skip + 1] == 'X')) {
        base = 16;
        skip += 2;
    } else if (length - skip > 1 && text[skip] == '0') {
        base = 8;
        skip += 1;
    }
    int64_t negated;
    return read_negated(text + skip, length - skip, base, &negated) &&
           finish_number(negated, is_negative, ret);
}

bool rj_value_i32(const char *text, size_t length, int32_t *ret)
{
    int64_t value;
    if (!rj_value_i64(text, length, &value) || value < INT32_MIN || value > INT32_MAX)
        return false;
    *ret = (int32_t)value;
    return true;
}

bool rj_value_decimal(const char *text, size_t length, int64_t *ret)
{
    bool is_negative;
    size_t skip = read_sign(text, length, &is_negative);
    int64_t negated;
    return read_negated(text + skip, length - skip, 10, &negated) &&
           finish_number(negated, is_negative, ret);
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

bool rj_value_bool(const char *text, size_t length, bool *ret)
{
    bool is_true = is_word(text, length, "true");
    if (!is_true && !is_word(text, length, "false"))
        return false;
    *ret = is_true;
    return true;
}

rj_inferable_t rj_value_inferable(const char *text, size_t length)
{
    if (is_word(text, length, "true"))
        return RJ_INFERABLE_TRUE;
    return is_word(text, length, "infer") ? RJ_INFERABLE_INFER : RJ_INFERABLE_FALSE;
}
