/* SPDX-License-Identifier: Apache-2.0 */
/* steering.h - keeps the steering maps of the driver's interfaces in step with what it wants.
 *
 *     wish                        an endpoint of ours, with the streams that are wanted from it
 *       | where the snapshot says that its datagrams arrive
 *     channel, one per interface, address and port; shared by the wishes that mean it
 *       | as far as maps have room and nobody with a better right stands there
 *     entries in rj_channels, rj_streams, rj_claims
 *
 * A wish for a wildcard address has a channel for each address of this host, kept in step with the
 * snapshot; one for a multicast group only while every member on this host is a socket of this
 * driver. Once a second it gives its sign of life and looks, a share per call, that its entries
 * stand. Operator's entries are left alone; another driver's are overwritten, for the kernel's bind
 * is ours.
 *
 * Units      monotonic ns; addresses in network order.
 * Ownership  maps, snapshot and names are the caller's and outlive it. What it put into the maps it
 *            takes out again, at the latest in close.
 * Thread     the conductor's. No socket, no clock: the simulation runs it.
 * Errors     none after open: what cannot be done is counted and told once to `on_event`; frames
 *            then go to the kernel's sockets, or to user space, which filters.
 */
#ifndef RJ_FABRIC_STEERING_H
#define RJ_FABRIC_STEERING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/prng.h"
#include "netlink/snapshot.h"
#include "proto/address.h"
#include "xdp/steer_maps.h"

enum {
    RJ_STEERING_INTERFACES_MAX = 8,
    RJ_STEERING_PERIOD_NS = 1000 * 1000 * 1000,
    RJ_STEERING_LOOKS_PER_TURN = 256, /* map calls, roughly, of the look at entries in one call */
};

/* An interface whose queues queue_first .. queue_first + queue_count - 1 are this driver's. */
typedef struct rj_steering_interface {
    rj_steer_maps_t *maps;
    const char *name; /* for texts */
    uint32_t index;
    uint32_t queue_first;
    uint32_t queue_count;
    uint32_t room_bytes; /* longest frame that the UMEM of its queues takes */
    /* Whether the ring of a queue is still bound to it; NULL: always. Asked once a second. */
    bool (*is_bound)(const void *state, uint32_t queue);
    const void *is_bound_state;
    /* Datagrams to `to` should arrive at the queue of that engine; engine -1: no longer. NULL:
     * nobody can help it. A negative errno is told once: engines forward to each other then. */
    int (*bring)(void *state, const rj_address_t *to, int engine);
    void *bring_state;
} rj_steering_interface_t;

/* Who gets status messages, NAKs and the like. */
typedef enum rj_steering_control {
    RJ_STEERING_CONTROL_TO_KERNEL,
    RJ_STEERING_CONTROL_TO_RING,
} rj_steering_control_t;

typedef struct rj_steering_params {
    rj_steering_interface_t interfaces[RJ_STEERING_INTERFACES_MAX];
    int interface_count;
    rj_steering_control_t control;
    uint32_t pid;
    /* One line that a person should see; each state of affairs is told once. */
    void (*on_event)(void *state, const char *text);
    void *on_event_state;
} rj_steering_params_t;

/* What is so now (the first five), and what happened since the start. */
typedef struct rj_steering_stats {
    int64_t channels;          /* entries of ours */
    int64_t streams;           /* the same */
    int64_t channels_left_out; /* rj_channels or the numbers were full: sockets serve them */
    int64_t streams_left_out;  /* rj_streams was full: user space filters for them */
    int64_t groups_shared;     /* channels of groups with members that are not ours */
    int64_t operator_entries;  /* times that an operator's entry was found in place of ours */
    int64_t taken_over;        /* entries of other drivers that were overwritten */
    int64_t put_again;         /* entries of ours that had vanished or changed */
    int64_t uncounted;         /* entries without a counter: all were taken */
    int64_t swept_owners;
    int64_t detached;   /* times that a program, or a ring, was found gone from its interface */
    int64_t map_errors; /* calls that failed otherwise */
} rj_steering_stats_t;

typedef struct rj_steering rj_steering_t;
typedef struct rj_steer_wish rj_steer_wish_t;

/* Sweeps dead owners, draws an owner number and takes the queues. `prng` is used here only.
 * `snapshot`, as in do_work, may be NULL: no address and no group is known then, and wishes for one
 * unicast address alone are served. Fails for want of memory only. */
int rj_steering_open(rj_steering_t **ret_steering, const rj_steering_params_t *params,
                     rj_prng_t *prng, const rj_net_snapshot_t *snapshot, int64_t now_ns,
                     rj_err_t *err);

/* Removes everything of this driver from the maps. Safe on NULL. */
void rj_steering_close(rj_steering_t *steering);

/* A socket of this driver is bound to `local`: an address, a wildcard, or a group, joined on
 * `link_index` (0: where the routes lead), and `engine` is its home. Frames that are no data are
 * steered by the control setting, data and setups by the streams that follow. NULL, and told,
 * without memory: its socket serves it. */
rj_steer_wish_t *rj_steering_add(rj_steering_t *steering, const rj_address_t *local,
                                 uint32_t link_index, int engine);
/* Safe on a NULL wish, as the two below are. */
void rj_steering_remove(rj_steering_t *steering, rj_steer_wish_t *wish);

/* Which frames of a wish's address go to user space. */
typedef struct rj_steer_stream {
    int32_t stream_id;
    int32_t session_id; /* 0 unless has_session */
    bool has_session;
} rj_steer_stream_t;

/* Each added once for a wish, and removed once. */
void rj_steering_add_stream(rj_steering_t *steering, rj_steer_wish_t *wish,
                            const rj_steer_stream_t *stream);
void rj_steering_remove_stream(rj_steering_t *steering, rj_steer_wish_t *wish,
                               const rj_steer_stream_t *stream);

/* What is due: signs of life, the look at entries, and whatever a changed snapshot asks for.
 * Returns the work done. `snapshot` may be NULL; it is read until the next call, by the other calls
 * too. */
int rj_steering_do_work(rj_steering_t *steering, const rj_net_snapshot_t *snapshot, int64_t now_ns);

/* When do_work has something to do, the snapshot aside. */
int64_t rj_steering_deadline_ns(const rj_steering_t *steering);

/* Whether frames can come in, and should go out, by the rings of that interface: it is one of ours,
 * and its program is still there. */
bool rj_steering_serves(const rj_steering_t *steering, uint32_t interface_index);

uint32_t rj_steering_owner(const rj_steering_t *steering);
const rj_steering_stats_t *rj_steering_stats(const rj_steering_t *steering);

#endif
