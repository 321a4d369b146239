/* SPDX-License-Identifier: Apache-2.0 */
/* One queue of a DPDK port: net_ring, which brings back what is sent, buffer by buffer. Each test
 * is a process with a network of its own. */
#include "dpdk/dpdk_ring.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <rte_ethdev.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checksum.h"
#include "dpdk/eal.h"
#include "transport/datagram.h"
#include "transport/path.h"
#include "transport/path_header.h"

enum { PORT = 24325, OWNER = 9, PAYLOAD = 1344, SCRATCH = 20000 };

static const char arguments[] = "--no-huge --no-pci -m 64 --vdev=net_ring0";

static rj_dpdk_port_t port;
static rj_frame_ring_t *ring;
static rj_path_header_t header;
static rj_path_t path;
static uint8_t payload[4 * PAYLOAD];
static uint8_t scratch[SCRATCH];

/* --- a port that hears itself --- */

/* A data frame, as far as steering looks: the type, and lengths that are multiples of 32. */
static void fill_payload(void)
{
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 7 + i / PAYLOAD);
    for (size_t at = 0; at < sizeof(payload); at += PAYLOAD) {
        memset(payload + at, 0, 32);
        payload[at] = (uint8_t)(PAYLOAD & 0xff);
        payload[at + 1] = (uint8_t)(PAYLOAD >> 8);
        payload[at + 6] = 1;
    }
}

static void steer(rj_steer_maps_t *maps, const rj_address_t *to)
{
    struct rj_channel_key key = {.port = to->port, .address = {[10] = 0xff, [11] = 0xff}};
    const struct rj_channel_value channel = {
        .channel_id = 1, .owner = OWNER, .verdict = RJ_XDP_TO_USER};
    const struct rj_queue_value queue = {.owner = OWNER, .room_bytes = UINT16_MAX};
    memcpy(key.address + 12, to->bytes, 4);
    cr_assert_eq(maps->ops->put_channel(maps, &key, &channel, RJ_STEER_PUT_NEW), 0);
    cr_assert_eq(maps->ops->put_queue(maps, 0, &queue), 0);
}

static void open_ring(void)
{
    rj_err_t err = {0};
    const rj_dpdk_port_params_t params = {.queue_count = 1, .tap_name = "rjtap"};
    cr_assert_eq(unshare(CLONE_NEWNET), 0);
    cr_assert_eq(rj_eal_open(arguments, &err), 0, "%s", err.text);
    cr_assert_eq(rj_dpdk_port_open(&port, &params, &err), 0, "%s", err.text);
    cr_assert_eq(rj_dpdk_ring_open(&ring, &port, 0, &err), 0, "%s", err.text);

    const rj_address_t from = rj_address_ipv4((const uint8_t[]){10, 0, 0, 1}, 1000);
    const rj_address_t to = rj_address_ipv4((const uint8_t[]){10, 0, 0, 2}, PORT);
    rj_path_header_hop_t hop = {
        .interface_index = port.interface_index, .mtu_bytes = port.mtu_bytes, .ttl = 64};
    memcpy(hop.source_mac, port.mac, 6);
    memcpy(hop.destination_mac, port.mac, 6);
    rj_path_header_init(&header, &hop, &from, &to);
    path.header = &header;
    fill_payload();
    steer(&port.steering.maps, &to);
}

static void close_ring(void)
{
    ring->ops->close(ring);
    rj_dpdk_port_close(&port);
    rj_eal_close();
}

static rj_run_t run_of(uint32_t bytes)
{
    return (rj_run_t){
        .path = &path, .start = payload, .total_bytes = bytes, .segment_bytes = PAYLOAD};
}

static void send_all(uint32_t bytes)
{
    const rj_run_t run = run_of(bytes);
    cr_assert_eq(ring->ops->put(ring, &run, 0), bytes);
    cr_assert(ring->has_unsent);
    ring->ops->flush(ring);
    cr_assert(!ring->has_unsent);
}

static rj_datagram_t next_datagram(void)
{
    rj_ring_frame_t frame = {0};
    rj_datagram_t datagram = {0};
    cr_assert(ring->ops->next(ring, scratch, &frame));
    cr_assert_eq(rj_datagram_parse(frame.bytes, frame.length_bytes, ring->interface_index,
                                   RJ_DATAGRAM_SUM_OPEN, &datagram),
                 RJ_DATAGRAM_GOOD);
    return datagram;
}

