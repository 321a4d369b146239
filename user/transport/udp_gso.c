/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/udp_gso.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/udp_port.h"

/* Both are asked for, as they will be used; 0 cuts nothing. */
static int ask_socket(int fd, rj_err_t *err)
{
    static const int none = 0;
    static const int on = 1;
    if (setsockopt(fd, SOL_UDP, UDP_SEGMENT, &none, sizeof(none)) < 0)
        return rj_fail(err, -EOPNOTSUPP,
                       "this kernel cuts no messages into datagrams (UDP_SEGMENT: %s); use socket",
                       strerrordesc_np(errno));
    if (setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on)) < 0)
        return rj_fail(err, -EOPNOTSUPP,
                       "this kernel merges no datagrams (UDP_GRO: %s); use socket",
                       strerrordesc_np(errno));
    return 0;
}

static int ask_kernel(rj_err_t *err)
{
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return rj_fail(err, -errno, "socket: %s", strerrordesc_np(errno));
    const int result = ask_socket(fd, err);
    close(fd);
    return result;
}

int rj_udp_gso_open(const rj_port_params_t *params, rj_port_t **ret_port, rj_err_t *err)
{
    static const rj_udp_kind_t kind = {.name = "gso", .cuts = true, .merges = true};
    const int result = ask_kernel(err);
    return result < 0 ? result : rj_udp_port_open(&kind, params, ret_port, err);
}
