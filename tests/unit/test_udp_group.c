/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel sockets that are members of a multicast group, on the loopback interface. */
#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "transport/udp_socket.h"

enum { PORT = 24971, WAIT_MS = 5000 };

static const uint8_t loopback[4] = {127, 0, 0, 1};
static const uint8_t data_group[4] = {239, 255, 47, 39};
static const uint8_t control_group[4] = {239, 255, 47, 40};

static rj_socket_params_t member_of(const uint8_t group[4], uint16_t port)
{
    rj_socket_params_t params = {.bind = rj_address_wildcard(AF_INET)};
    params.bind.port = port;
    params.group = (rj_socket_group_t){.address = rj_address_ipv4(group, port),
                                       .interface = rj_address_ipv4(loopback, 0),
                                       .interface_index = if_nametoindex("lo")};
    return params;
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

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof(value);
    cr_assert_eq(getsockopt(fd, level, name, &value, &length), 0);
    return value;
}

static void send_to(int fd, const uint8_t group[4], uint16_t port, const char *text)
{
    const rj_address_t address = rj_address_ipv4(group, port);
    struct sockaddr_storage sockaddr;
    const socklen_t length = rj_address_to_sockaddr(&address, &sockaddr);
    cr_assert_eq(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&sockaddr, length),
                 (ssize_t)strlen(text), "%s", strerror(errno));
}

/* What comes within the wait, and from where. */
static void expect(int fd, const char *text, rj_address_t *ret_source)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    cr_assert_eq(poll(&ready, 1, WAIT_MS), 1, "%s did not come", text);
    char bytes[64] = "";
    struct sockaddr_storage sockaddr;
    socklen_t length = sizeof(sockaddr);
    cr_assert_geq(recvfrom(fd, bytes, sizeof(bytes) - 1, 0, (struct sockaddr *)&sockaddr, &length),
                  0);
    cr_assert_str_eq(bytes, text);
    cr_assert(rj_address_from_sockaddr(ret_source, (struct sockaddr *)&sockaddr, length));
}

