/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sender_fan_out.h"

#include <errno.h>

#include "base/bits.h"
#include "endpoint/fan_out.h"
#include "proto/frame.h"

enum {
    /* New datagrams of one stream in a turn, over all its destinations, but one for each at least:
     * so many that a batch is worth its system call, so few that nobody else starves. */
    TURN_DATAGRAMS_MAX = 1024,
    SPAN_RUNS_MAX = 8, /* for a destination that is behind */
};

/* One publication's share of a turn. */
typedef struct fan_turn {
    rj_engine_t *engine;
    int32_t index;
    rj_network_publication_t *publication;
    rj_fan_out_t *fan;
    rj_sender_part_t part;
    const uint8_t *scratch; /* the frame at work, where it is in the batch already */
    int64_t now_ns;
    int work;
} fan_turn_t;

static rj_send_destination_t *destination_of(const rj_fan_out_t *fan, const rj_fan_target_t *target)
{
    return fan->destinations->slots[target->slot];
}

/* --- into the batch --- */

static void begin_part(fan_turn_t *turn)
{
    turn->part = (rj_sender_part_t){
        .slot = turn->index, .kind = RJ_SENDER_PART_FAN_OUT, .first = turn->engine->batch.count};
    turn->scratch = NULL;
}

static void end_part(fan_turn_t *turn, rj_sender_part_kind_t kind)
{
    rj_engine_t *engine = turn->engine;
    turn->part.kind = kind;
    turn->part.end = engine->batch.count;
    engine->parts[engine->part_count++] = turn->part;
}

static void make_room(fan_turn_t *turn, int runs)
{
    rj_engine_t *engine = turn->engine;
    while (rj_send_batch_room(&engine->batch) < runs) {
        if (engine->batch.count > turn->part.first)
            end_part(turn, RJ_SENDER_PART_FAN_OUT);
        turn->work += rj_sender_flush(engine, turn->now_ns);
        begin_part(turn);
    }
}

/* The batch has room for it. */
static void put(fan_turn_t *turn, const rj_run_t *run, const rj_path_t *path,
                const rj_fan_mark_t *mark)
{
    rj_send_batch_t *batch = &turn->engine->batch;
    rj_run_t *copy = rj_send_batch_tail(batch);
    *copy = *run;
    copy->path = path;
    turn->engine->marks[batch->count] = *mark;
    rj_send_batch_append(batch, 1);
}

/* A frame for several goes into the scratch once a batch. */
static void put_frame(fan_turn_t *turn, const rj_send_destination_t *destination, const void *frame,
                      uint32_t length_bytes, rj_fan_mark_kind_t kind)
{
    rj_engine_t *engine = turn->engine;
    const rj_fan_mark_t mark = {.kind = kind};
    if (!rj_send_destination_is_resolved(destination))
        return;
    make_room(turn, 1);
    if (turn->scratch != NULL) {
        const rj_run_t run = {
            .start = turn->scratch, .total_bytes = length_bytes, .segment_bytes = length_bytes};
        put(turn, &run, &destination->path, &mark);
        return;
    }
    engine->marks[engine->batch.count] = mark;
    if (rj_send_batch_add_frame(&engine->batch, &destination->path, frame, length_bytes))
        turn->scratch = engine->batch.runs[engine->batch.count - 1].start;
    else
        engine->stats.frames_dropped++;
}

static void put_frame_to_targets(fan_turn_t *turn, const void *frame, uint32_t length_bytes,
                                 rj_fan_mark_kind_t kind)
{
    const rj_fan_out_t *fan = turn->fan;
    turn->scratch = NULL;
    for (int32_t i = 0; i < fan->target_count; i++)
        put_frame(turn, destination_of(fan, &fan->targets[i]), frame, length_bytes, kind);
}

/* --- setups --- */

static bool has_ended(const rj_network_publication_t *publication)
{
    return rj_load_acquire_i32(&publication->is_end_of_stream) != 0;
}

/* Who hears of the stream now: all when somebody asked, or nobody is there yet; those who do not
 * get it, now and then; and those who have just come, at once. */
