/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/quantity.h"
#include "config/ring_config.h"

typedef enum option_type {
    OPTION_BOOL,
    OPTION_SIZE,
    OPTION_DURATION,
    OPTION_INT,
    OPTION_TEXT,
    OPTION_THREADING,
    OPTION_GROUP
} option_type_t;

typedef struct option {
    const char *variable;
    const char *key; /* in the printed configuration */
    option_type_t type;
    size_t offset;
    int64_t fallback; /* for texts: none */
    int64_t min;
    int64_t max;
    const char *help;
    const char *text_fallback;
    size_t presence_offset; /* a bool that says that somebody set it; 0: none */
} option_t;

#define FOREVER        RJ_CONFIG_DURATION_NS_MAX
#define FIELD(name)    offsetof(rj_driver_config_t, name)
#define SECONDS(n)     ((n)*INT64_C(1000000000))
#define MILLIS(n)      ((n)*INT64_C(1000000))
#define MICROS(n)      ((n)*INT64_C(1000))
#define KIB(n)         ((n)*INT64_C(1024))
#define MIB(n)         ((n)*INT64_C(1048576))
#define GIB(n)         ((n)*INT64_C(1073741824))
#define IDLE(role)     FIELD(idle[role].name)
#define IDLEARGS(role) FIELD(idle[role].args)

