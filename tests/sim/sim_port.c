/* SPDX-License-Identifier: Apache-2.0 */
/* The port of a simulated engine: its queue's ring, if the host has rings, and the sockets of the
 * endpoints that live in it. */
#include "sim_state.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"
#include "sim_steer.h"

enum { WAY_RING = 0, WAY_SOCKETS = 1 };

typedef struct sim_port {
    rj_port_t port; /* first member */
    sim_host_t *host;
    sim_ring_t *ring;
    rj_endpoint_t *endpoints[SIM_SOCKETS_MAX];
    int endpoint_count;
    rj_endpoint_t *guests[SIM_SOCKETS_MAX]; /* of other engines; a ring may bring frames for them */
    int guest_count;
    int next; /* whose turn it is */
    uint64_t run_number;
    sim_datagram_t *given; /* lent to the engine until the next poll */
    uint32_t batch;
    int64_t sockets_polled_ns;
    int64_t ring_empty_ns; /* when each door was last found so */
    int64_t sockets_empty_ns;
} sim_port_t;

/* Cuts a run where the seed says that the queue is full: whole datagrams only. */
static uint32_t taken_bytes(sim_net_t *net, const rj_run_t *run)
{
    if (!sim_net_chance(net, net->faults.short_send_ppm))
        return run->total_bytes;
    uint32_t segments = (run->total_bytes + run->segment_bytes - 1) / run->segment_bytes;
    return (uint32_t)rj_prng_below(&net->prng, segments) * run->segment_bytes;
}

static int port_send(rj_port_t *port, rj_run_t *runs, size_t count)
{
    sim_port_t *self = (sim_port_t *)port;
    sim_net_t *net = self->host->net;
    sim_alloc_forbid(false);
    int looked = 0;
    for (size_t i = 0; i < count; i++) {
        rj_run_t *run = &runs[i];
        const sim_socket_t *socket = &net->sockets[run->path->endpoint->socket];
        uint32_t limit = taken_bytes(net, run);
        if (run->path->header != NULL)
            sim_steer_check_header(self->host, run->path);
        run->number = self->run_number++;
        for (uint32_t at = 0; at < limit; at += run->segment_bytes) {
            uint32_t length = limit - at < run->segment_bytes ? limit - at : run->segment_bytes;
            net->stats.headed += run->path->header != NULL;
            sim_net_submit(net, socket, &run->path->address, run->start + at, length);
        }
        run->result = (int32_t)limit;
        looked++;
        if (limit < run->total_bytes)
            break;
    }
    sim_alloc_forbid(true);
    return looked;
}

static bool take_one(sim_port_t *self, rj_endpoint_t *endpoint, rj_packet_t *packet)
{
    sim_socket_t *socket = &self->host->net->sockets[endpoint->socket];
    uint32_t segment_bytes;
    sim_datagram_t *datagram = sim_merge_next(self->host->net, socket, &segment_bytes);
    if (datagram == NULL)
        return false;
    datagram->next = self->given;
    self->given = datagram;
    *packet = (rj_packet_t){.data = datagram->bytes,
                            .length_bytes = datagram->length,
                            .segment_bytes = segment_bytes,
                            .endpoint = endpoint,
                            .source = datagram->source,
                            .way_in = WAY_SOCKETS};
    return true;
}

/* Gives a frame of the ring to each endpoint of a list that it is for; returns how many. */
static size_t give_to(const sim_port_t *self, rj_endpoint_t *const *endpoints, int endpoint_count,
                      sim_datagram_t *frame, rj_packet_t *packets)
{
    size_t taken = 0;
    for (int i = 0; i < endpoint_count; i++) {
        const sim_net_t *net = self->host->net;
        if (sim_socket_hears(net, &net->sockets[endpoints[i]->socket], frame))
            packets[taken++] = (rj_packet_t){.data = frame->bytes,
                                             .length_bytes = frame->length,
                                             .endpoint = endpoints[i],
                                             .source = frame->source};
    }
    return taken;
}

/* Frames of the ring; one may be for several endpoints, so some places stay free. */
static size_t poll_ring(sim_port_t *self, rj_packet_t *packets, size_t limit)
{
    size_t taken = 0;
    while (taken + (size_t)(self->endpoint_count + self->guest_count) <= limit) {
        sim_datagram_t *frame = sim_ring_next(self->ring);
        if (frame == NULL)
            break;
        frame->next = self->given;
        self->given = frame;
        const size_t before = taken;
        taken += give_to(self, self->endpoints, self->endpoint_count, frame, packets + taken);
        taken += give_to(self, self->guests, self->guest_count, frame, packets + taken);
        self->host->net->stats.strayed += taken == before;
    }
    return taken;
}

