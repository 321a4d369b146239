/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/cpuset.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096, TEXT_BYTES = 8192, CACHES_MAX = 16, LEVEL_3 = 3 };

/* --- lists --- */

static bool contains(const rj_cpuset_t *set, int32_t cpu)
{
    for (int32_t i = 0; i < set->count; i++)
        if (set->cpus[i] == cpu)
            return true;
    return false;
}

static int compare(const void *left, const void *right)
{
    return *(const int32_t *)left - *(const int32_t *)right;
}

static const char *read_cpu(const char *text, int32_t *ret_cpu)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return NULL;
    const unsigned long value = strtoul(text, &end, 10);
    if (value >= RJ_CPUSET_CPUS_MAX)
        return NULL;
    *ret_cpu = (int32_t)value;
    return end;
}

int rj_cpuset_parse(rj_cpuset_t *ret_set, const char *text)
{
    rj_cpuset_t set = {.count = 0};
    const char *at = text;
    for (;;) {
        int32_t first, last;
        at = read_cpu(at, &first);
        if (at == NULL)
            return -EINVAL;
        last = first;
        if (*at == '-')
            at = read_cpu(at + 1, &last);
        if (at == NULL || last < first)
            return -EINVAL;
        for (int32_t cpu = first; cpu <= last; cpu++)
            if (!contains(&set, cpu))
                set.cpus[set.count++] = cpu;
        if (*at != ',')
            break;
        at++;
    }
    if (*at == '\n')
        at++;
    if (*at != '\0')
        return -EINVAL;
    qsort(set.cpus, (size_t)set.count, sizeof(set.cpus[0]), compare);
    *ret_set = set;
    return 0;
}

/* --- files --- */

static int read_file(char text[static TEXT_BYTES], const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -errno;
    const size_t length = fread(text, 1, TEXT_BYTES - 1, file);
    const int result = ferror(file) ? -EIO : 0;
    fclose(file);
    text[length] = '\0';
    return result;
}

static int read_list(rj_cpuset_t *ret_set, const char *path)
{
    char text[TEXT_BYTES];
    const int result = read_file(text, path);
    return result < 0 ? result : rj_cpuset_parse(ret_set, text);
}

/* The path behind "0::", of cgroup v2. */
static int find_cgroup(const char *root, char cgroup[static PATH_BYTES], rj_err_t *err)
{
    char path[PATH_BYTES];
    char text[TEXT_BYTES];
    snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    const int result = read_file(text, path);
    if (result < 0)
        return rj_fail(err, result, "%s: %s", path, strerror(-result));
    for (char *line = text; line != NULL && *line != '\0';) {
        char *newline = strchr(line, '\n');
        if (newline != NULL)
            *newline++ = '\0';
        if (strncmp(line, "0::/", 4) == 0) {
            snprintf(cgroup, PATH_BYTES, "%s", line + 3);
            return 0;
        }
        line = newline;
    }
    return rj_fail(err, -ENOENT, "%s: no cgroup v2 in it", path);
}

/* Looks in the process's cgroup, then in those above it. */
static int find_cpuset(const char *root, rj_cpuset_t *ret_set, rj_err_t *err)
{
    char cgroup[PATH_BYTES];
    char path[2 * PATH_BYTES];
    int result = find_cgroup(root, cgroup, err);
    if (result < 0)
        return result;
    for (;;) {
        const bool is_top = strcmp(cgroup, "/") == 0 || cgroup[0] == '\0';
        snprintf(path, sizeof(path), "%s/sys/fs/cgroup%s/cpuset.cpus.effective", root,
                 is_top ? "" : cgroup);
        result = read_list(ret_set, path);
        if (result == 0)
            return 0;
        if (result != -ENOENT || is_top)
            return rj_fail(err, result, "%s: %s", path,
                           result == -EINVAL ? "not a list of CPUs" : strerror(-result));
        *strrchr(cgroup, '/') = '\0';
    }
}

/* --- topology --- */

typedef struct topology {
    const char *root;
    const rj_cpuset_t *set;
    FILE *warnings;
    bool is_strict;
    rj_err_t *err;
} topology_t;

static int warn(const topology_t *topology, const char *text)
{
    if (topology->is_strict)
        return rj_fail(topology->err, -EINVAL, "AERON_DRIVER_CPUSET_AFFINITY: %s", text);
    if (topology->warnings != NULL)
        fprintf(topology->warnings, "WARNING: AERON_DRIVER_CPUSET_AFFINITY: %s\n", text);
    return 0;
}

static void path_of(const topology_t *topology, char path[static PATH_BYTES], int32_t cpu,
                    const char *name)
{
    snprintf(path, PATH_BYTES, "%s/sys/devices/system/cpu/cpu%" PRId32 "/%s", topology->root, cpu,
             name);
}

