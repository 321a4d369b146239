/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/option.h"

/* A source of settings that needs no process environment: pairs of name and value. */
static const char *from_pairs(const char *name, const void *state)
{
    for (const char *const *pair = state; pair[0] != NULL; pair += 2) {
        if (strcmp(pair[0], name) == 0)
            return pair[1];
    }
    return NULL;
}

static rj_driver_config_t read_pairs(const char *const *pairs)
{
    rj_driver_config_t config;
    rj_config_read(&config, from_pairs, pairs, NULL);
    return config;
}

Test(config, has_the_reference_defaults_and_passes_its_own_check)
{
    const char *const none[] = {NULL};
    rj_driver_config_t config = read_pairs(none);
    rj_err_t err;
    cr_assert_eq(rj_config_check(&config, &err), 0, "%s", err.text);
    cr_expect_eq(config.mtu_bytes, 1408);
    cr_expect_eq(config.term_bytes, 16 << 20);
    cr_expect_eq(config.timer_interval_ns, 1000000000);
    cr_expect_eq(config.nak_unicast_delay_ns, 1000);
    cr_expect_not(config.has_nak_unicast_delay);
    cr_expect_eq(strncmp(config.dir, "/dev/shm/aeron-", 15), 0, "%s", config.dir);
}

Test(config, names_the_directory_after_the_user)
{
    const char *const pairs[] = {"USER", "jane", NULL};
    cr_expect_str_eq(read_pairs(pairs).dir, "/dev/shm/aeron-jane");
}

Test(config, reads_clamps_and_falls_back_as_the_reference_does)
{
    const char *const pairs[] = {"AERON_MTU_LENGTH",
                                 "100000",
                                 "AERON_TERM_BUFFER_LENGTH",
                                 "64kb",
                                 "AERON_DRIVER_TIMEOUT",
                                 "junk",
                                 "AERON_RELIABLE_STREAM",
                                 "off",
                                 "AERON_NAK_UNICAST_DELAY",
                                 "0",
                                 "AERON_THREADING_MODE",
                                 "SHARED",
                                 "AERON_CONDUCTOR_CPU_AFFINITY",
                                 "0x10",
                                 NULL};
    rj_driver_config_t config = read_pairs(pairs);
    cr_expect_eq(config.mtu_bytes, 65504);
    cr_expect_eq(config.term_bytes, 65536);
    cr_expect_eq(config.driver_timeout_ms, 10000);
    cr_expect_not(config.reliable_stream);
    cr_expect_eq(config.nak_unicast_delay_ns, 1000);
    cr_expect(config.has_nak_unicast_delay);
    cr_expect_eq(config.threading_mode, RJ_THREADING_SHARED);
    cr_expect_eq(config.conductor_cpu, 16);
}

/* What rj_config_check says of these pairs, or "" when they are good. */
static const char *check_pairs(const char *const pairs[])
{
    static rj_err_t err;
    rj_driver_config_t config = read_pairs(pairs);
    err.text[0] = '\0';
    return rj_config_check(&config, &err) == 0 ? "" : err.text;
}

Test(config, refuses_filters_that_cannot_work)
{
    const char *const outgoing[] = {"AERON_UDP_CHANNEL_OUTGOING_INTERCEPTORS", "loss", NULL};
    const char *const unreadable[] = {"AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS", "loss",
                                      "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_LOSS_ARGS",
                                      "rate=often", NULL};
    cr_expect_not_null(strstr(check_pairs(outgoing), "AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS"));
    cr_expect_not_null(strstr(check_pairs(unreadable), "rate=often cannot be read"));
}

