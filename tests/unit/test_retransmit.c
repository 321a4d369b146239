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
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 192, 320, 0, 0), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(rj_retransmit_poll(&retransmit, 0), 1);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 192, 320, 0, 0), RJ_RETRANSMIT_DUPLICATE);
    resend_all(&retransmit, 0);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 192, 320, 0, 5 * ms), RJ_RETRANSMIT_DUPLICATE);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 256, 320, 0, 5 * ms), RJ_RETRANSMIT_DUPLICATE);
    cr_assert_eq(rj_retransmit_deadline_ns(&retransmit), 10 * ms + 1);
    rj_retransmit_poll(&retransmit, 10 * ms);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 192, 320, 0, 10 * ms), RJ_RETRANSMIT_DUPLICATE);
    rj_retransmit_poll(&retransmit, 10 * ms + 1);
    cr_assert_eq(rj_retransmit_deadline_ns(&retransmit), INT64_MAX);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 192, 320, 0, 10 * ms + 1),
                 RJ_RETRANSMIT_ACCEPTED);
}

static void send_to(rj_retransmit_t *retransmit, int64_t snd_pos)
{
    rj_retransmit_on_sent(retransmit, 0, snd_pos);
}

static rj_retransmit_answer_t ask(rj_retransmit_t *retransmit, int64_t begin_pos, int64_t end_pos)
{
    rj_retransmit_answer_t answer = rj_retransmit_on_nak(retransmit, begin_pos, end_pos, 0, 0);
    rj_retransmit_poll(retransmit, 0);
    resend_all(retransmit, 0);
    return answer;
}

Test(retransmit, knows_that_a_resend_was_lost_by_news_of_what_was_sent_later)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(8);
    rj_retransmit_init(&retransmit, &config, 0);
    send_to(&retransmit, 1024);
    cr_assert_eq(ask(&retransmit, 192, 320), RJ_RETRANSMIT_ACCEPTED);
    cr_expect_eq(ask(&retransmit, 192, 320), RJ_RETRANSMIT_DUPLICATE);
    cr_assert_eq(ask(&retransmit, 960, 1024), RJ_RETRANSMIT_ACCEPTED);
    cr_expect_eq(ask(&retransmit, 192, 320), RJ_RETRANSMIT_DUPLICATE, "sent before the resend");

    send_to(&retransmit, 2048);
    cr_assert_eq(ask(&retransmit, 1024, 1088), RJ_RETRANSMIT_ACCEPTED);
    cr_expect_eq(ask(&retransmit, 192, 320), RJ_RETRANSMIT_ACCEPTED, "lost again");
    cr_expect_eq(ask(&retransmit, 192, 320), RJ_RETRANSMIT_DUPLICATE, "once for each proof");
    cr_expect_eq(ask(&retransmit, 1024, 1088), RJ_RETRANSMIT_DUPLICATE,
                 "of itself it says nothing");
    resend_all(&retransmit, 0);
    rj_retransmit_poll(&retransmit, 10 * ms + 1);
    cr_expect_eq(retransmit.active_count, 0);
}

Test(retransmit, takes_no_proof_where_many_ask_or_the_linger_was_set)
{
    for (int i = 0; i < 2; i++) {
        rj_retransmit_t retransmit;
        rj_retransmit_config_t config = config_of(8);
        config.is_group = i == 0;
        config.linger_is_explicit = i == 1;
        rj_retransmit_init(&retransmit, &config, 0);
        send_to(&retransmit, 1024);
        cr_assert_eq(ask(&retransmit, 192, 320), RJ_RETRANSMIT_ACCEPTED);
        send_to(&retransmit, 2048);
        cr_assert_eq(ask(&retransmit, 1024, 1088), RJ_RETRANSMIT_ACCEPTED);
        cr_expect_eq(ask(&retransmit, 192, 320), RJ_RETRANSMIT_DUPLICATE);
    }
}

