/* SPDX-License-Identifier: Apache-2.0 */
/* busy_poll.h - busy polling: the engine that asks a socket does the card's work itself, on its own
 * CPU, and the card's interrupts are put off meanwhile (docs/spec/xdp.md 3.6).
 *
 *      per socket      SO_PREFER_BUSY_POLL, SO_BUSY_POLL, SO_BUSY_POLL_BUDGET
 *      per interface   napi_defer_hard_irqs, gro_flush_timeout: raised, and put back by close
 *
 * Units      microseconds; packets.
 * Ownership  the caller owns the structs; card and undo outlive the deferral.
 * Thread     one caller at a time.
 * Errors     negative errno with a text that says what is missing: -EPERM CAP_NET_ADMIN,
 *            -EOPNOTSUPP a kernel older than 5.11, ... Rings work without.
 */
#ifndef RJ_NIC_BUSY_POLL_H
#define RJ_NIC_BUSY_POLL_H

#include <stdbool.h>
#include <stdint.h>

#include "nic/nic.h"
#include "nic/nic_undo.h"

enum {
    RJ_BUSY_POLL_BUDGET_DEFAULT = 64,
    RJ_BUSY_POLL_KNOB_COUNT = 2,
};

typedef struct rj_irq_deferral {
    rj_nic_t *nic;
    int64_t before[RJ_BUSY_POLL_KNOB_COUNT];
    bool is_changed[RJ_BUSY_POLL_KNOB_COUNT];
} rj_irq_deferral_t;

/* Puts the interrupts of the interface off while somebody polls it; leaves values that do so
 * already. */
int rj_irq_deferral_open(rj_irq_deferral_t *deferral, rj_nic_t *nic, rj_nic_undo_t *undo,
                         rj_err_t *err);

/* Puts back what was there, unless somebody has changed it since. Safe on one that is all zeros. */
void rj_irq_deferral_close(rj_irq_deferral_t *deferral);

/* Puts back what a line says that a dead driver has noted; others' are none of ours. */
void rj_irq_deferral_undo_line(rj_nic_t *nic, const char *line);

#endif
