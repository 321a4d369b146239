/* SPDX-License-Identifier: Apache-2.0 */
/* why.h - what a publication waits for, in one word that any process may read.
 *
 * The driver keeps a counter of type RJ_COUNTER_TYPE_RAMJET_WHY for each publication, with its
 * registration id and stream key. Only what is held up now is told: a stream that flows says so.
 *
 *      63          40 39          16 15     9 8      7        0
 *     +--------------+--------------+--------+------+----------+
 *     |    needs     |     has      |   0    | held |  reason  |    the counter's value
 *     +--------------+--------------+--------+------+----------+
 *     its reference id: `who`, the id of the receiver, or of the subscription, that is waited for
 *     its label:        "why: <registration> <session> <stream> <address of who, or -> <channel>"
 *
 * Units      receivers.
 * Ownership  none: pure functions.
 * Thread     any. A reader may see a value and a reference id of two moments.
 * Errors     what cannot be read is RJ_WHY_COUNT, which has a sentence too.
 */
#ifndef RJ_SHM_WHY_H
#define RJ_SHM_WHY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum rj_why_reason {
    RJ_WHY_FLOWS,
    RJ_WHY_NO_SUBSCRIBER,     /* nobody has answered yet */
    RJ_WHY_SUBSCRIBERS_GONE,  /* all have left, or are silent */
    RJ_WHY_GROUP_INCOMPLETE,  /* has, needs: receivers */
    RJ_WHY_WINDOW_CLOSED,     /* who: the receiver */
    RJ_WHY_RECEIVER_JOINS,    /* the limit waits for its first status message */
    RJ_WHY_SUBSCRIBER_SLOW,   /* who: the subscription, on this host */
    RJ_WHY_SENDER_BEHIND,     /* the publisher is a whole term window ahead */
    RJ_WHY_RESENDS_THROTTLED, /* it flows, but more is asked for again than the budget allows */
    RJ_WHY_DRAINING,          /* closed; what is left is being sent or read */
    RJ_WHY_LINGERING,         /* closed, and kept for resends or late readers */
    RJ_WHY_REVOKED,
    RJ_WHY_BROKEN, /* its log cannot be believed any more */
    RJ_WHY_COUNT
} rj_why_reason_t;

typedef struct rj_why {
    rj_why_reason_t reason;
    bool is_held; /* the publisher cannot write now */
    int32_t has;
    int32_t needs;
    int64_t who;
} rj_why_t;

/* Numbers of receivers above 2^24 - 1 are told as that. */
int64_t rj_why_pack(const rj_why_t *why);
rj_why_t rj_why_unpack(int64_t value, int64_t reference_id);

/* The reason as one word for programs, e.g. "window-closed". */
const char *rj_why_word(rj_why_reason_t reason);

/* A sentence without a full stop. `address` may be NULL. Returns its length, as snprintf. */
int rj_why_sentence(char *text, size_t size, const rj_why_t *why, const char *address);

#endif
