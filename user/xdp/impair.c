/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/impair.h"

#include "xdp/libbpf_log.h"

#include <impair.skel.h>

#include <assert.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum { FILTER_HANDLE = 1, FILTER_PRIORITY = 1, MAPS_MAX = 16 };

#define PROGRAM_NAME "rj_impair"

static int refused(rj_err_t *err, int code, const char *what)
{
    if (code == -EPERM)
        return rj_fail(err, code, "%s: needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN: run as root",
                       what);
    return rj_fail(err, code, "%s: %s", what, strerror(-code));
}

/* Every direction that reorders gets slots of its own; returns how many that makes. */
static uint32_t assign_slots(rj_impair_setup_t *setup)
{
    uint32_t slot_count = 0;
    for (size_t i = 0; i < RJ_IMPAIR_DIRECTIONS_MAX; i++) {
        struct rj_impair_config *config = &setup->configs[i];
        assert(config->reorder_ppm == 0 ||
               (config->delay_frames >= 1 && config->delay_frames <= RJ_IMPAIR_DELAY_FRAMES_MAX));
        config->abi_version = RJ_IMPAIR_ABI_VERSION;
        config->slot_base = slot_count;
        if (config->reorder_ppm != 0)
            slot_count += RJ_IMPAIR_SLOTS;
    }
    return slot_count;
}

static int load(struct impair *skeleton, rj_impair_setup_t *setup)
{
    uint32_t slot_count = assign_slots(setup);
    uint32_t room = (setup->frame_bytes_max + 7) / 8 * 8;
    if (slot_count > 0) {
        skeleton->rodata->rj_frame_max = setup->frame_bytes_max;
        bpf_map__set_value_size(skeleton->maps.rj_imp_slots,
                                (uint32_t)sizeof(struct rj_impair_slot) + room);
        bpf_map__set_max_entries(skeleton->maps.rj_imp_slots, slot_count);
    }
    for (size_t i = 0; i < RJ_IMPAIR_HOSTS_MAX; i++)
        skeleton->rodata->rj_ports[i] = setup->ports[i];
    int code = impair__load(skeleton);
    for (uint32_t i = 0; code == 0 && i < RJ_IMPAIR_DIRECTIONS_MAX; i++)
        code = bpf_map__update_elem(skeleton->maps.rj_imp_config, &i, sizeof(i), &setup->configs[i],
                                    sizeof(setup->configs[i]), BPF_ANY);
    return code;
}

static int attach_port(uint32_t port, int program_fd)
{
    DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)port, .attach_point = BPF_TC_INGRESS);
    DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = program_fd, .handle = FILTER_HANDLE,
                        .priority = FILTER_PRIORITY, .flags = BPF_TC_F_REPLACE);
    int code = bpf_tc_hook_create(&hook);
    if (code != 0 && code != -EEXIST)
        return code;
    return bpf_tc_attach(&hook, &opts);
}

int rj_impair_attach(rj_impair_setup_t *setup, rj_err_t *err)
{
    rj_libbpf_log_init();
    struct impair *skeleton = impair__open();
    if (skeleton == NULL)
        return refused(err, -errno, "cannot open the impairment program");
    int code = load(skeleton, setup);
    if (code != 0)
        refused(err, code, "cannot load the impairment program");
    size_t index = 0;
    for (; code == 0 && index < RJ_IMPAIR_HOSTS_MAX; index++) {
        if (setup->ports[index] == 0)
            continue;
        code = attach_port(setup->ports[index], bpf_program__fd(skeleton->progs.rj_impair));
        if (code != 0)
            refused(err, code, "cannot attach the impairment program");
    }
    while (code != 0 && index-- > 0)
        if (setup->ports[index] != 0)
            rj_impair_detach(setup->ports[index], NULL);
    impair__destroy(skeleton);
    return code;
}

/* The descriptor of our program on the interface; -ENOENT when it has none. */
static int open_program(uint32_t port)
{
    DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)port, .attach_point = BPF_TC_INGRESS);
    DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
    rj_libbpf_log_init();
    int code = bpf_tc_query(&hook, &opts);
    if (code == -EINVAL) /* the kernel's word for an interface without the qdisc */
        return -ENOENT;
    return code != 0 ? code : bpf_prog_get_fd_by_id(opts.prog_id);
}

/* Other programs may sit there too: only a map of this name and this size is believed. */
static bool is_map(const struct bpf_map_info *info, const char *name, size_t value_size)
{
    return strcmp(info->name, name) == 0 && info->type == BPF_MAP_TYPE_ARRAY &&
           info->key_size == sizeof(uint32_t) && info->value_size == value_size &&
           info->max_entries == RJ_IMPAIR_DIRECTIONS_MAX;
}

static int read_map(int fd, void *values, size_t value_size)
{
    for (uint32_t i = 0; i < RJ_IMPAIR_DIRECTIONS_MAX; i++)
        if (bpf_map_lookup_elem(fd, &i, (char *)values + i * value_size) != 0)
            return -errno;
    return 0;
}

/* Takes what the map holds when it is one of ours, and says which one it was by a bit. */
static int read_any_map(uint32_t id, rj_impair_view_t *view, unsigned *found)
{
    struct bpf_map_info info = {0};
    uint32_t size = sizeof(info);
    int fd = bpf_map_get_fd_by_id(id);
    int code = fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, &info, &size);
    if (code == 0 && is_map(&info, "rj_imp_config", sizeof(view->configs[0]))) {
        code = read_map(fd, view->configs, sizeof(view->configs[0]));
        *found |= 1;
    } else if (code == 0 && is_map(&info, "rj_imp_state", sizeof(view->states[0]))) {
        code = read_map(fd, view->states, sizeof(view->states[0]));
        *found |= 2;
    }
    if (fd >= 0)
        close(fd);
    return code;
}

int rj_impair_read(uint32_t port, rj_impair_view_t *ret_view, rj_err_t *err)
{
    uint32_t map_ids[MAPS_MAX] = {0};
    struct bpf_prog_info info = {.nr_map_ids = MAPS_MAX, .map_ids = (uint64_t)(uintptr_t)map_ids};
    uint32_t size = sizeof(info);
    unsigned found = 0;
    int fd = open_program(port);
    int code = fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, &info, &size);
    if (code == 0 && strcmp(info.name, PROGRAM_NAME) != 0)
        code = -ENOENT;
    for (uint32_t i = 0; code == 0 && i < info.nr_map_ids && i < MAPS_MAX; i++)
        code = read_any_map(map_ids[i], ret_view, &found);
    if (fd >= 0)
        close(fd);
    if (code == -ENOENT)
        return rj_fail(err, code, "not impaired");
    if (code != 0)
        return refused(err, code, "cannot read the impairment program's maps");
    if (found != 3 || ret_view->configs[0].abi_version != RJ_IMPAIR_ABI_VERSION)
        return rj_fail(err, -EPROTO,
                       "the impairment program there is of another version: take it off first");
    return 0;
}

int rj_impair_detach(uint32_t port, rj_err_t *err)
{
    DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)port,
                        .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
    int fd = open_program(port);
    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return refused(err, fd, "cannot look at the impairment program");
    close(fd);
    int code = bpf_tc_hook_destroy(&hook);
    return code == 0 ? 0 : refused(err, code, "cannot take the impairment program off");
}
