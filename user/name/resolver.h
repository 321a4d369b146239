/* SPDX-License-Identifier: Apache-2.0 */
/* resolver.h - from a name to an address, by whoever knows: the system, a table, other drivers.
 *
 * Units      none.
 * Ownership  the caller owns the resolver; an implementation embeds it as its first member.
 * Thread     one at a time: the helper. It may block.
 * Errors     negative errno and a text; Aeron's code is 9 (UNKNOWN_HOST) where a name is not known.
 */
#ifndef RJ_NAME_RESOLVER_H
#define RJ_NAME_RESOLVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/address.h"

enum {
    RJ_RESOLVER_TEXT_BYTES = RJ_ADDRESS_HOST_MAX + 17, /* `host:port` with brackets, terminated */
};

/* Why a name is asked for; a table for tests gives the second question another answer. */
typedef enum rj_resolve_reason {
    RJ_RESOLVE_FIRST,
    RJ_RESOLVE_AGAIN,
} rj_resolve_reason_t;

/* What a resolver has to tell outside of any answer. */
typedef enum rj_resolver_trouble {
    RJ_RESOLVER_NOTED, /* for the error log, but no error of anybody (driver.md 4) */
    RJ_RESOLVER_FAILED,
} rj_resolver_trouble_t;

typedef struct rj_resolver rj_resolver_t;

typedef struct rj_resolver_ops {
    const char *name;

    /* Sees the whole text of `endpoint` or `control` first, literals included, and may put another
     * `host:port` in its place. Returns 1 when it did, 0 when not, negative to refuse. NULL: never
     * does. */
    int (*lookup)(rj_resolver_t *resolver, const char *text, rj_resolve_reason_t reason,
                  char ret[static RJ_RESOLVER_TEXT_BYTES], rj_err_t *err);

    /* Finds the address of a host that is no literal. `family` is AF_INET, AF_INET6, or AF_UNSPEC:
     * IPv4 if there is one, else IPv6. The port of the result is 0. */
    int (*resolve)(rj_resolver_t *resolver, const char *host, uint16_t family,
                   rj_resolve_reason_t reason, rj_address_t *ret, rj_err_t *err);

    /* What it does of itself, and the earliest time at which it would do something. NULL: nothing,
     * ever. */
    int (*do_work)(rj_resolver_t *resolver, int64_t now_ns);
    int64_t (*deadline_ns)(const rj_resolver_t *resolver);
} rj_resolver_ops_t;

struct rj_resolver {
    const rj_resolver_ops_t *ops;
};

/* Look-up, taking apart, and resolving of one `host:port`, in this order. A failure's text begins
 * with `Unresolved - <param>=<text>` where the resolver does not know the name; `param` is the
 * URI's key. */
int rj_resolver_resolve_text(rj_resolver_t *resolver, const char *param, const char *text,
                             rj_resolve_reason_t reason, rj_address_t *ret, rj_err_t *err);

/* The system's own resolver (getaddrinfo); it holds no state. */
void rj_resolver_system_init(rj_resolver_t *resolver);

#endif
