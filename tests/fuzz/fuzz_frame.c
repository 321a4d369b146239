/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer may do to us with one datagram: nothing is read beyond it, and whatever is accepted
 * keeps the promises of proto/frame.h. Sanitizers watch the reads, for the fuzzer's buffer is
 * exactly as long. */
#include "proto/frame.h"

#include <assert.h>
#include <string.h>

#include <ramjet/shm.h>

#include "base/bits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Keeps the compiler from dropping reads that exist for the sanitizer alone. */
static volatile uint64_t sink;

static void read_all(const uint8_t *data, size_t size)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += data[i];
    sink = sum;
}

static void walk(const uint8_t *data, uint32_t length, int32_t term_length)
{
    const int64_t covered = rj_frame_walk_data(data, length, term_length);
    if (covered < 0)
        return;
    rj_wire_data_t first;
    memcpy(&first, data, sizeof(first));
    assert(first.term_offset >= 0 && first.term_offset % RJ_FRAME_ALIGNMENT == 0);
    assert(first.term_offset + covered <= term_length);
    assert(covered % RJ_FRAME_ALIGNMENT == 0);
    assert((covered == 0) == rj_frame_is_heartbeat((const rj_wire_data_t *)data, length));

    /* Whoever inserts it walks once more: no frame's header, nor the bytes of one that is no last
     * PAD, may lie outside the datagram. */
    for (int64_t at = 0; at < covered;) {
        rj_wire_data_t frame;
        assert(at + (int64_t)sizeof(frame) <= length);
        memcpy(&frame, data + at, sizeof(frame));
        assert(frame.frame_length > 0 && frame.term_offset == first.term_offset + at);
        const int64_t end = at + rj_align_up(frame.frame_length, RJ_FRAME_ALIGNMENT);
        assert(end <= length || (frame.type == RJ_FRAME_TYPE_PAD && end == covered));
        at = end;
    }
}

/* Datagrams that are taken at once would each be taken alone, and for the same bytes. */
static void walk_piece(const uint8_t *data, uint32_t length, uint32_t segment, int32_t term_length)
{
    uint32_t taken;
    const int64_t covered = rj_frame_walk_piece(data, length, segment, term_length, &taken);
    int64_t sum = 0;
    assert(taken > 0 && taken <= length && (taken % segment == 0 || taken == length));
    for (uint32_t at = 0; covered >= 0 && at < taken; at += segment) {
        const uint32_t left = taken - at < segment ? taken - at : segment;
        const int type = rj_frame_check(data + at, left);
        assert(type == RJ_FRAME_TYPE_DATA || type == RJ_FRAME_TYPE_PAD);
        const int64_t alone = rj_frame_walk_data(data + at, left, term_length);
        assert(alone > 0);
        sum += alone;
    }
    assert(covered < 0 || sum == covered);
}

static void check_control(int type, const uint8_t *data, uint32_t length, int32_t term_length)
{
    if (type == RJ_FRAME_TYPE_SETUP && rj_frame_setup_is_valid((const rj_wire_setup_t *)data)) {
        rj_wire_setup_t setup;
        memcpy(&setup, data, sizeof(setup));
        assert(rj_is_pow2(setup.term_length) && setup.term_offset < setup.term_length &&
               setup.mtu >= 32);
    } else if (type == RJ_FRAME_TYPE_SM) {
        const rj_wire_sm_t *sm = (const rj_wire_sm_t *)data;
        read_all(data, rj_frame_sm_has_tag(sm, length) ? RJ_SM_TAGGED_BYTES : RJ_SM_BYTES);
        if (rj_frame_sm_is_valid(sm, term_length))
            assert(sm->consumption_term_offset < term_length &&
                   sm->receiver_window <= term_length / 2);
    } else if (type == RJ_FRAME_TYPE_NAK &&
               rj_frame_nak_is_valid((const rj_wire_nak_t *)data, term_length)) {
        rj_wire_nak_t nak;
        memcpy(&nak, data, sizeof(nak));
        assert((int64_t)nak.term_offset + nak.length <= term_length);
    } else if (type == RJ_FRAME_TYPE_ERR && rj_frame_err_is_valid((const rj_wire_err_t *)data)) {
        rj_wire_err_t err;
        memcpy(&err, data, sizeof(err));
        read_all(data + sizeof(err), (size_t)err.error_length);
    } else if (type == RJ_FRAME_TYPE_RTTM) {
        sink = rj_frame_rttm_is_for((const rj_wire_rttm_t *)data, 1);
    } else if (type == RJ_FRAME_TYPE_RSP_SETUP) {
        read_all(data, sizeof(rj_wire_rsp_setup_t));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > UINT16_MAX)
        return 0;
    const uint32_t length = (uint32_t)size;
    const int type = rj_frame_check(data, length);
    if (type < 0)
        return 0;
    static const uint32_t segments[] = {16, 32, 64, 96, 160, 1024, 1408};
    const int32_t term_lengths[] = {RJ_TERM_LENGTH_MIN, RJ_TERM_LENGTH_MAX};
    for (size_t i = 0; i < 2; i++) {
        for (size_t n = 0; n < sizeof(segments) / sizeof(segments[0]); n++)
            walk_piece(data, length, segments[n], term_lengths[i]);
        if (type == RJ_FRAME_TYPE_DATA || type == RJ_FRAME_TYPE_PAD)
            walk(data, length, term_lengths[i]);
        else
            check_control(type, data, length, term_lengths[i]);
    }
    return 0;
}
