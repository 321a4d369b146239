/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/cpuset.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/dir.h"

static char root[64];

static void make_root(void)
{
    snprintf(root, sizeof(root), "/dev/shm/rj-cpuset-%d", (int)getpid());
}

static void remove_root(void)
{
    rj_err_t err;
    cr_expect_eq(rj_dir_remove_tree(root, &err), 0);
}

TestSuite(cpuset, .init = make_root, .fini = remove_root);

static void put(const char *path, const char *text)
{
    char full[512];
    rj_err_t err;
    snprintf(full, sizeof(full), "%s/%s", root, path);
    char *slash = strrchr(full, '/');
    *slash = '\0';
    cr_assert_eq(rj_dir_make(full, &err), 0, "%s", err.text);
    *slash = '/';
    FILE *file = fopen(full, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

/* A machine of two cores of two threads: 0 and 2, 1 and 3; one die, one cache. */
static void put_machine(const char *cpus)
{
    put("proc/self/cgroup", "12:freezer:/x\n0::/a/b/c\n");
    put("sys/fs/cgroup/a/cpuset.cpus.effective", cpus);
    put("sys/fs/cgroup/cpuset.cpus.effective", "0-3\n");
    for (int cpu = 0; cpu < 4; cpu++) {
        char path[128];
        snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
                 cpu);
        put(path, cpu % 2 == 0 ? "0,2\n" : "1,3\n");
        snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%d/topology/die_id", cpu);
        put(path, "0\n");
        snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%d/cache/index0/level", cpu);
        put(path, "1\n");
        snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%d/cache/index1/level", cpu);
        put(path, "3\n");
        snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%d/cache/index1/shared_cpu_list",
                 cpu);
        put(path, "0-3\n");
    }
}

static rj_driver_config_t config;

/* Maps sender 0, receiver 1; `said` gets the warnings. */
static int map(char **said, rj_err_t *err)
{
    size_t length;
    config.conductor_cpu = -1;
    config.sender_cpu = 0;
    config.receiver_cpu = 1;
    config.helper_cpu = -1;
    FILE *warnings = open_memstream(said, &length);
    const int result = rj_cpuset_map(root, &config, warnings, err);
    fclose(warnings);
    return result;
}

static void expect_map(int expected, const char *words)
{
    char *said = NULL;
    rj_err_t err = {0};
    cr_expect_eq(map(&said, &err), expected, "%s", err.text);
    const char *text = expected == 0 ? said : err.text;
    if (words[0] == '\0')
        cr_expect_str_eq(text, "");
    else
        cr_expect_not_null(strstr(text, words), "%s", text);
    free(said);
}

Test(cpuset, reads_lists_sorted_and_each_cpu_once)
{
    put("unused", "");
    rj_cpuset_t set;
    cr_assert_eq(rj_cpuset_parse(&set, "8,2-4,3\n"), 0);
    cr_assert_eq(set.count, 4);
    const int32_t expected[] = {2, 3, 4, 8};
    cr_expect_arr_eq(set.cpus, expected, sizeof(expected));
    static const char *const bad[] = {"", "\n", "1,", "-1", "3-2", "1 2", "1-", "9999", "x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_eq(rj_cpuset_parse(&set, bad[i]), -EINVAL, "'%s'", bad[i]);
}

Test(cpuset, takes_affinities_for_places_in_the_list_of_the_nearest_cgroup)
{
    put_machine("1,3\n");
    expect_map(0, "");
    cr_expect_eq(config.sender_cpu, 1);
    cr_expect_eq(config.receiver_cpu, 3);
    cr_expect_eq(config.conductor_cpu, -1);
    cr_expect_eq(config.helper_cpu, -1);
}

Test(cpuset, refuses_a_place_behind_the_end_and_changes_nothing)
{
    put_machine("3\n");
    expect_map(-EINVAL, "AERON_RECEIVER_CPU_AFFINITY=1: the cpuset has 1 CPUs");
    cr_expect_eq(config.sender_cpu, 0);
}

Test(cpuset, looks_at_the_top_when_no_cgroup_on_the_way_has_a_list)
{
    put_machine("1,3\n");
    put("proc/self/cgroup", "0::/elsewhere/deep\n");
    expect_map(0, "");
    cr_expect_eq(config.receiver_cpu, 1);
}

Test(cpuset, refuses_to_start_without_a_list_that_it_can_read)
{
    put("unused", "");
    expect_map(-ENOENT, "/proc/self/cgroup");
    put("proc/self/cgroup", "1:cpu:/x\n");
    expect_map(-ENOENT, "no cgroup v2");
    put("proc/self/cgroup", "0::/\n");
    expect_map(-ENOENT, "cpuset.cpus.effective");
    put("sys/fs/cgroup/cpuset.cpus.effective", "many\n");
    expect_map(-EINVAL, "not a list of CPUs");
}

Test(cpuset, warns_once_of_each_core_that_the_list_cuts)
{
    put_machine("0-2\n");
    char *said = NULL;
    rj_err_t err;
    cr_assert_eq(map(&said, &err), 0, "%s", err.text);
    cr_expect_str_eq(said, "WARNING: AERON_DRIVER_CPUSET_AFFINITY: of the core of CPU 1, 1 of 2 "
                           "threads are in the cpuset\n");
    free(said);
}

Test(cpuset, warns_of_dies_and_of_caches_that_are_not_shared)
{
    put_machine("0-3\n");
    put("sys/devices/system/cpu/cpu3/topology/die_id", "1\n");
    expect_map(0, "more than one die");
    put("sys/devices/system/cpu/cpu3/topology/die_id", "0\n");
    put("sys/devices/system/cpu/cpu0/cache/index1/shared_cpu_list", "0-2\n");
    expect_map(0, "one L3 cache");
    put("sys/devices/system/cpu/cpu0/cache/index1/shared_cpu_list", "unreadable\n");
    expect_map(0, "");
}

Test(cpuset, refuses_what_it_would_warn_of_when_told_to)
{
    put_machine("0-2\n");
    config.cpuset_warnings_as_errors = true;
    expect_map(-EINVAL, "of the core of CPU 1");
}

Test(cpuset, asks_nothing_of_the_topology_of_one_cpu)
{
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/cpuset.cpus.effective", "7\n");
    char *said = NULL;
    rj_err_t err;
    config.receiver_cpu = -1;
    size_t length;
    FILE *warnings = open_memstream(&said, &length);
    config.sender_cpu = 0;
    config.conductor_cpu = -1;
    config.helper_cpu = -1;
    cr_expect_eq(rj_cpuset_map(root, &config, warnings, &err), 0, "%s", err.text);
    fclose(warnings);
    cr_expect_eq(config.sender_cpu, 7);
    free(said);
}

Test(cpuset, refuses_a_core_whose_threads_it_cannot_see)
{
    put_machine("0-3\n");
    put("sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "?\n");
    expect_map(-EINVAL, "thread_siblings_list");
}
