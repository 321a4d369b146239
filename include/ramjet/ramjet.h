/* SPDX-License-Identifier: Apache-2.0 */
/* ramjet.h - the client: publish and subscribe through any Aeron media driver on this host.
 *
 *     rj_context_t context;
 *     rj_context_init(&context);
 *     if (rj_client_connect(&context, &client, &err) < 0)
 *         ...
 *     rj_client_add_publication(client, "aeron:ipc", 7, RJ_PUBLICATION_SHARED, &publication, &err);
 *     while (rj_publication_offer(publication, "hello", 5) < 0)
 *         ...
 *     rj_client_close(client);
 *
 * Units      positions are stream bytes, 64 bits; `_ns` is a monotonic clock, `epoch_ms` the wall
 *            clock.
 * Ownership  every handle belongs to its client. A closed handle, and an image that went away,
 *            keeps its memory for `resource_linger_ns` so that a call in flight on another thread
 *            ends well; rj_client_close frees everything at once.
 * Thread     The client has a *conductor*: it reads the driver's events, keeps both sides' liveness
 *            and runs all handlers. With RJ_CONDUCTOR_THREAD it has a thread of its own, with
 *            RJ_CONDUCTOR_INVOKED whoever calls rj_client_conductor_do_work runs it, on any clock.
 *            A call that waits for the driver drives it too. One lock makes `add`, `request`,
 *            `close` and the conductor exclude one another; handlers run under that lock and may
 *            call everything that does not wait.
 *            Offers, claims and polls take no lock and do not allocate. A shared publication takes
 *            offers from any number of threads, an exclusive one from one thread; a subscription
 *            is polled by one thread at a time.
 * Errors     a negative errno and, in `err` (NULL is allowed), one line of text; offers answer with
 *            rj_offer_result_t. What goes wrong later reaches the error handler of the context.
 * Spec       commands.md 1-5, 11, 12; shm.md 4-6, 11-14.
 */
#ifndef RAMJET_RAMJET_H
#define RAMJET_RAMJET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <ramjet/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rj_client rj_client_t;
typedef struct rj_request rj_request_t;
typedef struct rj_publication rj_publication_t;
typedef struct rj_subscription rj_subscription_t;
typedef struct rj_image rj_image_t;
typedef struct rj_client_counter rj_client_counter_t;
typedef struct rj_assembler rj_assembler_t;

/* What an offer or a claim answers when it is not a position, which is above 0 (shm.md 12.6). */
typedef enum rj_offer_result {
    RJ_OFFER_NOT_CONNECTED = -1,         /* nobody subscribes */
    RJ_OFFER_BACK_PRESSURED = -2,        /* subscribers are a window behind: try again later */
    RJ_OFFER_ADMIN_ACTION = -3,          /* a term ended: try again at once */
    RJ_OFFER_CLOSED = -4,                /* the publication or its client is closed */
    RJ_OFFER_MAX_POSITION_EXCEEDED = -5, /* the stream is at its end: add a new publication */
    RJ_OFFER_ERROR = -6,                 /* too long, or too many parts: do not repeat */
} rj_offer_result_t;

/* Codes in `aeron_code` that no driver sends: why a client closed itself or could not act. */
typedef enum rj_client_error {
    RJ_CLIENT_ERROR_DRIVER_TIMEOUT = 1000,  /* the driver's heartbeat stopped, or no answer came */
    RJ_CLIENT_ERROR_CLIENT_TIMEOUT = 1001,  /* the driver gave this client up */
    RJ_CLIENT_ERROR_SERVICE_TIMEOUT = 1002, /* the conductor was not run in time */
    RJ_CLIENT_ERROR_BUFFER_FULL = 1003,     /* no room for a command: try again */
    RJ_CLIENT_ERROR_DRIVER_SHUTDOWN = 1004, /* the driver said goodbye */
    RJ_CLIENT_ERROR_LAPPED = 1005,          /* events were missed; answers may never come */
} rj_client_error_t;

/* ---- client ---- */

typedef enum rj_conductor_mode {
    RJ_CONDUCTOR_THREAD,  /* the client has a thread that sleeps between turns */
    RJ_CONDUCTOR_INVOKED, /* the application calls rj_client_conductor_do_work */
} rj_conductor_mode_t;

