/* SPDX-License-Identifier: Apache-2.0 */
/* Sending straight from memory behind the UMEM's frames, with the test as the kernel: which parts
 * are named to it, and when their bytes are free again. */
#include "transport/xdp_ring.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checksum.h"
#include "transport/datagram.h"

enum {
    FRAME_BYTES = 4096,
    FRAMES = 24,
    RING_SIZE = 16,
    LOG_AT = FRAMES * FRAME_BYTES,
    REACH = LOG_AT + 32 * FRAME_BYTES,
    PAYLOAD = 1376,
};

typedef struct far_end {
    uint32_t producer;
    uint32_t consumer;
    uint32_t flags;
    union {
        struct xdp_desc descs[RING_SIZE];
        uint64_t addresses[RING_SIZE];
    };
} far_end_t;

static far_end_t rx, tx, fill, completion;
static uint8_t *memory;
static rj_umem_t umem;
static rj_xsk_t xsk;
static rj_xdp_ring_t ring;
static rj_path_header_t header;
static rj_path_t path;

static rj_xsk_ring_t near_end(far_end_t *far)
{
    return (rj_xsk_ring_t){.producer = &far->producer,
                           .consumer = &far->consumer,
                           .flags = &far->flags,
                           .entries = far->descs,
                           .size = RING_SIZE,
                           .mask = RING_SIZE - 1};
}

static void open_ring(void)
{
    const rj_af_xdp_ring_params_t params = {.interface_index = 5, .mtu_bytes = 1500};
    const rj_path_header_hop_t hop = {.interface_index = 5, .mtu_bytes = 9000, .ttl = 64};
    static const uint8_t from[4] = {10, 0, 0, 1}, to[4] = {10, 0, 0, 2};
    const rj_address_t source = rj_address_ipv4(from, 4000);
    const rj_address_t destination = rj_address_ipv4(to, 40123);
    rj_err_t err;
    memory = mmap(NULL, REACH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(memory, MAP_FAILED);
    for (uint32_t i = LOG_AT; i < REACH; i++)
        memory[i] = (uint8_t)(i * 7 + (i >> 9));
    cr_assert_eq(rj_umem_open_in(&umem, FRAME_BYTES, FRAMES, memory, REACH, &err), 0);
    xsk = (rj_xsk_t){.fd = -1,
                     .direct_fd = -1,
                     .uses_segments = true,
                     .rx = near_end(&rx),
                     .tx = near_end(&tx),
                     .fill = near_end(&fill),
                     .completion = near_end(&completion)};
    cr_assert_eq(rj_xdp_ring_open(&ring, &xsk, &umem, &params, FRAMES - RING_SIZE, &err), 0);
    rj_path_header_init(&header, &hop, &source, &destination);
    path.header = &header;
}

static void close_ring(void)
{
    rj_xdp_ring_close(&ring);
    rj_umem_close(&umem);
    munmap(memory, REACH);
}

TestSuite(xdp_reference, .init = open_ring, .fini = close_ring);

static bool put(uint64_t number, uint32_t log_offset, uint32_t length)
{
    const rj_run_t run = {.path = &path,
                          .start = memory + LOG_AT + log_offset,
                          .total_bytes = length,
                          .segment_bytes = length,
                          .number = number};
    return rj_xdp_ring_put_of(&ring, &run, 0, length, 1);
}

/* The kernel takes everything, and has sent what it took before. */
static void take_all(void)
{
    rj_xdp_ring_flush(&ring);
    tx.consumer = tx.producer;
}

static void complete(uint64_t address)
{
    completion.addresses[completion.producer++ % RING_SIZE] = address;
    rj_xdp_ring_flush(&ring);
}

Test(xdp_reference, names_the_headers_and_then_the_log_itself)
{
    cr_assert(put(7, 64, PAYLOAD));
    take_all();
    cr_assert_eq(tx.producer, 2);
    cr_assert_eq(tx.descs[0].options, XDP_PKT_CONTD);
    cr_assert_eq(tx.descs[0].len, header.length_bytes);
    cr_assert_eq(tx.descs[1].addr, LOG_AT + 64);
    cr_assert_eq(tx.descs[1].len, PAYLOAD);
    cr_assert_eq(tx.descs[1].options, 0);
    uint8_t frame[2048];
    memcpy(frame, memory + tx.descs[0].addr, tx.descs[0].len);
    memcpy(frame + tx.descs[0].len, memory + tx.descs[1].addr, PAYLOAD);
    rj_datagram_t datagram;
    cr_assert_eq(
        rj_datagram_parse(frame, header.length_bytes + PAYLOAD, 5, RJ_DATAGRAM_SUM_OPEN, &datagram),
        RJ_DATAGRAM_GOOD, "its sum is of all of it");
    cr_assert_eq(ring.base.stats.tx_referenced, 1);
}

Test(xdp_reference, cuts_at_the_borders_of_frames)
{
    cr_assert(put(1, FRAME_BYTES - 100, 8192));
    take_all();
    cr_assert_eq(tx.producer, 4);
    const uint32_t lengths[] = {100, FRAME_BYTES, 8192 - 100 - FRAME_BYTES};
    uint64_t at = LOG_AT + FRAME_BYTES - 100;
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(tx.descs[1 + i].addr, at);
        cr_assert_eq(tx.descs[1 + i].len, lengths[i]);
        cr_assert_eq(tx.descs[1 + i].options, i < 2 ? XDP_PKT_CONTD : 0);
        at += lengths[i];
    }
}

