/* SPDX-License-Identifier: Apache-2.0 */
/* Receivers of different speed under each flow control; streams that go on over what they lost. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ramjet/command.h"
#include "scenario.h"
#include "stage.h"

enum { FAST = 1, SLOW = 2, HOSTS = 3 };

static const int64_t stall_ns = SECONDS(3);

/* Whose pace a stream takes. */
static const struct {
    const char *publication;
    const char *fast; /* what the subscriptions add to their channels */
    const char *slow;
    bool waits_for_slow;
} paces[] = {
    {"fc=max", "", "", false},
    {"fc=min", "", "", true},
    {"fc=min,g:/2", "", "", true},
    {"fc=tagged,g:7", "gtag=7", "", false},
    {"fc=tagged,g:7/2", "gtag=7", "gtag=7", true},
};

static void add(char *channel, size_t size, const char *param)
{
    const size_t length = strlen(channel);
    if (param[0] != '\0')
        snprintf(channel + length, size - length, "|%s", param);
}

/* By one group address, or each by its own. */
static void name_channels(lane_t *lane, bool is_multicast, const char *flow_control)
{
    lane_config_t *config = &lane->config;
    char control[64];
    if (is_multicast) {
        world_group_channel(stage.world, PORT_FIRST, flow_control, config->publication_channel,
                            sizeof(config->publication_channel));
        return;
    }
    world_address(stage.world, 0, PORT_FIRST, control, sizeof(control));
    snprintf(config->publication_channel, sizeof(config->publication_channel),
             "aeron:udp?control=%s|control-mode=dynamic|%s", control, flow_control);
}

static lane_subscriber_t *subscribe(lane_t *lane, int host, bool is_multicast, const char *param)
{
    lane_subscriber_t *subscriber = lane_subscribe(lane, world_connect(stage.world, host), 0);
    char control[128];
    if (is_multicast) {
        world_group_channel(stage.world, PORT_FIRST, "", subscriber->channel,
                            sizeof(subscriber->channel));
    } else {
        char address[64];
        world_address(stage.world, 0, PORT_FIRST, address, sizeof(address));
        snprintf(control, sizeof(control), "control=%s|control-mode=dynamic", address);
        world_channel(stage.world, host, PORT_FIRST, control, subscriber->channel,
                      sizeof(subscriber->channel));
    }
    add(subscriber->channel, sizeof(subscriber->channel), param);
    return subscriber;
}

static bool has_read_all(void *state)
{
    const lane_subscriber_t *subscriber = state;
    return subscriber->next_number == subscriber->lane->config.message_count;
}

/* One subscriber reads nothing for three seconds: either the stream is there before, and who was
 * too slow may have lost it, or nobody is done before him. */
void run_paces(uint64_t seed, const char *directory)
{
    stage_open_world(seed, directory, HOSTS);
    stage_draw_path();
    sim_net_faults(world_net(stage.world))->loss_ppm =
        rj_prng_chance(stage_prng(), 0.5) ? 10000 : 0;
    const size_t row = rj_prng_below(stage_prng(), sizeof(paces) / sizeof(paces[0]));
    const bool is_multicast = rj_prng_chance(stage_prng(), 0.5);
    lane_t *lane = &stage.lanes[stage.lane_count++];
    lane_config_t config = {.seed = rj_prng_next(stage_prng()),
                            .stream_id = 1000,
                            .kind = RJ_PUBLICATION_EXCLUSIVE,
                            .awaits_all = true,
                            .message_count = 600,
                            .length_min = 1000,
                            .length_max = 1300};
    lane_open(lane, stage.world, &config, world_connect(stage.world, 0));
    name_channels(lane, is_multicast, paces[row].publication);
    lane_subscriber_t *fast = subscribe(lane, FAST, is_multicast, paces[row].fast);
    lane_subscriber_t *slow = subscribe(lane, SLOW, is_multicast, paces[row].slow);
    slow->stalls_until_ns = world_now_ns(stage.world) + stall_ns;
    slow->may_lose_image = !paces[row].waits_for_slow;
    const int64_t end_ns = slow->stalls_until_ns;
    world_run_until(stage.world, has_read_all, fast, SECONDS(300), "the fast reader");
    if (paces[row].waits_for_slow && world_now_ns(stage.world) < end_ns)
        sim_fail("%s: nobody waited for the slow one", paces[row].publication);
    if (!paces[row].waits_for_slow && world_now_ns(stage.world) >= end_ns)
        sim_fail("%s: all waited for the slow one", paces[row].publication);
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "the slow reader");
    stage_end_world(HOSTS);
}

/* What is lost is filled up with padding and counted; what comes is exact, in order, once. */
void run_unreliable(uint64_t seed, const char *directory)
{
    stage_open_world(seed, directory, 2);
    stage_draw_faults();
    /* Where all comes out of order, almost all is late, and so is lost. */
    sim_net_faults(world_net(stage.world))->jitter_ns = 0;
    lane_t *lane = stage_add_lane(0, 1, PORT_FIRST, false);
    lane->config.is_unreliable = true;
    lane->config.awaits_all = true;
    add(lane->config.subscription_channel, sizeof(lane->config.subscription_channel),
        "reliable=false");
    lane_subscriber_t *subscriber = lane_subscribe(lane, world_connect(stage.world, 1), 0);
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "the unreliable stream");
    const int64_t missing = lane->config.message_count - subscriber->received;
    const int64_t filled = world_system_counter(stage.world, 1, RJ_SYSTEM_LOSS_GAP_FILLS);
    if (subscriber->received == 0)
        sim_fail("of %" PRId32 " messages none came", lane->config.message_count);
    if (missing > 0 && filled == 0)
        sim_fail("%" PRId64 " messages are missing, and no gap was filled", missing);
    if (world_system_counter(stage.world, 1, RJ_SYSTEM_NAKS_SENT) > 0)
        sim_fail("a stream that is not reliable asked for something again");
    stage_end_world(2);
}
