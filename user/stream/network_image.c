/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/network_image.h"

#include <assert.h>
#include <string.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "proto/frame.h"
#include "shm/term_gap.h"
#include "shm/term_rebuild.h"

enum { PADDING_SHARE = 4 /* of a term: what padding stays below */ };

static const int64_t connection_timeout_ns = INT64_C(5000000000);

void rj_network_image_init(rj_network_image_t *image, const rj_network_image_config_t *config,
                           const rj_network_image_counters_t *counters, rj_log_t *log,
                           int64_t now_ns)
{
    int64_t position = config->join_position;
    memset(image, 0, sizeof(*image));
    image->config = *config;
    image->counters = *counters;
    image->log = log;
    rj_congestion_init(&image->congestion, &config->congestion, config->window_bytes,
                       log->term_length, now_ns);
    rj_loss_config_t loss = config->loss;
    if (!config->is_reliable)
        loss = (rj_loss_config_t){.is_explicit = true, .counts_at_once = loss.counts_at_once};
    rj_loss_init(&image->loss, &loss, log->term_length, position);

    image->last_packet_ns = now_ns;
    image->is_drained = 1;
    image->max_read_pos = position;
    image->rcv_pos = position;
    image->published_rcv_pos = position;
    image->published_hwm_pos = position;
    image->clean_position = position;
    rj_log_reach_init(&image->reach, image->log, position);
    image->last_sm_position = position;
    image->last_sm_window_bytes = image->congestion.window_bytes;
    image->overrun_position = position + log->term_length / 2;
    image->granted_limits[0] = position + image->congestion.window_bytes;
    image->granted_count = 1;
    image->sm_deadline_ns = INT64_MIN;
    image->sm_is_enabled = true;
    image->response_session_id = RJ_NETWORK_IMAGE_NO_RESPONSE;
}

/* --- subscribers --- */

/* Release: pairs with the acquire of the conductor. */
static void set_drained(rj_network_image_t *image, int64_t min_pos)
{
    int32_t is_drained = min_pos >= image->rcv_pos ? 1 : 0;
    if (is_drained != image->is_drained)
        rj_store_release_i32(&image->is_drained, is_drained);
}

/* The slowest of all that are linked; INT64_MAX when nobody is. */
static int64_t poll_subscribers(rj_network_image_t *image)
{
    int64_t min_pos = INT64_MAX;
    int64_t max_pos = 0;
    for (rj_subscriber_position_t *at = image->subscribers; at != NULL; at = at->next) {
        int64_t position =
            rj_subscriber_position_poll(at, image->rcv_pos, &image->bad_position_count);
        min_pos = rj_min_i64(min_pos, position);
        max_pos = rj_max_i64(max_pos, position);
    }
    /* Release: pairs with the acquire of the conductor, which judges the slow by it. */
    if (max_pos != image->max_read_pos)
        rj_store_release_i64(&image->max_read_pos, max_pos);
    set_drained(image, min_pos);
    return min_pos;
}

/* The same as of the last turn: between turns readers may be ahead of rcv_pos. */
static int64_t last_min_pos(const rj_network_image_t *image)
{
    int64_t min_pos = INT64_MAX;
    for (rj_subscriber_position_t *at = image->subscribers; at != NULL; at = at->next)
        min_pos = rj_min_i64(min_pos, at->last);
    return min_pos;
}

bool rj_network_image_add_subscriber(rj_network_image_t *image, rj_subscriber_position_t *position)
{
    bool is_draining = rj_load_acquire_i32(&image->sends_eos_sm) != 0;
    if (image->subscribers == NULL && image->had_subscribers)
        return false;
    if (is_draining && image->is_drained)
        return false;
    int64_t join_position = rj_min_i64(image->rcv_pos, last_min_pos(image));
    assert(join_position >= image->clean_position);
    rj_subscriber_position_link(&image->subscribers, position, join_position);
    image->had_subscribers = true;
    rj_store_release_i32(&image->working_count, image->working_count + 1);
    set_drained(image, join_position);
    return true;
}

