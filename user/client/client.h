/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - what the files of client/ share: the client, its handles and how they are freed.
 *
 * The public contract is ramjet/ramjet.h. A handle is made by the conductor when the driver's
 * answer comes, stands in one list of its client, and leaves it when it is closed; then it lingers.
 *
 * Units      `_ns` is the clock that the conductor is run on, `epoch_ms` the wall clock.
 * Ownership  the client owns all handles, lingering ones too, and the mappings they use.
 * Thread     everything here under `lock`, but for fields marked hot, which offers and polls use.
 * Errors     negative errno, text in `err`; without a caller, the client's error handler.
 */
#ifndef RJ_CLIENT_CLIENT_H
#define RJ_CLIENT_CLIENT_H

#include <ramjet/ramjet.h>

#include <ramjet/command.h>

#include "base/err.h"
#include "client/mapped_log.h"
#include "shm/broadcast.h"
#include "shm/cnc.h"
#include "shm/counters.h"
#include "shm/ring_mpsc.h"
#include "shm/term_append.h"

#include <pthread.h>
#include <stdatomic.h>

enum { RJ_DIRECTORY_BYTES_MAX = 4096 };

/* First member of what may still be in use by a call on another thread when it is taken away. */
typedef struct rj_lingering {
    struct rj_lingering *next;
    int64_t deadline_ns;
    void (*release)(struct rj_lingering *lingering);
    /* Not before the subscription's poller has been seen with a younger image array. */
    const rj_subscription_t *reader; /* NULL: the deadline alone decides */
    uint64_t reader_version;
} rj_lingering_t;

typedef enum rj_request_kind {
    RJ_REQUEST_PUBLICATION,
    RJ_REQUEST_SUBSCRIPTION,
    RJ_REQUEST_COUNTER,
    RJ_REQUEST_OPERATION, /* makes no handle */
} rj_request_kind_t;

/*             answer                  poll
 *  AWAITING ----------> READY, FAILED -----> gone
 *     | time-out
 *     +---------------> LATE -- poll --+
 *     | cancel                         v    answer
 *     +---------------------------> ABANDONED ----> gone (and what came is removed)   */
typedef enum rj_request_state {
    RJ_REQUEST_AWAITING,
    RJ_REQUEST_READY,
    RJ_REQUEST_FAILED,
    RJ_REQUEST_LATE,
    RJ_REQUEST_ABANDONED,
} rj_request_state_t;

struct rj_request {
    rj_request_t *next;
    rj_client_t *client;
    rj_request_kind_t kind;
    rj_request_state_t state;
    int64_t correlation_id;
    int64_t deadline_ns;
    int32_t stream_id;
    rj_publication_kind_t publication_kind;
    bool is_static_counter;
    int64_t registration_id; /* of a static counter */
    rj_image_handlers_t handlers;
    rj_err_t err; /* when failed or late */
    union {
        rj_publication_t *publication;
        rj_subscription_t *subscription;
        rj_client_counter_t *counter;
        int64_t value; /* of an operation */
    } result;
    char channel[]; /* empty for counters; what an operation is about */
};

struct rj_publication {
    rj_lingering_t lingering;
    /* hot */
    atomic_bool is_closed;
    rj_publication_kind_t kind;
    const rj_log_t *log;
    const int64_t *limit; /* publisher limit counter */
    rj_exclusive_t exclusive;
    /* cold */
    rj_publication_t *next;
    rj_client_t *client;
    rj_mapped_log_t *mapped;
    rj_publication_info_t info;
    char channel[];
};

/* The images of a subscription. Never changed: the conductor swaps in another one. */
typedef struct rj_image_array {
    rj_lingering_t lingering;
    uint64_t version;
    size_t count;
    rj_image_t *images[];
} rj_image_array_t;

struct rj_subscription {
    rj_lingering_t lingering;
    /* hot. Release by the conductor, acquire by the poller. */
    _Atomic(rj_image_array_t *) images;
    atomic_bool is_closed;
    /* The poller's: where it starts next, and the youngest array it has used (release; the
     * conductor acquires it before it frees an older one). */
    size_t next_index;
    _Atomic uint64_t version_seen;
    /* cold */
    rj_subscription_t *next;
    rj_client_t *client;
    rj_image_handlers_t handlers;
    rj_subscription_info_t info;
    char channel[];
};

struct rj_image {
    rj_lingering_t lingering;
    /* hot */
    atomic_bool is_closed;
    atomic_bool is_damaged; /* the poller met a frame that cannot be */
    const rj_log_t *log;
    int64_t *position;    /* subscriber position counter; the poller writes it */
    int64_t position_own; /* the poller's private truth of the same */
    /* cold */
    bool is_damage_reported;
    int64_t position_final; /* once closed */
    int64_t end_of_stream_final;
    bool is_revoked_final;
    rj_subscription_t *subscription;
    rj_mapped_log_t *mapped;
    rj_image_info_t info;
    char source_identity[];
};

struct rj_client_counter {
    rj_lingering_t lingering;
    /* hot */
    atomic_bool is_closed;
    int64_t *value;
    /* cold */
    rj_client_counter_t *next;
    rj_client_t *client;
    int32_t id;
    int64_t registration_id;
    bool is_static;
};

