/* SPDX-License-Identifier: Apache-2.0 */
/* network_image.h - the receive side of one stream: what arrived, what is missing, what was read.
 *
 * It neither sends nor reads a clock. Its engine inserts packets, then once a turn lets it track:
 * rebuild the contiguous position, find gaps, decide on status messages and clean what all have
 * read. The conductor announces it to clients and walks the states of its life (driver.md 10).
 *
 *   clean position   lowest subscriber    rcv-pos          rcv-hwm       last SM position + term/2
 *   -----+-----------------+-----------------+----------------+--------------------+---->
 *   zero |  kept one term  |  to be read     |  has gaps      |  not yet received  | dropped
 *
 * Units      positions: stream bytes since the initial term began. Times: monotonic ns.
 * Ownership  the conductor allocates, hands it to an engine, gets it back released, frees.
 * Thread     functions are grouped by the thread that may call them. Shared words are marked.
 * Errors     hostile packets are refused with a reason that the engine counts.
 */
#ifndef RJ_STREAM_NETWORK_IMAGE_H
#define RJ_STREAM_NETWORK_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "ramjet/wire.h"
#include "base/atomic.h"
#include "shm/log_buffer.h"
#include "shm/log_reach.h"
#include "stream/congestion.h"
#include "stream/loss.h"
#include "stream/subscriber_position.h"

struct rj_path;

enum {
    RJ_NETWORK_IMAGE_CONNECTIONS_MAX = 16, /* receive destinations that may feed one image */
    RJ_NETWORK_IMAGE_LIMITS_MAX = 8,
};

/* No session id: nobody answers the stream. */
#define RJ_NETWORK_IMAGE_NO_RESPONSE INT64_MIN

typedef struct rj_network_image_counters {
    int64_t *rcv_hwm;   /* engine */
    int64_t *rcv_pos;   /* engine */
    int64_t *naks_sent; /* engine */
} rj_network_image_counters_t;

typedef struct rj_network_image_config {
    int64_t correlation_id;
    int32_t session_id;
    int32_t stream_id;
    int64_t join_position; /* position of the SETUP */
    int32_t window_bytes;  /* configured receiver window; at most half a term is used */
    int64_t sm_timeout_ns;
    int64_t liveness_timeout_ns;
    int64_t receiver_id;
    int64_t group_tag;
    bool has_group_tag;
    bool is_reliable;
    bool is_group;             /* chooses the NAK delay generator */
    bool has_reference_timing; /* no status message before its time */
    rj_loss_config_t loss;
    rj_congestion_config_t congestion;
} rj_network_image_config_t;

/* One receive destination through which the stream is heard (wire.md 7.5). */
typedef struct rj_network_image_connection {
    int32_t destination_id;        /* of the receive endpoint's destination */
    const struct rj_path *control; /* where SMs and NAKs go; never dereferenced here */
    int64_t last_activity_ns;
    int64_t last_frame_ns; /* INT64_MIN: none yet */
    int64_t eos_position;
    bool is_eos;
} rj_network_image_connection_t;

typedef enum rj_network_image_insert {
    RJ_NETWORK_IMAGE_INSERTED,
    RJ_NETWORK_IMAGE_DUPLICATE,
    RJ_NETWORK_IMAGE_HEARTBEAT,
    RJ_NETWORK_IMAGE_OVERRUN,
    RJ_NETWORK_IMAGE_UNDERRUN,
    RJ_NETWORK_IMAGE_INVALID,
    RJ_NETWORK_IMAGE_IGNORED /* a term before the first, or the image is rejected */
} rj_network_image_insert_t;

enum { RJ_NETWORK_IMAGE_NAKS_MAX = 16 };

/* What one call of track asks the engine to send, on every live connection, and to count. An ERR
 * goes to all connections, live or not; its bytes are the engine's. */
