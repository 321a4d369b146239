/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/datagram.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/checksum.h"
#include "base/prng.h"
#include "transport/path_header.h"

enum { INTERFACE = 9, PAYLOAD = 33, ETHERNET = 14, TAG = 4 };

typedef struct frame {
    uint32_t length;
    uint8_t bytes[512];
} frame_t;

static const uint8_t host4[2][4] = {{10, 0, 0, 1}, {10, 0, 0, 2}};
static const uint8_t host6[2][16] = {{0xfe, 0x80, [15] = 1}, {0xfd, [15] = 2}};

static rj_address_t address(int family, int host, uint16_t port)
{
    return family == AF_INET ? rj_address_ipv4(host4[host], port)
                             : rj_address_ipv6(host6[host], port, 0);
}

static void make(frame_t *frame, int family)
{
    const rj_path_header_hop_t hop = {.mtu_bytes = 1500, .ttl = 3};
    const rj_address_t source = address(family, 0, 1000);
    const rj_address_t destination = address(family, 1, 2000);
    rj_path_header_t header;
    uint8_t payload[PAYLOAD];
    memset(payload, 0x5a, sizeof(payload));
    rj_path_header_init(&header, &hop, &source, &destination);
    memset(frame, 0, sizeof(*frame));
    rj_path_header_put(&header, frame->bytes);
    const uint64_t sum = rj_checksum_copy(frame->bytes + header.length_bytes, payload, PAYLOAD, 0);
    rj_path_header_finish(&header, frame->bytes, PAYLOAD, sum, 77);
    frame->length = header.length_bytes + PAYLOAD;
}

static rj_datagram_t datagram;

static rj_datagram_verdict_t parse(frame_t *frame)
{
    datagram = (rj_datagram_t){0};
    return rj_datagram_parse(frame->bytes, frame->length, INTERFACE, RJ_DATAGRAM_SUM_OPEN,
                             &datagram);
}

static uint8_t *udp_of(frame_t *frame)
{
    return frame->bytes + frame->length - PAYLOAD - 8;
}

/* Opens a gap for more header bytes. */
static void insert(frame_t *frame, uint32_t at, uint32_t count)
{
    memmove(frame->bytes + at + count, frame->bytes + at, frame->length - at);
    memset(frame->bytes + at, 0, count);
    frame->length += count;
}

/* Writes the header's sum anew. */
static void sum_ipv4(frame_t *frame)
{
    uint8_t *ip = frame->bytes + ETHERNET;
    memset(ip + 10, 0, 2);
    const uint16_t sum = (uint16_t)~rj_checksum_fold(rj_checksum_add(ip, (ip[0] & 0xfU) * 4, 0));
    memcpy(ip + 10, &sum, sizeof(sum));
}

Test(datagram, finds_payload_and_addresses)
{
    frame_t frame;
    make(&frame, AF_INET);
    cr_assert_eq(parse(&frame), RJ_DATAGRAM_GOOD);
    cr_assert_eq(datagram.payload, frame.bytes + RJ_PATH_HEADER_IPV4_BYTES);
    cr_assert_eq(datagram.payload_bytes, PAYLOAD);
    const rj_address_t source4 = address(AF_INET, 0, 1000);
    const rj_address_t destination4 = address(AF_INET, 1, 2000);
    cr_assert(rj_address_equal(&datagram.source, &source4));
    cr_assert(rj_address_equal(&datagram.destination, &destination4));
    make(&frame, AF_INET6);
    cr_assert_eq(parse(&frame), RJ_DATAGRAM_GOOD);
    rj_address_t source6 = address(AF_INET6, 0, 1000);
    const rj_address_t destination6 = address(AF_INET6, 1, 2000);
    source6.scope_id = INTERFACE; /* link-local */
    cr_assert(rj_address_equal(&datagram.source, &source6));
    cr_assert(rj_address_equal(&datagram.destination, &destination6));
}

