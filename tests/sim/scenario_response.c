/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that answer streams, readers that reject theirs, writers that take theirs back. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ramjet/command.h"
#include "scenario.h"
#include "stage.h"

enum { CLIENT_HOST = 0, SERVER_HOST = 1, PAIRS_MAX = 4, ANSWERS = 2000 };

/* --- responses --- */

/* A client's requests and the server's answers. */
typedef struct pair {
    lane_t *request;
    lane_t *response;
    bool is_asking;   /* the client's publication names its subscription */
    bool is_answered; /* the server's publication names the client's image */
} pair_t;

static pair_t pairs[PAIRS_MAX];
static int pair_count;

static void name_id(char *channel, size_t size, int64_t id)
{
    const size_t length = strlen(channel);
    snprintf(channel + length, size - length, "|response-correlation-id=%" PRId64, id);
}

static rj_subscription_t *subscription_of(const lane_t *lane)
{
    return lane->subscribers[0].is_dead ? NULL : lane->subscribers[0].subscription;
}

/* The client offers nothing before it can hear an answer: it would be gone before that came. */
static int ask(pair_t *pair)
{
    lane_t *request = pair->request;
    const rj_subscription_t *reader = subscription_of(pair->response);
    if (!pair->is_asking && reader != NULL) {
        name_id(request->config.publication_channel, sizeof(request->config.publication_channel),
                rj_subscription_info(reader)->registration_id);
        request->offers_at_ns = 0;
        pair->is_asking = true;
        return 1;
    }
    const bool is_heard = pair->response->subscribers[0].image_count > 0;
    const bool is_held = request->offers_at_ns == INT64_MAX;
    if (request->publication == NULL || request->is_finished || is_held != is_heard)
        return 0;
    request->offers_at_ns = is_held ? 0 : INT64_MAX;
    return 1;
}

static int answer(pair_t *pair)
{
    lane_t *response = pair->response;
    rj_subscription_t *reader = subscription_of(pair->request);
    if (pair->is_answered || reader == NULL || rj_subscription_image_count(reader) == 0)
        return 0;
    const rj_image_t *image = rj_subscription_image_at(reader, 0);
    name_id(response->config.publication_channel, sizeof(response->config.publication_channel),
            rj_image_info(image)->correlation_id);
    response->offers_at_ns = 0;
    pair->is_answered = true;
    return 1;
}

static int work_pair(void *state, int64_t now_ns)
{
    pair_t *pair = state;
    (void)now_ns;
    return pair->request->publisher_is_dead ? 0 : ask(pair) + answer(pair);
}

static lane_t *open_lane(const lane_config_t *config, rj_client_t *publisher)
{
    lane_t *lane = &stage.lanes[stage.lane_count++];
    lane_open(lane, stage.world, config, publisher);
    lane->offers_at_ns = INT64_MAX;
    return lane;
}

/* All answers are one stream of one channel; which of them is whose, the session tells. */
static pair_t *add_pair(rj_client_t *server, int64_t starts_at_ns)
{
    pair_t *pair = &pairs[pair_count];
    rj_client_t *client = world_connect(stage.world, CLIENT_HOST);
    lane_config_t config = {.seed = rj_prng_next(stage_prng()),
                            .stream_id = 1000 + pair_count,
                            .kind = RJ_PUBLICATION_EXCLUSIVE};
    stage_draw_lengths(&config);
    world_channel(stage.world, SERVER_HOST, PORT_FIRST, "", config.subscription_channel,
                  sizeof(config.subscription_channel));
    memcpy(config.publication_channel, config.subscription_channel,
           sizeof(config.publication_channel));
    pair->request = open_lane(&config, client);
    config.seed = rj_prng_next(stage_prng());
    config.stream_id = ANSWERS;
    stage_draw_lengths(&config);
    char channel[128];
    world_channel(stage.world, SERVER_HOST, PORT_FIRST + 1, "", channel, sizeof(channel));
    snprintf(config.subscription_channel, sizeof(config.subscription_channel),
             "aeron:udp?control-mode=response|control=%s", strchr(channel, '=') + 1);
    memcpy(config.publication_channel, config.subscription_channel,
           sizeof(config.publication_channel));
    pair->response = open_lane(&config, server);
    lane_subscribe(pair->request, server, 0);
    lane_subscribe(pair->response, client, starts_at_ns);
    pair->response->subscribers[0].is_late = false;
    pair->is_asking = false;
    pair->is_answered = false;
    world_add_task(stage.world, work_pair, pair);
    pair_count++;
    return pair;
}

/* The client is gone without a word, and the server closes what nobody reads. */
static void kill_client(pair_t *pair)
{
    pair->request->publisher_is_dead = true;
    pair->response->subscribers[0].is_dead = true;
    world_kill_client(stage.world, pair->request->client);
    lane_close(pair->request);
    lane_close(pair->response);
}

