/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int map_descriptor(rj_mapfile_t *file, int fd, int64_t length_bytes, int protection,
                          int flags)
{
    void *bytes = mmap(NULL, (size_t)length_bytes, protection, MAP_SHARED | flags, fd, 0);
    if (bytes == MAP_FAILED)
        return -errno;
    file->bytes = bytes;
    file->length_bytes = length_bytes;
    return 0;
}

/* posix_fallocate would write every block itself where the file system cannot reserve; fallocate
 * says so and lets the caller choose. tmpfs, ext4 and xfs can. */
static int take_space(int fd, int64_t length_bytes, rj_mapfile_space_t space)
{
    int result;
    do {
        result = space == RJ_MAPFILE_ALLOCATED ? fallocate(fd, 0, 0, length_bytes)
                                               : ftruncate(fd, length_bytes);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : -errno;
}

int rj_mapfile_create(rj_mapfile_t *file, const char *path, int64_t length_bytes,
                      rj_mapfile_space_t space, rj_err_t *err)
{
    *file = (rj_mapfile_t){0};
    if (length_bytes <= 0)
        return rj_fail(err, -EINVAL, "create %s: length %lld", path, (long long)length_bytes);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return rj_fail(err, -errno, "create %s: %s", path, strerror(errno));

    int code = take_space(fd, length_bytes, space);
    if (code == 0)
        code = map_descriptor(file, fd, length_bytes, PROT_READ | PROT_WRITE,
                              space == RJ_MAPFILE_ALLOCATED ? MAP_POPULATE : 0);
    close(fd);
    if (code != 0) {
        unlink(path);
        return rj_fail(err, code, "create %s of %lld bytes: %s", path, (long long)length_bytes,
                       strerror(-code));
    }
    return 0;
}

static int checked_length(int fd, int64_t length_bytes_min, int64_t *ret_length_bytes)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    if (status.st_size < length_bytes_min || status.st_size == 0)
        return -ENODATA;
    *ret_length_bytes = status.st_size;
    return 0;
}

int rj_mapfile_open(rj_mapfile_t *file, const char *path, int64_t length_bytes_min,
                    rj_mapfile_access_t access, rj_err_t *err)
{
    *file = (rj_mapfile_t){0};
    bool is_writable = access == RJ_MAPFILE_READ_WRITE;
    /* Without O_NONBLOCK somebody's fifo of that name would hold us here for ever. */
    int fd = open(path, (is_writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return rj_fail(err, -errno, "open %s: %s", path, strerror(errno));

    int64_t length_bytes = 0;
    int code = checked_length(fd, length_bytes_min, &length_bytes);
    if (code == 0)
        code = map_descriptor(file, fd, length_bytes,
                              is_writable ? PROT_READ | PROT_WRITE : PROT_READ, 0);
    close(fd);
    if (code == -ENODATA)
        return rj_fail(err, code, "map %s: shorter than %lld bytes", path,
                       (long long)length_bytes_min);
    if (code != 0)
        return rj_fail(err, code, "map %s: %s", path, strerror(-code));
    return 0;
}

int rj_mapfile_sync(const rj_mapfile_t *file)
{
    if (file->bytes == NULL)
        return -EBADF;
    return msync(file->bytes, (size_t)file->length_bytes, MS_SYNC | MS_INVALIDATE) == 0 ? 0
                                                                                        : -errno;
}

void rj_mapfile_close(rj_mapfile_t *file)
{
    if (file->bytes != NULL && !file->is_lent)
        munmap(file->bytes, (size_t)file->length_bytes);
    *file = (rj_mapfile_t){0};
}
