/* SPDX-License-Identifier: Apache-2.0 */
/* datagram.h - the UDP datagram inside an Ethernet frame, checked from the first byte.
 *
 *      | Ethernet 14, one tag 4 | IPv4 20..60 or IPv6 40 | UDP 8 | payload | padding |
 *
 * The XDP program has looked already, but only at what it needed; nothing is taken on its word.
 * Lengths may not contradict each other, a source nobody can have, fragments and IPv6 extension
 * headers are not for us. The
 * UDP checksum must be right, or 0 (IPv4), or the mere sum of the pseudo-header, which is what a
 * sender of this host leaves there when its virtual link computes checksums.
 *
 * Units      bytes.
 * Ownership  `payload` points into the frame.
 * Thread     any.
 * Errors     the verdict.
 */
#ifndef RJ_TRANSPORT_DATAGRAM_H
#define RJ_TRANSPORT_DATAGRAM_H

#include <stdint.h>

#include "proto/address.h"

typedef enum rj_datagram_verdict {
    RJ_DATAGRAM_GOOD,
    RJ_DATAGRAM_MALFORMED,
    RJ_DATAGRAM_CHECKSUM,
} rj_datagram_verdict_t;

/* What is known of the UDP checksum before. */
typedef enum rj_datagram_sum {
    RJ_DATAGRAM_SUM_OPEN,
    RJ_DATAGRAM_SUM_RIGHT, /* the card has looked, and found it so */
} rj_datagram_sum_t;

typedef struct rj_datagram {
    uint8_t *payload;
    uint32_t payload_bytes;
    rj_address_t source;      /* link-local ones with the interface as scope */
    rj_address_t destination; /* likewise */
} rj_datagram_t;

/* Fills in `ret_datagram` when good. */
rj_datagram_verdict_t rj_datagram_parse(uint8_t *frame, uint32_t frame_bytes,
                                        uint32_t interface_index, rj_datagram_sum_t sum,
                                        rj_datagram_t *ret_datagram);

#endif
