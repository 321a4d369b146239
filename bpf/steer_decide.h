/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* steer_decide.h - what becomes of one received frame: parse, look up, judge.
 *
 *     | Ethernet 14 | [802.1Q 4] | IPv4 20..60 or IPv6 40 | UDP 8 | Aeron frame ...
 *                                |                        |       |
 *                             network                   udp     payload
 *
 * Compiled for BPF and for user space, so that the simulation and the tests run the very code that
 * the kernel does. It reads what lies between `data` and `data_end` and nothing else; a frame that
 * it does not understand passes to the kernel. Headers always lie in the first buffer of a frame.
 *
 * Whoever includes this defines the three look-ups declared below.
 *
 * Units      bytes; see ramjet/xdp_abi.h.
 * Ownership  none.
 * Thread     any.
 * Errors     a reason for everything; see enum rj_xdp_reason.
 */
#ifndef RJ_BPF_STEER_DECIDE_H
#define RJ_BPF_STEER_DECIDE_H

#include "bpf/parse.h"

/* Each returns the value of that key, or NULL. */
static const struct rj_channel_value *rj_channel_find(const struct rj_channel_key *key);
static const struct rj_stream_value *rj_stream_find(const struct rj_stream_key *key);
static const struct rj_queue_value *rj_queue_find(__u32 queue);

/* Types of Aeron's frames, and the bytes of their fixed part (wire.md 2 and 4.1). */
enum {
    RJ_STEER_AERON_PAD = 0,
    RJ_STEER_AERON_DATA = 1,
    RJ_STEER_AERON_NAK = 2,
    RJ_STEER_AERON_SM = 3,
    RJ_STEER_AERON_ERR = 4,
    RJ_STEER_AERON_SETUP = 5,
    RJ_STEER_AERON_RTTM = 6,
    RJ_STEER_AERON_RSP_SETUP = 11,

    RJ_STEER_AERON_HEADER_BYTES = 8,
    RJ_STEER_DATA_BYTES = 32,
    RJ_STEER_NAK_BYTES = 28,
    RJ_STEER_SM_BYTES = 36,
    RJ_STEER_ERR_BYTES = 40,
    RJ_STEER_SETUP_BYTES = 40,
    RJ_STEER_RTTM_BYTES = 40,
    RJ_STEER_RSP_SETUP_BYTES = 20,
};

enum rj_steer_kind { RJ_STEER_NO_AERON, RJ_STEER_IS_DATA, RJ_STEER_IS_CONTROL };

struct rj_steer_decision {
    __u32 reason;        /* enum rj_xdp_reason */
    __u32 verdict;       /* what is to be done now: never BROKER, which passes */
    __u32 counter_index; /* or NONE */
    __u32 queue;         /* whose ring gets it, with TO_USER */
};

static __always_inline __u32 rj_steer_le16(const __u8 *at)
{
    return (__u32)at[1] << 8 | at[0];
}

static __always_inline __u32 rj_steer_le32(const __u8 *at)
{
    return rj_steer_le16(at + 2) << 16 | rj_steer_le16(at);
}

/* The counter of `count` for frames with that verdict. */
static __always_inline struct rj_count *rj_steer_count_of(struct rj_stream_count *count,
                                                          __u32 verdict)
{
    switch (verdict) {
    case RJ_XDP_TO_USER:
        return &count->redirected;
    case RJ_XDP_DROP:
        return &count->dropped;
    case RJ_XDP_ECHO:
        return &count->echoed;
    default:
        return &count->passed;
    }
}

/* The structural check of wire.md 4.1, as rj_frame_check does it: what fails here is counted by
 * the driver as an invalid packet when it comes through the socket. */
static __always_inline enum rj_steer_kind
rj_steer_classify(const struct rj_steer_frame *frame, const struct rj_steer_datagram *datagram)
{
    const __u8 *at = datagram->payload;
    __u32 payload_bytes = datagram->udp_bytes - RJ_STEER_UDP_BYTES;
    enum rj_steer_kind kind = RJ_STEER_IS_CONTROL;
    __u32 least_bytes;
    if (payload_bytes < RJ_STEER_RSP_SETUP_BYTES || at + RJ_STEER_RSP_SETUP_BYTES > frame->data_end)
        return RJ_STEER_NO_AERON;
    __u32 frame_bytes = rj_steer_le32(at);
    __u32 type = rj_steer_le16(at + 6);
    if (at[4] != 0 || frame_bytes > 0x7fffffff)
        return RJ_STEER_NO_AERON;
    if (type == RJ_STEER_AERON_DATA || type == RJ_STEER_AERON_PAD)
        return payload_bytes >= RJ_STEER_DATA_BYTES && payload_bytes % RJ_STEER_DATA_BYTES == 0
                   ? RJ_STEER_IS_DATA
                   : RJ_STEER_NO_AERON;
    if (type == RJ_STEER_AERON_SETUP) {
        kind = RJ_STEER_IS_DATA;
        least_bytes = RJ_STEER_SETUP_BYTES;
    } else if (type == RJ_STEER_AERON_SM) {
        least_bytes = RJ_STEER_SM_BYTES;
    } else if (type == RJ_STEER_AERON_NAK) {
        least_bytes = RJ_STEER_NAK_BYTES;
    } else if (type == RJ_STEER_AERON_RTTM || type == RJ_STEER_AERON_ERR) {
        least_bytes = RJ_STEER_RTTM_BYTES;
    } else if (type == RJ_STEER_AERON_RSP_SETUP) {
        least_bytes = RJ_STEER_RSP_SETUP_BYTES;
    } else {
        return RJ_STEER_NO_AERON;
    }
    return payload_bytes >= least_bytes && frame_bytes <= payload_bytes ? kind : RJ_STEER_NO_AERON;
}

