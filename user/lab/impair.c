/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/impair.h"

#include "lab/netns.h"
#include "lab/offload.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>

enum { ETHERNET_BYTES = 18 }; /* header and one tag */

_Static_assert((int)RJ_LAB_HOSTS_MAX == (int)RJ_IMPAIR_HOSTS_MAX, "hosts of lab and of program");

bool rj_lab_directions_have(const rj_lab_directions_t *directions, int host_count, int source,
                            int destination)
{
    uint32_t others = ((1u << (host_count + 1)) - 2) & ~(1u << source);
    if ((directions->sources & 1u << source) == 0)
        return false;
    if (source != destination)
        return (directions->destinations & 1u << destination) != 0;
    return (directions->destinations & others) == others;
}

static int enter_wire(rj_netns_t *netns, const rj_lab_shape_t *shape, rj_err_t *err)
{
    char namespace[RJ_LAB_NAMESPACE_MAX];
    if (shape->topology == RJ_LAB_DIRECT)
        return rj_fail(err, -EOPNOTSUPP,
                       "lab %s is direct and has no wire: make it without --direct", shape->name);
    rj_lab_namespace(shape->name, RJ_LAB_WIRE, namespace);
    return rj_netns_enter(netns, namespace, err);
}

static int find_ports(int host_count, uint32_t ports[static RJ_IMPAIR_HOSTS_MAX], rj_err_t *err)
{
    for (int host = 1; host <= host_count; host++) {
        char name[16];
        snprintf(name, sizeof(name), "h%d", host);
        ports[host - 1] = if_nametoindex(name);
        if (ports[host - 1] == 0)
            return rj_fail(err, -ENODEV, "the wire has no port %s: make the lab anew", name);
    }
    return 0;
}

static int set_offloads(const rj_lab_shape_t *shape, rj_lab_offload_t offload, rj_err_t *err)
{
    int code = 0;
    for (int host = 1; code == 0 && host <= shape->host_count; host++) {
        char namespace[RJ_LAB_NAMESPACE_MAX];
        rj_netns_t netns;
        rj_lab_namespace(shape->name, host, namespace);
        code = rj_netns_enter(&netns, namespace, err);
        if (code != 0)
            break;
        code = rj_lab_offload_set("eth0", offload, err);
        rj_netns_leave(&netns);
        if (code != 0)
            rj_err_context(err, "%s: ", namespace);
    }
    return code;
}

/* The settings there are now, or none. */
static int read_configs(rj_impair_setup_t *setup, rj_err_t *err)
{
    rj_impair_view_t view;
    int code = rj_impair_read(setup->ports[0], &view, err);
    if (code == -ENOENT)
        return 0;
    for (size_t i = 0; code == 0 && i < RJ_IMPAIR_DIRECTIONS_MAX; i++)
        setup->configs[i] = view.configs[i];
    return code;
}

static int attach_in_wire(const rj_lab_shape_t *shape, const rj_lab_directions_t *directions,
                          const struct rj_impair_config *config, rj_err_t *err)
{
    rj_impair_setup_t setup = {.frame_bytes_max = (uint32_t)shape->mtu_bytes + ETHERNET_BYTES};
    int code = find_ports(shape->host_count, setup.ports, err);
    if (code == 0)
        code = read_configs(&setup, err);
    if (code != 0)
        return code;
    for (int source = 1; source <= shape->host_count; source++)
        for (int destination = 1; destination <= shape->host_count; destination++)
            if (rj_lab_directions_have(directions, shape->host_count, source, destination))
                setup.configs[rj_impair_direction((uint32_t)source, (uint32_t)destination)] =
                    *config;
    return rj_impair_attach(&setup, err);
}

/* Single datagrams with whole sums first, so that the program never sees anything else. */
int rj_lab_impair_set(const rj_lab_shape_t *shape, const rj_lab_directions_t *directions,
                      const struct rj_impair_config *config, rj_err_t *err)
{
    rj_netns_t netns;
    rj_err_t other;
    int code = enter_wire(&netns, shape, err);
    if (code != 0)
        return code;
    rj_netns_leave(&netns);
    code = set_offloads(shape, RJ_LAB_OFFLOAD_OFF, err);
    if (code == 0)
        code = enter_wire(&netns, shape, err);
    if (code == 0) {
        code = attach_in_wire(shape, directions, config, err);
        rj_netns_leave(&netns);
    }
    if (code != 0) {
        rj_impair_view_t view;
        if (rj_lab_impair_look(shape, &view, &other) == -ENOENT)
            set_offloads(shape, RJ_LAB_OFFLOAD_ON, &other);
    }
    return code;
}

int rj_lab_impair_off(const rj_lab_shape_t *shape, rj_err_t *err)
{
    uint32_t ports[RJ_IMPAIR_HOSTS_MAX] = {0};
    rj_netns_t netns;
    int code = enter_wire(&netns, shape, err);
    if (code != 0)
        return code;
    code = find_ports(shape->host_count, ports, err);
    for (int i = 0; code == 0 && i < shape->host_count; i++)
        code = rj_impair_detach(ports[i], err);
    rj_netns_leave(&netns);
    return code != 0 ? code : set_offloads(shape, RJ_LAB_OFFLOAD_ON, err);
}

int rj_lab_impair_look(const rj_lab_shape_t *shape, rj_impair_view_t *ret_view, rj_err_t *err)
{
    uint32_t ports[RJ_IMPAIR_HOSTS_MAX] = {0};
    rj_netns_t netns;
    int code = enter_wire(&netns, shape, err);
    if (code != 0)
        return code;
    code = find_ports(shape->host_count, ports, err);
    if (code == 0)
        code = rj_impair_read(ports[0], ret_view, err);
    rj_netns_leave(&netns);
    return code;
}
