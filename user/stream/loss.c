/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/loss.h"

#include <string.h>

#include "base/bits.h"

enum {
    STEADY_NAKS = 3,       /* on a measured path, so many are sent before the interval doubles */
    WIDTH_ROUND_TRIPS = 4, /* in a group: how wide draws may become; and how narrow */
};

void rj_loss_init(rj_loss_t *loss, const rj_loss_config_t *config, int32_t term_length,
                  int64_t position)
{
    memset(loss, 0, sizeof(*loss));
    loss->config = *config;
    loss->term_mask = term_length - 1;
    loss->known_pos = position;
    loss->hwm_pos = position;
    loss->retry_ns = config->retry_ns;
    loss->due_ns = INT64_MAX;
    loss->drained = (rj_drained_t){.but_ns = {INT64_MAX, INT64_MAX, INT64_MAX}};
    loss->stretched_ns = INT64_MIN / 2; /* the difference from now is still a number */
    loss->ask_due_ns = INT64_MIN;
    loss->ask_ns = RJ_LOSS_ASK_NS_MIN;
    rj_nak_back_off_init(&loss->back_off, &config->back_off);
}

static bool is_measured(const rj_loss_t *loss)
{
    return loss->rtt_ns != 0;
}

static bool is_of_group(const rj_loss_t *loss)
{
    return loss->config.back_off.max_ns > 0;
}

/* In a group whose timing nobody set. */
static bool is_adaptive(const rj_loss_t *loss)
{
    return is_of_group(loss) && !loss->config.is_explicit;
}

/* RFC 6298, with a margin of half a round trip for the sender's own turn. */
static void on_sample(rj_loss_t *loss, int64_t rtt_ns)
{
    rtt_ns = rj_max_i64(rtt_ns, 1);
    if (!is_measured(loss)) {
        loss->rtt_ns = rtt_ns;
        loss->rtt_variation_ns = rtt_ns / 2;
    } else {
        int64_t error_ns = rtt_ns > loss->rtt_ns ? rtt_ns - loss->rtt_ns : loss->rtt_ns - rtt_ns;
        loss->rtt_variation_ns += (error_ns - loss->rtt_variation_ns) / 4;
        loss->rtt_ns = rj_max_i64(loss->rtt_ns + (rtt_ns - loss->rtt_ns) / 8, 1);
    }
    int64_t retry_ns = loss->rtt_ns + loss->rtt_ns / 2 + 4 * loss->rtt_variation_ns;
    loss->retry_ns = rj_min_i64(rj_max_i64(retry_ns, RJ_LOSS_RETRY_NS_MIN), RJ_LOSS_RETRY_NS_MAX);
}

/* Which of several NAKs was answered cannot be known (Karn), only that the first was sent a round
 * trip ago or more; and, once a round trip is known, that an answer in no time belongs to an
 * earlier one. */
static void on_late_answer(rj_loss_t *loss, const rj_loss_gap_t *gap, int64_t now_ns)
{
    int64_t retry_ns = now_ns - gap->first_nak_ns;
    if (is_measured(loss)) {
        if (now_ns - gap->last_nak_ns >= loss->rtt_ns / 2 ||
            now_ns - loss->stretched_ns < loss->retry_ns)
            return;
        loss->stretched_ns = now_ns;
        retry_ns = 2 * loss->retry_ns;
    }
    loss->retry_ns = rj_max_i64(loss->retry_ns, rj_min_i64(retry_ns, RJ_LOSS_RETRY_NS_MAX));
}

static void set_width(rj_loss_t *loss, int64_t width_ns)
{
    int64_t width_ns_max =
        rj_min_i64(WIDTH_ROUND_TRIPS * loss->rtt_ns, loss->config.back_off.max_ns);
    int64_t width_ns_min = loss->rtt_ns / WIDTH_ROUND_TRIPS + 1;
    rj_nak_back_off_set_max(&loss->back_off,
                            rj_min_i64(rj_max_i64(width_ns, width_ns_min), width_ns_max));
}

