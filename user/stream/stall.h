/* SPDX-License-Identifier: Apache-2.0 */
/* stall.h - how long a reader of a log has stood where it stands.
 *
 * A publisher that dies between claim and commit stops everybody behind it: a position that does
 * not move although there is something behind it tells so (shm.md 13).
 *
 * Units      times in ns of the caller's clock, positions of the stream.
 * Ownership  the caller embeds the struct.
 * Thread     one.
 * Errors     none.
 */
#ifndef RJ_STREAM_STALL_H
#define RJ_STREAM_STALL_H

#include <stdbool.h>
#include <stdint.h>

typedef struct rj_stall {
    int64_t position;
    int64_t since_ns;
} rj_stall_t;

/* Whether the reader has stood at `position` for longer than `timeout_ns`. It does not wait while
 * nothing `is_behind` it. */
static inline bool rj_stall_check(rj_stall_t *stall, int64_t position, bool is_behind,
                                  int64_t timeout_ns, int64_t now_ns)
{
    if (position == stall->position && is_behind)
        return now_ns > stall->since_ns + timeout_ns;
    *stall = (rj_stall_t){.position = position, .since_ns = now_ns};
    return false;
}

#endif
