/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/frame.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/fixtures/wire_vectors.h"

typedef struct verdict {
    bool is_valid;
    int type;
} verdict_t;

/* Everything a receiver asks of a datagram before it acts, for a term of the vectors' length. */
static verdict_t judge(const uint8_t *data, uint32_t length)
{
    verdict_t verdict = {.type = rj_frame_check(data, length)};
    switch (verdict.type) {
    case RJ_FRAME_TYPE_DATA:
    case RJ_FRAME_TYPE_PAD:
        verdict.is_valid = rj_frame_walk_data(data, length, VECTOR_TERM_LENGTH) >= 0;
        break;
    case RJ_FRAME_TYPE_SETUP:
        verdict.is_valid = rj_frame_setup_is_valid((const rj_wire_setup_t *)data);
        break;
    case RJ_FRAME_TYPE_SM:
        verdict.is_valid = rj_frame_sm_is_valid((const rj_wire_sm_t *)data, VECTOR_TERM_LENGTH);
        break;
    case RJ_FRAME_TYPE_NAK:
        verdict.is_valid = rj_frame_nak_is_valid((const rj_wire_nak_t *)data, VECTOR_TERM_LENGTH);
        break;
    case RJ_FRAME_TYPE_ERR:
        verdict.is_valid = rj_frame_err_is_valid((const rj_wire_err_t *)data);
        break;
    default:
        verdict.is_valid = verdict.type >= 0;
    }
    return verdict;
}

Test(frame, accepts_every_worked_vector_with_its_type)
{
    static const int types[VECTOR_COUNT] = {
        [V1] = RJ_FRAME_TYPE_SETUP, [V2] = RJ_FRAME_TYPE_SETUP, [V3] = RJ_FRAME_TYPE_SM,
        [V4] = RJ_FRAME_TYPE_SM,    [V5] = RJ_FRAME_TYPE_SM,    [V6] = RJ_FRAME_TYPE_SM,
        [V7] = RJ_FRAME_TYPE_DATA,  [V8] = RJ_FRAME_TYPE_DATA,  [V9] = RJ_FRAME_TYPE_DATA,
        [V10] = RJ_FRAME_TYPE_DATA, [V11] = RJ_FRAME_TYPE_DATA, [V12] = RJ_FRAME_TYPE_DATA,
        [V13] = RJ_FRAME_TYPE_PAD,  [V14] = RJ_FRAME_TYPE_NAK,  [V15] = RJ_FRAME_TYPE_RTTM,
        [V16] = RJ_FRAME_TYPE_RTTM, [V17] = RJ_FRAME_TYPE_ERR,  [V18] = RJ_FRAME_TYPE_RSP_SETUP,
        [V19] = RJ_FRAME_TYPE_RES,  [V20] = RJ_FRAME_TYPE_DATA,
    };
    for (int i = 0; i < VECTOR_COUNT; i++) {
        verdict_t verdict = judge(wire_vectors[i].bytes, wire_vectors[i].length_bytes);
        cr_assert_eq(verdict.type, types[i], "V%d has type %d", i + 1, verdict.type);
        cr_assert(verdict.is_valid, "V%d", i + 1);
    }
}

Test(frame, refuses_every_negative_vector)
{
    static const struct {
        wire_vector_index_t vector;
        uint32_t offset; /* of a little-endian 32-bit value that replaces the vector's */
        uint32_t value;
    } rows[] = {
        {V7, 8, 0x10},     /* unaligned offset */
        {V7, 0, 0x45},     /* 69 bytes of data in 64 */
        {V20, 0x48, 0x60}, /* a hole before the second frame */
        {V1, 28, 65537},
        {V1, 28, 32768},
        {V1, 28, UINT32_C(0x80000000)},
        {V1, 32, 1400},
        {V1, 32, 65536},
        {V1, 32, 0},
        {V1, 8, 65536},
        {V1, 8, 33},
        {V1, 8, UINT32_MAX},
        {V4, 24, 32769},
        {V4, 24, UINT32_MAX},
        {V4, 20, 65536},
        {V4, 20, 31},
        {V14, 24, 65536},
        {V14, 24, UINT32_MAX},
        {V14, 20, 65536},
        {V14, 20, 16},
        {V17, 36, 9},
        {V17, 36, UINT32_MAX},
        {V17, 36, 1024},
        {V7, 8, 65536},
        {V7, 0, 0},
        {V7, 0, UINT32_MAX},
        {V7, 0, 0x7FFFFFFF}, /* does not fit the term, aligned or not */
        {V14, 0, 29},        /* a control frame longer than its datagram */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wire_vector_t vector = wire_vectors[rows[i].vector];
        memcpy(vector.bytes + rows[i].offset, &rows[i].value, sizeof(rows[i].value));
        cr_assert(!judge(vector.bytes, vector.length_bytes).is_valid, "row %zu", i);
    }
}

