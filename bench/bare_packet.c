/* SPDX-License-Identifier: Apache-2.0 */
/* Frames over AF_PACKET: sent past the queueing discipline, received in a ring of blocks. */
#include "bare.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum {
    BLOCK_BYTES = 1 << 17,
    BLOCK_COUNT = 64,
    RETIRE_MS = 1,
    FRAME_BYTES_MAX = ETH_HLEN + RJ_BARE_LENGTH_MAX,
    SOCKET_BYTES = 8 << 20,
};

static struct {
    int fd;
    uint32_t frame_bytes;
    uint8_t frames[RJ_BARE_BATCH][FRAME_BYTES_MAX];
    uint8_t *ring;
    uint32_t block; /* the next to be ours */
} link;

static void prepare_frames(void)
{
    for (int i = 0; i < RJ_BARE_BATCH; i++) {
        struct ethhdr header = {.h_proto = htons(RJ_BARE_ETHERTYPE)};
        memset(header.h_dest, 0xff, sizeof(header.h_dest));
        memcpy(link.frames[i], &header, sizeof(header));
    }
}

static void open_ring(void)
{
    const int version = TPACKET_V3;
    const struct tpacket_req3 request = {.tp_block_size = BLOCK_BYTES,
                                         .tp_block_nr = BLOCK_COUNT,
                                         .tp_frame_size = 2048,
                                         .tp_frame_nr = BLOCK_BYTES / 2048 * BLOCK_COUNT,
                                         .tp_retire_blk_tov = RETIRE_MS};
    if (setsockopt(link.fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) != 0 ||
        setsockopt(link.fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) != 0)
        rj_bare_die("receive ring");
    link.ring = mmap(NULL, (size_t)BLOCK_BYTES * BLOCK_COUNT, PROT_READ | PROT_WRITE, MAP_SHARED,
                     link.fd, 0);
    if (link.ring == MAP_FAILED)
        rj_bare_die("receive ring");
}

static void open_packet(const rj_bare_params_t *params)
{
    const int on = 1;
    const int bytes = SOCKET_BYTES;
    const struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                        .sll_protocol =
                                            params->is_sender ? 0 : htons(RJ_BARE_ETHERTYPE),
                                        .sll_ifindex = (int)if_nametoindex(params->interface_name)};
    link.frame_bytes = ETH_HLEN + params->length;
    link.fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link.fd < 0 || address.sll_ifindex == 0)
        rj_bare_die(params->interface_name);
    if (params->is_sender) {
        if (setsockopt(link.fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) != 0 ||
            setsockopt(link.fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
            rj_bare_die("PACKET_QDISC_BYPASS");
        prepare_frames();
    } else {
        open_ring();
    }
    if (bind(link.fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        rj_bare_die(params->interface_name);
}

static uint32_t send_frames(uint64_t number, uint32_t count)
{
    struct mmsghdr messages[RJ_BARE_BATCH];
    struct iovec parts[RJ_BARE_BATCH];
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t each = number + i;
        memcpy(link.frames[i] + ETH_HLEN, &each, sizeof(each));
        parts[i] = (struct iovec){link.frames[i], link.frame_bytes};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
    }
    const int sent = sendmmsg(link.fd, messages, count, 0);
    if (sent < 0 && errno != EAGAIN && errno != ENOBUFS)
        rj_bare_die("sendmmsg");
    return sent < 0 ? 0 : (uint32_t)sent;
}

static uint32_t read_block(const struct tpacket_hdr_v1 *block, uint64_t *next)
{
    const uint8_t *at = (const uint8_t *)block - offsetof(struct tpacket_block_desc, hdr) +
                        block->offset_to_first_pkt;
    for (uint32_t i = 0; i < block->num_pkts; i++) {
        const struct tpacket3_hdr *frame = (const struct tpacket3_hdr *)(const void *)at;
        uint64_t number;
        memcpy(&number, at + frame->tp_mac + ETH_HLEN, sizeof(number));
        rj_bare_note(number, next);
        at += frame->tp_next_offset;
    }
    return block->num_pkts;
}

static uint32_t receive_block(uint64_t *next)
{
    struct tpacket_block_desc *block =
        (struct tpacket_block_desc *)(void *)(link.ring + (size_t)link.block * BLOCK_BYTES);
    /* Acquire: pairs with the kernel's release of a block that it has filled. */
    if ((__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0)
        return 0;
    const uint32_t count = read_block(&block->hdr.bh1, next);
    /* Release: our reads come before the kernel's next writes. */
    __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    link.block = (link.block + 1) % BLOCK_COUNT;
    return count;
}

const rj_bare_kind_t rj_bare_packet = {"packet", open_packet, send_frames, receive_block};
