/* SPDX-License-Identifier: Apache-2.0 */
/* retransmit.h - which bytes of a publication are to be sent again, to whom, and how often.
 *
 * A NAK takes a slot. The slot waits for the configured delay (usually none), is then READY and
 * gives out its bytes as the budget allows, and lingers after the last of them, during which NAKs
 * for its range are taken for echoes.
 *
 *   FREE --nak, delay--> DELAYED --delay over--> READY --all sent--> LINGERING --over--> FREE
 *      \--nak, no delay--------------------------^
 *
 * A full table refuses, but for a single receiver it uses the slot again that has lingered longest.
 *
 * Who asks is known by the destination through which he is reached: a bit in a mask, where a single
 * destination (unicast, a multicast group) is bit 0. NAKs that overlap are merged: what is still to
 * be sent gets one more asker, what was sent to the asker and lingers is not sent again, and a slot
 * is taken for the rest, if there is any. One NAK takes one slot at most.
 *
 *      slot      |--- sent ---|--- to be sent ---|
 *      NAK of the same asker      |-----------------------|
 *      new slot                                  |--------|
 *
 * Budget: in any span of time in which `t` ns pass and `n` bytes of new data are sent, at most
 *
 *        burst + n + t / 2^RJ_RETRANSMIT_EARN_SHIFT   bytes
 *
 * are sent again to one destination (and at most one datagram more), where
 * burst = T/2 + RJ_RETRANSMIT_BURST_BYTES. What exceeds it waits. So neither loss nor forged NAKs
 * can start a storm, while half a term that was lost as a whole is repaired at once. A destination
 * without budget holds up no other: a slot goes to those that have some, and whom it left out may
 * ask again.
 *
 * The linger, unless it was set explicitly, follows the round trip once that has been measured:
 * later than one round trip after a resend, a NAK means that the resend was lost. In a group it is
 * the longest of all, within a bound: one receiver that answers late must not keep all others
 * waiting.
 *
 * A single receiver proves it sooner. Who asks for something has had news from behind it; and what
 * was sent before such news, but for what was lost, has come too. So once a NAK has reached beyond
 * what had been sent when a resend was, that resend has come or is lost, and who asks for it again
 * is no echo. It is sent once more, and the next proof has to reach beyond what was sent by then.
 *
 *      sent    |--- [gap] ----------|resend of the gap|---- [next gap] ---|
 *      NAKs             for the gap                  for the next gap: the resend is there or lost
 *
 * Units      positions: stream bytes since the initial term began. Times: monotonic ns.
 * Ownership  a plain value inside its publication; no heap, nothing to close.
 * Thread     the publication's engine.
 * Errors     none; what is refused is said in the result.
 */
#ifndef RJ_STREAM_RETRANSMIT_H
#define RJ_STREAM_RETRANSMIT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    RJ_RETRANSMIT_SLOTS_MAX = 256,
    RJ_RETRANSMIT_SLOTS_UNICAST = 64, /* as many gaps as our receiver asks for (loss.h) */
    RJ_RETRANSMIT_EARN_SHIFT = 4,     /* one byte each 16 ns: 62.5 MB/s */
    RJ_RETRANSMIT_BURST_BYTES = 256 * 1024,
    RJ_RETRANSMIT_LINGER_NS_MIN = 200 * 1000,
    RJ_RETRANSMIT_LINGER_NS_MAX = 1000 * 1000 * 1000, /* both of a linger that follows */
    RJ_RETRANSMIT_GROUP_LINGER_NS_MAX = 200 * 1000 * 1000,
    RJ_RETRANSMIT_DESTINATIONS_MAX = 64, /* those further on share a bit, and what comes by it */
    RJ_RETRANSMIT_EVERYONE = -1,         /* a destination: all there are */
};

typedef struct rj_retransmit_config {
    int32_t slot_count; /* 1..RJ_RETRANSMIT_SLOTS_MAX */
    int32_t term_length;
    int64_t delay_ns;
    int64_t linger_ns;
    bool linger_is_explicit;
    bool is_group; /* several receivers ask */
} rj_retransmit_config_t;

typedef enum rj_retransmit_state {
    RJ_RETRANSMIT_FREE,
    RJ_RETRANSMIT_DELAYED,
    RJ_RETRANSMIT_READY,
    RJ_RETRANSMIT_LINGERING
} rj_retransmit_state_t;