typedef struct rj_network_image_work {
    bool err_is_due;
    bool rsp_setup_is_due; /* before the SM */
    rj_wire_rsp_setup_t rsp_setup;
    bool sm_is_due;
    uint32_t sm_length_bytes; /* 36, or 44 with a group tag */
    rj_wire_sm_t sm;
    int32_t nak_count;
    rj_wire_nak_t naks[RJ_NETWORK_IMAGE_NAKS_MAX];
    bool rttm_is_due;
    rj_wire_rttm_t rttm;
    int64_t lost_bytes;  /* newly found missing, for the loss report */
    int32_t gaps_filled; /* unreliable streams */
} rj_network_image_work_t;

typedef struct rj_network_image {
    /* Constant once handed to the engine. */
    rj_network_image_config_t config;
    rj_network_image_counters_t counters;
    rj_log_t *log;

    /* Shared words: one writer, release; readers acquire. */
    int64_t last_packet_ns;   /* engine -> conductor */
    int32_t is_end_of_stream; /* engine -> conductor */
    int32_t is_revoked;       /* engine -> conductor */
    int32_t working_count;    /* engine -> conductor: subscriber positions that count */
    int32_t is_drained;       /* engine -> conductor: every working subscriber has read rcv-pos */
    int64_t max_read_pos;     /* engine -> conductor: how far the fastest of them is */
    int32_t last_sm_window_bytes; /* engine -> conductor */
    int32_t sends_eos_sm;         /* conductor -> engine: it is draining */
    int32_t sm_is_requested;      /* conductor sets, engine clears: send one now */
    int64_t response_session_id;  /* conductor -> engine: told to the sender with each SM that timed
                                    out; RJ_NETWORK_IMAGE_NO_RESPONSE: not now */

    /* The engine's. */
    int64_t rcv_pos;          /* everything below it is there */
    int64_t last_sm_position; /* as sent */
    int64_t overrun_position; /* last SM position + term/2 */
    int64_t granted_limits
        [RJ_NETWORK_IMAGE_LIMITS_MAX]; /* by SMs, in order, none below rcv-hwm: the sender
                                                    knows of one of them */
    int32_t granted_count;
    int64_t sm_repeat_ns; /* until the next early SM; 0 while the sender is not at its limit */
    int64_t last_sm_ns;
    int64_t sm_deadline_ns;
    int64_t last_rttm_ns; /* echo_timestamp of the last question for a round trip */
    bool rttm_is_pending;
    int64_t clean_position;
    rj_log_reach_t reach;
    int64_t published_rcv_pos; /* as in the counters */
    int64_t published_hwm_pos;
    rj_subscriber_position_t *subscribers;
    bool had_subscribers;
    bool sm_is_enabled; /* false: a newer image of the session speaks for the receiver */
    bool is_rejected;
    int32_t connection_count;
    int32_t active_transport_count; /* as in the log's metadata */
    uint64_t bad_position_count;    /* what clients wrote and we refused */
    int64_t new_gap_count;          /* of `loss`, as congestion control last heard */
    rj_congestion_t congestion;
    rj_network_image_connection_t connections[RJ_NETWORK_IMAGE_CONNECTIONS_MAX];
    rj_loss_t loss;
} rj_network_image_t;

/* --- conductor: before the engine knows it --- */

/* Fills in every field; the first SM is due at once. */
void rj_network_image_init(rj_network_image_t *image, const rj_network_image_config_t *config,
                           const rj_network_image_counters_t *counters, rj_log_t *log,
                           int64_t now_ns);

/* --- conductor (before) or engine (after it was handed over) --- */

/* Links a subscriber at the position that a new one joins: the lowest of rcv-pos and all working
 * subscribers. The value is in position->join_position and in its counter. Returns false, and links
 * nothing, when the image no longer accepts: its last subscriber left, or it is drained and
 * draining. wire.md 11.5, driver.md 10.2 */
