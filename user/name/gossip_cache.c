/* SPDX-License-Identifier: Apache-2.0 */
#include "name/gossip_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int rj_gossip_cache_open(rj_gossip_cache_t *cache, int64_t timeout_ns, rj_err_t *err)
{
    *cache = (rj_gossip_cache_t){.timeout_ns = timeout_ns};
    cache->names = calloc(RJ_GOSSIP_NAMES_MAX, sizeof(cache->names[0]));
    cache->neighbors = calloc(RJ_GOSSIP_NEIGHBORS_MAX, sizeof(cache->neighbors[0]));
    if (cache->names != NULL && cache->neighbors != NULL)
        return 0;
    rj_gossip_cache_close(cache);
    return rj_fail(err, -ENOMEM, "out of memory for the names of other drivers");
}

void rj_gossip_cache_close(rj_gossip_cache_t *cache)
{
    free(cache->names);
    free(cache->neighbors);
    *cache = (rj_gossip_cache_t){0};
}

/* --- names --- */

static rj_gossip_name_t *find_name(const rj_gossip_cache_t *cache, const char *name, size_t length,
                                   uint16_t family)
{
    for (int i = 0; i < cache->name_count; i++) {
        rj_gossip_name_t *known = &cache->names[i];
        if (known->length == length && known->address.family == family &&
            memcmp(known->name, name, length) == 0)
            return known;
    }
    return NULL;
}

const rj_address_t *rj_gossip_cache_find(const rj_gossip_cache_t *cache, const char *name,
                                         size_t length, uint16_t family)
{
    const rj_gossip_name_t *known = find_name(cache, name, length, family);
    return known == NULL ? NULL : &known->address;
}

static bool learn_name(rj_gossip_cache_t *cache, const rj_gossip_entry_t *entry, int64_t heard_ns)
{
    rj_gossip_name_t *known =
        find_name(cache, entry->name, entry->name_length, entry->address.family);
    if (known == NULL && cache->name_count == RJ_GOSSIP_NAMES_MAX)
        return false;
    if (known == NULL) {
        known = &cache->names[cache->name_count++];
        known->length = entry->name_length;
        memcpy(known->name, entry->name, entry->name_length);
    }
    known->address = entry->address;
    known->heard_ns = heard_ns;
    return true;
}

/* --- neighbours --- */

static rj_gossip_neighbor_t *find_neighbor(const rj_gossip_cache_t *cache,
                                           const rj_address_t *address)
{
    for (int i = 0; i < cache->neighbor_count; i++) {
        if (rj_address_equal(&cache->neighbors[i].address, address))
            return &cache->neighbors[i];
    }
    return NULL;
}

bool rj_gossip_cache_has_neighbor(const rj_gossip_cache_t *cache, const rj_address_t *address)
{
    return find_neighbor(cache, address) != NULL;
}

/* What no driver can be bound to is told by nobody who means well, and is sent nothing. */
static bool is_of_a_driver(const rj_address_t *address)
{
    return address->port != 0 && !rj_address_is_wildcard(address) &&
           !rj_address_is_multicast(address);
}

static bool learn_neighbor(rj_gossip_cache_t *cache, const rj_gossip_entry_t *entry,
                           int64_t heard_ns)
{
    if (!is_of_a_driver(&entry->address))
        return true;
    rj_gossip_neighbor_t *known = find_neighbor(cache, &entry->address);
    if (known != NULL) {
        if (entry->is_self)
            known->heard_ns = heard_ns;
        return true;
    }
    if (cache->neighbor_count == RJ_GOSSIP_NEIGHBORS_MAX)
        return false;
    cache->neighbors[cache->neighbor_count++] =
        (rj_gossip_neighbor_t){.address = entry->address, .heard_ns = heard_ns};
    return true;
}

bool rj_gossip_cache_learn(rj_gossip_cache_t *cache, const rj_gossip_entry_t *entry,
                           int64_t heard_ns)
{
    const bool has_name = learn_name(cache, entry, heard_ns);
    return learn_neighbor(cache, entry, heard_ns) && has_name;
}

/* --- time --- */

static bool is_over(const rj_gossip_cache_t *cache, int64_t heard_ns, int64_t now_ns)
{
    return now_ns - heard_ns >= cache->timeout_ns;
}

int rj_gossip_cache_expire(rj_gossip_cache_t *cache, int64_t now_ns)
{
    const int before = cache->name_count + cache->neighbor_count;
    for (int i = cache->name_count - 1; i >= 0; i--) {
        if (is_over(cache, cache->names[i].heard_ns, now_ns))
            cache->names[i] = cache->names[--cache->name_count];
    }
    for (int i = cache->neighbor_count - 1; i >= 0; i--) {
        if (is_over(cache, cache->neighbors[i].heard_ns, now_ns))
            cache->neighbors[i] = cache->neighbors[--cache->neighbor_count];
    }
    return before - cache->name_count - cache->neighbor_count;
}
