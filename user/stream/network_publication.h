/* SPDX-License-Identifier: Apache-2.0 */
/* network_publication.h - the send side of one stream: what may leave, what was asked for again,
 * who listens.
 *
 * It neither sends nor reads a clock. Each turn its engine collects runs from it, hands them to a
 * port and commits what the port took; frames that arrive are told to it. The conductor moves the
 * publisher's limit, cleans the log behind it and walks the states of its life (driver.md 6).
 *
 *      clean position     snd-pos          snd-lmt            pub-pos        pub-lmt
 *   ------+------------------+-----------------+-----------------+--------------+----->
 *   zeroed| kept for resends | sent, window of | written, waits  | may still be |
 *   (+2 T)|                  | the receiver    | for a window    | written      |
 *
 * Units      positions: stream bytes since the initial term began. Times: monotonic ns.
 * Ownership  the conductor allocates, hands it to an engine (commands.h), gets it back released,
 * frees. The log and the counters outlive it. Thread     functions are grouped by the thread that
 * may call them. Shared words are marked. Errors     hostile frames and a corrupt log are counted
 * and refused, never followed.
 */
#ifndef RJ_STREAM_NETWORK_PUBLICATION_H
#define RJ_STREAM_NETWORK_PUBLICATION_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/run.h"
#include "proto/timestamp.h"
#include "ramjet/wire.h"
#include "shm/log_buffer.h"
#include "shm/log_reach.h"
#include "stream/flow_control.h"
#include "stream/governor.h"
#include "stream/retransmit.h"
#include "stream/run_builder.h"
#include "stream/stall.h"
#include "stream/subscriber_position.h"

enum {
    RJ_NETWORK_PUBLICATION_RECEIVERS_MAX = 256, /* receivers whose liveness is watched */
    RJ_NETWORK_PUBLICATION_RUNS_MAX = 64,       /* runs that one turn of one publication may emit */
    RJ_NETWORK_PUBLICATION_DATAGRAMS_MAX = 64,  /* datagrams of new data that one turn may emit */
    RJ_NETWORK_PUBLICATION_SETUP_NS = 100 * 1000 * 1000,
    RJ_NETWORK_PUBLICATION_HEARTBEAT_NS = 100 * 1000 * 1000,
    /* The first heartbeat after data comes so soon, each further one so many times as late, until
     * they are at their pace: what was lost at the end of a burst is not known to be missing by
     * anybody before. */
    RJ_NETWORK_PUBLICATION_TAIL_NS = 1000 * 1000,
    RJ_NETWORK_PUBLICATION_TAIL_GROWTH = 8,
    /* At most one measurement in it, when a receiver comes and while NAKs do. All of a group
     * answer. */
    RJ_NETWORK_PUBLICATION_RTTM_NS = 100 * 1000 * 1000,
    RJ_NETWORK_PUBLICATION_GROUP_RTTM_NS = 1000 * 1000 * 1000,
    RJ_NETWORK_PUBLICATION_RSP_SETUP_NS =
        10 * 1000 * 1000, /* of the frames that name a response, at most one in it is told */
};

/* Value words of its counters (commands.md 14). Conductor writes pub_*, the engine all others. */
typedef struct rj_network_publication_counters {
    int64_t *pub_pos;
    int64_t *pub_lmt;
    int64_t *snd_pos;
    int64_t *snd_lmt;
    int64_t *snd_bpe;
    int64_t *naks_received;
    int64_t *fc_receivers; /* that flow control waits for; NULL: it waits for nobody */
} rj_network_publication_counters_t;

typedef struct rj_network_publication_config {
    int64_t registration_id;
    int32_t session_id;
    int32_t stream_id;
    int64_t start_position; /* from init-term-id, term-id, term-offset; else 0 */
    int32_t term_window_bytes;
    int32_t ttl;           /* as SETUP announces it: multicast with a URI ttl, else 0 */
    int32_t datagrams_max; /* new datagrams a turn, 1..RJ_NETWORK_PUBLICATION_DATAGRAMS_MAX */
    int64_t linger_ns;
    int64_t connection_timeout_ns;
    int64_t unblock_timeout_ns;
    rj_flow_control_config_t flow_control;
    rj_retransmit_config_t retransmit;   /* term_length and is_group are filled in by init */
    rj_timestamp_place_t send_timestamp; /* in messages: when they were sent */
    bool is_exclusive;
    bool is_group;             /* multicast or MDC: group flag in SETUP */
    bool has_reference_timing; /* heartbeats at their pace alone */
    bool signal_eos;
    bool spies_simulate_connection;
    bool wants_response; /* says so in its SETUPs (wire.md 20) */
    /* Of a response publication: where its only receiver is, once that is known; written by the
     * engine. NULL of any other. */
    struct rj_path *response_path;
} rj_network_publication_config_t;

