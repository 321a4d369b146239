/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The lab's bad wire: a tc ingress program on the wire's ports that drops, duplicates, corrupts and
 * holds back frames by seed and number.
 *
 *     frame n, held:   its bytes go into the slot of a later frame m, and it is dropped
 *     frame m, later:  a marked clone of m comes in again and passes; m itself is overwritten
 *                      with the bytes of n and passes
 *
 * A program cannot send a frame from nothing, but it can send the one it has a second time: so m
 * carries n. When m is itself dropped or held, no clone is needed. The mark never comes from
 * outside, because a frame loses its mark on the way from one namespace to the next.
 *
 * Whoever loads this must see to it that hosts send whole sums and no super-frames: a corrupted
 * frame with a partial sum would be repaired on its way, and a carrier keeps the kernel's idea of
 * where a sum is to be filled in. */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/impair_decide.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum {
    PASS = 0, /* TC_ACT_OK */
    DROP = 2, /* TC_ACT_SHOT */
    MARK = 0x726a696d,
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_IPV6 = 0x86dd,
    PROTOCOL_UDP = 17,
    PROTOCOL_FRAGMENT = 44,
    PROTOCOL_ICMPV6 = 58,
    ND_FIRST = 133, /* router solicitation */
    ND_LAST = 137,  /* redirect */
    FRAGMENT_OFFSET_IPV4 = 0x1fff,
    FRAGMENT_OFFSET_IPV6 = 0xfff8,
    ETHERNET_MIN = 60, /* what a real link pads its frames to */
};

/* Set before loading, constants to the verifier. */
const volatile __u32 rj_ports[RJ_IMPAIR_HOSTS_MAX] = {0}; /* interface index of host i + 1 */
const volatile __u32 rj_frame_max = 0; /* bytes a slot has room for; 0 when nothing reorders */

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, RJ_IMPAIR_DIRECTIONS_MAX);
    __type(key, __u32);
    __type(value, struct rj_impair_config);
} rj_imp_config SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, RJ_IMPAIR_DIRECTIONS_MAX);
    __type(key, __u32);
    __type(value, struct rj_impair_state);
} rj_imp_state SEC(".maps");

/* Size and number of the values are set by the loader, so they have no type. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(key_size, sizeof(__u32));
    __uint(value_size, sizeof(struct rj_impair_slot) + 8);
} rj_imp_slots SEC(".maps");

struct frame {
    __u64 number;
    __u32 direction;
    __u32 payload_offset; /* bytes from here on may be corrupted */
    __u8 is_udp;
};

static __always_inline void count(__u64 *counter)
{
    __sync_fetch_and_add(counter, 1);
}

static __always_inline __u32 find_source(const struct __sk_buff *skb)
{
    for (__u32 i = 0; i < RJ_IMPAIR_HOSTS_MAX; i++)
        if (rj_ports[i] != 0 && rj_ports[i] == skb->ifindex)
            return i + 1;
    return 0;
}

/* Hosts are told by the address that the lab gave them, 02:72:6a:00:00:ii. */
static __always_inline __u32 find_destination(const struct ethhdr *eth, __u32 source)
{
    const __u8 *mac = eth->h_dest;
    if (mac[0] != 0x02 || mac[1] != 0x72 || mac[2] != 0x6a || mac[3] != 0 || mac[4] != 0 ||
        mac[5] == 0 || mac[5] > RJ_IMPAIR_HOSTS_MAX)
        return source;
    return mac[5];
}

static __always_inline int parse_ipv4(struct __sk_buff *skb, struct frame *frame)
{
    struct iphdr ip;
    if (bpf_skb_load_bytes(skb, sizeof(struct ethhdr), &ip, sizeof(ip)) != 0 || ip.ihl < 5)
        return 0;
    frame->payload_offset = sizeof(struct ethhdr) + ip.ihl * 4;
    frame->is_udp = ip.protocol == PROTOCOL_UDP;
    if (frame->is_udp && (ip.frag_off & bpf_htons(FRAGMENT_OFFSET_IPV4)) == 0)
        frame->payload_offset += sizeof(struct udphdr);
    return 1;
}

