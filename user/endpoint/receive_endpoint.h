/* SPDX-License-Identifier: Apache-2.0 */
/* receive_endpoint.h - the addresses at which subscriptions of a channel receive.
 *
 * An ordinary channel has one destination, its socket; a multi-destination one has none to many,
 * which come and go while streams are heard.
 *
 * Units      as named.
 * Ownership  endpoint and destinations are allocated, opened and closed by the conductor; engines
 *            hold each between ADD and RELEASED. An endpoint owns neither destinations nor images.
 * Thread     constant while engines have it, but for what is said to be the home engine's or an
 *            engine's own.
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
    RJ_RECEIVE_DESTINATIONS_MAX = RJ_NETWORK_IMAGE_CONNECTIONS_MAX, /* of an endpoint at a time */
    RJ_DESTINATION_ENGINES_MAX = 16,
    RJ_PENDING_SETUPS_MAX = 256,
    RJ_PENDING_SETUP_NS = 1000 * 1000 * 1000,
    RJ_DESTINATION_TOUCH_NS = 100 * 1000 * 1000, /* how exactly activity is noted */
};

typedef struct rj_receive_destination {
    rj_endpoint_t base; /* first member: a packet's endpoint is cast by its kind */
    struct rj_receive_endpoint *endpoint;
    int32_t id;        /* no other's of the endpoint, ever */
    int32_t slot;      /* no other's of the endpoint while an engine has either */
    bool has_control;  /* SMs go there: a group's control address, or explicit `control=` */
    bool is_multicast; /* then all answers go there */
    uint8_t ttl;       /* of the URI; 0: not given */
    /* The control address as engine i was told; that engine alone looks at [i]. */
    rj_address_t controls[RJ_DESTINATION_ENGINES_MAX];
    int64_t last_activity_ns; /* any engine, relaxed: when a frame came, roughly */

    /* home engine */
    rj_path_t control_path; /* only if has_control */
    int64_t setup_sent_ns;  /* explicit control: when it was last asked for setups */
} rj_receive_destination_t;

/* Fills in the control address for all engines; before any has the destination. */
void rj_receive_destination_set_control(rj_receive_destination_t *destination,
                                        const rj_address_t *control);

/* Whether it tells its control address, a sender's that finds its receivers that way, regularly
 * that it is there (wire.md 11.4). */
static inline bool rj_receive_destination_registers(const rj_receive_destination_t *destination)
{
    return destination->has_control && !destination->is_multicast;
}

/* A frame came. Relaxed: nothing hangs on it but how long nothing came. */
static inline void rj_receive_destination_touch(rj_receive_destination_t *destination,
                                                int64_t now_ns)
{
    if (now_ns - rj_load_relaxed_i64(&destination->last_activity_ns) >= RJ_DESTINATION_TOUCH_NS)
        rj_store_relaxed_i64(&destination->last_activity_ns, now_ns);
}

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
    rj_timestamp_place_t media_timestamp;   /* in messages: when the kernel had them */
    rj_timestamp_place_t channel_timestamp; /* and when we had */

    /* home engine */
    rj_receive_destination_t *destinations[RJ_RECEIVE_DESTINATIONS_MAX];
    int32_t destination_count;
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

/* The next destination whose control address is to be asked for setups again: while anything is
 * wanted, each RJ_PENDING_SETUP_NS after the last time, which becomes `now_ns`. NULL when all are
 * done. */
rj_receive_destination_t *rj_receive_endpoint_next_setup(rj_receive_endpoint_t *endpoint,
                                                         int64_t now_ns);

/* When the oldest pending setup is given up, or a setup is asked for again; INT64_MAX for never. */
int64_t rj_receive_endpoint_deadline_ns(const rj_receive_endpoint_t *endpoint);

/* An image as an engine holds it: the stream's state and the ways back to its sender. Allocated by
 * the conductor; `image` is the first member, so the one is cast to the other. */
typedef struct rj_received_image {
    rj_network_image_t image;
    rj_receive_endpoint_t *endpoint;                      /* NULL once detached */
    rj_path_t control_paths[RJ_RECEIVE_DESTINATIONS_MAX]; /* [slot]: by that destination */
    uint32_t told_paths;                                  /* bits: slots the conductor knows of */
    rj_address_t source;                                  /* of the SETUP that made it */
    const uint8_t *err_frame; /* of its rejection: the conductor's; written before it is told */
    uint32_t err_frame_bytes;
    int32_t slot;                        /* the engine's own book-keeping */
    struct rj_received_image *next_same; /* image_table.h */
} rj_received_image_t;

/* The connection through `destination`, made when there is none. It answers to `control` if that is
 * given, else to `source`; with neither (NULL), it gives no answer until a later call names one.
 * Returns its index; -1 when there is no room. Conductor before, engine after the image was handed
 * over. */
int rj_received_image_connect(rj_received_image_t *received, rj_receive_destination_t *destination,
                              const rj_address_t *control, const rj_address_t *source,
                              int64_t now_ns);

/* The destination goes, or does not feed this image. */
void rj_received_image_disconnect(rj_received_image_t *received,
                                  const rj_receive_destination_t *destination, int64_t now_ns);

/* The connection through `destination`, if there is one, answers to another address from now on. */
void rj_received_image_redirect(rj_received_image_t *received,
                                rj_receive_destination_t *destination, const rj_address_t *control);

#endif
