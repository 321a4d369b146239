/* SPDX-License-Identifier: Apache-2.0 */
#include "nic/flow_rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/ethtool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOCATIONS_MAX = 8192, SPREAD_MAX = 1024 };

/* --- one rule --- */

/* Destination address and port count, nothing else does. */
static struct ethtool_rx_flow_spec spec_of(const rj_address_t *to, uint32_t queue,
                                           uint32_t location)
{
    struct ethtool_rx_flow_spec spec = {.ring_cookie = queue, .location = location};
    if (to->family == AF_INET) {
        spec.flow_type = UDP_V4_FLOW;
        memcpy(&spec.h_u.udp_ip4_spec.ip4dst, to->bytes, 4);
        spec.h_u.udp_ip4_spec.pdst = htons(to->port);
        spec.m_u.udp_ip4_spec.ip4dst = UINT32_MAX;
        spec.m_u.udp_ip4_spec.pdst = UINT16_MAX;
    } else {
        spec.flow_type = UDP_V6_FLOW;
        memcpy(spec.h_u.udp_ip6_spec.ip6dst, to->bytes, 16);
        spec.h_u.udp_ip6_spec.pdst = htons(to->port);
        memset(spec.m_u.udp_ip6_spec.ip6dst, 0xff, 16);
        spec.m_u.udp_ip6_spec.pdst = UINT16_MAX;
    }
    return spec;
}

static int insert(rj_nic_t *nic, const rj_address_t *to, uint32_t queue, uint32_t *location)
{
    struct ethtool_rxnfc command = {.cmd = ETHTOOL_SRXCLSRLINS,
                                    .fs = spec_of(to, queue, *location)};
    const int result = nic->ops->ethtool(nic, &command);
    if (result == 0)
        *location = command.fs.location;
    return result;
}

static int delete (rj_nic_t *nic, uint32_t location)
{
    struct ethtool_rxnfc command = {.cmd = ETHTOOL_SRXCLSRLDEL, .fs = {.location = location}};
    return nic->ops->ethtool(nic, &command);
}

static uint16_t port_of(const struct ethtool_rx_flow_spec *spec)
{
    switch (spec->flow_type) {
    case UDP_V4_FLOW:
        return ntohs(spec->h_u.udp_ip4_spec.pdst);
    case UDP_V6_FLOW:
        return ntohs(spec->h_u.udp_ip6_spec.pdst);
    default:
        return 0;
    }
}

/* --- places in the table --- */

typedef union locations {
    struct ethtool_rxnfc head;
    uint8_t room[sizeof(struct ethtool_rxnfc) + LOCATIONS_MAX * sizeof(uint32_t)];
} locations_t;

/* The last free place, as most cards prefer earlier ones: an operator's rules win over ours. */
static int find_location(const rj_flow_rules_t *rules, uint32_t *ret_location)
{
    static const size_t list_at = offsetof(struct ethtool_rxnfc, rule_locs);
    bool is_taken[LOCATIONS_MAX] = {false};
    locations_t *all = calloc(1, sizeof(*all));
    if (all == NULL)
        return -ENOMEM;
    all->head.cmd = ETHTOOL_GRXCLSRLALL;
    all->head.rule_cnt = rules->location_count;
    const int result = rules->nic->ops->ethtool(rules->nic, all);
    for (uint32_t i = 0; result == 0 && i < all->head.rule_cnt && i < LOCATIONS_MAX; i++) {
        uint32_t taken;
        memcpy(&taken, all->room + list_at + i * sizeof(taken), sizeof(taken));
        if (taken < LOCATIONS_MAX)
            is_taken[taken] = true;
    }
    free(all);
    if (result < 0)
        return result;
    for (uint32_t at = rules->location_count; at-- > 0;) {
        if (!is_taken[at]) {
            *ret_location = at;
            return 0;
        }
    }
    return -ENOSPC;
}

/* --- ours --- */

static rj_flow_rule_t *find(rj_flow_rules_t *rules, const rj_address_t *to)
{
    for (int i = 0; i < rules->count; i++) {
        if (rj_address_equal(&rules->rules[i].to, to))
            return &rules->rules[i];
    }
    return NULL;
}

