/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ramjet/command.h"
#include "scenario.h"

stage_t stage;
sim_rings_t stage_rings;
const sim_steer_params_t *stage_steer;
bool stage_sends_all;
bool stage_has_names;

uint64_t scenario_trace(void)
{
    return stage.trace;
}

rj_prng_t *stage_prng(void)
{
    return world_prng(stage.world);
}

int64_t stage_between(int64_t first, int64_t last)
{
    return rj_prng_between(stage_prng(), first, last);
}

/* --- the parts of a scenario --- */

void stage_open_world(uint64_t seed, const char *directory, int host_count)
{
    memset(&stage, 0, sizeof(stage));
    rj_prng_t draw;
    rj_prng_init(&draw, seed);
    static const rj_threading_mode_t modes[] = {RJ_THREADING_DEDICATED, RJ_THREADING_SHARED_NETWORK,
                                                RJ_THREADING_SHARED};
    world_params_t params = {.seed = rj_prng_next(&draw),
                             .host_count = host_count,
                             .is_ipv6 = rj_prng_chance(&draw, 0.3),
                             .threading = modes[rj_prng_below(&draw, 3)],
                             .directory = directory,
                             .nak_delay_is_explicit = rj_prng_chance(&draw, 0.3),
                             .rings = stage_rings,
                             .has_names = stage_has_names,
                             .is_steered = stage_steer != NULL,
                             .sends_all = stage_sends_all};
    if (stage_steer != NULL)
        params.steer = *stage_steer;
    stage_rings = (sim_rings_t){.engine_count = 0};
    stage_steer = NULL;
    stage_sends_all = false;
    stage_has_names = false;
    stage.nak_delay_is_explicit = params.nak_delay_is_explicit;
    stage.world = world_open(&params);
    /* Of kernels that merge there are as many as of others. */
    sim_net_faults(world_net(stage.world))->merge_ppm = rj_prng_chance(&draw, 0.5) ? 500000 : 0;
}

void stage_draw_path(void)
{
    static const int64_t delays_ns[] = {20000, 100000, 500000, 5000000, 25000000};
    sim_faults_t *faults = sim_net_faults(world_net(stage.world));
    faults->delay_ns = delays_ns[rj_prng_below(stage_prng(), 5)];
    faults->jitter_ns = rj_prng_chance(stage_prng(), 0.5) ? faults->delay_ns / 2 : 0;
}

void stage_draw_faults(void)
{
    static const uint32_t losses_ppm[] = {0, 10000, 10000, 100000, 300000};
    sim_faults_t *faults = sim_net_faults(world_net(stage.world));
    stage_draw_path();
    faults->loss_ppm = losses_ppm[rj_prng_below(stage_prng(), 5)];
    faults->duplicate_ppm = rj_prng_chance(stage_prng(), 0.5) ? 30000 : 0;
    faults->corrupt_ppm = rj_prng_chance(stage_prng(), 0.3) ? 5000 : 0;
    faults->reorder_ppm = rj_prng_chance(stage_prng(), 0.6) ? 50000 : 0;
    faults->reorder_ns = faults->delay_ns * 3;
    faults->short_send_ppm = rj_prng_chance(stage_prng(), 0.4) ? 50000 : 0;
}

void stage_draw_lengths(lane_config_t *config)
{
    static const int32_t lengths[][2] = {{32, 32}, {8, 200}, {1000, 1400}, {8, 4000}, {4000, 8000}};
    size_t row = rj_prng_below(stage_prng(), 5);
    config->length_min = lengths[row][0];
    config->length_max = lengths[row][1];
    /* Roughly the same number of bytes whatever the length: several terms of 64 KiB. */
    config->message_count = 600000 / (32 + (config->length_min + config->length_max) / 2);
}

lane_t *stage_add_lane(int from, int to, int port, bool may_lose_images)
{
    lane_t *lane = &stage.lanes[stage.lane_count];
    lane_config_t config = {.seed = rj_prng_next(stage_prng()),
                            .stream_id = 1000 + stage.lane_count,
                            .kind = rj_prng_chance(stage_prng(), 0.5) ? RJ_PUBLICATION_SHARED
                                                                      : RJ_PUBLICATION_EXCLUSIVE,
                            .may_lose_images = may_lose_images};
    stage_draw_lengths(&config);
    if (from == to) {
        snprintf(config.publication_channel, sizeof(config.publication_channel), "aeron:ipc");
        snprintf(config.subscription_channel, sizeof(config.subscription_channel), "aeron:ipc");
    } else {
        const char *params = rj_prng_chance(stage_prng(), 0.3) ? "mtu=4096|term-length=256k" : "";
        world_channel(stage.world, to, port, params, config.publication_channel,
                      sizeof(config.publication_channel));
        world_channel(stage.world, to, port, "", config.subscription_channel,
                      sizeof(config.subscription_channel));
    }
    lane_open(lane, stage.world, &config, world_connect(stage.world, from));
    stage.lane_count++;
    return lane;
}

