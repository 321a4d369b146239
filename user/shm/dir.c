/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/dir.h"

#include "base/log.h"
#include "shm/cnc.h"
#include "shm/error_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TREE_DEPTH_MAX = 64 };

int rj_dir_join(char *path, size_t path_bytes, const char *directory, const char *name)
{
    int length = snprintf(path, path_bytes, "%s/%s", directory, name);
    return length < 0 || (size_t)length >= path_bytes ? -ENAMETOOLONG : 0;
}

static int log_path(char *path, size_t path_bytes, const char *directory, const char *kind,
                    int64_t id)
{
    int length = snprintf(path, path_bytes, "%s/%s/%lld" RJ_LOG_BUFFER_SUFFIX, directory, kind,
                          (long long)id);
    return length < 0 || (size_t)length >= path_bytes ? -ENAMETOOLONG : 0;
}

int rj_dir_publication_path(char *path, size_t path_bytes, const char *directory, int64_t id)
{
    return log_path(path, path_bytes, directory, RJ_PUBLICATIONS_DIR, id);
}

int rj_dir_image_path(char *path, size_t path_bytes, const char *directory, int64_t id)
{
    return log_path(path, path_bytes, directory, RJ_IMAGES_DIR, id);
}

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static int make_one(const char *path)
{
    if (mkdir(path, 0777) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    return is_directory(path) ? 0 : -ENOTDIR;
}

int rj_dir_make(const char *path, rj_err_t *err)
{
    char prefix[RJ_DIR_PATH_BYTES_MAX];
    if (snprintf(prefix, sizeof(prefix), "%s", path) >= (int)sizeof(prefix))
        return rj_fail(err, -ENAMETOOLONG, "mkdir %s: name too long", path);
    for (char *slash = strchr(prefix + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int code = make_one(prefix);
        if (code != 0)
            return rj_fail(err, code, "mkdir %s: %s", prefix, strerror(-code));
        *slash = '/';
    }
    int code = make_one(path);
    return code == 0 ? 0 : rj_fail(err, code, "mkdir %s: %s", path, strerror(-code));
}

static int remove_entries(int directory_fd, int depth);

/* Removes one name of a directory, whatever it is; what another process removed first is fine. */
static int remove_entry(int directory_fd, const char *name, int depth)
{
    if (unlinkat(directory_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR)
        return -errno;
    int fd = openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int code = remove_entries(fd, depth + 1);
    if (code == 0 && unlinkat(directory_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        code = -errno;
    return code;
}

/* Empties a directory; closes the descriptor. */
static int remove_entries(int directory_fd, int depth)
{
    DIR *directory = depth > TREE_DEPTH_MAX ? NULL : fdopendir(directory_fd);
    if (directory == NULL) {
        int code = depth > TREE_DEPTH_MAX ? -ELOOP : -errno;
        close(directory_fd);
        return code;
    }
    int code = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL) {
            code = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        code = remove_entry(directory_fd, entry->d_name, depth);
        if (code != 0)
            break;
    }
    closedir(directory);
    return code;
}

int rj_dir_remove_tree(const char *path, rj_err_t *err)
{
    int code = remove_entry(AT_FDCWD, path, 0);
    return code == 0 ? 0 : rj_fail(err, code, "remove %s: %s", path, strerror(-code));
}

/* What a file that can be mapped says about its driver. */
static rj_dir_state_t state_of(const rj_cnc_t *cnc, int64_t driver_timeout_ms, int64_t epoch_ms,
                               int64_t *ret_age_ms)
{
    int64_t heartbeat_ms = rj_cnc_heartbeat_ms(cnc);
    if (heartbeat_ms > 0)
        *ret_age_ms = epoch_ms - heartbeat_ms;
    return rj_cnc_driver_is_alive(cnc, epoch_ms, driver_timeout_ms) ? RJ_DIR_ACTIVE : RJ_DIR_DEAD;
}

int rj_dir_probe(const char *path, int64_t driver_timeout_ms, int64_t epoch_ms,
                 rj_dir_state_t *ret_state, int64_t *ret_heartbeat_age_ms, rj_err_t *err)
{
    rj_cnc_t cnc;
    int64_t age_ms = RJ_NULL_VALUE;
    int code = rj_cnc_inspect(&cnc, path, RJ_MAPFILE_READ_ONLY, err);
    switch (code) {
    case 0:
        *ret_state = state_of(&cnc, driver_timeout_ms, epoch_ms, &age_ms);
        rj_cnc_close(&cnc);
        break;
    case -ENOENT:
        *ret_state = is_directory(path) ? RJ_DIR_EMPTY : RJ_DIR_ABSENT;
        break;
    case -EAGAIN:
        *ret_state = RJ_DIR_UNREADY;
        break;
    case -ENODATA:
    case -EPROTO:
        *ret_state = RJ_DIR_DEAD;
        break;
    default:
        return code;
    }
    if (ret_heartbeat_age_ms != NULL)
        *ret_heartbeat_age_ms = age_ms;
    return 0;
}

/* Keeps a dead driver's errors in a text file beside its directory. Failure stops nobody. */
static void save_errors(const char *path, int64_t epoch_ms)
{
    rj_cnc_t cnc;
    char file[RJ_DIR_PATH_BYTES_MAX], day[32], zone[16];
    struct tm parts;
    time_t seconds = (time_t)(epoch_ms / 1000);
    if (localtime_r(&seconds, &parts) == NULL ||
        rj_cnc_inspect(&cnc, path, RJ_MAPFILE_READ_ONLY, NULL) != 0)
        return;
    strftime(day, sizeof(day), "%Y-%m-%d-%H-%M-%S", &parts);
    strftime(zone, sizeof(zone), "%z", &parts);
    rj_err_t err;
    int count = -ENAMETOOLONG;
    if (snprintf(file, sizeof(file), "%s-%s-%03d%s-error.log", path, day, (int)(epoch_ms % 1000),
                 zone) < (int)sizeof(file))
        count = rj_error_log_save(cnc.error_log.bytes, cnc.error_log.length_bytes, file, &err);
    if (count > 0)
        rj_logger_warn("Existing errors saved to: %s", file);
    else if (count < 0)
        rj_logger_warn("Existing errors of %s are lost: %s", path, strerror(-count));
    rj_cnc_close(&cnc);
}

/* Decides whether what is at `path` may be removed. */
static int check_old_driver(const rj_dir_options_t *options, const char *path, int64_t epoch_ms,
                            rj_dir_patience_t patience, rj_err_t *err)
{
    rj_dir_state_t state;
    int64_t age_ms;
    int code = rj_dir_probe(path, options->driver_timeout_ms, epoch_ms, &state, &age_ms, err);
    if (code != 0)
        return code;
    if (state == RJ_DIR_UNREADY && patience == RJ_DIR_MAY_WAIT)
        return rj_fail(err, -EAGAIN, "%s: another driver may be starting", path);
    if (options->warn_if_exists && state != RJ_DIR_ABSENT)
        rj_logger_warn("%s exists", path);
    if (options->warn_if_exists && age_ms != RJ_NULL_VALUE)
        rj_logger_info("Aeron driver heartbeat is %lld ms old", (long long)age_ms);
    if (state == RJ_DIR_ACTIVE)
        return rj_fail(err, -EBUSY, "Active media driver detected: %s", path);
    if (state == RJ_DIR_DEAD)
        save_errors(path, epoch_ms);
    return 0;
}

int rj_dir_prepare(const rj_dir_options_t *options, int64_t epoch_ms, rj_dir_patience_t patience,
                   rj_err_t *err)
{
    char path[RJ_DIR_PATH_BYTES_MAX], child[RJ_DIR_PATH_BYTES_MAX];
    size_t length = strlen(options->path);
    /* The saved errors go beside the directory, so its name must not end in a slash. */
    while (length > 1 && options->path[length - 1] == '/')
        length--;
    if (length == 0 || length >= sizeof(path))
        return rj_fail(err, -EINVAL, "aeron directory: %s",
                       length == 0 ? "empty name" : "too long");
    memcpy(path, options->path, length);
    path[length] = '\0';

    if (is_directory(path)) {
        if (options->delete_on_start && options->warn_if_exists)
            rj_logger_warn("%s exists", path);
        int code =
            options->delete_on_start ? 0 : check_old_driver(options, path, epoch_ms, patience, err);
        if (code == 0)
            code = rj_dir_remove_tree(path, err);
        if (code != 0)
            return code;
    }
    static const char *const names[] = {RJ_PUBLICATIONS_DIR, RJ_IMAGES_DIR};
    for (int i = 0; i < 2; i++) {
        if (rj_dir_join(child, sizeof(child), path, names[i]) != 0)
            return rj_fail(err, -ENAMETOOLONG, "aeron directory %s: too long", path);
        int code = rj_dir_make(child, err);
        if (code != 0)
            return code;
    }
    return 0;
}
