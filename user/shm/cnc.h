/* SPDX-License-Identifier: Apache-2.0 */
/* cnc.h - cnc.dat, the file by which a driver and its clients find each other.
 *
 * The driver creates it, builds its rings and counters over the sections, and then publishes it;
 * the version word, stored last, says that all of it may be used.
 *
 *   | header 128 | to-driver ring | to-clients broadcast | counters metadata | values | error log |
 *
 * Units      lengths in bytes, times as named.
 * Ownership  the caller owns the struct, which owns the mapping; sections point into it.
 * Thread     create, publish, map and close: one thread.
 * Errors     negative errno, text in `err`. No call waits: who must wait polls with its own clock.
 */
#ifndef RJ_SHM_CNC_H
#define RJ_SHM_CNC_H

#include "ramjet/shm.h"
#include "base/err.h"
#include "base/mapfile.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct rj_cnc_section {
    uint8_t *bytes;
    int64_t length_bytes;
} rj_cnc_section_t;

typedef struct rj_cnc {
    rj_mapfile_t file;
    rj_cnc_header_t *header;
    rj_cnc_section_t to_driver;
    rj_cnc_section_t to_clients;
    rj_cnc_section_t counters_metadata;
    rj_cnc_section_t counters_values;
    rj_cnc_section_t error_log;
} rj_cnc_t;

typedef struct rj_cnc_params {
    int32_t to_driver_length;       /* with its trailer of 768 */
    int32_t to_clients_length;      /* with its trailer of 128 */
    int32_t counters_values_length; /* the metadata is four times that */
    int32_t error_log_length;
    int32_t file_page_size;
    int64_t client_liveness_timeout_ns;
    int64_t start_epoch_ms;
    int64_t pid;
} rj_cnc_params_t;

/* The length of the file for these parameters; -EINVAL, with the parameter named, for lengths that
 * no client could use: buffers that are no power of two, an unaligned section, a file above
 * 2^31 - 1. The narrower limits of Aeron's options are the configuration's. */
int64_t rj_cnc_file_length(const rj_cnc_params_t *params, rj_err_t *err);

/* Driver: creates <directory>/cnc.dat with everything but heartbeat and version, correlation id 0
 * taken; -EEXIST if another driver was faster. */
int rj_cnc_create(rj_cnc_t *cnc, const char *directory, const rj_cnc_params_t *params,
                  rj_err_t *err);

/* Driver: stores the heartbeat, then the version: from here on clients use the file, so ring,
 * counters and their labels must be complete. */
void rj_cnc_publish(rj_cnc_t *cnc, int64_t epoch_ms);

/* Driver: says that it ends in good order (heartbeat -1). To be followed by rj_cnc_close. */
void rj_cnc_retire(rj_cnc_t *cnc);

/* Client and tools: one attempt. -EAGAIN while the file is absent, short or not published: ask
 * again later. -EPROTO for an incompatible version or lengths that cannot be. Success says nothing
 * about a living driver: see rj_cnc_driver_is_alive. */
int rj_cnc_try_map(rj_cnc_t *cnc, const char *directory, rj_mapfile_access_t access, rj_err_t *err);

/* The same, but says what it found: -ENOENT no file, -EAGAIN not published, -ENODATA shorter than
 * its sections; the rest as above. */
int rj_cnc_inspect(rj_cnc_t *cnc, const char *directory, rj_mapfile_access_t access, rj_err_t *err);

/* Unmaps; safe on a closed struct. */
void rj_cnc_close(rj_cnc_t *cnc);

/* The driver's last sign of life; -1 after an orderly shutdown, 0 before the first. */
int64_t rj_cnc_heartbeat_ms(const rj_cnc_t *cnc);

/* False if the heartbeat is 0, -1, or older than the timeout. */
bool rj_cnc_driver_is_alive(const rj_cnc_t *cnc, int64_t epoch_ms, int64_t timeout_ms);

#endif
