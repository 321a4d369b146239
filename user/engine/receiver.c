/* SPDX-License-Identifier: Apache-2.0 */
/* The receiver half of an engine: what arrives for images, and what they answer. */
#include "engine/engine_state.h"

#include "base/bits.h"
#include "proto/frame.h"

static rj_image_slot_t *slot_of(rj_engine_t *engine, const rj_received_image_t *received)
{
    return received->slot >= 0 ? &engine->images[received->slot] : NULL;
}

static rj_received_image_t *received_of(rj_network_image_t *image)
{
    return (rj_received_image_t *)image;
}

/* --- what is sent --- */

void rj_receiver_flush(rj_engine_t *engine, int64_t now_ns)
{
    rj_send_batch_t *batch = &engine->batch;
    rj_send_batch_send(batch);
    for (int i = 0; i < batch->count; i++) {
        const rj_run_t *run = &batch->runs[i];
        if (run->result < 0)
            rj_engine_note_io_error(engine, run->path->endpoint, run->result, now_ns);
    }
    rj_send_batch_clear(batch);
}

bool rj_receiver_add_frame(rj_engine_t *engine, const rj_path_t *path, const void *frame,
                           uint32_t length_bytes, int64_t now_ns)
{
    if (rj_send_batch_room(&engine->batch) == 0)
        rj_receiver_flush(engine, now_ns);
    if (rj_send_batch_add_frame(&engine->batch, path, frame, length_bytes))
        return true;
    engine->stats.frames_dropped++;
    return false;
}

/* To where the packet came from; what comes by a group is answered to its control address. */
static void add_answer(rj_engine_t *engine, const rj_packet_t *packet, const void *frame,
                       uint32_t length_bytes, int64_t now_ns)
{
    const rj_receive_destination_t *destination = rj_receiver_destination_of(packet);
    /* The header of a control path is the home engine's to swap: others leave it alone. */
    if (destination->is_multicast && packet->endpoint->home == engine->params.index) {
        (void)rj_receiver_add_frame(engine, &destination->control_path, frame, length_bytes,
                                    now_ns);
        return;
    }
    const rj_address_t *to =
        destination->is_multicast ? &destination->control_path.address : &packet->source;
    if (rj_send_batch_room(&engine->batch) == 0)
        rj_receiver_flush(engine, now_ns);
    if (!rj_send_batch_add_answer(&engine->batch, packet->endpoint, to, frame, length_bytes))
        engine->stats.frames_dropped++;
}

/* --- frames for images of other engines --- */

static void forward_to_owner(rj_engine_t *engine, const rj_packet_t *packet, int type,
                             int32_t stream_id, int32_t session_id)
{
    const rj_dispatcher_t *dispatcher = rj_receiver_destination_of(packet)->endpoint->dispatcher;
    rj_engine_forward(engine, rj_dispatcher_owner(dispatcher, stream_id, session_id), packet, type);
}

/* --- setups --- */

static void elicit_setup(rj_engine_t *engine, const rj_packet_t *packet, int32_t stream_id,
                         int32_t session_id, int64_t now_ns)
{
    rj_receive_endpoint_t *endpoint = rj_receiver_destination_of(packet)->endpoint;
    if (!rj_receive_endpoint_add_pending(endpoint, stream_id, session_id, now_ns)) {
        engine->stats.pending_setups_dropped++;
        rj_dispatcher_clear_state(endpoint->dispatcher, stream_id, session_id,
                                  RJ_SESSION_PENDING_SETUP);
        return;
    }
    rj_receiver_note_setups(engine, endpoint);
    rj_wire_sm_t frame;
    const uint32_t length =
        rj_receiver_write_setup_request(&frame, endpoint, stream_id, session_id);
    add_answer(engine, packet, &frame, length, now_ns);
}

