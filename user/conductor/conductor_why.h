/* SPDX-License-Identifier: Apache-2.0 */
/* conductor_why.h - tells the world why a publication waits (shm/why.h).
 *
 * Units      none.
 * Ownership  a counter for each publication, which frees it.
 * Thread     the conductor's.
 * Errors     -ENOSPC without a free counter.
 */
#ifndef RJ_CONDUCTOR_CONDUCTOR_WHY_H
#define RJ_CONDUCTOR_CONDUCTOR_WHY_H

#include "conductor/conductor_state.h"

enum { RJ_CONDUCTOR_WHY_NS = 10 * 1000 * 1000 };

/* For the publication that the command in flight makes. */
int rj_conductor_make_why(rj_conductor_t *conductor, rj_told_why_t *ret, rj_err_t *err);

/* Once a turn: looks every RJ_CONDUCTOR_WHY_NS and writes what has changed. It is no work, but a
 * look at it, so it returns nothing. */
void rj_conductor_tell_why(rj_conductor_t *conductor);

#endif
