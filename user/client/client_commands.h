/* SPDX-License-Identifier: Apache-2.0 */
/* client_commands.h - what a client asks of the driver, written into the command ring.
 *
 * Units      lengths in bytes.
 * Ownership  texts and keys are copied.
 * Thread     under the client's lock.
 * Errors     -EAGAIN the ring is full, -EINVAL a text is too long; text in `err`.
 */
#ifndef RJ_CLIENT_CLIENT_COMMANDS_H
#define RJ_CLIENT_CLIENT_COMMANDS_H

#include "client/client.h"

typedef struct rj_counter_request {
    int32_t type_id;
    const void *key;
    size_t key_length;
    const char *label;
    bool is_static;
    int64_t registration_id; /* of a static one */
} rj_counter_request_t;

int rj_client_send_add_publication(rj_client_t *client, int64_t correlation_id, const char *channel,
                                   int32_t stream_id, rj_publication_kind_t kind, rj_err_t *err);
int rj_client_send_add_subscription(rj_client_t *client, int64_t correlation_id,
                                    const char *channel, int32_t stream_id, rj_err_t *err);
int rj_client_send_add_counter(rj_client_t *client, int64_t correlation_id,
                               const rj_counter_request_t *counter, rj_err_t *err);

/* What makes no handle. */
typedef struct rj_operation {
    int32_t type;            /* rj_command_id_t */
    int64_t registration_id; /* of publication, subscription or image */
    int64_t destination_id;  /* REMOVE_DESTINATION_BY_ID */
    int64_t position;        /* REJECT_IMAGE */
    int32_t stream_id;       /* GET_NEXT_AVAILABLE_SESSION_ID */
    const char *text;        /* channel of a destination, reason of a rejection; never NULL */
} rj_operation_t;

int rj_client_send_operation(rj_client_t *client, int64_t correlation_id,
                             const rj_operation_t *operation, rj_err_t *err);

/* Sends it and keeps what its answer will end; errors as rj_client_request_publication's. Under the
 * client's lock. */
int rj_request_operation(rj_client_t *client, const rj_operation_t *operation,
                         rj_request_t **ret_request, rj_err_t *err);

/* The same, and waits for its answer; not under the lock. */
int rj_client_perform(rj_client_t *client, const rj_operation_t *operation, int64_t *ret_value,
                      rj_err_t *err);

/* Tells the driver to remove a resource, now or, when the ring is full, as soon as there is room.
 */
void rj_client_send_removal(rj_client_t *client, int32_t command_type, int64_t registration_id);
void rj_client_send_revocation(rj_client_t *client, int64_t registration_id);

/* Tries again what was unsent; returns how many went. */
int rj_client_send_unsent(rj_client_t *client);

#endif