Test(datagram, steps_over_options_a_tag_and_padding)
{
    frame_t frame;
    make(&frame, AF_INET);
    insert(&frame, ETHERNET + 20, 12);
    frame.bytes[ETHERNET] = 0x48;
    frame.bytes[ETHERNET + 3] = (uint8_t)(frame.bytes[ETHERNET + 3] + 12);
    cr_assert_eq(parse(&frame), RJ_DATAGRAM_MALFORMED, "the header's own sum is wrong");
    sum_ipv4(&frame);
    cr_assert_eq(parse(&frame), RJ_DATAGRAM_GOOD);
    insert(&frame, ETHERNET - 2, TAG);
    memcpy(frame.bytes + ETHERNET - 2, "\x81\x00\x00\x05", TAG);
    cr_assert_eq(parse(&frame), RJ_DATAGRAM_GOOD);
    frame.length += 10;
    cr_assert_eq(parse(&frame), RJ_DATAGRAM_GOOD);
    cr_assert_eq(datagram.payload_bytes, PAYLOAD);
    insert(&frame, ETHERNET - 2, TAG);
    memcpy(frame.bytes + ETHERNET - 2, "\x88\xa8\x00\x05", TAG);
    cr_assert_eq(parse(&frame), RJ_DATAGRAM_MALFORMED, "two tags are not ours");
}

Test(datagram, notices_every_flipped_bit_of_what_the_checksum_covers)
{
    static const int families[] = {AF_INET, AF_INET6};
    for (int f = 0; f < 2; f++) {
        frame_t frame;
        make(&frame, families[f]);
        const uint32_t addresses = families[f] == AF_INET ? ETHERNET + 12 : ETHERNET + 8;
        for (uint32_t at = addresses; at < frame.length; at++) {
            for (int bit = 0; bit < 8; bit++) {
                frame.bytes[at] ^= (uint8_t)(1 << bit);
                cr_assert_neq(parse(&frame), RJ_DATAGRAM_GOOD, "byte %u", at);
                frame.bytes[at] ^= (uint8_t)(1 << bit);
            }
        }
        cr_assert_eq(parse(&frame), RJ_DATAGRAM_GOOD);
    }
}

/* Without a checksum the source alone decides. */
Test(datagram, refuses_sources_that_nobody_can_have)
{
    static const char *const martians4[] = {"\x7f\x00\x00\x01", "\xef\x01\x01\x01",
                                            "\xff\xff\xff\xff", "\x00\x00\x00\x00"};
    frame_t frame;
    for (size_t i = 0; i < sizeof(martians4) / sizeof(martians4[0]); i++) {
        make(&frame, AF_INET);
        memset(udp_of(&frame) + 6, 0, 2);
        memcpy(frame.bytes + ETHERNET + 12, martians4[i], 4);
        cr_expect_eq(parse(&frame), RJ_DATAGRAM_MALFORMED, "row %zu", i);
    }
    static const uint8_t martians6[][16] = {
        {[15] = 1}, {0xff, 2, [15] = 1}, {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}, {0}};
    for (size_t i = 0; i < sizeof(martians6) / sizeof(martians6[0]); i++) {
        make(&frame, AF_INET6);
        memcpy(frame.bytes + ETHERNET + 8, martians6[i], 16);
        cr_expect_eq(parse(&frame), RJ_DATAGRAM_MALFORMED, "row %zu", i);
    }
}

Test(datagram, accepts_no_checksum_over_ipv4_alone)
{
    frame_t frame;
    make(&frame, AF_INET);
    memset(udp_of(&frame) + 6, 0, 2);
    cr_assert_eq(parse(&frame), RJ_DATAGRAM_GOOD);
    make(&frame, AF_INET6);
    memset(udp_of(&frame) + 6, 0, 2);
    cr_assert_eq(parse(&frame), RJ_DATAGRAM_CHECKSUM);
}

Test(datagram, accepts_the_sum_of_the_pseudo_header)
{
    static const int families[] = {AF_INET, AF_INET6};
    for (int f = 0; f < 2; f++) {
        frame_t frame;
        make(&frame, families[f]);
        uint8_t *udp = udp_of(&frame);
        const uint32_t addresses = families[f] == AF_INET ? 8 : 32;
        uint64_t sum = rj_checksum_add(udp - addresses, addresses, 0);
        sum = rj_checksum_add("\0\x11", 2, rj_checksum_add(udp + 4, 2, sum));
        const uint16_t folded = rj_checksum_fold(sum);
        memcpy(udp + 6, &folded, 2);
        cr_assert_eq(parse(&frame), RJ_DATAGRAM_GOOD);
        udp[6] ^= 1;
        cr_assert_eq(parse(&frame), RJ_DATAGRAM_CHECKSUM);
    }
}

