/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "transport/udp_mmsg.h"
#include "transport/uring.h"

typedef struct port_kind {
    const char *name;
    /* NULL: rings, which need more than this. */
    int (*open)(const rj_port_params_t *params, rj_port_t **ret_port, rj_err_t *err);
} port_kind_t;

static const port_kind_t kinds[] = {
    {"socket", rj_udp_mmsg_open},
    {"uring", rj_uring_open},
    {"xdp", NULL},
};

enum { KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]) };

static const port_kind_t *find(const char *name)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

static int fail_unknown(const char *name, rj_err_t *err)
{
    char known[128] = "";
    size_t used = 0;
    for (size_t i = 0; i < KIND_COUNT && used < sizeof(known); i++)
        used += (size_t)snprintf(known + used, sizeof(known) - used, " %s", kinds[i].name);
    return rj_fail(err, -ENOENT, "transport %s: not built into this program; there are:%s", name,
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
