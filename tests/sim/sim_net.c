/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EPHEMERAL_FIRST = 40000,
    BUFFER_DEFAULT_BYTES = 212992,
    BUFFER_MAX_BYTES = 4 << 20,
    DATAGRAM_MAX_BYTES = 65507,
    LOOPBACK_DELAY_NS = 5000,
    NO_HOST = -1,
};

/* --- the trace --- */

void sim_net_trace_add(sim_net_t *net, uint64_t value)
{
    net->trace = (net->trace ^ value) * UINT64_C(0x100000001b3);
    net->trace ^= net->trace >> 29;
}

uint64_t sim_net_trace(const sim_net_t *net)
{
    return net->trace;
}

/* --- the heap of datagrams under way --- */

static bool is_before(const sim_datagram_t *a, const sim_datagram_t *b)
{
    return a->due_ns < b->due_ns || (a->due_ns == b->due_ns && a->order < b->order);
}

static void heap_push(sim_net_t *net, sim_datagram_t *datagram)
{
    if (net->heap_count == net->heap_capacity) {
        net->heap_capacity = net->heap_capacity == 0 ? 1024 : net->heap_capacity * 2;
        net->heap = realloc(net->heap, net->heap_capacity * sizeof(*net->heap));
        if (net->heap == NULL)
            abort();
    }
    size_t i = net->heap_count++;
    while (i > 0 && is_before(datagram, net->heap[(i - 1) / 2])) {
        net->heap[i] = net->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    net->heap[i] = datagram;
}

static sim_datagram_t *heap_pop(sim_net_t *net)
{
    sim_datagram_t *top = net->heap[0];
    sim_datagram_t *moved = net->heap[--net->heap_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= net->heap_count)
            break;
        if (child + 1 < net->heap_count && is_before(net->heap[child + 1], net->heap[child]))
            child++;
        if (!is_before(net->heap[child], moved))
            break;
        net->heap[i] = net->heap[child];
        i = child;
    }
    if (net->heap_count > 0)
        net->heap[i] = moved;
    return top;
}

/* --- sending --- */

bool sim_net_chance(sim_net_t *net, uint32_t ppm)
{
    return ppm != 0 && rj_prng_below(&net->prng, PPM) < ppm;
}

/* Where one datagram goes: `host` matters for groups only. */
typedef struct target {
    const rj_address_t *address;
    int host;
} target_t;

static void launch(sim_net_t *net, const sim_socket_t *socket, target_t target,
                   const uint8_t *bytes, uint32_t length, int64_t delay_ns)
{
    sim_datagram_t *datagram = malloc(sizeof(*datagram) + length);
    if (datagram == NULL)
        abort();
    datagram->next = NULL;
    datagram->due_ns = net->now_ns + delay_ns;
    datagram->order = net->order++;
    datagram->source = socket->local;
    if (rj_address_is_wildcard(&socket->local)) {
        datagram->source = net->hosts[socket->host].address;
        datagram->source.port = socket->local.port;
    }
    datagram->destination = *target.address;
    datagram->host = target.host;
    datagram->length = length;
    memcpy(datagram->bytes, bytes, length);
    heap_push(net, datagram);
}

static int64_t draw_delay(sim_net_t *net)
{
    const sim_faults_t *faults = &net->faults;
    int64_t delay_ns = faults->delay_ns;
    if (faults->jitter_ns > 0)
        delay_ns += rj_prng_between(&net->prng, 0, faults->jitter_ns);
    if (sim_net_chance(net, faults->reorder_ppm)) {
        delay_ns += rj_prng_between(&net->prng, 1, faults->reorder_ns);
        net->stats.reordered++;
    }
    return delay_ns;
}

