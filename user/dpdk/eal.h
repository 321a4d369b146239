/* SPDX-License-Identifier: Apache-2.0 */
/* eal.h - DPDK's environment in this process: started once, with the operator's arguments.
 *
 * DPDK thinks that the process is its own. Here it gets one lcore, which is whoever starts it, on
 * the CPUs that this thread has already, and no lcore threads; engines are ramjet's threads and
 * enter by themselves. The thread's affinity, the process's signal handlers and its standard output
 * are after the start what they were before. What DPDK says goes to the log, at level debug.
 *
 * Units      none.
 * Ownership  one for a process, and once in its life: DPDK does not start again after its end.
 * Thread     open and close: the main thread. enter: any.
 * Errors     open: negative errno, and DPDK's own last words.
 */
#ifndef RJ_DPDK_EAL_H
#define RJ_DPDK_EAL_H

#include "base/err.h"

/* `arguments` are words as DPDK's programs take them, parted by blanks. Added where they say
 * nothing of it: no telemetry, nothing shared with other processes, one lcore. -EALREADY the second
 * time. */
int rj_eal_open(const char *arguments, rj_err_t *err);

/* Every port is closed before. Safe when it is not open. */
void rj_eal_close(void);

/* The calling thread, one of ramjet's, gets caches of buffers of its own; without them, when there
 * are too many threads, each buffer costs an atomic operation. */
void rj_eal_enter(void);

#endif
