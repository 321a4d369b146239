/* SPDX-License-Identifier: Apache-2.0 */
/* Frames at the wrong engine: a queue of the interface brings what its hash sends there, whichever
 * engine the endpoint or the image lives in.
 *
 *   arrival --> home of the endpoint --> engine of the image
 *
 * An engine that owns the image takes the frame at once, whatever way it came. Nothing goes back:
 * only the home passes on what was forwarded, and never to itself. */
#include "engine/engine_state.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/frame.h"

/* Others look at these while the engine works. */
static void count(int64_t *value)
{
    rj_store_relaxed_i64(value, *value + 1);
}

/* --- to other engines --- */

/* Where the time of arrival is wanted, the way to another engine must not count. */
static int64_t media_epoch_ns(const rj_engine_t *engine, const rj_packet_t *packet)
{
    if (packet->media_epoch_ns != 0 || !packet->endpoint->wants_media_time)
        return packet->media_epoch_ns;
    return rj_engine_epoch_ns(engine);
}

void rj_engine_forward(rj_engine_t *engine, int to, const rj_packet_t *packet, int type)
{
    const rj_forwarded_t frame = {.endpoint_id = packet->endpoint->id,
                                  .receive_time_ns = packet->receive_time_ns,
                                  .media_epoch_ns = media_epoch_ns(engine, packet),
                                  .source = packet->source,
                                  .arrival_engine = engine->arrival,
                                  .type = type,
                                  .length_bytes = packet->length_bytes,
                                  .segment_bytes = packet->segment_bytes};
    if (rj_forward_push(engine->outgoing[to], &frame, packet->data))
        count(&engine->stats.frames_forwarded);
    else
        count(&engine->stats.forward_drops);
}

/* What no home acts upon needs no way there (wire.md 4.2). */
static bool is_for(rj_endpoint_kind_t kind, int type)
{
    switch (type) {
    case RJ_FRAME_TYPE_PAD:
    case RJ_FRAME_TYPE_DATA:
    case RJ_FRAME_TYPE_SETUP:
        return kind == RJ_ENDPOINT_RECEIVE;
    case RJ_FRAME_TYPE_SM:
    case RJ_FRAME_TYPE_NAK:
    case RJ_FRAME_TYPE_ERR:
    case RJ_FRAME_TYPE_RSP_SETUP:
        return kind == RJ_ENDPOINT_SEND;
    case RJ_FRAME_TYPE_RTTM:
        return true;
    default:
        return false;
    }
}

void rj_engine_on_guest_frame(rj_engine_t *engine, const rj_packet_t *packet, int type,
                              int64_t now_ns)
{
    const rj_endpoint_t *endpoint = packet->endpoint;
    if (endpoint->kind == RJ_ENDPOINT_RECEIVE &&
        rj_receiver_on_guest_frame(engine, packet, type, now_ns))
        return;
    if (is_for(endpoint->kind, type))
        rj_engine_forward(engine, endpoint->home, packet, type);
}

/* --- from other engines --- */

static void on_forwarded_frame(rj_engine_t *engine, const rj_packet_t *packet, int type,
                               int64_t now_ns)
{
    const rj_endpoint_t *endpoint = packet->endpoint;
    if (endpoint->home == engine->params.index && endpoint->kind == RJ_ENDPOINT_SEND)
        rj_sender_on_frame(engine, packet, type, now_ns);
    else if (endpoint->home == engine->params.index)
        rj_receiver_on_frame(engine, packet, type, now_ns);
    else if (!rj_receiver_on_guest_frame(engine, packet, type, now_ns))
        count(&engine->stats.forward_strays);
}

/* Where a piece does not fit as it is, each of its datagrams is looked at anew. */
static void on_forwarded_piece(rj_engine_t *engine, const rj_packet_t *packet, int64_t now_ns)
{
    uint32_t length; /* all of it: whoever forwarded it has walked over it */
    if (rj_receiver_on_piece(engine, packet, &length, now_ns))
        return;
    rj_packet_t datagram;
    for (uint32_t at = 0; rj_packet_next(packet, &at, &datagram);) {
        const int type = rj_frame_check(datagram.data, datagram.length_bytes);
        if (type < 0)
            rj_engine_count(engine, RJ_SYSTEM_INVALID_PACKETS, 1);
        else
            on_forwarded_frame(engine, &datagram, type, now_ns);
    }
}

