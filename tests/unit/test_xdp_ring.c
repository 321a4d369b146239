/* SPDX-License-Identifier: Apache-2.0 */
/* A ring whose kernel is the test: it moves the far ends of the four rings by hand, and so brings
 * about what a real one does rarely. */
#include "transport/xdp_ring.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/datagram.h"

enum { FRAME_BYTES = 2048, RX_FRAMES = 64, TX_FRAMES = 8, MANY = 1024, LATE = 30 };

/* The memory that the kernel would share. */
typedef struct far_end {
    uint32_t producer;
    uint32_t consumer;
    uint32_t flags;
    union {
        struct xdp_desc descs[MANY];
        uint64_t addresses[MANY];
    };
} far_end_t;

static uint32_t size; /* of each ring */
static far_end_t rx, tx, fill, completion;
static rj_umem_t umem;
static rj_xsk_t xsk;
static rj_xdp_ring_t ring;
static uint8_t scratch[RJ_UMEM_HEADROOM_BYTES + RJ_UMEM_SEGMENTS_MAX * FRAME_BYTES];
static rj_ring_frame_t frame;

static rj_xsk_ring_t near_end(far_end_t *far)
{
    return (rj_xsk_ring_t){.producer = &far->producer,
                           .consumer = &far->consumer,
                           .flags = &far->flags,
                           .entries = far->descs,
                           .size = size,
                           .mask = size - 1};
}

static uint32_t mtu_bytes;

static void open_of_size(uint32_t rx_frames, bool never_sleeps)
{
    const rj_af_xdp_ring_params_t params = {
        .interface_index = 5, .mtu_bytes = mtu_bytes, .never_sleeps = never_sleeps};
    rj_err_t err;
    size = rx_frames;
    cr_assert_eq(rj_umem_open(&umem, FRAME_BYTES, rx_frames + TX_FRAMES, &err), 0);
    xsk = (rj_xsk_t){.fd = -1,
                     .direct_fd = -1,
                     .uses_segments = true,
                     .rx = near_end(&rx),
                     .tx = near_end(&tx),
                     .fill = near_end(&fill),
                     .completion = near_end(&completion)};
    cr_assert_eq(rj_xdp_ring_open(&ring, &xsk, &umem, &params, TX_FRAMES, &err), 0);
}

static void open_ring(void)
{
    open_of_size(RX_FRAMES, false);
    cr_assert_eq(fill.producer, RX_FRAMES);
}

static void close_ring(void)
{
    rj_xdp_ring_close(&ring);
    rj_umem_close(&umem);
}

TestSuite(xdp_ring, .init = open_ring, .fini = close_ring);

/* The kernel receives a part of a packet into the next frame of the fill ring. */
static void receive(uint32_t length, uint8_t byte, bool is_last)
{
    cr_assert_neq(fill.consumer, fill.producer, "a frame to receive into");
    const uint64_t address = fill.addresses[fill.consumer++ % size] + RJ_UMEM_XDP_HEADROOM_BYTES +
                             RJ_UMEM_HEADROOM_BYTES;
    memset(umem.bytes + address, byte, length);
    rx.descs[rx.producer % size] =
        (struct xdp_desc){.addr = address, .len = length, .options = is_last ? 0 : XDP_PKT_CONTD};
    rx.producer++;
}

/* One whole poll that finds `count` packets. */
static void expect_packets(int count)
{
    rj_xdp_ring_recycle(&ring);
    while (count-- > 0)
        cr_assert(rj_xdp_ring_next(&ring, scratch, &frame));
    rj_ring_frame_t none;
    cr_assert_not(rj_xdp_ring_next(&ring, scratch, &none));
    rj_xdp_ring_release(&ring);
}

