/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/position.h"

#include "base/prng.h"

#include <criterion/criterion.h>

Test(position, counts_terms_across_the_wrap_of_term_ids)
{
    cr_assert_eq(rj_term_count(5, 5), 0);
    cr_assert_eq(rj_term_count(INT32_MIN, INT32_MAX), 1);
    cr_assert_eq(rj_term_count(-7, -5), -2);
    cr_assert_eq(rj_term_id_add(INT32_MAX, 2), INT32_MIN + 1);
}

Test(position, unpacks_what_it_packed)
{
    rj_prng_t prng;
    rj_prng_init(&prng, 1);
    for (int i = 0; i < 10000; i++) {
        int32_t shift = (int32_t)rj_prng_between(&prng, 16, 30);
        int32_t mask = (1 << shift) - 1;
        int32_t initial = (int32_t)rj_prng_next(&prng);
        int32_t count = (int32_t)rj_prng_between(&prng, 0, INT32_MAX);
        int32_t offset = (int32_t)rj_prng_below(&prng, (uint64_t)mask + 1);
        int32_t id = rj_term_id_add(initial, count);
        int64_t position = rj_position_pack(id, offset, shift, initial);
        cr_assert_eq(position, ((int64_t)count << shift) + offset);
        cr_assert_eq(rj_position_term_count(position, shift), count);
        cr_assert_eq(rj_position_term_id(position, shift, initial), id);
        cr_assert_eq(rj_position_term_offset(position, mask), offset);
        cr_assert_eq(rj_position_partition(position, shift), count % 3);
    }
}

Test(position, reads_a_tail_beyond_the_term_as_its_end)
{
    int64_t tail = rj_tail_pack(-7, 0x10060);
    cr_assert_eq((uint64_t)tail, UINT64_C(0xFFFFFFF900010060));
    cr_assert_eq(rj_tail_term_id(tail), -7);
    cr_assert_eq(rj_tail_term_offset(tail, 65536), 65536);
    cr_assert_eq(rj_tail_term_offset(rj_tail_pack(-7, 65504), 65536), 65504);
    cr_assert_eq(rj_tail_term_offset(rj_tail_pack(0, UINT32_MAX), 65536), 65536);
}

Test(position, keeps_partitions_in_range_for_any_count)
{
    cr_assert_eq(rj_term_count_partition(0), 0);
    cr_assert_eq(rj_term_count_partition(INT32_MAX), 1);
    for (int32_t count = -5; count < 5; count++)
        cr_assert(rj_term_count_partition(count) >= 0 && rj_term_count_partition(count) < 3);
}

Test(position, ends_with_the_last_term)
{
    cr_assert_eq(rj_position_limit(65536), INT64_C(140737488355328));
}
