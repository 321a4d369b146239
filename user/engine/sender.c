/* SPDX-License-Identifier: Apache-2.0 */
/* The sender half of an engine: what publications send, and what is said to them. */
#include "engine/sender_fan_out.h"

#include <string.h>

#include "base/bits.h"
#include "endpoint/fan_out.h"
#include "proto/frame.h"

enum {
    /* Setup, data, resends, a measurement: what one publication may put into the batch. */
    PART_RUNS_MAX = 2 * RJ_NETWORK_PUBLICATION_RUNS_MAX + 2,
    TERM_LENGTH_UNKNOWN = 1 << 30, /* of a publication that is not here (wire.md 4.3) */
};

/* --- slots --- */

static const rj_shared_i32_t *next_frame_of(const rj_network_publication_t *publication)
{
    const rj_log_t *log = publication->log;
    const uint8_t *term = rj_log_term(log, publication->snd_pos);
    const int32_t offset = rj_position_term_offset(publication->snd_pos, log->term_mask);
    return (const rj_shared_i32_t *)(const void *)(term + offset);
}

/* Acquire: pairs with the release of the publisher that committed the frame. */
static bool is_due(const rj_publication_slot_t *slot, int64_t now_ns)
{
    return now_ns >= slot->due_ns || rj_load_acquire_i32(slot->next_frame) > 0;
}

static void take_stats(rj_engine_t *engine, rj_network_publication_t *publication)
{
    const rj_network_publication_stats_t *stats = &publication->stats;
    rj_engine_count(engine, RJ_SYSTEM_HEARTBEATS_SENT, stats->heartbeats_sent);
    rj_engine_count(engine, RJ_SYSTEM_NAKS_RECEIVED, stats->naks_received);
    rj_engine_count(engine, RJ_SYSTEM_SMS_RECEIVED, stats->sms_received);
    rj_engine_count(engine, RJ_SYSTEM_SMS_REJECTED, stats->sms_rejected);
    rj_engine_count(engine, RJ_SYSTEM_INVALID_PACKETS, stats->invalid_packets);
    rj_engine_count(engine, RJ_SYSTEM_SHORT_SENDS, stats->short_sends);
    rj_engine_count(engine, RJ_SYSTEM_SENDER_FLOW_CONTROL_LIMITS, stats->flow_control_limits);
    rj_engine_count(engine, RJ_SYSTEM_RETRANSMITS_SENT, stats->retransmits_sent);
    rj_engine_count(engine, RJ_SYSTEM_RETRANSMITTED_BYTES, stats->retransmitted_bytes);
    rj_engine_count(engine, RJ_SYSTEM_RETRANSMIT_OVERFLOW, stats->retransmit_overflows);
    engine->stats.retransmit_throttles += stats->retransmit_throttles;
    engine->stats.receiver_overflows += stats->receiver_overflows;
    engine->stats.log_corruptions += stats->log_corruptions;
    publication->stats = (rj_network_publication_stats_t){0};
}

void rj_sender_settle(rj_engine_t *engine, rj_publication_slot_t *slot, int64_t due_ns)
{
    rj_network_publication_t *publication = slot->publication;
    take_stats(engine, publication);
    slot->next_frame = next_frame_of(publication);
    slot->due_ns = due_ns;
    rj_log_reach_ahead(&publication->reach, publication->log, publication->snd_pos);
}

void rj_sender_let_setups_go(rj_engine_t *engine, const rj_path_t *path)
{
    for (int32_t i = 0; i < engine->publication_count; i++) {
        rj_publication_slot_t *slot = &engine->publications[i];
        if (slot->publication->path != path)
            continue;
        rj_network_publication_let_setup_go(slot->publication);
        slot->due_ns = RJ_ENGINE_DUE_NOW;
    }
}

/* --- collect --- */

/* A response whose receiver is not known yet goes nowhere: as Aeron, that is a short send. */
static void add_frame(rj_engine_t *engine, const rj_path_t *path, const void *frame,
                      uint32_t length_bytes)
{
    if (path == NULL)
        rj_engine_count(engine, RJ_SYSTEM_SHORT_SENDS, 1);
    else if (!rj_send_batch_add_frame(&engine->batch, path, frame, length_bytes))
        engine->stats.frames_dropped++;
}

