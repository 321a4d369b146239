/* SPDX-License-Identifier: Apache-2.0 */
#include "scenario.h"

#include <stdio.h>
#include <string.h>

#include "stage.h"

/* --- the scenarios --- */

/* Several streams at once, each way, over a path that loses, doubles, reorders and corrupts. */
static void run_streams(uint64_t seed, const char *directory)
{
    stage_open_world(seed, directory, 2);
    stage_draw_faults();
    int count = (int)stage_between(1, 4);
    for (int i = 0; i < count; i++) {
        bool is_ipc = rj_prng_chance(stage_prng(), 0.2);
        int from = (int)stage_between(0, 1);
        int to = is_ipc ? from : 1 - from;
        lane_t *lane = stage_add_lane(from, to, PORT_FIRST + (int)stage_between(0, 1), false);
        lane_subscribe(lane, world_connect(stage.world, to), 0);
    }
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "streams");
    stage_end_world(2);
}

/* A second subscriber joins late, the first leaves and comes back. */
static void run_joiners(uint64_t seed, const char *directory)
{
    stage_open_world(seed, directory, 2);
    stage_draw_faults();
    bool is_ipc = rj_prng_chance(stage_prng(), 0.3);
    lane_t *lane = stage_add_lane(0, is_ipc ? 0 : 1, PORT_FIRST, true);
    rj_client_t *reader = world_connect(stage.world, is_ipc ? 0 : 1);
    lane_subscriber_t *first = lane_subscribe(lane, reader, 0);
    lane_subscribe(lane, world_connect(stage.world, is_ipc ? 0 : 1), MILLIS(stage_between(1, 400)));
    world_run_until(stage.world, stage_half_offered, lane, SECONDS(300), "the first half");
    lane_leave(first);
    world_run_for(stage.world, MILLIS(stage_between(1, 3000)));
    lane_return(first, 0);
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "the second half");
    stage_end_world(2);
}

/* A client dies without a word; the driver and the others must not care. */
static void run_kills(uint64_t seed, const char *directory)
{
    stage_open_world(seed, directory, 2);
    stage_draw_faults();
    lane_t *victim = stage_add_lane(0, 1, PORT_FIRST, true);
    lane_subscribe(victim, world_connect(stage.world, 1), 0);
    lane_t *other = stage_add_lane(0, 1, PORT_FIRST + 1, false);
    lane_subscribe(other, world_connect(stage.world, 1), 0);
    world_run_for(stage.world, MILLIS(stage_between(1, 600)));
    if (rj_prng_chance(stage_prng(), 0.5)) {
        victim->publisher_is_dead = true;
        world_kill_client(stage.world, victim->client);
    } else {
        victim->subscribers[0].is_dead = true;
        world_kill_client(stage.world, victim->subscribers[0].client);
        victim->publisher_is_dead = true; /* nobody reads it: it cannot finish */
        world_kill_client(stage.world, victim->client);
    }
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "the stream that lives");
    stage_end_world(2);
}

/* The net is cut for a while, short or longer than the liveness time-outs. */
static void run_partitions(uint64_t seed, const char *directory)
{
    stage_open_world(seed, directory, 2);
    stage_draw_faults();
    lane_t *lane = stage_add_lane(0, 1, PORT_FIRST, true);
    lane_subscribe(lane, world_connect(stage.world, 1), 0);
    world_run_for(stage.world, MILLIS(stage_between(100, 400)));
    sim_faults_t *faults = sim_net_faults(world_net(stage.world));
    faults->is_partitioned = true;
    world_run_for(stage.world, MILLIS(stage_between(100, 15000)));
    faults->is_partitioned = false;
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300),
                    "the stream after the cut");
    stage_end_world(2);
}

