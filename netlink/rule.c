/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/rule.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "netlink/attributes.h"
#include "netlink/snapshot.h"

enum { LOCAL = 1, MAIN = 2, DEFAULT = 4 };

/* Attributes of every rule; any other one makes a rule look at something. */
static bool is_plain(const struct nlattr *const *attributes)
{
    for (int type = 0; type <= FRA_MAX; type++) {
        if (attributes[type] == NULL || type == FRA_TABLE || type == FRA_PRIORITY ||
            type == FRA_PROTOCOL || type == FRA_SUPPRESS_PREFIXLEN || type == FRA_PAD)
            continue;
        return false;
    }
    uint32_t suppressed = UINT32_MAX;
    rj_nl_attribute_u32(attributes[FRA_SUPPRESS_PREFIXLEN], &suppressed);
    return suppressed == UINT32_MAX;
}

/* Which of the defaults it is; 0: none of them. */
static uint32_t default_bit(const struct fib_rule_hdr *body, const struct nlattr *const *attributes)
{
    uint32_t table = body->table;
    uint32_t priority = 0;
    rj_nl_attribute_u32(attributes[FRA_TABLE], &table);
    rj_nl_attribute_u32(attributes[FRA_PRIORITY], &priority);
    if (body->action != FR_ACT_TO_TBL || body->src_len != 0 || body->dst_len != 0 ||
        body->tos != 0 || (body->flags & FIB_RULE_INVERT) || !is_plain(attributes))
        return 0;
    return table == RJ_NET_TABLE_LOCAL && priority == 0         ? LOCAL
           : table == RJ_NET_TABLE_MAIN && priority == 32766    ? MAIN
           : table == RJ_NET_TABLE_DEFAULT && priority == 32767 ? DEFAULT
                                                                : 0;
}

void rj_nl_rules_add(rj_nl_rules_t *rules, const struct nlmsghdr *message)
{
    const struct nlattr *attributes[FRA_MAX + 1];
    const struct fib_rule_hdr *body =
        rj_nl_message_read(message, sizeof(*body), attributes, FRA_MAX + 1);
    if (body == NULL || (body->family != AF_INET && body->family != AF_INET6))
        return;
    const uint32_t bit = default_bit(body, attributes);
    rules->other_count += bit == 0;
    *(body->family == AF_INET ? &rules->ipv4_defaults : &rules->ipv6_defaults) |= bit;
}

bool rj_nl_rules_are_special(const rj_nl_rules_t *rules)
{
    const bool has_ipv4 =
        rules->ipv4_defaults == 0 || rules->ipv4_defaults == (LOCAL | MAIN | DEFAULT);
    const bool has_ipv6 = rules->ipv6_defaults == 0 || rules->ipv6_defaults == (LOCAL | MAIN);
    return rules->other_count > 0 || !has_ipv4 || !has_ipv6;
}
