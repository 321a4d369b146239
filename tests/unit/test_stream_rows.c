/* SPDX-License-Identifier: Apache-2.0 */
/* The command line's code is not in the library, so the source comes in here. */
#include "cli/stream_rows.c"

#include "shm/counters.h"
#include "shm/why.h"

#include <criterion/criterion.h>

enum { COUNTER_MAX = 64 };

static uint8_t metadata[COUNTER_MAX * sizeof(rj_counter_metadata_t)] __attribute__((aligned(128)));
static uint8_t values[COUNTER_MAX * sizeof(rj_counter_value_t)] __attribute__((aligned(128)));
static rj_counters_t counters;
static rj_stream_rows_t rows;

static void open_counters(void)
{
    cr_assert_eq(
        rj_counters_open(&counters, metadata, sizeof(metadata), values, sizeof(values), 0, NULL),
        0);
}

static void close_all(void)
{
    rj_stream_rows_close(&rows);
    rj_counters_close(&counters);
}

TestSuite(stream_rows, .init = open_counters, .fini = close_all);

static void read_rows(void)
{
    rj_counters_reader_t reader;
    cr_assert_eq(
        rj_counters_reader_init(&reader, metadata, sizeof(metadata), values, sizeof(values)), 0);
    rj_stream_rows_close(&rows);
    cr_assert_eq(rj_stream_rows_read(&rows, &reader), 0);
}

static int32_t put(rj_counter_spec_t *spec, const char *label)
{
    int32_t id;
    spec->label = label;
    spec->label_length = strlen(label);
    cr_assert_eq(rj_counters_allocate(&counters, spec, 0, &id, NULL), 0);
    return id;
}

/* Of stream 1001, session 7. */
static int32_t stream(int32_t type, int64_t id, const char *label, int64_t value, int64_t reference)
{
    rj_counter_stream_key_t key = {.registration_id = id, .session_id = 7, .stream_id = 1001};
    rj_counter_spec_t spec = {.type_id = type,
                              .key = &key,
                              .key_length = sizeof(key),
                              .registration_id = id,
                              .reference_id = reference,
                              .initial_value = value};
    return put(&spec, label);
}

static void channel(int64_t id, const char *text, const char *label)
{
    rj_counter_channel_key_t key = {.channel_length = (int32_t)strlen(text)};
    memcpy(key.channel, text, strlen(text));
    rj_counter_spec_t spec = {.type_id = RJ_COUNTER_TYPE_RECEIVE_CHANNEL_STATUS,
                              .key = &key,
                              .key_length = sizeof(key),
                              .registration_id = id,
                              .initial_value = RJ_CHANNEL_STATUS_ACTIVE};
    put(&spec, label);
}

static void publication(int64_t id)
{
    stream(RJ_COUNTER_TYPE_PUBLISHER_POSITION, id,
           "pub-pos (concurrent): 5 7 1001 aeron:udp?endpoint=h:1", 4096, 0);
    stream(RJ_COUNTER_TYPE_PUBLISHER_LIMIT, id, "pub-lmt: 5 7 1001 aeron:udp?endpoint=h:1", 4096,
           0);
    stream(RJ_COUNTER_TYPE_SENDER_POSITION, id, "snd-pos: 5 7 1001 aeron:udp?endpoint=h:1", 1024,
           0);
    stream(RJ_COUNTER_TYPE_SENDER_LIMIT, id, "snd-lmt: 5 7 1001 aeron:udp?endpoint=h:1", 1024, 0);
}

Test(stream_rows, a_publication_says_why_it_waits)
{
    publication(5);
    const rj_why_t why = {.reason = RJ_WHY_WINDOW_CLOSED, .is_held = true};
    stream(RJ_COUNTER_TYPE_RAMJET_WHY, 5, "why: 5 7 1001 10.0.0.2:40123 aeron:udp?endpoint=h:1",
           rj_why_pack(&why), 42);
    read_rows();
    cr_assert_eq(rows.count, 1);
    const rj_stream_row_t *row = &rows.rows[0];
    cr_assert_eq(row->kind, RJ_STREAM_ROW_PUBLICATION);
    cr_assert_eq(row->stream_id, 1001);
    cr_assert_str_eq(row->channel, "aeron:udp?endpoint=h:1");
    cr_assert_eq(row->sent, 1024);
    cr_assert_str_eq(row->why_word, "window-closed");
    cr_assert_not_null(strstr(row->why, "receiver 42 at 10.0.0.2:40123"), "%s", row->why);
}

