/* SPDX-License-Identifier: Apache-2.0 */
/* shm.h - the files that a driver and its clients share, byte for byte.
 *
 * Units      all integers little-endian, lengths in bytes. Positions count stream or ring bytes
 *            ever.
 * Ownership  plain layouts over mapped memory; who may write which word is said in the field's
 *            comment.
 * Thread     every word that two processes touch goes through base/atomic, never through these
 *            fields directly, except before the file is announced.
 * Errors     none. What a client can write is checked where it is read (spec shm.md 17).
 *
 *   cnc.dat  | header 128 | to-driver ring + trailer | to-clients broadcast + trailer
 *            | counters metadata | counters values | error log | up to the page size
 *   log      | term 0 | term 1 | term 2 | (gap) | metadata 4096 |
 */
#ifndef RJ_SHM_H
#define RJ_SHM_H

#include <stddef.h>
#include <stdint.h>

#define RJ_CNC_FILE          "cnc.dat"
#define RJ_LOSS_REPORT_FILE  "loss-report.dat"
#define RJ_PUBLICATIONS_DIR  "publications"
#define RJ_IMAGES_DIR        "images"
#define RJ_LOG_BUFFER_SUFFIX ".logbuffer"

enum {
    RJ_CNC_VERSION = 0x00000200, /* 0.2.0: the only one we write */
    RJ_CNC_VERSION_MAJOR_SHIFT = 16,
    RJ_CNC_HEADER_BYTES = 128,
    RJ_RING_TRAILER_BYTES = 768,
    RJ_RECORD_HEADER_BYTES = 8,
    RJ_RECORD_ALIGNMENT = 8,
    RJ_RECORD_TYPE_PADDING = -1,
    RJ_BROADCAST_TRAILER_BYTES = 128,
    RJ_COUNTER_METADATA_BYTES = 512,
    RJ_COUNTER_VALUE_BYTES = 128,
    RJ_COUNTER_KEY_BYTES_MAX = 112,
    RJ_COUNTER_LABEL_BYTES_MAX = 380,
    RJ_COUNTER_ID_NULL = -1,
    RJ_COUNTER_UNUSED = 0, /* ends every scan */
    RJ_COUNTER_ALLOCATED = 1,
    RJ_COUNTER_RECLAIMED = -1,
    RJ_ERROR_ENTRY_HEADER_BYTES = 24,
    RJ_ERROR_ENTRY_ALIGNMENT = 8,
    RJ_LOSS_ENTRY_ALIGNMENT = 64,
    RJ_LOG_TERM_COUNT = 3,
    RJ_LOG_METADATA_BYTES = 4096,
    RJ_LOG_HEADER_SPACE_BYTES = 128,
    RJ_TERM_LENGTH_MIN = 64 * 1024,
    RJ_TERM_LENGTH_MAX = 1024 * 1024 * 1024,
    RJ_PAGE_SIZE_MIN = 4 * 1024,
    RJ_PAGE_SIZE_MAX = 1024 * 1024 * 1024,
    RJ_MESSAGE_BYTES_MAX = 16 * 1024 * 1024,
};

enum {
    RJ_TO_DRIVER_BYTES_DEFAULT = 1024 * 1024 + RJ_RING_TRAILER_BYTES,
    RJ_TO_CLIENTS_BYTES_DEFAULT = 1024 * 1024 + RJ_BROADCAST_TRAILER_BYTES,
    RJ_COUNTERS_VALUES_BYTES_DEFAULT = 8 * 1024 * 1024,
    RJ_COUNTERS_VALUES_BYTES_MIN = 1024 * 1024,
    RJ_COUNTERS_VALUES_BYTES_MAX = 500 * 1024 * 1024,
    RJ_ERROR_LOG_BYTES_DEFAULT = 4 * 1024 * 1024,
    RJ_LOSS_REPORT_BYTES_DEFAULT = 1024 * 1024,
};

