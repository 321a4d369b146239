/* SPDX-License-Identifier: Apache-2.0 */
/* conductor_state.h - what the conductor_*.c files share: the things that clients create.
 *
 *   client --links--> network or IPC publication --> send endpoint
 *   subscription <--subscriber links--> image --> receive endpoint
 *                <--subscriber links--> IPC publication
 *                <--subscriber links--> network publication, which it spies upon
 *
 * Units      as named.
 * Ownership  every entry is on the heap and in one list of the conductor. What an engine holds (the
 *            first member of an entry) is not freed before the engine has released it.
 * Thread     the conductor's.
 * Errors     none here.
 */
#ifndef RJ_CONDUCTOR_CONDUCTOR_STATE_H
#define RJ_CONDUCTOR_CONDUCTOR_STATE_H

#include "base/prng.h"
#include "conductor/conductor.h"
#include "conductor/conductor_name.h"
#include "conductor/port_manager.h"
#include "conductor/reply.h"
#include "endpoint/receive_endpoint.h"
#include "endpoint/send_endpoint.h"
#include "fabric/steering.h"
#include "proto/stream_params.h"
#include "shm/broadcast.h"
#include "shm/error_log.h"
#include "shm/loss_report.h"
#include "shm/ring_mpsc.h"
#include "stream/ipc_publication.h"
#include "transport/path_header.h"

enum {
    RJ_CHANNEL_TEXT_MAX = RJ_URI_TEXT_BYTES,
    RJ_SOURCE_TEXT_MAX = RJ_ADDRESS_TEXT_BYTES,
    RJ_IMAGE_CREATIONS_MAX = 64, /* images being made at a time */
    RJ_CONGESTION_COUNTERS = 2,  /* of an image whose window is cubic */
};

typedef struct rj_destination_entry rj_destination_entry_t;
typedef struct rj_network_entry rj_network_entry_t;
typedef struct rj_ipc_entry rj_ipc_entry_t;
typedef struct rj_image_entry rj_image_entry_t;
typedef struct rj_subscription_entry rj_subscription_entry_t;

/* --- clients --- */

/* A client's handle on a publication, shared or not. */
typedef struct rj_publication_link {
    struct rj_publication_link *prev, *next;
    struct rj_client_entry *client;
    int64_t registration_id;
    rj_network_entry_t *network; /* one of the two */
    rj_ipc_entry_t *ipc;
} rj_publication_link_t;

typedef struct rj_counter_link {
    struct rj_counter_link *prev, *next;
    int64_t registration_id;
    int32_t counter_id;
} rj_counter_link_t;

typedef struct rj_client_entry {
    struct rj_client_entry *prev, *next;
    int64_t client_id;
    int64_t *heartbeat; /* epoch ms; the client writes it */
    int32_t heartbeat_counter_id;
    bool closed_by_command;
    rj_publication_link_t *publications;
    rj_counter_link_t *counters;
} rj_client_entry_t;

/* --- paths that a ring may serve (conductor_steering.c) --- */

/* One that was made for a path; freed when neither path nor engine names it any more. */
typedef struct rj_owned_header {
    rj_path_header_t header; /* first: the engine gives it back by this address */
    struct rj_owned_header *prev, *next;
} rj_owned_header_t;

/* A path whose header follows the snapshot. */
typedef struct rj_headed_path {
    struct rj_headed_path *prev, *next;
    rj_path_t *path;          /* NULL: not followed */
    rj_address_t destination; /* of the path; the engine's copy may be a message behind */
    bool is_connected;
    int engine;          /* that the path belongs to */
    rj_address_t source; /* a wildcard: as the kernel would choose */
    uint32_t link_index; /* of a group; 0: as the routes say */
    uint8_t ttl;
    rj_transport_t transport; /* its channel's */
    uint32_t path_mtu_bytes;  /* what routers have told of a connected path; 0: not known */
    rj_path_door_t door;
    rj_net_answer_t answer;   /* of the snapshot */
    uint32_t hop_link_index;  /* to the next hop, where that is known */
    rj_owned_header_t *owned; /* as last told to the engine; NULL: none */
} rj_headed_path_t;

/* --- endpoints --- */

typedef enum rj_endpoint_state {
    RJ_ENDPOINT_ACTIVE,
    RJ_ENDPOINT_CLOSING, /* the engine is asked to let go */
    RJ_ENDPOINT_RELEASED /* it has; the next timer event deletes */
} rj_endpoint_state_t;