/* A machine vanishes; the one that is left gives everything back by its time-outs. */
static void run_crashes(uint64_t seed, const char *directory)
{
    stage_open_world(seed, directory, 2);
    stage_draw_path();
    lane_t *lane = stage_add_lane(0, 1, PORT_FIRST, true);
    lane_subscribe(lane, world_connect(stage.world, 1), 0);
    lane_t *ipc = stage_add_lane(0, 0, 0, false);
    lane_subscribe(ipc, world_connect(stage.world, 0), 0);
    world_run_for(stage.world, MILLIS(stage_between(1, 400)));
    world_crash_host(stage.world, 1);
    lane->subscribers[0].is_dead = true;
    world_run_until(stage.world, stage_one_complete, ipc, SECONDS(300),
                    "the stream of the host that lives");
    stage_end_world(1);
}

/* The scheduler forgets a host's driver for up to seconds, again and again. */
static void run_pauses(uint64_t seed, const char *directory)
{
    stage_open_world(seed, directory, 2);
    stage_draw_faults();
    lane_t *lane = stage_add_lane(0, 1, PORT_FIRST, true);
    lane_subscribe(lane, world_connect(stage.world, 1), 0);
    for (int i = 0; i < 5 && !lane_is_complete(lane); i++) {
        int64_t until_ns = world_now_ns(stage.world) + MILLIS(stage_between(1, 2000));
        world_pause_host(stage.world, (int)stage_between(0, 1), until_ns);
        world_run_for(stage.world, MILLIS(stage_between(1, 2500)));
    }
    world_run_until(stage.world, stage_one_complete, lane, SECONDS(300),
                    "the stream after the pauses");
    stage_end_world(2);
}

/* Many streams on one channel: they share endpoints, engines and the way back. */
static void run_many(uint64_t seed, const char *directory)
{
    stage_open_world(seed, directory, 2);
    stage_draw_path();
    sim_net_faults(world_net(stage.world))->loss_ppm = 10000;
    rj_client_t *writer = world_connect(stage.world, 0);
    rj_client_t *reader = world_connect(stage.world, 1);
    for (int i = 0; i < 24; i++) {
        lane_t *lane = &stage.lanes[stage.lane_count];
        lane_config_t config = {.seed = rj_prng_next(stage_prng()),
                                .stream_id = 1000 + i,
                                .kind = RJ_PUBLICATION_EXCLUSIVE,
                                .message_count = 100,
                                .length_min = 8,
                                .length_max = 2000};
        world_channel(stage.world, 1, PORT_FIRST, "", config.publication_channel,
                      sizeof(config.publication_channel));
        memcpy(config.subscription_channel, config.publication_channel,
               sizeof(config.subscription_channel));
        lane_open(lane, stage.world, &config, writer);
        stage.lane_count++;
        lane_subscribe(lane, reader, 0);
    }
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "all streams");
    stage_finish(2);
    world_disconnect(stage.world, writer);
    world_disconnect(stage.world, reader);
    stage_check_leftovers(2);
    stage.trace = sim_net_trace(world_net(stage.world));
    world_close(stage.world);
    stage.world = NULL;
}

/* Two senders in one group, with readers on every host, the senders' own included: somebody is
 * always ahead and opens the window for all, and the others repair what they lose. As nobody may
 * fall further behind than a resend reaches, which is half a term, all of it fits there. */
