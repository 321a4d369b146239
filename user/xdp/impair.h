/* SPDX-License-Identifier: Apache-2.0 */
/* impair.h - puts the bad wire (bpf/impair.bpf.c) on interfaces, reads it, takes it off.
 *
 * It is a tc filter of its own qdisc, so it stays when this process ends and goes with the
 * interface. Its maps are found through the filter; nothing is pinned.
 *
 * Units      ramjet/impair_abi.h.
 * Ownership  after attach the kernel holds everything.
 * Thread     the thread that is in the interfaces' network namespace.
 * Errors     negative errno and one line; -EPERM says what is missing.
 */
#ifndef RJ_XDP_IMPAIR_H
#define RJ_XDP_IMPAIR_H

#include "base/err.h"

#include <ramjet/impair_abi.h>

#include <stdint.h>

typedef struct rj_impair_setup {
    uint32_t ports[RJ_IMPAIR_HOSTS_MAX]; /* interface index of host i + 1, 0 for none */
    uint32_t frame_bytes_max;            /* with the Ethernet header; longer ones are never held */
    struct rj_impair_config configs[RJ_IMPAIR_DIRECTIONS_MAX]; /* version and slots: see attach */
} rj_impair_setup_t;

typedef struct rj_impair_view {
    struct rj_impair_config configs[RJ_IMPAIR_DIRECTIONS_MAX];
    struct rj_impair_state states[RJ_IMPAIR_DIRECTIONS_MAX];
} rj_impair_view_t;

/* Loads the program with these settings and puts it on every port, in place of an earlier one,
 * whose counts and held frames go. Fills in each config's abi_version and slot_base. When it fails,
 * no port carries the new program. */
int rj_impair_attach(rj_impair_setup_t *setup, rj_err_t *err);

/* Reads what is on the interface; -ENOENT when there is nothing of ours. */
int rj_impair_read(uint32_t port, rj_impair_view_t *ret_view, rj_err_t *err);

/* Takes it off; nothing there is success. Held frames are gone then. */
int rj_impair_detach(uint32_t port, rj_err_t *err);

#endif
