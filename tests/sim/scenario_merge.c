/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams that the kernel merges on their way in, of several streams of one sender, with some of
 * them lost, doubled or out of order. */
#include "scenario.h"

#include "stage.h"

void run_merged(uint64_t seed, const char *directory)
{
    enum { MERGE_PPM = 900000 };
    stage_open_world(seed, directory, 2);
    sim_net_t *net = world_net(stage.world);
    if (rj_prng_chance(stage_prng(), 0.3))
        stage_draw_path();
    else
        stage_draw_faults();
    sim_net_faults(net)->merge_ppm = MERGE_PPM;
    const int count = (int)stage_between(2, 6);
    for (int i = 0; i < count; i++) {
        lane_t *lane = stage_add_lane(0, 1, PORT_FIRST, false); /* all by one socket */
        lane_subscribe(lane, world_connect(stage.world, 1), 0);
    }
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "the merged streams");
    if (sim_net_stats(net)->merged == 0 || sim_net_stats(net)->mixed == 0)
        sim_fail("nothing was merged, or never two streams");
    if (world_system_counter(stage.world, 1, RJ_SYSTEM_INVALID_PACKETS) > 0)
        sim_fail("good datagrams were refused");
    sim_net_trace_add(net, (uint64_t)sim_net_stats(net)->merged);
    stage_end_world(2);
}
