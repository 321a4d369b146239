/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/af_xdp.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "transport/datagram.h"
#include "transport/endpoint_table.h"
#include "transport/xdp_ring.h"

enum {
    RUNS_MAX = 512, /* of one send: what the engine's batch holds */
    SCRATCH_ALIGN = 64,
};

/* Unless they brought the last packet, the sockets, of which each is a system call, may wait so
 * long: an engine that spins pays for none of them, one that has slept asks them at once. */
static const int64_t sockets_interval_ns = 20000;
static const int64_t long_ago_ns = INT64_MIN / 2;

typedef struct af_xdp {
    rj_port_t base;
    rj_port_t *sockets;
    uint64_t next_run_number;
    uint64_t sockets_sent_until;    /* in their numbering: above every run they were given */
    uint64_t sockets_drained_until; /* in ours: they had sent everything below */

    uint32_t ring_count;
    uint32_t first_ring; /* where the next poll begins */
    rj_xdp_ring_t rings[RJ_AF_XDP_RINGS_MAX];
    rj_xsk_t xsks[RJ_AF_XDP_RINGS_MAX];
    rj_umem_t umem;
    uint16_t identification;

    rj_endpoint_table_t endpoints;
    uint32_t receive_batch;
    int64_t rings_brought_ns; /* when a ring last had a packet */
    int64_t sockets_brought_ns;
    int64_t sockets_polled_ns;
    bool sockets_waited; /* the batch was full when it was their turn */
    /* A place for each packet of a batch that cannot stay where it came: in several frames, or for
     * one more endpoint, which may write to it. */
    uint8_t *scratch;
    size_t scratch_stride;

    rj_run_t socket_runs[RUNS_MAX];
    uint32_t socket_run_index[RUNS_MAX];
    rj_af_xdp_stats_t stats;
} af_xdp_t;

static af_xdp_t *from_port(rj_port_t *port)
{
    return (af_xdp_t *)port;
}

/* --- send --- */

/* The ring that can send all of the run; NULL: the sockets do. */
static rj_xdp_ring_t *ring_of(af_xdp_t *xdp, const rj_run_t *run)
{
    const rj_path_header_t *header = run->path->header;
    if (header == NULL)
        return NULL;
    const uint32_t longest =
        run->total_bytes < run->segment_bytes ? run->total_bytes : run->segment_bytes;
    if (longest > header->payload_bytes_max)
        return NULL;
    for (uint32_t i = 0; i < xdp->ring_count; i++) {
        rj_xdp_ring_t *ring = &xdp->rings[i];
        if (ring->interface_index == header->interface_index)
            return !ring->is_gone && header->length_bytes + longest <= ring->send_room_bytes ? ring
                                                                                             : NULL;
    }
    return NULL;
}

static bool put(af_xdp_t *xdp, rj_xdp_ring_t *ring, const rj_run_t *run, uint32_t offset,
                uint32_t length)
{
    const rj_path_header_t *header = run->path->header;
    const uint16_t identification = xdp->identification++;
    if (rj_xdp_ring_put(ring, header, run->start + offset, length, identification))
        return true;
    rj_xdp_ring_flush(ring);
    return rj_xdp_ring_put(ring, header, run->start + offset, length, identification);
}

static void send_by_ring(af_xdp_t *xdp, rj_xdp_ring_t *ring, rj_run_t *run)
{
    uint32_t offset = 0;
    assert(run->segment_bytes > 0);
    while (offset < run->total_bytes && !ring->is_full) {
        const uint32_t left = run->total_bytes - offset;
        const uint32_t length = left < run->segment_bytes ? left : run->segment_bytes;
        if (put(xdp, ring, run, offset, length)) {
            offset += length;
        } else {
            ring->is_full = true;
            rj_xdp_count(&ring->stats.tx_ring_full, 1);
        }
    }
    run->result = (int32_t)offset;
}

static uint64_t datagrams_of(const rj_run_t *run)
{
    if (run->result <= 0)
        return 0;
    return ((uint32_t)run->result + run->segment_bytes - 1) / run->segment_bytes;
}

