/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/neigh.h"

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netlink/attributes.h"

enum {
    NUD_WITH_MAC = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP,
};

bool rj_nl_neigh_read(const struct nlmsghdr *message, rj_nl_neigh_t *ret)
{
    const struct nlattr *attributes[NDA_MAX + 1];
    const struct ndmsg *body = rj_nl_message_read(message, sizeof(*body), attributes, NDA_MAX + 1);
    if (body == NULL || body->ndm_ifindex <= 0 || (body->ndm_flags & NTF_PROXY))
        return false;
    rj_nl_neigh_t neigh = {.link_index = (uint32_t)body->ndm_ifindex, .state = body->ndm_state};
    if (!rj_nl_attribute_address(attributes[NDA_DST], body->ndm_family, &neigh.address))
        return false;
    /* The kernel keeps entries of the groups that it sends to; their MAC is derived here. */
    if (rj_address_is_multicast(&neigh.address))
        return false;
    uint32_t flags_ext = 0;
    rj_nl_attribute_u32(attributes[NDA_FLAGS_EXT], &flags_ext);
    neigh.has_mac = rj_nl_attribute_bytes(attributes[NDA_LLADDR], neigh.mac, sizeof(neigh.mac));
    neigh.is_managed = (flags_ext & NTF_EXT_MANAGED) != 0;
    neigh.is_learned = (body->ndm_flags & NTF_EXT_LEARNED) != 0;
    *ret = neigh;
    return true;
}

int rj_nl_neigh_compare(const void *item, const void *key)
{
    const rj_nl_neigh_t *a = item, *b = key;
    if (a->link_index != b->link_index)
        return a->link_index < b->link_index ? -1 : 1;
    return memcmp(&a->address, &b->address, sizeof(a->address));
}

bool rj_nl_neigh_is_usable(const rj_nl_neigh_t *neigh)
{
    return neigh->has_mac && (neigh->state & NUD_WITH_MAC) != 0;
}

bool rj_nl_neigh_is_fixed(const rj_nl_neigh_t *neigh)
{
    return (neigh->state & (NUD_PERMANENT | NUD_NOARP)) != 0;
}

static struct nlmsghdr *write_head(uint8_t *buffer, uint16_t type, uint16_t flags,
                                   uint32_t link_index, const rj_address_t *address)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | flags;
    struct ndmsg *body = mnl_nlmsg_put_extra_header(message, sizeof(*body));
    body->ndm_family = (uint8_t)address->family;
    body->ndm_ifindex = (int)link_index;
    mnl_attr_put(message, NDA_DST, address->family == AF_INET ? 4 : 16, address->bytes);
    return message;
}

struct nlmsghdr *rj_nl_neigh_write(uint8_t ret[static RJ_NL_NEIGH_REQUEST_BYTES],
                                   rj_nl_neigh_wish_t wish, uint32_t link_index,
                                   const rj_address_t *address)
{
    /* REPLACE, for without it an entry that is there keeps its flags. */
    struct nlmsghdr *message = write_head(
        ret, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, link_index, address);
    struct ndmsg *body = mnl_nlmsg_get_payload(message);
    if (wish == RJ_NL_NEIGH_MANAGE) {
        body->ndm_flags = NTF_EXT_LEARNED;
        mnl_attr_put_u32(message, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
    } else {
        body->ndm_flags = NTF_USE;
    }
    return message;
}

struct nlmsghdr *rj_nl_neigh_write_get(uint8_t ret[static RJ_NL_NEIGH_REQUEST_BYTES],
                                       uint32_t link_index, const rj_address_t *address)
{
    return write_head(ret, RTM_GETNEIGH, 0, link_index, address);
}
