/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* maps.h - the maps of a steering program, by which steer_decide.h looks up, and what it counts.
 *
 * Every program that steers has the same ones, so that who writes them need not know which it is.
 *
 * Units      see ramjet/xdp_abi.h.
 * Ownership  one set for each load of a program.
 * Thread     any CPU; counters are a CPU's own.
 * Errors     none.
 */
#ifndef RJ_BPF_MAPS_H
#define RJ_BPF_MAPS_H

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

/* The next two are for those who write the others. */
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

#endif
