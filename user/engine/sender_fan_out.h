/* SPDX-License-Identifier: Apache-2.0 */
/* sender_fan_out.h - the sender half's work for streams that go to many destinations.
 *
 * What a stream has to send is collected once and put into the batch for one destination after the
 * other, each copy a run with another path. Beside each run stands a mark that says whose it is, so
 * that a batch may end, and be sent, in the middle of a stream's destinations:
 *
 *   runs    | setup A | data A  data A | data B  data B |   and, in the next batch, | data C ...
 *   marks   |         | target 0 ..... | target 1 ..... |                           | target 2 ...
 *   parts   |------------- part of the stream ----------|                           | last part -|
 *
 * Units      monotonic ns.
 * Ownership  none.
 * Thread     the engine's.
 * Errors     a destination's error, or its full queue, is its own alone (endpoint/fan_out.h).
 */
#ifndef RJ_ENGINE_SENDER_FAN_OUT_H
#define RJ_ENGINE_SENDER_FAN_OUT_H

#include "engine/engine_state.h"

/* --- sender_fan_out.c --- */

/* Puts what the publication of a slot sends this turn into the batch, which is sent whenever it is
 * full. Returns the work of that. */
int rj_sender_fan_out_collect(rj_engine_t *engine, int32_t index, int64_t now_ns);

/* Takes the results of one part; with the last one the publication moves on. */
void rj_sender_fan_out_commit(rj_engine_t *engine, const rj_sender_part_t *part, int64_t now_ns);

/* Adds the bytes of a part that count as sent to the counters; returns how many runs were taken. */
int rj_sender_fan_out_count(rj_engine_t *engine, const rj_sender_part_t *part);

int64_t rj_sender_fan_out_deadline_ns(const rj_network_publication_t *publication);

/* --- sender_destination.c: whom frames come from --- */

/* Whose frame it is; NULL: nobody's. */
rj_send_destination_t *rj_sender_find_destination(const rj_packet_t *packet);

/* By which command it was added; -1: by none, or it is nobody's. */
int64_t rj_sender_destination_registration_id(const rj_packet_t *packet, int64_t receiver_id);

/* Whose status message it is, whose fields are possible ones. It keeps its destination in the set,
 * and makes one of a dynamic set's. */
rj_send_destination_t *rj_sender_hear_destination(rj_engine_t *engine, const rj_packet_t *packet,
                                                  int64_t receiver_id, int64_t now_ns);

/* It is for this stream. */
void rj_sender_fan_out_on_sm(rj_network_publication_t *publication,
                             const rj_send_destination_t *destination, const rj_wire_sm_t *sm,
                             int64_t now_ns);

/* Answers a frame that came to a publication's endpoint: by the path of whoever sent it, or, where
 * that is not known, to all who get the stream. */
void rj_sender_fan_out_answer(rj_engine_t *engine, const rj_packet_t *packet,
                              const rj_network_publication_t *publication, const void *frame,
                              uint32_t length_bytes);

/* --- what the conductor asks for --- */

void rj_sender_add_destination(rj_engine_t *engine, rj_send_endpoint_t *endpoint,
                               rj_send_destination_t *destination);
void rj_sender_remove_destination(rj_engine_t *engine, rj_send_endpoint_t *endpoint,
                                  rj_send_destination_t *destination);

/* Its name has another address now. */
void rj_sender_move_destination(rj_engine_t *engine, rj_send_endpoint_t *endpoint,
                                rj_send_destination_t *destination, const rj_address_t *address);

/* --- sender.c --- */

/* Sends the batch and commits each part of it; returns the work. What is left in the batch then are
 * heartbeats of others. */
int rj_sender_flush(rj_engine_t *engine, int64_t now_ns);

/* `due_ns` is the publication's own deadline, or RJ_ENGINE_DUE_NOW to have it looked at once more.
 */
void rj_sender_settle(rj_engine_t *engine, rj_publication_slot_t *slot, int64_t due_ns);

#endif
