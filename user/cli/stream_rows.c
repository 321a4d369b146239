/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stream_rows.h"

#include <ramjet/command.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "shm/why.h"

/* What a driver that is not ours, or of another version, says nothing of. */
enum { UNKNOWN = -1 };

/* --- rows --- */

static rj_stream_row_t *find(const rj_stream_rows_t *rows, int64_t id)
{
    for (size_t i = 0; i < rows->count; i++)
        if (rows->rows[i].id == id && rows->rows[i].kind != RJ_STREAM_ROW_SUBSCRIPTION)
            return &rows->rows[i];
    return NULL;
}

static rj_stream_row_t *add(rj_stream_rows_t *rows, rj_stream_row_kind_t kind, int64_t id)
{
    if (rows->count == rows->room) {
        const size_t room = rows->room == 0 ? 64 : 2 * rows->room;
        rj_stream_row_t *grown = realloc(rows->rows, room * sizeof(*grown));
        if (grown == NULL)
            return NULL;
        rows->rows = grown;
        rows->room = room;
    }
    rj_stream_row_t *row = &rows->rows[rows->count++];
    *row = (rj_stream_row_t){.kind = kind,
                             .id = id,
                             .position = UNKNOWN,
                             .limit = UNKNOWN,
                             .sent = UNKNOWN,
                             .window_limit = UNKNOWN,
                             .naks = UNKNOWN,
                             .back_pressure = UNKNOWN,
                             .slowest = UNKNOWN};
    return row;
}

/* The text behind the `count` first words of a label: there the channel is whole, in the key it is
 * cut. */
static void copy_channel(char *to, const char *label, int count)
{
    for (; count > 0 && label != NULL; count--) {
        label = strchr(label, ' ');
        label = label != NULL ? label + 1 : NULL;
    }
    snprintf(to, RJ_COUNTER_LABEL_BYTES_MAX + 1, "%s", label != NULL ? label : "");
}

static rj_stream_row_t *row_of(rj_stream_rows_t *rows, const rj_counter_view_t *counter,
                               rj_stream_row_kind_t kind)
{
    rj_counter_stream_key_t key;
    memcpy(&key, counter->key, sizeof(key));
    rj_stream_row_t *row = find(rows, key.registration_id);
    if (row != NULL)
        return row;
    row = add(rows, kind, key.registration_id);
    if (row == NULL)
        return NULL;
    row->session_id = key.session_id;
    row->stream_id = key.stream_id;
    /* "rcv-pos: <id> <session> <stream> <channel>"; a publisher's has its kind before the colon. */
    const int words = strstr(counter->label, " (") != NULL ? 5 : 4;
    copy_channel(row->channel, counter->label, words);
    return row;
}

/* --- first pass: what makes a row --- */

static int take_streams(rj_stream_rows_t *rows, const rj_counters_reader_t *counters, int32_t type,
                        rj_stream_row_kind_t kind)
{
    int32_t cursor = 0;
    rj_counter_view_t counter;
    while (rj_counters_next(counters, &cursor, &counter)) {
        if (counter.type_id != type)
            continue;
        rj_stream_row_t *row = row_of(rows, &counter, kind);
        if (row == NULL)
            return -ENOMEM;
        row->position = counter.value;
    }
    return 0;
}

/* --- second pass: what belongs to one --- */

static void take_reader(rj_stream_rows_t *rows, const rj_counter_view_t *counter)
{
    rj_stream_row_t *row = find(rows, counter->reference_id);
    if (row == NULL)
        return;
    row->subscriber_count++;
    if (row->slowest == UNKNOWN || counter->value < row->slowest) {
        row->slowest = counter->value;
        row->slowest_id = counter->registration_id;
    }
}

/* The address of "why: <id> <session> <stream> <address> <channel>"; NULL when it says none. */
static const char *address_of(const char *label, char ret[static RJ_COUNTER_LABEL_BYTES_MAX + 1])
{
    copy_channel(ret, label, 4);
    char *end = strchr(ret, ' ');
    if (end == NULL || strncmp(ret, "- ", 2) == 0)
        return NULL;
    *end = '\0';
    return ret;
}

static void take_why(rj_stream_row_t *row, const rj_counter_view_t *counter)
{
    char address[RJ_COUNTER_LABEL_BYTES_MAX + 1];
    const rj_why_t why = rj_why_unpack(counter->value, counter->reference_id);
    snprintf(row->why_word, sizeof(row->why_word), "%s", rj_why_word(why.reason));
    rj_why_sentence(row->why, sizeof(row->why), &why, address_of(counter->label, address));
}

static void take_value(rj_stream_row_t *row, const rj_counter_view_t *counter)
{
    switch (counter->type_id) {
    case RJ_COUNTER_TYPE_PUBLISHER_LIMIT:
    case RJ_COUNTER_TYPE_RECEIVER_HWM:
        row->limit = counter->value;
        break;
    case RJ_COUNTER_TYPE_SENDER_POSITION:
        row->kind = RJ_STREAM_ROW_PUBLICATION;
        row->sent = counter->value;
        break;
    case RJ_COUNTER_TYPE_SENDER_LIMIT:
        row->window_limit = counter->value;
        break;
    case RJ_COUNTER_TYPE_SENDER_BPE:
        row->back_pressure = counter->value;
        break;
    case RJ_COUNTER_TYPE_SENDER_NAKS_RECEIVED:
    case RJ_COUNTER_TYPE_RECEIVER_NAKS_SENT:
        row->naks = counter->value;
        break;
    case RJ_COUNTER_TYPE_RAMJET_WHY:
        take_why(row, counter);
        break;
    default:
        break;
    }
}

