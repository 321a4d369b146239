/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/start.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "driver/cpuset.h"
#include "driver/event_log.h"
#include "driver/kernel_world.h"

enum { DIRECTORY_POLL_NS = 1000000 };

/* Clients are handed file names: they must mean the same wherever a client runs. */
static int make_absolute(rj_driver_config_t *config, rj_err_t *err)
{
    size_t length = strlen(config->dir);
    while (length > 1 && config->dir[length - 1] == '/')
        config->dir[--length] = '\0';
    if (config->dir[0] == '/')
        return 0;
    char cwd[RJ_CONFIG_PATH_MAX];
    char joined[RJ_CONFIG_PATH_MAX];
    if (getcwd(cwd, sizeof(cwd)) == NULL ||
        snprintf(joined, sizeof(joined), "%s/%s", cwd, config->dir) >= (int)sizeof(joined))
        return rj_fail(err, -ENAMETOOLONG, "driver directory %s: give a shorter, absolute path",
                       config->dir);
    memcpy(config->dir, joined, sizeof(joined));
    return 0;
}

int rj_driver_settle(rj_driver_config_t *config, FILE *warnings, rj_err_t *err)
{
    int result = make_absolute(config, err);
    if (result == 0)
        result = rj_config_check(config, err);
    if (result == 0 && config->cpuset_affinity)
        result = rj_cpuset_map("", config, warnings, err);
    return result == 0 ? rj_event_log_check(config, warnings, err) : result;
}

/* --- what was chosen --- */

typedef struct teller {
    const rj_driver_start_t *start;
    char refused[RJ_DRIVER_CHOICE_MAX]; /* the first of each; "" when there was none */
    char chosen[RJ_DRIVER_CHOICE_MAX];
} teller_t;

static void tell(void *state, rj_ring_told_t told, const char *text)
{
    teller_t *teller = state;
    char *kept = told == RJ_RING_REFUSED ? teller->refused : teller->chosen;
    if (kept[0] == '\0' && told != RJ_RING_LACKING)
        snprintf(kept, RJ_DRIVER_CHOICE_MAX, "%s", text);
    if (teller->start->tell != NULL)
        teller->start->tell(teller->start->tell_state, told, text);
}

static void print_choice(char choice[static RJ_DRIVER_CHOICE_MAX], const teller_t *teller,
                         rj_transport_t asked, const rj_driver_world_t *world)
{
    const bool has_rings = world->ring_engine_count > 0;
    const char *why = "no interface is named or attached";
    if (has_rings)
        why = teller->chosen;
    else if (teller->refused[0] != '\0')
        why = teller->refused;
    else if (rj_transport_is_socket(asked))
        why = "asked for";
    snprintf(choice, RJ_DRIVER_CHOICE_MAX, "%s: %.480s",
             rj_transport_name(has_rings ? asked == RJ_TRANSPORT_AUTO ? RJ_TRANSPORT_XDP : asked
                                         : world->socket_transport),
             why);
}

/* --- start --- */

static int64_t mono_ns(const rj_driver_start_t *start)
{
    return start->mono_ns != NULL ? start->mono_ns() : rj_clock_mono_ns();
}

static int64_t epoch_ms(const rj_driver_start_t *start)
{
    return start->epoch_ns != NULL ? start->epoch_ns() / 1000000 : rj_clock_epoch_ms();
}

static bool is_interrupted(const rj_driver_start_t *start)
{
    return start->is_interrupted != NULL && start->is_interrupted(start->is_interrupted_state);
}

/* Waits in real time, whatever clock the driver will have: another process is about to move. */
static int prepare_directory(const rj_driver_config_t *config, const rj_driver_start_t *start,
                             rj_err_t *err)
{
    const int64_t give_up_ns = rj_clock_mono_ns() + config->driver_timeout_ms * 1000000;
    for (;;) {
        const bool has_waited = rj_clock_mono_ns() >= give_up_ns;
        const int result = rj_driver_prepare_dir(
            config, epoch_ms(start), has_waited ? RJ_DIR_HAS_WAITED : RJ_DIR_MAY_WAIT, err);
        if (result != -EAGAIN || has_waited)
            return result;
        if (is_interrupted(start))
            return rj_fail(err, -EINTR, "interrupted");
        rj_clock_sleep_ns(DIRECTORY_POLL_NS);
    }
}

int rj_driver_start(rj_driver_t **ret_driver, const rj_driver_config_t *config,
                    const rj_driver_start_t *start, char choice[static RJ_DRIVER_CHOICE_MAX],
                    rj_err_t *err)
{
    rj_driver_world_t world;
    teller_t teller = {.start = start};
    /* Others on this host measure the life of a driver with rings by the system's clock. */
    const rj_transport_t asked = config->transport;
    rj_driver_config_t socket_config;
    rj_socket_kind_t kind;
    int result = 0;
    if (start->mono_ns != NULL && !rj_transport_is_socket(asked)) {
        socket_config = *config;
        result = rj_socket_kind_choose(&kind, RJ_TRANSPORT_AUTO, err);
        socket_config.transport = kind.transport;
        config = &socket_config;
    }
    const rj_kernel_world_params_t params = {.config = config,
                                             .attach = start->attach,
                                             .privilege = start->privilege,
                                             .now_ns = mono_ns(start),
                                             .tell = tell,
                                             .tell_state = &teller};
    if (result == 0)
        result = rj_driver_check(config, rj_sockets_kernel(), start->warnings, err);
    if (result == 0)
        result = prepare_directory(config, start, err);
    if (result == 0)
        result = rj_driver_kernel_world(&world, &params, err);
    if (result < 0)
        return result;
    print_choice(choice, &teller, asked, &world);
    world.wake_helper = start->wake_helper;
    world.wake_helper_state = start->wake_helper_state;
    world.choice = choice;
    if (start->mono_ns != NULL)
        world.mono_ns = start->mono_ns;
    if (start->epoch_ns != NULL)
        world.epoch_ns = start->epoch_ns;
    return rj_driver_open(ret_driver, config, &world, epoch_ms(start), err);
}