/* Whether somebody else asked sooner: the answer came before one to our NAK could. */
static void learn_width(rj_loss_t *loss, rj_loss_gap_t *gap, int64_t now_ns)
{
    if (gap->is_answered || gap->nak_count > 1 || !is_measured(loss))
        return;
    bool is_ours = gap->nak_count == 1 && now_ns - gap->last_nak_ns >= loss->rtt_ns / 2;
    int64_t width_ns = (int64_t)loss->back_off.max_ns;
    gap->is_answered = true;
    set_width(loss, is_ours ? width_ns / 2 : 2 * width_ns);
}

/* Some of a gap's bytes came. */
static void on_progress(rj_loss_t *loss, rj_loss_gap_t *gap, int64_t now_ns)
{
    if (loss->config.is_explicit)
        return;
    if (is_of_group(loss))
        learn_width(loss, gap, now_ns);
    if (gap->nak_count == 0)
        return;
    gap->since_ns = now_ns;
    if (gap->is_answered)
        return;
    gap->is_answered = true;
    if (is_of_group(loss))
        return;
    if (gap->nak_count == 1)
        on_sample(loss, now_ns - gap->last_nak_ns);
    else
        on_late_answer(loss, gap, now_ns);
}

/* From the last NAK to the next. */
static int64_t interval_ns(const rj_loss_t *loss, const rj_loss_gap_t *gap)
{
    if (loss->config.is_explicit)
        return loss->retry_ns;
    int steady_naks = is_measured(loss) ? STEADY_NAKS : 1;
    int64_t ceiling_ns = rj_max_i64(RJ_LOSS_BACK_OFF_NS_MAX, loss->retry_ns);
    int64_t wait_ns = loss->retry_ns;
    for (int i = steady_naks; i < gap->nak_count && wait_ns < ceiling_ns; i++)
        wait_ns *= 2;
    return rj_min_i64(wait_ns, ceiling_ns);
}

static int64_t due_ns(const rj_loss_t *loss, const rj_loss_gap_t *gap)
{
    return gap->since_ns + gap->back_off_ns +
           (gap->nak_count == 0 ? loss->config.delay_ns : interval_ns(loss, gap));
}

/* Adds a span that begins at known_pos, a piece for each term it touches, until there is no room.
 */
static void append(rj_loss_t *loss, rj_span_t span, int64_t now_ns)
{
    while (loss->known_pos < span.end_pos) {
        int64_t begin = loss->known_pos;
        int64_t end = rj_min_i64(span.end_pos, (begin | loss->term_mask) + 1);
        rj_loss_gap_t *last = loss->gap_count > 0 ? &loss->gaps[loss->gap_count - 1] : NULL;
        if (last != NULL && last->span.end_pos == begin && last->nak_count == 0 &&
            (begin & loss->term_mask) != 0) {
            last->span.end_pos = end;
            last->seen_ns = now_ns;
            if (last->way_in != loss->way_in)
                last->way_in = RJ_WAY_IN_UNKNOWN;
        } else if (loss->gap_count < RJ_LOSS_GAPS_MAX) {
            rj_loss_gap_t *gap = &loss->gaps[loss->gap_count++];
            *gap = (rj_loss_gap_t){.span = {begin, end},
                                   .reported_pos = begin,
                                   .since_ns = now_ns,
                                   .seen_ns = now_ns,
                                   .way_in = loss->way_in,
                                   .back_off_ns = rj_nak_back_off_draw(&loss->back_off)};
            loss->due_ns =
                last == NULL ? due_ns(loss, gap) : rj_min_i64(loss->due_ns, due_ns(loss, gap));
            loss->new_gap_count++;
        } else {
            return;
        }
        loss->known_pos = end;
    }
}

/* Bytes from the middle of a gap leave two. Where there is no room for the second, the last gap is
 * forgotten: known_pos goes back, and whoever scans on from there finds it again. */