/* tidy: long because it is the table. The order is that of driver.md 22.3. */
static const option_t options[] = {
    {"AERON_DIR", "aeron_dir", OPTION_TEXT, FIELD(dir), 0, 0, RJ_CONFIG_PATH_MAX,
     "driver directory", "", 0},
    {"AERON_DIR_WARN_IF_EXISTS", "warn_if_dirs_exists", OPTION_BOOL, FIELD(dir_warn_if_exists), 0,
     0, 1, "warn when the directory exists already", NULL, 0},
    {"AERON_DIR_DELETE_ON_START", "dirs_delete_on_start", OPTION_BOOL, FIELD(dir_delete_on_start),
     0, 0, 1, "delete the directory without asking whether a driver lives in it", NULL, 0},
    {"AERON_DIR_DELETE_ON_SHUTDOWN", "dirs_delete_on_shutdown", OPTION_BOOL,
     FIELD(dir_delete_on_shutdown), 0, 0, 1, "delete the directory after closing", NULL, 0},
    {"AERON_DRIVER_TIMEOUT", "driver_timeout_ms", OPTION_INT, FIELD(driver_timeout_ms), 10000, 0,
     FOREVER / 1000000, "age of a heartbeat (ms) above which a driver counts as dead", NULL, 0},
    {"AERON_FILE_PAGE_SIZE", "file_page_size", OPTION_SIZE, FIELD(file_page_bytes), KIB(4), KIB(4),
     GIB(1), "alignment of file lengths", NULL, 0},
    {"AERON_PERFORM_STORAGE_CHECKS", "perform_storage_checks", OPTION_BOOL,
     FIELD(perform_storage_checks), 1, 0, 1, "look for free space before a log buffer is made",
     NULL, 0},
    {"AERON_LOW_FILE_STORE_WARNING_THRESHOLD", "low_file_store_warning_threshold", OPTION_SIZE,
     FIELD(low_storage_warning_bytes), MIB(160), 0, INT64_MAX, "free space below which to warn",
     NULL, 0},
    {"AERON_TERM_BUFFER_SPARSE_FILE", "term_buffer_sparse_file", OPTION_BOOL,
     FIELD(term_buffer_sparse), 1, 0, 1, "sparse log buffers", NULL, 0},
    {"AERON_PRINT_CONFIGURATION", "print_configuration_on_start", OPTION_BOOL,
     FIELD(print_configuration), 0, 0, 1, "print the configuration at start", NULL, 0},
    {"AERON_DRIVER_TERMINATION_VALIDATOR", "termination_validator_func", OPTION_TEXT,
     FIELD(termination_validator), 0, 0, 0, "allow or deny the terminate command", "deny", 0},

    {"AERON_CONDUCTOR_BUFFER_LENGTH", "to_driver_buffer_length", OPTION_SIZE,
     FIELD(to_driver_bytes), MIB(1) + 768, MIB(1) + 768, INT32_MAX,
     "ring from clients, trailer included", NULL, 0},
    {"AERON_CLIENTS_BUFFER_LENGTH", "to_clients_buffer_length", OPTION_SIZE,
     FIELD(to_clients_bytes), MIB(1) + 128, MIB(1) + 128, INT32_MAX,
     "broadcast to clients, trailer included", NULL, 0},
    {"AERON_COUNTERS_BUFFER_LENGTH", "counters_values_buffer_length", OPTION_SIZE,
     FIELD(counters_values_bytes), MIB(8), MIB(1), MIB(500), "counter values", NULL, 0},
    {"AERON_ERROR_BUFFER_LENGTH", "error_buffer_length", OPTION_SIZE, FIELD(error_log_bytes),
     MIB(4), MIB(4), INT32_MAX, "distinct error log", NULL, 0},
    {"AERON_LOSS_REPORT_BUFFER_LENGTH", "loss_report_length", OPTION_SIZE, FIELD(loss_report_bytes),
     MIB(1), KIB(1), INT32_MAX, "loss report file", NULL, 0},

    {"AERON_THREADING_MODE", "threading_mode", OPTION_THREADING, FIELD(threading_mode),
     RJ_THREADING_DEDICATED, 0, 0, "DEDICATED, SHARED_NETWORK, SHARED or INVOKER", NULL, 0},
    {"AERON_CONDUCTOR_IDLE_STRATEGY", "conductor_idle_strategy_func", OPTION_TEXT,
     IDLE(RJ_ROLE_CONDUCTOR), 0, 0, 0, "noop, spin, yield, sleep-ns or backoff", "backoff", 0},
    {"AERON_CONDUCTOR_IDLE_STRATEGY_INIT_ARGS", "conductor_idle_strategy_init_args", OPTION_TEXT,
     IDLEARGS(RJ_ROLE_CONDUCTOR), 0, 0, 0, "its arguments, e.g. 10-20-1us-1ms", "", 0},
    {"AERON_SENDER_IDLE_STRATEGY", "sender_idle_strategy_func", OPTION_TEXT, IDLE(RJ_ROLE_SENDER),
     0, 0, 0, "the sender's", "backoff", 0},
    {"AERON_SENDER_IDLE_STRATEGY_INIT_ARGS", "sender_idle_strategy_init_args", OPTION_TEXT,
     IDLEARGS(RJ_ROLE_SENDER), 0, 0, 0, "its arguments", "", 0},
    {"AERON_RECEIVER_IDLE_STRATEGY", "receiver_idle_strategy_func", OPTION_TEXT,
     IDLE(RJ_ROLE_RECEIVER), 0, 0, 0, "the receiver's", "backoff", 0},
    {"AERON_RECEIVER_IDLE_STRATEGY_INIT_ARGS", "receiver_idle_strategy_init_args", OPTION_TEXT,
     IDLEARGS(RJ_ROLE_RECEIVER), 0, 0, 0, "its arguments", "", 0},
    {"AERON_SHAREDNETWORK_IDLE_STRATEGY", "shared_network_idle_strategy_func", OPTION_TEXT,
     IDLE(RJ_ROLE_SHARED_NETWORK), 0, 0, 0, "that of SHARED_NETWORK's second thread", "backoff", 0},
    {"AERON_SHAREDNETWORK_IDLE_STRATEGY_INIT_ARGS", "shared_network_idle_strategy_init_args",
     OPTION_TEXT, IDLEARGS(RJ_ROLE_SHARED_NETWORK), 0, 0, 0, "its arguments", "", 0},
    {"AERON_SHARED_IDLE_STRATEGY", "shared_idle_strategy_func", OPTION_TEXT, IDLE(RJ_ROLE_SHARED),
     0, 0, 0, "that of SHARED's one thread", "backoff", 0},
    {"AERON_SHARED_IDLE_STRATEGY_INIT_ARGS", "shared_idle_strategy_init_args", OPTION_TEXT,
     IDLEARGS(RJ_ROLE_SHARED), 0, 0, 0, "its arguments", "", 0},
    {"AERON_DRIVER_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY", "native_resource_agent_idle_strategy_func",
     OPTION_TEXT, IDLE(RJ_ROLE_HELPER), 0, 0, 0, "the helper thread's", "sleep-ns", 0},
    {"AERON_DRIVER_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY_INIT_ARGS",
     "native_resource_agent_idle_strategy_init_args", OPTION_TEXT, IDLEARGS(RJ_ROLE_HELPER), 0, 0,
     0, "its arguments", "1ms", 0},
    {"AERON_CONDUCTOR_CPU_AFFINITY", "conductor_cpu_affinity_no", OPTION_INT, FIELD(conductor_cpu),
     -1, -1, 255, "CPU of the conductor or shared thread; -1: any", NULL, 0},
    {"AERON_SENDER_CPU_AFFINITY", "sender_cpu_affinity_no", OPTION_INT, FIELD(sender_cpu), -1, -1,
     255, "CPU of the sender or shared network thread", NULL, 0},
    {"AERON_RECEIVER_CPU_AFFINITY", "receiver_cpu_affinity_no", OPTION_INT, FIELD(receiver_cpu), -1,
     -1, 255, "CPU of the receiver thread", NULL, 0},
    {"AERON_DRIVER_NATIVE_RESOURCE_AGENT_CPU_AFFINITY", "native_resource_agent_cpu_affinity_no",
     OPTION_INT, FIELD(helper_cpu), -1, -1, 255, "CPU of the helper thread", NULL, 0},

    {"AERON_TIMER_INTERVAL", "timer_interval_ns", OPTION_DURATION, FIELD(timer_interval_ns),
     SECONDS(1), MICROS(1), FOREVER, "period of the conductor's timer events", NULL, 0},
    {"AERON_CLIENT_LIVENESS_TIMEOUT", "client_liveness_timeout_ns", OPTION_DURATION,
     FIELD(client_liveness_timeout_ns), SECONDS(10), MICROS(1), FOREVER,
     "silence after which a client is gone", NULL, 0},
    {"AERON_PUBLICATION_UNBLOCK_TIMEOUT", "publication_unblock_timeout_ns", OPTION_DURATION,
     FIELD(publication_unblock_timeout_ns), SECONDS(15), MICROS(1), FOREVER,
     "age at which a dead publisher's claim is freed", NULL, 0},
    {"AERON_IMAGE_LIVENESS_TIMEOUT", "image_liveness_timeout_ns", OPTION_DURATION,
     FIELD(image_liveness_timeout_ns), SECONDS(10), MICROS(1), FOREVER,
     "silence after which an image is gone", NULL, 0},
    {"AERON_PUBLICATION_CONNECTION_TIMEOUT", "publication_connection_timeout_ns", OPTION_DURATION,
     FIELD(publication_connection_timeout_ns), SECONDS(5), MICROS(1), FOREVER,
     "how long a status message keeps a publication connected", NULL, 0},
    {"AERON_PUBLICATION_LINGER_TIMEOUT", "publication_linger_timeout_ns", OPTION_DURATION,
     FIELD(publication_linger_timeout_ns), SECONDS(5), MICROS(1), FOREVER,
     "how long a drained publication is kept for resends", NULL, 0},
    {"AERON_COUNTERS_FREE_TO_REUSE_TIMEOUT", "counter_free_to_reuse_ns", OPTION_DURATION,
     FIELD(counter_free_to_reuse_ns), SECONDS(1), 0, FOREVER, "quarantine of a freed counter", NULL,
     0},
    {"AERON_UNTETHERED_WINDOW_LIMIT_TIMEOUT", "untethered_window_limit_timeout_ns", OPTION_DURATION,
     FIELD(untethered_window_limit_timeout_ns), SECONDS(5), 0, FOREVER,
     "how long an untethered subscriber may hold a stream back", NULL, 0},
    {"AERON_UNTETHERED_LINGER_TIMEOUT", "untethered_linger_timeout_ns", OPTION_DURATION,
     FIELD(untethered_linger_timeout_ns), -1, 0, FOREVER, "then how long it lingers", NULL, 0},
    {"AERON_UNTETHERED_RESTING_TIMEOUT", "untethered_resting_timeout_ns", OPTION_DURATION,
     FIELD(untethered_resting_timeout_ns), SECONDS(10), 0, FOREVER, "then how long it rests", NULL,
     0},
    {"AERON_RCV_STATUS_MESSAGE_TIMEOUT", "status_message_timeout_ns", OPTION_DURATION,
     FIELD(sm_timeout_ns), MILLIS(200), MICROS(1), FOREVER, "pace of status messages", NULL, 0},

    {"AERON_TERM_BUFFER_LENGTH", "term_buffer_length", OPTION_SIZE, FIELD(term_bytes), MIB(16),
     KIB(1), INT64_MAX, "term length of network publications", NULL, 0},
    {"AERON_IPC_TERM_BUFFER_LENGTH", "ipc_term_buffer_length", OPTION_SIZE, FIELD(ipc_term_bytes),
     MIB(64), KIB(1), INT64_MAX, "term length of IPC publications", NULL, 0},
    {"AERON_MTU_LENGTH", "mtu_length", OPTION_SIZE, FIELD(mtu_bytes), 1408, 32, 65504,
     "network MTU", NULL, 0},
    {"AERON_IPC_MTU_LENGTH", "ipc_mtu_length", OPTION_SIZE, FIELD(ipc_mtu_bytes), 1408, 32, 65504,
     "IPC MTU", NULL, 0},
    {"AERON_PUBLICATION_TERM_WINDOW_LENGTH", "publication_window_length", OPTION_SIZE,
     FIELD(publication_window_bytes), 0, 0, GIB(1), "publisher window; 0: half a term", NULL, 0},
    {"AERON_IPC_PUBLICATION_TERM_WINDOW_LENGTH", "ipc_publication_window_length", OPTION_SIZE,
     FIELD(ipc_publication_window_bytes), 0, 0, GIB(1), "the same for IPC", NULL, 0},
    {"AERON_RCV_INITIAL_WINDOW_LENGTH", "initial_window_length", OPTION_SIZE,
     FIELD(initial_window_bytes), KIB(128), 256, GIB(1), "receiver window", NULL, 0},
    {"AERON_SPIES_SIMULATE_CONNECTION", "spies_simulate_connection", OPTION_BOOL,
     FIELD(spies_simulate_connection), 0, 0, 1, "default of ssc=", NULL, 0},
    {"AERON_RELIABLE_STREAM", "reliable_stream", OPTION_BOOL, FIELD(reliable_stream), 1, 0, 1,
     "default of reliable=", NULL, 0},
    {"AERON_TETHER_SUBSCRIPTIONS", "tether_subscriptions", OPTION_BOOL, FIELD(tether_subscriptions),
     1, 0, 1, "default of tether=", NULL, 0},
    {"AERON_REJOIN_STREAM", "rejoin_stream", OPTION_BOOL, FIELD(rejoin_stream), 1, 0, 1,
     "default of rejoin=", NULL, 0},
    {"AERON_RECEIVER_GROUP_CONSIDERATION", "receiver_group_consideration", OPTION_GROUP,
     FIELD(group_consideration), RJ_GROUP_INFER, 0, 0,
     "infer, true or false: default of group=", NULL, 0},
    {"AERON_PUBLICATION_RESERVED_SESSION_ID_LOW", "publication_reserved_session_id_low", OPTION_INT,
     FIELD(reserved_session_id_low), -1, INT32_MIN, INT32_MAX, "first session id never given out",
     NULL, 0},
    {"AERON_PUBLICATION_RESERVED_SESSION_ID_HIGH", "publication_reserved_session_id_high",
     OPTION_INT, FIELD(reserved_session_id_high), 1000, INT32_MIN, INT32_MAX,
     "last session id never given out", NULL, 0},
    {"AERON_DRIVER_STREAM_SESSION_LIMIT", "stream_session_limit", OPTION_INT,
     FIELD(stream_session_limit), INT32_MAX, 1, INT32_MAX, "images per stream and endpoint", NULL,
     0},

    {"AERON_SOCKET_SO_RCVBUF", "socket_rcvbuf_length", OPTION_SIZE, FIELD(socket_rcvbuf_bytes),
     KIB(128), 0, INT32_MAX, "SO_RCVBUF; 0: the system's", NULL, 0},
    {"AERON_SOCKET_SO_SNDBUF", "socket_sndbuf_length", OPTION_SIZE, FIELD(socket_sndbuf_bytes), 0,
     0, INT32_MAX, "SO_SNDBUF; 0: the system's", NULL, 0},
    {"AERON_SOCKET_MULTICAST_TTL", "multicast_ttl", OPTION_INT, FIELD(multicast_ttl), 0, 0, 255,
     "default of ttl=", NULL, 0},
    {"AERON_DRIVER_CONNECT", "connect_enabled", OPTION_BOOL, FIELD(connect_sockets), 1, 0, 1,
     "connect() sockets that send to one address", NULL, 0},
    {"AERON_NETWORK_PUBLICATION_MAX_MESSAGES_PER_SEND", "network_publication_max_messages_per_send",
     OPTION_INT, FIELD(messages_per_send), 0, 1, 16,
     "datagrams per publication and turn; unset: 64", NULL, 0},
    {"AERON_RECEIVER_IO_VECTOR_CAPACITY", "receiver_io_vector_capacity", OPTION_INT,
     FIELD(receive_batch), 0, 1, 16, "datagrams per receive call; unset: 64", NULL, 0},

    {"AERON_RECEIVER_GROUP_TAG", "receiver_group_tag.value", OPTION_INT, FIELD(receiver_group_tag),
     -1, INT64_MIN, INT64_MAX, "tag sent in status messages; unset: none", NULL,
     FIELD(has_receiver_group_tag)},
    {"AERON_NAK_UNICAST_DELAY", "nak_unicast_delay_ns", OPTION_DURATION,
     FIELD(nak_unicast_delay_ns), MICROS(1), MICROS(1), FOREVER, "delay of the first NAK", NULL,
     FIELD(has_nak_unicast_delay)},
    {"AERON_NAK_UNICAST_RETRY_DELAY_RATIO", "nak_unicast_retry_delay_ratio", OPTION_INT,
     FIELD(nak_unicast_retry_ratio), 100, 1, INT64_MAX, "delay of repeated NAKs, times the first",
     NULL, 0},
    {"AERON_NAK_MULTICAST_GROUP_SIZE", "nak_multicast_group_size", OPTION_INT,
     FIELD(nak_multicast_group_size), 10, 1, INT32_MAX, "receivers that NAK back-off assumes", NULL,
     0},
    {"AERON_NAK_MULTICAST_MAX_BACKOFF", "nak_multicast_max_backoff_ns", OPTION_DURATION,
     FIELD(nak_multicast_max_backoff_ns), MILLIS(10), MICROS(1), FOREVER, "ceiling of NAK back-off",
     NULL, 0},
    {"AERON_MAX_RESEND", "max_resend", OPTION_INT, FIELD(max_resend), 16, 1, 256,
     "retransmit actions of a publication at a time", NULL, 0},
    {"AERON_RETRANSMIT_UNICAST_DELAY", "retransmit_unicast_delay_ns", OPTION_DURATION,
     FIELD(retransmit_delay_ns), 0, 0, FOREVER, "delay before a resend", NULL, 0},
    {"AERON_RETRANSMIT_UNICAST_LINGER", "retransmit_unicast_linger_ns", OPTION_DURATION,
     FIELD(retransmit_linger_ns), MILLIS(10), MICROS(1), FOREVER,
     "how long NAKs for the same range are ignored after a resend", NULL,
     FIELD(has_retransmit_linger)},

    {"AERON_DRIVER_CONDUCTOR_CYCLE_THRESHOLD", "conductor_cycle_threshold_ns", OPTION_DURATION,
     FIELD(conductor_threshold_ns), MILLIS(100), 0, FOREVER, "a longer cycle is counted", NULL, 0},
    {"AERON_DRIVER_SENDER_CYCLE_THRESHOLD", "sender_cycle_threshold_ns", OPTION_DURATION,
     FIELD(sender_threshold_ns), MILLIS(100), 0, FOREVER, "the same for the sender", NULL, 0},
    {"AERON_DRIVER_RECEIVER_CYCLE_THRESHOLD", "receiver_cycle_threshold_ns", OPTION_DURATION,
     FIELD(receiver_threshold_ns), MILLIS(100), 0, FOREVER, "the same for the receiver", NULL, 0},
    {"AERON_DRIVER_NAME_RESOLVER_THRESHOLD", "name_resolver_threshold_ns", OPTION_DURATION,
     FIELD(resolver_threshold_ns), SECONDS(5), 0, FOREVER, "the same for a name look-up", NULL, 0},

    {"AERON_UDP_CHANNEL_OUTGOING_INTERCEPTORS", "udp_channel_outgoing_interceptors", OPTION_TEXT,
     FIELD(outgoing_interceptors), 0, 0, RJ_CONFIG_LIST_MAX, "filters of what is sent", "", 0},
    {"AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS", "udp_channel_incoming_interceptors", OPTION_TEXT,
     FIELD(incoming_interceptors), 0, 0, RJ_CONFIG_LIST_MAX,
     "filters of what is received, for tests: loss, fixed-loss, multi-gap-loss", "", 0},
    {"AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_LOSS_ARGS", "loss_args", OPTION_TEXT, FIELD(loss_args),
     0, 0, 0, "of the filter loss, as rate=0.1|seed=7|recv-msg-mask=0xf", "", 0},
    {"AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_FIXED_LOSS_ARGS", "fixed_loss_args", OPTION_TEXT,
     FIELD(fixed_loss_args), 0, 0, 0,
     "of the filter fixed-loss, as term-id=0|term-offset=4096|length=1408", "", 0},
    {"AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_MULTI_GAP_LOSS_ARGS", "multi_gap_loss_args", OPTION_TEXT,
     FIELD(multi_gap_loss_args), 0, 0, 0,
     "of the filter multi-gap-loss, as term-id=0|gap-radix=8192|gap-length=1408|total-gaps=9", "",
     0},
    {"AERON_SENDER_WILDCARD_PORT_RANGE", "sender_wildcard_port_range", OPTION_TEXT,
     FIELD(sender_port_range), 0, 0, 0, "ports of control addresses with port 0, as 20000 20100",
     "0 0", 0},
    {"AERON_RECEIVER_WILDCARD_PORT_RANGE", "receiver_wildcard_port_range", OPTION_TEXT,
     FIELD(receiver_port_range), 0, 0, 0, "ports of endpoints with port 0, as 20000 20100", "0 0",
     0},

    {"AERON_NAME_RESOLVER_SUPPLIER", "name_resolver_supplier_func", OPTION_TEXT,
     FIELD(resolver_supplier), 0, 0, 0,
     "who knows names: default (the system), driver (other drivers) or csv_table", "default", 0},
    {"AERON_NAME_RESOLVER_INIT_ARGS", "name_resolver_init_args", OPTION_TEXT, FIELD(resolver_args),
     0, 0, RJ_CONFIG_LIST_MAX, "the table of csv_table: name,host,host when asked again|...", "",
     0},
    {"AERON_DRIVER_RESOLVER_NAME", "resolver_name", OPTION_TEXT, FIELD(resolver_name), 0, 0, 0,
     "by which other drivers know this one", "", 0},
    {"AERON_DRIVER_RESOLVER_INTERFACE", "resolver_interface", OPTION_TEXT,
     FIELD(resolver_interface), 0, 0, 0, "address:port where drivers tell each other names", "", 0},
    {"AERON_DRIVER_RESOLVER_BOOTSTRAP_NEIGHBOR", "resolver_bootstrap_neighbor", OPTION_TEXT,
     FIELD(resolver_neighbors), 0, 0, RJ_CONFIG_LIST_MAX,
     "host:port of drivers to begin with, by commas", "", 0},
    {"AERON_DRIVER_RESOLVER_NEIGHBOR_TIMEOUT", "resolver_neighbor_timeout_ns", OPTION_DURATION,
     FIELD(resolver_neighbor_timeout_ns), SECONDS(10), MILLIS(1), FOREVER,
     "silence after which a neighbour and its name are forgotten", NULL, 0},
    {"AERON_DRIVER_RESOLVER_SELF_RESOLUTION_INTERVAL", "resolver_self_resolution_interval_ns",
     OPTION_DURATION, FIELD(resolver_self_interval_ns), SECONDS(1), MILLIS(1), FOREVER,
     "how often the own name is told", NULL, 0},
    {"AERON_DRIVER_RESOLVER_NEIGHBOR_RESOLUTION_INTERVAL",
     "resolver_neighbor_resolution_interval_ns", OPTION_DURATION,
     FIELD(resolver_neighbor_interval_ns), SECONDS(2), MILLIS(1), FOREVER,
     "how often other names are passed on", NULL, 0},
    {"AERON_DRIVER_RESOLVER_BOOTSTRAP_NEIGHBOR_RESOLUTION_INTERVAL",
     "resolver_bootstrap_resolution_interval_ns", OPTION_DURATION,
     FIELD(resolver_bootstrap_interval_ns), SECONDS(10), MILLIS(1), FOREVER,
     "how often hosts to begin with are looked up again", NULL, 0},
    {"AERON_DRIVER_RERESOLUTION_CHECK_INTERVAL", "re_resolution_check_interval_ns", OPTION_DURATION,
     FIELD(reresolution_interval_ns), SECONDS(1), 0, FOREVER,
     "how often silent peers' names are asked for again; 0: never", NULL, 0},

    {"RAMJET_INTERFACE", "interface", OPTION_TEXT, FIELD(interface_list), 0, 0, 0,
     "interfaces where XDP is used, as eth0,eth1; none: those attached before", "", 0},
    {"RAMJET_TRANSPORT", "transport", OPTION_TEXT, FIELD(transport), 0, 0, 0,
     "how datagrams travel: auto, socket or xdp; auto: xdp where there are rings, and sockets",
     "auto", 0},
    {"RAMJET_XDP_MODE", "xdp_mode", OPTION_TEXT, FIELD(xdp_mode_text), 0, 0, 0, RJ_XDP_MODE_NAMES,
     "auto", 0},
    {"RAMJET_QUEUES", "queues", OPTION_TEXT, FIELD(queue_range), 0, 0, 0,
     "receive queues with an engine each, as 0-3; none: queue 0 alone", "", 0},
    {"RAMJET_CONTROL", "control", OPTION_TEXT, FIELD(control_text), 0, 0, 0,
     "where control frames come in: kernel (the socket) or ring", "kernel", 0},
    {"RAMJET_ENGINE_CPUS", "engine_cpus", OPTION_TEXT, FIELD(engine_cpu_list), 0, 0, 0,
     "CPUs of the engines in their order, as 2,3 or 2-5; none: any", "", 0},
    {"RAMJET_INSTANCE", "instance", OPTION_TEXT, FIELD(instance), 0, 0, 0,
     "whose pinned maps are used; none: the number of the network namespace", "", 0},
};

enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]) };

/* Settings of the reference that ask for something this driver does not do yet. Whoever sets one
 * has to hear of it, unless it is set to what this driver does anyway. Those which only shape a
 * thing that has to be asked for elsewhere are not here, nor the event log, which harnesses switch
 * on and nobody needs (driver.md 20.6, 23.1). */
static const struct {
    const char *variable;
    const char *fine[2];
} unsupported[] = {
    {"AERON_AGENT_ON_START_FUNCTION", {NULL}},
    {"AERON_CONDUCTOR_UDP_CHANNEL_TRANSPORT_BINDINGS_MEDIA", {"default"}},
    {"AERON_CONGESTIONCONTROL_SUPPLIER",
     {"aeron_congestion_control_default_strategy_supplier",
      "aeron_static_window_congestion_control_strategy_supplier"}},
    {"AERON_DRIVER_CPUSET_AFFINITY", {NULL}},
    {"AERON_DRIVER_DYNAMIC_LIBRARIES", {NULL}},
    {"AERON_DRIVER_RESOLVER_NAME", {NULL}},
    {"AERON_MULTICAST_FLOWCONTROL_SUPPLIER",
     {"multicast_max", "aeron_max_multicast_flow_control_strategy_supplier"}},
    {"AERON_NAME_RESOLVER_SUPPLIER", {"default"}},
    {"AERON_RECEIVER_WILDCARD_PORT_RANGE", {"0 0"}},
    {"AERON_SENDER_WILDCARD_PORT_RANGE", {"0 0"}},
    {"AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS", {NULL}},
    {"AERON_UDP_CHANNEL_OUTGOING_INTERCEPTORS", {NULL}},
    {"AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_MEDIA", {"default"}},
    {"AERON_UNICAST_FLOWCONTROL_SUPPLIER",
     {"unicast_max", "aeron_unicast_flow_control_strategy_supplier"}},
};

