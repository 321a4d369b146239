/* SPDX-License-Identifier: Apache-2.0 */
/* reply.h - the events that go to clients, written to the broadcast (commands.md 4).
 *
 * Units      as the event says.
 * Ownership  texts are copied into the broadcast.
 * Thread     the conductor's.
 * Errors     texts that would make an event longer than clients can take are cut.
 */
#ifndef RJ_CONDUCTOR_REPLY_H
#define RJ_CONDUCTOR_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/address.h"
#include "ramjet/command.h"
#include "shm/broadcast.h"

/* Aeron's code for an error: the one it carries, else 11. */
int32_t rj_reply_error_code(const rj_err_t *err);

void rj_reply_error(rj_broadcast_t *to_clients, int64_t correlation_id, int32_t error_code,
                    const char *text);
void rj_reply_success(rj_broadcast_t *to_clients, int64_t correlation_id);

typedef struct rj_reply_publication {
    int64_t correlation_id;
    int64_t registration_id;
    int32_t session_id;
    int32_t stream_id;
    int32_t limit_counter_id;
    int32_t status_counter_id;
    bool is_exclusive;
    const char *log_file;
} rj_reply_publication_t;

void rj_reply_publication_ready(rj_broadcast_t *to_clients, const rj_reply_publication_t *ready);
void rj_reply_subscription_ready(rj_broadcast_t *to_clients, int64_t correlation_id,
                                 int32_t status_counter_id);

typedef struct rj_reply_image {
    int64_t correlation_id;
    int32_t session_id;
    int32_t stream_id;
    int64_t subscription_id;
    int32_t position_counter_id;
    const char *log_file;
    const char *source;
} rj_reply_image_t;

void rj_reply_available_image(rj_broadcast_t *to_clients, const rj_reply_image_t *image);
void rj_reply_unavailable_image(rj_broadcast_t *to_clients, int64_t correlation_id,
                                int64_t subscription_id, int32_t stream_id, const char *channel);

/* COUNTER_READY, UNAVAILABLE_COUNTER or STATIC_COUNTER. */
void rj_reply_counter(rj_broadcast_t *to_clients, rj_event_id_t event, int64_t correlation_id,
                      int32_t counter_id);
void rj_reply_client_timeout(rj_broadcast_t *to_clients, int64_t client_id);
void rj_reply_next_session_id(rj_broadcast_t *to_clients, int64_t correlation_id,
                              int32_t session_id);

typedef struct rj_reply_publication_error {
    int64_t registration_id;
    int64_t destination_registration_id; /* -1: not by a destination that was added by hand */
    int32_t session_id;
    int32_t stream_id;
    int64_t receiver_id;
    int64_t group_tag;
    rj_address_t source;
    int32_t error_code;
    const char *text;
    int32_t text_bytes;
} rj_reply_publication_error_t;

void rj_reply_publication_error(rj_broadcast_t *to_clients,
                                const rj_reply_publication_error_t *error);

#endif