bool rj_network_image_remove_subscriber(rj_network_image_t *image,
                                        rj_subscriber_position_t *position)
{
    if (!rj_subscriber_position_unlink(&image->subscribers, position))
        return false;
    rj_store_release_i32(&image->working_count, image->working_count - 1);
    set_drained(image, last_min_pos(image));
    return true;
}

/* --- connections --- */

int rj_network_image_find_connection(const rj_network_image_t *image, int32_t destination_id)
{
    for (int i = 0; i < image->connection_count; i++) {
        if (image->connections[i].destination_id == destination_id)
            return i;
    }
    return -1;
}

int rj_network_image_add_connection(rj_network_image_t *image, int32_t destination_id,
                                    const struct rj_path *control, int64_t now_ns)
{
    int at = rj_network_image_find_connection(image, destination_id);
    if (at >= 0)
        return at;
    if (image->connection_count == RJ_NETWORK_IMAGE_CONNECTIONS_MAX)
        return -1;
    image->connections[image->connection_count] =
        (rj_network_image_connection_t){.destination_id = destination_id,
                                        .control = control,
                                        .last_activity_ns = now_ns,
                                        .last_frame_ns = INT64_MIN};
    return image->connection_count++;
}

static void count_transports(rj_network_image_t *image, int64_t now_ns)
{
    int32_t count = 0;
    for (int i = 0; i < image->connection_count; i++) {
        int64_t last_ns = image->connections[i].last_frame_ns;
        if (last_ns != INT64_MIN && now_ns < last_ns + image->config.liveness_timeout_ns)
            count++;
    }
    if (count == image->active_transport_count)
        return;
    image->active_transport_count = count;
    rj_log_set_active_transports(image->log, count);
}

int rj_network_image_remove_connection(rj_network_image_t *image, int32_t destination_id,
                                       int64_t now_ns)
{
    int at = rj_network_image_find_connection(image, destination_id);
    if (at < 0)
        return -1;
    image->connections[at] = image->connections[--image->connection_count];
    count_transports(image, now_ns);
    return at;
}

bool rj_network_image_connection_is_alive(const rj_network_image_connection_t *connection,
                                          int64_t now_ns)
{
    return connection->control != NULL &&
           now_ns < connection->last_activity_ns + connection_timeout_ns;
}

static void touch(rj_network_image_t *image, int connection, int64_t now_ns)
{
    if (connection < 0)
        return;
    image->connections[connection].last_activity_ns = now_ns;
    image->connections[connection].last_frame_ns = now_ns;
}

void rj_network_image_on_setup(rj_network_image_t *image, int connection, int64_t now_ns)
{
    touch(image, connection, now_ns);
    if (image->loss.hwm_pos == image->config.join_position)
        image->sm_deadline_ns = rj_min_i64(image->sm_deadline_ns, now_ns - 1);
}

/* --- packets --- */

/* Release: pairs with the acquire of the conductor's liveness check. */
static void on_accepted(rj_network_image_t *image, int connection, int64_t now_ns)
{
    touch(image, connection, now_ns);
    if (image->last_packet_ns != now_ns)
        rj_store_release_i64(&image->last_packet_ns, now_ns);
}

/* The stream has ended when every connection says so. The words in the log come first: who sees the
 * image at its end finds them. */
static void on_eos(rj_network_image_t *image, int connection, int64_t position, bool is_revoked)
{
    if (image->is_end_of_stream || connection < 0)
        return;
    image->connections[connection].is_eos = true;
    image->connections[connection].eos_position = position;
    int64_t eos_position = position;
    for (int i = 0; i < image->connection_count; i++) {
        if (!image->connections[i].is_eos)
            return;
        eos_position = rj_max_i64(eos_position, image->connections[i].eos_position);
    }
    if (is_revoked) {
        rj_log_set_revoked(image->log);
        rj_store_release_i32(&image->is_revoked, 1);
    }
    rj_log_set_end_of_stream(image->log, eos_position);
    rj_store_release_i32(&image->is_end_of_stream, 1);
}

