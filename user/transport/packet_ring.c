/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/packet_ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "transport/path.h"
#include "transport/path_header.h"

enum {
    ETHERNET_BYTES = 14,
    UDP_CHECKSUM_AT = 6,
    BLOCK_BYTES = 1 << 16,
    RING_BYTES_MAX = 1 << 24,
    SLOT_BYTES_MIN = 2048,
    /* The kernel puts the IP header 80 bytes behind the slot's begin and what we reserve: so that
     * the payload behind IPv4 and UDP begins at a cache line. */
    RESERVE_BYTES = 20,
    MAC_AT = 80 + RESERVE_BYTES - ETHERNET_BYTES,
    SEND_BUFFER_BYTES = 4 << 20,
    TX_FRAMES = RJ_PACKET_RING_TX_FRAMES,
};

_Static_assert(TPACKET_ALIGN(TPACKET2_HDRLEN + 16) == 80, "where the kernel puts IP");
_Static_assert((MAC_AT + RJ_PATH_HEADER_IPV4_BYTES) % 64 == 0, "a cache line");

/* What stands in front of a payload. */
typedef struct head {
    struct virtio_net_hdr offload;
    uint8_t frame[RJ_PATH_HEADER_BYTES_MAX];
} head_t;

_Static_assert(offsetof(head_t, frame) == sizeof(struct virtio_net_hdr), "one piece");

typedef struct packet_ring {
    rj_frame_ring_t base;
    int rx_fd;
    int tx_fd;

    uint8_t *slots; /* mapped; NULL: not yet */
    size_t map_bytes;
    uint32_t slot_bytes; /* a power of two, so that slots follow each other from block to block */
    uint32_t slot_count;
    uint32_t rx_next;
    uint32_t rx_held; /* slots before rx_next that were read since the last begin */

    /* Frames [tx_first, tx_count) wait; the first of them stays where it is until all are sent. */
    uint32_t tx_first;
    uint32_t tx_count;
    uint32_t room_bytes; /* for each payload that has to wait */
    uint8_t *room;       /* [TX_FRAMES][room_bytes], mapped */
    struct mmsghdr messages[TX_FRAMES];
    struct iovec pieces[TX_FRAMES][2];
    head_t heads[TX_FRAMES];

    uint64_t lost; /* look's: the kernel forgets what it has told */
} packet_ring_t;

static packet_ring_t *from_ring(rj_frame_ring_t *base)
{
    return (packet_ring_t *)base;
}

/* --- send --- */

static void put_one(packet_ring_t *ring, const rj_path_header_t *header, const uint8_t *payload,
                    uint32_t payload_bytes)
{
    const uint32_t at = ring->tx_count++;
    head_t *head = &ring->heads[at];
    rj_path_header_put(header, head->frame);
    rj_path_header_finish_partial(header, head->frame, payload_bytes, ring->base.identification++);
    head->offload.hdr_len = header->length_bytes;
    head->offload.csum_start = header->length_bytes - RJ_PATH_HEADER_UDP_BYTES;
    ring->pieces[at][0].iov_len = sizeof(head->offload) + header->length_bytes;
    /* The kernel only reads; iovec knows no const. */
    ring->pieces[at][1] = (struct iovec){(void *)(uintptr_t)payload, payload_bytes};
}

static uint32_t packet_put(rj_frame_ring_t *base, const rj_run_t *run, uint32_t offset)
{
    packet_ring_t *ring = from_ring(base);
    const uint32_t before = ring->tx_count;
    uint32_t at = offset;
    while (at < run->total_bytes && ring->tx_count < TX_FRAMES) {
        const uint32_t left = run->total_bytes - at;
        const uint32_t length = left < run->segment_bytes ? left : run->segment_bytes;
        put_one(ring, run->path->header, run->start + at, length);
        at += length;
    }
    base->has_unsent = ring->tx_first < ring->tx_count;
    rj_frame_ring_count(&base->stats.tx_frames, ring->tx_count - before);
    return at - offset;
}

/* After this error of the frame at the front: whether the next may be tried now. */
static bool goes_on_after(packet_ring_t *ring, int error)
{
    switch (error) {
    case EAGAIN:
    case EINTR:
    case ENOBUFS: /* the link's queue is full */
    case ENOMEM:
    case ENETDOWN:
        return false;
    case ENXIO:
    case ENODEV:
        ring->base.is_gone = true;
        ring->tx_first = ring->tx_count;
        return false;
    default: /* as EMSGSIZE, after the MTU was lowered */
        ring->tx_first++;
        rj_frame_ring_count(&ring->base.stats.tx_refused, 1);
        return true;
    }
}

