/* SPDX-License-Identifier: Apache-2.0 */
/* gossip_cache.h - what drivers have told each other: names with their addresses, and who they are.
 *
 * A name has one address of each family. What was not refreshed at its origin for the timeout is
 * forgotten; where it came from does not matter, for ages are passed on with names (wire.md 22).
 *
 * Units      monotonic ns.
 * Ownership  its tables are on the heap, of fixed size.
 * Thread     the helper's.
 * Errors     open: -ENOMEM. Full tables take nothing new, and say so.
 */
#ifndef RJ_NAME_GOSSIP_CACHE_H
#define RJ_NAME_GOSSIP_CACHE_H

#include "name/gossip_frame.h"

enum {
    RJ_GOSSIP_NAMES_MAX = 1024,
    RJ_GOSSIP_NEIGHBORS_MAX = 256,
};

typedef struct rj_gossip_name {
    rj_address_t address; /* its family is a part of the key */
    int64_t heard_ns;     /* at its origin */
    uint16_t length;
    char name[RJ_GOSSIP_NAME_MAX];
} rj_gossip_name_t;

typedef struct rj_gossip_neighbor {
    rj_address_t address;
    int64_t heard_ns;
} rj_gossip_neighbor_t;

typedef struct rj_gossip_cache {
    rj_gossip_name_t *names;
    int name_count;
    rj_gossip_neighbor_t *neighbors;
    int neighbor_count;
    int64_t timeout_ns;
} rj_gossip_cache_t;

int rj_gossip_cache_open(rj_gossip_cache_t *cache, int64_t timeout_ns, rj_err_t *err);

/* Safe on one that is zeroed. */
void rj_gossip_cache_close(rj_gossip_cache_t *cache);

/* Learns an entry, heard at its origin at `heard_ns`: the name always, older or not; its driver as
 * a neighbour when it is not known, or said so itself, and can be one. False when a table is full.
 */
bool rj_gossip_cache_learn(rj_gossip_cache_t *cache, const rj_gossip_entry_t *entry,
                           int64_t heard_ns);

/* Forgets what is too old; returns how many names and neighbours. */
int rj_gossip_cache_expire(rj_gossip_cache_t *cache, int64_t now_ns);

/* The address of a whole name in this family; NULL when it is not known. */
const rj_address_t *rj_gossip_cache_find(const rj_gossip_cache_t *cache, const char *name,
                                         size_t length, uint16_t family);

bool rj_gossip_cache_has_neighbor(const rj_gossip_cache_t *cache, const rj_address_t *address);

#endif