static bool is_nothing_there(void)
{
    rj_ring_frame_t frame;
    return !ring->ops->next(ring, scratch, &frame);
}

/* --- what goes round --- */

Test(dpdk_ring, brings_a_run_as_datagrams_that_stay_until_the_next_poll)
{
    open_ring();
    const uint32_t bytes = 2 * PAYLOAD + 352;
    send_all(bytes);
    ring->ops->begin(ring);
    rj_datagram_t got[3];
    for (int i = 0; i < 3; i++)
        got[i] = next_datagram();
    cr_assert(is_nothing_there());
    ring->ops->end(ring);
    for (uint32_t i = 0; i < 3; i++) {
        const uint32_t length = i < 2 ? PAYLOAD : 352;
        cr_assert_eq(got[i].payload_bytes, length);
        cr_assert_eq(memcmp(got[i].payload, payload + i * PAYLOAD, length), 0);
        cr_assert_eq(got[i].destination.port, PORT);
    }
    cr_assert_eq(ring->stats.tx_frames, 3);
    cr_assert_eq(ring->stats.rx_frames, 3);
    close_ring();
}

Test(dpdk_ring, starts_a_run_where_it_was_left)
{
    open_ring();
    const rj_run_t run = run_of(3 * PAYLOAD);
    cr_assert_eq(ring->ops->put(ring, &run, 2 * PAYLOAD), PAYLOAD);
    ring->ops->flush(ring);
    ring->ops->begin(ring);
    const rj_datagram_t datagram = next_datagram();
    cr_assert_eq(memcmp(datagram.payload, payload + 2 * PAYLOAD, PAYLOAD), 0);
    close_ring();
}

/* The card completes what is only begun: the sum of the pseudo-header, which parsing takes too. */
Test(dpdk_ring, leaves_sums_to_a_card_that_makes_them)
{
    rj_ring_frame_t frame;
    uint16_t sums[2];
    open_ring();
    for (int i = 0; i < 2; i++) {
        port.has_sums = i == 1;
        send_all(PAYLOAD);
        ring->ops->begin(ring);
        cr_assert(ring->ops->next(ring, scratch, &frame));
        memcpy(&sums[i], frame.bytes + RJ_PATH_HEADER_IPV4_BYTES - 2, 2);
        rj_datagram_t datagram;
        cr_assert_eq(
            rj_datagram_parse(frame.bytes, frame.length_bytes, 1, RJ_DATAGRAM_SUM_OPEN, &datagram),
            RJ_DATAGRAM_GOOD);
        cr_assert_eq(memcmp(datagram.payload, payload, PAYLOAD), 0);
    }
    cr_assert_neq(sums[0], sums[1]);
    close_ring();
}

/* --- room --- */

Test(dpdk_ring, is_full_when_the_port_takes_no_more_and_loses_nothing)
{
    open_ring();
    uint32_t sent = 0;
    uint32_t got = 0;
    const rj_run_t run = run_of(PAYLOAD);
    while (ring->ops->put(ring, &run, 0) > 0) {
        sent++;
        ring->ops->flush(ring);
        cr_assert_lt(sent, 100000);
    }
    cr_assert_gt(sent, RJ_DPDK_WAITING_MAX);
    for (int polls = 0; got < sent && polls < 1000; polls++) {
        ring->ops->begin(ring);
        for (int i = 0; i < 64 && got < sent; i++) {
            rj_ring_frame_t frame;
            if (!ring->ops->next(ring, scratch, &frame))
                break;
            got++;
        }
        ring->ops->end(ring);
    }
    cr_assert_eq(got, sent);
    cr_assert_eq(ring->ops->put(ring, &run, 0), PAYLOAD, "there is room again");
    close_ring();
}

/* --- what others put there --- */

static struct rte_mbuf *buffer_of(const uint8_t *bytes, uint32_t length)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port.buffers);
    cr_assert_not_null(mbuf);
    memcpy(rte_pktmbuf_append(mbuf, (uint16_t)length), bytes, length);
    return mbuf;
}

