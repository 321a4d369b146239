/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"

static uint64_t rotate_left(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

/* Splitmix64: spreads seeds that differ in one bit, and never gives four zeros in a row. */
static uint64_t spread(uint64_t *seed)
{
    *seed += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t mixed = *seed;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ mixed >> 31;
}

void rj_prng_init(rj_prng_t *prng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        prng->state[i] = spread(&seed);
}

uint64_t rj_prng_next(rj_prng_t *prng)
{
    uint64_t *state = prng->state;
    uint64_t result = rotate_left(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;

    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate_left(state[3], 45);
    return result;
}

/* Scales by the high half of a product; the few numbers that would be favoured are drawn again. */
uint64_t rj_prng_below(rj_prng_t *prng, uint64_t bound)
{
    uint64_t favoured = -bound % bound;
    unsigned __int128 product;
    do {
        product = (unsigned __int128)rj_prng_next(prng) * bound;
    } while ((uint64_t)product < favoured);
    return (uint64_t)(product >> 64);
}

int64_t rj_prng_between(rj_prng_t *prng, int64_t first, int64_t last)
{
    uint64_t span = (uint64_t)last - (uint64_t)first + 1;
    uint64_t step = span == 0 ? rj_prng_next(prng) : rj_prng_below(prng, span);
    return (int64_t)((uint64_t)first + step);
}

double rj_prng_unit(rj_prng_t *prng)
{
    /* 53 bits: what a double holds exactly. */
    return (double)(rj_prng_next(prng) >> 11) * 0x1.0p-53;
}

bool rj_prng_chance(rj_prng_t *prng, double probability)
{
    return rj_prng_unit(prng) < probability;
}
