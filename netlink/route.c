/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/route.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netlink/attributes.h"

static uint8_t type_of(const struct rtmsg *body, const struct nlattr *const *attributes)
{
    if (body->rtm_type == RTN_LOCAL)
        return RJ_NET_ROUTE_LOCAL;
    /* A tunnel's header, a choice by source or by type of service: not for a ready header. */
    const bool is_odd = body->rtm_src_len != 0 || body->rtm_tos != 0 ||
                        attributes[RTA_SRC] != NULL || attributes[RTA_ENCAP] != NULL ||
                        attributes[RTA_ENCAP_TYPE] != NULL;
    return body->rtm_type == RTN_UNICAST && !is_odd ? RJ_NET_ROUTE_UNICAST : RJ_NET_ROUTE_OTHER;
}

/* RTA_GATEWAY is of the route's family, RTA_VIA brings its own. */
static rj_address_t read_gateway(const struct nlattr *const *attributes, uint16_t family)
{
    rj_address_t gateway = {0};
    const struct nlattr *via = attributes[RTA_VIA];
    if (rj_nl_attribute_address(attributes[RTA_GATEWAY], family, &gateway) || via == NULL)
        return gateway;
    uint8_t bytes[sizeof(uint16_t) + 16];
    uint16_t via_family = 0;
    const size_t length = mnl_attr_get_payload_len(via);
    if (length < sizeof(via_family) || length > sizeof(bytes))
        return gateway;
    memcpy(bytes, mnl_attr_get_payload(via), length);
    memcpy(&via_family, bytes, sizeof(via_family));
    if (via_family == AF_INET && length == sizeof(via_family) + 4)
        return rj_address_ipv4(bytes + sizeof(via_family), 0);
    if (via_family == AF_INET6 && length == sizeof(via_family) + 16)
        return rj_address_ipv6(bytes + sizeof(via_family), 0, 0);
    return gateway;
}

/* Returns how many; -1 for more than there is room for, or a broken list. */
static int read_multipath(const struct nlattr *attribute, uint16_t family, rj_net_hop_t *ret_hops)
{
    const uint8_t *at = mnl_attr_get_payload(attribute);
    size_t left = mnl_attr_get_payload_len(attribute);
    int count = 0;
    while (left >= sizeof(struct rtnexthop)) {
        struct rtnexthop head;
        memcpy(&head, at, sizeof(head));
        if (head.rtnh_len < sizeof(head) || head.rtnh_len > left || head.rtnh_ifindex < 0 ||
            count == RJ_NL_ROUTE_HOPS_MAX)
            return -1;
        const struct nlattr *attributes[RTA_VIA + 1];
        rj_nl_attributes_read(at + sizeof(head), head.rtnh_len - sizeof(head), attributes,
                              RTA_VIA + 1);
        ret_hops[count++] = (rj_net_hop_t){.link_index = (uint32_t)head.rtnh_ifindex,
                                           .weight = head.rtnh_hops + 1u,
                                           .gateway = read_gateway(attributes, family)};
        const size_t step = MNL_ALIGN(head.rtnh_len);
        if (step >= left)
            break;
        at += step;
        left -= step;
    }
    return count;
}

static void read_hops(rj_nl_route_t *route, const struct nlattr *const *attributes,
                      rj_net_hop_t *hops)
{
    if (attributes[RTA_MULTIPATH] != NULL) {
        const int count = read_multipath(attributes[RTA_MULTIPATH], route->key.family, hops);
        if (count < 0)
            route->type = RJ_NET_ROUTE_OTHER;
        route->hop_count = count < 0 ? 0 : (uint32_t)count;
        return;
    }
    rj_net_hop_t hop = {.weight = 1, .gateway = read_gateway(attributes, route->key.family)};
    if (rj_nl_attribute_u32(attributes[RTA_OIF], &hop.link_index)) {
        hops[0] = hop;
        route->hop_count = 1;
    }
}

static void read_metrics(rj_nl_route_t *route, const struct nlattr *attribute)
{
    const struct nlattr *metrics[RTAX_MTU + 1];
    rj_nl_attributes_read_nested(attribute, metrics, RTAX_MTU + 1);
    rj_nl_attribute_u32(metrics[RTAX_MTU], &route->mtu_bytes);
}

/* The table of the attribute, for the header's field holds eight bits only. */
static bool read_key(rj_nl_route_key_t *key, const struct rtmsg *body,
                     const struct nlattr *const *attributes)
{
    rj_address_t destination = {0};
    if (body->rtm_dst_len > (body->rtm_family == AF_INET ? 32 : 128))
        return false;
    if (!rj_nl_attribute_address(attributes[RTA_DST], body->rtm_family, &destination) &&
        body->rtm_dst_len != 0)
        return false;
    memcpy(key->destination, destination.bytes, sizeof(key->destination));
    key->table = body->rtm_table;
    key->family = body->rtm_family;
    key->prefix_bits = body->rtm_dst_len;
    key->tos = body->rtm_tos;
    rj_nl_attribute_u32(attributes[RTA_TABLE], &key->table);
    rj_nl_attribute_u32(attributes[RTA_PRIORITY], &key->priority);
    return key->table == RJ_NET_TABLE_MAIN || key->table == RJ_NET_TABLE_LOCAL ||
           key->table == RJ_NET_TABLE_DEFAULT;
}

bool rj_nl_route_read(const struct nlmsghdr *message, rj_nl_route_t *ret,
                      rj_net_hop_t ret_hops[static RJ_NL_ROUTE_HOPS_MAX])
{
    const struct nlattr *attributes[RTA_MAX + 1];
    const struct rtmsg *body = rj_nl_message_read(message, sizeof(*body), attributes, RTA_MAX + 1);
    if (body == NULL || (body->rtm_family != AF_INET && body->rtm_family != AF_INET6) ||
        (body->rtm_flags & RTM_F_CLONED))
        return false;
    rj_nl_route_t route = {.hops = ret_hops};
    if (!read_key(&route.key, body, attributes))
        return false;
    route.type = type_of(body, attributes);
    route.protocol = body->rtm_protocol;
    route.scope = body->rtm_scope;
    read_metrics(&route, attributes[RTA_METRICS]);
    rj_nl_attribute_u32(attributes[RTA_NH_ID], &route.nexthop_id);
    rj_nl_attribute_address(attributes[RTA_PREFSRC], body->rtm_family, &route.source);
    read_hops(&route, attributes, ret_hops);
    *ret = route;
    return true;
}
