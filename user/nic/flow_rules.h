/* SPDX-License-Identifier: Apache-2.0 */
/* flow_rules.h - rules of a network card that bring the datagrams of an address and port to one
 * receive queue, as `ethtool -N IF flow-type udp4 dst-ip A dst-port P action Q` makes them.
 *
 *      an endpoint's frames --rule--> the queue of its home engine, and none is forwarded
 *       `--without, the card's hash--> any queue; engines forward to each other, exactly as well
 *
 * And, where a card has no rules: the table of its hash, limited to a range of queues.
 *
 * Units      queues, places in the card's table of rules.
 * Ownership  the caller owns the struct; card and undo outlive it. Rules are the card's until they
 *            are removed: close removes all.
 * Thread     one caller at a time; a call may take the card milliseconds.
 * Errors     negative errno: -EOPNOTSUPP the card has no such rules, -ENOSPC its table is full.
 */
#ifndef RJ_NIC_FLOW_RULES_H
#define RJ_NIC_FLOW_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "nic/nic.h"
#include "nic/nic_undo.h"
#include "proto/address.h"

enum { RJ_FLOW_RULES_MAX = 1024 };

typedef struct rj_flow_rule {
    rj_address_t to;
    uint32_t queue;
    uint32_t location; /* in the card's table */
} rj_flow_rule_t;

typedef struct rj_flow_rules {
    rj_nic_t *nic;
    rj_nic_undo_t *undo;
    rj_flow_rule_t *rules; /* [count] */
    int count, room;
    uint32_t location_count; /* of the card's table; 0: the card places rules itself */
    uint32_t *spread;        /* the hash's table as it was; NULL: untouched */
    uint32_t spread_count;
} rj_flow_rules_t;

/* Asks whether the card has rules at all: -EOPNOTSUPP. */
int rj_flow_rules_open(rj_flow_rules_t *rules, rj_nic_t *nic, rj_nic_undo_t *undo);

/* The card brings datagrams to `to` to that queue from now on. Harmless when it does. */
int rj_flow_rules_put(rj_flow_rules_t *rules, const rj_address_t *to, uint32_t queue);

/* And no more. Harmless when it does not. */
void rj_flow_rules_remove(rj_flow_rules_t *rules, const rj_address_t *to);

/* What no rule catches is hashed over `count` queues from `first` on, until close. */
int rj_flow_rules_spread(rj_flow_rules_t *rules, uint32_t first, uint32_t count);

/* Undoes everything. Safe on one that is all zeros or whose open failed. */
void rj_flow_rules_close(rj_flow_rules_t *rules);

/* Undoes a line that a dead driver's rules have noted; others' are none of ours. A rule that is
 * not what the line says was made by somebody since, and stays. */
void rj_flow_rules_undo_line(rj_nic_t *nic, const char *line);

#endif
