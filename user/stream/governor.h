/* SPDX-License-Identifier: Apache-2.0 */
/* governor.h - the receiver that sets a publication's pace, as the engine tells the conductor.
 *
 * A sequence lock of one writer: `version` is odd while the words are being written.
 *
 * Units      none.
 * Ownership  a plain value inside its publication.
 * Thread     set: the engine; get: any other.
 * Errors     a torn read is said in the result.
 */
#ifndef RJ_STREAM_GOVERNOR_H
#define RJ_STREAM_GOVERNOR_H

#include <string.h>

#include "base/atomic.h"
#include "proto/address.h"

enum { RJ_GOVERNOR_WORDS = sizeof(rj_address_t) / sizeof(int64_t) };

typedef struct rj_governor {
    int32_t version;
    int64_t receiver_id;
    int64_t address[RJ_GOVERNOR_WORDS];
} rj_governor_t;

static inline void rj_governor_set(rj_governor_t *governor, int64_t receiver_id,
                                   const rj_address_t *address)
{
    int64_t words[RJ_GOVERNOR_WORDS];
    memcpy(words, address, sizeof(words));
    const int32_t version = governor->version;
    rj_store_relaxed_i32(&governor->version, version + 1);
    /* The odd version is seen before any of the words; pairs with the fence in get. */
    rj_fence_store_store();
    rj_store_relaxed_i64(&governor->receiver_id, receiver_id);
    for (int i = 0; i < RJ_GOVERNOR_WORDS; i++)
        rj_store_relaxed_i64(&governor->address[i], words[i]);
    rj_store_release_i32(&governor->version, version + 2);
}

/* False when there is none yet, or it is being written. */
static inline bool rj_governor_get(const rj_governor_t *governor, int64_t *ret_receiver_id,
                                   rj_address_t *ret_address)
{
    int64_t words[RJ_GOVERNOR_WORDS];
    const int32_t version = rj_load_acquire_i32(&governor->version);
    if (version == 0 || (version & 1) != 0)
        return false;
    *ret_receiver_id = rj_load_relaxed_i64(&governor->receiver_id);
    for (int i = 0; i < RJ_GOVERNOR_WORDS; i++)
        words[i] = rj_load_relaxed_i64(&governor->address[i]);
    rj_fence_load_load();
    memcpy(ret_address, words, sizeof(words));
    return rj_load_relaxed_i32(&governor->version) == version;
}

#endif
