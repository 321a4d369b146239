/* SPDX-License-Identifier: Apache-2.0 */
#include "scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "stage.h"

enum {
    WAYS_MAX = 5,
    SESSION = 77,
    INITIAL_TERM = 7,
    TERM = 64 * 1024,
    OFFERS_PER_TURN = 8,
};

/* --- one stream by changing ways --- */

/* A publication of the session that begins where the stream is, and the reader's destination that
 * hears it: live after replay, as the Archive's merge has it. */
typedef struct way {
    char channel[256];
    rj_request_t *request;
    rj_publication_t *publication;
    int64_t next_number;
} way_t;

typedef enum merge_state {
    MERGE_OPEN,  /* the next way's publication is being made */
    MERGE_ADD,   /* its destination is being added */
    MERGE_CATCH, /* both ways have all that is new; the reader is not yet where the new one began */
    MERGE_LEAVE, /* the old way's destination is being removed */
    MERGE_FLOW,  /* one way */
    MERGE_BLINK, /* its destination is being removed, to be added again */
    MERGE_DARK,  /* it is away */
    MERGE_RETURN, /* it is being added again */
} merge_state_t;

static struct {
    lane_t *lane;
    lane_subscriber_t *reader;
    way_t ways[WAYS_MAX];
    int current;           /* the way that came last; -1: none */
    int old;               /* the one before, until it is left; -1: none */
    int64_t start_number;  /* that the current way began with */
    int64_t switch_number; /* when the next thing happens */
    int64_t dark_until_ns;
    bool closes_first; /* the old publication ends before its destination goes */
    merge_state_t state;
    rj_request_t *operation;
} merge;

static void request_way(int64_t position)
{
    way_t *way = &merge.ways[++merge.current];
    char params[160];
    rj_err_t err = {0};
    snprintf(params, sizeof(params),
             "session-id=%d|term-length=64k|init-term-id=%d|term-id=%" PRId64
             "|term-offset=%" PRId64,
             SESSION, INITIAL_TERM, INITIAL_TERM + position / TERM, position % TERM);
    world_channel(stage.world, 1, PORT_FIRST + merge.current, params, way->channel,
                  sizeof(way->channel));
    if (rj_client_request_publication(merge.lane->client, way->channel,
                                      merge.lane->config.stream_id, RJ_PUBLICATION_EXCLUSIVE,
                                      &way->request, &err) < 0)
        sim_fail("publication on %s: %s", way->channel, err.text);
    way->next_number = merge.lane->next_number;
    merge.start_number = way->next_number;
    merge.state = MERGE_OPEN;
}

static void request_destination(const way_t *way, bool is_added)
{
    rj_err_t err = {0};
    char channel[256];
    rj_subscription_t *subscription = merge.reader->subscription;
    world_channel(stage.world, 1, PORT_FIRST + (int)(way - merge.ways), "", channel,
                  sizeof(channel));
    const int result =
        is_added
            ? rj_subscription_request_add_destination(subscription, channel, &merge.operation, &err)
            : rj_subscription_request_remove_destination(subscription, channel, &merge.operation,
                                                         &err);
    if (result < 0)
        sim_fail("destination %s: %s", channel, err.text);
}

static bool operation_is_done(void)
{
    rj_err_t err = {0};
    const int result = rj_request_poll_operation(merge.operation, NULL, &err);
    if (result < 0)
        sim_fail("a destination: %s", err.text);
    if (result > 0)
        merge.operation = NULL;
    return result > 0;
}

static bool publication_is_there(way_t *way)
{
    rj_err_t err = {0};
    const int result = rj_request_poll_publication(way->request, &way->publication, &err);
    if (result < 0)
        sim_fail("publication on %s: %s", way->channel, err.text);
    if (result > 0)
        way->request = NULL;
    return result > 0;
}

