/* SPDX-License-Identifier: Apache-2.0 */
/* term_unblock.h - frees what a publisher that died left claimed and unfinished.
 *
 * A hole becomes a padding frame, a rotation that nobody finished is finished.
 *
 * Units      positions in stream bytes.
 * Ownership  the caller's log.
 * Thread     the conductor's. Never for an exclusive publication whose client lives: it writes its
 *            tail before its frames, and a hole is normal there.
 * Errors     none; every offset read from the log is bounded by the term.
 */
#ifndef RJ_SHM_TERM_UNBLOCK_H
#define RJ_SHM_TERM_UNBLOCK_H

#include "shm/log_buffer.h"

#include <stdbool.h>
#include <stdint.h>

/* Looks at `blocked_position`, a multiple of 32 that has not moved for the unblock timeout. Returns
 * true if something was freed; false if there is nothing to free, or nothing behind the hole yet.
 */
bool rj_term_unblock(const rj_log_t *log, int64_t blocked_position);

/* For a log that nobody can write to any more: a hole at `blocked_position` with nothing behind it
 * ends at the tail, for no frame will ever show its length. Returns true if it was freed. */
bool rj_term_unblock_tail(const rj_log_t *log, int64_t blocked_position);

#endif
