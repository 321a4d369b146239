/* SPDX-License-Identifier: Apache-2.0 */
#include "dpdk/dpdk_ring.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/checksum.h"
#include "dpdk/eal.h"
#include "transport/path.h"
#include "transport/path_header.h"

enum {
    IPV4_BYTES = 20,
    IPV6_BYTES = 40,
    BURST = 32,
    LINK_BYTES = 18,        /* Ethernet header and one VLAN tag */
    KERNEL_LOOK_EVERY = 16, /* polls, while frames come */
    KERNEL_FRAMES_MAX = 32, /* in one look */
    FOREIGN_MAX = 256,      /* frames for the kernel in one poll */
};

typedef struct dpdk_ring {
    rj_frame_ring_t base;
    rj_dpdk_port_t *port;
    bool has_entered; /* the thread that polls knows DPDK */
    bool is_flush_due;
    uint32_t foreign;  /* frames of this poll that were not ours */
    uint32_t quiet;    /* polls since the last look at the kernel */
    uint32_t received; /* frames of this poll */
    struct rte_mbuf *burst[BURST];
    uint32_t burst_at, burst_count;
    struct rte_mbuf *held[RJ_DPDK_HELD_MAX]; /* given, until the next poll */
    uint32_t held_count;
    struct rte_mbuf *waiting[RJ_DPDK_WAITING_MAX];
    uint32_t waiting_count;
    rj_dpdk_ring_stats_t stats;
} dpdk_ring_t;

static dpdk_ring_t *from_ring(rj_frame_ring_t *ring)
{
    return (dpdk_ring_t *)ring;
}

/* --- send --- */

static bool is_gone(const dpdk_ring_t *ring)
{
    return __atomic_load_n(&ring->port->is_removed, __ATOMIC_RELAXED);
}

/* Until DPDK takes no more; what it leaves keeps its order. */
static void push(dpdk_ring_t *ring)
{
    uint32_t sent = 0;
    while (sent < ring->waiting_count) {
        const uint16_t taken =
            rte_eth_tx_burst(ring->port->id, (uint16_t)ring->base.queue, ring->waiting + sent,
                             (uint16_t)(ring->waiting_count - sent));
        rj_frame_ring_count(&ring->base.stats.tx_kicks, 1);
        if (taken == 0)
            break;
        sent += taken;
    }
    ring->waiting_count -= sent;
    if (sent > 0 && ring->waiting_count > 0)
        memmove(ring->waiting, ring->waiting + sent,
                ring->waiting_count * sizeof(ring->waiting[0]));
}

/* The card adds up the payload: in the field stands the sum of the pseudo-header. */
static void leave_sum_to_card(struct rte_mbuf *mbuf, const rj_path_header_t *header)
{
    const bool is_ipv4 = header->length_bytes == RJ_PATH_HEADER_IPV4_BYTES;
    mbuf->l2_len = RTE_ETHER_HDR_LEN;
    mbuf->l3_len = is_ipv4 ? IPV4_BYTES : IPV6_BYTES;
    mbuf->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM | (is_ipv4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6);
}

static bool put_datagram(dpdk_ring_t *ring, const rj_path_header_t *header, const uint8_t *payload,
                         uint32_t length)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(ring->port->buffers);
    if (mbuf == NULL)
        return false;
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
    const uint16_t identification = ring->base.identification++;
    rj_path_header_put(header, frame);
    if (ring->port->has_sums) {
        memcpy(frame + header->length_bytes, payload, length);
        rj_path_header_finish_partial(header, frame, length, identification);
        leave_sum_to_card(mbuf, header);
    } else {
        const uint64_t sum = rj_checksum_copy(frame + header->length_bytes, payload, length, 0);
        rj_path_header_finish(header, frame, length, sum, identification);
    }
    mbuf->data_len = (uint16_t)(header->length_bytes + length);
    mbuf->pkt_len = mbuf->data_len;
    ring->waiting[ring->waiting_count++] = mbuf;
    return true;
}

static uint32_t dpdk_put(rj_frame_ring_t *base, const rj_run_t *run, uint32_t offset)
{
    dpdk_ring_t *ring = from_ring(base);
    const rj_path_header_t *header = run->path->header;
    uint32_t taken = 0;
    while (offset + taken < run->total_bytes && ring->waiting_count < RJ_DPDK_WAITING_MAX) {
        const uint32_t left = run->total_bytes - offset - taken;
        const uint32_t length = left < run->segment_bytes ? left : run->segment_bytes;
        if (!put_datagram(ring, header, run->start + offset + taken, length))
            break;
        taken += length;
        rj_frame_ring_count(&base->stats.tx_frames, 1);
    }
    base->has_unsent |= taken > 0;
    return taken;
}