static void collect_setups(fan_turn_t *turn)
{
    rj_fan_out_t *fan = turn->fan;
    const rj_send_destinations_t *set = fan->destinations;
    rj_wire_setup_t frame;
    const bool is_for_all = rj_network_publication_setup(turn->publication, &frame, turn->now_ns);
    const bool may_probe = rj_fan_out_has_others(fan) && !has_ended(turn->publication);
    const bool is_probe = may_probe && turn->now_ns > fan->last_probe_ns + RJ_FAN_OUT_PROBE_NS;
    const bool is_greeting = may_probe && set->join_count > fan->greeted_number;
    if (!is_for_all && !is_probe && !is_greeting)
        return;
    if (!is_for_all)
        rj_network_publication_write_setup(turn->publication, &frame);
    turn->scratch = NULL;
    for (int32_t slot = 0; slot < set->slot_end; slot++) {
        const rj_send_destination_t *destination = set->slots[slot];
        if (destination == NULL)
            continue;
        const bool is_other = !rj_fan_out_is_target(fan, slot);
        const bool is_new = destination->join_number > fan->greeted_number;
        if (is_for_all || (is_other && (is_probe || is_new)))
            put_frame(turn, destination, &frame, RJ_SETUP_BYTES, RJ_FAN_MARK_FRAME);
    }
    fan->greeted_number = set->join_count;
    if (is_for_all || is_probe)
        fan->last_probe_ns = turn->now_ns;
}

/* --- data --- */

static int32_t count_datagrams(const rj_run_t *runs, int count)
{
    uint32_t datagrams = 0;
    for (int i = 0; i < count; i++)
        datagrams += (runs[i].total_bytes + runs[i].segment_bytes - 1) / runs[i].segment_bytes;
    return (int32_t)datagrams;
}

static void put_data(fan_turn_t *turn, int32_t at, const rj_run_t *runs,
                     const rj_run_position_t *positions, int count)
{
    const rj_send_destination_t *destination = destination_of(turn->fan, &turn->fan->targets[at]);
    make_room(turn, count);
    for (int i = 0; i < count; i++) {
        const rj_fan_mark_t mark = {.kind = RJ_FAN_MARK_DATA,
                                    .target = at,
                                    .begin_pos = positions[i].begin_pos,
                                    .end_pos = positions[i].end_pos};
        put(turn, &runs[i], &destination->path, &mark);
    }
}

/* What a target has missed, and what is new behind it. What is not there any more, or never was, is
 * not missed. */
static bool put_span(fan_turn_t *turn, int32_t at)
{
    rj_run_t runs[SPAN_RUNS_MAX];
    rj_run_position_t positions[SPAN_RUNS_MAX];
    rj_fan_target_t *target = &turn->fan->targets[at];
    const int count = rj_network_publication_collect_span(
        turn->publication, target->next_pos, turn->fan->end_pos, turn->publication->datagrams_max,
        runs, positions, SPAN_RUNS_MAX);
    if (count == 0) {
        target->next_pos = turn->publication->snd_pos;
        return false;
    }
    put_data(turn, at, runs, positions, count);
    turn->engine->datagrams_left -= count_datagrams(runs, count);
    return true;
}

static void collect_data(fan_turn_t *turn)
{
    rj_fan_out_t *fan = turn->fan;
    rj_network_publication_t *publication = turn->publication;
    const int32_t count = fan->target_count;
    publication->datagrams_max =
        (int32_t)rj_min_i64(publication->config.datagrams_max,
                            rj_max_i64(TURN_DATAGRAMS_MAX / rj_max_i64(count, 1), 1));
    fan->run_count =
        rj_network_publication_collect(publication, fan->runs, RJ_NETWORK_PUBLICATION_RUNS_MAX);
    fan->end_pos = fan->run_count > 0 ? publication->run_positions[fan->run_count - 1].end_pos
                                      : publication->snd_pos;
    const int32_t datagrams = count_datagrams(fan->runs, fan->run_count);
    fan->first = fan->first + 1 < count ? fan->first + 1 : 0;
    for (int32_t i = 0; i < count; i++) {
        const int32_t at = fan->first + i < count ? fan->first + i : fan->first + i - count;
        if (fan->targets[at].next_pos < publication->snd_pos && put_span(turn, at))
            continue;
        put_data(turn, at, fan->runs, publication->run_positions, fan->run_count);
        turn->engine->datagrams_left -= datagrams;
    }
}

/* Spies that simulate a connection may take the position on over what nobody is there to get. */
static void skip_to_sender(rj_fan_out_t *fan, int64_t snd_pos)
{
    fan->end_pos = snd_pos;
    for (int32_t i = 0; i < fan->target_count; i++)
        fan->targets[i].next_pos = snd_pos;
}

