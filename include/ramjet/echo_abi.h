/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* echo_abi.h - what the echo program (bpf/echo.bpf.c) and user space agree on: its maps.
 *
 * Units      addresses in network order, everything else in host order.
 * Ownership  user space writes rj_echo_own and rj_echo_config, the program counts.
 * Thread     any.
 * Errors     none.
 */
#ifndef RJ_ECHO_ABI_H
#define RJ_ECHO_ABI_H

#ifndef __bpf__
#include <linux/types.h>
#endif

enum { RJ_ECHO_ADDRESSES_MAX = 1024, RJ_ECHO_SOURCE_PORT_MIN = 1024 };

/* Key of rj_echo_own: an address of this host; IPv4 as ::ffff:a.b.c.d. Its value is 1. */
struct rj_echo_address {
    __u8 bytes[16];
};

/* One entry, index 0. */
struct rj_echo_config {
    __u8 mac[6]; /* of the interface */
    __u16 port;
};

/* What became of a frame; the index of rj_echo_stats, whose values are struct rj_count of
 * xdp_abi.h. Everything but ANSWERED went on to the kernel. */
enum rj_echo_reason {
    RJ_ECHO_ANSWERED,
    RJ_ECHO_PASS_OTHER,      /* no datagram, a fragment, or not to our port and address */
    RJ_ECHO_PASS_SOURCE,     /* from a port that would answer as well, or from nobody's address */
    RJ_ECHO_PASS_HOPS,       /* it may go no further */
    RJ_ECHO_PASS_UNFINISHED, /* its sum was unfinished, and could not be finished */
    RJ_ECHO_REASON_COUNT
};

_Static_assert(sizeof(struct rj_echo_config) == 8, "rj_echo_config");

#endif
