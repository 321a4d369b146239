/* SPDX-License-Identifier: Apache-2.0 */
/* filter_config.h - what the reference's loss filters are told by their arguments (driver.md 15.4).
 *
 *     rate=0.1|seed=7|recv-msg-mask=0x22
 *
 * Units      bytes of a term.
 * Ownership  plain values.
 * Thread     any.
 * Errors     -EINVAL with a text for a value that cannot be read. As in the reference keys that are
 *            not known are passed over, and what is not given is 0: nothing is lost then.
 */
#ifndef RJ_CONFIG_FILTER_CONFIG_H
#define RJ_CONFIG_FILTER_CONFIG_H

#include "config/config.h"

/* Frames that are lost at random. */
typedef struct rj_random_loss_args {
    double rate;
    bool has_seed;
    uint64_t seed;
    uint64_t type_mask; /* bit n: frames of type n may be lost */
} rj_random_loss_args_t;

/* The beginning of a term up to a place in it: each frame of it once in every stream. */
typedef struct rj_fixed_loss_args {
    int32_t term_id;
    int64_t offset;
    int64_t length;
} rj_fixed_loss_args_t;

/* Evenly spaced pieces of a term, from the first multiple of `radix` on: likewise. */
typedef struct rj_multi_gap_loss_args {
    int32_t term_id;
    int64_t radix;
    int64_t length;
    int64_t count;
} rj_multi_gap_loss_args_t;

typedef struct rj_filter_config {
    rj_interceptor_list_t list;
    rj_random_loss_args_t loss;
    rj_fixed_loss_args_t fixed;
    rj_multi_gap_loss_args_t multi_gap;
} rj_filter_config_t;

/* Reads what the configuration says about incoming filters. */
int rj_filter_config_read(rj_filter_config_t *ret, const rj_driver_config_t *config, rj_err_t *err);

#endif
