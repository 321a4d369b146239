/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/loss.h"

#include <criterion/criterion.h>

#include "base/prng.h"

enum { TERM = 64 * 1024 };

static const int64_t us = 1000;
static const int64_t ms = 1000 * 1000;

static const rj_loss_config_t by_hand = {
    .delay_ns = 1000, .retry_ns = 100 * 1000, .is_explicit = true};
static const rj_loss_config_t adaptive = {.delay_ns = 1000, .retry_ns = 100 * 1000};

static int poll(rj_loss_t *loss, int64_t now_ns)
{
    rj_span_t spans[RJ_LOSS_GAPS_MAX];
    int64_t lost = 0;
    return rj_loss_poll(loss, spans, RJ_LOSS_GAPS_MAX, &lost, now_ns);
}

static bool span_is(rj_span_t span, int64_t begin_pos, int64_t end_pos)
{
    return span.begin_pos == begin_pos && span.end_pos == end_pos;
}

Test(loss, naks_after_the_delay_then_at_every_retry)
{
    rj_loss_t loss;
    rj_span_t span;
    int64_t lost = 0;
    rj_loss_init(&loss, &by_hand, TERM, 64);
    cr_assert_eq(rj_loss_deadline_ns(&loss), INT64_MAX);
    rj_loss_on_received(&loss, 64, 192, 0);
    rj_loss_on_received(&loss, 320, 384, 0);
    cr_assert_eq(rj_loss_first_missing_pos(&loss), 192);
    cr_assert_eq(rj_loss_deadline_ns(&loss), 1000);

    cr_assert_eq(rj_loss_poll(&loss, &span, 1, &lost, 999), 0);
    cr_assert_eq(rj_loss_poll(&loss, &span, 1, &lost, 1000), 1);
    cr_assert(span_is(span, 192, 320));
    cr_assert_eq(rj_loss_deadline_ns(&loss), 1000 + 100 * us);
    for (int i = 1; i < 50; i++) {
        cr_assert_eq(rj_loss_poll(&loss, &span, 1, &lost, 999 + i * 100 * us), 0);
        cr_assert_eq(rj_loss_poll(&loss, &span, 1, &lost, 1000 + i * 100 * us), 1);
    }
    rj_loss_on_received(&loss, 192, 320, 9 * ms);
    cr_assert_eq(rj_loss_poll(&loss, &span, 1, &lost, INT64_MAX), 0);
    cr_assert_eq(rj_loss_first_missing_pos(&loss), 384);
    cr_assert_eq(lost, 128);
}

static void on_drained(rj_loss_t *loss, int64_t all_ns)
{
    const rj_drained_t drained = {.but_ns = {all_ns, all_ns, all_ns}};
    rj_loss_on_drained(loss, &drained);
}

Test(loss, counts_a_gap_though_there_is_always_more_behind_the_door_it_was_seen_by)
{
    enum { RING, SOCKETS };
    const rj_drained_t drained = {
        .but_ns = {[RING] = 501, [SOCKETS] = INT64_MIN, [RJ_WAY_IN_UNKNOWN] = INT64_MIN}};
    for (int32_t way_in = 0; way_in <= RJ_WAY_IN_UNKNOWN; way_in++) {
        rj_loss_t loss;
        rj_loss_init(&loss, &adaptive, TERM, 0);
        rj_loss_on_way_in(&loss, way_in);
        rj_loss_on_received(&loss, 64, 128, 500);
        cr_expect_eq(poll(&loss, 1500), 1, "there is one door");

        rj_loss_init(&loss, &adaptive, TERM, 0);
        rj_loss_on_drained(&loss, &drained);
        rj_loss_on_way_in(&loss, way_in);
        rj_loss_on_received(&loss, 64, 128, 500);
        cr_expect_eq(poll(&loss, 1500), way_in == RING ? 1 : 0, "way in %d", way_in);
    }
}