static __always_inline int parse_ipv6(struct __sk_buff *skb, struct frame *frame)
{
    struct ipv6hdr ip;
    struct frag_hdr fragment = {0};
    __u8 type = 0;
    frame->payload_offset = sizeof(struct ethhdr) + sizeof(ip);
    if (bpf_skb_load_bytes(skb, sizeof(struct ethhdr), &ip, sizeof(ip)) != 0)
        return 0;
    __u8 protocol = ip.nexthdr;
    if (protocol == PROTOCOL_FRAGMENT) {
        if (bpf_skb_load_bytes(skb, frame->payload_offset, &fragment, sizeof(fragment)) != 0)
            return 0;
        protocol = fragment.nexthdr;
        frame->payload_offset += sizeof(fragment);
    }
    frame->is_udp = protocol == PROTOCOL_UDP;
    if (frame->is_udp && (fragment.frag_off & bpf_htons(FRAGMENT_OFFSET_IPV6)) == 0)
        frame->payload_offset += sizeof(struct udphdr);
    /* Without its neighbours a host would stop, rather than see loss. */
    return protocol != PROTOCOL_ICMPV6 ||
           (bpf_skb_load_bytes(skb, frame->payload_offset, &type, sizeof(type)) == 0 &&
            (type < ND_FIRST || type > ND_LAST));
}

/* Returns 1 when the frame is one that may be impaired; its direction is found in any case. */
static __always_inline int parse(struct __sk_buff *skb, struct frame *frame)
{
    struct ethhdr eth;
    __u32 source = find_source(skb);
    if (source == 0 || bpf_skb_load_bytes(skb, 0, &eth, sizeof(eth)) != 0)
        return -1;
    frame->direction = rj_impair_direction(source, find_destination(&eth, source));
    if (skb->gso_size != 0)
        return 0;
    if (eth.h_proto == bpf_htons(ETHERTYPE_IPV4))
        return parse_ipv4(skb, frame);
    if (eth.h_proto == bpf_htons(ETHERTYPE_IPV6))
        return parse_ipv6(skb, frame);
    return 0;
}

/* Sends the frame, as it is now, once more into the same port. */
static __always_inline int send_clone(struct __sk_buff *skb)
{
    skb->mark = MARK;
    int result = bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS);
    skb->mark = 0;
    return result == 0;
}

/* The UDP header is spared: a sum that became 0 would mean that there is none. */
static __always_inline int corrupt(struct __sk_buff *skb, const struct frame *frame,
                                   const struct rj_impair_verdict *verdict)
{
    __u8 byte = 0;
    if (skb->len <= frame->payload_offset)
        return 0;
    __u32 room = skb->len - frame->payload_offset;
    __u32 offset = frame->payload_offset + verdict->corrupt_place % room;
    if (bpf_skb_load_bytes(skb, offset, &byte, sizeof(byte)) != 0)
        return 0;
    byte ^= verdict->corrupt_mask;
    return bpf_skb_store_bytes(skb, offset, &byte, sizeof(byte), 0) == 0;
}

static __always_inline struct rj_impair_slot *find_slot(const struct rj_impair_config *config,
                                                        __u32 slot)
{
    __u32 key = config->slot_base + slot;
    return bpf_map_lookup_elem(&rj_imp_slots, &key);
}

/* Stores the frame in the slot of a later one. The bit in `ready_slots` is set only once the bytes
 * are there; the kernel's fetching atomics are full barriers, and pair with those in `release`. */
static __always_inline int hold(struct __sk_buff *skb, const struct frame *frame,
                                const struct rj_impair_config *config,
                                struct rj_impair_state *state,
                                const struct rj_impair_verdict *verdict)
{
    __u32 length = skb->len;
    __u32 index = rj_impair_slot_choose(state->taken_slots, frame->number, verdict->hold_distance,
                                        config->delay_frames);
    if (index >= RJ_IMPAIR_NO_SLOT || length == 0 || length > rj_frame_max)
        return 0;
    struct rj_impair_slot *slot = find_slot(config, index);
    __u64 bit = 1ULL << index;
    if (slot == NULL || (__sync_fetch_and_or(&state->taken_slots, bit) & bit) != 0)
        return 0;
    if (bpf_skb_load_bytes(skb, 0, slot->bytes, length) != 0) {
        __sync_fetch_and_and(&state->taken_slots, ~bit);
        return 0;
    }
    slot->length_bytes = length;
    __sync_fetch_and_or(&state->ready_slots, bit);
    return 1;
}