static void run_groups(uint64_t seed, const char *directory)
{
    enum { HOSTS = 3 };
    stage_open_world(seed, directory, HOSTS);
    stage_draw_faults();
    for (int from = 0; from < 2; from++) {
        lane_t *lane = &stage.lanes[stage.lane_count];
        lane_config_t config = {.seed = rj_prng_next(stage_prng()),
                                .stream_id = 1000 + from,
                                .kind = RJ_PUBLICATION_EXCLUSIVE,
                                .awaits_all = true};
        stage_draw_lengths(&config);
        world_group_channel(stage.world, PORT_FIRST, "term-length=2m", config.publication_channel,
                            sizeof(config.publication_channel));
        world_group_channel(stage.world, PORT_FIRST, "", config.subscription_channel,
                            sizeof(config.subscription_channel));
        lane_open(lane, stage.world, &config, world_connect(stage.world, from));
        stage.lane_count++;
        for (int host = 0; host < HOSTS; host++)
            lane_subscribe(lane, world_connect(stage.world, host), 0);
        if (rj_prng_chance(stage_prng(), 0.5)) {
            const int host = (int)stage_between(0, HOSTS - 1);
            lane_subscribe(lane, world_connect(stage.world, host), MILLIS(stage_between(1, 400)));
        }
    }
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300),
                    "the streams of the group");
    stage_end_world(HOSTS);
}

/* --- with a ring for each engine --- */

/* Any of the above where frames come to any engine, and queues overflow. */
static void run_engines(uint64_t seed, const char *directory)
{
    static void (*const bodies[])(uint64_t seed, const char *directory) = {
        run_streams, run_joiners, run_kills, run_partitions,
        run_crashes, run_pauses,  run_many,  run_groups};
    stage_draw_rings(seed);
    bodies[seed / scenario_count % (sizeof(bodies) / sizeof(bodies[0]))](seed, directory);
}

/* A session ends and begins anew, again and again; its flow, and so its queue, may be another each
 * time, and the last image may still be there. A second stream keeps the endpoint open. */
static void run_restarts(uint64_t seed, const char *directory)
{
    stage_draw_rings(seed);
    stage_open_world(seed, directory, 2);
    stage_draw_faults();
    lane_t *lane = stage_add_lane(0, 1, PORT_FIRST, true);
    size_t length = strlen(lane->config.publication_channel);
    snprintf(lane->config.publication_channel + length,
             sizeof(lane->config.publication_channel) - length, "|session-id=77");
    lane_subscribe(lane, world_connect(stage.world, 1), 0);
    lane_t *other = stage_add_lane(0, 1, PORT_FIRST, false);
    lane_subscribe(other, world_connect(stage.world, 1), 0);
    for (int i = 0; i < 4; i++) {
        world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "the session");
        /* A publication lingers for 5 s, and its session is its own so long. */
        world_run_for(stage.world, MILLIS(stage_between(6500, 20000)));
        lane_restart(lane);
    }
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "the last session");
    stage_end_world(2);
}

/* --- with a steering program --- */

/* What the network does to the hosts while their streams stage. */
static struct {
    int64_t next_ns;
    bool is_calm;                 /* nothing more happens */
    bool is_there[SIM_HOSTS_MAX]; /* the second driver */
} weather;

static void change_view(int host)
{
    sim_view_t *view = sim_feed_view(world_feed(stage.world, host));
    switch (stage_between(0, 6)) {
    case 0:
        view->lost_neighbours ^= 1U << (1 - host);
        break;
    case 1:
        view->is_link_down = !view->is_link_down;
        break;
    case 2:
        view->is_route_gone = !view->is_route_gone;
        break;
    case 3:
        view->has_second_address = !view->has_second_address;
        break;
    case 4:
        view->mtu_bytes = view->mtu_bytes == SIM_MTU_BYTES ? 1280 : SIM_MTU_BYTES;
        break;
    case 5:
        view->has_foreign_members = !view->has_foreign_members;
        break;
    default:
        weather.is_there[host] = !weather.is_there[host];
        if (weather.is_there[host])
            sim_steer_add_neighbour(world_steer(stage.world, host));
        else
            sim_steer_remove_neighbour(world_steer(stage.world, host));
    }
}

static int run_weather(void *state, int64_t now_ns)
{
    (void)state;
    int work = 0;
    for (int i = 0; i < 2; i++)
        work += sim_steer_work(world_steer(stage.world, i));
    if (weather.is_calm || now_ns < weather.next_ns)
        return work;
    if (weather.next_ns != 0)
        change_view((int)stage_between(0, 1));
    const int64_t delay_ns = sim_net_faults(world_net(stage.world))->delay_ns;
    weather.next_ns = now_ns + delay_ns * stage_between(1, 40);
    return work + 1;
}