/* Without room to ask the conductor the session is as unknown as before; the setup comes again. */
static void ask_for_image(rj_engine_t *engine, const rj_packet_t *packet,
                          const rj_wire_setup_t *setup)
{
    const rj_receive_destination_t *destination = rj_receiver_destination_of(packet);
    rj_receive_endpoint_t *endpoint = destination->endpoint;
    rj_engine_event_t *event = rj_engine_claim_event(engine, RJ_ENGINE_SETUP);
    if (event == NULL) {
        rj_dispatcher_clear_state(endpoint->dispatcher, setup->stream_id, setup->session_id,
                                  RJ_SESSION_INIT_IN_PROGRESS);
        return;
    }
    event->receive_endpoint = endpoint;
    event->stream_id = setup->stream_id;
    event->setup.frame = *setup;
    event->setup.source = packet->source;
    event->setup.destination_id = destination->id;
    event->setup.engine = engine->arrival;
    rj_engine_publish_event(engine);
}

static void tell_session_limit(rj_engine_t *engine, rj_receive_endpoint_t *endpoint,
                               int32_t stream_id)
{
    rj_engine_event_t *event = rj_engine_claim_event(engine, RJ_ENGINE_SESSION_LIMIT);
    if (event == NULL)
        return;
    event->receive_endpoint = endpoint;
    event->stream_id = stream_id;
    rj_engine_publish_event(engine);
}

static void track_setup(rj_engine_t *engine, const rj_packet_t *packet, rj_network_image_t *image,
                        int64_t now_ns)
{
    rj_received_image_t *received = received_of(image);
    const int connection = rj_receiver_connect(engine, received, packet, now_ns);
    rj_network_image_on_setup(image, connection, now_ns);
    rj_receiver_touch_image(engine, received);
}

/* A group whose sender reaches further than our answers do may never hear them. As Aeron: noted for
 * a setup that was asked for, and by what the two URIs say. */
static void count_ttl(rj_engine_t *engine, const rj_receive_destination_t *destination,
                      const rj_wire_setup_t *setup)
{
    if (destination->ttl < setup->ttl)
        rj_engine_count(engine, RJ_SYSTEM_POSSIBLE_TTL_ASYMMETRY, 1);
}

static void on_setup(rj_engine_t *engine, const rj_packet_t *packet, int64_t now_ns)
{
    const rj_wire_setup_t *setup = (const rj_wire_setup_t *)packet->data;
    if (!rj_frame_setup_is_valid(setup)) {
        rj_engine_count(engine, RJ_SYSTEM_INVALID_PACKETS, 1);
        return;
    }
    rj_receive_destination_t *destination = rj_receiver_destination_of(packet);
    rj_receive_endpoint_t *endpoint = destination->endpoint;
    rj_receive_destination_touch(destination, now_ns);
    const bool was_elicited =
        destination->is_multicast &&
        rj_dispatcher_awaits_setup(endpoint->dispatcher, setup->stream_id, setup->session_id);
    rj_network_image_t *image;
    switch (
        rj_dispatcher_on_setup(endpoint->dispatcher, setup->stream_id, setup->session_id, &image)) {
    case RJ_DISPATCH_IMAGE:
        track_setup(engine, packet, image, now_ns);
        break;
    case RJ_DISPATCH_ELSEWHERE:
        forward_to_owner(engine, packet, RJ_FRAME_TYPE_SETUP, setup->stream_id, setup->session_id);
        break;
    case RJ_DISPATCH_CREATE_IMAGE:
        if (was_elicited) /* by a group */
            count_ttl(engine, destination, setup);
        ask_for_image(engine, packet, setup);
        break;
    case RJ_DISPATCH_SESSION_LIMIT:
        tell_session_limit(engine, endpoint, setup->stream_id);
        break;
    case RJ_DISPATCH_FULL:
        engine->stats.sessions_dropped++;
        break;
    case RJ_DISPATCH_IGNORE:
    case RJ_DISPATCH_ELICIT_SETUP:
        break;
    }
}

/* --- data --- */

