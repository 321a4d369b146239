/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - carries a plan out, one lab at a time, and knows beforehand what it lacks.
 *
 * ip(8) does the work rather than netlink messages of our own: it is on every Debian machine, what
 * it did can be read and repeated by hand, and a lab is made far too seldom for the 3 ms of a
 * process to matter.
 *
 * Units      none.
 * Ownership  the lock is a descriptor; closing it, or dying, gives it back.
 * Thread     the main thread; a sysctl step enters a namespace and comes back.
 * Errors     negative errno and one line; of a failed command, the command and its first line.
 */
#ifndef RJ_LAB_RUN_H
#define RJ_LAB_RUN_H

#include "lab/plan.h"

/* -EPERM, naming what is missing, unless this process may make namespaces and links. */
int rj_lab_check_privilege(rj_err_t *err);

/* Keeps every other ramjet on this machine from changing the same lab; -EBUSY when one still does
 * after five seconds. */
int rj_lab_lock(const char *lab, int *ret_fd, rj_err_t *err);

/* Runs the steps in order, and stops at the first that fails or when SIGINT, SIGTERM or SIGHUP is
 * pending (-EINTR), which the caller has blocked. */
int rj_lab_run(const rj_lab_plan_t *plan, rj_err_t *err);

/* Runs all steps, the failed ones too; returns the first failure. For taking down. */
int rj_lab_run_all(const rj_lab_plan_t *plan, rj_err_t *err);

#endif
