/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/system_counters.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 64 };

static uint8_t *metadata, *values;
static rj_counters_t counters;
static rj_counters_reader_t reader;
static rj_system_counters_t system_counters;

static void open_counters(void)
{
    static const rj_system_counter_labels_t labels = {.threading_mode = "SHARED",
                                                      .resolver_name = "",
                                                      .conductor_threshold_ns = 100000000,
                                                      .sender_threshold_ns = 321000,
                                                      .receiver_threshold_ns = 5000000000,
                                                      .resolver_threshold_ns = 7200000000000};
    const size_t metadata_bytes = COUNT * RJ_COUNTER_METADATA_BYTES;
    const size_t value_bytes = COUNT * RJ_COUNTER_VALUE_BYTES;
    metadata = aligned_alloc(128, metadata_bytes);
    values = aligned_alloc(128, value_bytes);
    memset(metadata, 0, metadata_bytes);
    memset(values, 0, value_bytes);
    rj_err_t err;
    cr_assert_eq(rj_counters_open(&counters, metadata, (int64_t)metadata_bytes, values,
                                  (int64_t)value_bytes, 0, &err),
                 0);
    cr_assert_eq(rj_counters_reader_init(&reader, metadata, (int64_t)metadata_bytes, values,
                                         (int64_t)value_bytes),
                 0);
    cr_assert_eq(rj_system_counters_allocate(&system_counters, &counters, &labels, 1, &err), 0);
}

static void close_counters(void)
{
    rj_counters_close(&counters);
    free(metadata);
    free(values);
}

TestSuite(system_counters, .init = open_counters, .fini = close_counters);

static rj_counter_view_t view_of(int32_t id)
{
    rj_counter_view_t view;
    cr_assert_eq(rj_counters_read(&reader, id, &view), 0);
    return view;
}

Test(system_counters, are_the_first_46_with_id_key_and_registration_id_alike)
{
    for (int32_t id = 0; id < RJ_SYSTEM_COUNTER_COUNT; id++) {
        rj_counter_view_t view = view_of(id);
        int32_t key;
        memcpy(&key, view.key, sizeof(key));
        cr_expect_eq(view.state, RJ_COUNTER_ALLOCATED);
        cr_expect_eq(view.type_id, RJ_COUNTER_TYPE_SYSTEM);
        cr_expect_eq(key, id);
        cr_expect_eq(view.registration_id, id);
        cr_expect_eq(view.owner_id, -1);
        cr_expect_eq(view.reference_id, 0);
        cr_expect_neq(view.label[0], '\0');
    }
}

Test(system_counters, have_the_labels_that_tools_look_for)
{
    static const struct {
        int32_t id;
        const char *label;
    } rows[] = {
        {0, "Bytes sent"},
        {15, "Errors: version=1.53.0 commit="},
        {25, "Resolution changes: driverName="},
        {26, "Conductor max cycle time doing its work in ns: SHARED"},
        {27, "Conductor work cycle exceeded threshold count: threshold=100ms SHARED"},
        {28, "Sender max cycle time doing its work in ns: SHARED"},
        {29, "Sender work cycle exceeded threshold count: threshold=321us SHARED"},
        {30, "Receiver max cycle time doing its work in ns: SHARED"},
        {31, "Receiver work cycle exceeded threshold count: threshold=5s SHARED"},
        {32, "NameResolver max time in ns"},
        {33, "NameResolver exceeded threshold count: threshold=7200s"},
        {34, "Aeron software: version=1.53.0 commit="},
        {45, "Failed offers to NativeResourceAgentProxy"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rj_counter_view_t view = view_of(rows[i].id);
        const char *label = rows[i].label;
        cr_expect_eq(strncmp(view.label, label, strlen(label)), 0, "%s", view.label);
        /* Where nothing is appended, nothing follows. */
        if (label[strlen(label) - 1] != '=')
            cr_expect_str_eq(view.label, label);
    }
    cr_expect_not_null(strstr(view_of(34).label, " ramjet "));
}

Test(system_counters, start_at_zero_but_for_the_versions)
{
    for (int32_t id = 0; id < RJ_SYSTEM_COUNTER_COUNT; id++) {
        const int64_t expected = id == 34 ? 0x013500 : id == 43 ? 0x010000 : 0;
        cr_expect_eq(view_of(id).value, expected, "%d", id);
    }
}

Test(system_counters, add_up_and_keep_the_greatest)
{
    rj_system_counter_add(&system_counters, RJ_SYSTEM_ERRORS, 2);
    rj_system_counter_add(&system_counters, RJ_SYSTEM_ERRORS, 3);
    cr_expect_eq(view_of(RJ_SYSTEM_ERRORS).value, 5);
    rj_system_counter_propose_max(&system_counters, RJ_SYSTEM_NAME_RESOLVER_MAX_TIME, 7);
    rj_system_counter_propose_max(&system_counters, RJ_SYSTEM_NAME_RESOLVER_MAX_TIME, 5);
    cr_expect_eq(view_of(RJ_SYSTEM_NAME_RESOLVER_MAX_TIME).value, 7);
}

Test(system_counters, are_not_allocated_where_there_is_no_room)
{
    rj_counters_t small;
    rj_err_t err;
    memset(metadata, 0, COUNT * RJ_COUNTER_METADATA_BYTES);
    cr_assert_eq(rj_counters_open(&small, metadata, 45 * RJ_COUNTER_METADATA_BYTES, values,
                                  45 * RJ_COUNTER_VALUE_BYTES, 0, &err),
                 0);
    const rj_system_counter_labels_t labels = {.threading_mode = "", .resolver_name = ""};
    cr_expect_lt(rj_system_counters_allocate(&system_counters, &small, &labels, 1, &err), 0);
    rj_counters_close(&small);
}