Test(xdp_ring, holds_a_frame_until_the_kernel_says_that_it_left_the_fill_ring)
{
    receive(100, 'a', true);
    const uint32_t consumer = fill.consumer;
    fill.consumer = 0;
    expect_packets(1);
    expect_packets(0);
    cr_assert_eq(ring.held_count, 1);
    cr_assert_eq(fill.producer, RX_FRAMES);
    fill.consumer = consumer;
    expect_packets(0);
    cr_assert_eq(ring.held_count, 0);
    cr_assert_eq(fill.producer, RX_FRAMES + 1);
    cr_assert_eq(umem.counts[RJ_FRAME_FILL], RX_FRAMES);
}

Test(xdp_ring, gives_every_frame_back_at_the_next_poll)
{
    for (uint32_t round = 0; round < 5 * RX_FRAMES; round++) {
        for (int i = 0; i < 3; i++)
            receive(60, (uint8_t)round, true);
        expect_packets(3);
        cr_assert_eq(frame.length_bytes, 60);
        cr_assert_eq(frame.bytes[59], (uint8_t)round);
        cr_assert_eq(umem.counts[RJ_FRAME_RX], 3, "until the next poll");
        cr_assert_eq(rx.consumer, rx.producer);
    }
    expect_packets(0);
    cr_assert_eq(umem.counts[RJ_FRAME_FILL], RX_FRAMES);
    cr_assert_eq(fill.producer - fill.consumer, RX_FRAMES);
    cr_assert_eq(ring.base.stats.rx_frames, 15 * RX_FRAMES);
}

Test(xdp_ring, begins_with_all_its_frames_where_the_engine_sleeps)
{
    close_ring();
    fill = (far_end_t){0};
    open_of_size(MANY, false);
    cr_assert_eq(fill.producer, MANY);
    for (int i = 0; i < RJ_XDP_RING_CALM; i++) {
        receive(60, 1, true);
        expect_packets(1);
    }
    for (int i = 0; i <= MANY; i++) {
        receive(60, 1, true);
        expect_packets(1);
    }
    expect_packets(0);
    cr_assert_eq(fill.producer - fill.consumer, RJ_XDP_RING_FEW, "once it was calm");
}

Test(xdp_ring, offers_few_frames_until_a_burst_and_then_all_until_calm)
{
    close_ring();
    fill = (far_end_t){0};
    open_of_size(MANY, true);
    cr_assert_eq(fill.producer, RJ_XDP_RING_FEW);
    for (int i = 0; i < RJ_XDP_RING_FEW / 4; i++)
        receive(60, 1, true);
    expect_packets(RJ_XDP_RING_FEW / 4);
    expect_packets(0);
    cr_assert_eq(fill.producer - fill.consumer, RJ_XDP_RING_FEW, "no burst");
    for (int i = 0; i <= RJ_XDP_RING_FEW / 4; i++)
        receive(60, 1, true);
    expect_packets(RJ_XDP_RING_FEW / 4 + 1);
    expect_packets(0);
    cr_assert_eq(fill.producer - fill.consumer, MANY);
    for (int i = 0; i < RJ_XDP_RING_CALM; i++) {
        receive(60, 1, true);
        expect_packets(1);
    }
    for (int i = 0; i <= MANY; i++) {
        receive(60, 1, true);
        expect_packets(1);
    }
    expect_packets(0);
    cr_assert_eq(fill.producer - fill.consumer, RJ_XDP_RING_FEW);
    cr_assert_eq(umem.counts[RJ_FRAME_RX], MANY - RJ_XDP_RING_FEW, "the reserve");
}

Test(xdp_ring, waits_for_the_end_of_a_packet)
{
    receive(100, 1, true);
    receive(1770, 2, false);
    expect_packets(1);
    receive(1770, 3, false);
    expect_packets(0);
    receive(7, 4, true);
    receive(50, 5, true);
    expect_packets(2);
    cr_assert_eq(ring.base.stats.rx_frames, 3);
    cr_assert_eq(ring.base.stats.rx_linearised, 1);
    rj_xdp_ring_recycle(&ring);
    cr_assert_eq(umem.counts[RJ_FRAME_FILL], RX_FRAMES);
}

/* Parts would take what was merged as well, which sockets have cheaper; but room for it stays, for
 * the kernel may have had such a packet on its way. */
