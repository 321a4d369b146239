/* SPDX-License-Identifier: Apache-2.0 */
/* scenario.h - what may happen to a world, drawn from the seed.
 *
 * Units      none.  Ownership  none.  Thread one.
 * Errors     sim_fail, which the caller of run has to catch.
 */
#ifndef RJ_TESTS_SIM_SCENARIO_H
#define RJ_TESTS_SIM_SCENARIO_H

#include <stddef.h>
#include <stdint.h>

typedef struct scenario {
    const char *name;
    void (*run)(uint64_t seed, const char *directory);
} scenario_t;

extern const scenario_t scenarios[];
extern const size_t scenario_count;

/* In files of their own. */
void run_spies(uint64_t seed, const char *directory);
void run_untethered(uint64_t seed, const char *directory);
void run_mdc(uint64_t seed, const char *directory);
void run_names(uint64_t seed, const char *directory);
void run_aware(uint64_t seed, const char *directory);
void run_merges(uint64_t seed, const char *directory);
void run_controls(uint64_t seed, const char *directory);
void run_responses(uint64_t seed, const char *directory);
void run_rejected(uint64_t seed, const char *directory);
void run_revoked(uint64_t seed, const char *directory);
void run_paces(uint64_t seed, const char *directory);
void run_unreliable(uint64_t seed, const char *directory);
void run_merged(uint64_t seed, const char *directory);
void run_doors(uint64_t seed, const char *directory);
void run_aside(uint64_t seed, const char *directory);
void run_repair(uint64_t seed, const char *directory);
void run_storm(uint64_t seed, const char *directory);

/* What the last run did, as one number. */
uint64_t scenario_trace(void);

/* Takes apart what a failed run left. */
void scenario_abandon(void);

#endif
