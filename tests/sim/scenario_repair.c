/* SPDX-License-Identifier: Apache-2.0 */
/* One receiver that loses much, of what is sent again too: all of it comes, and nothing is sent
 * more often than it was lost. */
#include <inttypes.h>
#include <stdio.h>

#include "ramjet/command.h"
#include "scenario.h"
#include "stage.h"

enum {
    DATAGRAM_BYTES = 1408,
    MESSAGE_BYTES = DATAGRAM_BYTES - 32, /* one in a datagram, so that losses can be counted */
    MESSAGES = 20000,
    SLACK = 32,
};

static void check(const char *what, int64_t value, int64_t most)
{
    if (value > most)
        sim_fail("%" PRId64 " %s, %" PRId64 " at most", value, what, most);
}

/* Each datagram goes out once, and again when it was lost: those that were lost, whatever they
 * were, are more than that. NAKs are lost too; where their timing was set, they are as many as that
 * says. */
static void check_traffic(void)
{
    const sim_net_stats_t *stats = sim_net_stats(world_net(stage.world));
    const int64_t lost = stats->lost + stats->overflowed;
    const int64_t sent = world_system_counter(stage.world, 0, RJ_SYSTEM_BYTES_SENT);
    check("datagrams sent", sent / DATAGRAM_BYTES, MESSAGES + lost + SLACK);
    if (!stage.nak_delay_is_explicit)
        check("NAKs", world_system_counter(stage.world, 1, RJ_SYSTEM_NAKS_SENT),
              3 * lost / 2 + SLACK);
}

static void open_lane(lane_t *lane)
{
    lane_config_t config = {.seed = rj_prng_next(stage_prng()),
                            .stream_id = 1000,
                            .kind = RJ_PUBLICATION_EXCLUSIVE,
                            .message_count = MESSAGES,
                            .length_min = MESSAGE_BYTES,
                            .length_max = MESSAGE_BYTES,
                            .awaits_all = true};
    world_channel(stage.world, 1, PORT_FIRST, "term-length=4m", config.publication_channel,
                  sizeof(config.publication_channel));
    world_channel(stage.world, 1, PORT_FIRST, "rcv-wnd=2m|so-rcvbuf=2m",
                  config.subscription_channel, sizeof(config.subscription_channel));
    lane_open(lane, stage.world, &config, world_connect(stage.world, 0));
    stage.lane_count = 1;
    lane_subscribe(lane, world_connect(stage.world, 1), 0);
}

void run_repair(uint64_t seed, const char *directory)
{
    static const uint32_t losses_ppm[] = {1000, 10000, 50000, 100000};
    stage_open_world(seed, directory, 2);
    stage_draw_path();
    open_lane(&stage.lanes[0]);
    sim_faults_t *faults = sim_net_faults(world_net(stage.world));
    faults->loss_ppm = losses_ppm[rj_prng_below(stage_prng(), 4)];
    faults->jitter_ns = 0; /* what comes out of order is asked for, though it is not lost */
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(60), "the repairs");
    check_traffic();
    stage_end_world(2);
}
