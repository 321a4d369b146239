/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/udp_socket.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

static const uint8_t loopback[4] = {127, 0, 0, 1};

static rj_socket_params_t on_loopback(uint16_t port)
{
    return (rj_socket_params_t){.bind = rj_address_ipv4(loopback, port)};
}

static rj_socket_info_t open_socket(const rj_socket_params_t *params)
{
    rj_sockets_t *sockets = rj_sockets_kernel();
    rj_socket_info_t info;
    rj_err_t err;
    cr_assert_eq(sockets->ops->open(sockets, params, &info, &err), 0, "%s", err.text);
    return info;
}

static void close_socket(const rj_socket_info_t *info)
{
    rj_sockets_kernel()->ops->close(rj_sockets_kernel(), info->socket);
}

Test(udp_socket, tells_the_port_that_the_system_chose)
{
    const rj_socket_params_t params = on_loopback(0);
    const rj_socket_info_t info = open_socket(&params);
    cr_assert_neq(info.local.port, 0);
    cr_assert_eq(info.local.family, AF_INET);
    cr_assert_arr_eq(info.local.bytes, loopback, 4);
    close_socket(&info);
}

Test(udp_socket, does_not_block_and_is_not_inherited)
{
    const rj_socket_params_t params = on_loopback(0);
    const rj_socket_info_t info = open_socket(&params);
    cr_assert(fcntl(info.socket, F_GETFL) & O_NONBLOCK);
    cr_assert(fcntl(info.socket, F_GETFD) & FD_CLOEXEC);
    close_socket(&info);
}

Test(udp_socket, says_who_holds_a_port_that_is_in_use)
{
    const rj_socket_params_t first = on_loopback(0);
    const rj_socket_info_t held = open_socket(&first);
    const rj_socket_params_t second = on_loopback(held.local.port);
    rj_sockets_t *sockets = rj_sockets_kernel();
    rj_socket_info_t info = {.socket = -7};
    rj_err_t err;
    cr_assert_eq(sockets->ops->open(sockets, &second, &info, &err), -EADDRINUSE);
    char address[RJ_ADDRESS_TEXT_BYTES];
    rj_address_print(&held.local, address);
    cr_assert_not_null(strstr(err.text, address), "%s", err.text);
    cr_assert_not_null(strstr(err.text, "Address already in use"), "%s", err.text);
    cr_assert_eq(info.socket, -7, "results are written on success only");
    close_socket(&held);
}

Test(udp_socket, refuses_an_address_that_is_not_ours)
{
    static const uint8_t foreign[4] = {192, 0, 2, 1};
    const rj_socket_params_t params = {.bind = rj_address_ipv4(foreign, 0)};
    rj_sockets_t *sockets = rj_sockets_kernel();
    rj_socket_info_t info;
    rj_err_t err;
    cr_assert_eq(sockets->ops->open(sockets, &params, &info, &err), -EADDRNOTAVAIL);
    cr_assert_not_null(strstr(err.text, "192.0.2.1"), "%s", err.text);
}

Test(udp_socket, shows_the_address_that_the_connect_chose)
{
    rj_socket_params_t params = {.bind = rj_address_wildcard(AF_INET),
                                 .connect = rj_address_ipv4(loopback, 4)};
    const rj_socket_info_t info = open_socket(&params);
    const rj_address_t expected = rj_address_ipv4(loopback, info.local.port);
    cr_assert(rj_address_equal(&info.local, &expected));
    cr_assert_neq(info.local.port, 0);
    struct sockaddr_storage peer;
    socklen_t length = sizeof(peer);
    cr_assert_eq(getpeername(info.socket, (struct sockaddr *)&peer, &length), 0);
    rj_address_t address;
    cr_assert(rj_address_from_sockaddr(&address, (struct sockaddr *)&peer, length));
    cr_assert(rj_address_equal(&address, &params.connect));
    close_socket(&info);
}

Test(udp_socket, knows_the_path_mtu_of_what_it_is_connected_to_and_of_nothing_else)
{
    rj_sockets_t *sockets = rj_sockets_kernel();
    rj_socket_params_t params = on_loopback(0);
    const rj_socket_info_t open = open_socket(&params);
    params.connect = open.local;
    const rj_socket_info_t connected = open_socket(&params);
    cr_expect_eq(sockets->ops->path_mtu(sockets, open.socket), 0);
    cr_expect_geq(sockets->ops->path_mtu(sockets, connected.socket), 1280);
    cr_expect_eq(sockets->ops->path_mtu(sockets, -1), 0);
    close_socket(&connected);
    close_socket(&open);
}

static rj_address_t other_loopback(uint16_t port)
{
    static const uint8_t bytes[4] = {127, 0, 0, 2};
    return rj_address_ipv4(bytes, port);
}

static int reconnect(const rj_socket_info_t *info, bool is_anywhere, const rj_address_t *address,
                     rj_address_t *ret_local)
{
    rj_sockets_t *sockets = rj_sockets_kernel();
    return sockets->ops->reconnect(sockets, info->socket, is_anywhere, address, ret_local);
}