Test(loss, waits_for_all_doors_where_a_gap_was_seen_by_two_or_by_nobody_knows_which)
{
    const rj_drained_t drained = {.but_ns = {INT64_MAX, INT64_MAX, 501}};
    rj_loss_t loss;
    rj_loss_init(&loss, &adaptive, TERM, 0);
    rj_loss_on_drained(&loss, &drained);
    rj_loss_on_way_in(&loss, 0);
    rj_loss_on_heartbeat(&loss, 64, 501);
    rj_loss_on_way_in(&loss, 1);
    rj_loss_on_heartbeat(&loss, 128, 501);
    cr_expect_eq(poll(&loss, 1501), 0, "seen by both");

    rj_loss_init(&loss, &adaptive, TERM, 0);
    rj_loss_on_drained(&loss, &drained);
    rj_loss_on_scanned(&loss, (rj_span_t){0, 64}, 501);
    cr_expect_eq(poll(&loss, 1501), 0, "found in the log");
    cr_expect_eq(poll(&loss, 501 + RJ_LOSS_DOORS_NS_MAX), 1);
}

Test(loss, counts_a_gap_once_all_doors_were_found_empty_behind_it)
{
    rj_loss_t loss;
    rj_loss_init(&loss, &adaptive, TERM, 0);
    on_drained(&loss, INT64_MIN);
    rj_loss_on_received(&loss, 64, 128, 500);
    cr_assert_eq(rj_loss_deadline_ns(&loss), 1500);
    cr_assert_eq(poll(&loss, 1500), 0, "a door was never found empty");
    cr_assert_eq(rj_loss_deadline_ns(&loss), 1500 + RJ_LOSS_DOORS_LOOK_NS);
    on_drained(&loss, 500);
    cr_assert_eq(poll(&loss, 10 * us), 0, "found empty in the turn in which it was seen");
    on_drained(&loss, 501);
    cr_assert_eq(poll(&loss, 16 * us), 1);
    on_drained(&loss, INT64_MIN);
    cr_assert_eq(poll(&loss, 16 * us + 100 * us), 1, "it counts for good");
}

Test(loss, waits_for_doors_no_longer_than_a_millisecond)
{
    rj_loss_t loss;
    rj_loss_init(&loss, &adaptive, TERM, 0);
    on_drained(&loss, INT64_MIN);
    rj_loss_on_received(&loss, 64, 128, 0);
    for (int64_t now_ns = 1000; now_ns < RJ_LOSS_DOORS_NS_MAX;
         now_ns = rj_loss_deadline_ns(&loss)) {
        cr_assert_eq(poll(&loss, now_ns), 0);
        cr_assert_gt(rj_loss_deadline_ns(&loss), now_ns);
    }
    cr_assert_eq(rj_loss_deadline_ns(&loss), RJ_LOSS_DOORS_NS_MAX);
    cr_assert_eq(poll(&loss, RJ_LOSS_DOORS_NS_MAX), 1);
}

Test(loss, waits_again_where_a_gap_grows)
{
    rj_loss_t loss;
    rj_loss_init(&loss, &adaptive, TERM, 0);
    on_drained(&loss, INT64_MIN);
    rj_loss_on_heartbeat(&loss, 64, 0);
    rj_loss_on_heartbeat(&loss, 128, 50 * us);
    on_drained(&loss, 50 * us);
    cr_assert_eq(poll(&loss, 60 * us), 0);
    on_drained(&loss, 51 * us);
    cr_assert_eq(poll(&loss, 70 * us), 1);
}

