/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/pins.h"

#include "base/clock.h"
#include "xdp/dispatcher.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define BPFFS "/sys/fs/bpf"

enum { RJ_PINS_NAME_MAX = 128, FOLDER_MODE = 0755, STALE_MAX = 64, LOCK_TRIES = 200 };

static const int64_t lock_pause_ns = INT64_C(50000000);

/* bpffs takes no dots in names, and interfaces of VLANs have them. */
static void escape(const char *interface, char *text, size_t size)
{
    size_t length = 0;
    for (const char *at = interface; *at != '\0' && length + 4 < size; at++) {
        if (*at == '.' || *at == '%')
            length += (size_t)snprintf(text + length, size - length, "%%%02x", (unsigned)*at);
        else
            text[length++] = *at;
    }
    text[length] = '\0';
}

static bool unescape(const char *text, char ret_interface[static IF_NAMESIZE])
{
    size_t length = 0;
    while (*text != '\0' && length + 1 < IF_NAMESIZE) {
        bool is_dot = strncmp(text, "%2e", 3) == 0;
        bool is_percent = strncmp(text, "%25", 3) == 0;
        ret_interface[length++] = is_dot ? '.' : is_percent ? '%' : *text;
        text += is_dot || is_percent ? 3 : 1;
    }
    ret_interface[length] = '\0';
    return *text == '\0' && length > 0;
}

static int set_folder(rj_pins_t *pins, const char *interface)
{
    char name[3 * IF_NAMESIZE];
    escape(interface, name, sizeof(name));
    int length = snprintf(pins->folder, sizeof(pins->folder), "%s/%s", pins->instance, name);
    return length < RJ_PINS_PATH_MAX ? 0 : -ENAMETOOLONG;
}

int rj_pins_init(rj_pins_t *pins, const char *instance, const char *interface, rj_err_t *err)
{
    char number[32];
    struct stat own;
    if (instance == NULL || instance[0] == '\0') {
        if (stat("/proc/thread-self/ns/net", &own) != 0)
            return rj_fail(err, -errno, "/proc/thread-self/ns/net: %s", strerror(errno));
        snprintf(number, sizeof(number), "%llu", (unsigned long long)own.st_ino);
        instance = number;
    }
    if (strlen(instance) >= RJ_PINS_INSTANCE_MAX)
        return rj_fail(err, -EINVAL, "instance '%s': use less than %d characters", instance,
                       RJ_PINS_INSTANCE_MAX);
    snprintf(pins->root, sizeof(pins->root), "%s", BPFFS "/ramjet");
    snprintf(pins->instance, sizeof(pins->instance), BPFFS "/ramjet/%s", instance);
    return set_folder(pins, interface) == 0
               ? 0
               : rj_fail(err, -ENAMETOOLONG, "the path of its pins is too long");
}

static bool is_bpffs(const char *path)
{
    struct statfs info;
    return statfs(path, &info) == 0 && (uint32_t)info.f_type == BPF_FS_MAGIC;
}

/* Whether the two paths are in one mount; a process whose files we may not see counts as ours. */
static bool is_same_place(const char *a, const char *b)
{
    struct stat first;
    struct stat second;
    return stat(a, &first) != 0 || stat(b, &second) != 0 ||
           (first.st_dev == second.st_dev && first.st_ino == second.st_ino);
}

/* `ip netns exec` mounts a /sys of its own, without bpffs, and gives the namespace's name as the
 * source of that mount. */
static bool is_under_netns_exec(char ret_name[static RJ_PINS_NAME_MAX])
{
    char line[1024];
    char path[32 + RJ_PINS_NAME_MAX];
    FILE *file = fopen("/proc/thread-self/mountinfo", "re");
    bool is_it = false;
    if (file == NULL)
        return false;
    while (fgets(line, sizeof(line), file) != NULL) {
        const char *source = strstr(line, " /sys ");
        source = source == NULL ? NULL : strstr(source, " - sysfs ");
        if (source == NULL || sscanf(source, " - sysfs %127s", ret_name) != 1)
            continue;
        snprintf(path, sizeof(path), "/run/netns/%s", ret_name);
        is_it = access(path, F_OK) == 0;
    }
    fclose(file);
    return is_it;
}

