/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map64.h"

#include <errno.h>
#include <stdlib.h>

/* Session ids and counters come in runs; the multiplication spreads them over the high bits, the
 * shift brings those down to where the mask looks. */
static size_t home_index(const rj_map64_t *map, int64_t key)
{
    uint64_t mixed = (uint64_t)key * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(mixed ^ mixed >> 32) & (map->slot_count - 1);
}

static size_t next_index(const rj_map64_t *map, size_t index)
{
    return (index + 1) & (map->slot_count - 1);
}

/* The slot that holds the key, or the free one where it would go. */
static size_t find_index(const rj_map64_t *map, int64_t key)
{
    size_t index = home_index(map, key);
    while (map->slots[index].value != NULL && map->slots[index].key != key)
        index = next_index(map, index);
    return index;
}

int rj_map64_open(rj_map64_t *map, size_t count_max, rj_err_t *err)
{
    *map = (rj_map64_t){0};
    if (count_max == 0 || count_max > SIZE_MAX / 4 / sizeof(rj_map64_slot_t))
        return rj_fail(err, -EINVAL, "map of %zu entries", count_max);
    size_t slot_count = 4;
    while (slot_count < 2 * count_max)
        slot_count *= 2;
    map->slots = calloc(slot_count, sizeof(rj_map64_slot_t));
    if (map->slots == NULL)
        return rj_fail(err, -ENOMEM, "map of %zu entries: out of memory", count_max);
    map->slot_count = slot_count;
    map->count_max = count_max;
    return 0;
}

void rj_map64_close(rj_map64_t *map)
{
    free(map->slots);
    *map = (rj_map64_t){0};
}

int rj_map64_add(rj_map64_t *map, int64_t key, void *value)
{
    rj_map64_slot_t *slot = &map->slots[find_index(map, key)];
    if (slot->value != NULL)
        return -EEXIST;
    if (map->count == map->count_max)
        return -ENOSPC;
    slot->key = key;
    slot->value = value;
    map->count++;
    return 0;
}

void *rj_map64_find(const rj_map64_t *map, int64_t key)
{
    return map->slots[find_index(map, key)].value;
}

/* Closes the hole: every entry behind it, up to the next free slot, moves into the hole unless its
 * home lies between the hole and itself, for then the search for it starts behind the hole. */
static void close_hole(rj_map64_t *map, size_t hole)
{
    size_t mask = map->slot_count - 1;
    for (size_t index = next_index(map, hole); map->slots[index].value != NULL;
         index = next_index(map, index)) {
        size_t home = home_index(map, map->slots[index].key);
        if (((index - home) & mask) < ((index - hole) & mask))
            continue;
        map->slots[hole] = map->slots[index];
        hole = index;
    }
    map->slots[hole] = (rj_map64_slot_t){0, NULL};
}

void *rj_map64_remove(rj_map64_t *map, int64_t key)
{
    size_t index = find_index(map, key);
    void *value = map->slots[index].value;
    if (value == NULL)
        return NULL;
    close_hole(map, index);
    map->count--;
    return value;
}

void *rj_map64_next(const rj_map64_t *map, size_t *cursor, int64_t *ret_key)
{
    while (*cursor < map->slot_count) {
        const rj_map64_slot_t *slot = &map->slots[(*cursor)++];
        if (slot->value != NULL) {
            *ret_key = slot->key;
            return slot->value;
        }
    }
    return NULL;
}
