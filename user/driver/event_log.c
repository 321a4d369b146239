/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/event_log.h"

#include <ramjet/version.h>

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bits.h"
#include "driver/event_code.h"
#include "driver/event_text.h"
#include "shm/ring_spsc.h"

enum {
    BODY_MAX = 1000,
    RECORDS = 4096,
    RECORD_HEADER_BYTES = 16, /* of the reference's records, which its lengths include */
    LINES_A_TURN = 64,
    TEXT_MAX = 4096,
    NS_A_SECOND = 1000000000
};

typedef struct event_record {
    int64_t now_ns;
    int32_t code;
    int32_t type;
    int32_t length;
    int32_t full_length;
    uint8_t body[BODY_MAX];
} event_record_t;

struct rj_event_log {
    rj_ring_spsc_t ring;
    uint64_t codes;
    int64_t now_ns;
    int64_t dropped; /* conductor -> helper, relaxed: a count for people */

    /* the helper's */
    int64_t dropped_told;
    int64_t epoch_ms;
    char path[RJ_CONFIG_PATH_MAX]; /* "": stdout */
    FILE *out;
    int64_t written;
    int64_t bytes_max;
    int rotations;
};

/* --- the file --- */

static void print_start(rj_event_log_t *log, int64_t now_ns)
{
    char day[32], zone[16];
    struct tm parts;
    const time_t seconds = (time_t)(log->epoch_ms / 1000);
    if (localtime_r(&seconds, &parts) == NULL)
        return;
    strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &parts);
    strftime(zone, sizeof(zone), "%z", &parts);
    const int length =
        fprintf(log->out,
                "[%" PRId64 ".%09" PRId64 "] log started %s.%03d%s, enabled loggers: "
                "{DRIVER: version=%s commit=ramjet}\n",
                now_ns / NS_A_SECOND, now_ns % NS_A_SECOND, day, (int)(log->epoch_ms % 1000), zone,
                RJ_AERON_VERSION_TEXT);
    log->written += length > 0 ? length : 0;
}

/* As the reference: the full file becomes NAME.1, NAME.2 and so on, and NAME begins anew. */
static void rotate(rj_event_log_t *log, int64_t now_ns)
{
    char moved[RJ_CONFIG_PATH_MAX + 16];
    if (log->path[0] == '\0' || log->written < log->bytes_max)
        return;
    snprintf(moved, sizeof(moved), "%s.%d", log->path, log->rotations + 1);
    FILE *next = rename(log->path, moved) == 0 ? fopen(log->path, "ae") : NULL;
    log->written = 0; /* also where that failed, so that it is not tried for each line */
    if (next == NULL)
        return;
    log->rotations++;
    fclose(log->out);
    log->out = next;
    print_start(log, now_ns);
}

static int open_file(rj_event_log_t *log, rj_err_t *err)
{
    log->out = log->path[0] == '\0' ? stdout : fopen(log->path, "ae");
    if (log->out == NULL)
        return rj_fail(err, -errno, "could not open log file %s: %s: AERON_EVENT_LOG_FILENAME",
                       log->path, strerror(errno));
    return 0;
}

/* --- open, close --- */

int rj_event_log_check(const rj_driver_config_t *config, FILE *warnings, rj_err_t *err)
{
    rj_event_log_t log = {.out = NULL};
    if (rj_event_codes_parse(config->event_log, config->event_log_disable, warnings) == 0)
        return 0;
    memcpy(log.path, config->event_log_file, sizeof(log.path));
    const int result = open_file(&log, err);
    if (result == 0 && log.out != stdout)
        fclose(log.out);
    return result;
}

int rj_event_log_open(rj_event_log_t **ret_log, const rj_driver_config_t *config, int64_t now_ns,
                      int64_t epoch_ms, rj_err_t *err)
{
    *ret_log = NULL;
    const uint64_t codes = rj_event_codes_parse(config->event_log, config->event_log_disable, NULL);
    if (codes == 0)
        return 0;
    rj_event_log_t *log = aligned_alloc(_Alignof(rj_event_log_t), sizeof(*log));
    if (log == NULL)
        return rj_fail(err, -ENOMEM, "no memory for the event log");
    *log = (rj_event_log_t){
        .codes = codes, .epoch_ms = epoch_ms, .bytes_max = config->event_log_file_bytes_max};
    memcpy(log->path, config->event_log_file, sizeof(log->path));
    int result = rj_ring_spsc_open(&log->ring, sizeof(event_record_t), RECORDS, err);
    if (result == 0)
        result = open_file(log, err);
    if (result < 0) {
        rj_event_log_close(log);
        return result;
    }
    print_start(log, now_ns);
    fflush(log->out);
    *ret_log = log;
    return 0;
}

void rj_event_log_close(rj_event_log_t *log)
{
    if (log == NULL)
        return;
    while (log->out != NULL && rj_event_log_do_work(log) > 0)
        continue;
    if (log->out != NULL && log->out != stdout)
        fclose(log->out);
    rj_ring_spsc_close(&log->ring);
    free(log);
}

/* --- note, write --- */

void rj_event_log_set_time(rj_event_log_t *log, int64_t now_ns, int64_t epoch_ms)
{
    if (log == NULL)
        return;
    log->now_ns = now_ns;
    /* Relaxed: the helper only prints it. */
    __atomic_store_n(&log->epoch_ms, epoch_ms, __ATOMIC_RELAXED);
}

void rj_event_log_note(void *state, int32_t type, const void *body, int32_t length)
{
    rj_event_log_t *log = state;
    const int code = rj_event_code_of(type);
    if ((log->codes >> code & 1) == 0)
        return;
    event_record_t *record = rj_ring_spsc_claim(&log->ring);
    if (record == NULL) {
        __atomic_store_n(&log->dropped, log->dropped + 1, __ATOMIC_RELAXED);
        return;
    }
    record->now_ns = log->now_ns;
    record->code = code;
    record->type = type;
    record->full_length = length;
    record->length = rj_min_i32(length, BODY_MAX);
    memcpy(record->body, body, (size_t)record->length);
    rj_ring_spsc_publish(&log->ring);
}

static void write_record(rj_event_log_t *log, const event_record_t *record)
{
    char text[TEXT_MAX];
    rotate(log, record->now_ns);
    rj_event_text(text, sizeof(text), record->type, record->body, record->length,
                  record->full_length);
    const int length =
        fprintf(log->out, "[%" PRId64 ".%09" PRId64 "] DRIVER: %s [%d/%d]: %s\n",
                record->now_ns / NS_A_SECOND, record->now_ns % NS_A_SECOND,
                rj_event_code_name(record->code), record->length + RECORD_HEADER_BYTES,
                record->full_length + RECORD_HEADER_BYTES, text);
    log->written += length > 0 ? length : 0;
}

static int write_dropped(rj_event_log_t *log)
{
    const int64_t dropped = __atomic_load_n(&log->dropped, __ATOMIC_RELAXED);
    if (dropped == log->dropped_told)
        return 0;
    fprintf(log->out, "DRIVER: %" PRId64 " events are missing here\n", dropped - log->dropped_told);
    log->dropped_told = dropped;
    return 1;
}

int rj_event_log_do_work(rj_event_log_t *log)
{
    int count = 0;
    if (log == NULL)
        return 0;
    for (; count < LINES_A_TURN; count++) {
        const event_record_t *record = rj_ring_spsc_peek(&log->ring);
        if (record == NULL)
            break;
        write_record(log, record);
        rj_ring_spsc_release(&log->ring);
    }
    count += write_dropped(log);
    if (count > 0)
        fflush(log->out);
    return count;
}