typedef enum rj_network_publication_state {
    RJ_NETWORK_PUBLICATION_ACTIVE,
    RJ_NETWORK_PUBLICATION_DRAINING,
    RJ_NETWORK_PUBLICATION_LINGER,
    RJ_NETWORK_PUBLICATION_DONE
} rj_network_publication_state_t;

typedef struct rj_receiver_liveness {
    int64_t receiver_id;
    int64_t last_sm_ns;
    rj_address_t address; /* where its status messages come from, once the engine has said so */
} rj_receiver_liveness_t;

/* What happened since the engine last took it; the engine adds it to the system counters. */
typedef struct rj_network_publication_stats {
    int64_t heartbeats_sent;
    int64_t naks_received;
    int64_t sms_received;
    int64_t sms_rejected;
    int64_t invalid_packets;
    int64_t short_sends;
    int64_t flow_control_limits;
    int64_t retransmits_sent;
    int64_t retransmitted_bytes;
    int64_t retransmit_overflows;
    int64_t retransmit_throttles; /* turns in which the budget held something back */
    int64_t receiver_overflows;   /* RJ_NETWORK_PUBLICATION_RECEIVERS_MAX was not enough */
    int64_t log_corruptions;      /* a frame length in the log cannot be true */
} rj_network_publication_stats_t;

typedef struct rj_network_publication {
    /* Constant once handed to the engine. */
    rj_network_publication_config_t config;
    rj_network_publication_counters_t counters;
    rj_log_t *log;
    /* Where everything of this publication goes (unicast). A response publication's is NULL until
     * its receiver has asked for a setup: the engine then makes it config.response_path. */
    const struct rj_path *path;
    /* endpoint/fan_out.h: where it goes instead, of a multi-destination channel; else NULL. */
    struct rj_fan_out *fan_out;

    /* Shared words: one writer, release; readers acquire. */
    int32_t has_receivers;          /* engine -> conductor */
    int32_t has_required_receivers; /* engine -> conductor: flow control is content */
    int32_t has_unicast_eos;        /* engine -> conductor: the receiver said goodbye */
    int32_t is_end_of_stream;       /* conductor -> engine */
    int32_t has_spies;              /* conductor -> engine */
    int64_t max_spy_pos;            /* conductor -> engine: how far the fastest spy has come */
    int32_t had_receivers;          /* engine -> conductor: ever */
    int32_t counted_receivers;      /* engine -> conductor: those that flow control waits for */
    int32_t has_governor;           /* engine -> conductor: `governor` sets the pace now */
    int32_t resends_are_throttled;  /* engine -> conductor: the last turn's budget was used up */
    rj_governor_t governor;         /* engine -> conductor */
    int32_t is_broken;              /* either: the log can no longer be believed */
    int64_t snd_pos;                /* engine -> conductor, as in the counter */

    /* The engine's. */
    int32_t slot;              /* the engine's own book-keeping */
    int32_t datagrams_max;     /* of new data in the next turn; config.datagrams_max is the most */
    int64_t snd_lmt;           /* as in the counter, which clients could spoil */
    int64_t (*epoch_ns)(void); /* for stamps in messages, set by who collects; NULL: these are 0 */
    int64_t last_setup_ns;
    bool holds_setup;
    int64_t last_data_ns; /* data or heartbeat */
    int64_t heartbeat_ns; /* from then to the next heartbeat */
    bool has_initial_connection;
    bool is_setup_elicited;
    bool tracks_sender_limit;
    int32_t collected_count; /* runs that await their commit */
    int32_t collected_resend_count;
    int32_t receiver_count;
    int64_t receivers_due_ns; /* no receiver can expire earlier */
    int64_t last_rttm_ns;     /* echo_timestamp of the measurement under way, or of the last one */
    int64_t rtt_ns;           /* smoothed, of a group the longest; 0 until measured */
    bool rttm_is_wanted;
    bool rttm_is_pending;
    bool response_is_told;     /* the conductor knows that the receiver of the response is there */
    int64_t last_rsp_setup_ns; /* when the conductor was last told of one */
    rj_flow_control_t flow_control;
    rj_network_publication_stats_t stats;
    rj_receiver_liveness_t receivers[RJ_NETWORK_PUBLICATION_RECEIVERS_MAX];
    rj_run_position_t
        run_positions[RJ_NETWORK_PUBLICATION_RUNS_MAX]; /* of the runs last collected */
    rj_run_position_t resend_positions[RJ_NETWORK_PUBLICATION_RUNS_MAX]; /* likewise */
    uint64_t resend_askers[RJ_NETWORK_PUBLICATION_RUNS_MAX];             /* likewise */
    rj_retransmit_t retransmit;
    rj_log_reach_t reach;

    /* The conductor's. */
    rj_network_publication_state_t state;
    bool is_connected; /* as in the log's metadata */
    rj_log_producer_t producer;
    int64_t pub_lmt;
    int64_t clean_position;
    int64_t state_changed_ns;
    rj_stall_t stall;                /* for the blocked-publisher check */
    rj_subscriber_position_t *spies; /* all of them are working ones */
    uint64_t bad_position_count;     /* what clients wrote and we refused */
} rj_network_publication_t;

