/* SPDX-License-Identifier: Apache-2.0 */
/* nic.h - what a driver asks of a network card: ethtool commands, and the knobs of its queues.
 *
 * Two kinds: the kernel's, below, and the tests' made-up cards.
 *
 * Units      as linux/ethtool.h and sysfs have them.
 * Ownership  the caller owns the struct.
 * Thread     one caller at a time. The kernel's is opened by a thread that is in the interface's
 *            network namespace, and means that interface from then on.
 * Errors     negative errno: -EOPNOTSUPP what the card or its driver does not do, -EPERM without
 *            CAP_NET_ADMIN.
 */
#ifndef RJ_NIC_NIC_H
#define RJ_NIC_NIC_H

#include <net/if.h>
#include <stdint.h>

#include "base/err.h"

typedef struct rj_nic rj_nic_t;

typedef struct rj_nic_ops {
    /* `command` begins with the number of the command, as ETHTOOL_GRXCLSRLCNT; what the kernel
     * answers is written over it. */
    int (*ethtool)(rj_nic_t *nic, void *command);
    /* A number in /sys/class/net/<interface>/. -ENOENT where the kernel has no such knob. */
    int (*get_knob)(rj_nic_t *nic, const char *knob, int64_t *ret_value);
    int (*set_knob)(rj_nic_t *nic, const char *knob, int64_t value);
} rj_nic_ops_t;

struct rj_nic {
    const rj_nic_ops_t *ops;
};

typedef struct rj_kernel_nic {
    rj_nic_t base;
    char interface[IF_NAMESIZE];
    int socket;   /* -1 when closed */
    int knobs_fd; /* the interface's directory in sysfs; negative errno: not to be had */
} rj_kernel_nic_t;

/* Without a sight of sysfs it works as well, knobs aside: their calls say why. */
int rj_kernel_nic_open(rj_kernel_nic_t *nic, const char *interface, rj_err_t *err);

/* Safe on a closed one, and on one that is all zeros. */
void rj_kernel_nic_close(rj_kernel_nic_t *nic);

#endif
