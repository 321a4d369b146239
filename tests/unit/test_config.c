/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

Test(config, says_what_it_does_not_support_yet_where_that_makes_a_difference)
{
    const char *const pairs[] = {"AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS",
                                 "loss",
                                 "AERON_NAME_RESOLVER_SUPPLIER",
                                 "",
                                 "AERON_EVENT_LOG",
                                 "admin",
                                 "AERON_UNICAST_FLOWCONTROL_SUPPLIER",
                                 "aeron_unicast_flow_control_strategy_supplier",
                                 "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_MEDIA",
                                 "default",
                                 NULL};
    char *words = NULL;
    size_t length;
    FILE *warnings = open_memstream(&words, &length);
    rj_driver_config_t config;
    rj_config_read(&config, from_pairs, pairs, warnings);
    fclose(warnings);
    cr_expect_str_eq(words,
                     "WARNING: AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS=loss is not supported "
                     "by this driver yet, ignoring it\n");
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

Test(config, defines_a_property_as_its_variable)
{
    rj_err_t err;
    cr_assert_eq(rj_config_define("aeron.mtu.length=2048", &err), 0);
    cr_expect_str_eq(getenv("AERON_MTU_LENGTH"), "2048");
    cr_assert_eq(rj_config_define("aeron.mtu.length=", &err), 0);
    cr_expect_null(getenv("AERON_MTU_LENGTH"));
    cr_expect_eq(rj_config_define("nonsense", &err), -EINVAL);
    cr_expect_eq(rj_config_define("=x", &err), -EINVAL);
}

Test(config, defines_ours_by_every_spelling_and_refuses_what_is_none)
{
    static const char *const spellings[] = {"ramjet.xdp.mode=native", "ramjet.xdp-mode=native",
                                            "RAMJET_XDP_MODE=native"};
    rj_err_t err;
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        unsetenv("RAMJET_XDP_MODE");
        cr_assert_eq(rj_config_define(spellings[i], &err), 0, "%s", spellings[i]);
        cr_assert_not_null(getenv("RAMJET_XDP_MODE"), "%s", spellings[i]);
        cr_expect_str_eq(getenv("RAMJET_XDP_MODE"), "native");
    }
    cr_expect_eq(rj_config_define("ramjet.mode=native", &err), -EINVAL);
    cr_expect_str_eq(err.text, "ramjet.mode: no such setting: see `ramjet driver --settings`");
    cr_expect_eq(rj_config_define("RAMJET_MODE=native", &err), -EINVAL);
    cr_expect_eq(rj_config_define("aeron.some-thing=1", &err), 0);
}
