/* SPDX-License-Identifier: Apache-2.0 */
/* sub_sink.h - where received bytes go: a file, stdout, a digest, or nowhere.
 *
 * Units      bytes.
 * Ownership  the caller owns the struct, which owns file, buffer and digest.
 * Thread     one.
 * Errors     negative errno, text in `err`; a failed write is kept and told by rj_sub_sink_error.
 */
#ifndef RJ_CLI_SUB_SINK_H
#define RJ_CLI_SUB_SINK_H

#include "base/err.h"
#include "cli/digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RJ_SUB_SINK_BUFFER_BYTES = 256 * 1024 };

typedef struct rj_sub_sink {
    const char *name; /* of the file, or "stdout" */
    int fd;           /* -1: none */
    bool has_digest;
    int code; /* of the first write that failed */
    size_t buffered;
    rj_digest_t digest;
    uint8_t buffer[RJ_SUB_SINK_BUFFER_BYTES];
} rj_sub_sink_t;

/* Creates or empties the file at `path`; "-" is stdout, NULL is none. */
int rj_sub_sink_open(rj_sub_sink_t *sink, const char *path, bool has_digest, rj_err_t *err);

void rj_sub_sink_add(rj_sub_sink_t *sink, const void *bytes, size_t length);

/* Writes out what is buffered. */
void rj_sub_sink_flush(rj_sub_sink_t *sink);

/* Flushes, closes, and writes the digest if there is one. Returns the first error of all. */
int rj_sub_sink_finish(rj_sub_sink_t *sink, char sha256[static RJ_DIGEST_TEXT_MAX], rj_err_t *err);

#endif
