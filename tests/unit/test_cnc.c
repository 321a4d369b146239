/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/cnc.h"

#include "base/atomic.h"
#include "shm/broadcast.h"
#include "shm/counters.h"
#include "shm/error_log.h"
#include "shm/ring_mpsc.h"
#include "tests/fixtures/hex.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[64];
static char path[128];

static void make_directory(void)
{
    strcpy(directory, "/tmp/rj-cnc-XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/cnc.dat", directory);
}

static void remove_directory(void)
{
    unlink(path);
    rmdir(directory);
}

TestSuite(cnc, .init = make_directory, .fini = remove_directory);

static rj_cnc_params_t default_params(void)
{
    return (rj_cnc_params_t){
        .to_driver_length = RJ_TO_DRIVER_BYTES_DEFAULT,
        .to_clients_length = RJ_TO_CLIENTS_BYTES_DEFAULT,
        .counters_values_length = RJ_COUNTERS_VALUES_BYTES_DEFAULT,
        .error_log_length = RJ_ERROR_LOG_BYTES_DEFAULT,
        .file_page_size = RJ_PAGE_SIZE_MIN,
        .client_liveness_timeout_ns = INT64_C(10000000000),
        .start_epoch_ms = 1700000000123,
        .pid = 4711,
    };
}

static rj_cnc_params_t small_params(void)
{
    rj_cnc_params_t params = default_params();
    params.to_driver_length = 4096 + RJ_RING_TRAILER_BYTES;
    params.to_clients_length = 4096 + RJ_BROADCAST_TRAILER_BYTES;
    params.counters_values_length = 64 * 128;
    params.error_log_length = 4096;
    return params;
}

/* shm.md 4.3 */
Test(cnc, places_the_sections_where_the_specification_does)
{
    rj_cnc_t cnc;
    rj_cnc_params_t params = default_params();
    cr_assert_eq(rj_cnc_file_length(&params, NULL), 48238592);
    cr_assert_eq(rj_cnc_create(&cnc, directory, &params, NULL), 0);
    const uint8_t *begin = cnc.file.bytes;
    cr_assert_eq(cnc.to_driver.bytes - begin, 0x80);
    cr_assert_eq(cnc.to_clients.bytes - begin, 0x100380);
    cr_assert_eq(cnc.counters_metadata.bytes - begin, 0x200400);
    cr_assert_eq(cnc.counters_values.bytes - begin, 0x2200400);
    cr_assert_eq(cnc.error_log.bytes - begin, 0x2A00400);
    cr_assert_eq(cnc.error_log.bytes + cnc.error_log.length_bytes - begin, 48235520);
    rj_cnc_close(&cnc);
}

/* shm.md 4.1, 19.1 */
Test(cnc, writes_the_header_of_the_specification)
{
    rj_cnc_t cnc;
    rj_cnc_params_t params = small_params();
    cr_assert_eq(rj_cnc_create(&cnc, directory, &params, NULL), 0);
    cr_assert_eq(rj_hex_compare(cnc.file.bytes, "00 00 00 00 00 13 00 00 80 10 00 00 00 80 00 00"
                                                "00 20 00 00 00 10 00 00 00 e4 0b 54 02 00 00 00"
                                                "7b 68 e5 cf 8b 01 00 00 67 12 00 00 00 00 00 00"
                                                "00 10 00 00 00 00 00 00"),
                 56);
    rj_cnc_publish(&cnc, 1700000000200);
    cr_assert_eq(rj_hex_compare(cnc.file.bytes, "00 02 00 00"), 4);
    cr_assert_eq(rj_cnc_heartbeat_ms(&cnc), 1700000000200);
    rj_ring_mpsc_t ring;
    cr_assert_eq(rj_ring_mpsc_attach(&ring, cnc.to_driver.bytes, cnc.to_driver.length_bytes), 0);
    cr_assert_eq(rj_ring_mpsc_next_correlation_id(&ring), 1, "0 is never a valid id");
    rj_cnc_retire(&cnc);
    cr_assert_eq(rj_ring_mpsc_heartbeat_ms(&ring), -1);
    rj_cnc_close(&cnc);
}

