/* SPDX-License-Identifier: Apache-2.0 */
/* generator.h - messages made up: lengths from a distribution, contents from a block, a rate.
 *
 * The same seed gives the same messages. Contents are slices of one block, each beginning a little
 * further on, so that making a message costs nothing and a message out of order changes the digest.
 *
 * Units      lengths in bytes, rates in messages a second.
 * Ownership  the caller owns the struct, which owns the block.
 * Thread     one.
 * Errors     negative errno, text in `err`.
 */
#ifndef RJ_CLI_GENERATOR_H
#define RJ_CLI_GENERATOR_H

#include "base/err.h"
#include "base/prng.h"

#include <stddef.h>
#include <stdint.h>

enum {
    RJ_LENGTH_CLASS_COUNT_MAX = 8,
    RJ_GENERATOR_PLAN_COUNT = 4096, /* a power of two */
};

/* Lengths in [min, max], all equally likely, chosen with this weight. */
typedef struct rj_length_class {
    int32_t length_min;
    int32_t length_max;
    int32_t weight;
} rj_length_class_t;

typedef struct rj_lengths {
    rj_length_class_t classes[RJ_LENGTH_CLASS_COUNT_MAX];
    size_t class_count;
} rj_lengths_t;

/* Reads "32", "32-1024" or weighted ranges, "0-1K:90,1K-16K:9,16K-256K:1". */
int rj_lengths_parse(rj_lengths_t *lengths, const char *text, rj_err_t *err);

int32_t rj_lengths_max(const rj_lengths_t *lengths);

typedef struct rj_generator {
    uint8_t *block;
    uint32_t next_index;
    uint32_t next_offset;                  /* in the block */
    int32_t plan[RJ_GENERATOR_PLAN_COUNT]; /* lengths, drawn beforehand */
} rj_generator_t;

int rj_generator_open(rj_generator_t *generator, const rj_lengths_t *lengths, uint64_t seed,
                      rj_err_t *err);
void rj_generator_close(rj_generator_t *generator);

enum {
    RJ_GENERATOR_OFFSET_MASK = 64 * 1024 - 1, /* the slices begin in so many bytes */
    RJ_GENERATOR_OFFSET_STEP = 24,
};

/* The next message: looks, does not move on. */
static inline const uint8_t *rj_generator_peek(const rj_generator_t *generator, int32_t *ret_length)
{
    *ret_length = generator->plan[generator->next_index];
    return generator->block + generator->next_offset;
}

static inline void rj_generator_next(rj_generator_t *generator)
{
    generator->next_index = (generator->next_index + 1) & (RJ_GENERATOR_PLAN_COUNT - 1);
    generator->next_offset =
        (generator->next_offset + RJ_GENERATOR_OFFSET_STEP) & RJ_GENERATOR_OFFSET_MASK;
}

#endif