Test(retransmit, answers_adjacent_ranges_each)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(4);
    rj_retransmit_init(&retransmit, &config, 0);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 192, 320, 0, 0), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 320, 384, 0, 0), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 128, 384, 0, 0), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(retransmit.slots[2].end_pos, 192, "only what is not under way");
    cr_assert_eq(rj_retransmit_poll(&retransmit, 0), 3);
}

Test(retransmit, waits_for_the_delay)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(4);
    config.delay_ns = 2 * ms;
    rj_retransmit_init(&retransmit, &config, 0);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 0, 64, 0, 0), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 0, 64, 0, ms), RJ_RETRANSMIT_DUPLICATE);
    cr_assert_eq(rj_retransmit_poll(&retransmit, 2 * ms), 0);
    cr_assert_eq(rj_retransmit_deadline_ns(&retransmit), 2 * ms + 1);
    cr_assert_eq(rj_retransmit_poll(&retransmit, 2 * ms + 1), 1);
}

Test(retransmit, reuses_the_slot_that_lingered_longest_for_a_single_receiver)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(2);
    rj_retransmit_init(&retransmit, &config, 0);
    rj_retransmit_on_nak(&retransmit, 0, 64, 0, 0);
    resend_all(&retransmit, 0);
    rj_retransmit_on_nak(&retransmit, 128, 192, 0, 1);
    resend_all(&retransmit, 1);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 256, 320, 0, 2), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 128, 192, 0, 2), RJ_RETRANSMIT_DUPLICATE);
    cr_assert_eq(retransmit.slots[0].begin_pos, 256);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 384, 448, 0, 2), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 512, 576, 0, 2), RJ_RETRANSMIT_OVERFLOW,
                 "what waits to be sent is not given up");
}

Test(retransmit, sends_only_what_is_not_under_way_already)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(8);
    rj_retransmit_init(&retransmit, &config, 0);
    rj_retransmit_on_nak(&retransmit, 1024, 2048, 0, 0);
    resend_all(&retransmit, 0);
    rj_retransmit_on_nak(&retransmit, 4096, 5120, 0, 1);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 1536, 4608, 0, 2), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(retransmit.slots[2].begin_pos, 2048, "what lingers is an echo");
    cr_assert_eq(retransmit.slots[2].end_pos, 4096, "what waits is sent anyway");
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 1024, 5120, 0, 3), RJ_RETRANSMIT_DUPLICATE);
}

Test(retransmit, merges_what_several_ask_for_until_it_is_sent)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(8);
    config.is_group = true;
    rj_retransmit_init(&retransmit, &config, 0);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 0, 2048, 3, 0), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 0, 2048, 5, 0), RJ_RETRANSMIT_DUPLICATE);
    cr_assert_eq(retransmit.slots[0].askers, UINT64_C(1) << 3 | UINT64_C(1) << 5);

    rj_retransmit_on_resent(&retransmit, 0, 1024, 1024, 0);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 0, 4096, 6, 0), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(retransmit.slots[0].askers, UINT64_C(0x28),
                 "its beginning was not sent to the third");
    cr_assert_eq(retransmit.slots[1].askers, UINT64_C(1) << 6);
    cr_assert_eq(retransmit.slots[1].begin_pos, 0);

    resend_all(&retransmit, 0);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 0, 2048, 5, 1), RJ_RETRANSMIT_DUPLICATE);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 0, 2048, 7, 1), RJ_RETRANSMIT_ACCEPTED,
                 "what lingers went to others");
    cr_assert_eq(retransmit.slots[2].askers, UINT64_C(1) << 7);
}

Test(retransmit, sends_to_everyone_when_it_does_not_know_who_asked)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(8);
    config.is_group = true;
    rj_retransmit_init(&retransmit, &config, 0);
    rj_retransmit_on_nak(&retransmit, 0, 64, RJ_RETRANSMIT_EVERYONE, 0);
    cr_assert_eq(retransmit.slots[0].askers, UINT64_MAX);
    resend_all(&retransmit, 0);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 0, 64, 70, 1), RJ_RETRANSMIT_DUPLICATE);
    cr_assert_eq(rj_retransmit_asker(70), rj_retransmit_asker(6));
}