/* Told of an image of `subscription`, before the first poll that sees it. */
typedef void (*rj_image_available_t)(void *user, rj_subscription_t *subscription,
                                     rj_image_t *image);

/* Told that polls see `image` no longer; it may be looked at for another `resource_linger_ns`. */
typedef void (*rj_image_unavailable_t)(void *user, rj_subscription_t *subscription,
                                       rj_image_t *image);

/* Told what went wrong outside a call; `err` dies with the return. */
typedef void (*rj_error_handler_t)(void *user, const rj_err_t *err);

/* Any of the pointers may be NULL. */
typedef struct rj_image_handlers {
    rj_image_available_t on_available;
    rj_image_unavailable_t on_unavailable;
    void *user;
} rj_image_handlers_t;

typedef struct rj_context {
    const char *directory;         /* the driver's; NULL is rj_directory_default's answer */
    int64_t driver_timeout_ms;     /* for the driver to appear, to answer, to show life; 10,000 */
    int64_t keepalive_interval_ns; /* between signs of life; 500 ms */
    int64_t resource_linger_ns;    /* 3 s */
    int64_t idle_sleep_ns;         /* of the client's own thread with nothing to do; 16 ms */
    const char *client_name;       /* put into the heartbeat counter's label; NULL is none */
    rj_conductor_mode_t conductor_mode; /* RJ_CONDUCTOR_THREAD */
    rj_image_handlers_t image_handlers; /* for subscriptions that come without their own */
    rj_error_handler_t on_error;        /* NULL: errors are dropped */
    void *error_user;
} rj_context_t;

/* Fills in the defaults named above. Strings are borrowed until connect returns. */
void rj_context_init(rj_context_t *context);

/* Writes the directory a driver uses unless told otherwise: AERON_DIR, else /dev/shm/aeron-<user>
 * (shm.md 2). Returns 0, or -ENAMETOOLONG. */
int rj_directory_default(char *path, size_t size);

/* Waits at most the driver timeout for a live driver and becomes its client.
 * Errors: -ETIMEDOUT no live driver; -EPROTO another layout version; -EACCES, ... of the file. */
int rj_client_connect(const rj_context_t *context, rj_client_t **ret_client, rj_err_t *err);

/* The same without waiting, without a thread whatever the mode says, and on the caller's clock:
 * -EAGAIN when there is no live driver *yet*. */
int rj_client_try_connect(const rj_context_t *context, int64_t now_ns, int64_t epoch_ms,
                          rj_client_t **ret_client, rj_err_t *err);

/* Closes every handle, tells the driver, unmaps and frees. NULL is allowed. No other thread may be
 * inside a call of this client; not to be called from a handler. */
void rj_client_close(rj_client_t *client);

/* One turn of an invoked conductor; returns the work done. Never fails: what goes wrong closes the
 * client and tells the error handler. Call it more often than the driver's client liveness timeout
 * (10 s). */
int rj_client_conductor_do_work(rj_client_t *client, int64_t now_ns, int64_t epoch_ms);

/* When the conductor has something to do by itself (a keepalive, a time-out, an end of linger);
 * events of the driver come at any time. INT64_MAX once closed. */
int64_t rj_client_conductor_deadline_ns(rj_client_t *client);

int64_t rj_client_id(const rj_client_t *client);

/* True once the driver, or this client's own conductor, was lost: all is closed, for good. */
bool rj_client_is_closed(const rj_client_t *client);

/* ---- asking the driver: at once and waiting, or by a request to be polled ---- */

typedef enum rj_publication_kind {
    RJ_PUBLICATION_SHARED,    /* all clients' handles of one channel and stream append to one log */
    RJ_PUBLICATION_EXCLUSIVE, /* a session of its own, one thread, cheaper offers */
} rj_publication_kind_t;

/* Each waits at most the driver timeout. Errors: -ETIMEDOUT no answer; -EREMOTEIO the driver
 * refused, its reason in `err` with Aeron's code; -ESHUTDOWN closed client; -EAGAIN command ring
 * full; -EDEADLK in a handler. */
int rj_client_add_publication(rj_client_t *client, const char *channel, int32_t stream_id,
                              rj_publication_kind_t kind, rj_publication_t **ret_publication,
                              rj_err_t *err);
