/* SPDX-License-Identifier: Apache-2.0 */
/* send_endpoint.h - the address from which publications send, and who of them gets what comes back.
 *
 * Several publications of one channel share it. It lives in one engine, its home (design.md 3).
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

#include "proto/channel.h"
#include "stream/publication.h"
#include "transport/path.h"
#include "transport/port.h"

enum { RJ_SEND_ENDPOINT_PUBLICATIONS_MAX = 4096 };

typedef struct rj_send_endpoint {
    rj_endpoint_t base; /* first member: a packet's endpoint is cast by its kind */
    rj_channel_t channel;
    rj_path_t data_path; /* where its publications send (unicast) */

    /* engine: publications by (stream, session) */
    rj_publication_t *
        *publications; /* capacity `publication_capacity`, allocated by the conductor */
    int32_t publication_count;
    int32_t publication_capacity;
    int64_t last_sm_ns;
} rj_send_endpoint_t;

/* Sets the engine's part up; `publications` is memory for `capacity` pointers, owned by the caller.
 */
void rj_send_endpoint_init(rj_send_endpoint_t *endpoint, rj_publication_t **publications,
                           int32_t capacity);

int rj_send_endpoint_add(rj_send_endpoint_t *endpoint, rj_publication_t *publication);
void rj_send_endpoint_remove(rj_send_endpoint_t *endpoint, rj_publication_t *publication);

/* The publication that a frame for this stream and session is meant for, or NULL. */
rj_publication_t *rj_send_endpoint_find(const rj_send_endpoint_t *endpoint, int32_t stream_id,
                                        int32_t session_id);

#endif
