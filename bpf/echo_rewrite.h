/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* echo_rewrite.h - turns a datagram round, so that XDP_TX sends it back to where it came from.
 *
 * MAC addresses, IP addresses and ports change places and a hop is taken off. That leaves the UDP
 * checksum what it was: right when it was whole. From a sender on this host it may be unfinished,
 * with the sum of the pseudo-header in its place. In generic mode the kernel remembers that, and
 * the field must stay; in native mode nobody does, so that we finish it for IPv6, and leave it out
 * for IPv4. A whole sum that happens to look unfinished comes to no harm by either.
 *
 * Units      bytes.
 * Ownership  none.
 * Thread     any.
 * Errors     -1 from rj_echo_rewrite: the frame is as it was, and should pass.
 */
#ifndef RJ_BPF_ECHO_REWRITE_H
#define RJ_BPF_ECHO_REWRITE_H

#include "bpf/parse.h"

enum {
    RJ_ECHO_PIECE_BYTES = 256,
    RJ_ECHO_PIECES_MAX = 65536 / RJ_ECHO_PIECE_BYTES,
};

static __always_inline __u32 rj_echo_fold(__u32 sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

static __always_inline void rj_echo_swap(__u8 *left, __u8 *right, int length)
{
    for (int i = 0; i < length; i++) {
        __u8 byte = left[i];
        left[i] = right[i];
        right[i] = byte;
    }
}

static __always_inline __u32 rj_echo_sum(const __u8 *at, int length)
{
    __u32 sum = 0;
    for (int i = 0; i < length; i += 2)
        sum += rj_steer_be16(at + i);
    return sum;
}

/* Whether the field holds what the kernel leaves there for a device to finish. */
static __always_inline int rj_echo_is_unfinished(const struct rj_steer_datagram *datagram)
{
    __u32 sum = RJ_STEER_PROTOCOL_UDP + datagram->udp_bytes;
    sum += datagram->is_ipv6 ? rj_echo_sum(datagram->network + 8, 32)
                             : rj_echo_sum(datagram->network + 12, 8);
    return rj_echo_fold(sum) == rj_steer_be16(datagram->udp + 6);
}

struct rj_echo_rest {
    struct xdp_md *ctx;
    __u32 offset;
    __u32 length;
    __s64 sum;
    __u32 is_unreadable;
};

/* Adds the next piece, by way of the stack because a frame may lie in several buffers. Zeros after
 * its end add nothing. Returns 1 when it was the last. */
static long rj_echo_add_piece(__u32 turn, struct rj_echo_rest *rest)
{
    __u8 piece[RJ_ECHO_PIECE_BYTES] __attribute__((aligned(8)));
    __u32 piece_bytes = rest->length;
    (void)turn;
    if (piece_bytes == 0)
        return 1;
    if (piece_bytes >= RJ_ECHO_PIECE_BYTES)
        piece_bytes = RJ_ECHO_PIECE_BYTES;
    else
        __builtin_memset(piece, 0, sizeof(piece));
    if (bpf_xdp_load_bytes(rest->ctx, rest->offset, piece, piece_bytes) != 0) {
        rest->is_unreadable = 1;
        return 1;
    }
    rest->sum = bpf_csum_diff(NULL, 0, (__be32 *)piece, sizeof(piece), (__u32)rest->sum);
    rest->offset += piece_bytes;
    rest->length -= piece_bytes;
    return 0;
}

/* Sums up the datagram, the unfinished field included, which stands for the pseudo-header. The loop
 * is the kernel's, so that the verifier walks through its body once. Returns the finished field in
 * the order of memory, or 0 when the datagram cannot be read. */
static __always_inline __u16 rj_echo_finish(struct xdp_md *ctx, __u32 offset, __u32 length)
{
    struct rj_echo_rest rest = {.ctx = ctx, .offset = offset, .length = length};
    bpf_loop(RJ_ECHO_PIECES_MAX, rj_echo_add_piece, &rest, 0);
    if (rest.length != 0 || rest.is_unreadable)
        return 0;
    __u16 field = (__u16)~rj_echo_fold((__u32)rest.sum);
    return field != 0 ? field : 0xffff;
}

static __always_inline void rj_echo_turn_ipv4(__u8 *ip)
{
    __u32 sum = rj_steer_be16(ip + 10) + 0x0100; /* a hop less: RFC 1624 */
    sum = rj_echo_fold(sum);
    ip[8]--;
    ip[10] = (__u8)(sum >> 8);
    ip[11] = (__u8)sum;
    rj_echo_swap(ip + 12, ip + 16, 4);
}

/* Returns 0 with the frame turned round, or -1 with the frame as it was. The datagram is one that
 * rj_steer_can_echo; pointers into the packet stay valid. */
static __always_inline int rj_echo_rewrite(struct xdp_md *ctx, const struct rj_steer_frame *frame,
                                           const struct rj_steer_datagram *datagram, int is_generic)
{
    __u8 *ethernet = (__u8 *)frame->data;
    __u8 *ip = (__u8 *)datagram->network;
    __u8 *udp = (__u8 *)datagram->udp;
    if (!is_generic && rj_echo_is_unfinished(datagram)) {
        __u16 field = 0;
        if (datagram->is_ipv6) {
            field = rj_echo_finish(ctx, (__u32)(udp - ethernet), datagram->udp_bytes);
            if (field == 0)
                return -1;
        }
        __builtin_memcpy(udp + 6, &field, sizeof(field));
    }
    if (datagram->is_ipv6) {
        ip[7]--;
        rj_echo_swap(ip + 8, ip + 24, 16);
    } else {
        rj_echo_turn_ipv4(ip);
    }
    rj_echo_swap(udp, udp + 2, 2);
    rj_echo_swap(ethernet, ethernet + 6, 6);
    return 0;
}

#endif
