/* SPDX-License-Identifier: Apache-2.0 */
/* conductor_name.h - names whose peers have gone silent are asked for again, for they may have
 * moved (wire.md 23).
 *
 *   peer silent for 5 s --> question to the helper --> same address: nothing
 *                                                  --> another one: whoever owns the name is told
 *                                                  --> no answer: logged, the old address stays
 *
 * Units      monotonic ns.
 * Ownership  a followed name lives inside what it belongs to, which unfollows it before it goes.
 * Thread     the conductor's; the engine that hears the peer writes the time of its last word.
 * Errors     an answer that cannot be had goes to the error log and is counted.
 */
#ifndef RJ_CONDUCTOR_CONDUCTOR_NAME_H
#define RJ_CONDUCTOR_CONDUCTOR_NAME_H

#include "conductor/conductor.h"

struct rj_send_entry;

/* For what has to be silent how long, and between two questions about a receiver's source. */
#define RJ_NAME_SILENCE_NS INT64_C(5000000000)

/* The text of an endpoint or a control address. */
typedef struct rj_followed_name {
    struct rj_followed_name *prev, *next;
    const char *param; /* the URI's key; NULL: not followed */
    const char *text;
    const rj_shared_i64_t *last_activity_ns; /* of the peer, or when its owner was made */
    int64_t repeat_ns;                       /* between two questions; 0: at every check */
    int64_t asked_ns;
    rj_address_t address; /* as last resolved */
    void (*on_change)(rj_conductor_t *conductor, void *owner, const rj_address_t *address);
    void *owner;
    struct rj_name_question *question; /* on its way; NULL: none */
} rj_followed_name_t;

/* What the helper has been asked. One at a time: a name server that takes long keeps it from what
 * clients wait for no longer than one question takes. */
typedef struct rj_name_question {
    rj_followed_name_t *name; /* NULL: its owner has gone */
    rj_task_t task;
} rj_name_question_t;

/* Follows a name, of which the caller has filled in everything but the links and `asked_ns`. What
 * can never change is not followed. */
void rj_conductor_follow_name(rj_conductor_t *conductor, rj_followed_name_t *name);

/* Safe on one that is not followed. */
void rj_conductor_unfollow_name(rj_conductor_t *conductor, rj_followed_name_t *name);

/* Follows the endpoint of a unicast publication channel; a change moves the endpoint there. */
void rj_conductor_follow_send(rj_conductor_t *conductor, struct rj_send_entry *send);

/* Its engines have done their part of a move (commands.h). */
void rj_conductor_on_send_detached(rj_conductor_t *conductor, struct rj_send_entry *send);
void rj_conductor_on_send_moved(rj_conductor_t *conductor, struct rj_send_entry *send, int result);

/* Asks, and reads answers; returns the work done. */
int rj_conductor_work_names(rj_conductor_t *conductor);
int64_t rj_conductor_names_deadline_ns(const rj_conductor_t *conductor);

/* The helper is stopped. */
void rj_conductor_free_question(rj_conductor_t *conductor);

#endif