static void dpdk_flush(rj_frame_ring_t *base)
{
    dpdk_ring_t *ring = from_ring(base);
    base->has_unsent = false;
    base->is_gone = is_gone(ring);
    if (!base->is_gone && ring->waiting_count > 0)
        push(ring);
}

/* --- the kernel's frames --- */

/* Our own frames have the room first: the kernel's protocols know loss. */
static void send_for_kernel(dpdk_ring_t *ring)
{
    const rj_tap_t *tap = &ring->port->tap;
    for (int i = 0; i < KERNEL_FRAMES_MAX && ring->waiting_count < RJ_DPDK_WAITING_MAX; i++) {
        struct rte_mbuf *mbuf = rte_pktmbuf_alloc(ring->port->buffers);
        if (mbuf == NULL)
            return;
        const uint32_t length =
            rj_tap_read(tap, rte_pktmbuf_mtod(mbuf, uint8_t *), rte_pktmbuf_tailroom(mbuf));
        if (length == 0) {
            rte_pktmbuf_free(mbuf);
            return;
        }
        mbuf->data_len = (uint16_t)length;
        mbuf->pkt_len = length;
        ring->waiting[ring->waiting_count++] = mbuf;
        rj_frame_ring_count(&ring->stats.from_kernel, 1);
    }
}

static void give_to_kernel(dpdk_ring_t *ring, const uint8_t *frame, uint32_t length)
{
    const rj_tap_t *tap = &ring->port->tap;
    ring->foreign++;
    if (tap->fd < 0)
        rj_frame_ring_count(&ring->stats.left, 1);
    else if (rj_tap_write(tap, frame, length))
        rj_frame_ring_count(&ring->stats.to_kernel, 1);
    else
        rj_frame_ring_count(&ring->stats.kernel_lost, 1);
}

/* --- receive --- */

static void give_back(dpdk_ring_t *ring)
{
    if (ring->held_count > 0)
        rte_pktmbuf_free_bulk(ring->held, ring->held_count);
    ring->held_count = 0;
}

static void dpdk_begin(rj_frame_ring_t *base)
{
    dpdk_ring_t *ring = from_ring(base);
    if (!ring->has_entered) {
        rj_eal_enter();
        ring->has_entered = true;
    }
    give_back(ring);
    const bool is_calm = ring->received == 0 || ++ring->quiet >= KERNEL_LOOK_EVERY;
    if (is_calm && base->queue == 0 && ring->port->tap.fd >= 0) {
        ring->quiet = 0;
        send_for_kernel(ring);
    }
    ring->received = 0;
    ring->foreign = 0;
    dpdk_flush(base);
}

static struct rte_mbuf *take(dpdk_ring_t *ring)
{
    if (ring->held_count == RJ_DPDK_HELD_MAX || ring->base.is_gone)
        return NULL;
    if (ring->burst_at == ring->burst_count) {
        ring->burst_at = 0;
        ring->burst_count =
            rte_eth_rx_burst(ring->port->id, (uint16_t)ring->base.queue, ring->burst, BURST);
    }
    if (ring->burst_at == ring->burst_count)
        return NULL;
    struct rte_mbuf *mbuf = ring->burst[ring->burst_at++];
    ring->held[ring->held_count++] = mbuf;
    ring->received++;
    return mbuf;
}

/* One that lies in several buffers is copied; NULL: it does not fit. */
static uint8_t *whole(dpdk_ring_t *ring, struct rte_mbuf *mbuf, uint8_t *scratch)
{
    if (mbuf->nb_segs == 1)
        return rte_pktmbuf_mtod(mbuf, uint8_t *);
    if (mbuf->pkt_len > ring->base.scratch_bytes)
        return NULL;
    uint32_t at = 0;
    for (const struct rte_mbuf *part = mbuf; part != NULL; part = part->next) {
        memcpy(scratch + at, rte_pktmbuf_mtod(part, const uint8_t *), part->data_len);
        at += part->data_len;
    }
    rj_frame_ring_count(&ring->base.stats.rx_linearised, 1);
    return scratch;
}

