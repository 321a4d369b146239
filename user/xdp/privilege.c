/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool has(const struct __user_cap_data_struct data[static 2], unsigned capability)
{
    return (data[capability / 32].effective & 1u << capability % 32) != 0;
}

int rj_privilege_check(rj_err_t *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    if (syscall(SYS_capget, &header, data) != 0)
        return 0; /* the kernel will say it */
    /* The older, wider one stands for both of the newer. */
    bool is_admin = has(data, CAP_SYS_ADMIN);
    const char *missing[] = {has(data, CAP_NET_ADMIN) ? NULL : "CAP_NET_ADMIN",
                             is_admin || has(data, CAP_BPF) ? NULL : "CAP_BPF",
                             is_admin || has(data, CAP_PERFMON) ? NULL : "CAP_PERFMON"};
    char text[64] = "";
    for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
        size_t length = strlen(text);
        if (missing[i] != NULL)
            snprintf(text + length, sizeof(text) - length, "%s%s", length == 0 ? "" : ", ",
                     missing[i]);
    }
    return text[0] == '\0' ? 0 : rj_fail(err, -EPERM, "needs %s: run as root", text);
}