static void collect_heartbeat(fan_turn_t *turn)
{
    rj_fan_out_t *fan = turn->fan;
    rj_wire_data_t frame;
    const int64_t before_pos = turn->publication->snd_pos;
    const bool is_due = rj_network_publication_idle(turn->publication, &frame, turn->now_ns);
    if (turn->publication->snd_pos != before_pos)
        skip_to_sender(fan, turn->publication->snd_pos);
    if (is_due)
        put_frame_to_targets(turn, &frame, RJ_DATA_HEADER_BYTES, RJ_FAN_MARK_HEARTBEAT);
}

/* --- resends, round trips --- */

static void put_resend(fan_turn_t *turn, int n)
{
    const rj_fan_out_t *fan = turn->fan;
    rj_run_t *resend = &turn->fan->resends[n];
    const rj_fan_mark_t mark = {.kind = RJ_FAN_MARK_RESEND, .target = n};
    const uint64_t askers = turn->publication->resend_askers[n];
    for (int32_t i = 0; i < fan->target_count; i++) {
        const rj_fan_target_t *target = &fan->targets[i];
        if ((askers & rj_retransmit_asker(target->slot)) == 0)
            continue;
        resend->result = INT32_MIN;
        make_room(turn, 1);
        put(turn, resend, &destination_of(fan, target)->path, &mark);
        turn->engine->datagrams_left -= count_datagrams(resend, 1);
    }
}

/* Each goes to those who asked; who is gone since does not miss it. */
static void collect_resends(fan_turn_t *turn)
{
    rj_fan_out_t *fan = turn->fan;
    fan->resend_count = rj_network_publication_collect_resends(
        turn->publication, fan->resends, RJ_NETWORK_PUBLICATION_RUNS_MAX, turn->now_ns);
    for (int n = 0; n < fan->resend_count; n++) {
        fan->resends[n].result = (int32_t)fan->resends[n].total_bytes;
        put_resend(turn, n);
    }
}

static void collect_rttm(fan_turn_t *turn)
{
    rj_wire_rttm_t frame;
    if (rj_network_publication_rttm(turn->publication, &frame,
                                    rj_engine_fresh_ns(turn->engine, turn->now_ns)))
        put_frame_to_targets(turn, &frame, RJ_RTTM_BYTES, RJ_FAN_MARK_FRAME);
}

/* --- the turn of a publication --- */

int64_t rj_sender_fan_out_deadline_ns(const rj_network_publication_t *publication)
{
    return rj_min_i64(rj_network_publication_deadline_ns(publication),
                      rj_fan_out_deadline_ns(publication->fan_out, has_ended(publication)));
}

/* Credits the runs collected with what the furthest target got of them. */
static void credit_runs(rj_network_publication_t *publication, int64_t position, int32_t error)
{
    rj_fan_out_t *fan = publication->fan_out;
    for (int i = 0; i < fan->run_count; i++) {
        const rj_run_position_t *span = &publication->run_positions[i];
        rj_run_t *run = &fan->runs[i];
        if (position >= span->end_pos)
            run->result = (int32_t)run->total_bytes;
        else
            run->result = position > span->begin_pos ? (int32_t)(position - span->begin_pos) : 0;
    }
    if (position == publication->snd_pos && fan->run_count > 0 && error < 0)
        fan->runs[0].result = error;
}

/* Every destination has had its chance. */
static void finish(rj_engine_t *engine, int32_t index, int64_t now_ns)
{
    rj_publication_slot_t *slot = &engine->publications[index];
    rj_network_publication_t *publication = slot->publication;
    rj_fan_out_t *fan = publication->fan_out;
    int64_t position;
    int64_t sent_bytes = 0;
    publication->stats.short_sends +=
        rj_fan_out_settle(fan, publication->snd_pos, publication->log->term_length / 2, &position);
    if (fan->run_count > 0) {
        credit_runs(publication, position, fan->error);
        sent_bytes = rj_network_publication_commit(publication, fan->runs, fan->run_count, now_ns);
    }
    if (fan->resend_count > 0)
        rj_network_publication_commit_resends(publication, fan->resends, fan->resend_count, now_ns);
    fan->was_blocked = fan->run_count > 0 && sent_bytes == 0 && fan->error == 0;
    const bool is_due = sent_bytes > 0 || fan->is_behind || fan->was_blocked;
    rj_sender_settle(engine, slot,
                     is_due ? RJ_ENGINE_DUE_NOW : rj_sender_fan_out_deadline_ns(publication));
}

