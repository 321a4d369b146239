/* SPDX-License-Identifier: Apache-2.0 */
/* The port `xdp` over veth, in copy mode: against itself, against the kernel's sockets and against
 * frames that nobody should send. Each test has namespaces of its own. */
#include "transport/af_xdp.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checksum.h"
#include "tests/fixtures/veth.h"
#include "transport/registry.h"
#include "transport/udp_socket.h"
#include "transport/xdp_ring.h"

enum {
    BATCH = 64,
    ENDPOINTS = 16,
    PATIENCE_MS = 5000,
    SEGMENT = 1472, /* of MTU 1500 over IPv4 */
    SIDE_RINGS_MAX = 2,
};

/* A host with its port and the endpoint that it sends from and receives at. */
typedef struct side {
    int host;
    rj_port_t *port;
    rj_frame_ring_t *rings[SIDE_RINGS_MAX];
    rj_af_xdp_ring_info_t infos[SIDE_RINGS_MAX];
    rj_endpoint_t endpoint;
    rj_path_header_t header; /* to the other side */
    rj_path_t path;
} side_t;

static side_t sides[2];
static rj_packet_t packets[BATCH];
static int64_t now_ns = 1000000000;
static uint8_t pattern[1 << 20];

static void fill_pattern(void)
{
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

/* --- both ends --- */

static rj_port_t *open_sockets(void)
{
    const rj_port_params_t params = {.receive_batch = BATCH, .endpoint_max = ENDPOINTS};
    rj_port_t *port;
    rj_err_t err;
    cr_assert_eq(rj_port_open("socket", &params, &port, &err), 0, "%s", err.text);
    return port;
}

static rj_af_xdp_ring_params_t ring_params(int host, int pair, uint32_t mtu_bytes)
{
    return (rj_af_xdp_ring_params_t){.interface_name = veth_name(pair),
                                     .interface_index = veth_index(host, pair),
                                     .mtu_bytes = mtu_bytes};
}

/* The rings with sockets behind them. */
static int try_open(int host, const rj_af_xdp_params_t *params, rj_frame_ring_t **ret_rings,
                    rj_port_t **ret_port, rj_err_t *err)
{
    uint32_t failed_ring;
    veth_enter(host);
    const int result = rj_af_xdp_open(params, ret_rings, &failed_ring, err);
    if (result < 0)
        return result;
    const rj_ring_front_params_t front = {
        .port = {.receive_batch = BATCH, .endpoint_max = ENDPOINTS},
        .sockets = open_sockets(),
        .rings = ret_rings,
        .ring_count = params->ring_count};
    cr_assert_eq(rj_ring_front_open(&front, ret_port, err), 0, "%s", err->text);
    return 0;
}

static void open_side(int host, rj_af_xdp_params_t params)
{
    side_t *side = &sides[host];
    rj_err_t err;
    side->host = host;
    cr_assert_eq(try_open(host, &params, side->rings, &side->port, &err), 0, "%s", err.text);
    for (uint32_t i = 0; i < params.ring_count; i++)
        rj_af_xdp_ring_info(side->rings[i], &side->infos[i]);
}

static void close_sides(void)
{
    for (int host = 0; host < 2; host++) {
        if (sides[host].port != NULL)
            sides[host].port->ops->close(sides[host].port);
        sides[host].port = NULL;
    }
}

TestSuite(af_xdp, .init = fill_pattern, .fini = close_sides);

/* Both sides bound to their address and VETH_PORT, a path to each other that a ring serves. */
static void bind_sides(int family, uint32_t mtu_bytes)
{
    for (int host = 0; host < 2; host++) {
        side_t *side = &sides[host];
        veth_bind(host, family, mtu_bytes, &side->endpoint, &side->header, &side->path);
        if (side->port != NULL)
            cr_assert_eq(side->port->ops->attach(side->port, &side->endpoint, RJ_ATTACH_HOME), 0);
    }
}

static void open_both(veth_mode_t mode, uint32_t mtu_bytes, rj_af_xdp_params_t params)
{
    veth_up(1, (int)mtu_bytes);
    for (int host = 0; host < 2; host++) {
        const rj_af_xdp_ring_params_t ring = ring_params(host, 0, mtu_bytes);
        params.rings = &ring;
        params.ring_count = 1;
        open_side(host, params);
        veth_steer(host, 0, mode, sides[host].infos[0].fd);
    }
}

static rj_run_t run_of(const side_t *side, const uint8_t *start, uint32_t total, uint32_t segment)
{
    return (rj_run_t){.path = &side->path,
                      .start = start,
                      .total_bytes = total,
                      .segment_bytes = segment,
                      .result = -1};
}

static int poll_side(side_t *side)
{
    now_ns += 1000000;
    return side->port->ops->poll(side->port, packets, BATCH, now_ns);
}

/* Polls until something is there. */
static int await_packets(side_t *side)
{
    struct pollfd wait[2] = {{.fd = side->infos[0].fd, .events = POLLIN},
                             {.fd = side->endpoint.socket, .events = POLLIN}};
    int count = poll_side(side);
    while (count == 0) {
        cr_assert_gt(poll(wait, 2, PATIENCE_MS), 0, "nothing came");
        count = poll_side(side);
    }
    return count;
}

/* The datagrams of a run, in order, exactly. */
static void expect_run(side_t *to, const side_t *from, const rj_run_t *run)
{
    uint32_t offset = 0;
    while (offset < run->total_bytes) {
        const int count = await_packets(to);
        for (int i = 0; i < count; i++) {
            const uint32_t left = run->total_bytes - offset;
            const uint32_t length = left < run->segment_bytes ? left : run->segment_bytes;
            cr_assert_eq(packets[i].length_bytes, length, "at %u", offset);
            cr_assert_arr_eq(packets[i].data, run->start + offset, length);
            cr_assert_eq(packets[i].endpoint, &to->endpoint);
            cr_assert(rj_address_equal(&packets[i].source, &from->endpoint.local));
            cr_assert_eq(packets[i].receive_time_ns, now_ns);
            offset += length;
        }
    }
    cr_assert_eq(offset, run->total_bytes);
}

static void send_all(side_t *side, rj_run_t *run)
{
    cr_assert_eq(side->port->ops->send(side->port, run, 1), 1);
    cr_assert_eq(run->result, (int32_t)run->total_bytes);
}

static void expect_both_ways(uint32_t segment_max)
{
    for (uint32_t segment = 1; segment <= segment_max; segment += segment < 40 ? 1 : 137) {
        for (int host = 0; host < 2; host++) {
            rj_run_t run = run_of(&sides[host], pattern + segment, 7 * segment + 3, segment);
            send_all(&sides[host], &run);
            expect_run(&sides[1 - host], &sides[host], &run);
        }
    }
}

static void expect_nothing_by_sockets(void)
{
    for (int host = 0; host < 2; host++) {
        const rj_ring_front_stats_t *stats = rj_ring_front_stats(sides[host].port);
        const rj_frame_ring_stats_t *ring = &sides[host].rings[0]->stats;
        cr_assert_eq(stats->socket_sends, 0);
        cr_assert_eq(stats->socket_receives, 0);
        cr_assert_eq(ring->rx_frames, sides[1 - host].rings[0]->stats.tx_frames);
        cr_assert_eq(ring->rx_checksum_errors + ring->rx_malformed + ring->rx_unknown, 0);
    }
}

static void exchange(veth_mode_t mode, int family, uint32_t segment_max)
{
    open_both(mode, 1500, (rj_af_xdp_params_t){0});
    bind_sides(family, 1500);
    cr_assert_not(sides[0].infos[0].is_zero_copy, "veth has no zero-copy");
    cr_assert_eq(sides[0].rings[0]->receive_room_bytes, 1770);
    expect_both_ways(segment_max);
    expect_nothing_by_sockets();
}

Test(af_xdp, carries_datagrams_of_every_size_in_generic_mode)
{
    exchange(VETH_GENERIC, AF_INET, SEGMENT);
}

Test(af_xdp, carries_datagrams_of_every_size_over_ipv6)
{
    exchange(VETH_GENERIC, AF_INET6, SEGMENT - 20);
}

Test(af_xdp, carries_datagrams_of_every_size_in_native_mode)
{
    exchange(VETH_NATIVE, AF_INET, SEGMENT);
}

/* The kernel drops what has a wrong checksum. */
static void expect_kernel_takes(int family)
{
    veth_up(1, 1500);
    const rj_af_xdp_ring_params_t ring = ring_params(0, 0, 1500);
    open_side(0, (rj_af_xdp_params_t){.rings = &ring, .ring_count = 1});
    bind_sides(family, 1500);
    struct pollfd wait = {.fd = sides[1].endpoint.socket, .events = POLLIN};
    uint8_t bytes[2048];
    for (uint32_t length = 1; length < SEGMENT - 20; length += 5) {
        rj_run_t run = run_of(&sides[0], pattern + 3 * length, length, SEGMENT);
        send_all(&sides[0], &run);
        cr_assert_eq(poll(&wait, 1, PATIENCE_MS), 1, "%u bytes", length);
        cr_assert_eq(recv(wait.fd, bytes, sizeof(bytes), 0), (ssize_t)length);
        cr_assert_arr_eq(bytes, run.start, length);
    }
}

Test(af_xdp, sends_what_the_kernel_finds_right_over_ipv4)
{
    expect_kernel_takes(AF_INET);
}

Test(af_xdp, sends_what_the_kernel_finds_right_over_ipv6)
{
    expect_kernel_takes(AF_INET6);
}

/* Of veth, the kernel leaves the checksum to whoever might need it. */
static void expect_from_kernel(int family)
{
    open_both(VETH_GENERIC, 1500, (rj_af_xdp_params_t){0});
    bind_sides(family, 1500);
    struct sockaddr_storage to;
    const socklen_t bytes = rj_address_to_sockaddr(&sides[0].endpoint.local, &to);
    for (uint32_t length = 1; length < 1452; length += 111) {
        const rj_run_t run = run_of(&sides[1], pattern, length, SEGMENT);
        cr_assert_eq(
            sendto(sides[1].endpoint.socket, pattern, length, 0, (struct sockaddr *)&to, bytes),
            (ssize_t)length);
        expect_run(&sides[0], &sides[1], &run);
    }
    cr_assert_gt(sides[0].rings[0]->stats.rx_frames, 10);
}

Test(af_xdp, accepts_the_partial_checksums_of_local_senders)
{
    expect_from_kernel(AF_INET);
}

Test(af_xdp, accepts_the_partial_checksums_of_local_senders_over_ipv6)
{
    expect_from_kernel(AF_INET6);
}

/* --- frames that nobody should send --- */

static uint32_t make_frame(const side_t *from, uint8_t *frame, uint32_t length)
{
    rj_path_header_put(&from->header, frame);
    const uint64_t sum = rj_checksum_copy(frame + RJ_PATH_HEADER_IPV4_BYTES, pattern, length, 0);
    rj_path_header_finish(&from->header, frame, length, sum, 1);
    return RJ_PATH_HEADER_IPV4_BYTES + length;
}

Test(af_xdp, drops_and_counts_what_is_damaged_or_for_nobody)
{
    open_both(VETH_GENERIC, 1500, (rj_af_xdp_params_t){0});
    bind_sides(AF_INET, 1500);
    const int raw = veth_open_raw(1, 0);
    uint8_t frame[512];
    const uint32_t length = make_frame(&sides[1], frame, 99);
    frame[60] ^= 4;
    cr_assert_eq(write(raw, frame, length), (ssize_t)length);
    frame[60] ^= 4;
    frame[38] = 9; /* UDP longer than the frame */
    cr_assert_eq(write(raw, frame, length), (ssize_t)length);
    frame[38] = 0;
    frame[37]++; /* another port, and a checksum that makes up for it */
    frame[35]--;
    cr_assert_eq(write(raw, frame, length), (ssize_t)length);
    /* Behind them, so that all have been seen when it comes. */
    rj_run_t run = run_of(&sides[1], pattern, 50, 50);
    send_all(&sides[1], &run);
    expect_run(&sides[0], &sides[1], &run);
    const rj_frame_ring_stats_t *stats = &sides[0].rings[0]->stats;
    cr_assert_eq(stats->rx_checksum_errors, 1);
    cr_assert_eq(stats->rx_malformed, 1);
    cr_assert_eq(stats->rx_unknown, 1);
    cr_assert_eq(stats->rx_frames, 4);
    close(raw);
}

/* --- full rings --- */

Test(af_xdp, loses_nothing_that_the_kernel_did_not_count)
{
    enum { SENT = 500, FRAMES = 128, RING = 64 };
    open_both(VETH_GENERIC, 1500, (rj_af_xdp_params_t){.frames_per_ring = FRAMES, .rx_size = RING});
    bind_sides(AF_INET, 1500);
    rj_xsk_losses_t losses;
    for (int round = 1; round < 4; round++) {
        for (int i = 0; i < SENT; i++) {
            rj_run_t run = run_of(&sides[1], pattern, 100, 100);
            send_all(&sides[1], &run);
        }
        int got = 0;
        for (int count = await_packets(&sides[0]); count > 0; count = poll_side(&sides[0]))
            got += count;
        cr_assert_eq(got, RING, "what the frames have room for");
        cr_assert_eq(rj_xsk_losses(sides[0].infos[0].fd, &losses), 0);
        cr_assert_eq(sides[0].rings[0]->stats.rx_frames, (uint64_t)round * RING);
        cr_assert_eq(losses.rx_dropped + losses.rx_ring_full, (uint64_t)round * (SENT - RING));
    }
}

Test(af_xdp, pushes_back_while_the_link_is_down_and_sends_it_all_later)
{
    enum { RING = 64, DATAGRAMS = 100, LENGTH = 200 };
    open_both(VETH_GENERIC, 1500, (rj_af_xdp_params_t){.tx_size = RING});
    bind_sides(AF_INET, 1500);
    const rj_frame_ring_stats_t *stats = &sides[0].rings[0]->stats;
    veth_run(0, "ip link set %s down", veth_name(0));
    rj_run_t runs[3] = {run_of(&sides[0], pattern, DATAGRAMS * LENGTH, LENGTH),
                        run_of(&sides[0], pattern, LENGTH, LENGTH),
                        run_of(&sides[0], pattern, LENGTH, LENGTH)};
    rj_path_t by_socket = sides[0].path;
    by_socket.header = NULL;
    runs[1].path = &by_socket;
    cr_assert_eq(sides[0].port->ops->send(sides[0].port, runs, 3), 3);
    cr_assert_eq(runs[0].result, RING * LENGTH, "whole datagrams, as many as the ring holds");
    cr_assert_neq(runs[1].result, 0, "another queue, another answer");
    cr_assert_eq(runs[2].result, 0, "not tried behind a full ring");
    for (uint64_t i = 0; i < 3; i++)
        cr_assert_eq(runs[i].number, i);
    cr_assert_eq(stats->tx_ring_full, 1);
    cr_assert_eq(sides[0].port->ops->reclaim(sides[0].port), 3, "the bytes are free all the same");
    cr_assert_eq(sides[0].port->ops->send(sides[0].port, &runs[2], 1), 1);
    cr_assert_eq(runs[2].result, 0);
    cr_assert_eq(runs[2].number, 3);
    cr_assert_eq(stats->tx_ring_full, 2);
    veth_run(0, "ip link set %s up", veth_name(0));
    /* Nobody sends: the next poll does it. */
    poll_side(&sides[0]);
    rj_run_t first = run_of(&sides[0], pattern, RING * LENGTH, LENGTH);
    expect_run(&sides[1], &sides[0], &first);
    rj_run_t rest = run_of(&sides[0], pattern + RING * LENGTH, (DATAGRAMS - RING) * LENGTH, LENGTH);
    send_all(&sides[0], &rest);
    expect_run(&sides[1], &sides[0], &rest);
    cr_assert_eq(stats->tx_frames, DATAGRAMS);
}

Test(af_xdp, sends_more_than_a_ring_holds_in_one_call)
{
    enum { RING = 64, DATAGRAMS = RJ_XDP_RING_FEW, LENGTH = 64 };
    open_both(VETH_GENERIC, 1500, (rj_af_xdp_params_t){.tx_size = RING});
    bind_sides(AF_INET, 1500);
    rj_run_t run = run_of(&sides[0], pattern, DATAGRAMS * LENGTH, LENGTH);
    send_all(&sides[0], &run);
    expect_run(&sides[1], &sides[0], &run);
    cr_assert_eq(sides[0].rings[0]->stats.tx_ring_full, 0);
    /* Where the kernel has the option (xdp.md 3.3), a call sends all that the ring holds. */
    const uint32_t budget = RING;
    const bool has_budget = setsockopt(sides[0].infos[0].fd, SOL_XDP, 9, &budget, 4) == 0;
    cr_assert_leq(sides[0].rings[0]->stats.tx_kicks, DATAGRAMS / (has_budget ? RING : 32) + 1,
                  "no call for each packet");
}

/* --- which way --- */

Test(af_xdp, sends_by_socket_what_no_ring_takes_and_counts_it)
{
    open_both(VETH_GENERIC, 1500, (rj_af_xdp_params_t){0});
    bind_sides(AF_INET, 1500);
    rj_path_t paths[3] = {sides[0].path, sides[0].path, sides[0].path};
    rj_path_header_t elsewhere = sides[0].header;
    elsewhere.interface_index += 100;
    paths[0].header = NULL;
    paths[1].header = &elsewhere;
    rj_run_t runs[4];
    for (int i = 0; i < 4; i++) {
        runs[i] = run_of(&sides[0], pattern, 3 * 400, 400);
        if (i < 3)
            runs[i].path = &paths[i];
    }
    /* Longer than the link: the kernel cuts it to fragments. */
    runs[2].segment_bytes = 3 * 400;
    runs[2].total_bytes = SEGMENT + 1;
    runs[2].segment_bytes = SEGMENT + 1;
    cr_assert_eq(sides[0].port->ops->send(sides[0].port, runs, 4), 4);
    for (uint64_t i = 0; i < 4; i++) {
        cr_assert_eq(runs[i].number, i);
        cr_assert_eq(runs[i].result, (int32_t)runs[i].total_bytes);
    }
    cr_assert_eq(rj_ring_front_stats(sides[0].port)->socket_sends, 7);
    cr_assert_eq(sides[0].rings[0]->stats.tx_frames, 3);
    cr_assert_eq(sides[0].port->ops->reclaim(sides[0].port), 4);
    int got = 0;
    while (got < 10)
        got += await_packets(&sides[1]);
    cr_assert_eq(rj_ring_front_stats(sides[1].port)->socket_receives, 1, "the fragments");
    cr_assert_eq(sides[1].rings[0]->stats.rx_frames, 9);
}

Test(af_xdp, reads_the_sockets_seldom_while_rings_bring_packets)
{
    open_both(VETH_GENERIC, 1500, (rj_af_xdp_params_t){0});
    bind_sides(AF_INET, 1500);
    struct sockaddr_storage to;
    const rj_socket_params_t plain = {.bind = veth_address(AF_INET, 1, 0, 1234)};
    rj_socket_info_t info;
    veth_enter(1);
    cr_assert_eq(rj_sockets_kernel()->ops->open(rj_sockets_kernel(), &plain, &info, NULL), 0);
    rj_endpoint_t endpoint = {.socket = info.socket, .local = info.local, .slot = -1};
    cr_assert_eq(sides[1].port->ops->attach(sides[1].port, &endpoint, RJ_ATTACH_HOME), 0);
    const socklen_t bytes = rj_address_to_sockaddr(&endpoint.local, &to);
    rj_run_t run = run_of(&sides[0], pattern, 10, 10);
    send_all(&sides[0], &run);
    const int64_t start_ns = now_ns;
    rj_port_t *port = sides[1].port;
    cr_assert_eq(port->ops->poll(port, packets, BATCH, start_ns), 1);
    /* A port that is not steered: the kernel has it. */
    cr_assert_eq(sendto(sides[0].endpoint.socket, "x", 1, 0, (struct sockaddr *)&to, bytes), 1);
    struct pollfd wait = {.fd = endpoint.socket, .events = POLLIN};
    cr_assert_eq(poll(&wait, 1, PATIENCE_MS), 1);
    cr_assert_eq(port->ops->poll(port, packets, BATCH, start_ns + 19999), 0);
    send_all(&sides[0], &run);
    cr_assert_eq(port->ops->poll(port, packets, 1, start_ns + 20000), 1);
    cr_assert_eq(packets[0].endpoint, &sides[1].endpoint, "rings first");
    send_all(&sides[0], &run);
    cr_assert_eq(port->ops->poll(port, packets, 1, start_ns + 20001), 1);
    cr_assert_eq(packets[0].endpoint, &endpoint, "and then whoever had no room");
    cr_assert_eq(packets[0].data[0], 'x');
    cr_assert_eq(port->ops->poll(port, packets, 1, start_ns + 20002), 1);
    cr_assert_eq(packets[0].endpoint, &sides[1].endpoint);
    port->ops->detach(port, &endpoint, RJ_ATTACH_HOME);
    close(info.socket);
}

/* As the kernel gives them to sockets: what is connected hears its peer, what has joined elsewhere
 * hears nothing. */
Test(af_xdp, gives_a_datagram_to_nobody_who_is_connected_or_joined_elsewhere)
{
    open_both(VETH_GENERIC, 1500, (rj_af_xdp_params_t){0});
    bind_sides(AF_INET, 1500);
    rj_endpoint_t *taker = &sides[1].endpoint;
    const rj_address_t sender = sides[0].endpoint.local;
    const rj_address_t anybody = {.family = AF_UNSPEC};
    rj_address_t stranger = sender;
    stranger.port ^= 1;
    const struct {
        rj_address_t peer;
        uint32_t link;
        int count;
    } rows[] = {{sender, 0, 1},
                {stranger, 0, 0},
                {anybody, veth_index(1, 0), 1},
                {anybody, veth_index(1, 0) + 1, 0},
                {sender, veth_index(1, 0) + 1, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        taker->peer = rows[i].peer;
        taker->group_link = rows[i].link;
        rj_run_t run = run_of(&sides[0], pattern, 100, 100);
        send_all(&sides[0], &run);
        struct pollfd wait = {.fd = sides[1].infos[0].fd, .events = POLLIN};
        cr_assert_gt(poll(&wait, 1, PATIENCE_MS), 0);
        cr_expect_eq(poll_side(&sides[1]), rows[i].count, "row %zu", i);
    }
    cr_expect_eq(sides[1].rings[0]->stats.rx_unknown, 3);
}

Test(af_xdp, gives_a_group_s_datagram_to_every_member)
{
    open_both(VETH_GENERIC, 1500, (rj_af_xdp_params_t){0});
    bind_sides(AF_INET, 1500);
    static const uint8_t group_bytes[4] = {224, 20, 30, 39};
    const rj_address_t group = rj_address_ipv4(group_bytes, VETH_PORT);
    rj_endpoint_t members[BATCH + 1];
    rj_port_t *port = sides[1].port;
    for (int i = 0; i < ENDPOINTS - 1; i++) {
        members[i] = (rj_endpoint_t){.socket = -1, .local = group, .slot = -1};
        cr_assert_eq(port->ops->attach(port, &members[i], RJ_ATTACH_GUEST), 0);
    }
    cr_assert_eq(port->ops->attach(port, &members[BATCH], RJ_ATTACH_GUEST), -ENOSPC);
    rj_path_header_hop_t hop = veth_hop(0, 0, 1500);
    memcpy(hop.destination_mac, "\x01\x00\x5e\x14\x1e\x27", 6);
    rj_path_header_init(&sides[0].header, &hop, &sides[0].endpoint.local, &group);
    rj_run_t run = run_of(&sides[0], pattern, 8 * 500, 500);
    send_all(&sides[0], &run);
    int counts[ENDPOINTS] = {0};
    uint8_t *seen = NULL;
    for (int got = 0; got < 8 * (ENDPOINTS - 1);) {
        const int count = await_packets(&sides[1]);
        cr_assert_eq(count % (ENDPOINTS - 1), 0, "no frame is begun that does not fit");
        for (int i = 0; i < count; i++) {
            const int64_t member = (rj_endpoint_t *)packets[i].endpoint - members;
            cr_assert_arr_eq(packets[i].data, pattern + 500 * counts[member], 500);
            cr_assert_neq(packets[i].data, seen, "each may write to its own");
            seen = packets[i].data;
            counts[member]++;
        }
        got += count;
    }
    for (int i = 0; i < ENDPOINTS - 1; i++)
        cr_assert_eq(counts[i], 8);
    port->ops->detach(port, &members[0], RJ_ATTACH_GUEST);
    rj_run_t one = run_of(&sides[0], pattern, 500, 500);
    send_all(&sides[0], &one);
    cr_assert_eq(port->ops->poll(port, packets, 3, now_ns), 3);
    cr_assert_eq(sides[1].rings[0]->stats.rx_fan_out_cut, ENDPOINTS - 2 - 3);
}

/* --- jumbo frames, several interfaces --- */

static void exchange_jumbo(veth_mode_t mode)
{
    open_both(mode, 9000, (rj_af_xdp_params_t){0});
    bind_sides(AF_INET, 9000);
    cr_assert(sides[0].infos[0].uses_segments);
    for (uint32_t segment = 3700; segment <= 8972; segment += 131) {
        for (int host = 0; host < 2; host++) {
            rj_run_t run = run_of(&sides[host], pattern + segment, 5 * segment + 1, segment);
            send_all(&sides[host], &run);
            expect_run(&sides[1 - host], &sides[host], &run);
        }
    }
    rj_run_t run = run_of(&sides[0], pattern, 90 * 8972, 8972);
    send_all(&sides[0], &run);
    expect_run(&sides[1], &sides[0], &run);
    expect_nothing_by_sockets();
    cr_assert_gt(sides[1].rings[0]->stats.rx_linearised, 90);
}

Test(af_xdp, carries_jumbo_frames_in_several_buffers_in_generic_mode)
{
    exchange_jumbo(VETH_GENERIC);
}

Test(af_xdp, carries_jumbo_frames_in_several_buffers_in_native_mode)
{
    exchange_jumbo(VETH_NATIVE);
}

/* In generic mode the sender's segmentation is left to whoever might need it. */
Test(af_xdp, takes_a_super_frame_that_fits_for_one_packet)
{
    enum { SEGMENTS = 20, LENGTH = 1400 };
    open_both(VETH_GENERIC, 9000, (rj_af_xdp_params_t){0});
    bind_sides(AF_INET, 9000);
    const int segment = LENGTH;
    struct sockaddr_storage to;
    const socklen_t bytes = rj_address_to_sockaddr(&sides[0].endpoint.local, &to);
    const int fd = sides[1].endpoint.socket;
    cr_assert_eq(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)), 0);
    cr_assert_eq(sendto(fd, pattern, SEGMENTS * LENGTH, 0, (struct sockaddr *)&to, bytes),
                 SEGMENTS * LENGTH);
    const rj_run_t run = run_of(&sides[1], pattern, SEGMENTS * LENGTH, SEGMENTS * LENGTH);
    expect_run(&sides[0], &sides[1], &run);
    cr_assert_eq(sides[0].rings[0]->stats.rx_frames, 1);
    cr_assert_eq(sides[0].rings[0]->stats.rx_linearised, 1);
}

