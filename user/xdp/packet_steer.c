/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/packet_steer.h"

#include "xdp/device.h"
#include "xdp/libbpf_log.h"
#include "xdp/privilege.h"
#include "xdp/program.h"

#include <packet.skel.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int refuse_attached(const rj_device_t *device, rj_attached_t *attached, rj_err_t *err)
{
    char text[128];
    rj_attached_find_holder(attached);
    rj_attached_print(attached, text, sizeof(text));
    return rj_fail(err, -EBUSY,
                   "it carries %s, which takes frames before any packet socket: use --transport "
                   "xdp, or `ramjet detach %s`",
                   text, device->name);
}

/* Whether a driver that uses these maps gave a sign of life lately. */
static bool has_living_owner(const rj_kernel_maps_t *maps, int64_t now_ns)
{
    struct rj_owner_value value;
    uint32_t owner;
    const uint32_t *from = NULL;
    for (size_t i = 0; i < RJ_XDP_OWNERS_MAX; i++) {
        if (rj_kernel_maps_next_owner(maps, from, &owner, &value) <= 0)
            return false;
        if (now_ns - (int64_t)value.alive_ns < RJ_XDP_OWNER_TIMEOUT_NS)
            return true;
        from = &owner;
    }
    return false;
}

/* A link has a living holder. A filter may be what a killed driver has left. */
static int clear_ingress(const rj_device_t *device, int64_t now_ns, rj_err_t *err)
{
    rj_attached_t attached;
    rj_kernel_maps_t maps;
    char text[128];
    rj_ingress_look(device->index, &attached);
    if (attached.program_id == 0)
        return 0;
    if (attached.link_id == 0 &&
        rj_kernel_maps_open_program(&maps, attached.program_id, NULL) == 0) {
        const bool is_used = has_living_owner(&maps, now_ns);
        rj_kernel_maps_close(&maps);
        if (!is_used) {
            rj_ingress_detach(device->index);
            return 0;
        }
    }
    rj_attached_find_holder(&attached);
    rj_attached_print(&attached, text, sizeof(text));
    return rj_fail(err, -EBUSY, "another driver receives there by packet sockets: %s", text);
}

/* The maps must say what they are before the first frame comes. */
static int attach(rj_packet_steer_t *self, const rj_device_t *device, rj_ingress_way_t way,
                  int program_fd, rj_err_t *err)
{
    struct rj_xdp_config config = {.abi_version = RJ_XDP_ABI_VERSION,
                                   .wanted_mode = RJ_XDP_MODE_PACKET};
    rj_steer_t *steer = &self->steer;
    memcpy(config.mac, device->mac, sizeof(config.mac));
    int code = rj_kernel_maps_put_config(&steer->maps, &config);
    if (code == 0)
        code = rj_ingress_attach(device->index, program_fd, way, &steer->link_fd);
    if (code != 0)
        return rj_fail(err, code, "no program at its ingress: %s", strerror(-code));
    snprintf(steer->why, sizeof(steer->why), "kept from the kernel %s",
             steer->link_fd >= 0 ? "by a tcx link"
                                 : "by a clsact filter, for this kernel lacks tcx");
    config.flags = steer->link_fd >= 0 ? 0 : RJ_XDP_OUTLIVES;
    code = rj_kernel_maps_put_config(&steer->maps, &config);
    return code == 0 ? 0 : rj_fail(err, code, "map rj_config: %s", strerror(-code));
}

static int keep(const struct bpf_program *program)
{
    return fcntl(bpf_program__fd(program), F_DUPFD_CLOEXEC, 0);
}

static int load(rj_packet_steer_t *self, const rj_packet_steer_options_t *options,
                const rj_device_t *device, rj_err_t *err)
{
    rj_steer_t *steer = &self->steer;
    struct packet *skeleton = packet__open();
    if (skeleton == NULL)
        return rj_program_refused_load(err, -errno);
    skeleton->rodata->rj_first_queue = options->first_queue;
    int program_fd = -1;
    int code = packet__load(skeleton);
    if (code != 0)
        rj_program_refused_load(err, code);
    if (code == 0) {
        program_fd = bpf_program__fd(skeleton->progs.rj_packet_in);
        code = rj_program_own_maps(&steer->maps, skeleton->obj, program_fd, err);
    }
    if (code == 0) {
        steer->maps.interface_index = device->index;
        steer->maps.program_id = steer->maps.attached_id = rj_program_id(program_fd);
        steer->maps.is_at_ingress = true;
        self->filter_fd = keep(skeleton->progs.rj_packet_tap);
        self->fan_fd = keep(skeleton->progs.rj_packet_fan);
        code = attach(self, device, options->way, program_fd, err);
    }
    packet__destroy(skeleton);
    return code;
}

static int open_on(rj_packet_steer_t *self, const rj_packet_steer_options_t *options,
                   int64_t now_ns, rj_err_t *err)
{
    rj_device_t device;
    rj_attached_t attached;
    int code = rj_device_look(options->interface, &device, err);
    if (code == 0)
        code = rj_privilege_check(err);
    if (code != 0)
        return code;
    snprintf(self->steer.interface, sizeof(self->steer.interface), "%s", device.name);
    if (rj_attached_look(device.index, &attached) == 0 && rj_attached_is_steer(&attached))
        return refuse_attached(&device, &attached, err);
    code = clear_ingress(&device, now_ns, err);
    return code == 0 ? load(self, options, &device, err) : code;
}

int rj_packet_steer_open(rj_packet_steer_t *self, const rj_packet_steer_options_t *options,
                         int64_t now_ns, rj_err_t *err)
{
    *self = (rj_packet_steer_t){.filter_fd = -1, .fan_fd = -1};
    rj_steer_init(&self->steer);
    self->steer.mode = self->steer.wanted_mode = RJ_XDP_MODE_PACKET;
    self->steer.holder = RJ_STEER_OURS;
    rj_libbpf_log_init();
    const int code = open_on(self, options, now_ns, err);
    if (code == 0)
        return 0;
    rj_packet_steer_close(self);
    return rj_err_context(err, "%s: ", options->interface);
}

void rj_packet_steer_close(rj_packet_steer_t *self)
{
    rj_kernel_maps_t *maps = &self->steer.maps;
    if (self->steer.link_fd < 0 && maps->interface_index != 0 &&
        rj_ingress_has(maps->interface_index, maps->program_id))
        rj_ingress_detach(maps->interface_index);
    rj_steer_close(&self->steer);
    if (self->filter_fd >= 0)
        close(self->filter_fd);
    if (self->fan_fd >= 0)
        close(self->fan_fd);
    self->filter_fd = self->fan_fd = -1;
}
