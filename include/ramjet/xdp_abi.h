/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* xdp_abi.h - what steering programs (bpf/steer.bpf.c, packet.bpf.c) and user space agree on: maps.
 *
 *   frame -> rj_channels[destination, port, VLAN] -> channel id, default verdict, owner
 *              data and setups: rj_streams[channel, stream, session], then [channel, stream, any]
 *                               -> verdict, counter
 *              to user space:   rj_queues[queue] has the same owner and room? -> rj_xsks[queue]
 *
 * Several drivers on one host share the maps of an interface. Each entry says whose it is; who may
 * use a channel id, a counter index or an owner's number is settled by rj_claims,
 * insert-if-absent.
 *
 * Units      addresses in network order, everything else in host order, so that `bpftool map dump`
 *            reads well; times are CLOCK_MONOTONIC ns.
 * Ownership  see design.md 4: conductor and command line write, the program reads and counts.
 * Thread     any.
 * Errors     a program that finds another abi_version in rj_config passes every frame.
 */
#ifndef RJ_XDP_ABI_H
#define RJ_XDP_ABI_H

#ifndef __bpf__
#include <linux/types.h>
#endif

enum {
    RJ_XDP_ABI_VERSION = 1,
    RJ_XDP_CHANNELS_MAX = 4096,
    RJ_XDP_STREAMS_MAX = 65536,
    RJ_XDP_QUEUES_MAX = 64,
    RJ_XDP_OWNERS_MAX = 64,
    RJ_XDP_COUNTERS_MAX = 16384, /* 0 is "not counted" */
    RJ_XDP_CLAIMS_MAX = RJ_XDP_CHANNELS_MAX + RJ_XDP_COUNTERS_MAX + RJ_XDP_OWNERS_MAX,
    RJ_XDP_OWNER_NONE = 0,
    RJ_XDP_OWNER_OPERATOR = 1, /* the command line; never swept. Drivers draw a number above it */
    RJ_XDP_COUNTER_NONE = 0,
};

/* An owner without a sign of life for so long is dead. */
#define RJ_XDP_OWNER_TIMEOUT_NS 10000000000LL

/* What becomes of a frame. */
enum rj_xdp_verdict {
    RJ_XDP_TO_KERNEL = 0,
    RJ_XDP_TO_USER = 1, /* AF_XDP */
    RJ_XDP_DROP = 2,
    RJ_XDP_ECHO = 3,   /* back where it came from, XDP_TX */
    RJ_XDP_BROKER = 4, /* to the broker's program; without one: to the kernel */
    RJ_XDP_VERDICT_COUNT
};

/* Who may replace an entry. */
enum rj_xdp_origin {
    RJ_XDP_FROM_DRIVER = 0,
    RJ_XDP_FROM_OPERATOR = 1, /* `ramjet filter`: a driver leaves it alone */
};

enum rj_xdp_channel_flags {
    RJ_XDP_CONTROL_TO_USER = 1,  /* SM, NAK, RTTM, ERR, RSP_SETUP go to the ring, not the socket */
    RJ_XDP_STREAMS_OVERFLOW = 2, /* rj_streams was full: the default verdict stands in */
};

struct rj_channel_key {
    __u8 address[16]; /* destination; IPv4 as ::ffff:a.b.c.d */
    __u16 port;
    __u16 vlan; /* 0: untagged */
};

struct rj_channel_value {
    __u32 channel_id; /* 1.. */
    __u32 owner;
    __u32 counter_index; /* of frames that no stream entry counts; may be NONE */
    __u16 flags;         /* of rj_xdp_channel_flags */
    __u8 verdict;        /* of data and setups that no stream entry names */
    __u8 origin;
};

struct rj_stream_key {
    __u32 channel_id;
    __s32 stream_id;
    __s32 session_id;  /* 0 with any_session */
    __u32 any_session; /* 1: whatever the session */
};

struct rj_stream_value {
    __u32 owner;
    __u32 counter_index;
    __u8 verdict;
    __u8 origin;
    __u8 reserved[2];
};

/* Index: receive queue. */
struct rj_queue_value {
    __u32 owner;      /* NONE: no socket is bound there */
    __u32 room_bytes; /* longest frame that its UMEM takes */
};

struct rj_owner_value {
    __u64 start_ns; /* of the driver */
    __u64 alive_ns; /* last sign of life */
    __u32 pid;
    __u32 reserved;
};

enum rj_xdp_claim {
    RJ_XDP_CLAIM_CHANNEL = 1, /* number: channel id */
    RJ_XDP_CLAIM_COUNTER = 2, /* number: counter index */
    RJ_XDP_CLAIM_OWNER = 3,   /* number: owner, so that no two drivers draw the same */
};