static void expect_nothing(int fd)
{
    char byte;
    cr_assert_eq(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    cr_assert_eq(errno, EAGAIN);
}

/* Whether some socket of this network namespace is a member, on any interface. */
static bool is_joined(const uint8_t group[4])
{
    uint32_t number;
    memcpy(&number, group, sizeof(number));
    char wanted[16];
    snprintf(wanted, sizeof(wanted), "\t%08X ", number);
    FILE *file = fopen("/proc/self/net/igmp", "r");
    cr_assert_not_null(file);
    bool is_found = false;
    char line[256];
    while (fgets(line, sizeof(line), file) != NULL)
        is_found |= strstr(line, wanted) != NULL;
    fclose(file);
    return is_found;
}

Test(udp_group, several_hold_the_port_and_all_hear_what_is_sent)
{
    const rj_socket_params_t params = member_of(data_group, PORT);
    const rj_socket_params_t other = member_of(control_group, PORT);
    const rj_socket_info_t first = open_socket(&params);
    const rj_socket_info_t second = open_socket(&params);
    const rj_socket_info_t sender = open_socket(&other);
    cr_assert_eq(first.local.port, PORT);
    cr_assert(rj_address_is_wildcard(&first.local));
    send_to(sender.socket, data_group, PORT, "data");
    rj_address_t source;
    const rj_address_t expected = rj_address_ipv4(loopback, PORT);
    expect(first.socket, "data", &source);
    cr_assert(rj_address_equal(&source, &expected), "the interface is where it comes from");
    expect(second.socket, "data", &source);
    expect_nothing(sender.socket);
    close_socket(&first);
    close_socket(&second);
    close_socket(&sender);
}

Test(udp_group, hears_no_other_group_of_its_port)
{
    const rj_socket_params_t data = member_of(data_group, PORT + 1);
    const rj_socket_params_t control = member_of(control_group, PORT + 1);
    const rj_socket_info_t receiver = open_socket(&data);
    const rj_socket_info_t sender = open_socket(&control);
    rj_address_t source;
    send_to(receiver.socket, control_group, PORT + 1, "status");
    expect(sender.socket, "status", &source);
    expect_nothing(receiver.socket);
    close_socket(&receiver);
    close_socket(&sender);
}

Test(udp_group, is_a_member_for_as_long_as_it_is_open)
{
    static const uint8_t group[4] = {239, 255, 47, 41};
    cr_assert_not(is_joined(group));
    const rj_socket_params_t params = member_of(group, PORT + 2);
    const rj_socket_info_t info = open_socket(&params);
    cr_assert(is_joined(group));
    close_socket(&info);
    cr_assert_not(is_joined(group));
}

Test(udp_group, sends_by_its_interface_as_far_as_asked)
{
    rj_socket_params_t params = member_of(data_group, PORT + 3);
    const rj_socket_info_t plain = open_socket(&params);
    cr_assert_eq(option(plain.socket, IPPROTO_IP, IP_MULTICAST_TTL), 1, "the system's own");
    cr_assert_eq(option(plain.socket, IPPROTO_IP, IP_MULTICAST_LOOP), 1);
    cr_assert_eq(option(plain.socket, IPPROTO_IP, IP_MULTICAST_ALL), 0);
    cr_assert_eq(option(plain.socket, SOL_SOCKET, SO_REUSEADDR), 1);
    cr_assert_eq(option(plain.socket, SOL_SOCKET, SO_REUSEPORT), 1);
    struct in_addr interface;
    socklen_t length = sizeof(interface);
    cr_assert_eq(getsockopt(plain.socket, IPPROTO_IP, IP_MULTICAST_IF, &interface, &length), 0);
    cr_assert_arr_eq(&interface, loopback, sizeof(loopback));
    params.group.ttl = 9;
    const rj_socket_info_t far = open_socket(&params);
    cr_assert_eq(option(far.socket, IPPROTO_IP, IP_MULTICAST_TTL), 9);
    close_socket(&plain);
    close_socket(&far);
}

Test(udp_group, does_the_same_over_ipv6)
{
    static const uint8_t group[16] = {0xff, 0x15, [15] = 0x31};
    rj_socket_params_t params = {.bind = rj_address_wildcard(AF_INET6)};
    params.bind.port = PORT + 4;
    params.group = (rj_socket_group_t){.address = rj_address_ipv6(group, PORT + 4, 0),
                                       .interface_index = if_nametoindex("lo"),
                                       .ttl = 7};
    rj_sockets_t *sockets = rj_sockets_kernel();
    rj_socket_info_t info;
    rj_err_t err;
    const int result = sockets->ops->open(sockets, &params, &info, &err);
    if (result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL || result == -ENODEV)
        cr_skip_test("no IPv6 here: %s", err.text);
    cr_assert_eq(result, 0, "%s", err.text);
    const rj_socket_info_t second = open_socket(&params);
    cr_assert_eq(option(info.socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS), 7);
    cr_assert_eq(option(info.socket, IPPROTO_IPV6, IPV6_MULTICAST_IF), (int)if_nametoindex("lo"));
    cr_assert_eq(option(info.socket, IPPROTO_IPV6, IPV6_MULTICAST_ALL), 0);
    close_socket(&info);
    close_socket(&second);
}

Test(udp_group, shares_its_port_with_no_ordinary_socket)
{
    const rj_socket_params_t params = member_of(data_group, PORT + 5);
    const rj_socket_info_t member = open_socket(&params);
    const rj_socket_params_t ordinary = {.bind = rj_address_ipv4(loopback, PORT + 5)};
    rj_sockets_t *sockets = rj_sockets_kernel();
    rj_socket_info_t info;
    rj_err_t err;
    cr_assert_eq(sockets->ops->open(sockets, &ordinary, &info, &err), -EADDRINUSE);
    close_socket(&member);
}

Test(udp_group, says_what_it_could_not_join)
{
    rj_socket_params_t params = member_of(data_group, PORT + 6);
    params.group.interface_index = 0x7ffffff;
    rj_sockets_t *sockets = rj_sockets_kernel();
    rj_socket_info_t info = {.socket = -7};
    rj_err_t err;
    cr_assert_eq(sockets->ops->open(sockets, &params, &info, &err), -ENODEV);
    cr_assert_not_null(strstr(err.text, "join the multicast group 239.255.47.39"), "%s", err.text);
    cr_assert_eq(info.socket, -7, "results are written on success only");
}
