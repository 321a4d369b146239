/* SPDX-License-Identifier: Apache-2.0 */
/* dpdk_port.h - one port of DPDK as an interface of ours: its queues, its buffers, its steering.
 *
 *      the kernel has an interface under it that sees every frame too (af_packet):
 *          port interface_index = that one's; what is not ours is left to the kernel's copy
 *      else (memif, a card bound to vfio, af_xdp, whose frames the kernel does not see):
 *          port interface_index = a TAP interface's, which gets what is not ours (tap.h)
 *
 * Units      bytes.
 * Ownership  the caller owns the struct; rings and close in this order.
 * Thread     open and close: the main thread. look: any one.
 * Errors     open: negative errno and a text that names the port.
 */
#ifndef RJ_DPDK_DPDK_PORT_H
#define RJ_DPDK_DPDK_PORT_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "dpdk/tap.h"
#include "xdp/steer_table.h"

enum {
    RJ_DPDK_NAME_MAX = 64,
    RJ_DPDK_HELD_MAX = 1024,   /* received frames that a queue keeps until the next poll */
    RJ_DPDK_WAITING_MAX = 512, /* frames that a queue has for sending before DPDK has them */
};

struct rte_mempool;

typedef struct rj_dpdk_port {
    uint16_t id; /* DPDK's number */
    char name[RJ_DPDK_NAME_MAX];
    char interface_name[IFNAMSIZ];
    uint32_t interface_index;
    uint32_t mtu_bytes;
    uint32_t queue_count;
    uint8_t mac[6];
    bool is_started;
    bool is_removed; /* the device is; written by DPDK's thread, relaxed */
    bool has_sums;   /* it fills in checksums of UDP */
    rj_tap_t tap;    /* fd -1: the kernel sees the frames by itself */
    rj_steer_table_t steering;
    struct rte_mempool *buffers;
} rj_dpdk_port_t;

typedef struct rj_dpdk_port_params {
    uint16_t id;
    uint32_t queue_count; /* wanted; it may have fewer */
    const char *tap_name; /* where the kernel has no interface */
} rj_dpdk_port_params_t;

int rj_dpdk_port_open(rj_dpdk_port_t *port, const rj_dpdk_port_params_t *params, rj_err_t *err);

/* Its rings are closed before. Safe on a closed one. */
void rj_dpdk_port_close(rj_dpdk_port_t *port);

typedef struct rj_dpdk_port_look {
    bool is_there;
    bool has_link;
    uint64_t lost_full;  /* frames that found the queues full */
    uint64_t lost_other; /* frames that were damaged, or found no buffer */
} rj_dpdk_port_look_t;

/* Also takes the link's state to the TAP interface. */
void rj_dpdk_port_look(rj_dpdk_port_t *port, rj_dpdk_port_look_t *ret_look);

#endif
