/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/traffic.h"

#include <ramjet/command.h>
#include <ramjet/shm.h>

#include "shm/dir.h"
#include "shm/loss_report.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LIVE_INTERVAL_NS INT64_C(500000000)
#define JSON_INTERVAL_NS INT64_C(1000000000)

static const rj_column_t columns[] = {
    {"state", 0},          {"messages", 0},          {"bytes", 0},       {"seconds", 0},
    {"messages_per_s", 0}, {"megabytes_per_s", 0},   {"cpu_seconds", 0}, {"back_pressure_count", 0},
    {"naks_count", 0},     {"retransmits_count", 0}, {"lost_bytes", 0},  {"sha256", 0},
};

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int64_t system_counter(const rj_traffic_t *traffic, int32_t id)
{
    rj_counter_record_t record;
    if (rj_client_counters_read(traffic->tool->client, id, &record) < 0 ||
        record.type_id != RJ_COUNTER_TYPE_SYSTEM)
        return 0;
    return record.value;
}

static int64_t lost_bytes(const rj_traffic_t *traffic)
{
    int64_t bytes = 0;
    int64_t offset = 0;
    rj_loss_view_t view;
    if (traffic->losses.bytes == NULL)
        return 0;
    while (rj_loss_report_next(traffic->losses.bytes, traffic->losses.length_bytes, &offset, &view))
        if (view.stream_id == traffic->tool->stream_id)
            bytes += view.total_bytes_lost;
    return bytes;
}

static int64_t counter_now(const rj_traffic_t *traffic, rj_traffic_counter_t counter)
{
    bool is_sent = traffic->side == RJ_TRAFFIC_SENT;
    switch (counter) {
    case RJ_TRAFFIC_NAKS:
        return system_counter(traffic, is_sent ? RJ_SYSTEM_NAKS_RECEIVED : RJ_SYSTEM_NAKS_SENT);
    case RJ_TRAFFIC_RETRANSMITS:
        return is_sent ? system_counter(traffic, RJ_SYSTEM_RETRANSMITS_SENT) : 0;
    case RJ_TRAFFIC_LOST_BYTES:
        return is_sent ? 0 : lost_bytes(traffic);
    case RJ_TRAFFIC_COUNTER_COUNT:
        break;
    }
    return 0;
}

static int64_t since_begin(const rj_traffic_t *traffic, rj_traffic_counter_t counter)
{
    return counter_now(traffic, counter) - traffic->counters_begin[counter];
}

static void map_losses(rj_traffic_t *traffic)
{
    char directory[RJ_DIR_PATH_BYTES_MAX];
    char path[RJ_DIR_PATH_BYTES_MAX];
    const char *given = traffic->tool->directory;
    if (given == NULL && rj_directory_default(directory, sizeof(directory)) < 0)
        return;
    if (rj_dir_join(path, sizeof(path), given != NULL ? given : directory, RJ_LOSS_REPORT_FILE) ==
        0)
        rj_mapfile_open(&traffic->losses, path, 1, RJ_MAPFILE_READ_ONLY, NULL);
}

void rj_traffic_open(rj_traffic_t *traffic, const rj_stream_tool_t *tool, rj_traffic_side_t side,
                     FILE *report)
{
    *traffic = (rj_traffic_t){
        .tool = tool,
        .side = side,
        .report = report,
        .is_live = tool->format != RJ_OUTPUT_JSON && isatty(STDERR_FILENO) == 1,
        .cpu_begin_s = cpu_seconds(),
    };
    if (side == RJ_TRAFFIC_RECEIVED)
        map_losses(traffic);
    for (int i = 0; i < RJ_TRAFFIC_COUNTER_COUNT; i++)
        traffic->counters_begin[i] = counter_now(traffic, (rj_traffic_counter_t)i);
}

void rj_traffic_close(rj_traffic_t *traffic)
{
    rj_mapfile_close(&traffic->losses);
}

static double per_second(int64_t count, int64_t ns)
{
    return ns > 0 ? (double)count * 1e9 / (double)ns : 0;
}

/* Prints a number with the thousand it is in: 1.23 M messages/s, 1.23 MB/s. */
static void print_scaled(FILE *stream, double value, const char *unit)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T"};
    size_t step = 0;
    for (; value >= 1000 && step + 1 < sizeof(prefixes) / sizeof(prefixes[0]); step++)
        value /= 1000;
    fprintf(stream, step == 0 ? "%.0f %s%s" : "%.2f %s%s", value, prefixes[step], unit);
}

