/* SPDX-License-Identifier: Apache-2.0 */
/* Which door datagrams leave by, and when all of them were found empty; with a ring and sockets of
 * memory. That frames are what they ought to be is in tests/netns/test_af_xdp.c. */
#include "transport/ring_front.h"

#include <criterion/criterion.h>

#include "tests/fixtures/memory_port.h"
#include "transport/path_header.h"

enum { LINK = 7, SEGMENT = 1000, BULK = 4, BATCH = 8 };

static const int64_t us = 1000;

static uint8_t bytes[64 * SEGMENT];
static memory_port_t sockets;
static struct {
    rj_frame_ring_t ring;
    int sent; /* datagrams */
    int waiting;
    bool is_closed;
} ring;
static rj_port_t *port;
static rj_endpoint_t endpoint = {.kind = RJ_ENDPOINT_RECEIVE, .slot = -1};
static rj_path_header_t header = {
    .interface_index = LINK, .payload_bytes_max = SEGMENT, .length_bytes = 42};
static rj_path_t paths[2];
static rj_packet_t packets[BATCH];

static uint32_t ring_put(rj_frame_ring_t *self, const rj_run_t *run, uint32_t offset)
{
    (void)self;
    ring.sent += (int)((run->total_bytes - offset + SEGMENT - 1) / SEGMENT);
    return run->total_bytes - offset;
}

static void ring_nothing(rj_frame_ring_t *self)
{
    (void)self;
}

/* What comes is no datagram, and so for nobody. */
static bool ring_next(rj_frame_ring_t *self, uint8_t *scratch, rj_ring_frame_t *ret_frame)
{
    (void)self;
    *ret_frame = (rj_ring_frame_t){.bytes = scratch};
    return ring.waiting-- > 0;
}

static void ring_close(rj_frame_ring_t *self)
{
    (void)self;
    ring.is_closed = true;
}

static void open_port(uint32_t bulk_datagrams_min)
{
    static const rj_frame_ring_ops_t ops = {.put = ring_put,
                                            .flush = ring_nothing,
                                            .begin = ring_nothing,
                                            .next = ring_next,
                                            .end = ring_nothing,
                                            .close = ring_close};
    rj_frame_ring_t *rings[] = {&ring.ring};
    rj_err_t err;
    memory_port_init(&sockets);
    ring.ring = (rj_frame_ring_t){
        .ops = &ops, .interface_index = LINK, .receive_room_bytes = 2048, .send_room_bytes = 2048};
    const rj_ring_front_params_t params = {.port = {.receive_batch = BATCH, .endpoint_max = 4},
                                           .sockets = &sockets.base,
                                           .rings = rings,
                                           .ring_count = 1,
                                           .bulk_datagrams_min = &bulk_datagrams_min};
    cr_assert_eq(rj_ring_front_open(&params, &port, &err), 0, "%s", err.text);
    for (int i = 0; i < 2; i++) {
        static const uint8_t there[4] = {10, 0, 0, 2};
        const rj_address_t address = rj_address_ipv4(there, (uint16_t)(40000 + i));
        rj_path_init(&paths[i], &endpoint, &address, false);
        paths[i].header = &header;
    }
}

static void close_port(void)
{
    port->ops->close(port);
    cr_expect(ring.is_closed);
    cr_expect(sockets.is_closed);
}

/* How many datagrams of a run went by the ring; the others went by the sockets. */
static int by_ring(const rj_path_t *path, int datagrams)
{
    rj_run_t run = {.path = path,
                    .start = bytes,
                    .total_bytes = (uint32_t)datagrams * SEGMENT,
                    .segment_bytes = SEGMENT};
    const int sent_before = ring.sent;
    memory_port_clear(&sockets);
    cr_assert_eq(port->ops->send(port, &run, 1), 1);
    cr_assert_eq(run.result, (int32_t)run.total_bytes);
    cr_assert_eq(ring.sent - sent_before + sockets.sent_count, datagrams);
    return ring.sent - sent_before;
}

static int poll_at(int64_t now_ns)
{
    return port->ops->poll(port, packets, BATCH, now_ns);
}

static void receive(int count)
{
    for (int i = 0; i < count; i++)
        memory_port_receive(&sockets, &endpoint, &paths[0].address, bytes, 32);
}

