/* SPDX-License-Identifier: Apache-2.0 */
/* flow_option.h - the value of `fc=`, which chooses and tunes flow control for a group
 * (wire.md 16.2).
 *
 *     max[,rrwm:<n>]    min|tagged[,t:<duration>][,g:<tag>[/<size>]|,g:/<size>][,rrwm:<n>]
 *
 * Units      ns.
 * Ownership  a plain value.
 * Thread     any.
 * Errors     -EINVAL, Aeron's code 11.
 */
#ifndef RJ_PROTO_FLOW_OPTION_H
#define RJ_PROTO_FLOW_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef enum rj_flow_strategy {
    RJ_FLOW_MAX,
    RJ_FLOW_MIN,
    RJ_FLOW_TAGGED,
} rj_flow_strategy_t;

typedef struct rj_flow_option {
    rj_flow_strategy_t strategy;
    int64_t timeout_ns;
    int64_t group_tag;
    int32_t group_size_min;
    int32_t resend_window_multiple; /* rrwm */
} rj_flow_option_t;

/* Reads the value of `fc`. `*ret` comes in holding the driver's defaults and keeps them for what is
 * not said; it is unchanged on failure. Only for channels of a group: others ignore `fc`, so do not
 * ask. */
int rj_flow_option_parse(rj_flow_option_t *ret, const char *text, size_t length, rj_err_t *err);

#endif