Test(loss, asks_at_once_for_one_gap_and_waits_for_another)
{
    rj_loss_t loss;
    rj_span_t spans[2];
    int64_t lost = 0;
    rj_loss_init(&loss, &adaptive, TERM, 0);
    rj_loss_on_received(&loss, 64, 128, 0);
    rj_loss_on_received(&loss, 192, 256, 20 * us);
    on_drained(&loss, 20 * us);
    cr_assert_eq(rj_loss_poll(&loss, spans, 2, &lost, 30 * us), 1);
    cr_assert(span_is(spans[0], 0, 64));
    on_drained(&loss, 40 * us);
    cr_assert_eq(rj_loss_poll(&loss, spans, 2, &lost, 40 * us), 1);
    cr_assert(span_is(spans[0], 128, 192));
}

Test(loss, does_not_wait_for_doors_where_somebody_set_the_timing)
{
    rj_loss_config_t config = by_hand;
    config.counts_at_once = true;
    rj_loss_t loss;
    rj_loss_init(&loss, &config, TERM, 0);
    on_drained(&loss, INT64_MIN);
    rj_loss_on_received(&loss, 64, 128, 0);
    cr_assert_eq(poll(&loss, 1000), 1);
}

Test(loss, asks_for_every_gap_once_and_by_hand_again_for_the_first_alone)
{
    rj_loss_t loss;
    rj_loss_init(&loss, &by_hand, TERM, 0);
    for (int64_t i = 0; i < 5; i++)
        rj_loss_on_received(&loss, 128 * i + 64, 128 * i + 128, 0);
    cr_assert_eq(poll(&loss, 1000), 5);
    cr_assert_eq(poll(&loss, 1000 + 100 * us), 1);
    rj_loss_on_received(&loss, 0, 64, 110 * us);
    cr_assert_eq(poll(&loss, 110 * us), 1, "the second became the first, and is overdue");
}

Test(loss, hands_out_no_more_than_there_is_room_for_and_the_rest_next_time)
{
    rj_loss_t loss;
    rj_span_t spans[16];
    int64_t lost = 0;
    rj_loss_init(&loss, &adaptive, TERM, 0);
    for (int64_t i = 0; i < 40; i++)
        rj_loss_on_received(&loss, 128 * i + 64, 128 * i + 128, 0);
    cr_assert_eq(rj_loss_poll(&loss, spans, 16, &lost, 1000), 16);
    cr_assert_eq(rj_loss_poll(&loss, spans, 16, &lost, 1000), 16);
    cr_assert(span_is(spans[0], 128 * 16, 128 * 16 + 64));
    cr_assert_eq(rj_loss_poll(&loss, spans, 16, &lost, 1000), 8);
    cr_assert_eq(rj_loss_poll(&loss, spans, 16, &lost, 1000), 0);
    cr_assert_eq(lost, 40 * 64);
}

Test(loss, learns_the_round_trip_from_the_answer_to_an_only_nak)
{
    rj_loss_t loss;
    rj_loss_init(&loss, &adaptive, TERM, 0);
    rj_loss_on_received(&loss, 64, 128, 0);
    cr_assert_eq(poll(&loss, 1000), 1);
    rj_loss_on_received(&loss, 0, 64, 1000 + 10 * ms);
    cr_assert_eq(loss.rtt_ns, 10 * ms);
    /* RFC 6298: variation half of the first sample, so 1.5 x 10 + 4 x 5. */
    cr_assert_eq(loss.retry_ns, 35 * ms);
    rj_loss_on_received(&loss, 192, 256, 20 * ms);
    cr_assert_eq(poll(&loss, 21 * ms), 1);
    rj_loss_on_received(&loss, 128, 192, 31 * ms);
    cr_assert_eq(loss.rtt_ns, 10 * ms);
    cr_assert_eq(loss.rtt_variation_ns, 3750 * us);
}

Test(loss, takes_no_sample_from_a_gap_that_was_asked_for_twice)
{
    rj_loss_t loss;
    rj_loss_init(&loss, &adaptive, TERM, 0);
    rj_loss_on_received(&loss, 64, 128, 0);
    cr_assert_eq(poll(&loss, 1000), 1);
    cr_assert_eq(poll(&loss, 1000 + 100 * us), 1);
    rj_loss_on_received(&loss, 0, 64, 1000 + 300 * us);
    cr_assert_eq(loss.rtt_ns, 0);
    cr_assert_eq(loss.retry_ns, 300 * us, "but the round trip cannot be longer than that");
}

