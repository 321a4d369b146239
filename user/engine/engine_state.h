/* SPDX-License-Identifier: Apache-2.0 */
/* engine_state.h - what the sources of an engine share: engine.c, engine_command.c,
 * engine_forward.c, sender.c, receiver.c, receiver_destination.c.
 *
 * Each stream has a slot in a dense array, which says when the stream must be looked at again, so
 * that a turn passes over a thousand quiet streams without touching them.
 *
 * Units      monotonic ns, bytes.
 * Ownership  all of it is the engine's.
 * Thread     the engine's.
 * Errors     none here.
 */
#ifndef RJ_ENGINE_ENGINE_STATE_H
#define RJ_ENGINE_ENGINE_STATE_H

#include "config/config.h"
#include "endpoint/image_table.h"
#include "endpoint/receive_endpoint.h"
#include "endpoint/send_endpoint.h"
#include "engine/engine.h"
#include "engine/forward.h"
#include "engine/send_batch.h"
#include "transport/path_header.h"

enum {
    RJ_ENGINE_OWED_MAX = 8192,
    RJ_ENGINE_IO_ERRORS_MAX = 16, /* different ones, remembered so that none is told too often */
};

_Static_assert((int)RJ_DESTINATION_ENGINES_MAX == (int)RJ_ENGINES_MAX, "a control address each");

/* A slot with this time is looked at in the next turn. */
#define RJ_ENGINE_DUE_NOW INT64_MIN

typedef struct rj_publication_slot {
    rj_network_publication_t *publication;
    rj_send_endpoint_t *endpoint;
    int64_t due_ns;
    const rj_shared_i32_t
        *next_frame; /* length word of the frame at snd-pos; > 0: it can be sent */
} rj_publication_slot_t;

typedef struct rj_image_slot {
    rj_received_image_t *received;
    int64_t due_ns;
    int64_t lost_bytes;  /* not told to the conductor yet */
    int64_t tracked_pos; /* rcv-hwm when it was last looked at */
} rj_image_slot_t;

typedef enum rj_sender_part_kind {
    RJ_SENDER_PART_PATH,         /* to one address */
    RJ_SENDER_PART_FAN_OUT,      /* to some destinations; more follow (sender_fan_out.h) */
    RJ_SENDER_PART_FAN_OUT_LAST, /* to the last of them */
} rj_sender_part_kind_t;

/* What one publication has in the batch. Of one that goes to one address, runs from
 * `counted_first` to `counted_end` count as bytes sent: `data_count` runs of new data, or a
 * heartbeat, then `resend_count` resends. */
typedef struct rj_sender_part {
    rj_sender_part_kind_t kind;
    int32_t slot;
    int32_t first;
    int32_t counted_first;
    int32_t data_count;
    int32_t resend_first;
    int32_t resend_count;
    int32_t counted_end;
    int32_t end;
} rj_sender_part_t;

typedef enum rj_fan_mark_kind {
    RJ_FAN_MARK_FRAME,     /* does not count as bytes sent */
    RJ_FAN_MARK_HEARTBEAT, /* does */
    RJ_FAN_MARK_DATA,      /* for `target`, from begin_pos to end_pos */
    RJ_FAN_MARK_RESEND     /* number `target` of those collected */
} rj_fan_mark_kind_t;

/* What a run of a fan-out is for. */
typedef struct rj_fan_mark {
    rj_fan_mark_kind_t kind;
    int32_t target;
    int64_t begin_pos;
    int64_t end_pos;
} rj_fan_mark_t;

/* An answer that must not be lost, and may be given once all runs below `until` are reclaimed. */
typedef struct rj_owed_event {
    rj_engine_event_type_t type;
    rj_send_endpoint_t *send_endpoint;
    rj_receive_endpoint_t *receive_endpoint;
    rj_receive_destination_t *receive_destination;
    rj_network_publication_t *publication;
    rj_network_image_t *image;
    rj_subscriber_position_t *position;
    rj_path_header_t *header;
    rj_send_destination_t *destination;
    int64_t value;
    uint64_t until;
} rj_owed_event_t;

typedef struct rj_io_error {
    const rj_endpoint_t *endpoint;
    int code;
    int64_t told_ns;
} rj_io_error_t;

struct rj_engine {
    rj_engine_params_t params;
    rj_send_batch_t batch; /* of the half that is at work */
    rj_packet_t *packets;
    int64_t counts[RJ_SYSTEM_COUNTER_COUNT]; /* not added to the system counters yet */
    uint64_t counted;                        /* a bit for each of them that is not 0 */
    rj_engine_stats_t stats;
    int64_t last_turn_ns; /* 0: there was none */
    int64_t cycle_ns_max;

