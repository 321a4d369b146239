/* SPDX-License-Identifier: Apache-2.0 */
/* steer_pair.h - two sets of steering maps written as one: a program's, and a table beside them.
 *
 *      frame --> copy for a ring:      the table says that it is ours (steer_table.h)
 *           `--> the kernel's own:     the program's maps say so too, and it is dropped there
 *
 * For rings that get copies of frames. The program's maps are the ones that count: others write
 * them too, and claims and signs of life are theirs alone. The table follows with each call. An
 * entry is first in the table and last out of it, so that between the two a frame comes twice and
 * is never missed.
 *
 * Units      ramjet/xdp_abi.h.
 * Ownership  both sets are the caller's and outlive it.
 * Thread     as steer_maps.h says.
 * Errors     those of the program's maps.
 */
#ifndef RJ_XDP_STEER_PAIR_H
#define RJ_XDP_STEER_PAIR_H

#include "xdp/steer_maps.h"

typedef struct rj_steer_pair {
    rj_steer_maps_t maps; /* first member */
    rj_steer_maps_t *program;
    rj_steer_maps_t *table;
} rj_steer_pair_t;

void rj_steer_pair_init(rj_steer_pair_t *pair, rj_steer_maps_t *program, rj_steer_maps_t *table);

#endif
