/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams over UDP sockets: many a call, or many a packet that the kernel takes apart late. */
#include "bare.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

enum {
    MMSG_BATCH = 32,
    PACKET_MAX = 65507, /* payload of one UDP packet over IPv4 */
    SOCKET_BYTES = 8 << 20,
};

static struct {
    int fd;
    uint32_t length;
    uint32_t merge_max; /* datagrams of that length in one packet */
    uint8_t bytes[RJ_BARE_BATCH * RJ_BARE_LENGTH_MAX];
    uint8_t packets[MMSG_BATCH][PACKET_MAX];
} udp;

static void open_socket(const rj_bare_params_t *params)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(params->port)};
    const int bytes = SOCKET_BYTES;
    udp.length = params->length;
    udp.merge_max = PACKET_MAX / params->length;
    udp.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (udp.fd < 0 || inet_pton(AF_INET, params->address, &address.sin_addr) != 1)
        rj_bare_die("socket");
    if (setsockopt(udp.fd, SOL_SOCKET, params->is_sender ? SO_SNDBUFFORCE : SO_RCVBUFFORCE, &bytes,
                   sizeof(bytes)) != 0)
        rj_bare_die("socket buffer");
    if ((params->is_sender ? connect : bind)(udp.fd, (struct sockaddr *)&address,
                                             sizeof(address)) != 0)
        rj_bare_die(params->address);
}

/* Numbers the datagrams where they lie, one behind the other. */
static void write_numbers(uint64_t number, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t each = number + i;
        memcpy(udp.bytes + (size_t)i * udp.length, &each, sizeof(each));
    }
}

static uint32_t sent_or_die(int sent)
{
    if (sent < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED)
        rj_bare_die("send");
    return sent < 0 ? 0 : (uint32_t)sent;
}

static uint32_t send_many(uint64_t number, uint32_t count)
{
    struct mmsghdr messages[MMSG_BATCH];
    struct iovec parts[MMSG_BATCH];
    count = count < MMSG_BATCH ? count : MMSG_BATCH;
    write_numbers(number, count);
    for (uint32_t i = 0; i < count; i++) {
        parts[i] = (struct iovec){udp.bytes + (size_t)i * udp.length, udp.length};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
    }
    return sent_or_die(sendmmsg(udp.fd, messages, count, 0));
}

/* Takes packets of datagrams of one length; how long each of them is says the packet, or nobody. */
static uint32_t receive_packets(uint64_t *next)
{
    struct mmsghdr messages[MMSG_BATCH];
    struct iovec parts[MMSG_BATCH];
    uint32_t count = 0;
    for (int i = 0; i < MMSG_BATCH; i++) {
        parts[i] = (struct iovec){udp.packets[i], PACKET_MAX};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
    }
    const int packets = recvmmsg(udp.fd, messages, MMSG_BATCH, 0, NULL);
    if (packets < 0 && errno != EAGAIN)
        rj_bare_die("recvmmsg");
    for (int i = 0; i < packets; i++) {
        for (uint32_t at = 0; at + udp.length <= messages[i].msg_len; at += udp.length) {
            uint64_t number;
            memcpy(&number, udp.packets[i] + at, sizeof(number));
            rj_bare_note(number, next);
            count++;
        }
    }
    return count;
}

static void open_merging(const rj_bare_params_t *params)
{
    const int length = (int)params->length;
    const int on = 1;
    open_socket(params);
    if (params->is_sender ? setsockopt(udp.fd, SOL_UDP, UDP_SEGMENT, &length, sizeof(length)) != 0
                          : setsockopt(udp.fd, SOL_UDP, UDP_GRO, &on, sizeof(on)) != 0)
        rj_bare_die(params->is_sender ? "UDP_SEGMENT" : "UDP_GRO");
}

static uint32_t send_merged(uint64_t number, uint32_t count)
{
    count = count < udp.merge_max ? count : udp.merge_max;
    write_numbers(number, count);
    const ssize_t sent = send(udp.fd, udp.bytes, (size_t)count * udp.length, 0);
    return sent_or_die((int)sent) / udp.length;
}

const rj_bare_kind_t rj_bare_mmsg = {"mmsg", open_socket, send_many, receive_packets};
const rj_bare_kind_t rj_bare_gso = {"gso", open_merging, send_merged, receive_packets};