Test(xdp_ring, asks_for_no_frame_longer_than_the_link_carries)
{
    cr_assert_eq(ring.base.receive_room_bytes, rj_umem_receive_room(FRAME_BYTES, 1));
    close_ring();
    mtu_bytes = 9000;
    open_ring();
    cr_assert_eq(ring.base.receive_room_bytes, 9018, "Ethernet's header and a VLAN's tag");
    cr_assert_eq(ring.base.scratch_bytes,
                 RJ_UMEM_HEADROOM_BYTES + rj_umem_receive_room(FRAME_BYTES, RJ_UMEM_SEGMENTS_MAX));
}

Test(xdp_ring, puts_the_parts_of_a_packet_together)
{
    receive(1770, 2, false);
    receive(1770, 3, false);
    receive(7, 4, true);
    expect_packets(1);
    cr_assert_eq(frame.bytes, scratch + RJ_UMEM_HEADROOM_BYTES);
    cr_assert_eq(frame.length_bytes, 2 * 1770 + 7);
    cr_assert_eq(frame.bytes[1769], 2);
    cr_assert_eq(frame.bytes[1770], 3);
    cr_assert_eq(frame.bytes[2 * 1770 - 1], 3);
    cr_assert_eq(frame.bytes[2 * 1770 + 6], 4);
}

Test(xdp_ring, drops_a_packet_of_too_many_parts_to_its_late_end)
{
    for (int i = 0; i < LATE; i++)
        receive(1770, 1, false);
    rj_xdp_ring_recycle(&ring);
    cr_assert(rj_xdp_ring_next(&ring, scratch, &frame));
    rj_datagram_t datagram;
    cr_assert_eq(
        rj_datagram_parse(frame.bytes, frame.length_bytes, 5, RJ_DATAGRAM_SUM_OPEN, &datagram),
        RJ_DATAGRAM_MALFORMED, "so it is counted");
    cr_assert_not(rj_xdp_ring_next(&ring, scratch, &frame));
    rj_xdp_ring_release(&ring);
    for (int i = 0; i < 3; i++)
        receive(1770, 1, i == 2);
    receive(60, 9, true);
    expect_packets(1);
    cr_assert_eq(frame.bytes[0], 9);
    cr_assert_eq(ring.base.stats.rx_frames, 2);
    rj_xdp_ring_recycle(&ring);
    cr_assert_eq(umem.counts[RJ_FRAME_FILL], RX_FRAMES);
}

/* --- send --- */

static const uint8_t payload[8 * FRAME_BYTES] = {7, 7, 7};

static bool put(uint32_t length)
{
    static const uint8_t host[4] = {10, 0, 0, 1};
    const rj_path_header_hop_t hop = {.interface_index = 5, .mtu_bytes = 9000};
    const rj_address_t address = rj_address_ipv4(host, 1);
    rj_path_header_t header;
    rj_path_header_init(&header, &hop, &address, &address);
    return rj_xdp_ring_put(&ring, &header, payload, length, 1);
}

/* The kernel sends so many frames, and says so. */
static void complete(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_neq(tx.consumer, tx.producer);
        completion.addresses[completion.producer++ % size] = tx.descs[tx.consumer++ % size].addr;
    }
}

Test(xdp_ring, submits_at_the_flush_and_takes_frames_back)
{
    for (int round = 0; round < 3 * RX_FRAMES; round++) {
        for (int i = 0; i < TX_FRAMES; i++)
            cr_assert(put(100));
        cr_assert_not(put(100), "all frames are out");
        cr_assert_eq(tx.producer - tx.consumer, 0, "not yet the kernel's");
        rj_xdp_ring_flush(&ring);
        cr_assert_eq(tx.producer - tx.consumer, TX_FRAMES);
        cr_assert_not(put(100));
        complete(TX_FRAMES);
        rj_xdp_ring_flush(&ring);
    }
    cr_assert_eq(umem.counts[RJ_FRAME_FREE], TX_FRAMES);
    cr_assert_eq(ring.tx_frames, 0);
}

