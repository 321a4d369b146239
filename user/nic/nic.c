/* SPDX-License-Identifier: Apache-2.0 */
#include "nic/nic.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KNOB_TEXT_MAX = 32 };

static int ethtool(rj_nic_t *base, void *command)
{
    const rj_kernel_nic_t *nic = (const rj_kernel_nic_t *)base;
    struct ifreq request = {.ifr_data = command};
    memcpy(request.ifr_name, nic->interface, sizeof(request.ifr_name));
    return ioctl(nic->socket, SIOCETHTOOL, &request) < 0 ? -errno : 0;
}

/* --- sysfs --- */

/* /sys shows the network namespace in which it was mounted, which need not be ours, and there may
 * be an interface of the same name: a sysfs of our own, mounted nowhere, shows the right one. */
static int open_own_sysfs(void)
{
    const int context = fsopen("sysfs", FSOPEN_CLOEXEC);
    if (context < 0)
        return -errno;
    int result = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
    if (result == 0)
        result = fsmount(context, FSMOUNT_CLOEXEC, 0);
    if (result < 0)
        result = -errno;
    close(context);
    return result;
}

static int read_number(int directory, const char *name, int64_t *ret_value)
{
    char text[KNOB_TEXT_MAX];
    const int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    const ssize_t length = read(fd, text, sizeof(text) - 1);
    const int result = length < 0 ? -errno : 0;
    close(fd);
    if (result < 0)
        return result;
    text[length] = '\0';
    *ret_value = strtoll(text, NULL, 10);
    return 0;
}

/* Who may mount nothing, as in most containers, has a /sys of his own namespace, and is asked to
 * prove it as far as he can: by the number of the interface. */
static int open_knobs(const char *interface)
{
    char path[64];
    int64_t index = 0;
    const int sysfs = open_own_sysfs();
    snprintf(path, sizeof(path), "%sclass/net/%s", sysfs >= 0 ? "" : "/sys/", interface);
    const int directory = openat(sysfs, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    const int result = directory < 0 ? -errno : directory;
    if (sysfs >= 0)
        close(sysfs);
    if (result < 0)
        return result;
    if (read_number(directory, "ifindex", &index) == 0 &&
        index == (int64_t)if_nametoindex(interface))
        return directory;
    close(directory);
    return -ENODEV;
}

static int get_knob(rj_nic_t *base, const char *knob, int64_t *ret_value)
{
    const rj_kernel_nic_t *nic = (const rj_kernel_nic_t *)base;
    return nic->knobs_fd < 0 ? nic->knobs_fd : read_number(nic->knobs_fd, knob, ret_value);
}

static int set_knob(rj_nic_t *base, const char *knob, int64_t value)
{
    const rj_kernel_nic_t *nic = (const rj_kernel_nic_t *)base;
    if (nic->knobs_fd < 0)
        return nic->knobs_fd;
    const int fd = openat(nic->knobs_fd, knob, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    const int result = dprintf(fd, "%" PRId64 "\n", value) < 0 ? -errno : 0;
    close(fd);
    return result;
}

/* --- open, close --- */

static const rj_nic_ops_t kernel_ops = {
    .ethtool = ethtool,
    .get_knob = get_knob,
    .set_knob = set_knob,
};

int rj_kernel_nic_open(rj_kernel_nic_t *nic, const char *interface, rj_err_t *err)
{
    *nic = (rj_kernel_nic_t){
        .base.ops = &kernel_ops,
        .socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
    };
    snprintf(nic->interface, sizeof(nic->interface), "%s", interface);
    if (nic->socket < 0)
        return rj_fail(err, -errno, "%s: cannot ask its card: %s", interface, strerror(errno));
    nic->knobs_fd = open_knobs(interface);
    return 0;
}

void rj_kernel_nic_close(rj_kernel_nic_t *nic)
{
    if (nic->base.ops == NULL)
        return;
    if (nic->socket >= 0)
        close(nic->socket);
    if (nic->knobs_fd >= 0)
        close(nic->knobs_fd);
    *nic = (rj_kernel_nic_t){.socket = -1, .knobs_fd = -1};
}
