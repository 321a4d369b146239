/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/ring_aside.h"

#include <stdio.h>
#include <string.h>

#include "driver/ring_state.h"

static const int64_t refused_pause_ns = 1000000000;

/* --- figures --- */

static rj_aside_bytes_t socket_bytes(const rj_ring_world_t *rings)
{
    rj_aside_bytes_t bytes = {0};
    for (int engine = 0; engine < rj_ring_world_engine_count(rings); engine++) {
        rj_ring_sockets_view_t view;
        rj_ring_world_sockets(rings, engine, &view);
        bytes.bulk += view.merged_bytes;
        bytes.single += view.single_bytes;
    }
    return bytes;
}

/* Longer than a ring's frame are super-frames, and what is redirected is what the ring is for. */
static rj_aside_bytes_t program_bytes(const ring_interface_t *interface)
{
    static const enum rj_xdp_reason to_ring[] = {RJ_XDP_REDIRECTED_DATA, RJ_XDP_REDIRECTED_CONTROL,
                                                 RJ_XDP_REDIRECTED_DEFAULT};
    const rj_kernel_maps_t *maps = &interface->xdp.maps;
    struct rj_count count = {0};
    rj_aside_bytes_t bytes = {0};
    if (rj_kernel_maps_get_reason(maps, RJ_XDP_PASS_OVERSIZE, &count) == 0)
        bytes.bulk = count.bytes;
    for (size_t i = 0; i < sizeof(to_ring) / sizeof(to_ring[0]); i++) {
        if (rj_kernel_maps_get_reason(maps, to_ring[i], &count) == 0)
            bytes.single += count.bytes;
    }
    return bytes;
}

/* The program is asked only when sockets got super-frames, by whatever interface. */
static rj_aside_bytes_t bytes_of(rj_ring_aside_entry_t *entry, const rj_aside_bytes_t *by_sockets)
{
    if (entry->policy.is_aside)
        return *by_sockets;
    if (entry->merged_bytes == by_sockets->bulk)
        return entry->policy.before;
    entry->merged_bytes = by_sockets->bulk;
    return program_bytes(entry->interface);
}

/* --- what is told --- */

__attribute__((format(printf, 3, 4))) static void
tell_aside(const rj_ring_aside_t *self, const rj_ring_aside_entry_t *entry, const char *format, ...)
{
    char text[RJ_COUNTER_LABEL_BYTES_MAX + 1];
    const int length =
        snprintf(text, sizeof(text), "ramjet transport: auto: %s: ", entry->interface->name);
    va_list args;
    va_start(args, format);
    vsnprintf(text + length, sizeof(text) - (size_t)length, format, args);
    va_end(args);
    rj_counters_label_set(self->counters, entry->counter_id, text, strlen(text));
}

static void tell_in_place(const rj_ring_aside_t *self, const rj_ring_aside_entry_t *entry)
{
    tell_aside(self, entry, "its ring is in place, and steps aside for super-frames");
}

/* --- steps --- */

static int step_aside(void *state, rj_err_t *err)
{
    return rj_steer_step_aside(state, err);
}

static int step_back(void *state, rj_err_t *err)
{
    return rj_steer_step_back(state, err);
}

/* Steering must not take the program for gone while the helper is at it. */
static int begin_step(rj_ring_aside_t *self, rj_ring_aside_entry_t *entry)
{
    rj_steer_t *steer = &entry->interface->xdp;
    entry->task = (rj_task_t){.type = RJ_TASK_CALL,
                              .call = entry->policy.is_aside ? step_back : step_aside,
                              .call_state = steer};
    steer->maps.is_aside = true;
    entry->is_given = rj_helper_give(self->helper, &entry->task);
    if (!entry->is_given)
        steer->maps.is_aside = entry->policy.is_aside;
    return entry->is_given;
}

static void tell_of_step(const rj_ring_aside_t *self, const rj_ring_aside_entry_t *entry)
{
    if (!entry->policy.is_aside) {
        tell_in_place(self, entry);
        return;
    }
    rj_counter_add(rj_counters_value(self->counters, entry->counter_id), 1);
    tell_aside(self, entry, "its ring steps aside: %d %% of the bytes come as super-frames",
               entry->policy.bulk_percent);
}

