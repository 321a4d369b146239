/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/broadcast.h"

#include "base/prng.h"
#include "tests/fixtures/hex.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

enum { CAPACITY = 1024, SECTION = CAPACITY + RJ_BROADCAST_TRAILER_BYTES };

static uint8_t section[SECTION] __attribute__((aligned(128)));
static rj_broadcast_t broadcast;
static rj_broadcast_receiver_t receiver;
static uint8_t got[CAPACITY];
static int32_t got_type;

static rj_broadcast_trailer_t *trailer(void)
{
    return (rj_broadcast_trailer_t *)(void *)(section + CAPACITY);
}

static void start(void)
{
    memset(section, 0, sizeof(section));
    cr_assert_eq(rj_broadcast_attach(&broadcast, section, SECTION), 0);
    cr_assert_eq(rj_broadcast_receiver_attach(&receiver, section, SECTION), 0);
}

TestSuite(broadcast, .init = start);

static int receive(void)
{
    return rj_broadcast_receive(&receiver, &got_type, got, CAPACITY / 8);
}

/* shm.md 19.3 */
Test(broadcast, pads_a_record_that_would_wrap)
{
    const uint8_t body[8] = {0x22, 0x11};
    trailer()->tail = 1016;
    trailer()->tail_intent = 1016;
    trailer()->latest = 1000;
    cr_assert_eq(rj_broadcast_attach(&broadcast, section, SECTION), 0);
    cr_assert_eq(rj_broadcast_transmit(&broadcast, 0x0F04, body, 8), 0);
    cr_assert_eq(rj_hex_compare(section + 1016, "08 00 00 00 ff ff ff ff"), 8);
    cr_assert_eq(rj_hex_compare(section, "10 00 00 00 04 0f 00 00 22 11 00 00 00 00 00 00"), 16);
    cr_assert_eq(rj_hex_compare(section + CAPACITY,
                                "10 04 00 00 00 00 00 00 10 04 00 00 00 00 00 00"
                                "00 04 00 00 00 00 00 00"),
                 24);
    cr_assert_eq(rj_broadcast_position(&broadcast), 1040);
}

Test(broadcast, delivers_in_order_and_then_has_nothing)
{
    cr_assert_eq(receive(), -EAGAIN);
    cr_assert_eq(rj_broadcast_transmit(&broadcast, 1, "hello", 5), 0);
    cr_assert_eq(rj_broadcast_transmit(&broadcast, 2, NULL, 0), 0);
    cr_assert_eq(receive(), 5);
    cr_assert_eq(got_type, 1);
    cr_assert_arr_eq(got, "hello", 5);
    cr_assert_eq(receive(), 0);
    cr_assert_eq(got_type, 2);
    cr_assert_eq(receive(), -EAGAIN);
}

Test(broadcast, begins_for_a_new_receiver_with_the_newest_record)
{
    rj_broadcast_transmit(&broadcast, 1, "a", 1);
    rj_broadcast_transmit(&broadcast, 2, "b", 1);
    cr_assert_eq(rj_broadcast_receiver_attach(&receiver, section, SECTION), 0);
    cr_assert_eq(receive(), 1);
    cr_assert_eq(got_type, 2);
    cr_assert_eq(receive(), -EAGAIN);
}

Test(broadcast, refuses_types_and_lengths_that_no_event_has)
{
    cr_assert_eq(rj_broadcast_transmit(&broadcast, 0, "a", 1), -EINVAL);
    cr_assert_eq(rj_broadcast_transmit(&broadcast, 1, got, 129), -EMSGSIZE);
    cr_assert_eq(rj_broadcast_transmit(&broadcast, 1, got, -1), -EMSGSIZE);
    cr_assert_eq(rj_broadcast_transmit(&broadcast, 1, got, 128), 0);
    rj_broadcast_t other;
    cr_assert_eq(rj_broadcast_attach(&other, section, SECTION - 8), -EINVAL);
    cr_assert_eq(rj_broadcast_attach(&other, section + 4, SECTION), -EINVAL);
    cr_assert_eq(rj_broadcast_receiver_attach(&receiver, section, 128), -EINVAL);
}

