/* SPDX-License-Identifier: Apache-2.0 */
/* nak_back_off.h - how long one of many receivers waits before it asks for what was lost.
 *
 * All receivers of a group may have lost the same datagram, and one NAK brings it back to them
 * all. So each draws its delay: most draw a late time, few an early one, and the fewer the larger
 * the group is taken to be (wire.md 13).
 *
 *     delay = (M / L) * ln(1 + U * (e^L - 1))        L = ln(group size) + 1, U uniform in [0, 1)
 *
 * Units      ns.
 * Ownership  a plain value; no heap, nothing to close.
 * Thread     one at a time.
 * Errors     none; every call succeeds.
 */
#ifndef RJ_STREAM_NAK_BACK_OFF_H
#define RJ_STREAM_NAK_BACK_OFF_H

#include <stdint.h>

#include "base/prng.h"

typedef struct rj_nak_back_off_config {
    int64_t max_ns;     /* M; 0: nobody waits, and nothing is drawn */
    int64_t group_size; /* receivers to be reckoned with, above 0 */
    uint64_t seed;      /* of the delays; receivers need different ones */
} rj_nak_back_off_config_t;

typedef struct rj_nak_back_off {
    double lambda;
    double max_ns;
    rj_prng_t prng;
} rj_nak_back_off_t;

void rj_nak_back_off_init(rj_nak_back_off_t *back_off, const rj_nak_back_off_config_t *config);

/* The delay at U = `unit`, which is within [0, 1). */
int64_t rj_nak_back_off_at(const rj_nak_back_off_t *back_off, double unit);

/* Draws from now on lie within 0 and `max_ns`, which is above 0. */
void rj_nak_back_off_set_max(rj_nak_back_off_t *back_off, int64_t max_ns);

/* Draws a delay of 0 to max_ns. */
int64_t rj_nak_back_off_draw(rj_nak_back_off_t *back_off);

#endif