/* What a datagram meets on its way; the order of the draws is part of what a seed means. */
static void submit_to(sim_net_t *net, const sim_socket_t *socket, target_t target,
                      const uint8_t *bytes, uint32_t length)
{
    const sim_host_t *host = &net->hosts[socket->host];
    net->stats.sent++;
    sim_net_trace_add(net, ((uint64_t)net->now_ns << 16) ^ length);
    if (target.host == host->index || rj_address_same_host(target.address, &host->address)) {
        launch(net, socket, target, bytes, length, LOOPBACK_DELAY_NS);
        return;
    }
    if (net->faults.is_partitioned || host->is_crashed) {
        net->stats.partitioned++;
    } else if (sim_net_chance(net, net->faults.loss_ppm)) {
        net->stats.lost++;
    } else if (sim_net_chance(net, net->faults.corrupt_ppm)) {
        net->stats.corrupted++;
    } else {
        launch(net, socket, target, bytes, length, draw_delay(net));
        if (sim_net_chance(net, net->faults.duplicate_ppm)) {
            net->stats.duplicated++;
            launch(net, socket, target, bytes, length, draw_delay(net));
        }
    }
}

static bool is_member(const sim_net_t *net, const sim_socket_t *socket, int host,
                      const rj_address_t *group)
{
    return socket->is_open && socket->host == host && !net->hosts[host].is_crashed &&
           rj_address_equal(&socket->group, group);
}

/* To every host with a member; a group without any gets one datagram that nobody takes. */
void sim_net_submit(sim_net_t *net, const sim_socket_t *socket, const rj_address_t *address,
                    const uint8_t *bytes, uint32_t length)
{
    bool has_members = false;
    if (net->tap != NULL)
        net->tap(net->tap_state, address, bytes, length);
    for (int host = 0; rj_address_is_multicast(address) && host < SIM_HOSTS_MAX; host++) {
        int i = 0;
        while (i < SIM_SOCKETS_MAX && !is_member(net, &net->sockets[i], host, address))
            i++;
        if (i == SIM_SOCKETS_MAX)
            continue;
        has_members = true;
        submit_to(net, socket, (target_t){address, host}, bytes, length);
    }
    if (!has_members)
        submit_to(net, socket, (target_t){address, NO_HOST}, bytes, length);
}

void sim_net_tap(sim_net_t *net, sim_tap_t tap, void *state)
{
    net->tap = tap;
    net->tap_state = state;
}

/* --- delivery --- */

bool sim_socket_hears(const sim_net_t *net, const sim_socket_t *socket,
                      const sim_datagram_t *datagram)
{
    if (rj_address_is_multicast(&datagram->destination))
        return datagram->host != NO_HOST &&
               is_member(net, socket, datagram->host, &datagram->destination);
    return socket->is_open && socket->group.family == 0 &&
           socket->local.port == datagram->destination.port &&
           !net->hosts[socket->host].is_crashed &&
           rj_address_same_host(&net->hosts[socket->host].address, &datagram->destination) &&
           (socket->peer.family == 0 || rj_address_equal(&socket->peer, &datagram->source));
}

static sim_socket_t *find_socket(sim_net_t *net, const sim_datagram_t *datagram)
{
    for (int i = 0; i < SIM_SOCKETS_MAX; i++) {
        if (sim_socket_hears(net, &net->sockets[i], datagram))
            return &net->sockets[i];
    }
    return NULL;
}

static void deliver_to(sim_net_t *net, sim_socket_t *socket, sim_datagram_t *datagram)
{
    if (socket == NULL) {
        net->stats.unbound++;
        free(datagram);
    } else if (socket->queued_bytes + (int32_t)datagram->length > socket->rcvbuf_bytes) {
        net->stats.overflowed++;
        free(datagram);
    } else {
        net->stats.delivered++;
        socket->queued_bytes += (int32_t)datagram->length;
        if (socket->last == NULL)
            socket->first = datagram;
        else
            socket->last->next = datagram;
        socket->last = datagram;
    }
}

static sim_datagram_t *copy_of(const sim_datagram_t *datagram)
{
    sim_datagram_t *copy = malloc(sizeof(*copy) + datagram->length);
    if (copy == NULL)
        abort();
    memcpy(copy, datagram, sizeof(*copy) + datagram->length);
    return copy;
}

/* All members on a host have one each. */
static void deliver_to_group(sim_net_t *net, sim_datagram_t *datagram)
{
    sim_socket_t *last = NULL;
    for (int i = 0; i < SIM_SOCKETS_MAX && datagram->host != NO_HOST; i++) {
        sim_socket_t *socket = &net->sockets[i];
        if (!sim_socket_hears(net, socket, datagram))
            continue;
        if (last != NULL) {
            net->stats.duplicated++;
            deliver_to(net, last, copy_of(datagram));
        }
        last = socket;
    }
    deliver_to(net, last, datagram);
}

