/* SPDX-License-Identifier: Apache-2.0 */
#include "base/transport.h"

#include <errno.h>
#include <string.h>

static const char *const names[RJ_TRANSPORT_COUNT] = {
    [RJ_TRANSPORT_AUTO] = "auto",   [RJ_TRANSPORT_SOCKET] = "socket", [RJ_TRANSPORT_GSO] = "gso",
    [RJ_TRANSPORT_URING] = "uring", [RJ_TRANSPORT_PACKET] = "packet", [RJ_TRANSPORT_XDP] = "xdp",
    [RJ_TRANSPORT_DPDK] = "dpdk",
};

const char *rj_transport_name(rj_transport_t transport)
{
    return names[transport];
}

int rj_transport_parse(const char *text, rj_transport_t *ret_transport)
{
    for (int i = 0; i < RJ_TRANSPORT_COUNT; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_transport = (rj_transport_t)i;
            return 0;
        }
    }
    return -EINVAL;
}

bool rj_transport_is_ring(rj_transport_t transport)
{
    return transport >= RJ_TRANSPORT_PACKET && transport <= RJ_TRANSPORT_DPDK;
}

bool rj_transport_is_socket(rj_transport_t transport)
{
    return transport >= RJ_TRANSPORT_SOCKET && transport <= RJ_TRANSPORT_URING;
}
