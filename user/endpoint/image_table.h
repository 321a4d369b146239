/* SPDX-License-Identifier: Apache-2.0 */
/* image_table.h - the images of an engine whose endpoints live in other engines.
 *
 * The dispatcher of an endpoint, with interest, setups and limits, is its home's; an engine that
 * owns single images of it finds those here, by endpoint, stream and session.
 *
 * Units      none.
 * Ownership  its memory is taken by open; images belong to the conductor and link themselves.
 * Thread     the engine's.
 * Errors     as said per function.
 */
#ifndef RJ_ENDPOINT_IMAGE_TABLE_H
#define RJ_ENDPOINT_IMAGE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map64.h"
#include "endpoint/receive_endpoint.h"

typedef struct rj_image_table {
    rj_map64_t chains; /* (stream, session) -> images of different endpoints, by `next_same` */
} rj_image_table_t;

/* Room for `count_max` images; -ENOMEM. */
int rj_image_table_open(rj_image_table_t *table, size_t count_max, rj_err_t *err);

/* Safe on a zeroed table. */
void rj_image_table_close(rj_image_table_t *table);

/* Installs an image of `received->endpoint`, in place of any older one of its session. False when
 * there is no room. */
bool rj_image_table_add(rj_image_table_t *table, rj_received_image_t *received);

/* Only if the session leads to this very image. */
void rj_image_table_remove(rj_image_table_t *table, rj_received_image_t *received);

/* NULL when there is none. */
rj_received_image_t *rj_image_table_find(const rj_image_table_t *table,
                                         const rj_receive_endpoint_t *endpoint, int32_t stream_id,
                                         int32_t session_id);

#endif
