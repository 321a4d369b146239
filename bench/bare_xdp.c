/* SPDX-License-Identifier: Apache-2.0 */
/* Frames over AF_XDP, in copy mode, behind a program of a dozen instructions that knows one type of
 * frame. Both ends have it: a veth end takes native mode only when the other has a program too. */
#include "bare.h"

#include "xsk/umem.h"
#include "xsk/xsk.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRAME_BYTES = 2048,
    FRAME_COUNT = 8192,
    RING_SIZE = 2048,
    MTU = 1500,
    TYPE_OFFSET = 12,
    INSTRUCTION_MAX = 16,
};

static struct {
    rj_umem_t umem;
    rj_xsk_t xsk;
    uint32_t frame_bytes;
} link;

/* Frames of our type go to the socket of their queue, all others on to the kernel. */
static int load_program(int map)
{
    const struct bpf_insn program[INSTRUCTION_MAX] = {
        /* r2 = data, r3 = data_end; what has no Ethernet header passes */
        {BPF_LDX | BPF_MEM | BPF_W, 2, 1, offsetof(struct xdp_md, data), 0},
        {BPF_LDX | BPF_MEM | BPF_W, 3, 1, offsetof(struct xdp_md, data_end), 0},
        {BPF_ALU64 | BPF_MOV | BPF_X, 4, 2, 0, 0},
        {BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, ETH_HLEN},
        {BPF_JMP | BPF_JGT | BPF_X, 4, 3, 8, 0},
        {BPF_LDX | BPF_MEM | BPF_H, 5, 2, TYPE_OFFSET, 0},
        {BPF_JMP | BPF_JNE | BPF_K, 5, 0, 6, htons(RJ_BARE_ETHERTYPE)},
        /* return bpf_redirect_map(map, rx_queue_index, XDP_PASS) */
        {BPF_LDX | BPF_MEM | BPF_W, 2, 1, offsetof(struct xdp_md, rx_queue_index), 0},
        {BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map},
        {0, 0, 0, 0, 0},
        {BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, XDP_PASS},
        {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map},
        {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
        /* pass */
        {BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS},
        {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
    };
    return bpf_prog_load(BPF_PROG_TYPE_XDP, "bare", "Dual BSD/GPL", program, INSTRUCTION_MAX - 1,
                         NULL);
}

/* The link, and with it the program, goes with the process. */
static void attach(uint32_t interface_index, uint32_t mode)
{
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = mode);
    const uint32_t queue = 0;
    const int map =
        bpf_map_create(BPF_MAP_TYPE_XSKMAP, "bare", sizeof(uint32_t), sizeof(int), 1, NULL);
    const int program = map >= 0 ? load_program(map) : -1;
    if (program < 0 || bpf_link_create(program, (int)interface_index, BPF_XDP, &options) < 0)
        rj_bare_die("XDP program");
    if (bpf_map_update_elem(map, &queue, &link.xsk.fd, 0) != 0)
        rj_bare_die("map");
}

static void prepare_frames(void)
{
    struct ethhdr header = {.h_proto = htons(RJ_BARE_ETHERTYPE)};
    memset(header.h_dest, 0xff, sizeof(header.h_dest));
    for (uint32_t i = 0; i < FRAME_COUNT; i++)
        memcpy(link.umem.bytes + (size_t)i * FRAME_BYTES, &header, sizeof(header));
}

static void fill(void)
{
    rj_xsk_ring_t *ring = &link.xsk.fill;
    while (rj_xsk_ring_has_room(ring, 1))
        *rj_xsk_ring_address(ring, ring->mine++) = rj_umem_take(&link.umem, RJ_FRAME_FILL);
    rj_xsk_ring_submit(ring);
}

static void open_xdp(const rj_bare_params_t *params, uint32_t mode)
{
    rj_err_t err;
    const rj_xsk_params_t xsk = {.interface_name = params->interface_name,
                                 .interface_index = if_nametoindex(params->interface_name),
                                 .mtu_bytes = MTU,
                                 .mode = RJ_XSK_COPY,
                                 .rx_size = RING_SIZE,
                                 .tx_size = RING_SIZE,
                                 .fill_size = RING_SIZE,
                                 .completion_size = RING_SIZE};
    link.frame_bytes = ETH_HLEN + params->length;
    if (rj_umem_open(&link.umem, FRAME_BYTES, FRAME_COUNT, &err) < 0 ||
        rj_xsk_open(&link.xsk, &xsk, &link.umem, NULL, 0, &err) < 0) {
        fprintf(stderr, "bare: %s\n", err.text);
        exit(1);
    }
    prepare_frames();
    if (!params->is_sender)
        fill();
    attach(xsk.interface_index, mode);
}

static void open_generic(const rj_bare_params_t *params)
{
    open_xdp(params, XDP_FLAGS_SKB_MODE);
}

static void open_native(const rj_bare_params_t *params)
{
    open_xdp(params, XDP_FLAGS_DRV_MODE);
}

static void recycle(void)
{
    rj_xsk_ring_t *ring = &link.xsk.completion;
    for (uint32_t left = rj_xsk_ring_available_now(ring); left > 0; left--)
        rj_umem_free(&link.umem, *rj_xsk_ring_address(ring, ring->mine++), RJ_FRAME_TX);
    rj_xsk_ring_release(ring);
}

static uint32_t send_frames(uint64_t number, uint32_t count)
{
    rj_xsk_ring_t *ring = &link.xsk.tx;
    uint32_t sent = 0;
    recycle();
    while (sent < count && link.umem.counts[RJ_FRAME_FREE] > 0 && rj_xsk_ring_has_room(ring, 1)) {
        const uint64_t address = rj_umem_take(&link.umem, RJ_FRAME_TX);
        const uint64_t each = number + sent++;
        memcpy(link.umem.bytes + address + ETH_HLEN, &each, sizeof(each));
        *rj_xsk_ring_desc(ring, ring->mine++) =
            (struct xdp_desc){.addr = address, .len = link.frame_bytes};
    }
    rj_xsk_ring_submit(ring);
    /* Each call in copy mode sends some of them. */
    while (rj_xsk_ring_pending(ring) > 0) {
        const int code = rj_xsk_kick_tx(&link.xsk);
        if (code < 0 && code != -EAGAIN && code != -EBUSY && code != -ENOBUFS) {
            errno = -code;
            rj_bare_die("kick");
        }
        if (code == -ENOBUFS || code == -EBUSY)
            break;
    }
    return sent;
}

static uint32_t receive_frames(uint64_t *next)
{
    rj_xsk_ring_t *ring = &link.xsk.rx;
    uint32_t count = rj_xsk_ring_available(ring);
    count = count < RJ_BARE_BATCH ? count : RJ_BARE_BATCH;
    for (uint32_t i = 0; i < count; i++) {
        const struct xdp_desc *desc = rj_xsk_ring_desc(ring, ring->mine++);
        uint64_t number;
        memcpy(&number, link.umem.bytes + desc->addr + ETH_HLEN, sizeof(number));
        rj_bare_note(number, next);
        rj_umem_free(&link.umem, desc->addr, RJ_FRAME_FILL);
    }
    rj_xsk_ring_release(ring);
    if (count > 0)
        fill();
    if (rj_xsk_ring_needs_wakeup(&link.xsk.fill))
        rj_xsk_kick_rx(&link.xsk);
    return count;
}

const rj_bare_kind_t rj_bare_xdp_generic = {"xdp-generic", open_generic, send_frames,
                                            receive_frames};
const rj_bare_kind_t rj_bare_xdp_native = {"xdp-native", open_native, send_frames, receive_frames};
