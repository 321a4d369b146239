/* SPDX-License-Identifier: Apache-2.0 */
/* What clamping cannot mend: powers of two, multiples, relations between settings. */
#include "config/config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bits.h"
#include "config/filter_config.h"
#include "config/ring_config.h"

enum { TERM_MIN = 65536, TERM_MAX = 1 << 30 };

static int check_term(const char *name, int64_t bytes, rj_err_t *err)
{
    if (!rj_is_pow2(bytes) || bytes < TERM_MIN || bytes > TERM_MAX)
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

/* As the reference: who gives an interface gives a name, whoever resolves. */
static int check_names(const rj_driver_config_t *config, rj_err_t *err)
{
    if (config->resolver_interface[0] != '\0' && config->resolver_name[0] == '\0')
        return rj_fail(err, -EINVAL,
                       "AERON_DRIVER_RESOLVER_INTERFACE=%s: `resolverName` is required when "
                       "`resolverInterface` is set: give AERON_DRIVER_RESOLVER_NAME",
                       config->resolver_interface);
    if (config->resolver_supplier == RJ_RESOLVER_SUPPLIER_DRIVER &&
        config->resolver_interface[0] == '\0')
        return rj_fail(err, -EINVAL,
                       "AERON_NAME_RESOLVER_SUPPLIER=driver: it talks to others at an address of "
                       "its own: give AERON_DRIVER_RESOLVER_INTERFACE");
    if (config->resolver_supplier == RJ_RESOLVER_SUPPLIER_CSV_TABLE &&
        config->resolver_args[0] == '\0')
        return rj_fail(err, -EINVAL,
                       "AERON_NAME_RESOLVER_SUPPLIER=csv_table: its table is missing: give "
                       "AERON_NAME_RESOLVER_INIT_ARGS");
    return 0;
}

static int check_nak_delay(const rj_driver_config_t *config, rj_err_t *err)
{
    int64_t product;
    if (!__builtin_mul_overflow(config->nak_unicast_delay_ns, config->nak_unicast_retry_ratio,
                                &product))
        return 0;
    return rj_fail(err, -ERANGE,
                   "AERON_NAK_UNICAST_DELAY times AERON_NAK_UNICAST_RETRY_DELAY_RATIO does not "
                   "fit 64 bits: lower one of them");
}

/* What is sent can be lost where it is received. */
static int check_interceptors(const rj_driver_config_t *config, rj_err_t *err)
{
    if (config->outgoing_interceptors.count > 0)
        return rj_fail(err, -EINVAL,
                       "AERON_UDP_CHANNEL_OUTGOING_INTERCEPTORS: the loss filters take what comes "
                       "in: name them in AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS of the receiver");
    rj_filter_config_t configs;
    return rj_filter_config_read(&configs, config, err);
}

int rj_config_check(const rj_driver_config_t *config, rj_err_t *err)
{
    int result = check_dir(config, err);
    if (result == 0 && config->refusal[0] != '\0')
        result = rj_fail(err, -EINVAL, "%s", config->refusal);
    if (result == 0)
        result = check_lengths(config, err);
    if (result == 0)
        result = check_session_ids(config, err);
    if (result == 0)
        result = check_timeouts(config, err);
    if (result == 0)
        result = check_nak_delay(config, err);
    if (result == 0)
        result = check_names(config, err);
    if (result == 0)
        result = check_interceptors(config, err);
    rj_driver_config_t scratch = *config;
    return result == 0 ? rj_ring_config_read(&scratch, err) : result;
}
