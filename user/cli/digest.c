/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

int rj_digest_open(rj_digest_t *digest, rj_err_t *err)
{
    digest->gathered_bytes = 0;
    digest->code = 0;
    digest->context = EVP_MD_CTX_new();
    if (digest->context == NULL || EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1) {
        rj_digest_close(digest);
        return rj_fail(err, -ENOMEM, "digest: libcrypto gives no SHA-256");
    }
    return 0;
}

void rj_digest_close(rj_digest_t *digest)
{
    EVP_MD_CTX_free(digest->context);
    digest->context = NULL;
}

static void feed(rj_digest_t *digest, const void *bytes, size_t length)
{
    if (EVP_DigestUpdate(digest->context, bytes, length) != 1)
        digest->code = -EIO;
}

static void flush_gathered(rj_digest_t *digest)
{
    feed(digest, digest->gathered, digest->gathered_bytes);
    digest->gathered_bytes = 0;
}

void rj_digest_add(rj_digest_t *digest, const void *bytes, size_t length)
{
    if (length > sizeof(digest->gathered) - digest->gathered_bytes)
        flush_gathered(digest);
    if (length > sizeof(digest->gathered)) {
        feed(digest, bytes, length);
        return;
    }
    if (length > 0)
        memcpy(digest->gathered + digest->gathered_bytes, bytes, length);
    digest->gathered_bytes += length;
}

int rj_digest_finish(rj_digest_t *digest, char text[static RJ_DIGEST_TEXT_MAX])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    flush_gathered(digest);
    if (EVP_DigestFinal_ex(digest->context, hash, &length) != 1 || length != 32)
        digest->code = -EIO;
    if (digest->code < 0)
        return digest->code;
    for (size_t i = 0; i < length; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    return 0;
}