static void send_waiting(packet_ring_t *ring)
{
    while (ring->tx_first < ring->tx_count) {
        const int sent = sendmmsg(ring->tx_fd, ring->messages + ring->tx_first,
                                  ring->tx_count - ring->tx_first, MSG_DONTWAIT);
        rj_frame_ring_count(&ring->base.stats.tx_kicks, 1);
        if (sent > 0)
            ring->tx_first += (uint32_t)sent;
        else if (!goes_on_after(ring, errno))
            return;
    }
}

/* What has to wait may not refer to bytes that are not ours. */
static void own_waiting(packet_ring_t *ring)
{
    for (uint32_t i = ring->tx_first; i < ring->tx_count; i++) {
        uint8_t *room = ring->room + (size_t)i * ring->room_bytes;
        struct iovec *payload = &ring->pieces[i][1];
        if (payload->iov_base != room)
            payload->iov_base = memcpy(room, payload->iov_base, payload->iov_len);
    }
}

static void packet_flush(rj_frame_ring_t *base)
{
    packet_ring_t *ring = from_ring(base);
    base->has_unsent = false;
    send_waiting(ring);
    if (ring->tx_first < ring->tx_count)
        own_waiting(ring);
    else
        ring->tx_first = ring->tx_count = 0;
}

/* --- receive --- */

static struct tpacket2_hdr *slot_of(const packet_ring_t *ring, uint32_t index)
{
    return (struct tpacket2_hdr *)(void *)(ring->slots + (size_t)index * ring->slot_bytes);
}

static void packet_begin(rj_frame_ring_t *base)
{
    packet_ring_t *ring = from_ring(base);
    for (; ring->rx_held > 0; ring->rx_held--) {
        const uint32_t index = ring->rx_next >= ring->rx_held
                                   ? ring->rx_next - ring->rx_held
                                   : ring->rx_next + ring->slot_count - ring->rx_held;
        /* Pairs with the kernel's look for a free slot: we have read it before. */
        __atomic_store_n(&slot_of(ring, index)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    }
    if (ring->tx_first < ring->tx_count)
        packet_flush(base);
}

static bool packet_next(rj_frame_ring_t *base, uint8_t *scratch, rj_ring_frame_t *ret_frame)
{
    packet_ring_t *ring = from_ring(base);
    (void)scratch;
    struct tpacket2_hdr *slot = slot_of(ring, ring->rx_next);
    /* Pairs with the kernel's store of the status, after the frame is there. */
    if (ring->rx_held == ring->slot_count ||
        (__atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0)
        return false;
    const bool is_whole = slot->tp_snaplen == slot->tp_len &&
                          (uint32_t)slot->tp_mac + slot->tp_snaplen <= ring->slot_bytes;
    *ret_frame = (rj_ring_frame_t){.bytes = (uint8_t *)slot + slot->tp_mac,
                                   .length_bytes = is_whole ? slot->tp_snaplen : 0};
    ring->rx_next = ring->rx_next + 1 < ring->slot_count ? ring->rx_next + 1 : 0;
    ring->rx_held++;
    rj_frame_ring_count(&base->stats.rx_frames, 1);
    return true;
}

static void packet_end(rj_frame_ring_t *base)
{
    (void)base;
}

/* --- look, close --- */

static void packet_look(rj_frame_ring_t *base, rj_frame_ring_look_t *ret_look)
{
    packet_ring_t *ring = from_ring(base);
    struct tpacket_stats stats = {0};
    socklen_t stats_bytes = sizeof(stats);
    struct sockaddr_ll bound = {0};
    socklen_t bound_bytes = sizeof(bound);
    if (getsockopt(ring->rx_fd, SOL_PACKET, PACKET_STATISTICS, &stats, &stats_bytes) == 0)
        ring->lost += stats.tp_drops;
    const bool is_told = getsockname(ring->rx_fd, (struct sockaddr *)&bound, &bound_bytes) == 0;
    *ret_look = (rj_frame_ring_look_t){.is_bound = is_told &&
                                                   bound.sll_ifindex == (int)base->interface_index,
                                       .lost_full = ring->lost};
}

static void packet_close(rj_frame_ring_t *base)
{
    packet_ring_t *ring = from_ring(base);
    if (ring->tx_fd >= 0) {
        send_waiting(ring);
        close(ring->tx_fd);
    }
    if (ring->slots != NULL)
        munmap(ring->slots, ring->map_bytes);
    if (ring->rx_fd >= 0)
        close(ring->rx_fd);
    if (ring->room != NULL)
        munmap(ring->room, (size_t)TX_FRAMES * ring->room_bytes);
    free(ring);
}

static const rj_frame_ring_ops_t packet_ops = {
    .put = packet_put,
    .flush = packet_flush,
    .begin = packet_begin,
    .next = packet_next,
    .end = packet_end,
    .look = packet_look,
    .close = packet_close,
};

/* --- open --- */

static int set(int fd, int option, const void *value, size_t value_bytes, const char *what,
               rj_err_t *err)
{
    if (setsockopt(fd, SOL_PACKET, option, value, (socklen_t)value_bytes) == 0)
        return 0;
    return rj_fail(err, -errno, "a packet socket without %s: %s", what, strerror(errno));
}

static int open_socket(int *ret_fd, rj_err_t *err)
{
    /* Protocol 0 receives nothing yet. */
    *ret_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*ret_fd >= 0)
        return 0;
    return rj_fail(err, -errno, "no packet socket: %s%s", strerror(errno),
                   errno == EPERM ? ": needs CAP_NET_RAW" : "");
}

static int bind_socket(const packet_ring_t *ring, int fd, uint16_t protocol, rj_err_t *err)
{
    const struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                        .sll_protocol = htons(protocol),
                                        .sll_ifindex = (int)ring->base.interface_index};
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return 0;
    return rj_fail(err, -errno, "a packet socket is not bound: %s", strerror(errno));
}