Test(af_xdp, serves_two_interfaces_from_one_umem)
{
    enum { DATAGRAMS = RJ_XDP_RING_FEW, LENGTH = 700 };
    veth_up(2, 1500);
    for (int host = 0; host < 2; host++) {
        const rj_af_xdp_ring_params_t rings[2] = {ring_params(host, 0, 1500),
                                                  ring_params(host, 1, 1500)};
        open_side(host, (rj_af_xdp_params_t){.rings = rings, .ring_count = 2});
        for (int pair = 0; pair < 2; pair++)
            veth_steer(host, pair, VETH_GENERIC, sides[host].infos[pair].fd);
    }
    bind_sides(AF_INET, 1500);
    const rj_address_t other = veth_address(AF_INET, 1, 1, VETH_PORT);
    rj_endpoint_t guest = {.socket = -1, .local = other, .slot = -1};
    const rj_path_header_hop_t hop = veth_hop(0, 1, 1500);
    rj_path_header_t header;
    rj_path_header_init(&header, &hop, &sides[0].endpoint.local, &other);
    rj_path_t path = sides[0].path;
    path.header = &header;
    cr_assert_eq(sides[1].port->ops->attach(sides[1].port, &guest, RJ_ATTACH_GUEST), 0);
    rj_run_t runs[2] = {run_of(&sides[0], pattern, DATAGRAMS * LENGTH, LENGTH),
                        run_of(&sides[0], pattern + LENGTH, DATAGRAMS * LENGTH, LENGTH)};
    runs[1].path = &path;
    cr_assert_eq(sides[0].port->ops->send(sides[0].port, runs, 2), 2);
    uint32_t counts[2] = {0, 0};
    while (counts[0] + counts[1] < 2 * DATAGRAMS) {
        const int count = await_packets(&sides[1]);
        for (int i = 0; i < count; i++) {
            const int at = packets[i].endpoint == &guest;
            cr_assert_arr_eq(packets[i].data, runs[at].start + LENGTH * counts[at]++, LENGTH);
        }
    }
    cr_assert_eq(counts[0], DATAGRAMS);
    for (int pair = 0; pair < 2; pair++)
        cr_assert_eq(sides[1].rings[pair]->stats.rx_frames, DATAGRAMS);
}