static const char *const threading_names[] = {"DEDICATED", "SHARED_NETWORK", "SHARED", "INVOKER"};

const char *rj_threading_mode_name(rj_threading_mode_t mode)
{
    return threading_names[mode];
}

const char *rj_config_environment(const char *name, const void *state)
{
    (void)state;
    return getenv(name);
}

/* Of a text, `max` is the room for it where that is not the usual one. */
static size_t text_capacity(const option_t *option)
{
    return option->max != 0 ? (size_t)option->max : (size_t)RJ_CONFIG_NAME_MAX;
}

static void set_text(rj_driver_config_t *config, const option_t *option, const char *text)
{
    snprintf((char *)config + option->offset, text_capacity(option), "%s", text);
}

static void set_number(rj_driver_config_t *config, const option_t *option, int64_t value)
{
    char *field = (char *)config + option->offset;
    if (option->type == OPTION_BOOL)
        *(bool *)(void *)field = value != 0;
    else
        memcpy(field, &value, sizeof(value));
}

static int64_t get_number(const rj_driver_config_t *config, const option_t *option)
{
    const char *field = (const char *)config + option->offset;
    if (option->type == OPTION_BOOL)
        return *(const bool *)(const void *)field;
    int64_t value;
    memcpy(&value, field, sizeof(value));
    return value;
}