int rj_pins_check(const rj_pins_t *pins, rj_err_t *err)
{
    char name[RJ_PINS_NAME_MAX];
    (void)pins;
    if (is_bpffs(BPFFS))
        return 0;
    if (is_under_netns_exec(name))
        return rj_fail(err, -ENOTTY,
                       "no bpffs on " BPFFS " under `ip netns exec`: use "
                       "`nsenter --net=/run/netns/%s ramjet ...` or `ramjet lab exec`",
                       name);
    if (is_bpffs("/proc/1/root" BPFFS))
        return rj_fail(err, -ENOTTY,
                       "no bpffs on " BPFFS " in this mount namespace: enter only the network's, "
                       "with `nsenter --net=/run/netns/NAME ramjet ...`");
    return rj_fail(err, -ENOTTY,
                   "no bpffs on " BPFFS ": mount it with `mount -t bpf bpf " BPFFS "`");
}

bool rj_pins_is_private(const rj_pins_t *pins)
{
    (void)pins;
    return is_bpffs(BPFFS) && !is_same_place("/proc/self/ns/mnt", "/proc/1/ns/mnt") &&
           !is_same_place(BPFFS, "/proc/1/root" BPFFS);
}

static int make_folder(const char *path, rj_err_t *err)
{
    if (mkdir(path, FOLDER_MODE) == 0 || errno == EEXIST)
        return 0;
    if (errno == EACCES || errno == EPERM)
        return rj_fail(err, -errno, "%s: %s: pins need the right to write there: run as root", path,
                       strerror(errno));
    return rj_fail(err, -errno, "%s: %s", path, strerror(errno));
}

/* bpffs may be one where everybody makes folders and symbolic links (mode 1777). A folder that
 * another user made, or can write to, may lead to what is not ours to open or to remove. */
static int trust(const char *path, bool *ret_is_there, rj_err_t *err)
{
    struct stat status;
    *ret_is_there = false;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? 0 : rj_fail(err, -errno, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(status.st_mode))
        return rj_fail(err, -ENOTDIR, "%s is no folder of ours: remove it by hand", path);
    if (status.st_uid != 0 && status.st_uid != geteuid())
        return rj_fail(err, -EPERM, "%s belongs to user %u: remove it, or run as that user", path,
                       status.st_uid);
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return rj_fail(err, -EPERM, "%s can be written by others: `chmod go-w` it, or remove it",
                       path);
    *ret_is_there = true;
    return 0;
}

int rj_pins_trust(const rj_pins_t *pins, rj_err_t *err)
{
    const char *const paths[] = {pins->root, pins->instance, pins->folder};
    bool is_there = true;
    int code = 0;
    for (size_t i = 0; code == 0 && is_there && i < sizeof(paths) / sizeof(paths[0]); i++)
        code = trust(paths[i], &is_there, err);
    return code;
}

/* Whether the descriptor is the folder that the path names: another may have removed it while we
 * waited, and a third made it anew. */
static bool is_still_there(int fd, const char *path)
{
    struct stat held;
    struct stat named;
    return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino;
}

