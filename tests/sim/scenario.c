/* SPDX-License-Identifier: Apache-2.0 */
#include "scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lane.h"
#include "ramjet/command.h"
#include "world.h"

enum {
    LANES_MAX = 32,
    PORT_FIRST = 20000,
};

#define SECONDS(n) ((n)*INT64_C(1000000000))
#define MILLIS(n)  ((n)*INT64_C(1000000))

static struct {
    world_t *world;
    lane_t lanes[LANES_MAX];
    int lane_count;
    uint64_t trace;
} run;

/* What hosts of the next world have; sockets only unless a scenario says otherwise. */
static sim_rings_t next_rings;
static const sim_steer_params_t *next_steer; /* NULL: no steering program */

uint64_t scenario_trace(void)
{
    return run.trace;
}

static rj_prng_t *prng(void)
{
    return world_prng(run.world);
}

static int64_t between(int64_t first, int64_t last)
{
    return rj_prng_between(prng(), first, last);
}

/* --- the parts of a scenario --- */

static void open_world(uint64_t seed, const char *directory, int host_count)
{
    memset(&run, 0, sizeof(run));
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
                             .rings = next_rings,
                             .is_steered = next_steer != NULL};
    if (next_steer != NULL)
        params.steer = *next_steer;
    next_rings = (sim_rings_t){.engine_count = 0};
    next_steer = NULL;
    run.world = world_open(&params);
}

static void draw_path(void)
{
    static const int64_t delays_ns[] = {20000, 100000, 500000, 5000000, 25000000};
    sim_faults_t *faults = sim_net_faults(world_net(run.world));
    faults->delay_ns = delays_ns[rj_prng_below(prng(), 5)];
    faults->jitter_ns = rj_prng_chance(prng(), 0.5) ? faults->delay_ns / 2 : 0;
}

static void draw_faults(void)
{
    static const uint32_t losses_ppm[] = {0, 10000, 10000, 100000, 300000};
    sim_faults_t *faults = sim_net_faults(world_net(run.world));
    draw_path();
    faults->loss_ppm = losses_ppm[rj_prng_below(prng(), 5)];
    faults->duplicate_ppm = rj_prng_chance(prng(), 0.5) ? 30000 : 0;
    faults->corrupt_ppm = rj_prng_chance(prng(), 0.3) ? 5000 : 0;
    faults->reorder_ppm = rj_prng_chance(prng(), 0.6) ? 50000 : 0;
    faults->reorder_ns = faults->delay_ns * 3;
    faults->short_send_ppm = rj_prng_chance(prng(), 0.4) ? 50000 : 0;
}

static void draw_lengths(lane_config_t *config)
{
    static const int32_t lengths[][2] = {{32, 32}, {8, 200}, {1000, 1400}, {8, 4000}, {4000, 8000}};
    size_t row = rj_prng_below(prng(), 5);
    config->length_min = lengths[row][0];
    config->length_max = lengths[row][1];
    /* Roughly the same number of bytes whatever the length: several terms of 64 KiB. */
    config->message_count = 600000 / (32 + (config->length_min + config->length_max) / 2);
}

/* A stream from host to host (IPC when they are the same) with one subscriber from the start. */
static lane_t *add_lane(int from, int to, int port, bool may_lose_images)
{
    lane_t *lane = &run.lanes[run.lane_count];
    lane_config_t config = {.seed = rj_prng_next(prng()),
                            .stream_id = 1000 + run.lane_count,
                            .kind = rj_prng_chance(prng(), 0.5) ? RJ_PUBLICATION_SHARED
                                                                : RJ_PUBLICATION_EXCLUSIVE,
                            .may_lose_images = may_lose_images};
    draw_lengths(&config);
    if (from == to) {
        snprintf(config.publication_channel, sizeof(config.publication_channel), "aeron:ipc");
        snprintf(config.subscription_channel, sizeof(config.subscription_channel), "aeron:ipc");
    } else {
        const char *params = rj_prng_chance(prng(), 0.3) ? "mtu=4096|term-length=256k" : "";
        world_channel(run.world, to, port, params, config.publication_channel,
                      sizeof(config.publication_channel));
        world_channel(run.world, to, port, "", config.subscription_channel,
                      sizeof(config.subscription_channel));
    }
    lane_open(lane, run.world, &config, world_connect(run.world, from));
    run.lane_count++;
    return lane;
}