typedef struct rj_send_entry {
    rj_send_endpoint_t endpoint; /* first: the engine knows it by this address */
    struct rj_send_entry *prev, *next;
    rj_endpoint_state_t state;
    int knowing_count; /* engines that have not let go of it */
    int refcount;      /* publications */
    rj_steer_wish_t *wish;
    rj_headed_path_t headed; /* data_path */
    rj_followed_name_t name; /* of a unicast endpoint */
    int moving_count;        /* engines that have a part of its move still to do; 0: it stays */
    rj_address_t next_peer;  /* where it moves to */
    rj_destination_entry_t *destinations; /* of a multi-destination channel, leaving ones as well */
    int destination_count;                /* manual ones that are not leaving */
    int32_t status_counter_id;
    int32_t address_counter_id;
    int32_t count_counter_id; /* mdc-num-dest; RJ_COUNTER_ID_NULL: none */
    int32_t sndbuf_bytes;     /* asked for: by the URI or the configuration; 0: the system's */
    int32_t rcvbuf_bytes;
} rj_send_entry_t;

/* How many subscriptions want a stream, or one session of it. */
typedef struct rj_interest {
    struct rj_interest *prev, *next;
    int32_t stream_id;
    int32_t session_id;
    bool has_session;
    int refcount;
} rj_interest_t;

typedef struct rj_receive_entry {
    rj_receive_endpoint_t endpoint; /* first: the engine knows it by this address */
    struct rj_receive_entry *prev, *next;
    rj_endpoint_state_t state;
    int knowing_count; /* engines that have not let go of it */
    struct rj_receive_destination_entry *destinations;
    uint32_t slots_taken; /* bits: by destinations */
    int32_t next_destination_id;
    rj_interest_t *interests;
    int image_count;
    int creation_count; /* images being made */
    int response_count; /* subscriptions that do not know yet whose answers they will read */
    int32_t status_counter_id;
    int32_t sndbuf_bytes; /* asked for */
    int32_t rcvbuf_bytes;
    rj_subscription_params_t params; /* of the subscription that made it */
} rj_receive_entry_t;

/* --- publications --- */

/* IPC has the first two. */
typedef enum rj_stream_counter {
    RJ_STREAM_PUB_POS,
    RJ_STREAM_PUB_LMT,
    RJ_STREAM_IPC_COUNTER_COUNT,
    RJ_STREAM_SND_POS = RJ_STREAM_IPC_COUNTER_COUNT,
    RJ_STREAM_SND_LMT,
    RJ_STREAM_SND_BPE,
    RJ_STREAM_SND_NAKS,
    RJ_STREAM_COUNTER_COUNT
} rj_stream_counter_t;

/* Why a publication waits, as last told by its counter (conductor_why.h). */
typedef struct rj_told_why {
    int32_t counter_id;
    int64_t value;
    int64_t who;
    rj_address_t address; /* in its label */
} rj_told_why_t;

/* What network and IPC publications have in common. */
typedef struct rj_published {
    rj_log_t *log;
    char *log_file;
    int refcount; /* publication links */
    int32_t starting_term_id;
    int32_t starting_term_offset;
    int64_t response_correlation_id;
    bool has_entity_tag;
    int64_t entity_tag;
    rj_untethered_timeouts_t untethered; /* of its readers */
    int counter_count;                   /* of the ids, the first ones */
    int32_t counter_ids[RJ_STREAM_COUNTER_COUNT];
    rj_told_why_t why;
} rj_published_t;

struct rj_network_entry {
    rj_network_publication_t publication; /* first: the engine knows it by this address */
    struct rj_network_entry *prev, *next;
    rj_send_entry_t *send;
    struct rj_fan_out *fan_out; /* of a multi-destination channel; else NULL */
    bool is_released;
    rj_path_t response_path; /* of a response publication */
    rj_headed_path_t response_headed;
    int32_t flow_counter_id; /* or RJ_COUNTER_ID_NULL */
    rj_published_t published;
    struct rj_subscriber_link *spies;
};

struct rj_ipc_entry {
    rj_ipc_publication_t publication;
    struct rj_ipc_entry *prev, *next;
    rj_published_t published;
    struct rj_subscriber_link *links;
    int64_t rejected_until_ns; /* nobody is linked before; 0: was not rejected */
};

/* --- subscriptions --- */

typedef enum rj_subscription_kind {
    RJ_SUBSCRIPTION_NETWORK,
    RJ_SUBSCRIPTION_IPC,
    RJ_SUBSCRIPTION_SPY
} rj_subscription_kind_t;

struct rj_subscription_entry {
    struct rj_subscription_entry *prev, *next;
    int64_t registration_id;
    int64_t client_id;
    int32_t stream_id;
    rj_subscription_kind_t kind;
    rj_subscription_params_t params;
    rj_receive_entry_t *receive; /* network */
    bool has_tag;                /* spy, as the next two: what publications it is for */
    int64_t tag;
    char *canonical;
    char *channel;
};