static bool has_offered(way_t *way, int64_t number)
{
    uint8_t bytes[LANE_MESSAGE_MAX];
    if (way->next_number > number)
        return true;
    const size_t length = lane_message(&merge.lane->config, number, bytes);
    const int64_t position = rj_publication_offer(way->publication, bytes, length);
    if (position == RJ_OFFER_BACK_PRESSURED || position == RJ_OFFER_NOT_CONNECTED ||
        position == RJ_OFFER_ADMIN_ACTION)
        return false;
    if (position < 0)
        sim_fail("%s: offer answers %" PRId64, way->channel, position);
    way->next_number = number + 1;
    return true;
}

/* All ways that there are stay together, message by message. */
static int offer_some(void)
{
    int work = 0;
    lane_t *lane = merge.lane;
    while (work < OFFERS_PER_TURN && lane->next_number < merge.switch_number) {
        const bool has_old =
            merge.old < 0 || has_offered(&merge.ways[merge.old], lane->next_number);
        if (!has_offered(&merge.ways[merge.current], lane->next_number) || !has_old)
            break;
        lane->next_number++;
        work++;
    }
    return work;
}

static void next_switch(void)
{
    const int64_t left = merge.lane->config.message_count - merge.lane->next_number;
    merge.switch_number =
        merge.lane->next_number + (merge.current + 1 < WAYS_MAX ? left / 3 : left);
    if (left < 10)
        merge.switch_number = merge.lane->config.message_count;
}

static void close_old(void)
{
    rj_publication_close(merge.ways[merge.old].publication);
    merge.ways[merge.old].publication = NULL;
    merge.old = -1;
}

static void leave_old(void)
{
    const way_t *old = &merge.ways[merge.old];
    merge.closes_first = rj_prng_chance(stage_prng(), 0.5);
    if (merge.closes_first)
        close_old();
    request_destination(old, false);
    merge.state = MERGE_LEAVE;
}

static rj_image_t *image(void)
{
    return rj_subscription_image_by_session(merge.reader->subscription, SESSION);
}

/* The reader has all from before the new way, and both are heard: as the merge of an archive's
 * client waits for two transports. */
static bool has_caught_up(void)
{
    return merge.reader->next_number >= merge.start_number && image() != NULL &&
           rj_image_active_transport_count(image()) == 2;
}

static int flow(int64_t now_ns)
{
    const lane_t *lane = merge.lane;
    const int work = offer_some();
    if (lane->next_number < merge.switch_number)
        return work;
    if (lane->next_number == lane->config.message_count) {
        rj_publication_close(merge.ways[merge.current].publication);
        merge.ways[merge.current].publication = NULL;
        merge.lane->is_finished = true;
        return 1;
    }
    if (rj_prng_chance(stage_prng(), 0.4)) {
        request_destination(&merge.ways[merge.current], false);
        merge.dark_until_ns = now_ns + MILLIS(stage_between(1, 3000));
        merge.state = MERGE_BLINK;
    } else {
        merge.old = merge.current;
        request_way(rj_publication_position(merge.ways[merge.old].publication));
    }
    return 1;
}

static int leave(void)
{
    if (!operation_is_done())
        return offer_some();
    if (merge.old >= 0)
        close_old();
    if (image() != NULL && rj_image_active_transport_count(image()) > 1)
        sim_fail("%" PRId32 " transports after one of two was removed",
                 rj_image_active_transport_count(image()));
    merge.state = MERGE_FLOW;
    next_switch();
    return 1;
}

static int enter(merge_state_t state)
{
    merge.state = state;
    return 1;
}