static void count_insert(rj_engine_t *engine, rj_network_image_insert_t result)
{
    switch (result) {
    case RJ_NETWORK_IMAGE_HEARTBEAT:
        rj_engine_count(engine, RJ_SYSTEM_HEARTBEATS_RECEIVED, 1);
        break;
    case RJ_NETWORK_IMAGE_OVERRUN:
        rj_engine_count(engine, RJ_SYSTEM_FLOW_CONTROL_OVER_RUNS, 1);
        break;
    case RJ_NETWORK_IMAGE_UNDERRUN:
        rj_engine_count(engine, RJ_SYSTEM_FLOW_CONTROL_UNDER_RUNS, 1);
        break;
    case RJ_NETWORK_IMAGE_INVALID:
        rj_engine_count(engine, RJ_SYSTEM_INVALID_PACKETS, 1);
        break;
    case RJ_NETWORK_IMAGE_INSERTED:
    case RJ_NETWORK_IMAGE_DUPLICATE:
    case RJ_NETWORK_IMAGE_IGNORED:
        break;
    }
}

/* Readers find the times in the messages, so they go in before these are to be seen; into each
 * datagram by itself, whatever may have come with it. */
static void stamp(const rj_engine_t *engine, const rj_packet_t *packet)
{
    const rj_receive_endpoint_t *endpoint = rj_receiver_destination_of(packet)->endpoint;
    if (!endpoint->media_timestamp.is_wanted && !endpoint->channel_timestamp.is_wanted)
        return;
    const int64_t epoch_ns = rj_engine_epoch_ns(engine);
    const int64_t media_ns = packet->media_epoch_ns != 0 ? packet->media_epoch_ns : epoch_ns;
    rj_packet_t datagram;
    for (uint32_t at = 0; rj_packet_next(packet, &at, &datagram);) {
        rj_timestamp_write(datagram.data, datagram.length_bytes, endpoint->media_timestamp,
                           media_ns);
        rj_timestamp_write(datagram.data, datagram.length_bytes, endpoint->channel_timestamp,
                           epoch_ns);
    }
}

static void insert(rj_engine_t *engine, const rj_packet_t *packet, rj_network_image_t *image,
                   int64_t now_ns)
{
    stamp(engine, packet);
    rj_received_image_t *received = received_of(image);
    const int connection = rj_receiver_connect(engine, received, packet, now_ns);
    const int32_t was_revoked = image->is_revoked;
    rj_loss_on_way_in(&image->loss, packet->way_in);
    count_insert(engine, rj_network_image_insert(image, connection, packet->data,
                                                 packet->length_bytes, now_ns));
    rj_engine_count(engine, RJ_SYSTEM_PUBLICATION_IMAGES_REVOKED, image->is_revoked - was_revoked);
    rj_receiver_touch_image(engine, received);
}

static void on_data(rj_engine_t *engine, const rj_packet_t *packet, int type, int64_t now_ns)
{
    const rj_wire_data_t *data = (const rj_wire_data_t *)packet->data;
    rj_receive_destination_t *destination = rj_receiver_destination_of(packet);
    rj_receive_destination_touch(destination, now_ns);
    rj_network_image_t *image;
    switch (rj_dispatcher_on_data(destination->endpoint->dispatcher, data->stream_id,
                                  data->session_id, data->flags, &image)) {
    case RJ_DISPATCH_IMAGE:
        insert(engine, packet, image, now_ns);
        break;
    case RJ_DISPATCH_ELSEWHERE:
        forward_to_owner(engine, packet, type, data->stream_id, data->session_id);
        break;
    case RJ_DISPATCH_ELICIT_SETUP:
        elicit_setup(engine, packet, data->stream_id, data->session_id, now_ns);
        break;
    case RJ_DISPATCH_FULL:
        engine->stats.sessions_dropped++;
        break;
    case RJ_DISPATCH_IGNORE:
    case RJ_DISPATCH_CREATE_IMAGE:
    case RJ_DISPATCH_SESSION_LIMIT:
        break;
    }
}

/* An answer of the sender, or a question that gets one. */
static void rttm_to_image(rj_engine_t *engine, const rj_packet_t *packet, rj_network_image_t *image,
                          int64_t now_ns)
{
    const rj_wire_rttm_t *rttm = (const rj_wire_rttm_t *)packet->data;
    if ((rttm->flags & RJ_RTTM_FLAG_REPLY) == 0) {
        rj_network_image_on_rttm(image, rttm, rj_engine_fresh_ns(engine, now_ns));
        rj_receiver_touch_image(engine, received_of(image));
        return;
    }
    rj_wire_rttm_t frame;
    const uint32_t length = rj_frame_write_rttm_answer(&frame, rttm);
    add_answer(engine, packet, &frame, length, now_ns);
}

