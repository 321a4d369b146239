/* SPDX-License-Identifier: Apache-2.0 */
/* fan_out.h - which destinations of its channel one stream goes to, and how far each has got it.
 *
 * A destination is a target of the stream while somebody there wants it: a status message for the
 * stream came from it within the last five seconds, and no receiver said goodbye since. To the
 * others goes a SETUP now and then, so that a new receiver finds the stream. In a set that is not
 * aware, and for a destination that is a group, whose members answer from elsewhere, nobody asks.
 *
 *              next_pos of A                  snd-pos
 *   ... sent ------+------ A's queue was full ---+--- new data, collected once for all --->
 *                                                 B, C, D
 *
 * What a target missed by a full queue it gets first, when there is room, straight from the log.
 * What lies too far back for that is left to its NAKs, and so is what a failing address missed.
 *
 * Units      positions: stream bytes since the initial term began. Times: monotonic ns.
 * Ownership  allocated by the conductor with its publication, some 35 KiB; no pointer in it is its
 *            own, so it is freed as it is.
 * Thread     the publication's engine, once that has it.
 * Errors     none; every call succeeds.
 */
#ifndef RJ_ENDPOINT_FAN_OUT_H
#define RJ_ENDPOINT_FAN_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "endpoint/send_destination.h"
#include "proto/run.h"
#include "stream/network_publication.h"

enum {
    /* A new target is given what was sent since the setup that it answers, up to this: it was on
     * its way to others then, and would have to be asked for again. */
    RJ_FAN_OUT_JOIN_BYTES_MAX = 1024 * 1024,
    RJ_FAN_OUT_PROBE_NS = RJ_NETWORK_PUBLICATION_SETUP_NS,
};

typedef struct rj_fan_target {
    int64_t next_pos; /* sent up to here; at most snd-pos, between turns */
    int64_t due_ns;   /* it is wanted until then; INT64_MAX: for ever */
    int32_t slot;     /* of the destination */
    bool has_failed;  /* its address, in this turn */
} rj_fan_target_t;

typedef struct rj_fan_out {
    rj_send_destinations_t *destinations;
    int32_t target_count;
    int32_t first;           /* target that the next turn begins with */
    int64_t due_ns;          /* no target is given up earlier */
    int64_t last_probe_ns;   /* SETUP to those who do not want the stream */
    uint64_t greeted_number; /* destinations that joined later have not had one */
    bool is_behind;          /* a target has not got all up to snd-pos */
    bool was_blocked;        /* there was data, and no queue took any */

    /* The turn under way. */
    int64_t end_pos; /* of its new data */
    int32_t error;   /* of some destination, negative; 0: none */
    int32_t run_count;
    int32_t resend_count;
    rj_run_t runs[RJ_NETWORK_PUBLICATION_RUNS_MAX];
    rj_run_t resends[RJ_NETWORK_PUBLICATION_RUNS_MAX];

    uint16_t places[RJ_SEND_DESTINATIONS_MAX]; /* [slot]: 1 + index of its target; 0: none */
    rj_fan_target_t targets[RJ_SEND_DESTINATIONS_MAX];
} rj_fan_out_t;

/* The stream begins, or is handed over, at `snd_pos`. `fan` is zeroed. */
void rj_fan_out_init(rj_fan_out_t *fan, rj_send_destinations_t *destinations, int64_t snd_pos,
                     int64_t now_ns);

static inline bool rj_fan_out_is_target(const rj_fan_out_t *fan, int32_t slot)
{
    return fan->places[slot] != 0;
}

/* The destination has joined the set, or is about to leave it. */
void rj_fan_out_on_joined(rj_fan_out_t *fan, const rj_send_destination_t *destination,
                          int64_t snd_pos);
void rj_fan_out_on_left(rj_fan_out_t *fan, const rj_send_destination_t *destination);

/* A status message for the stream, no request for a setup, came from `destination`; NULL: from an
 * address that is no destination's. That may be how one answers which was never heard from, so all
 * of those get the stream. `sm_pos` is what it says to have consumed. */
void rj_fan_out_on_sm(rj_fan_out_t *fan, const rj_send_destination_t *destination,
                      const rj_wire_sm_t *sm, int64_t sm_pos, int64_t snd_pos, int64_t now_ns);

/* Gives up targets that nobody wants any more. */
void rj_fan_out_expire(rj_fan_out_t *fan, int64_t now_ns);

/* Some destination does not get the stream, though the set is aware: it may want to know of it. */
static inline bool rj_fan_out_has_others(const rj_fan_out_t *fan)
{
    return fan->destinations->is_aware && fan->target_count < fan->destinations->count;
}

/* The earliest time at which a target, or a destination, goes silent, or others are told of the
 * stream, unless it has ended. */
int64_t rj_fan_out_deadline_ns(const rj_fan_out_t *fan, bool has_ended);

/* How far the stream has got: as far as its first target, or, with nobody to send it to, as far as
 * there is data. What failed, or lies further than `keep_bytes` behind that, is given up. Returns
 * the targets given up so. */
int rj_fan_out_settle(rj_fan_out_t *fan, int64_t snd_pos, int64_t keep_bytes, int64_t *ret_snd_pos);

#endif
