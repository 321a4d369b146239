/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/kernel_world.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "name/interfaces.h"
#include "transport/registry.h"

static int open_port(void *state, int index, const rj_port_params_t *params, rj_port_t **ret_port,
                     rj_err_t *err)
{
    (void)index;
    const char *const *kind = state;
    return rj_port_open(*kind, params, ret_port, err);
}

int rj_driver_kernel_world(rj_driver_world_t *ret_world, const char *transport, rj_err_t *err)
{
    static rj_resolver_t resolver;
    static const char *kind;
    kind = transport;
    rj_resolver_system_init(&resolver);
    rj_driver_world_t world = {.sockets = rj_sockets_kernel(),
                               .resolver = &resolver,
                               .read_interfaces = rj_interfaces_read,
                               .mono_ns = rj_clock_mono_ns,
                               .open_port = open_port,
                               .open_port_state = &kind,
                               .pid = getpid()};
    if (getrandom(&world.seed, sizeof(world.seed), 0) != (ssize_t)sizeof(world.seed))
        return rj_fail(err, -errno, "no random numbers from the kernel: %s", strerror(errno));
    *ret_world = world;
    return 0;
}