static int try_lock(const rj_pins_t *pins, int *ret_fd, rj_err_t *err)
{
    int code = make_folder(pins->root, err);
    if (code == 0)
        code = rj_pins_trust(pins, err);
    if (code != 0)
        return code;
    int fd = open(pins->root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        code = errno == ENOENT ? -EAGAIN : -errno;
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        code = -errno;
    else if (!is_still_there(fd, pins->root))
        code = -EAGAIN;
    if (code == 0)
        *ret_fd = fd;
    else if (fd >= 0)
        close(fd);
    return code == 0 ? 0 : rj_fail(err, code, "%s: cannot lock: %s", pins->root, strerror(-code));
}

/* Whoever may read the folder may lock it, and keep it so: nobody waits for ever. */
int rj_pins_lock(const rj_pins_t *pins, int *ret_fd, rj_err_t *err)
{
    int code = try_lock(pins, ret_fd, err);
    for (int i = 1; code == -EAGAIN && i < LOCK_TRIES; i++) {
        rj_clock_sleep_ns(lock_pause_ns);
        code = try_lock(pins, ret_fd, err);
    }
    if (code == -EAGAIN)
        return rj_fail(err, code, "%s is kept locked by another process: `fuser %s` names it",
                       pins->root, pins->root);
    return code;
}

void rj_pins_unlock(const rj_pins_t *pins, int fd)
{
    if (rmdir(pins->instance) == 0 || errno == ENOENT)
        rmdir(pins->root);
    close(fd);
}

bool rj_pins_exist(const rj_pins_t *pins)
{
    return access(pins->folder, F_OK) == 0;
}

static int make_path(const rj_pins_t *pins, const char *name, char path[static RJ_PINS_PATH_MAX])
{
    int length = snprintf(path, RJ_PINS_PATH_MAX, "%s/%s", pins->folder, name);
    return length < RJ_PINS_PATH_MAX ? 0 : -ENAMETOOLONG;
}

int rj_pins_get(const rj_pins_t *pins, const char *name)
{
    char path[RJ_PINS_PATH_MAX];
    int code = make_path(pins, name, path);
    if (code != 0)
        return code;
    int fd = bpf_obj_get(path);
    return fd >= 0 ? fd : -errno;
}

static int look_at_link(int fd, rj_pinned_t *pinned)
{
    struct bpf_link_info info = {0};
    uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0)
        return -errno;
    if (info.type != BPF_LINK_TYPE_XDP)
        return -ENOENT;
    pinned->program_id = info.prog_id;
    pinned->interface_index = info.xdp.ifindex;
    return 0;
}

static int look_at_program(int fd, rj_pinned_t *pinned)
{
    struct bpf_prog_info info = {0};
    uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0)
        return -errno;
    pinned->program_id = info.id;
    pinned->is_dispatched = true;
    return 0;
}

int rj_pins_look(const rj_pins_t *pins, rj_pinned_t *ret_pinned)
{
    rj_pinned_t pinned = {.program_id = 0};
    int code;
    int fd = rj_pins_get(pins, RJ_PINS_LINK);
    if (fd >= 0) {
        code = look_at_link(fd, &pinned);
    } else {
        fd = rj_pins_get(pins, RJ_PINS_PROGRAM);
        code = fd < 0 ? fd : look_at_program(fd, &pinned);
    }
    if (fd >= 0)
        close(fd);
    if (code == 0)
        *ret_pinned = pinned;
    return code;
}

bool rj_pinned_is_on(const rj_pinned_t *pinned, uint32_t interface_index,
                     const rj_attached_t *attached)
{
    if (attached->program_id == 0)
        return false;
    if (pinned->is_dispatched)
        return rj_dispatcher_has(interface_index, pinned->program_id);
    return pinned->interface_index == interface_index && pinned->program_id == attached->program_id;
}

