/* SPDX-License-Identifier: Apache-2.0 */
/* channel_resolve.h - the second stage of a channel: names and interfaces become addresses.
 *
 * Units      none.
 * Ownership  the caller's; nothing is kept.
 * Thread     the helper, for names may block.
 * Errors     negative errno, Aeron's code and a text: 9 when a name is not known, 11 for interfaces
 * and ports. Then the channel must not be used, but for its texts.
 */
#ifndef RJ_NAME_CHANNEL_RESOLVE_H
#define RJ_NAME_CHANNEL_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "name/resolver.h"
#include "proto/channel.h"
#include "proto/interface.h"

/* Where answers come from. The simulation fills this in with its own. */
typedef struct rj_channel_world {
    rj_resolver_t *resolver; /* as configured: for endpoint and control */
    rj_resolver_t
        *system_resolver; /* for a host name in `interface=`: as Aeron, never the configured one */
    const rj_interface_t *interfaces;
    size_t interface_count;
    int64_t *unique_suffix; /* of canonical forms, from 0 for the life of the process */
} rj_channel_world_t;

/* Resolves `control`, then `endpoint`, then finds the interface, then calls rj_channel_assign. An
 * IPC channel passes as it is. */
int rj_channel_resolve(rj_channel_t *channel, const rj_channel_world_t *world,
                       rj_resolve_reason_t reason, rj_err_t *err);

/* The address that a text as in `interface=` means, with its port, to be bound by one socket. */
int rj_interface_resolve(const char *text, const rj_channel_world_t *world, rj_address_t *ret,
                         rj_err_t *err);

#endif