/* All runs for the sockets go in one call, so that their batches stay whole. */
static void send_by_sockets(af_xdp_t *xdp, rj_run_t *runs, uint32_t count)
{
    if (count == 0)
        return;
    const int looked_at = xdp->sockets->ops->send(xdp->sockets, xdp->socket_runs, count);
    uint64_t datagrams = 0;
    for (int i = 0; i < looked_at; i++) {
        const rj_run_t *sent = &xdp->socket_runs[i];
        runs[xdp->socket_run_index[i]].result = sent->result;
        datagrams += datagrams_of(sent);
    }
    if (looked_at > 0)
        xdp->sockets_sent_until = xdp->socket_runs[looked_at - 1].number + 1;
    rj_xdp_count(&xdp->stats.socket_sends, datagrams);
}

static int af_xdp_send(rj_port_t *port, rj_run_t *runs, size_t count)
{
    af_xdp_t *xdp = from_port(port);
    const uint32_t looked_at = count < RUNS_MAX ? (uint32_t)count : RUNS_MAX;
    uint32_t socket_count = 0;
    for (uint32_t i = 0; i < looked_at; i++) {
        runs[i].number = xdp->next_run_number++;
        runs[i].result = 0;
        rj_xdp_ring_t *ring = ring_of(xdp, &runs[i]);
        if (ring != NULL) {
            send_by_ring(xdp, ring, &runs[i]);
        } else {
            xdp->socket_run_index[socket_count] = i;
            xdp->socket_runs[socket_count++] = runs[i];
        }
    }
    for (uint32_t i = 0; i < xdp->ring_count; i++) {
        if (xdp->rings[i].has_unsent)
            rj_xdp_ring_flush(&xdp->rings[i]);
        xdp->rings[i].is_full = false;
    }
    send_by_sockets(xdp, runs, socket_count);
    return (int)looked_at;
}

/* The rings have copied everything; the sockets have a numbering of their own, of which it is
 * enough to know whether they are done with all they were given. */
static uint64_t af_xdp_reclaim(rj_port_t *port)
{
    af_xdp_t *xdp = from_port(port);
    if (xdp->sockets->ops->reclaim(xdp->sockets) >= xdp->sockets_sent_until)
        xdp->sockets_drained_until = xdp->next_run_number;
    return xdp->sockets_drained_until;
}

/* --- receive --- */

/* Where the packets of a poll go. */
typedef struct sink {
    rj_packet_t *packets;
    uint32_t filled;
    uint32_t count;
    int64_t now_ns;
} sink_t;

static uint8_t *scratch_of(const af_xdp_t *xdp, uint32_t index)
{
    return xdp->scratch + index * xdp->scratch_stride;
}

/* Where a whole frame goes there, so that its payload begins where one in the UMEM does. */
static uint8_t *frame_scratch_of(const af_xdp_t *xdp, uint32_t index)
{
    return scratch_of(xdp, index) + RJ_UMEM_HEADROOM_BYTES;
}

static bool is_peer(const rj_address_t *peer, const rj_address_t *source)
{
    rj_address_t scoped = *peer;
    scoped.scope_id = source->scope_id;
    return rj_address_equal(&scoped, source);
}

/* Whether the kernel would give it to the endpoint's socket too, going by more than the address:
 * a connected one hears its peer alone, a member of a group what comes where it has joined. */
static bool hears(const rj_endpoint_t *endpoint, const rj_xdp_ring_t *ring,
                  const rj_datagram_t *datagram)
{
    if (endpoint->group_link != 0 && endpoint->group_link != ring->interface_index)
        return false;
    return endpoint->peer.family == AF_UNSPEC || is_peer(&endpoint->peer, &datagram->source);
}

static void give(af_xdp_t *xdp, const rj_datagram_t *datagram, rj_endpoint_t *endpoint,
                 bool is_first, sink_t *sink)
{
    uint8_t *data = datagram->payload;
    if (!is_first)
        data = memcpy(scratch_of(xdp, sink->filled), data, datagram->payload_bytes);
    sink->packets[sink->filled++] = (rj_packet_t){.data = data,
                                                  .length_bytes = datagram->payload_bytes,
                                                  .endpoint = endpoint,
                                                  .receive_time_ns = sink->now_ns,
                                                  .source = datagram->source};
}