static rj_network_image_insert_t on_heartbeat(rj_network_image_t *image, int connection,
                                              uint8_t flags, int64_t position, int64_t now_ns)
{
    if (position < rj_max_i64(0, image->last_sm_position - image->log->term_length))
        return RJ_NETWORK_IMAGE_UNDERRUN;
    /* A sender skips the padding at a term's end even beyond its window, and with a window of half
     * a term stands beyond the threshold then. If all that it had sent was lost, this heartbeat is
     * the only one to tell: to refuse it, as Aeron does, would be the end of the stream
     * (tests/sim/seeds.txt, 188). Padding is shorter than the longest message with its headers. */
    if (position > image->overrun_position + image->log->term_length / PADDING_SHARE)
        return RJ_NETWORK_IMAGE_OVERRUN;
    on_accepted(image, connection, now_ns);
    if ((flags & RJ_DATA_FLAG_EOS) != 0)
        on_eos(image, connection, position, (flags & RJ_DATA_FLAG_REVOKED) != 0);
    rj_loss_on_heartbeat(&image->loss, position, now_ns);
    return RJ_NETWORK_IMAGE_HEARTBEAT;
}

/* What all readers have passed is not written again: it may be cleaned. */
static rj_network_image_insert_t on_underrun(rj_network_image_t *image, int connection,
                                             int64_t end_pos, int64_t now_ns)
{
    if (end_pos >= image->last_sm_position - image->congestion.window_bytes_max)
        touch(image, connection, now_ns);
    return RJ_NETWORK_IMAGE_UNDERRUN;
}

/* Where data would go. */
typedef struct place {
    int64_t position;
    int64_t end_pos;
    int32_t offset;
    uint8_t flags; /* of the first frame */
} place_t;

/* What is to be done with data of which a walk has said what they cover:
 * RJ_NETWORK_IMAGE_INSERTED if they may be inserted. Changes nothing. */
static rj_network_image_insert_t judge(const rj_network_image_t *image, const uint8_t *data,
                                       int64_t covered, place_t *ret_place)
{
    const rj_log_t *log = image->log;
    rj_wire_data_t frame;
    memcpy(&frame, data, sizeof(frame));
    const int32_t term_count = rj_term_count(frame.term_id, log->initial_term_id);
    if (term_count < 0 || image->is_rejected)
        return RJ_NETWORK_IMAGE_IGNORED;
    if (covered < 0)
        return RJ_NETWORK_IMAGE_INVALID;

    ret_place->position = ((int64_t)term_count << log->position_shift) + frame.term_offset;
    ret_place->end_pos = ret_place->position + covered;
    ret_place->offset = frame.term_offset;
    ret_place->flags = frame.flags;
    if (covered == 0)
        return RJ_NETWORK_IMAGE_HEARTBEAT;
    if (ret_place->end_pos > image->overrun_position)
        return RJ_NETWORK_IMAGE_OVERRUN;
    if (ret_place->position < image->last_sm_position)
        return RJ_NETWORK_IMAGE_UNDERRUN;
    return RJ_NETWORK_IMAGE_INSERTED;
}

static rj_network_image_insert_t insert(rj_network_image_t *image, int connection,
                                        const place_t *place, const uint8_t *data,
                                        uint32_t length_bytes, int64_t now_ns)
{
    on_accepted(image, connection, now_ns);
    /* What is complete may be in readers' hands: there a slot that reads zero is payload. */
    if (place->position < rj_loss_first_missing_pos(&image->loss) ||
        !rj_term_insert(rj_log_term(image->log, place->position), place->offset, data,
                        (int32_t)length_bytes)) {
        rj_loss_on_heartbeat(&image->loss, place->end_pos, now_ns);
        return RJ_NETWORK_IMAGE_DUPLICATE;
    }
    rj_loss_on_received(&image->loss, place->position, place->end_pos, now_ns);
    return RJ_NETWORK_IMAGE_INSERTED;
}

