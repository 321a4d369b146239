/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/ring_mpsc.h"

#include "base/prng.h"
#include "tests/fixtures/hex.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

enum { CAPACITY = 1024, SECTION = CAPACITY + RJ_RING_TRAILER_BYTES, MESSAGES_MAX = 64 };

static uint8_t section[SECTION] __attribute__((aligned(128)));
static rj_ring_mpsc_t ring;

/* What a handler got, and what it answers. */
typedef struct inbox {
    int count;
    int32_t types[MESSAGES_MAX];
    int32_t lengths[MESSAGES_MAX];
    uint8_t bodies[MESSAGES_MAX][CAPACITY / 8];
    rj_ring_action_t actions[MESSAGES_MAX]; /* zero: RJ_RING_CONTINUE */
} inbox_t;

static inbox_t inbox;

static rj_ring_action_t receive(void *context, int32_t type, const uint8_t *body, int32_t length)
{
    inbox_t *to = context;
    to->types[to->count] = type;
    to->lengths[to->count] = length;
    memcpy(to->bodies[to->count], body, (size_t)length);
    return to->actions[to->count++];
}

static int read_ring(int count_max)
{
    memset(&inbox, 0, sizeof(inbox));
    return rj_ring_mpsc_read(&ring, receive, &inbox, count_max);
}

/* A ring whose producers and consumer have come that far. */
static void start_at(int64_t tail, int64_t head)
{
    memset(section, 0, sizeof(section));
    rj_ring_trailer_t *trailer = (rj_ring_trailer_t *)(void *)(section + CAPACITY);
    trailer->tail_position = tail;
    trailer->head_position = head;
    trailer->head_cache_position = head;
    cr_assert_eq(rj_ring_mpsc_attach(&ring, section, SECTION), 0);
}

static void start(void)
{
    start_at(0, 0);
}

TestSuite(ring_mpsc, .init = start);

static void set_record(int64_t index, int32_t length, int32_t type)
{
    rj_record_t record = {length, type};
    memcpy(section + index, &record, sizeof(record));
}

static const uint8_t body[CAPACITY / 8] = {2,   1,   0,   0,   0,   0,   0,   0,
                                           255, 255, 255, 255, 255, 255, 255, 255};

/* shm.md 19.2 */
Test(ring_mpsc, pads_a_record_that_would_wrap)
{
    start_at(1008, 1008);
    cr_assert_eq(ring.body_length_max, 128);
    cr_assert_eq(rj_ring_mpsc_write(&ring, 6, body, 16), 0);
    cr_assert_eq(rj_hex_compare(section + 1008, "10 00 00 00 ff ff ff ff"), 8);
    cr_assert_eq(rj_hex_compare(section, "18 00 00 00 06 00 00 00 02 01 00 00 00 00 00 00"
                                         "ff ff ff ff ff ff ff ff"),
                 24);
    cr_assert_eq(rj_hex_compare(section + CAPACITY + 128, "18 04 00 00 00 00 00 00"), 8);
    cr_assert_eq(rj_hex_compare(section + CAPACITY + 256, "f0 03 00 00 00 00 00 00"), 8);
    cr_assert_eq(rj_hex_compare(section + CAPACITY + 384, "f0 03 00 00 00 00 00 00"), 8);

    cr_assert_eq(read_ring(10), 0, "the first call consumes the padding alone");
    cr_assert_eq(rj_ring_mpsc_consumer_position(&ring), 1024);
    cr_assert_eq(read_ring(10), 1);
    cr_assert_eq(inbox.types[0], 6);
    cr_assert_eq(inbox.lengths[0], 16);
    cr_assert_arr_eq(inbox.bodies[0], body, 16);
    cr_assert_eq(rj_ring_mpsc_consumer_position(&ring), 1048);
    cr_assert(rj_is_zero(section, CAPACITY), "what was consumed reads zero");
}