/* shm.md 19.11: exactly C behind is lapped, C - 8 behind is not. */
Test(broadcast, tells_a_receiver_that_it_was_lapped)
{
    uint8_t body[128] = {0};
    for (int i = 0; i < 7; i++)
        rj_broadcast_transmit(&broadcast, 1, body, 120);
    rj_broadcast_transmit(&broadcast, 2, body, 112);
    cr_assert_eq(trailer()->tail, CAPACITY - 8);
    cr_assert_eq(receive(), 120, "the first record still is whole");

    start();
    for (int i = 0; i < 8; i++)
        rj_broadcast_transmit(&broadcast, i + 1, body, 120);
    cr_assert_eq(trailer()->tail, CAPACITY);
    cr_assert_eq(receive(), -EOVERFLOW);
    cr_assert_eq(receiver.lapped_count, 1);
    cr_assert_eq(receive(), 120, "it goes on at the newest");
    cr_assert_eq(got_type, 8);
    cr_assert_eq(receive(), -EAGAIN);
}

Test(broadcast, does_not_trust_what_is_being_overwritten)
{
    rj_broadcast_transmit(&broadcast, 1, "hello", 5);
    trailer()->tail_intent = CAPACITY;
    cr_assert_eq(receive(), -EOVERFLOW);
    trailer()->tail_intent = CAPACITY - 8;
    cr_assert_eq(receive(), 5);
}

Test(broadcast, bounds_every_length_it_reads)
{
    const int32_t lengths[] = {0, 7, -1, INT32_MIN, INT32_MAX, CAPACITY + 1};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        start();
        rj_broadcast_transmit(&broadcast, 1, "hello", 5);
        memcpy(section, &lengths[i], sizeof(int32_t));
        cr_assert_eq(receive(), -EOVERFLOW);
    }
    start();
    rj_broadcast_transmit(&broadcast, 1, "hello", 5);
    trailer()->latest = INT64_MAX;
    cr_assert_eq(rj_broadcast_receiver_attach(&receiver, section, SECTION), 0);
    cr_assert_eq(receive(), -EAGAIN);
}

Test(broadcast, leaves_out_an_event_that_the_caller_has_no_room_for)
{
    rj_broadcast_transmit(&broadcast, 1, "hello", 5);
    rj_broadcast_transmit(&broadcast, 2, "b", 1);
    cr_assert_eq(rj_broadcast_receive(&receiver, &got_type, got, 4), -EMSGSIZE);
    cr_assert_eq(rj_broadcast_receive(&receiver, &got_type, got, 4), 1);
    cr_assert_eq(got_type, 2);
}

/* A receiver that keeps up gets everything; one that does not gets a part, in order and whole. */
Test(broadcast, delivers_whole_events_or_says_that_some_are_lost)
{
    rj_prng_t prng;
    rj_prng_init(&prng, 12);
    uint8_t body[128];
    int32_t sent = 0, seen = 0, received = 0;
    int64_t lapses = 0;
    for (int step = 0; step < 20000; step++) {
        if (rj_prng_chance(&prng, 0.52)) {
            sent++;
            memset(body, sent & 0xff, sizeof(body));
            int32_t length = (int32_t)rj_prng_between(&prng, 1, 128);
            cr_assert_eq(rj_broadcast_transmit(&broadcast, sent, body, length), 0);
            continue;
        }
        int length = receive();
        if (length == -EOVERFLOW) {
            lapses++;
            continue;
        }
        if (length < 0) {
            cr_assert_eq(length, -EAGAIN);
            cr_assert_eq(seen, sent);
            continue;
        }
        cr_assert(got_type == seen + 1 || (got_type > seen && lapses > 0));
        seen = got_type;
        received++;
        for (int i = 0; i < length; i++)
            cr_assert_eq(got[i], seen & 0xff);
    }
    cr_assert_eq(receiver.lapped_count, lapses);
    cr_assert(lapses > 0 && received > 1000);
}
