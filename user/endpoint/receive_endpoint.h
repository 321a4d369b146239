/* SPDX-License-Identifier: Apache-2.0 */
/* receive_endpoint.h - the address at which subscriptions of a channel receive.
 *
 * One destination (its socket) for an ordinary channel; none to many for a multi-destination one.
 *
 * Units      as named.
 * Ownership  allocated, opened and closed by the conductor; the engine holds it between ADD and
 *            RELEASED. It does not own its images.
 * Thread     constant while the engine has it, but for the dispatcher, the pending setups and the
 *            activity times, which are the engine's.
 * Errors     as said per function.
 */
#ifndef RJ_ENDPOINT_RECEIVE_ENDPOINT_H
#define RJ_ENDPOINT_RECEIVE_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "endpoint/dispatcher.h"
#include "proto/channel.h"
#include "transport/path.h"
#include "transport/port.h"

enum {
    RJ_RECEIVE_DESTINATIONS_MAX = 16,
    RJ_PENDING_SETUPS_MAX = 256,
};

typedef struct rj_receive_destination {
    rj_endpoint_t base; /* first member: a packet's endpoint is cast by its kind */
    struct rj_receive_endpoint *endpoint;
    int32_t id;             /* unique within the endpoint */
    bool has_control;       /* explicit `control=`: SMs go there */
    rj_path_t control_path; /* only if has_control */
    int64_t last_activity_ns;
} rj_receive_destination_t;

/* A setup that was asked for by an SM and has not come yet. */
typedef struct rj_pending_setup {
    int32_t stream_id;
    int32_t session_id;
    int64_t since_ns;
} rj_pending_setup_t;

typedef struct rj_receive_endpoint {
    rj_channel_t channel;
    int64_t receiver_id;
    int64_t group_tag;
    bool has_group_tag;
    rj_receive_destination_t destinations[RJ_RECEIVE_DESTINATIONS_MAX];
    int32_t destination_count;

    /* engine */
    rj_dispatcher_t *dispatcher;
    rj_pending_setup_t pending_setups[RJ_PENDING_SETUPS_MAX];
    int32_t pending_setup_count;
    int64_t pending_setup_overflows;
} rj_receive_endpoint_t;

/* An image as an engine holds it: the stream's state and the ways back to its sender. Allocated by
 * the conductor; `image` is the first member, so the one is cast to the other. */
typedef struct rj_received_image {
    rj_image_t image;
    rj_receive_endpoint_t *endpoint;                   /* NULL once detached */
    rj_path_t control_paths[RJ_IMAGE_CONNECTIONS_MAX]; /* [i] serves connections[i] */
    rj_address_t source;                               /* of the SETUP that made it */
} rj_received_image_t;

#endif
