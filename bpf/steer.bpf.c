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
#include "bpf/maps.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

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
