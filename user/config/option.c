/* SPDX-License-Identifier: Apache-2.0 */
/* tidy: long because it is the table. The order is that of the reference's print-out (driver.md
 * 20.5), then come the settings that it does not print, then ours. */
#include "config/option.h"

#include <limits.h>
#include <string.h>

#define FOREVER    RJ_CONFIG_DURATION_NS_MAX
#define SECONDS(n) ((n)*INT64_C(1000000000))
#define MILLIS(n)  ((n)*INT64_C(1000000))
#define MICROS(n)  ((n)*INT64_C(1000))
#define KIB(n)     ((n)*INT64_C(1024))
#define MIB(n)     ((n)*INT64_C(1048576))
#define GIB(n)     ((n)*INT64_C(1073741824))

#define FIELD(name)      .offset = offsetof(rj_driver_config_t, name)
#define PRESENCE(name)   .presence_offset = offsetof(rj_driver_config_t, name)
#define FIELD_SIZE(name) sizeof(((rj_driver_config_t *)0)->name)

/* What a row says, in the order in which one asks: where, what it is called, what it means. */
#define ROW(kind, place, name, shown_as, text)                                                     \
    .group = (place), .type = RJ_OPTION_##kind, .variable = (name), .key = (shown_as),             \
    .help = (text)
#define BOOL(place, name, shown_as, field, value, text)                                            \
    {                                                                                              \
        ROW(BOOL, place, name, shown_as, text), FIELD(field), .fallback = (value), .max = 1        \
    }
#define WORD(place, name, shown_as, field, value, text)                                            \
    {                                                                                              \
        ROW(BOOL, place, name, shown_as, text), FIELD(field), .fallback = (value), .max = 1,       \
                                                              .names = truth_names                 \
    }
#define NUMBER(kind, place, name, shown_as, field, value, low, high, text)                         \
    {                                                                                              \
        ROW(kind, place, name, shown_as, text), FIELD(field), .fallback = (value), .min = (low),   \
                                                              .max = (high)                        \
    }
#define SIZE(...)     NUMBER(SIZE, __VA_ARGS__)
#define DURATION(...) NUMBER(DURATION, __VA_ARGS__)
#define INT(...)      NUMBER(INT, __VA_ARGS__)
/* A number that is followed to the letter where somebody set it. */
#define FOLLOWED(kind, place, name, shown_as, field, presence, value, low, high, text)             \
    {                                                                                              \
        ROW(kind, place, name, shown_as, text), FIELD(field), PRESENCE(presence),                  \
            .fallback = (value), .min = (low), .max = (high)                                       \
    }
#define TAG(place, name, shown_as, field, presence, text)                                          \
    {                                                                                              \
        ROW(INT, place, name, shown_as, text), FIELD(field), PRESENCE(presence),                   \
            .fallback = -1, .min = INT64_MIN, .max = INT64_MAX                                     \
    }
/* A number of ours that the reference's bounds do not bind; what somebody sets, they do. */
#define TURN(place, name, shown_as, field, value, high, text)                                      \
    {                                                                                              \
        ROW(INT, place, name, shown_as, text), FIELD(field), .fallback = (value), .min = 1,        \
                                                             .max = (high)                         \
    }
#define TEXT(place, name, shown_as, field, value, text)                                            \
    {                                                                                              \
        ROW(TEXT, place, name, shown_as, text), FIELD(field), .size = FIELD_SIZE(field),           \
                                                              .text_fallback = (value)             \
    }
#define NAMED(kind, place, name, shown_as, field, value, choices, text)                            \
    {                                                                                              \
        ROW(kind, place, name, shown_as, text), FIELD(field), .fallback = (value),                 \
                                                              .names = (choices)                   \
    }
#define PORTS(place, name, shown_as, field, text)                                                  \
    {                                                                                              \
        ROW(PORTS, place, name, shown_as, text), FIELD(field)                                      \
    }
#define INTERCEPTORS(place, name, shown_as, field, text)                                           \
    {                                                                                              \
        ROW(INTERCEPTORS, place, name, shown_as, text), FIELD(field),                              \
            .names = rj_interceptor_names                                                          \
    }
#define FOREIGN(place, name, shown_as, allowed, value)                                             \
    {                                                                                              \
        ROW(FOREIGN, place, name, shown_as, "foreign code, which is not loaded"),                  \
            .names = (allowed), .text_fallback = (value)                                           \
    }
#define NONE(place, name)                                                                          \
    {                                                                                              \
        ROW(NONE, place, name, NULL, "no effect, as in the reference's daemon")                    \
    }
#define SHOWN(shown_as, value)                                                                     \
    {                                                                                              \
        ROW(SHOWN, RJ_SETTINGS_FILES, NULL, shown_as, NULL), .text_fallback = (value)              \
    }
#define PRESENT(shown_as, field)                                                                   \
    {                                                                                              \
        ROW(BOOL, RJ_SETTINGS_FILES, NULL, shown_as, NULL), FIELD(field)                           \
    }

/* --- what suppliers and the like are called --- */

static const rj_option_name_t no_names[] = {{0}};
static const rj_option_name_t truth_names[] = {{"false", NULL, 0}, {"true", NULL, 1}, {0}};
static const rj_option_name_t threading_names[] = {
    {"DEDICATED", NULL, RJ_THREADING_DEDICATED},
    {"SHARED_NETWORK", NULL, RJ_THREADING_SHARED_NETWORK},
    {"SHARED", NULL, RJ_THREADING_SHARED},
    {"INVOKER", NULL, RJ_THREADING_INVOKER},
    {0}};
static const rj_option_name_t zero_copy_names[] = {{"off", NULL, RJ_ZERO_COPY_OFF},
                                                   {"on", NULL, RJ_ZERO_COPY_ON},
                                                   {"auto", NULL, RJ_ZERO_COPY_AUTO},
                                                   {0}};
