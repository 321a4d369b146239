/* SPDX-License-Identifier: Apache-2.0 */
/* What a publication sends of itself: setups, data, heartbeats. What it is told by receivers is in
 * publication_feedback.c, what the conductor does with it in publication_life.c. */
#include "stream/network_publication_feedback.h"

#include <string.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "proto/frame.h"
#include "shm/term_scan.h"

static void init_config(rj_network_publication_t *publication,
                        const rj_network_publication_config_t *config)
{
    publication->config = *config;
    publication->config.retransmit.term_length = publication->log->term_length;
    publication->config.retransmit.is_group = config->is_group;
}

void rj_network_publication_init(rj_network_publication_t *publication,
                                 const rj_network_publication_config_t *config,
                                 const rj_network_publication_counters_t *counters, rj_log_t *log,
                                 const struct rj_path *path, int64_t now_ns)
{
    memset(publication, 0, sizeof(*publication));
    publication->log = log;
    publication->path = path;
    publication->counters = *counters;
    init_config(publication, config);
    rj_flow_control_init(&publication->flow_control, &config->flow_control, log->term_length);
    rj_retransmit_init(&publication->retransmit, &publication->config.retransmit, now_ns);
    rj_log_producer_init(&publication->producer, log, config->start_position);

    publication->has_required_receivers =
        publication->flow_control.ops->is_ready(&publication->flow_control) ? 1 : 0;
    publication->snd_pos = config->start_position;
    publication->snd_lmt = config->start_position;
    publication->datagrams_max = config->datagrams_max;
    publication->pub_lmt = config->start_position;
    publication->max_spy_pos = config->start_position;
    publication->clean_position = config->start_position;
    rj_log_reach_init(&publication->reach, log, config->start_position);
    publication->stall = (rj_stall_t){config->start_position, now_ns};
    publication->state_changed_ns = now_ns;
    /* So that the first turn sends a setup. */
    publication->last_setup_ns = now_ns - RJ_NETWORK_PUBLICATION_SETUP_NS - 1;
    publication->last_data_ns = now_ns - RJ_NETWORK_PUBLICATION_HEARTBEAT_NS - 1;
    publication->heartbeat_ns = RJ_NETWORK_PUBLICATION_HEARTBEAT_NS;
    publication->last_rttm_ns = now_ns - RJ_NETWORK_PUBLICATION_GROUP_RTTM_NS - 1;
    publication->last_rsp_setup_ns = now_ns - RJ_NETWORK_PUBLICATION_RSP_SETUP_NS - 1;
    publication->receivers_due_ns = INT64_MAX;
}

static void on_back_pressure(rj_network_publication_t *publication)
{
    if (!publication->tracks_sender_limit)
        return;
    publication->tracks_sender_limit = false;
    publication->stats.flow_control_limits++;
    rj_store_release_i64(publication->counters.snd_bpe,
                         rj_load_relaxed_i64(publication->counters.snd_bpe) + 1);
}

/* A frame that can be on no wire: a client has spoilt the log. Release: pairs with the acquire of
 * the conductor. */
static void on_corruption(rj_network_publication_t *publication)
{
    publication->stats.log_corruptions++;
    rj_store_release_i32(&publication->is_broken, 1);
}

int rj_network_publication_collect(rj_network_publication_t *publication, rj_run_t *runs,
                                   int run_max)
{
    const rj_log_t *log = publication->log;
    rj_run_builder_t builder = {.path = publication->path,
                                .runs = runs,
                                .positions = publication->run_positions,
                                .run_max =
                                    (int32_t)rj_min_i64(run_max, RJ_NETWORK_PUBLICATION_RUNS_MAX)};
    publication->collected_count = 0;
    if (rj_load_acquire_i32(&publication->is_broken) != 0)
        return 0;

    int64_t position = publication->snd_pos;
    int64_t window = publication->snd_lmt - position;
    uint8_t *term = rj_log_term(log, position);
    int32_t offset = rj_position_term_offset(position, log->term_mask);
    if (window <= 0)
        on_back_pressure(publication);
    for (int i = 0; i < publication->datagrams_max && window > 0; i++) {
        int32_t length_max = (int32_t)rj_min_i64(window, log->mtu_length);
        rj_term_scan_t scan = rj_term_scan(term, offset, log->term_length, length_max);
        if (scan.available <= 0) {
            if (scan.available < -log->mtu_length)
                on_corruption(publication);
            else if (scan.available < 0)
                on_back_pressure(publication);
            break;
        }
        rj_network_publication_stamp(publication, term + offset, scan.available);
        if (!rj_run_builder_add(&builder, term + offset, scan.available, scan.padding, position, 0))
            break;
        int32_t bytes = scan.available + scan.padding;
        position += bytes;
        window -= bytes;
        offset += bytes;
        if (offset == log->term_length)
            break; /* the next term begins with the next turn */
    }
    publication->collected_count = builder.count;
    return builder.count;
}

