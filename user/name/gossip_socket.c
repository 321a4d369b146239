/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "name/gossip_wire.h"

typedef struct gossip_socket {
    rj_gossip_wire_t wire; /* first member */
    int fd;
} gossip_socket_t;

/* Nothing to be had now, or the echo of an earlier datagram. */
static bool is_nothing(int code)
{
    return code == EAGAIN || code == EINTR || code == ECONNREFUSED;
}

static int socket_send(rj_gossip_wire_t *wire, const rj_address_t *to, const uint8_t *bytes,
                       size_t length)
{
    const gossip_socket_t *self = (const gossip_socket_t *)wire;
    struct sockaddr_storage sockaddr;
    const socklen_t sockaddr_length = rj_address_to_sockaddr(to, &sockaddr);
    const ssize_t sent = sendto(self->fd, bytes, length, MSG_NOSIGNAL,
                                (const struct sockaddr *)&sockaddr, sockaddr_length);
    return sent < 0 && !is_nothing(errno) ? -errno : 0;
}

static int socket_receive(rj_gossip_wire_t *wire, uint8_t *bytes, size_t capacity,
                          rj_address_t *ret_source)
{
    const gossip_socket_t *self = (const gossip_socket_t *)wire;
    struct sockaddr_storage source;
    socklen_t source_length = sizeof(source);
    const ssize_t length =
        recvfrom(self->fd, bytes, capacity, 0, (struct sockaddr *)&source, &source_length);
    if (length < 0)
        return is_nothing(errno) ? 0 : -errno;
    if (!rj_address_from_sockaddr(ret_source, (const struct sockaddr *)&source, source_length))
        return -EAFNOSUPPORT;
    return (int)length;
}

static void socket_close(rj_gossip_wire_t *wire)
{
    gossip_socket_t *self = (gossip_socket_t *)wire;
    if (self->fd >= 0)
        close(self->fd);
    free(self);
}

static const rj_gossip_wire_ops_t socket_ops = {
    .send = socket_send,
    .receive = socket_receive,
    .close = socket_close,
};

static int bind_socket(gossip_socket_t *self, const rj_address_t *address)
{
    struct sockaddr_storage sockaddr;
    socklen_t length = rj_address_to_sockaddr(address, &sockaddr);
    self->fd = socket(address->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (self->fd < 0 || bind(self->fd, (const struct sockaddr *)&sockaddr, length) < 0)
        return -errno;
    length = sizeof(sockaddr);
    if (getsockname(self->fd, (struct sockaddr *)&sockaddr, &length) < 0)
        return -errno;
    return rj_address_from_sockaddr(&self->wire.local, (const struct sockaddr *)&sockaddr, length)
               ? 0
               : -EAFNOSUPPORT;
}

int rj_gossip_socket_open(void *state, const rj_address_t *bind_to, rj_gossip_wire_t **ret_wire,
                          rj_err_t *err)
{
    (void)state;
    gossip_socket_t *self = calloc(1, sizeof(*self));
    if (self == NULL)
        return rj_fail(err, -ENOMEM, "out of memory for the resolver's socket");
    self->wire.ops = &socket_ops;
    self->fd = -1;
    const int result = bind_socket(self, bind_to);
    if (result < 0) {
        char text[RJ_ADDRESS_TEXT_BYTES];
        rj_address_print(bind_to, text);
        socket_close(&self->wire);
        return rj_fail(err, result, "the resolver's socket on %s: %s", text, strerror(-result));
    }
    *ret_wire = &self->wire;
    return 0;
}
