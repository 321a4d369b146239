/* SPDX-License-Identifier: Apache-2.0 */
/* Many receivers of one stream, each of which loses for itself: what they ask for again must not
 * become more than what was sent. */
#include <inttypes.h>
#include <stdio.h>

#include "base/prng.h"
#include "ramjet/command.h"
#include "scenario.h"
#include "stage.h"

enum {
    RECEIVERS_MAX = SIM_HOSTS_MAX - 1,
    DATAGRAM_BYTES = 1408,
    MESSAGE_BYTES = DATAGRAM_BYTES - 32, /* one in a datagram, so that losses can be counted */
    MESSAGES = 400,
    SLACK = 64,
};

typedef struct storm {
    int receivers;
    bool is_multicast; /* else multi-destination cast */
} storm_t;

static void name_channels(const storm_t *storm, lane_config_t *config)
{
    char control[64];
    if (storm->is_multicast) {
        world_group_channel(stage.world, PORT_FIRST, "term-length=2m|fc=min",
                            config->publication_channel, sizeof(config->publication_channel));
        world_group_channel(stage.world, PORT_FIRST, "", config->subscription_channel,
                            sizeof(config->subscription_channel));
        return;
    }
    world_address(stage.world, 0, PORT_FIRST, control, sizeof(control));
    snprintf(config->publication_channel, sizeof(config->publication_channel),
             "aeron:udp?control=%s|control-mode=dynamic|term-length=2m|fc=min", control);
}

static void add_receivers(const storm_t *storm, lane_t *lane)
{
    char control[64];
    char params[128];
    world_address(stage.world, 0, PORT_FIRST, control, sizeof(control));
    snprintf(params, sizeof(params), "control=%s|control-mode=dynamic", control);
    for (int host = 1; host <= storm->receivers; host++) {
        lane_subscriber_t *subscriber = lane_subscribe(lane, world_connect(stage.world, host), 0);
        if (!storm->is_multicast)
            world_channel(stage.world, host, PORT_FIRST, params, subscriber->channel,
                          sizeof(subscriber->channel));
    }
}

static void check(const char *what, int64_t value, int64_t most)
{
    if (value > most)
        sim_fail("%" PRId64 " %s, %" PRId64 " at most", value, what, most);
}

/* What a stream may cost its sender, when `lost` datagrams were lost on their way to anybody:
 *
 *   multicast   whatever any of the receivers lost is sent again once for all, and again for the
 *               few that lose that: three times the stream, however many they are
 *   MDC         each is sent the stream, and again what it lost, and what it lost of that
 *   NAKs        one for each loss, and some for NAKs and resends that were lost
 */
static void check_traffic(const storm_t *storm)
{
    const sim_net_stats_t *stats = sim_net_stats(world_net(stage.world));
    const int64_t lost = stats->lost + stats->overflowed;
    const int64_t sent = world_system_counter(stage.world, 0, RJ_SYSTEM_BYTES_SENT);
    const int64_t naks = world_system_counter(stage.world, 0, RJ_SYSTEM_NAKS_RECEIVED);
    const int64_t most =
        storm->is_multicast ? 3 * MESSAGES : storm->receivers * MESSAGES + 3 * lost / 2;
    check("datagrams sent", sent / DATAGRAM_BYTES, most + SLACK);
    check("NAKs", naks, 3 * lost / 2 + SLACK);
}

/* Few receivers, and sometimes 64; by one group address, or each by its own. */
static storm_t draw_storm(uint64_t seed)
{
    rj_prng_t prng;
    rj_prng_init(&prng, seed);
    const bool is_multicast = rj_prng_chance(&prng, 0.5);
    return (storm_t){.receivers = rj_prng_below(&prng, 16) == 0 ? RECEIVERS_MAX : 8,
                     .is_multicast = is_multicast};
}

void run_storm(uint64_t seed, const char *directory)
{
    static const uint32_t losses_ppm[] = {1000, 10000, 50000, 100000};
    const storm_t storm = draw_storm(seed);
    stage_open_world(seed, directory, storm.receivers + 1);
    stage_draw_path();
    lane_t *lane = &stage.lanes[0];
    lane_config_t config = {.seed = rj_prng_next(stage_prng()),
                            .stream_id = 1000,
                            .kind = RJ_PUBLICATION_EXCLUSIVE,
                            .message_count = MESSAGES,
                            .length_min = MESSAGE_BYTES,
                            .length_max = MESSAGE_BYTES,
                            .awaits_all = true};
    name_channels(&storm, &config);
    lane_open(lane, stage.world, &config, world_connect(stage.world, 0));
    stage.lane_count = 1;
    add_receivers(&storm, lane);
    sim_faults_t *faults = sim_net_faults(world_net(stage.world));
    faults->loss_ppm = losses_ppm[rj_prng_below(stage_prng(), 4)];
    faults->jitter_ns = 0; /* what comes out of order is asked for, though it is not lost */
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(60), "the storm's end");
    check_traffic(&storm);
    stage_end_world(storm.receivers + 1);
}
