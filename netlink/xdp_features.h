/* SPDX-License-Identifier: Apache-2.0 */
/* xdp_features.h - what an interface's driver says that it can do with XDP.
 *
 * Units      none.
 * Ownership  a plain value.
 * Thread     any; interfaces are those of the caller's network namespace.
 * Errors     negative errno: -ENOENT where the kernel has nobody to ask (before 6.3).
 */
#ifndef RJ_NETLINK_XDP_FEATURES_H
#define RJ_NETLINK_XDP_FEATURES_H

#include <stdint.h>

/* Bits of the answer, as the kernel numbers them. */
enum {
    RJ_XDP_CAN_RUN = 1 << 0, /* programs in native mode */
    RJ_XDP_CAN_REDIRECT = 1 << 1,
    RJ_XDP_CAN_RECEIVE_REDIRECTED = 1 << 2,
    RJ_XDP_CAN_ZERO_COPY = 1 << 3,
    RJ_XDP_CAN_RUN_FRAGS = 1 << 5, /* frames in several buffers */
};

int rj_xdp_features_read(uint32_t interface_index, uint64_t *ret_features);

#endif
