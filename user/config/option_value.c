/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of settings, read as the reference reads them: its users have them in their scripts. */
#include "config/option.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/quantity.h"

static const char *skip_blanks(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

/* By what the text begins with; anything else keeps the default. */
bool rj_option_read_bool(const char *text, int64_t *ret_value)
{
    if (text[0] == '1' || strncmp(text, "on", 2) == 0 || strncmp(text, "true", 4) == 0)
        *ret_value = 1;
    else if (text[0] == '0' || strncmp(text, "off", 3) == 0 || strncmp(text, "false", 5) == 0)
        *ret_value = 0;
    else
        return false;
    return true;
}

/* One that does not fit saturates, and is clamped then. */
bool rj_option_read_int(const char *text, int64_t *ret_value)
{
    char *end;
    const long long value = strtoll(text, &end, 0);
    if (end == text || *end != '\0')
        return false;
    *ret_value = value;
    return true;
}

/* What follows a size's suffix is ignored ("64kb"). */
bool rj_option_read_size(const char *text, int64_t *ret_value)
{
    const char *begin = skip_blanks(text);
    const size_t digits = strspn(begin, "0123456789");
    const bool has_suffix = begin[digits] != '\0' && strchr("kKmMgG", begin[digits]) != NULL;
    if (begin[digits] != '\0' && !has_suffix)
        return false;
    return rj_parse_size(begin, digits + has_suffix, ret_value) == 0;
}

bool rj_option_read_duration(const char *text, int64_t *ret_value)
{
    const char *begin = skip_blanks(text);
    return rj_parse_duration(begin, strlen(begin), ret_value) == 0;
}

/* A port and what follows it; NULL when there is none. */
static const char *read_port(const char *text, uint16_t *ret_port)
{
    const char *begin = skip_blanks(text);
    char *end;
    if (!isdigit((unsigned char)*begin))
        return NULL;
    errno = 0;
    const unsigned long value = strtoul(begin, &end, 10);
    if (errno != 0 || value > UINT16_MAX)
        return NULL;
    *ret_port = (uint16_t)value;
    return end;
}

bool rj_option_read_ports(const char *text, rj_port_range_t *ret_ports)
{
    rj_port_range_t ports = {0};
    const char *rest = read_port(text, &ports.low);
    if (rest == NULL || !isspace((unsigned char)*rest))
        return false;
    rest = read_port(rest, &ports.high);
    if (rest == NULL || *skip_blanks(rest) != '\0' || ports.low > ports.high)
        return false;
    *ret_ports = ports;
    return true;
}