/* Adds up what a port took of some runs, in order, until the first that it did not take whole. */
static int64_t take(rj_network_publication_t *publication, const rj_run_t *runs, int count,
                    int64_t *position)
{
    int64_t sent_bytes = 0;
    for (int i = 0; i < publication->collected_count; i++) {
        if (i < count && runs[i].result < 0)
            break;
        bool is_whole = i < count && runs[i].result == (int32_t)runs[i].total_bytes;
        if (i < count && runs[i].result > 0) {
            sent_bytes += runs[i].result;
            *position = rj_run_taken_pos(&runs[i], &publication->run_positions[i]);
        }
        if (!is_whole) {
            publication->stats.short_sends++;
            break;
        }
    }
    publication->collected_count = 0;
    return sent_bytes;
}

int64_t rj_network_publication_commit(rj_network_publication_t *publication, const rj_run_t *runs,
                                      int count, int64_t now_ns)
{
    int64_t position = publication->snd_pos;
    int64_t sent_bytes = take(publication, runs, count, &position);
    if (sent_bytes == 0)
        return 0;
    /* Release: pairs with the acquire of the conductor, which cleans what lies a term behind. */
    rj_store_release_i64(&publication->snd_pos, position);
    rj_store_release_i64(publication->counters.snd_pos, position);
    publication->last_data_ns = now_ns;
    if (!publication->config.has_reference_timing)
        publication->heartbeat_ns = RJ_NETWORK_PUBLICATION_TAIL_NS;
    publication->tracks_sender_limit = true;
    rj_retransmit_on_sent(&publication->retransmit, sent_bytes, position);
    return sent_bytes;
}

void rj_network_publication_hold_setup(rj_network_publication_t *publication)
{
    publication->last_setup_ns += RJ_NETWORK_PUBLICATION_SETUP_NS;
    publication->holds_setup = true;
}

void rj_network_publication_let_setup_go(rj_network_publication_t *publication)
{
    if (publication->holds_setup)
        publication->last_setup_ns -= RJ_NETWORK_PUBLICATION_SETUP_NS;
    publication->holds_setup = false;
}

static bool wants_setup(const rj_network_publication_t *publication)
{
    return !publication->has_initial_connection || publication->is_setup_elicited;
}

void rj_network_publication_write_setup(const rj_network_publication_t *publication,
                                        rj_wire_setup_t *frame)
{
    const rj_log_t *log = publication->log;
    rj_frame_setup_t setup = {
        .session_id = publication->config.session_id,
        .stream_id = publication->config.stream_id,
        .initial_term_id = log->initial_term_id,
        .active_term_id =
            rj_position_term_id(publication->snd_pos, log->position_shift, log->initial_term_id),
        .term_offset = rj_position_term_offset(publication->snd_pos, log->term_mask),
        .term_length = log->term_length,
        .mtu = log->mtu_length,
        .ttl = publication->config.ttl,
        .flags = (uint8_t)((publication->config.is_group ? RJ_SETUP_FLAG_GROUP : 0) |
                           (publication->config.wants_response ? RJ_SETUP_FLAG_SEND_RESPONSE : 0)),
    };
    rj_frame_write_setup(frame, &setup);
}

