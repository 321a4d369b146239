/* SPDX-License-Identifier: Apache-2.0 */
/* Drivers that tell each other their names, and streams that follow a name. */
#include <stdio.h>
#include <string.h>

#include "ramjet/command.h"
#include "scenario.h"
#include "stage.h"

enum {
    HOSTS = 3,
    SERVICE_PORT = PORT_FIRST + 20,
    STREAM = 4000,
};

/* --- who knows whom --- */

static bool all_know(int64_t count)
{
    for (int i = 0; i < HOSTS; i++) {
        if (world_counter(stage.world, i, RJ_COUNTER_TYPE_RESOLVER_CACHE_ENTRIES) != count ||
            world_counter(stage.world, i, RJ_COUNTER_TYPE_RESOLVER_NEIGHBORS) != count)
            return false;
    }
    return true;
}

static bool know_all(void *state)
{
    (void)state;
    return all_know(HOSTS - 1);
}

static bool know_none(void *state)
{
    (void)state;
    return all_know(0);
}

/* --- a stream to a name --- */

/* A lane as others, but that its publisher knows a name only. */
static void add_named_lane(int from, int to, int port)
{
    lane_t *lane = &stage.lanes[stage.lane_count];
    lane_config_t config = {.seed = rj_prng_next(stage_prng()),
                            .stream_id = 1000 + stage.lane_count++};
    stage_draw_lengths(&config);
    snprintf(config.publication_channel, sizeof(config.publication_channel),
             "aeron:udp?endpoint=h%d:%d", to, port);
    world_channel(stage.world, to, port, "", config.subscription_channel,
                  sizeof(config.subscription_channel));
    lane_open(lane, stage.world, &config, world_connect(stage.world, from));
    lane_subscribe(lane, world_connect(stage.world, to), 0);
}

/* Their drivers are about to end, so their clients do. */
static void end_lanes(void)
{
    for (int i = 0; i < stage.lane_count; i++) {
        lane_close(&stage.lanes[i]);
        world_disconnect(stage.world, stage.lanes[i].client);
        world_disconnect(stage.world, stage.lanes[i].subscribers[0].client);
    }
    world_check_counters(stage.world);
    stage.lane_count = 0;
}

/* --- a publication to a name that moves --- */

static struct {
    rj_client_t *client;
    rj_request_t *request;
    rj_publication_t *publication;
    rj_client_t *reader_client;
    rj_request_t *reader_request;
    rj_subscription_t *reader;
} service;

static int run_service(void *state, int64_t now_ns)
{
    rj_err_t err = {0};
    int result = 0;
    (void)state;
    (void)now_ns;
    if (service.request != NULL) {
        result = rj_request_poll_publication(service.request, &service.publication, &err);
        service.request = result == 0 ? service.request : NULL;
    }
    if (result >= 0 && service.reader_request != NULL) {
        result = rj_request_poll_subscription(service.reader_request, &service.reader, &err);
        service.reader_request = result == 0 ? service.reader_request : NULL;
    }
    if (result < 0)
        sim_fail("the service: %s", err.text);
    return result;
}

static void serve(int host)
{
    char channel[128];
    rj_err_t err = {0};
    const rj_image_handlers_t handlers = {.user = NULL};
    world_channel(stage.world, host, SERVICE_PORT, "", channel, sizeof(channel));
    service.reader_client = world_connect(stage.world, host);
    if (rj_client_request_subscription(service.reader_client, channel, STREAM, &handlers,
                                       &service.reader_request, &err) < 0)
        sim_fail("the service's reader: %s", err.text);
}

static void publish(int host)
{
    char channel[128];
    rj_err_t err = {0};
    snprintf(channel, sizeof(channel), "aeron:udp?endpoint=service:%d", SERVICE_PORT);
    service.client = world_connect(stage.world, host);
    if (rj_client_request_publication(service.client, channel, STREAM, RJ_PUBLICATION_EXCLUSIVE,
                                      &service.request, &err) < 0)
        sim_fail("the service's publisher: %s", err.text);
}

static bool is_connected(void *state)
{
    (void)state;
    return service.publication != NULL && rj_publication_is_connected(service.publication);
}

static bool is_not_connected(void *state)
{
    return !is_connected(state);
}

/* The service is at host 2, and then at host 1. */
static void move_service(void)
{
    memset(&service, 0, sizeof(service));
    world_rename_host(stage.world, 2, "service");
    world_run_for(stage.world, SECONDS(11)); /* nobody knows the old name any more */
    world_run_until(stage.world, know_all, NULL, SECONDS(60), "the service to be known");
    world_add_task(stage.world, run_service, NULL);
    serve(2);
    publish(0);
    world_run_until(stage.world, is_connected, NULL, SECONDS(60), "the service");
    world_disconnect(stage.world, service.reader_client);
    world_rename_host(stage.world, 2, "h2");
    world_rename_host(stage.world, 1, "service");
    serve(1);
    world_run_until(stage.world, is_not_connected, NULL, SECONDS(60), "the service's end");
    world_run_until(stage.world, is_connected, NULL, SECONDS(60), "the service elsewhere");
    if (world_system_counter(stage.world, 0, RJ_SYSTEM_RESOLUTION_CHANGES) != 1)
        sim_fail("the move was not counted once");
    world_disconnect(stage.world, service.client);
    world_disconnect(stage.world, service.reader_client);
}

/* --- the scenario --- */

/* Names are found, forgotten over a partition, found again, used, and moved, whatever is lost. */
void run_names(uint64_t seed, const char *directory)
{
    stage_has_names = true;
    stage_open_world(seed, directory, HOSTS);
    stage_draw_faults();
    sim_faults_t *faults = sim_net_faults(world_net(stage.world));
    if (faults->loss_ppm > 100000)
        faults->loss_ppm = 100000; /* or a name may be forgotten while its host is there */
    world_run_until(stage.world, know_all, NULL, SECONDS(60), "everybody to be known");
    add_named_lane(0, 1, PORT_FIRST);
    add_named_lane(2, 0, PORT_FIRST + 1);
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "the named streams");
    end_lanes();
    if (rj_prng_chance(stage_prng(), 0.5)) {
        faults->is_partitioned = true;
        world_run_until(stage.world, know_none, NULL, SECONDS(15), "everybody to be forgotten");
        faults->is_partitioned = false;
        world_run_until(stage.world, know_all, NULL, SECONDS(60), "everybody to be found again");
    }
    move_service();
    stage_end_world(HOSTS);
}
