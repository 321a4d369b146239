/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h - the typed messages between the conductor and the engines.
 *
 * One single-producer, single-consumer ring (shm/ring_spsc.h) in each direction per engine;
 * messages are executed in order. Ownership travels with them: the conductor creates, hands over,
 * gets the object back by a *_RELEASED message, frees (driver.md 3).
 *
 * Units      as named.
 * Ownership  pointers name objects; who may touch them is said per message.
 * Thread     conductor -> engine: pushed by the conductor alone. engine -> conductor: by that
 *            engine.
 * Errors     the conductor takes a client's command only while each engine's ring has RESERVE
 *            messages free; what finds no room all the same it keeps, counts and sends later. It
 *            reads events always. An engine takes a command, or a packet that may ask the conductor
 *            for something, only while its own ring has room; a SETUP that finds none is dropped
 *            and counted: it comes again.
 */
#ifndef RJ_ENGINE_COMMANDS_H
#define RJ_ENGINE_COMMANDS_H

#include <stdint.h>

#include "proto/address.h"
#include "ramjet/wire.h"

struct rj_path_header;
struct rj_network_image;
struct rj_network_publication;
struct rj_path;
struct rj_receive_destination;
struct rj_receive_endpoint;
struct rj_send_destination;
struct rj_send_endpoint;
struct rj_subscriber_position;

enum {
    /* One command of a client, or one timer event, may end thousands of streams at once. */
    RJ_ENGINE_COMMAND_RING = 32768,
    RJ_ENGINE_COMMANDS_RESERVE = RJ_ENGINE_COMMAND_RING / 2,
    RJ_ENGINE_EVENT_RING = 4096,
};

typedef enum rj_engine_command_type {
    /* The endpoint's home reads it, any other engine learns it as a guest. Each owes RELEASED. */
    RJ_ENGINE_ADD_SEND_ENDPOINT,       /* send_endpoint */
    RJ_ENGINE_REMOVE_SEND_ENDPOINT,    /* -> SEND_ENDPOINT_RELEASED */
    RJ_ENGINE_ADD_PUBLICATION,         /* send_endpoint, publication */
    RJ_ENGINE_REMOVE_PUBLICATION,      /* publication -> PUBLICATION_RELEASED */
    RJ_ENGINE_ADD_RECEIVE_ENDPOINT,    /* receive_endpoint */
    RJ_ENGINE_REMOVE_RECEIVE_ENDPOINT, /* -> RECEIVE_ENDPOINT_RELEASED; its images are detached.
                                          Its destinations were removed before */
    /* receive_destination, of an endpoint that is there; like that, every engine learns it. */
    RJ_ENGINE_ADD_RECEIVE_DESTINATION,    /* the endpoint's images may be heard through it */
    RJ_ENGINE_REMOVE_RECEIVE_DESTINATION, /* -> RECEIVE_DESTINATION_RELEASED */
    /* receive_destination, address: its control address from now on. Told to every engine that
     * knows it; of the paths that lead there the conductor has taken the headers back before, or
     * does so on CONNECTED. */
    RJ_ENGINE_SET_CONTROL,
    RJ_ENGINE_ADD_INTEREST, /* receive_endpoint, stream_id, session_id if has_session */
    RJ_ENGINE_REMOVE_INTEREST,
    RJ_ENGINE_ADD_IMAGE,     /* receive_endpoint, image, its subscribers are linked already */
    RJ_ENGINE_REMOVE_IMAGE,  /* image -> IMAGE_RELEASED */
    RJ_ENGINE_IMAGE_FAILED,  /* receive_endpoint, stream_id, session_id: INIT_IN_PROGRESS ends */
    RJ_ENGINE_END_COOL_DOWN, /* receive_endpoint, stream_id, session_id */
    /* To the home of receive_endpoint about an image of another engine, which it only compares:
     * stream_id, session_id, image; and the engine, or whether the stream had ended. */
    RJ_ENGINE_ADD_SESSION,    /* after ADD_IMAGE was pushed to that engine */
    RJ_ENGINE_REMOVE_SESSION, /* after that engine has released the image */
    RJ_ENGINE_STARVE_IMAGE,   /* image: nobody wants its session, it gets no more frames */
    RJ_ENGINE_REJECT_IMAGE,   /* image, whose ERR frame is set: its sender is told, once */
    /* receive_endpoint, stream_id, session_id: asks each explicit control address for a setup */
    RJ_ENGINE_ELICIT_SETUP,
    RJ_ENGINE_ADD_SUBSCRIBER,    /* image, position -> SUBSCRIBER_ADDED or SUBSCRIBER_REFUSED */
    RJ_ENGINE_REMOVE_SUBSCRIBER, /* image, position -> SUBSCRIBER_REMOVED */
    /* path, header (NULL: its datagrams are the socket's again) -> HEADER_RELEASED with the old
     * header where there was one. Only while the engine holds what the path belongs to: a send
     * endpoint; an image and the destination through which it is connected, known since CONNECTED
     * or since before ADD_IMAGE. A header that is set when that is released is the conductor's
     * again. One for another address than the path's (`address`; AF_UNSPEC: for any) comes back
     * unused. */
    RJ_ENGINE_SET_HEADER,
    /* path, address: where it leads from here on. A header that it had comes back by
     * HEADER_RELEASED. Only while the engine holds what the path belongs to, as SET_HEADER. */
    RJ_ENGINE_SET_ADDRESS,
    /* How a unicast send endpoint gets another peer: all engines that know it are told to DETACH;
     * when each has, its home to MOVE (address), which connects the socket anew; then all to
     * ATTACH. In between nothing comes in by rings, and what its publications send goes on. */
    RJ_ENGINE_DETACH_SEND_ENDPOINT, /* -> SEND_ENDPOINT_DETACHED */
    RJ_ENGINE_MOVE_SEND_ENDPOINT,   /* -> SEND_ENDPOINT_MOVED, `value` as of reconnect */
    RJ_ENGINE_ATTACH_SEND_ENDPOINT,
    /* To the home of send_endpoint, whose channel is a multi-destination one; destination. */
    RJ_ENGINE_ADD_SEND_DESTINATION,
    RJ_ENGINE_REMOVE_SEND_DESTINATION, /* -> SEND_DESTINATION_RELEASED */
    RJ_ENGINE_MOVE_SEND_DESTINATION,   /* address: the one that its name has now; as SET_ADDRESS */
    RJ_ENGINE_FREE_SEND_DESTINATION,   /* one that has left may be used for another */
} rj_engine_command_type_t;