Test(retransmit, a_destination_without_budget_holds_up_no_other)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(8);
    config.is_group = true;
    rj_retransmit_init(&retransmit, &config, 0);
    const int64_t burst = retransmit.budget_bytes_max;
    rj_retransmit_on_nak(&retransmit, 0, 64, 1, 0);
    rj_retransmit_poll(&retransmit, 0);
    rj_retransmit_on_resent(&retransmit, 0, 32, burst + 16, 0);
    cr_assert_eq(rj_retransmit_poll(&retransmit, 0), 1);
    cr_assert_leq(rj_retransmit_allowance(&retransmit, 0), 0, "it waits");
    cr_assert_eq(rj_retransmit_deadline_ns(&retransmit), 17 << RJ_RETRANSMIT_EARN_SHIFT);

    rj_retransmit_on_nak(&retransmit, 32, 64, 2, 0);
    cr_assert_eq(rj_retransmit_poll(&retransmit, 0), 1);
    cr_assert_eq(rj_retransmit_deadline_ns(&retransmit), 0);
    cr_assert_eq(rj_retransmit_allowance(&retransmit, 0), burst);
    cr_assert_eq(retransmit.slots[0].askers, UINT64_C(1) << 2, "the one without may ask again");
    rj_retransmit_on_offered(&retransmit, 0, burst);
    rj_retransmit_on_nak(&retransmit, 128, 192, 2, 0);
    cr_assert_leq(rj_retransmit_allowance(&retransmit, 1), 0, "one budget for all that he asks");
}

Test(retransmit, a_wrong_nak_stands_in_nobodys_way)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(8);
    rj_retransmit_init(&retransmit, &config, 0);
    rj_retransmit_on_nak(&retransmit, 16, 65536, 0, 0);
    rj_retransmit_poll(&retransmit, 0);
    rj_retransmit_give_up(&retransmit, 0, 0);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 1024, 2048, 0, 0), RJ_RETRANSMIT_ACCEPTED);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 16, 17, 0, 0), RJ_RETRANSMIT_DUPLICATE);
}

Test(retransmit, counts_overflow_of_a_group)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(2);
    config.is_group = true;
    rj_retransmit_init(&retransmit, &config, 0);
    rj_retransmit_on_nak(&retransmit, 0, 64, 0, 0);
    rj_retransmit_on_nak(&retransmit, 128, 192, 0, 0);
    resend_all(&retransmit, 0);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 256, 320, 0, 1), RJ_RETRANSMIT_OVERFLOW);
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

Test(retransmit, ends_lingers_sooner_when_the_path_turns_out_to_be_short)
{
    rj_retransmit_t retransmit;
    rj_retransmit_config_t config = config_of(2);
    rj_retransmit_init(&retransmit, &config, 0);
    rj_retransmit_on_nak(&retransmit, 0, 64, 0, 0);
    resend_all(&retransmit, 0);
    rj_retransmit_on_rtt(&retransmit, ms);
    rj_retransmit_poll(&retransmit, ms + ms / 2);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 0, 64, 0, 2 * ms), RJ_RETRANSMIT_DUPLICATE);
    rj_retransmit_poll(&retransmit, ms + ms / 2 + 1);
    cr_assert_eq(rj_retransmit_on_nak(&retransmit, 0, 64, 0, 2 * ms), RJ_RETRANSMIT_ACCEPTED);
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
            rj_retransmit_on_sent(&retransmit, data, 0);
            sent[i + 1] = sent[i] + data;
            resent[i + 1] = resent[i];
            rj_retransmit_on_nak(&retransmit, 0, 1 << 30, 0, time_ns[i + 1]);
            rj_retransmit_poll(&retransmit, time_ns[i + 1]);
            while (rj_retransmit_allowance(&retransmit, 0) > 0 && rj_prng_chance(&prng, 0.99)) {
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
