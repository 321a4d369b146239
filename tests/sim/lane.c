/* SPDX-License-Identifier: Apache-2.0 */
#include "lane.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    FRAGMENTS_PER_POLL = 10,
    NUMBER_BYTES = 8,
};

/* --- messages that follow from seed and number --- */

size_t lane_message(const lane_config_t *config, int64_t number,
                    uint8_t bytes[static LANE_MESSAGE_MAX])
{
    rj_prng_t prng;
    rj_prng_init(&prng, config->seed ^ (uint64_t)number * UINT64_C(0x9e3779b97f4a7c15));
    size_t length = (size_t)rj_prng_between(&prng, config->length_min, config->length_max);
    memcpy(bytes, &number, NUMBER_BYTES);
    for (size_t at = NUMBER_BYTES; at < length; at += sizeof(uint64_t)) {
        uint64_t word = rj_prng_next(&prng);
        size_t left = length - at;
        memcpy(bytes + at, &word, left < sizeof(word) ? left : sizeof(word));
    }
    return length;
}

static void on_message(void *user, const uint8_t *payload, size_t length, const rj_header_t *header)
{
    lane_subscriber_t *subscriber = user;
    const lane_config_t *config = &subscriber->lane->config;
    uint8_t expected[LANE_MESSAGE_MAX];
    int64_t number;
    if (length < NUMBER_BYTES)
        sim_fail("stream %" PRId32 ": a message of %zu bytes was never sent", config->stream_id,
                 length);
    memcpy(&number, payload, NUMBER_BYTES);
    bool is_next = number == subscriber->next_number;
    if (!is_next && !subscriber->is_fresh_image && !config->is_unreliable)
        sim_fail("stream %" PRId32 ": message %" PRId64 " came where %" PRId64 " was due",
                 config->stream_id, number, subscriber->next_number);
    if (number < 0 || number >= config->message_count || number < subscriber->next_number)
        sim_fail("stream %" PRId32 ": message %" PRId64 " after %" PRId64 " with a new image",
                 config->stream_id, number, subscriber->next_number - 1);
    size_t expected_length = lane_message(config, number, expected);
    if (expected_length != length || memcmp(expected, payload, length) != 0)
        sim_fail("stream %" PRId32 ": message %" PRId64 " has other bytes than were sent",
                 config->stream_id, number);
    subscriber->is_fresh_image = false;
    subscriber->next_number = number + 1;
    subscriber->received++;
    sim_net_trace_add(world_net(subscriber->lane->world),
                      (uint64_t)number ^ ((uint64_t)rj_header_position(header) << 20));
}

/* --- subscribers --- */

static bool may_lose_image(const lane_subscriber_t *subscriber)
{
    return subscriber->may_lose_image || subscriber->lane->config.may_lose_images;
}

static void on_available(void *user, rj_subscription_t *subscription, rj_image_t *image)
{
    lane_subscriber_t *subscriber = user;
    (void)subscription;
    (void)image;
    if (subscriber->image_count > 0 && !may_lose_image(subscriber))
        sim_fail("stream %" PRId32 ": a second image, though the first had no reason to end",
                 subscriber->lane->config.stream_id);
    subscriber->image_count++;
    /* The very first image of somebody who was there from the start has to begin at message 0. */
    subscriber->is_fresh_image =
        subscriber->image_count > 1 || rj_image_info(image)->join_position > 0;
}

static void on_unavailable(void *user, rj_subscription_t *subscription, rj_image_t *image)
{
    lane_subscriber_t *subscriber = user;
    (void)subscription;
    if (subscriber->assembler != NULL)
        rj_assembler_forget(subscriber->assembler, rj_image_info(image)->session_id);
}

static const char *channel_of(const lane_subscriber_t *subscriber)
{
    return subscriber->channel[0] != '\0' ? subscriber->channel
                                          : subscriber->lane->config.subscription_channel;
}

