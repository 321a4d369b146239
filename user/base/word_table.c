/* SPDX-License-Identifier: Apache-2.0 */
#include "base/word_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKS_MAX = 64 };

static uint32_t *slot_of(const rj_word_table_t *table, uint32_t index)
{
    return table->words + (size_t)index * table->slot_words;
}

/* Acquire: a word that a later change wrote shows that change's odd sequence, which was stored
 * before it by `begin_change`. */
static uint32_t load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Release: pairs with `load`. */
static void store(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static void begin_change(rj_word_table_t *table)
{
    store(&table->sequence, table->sequence + 1);
}

static void end_change(rj_word_table_t *table)
{
    store(&table->sequence, table->sequence + 1);
}

/* Multiply and fold, word by word: ports and addresses that follow one another fall apart. */
static uint32_t home_of(const rj_word_table_t *table, const uint32_t *key)
{
    uint64_t hash = 0x9e3779b97f4a7c15ULL;
    for (uint32_t i = 0; i < table->key_words; i++) {
        hash = (hash ^ key[i]) * 0xff51afd7ed558ccdULL;
        hash ^= hash >> 32;
    }
    return (uint32_t)hash & (table->slot_count - 1);
}

static bool has_key(const rj_word_table_t *table, const uint32_t *slot, const uint32_t *key)
{
    for (uint32_t i = 0; i < table->key_words; i++)
        if (load(&slot[1 + i]) != key[i])
            return false;
    return true;
}

/* The slot of the key, or the free one where it would stand. A change under a reader can leave no
 * slot free for a moment, hence the bound. */
static uint32_t probe(const rj_word_table_t *table, const uint32_t *key)
{
    const uint32_t mask = table->slot_count - 1;
    uint32_t at = home_of(table, key);
    for (uint32_t i = 0; i < mask; i++, at = (at + 1) & mask) {
        const uint32_t *slot = slot_of(table, at);
        if (load(&slot[0]) == 0 || has_key(table, slot, key))
            break;
    }
    return at;
}

/* --- open, close --- */

int rj_word_table_open(rj_word_table_t *table, uint32_t count_max, uint32_t key_words,
                       uint32_t value_words, rj_err_t *err)
{
    *table = (rj_word_table_t){0};
    assert(key_words > 0 && key_words <= RJ_WORD_TABLE_WORDS_MAX);
    assert(value_words > 0 && value_words <= RJ_WORD_TABLE_WORDS_MAX);
    if (count_max == 0 || count_max > UINT32_C(1) << 24)
        return rj_fail(err, -EINVAL, "a table of %u entries", count_max);
    uint32_t slot_count = 4;
    while (slot_count < 2 * count_max)
        slot_count *= 2;
    *table = (rj_word_table_t){.slot_count = slot_count,
                               .slot_words = 1 + key_words + value_words,
                               .key_words = key_words,
                               .value_words = value_words,
                               .count_max = count_max};
    table->words = calloc((size_t)slot_count * table->slot_words, sizeof(uint32_t));
    if (table->words == NULL)
        return rj_fail(err, -ENOMEM, "no memory for a table of %u entries", count_max);
    return 0;
}

void rj_word_table_close(rj_word_table_t *table)
{
    free(table->words);
    *table = (rj_word_table_t){0};
}

/* --- the writer --- */

int rj_word_table_put(rj_word_table_t *table, const void *key, const void *value)
{
    uint32_t key_words[RJ_WORD_TABLE_WORDS_MAX];
    uint32_t value_words[RJ_WORD_TABLE_WORDS_MAX];
    memcpy(key_words, key, table->key_words * sizeof(uint32_t));
    memcpy(value_words, value, table->value_words * sizeof(uint32_t));
    uint32_t *slot = slot_of(table, probe(table, key_words));
    const bool is_new = slot[0] == 0;
    if (is_new && table->count == table->count_max)
        return -E2BIG;
    begin_change(table);
    for (uint32_t i = 0; i < table->key_words; i++)
        store(&slot[1 + i], key_words[i]);
    for (uint32_t i = 0; i < table->value_words; i++)
        store(&slot[1 + table->key_words + i], value_words[i]);
    store(&slot[0], 1);
    end_change(table);
    table->count += is_new;
    return 0;
}

/* Fills the hole with the next entry that may stand there, then that one's, until a free slot. */
static void close_hole(rj_word_table_t *table, uint32_t hole)
{
    const uint32_t mask = table->slot_count - 1;
    for (uint32_t at = (hole + 1) & mask; slot_of(table, at)[0] != 0; at = (at + 1) & mask) {
        const uint32_t *from = slot_of(table, at);
        const uint32_t home = home_of(table, from + 1);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        uint32_t *to = slot_of(table, hole);
        for (uint32_t i = 1; i < table->slot_words; i++)
            store(&to[i], from[i]);
        hole = at;
    }
    store(&slot_of(table, hole)[0], 0);
}

int rj_word_table_remove(rj_word_table_t *table, const void *key)
{
    uint32_t key_words[RJ_WORD_TABLE_WORDS_MAX];
    memcpy(key_words, key, table->key_words * sizeof(uint32_t));
    const uint32_t at = probe(table, key_words);
    if (slot_of(table, at)[0] == 0)
        return -ENOENT;
    begin_change(table);
    close_hole(table, at);
    end_change(table);
    table->count--;
    return 0;
}

bool rj_word_table_next(const rj_word_table_t *table, uint32_t *at, void *ret_key, void *ret_value)
{
    for (; *at < table->slot_count; (*at)++) {
        const uint32_t *slot = slot_of(table, *at);
        if (slot[0] == 0)
            continue;
        memcpy(ret_key, slot + 1, table->key_words * sizeof(uint32_t));
        memcpy(ret_value, slot + 1 + table->key_words, table->value_words * sizeof(uint32_t));
        (*at)++;
        return true;
    }
    return false;
}

/* --- readers --- */

bool rj_word_table_find(const rj_word_table_t *table, const void *key, void *ret_value)
{
    uint32_t key_words[RJ_WORD_TABLE_WORDS_MAX];
    uint32_t value_words[RJ_WORD_TABLE_WORDS_MAX];
    memcpy(key_words, key, table->key_words * sizeof(uint32_t));
    for (int looks = 0; looks < LOOKS_MAX; looks++) {
        const uint32_t sequence = load(&table->sequence);
        if ((sequence & 1) != 0)
            continue;
        const uint32_t *slot = slot_of(table, probe(table, key_words));
        const bool is_found = load(&slot[0]) != 0 && has_key(table, slot, key_words);
        for (uint32_t i = 0; is_found && i < table->value_words; i++)
            value_words[i] = load(&slot[1 + table->key_words + i]);
        if (load(&table->sequence) != sequence)
            continue;
        if (is_found)
            memcpy(ret_value, value_words, table->value_words * sizeof(uint32_t));
        return is_found;
    }
    return false;
}