/* Goes on from what the ring brought. */
static size_t poll_sockets(sim_port_t *self, rj_packet_t *packets, size_t taken, size_t limit)
{
    int idle = 0;
    while (taken < limit && self->endpoint_count > 0 && idle < self->endpoint_count) {
        self->next = (self->next + 1) % self->endpoint_count;
        if (take_one(self, self->endpoints[self->next], &packets[taken])) {
            taken++;
            idle = 0;
        } else {
            idle++;
        }
    }
    return taken;
}

static int port_poll(rj_port_t *port, rj_packet_t *packets, size_t count, int64_t now_ns)
{
    sim_port_t *self = (sim_port_t *)port;
    sim_free_datagrams(self->given);
    self->given = NULL;
    size_t limit = count < self->batch ? count : self->batch;
    size_t taken = poll_ring(self, packets, limit);
    if (self->ring->first == NULL)
        self->ring_empty_ns = now_ns;
    if (now_ns - self->sockets_polled_ns < self->host->rings.sockets_interval_ns)
        return (int)taken;
    taken = poll_sockets(self, packets, taken, limit);
    if (taken < limit) {
        self->sockets_polled_ns = now_ns;
        self->sockets_empty_ns = now_ns;
    }
    return (int)taken;
}

static rj_drained_t port_drained(const rj_port_t *port)
{
    const sim_port_t *self = (const sim_port_t *)port;
    return (rj_drained_t){
        .but_ns = {[WAY_RING] = self->sockets_empty_ns,
                   [WAY_SOCKETS] = self->ring_empty_ns,
                   [RJ_WAY_IN_UNKNOWN] = rj_min_i64(self->ring_empty_ns, self->sockets_empty_ns)}};
}

static uint64_t port_reclaim(rj_port_t *port)
{
    return ((sim_port_t *)port)->run_number;
}

static int port_attach(rj_port_t *port, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    sim_port_t *self = (sim_port_t *)port;
    if (self->endpoint_count + self->guest_count == SIM_SOCKETS_MAX)
        return -ENOSPC;
    if (role == RJ_ATTACH_GUEST) {
        self->guests[self->guest_count++] = endpoint;
        return 0;
    }
    endpoint->slot = self->endpoint_count;
    self->endpoints[self->endpoint_count++] = endpoint;
    return 0;
}

static void detach_guest(sim_port_t *self, const rj_endpoint_t *endpoint)
{
    for (int i = 0; i < self->guest_count; i++) {
        if (self->guests[i] == endpoint) {
            self->guests[i] = self->guests[--self->guest_count];
            return;
        }
    }
}

static void port_detach(rj_port_t *port, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    sim_port_t *self = (sim_port_t *)port;
    if (role == RJ_ATTACH_GUEST) {
        detach_guest(self, endpoint);
        return;
    }
    if (endpoint->slot < 0)
        return;
    rj_endpoint_t *last = self->endpoints[--self->endpoint_count];
    self->endpoints[endpoint->slot] = last;
    last->slot = endpoint->slot;
    endpoint->slot = -1;
}

static int port_take_error(rj_port_t *port, rj_endpoint_t **ret_endpoint)
{
    (void)port;
    (void)ret_endpoint;
    return 0;
}

static void port_close(rj_port_t *port)
{
    sim_free_datagrams(((sim_port_t *)port)->given);
    free(port);
}

/* With rings there are two ways in. */
static const rj_port_ops_t two_doors_ops = {.name = "sim",
                                            .send = port_send,
                                            .poll = port_poll,
                                            .reclaim = port_reclaim,
                                            .attach = port_attach,
                                            .detach = port_detach,
                                            .drained = port_drained,
                                            .take_error = port_take_error,
                                            .close = port_close};

static const rj_port_ops_t port_ops = {.name = "sim",
                                       .send = port_send,
                                       .poll = port_poll,
                                       .reclaim = port_reclaim,
                                       .attach = port_attach,
                                       .detach = port_detach,
                                       .take_error = port_take_error,
                                       .close = port_close};

int sim_host_open_port(void *host, int index, const rj_port_params_t *params, rj_port_t **ret_port,
                       rj_err_t *err)
{
    sim_port_t *self = calloc(1, sizeof(*self));
    if (self == NULL)
        return rj_fail(err, -ENOMEM, "sim: out of memory");
    self->host = host;
    self->port.ops = self->host->rings.engine_count > 0 ? &two_doors_ops : &port_ops;
    self->sockets_polled_ns = INT64_MIN / 2;
    self->ring_empty_ns = INT64_MIN;
    self->sockets_empty_ns = INT64_MIN;
    self->ring = &self->host->ring[index];
    self->batch = params->receive_batch;
    *ret_port = &self->port;
    return 0;
}
