/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_state.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"
#include "proto/frame.h"

static const int64_t io_error_interval_ns = INT64_C(1000000000);

/* --- what is counted and told --- */

void rj_engine_flush_counts(rj_engine_t *engine)
{
    for (; engine->counted != 0; engine->counted &= engine->counted - 1) {
        const int id = __builtin_ctzll(engine->counted);
        rj_system_counter_add(engine->params.system_counters, id, engine->counts[id]);
        engine->counts[id] = 0;
    }
}

rj_engine_event_t *rj_engine_claim_event(rj_engine_t *engine, rj_engine_event_type_t type)
{
    rj_engine_event_t *event = rj_ring_spsc_claim(&engine->events);
    if (event == NULL || rj_ring_spsc_free_count(&engine->events) <= RJ_ENGINE_EVENT_RING / 2) {
        engine->stats.events_dropped++;
        rj_engine_count(engine, RJ_SYSTEM_CONDUCTOR_PROXY_FAILS, 1);
        return NULL;
    }
    event->type = type;
    event->stream_id = 0;
    event->value = 0;
    event->send_endpoint = NULL;
    event->receive_endpoint = NULL;
    event->receive_destination = NULL;
    event->publication = NULL;
    event->image = NULL;
    event->position = NULL;
    event->header = NULL;
    event->destination = NULL;
    return event;
}

void rj_engine_publish_event(rj_engine_t *engine)
{
    rj_ring_spsc_publish(&engine->events);
}

/* Remembers the error; true when it was told within the interval. */
static bool was_told(rj_engine_t *engine, const rj_endpoint_t *endpoint, int code, int64_t now_ns)
{
    for (int i = 0; i < RJ_ENGINE_IO_ERRORS_MAX; i++) {
        rj_io_error_t *error = &engine->io_errors[i];
        if (error->endpoint != endpoint || error->code != code)
            continue;
        if (now_ns - error->told_ns < io_error_interval_ns)
            return true;
        error->told_ns = now_ns;
        return false;
    }
    engine->io_errors[engine->next_io_error] =
        (rj_io_error_t){.endpoint = endpoint, .code = code, .told_ns = now_ns};
    engine->next_io_error = (engine->next_io_error + 1) % RJ_ENGINE_IO_ERRORS_MAX;
    return false;
}

void rj_engine_note_address_error(rj_engine_t *engine, rj_endpoint_t *endpoint,
                                  const rj_address_t *address, int code, int64_t now_ns)
{
    if (was_told(engine, endpoint, code, now_ns))
        return;
    rj_engine_event_t *event = rj_engine_claim_event(engine, RJ_ENGINE_IO_ERROR);
    if (event == NULL)
        return;
    event->value = code;
    event->address = *address;
    if (endpoint->kind == RJ_ENDPOINT_SEND)
        event->send_endpoint = (rj_send_endpoint_t *)endpoint;
    else
        event->receive_destination = (rj_receive_destination_t *)endpoint;
    rj_engine_publish_event(engine);
}

void rj_engine_note_io_error(rj_engine_t *engine, rj_endpoint_t *endpoint, int code, int64_t now_ns)
{
    const rj_address_t none = {.family = AF_UNSPEC};
    rj_engine_note_address_error(engine, endpoint, &none, code, now_ns);
}

/* --- packets --- */

static void on_datagram(rj_engine_t *engine, const rj_packet_t *packet, int64_t now_ns)
{
    if (engine->params.interceptor != NULL &&
        !rj_interceptor_passes(engine->params.interceptor, packet))
        return;
    const bool is_receiver = packet->endpoint->kind == RJ_ENDPOINT_RECEIVE;
    if (is_receiver)
        rj_engine_count(engine, RJ_SYSTEM_BYTES_RECEIVED, packet->length_bytes);
    const int type = rj_frame_check(packet->data, packet->length_bytes);
    if (type < 0)
        rj_engine_count(engine, RJ_SYSTEM_INVALID_PACKETS, 1);
    else if (packet->endpoint->home != engine->params.index)
        rj_engine_on_guest_frame(engine, packet, type, now_ns);
    else if (is_receiver)
        rj_receiver_on_frame(engine, packet, type, now_ns);
    else
        rj_sender_on_frame(engine, packet, type, now_ns);
}

