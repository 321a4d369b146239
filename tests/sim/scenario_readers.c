/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of a publication's own log, and readers that are not tied to their stream. */
#include <stdio.h>
#include <string.h>

#include "scenario.h"
#include "stage.h"

static void add_param(char *channel, size_t size, const char *params)
{
    size_t length = strlen(channel);
    snprintf(channel + length, size - length, "%s%s", strchr(channel, '?') != NULL ? "|" : "?",
             params);
}

static void spy_upon(lane_t *lane, bool is_by_tag, int64_t starts_at_ns, int64_t stalls_until_ns)
{
    const char *channel = lane->config.publication_channel;
    lane_subscriber_t *spy = lane_subscribe(lane, world_connect(stage.world, 0), starts_at_ns);
    snprintf(spy->channel, sizeof(spy->channel), "aeron-spy:%s",
             is_by_tag ? "aeron:udp?tags=77" : channel);
    spy->stalls_until_ns = stalls_until_ns;
}

/* Spies, some of them slow, while receivers come and go on a path that loses. With ssc the first
 * spy begins the stream, and a receiver joins it on its way. */
void run_spies(uint64_t seed, const char *directory)
{
    stage_open_world(seed, directory, 2);
    stage_draw_faults();
    bool is_simulating = rj_prng_chance(stage_prng(), 0.6);
    bool is_by_tag = rj_prng_chance(stage_prng(), 0.4);
    lane_t *lane = stage_add_lane(0, 1, PORT_FIRST, true);
    char *channel = lane->config.publication_channel;
    size_t size = sizeof(lane->config.publication_channel);
    add_param(channel, size, is_by_tag ? "tags=77" : "alias=watched");
    if (is_simulating)
        add_param(channel, size, "ssc=true");
    spy_upon(lane, is_by_tag, 0, 0);
    if (rj_prng_chance(stage_prng(), 0.6))
        spy_upon(lane, is_by_tag, MILLIS(stage_between(0, 300)), MILLIS(stage_between(0, 3000)));
    lane_subscriber_t *receiver = NULL;
    if (!is_simulating || rj_prng_chance(stage_prng(), 0.7))
        receiver = lane_subscribe(lane, world_connect(stage.world, 1),
                                  is_simulating ? MILLIS(stage_between(1, 500)) : 0);
    if (is_simulating && receiver != NULL && rj_prng_chance(stage_prng(), 0.5)) {
        world_run_for(stage.world, MILLIS(stage_between(1, 1500)));
        lane_leave(receiver);
        world_run_for(stage.world, MILLIS(stage_between(1, 1500)));
        lane_return(receiver, 0);
    }
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "the spies");
    stage_end_world(2);
}

enum { KIND_IPC, KIND_IMAGE, KIND_SPY, KINDS };

/* One reader keeps up, another stalls for longer than the stream waits for it: it loses the stream,
 * and where it rejoins it has it again, further on. */
void run_untethered(uint64_t seed, const char *directory)
{
    static const char times[] = "untethered-window-limit-timeout=2s|untethered-linger-timeout=1s|"
                                "untethered-resting-timeout=2s";
    stage_open_world(seed, directory, 2);
    stage_draw_path();
    const int kind = (int)stage_between(0, KINDS - 1);
    const bool is_rejoin = rj_prng_chance(stage_prng(), 0.7);
    const int reader_host = kind == KIND_IMAGE ? 1 : 0;
    lane_t *lane = stage_add_lane(0, kind == KIND_IPC ? 0 : 1, PORT_FIRST, true);
    lane_config_t *config = &lane->config;
    lane_subscriber_t *fast = lane_subscribe(lane, world_connect(stage.world, reader_host), 0);
    lane_subscriber_t *slow = lane_subscribe(lane, world_connect(stage.world, reader_host), 0);
    add_param(config->publication_channel, sizeof(config->publication_channel), times);
    if (kind == KIND_SPY) {
        add_param(config->publication_channel, sizeof(config->publication_channel), "ssc=true");
        snprintf(fast->channel, sizeof(fast->channel), "aeron-spy:%s", config->publication_channel);
    } else {
        snprintf(fast->channel, sizeof(fast->channel), "%s", config->subscription_channel);
        add_param(fast->channel, sizeof(fast->channel), times);
    }
    add_param(fast->channel, sizeof(fast->channel), is_rejoin ? "rejoin=true" : "rejoin=false");
    snprintf(slow->channel, sizeof(slow->channel), "%s", fast->channel);
    add_param(slow->channel, sizeof(slow->channel), "tether=false");
    config->message_count *= 2;
    config->pause_ns = SECONDS(stage_between(1, 12)) * LANE_OFFERS_PER_TURN / config->message_count;
    slow->stalls_until_ns = MILLIS(stage_between(500, 20000));
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300),
                    "the reader that keeps up");
    if (!is_rejoin && slow->image_count > 1)
        sim_fail("a reader that was not to rejoin had %d images", (int)slow->image_count);
    if (fast->image_count > 1)
        sim_fail("the reader that keeps up had %d images", (int)fast->image_count);
    stage_end_world(2);
}
