/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint/fan_out.h"

#include "base/bits.h"

static rj_fan_target_t *target_of(rj_fan_out_t *fan, int32_t slot)
{
    return &fan->targets[fan->places[slot] - 1];
}

static rj_fan_target_t *add_target(rj_fan_out_t *fan, int32_t slot, int64_t next_pos)
{
    rj_fan_target_t *target = &fan->targets[fan->target_count++];
    *target = (rj_fan_target_t){.next_pos = next_pos, .slot = slot};
    fan->places[slot] = (uint16_t)fan->target_count;
    return target;
}

static void remove_target(rj_fan_out_t *fan, int32_t slot)
{
    rj_fan_target_t *target = target_of(fan, slot);
    const rj_fan_target_t *last = &fan->targets[--fan->target_count];
    fan->places[last->slot] = fan->places[slot];
    *target = *last;
    fan->places[slot] = 0;
}

/* Whether it gets every stream without being asked. */
static bool wants_all(const rj_fan_out_t *fan, const rj_send_destination_t *destination)
{
    return rj_send_destination_is_resolved(destination) &&
           (!fan->destinations->is_aware || rj_address_is_multicast(&destination->path.address));
}

void rj_fan_out_on_joined(rj_fan_out_t *fan, const rj_send_destination_t *destination,
                          int64_t snd_pos)
{
    if (wants_all(fan, destination))
        add_target(fan, destination->slot, snd_pos)->due_ns = INT64_MAX;
}

void rj_fan_out_on_left(rj_fan_out_t *fan, const rj_send_destination_t *destination)
{
    if (rj_fan_out_is_target(fan, destination->slot))
        remove_target(fan, destination->slot);
}

void rj_fan_out_init(rj_fan_out_t *fan, rj_send_destinations_t *destinations, int64_t snd_pos,
                     int64_t now_ns)
{
    fan->destinations = destinations;
    fan->due_ns = INT64_MAX;
    fan->last_probe_ns = now_ns - RJ_FAN_OUT_PROBE_NS - 1;
    for (int32_t slot = 0; slot < destinations->slot_end; slot++) {
        if (destinations->slots[slot] != NULL)
            rj_fan_out_on_joined(fan, destinations->slots[slot], snd_pos);
    }
}

/* --- who wants it --- */

/* Where a new target goes on: behind what it has, if that is not far. */
static int64_t join_pos(const rj_wire_sm_t *sm, int64_t sm_pos, int64_t snd_pos)
{
    const int64_t bytes_max = rj_min_i64(sm->receiver_window, RJ_FAN_OUT_JOIN_BYTES_MAX);
    return sm_pos <= snd_pos && snd_pos - sm_pos <= bytes_max ? sm_pos : snd_pos;
}

static void want(rj_fan_out_t *fan, int32_t slot, int64_t next_pos, int64_t snd_pos, int64_t now_ns)
{
    rj_fan_target_t *target =
        rj_fan_out_is_target(fan, slot) ? target_of(fan, slot) : add_target(fan, slot, next_pos);
    if (target->due_ns == INT64_MAX)
        return;
    target->due_ns = now_ns + RJ_SEND_DESTINATION_TIMEOUT_NS + 1;
    fan->due_ns = rj_min_i64(fan->due_ns, target->due_ns);
    fan->is_behind = fan->is_behind || target->next_pos < snd_pos;
}

/* A client may add an address twice, and then gets everything twice. */
static void want_twins(rj_fan_out_t *fan, const rj_send_destination_t *destination,
                       int64_t next_pos, int64_t snd_pos, int64_t now_ns)
{
    const rj_send_destinations_t *set = fan->destinations;
    const uint32_t key = set->address_keys[destination->slot];
    for (int32_t slot = 0; slot < set->slot_end && !set->is_dynamic; slot++) {
        if (slot != destination->slot && set->address_keys[slot] == key && key != 0 &&
            rj_address_equal(&set->slots[slot]->path.address, &destination->path.address))
            want(fan, slot, next_pos, snd_pos, now_ns);
    }
}

static void want_unheard(rj_fan_out_t *fan, int64_t snd_pos, int64_t now_ns)
{
    const rj_send_destinations_t *set = fan->destinations;
    for (int32_t slot = 0; slot < set->slot_end; slot++) {
        const rj_send_destination_t *destination = set->slots[slot];
        if (destination != NULL && !destination->has_receiver_id &&
            rj_send_destination_is_resolved(destination))
            want(fan, slot, snd_pos, snd_pos, now_ns);
    }
}

void rj_fan_out_on_sm(rj_fan_out_t *fan, const rj_send_destination_t *destination,
                      const rj_wire_sm_t *sm, int64_t sm_pos, int64_t snd_pos, int64_t now_ns)
{
    const bool is_end = (sm->flags & RJ_SM_FLAG_EOS) != 0;
    if (!fan->destinations->is_aware)
        return;
    if (destination == NULL) {
        if (!is_end)
            want_unheard(fan, snd_pos, now_ns);
    } else if (!is_end) {
        const int64_t next_pos = join_pos(sm, sm_pos, snd_pos);
        want(fan, destination->slot, next_pos, snd_pos, now_ns);
        want_twins(fan, destination, next_pos, snd_pos, now_ns);
    } else if (rj_fan_out_is_target(fan, destination->slot) &&
               target_of(fan, destination->slot)->due_ns != INT64_MAX) {
        remove_target(fan, destination->slot);
    }
}

void rj_fan_out_expire(rj_fan_out_t *fan, int64_t now_ns)
{
    if (now_ns < fan->due_ns)
        return;
    fan->due_ns = INT64_MAX;
    for (int32_t i = fan->target_count - 1; i >= 0; i--) {
        const rj_fan_target_t *target = &fan->targets[i];
        if (target->due_ns <= now_ns)
            remove_target(fan, target->slot);
        else
            fan->due_ns = rj_min_i64(fan->due_ns, target->due_ns);
    }
}

int64_t rj_fan_out_deadline_ns(const rj_fan_out_t *fan, bool has_ended)
{
    const int64_t due_ns = rj_min_i64(fan->due_ns, fan->destinations->due_ns);
    return has_ended || !rj_fan_out_has_others(fan)
               ? due_ns
               : rj_min_i64(due_ns, fan->last_probe_ns + RJ_FAN_OUT_PROBE_NS + 1);
}

/* --- how far it got --- */

static int64_t furthest(const rj_fan_out_t *fan, int64_t snd_pos)
{
    if (fan->target_count == 0)
        return fan->end_pos;
    int64_t position = snd_pos;
    for (int32_t i = 0; i < fan->target_count; i++)
        position = rj_max_i64(position, fan->targets[i].next_pos);
    return position;
}

int rj_fan_out_settle(rj_fan_out_t *fan, int64_t snd_pos, int64_t keep_bytes, int64_t *ret_snd_pos)
{
    const int64_t position = furthest(fan, snd_pos);
    int given_up = 0;
    fan->is_behind = false;
    for (int32_t i = 0; i < fan->target_count; i++) {
        rj_fan_target_t *target = &fan->targets[i];
        if (target->has_failed || position - target->next_pos > keep_bytes) {
            given_up += target->has_failed ? 0 : 1;
            target->has_failed = false;
            target->next_pos = position;
        }
        fan->is_behind = fan->is_behind || target->next_pos < position;
    }
    *ret_snd_pos = position;
    return given_up;
}
