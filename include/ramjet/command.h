/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - what clients ask a driver for and what it answers: message bodies, codes, counter
 * types.
 *
 * Units      all integers little-endian, lengths in bytes, ids as Aeron clients number them.
 * Ownership  plain layouts over a record of the to-driver ring or the broadcast buffer. The structs
 *            are packed and have alignment 1; a text follows the struct that carries its length.
 * Thread     any.
 * Errors     none: lengths are checked by who reads a command, before the first field.
 */
#ifndef RJ_COMMAND_H
#define RJ_COMMAND_H

#include <stddef.h>
#include <stdint.h>

typedef enum rj_command_id {
    RJ_COMMAND_ADD_PUBLICATION = 0x01,
    RJ_COMMAND_REMOVE_PUBLICATION = 0x02,
    RJ_COMMAND_ADD_EXCLUSIVE_PUBLICATION = 0x03,
    RJ_COMMAND_ADD_SUBSCRIPTION = 0x04,
    RJ_COMMAND_REMOVE_SUBSCRIPTION = 0x05,
    RJ_COMMAND_CLIENT_KEEPALIVE = 0x06,
    RJ_COMMAND_ADD_DESTINATION = 0x07,
    RJ_COMMAND_REMOVE_DESTINATION = 0x08,
    RJ_COMMAND_ADD_COUNTER = 0x09,
    RJ_COMMAND_REMOVE_COUNTER = 0x0A,
    RJ_COMMAND_CLIENT_CLOSE = 0x0B,
    RJ_COMMAND_ADD_RCV_DESTINATION = 0x0C,
    RJ_COMMAND_REMOVE_RCV_DESTINATION = 0x0D,
    RJ_COMMAND_TERMINATE_DRIVER = 0x0E,
    RJ_COMMAND_ADD_STATIC_COUNTER = 0x0F,
    RJ_COMMAND_REJECT_IMAGE = 0x10,
    RJ_COMMAND_REMOVE_DESTINATION_BY_ID = 0x11,
    RJ_COMMAND_GET_NEXT_AVAILABLE_SESSION_ID = 0x12,
} rj_command_id_t;

typedef enum rj_event_id {
    RJ_EVENT_ERROR = 0x0F01,
    RJ_EVENT_AVAILABLE_IMAGE = 0x0F02,
    RJ_EVENT_PUBLICATION_READY = 0x0F03,
    RJ_EVENT_OPERATION_SUCCESS = 0x0F04,
    RJ_EVENT_UNAVAILABLE_IMAGE = 0x0F05,
    RJ_EVENT_EXCLUSIVE_PUBLICATION_READY = 0x0F06,
    RJ_EVENT_SUBSCRIPTION_READY = 0x0F07,
    RJ_EVENT_COUNTER_READY = 0x0F08,
    RJ_EVENT_UNAVAILABLE_COUNTER = 0x0F09,
    RJ_EVENT_CLIENT_TIMEOUT = 0x0F0A,
    RJ_EVENT_STATIC_COUNTER = 0x0F0B,
    RJ_EVENT_PUBLICATION_ERROR = 0x0F0C,
    RJ_EVENT_NEXT_AVAILABLE_SESSION_ID = 0x0F0D,
} rj_event_id_t;

typedef enum rj_error_code {
    RJ_ERROR_UNKNOWN_CODE_VALUE = -1,
    RJ_ERROR_UNUSED = 0,
    RJ_ERROR_INVALID_CHANNEL = 1,
    RJ_ERROR_UNKNOWN_SUBSCRIPTION = 2,
    RJ_ERROR_UNKNOWN_PUBLICATION = 3,
    RJ_ERROR_CHANNEL_ENDPOINT_ERROR = 4,
    RJ_ERROR_UNKNOWN_COUNTER = 5,
    RJ_ERROR_UNKNOWN_COMMAND_TYPE_ID = 6,
    RJ_ERROR_MALFORMED_COMMAND = 7,
    RJ_ERROR_NOT_SUPPORTED = 8,
    RJ_ERROR_UNKNOWN_HOST = 9,
    RJ_ERROR_RESOURCE_TEMPORARILY_UNAVAILABLE = 10,
    RJ_ERROR_GENERIC = 11,
    RJ_ERROR_STORAGE_SPACE = 12,
    RJ_ERROR_IMAGE_REJECTED = 13,
    RJ_ERROR_PUBLICATION_REVOKED = 14,
} rj_error_code_t;

