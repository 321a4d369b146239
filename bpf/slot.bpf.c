/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Asks a kernel whether one program may replace a function of another, which is how libxdp's
 * dispatcher calls several programs on one interface. Nothing of this is ever attached. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The volatile keeps the compiler from knowing the result, and so from leaving the call out. */
__attribute__((noinline)) int rj_slot(struct xdp_md *ctx)
{
    volatile int action = XDP_PASS;
    return ctx != NULL ? action : XDP_DROP;
}

SEC("xdp")
int rj_slot_host(struct xdp_md *ctx)
{
    return rj_slot(ctx);
}

SEC("freplace/rj_slot")
int rj_slot_guest(struct xdp_md *ctx)
{
    return ctx != NULL ? XDP_PASS : XDP_DROP;
}
