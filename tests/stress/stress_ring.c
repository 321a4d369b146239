/* SPDX-License-Identifier: Apache-2.0 */
/* Real threads on the rings and the broadcast buffer: nothing is lost, doubled, torn or out of
 * order. Bounded runs that sleep when they cannot go on; meant for the thread sanitizer. */
#include "base/clock.h"
#include "base/prng.h"
#include "shm/broadcast.h"
#include "shm/ring_mpsc.h"
#include "shm/ring_spsc.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PRODUCER_COUNT = 3,
    MESSAGES = 20000, /* of each producer */
    CAPACITY = 4096,
    PAUSE_NS = 20000,
};

static uint8_t ring_section[CAPACITY + RJ_RING_TRAILER_BYTES] __attribute__((aligned(128)));
static uint8_t broadcast_section[CAPACITY + RJ_BROADCAST_TRAILER_BYTES]
    __attribute__((aligned(128)));
static rj_ring_spsc_t spsc;

static void expect(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "stress_ring: %s\n", what);
    abort();
}

/* A body that says of itself what it must look like: number, then bytes that follow from it. */
static int32_t make_body(uint8_t *body, int32_t number, rj_prng_t *prng)
{
    int32_t length = (int32_t)rj_prng_between(prng, sizeof(number), 200);
    memset(body, number & 0xff, (size_t)length);
    memcpy(body, &number, sizeof(number));
    return length;
}

static int32_t check_body(const uint8_t *body, int32_t length)
{
    int32_t number;
    expect(length >= (int32_t)sizeof(number), "a body is too short");
    memcpy(&number, body, sizeof(number));
    for (int32_t i = sizeof(number); i < length; i++)
        expect(body[i] == (number & 0xff), "a body is torn");
    return number;
}

static void *produce(void *argument)
{
    int32_t type = *(const int32_t *)argument;
    rj_ring_mpsc_t ring;
    rj_prng_t prng;
    rj_prng_init(&prng, (uint64_t)type);
    rj_ring_mpsc_attach(&ring, ring_section, sizeof(ring_section));
    for (int32_t number = 0; number < MESSAGES;) {
        uint8_t body[200], *claim;
        int32_t length = make_body(body, number, &prng);
        int code = rj_ring_mpsc_try_claim(&ring, type, length, &claim);
        if (code == -EAGAIN) {
            rj_clock_sleep_ns(PAUSE_NS);
            continue;
        }
        expect(code == 0, "a claim fails");
        memcpy(claim, body, (size_t)length);
        if (rj_prng_chance(&prng, 0.05)) {
            rj_ring_mpsc_abort(&ring, claim);
            continue;
        }
        rj_ring_mpsc_commit(&ring, claim);
        number++;
    }
    return NULL;
}

static rj_ring_action_t consume(void *context, int32_t type, const uint8_t *body, int32_t length)
{
    int32_t *next = context;
    expect(type >= 1 && type <= PRODUCER_COUNT, "a type comes from nowhere");
    expect(check_body(body, length) == next[type - 1], "a message is lost or out of order");
    next[type - 1]++;
    return RJ_RING_CONTINUE;
}

static void stress_mpsc(void)
{
    pthread_t threads[PRODUCER_COUNT];
    int32_t types[PRODUCER_COUNT], next[PRODUCER_COUNT] = {0};
    rj_ring_mpsc_t ring;
    expect(rj_ring_mpsc_attach(&ring, ring_section, sizeof(ring_section)) == 0, "attach");
    for (int i = 0; i < PRODUCER_COUNT; i++) {
        types[i] = i + 1;
        pthread_create(&threads[i], NULL, produce, &types[i]);
    }
    for (int total = 0; total < PRODUCER_COUNT * MESSAGES;) {
        int count = rj_ring_mpsc_read(&ring, consume, next, 16);
        if (count == 0)
            rj_clock_sleep_ns(PAUSE_NS);
        total += count;
    }
    for (int i = 0; i < PRODUCER_COUNT; i++) {
        pthread_join(threads[i], NULL);
        expect(next[i] == MESSAGES, "a message is missing");
    }
    expect(ring.corrupt_count == 0, "the ring is corrupt");
}

static void *push(void *argument)
{
    (void)argument;
    for (int64_t number = 0; number < MESSAGES;) {
        if (rj_ring_spsc_push(&spsc, &number))
            number++;
        else
            rj_clock_sleep_ns(PAUSE_NS);
    }
    return NULL;
}

static void stress_spsc(void)
{
    pthread_t thread;
    expect(rj_ring_spsc_open(&spsc, sizeof(int64_t), 64, NULL) == 0, "open");
    pthread_create(&thread, NULL, push, NULL);
    for (int64_t next = 0; next < MESSAGES;) {
        int64_t number;
        if (!rj_ring_spsc_pop(&spsc, &number)) {
            rj_clock_sleep_ns(PAUSE_NS);
            continue;
        }
        expect(number == next, "a message is lost or out of order");
        next++;
    }
    pthread_join(thread, NULL);
    rj_ring_spsc_close(&spsc);
}

static void *transmit(void *argument)
{
    (void)argument;
    rj_broadcast_t broadcast;
    rj_prng_t prng;
    rj_prng_init(&prng, 99);
    expect(rj_broadcast_attach(&broadcast, broadcast_section, sizeof(broadcast_section)) == 0,
           "attach");
    for (int32_t number = 1; number <= MESSAGES; number++) {
        uint8_t body[200];
        int32_t length = make_body(body, number, &prng);
        expect(rj_broadcast_transmit(&broadcast, number, body, length) == 0, "a transmit fails");
        /* Bursts long enough to lap a receiver now and then. */
        if (rj_prng_chance(&prng, 0.05))
            rj_clock_sleep_ns(PAUSE_NS);
    }
    return NULL;
}

static void *receive(void *argument)
{
    rj_broadcast_receiver_t *receiver = argument;
    int32_t seen = 0;
    while (seen < MESSAGES) {
        uint8_t body[200];
        int32_t type;
        int length = rj_broadcast_receive(receiver, &type, body, sizeof(body));
        if (length == -EAGAIN) {
            rj_clock_sleep_ns(PAUSE_NS);
            continue;
        }
        if (length == -EOVERFLOW)
            continue;
        expect(length >= 0, "a receive fails");
        expect(check_body(body, length) == type, "an event is mixed up");
        expect(type == seen + 1 || (type > seen && receiver->lapped_count > 0),
               "an event is lost or out of order");
        seen = type;
    }
    return NULL;
}

static void stress_broadcast(void)
{
    pthread_t transmitter, threads[2];
    rj_broadcast_receiver_t receivers[2];
    for (int i = 0; i < 2; i++) {
        expect(rj_broadcast_receiver_attach(&receivers[i], broadcast_section,
                                            sizeof(broadcast_section)) == 0,
               "attach");
        pthread_create(&threads[i], NULL, receive, &receivers[i]);
    }
    pthread_create(&transmitter, NULL, transmit, NULL);
    pthread_join(transmitter, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    stress_mpsc();
    stress_spsc();
    stress_broadcast();
    return 0;
}