static const rj_option_name_t naming_names[] = {
    {"classic", NULL, RJ_THREAD_NAMES_CLASSIC}, {"new", NULL, RJ_THREAD_NAMES_NEW}, {0}};
static const rj_option_name_t group_names[] = {{"infer", NULL, RJ_GROUP_INFER},
                                               {"true", NULL, RJ_GROUP_TRUE},
                                               {"false", NULL, RJ_GROUP_FALSE},
                                               {0}};
static const rj_option_name_t validator_names[] = {
    {"deny", "aeron_driver_termination_validator_default_deny", RJ_TERMINATION_DENY},
    {"allow", "aeron_driver_termination_validator_default_allow", RJ_TERMINATION_ALLOW},
    {0}};
static const rj_option_name_t flow_names[] = {
    {"unicast_max", "aeron_unicast_flow_control_strategy_supplier", RJ_FLOW_SUPPLIER_UNICAST_MAX},
    {"multicast_max", "aeron_max_multicast_flow_control_strategy_supplier",
     RJ_FLOW_SUPPLIER_MULTICAST_MAX},
    {"multicast_min", "aeron_min_flow_control_strategy_supplier", RJ_FLOW_SUPPLIER_MIN},
    {"multicast_tagged", "aeron_tagged_flow_control_strategy_supplier", RJ_FLOW_SUPPLIER_TAGGED},
    {0}};
static const rj_option_name_t congestion_names[] = {
    {"default", "aeron_congestion_control_default_strategy_supplier",
     RJ_CONGESTION_SUPPLIER_DEFAULT},
    {"static", "aeron_static_window_congestion_control_strategy_supplier",
     RJ_CONGESTION_SUPPLIER_STATIC},
    {"cubic", "aeron_cubic_congestion_control_strategy_supplier", RJ_CONGESTION_SUPPLIER_CUBIC},
    {0}};
static const rj_option_name_t resolver_names[] = {
    {"default", "aeron_default_name_resolver_supplier", RJ_RESOLVER_SUPPLIER_DEFAULT},
    {"driver", "aeron_driver_name_resolver_supplier", RJ_RESOLVER_SUPPLIER_DRIVER},
    {"csv_table", "aeron_csv_table_name_resolver_supplier", RJ_RESOLVER_SUPPLIER_CSV_TABLE},
    {0}};
static const rj_option_name_t binding_names[] = {
    {"default", "aeron_udp_channel_transport_bindings_default", 0}, {0}};
const rj_option_name_t rj_interceptor_names[] = {
    {"loss", "aeron_udp_channel_interceptor_loss_load", RJ_INTERCEPTOR_LOSS},
    {"fixed-loss", "aeron_udp_channel_interceptor_fixed_loss_load", RJ_INTERCEPTOR_FIXED_LOSS},
    {"multi-gap-loss", "aeron_udp_channel_interceptor_multi_gap_loss_load",
     RJ_INTERCEPTOR_MULTI_GAP_LOSS},
    {0}};

/* --- the table --- */

