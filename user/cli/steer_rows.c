/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/steer_rows.h"

#include "proto/address.h"
#include "xdp/filter.h"
#include "xdp/reason.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { OWNER_TEXT_MAX = 32, CELLS_MAX = 24 };

/* A table for people or rows for machines, whose first two columns a table leaves out. */
typedef struct rows {
    rj_output_t output;
    const rj_steer_t *steer;
    const char *kind;
    const rj_column_t *columns;
    size_t count;
    rj_output_format_t format;
    const char *before; /* goes out in front of the first row */
    bool is_begun;
    rj_column_t all[CELLS_MAX]; /* what the output borrows */
} rows_t;

static const rj_column_t head_columns[] = {{"kind", 0}, {"interface", 0}};

/* The heading comes with the first row, so that an empty table prints nothing. */
static void begin_row(rows_t *rows)
{
    if (!rows->is_begun) {
        size_t skip = 0;
        if (rows->format == RJ_OUTPUT_JSON) {
            memcpy(rows->all, head_columns, sizeof(head_columns));
            skip = 2;
        } else {
            fputs(rows->before, stdout);
        }
        memcpy(rows->all + skip, rows->columns, rows->count * sizeof(rows->all[0]));
        rj_output_init(&rows->output, stdout, rows->format, rows->all, rows->count + skip);
        rows->is_begun = true;
    }
    if (rows->format == RJ_OUTPUT_JSON) {
        rj_output_text(&rows->output, rows->kind);
        rj_output_text(&rows->output, rows->steer->interface);
    }
}

static void print_owner(const rj_steer_t *steer, uint32_t owner, char text[static OWNER_TEXT_MAX])
{
    struct rj_owner_value value;
    if (owner == RJ_XDP_OWNER_NONE)
        snprintf(text, OWNER_TEXT_MAX, "nobody");
    else if (owner == RJ_XDP_OWNER_OPERATOR)
        snprintf(text, OWNER_TEXT_MAX, "operator");
    else if (rj_kernel_maps_get_owner(&steer->maps, owner, &value) == 0)
        snprintf(text, OWNER_TEXT_MAX, "driver %" PRIu32, value.pid);
    else
        snprintf(text, OWNER_TEXT_MAX, "owner %" PRIu32, owner);
}

static void print_address(const uint8_t address[static 16], char text[static INET6_ADDRSTRLEN])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool is_ipv4 = memcmp(address, mapped, sizeof(mapped)) == 0;
    inet_ntop(is_ipv4 ? AF_INET : AF_INET6, is_ipv4 ? address + 12 : address, text,
              INET6_ADDRSTRLEN);
}

/* The maps as they were when we looked, streams in the order of their channels. */
typedef struct stream {
    struct rj_stream_key key;
    struct rj_stream_value value;
} stream_t;

typedef struct channel {
    struct rj_channel_key key;
    struct rj_channel_value value;
} channel_t;

typedef struct entries {
    channel_t *channels;
    size_t channel_count;
    stream_t *streams;
    size_t stream_count;
} entries_t;

static int by_key(const void *a, const void *b)
{
    const channel_t *left = a;
    const channel_t *right = b;
    int order = memcmp(left->key.address, right->key.address, sizeof(left->key.address));
    if (order != 0)
        return order;
    return left->key.port != right->key.port ? left->key.port - right->key.port
                                             : left->key.vlan - right->key.vlan;
}

static int by_stream(const void *a, const void *b)
{
    const stream_t *left = a;
    const stream_t *right = b;
    if (left->key.channel_id != right->key.channel_id)
        return left->key.channel_id < right->key.channel_id ? -1 : 1;
    if (left->key.stream_id != right->key.stream_id)
        return left->key.stream_id < right->key.stream_id ? -1 : 1;
    if (left->key.session_id != right->key.session_id)
        return left->key.session_id < right->key.session_id ? -1 : 1;
    return (int)left->key.any_session - (int)right->key.any_session;
}

static int read_entries(const rj_steer_t *steer, entries_t *entries)
{
    const rj_kernel_maps_t *maps = &steer->maps;
    const struct rj_channel_key *channel = NULL;
    const struct rj_stream_key *stream = NULL;
    int code = 1;
    entries->channels = calloc(RJ_XDP_CHANNELS_MAX, sizeof(entries->channels[0]));
    entries->streams = calloc(RJ_XDP_STREAMS_MAX, sizeof(entries->streams[0]));
    if (entries->channels == NULL || entries->streams == NULL)
        return -ENOMEM;
    while (entries->channel_count < RJ_XDP_CHANNELS_MAX) {
        channel_t *next = &entries->channels[entries->channel_count];
        code = rj_kernel_maps_next_channel(maps, channel, &next->key, &next->value);
        if (code <= 0)
            break;
        channel = &next->key;
        entries->channel_count++;
    }
    while (code >= 0 && entries->stream_count < RJ_XDP_STREAMS_MAX) {
        stream_t *next = &entries->streams[entries->stream_count];
        code = rj_kernel_maps_next_stream(maps, stream, &next->key, &next->value);
        if (code <= 0)
            break;
        stream = &next->key;
        entries->stream_count++;
    }
    qsort(entries->channels, entries->channel_count, sizeof(entries->channels[0]), by_key);
    qsort(entries->streams, entries->stream_count, sizeof(entries->streams[0]), by_stream);
    return code < 0 ? code : 0;
}

