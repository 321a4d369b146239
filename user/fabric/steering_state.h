/* SPDX-License-Identifier: Apache-2.0 */
/* steering_state.h - what steering.c and steering_entries.c share: channels, and where they stand.
 *
 * Units      as in steering.h.
 * Ownership  channels belong to their interface, streams to their channel; all are on the heap.
 * Thread     the conductor's.
 * Errors     none here.
 */
#ifndef RJ_FABRIC_STEERING_STATE_H
#define RJ_FABRIC_STEERING_STATE_H

#include "fabric/steering.h"

typedef enum rj_steered_standing {
    RJ_STEERED_ABSENT,   /* nothing of ours is there */
    RJ_STEERED_PLACED,   /* our entry is there, as far as we know */
    RJ_STEERED_OPERATOR, /* an operator's entry is there and stays */
} rj_steered_standing_t;

/* What is told once, as bits. */
enum {
    RJ_STEERED_TOLD_CHANNELS_FULL = 1,
    RJ_STEERED_TOLD_STREAMS_FULL = 2,
    RJ_STEERED_TOLD_UNCOUNTED = 4,
    RJ_STEERED_TOLD_ERROR = 8,
    RJ_STEERED_TOLD_NOT_BROUGHT = 16,
};

typedef struct rj_steered_stream {
    struct rj_steered_stream *prev, *next;
    rj_steer_stream_t stream;
    int refcount; /* wishes */
    uint32_t counter_index;
    rj_steered_standing_t standing;
    bool is_left_out;
} rj_steered_stream_t;

typedef struct rj_steered_channel {
    struct rj_steered_channel *prev, *next;
    struct rj_channel_key key;
    rj_address_t address;
    int refcount; /* wishes */
    bool is_group;
    bool is_known;  /* group: somebody has counted its members */
    bool is_shared; /* group: some of them are not ours */
    bool is_left_out;
    int64_t patient_until_ns; /* group: a count may still hold a socket that we have closed */
    rj_steered_standing_t standing;
    uint32_t channel_id; /* 0: none claimed */
    uint32_t counter_index;
    struct rj_channel_value value; /* as put */
    int streams_left_out;
    rj_steered_stream_t *streams;
} rj_steered_channel_t;

typedef enum rj_steered_state {
    RJ_STEERED_ON,
    RJ_STEERED_DETACHED, /* the program is gone from its interface */
    RJ_STEERED_UNBOUND,  /* a ring of ours is: the interface was removed, or left and came back */
    RJ_STEERED_CROWDED,  /* rj_owners is full: no sign of life can be given */
} rj_steered_state_t;

typedef struct rj_steered_interface {
    rj_steering_interface_t params;
    rj_steered_state_t state;
    bool has_mac;
    uint8_t mac[6];
    uint32_t told;
    uint32_t next_number[RJ_XDP_CLAIM_COUNTER + 1]; /* where the search goes on, by kind */
    int64_t search_ns[RJ_XDP_CLAIM_COUNTER + 1];    /* and when: put off where all were taken */
    rj_steered_channel_t *channels;
    rj_steered_channel_t *cursor; /* the next one to be looked at in this round; NULL: done */
} rj_steered_interface_t;

/* One channel that a wish holds. */
typedef struct rj_steer_hold {
    rj_steered_interface_t *interface;
    rj_steered_channel_t *channel;
    bool is_wanted; /* while the wish is reviewed */
} rj_steer_hold_t;

struct rj_steer_wish {
    struct rj_steer_wish *prev, *next;
    rj_address_t local;
    uint32_t link_index; /* of a group; 0: not known yet */
    int engine;          /* its home */
    rj_steer_stream_t *streams;
    int stream_count, stream_room;
    rj_steer_hold_t *holds;
    int hold_count, hold_room;
};

struct rj_steering {
    rj_steering_params_t params;
    rj_steered_interface_t interfaces[RJ_STEERING_INTERFACES_MAX];
    int interface_count;
    uint32_t owner;
    int64_t start_ns;
    int64_t now_ns; /* of the last do_work */
    int64_t deadline_ns;
    const rj_net_snapshot_t *snapshot; /* as last given; NULL: none */
    uint64_t generation;               /* of the snapshot that was looked at last */
    uint64_t address_digest;
    uint64_t membership_digest;
    rj_steer_wish_t *wishes;
    rj_steering_stats_t stats;
};

/* One line to whoever listens, the interface's name in front. */
void rj_steering_tell(rj_steering_t *steering, const rj_steered_interface_t *interface,
                      const char *format, ...) __attribute__((format(printf, 3, 4)));

/* --- steering_entries.c --- */

/* Makes the maps say what the channel wants, as far as they let it; harmless when they do already.
 * Returns how many entries it looked at. */
int rj_steered_settle(rj_steering_t *steering, rj_steered_interface_t *interface,
                      rj_steered_channel_t *channel);

/* Takes everything of the channel out of the maps and gives its numbers back. */
void rj_steered_withdraw(rj_steering_t *steering, rj_steered_interface_t *interface,
                         rj_steered_channel_t *channel);

/* The same for one stream, before it is freed. */
void rj_steered_withdraw_stream(rj_steering_t *steering, rj_steered_interface_t *interface,
                                rj_steered_channel_t *channel, rj_steered_stream_t *stream);

#endif
