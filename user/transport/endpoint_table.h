/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint_table.h - which endpoints a datagram is for, by its destination address and port.
 *
 * Several endpoints may hold one address: independent members of a group. Endpoints bound to the
 * wildcard get what nobody is bound to exactly, as with the kernel's sockets.
 *
 * Units      none.
 * Ownership  endpoints are the caller's and stay where they are while they are in the table.
 * Thread     the engine's.
 * Errors     open: -ENOMEM; add: -ENOSPC.
 */
#ifndef RJ_TRANSPORT_ENDPOINT_TABLE_H
#define RJ_TRANSPORT_ENDPOINT_TABLE_H

#include <stdint.h>

#include "base/err.h"
#include "transport/port.h"

typedef struct rj_endpoint_entry {
    rj_address_t local; /* without its scope, so that it is found before the scope is compared */
    uint32_t scope_id;
    int32_t next; /* in the bucket, or in the free list; -1 ends both */
    rj_endpoint_t *endpoint;
} rj_endpoint_entry_t;

typedef struct rj_endpoint_table {
    int32_t *buckets; /* [hash]: the first entry, -1 for none */
    uint32_t bucket_mask;
    rj_endpoint_entry_t *entries;
    int32_t free_entry;
    uint32_t entry_max;
    uint32_t fan_out_max; /* no datagram ever was for more endpoints */
} rj_endpoint_table_t;

int rj_endpoint_table_open(rj_endpoint_table_t *table, uint32_t entry_max, rj_err_t *err);

/* Safe on a closed table. */
void rj_endpoint_table_close(rj_endpoint_table_t *table);

/* By `local` as it is now. */
int rj_endpoint_table_add(rj_endpoint_table_t *table, rj_endpoint_t *endpoint);

/* Does nothing when it is not there. */
void rj_endpoint_table_remove(rj_endpoint_table_t *table, const rj_endpoint_t *endpoint);

/* A walk over those that a datagram to `destination` is for, in the order in which they came:
 *     for (int32_t i = rj_endpoint_table_first(t, &a); i >= 0;
 *          i = rj_endpoint_table_next(t, i, &a))
 *         t->entries[i].endpoint */
int32_t rj_endpoint_table_first(const rj_endpoint_table_t *table, const rj_address_t *destination);
int32_t rj_endpoint_table_next(const rj_endpoint_table_t *table, int32_t entry,
                               const rj_address_t *destination);

#endif