static void collect_setup(rj_engine_t *engine, rj_network_publication_t *publication,
                          int64_t now_ns)
{
    rj_wire_setup_t frame;
    if (rj_network_publication_setup(publication, &frame, now_ns))
        add_frame(engine, publication->path, &frame, RJ_SETUP_BYTES);
}

static void collect_heartbeat(rj_engine_t *engine, rj_network_publication_t *publication,
                              int64_t now_ns)
{
    rj_wire_data_t frame;
    if (rj_network_publication_idle(publication, &frame, now_ns))
        add_frame(engine, publication->path, &frame, RJ_DATA_HEADER_BYTES);
}

/* The clock is read only when a measurement is due. */
static void collect_rttm(rj_engine_t *engine, rj_network_publication_t *publication, int64_t now_ns)
{
    rj_wire_rttm_t frame;
    if (rj_network_publication_rttm_is_due(publication, now_ns) &&
        rj_network_publication_rttm(publication, &frame, rj_engine_fresh_ns(engine, now_ns)))
        add_frame(engine, publication->path, &frame, RJ_RTTM_BYTES);
}

static int32_t datagram_count(const rj_run_t *runs, int count)
{
    uint32_t datagrams = 0;
    for (int i = 0; i < count; i++)
        datagrams += (runs[i].total_bytes + runs[i].segment_bytes - 1) / runs[i].segment_bytes;
    return (int32_t)datagrams;
}

/* Appends the runs that `publication` has now; returns how many. */
static int collect_data(rj_engine_t *engine, rj_network_publication_t *publication)
{
    rj_run_t *runs = rj_send_batch_tail(&engine->batch);
    const int count =
        rj_network_publication_collect(publication, runs, RJ_NETWORK_PUBLICATION_RUNS_MAX);
    engine->datagrams_left -= datagram_count(runs, count);
    rj_send_batch_append(&engine->batch, count);
    return count;
}

static int collect_resends(rj_engine_t *engine, rj_network_publication_t *publication,
                           int64_t now_ns)
{
    rj_run_t *runs = rj_send_batch_tail(&engine->batch);
    const int count = rj_network_publication_collect_resends(
        publication, runs, RJ_NETWORK_PUBLICATION_RUNS_MAX, now_ns);
    engine->datagrams_left -= datagram_count(runs, count);
    rj_send_batch_append(&engine->batch, count);
    return count;
}

/* Puts what one publication sends this turn into the batch, which has room for it. */
static void collect(rj_engine_t *engine, int32_t index, int64_t now_ns)
{
    rj_publication_slot_t *slot = &engine->publications[index];
    rj_network_publication_t *publication = slot->publication;
    rj_sender_part_t part = {.slot = index, .first = engine->batch.count};
    collect_setup(engine, publication, now_ns);
    part.counted_first = engine->batch.count;
    part.data_count = collect_data(engine, publication);
    if (part.data_count == 0)
        collect_heartbeat(engine, publication, now_ns);
    part.resend_first = engine->batch.count;
    part.resend_count = collect_resends(engine, publication, now_ns);
    part.counted_end = engine->batch.count;
    collect_rttm(engine, publication, now_ns);
    part.end = engine->batch.count;
    if (part.end > part.first)
        engine->parts[engine->part_count++] = part;
    else
        rj_sender_settle(engine, slot, rj_network_publication_deadline_ns(publication));
}

/* --- commit --- */

/* Adds up what was sent, before a position says so. Returns how many runs had something taken. */
static int count_sent(rj_engine_t *engine)
{
    const rj_run_t *runs = engine->batch.runs;
    int work = 0;
    for (int32_t i = 0; i < engine->part_count; i++) {
        const rj_sender_part_t *part = &engine->parts[i];
        if (part->kind != RJ_SENDER_PART_PATH) {
            work += rj_sender_fan_out_count(engine, part);
            continue;
        }
        for (int32_t n = part->first; n < part->end; n++) {
            if (runs[n].result <= 0)
                continue;
            work++;
            if (n >= part->counted_first && n < part->counted_end)
                rj_engine_count(engine, RJ_SYSTEM_BYTES_SENT, runs[n].result);
        }
    }
    rj_engine_flush_counts(engine);
    return work;
}