rj_network_image_insert_t rj_network_image_insert(rj_network_image_t *image, int connection,
                                                  const uint8_t *data, uint32_t length_bytes,
                                                  int64_t now_ns)
{
    place_t place;
    const int64_t covered = rj_frame_walk_data(data, length_bytes, image->log->term_length);
    const rj_network_image_insert_t judgement = judge(image, data, covered, &place);
    if (judgement == RJ_NETWORK_IMAGE_HEARTBEAT)
        return on_heartbeat(image, connection, place.flags, place.position, now_ns);
    if (judgement == RJ_NETWORK_IMAGE_UNDERRUN)
        return on_underrun(image, connection, place.end_pos, now_ns);
    if (judgement != RJ_NETWORK_IMAGE_INSERTED)
        return judgement;
    return insert(image, connection, &place, data, length_bytes, now_ns);
}

bool rj_network_image_insert_piece(rj_network_image_t *image, int connection, const uint8_t *data,
                                   uint32_t length_bytes, uint32_t segment_bytes,
                                   uint32_t *ret_length, int64_t now_ns)
{
    place_t place;
    const int64_t covered =
        rj_frame_walk_piece(data, length_bytes, segment_bytes, image->log->term_length, ret_length);
    if (judge(image, data, covered, &place) != RJ_NETWORK_IMAGE_INSERTED ||
        place.position < image->loss.hwm_pos)
        return false;
    return insert(image, connection, &place, data, *ret_length, now_ns) ==
           RJ_NETWORK_IMAGE_INSERTED;
}

void rj_network_image_on_rttm(rj_network_image_t *image, const rj_wire_rttm_t *rttm, int64_t now_ns)
{
    rj_congestion_t *congestion = &image->congestion;
    int64_t rtt_ns;
    if (__builtin_sub_overflow(now_ns, rttm->echo_timestamp, &rtt_ns) ||
        __builtin_sub_overflow(rtt_ns, rttm->reception_delta, &rtt_ns))
        return;
    congestion->ops->on_rtt(congestion, rtt_ns, now_ns);
    /* One answer for each question, so that nobody can make round trips up at will. */
    if (!image->rttm_is_pending || rttm->echo_timestamp != image->last_rttm_ns)
        return;
    image->rttm_is_pending = false;
    if (rtt_ns > 0 && rtt_ns <= RJ_LOSS_RETRY_NS_MAX)
        rj_loss_on_rtt(&image->loss, rtt_ns);
}

/* --- rejection and response --- */

void rj_network_image_reject(rj_network_image_t *image, int64_t now_ns)
{
    image->is_rejected = true;
    image->sm_deadline_ns = rj_min_i64(image->sm_deadline_ns, now_ns - 1);
}

/* Release in all: pairs with the acquire of the engine. */
void rj_network_image_set_response(rj_network_image_t *image, int32_t session_id)
{
    rj_store_release_i64(&image->response_session_id, session_id);
    rj_store_release_i32(&image->sm_is_requested, 1);
}

void rj_network_image_clear_response(rj_network_image_t *image)
{
    rj_store_release_i64(&image->response_session_id, RJ_NETWORK_IMAGE_NO_RESPONSE);
}

static void write_rsp_setup(rj_network_image_t *image, rj_network_image_work_t *work)
{
    int64_t session_id = rj_load_acquire_i64(&image->response_session_id);
    if (session_id == RJ_NETWORK_IMAGE_NO_RESPONSE)
        return;
    rj_frame_rsp_setup_t rsp_setup = {.session_id = image->config.session_id,
                                      .stream_id = image->config.stream_id,
                                      .response_session_id = (int32_t)session_id};
    work->rsp_setup_is_due = true;
    rj_frame_write_rsp_setup(&work->rsp_setup, &rsp_setup);
}

/* --- once a turn --- */