static void on_rttm(rj_engine_t *engine, const rj_packet_t *packet, int64_t now_ns)
{
    const rj_wire_rttm_t *rttm = (const rj_wire_rttm_t *)packet->data;
    rj_receive_destination_t *destination = rj_receiver_destination_of(packet);
    const rj_receive_endpoint_t *endpoint = destination->endpoint;
    rj_receive_destination_touch(destination, now_ns);
    if (!rj_frame_rttm_is_for(rttm, endpoint->receiver_id))
        return;
    rj_network_image_t *image =
        rj_dispatcher_find_image(endpoint->dispatcher, rttm->stream_id, rttm->session_id);
    if (image != NULL)
        rttm_to_image(engine, packet, image, now_ns);
    else if (rj_dispatcher_owner(endpoint->dispatcher, rttm->stream_id, rttm->session_id) >= 0)
        forward_to_owner(engine, packet, RJ_FRAME_TYPE_RTTM, rttm->stream_id, rttm->session_id);
}

void rj_receiver_on_frame(rj_engine_t *engine, const rj_packet_t *packet, int type, int64_t now_ns)
{
    switch (type) {
    case RJ_FRAME_TYPE_PAD:
    case RJ_FRAME_TYPE_DATA:
        on_data(engine, packet, type, now_ns);
        break;
    case RJ_FRAME_TYPE_SETUP:
        on_setup(engine, packet, now_ns);
        break;
    case RJ_FRAME_TYPE_RTTM:
        on_rttm(engine, packet, now_ns);
        break;
    default:
        break; /* what senders hear, resolvers: not for this side, and no error (wire.md 4.2) */
    }
}

/* --- images whose endpoint lives in another engine --- */

static rj_received_image_t *find_guest_image(const rj_engine_t *engine, const rj_packet_t *packet,
                                             int32_t stream_id, int32_t session_id)
{
    return rj_image_table_find(&engine->guest_images, rj_receiver_destination_of(packet)->endpoint,
                               stream_id, session_id);
}

static bool on_guest_data(rj_engine_t *engine, const rj_packet_t *packet, int64_t now_ns)
{
    const rj_wire_data_t *data = (const rj_wire_data_t *)packet->data;
    rj_received_image_t *received =
        find_guest_image(engine, packet, data->stream_id, data->session_id);
    if (received == NULL)
        return false;
    insert(engine, packet, &received->image, now_ns);
    return true;
}

static bool on_guest_setup(rj_engine_t *engine, const rj_packet_t *packet, int64_t now_ns)
{
    const rj_wire_setup_t *setup = (const rj_wire_setup_t *)packet->data;
    rj_received_image_t *received =
        find_guest_image(engine, packet, setup->stream_id, setup->session_id);
    if (received == NULL)
        return false;
    if (rj_frame_setup_is_valid(setup))
        track_setup(engine, packet, &received->image, now_ns);
    else
        rj_engine_count(engine, RJ_SYSTEM_INVALID_PACKETS, 1);
    return true;
}

static bool on_guest_rttm(rj_engine_t *engine, const rj_packet_t *packet, int64_t now_ns)
{
    const rj_wire_rttm_t *rttm = (const rj_wire_rttm_t *)packet->data;
    rj_received_image_t *received =
        find_guest_image(engine, packet, rttm->stream_id, rttm->session_id);
    if (received == NULL)
        return false;
    if (rj_frame_rttm_is_for(rttm, received->endpoint->receiver_id))
        rttm_to_image(engine, packet, &received->image, now_ns);
    return true;
}

static bool on_guest_frame(rj_engine_t *engine, const rj_packet_t *packet, int type, int64_t now_ns)
{
    switch (type) {
    case RJ_FRAME_TYPE_PAD:
    case RJ_FRAME_TYPE_DATA:
        return on_guest_data(engine, packet, now_ns);
    case RJ_FRAME_TYPE_SETUP:
        return on_guest_setup(engine, packet, now_ns);
    case RJ_FRAME_TYPE_RTTM:
        return on_guest_rttm(engine, packet, now_ns);
    default:
        return false;
    }
}

