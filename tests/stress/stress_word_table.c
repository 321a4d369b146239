/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of a table that one thread changes all the time: whatever they find is whole, and of the
 * key they asked for; what is never taken away is found, or this never ends. */
#include "base/word_table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/prng.h"

enum { KEYS = 64, STEPS = 200000, READERS = 2, STAYS = KEYS };

static rj_word_table_t table;
static atomic_bool is_over;

static void put(uint32_t key, uint32_t value)
{
    const uint32_t words[3] = {value, ~value, key};
    if (rj_word_table_put(&table, &key, words) < 0)
        exit(1);
}

static void *run_reader(void *argument)
{
    atomic_long *found = argument;
    rj_prng_t prng;
    rj_prng_init(&prng, 3);
    while (!atomic_load(&is_over)) {
        const uint32_t key = (uint32_t)(rj_prng_next(&prng) % (KEYS + 1));
        uint32_t words[3];
        if (!rj_word_table_find(&table, &key, words))
            continue;
        if (words[0] != ~words[1] || words[2] != key) {
            fprintf(stderr, "key %u: torn\n", key);
            exit(1);
        }
        if (key == STAYS)
            atomic_fetch_add(found, 1);
    }
    return NULL;
}

int main(void)
{
    pthread_t readers[READERS];
    static atomic_long found[READERS];
    rj_prng_t prng;
    rj_prng_init(&prng, 1);
    if (rj_word_table_open(&table, KEYS + 1, 1, 3, NULL) < 0)
        return 1;
    put(STAYS, 1);
    for (int i = 0; i < READERS; i++)
        pthread_create(&readers[i], NULL, run_reader, &found[i]);
    for (uint32_t step = 0;
         step < STEPS || atomic_load(&found[0]) == 0 || atomic_load(&found[1]) == 0; step++) {
        const uint32_t key = (uint32_t)(rj_prng_next(&prng) % KEYS);
        if (rj_prng_next(&prng) % 2 == 0)
            put(key, step);
        else
            (void)rj_word_table_remove(&table, &key);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    rj_word_table_close(&table);
    return 0;
}