enum {
    RJ_REMOVE_PUBLICATION_FLAG_REVOKE = 0x1,
    RJ_REMOVE_PUBLICATION_LEGACY_BYTES = 24, /* without flags */
    RJ_REJECT_IMAGE_REASON_BYTES_MAX = 1023,
    RJ_EVENT_ERROR_TEXT_BYTES_MAX = 8191,
    RJ_EVENT_PUBLICATION_ERROR_BYTES_MIN = 72, /* the C client discards shorter ones */
    RJ_EVENT_BYTES_RECOMMENDED_MAX = 4096,     /* older Java clients copy into that much */
    RJ_ADDRESS_TYPE_IPV4 = 1,
    RJ_ADDRESS_TYPE_IPV6 = 2,
    RJ_CONTROL_PROTOCOL_VERSION = 0x010000,
    RJ_AERON_VERSION = 0x013500, /* what we are compatible with: 1.53.0 */
};

/* commands */

/* What every command begins with; all of CLIENT_KEEPALIVE and CLIENT_CLOSE. */
typedef struct __attribute__((packed)) rj_command_header {
    int64_t client_id;
    int64_t correlation_id;
} rj_command_header_t;

/* ADD_PUBLICATION, ADD_EXCLUSIVE_PUBLICATION; the channel follows. */
typedef struct __attribute__((packed)) rj_command_publication {
    rj_command_header_t header;
    int32_t stream_id;
    int32_t channel_length;
} rj_command_publication_t;

typedef struct __attribute__((packed)) rj_command_remove_publication {
    rj_command_header_t header;
    int64_t registration_id;
    uint64_t flags; /* absent in the legacy form */
} rj_command_remove_publication_t;

/* ADD_SUBSCRIPTION; the channel follows. */
typedef struct __attribute__((packed)) rj_command_subscription {
    rj_command_header_t header;
    int64_t registration_correlation_id; /* to be ignored */
    int32_t stream_id;
    int32_t channel_length;
} rj_command_subscription_t;

/* REMOVE_SUBSCRIPTION, REMOVE_COUNTER. */
typedef struct __attribute__((packed)) rj_command_remove {
    rj_command_header_t header;
    int64_t registration_id;
} rj_command_remove_t;

/* ADD_DESTINATION, REMOVE_DESTINATION and their RCV forms; the channel follows. */
typedef struct __attribute__((packed)) rj_command_destination {
    rj_command_header_t header;
    int64_t registration_id;
    int32_t channel_length;
} rj_command_destination_t;

typedef struct __attribute__((packed)) rj_command_destination_by_id {
    rj_command_header_t header;
    int64_t resource_registration_id;
    int64_t destination_registration_id;
} rj_command_destination_by_id_t;

/* ADD_COUNTER; the key follows, then, at a multiple of four, an i32 label length and the label. */
typedef struct __attribute__((packed)) rj_command_counter {
    rj_command_header_t header;
    int32_t type_id;
    int32_t key_length;
} rj_command_counter_t;

/* ADD_STATIC_COUNTER; key and label follow as above. */
typedef struct __attribute__((packed)) rj_command_static_counter {
    rj_command_header_t header;
    int64_t registration_id;
    int32_t type_id;
    int32_t key_length;
} rj_command_static_counter_t;

/* TERMINATE_DRIVER; the token follows. */
typedef struct __attribute__((packed)) rj_command_terminate {
    rj_command_header_t header;
    int32_t token_length;
} rj_command_terminate_t;

