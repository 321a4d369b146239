/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_MIN = 16 };

void rj_nl_array_init(rj_nl_array_t *array, size_t item_bytes)
{
    *array = (rj_nl_array_t){.item_bytes = item_bytes};
}

void rj_nl_array_close(rj_nl_array_t *array)
{
    free(array->items);
    rj_nl_array_init(array, array->item_bytes);
}

size_t rj_nl_array_find(const rj_nl_array_t *array, const void *key,
                        int (*compare)(const void *item, const void *key), bool *ret_is_equal)
{
    size_t low = 0;
    size_t high = array->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (compare(rj_nl_array_at(array, middle), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_is_equal = low < array->count && compare(rj_nl_array_at(array, low), key) == 0;
    return low;
}

int rj_nl_array_insert(rj_nl_array_t *array, size_t index, const void *item)
{
    if (array->count == array->room) {
        const size_t room = array->room == 0 ? ROOM_MIN : array->room * 2;
        uint8_t *items = realloc(array->items, room * array->item_bytes);
        if (items == NULL)
            return -ENOMEM;
        array->items = items;
        array->room = room;
    }
    uint8_t *at = rj_nl_array_at(array, index);
    memmove(at + array->item_bytes, at, (array->count - index) * array->item_bytes);
    memcpy(at, item, array->item_bytes);
    array->count++;
    return 0;
}

void rj_nl_array_remove(rj_nl_array_t *array, size_t index)
{
    uint8_t *at = rj_nl_array_at(array, index);
    array->count--;
    memmove(at, at + array->item_bytes, (array->count - index) * array->item_bytes);
}

size_t rj_nl_array_remove_where(rj_nl_array_t *array,
                                bool (*is_gone)(const void *item, const void *state),
                                const void *state)
{
    size_t kept = 0;
    for (size_t i = 0; i < array->count; i++) {
        const uint8_t *item = rj_nl_array_at(array, i);
        if (is_gone(item, state))
            continue;
        if (kept != i)
            memcpy(rj_nl_array_at(array, kept), item, array->item_bytes);
        kept++;
    }
    const size_t removed = array->count - kept;
    array->count = kept;
    return removed;
}

static bool has_other_stamp(const void *item, const void *state)
{
    return memcmp(item, state, sizeof(uint32_t)) != 0;
}

size_t rj_nl_array_sweep(rj_nl_array_t *array, uint32_t stamp)
{
    return rj_nl_array_remove_where(array, has_other_stamp, &stamp);
}