static void deliver(sim_net_t *net, sim_datagram_t *datagram)
{
    sim_socket_t *socket = find_socket(net, datagram);
    if (socket != NULL && sim_ring_take(net, &net->hosts[socket->host], datagram))
        return;
    if (rj_address_is_multicast(&datagram->destination))
        deliver_to_group(net, datagram);
    else
        deliver_to(net, socket, datagram);
}

void sim_net_advance(sim_net_t *net, int64_t now_ns)
{
    net->now_ns = now_ns;
    while (net->heap_count > 0 && net->heap[0]->due_ns <= now_ns)
        deliver(net, heap_pop(net));
}

/* --- the sockets of a host --- */

static int socket_open(rj_sockets_t *sockets, const rj_socket_params_t *params,
                       rj_socket_info_t *ret_info, rj_err_t *err)
{
    sim_host_t *host = (sim_host_t *)sockets;
    sim_net_t *net = host->net;
    rj_address_t local = params->bind;
    char text[RJ_ADDRESS_TEXT_BYTES];
    rj_address_print(&local, text);
    if (!rj_address_is_wildcard(&local) && !rj_address_same_host(&local, &host->address))
        return rj_fail(err, -EADDRNOTAVAIL, "failed to bind to address %s: not one of ours", text);
    if (local.port == 0)
        local.port = host->next_port++;
    int chosen = -1;
    for (int i = 0; i < SIM_SOCKETS_MAX; i++) {
        const sim_socket_t *socket = &net->sockets[i];
        if (!socket->is_open) {
            chosen = chosen < 0 ? i : chosen;
        } else if (socket->host == host->index && socket->local.port == local.port &&
                   (socket->group.family == 0 || params->group.address.family == 0)) {
            return rj_fail(err, -EADDRINUSE, "failed to bind to address %s: Address already in use",
                           text);
        }
    }
    if (chosen < 0)
        return rj_fail(err, -EMFILE, "more sockets than the simulation has");
    int32_t rcvbuf = params->rcvbuf_bytes != 0 ? params->rcvbuf_bytes : BUFFER_DEFAULT_BYTES;
    int32_t sndbuf = params->sndbuf_bytes != 0 ? params->sndbuf_bytes : BUFFER_DEFAULT_BYTES;
    net->sockets[chosen] = (sim_socket_t){.is_open = true,
                                          .host = host->index,
                                          .local = local,
                                          .peer = params->connect,
                                          .group = params->group.address,
                                          .rcvbuf_bytes = rcvbuf};
    *ret_info = (rj_socket_info_t){.socket = chosen,
                                   .local = local,
                                   .sndbuf_bytes = sndbuf,
                                   .rcvbuf_bytes = rcvbuf,
                                   .has_media_time = params->wants_media_time};
    return 0;
}

void sim_free_datagrams(sim_datagram_t *datagram)
{
    while (datagram != NULL) {
        sim_datagram_t *next = datagram->next;
        free(datagram);
        datagram = next;
    }
}

static void socket_close(rj_sockets_t *sockets, int socket)
{
    sim_host_t *host = (sim_host_t *)sockets;
    sim_free_datagrams(host->net->sockets[socket].first);
    host->net->sockets[socket] = (sim_socket_t){.is_open = false};
}

static int socket_defaults(rj_sockets_t *sockets, int32_t *ret_sndbuf_bytes,
                           int32_t *ret_rcvbuf_bytes, int32_t *ret_sndbuf_bytes_max,
                           int32_t *ret_rcvbuf_bytes_max, rj_err_t *err)
{
    (void)sockets;
    (void)err;
    *ret_sndbuf_bytes = BUFFER_DEFAULT_BYTES;
    *ret_rcvbuf_bytes = BUFFER_DEFAULT_BYTES;
    *ret_sndbuf_bytes_max = BUFFER_MAX_BYTES;
    *ret_rcvbuf_bytes_max = BUFFER_MAX_BYTES;
    return 0;
}

/* All paths are of one MTU here. */
static uint32_t socket_path_mtu(rj_sockets_t *sockets, int socket)
{
    (void)sockets;
    (void)socket;
    return 0;
}

