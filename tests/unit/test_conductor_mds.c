/* SPDX-License-Identifier: Apache-2.0 */
/* Multi-destination subscriptions (commands.md 5.6; driver.md 13, 23.8). */
#include "conductor/conductor_receive.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fixtures/rig_stream.h"

#define MANUAL     "aeron:udp?control-mode=manual"
#define FIRST      "aeron:udp?endpoint=127.0.0.1:24461"
#define SECOND     "aeron:udp?endpoint=127.0.0.1:24462"
#define SAME       "|session-id=77|init-term-id=5|term-id=5|term-offset=0|term-length=64k|linger=0"
#define SECONDS(n) ((n)*INT64_C(1000000000))
#define MILLIS(n)  ((n)*INT64_C(1000000))

enum { CLIENT = 7000, STREAM = 1001, FIRST_PORT = 24461, TEXT_BYTES = 256 };

static driver_rig_t rig;

static void open_rig(void)
{
    driver_rig_open(&rig, NULL);
    driver_rig_make_client(&rig, CLIENT);
}

static void close_rig(void)
{
    driver_rig_close(&rig);
}

TestSuite(conductor_mds, .init = open_rig, .fini = close_rig);

static int64_t subscribe(const char *channel)
{
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, channel, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    return id;
}

static rig_event_t publish(const char *channel)
{
    driver_rig_add_publication(&rig, CLIENT, false, channel, STREAM);
    return driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
}

static void drop(int32_t type, int64_t id)
{
    driver_rig_remove(&rig, type, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
}

static int64_t send_destination(int32_t type, int64_t registration_id, const char *channel)
{
    uint8_t body[sizeof(rj_command_destination_t) + TEXT_BYTES];
    const rj_command_destination_t command = {.header = {CLIENT, driver_rig_id(&rig)},
                                              .registration_id = registration_id,
                                              .channel_length = (int32_t)strlen(channel)};
    memcpy(body, &command, sizeof(command));
    memcpy(body + sizeof(command), channel, strlen(channel));
    driver_rig_write(&rig, type, body, (int32_t)(sizeof(command) + strlen(channel)));
    return command.header.correlation_id;
}

static void expect_success(int64_t correlation_id)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    cr_expect_eq(event.success.correlation_id, correlation_id);
}

static void add(int64_t registration_id, const char *channel)
{
    expect_success(send_destination(RJ_COMMAND_ADD_RCV_DESTINATION, registration_id, channel));
}

static void take_away(int64_t registration_id, const char *channel)
{
    expect_success(send_destination(RJ_COMMAND_REMOVE_RCV_DESTINATION, registration_id, channel));
}

static void expect_refusal(int64_t correlation_id, int32_t code, const char *words)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(event.error.offending_correlation_id, correlation_id);
    cr_expect_eq(event.error.error_code, code, "%s", driver_rig_text(&event));
    cr_expect_not_null(strstr(driver_rig_text(&event), words), "'%s' in: %s", words,
                       driver_rig_text(&event));
}

static rig_reader_t expect_image(int64_t subscription_id)
{
    rig_reader_t reader;
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    rig_reader_open(&reader, &rig, &event);
    cr_expect_eq(reader.subscription_id, subscription_id);
    return reader;
}

static void expect_unavailable(const rig_reader_t *reader)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_IMAGE);
    cr_expect_eq(event.unavailable.correlation_id, reader->image_id);
    cr_expect_eq(event.unavailable.subscription_registration_id, reader->subscription_id);
}

static void settle(void)
{
    for (int quiet = 0; quiet < 3;)
        quiet = driver_rig_turn(&rig) > 0 ? 0 : quiet + 1;
}

/* Less than a step of the rig's own clocks. */
static void pass(int64_t duration_ns)
{
    rig.now_ns += duration_ns;
    rig.epoch_ms += duration_ns / 1000000;
    settle();
}

/* The local addresses of a registration, the lowest counter id first. */
static int read_addresses(int64_t registration_id, rj_counter_view_t *views, int count_max)
{
    int count = 0;
    int32_t cursor = 0;
    rj_counter_view_t view;
    while (rj_counters_next(&rig.counters, &cursor, &view)) {
        if (view.type_id != RJ_COUNTER_TYPE_LOCAL_SOCKADDR ||
            view.registration_id != registration_id)
            continue;
        cr_assert_lt(count, count_max);
        views[count++] = view;
    }
    return count;
}