/* Those whose channel this is and who have been silent for too long; nothing of them, and of their
 * streams, is in the batch then. */
static void drop_silent(fan_turn_t *turn)
{
    rj_engine_t *engine = turn->engine;
    rj_send_destinations_t *set = turn->fan->destinations;
    if (turn->now_ns < set->due_ns)
        return;
    while (engine->batch.count > 0)
        turn->work += rj_sender_flush(engine, turn->now_ns);
    while (rj_ring_spsc_claim(&engine->owed) != NULL) {
        rj_send_destination_t *destination = rj_send_destinations_silent(set, turn->now_ns);
        if (destination == NULL)
            break;
        const rj_engine_command_t left = {.send_endpoint =
                                              engine->publications[turn->index].endpoint,
                                          .destination = destination};
        rj_sender_remove_destination(engine, left.send_endpoint, destination);
        destination->is_lent = true;
        rj_engine_owe(engine, RJ_ENGINE_SEND_DESTINATION_LEFT, &left);
    }
}

int rj_sender_fan_out_collect(rj_engine_t *engine, int32_t index, int64_t now_ns)
{
    rj_network_publication_t *publication = engine->publications[index].publication;
    fan_turn_t turn = {.engine = engine,
                       .index = index,
                       .publication = publication,
                       .fan = publication->fan_out,
                       .now_ns = now_ns};
    const bool was_blocked = turn.fan->was_blocked;
    drop_silent(&turn);
    rj_fan_out_expire(turn.fan, now_ns);
    turn.fan->error = 0;
    begin_part(&turn);
    collect_setups(&turn);
    collect_data(&turn);
    if (turn.fan->run_count == 0 || was_blocked)
        collect_heartbeat(&turn);
    collect_resends(&turn);
    collect_rttm(&turn);
    if (engine->batch.count > turn.part.first)
        end_part(&turn, RJ_SENDER_PART_FAN_OUT_LAST);
    else
        finish(engine, index, now_ns);
    return turn.work;
}

/* --- results --- */

/* A target takes its runs in order; behind one that it did not get whole nothing fits. */
static void take_data(rj_fan_out_t *fan, const rj_run_t *run, const rj_fan_mark_t *mark)
{
    rj_fan_target_t *target = &fan->targets[mark->target];
    const rj_run_position_t span = {.begin_pos = mark->begin_pos, .end_pos = mark->end_pos};
    if (run->result < 0) {
        target->has_failed = true;
        fan->error = run->result;
    } else if (run->result > 0 && target->next_pos == mark->begin_pos) {
        target->next_pos = rj_run_taken_pos(run, &span);
    }
}

static void take_run(rj_network_publication_t *publication, const rj_run_t *run,
                     const rj_fan_mark_t *mark)
{
    rj_fan_out_t *fan = publication->fan_out;
    if (mark->kind == RJ_FAN_MARK_DATA) {
        take_data(fan, run, mark);
        if (run->result >= 0 && run->result < (int32_t)run->total_bytes)
            publication->stats.short_sends++;
    } else if (mark->kind == RJ_FAN_MARK_RESEND) {
        rj_run_t *resend = &fan->resends[mark->target];
        resend->result = (int32_t)rj_max_i64(resend->result, run->result);
    }
}

void rj_sender_fan_out_commit(rj_engine_t *engine, const rj_sender_part_t *part, int64_t now_ns)
{
    rj_network_publication_t *publication = engine->publications[part->slot].publication;
    for (int32_t n = part->first; n < part->end; n++) {
        const rj_run_t *run = &engine->batch.runs[n];
        take_run(publication, run, &engine->marks[n]);
        if (run->result < 0)
            rj_engine_note_address_error(engine, run->path->endpoint, &run->path->address,
                                         run->result, now_ns);
    }
    if (part->kind == RJ_SENDER_PART_FAN_OUT_LAST)
        finish(engine, part->slot, now_ns);
}

int rj_sender_fan_out_count(rj_engine_t *engine, const rj_sender_part_t *part)
{
    int work = 0;
    for (int32_t n = part->first; n < part->end; n++) {
        const int32_t result = engine->batch.runs[n].result;
        if (result <= 0)
            continue;
        work++;
        if (engine->marks[n].kind != RJ_FAN_MARK_FRAME)
            rj_engine_count(engine, RJ_SYSTEM_BYTES_SENT, result);
    }
    return work;
}
