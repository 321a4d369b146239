/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "config/config.h"
#include "driver/socket_kind.h"
#include "lab/offload.h"
#include "netlink/xdp_features.h"
#include "xdp/attached.h"
#include "xdp/device.h"
#include "xdp/privilege.h"

enum { LINE_BYTES = 64 };

/* The first line of a small file; false when there is none. */
static bool read_line(const char *path, char line[static LINE_BYTES])
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    const bool is_read = fgets(line, LINE_BYTES, file) != NULL;
    fclose(file);
    if (is_read)
        line[strcspn(line, "\n")] = '\0';
    return is_read;
}

static int64_t read_number(const char *path, int64_t fallback)
{
    char line[LINE_BYTES];
    return read_line(path, line) ? strtoll(line, NULL, 10) : fallback;
}

/* --- the machine --- */

static bool is_bpffs(void)
{
    struct statfs info;
    return statfs("/sys/fs/bpf", &info) == 0 && (unsigned long)info.f_type == BPF_FS_MAGIC;
}

static void read_memlock(rj_machine_facts_t *facts)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    facts->memlock_bytes = limit.rlim_cur > (rlim_t)INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur;
    facts->has_ipc_lock =
        capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, CAP_IPC_LOCK) != 0;
}

static void read_sockets(rj_machine_facts_t *facts)
{
    rj_driver_config_t config;
    rj_socket_kind_t kind;
    rj_config_read(&config, rj_config_environment, NULL, NULL);
    facts->rmem_max_bytes = read_number("/proc/sys/net/core/rmem_max", 0);
    facts->wmem_max_bytes = read_number("/proc/sys/net/core/wmem_max", 0);
    facts->rcvbuf_bytes = config.socket_rcvbuf_bytes;
    facts->sndbuf_bytes = config.socket_sndbuf_bytes;
    (void)rj_socket_kind_choose(&kind, RJ_TRANSPORT_GSO, &facts->gso);
    (void)rj_socket_kind_choose(&kind, RJ_TRANSPORT_URING, &facts->uring);
}

void rj_doctor_read_machine(rj_machine_facts_t *ret_facts)
{
    rj_machine_facts_t *facts = ret_facts;
    struct utsname name = {.release = "?"};
    memset(facts, 0, sizeof(*facts));
    (void)uname(&name);
    snprintf(facts->release, sizeof(facts->release), "%.64s", name.release);
    facts->has_btf = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
    facts->has_bpffs = is_bpffs();
    facts->bpf_jit = (int)read_number("/proc/sys/net/core/bpf_jit_enable", -1);
    facts->io_uring_disabled = (int)read_number("/proc/sys/kernel/io_uring_disabled", -1);
    (void)rj_privilege_check(&facts->privilege);
    read_memlock(facts);
    read_sockets(facts);
}

/* --- an interface --- */

static int ask_ethtool(const char *name, void *command)
{
    struct ifreq request = {.ifr_data = command};
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    const int result = ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
    close(fd);
    return result;
}

static void read_rings(rj_link_facts_t *facts)
{
    struct ethtool_ringparam rings = {.cmd = ETHTOOL_GRINGPARAM};
    if (ask_ethtool(facts->name, &rings) < 0)
        return;
    facts->rx_ring = rings.rx_pending;
    facts->rx_ring_max = rings.rx_max_pending;
    facts->tx_ring = rings.tx_pending;
    facts->tx_ring_max = rings.tx_max_pending;
}

static bool is_up(const char *name, bool *ret_is_loopback)
{
    struct ifreq request = {.ifr_flags = 0};
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    const bool is_told = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    if (fd >= 0)
        close(fd);
    *ret_is_loopback = is_told && (request.ifr_flags & IFF_LOOPBACK) != 0;
    return is_told && (request.ifr_flags & IFF_UP) != 0;
}

/* A device without one in sysfs is made of software; but veth and loopback, which are told. */
static const char *kind_of(const char *driver)
{
    static const char *const of_software[] = {"veth", "bridge", "tun",     "bonding", "802.1Q VLAN",
                                              "team", "vxlan",  "macvlan", "dummy",   "ipvlan"};
    for (size_t i = 0; i < sizeof(of_software) / sizeof(of_software[0]); i++)
        if (strcmp(driver, of_software[i]) == 0)
            return of_software[i];
    return "";
}

static int read_rp_filter(const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", name);
    const int own = (int)read_number(path, -1);
    const int all = (int)read_number("/proc/sys/net/ipv4/conf/all/rp_filter", -1);
    return own > all ? own : all; /* the kernel takes the larger one */
}

static void read_program(rj_link_facts_t *facts, uint32_t index)
{
    rj_attached_t attached;
    if (rj_attached_look(index, &attached) < 0 || attached.program_id == 0 ||
        rj_attached_is_steer(&attached))
        return;
    facts->program_id = attached.program_id;
    rj_attached_print(&attached, facts->program, sizeof(facts->program));
}

int rj_doctor_read_link(const char *name, rj_link_facts_t *ret_facts, rj_err_t *err)
{
    rj_link_facts_t *facts = ret_facts;
    rj_device_t device = {.index = 0};
    bool is_loopback = false;
    bool is_on = false;
    memset(facts, 0, sizeof(*facts));
    snprintf(facts->name, sizeof(facts->name), "%s", name);
    int result = rj_device_look(name, &device, err);
    if (result < 0 && result != -EOPNOTSUPP)
        return result;
    const uint32_t index = if_nametoindex(name);
    facts->is_up = is_up(name, &is_loopback);
    facts->kind = rj_link_kind_of(is_loopback, kind_of(device.driver), device.driver);
    snprintf(facts->driver, sizeof(facts->driver), "%s", device.driver);
    facts->mtu_bytes = (uint32_t)device.mtu_bytes;
    facts->queue_count = device.queue_count;
    facts->feature_result = rj_xdp_features_read(index, &facts->xdp_features);
    facts->udp_segmentation =
        rj_lab_offload_look(name, "tx-udp-segmentation", &is_on) < 0 ? -1 : is_on;
    facts->rp_filter = read_rp_filter(name);
    read_program(facts, index);
    read_rings(facts);
    return 0;
}
