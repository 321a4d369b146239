/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h - one thread's share of the data path: a sender half, then a receiver half, every turn.
 *
 * It owns its ports, publications and images between the ADD and the RELEASED message of each
 * (commands.h). A turn: commands from the conductor; setups, new data, resends and heartbeats of
 * its publications in large batches of runs; packets from its ports; tracking of its images (gaps,
 * NAKs, status messages) as another batch; answers to the conductor. System counters are added
 * before the positions that they belong to are published.
 *
 * Where engines have rings, a frame may come to another than the endpoint's home or the image's
 * engine: it is forwarded, at most twice: to the home, and from there to the image's engine.
 *
 * Units      monotonic ns, bytes.
 * Ownership  the driver owns the engine; the engine owns its scratch and its two rings.
 * Thread     `do_work` and `deadline_ns` from the engine's thread; `open` and `close` while it does
 *            not run; the rings' far ends from the conductor.
 * Errors     do_work cannot fail: what goes wrong is counted, or told to the conductor.
 */
#ifndef RJ_ENGINE_ENGINE_H
#define RJ_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/commands.h"
#include "engine/interceptor.h"
#include "engine/system_counters.h"
#include "shm/ring_spsc.h"
#include "transport/port.h"
#include "transport/udp_socket.h"

enum {
    RJ_ENGINE_PORTS_MAX = 8,
    RJ_ENGINE_PUBLICATIONS_MAX = 16384,
    RJ_ENGINE_IMAGES_MAX = 16384,
    RJ_ENGINE_ENDPOINTS_MAX = RJ_PORT_ENDPOINTS_MAX, /* receive endpoints */
    /* Datagrams of new data in a turn, so that a busy sender half does not starve the other. */
    RJ_ENGINE_DATAGRAMS_MAX = 256,
    RJ_ENGINE_COMMANDS_MAX = 64, /* of the conductor, in a turn */
};

typedef struct rj_engine rj_engine_t;

/* Whose turns an engine's turns are, for the counters of cycle times (driver.md 20.3). */
typedef enum rj_engine_halves {
    RJ_ENGINE_SENDER = 1,
    RJ_ENGINE_RECEIVER = 2,
    RJ_ENGINE_BOTH = RJ_ENGINE_SENDER | RJ_ENGINE_RECEIVER,
} rj_engine_halves_t;

typedef struct rj_engine_params {
    rj_port_t *ports[RJ_ENGINE_PORTS_MAX]; /* opened; the engine closes them. [0] has the sockets */
    int port_count;
    rj_system_counters_t *system_counters;
    rj_interceptor_t *interceptor; /* the engine's, once it is open; NULL: nothing is lost */
    rj_sockets_t *sockets;         /* to connect one anew; NULL: none is ever moved */
    int32_t receive_batch;         /* packets per poll */
    rj_engine_halves_t halves;
    int index;                   /* endpoints whose `home` it is live here */
    int64_t sender_threshold_ns; /* a longer cycle is counted */
    int64_t receiver_threshold_ns;
    /* An engine of senders alone that has something to send reads its sockets every so many turns,
     * and after this time; 0: in every turn. */
    int32_t status_poll_ratio;
    int64_t status_poll_interval_ns;
    /* A fresh reading of the clock for round trips. NULL: the time of the turn will do. */
    int64_t (*mono_ns)(void);
    /* The wall clock, for channels that want times in their messages. NULL: those are 0. */
    int64_t (*epoch_ns)(void);
} rj_engine_params_t;

/* What Aeron has no counter for: mostly, how often a limit was hit. */
typedef struct rj_engine_stats {
    int64_t events_dropped;         /* SETUP, LOSS, ...: the ring was too full; they come again */
    int64_t frames_dropped;         /* control frames: no room in the batch or the scratch */
    int64_t pending_setups_dropped; /* data without image: too many setups are asked for already */
    int64_t sessions_dropped;       /* the dispatcher's table is full */
    int64_t destinations_dropped;   /* a dynamic channel has as many as it can have */
    int64_t streams_dropped;        /* publications, images, interest: a table is full */
    int64_t retransmit_throttles;
    int64_t receiver_overflows;
    int64_t log_corruptions;
    /* These may be read at any time, by relaxed loads. */
    int64_t frames_forwarded; /* to another engine */
    int64_t frames_taken;     /* from another engine */
    int64_t forward_drops;    /* its ring was full */
    int64_t forward_strays;   /* of those taken: when endpoint or image were gone, or not
                                 there yet */
} rj_engine_stats_t;

/* Takes all memory it will ever need. -EINVAL, -ENOMEM; the ports are then still the caller's. */
int rj_engine_open(rj_engine_t **ret_engine, const rj_engine_params_t *params, rj_err_t *err);

/* Makes a ring from each engine to each other, for frames that come to the wrong one; before they
 * work, and in the order of their `index`. One engine alone needs nothing. -ENOMEM: close all. */
int rj_engine_join(rj_engine_t *const *engines, int count, rj_err_t *err);

/* What its (first) port counts, for any thread; NULL: it does not count. */
const rj_port_stats_t *rj_engine_port_stats(const rj_engine_t *engine);

/* From the engine's thread, which will not work for it any more; only `close` may follow. It need
 * not be called: then sockets may keep their addresses for some milliseconds longer. */
void rj_engine_retire(rj_engine_t *engine);

/* None of those it was joined with works any more. NULL is allowed. */
void rj_engine_close(rj_engine_t *engine);

/* One turn. Returns the work done; 0 means idle. */
int rj_engine_do_work(rj_engine_t *engine, int64_t now_ns);

/* The earliest time at which a turn without new data, frames or commands, or a reader's progress,
 * would do anything. */
int64_t rj_engine_deadline_ns(const rj_engine_t *engine);

/* conductor -> engine: rj_engine_command_t */
rj_ring_spsc_t *rj_engine_command_ring(rj_engine_t *engine);
/* engine -> conductor: rj_engine_event_t */
rj_ring_spsc_t *rj_engine_event_ring(rj_engine_t *engine);

/* Engine's thread, or while it does not run. */
const rj_engine_stats_t *rj_engine_stats(const rj_engine_t *engine);

#endif
