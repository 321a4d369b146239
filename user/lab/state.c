/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/state.h"

#include "lab/netns.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int rj_lab_find(const char *lab, uint32_t *ret_hosts, rj_err_t *err)
{
    char namespace[RJ_LAB_NAMESPACE_MAX];
    uint32_t hosts = 0;
    DIR *folder = opendir(RJ_NETNS_FOLDER);
    if (folder == NULL && errno != ENOENT)
        return rj_fail(err, -errno, "cannot read %s: %s", RJ_NETNS_FOLDER, strerror(errno));
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        for (int host = RJ_LAB_WIRE; host <= RJ_LAB_HOSTS_MAX; host++) {
            rj_lab_namespace(lab, host, namespace);
            if (strcmp(entry->d_name, namespace) == 0)
                hosts |= 1u << host;
        }
    }
    if (folder != NULL)
        closedir(folder);
    *ret_hosts = hosts;
    return 0;
}

/* An interface that is not there leaves everything zero: a half-made lab is a fact, not an error.
 */
static void look_at_link(int fd, const char *name, rj_lab_host_t *host)
{
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "lo");
    if (ioctl(fd, SIOCGIFFLAGS, &request) == 0)
        host->is_ready = (request.ifr_flags & IFF_UP) != 0;
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (ioctl(fd, SIOCGIFMTU, &request) == 0)
        host->mtu_bytes = request.ifr_mtu;
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    request.ifr_data = (char *)&channels;
    if (ioctl(fd, SIOCETHTOOL, &request) == 0)
        host->queue_count = (int)(channels.tx_count + channels.combined_count);
}

static void look_at_addresses(const char *name, rj_lab_host_t *host)
{
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) != 0)
        return;
    for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
        if (at->ifa_addr == NULL || strcmp(at->ifa_name, name) != 0)
            continue;
        if (at->ifa_addr->sa_family == AF_INET) {
            struct sockaddr_in ipv4;
            memcpy(&ipv4, at->ifa_addr, sizeof(ipv4));
            inet_ntop(AF_INET, &ipv4.sin_addr, host->ipv4, sizeof(host->ipv4));
        } else if (at->ifa_addr->sa_family == AF_INET6) {
            struct sockaddr_in6 ipv6;
            memcpy(&ipv6, at->ifa_addr, sizeof(ipv6));
            if (!IN6_IS_ADDR_LINKLOCAL(&ipv6.sin6_addr))
                inet_ntop(AF_INET6, &ipv6.sin6_addr, host->ipv6, sizeof(host->ipv6));
        }
    }
    freeifaddrs(list);
}

int rj_lab_host_look(const char *lab, int host, rj_lab_host_t *ret_host, rj_err_t *err)
{
    const char *name = host == RJ_LAB_WIRE ? "wire" : "eth0";
    char namespace[RJ_LAB_NAMESPACE_MAX];
    rj_lab_host_t seen = {0};
    rj_netns_t netns;
    rj_lab_namespace(lab, host, namespace);
    int code = rj_netns_enter(&netns, namespace, err);
    if (code != 0)
        return code;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        code = rj_fail(err, -errno, "cannot open a socket in %s: %s", namespace, strerror(errno));
    } else {
        look_at_link(fd, name, &seen);
        look_at_addresses(name, &seen);
        close(fd);
        *ret_host = seen;
    }
    rj_netns_leave(&netns);
    return code;
}

static int half_made(const char *lab, rj_err_t *err)
{
    return rj_fail(err, -EINVAL, "lab %s is half made: `ramjet lab down --name %s` removes it", lab,
                   lab);
}

int rj_lab_shape_look(const char *lab, rj_lab_shape_t *ret_shape, rj_err_t *err)
{
    uint32_t hosts = 0;
    rj_lab_shape_t shape = {.topology = RJ_LAB_DIRECT};
    int code = rj_lab_find(lab, &hosts, err);
    if (code != 0)
        return code;
    if (hosts == 0)
        return rj_fail(err, -ENOENT, "no lab %s: `ramjet lab up --name %s` makes it", lab, lab);
    snprintf(shape.name, sizeof(shape.name), "%s", lab);
    if ((hosts & 1u << RJ_LAB_WIRE) != 0)
        shape.topology = RJ_LAB_BRIDGED;
    for (int host = 1; host <= RJ_LAB_HOSTS_MAX && (hosts & 1u << host) != 0; host++) {
        rj_lab_host_t seen = {0};
        code = rj_lab_host_look(lab, host, &seen, err);
        if (code == -ENOENT || (code == 0 && (!seen.is_ready || seen.mtu_bytes == 0)))
            return half_made(lab, err);
        if (code != 0)
            return code;
        shape.host_count = host;
        shape.mtu_bytes = seen.mtu_bytes;
        shape.queue_count = seen.queue_count;
    }
    /* Bits beyond the last host in sequence belong to a lab that lost some of its hosts. */
    if (shape.host_count < 2 || hosts >> (shape.host_count + 1) != 0)
        return half_made(lab, err);
    *ret_shape = shape;
    return 0;
}

pid_t rj_lab_process_find(const char *namespace)
{
    char path[512];
    struct stat wanted;
    struct stat seen;
    pid_t found = 0;
    snprintf(path, sizeof(path), "%s/%s", RJ_NETNS_FOLDER, namespace);
    DIR *folder = stat(path, &wanted) == 0 ? opendir("/proc") : NULL;
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        snprintf(path, sizeof(path), "/proc/%s/ns/net", entry->d_name);
        if (stat(path, &seen) == 0 && seen.st_ino == wanted.st_ino && seen.st_dev == wanted.st_dev)
            found = (pid_t)atoi(entry->d_name);
    }
    if (folder != NULL)
        closedir(folder);
    return found;
}