/* Takes the first of several datagrams that came merged, and all that are one piece with it; at
 * once if that may be, as mostly it is. Returns their bytes. */
static uint32_t on_piece(rj_engine_t *engine, const rj_packet_t *packet, int64_t now_ns)
{
    uint32_t length;
    if (rj_receiver_on_piece(engine, packet, &length, now_ns)) {
        rj_engine_count(engine, RJ_SYSTEM_BYTES_RECEIVED, length);
        return length;
    }
    rj_packet_t piece = *packet;
    piece.length_bytes = length;
    rj_packet_t datagram;
    for (uint32_t at = 0; rj_packet_next(&piece, &at, &datagram);)
        on_datagram(engine, &datagram, now_ns);
    return length;
}

/* By their frames alone; almost always it is one datagram. */
static void on_unmarked(rj_engine_t *engine, const rj_packet_t *packet, int64_t now_ns)
{
    rj_packet_t datagram = *packet;
    uint32_t left = packet->length_bytes;
    datagram.segment_bytes = 0;
    do {
        datagram.length_bytes = rj_frame_leading_bytes(datagram.data, left);
        on_datagram(engine, &datagram, now_ns);
        datagram.data += datagram.length_bytes;
        left -= datagram.length_bytes;
    } while (left > 0);
}

static void on_packet(rj_engine_t *engine, const rj_packet_t *packet, int64_t now_ns)
{
    if (packet->segment_bytes == RJ_PACKET_UNMARKED) {
        on_unmarked(engine, packet, now_ns);
        return;
    }
    if (packet->segment_bytes == 0) {
        on_datagram(engine, packet, now_ns);
        return;
    }
    rj_packet_t rest = *packet;
    const bool may_be_data =
        packet->endpoint->kind == RJ_ENDPOINT_RECEIVE && engine->params.interceptor == NULL;
    while (may_be_data && rest.length_bytes > 0) {
        const uint32_t taken = on_piece(engine, &rest, now_ns);
        rest.data += taken;
        rest.length_bytes -= taken;
    }
    rj_packet_t datagram;
    for (uint32_t at = 0; rj_packet_next(&rest, &at, &datagram);)
        on_datagram(engine, &datagram, now_ns);
}

static void note_poll_errors(rj_engine_t *engine, rj_port_t *port, int64_t now_ns)
{
    for (int i = 0; i < RJ_ENGINE_IO_ERRORS_MAX; i++) {
        rj_endpoint_t *endpoint;
        const int code = port->ops->take_error(port, &endpoint);
        if (code == 0)
            return;
        rj_engine_note_io_error(engine, endpoint, code, now_ns);
    }
}

/* What an image misses may wait at a door that nobody has looked behind yet. */
static void note_drained(rj_engine_t *engine)
{
    rj_drained_t *drained = &engine->drained;
    *drained = (rj_drained_t){.but_ns = {INT64_MAX, INT64_MAX, INT64_MAX}};
    for (int i = 0; i < engine->params.port_count; i++) {
        const rj_port_t *port = engine->params.ports[i];
        if (port->ops->drained == NULL)
            continue;
        const rj_drained_t of_port = port->ops->drained(port);
        for (int way_in = 0; way_in <= RJ_WAYS_IN; way_in++)
            drained->but_ns[way_in] = rj_min_i64(drained->but_ns[way_in], of_port.but_ns[way_in]);
    }
}

static int poll_ports(rj_engine_t *engine, int64_t now_ns)
{
    int work = 0;
    for (int i = 0; i < engine->params.port_count; i++) {
        rj_port_t *port = engine->params.ports[i];
        const int polled =
            port->ops->poll(port, engine->packets, (size_t)engine->params.receive_batch, now_ns);
        for (int n = 0; n < polled; n++)
            on_packet(engine, &engine->packets[n], now_ns);
        note_poll_errors(engine, port, now_ns);
        work += polled;
    }
    note_drained(engine);
    return work;
}

/* --- the turn --- */

