/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* parse.h - finds the UDP datagram in a received frame, and the address and port it was sent to.
 *
 *     | Ethernet 14 | [802.1Q 4] | IPv4 20..60 or IPv6 40 | UDP 8 | payload ...
 *                                |                        |       |
 *                             network                   udp     payload
 *
 * Compiled for BPF and for user space. It reads what lies between `data` and `data_end` and nothing
 * else. Headers always lie in the first buffer of a frame.
 *
 * Units      bytes; see ramjet/xdp_abi.h.
 * Ownership  none.
 * Thread     any.
 * Errors     an enum rj_xdp_reason that passes the frame, where it is no whole datagram.
 */
#ifndef RJ_BPF_PARSE_H
#define RJ_BPF_PARSE_H

#ifndef __bpf__
#include <stddef.h>
#endif

#include "ramjet/xdp_abi.h"

enum {
    RJ_STEER_ETHERNET_BYTES = 14,
    RJ_STEER_TAG_BYTES = 4,
    RJ_STEER_IPV4_BYTES = 20, /* without options */
    RJ_STEER_IPV6_BYTES = 40,
    RJ_STEER_UDP_BYTES = 8,

    RJ_STEER_TYPE_IPV4 = 0x0800,
    RJ_STEER_TYPE_IPV6 = 0x86dd,
    RJ_STEER_TYPE_TAG = 0x8100,
    RJ_STEER_TAG_VLAN = 0x0fff,
    RJ_STEER_FRAGMENT = 0x3fff, /* more fragments, and the offset */
    RJ_STEER_PROTOCOL_UDP = 17,
    RJ_STEER_PROTOCOL_FRAGMENT = 44,

    /* A parser's answer: nothing speaks against the frame so far. */
    RJ_STEER_GO_ON = RJ_XDP_REASON_COUNT,
};

struct rj_steer_frame {
    const __u8 *data;
    const __u8 *data_end; /* of the first buffer */
    __u32 length_bytes;   /* of all of its buffers */
    __u32 queue;          /* that received it */
    __u16 vlan;           /* of a tag that was taken off */
    __u8 has_tag;         /* there was one */
};

/* Where things are in a frame that is a whole UDP datagram. */
struct rj_steer_datagram {
    const __u8 *network;
    const __u8 *udp;
    const __u8 *payload;
    __u32 udp_bytes; /* header included; IP and UDP agree on it */
    __u8 is_ipv6;
};

static __always_inline __u32 rj_steer_be16(const __u8 *at)
{
    return (__u32)at[0] << 8 | at[1];
}

static __always_inline int rj_steer_is_group(const struct rj_steer_frame *frame)
{
    return frame->data[0] & 1;
}

static __always_inline int rj_steer_is_ours(const struct rj_steer_frame *frame, const __u8 mac[6])
{
    __u8 difference = 0;
    for (int i = 0; i < 6; i++)
        difference |= frame->data[i] ^ mac[i];
    return difference == 0 || rj_steer_is_group(frame);
}

static __always_inline int rj_steer_parse_ipv4(const struct rj_steer_frame *frame, __u32 room_bytes,
                                               struct rj_channel_key *key,
                                               struct rj_steer_datagram *datagram)
{
    const __u8 *ip = datagram->network;
    if (ip + RJ_STEER_IPV4_BYTES > frame->data_end)
        return RJ_XDP_PASS_MALFORMED_IP;
    __u32 header_bytes = (ip[0] & 0x0fU) * 4;
    __u32 total_bytes = rj_steer_be16(ip + 2);
    if (ip[0] >> 4 != 4 || header_bytes < RJ_STEER_IPV4_BYTES || total_bytes < header_bytes ||
        total_bytes > room_bytes)
        return RJ_XDP_PASS_MALFORMED_IP;
    if ((rj_steer_be16(ip + 6) & RJ_STEER_FRAGMENT) != 0)
        return RJ_XDP_PASS_FRAGMENT;
    if (ip[9] != RJ_STEER_PROTOCOL_UDP)
        return RJ_XDP_PASS_NOT_UDP;
    key->address[10] = 0xff;
    key->address[11] = 0xff;
    for (int i = 0; i < 4; i++)
        key->address[12 + i] = ip[16 + i];
    datagram->udp = ip + header_bytes;
    datagram->udp_bytes = total_bytes - header_bytes;
    return RJ_STEER_GO_ON;
}

/* An extension header other than that of a fragment is as good as another protocol: nobody sends
 * Aeron that way, and the kernel knows them all. */
