/* SPDX-License-Identifier: Apache-2.0 */
/* path_counts.h - by which door the paths of a driver send, and why not by a ring.
 *
 * Units      paths.
 * Ownership  plain values.
 * Thread     the conductor's.
 * Errors     none.
 */
#ifndef RJ_CONDUCTOR_PATH_COUNTS_H
#define RJ_CONDUCTOR_PATH_COUNTS_H

#include "netlink/snapshot.h"

/* Paths that the conductor knows of: those of send endpoints, and an image's first way back. */
typedef enum rj_path_door {
    RJ_DOOR_RING,      /* it has a header */
    RJ_DOOR_NO_WAY,    /* the snapshot's answer says why: neighbour unknown, this host, ... */
    RJ_DOOR_NO_RING,   /* it leaves by an interface where its engine has no queue */
    RJ_DOOR_MEMBERS,   /* a group with members on this host, or nobody has looked yet */
    RJ_DOOR_NO_SOURCE, /* no source address of that family */
    RJ_DOOR_CHANNEL,   /* its channel is for sockets */
    RJ_DOOR_COUNT
} rj_path_door_t;

typedef struct rj_path_counts {
    int by_door[RJ_DOOR_COUNT];
    int by_answer[RJ_NET_NOT_SIMPLE + 1]; /* of those with NO_WAY; rj_net_answer_text */
} rj_path_counts_t;

const char *rj_path_door_text(rj_path_door_t door);

#endif