bool stage_all_complete(void *state)
{
    (void)state;
    for (int i = 0; i < stage.lane_count; i++) {
        if (!lane_is_complete(&stage.lanes[i]))
            return false;
    }
    return true;
}

bool stage_one_complete(void *state)
{
    return lane_is_complete(state);
}

bool stage_half_offered(void *state)
{
    const lane_t *lane = state;
    return lane->next_number >= lane->config.message_count / 2;
}

static void stage_close_lanes(void)
{
    for (int i = 0; i < stage.lane_count; i++)
        lane_close(&stage.lanes[i]);
}

/* What a person should see of steering is in the error log, as a warning. */
static int64_t stage_told_by_steering(int host)
{
    const sim_steer_t *steer = world_steer(stage.world, host);
    return steer == NULL ? 0 : sim_steer_stats(steer)->events;
}

void stage_finish(int host_count)
{
    world_check_counters(stage.world);
    stage_close_lanes();
    world_run_for(stage.world, SECONDS(1));
    const sim_net_stats_t *stats = sim_net_stats(world_net(stage.world));
    int64_t ends = stats->delivered + stats->lost + stats->corrupted + stats->partitioned +
                   stats->unbound + stats->overflowed + sim_net_under_way(world_net(stage.world));
    if (stats->sent + stats->duplicated != ends)
        sim_fail("the net's own count is off: %" PRId64 " sent, %" PRId64 " accounted for",
                 stats->sent + stats->duplicated, ends);
    for (int i = 0; i < host_count; i++) {
        int64_t errors = world_system_counter(stage.world, i, RJ_SYSTEM_ERRORS);
        if (errors != stage_told_by_steering(i) + stage.errors_expected[i])
            sim_fail("host %d counted %" PRId64 " errors", i, errors);
        int64_t forwarded = world_forwarded(stage.world, i);
        if (forwarded > 0)
            sim_net_trace_add(world_net(stage.world), (uint64_t)forwarded);
    }
}

/* Lanes may have a client in common. */
static void disconnect_once(rj_client_t *client, rj_client_t **done, int *done_count)
{
    for (int i = 0; i < *done_count; i++) {
        if (done[i] == client)
            return;
    }
    done[(*done_count)++] = client;
    world_disconnect(stage.world, client);
}

static void stage_disconnect_all(lane_t *lanes, int count)
{
    rj_client_t *done[WORLD_CLIENTS_MAX];
    int done_count = 0;
    for (int i = 0; i < count; i++) {
        if (!lanes[i].publisher_is_dead)
            disconnect_once(lanes[i].client, done, &done_count);
        for (int k = 0; k < lanes[i].subscriber_count; k++) {
            if (!lanes[i].subscribers[k].is_dead)
                disconnect_once(lanes[i].subscribers[k].client, done, &done_count);
        }
    }
}

void stage_check_leftovers(int host_count)
{
    sim_net_faults(world_net(stage.world))->is_partitioned = false;
    world_run_for(stage.world, SECONDS(45));
    for (int i = 0; i < host_count; i++)
        world_check_empty(stage.world, i);
}

void stage_end_world(int host_count)
{
    stage_finish(host_count);
    stage_disconnect_all(stage.lanes, stage.lane_count);
    stage_check_leftovers(host_count);
    stage.trace = sim_net_trace(world_net(stage.world));
    world_close(stage.world);
    stage.world = NULL;
}

void scenario_abandon(void)
{
    if (stage.world != NULL)
        world_close(stage.world);
    stage.world = NULL;
}

void stage_draw_rings(uint64_t seed)
{
    static const uint32_t sprays_ppm[] = {0, 1000, 50000, 500000, 1000000};
    rj_prng_t draw;
    rj_prng_init(&draw, ~seed);
    stage_rings = (sim_rings_t){
        .engine_count = (int)rj_prng_between(&draw, 1, 4),
        .capacity = (int)rj_prng_between(&draw, 2, 60),
        .spray_ppm = sprays_ppm[rj_prng_below(&draw, 5)],
        .pass_ppm = rj_prng_chance(&draw, 0.4) ? 200000 : 0,
    };
}