typedef enum rj_subscriber_link_state {
    RJ_LINK_JOINING, /* the engine is asked for the join position; the client does not know yet */
    RJ_LINK_ACTIVE,
    RJ_LINK_PARTING, /* the reader is too slow; the engine is asked to let the position go */
    RJ_LINK_RESTING, /* it has; the reader may join again */
    RJ_LINK_LEAVING  /* the subscription is gone; the engine is asked to let the position go */
} rj_subscriber_link_state_t;

/* One subscription reading one stream. */
typedef struct rj_subscriber_link {
    rj_subscriber_position_t position; /* first: the engine knows it by this address */
    struct rj_subscriber_link *prev, *next_link;
    rj_subscription_entry_t *subscription; /* NULL when LEAVING */
    rj_subscriber_link_state_t state;
} rj_subscriber_link_t;

/* --- images --- */

typedef enum rj_image_state {
    RJ_IMAGE_ACTIVE,
    RJ_IMAGE_DRAINING,
    RJ_IMAGE_LINGER,
    RJ_IMAGE_DONE
} rj_image_state_t;

struct rj_image_entry {
    rj_received_image_t received; /* first: the engine knows it by this address */
    struct rj_image_entry *prev, *next;
    rj_receive_entry_t *receive;                          /* NULL once its endpoint is gone */
    int engine;                                           /* that owns it */
    rj_headed_path_t headed[RJ_RECEIVE_DESTINATIONS_MAX]; /* [slot]: control_paths[slot] */
    rj_log_t *log;
    char *log_file;
    char source[RJ_SOURCE_TEXT_MAX];
    rj_image_state_t state;
    int64_t state_changed_ns;
    bool is_released;    /* by the engine */
    bool may_rejoin;     /* decided when it lingers: whether its session may come back */
    bool wants_response; /* its sender said so in the SETUP */
    uint8_t *err_frame;  /* NULL: was not rejected */
    int in_flight;       /* messages to the engine that name it and are not answered */
    int32_t counter_ids[3];
    int32_t congestion_counter_ids[RJ_CONGESTION_COUNTERS]; /* or RJ_COUNTER_ID_NULL */
    int64_t loss_offset; /* entry in the loss report; -1: none yet, -2: the report is full */
    rj_subscriber_link_t *links;
};

/* A SETUP on its way to an image: the log is being made. */
typedef struct rj_image_creation {
    rj_task_t *task; /* NULL: free */
    rj_receive_entry_t *receive;
    rj_engine_setup_t setup;
    int64_t correlation_id;
} rj_image_creation_t;

/* --- the client command in flight --- */

typedef enum rj_command_step {
    RJ_STEP_NONE, /* no command in flight */
    RJ_STEP_RESOLVE,
    RJ_STEP_MAP_LOG
} rj_command_step_t;

typedef struct rj_client_command {
    rj_command_step_t step;
    int32_t type; /* rj_command_id_t */
    int64_t client_id;
    int64_t correlation_id;
    int64_t resource_id; /* destinations: registration id of what they belong to */
    int32_t stream_id;
    rj_channel_t channel;
    rj_publication_params_t publication_params;
    rj_subscription_params_t subscription_params;
    int32_t session_id; /* chosen before the log is made */
    int32_t initial_term_id;
    rj_flow_control_config_t flow_control; /* of a network publication */
    rj_task_t *task;
} rj_client_command_t;

/* A message that an engine's ring had no room for. */
typedef struct rj_kept_command {
    struct rj_kept_command *prev, *next;
    rj_engine_command_t command;
} rj_kept_command_t;

struct rj_conductor {
    rj_conductor_params_t params;
    const rj_driver_config_t *config;
    rj_counters_t *counters;
    rj_system_counters_t *system;
    rj_ring_mpsc_t to_driver;
    rj_broadcast_t to_clients;
    rj_error_log_t error_log;
    rj_loss_report_t loss_report;
    rj_stream_defaults_t defaults;
    rj_prng_t prng;

    int64_t now_ns;
    int64_t epoch_ms;
    int64_t why_due_ns; /* when it is looked again why publications wait */
    int64_t timer_deadline_ns;
    int64_t last_turn_ns;
    int64_t ring_position; /* of the to-driver ring's consumer, when last seen to move */
    int64_t ring_moved_ns;
    int64_t broadcast_window_ns; /* pacing of events */
    int64_t broadcast_window_position;

    int32_t next_session_id;
    int64_t next_receiver_id;
    int32_t sndbuf_default_bytes; /* the system's */
    int32_t rcvbuf_default_bytes;
    int32_t sndbuf_max_bytes;
    int32_t rcvbuf_max_bytes;

