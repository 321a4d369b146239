/* SPDX-License-Identifier: Apache-2.0 */
/* sim - runs seeds of the simulation: sim --seeds N --seed S [--scenario NAME] [--twice]
 *
 * Each seed draws its scenario (seed mod the number of them). A failure prints the line that
 * repeats it. The trace line says in one number what all seeds did: the same for the same seeds,
 * whatever compiler built it. --twice runs each seed again and compares.
 */
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
    bool is_twice;
} arguments_t;

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s [--seeds N] [--seed S] [--scenario NAME] [--twice]\n", program);
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
        else
            return false;
    }
    return true;
}

static const scenario_t *choose(const arguments_t *arguments, uint64_t seed)
{
    if (arguments->scenario == NULL)
        return &scenarios[seed % scenario_count];
    for (size_t i = 0; i < scenario_count; i++) {
        if (strcmp(scenarios[i].name, arguments->scenario) == 0)
            return &scenarios[i];
    }
    fprintf(stderr, "sim: no scenario is called %s; there are:", arguments->scenario);
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
    uint64_t trace = scenario_trace();
    if (!run_seed(scenario, seed, directory))
        return false;
    if (scenario_trace() == trace)
        return true;
    printf("not ok seed %" PRIu64 " %s: another trace the second time\n", seed, scenario->name);
    return false;
}

int main(int argc, char **argv)
{
    arguments_t arguments;
    if (!read_arguments(&arguments, argc, argv))
        return usage(argv[0]);
    char directory[64];
    snprintf(directory, sizeof(directory), "/dev/shm/rj-sim-%d", (int)getpid());
    setvbuf(stdout, NULL, _IOLBF, 0);
    uint64_t trace = 0;
    uint64_t failed = 0;
    for (uint64_t i = 0; i < arguments.seeds; i++) {
        uint64_t seed = arguments.seed + i;
        const scenario_t *scenario = choose(&arguments, seed);
        bool is_good = run_seed(scenario, seed, directory);
        trace = trace * 31 + (is_good ? scenario_trace() : 0);
        if (is_good && arguments.is_twice)
            is_good = check_repeats(scenario, seed, directory);
        failed += !is_good;
        if (is_good)
            printf("ok seed %" PRIu64 " %s\n", seed, scenario->name);
    }
    rj_err_t err;
    (void)rj_dir_remove_tree(directory, &err);
    printf("trace %016" PRIx64 "\n", trace);
    return failed == 0 ? 0 : 1;
}
