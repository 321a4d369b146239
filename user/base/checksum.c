/* SPDX-License-Identifier: Apache-2.0 */
#include "base/checksum.h"

#include <string.h>

/* Words of 32 bits are added up in lanes of 64, so no carry is lost: a lane takes 2^32 of them.
 * Compilers turn the vectors into whatever the target has. */
typedef uint64_t lanes_t __attribute__((vector_size(16)));

enum { STEP_LANES = 4, STEP_BYTES = STEP_LANES * (int)sizeof(lanes_t) };

typedef struct step {
    lanes_t at[STEP_LANES];
} step_t;

static inline void load(step_t *step, const uint8_t *bytes)
{
    memcpy(step, bytes, STEP_BYTES);
}

static inline lanes_t halves(lanes_t lanes)
{
    return (lanes & 0xffffffff) + (lanes >> 32);
}

/* Two sums, so that neither waits for the other. */
static inline void add_step(step_t *sums, const step_t *step)
{
    sums->at[0] += halves(step->at[0]);
    sums->at[1] += halves(step->at[1]);
    sums->at[0] += halves(step->at[2]);
    sums->at[1] += halves(step->at[3]);
}

/* Folded once, the lanes are far from the width of their sum. */
static inline uint64_t total(const step_t *sums)
{
    const lanes_t folded = halves(sums->at[0]) + halves(sums->at[1]);
    return folded[0] + folded[1];
}

/* The last bytes, fewer than a step. */
static uint64_t add_tail(const uint8_t *bytes, size_t length, uint64_t sum)
{
    for (; length >= sizeof(uint32_t); length -= sizeof(uint32_t), bytes += sizeof(uint32_t)) {
        uint32_t word;
        memcpy(&word, bytes, sizeof(word));
        sum += word;
    }
    uint8_t rest[sizeof(uint32_t)] = {0};
    uint32_t word;
    memcpy(rest, bytes, length);
    memcpy(&word, rest, sizeof(word));
    return sum + word;
}

uint64_t rj_checksum_add(const void *bytes, size_t length, uint64_t sum)
{
    const uint8_t *from = bytes;
    step_t sums = {{{0}}};
    step_t step;
    for (; length >= STEP_BYTES; length -= STEP_BYTES, from += STEP_BYTES) {
        load(&step, from);
        add_step(&sums, &step);
    }
    return add_tail(from, length, sum + total(&sums));
}

uint64_t rj_checksum_copy(void *destination, const void *source, size_t length, uint64_t sum)
{
    const uint8_t *from = source;
    uint8_t *to = destination;
    step_t sums = {{{0}}};
    step_t step;
    for (; length >= STEP_BYTES; length -= STEP_BYTES, from += STEP_BYTES, to += STEP_BYTES) {
        load(&step, from);
        memcpy(to, &step, STEP_BYTES);
        add_step(&sums, &step);
    }
    memcpy(to, from, length);
    return add_tail(from, length, sum + total(&sums));
}