Test(frame, tells_why_a_datagram_is_refused)
{
    wire_vector_t vector = wire_vectors[V7];
    cr_assert_eq(rj_frame_check(vector.bytes, 63), RJ_FRAME_UNALIGNED);
    cr_assert_eq(rj_frame_check(vector.bytes, 7), RJ_FRAME_TOO_SHORT);
    cr_assert_eq(rj_frame_check(vector.bytes, 8), RJ_FRAME_TOO_SHORT);
    vector.bytes[4] = 1;
    cr_assert_eq(rj_frame_check(vector.bytes, vector.length_bytes), RJ_FRAME_BAD_VERSION);
    vector.bytes[4] = 0;
    vector.bytes[3] = 0x80;
    cr_assert_eq(rj_frame_check(vector.bytes, vector.length_bytes), RJ_FRAME_BAD_LENGTH);

    static const int16_t unknown[] = {8, 9, 10, 12, -1, 0x0101, INT16_MIN};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        vector = wire_vectors[V7];
        memcpy(vector.bytes + 6, &unknown[i], sizeof(unknown[i]));
        cr_assert_eq(rj_frame_check(vector.bytes, vector.length_bytes), RJ_FRAME_UNKNOWN_TYPE);
    }
}

Test(frame, refuses_every_type_one_byte_short_of_its_fixed_part)
{
    static const struct {
        wire_vector_index_t vector;
        uint32_t least;
    } rows[] = {{V1, 40},  {V4, 36},  {V7, 32},  {V13, 32}, {V14, 28},
                {V15, 40}, {V17, 40}, {V18, 20}, {V19, 22}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wire_vector_t vector = wire_vectors[rows[i].vector];
        const int32_t frame_length =
            8; /* smaller than the struct is fine: only the datagram bounds it */
        memcpy(vector.bytes, &frame_length, sizeof(frame_length));
        cr_assert_geq(rj_frame_check(vector.bytes, rows[i].least), 0, "row %zu", i);
        cr_assert_eq(rj_frame_check(vector.bytes, rows[i].least - 1), RJ_FRAME_TOO_SHORT, "row %zu",
                     i);
    }
}

Test(frame, ignores_what_trails_a_control_frame)
{
    cr_assert_eq(rj_frame_check(wire_vectors[V14].bytes, VECTOR_BYTES_MAX), RJ_FRAME_TYPE_NAK);
}

