/* SPDX-License-Identifier: Apache-2.0 */
/* ring_nic.h - what a driver with rings wants of the card behind one interface: rules that bring
 * datagrams to the engine that serves them, and busy polling.
 *
 * Whatever the card, the kernel or our rights do not give is told in one line where it was asked
 * for; rings work without. What was changed is undone at the end, and what a driver that was killed
 * has left is undone by the next one's start.
 *
 * Units      queue numbers, engines.
 * Ownership  the caller owns the struct.
 * Thread     open and close: the main thread, before privileges are given up and after all else.
 *            `bring`: the conductor's.
 * Errors     none but bring's, as flow_rules.h says: they are told.
 */
#ifndef RJ_DRIVER_RING_NIC_H
#define RJ_DRIVER_RING_NIC_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "nic/busy_poll.h"
#include "nic/flow_rules.h"
#include "nic/nic.h"
#include "nic/nic_undo.h"

/* One line for a person; `is_lack`: something that was asked for is not to be had. */
typedef void (*rj_ring_nic_tell_t)(void *state, bool is_lack, const char *text);

typedef struct rj_ring_nic_params {
    rj_nic_t *nic;
    const char *interface;
    const char *undo_folder;
    rj_steer_queues_t steer_queues;
    bool wants_busy_poll;
    uint32_t queue_first; /* our queues */
    uint32_t queue_count;
    uint32_t queues_of_card;
    rj_ring_nic_tell_t tell;
    void *tell_state;
} rj_ring_nic_params_t;

typedef struct rj_ring_nic {
    rj_ring_nic_params_t params;
    rj_nic_undo_t undo;
    rj_flow_rules_t rules;
    rj_irq_deferral_t deferral;
    bool has_rules;
} rj_ring_nic_t;

/* Sweeps what dead drivers left, whatever is asked for, then does what is. */
void rj_ring_nic_open(rj_ring_nic_t *nic, const rj_ring_nic_params_t *params);

/* As rj_steering_interface_t.bring; `state` is the rj_ring_nic_t. */
int rj_ring_nic_bring(void *state, const rj_address_t *to, int engine);

/* Safe on one that is all zeros. */
void rj_ring_nic_close(rj_ring_nic_t *nic);

#endif
