/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/log_buffer.h"

#include "ramjet/command.h"
#include "tests/fixtures/hex.h"
#include "tests/fixtures/log_fixture.h"

#include <errno.h>
#include <sys/stat.h>

static rj_log_fixture_t fixture;

static void close_fixture(void)
{
    rj_log_fixture_close(&fixture);
}

TestSuite(log_buffer, .fini = close_fixture);

static const uint8_t *metadata_bytes(void)
{
    return (const uint8_t *)fixture.log.metadata;
}

/* shm.md 19.7 */
Test(log_buffer, writes_the_metadata_of_the_specification)
{
    rj_log_params_t params = rj_log_fixture_params(-7);
    params.publication_window_length = 32768;
    params.os_default_socket_sndbuf_length = 212992;
    params.os_max_socket_sndbuf_length = 212992;
    params.os_default_socket_rcvbuf_length = 212992;
    params.os_max_socket_rcvbuf_length = 212992;
    params.entity_tag = 0;
    params.linger_timeout_ns = INT64_C(5000000000);
    params.untethered_window_limit_timeout_ns = INT64_C(5000000000);
    params.untethered_linger_timeout_ns = -1;
    params.untethered_resting_timeout_ns = INT64_C(10000000000);
    params.signal_eos = true;
    rj_log_fixture_open(&fixture, &params);

    const uint8_t *bytes = metadata_bytes();
    cr_assert_eq(rj_hex_compare(bytes, "00 00 00 00 f9 ff ff ff 00 00 00 00 f7 ff ff ff"
                                       "00 00 00 00 f8 ff ff ff 00 00 00 00 00 00 00 00"),
                 32);
    cr_assert(rj_is_zero(bytes + 32, 96));
    cr_assert_eq(rj_hex_compare(bytes + 128, "ff ff ff ff ff ff ff 7f 00 00 00 00 00 00 00 00"),
                 16);
    cr_assert(rj_is_zero(bytes + 144, 112));
    cr_assert_eq(rj_hex_compare(bytes + 256, "11 00 00 00 00 00 00 00 f9 ff ff ff 20 00 00 00"
                                             "80 05 00 00 00 00 01 00 00 10 00 00 00 80 00 00"
                                             "00 00 00 00 00 00 00 00 00 40 03 00 00 40 03 00"
                                             "00 00 00 00 00 40 03 00 00 40 03 00 00 00 00 00"
                                             "00 00 00 00 00 c0 01 00 00 00 00 00 1d 2c 3b 4a"
                                             "e9 03 00 00 f9 ff ff ff 00 00 00 00 00 00 00 00"),
                 96);
    cr_assert(rj_is_zero(bytes + 352, 96));
    cr_assert_eq(rj_hex_compare(bytes + 448, "00 00 00 00 00 00 00 00 ff ff ff ff ff ff ff ff"
                                             "00 f2 05 2a 01 00 00 00 00 f2 05 2a 01 00 00 00"
                                             "00 e4 0b 54 02 00 00 00 00 00 00 00 01 01 00 00"
                                             "00 00 00 00 ff ff ff ff ff ff ff ff 00 00 00 00"),
                 64);
    cr_assert(rj_is_zero(bytes + 512, 4096 - 512));
    cr_assert(rj_is_zero(fixture.log.terms[0], 3 * 65536));
    cr_assert_eq(fixture.log.file.length_bytes, 200704);
    cr_assert_eq(fixture.log.payload_length_max, 1376);
    cr_assert_eq(fixture.log.message_length_max, 8192);
}

Test(log_buffer, starts_a_publication_at_its_position)
{
    rj_log_params_t params = rj_log_fixture_params(5);
    params.start_term_id = 12; /* seven terms on: partition 1 */
    params.start_term_offset = 64;
    rj_log_fixture_open(&fixture, &params);
    const rj_log_t *log = &fixture.log;
    cr_assert_eq(rj_log_active_term_count(log), 7);
    cr_assert_eq(rj_log_raw_tail(log, 1), rj_tail_pack(12, 64));
    cr_assert_eq(rj_log_raw_tail(log, 2), rj_tail_pack(10, 0));
    cr_assert_eq(rj_log_raw_tail(log, 0), rj_tail_pack(11, 0));
}