/* REJECT_IMAGE; the reason follows. The C client leaves both ids of the header unset. */
typedef struct __attribute__((packed)) rj_command_reject_image {
    rj_command_header_t header;
    int64_t image_correlation_id;
    int64_t position;
    int32_t reason_length;
} rj_command_reject_image_t;

typedef struct __attribute__((packed)) rj_command_next_session_id {
    rj_command_header_t header;
    int32_t stream_id;
} rj_command_next_session_id_t;

/* events */

/* ERROR; the text follows. */
typedef struct __attribute__((packed)) rj_event_error {
    int64_t offending_correlation_id;
    int32_t error_code;
    int32_t message_length;
} rj_event_error_t;

/* AVAILABLE_IMAGE; the log's path follows, then, at a multiple of four, an i32 length of the source
 * identity and the source identity. */
typedef struct __attribute__((packed)) rj_event_available_image {
    int64_t correlation_id;
    int32_t session_id;
    int32_t stream_id;
    int64_t subscription_registration_id;
    int32_t subscriber_position_id;
    int32_t log_file_length;
} rj_event_available_image_t;

/* PUBLICATION_READY, EXCLUSIVE_PUBLICATION_READY; the log's path follows. */
typedef struct __attribute__((packed)) rj_event_publication_ready {
    int64_t correlation_id;
    int64_t registration_id;
    int32_t session_id;
    int32_t stream_id;
    int32_t publication_limit_counter_id;
    int32_t channel_status_counter_id;
    int32_t log_file_length;
} rj_event_publication_ready_t;

typedef struct __attribute__((packed)) rj_event_operation_success {
    int64_t correlation_id;
} rj_event_operation_success_t;

/* UNAVAILABLE_IMAGE; the channel follows. */
typedef struct __attribute__((packed)) rj_event_unavailable_image {
    int64_t correlation_id;
    int64_t subscription_registration_id;
    int32_t stream_id;
    int32_t channel_length;
} rj_event_unavailable_image_t;

typedef struct __attribute__((packed)) rj_event_subscription_ready {
    int64_t correlation_id;
    int32_t channel_status_counter_id;
} rj_event_subscription_ready_t;

/* COUNTER_READY, UNAVAILABLE_COUNTER, STATIC_COUNTER. */
typedef struct __attribute__((packed)) rj_event_counter {
    int64_t correlation_id;
    int32_t counter_id;
} rj_event_counter_t;

typedef struct __attribute__((packed)) rj_event_client_timeout {
    int64_t client_id;
} rj_event_client_timeout_t;

typedef struct __attribute__((packed)) rj_event_next_session_id {
    int64_t correlation_id;
    int32_t next_session_id;
} rj_event_next_session_id_t;

/* PUBLICATION_ERROR; the text follows. */
typedef struct __attribute__((packed)) rj_event_publication_error {
    int64_t registration_id;
    int64_t destination_registration_id;
    int32_t session_id;
    int32_t stream_id;
    int64_t receiver_id;
    int64_t group_tag;
    int16_t address_type;
    uint16_t source_port;
    uint8_t source_address[16]; /* IPv4 in the first four */
    int32_t error_code;
    int32_t message_length;
} rj_event_publication_error_t;

/* counters */