static void measure_half(rj_engine_t *engine, int64_t cycle_ns, int64_t threshold_ns,
                         rj_system_counter_t max_id, rj_system_counter_t exceeded_id)
{
    if (cycle_ns > engine->cycle_ns_max)
        rj_system_counter_propose_max(engine->params.system_counters, max_id, cycle_ns);
    if (cycle_ns > threshold_ns)
        rj_engine_count(engine, exceeded_id, 1);
}

/* From the beginning of a turn to that of the next, idling included (driver.md 20.3). */
static void measure_cycle(rj_engine_t *engine, int64_t now_ns)
{
    const int64_t cycle_ns = now_ns - engine->last_turn_ns;
    const bool is_first = engine->last_turn_ns == 0;
    engine->last_turn_ns = now_ns;
    if (is_first)
        return;
    if ((engine->params.halves & RJ_ENGINE_SENDER) != 0)
        measure_half(engine, cycle_ns, engine->params.sender_threshold_ns,
                     RJ_SYSTEM_SENDER_MAX_CYCLE_TIME, RJ_SYSTEM_SENDER_CYCLE_TIME_EXCEEDED);
    if ((engine->params.halves & RJ_ENGINE_RECEIVER) != 0)
        measure_half(engine, cycle_ns, engine->params.receiver_threshold_ns,
                     RJ_SYSTEM_RECEIVER_MAX_CYCLE_TIME, RJ_SYSTEM_RECEIVER_CYCLE_TIME_EXCEEDED);
    if (cycle_ns > engine->cycle_ns_max)
        engine->cycle_ns_max = cycle_ns;
}

/* As the reference (driver.md 2.2): whoever sends much hears less often how it goes, but never less
 * often than receivers speak, and at once where the system took less than it was given. */
static bool is_poll_due(rj_engine_t *engine, int sent, int64_t now_ns)
{
    if (engine->params.halves != RJ_ENGINE_SENDER)
        return true;
    if (sent > 0 && ++engine->unpolled_turns < engine->params.status_poll_ratio &&
        now_ns < engine->poll_due_ns && engine->counts[RJ_SYSTEM_SHORT_SENDS] == 0)
        return false;
    engine->unpolled_turns = 0;
    engine->poll_due_ns = now_ns + engine->params.status_poll_interval_ns;
    return true;
}

int rj_engine_do_work(rj_engine_t *engine, int64_t now_ns)
{
    measure_cycle(engine, now_ns);
    int work = rj_engine_run_commands(engine, now_ns);
    const int sent = rj_sender_do_work(engine, now_ns);
    work += sent;
    if (is_poll_due(engine, sent, now_ns))
        work += poll_ports(engine, now_ns);
    if (engine->is_joined)
        work += rj_engine_take_forwarded(engine, now_ns);
    rj_engine_flush_counts(engine);
    work += rj_receiver_track(engine, now_ns);
    rj_receiver_flush(engine, now_ns);
    work += rj_engine_settle_debts(engine);
    rj_engine_flush_counts(engine);
    return work;
}

int64_t rj_engine_deadline_ns(const rj_engine_t *engine)
{
    if (rj_engine_has_forwarded(engine))
        return engine->last_turn_ns;
    const int64_t sender_ns = rj_sender_deadline_ns(engine);
    const int64_t receiver_ns = rj_receiver_deadline_ns(engine);
    return sender_ns < receiver_ns ? sender_ns : receiver_ns;
}

rj_ring_spsc_t *rj_engine_command_ring(rj_engine_t *engine)
{
    return &engine->commands;
}

rj_ring_spsc_t *rj_engine_event_ring(rj_engine_t *engine)
{
    return &engine->events;
}

const rj_engine_stats_t *rj_engine_stats(const rj_engine_t *engine)
{
    return &engine->stats;
}

/* --- open, close --- */

