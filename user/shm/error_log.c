/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/error_log.h"

#include "base/atomic.h"
#include "base/bits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* One distinct error: its code, which the file does not hold, and its text as it was stored. */
struct rj_error_observation {
    rj_error_observation_t *older;
    int64_t offset;
    int32_t error_code;
    size_t text_length;
    char text[];
};

int rj_error_log_open(rj_error_log_t *log, uint8_t *section, int64_t section_length, rj_err_t *err)
{
    *log = (rj_error_log_t){0};
    if (section_length < RJ_ERROR_ENTRY_HEADER_BYTES || section_length > INT32_MAX ||
        (uintptr_t)section % RJ_ERROR_ENTRY_ALIGNMENT != 0)
        return rj_fail(err, -EINVAL, "error log of %lld bytes", (long long)section_length);
    log->section = section;
    log->section_length = section_length;
    return 0;
}

void rj_error_log_close(rj_error_log_t *log)
{
    while (log->newest != NULL) {
        rj_error_observation_t *older = log->newest->older;
        free(log->newest);
        log->newest = older;
    }
    *log = (rj_error_log_t){0};
}

/* A text that begins with a stored one counts as the same error. */
static rj_error_observation_t *find_observation(const rj_error_log_t *log, int32_t error_code,
                                                const char *text)
{
    rj_error_observation_t *observation = log->newest;
    while (observation != NULL && (observation->error_code != error_code ||
                                   strncmp(observation->text, text, observation->text_length) != 0))
        observation = observation->older;
    return observation;
}

static rj_error_observation_t *add_observation(rj_error_log_t *log, int32_t error_code,
                                               const char *text, int64_t epoch_ms)
{
    size_t text_length = strlen(text);
    int64_t left = log->section_length - log->next_offset;
    if ((int64_t)text_length > left - RJ_ERROR_ENTRY_HEADER_BYTES)
        return NULL;
    rj_error_observation_t *observation = malloc(sizeof(*observation) + text_length + 1);
    if (observation == NULL)
        return NULL;
    observation->older = log->newest;
    observation->offset = log->next_offset;
    observation->error_code = error_code;
    observation->text_length = text_length;
    memcpy(observation->text, text, text_length + 1);
    log->newest = observation;

    uint8_t *bytes = log->section + log->next_offset;
    rj_error_entry_t *entry = (rj_error_entry_t *)(void *)bytes;
    memcpy(bytes + RJ_ERROR_ENTRY_HEADER_BYTES, text, text_length);
    entry->first_observation_ms = epoch_ms;
    int64_t length = RJ_ERROR_ENTRY_HEADER_BYTES + (int64_t)text_length;
    log->next_offset += rj_align_up(length, RJ_ERROR_ENTRY_ALIGNMENT);
    /* Release: pairs with the acquire in rj_error_log_next. */
    rj_store_release_i32(&entry->length, (int32_t)length);
    return observation;
}

int rj_error_log_record(rj_error_log_t *log, int32_t error_code, const char *text, int64_t epoch_ms)
{
    rj_error_observation_t *observation = find_observation(log, error_code, text);
    if (observation == NULL)
        observation = add_observation(log, error_code, text, epoch_ms);
    if (observation == NULL)
        return -ENOMEM;
    rj_error_entry_t *entry = (rj_error_entry_t *)(void *)(log->section + observation->offset);
    rj_fetch_add_i32(&entry->observation_count, 1);
    rj_store_release_i64(&entry->last_observation_ms, epoch_ms);
    return 0;
}

bool rj_error_log_next(const uint8_t *section, int64_t section_length, int64_t since_ms,
                       int64_t *offset, rj_error_view_t *ret_view)
{
    while (*offset >= 0 && *offset <= section_length - RJ_ERROR_ENTRY_HEADER_BYTES) {
        const uint8_t *bytes = section + *offset;
        const rj_error_entry_t *entry = (const rj_error_entry_t *)(const void *)bytes;
        /* Acquire: pairs with the release in add_observation. */
        int32_t length = rj_load_acquire_i32(&entry->length);
        if (length < RJ_ERROR_ENTRY_HEADER_BYTES || length > section_length - *offset)
            return false;
        *offset += rj_align_up(length, RJ_ERROR_ENTRY_ALIGNMENT);
        int64_t last_ms = rj_load_acquire_i64(&entry->last_observation_ms);
        if (last_ms < since_ms)
            continue;
        *ret_view = (rj_error_view_t){
            .observation_count = rj_load_acquire_i32(&entry->observation_count),
            .first_observation_ms = rj_load_relaxed_i64(&entry->first_observation_ms),
            .last_observation_ms = last_ms,
            .text = (const char *)bytes + RJ_ERROR_ENTRY_HEADER_BYTES,
            .text_length = length - RJ_ERROR_ENTRY_HEADER_BYTES,
        };
        return true;
    }
    return false;
}

/* Local time, as a person who reads the file expects it. */
static void format_time(char *text, size_t text_bytes, int64_t epoch_ms)
{
    char day[32], zone[16];
    struct tm parts;
    time_t seconds = (time_t)(epoch_ms / 1000);
    if (localtime_r(&seconds, &parts) == NULL) {
        snprintf(text, text_bytes, "%lld ms", (long long)epoch_ms);
        return;
    }
    strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &parts);
    strftime(zone, sizeof(zone), "%z", &parts);
    snprintf(text, text_bytes, "%s.%03d%s", day, (int)(epoch_ms % 1000), zone);
}

static int write_entries(const uint8_t *section, int64_t section_length, FILE *stream)
{
    int64_t offset = 0;
    int count = 0;
    rj_error_view_t view;
    for (; rj_error_log_next(section, section_length, INT64_MIN, &offset, &view); count++) {
        char first[64], last[64];
        format_time(first, sizeof(first), view.first_observation_ms);
        format_time(last, sizeof(last), view.last_observation_ms);
        fprintf(stream, "***\n%d observations from %s to %s for:\n %.*s\n", view.observation_count,
                first, last, view.text_length, view.text);
    }
    fprintf(stream, "\n%d distinct errors observed.\n", count);
    return count;
}

int rj_error_log_save(const uint8_t *section, int64_t section_length, const char *path,
                      rj_err_t *err)
{
    int64_t offset = 0;
    rj_error_view_t view;
    if (!rj_error_log_next(section, section_length, INT64_MIN, &offset, &view))
        return 0;
    FILE *stream = fopen(path, "wxe");
    if (stream == NULL)
        return rj_fail(err, -errno, "create %s: %s", path, strerror(errno));
    int count = write_entries(section, section_length, stream);
    bool has_failed = ferror(stream) != 0;
    if (fclose(stream) != 0 || has_failed) {
        unlink(path);
        return rj_fail(err, -EIO, "write %s", path);
    }
    return count;
}
