/* SPDX-License-Identifier: Apache-2.0 */
/* loss.h - which bytes of an image are missing, and when to ask for them.
 *
 * It learns of every insertion and so knows the gaps without looking at the log. Only while there
 * are more gaps than it can hold does somebody have to scan on from `known_pos` (rj_loss_is_blind).
 *
 *      first missing        gaps[1]            known_pos         hwm_pos
 *   --------+-----+-----------+----+---------------+-----------------+
 *   complete| gap | complete  |gap | complete      | not looked at   |
 *           +-----+           +----+               | (else empty)    |
 *
 * A NAK for a gap is due `delay_ns` after the gap was first seen. What follows depends:
 *
 *   explicit    every `retry_ns`, for the first gap alone, as Aeron does.
 *   otherwise   the interval follows the measured repair time. The bytes that answer a gap's only
 *               NAK are a round-trip sample, smoothed as in RFC 6298. The interval is at least
 *               RJ_LOSS_RETRY_NS_MIN; from a gap's fourth NAK on it doubles, up to
 *               RJ_LOSS_BACK_OFF_NS_MAX or what was measured, if that is more. An answer that comes
 *               sooner after a repeated NAK than half a round trip belongs to an earlier one: the
 *               path has become longer, the interval doubles, once an interval: of many that come
 *               late together, for a host stood still, all tell the same. Before the first
 *               sample only the first gap is asked for again, its interval doubling each time: a
 *               long path must not be flooded by somebody who does not know it yet, and a sender
 *               with one slot for resends answers alternating NAKs every time.
 *
 *   of a group  before each NAK a time passes that is drawn for it (nak_back_off.h), and before a
 *               repeated one the interval besides. What answers a NAK may answer somebody else's,
 *               so round trips are not guessed but asked for, as soon as something is missing. Once
 *               one is known, no draw is later than the width:
 *
 *                  rtt/4 <= width <= 4 rtt (and the configured maximum), rtt at first
 *
 *               It doubles each time that somebody else asked first, and is halved each time that
 *               only this NAK can have been the one. So of many who lose the same the one that asks
 *               soonest goes on doing so, and who loses alone asks soon.
 *               Where somebody set the timing, only the draw counts, of the maximum that was set.
 *
 * Where packets come in by several doors, which keep no order among each other, what seems to be
 * missing may be waiting at another one. So a gap counts only once all doors but that by which it
 * was seen were found empty after it was, or RJ_LOSS_DOORS_NS_MAX later; unless somebody set the
 * timing. What comes behind by the same door cannot be what is missing, so that one may be as busy
 * as it likes.
 *
 * A gap that shrinks, or is split by bytes that arrive in its middle, keeps its timer, and each
 * sign of progress moves that on by one interval. What is added at its end after it was NAKed is a
 * new gap. No gap crosses a term's end or the high-water mark.
 *
 * Units      positions: stream bytes since the initial term began. Times: monotonic ns.
 * Ownership  a plain value inside its image; no heap, nothing to close.
 * Thread     the image's engine.
 * Errors     none; every call succeeds.
 */
#ifndef RJ_STREAM_LOSS_H
#define RJ_STREAM_LOSS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/packet.h"
#include "stream/nak_back_off.h"

enum {
    RJ_LOSS_GAPS_MAX = 64,
    RJ_LOSS_RETRY_NS_MIN = 100 * 1000,
    RJ_LOSS_GROUP_RETRY_NS = 2 * 1000 * 1000,
    RJ_LOSS_BACK_OFF_NS_MAX = 20 * 1000 * 1000,
    RJ_LOSS_RETRY_NS_MAX = 1000 * 1000 * 1000,
    RJ_LOSS_ASK_NS_MIN =
        10 * 1000 * 1000, /* between questions for a round trip, until one is known */
    RJ_LOSS_ASK_NS_MAX = 1000 * 1000 * 1000,
    RJ_LOSS_DOORS_NS_MAX = 1000 * 1000,
    RJ_LOSS_DOORS_LOOK_NS = 5 * 1000, /* how often to look whether a gap counts by now */
};

typedef struct rj_span {
    int64_t begin_pos;
    int64_t end_pos; /* exclusive; begin == end means empty */
} rj_span_t;

typedef struct rj_loss_config {
    int64_t delay_ns;    /* before the first NAK of a gap; 0 for unreliable streams */
    int64_t retry_ns;    /* between the first and the second, until something is measured */
    bool is_explicit;    /* somebody set them: they hold exactly */
    bool counts_at_once; /* a gap does, whatever may wait at other doors */
    rj_nak_back_off_config_t back_off; /* all zero: no group */
} rj_loss_config_t;