Test(frame, walks_data_to_the_bytes_of_the_term_it_covers)
{
    static const struct {
        wire_vector_index_t vector;
        int64_t covered;
        bool is_heartbeat;
    } rows[] = {{V7, 64, false}, {V8, 128, false},  {V10, 64, false}, {V11, 0, true},
                {V12, 0, true},  {V13, 128, false}, {V20, 96, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const wire_vector_t *vector = &wire_vectors[rows[i].vector];
        cr_assert_eq(rj_frame_walk_data(vector->bytes, vector->length_bytes, VECTOR_TERM_LENGTH),
                     rows[i].covered);
        cr_assert_eq(
            rj_frame_is_heartbeat((const rj_wire_data_t *)vector->bytes, vector->length_bytes),
            rows[i].is_heartbeat);
    }
}

Test(frame, tells_an_empty_message_from_a_heartbeat)
{
    wire_vector_t vector = wire_vectors[V11];
    vector.bytes[0] = 32;
    cr_assert_eq(rj_frame_walk_data(vector.bytes, 32, VECTOR_TERM_LENGTH), 32);
    cr_assert(!rj_frame_is_heartbeat((const rj_wire_data_t *)vector.bytes, 32));
}

/* Puts `count` frames one after another and walks the datagram they make. */
typedef struct piece {
    int32_t frame_length;
    int32_t term_offset;
    int16_t type;
} piece_t;

static int64_t walk(const piece_t *pieces, size_t count, uint32_t length)
{
    uint8_t data[256] = {0};
    uint32_t at = 0;
    for (size_t i = 0; i < count && at + 32 <= sizeof(data); i++) {
        const rj_wire_data_t frame = {.frame_length = pieces[i].frame_length,
                                      .type = pieces[i].type,
                                      .term_offset = pieces[i].term_offset};
        memcpy(data + at, &frame, sizeof(frame));
        at += ((uint32_t)pieces[i].frame_length + 31) & ~31u;
    }
    return rj_frame_walk_data(data, length, VECTOR_TERM_LENGTH);
}

Test(frame, lets_only_a_last_pad_reach_beyond_the_datagram)
{
    const int16_t data = RJ_FRAME_TYPE_DATA;
    const int16_t pad = RJ_FRAME_TYPE_PAD;
    cr_assert_eq(walk((piece_t[]){{40, 0, data}, {1024, 64, pad}}, 2, 96), 64 + 1024);
    cr_assert_eq(walk((piece_t[]){{40, 0, data}, {1024, 64, data}}, 2, 96), -1, "truncated data");
    cr_assert_eq(walk((piece_t[]){{32, 0, pad}, {40, 32, data}}, 2, 96), 96,
                 "a pad of nothing in front");
    cr_assert_eq(walk((piece_t[]){{40, 0, data}, {0, 64, data}}, 2, 96), -1, "trailing bytes");
    cr_assert_eq(walk((piece_t[]){{40, 0, data}, {32, 64, 5}}, 2, 96), -1, "a setup among data");
    cr_assert_eq(walk((piece_t[]){{64, 65504, pad}}, 1, 32), -1, "beyond the term");
    cr_assert_eq(walk((piece_t[]){{32, 65504, data}}, 1, 32), 32, "up to the end of the term");
    cr_assert_eq(walk((piece_t[]){{65536, 0, pad}}, 1, 32), 65536, "a whole term of padding");
    cr_assert_eq(walk((piece_t[]){{0, 0, data}}, 1, 64), -1, "a heartbeat is a header alone");
    cr_assert_eq(walk((piece_t[]){{0, 0, data}}, 1, 31), -1);
}

Test(frame, lets_no_frame_of_another_stream_follow)
{
    _Alignas(8) uint8_t data[128] = {0};
    const rj_wire_data_t first = {.frame_length = 64, .type = RJ_FRAME_TYPE_DATA, .session_id = 7};
    rj_wire_data_t others[4] = {first, first, first, first};
    others[1].session_id = 8;
    others[2].stream_id = 8;
    others[3].term_id = 8;
    memcpy(data, &first, sizeof(first));
    for (size_t i = 0; i < 4; i++) {
        others[i].term_offset = 64;
        memcpy(data + 64, &others[i], sizeof(others[i]));
        cr_expect_eq(rj_frame_walk_data(data, 128, VECTOR_TERM_LENGTH), i == 0 ? 128 : -1);
    }
}

typedef struct taken {
    int64_t covered;
    uint32_t length;
} taken_t;

static taken_t walk_piece(const piece_t *pieces, size_t count, uint32_t length, uint32_t segment)
{
    _Alignas(8) uint8_t data[256] = {0};
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const rj_wire_data_t frame = {.frame_length = pieces[i].frame_length,
                                      .type = pieces[i].type,
                                      .term_offset = pieces[i].term_offset};
        memcpy(data + at, &frame, sizeof(frame));
        at += ((uint32_t)pieces[i].frame_length + 31) & ~31u;
    }
    taken_t taken;
    taken.covered = rj_frame_walk_piece(data, length, segment, VECTOR_TERM_LENGTH, &taken.length);
    return taken;
}

static void expect_taken(taken_t taken, int64_t covered, uint32_t length)
{
    cr_expect_eq(taken.covered, covered, "covers %ld, not %ld", (long)taken.covered, (long)covered);
    cr_expect_eq(taken.length, length, "%u bytes, not %u", taken.length, length);
}

Test(frame, takes_as_many_datagrams_at_once_as_could_be_taken_alone_and_go_on)
{
    const int16_t data = RJ_FRAME_TYPE_DATA;
    const piece_t row[] = {{32, 0, data}, {40, 32, data}, {64, 96, data}, {20, 160, data}};
    expect_taken(walk_piece(row, 4, 192, 96), 192, 192);
    expect_taken(walk_piece(row, 4, 160, 96), 160, 160);
    expect_taken(walk_piece(row, 4, 192, 32), 32, 32); /* a frame across the next one's end */
    expect_taken(walk_piece(row, 4, 192, 48), -1, 48);
    expect_taken(walk_piece(row, 4, 176, 96), 96, 96); /* the last is unaligned */
    expect_taken(walk_piece(row, 4, 100, 96), 96, 96);
    expect_taken(walk_piece(row, 4, 32, 16), -1, 16);
    expect_taken(walk_piece(row, 4, 16, 96), -1, 16);
    expect_taken(walk_piece((piece_t[]){{64, 0, data}, {64, 128, data}}, 2, 128, 64), 64, 64);
    expect_taken(walk_piece((piece_t[]){{64, 0, data}, {0, 64, data}}, 2, 96, 64), 64, 64);
    expect_taken(walk_piece((piece_t[]){{64, 0, data}, {40, 64, 5}}, 2, 128, 64), 64, 64);
    expect_taken(walk_piece((piece_t[]){{0, 0, data}}, 1, 64, 32), -1, 32);
}

