/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/counters.h"

#include "ramjet/command.h"
#include "base/prng.h"
#include "tests/fixtures/hex.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { COUNT = 16, METADATA = COUNT * 512, VALUES = COUNT * 128, REUSE_MS = 1000 };

static uint8_t metadata[METADATA] __attribute__((aligned(128)));
static uint8_t values[VALUES] __attribute__((aligned(128)));
static rj_counters_t counters;
static rj_counters_reader_t reader;

static void start(void)
{
    cr_assert_eq(rj_counters_open(&counters, metadata, METADATA, values, VALUES, REUSE_MS, NULL),
                 0);
    cr_assert_eq(rj_counters_reader_init(&reader, metadata, METADATA, values, VALUES), 0);
}

static void stop(void)
{
    rj_counters_close(&counters);
    rj_counters_close(&counters);
}

TestSuite(counters, .init = start, .fini = stop);

static int32_t allocate(int32_t type_id, const char *label, int64_t registration_id, int64_t now_ms)
{
    int32_t id = -1;
    rj_counter_spec_t spec = {
        .type_id = type_id,
        .label = label,
        .label_length = strlen(label),
        .registration_id = registration_id,
    };
    return rj_counters_allocate(&counters, &spec, now_ms, &id, NULL) == 0 ? id : -1;
}

/* shm.md 19.4 */
Test(counters, writes_the_records_of_the_specification)
{
    rj_counter_stream_key_t key = {
        .registration_id = 17,
        .session_id = 0x4A3B2C1D,
        .stream_id = 1001,
        .channel_length = 9,
        .channel = "aeron:ipc",
    };
    const char *label = "pub-lmt: 17 1245391901 1001 aeron:ipc";
    rj_counter_spec_t spec = {
        .type_id = RJ_COUNTER_TYPE_PUBLISHER_LIMIT,
        .key = &key,
        .key_length = sizeof(key),
        .label = label,
        .label_length = strlen(label),
        .registration_id = 17,
        .owner_id = 11,
        .initial_value = 131072,
    };
    int32_t id;
    cr_assert_eq(rj_counters_allocate(&counters, &spec, 0, &id, NULL), 0);
    cr_assert_eq(id, 0);
    cr_assert_eq(rj_hex_compare(metadata, "01 00 00 00 01 00 00 00 ff ff ff ff ff ff ff 7f"
                                          "11 00 00 00 00 00 00 00 1d 2c 3b 4a e9 03 00 00"
                                          "09 00 00 00 61 65 72 6f 6e 3a 69 70 63 00"),
                 46);
    cr_assert_eq(rj_hex_compare(metadata + 128, "25 00 00 00 70 75 62 2d 6c 6d 74 3a 20 31 37 20"
                                                "31 32 34 35 33 39 31 39 30 31 20 31 30 30 31 20"
                                                "61 65 72 6f 6e 3a 69 70 63 00"),
                 42);
    cr_assert_eq(rj_hex_compare(values, "00 00 02 00 00 00 00 00 11 00 00 00 00 00 00 00"
                                        "0b 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"),
                 32);

    cr_assert_eq(rj_counters_free(&counters, 0, 5000), 0);
    cr_assert_eq(rj_hex_compare(metadata, "ff ff ff ff 01 00 00 00 70 17 00 00 00 00 00 00"), 16);
    cr_assert(rj_is_zero(metadata + 16, 112));
    cr_assert_eq(rj_hex_compare(metadata + 128, "25 00 00 00 70 75 62"), 7, "the label is kept");
    cr_assert_eq(allocate(3, "x", 0, 5000), 1);
    cr_assert_eq(allocate(4, "y", 0, 5999), 2);
    cr_assert_eq(allocate(5, "z", 0, 6000), 0);
    cr_assert(rj_is_zero(values, 128));
}

Test(counters, ends_when_every_id_is_taken)
{
    for (int32_t id = 0; id < COUNT; id++)
        cr_assert_eq(allocate(1, "c", id, 0), id);
    rj_err_t err;
    rj_counter_spec_t spec = {.label = ""};
    int32_t id = 77;
    cr_assert_eq(rj_counters_allocate(&counters, &spec, 0, &id, &err), -ENOSPC);
    cr_assert_str_eq(err.text, "Max counter id (15) exceeded");
    cr_assert_eq(id, 77);
}

