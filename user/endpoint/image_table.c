/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint/image_table.h"

static int64_t key_of(const rj_received_image_t *received)
{
    return rj_map64_key(received->image.config.stream_id, received->image.config.session_id);
}

int rj_image_table_open(rj_image_table_t *table, size_t count_max, rj_err_t *err)
{
    return rj_map64_open(&table->chains, count_max, err);
}

void rj_image_table_close(rj_image_table_t *table)
{
    rj_map64_close(&table->chains);
}

rj_received_image_t *rj_image_table_find(const rj_image_table_t *table,
                                         const rj_receive_endpoint_t *endpoint, int32_t stream_id,
                                         int32_t session_id)
{
    rj_received_image_t *received =
        rj_map64_find(&table->chains, rj_map64_key(stream_id, session_id));
    while (received != NULL && received->endpoint != endpoint)
        received = received->next_same;
    return received;
}

bool rj_image_table_add(rj_image_table_t *table, rj_received_image_t *received)
{
    rj_received_image_t *older =
        rj_image_table_find(table, received->endpoint, received->image.config.stream_id,
                            received->image.config.session_id);
    if (older != NULL)
        rj_image_table_remove(table, older);
    const int64_t key = key_of(received);
    received->next_same = rj_map64_remove(&table->chains, key);
    if (rj_map64_add(&table->chains, key, received) == 0)
        return true;
    /* The key was new, or its place would have become free. */
    received->next_same = NULL;
    return false;
}

void rj_image_table_remove(rj_image_table_t *table, rj_received_image_t *received)
{
    const int64_t key = key_of(received);
    rj_received_image_t *first = rj_map64_find(&table->chains, key);
    rj_received_image_t **link = &first;
    while (*link != NULL && *link != received)
        link = &(*link)->next_same;
    if (*link == NULL)
        return;
    *link = received->next_same;
    received->next_same = NULL;
    rj_map64_remove(&table->chains, key);
    if (first != NULL)
        (void)rj_map64_add(&table->chains, key, first); /* in the place that just became free */
}