Test(loss, does_not_flood_a_long_path_that_it_does_not_know)
{
    const int64_t rtt = 100 * ms;
    rj_loss_t loss;
    int naks = 0;
    rj_loss_init(&loss, &adaptive, TERM, 0);
    for (int64_t i = 0; i < 16; i++)
        rj_loss_on_received(&loss, 128 * i + 64, 128 * i + 128, 0);
    for (int64_t now = 0; now < rtt; now += 10 * us)
        naks += poll(&loss, now);
    cr_assert_leq(naks, 16 + 12, "%d", naks);
    for (int64_t i = 0; i < 16; i++)
        rj_loss_on_received(&loss, 128 * i, 128 * i + 64, rtt + 10 * us);
    cr_assert_eq(loss.rtt_ns, rtt, "the NAKs left after 10 us");

    /* Now it does: one NAK for each gap. */
    naks = 0;
    for (int64_t i = 20; i < 36; i++)
        rj_loss_on_received(&loss, 128 * i + 64, 128 * i + 128, rtt + 10 * us);
    for (int64_t now = rtt; now < 2 * rtt; now += 10 * us)
        naks += poll(&loss, now);
    cr_assert_eq(naks, 16, "%d", naks);
}

Test(loss, learns_a_long_path_from_single_gaps_too)
{
    const int64_t rtt = 100 * ms;
    rj_loss_t loss;
    int naks = 0;
    rj_loss_init(&loss, &adaptive, TERM, 0);
    for (int64_t i = 0; i < 3; i++) {
        int64_t start = i * 200 * ms;
        naks = 0;
        rj_loss_on_received(&loss, 128 * i + 64, 128 * i + 128, start);
        for (int64_t now = start; now < start + rtt; now += 10 * us)
            naks += poll(&loss, now);
        rj_loss_on_received(&loss, 128 * i, 128 * i + 64, start + rtt);
    }
    cr_assert_eq(naks, 1, "%d", naks);
}

Test(loss, backs_off_on_a_measured_path_from_the_fourth_nak_on_up_to_a_ceiling)
{
    rj_loss_t loss;
    int64_t now = 0;
    int64_t last = 0;
    int64_t intervals[20];
    rj_loss_init(&loss, &adaptive, TERM, 0);
    rj_loss_on_received(&loss, 64, 128, 0);
    poll(&loss, 1000);
    rj_loss_on_received(&loss, 0, 64, 1000 + 20 * us);
    cr_assert_eq(loss.retry_ns, 100 * us, "the least");

    rj_loss_on_received(&loss, 192, 256, 100 * us);
    for (int i = 0; i < 20; i++) {
        now = rj_loss_deadline_ns(&loss);
        cr_assert_eq(poll(&loss, now), 1);
        intervals[i] = now - last;
        last = now;
    }
    for (int i = 1; i <= 3; i++)
        cr_assert_eq(intervals[i], 100 * us);
    cr_assert_eq(intervals[4], 200 * us);
    cr_assert_eq(intervals[5], 400 * us);
    cr_assert_eq(intervals[19], 20 * ms);
}

