/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/udp_socket.h"

#include <errno.h>
#include <string.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

/* More than any system grants; it cuts this to its maximum without complaint. */
enum { BUFFER_BYTES_UNLIMITED = 0x3fffffff };

/* Words the failure of the system call `what` on `address`; returns -errno. */
static int fail_call(rj_err_t *err, const char *what, const rj_address_t *address)
{
    const int code = errno;
    char text[RJ_ADDRESS_TEXT_BYTES];
    rj_address_print(address, text);
    const char *hint = code == EADDRINUSE ? " (choose another port, or end what holds it)" : "";
    return rj_fail(err, -code, "%s %s: %s%s", what, text, strerrordesc_np(code), hint);
}

static int set_buffer(int fd, int option, int32_t bytes)
{
    return bytes > 0 ? setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof(bytes)) : 0;
}

static int get_buffer(int fd, int option, int32_t *ret_bytes)
{
    socklen_t length = sizeof(*ret_bytes);
    return getsockopt(fd, SOL_SOCKET, option, ret_bytes, &length);
}

static int get_local(int fd, rj_address_t *ret_local)
{
    struct sockaddr_storage sockaddr;
    socklen_t length = sizeof(sockaddr);
    if (getsockname(fd, (struct sockaddr *)&sockaddr, &length) < 0)
        return -1;
    if (!rj_address_from_sockaddr(ret_local, (const struct sockaddr *)&sockaddr, length)) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return 0;
}

static int bind_to(int fd, const rj_address_t *address, rj_err_t *err)
{
    struct sockaddr_storage sockaddr;
    const socklen_t length = rj_address_to_sockaddr(address, &sockaddr);
    if (bind(fd, (const struct sockaddr *)&sockaddr, length) < 0)
        return fail_call(err, "failed to bind to address", address);
    return 0;
}

/* Several drivers of a machine, official ones too, hold the port of a group at a time. Only what
 * the socket itself joined is for it: the system would give it every group of the port. */
static int share_port(int fd, uint16_t family)
{
    static const int on = 1;
    static const int off = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
        return -1;
    const int result = family == AF_INET
                           ? setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof(off))
                           : setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &off, sizeof(off));
    return result < 0 && errno != ENOPROTOOPT ? -1 : 0;
}

static int join_ipv4(int fd, const rj_socket_group_t *group)
{
    struct ip_mreqn member = {.imr_ifindex = (int)group->interface_index};
    const int ttl = group->ttl;
    memcpy(&member.imr_multiaddr, group->address.bytes, sizeof(member.imr_multiaddr));
    memcpy(&member.imr_address, group->interface.bytes, sizeof(member.imr_address));
    if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &member, sizeof(member)) < 0 ||
        setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &member, sizeof(member)) < 0)
        return -1;
    return ttl > 0 ? setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof(ttl)) : 0;
}

static int join_ipv6(int fd, const rj_socket_group_t *group)
{
    struct ipv6_mreq member = {.ipv6mr_interface = group->interface_index};
    const int index = (int)group->interface_index;
    const int ttl = group->ttl;
    memcpy(&member.ipv6mr_multiaddr, group->address.bytes, sizeof(member.ipv6mr_multiaddr));
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &member, sizeof(member)) < 0 ||
        setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index)) < 0)
        return -1;
    return ttl > 0 ? setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &ttl, sizeof(ttl)) : 0;
}

static int join(int fd, const rj_socket_group_t *group, rj_err_t *err)
{
    const int result =
        group->address.family == AF_INET ? join_ipv4(fd, group) : join_ipv6(fd, group);
    if (result < 0)
        return fail_call(err, "join the multicast group", &group->address);
    return 0;
}

static int connect_to(int fd, const rj_address_t *address, rj_err_t *err)
{
    if (address->family == AF_UNSPEC)
        return 0;
    struct sockaddr_storage sockaddr;
    const socklen_t length = rj_address_to_sockaddr(address, &sockaddr);
    if (connect(fd, (const struct sockaddr *)&sockaddr, length) < 0)
        return fail_call(err, "connect", address);
    return 0;
}

/* The buffers come first, so that no datagram meets the small ones. The address is read last: as
 * Aeron, a connected socket shows the source address that the connect chose, not the wildcard
 * (tests/interop/look_at_counters.sh). */
static int set_up(int fd, const rj_socket_params_t *params, rj_socket_info_t *info, rj_err_t *err)
{
    if (set_buffer(fd, SO_SNDBUF, params->sndbuf_bytes) < 0 ||
        set_buffer(fd, SO_RCVBUF, params->rcvbuf_bytes) < 0 ||
        get_buffer(fd, SO_SNDBUF, &info->sndbuf_bytes) < 0 ||
        get_buffer(fd, SO_RCVBUF, &info->rcvbuf_bytes) < 0)
        return fail_call(err, "buffers of", &params->bind);
    static const int on = 1;
    info->has_media_time = params->wants_media_time &&
                           setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) == 0;
    const bool has_group = params->group.address.family != AF_UNSPEC;
    if (has_group && share_port(fd, params->bind.family) < 0)
        return fail_call(err, "sharing the port of", &params->bind);
    int result = bind_to(fd, &params->bind, err);
    if (result == 0 && has_group)
        result = join(fd, &params->group, err);
    if (result < 0)
        return result;
    result = connect_to(fd, &params->connect, err);
    if (result < 0)
        return result;
    if (get_local(fd, &info->local) < 0)
        return fail_call(err, "getsockname", &params->bind);
    info->socket = fd;
    return 0;
}