static int count_addresses(int64_t registration_id)
{
    rj_counter_view_t views[RJ_RECEIVE_DESTINATIONS_MAX];
    return read_addresses(registration_id, views, RJ_RECEIVE_DESTINATIONS_MAX);
}

static uint16_t port_of(const rj_counter_view_t *view)
{
    const rj_sockaddr_key_t *key = (const rj_sockaddr_key_t *)(const void *)view->key;
    char text[RJ_ADDRESS_TEXT_BYTES];
    snprintf(text, sizeof(text), "%.*s", key->address_length, key->address);
    return (uint16_t)atoi(strrchr(text, ':') + 1);
}

/* Whether another process could have the port now. */
static bool is_free(uint16_t port)
{
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const bool is_bound = bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return is_bound;
}

/* --- destinations come and go --- */

Test(conductor_mds, has_no_socket_before_a_destination_is_added)
{
    int64_t id = subscribe(MANUAL);
    rj_counter_view_t status = driver_rig_counter(&rig, RJ_COUNTER_TYPE_RECEIVE_CHANNEL_STATUS, id);
    cr_expect_eq(status.value, RJ_CHANNEL_STATUS_ACTIVE);
    cr_expect_str_eq(status.label, "rcv-channel: " MANUAL " ");
    cr_expect_eq(count_addresses(id), 0);

    add(id, FIRST);
    rj_counter_view_t views[2];
    cr_assert_eq(read_addresses(id, views, 2), 1);
    const rj_sockaddr_key_t *key = (const rj_sockaddr_key_t *)(const void *)views[0].key;
    cr_expect_eq(key->channel_status_id, status.id);
    cr_expect_eq(views[0].value, RJ_CHANNEL_STATUS_ACTIVE);
    cr_expect_eq(port_of(&views[0]), FIRST_PORT);
    cr_expect_not(is_free(FIRST_PORT));
}

Test(conductor_mds, tells_the_real_port_of_a_destination_before_it_says_success)
{
    int64_t id = subscribe(MANUAL);
    for (int i = 1; i <= 3; i++) {
        add(id, "aeron:udp?endpoint=127.0.0.1:0");
        rj_counter_view_t views[3];
        cr_assert_eq(read_addresses(id, views, 3), i);
        cr_expect_gt(port_of(&views[i - 1]), 0);
        cr_expect_not(is_free(port_of(&views[i - 1])));
    }
}

Test(conductor_mds, answers_a_removal_when_the_port_is_free)
{
    int64_t id = subscribe(MANUAL);
    add(id, FIRST);
    add(id, SECOND);
    take_away(id, FIRST);
    cr_expect(is_free(FIRST_PORT));
    cr_expect_eq(count_addresses(id), 1);
    take_away(id, FIRST); /* gone already */
    take_away(id,
              "aeron:udp?alias=x|endpoint=127.0.0.1:24462"); /* the same channel, said otherwise */
    cr_expect_eq(count_addresses(id), 0);
}

Test(conductor_mds, adds_again_what_is_being_removed)
{
    int64_t id = subscribe(MANUAL);
    int64_t ids[6];
    for (int i = 0; i < 6; i++)
        ids[i] = send_destination(i % 2 == 0 ? RJ_COMMAND_ADD_RCV_DESTINATION
                                             : RJ_COMMAND_REMOVE_RCV_DESTINATION,
                                  id, FIRST);
    for (int i = 0; i < 6; i++)
        expect_success(ids[i]);
    cr_expect_eq(count_addresses(id), 0);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_ERRORS), 0);
}

Test(conductor_mds, leaves_nothing_when_its_subscription_goes)
{
    int64_t id = subscribe(MANUAL);
    add(id, FIRST);
    add(id, "aeron:ipc");
    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, id);
    settle();
    cr_expect_eq(count_addresses(id), 0, "with the sockets, not with a timer");
    cr_expect(is_free(FIRST_PORT));
    driver_rig_live(&rig, CLIENT, SECONDS(3));
    cr_expect_eq(driver_rig_counter_count(&rig), 1, "the client's own");
}

Test(conductor_mds, goes_with_its_client)
{
    int64_t id = subscribe(MANUAL);
    add(id, FIRST);
    add(id, "aeron-spy:" SECOND);
    driver_rig_advance(&rig, SECONDS(20));
    cr_expect_eq(driver_rig_counter_count(&rig), 0);
    cr_expect(is_free(FIRST_PORT));
}

/* --- what is refused --- */

