/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/endpoint_table.h"

#include <errno.h>
#include <stdlib.h>

enum { NONE = -1 };

int rj_endpoint_table_open(rj_endpoint_table_t *table, uint32_t entry_max, rj_err_t *err)
{
    uint32_t bucket_count = 2;
    while (bucket_count < 2 * entry_max)
        bucket_count *= 2;
    *table = (rj_endpoint_table_t){.bucket_mask = bucket_count - 1, .entry_max = entry_max};
    table->buckets = calloc(bucket_count, sizeof(table->buckets[0]));
    table->entries = calloc(entry_max, sizeof(table->entries[0]));
    if (table->buckets == NULL || table->entries == NULL) {
        rj_endpoint_table_close(table);
        return rj_fail(err, -ENOMEM, "no memory for a table of %u endpoints", entry_max);
    }
    for (uint32_t i = 0; i < bucket_count; i++)
        table->buckets[i] = NONE;
    for (uint32_t i = 0; i < entry_max; i++)
        table->entries[i].next = i + 1 < entry_max ? (int32_t)i + 1 : NONE;
    return 0;
}

void rj_endpoint_table_close(rj_endpoint_table_t *table)
{
    free(table->buckets);
    free(table->entries);
    *table = (rj_endpoint_table_t){0};
}

static int32_t *bucket_of(const rj_endpoint_table_t *table, const rj_address_t *unscoped)
{
    return &table->buckets[rj_address_hash(unscoped) & table->bucket_mask];
}

static rj_address_t without_scope(const rj_address_t *address)
{
    rj_address_t unscoped = *address;
    unscoped.scope_id = 0;
    return unscoped;
}

static rj_address_t wildcard_of(const rj_address_t *destination)
{
    rj_address_t wildcard = rj_address_wildcard(destination->family);
    wildcard.port = destination->port;
    return wildcard;
}

/* How many hold the address and port of `entry`, whatever their scopes. */
static uint32_t count_alike(const rj_endpoint_table_t *table, const rj_endpoint_entry_t *entry)
{
    uint32_t alike = 0;
    for (int32_t i = *bucket_of(table, &entry->local); i != NONE; i = table->entries[i].next)
        alike += rj_address_equal(&table->entries[i].local, &entry->local);
    return alike;
}

int rj_endpoint_table_add(rj_endpoint_table_t *table, rj_endpoint_t *endpoint)
{
    const int32_t index = table->free_entry;
    if (index == NONE)
        return -ENOSPC;
    rj_endpoint_entry_t *entry = &table->entries[index];
    table->free_entry = entry->next;
    *entry = (rj_endpoint_entry_t){.local = without_scope(&endpoint->local),
                                   .scope_id = endpoint->local.scope_id,
                                   .next = NONE,
                                   .endpoint = endpoint};
    int32_t *link = bucket_of(table, &entry->local);
    while (*link != NONE)
        link = &table->entries[*link].next;
    *link = index;
    const uint32_t alike = count_alike(table, entry);
    if (alike > table->fan_out_max)
        table->fan_out_max = alike;
    return 0;
}

void rj_endpoint_table_remove(rj_endpoint_table_t *table, const rj_endpoint_t *endpoint)
{
    const rj_address_t unscoped = without_scope(&endpoint->local);
    int32_t *link = bucket_of(table, &unscoped);
    while (*link != NONE && table->entries[*link].endpoint != endpoint)
        link = &table->entries[*link].next;
    const int32_t index = *link;
    if (index == NONE)
        return;
    *link = table->entries[index].next;
    table->entries[index] = (rj_endpoint_entry_t){.next = table->free_entry};
    table->free_entry = index;
}

/* The first entry from `index` on that is bound to `local` and to no other interface. */
static int32_t match(const rj_endpoint_table_t *table, int32_t index, const rj_address_t *local,
                     uint32_t scope_id)
{
    for (; index != NONE; index = table->entries[index].next) {
        const rj_endpoint_entry_t *entry = &table->entries[index];
        if (rj_address_equal(&entry->local, local) &&
            (entry->scope_id == 0 || scope_id == 0 || entry->scope_id == scope_id))
            break;
    }
    return index;
}

int32_t rj_endpoint_table_first(const rj_endpoint_table_t *table, const rj_address_t *destination)
{
    const rj_address_t exact = without_scope(destination);
    const int32_t index = match(table, *bucket_of(table, &exact), &exact, destination->scope_id);
    if (index != NONE)
        return index;
    const rj_address_t wildcard = wildcard_of(destination);
    return match(table, *bucket_of(table, &wildcard), &wildcard, destination->scope_id);
}

int32_t rj_endpoint_table_next(const rj_endpoint_table_t *table, int32_t entry,
                               const rj_address_t *destination)
{
    const rj_address_t local = table->entries[entry].local;
    return match(table, table->entries[entry].next, &local, destination->scope_id);
}