/* As Aeron: by what the text begins with; anything else keeps the default. */
static bool read_bool(const char *text, int64_t *ret_value)
{
    if (text[0] == '1' || strncmp(text, "on", 2) == 0 || strncmp(text, "true", 4) == 0)
        *ret_value = 1;
    else if (text[0] == '0' || strncmp(text, "off", 3) == 0 || strncmp(text, "false", 5) == 0)
        *ret_value = 0;
    else
        return false;
    return true;
}

static bool read_integer(const char *text, int64_t *ret_value)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 0);
    if (end == text || errno != 0)
        return false;
    *ret_value = value;
    return true;
}

/* As Aeron: what follows a size's suffix is ignored ("64kb"). */
static bool read_size(const char *text, int64_t *ret_value)
{
    size_t digits = strspn(text, "0123456789");
    size_t length = digits + (text[digits] != '\0' && strchr("kKmMgG", text[digits]) != NULL);
    return rj_parse_size(text, length, ret_value) == 0;
}

static bool read_threading(const char *text, int64_t *ret_value)
{
    for (size_t i = 0; i < sizeof(threading_names) / sizeof(threading_names[0]); i++) {
        if (strcmp(text, threading_names[i]) == 0) {
            *ret_value = (int64_t)i;
            return true;
        }
    }
    return false;
}

