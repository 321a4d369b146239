/* SPDX-License-Identifier: Apache-2.0 */
#include "config/channel_rules.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 16 };

typedef struct rule {
    const char *pattern;
    size_t pattern_length;
    rj_transport_t transport;
} rule_t;

/* Reads the rule that begins there; NULL: it is none. Else what follows it. */
static const char *read_rule(const char *text, rule_t *ret_rule)
{
    char name[NAME_BYTES];
    const size_t length = strcspn(text, ",");
    const char *equals = memchr(text, '=', length);
    if (equals == NULL || equals == text)
        return NULL;
    const size_t name_length = (size_t)(text + length - equals - 1);
    if (name_length >= sizeof(name))
        return NULL;
    memcpy(name, equals + 1, name_length);
    name[name_length] = '\0';
    *ret_rule = (rule_t){.pattern = text, .pattern_length = (size_t)(equals - text)};
    return rj_transport_parse(name, &ret_rule->transport) == 0 ? text + length : NULL;
}

int rj_channel_rules_check(const char *rules, rj_err_t *err)
{
    const char *at = rules;
    while (*at != '\0') {
        rule_t rule;
        const char *rest = read_rule(at, &rule);
        if (rest == NULL || (rest[0] == ',' && rest[1] == '\0'))
            return rj_fail(
                err, -EINVAL,
                "%.*s: not a rule: give ENDPOINT-PATTERN=NAME, where NAME is " RJ_TRANSPORT_NAMES,
                (int)strcspn(at, ","), at);
        at = *rest == ',' ? rest + 1 : rest;
    }
    return 0;
}

/* Goes back to the last star alone, for what an earlier one could take a later one can, too. */
static bool fits(const rule_t *rule, const char *text)
{
    size_t at = 0;
    size_t star = SIZE_MAX;
    const char *retry = NULL;
    while (*text != '\0') {
        if (at < rule->pattern_length && rule->pattern[at] == '*') {
            star = at++;
            retry = text;
        } else if (at < rule->pattern_length && rule->pattern[at] == *text) {
            at++;
            text++;
        } else if (star != SIZE_MAX) {
            at = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (at < rule->pattern_length && rule->pattern[at] == '*')
        at++;
    return at == rule->pattern_length;
}

rj_transport_t rj_channel_rules_find(const char *rules, const char *endpoint)
{
    rule_t rule;
    for (const char *at = rules; at != NULL && *at != '\0';) {
        at = read_rule(at, &rule);
        if (at != NULL && fits(&rule, endpoint))
            return rule.transport;
        at += at != NULL && *at == ',';
    }
    return RJ_TRANSPORT_AUTO;
}