Test(ring_front, sends_everything_by_its_ring_that_can_take_it)
{
    open_port(0);
    cr_expect_eq(by_ring(&paths[0], 1), 1);
    cr_expect_eq(by_ring(&paths[0], 50), 50);
    paths[0].header = NULL;
    cr_expect_eq(by_ring(&paths[0], 1), 0);
    cr_expect_eq(rj_ring_front_stats(port)->socket_sends, 1);
    cr_expect_eq(rj_ring_front_stats(port)->bulk_sends, 0);
    close_port();
}

Test(ring_front, sends_bulk_by_the_sockets)
{
    open_port(BULK);
    poll_at(us);
    cr_expect_eq(by_ring(&paths[0], BULK - 1), BULK - 1);
    cr_expect_eq(by_ring(&paths[0], BULK), 0);
    cr_expect_eq(rj_ring_front_stats(port)->bulk_sends, BULK);
    cr_expect_eq(rj_ring_front_stats(port)->socket_sends, BULK);
    close_port();
}

Test(ring_front, keeps_to_the_door_while_datagrams_may_be_on_their_way)
{
    open_port(BULK);
    poll_at(us);
    cr_expect_eq(by_ring(&paths[0], 10), 0);
    cr_expect_eq(by_ring(&paths[0], 1), 0, "behind bulk");
    cr_expect_eq(by_ring(&paths[1], 1), 1, "another stream");
    poll_at(us + RJ_RING_FRONT_QUIET_NS - 1);
    cr_expect_eq(by_ring(&paths[0], 1), 0);
    poll_at(us + RJ_RING_FRONT_QUIET_NS);
    cr_expect_eq(by_ring(&paths[0], 1), 1, "singles do not make it last");
    close_port();
}

Test(ring_front, counts_bytes_that_came_many_datagrams_at_a_time)
{
    open_port(BULK);
    receive(1);
    memory_port_receive_merged(&sockets, &endpoint, &paths[0].address, bytes, 40, 16);
    poll_at(us);
    cr_expect_eq(rj_ring_front_stats(port)->socket_receives, 4);
    cr_expect_eq(rj_ring_front_stats(port)->merged_bytes, 40);
    cr_expect_eq(rj_ring_front_stats(port)->single_bytes, 32);
    close_port();
}

static int64_t all_drained_ns(void)
{
    return port->ops->drained(port).but_ns[RJ_WAY_IN_UNKNOWN];
}

Test(ring_front, is_drained_when_each_door_was_found_empty)
{
    open_port(0);
    cr_expect_eq(all_drained_ns(), INT64_MIN);
    poll_at(100 * us);
    cr_expect_eq(all_drained_ns(), 100 * us);
    ring.waiting = BATCH;
    receive(1);
    poll_at(200 * us);
    cr_expect_eq(all_drained_ns(), 100 * us, "there may be more in the ring");
    ring.waiting = 1;
    receive(BATCH);
    poll_at(300 * us);
    cr_expect_eq(all_drained_ns(), 200 * us, "there may be more in the sockets");
    poll_at(400 * us);
    cr_expect_eq(all_drained_ns(), 400 * us);
    poll_at(400 * us + 1);
    cr_expect_leq(all_drained_ns(), 400 * us + 1, "unless nobody looked at the sockets");
    close_port();
}

Test(ring_front, tells_by_which_door_a_packet_came_and_when_the_other_was_found_empty)
{
    open_port(0);
    poll_at(100 * us);
    receive(1);
    ring.waiting = BATCH;
    cr_assert_eq(poll_at(200 * us), 1);
    const int32_t sockets_way = packets[0].way_in;
    cr_assert(sockets_way >= 0 && sockets_way < RJ_WAYS_IN);
    const rj_drained_t drained = port->ops->drained(port);
    cr_expect_eq(drained.but_ns[sockets_way], 100 * us, "the ring is full");
    cr_expect_eq(drained.but_ns[1 - sockets_way], 200 * us, "the sockets had one packet");
    cr_expect_eq(drained.but_ns[RJ_WAY_IN_UNKNOWN], 100 * us);
    close_port();
}
