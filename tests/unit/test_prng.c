/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"

#include <criterion/criterion.h>

Test(prng, repeats_what_a_seed_gave)
{
    rj_prng_t first, second, other;
    rj_prng_init(&first, 42);
    rj_prng_init(&second, 42);
    rj_prng_init(&other, 43);
    int different = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t number = rj_prng_next(&first);
        cr_assert_eq(number, rj_prng_next(&second));
        different += number != rj_prng_next(&other);
    }
    cr_assert_eq(different, 100);
}

/* What the definition of xoshiro256** gives from the state 1, 2, 3, 4. The first of them is
 * rotl(2 * 5, 7) * 9. */
Test(prng, follows_the_published_generator)
{
    rj_prng_t prng = {{1, 2, 3, 4}};
    cr_assert_eq(rj_prng_next(&prng), 11520);
    cr_assert_eq(rj_prng_next(&prng), 0);
    cr_assert_eq(rj_prng_next(&prng), 1509978240);
    cr_assert_eq(rj_prng_next(&prng), 1215971899390074240);
}

Test(prng, stays_below_the_bound_and_reaches_every_number)
{
    rj_prng_t prng;
    rj_prng_init(&prng, 7);
    int seen[10] = {0};
    for (int i = 0; i < 10000; i++) {
        uint64_t number = rj_prng_below(&prng, 10);
        cr_assert_lt(number, 10);
        seen[number]++;
    }
    for (int i = 0; i < 10; i++)
        cr_assert(seen[i] > 800 && seen[i] < 1200, "%d came %d times of 10000", i, seen[i]);
    cr_assert_eq(rj_prng_below(&prng, 1), 0);
}

Test(prng, draws_between_both_ends)
{
    rj_prng_t prng;
    rj_prng_init(&prng, 8);
    bool low = false, high = false;
    for (int i = 0; i < 1000; i++) {
        int64_t number = rj_prng_between(&prng, -2, 2);
        cr_assert(number >= -2 && number <= 2);
        low |= number == -2;
        high |= number == 2;
    }
    cr_assert(low && high);
    cr_assert_eq(rj_prng_between(&prng, INT64_MAX, INT64_MAX), INT64_MAX);
    rj_prng_between(&prng, INT64_MIN, INT64_MAX);
}

Test(prng, gives_chances_their_share)
{
    rj_prng_t prng;
    rj_prng_init(&prng, 9);
    int hits = 0;
    for (int i = 0; i < 10000; i++) {
        hits += rj_prng_chance(&prng, 0.25);
        cr_assert_not(rj_prng_chance(&prng, 0));
        cr_assert(rj_prng_chance(&prng, 1));
    }
    cr_assert(hits > 2300 && hits < 2700, "%d of 10000", hits);
}