/* What the card has found out about the sum: a frame that it knows to be damaged is nobody's. */
static bool has_found(const struct rte_mbuf *mbuf, uint64_t flag)
{
    return (mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == flag;
}

static bool dpdk_next(rj_frame_ring_t *base, uint8_t *scratch, rj_ring_frame_t *ret_frame)
{
    dpdk_ring_t *ring = from_ring(base);
    while (ring->foreign < FOREIGN_MAX) {
        struct rte_mbuf *mbuf = take(ring);
        enum rj_xdp_reason reason;
        if (mbuf == NULL)
            return false;
        const uint32_t length = mbuf->pkt_len;
        uint8_t *frame = whole(ring, mbuf, scratch);
        if (frame == NULL || has_found(mbuf, RTE_MBUF_F_RX_L4_CKSUM_BAD)) {
            rj_frame_ring_count(&base->stats.rx_frames, 1);
            rj_frame_ring_count(
                frame == NULL ? &base->stats.rx_malformed : &base->stats.rx_checksum_errors, 1);
            continue;
        }
        if (rj_steer_table_decide(&ring->port->steering, frame, length, length, base->queue,
                                  &reason) != RJ_XDP_TO_USER) {
            give_to_kernel(ring, frame, length);
            continue;
        }
        rj_frame_ring_count(&base->stats.rx_frames, 1);
        *ret_frame =
            (rj_ring_frame_t){.bytes = frame,
                              .length_bytes = length,
                              .has_right_sum = has_found(mbuf, RTE_MBUF_F_RX_L4_CKSUM_GOOD)};
        return true;
    }
    return false;
}

static void dpdk_end(rj_frame_ring_t *base)
{
    (void)base;
}

/* --- open, close --- */

/* Relaxed: figures for people, each whole by itself. */
static uint64_t load(const uint64_t *value)
{
    return __atomic_load_n(value, __ATOMIC_RELAXED);
}

/* What is lost is known of the port: its first queue tells. */
static void dpdk_look(rj_frame_ring_t *base, rj_frame_ring_look_t *ret_look)
{
    rj_dpdk_port_look_t look;
    const dpdk_ring_t *ring = from_ring(base);
    rj_dpdk_port_look(ring->port, &look);
    const bool tells = base->queue == 0;
    *ret_look = (rj_frame_ring_look_t){.is_bound = look.is_there,
                                       .lost_full = tells ? look.lost_full : 0,
                                       .lost_other = tells ? look.lost_other : 0,
                                       .has_kernel_side = ring->port->tap.fd >= 0,
                                       .to_kernel = load(&ring->stats.to_kernel),
                                       .from_kernel = load(&ring->stats.from_kernel),
                                       .kernel_lost = load(&ring->stats.kernel_lost)};
}

static void dpdk_close(rj_frame_ring_t *base)
{
    dpdk_ring_t *ring = from_ring(base);
    dpdk_flush(base);
    give_back(ring);
    rte_pktmbuf_free_bulk(ring->waiting, ring->waiting_count);
    rte_pktmbuf_free_bulk(ring->burst + ring->burst_at, ring->burst_count - ring->burst_at);
    free(ring);
}

static const rj_frame_ring_ops_t dpdk_ops = {.put = dpdk_put,
                                             .flush = dpdk_flush,
                                             .begin = dpdk_begin,
                                             .next = dpdk_next,
                                             .end = dpdk_end,
                                             .look = dpdk_look,
                                             .close = dpdk_close};

int rj_dpdk_ring_open(rj_frame_ring_t **ret_ring, rj_dpdk_port_t *port, uint32_t queue,
                      rj_err_t *err)
{
    const uint32_t room =
        (uint32_t)rj_min_i64(port->mtu_bytes + LINK_BYTES,
                             rte_pktmbuf_data_room_size(port->buffers) - RTE_PKTMBUF_HEADROOM);
    dpdk_ring_t *ring = calloc(1, sizeof(*ring));
    if (ring == NULL)
        return rj_fail(err, -ENOMEM, "no memory for a queue of DPDK");
    ring->port = port;
    ring->base = (rj_frame_ring_t){.ops = &dpdk_ops,
                                   .interface_index = port->interface_index,
                                   .queue = queue,
                                   .receive_room_bytes = port->mtu_bytes + LINK_BYTES,
                                   .send_room_bytes = room,
                                   .scratch_bytes = port->mtu_bytes + LINK_BYTES,
                                   .may_be_merged = true};
    *ret_ring = (rj_frame_ring_t *)ring;
    return 0;
}

const rj_dpdk_ring_stats_t *rj_dpdk_ring_stats(const rj_frame_ring_t *ring)
{
    return &((const dpdk_ring_t *)ring)->stats;
}
