/* SPDX-License-Identifier: Apache-2.0 */
/* err.h - an error that reaches a person: a negative errno and one line of text.
 *
 * Units      `code` is a negative errno. Where a driver command fails for a reason that Aeron has
 *            an error code for, `aeron_code` carries it (commands.md 10); 0 means "derive it".
 * Ownership  the caller owns the struct; the text lives inside it.
 * Thread     the caller's.
 * Errors     the text is cut at RJ_ERR_TEXT_MAX; nothing else can go wrong.
 *
 * Cold calls take `rj_err_t *err` last (NULL is allowed) and return through it in one line:
 *     return rj_fail(err, -EINVAL, "uri: term-length %d is not a power of two", n);
 */
#ifndef RJ_BASE_ERR_H
#define RJ_BASE_ERR_H

#include <ramjet/error.h>

/* Stores `code` and the text; returns `code`. Lower case, names the thing and the value, says what
 * to do if there is something to do. */
int rj_fail(rj_err_t *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same with an Aeron error code for the client that asked. */
int rj_fail_aeron(rj_err_t *err, int code, int aeron_code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts context in front of the text ("attach eth0: ..."); keeps and returns the code. */
int rj_err_context(rj_err_t *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
