/* SPDX-License-Identifier: Apache-2.0 */
/* calibrate.h - compares the transports between two hosts by measuring each for a moment.
 *
 * Units      in the names.
 * Ownership  plain values.
 * Thread     the main thread.
 * Errors     negative errno and one line; a transport that cannot be had is a row with its reason.
 */
#ifndef RJ_CLI_CALIBRATE_H
#define RJ_CLI_CALIBRATE_H

#include "base/err.h"
#include "base/transport.h"
#include "cli/output.h"

typedef struct rj_calibration {
    rj_transport_t transport;
    double datagrams_per_s;     /* 0: it was not measured, for the reason in `why` */
    double cpu_ns_per_datagram; /* of both drivers */
    double p50_us;              /* round trip */
    double p99_us;
    char why[RJ_ERR_TEXT_MAX / 8];
} rj_calibration_t;

/* The one to recommend: the best mean of its share of the best rate and of the best round trip; of
 * those within a twentieth of that the first. -1: nothing was measured. */
int rj_calibration_best(const rj_calibration_t *rows, int count);

/* Measures, prints a table and what it recommends, and writes the latter as properties where
 * `properties` names a file. */
typedef struct rj_calibrate_params {
    const char *interface;
    const char *peer;
    const char *properties;
    uint32_t transports; /* a bit for each that is to be measured; 0: all */
    rj_output_format_t format;
} rj_calibrate_params_t;

int rj_calibrate(const rj_calibrate_params_t *params, rj_err_t *err);

/* Answers, one peer after the other, until it is interrupted. */
int rj_calibrate_answer(const char *interface, rj_err_t *err);

#endif
