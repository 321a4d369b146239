/* SPDX-License-Identifier: Apache-2.0 */
/* resolve_gossip.h - names that drivers tell each other, each of them its own and what it has heard
 * (wire.md 22).
 *
 *   every 1 s   own name  --> hosts to begin with, and all neighbours
 *   every 2 s   known names --> all neighbours
 *   10 s without a sign of its own --> a name, a neighbour, is forgotten
 *
 * Units      monotonic ns.
 * Ownership  it owns its wire and closes it; counters' words and the other resolver are the
 *            caller's.
 * Thread     the helper's.
 * Errors     open: negative errno and a text. Later ones go to `report`.
 */
#ifndef RJ_NAME_RESOLVE_GOSSIP_H
#define RJ_NAME_RESOLVE_GOSSIP_H

#include <stdbool.h>

#include "base/atomic.h"
#include "name/gossip_wire.h"
#include "name/resolver.h"

enum {
    RJ_GOSSIP_BOOTSTRAPS_MAX = 20,
    RJ_GOSSIP_STEP_NS = 10000000, /* it looks at its socket and its timers this often */
};

/* What happens, for counters and logs. */
typedef struct rj_gossip_watch {
    rj_shared_i64_t *neighbor_count;
    rj_shared_i64_t *name_count;
    rj_shared_i64_t *bootstraps[RJ_GOSSIP_BOOTSTRAPS_MAX]; /* 1 while it is a neighbour */
    void *state;
    /* A frame that cannot be read. */
    void (*on_invalid)(void *state);
    /* `address` NULL: it could not be resolved. */
    void (*on_bootstrap)(void *state, int index, const rj_address_t *address);
    void (*report)(void *state, rj_resolver_trouble_t trouble, const rj_err_t *err);
} rj_gossip_watch_t;

typedef struct rj_gossip_params {
    const char *name; /* of this driver, 1..RJ_GOSSIP_NAME_MAX bytes; copied, like all texts */
    const char *bootstraps; /* host:port, by commas; may be empty */
    rj_gossip_wire_t *wire;
    rj_resolver_t *system; /* knows hosts to begin with, and what no driver knows */
    size_t frame_bytes_max;
    int64_t neighbor_timeout_ns;
    int64_t self_interval_ns;
    int64_t neighbor_interval_ns;
    int64_t bootstrap_interval_ns;
    rj_gossip_watch_t watch;
} rj_gossip_params_t;

/* How many hosts a list names, each looked at for its form: -EINVAL for what is none, or for more
 * than RJ_GOSSIP_BOOTSTRAPS_MAX. */
int rj_gossip_check_bootstraps(const char *list, rj_err_t *err);

/* Host `index` of a list that was checked. */
void rj_gossip_bootstrap_text(const char *list, int index, char ret[static RJ_RESOLVER_TEXT_BYTES]);

/* The wire stays the caller's when it fails. */
int rj_resolver_gossip_open(rj_resolver_t **ret_resolver, const rj_gossip_params_t *params,
                            rj_err_t *err);

/* Closes its wire too. NULL is allowed. */
void rj_resolver_gossip_close(rj_resolver_t *resolver);

#endif