static __always_inline int is_due(const struct rj_impair_state *state, const struct frame *frame)
{
    return (state->ready_slots >> (frame->number % RJ_IMPAIR_SLOTS) & 1) != 0;
}

/* Gives the frame that length. The kernel lets none end before the headers it knows of, and a short
 * IPv4 frame ends before those of an IPv6 carrier: such a frame is padded. */
static __always_inline int resize(struct __sk_buff *skb, __u32 length)
{
    if (bpf_skb_change_tail(skb, length, 0) == 0)
        return 1;
    return length < ETHERNET_MIN && bpf_skb_change_tail(skb, ETHERNET_MIN, 0) == 0;
}

/* Turns the frame, which has left already or is not to, into the one that waits for it. Where that
 * fails the held frame waits on, for the frame 64 later. */
static __always_inline int release(struct __sk_buff *skb, const struct frame *frame,
                                   const struct rj_impair_config *config,
                                   struct rj_impair_state *state)
{
    __u32 index = frame->number % RJ_IMPAIR_SLOTS;
    __u64 bit = 1ULL << index;
    struct rj_impair_slot *slot = find_slot(config, index);
    if (slot == NULL || (__sync_fetch_and_and(&state->ready_slots, ~bit) & bit) == 0)
        return DROP;
    __u32 length = slot->length_bytes;
    if (length == 0 || length > rj_frame_max || !resize(skb, length) ||
        bpf_skb_store_bytes(skb, 0, slot->bytes, length, BPF_F_INVALIDATE_HASH) != 0) {
        __sync_fetch_and_or(&state->ready_slots, bit);
        return DROP;
    }
    __sync_fetch_and_and(&state->taken_slots, ~bit);
    count(&state->released_frames);
    return PASS;
}

static __always_inline int act(struct __sk_buff *skb, struct frame *frame,
                               const struct rj_impair_config *config, struct rj_impair_state *state)
{
    struct rj_impair_verdict verdict = rj_impair_decide(config, frame->direction, frame->number);
    int is_gone = 0; /* nobody needs this frame's bytes any more */
    if (verdict.drop) {
        count(&state->dropped_frames);
        is_gone = 1;
    }
    if (verdict.duplicate)
        count(send_clone(skb) ? &state->duplicated_frames : &state->failed_clones);
    if (verdict.corrupt && corrupt(skb, frame, &verdict))
        count(&state->corrupted_frames);
    if (verdict.hold) {
        is_gone = hold(skb, frame, config, state, &verdict);
        count(is_gone ? &state->held_frames : &state->refused_holds);
    }
    if (!is_gone)
        count(&state->passed_frames);
    if (!is_due(state, frame))
        return is_gone ? DROP : PASS;
    if (!is_gone && !send_clone(skb)) {
        count(&state->failed_clones);
        return PASS;
    }
    return release(skb, frame, config, state);
}

SEC("tc")
int rj_impair(struct __sk_buff *skb)
{
    struct frame frame = {0};
    if (skb->mark == MARK) {
        skb->mark = 0;
        return PASS;
    }
    int may_impair = parse(skb, &frame);
    if (may_impair < 0)
        return PASS;
    const struct rj_impair_config *config = bpf_map_lookup_elem(&rj_imp_config, &frame.direction);
    struct rj_impair_state *state = bpf_map_lookup_elem(&rj_imp_state, &frame.direction);
    if (config == NULL || state == NULL)
        return PASS;
    if (!may_impair || (!frame.is_udp && (config->flags & RJ_IMPAIR_ALL_FRAMES) == 0)) {
        count(&state->other_frames);
        return PASS;
    }
    frame.number = __sync_fetch_and_add(&state->next_frame, 1);
    count(&state->seen_frames);
    __sync_fetch_and_add(&state->seen_bytes, skb->len);
    return act(skb, &frame, config, state);
}