static void deliver(af_xdp_t *xdp, rj_xdp_ring_t *ring, const rj_datagram_t *datagram, sink_t *sink)
{
    const rj_endpoint_table_t *table = &xdp->endpoints;
    const rj_address_t *to = &datagram->destination;
    bool is_first = true;
    for (int32_t entry = rj_endpoint_table_first(table, to); entry >= 0;
         entry = rj_endpoint_table_next(table, entry, to)) {
        rj_endpoint_t *endpoint = table->entries[entry].endpoint;
        if (!hears(endpoint, ring, datagram))
            continue;
        if (sink->filled == sink->count)
            rj_xdp_count(&ring->stats.rx_fan_out_cut, 1);
        else
            give(xdp, datagram, endpoint, is_first, sink);
        is_first = false;
    }
    if (is_first)
        rj_xdp_count(&ring->stats.rx_unknown, 1);
}

static void on_frame(af_xdp_t *xdp, rj_xdp_ring_t *ring, const rj_xdp_frame_t *frame, sink_t *sink)
{
    rj_datagram_t datagram;
    switch (
        rj_datagram_parse(frame->bytes, frame->length_bytes, ring->interface_index, &datagram)) {
    case RJ_DATAGRAM_GOOD:
        deliver(xdp, ring, &datagram, sink);
        break;
    case RJ_DATAGRAM_MALFORMED:
        rj_xdp_count(&ring->stats.rx_malformed, 1);
        break;
    case RJ_DATAGRAM_CHECKSUM:
        rj_xdp_count(&ring->stats.rx_checksum_errors, 1);
        break;
    }
}

/* Whether a frame for as many endpoints as there may be would fit; an empty batch must do. */
static bool has_room(const af_xdp_t *xdp, const sink_t *sink)
{
    const uint32_t room = sink->count - sink->filled;
    return room > 0 && (room >= xdp->endpoints.fan_out_max || sink->filled == 0);
}

/* Reads as many frames at most as a batch has packets, whatever becomes of them. */
static void poll_ring(af_xdp_t *xdp, rj_xdp_ring_t *ring, sink_t *sink)
{
    rj_xdp_frame_t frame;
    for (uint32_t looked_at = 0; looked_at < sink->count && has_room(xdp, sink); looked_at++) {
        if (!rj_xdp_ring_next(ring, frame_scratch_of(xdp, sink->filled), &frame))
            break;
        on_frame(xdp, ring, &frame, sink);
    }
    rj_xdp_ring_release(ring);
}

static void poll_rings(af_xdp_t *xdp, sink_t *sink)
{
    const uint32_t before = sink->filled;
    for (uint32_t i = 0; i < xdp->ring_count; i++) {
        const uint32_t at = xdp->first_ring + i;
        poll_ring(xdp, &xdp->rings[at < xdp->ring_count ? at : at - xdp->ring_count], sink);
    }
    xdp->first_ring = xdp->first_ring + 1 < xdp->ring_count ? xdp->first_ring + 1 : 0;
    if (sink->filled > before)
        xdp->rings_brought_ns = sink->now_ns;
}

static void poll_sockets(af_xdp_t *xdp, sink_t *sink)
{
    const uint32_t room = sink->count - sink->filled;
    xdp->sockets_waited = room == 0;
    if (room == 0)
        return;
    const int got =
        xdp->sockets->ops->poll(xdp->sockets, sink->packets + sink->filled, room, sink->now_ns);
    xdp->sockets_polled_ns = sink->now_ns;
    if (got > 0)
        xdp->sockets_brought_ns = sink->now_ns;
    sink->filled += (uint32_t)got;
    rj_xdp_count(&xdp->stats.socket_receives, (uint64_t)got);
}

static int af_xdp_poll(rj_port_t *port, rj_packet_t *packets, size_t count, int64_t now_ns)
{
    af_xdp_t *xdp = from_port(port);
    sink_t sink = {.packets = packets, .now_ns = now_ns};
    sink.count = count < xdp->receive_batch ? (uint32_t)count : xdp->receive_batch;
    for (uint32_t i = 0; i < xdp->ring_count; i++) {
        rj_xdp_ring_recycle(&xdp->rings[i]);
        rj_xdp_ring_flush(&xdp->rings[i]);
    }
    const bool is_sockets_turn = now_ns - xdp->sockets_polled_ns >= sockets_interval_ns ||
                                 xdp->sockets_brought_ns >= xdp->rings_brought_ns;
    const bool have_waited = is_sockets_turn && xdp->sockets_waited;
    if (have_waited)
        poll_sockets(xdp, &sink);
    poll_rings(xdp, &sink);
    if (is_sockets_turn && !have_waited)
        poll_sockets(xdp, &sink);
    return (int)sink.filled;
}