typedef struct rj_retransmit_slot {
    int64_t begin_pos; /* as asked for */
    int64_t end_pos;
    int64_t next_pos;    /* sent again up to here */
    int64_t deadline_ns; /* of DELAYED and LINGERING */
    int64_t resent_at;   /* of LINGERING: how far new data had been sent when it began to */
    uint64_t askers;     /* destinations it is sent to */
    rj_retransmit_state_t state;
} rj_retransmit_slot_t;

typedef enum rj_retransmit_answer {
    RJ_RETRANSMIT_ACCEPTED,
    RJ_RETRANSMIT_DUPLICATE,
    RJ_RETRANSMIT_OVERFLOW
} rj_retransmit_answer_t;

/* What one destination may still be sent. */
typedef struct rj_retransmit_account {
    int64_t budget_bytes;
    int64_t settled_bytes; /* of the earnings below, as far as the budget has them */
    int64_t offered_bytes; /* in the turn under way */
} rj_retransmit_account_t;

typedef struct rj_retransmit {
    rj_retransmit_config_t config;
    int32_t active_count; /* slots that are not FREE */
    int32_t ready_count;
    int64_t due_ns; /* no deadline is earlier */
    int64_t linger_ns;
    int64_t snd_pos;   /* new data was sent up to here; INT64_MAX: nobody has said */
    int64_t heard_pos; /* the furthest that a NAK reached */
    int64_t budget_bytes_max;
    int64_t earned_bytes; /* ever, by data and by time */
    int64_t earned_until_ns;
    rj_retransmit_account_t accounts[RJ_RETRANSMIT_DESTINATIONS_MAX];
    rj_retransmit_slot_t slots[RJ_RETRANSMIT_SLOTS_MAX];
} rj_retransmit_t;

/* All slots free, all budgets full. */
void rj_retransmit_init(rj_retransmit_t *retransmit, const rj_retransmit_config_t *config,
                        int64_t now_ns);

/* The bit of a destination's index, or all of them. */
static inline uint64_t rj_retransmit_asker(int32_t destination)
{
    return destination < 0 ? UINT64_MAX
                           : UINT64_C(1) << (destination % RJ_RETRANSMIT_DESTINATIONS_MAX);
}

/* Somebody behind `destination` asks for a span that can be sent: it is not empty and lies in one
 * term. DUPLICATE when nothing is left to be sent again, or only to one asker more. */
rj_retransmit_answer_t rj_retransmit_on_nak(rj_retransmit_t *retransmit, int64_t begin_pos,
                                            int64_t end_pos, int32_t destination, int64_t now_ns);

/* New data went out, up to `snd_pos`: it earns budget. */
void rj_retransmit_on_sent(rj_retransmit_t *retransmit, int64_t bytes, int64_t snd_pos);

/* A measured round trip, smoothed; the linger follows it. */
void rj_retransmit_on_rtt(rj_retransmit_t *retransmit, int64_t rtt_ns);

/* Lets delays and lingers end and, when something is READY, the budgets of those who asked grow.
 * Returns how many slots are READY. */
int rj_retransmit_poll(rj_retransmit_t *retransmit, int64_t now_ns);

/* The next READY slot from index `from` on, or -1. */
int rj_retransmit_next_ready(const rj_retransmit_t *retransmit, int from);

/* How many bytes a READY slot may send to its askers this turn; askers without budget are struck
 * out, unless all are: then it waits, and the answer is not above 0. */
int64_t rj_retransmit_allowance(rj_retransmit_t *retransmit, int slot);

/* `bytes` of `slot` are about to be sent: the allowance of other slots is less by them until the
 * next poll. */
void rj_retransmit_on_offered(rj_retransmit_t *retransmit, int slot, int64_t bytes);

/* `slot` has sent everything up to `position`, `bytes` of them on the wire. It lingers once it has
 * reached its end. Of one that has been given up meanwhile only the bytes count. */
void rj_retransmit_on_resent(rj_retransmit_t *retransmit, int slot, int64_t position, int64_t bytes,
                             int64_t now_ns);

/* `slot` can send no more: what it wants is not in the log (any longer). It lingers for what it has
 * sent: whoever asks for something wrong must not keep others from asking for what is there. */
void rj_retransmit_give_up(rj_retransmit_t *retransmit, int slot, int64_t now_ns);

/* The earliest time at which poll could change anything or a READY slot send something, which may
 * be long ago; INT64_MAX when nothing is under way. */
int64_t rj_retransmit_deadline_ns(const rj_retransmit_t *retransmit);

#endif