/* One warning a core, by its first thread in the list. */
static int check_core(const topology_t *topology, int32_t cpu)
{
    char path[PATH_BYTES];
    char text[128];
    rj_cpuset_t siblings;
    path_of(topology, path, cpu, "topology/thread_siblings_list");
    const int result = read_list(&siblings, path);
    if (result < 0)
        return rj_fail(topology->err, result, "%s: cannot be read: %s", path, strerror(-result));
    int32_t inside = 0;
    int32_t first = cpu;
    for (int32_t i = 0; i < siblings.count; i++) {
        if (!contains(topology->set, siblings.cpus[i]))
            continue;
        inside++;
        first = siblings.cpus[i] < first ? siblings.cpus[i] : first;
    }
    if (inside == siblings.count || first != cpu)
        return 0;
    snprintf(text, sizeof(text),
             "of the core of CPU %" PRId32 ", %" PRId32 " of %" PRId32 " threads are in the cpuset",
             cpu, inside, siblings.count);
    return warn(topology, text);
}

static bool read_die(const topology_t *topology, int32_t cpu, long *ret_die)
{
    char path[PATH_BYTES];
    char text[TEXT_BYTES];
    char *end;
    path_of(topology, path, cpu, "topology/die_id");
    if (read_file(text, path) < 0)
        return false;
    *ret_die = strtol(text, &end, 10);
    return end != text;
}

static int check_dies(const topology_t *topology)
{
    long first = 0;
    bool has_first = false;
    for (int32_t i = 0; i < topology->set->count; i++) {
        long die;
        if (!read_die(topology, topology->set->cpus[i], &die))
            continue;
        if (has_first && die != first)
            return warn(topology, "the CPUs of the cpuset are on more than one die");
        first = die;
        has_first = true;
    }
    return 0;
}

/* The CPUs that share the first one's cache of level 3. */
static bool read_l3(const topology_t *topology, rj_cpuset_t *ret_set)
{
    for (int cache = 0; cache < CACHES_MAX; cache++) {
        char path[PATH_BYTES];
        char name[64];
        char text[TEXT_BYTES];
        snprintf(name, sizeof(name), "cache/index%d/level", cache);
        path_of(topology, path, topology->set->cpus[0], name);
        if (read_file(text, path) < 0)
            return false;
        if (strtol(text, NULL, 10) != LEVEL_3)
            continue;
        snprintf(name, sizeof(name), "cache/index%d/shared_cpu_list", cache);
        path_of(topology, path, topology->set->cpus[0], name);
        return read_list(ret_set, path) == 0;
    }
    return false;
}

static int check_l3(const topology_t *topology)
{
    rj_cpuset_t shared;
    if (!read_l3(topology, &shared))
        return 0;
    for (int32_t i = 0; i < topology->set->count; i++)
        if (!contains(&shared, topology->set->cpus[i]))
            return warn(topology, "the CPUs of the cpuset do not share one L3 cache");
    return 0;
}

static int check_topology(const topology_t *topology)
{
    int result = 0;
    if (topology->set->count == 1)
        return 0;
    for (int32_t i = 0; result == 0 && i < topology->set->count; i++)
        result = check_core(topology, topology->set->cpus[i]);
    if (result == 0)
        result = check_dies(topology);
    return result == 0 ? check_l3(topology) : result;
}

/* --- map --- */

int rj_cpuset_map(const char *root, rj_driver_config_t *config, FILE *warnings, rj_err_t *err)
{
    const struct {
        const char *variable;
        int64_t *cpu;
    } places[] = {
        {"AERON_CONDUCTOR_CPU_AFFINITY", &config->conductor_cpu},
        {"AERON_SENDER_CPU_AFFINITY", &config->sender_cpu},
        {"AERON_RECEIVER_CPU_AFFINITY", &config->receiver_cpu},
        {"AERON_DRIVER_NATIVE_RESOURCE_AGENT_CPU_AFFINITY", &config->helper_cpu},
    };
    enum { PLACES = sizeof(places) / sizeof(places[0]) };
    rj_cpuset_t set;
    int result = find_cpuset(root, &set, err);
    if (result < 0)
        return result;
    const topology_t topology = {.root = root,
                                 .set = &set,
                                 .warnings = warnings,
                                 .is_strict = config->cpuset_warnings_as_errors,
                                 .err = err};
    result = check_topology(&topology);
    if (result < 0)
        return result;
    for (int i = 0; i < PLACES; i++)
        if (*places[i].cpu >= set.count)
            return rj_fail(err, -EINVAL,
                           "%s=%" PRId64 ": the cpuset has %" PRId32 " CPUs, counted from 0",
                           places[i].variable, *places[i].cpu, set.count);
    for (int i = 0; i < PLACES; i++)
        if (*places[i].cpu >= 0)
            *places[i].cpu = set.cpus[*places[i].cpu];
    return 0;
}
