/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/ring_counters.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Type ids count on from the first, in the order of these rows. */
static const char *const ring_rows[] = {
    "frames received",
    "frames sent",
    "sends cut short",
    "frames refused",
    "frames lost, ring full",
    "frames lost, no frame free",
    "payloads sent without a copy",
    "frames refused by the link",
};

/* Of a ring by which the kernel has its frames. */
static const char *const kernel_rows[] = {
    "frames given to the kernel",
    "frames sent for the kernel",
    "frames lost to the kernel",
};

static const char *const engine_rows[] = {
    "datagrams sent by sockets",         "datagrams received by sockets",
    "frames forwarded to other engines", "frames not forwarded",
    "frames forwarded in vain",          "bulk datagrams sent by sockets",
};

/* Only where there is a pool of them. */
static const char *const log_rows[] = {
    "logs to send from, ready",
    "logs to send from, missed",
};

static const char *const steering_rows[] = {
    "channels steered",
    "streams steered",
    "channels left to sockets",
    "streams left to channels",
    "groups shared on this host",
    "operator entries met",
    "entries taken over",
    "entries put again",
    "programs gone",
    "paths sent by rings",
    "paths sent by sockets",
};

enum {
    RING_ROWS = sizeof(ring_rows) / sizeof(ring_rows[0]),
    KERNEL_ROWS = sizeof(kernel_rows) / sizeof(kernel_rows[0]),
    ENGINE_ROWS = sizeof(engine_rows) / sizeof(engine_rows[0]),
    STEERING_ROWS = sizeof(steering_rows) / sizeof(steering_rows[0]),
    RING_TYPE = RJ_COUNTER_TYPE_RAMJET_MIN,
    KERNEL_TYPE = RING_TYPE + 10,
    ENGINE_TYPE = RING_TYPE + 20,
    STEERING_TYPE = ENGINE_TYPE + 20,
    LOG_ROWS = sizeof(log_rows) / sizeof(log_rows[0]),
    LOG_TYPE = STEERING_TYPE + 20,
};

_Static_assert(STEERING_TYPE + 8 == RJ_COUNTER_TYPE_RAMJET_PROGRAMS_GONE, "as `status` knows it");

/* --- open --- */

static int allocate(rj_ring_counters_t *self, rj_counters_t *counters, int32_t type_id,
                    int32_t instance, const char *label, int64_t epoch_ms, rj_err_t *err)
{
    assert(self->count < RJ_RING_COUNTERS_MAX);
    const rj_counter_spec_t spec = {.type_id = type_id,
                                    .key = &instance,
                                    .key_length = sizeof(instance),
                                    .label = label,
                                    .label_length = strlen(label)};
    int32_t id;
    const int result = rj_counters_allocate(counters, &spec, epoch_ms, &id, err);
    if (result == 0)
        self->values[self->count++] = rj_counters_value(counters, id);
    return result;
}

static int allocate_rows(rj_ring_counters_t *self, rj_counters_t *counters, int32_t first_type_id,
                         int32_t instance, const char *name, const char *const *rows, int row_count,
                         int64_t epoch_ms, rj_err_t *err)
{
    int result = 0;
    for (int i = 0; result == 0 && i < row_count; i++) {
        char label[192];
        snprintf(label, sizeof(label), "ramjet %s: %s", name, rows[i]);
        result = allocate(self, counters, first_type_id + i, instance, label, epoch_ms, err);
    }
    return result;
}

int rj_ring_counters_open(rj_ring_counters_t *self, rj_counters_t *counters,
                          const rj_ring_world_t *rings, int64_t epoch_ms, rj_err_t *err)
{
    *self = (rj_ring_counters_t){.next_ns = INT64_MIN};
    int result = 0;
    for (int ring = 0; result == 0 && ring < rj_ring_world_ring_count(rings); ring++) {
        rj_ring_view_t view;
        rj_ring_world_look(rings, ring, &view);
        result = allocate_rows(self, counters, RING_TYPE, ring, view.name, ring_rows, RING_ROWS,
                               epoch_ms, err);
        if (result == 0 && view.has_kernel_side)
            result = allocate_rows(self, counters, KERNEL_TYPE, ring, view.name, kernel_rows,
                                   KERNEL_ROWS, epoch_ms, err);
    }
    for (int engine = 0; result == 0 && engine < rj_ring_world_engine_count(rings); engine++) {
        char name[32];
        snprintf(name, sizeof(name), "engine %d", engine);
        result = allocate_rows(self, counters, ENGINE_TYPE, engine, name, engine_rows, ENGINE_ROWS,
                               epoch_ms, err);
    }
    if (result == 0 && rj_ring_world_log_pool(rings) != NULL)
        result = allocate_rows(self, counters, LOG_TYPE, 0, "copy-free", log_rows, LOG_ROWS,
                               epoch_ms, err);
    if (result == 0)
        result = allocate_rows(self, counters, STEERING_TYPE, 0, "steering", steering_rows,
                               STEERING_ROWS, epoch_ms, err);
    return result;
}

