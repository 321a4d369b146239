/* SPDX-License-Identifier: Apache-2.0 */
/* packet.h - what was received, one UDP datagram or several, on its way from a port to a stream.
 *
 *     data
 *      |<----------------------- length_bytes ----------------------->|
 *      | one control frame, or DATA and PAD frames one after another  |  none of it is trusted
 *
 * Or several that one source sent to one endpoint, as the kernel had merged them: each of
 * segment_bytes, the last may be shorter. What one of them holds says nothing about the next.
 *
 *     data
 *      |<- segment_bytes ->|<- segment_bytes ->|<- at most as much ->|
 *
 * Units      bytes; monotonic ns.
 * Ownership  the port that filled it owns the bytes, until its next poll; they are contiguous and
 * may be written to, for receive timestamps go into frames before they are inserted.
 * Thread     the engine of the port.
 * Errors     none.
 */
#ifndef RJ_PROTO_PACKET_H
#define RJ_PROTO_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/address.h"

/* As segment_bytes: there may be several, and nobody says where each begins. Generic XDP comes
 * behind the kernel's GRO, and its frames have lost that word. */
#define RJ_PACKET_UNMARKED UINT32_MAX

/* A port may have several ways in, of which each keeps the order in which packets came to it, and
 * none waits for another. */
enum {
    RJ_WAYS_IN = 2,
    RJ_WAY_IN_UNKNOWN = RJ_WAYS_IN, /* or one of many, or through another engine */
};

/* When ways in were last found empty, each of them at that time or a later one: all but the first,
 * all but the second; and last, all. INT64_MAX where there is no other, INT64_MIN until it was. */
typedef struct rj_drained {
    int64_t but_ns[RJ_WAYS_IN + 1];
} rj_drained_t;

struct rj_endpoint; /* endpoint/ says what it is; a packet only carries it */

typedef struct rj_packet {
    uint8_t *data;
    uint32_t length_bytes;        /* of the UDP payload, exactly, or of all of them */
    uint32_t segment_bytes;       /* of each datagram but the last; 0: there is one only */
    struct rj_endpoint *endpoint; /* whose address and port it was sent to */
    int64_t receive_time_ns;      /* when it came, or the port's poll that found it */
    int64_t media_epoch_ns;       /* when the kernel had it, since 1970; 0: it has not told */
    rj_address_t source;
    int32_t way_in; /* 0 where the port has one only */
} rj_packet_t;

/* The datagram that begins at `*at`, which moves on behind it; from 0 on, until it is false. */
static inline bool rj_packet_next(const rj_packet_t *packet, uint32_t *at, rj_packet_t *ret)
{
    if (*at >= packet->length_bytes)
        return false;
    const uint32_t left = packet->length_bytes - *at;
    *ret = *packet;
    ret->data += *at;
    ret->length_bytes =
        packet->segment_bytes > 0 && packet->segment_bytes < left ? packet->segment_bytes : left;
    ret->segment_bytes = 0;
    *at += ret->length_bytes;
    return true;
}

#endif
