/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "transport/dpdk.h"
#include "transport/udp_gso.h"
#include "transport/udp_mmsg.h"
#include "transport/uring.h"

typedef struct port_kind {
    const char *name;
    /* NULL: rings, which need more than this. */
    int (*open)(const rj_port_params_t *params, rj_port_t **ret_port, rj_err_t *err);
} port_kind_t;

static const char dpdk[] = "dpdk";

static const port_kind_t kinds[] = {
    {"socket", rj_udp_mmsg_open},
    {"gso", rj_udp_gso_open},
    {"uring", rj_uring_open},
    {"packet", NULL},
    {"xdp", NULL},
    {dpdk, NULL},
};

enum { KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]) };

static bool is_here(const port_kind_t *kind)
{
    return kind->name != dpdk || rj_dpdk_is_linked();
}

static const port_kind_t *find(const char *name)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return is_here(&kinds[i]) ? &kinds[i] : NULL;
    return NULL;
}

static int fail_unknown(const char *name, rj_err_t *err)
{
    char known[128] = "";
    size_t used = 0;
    for (size_t i = 0; i < KIND_COUNT && used < sizeof(known); i++)
        if (is_here(&kinds[i]))
            used += (size_t)snprintf(known + used, sizeof(known) - used, " %s", kinds[i].name);
    return rj_fail(err, -ENOENT, "transport %s: not built into this program%s; there are:%s", name,
                   strcmp(name, dpdk) == 0 ? " (`make deps GROUP=dpdk && make DPDK=1`)" : "",
                   known);
}

int rj_port_check_built_in(const char *name, rj_err_t *err)
{
    return find(name) != NULL ? 0 : fail_unknown(name, err);
}

int rj_port_open(const char *name, const rj_port_params_t *params, rj_port_t **ret_port,
                 rj_err_t *err)
{
    const port_kind_t *kind = find(name);
    if (kind == NULL)
        return fail_unknown(name, err);
    if (kind->open == NULL)
        return rj_fail(err, -EINVAL, "transport %s: its rings are opened one by one", name);
    const int result = kind->open(params, ret_port, err);
    return result < 0 ? rj_err_context(err, "transport %s: ", name) : result;
}
