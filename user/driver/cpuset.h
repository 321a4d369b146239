/* SPDX-License-Identifier: Apache-2.0 */
/* cpuset.h - CPUs by their place in the list that the process's cgroup may use (driver.md 1).
 *
 *      AERON_SENDER_CPU_AFFINITY=2      list 4-7,12      CPU 6
 *
 * So one configuration serves wherever a container is put. Where the list cuts a core in two, or
 * spreads over dies or caches, threads would disturb one another: that is warned of.
 *
 * Units      CPU numbers.
 * Ownership  plain values.
 * Thread     before any other starts.
 * Errors     negative errno and a text; the config is changed only by a success.
 */
#ifndef RJ_DRIVER_CPUSET_H
#define RJ_DRIVER_CPUSET_H

#include <stdio.h>

#include "base/err.h"
#include "config/config.h"

enum { RJ_CPUSET_CPUS_MAX = 1024 };

typedef struct rj_cpuset {
    int32_t cpus[RJ_CPUSET_CPUS_MAX]; /* ascending, each once */
    int32_t count;
} rj_cpuset_t;

/* Reads "0-3,8" with a newline behind it or without. -EINVAL when it is not of that form. */
int rj_cpuset_parse(rj_cpuset_t *ret_set, const char *text);

/* Replaces the four affinities of `config` that are set. `root` is "" for this machine; below it
 * are proc/self/cgroup and sys. What is wrong with the topology goes to `warnings` (NULL: nowhere),
 * or fails where the config says so. */
int rj_cpuset_map(const char *root, rj_driver_config_t *config, FILE *warnings, rj_err_t *err);

#endif
