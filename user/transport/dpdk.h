/* SPDX-License-Identifier: Apache-2.0 */
/* dpdk.h - the ports of DPDK, in programs that were linked with it (`make DPDK=1`).
 *
 *      arguments --> DPDK's environment --> every port of it, an interface of ours each
 *
 * Nothing else of the driver knows DPDK: this table is all, and in a program without DPDK it is
 * nowhere. A port's interface, whose index headers and steering go by, is the kernel's own where
 * that sees the frames too, else a TAP interface that brings the kernel what is not ours.
 *
 * Units      bytes.
 * Ownership  whoever opens it closes it, after all its rings. It can be opened once in the life of
 *            a process.
 * Thread     the main thread.
 * Errors     open: negative errno and a text. A port that cannot be had is told of and left out.
 */
#ifndef RJ_TRANSPORT_DPDK_H
#define RJ_TRANSPORT_DPDK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/frame_ring.h"

struct rj_steer_maps;

typedef struct rj_dpdk rj_dpdk_t;

typedef struct rj_dpdk_params {
    const char *arguments; /* words, as DPDK's own programs take them */
    /* Names of TAP interfaces, for the ports that need one: interfaces[i] for port i; behind the
     * end "rjdpdk<i>". */
    const char *const *interfaces;
    uint32_t interface_count;
    uint32_t queue_count;                        /* of each port, as far as it has so many */
    void (*tell)(void *state, const char *text); /* of a port that is left out */
    void *tell_state;
} rj_dpdk_params_t;

/* One port, as long as it is open. */
typedef struct rj_dpdk_view {
    const char *name; /* DPDK's */
    const char *interface_name;
    uint32_t interface_index;
    uint32_t mtu_bytes;
    uint32_t queue_count;
    bool has_tap; /* else its frames are copies: the kernel has each too */
    struct rj_steer_maps *maps;
} rj_dpdk_view_t;

typedef struct rj_dpdk_ops {
    /* Fails where there is no port at all. */
    int (*open)(rj_dpdk_t **ret_dpdk, const rj_dpdk_params_t *params, rj_err_t *err);
    void (*close)(rj_dpdk_t *dpdk);
    uint32_t (*port_count)(const rj_dpdk_t *dpdk);
    void (*view)(rj_dpdk_t *dpdk, uint32_t port, rj_dpdk_view_t *ret_view);

    /* The ring of a queue below the port's count; whoever opened it closes it. */
    int (*open_ring)(rj_dpdk_t *dpdk, uint32_t port, uint32_t queue, rj_frame_ring_t **ret_ring,
                     rj_err_t *err);
} rj_dpdk_ops_t;

/* Weak: at no address where user/dpdk is not linked. */
extern const rj_dpdk_ops_t rj_dpdk_ops __attribute__((weak));

static inline bool rj_dpdk_is_linked(void)
{
    return &rj_dpdk_ops != NULL;
}

#endif
