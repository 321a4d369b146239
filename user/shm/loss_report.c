/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/loss_report.h"

#include "base/atomic.h"
#include "base/bits.h"

#include <errno.h>
#include <string.h>

enum { FIELD_ALIGNMENT = 4 };

/* Where the source's length lies, seen from the entry, behind a channel of that length. */
static int64_t source_offset(int64_t channel_length)
{
    return (int64_t)offsetof(rj_loss_entry_t, channel) +
           rj_align_up(channel_length, FIELD_ALIGNMENT);
}

int rj_loss_report_attach(rj_loss_report_t *report, uint8_t *section, int64_t section_length)
{
    *report = (rj_loss_report_t){0};
    if (section_length < 0 || (uintptr_t)section % sizeof(int64_t) != 0)
        return -EINVAL;
    report->section = section;
    report->section_length = section_length;
    return 0;
}

static int64_t entry_length(int64_t channel_length, int64_t source_length)
{
    return source_offset(channel_length) + (int64_t)sizeof(int32_t) + source_length;
}

/* As Aeron: the C reader takes its stride from the bare lengths, the Java reader from the aligned
 * ones. Where that differs the C reader would lose its place; blanks behind the channel help. */
static int64_t stored_channel_length(int64_t channel_length, int64_t source_length)
{
    int64_t bare = (int64_t)offsetof(rj_loss_entry_t, channel) + channel_length +
                   (int64_t)sizeof(int32_t) + source_length;
    if (rj_align_up(bare, RJ_LOSS_ENTRY_ALIGNMENT) ==
        rj_align_up(entry_length(channel_length, source_length), RJ_LOSS_ENTRY_ALIGNMENT))
        return channel_length;
    return rj_align_up(channel_length, FIELD_ALIGNMENT);
}

static void write_entry(uint8_t *bytes, const rj_loss_view_t *view, int64_t channel_length)
{
    rj_loss_entry_t *entry = (rj_loss_entry_t *)(void *)bytes;
    entry->total_bytes_lost = view->total_bytes_lost;
    entry->first_observation_ms = view->first_observation_ms;
    entry->last_observation_ms = view->last_observation_ms;
    entry->session_id = view->session_id;
    entry->stream_id = view->stream_id;
    entry->channel_length = (int32_t)channel_length;
    memset(entry->channel, ' ', (size_t)channel_length);
    memcpy(entry->channel, view->channel, (size_t)view->channel_length);

    uint8_t *source = bytes + source_offset(channel_length);
    memcpy(source, &view->source_length, sizeof(view->source_length));
    memcpy(source + sizeof(view->source_length), view->source, (size_t)view->source_length);
    /* Release: pairs with the acquire in rj_loss_report_next. */
    rj_store_release_i64(&entry->observation_count, view->observation_count);
}

int64_t rj_loss_report_create(rj_loss_report_t *report, int64_t bytes_lost, int64_t epoch_ms,
                              int32_t session_id, int32_t stream_id, const char *channel,
                              const char *source)
{
    int64_t offset = report->next_offset;
    int64_t left = report->section_length - offset;
    int64_t source_length = (int64_t)strlen(source);
    int64_t channel_length = stored_channel_length((int64_t)strlen(channel), source_length);
    int64_t needed = entry_length(channel_length, source_length);
    if (needed > left || needed > INT32_MAX)
        return -ENOSPC;
    rj_loss_view_t view = {
        .observation_count = 1,
        .total_bytes_lost = bytes_lost,
        .first_observation_ms = epoch_ms,
        .last_observation_ms = epoch_ms,
        .session_id = session_id,
        .stream_id = stream_id,
        .channel = channel,
        .channel_length = (int32_t)strlen(channel),
        .source = source,
        .source_length = (int32_t)source_length,
    };
    write_entry(report->section + offset, &view, channel_length);
    report->next_offset += rj_align_up(needed, RJ_LOSS_ENTRY_ALIGNMENT);
    return offset;
}

void rj_loss_report_add(rj_loss_report_t *report, int64_t offset, int64_t bytes_lost,
                        int64_t epoch_ms)
{
    rj_loss_entry_t *entry = (rj_loss_entry_t *)(void *)(report->section + offset);
    rj_store_release_i64(&entry->last_observation_ms, epoch_ms);
    rj_fetch_add_i64(&entry->total_bytes_lost, bytes_lost);
    rj_fetch_add_i64(&entry->observation_count, 1);
}

int32_t rj_loss_observe(rj_loss_observed_t *observed, int32_t term_id, int32_t offset,
                        int32_t length)
{
    int32_t known_end = observed->offset + observed->length;
    int32_t fresh = 0;
    if (term_id != observed->term_id || offset >= known_end)
        fresh = length;
    else if (offset + length > known_end)
        fresh = offset + length - known_end;
    if (fresh > 0)
        *observed = (rj_loss_observed_t){term_id, offset, length};
    return fresh;
}

/* Copies an i32 length and points to the text behind it; false unless both lie in `left` bytes. */
static bool read_text(const uint8_t *bytes, int64_t left, const char **ret_text,
                      int32_t *ret_length)
{
    int32_t length;
    if (left < (int64_t)sizeof(length))
        return false;
    memcpy(&length, bytes, sizeof(length));
    if (length < 0 || length > left - (int64_t)sizeof(length))
        return false;
    *ret_text = (const char *)bytes + sizeof(length);
    *ret_length = length;
    return true;
}

bool rj_loss_report_next(const uint8_t *section, int64_t section_length, int64_t *offset,
                         rj_loss_view_t *ret_view)
{
    int64_t left = section_length - *offset;
    if (*offset < 0 || left < (int64_t)offsetof(rj_loss_entry_t, channel))
        return false;
    const uint8_t *bytes = section + *offset;
    const rj_loss_entry_t *entry = (const rj_loss_entry_t *)(const void *)bytes;
    /* Acquire: pairs with the release in rj_loss_report_create. */
    int64_t count = rj_load_acquire_i64(&entry->observation_count);
    if (count <= 0)
        return false;
    rj_loss_view_t view = {
        .observation_count = count,
        .total_bytes_lost = rj_load_acquire_i64(&entry->total_bytes_lost),
        .first_observation_ms = rj_load_relaxed_i64(&entry->first_observation_ms),
        .last_observation_ms = rj_load_acquire_i64(&entry->last_observation_ms),
        .session_id = rj_load_relaxed_i32(&entry->session_id),
        .stream_id = rj_load_relaxed_i32(&entry->stream_id),
    };
    int64_t at = (int64_t)offsetof(rj_loss_entry_t, channel_length);
    if (!read_text(bytes + at, left - at, &view.channel, &view.channel_length))
        return false;
    at = source_offset(view.channel_length);
    if (at > left || !read_text(bytes + at, left - at, &view.source, &view.source_length))
        return false;
    *offset +=
        rj_align_up(entry_length(view.channel_length, view.source_length), RJ_LOSS_ENTRY_ALIGNMENT);
    *ret_view = view;
    return true;
}