/* True when a run failed; the conductor is told. */
static bool note_errors(rj_engine_t *engine, const rj_sender_part_t *part, int64_t now_ns)
{
    const rj_run_t *runs = engine->batch.runs;
    for (int32_t n = part->first; n < part->end; n++) {
        if (runs[n].result < 0) {
            rj_engine_note_io_error(engine, runs[n].path->endpoint, runs[n].result, now_ns);
            return true;
        }
    }
    return false;
}

/* Lets the publication move on. Returns true when nothing of its data was taken though nothing
 * failed: it is idle then. */
static bool commit(rj_engine_t *engine, const rj_sender_part_t *part, int64_t now_ns)
{
    const rj_run_t *runs = engine->batch.runs;
    rj_publication_slot_t *slot = &engine->publications[part->slot];
    rj_network_publication_t *publication = slot->publication;
    int64_t sent_bytes = 0;
    if (part->data_count > 0)
        sent_bytes = rj_network_publication_commit(publication, runs + part->counted_first,
                                                   part->data_count, now_ns);
    if (part->resend_count > 0)
        rj_network_publication_commit_resends(publication, runs + part->resend_first,
                                              part->resend_count, now_ns);
    const bool has_failed = note_errors(engine, part, now_ns);
    /* After data there may be more, or the window's end to be noted: look again. */
    rj_sender_settle(engine, slot,
                     sent_bytes > 0 ? RJ_ENGINE_DUE_NOW
                                    : rj_network_publication_deadline_ns(publication));
    return part->data_count > 0 && sent_bytes == 0 && !has_failed;
}

/* Heartbeats of publications whose data met a full queue; they make a part of their own, which is
 * never idle again. */
static void collect_idle(rj_engine_t *engine, int32_t index, int64_t now_ns)
{
    rj_publication_slot_t *slot = &engine->publications[index];
    rj_sender_part_t part = {.slot = index, .first = engine->batch.count};
    part.counted_first = part.first;
    collect_heartbeat(engine, slot->publication, now_ns);
    part.end = engine->batch.count;
    part.resend_first = part.end;
    part.counted_end = part.end;
    if (part.end > part.first)
        engine->parts[engine->part_count++] = part;
    else
        rj_sender_settle(engine, slot, rj_network_publication_deadline_ns(slot->publication));
}

int rj_sender_flush(rj_engine_t *engine, int64_t now_ns)
{
    rj_send_batch_send(&engine->batch);
    const int work = count_sent(engine);
    const int32_t part_count = engine->part_count;
    int32_t idle_count = 0;
    for (int32_t i = 0; i < part_count; i++) {
        const rj_sender_part_t part = engine->parts[i];
        if (part.kind != RJ_SENDER_PART_PATH)
            rj_sender_fan_out_commit(engine, &part, now_ns);
        else if (commit(engine, &part, now_ns))
            engine->parts[idle_count++] = part;
    }
    rj_send_batch_clear(&engine->batch);
    engine->part_count = 0;
    for (int32_t i = 0; i < idle_count; i++)
        collect_idle(engine, engine->parts[i].slot, now_ns);
    return work;
}

/* Where spies move the sender position nothing is sent, and yet something was done. */
static int collect_one(rj_engine_t *engine, int32_t index, int64_t now_ns)
{
    const rj_network_publication_t *publication = engine->publications[index].publication;
    const int64_t snd_pos = publication->snd_pos;
    int work = 0;
    if (publication->fan_out != NULL)
        work = rj_sender_fan_out_collect(engine, index, now_ns);
    else
        collect(engine, index, now_ns);
    return work + (publication->snd_pos != snd_pos ? 1 : 0);
}

int rj_sender_do_work(rj_engine_t *engine, int64_t now_ns)
{
    const int32_t count = engine->publication_count;
    int work = 0;
    int32_t index = engine->next_publication;
    int32_t first = index + 1;
    engine->datagrams_left = RJ_ENGINE_DATAGRAMS_MAX;
    for (int32_t n = 0; n < count; n++, index++) {
        if (engine->datagrams_left <= 0) {
            first = index;
            break;
        }
        if (index >= count)
            index = 0;
        if (!is_due(&engine->publications[index], now_ns))
            continue;
        while (rj_send_batch_room(&engine->batch) < PART_RUNS_MAX)
            work += rj_sender_flush(engine, now_ns);
        work += collect_one(engine, index, now_ns);
    }
    engine->next_publication = first < count ? first : 0;
    while (engine->batch.count > 0)
        work += rj_sender_flush(engine, now_ns);
    return work;
}