bool rj_receiver_on_guest_frame(rj_engine_t *engine, const rj_packet_t *packet, int type,
                                int64_t now_ns)
{
    if (!on_guest_frame(engine, packet, type, now_ns))
        return false;
    rj_receive_destination_touch(rj_receiver_destination_of(packet), now_ns);
    return true;
}

/* --- several datagrams at once --- */

static rj_network_image_t *image_of_piece(const rj_engine_t *engine, const rj_packet_t *packet)
{
    const rj_wire_data_t *data = (const rj_wire_data_t *)packet->data;
    if (packet->endpoint->home == engine->params.index)
        return rj_dispatcher_find_image(rj_receiver_destination_of(packet)->endpoint->dispatcher,
                                        data->stream_id, data->session_id);
    rj_received_image_t *received =
        find_guest_image(engine, packet, data->stream_id, data->session_id);
    return received != NULL ? &received->image : NULL;
}

/* To the engine that owns the image, as one. */
static bool forward_piece(rj_engine_t *engine, const rj_packet_t *packet, uint32_t *ret_length)
{
    const rj_wire_data_t *data = (const rj_wire_data_t *)packet->data;
    const rj_dispatcher_t *dispatcher = rj_receiver_destination_of(packet)->endpoint->dispatcher;
    if (packet->endpoint->home != engine->params.index ||
        rj_dispatcher_owner(dispatcher, data->stream_id, data->session_id) < 0 ||
        rj_frame_walk_piece(packet->data, packet->length_bytes, packet->segment_bytes,
                            RJ_TERM_LENGTH_MAX, ret_length) < 0)
        return false;
    rj_packet_t piece = *packet;
    piece.length_bytes = *ret_length;
    forward_to_owner(engine, &piece, RJ_FRAME_TYPE_DATA, data->stream_id, data->session_id);
    return true;
}

static uint32_t first_datagram_bytes(const rj_packet_t *packet)
{
    return packet->segment_bytes < packet->length_bytes ? packet->segment_bytes
                                                        : packet->length_bytes;
}

bool rj_receiver_on_piece(rj_engine_t *engine, const rj_packet_t *packet, uint32_t *ret_length,
                          int64_t now_ns)
{
    *ret_length = first_datagram_bytes(packet);
    const int type = rj_frame_check(packet->data, *ret_length);
    if (type != RJ_FRAME_TYPE_DATA && type != RJ_FRAME_TYPE_PAD)
        return false;
    rj_network_image_t *image = image_of_piece(engine, packet);
    if (image == NULL)
        return forward_piece(engine, packet, ret_length);
    stamp(engine, packet);
    rj_received_image_t *received = received_of(image);
    const int connection = rj_receiver_connect(engine, received, packet, now_ns);
    rj_loss_on_way_in(&image->loss, packet->way_in);
    if (!rj_network_image_insert_piece(image, connection, packet->data, packet->length_bytes,
                                       packet->segment_bytes, ret_length, now_ns))
        return false;
    rj_receive_destination_touch(rj_receiver_destination_of(packet), now_ns);
    rj_receiver_touch_image(engine, received);
    return true;
}

/* --- once a turn --- */

/* Puts an image's frames on one connection; counted as sent then, for what a socket refuses is told
 * as its error. Returns how many. */
static int answer_on(rj_engine_t *engine, const rj_path_t *path,
                     const rj_network_image_work_t *work, int32_t *nak_count, int64_t now_ns)
{
    int frames = 0;
    if (work->rsp_setup_is_due &&
        rj_receiver_add_frame(engine, path, &work->rsp_setup, RJ_RSP_SETUP_BYTES, now_ns))
        frames++;
    if (work->sm_is_due &&
        rj_receiver_add_frame(engine, path, &work->sm, work->sm_length_bytes, now_ns)) {
        rj_engine_count(engine, RJ_SYSTEM_SMS_SENT, 1);
        frames++;
    }
    for (int32_t i = 0; i < work->nak_count; i++) {
        if (!rj_receiver_add_frame(engine, path, &work->naks[i], RJ_NAK_BYTES, now_ns))
            break;
        rj_engine_count(engine, RJ_SYSTEM_NAKS_SENT, 1);
        (*nak_count)++;
        frames++;
    }
    if (work->rttm_is_due &&
        rj_receiver_add_frame(engine, path, &work->rttm, RJ_RTTM_BYTES, now_ns))
        frames++;
    return frames;
}

