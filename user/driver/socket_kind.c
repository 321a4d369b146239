/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/socket_kind.h"

#include "transport/registry.h"

/* Opening a port is how each kind asks the kernel; the smallest one is as good as any. */
static int try_kind(rj_transport_t transport, rj_err_t *err)
{
    static const rj_port_params_t least = {.receive_batch = 1, .endpoint_max = 1};
    rj_port_t *port;
    const int result = rj_port_open(rj_transport_name(transport), &least, &port, err);
    if (result == 0)
        port->ops->close(port);
    return result;
}

int rj_socket_kind_choose(rj_socket_kind_t *ret_kind, rj_transport_t asked, rj_err_t *err)
{
    rj_socket_kind_t kind = {.transport = RJ_TRANSPORT_SOCKET};
    if (rj_transport_is_socket(asked)) {
        kind.transport = asked;
        const int result = try_kind(asked, err);
        if (result < 0)
            return result;
    } else if (asked == RJ_TRANSPORT_AUTO || asked == RJ_TRANSPORT_XDP) {
        if (try_kind(RJ_TRANSPORT_GSO, &kind.lack) == 0)
            kind.transport = RJ_TRANSPORT_GSO;
    }
    *ret_kind = kind;
    return 0;
}
