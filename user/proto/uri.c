/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/uri.h"

#include <errno.h>
#include <string.h>

#include <ramjet/command.h>

#include "base/quantity.h"

static const char spy_prefix[] = "aeron-spy:";
_Static_assert(sizeof(spy_prefix) - 1 == RJ_URI_SPY_PREFIX_LENGTH,
               "the prefix is as long as the header says");

static bool starts_with(const char *text, size_t length, const char *prefix)
{
    size_t prefix_length = strlen(prefix);
    return length >= prefix_length && memcmp(text, prefix, prefix_length) == 0;
}

/* Finds the media behind an optional spy prefix, and where the parameters begin. */
static int parse_media(rj_uri_t *uri, rj_err_t *err)
{
    const size_t start = uri->is_spy ? RJ_URI_SPY_PREFIX_LENGTH : 0;
    const char *text = uri->text + start;
    const size_t length = uri->length_bytes - start;
    size_t params;

    if (starts_with(text, length, "aeron:udp?")) {
        uri->media = RJ_MEDIA_UDP;
        params = strlen("aeron:udp?");
    } else if (starts_with(text, length, "aeron:ipc?")) {
        uri->media = RJ_MEDIA_IPC;
        params = strlen("aeron:ipc?");
    } else if (length == strlen("aeron:ipc") && starts_with(text, length, "aeron:ipc")) {
        uri->media = RJ_MEDIA_IPC;
        params = length;
    } else {
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_INVALID_CHANNEL,
                             "uri: invalid URI scheme or transport: %s", uri->text);
    }
    uri->params_index = (uint16_t)(start + params);
    return 0;
}

/* Where the parameter that begins at `index` ends: at a separator or the terminator. */
static size_t param_end(const rj_uri_t *uri, size_t index)
{
    return index + strcspn(uri->text + index, "|");
}

static int check_param(const rj_uri_t *uri, size_t begin, size_t end, rj_err_t *err)
{
    const char *param = uri->text + begin;
    const char *equals = memchr(param, '=', end - begin);

    if (equals == param)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_INVALID_CHANNEL,
                             "uri: empty key not allowed: %s", uri->text);
    if (equals == NULL)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_INVALID_CHANNEL,
                             "uri: invalid end of key at %zu: %s", end, uri->text);
    if (equals + 1 == uri->text + end)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_INVALID_CHANNEL,
                             "uri: empty value not allowed at %zu: %s", end, uri->text);
    return 0;
}

static int check_params(const rj_uri_t *uri, rj_err_t *err)
{
    size_t begin = uri->params_index;
    if (begin == uri->length_bytes)
        return 0;
    for (;;) {
        size_t end = param_end(uri, begin);
        int result = check_param(uri, begin, end, err);
        if (result < 0)
            return result;
        if (end == uri->length_bytes)
            return 0;
        begin = end + 1;
    }
}

int rj_uri_parse(rj_uri_t *ret, const char *text, size_t length, rj_err_t *err)
{
    const bool is_spy = starts_with(text, length, spy_prefix);
    const size_t prefix = is_spy ? RJ_URI_SPY_PREFIX_LENGTH : 0;
    if (length - prefix > RJ_URI_LENGTH_MAX)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_INVALID_CHANNEL,
                             "uri: longer than %d bytes: %.*s", RJ_URI_LENGTH_MAX,
                             RJ_URI_LENGTH_MAX, text);
    if (memchr(text, '\0', length) != NULL)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_INVALID_CHANNEL,
                             "uri: a zero byte inside: %.*s", (int)length, text);

    ret->is_spy = is_spy;
    ret->length_bytes = (uint16_t)length;
    memcpy(ret->text, text, length);
    ret->text[length] = '\0';
    int result = parse_media(ret, err);
    return result < 0 ? result : check_params(ret, err);
}

static bool last_one_counts(const char *key)
{
    static const char *const keys[] = {"endpoint", "interface",    "ttl",
                                       "control",  "control-mode", "tags"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(key, keys[i]) == 0)
            return true;
    }
    return false;
}

rj_uri_value_t rj_uri_find(const rj_uri_t *uri, const char *key)
{
    const size_t key_length = strlen(key);
    const bool is_last_wins = last_one_counts(key);
    rj_uri_value_t found = {NULL, 0};

    for (size_t begin = uri->params_index; begin < uri->length_bytes;) {
        const size_t end = param_end(uri, begin);
        const char *param = uri->text + begin;
        if (end - begin > key_length + 1 && param[key_length] == '=' &&
            memcmp(param, key, key_length) == 0) {
            found = (rj_uri_value_t){param + key_length + 1, end - begin - key_length - 1};
            if (!is_last_wins)
                break;
        }
        begin = end + 1;
    }
    return found;
}

