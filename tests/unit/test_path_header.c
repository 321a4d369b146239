/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/path_header.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/checksum.h"
#include "base/prng.h"
#include "tests/fixtures/hex.h"
#include "transport/datagram.h"

static const rj_path_header_hop_t hop = {
    .interface_index = 7,
    .mtu_bytes = 1500,
    .source_mac = {2, 0, 0, 0, 0, 1},
    .destination_mac = {2, 0, 0, 0, 0, 2},
    .ttl = 64,
    .traffic_class = 0xb8,
};

static const uint8_t source4[4] = {10, 1, 2, 3};
static const uint8_t destination4[4] = {10, 1, 2, 254};

static rj_path_header_t header_ipv4(void)
{
    const rj_address_t source = rj_address_ipv4(source4, 40123);
    const rj_address_t destination = rj_address_ipv4(destination4, 40456);
    rj_path_header_t header;
    rj_path_header_init(&header, &hop, &source, &destination);
    return header;
}

static rj_path_header_t header_ipv6(void)
{
    static const uint8_t from[16] = {0xfd, [13] = 1, [15] = 2};
    static const uint8_t to[16] = {0xff, 0x15, [14] = 0xab, [15] = 0xcd};
    const rj_address_t source = rj_address_ipv6(from, 40123, 0);
    const rj_address_t destination = rj_address_ipv6(to, 40456, 0);
    rj_path_header_hop_t group_hop = hop;
    memcpy(group_hop.destination_mac, "\x33\x33\0\0\xab\xcd", 6);
    group_hop.ttl = 5;
    rj_path_header_t header;
    rj_path_header_init(&header, &group_hop, &source, &destination);
    return header;
}

static uint32_t write_frame(const rj_path_header_t *header, const void *payload, uint32_t length,
                            uint16_t identification, uint8_t *frame)
{
    rj_path_header_put(header, frame);
    const uint64_t sum = rj_checksum_copy(frame + header->length_bytes, payload, length, 0);
    rj_path_header_finish(header, frame, length, sum, identification);
    return header->length_bytes + length;
}

/* The three dumps were computed by another program, in another language. */
Test(path_header, writes_ipv4_byte_for_byte)
{
    const rj_path_header_t header = header_ipv4();
    uint8_t frame[256];
    cr_assert_eq(header.interface_index, 7);
    cr_assert_eq(header.payload_bytes_max, 1472);
    cr_assert_eq(write_frame(&header, "ramjet!", 7, 0x1234, frame), 49);
    cr_assert_eq(rj_hex_compare(frame,
                                "02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 b8 00 23 12 34 "
                                "40 00 40 11 0e dc 0a 01 02 03 0a 01 02 fe 9c bb 9e 08 00 0f "
                                "45 c9 72 61 6d 6a 65 74 21"),
                 49);
}

Test(path_header, writes_ipv6_byte_for_byte)
{
    const rj_path_header_t header = header_ipv6();
    uint8_t frame[256];
    cr_assert_eq(header.payload_bytes_max, 1452);
    cr_assert_eq(write_frame(&header, "ramjet!", 7, 0x1234, frame), 69);
    cr_assert_eq(rj_hex_compare(frame,
                                "33 33 00 00 ab cd 02 00 00 00 00 01 86 dd 6b 80 00 00 00 0f "
                                "11 05 fd 00 00 00 00 00 00 00 00 00 00 00 00 01 00 02 ff 15 "
                                "00 00 00 00 00 00 00 00 00 00 00 00 ab cd 9c bb 9e 08 00 0f "
                                "b6 e4 72 61 6d 6a 65 74 21"),
                 69);
}

Test(path_header, writes_ffff_where_the_checksum_is_zero)
{
    const rj_path_header_t header = header_ipv4();
    uint8_t frame[256];
    write_frame(&header, "\xac\x13", 2, 1, frame);
    cr_assert_eq(rj_hex_compare(frame + 34, "9c bb 9e 08 00 0a ff ff ac 13"), 10);
    cr_assert_eq(rj_hex_compare(frame + 16, "00 1e 00 01 40 00 40 11 21 14"), 10);
}

