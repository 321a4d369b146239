/* SPDX-License-Identifier: Apache-2.0 */
/* uri.h - the grammar of a channel: `[aeron-spy:]aeron:(udp?|ipc[?])key=value|key=value`
 * (commands.md 13.1).
 *
 * It checks the form and finds values; what the keys mean is told by channel.h and stream_params.h.
 *
 * Units      lengths in bytes, terminators excluded.
 * Ownership  a URI holds its own copy of the text: no heap, nothing to close, and it may be copied.
 * The text that rj_uri_find answers with lies inside the URI and lives as long as it does. Thread
 * any; a parsed URI is not changed any more. Errors     -EINVAL with a text; Aeron's code is 1 for
 * a malformed URI and 11 for a value that is not of its type, where a function does not say
 * otherwise.
 */
#ifndef RJ_PROTO_URI_H
#define RJ_PROTO_URI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/value.h"

enum {
    RJ_URI_LENGTH_MAX = 4095,      /* without the spy prefix */
    RJ_URI_SPY_PREFIX_LENGTH = 10, /* of `aeron-spy:` */
    RJ_URI_TEXT_BYTES = RJ_URI_SPY_PREFIX_LENGTH + RJ_URI_LENGTH_MAX + 1,
};

typedef enum rj_media {
    RJ_MEDIA_UDP,
    RJ_MEDIA_IPC,
} rj_media_t;

typedef struct rj_uri {
    rj_media_t media;
    bool is_spy;
    uint16_t params_index; /* where the first key begins in `text`; the terminator's place when
                              there is none */
    uint16_t length_bytes; /* of `text`, prefix included */
    char text[RJ_URI_TEXT_BYTES]; /* as given, terminated: for labels and messages */
} rj_uri_t;

/* A piece of a URI's text; `text` is NULL when the key is absent. Not terminated. */
typedef struct rj_uri_value {
    const char *text;
    size_t length;
} rj_uri_value_t;

/* Copies and checks the form. A text longer than RJ_URI_LENGTH_MAX is refused with its first 4095
 * bytes in the message. A key without `=`, or with nothing behind it, and a terminator inside the
 * text are refused. */
int rj_uri_parse(rj_uri_t *ret, const char *text, size_t length, rj_err_t *err);

/* The value of a key, compared exactly. Of a repeated key the last counts for endpoint, interface,
 * ttl, control, control-mode and tags, the first for all others: as Aeron's C driver has it. */
rj_uri_value_t rj_uri_find(const rj_uri_t *uri, const char *key);

bool rj_uri_has(const rj_uri_t *uri, const char *key);

/* True when the value of `key` is present and is exactly `text`. */
bool rj_uri_value_is(const rj_uri_t *uri, const char *key, const char *text);

/* Typed values: 1 when the key is present (`*ret` is written), 0 when absent (`*ret` keeps what it
 * had, so put the default there first), or negative: code 11, `could not parse <key>=<value>`. */
int rj_uri_get_size(const rj_uri_t *uri, const char *key, int64_t *ret_bytes, rj_err_t *err);
int rj_uri_get_duration(const rj_uri_t *uri, const char *key, int64_t *ret_ns, rj_err_t *err);
int rj_uri_get_i32(const rj_uri_t *uri, const char *key, int32_t *ret, rj_err_t *err);
int rj_uri_get_i64(const rj_uri_t *uri, const char *key, int64_t *ret, rj_err_t *err);
int rj_uri_get_bool(const rj_uri_t *uri, const char *key, bool *ret, rj_err_t *err);
int rj_uri_get_inferable(const rj_uri_t *uri, const char *key, rj_inferable_t *ret);

/* The two halves of `tags=<channel tag>[,<entity tag>]`, with the same three answers. A half that
 * is empty is absent; -1 and what is no decimal number are errors: code 1 for the channel tag, 11
 * for the entity's. */
int rj_uri_get_channel_tag(const rj_uri_t *uri, int64_t *ret, rj_err_t *err);
int rj_uri_get_entity_tag(const rj_uri_t *uri, int64_t *ret, rj_err_t *err);

#endif
