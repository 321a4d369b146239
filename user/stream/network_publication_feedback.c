/* SPDX-License-Identifier: Apache-2.0 */
/* What receivers tell a publication: status messages, NAKs, errors, round trips; and the answers.
 */
#include "stream/network_publication_feedback.h"

#include "base/atomic.h"
#include "base/bits.h"
#include "proto/frame.h"
#include "shm/term_scan.h"

void rj_network_publication_set_limit(rj_network_publication_t *publication, int64_t snd_lmt)
{
    if (snd_lmt == publication->snd_lmt)
        return;
    publication->snd_lmt = snd_lmt;
    rj_store_release_i64(publication->counters.snd_lmt, snd_lmt);
}

/* Release: pairs with the acquire of the conductor. */
static void set_flag(int32_t *flag, bool value)
{
    int32_t word = value ? 1 : 0;
    if (*flag != word)
        rj_store_release_i32(flag, word);
}

static void count_receivers(rj_network_publication_t *publication)
{
    int64_t *counter = publication->counters.fc_receivers;
    rj_flow_control_t *flow_control = &publication->flow_control;
    if (counter != NULL && rj_load_relaxed_i64(counter) != flow_control->receiver_count)
        rj_store_release_i64(counter, flow_control->receiver_count);
    if (publication->counted_receivers != flow_control->receiver_count)
        rj_store_relaxed_i32(&publication->counted_receivers, flow_control->receiver_count);
    publication->stats.receiver_overflows += flow_control->overflow_count;
    flow_control->overflow_count = 0;
}

static int find_receiver(const rj_network_publication_t *publication, int64_t receiver_id)
{
    for (int i = 0; i < publication->receiver_count; i++) {
        if (publication->receivers[i].receiver_id == receiver_id)
            return i;
    }
    return -1;
}

static void tell_governor(rj_network_publication_t *publication)
{
    static const rj_address_t nowhere;
    const rj_flow_control_t *flow_control = &publication->flow_control;
    int at = find_receiver(publication, flow_control->governor_id);
    rj_governor_set(&publication->governor, flow_control->governor_id,
                    at >= 0 ? &publication->receivers[at].address : &nowhere);
}

static void tell_conductor(rj_network_publication_t *publication)
{
    const rj_flow_control_t *flow_control = &publication->flow_control;
    count_receivers(publication);
    if (flow_control->has_governor &&
        (publication->governor.version == 0 ||
         publication->governor.receiver_id != flow_control->governor_id))
        tell_governor(publication);
    set_flag(&publication->has_governor, flow_control->has_governor);
    set_flag(&publication->has_receivers, publication->receiver_count > 0);
    set_flag(&publication->has_required_receivers, flow_control->ops->is_ready(flow_control));
}

static void remove_receiver(rj_network_publication_t *publication, int at)
{
    publication->receivers[at] = publication->receivers[--publication->receiver_count];
}

/* A full table gives up the receiver that has been silent for longest. */
static int add_receiver(rj_network_publication_t *publication)
{
    if (publication->receiver_count < RJ_NETWORK_PUBLICATION_RECEIVERS_MAX)
        return publication->receiver_count++;
    publication->stats.receiver_overflows++;
    int oldest = 0;
    for (int i = 1; i < publication->receiver_count; i++) {
        if (publication->receivers[i].last_sm_ns < publication->receivers[oldest].last_sm_ns)
            oldest = i;
    }
    return oldest;
}

/* What lingers follows the round trip: it is to be known before anything is lost, and kept up while
 * something is. */
static void want_rtt(rj_network_publication_t *publication)
{
    publication->rttm_is_wanted = !publication->config.retransmit.linger_is_explicit;
}

static void touch_receiver(rj_network_publication_t *publication, int64_t receiver_id,
                           int64_t now_ns)
{
    int at = find_receiver(publication, receiver_id);
    if (at < 0) {
        at = add_receiver(publication);
        publication->receivers[at] = (rj_receiver_liveness_t){.receiver_id = receiver_id};
        set_flag(&publication->had_receivers, true);
        want_rtt(publication);
    }
    publication->receivers[at].last_sm_ns = now_ns;
    publication->receivers_due_ns = rj_min_i64(publication->receivers_due_ns,
                                               now_ns + publication->config.connection_timeout_ns);
}

