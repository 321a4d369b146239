/* SPDX-License-Identifier: Apache-2.0 */
/* send_destination.h - the receivers of a multi-destination channel: who is there, and who of them
 * a frame came from.
 *
 * A manual channel's destinations come and go by command and never time out. A dynamic channel's
 * come with the first status message from their address and go when none has come for five
 * seconds. Each has a slot while it is there, by which streams know it (fan_out.h).
 *
 *   manual     conductor allocates --ADD--> set --REMOVE, RELEASED--> conductor frees
 *   dynamic    [pool] --status message--> set --silence, LEFT--> conductor --FREE--> pool
 *
 * A frame is of the destination whose receiver id and port it has or, while that has no id, whose
 * address it has (wire.md 7.4). Ours: one that comes from a destination's very address is that
 * destination's, whatever id it had before, for a receiver that was started anew is no other.
 *
 * Units      monotonic ns.
 * Ownership  the set and its pool are opened and closed by the conductor; the engine holds them
 *            with their endpoint. A manual destination is the conductor's own, like its endpoint.
 * Thread     the endpoint's engine, but for open and close; shared words are marked.
 * Errors     a full set is an answer: -ENOSPC, or no destination.
 */
#ifndef RJ_ENDPOINT_SEND_DESTINATION_H
#define RJ_ENDPOINT_SEND_DESTINATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/err.h"
#include "transport/path.h"

enum {
    RJ_SEND_DESTINATIONS_MAX = 1024, /* of one channel */
    RJ_SEND_DESTINATION_ID_NULL = -1,
};

#define RJ_SEND_DESTINATION_TIMEOUT_NS INT64_C(5000000000)

typedef struct rj_send_destination {
    rj_path_t path;          /* address of AF_UNSPEC: its name is not resolved yet */
    int64_t registration_id; /* of the command that added it; -1: it came by itself */
    rj_shared_i64_t
        last_sm_ns; /* shared: engine, release; conductor, acquire; or when it was added */

    /* engine */
    int32_t slot; /* -1: in no set */
    bool has_receiver_id;
    bool is_lent; /* of the pool: the conductor has not let go of it */
    int64_t receiver_id;
    uint64_t join_number; /* counts on over all that ever joined the set */
} rj_send_destination_t;

typedef struct rj_send_destinations {
    /* constant */
    bool is_dynamic;
    bool is_aware;          /* a stream goes to those only who want it; else all to all, as Aeron */
    bool tells;             /* the conductor follows paths, so it is told of dynamic destinations */
    int64_t *count_counter; /* mdc-num-dest, of which a dynamic set's engine writes the value */
    rj_send_destination_t *pool; /* [slot], of a dynamic set */

    /* engine */
    int32_t count;
    int32_t slot_end; /* no slot from here on is taken */
    int64_t due_ns;   /* none goes silent earlier */
    uint64_t join_count;
    rj_send_destination_t *slots[RJ_SEND_DESTINATIONS_MAX];
    /* Shortened hashes, so that a look-up passes over few lines of cache: 0 never matches. */
    uint32_t address_keys[RJ_SEND_DESTINATIONS_MAX];
    uint32_t receiver_keys[RJ_SEND_DESTINATIONS_MAX];
} rj_send_destinations_t;

/* An empty set with all memory that it will need; -ENOMEM. */
int rj_send_destinations_open(rj_send_destinations_t **ret, bool is_dynamic, rj_err_t *err);

/* Safe on NULL. */
void rj_send_destinations_close(rj_send_destinations_t *set);

/* --- conductor --- */

/* Fills in a manual destination before it is handed over. */
void rj_send_destination_init(rj_send_destination_t *destination, struct rj_endpoint *endpoint,
                              const rj_address_t *address, int64_t registration_id, int64_t now_ns);

/* --- engine --- */

static inline bool rj_send_destination_is_resolved(const rj_send_destination_t *destination)
{
    return destination->path.sockaddr_bytes > 0;
}

/* -ENOSPC. */
int rj_send_destinations_add(rj_send_destinations_t *set, rj_send_destination_t *destination);

/* Safe on one that is not in the set. */
void rj_send_destinations_remove(rj_send_destinations_t *set, rj_send_destination_t *destination);

/* A new destination from the pool; NULL when none is free. The caller looked for one before. */
rj_send_destination_t *rj_send_destinations_join(rj_send_destinations_t *set,
                                                 struct rj_endpoint *endpoint,
                                                 const rj_address_t *address, int64_t now_ns);

/* Another address for a destination that is there, or its first. */
void rj_send_destinations_move(rj_send_destinations_t *set, rj_send_destination_t *destination,
                               const rj_address_t *address);

/* Whose frame it is, by its source and, where it names one, its receiver; NULL: nobody's. */
rj_send_destination_t *rj_send_destinations_find(const rj_send_destinations_t *set,
                                                 const rj_address_t *source, int64_t receiver_id);
rj_send_destination_t *rj_send_destinations_find_address(const rj_send_destinations_t *set,
                                                         const rj_address_t *source);

/* A status message was found to be this destination's. */
void rj_send_destinations_touch(rj_send_destinations_t *set, rj_send_destination_t *destination,
                                int64_t receiver_id, int64_t now_ns);

/* A destination of a dynamic set that has been silent for too long; NULL: none (any more), and
 * due_ns says when to ask again. */
rj_send_destination_t *rj_send_destinations_silent(rj_send_destinations_t *set, int64_t now_ns);

#endif