enum {
    RJ_LOG_TYPE_CONCURRENT_PUBLICATION = 0,
    RJ_LOG_TYPE_EXCLUSIVE_PUBLICATION = 1,
    RJ_LOG_TYPE_IMAGE = 2,
};

/* "None" for the 64-bit ids and times, and the heartbeat of a driver that has shut down. */
#define RJ_NULL_VALUE INT64_C(-1)

/* A 64-bit field that Aeron places at a multiple of four only. */
typedef int64_t rj_i64_aligned4_t __attribute__((aligned(4)));

/* The head of cnc.dat. `version` is stored last, with release; nothing changes afterwards. */
typedef struct rj_cnc_header {
    int32_t version;
    int32_t to_driver_buffer_length;  /* with its trailer */
    int32_t to_clients_buffer_length; /* with its trailer */
    int32_t counters_metadata_buffer_length;
    int32_t counters_values_buffer_length;
    int32_t error_log_buffer_length;
    int64_t client_liveness_timeout_ns;
    int64_t start_epoch_ms;
    int64_t pid;
    int32_t file_page_size; /* 0 is taken as 4096 */
    uint8_t reserved[76];
} rj_cnc_header_t;

/* Behind the data of the to-driver ring. Producers write tail, head cache and correlation counter;
 * the conductor writes head and heartbeat. */
typedef struct rj_ring_trailer {
    uint8_t pad0[128];
    int64_t tail_position;
    uint8_t pad1[120];
    int64_t head_cache_position;
    uint8_t pad2[120];
    int64_t head_position;
    uint8_t pad3[120];
    int64_t correlation_counter;
    uint8_t pad4[120];
    int64_t consumer_heartbeat_ms;
    uint8_t pad5[120];
} rj_ring_trailer_t;

/* A message in the ring or the broadcast buffer; the body follows. */
typedef struct rj_record {
    int32_t length; /* header and body, unaligned; ring only: negative while being written */
    int32_t type;
} rj_record_t;

/* Behind the data of the to-clients broadcast buffer; the conductor alone writes. */
typedef struct rj_broadcast_trailer {
    int64_t tail_intent;
    int64_t tail;
    int64_t latest;
    uint8_t pad[104];
} rj_broadcast_trailer_t;

typedef struct rj_counter_value {
    int64_t value;
    int64_t registration_id;
    int64_t owner_id;
    int64_t reference_id;
    uint8_t pad[96];
} rj_counter_value_t;

typedef struct rj_counter_metadata {
    int32_t state; /* stored last, with release */
    int32_t type_id;
    int64_t free_for_reuse_deadline_ms; /* INT64_MAX while allocated */
    uint8_t key[RJ_COUNTER_KEY_BYTES_MAX];
    int32_t label_length;
    char label[RJ_COUNTER_LABEL_BYTES_MAX]; /* not terminated */
} rj_counter_metadata_t;

/* An entry of the distinct error log; the text follows, not terminated. */
typedef struct rj_error_entry {
    int32_t length; /* header and text, unaligned; 0 ends the log; stored last, with release */
    int32_t observation_count;
    int64_t last_observation_ms;
    int64_t first_observation_ms;
} rj_error_entry_t;

/* An entry of the loss report. Behind the channel, at the next multiple of four from its length
 * field, come an i32 source length and the source. */
typedef struct rj_loss_entry {
    int64_t observation_count; /* 0 ends the report; stored last, with release */
    int64_t total_bytes_lost;
    int64_t first_observation_ms;
    int64_t last_observation_ms;
    int32_t session_id;
    int32_t stream_id;
    int32_t channel_length;
    char channel[];
} rj_loss_entry_t;

/* The last page of a log buffer. Publishers write the first two lines of words, the driver the next
 * three and `is_publication_revoked`; all else is constant once the file has been announced. */
