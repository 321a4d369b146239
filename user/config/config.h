/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - every setting of the driver, from one table.
 *
 * A row (option.h) names the setting once: its environment variable, type, default, bounds and
 * help. Reading the environment, -Dname=value and property files (property.h), range checks,
 * `ramjet driver --settings`, docs/configuration.md and the printed configuration all come from the
 * rows (driver.md 22).
 *
 * Units      in the field names; durations are ns, sizes bytes.
 * Ownership  plain values; the texts live inside the struct.
 * Thread     read and checked before any thread starts, constant afterwards.
 * Errors     a value that cannot be read becomes the default with a warning, one outside its bounds
 *            is clamped, as the reference does; relations between settings make `check`
 *            fail, and so do settings of our own (ring_config.h).
 */
#ifndef RJ_CONFIG_CONFIG_H
#define RJ_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/transport.h"
#include "xdp/mode.h"

enum {
    RJ_CONFIG_PATH_MAX =
        384, /* leaves room for /publications/<id>.logbuffer in PATH_MAX and events */
    RJ_CONFIG_NAME_MAX = 128,
    RJ_CONFIG_LIST_MAX = 4096, /* lists and tables given as one text */
    RJ_CONFIG_REFUSAL_MAX = 512,
    RJ_INTERCEPTORS_MAX = 10,
    RJ_CONFIG_INTERFACES_MAX = 7, /* their names and commas fit RJ_CONFIG_NAME_MAX */
    RJ_CONFIG_INTERFACE_NAME_MAX = 16,
    RJ_ENGINES_MAX = 16,
    RJ_CONFIG_BATCH = 64, /* datagrams in one go where the reference takes 4, at most 16 */
};

/* A longer duration counts as this one, 36 years: so that sums with a time of now are none of
 * anybody's worries. */
#define RJ_CONFIG_DURATION_NS_MAX (INT64_MAX / 8)

typedef enum rj_threading_mode {
    RJ_THREADING_DEDICATED,
    RJ_THREADING_SHARED_NETWORK,
    RJ_THREADING_SHARED,
    RJ_THREADING_INVOKER
} rj_threading_mode_t;

/* Where SMs, NAKs and other control frames are received. */
typedef enum rj_control_way {
    RJ_CONTROL_KERNEL, /* by the endpoint's socket */
    RJ_CONTROL_RING    /* by AF_XDP, with the data */
} rj_control_way_t;

/* Whether a card's own rules bring datagrams to the engine that serves them (nic/flow_rules.h). */
typedef enum rj_steer_queues {
    RJ_STEER_QUEUES_AUTO, /* where the card has rules */
    RJ_STEER_QUEUES_ON,   /* the same, or else its hash's table; told where it has neither */
    RJ_STEER_QUEUES_OFF,
} rj_steer_queues_t;

/* In the order of the reference, which prints the number. */
typedef enum rj_group_consideration {
    RJ_GROUP_FALSE,
    RJ_GROUP_TRUE,
    RJ_GROUP_INFER
} rj_group_consideration_t;

typedef enum rj_thread_naming { RJ_THREAD_NAMES_CLASSIC, RJ_THREAD_NAMES_NEW } rj_thread_naming_t;

typedef enum rj_termination_validator {
    RJ_TERMINATION_DENY,
    RJ_TERMINATION_ALLOW
} rj_termination_validator_t;

/* Who sets the pace of a publication without `fc=`. */
typedef enum rj_flow_supplier {
    RJ_FLOW_SUPPLIER_UNICAST_MAX,
    RJ_FLOW_SUPPLIER_MULTICAST_MAX,
    RJ_FLOW_SUPPLIER_MIN,
    RJ_FLOW_SUPPLIER_TAGGED
} rj_flow_supplier_t;

/* Who sets the window of an image without `cc=`; the default's choice is static. */
typedef enum rj_congestion_supplier {
    RJ_CONGESTION_SUPPLIER_DEFAULT,
    RJ_CONGESTION_SUPPLIER_STATIC,
    RJ_CONGESTION_SUPPLIER_CUBIC
} rj_congestion_supplier_t;

typedef enum rj_resolver_supplier {
    RJ_RESOLVER_SUPPLIER_DEFAULT,
    RJ_RESOLVER_SUPPLIER_DRIVER,
    RJ_RESOLVER_SUPPLIER_CSV_TABLE
} rj_resolver_supplier_t;

typedef enum rj_interceptor_kind {
    RJ_INTERCEPTOR_LOSS,
    RJ_INTERCEPTOR_FIXED_LOSS,
    RJ_INTERCEPTOR_MULTI_GAP_LOSS
} rj_interceptor_kind_t;

/* In the order in which they were named. */
typedef struct rj_interceptor_list {
    int32_t count;
    int32_t kinds[RJ_INTERCEPTORS_MAX]; /* rj_interceptor_kind_t */
} rj_interceptor_list_t;