/* A sender that stood still answers all that was asked meanwhile, in a burst. */
Test(loss, takes_answers_that_come_late_together_for_one_sign_of_a_longer_path)
{
    enum { GAPS = 20 };
    rj_loss_t loss;
    rj_loss_init(&loss, &adaptive, TERM, 0);
    rj_loss_on_received(&loss, 64, 128, 0);
    poll(&loss, 1000);
    rj_loss_on_received(&loss, 0, 64, 1000 + 20 * us);
    for (int64_t i = 1; i <= GAPS; i++)
        rj_loss_on_received(&loss, 128 * i + 64, 128 * i + 128, 100 * us);
    int64_t now = 0;
    for (int i = 0; i < 3; i++) {
        now = rj_loss_deadline_ns(&loss);
        cr_assert_eq(poll(&loss, now), GAPS);
    }
    for (int64_t i = 1; i <= GAPS; i++)
        rj_loss_on_received(&loss, 128 * i, 128 * i + 64, now + i);
    cr_assert_eq(loss.retry_ns, 200 * us, "%lld", (long long)loss.retry_ns);
    cr_assert_eq(loss.gap_count, 0);

    /* Late again, an interval after that: it is longer still. */
    rj_loss_on_received(&loss, 128 * GAPS + 192, 128 * GAPS + 256, now + 300 * us);
    for (int i = 0; i < 2; i++) {
        now = rj_loss_deadline_ns(&loss);
        cr_assert_eq(poll(&loss, now), 1);
    }
    rj_loss_on_received(&loss, 128 * GAPS + 128, 128 * GAPS + 192, now + 1);
    cr_assert_eq(loss.retry_ns, 400 * us, "%lld", (long long)loss.retry_ns);
}

Test(loss, keeps_the_timer_of_a_gap_that_shrinks_and_moves_it_on_with_progress)
{
    rj_loss_t loss;
    rj_span_t span;
    int64_t lost = 0;
    rj_loss_init(&loss, &adaptive, TERM, 0);
    rj_loss_on_received(&loss, 640, 704, 0);
    rj_loss_on_received(&loss, 576, 640, 500);
    cr_assert_eq(poll(&loss, 999), 0);
    cr_assert_eq(rj_loss_poll(&loss, &span, 1, &lost, 1000), 1, "not a new gap");
    cr_assert(span_is(span, 0, 576));
    rj_loss_on_received(&loss, 0, 64, 50 * us);
    cr_assert_eq(poll(&loss, 50 * us + loss.retry_ns - 1), 0, "an answer is under way");
    cr_assert_eq(rj_loss_poll(&loss, &span, 1, &lost, 50 * us + loss.retry_ns), 1);
    cr_assert(span_is(span, 64, 576));
    cr_assert_eq(lost, 576);
}

Test(loss, splits_a_gap_and_both_parts_keep_what_was_known)
{
    rj_loss_t loss;
    rj_span_t spans[2];
    int64_t lost = 0;
    rj_loss_init(&loss, &adaptive, TERM, 0);
    rj_loss_on_received(&loss, 640, 704, 0);
    cr_assert_eq(rj_loss_poll(&loss, spans, 2, &lost, 1000), 1);
    rj_loss_on_received(&loss, 320, 384, 20 * us);
    cr_assert_eq(loss.gap_count, 2);
    cr_assert_eq(rj_loss_poll(&loss, spans, 2, &lost, 200 * us), 2);
    cr_assert(span_is(spans[0], 0, 320));
    cr_assert(span_is(spans[1], 384, 640));
    cr_assert_eq(lost, 640, "lost is reported once");
}

Test(loss, takes_what_is_added_to_a_gap_after_its_nak_for_a_new_one)
{
    rj_loss_t loss;
    rj_span_t spans[2];
    int64_t lost = 0;
    rj_loss_init(&loss, &by_hand, TERM, 0);
    rj_loss_on_heartbeat(&loss, 320, 0);
    rj_loss_on_heartbeat(&loss, 640, 500);
    cr_assert_eq(rj_loss_poll(&loss, spans, 2, &lost, 1000), 1);
    cr_assert(span_is(spans[0], 0, 640), "before its NAK it just grows");
    rj_loss_on_heartbeat(&loss, 960, 2000);
    cr_assert_eq(rj_loss_poll(&loss, spans, 2, &lost, 3000), 1);
    cr_assert(span_is(spans[0], 640, 960));
    cr_assert_eq(lost, 960);
    cr_assert_eq(rj_loss_poll(&loss, spans, 2, &lost, 1000 + 100 * us), 1);
    cr_assert(span_is(spans[0], 0, 640), "and its timer was kept");
}