bool rj_uri_has(const rj_uri_t *uri, const char *key)
{
    return rj_uri_find(uri, key).text != NULL;
}

bool rj_uri_value_is(const rj_uri_t *uri, const char *key, const char *text)
{
    rj_uri_value_t value = rj_uri_find(uri, key);
    return value.text != NULL && value.length == strlen(text) &&
           memcmp(value.text, text, value.length) == 0;
}

/* What every typed getter answers: absent, read, or a value that is not of its type. */
static int answer(rj_uri_value_t value, bool is_read, const char *key, int aeron_code,
                  rj_err_t *err)
{
    if (value.text == NULL)
        return 0;
    if (is_read)
        return 1;
    return rj_fail_aeron(err, -EINVAL, aeron_code, "could not parse %s=%.*s", key,
                         (int)value.length, value.text);
}

int rj_uri_get_size(const rj_uri_t *uri, const char *key, int64_t *ret_bytes, rj_err_t *err)
{
    rj_uri_value_t value = rj_uri_find(uri, key);
    bool is_read = value.text != NULL && rj_parse_size(value.text, value.length, ret_bytes) == 0;
    return answer(value, is_read, key, RJ_ERROR_GENERIC, err);
}

int rj_uri_get_duration(const rj_uri_t *uri, const char *key, int64_t *ret_ns, rj_err_t *err)
{
    rj_uri_value_t value = rj_uri_find(uri, key);
    bool is_read = value.text != NULL && rj_parse_duration(value.text, value.length, ret_ns) == 0;
    return answer(value, is_read, key, RJ_ERROR_GENERIC, err);
}

int rj_uri_get_i32(const rj_uri_t *uri, const char *key, int32_t *ret, rj_err_t *err)
{
    rj_uri_value_t value = rj_uri_find(uri, key);
    bool is_read = value.text != NULL && rj_value_i32(value.text, value.length, ret);
    return answer(value, is_read, key, RJ_ERROR_GENERIC, err);
}

int rj_uri_get_i64(const rj_uri_t *uri, const char *key, int64_t *ret, rj_err_t *err)
{
    rj_uri_value_t value = rj_uri_find(uri, key);
    bool is_read = value.text != NULL && rj_value_i64(value.text, value.length, ret);
    return answer(value, is_read, key, RJ_ERROR_GENERIC, err);
}

int rj_uri_get_bool(const rj_uri_t *uri, const char *key, bool *ret, rj_err_t *err)
{
    rj_uri_value_t value = rj_uri_find(uri, key);
    bool is_read = value.text != NULL && rj_value_bool(value.text, value.length, ret);
    return answer(value, is_read, key, RJ_ERROR_GENERIC, err);
}

int rj_uri_get_inferable(const rj_uri_t *uri, const char *key, rj_inferable_t *ret)
{
    rj_uri_value_t value = rj_uri_find(uri, key);
    if (value.text == NULL)
        return 0;
    *ret = rj_value_inferable(value.text, value.length);
    return 1;
}

static int get_tag(rj_uri_value_t half, int64_t *ret, const char *what, int aeron_code,
                   rj_err_t *err)
{
    int64_t tag;
    if (half.length == 0)
        return 0;
    /* -1 is how Aeron writes "no tag"; whoever asks for it by number made a mistake. */
    if (!rj_value_decimal(half.text, half.length, &tag) || tag == -1)
        return rj_fail_aeron(err, -EINVAL, aeron_code, "could not parse %s tag in tags=: %.*s",
                             what, (int)half.length, half.text);
    *ret = tag;
    return 1;
}

int rj_uri_get_channel_tag(const rj_uri_t *uri, int64_t *ret, rj_err_t *err)
{
    rj_uri_value_t tags = rj_uri_find(uri, "tags");
    if (tags.text == NULL)
        return 0;
    const char *comma = memchr(tags.text, ',', tags.length);
    if (comma != NULL)
        tags.length = (size_t)(comma - tags.text);
    return get_tag(tags, ret, "channel", RJ_ERROR_INVALID_CHANNEL, err);
}

int rj_uri_get_entity_tag(const rj_uri_t *uri, int64_t *ret, rj_err_t *err)
{
    rj_uri_value_t tags = rj_uri_find(uri, "tags");
    const char *comma = tags.text == NULL ? NULL : memchr(tags.text, ',', tags.length);
    if (comma == NULL)
        return 0;
    rj_uri_value_t half = {comma + 1, tags.length - (size_t)(comma + 1 - tags.text)};
    return get_tag(half, ret, "entity", RJ_ERROR_GENERIC, err);
}
