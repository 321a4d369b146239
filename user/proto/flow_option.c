/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/flow_option.h"

#include <errno.h>
#include <string.h>

#include <ramjet/command.h>

#include "base/quantity.h"
#include "proto/value.h"

enum {
    VALUE_LENGTH_MAX = 63, /* as Aeron: a longer one is refused */
};

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

static bool parse_strategy(rj_flow_strategy_t *ret, const char *name, size_t length)
{
    if (is_word(name, length, "max"))
        *ret = RJ_FLOW_MAX;
    else if (is_word(name, length, "min"))
        *ret = RJ_FLOW_MIN;
    else if (is_word(name, length, "tagged"))
        *ret = RJ_FLOW_TAGGED;
    else
        return false;
    return true;
}

static bool has_digit(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] >= '0' && text[i] <= '9')
            return true;
    }
    return false;
}

/* `<tag>`, `<tag>/<size>` or `/<size>`. As Aeron: a tag without any digit is taken as not given. */
static bool parse_group(rj_flow_option_t *option, const char *text, size_t length)
{
    const char *slash = memchr(text, '/', length);
    const size_t tag_length = slash == NULL ? length : (size_t)(slash - text);
    if (has_digit(text, tag_length) && !rj_value_decimal(text, tag_length, &option->group_tag))
        return false;
    if (slash == NULL)
        return true;

    int64_t size;
    if (!rj_value_decimal(slash + 1, length - tag_length - 1, &size) || size < 0 ||
        size > INT32_MAX)
        return false;
    option->group_size_min = (int32_t)size;
    return true;
}

static bool parse_resend_multiple(rj_flow_option_t *option, const char *text, size_t length)
{
    int64_t multiple;
    if (!rj_value_decimal(text, length, &multiple) || multiple <= 0 || multiple > INT32_MAX)
        return false;
    option->resend_window_multiple = (int32_t)multiple;
    return true;
}

static bool parse_token(rj_flow_option_t *option, const char *token, size_t length)
{
    const char *colon = memchr(token, ':', length);
    const size_t name_length = colon == NULL ? length : (size_t)(colon - token);
    const char *value = colon == NULL ? token + length : colon + 1;
    const size_t value_length = length - (size_t)(value - token);

    if (option->strategy == RJ_FLOW_MAX && length >= 3 && memcmp(token, "max", 3) == 0)
        return true;
    if (value_length == 0 || value_length > VALUE_LENGTH_MAX)
        return false;
    if (is_word(token, name_length, "rrwm"))
        return parse_resend_multiple(option, value, value_length);
    if (option->strategy == RJ_FLOW_MAX)
        return false;
    if (is_word(token, name_length, "t"))
        return rj_parse_duration(value, value_length, &option->timeout_ns) == 0;
    return is_word(token, name_length, "g") && parse_group(option, value, value_length);
}

int rj_flow_option_parse(rj_flow_option_t *ret, const char *text, size_t length, rj_err_t *err)
{
    rj_flow_option_t option = *ret;
    size_t begin = 0;
    for (bool is_first = true; begin <= length; is_first = false) {
        const char *comma = memchr(text + begin, ',', length - begin);
        const size_t end = comma == NULL ? length : (size_t)(comma - text);
        const bool is_good = is_first ? parse_strategy(&option.strategy, text + begin, end - begin)
                                      : parse_token(&option, text + begin, end - begin);
        if (!is_good)
            return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                                 "could not parse fc=%.*s at '%.*s'", (int)length, text,
                                 (int)(end - begin), text + begin);
        begin = end + 1;
    }
    *ret = option;
    return 0;
}