/* shm.md 19.11 */
Test(ring_mpsc, pads_the_last_slot)
{
    start_at(CAPACITY - 8, CAPACITY - 8);
    cr_assert_eq(rj_ring_mpsc_write(&ring, 1, body, 8), 0);
    cr_assert_eq(rj_hex_compare(section + CAPACITY - 8, "08 00 00 00 ff ff ff ff"), 8);
    cr_assert_eq(rj_hex_compare(section, "10 00 00 00 01 00 00 00"), 8);
}

Test(ring_mpsc, is_full_exactly_when_no_byte_is_left)
{
    for (int i = 0; i < 8; i++)
        cr_assert_eq(rj_ring_mpsc_write(&ring, 1, body, 120), 0);
    cr_assert_eq(rj_ring_mpsc_producer_position(&ring), CAPACITY);
    cr_assert_eq(rj_ring_mpsc_write(&ring, 1, body, 0), -EAGAIN);
    cr_assert_eq(read_ring(1), 1);
    cr_assert_eq(rj_ring_mpsc_write(&ring, 1, body, 121), -EAGAIN);
    cr_assert_eq(rj_ring_mpsc_write(&ring, 1, body, 120), 0);
    cr_assert_eq(rj_ring_mpsc_write(&ring, 1, body, 0), -EAGAIN);
}

Test(ring_mpsc, does_not_wrap_onto_records_that_are_not_consumed)
{
    /* 40 bytes are free in all: 16 up to the end, 24 below the head. */
    start_at(CAPACITY - 16, 24);
    cr_assert_eq(rj_ring_mpsc_write(&ring, 1, body, 17), -EAGAIN);
    cr_assert_eq(rj_ring_mpsc_producer_position(&ring), CAPACITY - 16);
    cr_assert_eq(rj_ring_mpsc_write(&ring, 1, body, 16), 0);
    cr_assert_eq(rj_ring_mpsc_producer_position(&ring), CAPACITY + 24);
}

Test(ring_mpsc, refuses_types_and_lengths_that_no_message_has)
{
    uint8_t *claim;
    cr_assert_eq(rj_ring_mpsc_write(&ring, 0, body, 1), -EINVAL);
    cr_assert_eq(rj_ring_mpsc_write(&ring, -1, body, 1), -EINVAL);
    cr_assert_eq(rj_ring_mpsc_write(&ring, 1, body, 129), -EMSGSIZE);
    cr_assert_eq(rj_ring_mpsc_try_claim(&ring, 1, -1, &claim), -EMSGSIZE);
    cr_assert_eq(rj_ring_mpsc_producer_position(&ring), 0);
    cr_assert_eq(rj_ring_mpsc_write(&ring, 1, NULL, 0), 0);
    cr_assert_eq(read_ring(1), 1);
    cr_assert_eq(inbox.lengths[0], 0);
}

Test(ring_mpsc, refuses_sections_that_are_no_ring)
{
    rj_ring_mpsc_t other;
    cr_assert_eq(rj_ring_mpsc_attach(&other, section, RJ_RING_TRAILER_BYTES), -EINVAL);
    cr_assert_eq(rj_ring_mpsc_attach(&other, section, RJ_RING_TRAILER_BYTES + 4), -EINVAL);
    cr_assert_eq(rj_ring_mpsc_attach(&other, section, SECTION - 8), -EINVAL);
    cr_assert_eq(rj_ring_mpsc_attach(&other, section + 4, SECTION), -EINVAL);
    cr_assert_eq(rj_ring_mpsc_attach(&other, section, -1), -EINVAL);
    cr_assert_null(other.data);
    cr_assert_eq(rj_ring_mpsc_attach(&other, section, RJ_RING_TRAILER_BYTES + 8), 0);
    cr_assert_eq(other.body_length_max, 0);
}