Test(conductor_mds, refuses_with_a_code_and_words)
{
    int64_t manual = subscribe(MANUAL);
    int64_t ordinary = subscribe("aeron:udp?endpoint=127.0.0.1:24463");
    int64_t ipc = subscribe("aeron:ipc");
    static const char not_manual[] = "channel does not allow manual control";
    const struct {
        int32_t type;
        int64_t registration_id;
        const char *channel;
        int32_t code;
        const char *words;
    } rows[] = {
        {RJ_COMMAND_ADD_RCV_DESTINATION, 12345, FIRST, 2, "unknown subscription"},
        {RJ_COMMAND_ADD_RCV_DESTINATION, 12345, "aeron:ipc", 2, "unknown subscription"},
        {RJ_COMMAND_ADD_RCV_DESTINATION, ipc, FIRST, 2, "unknown subscription"},
        {RJ_COMMAND_REMOVE_RCV_DESTINATION, 12345, FIRST, 2, "unknown subscription"},
        {RJ_COMMAND_ADD_RCV_DESTINATION, ordinary, FIRST, 1, not_manual},
        {RJ_COMMAND_ADD_RCV_DESTINATION, ordinary, "aeron:ipc", 1, not_manual},
        {RJ_COMMAND_ADD_RCV_DESTINATION, ordinary, "aeron-spy:" FIRST, 1, not_manual},
        {RJ_COMMAND_REMOVE_RCV_DESTINATION, ordinary, FIRST, 1, not_manual},
        {RJ_COMMAND_ADD_RCV_DESTINATION, manual, "nonsense", 1, "nonsense"},
        {RJ_COMMAND_ADD_RCV_DESTINATION, manual, FIRST "|mtu=1408", 1, "mtu"},
        {RJ_COMMAND_ADD_RCV_DESTINATION, manual, FIRST "|rcv-wnd=128k", 1, "rcv-wnd"},
        {RJ_COMMAND_ADD_RCV_DESTINATION, manual, FIRST "|so-rcvbuf=128k", 1, "so-rcvbuf"},
        {RJ_COMMAND_ADD_RCV_DESTINATION, manual, FIRST "|so-sndbuf=128k", 1, "so-sndbuf"},
        {RJ_COMMAND_ADD_RCV_DESTINATION, manual, FIRST "|response-correlation-id=3", 1,
         "response-correlation-id"},
        {RJ_COMMAND_ADD_RCV_DESTINATION, manual,
         "aeron:udp?control-mode=response|control=127.0.0.1:24464", 1, "control-mode=response"},
        {RJ_COMMAND_ADD_RCV_DESTINATION, manual, FIRST "|control=127.0.0.1:0", 11, "port"},
        {RJ_COMMAND_ADD_RCV_DESTINATION, manual, "aeron:udp?endpoint=224.20.30.40:24464", 11,
         "must be odd"},
        {RJ_COMMAND_ADD_RCV_DESTINATION, manual, "aeron-spy:aeron:ipc", 1, "spies are invalid"},
        {RJ_COMMAND_ADD_RCV_DESTINATION, manual, "aeron:udp?endpoint=127.0.0.1:24463", 11,
         "Address already in use"},
        {RJ_COMMAND_REMOVE_RCV_DESTINATION, manual, "aeron:ipc", 2, "aeron:ipc"},
        {RJ_COMMAND_REMOVE_RCV_DESTINATION, manual, "aeron-spy:" FIRST, 2, "aeron-spy:"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const int64_t errors = driver_rig_system_counter(&rig, RJ_SYSTEM_ERRORS);
        expect_refusal(send_destination(rows[i].type, rows[i].registration_id, rows[i].channel),
                       rows[i].code, rows[i].words);
        cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_ERRORS), errors + 1, "row %zu", i);
        cr_expect_eq(count_addresses(manual), 0, "row %zu", i);
    }
    cr_expect(driver_rig_has_error(&rig, "aeron:udp?endpoint=127.0.0.1:24463"));
    driver_rig_expect_nothing(&rig);
}

Test(conductor_mds, fails_a_destination_whose_name_is_unknown_with_that_code)
{
    int64_t id = subscribe(MANUAL);
    expect_refusal(
        send_destination(RJ_COMMAND_ADD_RCV_DESTINATION, id, "aeron:udp?endpoint=no.such.host:1"),
        RJ_ERROR_UNKNOWN_HOST, "endpoint=no.such.host:1");
    add(id, FIRST);
}