void rj_network_publication_expire_receivers(rj_network_publication_t *publication, int64_t now_ns)
{
    if (now_ns >= publication->receivers_due_ns) {
        int64_t timeout_ns = publication->config.connection_timeout_ns;
        publication->receivers_due_ns = INT64_MAX;
        for (int i = publication->receiver_count - 1; i >= 0; i--) {
            int64_t due_ns = publication->receivers[i].last_sm_ns + timeout_ns;
            if (due_ns <= now_ns)
                remove_receiver(publication, i);
            else
                publication->receivers_due_ns = rj_min_i64(publication->receivers_due_ns, due_ns);
        }
    }
    tell_conductor(publication);
}

static void on_setup_elicited(rj_network_publication_t *publication, const rj_wire_sm_t *sm,
                              int64_t now_ns)
{
    rj_flow_control_t *flow_control = &publication->flow_control;
    if (rj_load_acquire_i32(&publication->is_end_of_stream) != 0)
        return;
    publication->is_setup_elicited = true;
    flow_control->ops->on_setup_elicited(flow_control, sm, now_ns);
}

static void on_live_sm(rj_network_publication_t *publication, const rj_wire_sm_t *sm,
                       int64_t sm_pos, int64_t now_ns)
{
    rj_flow_control_t *flow_control = &publication->flow_control;
    if ((sm->flags & RJ_SM_FLAG_EOS) != 0) {
        int at = find_receiver(publication, sm->receiver_id);
        if (at >= 0)
            remove_receiver(publication, at);
        if (!publication->config.is_group)
            set_flag(&publication->has_unicast_eos, true);
    } else {
        /* Whoever came after the one that left must not lose the linger to it. */
        set_flag(&publication->has_unicast_eos, false);
        touch_receiver(publication, sm->receiver_id, now_ns);
    }
    publication->has_initial_connection = true;
    rj_network_publication_set_limit(
        publication,
        flow_control->ops->on_sm(flow_control, sm, sm_pos, publication->snd_lmt, now_ns));
    tell_conductor(publication);
}

bool rj_network_publication_on_sm(rj_network_publication_t *publication, const rj_wire_sm_t *sm,
                                  int64_t now_ns)
{
    const rj_log_t *log = publication->log;
    if (!rj_frame_sm_is_valid(sm, log->term_length)) {
        publication->stats.invalid_packets++;
        return false;
    }
    publication->stats.sms_received++;
    if ((sm->flags & RJ_SM_FLAG_SEND_SETUP) != 0) {
        on_setup_elicited(publication, sm, now_ns);
        return true;
    }
    int64_t sm_pos = rj_position_pack(sm->consumption_term_id, sm->consumption_term_offset,
                                      log->position_shift, log->initial_term_id);
    int64_t distance = sm_pos - publication->snd_pos;
    if (distance < -(log->term_length / 2) || distance > log->term_length / 2) {
        publication->stats.sms_rejected++;
        return false;
    }
    on_live_sm(publication, sm, sm_pos, now_ns);
    return true;
}

void rj_network_publication_on_source(rj_network_publication_t *publication, int64_t receiver_id,
                                      const rj_address_t *source)
{
    int at = find_receiver(publication, receiver_id);
    if (at < 0 || rj_address_equal(&publication->receivers[at].address, source))
        return;
    publication->receivers[at].address = *source;
    if (publication->flow_control.has_governor &&
        publication->flow_control.governor_id == receiver_id)
        tell_governor(publication);
}

bool rj_network_publication_on_error(rj_network_publication_t *publication, int64_t receiver_id,
                                     int64_t now_ns)
{
    rj_flow_control_t *flow_control = &publication->flow_control;
    flow_control->ops->on_error(flow_control, receiver_id, now_ns);
    int at = find_receiver(publication, receiver_id);
    if (at < 0)
        return false;
    remove_receiver(publication, at);
    return true;
}

/* Half a term and a message behind the sender: so far back the log is not cleaned yet, however far
 * the conductor has come (it keeps a term). */
static bool is_resendable(const rj_network_publication_t *publication, int64_t position)
{
    const rj_log_t *log = publication->log;
    int64_t lowest = publication->snd_pos - log->term_length / 2 - log->message_length_max;
    return position >= 0 && position >= lowest && position < publication->snd_pos;
}

