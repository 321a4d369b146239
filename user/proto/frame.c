/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/frame.h"

#include <string.h>

#include <ramjet/shm.h>

#include "base/bits.h"

/* The least datagram of each type: its fixed part, of which every field may then be read. RES,
 * which these sockets ignore, has the length at which the reference begins to believe it. */
static uint32_t least_length(int16_t type)
{
    switch (type) {
    case RJ_FRAME_TYPE_PAD:
    case RJ_FRAME_TYPE_DATA:
        return RJ_DATA_HEADER_BYTES;
    case RJ_FRAME_TYPE_NAK:
        return RJ_NAK_BYTES;
    case RJ_FRAME_TYPE_SM:
        return RJ_SM_BYTES;
    case RJ_FRAME_TYPE_ERR:
        return RJ_ERR_HEADER_BYTES;
    case RJ_FRAME_TYPE_SETUP:
        return RJ_SETUP_BYTES;
    case RJ_FRAME_TYPE_RTTM:
        return RJ_RTTM_BYTES;
    case RJ_FRAME_TYPE_RES:
        return RJ_FRAME_HEADER_BYTES + RJ_RES_IPV4_HEADER_BYTES;
    case RJ_FRAME_TYPE_RSP_SETUP:
        return RJ_RSP_SETUP_BYTES;
    default:
        return 0;
    }
}

int rj_frame_check(const uint8_t *data, uint32_t length_bytes)
{
    if (length_bytes < RJ_FRAME_HEADER_BYTES)
        return RJ_FRAME_TOO_SHORT;
    rj_wire_frame_t frame;
    memcpy(&frame, data, sizeof(frame));
    if (frame.frame_length < 0)
        return RJ_FRAME_BAD_LENGTH;
    if (frame.version != RJ_FRAME_VERSION)
        return RJ_FRAME_BAD_VERSION;

    const uint32_t least = least_length(frame.type);
    if (least == 0)
        return RJ_FRAME_UNKNOWN_TYPE;
    if (length_bytes < least)
        return RJ_FRAME_TOO_SHORT;
    if (frame.type == RJ_FRAME_TYPE_PAD || frame.type == RJ_FRAME_TYPE_DATA)
        return length_bytes % RJ_FRAME_ALIGNMENT == 0 ? frame.type : RJ_FRAME_UNALIGNED;
    return (uint32_t)frame.frame_length <= length_bytes ? frame.type : RJ_FRAME_BAD_LENGTH;
}

bool rj_frame_setup_is_valid(const rj_wire_setup_t *setup)
{
    const bool is_term = setup->term_length >= RJ_TERM_LENGTH_MIN &&
                         setup->term_length <= RJ_TERM_LENGTH_MAX && rj_is_pow2(setup->term_length);
    const bool is_offset = setup->term_offset >= 0 && setup->term_offset < setup->term_length &&
                           setup->term_offset % RJ_FRAME_ALIGNMENT == 0;
    /* As Aeron: 32, a header and no payload, passes here though no publication may be made with
     * it. */
    const bool is_mtu = setup->mtu >= RJ_DATA_HEADER_BYTES && setup->mtu <= RJ_MTU_MAX &&
                        setup->mtu % RJ_FRAME_ALIGNMENT == 0;
    return is_term && is_offset && is_mtu;
}

static bool is_of_stream(const rj_wire_data_t *frame, const rj_wire_data_t *first)
{
    return frame->session_id == first->session_id && frame->stream_id == first->stream_id &&
           frame->term_id == first->term_id;
}

int64_t rj_frame_walk_data(const uint8_t *data, uint32_t length_bytes, int32_t term_length)
{
    rj_wire_data_t frame;
    if (length_bytes < sizeof(frame))
        return -1;
    memcpy(&frame, data, sizeof(frame));
    const rj_wire_data_t first = frame;
    const int64_t start = frame.term_offset;
    if (start < 0 || start >= term_length || start % RJ_FRAME_ALIGNMENT != 0)
        return -1;
    if (rj_frame_is_heartbeat((const rj_wire_data_t *)data, length_bytes))
        return 0;

    int64_t covered = 0;
    int16_t type = RJ_FRAME_TYPE_DATA;
    do {
        memcpy(&frame, data + covered, sizeof(frame));
        type = frame.type;
        if (frame.frame_length <= 0 || (type != RJ_FRAME_TYPE_PAD && type != RJ_FRAME_TYPE_DATA) ||
            frame.term_offset != start + covered || !is_of_stream(&frame, &first))
            break;
        const int64_t aligned = rj_align_up(frame.frame_length, RJ_FRAME_ALIGNMENT);
        if (start + covered + aligned > term_length)
            break;
        covered += aligned;
    } while (covered <= (int64_t)length_bytes - RJ_DATA_HEADER_BYTES);

    const bool is_whole =
        covered == length_bytes || (covered > length_bytes && type == RJ_FRAME_TYPE_PAD);
    return is_whole ? covered : -1;
}

