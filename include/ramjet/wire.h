/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - the frames that Aeron drivers exchange over UDP, byte for byte.
 *
 * Units      all integers little-endian, lengths in bytes, offsets from the start of a term.
 * Ownership  plain layouts over somebody's bytes. The structs are packed and have alignment 1, so
 *            that a pointer to any received byte may be cast to them once the length has been
 *            checked.
 * Thread     any.
 * Errors     none: checking is done in proto/frame, before anybody reads a field.
 *
 *   0               4       5       6       8
 *   | frame_length  |version| flags | type  | what the type says ...
 */
#ifndef RJ_WIRE_H
#define RJ_WIRE_H

#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "ramjet reads and writes frames in place and so needs a little-endian machine"
#endif

enum {
    RJ_FRAME_TYPE_PAD = 0x00,
    RJ_FRAME_TYPE_DATA = 0x01,
    RJ_FRAME_TYPE_NAK = 0x02,
    RJ_FRAME_TYPE_SM = 0x03,
    RJ_FRAME_TYPE_ERR = 0x04,
    RJ_FRAME_TYPE_SETUP = 0x05,
    RJ_FRAME_TYPE_RTTM = 0x06,
    RJ_FRAME_TYPE_RES = 0x07,
    RJ_FRAME_TYPE_RSP_SETUP = 0x0B,
};

enum {
    RJ_FRAME_VERSION = 0,
    RJ_FRAME_ALIGNMENT = 32,
    RJ_FRAME_HEADER_BYTES = 8,
    RJ_DATA_HEADER_BYTES = 32,
    RJ_SETUP_BYTES = 40,
    RJ_SM_BYTES = 36,
    RJ_SM_TAGGED_BYTES = 44,
    RJ_NAK_BYTES = 28,
    RJ_RTTM_BYTES = 40,
    RJ_ERR_HEADER_BYTES = 40,
    RJ_ERR_TEXT_BYTES_MAX = 1023,
    RJ_RSP_SETUP_BYTES = 20,
    RJ_RES_IPV4_HEADER_BYTES = 14,
    RJ_RES_IPV6_HEADER_BYTES = 26,
    RJ_RES_ENTRY_ALIGNMENT = 8,
    RJ_RES_NAME_BYTES_MAX = 512,
    RJ_MTU_MIN = 64, /* more than a header, and a multiple of the alignment */
    RJ_MTU_MAX = 65504,
};

/* Flag bits mean what the frame's type says. */
enum {
    RJ_DATA_FLAG_BEGIN = 0x80,
    RJ_DATA_FLAG_END = 0x40,
    RJ_DATA_FLAG_UNFRAGMENTED = RJ_DATA_FLAG_BEGIN | RJ_DATA_FLAG_END,
    RJ_DATA_FLAG_EOS = 0x20,     /* heartbeats only */
    RJ_DATA_FLAG_REVOKED = 0x10, /* heartbeats only */
    RJ_SM_FLAG_SEND_SETUP = 0x80,
    RJ_SM_FLAG_EOS = 0x40,
    RJ_ERR_FLAG_HAS_GROUP_TAG = 0x08,
    RJ_SETUP_FLAG_SEND_RESPONSE = 0x80,
    RJ_SETUP_FLAG_GROUP = 0x40,
    RJ_RTTM_FLAG_REPLY = 0x80, /* "please reply" */
    RJ_RES_FLAG_SELF = 0x80,
};

enum {
    RJ_RES_TYPE_IPV4 = 1,
    RJ_RES_TYPE_IPV6 = 2,
};

/* What every frame begins with. */
typedef struct __attribute__((packed)) rj_wire_frame {
    int32_t frame_length; /* header included, padding not; 0 only in a heartbeat */
    int8_t version;
    uint8_t flags;
    int16_t type;
} rj_wire_frame_t;

