/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/nexthop.h"

#include <libmnl/libmnl.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netlink/attributes.h"

static void read_group(const struct nlattr *attribute, rj_nl_nexthop_t *nexthop)
{
    const size_t count = mnl_attr_get_payload_len(attribute) / sizeof(struct nexthop_grp);
    const uint8_t *bytes = mnl_attr_get_payload(attribute);
    if (count > RJ_NL_NEXTHOP_MEMBERS_MAX) {
        nexthop->is_odd = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct nexthop_grp member;
        memcpy(&member, bytes + i * sizeof(member), sizeof(member));
        nexthop->members[i] = (rj_nl_nexthop_member_t){member.id, member.weight + 1u};
    }
    nexthop->member_count = (uint32_t)count;
}

bool rj_nl_nexthop_read(const struct nlmsghdr *message, rj_nl_nexthop_t *ret)
{
    const struct nlattr *attributes[NHA_MAX + 1];
    const struct nhmsg *body = rj_nl_message_read(message, sizeof(*body), attributes, NHA_MAX + 1);
    rj_nl_nexthop_t nexthop = {.hop = {.weight = 1}};
    if (body == NULL || !rj_nl_attribute_u32(attributes[NHA_ID], &nexthop.id))
        return false;
    nexthop.is_odd = attributes[NHA_BLACKHOLE] != NULL || attributes[NHA_ENCAP_TYPE] != NULL ||
                     attributes[NHA_ENCAP] != NULL || attributes[NHA_FDB] != NULL;
    if (attributes[NHA_GROUP] != NULL)
        read_group(attributes[NHA_GROUP], &nexthop);
    rj_nl_attribute_u32(attributes[NHA_OIF], &nexthop.hop.link_index);
    rj_nl_attribute_address(attributes[NHA_GATEWAY], body->nh_family, &nexthop.hop.gateway);
    *ret = nexthop;
    return true;
}

int rj_nl_nexthop_compare(const void *item, const void *key)
{
    const uint32_t a = ((const rj_nl_nexthop_t *)item)->id;
    const uint32_t b = ((const rj_nl_nexthop_t *)key)->id;
    return a < b ? -1 : a > b;
}
