/* SPDX-License-Identifier: Apache-2.0 */
/* offload.h - whether a link cuts datagrams and sums them itself, or leaves that for later.
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

#include "base/err.h"

typedef enum rj_lab_offload {
    RJ_LAB_OFFLOAD_OFF, /* no segmentation and no checksum offload on transmit */
    RJ_LAB_OFFLOAD_ON,  /* all of both, as a new veth has it */
} rj_lab_offload_t;

int rj_lab_offload_set(const char *interface, rj_lab_offload_t offload, rj_err_t *err);

#endif