Test(counters, refuses_to_free_what_is_not_allocated)
{
    cr_assert_eq(rj_counters_free(&counters, 0, 0), -EINVAL);
    cr_assert_eq(rj_counters_free(&counters, -1, 0), -EINVAL);
    cr_assert_eq(rj_counters_free(&counters, COUNT, 0), -EINVAL);
    cr_assert_eq(allocate(1, "c", 0, 0), 0);
    cr_assert_eq(rj_counters_free(&counters, 0, 0), 0);
    cr_assert_eq(rj_counters_free(&counters, 0, 0), -EINVAL);
    cr_assert_not(rj_counters_is_allocated(&counters, 0));
}

/* The private table decides, not what a client wrote over the state. */
Test(counters, does_not_read_back_what_clients_can_write)
{
    cr_assert_eq(allocate(1, "c", 0, 0), 0);
    memset(metadata, 0, METADATA);
    cr_assert(rj_counters_is_allocated(&counters, 0));
    cr_assert_eq(allocate(1, "c", 0, 0), 1);
    cr_assert_eq(rj_counters_free(&counters, 0, 0), 0);
    int32_t hostile = 1;
    memcpy(metadata, &hostile, sizeof(hostile));
    cr_assert_eq(rj_counters_free(&counters, 0, 0), -EINVAL);
}

Test(counters, cuts_keys_and_labels_at_their_maxima)
{
    char big[600];
    memset(big, 'x', sizeof(big));
    rj_counter_spec_t spec = {.key = big, .key_length = 112, .label = big, .label_length = 380};
    rj_counter_view_t view;
    int32_t id;
    cr_assert_eq(rj_counters_allocate(&counters, &spec, 0, &id, NULL), 0);
    cr_assert_eq(rj_hex_compare(metadata + 16 + 111, "78 7c 01 00 00"), 5);
    spec.key_length = 113;
    spec.label_length = 381;
    cr_assert_eq(rj_counters_allocate(&counters, &spec, 0, &id, NULL), 0);
    cr_assert_eq(rj_hex_compare(metadata + 512 + 16 + 111, "78 7c 01 00 00"), 5);
    cr_assert(rj_is_zero(metadata + 1024, METADATA - 1024));
    cr_assert_eq(rj_counters_read(&reader, 1, &view), 0);
    cr_assert_eq(strlen(view.label), 380);
}

Test(counters, appends_to_a_label_what_there_is_room_for)
{
    char big[379];
    memset(big, 'x', sizeof(big));
    rj_counter_view_t view;
    int32_t id = allocate(1, "a", 0, 0);
    cr_assert_eq(rj_counters_label_append(&counters, id, " b", 2), 0);
    rj_counters_read(&reader, id, &view);
    cr_assert_str_eq(view.label, "a b");
    cr_assert_eq(rj_counters_label_append(&counters, id, big, sizeof(big)), 0);
    rj_counters_read(&reader, id, &view);
    cr_assert_eq(strlen(view.label), 380);
    cr_assert_eq(rj_counters_label_set(&counters, id, "new", 3), 0);
    rj_counters_read(&reader, id, &view);
    cr_assert_str_eq(view.label, "new");
    cr_assert_eq(rj_counters_label_append(&counters, 5, "x", 1), -EINVAL);
    cr_assert_eq(rj_counters_label_set(&counters, -1, "x", 1), -EINVAL);
}

Test(counters, bounds_a_label_length_that_a_client_has_spoilt)
{
    const int32_t lengths[] = {-1, INT32_MIN, 381, INT32_MAX};
    rj_counter_view_t view;
    int32_t id = allocate(1, "abc", 0, 0);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        memcpy(metadata + 128, &lengths[i], sizeof(int32_t));
        cr_assert_eq(rj_counters_read(&reader, id, &view), 0);
        cr_assert_leq(strlen(view.label), 380);
        cr_assert_eq(rj_counters_label_append(&counters, id, "def", 3), 0);
        cr_assert(rj_is_zero(metadata + 512, 512));
    }
}

Test(counters, walks_and_finds_what_is_allocated)
{
    for (int32_t i = 0; i < 5; i++)
        allocate(i % 2, "c", 100 + i, 0);
    rj_counters_free(&counters, 1, 0);
    rj_counter_view_t view;
    int32_t cursor = 0;
    int32_t expected[] = {0, 2, 3, 4};
    for (int i = 0; i < 4; i++) {
        cr_assert(rj_counters_next(&reader, &cursor, &view));
        cr_assert_eq(view.id, expected[i]);
        cr_assert_eq(view.registration_id, 100 + expected[i]);
    }
    cr_assert_not(rj_counters_next(&reader, &cursor, &view));
    cr_assert_eq(rj_counters_find(&reader, 1, 103), 3);
    cr_assert_eq(rj_counters_find(&reader, 0, 103), RJ_COUNTER_ID_NULL);
    cr_assert_eq(rj_counters_find(&reader, 1, 101), RJ_COUNTER_ID_NULL, "it has been freed");
    cr_assert_eq(rj_counters_read(&reader, 1, &view), 0);
    cr_assert_eq(view.state, RJ_COUNTER_RECLAIMED);
    cr_assert_eq(rj_counters_read(&reader, COUNT, &view), -EINVAL);
    cr_assert_eq(rj_counters_read(&reader, -1, &view), -EINVAL);
}

