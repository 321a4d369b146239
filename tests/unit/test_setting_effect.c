/* SPDX-License-Identifier: Apache-2.0 */
/* Each setting does what it says: a row names it, a value, and where that is to be seen. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "conductor/conductor.h"
#include "shm/log_buffer.h"
#include "shm/term_append.h"
#include "tests/fixtures/driver_rig.h"

#define CHANNEL    "aeron:udp?endpoint=127.0.0.1:24480"
#define MILLIS(n)  ((n)*INT64_C(1000000))
#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { CLIENT = 7000, STREAM = 1001, TERM = 65536 };

static driver_rig_t rig;

TestSuite(setting_effect, .timeout = 60);

/* The client is there when this returns. */
static void open_with(const char *name, const char *value, const char *also, const char *also_value)
{
    const char *const settings[] = {name, value, also, also_value, NULL};
    driver_rig_open(&rig, settings);
    driver_rig_make_client(&rig, CLIENT);
}

static int64_t subscribe(const char *channel)
{
    const int64_t id = driver_rig_add_subscription(&rig, CLIENT, channel, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    return id;
}

static rig_event_t publish(const char *channel)
{
    driver_rig_add_publication(&rig, CLIENT, true, channel, STREAM);
    return driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
}

static void drop_publication(int64_t id)
{
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_PUBLICATION, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
}

/* Turns until everything that is due has happened. */
static void settle(void)
{
    for (int quiet = 0; quiet < 10;)
        quiet = driver_rig_turn(&rig) > 0 ? 0 : quiet + 1;
}

/* Time goes by, the client lives; `step_ns` is as fine as the test needs it. */
static void pass(int64_t duration_ns, int64_t step_ns)
{
    const rj_command_header_t keepalive = {CLIENT, -1};
    for (int64_t done_ns = 0; done_ns < duration_ns; done_ns += step_ns) {
        rig.now_ns += step_ns;
        rig.epoch_ms += step_ns / 1000000;
        driver_rig_write(&rig, RJ_COMMAND_CLIENT_KEEPALIVE, &keepalive, sizeof(keepalive));
        settle();
    }
}

/* --- the CnC file --- */

static int64_t read_number(const void *bytes, size_t size)
{
    int64_t wide = 0;
    int32_t narrow = 0;
    memcpy(size == sizeof(narrow) ? (void *)&narrow : (void *)&wide, bytes, size);
    return size == sizeof(narrow) ? narrow : wide;
}

Test(setting_effect, of_buffers_and_liveness_is_in_the_cnc_file)
{
    static const struct {
        const char *name;
        const char *value;
        size_t offset;
        size_t size;
        int64_t expected;
    } rows[] = {
        {"AERON_CONDUCTOR_BUFFER_LENGTH", "2097920", 4, 4, 2097920},
        {"AERON_CLIENTS_BUFFER_LENGTH", "2097280", 8, 4, 2097280},
        {"AERON_COUNTERS_BUFFER_LENGTH", "2m", 16, 4, 2 << 20},
        {"AERON_ERROR_BUFFER_LENGTH", "8m", 20, 4, 8 << 20},
        {"AERON_CLIENT_LIVENESS_TIMEOUT", "7s", 24, 8, SECONDS(7)},
        {"AERON_FILE_PAGE_SIZE", "16k", 48, 4, 16384},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        open_with(rows[i].name, rows[i].value, NULL, NULL);
        const uint8_t *header = (const uint8_t *)rig.cnc.header;
        cr_expect_eq(read_number(header + rows[i].offset, rows[i].size), rows[i].expected, "%s",
                     rows[i].name);
        driver_rig_close(&rig);
    }
}

/* --- counters' labels --- */

Test(setting_effect, of_thresholds_and_modes_is_in_the_labels_of_counters)
{
    static const struct {
        const char *name;
        const char *value;
        int counter;
        const char *label_end;
    } rows[] = {
        {"AERON_DRIVER_CONDUCTOR_CYCLE_THRESHOLD", "321us", RJ_SYSTEM_CONDUCTOR_CYCLE_TIME_EXCEEDED,
         ": threshold=321us SHARED"},
        {"AERON_DRIVER_SENDER_CYCLE_THRESHOLD", "7200s", RJ_SYSTEM_SENDER_CYCLE_TIME_EXCEEDED,
         ": threshold=7200s SHARED"},
        {"AERON_DRIVER_RECEIVER_CYCLE_THRESHOLD", "3ms", RJ_SYSTEM_RECEIVER_CYCLE_TIME_EXCEEDED,
         ": threshold=3ms SHARED"},
        {"AERON_DRIVER_NAME_RESOLVER_THRESHOLD", "4s", RJ_SYSTEM_NAME_RESOLVER_TIME_EXCEEDED,
         ": threshold=4s"},
        {"AERON_DRIVER_RESOLVER_NAME", "sloane", RJ_SYSTEM_RESOLUTION_CHANGES,
         ": driverName=sloane"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rj_counter_view_t view;
        open_with(rows[i].name, rows[i].value, NULL, NULL);
        cr_assert_eq(rj_counters_read(&rig.counters, rows[i].counter, &view), 0);
        const size_t length = strlen(view.label);
        const size_t end = strlen(rows[i].label_end);
        cr_expect(length >= end && strcmp(view.label + length - end, rows[i].label_end) == 0,
                  "%s: %s", rows[i].name, view.label);
        driver_rig_close(&rig);
    }
}

/* --- what a stream's log says of it --- */

typedef enum where { NETWORK_LOG, IPC_LOG, IMAGE_LOG } where_t;

/* The metadata of the log that such a stream gets, the image's of a publication on loopback. */
static rj_log_metadata_t read_metadata(where_t where)
{
    static rj_log_metadata_t metadata;
    char path[512];
    if (where == IMAGE_LOG)
        subscribe(CHANNEL);
    rig_event_t event = publish(where == IPC_LOG ? "aeron:ipc" : CHANNEL);
    const char *text = (const char *)event.bytes + sizeof(event.publication);
    int32_t length = event.publication.log_file_length;
    if (where == IMAGE_LOG) {
        event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
        text = (const char *)event.bytes + sizeof(event.image);
        length = event.image.log_file_length;
    }
    snprintf(path, sizeof(path), "%.*s", length, text);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    cr_assert_eq(fseek(file, -(long)sizeof(metadata), SEEK_END), 0);
    cr_assert_eq(fread(&metadata, sizeof(metadata), 1, file), 1);
    fclose(file);
    return metadata;
}

#define IN_LOG(field) offsetof(rj_log_metadata_t, field), sizeof(((rj_log_metadata_t *)0)->field)

Test(setting_effect, of_streams_is_in_their_logs)
{
    static const struct {
        const char *name;
        const char *value;
        where_t where;
        size_t offset;
        size_t size;
        int64_t expected;
    } rows[] = {
        {"AERON_TERM_BUFFER_LENGTH", "128k", NETWORK_LOG, IN_LOG(term_length), 131072},
        {"AERON_IPC_TERM_BUFFER_LENGTH", "256k", IPC_LOG, IN_LOG(term_length), 262144},
        {"AERON_MTU_LENGTH", "2k", NETWORK_LOG, IN_LOG(mtu_length), 2048},
        {"AERON_IPC_MTU_LENGTH", "4k", IPC_LOG, IN_LOG(mtu_length), 4096},
        {"AERON_FILE_PAGE_SIZE", "16k", NETWORK_LOG, IN_LOG(page_size), 16384},
        {"AERON_FILE_PAGE_SIZE", "16k", IMAGE_LOG, IN_LOG(page_size), 16384},
        {"AERON_PUBLICATION_TERM_WINDOW_LENGTH", "8k", NETWORK_LOG,
         IN_LOG(publication_window_length), 8192},
        {"AERON_IPC_PUBLICATION_TERM_WINDOW_LENGTH", "16k", IPC_LOG,
         IN_LOG(publication_window_length), 16384},
        {"AERON_RCV_INITIAL_WINDOW_LENGTH", "4k", IMAGE_LOG, IN_LOG(receiver_window_length), 4096},
        {"AERON_PUBLICATION_LINGER_TIMEOUT", "3s", NETWORK_LOG, IN_LOG(linger_timeout_ns),
         SECONDS(3)},
        {"AERON_UNTETHERED_WINDOW_LIMIT_TIMEOUT", "3s", NETWORK_LOG,
         IN_LOG(untethered_window_limit_timeout_ns), SECONDS(3)},
        {"AERON_UNTETHERED_LINGER_TIMEOUT", "4s", NETWORK_LOG, IN_LOG(untethered_linger_timeout_ns),
         SECONDS(4)},
        {"AERON_UNTETHERED_RESTING_TIMEOUT", "6s", NETWORK_LOG,
         IN_LOG(untethered_resting_timeout_ns), SECONDS(6)},
        {"AERON_SPIES_SIMULATE_CONNECTION", "true", NETWORK_LOG, IN_LOG(spies_simulate_connection),
         1},
        {"AERON_TERM_BUFFER_SPARSE_FILE", "false", NETWORK_LOG, IN_LOG(sparse), 0},
        {"AERON_RELIABLE_STREAM", "false", IMAGE_LOG, IN_LOG(reliable), 0},
        {"AERON_TETHER_SUBSCRIPTIONS", "false", IMAGE_LOG, IN_LOG(tether), 0},
        {"AERON_REJOIN_STREAM", "false", IMAGE_LOG, IN_LOG(rejoin), 0},
        {"AERON_RECEIVER_GROUP_CONSIDERATION", "true", IMAGE_LOG, IN_LOG(group), 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int is_set = 0; is_set <= 1; is_set++) {
            open_with(is_set != 0 ? rows[i].name : "AERON_NOTHING", rows[i].value, NULL, NULL);
            const rj_log_metadata_t metadata = read_metadata(rows[i].where);
            const uint8_t *field = (const uint8_t *)&metadata + rows[i].offset;
            const int64_t seen = rows[i].size == 1 ? *field : read_number(field, rows[i].size);
            cr_expect_eq(seen == rows[i].expected, is_set == 1, "%s=%s: %" PRId64 " %s",
                         rows[i].name, rows[i].value, seen, is_set != 0 ? "set" : "unset");
            driver_rig_close(&rig);
        }
    }
}

/* --- files --- */

static int64_t count_blocks(const char *name, const char *value)
{
    char path[512];
    struct stat status;
    open_with(name, value, NULL, NULL);
    const rig_event_t event = publish("aeron:ipc");
    snprintf(path, sizeof(path), "%.*s", event.publication.log_file_length,
             (const char *)event.bytes + sizeof(event.publication));
    cr_assert_eq(stat(path, &status), 0, "%s", path);
    driver_rig_close(&rig);
    return status.st_blocks * INT64_C(512);
}

Test(setting_effect, of_sparse_files_is_how_much_room_they_take)
{
    cr_expect_lt(count_blocks("AERON_TERM_BUFFER_SPARSE_FILE", "true"), TERM);
    cr_expect_geq(count_blocks("AERON_TERM_BUFFER_SPARSE_FILE", "false"), 3 * TERM);
}

Test(setting_effect, of_the_loss_report_is_its_length)
{
    char path[512];
    struct stat status;
    open_with("AERON_LOSS_REPORT_BUFFER_LENGTH", "20k", NULL, NULL);
    snprintf(path, sizeof(path), "%s/loss-report.dat", rig.dir);
    cr_assert_eq(stat(path, &status), 0);
    cr_expect_eq(status.st_size, 20480);
    driver_rig_close(&rig);
}

Test(setting_effect, of_the_low_storage_threshold_is_a_warning_in_the_error_log)
{
    open_with("AERON_LOW_FILE_STORE_WARNING_THRESHOLD", "900g", NULL, NULL);
    publish("aeron:ipc");
    cr_expect(driver_rig_has_error(&rig, "WARNING: space is running low"));
    driver_rig_close(&rig);
    open_with("AERON_LOW_FILE_STORE_WARNING_THRESHOLD", "900g", "AERON_PERFORM_STORAGE_CHECKS",
              "false");
    publish("aeron:ipc");
    cr_expect_not(driver_rig_has_error(&rig, "WARNING: space is running low"));
    driver_rig_close(&rig);
}

/* --- times --- */

/* How long, to the nearest step, until no log is left. */
static int64_t wait_for_no_logs(int64_t step_ns, int64_t limit_ns)
{
    int64_t waited_ns = 0;
    while (driver_rig_log_count(&rig) > 0 && waited_ns < limit_ns) {
        pass(step_ns, step_ns);
        waited_ns += step_ns;
    }
    return waited_ns;
}

Test(setting_effect, of_the_linger_timeout_is_when_a_publication_goes)
{
    static const struct {
        const char *value;
        int64_t linger_ns;
    } rows[] = {{"300ms", MILLIS(300)}, {"2s", SECONDS(2)}};
    for (size_t i = 0; i < 2; i++) {
        open_with("AERON_PUBLICATION_LINGER_TIMEOUT", rows[i].value, "AERON_TIMER_INTERVAL",
                  "100ms");
        drop_publication(publish(CHANNEL).publication.registration_id);
        const int64_t took_ns = wait_for_no_logs(MILLIS(100), SECONDS(9));
        cr_expect(took_ns >= rows[i].linger_ns && took_ns <= rows[i].linger_ns + MILLIS(600),
                  "%s: %" PRId64, rows[i].value, took_ns);
        driver_rig_close(&rig);
    }
}

Test(setting_effect, of_the_client_liveness_is_when_a_silent_client_goes)
{
    for (int seconds = 2; seconds <= 4; seconds += 2) {
        char value[16];
        snprintf(value, sizeof(value), "%ds", seconds);
        open_with("AERON_CLIENT_LIVENESS_TIMEOUT", value, NULL, NULL);
        driver_rig_advance(&rig, SECONDS(seconds - 1));
        cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_CLIENT_TIMEOUTS), 0);
        driver_rig_advance(&rig, SECONDS(3));
        cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_CLIENT_TIMEOUTS), 1);
        driver_rig_close(&rig);
    }
}

