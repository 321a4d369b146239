/* SPDX-License-Identifier: Apache-2.0 */
/* traffic.h - counts what a tool sends or receives, and reports it while it runs and at the end.
 *
 * On a terminal one live line is drawn over itself; with --json an object goes out every second;
 * the end is a sentence or one more object. Naks, retransmits and losses are the driver's counters
 * and loss report since the beginning: they belong to all its streams (the losses to all images of
 * this stream).
 *
 * Units      bytes are payload; rates are per second from the first to the last message; MB is
 *            10^6.
 * Ownership  the caller's value; tool and client are borrowed.
 * Thread     the main thread.
 * Errors     none; what cannot be read counts as zero.
 */
#ifndef RJ_CLI_TRAFFIC_H
#define RJ_CLI_TRAFFIC_H

#include "base/mapfile.h"
#include "cli/stream_tool.h"

#include <stdio.h>

typedef enum rj_traffic_side {
    RJ_TRAFFIC_SENT,
    RJ_TRAFFIC_RECEIVED,
} rj_traffic_side_t;

typedef enum rj_traffic_counter {
    RJ_TRAFFIC_NAKS,
    RJ_TRAFFIC_RETRANSMITS,
    RJ_TRAFFIC_LOST_BYTES,
    RJ_TRAFFIC_COUNTER_COUNT,
} rj_traffic_counter_t;

typedef struct rj_traffic {
    /* For the tool to count. */
    int64_t message_count;
    int64_t byte_count;
    int64_t back_pressure_count; /* offers refused because subscribers were behind */
    int64_t first_ns;            /* time of the first message; 0 before it */
    int64_t last_ns;
    /* private */
    const rj_stream_tool_t *tool;
    rj_traffic_side_t side;
    FILE *report;
    bool is_live; /* a terminal watches */
    rj_mapfile_t losses;
    int64_t counters_begin[RJ_TRAFFIC_COUNTER_COUNT];
    double cpu_begin_s;
    int64_t report_deadline_ns;
    int64_t reported_ns; /* time, messages and bytes of the last report */
    int64_t reported_messages;
    int64_t reported_bytes;
} rj_traffic_t;

/* `report` gets the objects and the final words; the live line goes to stderr when that is a
 * terminal and the format is not JSON. The client must be connected. */
void rj_traffic_open(rj_traffic_t *traffic, const rj_stream_tool_t *tool, rj_traffic_side_t side,
                     FILE *report);

/* Reports if it is time. Cheap otherwise. */
void rj_traffic_report(rj_traffic_t *traffic, int64_t now_ns);

/* The last report. `sha256` is NULL or the digest in hex; `is_complete` is false for what was
 * broken off. */
void rj_traffic_conclude(rj_traffic_t *traffic, const char *sha256, bool is_complete);

void rj_traffic_close(rj_traffic_t *traffic);

#endif
