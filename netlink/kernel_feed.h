/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_feed.h - between the conductor, which asks, and the netlink agent's thread, which knows.
 *
 *   agent     publish -> mailbox -> latest     conductor
 *             collect <-- retired <--
 *             wanted  <-- slots (a table) <-- want, unwant, and an eventfd that wakes
 *
 * Neither side waits, and nothing is lost: a snapshot that was not taken is replaced, and a wish is
 * a state in a slot, not a message. Only a table full of wishes refuses one.
 *
 * Units      none.
 * Ownership  published snapshots belong to the feed; the agent may look at the last one that it
 *            published.
 * Thread     the rj_net_feed_ops: the conductor's; publish, collect, wanted: the agent's; open,
 *            close: whoever has both stopped.
 * Errors     open: negative errno.
 */
#ifndef RJ_NETLINK_KERNEL_FEED_H
#define RJ_NETLINK_KERNEL_FEED_H

#include "netlink/feed.h"
#include "shm/ring_spsc.h"

enum { RJ_NL_WANTS_MAX = 4096, RJ_NL_RETIRED_MAX = 64 };

typedef enum rj_nl_want_state {
    RJ_NL_WANT_FREE,     /* the conductor may take it */
    RJ_NL_WANT_WANTED,   /* both may read the destination */
    RJ_NL_WANT_UNWANTED, /* the agent makes it free, or the conductor wants it again */
} rj_nl_want_state_t;

typedef struct rj_nl_want {
    rj_address_t destination;
    int32_t state;  /* rj_nl_want_state_t */
    uint32_t count; /* the conductor's: how often it is wanted */
} rj_nl_want_t;

typedef struct rj_nl_kernel_feed {
    rj_net_feed_t feed;         /* first: what the conductor holds */
    rj_net_snapshot_t *current; /* the conductor's */
    rj_net_snapshot_t *mailbox; /* agent -> conductor, exchanged */
    rj_ring_spsc_t retired;     /* of rj_net_snapshot_t *, conductor -> agent */
    int wake_fd;                /* eventfd */
    uint32_t want_end;          /* slots ever used; conductor -> agent */
    uint32_t want_version;      /* counts on with every change of a state */
    uint32_t want_version_seen; /* the agent's */
    uint64_t refused_count;     /* wishes that found the table full */
    rj_nl_want_t wants[RJ_NL_WANTS_MAX];
} rj_nl_kernel_feed_t;

int rj_nl_kernel_feed_open(rj_nl_kernel_feed_t *feed, rj_err_t *err);
void rj_nl_kernel_feed_close(rj_nl_kernel_feed_t *feed);

/* Any thread: makes the agent's wait return. */
void rj_nl_kernel_feed_wake(rj_nl_kernel_feed_t *feed);

/* Agent: gives the snapshot away; it is `last` until the next one. */
void rj_nl_kernel_feed_publish(rj_nl_kernel_feed_t *feed, rj_net_snapshot_t *snapshot);

/* Agent: frees what the conductor has moved on from. */
void rj_nl_kernel_feed_collect(rj_nl_kernel_feed_t *feed);

/* Agent: when wishes have changed since the last call, writes them all and returns how many, else
 * -1. */
int rj_nl_kernel_feed_wanted(rj_nl_kernel_feed_t *feed,
                             rj_address_t ret_destinations[static RJ_NL_WANTS_MAX]);

#endif
