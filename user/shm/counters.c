/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/counters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The number of records of two sections, or -EINVAL if they do not match. */
static int32_t checked_count(const uint8_t *metadata_section, int64_t metadata_length,
                             const uint8_t *values_section, int64_t values_length)
{
    int64_t count = values_length / RJ_COUNTER_VALUE_BYTES;
    if (count < 1 || count > INT32_MAX || count * RJ_COUNTER_VALUE_BYTES != values_length ||
        count * RJ_COUNTER_METADATA_BYTES != metadata_length ||
        (uintptr_t)metadata_section % 8 != 0 || (uintptr_t)values_section % 8 != 0)
        return -EINVAL;
    return (int32_t)count;
}

int rj_counters_open(rj_counters_t *counters, uint8_t *metadata_section, int64_t metadata_length,
                     uint8_t *values_section, int64_t values_length, int64_t reuse_timeout_ms,
                     rj_err_t *err)
{
    *counters = (rj_counters_t){0};
    int32_t count = checked_count(metadata_section, metadata_length, values_section, values_length);
    if (count < 0)
        return rj_fail(err, count, "counters: %lld bytes of metadata for %lld bytes of values",
                       (long long)metadata_length, (long long)values_length);
    counters->slots = calloc((size_t)count, sizeof(rj_counter_slot_t));
    if (counters->slots == NULL)
        return rj_fail(err, -ENOMEM, "counters: out of memory");
    counters->metadata = (rj_counter_metadata_t *)(void *)metadata_section;
    counters->values = (rj_counter_value_t *)(void *)values_section;
    counters->count_max = count;
    counters->free_first_id = RJ_COUNTER_ID_NULL;
    counters->free_last_id = RJ_COUNTER_ID_NULL;
    counters->reuse_timeout_ms = reuse_timeout_ms;
    return 0;
}

void rj_counters_close(rj_counters_t *counters)
{
    free(counters->slots);
    *counters = (rj_counters_t){0};
}

/* Takes the oldest freed id that may be used again out of the queue, or RJ_COUNTER_ID_NULL. The
 * clock may have been set back, so a younger one can be due before an older one. */
static int32_t take_freed_id(rj_counters_t *counters, int64_t epoch_ms)
{
    int32_t before_id = RJ_COUNTER_ID_NULL;
    for (int32_t id = counters->free_first_id; id != RJ_COUNTER_ID_NULL;
         before_id = id, id = counters->slots[id].next_free_id) {
        if (epoch_ms < counters->slots[id].reuse_deadline_ms)
            continue;
        int32_t next_id = counters->slots[id].next_free_id;
        if (before_id == RJ_COUNTER_ID_NULL)
            counters->free_first_id = next_id;
        else
            counters->slots[before_id].next_free_id = next_id;
        if (counters->free_last_id == id)
            counters->free_last_id = before_id;
        return id;
    }
    return RJ_COUNTER_ID_NULL;
}

static size_t write_label(rj_counter_metadata_t *metadata, size_t begin, const char *text,
                          size_t length)
{
    size_t room = RJ_COUNTER_LABEL_BYTES_MAX - begin;
    size_t count = length < room ? length : room;
    if (count > 0)
        memcpy(metadata->label + begin, text, count);
    /* Release: pairs with the acquire in rj_counters_read. */
    rj_store_release_i32(&metadata->label_length, (int32_t)(begin + count));
    return count;
}

static void write_values(rj_counter_value_t *value, const rj_counter_spec_t *spec)
{
    value->owner_id = spec->owner_id;
    value->reference_id = spec->reference_id;
    rj_store_release_i64(&value->registration_id, spec->registration_id);
    rj_store_release_i64(&value->value, spec->initial_value);
}

static void write_metadata(rj_counter_metadata_t *metadata, const rj_counter_spec_t *spec)
{
    size_t key_length =
        spec->key_length < RJ_COUNTER_KEY_BYTES_MAX ? spec->key_length : RJ_COUNTER_KEY_BYTES_MAX;
    metadata->type_id = spec->type_id;
    metadata->free_for_reuse_deadline_ms = INT64_MAX;
    memset(metadata->key, 0, sizeof(metadata->key));
    if (key_length > 0)
        memcpy(metadata->key, spec->key, key_length);
    write_label(metadata, 0, spec->label, spec->label_length);
}