int rj_client_add_subscription(rj_client_t *client, const char *channel, int32_t stream_id,
                               const rj_image_handlers_t *handlers,
                               rj_subscription_t **ret_subscription, rj_err_t *err);
int rj_client_add_counter(rj_client_t *client, int32_t type_id, const void *key, size_t key_length,
                          const char *label, rj_client_counter_t **ret_counter, rj_err_t *err);

/* A counter that outlives its client: whoever asks for the same type and registration gets the same
 * one. */
int rj_client_add_static_counter(rj_client_t *client, int32_t type_id, int64_t registration_id,
                                 const void *key, size_t key_length, const char *label,
                                 rj_client_counter_t **ret_counter, rj_err_t *err);

/* A session id that no publication of the stream has, for both ends of a conversation to name in
 * their channels. -EOPNOTSUPP where the driver is too old to know one (commands.md 3.12). */
int rj_client_next_session_id(rj_client_t *client, int32_t stream_id, int32_t *ret_session_id,
                              rj_err_t *err);

/* The same, only sent. The request belongs to the client; the poll or cancel that ends it gives it
 * back. */
int rj_client_request_publication(rj_client_t *client, const char *channel, int32_t stream_id,
                                  rj_publication_kind_t kind, rj_request_t **ret_request,
                                  rj_err_t *err);
int rj_client_request_subscription(rj_client_t *client, const char *channel, int32_t stream_id,
                                   const rj_image_handlers_t *handlers, rj_request_t **ret_request,
                                   rj_err_t *err);
int rj_client_request_counter(rj_client_t *client, int32_t type_id, const void *key,
                              size_t key_length, const char *label, rj_request_t **ret_request,
                              rj_err_t *err);
int rj_client_request_static_counter(rj_client_t *client, int32_t type_id, int64_t registration_id,
                                     const void *key, size_t key_length, const char *label,
                                     rj_request_t **ret_request, rj_err_t *err);

/* 1: there it is; 0: not yet; negative: never, for the reason in `err`. Not 0 ends the request.
 * They look only, the conductor must run elsewhere. A request polled for the wrong kind is -EINVAL
 * and goes on. */
int rj_request_poll_publication(rj_request_t *request, rj_publication_t **ret_publication,
                                rj_err_t *err);
int rj_request_poll_subscription(rj_request_t *request, rj_subscription_t **ret_subscription,
                                 rj_err_t *err);
int rj_request_poll_counter(rj_request_t *request, rj_client_counter_t **ret_counter,
                            rj_err_t *err);

/* The same for what makes no handle: destinations, rejections, session ids. `ret_value` (NULL is
 * allowed) gets the destination's registration id, or the session id; else 0. */
int rj_request_poll_operation(rj_request_t *request, int64_t *ret_value, rj_err_t *err);

/* Ends a request nobody waits for any more; what the driver makes of it is removed when its answer
 * comes. */
void rj_request_cancel(rj_request_t *request);

/* ---- publication ---- */

typedef struct rj_publication_info {
    const char *channel;
    int64_t registration_id;          /* of this handle */
    int64_t original_registration_id; /* of the log that handles share */
    int32_t stream_id;
    int32_t session_id;
    int32_t initial_term_id;
    int32_t term_length;
    int32_t mtu_length;
    int32_t channel_status_id; /* counter, or -1 */
    size_t payload_length_max; /* of one frame; the limit of a claim */
    size_t message_length_max; /* the limit of an offer */
    int64_t position_max;      /* where the stream ends */
    rj_publication_kind_t kind;
} rj_publication_info_t;

/* Valid as long as the handle. */
const rj_publication_info_t *rj_publication_info(const rj_publication_t *publication);

/* Appends one message, in fragments when it is longer than payload_length_max. Returns the position
 * behind it, or rj_offer_result_t. */
int64_t rj_publication_offer(rj_publication_t *publication, const void *message, size_t length);

/* The same from several parts, empty ones allowed, with `reserved_value` in the header of every
 * frame. */
int64_t rj_publication_offer_vector(rj_publication_t *publication, const struct iovec *parts,
                                    size_t part_count, int64_t reserved_value);

