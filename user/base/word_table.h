/* SPDX-License-Identifier: Apache-2.0 */
/* word_table.h - a small fixed map of words to words, written by one thread, read by any.
 *
 *      slot  | used | key words ... | value words ... |
 *
 * Open addressing in a table at most half full. A change makes the sequence odd, moves words, and
 * makes it even again; a reader that finds the sequence odd, or another one afterwards, looks
 * again. It does so a bounded number of times: when the writer was put to sleep in the middle of a
 * change, a key counts as absent, so the answer must be one that the caller can live with.
 *
 * Units      keys and values in 32-bit words.
 * Ownership  the caller owns the struct; the table is heap memory taken by open and given back by
 *            close. Nothing is allocated in between.
 * Thread     put, remove, next: one. find: any, without a lock.
 * Errors     negative errno.
 */
#ifndef RJ_BASE_WORD_TABLE_H
#define RJ_BASE_WORD_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { RJ_WORD_TABLE_WORDS_MAX = 8 }; /* of a key, and of a value */

typedef struct rj_word_table {
    uint32_t *words; /* slot_count slots of slot_words */
    uint32_t sequence;
    uint32_t slot_count; /* a power of two */
    uint32_t slot_words;
    uint32_t key_words;
    uint32_t value_words;
    uint32_t count;
    uint32_t count_max;
} rj_word_table_t;

/* Takes room for `count_max` entries; key and value have 1..RJ_WORD_TABLE_WORDS_MAX words. */
int rj_word_table_open(rj_word_table_t *table, uint32_t count_max, uint32_t key_words,
                       uint32_t value_words, rj_err_t *err);

/* Safe on a zeroed or a closed table. */
void rj_word_table_close(rj_word_table_t *table);

/* Inserts or replaces. -E2BIG when a new key finds the table full. */
int rj_word_table_put(rj_word_table_t *table, const void *key, const void *value);

/* -ENOENT when absent. */
int rj_word_table_remove(rj_word_table_t *table, const void *key);

/* Copies the value; false when the key is absent, or could not be looked at in time. */
bool rj_word_table_find(const rj_word_table_t *table, const void *key, void *ret_value);

/* Walks all entries: `*at` is 0 at first. A removal of the entry that was given last may bring the
 * next one to its place: step back by one then. */
bool rj_word_table_next(const rj_word_table_t *table, uint32_t *at, void *ret_key, void *ret_value);

#endif