Test(counters, sets_the_fields_of_the_value_record)
{
    int32_t id = allocate(4, "c", 1, 0);
    rj_counters_set_registration_id(&counters, id, 2);
    rj_counters_set_owner_id(&counters, id, 3);
    rj_counters_set_reference_id(&counters, id, 4);
    rj_counter_view_t view;
    rj_counters_read(&reader, id, &view);
    cr_assert_eq(view.registration_id, 2);
    cr_assert_eq(view.owner_id, 3);
    cr_assert_eq(view.reference_id, 4);
}

Test(counters, changes_values)
{
    int64_t *value = rj_counters_value(&counters, allocate(1, "c", 0, 0));
    rj_counter_set(value, 5);
    rj_counter_add(value, 2);
    cr_assert_eq(rj_counter_add_shared(value, 3), 7);
    cr_assert_eq(rj_counter_get(value), 10);
    cr_assert_not(rj_counter_propose_max(value, 10));
    cr_assert(rj_counter_propose_max(value, 11));
    cr_assert_eq(rj_counter_get(value), 11);
    cr_assert_null(rj_counters_value(&counters, -1));
    cr_assert_null(rj_counters_value(&counters, COUNT));
}

Test(counters, refuses_sections_that_do_not_match)
{
    rj_counters_t other;
    rj_err_t err;
    cr_assert_eq(rj_counters_open(&other, metadata, METADATA, values, VALUES - 128, 0, &err),
                 -EINVAL);
    cr_assert_eq(rj_counters_open(&other, metadata, METADATA, values, 0, 0, &err), -EINVAL);
    cr_assert_eq(rj_counters_open(&other, metadata + 4, METADATA, values, VALUES, 0, &err),
                 -EINVAL);
    rj_counters_close(&other);
    cr_assert_eq(rj_counters_reader_init(&reader, metadata, -512, values, -128), -EINVAL);
}

/* Ids are dense, no id is given out twice or too early, and the oldest due one comes first. */
Test(counters, reuses_ids_in_order_and_never_too_early)
{
    int64_t free_since[COUNT];
    bool is_taken[COUNT] = {false};
    int32_t used = 0;
    for (int i = 0; i < COUNT; i++)
        free_since[i] = -1;
    rj_prng_t prng;
    rj_prng_init(&prng, 14);
    int64_t now_ms = 0;
    for (int step = 0; step < 20000; step++) {
        now_ms += rj_prng_between(&prng, 0, 200);
        int32_t victim = (int32_t)rj_prng_below(&prng, COUNT);
        if (rj_prng_chance(&prng, 0.5)) {
            cr_assert_eq(rj_counters_free(&counters, victim, now_ms),
                         is_taken[victim] ? 0 : -EINVAL);
            if (is_taken[victim])
                free_since[victim] = now_ms;
            is_taken[victim] = false;
            continue;
        }
        bool is_due = false;
        for (int32_t i = 0; i < used; i++)
            is_due |= !is_taken[i] && free_since[i] + REUSE_MS <= now_ms;
        int32_t id = allocate(1, "c", step, now_ms);
        if (!is_due && used == COUNT) {
            cr_assert_eq(id, -1);
            continue;
        }
        cr_assert(id >= 0 && !is_taken[id]);
        cr_assert(is_due ? free_since[id] + REUSE_MS <= now_ms : id == used++);
        for (int32_t i = 0; is_due && i < used; i++)
            cr_assert(is_taken[i] || free_since[i] >= free_since[id]);
        is_taken[id] = true;
        cr_assert_eq(rj_counters_find(&reader, 1, step), id);
    }
}

Test(counters, knows_the_labels_of_all_system_counters)
{
    for (int id = 0; id < RJ_SYSTEM_COUNTER_COUNT; id++)
        cr_assert_gt(strlen(rj_system_counter_label((rj_system_counter_t)id)), 8);
    cr_assert_str_eq(rj_system_counter_label(RJ_SYSTEM_RESOURCE_AGENT_PROXY_FAILS),
                     "Failed offers to NativeResourceAgentProxy");
}
