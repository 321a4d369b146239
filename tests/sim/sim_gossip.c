/* SPDX-License-Identifier: Apache-2.0 */
/* The socket by which simulated drivers tell each other names. */
#include "sim_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct sim_gossip {
    rj_gossip_wire_t wire; /* first member */
    sim_host_t *host;
    int socket;
} sim_gossip_t;

static int gossip_send(rj_gossip_wire_t *wire, const rj_address_t *to, const uint8_t *bytes,
                       size_t length)
{
    const sim_gossip_t *self = (const sim_gossip_t *)wire;
    sim_net_t *net = self->host->net;
    sim_net_submit(net, &net->sockets[self->socket], to, bytes, (uint32_t)length);
    return 0;
}

static int gossip_receive(rj_gossip_wire_t *wire, uint8_t *bytes, size_t capacity,
                          rj_address_t *ret_source)
{
    const sim_gossip_t *self = (const sim_gossip_t *)wire;
    sim_socket_t *socket = &self->host->net->sockets[self->socket];
    sim_datagram_t *datagram = socket->first;
    if (datagram == NULL)
        return 0;
    socket->first = datagram->next;
    if (socket->first == NULL)
        socket->last = NULL;
    socket->queued_bytes -= (int32_t)datagram->length;
    const size_t length = datagram->length < capacity ? datagram->length : capacity;
    memcpy(bytes, datagram->bytes, length);
    *ret_source = datagram->source;
    free(datagram);
    return (int)length;
}

static void gossip_close(rj_gossip_wire_t *wire)
{
    sim_gossip_t *self = (sim_gossip_t *)wire;
    self->host->sockets.ops->close(&self->host->sockets, self->socket);
    free(self);
}

int sim_host_open_gossip(void *host, const rj_address_t *bind, rj_gossip_wire_t **ret_wire,
                         rj_err_t *err)
{
    static const rj_gossip_wire_ops_t ops = {gossip_send, gossip_receive, gossip_close};
    sim_gossip_t *self = calloc(1, sizeof(*self));
    if (self == NULL)
        return rj_fail(err, -ENOMEM, "sim: out of memory");
    self->wire.ops = &ops;
    self->host = host;
    const rj_socket_params_t params = {.bind = *bind};
    rj_socket_info_t info;
    const int result = self->host->sockets.ops->open(&self->host->sockets, &params, &info, err);
    if (result < 0) {
        free(self);
        return result;
    }
    self->socket = info.socket;
    self->wire.local = info.local;
    *ret_wire = &self->wire;
    return 0;
}