/* Whether a frame goes on where the datagram before it ended, as its own datagram alone could. */
static bool goes_on(const rj_wire_data_t *frame, const rj_wire_data_t *first, int64_t offset)
{
    return frame->frame_length > 0 && frame->version == RJ_FRAME_VERSION &&
           (frame->type == RJ_FRAME_TYPE_DATA || frame->type == RJ_FRAME_TYPE_PAD) &&
           frame->term_offset == offset && is_of_stream(frame, first);
}

/* A PAD is the last of its datagram, and only its header travels. */
static uint32_t leading_data_bytes(const uint8_t *data, uint32_t length_bytes)
{
    rj_wire_data_t frame;
    memcpy(&frame, data, sizeof(frame));
    const rj_wire_data_t first = frame;
    if (frame.frame_length == 0)
        return sizeof(frame);
    for (int64_t covered = 0;;) {
        covered += frame.type == RJ_FRAME_TYPE_PAD
                       ? (int64_t)sizeof(frame)
                       : rj_align_up(frame.frame_length, RJ_FRAME_ALIGNMENT);
        if (covered + (int64_t)sizeof(frame) > length_bytes)
            return length_bytes;
        const bool is_last = frame.type == RJ_FRAME_TYPE_PAD;
        memcpy(&frame, data + covered, sizeof(frame));
        if (is_last || !goes_on(&frame, &first, first.term_offset + covered))
            return (uint32_t)covered;
    }
}

uint32_t rj_frame_leading_bytes(const uint8_t *data, uint32_t length_bytes)
{
    rj_wire_frame_t frame;
    if (length_bytes < sizeof(frame))
        return length_bytes;
    memcpy(&frame, data, sizeof(frame));
    if (frame.frame_length < 0)
        return length_bytes;
    if (frame.type == RJ_FRAME_TYPE_DATA || frame.type == RJ_FRAME_TYPE_PAD)
        return length_bytes > sizeof(rj_wire_data_t) ? leading_data_bytes(data, length_bytes)
                                                     : length_bytes;
    return (uint32_t)frame.frame_length >= sizeof(frame) &&
                   (uint32_t)frame.frame_length < length_bytes
               ? (uint32_t)frame.frame_length
               : length_bytes;
}

int64_t rj_frame_walk_piece(const uint8_t *data, uint32_t length_bytes, uint32_t segment_bytes,
                            int32_t term_length, uint32_t *ret_length)
{
    rj_wire_data_t frame;
    int64_t datagram_end = segment_bytes < length_bytes ? segment_bytes : length_bytes;
    *ret_length = (uint32_t)datagram_end;
    if (length_bytes < sizeof(frame))
        return -1;
    memcpy(&frame, data, sizeof(frame));
    const rj_wire_data_t first = frame;
    const int64_t start = frame.term_offset;
    if (start < 0 || start % RJ_FRAME_ALIGNMENT != 0)
        return -1;
    int64_t whole = -1;
    for (int64_t covered = 0; covered + RJ_DATA_HEADER_BYTES <= length_bytes;) {
        memcpy(&frame, data + covered, sizeof(frame));
        if (!goes_on(&frame, &first, start + covered))
            break;
        covered += rj_align_up(frame.frame_length, RJ_FRAME_ALIGNMENT);
        if (covered < datagram_end)
            continue;
        const bool is_cut = covered > datagram_end;
        if (start + covered > term_length ||
            (is_cut && (frame.type != RJ_FRAME_TYPE_PAD || datagram_end % RJ_FRAME_ALIGNMENT != 0)))
            break;
        whole = covered;
        *ret_length = (uint32_t)datagram_end;
        if (is_cut || datagram_end == length_bytes)
            break;
        datagram_end = rj_min_i64(datagram_end + segment_bytes, length_bytes);
    }
    return whole;
}

uint32_t rj_frame_write_setup(rj_wire_setup_t *ret, const rj_frame_setup_t *params)
{
    *ret = (rj_wire_setup_t){
        .frame_length = RJ_SETUP_BYTES,
        .flags = params->flags,
        .type = RJ_FRAME_TYPE_SETUP,
        .term_offset = params->term_offset,
        .session_id = params->session_id,
        .stream_id = params->stream_id,
        .initial_term_id = params->initial_term_id,
        .active_term_id = params->active_term_id,
        .term_length = params->term_length,
        .mtu = params->mtu,
        .ttl = params->ttl,
    };
    return RJ_SETUP_BYTES;
}