Test(stream_rows, of_a_driver_that_gives_no_reason_one_is_guessed)
{
    publication(5);
    read_rows();
    cr_assert_str_eq(rows.rows[0].why_word, "window-closed");
}

Test(stream_rows, ipc_is_known_by_what_it_lacks_and_its_slowest_reader_is_named)
{
    stream(RJ_COUNTER_TYPE_PUBLISHER_POSITION, 5, "pub-pos (exclusive): 5 7 1001 aeron:ipc", 4096,
           0);
    stream(RJ_COUNTER_TYPE_SUBSCRIBER_POSITION, 8, "sub-pos: 8 7 1001 aeron:ipc @0", 64, 5);
    stream(RJ_COUNTER_TYPE_SUBSCRIBER_POSITION, 9, "sub-pos: 9 7 1001 aeron:ipc @0", 32, 5);
    read_rows();
    cr_assert_eq(rows.rows[0].kind, RJ_STREAM_ROW_IPC_PUBLICATION);
    cr_assert_str_eq(rows.rows[0].channel, "aeron:ipc");
    cr_assert_eq(rows.rows[0].subscriber_count, 2);
    cr_assert_eq(rows.rows[0].slowest, 32);
    cr_assert_eq(rows.rows[0].slowest_id, 9);
}

Test(stream_rows, an_image_says_whether_something_is_missing_or_unread)
{
    const int32_t received = stream(RJ_COUNTER_TYPE_RECEIVER_POSITION, 11,
                                    "rcv-pos: 11 7 1001 aeron:udp?endpoint=h:1", 96, 0);
    stream(RJ_COUNTER_TYPE_RECEIVER_HWM, 11, "rcv-hwm: 11 7 1001 aeron:udp?endpoint=h:1", 160, 0);
    read_rows();
    cr_assert_str_eq(rows.rows[0].why_word, "no-reader");
    stream(RJ_COUNTER_TYPE_SUBSCRIBER_POSITION, 9, "sub-pos: 9 7 1001 aeron:udp?endpoint=h:1 @0",
           96, 11);
    read_rows();
    cr_assert_str_eq(rows.rows[0].why_word, "gap");
    rj_counter_set(rj_counters_value(&counters, received), 160);
    read_rows();
    cr_assert_str_eq(rows.rows[0].why_word, "reading");
    cr_assert_not_null(strstr(rows.rows[0].why, "subscription 9 has 64 bytes"));
}

Test(stream_rows, a_channel_is_a_row_as_long_as_nothing_came_by_it)
{
    channel(3, "aeron:udp?endpoint=h:1", "rcv-channel: aeron:udp?endpoint=h:1 10.0.0.2:1");
    read_rows();
    cr_assert_eq(rows.count, 1);
    cr_assert_eq(rows.rows[0].kind, RJ_STREAM_ROW_SUBSCRIPTION);
    cr_assert_str_eq(rows.rows[0].why_word, "no-publisher");
    stream(RJ_COUNTER_TYPE_RECEIVER_POSITION, 11, "rcv-pos: 11 7 1001 aeron:udp?endpoint=h:1", 0,
           0);
    read_rows();
    cr_assert_eq(rows.count, 1);
    cr_assert_eq(rows.rows[0].kind, RJ_STREAM_ROW_IMAGE);
}

Test(stream_rows, an_image_of_a_longer_port_is_not_of_a_channel)
{
    channel(3, "aeron:udp?endpoint=h:1", "rcv-channel: aeron:udp?endpoint=h:1 10.0.0.2:1");
    stream(RJ_COUNTER_TYPE_RECEIVER_POSITION, 11, "rcv-pos: 11 7 1001 aeron:udp?endpoint=h:12", 0,
           0);
    read_rows();
    cr_assert_eq(rows.count, 2);
    cr_assert_eq(rows.rows[1].kind, RJ_STREAM_ROW_SUBSCRIPTION);
}