typedef struct rj_loss_gap {
    rj_span_t span;
    int64_t reported_pos; /* loss below it has been reported */
    int64_t since_ns; /* first seen, last asked for, or last progress: the timer runs from here */
    int64_t seen_ns;  /* all of it; other doors may still hold it from here on */
    int32_t way_in;   /* by which it was seen */
    int64_t first_nak_ns;
    int64_t last_nak_ns;
    int64_t back_off_ns; /* drawn: so much later than it would be otherwise */
    int32_t nak_count;
    bool is_answered; /* some of it came after a NAK */
} rj_loss_gap_t;

typedef struct rj_loss {
    int64_t known_pos; /* every byte missing below it is in `gaps` */
    int64_t hwm_pos;   /* highest position that anything told of */
    int32_t gap_count;
    int32_t term_mask;
    int64_t due_ns; /* nothing is due earlier; may be too early after a gap went away */
    int32_t way_in; /* of the packet at hand */
    rj_drained_t drained;
    int64_t retry_ns;
    int64_t rtt_ns; /* smoothed; 0 until there is a sample */
    int64_t rtt_variation_ns;
    int64_t stretched_ns;  /* when the interval was last doubled */
    int64_t new_gap_count; /* ever */
    int64_t ask_due_ns;    /* when a round trip may be asked for again */
    int64_t ask_ns;        /* after the next question */
    rj_loss_config_t config;
    rj_nak_back_off_t back_off;
    rj_loss_gap_t gaps[RJ_LOSS_GAPS_MAX]; /* in order, apart or at a term's end */
} rj_loss_t;

/* Begins at `position`, with nothing missing. `term_length` is a power of two. */
void rj_loss_init(rj_loss_t *loss, const rj_loss_config_t *config, int32_t term_length,
                  int64_t position);

/* What rj_loss_on_received does when the bytes are not the next ones in order. */
void rj_loss_on_unordered(rj_loss_t *loss, int64_t begin_pos, int64_t end_pos, int64_t now_ns);

/* Bytes that were missing are there now; the span may also cover some that were there already. */
static inline void rj_loss_on_received(rj_loss_t *loss, int64_t begin_pos, int64_t end_pos,
                                       int64_t now_ns)
{
    if (__builtin_expect(begin_pos != loss->known_pos, 0)) {
        rj_loss_on_unordered(loss, begin_pos, end_pos, now_ns);
        return;
    }
    loss->known_pos = end_pos;
    if (end_pos > loss->hwm_pos)
        loss->hwm_pos = end_pos;
}

/* The sender says that it has sent everything below `position`. */
void rj_loss_on_heartbeat(rj_loss_t *loss, int64_t position, int64_t now_ns);

/* The first missing byte; the high-water mark when there is none. */
static inline int64_t rj_loss_first_missing_pos(const rj_loss_t *loss)
{
    return loss->gap_count > 0 ? loss->gaps[0].span.begin_pos : loss->known_pos;
}

/* Whether there was no room for what lies from `known_pos` to `hwm_pos`, and there is now: look at
 * the log from `known_pos` and tell by on_scanned until this is false. */
static inline bool rj_loss_is_blind(const rj_loss_t *loss)
{
    return loss->known_pos < loss->hwm_pos && loss->gap_count < RJ_LOSS_GAPS_MAX;
}

/* From known_pos all is there up to `gap.begin_pos`, then `gap` is missing (it may be empty). */
void rj_loss_on_scanned(rj_loss_t *loss, rj_span_t gap, int64_t now_ns);

/* When the doors by which packets come were last found empty; INT64_MAX, as in the beginning: there
 * is one door, which keeps order. Times are those of turns: what was found in the turn in which a
 * gap was seen was found before. */
static inline void rj_loss_on_drained(rj_loss_t *loss, const rj_drained_t *drained)
{
    loss->drained = *drained;
}

/* By which door the packet came of which is told next; those of rj_packet_t. */
static inline void rj_loss_on_way_in(rj_loss_t *loss, int32_t way_in)
{
    loss->way_in = way_in;
}

/* Writes up to `span_max` gaps for which a NAK is due now, and re-arms their timers. `*lost_bytes`
 * grows by what had not been reported before. Returns their number. */
int rj_loss_poll(rj_loss_t *loss, rj_span_t *spans, int span_max, int64_t *lost_bytes,
                 int64_t now_ns);

/* Whether a round trip should be measured now; on_ask notes that the question was sent. */
bool rj_loss_wants_rtt(const rj_loss_t *loss, int64_t now_ns);
void rj_loss_on_ask(rj_loss_t *loss, int64_t now_ns);

/* The answer, above 0. It counts in a group whose timing nobody set. */
void rj_loss_on_rtt(rj_loss_t *loss, int64_t rtt_ns);

/* The earliest time that rj_loss_poll could return something or a round trip is to be asked for;
 * INT64_MAX when nothing is missing. */
int64_t rj_loss_deadline_ns(const rj_loss_t *loss);

#endif