typedef enum rj_counter_type {
    RJ_COUNTER_TYPE_SYSTEM = 0,
    RJ_COUNTER_TYPE_PUBLISHER_LIMIT = 1,
    RJ_COUNTER_TYPE_SENDER_POSITION = 2,
    RJ_COUNTER_TYPE_RECEIVER_HWM = 3,
    RJ_COUNTER_TYPE_SUBSCRIBER_POSITION = 4,
    RJ_COUNTER_TYPE_RECEIVER_POSITION = 5,
    RJ_COUNTER_TYPE_SEND_CHANNEL_STATUS = 6,
    RJ_COUNTER_TYPE_RECEIVE_CHANNEL_STATUS = 7,
    RJ_COUNTER_TYPE_SENDER_LIMIT = 9,
    RJ_COUNTER_TYPE_PER_IMAGE = 10,
    RJ_COUNTER_TYPE_CLIENT_HEARTBEAT = 11,
    RJ_COUNTER_TYPE_PUBLISHER_POSITION = 12,
    RJ_COUNTER_TYPE_SENDER_BPE = 13,
    RJ_COUNTER_TYPE_LOCAL_SOCKADDR = 14,
    RJ_COUNTER_TYPE_RESOLVER_NEIGHBORS = 15,
    RJ_COUNTER_TYPE_RESOLVER_CACHE_ENTRIES = 16,
    RJ_COUNTER_TYPE_FLOW_CONTROL_RECEIVERS = 17,
    RJ_COUNTER_TYPE_MDC_NUM_DESTINATIONS = 18,
    RJ_COUNTER_TYPE_SENDER_NAKS_RECEIVED = 19,
    RJ_COUNTER_TYPE_RECEIVER_NAKS_SENT = 20,
    RJ_COUNTER_TYPE_BOOTSTRAP_NEIGHBOR = 21,
    RJ_COUNTER_TYPE_NAME_ENTRY = 2001,
    RJ_COUNTER_TYPE_RAMJET_MIN = 17200,           /* our own: driver/ring_counters.c */
    RJ_COUNTER_TYPE_RAMJET_PROGRAMS_GONE = 17248, /* interfaces detached under the driver */
    RJ_COUNTER_TYPE_RAMJET_PORT = 17270,          /* and on: driver/port_counters.c */
    RJ_COUNTER_TYPE_RAMJET_ASIDE = 17298, /* rings that step aside for bulk: driver/ring_aside.c */
    RJ_COUNTER_TYPE_RAMJET_TRANSPORT = 17299, /* how data travel, and why, in its label */
    RJ_COUNTER_TYPE_RAMJET_MAX = 17299,
    RJ_COUNTER_TYPE_RAMJET_WHY = 17300,  /* our own, of each publication: shm/why.h */
    RJ_COUNTER_TYPE_RAMJET_LOST = 17400, /* and the next two: what each loss filter took */
} rj_counter_type_t;

enum {
    RJ_CHANNEL_STATUS_ERRORED = -1,
    RJ_CHANNEL_STATUS_INITIALIZING = 0,
    RJ_CHANNEL_STATUS_ACTIVE = 1,
    RJ_CHANNEL_STATUS_CLOSING = 2,
    RJ_CHANNEL_STATUS_ID_NONE = -1,
    RJ_STREAM_KEY_CHANNEL_BYTES_MAX = 92,
    RJ_CHANNEL_KEY_CHANNEL_BYTES_MAX = 108,
    RJ_SOCKADDR_KEY_ADDRESS_BYTES_MAX = 103,
};

/* The keys of counters; each lies in the first bytes of the 112, the rest is zero. */
typedef struct __attribute__((packed)) rj_counter_stream_key {
    int64_t registration_id;
    int32_t session_id;
    int32_t stream_id;
    int32_t channel_length;
    char channel[RJ_STREAM_KEY_CHANNEL_BYTES_MAX];
} rj_counter_stream_key_t;

typedef struct __attribute__((packed)) rj_counter_channel_key {
    int32_t channel_length;
    char channel[RJ_CHANNEL_KEY_CHANNEL_BYTES_MAX];
} rj_counter_channel_key_t;

typedef struct __attribute__((packed)) rj_sockaddr_key {
    int32_t channel_status_id;
    int32_t address_length;
    char address[RJ_SOCKADDR_KEY_ADDRESS_BYTES_MAX + 1]; /* terminated */
} rj_sockaddr_key_t;

