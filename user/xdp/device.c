/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/device.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int ask(int fd, const char *name, unsigned long what, struct ifreq *request)
{
    snprintf(request->ifr_name, sizeof(request->ifr_name), "%s", name);
    return ioctl(fd, what, request) < 0 ? -errno : 0;
}

/* Both are optional: a driver may know neither. */
static void ask_driver(int fd, rj_device_t *device)
{
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    struct ifreq request = {.ifr_data = (void *)&info};
    if (ask(fd, device->name, SIOCETHTOOL, &request) == 0)
        memcpy(device->driver, info.driver, sizeof(device->driver) - 1);
    request.ifr_data = (void *)&channels;
    device->queue_count = 1;
    if (ask(fd, device->name, SIOCETHTOOL, &request) == 0 &&
        channels.rx_count + channels.combined_count > 0)
        device->queue_count = channels.rx_count + channels.combined_count;
}

static int look(int fd, rj_device_t *device)
{
    struct ifreq request = {.ifr_ifindex = 0};
    int code = ask(fd, device->name, SIOCGIFINDEX, &request);
    device->index = (uint32_t)request.ifr_ifindex;
    if (code == 0)
        code = ask(fd, device->name, SIOCGIFMTU, &request);
    device->mtu_bytes = request.ifr_mtu;
    if (code == 0)
        code = ask(fd, device->name, SIOCGIFHWADDR, &request);
    if (code != 0)
        return code;
    if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER &&
        request.ifr_hwaddr.sa_family != ARPHRD_LOOPBACK)
        return -EOPNOTSUPP;
    memcpy(device->mac, request.ifr_hwaddr.sa_data, sizeof(device->mac));
    ask_driver(fd, device);
    return 0;
}

int rj_device_look(const char *name, rj_device_t *ret_device, rj_err_t *err)
{
    rj_device_t device = {.index = 0};
    if (name[0] == '\0' || strlen(name) >= sizeof(device.name))
        return rj_fail(err, -ENODEV, "no interface '%.32s' here: see `ip link`", name);
    snprintf(device.name, sizeof(device.name), "%s", name);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int code = fd < 0 ? -errno : look(fd, &device);
    if (fd >= 0)
        close(fd);
    if (code == -ENODEV)
        return rj_fail(err, code, "no interface '%s' here: see `ip link`", name);
    if (code == -EOPNOTSUPP)
        return rj_fail(err, code, "its frames have no Ethernet header: name another interface");
    if (code != 0)
        return rj_fail(err, code, "cannot look at it: %s", strerror(-code));
    *ret_device = device;
    return 0;
}

bool rj_device_is_veth(const rj_device_t *device)
{
    return strcmp(device->driver, "veth") == 0;
}
