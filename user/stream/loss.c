/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/loss.h"

#include <string.h>

#include "base/bits.h"

enum {
    STEADY_NAKS = 3, /* on a measured path, so many are sent before the interval doubles */
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
}

static bool is_measured(const rj_loss_t *loss)
{
    return loss->rtt_ns != 0;
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

/* Which of several NAKs was answered cannot be known (Karn): the time since the first is at least
 * the round trip. It holds until a gap needs one NAK only; a path that was measured is not
 * forgotten at once because of an outage. */
static void on_late_answer(rj_loss_t *loss, int64_t since_first_nak_ns)
{
    int64_t limit_ns = is_measured(loss) ? 8 * loss->retry_ns : RJ_LOSS_RETRY_NS_MAX;
    int64_t retry_ns = rj_min_i64(rj_min_i64(since_first_nak_ns, limit_ns), RJ_LOSS_RETRY_NS_MAX);
    loss->retry_ns = rj_max_i64(loss->retry_ns, retry_ns);
}

/* Some of a gap's bytes came. */
static void on_progress(rj_loss_t *loss, rj_loss_gap_t *gap, int64_t now_ns)
{
    if (loss->config.is_explicit || gap->nak_count == 0)
        return;
    if (!gap->is_answered) {
        gap->is_answered = true;
        if (gap->nak_count == 1)
            on_sample(loss, now_ns - gap->last_nak_ns);
        else
            on_late_answer(loss, now_ns - gap->first_nak_ns);
    }
    gap->due_ns = now_ns + gap->retry_ns;
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
        } else if (loss->gap_count < RJ_LOSS_GAPS_MAX) {
            rj_loss_gap_t *gap = &loss->gaps[loss->gap_count++];
            *gap = (rj_loss_gap_t){.span = {begin, end},
                                   .reported_pos = begin,
                                   .due_ns = now_ns + loss->config.delay_ns};
            loss->due_ns = last == NULL ? gap->due_ns : rj_min_i64(loss->due_ns, gap->due_ns);
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
    append(loss, gap, now_ns);
}

static bool may_ask(const rj_loss_t *loss, int at)
{
    return at == 0 || loss->gaps[at].nak_count == 0 ||
           (is_measured(loss) && !loss->config.is_explicit);
}

static void on_nak(rj_loss_t *loss, rj_loss_gap_t *gap, int64_t now_ns)
{
    if (gap->nak_count++ == 0) {
        gap->first_nak_ns = now_ns;
        gap->retry_ns = loss->retry_ns;
    } else if (!loss->config.is_explicit) {
        bool grows = !is_measured(loss) || gap->nak_count > STEADY_NAKS;
        int64_t ceiling_ns = rj_max_i64(RJ_LOSS_BACK_OFF_NS_MAX, loss->retry_ns);
        gap->retry_ns = grows ? rj_min_i64(2 * gap->retry_ns, ceiling_ns)
                              : rj_max_i64(gap->retry_ns, loss->retry_ns);
    }
    gap->last_nak_ns = now_ns;
    gap->due_ns = now_ns + gap->retry_ns;
}

int rj_loss_poll(rj_loss_t *loss, rj_span_t *spans, int span_max, int64_t *lost_bytes,
                 int64_t now_ns)
{
    if (loss->gap_count == 0 || now_ns < loss->due_ns)
        return 0;
    int count = 0;
    int64_t due_ns = INT64_MAX;
    for (int at = 0; at < loss->gap_count; at++) {
        rj_loss_gap_t *gap = &loss->gaps[at];
        if (!may_ask(loss, at))
            continue;
        if (gap->due_ns <= now_ns && count < span_max) {
            int64_t unreported_pos = rj_max_i64(gap->span.begin_pos, gap->reported_pos);
            if (gap->span.end_pos > unreported_pos)
                *lost_bytes += gap->span.end_pos - unreported_pos;
            gap->reported_pos = rj_max_i64(gap->reported_pos, gap->span.end_pos);
            spans[count++] = gap->span;
            on_nak(loss, gap, now_ns);
            if (!may_ask(loss, at))
                continue;
        }
        due_ns = rj_min_i64(due_ns, gap->due_ns);
    }
    loss->due_ns = due_ns;
    return count;
}

int64_t rj_loss_deadline_ns(const rj_loss_t *loss)
{
    return loss->gap_count == 0 ? INT64_MAX : loss->due_ns;
}
