/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/dpdk.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>

#include "dpdk/dpdk_port.h"
#include "dpdk/dpdk_ring.h"
#include "dpdk/eal.h"

enum { PORTS_MAX = 8 };

struct rj_dpdk {
    rj_dpdk_port_t ports[PORTS_MAX];
    uint32_t count;
};

static void open_port(rj_dpdk_t *dpdk, const rj_dpdk_params_t *params, uint16_t id, uint32_t number)
{
    char tap_name[IFNAMSIZ];
    rj_err_t err;
    snprintf(tap_name, sizeof(tap_name), "rjdpdk%u", number);
    const bool is_named = number < params->interface_count;
    const rj_dpdk_port_params_t port_params = {.id = id,
                                               .queue_count = params->queue_count,
                                               .tap_name = is_named ? params->interfaces[number]
                                                                    : tap_name};
    if (rj_dpdk_port_open(&dpdk->ports[dpdk->count], &port_params, &err) == 0)
        dpdk->count++;
    else
        params->tell(params->tell_state, err.text);
}

static int open_ports(rj_dpdk_t *dpdk, const rj_dpdk_params_t *params, rj_err_t *err)
{
    uint32_t number = 0;
    /* Ports that belong to another one, as those of a bond, are not ours to use. */
    for (uint64_t id = rte_eth_find_next_owned_by(0, RTE_ETH_DEV_NO_OWNER);
         id < RTE_MAX_ETHPORTS && dpdk->count < PORTS_MAX;
         id = rte_eth_find_next_owned_by((uint16_t)(id + 1), RTE_ETH_DEV_NO_OWNER))
        open_port(dpdk, params, (uint16_t)id, number++);
    if (number == 0)
        return rj_fail(err, -ENODEV,
                       "DPDK has no port: bind a card to vfio-pci (`dpdk-devbind.py -b vfio-pci "
                       "CARD`) or name a --vdev in --dpdk-args");
    return dpdk->count > 0 ? 0 : rj_fail(err, -ENODEV, "none of DPDK's ports can be used");
}

static void close_dpdk(rj_dpdk_t *dpdk)
{
    for (uint32_t i = 0; i < dpdk->count; i++)
        rj_dpdk_port_close(&dpdk->ports[i]);
    rj_eal_close();
    free(dpdk);
}

static int open_dpdk(rj_dpdk_t **ret_dpdk, const rj_dpdk_params_t *params, rj_err_t *err)
{
    rj_dpdk_t *dpdk = calloc(1, sizeof(*dpdk));
    if (dpdk == NULL)
        return rj_fail(err, -ENOMEM, "no memory for DPDK's ports");
    int result = rj_eal_open(params->arguments, err);
    if (result < 0)
        (void)rj_err_context(err, "DPDK does not start: ");
    else
        result = open_ports(dpdk, params, err);
    if (result < 0) {
        close_dpdk(dpdk);
        return result;
    }
    *ret_dpdk = dpdk;
    return 0;
}

static uint32_t port_count(const rj_dpdk_t *dpdk)
{
    return dpdk->count;
}

static void view(rj_dpdk_t *dpdk, uint32_t index, rj_dpdk_view_t *ret_view)
{
    rj_dpdk_port_t *port = &dpdk->ports[index];
    *ret_view = (rj_dpdk_view_t){.name = port->name,
                                 .interface_name = port->interface_name,
                                 .interface_index = port->interface_index,
                                 .mtu_bytes = port->mtu_bytes,
                                 .queue_count = port->queue_count,
                                 .has_tap = port->tap.fd >= 0,
                                 .maps = &port->steering.maps};
}

static int open_ring(rj_dpdk_t *dpdk, uint32_t index, uint32_t queue, rj_frame_ring_t **ret_ring,
                     rj_err_t *err)
{
    return rj_dpdk_ring_open(ret_ring, &dpdk->ports[index], queue, err);
}

const rj_dpdk_ops_t rj_dpdk_ops = {.open = open_dpdk,
                                   .close = close_dpdk,
                                   .port_count = port_count,
                                   .view = view,
                                   .open_ring = open_ring};