Test(path_header, is_right_for_every_length_and_identification)
{
    static uint8_t payload[1472];
    static uint8_t frame[2048];
    const rj_path_header_t headers[2] = {header_ipv4(), header_ipv6()};
    rj_prng_t prng;
    rj_prng_init(&prng, 4);
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)rj_prng_next(&prng);
    for (int i = 0; i < 4000; i++) {
        const rj_path_header_t *header = &headers[i % 2];
        const uint32_t length = (uint32_t)rj_prng_below(&prng, header->payload_bytes_max + 1);
        const uint32_t at = (uint32_t)rj_prng_below(&prng, sizeof(payload) + 1 - length);
        const uint32_t bytes =
            write_frame(header, payload + at, length, (uint16_t)rj_prng_next(&prng), frame);
        if (i % 2 == 0)
            cr_assert_eq(rj_checksum_fold(rj_checksum_add(frame + 14, 20, 0)), 0xffff);
        rj_datagram_t datagram;
        cr_assert_eq(rj_datagram_parse(frame, bytes, 7, RJ_DATAGRAM_SUM_OPEN, &datagram),
                     RJ_DATAGRAM_GOOD);
        cr_assert_eq(datagram.payload_bytes, length);
        cr_assert_arr_eq(datagram.payload, payload + at, length);
    }
}

/* What a link does with such a frame: it adds up everything from the UDP header on. */
static void expect_finished_by_link(const rj_path_header_t *header)
{
    static uint8_t payload[1400];
    uint8_t partial[2048];
    uint8_t whole[2048];
    rj_prng_t prng;
    rj_prng_init(&prng, 5);
    for (uint32_t length = 0; length < sizeof(payload); length += 1 + length / 7) {
        for (uint32_t i = 0; i < length; i++)
            payload[i] = (uint8_t)rj_prng_next(&prng);
        const uint32_t bytes = write_frame(header, payload, length, (uint16_t)length, whole);
        uint8_t *udp = partial + header->length_bytes - RJ_PATH_HEADER_UDP_BYTES;
        rj_datagram_t datagram;
        rj_path_header_put(header, partial);
        rj_path_header_finish_partial(header, partial, length, (uint16_t)length);
        memcpy(partial + header->length_bytes, payload, length);
        cr_assert_eq(rj_datagram_parse(partial, bytes, 7, RJ_DATAGRAM_SUM_OPEN, &datagram),
                     RJ_DATAGRAM_GOOD, "as it may come over veth");
        const uint16_t sum =
            (uint16_t)~rj_checksum_fold(rj_checksum_add(udp, bytes - (size_t)(udp - partial), 0));
        memcpy(udp + 6, sum == 0 ? &(uint16_t){0xffff} : &sum, sizeof(sum));
        cr_assert_arr_eq(partial, whole, bytes, "%u bytes", length);
    }
}

Test(path_header, leaves_the_sum_of_the_datagram_to_the_link)
{
    const rj_path_header_t ipv4 = header_ipv4();
    const rj_path_header_t ipv6 = header_ipv6();
    expect_finished_by_link(&ipv4);
    expect_finished_by_link(&ipv6);
}

Test(path_header, refuses_every_payload_where_the_mtu_has_no_room)
{
    rj_path_header_hop_t narrow = hop;
    narrow.mtu_bytes = 20;
    const rj_address_t source = rj_address_ipv4(source4, 1);
    rj_path_header_t header;
    rj_path_header_init(&header, &narrow, &source, &source);
    cr_assert_eq(header.payload_bytes_max, 0);
    narrow.mtu_bytes = 1 << 20;
    rj_path_header_init(&header, &narrow, &source, &source);
    cr_assert_eq(header.payload_bytes_max, 65507, "what a length field can say");
}