static int64_t deadline_ns(const rj_network_publication_t *publication)
{
    return publication->fan_out != NULL ? rj_sender_fan_out_deadline_ns(publication)
                                        : rj_network_publication_deadline_ns(publication);
}

int64_t rj_sender_deadline_ns(const rj_engine_t *engine)
{
    int64_t due_ns = INT64_MAX;
    for (int32_t i = 0; i < engine->publication_count; i++)
        due_ns = rj_min_i64(due_ns, deadline_ns(engine->publications[i].publication));
    return due_ns;
}

/* --- publications come and go --- */

void rj_sender_add(rj_engine_t *engine, rj_send_endpoint_t *endpoint,
                   rj_network_publication_t *publication, int64_t now_ns)
{
    publication->slot = -1;
    if (engine->publication_count == RJ_ENGINE_PUBLICATIONS_MAX ||
        rj_send_endpoint_add(endpoint, publication) < 0) {
        engine->stats.streams_dropped++;
        return;
    }
    if (publication->fan_out != NULL)
        rj_fan_out_init(publication->fan_out, endpoint->destinations, publication->snd_pos, now_ns);
    publication->slot = engine->publication_count;
    publication->epoch_ns = engine->params.epoch_ns;
    engine->publications[engine->publication_count++] =
        (rj_publication_slot_t){.publication = publication,
                                .endpoint = endpoint,
                                .due_ns = RJ_ENGINE_DUE_NOW,
                                .next_frame = next_frame_of(publication)};
}

void rj_sender_remove(rj_engine_t *engine, rj_network_publication_t *publication)
{
    const int32_t at = publication->slot;
    if (at < 0)
        return;
    rj_send_endpoint_remove(engine->publications[at].endpoint, publication);
    take_stats(engine, publication);
    const int32_t last = --engine->publication_count;
    engine->publications[at] = engine->publications[last];
    engine->publications[at].publication->slot = at;
    publication->slot = -1;
}

/* --- frames --- */

static rj_network_publication_t *find(const rj_packet_t *packet, int32_t stream_id,
                                      int32_t session_id)
{
    const rj_send_endpoint_t *endpoint = (const rj_send_endpoint_t *)packet->endpoint;
    return rj_send_endpoint_find(endpoint, stream_id, session_id);
}

/* What a frame told the publication may be acted upon in the next turn. */
static void on_told(rj_engine_t *engine, rj_network_publication_t *publication)
{
    take_stats(engine, publication);
    engine->publications[publication->slot].due_ns = RJ_ENGINE_DUE_NOW;
}

/* By which destination the asker is reached. False: by none. One of a manual channel may send from
 * elsewhere than it receives; a dynamic channel goes to addresses that were heard from. */
static bool find_asker(const rj_packet_t *packet, const rj_network_publication_t *publication,
                       int32_t *ret_destination)
{
    *ret_destination = 0;
    if (publication->fan_out == NULL)
        return true;
    const rj_send_destination_t *destination = rj_sender_find_destination(packet);
    *ret_destination = destination == NULL ? RJ_RETRANSMIT_EVERYONE : destination->slot;
    return destination != NULL || !publication->fan_out->destinations->is_dynamic;
}

static void on_nak(rj_engine_t *engine, const rj_packet_t *packet, int64_t now_ns)
{
    const rj_wire_nak_t *nak = (const rj_wire_nak_t *)packet->data;
    rj_network_publication_t *publication = find(packet, nak->stream_id, nak->session_id);
    int32_t asker;
    if (publication == NULL)
        return;
    if (find_asker(packet, publication, &asker))
        rj_network_publication_on_nak(publication, nak, asker, now_ns);
    else
        rj_engine_count(engine, RJ_SYSTEM_NAKS_RECEIVED, 1);
    on_told(engine, publication);
}

/* A setup that is due goes there now, not when the one that went nowhere would be repeated. */
static void move_response(rj_engine_t *engine, const rj_packet_t *packet,
                          rj_network_publication_t *publication, int64_t now_ns)
{
    rj_path_t *path = publication->config.response_path;
    const rj_engine_command_t old = {.header = path->header};
    rj_path_redirect(path, &packet->source);
    if (old.header != NULL)
        rj_engine_owe(engine, RJ_ENGINE_HEADER_RELEASED, &old);
    publication->path = path;
    publication->last_setup_ns = now_ns - RJ_NETWORK_PUBLICATION_SETUP_NS - 1;
}