static int map_slots(packet_ring_t *ring, rj_err_t *err)
{
    const uint32_t block_bytes = ring->slot_bytes > BLOCK_BYTES ? ring->slot_bytes : BLOCK_BYTES;
    const struct tpacket_req request = {.tp_block_size = block_bytes,
                                        .tp_block_nr = (uint32_t)(ring->map_bytes / block_bytes),
                                        .tp_frame_size = ring->slot_bytes,
                                        .tp_frame_nr = ring->slot_count};
    int result = set(ring->rx_fd, PACKET_RX_RING, &request, sizeof(request), "a ring", err);
    if (result < 0)
        return result;
    void *memory = mmap(NULL, ring->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                        ring->rx_fd, 0);
    if (memory == MAP_FAILED)
        return rj_fail(err, -errno, "a packet ring is not mapped: %s", strerror(errno));
    ring->slots = memory;
    return 0;
}

static int set_filter(const packet_ring_t *ring, int filter_fd, rj_err_t *err)
{
    if (filter_fd < 0 ||
        setsockopt(ring->rx_fd, SOL_SOCKET, SO_ATTACH_BPF, &filter_fd, sizeof(filter_fd)) == 0)
        return 0;
    return rj_fail(err, -errno, "a packet socket does not take its filter: %s", strerror(errno));
}

static int join_group(const packet_ring_t *ring, int fan_fd, uint16_t *group, rj_err_t *err)
{
    uint32_t how = PACKET_FANOUT_EBPF << 16 | *group;
    socklen_t how_bytes = sizeof(how);
    const bool is_first = *group == 0;
    if (is_first)
        how |= (uint32_t)PACKET_FANOUT_FLAG_UNIQUEID << 24;
    int result = set(ring->rx_fd, PACKET_FANOUT, &how, sizeof(how), "a fan-out group", err);
    if (result < 0 || !is_first)
        return result;
    if (getsockopt(ring->rx_fd, SOL_PACKET, PACKET_FANOUT, &how, &how_bytes) != 0)
        return rj_fail(err, -errno, "a fan-out group has no number: %s", strerror(errno));
    *group = (uint16_t)how;
    return set(ring->rx_fd, PACKET_FANOUT_DATA, &fan_fd, sizeof(fan_fd), "a fan-out program", err);
}

