/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/engine_rows.h"

#include <ramjet/command.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Of the counters in driver/ring_counters.c, whose keys are numbers of rings and engines. */
enum {
    RING_RECEIVED = RJ_COUNTER_TYPE_RAMJET_MIN,
    RING_SENT,
    SOCKETS_SENT = RJ_COUNTER_TYPE_RAMJET_MIN + 20,
    SOCKETS_RECEIVED,
    SENT_IN_BULK = SOCKETS_SENT + 5,
    ENGINES_MAX = 16,
};

typedef struct engine_row {
    bool is_there;
    char rings[128]; /* "eth0 queue 0, generic, copy; eth1 queue 0, ..." */
    int64_t ring_received, ring_sent;
    int64_t sockets_received, sockets_sent, sent_in_bulk;
} engine_row_t;

static int32_t key_of(const rj_counter_view_t *view)
{
    int32_t key;
    memcpy(&key, view->key, sizeof(key));
    return key;
}

/* "ramjet NAME: what is counted" */
static void add_name(engine_row_t *row, const rj_counter_view_t *view)
{
    static const char prefix[] = "ramjet ";
    const char *name = view->label + strlen(prefix);
    const char *end = strrchr(name, ':');
    const size_t used = strlen(row->rings);
    if (end != NULL)
        snprintf(row->rings + used, sizeof(row->rings) - used, "%s%.*s", used > 0 ? "; " : "",
                 (int)(end - name), name);
}

/* Engine k has the k-th queue, from the first asked for on, of every interface. */
static engine_row_t *row_of_ring(engine_row_t *rows, const rj_counter_view_t *view,
                                 int32_t first_queue)
{
    int32_t queue = 0;
    const char *text = strstr(view->label, " queue ");
    if (text == NULL || sscanf(text, " queue %" SCNd32, &queue) != 1)
        return NULL;
    queue -= first_queue;
    return queue >= 0 && queue < ENGINES_MAX ? &rows[queue] : NULL;
}

static int32_t find_first_queue(const rj_driver_files_t *files)
{
    rj_counter_view_t view;
    int32_t cursor = 0, first = INT32_MAX;
    while (rj_counters_next(&files->counters, &cursor, &view)) {
        int32_t queue;
        const char *text = view.type_id == RING_RECEIVED ? strstr(view.label, " queue ") : NULL;
        if (text != NULL && sscanf(text, " queue %" SCNd32, &queue) == 1 && queue < first)
            first = queue;
    }
    return first;
}

static void collect(const rj_driver_files_t *files, engine_row_t *rows)
{
    const int32_t first_queue = find_first_queue(files);
    rj_counter_view_t view;
    int32_t cursor = 0;
    while (rj_counters_next(&files->counters, &cursor, &view)) {
        const int32_t key = key_of(&view);
        const bool is_ring = view.type_id == RING_RECEIVED || view.type_id == RING_SENT;
        engine_row_t *row = is_ring ? row_of_ring(rows, &view, first_queue) : NULL;
        if (!is_ring && key >= 0 && key < ENGINES_MAX)
            row = &rows[key];
        if (row == NULL)
            continue;
        if (view.type_id == RING_RECEIVED) {
            row->ring_received += view.value;
            add_name(row, &view);
        } else if (view.type_id == RING_SENT) {
            row->ring_sent += view.value;
        } else if (view.type_id == SOCKETS_SENT) {
            row->is_there = true;
            row->sockets_sent = view.value;
        } else if (view.type_id == SOCKETS_RECEIVED) {
            row->sockets_received = view.value;
        } else if (view.type_id == SENT_IN_BULK) {
            row->sent_in_bulk = view.value;
        }
    }
}

void rj_engine_rows_print(const rj_driver_files_t *files, rj_output_format_t format)
{
    static const rj_column_t columns[] = {
        {"kind", 0},           {"dir", 0},           {"engine", 6},
        {"ring_received", 13}, {"ring_sent", 9},     {"socket_received", 15},
        {"socket_sent", 11},   {"sent_in_bulk", 12}, {"rings", -1}};
    const size_t count = sizeof(columns) / sizeof(columns[0]);
    const size_t skip = format == RJ_OUTPUT_JSON ? 0 : 2;
    engine_row_t rows[ENGINES_MAX] = {{.is_there = false}};
    rj_output_t output;
    collect(files, rows);
    for (int i = 0; i < ENGINES_MAX && rows[i].is_there; i++) {
        if (i == 0)
            rj_output_init(&output, stdout, format, columns + skip, count - skip);
        if (format == RJ_OUTPUT_JSON) {
            rj_output_text(&output, "engine");
            rj_output_text(&output, files->directory);
        }
        rj_output_integer(&output, i);
        rj_output_integer(&output, rows[i].ring_received);
        rj_output_integer(&output, rows[i].ring_sent);
        rj_output_integer(&output, rows[i].sockets_received);
        rj_output_integer(&output, rows[i].sockets_sent);
        rj_output_integer(&output, rows[i].sent_in_bulk);
        rj_output_text(&output, rows[i].rings[0] != '\0' ? rows[i].rings : NULL);
        rj_output_end_row(&output);
    }
    if (rows[0].is_there && format == RJ_OUTPUT_TABLE)
        printf("\n");
}
