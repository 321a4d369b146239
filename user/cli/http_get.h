/* SPDX-License-Identifier: Apache-2.0 */
/* http_get.h - fetches one small text by HTTP, for property files that live on a server.
 *
 * Plain HTTP/1.0: no TLS, no proxy. One redirect is followed.
 *
 * Units      ns for the whole of it, bytes.
 * Ownership  the text is the caller's to free.
 * Thread     the main thread; it blocks.
 * Errors     negative errno and a text. Whatever the server sends is bounded and checked.
 */
#ifndef RJ_CLI_HTTP_GET_H
#define RJ_CLI_HTTP_GET_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { RJ_HTTP_BODY_MAX = 1 << 20 };

/* `url` begins with http://. */
int rj_http_get(const char *url, int64_t timeout_ns, char **ret_body, size_t *ret_length,
                rj_err_t *err);

#endif