static void open_steered(uint64_t seed, const char *directory)
{
    static const uint32_t rooms_bytes[] = {300, 1800, 3840, 65535};
    static sim_steer_params_t steer;
    rj_prng_t draw;
    rj_prng_init(&draw, ~seed + 1);
    stage_draw_rings(seed);
    /* One by one: the order within a list of initializers is the compiler's choice. */
    steer.room_bytes = rooms_bytes[rj_prng_below(&draw, 4)];
    steer.control =
        rj_prng_chance(&draw, 0.5) ? RJ_STEERING_CONTROL_TO_RING : RJ_STEERING_CONTROL_TO_KERNEL;
    steer.foreign_ppm = rj_prng_chance(&draw, 0.5) ? 300000 : 0;
    stage_steer = &steer;
    stage_open_world(seed, directory, 2);
    memset(&weather, 0, sizeof(weather));
    for (int i = 0; i < 2; i++) {
        steer_tables_t *tables = sim_steer_tables(world_steer(stage.world, i));
        if (rj_prng_chance(&draw, 0.2))
            tables->stream_max = (int)rj_prng_below(&draw, 3);
        if (rj_prng_chance(&draw, 0.2))
            tables->channel_max = 1 + (int)rj_prng_below(&draw, 3);
    }
    world_add_task(stage.world, run_weather, NULL);
}

/* A stream whose reader is bound to every address, or to a group. */
static void vary_channel(lane_t *lane)
{
    lane_config_t *config = &lane->config;
    const int port = PORT_FIRST + (int)(lane - stage.lanes);
    const int64_t kind = stage_between(0, 3);
    if (kind == 0) {
        snprintf(config->subscription_channel, sizeof(config->subscription_channel),
                 "aeron:udp?endpoint=%s:%d", world_wildcard(stage.world), port);
    } else if (kind == 1) {
        world_group_channel(stage.world, port, "term-length=2m", config->publication_channel,
                            sizeof(config->publication_channel));
        world_group_channel(stage.world, port, "", config->subscription_channel,
                            sizeof(config->subscription_channel));
    }
}

/* Every frame has met a decision, and the streams have used both doors as the maps say. */
static void check_doors(int host_count)
{
    for (int i = 0; i < host_count; i++) {
        const sim_steer_stats_t *stats = sim_steer_stats(world_steer(stage.world, i));
        sim_steer_check_accounts(world_steer(stage.world, i));
        sim_net_trace_add(world_net(stage.world), (uint64_t)stats->frames);
        for (int reason = 0; reason < RJ_XDP_REASON_COUNT; reason++)
            sim_net_trace_add(world_net(stage.world), (uint64_t)stats->reasons[reason]);
    }
}

/* In good weather every path has its way, and without a link none. Those of publications linger. */
static void check_paths(int host)
{
    sim_view_t *view = sim_feed_view(world_feed(stage.world, host));
    const bool is_attached = sim_steer_tables(world_steer(stage.world, host))->is_attached;
    *view = (sim_view_t){.mtu_bytes = SIM_MTU_BYTES};
    world_run_for(stage.world, MILLIS(1100));
    rj_path_counts_t counts = world_path_counts(stage.world, host);
    if (counts.by_door[RJ_DOOR_NO_WAY] > 0 || counts.by_door[RJ_DOOR_NO_SOURCE] > 0 ||
        (is_attached ? counts.by_door[RJ_DOOR_NO_RING] : counts.by_door[RJ_DOOR_RING]) > 0)
        sim_fail("host %d: %d paths by ring, %d without a way, %d without a ring", host,
                 counts.by_door[RJ_DOOR_RING], counts.by_door[RJ_DOOR_NO_WAY],
                 counts.by_door[RJ_DOOR_NO_RING]);
    sim_net_trace_add(world_net(stage.world), (uint64_t)counts.by_door[RJ_DOOR_RING]);
    view->is_link_down = true;
    world_run_for(stage.world, MILLIS(100));
    counts = world_path_counts(stage.world, host);
    if (counts.by_door[RJ_DOOR_RING] > 0 ||
        counts.by_answer[RJ_NET_LINK_DOWN] != counts.by_door[RJ_DOOR_NO_WAY])
        sim_fail("host %d: %d paths by a ring whose link is down", host,
                 counts.by_door[RJ_DOOR_RING]);
    view->is_link_down = false;
}

