/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map64.h"

#include "base/prng.h"

#include <criterion/criterion.h>
#include <errno.h>

static int things[64];

Test(map64, finds_what_was_added_and_nothing_else)
{
    rj_map64_t map;
    cr_assert_eq(rj_map64_open(&map, 8, NULL), 0);
    cr_assert_null(rj_map64_find(&map, 0));
    cr_assert_eq(rj_map64_add(&map, 0, &things[0]), 0);
    cr_assert_eq(rj_map64_add(&map, -1, &things[1]), 0);
    cr_assert_eq(rj_map64_add(&map, INT64_MIN, &things[2]), 0);
    cr_assert_eq(rj_map64_find(&map, 0), &things[0]);
    cr_assert_eq(rj_map64_find(&map, -1), &things[1]);
    cr_assert_eq(rj_map64_find(&map, INT64_MIN), &things[2]);
    cr_assert_null(rj_map64_find(&map, 1));
    rj_map64_close(&map);
}

Test(map64, refuses_a_second_value_and_one_too_many)
{
    rj_map64_t map;
    cr_assert_eq(rj_map64_open(&map, 2, NULL), 0);
    cr_assert_eq(rj_map64_add(&map, 5, &things[0]), 0);
    cr_assert_eq(rj_map64_add(&map, 5, &things[1]), -EEXIST);
    cr_assert_eq(rj_map64_find(&map, 5), &things[0]);
    cr_assert_eq(rj_map64_add(&map, 6, &things[1]), 0);
    cr_assert_eq(rj_map64_add(&map, 7, &things[2]), -ENOSPC);
    cr_assert_eq(rj_map64_remove(&map, 5), &things[0]);
    cr_assert_null(rj_map64_remove(&map, 5));
    cr_assert_eq(rj_map64_add(&map, 7, &things[2]), 0);
    rj_map64_close(&map);
    rj_map64_close(&map);
}

Test(map64, refuses_sizes_that_make_no_sense)
{
    rj_map64_t map;
    rj_err_t err;
    cr_assert_eq(rj_map64_open(&map, 0, &err), -EINVAL);
    cr_assert_eq(rj_map64_open(&map, SIZE_MAX, &err), -EINVAL);
    rj_map64_close(&map);
}

Test(map64, makes_one_key_of_two_ids)
{
    cr_assert_eq(rj_map64_key(-1, -1), -1);
    cr_assert_eq(rj_map64_key(1, -1), INT64_C(0x1ffffffff));
    cr_assert_neq(rj_map64_key(1, 2), rj_map64_key(2, 1));
}

/* Keys from a small range, so that adding, finding and removing meet often and runs of full slots
 * grow together and are torn apart again. */
Test(map64, behaves_as_an_array_does_under_any_sequence)
{
    enum { KEYS = 64, ENTRIES = 48, STEPS = 50000 };
    for (uint64_t seed = 1; seed <= 4; seed++) {
        rj_prng_t prng;
        rj_prng_init(&prng, seed);
        int64_t stride = rj_prng_between(&prng, 1, 1 << 20);
        void *model[KEYS] = {0};
        size_t count = 0;
        rj_map64_t map;
        cr_assert_eq(rj_map64_open(&map, ENTRIES, NULL), 0);
        for (int step = 0; step < STEPS; step++) {
            size_t i = rj_prng_below(&prng, KEYS);
            int64_t key = (int64_t)i * stride - 100;
            if (rj_prng_chance(&prng, 0.5)) {
                int expected = model[i] != NULL ? -EEXIST : count == ENTRIES ? -ENOSPC : 0;
                cr_assert_eq(rj_map64_add(&map, key, &things[i]), expected);
                if (expected == 0) {
                    model[i] = &things[i];
                    count++;
                }
            } else {
                cr_assert_eq(rj_map64_remove(&map, key), model[i]);
                count -= model[i] != NULL;
                model[i] = NULL;
            }
            size_t look = rj_prng_below(&prng, KEYS);
            cr_assert_eq(rj_map64_find(&map, (int64_t)look * stride - 100), model[look]);
            cr_assert_eq(map.count, count);
        }
        size_t cursor = 0, walked = 0;
        int64_t key;
        for (void *value; (value = rj_map64_next(&map, &cursor, &key)) != NULL; walked++)
            cr_assert_eq(value, model[(key + 100) / stride]);
        cr_assert_eq(walked, count);
        rj_map64_close(&map);
    }
}