int rj_pins_open_maps(const rj_pins_t *pins, rj_kernel_maps_t *maps, rj_err_t *err)
{
    int fds[RJ_MAP_COUNT];
    int code = 0;
    rj_kernel_maps_init(maps);
    for (int i = 0; i < RJ_MAP_COUNT; i++) {
        fds[i] = code != 0 ? -1 : rj_pins_get(pins, rj_kernel_map_name((rj_kernel_map_t)i));
        if (fds[i] < 0 && code == 0)
            code = rj_fail(err, fds[i], "%s/%s: %s", pins->folder,
                           rj_kernel_map_name((rj_kernel_map_t)i), strerror(-fds[i]));
    }
    if (code == 0)
        return rj_kernel_maps_open(maps, fds, err);
    for (int i = 0; i < RJ_MAP_COUNT; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return code;
}

static int put(const rj_pins_t *pins, const char *name, int fd, rj_err_t *err)
{
    char path[RJ_PINS_PATH_MAX];
    int code = make_path(pins, name, path);
    if (code == 0 && bpf_obj_pin(fd, path) != 0)
        code = -errno;
    return code == 0 ? 0 : rj_fail(err, code, "cannot pin %s: %s", path, strerror(-code));
}

int rj_pins_put(const rj_pins_t *pins, const rj_kernel_maps_t *maps, const char *name, int fd,
                rj_err_t *err)
{
    int code = make_folder(pins->instance, err);
    if (code == 0)
        code = make_folder(pins->folder, err);
    for (int i = 0; code == 0 && i < RJ_MAP_COUNT; i++)
        code = put(pins, rj_kernel_map_name((rj_kernel_map_t)i), maps->fds[i], err);
    if (code == 0)
        code = put(pins, name, fd, err);
    if (code != 0)
        rj_pins_remove(pins, NULL);
    return code;
}

int rj_pins_remove(const rj_pins_t *pins, rj_err_t *err)
{
    int folder = open(pins->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return errno == ENOENT ? 0 : rj_fail(err, -errno, "%s: %s", pins->folder, strerror(errno));
    unlinkat(folder, RJ_PINS_LINK, 0);
    DIR *list = fdopendir(folder);
    if (list == NULL) {
        close(folder);
        return rj_fail(err, -ENOMEM, "%s: out of memory", pins->folder);
    }
    for (struct dirent *entry = readdir(list); entry != NULL; entry = readdir(list))
        if (entry->d_name[0] != '.')
            unlinkat(folder, entry->d_name, 0);
    closedir(list);
    if (rmdir(pins->folder) != 0)
        return rj_fail(err, -errno, "cannot remove %s: %s", pins->folder, strerror(errno));
    return 0;
}

bool rj_pins_find(const rj_pins_t *pins, uint32_t program_id, char ret_name[static IF_NAMESIZE])
{
    bool is_found = false;
    DIR *list = opendir(pins->instance);
    if (list == NULL)
        return false;
    for (struct dirent *entry = readdir(list); entry != NULL && !is_found; entry = readdir(list)) {
        rj_pins_t one = *pins;
        rj_pinned_t pinned;
        is_found = entry->d_name[0] != '.' && unescape(entry->d_name, ret_name) &&
                   set_folder(&one, ret_name) == 0 && rj_pins_look(&one, &pinned) == 0 &&
                   pinned.program_id == program_id;
    }
    closedir(list);
    return is_found;
}

/* Says yes only to what cannot come back: a dispatcher is looked at by who knows the interface. */
static bool is_stale(const rj_pins_t *pins)
{
    rj_pinned_t pinned;
    int code = rj_pins_look(pins, &pinned);
    return code == -ENOENT || (code == 0 && !pinned.is_dispatched && pinned.interface_index == 0);
}

int rj_pins_sweep(const rj_pins_t *pins, char *text, size_t size)
{
    char stale[STALE_MAX][IF_NAMESIZE];
    int count = 0;
    DIR *list = opendir(pins->instance);
    text[0] = '\0';
    if (list == NULL)
        return 0;
    for (struct dirent *entry = readdir(list); entry != NULL && count < STALE_MAX;
         entry = readdir(list)) {
        rj_pins_t one = *pins;
        if (entry->d_name[0] == '.' || !unescape(entry->d_name, stale[count]) ||
            set_folder(&one, stale[count]) != 0 || !is_stale(&one))
            continue;
        count++;
    }
    closedir(list);
    size_t length = 0;
    int removed = 0;
    for (int i = 0; i < count; i++) {
        rj_pins_t one = *pins;
        if (set_folder(&one, stale[i]) != 0 || rj_pins_remove(&one, NULL) != 0)
            continue;
        removed++;
        if (length < size)
            length += (size_t)snprintf(text + length, size - length, "%s%s",
                                       length == 0 ? "" : ", ", stale[i]);
    }
    return removed;
}