static __always_inline int rj_steer_parse_ipv6(const struct rj_steer_frame *frame, __u32 room_bytes,
                                               struct rj_channel_key *key,
                                               struct rj_steer_datagram *datagram)
{
    const __u8 *ip = datagram->network;
    if (ip + RJ_STEER_IPV6_BYTES > frame->data_end)
        return RJ_XDP_PASS_MALFORMED_IP;
    datagram->udp_bytes = rj_steer_be16(ip + 4);
    if (ip[0] >> 4 != 6 || RJ_STEER_IPV6_BYTES + datagram->udp_bytes > room_bytes)
        return RJ_XDP_PASS_MALFORMED_IP;
    if (ip[6] == RJ_STEER_PROTOCOL_FRAGMENT)
        return RJ_XDP_PASS_FRAGMENT;
    if (ip[6] != RJ_STEER_PROTOCOL_UDP)
        return RJ_XDP_PASS_NOT_UDP;
    for (int i = 0; i < 16; i++)
        key->address[i] = ip[24 + i];
    datagram->udp = ip + RJ_STEER_IPV6_BYTES;
    datagram->is_ipv6 = 1;
    return RJ_STEER_GO_ON;
}

/* The two lengths must be equal. The kernel also takes a datagram that is shorter than its packet,
 * so that it passes: no driver of ours sends one. */
static __always_inline int rj_steer_parse_udp(const struct rj_steer_frame *frame,
                                              struct rj_channel_key *key,
                                              struct rj_steer_datagram *datagram)
{
    const __u8 *udp = datagram->udp;
    if (datagram->udp_bytes < RJ_STEER_UDP_BYTES || udp + RJ_STEER_UDP_BYTES > frame->data_end ||
        rj_steer_be16(udp + 4) != datagram->udp_bytes)
        return RJ_XDP_PASS_MALFORMED_UDP;
    key->port = (__u16)rj_steer_be16(udp + 2);
    datagram->payload = udp + RJ_STEER_UDP_BYTES;
    return RJ_STEER_GO_ON;
}

/* Finds the datagram and the channel it was sent to. Returns RJ_STEER_GO_ON, or why there is none.
 *
 * A tag for VLAN 0 carries a priority and no VLAN: the kernel takes such a frame for one without a
 * tag, and so do we. Service tags (802.1ad) and second tags are the kernel's. */
static __always_inline int rj_steer_parse(const struct rj_steer_frame *frame, const __u8 mac[6],
                                          struct rj_channel_key *key,
                                          struct rj_steer_datagram *datagram)
{
    const __u8 *network = frame->data + RJ_STEER_ETHERNET_BYTES;
    __u32 room_bytes = frame->length_bytes - RJ_STEER_ETHERNET_BYTES;
    if (network > frame->data_end)
        return RJ_XDP_PASS_SHORT;
    if (!rj_steer_is_ours(frame, mac))
        return RJ_XDP_PASS_OTHER_HOST;
    __u32 type = rj_steer_be16(frame->data + 12);
    key->vlan = frame->vlan;
    if (type == RJ_STEER_TYPE_TAG && !frame->has_tag) {
        if (network + RJ_STEER_TAG_BYTES > frame->data_end)
            return RJ_XDP_PASS_SHORT;
        key->vlan = (__u16)(rj_steer_be16(network) & RJ_STEER_TAG_VLAN);
        type = rj_steer_be16(network + 2);
        network += RJ_STEER_TAG_BYTES;
        room_bytes -= RJ_STEER_TAG_BYTES;
    }
    int reason = RJ_XDP_PASS_NOT_IP;
    datagram->network = network;
    if (type == RJ_STEER_TYPE_IPV4)
        reason = rj_steer_parse_ipv4(frame, room_bytes, key, datagram);
    else if (type == RJ_STEER_TYPE_IPV6)
        reason = rj_steer_parse_ipv6(frame, room_bytes, key, datagram);
    if (reason != RJ_STEER_GO_ON)
        return reason;
    return rj_steer_parse_udp(frame, key, datagram);
}

/* A group cannot be a source. The hop limit ends what would else go back and forth for ever between
 * two echoes that a forged source address has set on each other. */
static __always_inline int rj_steer_can_echo(const struct rj_steer_frame *frame,
                                             const struct rj_steer_datagram *datagram)
{
    __u8 hops = datagram->is_ipv6 ? datagram->network[7] : datagram->network[8];
    return hops > 1 && !rj_steer_is_group(frame);
}

#endif