const rj_option_t rj_options[] = {
    SHOWN("cnc_version", "0.2.0"),
    TEXT(RJ_SETTINGS_FILES, "AERON_DIR", "aeron_dir", dir, "",
         "driver directory; none: /dev/shm/aeron-USER"),
    INT(RJ_SETTINGS_FILES, "AERON_DRIVER_TIMEOUT", "driver_timeout_ms", driver_timeout_ms, 10000, 0,
        FOREVER / 1000000, "age of a heartbeat (ms) above which a driver counts as dead"),
    BOOL(RJ_SETTINGS_FILES, "AERON_PRINT_CONFIGURATION", "print_configuration_on_start",
         print_configuration, 0, "print the configuration at start"),
    BOOL(RJ_SETTINGS_FILES, "AERON_DIR_DELETE_ON_START", "dirs_delete_on_start",
         dir_delete_on_start, 0,
         "delete the directory without asking whether a driver lives in it"),
    BOOL(RJ_SETTINGS_FILES, "AERON_DIR_DELETE_ON_SHUTDOWN", "dirs_delete_on_shutdown",
         dir_delete_on_shutdown, 0, "delete the directory after closing"),
    BOOL(RJ_SETTINGS_FILES, "AERON_DIR_WARN_IF_EXISTS", "warn_if_dirs_exists", dir_warn_if_exists,
         0, "warn when the directory exists already"),
    BOOL(RJ_SETTINGS_FILES, "AERON_TERM_BUFFER_SPARSE_FILE", "term_buffer_sparse_file",
         term_buffer_sparse, 1, "default of sparse=: log buffers take room as they are written"),
    BOOL(RJ_SETTINGS_FILES, "AERON_PERFORM_STORAGE_CHECKS", "perform_storage_checks",
         perform_storage_checks, 1, "look for free space before a log buffer is made"),
    BOOL(RJ_SETTINGS_STREAMS, "AERON_SPIES_SIMULATE_CONNECTION", "spies_simulate_connection",
         spies_simulate_connection, 0, "default of ssc="),
    BOOL(RJ_SETTINGS_STREAMS, "AERON_RELIABLE_STREAM", "reliable_stream", reliable_stream, 1,
         "default of reliable="),
    BOOL(RJ_SETTINGS_STREAMS, "AERON_TETHER_SUBSCRIPTIONS", "tether_subscriptions",
         tether_subscriptions, 1, "default of tether="),
    BOOL(RJ_SETTINGS_STREAMS, "AERON_REJOIN_STREAM", "rejoin_stream", rejoin_stream, 1,
         "default of rejoin="),
    NAMED(GROUP, RJ_SETTINGS_STREAMS, "AERON_RECEIVER_GROUP_CONSIDERATION",
          "receiver_group_consideration", group_consideration, RJ_GROUP_INFER, group_names,
          "infer, true or false: default of group="),
    SIZE(RJ_SETTINGS_CNC, "AERON_CONDUCTOR_BUFFER_LENGTH", "to_driver_buffer_length",
         to_driver_bytes, MIB(1) + 768, MIB(1) + 768, INT32_MAX,
         "ring from clients: a power of two and 768 bytes of trailer"),
    SIZE(RJ_SETTINGS_CNC, "AERON_CLIENTS_BUFFER_LENGTH", "to_clients_buffer_length",
         to_clients_bytes, MIB(1) + 128, MIB(1) + 128, INT32_MAX,
         "broadcast to clients: a power of two and 128 bytes of trailer"),
    SIZE(RJ_SETTINGS_CNC, "AERON_COUNTERS_BUFFER_LENGTH", "counters_values_buffer_length",
         counters_values_bytes, MIB(8), MIB(1), MIB(500), "counter values"),
    SIZE(RJ_SETTINGS_CNC, "AERON_ERROR_BUFFER_LENGTH", "error_buffer_length", error_log_bytes,
         MIB(4), MIB(4), INT32_MAX, "distinct error log"),
    DURATION(RJ_SETTINGS_TIMERS, "AERON_TIMER_INTERVAL", "timer_interval_ns", timer_interval_ns,
             SECONDS(1), MICROS(1), FOREVER, "period of the conductor's timer events"),
    DURATION(RJ_SETTINGS_TIMERS, "AERON_CLIENT_LIVENESS_TIMEOUT", "client_liveness_timeout_ns",
             client_liveness_timeout_ns, SECONDS(10), MICROS(1), FOREVER,
             "silence after which a client is gone; longer than the timer interval"),
    DURATION(RJ_SETTINGS_TIMERS, "AERON_IMAGE_LIVENESS_TIMEOUT", "image_liveness_timeout_ns",
             image_liveness_timeout_ns, SECONDS(10), MICROS(1), FOREVER,
             "silence after which an image is gone"),
    DURATION(RJ_SETTINGS_TIMERS, "AERON_PUBLICATION_UNBLOCK_TIMEOUT",
             "publication_unblock_timeout_ns", publication_unblock_timeout_ns, SECONDS(15),
             MICROS(1), FOREVER,
             "age at which a dead publisher's claim is freed; longer than the client liveness"),
    DURATION(RJ_SETTINGS_TIMERS, "AERON_PUBLICATION_CONNECTION_TIMEOUT",
             "publication_connection_timeout_ns", publication_connection_timeout_ns, SECONDS(5),
             MICROS(1), FOREVER, "how long a status message keeps a publication connected"),
    DURATION(RJ_SETTINGS_TIMERS, "AERON_PUBLICATION_LINGER_TIMEOUT",
             "publication_linger_timeout_ns", publication_linger_timeout_ns, SECONDS(5), MICROS(1),
             FOREVER, "how long a drained publication is kept for resends"),
    DURATION(RJ_SETTINGS_TIMERS, "AERON_UNTETHERED_WINDOW_LIMIT_TIMEOUT",
             "untethered_window_limit_timeout_ns", untethered_window_limit_timeout_ns, SECONDS(5),
             0, FOREVER, "how long an untethered subscriber may hold a stream back"),
    DURATION(RJ_SETTINGS_TIMERS, "AERON_UNTETHERED_RESTING_TIMEOUT",
             "untethered_resting_timeout_ns", untethered_resting_timeout_ns, SECONDS(10), 0,
             FOREVER, "how long it rests before it may join again"),
    FOLLOWED(INT, RJ_SETTINGS_LOSS, "AERON_MAX_RESEND", "max_resend", max_resend, has_max_resend,
             16, 1, 256, "resends of a publication to a group at a time; unset: 256 are possible"),
    DURATION(RJ_SETTINGS_LOSS, "AERON_RETRANSMIT_UNICAST_DELAY", "retransmit_unicast_delay_ns",
             retransmit_delay_ns, 0, 0, FOREVER, "delay before a resend"),
    FOLLOWED(
        DURATION, RJ_SETTINGS_LOSS, "AERON_RETRANSMIT_UNICAST_LINGER",
        "retransmit_unicast_linger_ns", retransmit_linger_ns, has_retransmit_linger, MILLIS(10),
        MICROS(1), FOREVER,
        "how long NAKs of a range are ignored after its resend; unset: by the measured round trip"),
    FOLLOWED(DURATION, RJ_SETTINGS_LOSS, "AERON_NAK_UNICAST_DELAY", "nak_unicast_delay_ns",
             nak_unicast_delay_ns, has_nak_unicast_delay, MICROS(1), MICROS(1), FOREVER,
             "delay of the first NAK"),
    FOLLOWED(INT, RJ_SETTINGS_LOSS, "AERON_NAK_UNICAST_RETRY_DELAY_RATIO",
             "nak_unicast_retry_delay_ratio", nak_unicast_retry_ratio, has_nak_unicast_delay, 100,
             1, INT64_MAX,
             "delay of repeated NAKs, times the first; unset: by the measured round trip"),
    FOLLOWED(DURATION, RJ_SETTINGS_LOSS, "AERON_NAK_MULTICAST_MAX_BACKOFF",
             "nak_multicast_max_backoff_ns", nak_multicast_max_backoff_ns, has_nak_multicast,
             MILLIS(10), MICROS(1), FOREVER,
             "ceiling of the NAK back-off in a group; unset: by the measured round trip below it"),
    SHOWN("unicast_flow_control_rrwm", "16"),
    SHOWN("multicast_flow_control_rrwm", "4"),
    FOLLOWED(INT, RJ_SETTINGS_LOSS, "AERON_NAK_MULTICAST_GROUP_SIZE", "nak_multicast_group_size",
             nak_multicast_group_size, has_nak_multicast, 10, 1, INT32_MAX,
             "receivers that the NAK back-off assumes"),
    DURATION(RJ_SETTINGS_TIMERS, "AERON_RCV_STATUS_MESSAGE_TIMEOUT", "status_message_timeout_ns",
             sm_timeout_ns, MILLIS(200), MICROS(1), FOREVER, "pace of status messages"),
    DURATION(RJ_SETTINGS_TIMERS, "AERON_COUNTERS_FREE_TO_REUSE_TIMEOUT", "counter_free_to_reuse_ns",
             counter_free_to_reuse_ns, SECONDS(1), 0, FOREVER, "quarantine of a freed counter"),
    DURATION(RJ_SETTINGS_STALLS, "AERON_DRIVER_CONDUCTOR_CYCLE_THRESHOLD",
             "conductor_cycle_threshold_ns", conductor_threshold_ns, MILLIS(100), 0, FOREVER,
             "a longer turn of the conductor is counted"),
    DURATION(RJ_SETTINGS_STALLS, "AERON_DRIVER_SENDER_CYCLE_THRESHOLD", "sender_cycle_threshold_ns",
             sender_threshold_ns, MILLIS(100), 0, FOREVER, "the same for the sender"),
    DURATION(RJ_SETTINGS_STALLS, "AERON_DRIVER_RECEIVER_CYCLE_THRESHOLD",
             "receiver_cycle_threshold_ns", receiver_threshold_ns, MILLIS(100), 0, FOREVER,
             "the same for the receiver"),
    DURATION(RJ_SETTINGS_STALLS, "AERON_DRIVER_NAME_RESOLVER_THRESHOLD",
             "name_resolver_threshold_ns", resolver_threshold_ns, SECONDS(5), 0, FOREVER,
             "the same for a name look-up"),
    SIZE(RJ_SETTINGS_STREAMS, "AERON_TERM_BUFFER_LENGTH", "term_buffer_length", term_bytes, MIB(16),
         KIB(1), INT64_MAX, "term length of network publications: a power of two from 64k to 1g"),
    SIZE(RJ_SETTINGS_STREAMS, "AERON_IPC_TERM_BUFFER_LENGTH", "ipc_term_buffer_length",
         ipc_term_bytes, MIB(64), KIB(1), INT64_MAX, "the same for IPC"),
    SIZE(RJ_SETTINGS_STREAMS, "AERON_PUBLICATION_TERM_WINDOW_LENGTH", "publication_window_length",
         publication_window_bytes, 0, 0, GIB(1), "publisher window; 0: half a term"),
    SIZE(RJ_SETTINGS_STREAMS, "AERON_IPC_PUBLICATION_TERM_WINDOW_LENGTH",
         "ipc_publication_window_length", ipc_publication_window_bytes, 0, 0, GIB(1),
         "the same for IPC"),
    SIZE(RJ_SETTINGS_STREAMS, "AERON_RCV_INITIAL_WINDOW_LENGTH", "initial_window_length",
         initial_window_bytes, KIB(128), 256, GIB(1), "receiver window; fits SO_RCVBUF"),
    SIZE(RJ_SETTINGS_SOCKETS, "AERON_SOCKET_SO_SNDBUF", "socket_sndbuf_length", socket_sndbuf_bytes,
         0, 0, INT32_MAX, "SO_SNDBUF; 0: the system's"),
    SIZE(RJ_SETTINGS_SOCKETS, "AERON_SOCKET_SO_RCVBUF", "socket_rcvbuf_length", socket_rcvbuf_bytes,
         KIB(128), 0, INT32_MAX, "SO_RCVBUF; 0: the system's"),
    INT(RJ_SETTINGS_SOCKETS, "AERON_SOCKET_MULTICAST_TTL", "multicast_ttl", multicast_ttl, 0, 0,
        255, "default of ttl=; 0: the system's"),
    SIZE(RJ_SETTINGS_STREAMS, "AERON_MTU_LENGTH", "mtu_length", mtu_bytes, 1408, 32, 65504,
         "longest datagram of network publications: a multiple of 32"),
    SIZE(RJ_SETTINGS_STREAMS, "AERON_IPC_MTU_LENGTH", "ipc_mtu_length", ipc_mtu_bytes, 1408, 32,
         65504, "longest frame of IPC: a multiple of 32"),
    SIZE(RJ_SETTINGS_FILES, "AERON_FILE_PAGE_SIZE", "file_page_size", file_page_bytes, KIB(4),
         KIB(4), GIB(1), "alignment of file lengths: a power of two"),
    SIZE(RJ_SETTINGS_FILES, "AERON_LOW_FILE_STORE_WARNING_THRESHOLD",
         "low_file_store_warning_threshold", low_storage_warning_bytes, MIB(160), 0, INT64_MAX,
         "free space below which to warn"),
    INT(RJ_SETTINGS_STREAMS, "AERON_PUBLICATION_RESERVED_SESSION_ID_LOW",
        "publication_reserved_session_id_low", reserved_session_id_low, -1, INT32_MIN, INT32_MAX,
        "first session id never given out"),
    INT(RJ_SETTINGS_STREAMS, "AERON_PUBLICATION_RESERVED_SESSION_ID_HIGH",
        "publication_reserved_session_id_high", reserved_session_id_high, 1000, INT32_MIN,
        INT32_MAX, "last session id never given out"),
    SIZE(RJ_SETTINGS_CNC, "AERON_LOSS_REPORT_BUFFER_LENGTH", "loss_report_length",
         loss_report_bytes, MIB(1), KIB(1), INT32_MAX, "loss report file"),
    TURN(RJ_SETTINGS_SOCKETS, "AERON_SEND_TO_STATUS_POLL_RATIO", "send_to_sm_poll_ratio",
         send_to_status_poll_ratio, 1, 255,
         "a sender that has data to send reads its sockets every so many turns"),
    TURN(RJ_SETTINGS_SOCKETS, "AERON_RECEIVER_IO_VECTOR_CAPACITY", "receiver_io_vector_capacity",
         receive_batch, RJ_CONFIG_BATCH, 16, "datagrams that a receiver reads in one call"),
    TURN(RJ_SETTINGS_SOCKETS, "AERON_SENDER_IO_VECTOR_CAPACITY", "sender_io_vector_capacity",
         control_batch, RJ_CONFIG_BATCH, 16, "datagrams that a sender reads in one call"),
    TURN(RJ_SETTINGS_SOCKETS, "AERON_NETWORK_PUBLICATION_MAX_MESSAGES_PER_SEND",
         "network_publication_max_messages_per_send", messages_per_send, RJ_CONFIG_BATCH, 16,
         "datagrams of a publication in one turn"),
    INT(RJ_SETTINGS_THREADS, "AERON_DRIVER_RESOURCE_FREE_LIMIT", "resource_free_limit",
        resource_free_limit, 1, 1, INT32_MAX,
        "log buffers that could not be freed and are tried again in one turn of the helper"),
    INT(RJ_SETTINGS_THREADS, "AERON_CONDUCTOR_CPU_AFFINITY", "conductor_cpu_affinity_no",
        conductor_cpu, -1, -1, 255, "CPU of the conductor or shared thread; -1: any"),
    INT(RJ_SETTINGS_THREADS, "AERON_RECEIVER_CPU_AFFINITY", "receiver_cpu_affinity_no",
        receiver_cpu, -1, -1, 255, "CPU of the receiver thread"),
    INT(RJ_SETTINGS_THREADS, "AERON_SENDER_CPU_AFFINITY", "sender_cpu_affinity_no", sender_cpu, -1,
        -1, 255, "CPU of the sender or shared network thread"),
    INT(RJ_SETTINGS_THREADS, "AERON_DRIVER_NATIVE_RESOURCE_AGENT_CPU_AFFINITY",
        "native_resource_agent_cpu_affinity_no", helper_cpu, -1, -1, 255,
        "CPU of the helper thread"),
    BOOL(RJ_SETTINGS_THREADS, "AERON_DRIVER_CPUSET_AFFINITY", "cpuset_affinity", cpuset_affinity, 0,
         "the four CPUs are places in the list of the process's cgroup cpuset"),
    BOOL(RJ_SETTINGS_THREADS, "AERON_DRIVER_CPUSET_WARNINGS_AS_ERRORS", "cpuset_warnings_as_errors",
         cpuset_warnings_as_errors, 0,
         "what is wrong with the topology of that list refuses to start"),
    SHOWN("epoch_clock", "CLOCK_REALTIME"),
    SHOWN("nano_clock", "CLOCK_MONOTONIC"),
    NAMED(CHOICE, RJ_SETTINGS_THREADS, "AERON_THREADING_MODE", "threading_mode", threading_mode,
          RJ_THREADING_DEDICATED, threading_names,
          "DEDICATED, SHARED_NETWORK, SHARED, or INVOKER for programs that embed the driver"),
    FOREIGN(RJ_SETTINGS_THREADS, "AERON_AGENT_ON_START_FUNCTION", "agent_on_start_func", no_names,
            ""),
    SHOWN("agent_on_start_state", ""),
    TEXT(RJ_SETTINGS_THREADS, "AERON_CONDUCTOR_IDLE_STRATEGY", "conductor_idle_strategy_func",
         idle[RJ_ROLE_CONDUCTOR].name, "backoff", "noop, spin, yield, sleep-ns or backoff"),
    TEXT(RJ_SETTINGS_THREADS, "AERON_CONDUCTOR_IDLE_STRATEGY_INIT_ARGS",
         "conductor_idle_strategy_init_args", idle[RJ_ROLE_CONDUCTOR].args, "",
         "its arguments, e.g. 10-20-1us-1ms"),
    TEXT(RJ_SETTINGS_THREADS, "AERON_SENDER_IDLE_STRATEGY", "sender_idle_strategy_func",
         idle[RJ_ROLE_SENDER].name, "backoff", "the sender's"),
    TEXT(RJ_SETTINGS_THREADS, "AERON_SENDER_IDLE_STRATEGY_INIT_ARGS",
         "sender_idle_strategy_init_args", idle[RJ_ROLE_SENDER].args, "", "its arguments"),
    TEXT(RJ_SETTINGS_THREADS, "AERON_RECEIVER_IDLE_STRATEGY", "receiver_idle_strategy_func",
         idle[RJ_ROLE_RECEIVER].name, "backoff", "the receiver's"),
    TEXT(RJ_SETTINGS_THREADS, "AERON_RECEIVER_IDLE_STRATEGY_INIT_ARGS",
         "receiver_idle_strategy_init_args", idle[RJ_ROLE_RECEIVER].args, "", "its arguments"),
    TEXT(RJ_SETTINGS_THREADS, "AERON_SHAREDNETWORK_IDLE_STRATEGY",
         "shared_network_idle_strategy_func", idle[RJ_ROLE_SHARED_NETWORK].name, "backoff",
         "that of SHARED_NETWORK's second thread"),
    TEXT(RJ_SETTINGS_THREADS, "AERON_SHAREDNETWORK_IDLE_STRATEGY_INIT_ARGS",
         "shared_network_idle_strategy_init_args", idle[RJ_ROLE_SHARED_NETWORK].args, "",
         "its arguments"),
    TEXT(RJ_SETTINGS_THREADS, "AERON_SHARED_IDLE_STRATEGY", "shared_idle_strategy_func",
         idle[RJ_ROLE_SHARED].name, "backoff", "that of SHARED's one thread"),
    TEXT(RJ_SETTINGS_THREADS, "AERON_SHARED_IDLE_STRATEGY_INIT_ARGS",
         "shared_idle_strategy_init_args", idle[RJ_ROLE_SHARED].args, "", "its arguments"),
    TEXT(RJ_SETTINGS_THREADS, "AERON_DRIVER_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY",
         "native_resource_agent_idle_strategy_func", idle[RJ_ROLE_HELPER].name, "sleep-ns",
         "the helper thread's"),
    TEXT(RJ_SETTINGS_THREADS, "AERON_DRIVER_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY_INIT_ARGS",
         "native_resource_agent_idle_strategy_init_args", idle[RJ_ROLE_HELPER].args, "1ms",
         "its arguments; heard only where the strategy is set too"),
    NAMED(SUPPLIER, RJ_SETTINGS_LOSS, "AERON_UNICAST_FLOWCONTROL_SUPPLIER",
          "unicast_flow_control_supplier_func", unicast_flow_supplier, RJ_FLOW_SUPPLIER_UNICAST_MAX,
          flow_names, "flow control of unicast"),
    NAMED(SUPPLIER, RJ_SETTINGS_LOSS, "AERON_MULTICAST_FLOWCONTROL_SUPPLIER",
          "multicast_flow_control_supplier_func", multicast_flow_supplier,
          RJ_FLOW_SUPPLIER_MULTICAST_MAX, flow_names,
          "default of fc=: flow control of multicast and of many destinations"),
    PRESENT("receiver_group_tag.is_present", has_receiver_group_tag),
    TAG(RJ_SETTINGS_LOSS, "AERON_RECEIVER_GROUP_TAG", "receiver_group_tag.value",
        receiver_group_tag, has_receiver_group_tag, "tag sent in status messages; unset: none"),
    INT(RJ_SETTINGS_LOSS, "AERON_FLOW_CONTROL_GROUP_TAG", "flow_control.group_tag", flow_group_tag,
        -1, INT64_MIN, INT64_MAX, "tag of the receivers that tagged flow control follows"),
    INT(RJ_SETTINGS_LOSS, "AERON_FLOW_CONTROL_GROUP_MIN_SIZE", "flow_control.group_min_size",
        flow_group_min_size, 0, 0, INT32_MAX,
        "receivers that have to be there before a publication is connected"),
    DURATION(RJ_SETTINGS_LOSS, "AERON_FLOW_CONTROL_RECEIVER_TIMEOUT",
             "flow_control_receiver_timeout_ns", flow_receiver_timeout_ns, SECONDS(5), 0, FOREVER,
             "silence after which flow control drops a receiver"),
    NAMED(SUPPLIER, RJ_SETTINGS_LOSS, "AERON_CONGESTIONCONTROL_SUPPLIER",
          "congestion_control_supplier_func", congestion_supplier, RJ_CONGESTION_SUPPLIER_DEFAULT,
          congestion_names, "default of cc="),
    SHOWN("usable_fs_space_func", "statvfs"),
    NAMED(SUPPLIER, RJ_SETTINGS_FILES, "AERON_DRIVER_TERMINATION_VALIDATOR",
          "termination_validator_func", termination_validator, RJ_TERMINATION_DENY, validator_names,
          "what becomes of a terminate command"),
    SHOWN("termination_validator_state", ""),
    SHOWN("termination_hook_func", "exit"),
    SHOWN("termination_hook_state", ""),
    NAMED(SUPPLIER, RJ_SETTINGS_NAMES, "AERON_NAME_RESOLVER_SUPPLIER",
          "name_resolver_supplier_func", resolver_supplier, RJ_RESOLVER_SUPPLIER_DEFAULT,
          resolver_names, "who resolves names"),
    TEXT(RJ_SETTINGS_NAMES, "AERON_NAME_RESOLVER_INIT_ARGS", "name_resolver_init_args",
         resolver_args, "", "the table of csv_table: name,first host,later host|..."),
    TEXT(RJ_SETTINGS_NAMES, "AERON_DRIVER_RESOLVER_NAME", "resolver_name", resolver_name, "",
         "this driver's name among others; needed with an interface"),
    TEXT(RJ_SETTINGS_NAMES, "AERON_DRIVER_RESOLVER_INTERFACE", "resolver_interface",
         resolver_interface, "", "address:port where drivers tell one another names"),
    TEXT(RJ_SETTINGS_NAMES, "AERON_DRIVER_RESOLVER_BOOTSTRAP_NEIGHBOR",
         "resolver_bootstrap_neighbor", resolver_neighbors, "",
         "drivers to ask first, with commas between, at most 20"),
    DURATION(RJ_SETTINGS_NAMES, "AERON_DRIVER_RERESOLUTION_CHECK_INTERVAL",
             "re_resolution_check_interval_ns", reresolution_interval_ns, SECONDS(1), 0, FOREVER,
             "how often it is looked whether a name has to be resolved again; 0: never"),
    PORTS(RJ_SETTINGS_SOCKETS, "AERON_SENDER_WILDCARD_PORT_RANGE", "sender_wildcard_port_range",
          sender_port_range, "ports of control=host:0, as 20700 20709; 0 0: the system chooses"),
    PORTS(RJ_SETTINGS_SOCKETS, "AERON_RECEIVER_WILDCARD_PORT_RANGE", "receiver_wildcard_port_range",
          receiver_port_range, "ports of endpoint=host:0, likewise"),
    WORD(RJ_SETTINGS_FILES, "AERON_ENABLE_EXPERIMENTAL_FEATURES", "enable_experimental_features",
         experimental_features, 0, "gates nothing at present"),
    INT(RJ_SETTINGS_STREAMS, "AERON_DRIVER_STREAM_SESSION_LIMIT", "stream_session_limit",
        stream_session_limit, INT32_MAX, 1, INT32_MAX, "images of a stream at an endpoint"),
    FOREIGN(RJ_SETTINGS_SOCKETS, "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_MEDIA",
            "udp_channel_transport_bindings.media", binding_names, "default"),
    FOREIGN(RJ_SETTINGS_SOCKETS, "AERON_CONDUCTOR_UDP_CHANNEL_TRANSPORT_BINDINGS_MEDIA",
            "conductor_udp_channel_transport_bindings.media", binding_names, "default"),
    INTERCEPTORS(RJ_SETTINGS_SOCKETS, "AERON_UDP_CHANNEL_OUTGOING_INTERCEPTORS",
                 "udp_channel_outgoing_interceptor_bindings.interceptor", outgoing_interceptors,
                 "loss tools for outgoing datagrams"),
    INTERCEPTORS(RJ_SETTINGS_SOCKETS, "AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS",
                 "udp_channel_incoming_interceptor_bindings.interceptor", incoming_interceptors,
                 "loss tools for incoming ones: loss, fixed-loss, multi-gap-loss"),

    NAMED(CHOICE, RJ_SETTINGS_THREADS, "AERON_THREAD_NAMING", "thread_naming", thread_naming,
          RJ_THREAD_NAMES_CLASSIC, naming_names, "names of threads: classic or new"),
    DURATION(RJ_SETTINGS_TIMERS, "AERON_UNTETHERED_LINGER_TIMEOUT", "untethered_linger_timeout_ns",
             untethered_linger_timeout_ns, -1, 0, FOREVER,
             "how long it lingers before it rests; unset: as the window limit timeout"),
    BOOL(RJ_SETTINGS_SOCKETS, "AERON_DRIVER_CONNECT", "connect_enabled", connect_sockets, 1,
         "connect() sockets that send to one address"),
    TEXT(RJ_SETTINGS_SOCKETS, "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_LOSS_ARGS", "loss_args",
         loss_args, "", "of loss: rate=0.1|seed=7|recv-msg-mask=0xf"),
    TEXT(RJ_SETTINGS_SOCKETS, "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_FIXED_LOSS_ARGS",
         "fixed_loss_args", fixed_loss_args, "",
         "of fixed-loss: term-id=0|term-offset=1024|length=512"),
    TEXT(RJ_SETTINGS_SOCKETS, "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_MULTI_GAP_LOSS_ARGS",
         "multi_gap_loss_args", multi_gap_loss_args, "",
         "of multi-gap-loss: term-id=0|gap-radix=8192|gap-length=512|total-gaps=3"),
    BOOL(RJ_SETTINGS_LOSS, "AERON_CUBICCONGESTIONCONTROL_MEASURERTT", "cubic_measure_rtt",
         cubic_measures_rtt, 0, "cubic measures round trips"),
    DURATION(RJ_SETTINGS_LOSS, "AERON_CUBICCONGESTIONCONTROL_INITIALRTT", "cubic_initial_rtt_ns",
             cubic_initial_rtt_ns, MICROS(100), 0, FOREVER,
             "round trip that cubic assumes at first"),
    BOOL(RJ_SETTINGS_LOSS, "AERON_CUBICCONGESTIONCONTROL_TCPMODE", "cubic_tcp_mode", cubic_tcp_mode,
         0, "cubic is never slower than TCP would be"),
    DURATION(RJ_SETTINGS_NAMES, "AERON_DRIVER_RESOLVER_NEIGHBOR_TIMEOUT",
             "resolver_neighbor_timeout_ns", resolver_neighbor_timeout_ns, SECONDS(10), MILLIS(1),
             FOREVER, "silence after which a driver and what it said of names is forgotten"),
    DURATION(RJ_SETTINGS_NAMES, "AERON_DRIVER_RESOLVER_SELF_RESOLUTION_INTERVAL",
             "resolver_self_resolution_interval_ns", resolver_self_interval_ns, SECONDS(1),
             MILLIS(1), FOREVER, "how often it tells its own name"),
    DURATION(RJ_SETTINGS_NAMES, "AERON_DRIVER_RESOLVER_NEIGHBOR_RESOLUTION_INTERVAL",
             "resolver_neighbor_resolution_interval_ns", resolver_neighbor_interval_ns, SECONDS(2),
             MILLIS(1), FOREVER, "how often it tells the names of others"),
    DURATION(RJ_SETTINGS_NAMES, "AERON_DRIVER_RESOLVER_BOOTSTRAP_NEIGHBOR_RESOLUTION_INTERVAL",
             "resolver_bootstrap_resolution_interval_ns", resolver_bootstrap_interval_ns,
             SECONDS(10), MILLIS(1), FOREVER, "how often bootstrap names are resolved anew"),
    TEXT(RJ_SETTINGS_EVENT_LOG, "AERON_EVENT_LOG", "event_log", event_log, "",
         "events to record: admin, all, or names with commas between"),
    TEXT(RJ_SETTINGS_EVENT_LOG, "AERON_EVENT_LOG_DISABLE", "event_log_disable", event_log_disable,
         "", "events to leave out again"),
    TEXT(RJ_SETTINGS_EVENT_LOG, "AERON_EVENT_LOG_FILENAME", "event_log_filename", event_log_file,
         "", "where they go; none: stdout"),
    SIZE(RJ_SETTINGS_EVENT_LOG, "AERON_EVENT_LOG_FILE_MAX_LENGTH", "event_log_file_max_length",
         event_log_file_bytes_max, INT64_MAX, 0, INT64_MAX, "length at which a new file is begun"),
    FOREIGN(RJ_SETTINGS_FILES, "AERON_DRIVER_DYNAMIC_LIBRARIES", NULL, no_names, ""),
    NONE(RJ_SETTINGS_DEBUG, "AERON_DEBUG_SEND_DATA_LOSS_RATE"),
    NONE(RJ_SETTINGS_DEBUG, "AERON_DEBUG_SEND_DATA_LOSS_SEED"),
    NONE(RJ_SETTINGS_DEBUG, "AERON_DEBUG_SEND_CONTROL_LOSS_RATE"),
    NONE(RJ_SETTINGS_DEBUG, "AERON_DEBUG_SEND_CONTROL_LOSS_SEED"),
    NONE(RJ_SETTINGS_DEBUG, "AERON_DEBUG_RECEIVE_DATA_LOSS_RATE"),
    NONE(RJ_SETTINGS_DEBUG, "AERON_DEBUG_RECEIVE_DATA_LOSS_SEED"),
    NONE(RJ_SETTINGS_DEBUG, "AERON_DEBUG_RECEIVE_CONTROL_LOSS_RATE"),
    NONE(RJ_SETTINGS_DEBUG, "AERON_DEBUG_RECEIVE_CONTROL_LOSS_SEED"),

    TEXT(RJ_SETTINGS_OURS, "RAMJET_INTERFACE", "interface", interface_list, "",
         "interfaces where XDP is used, as eth0,eth1; none: those attached before"),
    TEXT(RJ_SETTINGS_OURS, "RAMJET_TRANSPORT", "transport", transport_text, "auto",
         "how datagrams travel: " RJ_TRANSPORT_NAMES),
    TEXT(RJ_SETTINGS_OURS, "RAMJET_CHANNEL_TRANSPORT", "channel_transport", channel_transports, "",
         "that of some channels, as 10.0.0.2:*=socket,*:40123=xdp; `ramjet-transport=` goes first"),
    TEXT(RJ_SETTINGS_OURS, "RAMJET_XDP_MODE", "xdp_mode", xdp_mode_text, "auto", RJ_XDP_MODE_NAMES),
    TEXT(RJ_SETTINGS_OURS, "RAMJET_QUEUES", "queues", queue_range, "",
         "receive queues with an engine each, as 0-3; none: queue 0 alone"),
    TEXT(RJ_SETTINGS_OURS, "RAMJET_CONTROL", "control", control_text, "kernel",
         "where control frames come in: kernel (the socket) or ring"),
    TEXT(RJ_SETTINGS_OURS, "RAMJET_STEER_QUEUES", "steer_queues", steer_queues_text, "auto",
         "the card's rules bring datagrams to their engine's queue: auto, on or off"),
    TEXT(RJ_SETTINGS_OURS, "RAMJET_BUSY_POLL", "busy_poll", busy_poll_text, "0",
         "engines do their card's work for so many us, as 20 or 20:64 (packets); 0: off"),
    TEXT(RJ_SETTINGS_OURS, "RAMJET_DPDK_ARGS", "dpdk_args", dpdk_args, "",
         "what DPDK is started with, as --no-pci --vdev=net_af_packet0,iface=eth0"),
    TEXT(RJ_SETTINGS_OURS, "RAMJET_COPY_FREE", "copy_free", copy_free_text, "0",
         "publications that AF_XDP sends straight from their log buffers; 0: all are copied"),
    TEXT(RJ_SETTINGS_OURS, "RAMJET_ENGINE_CPUS", "engine_cpus", engine_cpu_list, "",
         "CPUs of the engines in their order, as 2,3 or 2-5; none: any"),
    NAMED(CHOICE, RJ_SETTINGS_OURS, "RAMJET_URING_ZERO_COPY", "uring_zero_copy", uring_zero_copy,
          RJ_ZERO_COPY_OFF, zero_copy_names,
          "uring sends long runs without a copy: off, on or auto (while the kernel does not copy)"),
    BOOL(RJ_SETTINGS_OURS, "RAMJET_MDC_STREAM_AWARE", "mdc_stream_aware", mdc_stream_aware, 1,
         "a destination gets the streams that are wanted there; false: all, as Aeron"),
    TEXT(RJ_SETTINGS_OURS, "RAMJET_INSTANCE", "instance", instance, "",
         "whose pinned maps are used; none: the number of the network namespace"),
    WORD(RJ_SETTINGS_OURS, "RAMJET_REFERENCE_TIMING", "reference_timing", reference_timing, 0,
         "NAKs, resends and heartbeats at the reference's pace, not at that of round trips"),
};