static void on_forwarded(rj_engine_t *engine, const rj_forwarded_t *frame, uint8_t *bytes,
                         int64_t now_ns)
{
    count(&engine->stats.frames_taken);
    rj_endpoint_t *endpoint = rj_map64_find(&engine->endpoints, frame->endpoint_id);
    if (endpoint == NULL) {
        count(&engine->stats.forward_strays);
        return;
    }
    const rj_packet_t packet = {.data = bytes,
                                .length_bytes = frame->length_bytes,
                                .segment_bytes = frame->segment_bytes,
                                .way_in = RJ_WAY_IN_UNKNOWN,
                                .endpoint = endpoint,
                                .receive_time_ns = frame->receive_time_ns,
                                .media_epoch_ns = frame->media_epoch_ns,
                                .source = frame->source};
    engine->arrival = frame->arrival_engine;
    if (packet.segment_bytes != 0)
        on_forwarded_piece(engine, &packet, now_ns);
    else
        on_forwarded_frame(engine, &packet, frame->type, now_ns);
    engine->arrival = engine->params.index;
}

/* No more than was there at first, so that a busy neighbour cannot keep this engine. */
static int take_from(rj_engine_t *engine, rj_forward_ring_t *ring, int64_t now_ns)
{
    int work = 0;
    int64_t bytes_left = RJ_FORWARD_RING_BYTES;
    rj_forwarded_t frame;
    uint8_t *bytes;
    while (bytes_left > 0 && (bytes = rj_forward_peek(ring, &frame)) != NULL) {
        bytes_left -= (int64_t)(frame.length_bytes + sizeof(frame));
        on_forwarded(engine, &frame, bytes, now_ns);
        rj_forward_release(ring);
        work++;
    }
    return work;
}

int rj_engine_take_forwarded(rj_engine_t *engine, int64_t now_ns)
{
    int work = 0;
    for (int i = 0; i < RJ_ENGINES_MAX; i++) {
        if (engine->incoming[i] != NULL)
            work += take_from(engine, engine->incoming[i], now_ns);
    }
    return work;
}

bool rj_engine_has_forwarded(const rj_engine_t *engine)
{
    for (int i = 0; i < RJ_ENGINES_MAX; i++) {
        if (engine->incoming[i] != NULL && rj_forward_has_frames(engine->incoming[i]))
            return true;
    }
    return false;
}

/* --- endpoints --- */

/* One more than the table holds gets nothing from other engines, and no port has room for it
 * either, which is told. */
void rj_engine_learn_endpoint(rj_engine_t *engine, rj_endpoint_t *endpoint)
{
    if (engine->is_joined)
        (void)rj_map64_add(&engine->endpoints, endpoint->id, endpoint);
}

void rj_engine_forget_endpoint(rj_engine_t *engine, const rj_endpoint_t *endpoint)
{
    if (engine->is_joined)
        rj_map64_remove(&engine->endpoints, endpoint->id);
}

/* --- open, close --- */

static int open_ring(rj_forward_ring_t **ret_ring, rj_err_t *err)
{
    rj_forward_ring_t *ring = aligned_alloc(_Alignof(rj_forward_ring_t), sizeof(*ring));
    if (ring == NULL)
        return rj_fail(err, -ENOMEM, "no memory for a ring between engines");
    const int result = rj_forward_open(ring, RJ_FORWARD_RING_BYTES, err);
    if (result < 0)
        free(ring);
    else
        *ret_ring = ring;
    return result;
}

static int join_one(rj_engine_t *const *engines, int count, int index, rj_err_t *err)
{
    rj_engine_t *engine = engines[index];
    int result = rj_map64_open(&engine->endpoints, RJ_PORT_ENDPOINTS_MAX, err);
    if (result == 0)
        result = rj_image_table_open(&engine->guest_images, RJ_ENGINE_IMAGES_MAX, err);
    for (int i = 0; result == 0 && i < count; i++) {
        if (i == index)
            continue;
        result = open_ring(&engine->incoming[i], err);
        engines[i]->outgoing[index] = engine->incoming[i];
    }
    engine->is_joined = true;
    return result;
}

int rj_engine_join(rj_engine_t *const *engines, int count, rj_err_t *err)
{
    int result = 0;
    for (int i = 0; count > 1 && result == 0 && i < count; i++)
        result = join_one(engines, count, i, err);
    return result;
}

void rj_engine_close_rings(rj_engine_t *engine)
{
    for (int i = 0; i < RJ_ENGINES_MAX; i++) {
        if (engine->incoming[i] == NULL)
            continue;
        rj_forward_close(engine->incoming[i]);
        free(engine->incoming[i]);
    }
    rj_map64_close(&engine->endpoints);
    rj_image_table_close(&engine->guest_images);
}
