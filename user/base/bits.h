/* SPDX-License-Identifier: Apache-2.0 */
/* bits.h - alignment, powers of two, the lesser and the greater.
 *
 * Units      plain integers. `align` must be a power of two.
 * Ownership  none.  Thread any.  Errors none.
 */
#ifndef RJ_BASE_BITS_H
#define RJ_BASE_BITS_H

#include <stdbool.h>
#include <stdint.h>

/* Rounds `value` up to the next multiple of `align`. The caller rules out overflow. */
static inline int64_t rj_align_up(int64_t value, int64_t align)
{
    return (value + (align - 1)) & ~(align - 1);
}

static inline bool rj_is_aligned(int64_t value, int64_t align)
{
    return (value & (align - 1)) == 0;
}

static inline int64_t rj_min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t rj_max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int32_t rj_min_i32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t rj_max_i32(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static inline bool rj_is_pow2(int64_t value)
{
    return value > 0 && (value & (value - 1)) == 0;
}

/* The base-2 logarithm of a power of two. */
static inline int rj_log2(int64_t pow2)
{
    return __builtin_ctzll((unsigned long long)pow2);
}

#endif