Test(conductor_mds, has_a_limit_of_destinations)
{
    int64_t id = subscribe(MANUAL);
    for (int i = 0; i < RJ_RECEIVE_DESTINATIONS_MAX; i++)
        add(id, "aeron:udp?endpoint=127.0.0.1:0");
    expect_refusal(send_destination(RJ_COMMAND_ADD_RCV_DESTINATION, id, FIRST), RJ_ERROR_GENERIC,
                   "more than 16 destinations");
    int64_t removal =
        send_destination(RJ_COMMAND_REMOVE_RCV_DESTINATION, id, "aeron:udp?endpoint=127.0.0.1:0");
    int64_t addition = send_destination(RJ_COMMAND_ADD_RCV_DESTINATION, id, FIRST);
    expect_success(removal);
    expect_success(addition);
    cr_expect_eq(count_addresses(id), RJ_RECEIVE_DESTINATIONS_MAX);
}

/* The first to have a port keeps it, whoever asks for it then; nothing is lost but the attempt. */
Test(conductor_mds, shares_a_port_with_nobody)
{
    int64_t first = subscribe(MANUAL);
    int64_t second = subscribe(MANUAL);
    add(first, FIRST);
    expect_refusal(send_destination(RJ_COMMAND_ADD_RCV_DESTINATION, second, FIRST),
                   RJ_ERROR_GENERIC, "Address already in use");
    expect_refusal(driver_rig_add_subscription(&rig, CLIENT, FIRST, STREAM), RJ_ERROR_GENERIC,
                   "Address already in use");
    cr_expect_eq(count_addresses(first), 1);
    cr_expect_eq(driver_rig_counter(&rig, RJ_COUNTER_TYPE_RECEIVE_CHANNEL_STATUS, second).value,
                 RJ_CHANNEL_STATUS_ACTIVE);
    take_away(first, FIRST);
    add(second, FIRST);
}

/* --- images --- */

static void write_to(rig_writer_t *writer, uint8_t value)
{
    cr_assert_gt(rig_writer_offer(writer, 992, value), 0);
    settle();
}

/* Two publications say the same; the image is one, and complete whichever of them is heard. */
Test(conductor_mds, hears_one_stream_by_two_ways)
{
    int64_t id = subscribe(MANUAL "|session-id=77");
    add(id, FIRST);
    rig_event_t ready[2];
    rig_writer_t writers[2];
    ready[0] = publish(FIRST SAME);
    rig_writer_open(&writers[0], &rig, &ready[0]);
    rig_reader_t reader = expect_image(id);
    settle();
    write_to(&writers[0], 1);
    cr_expect_eq(rig_reader_drain(&reader), 1024);
    cr_expect_eq(rj_log_active_transports(&reader.log), 0, "is counted when a message tells of it");

    add(id, SECOND);
    ready[1] = publish(SECOND SAME);
    rig_writer_open(&writers[1], &rig, &ready[1]);
    pass(MILLIS(300));
    write_to(&writers[1], 1); /* is there already */
    write_to(&writers[1], 2); /* is new */
    write_to(&writers[0], 2); /* no more */
    pass(MILLIS(300));
    cr_expect_eq(rig_reader_drain(&reader), 2048);
    cr_expect_eq(rj_log_active_transports(&reader.log), 2);

    take_away(id, FIRST);
    cr_expect_eq(rj_log_active_transports(&reader.log), 1, "at once");
    write_to(&writers[1], 3);
    cr_expect_eq(rig_reader_drain(&reader), 3072);
    driver_rig_live(&rig, CLIENT, SECONDS(12));
    write_to(&writers[1], 4);
    cr_expect_eq(rig_reader_drain(&reader), 4096, "the image goes on");
    driver_rig_expect_nothing(&rig);
    rig_reader_close(&reader);
    for (int i = 0; i < 2; i++)
        rig_writer_close(&writers[i]);
}

Test(conductor_mds, ends_an_image_that_came_only_by_what_is_removed)
{
    int64_t id = subscribe(MANUAL);
    add(id, FIRST);
    add(id, SECOND);
    publish(FIRST);
    rig_reader_t reader = expect_image(id);
    take_away(id, FIRST);
    driver_rig_live(&rig, CLIENT, SECONDS(9));
    driver_rig_expect_nothing(&rig);
    driver_rig_live(&rig, CLIENT, SECONDS(4));
    expect_unavailable(&reader);
    rig_reader_close(&reader);
}