Test(ring_mpsc, shows_a_claim_when_it_is_committed_and_skips_an_aborted_one)
{
    uint8_t *first, *second;
    cr_assert_eq(rj_ring_mpsc_try_claim(&ring, 7, 5, &first), 0);
    cr_assert_eq(rj_ring_mpsc_try_claim(&ring, 8, 9, &second), 0);
    cr_assert_eq(rj_hex_compare(section, "f3 ff ff ff 07 00 00 00"), 8);
    memcpy(first, "hello", 5);
    cr_assert_eq(read_ring(10), 0);
    cr_assert_eq(rj_ring_mpsc_abort(&ring, second), 0);
    cr_assert_eq(read_ring(10), 0);
    cr_assert_eq(rj_ring_mpsc_commit(&ring, first), 0);
    cr_assert_eq(rj_ring_mpsc_commit(&ring, first), -EINVAL);
    cr_assert_eq(rj_ring_mpsc_abort(&ring, first), -EINVAL);
    cr_assert_eq(rj_ring_mpsc_commit(&ring, section), -EINVAL);
    cr_assert_eq(rj_ring_mpsc_commit(&ring, section + CAPACITY + 8), -EINVAL);
    cr_assert_eq(read_ring(10), 1);
    cr_assert_eq(inbox.types[0], 7);
    cr_assert_arr_eq(inbox.bodies[0], "hello", 5);
    cr_assert_eq(rj_ring_mpsc_consumer_position(&ring), 16 + 24);
}

Test(ring_mpsc, does_what_the_handler_answers)
{
    for (int i = 1; i <= 5; i++)
        rj_ring_mpsc_write(&ring, i, body, 8);
    const int64_t *shared_head = (const int64_t *)(const void *)(section + CAPACITY + 384);
    memset(&inbox, 0, sizeof(inbox));
    inbox.actions[0] = RJ_RING_COMMIT;
    inbox.actions[1] = RJ_RING_CONTINUE;
    inbox.actions[2] = RJ_RING_ABORT;
    cr_assert_eq(rj_ring_mpsc_read(&ring, receive, &inbox, 10), 2);
    cr_assert_eq(*shared_head, 32);
    memset(&inbox, 0, sizeof(inbox));
    inbox.actions[0] = RJ_RING_BREAK;
    cr_assert_eq(rj_ring_mpsc_read(&ring, receive, &inbox, 10), 1);
    cr_assert_eq(inbox.types[0], 3, "the aborted one comes again");
    cr_assert_eq(*shared_head, 48);
    cr_assert_eq(read_ring(1), 1);
    cr_assert_eq(inbox.types[0], 4);
    cr_assert_eq(read_ring(10), 1);
    cr_assert_eq(inbox.types[0], 5);
}

Test(ring_mpsc, releases_the_space_of_a_committed_message_at_once)
{
    for (int i = 0; i < 8; i++)
        rj_ring_mpsc_write(&ring, 1, body, 120);
    memset(&inbox, 0, sizeof(inbox));
    for (int i = 0; i < 8; i++)
        inbox.actions[i] = RJ_RING_COMMIT;
    cr_assert_eq(rj_ring_mpsc_read(&ring, receive, &inbox, 10), 8);
    cr_assert_eq(rj_ring_mpsc_consumer_position(&ring), CAPACITY);
    cr_assert(rj_is_zero(section, CAPACITY));
}

/* shm.md 17: what a hostile producer may have written there */
Test(ring_mpsc, gives_up_records_that_reach_beyond_the_ring)
{
    const int32_t lengths[] = {1, 7, CAPACITY - 16 + 1, CAPACITY + 1, INT32_MAX};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        start_at(0, 0);
        rj_ring_mpsc_write(&ring, 3, body, 8);
        rj_ring_mpsc_write(&ring, 4, body, 8);
        rj_ring_mpsc_write(&ring, 5, body, 8);
        set_record(16, lengths[i], 4);
        cr_assert_eq(read_ring(10), 1);
        cr_assert_eq(inbox.types[0], 3);
        cr_assert_eq(ring.corrupt_count, 1);
        cr_assert_eq(rj_ring_mpsc_consumer_position(&ring), 48, "given up to the tail");
        cr_assert(rj_is_zero(section, CAPACITY));
        cr_assert_eq(rj_ring_mpsc_write(&ring, 6, body, 8), 0);
        cr_assert_eq(read_ring(10), 1);
        cr_assert_eq(inbox.types[0], 6);
    }
}