/* Room for one message of one frame in the log itself. The caller fills `payload`, then commits or
 * aborts, soon: no byte behind it is read before. */
typedef struct rj_offer_claim {
    uint8_t *payload; /* behind its 32 bytes of header */
    size_t length;
} rj_offer_claim_t;

/* Claims `length` bytes; `claim` is written when the result is a position. */
int64_t rj_publication_try_claim(rj_publication_t *publication, size_t length,
                                 rj_offer_claim_t *claim);
void rj_offer_claim_set_reserved_value(rj_offer_claim_t *claim, int64_t reserved_value);
void rj_offer_claim_commit(rj_offer_claim_t *claim);
void rj_offer_claim_abort(rj_offer_claim_t *claim);

/* The stream's end so far; RJ_OFFER_CLOSED when closed, RJ_OFFER_ADMIN_ACTION while a term changes.
 */
int64_t rj_publication_position(const rj_publication_t *publication);

/* Offers that start below this position succeed; RJ_OFFER_CLOSED when closed. */
int64_t rj_publication_position_limit(const rj_publication_t *publication);

/* A subscriber was there lately. */
bool rj_publication_is_connected(const rj_publication_t *publication);
bool rj_publication_is_closed(const rj_publication_t *publication);

/* Gives the handle back. The driver still delivers what was offered. NULL is allowed. */
void rj_publication_close(rj_publication_t *publication);

/* The same, and takes the stream back with it: subscribers lose their images at once, read or not.
 * A shared log is taken from all its handles (commands.md 5.2). */
void rj_publication_revoke(rj_publication_t *publication);

/* The addresses to which a publication with control-mode=manual sends, each a channel with an
 * endpoint; what was added can be removed by its channel, or by its registration id (NULL: not
 * wanted). Errors and waiting as for rj_client_add_publication (commands.md 5.5). */
int rj_publication_add_destination(rj_publication_t *publication, const char *channel,
                                   int64_t *ret_registration_id, rj_err_t *err);
int rj_publication_remove_destination(rj_publication_t *publication, const char *channel,
                                      rj_err_t *err);
int rj_publication_remove_destination_by_id(rj_publication_t *publication, int64_t registration_id,
                                            rj_err_t *err);

/* The same, only sent; rj_request_poll_operation has the answer. */
int rj_publication_request_add_destination(rj_publication_t *publication, const char *channel,
                                           rj_request_t **ret_request, rj_err_t *err);
int rj_publication_request_remove_destination(rj_publication_t *publication, const char *channel,
                                              rj_request_t **ret_request, rj_err_t *err);

/* Where the driver has bound it, as `address:port`, with the port that stands for a 0 in the
 * channel. Returns the text's length, 0 while that is not known, -ENOBUFS when `size` is too small
 * (commands.md 14.6). */
int rj_publication_local_address(const rj_publication_t *publication, char *text, size_t size);

/* ---- subscription ---- */

/* One fragment in place. Nothing here outlives the handler; read it by the functions below. */
typedef struct rj_header {
    const uint8_t *frame; /* 32 bytes of header (shm.md 11), then the payload */
    const rj_image_t *image;
} rj_header_t;

typedef enum rj_fragment_flag {
    RJ_FRAGMENT_BEGIN = 0x80,
    RJ_FRAGMENT_END = 0x40,
    RJ_FRAGMENT_WHOLE = 0xc0, /* begin and end: a message of one frame */
} rj_fragment_flag_t;

uint8_t rj_header_flags(const rj_header_t *header);
int32_t rj_header_session_id(const rj_header_t *header);
int32_t rj_header_stream_id(const rj_header_t *header);
int32_t rj_header_term_id(const rj_header_t *header);
int32_t rj_header_term_offset(const rj_header_t *header);
int64_t rj_header_reserved_value(const rj_header_t *header);

/* The position behind this fragment. */
int64_t rj_header_position(const rj_header_t *header);

typedef enum rj_action {
    RJ_ACTION_CONTINUE, /* go on; the position moves when the poll ends */
    RJ_ACTION_ABORT,    /* stop; this fragment comes again */
    RJ_ACTION_BREAK,    /* stop behind this fragment */
    RJ_ACTION_COMMIT,   /* move the position now, go on */
} rj_action_t;

