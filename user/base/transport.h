/* SPDX-License-Identifier: Apache-2.0 */
/* transport.h - the ways in which datagrams can travel, by the names that users give.
 *
 * Two families: socket kinds serve endpoints by their kernel sockets; ring kinds move frames of an
 * interface, with headers of ours, in front of sockets of some kind.
 *
 * Units      none.
 * Ownership  constant texts.
 * Thread     any.
 * Errors     -EINVAL for a name that is none.
 */
#ifndef RJ_BASE_TRANSPORT_H
#define RJ_BASE_TRANSPORT_H

#include <stdbool.h>

typedef enum rj_transport {
    RJ_TRANSPORT_AUTO, /* the best that there is */
    RJ_TRANSPORT_SOCKET,
    RJ_TRANSPORT_GSO,
    RJ_TRANSPORT_URING,
    RJ_TRANSPORT_PACKET,
    RJ_TRANSPORT_XDP,
    RJ_TRANSPORT_DPDK,
    RJ_TRANSPORT_COUNT
} rj_transport_t;

/* Whether `uring` sends long runs without a copy; `auto` begins to, and gives it up where the
 * kernel says that it had to copy after all. */
typedef enum rj_zero_copy { RJ_ZERO_COPY_OFF, RJ_ZERO_COPY_ON, RJ_ZERO_COPY_AUTO } rj_zero_copy_t;

#define RJ_TRANSPORT_NAMES "auto, socket, gso, uring, packet, xdp or dpdk"

const char *rj_transport_name(rj_transport_t transport);

int rj_transport_parse(const char *text, rj_transport_t *ret_transport);

/* Whether it is one of the ring kinds; `auto` is of neither family. */
bool rj_transport_is_ring(rj_transport_t transport);

/* Whether it is one of the socket kinds. */
bool rj_transport_is_socket(rj_transport_t transport);

#endif
