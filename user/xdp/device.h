/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - what matters to XDP about an interface.
 *
 * Units      in the names.
 * Ownership  a plain value.
 * Thread     any; names are looked up in the caller's network namespace.
 * Errors     negative errno and one line; -ENODEV when there is no such interface, -EOPNOTSUPP when
 *            its frames have no Ethernet header.
 */
#ifndef RJ_XDP_DEVICE_H
#define RJ_XDP_DEVICE_H

#include "base/err.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

enum { RJ_DEVICE_DRIVER_MAX = 32 };

typedef struct rj_device {
    char name[IF_NAMESIZE];
    uint32_t index;
    uint8_t mac[6];
    int mtu_bytes;
    uint32_t queue_count;              /* receive queues; 1 where nobody tells */
    char driver[RJ_DEVICE_DRIVER_MAX]; /* "veth", "ice", ...; empty where nobody tells */
} rj_device_t;

int rj_device_look(const char *name, rj_device_t *ret_device, rj_err_t *err);

bool rj_device_is_veth(const rj_device_t *device);

#endif