struct rj_claim_key {
    __u32 kind;
    __u32 number;
};

struct rj_claim_value {
    __u32 owner;
};

enum rj_xdp_mode {
    RJ_XDP_MODE_AUTO = 0,
    RJ_XDP_MODE_NATIVE = 1,
    RJ_XDP_MODE_GENERIC = 2,
    RJ_XDP_MODE_ZERO_COPY = 3, /* native; sockets that would copy are refused */
    RJ_XDP_MODE_PACKET = 4,    /* no XDP: taps, and a program at the ingress (packet.bpf.c) */
};

enum rj_xdp_config_flags {
    RJ_XDP_GENERIC = 1, /* attached in generic mode, where the kernel remembers an unfinished sum */
    RJ_XDP_OUTLIVES = 2, /* the program may outlive its driver: it asks for a sign of life */
};

/* One entry, index 0. */
struct rj_xdp_config {
    __u32 abi_version;
    __u8 mac[6];       /* of the interface */
    __u8 wanted_mode;  /* enum rj_xdp_mode, as asked for when it was attached */
    __u8 native_errno; /* why native was refused; 0 when it was not, or not tried */
    __u32 flags;       /* of rj_xdp_config_flags */
};

struct rj_count {
    __u64 packets;
    __u64 bytes; /* of whole frames, Ethernet header included */
};

/* Per counter index: what became of the frames that it counts. */
struct rj_stream_count {
    struct rj_count redirected;
    struct rj_count passed; /* also those that wanted a ring and could not have it */
    struct rj_count dropped;
    struct rj_count echoed;
};

/* Why a frame went where it went; the index of rj_stats. Everything before REDIRECTED passes. */
enum rj_xdp_reason {
    RJ_XDP_PASS_VERSION,      /* the maps are of another version */
    RJ_XDP_PASS_SHORT,        /* no whole Ethernet header */
    RJ_XDP_PASS_OTHER_HOST,   /* to a MAC address that is neither ours nor a group */
    RJ_XDP_PASS_NOT_IP,       /* ARP, LLDP, more than one tag, ... */
    RJ_XDP_PASS_MALFORMED_IP, /* lengths that contradict each other */
    RJ_XDP_PASS_FRAGMENT,
    RJ_XDP_PASS_NOT_UDP, /* TCP, ICMP, OSPF, IPv6 extension headers, ... */
    RJ_XDP_PASS_MALFORMED_UDP,
    RJ_XDP_PASS_NO_CHANNEL,
    RJ_XDP_PASS_NOT_AERON,   /* to a channel of ours, but no Aeron frame */
    RJ_XDP_PASS_CONTROL,     /* an SM, NAK, ... whose channel wants it at the socket */
    RJ_XDP_PASS_NO_STREAM,   /* nobody wants the stream; the channel's default is the kernel */
    RJ_XDP_PASS_VERDICT,     /* a stream entry or an operator says: to the kernel */
    RJ_XDP_PASS_BROKER,      /* BROKER, and no broker is there */
    RJ_XDP_PASS_OVERSIZE,    /* longer than the UMEM's room, as super-frames are */
    RJ_XDP_PASS_NO_QUEUE,    /* the queue has no socket */
    RJ_XDP_PASS_OTHER_OWNER, /* the queue is another driver's */
    RJ_XDP_PASS_NO_ECHO,     /* ECHO, but it came to a group or has no hop left */
    RJ_XDP_REDIRECTED_DATA,
    RJ_XDP_REDIRECTED_CONTROL,
    RJ_XDP_REDIRECTED_DEFAULT, /* no stream entry: the channel's default is user space */
    RJ_XDP_DROPPED,
    RJ_XDP_ECHOED,
    RJ_XDP_REASON_COUNT
};

_Static_assert(sizeof(struct rj_channel_key) == 20, "rj_channel_key");
_Static_assert(sizeof(struct rj_channel_value) == 16, "rj_channel_value");
_Static_assert(sizeof(struct rj_stream_key) == 16, "rj_stream_key");
_Static_assert(sizeof(struct rj_stream_value) == 12, "rj_stream_value");
_Static_assert(sizeof(struct rj_queue_value) == 8, "rj_queue_value");
_Static_assert(sizeof(struct rj_owner_value) == 24, "rj_owner_value");
_Static_assert(sizeof(struct rj_claim_key) == 8, "rj_claim_key");
_Static_assert(sizeof(struct rj_xdp_config) == 16, "rj_xdp_config");
_Static_assert(sizeof(struct rj_stream_count) == 64, "rj_stream_count");

#endif
