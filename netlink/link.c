/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/link.h"

#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>

#include "netlink/attributes.h"

#ifndef IFF_LOWER_UP
enum { IFF_LOWER_UP = 1 << 16 }; /* in linux/if.h, which does not go with net/if.h */
#endif

bool rj_nl_link_has_carrier(const rj_nl_link_t *link)
{
    return (link->flags & (IFF_RUNNING | IFF_LOWER_UP)) != 0;
}

static void read_kind(const struct nlattr *attribute, rj_net_link_t *link)
{
    const struct nlattr *info[IFLA_INFO_KIND + 1];
    rj_nl_attributes_read_nested(attribute, info, IFLA_INFO_KIND + 1);
    rj_nl_attribute_text(info[IFLA_INFO_KIND], link->kind, sizeof(link->kind));
}

/* With programs in several modes at once there is no IFLA_XDP_PROG_ID: then that of the mode that
 * sees a frame first. */
static void read_xdp(const struct nlattr *attribute, rj_net_link_t *link)
{
    static const uint16_t types[] = {IFLA_XDP_PROG_ID, IFLA_XDP_HW_PROG_ID, IFLA_XDP_DRV_PROG_ID,
                                     IFLA_XDP_SKB_PROG_ID};
    const struct nlattr *xdp[IFLA_XDP_MAX + 1];
    if (attribute == NULL)
        return;
    rj_nl_attributes_read_nested(attribute, xdp, IFLA_XDP_MAX + 1);
    link->xdp_program_id = 0;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]) && link->xdp_program_id == 0; i++)
        rj_nl_attribute_u32(xdp[types[i]], &link->xdp_program_id);
}

/* One value of a family's settings, which come as an array of 32-bit words; IPv4's counts from 1.
 */
static bool read_setting(const struct nlattr *settings, size_t index, bool before)
{
    uint32_t value = before;
    if (settings != NULL && mnl_attr_get_payload_len(settings) >= (index + 1) * sizeof(value)) {
        const uint8_t *words = mnl_attr_get_payload(settings);
        memcpy(&value, words + index * sizeof(value), sizeof(value));
    }
    return value != 0;
}

static void read_families(const struct nlattr *attribute, rj_nl_link_t *link)
{
    const struct nlattr *families[AF_INET6 + 1];
    const struct nlattr *ipv4[IFLA_INET_CONF + 1];
    const struct nlattr *ipv6[IFLA_INET6_CONF + 1];
    rj_nl_attributes_read_nested(attribute, families, AF_INET6 + 1);
    rj_nl_attributes_read_nested(families[AF_INET], ipv4, IFLA_INET_CONF + 1);
    rj_nl_attributes_read_nested(families[AF_INET6], ipv6, IFLA_INET6_CONF + 1);
    link->ignores_linkdown_ipv4 =
        read_setting(ipv4[IFLA_INET_CONF], IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN - 1,
                     link->ignores_linkdown_ipv4);
    link->ignores_linkdown_ipv6 = read_setting(
        ipv6[IFLA_INET6_CONF], DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN, link->ignores_linkdown_ipv6);
}

bool rj_nl_link_read(const struct nlmsghdr *message, rj_nl_link_t *link)
{
    const struct nlattr *attributes[IFLA_MAX + 1];
    const struct ifinfomsg *body =
        rj_nl_message_read(message, sizeof(*body), attributes, IFLA_MAX + 1);
    if (body == NULL || body->ifi_family != AF_UNSPEC || body->ifi_index <= 0)
        return false;
    rj_net_link_t *net = &link->net;
    net->index = (uint32_t)body->ifi_index;
    net->is_ethernet = body->ifi_type == ARPHRD_ETHER;
    net->is_loopback = (body->ifi_flags & IFF_LOOPBACK) != 0;
    link->flags = body->ifi_flags;
    net->is_up = rj_nl_link_is_up(link) && rj_nl_link_has_carrier(link);
    rj_nl_attribute_text(attributes[IFLA_IFNAME], net->name, sizeof(net->name));
    rj_nl_attribute_u32(attributes[IFLA_MTU], &net->mtu_bytes);
    rj_nl_attribute_bytes(attributes[IFLA_ADDRESS], net->mac, sizeof(net->mac));
    rj_nl_attribute_u32(attributes[IFLA_NUM_RX_QUEUES], &link->queue_count_at_most);
    read_kind(attributes[IFLA_LINKINFO], net);
    read_xdp(attributes[IFLA_XDP], net);
    read_families(attributes[IFLA_AF_SPEC], link);
    link->is_fresh = true;
    return true;
}

uint32_t rj_nl_link_read_removed(const struct nlmsghdr *message)
{
    const struct nlattr *attributes[1];
    const struct ifinfomsg *body = rj_nl_message_read(message, sizeof(*body), attributes, 1);
    const bool is_link = body != NULL && body->ifi_family == AF_UNSPEC && body->ifi_index > 0;
    return is_link ? (uint32_t)body->ifi_index : 0;
}

static bool ask_driver(int fd, const char *name, void *question)
{
    struct ifreq request = {0};
    _Static_assert(sizeof(request.ifr_name) == RJ_NET_NAME_MAX + 1, "any name fits");
    memcpy(request.ifr_name, name, sizeof(request.ifr_name));
    request.ifr_data = question;
    return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

uint32_t rj_nl_link_count_queues(int fd, const rj_nl_link_t *link)
{
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    if (ask_driver(fd, link->net.name, &channels) &&
        channels.rx_count + channels.combined_count > 0)
        return channels.rx_count + channels.combined_count;
    struct ethtool_rxnfc rings = {.cmd = ETHTOOL_GRXRINGS};
    if (ask_driver(fd, link->net.name, &rings) && rings.data > 0)
        return (uint32_t)rings.data;
    return link->queue_count_at_most > 0 ? link->queue_count_at_most : 1;
}