static void request_subscription(lane_subscriber_t *subscriber)
{
    const lane_config_t *config = &subscriber->lane->config;
    rj_image_handlers_t handlers = {
        .on_available = on_available, .on_unavailable = on_unavailable, .user = subscriber};
    rj_err_t err = {0};
    if (rj_client_request_subscription(subscriber->client, channel_of(subscriber),
                                       config->stream_id, &handlers, &subscriber->request,
                                       &err) < 0)
        sim_fail("subscription on %s: %s", channel_of(subscriber), err.text);
}

static int work_subscriber(void *state, int64_t now_ns)
{
    lane_subscriber_t *subscriber = state;
    if (!subscriber->is_open || subscriber->is_dead || now_ns < subscriber->starts_at_ns)
        return 0;
    if (subscriber->subscription == NULL && subscriber->request == NULL) {
        request_subscription(subscriber);
        return 1;
    }
    if (subscriber->subscription == NULL) {
        rj_err_t err = {0};
        int result =
            rj_request_poll_subscription(subscriber->request, &subscriber->subscription, &err);
        if (result < 0 && err.aeron_code != 10)
            sim_fail("subscription on %s: %s", channel_of(subscriber), err.text);
        if (result != 0)
            subscriber->request = NULL;
        return result != 0;
    }
    if (now_ns < subscriber->stalls_until_ns)
        return 0;
    int work = rj_subscription_poll(subscriber->subscription, rj_assembler_on_fragment,
                                    subscriber->assembler, FRAGMENTS_PER_POLL);
    return work > 0 ? work : 0;
}

lane_subscriber_t *lane_subscribe(lane_t *lane, rj_client_t *client, int64_t starts_at_ns)
{
    lane_subscriber_t *subscriber = &lane->subscribers[lane->subscriber_count++];
    *subscriber = (lane_subscriber_t){.lane = lane,
                                      .client = client,
                                      .starts_at_ns = starts_at_ns,
                                      .is_late = starts_at_ns > 0,
                                      .is_open = true};
    rj_err_t err = {0};
    if (rj_assembler_open(&subscriber->assembler, on_message, NULL, subscriber, LANE_MESSAGE_MAX,
                          &err) < 0)
        sim_fail("assembler: %s", err.text);
    world_add_task(lane->world, work_subscriber, subscriber);
    return subscriber;
}

void lane_leave(lane_subscriber_t *subscriber)
{
    if (subscriber->request != NULL)
        rj_request_cancel(subscriber->request);
    rj_subscription_close(subscriber->subscription);
    subscriber->request = NULL;
    subscriber->subscription = NULL;
    subscriber->is_open = false;
}

void lane_return(lane_subscriber_t *subscriber, int64_t starts_at_ns)
{
    subscriber->is_open = true;
    subscriber->is_late = true;
    subscriber->starts_at_ns = starts_at_ns;
}

/* --- the publisher --- */

static void request_publication(lane_t *lane)
{
    rj_err_t err = {0};
    if (rj_client_request_publication(lane->client, lane->config.publication_channel,
                                      lane->config.stream_id, lane->config.kind, &lane->request,
                                      &err) < 0)
        sim_fail("publication on %s: %s", lane->config.publication_channel, err.text);
}

static int poll_publication(lane_t *lane)
{
    rj_err_t err = {0};
    int result = rj_request_poll_publication(lane->request, &lane->publication, &err);
    if (result < 0 && err.aeron_code != 10)
        sim_fail("publication on %s: %s", lane->config.publication_channel, err.text);
    if (result != 0)
        lane->request = NULL;
    return result != 0;
}

static bool is_awaiting(const lane_t *lane)
{
    for (int i = 0; i < lane->subscriber_count && lane->config.awaits_all; i++) {
        if (!lane->subscribers[i].is_late && lane->subscribers[i].image_count == 0)
            return true;
    }
    return false;
}