Test(ring_mpsc, survives_a_spoilt_trailer)
{
    const int64_t values[] = {-8, INT64_MIN, INT64_MAX, 12, 1, CAPACITY * 3};
    rj_ring_trailer_t *trailer = (rj_ring_trailer_t *)(void *)(section + CAPACITY);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        start_at(0, 0);
        rj_ring_mpsc_write(&ring, 3, body, 8);
        set_record(16, 3, 3);
        trailer->tail_position = values[i];
        trailer->head_position = values[i];
        trailer->head_cache_position = values[i];
        cr_assert_eq(read_ring(10), 1);
        cr_assert_leq(rj_ring_mpsc_consumer_position(&ring), CAPACITY);
        rj_ring_mpsc_unblock(&ring);
        rj_ring_mpsc_write(&ring, 4, body, 100);
        read_ring(10);
    }
}

/* shm.md 19.10 */
Test(ring_mpsc, unblocks_a_claim_that_was_never_begun)
{
    start_at(64 + 24, 64);
    cr_assert_not(rj_ring_mpsc_unblock(&ring), "the newest claim may still be written");
    cr_assert_eq(rj_ring_mpsc_write(&ring, 6, body, 16), 0);
    cr_assert(rj_ring_mpsc_unblock(&ring));
    cr_assert_eq(rj_hex_compare(section + 64, "18 00 00 00 ff ff ff ff"), 8);
    cr_assert_not(rj_ring_mpsc_unblock(&ring));
    cr_assert_eq(read_ring(10), 1);
    cr_assert_eq(rj_ring_mpsc_consumer_position(&ring), 112);
}

/* shm.md 19.10 */
Test(ring_mpsc, unblocks_a_claim_that_was_begun)
{
    uint8_t *claim;
    start_at(112, 112);
    cr_assert_eq(rj_ring_mpsc_try_claim(&ring, 6, 20, &claim), 0);
    cr_assert(rj_ring_mpsc_unblock(&ring));
    cr_assert_eq(rj_hex_compare(section + 112, "1c 00 00 00 ff ff ff ff"), 8);
    cr_assert_eq(read_ring(10), 0);
    cr_assert_eq(rj_ring_mpsc_consumer_position(&ring), 144);
    cr_assert_not(rj_ring_mpsc_unblock(&ring));
}

/* As Aeron's C driver does not: shm.md 5.6. */
Test(ring_mpsc, unblocks_a_hole_at_index_0)
{
    start_at(CAPACITY + 32, CAPACITY);
    set_record(24, 8, 1);
    cr_assert(rj_ring_mpsc_unblock(&ring));
    cr_assert_eq(rj_hex_compare(section, "18 00 00 00 ff ff ff ff"), 8);
}

Test(ring_mpsc, unblocks_a_hole_whose_followers_have_wrapped)
{
    start_at(CAPACITY + 16, CAPACITY - 32);
    set_record(CAPACITY - 8, 8, RJ_RECORD_TYPE_PADDING);
    set_record(0, 16, 5);
    cr_assert(rj_ring_mpsc_unblock(&ring));
    cr_assert_eq(rj_hex_compare(section + CAPACITY - 32, "18 00 00 00 ff ff ff ff"), 8);
    cr_assert_eq(read_ring(10), 0);
    cr_assert_eq(read_ring(10), 1);
    cr_assert_eq(inbox.types[0], 5);
}

Test(ring_mpsc, unblocks_nothing_in_an_empty_ring_or_before_a_message)
{
    cr_assert_not(rj_ring_mpsc_unblock(&ring));
    rj_ring_mpsc_write(&ring, 1, body, 8);
    cr_assert_not(rj_ring_mpsc_unblock(&ring));
}

Test(ring_mpsc, gives_up_after_unblock_a_length_that_no_claim_has)
{
    start_at(64, 0);
    set_record(0, INT32_MIN, 1);
    cr_assert(rj_ring_mpsc_unblock(&ring));
    cr_assert_eq(read_ring(10), 0);
    cr_assert_eq(ring.corrupt_count, 1);
    cr_assert_eq(rj_ring_mpsc_consumer_position(&ring), 64);
}