uint32_t rj_frame_write_sm(rj_wire_sm_t *ret, const rj_frame_sm_t *params)
{
    *ret = (rj_wire_sm_t){
        .frame_length = params->has_group_tag ? RJ_SM_TAGGED_BYTES : RJ_SM_BYTES,
        .flags = params->flags,
        .type = RJ_FRAME_TYPE_SM,
        .session_id = params->session_id,
        .stream_id = params->stream_id,
        .consumption_term_id = params->term_id,
        .consumption_term_offset = params->term_offset,
        .receiver_window = params->receiver_window,
        .receiver_id = params->receiver_id,
        .group_tag = params->has_group_tag ? params->group_tag : 0,
    };
    return (uint32_t)ret->frame_length;
}

uint32_t rj_frame_write_nak(rj_wire_nak_t *ret, const rj_frame_nak_t *params)
{
    *ret = (rj_wire_nak_t){
        .frame_length = RJ_NAK_BYTES,
        .type = RJ_FRAME_TYPE_NAK,
        .session_id = params->session_id,
        .stream_id = params->stream_id,
        .term_id = params->term_id,
        .term_offset = params->term_offset,
        .length = params->length,
    };
    return RJ_NAK_BYTES;
}

uint32_t rj_frame_write_rttm(rj_wire_rttm_t *ret, const rj_frame_rttm_t *params)
{
    *ret = (rj_wire_rttm_t){
        .frame_length = RJ_RTTM_BYTES,
        .flags = params->wants_reply ? RJ_RTTM_FLAG_REPLY : 0,
        .type = RJ_FRAME_TYPE_RTTM,
        .session_id = params->session_id,
        .stream_id = params->stream_id,
        .echo_timestamp = params->echo_timestamp,
        .reception_delta = params->reception_delta,
        .receiver_id = params->receiver_id,
    };
    return RJ_RTTM_BYTES;
}

uint32_t rj_frame_write_rttm_answer(rj_wire_rttm_t *ret, const rj_wire_rttm_t *request)
{
    return rj_frame_write_rttm(ret, &(rj_frame_rttm_t){.session_id = request->session_id,
                                                       .stream_id = request->stream_id,
                                                       .echo_timestamp = request->echo_timestamp,
                                                       .receiver_id = request->receiver_id});
}

uint32_t rj_frame_write_heartbeat(rj_wire_data_t *ret, const rj_frame_data_t *params)
{
    *ret = (rj_wire_data_t){
        .flags = params->flags,
        .type = RJ_FRAME_TYPE_DATA,
        .term_offset = params->term_offset,
        .session_id = params->session_id,
        .stream_id = params->stream_id,
        .term_id = params->term_id,
    };
    return RJ_DATA_HEADER_BYTES;
}

uint32_t rj_frame_write_err(uint8_t ret[static RJ_ERR_HEADER_BYTES + RJ_ERR_TEXT_BYTES_MAX],
                            const rj_frame_err_t *params)
{
    const size_t text_length =
        params->text_length < RJ_ERR_TEXT_BYTES_MAX ? params->text_length : RJ_ERR_TEXT_BYTES_MAX;
    const rj_wire_err_t frame = {
        .frame_length = RJ_ERR_HEADER_BYTES + (int32_t)text_length,
        .flags = params->has_group_tag ? RJ_ERR_FLAG_HAS_GROUP_TAG : 0,
        .type = RJ_FRAME_TYPE_ERR,
        .session_id = params->session_id,
        .stream_id = params->stream_id,
        .receiver_id = params->receiver_id,
        .group_tag = params->has_group_tag ? params->group_tag : RJ_NULL_VALUE,
        .error_code = params->error_code,
        .error_length = (int32_t)text_length,
    };
    memcpy(ret, &frame, sizeof(frame));
    memcpy(ret + sizeof(frame), params->text, text_length);
    return (uint32_t)frame.frame_length;
}

uint32_t rj_frame_write_rsp_setup(rj_wire_rsp_setup_t *ret, const rj_frame_rsp_setup_t *params)
{
    *ret = (rj_wire_rsp_setup_t){
        .frame_length = RJ_RSP_SETUP_BYTES,
        .type = RJ_FRAME_TYPE_RSP_SETUP,
        .session_id = params->session_id,
        .stream_id = params->stream_id,
        .response_session_id = params->response_session_id,
    };
    return RJ_RSP_SETUP_BYTES;
}
