/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of the kind `packet` with their steering programs, over veth: against themselves, against
 * the kernel's sockets, and beside both. Each test has namespaces of its own. */
#include "transport/packet_ring.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/clock.h"
#include "tests/fixtures/steer_tables.h"
#include "tests/fixtures/veth.h"
#include "transport/registry.h"
#include "transport/ring_front.h"
#include "transport/udp_socket.h"
#include "xdp/packet_steer.h"

enum {
    BATCH = 64,
    ENDPOINTS = 16,
    PATIENCE_MS = 5000,
    SEGMENT = 1440, /* of MTU 1500; frames of Aeron are multiples of 32 */
    OWNER = 77,
    STREAM = 1001,
    NOW_NS = 1000000000,
};

typedef struct side {
    int host;
    rj_packet_steer_t steer;
    rj_frame_ring_t *ring;
    rj_port_t *port;
    rj_endpoint_t endpoint;
    rj_path_header_t header; /* to the other side */
    rj_path_t path;
} side_t;

static side_t sides[2];
static rj_packet_t packets[BATCH];
static int64_t now_ns = NOW_NS;
static uint8_t pattern[1 << 20];

/* What stands at the front of every datagram: a DATA frame of the stream that is steered. */
static void put_header(uint8_t *bytes, uint32_t length)
{
    const uint32_t words[8] = {length, 0x0001c000, 0, 7, STREAM, 0, 0, 0};
    memcpy(bytes, words, sizeof(words));
}

/* `pattern` becomes datagrams of that length. */
static void make_datagrams(uint32_t segment)
{
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
    for (size_t at = 0; at + segment <= sizeof(pattern); at += segment)
        put_header(pattern + at, segment);
}

static void close_sides(void)
{
    for (int host = 0; host < 2; host++) {
        if (sides[host].port == NULL)
            continue;
        veth_enter(host);
        sides[host].port->ops->close(sides[host].port);
        rj_packet_steer_close(&sides[host].steer);
        sides[host].port = NULL;
    }
}

TestSuite(packet_ring, .fini = close_sides);

/* --- both ends --- */

static int try_steer(int host, rj_ingress_way_t way, rj_packet_steer_t *steer, rj_err_t *err)
{
    const rj_packet_steer_options_t options = {.interface = veth_name(0), .way = way};
    veth_enter(host);
    return rj_packet_steer_open(steer, &options, rj_clock_mono_ns(), err);
}

/* As a driver does every second. */
static void show_life(side_t *side, int64_t alive_ns)
{
    rj_steer_maps_t *maps = &side->steer.steer.maps.maps;
    const struct rj_owner_value owner = {.alive_ns = (uint64_t)alive_ns};
    cr_assert_eq(maps->ops->put_owner(maps, OWNER, &owner), 0);
}

static void open_side(int host, uint32_t mtu_bytes, rj_ingress_way_t way)
{
    side_t *side = &sides[host];
    rj_err_t err;
    side->host = host;
    cr_assert_eq(try_steer(host, way, &side->steer, &err), 0, "%s", err.text);
    const rj_packet_ring_params_t params = {.interface_name = veth_name(0),
                                            .interface_index = veth_index(host, 0),
                                            .mtu_bytes = mtu_bytes,
                                            .filter_fd = side->steer.filter_fd,
                                            .fan_fd = -1};
    cr_assert_eq(rj_packet_ring_open(&params, &side->ring, &err), 0, "%s", err.text);
    rj_ring_front_params_t front = {.port = {.receive_batch = BATCH, .endpoint_max = ENDPOINTS},
                                    .rings = &side->ring,
                                    .ring_count = 1};
    cr_assert_eq(rj_port_open("socket", &front.port, &front.sockets, &err), 0, "%s", err.text);
    cr_assert_eq(rj_ring_front_open(&front, &side->port, &err), 0, "%s", err.text);
    rj_steer_maps_t *maps = &side->steer.steer.maps.maps;
    const struct rj_queue_value queue = {.owner = OWNER,
                                         .room_bytes = side->ring->receive_room_bytes};
    cr_assert_eq(maps->ops->put_queue(maps, 0, &queue), 0);
    show_life(side, rj_clock_mono_ns());
}

