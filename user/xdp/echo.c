/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/echo.h"

#include "base/log.h"
#include "xdp/mode.h"
#include "xdp/veth.h"

#include <echo.skel.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct addresses {
    struct rj_echo_address rows[RJ_ECHO_ADDRESSES_MAX];
    uint32_t count;
} addresses_t;

/* What libbpf has to say is for whoever debugs this; the user gets our one line. */
__attribute__((format(printf, 2, 0))) static int
print_for_debugging(enum libbpf_print_level level, const char *format, va_list args)
{
    char text[512];
    (void)level;
    vsnprintf(text, sizeof(text), format, args);
    rj_logger_debug("libbpf: %s", text);
    return 0;
}

static int refused(rj_err_t *err, int code, const char *what)
{
    if (code == -EPERM)
        return rj_fail(err, code, "%s: needs CAP_BPF and CAP_NET_ADMIN: run as root", what);
    return rj_fail(err, code, "%s: %s", what, strerror(-code));
}

/* --- addresses --- */

static bool contains(const addresses_t *addresses, const struct rj_echo_address *address)
{
    for (uint32_t i = 0; i < addresses->count; i++)
        if (memcmp(&addresses->rows[i], address, sizeof(*address)) == 0)
            return true;
    return false;
}

static bool read_address(const struct sockaddr *from, struct rj_echo_address *address)
{
    memset(address, 0, sizeof(*address));
    if (from != NULL && from->sa_family == AF_INET) {
        address->bytes[10] = 0xff;
        address->bytes[11] = 0xff;
        memcpy(address->bytes + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
        return true;
    }
    if (from != NULL && from->sa_family == AF_INET6) {
        memcpy(address->bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
        return true;
    }
    return false;
}

static int read_addresses(addresses_t *addresses, rj_err_t *err)
{
    struct ifaddrs *list = NULL;
    addresses->count = 0;
    if (getifaddrs(&list) != 0)
        return rj_fail(err, -errno, "cannot read this host's addresses: %s", strerror(errno));
    for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
        struct rj_echo_address address;
        if (addresses->count < RJ_ECHO_ADDRESSES_MAX && read_address(at->ifa_addr, &address) &&
            !contains(addresses, &address))
            addresses->rows[addresses->count++] = address;
    }
    freeifaddrs(list);
    return 0;
}

static int write_addresses(struct echo *skeleton, const addresses_t *addresses)
{
    int fd = bpf_map__fd(skeleton->maps.rj_echo_own);
    uint32_t one = 1;
    struct rj_echo_address stale[RJ_ECHO_ADDRESSES_MAX];
    struct rj_echo_address key;
    uint32_t stale_count = 0;
    const void *last = NULL;
    for (uint32_t i = 0; stale_count < RJ_ECHO_ADDRESSES_MAX && i < RJ_ECHO_ADDRESSES_MAX &&
                         bpf_map_get_next_key(fd, last, &key) == 0;
         i++) {
        if (!contains(addresses, &key))
            stale[stale_count++] = key;
        last = &key;
    }
    for (uint32_t i = 0; i < stale_count; i++)
        bpf_map_delete_elem(fd, &stale[i]);
    for (uint32_t i = 0; i < addresses->count; i++)
        if (bpf_map_update_elem(fd, &addresses->rows[i], &one, BPF_ANY) != 0)
            return -errno;
    return 0;
}

static int read_mac(const char *interface, uint8_t mac[static 6], rj_err_t *err)
{
    struct ifreq request = {.ifr_ifindex = 0};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int code = fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    if (code != 0)
        return rj_fail(err, code, "cannot read the MAC address: %s", strerror(-code));
    if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return rj_fail(err, -EOPNOTSUPP, "not an Ethernet interface: there is nobody to answer");
    memcpy(mac, request.ifr_hwaddr.sa_data, 6);
    return 0;
}

static int write_settings(rj_echo_t *echo, rj_err_t *err)
{
    static addresses_t addresses;
    struct rj_echo_config config = {.port = echo->port};
    uint32_t zero = 0;
    int code = read_mac(echo->interface, config.mac, err);
    if (code == 0)
        code = read_addresses(&addresses, err);
    if (code != 0)
        return code;
    code = write_addresses(echo->skeleton, &addresses);
    if (code == 0 && bpf_map_update_elem(bpf_map__fd(echo->skeleton->maps.rj_echo_config), &zero,
                                         &config, BPF_ANY) != 0)
        code = -errno;
    echo->address_count = addresses.count;
    return code == 0 ? 0 : refused(err, code, "cannot tell the program its addresses");
}

/* --- the program --- */

static void unload(rj_echo_t *echo)
{
    echo__destroy(echo->skeleton);
    echo->skeleton = NULL;
}

static int load(rj_echo_t *echo, enum rj_xdp_mode mode, rj_err_t *err)
{
    echo->skeleton = echo__open();
    if (echo->skeleton == NULL)
        return refused(err, -errno, "cannot open the program");
    echo->skeleton->rodata->rj_echo_generic = mode == RJ_XDP_MODE_GENERIC;
    int code = echo__load(echo->skeleton);
    if (code != 0)
        return refused(err, code, "cannot load the program");
    return echo->role == RJ_ECHO_ANSWERS ? write_settings(echo, err) : 0;
}

static void read_name(uint32_t program_id, char name[static BPF_OBJ_NAME_LEN])
{
    struct bpf_prog_info info = {.type = 0};
    uint32_t size = sizeof(info);
    int fd = bpf_prog_get_fd_by_id(program_id);
    if (fd >= 0) {
        bpf_obj_get_info_by_fd(fd, &info, &size);
        close(fd);
    }
    snprintf(name, BPF_OBJ_NAME_LEN, "%s", info.name);
}

/* A program that is there stays: whose it is, and how it goes, is for the user to say. */
static int check_free(const rj_echo_t *echo, rj_err_t *err)
{
    DECLARE_LIBBPF_OPTS(bpf_xdp_query_opts, opts);
    char name[BPF_OBJ_NAME_LEN];
    int code = bpf_xdp_query((int)echo->interface_index, 0, &opts);
    if (code != 0)
        return refused(err, code, "cannot ask for its XDP program");
    uint32_t id = opts.drv_prog_id != 0   ? opts.drv_prog_id
                  : opts.skb_prog_id != 0 ? opts.skb_prog_id
                                          : opts.hw_prog_id;
    if (id == 0)
        return 0;
    read_name(id, name);
    return rj_fail(err, -EBUSY, "the XDP program %s (id %u) is there already: take it off first%s",
                   name[0] != '\0' ? name : "of somebody", id,
                   strcmp(name, "rj_steer") == 0 ? ", by `ramjet detach`" : ", see `bpftool net`");
}

static int attach(rj_echo_t *echo, enum rj_xdp_mode mode, rj_err_t *err)
{
    DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts,
                        .flags =
                            mode == RJ_XDP_MODE_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
    int code = load(echo, mode, err);
    if (code == 0) {
        const struct bpf_program *program = echo->role == RJ_ECHO_ANSWERS
                                                ? echo->skeleton->progs.rj_echo
                                                : echo->skeleton->progs.rj_echo_pass;
        echo->link_fd =
            bpf_link_create(bpf_program__fd(program), (int)echo->interface_index, BPF_XDP, &opts);
        if (echo->link_fd < 0) {
            char what[64];
            code = echo->link_fd;
            snprintf(what, sizeof(what), "cannot attach in %s mode", rj_xdp_mode_name(mode));
            refused(err, code, what);
        }
    }
    if (code != 0)
        unload(echo);
    else
        echo->mode = mode;
    return code;
}

static bool is_for_generic(int code)
{
    return code == -EOPNOTSUPP || code == -ERANGE || code == -EINVAL;
}

static int attach_somehow(rj_echo_t *echo, rj_err_t *err)
{
    rj_veth_t veth;
    if (echo->role == RJ_ECHO_PASSES)
        return attach(echo, RJ_XDP_MODE_NATIVE, err);
    int code = rj_veth_look(echo->interface_index, &veth, err);
    if (code != 0)
        return code;
    if (veth.is_veth) {
        snprintf(echo->why, sizeof(echo->why), "of a veth pair, whose TCP native mode slows down");
        return attach(echo, RJ_XDP_MODE_GENERIC, err);
    }
    code = attach(echo, RJ_XDP_MODE_NATIVE, err);
    if (!is_for_generic(code))
        return code;
    snprintf(echo->why, sizeof(echo->why), "native mode is refused: %s", strerror(-code));
    return attach(echo, RJ_XDP_MODE_GENERIC, err);
}

int rj_echo_open(rj_echo_t *echo, const rj_echo_options_t *options, rj_err_t *err)
{
    *echo = (rj_echo_t){.link_fd = -1, .role = options->role, .port = options->port};
    uint8_t mac[6];
    snprintf(echo->interface, sizeof(echo->interface), "%s", options->interface);
    echo->interface_index = if_nametoindex(options->interface);
    if (echo->interface_index == 0)
        return rj_fail(err, -ENODEV, "%s: no such interface in this network namespace",
                       options->interface);
    libbpf_set_print(print_for_debugging);
    int code = read_mac(echo->interface, mac, err);
    if (code == 0)
        code = check_free(echo, err);
    if (code == 0)
        code = options->mode == RJ_XDP_MODE_AUTO ? attach_somehow(echo, err)
                                                 : attach(echo, options->mode, err);
    if (code == 0)
        return 0;
    rj_echo_close(echo);
    return rj_err_context(err, "%s: ", options->interface);
}

int rj_echo_refresh(rj_echo_t *echo, rj_err_t *err)
{
    struct bpf_link_info info = {.type = 0};
    uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(echo->link_fd, &info, &size) != 0)
        return rj_fail(err, -errno, "%s: cannot look at the link: %s", echo->interface,
                       strerror(errno));
    if (info.xdp.ifindex == 0)
        return rj_fail(err, -ENODEV, "%s is gone, or somebody took the program off",
                       echo->interface);
    return echo->role == RJ_ECHO_ANSWERS ? write_settings(echo, err) : 0;
}

