/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/send_batch.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/fixtures/memory_port.h"

static const uint8_t host[4] = {10, 0, 0, 9};

static memory_port_t port;
static rj_send_batch_t batch;
static rj_endpoint_t endpoint;
static rj_path_t path;

static void open_batch(void)
{
    rj_err_t err;
    memory_port_init(&port);
    cr_assert_eq(rj_send_batch_open(&batch, &port.base, &err), 0);
    const rj_address_t address = rj_address_ipv4(host, 7);
    rj_path_init(&path, &endpoint, &address, false);
}

static void close_batch(void)
{
    rj_send_batch_close(&batch);
}

TestSuite(send_batch, .init = open_batch, .fini = close_batch);

static bool add(uint8_t value)
{
    uint8_t frame[40];
    memset(frame, value, sizeof(frame));
    return rj_send_batch_add_frame(&batch, &path, frame, sizeof(frame));
}

Test(send_batch, sends_frames_and_runs_in_order)
{
    static const uint8_t data[64] = {9};
    cr_assert(add(1));
    *rj_send_batch_tail(&batch) =
        (rj_run_t){.path = &path, .start = data, .total_bytes = 64, .segment_bytes = 32};
    rj_send_batch_append(&batch, 1);
    cr_assert(add(2));
    rj_send_batch_send(&batch);
    cr_assert_eq(port.sent_count, 4);
    cr_assert_eq(port.send_calls, 1);
    cr_assert_eq(port.sent[0].bytes[39], 1);
    cr_assert_eq(port.sent[1].bytes[0], 9);
    cr_assert_eq(port.sent[3].bytes[0], 2);
    cr_assert_eq(batch.runs[1].result, 64);
    cr_assert_eq(batch.sent_until, 3);
    rj_send_batch_clear(&batch);
    rj_send_batch_send(&batch);
    cr_assert_eq(port.send_calls, 1, "nothing is not sent");
}

Test(send_batch, answers_an_address_that_no_path_leads_to)
{
    static const uint8_t frame[4] = {1, 2, 3, 4};
    for (uint16_t i = 1; i <= 3; i++) {
        const rj_address_t address = rj_address_ipv4(host, i);
        cr_assert(rj_send_batch_add_answer(&batch, &endpoint, &address, frame, sizeof(frame)));
    }
    rj_send_batch_send(&batch);
    for (uint16_t i = 1; i <= 3; i++)
        cr_assert_eq(port.sent[i - 1].address.port, i);
    cr_assert_eq(port.sent[0].endpoint, &endpoint);
}

Test(send_batch, gives_a_result_to_runs_that_the_port_did_not_look_at)
{
    for (int i = 0; i < 4; i++)
        cr_assert(add((uint8_t)i));
    for (int i = 0; i < 4; i++)
        batch.runs[i].result = 77;
    port.room = 1;
    rj_send_batch_send(&batch);
    cr_assert_eq(batch.runs[0].result, 40);
    for (int i = 1; i < 4; i++)
        cr_assert_eq(batch.runs[i].result, 0);
    cr_assert_eq(batch.sent_until, 2, "runs that were looked at have numbers");
}

Test(send_batch, declines_when_it_is_full)
{
    for (int i = 0; i < RJ_SEND_BATCH_RUNS; i++)
        cr_assert(add((uint8_t)i));
    cr_assert_eq(rj_send_batch_room(&batch), 0);
    cr_assert_not(add(0));
    rj_send_batch_send(&batch);
    rj_send_batch_clear(&batch);
    cr_assert(add(0));
}

Test(send_batch, keeps_frames_until_the_port_is_done_with_them)
{
    enum { BATCHES = RJ_SCRATCH_FRAMES / RJ_SEND_BATCH_RUNS };
    const uint8_t *first = NULL;
    port.holds = true;
    for (int n = 0; n < BATCHES; n++) {
        for (int i = 0; i < RJ_SEND_BATCH_RUNS; i++) {
            cr_assert(add((uint8_t)(n + 1)));
            if (first == NULL)
                first = batch.runs[0].start;
        }
        memory_port_clear(&port);
        rj_send_batch_send(&batch);
        rj_send_batch_clear(&batch);
    }
    cr_assert_eq(*first, 1, "still as it was sent");
    cr_assert_not(add(99), "no frame is free");
    port.reclaimed = RJ_SEND_BATCH_RUNS;
    for (int i = 0; i < RJ_SEND_BATCH_RUNS; i++)
        cr_assert(add(99), "those of the first batch are");
    cr_assert_eq(*first, 99);
    memory_port_clear(&port);
    rj_send_batch_send(&batch);
    rj_send_batch_clear(&batch);
    cr_assert_not(add(100));
    port.holds = false;
    cr_assert(add(100));
}

Test(send_batch, uses_the_same_few_frames_with_a_port_that_copies)
{
    const uint8_t *first = NULL;
    for (int n = 0; n < 10; n++) {
        cr_assert(add((uint8_t)n));
        if (first == NULL)
            first = batch.runs[0].start;
        cr_assert_eq(batch.runs[0].start, first);
        rj_send_batch_send(&batch);
        rj_send_batch_clear(&batch);
    }
}