int rj_counters_allocate(rj_counters_t *counters, const rj_counter_spec_t *spec, int64_t epoch_ms,
                         int32_t *ret_id, rj_err_t *err)
{
    int32_t id = take_freed_id(counters, epoch_ms);
    if (id == RJ_COUNTER_ID_NULL) {
        if (counters->count_used == counters->count_max)
            return rj_fail(err, -ENOSPC, "Max counter id (%d) exceeded", counters->count_max - 1);
        id = counters->count_used++;
    }
    /* Values and metadata are complete before the state says so. */
    write_values(&counters->values[id], spec);
    write_metadata(&counters->metadata[id], spec);
    counters->slots[id] = (rj_counter_slot_t){.registration_id = spec->registration_id,
                                              .owner_id = spec->owner_id,
                                              .type_id = spec->type_id,
                                              .state = RJ_COUNTER_ALLOCATED};
    /* Release: pairs with the acquire of the state in rj_counters_read. */
    rj_store_release_i32(&counters->metadata[id].state, RJ_COUNTER_ALLOCATED);
    *ret_id = id;
    return 0;
}

bool rj_counters_is_allocated(const rj_counters_t *counters, int32_t id)
{
    return id >= 0 && id < counters->count_used &&
           counters->slots[id].state == RJ_COUNTER_ALLOCATED;
}

int rj_counters_free(rj_counters_t *counters, int32_t id, int64_t epoch_ms)
{
    if (!rj_counters_is_allocated(counters, id))
        return -EINVAL;
    rj_counter_metadata_t *metadata = &counters->metadata[id];
    rj_counter_slot_t *slot = &counters->slots[id];
    /* Release: readers that see the key go know that the counter has gone. */
    rj_store_release_i32(&metadata->state, RJ_COUNTER_RECLAIMED);
    rj_fence_store_store();
    memset(metadata->key, 0, sizeof(metadata->key));

    slot->state = RJ_COUNTER_RECLAIMED;
    slot->reuse_deadline_ms = epoch_ms + counters->reuse_timeout_ms;
    slot->next_free_id = RJ_COUNTER_ID_NULL;
    metadata->free_for_reuse_deadline_ms = slot->reuse_deadline_ms;
    if (counters->free_last_id == RJ_COUNTER_ID_NULL)
        counters->free_first_id = id;
    else
        counters->slots[counters->free_last_id].next_free_id = id;
    counters->free_last_id = id;
    return 0;
}

/* The length as the owner left it, who may write it too. */
static size_t bounded_label_length(const rj_counter_metadata_t *metadata)
{
    int32_t length = rj_load_acquire_i32(&metadata->label_length);
    if (length < 0)
        return 0;
    return length < RJ_COUNTER_LABEL_BYTES_MAX ? (size_t)length : RJ_COUNTER_LABEL_BYTES_MAX;
}

int rj_counters_label_append(rj_counters_t *counters, int32_t id, const char *text, size_t length)
{
    if (!rj_counters_is_allocated(counters, id))
        return -EINVAL;
    rj_counter_metadata_t *metadata = &counters->metadata[id];
    write_label(metadata, bounded_label_length(metadata), text, length);
    return 0;
}

int rj_counters_label_set(rj_counters_t *counters, int32_t id, const char *text, size_t length)
{
    if (!rj_counters_is_allocated(counters, id))
        return -EINVAL;
    write_label(&counters->metadata[id], 0, text, length);
    return 0;
}

int32_t rj_counters_find_own(const rj_counters_t *counters, int32_t type_id,
                             int64_t registration_id, int64_t *ret_owner_id)
{
    for (int32_t id = 0; id < counters->count_used; id++) {
        const rj_counter_slot_t *slot = &counters->slots[id];
        if (slot->state != RJ_COUNTER_ALLOCATED || slot->type_id != type_id ||
            slot->registration_id != registration_id)
            continue;
        *ret_owner_id = slot->owner_id;
        return id;
    }
    return RJ_COUNTER_ID_NULL;
}