/* Whether the ring of the queue takes the frame: `reason` when it does, else why not. What the
 * operator sends to user space goes to whichever driver has the queue. */
static __always_inline __u32 rj_steer_to_ring(const struct rj_steer_frame *frame,
                                              const struct rj_channel_value *channel, __u32 reason)
{
    const struct rj_queue_value *queue = rj_queue_find(frame->queue);
    if (queue == NULL || queue->owner == RJ_XDP_OWNER_NONE)
        return RJ_XDP_PASS_NO_QUEUE;
    if (queue->owner != channel->owner && channel->owner != RJ_XDP_OWNER_OPERATOR)
        return RJ_XDP_PASS_OTHER_OWNER;
    return frame->length_bytes > queue->room_bytes ? RJ_XDP_PASS_OVERSIZE : reason;
}

/* Data and setups: session and stream id lie at the same place in all of them. */
static __always_inline __u32 rj_steer_judge_data(const struct rj_steer_frame *frame,
                                                 const struct rj_steer_datagram *datagram,
                                                 const struct rj_channel_value *channel,
                                                 __u32 *counter_index)
{
    struct rj_stream_key key = {
        .channel_id = channel->channel_id,
        .stream_id = (__s32)rj_steer_le32(datagram->payload + 16),
        .session_id = (__s32)rj_steer_le32(datagram->payload + 12),
    };
    const struct rj_stream_value *stream = rj_stream_find(&key);
    __u32 verdict = channel->verdict;
    if (stream == NULL) {
        key.session_id = 0;
        key.any_session = 1;
        stream = rj_stream_find(&key);
    }
    if (stream != NULL) {
        verdict = stream->verdict;
        if (stream->counter_index != RJ_XDP_COUNTER_NONE)
            *counter_index = stream->counter_index;
    } else if (verdict == RJ_XDP_TO_KERNEL && (channel->flags & RJ_XDP_STREAMS_OVERFLOW) != 0) {
        verdict = RJ_XDP_TO_USER;
    }
    switch (verdict) {
    case RJ_XDP_TO_USER:
        return rj_steer_to_ring(
            frame, channel, stream != NULL ? RJ_XDP_REDIRECTED_DATA : RJ_XDP_REDIRECTED_DEFAULT);
    case RJ_XDP_DROP:
        return RJ_XDP_DROPPED;
    case RJ_XDP_ECHO:
        return rj_steer_can_echo(frame, datagram) ? RJ_XDP_ECHOED : RJ_XDP_PASS_NO_ECHO;
    case RJ_XDP_BROKER:
        return RJ_XDP_PASS_BROKER;
    default:
        return stream == NULL && channel->origin != RJ_XDP_FROM_OPERATOR ? RJ_XDP_PASS_NO_STREAM
                                                                         : RJ_XDP_PASS_VERDICT;
    }
}

static __always_inline __u32 rj_steer_judge(const struct rj_steer_frame *frame,
                                            const struct rj_steer_datagram *datagram,
                                            const struct rj_channel_value *channel,
                                            __u32 *counter_index)
{
    switch (rj_steer_classify(frame, datagram)) {
    case RJ_STEER_IS_DATA:
        return rj_steer_judge_data(frame, datagram, channel, counter_index);
    case RJ_STEER_IS_CONTROL:
        if ((channel->flags & RJ_XDP_CONTROL_TO_USER) == 0)
            return RJ_XDP_PASS_CONTROL;
        return rj_steer_to_ring(frame, channel, RJ_XDP_REDIRECTED_CONTROL);
    case RJ_STEER_NO_AERON:
    default:
        return RJ_XDP_PASS_NOT_AERON;
    }
}

static __always_inline __u32 rj_steer_verdict_of(__u32 reason)
{
    switch (reason) {
    case RJ_XDP_REDIRECTED_DATA:
    case RJ_XDP_REDIRECTED_CONTROL:
    case RJ_XDP_REDIRECTED_DEFAULT:
        return RJ_XDP_TO_USER;
    case RJ_XDP_DROPPED:
        return RJ_XDP_DROP;
    case RJ_XDP_ECHOED:
        return RJ_XDP_ECHO;
    default:
        return RJ_XDP_TO_KERNEL;
    }
}

/* Decides. `config` may be NULL, which is a version that nobody knows. `ret_datagram` holds
 * something only after a verdict other than TO_KERNEL. */
static __always_inline struct rj_steer_decision
rj_steer_decide(const struct rj_steer_frame *frame, const struct rj_xdp_config *config,
                struct rj_steer_datagram *ret_datagram)
{
    struct rj_steer_decision decision = {.reason = RJ_XDP_PASS_VERSION, .queue = frame->queue};
    struct rj_channel_key key = {0};
    if (config == NULL || config->abi_version != RJ_XDP_ABI_VERSION)
        return decision;
    int reason = rj_steer_parse(frame, config->mac, &key, ret_datagram);
    if (reason != RJ_STEER_GO_ON) {
        decision.reason = (__u32)reason;
        return decision;
    }
    const struct rj_channel_value *channel = rj_channel_find(&key);
    if (channel == NULL) {
        decision.reason = RJ_XDP_PASS_NO_CHANNEL;
        return decision;
    }
    decision.counter_index = channel->counter_index;
    decision.reason = rj_steer_judge(frame, ret_datagram, channel, &decision.counter_index);
    decision.verdict = rj_steer_verdict_of(decision.reason);
    return decision;
}

#endif
