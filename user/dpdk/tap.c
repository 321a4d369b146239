/* SPDX-License-Identifier: Apache-2.0 */
#include "dpdk/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char device[] = "/dev/net/tun";

static struct ifreq request_for(const char *name)
{
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    return request;
}

static int fail_open(int error, rj_err_t *err)
{
    if (error == EPERM || error == EACCES)
        return rj_fail(err, -error, "%s: %s: run as root, or with CAP_NET_ADMIN", device,
                       strerror(error));
    if (error == ENOENT || error == ENODEV)
        return rj_fail(err, -error, "%s: %s: `modprobe tun`", device, strerror(error));
    return rj_fail(err, -error, "%s: %s", device, strerror(error));
}

static int attach(rj_tap_t *tap, const char *name, rj_err_t *err)
{
    tap->fd = open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap->fd < 0)
        return fail_open(errno, err);
    struct ifreq request = request_for(name);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (ioctl(tap->fd, TUNSETIFF, &request) == 0)
        return 0;
    if (errno == EBUSY)
        return rj_fail(err, -EBUSY, "%s is another program's: name another one", name);
    if (errno == EINVAL)
        return rj_fail(err, -EINVAL, "%s is there, and no TAP interface: name another one", name);
    return fail_open(errno, err);
}

/* What makes of the interface what the port is. `socket` is any: the calls need one. */
static int equip(rj_tap_t *tap, int socket, const uint8_t mac[6], uint32_t mtu_bytes, rj_err_t *err)
{
    struct ifreq request = request_for(tap->name);
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(request.ifr_hwaddr.sa_data, mac, 6);
    if (ioctl(socket, SIOCSIFHWADDR, &request) < 0)
        return rj_fail(err, -errno, "%s: address: %s", tap->name, strerror(errno));
    request = request_for(tap->name);
    request.ifr_mtu = (int)mtu_bytes;
    if (ioctl(socket, SIOCSIFMTU, &request) < 0)
        return rj_fail(err, -errno, "%s: MTU %u: %s", tap->name, mtu_bytes, strerror(errno));
    request = request_for(tap->name);
    if (ioctl(socket, SIOCGIFFLAGS, &request) < 0)
        return rj_fail(err, -errno, "%s: %s", tap->name, strerror(errno));
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
    if (ioctl(socket, SIOCSIFFLAGS, &request) < 0)
        return rj_fail(err, -errno, "%s: up: %s", tap->name, strerror(errno));
    return 0;
}

int rj_tap_open(rj_tap_t *tap, const char *name, const uint8_t mac[6], uint32_t mtu_bytes,
                rj_err_t *err)
{
    *tap = (rj_tap_t){.fd = -1, .has_carrier = true};
    if (strlen(name) >= sizeof(tap->name))
        return rj_fail(err, -EINVAL, "%s: too long a name", name);
    snprintf(tap->name, sizeof(tap->name), "%s", name);
    int result = attach(tap, name, err);
    const int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (result == 0 && any < 0)
        result = rj_fail(err, -errno, "socket: %s", strerror(errno));
    if (result == 0)
        result = equip(tap, any, mac, mtu_bytes, err);
    if (any >= 0)
        close(any);
    tap->interface_index = if_nametoindex(name);
    if (result < 0)
        rj_tap_close(tap);
    return result;
}

void rj_tap_close(rj_tap_t *tap)
{
    if (tap->fd >= 0)
        close(tap->fd);
    tap->fd = -1;
}

uint32_t rj_tap_read(const rj_tap_t *tap, uint8_t *frame, uint32_t room_bytes)
{
    const ssize_t length = read(tap->fd, frame, room_bytes);
    return length > 0 ? (uint32_t)length : 0;
}

bool rj_tap_write(const rj_tap_t *tap, const uint8_t *frame, uint32_t length_bytes)
{
    return write(tap->fd, frame, length_bytes) == (ssize_t)length_bytes;
}

void rj_tap_set_carrier(rj_tap_t *tap, bool has_carrier)
{
    int carrier = has_carrier;
    if (tap->has_carrier != has_carrier && ioctl(tap->fd, TUNSETCARRIER, &carrier) == 0)
        tap->has_carrier = has_carrier;
}
