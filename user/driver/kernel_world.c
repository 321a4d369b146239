/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/kernel_world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "name/interfaces.h"
#include "transport/registry.h"

typedef struct kernel_world {
    rj_resolver_t resolver;
    rj_socket_kind_t sockets;
    rj_ring_world_t *rings; /* NULL: sockets only */
    rj_steering_params_t steering;
} kernel_world_t;

static int open_port(void *state, int index, const rj_port_params_t *params, rj_port_t **ret_port,
                     rj_err_t *err)
{
    kernel_world_t *self = state;
    if (self->rings == NULL)
        return rj_port_open(rj_transport_name(self->sockets.transport), params, ret_port, err);
    *ret_port = rj_ring_world_take_port(self->rings, index);
    return 0;
}

static void close_world(void *state)
{
    kernel_world_t *self = state;
    rj_ring_world_close(self->rings);
    free(self);
}

static int open_rings(kernel_world_t *self, const rj_kernel_world_params_t *params,
                      rj_driver_world_t *world, rj_err_t *err)
{
    const rj_ring_world_params_t ring_params = {
        .config = params->config,
        .sockets = self->sockets.transport,
        .port = rj_driver_port_params(params->config, RJ_ENGINE_BOTH),
        .attach = params->attach,
        .privilege = params->privilege,
        .now_ns = params->now_ns,
        .tell = params->tell,
        .tell_state = params->tell_state};
    const int result = rj_ring_world_open(&self->rings, &ring_params, err);
    if (result < 0)
        return result;
    world->ring_engine_count = rj_ring_world_engine_count(self->rings);
    if (world->ring_engine_count == 0) {
        rj_ring_world_close(self->rings);
        self->rings = NULL;
        return 0;
    }
    rj_ring_world_steering(self->rings, &self->steering);
    self->steering.pid = (uint32_t)world->pid;
    world->steering = &self->steering;
    world->feed = rj_ring_world_feed(self->rings);
    world->rings = self->rings;
    world->ring_transport = params->config->transport == RJ_TRANSPORT_AUTO
                                ? RJ_TRANSPORT_XDP
                                : params->config->transport;
    return 0;
}

/* What a kind of ring lacks is told by those who look for rings; that a program has no such kind at
 * all is no reason to use another. */
static int choose_kinds(kernel_world_t *self, const rj_kernel_world_params_t *params, rj_err_t *err)
{
    const rj_transport_t asked = params->config->transport;
    int result =
        asked == RJ_TRANSPORT_AUTO ? 0 : rj_port_check_built_in(rj_transport_name(asked), err);
    return result == 0 ? rj_socket_kind_choose(&self->sockets, asked, err) : result;
}

int rj_driver_kernel_world(rj_driver_world_t *ret_world, const rj_kernel_world_params_t *params,
                           rj_err_t *err)
{
    kernel_world_t *self = calloc(1, sizeof(*self));
    if (self == NULL)
        return rj_fail(err, -ENOMEM, "out of memory");
    rj_resolver_system_init(&self->resolver);
    rj_driver_world_t world = {.sockets = rj_sockets_kernel(),
                               .resolver = &self->resolver,
                               .open_gossip_wire = rj_gossip_socket_open,
                               .read_interfaces = rj_interfaces_read,
                               .mono_ns = rj_clock_mono_ns,
                               .epoch_ns = rj_clock_epoch_ns,
                               .open_port = open_port,
                               .open_port_state = self,
                               .pid = getpid(),
                               .close = close_world,
                               .close_state = self};
    int result = 0;
    if (getrandom(&world.seed, sizeof(world.seed), 0) != (ssize_t)sizeof(world.seed))
        result = rj_fail(err, -errno, "no random numbers from the kernel: %s", strerror(errno));
    if (result == 0)
        result = choose_kinds(self, params, err);
    if (result == 0)
        result = open_rings(self, params, &world, err);
    if (result == 0 && self->sockets.lack.code < 0)
        params->tell(params->tell_state, RJ_RING_CHOSEN, self->sockets.lack.text);
    if (result < 0) {
        close_world(self);
        return result;
    }
    world.socket_transport = self->sockets.transport;
    *ret_world = world;
    return 0;
}