static const rj_column_t entry_columns[] = {{"address", -16},
                                            {"port", 5},
                                            {"vlan", 4},
                                            {"stream_id", 11},
                                            {"session_id", 11},
                                            {"verdict", -7},
                                            {"by", -14},
                                            {"redirected_packets", 18},
                                            {"passed_packets", 14},
                                            {"dropped_packets", 15},
                                            {"echoed_packets", 14},
                                            {"redirected_bytes", 8},
                                            {"passed_bytes", 8},
                                            {"dropped_bytes", 8},
                                            {"echoed_bytes", 8}};

enum { ENTRY_COLUMNS = sizeof(entry_columns) / sizeof(entry_columns[0]), ENTRY_BYTES_COLUMNS = 4 };

static void print_counts(rows_t *rows, uint32_t counter_index)
{
    struct rj_stream_count count;
    bool is_counted =
        counter_index != RJ_XDP_COUNTER_NONE &&
        rj_kernel_maps_get_stream_count(&rows->steer->maps, counter_index, &count) == 0;
    if (!is_counted) {
        for (size_t i = 0; i < rows->count - 7; i++)
            rj_output_none(&rows->output);
        return;
    }
    rj_output_integer(&rows->output, (int64_t)count.redirected.packets);
    rj_output_integer(&rows->output, (int64_t)count.passed.packets);
    rj_output_integer(&rows->output, (int64_t)count.dropped.packets);
    rj_output_integer(&rows->output, (int64_t)count.echoed.packets);
    if (rows->format == RJ_OUTPUT_TABLE)
        return;
    rj_output_integer(&rows->output, (int64_t)count.redirected.bytes);
    rj_output_integer(&rows->output, (int64_t)count.passed.bytes);
    rj_output_integer(&rows->output, (int64_t)count.dropped.bytes);
    rj_output_integer(&rows->output, (int64_t)count.echoed.bytes);
}

static void print_channel_cells(rows_t *rows, const channel_t *channel)
{
    char address[INET6_ADDRSTRLEN];
    if (channel == NULL) { /* its driver has taken it out; an operator's rule has stayed */
        rj_output_none(&rows->output);
        rj_output_none(&rows->output);
        rj_output_none(&rows->output);
        return;
    }
    print_address(channel->key.address, address);
    rj_output_text(&rows->output, address);
    rj_output_integer(&rows->output, channel->key.port);
    if (channel->key.vlan != 0)
        rj_output_integer(&rows->output, channel->key.vlan);
    else
        rj_output_none(&rows->output);
}

static void print_rest(rows_t *rows, unsigned verdict, unsigned origin, uint32_t owner,
                       uint32_t counter_index)
{
    char text[OWNER_TEXT_MAX];
    if (origin == RJ_XDP_FROM_DRIVER && owner == RJ_XDP_OWNER_OPERATOR)
        snprintf(text, sizeof(text), "nobody");
    else
        print_owner(rows->steer, owner, text);
    rj_output_text(&rows->output, rj_filter_verdict_name(verdict));
    rj_output_text(&rows->output, text);
    print_counts(rows, counter_index);
    rj_output_end_row(&rows->output);
}

static void print_channel(rows_t *rows, const channel_t *channel)
{
    begin_row(rows);
    print_channel_cells(rows, channel);
    rj_output_none(&rows->output);
    rj_output_none(&rows->output);
    print_rest(rows, channel->value.verdict, channel->value.origin, channel->value.owner,
               channel->value.counter_index);
}

static void print_stream(rows_t *rows, const channel_t *channel, const stream_t *stream)
{
    begin_row(rows);
    print_channel_cells(rows, channel);
    rj_output_integer(&rows->output, stream->key.stream_id);
    if (stream->key.any_session != 0)
        rj_output_none(&rows->output);
    else
        rj_output_integer(&rows->output, stream->key.session_id);
    print_rest(rows, stream->value.verdict, stream->value.origin, stream->value.owner,
               stream->value.counter_index);
}

static const stream_t *first_stream(const entries_t *entries, uint32_t channel_id)
{
    size_t low = 0;
    size_t high = entries->stream_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entries->streams[middle].key.channel_id < channel_id)
            low = middle + 1;
        else
            high = middle;
    }
    return entries->streams + low;
}

