/* SPDX-License-Identifier: Apache-2.0 */
/* What engines report and the conductor passes on; the other end of the wire is a plain socket. */
#include "conductor/conductor.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/frame.h"
#include "shm/loss_report.h"
#include "tests/fixtures/driver_rig.h"

#define PORT    24430
#define CHANNEL "aeron:udp?endpoint=127.0.0.1:24430"

enum { CLIENT = 7000, STREAM = 1001, RECEIVER = 99, SESSION = 5, FRAME_BYTES = 64 };

static driver_rig_t rig;
static int peer = -1;

static void open_rig(void)
{
    driver_rig_open(&rig, NULL);
    peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(peer, 0);
}

static void close_rig(void)
{
    close(peer);
    driver_rig_close(&rig);
}

TestSuite(conductor_report, .init = open_rig, .fini = close_rig);

static struct sockaddr_in local_host(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static void send_to(int port, const void *bytes, size_t length)
{
    const struct sockaddr_in to = local_host(port);
    cr_assert_eq(sendto(peer, bytes, length, 0, (const struct sockaddr *)&to, sizeof(to)),
                 (ssize_t)length);
    for (int i = 0; i < 3; i++)
        driver_rig_turn(&rig);
}

/* The port that a publication sends from. */
static int port_of(int64_t registration_id)
{
    rj_counter_view_t view =
        driver_rig_counter(&rig, RJ_COUNTER_TYPE_LOCAL_SOCKADDR, registration_id);
    const rj_sockaddr_key_t *key = (const rj_sockaddr_key_t *)(const void *)view.key;
    return atoi(strrchr(key->address, ':') + 1);
}

Test(conductor_report, tells_once_of_a_receiver_that_rejects_a_stream)
{
    const struct sockaddr_in receiver = local_host(PORT);
    cr_assert_eq(bind(peer, (const struct sockaddr *)&receiver, sizeof(receiver)), 0);
    driver_rig_add_publication(&rig, CLIENT, true, CHANNEL "|session-id=5", STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    rig_event_t ready = driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
    const int64_t id = ready.publication.registration_id;

    const rj_frame_err_t params = {.session_id = SESSION,
                                   .stream_id = STREAM,
                                   .receiver_id = RECEIVER,
                                   .error_code = 13,
                                   .text = "not for me",
                                   .text_length = 10};
    uint8_t err[RJ_ERR_HEADER_BYTES + RJ_ERR_TEXT_BYTES_MAX];
    const uint32_t err_length = rj_frame_write_err(err, &params);
    /* From one that is not live it is counted and nothing else. */
    send_to(port_of(id), err, err_length);
    driver_rig_expect_nothing(&rig);

    /* The term id of a fresh log is drawn by lot; a setup says which it was. */
    rj_wire_setup_t setup;
    cr_assert_eq(recv(peer, &setup, sizeof(setup), 0), (ssize_t)sizeof(setup));
    const rj_frame_sm_t sm_params = {.session_id = SESSION,
                                     .stream_id = STREAM,
                                     .term_id = setup.active_term_id,
                                     .receiver_window = 16384,
                                     .receiver_id = RECEIVER};
    rj_wire_sm_t sm;
    const uint32_t sm_length = rj_frame_write_sm(&sm, &sm_params);
    send_to(port_of(id), &sm, sm_length);
    for (int i = 0; i < 3; i++)
        send_to(port_of(id), err, err_length);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_ERROR);
    rj_event_publication_error_t error;
    memcpy(&error, event.bytes, sizeof(error));
    cr_expect_eq(error.registration_id, id);
    cr_expect_eq(error.destination_registration_id, -1);
    cr_expect_eq(error.receiver_id, RECEIVER);
    cr_expect_eq(error.group_tag, -1);
    cr_expect_eq(error.source_port, PORT);
    cr_expect_eq(error.error_code, 13);
    cr_expect_eq(memcmp(event.bytes + sizeof(error), "not for me", 10), 0);
    driver_rig_expect_nothing(&rig);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_ERRORS), 1);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_ERROR_FRAMES_RECEIVED), 4);
    cr_expect(driver_rig_has_error(&rig, "not for me"));
}

static void send_setup(void)
{
    const rj_frame_setup_t params = {.session_id = SESSION,
                                     .stream_id = STREAM,
                                     .initial_term_id = 3,
                                     .active_term_id = 3,
                                     .term_length = 65536,
                                     .mtu = 1408};
    rj_wire_setup_t setup;
    send_to(PORT, &setup, rj_frame_write_setup(&setup, &params));
}

static void send_data(int32_t term_offset)
{
    uint8_t bytes[FRAME_BYTES] = {0};
    const rj_wire_data_t header = {.frame_length = FRAME_BYTES,
                                   .flags = RJ_DATA_FLAG_UNFRAGMENTED,
                                   .type = RJ_FRAME_TYPE_DATA,
                                   .term_offset = term_offset,
                                   .session_id = SESSION,
                                   .stream_id = STREAM,
                                   .term_id = 3};
    memcpy(bytes, &header, sizeof(header));
    send_to(PORT, bytes, sizeof(bytes));
}

static bool read_loss(int entry, rj_loss_view_t *ret_view, uint8_t *section, size_t section_bytes)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/loss-report.dat", rig.dir);
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file);
    cr_assert_eq(fread(section, 1, section_bytes, file), section_bytes);
    fclose(file);
    int64_t offset = 0;
    bool is_there = true;
    for (int i = 0; i <= entry && is_there; i++)
        is_there = rj_loss_report_next(section, (int64_t)section_bytes, &offset, ret_view);
    return is_there;
}

Test(conductor_report, keeps_one_entry_of_what_an_image_has_lost)
{
    static uint8_t section[4096] __attribute__((aligned(8)));
    rj_loss_view_t view;
    driver_rig_add_subscription(&rig, CLIENT, CHANNEL, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    send_setup();
    (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    send_data(2 * FRAME_BYTES);
    cr_expect_not(read_loss(0, &view, section, sizeof(section)), "nothing is due yet");
    rig.now_ns += 50000000;
    rig.epoch_ms += 50;
    driver_rig_expect_nothing(&rig);
    cr_assert(read_loss(0, &view, section, sizeof(section)));
    cr_expect_eq(view.observation_count, 1);
    cr_expect_eq(view.total_bytes_lost, 2 * FRAME_BYTES);
    cr_expect_eq(view.session_id, SESSION);
    cr_expect_eq(view.stream_id, STREAM);
    cr_expect_eq(view.channel_length, (int32_t)strlen(CHANNEL));
    cr_expect_eq(memcmp(view.channel, CHANNEL, strlen(CHANNEL)), 0);
    cr_expect_eq(memcmp(view.source, "127.0.0.1:", 10), 0);
    cr_expect_eq(view.first_observation_ms, rig.epoch_ms);
    const int64_t first_ms = rig.epoch_ms;

    /* A further gap, in the same entry; the same one again is nothing new. */
    send_data(4 * FRAME_BYTES);
    for (int i = 0; i < 5; i++) {
        rig.now_ns += 50000000;
        rig.epoch_ms += 50;
        driver_rig_expect_nothing(&rig);
    }
    cr_assert(read_loss(0, &view, section, sizeof(section)));
    cr_expect_eq(view.observation_count, 2);
    cr_expect_eq(view.total_bytes_lost, 3 * FRAME_BYTES);
    cr_expect_eq(view.first_observation_ms, first_ms);
    cr_expect_gt(view.last_observation_ms, first_ms);
    cr_expect_not(read_loss(1, &view, section, sizeof(section)));
}
