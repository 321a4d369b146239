/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/program.h"

#include "xdp/attached.h"
#include "xdp/dispatcher.h"
#include "xdp/libbpf_log.h"
#include "xdp/privilege.h"

#include <steer.skel.h>

#include <assert.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int rj_program_modes(const rj_device_t *device, enum rj_xdp_mode wanted,
                     enum rj_xdp_mode ret_modes[static 2])
{
    switch (wanted) {
    case RJ_XDP_MODE_NATIVE:
    case RJ_XDP_MODE_ZERO_COPY:
        ret_modes[0] = RJ_XDP_MODE_NATIVE;
        return 1;
    case RJ_XDP_MODE_GENERIC:
        ret_modes[0] = RJ_XDP_MODE_GENERIC;
        return 1;
    case RJ_XDP_MODE_AUTO:
    case RJ_XDP_MODE_PACKET:
    default:
        if (rj_device_is_veth(device)) {
            ret_modes[0] = RJ_XDP_MODE_GENERIC;
            return 1;
        }
        ret_modes[0] = RJ_XDP_MODE_NATIVE;
        ret_modes[1] = RJ_XDP_MODE_GENERIC;
        return 2;
    }
}

int rj_program_refused_load(rj_err_t *err, int code)
{
    switch (-code) {
    case EPERM:
        return rj_fail(err, code,
                       "the kernel refuses to load the steering program: needs CAP_BPF and "
                       "CAP_NET_ADMIN, and on kernels before 5.11 locked memory (`ulimit -l`)");
    case EACCES:
    case EINVAL:
    case E2BIG:
        return rj_fail(err, code,
                       "this kernel's verifier refuses the steering program (%s): needs Linux 5.15 "
                       "or later",
                       strerror(-code));
    default:
        return rj_fail(err, code, "cannot load the steering program: %s", strerror(-code));
    }
}

int rj_program_refused(const rj_device_t *device, enum rj_xdp_mode mode, int code, rj_err_t *err)
{
    const char *name = rj_xdp_mode_name(mode);
    const char *other = mode == RJ_XDP_MODE_NATIVE ? "use --mode generic" : "use another interface";
    switch (-code) {
    case ERANGE:
        return rj_fail(err, code,
                       "%s mode does not take its MTU of %d: lower it with `ip link set dev %s mtu "
                       "N`, or %s",
                       name, device->mtu_bytes, device->name, other);
    case EOPNOTSUPP:
        return rj_fail(err, code, "its driver (%s) has no %s XDP: %s",
                       device->driver[0] != '\0' ? device->driver : "unknown", name, other);
    case EBUSY:
    case EEXIST:
        return rj_fail(err, -EBUSY,
                       "another program came there first: `ip link show dev %s` names it",
                       device->name);
    case EPERM:
        return rj_fail(err, code, "cannot attach: needs CAP_NET_ADMIN: run as root");
    default:
        return rj_fail(err, code, "%s mode is refused (%s): %s", name, strerror(-code), other);
    }
}

bool rj_program_may_try_next(int code)
{
    return code != 0 && code != -EBUSY && code != -EEXIST && code != -EPERM && code != -ENODEV;
}

static struct rj_xdp_config config_of(const rj_device_t *device, enum rj_xdp_mode wanted)
{
    struct rj_xdp_config config = {.abi_version = RJ_XDP_ABI_VERSION,
                                   .wanted_mode = (uint8_t)wanted};
    memcpy(config.mac, device->mac, sizeof(config.mac));
    return config;
}