/* Wildcard ports are taken from here; both 0: the system chooses. */
typedef struct rj_port_range {
    uint16_t low;
    uint16_t high;
} rj_port_range_t;

/* Where in the process a thread runs, for idle strategies and CPUs. */
typedef enum rj_thread_role {
    RJ_ROLE_CONDUCTOR,
    RJ_ROLE_SENDER,
    RJ_ROLE_RECEIVER,
    RJ_ROLE_SHARED_NETWORK,
    RJ_ROLE_SHARED,
    RJ_ROLE_HELPER,
    RJ_ROLE_COUNT
} rj_thread_role_t;

typedef struct rj_idle_config {
    char name[RJ_CONFIG_NAME_MAX];
    char args[RJ_CONFIG_NAME_MAX];
} rj_idle_config_t;

typedef struct rj_driver_config {
    /* directory, files, process */
    char dir[RJ_CONFIG_PATH_MAX];
    bool dir_warn_if_exists;
    bool dir_delete_on_start;
    bool dir_delete_on_shutdown;
    int64_t driver_timeout_ms;
    int64_t file_page_bytes;
    bool perform_storage_checks;
    int64_t low_storage_warning_bytes;
    bool term_buffer_sparse;
    bool print_configuration;
    int64_t termination_validator; /* rj_termination_validator_t */
    bool experimental_features;    /* gates nothing, as in the reference */

    /* CnC buffers */
    int64_t to_driver_bytes;
    int64_t to_clients_bytes;
    int64_t counters_values_bytes;
    int64_t error_log_bytes;
    int64_t loss_report_bytes;

    /* threads and idling */
    int64_t threading_mode; /* rj_threading_mode_t */
    int64_t thread_naming;  /* rj_thread_naming_t */
    rj_idle_config_t idle[RJ_ROLE_COUNT];
    int64_t conductor_cpu;
    int64_t sender_cpu;
    int64_t receiver_cpu;
    int64_t helper_cpu;
    bool cpuset_affinity; /* the four CPUs are places in the cgroup's list of CPUs */
    bool cpuset_warnings_as_errors;
    int64_t resource_free_limit;

    /* liveness and timers */
    int64_t timer_interval_ns;
    int64_t client_liveness_timeout_ns;
    int64_t publication_unblock_timeout_ns;
    int64_t image_liveness_timeout_ns;
    int64_t publication_connection_timeout_ns;
    int64_t publication_linger_timeout_ns;
    int64_t counter_free_to_reuse_ns;
    int64_t untethered_window_limit_timeout_ns;
    int64_t untethered_linger_timeout_ns; /* -1: as the window limit timeout */
    int64_t untethered_resting_timeout_ns;
    int64_t sm_timeout_ns;

    /* streams */
    int64_t term_bytes;
    int64_t ipc_term_bytes;
    int64_t mtu_bytes;
    int64_t ipc_mtu_bytes;
    int64_t publication_window_bytes;
    int64_t ipc_publication_window_bytes;
    int64_t initial_window_bytes;
    bool spies_simulate_connection;
    bool reliable_stream;
    bool tether_subscriptions;
    bool rejoin_stream;
    int64_t group_consideration; /* rj_group_consideration_t */
    int64_t reserved_session_id_low;
    int64_t reserved_session_id_high;
    int64_t stream_session_limit;

    /* sockets */
    int64_t socket_rcvbuf_bytes;
    int64_t socket_sndbuf_bytes;
    int64_t multicast_ttl;
    bool connect_sockets;
    bool mdc_stream_aware; /* ours: a destination gets the streams that are wanted there */
    int64_t messages_per_send;
    int64_t receive_batch; /* of the receiver's sockets */
    int64_t control_batch; /* of the sender's */
    int64_t send_to_status_poll_ratio;
    rj_interceptor_list_t outgoing_interceptors;
    rj_interceptor_list_t incoming_interceptors;
    char loss_args[RJ_CONFIG_LIST_MAX]; /* as given, `rate=0.1|seed=7` */
    char fixed_loss_args[RJ_CONFIG_LIST_MAX];
    char multi_gap_loss_args[RJ_CONFIG_LIST_MAX];
    rj_port_range_t sender_port_range;
    rj_port_range_t receiver_port_range;

    /* flow control, NAK, retransmit, congestion */
    int64_t unicast_flow_supplier;   /* rj_flow_supplier_t */
    int64_t multicast_flow_supplier; /* rj_flow_supplier_t */
    int64_t flow_group_tag;
    int64_t flow_group_min_size;
    int64_t flow_receiver_timeout_ns;
    int64_t receiver_group_tag;
    bool has_receiver_group_tag;
    int64_t nak_unicast_delay_ns;
    bool has_nak_unicast_delay; /* delay or ratio set by somebody: followed to the letter then */
    int64_t nak_unicast_retry_ratio;
    int64_t nak_multicast_group_size;
    int64_t nak_multicast_max_backoff_ns;
    bool has_nak_multicast; /* one of the two set by somebody: likewise */
    int64_t max_resend;
    bool has_max_resend; /* set by somebody: else there are as many as there can be */
    int64_t retransmit_delay_ns;
    int64_t retransmit_linger_ns;
    bool reference_timing;       /* ours: as if all of these had been set */
    bool has_retransmit_linger;  /* set by somebody: else it follows the round trip */
    int64_t congestion_supplier; /* rj_congestion_supplier_t */
    bool cubic_measures_rtt;
    int64_t cubic_initial_rtt_ns;
    bool cubic_tcp_mode;

    /* names */
    int64_t resolver_supplier;              /* rj_resolver_supplier_t */
    char resolver_args[RJ_CONFIG_LIST_MAX]; /* the table of csv_table */
    char resolver_name[RJ_CONFIG_LIST_MAX];
    char resolver_interface[RJ_CONFIG_LIST_MAX];
    char resolver_neighbors[RJ_CONFIG_LIST_MAX]; /* names, with commas between */
    int64_t resolver_neighbor_timeout_ns;
    int64_t resolver_self_interval_ns;
    int64_t resolver_neighbor_interval_ns;
    int64_t resolver_bootstrap_interval_ns;
    int64_t reresolution_interval_ns; /* 0: never */

    /* stall thresholds */
    int64_t conductor_threshold_ns;
    int64_t sender_threshold_ns;
    int64_t receiver_threshold_ns;
    int64_t resolver_threshold_ns;

    /* event log */
    char event_log[RJ_CONFIG_LIST_MAX]; /* names, with commas between */
    char event_log_disable[RJ_CONFIG_LIST_MAX];
    char event_log_file[RJ_CONFIG_PATH_MAX];
    int64_t event_log_file_bytes_max;

    /* past the kernel, ours alone: the texts as given (ring_config.h) */
    char interface_list[RJ_CONFIG_NAME_MAX];
    char transport_text[RJ_CONFIG_NAME_MAX];
    char xdp_mode_text[RJ_CONFIG_NAME_MAX];
    char queue_range[RJ_CONFIG_NAME_MAX];
    char control_text[RJ_CONFIG_NAME_MAX];
    char engine_cpu_list[RJ_CONFIG_NAME_MAX];
    char instance[RJ_CONFIG_NAME_MAX];
    char busy_poll_text[RJ_CONFIG_NAME_MAX];
    char steer_queues_text[RJ_CONFIG_NAME_MAX];
    char dpdk_args[RJ_CONFIG_LIST_MAX];          /* DPDK's own words, which it checks */
    char channel_transports[RJ_CONFIG_LIST_MAX]; /* channel_rules.h */
    char copy_free_text[RJ_CONFIG_NAME_MAX];

    int64_t uring_zero_copy; /* rj_zero_copy_t */

    /* what they say */
    char interfaces[RJ_CONFIG_INTERFACES_MAX][RJ_CONFIG_INTERFACE_NAME_MAX]; /* each once */
    int interface_count;
    rj_transport_t transport;
    enum rj_xdp_mode xdp_mode;
    int32_t queue_first; /* -1: not given */
    int32_t queue_last;
    rj_control_way_t control;
    int32_t engine_cpus[RJ_ENGINES_MAX];
    int engine_cpu_count;
    uint32_t busy_poll_us; /* 0: off */
    uint32_t busy_poll_budget;
    rj_steer_queues_t steer_queues;
    int32_t copy_free; /* publications whose log buffers rings send from without a copy */

    /* The first value that start refuses, and why; rj_config_check tells it. */
    char refusal[RJ_CONFIG_REFUSAL_MAX];
} rj_driver_config_t;

/* Where values come from; returns NULL when `name` is not set. `state` is the caller's. */
typedef const char *(*rj_config_source_t)(const char *name, const void *state);

/* The process environment, as a source. */
const char *rj_config_environment(const char *name, const void *state);

/* Fills in every field: defaults, then the source's values. Warnings go to `warnings` (NULL:
 * nowhere), one line each. What start has to refuse waits for rj_config_check. */
void rj_config_read(rj_driver_config_t *config, rj_config_source_t source, const void *state,
                    FILE *warnings);

/* Checks what clamping cannot mend: powers of two, multiples, relations between timeouts. */
int rj_config_check(const rj_driver_config_t *config, rj_err_t *err);

/* The block that AERON_PRINT_CONFIGURATION asks for. `remarks` is what the driver chose and why,
 * one line; NULL for none. */
void rj_config_print(const rj_driver_config_t *config, const char *remarks, FILE *out);

/* One line for each setting: variable, default, what it does. */
void rj_config_print_help(FILE *out);

/* The same for a document: group, variable, default, bounds, help, with tabs between. */
void rj_config_print_rows(FILE *out);

const char *rj_threading_mode_name(rj_threading_mode_t mode);

#endif
