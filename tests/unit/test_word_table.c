/* SPDX-License-Identifier: Apache-2.0 */
#include "base/word_table.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/prng.h"

enum { KEYS = 40 };

typedef struct key {
    uint32_t words[2];
} number_key_t;

static number_key_t key_of(uint32_t number)
{
    return (number_key_t){{number, ~number}};
}

static int put(rj_word_table_t *table, uint32_t number, uint32_t value)
{
    const number_key_t key = key_of(number);
    return rj_word_table_put(table, &key, &value);
}

static int take_away(rj_word_table_t *table, uint32_t number)
{
    const number_key_t key = key_of(number);
    return rj_word_table_remove(table, &key);
}

/* 0: absent; no test stores it. */
static uint32_t find(const rj_word_table_t *table, uint32_t number)
{
    const number_key_t key = key_of(number);
    uint32_t value = 0;
    return rj_word_table_find(table, &key, &value) ? value : 0;
}

static void open_table(rj_word_table_t *table, uint32_t count_max)
{
    cr_assert_eq(rj_word_table_open(table, count_max, 2, 1, NULL), 0);
}

Test(word_table, finds_what_was_put_last_and_nothing_else)
{
    rj_word_table_t table;
    open_table(&table, 8);
    cr_assert_eq(find(&table, 0), 0);
    cr_assert_eq(put(&table, 0, 5), 0);
    cr_assert_eq(put(&table, 1, 6), 0);
    cr_assert_eq(put(&table, 0, 7), 0);
    cr_assert_eq(find(&table, 0), 7);
    cr_assert_eq(find(&table, 1), 6);
    cr_assert_eq(find(&table, 2), 0);
    cr_assert_eq(table.count, 2);
    rj_word_table_close(&table);
}

Test(word_table, takes_as_many_as_it_has_room_for)
{
    rj_word_table_t table;
    open_table(&table, 3);
    for (uint32_t i = 0; i < 3; i++)
        cr_assert_eq(put(&table, i, i + 1), 0);
    cr_assert_eq(put(&table, 3, 4), -E2BIG);
    cr_assert_eq(put(&table, 2, 9), 0, "one that is there may change");
    cr_assert_eq(take_away(&table, 0), 0);
    cr_assert_eq(take_away(&table, 0), -ENOENT);
    cr_assert_eq(put(&table, 3, 4), 0);
    cr_assert_eq(find(&table, 2), 9);
    rj_word_table_close(&table);
    rj_word_table_close(&table);
}

Test(word_table, refuses_sizes_that_make_no_sense)
{
    rj_word_table_t table;
    rj_err_t err;
    cr_assert_eq(rj_word_table_open(&table, 0, 1, 1, &err), -EINVAL);
    cr_assert_eq(rj_word_table_open(&table, UINT32_MAX, 1, 1, &err), -EINVAL);
    rj_word_table_close(&table);
}

/* What a reader sees when the writer was put to sleep in the middle of a change. */
Test(word_table, counts_a_key_as_absent_while_a_change_does_not_end)
{
    rj_word_table_t table;
    open_table(&table, 8);
    cr_assert_eq(put(&table, 1, 6), 0);
    table.sequence++;
    cr_assert_eq(find(&table, 1), 0);
    table.sequence++;
    cr_assert_eq(find(&table, 1), 6);
    rj_word_table_close(&table);
}

/* Few keys in a small table, so that runs of full slots grow together, round the end too, and are
 * torn apart again. */
Test(word_table, behaves_as_an_array_does_under_any_sequence)
{
    rj_word_table_t table;
    uint32_t model[KEYS] = {0};
    rj_prng_t prng;
    rj_prng_init(&prng, 7);
    open_table(&table, KEYS);
    for (int step = 1; step < 100000; step++) {
        const uint32_t number = (uint32_t)(rj_prng_next(&prng) % KEYS);
        if (rj_prng_next(&prng) % 2 == 0) {
            cr_assert_eq(put(&table, number, (uint32_t)step), 0);
            model[number] = (uint32_t)step;
        } else {
            cr_assert_eq(take_away(&table, number), model[number] != 0 ? 0 : -ENOENT);
            model[number] = 0;
        }
        const uint32_t looked_at = (uint32_t)(rj_prng_next(&prng) % KEYS);
        cr_assert_eq(find(&table, looked_at), model[looked_at]);
    }
    rj_word_table_close(&table);
}

Test(word_table, can_be_walked_while_entries_go)
{
    rj_word_table_t table;
    open_table(&table, KEYS);
    for (uint32_t i = 0; i < KEYS; i++)
        cr_assert_eq(put(&table, i, i + 1), 0);
    number_key_t key;
    uint32_t value;
    for (uint32_t at = 0; rj_word_table_next(&table, &at, &key, &value);) {
        cr_assert_eq(key.words[0] + 1, value);
        if (value % 2 == 0) {
            cr_assert_eq(rj_word_table_remove(&table, &key), 0);
            at--;
        }
    }
    for (uint32_t i = 0; i < KEYS; i++)
        cr_assert_eq(find(&table, i), (i + 1) % 2 == 0 ? 0 : i + 1);
    rj_word_table_close(&table);
}
