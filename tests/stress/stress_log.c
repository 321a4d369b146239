/* SPDX-License-Identifier: Apache-2.0 */
/* Several publishers append to one shared log while a subscriber reads and a conductor cleans
 * behind it and moves the limit: every message arrives once, whole, in its publisher's order. */
#include "base/clock.h"
#include "base/prng.h"
#include "shm/counters.h"
#include "shm/log_buffer.h"
#include "shm/term_append.h"
#include "shm/term_frame.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PUBLISHER_COUNT = 2,
    MESSAGES = 6000, /* of each publisher */
    LENGTH_MAX = 3000,
    PAUSE_NS = 20000,
};

typedef struct message {
    int32_t publisher;
    int32_t number;
} message_t;

static rj_log_t log_buffer;
static int64_t limit_position;

static void expect(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "stress_log: %s\n", what);
    abort();
}

static void *publish(void *argument)
{
    message_t message = {.publisher = *(const int32_t *)argument};
    static const uint8_t fill[LENGTH_MAX];
    rj_prng_t prng;
    rj_prng_init(&prng, (uint64_t)message.publisher + 1);
    while (message.number < MESSAGES) {
        struct iovec parts[] = {
            {&message, sizeof(message)},
            {(void *)(uintptr_t)fill, rj_prng_below(&prng, LENGTH_MAX)},
        };
        int64_t position =
            rj_append_shared(&log_buffer, rj_counter_get(&limit_position), parts, 2, 0);
        if (position > 0)
            message.number++;
        else if (position != RJ_APPEND_ADMIN_ACTION)
            rj_clock_sleep_ns(PAUSE_NS);
        expect(position > 0 || position >= RJ_APPEND_ADMIN_ACTION, "an append fails");
    }
    return NULL;
}

/* Reads one frame; returns where the next begins, or `position` if there is none. */
static int64_t read_frame(int64_t position, int32_t *next, int *ret_count)
{
    const uint8_t *term = rj_log_term(&log_buffer, position);
    int32_t offset = rj_position_term_offset(position, log_buffer.term_mask);
    int32_t length = rj_frame_length(term, offset);
    if (length <= 0)
        return position;
    rj_wire_data_t header;
    memcpy(&header, term + offset, sizeof(header));
    expect(header.term_offset == offset, "a frame lies at the wrong place");
    expect(header.term_id ==
               rj_position_term_id(position, log_buffer.position_shift, log_buffer.initial_term_id),
           "a frame is of another term");
    if (header.type == RJ_FRAME_TYPE_DATA && (header.flags & RJ_DATA_FLAG_BEGIN) != 0) {
        message_t message;
        memcpy(&message, term + offset + RJ_DATA_HEADER_BYTES, sizeof(message));
        expect(message.publisher >= 0 && message.publisher < PUBLISHER_COUNT, "a torn message");
        expect(message.number == next[message.publisher], "a message is lost or out of order");
        next[message.publisher]++;
        *ret_count += 1;
    }
    return position + rj_frame_aligned_length(length);
}

static void subscribe(void)
{
    int32_t next[PUBLISHER_COUNT] = {0};
    int64_t position = 0, clean_position = 0;
    int64_t window = log_buffer.term_length / 2;
    rj_log_producer_t producer;
    rj_log_producer_init(&producer, &log_buffer, 0);
    for (int count = 0; count < PUBLISHER_COUNT * MESSAGES;) {
        int64_t before = position;
        for (int i = 0; i < 32; i++)
            position = read_frame(position, next, &count);
        while (clean_position < position)
            rj_log_clean_to(&log_buffer, &clean_position, position);
        rj_counter_set(&limit_position, position + window);
        expect(rj_log_producer_poll(&producer, &log_buffer) != -EBADMSG, "sound tails look spoilt");
        if (position == before)
            rj_clock_sleep_ns(PAUSE_NS);
    }
}

int main(void)
{
    char directory[] = "/tmp/rj-stress-XXXXXX", path[64];
    rj_log_params_t params = {
        .initial_term_id = INT32_MAX - 2, /* term ids wrap soon */
        .start_term_id = INT32_MAX - 2,
        .term_length = RJ_TERM_LENGTH_MIN,
        .page_size = RJ_PAGE_SIZE_MIN,
        .mtu_length = 1408,
        .sparse = true,
    };
    expect(mkdtemp(directory) != NULL, "mkdtemp");
    snprintf(path, sizeof(path), "%s/log", directory);
    expect(rj_log_create(&log_buffer, path, &params, NULL) == 0, "create");
    rj_log_set_connected(&log_buffer, true);

    pthread_t threads[PUBLISHER_COUNT];
    int32_t ids[PUBLISHER_COUNT];
    for (int i = 0; i < PUBLISHER_COUNT; i++) {
        ids[i] = i;
        pthread_create(&threads[i], NULL, publish, &ids[i]);
    }
    subscribe();
    for (int i = 0; i < PUBLISHER_COUNT; i++)
        pthread_join(threads[i], NULL);
    rj_log_close(&log_buffer);
    unlink(path);
    rmdir(directory);
    return 0;
}
