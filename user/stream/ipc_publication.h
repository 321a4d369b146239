/* SPDX-License-Identifier: Apache-2.0 */
/* ipc_publication.h - a stream between processes of one host: both sides share its log.
 *
 * Nothing is sent and nobody but the conductor works on it: each turn it moves the publisher's
 * limit with the slowest subscriber and cleans behind it; on timer events it walks the states of
 * its life.
 *
 *   clean position = slowest subscriber    consumer position         pub-pos        pub-lmt
 *   --------------------+--------------------------+--------------------+--------------+---->
 *   zeroed (+2 T)       |                          | claimed            | may still be | <= slowest
 *                       |                          |                    | written      |    +
 *                       window
 *
 * Units      positions: stream bytes since the initial term began. Times: monotonic ns.
 * Ownership  the conductor allocates and frees it; the log and the counters outlive it. Subscriber
 *            positions are linked, not owned.
 * Thread     the conductor's, all of it.
 * Errors     tails and positions that cannot be are refused; broken tails freeze the limit.
 */
#ifndef RJ_STREAM_IPC_PUBLICATION_H
#define RJ_STREAM_IPC_PUBLICATION_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/log_buffer.h"
#include "shm/log_reach.h"
#include "stream/stall.h"
#include "stream/subscriber_position.h"

typedef struct rj_ipc_publication_counters {
    int64_t *pub_pos;
    int64_t *pub_lmt;
} rj_ipc_publication_counters_t;

typedef struct rj_ipc_publication_config {
    int64_t registration_id;
    int32_t session_id;
    int32_t stream_id;
    int64_t start_position; /* from init-term-id, term-id, term-offset; else 0 */
    int32_t term_window_bytes;
    int64_t unblock_timeout_ns;
    bool is_exclusive;
} rj_ipc_publication_config_t;

typedef enum rj_ipc_publication_state {
    RJ_IPC_PUBLICATION_ACTIVE,
    RJ_IPC_PUBLICATION_DRAINING,
    RJ_IPC_PUBLICATION_LINGER,
    RJ_IPC_PUBLICATION_DONE
} rj_ipc_publication_state_t;

typedef struct rj_ipc_publication {
    rj_ipc_publication_config_t config;
    rj_ipc_publication_counters_t counters;
    rj_log_t *log;
    rj_ipc_publication_state_t state;
    bool is_connected;                     /* as in the log's metadata */
    bool had_subscribers;                  /* ever */
    bool is_broken;                        /* the log can no longer be believed */
    rj_subscriber_position_t *subscribers; /* all of them are working ones */
    int32_t subscriber_count;
    rj_log_producer_t producer;
    int64_t pub_lmt;
    int64_t trip_limit;        /* the limit moves in steps of an eighth of the window */
    int64_t consumer_position; /* fastest subscriber ever */
    int64_t clean_position;
    rj_log_reach_t reach;        /* of what is cleaned */
    rj_stall_t stall;            /* for the blocked-publisher check */
    uint64_t bad_position_count; /* what clients wrote and we refused */
} rj_ipc_publication_t;

/* Fills in every field. `log` and the counters hold the start position already. */
void rj_ipc_publication_init(rj_ipc_publication_t *publication,
                             const rj_ipc_publication_config_t *config,
                             const rj_ipc_publication_counters_t *counters, rj_log_t *log,
                             int64_t now_ns);

/* Links a subscriber where a new one joins: the lowest of the consumer position and all working
 * subscribers; the value is in position->join_position and in its counter. The publication is
 * connected at once. Returns false, and links nothing, when it no longer accepts. driver.md 7.2 */
bool rj_ipc_publication_add_subscriber(rj_ipc_publication_t *publication,
                                       rj_subscriber_position_t *position);

/* Returns false when it is not linked. The publication is disconnected at once when it was the
 * last. */
bool rj_ipc_publication_remove_subscriber(rj_ipc_publication_t *publication,
                                          rj_subscriber_position_t *position);

/* Every turn, ACTIVE only (else it does nothing): pub-pos, the limit and cleaning. Returns 1 when
 * the limit moved. driver.md 7.2 */
int rj_ipc_publication_update_limit(rj_ipc_publication_t *publication);

/* The last reference was dropped: fixes the end of the stream and starts DRAINING. driver.md 7.3 */
void rj_ipc_publication_on_unreferenced(rj_ipc_publication_t *publication, int64_t now_ns);

/* Timer event: unblocking and state changes; ACTIVE -> LINGER means that a client revoked it. Adds
 * 1 to `*unblocked_count` when a dead claim was freed. When LINGER is reached the subscribers'
 * images become unavailable; DONE is the end. `refcount` as of now. driver.md 7.3 */
rj_ipc_publication_state_t rj_ipc_publication_on_time(rj_ipc_publication_t *publication,
                                                      int refcount, int64_t *unblocked_count,
                                                      int64_t now_ns);

#endif