static int af_xdp_take_error(rj_port_t *port, rj_endpoint_t **ret_endpoint)
{
    af_xdp_t *xdp = from_port(port);
    return xdp->sockets->ops->take_error(xdp->sockets, ret_endpoint);
}

/* --- attach --- */

static int af_xdp_attach(rj_port_t *port, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    af_xdp_t *xdp = from_port(port);
    int result = rj_endpoint_table_add(&xdp->endpoints, endpoint);
    if (result < 0 || role == RJ_ATTACH_GUEST)
        return result;
    result = xdp->sockets->ops->attach(xdp->sockets, endpoint, role);
    if (result < 0)
        rj_endpoint_table_remove(&xdp->endpoints, endpoint);
    return result;
}

static void af_xdp_detach(rj_port_t *port, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    af_xdp_t *xdp = from_port(port);
    rj_endpoint_table_remove(&xdp->endpoints, endpoint);
    if (role == RJ_ATTACH_HOME)
        xdp->sockets->ops->detach(xdp->sockets, endpoint, role);
}

/* --- open, close --- */

/* All but the inner port. */
static void give_back(af_xdp_t *xdp)
{
    for (uint32_t i = 0; i < xdp->ring_count; i++)
        rj_xdp_ring_close(&xdp->rings[i]);
    rj_umem_close(&xdp->umem);
    rj_endpoint_table_close(&xdp->endpoints);
    if (xdp->scratch != NULL)
        munmap(xdp->scratch, xdp->receive_batch * xdp->scratch_stride);
    free(xdp);
}

static void af_xdp_close(rj_port_t *port)
{
    af_xdp_t *xdp = from_port(port);
    rj_port_t *sockets = xdp->sockets;
    give_back(xdp);
    sockets->ops->close(sockets);
}

static const rj_port_ops_t af_xdp_ops = {
    .name = "xdp",
    .send = af_xdp_send,
    .poll = af_xdp_poll,
    .reclaim = af_xdp_reclaim,
    .attach = af_xdp_attach,
    .detach = af_xdp_detach,
    .take_error = af_xdp_take_error,
    .close = af_xdp_close,
};

/* Sizes with the defaults filled in. */
static rj_af_xdp_params_t complete(const rj_af_xdp_params_t *params)
{
    rj_af_xdp_params_t full = *params;
    if (full.frames_per_ring == 0)
        full.frames_per_ring = RJ_AF_XDP_FRAMES_DEFAULT;
    if (full.rx_size == 0)
        full.rx_size = RJ_AF_XDP_RING_SIZE_DEFAULT;
    if (full.tx_size == 0)
        full.tx_size = RJ_AF_XDP_RING_SIZE_DEFAULT;
    return full;
}

static int check(const rj_af_xdp_params_t *params, rj_err_t *err)
{
    if (params->ring_count < 1 || params->ring_count > RJ_AF_XDP_RINGS_MAX)
        return rj_fail(err, -EINVAL, "%u rings: 1 to %d are possible", params->ring_count,
                       RJ_AF_XDP_RINGS_MAX);
    if (!rj_is_pow2(params->rx_size) || !rj_is_pow2(params->tx_size))
        return rj_fail(err, -EINVAL, "rings of %u and %u entries: powers of two are possible",
                       params->rx_size, params->tx_size);
    if (params->frames_per_ring <= params->rx_size)
        return rj_fail(err, -EINVAL, "%u frames a ring: more than the %u of its fill ring",
                       params->frames_per_ring, params->rx_size);
    return 0;
}

static int open_ring(af_xdp_t *xdp, const rj_af_xdp_params_t *params, uint32_t index, rj_err_t *err)
{
    const rj_af_xdp_ring_params_t *wanted = &params->rings[index];
    const rj_xsk_params_t xsk_params = {
        .interface_name = wanted->interface_name,
        .interface_index = wanted->interface_index,
        .queue = wanted->queue,
        .mtu_bytes = wanted->mtu_bytes,
        .mode = wanted->mode,
        .uses_segments = wanted->mtu_bytes > RJ_XSK_MTU_MAX,
        .rx_size = params->rx_size,
        .tx_size = params->tx_size,
        .fill_size = params->rx_size,
        .completion_size = params->tx_size,
    };
    rj_xsk_t *xsk = &xdp->xsks[index];
    int result = rj_xsk_open(xsk, &xsk_params, &xdp->umem, xdp->xsks, index, err);
    if (result == 0) {
        result = rj_xdp_ring_open(&xdp->rings[index], xsk, &xdp->umem, wanted,
                                  params->frames_per_ring - params->rx_size, err);
        xdp->ring_count++;
    }
    return result < 0 ? rj_err_context(err, "%s: ", wanted->interface_name) : 0;
}

