/* SPDX-License-Identifier: Apache-2.0 */
/* agent.h - mirrors the kernel's links, addresses, routes and neighbours; keeps next hops known.
 *
 *   open: subscribe -> dump -> first snapshot
 *   do_work: events -> tables -> snapshot (at most one in 10 ms)
 *            an overrun: drain -> dump again, sweep what was not told (the old tables serve on)
 *            a change that the kernel is silent about: dump those kinds again 200 ms later
 *            wishes -> next hops resolved and kept so; memberships of groups, once a second
 *
 * It sees the network namespace of the thread that called open, whoever calls do_work. It runs
 * without privilege; then next hops are resolved by datagrams (keeper.h) and the kernel gives less
 * room for events.
 *
 * Units      ns, bytes.
 * Ownership  the caller owns the struct, which is large; the feed lends snapshots.
 * Thread     open, start, stop, close: one. do_work, deadline_ns, wait: the agent's. The feed's
 *            calls: the conductor's. read_status: any.
 * Errors     open: negative errno. do_work cannot fail: it counts and tries again.
 */
#ifndef RJ_NETLINK_AGENT_H
#define RJ_NETLINK_AGENT_H

#include <pthread.h>

#include "netlink/keeper.h"
#include "netlink/kernel_feed.h"
#include "netlink/membership.h"
#include "netlink/rtnl.h"
#include "netlink/tables.h"

enum {
    RJ_NETLINK_RECEIVE_BYTES = 16 << 20, /* ~40,000 events, the kernel doubles it */
    RJ_NETLINK_EVENTS_MAX = 2048,        /* of one turn, roughly */
};

typedef struct rj_netlink_params {
    size_t receive_bytes; /* room for events that wait; 0: RJ_NETLINK_RECEIVE_BYTES */
    rj_nl_keep_t keep;    /* RJ_NL_KEEP_AUTO unless a test wants to see another way */
} rj_netlink_params_t;

/* What happened so far, for people and tests. */
typedef struct rj_netlink_status {
    uint64_t event_count;
    uint64_t overrun_count;     /* times that the kernel had no room for an event */
    uint64_t resync_count;      /* dumps of everything after that */
    uint64_t verify_count;      /* dumps of what may have changed without a word */
    uint64_t interrupted_count; /* dumps that changes overtook */
    uint64_t snapshot_count;
    uint64_t refused_want_count; /* wishes that found the table full */
    uint64_t unkept_hop_count;   /* next hops that found the table full */
    uint64_t request_count;      /* for neighbours */
    uint64_t failed_request_count;
    uint64_t
        failed_count; /* objects left out for want of memory, dumps and snapshots that failed */
    uint64_t keep;    /* rj_nl_keep_t: how next hops are kept known */
} rj_netlink_status_t;

typedef struct rj_netlink {
    rj_nl_kernel_feed_t feed;
    rj_netlink_params_t params;
    rj_rtnl_t ask;
    rj_rtnl_t listen;
    rj_nl_tables_t tables;
    rj_nl_keeper_t keeper;
    rj_nl_member_lists_t member_lists;
    rj_nl_members_t members;
    const rj_net_snapshot_t *last; /* the newest, published */
    int epoll_fd;
    int ioctl_fd;
    int64_t tick_due_ns;
    int64_t resync_due_ns; /* INT64_MAX: not needed */
    int64_t resynced_ns;
    int64_t verify_due_ns; /* INT64_MAX: not needed */
    uint32_t verify_kinds;
    int64_t published_ns;
    bool has_round; /* wishes or snapshot changed: next hops are to be looked up anew */
    size_t hop_want_count;
    size_t group_count;
    rj_address_t hop_wants[RJ_NL_WANTS_MAX];
    rj_address_t groups[RJ_NL_WANTS_MAX];
    rj_netlink_status_t counters; /* the agent's own */
    rj_netlink_status_t status;   /* agent -> any, word by word */
    pthread_t thread;
    bool has_thread;
    int32_t is_running;
} rj_netlink_t;

/* Subscribes and dumps; the first snapshot is complete when it returns. `params` may be NULL. */
int rj_netlink_open(rj_netlink_t *netlink, const rj_netlink_params_t *params, int64_t now_ns,
                    rj_err_t *err);

/* Takes back what it asked of the kernel. Safe on one that was never opened, if zeroed. */
void rj_netlink_close(rj_netlink_t *netlink);

/* The conductor's end. */
static inline rj_net_feed_t *rj_netlink_feed(rj_netlink_t *netlink)
{
    return &netlink->feed.feed;
}

/* Returns the work done. It may wait for the kernel's answer to a dump, milliseconds as a rule. */
int rj_netlink_do_work(rj_netlink_t *netlink, int64_t now_ns);

/* When do_work is to be called though nothing is to be read. */
int64_t rj_netlink_deadline_ns(const rj_netlink_t *netlink);

/* Becomes readable when there is something to do. */
int rj_netlink_fd(const rj_netlink_t *netlink);

/* Sleeps until there is something to do, at most `timeout_ns`. */
void rj_netlink_wait(rj_netlink_t *netlink, int64_t timeout_ns);

/* Runs it in a thread of its own, which sleeps while there is nothing to do. */
int rj_netlink_start(rj_netlink_t *netlink, rj_err_t *err);
void rj_netlink_stop(rj_netlink_t *netlink);

void rj_netlink_read_status(const rj_netlink_t *netlink, rj_netlink_status_t *ret);

#endif
