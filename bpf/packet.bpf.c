/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Steering for packet sockets: a driver's tap takes the frames that are its own, and the kernel
 * gets all others.
 *
 *     frame -> taps (ETH_P_ALL): rj_packet_tap accepts what the verdict gives to user space
 *           -> ingress (tcx, clsact): rj_packet_in drops the very same, and counts
 *           -> the kernel's protocols
 *
 * Both come to one decision by one set of maps, the one that the XDP program has. Should an entry
 * change between the two, the frame is a duplicate, which an image drops, or lost, which a NAK
 * mends. What neither can do passes: an echo, and a packet that stands for several datagrams. */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/steer_decide.h"

#include "bpf/maps.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum {
    NEXT = -1, /* TCX_NEXT, TC_ACT_UNSPEC: whoever comes after us decides */
    DROP = 2,  /* TCX_DROP, TC_ACT_SHOT */
    PACKET_LOOPBACK = 5,
    ETHERTYPE_TAG = 0x8100,
    /* All that the decision looks at: Ethernet 14, IPv4 60, UDP 8, of Aeron's frame 20. */
    HEAD_BYTES = 112,
};

/* Set before loading, a constant to the verifier: the queue of the first engine. */
const volatile __u32 rj_first_queue = 0;

/* The kernel counts from 1; 0 is a device that does not say. */
static __always_inline __u32 queue_of(const struct __sk_buff *skb)
{
    __u32 mapping = skb->queue_mapping;
    return mapping > 0 ? mapping - 1 : 0;
}

static __always_inline struct rj_steer_decision passed(__u32 reason)
{
    return (struct rj_steer_decision){.reason = reason, .verdict = RJ_XDP_TO_KERNEL};
}

/* Whether the driver that has the queue lives. A program that goes with it need not ask. */
static __always_inline int is_alive(const struct rj_xdp_config *config, __u32 queue_index)
{
    const struct rj_queue_value *queue = rj_queue_find(queue_index);
    if (config == NULL || (config->flags & RJ_XDP_OUTLIVES) == 0)
        return 1;
    if (queue == NULL)
        return 0;
    const struct rj_owner_value *owner = bpf_map_lookup_elem(&rj_owners, &queue->owner);
    return owner != NULL && bpf_ktime_get_ns() - owner->alive_ns < RJ_XDP_OWNER_TIMEOUT_NS;
}

static __always_inline struct rj_steer_decision decide(struct __sk_buff *skb)
{
    __u8 head[HEAD_BYTES] = {0};
    __u32 bytes = skb->len;
    __u32 zero = 0;
    if (bytes > HEAD_BYTES)
        bytes = HEAD_BYTES;
    if (bytes < RJ_STEER_ETHERNET_BYTES || bpf_skb_load_bytes(skb, 0, head, bytes) != 0)
        return passed(RJ_XDP_PASS_SHORT);
    if (skb->vlan_present != 0 && skb->vlan_proto != bpf_htons(ETHERTYPE_TAG))
        return passed(RJ_XDP_PASS_NOT_IP);
    struct rj_steer_frame frame = {
        .data = head,
        .data_end = head + bytes,
        .length_bytes = skb->len,
        .queue = queue_of(skb),
        .vlan = (__u16)(skb->vlan_tci & RJ_STEER_TAG_VLAN),
        .has_tag = skb->vlan_present != 0,
    };
    struct rj_steer_datagram datagram = {0};
    const struct rj_xdp_config *config = bpf_map_lookup_elem(&rj_config, &zero);
    struct rj_steer_decision decision = rj_steer_decide(&frame, config, &datagram);
    __u32 reason = decision.reason;
    if (decision.verdict == RJ_XDP_ECHO)
        reason = RJ_XDP_PASS_NO_ECHO;
    else if (decision.verdict == RJ_XDP_TO_USER && skb->gso_size != 0)
        reason = RJ_XDP_PASS_OVERSIZE;
    else if (decision.verdict == RJ_XDP_TO_USER && !is_alive(config, frame.queue))
        reason = RJ_XDP_PASS_NO_QUEUE;
    if (reason != decision.reason) {
        decision.reason = reason;
        decision.verdict = RJ_XDP_TO_KERNEL;
    }
    return decision;
}

SEC("socket")
int rj_packet_tap(struct __sk_buff *skb)
{
    return decide(skb).verdict == RJ_XDP_TO_USER ? (int)skb->len : 0;
}

/* Of a fan-out group: the engine of the queue is the member of that number. */
SEC("socket")
int rj_packet_fan(struct __sk_buff *skb)
{
    return (int)(queue_of(skb) - rj_first_queue);
}

/* What this host sends to a group comes in again for its own sockets, and no tap takes it. */
SEC("tc")
int rj_packet_in(struct __sk_buff *skb)
{
    if (skb->pkt_type == PACKET_LOOPBACK)
        return NEXT;
    struct rj_steer_decision decision = decide(skb);
    count(&decision, skb->len);
    return decision.verdict == RJ_XDP_TO_USER || decision.verdict == RJ_XDP_DROP ? DROP : NEXT;
}