Test(log_buffer, leaves_the_tails_of_an_image_alone)
{
    rj_log_params_t params = rj_log_fixture_params(5);
    params.type = RJ_LOG_TYPE_IMAGE;
    rj_log_fixture_open(&fixture, &params);
    cr_assert(rj_is_zero(metadata_bytes(), 28));
    cr_assert_eq(metadata_bytes()[497], 2);
    cr_assert_eq(rj_log_end_of_stream(&fixture.log), INT64_MAX);
}

Test(log_buffer, knows_which_lengths_clients_can_map)
{
    const int32_t gib = 1 << 30;
    rj_log_fixture_path(&fixture);
    cr_assert_eq(rj_log_file_length(65536, 4096), 200704);
    cr_assert_eq(rj_log_file_length(gib, 4096), 3 * (int64_t)gib + 4096);
    cr_assert_eq(rj_log_file_length(gib, gib), 4 * (int64_t)gib);
    cr_assert_eq(rj_log_file_length(gib / 2, 4096), 3 * (int64_t)(gib / 2) + 4096);
    cr_assert_eq(rj_log_file_length(gib / 2, gib), -EINVAL, "Java takes the terms for 1 GiB");
    cr_assert_eq(rj_log_file_length(gib / 4, gib), gib);
    cr_assert_eq(rj_log_file_length(32768, 4096), -EINVAL);
    cr_assert_eq(rj_log_file_length(65536 + 32, 4096), -EINVAL);
    cr_assert_eq(rj_log_file_length(65536, 2048), -EINVAL);
    cr_assert_eq(rj_log_file_length(65536, 0), -EINVAL);
    cr_assert_eq(rj_log_file_length(INT32_MIN, INT32_MIN), -EINVAL);
}

Test(log_buffer, keeps_the_metadata_in_the_last_4096_bytes_of_large_pages)
{
    rj_log_params_t params = rj_log_fixture_params(0);
    params.page_size = 2 * 1024 * 1024;
    rj_log_fixture_open(&fixture, &params);
    cr_assert_eq(fixture.log.file.length_bytes, 2 * 1024 * 1024);
    cr_assert_eq(metadata_bytes() - fixture.log.file.bytes, 2 * 1024 * 1024 - 4096);
    rj_log_t client;
    cr_assert_eq(rj_log_map(&client, fixture.path, NULL), 0);
    cr_assert_eq(client.term_length, 65536);
    rj_log_close(&client);
}

Test(log_buffer, refuses_params_that_no_log_can_have)
{
    rj_log_t log;
    rj_err_t err;
    rj_log_fixture_path(&fixture);
    rj_log_params_t params = rj_log_fixture_params(5);
    params.mtu_length = 32;
    cr_assert_eq(rj_log_create(&log, fixture.path, &params, &err), -EINVAL);
    params.mtu_length = 1400;
    cr_assert_eq(rj_log_create(&log, fixture.path, &params, &err), -EINVAL);
    params = rj_log_fixture_params(5);
    params.start_term_id = 4;
    cr_assert_eq(rj_log_create(&log, fixture.path, &params, &err), -EINVAL);
    params = rj_log_fixture_params(5);
    params.start_term_offset = 16;
    cr_assert_eq(rj_log_create(&log, fixture.path, &params, &err), -EINVAL);
    cr_assert_neq(access(fixture.path, F_OK), 0);
}