Test(loss, cuts_gaps_at_the_end_of_a_term)
{
    rj_loss_t loss;
    rj_span_t spans[3];
    int64_t lost = 0;
    rj_loss_init(&loss, &by_hand, TERM, TERM - 64);
    rj_loss_on_received(&loss, TERM + 128, TERM + 192, 0);
    cr_assert_eq(rj_loss_poll(&loss, spans, 3, &lost, 1000), 2);
    cr_assert(span_is(spans[0], TERM - 64, TERM));
    cr_assert(span_is(spans[1], TERM, TERM + 128));
}

Test(loss, never_asks_beyond_the_high_water_mark)
{
    rj_loss_t loss;
    rj_span_t span;
    int64_t lost = 0;
    rj_loss_init(&loss, &by_hand, TERM, 0);
    rj_loss_on_heartbeat(&loss, 96, 0);
    cr_assert_eq(rj_loss_poll(&loss, &span, 1, &lost, 1000), 1);
    cr_assert_eq(span.end_pos, 96);
    rj_loss_on_heartbeat(&loss, 64, 0);
    cr_assert_eq(loss.hwm_pos, 96);
}

/* A model that knows every slot: 1 where it is there. */
enum { SLOTS = 4 * TERM / 32 };

typedef struct model {
    uint8_t is_there[SLOTS];
    int64_t hwm_pos;
} model_t;

static void scan_on(rj_loss_t *loss, const model_t *model, int64_t now_ns)
{
    while (rj_loss_is_blind(loss)) {
        int64_t term_end = (loss->known_pos | (TERM - 1)) + 1;
        int64_t limit = loss->hwm_pos < term_end ? loss->hwm_pos : term_end;
        rj_span_t gap = {loss->known_pos, 0};
        while (gap.begin_pos < limit && model->is_there[gap.begin_pos / 32])
            gap.begin_pos += 32;
        gap.end_pos = gap.begin_pos;
        while (gap.end_pos < limit && !model->is_there[gap.end_pos / 32])
            gap.end_pos += 32;
        rj_loss_on_scanned(loss, gap, now_ns);
    }
}

static void compare(const rj_loss_t *loss, const model_t *model)
{
    int64_t position = 0;
    for (int i = 0; i <= loss->gap_count; i++) {
        bool is_last = i == loss->gap_count;
        rj_span_t gap =
            is_last ? (rj_span_t){loss->known_pos, loss->known_pos} : loss->gaps[i].span;
        cr_assert_geq(gap.begin_pos, position);
        for (; position < gap.begin_pos; position += 32)
            cr_assert(model->is_there[position / 32], "position %ld", (long)position);
        for (; position < gap.end_pos; position += 32)
            cr_assert(!model->is_there[position / 32], "position %ld", (long)position);
        if (!is_last)
            cr_assert_eq((gap.begin_pos ^ (gap.end_pos - 1)) / TERM, 0);
    }
    cr_assert_eq(loss->hwm_pos, model->hwm_pos);
    cr_assert(loss->known_pos == loss->hwm_pos || loss->gap_count == RJ_LOSS_GAPS_MAX);
}

