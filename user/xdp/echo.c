/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/echo.h"

#include "xdp/attached.h"
#include "xdp/device.h"
#include "xdp/libbpf_log.h"
#include "xdp/mode.h"
#include "xdp/privilege.h"
#include "xdp/program.h"

#include <echo.skel.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct addresses {
    struct rj_echo_address rows[RJ_ECHO_ADDRESSES_MAX];
    uint32_t count;
} addresses_t;

static int failed(rj_err_t *err, int code, const char *what)
{
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

static int write_settings(rj_echo_t *echo, const rj_device_t *device, rj_err_t *err)
{
    static addresses_t addresses;
    struct rj_echo_config config = {.port = echo->port};
    uint32_t zero = 0;
    memcpy(config.mac, device->mac, sizeof(config.mac));
    int code = read_addresses(&addresses, err);
    if (code != 0)
        return code;
    code = write_addresses(echo->skeleton, &addresses);
    if (code == 0 && bpf_map_update_elem(bpf_map__fd(echo->skeleton->maps.rj_echo_config), &zero,
                                         &config, BPF_ANY) != 0)
        code = -errno;
    echo->address_count = addresses.count;
    return code == 0 ? 0 : failed(err, code, "cannot tell the program its addresses");
}

/* --- the program --- */

static void unload(rj_echo_t *echo)
{
    echo__destroy(echo->skeleton);
    echo->skeleton = NULL;
}

static int load(rj_echo_t *echo, const rj_device_t *device, enum rj_xdp_mode mode, rj_err_t *err)
{
    echo->skeleton = echo__open();
    if (echo->skeleton == NULL)
        return failed(err, -errno, "cannot open the program");
    echo->skeleton->rodata->rj_echo_generic = mode == RJ_XDP_MODE_GENERIC;
    int code = echo__load(echo->skeleton);
    if (code != 0)
        return failed(err, code, "cannot load the program");
    return echo->role == RJ_ECHO_ANSWERS ? write_settings(echo, device, err) : 0;
}

/* A program that is there stays: whose it is, and how it goes, is for the user to say. */
static int check_free(const rj_device_t *device, rj_err_t *err)
{
    rj_attached_t attached;
    char text[128];
    int code = rj_attached_look(device->index, &attached);
    if (code != 0)
        return failed(err, code, "cannot ask what it carries");
    if (attached.program_id == 0)
        return 0;
    rj_attached_find_holder(&attached);
    rj_attached_print(&attached, text, sizeof(text));
    return rj_fail(err, -EBUSY, "it carries %s already: take that off first%s%s", text,
                   rj_attached_is_steer(&attached) ? ": ramjet detach " : "",
                   rj_attached_is_steer(&attached) ? device->name : "");
}

/* Returns the kernel's code where it refuses the mode, without a text. */
static int attach_in(rj_echo_t *echo, const rj_device_t *device, enum rj_xdp_mode mode)
{
    DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts,
                        .flags =
                            mode == RJ_XDP_MODE_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
    const struct bpf_program *program = echo->role == RJ_ECHO_ANSWERS
                                            ? echo->skeleton->progs.rj_echo
                                            : echo->skeleton->progs.rj_echo_pass;
    int fd = bpf_link_create(bpf_program__fd(program), (int)device->index, BPF_XDP, &opts);
    if (fd < 0)
        return -errno;
    echo->link_fd = fd;
    echo->mode = mode;
    return 0;
}

/* The program is another one in each mode: it has to know what becomes of unfinished sums. */
static int attach(rj_echo_t *echo, const rj_device_t *device, enum rj_xdp_mode wanted,
                  rj_err_t *err)
{
    enum rj_xdp_mode modes[2] = {RJ_XDP_MODE_AUTO, RJ_XDP_MODE_AUTO};
    int count = rj_program_modes(device, wanted, modes);
    int refusal = 0;
    if (wanted == RJ_XDP_MODE_AUTO && rj_device_is_veth(device))
        snprintf(echo->why, sizeof(echo->why), "of a veth pair, whose TCP native mode slows down");
    for (int i = 0; i < count; i++) {
        int code = load(echo, device, modes[i], err);
        if (code != 0)
            return code;
        refusal = attach_in(echo, device, modes[i]);
        if (refusal == 0 || i + 1 == count || !rj_program_may_try_next(refusal))
            return refusal == 0 ? 0 : rj_program_refused(device, modes[i], refusal, err);
        snprintf(echo->why, sizeof(echo->why), "%s mode is refused: %s", rj_xdp_mode_name(modes[i]),
                 strerror(-refusal));
        unload(echo);
    }
    return refusal;
}

/* Whoever asks there is this host itself, which is not answered. */
static int refuse_loopback(const rj_device_t *device, rj_err_t *err)
{
    static const uint8_t none[6];
    if (memcmp(device->mac, none, sizeof(none)) != 0)
        return 0;
    return rj_fail(err, -EOPNOTSUPP, "it has no MAC address: there is nobody to answer");
}

int rj_echo_open(rj_echo_t *echo, const rj_echo_options_t *options, rj_err_t *err)
{
    rj_device_t device;
    enum rj_xdp_mode mode = options->mode;
    *echo = (rj_echo_t){.link_fd = -1, .role = options->role, .port = options->port};
    snprintf(echo->interface, sizeof(echo->interface), "%s", options->interface);
    if (options->role == RJ_ECHO_PASSES) /* a generic one would not serve the other end */
        mode = RJ_XDP_MODE_NATIVE;
    rj_libbpf_log_init();
    int code = rj_device_look(options->interface, &device, err);
    if (code == 0)
        code = refuse_loopback(&device, err);
    if (code == 0)
        code = rj_privilege_check(err);
    if (code == 0)
        code = check_free(&device, err);
    if (code == 0)
        code = attach(echo, &device, mode, err);
    if (code == 0) {
        echo->interface_index = device.index;
        return 0;
    }
    rj_echo_close(echo);
    return rj_err_context(err, "%s: ", options->interface);
}

int rj_echo_refresh(rj_echo_t *echo, rj_err_t *err)
{
    struct bpf_link_info info = {.type = 0};
    uint32_t size = sizeof(info);
    rj_device_t device;
    if (bpf_obj_get_info_by_fd(echo->link_fd, &info, &size) != 0)
        return rj_fail(err, -errno, "%s: cannot look at the link: %s", echo->interface,
                       strerror(errno));
    if (info.xdp.ifindex == 0)
        return rj_fail(err, -ENODEV, "%s is gone, or somebody took the program off",
                       echo->interface);
    if (echo->role == RJ_ECHO_PASSES)
        return 0;
    int code = rj_device_look(echo->interface, &device, err);
    return code == 0 ? write_settings(echo, &device, err) : code;
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
        return failed(err, code, "cannot read the counts");
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