/* The filter stands before the first frame can come. */
static int open_receiver(packet_ring_t *ring, const rj_packet_ring_params_t *params, rj_err_t *err)
{
    const int version = TPACKET_V2;
    const int reserve = RESERVE_BYTES;
    const int yes = 1;
    int result = open_socket(&ring->rx_fd, err);
    if (result == 0)
        result = set(ring->rx_fd, PACKET_VERSION, &version, sizeof(version), "TPACKET_V2", err);
    if (result == 0)
        result = set(ring->rx_fd, PACKET_RESERVE, &reserve, sizeof(reserve), "room", err);
    if (result == 0)
        result = set(ring->rx_fd, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes),
                     "PACKET_IGNORE_OUTGOING (needs Linux 4.20)", err);
    if (result == 0)
        result = map_slots(ring, err);
    if (result == 0)
        result = set_filter(ring, params->filter_fd, err);
    if (result == 0)
        result = bind_socket(ring, ring->rx_fd, ETH_P_ALL, err);
    if (result == 0 && params->fan_fd >= 0)
        result = join_group(ring, params->fan_fd, params->fan_group, err);
    return result;
}

static void prepare_messages(packet_ring_t *ring)
{
    for (uint32_t i = 0; i < TX_FRAMES; i++) {
        ring->heads[i].offload = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                                         .csum_offset = UDP_CHECKSUM_AT};
        ring->pieces[i][0].iov_base = &ring->heads[i];
        ring->messages[i].msg_hdr = (struct msghdr){.msg_iov = ring->pieces[i], .msg_iovlen = 2};
    }
}

static int open_sender(packet_ring_t *ring, rj_err_t *err)
{
    const int yes = 1;
    const int buffer_bytes = SEND_BUFFER_BYTES;
    int result = open_socket(&ring->tx_fd, err);
    if (result == 0)
        result =
            set(ring->tx_fd, PACKET_QDISC_BYPASS, &yes, sizeof(yes), "a way past the qdisc", err);
    if (result == 0)
        result = set(ring->tx_fd, PACKET_VNET_HDR, &yes, sizeof(yes), "offloaded checksums", err);
    if (result == 0)
        result = bind_socket(ring, ring->tx_fd, 0, err);
    if (result < 0)
        return result;
    /* As much as may be had: what a card has not sent counts. */
    if (setsockopt(ring->tx_fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_bytes, sizeof(buffer_bytes)) !=
        0)
        setsockopt(ring->tx_fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(buffer_bytes));
    /* Address space only, until a frame has to wait. */
    void *memory = mmap(NULL, (size_t)TX_FRAMES * ring->room_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return rj_fail(err, -ENOMEM, "no memory for %d frames", TX_FRAMES);
    ring->room = memory;
    prepare_messages(ring);
    return 0;
}

/* Slots for the longest frame, as many as asked for; of jumbo frames fewer. */
static void size_slots(packet_ring_t *ring, const rj_packet_ring_params_t *params)
{
    ring->slot_bytes = SLOT_BYTES_MIN;
    while (ring->slot_bytes < MAC_AT + ETHERNET_BYTES + params->mtu_bytes)
        ring->slot_bytes *= 2;
    const uint32_t wanted =
        params->rx_frames > 0 ? params->rx_frames : RJ_PACKET_RING_RX_FRAMES_DEFAULT;
    const size_t bytes = rj_min_i64((int64_t)wanted * ring->slot_bytes, RING_BYTES_MAX);
    ring->map_bytes = (size_t)rj_align_up(bytes, rj_max_i64(BLOCK_BYTES, ring->slot_bytes));
    ring->slot_count = (uint32_t)(ring->map_bytes / ring->slot_bytes);
}

int rj_packet_ring_open(const rj_packet_ring_params_t *params, rj_frame_ring_t **ret_ring,
                        rj_err_t *err)
{
    packet_ring_t *ring = calloc(1, sizeof(*ring));
    if (ring == NULL)
        return rj_fail(err, -ENOMEM, "no memory for a packet ring");
    ring->rx_fd = ring->tx_fd = -1;
    ring->room_bytes = params->mtu_bytes;
    size_slots(ring, params);
    ring->base = (rj_frame_ring_t){.ops = &packet_ops,
                                   .interface_index = params->interface_index,
                                   .queue = params->queue,
                                   .receive_room_bytes = ring->slot_bytes - MAC_AT,
                                   .send_room_bytes = params->mtu_bytes + ETHERNET_BYTES};
    int result = open_receiver(ring, params, err);
    if (result == 0)
        result = open_sender(ring, err);
    if (result < 0) {
        packet_close(&ring->base);
        return rj_err_context(err, "%s: ", params->interface_name);
    }
    *ret_ring = &ring->base;
    return 0;
}
