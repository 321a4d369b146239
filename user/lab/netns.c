/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

static int open_namespace(const char *name)
{
    char path[sizeof(RJ_NETNS_FOLDER) + 256];
    struct statfs fs;
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", RJ_NETNS_FOLDER, name) >= sizeof(path))
        return -ENAMETOOLONG;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC)
        return fd;
    close(fd);
    return -ENOENT;
}

int rj_netns_enter(rj_netns_t *netns, const char *name, rj_err_t *err)
{
    netns->home_fd = -1;
    int fd = open_namespace(name);
    if (fd < 0)
        return rj_fail(err, fd, "no namespace '%s': %s", name, strerror(-fd));
    int home_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home_fd < 0 || setns(fd, CLONE_NEWNET) != 0) {
        int code = -errno;
        close(fd);
        if (home_fd >= 0)
            close(home_fd);
        return rj_fail(err, code, "cannot enter namespace '%s': %s%s", name, strerror(-code),
                       code == -EPERM ? ": run as root" : "");
    }
    close(fd);
    netns->home_fd = home_fd;
    return 0;
}

void rj_netns_leave(rj_netns_t *netns)
{
    if (netns->home_fd < 0)
        return;
    /* Going home needs no more than going out did. In the wrong namespace anything that follows
     * would change the wrong machine, so there is no going on. */
    if (setns(netns->home_fd, CLONE_NEWNET) != 0)
        abort();
    close(netns->home_fd);
    netns->home_fd = -1;
}

bool rj_netns_exists(const char *name)
{
    int fd = open_namespace(name);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}