bool rj_network_image_add_subscriber(rj_network_image_t *image, rj_subscriber_position_t *position);
bool rj_network_image_remove_subscriber(rj_network_image_t *image,
                                        rj_subscriber_position_t *position);

/* Index of the connection through a destination, or -1. */
int rj_network_image_find_connection(const rj_network_image_t *image, int32_t destination_id);

/* A destination through which the image may be heard. Returns the index: of the one there was, else
 * of a new one that lives for 5 s from now; -1 when there is no room. */
int rj_network_image_add_connection(rj_network_image_t *image, int32_t destination_id,
                                    const struct rj_path *control, int64_t now_ns);

/* --- conductor, while the engine has it --- */

/* A publication of this session answers the stream: the sender is told so at once and with each SM
 * that times out, until it is known to have heard of it. wire.md 20 */
void rj_network_image_set_response(rj_network_image_t *image, int32_t session_id);
void rj_network_image_clear_response(rj_network_image_t *image);

/* --- engine --- */

/* Somebody who reads the stream wants no more of it: nothing is inserted any more, and instead of
 * status messages ERR frames are due, the first at once. The image ends by its liveness timeout.
 * wire.md 19 */
void rj_network_image_reject(rj_network_image_t *image, int64_t now_ns);

/* The last connection takes the place of the removed one: so must whatever the caller keeps by
 * index. Returns the index that became free, or -1 when there was no such connection. */
int rj_network_image_remove_connection(rj_network_image_t *image, int32_t destination_id,
                                       int64_t now_ns);

bool rj_network_image_connection_is_alive(const rj_network_image_connection_t *connection,
                                          int64_t now_ns);

/* A SETUP of this session came through a connection. Before any data it means that the sender has
 * not heard of a status message: one is due at once. */
void rj_network_image_on_setup(rj_network_image_t *image, int connection, int64_t now_ns);

/* Checks a DATA/PAD datagram or heartbeat (wire.md 12) that came through `connection` (-1: none,
 * nobody had room for it) and copies it to its place. `data` is the UDP payload; the structural
 * check of wire.md 4.1 has passed. */
rj_network_image_insert_t rj_network_image_insert(rj_network_image_t *image, int connection,
                                                  const uint8_t *data, uint32_t length_bytes,
                                                  int64_t now_ns);

/* The same of several datagrams that came merged (proto/packet.h): so many of the first as are one
 * piece of this stream, which are `*ret_length` bytes, at once, if they are ahead of all that has
 * come and none is to be refused. Else false, and nothing has changed: each of them is to be
 * inserted by itself. */
bool rj_network_image_insert_piece(rj_network_image_t *image, int connection, const uint8_t *data,
                                   uint32_t length_bytes, uint32_t segment_bytes,
                                   uint32_t *ret_length, int64_t now_ns);

/* Once a turn: positions, loss, SM scheduling, cleaning, gap filling. Beyond wire.md 14: a sender
 * that stands at its old limit although a new one was granted has probably not heard of it; the SM
 * is repeated before its timeout, at growing intervals that begin with the repair time of loss.h.
 * Fills in the parts of `work` that its counts and flags announce. Returns the number of frames to
 * send. wire.md 13, 14; driver.md 10.5 to 10.7 */
int rj_network_image_track(rj_network_image_t *image, rj_network_image_work_t *work,
                           int64_t now_ns);

/* So many NAK frames went out: naks times live connections. */
static inline void rj_network_image_on_naks_sent(rj_network_image_t *image, int64_t count)
{
    rj_store_release_i64(image->counters.naks_sent,
                         rj_load_relaxed_i64(image->counters.naks_sent) + count);
}

/* An RTTM answer for this image; `now_ns` fresh. */
void rj_network_image_on_rttm(rj_network_image_t *image, const rj_wire_rttm_t *rttm,
                              int64_t now_ns);

/* The earliest time at which a turn without a new frame or a reader's progress could do anything.
 */
int64_t rj_network_image_deadline_ns(const rj_network_image_t *image);

#endif