/* A rejected image speaks to every connection that it ever had: each sender has to know. */
static int answer_rejected(rj_engine_t *engine, const rj_received_image_t *received, int64_t now_ns)
{
    const rj_network_image_t *image = &received->image;
    int frames = 0;
    for (int32_t i = 0; i < image->connection_count; i++) {
        const rj_path_t *path = image->connections[i].control;
        if (path == NULL)
            continue;
        if (rj_send_batch_room(&engine->batch) == 0)
            rj_receiver_flush(engine, now_ns);
        frames += rj_send_batch_add_lent(&engine->batch, path, received->err_frame,
                                         received->err_frame_bytes);
    }
    rj_engine_count(engine, RJ_SYSTEM_ERROR_FRAMES_SENT, frames);
    return frames;
}

static int answer(rj_engine_t *engine, rj_received_image_t *received,
                  const rj_network_image_work_t *work, int64_t now_ns)
{
    rj_network_image_t *image = &received->image;
    int frames = 0;
    if (work->err_is_due)
        return answer_rejected(engine, received, now_ns);
    int32_t nak_count = 0;
    for (int32_t i = 0; i < image->connection_count; i++) {
        const rj_network_image_connection_t *connection = &image->connections[i];
        if (rj_network_image_connection_is_alive(connection, now_ns))
            frames += answer_on(engine, connection->control, work, &nak_count, now_ns);
    }
    if (nak_count > 0)
        rj_network_image_on_naks_sent(image, nak_count);
    return frames;
}

static void report_loss(rj_engine_t *engine, rj_image_slot_t *slot)
{
    rj_engine_event_t *event = rj_engine_claim_event(engine, RJ_ENGINE_LOSS);
    if (event == NULL)
        return;
    event->image = &slot->received->image;
    event->value = slot->lost_bytes;
    slot->lost_bytes = 0;
    rj_engine_publish_event(engine);
}

/* Nothing can happen to an image whose readers have all that came, before its deadline or the next
 * packet. */
static bool is_settled(const rj_network_image_t *image)
{
    return image->subscribers == NULL || image->is_drained || image->is_revoked;
}

/* Pages to come may take some time, for which what has just come is not to wait: there is a turn
 * after that, before readers have all of it. */
static void reach_ahead(rj_image_slot_t *slot)
{
    rj_network_image_t *image = &slot->received->image;
    const int64_t hwm_pos = image->loss.hwm_pos;
    const bool is_quiet = hwm_pos == slot->tracked_pos;
    slot->tracked_pos = hwm_pos;
    if (is_quiet || hwm_pos + RJ_LOG_REACH_BYTES / 2 > image->reach.position)
        rj_log_reach_ahead(&image->reach, image->log, hwm_pos);
}

static int track(rj_engine_t *engine, rj_image_slot_t *slot, int64_t now_ns)
{
    rj_received_image_t *received = slot->received;
    rj_network_image_t *image = &received->image;
    rj_network_image_work_t work;
    int frames = 0;
    rj_loss_on_drained(&image->loss, &engine->drained);
    if (rj_network_image_track(image, &work, now_ns) > 0 && received->endpoint != NULL)
        frames = answer(engine, received, &work, now_ns);
    rj_engine_count(engine, RJ_SYSTEM_LOSS_GAP_FILLS, work.gaps_filled);
    slot->lost_bytes += work.lost_bytes;
    if (slot->lost_bytes > 0)
        report_loss(engine, slot);
    reach_ahead(slot);
    slot->due_ns = is_settled(image) ? rj_network_image_deadline_ns(image) : RJ_ENGINE_DUE_NOW;
    return frames + work.gaps_filled;
}

