/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/ingress.h"

#include "xdp/libbpf_log.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    /* As linux/bpf.h has them from 6.6 on, which is newer than what we build with. */
    ATTACH_TCX_INGRESS = 46,
    LINK_TYPE_TCX = 11,
    PROGRAMS_MAX = 64, /* the kernel's limit */
    FILTER_HANDLE = 1,
    FILTER_PRIORITY = 0x726a,
};

static int attach_link(uint32_t interface_index, int program_fd, int *ret_link_fd)
{
    const int fd = bpf_link_create(program_fd, (int)interface_index,
                                   (enum bpf_attach_type)ATTACH_TCX_INGRESS, NULL);
    if (fd < 0)
        return -errno;
    *ret_link_fd = fd;
    return 0;
}

static int attach_filter(uint32_t interface_index, int program_fd)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)interface_index, .attach_point = BPF_TC_INGRESS);
    LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = program_fd, .handle = FILTER_HANDLE,
                .priority = FILTER_PRIORITY);
    const int code = bpf_tc_hook_create(&hook);
    return code == 0 || code == -EEXIST ? bpf_tc_attach(&hook, &opts) : code;
}

int rj_ingress_attach(uint32_t interface_index, int program_fd, rj_ingress_way_t way,
                      int *ret_link_fd)
{
    rj_libbpf_log_init();
    *ret_link_fd = -1;
    if (way != RJ_INGRESS_FILTER) {
        const int code = attach_link(interface_index, program_fd, ret_link_fd);
        /* EINVAL: this kernel knows no such place. */
        if (code != -EINVAL || way == RJ_INGRESS_LINK)
            return code;
    }
    return attach_filter(interface_index, program_fd);
}

void rj_ingress_detach(uint32_t interface_index)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)interface_index, .attach_point = BPF_TC_INGRESS);
    LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
    bpf_tc_detach(&hook, &opts);
}

/* The ids of the programs there: by tcx, then our filter's. */
static uint32_t find_all(uint32_t interface_index, uint32_t ret_ids[static PROGRAMS_MAX + 1])
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)interface_index, .attach_point = BPF_TC_INGRESS);
    LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
    uint32_t count = PROGRAMS_MAX;
    rj_libbpf_log_init();
    if (bpf_prog_query((int)interface_index, (enum bpf_attach_type)ATTACH_TCX_INGRESS, 0, NULL,
                       ret_ids, &count) != 0)
        count = 0;
    if (bpf_tc_query(&hook, &opts) == 0)
        ret_ids[count++] = opts.prog_id;
    return count;
}

void rj_ingress_look(uint32_t interface_index, rj_attached_t *ret_attached)
{
    uint32_t ids[PROGRAMS_MAX + 1];
    const uint32_t count = find_all(interface_index, ids);
    *ret_attached = (rj_attached_t){.program_id = 0};
    for (uint32_t i = 0; i < count; i++) {
        rj_attached_t attached = {.program_id = ids[i], .mode = RJ_XDP_MODE_PACKET};
        rj_attached_describe(&attached, LINK_TYPE_TCX);
        if (strcmp(attached.name, RJ_PACKET_PROGRAM_NAME) == 0) {
            *ret_attached = attached;
            return;
        }
    }
}

bool rj_ingress_has(uint32_t interface_index, uint32_t program_id)
{
    uint32_t ids[PROGRAMS_MAX + 1];
    const uint32_t count = find_all(interface_index, ids);
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] == program_id)
            return true;
    return false;
}
