/* SPDX-License-Identifier: Apache-2.0 */
/* The events as the worked vectors of commands.md 15 have them, read back from a broadcast. */
#include "conductor/reply.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ramjet/shm.h>

#include "tests/fixtures/hex.h"

enum { CAPACITY = 128 * 1024, BODY_MAX = CAPACITY / 8 };

static uint8_t *section;
static rj_broadcast_t to_clients;
static rj_broadcast_receiver_t receiver;

static void open_broadcast(void)
{
    const size_t length = CAPACITY + RJ_BROADCAST_TRAILER_BYTES;
    section = aligned_alloc(128, length);
    memset(section, 0, length);
    cr_assert_eq(rj_broadcast_attach(&to_clients, section, (int64_t)length), 0);
    cr_assert_eq(rj_broadcast_receiver_attach(&receiver, section, (int64_t)length), 0);
}

static void close_broadcast(void)
{
    free(section);
}

TestSuite(reply, .init = open_broadcast, .fini = close_broadcast);

static uint8_t body[BODY_MAX];

/* The next event, which is of this type; returns its length. */
static int32_t receive(int32_t expected_type)
{
    int32_t type = 0;
    int32_t length = rj_broadcast_receive(&receiver, &type, body, sizeof(body));
    cr_assert_geq(length, 0);
    cr_assert_eq(type, expected_type);
    return length;
}

static void expect(int32_t type, const char *hex)
{
    const int32_t length = receive(type);
    cr_expect_eq(rj_hex_compare(body, hex), length);
}

Test(reply, writes_publication_ready_as_the_vector_has_it)
{
    rj_reply_publication_t ready = {.correlation_id = 9,
                                    .registration_id = 9,
                                    .session_id = 0x12345678,
                                    .stream_id = 1001,
                                    .limit_counter_id = 52,
                                    .status_counter_id = 57,
                                    .log_file = "/dev/shm/aeron-x/publications/9.logbuffer"};
    static const char vector[] = "09 00 00 00 00 00 00 00 09 00 00 00 00 00 00 00"
                                 "78 56 34 12 e9 03 00 00 34 00 00 00 39 00 00 00"
                                 "29 00 00 00 2f 64 65 76 2f 73 68 6d 2f 61 65 72"
                                 "6f 6e 2d 78 2f 70 75 62 6c 69 63 61 74 69 6f 6e"
                                 "73 2f 39 2e 6c 6f 67 62 75 66 66 65 72";
    rj_reply_publication_ready(&to_clients, &ready);
    expect(0x0F03, vector);
    ready.is_exclusive = true;
    rj_reply_publication_ready(&to_clients, &ready);
    expect(0x0F06, vector);
}

Test(reply, writes_available_image_as_the_vector_has_it)
{
    const rj_reply_image_t image = {.correlation_id = 213,
                                    .session_id = 0x12345678,
                                    .stream_id = 1001,
                                    .subscription_id = 10,
                                    .position_counter_id = 61,
                                    .log_file = "/dev/shm/aeron-x/images/213.logbuffer",
                                    .source = "127.0.0.1:40500"};
    rj_reply_available_image(&to_clients, &image);
    expect(0x0F02, "d5 00 00 00 00 00 00 00 78 56 34 12 e9 03 00 00"
                   "0a 00 00 00 00 00 00 00 3d 00 00 00 25 00 00 00"
                   "2f 64 65 76 2f 73 68 6d 2f 61 65 72 6f 6e 2d 78"
                   "2f 69 6d 61 67 65 73 2f 32 31 33 2e 6c 6f 67 62"
                   "75 66 66 65 72 00 00 00 0f 00 00 00 31 32 37 2e"
                   "30 2e 30 2e 31 3a 34 30 35 30 30");
}

Test(reply, writes_errors_as_the_vector_has_them)
{
    rj_reply_error(&to_clients, 11, 3, "unknown publication client_id=7 registration_id=99");
    expect(0x0F01, "0b 00 00 00 00 00 00 00 03 00 00 00 32 00 00 00"
                   "75 6e 6b 6e 6f 77 6e 20 70 75 62 6c 69 63 61 74"
                   "69 6f 6e 20 63 6c 69 65 6e 74 5f 69 64 3d 37 20"
                   "72 65 67 69 73 74 72 61 74 69 6f 6e 5f 69 64 3d"
                   "39 39");
}

