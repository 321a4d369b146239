/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.h - keeps the next hops of wanted destinations resolved, through the kernel.
 *
 * Whoever sends past the kernel never touches its neighbour entries: they grow stale for ever, and
 * a peer whose MAC changes becomes a black hole. The ways, best first:
 *
 *   MANAGED   NTF_EXT_MANAGED: the kernel resolves it and keeps it so (5.16 and later, privileged)
 *   USE       NTF_USE every 20 s (privileged)
 *   DATAGRAM  an empty datagram to the discard port every 20 s: needs no privilege
 *
 * An address gets one speaker only: nothing here sends ARP by itself. What somebody wrote down for
 * good, or has managed before us, is left alone.
 *
 * Units      ns.
 * Ownership  lends `ask` until close.
 * Thread     the netlink agent's.
 * Errors     a refused request is counted and made again a second later; one for want of privilege
 *            changes the way to DATAGRAM.
 */
#ifndef RJ_NETLINK_KEEPER_H
#define RJ_NETLINK_KEEPER_H

#include "netlink/rtnl.h"
#include "netlink/tables.h"

enum { RJ_NL_HOPS_MAX = 4096 };

#define RJ_NL_RETRY_NS   INT64_C(1000000000)
#define RJ_NL_CONFIRM_NS INT64_C(20000000000)

typedef enum rj_nl_keep {
    RJ_NL_KEEP_AUTO, /* MANAGED, until the kernel turns out not to know it */
    RJ_NL_KEEP_MANAGED,
    RJ_NL_KEEP_USE,
    RJ_NL_KEEP_DATAGRAM,
} rj_nl_keep_t;

const char *rj_nl_keep_text(rj_nl_keep_t keep);

typedef struct rj_nl_kept_hop {
    uint32_t stamp; /* of the round that wanted it last */
    uint32_t link_index;
    rj_address_t address;
    int64_t asked_ns; /* when the last request was made; INT64_MIN: never */
    bool is_managed;  /* by our request */
} rj_nl_kept_hop_t;

typedef struct rj_nl_keeper {
    rj_rtnl_t *ask;
    rj_nl_keep_t keep;
    int datagram_fds[2]; /* IPv4, IPv6; -1: not opened */
    rj_nl_array_t hops;  /* of rj_nl_kept_hop_t, by link and address */
    uint32_t stamp;      /* of the round */
    uint64_t full_count; /* hops that found no room */
    uint64_t request_count;
    uint64_t failed_count; /* requests that the kernel refused */
} rj_nl_keeper_t;

void rj_nl_keeper_init(rj_nl_keeper_t *keeper, rj_rtnl_t *ask, rj_nl_keep_t keep);

/* Lets go of every hop: takes the flags away that we set. */
void rj_nl_keeper_close(rj_nl_keeper_t *keeper);

/* A round: begin, want each hop, end, which lets go of those that nobody wanted. */
void rj_nl_keeper_begin(rj_nl_keeper_t *keeper);
void rj_nl_keeper_want(rj_nl_keeper_t *keeper, uint32_t link_index, const rj_address_t *address);
void rj_nl_keeper_end(rj_nl_keeper_t *keeper);

/* Does for each hop what is due by what the tables know of it. Returns how many requests. */
int rj_nl_keeper_do_work(rj_nl_keeper_t *keeper, const rj_nl_tables_t *tables, int64_t now_ns);

#endif