Test(config, refuses_foreign_code_in_one_line_that_names_what_is_built_in)
{
    static const struct {
        const char *variable;
        const char *said;
    } rows[] = {
        {"AERON_AGENT_ON_START_FUNCTION", "foreign code is not loaded: leave it out"},
        {"AERON_DRIVER_DYNAMIC_LIBRARIES", "foreign code is not loaded: leave it out"},
        {"AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_MEDIA", "foreign code is not loaded: use default"},
        {"AERON_CONDUCTOR_UDP_CHANNEL_TRANSPORT_BINDINGS_MEDIA", "use default"},
        {"AERON_CONGESTIONCONTROL_SUPPLIER", "use default, static or cubic"},
        {"AERON_UNICAST_FLOWCONTROL_SUPPLIER",
         "use unicast_max, multicast_max, multicast_min or multicast_tagged"},
        {"AERON_MULTICAST_FLOWCONTROL_SUPPLIER", "multicast_min or multicast_tagged"},
        {"AERON_NAME_RESOLVER_SUPPLIER", "use default, driver or csv_table"},
        {"AERON_DRIVER_TERMINATION_VALIDATOR", "use deny or allow"},
        {"AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS", "use loss, fixed-loss or multi-gap-loss"},
        {"AERON_UDP_CHANNEL_OUTGOING_INTERCEPTORS", "use loss, fixed-loss or multi-gap-loss"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const pairs[] = {rows[i].variable, "my_function", NULL};
        const char *said = check_pairs(pairs);
        cr_expect_not_null(strstr(said, rows[i].variable), "%s: %s", rows[i].variable, said);
        cr_expect_not_null(strstr(said, rows[i].said), "%s: %s", rows[i].variable, said);
        cr_expect_null(strchr(said, '\n'));
    }
}

Test(config, maps_names_and_symbols_of_the_reference_to_what_is_built_in)
{
    const char *const names[] = {"AERON_UNICAST_FLOWCONTROL_SUPPLIER",
                                 "multicast_max",
                                 "AERON_MULTICAST_FLOWCONTROL_SUPPLIER",
                                 "aeron_tagged_flow_control_strategy_supplier",
                                 "AERON_CONGESTIONCONTROL_SUPPLIER",
                                 "cubic",
                                 "AERON_NAME_RESOLVER_SUPPLIER",
                                 "csv_table",
                                 "AERON_NAME_RESOLVER_INIT_ARGS",
                                 "server,a,b",
                                 "AERON_DRIVER_TERMINATION_VALIDATOR",
                                 "aeron_driver_termination_validator_default_allow",
                                 "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_MEDIA",
                                 "aeron_udp_channel_transport_bindings_default",
                                 "AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS",
                                 "fixed-loss,,aeron_udp_channel_interceptor_loss_load",
                                 "AERON_RECEIVER_WILDCARD_PORT_RANGE",
                                 " 20700  20709 ",
                                 NULL};
    const rj_driver_config_t config = read_pairs(names);
    cr_expect_str_eq(check_pairs(names), "");
    cr_expect_eq(config.unicast_flow_supplier, RJ_FLOW_SUPPLIER_MULTICAST_MAX);
    cr_expect_eq(config.multicast_flow_supplier, RJ_FLOW_SUPPLIER_TAGGED);
    cr_expect_eq(config.congestion_supplier, RJ_CONGESTION_SUPPLIER_CUBIC);
    cr_expect_eq(config.resolver_supplier, RJ_RESOLVER_SUPPLIER_CSV_TABLE);
    cr_expect_eq(config.termination_validator, RJ_TERMINATION_ALLOW);
    cr_expect_eq(config.incoming_interceptors.count, 2);
    cr_expect_eq(config.incoming_interceptors.kinds[0], RJ_INTERCEPTOR_FIXED_LOSS);
    cr_expect_eq(config.incoming_interceptors.kinds[1], RJ_INTERCEPTOR_LOSS);
    cr_expect_eq(config.outgoing_interceptors.count, 0);
    cr_expect_eq(config.receiver_port_range.low, 20700);
    cr_expect_eq(config.receiver_port_range.high, 20709);
}

Test(config, refuses_settings_of_names_ports_and_interceptors_that_cannot_be)
{
    static const char *const rows[][5] = {
        {"AERON_SENDER_WILDCARD_PORT_RANGE", "30 20", NULL},
        {"AERON_SENDER_WILDCARD_PORT_RANGE", "30", NULL},
        {"AERON_RECEIVER_WILDCARD_PORT_RANGE", "1 65536", NULL},
        {"AERON_RECEIVER_WILDCARD_PORT_RANGE", "1 2 3", NULL},
        {"AERON_RECEIVER_WILDCARD_PORT_RANGE", "-1 2", NULL},
        {"AERON_DRIVER_RESOLVER_INTERFACE", "localhost:8050", NULL},
        {"AERON_NAME_RESOLVER_SUPPLIER", "driver", NULL},
        {"AERON_NAME_RESOLVER_SUPPLIER", "csv_table", NULL},
        {"AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS",
         "loss,loss,loss,loss,loss,loss,loss,loss,loss,loss,loss", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *said = check_pairs(rows[i]);
        cr_expect_not_null(strstr(said, rows[i][0]), "%s=%s: %s", rows[i][0], rows[i][1], said);
    }
    const char *const good[] = {"AERON_DRIVER_RESOLVER_INTERFACE", "localhost:8050",
                                "AERON_DRIVER_RESOLVER_NAME", "a", NULL};
    cr_expect_str_eq(check_pairs(good), "");
}

Test(config, refuses_a_text_that_is_longer_than_it_can_remember)
{
    char text[2 * RJ_CONFIG_LIST_MAX];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    const char *const pairs[] = {"AERON_DRIVER_RESOLVER_NAME", text, NULL};
    cr_expect_not_null(strstr(check_pairs(pairs), "too long"));
}

/* Warnings about these pairs. */
static void expect_warnings(const char *const pairs[], const char *expected)
{
    char *words = NULL;
    size_t length;
    FILE *warnings = open_memstream(&words, &length);
    rj_driver_config_t config;
    rj_config_read(&config, from_pairs, pairs, warnings);
    fclose(warnings);
    cr_expect_str_eq(words, expected);
    free(words);
}

Test(config, says_in_a_line_what_it_cannot_read_and_ignores_what_is_not_its_own)
{
    const char *const pairs[] = {"AERON_TIMER_INTERVAL",
                                 "1.5s",
                                 "AERON_THREADING_MODE",
                                 "shared",
                                 "AERON_RELIABLE_STREAM",
                                 "yes",
                                 "AERON_SOME_OTHER",
                                 "x",
                                 "AERON_EVENT_LOG_DISABLE",
                                 "",
                                 "AERON_MAX_RESEND",
                                 "1x",
                                 "AERON_DEBUG_SEND_DATA_LOSS_RATE",
                                 "0.5",
                                 NULL};
    expect_warnings(pairs, "WARNING: AERON_TIMER_INTERVAL=1.5s is invalid, using default\n"
                           "WARNING: AERON_MAX_RESEND=1x is invalid, using default\n"
                           "WARNING: AERON_THREADING_MODE=shared is invalid, using default\n");
}

/* Seen with the reference's driver: its users have such values in their scripts. */
Test(config, reads_every_type_as_the_reference_does)
{
    static const struct {
        const char *variable;
        const char *text;
        int64_t value;
    } rows[] = {
        {"AERON_TIMER_INTERVAL", " 5s", 5000000000},
        {"AERON_TIMER_INTERVAL", "5S", 5000000000},
        {"AERON_TIMER_INTERVAL", "7", 1000},
        {"AERON_TIMER_INTERVAL", "1 s", 1000000000},
        {"AERON_TERM_BUFFER_LENGTH", " 64k", 65536},
        {"AERON_TERM_BUFFER_LENGTH", "128kz", 131072},
        {"AERON_TERM_BUFFER_LENGTH", "1.5m", 16777216},
        {"AERON_TERM_BUFFER_LENGTH", "0x20000", 16777216},
        {"AERON_TERM_BUFFER_LENGTH", "-1", 16777216},
        {"AERON_MAX_RESEND", "0x10", 16},
        {"AERON_MAX_RESEND", "010", 8},
        {"AERON_MAX_RESEND", " 7", 7},
        {"AERON_MAX_RESEND", "-3", 1},
        {"AERON_MAX_RESEND", "99999999999999999999", 256},
        {"AERON_RELIABLE_STREAM", "off0", 0},
        {"AERON_RELIABLE_STREAM", "false1", 0},
        {"AERON_RELIABLE_STREAM", "TRUE", 1},
        {"AERON_RELIABLE_STREAM", "2", 1},
        {"AERON_PRINT_CONFIGURATION", "on", 1},
        {"AERON_RECEIVER_GROUP_CONSIDERATION", "true", RJ_GROUP_TRUE},
        {"AERON_RECEIVER_GROUP_CONSIDERATION", "bogus", RJ_GROUP_FALSE},
        {"AERON_RECEIVER_IO_VECTOR_CAPACITY", "0", 1},
        {"AERON_RECEIVER_IO_VECTOR_CAPACITY", "20", 16},
        {"AERON_SENDER_IO_VECTOR_CAPACITY", "20", 16},
        {"AERON_NETWORK_PUBLICATION_MAX_MESSAGES_PER_SEND", "20", 16},
        {"AERON_SENDER_CPU_AFFINITY", "300", 255},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const pairs[] = {rows[i].variable, rows[i].text, NULL};
        const rj_driver_config_t config = read_pairs(pairs);
        const rj_option_t *option = rj_option_find(rows[i].variable);
        cr_assert_not_null(option);
        cr_expect_eq(rj_option_number(&config, option), rows[i].value, "%s=%s: %" PRId64,
                     rows[i].variable, rows[i].text, rj_option_number(&config, option));
    }
}

Test(config, hears_the_helpers_idle_arguments_only_with_its_strategy)
{
    const char *const strategy = "AERON_DRIVER_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY";
    const char *const args = "AERON_DRIVER_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY_INIT_ARGS";
    const char *const alone[] = {args, "2ms", NULL};
    const char *const both[] = {strategy, "sleep-ns", args, "2ms", NULL};
    const char *const bare[] = {strategy, "backoff", NULL};
    cr_expect_str_eq(read_pairs(alone).idle[RJ_ROLE_HELPER].args, "1ms");
    cr_expect_str_eq(read_pairs(both).idle[RJ_ROLE_HELPER].args, "2ms");
    cr_expect_str_eq(read_pairs(bare).idle[RJ_ROLE_HELPER].args, "");
}

Test(config, knows_a_group_tag_that_was_set_from_one_that_was_not)
{
    const char *const none[] = {NULL};
    const char *const minus[] = {"AERON_RECEIVER_GROUP_TAG", "-1", NULL};
    cr_expect_not(read_pairs(none).has_receiver_group_tag);
    cr_expect(read_pairs(minus).has_receiver_group_tag);
    cr_expect_eq(read_pairs(minus).receiver_group_tag, -1);
}

/* --- the table --- */

/* A row copied from another and given its field would overwrite that one's value. */
Test(config, has_a_field_of_its_own_for_every_setting)
{
    static const char *owners[sizeof(rj_driver_config_t)];
    for (size_t i = 0; i < rj_option_count; i++) {
        const rj_option_t *option = &rj_options[i];
        if (option->variable == NULL || option->type == RJ_OPTION_FOREIGN ||
            option->type == RJ_OPTION_NONE)
            continue;
        cr_assert_lt(option->offset, sizeof(rj_driver_config_t));
        cr_expect_null(owners[option->offset], "%s and %s", option->variable,
                       owners[option->offset]);
        owners[option->offset] = option->variable;
    }
}

Test(config, has_each_setting_once_with_a_help_and_bounds_that_can_be_kept)
{
    for (size_t i = 0; i < rj_option_count; i++) {
        const rj_option_t *option = &rj_options[i];
        for (size_t k = 0; option->variable != NULL && k < i; k++)
            cr_expect(rj_options[k].variable == NULL ||
                          strcmp(rj_options[k].variable, option->variable) != 0,
                      "%s twice", option->variable);
        if (option->variable != NULL)
            cr_expect(option->help != NULL && option->help[0] != '\0', "%s", option->variable);
        if (option->type == RJ_OPTION_CHOICE || option->type == RJ_OPTION_SUPPLIER ||
            option->type == RJ_OPTION_GROUP)
            cr_expect_not_null(rj_option_value_find(option->names, option->fallback), "%s",
                               option->variable);
        const bool is_bounded = option->type == RJ_OPTION_SIZE || option->type == RJ_OPTION_INT ||
                                option->type == RJ_OPTION_DURATION;
        if (is_bounded)
            cr_expect_leq(option->min, option->max, "%s", option->variable);
    }
}

/* --- the print-out --- */

static char *print(const rj_driver_config_t *config, const char *remarks)
{
    char *words = NULL;
    size_t length;
    FILE *out = open_memstream(&words, &length);
    rj_config_print(config, remarks, out);
    fclose(out);
    return words;
}

/* The reference's keys in its order (driver.md 20.5), each a whole line here. */
Test(config, prints_the_lines_of_the_reference_in_its_order_and_ours_at_the_end)
{
    static const char *const lines[] = {
        "aeron_driver_context_t {\n",
        "    cnc_version=0.2.0\n",
        "    aeron_dir=/dev/shm/x\n",
        "    driver_timeout_ms=10000\n",
        "    print_configuration_on_start=0\n",
        "    term_buffer_sparse_file=1\n",
        "    receiver_group_consideration=2\n",
        "    to_driver_buffer_length=1049344\n",
        "    timer_interval_ns=1000000000\n",
        "    untethered_resting_timeout_ns=10000000000\n",
        "    max_resend=16\n",
        "    unicast_flow_control_rrwm=16\n",
        "    multicast_flow_control_rrwm=4\n",
        "    name_resolver_threshold_ns=5000000000\n",
        "    term_buffer_length=16777216\n",
        "    mtu_length=8192\n",
        "    loss_report_length=1048576\n",
        "    resource_free_limit=1\n",
        "    cpuset_affinity=0\n",
        "    threading_mode=SHARED\n",
        "    agent_on_start_func=\n",
        "    conductor_idle_strategy_func=backoff\n",
        "    native_resource_agent_idle_strategy_init_args=1ms\n",
        "    unicast_flow_control_supplier_func=unicast_max\n",
        "    receiver_group_tag.is_present=1\n",
        "    receiver_group_tag.value=5\n",
        "    termination_validator_func=deny\n",
        "    re_resolution_check_interval_ns=1000000000\n",
        "    sender_wildcard_port_range=\"20 30\"\n",
        "    receiver_wildcard_port_range=\"0 0\"\n",
        "    enable_experimental_features=false\n",
        "    stream_session_limit=2147483647\n",
        "    udp_channel_transport_bindings.media=default\n",
        "    udp_channel_incoming_interceptor_bindings.interceptor=loss\n",
        "    udp_channel_incoming_interceptor_bindings.interceptor=fixed-loss\n",
        "    thread_naming=classic\n",
        "    transport=auto\n",
        "    chosen=sockets\n",
        "}\n",
    };
    const char *const pairs[] = {"AERON_DIR",
                                 "/dev/shm/x",
                                 "AERON_MTU_LENGTH",
                                 "8k",
                                 "AERON_THREADING_MODE",
                                 "SHARED",
                                 "AERON_RECEIVER_GROUP_TAG",
                                 "5",
                                 "AERON_SENDER_WILDCARD_PORT_RANGE",
                                 "20 30",
                                 "AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS",
                                 "loss,fixed-loss",
                                 NULL};
    const rj_driver_config_t config = read_pairs(pairs);
    char *words = print(&config, "sockets");
    const char *at = words;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const char *found = strstr(at, lines[i]);
        cr_assert_not_null(found, "%s not behind the line before it", lines[i]);
        at = found + strlen(lines[i]);
    }
    cr_expect_eq(*at, '\0');
    free(words);
}

/* Each setting shows in the print-out under one key: so none is read into the void. */
Test(config, prints_every_setting_that_it_reads)
{
    for (size_t i = 0; i < rj_option_count; i++) {
        const rj_option_t *option = &rj_options[i];
        if (option->variable == NULL || option->type == RJ_OPTION_FOREIGN ||
            option->type == RJ_OPTION_NONE)
            continue;
        cr_expect_not_null(option->key, "%s", option->variable);
        for (size_t k = 0; k < i; k++)
            cr_expect(rj_options[k].key == NULL || strcmp(rj_options[k].key, option->key) != 0,
                      "%s twice", option->key);
    }
}

Test(config, tells_of_every_setting_in_the_help_and_in_the_document)
{
    char *words = NULL;
    size_t length;
    FILE *out = open_memstream(&words, &length);
    rj_config_print_help(out);
    rj_config_print_rows(out);
    fclose(out);
    for (size_t i = 0; i < rj_option_count; i++)
        if (rj_options[i].variable != NULL)
            cr_expect_not_null(strstr(words, rj_options[i].variable));
    free(words);
}

Test(config, takes_the_longest_duration_for_one_that_can_be_added_to_a_time)
{
    const char *const pairs[] = {"AERON_TIMER_INTERVAL", "9223372036854775807ns",
                                 "AERON_DRIVER_TIMEOUT", "9223372036854775807", NULL};
    rj_driver_config_t config = read_pairs(pairs);
    cr_expect_eq(config.timer_interval_ns, RJ_CONFIG_DURATION_NS_MAX);
    cr_expect_eq(config.driver_timeout_ms, RJ_CONFIG_DURATION_NS_MAX / 1000000);
}

Test(config, refuses_a_directory_that_is_longer_than_it_can_remember)
{
    char path[1000] = "/dev/shm/";
    memset(path + strlen(path), 'x', 900);
    const char *const pairs[] = {"AERON_DIR", path, NULL};
    rj_driver_config_t config = read_pairs(pairs);
    rj_err_t err;
    cr_expect_eq(rj_config_check(&config, &err), -ENAMETOOLONG);
}

Test(config, refuses_to_reserve_nearly_all_session_ids)
{
    const char *const pairs[] = {"AERON_PUBLICATION_RESERVED_SESSION_ID_LOW", "-2147483648",
                                 "AERON_PUBLICATION_RESERVED_SESSION_ID_HIGH", "2147483646", NULL};
    rj_driver_config_t config = read_pairs(pairs);
    rj_err_t err;
    cr_expect_eq(rj_config_check(&config, &err), -EINVAL);
    config.reserved_session_id_high = INT32_MIN; /* one id, and none */
    cr_expect_eq(rj_config_check(&config, &err), 0);
    config.reserved_session_id_low = INT32_MAX;
    cr_expect_eq(rj_config_check(&config, &err), 0);
}

Test(config, refuses_relations_that_clamping_cannot_mend)
{
    static const char *const rows[][3] = {
        {"AERON_TERM_BUFFER_LENGTH", "100000", NULL},
        {"AERON_MTU_LENGTH", "1400", NULL},
        {"AERON_IPC_MTU_LENGTH", "32", NULL},
        {"AERON_FILE_PAGE_SIZE", "5000", NULL},
        {"AERON_CONDUCTOR_BUFFER_LENGTH", "2m", NULL},
        {"AERON_CLIENTS_BUFFER_LENGTH", "2m", NULL},
        {"AERON_CLIENT_LIVENESS_TIMEOUT", "1s", NULL},
        {"AERON_PUBLICATION_UNBLOCK_TIMEOUT", "10s", NULL},
        {"AERON_UNTETHERED_RESTING_TIMEOUT", "1s", NULL},
        {"AERON_NAK_UNICAST_DELAY", "9223372036854775807", NULL},
        {"AERON_DRIVER_TERMINATION_VALIDATOR", "my_function", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rj_driver_config_t config = read_pairs(rows[i]);
        rj_err_t err;
        cr_expect_lt(rj_config_check(&config, &err), 0, "%s", rows[i][0]);
        cr_expect_not_null(strstr(err.text, rows[i][0]), "%s: %s", rows[i][0], err.text);
    }
}
