/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sub_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int rj_sub_sink_open(rj_sub_sink_t *sink, const char *path, bool has_digest, rj_err_t *err)
{
    sink->name = path != NULL && strcmp(path, "-") == 0 ? "stdout" : path;
    sink->fd = -1;
    sink->code = 0;
    sink->buffered = 0;
    sink->has_digest = false;
    if (has_digest) {
        int code = rj_digest_open(&sink->digest, err);
        if (code < 0)
            return code;
        sink->has_digest = true;
    }
    if (path == NULL)
        return 0;
    sink->fd = strcmp(path, "-") == 0 ? dup(STDOUT_FILENO)
                                      : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (sink->fd < 0)
        return rj_fail(err, -errno, "%s: %s", sink->name, strerror(errno));
    return 0;
}

static void write_out(rj_sub_sink_t *sink, const uint8_t *bytes, size_t length)
{
    while (length > 0 && sink->code == 0) {
        ssize_t count = write(sink->fd, bytes, length);
        if (count < 0 && errno != EINTR)
            sink->code = -errno;
        if (count > 0) {
            bytes += count;
            length -= (size_t)count;
        }
    }
}

void rj_sub_sink_flush(rj_sub_sink_t *sink)
{
    write_out(sink, sink->buffer, sink->buffered);
    sink->buffered = 0;
}

void rj_sub_sink_add(rj_sub_sink_t *sink, const void *bytes, size_t length)
{
    if (sink->has_digest)
        rj_digest_add(&sink->digest, bytes, length);
    if (sink->fd < 0 || length == 0)
        return;
    if (length > sizeof(sink->buffer) - sink->buffered)
        rj_sub_sink_flush(sink);
    if (length > sizeof(sink->buffer)) {
        write_out(sink, bytes, length);
        return;
    }
    memcpy(sink->buffer + sink->buffered, bytes, length);
    sink->buffered += length;
}

int rj_sub_sink_finish(rj_sub_sink_t *sink, char sha256[static RJ_DIGEST_TEXT_MAX], rj_err_t *err)
{
    sha256[0] = '\0';
    if (sink->fd >= 0) {
        rj_sub_sink_flush(sink);
        if (close(sink->fd) < 0 && sink->code == 0)
            sink->code = -errno;
        sink->fd = -1;
    }
    int digest_code = 0;
    if (sink->has_digest) {
        digest_code = rj_digest_finish(&sink->digest, sha256);
        rj_digest_close(&sink->digest);
        sink->has_digest = false;
    }
    if (sink->code < 0)
        return rj_fail(err, sink->code, "%s: %s", sink->name, strerror(-sink->code));
    return digest_code < 0 ? rj_fail(err, digest_code, "digest: libcrypto failed") : 0;
}
