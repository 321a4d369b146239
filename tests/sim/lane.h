/* SPDX-License-Identifier: Apache-2.0 */
/* lane.h - one stream of a simulation: a publisher, its subscribers, and what they must see.
 *
 * The publisher offers numbered messages whose bytes follow from (seed, number). A subscriber
 * checks that numbers follow one another, that every byte is right, and that only a new image may
 * begin at another number than the last one ended.
 *
 * Units      virtual ns; messages; bytes.
 * Ownership  lanes belong to their scenario; clients to the world.
 * Thread     one.
 * Errors     sim_fail.
 */
#ifndef RJ_TESTS_SIM_LANE_H
#define RJ_TESTS_SIM_LANE_H

#include "world.h"

enum {
    LANE_OFFERS_PER_TURN = 8,
    LANE_SUBSCRIBERS_MAX = 64,
    LANE_MESSAGE_MAX = 16384,
};

typedef struct lane lane_t;

typedef struct lane_config {
    uint64_t seed;
    char publication_channel[256];
    char subscription_channel[256];
    int32_t stream_id;
    rj_publication_kind_t kind;
    int32_t message_count;
    int32_t length_min, length_max;
    int64_t pause_ns;     /* between two turns of offering */
    bool awaits_all;      /* nothing is offered before everybody who is not late has an image */
    bool may_lose_images; /* a fault longer than the liveness time-outs is part of the scenario */
    bool is_unreliable;   /* messages may be missing, and nothing else */
} lane_config_t;

typedef struct lane_subscriber {
    lane_t *lane;
    rj_client_t *client;
    rj_request_t *request;
    rj_subscription_t *subscription;
    rj_assembler_t *assembler;
    int64_t next_number; /* -1: whatever comes first */
    int64_t received;    /* messages, over all its images */
    int64_t image_count;
    int64_t starts_at_ns;
    int64_t stalls_until_ns; /* reads nothing before then */
    char channel[512];       /* of its own; empty: the lane's */
    bool may_lose_image;     /* as the lane's, of this one alone */
    bool is_fresh_image;
    bool is_late; /* joins or returns while the stream runs: it may come too late */
    bool is_open; /* wanted; false: leaves or is gone */
    bool is_dead; /* its process was killed */
} lane_subscriber_t;

struct lane {
    lane_config_t config;
    world_t *world;
    rj_client_t *client;
    rj_request_t *request;
    rj_publication_t *publication;
    int64_t next_number;
    int64_t offers_at_ns; /* not before */
    bool publisher_is_dead;
    bool is_finished; /* everything was offered and the publication closed */
    lane_subscriber_t subscribers[LANE_SUBSCRIBERS_MAX];
    int subscriber_count;
};

/* The message with that number; returns its length. */
size_t lane_message(const lane_config_t *config, int64_t number,
                    uint8_t bytes[static LANE_MESSAGE_MAX]);

/* A lane whose messages the scenario itself offers: it counts `next_number` on and sets
 * `is_finished` after the last. */
void lane_prepare(lane_t *lane, world_t *world, const lane_config_t *config,
                  rj_client_t *publisher);

/* Begins to publish as soon as somebody is connected. */
void lane_open(lane_t *lane, world_t *world, const lane_config_t *config, rj_client_t *publisher);

/* Adds a subscriber that asks to join at `starts_at_ns`. */
lane_subscriber_t *lane_subscribe(lane_t *lane, rj_client_t *client, int64_t starts_at_ns);

/* Leaves at once; it may come back by lane_return. */
void lane_leave(lane_subscriber_t *subscriber);
void lane_return(lane_subscriber_t *subscriber, int64_t starts_at_ns);

/* Everything once more, by a new publication of the same session if its channel names one. The lane
 * is complete, and may lose images. */
void lane_restart(lane_t *lane);

/* Every message was offered, and every live subscriber has read the last one. */
bool lane_is_complete(const lane_t *lane);

/* Closes what is still open. */
void lane_close(lane_t *lane);

#endif