static void replay(uint64_t seed)
{
    static model_t model;
    rj_prng_t prng;
    rj_loss_t loss;
    rj_span_t spans[16];
    int64_t lost = 0;
    model = (model_t){.hwm_pos = 0};
    rj_prng_init(&prng, seed);
    rj_loss_init(&loss, &adaptive, TERM, 0);
    for (int64_t now = 0; now < 3000; now++) {
        int64_t first = rj_loss_first_missing_pos(&loss) / 32;
        int64_t slot = rj_prng_between(&prng, first, first + (int64_t)rj_prng_below(&prng, 900));
        int64_t count = rj_prng_between(&prng, 1, 4);
        if (slot + count > SLOTS)
            break;
        if (rj_prng_chance(&prng, 0.05)) {
            rj_loss_on_heartbeat(&loss, slot * 32, now * us);
            model.hwm_pos = slot * 32 > model.hwm_pos ? slot * 32 : model.hwm_pos;
        } else if (!model.is_there[slot]) {
            for (int64_t i = slot; i < slot + count; i++)
                model.is_there[i] = 1;
            int64_t end = (slot + count) * 32;
            rj_loss_on_received(&loss, slot * 32, end, now * us);
            model.hwm_pos = end > model.hwm_pos ? end : model.hwm_pos;
        }
        scan_on(&loss, &model, now * us);
        compare(&loss, &model);
        int naks = rj_loss_poll(&loss, spans, 16, &lost, now * us);
        for (int i = 0; i < naks; i++)
            cr_assert_leq(spans[i].end_pos, model.hwm_pos);
    }
}

Test(loss, knows_every_gap_whatever_the_order_of_arrival)
{
    for (uint64_t seed = 1; seed <= 40; seed++)
        replay(seed);
}

static const rj_loss_config_t of_a_group = {
    .retry_ns = RJ_LOSS_GROUP_RETRY_NS,
    .back_off = {.max_ns = 10 * 1000 * 1000, .group_size = 10, .seed = 5}};

Test(loss, waits_within_a_group_for_a_time_drawn_for_each_gap_and_nak)
{
    rj_loss_t loss;
    rj_nak_back_off_t drawn;
    rj_loss_init(&loss, &of_a_group, TERM, 0);
    rj_nak_back_off_init(&drawn, &of_a_group.back_off);
    rj_loss_on_received(&loss, 64, 128, 0);
    rj_loss_on_ask(&loss, INT64_MAX / 2);
    int64_t due_ns = rj_nak_back_off_draw(&drawn);
    int64_t interval_ns = RJ_LOSS_GROUP_RETRY_NS;
    for (int i = 0; i < 8; i++) {
        cr_assert_eq(rj_loss_deadline_ns(&loss), due_ns);
        cr_assert_eq(poll(&loss, due_ns - 1), 0);
        cr_assert_eq(poll(&loss, due_ns), 1);
        due_ns += rj_nak_back_off_draw(&drawn) + interval_ns;
        interval_ns = interval_ns < 10 * ms ? 2 * interval_ns : RJ_LOSS_BACK_OFF_NS_MAX;
    }
}

Test(loss, asks_within_a_group_for_the_first_gap_alone_while_the_path_is_not_known)
{
    rj_loss_t loss;
    rj_loss_init(&loss, &of_a_group, TERM, 0);
    for (int64_t i = 0; i < 5; i++)
        rj_loss_on_received(&loss, 128 * i + 64, 128 * i + 128, 0);
    cr_assert_eq(poll(&loss, 10 * ms), 5);
    cr_assert_eq(poll(&loss, 10 * ms + RJ_LOSS_GROUP_RETRY_NS - 1), 0);
    cr_assert_eq(poll(&loss, 20 * ms + RJ_LOSS_GROUP_RETRY_NS), 1);
    rj_loss_on_received(&loss, 0, 64, 30 * ms);
    cr_assert_eq(loss.rtt_ns, 0, "somebody else may have asked for it");
    cr_assert_eq(loss.retry_ns, RJ_LOSS_GROUP_RETRY_NS);
    rj_loss_on_rtt(&loss, ms);
    cr_assert_eq(poll(&loss, 60 * ms), 4, "and for all when it is");
}