Test(xdp_reference, keeps_a_run_until_its_last_part_has_come_back)
{
    cr_assert_eq(rj_xdp_ring_reclaim(&ring), UINT64_MAX, "nothing is referenced");
    cr_assert(put(5, FRAME_BYTES - 100, 1000));
    cr_assert(put(6, 2 * FRAME_BYTES, 1000));
    take_all();
    cr_assert_eq(rj_xdp_ring_reclaim(&ring), 5);
    complete(tx.descs[0].addr);
    complete(tx.descs[1].addr);
    cr_assert_eq(rj_xdp_ring_reclaim(&ring), 5, "its second part is under way");
    complete(tx.descs[2].addr);
    cr_assert_eq(rj_xdp_ring_reclaim(&ring), 6);
    complete(tx.descs[3].addr);
    complete(tx.descs[4].addr);
    cr_assert_eq(rj_xdp_ring_reclaim(&ring), UINT64_MAX);
    cr_assert_eq(umem.counts[RJ_FRAME_TX], 0);
}

Test(xdp_reference, takes_them_back_in_any_order)
{
    for (uint32_t i = 0; i < 3; i++)
        cr_assert(put(10 + i, i * FRAME_BYTES, 1000));
    take_all();
    complete(tx.descs[5].addr);
    complete(tx.descs[4].addr);
    complete(tx.descs[3].addr);
    cr_assert_eq(rj_xdp_ring_reclaim(&ring), 10, "the oldest is under way");
    complete(tx.descs[1].addr);
    cr_assert_eq(rj_xdp_ring_reclaim(&ring), UINT64_MAX);
    complete(tx.descs[0].addr);
    complete(tx.descs[2].addr);
    cr_assert_eq(ring.tx_frames, 0);
}

Test(xdp_reference, tells_a_resend_of_the_same_bytes_from_the_first)
{
    cr_assert(put(1, 0, 1000));
    cr_assert(put(2, 0, 1000));
    take_all();
    complete(LOG_AT);
    cr_assert_eq(rj_xdp_ring_reclaim(&ring), 2);
    complete(LOG_AT);
    cr_assert_eq(rj_xdp_ring_reclaim(&ring), UINT64_MAX);
}

Test(xdp_reference, copies_what_is_short_or_lies_elsewhere_or_ends_beyond)
{
    static uint8_t elsewhere[PAYLOAD];
    const rj_run_t run = {.path = &path,
                          .start = elsewhere,
                          .total_bytes = PAYLOAD,
                          .segment_bytes = PAYLOAD,
                          .number = 3};
    cr_assert(put(1, 0, RJ_XDP_RING_REFERENCED_BYTES_MIN - 1));
    cr_assert(put(2, REACH - LOG_AT - PAYLOAD, PAYLOAD));
    cr_assert(rj_xdp_ring_put_of(&ring, &run, 0, PAYLOAD, 1));
    take_all();
    cr_assert_eq(tx.producer, 4, "one, two, one");
    cr_assert_not(rj_umem_reaches(&umem, memory + REACH - 100, 101));
    cr_assert_not(rj_umem_reaches(&umem, memory, 100), "frames are no log");
    cr_assert_not(rj_umem_reaches(&umem, memory - 1, 100));
    cr_assert_eq(rj_xdp_ring_reclaim(&ring), 2);
}

/* A card may take fewer parts than the kernel, and does not say how many here. */
Test(xdp_reference, copies_packets_of_many_parts_in_zero_copy_mode)
{
    xsk.is_zero_copy = true;
    cr_assert(put(1, 100, 3 * FRAME_BYTES - 200));
    cr_assert_eq(ring.base.stats.tx_referenced, 1);
    cr_assert(put(2, 100, 3 * FRAME_BYTES));
    cr_assert_eq(ring.base.stats.tx_referenced, 1);
}

Test(xdp_reference, has_no_room_while_the_ring_is_full)
{
    uint64_t number = 0;
    while (put(number, 0, 1000))
        number++;
    cr_assert_eq(number, RING_SIZE / 2);
    take_all();
    cr_assert_not(put(number, 0, 1000), "no frame is free either");
    complete(tx.descs[0].addr);
    cr_assert(put(number, 0, 1000));
}
