/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* impair_decide.h - what happens to frame number n of a direction: a function of seed and number.
 *
 * Compiled for BPF and for user space, so that a test holds the kernel's program against the very
 * same decisions. The same seed and the same sequence of frames give the same losses, anywhere.
 *
 * Units      parts per million; distances in frames.
 * Ownership  none.  Thread any.  Errors none.
 */
#ifndef RJ_BPF_IMPAIR_DECIDE_H
#define RJ_BPF_IMPAIR_DECIDE_H

#include "ramjet/impair_abi.h"

enum { RJ_IMPAIR_NO_SLOT = RJ_IMPAIR_SLOTS };

/* A dropped frame is dropped and nothing else; all the others may come together. */
struct rj_impair_verdict {
    __u8 drop;
    __u8 duplicate;
    __u8 corrupt;
    __u8 hold;
    __u32 hold_distance; /* 1 to delay_frames */
    __u32 corrupt_place; /* modulo the bytes there are */
    __u8 corrupt_mask;   /* never 0 */
};

/* What is rolled for one frame, each apart, so that changing one share leaves the others as they
 * were. */
enum rj_impair_roll {
    RJ_IMPAIR_ROLL_DROP,
    RJ_IMPAIR_ROLL_DUPLICATE,
    RJ_IMPAIR_ROLL_CORRUPT,
    RJ_IMPAIR_ROLL_HOLD,
    RJ_IMPAIR_ROLL_DISTANCE,
    RJ_IMPAIR_ROLL_PLACE,
};

/* Mixes all bits of a number into all others (the finalizer of splitmix64). */
static inline __u64 rj_impair_mix(__u64 value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31);
}

static inline __u64 rj_impair_roll(__u64 seed, __u32 direction, __u64 frame,
                                   enum rj_impair_roll roll)
{
    __u64 stream = rj_impair_mix(seed + 0x9e3779b97f4a7c15ULL * (direction + 1));
    return rj_impair_mix(stream + 0x9e3779b97f4a7c15ULL * (frame * 8 + roll));
}

/* The upper half of a roll, scaled to 0 to limit - 1. */
static inline __u32 rj_impair_scale(__u64 roll, __u32 limit)
{
    return (__u32)(((roll >> 32) * limit) >> 32);
}

static inline __u8 rj_impair_hits(const struct rj_impair_config *config, __u32 direction,
                                  __u64 frame, enum rj_impair_roll roll, __u32 ppm)
{
    if (ppm == 0)
        return 0;
    return rj_impair_scale(rj_impair_roll(config->seed, direction, frame, roll), RJ_IMPAIR_PPM) <
           ppm;
}

static inline struct rj_impair_verdict rj_impair_decide(const struct rj_impair_config *config,
                                                        __u32 direction, __u64 frame)
{
    struct rj_impair_verdict verdict = {0};
    verdict.drop = rj_impair_hits(config, direction, frame, RJ_IMPAIR_ROLL_DROP, config->loss_ppm);
    if (verdict.drop)
        return verdict;
    verdict.duplicate =
        rj_impair_hits(config, direction, frame, RJ_IMPAIR_ROLL_DUPLICATE, config->duplicate_ppm);
    verdict.corrupt =
        rj_impair_hits(config, direction, frame, RJ_IMPAIR_ROLL_CORRUPT, config->corrupt_ppm);
    verdict.hold =
        rj_impair_hits(config, direction, frame, RJ_IMPAIR_ROLL_HOLD, config->reorder_ppm);
    if (verdict.corrupt) {
        __u64 roll = rj_impair_roll(config->seed, direction, frame, RJ_IMPAIR_ROLL_PLACE);
        verdict.corrupt_place = (__u32)(roll >> 32);
        verdict.corrupt_mask = (__u8)(1 + (roll & 0xffff) % 255);
    }
    if (verdict.hold)
        verdict.hold_distance = 1 + rj_impair_scale(rj_impair_roll(config->seed, direction, frame,
                                                                   RJ_IMPAIR_ROLL_DISTANCE),
                                                    config->delay_frames);
    return verdict;
}

/* The lowest bit that is set. BPF has no such instruction; `bits` is not 0. */
static inline __u32 rj_impair_lowest_bit(__u64 bits)
{
    __u32 index = 0;
    for (__u32 width = RJ_IMPAIR_SLOTS / 2; width > 0; width /= 2) {
        if ((bits & ((1ULL << width) - 1)) == 0) {
            bits >>= width;
            index += width;
        }
    }
    return index;
}

/* Where frame number `frame` waits: in the slot of the frame that takes it along, `distance` frames
 * later. When that one has a frame to take along already, the next later one; when none up to
 * `delay_frames` is free, the earliest; when all are taken, RJ_IMPAIR_NO_SLOT. */
static inline __u32 rj_impair_slot_choose(__u64 taken_slots, __u64 frame, __u32 distance,
                                          __u32 delay_frames)
{
    __u32 turn = (__u32)((frame + 1) % RJ_IMPAIR_SLOTS);
    /* Turned so that bit i stands for the frame i + 1 later. */
    __u64 turned =
        turn == 0 ? taken_slots : taken_slots >> turn | taken_slots << (RJ_IMPAIR_SLOTS - turn);
    __u64 free_slots = ~turned & ((1ULL << (delay_frames & (RJ_IMPAIR_SLOTS - 1))) - 1);
    __u64 later = free_slots & ~((1ULL << ((distance - 1) & (RJ_IMPAIR_SLOTS - 1))) - 1);
    if (free_slots == 0)
        return RJ_IMPAIR_NO_SLOT;
    return (turn + rj_impair_lowest_bit(later != 0 ? later : free_slots)) % RJ_IMPAIR_SLOTS;
}

#endif
