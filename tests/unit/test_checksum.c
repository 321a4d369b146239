/* SPDX-License-Identifier: Apache-2.0 */
#include "base/checksum.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/prng.h"

enum { BYTES_MAX = 9000, MARGIN = 64 };

static uint8_t source[BYTES_MAX + MARGIN];
static uint8_t destination[BYTES_MAX + 2 * MARGIN];

/* RFC 1071 word for word: big-endian 16-bit words, carries added back. */
static uint16_t slow_sum(const uint8_t *bytes, size_t length)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i++) {
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

/* As it stands in memory. */
static uint16_t big_endian(uint16_t folded)
{
    uint8_t bytes[2];
    memcpy(bytes, &folded, sizeof(bytes));
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void fill(rj_prng_t *prng, uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)rj_prng_next(prng);
}

Test(checksum, equals_the_rfc_for_every_length_and_alignment)
{
    rj_prng_t prng;
    rj_prng_init(&prng, 1);
    fill(&prng, source, sizeof(source));
    for (size_t length = 0; length < 300; length++) {
        for (size_t at = 0; at < 9; at++)
            cr_assert_eq(big_endian(rj_checksum_fold(rj_checksum_add(source + at, length, 0))),
                         slow_sum(source + at, length), "%zu bytes at %zu", length, at);
    }
    for (int i = 0; i < 300; i++) {
        const size_t length = rj_prng_below(&prng, BYTES_MAX + 1);
        const size_t at = rj_prng_below(&prng, MARGIN);
        cr_assert_eq(big_endian(rj_checksum_fold(rj_checksum_add(source + at, length, 0))),
                     slow_sum(source + at, length), "%zu bytes at %zu", length, at);
    }
}

Test(checksum, copies_exactly_and_sums_on_the_way)
{
    rj_prng_t prng;
    rj_prng_init(&prng, 2);
    fill(&prng, source, sizeof(source));
    for (int i = 0; i < 1000; i++) {
        const size_t length = rj_prng_below(&prng, i < 500 ? 200 : BYTES_MAX + 1);
        const size_t from = rj_prng_below(&prng, MARGIN);
        const size_t to = MARGIN + rj_prng_below(&prng, MARGIN);
        memset(destination, 0xa5, sizeof(destination));
        const uint64_t sum = rj_checksum_copy(destination + to, source + from, length, 0);
        cr_assert_eq(big_endian(rj_checksum_fold(sum)), slow_sum(source + from, length));
        cr_assert_arr_eq(destination + to, source + from, length);
        cr_assert_eq(destination[to - 1], 0xa5, "nothing before");
        cr_assert_eq(destination[to + length], 0xa5, "nothing behind");
    }
}

Test(checksum, loses_no_carry)
{
    memset(source, 0xff, sizeof(source));
    cr_assert_eq(rj_checksum_fold(rj_checksum_add(source, BYTES_MAX, 0)), 0xffff);
    cr_assert_eq(rj_checksum_fold(rj_checksum_add(source, 2, UINT64_C(0xffffffff))), 0xffff);
    memset(source, 0, sizeof(source));
    cr_assert_eq(rj_checksum_fold(rj_checksum_add(source, BYTES_MAX, 0)), 0);
}

Test(checksum, goes_on_from_a_part_of_even_length)
{
    rj_prng_t prng;
    rj_prng_init(&prng, 3);
    fill(&prng, source, sizeof(source));
    for (size_t part = 0; part <= 1001; part += 2) {
        const uint64_t first = rj_checksum_copy(destination, source, part, 0);
        const uint64_t sum =
            rj_checksum_copy(destination + part, source + part, 1001 - part, first);
        cr_assert_eq(big_endian(rj_checksum_fold(sum)), slow_sum(source, 1001));
    }
}