/* Whoever asks for the setup of a response is its receiver (wire.md 20). Without room to tell the
 * conductor, which may have a header on its way, it is not yet: it asks again. */
static void follow_receiver(rj_engine_t *engine, const rj_packet_t *packet,
                            rj_network_publication_t *publication, int64_t now_ns)
{
    if (publication->path != NULL &&
        rj_address_equal(&publication->config.response_path->address, &packet->source))
        return;
    if (rj_ring_spsc_claim(&engine->owed) == NULL)
        return;
    rj_engine_event_t *event = rj_engine_claim_event(engine, RJ_ENGINE_RESPONSE_MOVED);
    if (event == NULL)
        return;
    event->publication = publication;
    event->address = packet->source;
    rj_engine_publish_event(engine);
    move_response(engine, packet, publication, now_ns);
}

static void on_response_sm(rj_engine_t *engine, const rj_packet_t *packet,
                           rj_network_publication_t *publication, const rj_wire_sm_t *sm,
                           int64_t now_ns)
{
    if ((sm->flags & RJ_SM_FLAG_SEND_SETUP) != 0 &&
        rj_load_acquire_i32(&publication->is_end_of_stream) == 0)
        follow_receiver(engine, packet, publication, now_ns);
    if (publication->has_receivers == 0 || publication->response_is_told)
        return;
    rj_engine_event_t *event = rj_engine_claim_event(engine, RJ_ENGINE_RESPONSE_CONNECTED);
    if (event == NULL)
        return; /* the next status message tells it */
    event->publication = publication;
    publication->response_is_told = true;
    rj_engine_publish_event(engine);
}

/* The stream is answered: by whom is for the conductor to find out. The frame comes again and
 * again, and not only then. */
static void on_rsp_setup(rj_engine_t *engine, const rj_packet_t *packet, int64_t now_ns)
{
    const rj_wire_rsp_setup_t *setup = (const rj_wire_rsp_setup_t *)packet->data;
    rj_network_publication_t *publication = find(packet, setup->stream_id, setup->session_id);
    if (publication == NULL || !publication->config.wants_response ||
        now_ns <= publication->last_rsp_setup_ns + RJ_NETWORK_PUBLICATION_RSP_SETUP_NS)
        return;
    rj_engine_event_t *event = rj_engine_claim_event(engine, RJ_ENGINE_RSP_SETUP);
    if (event == NULL)
        return;
    event->publication = publication;
    event->stream_id = setup->stream_id;
    event->value = setup->response_session_id;
    publication->last_rsp_setup_ns = now_ns;
    rj_engine_publish_event(engine);
}

/* Of a multi-destination channel: who it comes from is there, whatever the stream; and wants it, if
 * it is one of ours, even where the publication does not believe the position: a receiver that
 * replays is far behind, until it merges. */
static void hear(rj_engine_t *engine, const rj_packet_t *packet,
                 rj_network_publication_t *publication, int64_t now_ns)
{
    const rj_wire_sm_t *sm = (const rj_wire_sm_t *)packet->data;
    const int32_t term_length =
        publication == NULL ? TERM_LENGTH_UNKNOWN : publication->log->term_length;
    if (!rj_frame_sm_is_valid(sm, term_length))
        return;
    const rj_send_destination_t *destination =
        rj_sender_hear_destination(engine, packet, sm->receiver_id, now_ns);
    if (publication != NULL)
        rj_sender_fan_out_on_sm(publication, destination, sm, now_ns);
}