static int socket_reconnect(rj_sockets_t *sockets, int socket, bool is_anywhere,
                            const rj_address_t *address, rj_address_t *ret_local)
{
    sim_socket_t *found = &((sim_host_t *)sockets)->net->sockets[socket];
    (void)is_anywhere; /* hosts have one address */
    found->peer = *address;
    *ret_local = found->local;
    return 0;
}

static const rj_sockets_ops_t socket_ops = {.open = socket_open,
                                            .close = socket_close,
                                            .defaults = socket_defaults,
                                            .path_mtu = socket_path_mtu,
                                            .reconnect = socket_reconnect};

/* --- hosts and the rest --- */

static rj_address_t host_address(int index, bool is_ipv6)
{
    uint8_t v4[4] = {10, 0, 0, (uint8_t)(index + 1)};
    uint8_t v6[16] = {0xfd, 0, [15] = (uint8_t)(index + 1)};
    return is_ipv6 ? rj_address_ipv6(v6, 0, 0) : rj_address_ipv4(v4, 0);
}

sim_net_t *sim_net_open(uint64_t seed, bool is_ipv6)
{
    sim_net_t *net = calloc(1, sizeof(*net));
    if (net == NULL)
        abort();
    rj_prng_init(&net->prng, seed);
    rj_prng_init(&net->merge_prng, ~seed);
    net->now_ns = INT64_C(1000000000);
    net->trace = UINT64_C(0xcbf29ce484222325);
    for (int i = 0; i < SIM_HOSTS_MAX; i++) {
        net->hosts[i] = (sim_host_t){.sockets = {.ops = &socket_ops},
                                     .net = net,
                                     .index = i,
                                     .next_port = EPHEMERAL_FIRST,
                                     .address = host_address(i, is_ipv6)};
    }
    return net;
}

void sim_net_close(sim_net_t *net)
{
    for (int i = 0; i < SIM_SOCKETS_MAX; i++)
        sim_free_datagrams(net->sockets[i].first);
    for (int i = 0; i < SIM_HOSTS_MAX * RJ_ENGINES_MAX; i++)
        sim_free_datagrams(net->hosts[i / RJ_ENGINES_MAX].ring[i % RJ_ENGINES_MAX].first);
    while (net->heap_count > 0)
        free(heap_pop(net));
    free(net->heap);
    free(net);
}

sim_faults_t *sim_net_faults(sim_net_t *net)
{
    return &net->faults;
}

const sim_net_stats_t *sim_net_stats(const sim_net_t *net)
{
    return &net->stats;
}

int64_t sim_net_now_ns(const sim_net_t *net)
{
    return net->now_ns;
}

int64_t sim_net_deadline_ns(const sim_net_t *net)
{
    return net->heap_count > 0 ? net->heap[0]->due_ns : INT64_MAX;
}

int64_t sim_net_under_way(const sim_net_t *net)
{
    return (int64_t)net->heap_count;
}

sim_host_t *sim_net_host(sim_net_t *net, int index)
{
    return &net->hosts[index];
}

sim_rings_t *sim_host_rings(sim_host_t *host)
{
    return &host->rings;
}

rj_sockets_t *sim_host_sockets(sim_host_t *host)
{
    return &host->sockets;
}

void sim_host_print_address(const sim_host_t *host, int port, char *text, size_t size)
{
    char printed[RJ_ADDRESS_TEXT_BYTES];
    rj_address_t address = host->address;
    address.port = (uint16_t)port;
    rj_address_print(&address, printed);
    snprintf(text, size, "%s", printed);
}

rj_interface_t sim_host_interface(const sim_host_t *host)
{
    return (rj_interface_t){.name = "sim0",
                            .index = 1,
                            .flags = RJ_INTERFACE_UP | RJ_INTERFACE_MULTICAST,
                            .address = host->address,
                            .prefix_bits = 24};
}

int sim_host_socket_count(const sim_host_t *host)
{
    int count = 0;
    for (int i = 0; i < SIM_SOCKETS_MAX; i++)
        count += host->net->sockets[i].is_open && host->net->sockets[i].host == host->index;
    return count;
}

void sim_host_crash(sim_host_t *host)
{
    host->is_crashed = true;
}