/* DATA and PAD; also the frame that lies in a term buffer. The payload follows. */
typedef struct __attribute__((packed)) rj_wire_data {
    int32_t frame_length;
    int8_t version;
    uint8_t flags;
    int16_t type;
    int32_t term_offset;
    int32_t session_id;
    int32_t stream_id;
    int32_t term_id;
    int64_t reserved_value;
} rj_wire_data_t;

typedef struct __attribute__((packed)) rj_wire_setup {
    int32_t frame_length;
    int8_t version;
    uint8_t flags;
    int16_t type;
    int32_t term_offset; /* of the sender position */
    int32_t session_id;
    int32_t stream_id;
    int32_t initial_term_id;
    int32_t active_term_id; /* of the sender position */
    int32_t term_length;
    int32_t mtu;
    int32_t ttl;
} rj_wire_setup_t;

/* A status message. `group_tag` is there if and only if frame_length is RJ_SM_TAGGED_BYTES. */
typedef struct __attribute__((packed)) rj_wire_sm {
    int32_t frame_length;
    int8_t version;
    uint8_t flags;
    int16_t type;
    int32_t session_id;
    int32_t stream_id;
    int32_t consumption_term_id;
    int32_t consumption_term_offset;
    int32_t receiver_window;
    int64_t receiver_id;
    int64_t group_tag;
} rj_wire_sm_t;

typedef struct __attribute__((packed)) rj_wire_nak {
    int32_t frame_length;
    int8_t version;
    uint8_t flags;
    int16_t type;
    int32_t session_id;
    int32_t stream_id;
    int32_t term_id;
    int32_t term_offset; /* start of the gap */
    int32_t length;      /* of the gap, never beyond the term's end */
} rj_wire_nak_t;

typedef struct __attribute__((packed)) rj_wire_rttm {
    int32_t frame_length;
    int8_t version;
    uint8_t flags;
    int16_t type;
    int32_t session_id;
    int32_t stream_id;
    int64_t echo_timestamp; /* the originator's ns clock, opaque to the peer */
    int64_t reception_delta;
    int64_t receiver_id;
} rj_wire_rttm_t;

/* An error; `error_length` bytes of text follow, without terminator. */
typedef struct __attribute__((packed)) rj_wire_err {
    int32_t frame_length;
    int8_t version;
    uint8_t flags;
    int16_t type;
    int32_t session_id;
    int32_t stream_id;
    int64_t receiver_id;
    int64_t group_tag; /* only with RJ_ERR_FLAG_HAS_GROUP_TAG */
    int32_t error_code;
    int32_t error_length;
} rj_wire_err_t;

typedef struct __attribute__((packed)) rj_wire_rsp_setup {
    int32_t frame_length;
    int8_t version;
    uint8_t flags;
    int16_t type;
    int32_t session_id; /* of the request publication, like the stream id */
    int32_t stream_id;
    int32_t response_session_id;
} rj_wire_rsp_setup_t;

/* One entry of a RES frame; 4 or 16 bytes of address follow, then an i16 name length, then the
 * name. */
typedef struct __attribute__((packed)) rj_wire_res_entry {
    int8_t res_type;
    uint8_t res_flags;
    uint16_t udp_port; /* little-endian, unlike the address */
    int32_t age_in_ms;
} rj_wire_res_entry_t;

typedef struct __attribute__((packed)) rj_wire_res_ipv4 {
    rj_wire_res_entry_t entry;
    uint8_t address[4];
    int16_t name_length;
} rj_wire_res_ipv4_t;

typedef struct __attribute__((packed)) rj_wire_res_ipv6 {
    rj_wire_res_entry_t entry;
    uint8_t address[16];
    int16_t name_length;
} rj_wire_res_ipv6_t;

