/* SPDX-License-Identifier: Apache-2.0 */
/* What the table tells people: the configuration that holds, the help, and the document. */
#include "config/config.h"

#include <inttypes.h>

#include "base/quantity.h"
#include "config/option.h"

enum { KIB = 1024, MIB = 1048576, GIB = 1073741824, TEXT_BYTES = 64 };

/* --- the print-out, as the reference's (driver.md 20.5) --- */

static void print_named(const rj_driver_config_t *config, const rj_option_t *option, FILE *out)
{
    const rj_option_name_t *name =
        rj_option_value_find(option->names, rj_option_number(config, option));
    fprintf(out, "    %s=%s\n", option->key, name != NULL ? name->name : "");
}

static void print_interceptors(const rj_driver_config_t *config, const rj_option_t *option,
                               FILE *out)
{
    const rj_interceptor_list_t *list =
        (const rj_interceptor_list_t *)(const void *)((const char *)config + option->offset);
    for (int i = 0; i < list->count; i++)
        fprintf(out, "    %s=%s\n", option->key,
                rj_option_value_find(option->names, list->kinds[i])->name);
}

static void print_row(const rj_driver_config_t *config, const rj_option_t *option, FILE *out)
{
    const char *field = (const char *)config + option->offset;
    const rj_port_range_t *ports = (const rj_port_range_t *)(const void *)field;
    switch (option->type) {
    case RJ_OPTION_BOOL:
        if (option->names != NULL) {
            print_named(config, option, out);
            return;
        }
        fprintf(out, "    %s=%" PRId64 "\n", option->key, rj_option_number(config, option));
        break;
    case RJ_OPTION_SIZE:
    case RJ_OPTION_DURATION:
    case RJ_OPTION_INT:
    case RJ_OPTION_GROUP:
        fprintf(out, "    %s=%" PRId64 "\n", option->key, rj_option_number(config, option));
        break;
    case RJ_OPTION_TEXT:
        fprintf(out, "    %s=%s\n", option->key, field);
        break;
    case RJ_OPTION_CHOICE:
    case RJ_OPTION_SUPPLIER:
        print_named(config, option, out);
        break;
    case RJ_OPTION_INTERCEPTORS:
        print_interceptors(config, option, out);
        break;
    case RJ_OPTION_PORTS:
        fprintf(out, "    %s=\"%d %d\"\n", option->key, ports->low, ports->high);
        break;
    case RJ_OPTION_FOREIGN:
    case RJ_OPTION_SHOWN:
        fprintf(out, "    %s=%s\n", option->key, option->text_fallback);
        break;
    case RJ_OPTION_NONE:
        break;
    }
}

void rj_config_print(const rj_driver_config_t *config, const char *remarks, FILE *out)
{
    fputs("aeron_driver_context_t {\n", out);
    for (size_t i = 0; i < rj_option_count; i++)
        if (rj_options[i].key != NULL)
            print_row(config, &rj_options[i], out);
    if (remarks != NULL)
        fprintf(out, "    chosen=%s\n", remarks);
    fputs("}\n", out);
}

/* --- help and document --- */

static void format_size(char text[static TEXT_BYTES], int64_t bytes)
{
    if (bytes == INT64_MAX)
        snprintf(text, TEXT_BYTES, "unlimited");
    else if (bytes >= GIB && bytes % GIB == 0)
        snprintf(text, TEXT_BYTES, "%" PRId64 "g", bytes / GIB);
    else if (bytes >= MIB && bytes % MIB == 0)
        snprintf(text, TEXT_BYTES, "%" PRId64 "m", bytes / MIB);
    else if (bytes >= KIB && bytes % KIB == 0)
        snprintf(text, TEXT_BYTES, "%" PRId64 "k", bytes / KIB);
    else
        snprintf(text, TEXT_BYTES, "%" PRId64, bytes);
}

static void format_duration(char text[static TEXT_BYTES], int64_t ns)
{
    char duration[RJ_QUANTITY_TEXT_MAX];
    rj_print_duration(duration, ns);
    snprintf(text, TEXT_BYTES, "%s", ns < 0 ? "unset" : ns == 0 ? "0" : duration);
}