    rj_client_entry_t *clients;
    int64_t next_endpoint_id;
    int endpoint_count; /* sockets: send endpoints and receive destinations */
    int receive_count;  /* receive endpoints */
    int network_publication_count;
    int image_count;
    rj_send_entry_t *send_endpoints;
    rj_receive_entry_t *receive_endpoints;
    rj_network_entry_t *network_publications;
    rj_ipc_entry_t *ipc_publications;
    rj_subscription_entry_t *subscriptions;
    rj_image_entry_t *images;
    rj_image_creation_t creations[RJ_IMAGE_CREATIONS_MAX];
    int creation_count;
    rj_client_command_t command;
    rj_kept_command_t *kept[RJ_ENGINES_MAX]; /* oldest first */

    rj_port_manager_t sender_ports;
    rj_port_manager_t receiver_ports;
    rj_steering_t *steering;           /* NULL: no interface is steered */
    const rj_net_snapshot_t *snapshot; /* of this turn; NULL: no feed */
    uint64_t snapshot_generation;      /* that the headers follow */
    int64_t path_mtu_due_ns;           /* when what routers told is asked for again */
    uint32_t serving;                  /* interfaces with our program, when headers were made */
    rj_headed_path_t *headed_paths;
    rj_owned_header_t *headers;

    rj_followed_name_t *names;    /* whose turn is next stands first */
    int names_left;               /* of this check, to be looked at */
    rj_name_question_t *question; /* that the helper has; NULL: none */
    int64_t names_due_ns;
};

/* --- conductor.c --- */

/* The error goes to the client that asked, and to the log unless it is "try again" (code 10). */
void rj_conductor_refuse(rj_conductor_t *conductor, int64_t correlation_id, const rj_err_t *err);

/* Refuses an id that names nothing: "unknown <kind> client_id=... registration_id=...". */
void rj_conductor_refuse_unknown(rj_conductor_t *conductor, const rj_command_header_t *header,
                                 int32_t error_code, const char *kind, int64_t registration_id);

/* Sends a command to an engine. What its ring has no room for is kept, counted, and sent by one of
 * the next turns; no command of a client is taken before that (commands.h). */
void rj_conductor_tell(rj_conductor_t *conductor, int engine, const rj_engine_command_t *command);

/* Sends what was kept, as far as there is room; returns how many. */
int rj_conductor_tell_kept(rj_conductor_t *conductor);

/* Gives the helper the task of the command in flight and moves the command to `step`. On failure
 * the task is still the caller's. */
int rj_conductor_await(rj_conductor_t *conductor, rj_command_step_t step, rj_err_t *err);

/* Has the names in the command's channel resolved. */
int rj_conductor_await_resolve(rj_conductor_t *conductor, rj_err_t *err);

/* The command in flight is over: with an error that its client gets, or done. */
void rj_conductor_fail_command(rj_conductor_t *conductor, const rj_err_t *err);
void rj_conductor_finish_command(rj_conductor_t *conductor);

/* Gives a log away to be unmapped, unlinked and freed. */
void rj_conductor_free_log(rj_conductor_t *conductor, rj_log_t *log, const char *log_file);

/* Warns in the error log when a log was made on a file system that is nearly full. */
void rj_conductor_note_storage(rj_conductor_t *conductor, const rj_task_t *task);

/* --- conductor_command.c --- */

/* False for a command that is malformed: too short for what it says of itself. */
bool rj_conductor_execute(rj_conductor_t *conductor, int32_t type, const uint8_t *body,
                          int32_t length);

/* --- conductor_client.c --- */

/* The record of a client; made, with its heartbeat counter, when it is not known. NULL with `err`.
 * */
rj_client_entry_t *rj_conductor_client(rj_conductor_t *conductor, int64_t client_id, rj_err_t *err);
rj_client_entry_t *rj_conductor_find_client(rj_conductor_t *conductor, int64_t client_id);
void rj_conductor_on_keepalive(rj_conductor_t *conductor, int64_t client_id);
void rj_conductor_on_client_close(rj_conductor_t *conductor, int64_t client_id);
void rj_conductor_time_clients(rj_conductor_t *conductor);
void rj_conductor_free_clients(rj_conductor_t *conductor);

/* --- conductor_counter.c --- */

/* False when the record is too short for what it says. */
bool rj_conductor_on_add_counter(rj_conductor_t *conductor, const uint8_t *body, int32_t length,
                                 bool is_static);
void rj_conductor_on_remove_counter(rj_conductor_t *conductor, const rj_command_remove_t *command);

/* What keys, labels and ids of the counters of one stream say. */
typedef struct rj_counted_stream {
    int64_t registration_id;
    int64_t owner_id;
    int64_t reference_id;
    int32_t session_id;
    int32_t stream_id;
    const char *channel;
    int64_t position; /* that positions begin with; everything else begins with 0 */
} rj_counted_stream_t;

