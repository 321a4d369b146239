/* SPDX-License-Identifier: Apache-2.0 */
/* pub_source.h - a file or stdin, cut into messages.
 *
 * A file is cut into pieces of one length, the last may be shorter. From a pipe or a terminal what
 * is there goes out at once, in pieces of at most that length.
 *
 * Units      lengths in bytes.
 * Ownership  the caller owns the struct, which owns the descriptor and the buffer.
 * Thread     one.
 * Errors     negative errno, text in `err`.
 */
#ifndef RJ_CLI_PUB_SOURCE_H
#define RJ_CLI_PUB_SOURCE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct rj_pub_source {
    const char *name;
    int fd; /* -1 when closed */
    bool is_file;
    bool is_at_end;
    uint8_t *buffer;
    size_t buffer_bytes;
    size_t begin; /* of what was read and not given out */
    size_t end;
    size_t piece_length;
} rj_pub_source_t;

/* `path` NULL is stdin. */
int rj_pub_source_open(rj_pub_source_t *source, const char *path, rj_err_t *err);

/* To be called once before the first piece is asked for. */
int rj_pub_source_cut(rj_pub_source_t *source, size_t piece_length, rj_err_t *err);

void rj_pub_source_close(rj_pub_source_t *source);

/* The next piece, valid until the next call; 0 at the end, -EAGAIN when a pipe has nothing for a
 * while. */
ssize_t rj_pub_source_next(rj_pub_source_t *source, const uint8_t **ret_piece, rj_err_t *err);

#endif
