/* SPDX-License-Identifier: Apache-2.0 */
/* log_reach.h - the pages of a sparse log, mapped before they are needed.
 *
 * The first touch of a page is a fault, of a microsecond or two in the middle of a message. Asked
 * in advance, the kernel maps several at once, while nothing waits.
 *
 * Units      stream positions and bytes.
 * Ownership  the caller owns the struct; the log outlives it.
 * Thread     each reach has one; several of one log do not disturb each other.
 * Errors     none: where the kernel cannot do it (before Linux 5.14, or no memory) pages go on to
 *            come with the first touch.
 */
#ifndef RJ_SHM_LOG_REACH_H
#define RJ_SHM_LOG_REACH_H

#include "shm/log_buffer.h"

/* So far ahead of a stream's end its pages are there: more than a turn's work, unless the stream is
 * in a hurry, and then they come in larger pieces. */
enum { RJ_LOG_REACH_BYTES = 64 * 1024 };

typedef struct rj_log_reach {
    int64_t position; /* whole pages: everything from the start up to it has been asked for */
    int64_t end;      /* where the log has been gone round once */
    int64_t page_bytes;
} rj_log_reach_t;

/* A log that was mapped as a whole has nothing more to ask for. */
void rj_log_reach_init(rj_log_reach_t *reach, const rj_log_t *log, int64_t start_position);

/* Asks for pages up to `target_position`, at most to the end of one term; the rest follows with
 * later calls. */
void rj_log_reach_extend(rj_log_reach_t *reach, const rj_log_t *log, int64_t target_position);

/* The same, cheap to call often: for the pages ahead of `position`, where the stream goes on. */
static inline void rj_log_reach_ahead(rj_log_reach_t *reach, const rj_log_t *log, int64_t position)
{
    if (position + RJ_LOG_REACH_BYTES > reach->position && reach->position < reach->end)
        rj_log_reach_extend(reach, log, position + RJ_LOG_REACH_BYTES);
}

#endif
