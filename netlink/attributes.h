/* SPDX-License-Identifier: Apache-2.0 */
/* attributes.h - the attributes of a netlink message, by type, with every length checked.
 *
 * Readers take NULL for an attribute that is not there. What is too short, or of a family without
 * addresses, is as good as absent.
 *
 * Units      bytes.
 * Ownership  pointers lead into the message.
 * Thread     any.
 * Errors     none: a reader says false and leaves its result alone.
 */
#ifndef RJ_NETLINK_ATTRIBUTES_H
#define RJ_NETLINK_ATTRIBUTES_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/address.h"

/* The `left` bytes begin with a whole message. (mnl_nlmsg_ok takes a length above 2^31 for a
 * negative one, which fits anywhere: found by the fuzzer.) */
bool rj_nl_message_is_whole(const struct nlmsghdr *message, size_t left);

/* The message behind this one; what is left is reduced by this one. */
const struct nlmsghdr *rj_nl_message_next(const struct nlmsghdr *message, size_t *left);

/* The fixed part of the message, at least `body_bytes` long, and behind it the attributes with a
 * type below `count`. NULL when the message is too short for its body; `message` itself is
 * whole. */
const void *rj_nl_message_read(const struct nlmsghdr *message, size_t body_bytes,
                               const struct nlattr **ret_attributes, size_t count);

/* The attributes within `length` bytes; those of higher types are left out. */
void rj_nl_attributes_read(const void *bytes, size_t length, const struct nlattr **ret_attributes,
                           size_t count);

/* The attributes within another; none when it is NULL. */
void rj_nl_attributes_read_nested(const struct nlattr *nest, const struct nlattr **ret_attributes,
                                  size_t count);

bool rj_nl_attribute_u8(const struct nlattr *attribute, uint8_t *ret);
bool rj_nl_attribute_u32(const struct nlattr *attribute, uint32_t *ret);

/* Exactly `length` bytes. */
bool rj_nl_attribute_bytes(const struct nlattr *attribute, void *ret, size_t length);

/* Text of less than `size` bytes, terminated or not. */
bool rj_nl_attribute_text(const struct nlattr *attribute, char *ret, size_t size);

/* Four or sixteen bytes, as the family has it; port and scope 0. */
bool rj_nl_attribute_address(const struct nlattr *attribute, uint16_t family, rj_address_t *ret);

#endif