/* --- conductor: before the engine knows it --- */

/* Fills in every field. `log` and the counters hold the start position already. */
void rj_network_publication_init(rj_network_publication_t *publication,
                                 const rj_network_publication_config_t *config,
                                 const rj_network_publication_counters_t *counters, rj_log_t *log,
                                 const struct rj_path *path, int64_t now_ns);

/* The first setup leaves as much later as it would be repeated, unless it is let go before. */
void rj_network_publication_hold_setup(rj_network_publication_t *publication);

/* --- engine --- */

/* Does nothing where none is held. */
void rj_network_publication_let_setup_go(rj_network_publication_t *publication);

/* Emits what may be sent now as at most `run_max` runs (<= RJ_NETWORK_PUBLICATION_RUNS_MAX) and at
 * most config.datagrams_max datagrams of new data, within the receiver's window and one term.
 * Datagrams of equal size are one run. Nothing moves until the commit. Returns the number of runs.
 * wire.md 10.3 */
int rj_network_publication_collect(rj_network_publication_t *publication, rj_run_t *runs,
                                   int run_max);

/* Takes the results of the runs last collected, in order: advances snd-pos over the whole datagrams
 * taken, up to the first that was not, and counts a short send. `count` is how many runs the port
 * looked at. An error of the port ends the walk and counts as nothing else. Returns bytes sent. */
int64_t rj_network_publication_commit(rj_network_publication_t *publication, const rj_run_t *runs,
                                      int count, int64_t now_ns);

/* Writes a SETUP if one is due (at most one in 100 ms); returns true when `frame` is to be sent.
 * Called each turn before collect. wire.md 10.2 */
bool rj_network_publication_setup(rj_network_publication_t *publication, rj_wire_setup_t *frame,
                                  int64_t now_ns);

/* Writes a SETUP whether or not one is due, for somebody who may not know the stream yet. */
void rj_network_publication_write_setup(const rj_network_publication_t *publication,
                                        rj_wire_setup_t *frame);

/* Emits, as runs of at most `datagrams_max` datagrams, what is in the log from `begin_pos` on, up
 * to `end_pos` at most and the end of its term: for somebody who has not got it. `positions` says
 * what follows each run. Returns the number of runs: 0 when no frame begins there, or not any more.
 */
int rj_network_publication_collect_span(const rj_network_publication_t *publication,
                                        int64_t begin_pos, int64_t end_pos, int32_t datagrams_max,
                                        rj_run_t *runs, rj_run_position_t *positions, int run_max);

/* When nothing was sent this turn, and no send failed: writes a heartbeat if one is due (returns
 * true), lets flow control idle and expires receivers that went silent. Spies that simulate the
 * connection take snd-pos with them while there is no receiver. wire.md 10.1, 10.4, 10.6, 21 */
bool rj_network_publication_idle(rj_network_publication_t *publication, rj_wire_data_t *frame,
                                 int64_t now_ns);

/* Stamps a datagram that was found in the log, where the channel asks for it: by a clock read after
 * that, or a message could have been sent before it was there. */
static inline void rj_network_publication_stamp(const rj_network_publication_t *publication,
                                                uint8_t *datagram, int32_t length_bytes)
{
    if (publication->config.send_timestamp.is_wanted)
        rj_timestamp_write(datagram, (uint32_t)length_bytes, publication->config.send_timestamp,
                           publication->epoch_ns != NULL ? publication->epoch_ns() : 0);
}

/* Whether a round trip is to be measured now. */
static inline bool rj_network_publication_rttm_is_due(const rj_network_publication_t *publication,
                                                      int64_t now_ns)
{
    return publication->rttm_is_wanted &&
           now_ns > publication->last_rttm_ns + (publication->config.is_group
                                                     ? RJ_NETWORK_PUBLICATION_GROUP_RTTM_NS
                                                     : RJ_NETWORK_PUBLICATION_RTTM_NS);
}

