/* SPDX-License-Identifier: Apache-2.0 */
/* port_manager.h - ports out of a range, for channels that leave theirs open (driver.md 14).
 *
 * One after the other, so that a port is not taken again right after it was given back, and what
 * others hold is passed over.
 *
 *     last taken ──► next free, round and round from low to high
 *
 * Units      none.
 * Ownership  a count for each port of the range, on the heap.
 * Thread     the conductor's.
 * Errors     open: -ENOMEM; take: -EADDRINUSE with the words that clients look for.
 */
#ifndef RJ_CONDUCTOR_PORT_MANAGER_H
#define RJ_CONDUCTOR_PORT_MANAGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "config/config.h"

typedef struct rj_port_manager {
    rj_port_range_t range; /* both 0: there is none, and the system chooses */
    uint16_t next;
    uint16_t *uses; /* [port - low]: sockets of this driver that have it */
} rj_port_manager_t;

int rj_port_manager_open(rj_port_manager_t *manager, const rj_port_range_t *range, rj_err_t *err);

/* Safe on one that is zeroed. */
void rj_port_manager_close(rj_port_manager_t *manager);

static inline bool rj_port_manager_has_range(const rj_port_manager_t *manager)
{
    return manager->range.high != 0;
}

/* The next port that no socket of this driver has; it is held then. */
int rj_port_manager_take(rj_port_manager_t *manager, uint16_t *ret_port, rj_err_t *err);

/* A socket has this port, asked for or taken; no matter when it is not in the range. */
void rj_port_manager_hold(rj_port_manager_t *manager, uint16_t port);

/* It has it no more. */
void rj_port_manager_release(rj_port_manager_t *manager, uint16_t port);

#endif
