/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/send_batch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_MASK = RJ_SCRATCH_FRAMES - 1 };

_Static_assert((RJ_SCRATCH_FRAMES & FRAME_MASK) == 0, "indices are masked");

int rj_send_batch_open(rj_send_batch_t *batch, rj_port_t *port, rj_err_t *err)
{
    *batch = (rj_send_batch_t){.port = port};
    batch->runs = calloc(RJ_SEND_BATCH_RUNS, sizeof(batch->runs[0]));
    batch->frames =
        aligned_alloc(RJ_SCRATCH_FRAME_BYTES, RJ_SCRATCH_FRAMES * sizeof(batch->frames[0]));
    batch->paths = calloc(RJ_SCRATCH_FRAMES, sizeof(batch->paths[0]));
    batch->frame_until = calloc(RJ_SCRATCH_FRAMES, sizeof(batch->frame_until[0]));
    if (batch->runs == NULL || batch->frames == NULL || batch->paths == NULL ||
        batch->frame_until == NULL) {
        rj_send_batch_close(batch);
        return rj_fail(err, -ENOMEM, "no memory for a batch of %d runs", RJ_SEND_BATCH_RUNS);
    }
    return 0;
}

void rj_send_batch_close(rj_send_batch_t *batch)
{
    free(batch->runs);
    free(batch->frames);
    free(batch->paths);
    free(batch->frame_until);
    *batch = (rj_send_batch_t){0};
}

static bool has_free_frame(const rj_send_batch_t *batch)
{
    return batch->frame_head - batch->frame_tail < RJ_SCRATCH_FRAMES;
}

static void reclaim_frames(rj_send_batch_t *batch)
{
    const uint64_t until = batch->port->ops->reclaim(batch->port);
    while (batch->frame_tail < batch->frame_sent &&
           batch->frame_until[batch->frame_tail & FRAME_MASK] <= until)
        batch->frame_tail++;
}

/* The index of a frame to be filled, or -1. */
static int take_frame(rj_send_batch_t *batch)
{
    if (rj_send_batch_room(batch) == 0)
        return -1;
    if (!has_free_frame(batch))
        reclaim_frames(batch);
    if (!has_free_frame(batch))
        return -1;
    return (int)(batch->frame_head++ & FRAME_MASK);
}

static void append_run(rj_send_batch_t *batch, const rj_path_t *path, const uint8_t *bytes,
                       uint32_t length_bytes)
{
    *rj_send_batch_tail(batch) = (rj_run_t){
        .path = path, .start = bytes, .total_bytes = length_bytes, .segment_bytes = length_bytes};
    rj_send_batch_append(batch, 1);
}

static void append_frame(rj_send_batch_t *batch, int index, const rj_path_t *path,
                         const void *frame, uint32_t length_bytes)
{
    assert(length_bytes <= RJ_SCRATCH_FRAME_BYTES);
    uint8_t *bytes = batch->frames[index].bytes;
    memcpy(bytes, frame, length_bytes);
    append_run(batch, path, bytes, length_bytes);
}

bool rj_send_batch_add_frame(rj_send_batch_t *batch, const rj_path_t *path, const void *frame,
                             uint32_t length_bytes)
{
    const int index = take_frame(batch);
    if (index < 0)
        return false;
    append_frame(batch, index, path, frame, length_bytes);
    return true;
}

bool rj_send_batch_add_answer(rj_send_batch_t *batch, rj_endpoint_t *endpoint,
                              const rj_address_t *address, const void *frame, uint32_t length_bytes)
{
    const int index = take_frame(batch);
    if (index < 0)
        return false;
    rj_path_init(&batch->paths[index], endpoint, address, false);
    append_frame(batch, index, &batch->paths[index], frame, length_bytes);
    return true;
}

bool rj_send_batch_add_lent(rj_send_batch_t *batch, const rj_path_t *path, const uint8_t *frame,
                            uint32_t length_bytes)
{
    if (rj_send_batch_room(batch) == 0)
        return false;
    append_run(batch, path, frame, length_bytes);
    return true;
}

/* A port that is done with everything, as sockets always are, gets the same few frames again, which
 * stay in the cache. */
static void release_frames(rj_send_batch_t *batch)
{
    while (batch->frame_sent < batch->frame_head)
        batch->frame_until[batch->frame_sent++ & FRAME_MASK] = batch->sent_until;
    if (batch->port->ops->reclaim(batch->port) >= batch->sent_until) {
        batch->frame_head = 0;
        batch->frame_sent = 0;
        batch->frame_tail = 0;
    }
}

void rj_send_batch_send(rj_send_batch_t *batch)
{
    if (batch->count == 0)
        return;
    const int looked_at = batch->port->ops->send(batch->port, batch->runs, (size_t)batch->count);
    for (int i = looked_at; i < batch->count; i++)
        batch->runs[i].result = 0;
    if (looked_at > 0)
        batch->sent_until = batch->runs[looked_at - 1].number + 1;
    release_frames(batch);
}