_Static_assert(sizeof(rj_wire_frame_t) == RJ_FRAME_HEADER_BYTES, "common header");
_Static_assert(offsetof(rj_wire_frame_t, version) == 4, "common header");
_Static_assert(offsetof(rj_wire_frame_t, flags) == 5, "common header");
_Static_assert(offsetof(rj_wire_frame_t, type) == 6, "common header");
_Static_assert(sizeof(rj_wire_data_t) == RJ_DATA_HEADER_BYTES, "data");
_Static_assert(offsetof(rj_wire_data_t, term_offset) == 8, "data");
_Static_assert(offsetof(rj_wire_data_t, session_id) == 12, "data");
_Static_assert(offsetof(rj_wire_data_t, stream_id) == 16, "data");
_Static_assert(offsetof(rj_wire_data_t, term_id) == 20, "data");
_Static_assert(offsetof(rj_wire_data_t, reserved_value) == 24, "data");
_Static_assert(sizeof(rj_wire_setup_t) == RJ_SETUP_BYTES, "setup");
_Static_assert(offsetof(rj_wire_setup_t, initial_term_id) == 20, "setup");
_Static_assert(offsetof(rj_wire_setup_t, active_term_id) == 24, "setup");
_Static_assert(offsetof(rj_wire_setup_t, term_length) == 28, "setup");
_Static_assert(offsetof(rj_wire_setup_t, mtu) == 32, "setup");
_Static_assert(offsetof(rj_wire_setup_t, ttl) == 36, "setup");
_Static_assert(sizeof(rj_wire_sm_t) == RJ_SM_TAGGED_BYTES, "sm");
_Static_assert(offsetof(rj_wire_sm_t, consumption_term_id) == 16, "sm");
_Static_assert(offsetof(rj_wire_sm_t, receiver_window) == 24, "sm");
_Static_assert(offsetof(rj_wire_sm_t, receiver_id) == 28, "sm");
_Static_assert(offsetof(rj_wire_sm_t, group_tag) == RJ_SM_BYTES, "sm");
_Static_assert(sizeof(rj_wire_nak_t) == RJ_NAK_BYTES, "nak");
_Static_assert(offsetof(rj_wire_nak_t, term_id) == 16, "nak");
_Static_assert(offsetof(rj_wire_nak_t, length) == 24, "nak");
_Static_assert(sizeof(rj_wire_rttm_t) == RJ_RTTM_BYTES, "rttm");
_Static_assert(offsetof(rj_wire_rttm_t, echo_timestamp) == 16, "rttm");
_Static_assert(offsetof(rj_wire_rttm_t, receiver_id) == 32, "rttm");
_Static_assert(sizeof(rj_wire_err_t) == RJ_ERR_HEADER_BYTES, "err");
_Static_assert(offsetof(rj_wire_err_t, receiver_id) == 16, "err");
_Static_assert(offsetof(rj_wire_err_t, group_tag) == 24, "err");
_Static_assert(offsetof(rj_wire_err_t, error_code) == 32, "err");
_Static_assert(offsetof(rj_wire_err_t, error_length) == 36, "err");
_Static_assert(sizeof(rj_wire_rsp_setup_t) == RJ_RSP_SETUP_BYTES, "rsp_setup");
_Static_assert(offsetof(rj_wire_rsp_setup_t, response_session_id) == 16, "rsp_setup");
_Static_assert(sizeof(rj_wire_res_entry_t) == 8, "res entry");
_Static_assert(offsetof(rj_wire_res_entry_t, udp_port) == 2, "res entry");
_Static_assert(offsetof(rj_wire_res_entry_t, age_in_ms) == 4, "res entry");
_Static_assert(sizeof(rj_wire_res_ipv4_t) == RJ_RES_IPV4_HEADER_BYTES, "res ipv4");
_Static_assert(offsetof(rj_wire_res_ipv4_t, name_length) == 12, "res ipv4");
_Static_assert(sizeof(rj_wire_res_ipv6_t) == RJ_RES_IPV6_HEADER_BYTES, "res ipv6");
_Static_assert(offsetof(rj_wire_res_ipv6_t, name_length) == 24, "res ipv6");

#endif
