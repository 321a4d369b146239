/* SPDX-License-Identifier: Apache-2.0 */
#include "name/gossip_frame.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/fixtures/wire_vectors.h"

static const uint8_t ipv4[4] = {192, 168, 1, 10};
static const uint8_t ipv6[16] = {0xfd, [15] = 9};

static rj_gossip_entry_t entry_of(const char *name)
{
    return (rj_gossip_entry_t){.address = rj_address_ipv4(ipv4, 8050),
                               .name_length = (uint16_t)strlen(name),
                               .name = name};
}

/* What reading `length` bytes ends with, and how many entries came before. */
static rj_gossip_read_t end_of(const uint8_t *bytes, size_t length, int *ret_count)
{
    rj_gossip_reader_t reader;
    rj_gossip_entry_t entry;
    rj_gossip_read_t result = RJ_GOSSIP_INVALID;
    *ret_count = 0;
    if (rj_gossip_reader_init(&reader, bytes, length)) {
        while ((result = rj_gossip_read(&reader, &entry)) == RJ_GOSSIP_ENTRY)
            (*ret_count)++;
    }
    return result;
}

Test(gossip_frame, reads_and_writes_v19_of_the_specification)
{
    const wire_vector_t *vector = &wire_vectors[V19];
    rj_gossip_reader_t reader;
    rj_gossip_entry_t entry;
    cr_assert(rj_gossip_reader_init(&reader, vector->bytes, (size_t)vector->length_bytes));
    cr_assert_eq(rj_gossip_read(&reader, &entry), RJ_GOSSIP_ENTRY);
    const rj_address_t expected = rj_address_ipv4(ipv4, 8050);
    cr_expect(rj_address_equal(&entry.address, &expected));
    cr_expect(entry.is_self);
    cr_expect_eq(entry.age_ms, 0);
    cr_expect_eq(entry.name_length, 2);
    cr_expect_arr_eq(entry.name, "A1", 2);
    cr_expect_eq(rj_gossip_read(&reader, &entry), RJ_GOSSIP_END);

    uint8_t frame[64];
    entry = entry_of("A1");
    entry.is_self = true;
    const size_t length =
        rj_gossip_write_entry(frame, rj_gossip_write_header(frame), sizeof(frame), &entry);
    cr_assert_eq(length, (size_t)vector->length_bytes);
    cr_expect_arr_eq(frame, vector->bytes, length);
}

Test(gossip_frame, carries_several_entries_of_both_families)
{
    uint8_t frame[256];
    rj_gossip_entry_t entry = entry_of("first");
    size_t length =
        rj_gossip_write_entry(frame, rj_gossip_write_header(frame), sizeof(frame), &entry);
    entry = entry_of("the second");
    entry.address = rj_address_ipv6(ipv6, 1, 0);
    entry.age_ms = 1234;
    length = rj_gossip_write_entry(frame, length, sizeof(frame), &entry);
    cr_assert_eq(length, 8 + 24 + 40);

    rj_gossip_reader_t reader;
    rj_gossip_entry_t read;
    cr_assert(rj_gossip_reader_init(&reader, frame, length));
    cr_assert_eq(rj_gossip_read(&reader, &read), RJ_GOSSIP_ENTRY);
    cr_expect_arr_eq(read.name, "first", 5);
    cr_expect_not(read.is_self);
    cr_assert_eq(rj_gossip_read(&reader, &read), RJ_GOSSIP_ENTRY);
    cr_expect(rj_address_equal(&read.address, &entry.address));
    cr_expect_eq(read.age_ms, 1234);
    cr_expect_eq(read.name_length, 10);
    cr_expect_arr_eq(read.name, "the second", 10);
    cr_expect_eq(rj_gossip_read(&reader, &read), RJ_GOSSIP_END);
}

Test(gossip_frame, writes_no_entry_that_does_not_fit)
{
    uint8_t frame[64];
    const rj_gossip_entry_t entry = entry_of("A1");
    const size_t empty = rj_gossip_write_header(frame);
    memset(frame + empty, 0x5a, sizeof(frame) - empty);
    cr_expect_eq(rj_gossip_write_entry(frame, empty, 23, &entry), 0);
    cr_expect_eq(frame[empty], 0x5a);
    cr_expect_eq(rj_gossip_write_entry(frame, empty, 24, &entry), 24);
    cr_expect_eq(rj_gossip_write_entry(frame, 24, 24, &entry), 0);
}

Test(gossip_frame, refuses_what_is_cut_short_wherever_that_is)
{
    uint8_t frame[256];
    rj_gossip_entry_t entry = entry_of("a name of some length");
    size_t length =
        rj_gossip_write_entry(frame, rj_gossip_write_header(frame), sizeof(frame), &entry);
    const size_t needed = 8 + 14 + entry.name_length;
    int count;
    for (size_t i = 0; i < needed; i++) {
        const rj_gossip_read_t end = end_of(frame, i, &count);
        cr_expect_eq(end, i == 8 ? RJ_GOSSIP_END : RJ_GOSSIP_INVALID, "%zu bytes", i);
        cr_expect_eq(count, 0);
    }
    cr_expect_eq(end_of(frame, needed, &count), RJ_GOSSIP_END, "padding holds nothing");
    cr_expect_eq(count, 1);
    cr_expect_eq(end_of(frame, length, &count), RJ_GOSSIP_END);
}

Test(gossip_frame, refuses_other_frames_versions_types_and_lengths_of_names)
{
    uint8_t frame[1024] = {0};
    rj_gossip_entry_t entry = entry_of("A1");
    const size_t length =
        rj_gossip_write_entry(frame, rj_gossip_write_header(frame), sizeof(frame), &entry);
    static const struct {
        int at;
        uint8_t value;
        rj_gossip_read_t end;
    } rows[] = {{4, 1, RJ_GOSSIP_INVALID}, /* version */
                {6, RJ_FRAME_TYPE_SM, RJ_GOSSIP_INVALID},
                {8, 0, RJ_GOSSIP_UNKNOWN_TYPE}, /* type of address */
                {8, 3, RJ_GOSSIP_UNKNOWN_TYPE},
                {20, 0, RJ_GOSSIP_INVALID},     /* length of name: none, ... */
                {20, 3, RJ_GOSSIP_INVALID},     /* more than there is, ... */
                {21, 0x80, RJ_GOSSIP_INVALID}}; /* negative */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t spoilt[64];
        int count;
        memcpy(spoilt, frame, length);
        spoilt[rows[i].at] = rows[i].value;
        cr_expect_eq(end_of(spoilt, 24 - 2 * (rows[i].at == 20), &count), rows[i].end, "row %zu",
                     i);
        cr_expect_eq(count, 0, "row %zu", i);
    }
    const int16_t too_long = RJ_GOSSIP_NAME_MAX + 1;
    int count;
    memcpy(frame + 20, &too_long, sizeof(too_long));
    cr_expect_eq(end_of(frame, sizeof(frame), &count), RJ_GOSSIP_INVALID);
}