static int take_scratch(af_xdp_t *xdp, rj_err_t *err)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < xdp->ring_count; i++)
        longest = (uint32_t)rj_max_i64(longest, xdp->rings[i].receive_room_bytes);
    xdp->scratch_stride = (size_t)rj_align_up(longest + RJ_UMEM_HEADROOM_BYTES, SCRATCH_ALIGN);
    /* Address space only: a place takes memory as far as packets have filled it. */
    void *memory = mmap(NULL, xdp->receive_batch * xdp->scratch_stride, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return rj_fail(err, -ENOMEM, "no memory for %u packets", xdp->receive_batch);
    xdp->scratch = memory;
    return 0;
}

static int open_all(af_xdp_t *xdp, const rj_af_xdp_params_t *params, uint32_t *ret_failed_ring,
                    rj_err_t *err)
{
    uint32_t frame_bytes = RJ_UMEM_FRAME_BYTES_MIN;
    for (uint32_t i = 0; i < params->ring_count; i++)
        frame_bytes =
            (uint32_t)rj_max_i64(frame_bytes, rj_umem_frame_bytes(params->rings[i].mtu_bytes));
    int result = rj_endpoint_table_open(&xdp->endpoints, params->port.endpoint_max, err);
    if (result == 0)
        result = rj_umem_open(&xdp->umem, frame_bytes, params->frames_per_ring * params->ring_count,
                              err);
    for (uint32_t i = 0; result == 0 && i < params->ring_count; i++) {
        result = open_ring(xdp, params, i, err);
        if (result < 0)
            *ret_failed_ring = i;
    }
    return result == 0 ? take_scratch(xdp, err) : result;
}

int rj_af_xdp_open(const rj_af_xdp_params_t *params, rj_port_t **ret_port,
                   uint32_t *ret_failed_ring, rj_err_t *err)
{
    const rj_af_xdp_params_t full = complete(params);
    *ret_failed_ring = params->ring_count;
    int result = check(&full, err);
    if (result < 0)
        return result;
    af_xdp_t *xdp = malloc(sizeof(*xdp));
    if (xdp == NULL)
        return rj_fail(err, -ENOMEM, "no memory for a port");
    *xdp = (af_xdp_t){
        .base.ops = &af_xdp_ops,
        .sockets = full.sockets,
        .receive_batch = full.port.receive_batch,
        .rings_brought_ns = long_ago_ns,
        .sockets_brought_ns = long_ago_ns,
        .sockets_polled_ns = long_ago_ns,
    };
    result = open_all(xdp, &full, ret_failed_ring, err);
    if (result < 0) {
        give_back(xdp);
        return result;
    }
    *ret_port = &xdp->base;
    return 0;
}

/* --- what others may know --- */

uint32_t rj_af_xdp_ring_count(const rj_port_t *port)
{
    return ((const af_xdp_t *)port)->ring_count;
}

void rj_af_xdp_ring_info(const rj_port_t *port, uint32_t index, rj_af_xdp_ring_info_t *ret_info)
{
    const af_xdp_t *xdp = (const af_xdp_t *)port;
    const rj_xdp_ring_t *ring = &xdp->rings[index];
    *ret_info = (rj_af_xdp_ring_info_t){
        .interface_index = ring->interface_index,
        .queue = ring->queue,
        .fd = ring->xsk->fd,
        .room_bytes = ring->receive_room_bytes,
        .is_zero_copy = ring->xsk->is_zero_copy,
        .uses_segments = ring->xsk->uses_segments,
        .stats = &ring->stats,
    };
}

const rj_af_xdp_stats_t *rj_af_xdp_stats(const rj_port_t *port)
{
    return &((const af_xdp_t *)port)->stats;
}