typedef struct rj_stream_counter_row {
    int32_t type_id;
    const char *name; /* before the colon of the label */
    bool is_position;
} rj_stream_counter_row_t;

/* Allocates a counter for each row, or none at all. */
int rj_conductor_stream_counters(rj_conductor_t *conductor, const rj_counted_stream_t *stream,
                                 const rj_stream_counter_row_t *rows, int count, int32_t *ret_ids,
                                 rj_err_t *err);

/* The two counters of an endpoint: its status and its local address. */
int rj_conductor_channel_counters(rj_conductor_t *conductor, bool is_send, int64_t registration_id,
                                  const char *channel, const rj_address_t *local,
                                  int32_t *ret_status_id, int32_t *ret_address_id, rj_err_t *err);

/* Each of them alone. `local` NULL: the endpoint has no address of its own. */
int rj_conductor_status_counter(rj_conductor_t *conductor, bool is_send, int64_t registration_id,
                                const char *channel, const rj_address_t *local, int32_t *ret_id,
                                rj_err_t *err);
int rj_conductor_address_counter(rj_conductor_t *conductor, bool is_send, int64_t registration_id,
                                 int32_t status_id, const rj_address_t *local, int32_t *ret_id,
                                 rj_err_t *err);

/* How many destinations a multi-destination channel has. */
int rj_conductor_destination_counter(rj_conductor_t *conductor, int64_t registration_id,
                                     const char *channel, int32_t *ret_id, rj_err_t *err);
void rj_conductor_free_counter(rj_conductor_t *conductor, int32_t counter_id);

/* --- conductor_endpoint.c, conductor_receive_endpoint.c --- */

/* The endpoint of a channel, by tag or by what it names; NULL when there is none. It fails, with
 * the result untouched, when there is one by that tag which is another's, or one that is closing.
 */
int rj_conductor_find_send(rj_conductor_t *conductor, const rj_channel_t *channel,
                           rj_send_entry_t **ret_send, rj_err_t *err);
int rj_conductor_find_receive(rj_conductor_t *conductor, const rj_channel_t *channel,
                              rj_receive_entry_t **ret_receive, rj_err_t *err);

/* Whether the command in flight can use an endpoint that is there, or, for NULL, one to be made. */
int rj_conductor_check_send(rj_conductor_t *conductor, const rj_send_entry_t *send, rj_err_t *err);
int rj_conductor_check_receive(rj_conductor_t *conductor, const rj_receive_entry_t *receive,
                               rj_err_t *err);

/* A new endpoint for the command in flight, with its socket and counters, known to its engine. NULL
 * with `err`. */
rj_send_entry_t *rj_conductor_make_send(rj_conductor_t *conductor, rj_err_t *err);
rj_receive_entry_t *rj_conductor_make_receive(rj_conductor_t *conductor, rj_err_t *err);

/* Asks its engines to let go of an endpoint that nothing needs any more: no publication; no
 * interest, image, or image in the making. */
void rj_conductor_try_close_send(rj_conductor_t *conductor, rj_send_entry_t *send);
void rj_conductor_try_close_receive(rj_conductor_t *conductor, rj_receive_entry_t *receive);

/* An engine has let go of it; it is over when all have. */
void rj_conductor_on_send_released(rj_conductor_t *conductor, rj_send_entry_t *send);
void rj_conductor_on_receive_released(rj_conductor_t *conductor, rj_receive_entry_t *receive);

void rj_conductor_time_send_endpoints(rj_conductor_t *conductor);
void rj_conductor_time_receive_endpoints(rj_conductor_t *conductor);

/* Streams go first. */
void rj_conductor_free_send_endpoints(rj_conductor_t *conductor);
void rj_conductor_free_receive_endpoints(rj_conductor_t *conductor);

/* --- conductor_publication.c --- */

static inline bool rj_conductor_is_exclusive(const rj_client_command_t *command)
{
    return command->type == RJ_COMMAND_ADD_EXCLUSIVE_PUBLICATION;
}

void rj_conductor_on_add_publication(rj_conductor_t *conductor, int32_t type,
                                     const rj_command_publication_t *command, const char *channel);
void rj_conductor_on_remove_publication(rj_conductor_t *conductor,
                                        const rj_command_remove_publication_t *command,
                                        uint64_t flags);

/* A handle for the command in flight, and its client where that is new; NULL with `err`. It belongs
 * to the caller until it is linked, which cannot fail and tells the client. */
rj_publication_link_t *rj_conductor_make_publication_link(rj_conductor_t *conductor, rj_err_t *err);
void rj_conductor_link_publication(rj_conductor_t *conductor, rj_publication_link_t *link,
                                   rj_network_entry_t *network, rj_ipc_entry_t *ipc);
