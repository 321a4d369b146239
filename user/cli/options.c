/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include "cli/command.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_HELP = 0x10000 };

static const struct argp_option help_rows[] = {
    {"help", KEY_HELP, NULL, 0, "Print this and end", -1},
    {0},
};

void rj_options_fail(const struct argp_state *state, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s: ", state->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(RJ_EXIT_MISUSE);
}

static const struct argp_option *find_row(const struct argp_option *rows, const char *name,
                                          size_t length)
{
    for (; rows != NULL && (rows->name != NULL || rows->key != 0 || rows->doc != NULL); rows++)
        if (rows->name != NULL && strncmp(rows->name, name, length) == 0 &&
            rows->name[length] == '\0')
            return rows;
    return NULL;
}

/* Looks in a parser's own rows, then in those of its children. */
static const struct argp_option *find_in(const struct argp *argp, const char *name, size_t length)
{
    const struct argp_option *row = find_row(argp->options, name, length);
    const struct argp_child *child = argp->children;
    for (; row == NULL && child != NULL && child->argp != NULL; child++)
        row = find_row(child->argp->options, name, length);
    return row;
}

/* argp tells only that getopt was unhappy; what about is seen from the argument it stopped at. */
static _Noreturn void fail_at_option(const struct argp_state *state)
{
    const char *text = state->next > 0 ? state->argv[state->next - 1] : "";
    if (strncmp(text, "--", 2) == 0) {
        size_t length = strcspn(text + 2, "=");
        const struct argp_option *row =
            find_in(state->root_argp->children[0].argp, text + 2, length);
        if (row != NULL && row->arg != NULL)
            rj_options_fail(state, "%s needs a value: %s=%s", text, text, row->arg);
        if (row != NULL || strncmp(text, "--help=", 7) == 0)
            rj_options_fail(state, "--%.*s takes no value", (int)length, text + 2);
    }
    rj_options_fail(state, "option '%s' is not known: see `%s --help`", text, state->name);
}

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->input;
        return 0;
    case KEY_HELP:
        argp_help(state->root_argp, stdout,
                  ARGP_HELP_USAGE | ARGP_HELP_PRE_DOC | ARGP_HELP_LONG | ARGP_HELP_POST_DOC,
                  state->name);
        fputc('\n', stdout);
        exit(fflush(stdout) == 0 ? RJ_EXIT_DONE : RJ_EXIT_FAILED);
    case ARGP_KEY_ERROR:
        fail_at_option(state);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void rj_options_parse(const struct argp *argp, const char *command, unsigned flags, int argc,
                      char **argv, void *input)
{
    /* argp takes the name for its messages from argv[0]. */
    char *name = strdup(command);
    if (name == NULL) {
        fprintf(stderr, "%s: out of memory\n", command);
        exit(RJ_EXIT_FAILED);
    }
    char *typed = argv[0];
    argv[0] = name;
    const struct argp_child children[] = {{argp, 0, NULL, 0}, {0}};
    const struct argp root = {.options = help_rows, .parser = parse_common, .children = children};
    argp_parse(&root, argc, argv, flags | ARGP_NO_ERRS | ARGP_NO_HELP, NULL, input);
    argv[0] = typed;
    free(name);
}

/* Reads digits only, so that strtoll's blanks, signs and bases cannot slip in. Returns what follows
 * them, or NULL when there is no digit or the number does not fit. */
static const char *read_digits(const char *text, int64_t *ret_value)
{
    int64_t value = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at); at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *at - '0', &value))
            return NULL;
    if (at == text)
        return NULL;
    *ret_value = value;
    return at;
}

int64_t rj_option_integer(const struct argp_state *state, const char *option, const char *text,
                          int64_t min, int64_t max)
{
    int64_t value = 0;
    const char *rest = read_digits(text, &value);
    if (rest == NULL || *rest != '\0' || value < min || value > max)
        rj_options_fail(state, "%s %s: give a whole number from %" PRId64 " to %" PRId64, option,
                        text, min, max);
    return value;
}

typedef struct unit {
    const char *name;
    int64_t factor;
} unit_t;

static bool read_scaled(const char *text, const unit_t *units, size_t count, int64_t *ret_value)
{
    int64_t value = 0;
    const char *rest = read_digits(text, &value);
    for (size_t i = 0; rest != NULL && i < count; i++)
        if (strcmp(rest, units[i].name) == 0)
            return !__builtin_mul_overflow(value, units[i].factor, ret_value);
    return false;
}

int64_t rj_option_bytes(const struct argp_state *state, const char *option, const char *text,
                        int64_t min, int64_t max)
{
    static const unit_t units[] = {{"", 1},        {"K", 1 << 10}, {"k", 1 << 10}, {"M", 1 << 20},
                                   {"m", 1 << 20}, {"G", 1 << 30}, {"g", 1 << 30}};
    int64_t value = 0;
    if (!read_scaled(text, units, sizeof(units) / sizeof(units[0]), &value) || value < min ||
        value > max)
        rj_options_fail(
            state, "%s %s: give bytes from %" PRId64 " to %" PRId64 ", such as 4096, 64K or 1G",
            option, text, min, max);
    return value;
}

int64_t rj_option_duration_ns(const struct argp_state *state, const char *option, const char *text,
                              int64_t min_ns, int64_t max_ns)
{
    static const unit_t units[] = {{"ns", 1},         {"us", 1000},       {"ms", 1000000},
                                   {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}};
    int64_t value = 0;
    if (!read_scaled(text, units, sizeof(units) / sizeof(units[0]), &value) || value < min_ns ||
        value > max_ns)
        rj_options_fail(state,
                        "%s %s: give a time from %" PRId64 "ns to %" PRId64
                        "ns with its unit, such as 200us, 5ms or 10s",
                        option, text, min_ns, max_ns);
    return value;
}

uint32_t rj_option_percent_ppm(const struct argp_state *state, const char *option, const char *text)
{
    enum { PPM_OF_ONE_PERCENT = RJ_PPM / 100 };
    int64_t whole = 0;
    int64_t ppm = 0;
    const char *rest = read_digits(text, &whole);
    bool good = rest != NULL && whole <= 100;
    if (good)
        ppm = whole * PPM_OF_ONE_PERCENT;
    if (good && *rest == '.') {
        int64_t digit = PPM_OF_ONE_PERCENT / 10;
        rest++;
        good = isdigit((unsigned char)*rest);
        for (; isdigit((unsigned char)*rest); rest++, digit /= 10) {
            good = good && digit > 0;
            ppm += (*rest - '0') * digit;
        }
    }
    if (good && *rest == '%')
        rest++;
    if (!good || *rest != '\0' || ppm > RJ_PPM)
        rj_options_fail(state, "%s %s: give a percentage from 0 to 100, such as 1 or 0.5%%", option,
                        text);
    return (uint32_t)ppm;
}