/* Acquire: pairs with the release of the conductor that wants a status message now. */
static bool is_due(const rj_image_slot_t *slot, int64_t now_ns)
{
    return now_ns >= slot->due_ns ||
           rj_load_acquire_i32(&slot->received->image.sm_is_requested) != 0;
}

int rj_receiver_track(rj_engine_t *engine, int64_t now_ns)
{
    int frames = 0;
    for (int32_t i = 0; i < engine->image_count; i++) {
        if (is_due(&engine->images[i], now_ns))
            frames += track(engine, &engine->images[i], now_ns);
    }
    if (now_ns >= engine->pending_due_ns)
        frames += rj_receiver_work_setups(engine, now_ns);
    return frames;
}

int64_t rj_receiver_deadline_ns(const rj_engine_t *engine)
{
    int64_t due_ns = engine->pending_due_ns;
    for (int32_t i = 0; i < engine->image_count; i++)
        due_ns =
            rj_min_i64(due_ns, rj_network_image_deadline_ns(&engine->images[i].received->image));
    return due_ns;
}

/* --- images come and go --- */

/* An image speaks for its receiver until a newer one of the session does; its end must not be taken
 * for the end of that one. */
static void silence_older(rj_engine_t *engine, const rj_received_image_t *newer)
{
    for (int32_t i = 0; i < engine->image_count; i++) {
        rj_received_image_t *older = engine->images[i].received;
        if (older->endpoint == newer->endpoint &&
            older->image.config.stream_id == newer->image.config.stream_id &&
            older->image.config.session_id == newer->image.config.session_id)
            older->image.sm_is_enabled = false;
    }
}

void rj_receiver_add_image(rj_engine_t *engine, rj_receive_endpoint_t *endpoint,
                           rj_received_image_t *received)
{
    received->endpoint = endpoint;
    received->slot = -1;
    const bool is_at_home = endpoint->home == engine->params.index;
    if (engine->image_count == RJ_ENGINE_IMAGES_MAX) {
        engine->stats.streams_dropped++;
        if (is_at_home)
            rj_dispatcher_clear_state(endpoint->dispatcher, received->image.config.stream_id,
                                      received->image.config.session_id,
                                      RJ_SESSION_INIT_IN_PROGRESS);
        return;
    }
    silence_older(engine, received);
    if (is_at_home)
        rj_dispatcher_add_image(endpoint->dispatcher, &received->image);
    else
        rj_image_table_add(&engine->guest_images, received);
    received->slot = engine->image_count;
    engine->images[engine->image_count++] =
        (rj_image_slot_t){.received = received, .due_ns = RJ_ENGINE_DUE_NOW};
}

void rj_receiver_remove_image(rj_engine_t *engine, rj_received_image_t *received)
{
    const int32_t at = received->slot;
    if (received->endpoint != NULL && received->endpoint->home == engine->params.index)
        rj_dispatcher_remove_image(received->endpoint->dispatcher, &received->image);
    else if (received->endpoint != NULL)
        rj_image_table_remove(&engine->guest_images, received);
    received->endpoint = NULL;
    if (at < 0)
        return;
    const int32_t last = --engine->image_count;
    engine->images[at] = engine->images[last];
    engine->images[at].received->slot = at;
    received->slot = -1;
}

void rj_receiver_touch_image(rj_engine_t *engine, const rj_received_image_t *received)
{
    rj_image_slot_t *slot = slot_of(engine, received);
    if (slot != NULL)
        slot->due_ns = RJ_ENGINE_DUE_NOW;
}

void rj_receiver_detach_images(rj_engine_t *engine, const rj_receive_endpoint_t *endpoint)
{
    for (int32_t i = 0; i < engine->image_count; i++) {
        rj_received_image_t *received = engine->images[i].received;
        if (received->endpoint != endpoint)
            continue;
        rj_receiver_starve_image(engine, received);
        received->endpoint = NULL;
    }
}

void rj_receiver_starve_image(rj_engine_t *engine, rj_received_image_t *received)
{
    if (received->endpoint != NULL && received->endpoint->home != engine->params.index)
        rj_image_table_remove(&engine->guest_images, received);
}
