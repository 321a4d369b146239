/* SPDX-License-Identifier: Apache-2.0 */
/* path_header.h - what stands in front of every datagram of a path that a ring serves, made once.
 *
 *      | Ethernet 14 | IPv4 20 or IPv6 40 | UDP 8 |  payload ...
 *      |<--------------- length_bytes ------------>|
 *
 * The conductor builds it from the netlink snapshot (netlink/snapshot.h) and hands it to the path's
 * engine by message; the old one comes back the same way. Only lengths, the IPv4 identification and
 * the checksums differ from datagram to datagram.
 *
 * Units      bytes.
 * Ownership  the conductor allocates and frees; the engine holds it between SET_HEADER and the
 *            message that gives the old one back (engine/commands.h).
 * Thread     constant once handed over.
 * Errors     none.
 */
#ifndef RJ_TRANSPORT_PATH_HEADER_H
#define RJ_TRANSPORT_PATH_HEADER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "proto/address.h"

enum {
    RJ_PATH_HEADER_BYTES_MAX = 64,
    RJ_PATH_HEADER_UDP_BYTES = 8, /* the last of it */
    RJ_PATH_HEADER_IPV4_BYTES = 42,
    RJ_PATH_HEADER_IPV6_BYTES = 62,
};

typedef struct rj_path_header {
    uint32_t interface_index;   /* whose ring sends it */
    uint32_t payload_bytes_max; /* link MTU less IP and UDP: a longer one is the socket's */
    uint16_t length_bytes;
    bool takes_bulk;  /* runs of any length leave by the ring, whatever its front thinks of them */
    uint16_t ip_sum;  /* folded sum of the IPv4 header with length, id and checksum 0 */
    uint32_t udp_sum; /* unfolded sum of pseudo-header addresses, protocol and the ports */
    uint8_t bytes[RJ_PATH_HEADER_BYTES_MAX];
} rj_path_header_t;

/* Where a datagram leaves and who gets the frame. */
typedef struct rj_path_header_hop {
    uint32_t interface_index;
    uint32_t mtu_bytes; /* of the link or the route */
    uint8_t source_mac[6];
    uint8_t destination_mac[6];
    uint8_t ttl;           /* hop limit */
    uint8_t traffic_class; /* TOS */
} rj_path_header_hop_t;

/* Fills in the header of datagrams from `source` to `destination`, ports included; both of one
 * family, neither a wildcard. Do-not-fragment is set. RFC 791, 768, 8200. */
void rj_path_header_init(rj_path_header_t *header, const rj_path_header_hop_t *hop,
                         const rj_address_t *source, const rj_address_t *destination);

/* Writes the header to `frame`, of which RJ_PATH_HEADER_BYTES_MAX bytes are touched: the payload
 * goes behind `length_bytes` afterwards. */
static inline void rj_path_header_put(const rj_path_header_t *header, uint8_t *frame)
{
    memcpy(frame, header->bytes, RJ_PATH_HEADER_BYTES_MAX);
}

/* Fills in what differs from datagram to datagram: lengths, identification (IPv4) and checksums.
 * `payload_sum` is that of base/checksum.h; `payload_bytes` at most payload_bytes_max. A UDP
 * checksum of 0 becomes 0xffff, for 0 says that there is none. */
void rj_path_header_finish(const rj_path_header_t *header, uint8_t *frame, uint32_t payload_bytes,
                           uint64_t payload_sum, uint16_t identification);

/* The same for a link that sums up the datagram itself, from the UDP header on: in place of the
 * checksum stands that of the pseudo-header. */
void rj_path_header_finish_partial(const rj_path_header_t *header, uint8_t *frame,
                                   uint32_t payload_bytes, uint16_t identification);

#endif