typedef void (*rj_fragment_handler_t)(void *user, const uint8_t *payload, size_t length,
                                      const rj_header_t *header);
typedef rj_action_t (*rj_controlled_handler_t)(void *user, const uint8_t *payload, size_t length,
                                               const rj_header_t *header);

/* Gets a run of whole frames, headers included, of one term. */
typedef void (*rj_block_handler_t)(void *user, const uint8_t *block, size_t length,
                                   const rj_image_t *image, int32_t term_id);

typedef struct rj_subscription_info {
    const char *channel;
    int64_t registration_id;
    int32_t stream_id;
    int32_t channel_status_id; /* counter, or -1 */
} rj_subscription_info_t;

const rj_subscription_info_t *rj_subscription_info(const rj_subscription_t *subscription);

/* Hands out at most `fragment_limit` fragments of all images, starting with another image every
 * time. Returns how many, or -ESHUTDOWN when closed. */
int rj_subscription_poll(rj_subscription_t *subscription, rj_fragment_handler_t handler, void *user,
                         int fragment_limit);
int rj_subscription_controlled_poll(rj_subscription_t *subscription,
                                    rj_controlled_handler_t handler, void *user,
                                    int fragment_limit);

/* Hands out at most `length_limit` bytes of every image; returns the bytes, or -ESHUTDOWN. */
int64_t rj_subscription_block_poll(rj_subscription_t *subscription, rj_block_handler_t handler,
                                   void *user, int32_t length_limit);

/* An image with an active publisher exists. This and the count take the lock, on any thread. */
bool rj_subscription_is_connected(const rj_subscription_t *subscription);
bool rj_subscription_is_closed(const rj_subscription_t *subscription);
size_t rj_subscription_image_count(const rj_subscription_t *subscription);

/* For the thread that polls. NULL when there is none. The image stays good for `resource_linger_ns`
 * after it went away. */
rj_image_t *rj_subscription_image_at(rj_subscription_t *subscription, size_t index);
rj_image_t *rj_subscription_image_by_session(rj_subscription_t *subscription, int32_t session_id);

/* Gives the subscription back; on_unavailable is called for its images. NULL is allowed. */
void rj_subscription_close(rj_subscription_t *subscription);

/* The addresses by which a subscription with control-mode=manual receives, each a channel as a
 * subscription has it (commands.md 5.6). Errors and waiting as for rj_client_add_subscription. */
int rj_subscription_add_destination(rj_subscription_t *subscription, const char *channel,
                                    rj_err_t *err);
int rj_subscription_remove_destination(rj_subscription_t *subscription, const char *channel,
                                       rj_err_t *err);

/* The same, only sent; rj_request_poll_operation has the answer. */
int rj_subscription_request_add_destination(rj_subscription_t *subscription, const char *channel,
                                            rj_request_t **ret_request, rj_err_t *err);
int rj_subscription_request_remove_destination(rj_subscription_t *subscription, const char *channel,
                                               rj_request_t **ret_request, rj_err_t *err);

/* As rj_publication_local_address; of several destinations, the oldest one's. */
int rj_subscription_local_address(const rj_subscription_t *subscription, char *text, size_t size);

/* ---- image: one publisher's stream as one subscription sees it ---- */

typedef struct rj_image_info {
    const char *source_identity; /* address:port of the sender, or aeron:ipc */
    int64_t correlation_id;
    int64_t join_position;
    int32_t session_id;
    int32_t stream_id;
    int32_t initial_term_id;
    int32_t term_length;
    int32_t mtu_length;
    int32_t subscriber_position_id; /* counter */
} rj_image_info_t;

const rj_image_info_t *rj_image_info(const rj_image_t *image);
rj_subscription_t *rj_image_subscription(const rj_image_t *image);

/* As for the subscription, of this image alone; a closed image has nothing and answers 0. */
int rj_image_poll(rj_image_t *image, rj_fragment_handler_t handler, void *user, int fragment_limit);
int rj_image_controlled_poll(rj_image_t *image, rj_controlled_handler_t handler, void *user,
                             int fragment_limit);

/* The same as rj_image_poll for fragments that start below `position_limit`. */
int rj_image_bounded_poll(rj_image_t *image, rj_fragment_handler_t handler, void *user,
                          int64_t position_limit, int fragment_limit);
