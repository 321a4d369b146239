/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The steering program: parses a received frame, decides by the maps whose it is, and acts.
 *
 *     frame -> rj_steer_decide -> TO_USER: the AF_XDP socket of its queue
 *                 (steer_decide.h) ECHO, DROP
 *                                 TO_KERNEL: all that is not ours, or not for a ring
 *
 * There is one program for all drivers: that it knows frames of several buffers hinders none that
 * does not make such frames. A redirect to a socket that has gone meanwhile passes. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "bpf/steer_decide.h"

#include "bpf/echo_rewrite.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, RJ_XDP_CHANNELS_MAX);
    __type(key, struct rj_channel_key);
    __type(value, struct rj_channel_value);
} rj_channels SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, RJ_XDP_STREAMS_MAX);
    __type(key, struct rj_stream_key);
    __type(value, struct rj_stream_value);
} rj_streams SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, RJ_XDP_QUEUES_MAX);
    __type(key, __u32);
    __type(value, __u32);
} rj_xsks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, RJ_XDP_QUEUES_MAX);
    __type(key, __u32);
    __type(value, struct rj_queue_value);
} rj_queues SEC(".maps");

/* The next two are for those who write the others; the program does not look at them. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, RJ_XDP_OWNERS_MAX);
    __type(key, __u32);
    __type(value, struct rj_owner_value);
} rj_owners SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, RJ_XDP_CLAIMS_MAX);
    __type(key, struct rj_claim_key);
    __type(value, struct rj_claim_value);
} rj_claims SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct rj_xdp_config);
} rj_config SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, RJ_XDP_REASON_COUNT);
    __type(key, __u32);
    __type(value, struct rj_count);
} rj_stats SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, RJ_XDP_COUNTERS_MAX);
    __type(key, __u32);
    __type(value, struct rj_stream_count);
} rj_stream_stats SEC(".maps");

static const struct rj_channel_value *rj_channel_find(const struct rj_channel_key *key)
{
    return bpf_map_lookup_elem(&rj_channels, key);
}

static const struct rj_stream_value *rj_stream_find(const struct rj_stream_key *key)
{
    return bpf_map_lookup_elem(&rj_streams, key);
}

static const struct rj_queue_value *rj_queue_find(__u32 queue)
{
    return bpf_map_lookup_elem(&rj_queues, &queue);
}

/* A CPU's own counters, which no other writes. */
static __always_inline void add(struct rj_count *count, __u32 bytes)
{
    count->packets++;
    count->bytes += bytes;
}

static __always_inline void count(const struct rj_steer_decision *decision, __u32 bytes)
{
    struct rj_count *reason = bpf_map_lookup_elem(&rj_stats, &decision->reason);
    if (reason != NULL)
        add(reason, bytes);
    if (decision->counter_index == RJ_XDP_COUNTER_NONE)
        return;
    struct rj_stream_count *stream =
        bpf_map_lookup_elem(&rj_stream_stats, &decision->counter_index);
    if (stream != NULL)
        add(rj_steer_count_of(stream, decision->verdict), bytes);
}

static __always_inline int pass(struct rj_steer_decision *decision, __u32 reason)
{
    decision->reason = reason;
    decision->verdict = RJ_XDP_TO_KERNEL;
    return XDP_PASS;
}

/* Does what was decided, and amends the decision where that cannot be done. */
static __always_inline int act(struct xdp_md *ctx, const struct rj_steer_frame *frame,
                               const struct rj_xdp_config *config,
                               const struct rj_steer_datagram *datagram,
                               struct rj_steer_decision *decision)
{
    switch (decision->verdict) {
    case RJ_XDP_TO_USER:
        if (bpf_redirect_map(&rj_xsks, decision->queue, XDP_PASS) == XDP_REDIRECT)
            return XDP_REDIRECT;
        return pass(decision, RJ_XDP_PASS_NO_QUEUE);
    case RJ_XDP_DROP:
        return XDP_DROP;
    case RJ_XDP_ECHO:
        if (config != NULL &&
            rj_echo_rewrite(ctx, frame, datagram, config->flags & RJ_XDP_GENERIC) == 0)
            return XDP_TX;
        return pass(decision, RJ_XDP_PASS_NO_ECHO);
    default:
        return XDP_PASS;
    }
}

SEC("xdp.frags")
int rj_steer(struct xdp_md *ctx)
{
    struct rj_steer_frame frame = {
        .data = (const __u8 *)(long)ctx->data,
        .data_end = (const __u8 *)(long)ctx->data_end,
        .length_bytes = (__u32)bpf_xdp_get_buff_len(ctx),
        .queue = ctx->rx_queue_index,
    };
    struct rj_steer_datagram datagram = {0};
    __u32 zero = 0;
    const struct rj_xdp_config *config = bpf_map_lookup_elem(&rj_config, &zero);
    struct rj_steer_decision decision = rj_steer_decide(&frame, config, &datagram);
    int action = act(ctx, &frame, config, &datagram, &decision);
    count(&decision, frame.length_bytes);
    return action;
}
