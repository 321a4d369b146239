/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "transport/udp_mmsg.h"

typedef struct port_kind {
    const char *name;
    int (*open)(const rj_port_params_t *params, rj_port_t **ret_port, rj_err_t *err);
} port_kind_t;

static const port_kind_t kinds[] = {
    {"socket", rj_udp_mmsg_open},
};

enum { KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]) };

static int fail_unknown(const char *name, rj_err_t *err)
{
    char known[128] = "";
    size_t used = 0;
    for (size_t i = 0; i < KIND_COUNT && used < sizeof(known); i++)
        used += (size_t)snprintf(known + used, sizeof(known) - used, " %s", kinds[i].name);
    return rj_fail(err, -ENOENT, "transport %s: no such transport; there are:%s", name, known);
}

int rj_port_open(const char *name, const rj_port_params_t *params, rj_port_t **ret_port,
                 rj_err_t *err)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(kinds[i].name, name) != 0)
            continue;
        const int result = kinds[i].open(params, ret_port, err);
        if (result < 0)
            rj_err_context(err, "transport %s: ", name);
        return result;
    }
    return fail_unknown(name, err);
}