/* Counter id, key and registration id of a system counter are all this number. */
typedef enum rj_system_counter {
    RJ_SYSTEM_BYTES_SENT = 0,
    RJ_SYSTEM_BYTES_RECEIVED = 1,
    RJ_SYSTEM_RECEIVER_PROXY_FAILS = 2,
    RJ_SYSTEM_SENDER_PROXY_FAILS = 3,
    RJ_SYSTEM_CONDUCTOR_PROXY_FAILS = 4,
    RJ_SYSTEM_NAKS_SENT = 5,
    RJ_SYSTEM_NAKS_RECEIVED = 6,
    RJ_SYSTEM_SMS_SENT = 7,
    RJ_SYSTEM_SMS_RECEIVED = 8,
    RJ_SYSTEM_HEARTBEATS_SENT = 9,
    RJ_SYSTEM_HEARTBEATS_RECEIVED = 10,
    RJ_SYSTEM_RETRANSMITS_SENT = 11,
    RJ_SYSTEM_FLOW_CONTROL_UNDER_RUNS = 12,
    RJ_SYSTEM_FLOW_CONTROL_OVER_RUNS = 13,
    RJ_SYSTEM_INVALID_PACKETS = 14,
    RJ_SYSTEM_ERRORS = 15,
    RJ_SYSTEM_SHORT_SENDS = 16,
    RJ_SYSTEM_FREE_FAILS = 17,
    RJ_SYSTEM_SENDER_FLOW_CONTROL_LIMITS = 18,
    RJ_SYSTEM_UNBLOCKED_PUBLICATIONS = 19,
    RJ_SYSTEM_UNBLOCKED_COMMANDS = 20,
    RJ_SYSTEM_POSSIBLE_TTL_ASYMMETRY = 21,
    RJ_SYSTEM_CONTROLLABLE_IDLE_STRATEGY = 22,
    RJ_SYSTEM_LOSS_GAP_FILLS = 23,
    RJ_SYSTEM_CLIENT_TIMEOUTS = 24,
    RJ_SYSTEM_RESOLUTION_CHANGES = 25,
    RJ_SYSTEM_CONDUCTOR_MAX_CYCLE_TIME = 26,
    RJ_SYSTEM_CONDUCTOR_CYCLE_TIME_EXCEEDED = 27,
    RJ_SYSTEM_SENDER_MAX_CYCLE_TIME = 28,
    RJ_SYSTEM_SENDER_CYCLE_TIME_EXCEEDED = 29,
    RJ_SYSTEM_RECEIVER_MAX_CYCLE_TIME = 30,
    RJ_SYSTEM_RECEIVER_CYCLE_TIME_EXCEEDED = 31,
    RJ_SYSTEM_NAME_RESOLVER_MAX_TIME = 32,
    RJ_SYSTEM_NAME_RESOLVER_TIME_EXCEEDED = 33,
    RJ_SYSTEM_AERON_VERSION = 34,
    RJ_SYSTEM_BYTES_CURRENTLY_MAPPED = 35,
    RJ_SYSTEM_RETRANSMITTED_BYTES = 36,
    RJ_SYSTEM_RETRANSMIT_OVERFLOW = 37,
    RJ_SYSTEM_ERROR_FRAMES_RECEIVED = 38,
    RJ_SYSTEM_ERROR_FRAMES_SENT = 39,
    RJ_SYSTEM_PUBLICATIONS_REVOKED = 40,
    RJ_SYSTEM_PUBLICATION_IMAGES_REVOKED = 41,
    RJ_SYSTEM_IMAGES_REJECTED = 42,
    RJ_SYSTEM_CONTROL_PROTOCOL_VERSION = 43,
    RJ_SYSTEM_SMS_REJECTED = 44,
    RJ_SYSTEM_RESOURCE_AGENT_PROXY_FAILS = 45,
    RJ_SYSTEM_COUNTER_COUNT = 46,
} rj_system_counter_t;

/* The fixed part of a system counter's label; where it ends in ": ", in '=' or in "in ns: " the
 * driver appends what commands.md 14.4 says. `id` must be one of the above. */