/* Asks the receivers for a round trip, when one is new and now and then while NAKs come: the linger
 * of resends follows it, of a group the longest. Returns true when `frame` is to be sent; `now_ns`
 * should be fresh. Ours: Aeron never asks, but every receiver answers. */
bool rj_network_publication_rttm(rj_network_publication_t *publication, rj_wire_rttm_t *frame,
                                 int64_t now_ns);

/* A structurally valid status message for this stream and session (its fields may still lie).
 * Returns true when the publication accepted it. wire.md 4.3, 10.5 */
bool rj_network_publication_on_sm(rj_network_publication_t *publication, const rj_wire_sm_t *sm,
                                  int64_t now_ns);

/* Where the receiver of the status message just accepted is. */
void rj_network_publication_on_source(rj_network_publication_t *publication, int64_t receiver_id,
                                      const rj_address_t *source);

/* A structurally valid NAK: starts a resend, joins one, or is dropped by the rules of wire.md 15.1.
 * `destination` is the index of the one that leads to the asker: 0 where there is but one (unicast,
 * a multicast group), RJ_RETRANSMIT_EVERYONE when it is not known. */
void rj_network_publication_on_nak(rj_network_publication_t *publication, const rj_wire_nak_t *nak,
                                   int32_t destination, int64_t now_ns);

/* An RTTM without the reply flag: the answer to one of ours, or not. `now_ns` fresh. */
void rj_network_publication_on_rttm(rj_network_publication_t *publication,
                                    const rj_wire_rttm_t *rttm, int64_t now_ns);

/* A receiver rejected the stream (ERR). Returns true when that receiver was live until now, so that
 * the conductor is told once. wire.md 19 */
bool rj_network_publication_on_error(rj_network_publication_t *publication, int64_t receiver_id,
                                     int64_t now_ns);

/* Emits resends that are due, within their budgets, as runs. resend_askers[run] says to which
 * destinations each goes: bit (index % RJ_RETRANSMIT_DESTINATIONS_MAX). Each collect is followed by
 * its commit before any other call. Returns the number of runs. wire.md 15.2 */
int rj_network_publication_collect_resends(rj_network_publication_t *publication, rj_run_t *runs,
                                           int run_max, int64_t now_ns);

/* Takes the results of the runs last collected. What was not taken is offered again; what met an
 * error is not. `count` is how many runs the port looked at. Returns bytes sent. */
int64_t rj_network_publication_commit_resends(rj_network_publication_t *publication,
                                              const rj_run_t *runs, int count, int64_t now_ns);

/* The earliest time at which a turn without a new frame or new data could do anything. */
int64_t rj_network_publication_deadline_ns(const rj_network_publication_t *publication);

/* --- conductor, while the engine has it --- */

/* Links a spy at the sender position; the value is in position->join_position and in its counter.
 * A publication that simulates its connection by spies is connected at once. Returns false, and
 * links nothing, when it no longer accepts any. driver.md 6.5, 8 */
bool rj_network_publication_add_spy(rj_network_publication_t *publication,
                                    rj_subscriber_position_t *position);

/* Returns false when it is not linked. */
bool rj_network_publication_remove_spy(rj_network_publication_t *publication,
                                       rj_subscriber_position_t *position);

/* Every turn, ACTIVE only (else it does nothing): connection status, pub-pos, the limit and
 * cleaning. Returns 1 when the limit moved. driver.md 6.2, 6.4 */
int rj_network_publication_update_limit(rj_network_publication_t *publication);

/* The last reference was dropped: fixes the end of the stream and starts DRAINING. driver.md 6.5 */
void rj_network_publication_on_unreferenced(rj_network_publication_t *publication, int64_t now_ns);

/* Timer event: unblocking and state changes; ACTIVE -> LINGER means that a client revoked it. Adds
 * 1 to `*unblocked_count` when a dead claim was freed. On reaching LINGER spies lose their images,
 * on reaching DONE (return value) the conductor removes it from its engine. `refcount` as of now.
 * driver.md 6.5, 17 */
rj_network_publication_state_t rj_network_publication_on_time(rj_network_publication_t *publication,
                                                              int refcount,
                                                              int64_t *unblocked_count,
                                                              int64_t now_ns);

/* Position of the newest claim, by the log's tails; the last good one, and is_broken, when they lie
 * (shm.md 17). */
int64_t rj_network_publication_producer_position(rj_network_publication_t *publication);

#endif