Test(frame, ends_a_piece_of_several_datagrams_with_a_pad_or_the_term)
{
    const int16_t data = RJ_FRAME_TYPE_DATA;
    const int16_t pad = RJ_FRAME_TYPE_PAD;
    expect_taken(walk_piece((piece_t[]){{64, 0, data}, {1024, 64, pad}}, 2, 96, 64), 1088, 96);
    expect_taken(walk_piece((piece_t[]){{64, 0, data}, {1024, 64, data}}, 2, 96, 64), 64, 64);
    expect_taken(walk_piece((piece_t[]){{32, 0, data}, {64, 32, pad}, {32, 96, data}}, 3, 96, 32),
                 32 + 64, 64);
    expect_taken(walk_piece((piece_t[]){{32, 65472, data}, {32, 65504, data}}, 2, 64, 32), 64, 64);
    expect_taken(walk_piece((piece_t[]){{32, 65504, data}, {32, 65536, data}}, 2, 64, 32), 32, 32);
    expect_taken(walk_piece((piece_t[]){{64, 65504, data}}, 1, 64, 64), -1, 64);
}

Test(frame, takes_a_heartbeat_only_where_its_offset_is_one)
{
    wire_vector_t vector = wire_vectors[V11];
    static const int32_t offsets[] = {-32, 65536, 16, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        memcpy(vector.bytes + 8, &offsets[i], sizeof(offsets[i]));
        cr_assert_eq(rj_frame_walk_data(vector.bytes, 32, VECTOR_TERM_LENGTH), -1);
    }
}

Test(frame, sees_a_group_tag_by_the_frame_length_alone)
{
    cr_assert(!rj_frame_sm_has_tag((const rj_wire_sm_t *)wire_vectors[V4].bytes, 44));
    cr_assert(rj_frame_sm_has_tag((const rj_wire_sm_t *)wire_vectors[V5].bytes, 44));
    cr_assert(!rj_frame_sm_has_tag((const rj_wire_sm_t *)wire_vectors[V5].bytes, 43));
}

Test(frame, takes_a_round_trip_for_its_own_id_or_for_anyones)
{
    rj_wire_rttm_t rttm;
    memcpy(&rttm, wire_vectors[V15].bytes, sizeof(rttm));
    cr_assert(rj_frame_rttm_is_for(&rttm, VECTOR_RECEIVER_ID));
    cr_assert(!rj_frame_rttm_is_for(&rttm, 5));
    rttm.receiver_id = 0;
    cr_assert(rj_frame_rttm_is_for(&rttm, 5));
}

static void assert_is(wire_vector_index_t index, const void *frame, uint32_t length)
{
    cr_assert_eq(length, wire_vectors[index].length_bytes, "V%d has %u bytes", index + 1, length);
    cr_assert_arr_eq(frame, wire_vectors[index].bytes, length, "V%d", index + 1);
}

Test(frame, writes_the_setups_of_the_vectors)
{
    rj_wire_setup_t frame;
    rj_frame_setup_t setup = {
        .session_id = VECTOR_SESSION_ID,
        .stream_id = VECTOR_STREAM_ID,
        .initial_term_id = VECTOR_INITIAL_TERM_ID,
        .active_term_id = VECTOR_INITIAL_TERM_ID,
        .term_length = VECTOR_TERM_LENGTH,
        .mtu = 1408,
    };
    assert_is(V1, &frame, rj_frame_write_setup(&frame, &setup));
    setup.active_term_id = INT32_MIN;
    setup.term_offset = 64;
    setup.ttl = 4;
    setup.flags = RJ_SETUP_FLAG_GROUP;
    assert_is(V2, &frame, rj_frame_write_setup(&frame, &setup));
}

