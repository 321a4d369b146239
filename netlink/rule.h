/* SPDX-License-Identifier: Apache-2.0 */
/* rule.h - RTM_NEWRULE read: is it one of those that every host has?
 *
 * Units      none.  Ownership plain values.  Thread any.
 * Errors     none.
 */
#ifndef RJ_NETLINK_RULE_H
#define RJ_NETLINK_RULE_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>

/* What the rules of one dump amount to. */
typedef struct rj_nl_rules {
    uint32_t ipv4_defaults; /* a bit for each of: local, main, default */
    uint32_t ipv6_defaults;
    uint32_t other_count;
} rj_nl_rules_t;

void rj_nl_rules_add(rj_nl_rules_t *rules, const struct nlmsghdr *message);

/* Rules beside the default ones, or one of those taken away. A family without any rule is one that
 * the kernel does not have. */
bool rj_nl_rules_are_special(const rj_nl_rules_t *rules);

#endif
