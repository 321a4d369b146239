/* SPDX-License-Identifier: Apache-2.0 */
/* udp_socket.h - an endpoint's socket calls, as a table, because the simulation has its own.
 *
 * Units      bytes. Granted buffer sizes are as getsockopt reports them, which is what Aeron's
 *            drivers compare with; Linux reports twice what was asked for.
 * Ownership  a socket number belongs to the endpoint that holds it until `close`.
 * Thread     the conductor's (opening and closing), the engine's (connecting anew); ports send and
 *            receive on the number.
 * Errors     negative errno with a text that names the address and what to do; a text about a
 *            failed bind contains the system's words ("Address already in use"), which clients look
 *            for (commands.md 7.2).
 */
#ifndef RJ_TRANSPORT_UDP_SOCKET_H
#define RJ_TRANSPORT_UDP_SOCKET_H

#include <stdbool.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/address.h"

/* What a socket needs that hears one multicast group and sends to others (wire.md 8). */
typedef struct rj_socket_group {
    rj_address_t address;     /* of the group; family 0: the socket is an ordinary one */
    rj_address_t interface;   /* an address of the interface: the source of what is sent */
    uint32_t interface_index; /* where the group is joined, and by which it is sent */
    uint8_t ttl;              /* of what is sent to groups; 0: leave the system's value */
} rj_socket_group_t;

typedef struct rj_socket_params {
    rj_address_t bind;    /* exact; wildcard address and port 0 are allowed */
    rj_address_t connect; /* family 0: do not connect */
    rj_socket_group_t group;
    int32_t sndbuf_bytes; /* 0: leave the system's value. More than it grants is no error */
    int32_t rcvbuf_bytes;
    bool wants_media_time; /* the kernel is to tell when it had each datagram */
} rj_socket_params_t;

typedef struct rj_socket_info {
    int socket;
    rj_address_t local;   /* with a port above 0; unconnected, the address may be the wildcard */
    int32_t sndbuf_bytes; /* granted */
    int32_t rcvbuf_bytes;
    bool has_media_time; /* it will, where it was asked to */
} rj_socket_info_t;

typedef struct rj_sockets rj_sockets_t;

typedef struct rj_sockets_ops {
    /* Opens a non-blocking, close-on-exec UDP socket (wire.md 8). Its port is its own, but for one
     * with a group: that shares the port with everybody who says so too, each of whom hears
     * everything sent to the groups which it joined, also what this machine sends. It stays a
     * member until it is closed. */
    int (*open)(rj_sockets_t *sockets, const rj_socket_params_t *params, rj_socket_info_t *ret_info,
                rj_err_t *err);
    void (*close)(rj_sockets_t *sockets, int socket);

    /* What a socket is granted that asks for nothing, and what one that asks for all it can get. */
    int (*defaults)(rj_sockets_t *sockets, int32_t *ret_sndbuf_bytes, int32_t *ret_rcvbuf_bytes,
                    int32_t *ret_sndbuf_bytes_max, int32_t *ret_rcvbuf_bytes_max, rj_err_t *err);

    /* The longest packet, IP header included, that reaches what the socket is connected to, as far
     * as routers have told; 0 when that is not known. */
    uint32_t (*path_mtu)(rj_sockets_t *sockets, int socket);

    /* Connects a connected socket to another address; its port stays. One that `is_anywhere`, bound
     * to the wildcard, also lets go of the local address by which the old one was reached. From the
     * thread that sends on it. On failure it is connected to the old address, as far as that can be
     * had, and nothing is written. */
    int (*reconnect)(rj_sockets_t *sockets, int socket, bool is_anywhere,
                     const rj_address_t *address, rj_address_t *ret_local);
} rj_sockets_ops_t;

struct rj_sockets {
    const rj_sockets_ops_t *ops;
};

/* The kernel's sockets: a value that needs no closing. */
rj_sockets_t *rj_sockets_kernel(void);

#endif