void rj_conductor_unlink_publication(rj_conductor_t *conductor, rj_publication_link_t *link);

/* Ends the command in flight with a handle on a publication that is there. */
int rj_conductor_join_publication(rj_conductor_t *conductor, rj_network_entry_t *network,
                                  rj_ipc_entry_t *ipc, rj_err_t *err);

/* Fills it in for the publication that the command in flight makes, with the first `counter_count`
 * of the counters. The log stays the command's while this fails. */
int rj_conductor_publish(rj_conductor_t *conductor, int counter_count,
                         rj_published_t *ret_published, rj_err_t *err);
/* Gives back counters, log and name. */
void rj_conductor_unpublish(rj_conductor_t *conductor, rj_published_t *published);

/* Tells a reader of a publication's own log that it has an image. */
void rj_conductor_announce_log(rj_conductor_t *conductor, const rj_published_t *published,
                               const rj_subscriber_link_t *link);

/* Parameters given that differ from those of the log they would join. */
int rj_conductor_match_publication(const rj_publication_params_t *params,
                                   const rj_published_t *published, rj_err_t *err);
int rj_conductor_fail_clash(const rj_client_command_t *command, rj_err_t *err);

/* A session id that no live publication of the stream has: among IPC, or on `send` (NULL: an
 * endpoint that is yet to be made). */
int32_t rj_conductor_next_session_id(rj_conductor_t *conductor, int32_t stream_id,
                                     const rj_send_entry_t *send, bool is_ipc);
void rj_conductor_on_next_session_id(rj_conductor_t *conductor, int64_t correlation_id,
                                     int32_t stream_id);

/* Chooses session and initial term id for the command in flight and has its log made. */
int rj_conductor_start_publication_log(rj_conductor_t *conductor, const rj_send_entry_t *send,
                                       bool is_ipc, rj_err_t *err);

/* --- conductor_network.c, conductor_ipc.c --- */

/* Adding: the first step, and the one after each task. Negative with `err`: the command has failed
 * and nothing of it is left. */
int rj_conductor_add_network_publication(rj_conductor_t *conductor, rj_err_t *err);
int rj_conductor_step_network_publication(rj_conductor_t *conductor, rj_err_t *err);
int rj_conductor_add_ipc_publication(rj_conductor_t *conductor, rj_err_t *err);
int rj_conductor_step_ipc_publication(rj_conductor_t *conductor, rj_err_t *err);

void rj_conductor_time_network_publications(rj_conductor_t *conductor);
void rj_conductor_time_ipc_publications(rj_conductor_t *conductor);
int rj_conductor_update_network_limits(rj_conductor_t *conductor);
int rj_conductor_update_ipc_limits(rj_conductor_t *conductor);
void rj_conductor_free_network_publications(rj_conductor_t *conductor);
void rj_conductor_free_ipc_publications(rj_conductor_t *conductor);

/* `send` NULL: on any endpoint, in any state. */
bool rj_conductor_network_session_is_used(const rj_conductor_t *conductor,
                                          const rj_send_entry_t *send, int32_t stream_id,
                                          int32_t session_id);
bool rj_conductor_ipc_session_is_used(const rj_conductor_t *conductor, int32_t stream_id,
                                      int32_t session_id, bool is_any_state);

/* The IPC publication with that registration id; NULL when there is none. */
rj_ipc_entry_t *rj_conductor_find_ipc(rj_conductor_t *conductor, int64_t registration_id);

/* Links nobody for a while and whoever is linked no more. */
void rj_conductor_cool_down_ipc(rj_conductor_t *conductor, rj_ipc_entry_t *ipc);

void rj_conductor_link_ipc_subscription(rj_conductor_t *conductor,
                                        rj_subscription_entry_t *subscription);
void rj_conductor_unlink_ipc_subscription(rj_conductor_t *conductor,
                                          rj_subscription_entry_t *subscription);

/* --- conductor_tag.c --- */

/* The active publication that an entity tag names; NULL when there is none. */
const rj_published_t *rj_conductor_find_entity(const rj_conductor_t *conductor, int64_t entity_tag);

/* Gives the publication in the making the session that `session-id=tag:` names, with MTU and term
 * length; it fails where that is nobody's. */
int rj_conductor_follow_entity(rj_conductor_t *conductor, rj_err_t *err);

/* It fails when the entity tag of the publication in the making is another's. */
int rj_conductor_check_entity(const rj_conductor_t *conductor, rj_err_t *err);

/* --- conductor_spy.c --- */