Test(xdp_ring, cuts_a_long_packet_into_frames_or_does_not_begin)
{
    const uint32_t longest = 5 * FRAME_BYTES - RJ_UMEM_HEADROOM_BYTES - RJ_PATH_HEADER_IPV4_BYTES;
    cr_assert(put(longest));
    cr_assert_not(put(longest), "three frames are left");
    cr_assert(put(2 * FRAME_BYTES));
    rj_xdp_ring_flush(&ring);
    cr_assert_eq(tx.producer, 8);
    for (uint32_t i = 0; i < 8; i++) {
        const bool is_last = i == 4 || i == 7;
        cr_assert_eq(tx.descs[i].options, is_last ? 0 : XDP_PKT_CONTD, "frame %u", i);
        cr_assert(rj_umem_contains(&umem, tx.descs[i].addr, tx.descs[i].len));
    }
    cr_assert_eq(tx.descs[4].len, FRAME_BYTES);
    cr_assert_eq(tx.descs[7].len, RJ_UMEM_HEADROOM_BYTES + RJ_PATH_HEADER_IPV4_BYTES);
    cr_assert_eq(ring.base.stats.tx_frames, 2);
}

/* The way past the ring, as a pair of sockets; the far end is returned. */
static int open_direct(void)
{
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
    xsk.direct_fd = pair[0];
    return pair[1];
}

Test(xdp_ring, sends_a_frame_that_is_alone_past_the_ring)
{
    const int far = open_direct();
    uint8_t got[FRAME_BYTES];
    put(100);
    rj_xdp_ring_flush(&ring);
    cr_assert_eq(recv(far, got, sizeof(got), 0), RJ_PATH_HEADER_IPV4_BYTES + 100);
    cr_assert_arr_eq(got + RJ_PATH_HEADER_IPV4_BYTES, payload, 100);
    cr_assert_eq(tx.producer, 0);
    cr_assert_eq(umem.counts[RJ_FRAME_TX], 0);
    cr_assert_eq(ring.base.stats.tx_direct, 1);
    cr_assert_not(ring.base.has_unsent);
}

Test(xdp_ring, overtakes_nothing_that_is_on_its_way)
{
    open_direct();
    put(100);
    put(100);
    rj_xdp_ring_flush(&ring);
    cr_assert_eq(tx.producer, 2, "they go together");
    put(100);
    rj_xdp_ring_flush(&ring);
    cr_assert_eq(tx.producer, 3, "behind the others");
    complete(3);
    rj_xdp_ring_flush(&ring);
    put(100);
    rj_xdp_ring_flush(&ring);
    cr_assert_eq(tx.producer, 3);
    cr_assert_eq(ring.base.stats.tx_direct, 1);
    put(2 * FRAME_BYTES);
    rj_xdp_ring_flush(&ring);
    cr_assert_eq(tx.producer, 6, "several frames");
}

Test(xdp_ring, sends_by_the_ring_what_is_refused_past_it)
{
    close(open_direct());
    put(100);
    rj_xdp_ring_flush(&ring);
    cr_assert_eq(tx.producer, 1);
    cr_assert_eq(ring.base.stats.tx_direct, 0);
    complete(1);
    rj_xdp_ring_flush(&ring);
    cr_assert_eq(umem.counts[RJ_FRAME_TX], 0);
}

Test(xdp_ring, kicks_only_who_sleeps_and_gives_up_when_nothing_moves)
{
    put(100);
    rj_xdp_ring_flush(&ring);
    cr_assert_eq(ring.base.stats.tx_kicks, 0);
    tx.flags = XDP_RING_NEED_WAKEUP;
    rj_xdp_ring_flush(&ring);
    rj_xdp_ring_flush(&ring);
    cr_assert_eq(ring.base.stats.tx_kicks, 2, "once a flush");
    complete(1);
    rj_xdp_ring_flush(&ring);
    cr_assert_eq(ring.base.stats.tx_kicks, 2);
}
