/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/steer.h"

#include "xdp/attached.h"
#include "xdp/device.h"
#include "xdp/dispatcher.h"
#include "xdp/ingress.h"
#include "xdp/libbpf_log.h"
#include "xdp/pins.h"
#include "xdp/program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void rj_steer_init(rj_steer_t *steer)
{
    *steer = (rj_steer_t){.link_fd = -1, .program_fd = -1};
    rj_kernel_maps_init(&steer->maps);
}

static void take_place(rj_steer_t *steer, const rj_device_t *device, const rj_attached_t *attached,
                       uint32_t program_id, rj_steer_holder_t holder)
{
    steer->maps.interface_index = device->index;
    steer->maps.program_id = program_id;
    steer->maps.attached_id = attached->program_id;
    steer->maps.is_at_ingress = attached->mode == RJ_XDP_MODE_PACKET;
    steer->mode = attached->mode;
    steer->holder = holder;
    rj_program_explain(steer, device);
}

/* -ENOENT when what is pinned, if anything, is not what the interface carries. */
static int open_pinned(rj_steer_t *steer, const rj_steer_options_t *options,
                       const rj_device_t *device, const rj_attached_t *attached, rj_err_t *err)
{
    rj_pins_t pins;
    rj_pinned_t pinned;
    int code = rj_pins_init(&pins, options->instance, device->name, err);
    if (code != 0)
        return code;
    if (rj_pins_trust(&pins, NULL) != 0 || rj_pins_look(&pins, &pinned) != 0 ||
        !rj_pinned_is_on(&pinned, device->index, attached))
        return -ENOENT;
    code = rj_pins_open_maps(&pins, &steer->maps, err);
    if (code == 0)
        take_place(steer, device, attached, pinned.program_id, RJ_STEER_PINNED);
    return code;
}

static int open_attached(rj_steer_t *steer, const rj_steer_options_t *options,
                         const rj_device_t *device, rj_attached_t *attached, rj_err_t *err)
{
    int code = open_pinned(steer, options, device, attached, err);
    if (code != -ENOENT)
        return code;
    if (attached->name[0] == '\0')
        return rj_fail(err, -EPERM,
                       "it carries program %u, and to tell whose that is needs CAP_SYS_ADMIN, or "
                       "the right to read its pins: run as root",
                       attached->program_id);
    if (!rj_attached_is_steer(attached)) {
        char text[128];
        rj_attached_find_holder(attached);
        rj_attached_print(attached, text, sizeof(text));
        return rj_fail(err, -EBUSY, "it carries %s already", text);
    }
    code = rj_kernel_maps_open_program(&steer->maps, attached->program_id, err);
    if (code == 0)
        take_place(steer, device, attached, attached->program_id, RJ_STEER_OTHERS);
    return code;
}

static int find_or_attach(rj_steer_t *steer, const rj_steer_options_t *options, rj_err_t *err)
{
    rj_device_t device;
    rj_attached_t attached;
    int code = rj_device_look(options->interface, &device, err);
    if (code != 0)
        return code;
    snprintf(steer->interface, sizeof(steer->interface), "%s", device.name);
    code = rj_attached_look(device.index, &attached);
    if (code != 0)
        return rj_fail(err, code, "cannot ask what it carries: %s", strerror(-code));
    if (attached.program_id == 0 && options->attach_if == RJ_STEER_LOOK)
        rj_ingress_look(device.index, &attached);
    if (attached.program_id != 0)
        return open_attached(steer, options, &device, &attached, err);
    if (options->attach_if != RJ_STEER_ATTACH_IF_NONE)
        return rj_fail(err, -ENOENT, "nothing is attached: `ramjet attach %s` does that",
                       device.name);
    steer->holder = RJ_STEER_OURS;
    return rj_program_attach(steer, &device, options->mode, err);
}

