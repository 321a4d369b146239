/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/attributes.h"

#include <libmnl/libmnl.h>
#include <string.h>

bool rj_nl_message_is_whole(const struct nlmsghdr *message, size_t left)
{
    return left >= sizeof(*message) && message->nlmsg_len >= sizeof(*message) &&
           message->nlmsg_len <= left;
}

const struct nlmsghdr *rj_nl_message_next(const struct nlmsghdr *message, size_t *left)
{
    /* The last one need not be padded. */
    const size_t padded = MNL_ALIGN((size_t)message->nlmsg_len);
    const size_t step = padded < *left ? padded : *left;
    *left -= step;
    return (const struct nlmsghdr *)((const uint8_t *)message + step);
}

void rj_nl_attributes_read(const void *bytes, size_t length, const struct nlattr **ret_attributes,
                           size_t count)
{
    memset(ret_attributes, 0, count * sizeof(*ret_attributes));
    const uint8_t *at = bytes;
    const uint8_t *const end = at + length;
    while (at < end && mnl_attr_ok((const struct nlattr *)at, (int)(end - at))) {
        const struct nlattr *attribute = (const struct nlattr *)at;
        const uint16_t type = mnl_attr_get_type(attribute);
        if (type < count)
            ret_attributes[type] = attribute;
        /* The last one need not be padded. */
        const size_t step = MNL_ALIGN(attribute->nla_len);
        if (step >= (size_t)(end - at))
            break;
        at += step;
    }
}

void rj_nl_attributes_read_nested(const struct nlattr *nest, const struct nlattr **ret_attributes,
                                  size_t count)
{
    if (nest == NULL)
        memset(ret_attributes, 0, count * sizeof(*ret_attributes));
    else
        rj_nl_attributes_read(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest),
                              ret_attributes, count);
}

const void *rj_nl_message_read(const struct nlmsghdr *message, size_t body_bytes,
                               const struct nlattr **ret_attributes, size_t count)
{
    const size_t length = mnl_nlmsg_get_payload_len(message);
    const uint8_t *body = mnl_nlmsg_get_payload(message);
    if (length < body_bytes)
        return NULL;
    const size_t offset = MNL_ALIGN(body_bytes);
    const size_t rest = length > offset ? length - offset : 0;
    rj_nl_attributes_read(body + offset, rest, ret_attributes, count);
    return body;
}

bool rj_nl_attribute_bytes(const struct nlattr *attribute, void *ret, size_t length)
{
    if (attribute == NULL || mnl_attr_get_payload_len(attribute) != length)
        return false;
    memcpy(ret, mnl_attr_get_payload(attribute), length);
    return true;
}

bool rj_nl_attribute_u8(const struct nlattr *attribute, uint8_t *ret)
{
    return rj_nl_attribute_bytes(attribute, ret, sizeof(*ret));
}

bool rj_nl_attribute_u32(const struct nlattr *attribute, uint32_t *ret)
{
    return rj_nl_attribute_bytes(attribute, ret, sizeof(*ret));
}

bool rj_nl_attribute_text(const struct nlattr *attribute, char *ret, size_t size)
{
    if (attribute == NULL)
        return false;
    const char *text = mnl_attr_get_payload(attribute);
    const size_t length = strnlen(text, mnl_attr_get_payload_len(attribute));
    if (length >= size)
        return false;
    memset(ret, 0, size);
    memcpy(ret, text, length);
    return true;
}

bool rj_nl_attribute_address(const struct nlattr *attribute, uint16_t family, rj_address_t *ret)
{
    uint8_t bytes[16];
    if (family == AF_INET && rj_nl_attribute_bytes(attribute, bytes, 4)) {
        *ret = rj_address_ipv4(bytes, 0);
        return true;
    }
    if (family == AF_INET6 && rj_nl_attribute_bytes(attribute, bytes, 16)) {
        *ret = rj_address_ipv6(bytes, 0, 0);
        return true;
    }
    return false;
}