static bool all_complete(void *state)
{
    (void)state;
    for (int i = 0; i < run.lane_count; i++) {
        if (!lane_is_complete(&run.lanes[i]))
            return false;
    }
    return true;
}

static bool one_complete(void *state)
{
    return lane_is_complete(state);
}

static bool half_offered(void *state)
{
    const lane_t *lane = state;
    return lane->next_number >= lane->config.message_count / 2;
}

static void close_lanes(void)
{
    for (int i = 0; i < run.lane_count; i++)
        lane_close(&run.lanes[i]);
}

/* What a person should see of steering is in the error log, as a warning. */
static int64_t told_by_steering(int host)
{
    const sim_steer_t *steer = world_steer(run.world, host);
    return steer == NULL ? 0 : sim_steer_stats(steer)->events;
}

/* The end of every scenario: closes all, waits for all lingers, and looks for leftovers. */
static void finish(int host_count)
{
    world_check_counters(run.world);
    close_lanes();
    world_run_for(run.world, SECONDS(1));
    const sim_net_stats_t *stats = sim_net_stats(world_net(run.world));
    int64_t ends = stats->delivered + stats->lost + stats->corrupted + stats->partitioned +
                   stats->unbound + stats->overflowed + sim_net_under_way(world_net(run.world));
    if (stats->sent + stats->duplicated != ends)
        sim_fail("the net's own count is off: %" PRId64 " sent, %" PRId64 " accounted for",
                 stats->sent + stats->duplicated, ends);
    for (int i = 0; i < host_count; i++) {
        int64_t errors = world_system_counter(run.world, i, RJ_SYSTEM_ERRORS);
        if (errors != told_by_steering(i))
            sim_fail("host %d counted %" PRId64 " errors", i, errors);
        int64_t forwarded = world_forwarded(run.world, i);
        if (forwarded > 0)
            sim_net_trace_add(world_net(run.world), (uint64_t)forwarded);
    }
}

static void disconnect_all(lane_t *lanes, int count)
{
    for (int i = 0; i < count; i++) {
        if (!lanes[i].publisher_is_dead)
            world_disconnect(run.world, lanes[i].client);
        for (int k = 0; k < lanes[i].subscriber_count; k++) {
            if (!lanes[i].subscribers[k].is_dead)
                world_disconnect(run.world, lanes[i].subscribers[k].client);
        }
    }
}

/* What streams leave behind is gone after all lingers: 10 s of image liveness and more. */
static void check_leftovers(int host_count)
{
    sim_net_faults(world_net(run.world))->is_partitioned = false;
    world_run_for(run.world, SECONDS(45));
    for (int i = 0; i < host_count; i++)
        world_check_empty(run.world, i);
}

static void end_world(int host_count)
{
    finish(host_count);
    disconnect_all(run.lanes, run.lane_count);
    check_leftovers(host_count);
    run.trace = sim_net_trace(world_net(run.world));
    world_close(run.world);
    run.world = NULL;
}

void scenario_abandon(void)
{
    if (run.world != NULL)
        world_close(run.world);
    run.world = NULL;
}

/* --- the scenarios --- */

/* Several streams at once, each way, over a path that loses, doubles, reorders and corrupts. */
static void run_streams(uint64_t seed, const char *directory)
{
    open_world(seed, directory, 2);
    draw_faults();
    int count = (int)between(1, 4);
    for (int i = 0; i < count; i++) {
        bool is_ipc = rj_prng_chance(prng(), 0.2);
        int from = (int)between(0, 1);
        int to = is_ipc ? from : 1 - from;
        lane_t *lane = add_lane(from, to, PORT_FIRST + (int)between(0, 1), false);
        lane_subscribe(lane, world_connect(run.world, to), 0);
    }
    world_run_until(run.world, all_complete, NULL, SECONDS(300), "streams");
    end_world(2);
}

