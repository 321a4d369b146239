/* SPDX-License-Identifier: Apache-2.0 */
#include "config/ring_config.h"

#include <ramjet/xdp_abi.h>

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "config/channel_rules.h"

enum {
    CPU_MAX = 1023,
    NUMBER_DIGITS_MAX = 5,
    BUSY_POLL_US_MAX = 10000,
    BUSY_POLL_BUDGET_DEFAULT =
        64, /* what NAPI does at a time, and what needs no right of its own */
    BUSY_POLL_BUDGET_MAX = 1024,
    COPY_FREE_MAX = 64, /* as shm/log_pool.h has it */
};

typedef int (*reader_t)(rj_driver_config_t *config, const char *text, rj_err_t *err);

/* Reads a number without sign or blanks; NULL when there is none or it is above `max`. */
static const char *read_number(const char *text, int32_t max, int32_t *ret_value)
{
    int32_t value = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at) && at - text < NUMBER_DIGITS_MAX; at++)
        value = value * 10 + (*at - '0');
    if (at == text || value > max)
        return NULL;
    *ret_value = value;
    return at;
}

/* "3" or "2-5"; returns what follows. */
static const char *read_range(const char *text, int32_t max, int32_t *ret_first, int32_t *ret_last)
{
    const char *rest = read_number(text, max, ret_first);
    *ret_last = *ret_first;
    if (rest != NULL && *rest == '-')
        rest = read_number(rest + 1, max, ret_last);
    return rest != NULL && *ret_first <= *ret_last ? rest : NULL;
}

/* What the kernel allows in an interface's name. */
static int check_interface(const char *name, size_t length, rj_err_t *err)
{
    bool is_dots = length <= 2 && strspn(name, ".") >= length;
    if (length == 0)
        return rj_fail(err, -EINVAL, "an empty name: give interfaces as eth0 or eth0,eth1");
    if (length >= RJ_CONFIG_INTERFACE_NAME_MAX)
        return rj_fail(err, -EINVAL, "%.*s: an interface's name has at most %d characters",
                       (int)length, name, RJ_CONFIG_INTERFACE_NAME_MAX - 1);
    for (size_t i = 0; i < length; i++)
        if (isspace((unsigned char)name[i]) || name[i] == '/' || name[i] == ':' || is_dots)
            return rj_fail(err, -EINVAL, "%.*s: not the name of an interface: see `ip link`",
                           (int)length, name);
    return 0;
}

static bool has_interface(const rj_driver_config_t *config, const char *name, size_t length)
{
    for (int i = 0; i < config->interface_count; i++)
        if (strncmp(config->interfaces[i], name, length) == 0 &&
            config->interfaces[i][length] == '\0')
            return true;
    return false;
}

static int read_interfaces(rj_driver_config_t *config, const char *text, rj_err_t *err)
{
    config->interface_count = 0;
    for (const char *at = text;; at++) {
        size_t length = strcspn(at, ",");
        int result = check_interface(at, length, err);
        if (result < 0)
            return result;
        if (!has_interface(config, at, length)) {
            if (config->interface_count == RJ_CONFIG_INTERFACES_MAX)
                return rj_fail(err, -EINVAL, "at most %d interfaces", RJ_CONFIG_INTERFACES_MAX);
            char *name = config->interfaces[config->interface_count++];
            memcpy(name, at, length);
            name[length] = '\0';
        }
        at += length;
        if (*at == '\0')
            return 0;
    }
}

static int read_transport(rj_driver_config_t *config, const char *text, rj_err_t *err)
{
    if (rj_transport_parse(text, &config->transport) < 0)
        return rj_fail(err, -EINVAL, "no such transport: give " RJ_TRANSPORT_NAMES);
    return 0;
}

static int read_mode(rj_driver_config_t *config, const char *text, rj_err_t *err)
{
    if (rj_xdp_mode_parse(text, &config->xdp_mode) < 0)
        return rj_fail(err, -EINVAL, "give " RJ_XDP_MODE_NAMES);
    return 0;
}

static int read_queues(rj_driver_config_t *config, const char *text, rj_err_t *err)
{
    int32_t first = 0;
    int32_t last = 0;
    const char *rest = read_range(text, RJ_XDP_QUEUES_MAX - 1, &first, &last);
    if (rest == NULL || *rest != '\0')
        return rj_fail(err, -EINVAL, "give a queue or a range of queues from 0 to %d, such as 0-3",
                       RJ_XDP_QUEUES_MAX - 1);
    if (last - first >= RJ_ENGINES_MAX)
        return rj_fail(err, -EINVAL, "%d queues: there is an engine for each, and at most %d",
                       last - first + 1, RJ_ENGINES_MAX);
    config->queue_first = first;
    config->queue_last = last;
    return 0;
}

static int read_control(rj_driver_config_t *config, const char *text, rj_err_t *err)
{
    bool is_ring = strcmp(text, "ring") == 0;
    if (!is_ring && strcmp(text, "kernel") != 0)
        return rj_fail(err, -EINVAL, "give kernel or ring");
    config->control = is_ring ? RJ_CONTROL_RING : RJ_CONTROL_KERNEL;
    return 0;
}

static int read_engine_cpus(rj_driver_config_t *config, const char *text, rj_err_t *err)
{
    config->engine_cpu_count = 0;
    for (const char *at = text;; at++) {
        int32_t first = 0;
        int32_t last = 0;
        at = read_range(at, CPU_MAX, &first, &last);
        if (at == NULL || (*at != ',' && *at != '\0'))
            return rj_fail(err, -EINVAL, "give CPUs from 0 to %d, such as 2,3 or 2-5", CPU_MAX);
        for (; first <= last; first++) {
            if (config->engine_cpu_count == RJ_ENGINES_MAX)
                return rj_fail(err, -EINVAL, "at most %d CPUs, one for each engine",
                               RJ_ENGINES_MAX);
            config->engine_cpus[config->engine_cpu_count++] = first;
        }
        if (*at == '\0')
            return 0;
    }
}

