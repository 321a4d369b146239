/* SPDX-License-Identifier: Apache-2.0 */
/* option.h - the table of settings: one row for each, and for each line of the print-out.
 *
 * Reading (config.c), the print-out and the documents (config_print.c) walk the same rows, so that
 * they cannot tell different things. The rows are in the order in which the reference prints its
 * configuration (driver.md 20.5); `group` is where a reader looks for a setting.
 *
 * Units      as the field: bytes, ns.
 * Ownership  constant data.
 * Thread     any.
 * Errors     none.
 */
#ifndef RJ_CONFIG_OPTION_H
#define RJ_CONFIG_OPTION_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

typedef enum rj_option_type {
    RJ_OPTION_BOOL,
    RJ_OPTION_SIZE,
    RJ_OPTION_DURATION,
    RJ_OPTION_INT,
    RJ_OPTION_TEXT,
    RJ_OPTION_CHOICE,   /* one of `names`; another is told, and the default stays */
    RJ_OPTION_GROUP,    /* one of `names`; another reads as false, as in the reference */
    RJ_OPTION_SUPPLIER, /* one of `names`; another would be foreign code, and refuses to start */
    RJ_OPTION_INTERCEPTORS,
    RJ_OPTION_PORTS,
    RJ_OPTION_FOREIGN, /* loads foreign code: any value but `names` refuses to start */
    RJ_OPTION_NONE,    /* has no effect in a daemon, of the reference or ours */
    RJ_OPTION_SHOWN    /* no setting: a line of the print-out, its text is `text_fallback` */
} rj_option_type_t;

/* Rows that follow one another in the documents; rj_settings_title names them. */
typedef enum rj_settings {
    RJ_SETTINGS_FILES,
    RJ_SETTINGS_CNC,
    RJ_SETTINGS_THREADS,
    RJ_SETTINGS_TIMERS,
    RJ_SETTINGS_STREAMS,
    RJ_SETTINGS_SOCKETS,
    RJ_SETTINGS_LOSS,
    RJ_SETTINGS_NAMES,
    RJ_SETTINGS_STALLS,
    RJ_SETTINGS_EVENT_LOG,
    RJ_SETTINGS_DEBUG,
    RJ_SETTINGS_OURS,
    RJ_SETTINGS_COUNT
} rj_settings_t;

/* What a value may be called; the list ends with a NULL name. */
typedef struct rj_option_name {
    const char *name;
    const char *symbol; /* what the reference's users write as well; NULL: nothing */
    int32_t value;
} rj_option_name_t;

typedef struct rj_option {
    rj_settings_t group;
    rj_option_type_t type;
    const char *variable; /* NULL: a line of the print-out only */
    const char *key;      /* in the print-out; NULL: none */
    size_t offset;        /* of the field in rj_driver_config_t */
    size_t size;          /* of a text's field */
    int64_t fallback;
    int64_t min;
    int64_t max;
    const char *text_fallback;
    const rj_option_name_t *names; /* of a BOOL: it is printed as one of these words */
    size_t presence_offset;        /* a bool that says that somebody set it; 0: none */
    const char *help;
} rj_option_t;

extern const rj_option_t rj_options[];
extern const size_t rj_option_count;

extern const rj_option_name_t rj_interceptor_names[];

const char *rj_settings_title(rj_settings_t group);

/* The row of a variable; NULL when there is none. */
const rj_option_t *rj_option_find(const char *variable);

/* The entry of that name or symbol, or of that value; NULL when there is none. */
const rj_option_name_t *rj_option_name_find(const rj_option_name_t *names, const char *text);
const rj_option_name_t *rj_option_value_find(const rj_option_name_t *names, int64_t value);

/* Fields of every number type are an int64_t, but those of a BOOL. */
int64_t rj_option_number(const rj_driver_config_t *config, const rj_option_t *option);
void rj_option_set_number(rj_driver_config_t *config, const rj_option_t *option, int64_t value);

/* Reads texts as the reference does (driver.md 22.2); false leaves `*ret_value` alone. */
bool rj_option_read_bool(const char *text, int64_t *ret_value);
bool rj_option_read_int(const char *text, int64_t *ret_value);
bool rj_option_read_size(const char *text, int64_t *ret_value);
bool rj_option_read_duration(const char *text, int64_t *ret_value);
bool rj_option_read_ports(const char *text, rj_port_range_t *ret_ports);

#endif
