/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/retransmit.h"

#include <criterion/criterion.h>

#include "base/prng.h"

enum { TERM = 64 * 1024 };

static const int64_t ms = 1000 * 1000;

static rj_retransmit_config_t config_of(int32_t slot_count)
{
    return (rj_retransmit_config_t){
        .slot_count = slot_count, .term_length = TERM, .linger_ns = 10 * ms};
}

static void resend_all(rj_retransmit_t *retransmit, int64_t now_ns)
{
    int slot;
    while ((slot = rj_retransmit_next_ready(retransmit, 0)) >= 0) {
        const rj_retransmit_slot_t *at = &retransmit->slots[slot];
        rj_retransmit_on_resent(retransmit, slot, at->end_pos, at->end_pos - at->next_pos, now_ns);
    }
}

Test(retransmit, answers_a_range_once_while_it_lingers)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(4);
    rj_retransmit_init(&retransmit, &config, 0);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 192, 320, 0), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(rj_retransmit_poll(&retransmit, 0), 1);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 192, 320, 0), RJ_RETRANSMIT_DUPLICATE);
    resend_all(&retransmit, 0);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 192, 320, 5 * ms), RJ_RETRANSMIT_DUPLICATE);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 256, 320, 5 * ms), RJ_RETRANSMIT_DUPLICATE);
    cr_assert_eq(rj_retransmit_deadline_ns(&retransmit), 10 * ms + 1);
    rj_retransmit_poll(&retransmit, 10 * ms);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 192, 320, 10 * ms), RJ_RETRANSMIT_DUPLICATE);
    rj_retransmit_poll(&retransmit, 10 * ms + 1);
    cr_assert_eq(rj_retransmit_deadline_ns(&retransmit), INT64_MAX);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 192, 320, 10 * ms + 1), RJ_RETRANSMIT_ACCEPTED);
}

Test(retransmit, answers_adjacent_ranges_each)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(4);
    rj_retransmit_init(&retransmit, &config, 0);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 192, 320, 0), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 320, 384, 0), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 128, 384, 0), RJ_RETRANSMIT_ACCEPTED,
                 "only the beginning is compared");
    cr_assert_eq(rj_retransmit_poll(&retransmit, 0), 3);
}

Test(retransmit, waits_for_the_delay)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(4);
    config.delay_ns = 2 * ms;
    rj_retransmit_init(&retransmit, &config, 0);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 0, 64, 0), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 0, 64, ms), RJ_RETRANSMIT_DUPLICATE);
    cr_assert_eq(rj_retransmit_poll(&retransmit, 2 * ms), 0);
    cr_assert_eq(rj_retransmit_deadline_ns(&retransmit), 2 * ms + 1);
    cr_assert_eq(rj_retransmit_poll(&retransmit, 2 * ms + 1), 1);
}

Test(retransmit, reuses_the_slot_that_lingered_longest_for_a_single_receiver)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(2);
    rj_retransmit_init(&retransmit, &config, 0);
    rj_retransmit_on_nak(&retransmit, 0, 64, 0);
    resend_all(&retransmit, 0);
    rj_retransmit_on_nak(&retransmit, 128, 192, 1);
    resend_all(&retransmit, 1);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 256, 320, 2), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 128, 192, 2), RJ_RETRANSMIT_DUPLICATE);
    cr_assert_eq(retransmit.slots[0].begin_pos, 256);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 384, 448, 2), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 512, 576, 2), RJ_RETRANSMIT_OVERFLOW,
                 "what waits to be sent is not given up");
}

Test(retransmit, counts_overflow_of_a_group)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(2);
    config.is_group = true;
    rj_retransmit_init(&retransmit, &config, 0);
    rj_retransmit_on_nak(&retransmit, 0, 64, 0);
    rj_retransmit_on_nak(&retransmit, 128, 192, 0);
    resend_all(&retransmit, 0);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 256, 320, 1), RJ_RETRANSMIT_OVERFLOW);
}

Test(retransmit, lingers_for_the_measured_round_trip_unless_told_otherwise)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(2);
    rj_retransmit_init(&retransmit, &config, 0);
    rj_retransmit_on_rtt(&retransmit, 100 * ms);
    cr_assert_eq(retransmit.linger_ns, 150 * ms);
    rj_retransmit_on_rtt(&retransmit, 1000);
    cr_assert_eq(retransmit.linger_ns, RJ_RETRANSMIT_LINGER_NS_MIN);
    config.linger_is_explicit = true;
    rj_retransmit_init(&retransmit, &config, 0);
    rj_retransmit_on_rtt(&retransmit, 100 * ms);
    cr_assert_eq(retransmit.linger_ns, 10 * ms);
}

/* The inequality of the header, over every span of a seeded run. */
Test(retransmit, keeps_its_budget_in_every_span_of_time)
{
    enum { STEPS = 600, DATAGRAM = 1408 };
    static int64_t time_ns[STEPS + 1], sent[STEPS + 1], resent[STEPS + 1];
    const int64_t burst = TERM / 2 + RJ_RETRANSMIT_BURST_BYTES;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        rj_prng_t prng;
        rj_retransmit_t retransmit;
        rj_retransmit_config_t config = config_of(1);
        config.linger_ns = 1;
        rj_prng_init(&prng, seed);
        rj_retransmit_init(&retransmit, &config, 0);
        for (int i = 0; i < STEPS; i++) {
            time_ns[i + 1] = time_ns[i] + rj_prng_between(&prng, 0, 100 * 1000);
            int64_t data = rj_prng_chance(&prng, 0.3) ? rj_prng_between(&prng, 0, 20000) : 0;
            rj_retransmit_on_sent(&retransmit, data);
            sent[i + 1] = sent[i] + data;
            resent[i + 1] = resent[i];
            rj_retransmit_on_nak(&retransmit, 0, 1 << 30, time_ns[i + 1]);
            rj_retransmit_poll(&retransmit, time_ns[i + 1]);
            while (retransmit.budget_bytes > 0 && rj_prng_chance(&prng, 0.99)) {
                rj_retransmit_on_resent(&retransmit, 0, 32, DATAGRAM, time_ns[i + 1]);
                resent[i + 1] += DATAGRAM;
            }
        }
        for (int from = 0; from < STEPS; from++) {
            for (int to = from; to <= STEPS; to++)
                cr_assert_leq(resent[to] - resent[from],
                              burst + sent[to] - sent[from] +
                                  (time_ns[to] - time_ns[from]) / (1 << RJ_RETRANSMIT_EARN_SHIFT) +
                                  DATAGRAM + 1);
        }
        cr_assert_gt(resent[STEPS], burst);
    }
}
