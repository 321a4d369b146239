/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/ring_front.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "transport/datagram.h"
#include "transport/endpoint_table.h"
#include "transport/path_header.h"

enum {
    RUNS_MAX = 512, /* of one send: what the engine's batch holds */
    SCRATCH_ALIGN = 64,
    WAY_RINGS = 0,
    WAY_SOCKETS = 1,
    BULK_PATHS = 256, /* remembered, a power of two; who is forgotten may see his order change */
};

/* Unless they brought the last packet, the sockets, of which each is a system call, may wait so
 * long: an engine that spins pays for none of them, one that has slept asks them at once. */
static const int64_t sockets_interval_ns = 20000;
static const int64_t long_ago_ns = INT64_MIN / 2;

/* A path whose datagrams go by the sockets for now. */
typedef struct bulk_path {
    const rj_path_t *path; /* compared, never followed */
    int64_t until_ns;
} bulk_path_t;

typedef struct ring_front {
    rj_port_t base;
    rj_port_t *sockets;
    uint64_t next_run_number;
    uint64_t sockets_sent_until;    /* in their numbering: above every run they were given */
    uint64_t sockets_drained_until; /* in ours: they had sent everything below */

    uint32_t ring_count;
    uint32_t first_ring; /* where the next poll begins */
    rj_frame_ring_t *rings[RJ_RING_FRONT_RINGS_MAX];
    uint32_t bulk_datagrams_min[RJ_RING_FRONT_RINGS_MAX];
    bulk_path_t bulk_paths[BULK_PATHS];

    rj_endpoint_table_t endpoints;
    uint32_t receive_batch;
    int64_t rings_brought_ns; /* when a ring last had a packet */
    int64_t sockets_brought_ns;
    int64_t sockets_polled_ns;
    bool sockets_waited;    /* the batch was full when it was their turn */
    int64_t now_ns;         /* of the last poll */
    int64_t rings_empty_ns; /* when all of them were last found so */
    int64_t sockets_empty_ns;
    /* A place for each packet of a batch that cannot stay where it came: in several frames, or for
     * one more endpoint, which may write to it. */
    uint8_t *scratch;
    size_t scratch_stride;

    rj_run_t socket_runs[RUNS_MAX];
    uint32_t socket_run_index[RUNS_MAX];
    bool socket_run_is_bulk[RUNS_MAX];
    rj_ring_front_stats_t stats;
} ring_front_t;

static ring_front_t *from_port(rj_port_t *port)
{
    return (ring_front_t *)port;
}

/* --- send --- */

/* The number of the ring that can send all of the run; -1: the sockets do. */
static int ring_for(const ring_front_t *front, const rj_run_t *run)
{
    const rj_path_header_t *header = run->path->header;
    if (header == NULL)
        return -1;
    const uint32_t longest =
        run->total_bytes < run->segment_bytes ? run->total_bytes : run->segment_bytes;
    if (longest > header->payload_bytes_max)
        return -1;
    for (uint32_t i = 0; i < front->ring_count; i++) {
        const rj_frame_ring_t *ring = front->rings[i];
        if (ring->interface_index == header->interface_index)
            return !ring->is_gone && header->length_bytes + longest <= ring->send_room_bytes
                       ? (int)i
                       : -1;
    }
    return -1;
}

/* Whether the sockets do better than that ring, or what went last on this path may still be on its
 * way through them. */
static bool is_bulk(ring_front_t *front, int ring, const rj_run_t *run)
{
    const uint32_t datagrams_min = front->bulk_datagrams_min[ring];
    if (datagrams_min == 0 || run->path->header->takes_bulk)
        return false;
    bulk_path_t *slot =
        &front->bulk_paths[((uintptr_t)run->path / sizeof(*run->path)) % BULK_PATHS];
    if (run->total_bytes > (uint64_t)(datagrams_min - 1) * run->segment_bytes) {
        *slot = (bulk_path_t){run->path, front->now_ns + RJ_RING_FRONT_QUIET_NS};
        return true;
    }
    return slot->path == run->path && front->now_ns < slot->until_ns;
}