static void format_fallback(char text[static TEXT_BYTES], const rj_option_t *option)
{
    switch (option->type) {
    case RJ_OPTION_TEXT:
    case RJ_OPTION_FOREIGN:
        snprintf(text, TEXT_BYTES, "%s", option->text_fallback);
        break;
    case RJ_OPTION_DURATION:
        format_duration(text, option->fallback);
        break;
    case RJ_OPTION_CHOICE:
    case RJ_OPTION_GROUP:
    case RJ_OPTION_SUPPLIER:
        snprintf(text, TEXT_BYTES, "%s",
                 rj_option_value_find(option->names, option->fallback)->name);
        break;
    case RJ_OPTION_BOOL:
        snprintf(text, TEXT_BYTES, "%s", option->fallback != 0 ? "true" : "false");
        break;
    case RJ_OPTION_SIZE:
        format_size(text, option->fallback);
        break;
    case RJ_OPTION_INT:
        snprintf(text, TEXT_BYTES, "%" PRId64, option->fallback);
        break;
    case RJ_OPTION_PORTS:
        snprintf(text, TEXT_BYTES, "0 0");
        break;
    case RJ_OPTION_INTERCEPTORS:
    case RJ_OPTION_NONE:
    case RJ_OPTION_SHOWN:
        text[0] = '\0';
        break;
    }
}

/* "512k to 1g", "at least 1us", a list of names, or nothing. */
static void format_bounds(char *text, size_t size, const rj_option_t *option)
{
    char low[TEXT_BYTES] = "";
    char high[TEXT_BYTES] = "";
    size_t length = 0;
    text[0] = '\0';
    for (const rj_option_name_t *name = option->names;
         option->type != RJ_OPTION_BOOL && name != NULL && name->name != NULL && length < size;
         name++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", length > 0 ? ", " : "",
                                   name->name);
    if (option->type == RJ_OPTION_SIZE) {
        format_size(low, option->min);
        format_size(high, option->max);
    } else if (option->type == RJ_OPTION_DURATION) {
        format_duration(low, option->min);
    } else if (option->type == RJ_OPTION_INT) {
        snprintf(low, sizeof(low), "%" PRId64, option->min);
        snprintf(high, sizeof(high), "%" PRId64, option->max);
    }
    const bool has_top = high[0] != '\0' && option->max < INT32_MAX;
    if (low[0] != '\0' && option->min > INT32_MIN && (has_top || option->min > 0))
        snprintf(text, size, has_top ? "%s to %s" : "at least %s", low, high);
}

void rj_config_print_help(FILE *out)
{
    char fallback[TEXT_BYTES];
    for (int group = 0; group < RJ_SETTINGS_COUNT; group++) {
        if (group == RJ_SETTINGS_DEBUG)
            continue;
        fprintf(out, "%s\n", rj_settings_title((rj_settings_t)group));
        for (size_t i = 0; i < rj_option_count; i++) {
            const rj_option_t *option = &rj_options[i];
            if (option->group != (rj_settings_t)group || option->variable == NULL)
                continue;
            format_fallback(fallback, option);
            fprintf(out, "  %s\n      %s [%s]\n", option->variable, option->help, fallback);
        }
    }
}

void rj_config_print_rows(FILE *out)
{
    char fallback[TEXT_BYTES];
    char bounds[RJ_CONFIG_NAME_MAX];
    for (int group = 0; group < RJ_SETTINGS_COUNT; group++) {
        for (size_t i = 0; i < rj_option_count; i++) {
            const rj_option_t *option = &rj_options[i];
            if (option->group != (rj_settings_t)group || option->variable == NULL)
                continue;
            format_fallback(fallback, option);
            format_bounds(bounds, sizeof(bounds), option);
            fprintf(out, "%s\t%s\t%s\t%s\t%s\n", rj_settings_title((rj_settings_t)group),
                    option->variable, fallback, bounds, option->help);
        }
    }
}