static void split(rj_loss_t *loss, int at, int64_t begin_pos, int64_t end_pos)
{
    if (loss->gap_count == RJ_LOSS_GAPS_MAX) {
        loss->gap_count--;
        loss->known_pos = rj_max_i64(loss->gaps[loss->gap_count].span.begin_pos, end_pos);
        if (at == loss->gap_count) {
            loss->gap_count++;
            loss->gaps[at].span.end_pos = begin_pos;
            return;
        }
    }
    memmove(&loss->gaps[at + 1], &loss->gaps[at],
            (size_t)(loss->gap_count - at) * sizeof(loss->gaps[0]));
    loss->gap_count++;
    loss->gaps[at].span.end_pos = begin_pos;
    loss->gaps[at + 1].span.begin_pos = end_pos;
}

static void fill(rj_loss_t *loss, int64_t begin_pos, int64_t end_pos, int64_t now_ns)
{
    int at = 0;
    while (at < loss->gap_count && loss->gaps[at].span.end_pos <= begin_pos)
        at++;
    if (at == loss->gap_count || loss->gaps[at].span.begin_pos >= end_pos)
        return;

    loss->due_ns = INT64_MIN; /* another gap may be the first now: let poll look */
    if (loss->gaps[at].span.begin_pos < begin_pos && loss->gaps[at].span.end_pos > end_pos) {
        on_progress(loss, &loss->gaps[at], now_ns);
        split(loss, at, begin_pos, end_pos);
        return;
    }
    int kept = at;
    for (; at < loss->gap_count && loss->gaps[at].span.begin_pos < end_pos; at++) {
        rj_loss_gap_t *gap = &loss->gaps[at];
        on_progress(loss, gap, now_ns);
        if (gap->span.begin_pos < begin_pos)
            gap->span.end_pos = begin_pos;
        else if (gap->span.end_pos > end_pos)
            gap->span.begin_pos = end_pos;
        else
            continue;
        loss->gaps[kept++] = *gap;
    }
    memmove(&loss->gaps[kept], &loss->gaps[at],
            (size_t)(loss->gap_count - at) * sizeof(loss->gaps[0]));
    loss->gap_count -= at - kept;
}

void rj_loss_on_unordered(rj_loss_t *loss, int64_t begin_pos, int64_t end_pos, int64_t now_ns)
{
    /* What lies between is missing for certain only if nothing has arrived behind known_pos yet. */
    if (begin_pos > loss->known_pos && loss->known_pos == loss->hwm_pos)
        append(loss, (rj_span_t){loss->known_pos, begin_pos}, now_ns);
    if (begin_pos < loss->known_pos)
        fill(loss, begin_pos, end_pos, now_ns);
    if (begin_pos <= loss->known_pos)
        loss->known_pos = rj_max_i64(loss->known_pos, end_pos);
    loss->hwm_pos = rj_max_i64(loss->hwm_pos, end_pos);
}

void rj_loss_on_heartbeat(rj_loss_t *loss, int64_t position, int64_t now_ns)
{
    if (position <= loss->hwm_pos)
        return;
    if (loss->known_pos == loss->hwm_pos)
        append(loss, (rj_span_t){loss->known_pos, position}, now_ns);
    loss->hwm_pos = position;
}

void rj_loss_on_scanned(rj_loss_t *loss, rj_span_t gap, int64_t now_ns)
{
    loss->known_pos = rj_max_i64(loss->known_pos, gap.begin_pos);
    loss->hwm_pos = rj_max_i64(loss->hwm_pos, loss->known_pos);
    loss->way_in = RJ_WAY_IN_UNKNOWN; /* of the packet behind it; the next one tells its own */
    append(loss, gap, now_ns);
}

static bool may_ask(const rj_loss_t *loss, int at)
{
    return at == 0 || loss->gaps[at].nak_count == 0 ||
           (is_measured(loss) && !loss->config.is_explicit);
}

/* Whether it is not merely on its way through another door. */
static bool counts(const rj_loss_t *loss, const rj_loss_gap_t *gap, int64_t now_ns)
{
    return gap->nak_count > 0 || loss->drained.but_ns[gap->way_in] > gap->seen_ns ||
           loss->config.counts_at_once || now_ns - gap->seen_ns >= RJ_LOSS_DOORS_NS_MAX;
}

