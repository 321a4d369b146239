/* SPDX-License-Identifier: Apache-2.0 */
/* value.h - numbers and choices that stand behind a URI key, read from text (commands.md 13.2).
 *
 * Sizes and durations are in base/quantity.h.
 *
 * Units      none.
 * Ownership  none; text needs no terminator and is never read beyond `length`.
 * Thread     any.
 * Errors     false means "not such a value"; then nothing is written. The whole text must be
 * consumed, nothing is trimmed.
 */
#ifndef RJ_PROTO_VALUE_H
#define RJ_PROTO_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum rj_inferable {
    RJ_INFERABLE_FALSE = 0,
    RJ_INFERABLE_TRUE = 1,
    RJ_INFERABLE_INFER = 2,
} rj_inferable_t;

/* Optional sign; decimal, 0x hexadecimal, or octal behind a leading 0, as Aeron: C integers. */
bool rj_value_i64(const char *text, size_t length, int64_t *ret);
bool rj_value_i32(const char *text, size_t length, int32_t *ret);

/* Optional sign and decimal digits, nothing else. */
bool rj_value_decimal(const char *text, size_t length, int64_t *ret);

/* Exactly `true` or `false`. */
bool rj_value_bool(const char *text, size_t length, bool *ret);

/* `true`, `infer`, and anything else is false; cannot fail. */
rj_inferable_t rj_value_inferable(const char *text, size_t length);

#endif