typedef struct rj_engine_command {
    rj_engine_command_type_t type;
    int32_t stream_id;
    int32_t session_id;
    int32_t has_session; /* 0: all sessions of the stream */
    int32_t engine;      /* ADD_SESSION: that owns the image */
    int32_t has_ended;   /* REMOVE_SESSION */
    struct rj_send_endpoint *send_endpoint;
    struct rj_receive_endpoint *receive_endpoint;
    struct rj_receive_destination *receive_destination;
    struct rj_network_publication *publication;
    struct rj_network_image *image;
    struct rj_subscriber_position *position;
    struct rj_path *path;
    struct rj_path_header *header;
    struct rj_send_destination *destination;
    rj_address_t address;
} rj_engine_command_t;

typedef enum rj_engine_event_type {
    RJ_ENGINE_SEND_ENDPOINT_RELEASED,
    RJ_ENGINE_PUBLICATION_RELEASED,
    RJ_ENGINE_RECEIVE_ENDPOINT_RELEASED,
    RJ_ENGINE_RECEIVE_DESTINATION_RELEASED,
    RJ_ENGINE_IMAGE_RELEASED,
    RJ_ENGINE_SUBSCRIBER_ADDED,   /* position->join_position is set */
    RJ_ENGINE_SUBSCRIBER_REFUSED, /* the image no longer accepts; nothing is linked */
    RJ_ENGINE_SUBSCRIBER_REMOVED, /* its counter may be freed */
    RJ_ENGINE_SETUP,              /* a session that somebody wants: make an image */
    RJ_ENGINE_LOSS,               /* image lost `value` bytes; for the loss report */
    RJ_ENGINE_PUBLICATION_ERROR,  /* ERR frame from a live receiver */
    RJ_ENGINE_SESSION_LIMIT,      /* stream_id: a SETUP beyond the session limit */
    RJ_ENGINE_IO_ERROR,           /* errno in `value` on the endpoint's socket; address */
    RJ_ENGINE_HEADER_RELEASED,    /* header: no path and no run names it any more */
    RJ_ENGINE_RSP_SETUP,          /* publication is answered by session `value`; comes repeatedly */
    RJ_ENGINE_RESPONSE_CONNECTED, /* publication, a response, has its receiver */
    /* publication, a response, goes to `address` from now on; a header that its path had comes back
     * by HEADER_RELEASED. */
    RJ_ENGINE_RESPONSE_MOVED,
    RJ_ENGINE_SEND_ENDPOINT_DETACHED,
    RJ_ENGINE_SEND_ENDPOINT_MOVED,       /* value: 0, or the errno for which it stayed as it was */
    RJ_ENGINE_SEND_DESTINATION_RELEASED, /* send_endpoint, destination */
    /* A dynamic destination of send_endpoint. That it joined is told only where the endpoint's set
     * says so; its path is constant until it has left, and then the conductor's to give back by
     * FREE_SEND_DESTINATION. */
    RJ_ENGINE_SEND_DESTINATION_JOINED,
    RJ_ENGINE_SEND_DESTINATION_LEFT,
    RJ_ENGINE_CONNECTED, /* image, receive_destination, address: where it answers what it hears
                            through that destination */
} rj_engine_event_type_t;

typedef struct rj_engine_setup {
    rj_wire_setup_t frame; /* checked: wire.md 4.3 */
    rj_address_t source;
    int32_t destination_id;
    int32_t engine; /* whose port it came by */
} rj_engine_setup_t;

enum { RJ_ENGINE_ERROR_TEXT_MAX = 1023 };

/* What an ERR frame said (wire.md 19); rare enough to travel by value. */
typedef struct rj_engine_publication_error {
    int64_t destination_registration_id; /* of a manual multi-destination; -1: of none */
    int64_t receiver_id;
    int64_t group_tag;
    rj_address_t source;
    int32_t error_code;
    int32_t text_bytes;
    char text[RJ_ENGINE_ERROR_TEXT_MAX];
} rj_engine_publication_error_t;

typedef struct rj_engine_event {
    rj_engine_event_type_t type;
    int32_t stream_id;
    int64_t value;
    struct rj_send_endpoint *send_endpoint;
    struct rj_receive_endpoint *receive_endpoint;
    struct rj_receive_destination *receive_destination;
    struct rj_network_publication *publication;
    struct rj_network_image *image;
    struct rj_subscriber_position *position;
    struct rj_path_header *header;
    struct rj_send_destination *destination;
    union {
        rj_address_t
            address; /* IO_ERROR: that could not be sent to; AF_UNSPEC: the socket itself */
        rj_engine_setup_t setup;
        rj_engine_publication_error_t error;
    };
} rj_engine_event_t;

#endif
