/* SPDX-License-Identifier: Apache-2.0 */
/* tap.h - the kernel's side of a port that the kernel does not have: a TAP interface.
 *
 *      port --frames that are not ours--> TAP --> kernel: ARP, ICMP, its sockets
 *      port <--------------------------- TAP <-- kernel
 *
 * It has the port's MAC address and MTU, so that addresses, routes and neighbours are the kernel's
 * business as with any interface, and the netlink agent sees them. One that exists already, made by
 * `ip tuntap add` with its addresses, is used and stays; else it goes with us.
 *
 * Units      bytes.
 * Ownership  the caller owns the struct; close gives the interface back.
 * Thread     read: one. write: any.
 * Errors     open: negative errno with what to do.
 */
#ifndef RJ_DPDK_TAP_H
#define RJ_DPDK_TAP_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

typedef struct rj_tap {
    int fd; /* -1 when closed */
    uint32_t interface_index;
    bool has_carrier;
    char name[IFNAMSIZ];
} rj_tap_t;

/* Opens or makes the interface and takes it up, with carrier. */
int rj_tap_open(rj_tap_t *tap, const char *name, const uint8_t mac[6], uint32_t mtu_bytes,
                rj_err_t *err);

/* Safe on a closed one. */
void rj_tap_close(rj_tap_t *tap);

/* What the kernel wants to send: the frame's length, at most `room_bytes`; 0 when there is none. */
uint32_t rj_tap_read(const rj_tap_t *tap, uint8_t *frame, uint32_t room_bytes);

/* False when the kernel does not take the frame: it is lost, as in a full queue. */
bool rj_tap_write(const rj_tap_t *tap, const uint8_t *frame, uint32_t length_bytes);

/* The kernel sees the link go and come as the port does. */
void rj_tap_set_carrier(rj_tap_t *tap, bool has_carrier);

#endif