static int read_steer_queues(rj_driver_config_t *config, const char *text, rj_err_t *err)
{
    static const char *const names[] = {[RJ_STEER_QUEUES_AUTO] = "auto",
                                        [RJ_STEER_QUEUES_ON] = "on",
                                        [RJ_STEER_QUEUES_OFF] = "off"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) != 0)
            continue;
        config->steer_queues = (rj_steer_queues_t)i;
        return 0;
    }
    return rj_fail(err, -EINVAL, "give auto, on or off");
}

/* "20" or "20:64". */
static int read_busy_poll(rj_driver_config_t *config, const char *text, rj_err_t *err)
{
    int32_t us = 0;
    int32_t budget = BUSY_POLL_BUDGET_DEFAULT;
    const char *rest = read_number(text, BUSY_POLL_US_MAX, &us);
    if (rest != NULL && *rest == ':')
        rest = read_number(rest + 1, BUSY_POLL_BUDGET_MAX, &budget);
    if (rest == NULL || *rest != '\0' || budget == 0)
        return rj_fail(err, -EINVAL,
                       "give microseconds from 0 (off) to %d, and packets from 1 to %d, such as 20 "
                       "or 20:64",
                       BUSY_POLL_US_MAX, BUSY_POLL_BUDGET_MAX);
    config->busy_poll_us = (uint32_t)us;
    config->busy_poll_budget = (uint32_t)budget;
    return 0;
}

static int read_copy_free(rj_driver_config_t *config, const char *text, rj_err_t *err)
{
    const char *rest = read_number(text, COPY_FREE_MAX, &config->copy_free);
    return rest != NULL && *rest == '\0'
               ? 0
               : rj_fail(err, -EINVAL, "give a number of publications from 0 (off) to %d",
                         COPY_FREE_MAX);
}

/* It becomes the name of a folder in bpffs, which takes no dots. */
static int read_instance(rj_driver_config_t *config, const char *text, rj_err_t *err)
{
    (void)config;
    for (const char *at = text; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_')
            return rj_fail(err, -EINVAL, "a name is made of letters, digits, - and _");
    return 0;
}

static int read_channel_transports(rj_driver_config_t *config, const char *text, rj_err_t *err)
{
    (void)config;
    return rj_channel_rules_check(text, err);
}

#define ROW(variable, read, field)                                                                 \
    {                                                                                              \
        variable, read, offsetof(rj_driver_config_t, field),                                       \
            sizeof(((rj_driver_config_t *)NULL)->field)                                            \
    }

static const struct {
    const char *variable;
    reader_t read;
    size_t offset; /* of the text */
    size_t size;
} rows[] = {
    ROW("RAMJET_INTERFACE", read_interfaces, interface_list),
    ROW("RAMJET_TRANSPORT", read_transport, transport_text),
    ROW("RAMJET_XDP_MODE", read_mode, xdp_mode_text),
    ROW("RAMJET_QUEUES", read_queues, queue_range),
    ROW("RAMJET_CONTROL", read_control, control_text),
    ROW("RAMJET_ENGINE_CPUS", read_engine_cpus, engine_cpu_list),
    ROW("RAMJET_INSTANCE", read_instance, instance),
    ROW("RAMJET_STEER_QUEUES", read_steer_queues, steer_queues_text),
    ROW("RAMJET_BUSY_POLL", read_busy_poll, busy_poll_text),
    ROW("RAMJET_CHANNEL_TRANSPORT", read_channel_transports, channel_transports),
    ROW("RAMJET_COPY_FREE", read_copy_free, copy_free_text),
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

/* `config` is changed only by a value that is good. */
static int read_row(rj_driver_config_t *config, size_t row, const char *text, rj_err_t *err)
{
    rj_driver_config_t draft = *config;
    if (strlen(text) >= rows[row].size - 1) /* a longer one has been cut to exactly this */
        return rj_fail(err, -EINVAL, "too long: use less than %zu characters", rows[row].size - 1);
    int result = rows[row].read(&draft, text, err);
    if (result == 0)
        *config = draft;
    return result;
}

int rj_ring_config_check_value(const char *variable, const char *text, rj_err_t *err)
{
    rj_driver_config_t scratch = {.interface_count = 0};
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(variable, rows[i].variable) == 0 && text[0] != '\0')
            return read_row(&scratch, i, text, err);
    return 0;
}

int rj_ring_config_read(rj_driver_config_t *config, rj_err_t *err)
{
    int first_result = 0;
    config->interface_count = 0;
    config->transport = RJ_TRANSPORT_AUTO;
    config->xdp_mode = RJ_XDP_MODE_AUTO;
    config->queue_first = -1;
    config->queue_last = -1;
    config->control = RJ_CONTROL_KERNEL;
    config->engine_cpu_count = 0;
    config->steer_queues = RJ_STEER_QUEUES_AUTO;
    config->copy_free = 0;
    config->busy_poll_us = 0;
    config->busy_poll_budget = 0;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const char *text = (const char *)config + rows[i].offset;
        rj_err_t reason;
        int result = text[0] == '\0' ? 0 : read_row(config, i, text, &reason);
        if (result < 0 && first_result == 0)
            first_result = rj_fail(err, result, "%s=%s: %s", rows[i].variable, text, reason.text);
    }
    return first_result;
}
