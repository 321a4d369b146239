/* SPDX-License-Identifier: Apache-2.0 */
/* impair_abi.h - what the lab's bad wire (bpf/impair.bpf.c) and its loader agree on.
 *
 * A direction is a source host and a destination host. Frames to a group, and frames whose
 * destination is no host of the lab, belong to the direction from their source to itself.
 *
 *     rj_imp_config  array  direction -> rj_impair_config   written once, before attaching
 *     rj_imp_state   array  direction -> rj_impair_state    written by the program alone
 *     rj_imp_slots   array  slot      -> rj_impair_slot     64 for each direction that reorders
 *
 * Units      ppm: parts per million. Frames are numbered from 0 in each direction, and only those
 *            that the direction may harm.
 * Ownership  the attached program keeps its maps alive; nothing is pinned.
 * Thread     the program runs on any CPU; counts are added atomically.
 * Errors     none.
 */
#ifndef RAMJET_IMPAIR_ABI_H
#define RAMJET_IMPAIR_ABI_H

#ifndef __bpf__
#include <linux/types.h>
#endif

enum {
    RJ_IMPAIR_ABI_VERSION = 1,
    RJ_IMPAIR_HOSTS_MAX = 16,
    RJ_IMPAIR_DIRECTIONS_MAX = RJ_IMPAIR_HOSTS_MAX * RJ_IMPAIR_HOSTS_MAX,
    RJ_IMPAIR_SLOTS = 64, /* as many as a 64-bit word has bits */
    RJ_IMPAIR_DELAY_FRAMES_MAX = RJ_IMPAIR_SLOTS - 1,
    RJ_IMPAIR_PPM = 1000000,
};

enum rj_impair_flags {
    RJ_IMPAIR_ALL_FRAMES = 1, /* all of IPv4 and IPv6 but neighbour discovery; else UDP alone */
};

struct rj_impair_config {
    __u32 abi_version;
    __u32 flags;
    __u64 seed;
    __u32 loss_ppm;
    __u32 duplicate_ppm;
    __u32 reorder_ppm;
    __u32 corrupt_ppm;
    __u32 delay_frames; /* a held frame waits for 1 to this many later ones */
    __u32 slot_base;    /* the direction's first slot */
};

/* Always: seen = passed + dropped + held, and what left is passed + duplicated + released. */
struct rj_impair_state {
    __u64 next_frame;
    __u64 taken_slots; /* a bit for each slot: being filled, or full */
    __u64 ready_slots; /* full; slot n leaves with the frame of that number mod 64 */
    __u64 seen_frames;
    __u64 seen_bytes;
    __u64 passed_frames;
    __u64 dropped_frames;
    __u64 duplicated_frames;
    __u64 corrupted_frames;
    __u64 held_frames;
    __u64 released_frames;
    __u64 refused_holds; /* no slot was free, or the frame was too long: it passed */
    __u64 failed_clones; /* the kernel had no room: no duplicate, or a held frame waits on */
    __u64 other_frames;  /* not impaired and in none of the counts above */
};

struct rj_impair_slot {
    __u32 length_bytes;
    __u32 reserved;
    __u8 bytes[]; /* as many as the loader asked for, a multiple of 8 */
};

_Static_assert(sizeof(struct rj_impair_config) == 40, "rj_impair_config");
_Static_assert(sizeof(struct rj_impair_state) == 112, "rj_impair_state");
_Static_assert(sizeof(struct rj_impair_slot) == 8, "rj_impair_slot");

/* Hosts count from 1. */
static inline __u32 rj_impair_direction(__u32 source, __u32 destination)
{
    return (source - 1) * RJ_IMPAIR_HOSTS_MAX + (destination - 1);
}

#endif