/* Streams in by rings, with headers out, while neighbours, routes, links and addresses come and go,
 * another driver does, and in the end perhaps the program itself. */
static void run_steered(uint64_t seed, const char *directory)
{
    open_steered(seed, directory);
    stage_draw_faults();
    const int count = (int)stage_between(1, 4);
    for (int i = 0; i < count; i++) {
        const int from = (int)stage_between(0, 1);
        lane_t *lane = stage_add_lane(from, 1 - from, PORT_FIRST + i, false);
        vary_channel(lane);
        lane_subscribe(lane, world_connect(stage.world, 1 - from), 0);
    }
    if (rj_prng_chance(stage_prng(), 0.3)) {
        const int64_t delay_ns = sim_net_faults(world_net(stage.world))->delay_ns;
        world_run_for(stage.world, delay_ns * stage_between(1, 100));
        sim_steer_tables(world_steer(stage.world, (int)stage_between(0, 1)))->is_attached = false;
    }
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "the steered streams");
    weather.is_calm = true;
    for (int i = 0; i < 2; i++)
        check_paths(i);
    check_doors(2);
    stage_end_world(2);
}

/* A machine's driver dies without a word; who comes next takes out what it left in the maps. */
static void run_swept(uint64_t seed, const char *directory)
{
    open_steered(seed, directory);
    weather.is_calm = true;
    stage_draw_path();
    lane_t *lane = stage_add_lane(0, 1, PORT_FIRST, true);
    vary_channel(lane);
    lane_subscribe(lane, world_connect(stage.world, 1), 0);
    world_run_for(stage.world, MILLIS(stage_between(100, 2000)));
    sim_steer_t *steer = world_steer(stage.world, 1);
    if (sim_steer_tables(steer)->channel_count == 0)
        sim_fail("the reader's channel is not in the maps");
    world_crash_host(stage.world, 1);
    lane->subscribers[0].is_dead = true;
    world_run_for(stage.world, RJ_XDP_OWNER_TIMEOUT_NS + SECONDS(1));
    sim_steer_add_neighbour(steer);
    sim_steer_check_swept(steer);
    check_doors(2);
    stage_end_world(1);
}

const scenario_t scenarios[] = {
    {"streams", run_streams},
    {"joiners", run_joiners},
    {"kills", run_kills},
    {"partitions", run_partitions},
    {"crashes", run_crashes},
    {"pauses", run_pauses},
    {"many", run_many},
    {"groups", run_groups},
    {"engines", run_engines},
    {"restarts", run_restarts},
    {"steered", run_steered},
    {"swept", run_swept},
    {"spies", run_spies},
    {"untethered", run_untethered},
    {"mdc", run_mdc},
    {"aware", run_aware},
    {"merges", run_merges},
    {"controls", run_controls},
    {"names", run_names},
    {"responses", run_responses},
    {"rejected", run_rejected},
    {"revoked", run_revoked},
    {"storm", run_storm},
    {"paces", run_paces},
    {"unreliable", run_unreliable},
    {"merged", run_merged},
    {"doors", run_doors},
    {"repair", run_repair},
    {"aside", run_aside},
};

const size_t scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
