/* SPDX-License-Identifier: Apache-2.0 */
/* steer_table.h - a steering program's maps as tables of this process, and its decision in it.
 *
 * For rings whose frames no program of the kernel sees, as those of DPDK: the conductor writes the
 * tables through rj_steer_maps_t as it writes the kernel's, and the engines ask for each frame what
 * the program would do (bpf/steer_decide.h). What is not for user space is the kernel's, which a
 * reader that met a change for too long says as well.
 *
 * Units      ramjet/xdp_abi.h.
 * Ownership  open takes all memory, close gives it back.
 * Thread     the maps: one. rj_steer_table_decide: any, without a lock.
 * Errors     those of steer_maps.h.
 */
#ifndef RJ_XDP_STEER_TABLE_H
#define RJ_XDP_STEER_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/word_table.h"
#include "xdp/steer_maps.h"

typedef struct rj_steer_table {
    rj_steer_maps_t maps; /* first member */
    rj_word_table_t channels;
    rj_word_table_t streams;
    rj_word_table_t claims;
    rj_word_table_t queues;
    rj_word_table_t owners;
    uint64_t mac; /* its six bytes, the first in the lowest */
} rj_steer_table_t;

int rj_steer_table_open(rj_steer_table_t *table, const uint8_t mac[6], rj_err_t *err);

/* Safe on a zeroed or a closed table. */
void rj_steer_table_close(rj_steer_table_t *table);

/* What becomes of a frame, the first `first_bytes` of which are readable, all headers among them:
 * enum rj_xdp_verdict, and why, enum rj_xdp_reason. */
enum rj_xdp_verdict rj_steer_table_decide(const rj_steer_table_t *table, const uint8_t *frame,
                                          uint32_t first_bytes, uint32_t length_bytes,
                                          uint32_t queue, enum rj_xdp_reason *ret_reason);

#endif
