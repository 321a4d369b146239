/* SPDX-License-Identifier: Apache-2.0 */
/* Receive destinations: they come and go while images are heard through them, and some tell their
 * control address that they are there (wire.md 7.5, 11.4; driver.md 13.3). */
#include "engine/engine_state.h"

#include <assert.h>

#include "base/bits.h"
#include "proto/frame.h"

static bool is_at_home(const rj_engine_t *engine, const rj_receive_destination_t *destination)
{
    return destination->base.home == engine->params.index;
}

/* --- asking for setups --- */

uint32_t rj_receiver_write_setup_request(rj_wire_sm_t *frame, const rj_receive_endpoint_t *endpoint,
                                         int32_t stream_id, int32_t session_id)
{
    const rj_frame_sm_t sm = {.session_id = session_id,
                              .stream_id = stream_id,
                              .receiver_id = endpoint->receiver_id,
                              .has_group_tag = endpoint->has_group_tag,
                              .group_tag = endpoint->group_tag,
                              .flags = RJ_SM_FLAG_SEND_SETUP};
    return rj_frame_write_sm(frame, &sm);
}

static void request(rj_engine_t *engine, const rj_receive_destination_t *destination,
                    int32_t stream_id, int32_t session_id, int64_t now_ns)
{
    rj_wire_sm_t frame;
    const uint32_t length =
        rj_receiver_write_setup_request(&frame, destination->endpoint, stream_id, session_id);
    (void)rj_receiver_add_frame(engine, &destination->control_path, &frame, length, now_ns);
}

/* Session and stream 0: that somebody is here, whatever it wants. */
static void register_destination(rj_engine_t *engine, rj_receive_destination_t *destination,
                                 int64_t now_ns)
{
    destination->setup_sent_ns = now_ns;
    request(engine, destination, 0, 0, now_ns);
}

void rj_receiver_elicit_setup(rj_engine_t *engine, rj_receive_endpoint_t *endpoint,
                              int32_t stream_id, int32_t session_id, int64_t now_ns)
{
    for (int32_t i = 0; i < endpoint->destination_count; i++) {
        if (rj_receive_destination_registers(endpoint->destinations[i]))
            request(engine, endpoint->destinations[i], stream_id, session_id, now_ns);
    }
    /* Commands come between the halves' work: what the next one finds is an empty batch. */
    rj_receiver_flush(engine, now_ns);
}

void rj_receiver_note_setups(rj_engine_t *engine, const rj_receive_endpoint_t *endpoint)
{
    engine->pending_due_ns =
        rj_min_i64(engine->pending_due_ns, rj_receive_endpoint_deadline_ns(endpoint));
}

int rj_receiver_work_setups(rj_engine_t *engine, int64_t now_ns)
{
    int frames = 0;
    engine->pending_due_ns = INT64_MAX;
    for (int32_t i = 0; i < engine->receive_endpoint_count; i++) {
        rj_receive_endpoint_t *endpoint = engine->receive_endpoints[i];
        rj_receive_endpoint_expire_pending(endpoint, now_ns);
        rj_receive_destination_t *destination;
        while ((destination = rj_receive_endpoint_next_setup(endpoint, now_ns)) != NULL) {
            register_destination(engine, destination, now_ns);
            frames++;
        }
        rj_receiver_note_setups(engine, endpoint);
    }
    return frames;
}

/* --- connections of images --- */

static const rj_address_t *control_of(const rj_engine_t *engine,
                                      const rj_receive_destination_t *destination)
{
    return destination->has_control ? &destination->controls[engine->params.index] : NULL;
}

/* Without room for the news the next packet brings it. */
static void tell_connected(rj_engine_t *engine, rj_received_image_t *received,
                           rj_receive_destination_t *destination)
{
    const uint32_t bit = 1u << destination->slot;
    if ((received->told_paths & bit) != 0)
        return;
    rj_engine_event_t *event = rj_engine_claim_event(engine, RJ_ENGINE_CONNECTED);
    if (event == NULL)
        return;
    event->image = &received->image;
    event->receive_destination = destination;
    event->address = received->control_paths[destination->slot].address;
    rj_engine_publish_event(engine);
    received->told_paths |= bit;
}

int rj_receiver_connect(rj_engine_t *engine, rj_received_image_t *received,
                        const rj_packet_t *packet, int64_t now_ns)
{
    rj_receive_destination_t *destination = rj_receiver_destination_of(packet);
    const int at = rj_received_image_connect(received, destination, control_of(engine, destination),
                                             &packet->source, now_ns);
    if (at >= 0)
        tell_connected(engine, received, destination);
    return at;
}

/* --- they come and go --- */

/* All images of the endpoint may be heard through it; where it has a control address they speak
 * there before it has brought them anything. */
static void connect_images(rj_engine_t *engine, rj_receive_destination_t *destination,
                           int64_t now_ns)
{
    const rj_address_t *control = control_of(engine, destination);
    for (int32_t i = 0; i < engine->image_count; i++) {
        rj_received_image_t *received = engine->images[i].received;
        if (received->endpoint != destination->endpoint ||
            rj_received_image_connect(received, destination, control, NULL, now_ns) < 0)
            continue;
        if (control != NULL)
            tell_connected(engine, received, destination);
    }
}

void rj_receiver_add_destination(rj_engine_t *engine, rj_receive_destination_t *destination,
                                 int64_t now_ns)
{
    rj_receive_endpoint_t *endpoint = destination->endpoint;
    connect_images(engine, destination, now_ns);
    if (!is_at_home(engine, destination))
        return;
    assert(endpoint->destination_count < RJ_RECEIVE_DESTINATIONS_MAX); /* the conductor looked */
    endpoint->destinations[endpoint->destination_count++] = destination;
    if (!rj_receive_destination_registers(destination))
        return;
    register_destination(engine, destination, now_ns);
    rj_receiver_flush(engine, now_ns);
    rj_receiver_note_setups(engine, endpoint);
}

static void forget(rj_receive_endpoint_t *endpoint, const rj_receive_destination_t *destination)
{
    for (int32_t i = 0; i < endpoint->destination_count; i++) {
        if (endpoint->destinations[i] != destination)
            continue;
        endpoint->destinations[i] = endpoint->destinations[--endpoint->destination_count];
        return;
    }
}

void rj_receiver_remove_destination(rj_engine_t *engine, rj_receive_destination_t *destination,
                                    int64_t now_ns)
{
    for (int32_t i = 0; i < engine->image_count; i++) {
        rj_received_image_t *received = engine->images[i].received;
        if (received->endpoint == destination->endpoint)
            rj_received_image_disconnect(received, destination, now_ns);
    }
    if (is_at_home(engine, destination))
        forget(destination->endpoint, destination);
}

void rj_receiver_set_control(rj_engine_t *engine, rj_receive_destination_t *destination,
                             const rj_address_t *control)
{
    destination->controls[engine->params.index] = *control;
    if (is_at_home(engine, destination))
        rj_path_init(&destination->control_path, &destination->base, control, false);
    for (int32_t i = 0; i < engine->image_count; i++) {
        rj_received_image_t *received = engine->images[i].received;
        if (received->endpoint == destination->endpoint)
            rj_received_image_redirect(received, destination, control);
    }
}
