/* SPDX-License-Identifier: Apache-2.0 */
/* property.h - settings as text: `name=value` on a command line or in a property file
 * (driver.md 22.1).
 *
 *      # a comment, and ! is one too
 *      aeron.mtu.length = 8k
 *      aeron.dir: /dev/shm/\
 *                 aeron-demo
 *
 * A property is another spelling of an environment variable (aeron.dir, AERON_DIR), and becomes
 * one: what is set last wins.
 *
 * Units      none.
 * Ownership  the environment keeps copies.
 * Thread     the main thread, before any other starts.
 * Errors     -EINVAL and one line of text, with the number of the line of a file.
 */
#ifndef RJ_CONFIG_PROPERTY_H
#define RJ_CONFIG_PROPERTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

enum {
    RJ_PROPERTY_LINE_MAX = 2048, /* with continuations and the newline */
    RJ_PROPERTY_NAME_MAX = 256
};

/* The variable of a property ("ramjet.xdp-mode" is RAMJET_XDP_MODE; elsewhere a dash is a dash).
 * -ENAMETOOLONG when it does not fit. */
int rj_property_variable(char variable[static RJ_PROPERTY_NAME_MAX], const char *name,
                         size_t length);

/* Puts one definition into the process environment; an empty value removes the variable. Refused
 * when there is no separator, and when the name begins as ours do and is none of ours. */
int rj_property_define(const char *definition, rj_err_t *err);

/* The same for each line of a text, until the first that is refused. */
int rj_property_define_all(const char *text, size_t length, rj_err_t *err);

/* Whether a variable begins as ours do and is none of ours: they are few and new, and one that is
 * misspelt must not pass for one that is followed. */
bool rj_property_is_misspelt(const char *variable);

/* Tells once of each variable in `environment` that begins as ours do and is none. */
void rj_property_warn_unknown(char *const environment[], FILE *warnings);

#endif
