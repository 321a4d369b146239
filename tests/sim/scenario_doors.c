/* SPDX-License-Identifier: Apache-2.0 */
/* Streams whose datagrams come in by two doors, ring and sockets, one of which is looked behind
 * less often than the other: what seems to be missing is only late. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "scenario.h"
#include "stage.h"
#include "stream/loss.h"

/* Somewhere in the network, or because it came before the window was open to it: padding does. */
static bool was_anything_lost(void)
{
    return sim_net_stats(world_net(stage.world))->lost > 0 ||
           world_system_counter(stage.world, 1, RJ_SYSTEM_FLOW_CONTROL_OVER_RUNS) > 0;
}

static void open_doors(uint64_t seed, const char *directory)
{
    rj_prng_t draw;
    rj_prng_init(&draw, seed ^ UINT64_C(0xd0035));
    stage_rings = (sim_rings_t){.engine_count = 1,
                                .capacity = 4096,
                                .pass_ppm = 100000 + (uint32_t)rj_prng_below(&draw, 800000),
                                .sockets_interval_ns =
                                    (int64_t)rj_prng_below(&draw, RJ_LOSS_DOORS_NS_MAX * 9 / 10)};
    stage_open_world(seed, directory, 2);
    stage_draw_path();
    sim_net_faults(world_net(stage.world))->jitter_ns = 0;
}

/* Nothing is lost: nobody asks for anything again, or fills up what is still to come. Something is:
 * it is repaired all the same. */
void run_doors(uint64_t seed, const char *directory)
{
    open_doors(seed, directory);
    sim_faults_t *faults = sim_net_faults(world_net(stage.world));
    faults->loss_ppm = rj_prng_chance(stage_prng(), 0.4) ? 20000 : 0;
    const bool is_reliable = rj_prng_chance(stage_prng(), 0.7);
    lane_t *lane = stage_add_lane(0, 1, PORT_FIRST, false);
    lane->config.awaits_all = true;
    if (!is_reliable) {
        char *channel = lane->config.subscription_channel;
        const size_t length = strlen(channel);
        snprintf(channel + length, sizeof(lane->config.subscription_channel) - length,
                 "|reliable=false");
        lane->config.is_unreliable = true;
    }
    lane_subscriber_t *subscriber = lane_subscribe(lane, world_connect(stage.world, 1), 0);
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "the stream of two doors");
    const sim_net_stats_t *stats = sim_net_stats(world_net(stage.world));
    const int64_t naks = world_system_counter(stage.world, 1, RJ_SYSTEM_NAKS_SENT);
    const int64_t filled = world_system_counter(stage.world, 1, RJ_SYSTEM_LOSS_GAP_FILLS);
    if (stats->by_ring == 0 || stats->by_ring == stats->delivered)
        sim_fail("%" PRId64 " of %" PRId64 " datagrams came by the ring", stats->by_ring,
                 stats->delivered);
    if (!was_anything_lost()) {
        if (!stage.nak_delay_is_explicit && naks > 0)
            sim_fail("nothing was lost, and %" PRId64 " NAKs were sent", naks);
        if (filled > 0)
            sim_fail("nothing was lost, and %" PRId64 " gaps were filled", filled);
        if (subscriber->received < lane->config.message_count)
            sim_fail("of %" PRId32 " messages %" PRId64 " came", lane->config.message_count,
                     subscriber->received);
    }
    stage_end_world(2);
}