static bool has_stream_key(int32_t type)
{
    return type == RJ_COUNTER_TYPE_PUBLISHER_LIMIT || type == RJ_COUNTER_TYPE_RECEIVER_HWM ||
           type == RJ_COUNTER_TYPE_SENDER_POSITION || type == RJ_COUNTER_TYPE_SENDER_LIMIT ||
           type == RJ_COUNTER_TYPE_SENDER_BPE || type == RJ_COUNTER_TYPE_SENDER_NAKS_RECEIVED ||
           type == RJ_COUNTER_TYPE_RECEIVER_NAKS_SENT || type == RJ_COUNTER_TYPE_RAMJET_WHY;
}

static void take_values(rj_stream_rows_t *rows, const rj_counters_reader_t *counters)
{
    int32_t cursor = 0;
    rj_counter_view_t counter;
    while (rj_counters_next(counters, &cursor, &counter)) {
        if (counter.type_id == RJ_COUNTER_TYPE_SUBSCRIBER_POSITION)
            take_reader(rows, &counter);
        if (!has_stream_key(counter.type_id))
            continue;
        rj_counter_stream_key_t key;
        memcpy(&key, counter.key, sizeof(key));
        rj_stream_row_t *row = find(rows, key.registration_id);
        if (row != NULL)
            take_value(row, &counter);
    }
}

/* --- channels that nothing came by --- */

/* A key that is full may hold the beginning of a channel only. */
static bool is_channel(const rj_counter_channel_key_t *key, const char *channel)
{
    const size_t length = strnlen(key->channel, sizeof(key->channel));
    return strncmp(channel, key->channel, length) == 0 &&
           (length == sizeof(key->channel) || channel[length] == '\0');
}

/* A channel may bring many streams: one image is enough. */
static bool has_image(const rj_stream_rows_t *rows, const rj_counter_channel_key_t *key)
{
    for (size_t i = 0; i < rows->count; i++)
        if (rows->rows[i].kind == RJ_STREAM_ROW_IMAGE && is_channel(key, rows->rows[i].channel))
            return true;
    return false;
}

static int take_channels(rj_stream_rows_t *rows, const rj_counters_reader_t *counters)
{
    int32_t cursor = 0;
    rj_counter_view_t counter;
    while (rj_counters_next(counters, &cursor, &counter)) {
        rj_counter_channel_key_t key;
        memcpy(&key, counter.key, sizeof(key));
        if (counter.type_id != RJ_COUNTER_TYPE_RECEIVE_CHANNEL_STATUS || has_image(rows, &key))
            continue;
        rj_stream_row_t *row = add(rows, RJ_STREAM_ROW_SUBSCRIPTION, counter.registration_id);
        if (row == NULL)
            return -ENOMEM;
        copy_channel(row->channel, counter.label, 1);
    }
    return 0;
}

/* --- why --- */

static void say(rj_stream_row_t *row, const char *word, const char *sentence)
{
    snprintf(row->why_word, sizeof(row->why_word), "%s", word);
    snprintf(row->why, sizeof(row->why), "%s", sentence);
}

static void explain_image(rj_stream_row_t *row)
{
    if (row->subscriber_count == 0) {
        say(row, "no-reader", "nobody reads it any more");
    } else if (row->limit > row->position) {
        snprintf(row->why_word, sizeof(row->why_word), "gap");
        snprintf(row->why, sizeof(row->why),
                 "bytes are missing at %" PRId64 ", of %" PRId64 " that came: they are asked for "
                 "again",
                 row->position, row->limit - row->position);
    } else if (row->slowest < row->position) {
        snprintf(row->why_word, sizeof(row->why_word), "reading");
        snprintf(row->why, sizeof(row->why),
                 "subscription %" PRId64 " has %" PRId64 " bytes to read", row->slowest_id,
                 row->position - row->slowest);
    } else {
        say(row, "all-read", "all that came is read");
    }
}

/* Of a driver that gives no reason. */
static void guess(rj_stream_row_t *row)
{
    if (row->position < row->limit)
        say(row, "flows", "publishers may write");
    else if (row->window_limit != UNKNOWN && row->sent >= row->window_limit)
        say(row, "window-closed", "a receiver's window is closed, or nobody subscribes");
    else
        say(row, "held", "publishers are at their limit, or nobody subscribes");
}

static void explain(rj_stream_row_t *row)
{
    switch (row->kind) {
    case RJ_STREAM_ROW_PUBLICATION:
    case RJ_STREAM_ROW_IPC_PUBLICATION:
        if (row->why_word[0] == '\0')
            guess(row);
        break;
    case RJ_STREAM_ROW_IMAGE:
        explain_image(row);
        break;
    case RJ_STREAM_ROW_SUBSCRIPTION:
        say(row, "no-publisher",
            "nothing has come yet: no publisher sends there, or something between drops it");
        break;
    }
}

int rj_stream_rows_read(rj_stream_rows_t *rows, const rj_counters_reader_t *counters)
{
    *rows = (rj_stream_rows_t){0};
    int result = take_streams(rows, counters, RJ_COUNTER_TYPE_PUBLISHER_POSITION,
                              RJ_STREAM_ROW_IPC_PUBLICATION);
    if (result == 0)
        result =
            take_streams(rows, counters, RJ_COUNTER_TYPE_RECEIVER_POSITION, RJ_STREAM_ROW_IMAGE);
    if (result == 0)
        result = take_channels(rows, counters);
    if (result < 0) {
        rj_stream_rows_close(rows);
        return result;
    }
    take_values(rows, counters);
    for (size_t i = 0; i < rows->count; i++)
        explain(&rows->rows[i]);
    return 0;
}

void rj_stream_rows_close(rj_stream_rows_t *rows)
{
    free(rows->rows);
    *rows = (rj_stream_rows_t){0};
}
