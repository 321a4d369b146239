/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/port_counters.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "transport/port.h"

/* Type ids count on from the first, in the order of these rows. */
static const struct {
    const char *what;
    size_t offset;
} rows[] = {
    {"datagrams sent", offsetof(rj_port_stats_t, sent_datagrams)},
    {"system calls that sent", offsetof(rj_port_stats_t, send_calls)},
    {"messages of several datagrams sent", offsetof(rj_port_stats_t, sent_segmented)},
    {"messages that the kernel would not cut", offsetof(rj_port_stats_t, segment_refused)},
    {"messages sent without a copy", offsetof(rj_port_stats_t, sent_uncopied)},
    {"sends cut short", offsetof(rj_port_stats_t, short_sends)},
    {"datagrams received", offsetof(rj_port_stats_t, received_datagrams)},
    {"system calls that received", offsetof(rj_port_stats_t, receive_calls)},
    {"messages of several datagrams received", offsetof(rj_port_stats_t, received_merged)},
    {"requests to receive made again", offsetof(rj_port_stats_t, rearms)},
    {"times out of buffers", offsetof(rj_port_stats_t, out_of_buffers)},
    {"messages that failed after they were taken", offsetof(rj_port_stats_t, failed_late)},
};

enum { FIRST_TYPE = RJ_COUNTER_TYPE_RAMJET_PORT };

_Static_assert(sizeof(rows) / sizeof(rows[0]) == RJ_PORT_COUNTERS_ROWS, "as the header has it");

static int allocate(int64_t **ret_value, rj_counters_t *counters, int row, int engine,
                    const char *name, int64_t epoch_ms, rj_err_t *err)
{
    char label[128];
    const int32_t key = engine;
    snprintf(label, sizeof(label), "ramjet port %s %d: %s", name, engine, rows[row].what);
    const rj_counter_spec_t spec = {.type_id = FIRST_TYPE + row,
                                    .key = &key,
                                    .key_length = sizeof(key),
                                    .label = label,
                                    .label_length = strlen(label)};
    int32_t id;
    const int result = rj_counters_allocate(counters, &spec, epoch_ms, &id, err);
    if (result == 0)
        *ret_value = rj_counters_value(counters, id);
    return result;
}

int rj_port_counters_open(rj_port_counters_t *self, rj_counters_t *counters,
                          rj_transport_t transport, rj_engine_t *const *engines, int engine_count,
                          int64_t epoch_ms, rj_err_t *err)
{
    *self = (rj_port_counters_t){.next_ns = INT64_MIN};
    if (!rj_transport_is_socket(transport))
        return 0;
    int result = 0;
    for (int engine = 0; result == 0 && engine < engine_count; engine++) {
        if (rj_engine_port_stats(engines[engine]) == NULL)
            continue;
        for (int row = 0; result == 0 && row < RJ_PORT_COUNTERS_ROWS; row++)
            result = allocate(&self->values[engine][row], counters, row, engine,
                              rj_transport_name(transport), epoch_ms, err);
    }
    self->engine_count = engine_count;
    return result;
}

void rj_port_counters_update(rj_port_counters_t *self, rj_engine_t *const *engines, int64_t now_ns)
{
    if (now_ns < self->next_ns)
        return;
    self->next_ns = now_ns + RJ_PORT_COUNTERS_PERIOD_NS;
    for (int engine = 0; engine < self->engine_count; engine++) {
        const rj_port_stats_t *stats = rj_engine_port_stats(engines[engine]);
        for (int row = 0; stats != NULL && row < RJ_PORT_COUNTERS_ROWS; row++) {
            const uint64_t *figure = (const uint64_t *)((const uint8_t *)stats + rows[row].offset);
            rj_counter_set(self->values[engine][row], (int64_t)rj_port_figure(figure));
        }
    }
}
