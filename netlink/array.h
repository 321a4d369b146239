/* SPDX-License-Identifier: Apache-2.0 */
/* array.h - items in order, each with the number of the dump that last saw it.
 *
 * For the tables that are small beside the routes: links, addresses, next hops, neighbours. An item
 * begins with its stamp, a uint32_t.
 *
 * Units      counts in items.
 * Ownership  the items are heap memory of the array; pointers to them hold until it changes.
 * Thread     the netlink agent's.
 * Errors     -ENOMEM from insert; the array is as before.
 */
#ifndef RJ_NETLINK_ARRAY_H
#define RJ_NETLINK_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rj_nl_array {
    uint8_t *items;
    size_t count;
    size_t room;
    size_t item_bytes;
} rj_nl_array_t;

void rj_nl_array_init(rj_nl_array_t *array, size_t item_bytes);
void rj_nl_array_close(rj_nl_array_t *array);

static inline void *rj_nl_array_at(const rj_nl_array_t *array, size_t index)
{
    return array->items + index * array->item_bytes;
}

/* The first item that does not compare below `key` (`compare` is of item and key), or the count;
 * `ret_is_equal` says whether it is the one looked for. */
size_t rj_nl_array_find(const rj_nl_array_t *array, const void *key,
                        int (*compare)(const void *item, const void *key), bool *ret_is_equal);

/* Copies `item` in front of the one at `index`. */
int rj_nl_array_insert(rj_nl_array_t *array, size_t index, const void *item);

void rj_nl_array_remove(rj_nl_array_t *array, size_t index);

/* Removes every item for which `is_gone` says so; returns how many. */
size_t rj_nl_array_remove_where(rj_nl_array_t *array,
                                bool (*is_gone)(const void *item, const void *state),
                                const void *state);

/* Removes what has not got this stamp; returns how many. */
size_t rj_nl_array_sweep(rj_nl_array_t *array, uint32_t stamp);

#endif