typedef struct change {
    const char *what;
    int family;
    uint32_t at;
    uint8_t value;
} change_t;

Test(datagram, refuses_lengths_that_contradict_each_other_and_what_is_no_datagram)
{
    static const change_t rows[] = {
        {"not IP", AF_INET, 12, 0x86},
        {"version 6 in an IPv4 frame", AF_INET, ETHERNET, 0x65},
        {"a header of four words", AF_INET, ETHERNET, 0x44},
        {"a header beyond the frame", AF_INET, ETHERNET, 0x4f},
        {"longer than the frame", AF_INET, ETHERNET + 2, 1},
        {"shorter than its header", AF_INET, ETHERNET + 3, 19},
        {"no room for UDP", AF_INET, ETHERNET + 3, 27},
        {"more fragments", AF_INET, ETHERNET + 6, 0x20},
        {"a later fragment", AF_INET, ETHERNET + 7, 1},
        {"TCP", AF_INET, ETHERNET + 9, 6},
        {"UDP longer than IP", AF_INET, ETHERNET + 24, 1},
        {"UDP shorter than its header", AF_INET, ETHERNET + 25, 7},
        {"version 4 in an IPv6 frame", AF_INET6, ETHERNET, 0x40},
        {"IPv6 longer than the frame", AF_INET6, ETHERNET + 4, 1},
        {"no room for UDP in IPv6", AF_INET6, ETHERNET + 5, 7},
        {"an extension header", AF_INET6, ETHERNET + 6, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        frame_t frame;
        make(&frame, rows[i].family);
        frame.bytes[rows[i].at] = rows[i].value;
        cr_assert_eq(parse(&frame), RJ_DATAGRAM_MALFORMED, "%s", rows[i].what);
    }
}

Test(datagram, refuses_every_frame_that_was_cut)
{
    static const int families[] = {AF_INET, AF_INET6};
    for (int f = 0; f < 2; f++) {
        frame_t frame;
        make(&frame, families[f]);
        for (uint32_t length = frame.length; length-- > 0;) {
            frame.length = length;
            cr_assert_eq(parse(&frame), RJ_DATAGRAM_MALFORMED, "%u bytes", length);
        }
    }
}

Test(datagram, stays_within_the_frame_whatever_is_in_it)
{
    rj_prng_t prng;
    rj_prng_init(&prng, 6);
    for (int i = 0; i < 20000; i++) {
        frame_t frame;
        make(&frame, i % 2 == 0 ? AF_INET : AF_INET6);
        frame.length = (uint32_t)rj_prng_below(&prng, frame.length + 1);
        for (int changes = 0; changes < 3; changes++)
            frame.bytes[rj_prng_below(&prng, 70)] = (uint8_t)rj_prng_next(&prng);
        if (parse(&frame) != RJ_DATAGRAM_GOOD)
            continue;
        cr_assert_geq(datagram.payload, frame.bytes + RJ_PATH_HEADER_IPV4_BYTES);
        cr_assert_leq(datagram.payload + datagram.payload_bytes, frame.bytes + frame.length);
    }
}

Test(datagram, takes_a_cards_word_for_the_sum_and_for_nothing_else)
{
    frame_t frame;
    make(&frame, AF_INET);
    frame.bytes[frame.length - 1] ^= 1;
    cr_assert_eq(parse(&frame), RJ_DATAGRAM_CHECKSUM);
    cr_assert_eq(
        rj_datagram_parse(frame.bytes, frame.length, INTERFACE, RJ_DATAGRAM_SUM_RIGHT, &datagram),
        RJ_DATAGRAM_GOOD);
    frame.bytes[ETHERNET + 12] ^= 1; /* the header's own sum is looked at */
    cr_assert_eq(
        rj_datagram_parse(frame.bytes, frame.length, INTERFACE, RJ_DATAGRAM_SUM_RIGHT, &datagram),
        RJ_DATAGRAM_MALFORMED);
}
