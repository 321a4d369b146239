/* SPDX-License-Identifier: Apache-2.0 */
/* driver_loss.h - the loss filters that the settings ask for, one set for each engine, with their
 * counters.
 *
 * Units      datagrams.
 * Ownership  the filters go to the engines; the counters live in the directory.
 * Thread     while no agent works.
 * Errors     negative errno and a text.
 */
#ifndef RJ_DRIVER_DRIVER_LOSS_H
#define RJ_DRIVER_DRIVER_LOSS_H

#include "engine/interceptor.h"
#include "shm/counters.h"

typedef struct rj_driver_loss {
    rj_filter_config_t config;
    rj_interceptor_counters_t counters;
} rj_driver_loss_t;

/* Allocates a counter for each filter that is named; none without. */
int rj_driver_loss_open(rj_driver_loss_t *self, const rj_driver_config_t *config,
                        rj_counters_t *counters, int64_t epoch_ms, rj_err_t *err);

/* The filters of one engine; NULL, and no error, where none is named. */
int rj_driver_loss_filter(const rj_driver_loss_t *self, uint64_t seed, int index,
                          rj_interceptor_t **ret_interceptor, rj_err_t *err);

#endif
