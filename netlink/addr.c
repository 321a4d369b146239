/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/addr.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netlink/attributes.h"

static rj_nl_addr_rank_t rank_of(uint16_t family, uint32_t flags)
{
    if (flags & IFA_F_DADFAILED)
        return RJ_NL_ADDR_UNUSABLE;
    if ((flags & IFA_F_TENTATIVE) && !(flags & IFA_F_OPTIMISTIC))
        return RJ_NL_ADDR_UNUSABLE;
    /* The same bit means secondary for IPv4 and temporary, which is preferred, for IPv6. */
    if (flags & IFA_F_DEPRECATED || (family == AF_INET && flags & IFA_F_SECONDARY))
        return RJ_NL_ADDR_SECONDARY;
    return RJ_NL_ADDR_PRIMARY;
}

bool rj_nl_addr_read(const struct nlmsghdr *message, rj_nl_addr_t *ret)
{
    const struct nlattr *attributes[IFA_MAX + 1];
    const struct ifaddrmsg *body =
        rj_nl_message_read(message, sizeof(*body), attributes, IFA_MAX + 1);
    if (body == NULL || body->ifa_index == 0)
        return false;
    rj_nl_addr_t addr = {.net = {.link_index = body->ifa_index}};
    /* On a point-to-point link IFA_ADDRESS is the peer's. */
    if (!rj_nl_attribute_address(attributes[IFA_LOCAL], body->ifa_family, &addr.net.address) &&
        !rj_nl_attribute_address(attributes[IFA_ADDRESS], body->ifa_family, &addr.net.address))
        return false;
    if (body->ifa_prefixlen > (body->ifa_family == AF_INET ? 32 : 128))
        return false;
    addr.net.prefix_bits = body->ifa_prefixlen;
    if (rj_address_is_link_local(&addr.net.address))
        addr.net.address.scope_id = body->ifa_index;
    uint32_t flags = body->ifa_flags;
    rj_nl_attribute_u32(attributes[IFA_FLAGS], &flags);
    addr.rank = rank_of(body->ifa_family, flags);
    *ret = addr;
    return true;
}

bool rj_nl_addr_same(const rj_nl_addr_t *a, const rj_nl_addr_t *b)
{
    return a->net.link_index == b->net.link_index && a->net.prefix_bits == b->net.prefix_bits &&
           rj_address_equal(&a->net.address, &b->net.address);
}