void rj_network_publication_on_nak(rj_network_publication_t *publication, const rj_wire_nak_t *nak,
                                   int32_t destination, int64_t now_ns)
{
    const rj_log_t *log = publication->log;
    if (!rj_frame_nak_is_valid(nak, log->term_length)) {
        publication->stats.invalid_packets++;
        return;
    }
    publication->stats.naks_received++;
    rj_store_release_i64(publication->counters.naks_received,
                         rj_load_relaxed_i64(publication->counters.naks_received) + 1);
    int64_t begin_pos =
        rj_position_pack(nak->term_id, nak->term_offset, log->position_shift, log->initial_term_id);
    if (nak->length == 0 || !is_resendable(publication, begin_pos))
        return;
    int64_t length = rj_flow_control_resend_length(&publication->flow_control, nak->length);
    int64_t end_pos = rj_min_i64(begin_pos + length, publication->snd_pos);
    rj_retransmit_answer_t answer =
        rj_retransmit_on_nak(&publication->retransmit, begin_pos, end_pos, destination, now_ns);
    if (answer == RJ_RETRANSMIT_OVERFLOW)
        publication->stats.retransmit_overflows++;
    want_rtt(publication);
}

/* Adds the datagrams of one slot as far as its allowance and runs reach. Returns their bytes. */
static int64_t collect_slot(rj_network_publication_t *publication, int slot,
                            rj_run_builder_t *builder, int64_t allowed_bytes, int64_t now_ns)
{
    const rj_log_t *log = publication->log;
    int64_t begin_pos = publication->retransmit.slots[slot].next_pos;
    int64_t end_pos = publication->retransmit.slots[slot].end_pos;
    int64_t position = begin_pos;
    int64_t bytes = 0;
    uint8_t *term = rj_log_term(log, position);
    while (position < end_pos && bytes < allowed_bytes) {
        int32_t offset = rj_position_term_offset(position, log->term_mask);
        int32_t length_max = (int32_t)rj_min_i64(end_pos - position, log->mtu_length);
        rj_term_scan_t scan = {0, 0};
        if (is_resendable(publication, position))
            scan = rj_term_scan(term, offset, log->term_length, length_max);
        if (scan.available <= 0 || !rj_log_frame_is_at(log, term + offset, position)) {
            /* What was found before is sent first; the next turn comes here again at once. */
            if (position == begin_pos)
                rj_retransmit_give_up(&publication->retransmit, slot, now_ns);
            break;
        }
        rj_network_publication_stamp(publication, term + offset, scan.available);
        if (!rj_run_builder_add(builder, term + offset, scan.available, scan.padding, position,
                                slot))
            break;
        position += scan.available + scan.padding;
        bytes += scan.available;
    }
    return bytes;
}

int rj_network_publication_collect_resends(rj_network_publication_t *publication, rj_run_t *runs,
                                           int run_max, int64_t now_ns)
{
    rj_retransmit_t *retransmit = &publication->retransmit;
    publication->collected_resend_count = 0;
    if (rj_retransmit_poll(retransmit, now_ns) == 0) {
        set_flag(&publication->resends_are_throttled, false);
        return 0;
    }

    rj_run_builder_t builder = {.path = publication->path,
                                .runs = runs,
                                .positions = publication->resend_positions,
                                .run_max =
                                    (int32_t)rj_min_i64(run_max, RJ_NETWORK_PUBLICATION_RUNS_MAX)};
    bool is_throttled = false;
    for (int slot = rj_retransmit_next_ready(retransmit, 0); slot >= 0;
         slot = rj_retransmit_next_ready(retransmit, slot + 1)) {
        int64_t allowed_bytes = rj_retransmit_allowance(retransmit, slot);
        int first = builder.count;
        int64_t bytes = collect_slot(publication, slot, &builder, allowed_bytes, now_ns);
        rj_retransmit_on_offered(retransmit, slot, bytes);
        for (int run = first; run < builder.count; run++)
            publication->resend_askers[run] = retransmit->slots[slot].askers;
        is_throttled = is_throttled || bytes >= allowed_bytes;
    }
    publication->stats.retransmit_throttles += is_throttled ? 1 : 0;
    set_flag(&publication->resends_are_throttled, is_throttled);
    publication->collected_resend_count = builder.count;
    return builder.count;
}