/* A removal that found the command ring full. */
typedef struct rj_unsent {
    struct rj_unsent *next;
    int32_t type;
    int64_t registration_id;
    uint64_t flags; /* of a publication's */
} rj_unsent_t;

struct rj_client {
    pthread_mutex_t lock; /* recursive: handlers call back */
    bool is_in_handler;
    atomic_bool is_closed;
    rj_context_t context; /* the strings are copies */
    int64_t id;
    int64_t service_interval_ns; /* the driver's client liveness timeout */

    rj_cnc_t cnc;
    rj_ring_mpsc_t to_driver;
    rj_broadcast_receiver_t from_driver;
    rj_counters_reader_t counters;
    uint8_t *event; /* where events are copied to */
    int32_t event_length_max;

    int64_t now_ns; /* of the last turn */
    int64_t keepalive_deadline_ns;
    int32_t heartbeat_id; /* our own counter, or -1 until the driver has made it */

    rj_request_t *requests;
    rj_publication_t *publications;
    rj_subscription_t *subscriptions;
    rj_client_counter_t *owned_counters;
    rj_mapped_log_t *logs;
    rj_unsent_t *unsent;
    rj_lingering_t *lingering_first;
    rj_lingering_t **lingering_end;

    pthread_t thread;
    bool has_thread;
    atomic_bool is_stopping;
};

static inline void rj_client_lock(rj_client_t *client)
{
    pthread_mutex_lock(&client->lock);
}

static inline void rj_client_unlock(rj_client_t *client)
{
    pthread_mutex_unlock(&client->lock);
}

/* Ends the client's own thread, if it has one. */
void rj_client_stop_thread(rj_client_t *client);

/* Address of a counter's value, or NULL when the id is out of range. */
int64_t *rj_client_counter_address(const rj_client_t *client, int32_t id);

/* Hands `err` to the error handler. */
void rj_client_report(rj_client_t *client, const rj_err_t *err);

/* Closes all handles for good and reports why. Does nothing the second time. */
void rj_client_force_close(rj_client_t *client, const rj_err_t *err);

/* Frees it after the linger time. `reader` may be NULL. */
void rj_client_linger(rj_client_t *client, rj_lingering_t *lingering,
                      void (*release)(rj_lingering_t *lingering), const rj_subscription_t *reader,
                      uint64_t reader_version);

/* Frees what has lingered long enough, or everything (`now_ns` INT64_MAX); returns how many. */
int rj_client_free_lingering(rj_client_t *client, int64_t now_ns);

/* The handles, made from the driver's answers. */
int rj_publication_create(rj_client_t *client, const rj_request_t *request,
                          const rj_event_publication_ready_t *event, const char *log_path,
                          rj_publication_t **ret_publication, rj_err_t *err);
void rj_publication_force_close(rj_publication_t *publication);
void rj_publication_release(rj_lingering_t *lingering);

int rj_subscription_create(rj_client_t *client, const rj_request_t *request,
                           int32_t channel_status_id, rj_subscription_t **ret_subscription,
                           rj_err_t *err);
void rj_subscription_force_close(rj_subscription_t *subscription);
void rj_subscription_release(rj_lingering_t *lingering);

/* Adds to, or takes from, what polls see, and tells the handlers. A known correlation id is
 * -EEXIST, an unknown one -ENOENT. */
int rj_subscription_add_image(rj_subscription_t *subscription,
                              const rj_event_available_image_t *event, const char *log_path,
                              const char *source_identity, rj_err_t *err);
int rj_subscription_remove_image(rj_subscription_t *subscription, int64_t correlation_id);

int rj_image_create(rj_subscription_t *subscription, const rj_event_available_image_t *event,
                    const char *log_path, const char *source_identity, rj_image_t **ret_image,
                    rj_err_t *err);

/* Keeps the last positions; polls find nothing from now on. */
void rj_image_shut(rj_image_t *image);
void rj_image_release(rj_lingering_t *lingering);

int rj_client_counter_create(rj_client_t *client, const rj_request_t *request, int32_t counter_id,
                             rj_client_counter_t **ret_counter, rj_err_t *err);
void rj_client_counter_release(rj_lingering_t *lingering);

/* Requests: the answers that conclude them. */
rj_request_t *rj_request_find(rj_client_t *client, int64_t correlation_id);
void rj_request_on_publication_ready(rj_request_t *request,
                                     const rj_event_publication_ready_t *event,
                                     const char *log_path);
void rj_request_on_subscription_ready(rj_request_t *request, int32_t channel_status_id);
void rj_request_on_counter_ready(rj_request_t *request, int32_t counter_id);
void rj_request_on_success(rj_request_t *request, int64_t value);
void rj_request_on_error(rj_request_t *request, int32_t error_code, const char *text);

bool rj_request_is_awaiting(rj_request_t *request);

/* Marks requests whose time is over; returns how many. */
int rj_request_expire_all(rj_client_t *client, int64_t now_ns);
void rj_request_fail_all(rj_client_t *client, const rj_err_t *err);

#endif
