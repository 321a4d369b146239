/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/xdp_features.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdbool.h>
#include <string.h>

/* Of the family `netdev`, which the headers of Debian 12 do not have. */
enum {
    NETDEV_DEV_GET = 1,
    NETDEV_A_IFINDEX = 1,
    NETDEV_A_XDP_FEATURES = 3,
    TALK_BYTES = 8192,
};

/* One attribute of an answer. */
typedef struct wanted {
    uint16_t type;
    size_t length_bytes;
    void *ret;
    bool is_found;
} wanted_t;

static int on_attribute(const struct nlattr *attribute, void *state)
{
    wanted_t *wanted = state;
    if (mnl_attr_get_type(attribute) == wanted->type &&
        mnl_attr_get_payload_len(attribute) == wanted->length_bytes) {
        memcpy(wanted->ret, mnl_attr_get_payload(attribute), wanted->length_bytes);
        wanted->is_found = true;
    }
    return MNL_CB_OK;
}

static int on_message(const struct nlmsghdr *message, void *state)
{
    return mnl_attr_parse(message, sizeof(struct genlmsghdr), on_attribute, state);
}

static struct nlmsghdr *begin(char *buffer, uint16_t family, uint8_t command)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = family;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    message->nlmsg_seq = command; /* a question at a time */
    struct genlmsghdr *general = mnl_nlmsg_put_extra_header(message, sizeof(*general));
    general->cmd = command;
    general->version = 1;
    return message;
}

static int ask(struct mnl_socket *socket, struct nlmsghdr *message, wanted_t *wanted)
{
    char buffer[TALK_BYTES];
    const uint32_t number = message->nlmsg_seq;
    if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
        return -errno;
    for (;;) {
        const ssize_t length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
        if (length < 0)
            return -errno;
        const int more = mnl_cb_run(buffer, (size_t)length, number, mnl_socket_get_portid(socket),
                                    on_message, wanted);
        if (more < 0)
            return -errno;
        if (more == MNL_CB_STOP)
            return wanted->is_found ? 0 : -ENOENT;
    }
}

static int read_features(struct mnl_socket *socket, uint32_t interface_index, uint64_t *ret)
{
    char buffer[TALK_BYTES];
    uint16_t family = 0;
    wanted_t wanted = {.type = CTRL_ATTR_FAMILY_ID, .length_bytes = sizeof(family), .ret = &family};
    struct nlmsghdr *message = begin(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
    mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, "netdev");
    const int result = ask(socket, message, &wanted);
    if (result < 0)
        return result;
    message = begin(buffer, family, NETDEV_DEV_GET);
    mnl_attr_put_u32(message, NETDEV_A_IFINDEX, interface_index);
    wanted = (wanted_t){.type = NETDEV_A_XDP_FEATURES, .length_bytes = sizeof(*ret), .ret = ret};
    return ask(socket, message, &wanted);
}

int rj_xdp_features_read(uint32_t interface_index, uint64_t *ret_features)
{
    struct mnl_socket *socket = mnl_socket_open(NETLINK_GENERIC);
    uint64_t features = 0;
    int result = -errno;
    if (socket == NULL)
        return result;
    result = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0
                 ? -errno
                 : read_features(socket, interface_index, &features);
    mnl_socket_close(socket);
    if (result == 0)
        *ret_features = features;
    return result;
}
