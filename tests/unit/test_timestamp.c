/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/timestamp.h"

#include <criterion/criterion.h>
#include <string.h>

#include "ramjet/wire.h"

enum { PAYLOAD = 64, FRAME = RJ_DATA_HEADER_BYTES + PAYLOAD, FILL = 0x5A };

static const int64_t epoch_ns = 0x0102030405060708;

static uint8_t datagram[4 * FRAME];

static void put(int at, int32_t length, int16_t type, uint8_t flags)
{
    const rj_wire_data_t header = {
        .frame_length = length, .flags = flags, .type = type, .reserved_value = -2};
    memcpy(datagram + at, &header, sizeof(header));
}

static void setup(void)
{
    memset(datagram, FILL, sizeof(datagram));
    put(0, FRAME, RJ_FRAME_TYPE_DATA, RJ_DATA_FLAG_UNFRAGMENTED);
    put(FRAME, FRAME, RJ_FRAME_TYPE_DATA, RJ_DATA_FLAG_END);
    put(2 * FRAME, FRAME - 5, RJ_FRAME_TYPE_DATA, RJ_DATA_FLAG_BEGIN);
    put(3 * FRAME, FRAME, RJ_FRAME_TYPE_PAD, RJ_DATA_FLAG_UNFRAGMENTED);
}

TestSuite(timestamp, .init = setup);

static int64_t word_at(int at)
{
    int64_t word;
    memcpy(&word, datagram + at, sizeof(word));
    return word;
}

static int64_t reserved_of(int frame)
{
    return word_at(frame * FRAME + 24);
}

/* How many bytes differ from what they were. */
static int changed(void)
{
    static uint8_t now[sizeof(datagram)];
    memcpy(now, datagram, sizeof(now));
    setup();
    int count = 0;
    for (size_t i = 0; i < sizeof(now); i++)
        count += now[i] != datagram[i];
    memcpy(datagram, now, sizeof(now));
    return count;
}

Test(timestamp, is_nowhere_unless_wanted)
{
    rj_timestamp_place_t nowhere = rj_timestamp_place(RJ_TIMESTAMP_NONE);
    rj_timestamp_write(datagram, sizeof(datagram), nowhere, epoch_ns);
    rj_timestamp_write(datagram, sizeof(datagram), (rj_timestamp_place_t){0}, epoch_ns);
    cr_assert_eq(changed(), 0);
}

Test(timestamp, stands_at_its_offset_in_the_payload_and_touches_nothing_else)
{
    rj_timestamp_write(datagram, FRAME, rj_timestamp_place(16), epoch_ns);
    cr_assert_eq(word_at(RJ_DATA_HEADER_BYTES + 16), epoch_ns);
    cr_assert_eq(changed(), 8);
}

Test(timestamp, goes_into_every_frame_that_begins_a_message)
{
    rj_timestamp_write(datagram, sizeof(datagram), rj_timestamp_place(RJ_TIMESTAMP_RESERVED_VALUE),
                       epoch_ns);
    cr_assert_eq(reserved_of(0), epoch_ns);
    cr_assert_eq(reserved_of(1), -2);
    cr_assert_eq(reserved_of(2), epoch_ns);
    cr_assert_eq(reserved_of(3), -2);
    cr_assert_eq(changed(), 16);
}

Test(timestamp, is_left_out_where_it_does_not_fit)
{
    static const int32_t offsets[] = {PAYLOAD - 7, PAYLOAD, INT32_MAX, -1, -9, INT32_MIN};
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        rj_timestamp_write(datagram, sizeof(datagram), (rj_timestamp_place_t){true, offsets[i]},
                           epoch_ns);
        cr_assert_eq(changed(), 0, "%d", offsets[i]);
    }
    /* The third frame's payload is five bytes shorter. */
    rj_timestamp_write(datagram, sizeof(datagram), rj_timestamp_place(PAYLOAD - 8), epoch_ns);
    cr_assert_eq(word_at(FRAME - 8), epoch_ns);
    cr_assert_eq(changed(), 8);
}

Test(timestamp, leaves_frames_alone_that_are_not_all_there)
{
    for (uint32_t length = 0; length < FRAME; length++) {
        rj_timestamp_write(datagram, length, rj_timestamp_place(0), epoch_ns);
        cr_assert_eq(changed(), 0, "%u", length);
    }
    static const int32_t lies[] = {0, -1, 31, INT32_MIN, INT32_MAX, (int32_t)sizeof(datagram) + 1};
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        setup();
        put(0, lies[i], RJ_FRAME_TYPE_DATA, RJ_DATA_FLAG_UNFRAGMENTED);
        rj_timestamp_write(datagram, sizeof(datagram),
                           rj_timestamp_place(RJ_TIMESTAMP_RESERVED_VALUE), epoch_ns);
        cr_assert_eq(reserved_of(0), -2);
        cr_assert_eq(reserved_of(2), -2, "nothing behind it is to be believed");
    }
}