static void on_sm(rj_engine_t *engine, const rj_packet_t *packet, int64_t now_ns)
{
    const rj_wire_sm_t *sm = (const rj_wire_sm_t *)packet->data;
    rj_send_endpoint_t *endpoint = (rj_send_endpoint_t *)packet->endpoint;
    rj_network_publication_t *publication = find(packet, sm->stream_id, sm->session_id);
    if (endpoint->destinations != NULL)
        hear(engine, packet, publication, now_ns);
    if (publication == NULL) {
        const bool is_valid = rj_frame_sm_is_valid(sm, TERM_LENGTH_UNKNOWN);
        rj_engine_count(engine, is_valid ? RJ_SYSTEM_SMS_RECEIVED : RJ_SYSTEM_INVALID_PACKETS, 1);
        return;
    }
    if (rj_network_publication_on_sm(publication, sm, now_ns)) {
        rj_store_relaxed_i64(&endpoint->last_sm_ns, now_ns);
        rj_network_publication_on_source(publication, sm->receiver_id, &packet->source);
        if (publication->config.response_path != NULL)
            on_response_sm(engine, packet, publication, sm, now_ns);
    }
    on_told(engine, publication);
}

static void fill_error(rj_engine_event_t *event, const rj_packet_t *packet,
                       rj_network_publication_t *publication, const rj_wire_err_t *err)
{
    const bool has_tag = (err->flags & RJ_ERR_FLAG_HAS_GROUP_TAG) != 0;
    event->publication = publication;
    event->stream_id = err->stream_id;
    event->error.destination_registration_id =
        rj_sender_destination_registration_id(packet, err->receiver_id);
    event->error.receiver_id = err->receiver_id;
    event->error.group_tag = has_tag ? err->group_tag : -1;
    event->error.source = packet->source;
    event->error.error_code = err->error_code;
    event->error.text_bytes = err->error_length;
    memcpy(event->error.text, packet->data + RJ_ERR_HEADER_BYTES, (size_t)err->error_length);
}

/* The publication hears of it only when there is room to tell the conductor, for it gives up a
 * receiver once; the frame comes again. */
static void on_err(rj_engine_t *engine, const rj_packet_t *packet, int64_t now_ns)
{
    const rj_wire_err_t *err = (const rj_wire_err_t *)packet->data;
    if (!rj_frame_err_is_valid(err)) {
        rj_engine_count(engine, RJ_SYSTEM_INVALID_PACKETS, 1);
        return;
    }
    rj_engine_count(engine, RJ_SYSTEM_ERROR_FRAMES_RECEIVED, 1);
    rj_network_publication_t *publication = find(packet, err->stream_id, err->session_id);
    if (publication == NULL)
        return;
    rj_engine_event_t *event = rj_engine_claim_event(engine, RJ_ENGINE_PUBLICATION_ERROR);
    if (event == NULL || !rj_network_publication_on_error(publication, err->receiver_id, now_ns))
        return;
    fill_error(event, packet, publication, err);
    rj_engine_publish_event(engine);
    on_told(engine, publication);
}

/* Every question is answered, with the asker's own time, to where the data goes. */
static void on_rttm(rj_engine_t *engine, const rj_packet_t *packet, int64_t now_ns)
{
    const rj_wire_rttm_t *rttm = (const rj_wire_rttm_t *)packet->data;
    rj_network_publication_t *publication = find(packet, rttm->stream_id, rttm->session_id);
    if (publication == NULL)
        return;
    if ((rttm->flags & RJ_RTTM_FLAG_REPLY) == 0) {
        rj_network_publication_on_rttm(publication, rttm, rj_engine_fresh_ns(engine, now_ns));
        on_told(engine, publication);
        return;
    }
    rj_wire_rttm_t frame;
    const uint32_t length = rj_frame_write_rttm_answer(&frame, rttm);
    if (publication->fan_out != NULL)
        rj_sender_fan_out_answer(engine, packet, publication, &frame, length);
    else
        add_frame(engine, publication->path, &frame, length);
}

void rj_sender_on_frame(rj_engine_t *engine, const rj_packet_t *packet, int type, int64_t now_ns)
{
    switch (type) {
    case RJ_FRAME_TYPE_NAK:
        on_nak(engine, packet, now_ns);
        break;
    case RJ_FRAME_TYPE_SM:
        on_sm(engine, packet, now_ns);
        break;
    case RJ_FRAME_TYPE_ERR:
        on_err(engine, packet, now_ns);
        break;
    case RJ_FRAME_TYPE_RTTM:
        on_rttm(engine, packet, now_ns);
        break;
    case RJ_FRAME_TYPE_RSP_SETUP:
        on_rsp_setup(engine, packet, now_ns);
        break;
    default:
        break; /* data, setups, resolvers: not for this side, and no error (wire.md 4.2) */
    }
}