/* Several clients at one server; one of them may die and be started anew. */
void run_responses(uint64_t seed, const char *directory)
{
    stage_draw_rings(seed);
    if (seed % 2 == 0)
        stage_rings.engine_count = 0;
    stage_open_world(seed, directory, 2);
    stage_draw_faults();
    pair_count = 0;
    rj_client_t *server = world_connect(stage.world, SERVER_HOST);
    const int count = (int)stage_between(1, PAIRS_MAX - 1);
    for (int i = 0; i < count; i++)
        add_pair(server, MILLIS(stage_between(0, 500)));
    if (rj_prng_chance(stage_prng(), 0.5)) {
        world_run_for(stage.world, MILLIS(stage_between(1, 3000)));
        kill_client(&pairs[0]);
        add_pair(server, 0);
    }
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "the answers");
    stage_end_world(2);
}

/* --- rejections --- */

/* Reads nothing more until the image has gone: what it read now it would read twice. */
static void reject_image(lane_t *lane)
{
    lane_subscriber_t *subscriber = &lane->subscribers[0];
    if (subscriber->subscription == NULL ||
        rj_subscription_image_count(subscriber->subscription) == 0)
        return;
    rj_err_t err = {0};
    rj_request_t *request;
    if (rj_image_request_reject(rj_subscription_image_at(subscriber->subscription, 0),
                                "not this one", &request, &err) < 0)
        sim_fail("reject: %s", err.text);
    rj_request_cancel(request);
    subscriber->stalls_until_ns = world_now_ns(stage.world) + SECONDS(1);
}

/* A reader that rejects its image, again and again, gets the stream again each time; its publisher
 * hears why. */
void run_rejected(uint64_t seed, const char *directory)
{
    stage_open_world(seed, directory, 2);
    stage_draw_faults();
    const bool is_ipc = rj_prng_chance(stage_prng(), 0.3);
    const int reader_host = is_ipc ? 0 : 1;
    lane_t *lane = stage_add_lane(0, reader_host, PORT_FIRST, true);
    lane->config.pause_ns = MILLIS(stage_between(20, 200));
    lane_subscribe(lane, world_connect(stage.world, reader_host), 0);
    const int count = (int)stage_between(1, 3);
    for (int i = 0; i < count && !lane->is_finished; i++) {
        world_run_for(stage.world, MILLIS(stage_between(100, 20000)));
        reject_image(lane);
    }
    world_run_for(stage.world, SECONDS(1));
    const int64_t rejected =
        world_system_counter(stage.world, reader_host, RJ_SYSTEM_IMAGES_REJECTED);
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "what is left to read");
    /* A late status message makes a receiver live once more, and its rejection is told again. */
    const int64_t told = world_system_counter(stage.world, 0, RJ_SYSTEM_ERRORS);
    if (rejected > count || told > 8 * rejected || (is_ipc && told != rejected))
        sim_fail("%" PRId64 " images rejected, %" PRId64 " told", rejected, told);
    stage.errors_expected[0] = told;
    stage_end_world(2);
}

/* --- revocations --- */

/* A publisher takes its stream back in the middle: every reader loses it, read or not. */
void run_revoked(uint64_t seed, const char *directory)
{
    stage_open_world(seed, directory, 2);
    stage_draw_faults();
    const bool is_ipc = rj_prng_chance(stage_prng(), 0.3);
    const int reader_host = is_ipc ? 0 : 1;
    lane_t *lane = stage_add_lane(0, reader_host, PORT_FIRST, true);
    lane_subscribe(lane, world_connect(stage.world, reader_host), 0);
    lane_t *other = stage_add_lane(0, reader_host, PORT_FIRST, false);
    lane_subscribe(other, world_connect(stage.world, reader_host), 0);
    world_run_until(stage.world, stage_half_offered, lane, SECONDS(300), "the first half");
    if (lane->publication != NULL) {
        rj_publication_revoke(lane->publication);
        lane->publication = NULL;
        lane->is_finished = true;
        world_run_for(stage.world, SECONDS(4));
        const int64_t revoked =
            world_system_counter(stage.world, 0, RJ_SYSTEM_PUBLICATIONS_REVOKED);
        const int64_t images =
            world_system_counter(stage.world, reader_host, RJ_SYSTEM_PUBLICATION_IMAGES_REVOKED);
        if (revoked != 1 || images != (is_ipc ? 0 : 1) ||
            rj_subscription_image_count(lane->subscribers[0].subscription) != 0)
            sim_fail("%" PRId64 " publications and %" PRId64 " images revoked", revoked, images);
    }
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "the other stream");
    stage_end_world(2);
}