Test(af_xdp, goes_on_by_sockets_when_the_interface_is_gone)
{
    open_both(VETH_GENERIC, 1500, (rj_af_xdp_params_t){0});
    bind_sides(AF_INET, 1500);
    veth_run(0, "ip link del %s", veth_name(0));
    rj_run_t run = run_of(&sides[0], pattern, 100, 100);
    sides[0].port->ops->send(sides[0].port, &run, 1);
    cr_assert_eq(poll_side(&sides[0]), 0);
    cr_assert_eq(sides[0].port->ops->send(sides[0].port, &run, 1), 1);
    cr_assert_lt(run.result, 0, "the kernel knows no way either, and says so");
}

/* --- what can be refused --- */

static int open_alone(uint32_t queue, rj_xsk_mode_t mode, rj_err_t *err)
{
    rj_af_xdp_ring_params_t ring = ring_params(0, 0, 1500);
    ring.queue = queue;
    ring.mode = mode;
    const rj_af_xdp_params_t params = {.rings = &ring, .ring_count = 1};
    return try_open(0, &params, sides[0].rings, &sides[0].port, err);
}

static void drop_capability(int capability)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    cr_assert_eq(syscall(SYS_capget, &header, data), 0);
    data[capability / 32].effective &= ~(1U << capability % 32);
    cr_assert_eq(syscall(SYS_capset, &header, data), 0);
}