static void steer_to_ring(side_t *side, const rj_address_t *address)
{
    rj_steer_maps_t *maps = &side->steer.steer.maps.maps;
    const struct rj_channel_key key = steer_tables_key(address);
    const struct rj_channel_value value = {.channel_id = 1,
                                           .owner = OWNER,
                                           .verdict = RJ_XDP_TO_USER,
                                           .flags = RJ_XDP_CONTROL_TO_USER};
    cr_assert_eq(maps->ops->put_channel(maps, &key, &value, RJ_STEER_PUT_ANY), 0);
}

/* Both sides bound to their address and VETH_PORT, a path to each other that a ring serves. */
static void bind_sides(int family, uint32_t mtu_bytes)
{
    for (int host = 0; host < 2; host++) {
        side_t *side = &sides[host];
        veth_bind(host, family, mtu_bytes, &side->endpoint, &side->header, &side->path);
        if (side->port == NULL)
            continue;
        cr_assert_eq(side->port->ops->attach(side->port, &side->endpoint, RJ_ATTACH_HOME), 0);
        steer_to_ring(side, &side->endpoint.local);
    }
}

static void open_both(int family, uint32_t mtu_bytes, rj_ingress_way_t way)
{
    veth_up(1, (int)mtu_bytes);
    for (int host = 0; host < 2; host++)
        open_side(host, mtu_bytes, way);
    bind_sides(family, mtu_bytes);
}

static rj_run_t run_of(const side_t *side, uint32_t total, uint32_t segment)
{
    return (rj_run_t){.path = &side->path,
                      .start = pattern,
                      .total_bytes = total,
                      .segment_bytes = segment,
                      .result = -1};
}

static int poll_side(side_t *side)
{
    now_ns += 1000000;
    return side->port->ops->poll(side->port, packets, BATCH, now_ns);
}