typedef struct rj_log_metadata {
    int64_t term_tail_counters[RJ_LOG_TERM_COUNT]; /* term id in the high half, offset in the low */
    int32_t active_term_count;
    uint8_t pad0[100];
    int64_t end_of_stream_position; /* INT64_MAX until known */
    int32_t is_connected;
    int32_t active_transport_count;
    uint8_t pad1[112];
    int64_t correlation_id;
    int32_t initial_term_id;
    int32_t default_frame_header_length;
    int32_t mtu_length;
    int32_t term_length;
    int32_t page_size;
    int32_t publication_window_length;
    int32_t receiver_window_length;
    int32_t socket_sndbuf_length;
    int32_t os_default_socket_sndbuf_length;
    int32_t os_max_socket_sndbuf_length;
    int32_t socket_rcvbuf_length;
    int32_t os_default_socket_rcvbuf_length;
    int32_t os_max_socket_rcvbuf_length;
    int32_t max_resend;
    uint8_t default_header[RJ_LOG_HEADER_SPACE_BYTES]; /* a data header, the rest zero */
    int64_t entity_tag;
    int64_t response_correlation_id;
    int64_t linger_timeout_ns;
    int64_t untethered_window_limit_timeout_ns;
    int64_t untethered_resting_timeout_ns;
    uint8_t group;
    uint8_t is_response;
    uint8_t rejoin;
    uint8_t reliable;
    uint8_t sparse;
    uint8_t signal_eos;
    uint8_t spies_simulate_connection;
    uint8_t tether;
    uint8_t is_publication_revoked;
    uint8_t type; /* RJ_LOG_TYPE_... */
    uint8_t pad2[2];
    rj_i64_aligned4_t untethered_linger_timeout_ns;
    uint8_t pad3[3588];
} rj_log_metadata_t;

_Static_assert(sizeof(rj_cnc_header_t) == RJ_CNC_HEADER_BYTES, "cnc header");
_Static_assert(offsetof(rj_cnc_header_t, to_driver_buffer_length) == 4, "cnc header");
_Static_assert(offsetof(rj_cnc_header_t, to_clients_buffer_length) == 8, "cnc header");
_Static_assert(offsetof(rj_cnc_header_t, counters_metadata_buffer_length) == 12, "cnc header");
_Static_assert(offsetof(rj_cnc_header_t, counters_values_buffer_length) == 16, "cnc header");
_Static_assert(offsetof(rj_cnc_header_t, error_log_buffer_length) == 20, "cnc header");
_Static_assert(offsetof(rj_cnc_header_t, client_liveness_timeout_ns) == 24, "cnc header");
_Static_assert(offsetof(rj_cnc_header_t, start_epoch_ms) == 32, "cnc header");
_Static_assert(offsetof(rj_cnc_header_t, pid) == 40, "cnc header");
_Static_assert(offsetof(rj_cnc_header_t, file_page_size) == 48, "cnc header");

_Static_assert(sizeof(rj_ring_trailer_t) == RJ_RING_TRAILER_BYTES, "ring trailer");
_Static_assert(offsetof(rj_ring_trailer_t, tail_position) == 128, "ring trailer");
_Static_assert(offsetof(rj_ring_trailer_t, head_cache_position) == 256, "ring trailer");
_Static_assert(offsetof(rj_ring_trailer_t, head_position) == 384, "ring trailer");
_Static_assert(offsetof(rj_ring_trailer_t, correlation_counter) == 512, "ring trailer");
_Static_assert(offsetof(rj_ring_trailer_t, consumer_heartbeat_ms) == 640, "ring trailer");
_Static_assert(sizeof(rj_record_t) == RJ_RECORD_HEADER_BYTES, "record");
_Static_assert(offsetof(rj_record_t, type) == 4, "record");

_Static_assert(sizeof(rj_broadcast_trailer_t) == RJ_BROADCAST_TRAILER_BYTES, "broadcast trailer");
_Static_assert(offsetof(rj_broadcast_trailer_t, tail) == 8, "broadcast trailer");
_Static_assert(offsetof(rj_broadcast_trailer_t, latest) == 16, "broadcast trailer");