/* A full ring is flushed before it is taken at its word. */
static uint32_t put(rj_frame_ring_t *ring, const rj_run_t *run, uint32_t offset)
{
    const uint32_t taken = ring->ops->put(ring, run, offset);
    if (taken > 0)
        return taken;
    ring->ops->flush(ring);
    return ring->ops->put(ring, run, offset);
}

static void send_by_ring(rj_frame_ring_t *ring, rj_run_t *run)
{
    uint32_t offset = 0;
    assert(run->segment_bytes > 0);
    while (offset < run->total_bytes && !ring->is_full) {
        const uint32_t taken = put(ring, run, offset);
        offset += taken;
        if (taken == 0) {
            ring->is_full = true;
            rj_frame_ring_count(&ring->stats.tx_ring_full, 1);
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
static void send_by_sockets(ring_front_t *front, rj_run_t *runs, uint32_t count)
{
    if (count == 0)
        return;
    const int looked_at = front->sockets->ops->send(front->sockets, front->socket_runs, count);
    uint64_t datagrams = 0;
    uint64_t bulk = 0;
    for (int i = 0; i < looked_at; i++) {
        const rj_run_t *sent = &front->socket_runs[i];
        runs[front->socket_run_index[i]].result = sent->result;
        datagrams += datagrams_of(sent);
        bulk += front->socket_run_is_bulk[i] ? datagrams_of(sent) : 0;
    }
    if (looked_at > 0)
        front->sockets_sent_until = front->socket_runs[looked_at - 1].number + 1;
    rj_frame_ring_count(&front->stats.socket_sends, datagrams);
    rj_frame_ring_count(&front->stats.bulk_sends, bulk);
}

static int ring_front_send(rj_port_t *port, rj_run_t *runs, size_t count)
{
    ring_front_t *front = from_port(port);
    const uint32_t looked_at = count < RUNS_MAX ? (uint32_t)count : RUNS_MAX;
    uint32_t socket_count = 0;
    for (uint32_t i = 0; i < looked_at; i++) {
        runs[i].number = front->next_run_number++;
        runs[i].result = 0;
        const int ring = ring_for(front, &runs[i]);
        const bool goes_in_bulk = ring >= 0 && is_bulk(front, ring, &runs[i]);
        if (ring >= 0 && !goes_in_bulk) {
            send_by_ring(front->rings[ring], &runs[i]);
        } else {
            front->socket_run_is_bulk[socket_count] = goes_in_bulk;
            front->socket_run_index[socket_count] = i;
            front->socket_runs[socket_count++] = runs[i];
        }
    }
    for (uint32_t i = 0; i < front->ring_count; i++) {
        rj_frame_ring_t *ring = front->rings[i];
        if (ring->has_unsent)
            ring->ops->flush(ring);
        ring->is_full = false;
    }
    send_by_sockets(front, runs, socket_count);
    return (int)looked_at;
}

/* Rings know runs by our numbers; the sockets have a numbering of their own, of which it is enough
 * to know whether they are done with all they were given. */
static uint64_t ring_front_reclaim(rj_port_t *port)
{
    ring_front_t *front = from_port(port);
    if (front->sockets->ops->reclaim(front->sockets) >= front->sockets_sent_until)
        front->sockets_drained_until = front->next_run_number;
    uint64_t until = front->sockets_drained_until;
    for (uint32_t i = 0; i < front->ring_count; i++) {
        rj_frame_ring_t *ring = front->rings[i];
        const uint64_t done = ring->ops->reclaim != NULL ? ring->ops->reclaim(ring) : UINT64_MAX;
        until = done < until ? done : until;
    }
    return until;
}

/* --- receive --- */

/* Where the packets of a poll go. */
typedef struct sink {
    rj_packet_t *packets;
    uint32_t filled;
    uint32_t count;
    int64_t now_ns;
} sink_t;

static uint8_t *scratch_of(const ring_front_t *front, uint32_t index)
{
    return front->scratch + index * front->scratch_stride;
}

static bool is_peer(const rj_address_t *peer, const rj_address_t *source)
{
    rj_address_t scoped = *peer;
    scoped.scope_id = source->scope_id;
    return rj_address_equal(&scoped, source);
}

/* Whether the kernel would give it to the endpoint's socket too, going by more than the address:
 * a connected one hears its peer alone, a member of a group what comes where it has joined. */
static bool hears(const rj_endpoint_t *endpoint, const rj_frame_ring_t *ring,
                  const rj_datagram_t *datagram)
{
    if (endpoint->group_link != 0 && endpoint->group_link != ring->interface_index)
        return false;
    return endpoint->peer.family == AF_UNSPEC || is_peer(&endpoint->peer, &datagram->source);
}

static void give(ring_front_t *front, const rj_frame_ring_t *ring, const rj_datagram_t *datagram,
                 rj_endpoint_t *endpoint, bool is_first, sink_t *sink)
{
    uint8_t *data = datagram->payload;
    if (!is_first)
        data = memcpy(scratch_of(front, sink->filled), data, datagram->payload_bytes);
    /* Of several rings none waits for another either. */
    const int32_t way_in = front->ring_count == 1 ? WAY_RINGS : RJ_WAY_IN_UNKNOWN;
    sink->packets[sink->filled++] =
        (rj_packet_t){.data = data,
                      .length_bytes = datagram->payload_bytes,
                      .segment_bytes = ring->may_be_merged ? RJ_PACKET_UNMARKED : 0,
                      .endpoint = endpoint,
                      .receive_time_ns = sink->now_ns,
                      .source = datagram->source,
                      .way_in = way_in};
}

static void deliver(ring_front_t *front, rj_frame_ring_t *ring, const rj_datagram_t *datagram,
                    sink_t *sink)
{
    const rj_endpoint_table_t *table = &front->endpoints;
    const rj_address_t *to = &datagram->destination;
    bool is_first = true;
    for (int32_t entry = rj_endpoint_table_first(table, to); entry >= 0;
         entry = rj_endpoint_table_next(table, entry, to)) {
        rj_endpoint_t *endpoint = table->entries[entry].endpoint;
        if (!hears(endpoint, ring, datagram))
            continue;
        if (sink->filled == sink->count)
            rj_frame_ring_count(&ring->stats.rx_fan_out_cut, 1);
        else
            give(front, ring, datagram, endpoint, is_first, sink);
        is_first = false;
    }
    if (is_first)
        rj_frame_ring_count(&ring->stats.rx_unknown, 1);
}

static void on_frame(ring_front_t *front, rj_frame_ring_t *ring, const rj_ring_frame_t *frame,
                     sink_t *sink)
{
    rj_datagram_t datagram;
    switch (rj_datagram_parse(frame->bytes, frame->length_bytes, ring->interface_index,
                              frame->has_right_sum ? RJ_DATAGRAM_SUM_RIGHT : RJ_DATAGRAM_SUM_OPEN,
                              &datagram)) {
    case RJ_DATAGRAM_GOOD:
        deliver(front, ring, &datagram, sink);
        break;
    case RJ_DATAGRAM_MALFORMED:
        rj_frame_ring_count(&ring->stats.rx_malformed, 1);
        break;
    case RJ_DATAGRAM_CHECKSUM:
        rj_frame_ring_count(&ring->stats.rx_checksum_errors, 1);
        break;
    }
}

/* Whether a frame for as many endpoints as there may be would fit; an empty batch must do. */
static bool has_room(const ring_front_t *front, const sink_t *sink)
{
    const uint32_t room = sink->count - sink->filled;
    return room > 0 && (room >= front->endpoints.fan_out_max || sink->filled == 0);
}

/* Reads as many frames at most as a batch has packets, whatever becomes of them. Says whether the
 * ring was found empty. */
static bool poll_ring(ring_front_t *front, rj_frame_ring_t *ring, sink_t *sink)
{
    rj_ring_frame_t frame;
    bool is_empty = false;
    for (uint32_t looked_at = 0; looked_at < sink->count && has_room(front, sink); looked_at++) {
        is_empty = !ring->ops->next(ring, scratch_of(front, sink->filled), &frame);
        if (is_empty)
            break;
        on_frame(front, ring, &frame, sink);
    }
    ring->ops->end(ring);
    return is_empty;
}

static void poll_rings(ring_front_t *front, sink_t *sink)
{
    const uint32_t before = sink->filled;
    bool are_empty = true;
    for (uint32_t i = 0; i < front->ring_count; i++) {
        const uint32_t next = front->first_ring + i;
        const uint32_t at = next < front->ring_count ? next : next - front->ring_count;
        are_empty = poll_ring(front, front->rings[at], sink) && are_empty;
    }
    if (are_empty)
        front->rings_empty_ns = sink->now_ns;
    front->first_ring = front->first_ring + 1 < front->ring_count ? front->first_ring + 1 : 0;
    if (sink->filled > before)
        front->rings_brought_ns = sink->now_ns;
}

static void count_received(rj_ring_front_stats_t *stats, const rj_packet_t *packets, int count)
{
    uint64_t datagrams = 0, merged_bytes = 0, single_bytes = 0;
    for (int i = 0; i < count; i++) {
        const uint32_t length_bytes = packets[i].length_bytes;
        const uint32_t segment_bytes = packets[i].segment_bytes;
        datagrams += segment_bytes == 0 ? 1 : (length_bytes - 1) / segment_bytes + 1;
        merged_bytes += segment_bytes == 0 ? 0 : length_bytes;
        single_bytes += segment_bytes == 0 ? length_bytes : 0;
    }
    rj_frame_ring_count(&stats->socket_receives, datagrams);
    rj_frame_ring_count(&stats->merged_bytes, merged_bytes);
    rj_frame_ring_count(&stats->single_bytes, single_bytes);
}

static void poll_sockets(ring_front_t *front, sink_t *sink)
{
    const uint32_t room = sink->count - sink->filled;
    front->sockets_waited = room == 0;
    if (room == 0)
        return;
    const int got =
        front->sockets->ops->poll(front->sockets, sink->packets + sink->filled, room, sink->now_ns);
    front->sockets_polled_ns = sink->now_ns;
    if (got > 0)
        front->sockets_brought_ns = sink->now_ns;
    if (got < (int)room && !front->sockets->has_more)
        front->sockets_empty_ns = sink->now_ns;
    for (int i = 0; i < got; i++)
        sink->packets[sink->filled + (uint32_t)i].way_in = WAY_SOCKETS;
    sink->filled += (uint32_t)got;
    count_received(&front->stats, sink->packets + sink->filled - got, got);
}

static int ring_front_poll(rj_port_t *port, rj_packet_t *packets, size_t count, int64_t now_ns)
{
    ring_front_t *front = from_port(port);
    sink_t sink = {.packets = packets, .now_ns = now_ns};
    front->now_ns = now_ns;
    sink.count = count < front->receive_batch ? (uint32_t)count : front->receive_batch;
    for (uint32_t i = 0; i < front->ring_count; i++)
        front->rings[i]->ops->begin(front->rings[i]);
    const bool is_sockets_turn = now_ns - front->sockets_polled_ns >= sockets_interval_ns ||
                                 front->sockets_brought_ns >= front->rings_brought_ns;
    const bool have_waited = is_sockets_turn && front->sockets_waited;
    if (have_waited)
        poll_sockets(front, &sink);
    poll_rings(front, &sink);
    if (is_sockets_turn && !have_waited)
        poll_sockets(front, &sink);
    return (int)sink.filled;
}

static rj_drained_t ring_front_drained(const rj_port_t *port)
{
    const ring_front_t *front = (const ring_front_t *)port;
    return (rj_drained_t){.but_ns = {[WAY_RINGS] = front->sockets_empty_ns,
                                     [WAY_SOCKETS] = front->rings_empty_ns,
                                     [RJ_WAY_IN_UNKNOWN] = rj_min_i64(front->rings_empty_ns,
                                                                      front->sockets_empty_ns)}};
}

static int ring_front_take_error(rj_port_t *port, rj_endpoint_t **ret_endpoint)
{
    ring_front_t *front = from_port(port);
    return front->sockets->ops->take_error(front->sockets, ret_endpoint);
}

/* --- attach --- */

static int ring_front_attach(rj_port_t *port, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    ring_front_t *front = from_port(port);
    int result = rj_endpoint_table_add(&front->endpoints, endpoint);
    if (result < 0 || role == RJ_ATTACH_GUEST)
        return result;
    result = front->sockets->ops->attach(front->sockets, endpoint, role);
    if (result < 0)
        rj_endpoint_table_remove(&front->endpoints, endpoint);
    return result;
}

static void ring_front_detach(rj_port_t *port, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    ring_front_t *front = from_port(port);
    rj_endpoint_table_remove(&front->endpoints, endpoint);
    if (role == RJ_ATTACH_HOME)
        front->sockets->ops->detach(front->sockets, endpoint, role);
}

/* --- open, close --- */

/* All but rings and inner port. */
static void give_back(ring_front_t *front)
{
    rj_endpoint_table_close(&front->endpoints);
    if (front->scratch != NULL)
        munmap(front->scratch, front->receive_batch * front->scratch_stride);
    free(front);
}

static void ring_front_close(rj_port_t *port)
{
    ring_front_t *front = from_port(port);
    rj_port_t *sockets = front->sockets;
    for (uint32_t i = 0; i < front->ring_count; i++)
        front->rings[i]->ops->close(front->rings[i]);
    give_back(front);
    sockets->ops->close(sockets);
}

static void ring_front_retire(rj_port_t *port)
{
    rj_port_t *sockets = from_port(port)->sockets;
    if (sockets->ops->retire != NULL)
        sockets->ops->retire(sockets);
}

/* What the sockets behind it did. */
static const rj_port_stats_t *ring_front_socket_stats(const rj_port_t *port)
{
    const rj_port_t *sockets = ((const ring_front_t *)port)->sockets;
    return sockets->ops->stats != NULL ? sockets->ops->stats(sockets) : NULL;
}

static const rj_port_ops_t ring_front_ops = {
    .name = "rings",
    .send = ring_front_send,
    .poll = ring_front_poll,
    .reclaim = ring_front_reclaim,
    .attach = ring_front_attach,
    .detach = ring_front_detach,
    .drained = ring_front_drained,
    .take_error = ring_front_take_error,
    .close = ring_front_close,
    .retire = ring_front_retire,
    .stats = ring_front_socket_stats,
};

static int take_scratch(ring_front_t *front, rj_err_t *err)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < front->ring_count; i++) {
        const rj_frame_ring_t *ring = front->rings[i];
        const int64_t wanted = rj_max_i64(ring->receive_room_bytes, ring->scratch_bytes);
        longest = (uint32_t)rj_max_i64(longest, wanted);
    }
    front->scratch_stride = (size_t)rj_align_up(longest, SCRATCH_ALIGN);
    /* Address space only: a place takes memory as far as packets have filled it. */
    void *memory = mmap(NULL, front->receive_batch * front->scratch_stride, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return rj_fail(err, -ENOMEM, "no memory for %u packets", front->receive_batch);
    front->scratch = memory;
    return 0;
}

int rj_ring_front_open(const rj_ring_front_params_t *params, rj_port_t **ret_port, rj_err_t *err)
{
    if (params->ring_count < 1 || params->ring_count > RJ_RING_FRONT_RINGS_MAX)
        return rj_fail(err, -EINVAL, "%u rings: 1 to %d are possible", params->ring_count,
                       RJ_RING_FRONT_RINGS_MAX);
    ring_front_t *front = malloc(sizeof(*front));
    if (front == NULL)
        return rj_fail(err, -ENOMEM, "no memory for a port");
    *front = (ring_front_t){
        .base.ops = &ring_front_ops,
        .sockets = params->sockets,
        .ring_count = params->ring_count,
        .receive_batch = params->port.receive_batch,
        .rings_brought_ns = long_ago_ns,
        .sockets_brought_ns = long_ago_ns,
        .sockets_polled_ns = long_ago_ns,
        .now_ns = long_ago_ns,
        .rings_empty_ns = INT64_MIN,
        .sockets_empty_ns = INT64_MIN,
    };
    memcpy(front->rings, params->rings, params->ring_count * sizeof(front->rings[0]));
    if (params->bulk_datagrams_min != NULL)
        memcpy(front->bulk_datagrams_min, params->bulk_datagrams_min,
               params->ring_count * sizeof(front->bulk_datagrams_min[0]));
    int result = rj_endpoint_table_open(&front->endpoints, params->port.endpoint_max, err);
    if (result == 0)
        result = take_scratch(front, err);
    if (result < 0) {
        give_back(front);
        return result;
    }
    *ret_port = &front->base;
    return 0;
}

const rj_ring_front_stats_t *rj_ring_front_stats(const rj_port_t *port)
{
    return &((const ring_front_t *)port)->stats;
}