/* The maps must say what they are before the first frame comes. */
static int attach_in(rj_steer_t *steer, const rj_device_t *device, int program_fd,
                     enum rj_xdp_mode mode, struct rj_xdp_config *config)
{
    bool is_generic = mode == RJ_XDP_MODE_GENERIC;
    LIBBPF_OPTS(bpf_link_create_opts, opts,
                .flags = is_generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
    config->flags = is_generic ? RJ_XDP_GENERIC : 0;
    int code = rj_kernel_maps_put_config(&steer->maps, config);
    if (code != 0)
        return code;
    int fd = bpf_link_create(program_fd, (int)device->index, BPF_XDP, &opts);
    if (fd < 0)
        return -errno;
    steer->link_fd = fd;
    steer->mode = mode;
    return 0;
}

static int attach_best(rj_steer_t *steer, const rj_device_t *device, int program_fd,
                       enum rj_xdp_mode wanted, rj_err_t *err)
{
    enum rj_xdp_mode modes[2] = {RJ_XDP_MODE_AUTO, RJ_XDP_MODE_AUTO};
    struct rj_xdp_config config = config_of(device, wanted);
    int count = rj_program_modes(device, wanted, modes);
    int code = attach_in(steer, device, program_fd, modes[0], &config);
    int tried = 1;
    if (tried < count && rj_program_may_try_next(code)) {
        config.native_errno = (uint8_t)-code;
        code = attach_in(steer, device, program_fd, modes[tried++], &config);
    }
    return code == 0 ? 0 : rj_program_refused(device, modes[tried - 1], code, err);
}

/* What the program does not look at: whoever finds maps by the program must find these too. */
static int bind_others(const struct bpf_object *object, int program_fd)
{
    static const rj_kernel_map_t others[] = {RJ_MAP_XSKS, RJ_MAP_OWNERS, RJ_MAP_CLAIMS};
    int code = 0;
    for (size_t i = 0; code == 0 && i < sizeof(others) / sizeof(others[0]); i++)
        code = bpf_prog_bind_map(
            program_fd, bpf_object__find_map_fd_by_name(object, rj_kernel_map_name(others[i])),
            NULL);
    return code;
}

int rj_program_own_maps(rj_kernel_maps_t *maps, const struct bpf_object *object, int program_fd,
                        rj_err_t *err)
{
    const struct rj_xdp_config config = {.abi_version = RJ_XDP_ABI_VERSION};
    uint32_t zero = 0;
    int fds[RJ_MAP_COUNT];
    int code = bind_others(object, program_fd);
    if (code != 0)
        return rj_fail(err, code,
                       "cannot tie the maps to the program: %s: needs Linux 5.10 or later",
                       strerror(-code));
    for (size_t i = 0; i < RJ_MAP_COUNT; i++)
        fds[i] =
            fcntl(bpf_object__find_map_fd_by_name(object, rj_kernel_map_name((rj_kernel_map_t)i)),
                  F_DUPFD_CLOEXEC, 0);
    if (bpf_map_update_elem(fds[RJ_MAP_CONFIG], &zero, &config, BPF_ANY) != 0)
        code = rj_fail(err, -errno, "map rj_config: %s", strerror(errno));
    const int opened = rj_kernel_maps_open(maps, fds, code == 0 ? err : NULL);
    return code == 0 ? opened : code;
}

uint32_t rj_program_id(int program_fd)
{
    struct bpf_prog_info info = {0};
    uint32_t size = sizeof(info);
    return bpf_obj_get_info_by_fd(program_fd, &info, &size) == 0 ? info.id : 0;
}

int rj_program_attach(rj_steer_t *steer, const rj_device_t *device, enum rj_xdp_mode wanted,
                      rj_err_t *err)
{
    rj_libbpf_log_init();
    int code = rj_privilege_check(err);
    if (code != 0)
        return code;
    struct steer *skeleton = steer__open();
    if (skeleton == NULL)
        return rj_program_refused_load(err, -errno);
    code = steer__load(skeleton);
    if (code != 0)
        rj_program_refused_load(err, code);
    if (code == 0)
        code = rj_program_own_maps(&steer->maps, skeleton->obj,
                                   bpf_program__fd(skeleton->progs.rj_steer), err);
    if (code == 0) {
        int program_fd = bpf_program__fd(skeleton->progs.rj_steer);
        steer->maps.interface_index = device->index;
        steer->maps.program_id = rj_program_id(program_fd);
        steer->maps.attached_id = steer->maps.program_id;
        code = attach_best(steer, device, program_fd, wanted, err);
        /* Without it the program never steps aside. */
        steer->program_fd = code == 0 ? fcntl(program_fd, F_DUPFD_CLOEXEC, 0) : -1;
    }
    steer__destroy(skeleton);
    if (code == 0)
        rj_program_explain(steer, device);
    else
        rj_kernel_maps_close(&steer->maps);
    return code;
}

/* Tries the modes in turn with an object that is opened anew: libxdp loads it while attaching. */
static int dispatch(rj_steer_t *steer, const rj_device_t *device, enum rj_xdp_mode mode,
                    struct rj_xdp_config *config, rj_err_t *err)
{
    rj_attached_t attached = {.program_id = 0};
    struct steer *skeleton = steer__open();
    if (skeleton == NULL)
        return rj_program_refused_load(err, -errno);
    int code = rj_dispatcher_attach(skeleton->obj, "xdp.frags", device->index, mode, err);
    if (code >= 0) {
        steer->link_fd = code;
        steer->mode = mode;
        code = rj_program_own_maps(&steer->maps, skeleton->obj, steer->link_fd, err);
        steer->maps.interface_index = device->index;
        steer->maps.program_id = rj_program_id(steer->link_fd);
    }
    steer__destroy(skeleton);
    if (code == 0)
        code = rj_attached_look(device->index, &attached);
    steer->maps.attached_id = attached.program_id;
    config->flags = mode == RJ_XDP_MODE_GENERIC ? RJ_XDP_GENERIC : 0;
    if (code == 0)
        code = rj_kernel_maps_put_config(&steer->maps, config);
    if (code != 0 && steer->link_fd >= 0)
        rj_dispatcher_detach(device->index, rj_program_id(steer->link_fd), NULL);
    return code;
}

int rj_program_attach_to_dispatcher(rj_steer_t *steer, const rj_device_t *device,
                                    enum rj_xdp_mode wanted, rj_err_t *err)
{
    enum rj_xdp_mode modes[2] = {RJ_XDP_MODE_AUTO, RJ_XDP_MODE_AUTO};
    struct rj_xdp_config config = config_of(device, wanted);
    int count = rj_program_modes(device, wanted, modes);
    int code = rj_privilege_check(err);
    if (code == 0)
        code = dispatch(steer, device, modes[0], &config, err);
    if (count > 1 && rj_program_may_try_next(code)) {
        config.native_errno = (uint8_t)-code;
        code = dispatch(steer, device, modes[1], &config, err);
    }
    if (code == 0)
        rj_program_explain(steer, device);
    else
        rj_kernel_maps_close(&steer->maps);
    return code;
}

void rj_program_why(const rj_device_t *device, enum rj_xdp_mode wanted, enum rj_xdp_mode mode,
                    int native_errno, char ret_why[static RJ_STEER_WHY_MAX])
{
    const bool is_veth = rj_device_is_veth(device);
    ret_why[0] = '\0';
    if (wanted == RJ_XDP_MODE_ZERO_COPY)
        snprintf(ret_why, RJ_STEER_WHY_MAX,
                 "for zero-copy, which each socket asks for when it binds to its queue");
    else if (wanted == RJ_XDP_MODE_AUTO && native_errno != 0)
        snprintf(ret_why, RJ_STEER_WHY_MAX, "native was refused: %s", strerror(native_errno));
    else if (mode == RJ_XDP_MODE_GENERIC && is_veth && wanted == RJ_XDP_MODE_AUTO)
        snprintf(ret_why, RJ_STEER_WHY_MAX,
                 "on veth it has the lowest latency, and costs the TCP of others least");
    else if (mode == RJ_XDP_MODE_NATIVE && is_veth)
        snprintf(ret_why, RJ_STEER_WHY_MAX,
                 "as asked; on veth it more than halves the TCP rate of others");
}

void rj_program_explain(rj_steer_t *steer, const rj_device_t *device)
{
    struct rj_xdp_config config = {.wanted_mode = RJ_XDP_MODE_AUTO};
    steer->why[0] = '\0';
    if (rj_kernel_maps_get_config(&steer->maps, &config) != 0 ||
        config.wanted_mode > RJ_XDP_MODE_ZERO_COPY)
        return;
    steer->wanted_mode = (enum rj_xdp_mode)config.wanted_mode;
    rj_program_why(device, steer->wanted_mode, steer->mode, config.native_errno, steer->why);
}