Test(loss, draws_only_where_somebody_set_the_timing_of_a_group)
{
    rj_loss_t loss;
    rj_nak_back_off_t drawn;
    rj_loss_config_t config = of_a_group;
    config.is_explicit = true;
    config.retry_ns = 0;
    rj_loss_init(&loss, &config, TERM, 0);
    rj_nak_back_off_init(&drawn, &config.back_off);
    rj_loss_on_received(&loss, 64, 128, 0);
    cr_assert_not(rj_loss_wants_rtt(&loss, 0));
    rj_loss_on_rtt(&loss, 1000);
    int64_t due_ns = 0;
    for (int i = 0; i < 8; i++) {
        due_ns += rj_nak_back_off_draw(&drawn);
        cr_assert_eq(rj_loss_deadline_ns(&loss), due_ns);
        cr_assert_eq(poll(&loss, due_ns - 1), 0);
        cr_assert_eq(poll(&loss, due_ns), 1);
    }
}

Test(loss, asks_for_a_round_trip_when_something_of_a_group_is_missing)
{
    rj_loss_t loss;
    rj_loss_init(&loss, &of_a_group, TERM, 0);
    cr_assert_not(rj_loss_wants_rtt(&loss, 0));
    rj_loss_on_received(&loss, 64, 128, 0);
    cr_assert(rj_loss_wants_rtt(&loss, 0));
    rj_loss_on_ask(&loss, 0);
    cr_assert_not(rj_loss_wants_rtt(&loss, 10 * ms - 1));
    cr_assert(rj_loss_wants_rtt(&loss, 10 * ms), "the answer may be lost");
    rj_loss_on_ask(&loss, 10 * ms);
    cr_assert_not(rj_loss_wants_rtt(&loss, 30 * ms - 1), "but perhaps nobody answers");
    rj_loss_on_rtt(&loss, ms);
    rj_loss_on_ask(&loss, 30 * ms);
    cr_assert_not(rj_loss_wants_rtt(&loss, 1000 * ms));
}

/* Loses one datagram and has it repaired `repair_ns` after it was asked for, or found missing. */
static void lose_one(rj_loss_t *loss, int64_t at, bool is_asked_for, int64_t repair_ns)
{
    int64_t now_ns = at * ms;
    rj_loss_on_received(loss, 128 * at + 64, 128 * at + 128, now_ns);
    if (is_asked_for) {
        now_ns = rj_loss_deadline_ns(loss);
        cr_assert_eq(poll(loss, now_ns), 1);
    }
    rj_loss_on_received(loss, 128 * at, 128 * at + 64, now_ns + repair_ns);
}

Test(loss, waits_in_a_group_as_long_as_others_ask_sooner_and_no_longer)
{
    rj_loss_t loss;
    const int64_t rtt_ns = 100 * 1000;
    rj_loss_init(&loss, &of_a_group, TERM, 0);
    rj_loss_on_received(&loss, 64, 128, 0);
    rj_loss_on_ask(&loss, INT64_MAX / 2);
    rj_loss_on_rtt(&loss, rtt_ns);
    cr_assert_leq(rj_loss_deadline_ns(&loss), rtt_ns, "who waits already waits no longer either");
    cr_assert_eq(loss.back_off.max_ns, (double)rtt_ns);
    rj_loss_on_received(&loss, 0, 64, 0);

    int64_t at = 1;
    for (; at < 5; at++)
        lose_one(&loss, at, false, rtt_ns);
    cr_assert_eq(loss.back_off.max_ns, (double)(4 * rtt_ns), "four round trips at most");
    for (; at < 7; at++)
        lose_one(&loss, at, true, rtt_ns);
    cr_assert_eq(loss.back_off.max_ns, (double)rtt_ns);
    for (; at < 12; at++)
        lose_one(&loss, at, true, rtt_ns);
    cr_assert_eq(loss.back_off.max_ns, (double)(rtt_ns / 4 + 1), "a quarter of one at least");
    lose_one(&loss, at, true, rtt_ns / 2 - 1);
    cr_assert_gt(loss.back_off.max_ns, (double)(rtt_ns / 4 + 1), "that was somebody else's answer");
}