bool rj_network_publication_setup(rj_network_publication_t *publication, rj_wire_setup_t *frame,
                                  int64_t now_ns)
{
    if (!wants_setup(publication) ||
        now_ns <= publication->last_setup_ns + RJ_NETWORK_PUBLICATION_SETUP_NS)
        return false;
    rj_flow_control_t *flow_control = &publication->flow_control;
    if (publication->is_setup_elicited)
        flow_control->ops->on_setup(flow_control, publication->snd_lmt, now_ns);
    rj_network_publication_write_setup(publication, frame);
    publication->last_setup_ns = now_ns;
    publication->holds_setup = false;
    if (publication->has_receivers)
        publication->is_setup_elicited = false;
    return true;
}

static uint8_t heartbeat_flags(const rj_network_publication_t *publication)
{
    if (rj_log_is_revoked(publication->log))
        return RJ_DATA_FLAG_UNFRAGMENTED | RJ_DATA_FLAG_EOS | RJ_DATA_FLAG_REVOKED;
    /* Acquire: pairs with the release of the conductor, which then knows all data as sent. */
    if (publication->config.signal_eos && rj_load_acquire_i32(&publication->is_end_of_stream) != 0)
        return RJ_DATA_FLAG_UNFRAGMENTED | RJ_DATA_FLAG_EOS;
    return RJ_DATA_FLAG_UNFRAGMENTED;
}

static bool write_heartbeat(rj_network_publication_t *publication, rj_wire_data_t *frame,
                            int64_t now_ns)
{
    if (!publication->has_initial_connection ||
        now_ns <= publication->last_data_ns + publication->heartbeat_ns)
        return false;
    const rj_log_t *log = publication->log;
    rj_frame_data_t heartbeat = {
        .session_id = publication->config.session_id,
        .stream_id = publication->config.stream_id,
        .term_id =
            rj_position_term_id(publication->snd_pos, log->position_shift, log->initial_term_id),
        .term_offset = rj_position_term_offset(publication->snd_pos, log->term_mask),
        .flags = heartbeat_flags(publication),
    };
    rj_frame_write_heartbeat(frame, &heartbeat);
    publication->last_data_ns = now_ns;
    publication->heartbeat_ns =
        rj_min_i64(publication->heartbeat_ns * RJ_NETWORK_PUBLICATION_TAIL_GROWTH,
                   RJ_NETWORK_PUBLICATION_HEARTBEAT_NS);
    publication->stats.heartbeats_sent++;
    return true;
}

/* Without a receiver nothing is sent, and the stream goes on with its fastest spy. Release: pairs
 * with the acquire of the conductor. */
static void follow_spies(rj_network_publication_t *publication)
{
    /* Acquire in both: pairs with the release of the conductor, which has checked the position. */
    if (!publication->config.spies_simulate_connection || publication->receiver_count > 0 ||
        rj_load_acquire_i32(&publication->has_spies) == 0)
        return;
    int64_t position = rj_load_acquire_i64(&publication->max_spy_pos);
    if (position > publication->snd_pos) {
        rj_store_release_i64(&publication->snd_pos, position);
        rj_store_release_i64(publication->counters.snd_pos, position);
    }
    rj_network_publication_set_limit(publication, publication->snd_pos);
}

bool rj_network_publication_idle(rj_network_publication_t *publication, rj_wire_data_t *frame,
                                 int64_t now_ns)
{
    rj_flow_control_t *flow_control = &publication->flow_control;
    bool is_due = write_heartbeat(publication, frame, now_ns);
    follow_spies(publication);
    rj_network_publication_set_limit(
        publication, flow_control->ops->on_idle(flow_control, publication->snd_lmt, now_ns));
    rj_network_publication_expire_receivers(publication, now_ns);
    return is_due;
}

int64_t rj_network_publication_deadline_ns(const rj_network_publication_t *publication)
{
    int64_t due_ns = rj_retransmit_deadline_ns(&publication->retransmit);
    if (wants_setup(publication))
        due_ns =
            rj_min_i64(due_ns, publication->last_setup_ns + RJ_NETWORK_PUBLICATION_SETUP_NS + 1);
    if (publication->has_initial_connection)
        due_ns = rj_min_i64(due_ns, publication->last_data_ns + publication->heartbeat_ns + 1);
    const rj_flow_control_t *flow_control = &publication->flow_control;
    due_ns = rj_min_i64(due_ns, flow_control->ops->deadline_ns(flow_control));
    return rj_min_i64(due_ns, publication->receivers_due_ns);
}
