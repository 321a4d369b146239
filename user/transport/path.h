/* SPDX-License-Identifier: Apache-2.0 */
/* path.h - where one destination is reached.
 *
 * A path names the endpoint whose socket sends and the address that it sends to. Where a ring
 * serves the destination it also holds a ready header; without one the kernel's socket sends
 * (docs/architecture.md).
 *
 * Units      none.
 * Ownership  built by the conductor inside the object that it belongs to (a publication, an image's
 *            connection); engines and ports only read it. It outlives every run that names it.
 * Thread     written before it is handed to an engine; from then on constant but for the header.
 * Errors     none.
 */
#ifndef RJ_TRANSPORT_PATH_H
#define RJ_TRANSPORT_PATH_H

#include <stdbool.h>
#include <sys/socket.h>
#include <netinet/in.h>

#include "proto/address.h"

struct rj_endpoint;
struct rj_path_header;

typedef struct rj_path {
    struct rj_endpoint *endpoint;
    /* What a ring puts in front (transport/path_header.h); NULL: the kernel's socket sends. The
     * path's engine swaps it, ports only read it. */
    struct rj_path_header *header;
    rj_address_t address;
    /* The address as sendmmsg wants it; a length of 0 means that the socket is connected to it. */
    struct sockaddr_storage sockaddr;
    socklen_t sockaddr_bytes;
} rj_path_t;

/* Fills in a path. `is_connected` says that the endpoint's socket is connected to `address`, so
 * that no address goes with each datagram. */
void rj_path_init(rj_path_t *path, struct rj_endpoint *endpoint, const rj_address_t *address,
                  bool is_connected);

/* Has an unconnected path lead to another address, without a header. The path's engine. */
void rj_path_redirect(rj_path_t *path, const rj_address_t *address);

#endif