_Static_assert(sizeof(rj_counter_value_t) == RJ_COUNTER_VALUE_BYTES, "counter value");
_Static_assert(offsetof(rj_counter_value_t, registration_id) == 8, "counter value");
_Static_assert(offsetof(rj_counter_value_t, owner_id) == 16, "counter value");
_Static_assert(offsetof(rj_counter_value_t, reference_id) == 24, "counter value");
_Static_assert(sizeof(rj_counter_metadata_t) == RJ_COUNTER_METADATA_BYTES, "counter metadata");
_Static_assert(offsetof(rj_counter_metadata_t, type_id) == 4, "counter metadata");
_Static_assert(offsetof(rj_counter_metadata_t, free_for_reuse_deadline_ms) == 8,
               "counter metadata");
_Static_assert(offsetof(rj_counter_metadata_t, key) == 16, "counter metadata");
_Static_assert(offsetof(rj_counter_metadata_t, label_length) == 128, "counter metadata");
_Static_assert(offsetof(rj_counter_metadata_t, label) == 132, "counter metadata");

_Static_assert(sizeof(rj_error_entry_t) == RJ_ERROR_ENTRY_HEADER_BYTES, "error entry");
_Static_assert(offsetof(rj_error_entry_t, observation_count) == 4, "error entry");
_Static_assert(offsetof(rj_error_entry_t, last_observation_ms) == 8, "error entry");
_Static_assert(offsetof(rj_error_entry_t, first_observation_ms) == 16, "error entry");

_Static_assert(offsetof(rj_loss_entry_t, total_bytes_lost) == 8, "loss entry");
_Static_assert(offsetof(rj_loss_entry_t, first_observation_ms) == 16, "loss entry");
_Static_assert(offsetof(rj_loss_entry_t, last_observation_ms) == 24, "loss entry");
_Static_assert(offsetof(rj_loss_entry_t, session_id) == 32, "loss entry");
_Static_assert(offsetof(rj_loss_entry_t, stream_id) == 36, "loss entry");
_Static_assert(offsetof(rj_loss_entry_t, channel_length) == 40, "loss entry");
_Static_assert(offsetof(rj_loss_entry_t, channel) == 44, "loss entry");

_Static_assert(sizeof(rj_log_metadata_t) == RJ_LOG_METADATA_BYTES, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, active_term_count) == 24, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, end_of_stream_position) == 128, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, is_connected) == 136, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, active_transport_count) == 140, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, correlation_id) == 256, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, initial_term_id) == 264, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, default_frame_header_length) == 268, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, mtu_length) == 272, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, term_length) == 276, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, page_size) == 280, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, publication_window_length) == 284, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, receiver_window_length) == 288, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, socket_sndbuf_length) == 292, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, os_default_socket_sndbuf_length) == 296, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, os_max_socket_sndbuf_length) == 300, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, socket_rcvbuf_length) == 304, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, os_default_socket_rcvbuf_length) == 308, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, os_max_socket_rcvbuf_length) == 312, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, max_resend) == 316, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, default_header) == 320, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, entity_tag) == 448, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, response_correlation_id) == 456, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, linger_timeout_ns) == 464, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, untethered_window_limit_timeout_ns) == 472, "metadata");
_Static_assert(offsetof(rj_log_metadata_t, untethered_resting_timeout_ns) == 480, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, group) == 488, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, is_response) == 489, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, rejoin) == 490, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, reliable) == 491, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, sparse) == 492, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, signal_eos) == 493, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, spies_simulate_connection) == 494, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, tether) == 495, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, is_publication_revoked) == 496, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, type) == 497, "log metadata");
_Static_assert(offsetof(rj_log_metadata_t, untethered_linger_timeout_ns) == 500, "log metadata");

#endif