/* A second subscriber joins late, the first leaves and comes back. */
static void run_joiners(uint64_t seed, const char *directory)
{
    open_world(seed, directory, 2);
    draw_faults();
    bool is_ipc = rj_prng_chance(prng(), 0.3);
    lane_t *lane = add_lane(0, is_ipc ? 0 : 1, PORT_FIRST, true);
    rj_client_t *reader = world_connect(run.world, is_ipc ? 0 : 1);
    lane_subscriber_t *first = lane_subscribe(lane, reader, 0);
    lane_subscribe(lane, world_connect(run.world, is_ipc ? 0 : 1), MILLIS(between(1, 400)));
    world_run_until(run.world, half_offered, lane, SECONDS(300), "the first half");
    lane_leave(first);
    world_run_for(run.world, MILLIS(between(1, 3000)));
    lane_return(first, 0);
    world_run_until(run.world, all_complete, NULL, SECONDS(300), "the second half");
    end_world(2);
}

/* A client dies without a word; the driver and the others must not care. */
static void run_kills(uint64_t seed, const char *directory)
{
    open_world(seed, directory, 2);
    draw_faults();
    lane_t *victim = add_lane(0, 1, PORT_FIRST, true);
    lane_subscribe(victim, world_connect(run.world, 1), 0);
    lane_t *other = add_lane(0, 1, PORT_FIRST + 1, false);
    lane_subscribe(other, world_connect(run.world, 1), 0);
    world_run_for(run.world, MILLIS(between(1, 600)));
    if (rj_prng_chance(prng(), 0.5)) {
        victim->publisher_is_dead = true;
        world_kill_client(run.world, victim->client);
    } else {
        victim->subscribers[0].is_dead = true;
        world_kill_client(run.world, victim->subscribers[0].client);
        victim->publisher_is_dead = true; /* nobody reads it: it cannot finish */
        world_kill_client(run.world, victim->client);
    }
    world_run_until(run.world, all_complete, NULL, SECONDS(300), "the stream that lives");
    end_world(2);
}

/* The net is cut for a while, short or longer than the liveness time-outs. */
static void run_partitions(uint64_t seed, const char *directory)
{
    open_world(seed, directory, 2);
    draw_faults();
    lane_t *lane = add_lane(0, 1, PORT_FIRST, true);
    lane_subscribe(lane, world_connect(run.world, 1), 0);
    world_run_for(run.world, MILLIS(between(100, 400)));
    sim_faults_t *faults = sim_net_faults(world_net(run.world));
    faults->is_partitioned = true;
    world_run_for(run.world, MILLIS(between(100, 15000)));
    faults->is_partitioned = false;
    world_run_until(run.world, all_complete, NULL, SECONDS(300), "the stream after the cut");
    end_world(2);
}

/* A machine vanishes; the one that is left gives everything back by its time-outs. */
static void run_crashes(uint64_t seed, const char *directory)
{
    open_world(seed, directory, 2);
    draw_path();
    lane_t *lane = add_lane(0, 1, PORT_FIRST, true);
    lane_subscribe(lane, world_connect(run.world, 1), 0);
    lane_t *ipc = add_lane(0, 0, 0, false);
    lane_subscribe(ipc, world_connect(run.world, 0), 0);
    world_run_for(run.world, MILLIS(between(1, 400)));
    world_crash_host(run.world, 1);
    lane->subscribers[0].is_dead = true;
    world_run_until(run.world, one_complete, ipc, SECONDS(300),
                    "the stream of the host that lives");
    end_world(1);
}

/* The scheduler forgets a host's driver for up to seconds, again and again. */
static void run_pauses(uint64_t seed, const char *directory)
{
    open_world(seed, directory, 2);
    draw_faults();
    lane_t *lane = add_lane(0, 1, PORT_FIRST, true);
    lane_subscribe(lane, world_connect(run.world, 1), 0);
    for (int i = 0; i < 5 && !lane_is_complete(lane); i++) {
        int64_t until_ns = world_now_ns(run.world) + MILLIS(between(1, 2000));
        world_pause_host(run.world, (int)between(0, 1), until_ns);
        world_run_for(run.world, MILLIS(between(1, 2500)));
    }
    world_run_until(run.world, one_complete, lane, SECONDS(300), "the stream after the pauses");
    end_world(2);
}

