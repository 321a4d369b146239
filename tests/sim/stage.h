/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - what scenarios have in common: a world, its lanes, how they begin and end.
 *
 *   stage_open_world --> faults, lanes, whatever the scenario does --> stage_end_world
 *
 * Units      virtual ns.
 * Ownership  one stage; its world is that of the scenario that runs.
 * Thread     one.
 * Errors     sim_fail.
 */
#ifndef RJ_TESTS_SIM_STAGE_H
#define RJ_TESTS_SIM_STAGE_H

#include "lane.h"
#include "world.h"

enum {
    STAGE_LANES_MAX = 32,
    PORT_FIRST = 20000,
};

#define SECONDS(n) ((n)*INT64_C(1000000000))
#define MILLIS(n)  ((n)*INT64_C(1000000))

typedef struct stage {
    world_t *world;
    lane_t lanes[STAGE_LANES_MAX];
    int lane_count;
    bool nak_delay_is_explicit;             /* of every driver */
    int64_t errors_expected[SIM_HOSTS_MAX]; /* that hosts count, beside steering's warnings */
    uint64_t trace;
} stage_t;

extern stage_t stage;

/* What hosts of the next world have; sockets only unless a scenario says otherwise. */
extern sim_rings_t stage_rings;
extern const sim_steer_params_t *stage_steer; /* NULL: no steering program */
extern bool stage_sends_all; /* multi-destination channels are not aware of streams */

extern bool stage_has_names; /* drivers tell each other theirs */

/* A ring for each of some engines, with frames that come to any of them. */
void stage_draw_rings(uint64_t seed);

void stage_open_world(uint64_t seed, const char *directory, int host_count);

/* The world's random numbers; the second from `first` to `last`, both included. */
rj_prng_t *stage_prng(void);
int64_t stage_between(int64_t first, int64_t last);

/* Delays alone; with loss and the like. */
void stage_draw_path(void);
void stage_draw_faults(void);

/* Lengths and number of a lane's messages: several terms of 64 KiB. */
void stage_draw_lengths(lane_config_t *config);

/* A stream from host to host (IPC when they are the same), without subscribers yet. */
lane_t *stage_add_lane(int from, int to, int port, bool may_lose_images);

/* To wait for: every lane; the lane that is the state; half of its messages. */
bool stage_all_complete(void *state);
bool stage_one_complete(void *state);
bool stage_half_offered(void *state);

/* The end of every scenario: checks the accounts, closes all, waits for all lingers, 10 s of image
 * liveness and more, and looks for leftovers. */
void stage_end_world(int host_count);

/* Its parts, for who disconnects clients by himself in between. */
void stage_finish(int host_count);
void stage_check_leftovers(int host_count);

#endif