static bool read_value(const option_t *option, const char *text, int64_t *ret_value)
{
    switch (option->type) {
    case OPTION_BOOL:
        return read_bool(text, ret_value);
    case OPTION_SIZE:
        return read_size(text, ret_value);
    case OPTION_DURATION:
        return rj_parse_duration(text, strlen(text), ret_value) == 0;
    case OPTION_INT:
        return read_integer(text, ret_value);
    case OPTION_THREADING:
        return read_threading(text, ret_value);
    case OPTION_GROUP:
        *ret_value = strcmp(text, "infer") == 0  ? RJ_GROUP_INFER
                     : strcmp(text, "true") == 0 ? RJ_GROUP_TRUE
                                                 : RJ_GROUP_FALSE;
        return true;
    case OPTION_TEXT:
        break;
    }
    return false;
}

static void read_option(rj_driver_config_t *config, const option_t *option, const char *text,
                        FILE *warnings)
{
    if (option->type == OPTION_TEXT) {
        set_text(config, option, text);
        return;
    }
    int64_t value;
    if (!read_value(option, text, &value)) {
        if (warnings != NULL && option->type != OPTION_BOOL)
            fprintf(warnings, "WARNING: %s=%s is invalid, using default\n", option->variable, text);
        return;
    }
    if (option->type != OPTION_THREADING && option->type != OPTION_GROUP) {
        value = value < option->min ? option->min : value;
        value = value > option->max ? option->max : value;
    }
    set_number(config, option, value);
    if (option->presence_offset != 0)
        *(bool *)(void *)((char *)config + option->presence_offset) = true;
}