/* What one run brought, unless an earlier one of its slot was cut: then its bytes went out all the
 * same, but the slot stays where it was cut. An error ends the slot; who lacks it asks again.
 * Returns whether the next run of the slot may move it on. */
static bool take_resend(rj_network_publication_t *publication, const rj_run_position_t *span,
                        const rj_run_t *run, bool is_cut, int64_t now_ns)
{
    rj_retransmit_t *retransmit = &publication->retransmit;
    int64_t position = retransmit->slots[span->slot].next_pos;
    if (run->result < 0) {
        if (!is_cut)
            rj_retransmit_give_up(retransmit, span->slot, now_ns);
        return false;
    }
    if (run->result == 0)
        return false;
    if (!is_cut) {
        if (span->begin_pos == retransmit->slots[span->slot].begin_pos)
            publication->stats.retransmits_sent++;
        position = rj_run_taken_pos(run, span);
        publication->stats.retransmitted_bytes += position - span->begin_pos;
    }
    rj_retransmit_on_resent(retransmit, span->slot, position, run->result, now_ns);
    return !is_cut && run->result == (int32_t)run->total_bytes;
}

int64_t rj_network_publication_commit_resends(rj_network_publication_t *publication,
                                              const rj_run_t *runs, int count, int64_t now_ns)
{
    const int run_count = (int)rj_min_i64(count, publication->collected_resend_count);
    int64_t sent_bytes = 0;
    bool is_short = run_count < publication->collected_resend_count;
    int32_t cut_slot = -1;
    for (int i = 0; i < run_count; i++) {
        const rj_run_position_t *span = &publication->resend_positions[i];
        if (!take_resend(publication, span, &runs[i], span->slot == cut_slot, now_ns))
            cut_slot = span->slot;
        is_short |= runs[i].result >= 0 && runs[i].result < (int32_t)runs[i].total_bytes;
        sent_bytes += rj_max_i64(runs[i].result, 0);
    }
    publication->stats.short_sends += is_short ? 1 : 0;
    publication->collected_resend_count = 0;
    return sent_bytes;
}

/* The furthest of a group may have left: its round trip fades unless it answers again. */
static void fade_rtt(rj_network_publication_t *publication)
{
    publication->rtt_ns /= 2;
}

bool rj_network_publication_rttm(rj_network_publication_t *publication, rj_wire_rttm_t *frame,
                                 int64_t now_ns)
{
    if (!rj_network_publication_rttm_is_due(publication, now_ns))
        return false;
    rj_frame_rttm_t rttm = {
        .session_id = publication->config.session_id,
        .stream_id = publication->config.stream_id,
        .echo_timestamp = now_ns,
        .receiver_id = 0, /* whoever hears it */
        .wants_reply = true,
    };
    rj_frame_write_rttm(frame, &rttm);
    if (publication->config.is_group)
        fade_rtt(publication);
    publication->last_rttm_ns = now_ns;
    publication->rttm_is_wanted = false;
    publication->rttm_is_pending = true;
    return true;
}

static int64_t smoothed(int64_t rtt_ns, int64_t sample_ns)
{
    return rtt_ns == 0 ? sample_ns : rj_max_i64(rtt_ns + (sample_ns - rtt_ns) / 8, 1);
}

void rj_network_publication_on_rttm(rj_network_publication_t *publication,
                                    const rj_wire_rttm_t *rttm, int64_t now_ns)
{
    bool is_group = publication->config.is_group;
    if (!publication->rttm_is_pending || rttm->echo_timestamp != publication->last_rttm_ns)
        return;
    int64_t since_ns = now_ns - rttm->echo_timestamp;
    if (rttm->reception_delta < 0 || rttm->reception_delta > since_ns)
        return;
    /* One answer for each question, so that nobody can make round trips up at will; of a group, one
     * of each, and the longest counts. */
    publication->rttm_is_pending = is_group;
    int64_t rtt_ns = rj_max_i64(since_ns - rttm->reception_delta, 1);
    publication->rtt_ns =
        is_group ? rj_max_i64(publication->rtt_ns, rtt_ns) : smoothed(publication->rtt_ns, rtt_ns);
    rj_retransmit_on_rtt(&publication->retransmit, publication->rtt_ns);
}