static inline const char *rj_system_counter_label(rj_system_counter_t id)
{
    static const char *const labels[RJ_SYSTEM_COUNTER_COUNT] = {
        [RJ_SYSTEM_BYTES_SENT] = "Bytes sent",
        [RJ_SYSTEM_BYTES_RECEIVED] = "Bytes received",
        [RJ_SYSTEM_RECEIVER_PROXY_FAILS] = "Failed offers to ReceiverProxy",
        [RJ_SYSTEM_SENDER_PROXY_FAILS] = "Failed offers to SenderProxy",
        [RJ_SYSTEM_CONDUCTOR_PROXY_FAILS] = "Failed offers to DriverConductorProxy",
        [RJ_SYSTEM_NAKS_SENT] = "NAKs sent",
        [RJ_SYSTEM_NAKS_RECEIVED] = "NAKs received",
        [RJ_SYSTEM_SMS_SENT] = "Status Messages sent",
        [RJ_SYSTEM_SMS_RECEIVED] = "Status Messages received",
        [RJ_SYSTEM_HEARTBEATS_SENT] = "Heartbeats sent",
        [RJ_SYSTEM_HEARTBEATS_RECEIVED] = "Heartbeats received",
        [RJ_SYSTEM_RETRANSMITS_SENT] = "Retransmits sent",
        [RJ_SYSTEM_FLOW_CONTROL_UNDER_RUNS] = "Flow control under runs",
        [RJ_SYSTEM_FLOW_CONTROL_OVER_RUNS] = "Flow control over runs",
        [RJ_SYSTEM_INVALID_PACKETS] = "Invalid packets",
        [RJ_SYSTEM_ERRORS] = "Errors: version=",
        [RJ_SYSTEM_SHORT_SENDS] = "Short sends",
        [RJ_SYSTEM_FREE_FAILS] = "Failed attempts to free log buffers",
        [RJ_SYSTEM_SENDER_FLOW_CONTROL_LIMITS] =
            "Sender flow control limits, i.e. back-pressure events",
        [RJ_SYSTEM_UNBLOCKED_PUBLICATIONS] = "Unblocked Publications",
        [RJ_SYSTEM_UNBLOCKED_COMMANDS] = "Unblocked Control Commands",
        [RJ_SYSTEM_POSSIBLE_TTL_ASYMMETRY] = "Possible TTL Asymmetry",
        [RJ_SYSTEM_CONTROLLABLE_IDLE_STRATEGY] = "ControllableIdleStrategy status",
        [RJ_SYSTEM_LOSS_GAP_FILLS] = "Loss gap fills",
        [RJ_SYSTEM_CLIENT_TIMEOUTS] = "Client liveness timeouts",
        [RJ_SYSTEM_RESOLUTION_CHANGES] = "Resolution changes: driverName=",
        [RJ_SYSTEM_CONDUCTOR_MAX_CYCLE_TIME] = "Conductor max cycle time doing its work in ns: ",
        [RJ_SYSTEM_CONDUCTOR_CYCLE_TIME_EXCEEDED] =
            "Conductor work cycle exceeded threshold count: threshold=",
        [RJ_SYSTEM_SENDER_MAX_CYCLE_TIME] = "Sender max cycle time doing its work in ns: ",
        [RJ_SYSTEM_SENDER_CYCLE_TIME_EXCEEDED] =
            "Sender work cycle exceeded threshold count: threshold=",
        [RJ_SYSTEM_RECEIVER_MAX_CYCLE_TIME] = "Receiver max cycle time doing its work in ns: ",
        [RJ_SYSTEM_RECEIVER_CYCLE_TIME_EXCEEDED] =
            "Receiver work cycle exceeded threshold count: threshold=",
        [RJ_SYSTEM_NAME_RESOLVER_MAX_TIME] = "NameResolver max time in ns",
        [RJ_SYSTEM_NAME_RESOLVER_TIME_EXCEEDED] =
            "NameResolver exceeded threshold count: threshold=",
        [RJ_SYSTEM_AERON_VERSION] = "Aeron software: version=",
        [RJ_SYSTEM_BYTES_CURRENTLY_MAPPED] = "Bytes currently mapped",
        [RJ_SYSTEM_RETRANSMITTED_BYTES] = "Retransmitted bytes",
        [RJ_SYSTEM_RETRANSMIT_OVERFLOW] = "Retransmit Pool Overflow count",
        [RJ_SYSTEM_ERROR_FRAMES_RECEIVED] = "Error Frames received",
        [RJ_SYSTEM_ERROR_FRAMES_SENT] = "Error Frames sent",
        [RJ_SYSTEM_PUBLICATIONS_REVOKED] = "Publications Revoked",
        [RJ_SYSTEM_PUBLICATION_IMAGES_REVOKED] = "Publication Images Revoked",
        [RJ_SYSTEM_IMAGES_REJECTED] = "Images rejected",
        [RJ_SYSTEM_CONTROL_PROTOCOL_VERSION] = "Control protocol version",
        [RJ_SYSTEM_SMS_REJECTED] = "Status Messages rejected",
        [RJ_SYSTEM_RESOURCE_AGENT_PROXY_FAILS] = "Failed offers to NativeResourceAgentProxy",
    };
    return labels[id];
}

