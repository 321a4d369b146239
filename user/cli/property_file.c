/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/property_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/http_get.h"
#include "config/property.h"

static const int64_t timeout_ns = INT64_C(10000000000);

static const char file_scheme[] = "file://";
static const char http_scheme[] = "http://";

/* Reads until the end: a pipe has no length that could be asked for. */
static int read_all(int fd, char *text, size_t room, size_t *ret_length, rj_err_t *err)
{
    size_t length = 0;
    for (;;) {
        const ssize_t count = read(fd, text + length, room - length);
        if (count < 0)
            return rj_fail(err, -errno, "%s", strerror(errno));
        length += (size_t)count;
        if (length == room)
            return rj_fail(err, -EFBIG, "longer than %zu bytes", room - 1);
        if (count == 0)
            break;
    }
    *ret_length = length;
    return 0;
}

static int read_file(const char *path, char **ret_text, size_t *ret_length, rj_err_t *err)
{
    const size_t room = RJ_HTTP_BODY_MAX + 1;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return rj_fail(err, -errno, "%s", strerror(errno));
    char *text = malloc(room);
    int result = text != NULL ? read_all(fd, text, room, ret_length, err)
                              : rj_fail(err, -ENOMEM, "out of memory");
    close(fd);
    if (result == 0)
        *ret_text = text;
    else
        free(text);
    return result;
}

int rj_property_file_load(const char *name, rj_err_t *err)
{
    char *text;
    size_t length;
    rj_err_t reason;
    const bool is_url = strncmp(name, http_scheme, sizeof(http_scheme) - 1) == 0;
    const bool is_file_url = strncmp(name, file_scheme, sizeof(file_scheme) - 1) == 0;
    int result = is_url ? rj_http_get(name, timeout_ns, &text, &length, &reason)
                        : read_file(is_file_url ? name + sizeof(file_scheme) - 1 : name, &text,
                                    &length, &reason);
    if (result == 0) {
        result = rj_property_define_all(text, length, &reason);
        free(text);
    }
    return result == 0 ? 0
                       : rj_fail(err, result, "loading properties from %s: %s", name, reason.text);
}