Test(ring_mpsc, hands_out_ids_and_keeps_the_heartbeat)
{
    cr_assert_eq(rj_ring_mpsc_next_correlation_id(&ring), 0);
    cr_assert_eq(rj_ring_mpsc_next_correlation_id(&ring), 1);
    cr_assert_eq(rj_hex_compare(section + CAPACITY + 512, "02 00 00 00 00 00 00 00"), 8);
    rj_ring_mpsc_set_heartbeat_ms(&ring, -1);
    cr_assert_eq(rj_ring_mpsc_heartbeat_ms(&ring), -1);
    cr_assert_eq(rj_hex_compare(section + CAPACITY + 640, "ff ff ff ff ff ff ff ff"), 8);
}

/* Random writes, claims, aborts and reads against a queue: what comes out is what went in, in
 * order, and space that nobody has claimed reads zero. */
Test(ring_mpsc, behaves_as_a_queue_does)
{
    enum { STEPS = 30000, QUEUE_MAX = 256 };
    static struct {
        int32_t type, length;
        uint8_t first;
    } queue[QUEUE_MAX];
    for (uint64_t seed = 1; seed <= 3; seed++) {
        rj_prng_t prng;
        rj_prng_init(&prng, seed);
        start_at(0, 0);
        int head = 0, tail = 0, delivered = 0;
        for (int step = 0; step < STEPS; step++) {
            if (rj_prng_chance(&prng, 0.5)) {
                int32_t type = (int32_t)rj_prng_between(&prng, 1, INT32_MAX);
                int32_t length = (int32_t)rj_prng_between(&prng, 0, 128);
                uint8_t message[128];
                memset(message, (int)rj_prng_below(&prng, 256), sizeof(message));
                uint8_t *claim;
                int code = rj_ring_mpsc_try_claim(&ring, type, length, &claim);
                cr_assert(code == 0 || code == -EAGAIN);
                if (code != 0)
                    continue;
                memcpy(claim, message, (size_t)length);
                if (rj_prng_chance(&prng, 0.1)) {
                    cr_assert_eq(rj_ring_mpsc_abort(&ring, claim), 0);
                    continue;
                }
                cr_assert_eq(rj_ring_mpsc_commit(&ring, claim), 0);
                queue[tail % QUEUE_MAX].type = type;
                queue[tail % QUEUE_MAX].length = length;
                queue[tail % QUEUE_MAX].first = message[0];
                tail++;
                cr_assert_leq(tail - head, QUEUE_MAX);
                continue;
            }
            int count = read_ring((int)rj_prng_between(&prng, 1, 20));
            for (int i = 0; i < count; i++, head++, delivered++) {
                cr_assert_lt(head, tail);
                cr_assert_eq(inbox.types[i], queue[head % QUEUE_MAX].type);
                cr_assert_eq(inbox.lengths[i], queue[head % QUEUE_MAX].length);
                if (inbox.lengths[i] > 0) {
                    cr_assert_eq(inbox.bodies[i][0], queue[head % QUEUE_MAX].first);
                    cr_assert_eq(inbox.bodies[i][inbox.lengths[i] - 1],
                                 queue[head % QUEUE_MAX].first);
                }
            }
            int64_t from = rj_ring_mpsc_producer_position(&ring);
            int64_t to = rj_ring_mpsc_consumer_position(&ring) + CAPACITY;
            for (; from < to; from += 8)
                cr_assert(rj_is_zero(section + from % CAPACITY, 8));
        }
        while (read_ring(MESSAGES_MAX) > 0 ||
               rj_ring_mpsc_consumer_position(&ring) < rj_ring_mpsc_producer_position(&ring))
            head += inbox.count;
        cr_assert_eq(head, tail);
        cr_assert_gt(delivered, 1000);
        cr_assert_eq(ring.corrupt_count, 0);
    }
}