/* A spy, or a publication, that is new: each pair that matches is linked, and the spy told. */
void rj_conductor_link_spy(rj_conductor_t *conductor, rj_subscription_entry_t *subscription);
void rj_conductor_link_spies(rj_conductor_t *conductor, rj_network_entry_t *network);
void rj_conductor_unlink_spy(rj_conductor_t *conductor, rj_subscription_entry_t *subscription);

/* A timer event of an active publication: spies that are too slow lose it, or come back. */
void rj_conductor_time_spies(rj_conductor_t *conductor, rj_network_entry_t *network);

/* The stream is over: all its spies are told, and let go. */
void rj_conductor_end_spies(rj_conductor_t *conductor, rj_network_entry_t *network);
void rj_conductor_free_spies(rj_conductor_t *conductor, rj_network_entry_t *network);

/* --- conductor_subscription.c --- */

void rj_conductor_on_add_subscription(rj_conductor_t *conductor,
                                      const rj_command_subscription_t *command,
                                      const char *channel);
int rj_conductor_step_subscription(rj_conductor_t *conductor, rj_err_t *err);
void rj_conductor_on_remove_subscription(rj_conductor_t *conductor,
                                         const rj_command_remove_t *command);
void rj_conductor_delete_subscription(rj_conductor_t *conductor,
                                      rj_subscription_entry_t *subscription);
/* Whether it knows whose answers it reads, if answers are what it is for. */
static inline bool rj_conductor_subscription_is_bound(const rj_subscription_entry_t *subscription)
{
    return !subscription->params.is_response || subscription->params.has_session_id;
}
bool rj_conductor_subscription_wants(const rj_subscription_entry_t *subscription, int32_t stream_id,
                                     int32_t session_id);
void rj_conductor_free_subscriptions(rj_conductor_t *conductor);

/* The receive endpoint of a subscription is to hear its stream, or the one session of it. A
 * response subscription that is not bound yet wants nothing but the endpoint. */
int rj_conductor_add_interest(rj_conductor_t *conductor, rj_receive_entry_t *receive,
                              int32_t stream_id, const rj_subscription_params_t *params,
                              const char *channel, rj_err_t *err);
void rj_conductor_remove_interest(rj_conductor_t *conductor, rj_receive_entry_t *receive,
                                  const rj_subscription_entry_t *subscription);

/* A node for (subscription, stream) with its sub-pos counter; NULL, and reported, without memory or
 * counter: that subscriber does not get the stream. */
rj_subscriber_link_t *rj_conductor_make_link(rj_conductor_t *conductor,
                                             rj_subscription_entry_t *subscription,
                                             int64_t stream_registration_id, int32_t session_id,
                                             int64_t position);
/* Says in the label where the subscriber has joined. */
void rj_conductor_label_link(rj_conductor_t *conductor, const rj_subscriber_link_t *link);
void rj_conductor_free_link(rj_conductor_t *conductor, rj_subscriber_link_t *link);

/* The timer's look at the reader of a stream who has come to `position`. One that loses its image
 * is told. True when the state of its tether has changed. */
bool rj_conductor_time_tether(rj_conductor_t *conductor, rj_subscriber_link_t *link,
                              const rj_log_t *log, const rj_untethered_timeouts_t *timeouts,
                              int64_t position, int64_t limit_pos);

/* --- conductor_setup.c --- */

void rj_conductor_on_setup(rj_conductor_t *conductor, const rj_engine_event_t *event);
int rj_conductor_step_creations(rj_conductor_t *conductor);
void rj_conductor_free_creations(rj_conductor_t *conductor);

/* --- conductor_response.c: response channels (driver.md 16) --- */

/* Whether the command in flight may publish what answers an image, or ask for answers. */
int rj_conductor_check_response(rj_conductor_t *conductor, rj_err_t *err);

/* The publication that the command in flight made answers an image: its sender is told. */
void rj_conductor_link_response(rj_conductor_t *conductor, const rj_network_entry_t *network);

/* The same of IPC, where the subscription that waits for the answers is bound at once: called
 * before subscriptions are linked. */
void rj_conductor_link_ipc_response(rj_conductor_t *conductor, const rj_ipc_entry_t *ipc);

void rj_conductor_on_rsp_setup(rj_conductor_t *conductor, const rj_engine_event_t *event);
void rj_conductor_on_response_connected(rj_conductor_t *conductor, const rj_engine_event_t *event);
void rj_conductor_on_response_moved(rj_conductor_t *conductor, const rj_engine_event_t *event);

/* --- conductor_reject.c: readers that want no more of a stream (driver.md 17) --- */

/* Rejects the network image or the IPC publication with that id. */
int rj_conductor_reject_image(rj_conductor_t *conductor, int64_t correlation_id, const char *reason,
                              int32_t reason_bytes, rj_err_t *err);
