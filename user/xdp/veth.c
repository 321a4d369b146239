/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/veth.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_BYTES_MAX = 32768, STATS_MAX = 4096 };

/* --- who is at the other end: one question to rtnetlink --- */

typedef union answer {
    struct nlmsghdr head;
    char room[ANSWER_BYTES_MAX];
} answer_t;

static int ask(uint32_t interface_index, answer_t *answer)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg link;
    } question = {
        .head = {.nlmsg_len = sizeof(question),
                 .nlmsg_type = RTM_GETLINK,
                 .nlmsg_flags = NLM_F_REQUEST},
        .link = {.ifi_index = (int)interface_index},
    };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    ssize_t length = -1;
    if (fd >= 0 && send(fd, &question, sizeof(question), 0) >= 0)
        length = recv(fd, answer, sizeof(*answer), 0);
    int code = length < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    if (code < 0)
        return code;
    if (!NLMSG_OK(&answer->head, (size_t)length))
        return -EPROTO;
    if (answer->head.nlmsg_type == NLMSG_ERROR)
        return -ENODEV;
    return answer->head.nlmsg_type == RTM_NEWLINK ? 0 : -EPROTO;
}

static bool is_kind(struct rtattr *info, const char *kind)
{
    int length = (int)RTA_PAYLOAD(info);
    for (struct rtattr *at = RTA_DATA(info); RTA_OK(at, length); at = RTA_NEXT(at, length))
        if (at->rta_type == IFLA_INFO_KIND)
            return strncmp(RTA_DATA(at), kind, RTA_PAYLOAD(at)) == 0;
    return false;
}

static void look_at_peer(uint32_t peer_index, rj_veth_t *veth)
{
    DECLARE_LIBBPF_OPTS(bpf_xdp_query_opts, opts);
    veth->is_peer_here = if_indextoname(peer_index, veth->peer) != NULL;
    veth->peer_has_program = veth->is_peer_here && bpf_xdp_query((int)peer_index, 0, &opts) == 0 &&
                             opts.drv_prog_id != 0;
}

int rj_veth_look(uint32_t interface_index, rj_veth_t *ret_veth, rj_err_t *err)
{
    static answer_t answer;
    rj_veth_t veth = {.is_veth = false};
    uint32_t peer_index = 0;
    bool is_elsewhere = false;
    int code = ask(interface_index, &answer);
    if (code < 0)
        return rj_fail(err, code, "cannot look at interface %u: %s", interface_index,
                       strerror(-code));
    int length = (int)IFLA_PAYLOAD(&answer.head);
    for (struct rtattr *at = IFLA_RTA(NLMSG_DATA(&answer.head)); RTA_OK(at, length);
         at = RTA_NEXT(at, length)) {
        if (at->rta_type == IFLA_LINKINFO)
            veth.is_veth = is_kind(at, "veth");
        else if (at->rta_type == IFLA_LINK && RTA_PAYLOAD(at) == sizeof(peer_index))
            memcpy(&peer_index, RTA_DATA(at), sizeof(peer_index));
        else if (at->rta_type == IFLA_LINK_NETNSID)
            is_elsewhere = true;
    }
    if (veth.is_veth && !is_elsewhere && peer_index != 0)
        look_at_peer(peer_index, &veth);
    *ret_veth = veth;
    return 0;
}

/* --- what the other end did not take: the interface's own statistics --- */

static int call(int fd, const char *interface, void *command)
{
    struct ifreq request = {.ifr_data = command};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
    return ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
}

static bool is_refusal(const char *name)
{
    static const char end[] = "_xdp_tx_errors"; /* rx_queue_N_xdp_tx_errors */
    size_t length = strnlen(name, ETH_GSTRING_LEN);
    return length >= sizeof(end) - 1 &&
           memcmp(name + length - (sizeof(end) - 1), end, sizeof(end) - 1) == 0;
}

static int read_stats(int fd, const char *interface, uint32_t count, uint64_t *ret_packets)
{
    struct ethtool_gstrings *names = calloc(1, sizeof(*names) + (size_t)count * ETH_GSTRING_LEN);
    struct ethtool_stats *values = calloc(1, sizeof(*values) + (size_t)count * sizeof(uint64_t));
    int code = names == NULL || values == NULL ? -ENOMEM : 0;
    uint64_t sum = 0;
    if (code == 0) {
        *names = (struct ethtool_gstrings){
            .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_STATS, .len = count};
        code = call(fd, interface, names);
    }
    if (code == 0) {
        *values = (struct ethtool_stats){.cmd = ETHTOOL_GSTATS, .n_stats = count};
        code = call(fd, interface, values);
    }
    for (uint32_t i = 0; code == 0 && i < count && i < names->len && i < values->n_stats; i++)
        if (is_refusal((const char *)names->data + (size_t)i * ETH_GSTRING_LEN))
            sum += values->data[i];
    if (code == 0)
        *ret_packets = sum;
    free(names);
    free(values);
    return code;
}

int rj_veth_refused_count(const char *interface, uint64_t *ret_packets, rj_err_t *err)
{
    struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
    uint64_t packets = 0;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int code = fd < 0 ? -errno : call(fd, interface, &driver);
    bool is_veth = code == 0 && strcmp(driver.driver, "veth") == 0;
    if (is_veth && driver.n_stats > 0 && driver.n_stats <= STATS_MAX)
        code = read_stats(fd, interface, driver.n_stats, &packets);
    if (fd >= 0)
        close(fd);
    if (code == -EOPNOTSUPP) /* a driver without ethtool is no veth */
        code = 0;
    if (code != 0)
        return rj_fail(err, code, "cannot read the statistics of %s: %s", interface,
                       strerror(-code));
    *ret_packets = packets;
    return 0;
}
