/* SPDX-License-Identifier: Apache-2.0 */
/* prng.h - random numbers that a seed repeats.
 *
 * The generator is xoshiro256**, its state filled from the seed by splitmix64. It is passed in,
 * never global, so that a simulation with the same seed takes the same way. Not for secrets.
 *
 * Units      none.
 * Ownership  a plain value.  Thread one at a time.  Errors none.
 */
#ifndef RJ_BASE_PRNG_H
#define RJ_BASE_PRNG_H

#include <stdbool.h>
#include <stdint.h>

typedef struct rj_prng {
    uint64_t state[4];
} rj_prng_t;

void rj_prng_init(rj_prng_t *prng, uint64_t seed);

uint64_t rj_prng_next(rj_prng_t *prng);

/* A number in [0, bound), all equally likely; `bound` must not be 0. */
uint64_t rj_prng_below(rj_prng_t *prng, uint64_t bound);

/* A number in [first, last], all equally likely; first <= last. */
int64_t rj_prng_between(rj_prng_t *prng, int64_t first, int64_t last);

/* A number in [0, 1). */
double rj_prng_unit(rj_prng_t *prng);

/* True with that probability; always for 1 and more, never for 0 and less. */
bool rj_prng_chance(rj_prng_t *prng, double probability);

#endif
