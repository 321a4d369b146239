/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint/send_destination.h"

#include <errno.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "base/bits.h"

int rj_send_destinations_open(rj_send_destinations_t **ret, bool is_dynamic, rj_err_t *err)
{
    rj_send_destinations_t *set = calloc(1, sizeof(*set));
    if (set != NULL && is_dynamic)
        set->pool = calloc(RJ_SEND_DESTINATIONS_MAX, sizeof(set->pool[0]));
    if (set == NULL || (is_dynamic && set->pool == NULL)) {
        free(set);
        return rj_fail(err, -ENOMEM, "no memory for %d destinations", RJ_SEND_DESTINATIONS_MAX);
    }
    set->is_dynamic = is_dynamic;
    set->due_ns = INT64_MAX;
    *ret = set;
    return 0;
}

void rj_send_destinations_close(rj_send_destinations_t *set)
{
    if (set == NULL)
        return;
    free(set->pool);
    free(set);
}

void rj_send_destination_init(rj_send_destination_t *destination, struct rj_endpoint *endpoint,
                              const rj_address_t *address, int64_t registration_id, int64_t now_ns)
{
    *destination = (rj_send_destination_t){
        .registration_id = registration_id, .last_sm_ns = now_ns, .slot = -1};
    rj_path_init(&destination->path, endpoint, address, false);
}

/* --- keys --- */

static uint32_t address_key(const rj_address_t *address)
{
    return address->family == AF_UNSPEC ? 0 : (uint32_t)rj_address_hash(address) | 1;
}

static uint32_t receiver_key(int64_t receiver_id, uint16_t port)
{
    const uint64_t mixed = ((uint64_t)receiver_id ^ port) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32) | 1;
}

/* --- come and go --- */

/* Only who sends to a dynamic set's destinations knows how many there are; of a manual one the
 * conductor does. Release: pairs with the acquire of whoever reads counters. */
static void set_count(rj_send_destinations_t *set, int32_t count)
{
    set->count = count;
    if (set->is_dynamic && set->count_counter != NULL)
        rj_store_release_i64(set->count_counter, count);
}

static void take_slot(rj_send_destinations_t *set, int32_t slot, rj_send_destination_t *destination)
{
    set->slots[slot] = destination;
    set->address_keys[slot] = address_key(&destination->path.address);
    set->receiver_keys[slot] = 0;
    if (slot >= set->slot_end)
        set->slot_end = slot + 1;
    destination->slot = slot;
    destination->has_receiver_id = false;
    destination->join_number = ++set->join_count;
    set_count(set, set->count + 1);
}

int rj_send_destinations_add(rj_send_destinations_t *set, rj_send_destination_t *destination)
{
    for (int32_t slot = 0; slot < RJ_SEND_DESTINATIONS_MAX; slot++) {
        if (set->slots[slot] == NULL) {
            take_slot(set, slot, destination);
            return 0;
        }
    }
    return -ENOSPC;
}

void rj_send_destinations_remove(rj_send_destinations_t *set, rj_send_destination_t *destination)
{
    const int32_t slot = destination->slot;
    if (slot < 0)
        return;
    set->slots[slot] = NULL;
    set->address_keys[slot] = 0;
    set->receiver_keys[slot] = 0;
    destination->slot = -1;
    while (set->slot_end > 0 && set->slots[set->slot_end - 1] == NULL)
        set->slot_end--;
    set_count(set, set->count - 1);
}

rj_send_destination_t *rj_send_destinations_join(rj_send_destinations_t *set,
                                                 struct rj_endpoint *endpoint,
                                                 const rj_address_t *address, int64_t now_ns)
{
    for (int32_t slot = 0; slot < RJ_SEND_DESTINATIONS_MAX; slot++) {
        rj_send_destination_t *destination = &set->pool[slot];
        if (set->slots[slot] != NULL || destination->is_lent)
            continue;
        rj_send_destination_init(destination, endpoint, address, RJ_SEND_DESTINATION_ID_NULL,
                                 now_ns);
        take_slot(set, slot, destination);
        set->due_ns = rj_min_i64(set->due_ns, now_ns + RJ_SEND_DESTINATION_TIMEOUT_NS + 1);
        return destination;
    }
    return NULL;
}

void rj_send_destinations_move(rj_send_destinations_t *set, rj_send_destination_t *destination,
                               const rj_address_t *address)
{
    rj_path_t *path = &destination->path;
    path->address = *address;
    path->sockaddr_bytes = rj_address_to_sockaddr(address, &path->sockaddr);
    destination->has_receiver_id = false;
    if (destination->slot < 0)
        return;
    set->address_keys[destination->slot] = address_key(address);
    set->receiver_keys[destination->slot] = 0;
}

/* --- look-ups --- */

rj_send_destination_t *rj_send_destinations_find_address(const rj_send_destinations_t *set,
                                                         const rj_address_t *source)
{
    const uint32_t key = address_key(source);
    for (int32_t slot = 0; slot < set->slot_end; slot++) {
        if (set->address_keys[slot] == key && key != 0 &&
            rj_address_equal(&set->slots[slot]->path.address, source))
            return set->slots[slot];
    }
    return NULL;
}

static rj_send_destination_t *find_receiver(const rj_send_destinations_t *set, uint16_t port,
                                            int64_t receiver_id)
{
    const uint32_t key = receiver_key(receiver_id, port);
    for (int32_t slot = 0; slot < set->slot_end; slot++) {
        rj_send_destination_t *destination = set->slots[slot];
        if (set->receiver_keys[slot] == key && destination->receiver_id == receiver_id &&
            destination->path.address.port == port)
            return destination;
    }
    return NULL;
}

rj_send_destination_t *rj_send_destinations_find(const rj_send_destinations_t *set,
                                                 const rj_address_t *source, int64_t receiver_id)
{
    rj_send_destination_t *destination = find_receiver(set, source->port, receiver_id);
    return destination != NULL ? destination : rj_send_destinations_find_address(set, source);
}

void rj_send_destinations_touch(rj_send_destinations_t *set, rj_send_destination_t *destination,
                                int64_t receiver_id, int64_t now_ns)
{
    destination->receiver_id = receiver_id;
    destination->has_receiver_id = true;
    set->receiver_keys[destination->slot] =
        receiver_key(receiver_id, destination->path.address.port);
    /* Release: pairs with the conductor's acquire, which asks anew for the names of silent ones. */
    rj_store_release_i64(&destination->last_sm_ns, now_ns);
}

/* --- silence --- */

rj_send_destination_t *rj_send_destinations_silent(rj_send_destinations_t *set, int64_t now_ns)
{
    if (now_ns < set->due_ns)
        return NULL;
    set->due_ns = INT64_MAX;
    for (int32_t slot = 0; slot < set->slot_end && set->is_dynamic; slot++) {
        rj_send_destination_t *destination = set->slots[slot];
        if (destination == NULL)
            continue;
        /* Silent for longer than the time-out, as Aeron: not for as long. */
        const int64_t due_ns = destination->last_sm_ns + RJ_SEND_DESTINATION_TIMEOUT_NS + 1;
        if (due_ns <= now_ns) {
            set->due_ns = now_ns; /* whoever comes behind it is looked at by the next call */
            return destination;
        }
        set->due_ns = rj_min_i64(set->due_ns, due_ns);
    }
    return NULL;
}
