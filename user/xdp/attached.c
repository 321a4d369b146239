/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/attached.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINKS_MAX = 65536 };

static void look_at_program(rj_attached_t *attached)
{
    struct bpf_prog_info info = {0};
    uint32_t size = sizeof(info);
    int fd = bpf_prog_get_fd_by_id(attached->program_id);
    if (fd < 0)
        return;
    if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
        snprintf(attached->name, sizeof(attached->name), "%s", info.name);
    close(fd);
}

/* Interface numbers repeat from namespace to namespace, program numbers do not. Links of XDP and of
 * tcx hold theirs at the same place. */
static bool is_link_of(uint32_t link_id, uint32_t link_type, uint32_t program_id)
{
    struct bpf_link_info info = {0};
    uint32_t size = sizeof(info);
    int fd = bpf_link_get_fd_by_id(link_id);
    if (fd < 0)
        return false;
    bool is_it = bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.type == link_type &&
                 info.prog_id == program_id && info.xdp.ifindex != 0;
    close(fd);
    return is_it;
}

static void look_for_link(rj_attached_t *attached, uint32_t link_type)
{
    uint32_t id = 0;
    for (size_t i = 0; i < LINKS_MAX && bpf_link_get_next_id(id, &id) == 0; i++)
        if (is_link_of(id, link_type, attached->program_id)) {
            attached->link_id = id;
            return;
        }
}

void rj_attached_describe(rj_attached_t *attached, uint32_t link_type)
{
    look_at_program(attached);
    look_for_link(attached, link_type);
}

int rj_attached_look(uint32_t interface_index, rj_attached_t *ret_attached)
{
    LIBBPF_OPTS(bpf_xdp_query_opts, opts);
    rj_attached_t attached = {.program_id = 0};
    int code = bpf_xdp_query((int)interface_index, 0, &opts);
    if (code != 0)
        return code;
    attached.program_id = opts.drv_prog_id != 0   ? opts.drv_prog_id
                          : opts.skb_prog_id != 0 ? opts.skb_prog_id
                                                  : opts.hw_prog_id;
    if (opts.drv_prog_id != 0)
        attached.mode = RJ_XDP_MODE_NATIVE;
    else if (opts.skb_prog_id != 0)
        attached.mode = RJ_XDP_MODE_GENERIC;
    if (attached.program_id != 0)
        rj_attached_describe(&attached, BPF_LINK_TYPE_XDP);
    *ret_attached = attached;
    return 0;
}

/* Whether one of the descriptors that /proc/PID/fdinfo lists is the link. */
static bool has_link(const char *pid, uint32_t link_id)
{
    char path[64];
    char wanted[32];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%.16s/fdinfo", pid);
    snprintf(wanted, sizeof(wanted), "\nlink_id:\t%u\n", link_id);
    DIR *list = opendir(path);
    if (list == NULL)
        return false;
    for (struct dirent *entry = readdir(list); entry != NULL && !found; entry = readdir(list)) {
        char text[512];
        int fd = openat(dirfd(list), entry->d_name, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (fd >= 0)
            close(fd);
        if (length <= 0)
            continue;
        text[length] = '\0';
        found = strstr(text, wanted) != NULL;
    }
    closedir(list);
    return found;
}

static void read_name(rj_attached_t *attached)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%u/comm", attached->holder_pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t length = read(fd, attached->holder_name, sizeof(attached->holder_name) - 1);
    attached->holder_name[length > 0 ? length : 0] = '\0';
    attached->holder_name[strcspn(attached->holder_name, "\n")] = '\0';
    close(fd);
}

void rj_attached_find_holder(rj_attached_t *attached)
{
    char self[16] = "";
    DIR *list = attached->link_id == 0 ? NULL : opendir("/proc");
    if (list == NULL)
        return;
    ssize_t length = readlinkat(dirfd(list), "self", self, sizeof(self) - 1);
    self[length > 0 ? length : 0] = '\0';
    for (struct dirent *entry = readdir(list); entry != NULL && attached->holder_pid == 0;
         entry = readdir(list)) {
        if (!isdigit((unsigned char)entry->d_name[0]) || strcmp(entry->d_name, self) == 0 ||
            !has_link(entry->d_name, attached->link_id))
            continue;
        attached->holder_pid = (uint32_t)strtoul(entry->d_name, NULL, 10);
        read_name(attached);
    }
    closedir(list);
}

bool rj_attached_is_steer(const rj_attached_t *attached)
{
    return strcmp(attached->name, RJ_STEER_PROGRAM_NAME) == 0 ||
           strcmp(attached->name, RJ_PACKET_PROGRAM_NAME) == 0;
}

void rj_attached_print(const rj_attached_t *attached, char *text, size_t size)
{
    const char *name = attached->name[0] != '\0' ? attached->name : "name not known";
    if (attached->holder_pid != 0)
        snprintf(text, size, "program %u (%s), held by process %u (%s)", attached->program_id, name,
                 attached->holder_pid, attached->holder_name);
    else if (attached->link_id != 0)
        snprintf(text, size, "program %u (%s), by link %u that is pinned or held out of sight",
                 attached->program_id, name, attached->link_id);
    else
        snprintf(text, size, "program %u (%s)", attached->program_id, name);
}
