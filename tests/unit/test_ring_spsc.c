/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/ring_spsc.h"

#include "base/prng.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>

typedef struct message {
    uint64_t number;
    uint8_t fill[13];
} message_t;

Test(ring_spsc, gives_back_in_order_what_was_pushed)
{
    rj_ring_spsc_t ring;
    cr_assert_eq(rj_ring_spsc_open(&ring, sizeof(message_t), 4, NULL), 0);
    message_t message = {0};
    cr_assert_not(rj_ring_spsc_pop(&ring, &message));
    for (message.number = 1; message.number <= 4; message.number++)
        cr_assert(rj_ring_spsc_push(&ring, &message));
    cr_assert_not(rj_ring_spsc_push(&ring, &message));
    for (uint64_t number = 1; number <= 4; number++) {
        cr_assert(rj_ring_spsc_pop(&ring, &message));
        cr_assert_eq(message.number, number);
    }
    cr_assert_not(rj_ring_spsc_pop(&ring, &message));
    rj_ring_spsc_close(&ring);
    rj_ring_spsc_close(&ring);
}

Test(ring_spsc, rounds_up_and_counts_what_is_free)
{
    rj_ring_spsc_t ring;
    cr_assert_eq(rj_ring_spsc_open(&ring, 1, 5, NULL), 0);
    cr_assert_eq(rj_ring_spsc_free_count(&ring), 8);
    cr_assert_eq(rj_ring_spsc_used_count(&ring), 0);
    uint8_t byte = 3;
    cr_assert(rj_ring_spsc_push(&ring, &byte));
    cr_assert_eq(rj_ring_spsc_free_count(&ring), 7);
    cr_assert_eq(rj_ring_spsc_used_count(&ring), 1);
    rj_ring_spsc_close(&ring);
}

Test(ring_spsc, shows_a_claimed_slot_when_it_is_published)
{
    rj_ring_spsc_t ring;
    cr_assert_eq(rj_ring_spsc_open(&ring, sizeof(message_t), 1, NULL), 0);
    message_t *slot = rj_ring_spsc_claim(&ring);
    cr_assert_not_null(slot);
    cr_assert_eq((uintptr_t)slot % 16, 0);
    slot->number = 42;
    cr_assert_null(rj_ring_spsc_peek(&ring));
    rj_ring_spsc_publish(&ring);
    cr_assert_null(rj_ring_spsc_claim(&ring));
    const message_t *seen = rj_ring_spsc_peek(&ring);
    cr_assert_eq(seen, slot);
    cr_assert_eq(rj_ring_spsc_peek(&ring), slot, "it stays until it is released");
    rj_ring_spsc_release(&ring);
    cr_assert_null(rj_ring_spsc_peek(&ring));
    cr_assert_eq(rj_ring_spsc_claim(&ring), slot);
    rj_ring_spsc_close(&ring);
}

Test(ring_spsc, refuses_sizes_that_make_no_sense)
{
    rj_ring_spsc_t ring;
    rj_err_t err;
    cr_assert_eq(rj_ring_spsc_open(&ring, 0, 4, &err), -EINVAL);
    cr_assert_eq(rj_ring_spsc_open(&ring, 4, 0, &err), -EINVAL);
    cr_assert_eq(rj_ring_spsc_open(&ring, SIZE_MAX, SIZE_MAX, &err), -EINVAL);
    cr_assert_null(ring.slots);
    rj_ring_spsc_close(&ring);
}

Test(ring_spsc, never_loses_count_over_many_rounds)
{
    rj_ring_spsc_t ring;
    cr_assert_eq(rj_ring_spsc_open(&ring, sizeof(message_t), 16, NULL), 0);
    rj_prng_t prng;
    rj_prng_init(&prng, 4);
    uint64_t pushed = 0, popped = 0;
    for (int step = 0; step < 20000; step++) {
        message_t message = {.number = pushed};
        if (rj_prng_chance(&prng, 0.5)) {
            bool has_room = pushed - popped < 16;
            cr_assert_eq(rj_ring_spsc_push(&ring, &message), has_room);
            pushed += has_room;
        } else {
            bool is_empty = pushed == popped;
            cr_assert_eq(rj_ring_spsc_pop(&ring, &message), !is_empty);
            if (!is_empty)
                cr_assert_eq(message.number, popped++);
        }
        cr_assert_eq(rj_ring_spsc_free_count(&ring), 16 - (pushed - popped));
    }
    rj_ring_spsc_close(&ring);
}
