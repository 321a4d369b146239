/* SPDX-License-Identifier: Apache-2.0 */
/* A receiver whose steering program leaves its interface and comes back while a stream is on its
 * way, which is what rings that step aside for bulk do (driver/ring_aside.h): what the ring holds
 * is older than what the sockets get then, and what they hold older than what the ring gets. */
#include <inttypes.h>
#include <string.h>

#include "scenario.h"
#include "stage.h"
#include "stream/loss.h"

/* Where the program is, and how many datagrams come in before it goes elsewhere: far fewer than
 * with any driver. */
static struct {
    bool is_aside;
    int64_t left;
    int64_t steps;
} program;

static sim_door_t door(void *state, int engine, const sim_arrival_t *arrival)
{
    (void)state, (void)engine, (void)arrival;
    if (program.left-- == 0) {
        program.is_aside = !program.is_aside;
        program.left = stage_between(0, 40);
        program.steps++;
    }
    return program.is_aside ? SIM_DOOR_SOCKET : SIM_DOOR_RING;
}

static void check_that_both_doors_were_used(void)
{
    const sim_net_stats_t *stats = sim_net_stats(world_net(stage.world));
    if (program.steps > 1 && (stats->by_ring == 0 || stats->by_ring == stats->delivered))
        sim_fail("%" PRId64 " of %" PRId64 " datagrams came by the ring", stats->by_ring,
                 stats->delivered);
}

/* Nothing is lost by it, nobody asks for anything again, and nobody fills up what is to come. */
void run_aside(uint64_t seed, const char *directory)
{
    rj_prng_t draw;
    memset(&program, 0, sizeof(program));
    rj_prng_init(&draw, seed ^ UINT64_C(0xa51de));
    stage_rings = (sim_rings_t){.engine_count = 1,
                                .capacity = 4096,
                                .door = door,
                                .sockets_interval_ns =
                                    (int64_t)rj_prng_below(&draw, RJ_LOSS_DOORS_NS_MAX * 9 / 10)};
    stage_open_world(seed, directory, 2);
    stage_draw_path();
    sim_net_faults(world_net(stage.world))->jitter_ns = 0;
    lane_t *lane = stage_add_lane(0, 1, PORT_FIRST, false);
    lane->config.awaits_all = true;
    lane_subscribe(lane, world_connect(stage.world, 1), 0);
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300),
                    "a stream whose ring steps aside");
    check_that_both_doors_were_used();
    const bool is_clean =
        sim_net_stats(world_net(stage.world))->lost == 0 &&
        world_system_counter(stage.world, 1, RJ_SYSTEM_FLOW_CONTROL_OVER_RUNS) == 0;
    const int64_t naks = world_system_counter(stage.world, 1, RJ_SYSTEM_NAKS_SENT);
    const int64_t filled = world_system_counter(stage.world, 1, RJ_SYSTEM_LOSS_GAP_FILLS);
    if (is_clean && !stage.nak_delay_is_explicit && naks > 0)
        sim_fail("nothing was lost, and %" PRId64 " NAKs were sent", naks);
    if (is_clean && filled > 0)
        sim_fail("nothing was lost, and %" PRId64 " gaps were filled", filled);
    stage_end_world(2);
}