int rj_steer_open(rj_steer_t *steer, const rj_steer_options_t *options, int64_t now_ns,
                  rj_err_t *err)
{
    rj_steer_init(steer);
    rj_libbpf_log_init();
    int code = find_or_attach(steer, options, err);
    if (code == 0) {
        code = steer->maps.maps.ops->sweep(&steer->maps.maps, RJ_XDP_OWNER_NONE, now_ns);
        if (code < 0)
            rj_fail(err, code, "cannot sweep the maps of dead owners: %s", strerror(-code));
    }
    if (code >= 0) {
        steer->swept_owners = code;
        return 0;
    }
    rj_steer_close(steer);
    rj_err_context(err, "%s: ", options->interface);
    return code;
}

int rj_steer_put_xsk(rj_steer_t *steer, uint32_t queue, int fd)
{
    uint32_t socket = (uint32_t)fd;
    return bpf_map_update_elem(steer->maps.fds[RJ_MAP_XSKS], &queue, &socket, BPF_ANY) == 0
               ? 0
               : -errno;
}

/* Whether the maps hold entries of an operator, whose filters have to go on working. */
static bool has_operator_entries(const rj_kernel_maps_t *maps)
{
    struct rj_channel_key channel_key;
    struct rj_channel_value channel;
    const struct rj_channel_key *channel_from = NULL;
    for (size_t i = 0; i < RJ_XDP_CHANNELS_MAX; i++) {
        if (rj_kernel_maps_next_channel(maps, channel_from, &channel_key, &channel) <= 0)
            break;
        if (channel.origin == RJ_XDP_FROM_OPERATOR)
            return true;
        channel_from = &channel_key;
    }
    struct rj_stream_key stream_key;
    struct rj_stream_value stream;
    const struct rj_stream_key *stream_from = NULL;
    for (size_t i = 0; i < RJ_XDP_STREAMS_MAX; i++) {
        if (rj_kernel_maps_next_stream(maps, stream_from, &stream_key, &stream) <= 0)
            break;
        if (stream.origin == RJ_XDP_FROM_OPERATOR)
            return true;
        stream_from = &stream_key;
    }
    return false;
}

static bool has_other_drivers(const rj_kernel_maps_t *maps)
{
    struct rj_owner_value value;
    uint32_t first, second;
    return rj_kernel_maps_next_owner(maps, NULL, &first, &value) > 0 &&
           rj_kernel_maps_next_owner(maps, &first, &second, &value) > 0;
}

int rj_steer_step_aside(rj_steer_t *steer, rj_err_t *err)
{
    if (has_other_drivers(&steer->maps))
        return rj_fail(err, -EBUSY, "%s: another driver uses its program", steer->interface);
    if (has_operator_entries(&steer->maps))
        return rj_fail(err, -EBUSY, "%s: an operator's filters need its program", steer->interface);
    if (bpf_link_detach(steer->link_fd) != 0)
        return rj_fail(err, -errno, "%s: the program stays: %s", steer->interface, strerror(errno));
    close(steer->link_fd);
    steer->link_fd = -1;
    return 0;
}

int rj_steer_step_back(rj_steer_t *steer, rj_err_t *err)
{
    const bool is_generic = steer->mode == RJ_XDP_MODE_GENERIC;
    LIBBPF_OPTS(bpf_link_create_opts, opts,
                .flags = is_generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
    steer->link_fd =
        bpf_link_create(steer->program_fd, (int)steer->maps.interface_index, BPF_XDP, &opts);
    if (steer->link_fd >= 0)
        return 0;
    const int code = -errno;
    return rj_fail(err, code == -EEXIST ? -EBUSY : code, "%s: the program does not come back: %s",
                   steer->interface,
                   code == -EBUSY || code == -EEXIST ? "another one is there" : strerror(-code));
}

void rj_steer_close(rj_steer_t *steer)
{
    if (steer->link_fd >= 0)
        close(steer->link_fd);
    if (steer->program_fd >= 0)
        close(steer->program_fd);
    rj_kernel_maps_close(&steer->maps);
    steer->link_fd = steer->program_fd = -1;
}
