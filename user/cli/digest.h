/* SPDX-License-Identifier: Apache-2.0 */
/* digest.h - the SHA-256 of a stream, by OpenSSL's libcrypto; small pieces are gathered first.
 *
 * Units      lengths in bytes.
 * Ownership  the caller owns the struct, which owns OpenSSL's context and the buffer.
 * Thread     one.
 * Errors     negative errno; a digest that failed in between says so at the end.
 */
#ifndef RJ_CLI_DIGEST_H
#define RJ_CLI_DIGEST_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
    RJ_DIGEST_TEXT_MAX = 65, /* 64 hex digits and the end */
    RJ_DIGEST_GATHER_BYTES = 64 * 1024,
};

typedef struct rj_digest {
    struct evp_md_ctx_st *context; /* NULL when closed */
    size_t gathered_bytes;
    int code;
    uint8_t gathered[RJ_DIGEST_GATHER_BYTES];
} rj_digest_t;

int rj_digest_open(rj_digest_t *digest, rj_err_t *err);
void rj_digest_close(rj_digest_t *digest);

void rj_digest_add(rj_digest_t *digest, const void *bytes, size_t length);

/* Ends the digest and writes it in hex. */
int rj_digest_finish(rj_digest_t *digest, char text[static RJ_DIGEST_TEXT_MAX]);

#endif