/* Looks in the log for gaps that there was no room to note when they came about. Each byte is
 * looked at once, for known_pos moves on. */
static void find_gaps(rj_network_image_t *image, int64_t now_ns)
{
    const rj_log_t *log = image->log;
    rj_loss_t *loss = &image->loss;
    while (rj_loss_is_blind(loss)) {
        int64_t begin_pos = loss->known_pos;
        int64_t term_pos = begin_pos & ~(int64_t)log->term_mask;
        int64_t limit_pos = rj_min_i64(loss->hwm_pos, term_pos + log->term_length);
        rj_term_gap_t gap;
        int32_t offset =
            rj_term_gap_scan(rj_log_term(log, begin_pos), (int32_t)(begin_pos - term_pos),
                             (int32_t)(limit_pos - term_pos), &gap);
        rj_span_t span = {term_pos + offset, term_pos + offset + gap.length};
        rj_loss_on_scanned(loss, span, now_ns);
    }
}

/* Release: pairs with the acquire of clients and the conductor, who find the frames below complete.
 */
static void publish_positions(rj_network_image_t *image)
{
    image->rcv_pos = rj_loss_first_missing_pos(&image->loss);
    if (image->published_hwm_pos != image->loss.hwm_pos) {
        image->published_hwm_pos = image->loss.hwm_pos;
        rj_store_release_i64(image->counters.rcv_hwm, image->published_hwm_pos);
    }
    if (image->published_rcv_pos != image->rcv_pos) {
        image->published_rcv_pos = image->rcv_pos;
        rj_store_release_i64(image->counters.rcv_pos, image->published_rcv_pos);
    }
}

static void write_nak(const rj_network_image_t *image, rj_wire_nak_t *frame, rj_span_t span)
{
    const rj_log_t *log = image->log;
    rj_frame_nak_t nak = {
        .session_id = image->config.session_id,
        .stream_id = image->config.stream_id,
        .term_id = rj_position_term_id(span.begin_pos, log->position_shift, log->initial_term_id),
        .term_offset = rj_position_term_offset(span.begin_pos, log->term_mask),
        .length = (int32_t)(span.end_pos - span.begin_pos),
    };
    rj_frame_write_nak(frame, &nak);
}

/* An unreliable stream goes on: its readers skip the padding. */
static void fill_gap(rj_network_image_t *image, rj_network_image_work_t *work, rj_span_t span,
                     int64_t now_ns)
{
    const rj_log_t *log = image->log;
    int32_t term_id =
        rj_position_term_id(span.begin_pos, log->position_shift, log->initial_term_id);
    if (rj_term_fill_gap(rj_log_term(log, span.begin_pos),
                         rj_position_term_offset(span.begin_pos, log->term_mask),
                         (int32_t)(span.end_pos - span.begin_pos), log->default_header, term_id))
        work->gaps_filled++;
    rj_loss_on_received(&image->loss, span.begin_pos, span.end_pos, now_ns);
}

static void repair(rj_network_image_t *image, rj_network_image_work_t *work, int64_t now_ns)
{
    rj_span_t spans[RJ_NETWORK_IMAGE_NAKS_MAX];
    int count =
        rj_loss_poll(&image->loss, spans, RJ_NETWORK_IMAGE_NAKS_MAX, &work->lost_bytes, now_ns);
    for (int i = 0; i < count; i++) {
        if (image->config.is_reliable)
            write_nak(image, &work->naks[work->nak_count++], spans[i]);
        else
            fill_gap(image, work, spans[i], now_ns);
    }
    if (work->gaps_filled > 0)
        publish_positions(image);
}

static void drop_oldest_limit(rj_network_image_t *image)
{
    image->granted_count--;
    memmove(&image->granted_limits[0], &image->granted_limits[1],
            (size_t)image->granted_count * sizeof(image->granted_limits[0]));
}

static void grant(rj_network_image_t *image, int64_t limit)
{
    if (image->granted_count == RJ_NETWORK_IMAGE_LIMITS_MAX)
        drop_oldest_limit(image);
    image->granted_limits[image->granted_count++] = limit;
}