static void print_words(FILE *stream, const rj_traffic_t *traffic, double message_rate,
                        double byte_rate)
{
    print_scaled(stream, message_rate, " messages/s, ");
    print_scaled(stream, byte_rate, "B/s");
    fprintf(stream, ", NAKs %" PRId64, since_begin(traffic, RJ_TRAFFIC_NAKS));
    if (traffic->side == RJ_TRAFFIC_SENT)
        fprintf(stream, ", retransmits %" PRId64 ", back pressure %" PRId64,
                since_begin(traffic, RJ_TRAFFIC_RETRANSMITS), traffic->back_pressure_count);
    else
        fprintf(stream, ", lost and repaired %" PRId64 " B",
                since_begin(traffic, RJ_TRAFFIC_LOST_BYTES));
}

static void print_live(const rj_traffic_t *traffic, int64_t now_ns)
{
    int64_t elapsed_ns = now_ns - traffic->reported_ns;
    fputs("\r\033[K", stderr); /* back to the left, clear the line */
    fprintf(stderr, "%" PRId64 " messages, ", traffic->message_count);
    print_words(stderr, traffic,
                per_second(traffic->message_count - traffic->reported_messages, elapsed_ns),
                per_second(traffic->byte_count - traffic->reported_bytes, elapsed_ns));
    fflush(stderr);
}

static void print_json(const rj_traffic_t *traffic, const char *state, const char *sha256)
{
    rj_output_t output;
    int64_t elapsed_ns = traffic->last_ns - traffic->first_ns;
    bool is_sent = traffic->side == RJ_TRAFFIC_SENT;
    rj_output_init(&output, traffic->report, RJ_OUTPUT_JSON, columns,
                   sizeof(columns) / sizeof(columns[0]));
    rj_output_text(&output, state);
    rj_output_integer(&output, traffic->message_count);
    rj_output_integer(&output, traffic->byte_count);
    rj_output_real(&output, (double)elapsed_ns / 1e9, 6);
    rj_output_real(&output, per_second(traffic->message_count, elapsed_ns), 1);
    rj_output_real(&output, per_second(traffic->byte_count, elapsed_ns) / 1e6, 3);
    rj_output_real(&output, cpu_seconds() - traffic->cpu_begin_s, 6);
    if (is_sent)
        rj_output_integer(&output, traffic->back_pressure_count);
    else
        rj_output_none(&output);
    rj_output_integer(&output, since_begin(traffic, RJ_TRAFFIC_NAKS));
    if (is_sent) {
        rj_output_integer(&output, since_begin(traffic, RJ_TRAFFIC_RETRANSMITS));
        rj_output_none(&output);
    } else {
        rj_output_none(&output);
        rj_output_integer(&output, since_begin(traffic, RJ_TRAFFIC_LOST_BYTES));
    }
    rj_output_text(&output, sha256);
    rj_output_end_row(&output);
}

void rj_traffic_report(rj_traffic_t *traffic, int64_t now_ns)
{
    bool is_json = traffic->tool->format == RJ_OUTPUT_JSON;
    if (now_ns < traffic->report_deadline_ns || !(is_json || traffic->is_live))
        return;
    bool is_first = traffic->report_deadline_ns == 0;
    traffic->report_deadline_ns = now_ns + (is_json ? JSON_INTERVAL_NS : LIVE_INTERVAL_NS);
    if (!is_first && is_json)
        print_json(traffic, "running", NULL);
    else if (!is_first)
        print_live(traffic, now_ns);
    traffic->reported_ns = now_ns;
    traffic->reported_messages = traffic->message_count;
    traffic->reported_bytes = traffic->byte_count;
}

void rj_traffic_conclude(rj_traffic_t *traffic, const char *sha256, bool is_complete)
{
    if (traffic->tool->format == RJ_OUTPUT_JSON) {
        print_json(traffic, is_complete ? "complete" : "incomplete", sha256);
        return;
    }
    if (traffic->is_live)
        fputs("\r\033[K", stderr);
    int64_t elapsed_ns = traffic->last_ns - traffic->first_ns;
    FILE *report = traffic->report;
    fprintf(report, "%s %" PRId64 " messages, %" PRId64 " bytes in %.3f s: ",
            traffic->side == RJ_TRAFFIC_SENT ? "sent" : "received", traffic->message_count,
            traffic->byte_count, (double)elapsed_ns / 1e9);
    print_words(report, traffic, per_second(traffic->message_count, elapsed_ns),
                per_second(traffic->byte_count, elapsed_ns));
    fputs(is_complete ? "\n" : " (incomplete)\n", report);
    if (sha256 != NULL)
        fprintf(report, "sha256 %s\n", sha256);
    fflush(report);
}