/* Many streams on one channel: they share endpoints, engines and the way back. */
static void run_many(uint64_t seed, const char *directory)
{
    open_world(seed, directory, 2);
    draw_path();
    sim_net_faults(world_net(run.world))->loss_ppm = 10000;
    rj_client_t *writer = world_connect(run.world, 0);
    rj_client_t *reader = world_connect(run.world, 1);
    for (int i = 0; i < 24; i++) {
        lane_t *lane = &run.lanes[run.lane_count];
        lane_config_t config = {.seed = rj_prng_next(prng()),
                                .stream_id = 1000 + i,
                                .kind = RJ_PUBLICATION_EXCLUSIVE,
                                .message_count = 100,
                                .length_min = 8,
                                .length_max = 2000};
        world_channel(run.world, 1, PORT_FIRST, "", config.publication_channel,
                      sizeof(config.publication_channel));
        memcpy(config.subscription_channel, config.publication_channel,
               sizeof(config.subscription_channel));
        lane_open(lane, run.world, &config, writer);
        run.lane_count++;
        lane_subscribe(lane, reader, 0);
    }
    world_run_until(run.world, all_complete, NULL, SECONDS(300), "all streams");
    finish(2);
    world_disconnect(run.world, writer);
    world_disconnect(run.world, reader);
    check_leftovers(2);
    run.trace = sim_net_trace(world_net(run.world));
    world_close(run.world);
    run.world = NULL;
}

/* Two senders in one group, with readers on every host, the senders' own included: somebody is
 * always ahead and opens the window for all, and the others repair what they lose. As nobody may
 * fall further behind than a resend reaches, which is half a term, all of it fits there. */
static void run_groups(uint64_t seed, const char *directory)
{
    enum { HOSTS = 3 };
    open_world(seed, directory, HOSTS);
    draw_faults();
    for (int from = 0; from < 2; from++) {
        lane_t *lane = &run.lanes[run.lane_count];
        lane_config_t config = {.seed = rj_prng_next(prng()),
                                .stream_id = 1000 + from,
                                .kind = RJ_PUBLICATION_EXCLUSIVE,
                                .awaits_all = true};
        draw_lengths(&config);
        world_group_channel(run.world, PORT_FIRST, "term-length=2m", config.publication_channel,
                            sizeof(config.publication_channel));
        world_group_channel(run.world, PORT_FIRST, "", config.subscription_channel,
                            sizeof(config.subscription_channel));
        lane_open(lane, run.world, &config, world_connect(run.world, from));
        run.lane_count++;
        for (int host = 0; host < HOSTS; host++)
            lane_subscribe(lane, world_connect(run.world, host), 0);
        if (rj_prng_chance(prng(), 0.5)) {
            const int host = (int)between(0, HOSTS - 1);
            lane_subscribe(lane, world_connect(run.world, host), MILLIS(between(1, 400)));
        }
    }
    world_run_until(run.world, all_complete, NULL, SECONDS(300), "the streams of the group");
    end_world(HOSTS);
}

/* --- with a ring for each engine --- */

static void draw_rings(uint64_t seed)
{
    static const uint32_t sprays_ppm[] = {0, 1000, 50000, 500000, 1000000};
    rj_prng_t draw;
    rj_prng_init(&draw, ~seed);
    next_rings = (sim_rings_t){
        .engine_count = (int)rj_prng_between(&draw, 1, 4),
        .capacity = (int)rj_prng_between(&draw, 2, 60),
        .spray_ppm = sprays_ppm[rj_prng_below(&draw, 5)],
        .pass_ppm = rj_prng_chance(&draw, 0.4) ? 200000 : 0,
    };
}

/* Any of the above where frames come to any engine, and queues overflow. */
static void run_engines(uint64_t seed, const char *directory)
{
    static void (*const bodies[])(uint64_t seed, const char *directory) = {
        run_streams, run_joiners, run_kills, run_partitions,
        run_crashes, run_pauses,  run_many,  run_groups};
    draw_rings(seed);
    bodies[seed / scenario_count % (sizeof(bodies) / sizeof(bodies[0]))](seed, directory);
}

/* A session ends and begins anew, again and again; its flow, and so its queue, may be another each
 * time, and the last image may still be there. A second stream keeps the endpoint open. */