const size_t rj_option_count = sizeof(rj_options) / sizeof(rj_options[0]);

const char *rj_settings_title(rj_settings_t group)
{
    static const char *const titles[] = {
        [RJ_SETTINGS_FILES] = "Directory, files, process",
        [RJ_SETTINGS_CNC] = "Buffers of the CnC file",
        [RJ_SETTINGS_THREADS] = "Threads and idling",
        [RJ_SETTINGS_TIMERS] = "Liveness and timers",
        [RJ_SETTINGS_STREAMS] = "Streams",
        [RJ_SETTINGS_SOCKETS] = "Sockets",
        [RJ_SETTINGS_LOSS] = "Flow control, NAK, retransmit, congestion",
        [RJ_SETTINGS_NAMES] = "Names",
        [RJ_SETTINGS_STALLS] = "Stall thresholds",
        [RJ_SETTINGS_EVENT_LOG] = "Event log",
        [RJ_SETTINGS_DEBUG] = "Debug loss",
        [RJ_SETTINGS_OURS] = "Past the kernel, ours alone",
    };
    return titles[group];
}

const rj_option_t *rj_option_find(const char *variable)
{
    for (size_t i = 0; i < rj_option_count; i++)
        if (rj_options[i].variable != NULL && strcmp(rj_options[i].variable, variable) == 0)
            return &rj_options[i];
    return NULL;
}

const rj_option_name_t *rj_option_name_find(const rj_option_name_t *names, const char *text)
{
    for (; names->name != NULL; names++)
        if (strcmp(text, names->name) == 0 ||
            (names->symbol != NULL && strcmp(text, names->symbol) == 0))
            return names;
    return NULL;
}

const rj_option_name_t *rj_option_value_find(const rj_option_name_t *names, int64_t value)
{
    for (; names->name != NULL; names++)
        if (names->value == value)
            return names;
    return NULL;
}

int64_t rj_option_number(const rj_driver_config_t *config, const rj_option_t *option)
{
    const char *field = (const char *)config + option->offset;
    if (option->type == RJ_OPTION_BOOL)
        return *(const bool *)(const void *)field;
    int64_t value;
    memcpy(&value, field, sizeof(value));
    return value;
}

void rj_option_set_number(rj_driver_config_t *config, const rj_option_t *option, int64_t value)
{
    char *field = (char *)config + option->offset;
    if (option->type == RJ_OPTION_BOOL)
        *(bool *)(void *)field = value != 0;
    else
        memcpy(field, &value, sizeof(value));
}