/* Where the next datagram of a socket goes. */
static void expect_peer(const rj_socket_info_t *info, const rj_address_t *peer)
{
    struct sockaddr_storage sockaddr;
    socklen_t length = sizeof(sockaddr);
    rj_address_t found;
    cr_assert_eq(getpeername(info->socket, (struct sockaddr *)&sockaddr, &length), 0);
    cr_assert(rj_address_from_sockaddr(&found, (const struct sockaddr *)&sockaddr, length));
    cr_expect(rj_address_equal(&found, peer));
}

Test(udp_socket, connects_anew_and_keeps_its_port)
{
    rj_socket_params_t params = {.bind = rj_address_wildcard(AF_INET),
                                 .connect = rj_address_ipv4(loopback, 40001)};
    const rj_socket_info_t info = open_socket(&params);
    const rj_address_t peer = other_loopback(40002);
    rj_address_t local;
    cr_assert_arr_eq(info.local.bytes, loopback, 4);
    cr_assert_eq(reconnect(&info, true, &peer, &local), 0);
    expect_peer(&info, &peer);
    cr_expect_eq(local.port, info.local.port);
    close_socket(&info);
}

Test(udp_socket, keeps_an_address_that_it_was_bound_to)
{
    rj_socket_params_t params = on_loopback(0);
    params.connect = rj_address_ipv4(loopback, 40001);
    const rj_socket_info_t info = open_socket(&params);
    const rj_address_t peer = other_loopback(40002);
    rj_address_t local;
    cr_assert_eq(reconnect(&info, false, &peer, &local), 0);
    expect_peer(&info, &peer);
    cr_expect(rj_address_equal(&local, &info.local));
    close_socket(&info);
}

Test(udp_socket, stays_connected_to_the_old_address_when_the_new_one_is_not_to_be_had)
{
    static const uint8_t broadcast[4] = {255, 255, 255, 255};
    static const uint8_t loopback6[16] = {[15] = 1};
    rj_socket_params_t params = {.bind = rj_address_wildcard(AF_INET),
                                 .connect = rj_address_ipv4(loopback, 40001)};
    const rj_socket_info_t info = open_socket(&params);
    const rj_address_t refused = rj_address_ipv4(broadcast, 40002);
    const rj_address_t other_family = rj_address_ipv6(loopback6, 40002, 0);
    rj_address_t local = {.port = 7};
    cr_expect_lt(reconnect(&info, true, &refused, &local), 0);
    cr_expect_eq(reconnect(&info, true, &other_family, &local), -EAFNOSUPPORT);
    cr_expect_eq(local.port, 7);
    expect_peer(&info, &params.connect);
    close_socket(&info);
}

Test(udp_socket, opens_ipv6_where_the_machine_has_it)
{
    static const uint8_t loopback6[16] = {[15] = 1};
    const rj_socket_params_t params = {.bind = rj_address_ipv6(loopback6, 0, 0)};
    rj_sockets_t *sockets = rj_sockets_kernel();
    rj_socket_info_t info;
    rj_err_t err;
    const int result = sockets->ops->open(sockets, &params, &info, &err);
    if (result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL)
        cr_skip_test("no IPv6 here: %s", err.text);
    cr_assert_eq(result, 0, "%s", err.text);
    cr_assert_eq(info.local.family, AF_INET6);
    cr_assert_neq(info.local.port, 0);
    close_socket(&info);
}

Test(udp_socket, reports_buffers_as_the_system_counts_them)
{
    rj_sockets_t *sockets = rj_sockets_kernel();
    int32_t sndbuf;
    int32_t rcvbuf;
    int32_t sndbuf_max;
    int32_t rcvbuf_max;
    rj_err_t err;
    cr_assert_eq(sockets->ops->defaults(sockets, &sndbuf, &rcvbuf, &sndbuf_max, &rcvbuf_max, &err),
                 0, "%s", err.text);
    rj_socket_params_t params = on_loopback(0);
    const rj_socket_info_t plain = open_socket(&params);
    cr_assert_eq(plain.sndbuf_bytes, sndbuf);
    cr_assert_eq(plain.rcvbuf_bytes, rcvbuf);

    params.sndbuf_bytes = 8192;
    params.rcvbuf_bytes = 16384;
    const rj_socket_info_t small = open_socket(&params);
    cr_assert_eq(small.sndbuf_bytes, 2 * 8192);
    cr_assert_eq(small.rcvbuf_bytes, 2 * 16384);

    params.sndbuf_bytes = INT32_MAX;
    params.rcvbuf_bytes = INT32_MAX;
    const rj_socket_info_t greedy = open_socket(&params);
    cr_assert_eq(greedy.sndbuf_bytes, sndbuf_max);
    cr_assert_eq(greedy.rcvbuf_bytes, rcvbuf_max);
    close_socket(&plain);
    close_socket(&small);
    close_socket(&greedy);
}