static void run_restarts(uint64_t seed, const char *directory)
{
    draw_rings(seed);
    open_world(seed, directory, 2);
    draw_faults();
    lane_t *lane = add_lane(0, 1, PORT_FIRST, true);
    size_t length = strlen(lane->config.publication_channel);
    snprintf(lane->config.publication_channel + length,
             sizeof(lane->config.publication_channel) - length, "|session-id=77");
    lane_subscribe(lane, world_connect(run.world, 1), 0);
    lane_t *other = add_lane(0, 1, PORT_FIRST, false);
    lane_subscribe(other, world_connect(run.world, 1), 0);
    for (int i = 0; i < 4; i++) {
        world_run_until(run.world, all_complete, NULL, SECONDS(300), "the session");
        /* A publication lingers for 5 s, and its session is its own so long. */
        world_run_for(run.world, MILLIS(between(6500, 20000)));
        lane_restart(lane);
    }
    world_run_until(run.world, all_complete, NULL, SECONDS(300), "the last session");
    end_world(2);
}

/* --- with a steering program --- */

/* What the network does to the hosts while their streams run. */
static struct {
    int64_t next_ns;
    bool is_calm;                 /* nothing more happens */
    bool is_there[SIM_HOSTS_MAX]; /* the second driver */
} weather;

static void change_view(int host)
{
    sim_view_t *view = sim_feed_view(world_feed(run.world, host));
    switch (between(0, 6)) {
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
            sim_steer_add_neighbour(world_steer(run.world, host));
        else
            sim_steer_remove_neighbour(world_steer(run.world, host));
    }
}

static int run_weather(void *state, int64_t now_ns)
{
    (void)state;
    int work = 0;
    for (int i = 0; i < 2; i++)
        work += sim_steer_work(world_steer(run.world, i));
    if (weather.is_calm || now_ns < weather.next_ns)
        return work;
    if (weather.next_ns != 0)
        change_view((int)between(0, 1));
    const int64_t delay_ns = sim_net_faults(world_net(run.world))->delay_ns;
    weather.next_ns = now_ns + delay_ns * between(1, 40);
    return work + 1;
}

static void open_steered(uint64_t seed, const char *directory)
{
    static const uint32_t rooms_bytes[] = {300, 1800, 3840, 65535};
    static sim_steer_params_t steer;
    rj_prng_t draw;
    rj_prng_init(&draw, ~seed + 1);
    draw_rings(seed);
    /* One by one: the order within a list of initializers is the compiler's choice. */
    steer.room_bytes = rooms_bytes[rj_prng_below(&draw, 4)];
    steer.control =
        rj_prng_chance(&draw, 0.5) ? RJ_STEERING_CONTROL_TO_RING : RJ_STEERING_CONTROL_TO_KERNEL;
    steer.foreign_ppm = rj_prng_chance(&draw, 0.5) ? 300000 : 0;
    next_steer = &steer;
    open_world(seed, directory, 2);
    memset(&weather, 0, sizeof(weather));
    for (int i = 0; i < 2; i++) {
        steer_tables_t *tables = sim_steer_tables(world_steer(run.world, i));
        if (rj_prng_chance(&draw, 0.2))
            tables->stream_max = (int)rj_prng_below(&draw, 3);
        if (rj_prng_chance(&draw, 0.2))
            tables->channel_max = 1 + (int)rj_prng_below(&draw, 3);
    }
    world_add_task(run.world, run_weather, NULL);
}

/* A stream whose reader is bound to every address, or to a group. */
static void vary_channel(lane_t *lane)
{
    lane_config_t *config = &lane->config;
    const int port = PORT_FIRST + (int)(lane - run.lanes);
    const int64_t kind = between(0, 3);
    if (kind == 0) {
        snprintf(config->subscription_channel, sizeof(config->subscription_channel),
                 "aeron:udp?endpoint=%s:%d", world_wildcard(run.world), port);
    } else if (kind == 1) {
        world_group_channel(run.world, port, "term-length=2m", config->publication_channel,
                            sizeof(config->publication_channel));
        world_group_channel(run.world, port, "", config->subscription_channel,
                            sizeof(config->subscription_channel));
    }
}