static void print_entries(rows_t *rows, entries_t *entries)
{
    bool *is_printed = calloc(entries->stream_count + 1, sizeof(*is_printed));
    const stream_t *end = entries->streams + entries->stream_count;
    for (size_t i = 0; i < entries->channel_count; i++) {
        const channel_t *channel = &entries->channels[i];
        uint32_t id = channel->value.channel_id;
        print_channel(rows, channel);
        for (const stream_t *stream = first_stream(entries, id);
             stream < end && stream->key.channel_id == id; stream++) {
            print_stream(rows, channel, stream);
            if (is_printed != NULL)
                is_printed[stream - entries->streams] = true;
        }
    }
    for (size_t i = 0; is_printed != NULL && i < entries->stream_count; i++)
        if (!is_printed[i])
            print_stream(rows, NULL, &entries->streams[i]);
    free(is_printed);
}

static int failed(rj_err_t *err, const rj_steer_t *steer, int code)
{
    return rj_fail(err, code, "%s: cannot read its maps: %s", steer->interface, strerror(-code));
}

int rj_steer_print_entries(const rj_steer_t *steer, rj_output_format_t format, const char *before,
                           rj_err_t *err)
{
    entries_t entries = {.channel_count = 0};
    rows_t rows = {.steer = steer,
                   .kind = "filter",
                   .columns = entry_columns,
                   .count = ENTRY_COLUMNS - (format == RJ_OUTPUT_TABLE ? ENTRY_BYTES_COLUMNS : 0),
                   .format = format,
                   .before = before};
    int code = read_entries(steer, &entries);
    if (code == 0)
        print_entries(&rows, &entries);
    free(entries.channels);
    free(entries.streams);
    return code == 0 ? 0 : failed(err, steer, code);
}

int rj_steer_print_owners(const rj_steer_t *steer, int64_t now_ns, rj_output_format_t format,
                          const char *before, rj_err_t *err)
{
    static const rj_column_t columns[] = {
        {"driver_pid", 10}, {"owner", 10}, {"up_s", 10}, {"last_sign_of_life_s", 19}};
    rows_t rows = {.steer = steer,
                   .kind = "owner",
                   .columns = columns,
                   .count = 4,
                   .format = format,
                   .before = before};
    struct rj_owner_value value;
    uint32_t owner;
    const uint32_t *from = NULL;
    int code = 0;
    for (size_t i = 0; i < RJ_XDP_OWNERS_MAX; i++) {
        code = rj_kernel_maps_next_owner(&steer->maps, from, &owner, &value);
        if (code <= 0)
            break;
        begin_row(&rows);
        rj_output_integer(&rows.output, value.pid);
        rj_output_integer(&rows.output, owner);
        rj_output_real(&rows.output, (double)(now_ns - (int64_t)value.start_ns) / 1e9, 1);
        rj_output_real(&rows.output, (double)(now_ns - (int64_t)value.alive_ns) / 1e9, 1);
        rj_output_end_row(&rows.output);
        from = &owner;
    }
    return code < 0 ? failed(err, steer, code) : 0;
}

int rj_steer_print_queues(const rj_steer_t *steer, rj_output_format_t format, const char *before,
                          rj_err_t *err)
{
    static const rj_column_t columns[] = {{"queue", 5}, {"by", -14}, {"room_bytes", 10}};
    rows_t rows = {.steer = steer,
                   .kind = "queue",
                   .columns = columns,
                   .count = 3,
                   .format = format,
                   .before = before};
    for (uint32_t queue = 0; queue < RJ_XDP_QUEUES_MAX; queue++) {
        struct rj_queue_value value;
        char owner[OWNER_TEXT_MAX];
        int code = rj_kernel_maps_get_queue(&steer->maps, queue, &value);
        if (code != 0)
            return failed(err, steer, code);
        if (value.owner == RJ_XDP_OWNER_NONE)
            continue;
        begin_row(&rows);
        print_owner(steer, value.owner, owner);
        rj_output_integer(&rows.output, queue);
        rj_output_text(&rows.output, owner);
        rj_output_integer(&rows.output, value.room_bytes);
        rj_output_end_row(&rows.output);
    }
    return 0;
}

int rj_steer_print_reasons(const rj_steer_t *steer, rj_output_format_t format, const char *before,
                           rj_err_t *err)
{
    static const rj_column_t columns[] = {{"frames", -38}, {"packets", 12}, {"bytes", 14}};
    rows_t rows = {.steer = steer,
                   .kind = "reason",
                   .columns = columns,
                   .count = 3,
                   .format = format,
                   .before = before};
    for (unsigned reason = 0; reason < RJ_XDP_REASON_COUNT; reason++) {
        struct rj_count count;
        int code = rj_kernel_maps_get_reason(&steer->maps, (enum rj_xdp_reason)reason, &count);
        if (code != 0)
            return failed(err, steer, code);
        if (count.packets == 0)
            continue;
        begin_row(&rows);
        rj_output_text(&rows.output, rj_xdp_reason_name(reason));
        rj_output_integer(&rows.output, (int64_t)count.packets);
        rj_output_integer(&rows.output, (int64_t)count.bytes);
        rj_output_end_row(&rows.output);
    }
    return 0;
}
