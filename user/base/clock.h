/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - the only reader of clocks.
 *
 * Everything below the agents takes the time as an argument; only the runners and the command line
 * call these.
 *
 * Units      in the names. Monotonic time counts from an arbitrary start, epoch time from 1970.
 * Ownership  none.  Thread any.  Errors none: Linux always has these clocks.
 */
#ifndef RJ_BASE_CLOCK_H
#define RJ_BASE_CLOCK_H

#include <stdint.h>

int64_t rj_clock_mono_ns(void);
/* A tick of the kernel late, at most 10 ms: a thread that spins asks in every turn, and reading the
 * hardware's counter would be a third of the turn. */
int64_t rj_clock_epoch_ms(void);
int64_t rj_clock_epoch_ns(void);

/* Sleeps at least that long, also when signals arrive; returns at once for values below 1. */
void rj_clock_sleep_ns(int64_t duration_ns);

#endif
