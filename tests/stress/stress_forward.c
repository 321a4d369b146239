/* SPDX-License-Identifier: Apache-2.0 */
/* Real threads on the rings between engines: three engines forward to each other in a circle, and
 * no frame is torn, lost or out of order. Bounded runs that sleep when they cannot go on; meant for
 * the thread sanitizer. */
#include "engine/forward.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum {
    ENGINES = 3,
    FRAMES = 20000, /* of each engine, to its neighbour */
    CAPACITY = 8192,
    LENGTH_MAX = 1500,
    PAUSE_NS = 20000,
};

static rj_forward_ring_t rings[ENGINES]; /* [i]: to engine i, from the one before */

static void expect(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "stress_forward: %s\n", what);
    abort();
}

static uint32_t length_of(int64_t number)
{
    return (uint32_t)(number * 7919 % LENGTH_MAX);
}

static bool push(rj_forward_ring_t *ring, int64_t number)
{
    uint8_t bytes[LENGTH_MAX];
    const rj_forwarded_t frame = {.endpoint_id = number, .length_bytes = length_of(number)};
    memset(bytes, (int)(number & 0xff), frame.length_bytes);
    return rj_forward_push(ring, &frame, bytes);
}

static bool take(rj_forward_ring_t *ring, int64_t number)
{
    rj_forwarded_t frame;
    const uint8_t *bytes = rj_forward_peek(ring, &frame);
    if (bytes == NULL)
        return false;
    expect(frame.endpoint_id == number, "a frame is lost or out of order");
    expect(frame.length_bytes == length_of(number), "a frame has another length");
    for (uint32_t i = 0; i < frame.length_bytes; i++)
        expect(bytes[i] == (number & 0xff), "a frame is torn");
    rj_forward_release(ring);
    return true;
}

static void *run_engine(void *argument)
{
    const int index = *(const int *)argument;
    rj_forward_ring_t *from = &rings[index];
    rj_forward_ring_t *to = &rings[(index + 1) % ENGINES];
    int64_t pushed = 0, taken = 0;
    while (pushed < FRAMES || taken < FRAMES) {
        const int64_t before = pushed + taken;
        while (pushed < FRAMES && push(to, pushed))
            pushed++;
        while (taken < FRAMES && take(from, taken))
            taken++;
        if (pushed + taken == before)
            rj_clock_sleep_ns(PAUSE_NS);
    }
    expect(!rj_forward_has_frames(from), "a frame was never sent");
    return NULL;
}

int main(void)
{
    pthread_t threads[ENGINES];
    int indices[ENGINES];
    for (int i = 0; i < ENGINES; i++)
        expect(rj_forward_open(&rings[i], CAPACITY, NULL) == 0, "open");
    for (int i = 0; i < ENGINES; i++) {
        indices[i] = i;
        pthread_create(&threads[i], NULL, run_engine, &indices[i]);
    }
    for (int i = 0; i < ENGINES; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < ENGINES; i++)
        rj_forward_close(&rings[i]);
    return 0;
}
