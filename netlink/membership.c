/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/membership.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES_MIN = 16384, TEXT_BYTES_MAX = 16 << 20 };

void rj_nl_members_close(rj_nl_members_t *members)
{
    free(members->items);
    *members = (rj_nl_members_t){0};
}

static int add(rj_nl_members_t *members, uint32_t link_index, uint32_t user_count,
               const rj_address_t *group)
{
    if (members->count == members->room) {
        const size_t room = members->room == 0 ? 16 : members->room * 2;
        rj_net_membership_t *items = realloc(members->items, room * sizeof(*items));
        if (items == NULL)
            return -ENOMEM;
        members->items = items;
        members->room = room;
    }
    rj_net_membership_t *item = memset(&members->items[members->count++], 0, sizeof(*item));
    item->link_index = link_index;
    item->user_count = user_count;
    item->group = *group;
    item->group.port = 0;
    item->group.scope_id = 0;
    return 0;
}

static bool is_asked_for(const rj_address_t *group, const rj_address_t *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (groups[i].family == group->family &&
            memcmp(groups[i].bytes, group->bytes, sizeof(group->bytes)) == 0)
            return true;
    }
    return false;
}

/* A line of a link, "2 <tab> eth0 : 1 V3", says which one the lines behind it are about; they hold
 * the group as the kernel has it in memory, printed as a number: "010000E0 1 0:00000000 0". */
static bool read_igmp_line(const char *line, uint32_t *link_index, rj_net_membership_t *ret)
{
    if (line[0] != '\t' && line[0] != ' ') {
        unsigned index;
        if (sscanf(line, "%u", &index) == 1)
            *link_index = index;
        return false;
    }
    unsigned word, users;
    if (sscanf(line, " %8x %u", &word, &users) != 2)
        return false;
    const uint32_t raw = word;
    uint8_t bytes[4];
    memcpy(bytes, &raw, sizeof(bytes));
    *ret = (rj_net_membership_t){*link_index, users, rj_address_ipv4(bytes, 0)};
    return true;
}

/* "2 eth0 ff020000000000000000000000000001 1 0000000C 0" */
static bool read_igmp6_line(const char *line, rj_net_membership_t *ret)
{
    unsigned index, users;
    char digits[33];
    if (sscanf(line, "%u %*s %32[0-9a-f] %u", &index, digits, &users) != 3 || strlen(digits) != 32)
        return false;
    uint8_t bytes[16];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        const char pair[3] = {digits[2 * i], digits[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    *ret = (rj_net_membership_t){index, users, rj_address_ipv6(bytes, 0, 0)};
    return true;
}

int rj_nl_members_parse(rj_nl_members_t *members, uint16_t family, const char *text,
                        const rj_address_t *groups, size_t group_count)
{
    uint32_t link_index = 0;
    while (*text != '\0') {
        char line[128];
        const size_t length = strcspn(text, "\n");
        const size_t copied = length < sizeof(line) ? length : sizeof(line) - 1;
        memcpy(line, text, copied);
        line[copied] = '\0';
        text += length + (text[length] == '\n');
        rj_net_membership_t found;
        const bool is_found = family == AF_INET ? read_igmp_line(line, &link_index, &found)
                                                : read_igmp6_line(line, &found);
        if (is_found && found.link_index != 0 && is_asked_for(&found.group, groups, group_count) &&
            add(members, found.link_index, found.user_count, &found.group) < 0)
            return -ENOMEM;
    }
    return 0;
}

void rj_nl_member_lists_open(rj_nl_member_lists_t *lists)
{
    lists->igmp_fd = open("/proc/thread-self/net/igmp", O_RDONLY | O_CLOEXEC);
    lists->igmp6_fd = open("/proc/thread-self/net/igmp6", O_RDONLY | O_CLOEXEC);
}

void rj_nl_member_lists_close(rj_nl_member_lists_t *lists)
{
    if (lists->igmp_fd >= 0)
        close(lists->igmp_fd);
    if (lists->igmp6_fd >= 0)
        close(lists->igmp6_fd);
    *lists = (rj_nl_member_lists_t){-1, -1};
}

/* The whole list as text, which the caller frees; NULL for no memory or no end. */
static char *read_text(int fd)
{
    size_t room = TEXT_BYTES_MIN;
    size_t length = 0;
    char *text = malloc(room);
    while (text != NULL) {
        const ssize_t got = pread(fd, text + length, room - length - 1, (off_t)length);
        if (got <= 0) {
            text[length] = '\0';
            return text;
        }
        length += (size_t)got;
        if (room - length > 1)
            continue;
        char *more = room >= TEXT_BYTES_MAX ? NULL : realloc(text, room *= 2);
        if (more == NULL)
            free(text);
        text = more;
    }
    return NULL;
}

static int read_list(int fd, rj_nl_members_t *members, uint16_t family, const rj_address_t *groups,
                     size_t group_count)
{
    if (fd < 0)
        return 0;
    char *text = read_text(fd);
    if (text == NULL)
        return -ENOMEM;
    const int result = rj_nl_members_parse(members, family, text, groups, group_count);
    free(text);
    return result;
}

int rj_nl_member_lists_read(const rj_nl_member_lists_t *lists, rj_nl_members_t *members,
                            const rj_address_t *groups, size_t group_count)
{
    members->count = 0;
    int result = 0;
    for (size_t i = 0; i < group_count && result == 0; i++)
        result = add(members, 0, 0, &groups[i]);
    if (result == 0)
        result = read_list(lists->igmp_fd, members, AF_INET, groups, group_count);
    if (result == 0)
        result = read_list(lists->igmp6_fd, members, AF_INET6, groups, group_count);
    return result;
}
