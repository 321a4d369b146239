/* SPDX-License-Identifier: Apache-2.0 */
/* send_endpoint.h - the address from which publications send, and who of them gets what comes back.
 *
 * Several publications of one channel share it. It lives in one engine, its home.
 *
 * Units      as named.
 * Ownership  allocated, opened and closed by the conductor; the engine holds it between ADD and
 *            RELEASED. It does not own its publications.
 * Thread     fields below "engine" are the engine's, the rest is constant while the engine has it.
 * Errors     a full table is refused with -ENOSPC before anything changes.
 */
#ifndef RJ_ENDPOINT_SEND_ENDPOINT_H
#define RJ_ENDPOINT_SEND_ENDPOINT_H

#include <stdint.h>

#include "base/err.h"
#include "base/map64.h"
#include "endpoint/send_destination.h"
#include "proto/channel.h"
#include "stream/network_publication.h"
#include "transport/path.h"
#include "transport/port.h"

enum { RJ_SEND_ENDPOINT_PUBLICATIONS_MAX = 4096 };

typedef struct rj_send_endpoint {
    rj_endpoint_t base; /* first member: a packet's endpoint is cast by its kind */
    rj_channel_t channel;
    rj_path_t data_path; /* where its publications send, but for those of a fan-out */
    rj_send_destinations_t *destinations; /* where those of a multi-destination channel do */

    /* engine */
    rj_map64_t publications;    /* by (stream, session) */
    rj_shared_i64_t last_sm_ns; /* the conductor reads it, to see who has gone silent */
} rj_send_endpoint_t;

/* Takes the memory of the engine's part, by what `channel` says; -ENOMEM. */
int rj_send_endpoint_open(rj_send_endpoint_t *endpoint, rj_err_t *err);

/* Gives it back; safe on a zeroed endpoint. The socket is the conductor's business. */
void rj_send_endpoint_close(rj_send_endpoint_t *endpoint);

/* -ENOSPC, or -EEXIST for a (stream, session) that is there. */
int rj_send_endpoint_add(rj_send_endpoint_t *endpoint, rj_network_publication_t *publication);

/* Only if its (stream, session) leads to this very publication. */
void rj_send_endpoint_remove(rj_send_endpoint_t *endpoint, rj_network_publication_t *publication);

/* The publication that a frame for this stream and session is meant for, or NULL. */
rj_network_publication_t *rj_send_endpoint_find(const rj_send_endpoint_t *endpoint,
                                                int32_t stream_id, int32_t session_id);

#endif