/* Decides whether the sender must hear how far the readers are; cleans behind them before it does,
 * so that what it may send next finds zeroes. The reference cleans a term later: by then what was
 * read has left the caches, and is fetched from memory to be zeroed. Nobody reads it again: who
 * joins does so in front of it, and who lags is waited for until it knows that it is left behind.
 */
static bool schedule_sm(rj_network_image_t *image, int64_t min_pos, int64_t now_ns)
{
    rj_congestion_t *congestion = &image->congestion;
    rj_congestion_sample_t sample = {.sm_position = image->last_sm_position,
                                     .min_position = min_pos,
                                     .loss_is_found =
                                         image->new_gap_count != image->loss.new_gap_count};
    image->new_gap_count = image->loss.new_gap_count;
    bool is_forced = false;
    int32_t window_bytes = congestion->ops->on_rebuild(congestion, &sample, &is_forced, now_ns);
    if (!is_forced && min_pos <= image->last_sm_position + window_bytes / 4 &&
        window_bytes == image->last_sm_window_bytes)
        return false;
    rj_log_clean_to(image->log, &image->clean_position, min_pos);
    image->last_sm_position = min_pos;
    /* Release: pairs with the acquire of the conductor. */
    if (window_bytes != image->last_sm_window_bytes)
        rj_store_release_i32(&image->last_sm_window_bytes, window_bytes);
    grant(image, min_pos + window_bytes);
    return true;
}

/* Whether the sender has come to the end of an old window, less than a datagram from it. It knows
 * of none that it has passed. */
static bool sender_is_stuck(rj_network_image_t *image)
{
    int64_t hwm_pos = image->loss.hwm_pos;
    while (image->granted_count > 1 && image->granted_limits[0] < hwm_pos)
        drop_oldest_limit(image);
    return image->granted_count > 1 && hwm_pos + image->log->mtu_length > image->granted_limits[0];
}

static void arm_sm_repeat(rj_network_image_t *image, int64_t now_ns)
{
    bool is_stuck = !image->config.has_reference_timing && sender_is_stuck(image);
    if (is_stuck == (image->sm_repeat_ns != 0))
        return;
    if (is_stuck) {
        image->sm_repeat_ns = rj_max_i64(image->loss.retry_ns, RJ_LOSS_RETRY_NS_MIN);
        image->sm_deadline_ns = rj_min_i64(image->sm_deadline_ns, now_ns + image->sm_repeat_ns);
    } else {
        image->sm_repeat_ns = 0;
        image->sm_deadline_ns = image->last_sm_ns + image->config.sm_timeout_ns;
    }
}

/* The next one is due after the timeout, or sooner while the sender is stuck. */
static void arm_sm(rj_network_image_t *image, int64_t now_ns)
{
    int64_t wait_ns = image->config.sm_timeout_ns;
    if (image->sm_repeat_ns != 0) {
        wait_ns = rj_min_i64(wait_ns, image->sm_repeat_ns);
        image->sm_repeat_ns = 2 * wait_ns;
    }
    image->last_sm_ns = now_ns;
    image->sm_deadline_ns = now_ns + wait_ns;
}

/* Acquire in both: pairs with the release of the conductor. */
static bool sm_timed_out(rj_network_image_t *image, int64_t now_ns)
{
    if (rj_load_acquire_i32(&image->sm_is_requested) != 0) {
        rj_store_release_i32(&image->sm_is_requested, 0);
        image->sm_deadline_ns = now_ns - 1;
    }
    return image->sm_is_enabled && image->sm_deadline_ns < now_ns;
}