int64_t rj_image_block_poll(rj_image_t *image, rj_block_handler_t handler, void *user,
                            int32_t length_limit);

/* What was consumed; of a closed image, the last of it. */
int64_t rj_image_position(const rj_image_t *image);

/* Skips forward to a multiple of 32 inside the current term. -EINVAL for anything else. */
int rj_image_set_position(rj_image_t *image, int64_t position);

/* Where the stream ends, INT64_MAX until that is known; and whether everything was consumed. */
int64_t rj_image_end_of_stream_position(const rj_image_t *image);
bool rj_image_is_end_of_stream(const rj_image_t *image);
bool rj_image_is_revoked(const rj_image_t *image);
bool rj_image_is_closed(const rj_image_t *image);

/* By how many destinations of a multi-destination subscription the stream comes at present; 0 for a
 * closed image (wire.md 7.5). */
int32_t rj_image_active_transport_count(const rj_image_t *image);

/* Has the driver drop the image for good, and tell its publisher `reason` (at most 1,023 bytes).
 * Errors and waiting as for rj_client_add_subscription (commands.md 5.10). */
int rj_image_reject(rj_image_t *image, const char *reason, rj_err_t *err);

/* The same, only sent; rj_request_poll_operation has the answer. */
int rj_image_request_reject(rj_image_t *image, const char *reason, rj_request_t **ret_request,
                            rj_err_t *err);

/* ---- assembler: whole messages from fragments, one buffer a session ---- */

/* Messages go to `handler`, or `controlled`, with the header of their last fragment. One thread; a
 * buffer grows up to `message_length_max` (0: 16 MiB, the protocol's limit); a longer message is
 * dropped and counted. */
int rj_assembler_open(rj_assembler_t **ret_assembler, rj_fragment_handler_t handler,
                      rj_controlled_handler_t controlled, void *user, size_t message_length_max,
                      rj_err_t *err);
void rj_assembler_close(rj_assembler_t *assembler);

/* To be given to a poll as handler, with the assembler as user. */
void rj_assembler_on_fragment(void *assembler, const uint8_t *payload, size_t length,
                              const rj_header_t *header);
rj_action_t rj_assembler_on_controlled_fragment(void *assembler, const uint8_t *payload,
                                                size_t length, const rj_header_t *header);

/* Frees the buffer of a session that went away. */
void rj_assembler_forget(rj_assembler_t *assembler, int32_t session_id);

/* Fragments without a beginning, messages too long, and memory not to be had. */
uint64_t rj_assembler_dropped_count(const rj_assembler_t *assembler);

/* ---- counters ---- */

int32_t rj_client_counter_id(const rj_client_counter_t *counter);
int64_t rj_client_counter_registration_id(const rj_client_counter_t *counter);
int64_t rj_client_counter_value(const rj_client_counter_t *counter);

/* `set` and `add` belong to the counter's one writer; add returns the value before. Both do nothing
 * to a closed counter. */
void rj_client_counter_set(rj_client_counter_t *counter, int64_t value);
int64_t rj_client_counter_add(rj_client_counter_t *counter, int64_t increment);
bool rj_client_counter_is_closed(const rj_client_counter_t *counter);

/* Gives the counter back; a static one stays in the driver. NULL is allowed. */
void rj_client_counter_close(rj_client_counter_t *counter);

/* One of the driver's counters as it was a moment ago. */
typedef struct rj_counter_record {
    int32_t id;
    int32_t type_id;
    int64_t value;
    int64_t registration_id;
    int64_t owner_id;
    int64_t reference_id;
    uint8_t key[112];
    char label[380 + 1];
} rj_counter_record_t;

/* Shows every allocated counter, in the order of ids, until `visit` answers false. */
void rj_client_counters_foreach(const rj_client_t *client,
                                bool (*visit)(void *user, const rj_counter_record_t *record),
                                void *user);

/* -ENOENT when the id is not allocated. */
int rj_client_counters_read(const rj_client_t *client, int32_t id, rj_counter_record_t *ret_record);

/* The lowest id with this type and registration, or -1. */
int32_t rj_client_counters_find(const rj_client_t *client, int32_t type_id,
                                int64_t registration_id);

#ifdef __cplusplus
}
#endif

#endif
