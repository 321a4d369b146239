/* SPDX-License-Identifier: Apache-2.0 */
/* offload.h - what a link does for its packets: whether it cuts datagrams and sums them itself or
 * leaves that for later, and whether it can receive what XDP sends.
 *
 * Over veth "later" is never: super-frames and partial sums arrive as they are. A wire that loses
 * datagrams and breaks bytes must see single datagrams with whole sums.
 *
 * Units      none.
 * Ownership  nothing is kept.
 * Thread     the thread that is in the link's network namespace.
 * Errors     negative errno and one line.
 */
#ifndef RJ_LAB_OFFLOAD_H
#define RJ_LAB_OFFLOAD_H

#include <stdbool.h>

#include "base/err.h"

typedef enum rj_lab_offload {
    RJ_LAB_OFFLOAD_OFF, /* no segmentation and no checksum offload on transmit */
    RJ_LAB_OFFLOAD_ON,  /* all of both, as a new veth has it */
} rj_lab_offload_t;

int rj_lab_offload_set(const char *interface, rj_lab_offload_t offload, rj_err_t *err);

/* Whether a feature is on, by the name that ethtool gives it. -ENOENT: the kernel knows none of
 * that name. */
int rj_lab_offload_look(const char *interface, const char *feature, bool *ret_is_on);

/* Turns GRO on. An end of a veth pair takes frames that XDP redirects to it only with that, or with
 * a program of its own; for XDP_TX at the other end it takes a program (spec/xdp.md 3.10). */
int rj_lab_gro_enable(const char *interface, rj_err_t *err);

#endif