static void expect_text(const rj_err_t *err, const char *part)
{
    cr_assert_not_null(strstr(err->text, part), "\"%s\" lacks \"%s\"", err->text, part);
}

Test(af_xdp, opens_again_right_after_it_was_closed)
{
    rj_err_t err;
    veth_up(1, 1500);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(open_alone(0, RJ_XSK_AUTO, &err), 0, "%s", err.text);
        sides[0].port->ops->close(sides[0].port);
        sides[0].port = NULL;
    }
}

Test(af_xdp, says_that_a_queue_is_taken)
{
    rj_err_t err;
    rj_frame_ring_t *taken;
    rj_port_t *port;
    veth_up(1, 1500);
    cr_assert_eq(open_alone(0, RJ_XSK_COPY, &err), 0, "%s", err.text);
    const rj_af_xdp_ring_params_t ring = ring_params(0, 0, 1500);
    const rj_af_xdp_params_t params = {.rings = &ring, .ring_count = 1};
    cr_assert_eq(try_open(0, &params, &taken, &port, &err), -EBUSY);
    expect_text(&err, "rjv0: queue 0 is taken");
}

Test(af_xdp, says_that_there_is_no_such_queue_mode_or_interface)
{
    rj_err_t err;
    veth_up(1, 1500);
    cr_assert_eq(open_alone(77, RJ_XSK_AUTO, &err), -EINVAL);
    expect_text(&err, "ethtool -L rjv0");
    cr_assert_eq(open_alone(0, RJ_XSK_ZERO_COPY, &err), -EOPNOTSUPP);
    expect_text(&err, "no zero-copy mode");
    veth_run(0, "ip link del %s", veth_name(0));
    cr_assert_eq(open_alone(0, RJ_XSK_AUTO, &err), -ENODEV);
}