Test(reply, writes_the_short_events_by_their_layout)
{
    rj_reply_counter(&to_clients, RJ_EVENT_COUNTER_READY, 12, 63);
    expect(0x0F08, "0c 00 00 00 00 00 00 00 3f 00 00 00");
    rj_reply_counter(&to_clients, RJ_EVENT_UNAVAILABLE_COUNTER, 12, 63);
    expect(0x0F09, "0c 00 00 00 00 00 00 00 3f 00 00 00");
    rj_reply_counter(&to_clients, RJ_EVENT_STATIC_COUNTER, 12, 63);
    expect(0x0F0B, "0c 00 00 00 00 00 00 00 3f 00 00 00");
    rj_reply_success(&to_clients, -2);
    expect(0x0F04, "fe ff ff ff ff ff ff ff");
    rj_reply_subscription_ready(&to_clients, 10, -1);
    expect(0x0F07, "0a 00 00 00 00 00 00 00 ff ff ff ff");
    rj_reply_client_timeout(&to_clients, 7);
    expect(0x0F0A, "07 00 00 00 00 00 00 00");
    rj_reply_next_session_id(&to_clients, 8, -5);
    expect(0x0F0D, "08 00 00 00 00 00 00 00 fb ff ff ff");
    rj_reply_unavailable_image(&to_clients, 213, 10, 1001, "aeron:ipc");
    expect(0x0F05, "d5 00 00 00 00 00 00 00 0a 00 00 00 00 00 00 00"
                   "e9 03 00 00 09 00 00 00 61 65 72 6f 6e 3a 69 70 63");
}

Test(reply, fills_a_publication_error_up_to_what_c_clients_take)
{
    static const uint8_t host[4] = {10, 0, 0, 2};
    rj_reply_publication_error_t error = {.registration_id = 9,
                                          .destination_registration_id = -1,
                                          .session_id = 0x12345678,
                                          .stream_id = 1001,
                                          .receiver_id = 5,
                                          .group_tag = -1,
                                          .source = rj_address_ipv4(host, 40456),
                                          .error_code = 13,
                                          .text = "no",
                                          .text_bytes = 2};
    rj_reply_publication_error(&to_clients, &error);
    expect(0x0F0C, "09 00 00 00 00 00 00 00 ff ff ff ff ff ff ff ff"
                   "78 56 34 12 e9 03 00 00 05 00 00 00 00 00 00 00"
                   "ff ff ff ff ff ff ff ff 01 00 08 9e 0a 00 00 02"
                   "00 00 00 00 00 00 00 00 00 00 00 00 0d 00 00 00"
                   "02 00 00 00 6e 6f 00 00");
    uint8_t ipv6[16] = {[15] = 1};
    error.source = rj_address_ipv6(ipv6, 40456, 0);
    error.text = "too late";
    error.text_bytes = 8;
    rj_reply_publication_error(&to_clients, &error);
    cr_expect_eq(receive(0x0F0C), 76);
    cr_expect_eq(body[40], RJ_ADDRESS_TYPE_IPV6);
    cr_expect_eq(memcmp(body + 44, ipv6, sizeof(ipv6)), 0);
}

Test(reply, cuts_texts_to_what_clients_have_room_for)
{
    char *text = malloc(20000);
    memset(text, 'x', 19999);
    text[19999] = '\0';
    rj_reply_error(&to_clients, 1, 11, text);
    cr_expect_eq(receive(RJ_EVENT_ERROR),
                 (int32_t)sizeof(rj_event_error_t) + RJ_EVENT_ERROR_TEXT_BYTES_MAX);
    text[4095] = '\0'; /* the longest channel */
    rj_reply_unavailable_image(&to_clients, 1, 2, 3, text);
    cr_expect_eq(receive(RJ_EVENT_UNAVAILABLE_IMAGE), RJ_EVENT_BYTES_RECOMMENDED_MAX);
    rj_event_unavailable_image_t event;
    memcpy(&event, body, sizeof(event));
    cr_expect_eq(event.channel_length, RJ_EVENT_BYTES_RECOMMENDED_MAX - (int32_t)sizeof(event));
    free(text);
}

Test(reply, takes_the_code_that_an_error_carries_and_else_the_generic_one)
{
    rj_err_t err;
    rj_fail_aeron(&err, -EINVAL, RJ_ERROR_UNKNOWN_HOST, "x");
    cr_expect_eq(rj_reply_error_code(&err), RJ_ERROR_UNKNOWN_HOST);
    rj_fail(&err, -ENOSPC, "counters");
    cr_expect_eq(rj_reply_error_code(&err), RJ_ERROR_GENERIC);
}