    /* sender half */
    rj_publication_slot_t *publications;
    int32_t publication_count;
    int32_t next_publication; /* where the next turn begins */
    int32_t unpolled_turns;   /* since its sockets were read, when it is a half alone */
    int64_t poll_due_ns;
    int32_t datagrams_left; /* of this turn */
    rj_sender_part_t *parts;
    rj_fan_mark_t *marks; /* [i] says what run i of the batch is for, in a part of a fan-out */
    int32_t part_count;

    /* receiver half */
    rj_image_slot_t *images;
    int32_t image_count;
    rj_receive_endpoint_t **receive_endpoints;
    int32_t receive_endpoint_count;
    rj_drained_t drained;   /* as port.h tells it, of all ports */
    int64_t pending_due_ns; /* no pending setup is given up earlier */

    /* frames at the wrong engine; all of it empty in an engine alone */
    rj_forward_ring_t *incoming[RJ_ENGINES_MAX]; /* [i]: from engine i; ours */
    rj_forward_ring_t *outgoing[RJ_ENGINES_MAX]; /* [i]: to engine i; its */
    rj_map64_t endpoints;                        /* all that are attached, by id */
    rj_image_table_t guest_images;               /* of endpoints that live in other engines */
    int arrival;                                 /* whose port brought the frame at work */
    bool is_joined;

    rj_ring_spsc_t commands;
    rj_ring_spsc_t events;
    rj_ring_spsc_t owed; /* both ends are ours */
    rj_io_error_t io_errors[RJ_ENGINE_IO_ERRORS_MAX];
    int32_t next_io_error;
};

/* --- engine.c --- */

static inline void rj_engine_count(rj_engine_t *engine, rj_system_counter_t id, int64_t delta)
{
    engine->counts[id] += delta;
    engine->counted |= (uint64_t)(delta != 0) << id;
}

_Static_assert(RJ_SYSTEM_COUNTER_COUNT <= 64, "a bit for each");

/* Adds what was counted to the system counters. Called before positions are published that say that
 * it happened. */
void rj_engine_flush_counts(rj_engine_t *engine);

/* A slot in the event ring for news that may be dropped, to be published by the caller. NULL, and
 * counted, once the ring is half full: the rest is kept for answers. */
rj_engine_event_t *rj_engine_claim_event(rj_engine_t *engine, rj_engine_event_type_t type);
void rj_engine_publish_event(rj_engine_t *engine);

/* Tells the conductor of a socket's error; the same one at most once a second. */
void rj_engine_note_io_error(rj_engine_t *engine, rj_endpoint_t *endpoint, int code,
                             int64_t now_ns);

/* The same of an address on the other side. */
void rj_engine_note_address_error(rj_engine_t *engine, rj_endpoint_t *endpoint,
                                  const rj_address_t *address, int code, int64_t now_ns);

/* A time for round trips. */
static inline int64_t rj_engine_fresh_ns(const rj_engine_t *engine, int64_t now_ns)
{
    return engine->params.mono_ns != NULL ? engine->params.mono_ns() : now_ns;
}

/* Wall-clock time, for stamps in messages; 0 where there is no such clock. */
static inline int64_t rj_engine_epoch_ns(const rj_engine_t *engine)
{
    return engine->params.epoch_ns != NULL ? engine->params.epoch_ns() : 0;
}

/* --- engine_command.c --- */

/* Executes what the conductor asked for; returns how many commands. */
int rj_engine_run_commands(rj_engine_t *engine, int64_t now_ns);

/* Owes the conductor an answer about what the command names, once nothing of it is in flight. There
 * is room: rj_ring_spsc_claim(&engine->owed) says so. */
void rj_engine_owe(rj_engine_t *engine, rj_engine_event_type_t type,
                   const rj_engine_command_t *command);

/* Gives owed answers for which nothing is in flight any more; returns how many. */
int rj_engine_settle_debts(rj_engine_t *engine);

/* --- engine_forward.c --- */

/* A frame for an endpoint that does not live here: it goes to an image of ours, or to the home. */
void rj_engine_on_guest_frame(rj_engine_t *engine, const rj_packet_t *packet, int type,
                              int64_t now_ns);

/* Copies a frame to another engine. */
void rj_engine_forward(rj_engine_t *engine, int to, const rj_packet_t *packet, int type);

/* Takes the frames that other engines forwarded; returns how many. */
int rj_engine_take_forwarded(rj_engine_t *engine, int64_t now_ns);
bool rj_engine_has_forwarded(const rj_engine_t *engine);

/* Notes which endpoints frames from other engines may be for. */
void rj_engine_learn_endpoint(rj_engine_t *engine, rj_endpoint_t *endpoint);
void rj_engine_forget_endpoint(rj_engine_t *engine, const rj_endpoint_t *endpoint);

/* Safe on an engine that was not joined. */
void rj_engine_close_rings(rj_engine_t *engine);

/* --- sender.c --- */