Test(af_xdp, says_that_memory_cannot_be_locked)
{
    rj_err_t err;
    const struct rlimit little = {.rlim_cur = 65536, .rlim_max = 65536};
    veth_up(1, 1500);
    cr_assert_eq(setrlimit(RLIMIT_MEMLOCK, &little), 0);
    drop_capability(CAP_IPC_LOCK);
    cr_assert_eq(open_alone(0, RJ_XSK_AUTO, &err), -ENOBUFS);
    expect_text(&err, "ulimit -l");
}

Test(af_xdp, says_that_it_needs_a_capability)
{
    rj_err_t err;
    veth_up(1, 1500);
    veth_enter(0);
    rj_af_xdp_ring_params_t ring = ring_params(0, 0, 1500);
    const rj_af_xdp_params_t params = {.rings = &ring, .ring_count = 1};
    uint32_t failed_ring = UINT32_MAX;
    drop_capability(CAP_NET_RAW);
    cr_assert_eq(rj_af_xdp_open(&params, sides[0].rings, &failed_ring, &err), -EPERM);
    cr_assert_eq(failed_ring, 0);
    expect_text(&err, "CAP_NET_RAW");
}

Test(af_xdp, refuses_sizes_that_no_ring_has)
{
    rj_err_t err;
    uint32_t failed_ring;
    const rj_af_xdp_ring_params_t ring = {.interface_name = "lo", .interface_index = 1};
    const rj_af_xdp_params_t rows[] = {
        {.rings = &ring, .ring_count = 0},
        {.rings = &ring, .ring_count = RJ_AF_XDP_RINGS_MAX + 1},
        {.rings = &ring, .ring_count = 1, .rx_size = 1000},
        {.rings = &ring, .ring_count = 1, .tx_size = 3},
        {.rings = &ring, .ring_count = 1, .rx_size = 4096},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_assert_eq(rj_af_xdp_open(&rows[i], sides[0].rings, &failed_ring, &err), -EINVAL,
                     "row %zu", i);
}