static void end_step(rj_ring_aside_t *self, rj_ring_aside_entry_t *entry, int64_t now_ns)
{
    rj_steer_t *steer = &entry->interface->xdp;
    const bool is_done = rj_task_state(&entry->task) == RJ_TASK_DONE;
    const bool is_aside = entry->policy.is_aside != is_done;
    entry->is_given = false;
    steer->maps.is_aside = is_aside;
    const rj_aside_bytes_t by_sockets = socket_bytes(self->rings);
    const rj_aside_bytes_t bytes = is_aside ? by_sockets : program_bytes(entry->interface);
    entry->merged_bytes = by_sockets.bulk;
    rj_aside_policy_begin(&entry->policy, is_aside, &bytes, now_ns);
    if (is_done)
        tell_of_step(self, entry);
    else if (!entry->is_refused)
        tell_aside(self, entry, "its ring %s: %s",
                   is_aside ? "steps aside, and stays there" : "stays in place",
                   entry->task.err.text);
    entry->is_refused = !is_done;
    entry->not_before_ns = is_done ? now_ns : now_ns + refused_pause_ns;
}

static int work_at(rj_ring_aside_t *self, rj_ring_aside_entry_t *entry, int64_t now_ns)
{
    if (entry->is_given) {
        if (rj_task_state(&entry->task) == RJ_TASK_PENDING)
            return 0;
        end_step(self, entry, now_ns);
        return 1;
    }
    if (!rj_aside_policy_is_due(&entry->policy, now_ns))
        return 0;
    const rj_aside_bytes_t by_sockets = socket_bytes(self->rings);
    const rj_aside_bytes_t bytes = bytes_of(entry, &by_sockets);
    return rj_aside_policy_look(&entry->policy, &bytes, now_ns) && now_ns >= entry->not_before_ns
               ? begin_step(self, entry)
               : 0;
}

int rj_ring_aside_do_work(rj_ring_aside_t *self, int64_t now_ns)
{
    int work = 0;
    for (int i = 0; i < self->count; i++)
        work += work_at(self, &self->entries[i], now_ns);
    return work;
}

/* --- open --- */

/* Copying is generic mode's. What `ramjet attach` has put there, or another driver, is not ours to
 * take off; and a driver without a helper of its own would wait itself. */
static bool may_step_aside(const ring_interface_t *interface)
{
    const rj_steer_t *steer = &interface->xdp;
    return interface->world->params.config->threading_mode != RJ_THREADING_INVOKER &&
           interface->kind == RING_XDP && interface->has_both_doors && interface->ring_count > 0 &&
           steer->mode == RJ_XDP_MODE_GENERIC && steer->holder == RJ_STEER_OURS &&
           steer->program_fd >= 0;
}

static int open_entry(rj_ring_aside_t *self, ring_interface_t *interface, int64_t now_ns,
                      int64_t epoch_ms, rj_err_t *err)
{
    rj_ring_aside_entry_t *entry = &self->entries[self->count];
    const int32_t key = self->count;
    const rj_counter_spec_t spec = {
        .type_id = RJ_COUNTER_TYPE_RAMJET_ASIDE, .key = &key, .key_length = sizeof(key)};
    const rj_aside_bytes_t bytes = program_bytes(interface);
    *entry = (rj_ring_aside_entry_t){.interface = interface, .not_before_ns = now_ns};
    rj_aside_policy_begin(&entry->policy, false, &bytes, now_ns);
    const int result =
        rj_counters_allocate(self->counters, &spec, epoch_ms, &entry->counter_id, err);
    if (result < 0)
        return result;
    self->count++;
    tell_in_place(self, entry);
    return 0;
}

int rj_ring_aside_open(rj_ring_aside_t *self, rj_ring_world_t *rings, rj_helper_t *helper,
                       rj_counters_t *counters, int64_t now_ns, int64_t epoch_ms, rj_err_t *err)
{
    *self = (rj_ring_aside_t){.rings = rings, .helper = helper, .counters = counters};
    int result = 0;
    for (int i = 0; result == 0 && i < rings->interface_count; i++) {
        if (may_step_aside(&rings->interfaces[i]))
            result = open_entry(self, &rings->interfaces[i], now_ns, epoch_ms, err);
    }
    return result;
}
