/* SPDX-License-Identifier: Apache-2.0 */
/* stream_params.h - what a URI asks of one publication or one subscription (commands.md 13.4).
 *
 * Everything that belongs to the stream, not to the transport: those keys are in channel.h. A value
 * that the URI does not state comes from the driver's defaults; where the difference matters later
 * (a second publication joining a shared one compares only what was stated) a `has_` field tells.
 *
 * Units      bytes, ns.
 * Ownership  plain values.
 * Thread     any.
 * Errors     -EINVAL with Aeron's code 11 (1 for a stream-id that is not the command's) and a text
 * that names key and value; results are written only on success.
 */
#ifndef RJ_PROTO_STREAM_PARAMS_H
#define RJ_PROTO_STREAM_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/uri.h"

enum {
    RJ_RESEND_MAX = 256,
};

/* Values of response_correlation_id that are not the id of an image. */
enum {
    RJ_RESPONSE_NONE = -1,
    RJ_RESPONSE_PROTOTYPE = -2,
};

/* Values of nak_delay_ns that are not a delay. */
enum {
    RJ_NAK_DELAY_DEFAULT = -1,
    RJ_NAK_DELAY_INVALID = -2, /* as Aeron: this surfaces when an image is created */
};

typedef enum rj_congestion_choice {
    RJ_CONGESTION_DEFAULT, /* no `cc`: the driver's supplier decides */
    RJ_CONGESTION_STATIC,
    RJ_CONGESTION_CUBIC,
    RJ_CONGESTION_UNKNOWN, /* as Aeron: this surfaces when an image is created */
} rj_congestion_choice_t;

/* The driver's configuration, as far as URIs fall back on it; already checked. */
typedef struct rj_stream_defaults {
    int32_t mtu_bytes;
    int32_t ipc_mtu_bytes;
    int32_t term_length_bytes;
    int32_t ipc_term_length_bytes;
    int32_t publication_window_bytes; /* 0: half a term */
    int32_t ipc_publication_window_bytes;
    int64_t linger_ns;
    int32_t max_resend;
    int32_t receiver_window_bytes;
    int64_t untethered_window_limit_timeout_ns;
    int64_t untethered_linger_timeout_ns; /* 0: the window limit timeout */
    int64_t untethered_resting_timeout_ns;
    bool is_sparse;
    bool spies_simulate_connection;
    bool is_reliable;
    bool is_rejoin;
    bool is_tether;
    rj_inferable_t group_consideration;
    bool has_group_tag;
    int64_t group_tag;
} rj_stream_defaults_t;

/* The defaults of the reference driver, for tests and as a start. */
rj_stream_defaults_t rj_stream_defaults_reference(void);

typedef struct rj_untethered_timeouts {
    int64_t window_limit_ns;
    int64_t linger_ns;
    int64_t resting_ns;
} rj_untethered_timeouts_t;

typedef struct rj_publication_params {
    bool has_session_id;
    int32_t session_id;
    bool has_session_tag; /* `session-id=tag:<n>`: take over from the publication with that entity
                             tag */
    int64_t session_tag;
    bool has_entity_tag;
    int64_t entity_tag;
    bool has_mtu;
    int32_t mtu_bytes;
    bool has_term_length;
    int32_t term_length_bytes;
    bool has_window;
    int32_t window_bytes; /* never above half a term */
    bool has_position;    /* the three below were given */
    int32_t initial_term_id;
    int32_t term_id;
    int32_t term_offset;
    int64_t linger_ns;
    int32_t max_resend;
    bool is_sparse;
    bool signals_eos;
    bool spies_simulate_connection;
    int64_t response_correlation_id; /* or RJ_RESPONSE_* */
    rj_untethered_timeouts_t untethered;
} rj_publication_params_t;

/* Reads the parameters of a publication on either media, in the order of commands.md 5.1 so that
 * the first failure is Aeron's. A response prototype's term length is 64 KiB, but not over IPC. */
int rj_publication_params_parse(rj_publication_params_t *ret, const rj_uri_t *uri,
                                int32_t stream_id, const rj_stream_defaults_t *defaults,
                                rj_err_t *err);

/* Takes session id, MTU and term length over from the publication that `session-id=tag:` named.
 * Refuses values of the URI that differ, and checks window and position against the new ones. */
int rj_publication_params_follow(rj_publication_params_t *params, int32_t session_id,
                                 int32_t mtu_bytes, int32_t term_length_bytes, const rj_uri_t *uri,
                                 const rj_stream_defaults_t *defaults, rj_err_t *err);

/* The stream position that the triple means; 0 without one. */
int64_t rj_publication_params_position(const rj_publication_params_t *params);

typedef struct rj_subscription_params {
    bool has_session_id;
    int32_t session_id;
    bool is_response; /* control-mode=response */
    bool is_reliable;
    bool is_rejoin;
    bool is_tether;
    bool is_sparse;
    rj_inferable_t group;
    bool has_group_tag;
    int64_t group_tag;
    rj_congestion_choice_t congestion;
    bool has_receiver_window;
    int32_t receiver_window_bytes;
    int64_t nak_delay_ns; /* or RJ_NAK_DELAY_* */
    rj_untethered_timeouts_t untethered;
} rj_subscription_params_t;

/* Reads the parameters of a subscription, spy, or subscription destination on either media. */
int rj_subscription_params_parse(rj_subscription_params_t *ret, const rj_uri_t *uri,
                                 const rj_stream_defaults_t *defaults, rj_err_t *err);

#endif