_Static_assert(sizeof(rj_command_header_t) == 16, "command");
_Static_assert(sizeof(rj_command_publication_t) == 24, "command");
_Static_assert(sizeof(rj_command_remove_publication_t) == 32, "command");
_Static_assert(sizeof(rj_command_subscription_t) == 32, "command");
_Static_assert(offsetof(rj_command_subscription_t, stream_id) == 24, "command");
_Static_assert(sizeof(rj_command_remove_t) == 24, "command");
_Static_assert(sizeof(rj_command_destination_t) == 28, "command");
_Static_assert(sizeof(rj_command_destination_by_id_t) == 32, "command");
_Static_assert(sizeof(rj_command_counter_t) == 24, "command");
_Static_assert(sizeof(rj_command_static_counter_t) == 32, "command");
_Static_assert(offsetof(rj_command_static_counter_t, type_id) == 24, "command");
_Static_assert(sizeof(rj_command_terminate_t) == 20, "command");
_Static_assert(sizeof(rj_command_reject_image_t) == 36, "command");
_Static_assert(sizeof(rj_command_next_session_id_t) == 20, "command");
_Static_assert(sizeof(rj_event_error_t) == 16, "event");
_Static_assert(sizeof(rj_event_available_image_t) == 32, "event");
_Static_assert(offsetof(rj_event_available_image_t, subscription_registration_id) == 16, "event");
_Static_assert(offsetof(rj_event_available_image_t, log_file_length) == 28, "event");
_Static_assert(sizeof(rj_event_publication_ready_t) == 36, "event");
_Static_assert(offsetof(rj_event_publication_ready_t, log_file_length) == 32, "event");
_Static_assert(sizeof(rj_event_operation_success_t) == 8, "event");
_Static_assert(sizeof(rj_event_unavailable_image_t) == 24, "event");
_Static_assert(sizeof(rj_event_subscription_ready_t) == 12, "event");
_Static_assert(sizeof(rj_event_counter_t) == 12, "event");
_Static_assert(sizeof(rj_event_client_timeout_t) == 8, "event");
_Static_assert(sizeof(rj_event_next_session_id_t) == 12, "event");
_Static_assert(sizeof(rj_event_publication_error_t) == 68, "event");
_Static_assert(offsetof(rj_event_publication_error_t, address_type) == 40, "event");
_Static_assert(offsetof(rj_event_publication_error_t, source_address) == 44, "event");
_Static_assert(offsetof(rj_event_publication_error_t, error_code) == 60, "event");
_Static_assert(sizeof(rj_counter_stream_key_t) == 112, "key");
_Static_assert(offsetof(rj_counter_stream_key_t, channel) == 20, "key");
_Static_assert(sizeof(rj_counter_channel_key_t) == 112, "key");
_Static_assert(sizeof(rj_sockaddr_key_t) == 112, "key");

#endif
