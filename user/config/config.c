/* SPDX-License-Identifier: Apache-2.0 */
/* From texts to settings: each row of the table is looked up, read, clamped, and put in place. */
#include "config/config.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/option.h"
#include "config/ring_config.h"

const char *rj_config_environment(const char *name, const void *state)
{
    (void)state;
    return getenv(name);
}

const char *rj_threading_mode_name(rj_threading_mode_t mode)
{
    const rj_option_t *option = rj_option_find("AERON_THREADING_MODE");
    return rj_option_value_find(option->names, mode)->name;
}

/* The first is enough: whoever mends it hears of the next. */
static void refuse(rj_driver_config_t *config, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void refuse(rj_driver_config_t *config, const char *format, ...)
{
    if (config->refusal[0] != '\0')
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(config->refusal, sizeof(config->refusal), format, args);
    va_end(args);
}

static void list_names(char *text, size_t size, const rj_option_name_t *names)
{
    size_t length = 0;
    text[0] = '\0';
    for (const rj_option_name_t *name = names; name->name != NULL && length < size; name++) {
        const char *between = name == names ? "" : name[1].name == NULL ? " or " : ", ";
        length += (size_t)snprintf(text + length, size - length, "%s%s", between, name->name);
    }
}

static void refuse_foreign(rj_driver_config_t *config, const rj_option_t *option, const char *text)
{
    char known[RJ_CONFIG_NAME_MAX];
    list_names(known, sizeof(known), option->names);
    refuse(config, "%s=%.128s: foreign code is not loaded: %s%s", option->variable, text,
           known[0] != '\0' ? "use " : "leave it out", known);
}

static void set_text(rj_driver_config_t *config, const rj_option_t *option, const char *text)
{
    const int length = snprintf((char *)config + option->offset, option->size, "%s", text);
    /* The directory's own refusal names its code (config_check.c). */
    if (length >= (int)option->size && option->offset != offsetof(rj_driver_config_t, dir))
        refuse(config, "%s=%.60s...: too long, use less than %zu characters", option->variable,
               text, option->size);
}

static void set_fallback(rj_driver_config_t *config, const rj_option_t *option)
{
    switch (option->type) {
    case RJ_OPTION_TEXT:
        set_text(config, option, option->text_fallback);
        break;
    case RJ_OPTION_BOOL:
    case RJ_OPTION_SIZE:
    case RJ_OPTION_DURATION:
    case RJ_OPTION_INT:
    case RJ_OPTION_CHOICE:
    case RJ_OPTION_GROUP:
    case RJ_OPTION_SUPPLIER:
        rj_option_set_number(config, option, option->fallback);
        break;
    case RJ_OPTION_INTERCEPTORS: /* all of these are zero */
    case RJ_OPTION_PORTS:
    case RJ_OPTION_FOREIGN:
    case RJ_OPTION_NONE:
    case RJ_OPTION_SHOWN:
        break;
    }
}

/* Names with commas between; as in the reference an empty one is none. */
static void read_interceptors(rj_driver_config_t *config, const rj_option_t *option,
                              const char *text)
{
    rj_interceptor_list_t *list =
        (rj_interceptor_list_t *)(void *)((char *)config + option->offset);
    char name[RJ_CONFIG_NAME_MAX];
    for (const char *at = text; *at != '\0'; at += *at == ',') {
        const size_t length = strcspn(at, ",");
        snprintf(name, sizeof(name), "%.*s", (int)length, at);
        at += length;
        if (length == 0)
            continue;
        const rj_option_name_t *known = rj_option_name_find(option->names, name);
        if (known == NULL) {
            refuse_foreign(config, option, name);
            return;
        }
        if (list->count == RJ_INTERCEPTORS_MAX) {
            refuse(config, "%s=%.128s: at most %d interceptors", option->variable, text,
                   RJ_INTERCEPTORS_MAX);
            return;
        }
        list->kinds[list->count++] = known->value;
    }
}

static void read_ports(rj_driver_config_t *config, const rj_option_t *option, const char *text)
{
    if (!rj_option_read_ports(text, (rj_port_range_t *)(void *)((char *)config + option->offset)))
        refuse(config, "%s=%.128s: give two ports, low and high, as 20700 20709", option->variable,
               text);
}

static bool read_name(const rj_option_t *option, const char *text, int64_t *ret_value)
{
    const rj_option_name_t *name = rj_option_name_find(option->names, text);
    if (name != NULL)
        *ret_value = name->value;
    return name != NULL;
}

static bool read_number(const rj_option_t *option, const char *text, int64_t *ret_value)
{
    switch (option->type) {
    case RJ_OPTION_BOOL:
        return rj_option_read_bool(text, ret_value);
    case RJ_OPTION_SIZE:
        return rj_option_read_size(text, ret_value);
    case RJ_OPTION_DURATION:
        return rj_option_read_duration(text, ret_value);
    case RJ_OPTION_INT:
        return rj_option_read_int(text, ret_value);
    case RJ_OPTION_CHOICE:
    case RJ_OPTION_GROUP:
    case RJ_OPTION_SUPPLIER:
        return read_name(option, text, ret_value);
    case RJ_OPTION_TEXT:
    case RJ_OPTION_INTERCEPTORS:
    case RJ_OPTION_PORTS:
    case RJ_OPTION_FOREIGN:
    case RJ_OPTION_NONE:
    case RJ_OPTION_SHOWN:
        break;
    }
    return false;
}

static int64_t clamp(const rj_option_t *option, int64_t value)
{
    if (option->names != NULL)
        return value;
    return value < option->min ? option->min : value > option->max ? option->max : value;
}

/* What cannot be read keeps the default, and is told; a truth value in silence. */
static void take_number(rj_driver_config_t *config, const rj_option_t *option, const char *text,
                        FILE *warnings)
{
    int64_t value = option->fallback;
    const bool is_read = read_number(option, text, &value);
    if (option->presence_offset != 0)
        *(bool *)(void *)((char *)config + option->presence_offset) = true;
    if (is_read)
        rj_option_set_number(config, option, clamp(option, value));
    else if (option->type == RJ_OPTION_GROUP)
        rj_option_set_number(config, option, RJ_GROUP_FALSE);
    else if (option->type == RJ_OPTION_SUPPLIER)
        refuse_foreign(config, option, text);
    else if (option->type != RJ_OPTION_BOOL && warnings != NULL)
        fprintf(warnings, "WARNING: %s=%s is invalid, using default\n", option->variable, text);
}

static void take(rj_driver_config_t *config, const rj_option_t *option, const char *text,
                 FILE *warnings)
{
    switch (option->type) {
    case RJ_OPTION_TEXT:
        set_text(config, option, text);
        break;
    case RJ_OPTION_INTERCEPTORS:
        read_interceptors(config, option, text);
        break;
    case RJ_OPTION_PORTS:
        read_ports(config, option, text);
        break;
    case RJ_OPTION_FOREIGN:
        if (rj_option_name_find(option->names, text) == NULL)
            refuse_foreign(config, option, text);
        break;
    case RJ_OPTION_NONE:
    case RJ_OPTION_SHOWN:
        break;
    case RJ_OPTION_BOOL:
    case RJ_OPTION_SIZE:
    case RJ_OPTION_DURATION:
    case RJ_OPTION_INT:
    case RJ_OPTION_CHOICE:
    case RJ_OPTION_GROUP:
    case RJ_OPTION_SUPPLIER:
        take_number(config, option, text, warnings);
        break;
    }
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

static const char *value_of(const rj_option_t *option, rj_config_source_t source, const void *state)
{
    const char *text = option->variable == NULL ? NULL : source(option->variable, state);
    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* As the reference: the helper's arguments are heard only where its strategy is set too. */
static void forget_helper_args(rj_driver_config_t *config, rj_config_source_t source,
                               const void *state)
{
    const rj_option_t *strategy =
        rj_option_find("AERON_DRIVER_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY");
    const rj_option_t *args =
        rj_option_find("AERON_DRIVER_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY_INIT_ARGS");
    if (value_of(strategy, source, state) == NULL)
        set_text(config, args, args->text_fallback);
    else if (value_of(args, source, state) == NULL)
        set_text(config, args, "");
}

void rj_config_read(rj_driver_config_t *config, rj_config_source_t source, const void *state,
                    FILE *warnings)
{
    memset(config, 0, sizeof(*config));
    for (size_t i = 0; i < rj_option_count; i++) {
        const rj_option_t *option = &rj_options[i];
        if (option->variable == NULL)
            continue;
        set_fallback(config, option);
        const char *text = value_of(option, source, state);
        if (text != NULL)
            take(config, option, text, warnings);
    }
    forget_helper_args(config, source, state);
    if (config->dir[0] == '\0')
        default_dir(config->dir, source, state);
    rj_err_t refused;
    if (rj_ring_config_read(config, &refused) < 0)
        refuse(config, "%s", refused.text);
}
