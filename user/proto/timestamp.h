/* SPDX-License-Identifier: Apache-2.0 */
/* timestamp.h - times that the driver writes into messages, where a channel asks for them.
 *
 *     header ... reserved value | payload ... [ 8 bytes at an offset ] ...
 *                ^ RJ_TIMESTAMP_RESERVED_VALUE  ^ 0 and above
 *
 * A time is eight bytes, little-endian: ns since 1970. One that has no room in its message is left
 * out, and no other byte is touched. wire.md 10.7, commands.md 13.4
 *
 * Units      bytes; epoch ns.
 * Ownership  the bytes are the caller's.
 * Thread     any.
 * Errors     none: frames that cannot be end the walk.
 */
#ifndef RJ_PROTO_TIMESTAMP_H
#define RJ_PROTO_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

enum {
    RJ_TIMESTAMP_BYTES = 8,
    RJ_TIMESTAMP_NONE = -1,
    RJ_TIMESTAMP_RESERVED_VALUE = -8, /* the frame's reserved value field */
};

/* Where a stamp goes; zero: nowhere. */
typedef struct rj_timestamp_place {
    bool is_wanted;
    int32_t offset; /* in the payload, or RJ_TIMESTAMP_RESERVED_VALUE */
} rj_timestamp_place_t;

/* From an offset as a channel has it. */
static inline rj_timestamp_place_t rj_timestamp_place(int32_t offset)
{
    return (rj_timestamp_place_t){.is_wanted = offset != RJ_TIMESTAMP_NONE, .offset = offset};
}

/* Stamps a datagram that was received, or is about to be sent: every DATA frame that begins a
 * message and lies wholly in it. Nothing of it is believed. */
void rj_timestamp_write(uint8_t *datagram, uint32_t length_bytes, rj_timestamp_place_t place,
                        int64_t epoch_ns);

#endif