static int kernel_open(rj_sockets_t *sockets, const rj_socket_params_t *params,
                       rj_socket_info_t *ret_info, rj_err_t *err)
{
    (void)sockets;
    const int fd = socket(params->bind.family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail_call(err, "socket", &params->bind);
    rj_socket_info_t info;
    const int result = set_up(fd, params, &info, err);
    if (result < 0) {
        close(fd);
        return result;
    }
    *ret_info = info;
    return 0;
}

static void kernel_close(rj_sockets_t *sockets, int fd)
{
    (void)sockets;
    if (fd >= 0)
        close(fd);
}

/* Asked of a socket and not of /proc, which hides these settings from other network namespaces. */
static int read_defaults(int fd, int32_t *sndbuf, int32_t *rcvbuf, int32_t *sndbuf_max,
                         int32_t *rcvbuf_max)
{
    if (get_buffer(fd, SO_SNDBUF, sndbuf) < 0 || get_buffer(fd, SO_RCVBUF, rcvbuf) < 0 ||
        set_buffer(fd, SO_SNDBUF, BUFFER_BYTES_UNLIMITED) < 0 ||
        set_buffer(fd, SO_RCVBUF, BUFFER_BYTES_UNLIMITED) < 0 ||
        get_buffer(fd, SO_SNDBUF, sndbuf_max) < 0 || get_buffer(fd, SO_RCVBUF, rcvbuf_max) < 0)
        return -errno;
    return 0;
}

static int kernel_defaults(rj_sockets_t *sockets, int32_t *ret_sndbuf_bytes,
                           int32_t *ret_rcvbuf_bytes, int32_t *ret_sndbuf_bytes_max,
                           int32_t *ret_rcvbuf_bytes_max, rj_err_t *err)
{
    (void)sockets;
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return rj_fail(err, -errno, "socket: %s", strerrordesc_np(errno));
    int32_t sndbuf;
    int32_t rcvbuf;
    int32_t sndbuf_max;
    int32_t rcvbuf_max;
    const int result = read_defaults(fd, &sndbuf, &rcvbuf, &sndbuf_max, &rcvbuf_max);
    close(fd);
    if (result < 0)
        return rj_fail(err, result, "buffers of a socket: %s", strerrordesc_np(-result));
    *ret_sndbuf_bytes = sndbuf;
    *ret_rcvbuf_bytes = rcvbuf;
    *ret_sndbuf_bytes_max = sndbuf_max;
    *ret_rcvbuf_bytes_max = rcvbuf_max;
    return 0;
}

static uint32_t kernel_path_mtu(rj_sockets_t *sockets, int fd)
{
    (void)sockets;
    int domain = AF_UNSPEC;
    int mtu_bytes = 0;
    socklen_t length = sizeof(domain);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0)
        return 0;
    length = sizeof(mtu_bytes);
    const int result = domain == AF_INET
                           ? getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu_bytes, &length)
                           : getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu_bytes, &length);
    return result == 0 && mtu_bytes > 0 ? (uint32_t)mtu_bytes : 0;
}

static int connect_socket(int fd, const rj_address_t *address)
{
    struct sockaddr_storage sockaddr;
    const socklen_t length = rj_address_to_sockaddr(address, &sockaddr);
    return connect(fd, (const struct sockaddr *)&sockaddr, length) < 0 ? -errno : 0;
}

/* The system forgets a port that it chose itself together with the peer, so it is asked for again:
 * whoever got it in between has it, and this socket another. */
static int disconnect(int fd, const rj_address_t *local)
{
    static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    rj_address_t left;
    if (connect(fd, &nobody, sizeof(nobody)) < 0 || get_local(fd, &left) < 0)
        return -errno;
    if (left.port != 0)
        return 0;
    rj_address_t any = rj_address_wildcard(local->family);
    any.port = local->port;
    struct sockaddr_storage sockaddr;
    const socklen_t length = rj_address_to_sockaddr(&any, &sockaddr);
    const int result = bind(fd, (const struct sockaddr *)&sockaddr, length);
    return result < 0 && errno != EADDRINUSE ? -errno : 0;
}

static int kernel_reconnect(rj_sockets_t *sockets, int fd, bool is_anywhere,
                            const rj_address_t *address, rj_address_t *ret_local)
{
    (void)sockets;
    rj_address_t local;
    rj_address_t old;
    struct sockaddr_storage peer;
    socklen_t length = sizeof(peer);
    if (get_local(fd, &local) < 0 || getpeername(fd, (struct sockaddr *)&peer, &length) < 0)
        return -errno;
    if (!rj_address_from_sockaddr(&old, (const struct sockaddr *)&peer, length) ||
        address->family != local.family)
        return -EAFNOSUPPORT;
    int result = is_anywhere ? disconnect(fd, &local) : 0;
    if (result == 0)
        result = connect_socket(fd, address);
    if (result < 0) {
        (void)connect_socket(fd, &old);
        return result;
    }
    return get_local(fd, ret_local) < 0 ? -errno : 0;
}

static const rj_sockets_ops_t kernel_ops = {
    .open = kernel_open,
    .close = kernel_close,
    .defaults = kernel_defaults,
    .path_mtu = kernel_path_mtu,
    .reconnect = kernel_reconnect,
};

rj_sockets_t *rj_sockets_kernel(void)
{
    static rj_sockets_t kernel = {.ops = &kernel_ops};
    return &kernel;
}