/* As the clients do it (shm.md 2): $USER, else the name of the real uid, else "default". */
static void default_dir(char dir[static RJ_CONFIG_PATH_MAX], rj_config_source_t source,
                        const void *state)
{
    const char *user = source("USER", state);
    if (user == NULL || user[0] == '\0') {
        const struct passwd *entry = getpwuid(getuid());
        user = entry != NULL ? entry->pw_name : "default";
    }
    snprintf(dir, RJ_CONFIG_PATH_MAX, "/dev/shm/aeron-%s", user);
}

static bool is_fine(const char *const fine[static 2], const char *text)
{
    return (fine[0] != NULL && strcmp(text, fine[0]) == 0) ||
           (fine[1] != NULL && strcmp(text, fine[1]) == 0);
}

static void warn_unsupported(rj_config_source_t source, const void *state, FILE *warnings)
{
    for (size_t i = 0; i < sizeof(unsupported) / sizeof(unsupported[0]); i++) {
        const char *text = source(unsupported[i].variable, state);
        if (text != NULL && text[0] != '\0' && !is_fine(unsupported[i].fine, text))
            fprintf(warnings, "WARNING: %s=%s is not supported by this driver yet, ignoring it\n",
                    unsupported[i].variable, text);
    }
}

void rj_config_read(rj_driver_config_t *config, rj_config_source_t source, const void *state,
                    FILE *warnings)
{
    memset(config, 0, sizeof(*config));
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const option_t *option = &options[i];
        if (option->type == OPTION_TEXT)
            set_text(config, option, option->text_fallback);
        else
            set_number(config, option, option->fallback);
        const char *text = source(option->variable, state);
        if (text != NULL && text[0] != '\0')
            read_option(config, option, text, warnings);
    }
    if (config->dir[0] == '\0')
        default_dir(config->dir, source, state);
    rj_err_t refused; /* told by rj_config_check */
    rj_ring_config_read(config, &refused);
    if (warnings != NULL)
        warn_unsupported(source, state, warnings);
}

/* Ours are few and new: one that is misspelt must not pass for one that is followed. */
static bool is_ours_and_unknown(const char *variable)
{
    if (strncmp(variable, "RAMJET_", 7) != 0)
        return false;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strcmp(variable, options[i].variable) == 0)
            return false;
    return true;
}

int rj_config_define(const char *definition, rj_err_t *err)
{
    char name[256];
    bool is_ours = strncasecmp(definition, "ramjet.", 7) == 0;
    size_t length = strcspn(definition, "=:");
    if (length == 0 || length >= sizeof(name) || definition[length] == '\0')
        return rj_fail(err, -EINVAL, "malformed define: %s: write it as name=value", definition);
    for (size_t i = 0; i < length; i++) {
        int c = (unsigned char)definition[i];
        name[i] = c == '.' || (is_ours && c == '-') ? '_' : (char)toupper(c);
    }
    name[length] = '\0';
    if (is_ours_and_unknown(name))
        return rj_fail(err, -EINVAL, "%.*s: no such setting: see `ramjet driver --settings`",
                       (int)length, definition);
    const char *value = definition + length + 1;
    int result = value[0] == '\0' ? unsetenv(name) : setenv(name, value, 1);
    return result == 0 ? 0 : rj_fail(err, -errno, "define %s: %s", name, strerror(errno));
}

static int check_term(const char *name, int64_t bytes, rj_err_t *err)
{
    if (!rj_is_pow2(bytes) || bytes < KIB(64) || bytes > GIB(1))
        return rj_fail(err, -EINVAL, "%s=%" PRId64 ": must be a power of two from 64k to 1g", name,
                       bytes);
    return 0;
}

static int check_mtu(const char *name, int64_t bytes, rj_err_t *err)
{
    if (bytes <= 32 || bytes > 65504 || !rj_is_aligned(bytes, 32))
        return rj_fail(err, -EINVAL,
                       "%s=%" PRId64 ": must be a multiple of 32, above 32, up to 65504", name,
                       bytes);
    return 0;
}

static int check_lengths(const rj_driver_config_t *config, rj_err_t *err)
{
    int result = check_term("AERON_TERM_BUFFER_LENGTH", config->term_bytes, err);
    if (result == 0)
        result = check_term("AERON_IPC_TERM_BUFFER_LENGTH", config->ipc_term_bytes, err);
    if (result == 0)
        result = check_mtu("AERON_MTU_LENGTH", config->mtu_bytes, err);
    if (result == 0)
        result = check_mtu("AERON_IPC_MTU_LENGTH", config->ipc_mtu_bytes, err);
    if (result != 0)
        return result;
    if (!rj_is_pow2(config->file_page_bytes))
        return rj_fail(err, -EINVAL, "AERON_FILE_PAGE_SIZE=%" PRId64 ": must be a power of two",
                       config->file_page_bytes);
    if (!rj_is_pow2(config->to_driver_bytes - 768))
        return rj_fail(err, -EINVAL,
                       "AERON_CONDUCTOR_BUFFER_LENGTH=%" PRId64
                       ": must be a power of two plus 768 bytes of trailer",
                       config->to_driver_bytes);
    if (!rj_is_pow2(config->to_clients_bytes - 128))
        return rj_fail(err, -EINVAL,
                       "AERON_CLIENTS_BUFFER_LENGTH=%" PRId64
                       ": must be a power of two plus 128 bytes of trailer",
                       config->to_clients_bytes);
    return 0;
}

/* Publications look for a session id until one is free: there must be more than counters to name
 * publications with. */
