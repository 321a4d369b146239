/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h - whether a received datagram is a frame of Aeron's protocol, and how frames are written.
 *
 * A datagram is checked twice before anybody acts on it. rj_frame_check looks at what every frame
 * must be (wire.md 4.1); after it the fixed part of the frame's struct in ramjet/wire.h may be
 * read. The checks of wire.md 4.3 look at the fields of each type, rj_frame_walk_data at whole
 * datagrams.
 *
 *     socket -> rj_frame_check -> type -> rj_frame_<type>_is_valid -> the stream it names
 *                    `- refused: count it, drop it <-'
 *
 * Units      bytes; offsets from the start of a term.
 * Ownership  none: functions over somebody's bytes.
 * Thread     any.
 * Errors     what is refused is not read any further; nothing is written then.
 */
#ifndef RJ_PROTO_FRAME_H
#define RJ_PROTO_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ramjet/wire.h>

/* Why a datagram is no frame. All of them count as one `invalid packet` for Aeron; ours tell
 * more. */
typedef enum rj_frame_reason {
    RJ_FRAME_TOO_SHORT = -1, /* for the common header, or for its type */
    RJ_FRAME_BAD_VERSION = -2,
    RJ_FRAME_BAD_LENGTH = -3, /* a frame length that is negative or beyond the datagram */
    RJ_FRAME_UNKNOWN_TYPE = -4,
    RJ_FRAME_UNALIGNED = -5, /* a data datagram that is no multiple of 32 */
} rj_frame_reason_t;

/* The structural check. Returns the type, 0 or above, of which the fixed struct may now be read (an
 * SM's group_tag only where rj_frame_sm_has_tag says so); else one of rj_frame_reason_t. */
int rj_frame_check(const uint8_t *data, uint32_t length_bytes);

/* Term length, MTU and offset are possible ones. Whether the window is large enough for that MTU is
 * the image's business. */
bool rj_frame_setup_is_valid(const rj_wire_setup_t *setup);

/* Offset and window fit a term. `term_length` is the publication's, or RJ_TERM_LENGTH_MAX where
 * there is none. */
static inline bool rj_frame_sm_is_valid(const rj_wire_sm_t *sm, int32_t term_length)
{
    return sm->consumption_term_offset >= 0 && sm->consumption_term_offset < term_length &&
           sm->consumption_term_offset % RJ_FRAME_ALIGNMENT == 0 && sm->receiver_window >= 0 &&
           sm->receiver_window <= term_length / 2;
}

/* A group tag is present, and `group_tag` may be read: only ever told by the frame length. */
static inline bool rj_frame_sm_has_tag(const rj_wire_sm_t *sm, uint32_t length_bytes)
{
    return sm->frame_length == RJ_SM_TAGGED_BYTES && length_bytes >= RJ_SM_TAGGED_BYTES;
}

/* The gap lies within a term. */
static inline bool rj_frame_nak_is_valid(const rj_wire_nak_t *nak, int32_t term_length)
{
    return nak->term_offset >= 0 && nak->term_offset < term_length &&
           nak->term_offset % RJ_FRAME_ALIGNMENT == 0 && nak->length >= 0 &&
           (int64_t)nak->term_offset + nak->length <= term_length;
}

/* The text lies within the frame, and so within the datagram. */
static inline bool rj_frame_err_is_valid(const rj_wire_err_t *err)
{
    return err->error_length >= 0 && err->error_length <= RJ_ERR_TEXT_BYTES_MAX &&
           RJ_ERR_HEADER_BYTES + err->error_length <= err->frame_length;
}

/* A round-trip measurement meant for the receiver with this id. */
static inline bool rj_frame_rttm_is_for(const rj_wire_rttm_t *rttm, int64_t receiver_id)
{
    return rttm->receiver_id == receiver_id || rttm->receiver_id == 0;
}

/* True for a lone header with frame length 0. */
static inline bool rj_frame_is_heartbeat(const rj_wire_data_t *data, uint32_t length_bytes)
{
    return length_bytes == RJ_DATA_HEADER_BYTES && data->frame_length == 0;
}

/* Walks a datagram of DATA and PAD frames that rj_frame_check has passed, and checks that they
 * follow each other without a hole and within one term of one session (wire.md 12.1). Returns the
 * bytes of the term that they cover, 0 for a heartbeat, or -1. That is more than `length_bytes`
 * only where the last frame is a PAD, of which the header alone travels; it never reaches beyond
 * the term. */
int64_t rj_frame_walk_data(const uint8_t *data, uint32_t length_bytes, int32_t term_length);

/* The same of several datagrams, each of `segment_bytes` but the last, as far as every one passes
 * both checks alone and each goes on where the one before it ended: a kernel that merges datagrams
 * also puts two streams of one sender together, or leaves out what was lost. `*ret_length` is how
 * many bytes of whole datagrams that are; with -1, as for a heartbeat, those of the first. */
int64_t rj_frame_walk_piece(const uint8_t *data, uint32_t length_bytes, uint32_t segment_bytes,
                            int32_t term_length, uint32_t *ret_length);

/* Of datagrams that were merged without a word about where they begin: how many bytes belong to the
 * first of them, or to the first few that go on from each other. All of `length_bytes` where the
 * frames do not tell. */
uint32_t rj_frame_leading_bytes(const uint8_t *data, uint32_t length_bytes);

/* The header of a message's frame; 32-byte alignment is the writer's business. */
typedef struct rj_frame_data {
    int32_t session_id;
    int32_t stream_id;
    int32_t term_id;
    int32_t term_offset;
    uint8_t
        flags; /* of a heartbeat: RJ_DATA_FLAG_UNFRAGMENTED, and EOS or REVOKED where they apply */
} rj_frame_data_t;

typedef struct rj_frame_setup {
    int32_t session_id;
    int32_t stream_id;
    int32_t initial_term_id;
    int32_t active_term_id; /* of the sender position, like the offset */
    int32_t term_offset;
    int32_t term_length;
    int32_t mtu;
    int32_t ttl;
    uint8_t flags; /* RJ_SETUP_FLAG_* */
} rj_frame_setup_t;

typedef struct rj_frame_sm {
    int32_t session_id;
    int32_t stream_id;
    int32_t term_id;
    int32_t term_offset;
    int32_t receiver_window;
    int64_t receiver_id;
    bool has_group_tag;
    int64_t group_tag;
    uint8_t flags; /* RJ_SM_FLAG_* */
} rj_frame_sm_t;

typedef struct rj_frame_nak {
    int32_t session_id;
    int32_t stream_id;
    int32_t term_id;
    int32_t term_offset;
    int32_t length;
} rj_frame_nak_t;

typedef struct rj_frame_rttm {
    int32_t session_id;
    int32_t stream_id;
    int64_t echo_timestamp;
    int64_t reception_delta;
    int64_t receiver_id;
    bool wants_reply;
} rj_frame_rttm_t;

typedef struct rj_frame_err {
    int32_t session_id;
    int32_t stream_id;
    int64_t receiver_id;
    bool has_group_tag;
    int64_t group_tag;
    int32_t error_code;
    const char *text; /* cut at RJ_ERR_TEXT_BYTES_MAX */
    size_t text_length;
} rj_frame_err_t;

typedef struct rj_frame_rsp_setup {
    int32_t session_id; /* of the request publication, like the stream */
    int32_t stream_id;
    int32_t response_session_id;
} rj_frame_rsp_setup_t;

/* Each writes one whole frame at the front of `ret` and returns its length, which is what to
 * send. */
uint32_t rj_frame_write_setup(rj_wire_setup_t *ret, const rj_frame_setup_t *params);
uint32_t rj_frame_write_sm(rj_wire_sm_t *ret, const rj_frame_sm_t *params);
uint32_t rj_frame_write_nak(rj_wire_nak_t *ret, const rj_frame_nak_t *params);
uint32_t rj_frame_write_rttm(rj_wire_rttm_t *ret, const rj_frame_rttm_t *params);
/* The answer to a measurement that was asked for (wire.md 17). */
uint32_t rj_frame_write_rttm_answer(rj_wire_rttm_t *ret, const rj_wire_rttm_t *request);
uint32_t rj_frame_write_heartbeat(rj_wire_data_t *ret, const rj_frame_data_t *params);
uint32_t rj_frame_write_err(uint8_t ret[static RJ_ERR_HEADER_BYTES + RJ_ERR_TEXT_BYTES_MAX],
                            const rj_frame_err_t *params);
uint32_t rj_frame_write_rsp_setup(rj_wire_rsp_setup_t *ret, const rj_frame_rsp_setup_t *params);

#endif