/* veth delivers within the call that sends: what does not come at once has not been sent. */
static void expect_run(side_t *to, const side_t *from, const rj_run_t *run)
{
    uint32_t offset = 0;
    for (int count = poll_side(to); count > 0; count = poll_side(to)) {
        for (int i = 0; i < count; i++) {
            const uint32_t left = run->total_bytes - offset;
            const uint32_t length = left < run->segment_bytes ? left : run->segment_bytes;
            cr_assert_eq(packets[i].length_bytes, length, "at %u", offset);
            cr_assert_arr_eq(packets[i].data, run->start + offset, length);
            cr_assert_eq(packets[i].endpoint, &to->endpoint);
            cr_assert(rj_address_equal(&packets[i].source, &from->endpoint.local));
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

static void expect_nothing_by_sockets(void)
{
    for (int host = 0; host < 2; host++) {
        const rj_ring_front_stats_t *stats = rj_ring_front_stats(sides[host].port);
        const rj_frame_ring_stats_t *ring = &sides[host].ring->stats;
        cr_assert_eq(stats->socket_sends, 0);
        cr_assert_eq(stats->socket_receives, 0);
        cr_assert_eq(ring->rx_frames, sides[1 - host].ring->stats.tx_frames);
        cr_assert_eq(ring->rx_checksum_errors + ring->rx_malformed + ring->rx_unknown, 0);
    }
}

static uint64_t frames_of(int host, enum rj_xdp_reason reason)
{
    struct rj_count count;
    cr_assert_eq(rj_kernel_maps_get_reason(&sides[host].steer.steer.maps, reason, &count), 0);
    return count.packets;
}

/* --- datagrams both ways --- */

static void exchange(int family, uint32_t mtu_bytes, uint32_t segment_max, rj_ingress_way_t way)
{
    open_both(family, mtu_bytes, way);
    for (uint32_t segment = 32; segment <= segment_max; segment += segment < 200 ? 32 : 160) {
        make_datagrams(segment);
        for (int host = 0; host < 2; host++) {
            rj_run_t run = run_of(&sides[host], 7 * segment, segment);
            send_all(&sides[host], &run);
            expect_run(&sides[1 - host], &sides[host], &run);
        }
    }
    expect_nothing_by_sockets();
    for (int host = 0; host < 2; host++)
        cr_assert_eq(frames_of(host, RJ_XDP_REDIRECTED_DEFAULT), sides[host].ring->stats.rx_frames);
}

Test(packet_ring, carries_datagrams_of_every_size)
{
    exchange(AF_INET, 1500, SEGMENT, RJ_INGRESS_BEST);
}

Test(packet_ring, carries_datagrams_over_ipv6)
{
    exchange(AF_INET6, 1500, SEGMENT, RJ_INGRESS_BEST);
}

Test(packet_ring, carries_jumbo_frames)
{
    exchange(AF_INET, 9000, 8960, RJ_INGRESS_BEST);
}

Test(packet_ring, keeps_frames_from_the_kernel_by_a_filter_where_there_is_no_tcx)
{
    exchange(AF_INET, 1500, SEGMENT, RJ_INGRESS_FILTER);
}

Test(packet_ring, sends_more_than_a_flush_takes_in_one_call)
{
    enum { DATAGRAMS = 700, LENGTH = 96 };
    open_both(AF_INET, 1500, RJ_INGRESS_BEST);
    make_datagrams(LENGTH);
    rj_run_t run = run_of(&sides[0], DATAGRAMS * LENGTH, LENGTH);
    send_all(&sides[0], &run);
    expect_run(&sides[1], &sides[0], &run);
    cr_assert_eq(sides[0].ring->stats.tx_ring_full, 0);
    cr_assert_eq(sides[0].ring->stats.tx_kicks, (DATAGRAMS - 1) / RJ_PACKET_RING_TX_FRAMES + 1);
}

/* --- with the kernel's sockets --- */

static void expect_kernel_takes(int family)
{
    uint8_t bytes[2048];
    veth_up(1, 1500);
    open_side(0, 1500, RJ_INGRESS_BEST);
    bind_sides(family, 1500);
    make_datagrams(SEGMENT);
    for (uint32_t length = 1; length < SEGMENT; length += 5) {
        rj_run_t run = run_of(&sides[0], length, SEGMENT);
        send_all(&sides[0], &run);
        cr_assert_eq(recv(sides[1].endpoint.socket, bytes, sizeof(bytes), 0), (ssize_t)length);
        cr_assert_arr_eq(bytes, run.start, length);
    }
}

Test(packet_ring, sends_what_the_kernel_finds_right_over_ipv4)
{
    expect_kernel_takes(AF_INET);
}

Test(packet_ring, sends_what_the_kernel_finds_right_over_ipv6)
{
    expect_kernel_takes(AF_INET6);
}

/* A link that sums nothing up itself has the kernel do so, and the receiver looks. */
Test(packet_ring, sends_whole_sums_over_a_link_that_has_none)
{
    open_both(AF_INET, 1500, RJ_INGRESS_BEST);
    make_datagrams(256);
    veth_run(0, "ethtool -K %s tx off >/dev/null", veth_name(0));
    veth_run(1, "ethtool -K %s rx off >/dev/null", veth_name(0));
    rj_run_t run = run_of(&sides[0], 10 * 256, 256);
    send_all(&sides[0], &run);
    expect_run(&sides[1], &sides[0], &run);
}

static void send_by_kernel(const side_t *from, const rj_address_t *to, const uint8_t *bytes,
                           size_t length)
{
    struct sockaddr_storage address;
    const socklen_t address_bytes = rj_address_to_sockaddr(to, &address);
    cr_assert_eq(
        sendto(from->endpoint.socket, bytes, length, 0, (struct sockaddr *)&address, address_bytes),
        (ssize_t)length, "%s", strerror(errno));
}

Test(packet_ring, takes_what_local_senders_leave_the_sum_of_to_the_link)
{
    open_both(AF_INET, 1500, RJ_INGRESS_BEST);
    for (uint32_t length = 32; length <= SEGMENT; length += 128) {
        make_datagrams(length);
        const rj_run_t run = run_of(&sides[1], length, length);
        send_by_kernel(&sides[1], &sides[0].endpoint.local, pattern, length);
        expect_run(&sides[0], &sides[1], &run);
    }
    cr_assert_eq(rj_ring_front_stats(sides[0].port)->socket_receives, 0);
}

/* One packet for several datagrams is the kernel's to split: each comes once, by the socket. */
static void expect_super_frame(uint16_t segment, uint32_t datagrams)
{
    const int gso = segment;
    open_both(AF_INET, 1500, RJ_INGRESS_BEST);
    make_datagrams(segment);
    cr_assert_eq(setsockopt(sides[1].endpoint.socket, SOL_UDP, UDP_SEGMENT, &gso, sizeof(gso)), 0);
    const rj_run_t run = run_of(&sides[1], datagrams * segment, segment);
    send_by_kernel(&sides[1], &sides[0].endpoint.local, pattern, datagrams * segment);
    expect_run(&sides[0], &sides[1], &run);
    cr_assert_eq(rj_ring_front_stats(sides[0].port)->socket_receives, datagrams);
    cr_assert_eq(sides[0].ring->stats.rx_frames, 0);
    cr_assert_eq(frames_of(0, RJ_XDP_PASS_OVERSIZE), 1);
}

Test(packet_ring, leaves_a_super_frame_to_the_socket)
{
    expect_super_frame(1344, 30);
}

Test(packet_ring, leaves_a_super_frame_to_the_socket_that_would_fit)
{
    expect_super_frame(96, 5);
}

Test(packet_ring, leaves_alone_what_is_not_steered)
{
    open_both(AF_INET, 1500, RJ_INGRESS_BEST);
    make_datagrams(128);
    rj_steer_maps_t *maps = &sides[0].steer.steer.maps.maps;
    const struct rj_channel_key key = steer_tables_key(&sides[0].endpoint.local);
    uint8_t bytes[256];
    /* No Aeron frame. */
    send_by_kernel(&sides[1], &sides[0].endpoint.local, pattern + 1, 100);
    cr_assert_eq(poll_side(&sides[0]), 1);
    cr_assert_eq(packets[0].length_bytes, 100);
    cr_assert_eq(rj_ring_front_stats(sides[0].port)->socket_receives, 1);
    /* No channel. */
    cr_assert_eq(maps->ops->remove_channel(maps, &key), 0);
    send_by_kernel(&sides[1], &sides[0].endpoint.local, pattern, 128);
    cr_assert_eq(recv(sides[0].endpoint.socket, bytes, sizeof(bytes), 0), 128);
    cr_assert_eq(poll_side(&sides[0]), 0);
    cr_assert_eq(sides[0].ring->stats.rx_frames, 0);
    cr_assert_eq(frames_of(0, RJ_XDP_PASS_NOT_AERON), 1);
    cr_assert_eq(frames_of(0, RJ_XDP_PASS_NO_CHANNEL), 1);
}

/* Frames with a tag are the kernel's, unless a rule names their VLAN. It has taken the tag off. */
Test(packet_ring, knows_the_vlan_of_a_frame)
{
    uint8_t frame[256];
    open_both(AF_INET, 1500, RJ_INGRESS_BEST);
    make_datagrams(128);
    const int raw = veth_open_raw(1, 0);
    const uint32_t bytes = sides[1].header.length_bytes + 128 + 4;
    rj_path_header_put(&sides[1].header, frame + 4);
    rj_path_header_finish(&sides[1].header, frame + 4, 128, rj_checksum_add(pattern, 128, 0), 1);
    memcpy(frame + 4 + sides[1].header.length_bytes, pattern, 128);
    memmove(frame, frame + 4, 12);
    memcpy(frame + 12, "\x81\x00\x00\x64", 4);
    cr_assert_eq(write(raw, frame, bytes), (ssize_t)bytes);
    cr_assert_eq(poll_side(&sides[0]), 0);
    cr_assert_eq(frames_of(0, RJ_XDP_PASS_NO_CHANNEL), 1);
    rj_steer_maps_t *maps = &sides[0].steer.steer.maps.maps;
    struct rj_channel_key key = steer_tables_key(&sides[0].endpoint.local);
    const struct rj_channel_value value = {
        .channel_id = 2, .owner = OWNER, .verdict = RJ_XDP_TO_USER};
    key.vlan = 100;
    cr_assert_eq(maps->ops->put_channel(maps, &key, &value, RJ_STEER_PUT_ANY), 0);
    cr_assert_eq(write(raw, frame, bytes), (ssize_t)bytes);
    cr_assert_eq(poll_side(&sides[0]), 1);
    cr_assert_arr_eq(packets[0].data, pattern, 128);
    cr_assert_eq(frames_of(0, RJ_XDP_REDIRECTED_DEFAULT), 1);
    close(raw);
}

/* --- full rings, links that go --- */

Test(packet_ring, counts_what_a_full_ring_has_lost)
{
    enum { LENGTH = 64, EXTRA = 500 };
    rj_frame_ring_look_t look;
    open_both(AF_INET, 1500, RJ_INGRESS_BEST);
    make_datagrams(LENGTH);
    const uint32_t sent = RJ_PACKET_RING_RX_FRAMES_DEFAULT + EXTRA;
    rj_run_t run = run_of(&sides[1], sent * LENGTH, LENGTH);
    send_all(&sides[1], &run);
    run.total_bytes = RJ_PACKET_RING_RX_FRAMES_DEFAULT * LENGTH;
    expect_run(&sides[0], &sides[1], &run);
    for (int i = 0; i < 2; i++) {
        sides[0].ring->ops->look(sides[0].ring, &look);
        cr_assert_eq(look.lost_full, EXTRA, "%lu", look.lost_full);
        cr_assert(look.is_bound);
    }
    run = run_of(&sides[1], 10 * LENGTH, LENGTH);
    send_all(&sides[1], &run);
    expect_run(&sides[0], &sides[1], &run);
}

Test(packet_ring, pushes_back_while_the_link_is_down_and_sends_it_all_later)
{
    enum { LENGTH = 192, DATAGRAMS = RJ_PACKET_RING_TX_FRAMES + 50 };
    static uint8_t sent[DATAGRAMS * LENGTH];
    open_both(AF_INET, 1500, RJ_INGRESS_BEST);
    make_datagrams(LENGTH);
    veth_run(0, "ip link set %s down", veth_name(0));
    memcpy(sent, pattern, sizeof(sent));
    rj_run_t run = run_of(&sides[0], DATAGRAMS * LENGTH, LENGTH);
    run.start = sent;
    cr_assert_eq(sides[0].port->ops->send(sides[0].port, &run, 1), 1);
    cr_assert_eq(run.result, RJ_PACKET_RING_TX_FRAMES * LENGTH, "%d", run.result);
    cr_assert_eq(sides[0].port->ops->reclaim(sides[0].port), 1, "the bytes are free all the same");
    memset(sent, 0, sizeof(sent));
    cr_assert_eq(sides[0].port->ops->send(sides[0].port, &run, 1), 1);
    cr_assert_eq(run.result, 0);
    veth_run(0, "ip link set %s up", veth_name(0));
    veth_run(0, "ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:99 dev %s", veth_name(0));
    poll_side(&sides[0]);
    const rj_run_t first = run_of(&sides[0], RJ_PACKET_RING_TX_FRAMES * LENGTH, LENGTH);
    expect_run(&sides[1], &sides[0], &first);
}

Test(packet_ring, drops_and_counts_what_a_lowered_mtu_refuses)
{
    open_both(AF_INET, 1500, RJ_INGRESS_BEST);
    make_datagrams(SEGMENT);
    veth_run(0, "ip link set %s mtu 1000", veth_name(0));
    rj_run_t run = run_of(&sides[0], 2 * SEGMENT + 96, SEGMENT);
    send_all(&sides[0], &run);
    cr_assert_eq(sides[0].ring->stats.tx_refused, 2);
    cr_assert_eq(poll_side(&sides[1]), 1, "the short one");
    cr_assert_eq(packets[0].length_bytes, 96);
}

Test(packet_ring, goes_on_by_sockets_when_the_interface_is_gone)
{
    rj_frame_ring_look_t look;
    open_both(AF_INET, 1500, RJ_INGRESS_BEST);
    make_datagrams(96);
    veth_run(0, "ip link del %s", veth_name(0));
    rj_run_t run = run_of(&sides[0], 96, 96);
    sides[0].port->ops->send(sides[0].port, &run, 1);
    cr_assert_eq(poll_side(&sides[0]), 0);
    cr_assert_eq(sides[0].port->ops->send(sides[0].port, &run, 1), 1);
    cr_assert_lt(run.result, 0, "the kernel knows no way either, and says so");
    sides[0].ring->ops->look(sides[0].ring, &look);
    cr_assert_not(look.is_bound);
    rj_steer_maps_t *maps = &sides[0].steer.steer.maps.maps;
    cr_assert_not(maps->ops->is_attached(maps));
}

/* --- the program at the ingress --- */

static bool has_program(int host)
{
    rj_attached_t attached;
    veth_enter(host);
    rj_ingress_look(veth_index(host, 0), &attached);
    return attached.program_id != 0;
}

static void expect_gone_when_closed(rj_ingress_way_t way)
{
    open_both(AF_INET, 1500, way);
    rj_steer_maps_t *maps = &sides[0].steer.steer.maps.maps;
    veth_enter(0);
    cr_assert(maps->ops->is_attached(maps));
    cr_assert(has_program(0));
    close_sides();
    cr_assert_not(has_program(0));
    cr_assert_not(has_program(1));
}

Test(packet_ring, leaves_no_link_behind)
{
    expect_gone_when_closed(RJ_INGRESS_LINK);
}

Test(packet_ring, leaves_no_filter_behind)
{
    expect_gone_when_closed(RJ_INGRESS_FILTER);
}

/* As a killed driver would have left it: the filter is there, and no sign of life. */
Test(packet_ring, gives_the_kernel_what_a_dead_driver_would_have_taken)
{
    uint8_t bytes[256];
    rj_packet_steer_t other;
    rj_err_t err;
    open_both(AF_INET, 1500, RJ_INGRESS_FILTER);
    make_datagrams(128);
    send_by_kernel(&sides[1], &sides[0].endpoint.local, pattern, 128);
    cr_assert_eq(recv(sides[0].endpoint.socket, bytes, sizeof(bytes), 0), -1);
    cr_assert_eq(poll_side(&sides[0]), 1);
    cr_assert_eq(try_steer(0, RJ_INGRESS_FILTER, &other, &err), -EBUSY);
    cr_assert_not_null(strstr(err.text, "another driver"), "%s", err.text);

    show_life(&sides[0], rj_clock_mono_ns() - RJ_XDP_OWNER_TIMEOUT_NS);
    send_by_kernel(&sides[1], &sides[0].endpoint.local, pattern, 128);
    cr_assert_eq(recv(sides[0].endpoint.socket, bytes, sizeof(bytes), 0), 128);
    cr_assert_eq(poll_side(&sides[0]), 0);
    cr_assert_eq(try_steer(0, RJ_INGRESS_FILTER, &other, &err), 0, "%s", err.text);
    rj_packet_steer_close(&other);
}

Test(packet_ring, refuses_a_place_that_another_has)
{
    rj_packet_steer_t other;
    rj_err_t err;
    veth_up(1, 1500);
    open_side(0, 1500, RJ_INGRESS_BEST);
    cr_assert_eq(try_steer(0, RJ_INGRESS_BEST, &other, &err), -EBUSY);
    cr_assert_not_null(strstr(err.text, "rjv0: another driver receives there"), "%s", err.text);
    rj_steer_t steer;
    const rj_steer_options_t xdp = {.interface = veth_name(0),
                                    .attach_if = RJ_STEER_ATTACH_IF_NONE};
    veth_enter(1);
    cr_assert_eq(rj_steer_open(&steer, &xdp, NOW_NS, &err), 0, "%s", err.text);
    cr_assert_eq(try_steer(1, RJ_INGRESS_BEST, &other, &err), -EBUSY);
    cr_assert_not_null(strstr(err.text, "--transport xdp"), "%s", err.text);
    rj_steer_close(&steer);
}

Test(packet_ring, is_found_by_those_who_look)
{
    rj_steer_t steer;
    rj_err_t err;
    rj_steer_options_t options = {.interface = veth_name(0), .attach_if = RJ_STEER_LOOK};
    veth_up(1, 1500);
    open_side(0, 1500, RJ_INGRESS_BEST);
    cr_assert_eq(rj_steer_open(&steer, &options, NOW_NS, &err), 0, "%s", err.text);
    cr_assert_eq(steer.mode, RJ_XDP_MODE_PACKET);
    cr_assert_eq(steer.maps.program_id, sides[0].steer.steer.maps.program_id);
    rj_steer_close(&steer);
    options.attach_if = RJ_STEER_USE_ONLY;
    cr_assert_eq(rj_steer_open(&steer, &options, NOW_NS, &err), -ENOENT, "for XDP it is free");
}

static void drop_capability(int capability)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    cr_assert_eq(syscall(SYS_capget, &header, data), 0);
    data[capability / 32].effective &= ~(1U << capability % 32);
    cr_assert_eq(syscall(SYS_capset, &header, data), 0);
}

Test(packet_ring, says_that_it_needs_a_capability)
{
    rj_frame_ring_t *ring;
    rj_packet_steer_t steer;
    rj_err_t err;
    veth_up(1, 1500);
    veth_enter(0);
    const rj_packet_ring_params_t params = {.interface_name = veth_name(0),
                                            .interface_index = veth_index(0, 0),
                                            .mtu_bytes = 1500,
                                            .filter_fd = -1,
                                            .fan_fd = -1};
    drop_capability(CAP_NET_RAW);
    cr_assert_eq(rj_packet_ring_open(&params, &ring, &err), -EPERM);
    cr_assert_not_null(strstr(err.text, "CAP_NET_RAW"), "%s", err.text);
    drop_capability(CAP_BPF);
    drop_capability(CAP_SYS_ADMIN);
    const rj_packet_steer_options_t options = {.interface = veth_name(0)};
    cr_assert_eq(rj_packet_steer_open(&steer, &options, NOW_NS, &err), -EPERM);
    cr_assert_not_null(strstr(err.text, "CAP_BPF"), "%s", err.text);
}
