/* SPDX-License-Identifier: Apache-2.0 */
#include "config/property.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/option.h"

static const char ours[] = "RAMJET_";

enum { OURS_LENGTH = sizeof(ours) - 1 };

/* A name without the blanks that the syntax allows around it, and where its value begins. */
typedef struct property {
    const char *name;
    size_t name_length;
    const char *value;
} property_t;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static const char *skip_blanks(const char *text)
{
    while (is_blank(*text))
        text++;
    return text;
}

int rj_property_variable(char variable[static RJ_PROPERTY_NAME_MAX], const char *name,
                         size_t length)
{
    if (length >= RJ_PROPERTY_NAME_MAX)
        return -ENAMETOOLONG;
    const bool is_ours = length > OURS_LENGTH && strncasecmp(name, ours, OURS_LENGTH - 1) == 0;
    for (size_t i = 0; i < length; i++) {
        const int c = (unsigned char)name[i];
        variable[i] = c == '.' || (is_ours && c == '-') ? '_' : (char)toupper(c);
    }
    variable[length] = '\0';
    return 0;
}

bool rj_property_is_misspelt(const char *variable)
{
    return strncmp(variable, ours, OURS_LENGTH) == 0 && rj_option_find(variable) == NULL;
}

static bool split(property_t *ret_property, const char *line)
{
    const char *name = skip_blanks(line);
    size_t length = strcspn(name, "=:");
    if (name[length] == '\0')
        return false;
    const char *value = skip_blanks(name + length + 1);
    while (length > 0 && is_blank(name[length - 1]))
        length--;
    *ret_property = (property_t){.name = name, .name_length = length, .value = value};
    return length > 0;
}

static int put(const property_t *property, rj_err_t *err)
{
    char variable[RJ_PROPERTY_NAME_MAX];
    if (rj_property_variable(variable, property->name, property->name_length) < 0)
        return rj_fail(err, -EINVAL, "%.40s...: a name of more than %d characters", property->name,
                       RJ_PROPERTY_NAME_MAX - 1);
    if (rj_property_is_misspelt(variable))
        return rj_fail(err, -EINVAL, "%.*s: no such setting: see `ramjet driver --settings`",
                       (int)property->name_length, property->name);
    const int result =
        property->value[0] == '\0' ? unsetenv(variable) : setenv(variable, property->value, 1);
    return result == 0 ? 0 : rj_fail(err, -EINVAL, "%s: %s", variable, strerror(errno));
}

int rj_property_define(const char *definition, rj_err_t *err)
{
    property_t property;
    if (!split(&property, definition))
        return rj_fail(err, -EINVAL, "malformed define: %s: write it as name=value", definition);
    return put(&property, err);
}

/* --- files --- */

typedef struct reader {
    const char *at;
    const char *end;
    int line_number; /* of the physical line read last */
} reader_t;

static int refuse_line(const reader_t *reader, rj_err_t *err, const char *why)
{
    return rj_fail(err, -EINVAL, "line %d: %s", reader->line_number, why);
}

/* Appends the next physical line, without its newline, to `line`. 0: there is none. */
static int append_line(reader_t *reader, char *line, size_t *length, rj_err_t *err)
{
    const size_t left = (size_t)(reader->end - reader->at);
    if (left == 0)
        return 0;
    reader->line_number++;
    const char *newline = memchr(reader->at, '\n', left);
    if (newline == NULL)
        return refuse_line(reader, err, "no newline at its end");
    const size_t taken = (size_t)(newline - reader->at);
    if (memchr(reader->at, '\0', taken) != NULL)
        return refuse_line(reader, err, "a NUL character");
    if (*length + taken + 1 >= RJ_PROPERTY_LINE_MAX)
        return refuse_line(reader, err, "too long: less than 2048 bytes with what continues it");
    memcpy(line + *length, reader->at, taken);
    *length += taken;
    if (*length > 0 && line[*length - 1] == '\r')
        --*length;
    line[*length] = '\0';
    reader->at = newline + 1;
    return 1;
}

static bool is_comment(const char *line)
{
    const char *begin = skip_blanks(line);
    return *begin == '#' || *begin == '!';
}

/* One logical line: what a last backslash continues is joined, its leading blanks dropped. */
static int read_line(reader_t *reader, char line[static RJ_PROPERTY_LINE_MAX], rj_err_t *err)
{
    size_t length = 0;
    int result = append_line(reader, line, &length, err);
    while (result == 1 && length > 0 && line[length - 1] == '\\' && !is_comment(line)) {
        line[--length] = '\0';
        while (reader->at < reader->end && is_blank(*reader->at))
            reader->at++;
        if (reader->at == reader->end)
            return refuse_line(reader, err, "continued, but there is no other");
        result = append_line(reader, line, &length, err);
    }
    return result;
}

int rj_property_define_all(const char *text, size_t length, rj_err_t *err)
{
    reader_t reader = {.at = text, .end = text + length};
    char line[RJ_PROPERTY_LINE_MAX];
    for (;;) {
        property_t property;
        rj_err_t reason;
        const int result = read_line(&reader, line, err);
        if (result <= 0)
            return result;
        if (*skip_blanks(line) == '\0' || is_comment(line))
            continue;
        if (!split(&property, line))
            return refuse_line(&reader, err, "malformed: write it as name=value");
        if (put(&property, &reason) < 0)
            return refuse_line(&reader, err, reason.text);
    }
}

void rj_property_warn_unknown(char *const environment[], FILE *warnings)
{
    char variable[RJ_PROPERTY_NAME_MAX];
    for (; *environment != NULL; environment++) {
        const size_t length = strcspn(*environment, "=");
        if (length >= sizeof(variable))
            continue;
        memcpy(variable, *environment, length);
        variable[length] = '\0';
        if (rj_property_is_misspelt(variable))
            fprintf(warnings,
                    "WARNING: %s: no such setting, ignoring it: see `ramjet driver --settings`\n",
                    variable);
    }
}