static int step_merge(int64_t now_ns)
{
    way_t *current = &merge.ways[merge.current];
    switch (merge.state) {
    case MERGE_OPEN:
        if (!publication_is_there(current))
            return 0;
        request_destination(current, true);
        return enter(MERGE_ADD);
    case MERGE_ADD:
        if (!operation_is_done())
            return 0;
        next_switch();
        return enter(merge.old < 0 ? MERGE_FLOW : MERGE_CATCH);
    case MERGE_CATCH:
        if (!has_caught_up())
            return offer_some();
        leave_old();
        return 1;
    case MERGE_LEAVE:
        return leave();
    case MERGE_FLOW:
        return flow(now_ns);
    case MERGE_BLINK:
        return operation_is_done() ? enter(MERGE_DARK) : 0;
    case MERGE_DARK:
        if (now_ns < merge.dark_until_ns)
            return 0;
        request_destination(current, true);
        return enter(MERGE_RETURN);
    case MERGE_RETURN:
        if (!operation_is_done())
            return 0;
        next_switch();
        return enter(MERGE_FLOW);
    }
    return 0;
}

static int work_merge(void *state, int64_t now_ns)
{
    (void)state;
    if (merge.lane->is_finished || merge.reader->subscription == NULL)
        return 0;
    if (merge.current < 0) {
        request_way(0);
        return 1;
    }
    return step_merge(now_ns);
}

void run_merges(uint64_t seed, const char *directory)
{
    if (seed / 2 % 2 == 0)
        stage_draw_rings(seed);
    stage_open_world(seed, directory, 2);
    stage_draw_faults();
    lane_t *lane = &stage.lanes[stage.lane_count++];
    lane_config_t config = {.seed = rj_prng_next(stage_prng()), .stream_id = 1000};
    stage_draw_lengths(&config);
    snprintf(config.subscription_channel, sizeof(config.subscription_channel),
             "aeron:udp?control-mode=manual|session-id=%d|rejoin=false", SESSION);
    lane_prepare(lane, stage.world, &config, world_connect(stage.world, 0));
    memset(&merge, 0, sizeof(merge));
    merge.lane = lane;
    merge.reader = lane_subscribe(lane, world_connect(stage.world, 1), 0);
    merge.current = merge.old = -1;
    world_add_task(stage.world, work_merge, NULL);
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "the merged stream");
    stage_end_world(2);
}

/* --- receivers that register with their sender --- */

/* Where a host's control address is, as a channel's parameter. */
static void print_control(int host, char *text, size_t size)
{
    char channel[128];
    world_channel(stage.world, host, PORT_FIRST + 100, "", channel, sizeof(channel));
    snprintf(text, size, "control=%s", strchr(channel, '=') + 1);
}

/* One sender, who knows of his receivers by what they tell his control address; as in a group,
 * nobody may fall further behind than a resend reaches. */
void run_controls(uint64_t seed, const char *directory)
{
    enum { HOSTS = 3 };
    if (seed / 2 % 2 == 0)
        stage_draw_rings(seed);
    stage_open_world(seed, directory, HOSTS);
    stage_draw_faults();
    lane_t *lane = &stage.lanes[stage.lane_count++];
    lane_config_t config = {.seed = rj_prng_next(stage_prng()),
                            .stream_id = 1000,
                            .kind = RJ_PUBLICATION_EXCLUSIVE,
                            .awaits_all = true};
    stage_draw_lengths(&config);
    char control[128], params[160];
    print_control(0, control, sizeof(control));
    snprintf(config.publication_channel, sizeof(config.publication_channel),
             "aeron:udp?%s|control-mode=dynamic|term-length=2m", control);
    lane_open(lane, stage.world, &config, world_connect(stage.world, 0));
    snprintf(params, sizeof(params), "%s%s", control,
             rj_prng_chance(stage_prng(), 0.5) ? "|control-mode=dynamic" : "");
    for (int host = 1; host < HOSTS; host++) {
        /* The channel is read when the subscriber first works, so each has a lane of its own. */
        lane_subscriber_t *subscriber = lane_subscribe(lane, world_connect(stage.world, host), 0);
        world_channel(stage.world, host, PORT_FIRST, params, subscriber->channel,
                      sizeof(subscriber->channel));
    }
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300),
                    "the stream of the control address");
    stage_end_world(HOSTS);
}
