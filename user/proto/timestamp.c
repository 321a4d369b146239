/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/timestamp.h"

#include <stddef.h>
#include <string.h>

#include "ramjet/wire.h"
#include "base/bits.h"

/* Writes into a DATA frame of which `length_bytes` are there. */
static void write_stamp(uint8_t *frame, int64_t length_bytes, int32_t offset, int64_t epoch_ns)
{
    if (offset == RJ_TIMESTAMP_RESERVED_VALUE)
        memcpy(frame + offsetof(rj_wire_data_t, reserved_value), &epoch_ns, sizeof(epoch_ns));
    else if (offset >= 0 &&
             (int64_t)offset + RJ_TIMESTAMP_BYTES <= length_bytes - RJ_DATA_HEADER_BYTES)
        memcpy(frame + RJ_DATA_HEADER_BYTES + offset, &epoch_ns, sizeof(epoch_ns));
}

/* The frame at `at` if all of it is there; its length, else 0. */
static int64_t whole_frame(const uint8_t *datagram, uint32_t length_bytes, int64_t at,
                           rj_wire_data_t *ret_header)
{
    if (at + RJ_DATA_HEADER_BYTES > length_bytes)
        return 0;
    memcpy(ret_header, datagram + at, sizeof(*ret_header));
    const int64_t length = ret_header->frame_length;
    return length >= RJ_DATA_HEADER_BYTES && at + length <= length_bytes ? length : 0;
}

void rj_timestamp_write(uint8_t *datagram, uint32_t length_bytes, rj_timestamp_place_t place,
                        int64_t epoch_ns)
{
    rj_wire_data_t header;
    int64_t length;
    for (int64_t at = 0;
         place.is_wanted && (length = whole_frame(datagram, length_bytes, at, &header)) > 0;
         at += rj_align_up(length, RJ_FRAME_ALIGNMENT)) {
        if (header.type == RJ_FRAME_TYPE_DATA && (header.flags & RJ_DATA_FLAG_BEGIN) != 0)
            write_stamp(datagram + at, length, place.offset, epoch_ns);
    }
}
