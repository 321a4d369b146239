/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/impair_decide.h"

#include <criterion/criterion.h>
#include <stdint.h>

enum { FRAMES = 100000 };

static struct rj_impair_config config_of(uint32_t ppm)
{
    return (struct rj_impair_config){.seed = 42,
                                     .loss_ppm = ppm,
                                     .duplicate_ppm = ppm,
                                     .reorder_ppm = ppm,
                                     .corrupt_ppm = ppm,
                                     .delay_frames = 8};
}

static uint32_t count_drops(const struct rj_impair_config *config, uint32_t direction)
{
    uint32_t drops = 0;
    for (uint64_t frame = 0; frame < FRAMES; frame++)
        drops += rj_impair_decide(config, direction, frame).drop;
    return drops;
}

Test(impair_decide, no_share_harms_nothing_and_the_whole_share_everything)
{
    struct rj_impair_config none = config_of(0);
    struct rj_impair_config all = config_of(RJ_IMPAIR_PPM);
    cr_assert_eq(count_drops(&none, 1), 0);
    cr_assert_eq(count_drops(&all, 1), FRAMES);
}

Test(impair_decide, a_share_is_met_within_five_deviations)
{
    struct rj_impair_config config = config_of(10000);
    uint32_t drops = count_drops(&config, 1);
    /* 1,000 expected of 100,000; the deviation is 31.5. */
    cr_assert(drops > 840 && drops < 1160, "%u drops", drops);
}

Test(impair_decide, directions_and_seeds_harm_other_frames)
{
    struct rj_impair_config config = config_of(500000);
    struct rj_impair_config other = config;
    uint32_t same_direction = 0;
    uint32_t same_seed = 0;
    other.seed++;
    for (uint64_t frame = 0; frame < FRAMES; frame++) {
        uint8_t drop = rj_impair_decide(&config, 1, frame).drop;
        same_direction += drop == rj_impair_decide(&config, 2, frame).drop;
        same_seed += drop == rj_impair_decide(&other, 1, frame).drop;
    }
    cr_assert(same_direction > 49000 && same_direction < 51000, "%u", same_direction);
    cr_assert(same_seed > 49000 && same_seed < 51000, "%u", same_seed);
}

Test(impair_decide, the_numbers_stay_what_they_were)
{
    /* What a seed does is written down in bug reports: a change here must be meant. */
    struct rj_impair_config config = config_of(100000);
    static const uint64_t first_drops[] = {4, 7, 11, 14, 21, 49};
    uint64_t frame = 0;
    for (size_t i = 0; i < sizeof(first_drops) / sizeof(first_drops[0]); i++) {
        while (!rj_impair_decide(&config, 1, frame).drop)
            frame++;
        cr_assert_eq(frame++, first_drops[i]);
    }
}

Test(impair_decide, what_is_rolled_stays_within_its_limits)
{
    struct rj_impair_config config = config_of(RJ_IMPAIR_PPM);
    uint32_t seen[9] = {0};
    config.loss_ppm = 0;
    for (uint64_t frame = 0; frame < FRAMES; frame++) {
        struct rj_impair_verdict verdict = rj_impair_decide(&config, 1, frame);
        cr_assert(verdict.hold_distance >= 1 && verdict.hold_distance <= 8);
        cr_assert_neq(verdict.corrupt_mask, 0);
        seen[verdict.hold_distance]++;
    }
    for (size_t distance = 1; distance <= 8; distance++)
        cr_assert_gt(seen[distance], FRAMES / 10, "%zu is rare", distance);
}

Test(impair_decide, finds_the_lowest_bit)
{
    for (uint32_t bit = 0; bit < RJ_IMPAIR_SLOTS; bit++)
        cr_assert_eq(rj_impair_lowest_bit(UINT64_MAX << bit), bit);
}

Test(impair_decide, a_frame_waits_for_the_one_that_is_its_distance_later)
{
    for (uint64_t frame = 0; frame < 200; frame++)
        for (uint32_t distance = 1; distance <= RJ_IMPAIR_DELAY_FRAMES_MAX; distance++)
            cr_assert_eq(rj_impair_slot_choose(0, frame, distance, RJ_IMPAIR_DELAY_FRAMES_MAX),
                         (frame + distance) % RJ_IMPAIR_SLOTS);
}

Test(impair_decide, a_taken_slot_gives_way_to_a_later_then_to_an_earlier_one)
{
    uint64_t taken = 1ULL << 12;
    cr_assert_eq(rj_impair_slot_choose(taken, 10, 2, 4), 13);
    taken |= 1ULL << 13 | 1ULL << 14;
    cr_assert_eq(rj_impair_slot_choose(taken, 10, 2, 4), 11);
    taken |= 1ULL << 11;
    cr_assert_eq(rj_impair_slot_choose(taken, 10, 2, 4), RJ_IMPAIR_NO_SLOT);
}

Test(impair_decide, never_chooses_the_slot_of_the_frame_itself)
{
    for (uint64_t frame = 0; frame < 200; frame++) {
        uint64_t taken = ~(1ULL << frame % RJ_IMPAIR_SLOTS);
        cr_assert_eq(rj_impair_slot_choose(taken, frame, 1, RJ_IMPAIR_DELAY_FRAMES_MAX),
                     RJ_IMPAIR_NO_SLOT);
    }
}
