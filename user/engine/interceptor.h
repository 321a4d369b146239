/* SPDX-License-Identifier: Apache-2.0 */
/* interceptor.h - loses datagrams on purpose, by the names and arguments of the reference's loss
 * filters, for its users' own tests (driver.md 15.4).
 *
 *     port's poll ──► interceptor ──► dispatch         of every kind of port, before anything else;
 *                                                      what came merged is taken apart for it
 *
 * Same seed, same datagrams, same losses.
 *
 * Units      bytes.
 * Ownership  all memory is taken by open. Counters' words are the caller's.
 * Thread     the engine's; an engine without a filter has none of this.
 * Errors     open: -ENOMEM.
 */
#ifndef RJ_ENGINE_INTERCEPTOR_H
#define RJ_ENGINE_INTERCEPTOR_H

#include <stdbool.h>

#include "base/atomic.h"
#include "base/err.h"
#include "config/filter_config.h"
#include "proto/packet.h"

enum {
    RJ_INTERCEPTOR_KINDS = 3,
    RJ_INTERCEPTOR_STREAMS_MAX = 4096, /* of a further one nothing is lost by place */
};

typedef struct rj_interceptor rj_interceptor_t;

/* How many datagrams each kind of filter has lost, in all engines. */
typedef struct rj_interceptor_counters {
    rj_shared_i64_t *lost[RJ_INTERCEPTOR_KINDS];
} rj_interceptor_counters_t;

/* `seed` of what is lost at random, where the arguments give none, and `index` of the engine. */
int rj_interceptor_open(rj_interceptor_t **ret_interceptor, const rj_filter_config_t *config,
                        const rj_interceptor_counters_t *counters, uint64_t seed, int index,
                        rj_err_t *err);

/* NULL is allowed. */
void rj_interceptor_close(rj_interceptor_t *interceptor);

/* Whether a packet of one datagram is not lost. */
bool rj_interceptor_passes(rj_interceptor_t *interceptor, const rj_packet_t *packet);

#endif
