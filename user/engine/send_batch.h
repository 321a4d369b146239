/* SPDX-License-Identifier: Apache-2.0 */
/* send_batch.h - runs on their way to a port, and the scratch that control frames are written in.
 *
 *   runs    | setup | data ... | resends ... | heartbeat | data ... |   one send for all of them
 *              |                                  |
 *   scratch  [frame][frame][frame] ...                                reused once reclaimed
 *
 * Streams append runs that point into their logs. A control frame is copied to the scratch, where
 * its bytes, and the path of an answer to a stranger, stay until the port has reclaimed them.
 *
 * Units      bytes; runs are numbered by the port.
 * Ownership  its memory is taken by open; the port is borrowed.
 * Thread     the engine's.
 * Errors     a full batch or scratch is an answer; a run's own error is in its result.
 */
#ifndef RJ_ENGINE_SEND_BATCH_H
#define RJ_ENGINE_SEND_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/run.h"
#include "transport/path.h"
#include "transport/port.h"

enum {
    RJ_SEND_BATCH_RUNS = 512,
    RJ_SCRATCH_FRAMES = 2048, /* a power of two */
    RJ_SCRATCH_FRAME_BYTES = 64,
};

typedef struct rj_scratch_frame {
    uint8_t bytes[RJ_SCRATCH_FRAME_BYTES] __attribute__((aligned(RJ_SCRATCH_FRAME_BYTES)));
} rj_scratch_frame_t;

typedef struct rj_send_batch {
    rj_port_t *port;
    rj_run_t *runs;
    int count;
    uint64_t sent_until; /* above the number of every run ever sent */

    rj_scratch_frame_t *frames; /* [index % RJ_SCRATCH_FRAMES] */
    rj_path_t *paths;           /* likewise, of answers */
    uint64_t *frame_until;      /* likewise: free once the port has reclaimed up to here */
    uint64_t frame_head;        /* frames ever taken */
    uint64_t frame_sent;        /* of them sent */
    uint64_t frame_tail;        /* of them free again */
} rj_send_batch_t;

/* -ENOMEM. */
int rj_send_batch_open(rj_send_batch_t *batch, rj_port_t *port, rj_err_t *err);

/* Safe on a closed batch. */
void rj_send_batch_close(rj_send_batch_t *batch);

static inline int rj_send_batch_room(const rj_send_batch_t *batch)
{
    return RJ_SEND_BATCH_RUNS - batch->count;
}

/* Where the next runs go; rj_send_batch_room says how many. */
static inline rj_run_t *rj_send_batch_tail(const rj_send_batch_t *batch)
{
    return batch->runs + batch->count;
}

/* `count` runs have been written at the tail. */
static inline void rj_send_batch_append(rj_send_batch_t *batch, int count)
{
    batch->count += count;
}

/* Appends a frame of at most RJ_SCRATCH_FRAME_BYTES. False when there is no room. */
bool rj_send_batch_add_frame(rj_send_batch_t *batch, const rj_path_t *path, const void *frame,
                             uint32_t length_bytes);

/* The same to an address that no path leads to, from `endpoint`. */
bool rj_send_batch_add_answer(rj_send_batch_t *batch, rj_endpoint_t *endpoint,
                              const rj_address_t *address, const void *frame,
                              uint32_t length_bytes);

/* Appends a frame of any size, whose bytes stay as they are until the port has reclaimed them. */
bool rj_send_batch_add_lent(rj_send_batch_t *batch, const rj_path_t *path, const uint8_t *frame,
                            uint32_t length_bytes);

/* Sends everything. Every run then has its result; one that the port did not look at has 0. */
void rj_send_batch_send(rj_send_batch_t *batch);

/* Empties the batch; the results were read. */
static inline void rj_send_batch_clear(rj_send_batch_t *batch)
{
    batch->count = 0;
}

#endif
