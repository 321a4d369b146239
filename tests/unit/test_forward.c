/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/forward.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/prng.h"

enum { CAPACITY = 4096 };

static rj_forward_ring_t ring;

static void open_ring(void)
{
    cr_assert_eq(rj_forward_open(&ring, CAPACITY, NULL), 0);
}

static void close_ring(void)
{
    rj_forward_close(&ring);
}

TestSuite(forward, .init = open_ring, .fini = close_ring);

/* A frame whose bytes all follow from its number. */
static bool push(int64_t number, uint32_t length)
{
    uint8_t bytes[CAPACITY];
    memset(bytes, (int)(number & 0xff), length);
    const rj_forwarded_t frame = {.endpoint_id = number,
                                  .receive_time_ns = -number,
                                  .source = {.port = (uint16_t)number},
                                  .arrival_engine = 3,
                                  .type = 1,
                                  .length_bytes = length};
    return rj_forward_push(&ring, &frame, bytes);
}

static void expect(int64_t number, uint32_t length)
{
    rj_forwarded_t frame;
    const uint8_t *bytes = rj_forward_peek(&ring, &frame);
    cr_assert_not_null(bytes);
    cr_assert_eq((uintptr_t)bytes % 16, 0, "frames are read as structs");
    cr_assert_eq(frame.endpoint_id, number);
    cr_assert_eq(frame.receive_time_ns, -number);
    cr_assert_eq(frame.source.port, (uint16_t)number);
    cr_assert_eq(frame.arrival_engine, 3);
    cr_assert_eq(frame.length_bytes, length);
    for (uint32_t i = 0; i < length; i++)
        cr_assert_eq(bytes[i], number & 0xff);
    rj_forward_release(&ring);
}

Test(forward, gives_frames_of_any_length_back_in_order)
{
    rj_prng_t lengths;
    rj_prng_t again;
    rj_prng_init(&lengths, 7);
    rj_prng_init(&again, 7);
    int64_t pushed = 0;
    for (int64_t taken = 0; taken < 2000; taken++) {
        while (pushed < taken + 3)
            cr_assert(push(pushed++, (uint32_t)rj_prng_between(&lengths, 0, 900)));
        expect(taken, (uint32_t)rj_prng_between(&again, 0, 900));
    }
}

Test(forward, is_empty_when_all_is_taken)
{
    rj_forwarded_t frame;
    cr_assert_not(rj_forward_has_frames(&ring));
    cr_assert_null(rj_forward_peek(&ring, &frame));
    cr_assert(push(1, 100));
    cr_assert(rj_forward_has_frames(&ring));
    cr_assert_not_null(rj_forward_peek(&ring, &frame));
    cr_assert_not_null(rj_forward_peek(&ring, &frame), "it stays until it is released");
    rj_forward_release(&ring);
    cr_assert_not(rj_forward_has_frames(&ring));
}

Test(forward, takes_nothing_that_it_has_no_room_for)
{
    int64_t count = 0;
    while (push(count, 1000))
        count++;
    cr_assert_eq(count, 3, "of 4096 bytes, with what stands in front");
    expect(0, 1000);
    cr_assert(push(count, 900));
    for (int64_t i = 1; i < count; i++)
        expect(i, 1000);
    expect(count, 900);
}

Test(forward, refuses_a_frame_that_never_fits)
{
    static const uint8_t bytes[RJ_FORWARD_FRAME_BYTES_MAX + 1];
    const rj_forwarded_t frame = {.length_bytes = sizeof(bytes)};
    rj_forward_ring_t large;
    cr_assert_eq(rj_forward_open(&large, RJ_FORWARD_RING_BYTES, NULL), 0);
    cr_assert_not(rj_forward_push(&large, &frame, bytes));
    rj_forward_close(&large);
    cr_assert_not(push(1, CAPACITY));
    cr_assert(push(1, CAPACITY / 2));
}

Test(forward, refuses_a_capacity_that_is_no_power_of_two)
{
    rj_forward_ring_t other;
    rj_err_t err;
    cr_assert_eq(rj_forward_open(&other, 4097, &err), -EINVAL);
    cr_assert_eq(rj_forward_open(&other, 32, &err), -EINVAL);
    rj_forward_close(&other);
}
