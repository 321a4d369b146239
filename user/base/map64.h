/* SPDX-License-Identifier: Apache-2.0 */
/* map64.h - int64 to pointer, for look-ups made once a packet.
 *
 * Open addressing with linear probing in a table at most half full; a removal moves the entries
 * behind it up, so nothing slows down with age.
 *
 * Units      capacity in entries.
 * Ownership  the caller owns the struct and what the values point to; the table is heap memory
 *            taken by open and given back by close. Nothing is allocated in between.
 * Thread     one at a time.
 * Errors     negative errno.
 */
#ifndef RJ_BASE_MAP64_H
#define RJ_BASE_MAP64_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct rj_map64_slot {
    int64_t key;
    void *value; /* NULL when free */
} rj_map64_slot_t;

typedef struct rj_map64 {
    rj_map64_slot_t *slots;
    size_t slot_count; /* a power of two */
    size_t count;
    size_t count_max;
} rj_map64_t;

/* Two 32-bit ids as one key. */
static inline int64_t rj_map64_key(int32_t high, int32_t low)
{
    return (int64_t)((uint64_t)(uint32_t)high << 32 | (uint32_t)low);
}

/* Takes room for `count_max` entries; -EINVAL for 0, -ENOMEM. */
int rj_map64_open(rj_map64_t *map, size_t count_max, rj_err_t *err);

void rj_map64_close(rj_map64_t *map);

/* Adds `value`, which must not be NULL; -EEXIST if the key is there (nothing changes), -ENOSPC if
 * the map holds count_max entries. */
int rj_map64_add(rj_map64_t *map, int64_t key, void *value);

/* NULL when absent. */
void *rj_map64_find(const rj_map64_t *map, int64_t key);

/* Removes the key and returns its value; NULL when absent. */
void *rj_map64_remove(rj_map64_t *map, int64_t key);

/* Walks all entries in an order that depends on the keys alone: start with *cursor 0, stop at NULL.
 * Add and remove end the walk. */
void *rj_map64_next(const rj_map64_t *map, size_t *cursor, int64_t *ret_key);

#endif