Test(log_buffer, shares_everything_between_driver_and_client)
{
    rj_log_params_t params = rj_log_fixture_params(9);
    rj_log_fixture_open(&fixture, &params);
    rj_log_t client;
    cr_assert_eq(rj_log_map(&client, fixture.path, NULL), 0);
    cr_assert_eq(client.session_id, RJ_TEST_SESSION_ID);
    cr_assert_eq(client.stream_id, RJ_TEST_STREAM_ID);
    cr_assert_eq(client.initial_term_id, 9);
    cr_assert_eq(client.correlation_id, 17);
    cr_assert_eq(client.position_shift, 16);
    cr_assert_not(rj_log_is_connected(&client));
    rj_log_set_connected(&fixture.log, true);
    rj_log_set_end_of_stream(&fixture.log, 4096);
    rj_log_set_active_transports(&fixture.log, 2);
    rj_log_set_revoked(&fixture.log);
    cr_assert(rj_log_is_connected(&client));
    cr_assert_eq(rj_log_end_of_stream(&client), 4096);
    cr_assert_eq(rj_log_active_transports(&client), 2);
    cr_assert(rj_log_is_revoked(&client));
    rj_log_close(&client);
    rj_log_close(&client);
}

Test(log_buffer, does_not_map_what_is_no_log)
{
    rj_log_params_t params = rj_log_fixture_params(0);
    rj_log_fixture_open(&fixture, &params);
    rj_log_metadata_t *metadata = fixture.log.metadata;
    rj_log_t client;
    rj_err_t err;
    metadata->term_length = 131072;
    cr_assert_eq(rj_log_map(&client, fixture.path, &err), -EINVAL);
    cr_assert_null(client.file.bytes);
    metadata->term_length = 65536;
    metadata->mtu_length = 0;
    cr_assert_eq(rj_log_map(&client, fixture.path, &err), -EINVAL);
    metadata->mtu_length = 1408;
    metadata->page_size = 8192;
    cr_assert_eq(rj_log_map(&client, fixture.path, &err), -EINVAL);
    metadata->page_size = 4096;
    metadata->default_frame_header_length = 24;
    cr_assert_eq(rj_log_map(&client, fixture.path, &err), -EINVAL);
    metadata->default_frame_header_length = 32;
    cr_assert_eq(rj_log_map(&client, fixture.path, &err), 0);
    rj_log_close(&client);
    cr_assert_eq(truncate(fixture.path, 4096), 0);
    cr_assert_eq(rj_log_map(&client, fixture.path, &err), -ENODATA);
}

Test(log_buffer, believes_its_own_copies_only)
{
    rj_log_params_t params = rj_log_fixture_params(0);
    rj_log_fixture_open(&fixture, &params);
    fixture.log.metadata->term_length = 0;
    memset(fixture.log.metadata->default_header, 0xff, 32);
    cr_assert_eq(fixture.log.term_length, 65536);
    cr_assert_eq(fixture.log.default_header[5], RJ_DATA_FLAG_UNFRAGMENTED);
}

Test(log_buffer, rotates_once_however_many_try)
{
    rj_log_params_t params = rj_log_fixture_params(5);
    rj_log_fixture_open(&fixture, &params);
    const rj_log_t *log = &fixture.log;
    cr_assert(rj_log_rotate(log, 0, 5));
    cr_assert_not(rj_log_rotate(log, 0, 5));
    cr_assert_eq(rj_log_active_term_count(log), 1);
    cr_assert_eq(rj_log_raw_tail(log, 1), rj_tail_pack(6, 0));
    cr_assert_eq(rj_log_raw_tail(log, 0), rj_tail_pack(5, 0));
}