static int check_session_ids(const rj_driver_config_t *config, rj_err_t *err)
{
    enum { FREE_MIN = 1 << 24 };
    int64_t low = config->reserved_session_id_low;
    int64_t high = config->reserved_session_id_high;
    int64_t reserved = high < low ? 0 : high - low + 1;
    if (UINT32_MAX + INT64_C(1) - reserved >= FREE_MIN)
        return 0;
    return rj_fail(err, -EINVAL,
                   "AERON_PUBLICATION_RESERVED_SESSION_ID_LOW=%" PRId64 " to HIGH=%" PRId64
                   ": must leave at least %d session ids",
                   low, high, FREE_MIN);
}

static int check_dir(const rj_driver_config_t *config, rj_err_t *err)
{
    /* One that was too long has been cut to exactly this. */
    if (strlen(config->dir) == RJ_CONFIG_PATH_MAX - 1)
        return rj_fail(err, -ENAMETOOLONG,
                       "driver directory %.60s...: too long, use less than %d "
                       "characters",
                       config->dir, RJ_CONFIG_PATH_MAX - 1);
    return 0;
}

static int check_above_timer(const rj_driver_config_t *config, const char *name, int64_t ns,
                             rj_err_t *err)
{
    if (ns <= config->timer_interval_ns)
        return rj_fail(err, -EINVAL,
                       "%s=%" PRId64 "ns: must be longer than AERON_TIMER_INTERVAL=%" PRId64 "ns",
                       name, ns, config->timer_interval_ns);
    return 0;
}

static int check_timeouts(const rj_driver_config_t *config, rj_err_t *err)
{
    int result = check_above_timer(config, "AERON_CLIENT_LIVENESS_TIMEOUT",
                                   config->client_liveness_timeout_ns, err);
    if (result == 0 && config->publication_unblock_timeout_ns <= config->client_liveness_timeout_ns)
        result =
            rj_fail(err, -EINVAL,
                    "AERON_PUBLICATION_UNBLOCK_TIMEOUT=%" PRId64
                    "ns: must be longer than AERON_CLIENT_LIVENESS_TIMEOUT=%" PRId64 "ns",
                    config->publication_unblock_timeout_ns, config->client_liveness_timeout_ns);
    if (result == 0)
        result = check_above_timer(config, "AERON_UNTETHERED_WINDOW_LIMIT_TIMEOUT",
                                   config->untethered_window_limit_timeout_ns, err);
    if (result == 0)
        result = check_above_timer(config, "AERON_UNTETHERED_RESTING_TIMEOUT",
                                   config->untethered_resting_timeout_ns, err);
    if (result == 0 && config->untethered_linger_timeout_ns != -1)
        result = check_above_timer(config, "AERON_UNTETHERED_LINGER_TIMEOUT",
                                   config->untethered_linger_timeout_ns, err);
    return result;
}

int rj_config_check(const rj_driver_config_t *config, rj_err_t *err)
{
    int64_t product;
    int result = check_dir(config, err);
    if (result == 0)
        result = check_lengths(config, err);
    if (result == 0)
        result = check_session_ids(config, err);
    if (result == 0)
        result = check_timeouts(config, err);
    if (result == 0 && __builtin_mul_overflow(config->nak_unicast_delay_ns,
                                              config->nak_unicast_retry_ratio, &product))
        result =
            rj_fail(err, -ERANGE,
                    "AERON_NAK_UNICAST_DELAY times AERON_NAK_UNICAST_RETRY_DELAY_RATIO does not "
                    "fit 64 bits: lower one of them");
    if (result == 0 && strcmp(config->termination_validator, "allow") != 0 &&
        strcmp(config->termination_validator, "deny") != 0)
        result = rj_fail(err, -EINVAL,
                         "AERON_DRIVER_TERMINATION_VALIDATOR=%s: only allow and deny are built in, "
                         "foreign symbols are not loaded",
                         config->termination_validator);
    rj_driver_config_t scratch = *config;
    return result == 0 ? rj_ring_config_read(&scratch, err) : result;
}

void rj_config_print(const rj_driver_config_t *config, FILE *out)
{
    fputs("aeron_driver_context_t {\n    cnc_version=0.2.0\n", out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const option_t *option = &options[i];
        if (option->type == OPTION_TEXT)
            fprintf(out, "    %s=%s\n", option->key, (const char *)config + option->offset);
        else if (option->type == OPTION_THREADING)
            fprintf(out, "    %s=%s\n", option->key, threading_names[get_number(config, option)]);
        else
            fprintf(out, "    %s=%" PRId64 "\n", option->key, get_number(config, option));
    }
    fputs("}\n", out);
}

static void print_fallback(const option_t *option, FILE *out)
{
    char text[RJ_QUANTITY_TEXT_MAX];
    switch (option->type) {
    case OPTION_TEXT:
        fputs(option->text_fallback, out);
        break;
    case OPTION_DURATION:
        rj_print_duration(text, option->fallback);
        fputs(option->fallback < 0 ? "unset" : text, out);
        break;
    case OPTION_THREADING:
        fputs(threading_names[option->fallback], out);
        break;
    case OPTION_GROUP:
        fputs("infer", out);
        break;
    case OPTION_BOOL:
        fputs(option->fallback != 0 ? "true" : "false", out);
        break;
    case OPTION_SIZE:
    case OPTION_INT:
        fprintf(out, "%" PRId64, option->fallback);
        break;
    }
}

void rj_config_print_help(FILE *out)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        fprintf(out, "  %s\n      %s [", options[i].variable, options[i].help);
        print_fallback(&options[i], out);
        fputs("]\n", out);
    }
}
