/* SPDX-License-Identifier: Apache-2.0 */
/* The queues of a simulated interface: which one a datagram comes to, and what does not fit. */
#include "sim_state.h"

static uint64_t mix(uint64_t hash, const rj_address_t *address)
{
    for (size_t i = 0; i < sizeof(address->bytes); i++)
        hash = (hash ^ address->bytes[i]) * UINT64_C(0x100000001b3);
    return (hash ^ address->port) * UINT64_C(0x100000001b3);
}

/* As receive side scaling does it: one flow, one queue; but for what the seed sprays. */
static int choose_queue(sim_net_t *net, const sim_rings_t *rings, const sim_datagram_t *datagram)
{
    if (sim_net_chance(net, rings->spray_ppm))
        return (int)rj_prng_below(&net->prng, (uint64_t)rings->engine_count);
    const uint64_t hash = mix(mix(1, &datagram->source), &datagram->destination);
    return (int)((hash >> 32) % (uint64_t)rings->engine_count);
}

static sim_door_t choose_door(sim_net_t *net, const sim_rings_t *rings, int queue,
                              const sim_datagram_t *datagram)
{
    if (sim_net_chance(net, rings->pass_ppm))
        return SIM_DOOR_SOCKET;
    if (rings->door == NULL)
        return SIM_DOOR_RING;
    const sim_arrival_t arrival = {.source = &datagram->source,
                                   .destination = &datagram->destination,
                                   .bytes = datagram->bytes,
                                   .length = datagram->length};
    return rings->door(rings->door_state, queue, &arrival);
}

bool sim_ring_take(sim_net_t *net, sim_host_t *host, sim_datagram_t *datagram)
{
    const sim_rings_t *rings = &host->rings;
    if (rings->engine_count == 0)
        return false;
    const int queue = choose_queue(net, rings, datagram);
    if (choose_door(net, rings, queue, datagram) == SIM_DOOR_SOCKET)
        return false;
    sim_ring_t *ring = &host->ring[queue];
    host->ring_offered++;
    if (ring->count == rings->capacity) {
        net->stats.overflowed++;
        sim_free_datagrams(datagram);
        return true;
    }
    net->stats.delivered++;
    net->stats.by_ring++;
    ring->count++;
    if (ring->last == NULL)
        ring->first = datagram;
    else
        ring->last->next = datagram;
    ring->last = datagram;
    return true;
}

sim_datagram_t *sim_ring_next(sim_ring_t *ring)
{
    sim_datagram_t *frame = ring->first;
    if (frame == NULL)
        return NULL;
    ring->first = frame->next;
    if (ring->first == NULL)
        ring->last = NULL;
    ring->count--;
    return frame;
}
