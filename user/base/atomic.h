/* SPDX-License-Identifier: Apache-2.0 */
/* atomic.h - acquire, release and read-modify-write on plain integers in shared memory.
 *
 * The words belong to files that other programs map, so they are plain int32_t and int64_t and not
 * `_Atomic`. The pointers are taken as may_alias, because the same bytes are also read as frames.
 *
 * Units      none; addresses must be naturally aligned.
 * Ownership  none.  Thread any.  Errors none.
 */
#ifndef RJ_BASE_ATOMIC_H
#define RJ_BASE_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

typedef int32_t __attribute__((may_alias)) rj_shared_i32_t;
typedef int64_t __attribute__((may_alias)) rj_shared_i64_t;

static inline int32_t rj_load_acquire_i32(const rj_shared_i32_t *address)
{
    return __atomic_load_n(address, __ATOMIC_ACQUIRE);
}

static inline int64_t rj_load_acquire_i64(const rj_shared_i64_t *address)
{
    return __atomic_load_n(address, __ATOMIC_ACQUIRE);
}

/* For words that only the caller writes, or that a later acquire orders. */
static inline int32_t rj_load_relaxed_i32(const rj_shared_i32_t *address)
{
    return __atomic_load_n(address, __ATOMIC_RELAXED);
}

static inline int64_t rj_load_relaxed_i64(const rj_shared_i64_t *address)
{
    return __atomic_load_n(address, __ATOMIC_RELAXED);
}

static inline void rj_store_release_i32(rj_shared_i32_t *address, int32_t value)
{
    __atomic_store_n(address, value, __ATOMIC_RELEASE);
}

static inline void rj_store_release_i64(rj_shared_i64_t *address, int64_t value)
{
    __atomic_store_n(address, value, __ATOMIC_RELEASE);
}

static inline void rj_store_relaxed_i32(rj_shared_i32_t *address, int32_t value)
{
    __atomic_store_n(address, value, __ATOMIC_RELAXED);
}

static inline void rj_store_relaxed_i64(rj_shared_i64_t *address, int64_t value)
{
    __atomic_store_n(address, value, __ATOMIC_RELAXED);
}

/* Both return the value before the addition. */
static inline int32_t rj_fetch_add_i32(rj_shared_i32_t *address, int32_t delta)
{
    return __atomic_fetch_add(address, delta, __ATOMIC_SEQ_CST);
}

static inline int64_t rj_fetch_add_i64(rj_shared_i64_t *address, int64_t delta)
{
    return __atomic_fetch_add(address, delta, __ATOMIC_SEQ_CST);
}

/* Both return true if `expected` was there and has been replaced. */
static inline bool rj_cas_i32(rj_shared_i32_t *address, int32_t expected, int32_t desired)
{
    return __atomic_compare_exchange_n(address, &expected, desired, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static inline bool rj_cas_i64(rj_shared_i64_t *address, int64_t expected, int64_t desired)
{
    return __atomic_compare_exchange_n(address, &expected, desired, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

/* Keeps an earlier store in front of the stores that follow, which a release store alone does not.
 */
static inline void rj_fence_store_store(void)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

/* Keeps earlier loads in front of the loads that follow. */
static inline void rj_fence_load_load(void)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
}

#endif