Test(log_buffer, follows_its_producers)
{
    rj_log_params_t params = rj_log_fixture_params(INT32_MAX);
    rj_log_fixture_open(&fixture, &params);
    rj_log_metadata_t *metadata = fixture.log.metadata;
    rj_log_producer_t producer;
    rj_log_producer_init(&producer, &fixture.log, 0);
    cr_assert_eq(rj_log_producer_poll(&producer, &fixture.log), 0);
    cr_assert_eq(producer.position, 0);
    int32_t term_id = INT32_MAX;
    for (int32_t count = 0; count < 7; count++) {
        metadata->term_tail_counters[count % 3] = rj_tail_pack(term_id, 96);
        cr_assert_eq(rj_log_producer_poll(&producer, &fixture.log), 0);
        cr_assert_eq(producer.position, count * 65536 + 96);
        metadata->term_tail_counters[count % 3] = rj_tail_pack(term_id, 65536 + 64);
        cr_assert_eq(rj_log_producer_poll(&producer, &fixture.log), 0);
        cr_assert_eq(producer.position, (count + 1) * 65536, "the tail is cut at the term's end");
        cr_assert(rj_log_rotate(&fixture.log, count, term_id));
        cr_assert_eq(rj_log_producer_poll(&producer, &fixture.log), 0);
        cr_assert_eq(producer.position, (count + 1) * 65536);
        term_id = rj_term_id_add(term_id, 1);
    }
}

/* Half of a rotation: the next tail is there and the count is not. */
Test(log_buffer, accepts_a_tail_that_is_one_rotation_ahead)
{
    rj_log_params_t params = rj_log_fixture_params(5);
    rj_log_fixture_open(&fixture, &params);
    rj_log_producer_t producer;
    rj_log_producer_init(&producer, &fixture.log, 0);
    fixture.log.metadata->term_tail_counters[1] = rj_tail_pack(6, 0);
    cr_assert_eq(rj_log_producer_poll(&producer, &fixture.log), 0);
    cr_assert_eq(producer.position, 0);
}

/* shm.md 17 */
Test(log_buffer, recognises_tails_that_a_client_has_spoilt)
{
    rj_log_params_t params = rj_log_fixture_params(5);
    params.start_term_id = 9;
    rj_log_fixture_open(&fixture, &params);
    rj_log_metadata_t *metadata = fixture.log.metadata;
    const rj_log_metadata_t sound = *metadata;
    const struct {
        int32_t active_count;
        int32_t partition;
        int64_t tail;
    } rows[] = {
        {-1, 1, rj_tail_pack(9, 0)},            /* a negative count */
        {3, 1, rj_tail_pack(9, 0)},             /* a count that went back */
        {5, 1, rj_tail_pack(9, 0)},             /* a count without its tail */
        {4, 1, rj_tail_pack(10, 0)},            /* a term in the wrong partition */
        {4, 1, rj_tail_pack(12, 0)},            /* right partition, a round ahead */
        {4, 1, rj_tail_pack(6, 0)},             /* right partition, a round behind */
        {4, 2, rj_tail_pack(13, 0)},            /* next tail too far ahead */
        {4, 0, rj_tail_pack(5, 0)},             /* last tail too far behind */
        {4, 1, rj_tail_pack(9, 33)},            /* an offset no frame has */
        {4, 1, rj_tail_pack(INT32_MIN + 8, 0)}, /* a term id from nowhere */
        {INT32_MAX, 1, rj_tail_pack(9, 0)},     /* a count from nowhere */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rj_log_producer_t producer;
        *metadata = sound;
        rj_log_producer_init(&producer, &fixture.log, 4 * 65536);
        cr_assert_eq(rj_log_producer_poll(&producer, &fixture.log), 0);
        metadata->active_term_count = rows[i].active_count;
        metadata->term_tail_counters[rows[i].partition] = rows[i].tail;
        cr_assert_eq(rj_log_producer_poll(&producer, &fixture.log), -EBADMSG, "row %zu", i);
        cr_assert_eq(producer.position, 4 * 65536);
    }
    rj_log_producer_t producer;
    *metadata = sound;
    rj_log_producer_init(&producer, &fixture.log, 4 * 65536);
    metadata->term_tail_counters[1] = rj_tail_pack(9, 640);
    cr_assert_eq(rj_log_producer_poll(&producer, &fixture.log), 0);
    metadata->term_tail_counters[1] = rj_tail_pack(9, 320);
    cr_assert_eq(rj_log_producer_poll(&producer, &fixture.log), -EBADMSG, "a tail that went back");
}