/* One of two ways ends: a replay that is through, say. The stream ends when both have. */
Test(conductor_mds, ends_a_stream_when_all_ways_have_ended)
{
    int64_t id = subscribe(MANUAL "|session-id=77");
    add(id, FIRST);
    add(id, SECOND);
    rig_event_t ready[2];
    ready[0] = publish(FIRST SAME);
    rig_reader_t reader = expect_image(id);
    ready[1] = publish(SECOND SAME);
    pass(MILLIS(500));
    cr_expect_eq(rj_log_active_transports(&reader.log), 2);
    drop(RJ_COMMAND_REMOVE_PUBLICATION, ready[0].publication.registration_id);
    driver_rig_live(&rig, CLIENT, SECONDS(3));
    driver_rig_expect_nothing(&rig);
    drop(RJ_COMMAND_REMOVE_PUBLICATION, ready[1].publication.registration_id);
    driver_rig_live(&rig, CLIENT, SECONDS(4));
    expect_unavailable(&reader);
    rig_reader_close(&reader);
}

/* Its images drain for a second yet, but the port is not theirs any more. */
Test(conductor_mds, frees_ports_for_others_once_nobody_subscribes)
{
    int64_t id = subscribe(MANUAL);
    add(id, FIRST);
    publish(FIRST);
    rig_reader_t reader = expect_image(id);
    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, id);
    int64_t next = subscribe(MANUAL);
    add(next, FIRST);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_ERRORS), 0);
    pass(MILLIS(500));
    rig_reader_t again = expect_image(next);
    cr_expect_neq(again.image_id, reader.image_id);
    rig_reader_close(&again);
    rig_reader_close(&reader);
}

Test(conductor_mds, is_found_by_its_tag_with_the_destinations_that_it_has)
{
    int64_t first = subscribe(MANUAL "|tags=17");
    add(first, FIRST);
    int64_t second = subscribe(MANUAL "|tags=17");
    int64_t third = subscribe("aeron:udp?tags=17");
    publish(FIRST);
    int64_t image_id = 0;
    for (int i = 0; i < 3; i++) {
        rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
        cr_expect(image_id == 0 || event.image.correlation_id == image_id);
        image_id = event.image.correlation_id;
    }
    add(second, SECOND);
    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, first);
    take_away(third, SECOND);
    cr_expect_eq(count_addresses(first), 1, "held by the others");
    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, second);
    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, third);
    driver_rig_live(&rig, CLIENT, SECONDS(4));
    cr_expect_eq(count_addresses(first), 0);
}

Test(conductor_mds, hears_a_group)
{
    int64_t id = subscribe(MANUAL);
    add(id, "aeron:udp?endpoint=224.20.30.61:24465|interface=127.0.0.1");
    publish("aeron:udp?endpoint=224.20.30.61:24465|interface=127.0.0.1");
    rig_reader_t reader = expect_image(id);
    rig_reader_close(&reader);
}

/* --- IPC and spies --- */

Test(conductor_mds, reads_ipc_publications_and_spies)
{
    int64_t id = subscribe(MANUAL);
    publish("aeron:ipc");
    publish(FIRST);
    driver_rig_expect_nothing(&rig);

    add(id, "aeron:ipc");
    rig_reader_t ipc = expect_image(id);
    cr_expect_str_eq(ipc.source, "aeron:ipc");
    rj_counter_view_t view = driver_rig_counter(&rig, RJ_COUNTER_TYPE_SUBSCRIBER_POSITION, id);
    cr_expect_not_null(strstr(view.label, " aeron:ipc @0"), "%s", view.label);
    add(id, "aeron-spy:" FIRST);
    rig_reader_t spy = expect_image(id);

    expect_refusal(send_destination(RJ_COMMAND_REMOVE_RCV_DESTINATION, id, "aeron:ipc?alias=x"),
                   RJ_ERROR_UNKNOWN_SUBSCRIPTION, "aeron:ipc?alias=x");
    int64_t removal = send_destination(RJ_COMMAND_REMOVE_RCV_DESTINATION, id, "aeron:ipc");
    expect_success(removal);
    expect_unavailable(&ipc);
    removal = send_destination(RJ_COMMAND_REMOVE_RCV_DESTINATION, id, "aeron-spy:" FIRST);
    expect_success(removal);
    expect_unavailable(&spy);
    driver_rig_expect_nothing(&rig);
    add(id, "aeron:ipc?session-id=5");
    driver_rig_expect_nothing(&rig);
    rig_reader_close(&ipc);
    rig_reader_close(&spy);
}

Test(conductor_mds, removes_ipc_and_spies_with_itself)
{
    int64_t id = subscribe(MANUAL);
    add(id, "aeron:ipc");
    add(id, "aeron-spy:" FIRST);
    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, id);
    publish("aeron:ipc");
    publish(FIRST);
    driver_rig_expect_nothing(&rig);
}
