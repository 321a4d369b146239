/* SPDX-License-Identifier: Apache-2.0 */
/* receive_endpoint.h - the address at which subscriptions of a channel receive.
 *
 * One destination (its socket) for an ordinary channel; none to many for a multi-destination one.
 *
 * Units      as named.
 * Ownership  allocated, opened and closed by the conductor; the engine holds it between ADD and
 *            RELEASED. It does not own its images.
 * Thread     constant while engines have it, but for the dispatcher, the pending setups, the
 *            activity times and the header of a control path, which are the home engine's.
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
    RJ_PENDING_SETUP_NS = 1000 * 1000 * 1000,
};

typedef struct rj_receive_destination {
    rj_endpoint_t base; /* first member: a packet's endpoint is cast by its kind */
    struct rj_receive_endpoint *endpoint;
    int32_t id;             /* unique within the endpoint */
    bool has_control;       /* SMs go there: a group's control address, or explicit `control=` */
    bool is_multicast;      /* then all answers go there */
    uint8_t ttl;            /* of the URI; 0: not given */
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
    int home; /* engine: of its sockets, its dispatcher and its pending setups */
    int64_t receiver_id;
    int64_t group_tag;
    bool has_group_tag;
    rj_receive_destination_t destinations[RJ_RECEIVE_DESTINATIONS_MAX];
    int32_t destination_count;

    /* engine */
    rj_dispatcher_t *dispatcher;
    rj_pending_setup_t pending_setups[RJ_PENDING_SETUPS_MAX]; /* oldest first */
    int32_t pending_setup_count;
} rj_receive_endpoint_t;

/* Notes that a setup was asked for. False when that many are pending that this one is not to be
 * asked for now. */
bool rj_receive_endpoint_add_pending(rj_receive_endpoint_t *endpoint, int32_t stream_id,
                                     int32_t session_id, int64_t now_ns);

/* Gives up setups that did not come within RJ_PENDING_SETUP_NS: the next data may ask again.
 * Returns how many. */
int rj_receive_endpoint_expire_pending(rj_receive_endpoint_t *endpoint, int64_t now_ns);

/* When the oldest pending setup is given up; INT64_MAX when there is none. */
int64_t rj_receive_endpoint_deadline_ns(const rj_receive_endpoint_t *endpoint);

/* An image as an engine holds it: the stream's state and the ways back to its sender. Allocated by
 * the conductor; `image` is the first member, so the one is cast to the other. */
typedef struct rj_received_image {
    rj_network_image_t image;
    rj_receive_endpoint_t *endpoint;                           /* NULL once detached */
    rj_path_t control_paths[RJ_NETWORK_IMAGE_CONNECTIONS_MAX]; /* [i] serves connections[i] */
    rj_address_t source;                                       /* of the SETUP that made it */
    const uint8_t *err_frame; /* of its rejection: the conductor's; written before it is told */
    uint32_t err_frame_bytes;
    int32_t slot;                        /* the engine's own book-keeping */
    struct rj_received_image *next_same; /* image_table.h */
} rj_received_image_t;

/* The connection through `destination`; a new one answers to the destination's control address, or
 * to `source`. Returns its index, or -1 when there is no room. Conductor before, engine after the
 * image was handed over. */
int rj_received_image_connect(rj_received_image_t *received, rj_receive_destination_t *destination,
                              const rj_address_t *source, int64_t now_ns);

#endif