int rj_echo_read(const rj_echo_t *echo, rj_echo_counts_t *ret_counts, rj_err_t *err)
{
    int fd = bpf_map__fd(echo->skeleton->maps.rj_echo_stats);
    int cpu_count = libbpf_num_possible_cpus();
    struct rj_count *values = cpu_count > 0 ? calloc((size_t)cpu_count, sizeof(*values)) : NULL;
    if (values == NULL)
        return rj_fail(err, -ENOMEM, "out of memory");
    rj_echo_counts_t counts = {.packets = {0}};
    int code = 0;
    for (uint32_t i = 0; code == 0 && i < RJ_ECHO_REASON_COUNT; i++) {
        if (bpf_map_lookup_elem(fd, &i, values) != 0)
            code = -errno;
        for (int cpu = 0; code == 0 && cpu < cpu_count; cpu++) {
            counts.packets[i] += values[cpu].packets;
            counts.bytes[i] += values[cpu].bytes;
        }
    }
    free(values);
    if (code != 0)
        return refused(err, code, "cannot read the counts");
    *ret_counts = counts;
    return 0;
}

void rj_echo_close(rj_echo_t *echo)
{
    if (echo->link_fd >= 0)
        close(echo->link_fd);
    echo->link_fd = -1;
    unload(echo);
}
