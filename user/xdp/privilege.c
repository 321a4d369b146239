/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
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
    bool can_load = has(data, CAP_BPF) || has(data, CAP_SYS_ADMIN);
    bool can_attach = has(data, CAP_NET_ADMIN);
    if (can_load && can_attach)
        return 0;
    return rj_fail(err, -EPERM, "needs %s%s%s: run as root", can_attach ? "" : "CAP_NET_ADMIN",
                   can_attach || can_load ? "" : " and ", can_load ? "" : "CAP_BPF");
}