Test(cnc, gives_a_client_the_sections_of_the_driver)
{
    rj_cnc_t driver, client;
    rj_err_t err;
    rj_cnc_params_t params = small_params();
    cr_assert_eq(rj_cnc_try_map(&client, directory, RJ_MAPFILE_READ_WRITE, &err), -EAGAIN);
    cr_assert_eq(rj_cnc_create(&driver, directory, &params, NULL), 0);
    cr_assert_eq(rj_cnc_try_map(&client, directory, RJ_MAPFILE_READ_WRITE, &err), -EAGAIN);
    cr_assert_null(client.file.bytes);
    rj_cnc_publish(&driver, 5000);
    cr_assert_eq(rj_cnc_try_map(&client, directory, RJ_MAPFILE_READ_WRITE, &err), 0);
    cr_assert_eq(client.header->pid, 4711);
    cr_assert_eq(client.error_log.bytes - client.file.bytes,
                 driver.error_log.bytes - driver.file.bytes);

    cr_assert(rj_cnc_driver_is_alive(&client, 15000, 10000));
    cr_assert_not(rj_cnc_driver_is_alive(&client, 15001, 10000));
    rj_cnc_retire(&driver);
    cr_assert_not(rj_cnc_driver_is_alive(&client, 5000, 10000));

    rj_ring_mpsc_t ring;
    rj_broadcast_t broadcast;
    rj_counters_reader_t counters;
    cr_assert_eq(rj_ring_mpsc_attach(&ring, client.to_driver.bytes, client.to_driver.length_bytes),
                 0);
    cr_assert_eq(
        rj_broadcast_attach(&broadcast, client.to_clients.bytes, client.to_clients.length_bytes),
        0);
    cr_assert_eq(rj_counters_reader_init(&counters, client.counters_metadata.bytes,
                                         client.counters_metadata.length_bytes,
                                         client.counters_values.bytes,
                                         client.counters_values.length_bytes),
                 0);
    rj_cnc_close(&client);
    rj_cnc_close(&client);
    rj_cnc_close(&driver);
}

Test(cnc, lets_only_one_of_two_drivers_create_it)
{
    rj_cnc_t first, second;
    rj_err_t err;
    rj_cnc_params_t params = small_params();
    cr_assert_eq(rj_cnc_create(&first, directory, &params, NULL), 0);
    cr_assert_eq(rj_cnc_create(&second, directory, &params, &err), -EEXIST);
    cr_assert_null(second.file.bytes);
    rj_cnc_close(&first);
}

Test(cnc, accepts_its_own_major_version_only)
{
    rj_cnc_t driver, client;
    rj_err_t err;
    rj_cnc_params_t params = small_params();
    cr_assert_eq(rj_cnc_create(&driver, directory, &params, NULL), 0);
    driver.header->version = 0x00010000;
    cr_assert_eq(rj_cnc_try_map(&client, directory, RJ_MAPFILE_READ_ONLY, &err), -EPROTO);
    driver.header->version = 0x00000301;
    cr_assert_eq(rj_cnc_try_map(&client, directory, RJ_MAPFILE_READ_ONLY, &err), 0);
    rj_cnc_close(&client);
    rj_cnc_close(&driver);
}

Test(cnc, believes_no_section_length_that_cannot_be)
{
    rj_cnc_t driver, client;
    rj_err_t err;
    rj_cnc_params_t params = small_params();
    cr_assert_eq(rj_cnc_create(&driver, directory, &params, NULL), 0);
    rj_cnc_publish(&driver, 1);
    const rj_cnc_header_t sound = *driver.header;
    int32_t *lengths = &driver.header->to_driver_buffer_length;
    for (int i = 0; i < 5; i++) {
        lengths[i] = -1;
        cr_assert_eq(rj_cnc_inspect(&client, directory, RJ_MAPFILE_READ_ONLY, &err), -EPROTO);
        lengths[i] = INT32_MAX;
        cr_assert_eq(rj_cnc_inspect(&client, directory, RJ_MAPFILE_READ_ONLY, &err), -ENODATA);
        cr_assert_eq(rj_cnc_try_map(&client, directory, RJ_MAPFILE_READ_ONLY, &err), -EAGAIN);
        lengths[i] = i == 4 ? INT32_MIN : 0;
        cr_assert_eq(rj_cnc_inspect(&client, directory, RJ_MAPFILE_READ_ONLY, &err), -EPROTO);
        *driver.header = sound;
    }
    cr_assert_eq(truncate(path, 128), 0);
    cr_assert_eq(rj_cnc_inspect(&client, directory, RJ_MAPFILE_READ_ONLY, &err), -EAGAIN);
    rj_cnc_close(&driver);
}

Test(cnc, refuses_params_that_no_client_could_use)
{
    rj_err_t err;
    rj_cnc_params_t params = small_params();
    params.to_driver_length += 8;
    cr_assert_eq(rj_cnc_file_length(&params, &err), -EINVAL);
    params = small_params();
    params.to_clients_length = 4096;
    cr_assert_eq(rj_cnc_file_length(&params, &err), -EINVAL);
    params = small_params();
    params.counters_values_length += 64;
    cr_assert_eq(rj_cnc_file_length(&params, &err), -EINVAL);
    params = small_params();
    params.error_log_length = 0;
    cr_assert_eq(rj_cnc_file_length(&params, &err), -EINVAL);
    params = small_params();
    params.file_page_size = 5000;
    cr_assert_eq(rj_cnc_file_length(&params, &err), -EINVAL);
    params = small_params();
    params.counters_values_length = RJ_COUNTERS_VALUES_BYTES_MAX;
    cr_assert_eq(rj_cnc_file_length(&params, &err), -EINVAL, "the whole is above 2^31 - 1");
    params.counters_values_length = RJ_COUNTERS_VALUES_BYTES_MAX / 2;
    cr_assert_gt(rj_cnc_file_length(&params, &err), 0);
}