Test(frame, writes_the_status_messages_of_the_vectors)
{
    rj_wire_sm_t frame;
    rj_frame_sm_t sm = {
        .session_id = VECTOR_SESSION_ID,
        .stream_id = VECTOR_STREAM_ID,
        .receiver_id = VECTOR_RECEIVER_ID,
        .flags = RJ_SM_FLAG_SEND_SETUP,
    };
    assert_is(V3, &frame, rj_frame_write_sm(&frame, &sm));
    sm.flags = 0;
    sm.term_id = VECTOR_INITIAL_TERM_ID;
    sm.receiver_window = 32768;
    assert_is(V4, &frame, rj_frame_write_sm(&frame, &sm));
    sm.term_offset = 8192;
    sm.has_group_tag = true;
    sm.group_tag = -1;
    assert_is(V5, &frame, rj_frame_write_sm(&frame, &sm));
    sm.has_group_tag = false;
    sm.flags = RJ_SM_FLAG_EOS;
    assert_is(V6, &frame, rj_frame_write_sm(&frame, &sm));
}

Test(frame, writes_the_heartbeats_of_the_vectors)
{
    rj_wire_data_t frame;
    rj_frame_data_t data = {
        .session_id = VECTOR_SESSION_ID,
        .stream_id = VECTOR_STREAM_ID,
        .term_id = VECTOR_INITIAL_TERM_ID,
        .term_offset = 384,
        .flags = RJ_DATA_FLAG_UNFRAGMENTED,
    };
    assert_is(V11, &frame, rj_frame_write_heartbeat(&frame, &data));
    data.flags |= RJ_DATA_FLAG_EOS;
    assert_is(V12, &frame, rj_frame_write_heartbeat(&frame, &data));
}

Test(frame, writes_the_nak_and_the_round_trips_of_the_vectors)
{
    rj_wire_nak_t nak;
    const rj_frame_nak_t gap = {
        .session_id = VECTOR_SESSION_ID,
        .stream_id = VECTOR_STREAM_ID,
        .term_id = VECTOR_INITIAL_TERM_ID,
        .term_offset = 192,
        .length = 128,
    };
    assert_is(V14, &nak, rj_frame_write_nak(&nak, &gap));

    rj_wire_rttm_t rttm;
    rj_frame_rttm_t trip = {
        .session_id = VECTOR_SESSION_ID,
        .stream_id = VECTOR_STREAM_ID,
        .echo_timestamp = 1000000000,
        .receiver_id = VECTOR_RECEIVER_ID,
        .wants_reply = true,
    };
    assert_is(V15, &rttm, rj_frame_write_rttm(&rttm, &trip));
    trip.wants_reply = false;
    assert_is(V16, &rttm, rj_frame_write_rttm(&rttm, &trip));
}

Test(frame, writes_the_error_and_the_response_setup_of_the_vectors)
{
    uint8_t error[RJ_ERR_HEADER_BYTES + RJ_ERR_TEXT_BYTES_MAX];
    const rj_frame_err_t rejection = {
        .session_id = VECTOR_SESSION_ID,
        .stream_id = VECTOR_STREAM_ID,
        .receiver_id = VECTOR_RECEIVER_ID,
        .error_code = 13,
        .text = "rejected",
        .text_length = 8,
    };
    assert_is(V17, error, rj_frame_write_err(error, &rejection));

    rj_wire_rsp_setup_t setup;
    const rj_frame_rsp_setup_t response = {
        .session_id = VECTOR_SESSION_ID,
        .stream_id = VECTOR_STREAM_ID,
        .response_session_id = (int32_t)0xCAFEBABE,
    };
    assert_is(V18, &setup, rj_frame_write_rsp_setup(&setup, &response));
}

Test(frame, cuts_the_text_of_an_error_at_what_a_peer_accepts)
{
    char text[2000];
    memset(text, 'x', sizeof(text));
    uint8_t frame[RJ_ERR_HEADER_BYTES + RJ_ERR_TEXT_BYTES_MAX];
    const rj_frame_err_t error = {
        .has_group_tag = true, .group_tag = 7, .text = text, .text_length = sizeof(text)};
    const uint32_t length = rj_frame_write_err(frame, &error);
    cr_assert_eq(length, 1063);
    cr_assert_eq(rj_frame_check(frame, length), RJ_FRAME_TYPE_ERR);
    cr_assert(rj_frame_err_is_valid((const rj_wire_err_t *)frame));
    cr_assert_eq(((const rj_wire_err_t *)frame)->flags, RJ_ERR_FLAG_HAS_GROUP_TAG);
    cr_assert_eq(((const rj_wire_err_t *)frame)->group_tag, 7);
}
