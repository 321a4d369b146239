/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/udp_mmsg.h"

#include "transport/udp_port.h"

int rj_udp_mmsg_open(const rj_port_params_t *params, rj_port_t **ret_port, rj_err_t *err)
{
    static const rj_udp_kind_t kind = {.name = "socket"};
    return rj_udp_port_open(&kind, params, ret_port, err);
}