static void write_sm(rj_network_image_t *image, rj_network_image_work_t *work, int64_t now_ns)
{
    const rj_log_t *log = image->log;
    int64_t position = image->last_sm_position;
    rj_frame_sm_t sm = {
        .session_id = image->config.session_id,
        .stream_id = image->config.stream_id,
        .term_id = rj_position_term_id(position, log->position_shift, log->initial_term_id),
        .term_offset = rj_position_term_offset(position, log->term_mask),
        .receiver_window = image->last_sm_window_bytes,
        .receiver_id = image->config.receiver_id,
        .has_group_tag = image->config.has_group_tag,
        .group_tag = image->config.group_tag,
        .flags = rj_load_acquire_i32(&image->sends_eos_sm) != 0 ? RJ_SM_FLAG_EOS : 0,
    };
    work->sm_is_due = true;
    work->sm_length_bytes = rj_frame_write_sm(&work->sm, &sm);
    image->overrun_position = position + log->term_length / 2;
    arm_sm(image, now_ns);
    count_transports(image, now_ns);
}

static void ask_for_rtt(rj_network_image_t *image, rj_network_image_work_t *work, int64_t now_ns)
{
    rj_congestion_t *congestion = &image->congestion;
    bool loss_wants_rtt = rj_loss_wants_rtt(&image->loss, now_ns);
    bool congestion_wants_rtt = congestion->ops->wants_rtt(congestion, now_ns);
    if (!loss_wants_rtt && !congestion_wants_rtt)
        return;
    rj_frame_rttm_t rttm = {
        .session_id = image->config.session_id,
        .stream_id = image->config.stream_id,
        .echo_timestamp = now_ns,
        .receiver_id = image->config.receiver_id,
        .wants_reply = true,
    };
    work->rttm_is_due = true;
    rj_frame_write_rttm(&work->rttm, &rttm);
    image->last_rttm_ns = now_ns;
    image->rttm_is_pending = true;
    if (loss_wants_rtt)
        rj_loss_on_ask(&image->loss, now_ns);
    if (congestion_wants_rtt)
        congestion->ops->on_rtt_request(congestion, now_ns);
}

/* What came before may still be read, and nothing else happens. */
static int track_rejected(rj_network_image_t *image, rj_network_image_work_t *work, int64_t now_ns)
{
    poll_subscribers(image);
    if (!sm_timed_out(image, now_ns))
        return 0;
    work->err_is_due = true;
    image->sm_deadline_ns = now_ns + image->config.sm_timeout_ns;
    count_transports(image, now_ns);
    return 1;
}

int rj_network_image_track(rj_network_image_t *image, rj_network_image_work_t *work, int64_t now_ns)
{
    work->err_is_due = false;
    work->rsp_setup_is_due = false;
    work->sm_is_due = false;
    work->rttm_is_due = false;
    work->nak_count = 0;
    work->lost_bytes = 0;
    work->gaps_filled = 0;

    find_gaps(image, now_ns);
    publish_positions(image);
    if (image->is_rejected)
        return track_rejected(image, work, now_ns);
    bool is_scheduled = false;
    if (image->subscribers != NULL && !image->is_revoked) {
        repair(image, work, now_ns);
        is_scheduled = schedule_sm(image, poll_subscribers(image), now_ns);
        arm_sm_repeat(image, now_ns);
    }
    const bool has_timed_out = sm_timed_out(image, now_ns);
    if (has_timed_out)
        write_rsp_setup(image, work);
    if (has_timed_out || is_scheduled)
        write_sm(image, work, now_ns);
    ask_for_rtt(image, work, now_ns);
    return work->nak_count + (work->rsp_setup_is_due ? 1 : 0) + (work->sm_is_due ? 1 : 0) +
           (work->rttm_is_due ? 1 : 0);
}

int64_t rj_network_image_deadline_ns(const rj_network_image_t *image)
{
    int64_t due_ns = INT64_MAX;
    if (image->sm_is_enabled)
        due_ns = image->sm_deadline_ns == INT64_MIN ? INT64_MIN : image->sm_deadline_ns + 1;
    if (image->subscribers != NULL && !image->is_revoked && !image->is_rejected)
        due_ns = rj_min_i64(due_ns, rj_loss_deadline_ns(&image->loss));
    return due_ns;
}
