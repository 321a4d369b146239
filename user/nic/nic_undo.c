/* SPDX-License-Identifier: Apache-2.0 */
#include "nic/nic_undo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 1 << 20, PREFIX_MAX = 64 };

/* --- what others left --- */

static void hand_out(char *text, rj_nic_undo_line_t on_line, void *state)
{
    for (;;) {
        char *end = strrchr(text, '\n');
        if (end == NULL)
            return;
        *end = '\0';
        char *before = strrchr(text, '\n');
        on_line(state, before == NULL ? text : before + 1);
        if (before == NULL)
            return;
    }
}

/* A line that its writer did not end was never acted upon. */
static void undo_file(int fd, rj_nic_undo_line_t on_line, void *state)
{
    struct stat about;
    if (fstat(fd, &about) < 0 || about.st_size > FILE_BYTES_MAX)
        return;
    char *text = calloc(1, (size_t)about.st_size + 1);
    if (text != NULL && pread(fd, text, (size_t)about.st_size, 0) == about.st_size)
        hand_out(text, on_line, state);
    free(text);
}

static void sweep_one(int folder_fd, const char *name, rj_nic_undo_line_t on_line, void *state)
{
    const int fd = openat(folder_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        undo_file(fd, on_line, state);
        unlinkat(folder_fd, name, 0);
    }
    close(fd);
}

/* What all files of the interface begin with, in this network namespace; false where that cannot be
 * known. */
static bool print_prefix(char prefix[static PREFIX_MAX], const char *interface)
{
    struct stat namespace;
    if (stat("/proc/self/ns/net", &namespace) < 0)
        return false;
    snprintf(prefix, PREFIX_MAX, "%llu-%s-", (unsigned long long)namespace.st_ino, interface);
    return true;
}

void rj_nic_undo_sweep(const char *folder, const char *interface, rj_nic_undo_line_t on_line,
                       void *state)
{
    char prefix[PREFIX_MAX];
    DIR *directory = print_prefix(prefix, interface) ? opendir(folder) : NULL;
    if (directory == NULL)
        return;
    const size_t length = strlen(prefix);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strncmp(entry->d_name, prefix, length) == 0 &&
            strchr(entry->d_name + length, '-') == NULL)
            sweep_one(dirfd(directory), entry->d_name, on_line, state);
    }
    closedir(directory);
}

/* --- our own --- */

static int make_folder(const char *folder)
{
    char path[RJ_NIC_UNDO_PATH_MAX];
    snprintf(path, sizeof(path), "%s", folder);
    for (char *at = strchr(path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return -errno;
        *at = '/';
    }
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* Whoever sweeps between the two steps takes an empty file for a dead driver's. */
static int open_own(rj_nic_undo_t *undo, const char *folder, const char *prefix)
{
    struct stat about = {.st_nlink = 0};
    while (about.st_nlink == 0) {
        snprintf(undo->path, sizeof(undo->path), "%s/%sXXXXXX", folder, prefix);
        undo->fd = mkostemp(undo->path, O_CLOEXEC);
        if (undo->fd < 0)
            return -errno;
        const bool is_locked = flock(undo->fd, LOCK_EX | LOCK_NB) == 0;
        if (is_locked && fstat(undo->fd, &about) == 0 && about.st_nlink > 0)
            return 0;
        close(undo->fd);
        undo->fd = -1;
    }
    return 0;
}

int rj_nic_undo_open(rj_nic_undo_t *undo, const char *folder, const char *interface, rj_err_t *err)
{
    char prefix[PREFIX_MAX];
    *undo = (rj_nic_undo_t){.fd = -1};
    int result = print_prefix(prefix, interface) ? make_folder(folder) : -ENOENT;
    if (result == 0)
        result = open_own(undo, folder, prefix);
    if (result == 0)
        return 0;
    return rj_fail(err, result,
                   "%s: its card stays as it is, for what is to be undone after a crash cannot be "
                   "noted in %s: %s",
                   interface, folder, strerror(-result));
}

int rj_nic_undo_note(rj_nic_undo_t *undo, const char *format, ...)
{
    char line[RJ_NIC_UNDO_LINE_MAX];
    va_list args;
    if (undo->fd < 0)
        return -EBADF;
    va_start(args, format);
    const int length = vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    if (length < 0 || length >= (int)sizeof(line) - 1)
        return -EOVERFLOW;
    line[length] = '\n';
    return write(undo->fd, line, (size_t)length + 1) == length + 1 ? 0 : -EIO;
}

void rj_nic_undo_close(rj_nic_undo_t *undo)
{
    if (undo->fd < 0)
        return;
    unlink(undo->path);
    close(undo->fd);
    undo->fd = -1;
}