/* Sends what publications have to send; returns datagrams and frames sent. */
int rj_sender_do_work(rj_engine_t *engine, int64_t now_ns);

/* A frame of type `type` that came to a send endpoint; the structural check has passed. Answers go
 * into the batch. */
void rj_sender_on_frame(rj_engine_t *engine, const rj_packet_t *packet, int type, int64_t now_ns);

void rj_sender_add(rj_engine_t *engine, rj_send_endpoint_t *endpoint,
                   rj_network_publication_t *publication, int64_t now_ns);
void rj_sender_remove(rj_engine_t *engine, rj_network_publication_t *publication);

/* The path has got its header, for which setups may have been held. */
void rj_sender_let_setups_go(rj_engine_t *engine, const rj_path_t *path);
int64_t rj_sender_deadline_ns(const rj_engine_t *engine);

/* --- receiver.c --- */

/* A frame that came to a receive endpoint; likewise. */
void rj_receiver_on_frame(rj_engine_t *engine, const rj_packet_t *packet, int type, int64_t now_ns);

/* Several datagrams that came merged to a receive endpoint: so many of the first, `*ret_length`
 * bytes, as are one piece of one stream go where they belong. False, and nothing was done, where
 * each of them is to be looked at by itself. */
bool rj_receiver_on_piece(rj_engine_t *engine, const rj_packet_t *packet, uint32_t *ret_length,
                          int64_t now_ns);

/* A frame for an image of ours whose endpoint lives in another engine. False when there is no such
 * image. */
bool rj_receiver_on_guest_frame(rj_engine_t *engine, const rj_packet_t *packet, int type,
                                int64_t now_ns);

/* Tracks images and gives up pending setups; frames go into the batch, which is sent whenever it is
 * full. Returns the frames put there. */
int rj_receiver_track(rj_engine_t *engine, int64_t now_ns);

/* Sends the batch of the receiver half and reads its results. */
void rj_receiver_flush(rj_engine_t *engine, int64_t now_ns);

void rj_receiver_add_image(rj_engine_t *engine, rj_receive_endpoint_t *endpoint,
                           rj_received_image_t *received);
void rj_receiver_remove_image(rj_engine_t *engine, rj_received_image_t *received);

/* The image of a session that its endpoint's home no longer knows. */
void rj_receiver_starve_image(rj_engine_t *engine, rj_received_image_t *received);

/* The image's subscribers changed: it must be looked at. */
void rj_receiver_touch_image(rj_engine_t *engine, const rj_received_image_t *received);

/* Takes the endpoint's images away from it. */
void rj_receiver_detach_images(rj_engine_t *engine, const rj_receive_endpoint_t *endpoint);
int64_t rj_receiver_deadline_ns(const rj_engine_t *engine);

/* --- receiver.c and receiver_destination.c, for each other --- */

static inline rj_receive_destination_t *rj_receiver_destination_of(const rj_packet_t *packet)
{
    return (rj_receive_destination_t *)packet->endpoint;
}

/* A frame into the batch, which is sent when it is full. False, and counted, when it is longer than
 * the batch can hold. */
bool rj_receiver_add_frame(rj_engine_t *engine, const rj_path_t *path, const void *frame,
                           uint32_t length_bytes, int64_t now_ns);

/* --- receiver_destination.c --- */

void rj_receiver_add_destination(rj_engine_t *engine, rj_receive_destination_t *destination,
                                 int64_t now_ns);
void rj_receiver_remove_destination(rj_engine_t *engine, rj_receive_destination_t *destination,
                                    int64_t now_ns);
void rj_receiver_set_control(rj_engine_t *engine, rj_receive_destination_t *destination,
                             const rj_address_t *control);

/* Asks all explicit control addresses of an endpoint that lives here for the setup of a session. */
void rj_receiver_elicit_setup(rj_engine_t *engine, rj_receive_endpoint_t *endpoint,
                              int32_t stream_id, int32_t session_id, int64_t now_ns);

/* The endpoint's pending and repeated setups changed: notes when they are next to be looked at. */
void rj_receiver_note_setups(rj_engine_t *engine, const rj_receive_endpoint_t *endpoint);

/* Gives up setups that did not come, and asks again where that is done regularly. Returns the
 * frames put into the batch. */
int rj_receiver_work_setups(rj_engine_t *engine, int64_t now_ns);

/* A status message that asks for a setup. Returns its length. */
uint32_t rj_receiver_write_setup_request(rj_wire_sm_t *frame, const rj_receive_endpoint_t *endpoint,
                                         int32_t stream_id, int32_t session_id);

/* The connection of an image of ours through the destination that brought a packet, made when it is
 * the first, and the conductor told; -1 when there is no room for another. */
int rj_receiver_connect(rj_engine_t *engine, rj_received_image_t *received,
                        const rj_packet_t *packet, int64_t now_ns);

#endif