static int32_t add_counter(int64_t *ret_id)
{
    rj_command_counter_t command = {.header = {CLIENT, driver_rig_id(&rig)}, .type_id = 1000};
    uint8_t body[sizeof(command) + 8] = {0};
    *ret_id = command.header.correlation_id;
    memcpy(body, &command, sizeof(command));
    driver_rig_write(&rig, RJ_COMMAND_ADD_COUNTER, body, sizeof(body));
    return driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY).counter.counter_id;
}

Test(setting_effect, of_the_reuse_timeout_is_which_counter_comes_next)
{
    for (int is_long = 0; is_long <= 1; is_long++) {
        int64_t id;
        open_with("AERON_COUNTERS_FREE_TO_REUSE_TIMEOUT", is_long != 0 ? "1000s" : "0", NULL, NULL);
        const int32_t first = add_counter(&id);
        driver_rig_remove(&rig, RJ_COMMAND_REMOVE_COUNTER, CLIENT, id);
        (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
        (void)driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_COUNTER);
        pass(SECONDS(2), SECONDS(1));
        cr_expect_eq(add_counter(&id) == first, is_long == 0);
        driver_rig_close(&rig);
    }
}

Test(setting_effect, of_the_status_message_timeout_is_how_often_receivers_speak)
{
    int64_t counts[2];
    for (int i = 0; i < 2; i++) {
        open_with("AERON_RCV_STATUS_MESSAGE_TIMEOUT", i == 0 ? "100ms" : "500ms", NULL, NULL);
        subscribe(CHANNEL);
        publish(CHANNEL);
        (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
        settle();
        const int64_t before = driver_rig_system_counter(&rig, RJ_SYSTEM_SMS_SENT);
        pass(SECONDS(5), MILLIS(20));
        counts[i] = driver_rig_system_counter(&rig, RJ_SYSTEM_SMS_SENT) - before;
        driver_rig_close(&rig);
    }
    cr_expect(counts[0] >= 40 && counts[0] <= 52, "%" PRId64, counts[0]);
    cr_expect(counts[1] >= 8 && counts[1] <= 11, "%" PRId64, counts[1]);
}

/* --- what one turn does --- */

/* Ten datagrams of data. */
static void append_ten(const rig_event_t *ready)
{
    enum { DATAGRAMS = 10, MTU = 1408 };
    static uint8_t bytes[MTU - RJ_DATA_HEADER_BYTES];
    char path[512];
    rj_log_t log;
    rj_err_t err;
    rj_exclusive_t exclusive;
    const struct iovec part = {bytes, sizeof(bytes)};
    snprintf(path, sizeof(path), "%.*s", ready->publication.log_file_length,
             (const char *)ready->bytes + sizeof(ready->publication));
    cr_assert_eq(rj_log_map(&log, path, &err), 0, "%s", err.text);
    rj_exclusive_init(&exclusive, &log);
    for (int i = 0; i < DATAGRAMS; i++)
        cr_assert_gt(rj_exclusive_append(&exclusive, TERM / 2, &part, 1, 0), 0);
    rj_log_close(&log);
}

Test(setting_effect, of_messages_per_send_is_how_many_datagrams_leave_in_a_turn)
{
    for (int count = 2; count <= 5; count += 3) {
        const char *value = count == 2 ? "2" : "5";
        open_with("AERON_NETWORK_PUBLICATION_MAX_MESSAGES_PER_SEND", value, NULL, NULL);
        subscribe(CHANNEL);
        const rig_event_t ready = publish(CHANNEL);
        (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
        pass(SECONDS(1), MILLIS(100));
        append_ten(&ready);
        const int64_t id = ready.publication.registration_id;
        const int64_t before = driver_rig_counter(&rig, RJ_COUNTER_TYPE_SENDER_POSITION, id).value;
        rj_driver_engine_work(rig.driver, 0, rig.now_ns);
        const int64_t after = driver_rig_counter(&rig, RJ_COUNTER_TYPE_SENDER_POSITION, id).value;
        cr_expect_eq(after - before, count * 1408, "%s: %" PRId64, value, after - before);
        driver_rig_close(&rig);
    }
}

/* A sender reads status messages, a receiver data: each in lots of its own. */
Test(setting_effect, of_io_vectors_is_how_much_an_engine_reads_in_one_go)
{
    rj_driver_config_t config = {.receive_batch = 7, .control_batch = 3};
    cr_expect_eq(rj_driver_port_params(&config, RJ_ENGINE_RECEIVER).receive_batch, 7);
    cr_expect_eq(rj_driver_port_params(&config, RJ_ENGINE_BOTH).receive_batch, 7);
    cr_expect_eq(rj_driver_port_params(&config, RJ_ENGINE_SENDER).receive_batch, 3);
}

/* --- sockets --- */

/* A socket of the driver, which is in this process: bound to the channel's port, or connected to
 * it. */
static int find_socket(int (*name)(int fd, struct sockaddr *restrict address,
                                   socklen_t *restrict length))
{
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in address = {0};
        socklen_t length = sizeof(address);
        if (name(fd, (struct sockaddr *)&address, &length) == 0 && ntohs(address.sin_port) == 24480)
            return fd;
    }
    return -1;
}

static int get_option(int fd, int option)
{
    int value = -1;
    socklen_t length = sizeof(value);
    cr_assert_eq(getsockopt(fd, SOL_SOCKET, option, &value, &length), 0);
    return value;
}

/* The kernel doubles what it is asked for, for its own needs. */
Test(setting_effect, of_socket_buffers_is_what_the_kernel_grants)
{
    open_with("AERON_SOCKET_SO_RCVBUF", "200k", "AERON_SOCKET_SO_SNDBUF", "100k");
    subscribe(CHANNEL);
    publish(CHANNEL);
    cr_expect_eq(get_option(find_socket(getsockname), SO_RCVBUF), 2 * 200 * 1024);
    cr_expect_eq(get_option(find_socket(getpeername), SO_SNDBUF), 2 * 100 * 1024);
    driver_rig_close(&rig);
}

Test(setting_effect, of_connecting_sockets_is_that_they_have_a_peer)
{
    open_with("AERON_DRIVER_CONNECT", "true", NULL, NULL);
    publish(CHANNEL);
    cr_expect_neq(find_socket(getpeername), -1);
    driver_rig_close(&rig);
    open_with("AERON_DRIVER_CONNECT", "false", NULL, NULL);
    publish(CHANNEL);
    cr_expect_eq(find_socket(getpeername), -1);
    driver_rig_close(&rig);
}

Test(setting_effect, of_the_multicast_ttl_is_how_far_groups_reach)
{
    open_with("AERON_SOCKET_MULTICAST_TTL", "5", NULL, NULL);
    publish("aeron:udp?endpoint=239.255.48.49:24480|interface=127.0.0.1");
    int count = 0;
    for (int fd = 3; fd < 256; fd++) {
        int ttl = 0;
        socklen_t length = sizeof(ttl);
        count += getsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, &length) == 0 && ttl == 5;
    }
    cr_expect_eq(count, 1);
    driver_rig_close(&rig);
}
