/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/driver_start.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
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

int rj_driver_settle(rj_driver_config_t *config, rj_err_t *err)
{
    int result = make_absolute(config, err);
    return result == 0 ? rj_config_check(config, err) : result;
}

static int prepare_directory(const rj_driver_config_t *config, const rj_driver_start_t *start,
                             rj_err_t *err)
{
    int64_t give_up_ns = rj_clock_mono_ns() + config->driver_timeout_ms * 1000000;
    for (;;) {
        bool has_waited = rj_clock_mono_ns() >= give_up_ns;
        int result = rj_driver_prepare_dir(config, rj_clock_epoch_ms(),
                                           has_waited ? RJ_DIR_HAS_WAITED : RJ_DIR_MAY_WAIT, err);
        if (result != -EAGAIN || has_waited)
            return result;
        if (start->is_interrupted())
            return rj_fail(err, -EINTR, "interrupted");
        rj_clock_sleep_ns(DIRECTORY_POLL_NS);
    }
}

/* What was asked for and refused is trouble, and belongs on stderr; what was chosen is not. */
static void tell(void *state, rj_ring_told_t told, const char *text)
{
    const rj_driver_start_t *start = state;
    if (told == RJ_RING_REFUSED)
        fprintf(stderr, "WARNING: %s\n", text);
    else if (!start->is_quiet)
        printf("%s\n", text);
}

int rj_driver_start(rj_driver_t **ret_driver, const rj_driver_config_t *config,
                    const rj_driver_start_t *start, rj_err_t *err)
{
    rj_driver_world_t world;
    const rj_kernel_world_params_t params = {.config = config,
                                             .attach = start->attach,
                                             .privilege = start->privilege,
                                             .tell = tell,
                                             .tell_state = (void *)(uintptr_t)start};
    int result = rj_driver_check(config, rj_sockets_kernel(), stderr, err);
    if (result == 0)
        result = prepare_directory(config, start, err);
    if (result == 0)
        result = rj_driver_kernel_world(&world, &params, err);
    if (result < 0)
        return result;
    world.wake_helper = start->wake_helper;
    world.wake_helper_state = start->wake_helper_state;
    return rj_driver_open(ret_driver, config, &world, rj_clock_epoch_ms(), err);
}
