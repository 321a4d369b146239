/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/lab.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_PREFIX "rj-"

int rj_lab_name_parse(const char *text, char ret_name[static RJ_LAB_NAME_MAX + 1], rj_err_t *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    const char *rest = text;
    if (strncmp(rest, NAME_PREFIX, strlen(NAME_PREFIX)) == 0)
        rest += strlen(NAME_PREFIX);
    size_t length = strlen(rest);
    if (length == 0 || length > RJ_LAB_NAME_MAX - strlen(NAME_PREFIX) ||
        strspn(rest, allowed) != length || rest[0] == '-')
        return rj_fail(err, -EINVAL,
                       "'%s' is no name for a lab: give 1 to %zu of a-z, 0-9 and -, as in rj-lab",
                       text, RJ_LAB_NAME_MAX - strlen(NAME_PREFIX));
    snprintf(ret_name, RJ_LAB_NAME_MAX + 1, NAME_PREFIX "%s", rest);
    return 0;
}

int rj_lab_host_parse(const char *text, int *ret_host, rj_err_t *err)
{
    if (strcmp(text, "wire") == 0) {
        *ret_host = RJ_LAB_WIRE;
        return 0;
    }
    for (int host = 1; host <= RJ_LAB_HOSTS_MAX; host++) {
        char name[8];
        snprintf(name, sizeof(name), "h%d", host);
        if (strcmp(text, name) == 0) {
            *ret_host = host;
            return 0;
        }
    }
    return rj_fail(err, -EINVAL, "'%s' is no host of a lab: give h1, h2, ... or wire", text);
}

void rj_lab_namespace(const char *lab, int host, char ret_namespace[static RJ_LAB_NAMESPACE_MAX])
{
    if (host == RJ_LAB_WIRE)
        snprintf(ret_namespace, RJ_LAB_NAMESPACE_MAX, "%s-wire", lab);
    else
        snprintf(ret_namespace, RJ_LAB_NAMESPACE_MAX, "%s-h%d", lab, host);
}
