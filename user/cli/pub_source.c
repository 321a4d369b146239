/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pub_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES_MIN = 256 * 1024, WAIT_MS = 50 };

int rj_pub_source_open(rj_pub_source_t *source, const char *path, rj_err_t *err)
{
    *source = (rj_pub_source_t){.name = path != NULL ? path : "stdin", .fd = -1};
    source->fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
    struct stat status;
    if (source->fd < 0 || fstat(source->fd, &status) < 0) {
        int code = -errno;
        rj_pub_source_close(source);
        return rj_fail(err, code, "%s: %s", source->name, strerror(-code));
    }
    if (S_ISDIR(status.st_mode)) {
        rj_pub_source_close(source);
        return rj_fail(err, -EISDIR, "%s: %s", source->name, strerror(EISDIR));
    }
    source->is_file = S_ISREG(status.st_mode);
    return 0;
}

int rj_pub_source_cut(rj_pub_source_t *source, size_t piece_length, rj_err_t *err)
{
    source->piece_length = piece_length;
    source->buffer_bytes = piece_length > BUFFER_BYTES_MIN ? piece_length : BUFFER_BYTES_MIN;
    source->buffer = malloc(source->buffer_bytes);
    return source->buffer != NULL ? 0 : rj_fail(err, -ENOMEM, "%s: out of memory", source->name);
}

void rj_pub_source_close(rj_pub_source_t *source)
{
    if (source->fd >= 0)
        close(source->fd);
    source->fd = -1;
    free(source->buffer);
    source->buffer = NULL;
}

/* Reads what there is into the free part of the buffer. */
static int fill(rj_pub_source_t *source, rj_err_t *err)
{
    struct pollfd wait = {.fd = source->fd, .events = POLLIN};
    if (!source->is_file && poll(&wait, 1, WAIT_MS) <= 0)
        return -EAGAIN; /* nothing yet, or a signal */
    ssize_t count =
        read(source->fd, source->buffer + source->end, source->buffer_bytes - source->end);
    if (count < 0 && (errno == EINTR || errno == EAGAIN))
        return -EAGAIN;
    if (count < 0)
        return rj_fail(err, -errno, "%s: %s", source->name, strerror(errno));
    source->end += (size_t)count;
    source->is_at_end = count == 0;
    return 0;
}

ssize_t rj_pub_source_next(rj_pub_source_t *source, const uint8_t **ret_piece, rj_err_t *err)
{
    size_t wanted = source->is_file ? source->piece_length : 1;
    while (source->end - source->begin < wanted && !source->is_at_end) {
        memmove(source->buffer, source->buffer + source->begin, source->end - source->begin);
        source->end -= source->begin;
        source->begin = 0;
        int code = fill(source, err);
        if (code < 0)
            return code;
    }
    size_t length = source->end - source->begin;
    if (length > source->piece_length)
        length = source->piece_length;
    *ret_piece = source->buffer + source->begin;
    source->begin += length;
    return (ssize_t)length;
}