static uint32_t build_frame(uint8_t *frame)
{
    rj_path_header_put(&header, frame);
    memcpy(frame + header.length_bytes, payload, PAYLOAD);
    rj_path_header_finish(&header, frame, PAYLOAD, rj_checksum_add(payload, PAYLOAD, 0), 1);
    return header.length_bytes + PAYLOAD;
}

static void inject(struct rte_mbuf *mbuf)
{
    cr_assert_eq(rte_eth_tx_burst(port.id, 0, &mbuf, 1), 1);
}

Test(dpdk_ring, puts_together_what_lies_in_several_buffers)
{
    uint8_t frame[2000];
    open_ring();
    const uint32_t length = build_frame(frame);
    struct rte_mbuf *first = buffer_of(frame, 500);
    cr_assert_eq(rte_pktmbuf_chain(first, buffer_of(frame + 500, length - 500)), 0);
    inject(first);
    ring->ops->begin(ring);
    const rj_datagram_t datagram = next_datagram();
    cr_assert_eq(datagram.payload_bytes, PAYLOAD);
    cr_assert_eq(memcmp(datagram.payload, payload, PAYLOAD), 0);
    cr_assert_eq(ring->stats.rx_linearised, 1);
    close_ring();
}

Test(dpdk_ring, counts_frames_that_the_card_found_damaged)
{
    uint8_t frame[2000];
    open_ring();
    struct rte_mbuf *mbuf = buffer_of(frame, build_frame(frame));
    mbuf->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_BAD;
    inject(mbuf);
    ring->ops->begin(ring);
    cr_assert(is_nothing_there());
    cr_assert_eq(ring->stats.rx_checksum_errors, 1);
    close_ring();
}

Test(dpdk_ring, tells_which_sums_the_card_has_found_right)
{
    uint8_t bytes[2000];
    rj_ring_frame_t frame;
    rj_datagram_t datagram;
    open_ring();
    const uint32_t length = build_frame(bytes);
    bytes[RJ_PATH_HEADER_IPV4_BYTES - 1] ^= 1;
    for (int i = 0; i < 2; i++) {
        struct rte_mbuf *mbuf = buffer_of(bytes, length);
        mbuf->ol_flags |= i == 1 ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : 0;
        inject(mbuf);
        ring->ops->begin(ring);
        cr_assert(ring->ops->next(ring, scratch, &frame));
        cr_assert_eq(frame.has_right_sum, i == 1);
    }
    cr_assert_eq(rj_datagram_parse(frame.bytes, length, 1, RJ_DATAGRAM_SUM_OPEN, &datagram),
                 RJ_DATAGRAM_CHECKSUM);
    cr_assert_eq(rj_datagram_parse(frame.bytes, length, 1, RJ_DATAGRAM_SUM_RIGHT, &datagram),
                 RJ_DATAGRAM_GOOD);
    close_ring();
}

/* --- the kernel --- */