Test(log_buffer, knows_a_publisher_that_starts_at_the_end_of_a_term)
{
    rj_log_params_t params = rj_log_fixture_params(0);
    params.start_term_id = params.initial_term_id + 2;
    params.start_term_offset = params.term_length;
    rj_log_fixture_open(&fixture, &params);
    rj_log_producer_t producer;
    rj_log_producer_init(&producer, &fixture.log, 3 * 65536);
    cr_assert_eq(rj_log_producer_poll(&producer, &fixture.log), 0);
    cr_assert_eq(producer.position, 3 * 65536);
    rj_log_rotate(&fixture.log, 2, params.start_term_id);
    cr_assert_eq(rj_log_producer_poll(&producer, &fixture.log), 0);
    cr_assert_eq(producer.position, 3 * 65536);
}

Test(log_buffer, cleans_one_term_at_a_time)
{
    rj_log_params_t params = rj_log_fixture_params(0);
    rj_log_fixture_open(&fixture, &params);
    const rj_log_t *log = &fixture.log;
    memset(log->terms[0], 0xaa, 3 * 65536);
    int64_t clean = 0;
    rj_log_clean_to(log, &clean, -65536);
    cr_assert_eq(clean, 0);
    rj_log_clean_to(log, &clean, 32);
    cr_assert_eq(clean, 32);
    cr_assert(rj_is_zero(log->terms[0], 32));
    cr_assert_eq(log->terms[0][32], 0xaa);
    rj_log_clean_to(log, &clean, 65536 + 64);
    cr_assert_eq(clean, 65536, "the rest follows with the next call");
    rj_log_clean_to(log, &clean, 65536 + 64);
    cr_assert_eq(clean, 65536 + 64);
    cr_assert(rj_is_zero(log->terms[0], 65536 + 64));
    cr_assert_eq(log->terms[1][64], 0xaa);
    rj_log_clean_to(log, &clean, 65536 + 64);
    cr_assert_eq(clean, 65536 + 64);
    clean = 3 * 65536 - 32;
    rj_log_clean_to(log, &clean, 3 * 65536);
    cr_assert(rj_is_zero(log->terms[2] + 65536 - 32, 32));
    cr_assert_eq(log->terms[2][65536 - 33], 0xaa);
    clean = 3 * 65536;
    log->terms[0][0] = 1;
    rj_log_clean_to(log, &clean, 3 * 65536 + 32);
    cr_assert_eq(log->terms[0][0], 0, "the fourth term lies where the first was");
}

/* shm.md 16, the gap rule */
Test(log_buffer, stops_the_limit_when_cleaning_lags)
{
    rj_log_params_t params = rj_log_fixture_params(0);
    rj_log_fixture_open(&fixture, &params);
    const int64_t term = 65536;
    cr_assert(rj_log_limit_is_clean(&fixture.log, 0, 2 * term - 32));
    cr_assert_not(rj_log_limit_is_clean(&fixture.log, 0, 2 * term));
    cr_assert(rj_log_limit_is_clean(&fixture.log, 32, 2 * term));
    cr_assert(rj_log_limit_is_clean(&fixture.log, 32, 3 * term - 32));
    cr_assert_not(rj_log_limit_is_clean(&fixture.log, 32, 3 * term));
}

Test(log_buffer, refuses_a_log_that_the_file_system_cannot_hold)
{
    rj_err_t err;
    int64_t usable = -1;
    rj_log_fixture_path(&fixture);
    cr_assert_eq(rj_log_check_storage(fixture.directory, 1, &usable, &err), 0);
    cr_assert_gt(usable, 0);
    cr_assert_eq(rj_log_check_storage(fixture.directory, INT64_MAX, NULL, &err), -ENOSPC);
    cr_assert_eq(err.aeron_code, RJ_ERROR_STORAGE_SPACE);
    cr_assert_not_null(strstr(err.text, "insufficient usable storage for new log of length="));
    cr_assert_eq(rj_log_check_storage("/nowhere/at/all", 1, NULL, &err), -ENOENT);
}