/* When a gap that is due and does not count yet is to be looked at again. */
static int64_t look_again_ns(const rj_loss_gap_t *gap, int64_t now_ns)
{
    return rj_min_i64(gap->seen_ns + RJ_LOSS_DOORS_NS_MAX, now_ns + RJ_LOSS_DOORS_LOOK_NS);
}

/* What is newly missing, and the gap's timer from now on. */
static int64_t on_nak(rj_loss_t *loss, rj_loss_gap_t *gap, int64_t now_ns)
{
    int64_t unreported_pos = rj_max_i64(gap->span.begin_pos, gap->reported_pos);
    gap->reported_pos = rj_max_i64(gap->reported_pos, gap->span.end_pos);
    if (gap->nak_count++ == 0)
        gap->first_nak_ns = now_ns;
    gap->last_nak_ns = now_ns;
    gap->since_ns = now_ns;
    gap->back_off_ns = rj_nak_back_off_draw(&loss->back_off);
    return gap->reported_pos - rj_min_i64(unreported_pos, gap->reported_pos);
}

int rj_loss_poll(rj_loss_t *loss, rj_span_t *spans, int span_max, int64_t *lost_bytes,
                 int64_t now_ns)
{
    if (loss->gap_count == 0 || now_ns < loss->due_ns)
        return 0;
    int count = 0;
    loss->due_ns = INT64_MAX;
    for (int at = 0; at < loss->gap_count; at++) {
        rj_loss_gap_t *gap = &loss->gaps[at];
        if (!may_ask(loss, at))
            continue;
        if (due_ns(loss, gap) <= now_ns && !counts(loss, gap, now_ns)) {
            loss->due_ns = rj_min_i64(loss->due_ns, look_again_ns(gap, now_ns));
            continue;
        }
        if (due_ns(loss, gap) <= now_ns && count < span_max) {
            spans[count++] = gap->span;
            *lost_bytes += on_nak(loss, gap, now_ns);
            if (!may_ask(loss, at))
                continue;
        }
        loss->due_ns = rj_min_i64(loss->due_ns, due_ns(loss, gap));
    }
    return count;
}

bool rj_loss_wants_rtt(const rj_loss_t *loss, int64_t now_ns)
{
    return loss->gap_count > 0 && is_adaptive(loss) && now_ns >= loss->ask_due_ns;
}

void rj_loss_on_ask(rj_loss_t *loss, int64_t now_ns)
{
    loss->ask_due_ns = now_ns + loss->ask_ns;
    loss->ask_ns =
        is_measured(loss) ? RJ_LOSS_ASK_NS_MAX : rj_min_i64(2 * loss->ask_ns, RJ_LOSS_ASK_NS_MAX);
}

/* Whoever waits since the path was not known need not wait as long. */
static void draw_again(rj_loss_t *loss)
{
    for (int at = 0; at < loss->gap_count; at++) {
        rj_loss_gap_t *gap = &loss->gaps[at];
        gap->back_off_ns = rj_min_i64(gap->back_off_ns, rj_nak_back_off_draw(&loss->back_off));
    }
    loss->due_ns = INT64_MIN;
}

void rj_loss_on_rtt(rj_loss_t *loss, int64_t rtt_ns)
{
    if (!is_adaptive(loss))
        return;
    bool is_first = !is_measured(loss);
    on_sample(loss, rtt_ns);
    loss->ask_ns = RJ_LOSS_ASK_NS_MAX;
    set_width(loss, is_first ? loss->rtt_ns : (int64_t)loss->back_off.max_ns);
    if (is_first)
        draw_again(loss);
}

int64_t rj_loss_deadline_ns(const rj_loss_t *loss)
{
    if (loss->gap_count == 0)
        return INT64_MAX;
    return is_adaptive(loss) ? rj_min_i64(loss->due_ns, loss->ask_due_ns) : loss->due_ns;
}