/* --- update --- */

static int put(rj_ring_counters_t *self, int at, const int64_t *figures, int count)
{
    for (int i = 0; i < count; i++)
        rj_counter_set(self->values[at + i], figures[i]);
    return at + count;
}

static int put_ring(rj_ring_counters_t *self, int at, const rj_ring_world_t *rings, int ring)
{
    rj_ring_view_t view;
    rj_ring_world_look(rings, ring, &view);
    const int64_t figures[RING_ROWS] = {
        (int64_t)view.received,          (int64_t)view.sent,        (int64_t)view.send_full,
        (int64_t)view.refused,           (int64_t)view.lost_full,   (int64_t)view.lost_other,
        (int64_t)view.sent_by_reference, (int64_t)view.send_refused};
    at = put(self, at, figures, RING_ROWS);
    if (!view.has_kernel_side)
        return at;
    const int64_t kernel_figures[KERNEL_ROWS] = {(int64_t)view.to_kernel, (int64_t)view.from_kernel,
                                                 (int64_t)view.kernel_lost};
    return put(self, at, kernel_figures, KERNEL_ROWS);
}

static int put_engine(rj_ring_counters_t *self, int at, const rj_ring_world_t *rings, int index,
                      rj_engine_t *engine)
{
    rj_ring_sockets_view_t sockets;
    rj_ring_world_sockets(rings, index, &sockets);
    /* The engine's thread writes these; each is whole by itself. */
    const rj_engine_stats_t *stats = rj_engine_stats(engine);
    const int64_t figures[ENGINE_ROWS] = {
        (int64_t)sockets.sent,
        (int64_t)sockets.received,
        __atomic_load_n(&stats->frames_forwarded, __ATOMIC_RELAXED),
        __atomic_load_n(&stats->forward_drops, __ATOMIC_RELAXED),
        __atomic_load_n(&stats->forward_strays, __ATOMIC_RELAXED),
        (int64_t)sockets.sent_in_bulk};
    return put(self, at, figures, ENGINE_ROWS);
}

/* The helper's thread takes them; each figure is whole by itself. */
static int put_logs(rj_ring_counters_t *self, int at, const rj_log_pool_t *pool)
{
    if (pool == NULL)
        return at;
    const int64_t figures[LOG_ROWS] = {pool->count -
                                           __atomic_load_n(&pool->taken, __ATOMIC_RELAXED),
                                       __atomic_load_n(&pool->missed, __ATOMIC_RELAXED)};
    return put(self, at, figures, LOG_ROWS);
}

static void put_steering(rj_ring_counters_t *self, int at, const rj_conductor_t *conductor)
{
    const rj_steering_stats_t *stats = rj_conductor_steering_stats(conductor);
    if (stats == NULL)
        return; /* it could not be opened: the zeros are true */
    const rj_path_counts_t paths = rj_conductor_count_paths(conductor);
    int64_t by_sockets = 0;
    for (int door = 0; door < RJ_DOOR_COUNT; door++)
        by_sockets += door == RJ_DOOR_RING ? 0 : paths.by_door[door];
    const int64_t figures[STEERING_ROWS] = {stats->channels,
                                            stats->streams,
                                            stats->channels_left_out,
                                            stats->streams_left_out,
                                            stats->groups_shared,
                                            stats->operator_entries,
                                            stats->taken_over,
                                            stats->put_again,
                                            stats->detached,
                                            paths.by_door[RJ_DOOR_RING],
                                            by_sockets};
    put(self, at, figures, STEERING_ROWS);
}

void rj_ring_counters_update(rj_ring_counters_t *self, const rj_ring_world_t *rings,
                             rj_engine_t *const *engines, const rj_conductor_t *conductor,
                             int64_t now_ns)
{
    if (now_ns < self->next_ns)
        return;
    self->next_ns = now_ns + RJ_RING_COUNTERS_PERIOD_NS;
    int at = 0;
    for (int ring = 0; ring < rj_ring_world_ring_count(rings); ring++)
        at = put_ring(self, at, rings, ring);
    for (int engine = 0; engine < rj_ring_world_engine_count(rings); engine++)
        at = put_engine(self, at, rings, engine, engines[engine]);
    at = put_logs(self, at, rj_ring_world_log_pool(rings));
    put_steering(self, at, conductor);
}
