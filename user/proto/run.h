/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - what a stream hands to a port: contiguous datagrams of equal size for one path.
 *
 *      start                                                     start + total_bytes
 *        |<- segment_bytes ->|<- segment_bytes ->|<- the last may be shorter ->|
 *
 * A publication's runs point straight into its log buffer; control frames are runs in the engine's
 * scratch. Nothing is copied to make one (docs/architecture.md).
 *
 * Units      bytes.
 * Ownership  the bytes belong to whoever made the run, until the port's reclaim says they are free.
 * Thread     the engine's.
 * Errors     reported in `result`, per run: one stream's error is never another's.
 */
#ifndef RJ_PROTO_RUN_H
#define RJ_PROTO_RUN_H

#include <stdint.h>

struct rj_path;

typedef struct rj_run {
    const struct rj_path *path;
    const uint8_t *start;
    uint32_t total_bytes;
    uint32_t segment_bytes;
    uint64_t number; /* given by the port: counts on for ever */
    int32_t result;  /* bytes taken, whole datagrams only, or a negative errno when none were */
} rj_run_t;

#endif