static int make_room(rj_flow_rules_t *rules)
{
    if (rules->count < rules->room)
        return 0;
    const int room = rules->room == 0 ? 16 : rules->room * 2;
    if (room > RJ_FLOW_RULES_MAX)
        return -ENOSPC;
    rj_flow_rule_t *grown = realloc(rules->rules, (size_t)room * sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    rules->rules = grown;
    rules->room = room;
    return 0;
}

int rj_flow_rules_open(rj_flow_rules_t *rules, rj_nic_t *nic, rj_nic_undo_t *undo)
{
    struct ethtool_rxnfc count = {.cmd = ETHTOOL_GRXCLSRLCNT};
    *rules = (rj_flow_rules_t){.nic = nic, .undo = undo};
    const int result = nic->ops->ethtool(nic, &count);
    if (result < 0)
        return result;
    const uint32_t size = (uint32_t)count.data & ~RX_CLS_LOC_SPECIAL;
    if ((count.data & RX_CLS_LOC_SPECIAL) == 0)
        rules->location_count = size < LOCATIONS_MAX ? size : LOCATIONS_MAX;
    return rules->location_count > 0 || (count.data & RX_CLS_LOC_SPECIAL) != 0 ? 0 : -EOPNOTSUPP;
}

/* A place of the card's choice is known, and noted, only after the rule was made. */
static int make_rule(rj_flow_rules_t *rules, rj_flow_rule_t *rule)
{
    rule->location = (uint32_t)RX_CLS_LOC_ANY;
    int result = rules->location_count > 0 ? find_location(rules, &rule->location) : 0;
    if (result == 0)
        result = insert(rules->nic, &rule->to, rule->queue, &rule->location);
    if (result < 0)
        return result;
    result = rj_nic_undo_note(rules->undo, "rule %" PRIu32 " port %u queue %" PRIu32,
                              rule->location, rule->to.port, rule->queue);
    if (result < 0)
        (void)delete (rules->nic, rule->location);
    return result;
}

int rj_flow_rules_put(rj_flow_rules_t *rules, const rj_address_t *to, uint32_t queue)
{
    const rj_flow_rule_t *there = find(rules, to);
    if (there != NULL && there->queue == queue)
        return 0;
    rj_flow_rules_remove(rules, to);
    rj_flow_rule_t rule = {.to = *to, .queue = queue};
    int result = make_room(rules);
    if (result == 0)
        result = make_rule(rules, &rule);
    if (result == 0)
        rules->rules[rules->count++] = rule;
    return result;
}

void rj_flow_rules_remove(rj_flow_rules_t *rules, const rj_address_t *to)
{
    rj_flow_rule_t *rule = find(rules, to);
    if (rule == NULL)
        return;
    (void)delete (rules->nic, rule->location);
    *rule = rules->rules[--rules->count];
}

/* --- the table of the hash --- */

typedef union spread {
    struct ethtool_rxfh_indir head;
    struct {
        uint32_t cmd;
        uint32_t size;
        uint32_t queues[SPREAD_MAX];
    } whole;
} spread_t;

static int set_spread(rj_nic_t *nic, const uint32_t *queues, uint32_t count)
{
    spread_t table = {.whole = {.cmd = ETHTOOL_SRXFHINDIR, .size = count}};
    memcpy(table.whole.queues, queues, count * sizeof(queues[0]));
    return nic->ops->ethtool(nic, &table);
}

static int get_spread(rj_nic_t *nic, spread_t *table)
{
    *table = (spread_t){.whole = {.cmd = ETHTOOL_GRXFHINDIR}};
    int result = nic->ops->ethtool(nic, table);
    if (result < 0)
        return result;
    if (table->whole.size == 0 || table->whole.size > SPREAD_MAX)
        return -EOPNOTSUPP;
    table->whole.cmd = ETHTOOL_GRXFHINDIR;
    return nic->ops->ethtool(nic, table);
}

/* "spread 8 0 1 2 ..." */
static int note_spread(rj_nic_undo_t *undo, const spread_t *table)
{
    char text[RJ_NIC_UNDO_LINE_MAX];
    int length = snprintf(text, sizeof(text), "spread %" PRIu32, table->whole.size);
    for (uint32_t i = 0; i < table->whole.size && length < (int)sizeof(text) - 12; i++)
        length += snprintf(text + length, sizeof(text) - (size_t)length, " %" PRIu32,
                           table->whole.queues[i]);
    return rj_nic_undo_note(undo, "%s", text);
}

int rj_flow_rules_spread(rj_flow_rules_t *rules, uint32_t first, uint32_t count)
{
    spread_t table;
    uint32_t wanted[SPREAD_MAX];
    int result = get_spread(rules->nic, &table);
    if (result == 0)
        result = note_spread(rules->undo, &table);
    if (result < 0)
        return result;
    rules->spread = malloc(table.whole.size * sizeof(wanted[0]));
    if (rules->spread == NULL)
        return -ENOMEM;
    rules->spread_count = table.whole.size;
    memcpy(rules->spread, table.whole.queues, table.whole.size * sizeof(wanted[0]));
    for (uint32_t i = 0; i < table.whole.size; i++)
        wanted[i] = first + i % count;
    result = set_spread(rules->nic, wanted, table.whole.size);
    if (result < 0) {
        free(rules->spread);
        rules->spread = NULL;
    }
    return result;
}

void rj_flow_rules_close(rj_flow_rules_t *rules)
{
    for (int i = 0; i < rules->count; i++)
        (void)delete (rules->nic, rules->rules[i].location);
    if (rules->spread != NULL)
        (void)set_spread(rules->nic, rules->spread, rules->spread_count);
    free(rules->rules);
    free(rules->spread);
    *rules = (rj_flow_rules_t){.nic = NULL};
}

/* --- a dead driver's --- */

static void undo_rule(rj_nic_t *nic, uint32_t location, unsigned port, uint32_t queue)
{
    struct ethtool_rxnfc command = {.cmd = ETHTOOL_GRXCLSRULE, .fs = {.location = location}};
    if (nic->ops->ethtool(nic, &command) == 0 && command.fs.ring_cookie == queue &&
        port_of(&command.fs) == port)
        (void)delete (nic, location);
}

static void undo_spread(rj_nic_t *nic, const char *numbers)
{
    uint32_t queues[SPREAD_MAX];
    char *at;
    const unsigned long count = strtoul(numbers, &at, 10);
    if (count == 0 || count > SPREAD_MAX)
        return;
    for (unsigned long i = 0; i < count; i++) {
        const char *from = at;
        queues[i] = (uint32_t)strtoul(from, &at, 10);
        if (at == from)
            return;
    }
    (void)set_spread(nic, queues, (uint32_t)count);
}

void rj_flow_rules_undo_line(rj_nic_t *nic, const char *line)
{
    uint32_t location, queue;
    unsigned port;
    if (sscanf(line, "rule %" SCNu32 " port %u queue %" SCNu32, &location, &port, &queue) == 3)
        undo_rule(nic, location, port, queue);
    else if (strncmp(line, "spread ", 7) == 0)
        undo_spread(nic, line + 7);
}