static int offer_some(lane_t *lane)
{
    uint8_t bytes[LANE_MESSAGE_MAX];
    int work = 0;
    if (is_awaiting(lane))
        return 0;
    for (int i = 0; i < LANE_OFFERS_PER_TURN && lane->next_number < lane->config.message_count;
         i++) {
        size_t length = lane_message(&lane->config, lane->next_number, bytes);
        int64_t position = rj_publication_offer(lane->publication, bytes, length);
        if (position == RJ_OFFER_ADMIN_ACTION)
            continue;
        if (position == RJ_OFFER_BACK_PRESSURED || position == RJ_OFFER_NOT_CONNECTED)
            break;
        if (position < 0)
            sim_fail("stream %" PRId32 ": offer answers %" PRId64, lane->config.stream_id,
                     position);
        lane->next_number++;
        work++;
    }
    return work;
}

static int work_publisher(void *state, int64_t now_ns)
{
    lane_t *lane = state;
    if (lane->is_finished || lane->publisher_is_dead || now_ns < lane->offers_at_ns)
        return 0;
    if (lane->publication == NULL && lane->request == NULL) {
        request_publication(lane);
        return 1;
    }
    if (lane->publication == NULL)
        return poll_publication(lane);
    int work = offer_some(lane);
    lane->offers_at_ns = now_ns + (work > 0 ? lane->config.pause_ns : 0);
    if (lane->next_number == lane->config.message_count) {
        rj_publication_close(lane->publication);
        lane->publication = NULL;
        lane->is_finished = true;
        work++;
    }
    return work;
}

void lane_prepare(lane_t *lane, world_t *world, const lane_config_t *config, rj_client_t *publisher)
{
    memset(lane, 0, sizeof(*lane));
    lane->config = *config;
    lane->world = world;
    lane->client = publisher;
}

void lane_open(lane_t *lane, world_t *world, const lane_config_t *config, rj_client_t *publisher)
{
    lane_prepare(lane, world, config, publisher);
    world_add_task(world, work_publisher, lane);
}

void lane_restart(lane_t *lane)
{
    lane->next_number = 0;
    lane->is_finished = false;
    for (int i = 0; i < lane->subscriber_count; i++)
        lane->subscribers[i].next_number = 0;
}

/* Who has no image owes nothing where that is no fault: a late one may come when all is over, and a
 * cut that outlasts the publication's linger takes with it what had not been sent. */
static bool owes_messages(const lane_subscriber_t *subscriber)
{
    if (!subscriber->is_open || subscriber->is_dead || subscriber->lane->publisher_is_dead)
        return false;
    bool may_miss_the_rest =
        subscriber->is_late ||
        ((may_lose_image(subscriber) || subscriber->lane->config.is_unreliable) &&
         subscriber->image_count > 0);
    bool has_image = subscriber->subscription != NULL &&
                     rj_subscription_image_count(subscriber->subscription) > 0;
    return subscriber->next_number < subscriber->lane->config.message_count &&
           (has_image || !may_miss_the_rest);
}

bool lane_is_complete(const lane_t *lane)
{
    if (!lane->is_finished && !lane->publisher_is_dead)
        return false;
    for (int i = 0; i < lane->subscriber_count; i++) {
        if (owes_messages(&lane->subscribers[i]))
            return false;
    }
    return true;
}

void lane_close(lane_t *lane)
{
    for (int i = 0; i < lane->subscriber_count; i++) {
        if (!lane->subscribers[i].is_dead)
            lane_leave(&lane->subscribers[i]);
        rj_assembler_close(lane->subscribers[i].assembler);
        lane->subscribers[i].assembler = NULL;
        lane->subscribers[i].is_open = false;
    }
    if (lane->publisher_is_dead)
        return;
    if (lane->request != NULL)
        rj_request_cancel(lane->request);
    rj_publication_close(lane->publication);
    lane->publication = NULL;
    lane->request = NULL;
    lane->is_finished = true;
}