static int take_memory(rj_engine_t *engine, rj_err_t *err)
{
    engine->packets = calloc((size_t)engine->params.receive_batch, sizeof(engine->packets[0]));
    engine->publications = calloc(RJ_ENGINE_PUBLICATIONS_MAX, sizeof(engine->publications[0]));
    engine->images = calloc(RJ_ENGINE_IMAGES_MAX, sizeof(engine->images[0]));
    engine->parts = calloc(RJ_SEND_BATCH_RUNS, sizeof(engine->parts[0]));
    engine->marks = calloc(RJ_SEND_BATCH_RUNS, sizeof(engine->marks[0]));
    engine->receive_endpoints =
        calloc(RJ_ENGINE_ENDPOINTS_MAX, sizeof(engine->receive_endpoints[0]));
    if (engine->packets == NULL || engine->publications == NULL || engine->images == NULL ||
        engine->parts == NULL || engine->marks == NULL || engine->receive_endpoints == NULL)
        return rj_fail(err, -ENOMEM, "no memory for the streams of an engine");
    int result = rj_send_batch_open(&engine->batch, engine->params.ports[0], err);
    if (result == 0)
        result = rj_ring_spsc_open(&engine->commands, sizeof(rj_engine_command_t),
                                   RJ_ENGINE_COMMAND_RING, err);
    if (result == 0)
        result = rj_ring_spsc_open(&engine->events, sizeof(rj_engine_event_t), RJ_ENGINE_EVENT_RING,
                                   err);
    if (result == 0)
        result = rj_ring_spsc_open(&engine->owed, sizeof(rj_owed_event_t), RJ_ENGINE_OWED_MAX, err);
    return result;
}

static void give_memory(rj_engine_t *engine)
{
    rj_ring_spsc_close(&engine->commands);
    rj_ring_spsc_close(&engine->events);
    rj_ring_spsc_close(&engine->owed);
    rj_engine_close_rings(engine);
    rj_send_batch_close(&engine->batch);
    free(engine->packets);
    free(engine->publications);
    free(engine->images);
    free(engine->parts);
    free(engine->marks);
    free(engine->receive_endpoints);
    free(engine);
}

int rj_engine_open(rj_engine_t **ret_engine, const rj_engine_params_t *params, rj_err_t *err)
{
    if (params->port_count < 1 || params->port_count > RJ_ENGINE_PORTS_MAX)
        return rj_fail(err, -EINVAL, "an engine of %d ports: 1 to %d are possible",
                       params->port_count, RJ_ENGINE_PORTS_MAX);
    if (params->receive_batch < 1 || params->receive_batch > RJ_PORT_RECEIVE_BATCH_MAX)
        return rj_fail(err, -EINVAL, "an engine that reads %d packets at a time: 1 to %d",
                       params->receive_batch, RJ_PORT_RECEIVE_BATCH_MAX);
    if (params->index < 0 || params->index >= RJ_ENGINES_MAX)
        return rj_fail(err, -EINVAL, "engine %d: 0 to %d are possible", params->index,
                       RJ_ENGINES_MAX - 1);
    /* The rings inside want whole pairs of cache lines. */
    rj_engine_t *engine = aligned_alloc(_Alignof(rj_engine_t), sizeof(*engine));
    if (engine == NULL)
        return rj_fail(err, -ENOMEM, "no memory for an engine");
    *engine =
        (rj_engine_t){.params = *params, .pending_due_ns = INT64_MAX, .arrival = params->index};
    const int result = take_memory(engine, err);
    if (result < 0) {
        give_memory(engine);
        return result;
    }
    *ret_engine = engine;
    return 0;
}

const rj_port_stats_t *rj_engine_port_stats(const rj_engine_t *engine)
{
    const rj_port_t *port = engine->params.ports[0];
    return port->ops->stats == NULL ? NULL : port->ops->stats(port);
}

void rj_engine_retire(rj_engine_t *engine)
{
    for (int i = 0; i < engine->params.port_count; i++) {
        rj_port_t *port = engine->params.ports[i];
        if (port->ops->retire != NULL)
            port->ops->retire(port);
    }
}

void rj_engine_close(rj_engine_t *engine)
{
    if (engine == NULL)
        return;
    for (int i = 0; i < engine->params.port_count; i++)
        engine->params.ports[i]->ops->close(engine->params.ports[i]);
    rj_interceptor_close(engine->params.interceptor);
    give_memory(engine);
}
