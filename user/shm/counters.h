/* SPDX-License-Identifier: Apache-2.0 */
/* counters.h - named 64-bit values that anybody may watch.
 *
 * Two arrays, one record of each per counter: metadata (512 bytes: state, type, key, label) and
 * values (128 bytes). Ids are taken densely, for the first unused record ends every scan; a freed
 * id is taken again only after a while, so that a client which still holds it notices.
 *
 * Units      ids are indices. Times are epoch ms, passed in.
 * Ownership  rj_counters_t owns a private table of states on the heap (clients can write the shared
 *            ones); the sections belong to their mapping. Each value has one writer.
 * Thread     manager: the conductor. Reader and value calls: any.
 * Errors     negative errno.
 */
#ifndef RJ_SHM_COUNTERS_H
#define RJ_SHM_COUNTERS_H

#include "ramjet/shm.h"
#include "base/atomic.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The manager's private view of one id. */
typedef struct rj_counter_slot {
    int64_t reuse_deadline_ms;
    int64_t registration_id;
    int64_t owner_id;
    int32_t type_id;
    int32_t next_free_id; /* in the queue of freed ids */
    int32_t state;
} rj_counter_slot_t;

typedef struct rj_counters {
    rj_counter_metadata_t *metadata;
    rj_counter_value_t *values;
    rj_counter_slot_t *slots; /* NULL when closed */
    int32_t count_max;
    int32_t count_used; /* ids ever taken: the next fresh one */
    int32_t free_first_id;
    int32_t free_last_id;
    int64_t reuse_timeout_ms;
} rj_counters_t;

/* What a new counter starts with. Key and label are cut at their maxima. */
typedef struct rj_counter_spec {
    int32_t type_id;
    const void *key;
    size_t key_length;
    const char *label;
    size_t label_length;
    int64_t registration_id;
    int64_t owner_id;
    int64_t reference_id;
    int64_t initial_value;
} rj_counter_spec_t;

/* Takes over two zeroed sections; -EINVAL unless they hold equally many records. */
int rj_counters_open(rj_counters_t *counters, uint8_t *metadata_section, int64_t metadata_length,
                     uint8_t *values_section, int64_t values_length, int64_t reuse_timeout_ms,
                     rj_err_t *err);

void rj_counters_close(rj_counters_t *counters);

/* Allocates a counter and makes it visible complete. -ENOSPC: "max counter id (n) exceeded". */
int rj_counters_allocate(rj_counters_t *counters, const rj_counter_spec_t *spec, int64_t epoch_ms,
                         int32_t *ret_id, rj_err_t *err);

/* Frees it; -EINVAL if it is not allocated. Type, label and last value stay readable until reuse.
 */
int rj_counters_free(rj_counters_t *counters, int32_t id, int64_t epoch_ms);

/* Both cut at 380 bytes and return -EINVAL if the id is not allocated. */
int rj_counters_label_append(rj_counters_t *counters, int32_t id, const char *text, size_t length);
int rj_counters_label_set(rj_counters_t *counters, int32_t id, const char *text, size_t length);

bool rj_counters_is_allocated(const rj_counters_t *counters, int32_t id);

/* The allocated counter with that type and registration id, and its owner, by the manager's own
 * table: clients cannot make it up. RJ_COUNTER_ID_NULL if there is none. */
int32_t rj_counters_find_own(const rj_counters_t *counters, int32_t type_id,
                             int64_t registration_id, int64_t *ret_owner_id);

/* The value's address for the calls below; NULL if the id is out of range. It stays valid as long
 * as the mapping. */
int64_t *rj_counters_value(const rj_counters_t *counters, int32_t id);

/* Stores the fields of the value record that a few types set later. */
void rj_counters_set_registration_id(rj_counters_t *counters, int32_t id, int64_t registration_id);
void rj_counters_set_owner_id(rj_counters_t *counters, int32_t id, int64_t owner_id);
void rj_counters_set_reference_id(rj_counters_t *counters, int32_t id, int64_t reference_id);

/* A reader's view of the sections; also over a read-only mapping. */
typedef struct rj_counters_reader {
    const rj_counter_metadata_t *metadata;
    const rj_counter_value_t *values;
    int32_t count_max;
} rj_counters_reader_t;

/* A copy of one record, bounded and terminated. */
typedef struct rj_counter_view {
    int32_t id;
    int32_t state;
    int32_t type_id;
    int64_t value;
    int64_t registration_id;
    int64_t owner_id;
    int64_t reference_id;
    uint8_t key[RJ_COUNTER_KEY_BYTES_MAX];
    char label[RJ_COUNTER_LABEL_BYTES_MAX + 1];
} rj_counter_view_t;

/* -EINVAL unless the sections hold equally many records. */
int rj_counters_reader_init(rj_counters_reader_t *reader, const uint8_t *metadata_section,
                            int64_t metadata_length, const uint8_t *values_section,
                            int64_t values_length);

/* Copies the first allocated counter with an id of at least *cursor and moves the cursor behind it;
 * false at the end. Start with 0. */
bool rj_counters_next(const rj_counters_reader_t *reader, int32_t *cursor,
                      rj_counter_view_t *ret_view);

/* Copies one counter in whatever state; -EINVAL if the id is out of range. */
int rj_counters_read(const rj_counters_reader_t *reader, int32_t id, rj_counter_view_t *ret_view);

/* The id of the allocated counter with that type and registration id, or RJ_COUNTER_ID_NULL. */
int32_t rj_counters_find(const rj_counters_reader_t *reader, int32_t type_id,
                         int64_t registration_id);

/* Value calls. Acquire in get pairs with the release of the value's writer. */
static inline int64_t rj_counter_get(const int64_t *value)
{
    return rj_load_acquire_i64(value);
}

static inline void rj_counter_set(int64_t *value, int64_t to)
{
    rj_store_release_i64(value, to);
}

/* For the value's only writer. */
static inline void rj_counter_add(int64_t *value, int64_t delta)
{
    rj_store_release_i64(value, rj_load_relaxed_i64(value) + delta);
}

/* For values that several threads write; returns the value before. */
static inline int64_t rj_counter_add_shared(int64_t *value, int64_t delta)
{
    return rj_fetch_add_i64(value, delta);
}

/* For the value's only writer: raises it to `candidate` if it is lower; returns true if it was. */
static inline bool rj_counter_propose_max(int64_t *value, int64_t candidate)
{
    if (rj_load_relaxed_i64(value) >= candidate)
        return false;
    rj_store_release_i64(value, candidate);
    return true;
}

#endif