static int packet_socket(void)
{
    const int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = (int)port.interface_index};
    cr_assert_geq(fd, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Frames of IPv6 that the kernel sends by itself are not meant. */
static bool hears_frame(int fd, const uint8_t *frame, uint32_t length)
{
    struct pollfd waits = {.fd = fd, .events = POLLIN};
    uint8_t heard[2048];
    while (poll(&waits, 1, 5000) == 1) {
        const ssize_t got = recv(fd, heard, sizeof(heard), 0);
        if (got == (ssize_t)length && memcmp(heard, frame, length) == 0)
            return true;
    }
    return false;
}

static void foreign_frame(uint8_t frame[60])
{
    memset(frame, 0, 60);
    memset(frame, 0xff, 6);
    memcpy(frame + 6, "\2\0\0\0\0\1", 6);
    frame[12] = 0x88;
    frame[13] = 0xb5; /* for experiments */
    frame[20] = 77;
}

Test(dpdk_ring, gives_the_kernel_what_is_not_ours)
{
    uint8_t frame[60];
    open_ring();
    const int fd = packet_socket();
    foreign_frame(frame);
    inject(buffer_of(frame, sizeof(frame)));
    send_all(PAYLOAD);
    ring->ops->begin(ring);
    const rj_datagram_t datagram = next_datagram();
    cr_assert_eq(datagram.payload_bytes, PAYLOAD);
    cr_assert(hears_frame(fd, frame, sizeof(frame)));
    cr_assert_geq(rj_dpdk_ring_stats(ring)->to_kernel, 1);
    cr_assert_eq(ring->stats.rx_frames, 1);
    close(fd);
    close_ring();
}

/* It comes back, and goes to the kernel again. */
Test(dpdk_ring, sends_what_the_kernel_sends)
{
    uint8_t frame[60];
    open_ring();
    const int fd = packet_socket();
    foreign_frame(frame);
    cr_assert_eq(send(fd, frame, sizeof(frame), 0), (ssize_t)sizeof(frame));
    for (int polls = 0; rj_dpdk_ring_stats(ring)->to_kernel == 0; polls++) {
        ring->ops->begin(ring);
        cr_assert(is_nothing_there());
        cr_assert_lt(polls, 1000000);
    }
    cr_assert(hears_frame(fd, frame, sizeof(frame)));
    cr_assert_geq(rj_dpdk_ring_stats(ring)->from_kernel, 1);
    close(fd);
    close_ring();
}

/* The kernel's flags follow the carrier in their own time. */
static bool comes_to_run(int fd, bool is_running)
{
    struct ifreq request = {.ifr_name = "rjtap"};
    for (int looks = 0; looks < 500; looks++) {
        cr_assert_eq(ioctl(fd, SIOCGIFFLAGS, &request), 0);
        if (((request.ifr_flags & IFF_RUNNING) != 0) == is_running)
            return true;
        poll(NULL, 0, 10);
    }
    return false;
}

Test(dpdk_ring, gives_the_kernels_interface_address_mtu_and_carrier_of_the_port)
{
    struct ifreq request = {.ifr_name = "rjtap"};
    rj_frame_ring_look_t look;
    open_ring();
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    cr_assert_eq(ioctl(fd, SIOCGIFHWADDR, &request), 0);
    cr_assert_eq(memcmp(request.ifr_hwaddr.sa_data, port.mac, 6), 0);
    cr_assert_eq(ioctl(fd, SIOCGIFMTU, &request), 0);
    cr_assert_eq((uint32_t)request.ifr_mtu, port.mtu_bytes);
    ring->ops->look(ring, &look);
    cr_assert(look.is_bound);
    cr_assert(comes_to_run(fd, true));
    cr_assert_eq(rte_eth_dev_set_link_down(port.id), 0);
    ring->ops->look(ring, &look);
    cr_assert(comes_to_run(fd, false));
    cr_assert_eq(rte_eth_dev_set_link_up(port.id), 0);
    ring->ops->look(ring, &look);
    cr_assert(comes_to_run(fd, true));
    close(fd);
    close_ring();
    cr_assert_eq(if_nametoindex("rjtap"), 0);
}

/* --- the environment --- */

Test(dpdk_ring, leaves_the_thread_and_its_signals_as_they_were)
{
    cpu_set_t before, after;
    struct sigaction actions[32], now;
    rj_err_t err;
    cr_assert_eq(sched_getaffinity(0, sizeof(before), &before), 0);
    for (int i = 1; i < 32; i++)
        sigaction(i, NULL, &actions[i]);
    cr_assert_eq(rj_eal_open("--no-huge --no-pci -m 16", &err), 0, "%s", err.text);
    cr_assert_eq(sched_getaffinity(0, sizeof(after), &after), 0);
    cr_assert(CPU_EQUAL(&before, &after));
    for (int i = 1; i < 32; i++) {
        sigaction(i, NULL, &now);
        cr_assert_eq(now.sa_handler, actions[i].sa_handler, "signal %d", i);
    }
    cr_assert_eq(rj_eal_open("", &err), -EALREADY);
    rj_eal_close();
}

Test(dpdk_ring, says_why_dpdk_does_not_start)
{
    rj_err_t err = {0};
    cr_assert_lt(rj_eal_open("--no-huge --no-pci --vdev=net_nonsense0", &err), 0);
    cr_assert_neq(err.text[0], '\0');
    cr_assert_null(strchr(err.text, '\n'));
}

Test(dpdk_ring, takes_no_argument_that_would_end_the_process)
{
    rj_err_t err = {0};
    cr_assert_eq(rj_eal_open("--no-huge --help", &err), -EINVAL);
    cr_assert_eq(rj_eal_open("-h", &err), -EINVAL);
}
