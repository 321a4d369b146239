/* SPDX-License-Identifier: Apache-2.0 */
/* The destinations of a channel as its engine knows them: they join and leave, by command or by
 * their status messages, and frames are found to be theirs. */
#include "engine/sender_fan_out.h"

#include <errno.h>

#include "endpoint/fan_out.h"

static rj_send_endpoint_t *endpoint_of(const rj_packet_t *packet)
{
    return (rj_send_endpoint_t *)packet->endpoint;
}

/* --- join and leave --- */

static void on_joined(rj_engine_t *engine, const rj_send_endpoint_t *endpoint,
                      const rj_send_destination_t *destination)
{
    for (int32_t i = 0; i < engine->publication_count; i++) {
        rj_publication_slot_t *slot = &engine->publications[i];
        if (slot->endpoint != endpoint)
            continue;
        rj_fan_out_on_joined(slot->publication->fan_out, destination, slot->publication->snd_pos);
        slot->due_ns = RJ_ENGINE_DUE_NOW; /* it is told of the stream */
    }
}

static void on_leaving(rj_engine_t *engine, const rj_send_endpoint_t *endpoint,
                       const rj_send_destination_t *destination)
{
    for (int32_t i = 0; i < engine->publication_count; i++) {
        const rj_publication_slot_t *slot = &engine->publications[i];
        if (slot->endpoint == endpoint)
            rj_fan_out_on_left(slot->publication->fan_out, destination);
    }
}

void rj_sender_add_destination(rj_engine_t *engine, rj_send_endpoint_t *endpoint,
                               rj_send_destination_t *destination)
{
    if (rj_send_destinations_add(endpoint->destinations, destination) < 0)
        engine->stats.destinations_dropped++;
    else
        on_joined(engine, endpoint, destination);
}

void rj_sender_remove_destination(rj_engine_t *engine, rj_send_endpoint_t *endpoint,
                                  rj_send_destination_t *destination)
{
    if (destination->slot < 0)
        return;
    on_leaving(engine, endpoint, destination);
    rj_send_destinations_remove(endpoint->destinations, destination);
}

void rj_sender_move_destination(rj_engine_t *engine, rj_send_endpoint_t *endpoint,
                                rj_send_destination_t *destination, const rj_address_t *address)
{
    if (destination->slot < 0)
        return;
    on_leaving(engine, endpoint, destination);
    rj_send_destinations_move(endpoint->destinations, destination, address);
    on_joined(engine, endpoint, destination);
}

/* --- whose frame it is --- */

rj_send_destination_t *rj_sender_find_destination(const rj_packet_t *packet)
{
    const rj_send_destinations_t *set = endpoint_of(packet)->destinations;
    return set == NULL ? NULL : rj_send_destinations_find_address(set, &packet->source);
}

int64_t rj_sender_destination_registration_id(const rj_packet_t *packet, int64_t receiver_id)
{
    const rj_send_destinations_t *set = endpoint_of(packet)->destinations;
    const rj_send_destination_t *destination =
        set == NULL ? NULL : rj_send_destinations_find(set, &packet->source, receiver_id);
    return destination == NULL ? RJ_SEND_DESTINATION_ID_NULL : destination->registration_id;
}

/* A new one is told to whoever gives paths their headers, or it does not join now: its next status
 * message comes soon. */
static rj_send_destination_t *join(rj_engine_t *engine, const rj_packet_t *packet, int64_t now_ns)
{
    rj_send_endpoint_t *endpoint = endpoint_of(packet);
    rj_send_destinations_t *set = endpoint->destinations;
    rj_engine_event_t *event = NULL;
    if (set->tells) {
        event = rj_engine_claim_event(engine, RJ_ENGINE_SEND_DESTINATION_JOINED);
        if (event == NULL)
            return NULL;
    }
    rj_send_destination_t *destination =
        rj_send_destinations_join(set, &endpoint->base, &packet->source, now_ns);
    if (destination == NULL) {
        engine->stats.destinations_dropped++;
        rj_engine_note_address_error(engine, &endpoint->base, &packet->source, -ENOSPC, now_ns);
        return NULL;
    }
    on_joined(engine, endpoint, destination);
    if (event != NULL) {
        event->send_endpoint = endpoint;
        event->destination = destination;
        rj_engine_publish_event(engine);
    }
    return destination;
}

rj_send_destination_t *rj_sender_hear_destination(rj_engine_t *engine, const rj_packet_t *packet,
                                                  int64_t receiver_id, int64_t now_ns)
{
    rj_send_destinations_t *set = endpoint_of(packet)->destinations;
    if (set == NULL)
        return NULL;
    rj_send_destination_t *destination =
        rj_send_destinations_find(set, &packet->source, receiver_id);
    if (destination == NULL && set->is_dynamic)
        destination = join(engine, packet, now_ns);
    if (destination != NULL)
        rj_send_destinations_touch(set, destination, receiver_id, now_ns);
    return destination;
}

void rj_sender_fan_out_on_sm(rj_network_publication_t *publication,
                             const rj_send_destination_t *destination, const rj_wire_sm_t *sm,
                             int64_t now_ns)
{
    const rj_log_t *log = publication->log;
    if ((sm->flags & RJ_SM_FLAG_SEND_SETUP) != 0)
        return;
    const int64_t sm_pos = rj_position_pack(sm->consumption_term_id, sm->consumption_term_offset,
                                            log->position_shift, log->initial_term_id);
    rj_fan_out_on_sm(publication->fan_out, destination, sm, sm_pos, publication->snd_pos, now_ns);
}

/* --- answers --- */

static void answer(rj_engine_t *engine, const rj_send_destination_t *destination, const void *frame,
                   uint32_t length_bytes)
{
    if (!rj_send_batch_add_frame(&engine->batch, &destination->path, frame, length_bytes))
        engine->stats.frames_dropped++;
}

void rj_sender_fan_out_answer(rj_engine_t *engine, const rj_packet_t *packet,
                              const rj_network_publication_t *publication, const void *frame,
                              uint32_t length_bytes)
{
    const rj_fan_out_t *fan = publication->fan_out;
    const rj_send_destination_t *destination = rj_sender_find_destination(packet);
    if (destination != NULL) {
        answer(engine, destination, frame, length_bytes);
        return;
    }
    for (int32_t i = 0; i < fan->target_count; i++)
        answer(engine, fan->destinations->slots[fan->targets[i].slot], frame, length_bytes);
}
