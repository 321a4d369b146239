/* SPDX-License-Identifier: Apache-2.0 */
/* impair.h - makes a lab's wire a bad one, tells what it did, makes it a good one again.
 *
 * While it is bad, segmentation and checksum offload are off on the hosts' links (lab/offload.h).
 *
 * Units      ramjet/impair_abi.h. Sets of hosts: bit i is host i.
 * Ownership  the kernel holds the program; these calls keep nothing.
 * Thread     the main thread; it enters the lab's namespaces and comes back.
 * Errors     negative errno and one line; -EOPNOTSUPP for a direct lab, which has no wire.
 */
#ifndef RJ_LAB_IMPAIR_H
#define RJ_LAB_IMPAIR_H

#include "lab/lab.h"
#include "xdp/impair.h"

enum { RJ_LAB_ALL_HOSTS = (1 << (RJ_LAB_HOSTS_MAX + 1)) - 2 };

typedef struct rj_lab_directions {
    uint32_t sources;
    uint32_t destinations;
} rj_lab_directions_t;

/* True for a frame from `source` to `destination`, or to a group when both are the same. A group
 * is part of the set where all hosts but the source are. */
bool rj_lab_directions_have(const rj_lab_directions_t *directions, int host_count, int source,
                            int destination);

/* Gives these directions the settings of `config`, and leaves those of the others. Frame numbers
 * and counts of all directions begin anew. */
int rj_lab_impair_set(const rj_lab_shape_t *shape, const rj_lab_directions_t *directions,
                      const struct rj_impair_config *config, rj_err_t *err);

/* Makes the wire good again, also where it is already. */
int rj_lab_impair_off(const rj_lab_shape_t *shape, rj_err_t *err);

/* Settings and counts; -ENOENT when the wire is good. */
int rj_lab_impair_look(const rj_lab_shape_t *shape, rj_impair_view_t *ret_view, rj_err_t *err);

#endif
