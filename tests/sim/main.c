/* SPDX-License-Identifier: Apache-2.0 */
/* sim - runs seeds of the simulation: sim --seeds N --seed S [--scenario NAME] [--twice] [--list
 * FILE]
 *
 * Each seed draws its scenario (seed mod the number of them). A failure prints the line that
 * repeats it. The trace line says in one number what all seeds did: the same for the same seeds,
 * whatever compiler built it. --twice runs each seed again and compares.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenario.h"
#include "shm/dir.h"
#include "world.h"

typedef struct arguments {
    uint64_t seeds;
    uint64_t seed;
    const char *scenario;
    const char *list;
    bool is_twice;
} arguments_t;

static uint64_t failed_count;
static uint64_t trace;

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s [--seeds N] [--seed S] [--scenario NAME] [--twice] [--list FILE]\n",
            program);
    return 2;
}

static bool read_arguments(arguments_t *arguments, int argc, char **argv)
{
    *arguments = (arguments_t){.seeds = 1, .seed = 1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--twice") == 0) {
            arguments->is_twice = true;
            continue;
        }
        if (i + 1 == argc)
            return false;
        if (strcmp(argv[i], "--seeds") == 0)
            arguments->seeds = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--seed") == 0)
            arguments->seed = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--scenario") == 0)
            arguments->scenario = argv[++i];
        else if (strcmp(argv[i], "--list") == 0)
            arguments->list = argv[++i];
        else
            return false;
    }
    return true;
}

static const scenario_t *find_scenario(const char *name)
{
    for (size_t i = 0; i < scenario_count; i++) {
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    }
    fprintf(stderr, "sim: no scenario is called %s; there are:", name);
    for (size_t i = 0; i < scenario_count; i++)
        fprintf(stderr, " %s", scenarios[i].name);
    fputc('\n', stderr);
    exit(2);
}

/* Returns false, and says why, when the seed failed. */
static bool run_seed(const scenario_t *scenario, uint64_t seed, const char *directory)
{
    if (setjmp(sim_failure) == 0) {
        scenario->run(seed, directory);
        return true;
    }
    printf("not ok seed %" PRIu64 " %s: %s\n", seed, scenario->name, sim_failure_text);
    printf("# again: make sim SEEDS=1 SEED=%" PRIu64 "\n", seed);
    scenario_abandon();
    return false;
}

static bool check_repeats(const scenario_t *scenario, uint64_t seed, const char *directory)
{
    uint64_t first = scenario_trace();
    if (!run_seed(scenario, seed, directory))
        return false;
    if (scenario_trace() == first)
        return true;
    printf("not ok seed %" PRIu64 " %s: another trace the second time\n", seed, scenario->name);
    return false;
}

static void judge_seed(const scenario_t *scenario, uint64_t seed, const char *directory,
                       bool is_twice)
{
    bool is_good = run_seed(scenario, seed, directory);
    trace = trace * 31 + (is_good ? scenario_trace() : 0);
    if (is_good && is_twice)
        is_good = check_repeats(scenario, seed, directory);
    failed_count += !is_good;
    if (is_good)
        printf("ok seed %" PRIu64 " %s\n", seed, scenario->name);
}

static void run_list(const char *path, const char *directory, bool is_twice)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "sim: %s: %s\n", path, strerror(errno));
        exit(2);
    }
    char line[256];
    while (fgets(line, sizeof(line), file) != NULL) {
        uint64_t seed;
        char name[32];
        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (sscanf(line, "%" SCNu64 " %31s", &seed, name) != 2) {
            fprintf(stderr, "sim: %s: not a seed and a scenario: %s", path, line);
            exit(2);
        }
        judge_seed(find_scenario(name), seed, directory, is_twice);
    }
    fclose(file);
}

int main(int argc, char **argv)
{
    arguments_t arguments;
    if (!read_arguments(&arguments, argc, argv))
        return usage(argv[0]);
    char directory[64];
    snprintf(directory, sizeof(directory), "/dev/shm/rj-sim-%d", (int)getpid());
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (arguments.list != NULL)
        run_list(arguments.list, directory, arguments.is_twice);
    for (uint64_t i = 0; i < arguments.seeds; i++) {
        uint64_t seed = arguments.seed + i;
        judge_seed(arguments.scenario != NULL ? find_scenario(arguments.scenario)
                                              : &scenarios[seed % scenario_count],
                   seed, directory, arguments.is_twice);
    }
    rj_err_t err;
    (void)rj_dir_remove_tree(directory, &err);
    printf("trace %016" PRIx64 "\n", trace);
    return failed_count == 0 ? 0 : 1;
}