void rj_conductor_on_publication_error(rj_conductor_t *conductor, const rj_engine_event_t *event);

/* --- conductor_image.c --- */

rj_image_entry_t *rj_conductor_find_image(rj_conductor_t *conductor, int64_t correlation_id);

/* The image of a creation whose log and destination are there, with everybody linked who wants it,
 * handed to its engine. `first` is the oldest of them. On failure nothing of it stays but the log.
 */
int rj_conductor_make_image(rj_conductor_t *conductor, const rj_image_creation_t *creation,
                            const rj_subscription_entry_t *first, rj_err_t *err);
void rj_conductor_on_image_released(rj_conductor_t *conductor, rj_image_entry_t *entry);
/* Some interest in the endpoint's sessions is gone: images in other engines than its home, of
 * sessions that nobody wants any more, get no more frames. At home the dispatcher sees to it. */
void rj_conductor_starve_images(rj_conductor_t *conductor, const rj_receive_entry_t *receive);
void rj_conductor_on_loss(rj_conductor_t *conductor, const rj_engine_event_t *event);
void rj_conductor_time_images(rj_conductor_t *conductor);
void rj_conductor_forget_receive(rj_conductor_t *conductor, rj_receive_entry_t *receive);
void rj_conductor_free_images(rj_conductor_t *conductor);

/* --- conductor_reader.c --- */

/* Everybody who wants a new image is linked at its first position, before the engine has it, and
 * told. */
void rj_conductor_link_first(rj_conductor_t *conductor, rj_image_entry_t *entry);
void rj_conductor_link_images(rj_conductor_t *conductor, rj_subscription_entry_t *subscription);
void rj_conductor_unlink_images(rj_conductor_t *conductor, rj_subscription_entry_t *subscription);
void rj_conductor_on_subscriber_event(rj_conductor_t *conductor, const rj_engine_event_t *event);

/* A timer event of an active image: readers that are too slow lose it, or come back. */
void rj_conductor_time_readers(rj_conductor_t *conductor, rj_image_entry_t *entry);

/* The image is over: all who have it are told. They keep their positions until it is freed. */
void rj_conductor_end_readers(rj_conductor_t *conductor, const rj_image_entry_t *entry);
void rj_conductor_free_readers(rj_conductor_t *conductor, rj_image_entry_t *entry);

/* --- conductor_steering.c --- */

/* Each once, right after the engine was told of the endpoint or the image (steer) or asked to let
 * it go (unsteer). Nothing happens where no interface is steered. */
void rj_conductor_steer_send(rj_conductor_t *conductor, rj_send_entry_t *send);
void rj_conductor_unsteer_send(rj_conductor_t *conductor, rj_send_entry_t *send);
void rj_conductor_unsteer_image(rj_conductor_t *conductor, rj_image_entry_t *entry);
/* `type` is ADD_INTEREST or REMOVE_INTEREST. */
void rj_conductor_steer_interest(rj_conductor_t *conductor, rj_receive_entry_t *receive,
                                 const rj_interest_t *interest, rj_engine_command_type_t type);

/* Has an unconnected path lead to another address, with the header that this one has. */
void rj_conductor_redirect_path(rj_conductor_t *conductor, rj_headed_path_t *headed,
                                rj_path_t *path, int engine, const rj_address_t *address);

/* The engine has a response publication send to `address` from now on, and has given back what
 * header it had; or it is asked to let the publication go. */
void rj_conductor_steer_response(rj_conductor_t *conductor, rj_network_entry_t *network,
                                 const rj_address_t *address);
void rj_conductor_unsteer_response(rj_conductor_t *conductor, rj_network_entry_t *network);

/* What the path belongs to is about to be freed: no engine has it any more. */
void rj_conductor_drop_header(rj_conductor_t *conductor, rj_headed_path_t *headed);
void rj_conductor_on_header_released(rj_conductor_t *conductor, rj_path_header_t *header);

int rj_conductor_work_steering(rj_conductor_t *conductor);
int64_t rj_conductor_steering_deadline_ns(const rj_conductor_t *conductor);
void rj_conductor_close_steering(rj_conductor_t *conductor);
void rj_conductor_free_headers(rj_conductor_t *conductor);

/* --- conductor_transport.c --- */

/* Has a channel that was parsed use what its URI or a rule says. Negative with `err`: the URI asks
 * for a kind that this driver does not have. */
int rj_conductor_choose_transport(rj_conductor_t *conductor, rj_channel_t *channel, rj_err_t *err);

/* Whether one more user of a channel asks for what it has, or for nothing. */
int rj_conductor_check_transport(const rj_channel_t *existing, const rj_channel_t *channel,
                                 rj_err_t *err);

#endif
