/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The echo service (RFC 862) without a socket: a UDP datagram to one port of this host goes back
 * where it came from by XDP_TX. Everything else passes untouched.
 *
 * What an echo must never do is talk to another one for ever, or be made to shout at somebody:
 * - a datagram from a port below 1024 or from our own number passes: those are ports of services,
 *   some of which (echo, chargen, daytime, another `ramjet echo`) would answer the answer;
 * - a hop is taken off the answer, so that whatever loop is left ends;
 * - the answer is as long as the question, and goes to the MAC address that it came from;
 * - a group, a broadcast, a loopback address or one of our own is no source to be answered. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "bpf/parse.h"

#include "bpf/echo_rewrite.h"
#include "ramjet/echo_abi.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before loading, a constant to the verifier. */
const volatile __u32 rj_echo_generic = 0;

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, RJ_ECHO_ADDRESSES_MAX);
    __type(key, struct rj_echo_address);
    __type(value, __u32);
} rj_echo_own SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct rj_echo_config);
} rj_echo_config SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, RJ_ECHO_REASON_COUNT);
    __type(key, __u32);
    __type(value, struct rj_count);
} rj_echo_stats SEC(".maps");

static __always_inline int is_own(const struct rj_echo_address *address)
{
    return bpf_map_lookup_elem(&rj_echo_own, address) != NULL;
}

static __always_inline void read_source(const struct rj_steer_datagram *datagram,
                                        struct rj_echo_address *address)
{
    if (datagram->is_ipv6) {
        __builtin_memcpy(address->bytes, datagram->network + 8, 16);
        return;
    }
    address->bytes[10] = 0xff;
    address->bytes[11] = 0xff;
    __builtin_memcpy(address->bytes + 12, datagram->network + 12, 4);
}

/* Nobody's: unspecified, loopback, a group or, in IPv4, reserved and broadcast. */
static __always_inline int is_nobody(const struct rj_echo_address *address, int is_ipv6)
{
    const __u8 *bytes = address->bytes;
    if (!is_ipv6)
        return bytes[12] == 0 || bytes[12] == 127 || bytes[12] >= 224;
    __u8 others = 0;
    for (int i = 0; i < 15; i++)
        others |= bytes[i];
    return bytes[0] == 0xff || (others == 0 && bytes[15] <= 1);
}

static __always_inline int may_answer(const struct rj_steer_datagram *datagram, __u16 port)
{
    struct rj_echo_address source = {0};
    __u32 source_port = rj_steer_be16(datagram->udp);
    if (source_port < RJ_ECHO_SOURCE_PORT_MIN || source_port == port)
        return 0;
    read_source(datagram, &source);
    return !is_nobody(&source, datagram->is_ipv6) && !is_own(&source);
}

/* Whether the frame is a datagram to the port, on an address of this host and its MAC address. A
 * router's transit traffic has another IP address, and its broadcasts another MAC address. */
static __always_inline int is_question(const struct rj_steer_frame *frame,
                                       const struct rj_echo_config *config,
                                       struct rj_steer_datagram *datagram)
{
    struct rj_channel_key key = {0};
    struct rj_echo_address destination;
    if (rj_steer_parse(frame, config->mac, &key, datagram) != RJ_STEER_GO_ON || key.vlan != 0 ||
        key.port != config->port || rj_steer_is_group(frame))
        return 0;
    __builtin_memcpy(destination.bytes, key.address, sizeof(destination.bytes));
    return is_own(&destination);
}

static __always_inline __u32 answer(struct xdp_md *ctx, const struct rj_steer_frame *frame)
{
    struct rj_steer_datagram datagram = {0};
    __u32 zero = 0;
    const struct rj_echo_config *config = bpf_map_lookup_elem(&rj_echo_config, &zero);
    if (config == NULL || !is_question(frame, config, &datagram))
        return RJ_ECHO_PASS_OTHER;
    if (!may_answer(&datagram, config->port))
        return RJ_ECHO_PASS_SOURCE;
    if (!rj_steer_can_echo(frame, &datagram))
        return RJ_ECHO_PASS_HOPS;
    if (rj_echo_rewrite(ctx, frame, &datagram, rj_echo_generic != 0) != 0)
        return RJ_ECHO_PASS_UNFINISHED;
    return RJ_ECHO_ANSWERED;
}

SEC("xdp.frags")
int rj_echo(struct xdp_md *ctx)
{
    struct rj_steer_frame frame = {
        .data = (const __u8 *)(long)ctx->data,
        .data_end = (const __u8 *)(long)ctx->data_end,
        .length_bytes = (__u32)bpf_xdp_get_buff_len(ctx),
    };
    __u32 reason = answer(ctx, &frame);
    struct rj_count *count = bpf_map_lookup_elem(&rj_echo_stats, &reason);
    if (count != NULL) {
        count->packets++; /* a CPU's own, which no other writes */
        count->bytes += frame.length_bytes;
    }
    return reason == RJ_ECHO_ANSWERED ? XDP_TX : XDP_PASS;
}

/* For the other end of a veth pair, which takes what XDP_TX sends only when it has a program. */
SEC("xdp.frags")
int rj_echo_pass(struct xdp_md *ctx)
{
    (void)ctx;
    return XDP_PASS;
}