int64_t *rj_counters_value(const rj_counters_t *counters, int32_t id)
{
    return id >= 0 && id < counters->count_max ? &counters->values[id].value : NULL;
}

void rj_counters_set_registration_id(rj_counters_t *counters, int32_t id, int64_t registration_id)
{
    counters->slots[id].registration_id = registration_id;
    /* Release: pairs with the acquire in rj_counters_find. */
    rj_store_release_i64(&counters->values[id].registration_id, registration_id);
}

void rj_counters_set_owner_id(rj_counters_t *counters, int32_t id, int64_t owner_id)
{
    counters->slots[id].owner_id = owner_id;
    rj_store_relaxed_i64(&counters->values[id].owner_id, owner_id);
}

void rj_counters_set_reference_id(rj_counters_t *counters, int32_t id, int64_t reference_id)
{
    rj_store_relaxed_i64(&counters->values[id].reference_id, reference_id);
}

int rj_counters_reader_init(rj_counters_reader_t *reader, const uint8_t *metadata_section,
                            int64_t metadata_length, const uint8_t *values_section,
                            int64_t values_length)
{
    *reader = (rj_counters_reader_t){0};
    int32_t count = checked_count(metadata_section, metadata_length, values_section, values_length);
    if (count < 0)
        return count;
    reader->metadata = (const rj_counter_metadata_t *)(const void *)metadata_section;
    reader->values = (const rj_counter_value_t *)(const void *)values_section;
    reader->count_max = count;
    return 0;
}

int rj_counters_read(const rj_counters_reader_t *reader, int32_t id, rj_counter_view_t *ret_view)
{
    if (id < 0 || id >= reader->count_max)
        return -EINVAL;
    const rj_counter_metadata_t *metadata = &reader->metadata[id];
    const rj_counter_value_t *value = &reader->values[id];
    /* Acquire: pairs with the release in rj_counters_allocate. */
    ret_view->state = rj_load_acquire_i32(&metadata->state);
    ret_view->id = id;
    ret_view->type_id = rj_load_relaxed_i32(&metadata->type_id);
    ret_view->value = rj_load_acquire_i64(&value->value);
    ret_view->registration_id = rj_load_acquire_i64(&value->registration_id);
    ret_view->owner_id = rj_load_relaxed_i64(&value->owner_id);
    ret_view->reference_id = rj_load_relaxed_i64(&value->reference_id);
    memcpy(ret_view->key, metadata->key, sizeof(ret_view->key));
    size_t length = bounded_label_length(metadata);
    memcpy(ret_view->label, metadata->label, length);
    ret_view->label[length] = '\0';
    return 0;
}

bool rj_counters_next(const rj_counters_reader_t *reader, int32_t *cursor,
                      rj_counter_view_t *ret_view)
{
    for (int32_t id = *cursor; id >= 0 && id < reader->count_max; id++) {
        int32_t state = rj_load_acquire_i32(&reader->metadata[id].state);
        if (state == RJ_COUNTER_UNUSED)
            return false;
        if (state != RJ_COUNTER_ALLOCATED)
            continue;
        rj_counters_read(reader, id, ret_view);
        *cursor = id + 1;
        return true;
    }
    return false;
}

int32_t rj_counters_find(const rj_counters_reader_t *reader, int32_t type_id,
                         int64_t registration_id)
{
    for (int32_t id = 0; id < reader->count_max; id++) {
        int32_t state = rj_load_acquire_i32(&reader->metadata[id].state);
        if (state == RJ_COUNTER_UNUSED)
            break;
        if (state == RJ_COUNTER_ALLOCATED &&
            rj_load_relaxed_i32(&reader->metadata[id].type_id) == type_id &&
            rj_load_acquire_i64(&reader->values[id].registration_id) == registration_id)
            return id;
    }
    return RJ_COUNTER_ID_NULL;
}
