/* SPDX-License-Identifier: Apache-2.0 */
/* run_builder.h - puts datagrams that lie one behind the other into runs of equal size.
 *
 * A datagram joins the run before it when it begins where that one ends and is not longer than its
 * segments; a shorter one, or one that skips padding, ends the run.
 *
 * Units      bytes; positions: stream bytes since the initial term began.
 * Ownership  fills the caller's arrays.
 * Thread     the publication's engine.
 * Errors     none; a full array is said in the result.
 */
#ifndef RJ_STREAM_RUN_BUILDER_H
#define RJ_STREAM_RUN_BUILDER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/run.h"

/* Which position follows when the datagrams of a run have been taken. */
typedef struct rj_run_position {
    int64_t begin_pos;
    int64_t end_pos; /* includes the padding that the last datagram skips */
    int32_t slot;    /* resends: of the retransmit */
} rj_run_position_t;

typedef struct rj_run_builder {
    const struct rj_path *path;
    rj_run_t *runs;
    rj_run_position_t *positions;
    int32_t run_max;
    int32_t count;
    bool is_open; /* the last run may grow */
} rj_run_builder_t;

/* A datagram of `bytes` at `start`, after which `padding` bytes of the stream are skipped. Returns
 * false, and adds nothing, when it needs a run and there is none left. */
static inline bool rj_run_builder_add(rj_run_builder_t *builder, const uint8_t *start,
                                      int32_t bytes, int32_t padding, int64_t position,
                                      int32_t slot)
{
    uint32_t size = (uint32_t)bytes;
    if (builder->is_open) {
        rj_run_t *run = &builder->runs[builder->count - 1];
        rj_run_position_t *span = &builder->positions[builder->count - 1];
        if (size <= run->segment_bytes && span->slot == slot &&
            start == run->start + run->total_bytes) {
            run->total_bytes += size;
            span->end_pos += bytes + padding;
            builder->is_open = padding == 0 && size == run->segment_bytes;
            return true;
        }
    }
    if (builder->count == builder->run_max)
        return false;
    builder->runs[builder->count] = (rj_run_t){
        .path = builder->path, .start = start, .total_bytes = size, .segment_bytes = size};
    builder->positions[builder->count] = (rj_run_position_t){
        .begin_pos = position, .end_pos = position + bytes + padding, .slot = slot};
    builder->count++;
    builder->is_open = padding == 0;
    return true;
}

/* How far a run was taken: its whole span, or the whole datagrams that the port reports. */
static inline int64_t rj_run_taken_pos(const rj_run_t *run, const rj_run_position_t *span)
{
    return run->result == (int32_t)run->total_bytes ? span->end_pos : span->begin_pos + run->result;
}

#endif