/* Every frame has met a decision, and the streams have used both doors as the maps say. */
static void check_doors(int host_count)
{
    for (int i = 0; i < host_count; i++) {
        const sim_steer_stats_t *stats = sim_steer_stats(world_steer(run.world, i));
        sim_steer_check_accounts(world_steer(run.world, i));
        sim_net_trace_add(world_net(run.world), (uint64_t)stats->frames);
        for (int reason = 0; reason < RJ_XDP_REASON_COUNT; reason++)
            sim_net_trace_add(world_net(run.world), (uint64_t)stats->reasons[reason]);
    }
}

/* In good weather every path has its way, and without a link none. Those of publications linger. */
static void check_paths(int host)
{
    sim_view_t *view = sim_feed_view(world_feed(run.world, host));
    const bool is_attached = sim_steer_tables(world_steer(run.world, host))->is_attached;
    *view = (sim_view_t){.mtu_bytes = SIM_MTU_BYTES};
    world_run_for(run.world, MILLIS(1100));
    rj_path_counts_t counts = world_path_counts(run.world, host);
    if (counts.by_door[RJ_DOOR_NO_WAY] > 0 || counts.by_door[RJ_DOOR_NO_SOURCE] > 0 ||
        (is_attached ? counts.by_door[RJ_DOOR_NO_RING] : counts.by_door[RJ_DOOR_RING]) > 0)
        sim_fail("host %d: %d paths by ring, %d without a way, %d without a ring", host,
                 counts.by_door[RJ_DOOR_RING], counts.by_door[RJ_DOOR_NO_WAY],
                 counts.by_door[RJ_DOOR_NO_RING]);
    sim_net_trace_add(world_net(run.world), (uint64_t)counts.by_door[RJ_DOOR_RING]);
    view->is_link_down = true;
    world_run_for(run.world, MILLIS(100));
    counts = world_path_counts(run.world, host);
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
    draw_faults();
    const int count = (int)between(1, 4);
    for (int i = 0; i < count; i++) {
        const int from = (int)between(0, 1);
        lane_t *lane = add_lane(from, 1 - from, PORT_FIRST + i, false);
        vary_channel(lane);
        lane_subscribe(lane, world_connect(run.world, 1 - from), 0);
    }
    if (rj_prng_chance(prng(), 0.3)) {
        const int64_t delay_ns = sim_net_faults(world_net(run.world))->delay_ns;
        world_run_for(run.world, delay_ns * between(1, 100));
        sim_steer_tables(world_steer(run.world, (int)between(0, 1)))->is_attached = false;
    }
    world_run_until(run.world, all_complete, NULL, SECONDS(300), "the steered streams");
    weather.is_calm = true;
    for (int i = 0; i < 2; i++)
        check_paths(i);
    check_doors(2);
    end_world(2);
}

/* A machine's driver dies without a word; who comes next takes out what it left in the maps. */
static void run_swept(uint64_t seed, const char *directory)
{
    open_steered(seed, directory);
    weather.is_calm = true;
    draw_path();
    lane_t *lane = add_lane(0, 1, PORT_FIRST, true);
    vary_channel(lane);
    lane_subscribe(lane, world_connect(run.world, 1), 0);
    world_run_for(run.world, MILLIS(between(100, 2000)));
    sim_steer_t *steer = world_steer(run.world, 1);
    if (sim_steer_tables(steer)->channel_count == 0)
        sim_fail("the reader's channel is not in the maps");
    world_crash_host(run.world, 1);
    lane->subscribers[0].is_dead = true;
    world_run_for(run.world, RJ_XDP_OWNER_TIMEOUT_NS + SECONDS(1));
    sim_steer_add_neighbour(steer);
    sim_steer_check_swept(steer);
    check_doors(2);
    end_world(1);
}

const scenario_t scenarios[] = {
    {"streams", run_streams}, {"joiners", run_joiners},
    {"kills", run_kills},     {"partitions", run_partitions},
    {"crashes", run_crashes}, {"pauses", run_pauses},
    {"many", run_many},       {"groups", run_groups},
    {"engines", run_engines}, {"restarts", run_restarts},
    {"steered", run_steered}, {"swept", run_swept},
};

const size_t scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
