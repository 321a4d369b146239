/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <time.h>

#include "base/bits.h"
#include "transport/uring_state.h"

enum {
    ARM_BATCH = 128,   /* requests that one poll makes: never more than fit into an empty queue */
    LONG_BYTES = 8192, /* of a message */
};

/* --- requests that last --- */

void rj_uring_queue_slot(rj_uring_t *uring, uint32_t slot)
{
    if (uring->slots[slot].is_queued)
        return;
    uring->slots[slot].is_queued = true;
    rj_uring_list_push(&uring->to_arm, uring->slots, slot);
}

void rj_uring_keep_error(rj_uring_t *uring, uint32_t slot, int code)
{
    if (uring->slots[slot].error == 0)
        uring->error_count++;
    uring->slots[slot].error = code;
}

static void prepare(rj_uring_t *uring, struct io_uring_sqe *sqe, uint32_t index)
{
    rj_uring_slot_t *slot = &uring->slots[index];
    const int file = slot->has_file ? (int)index : slot->endpoint->socket;
    io_uring_prep_recvmsg_multishot(sqe, file, &uring->receive_header, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT | (slot->has_file ? IOSQE_FIXED_FILE : 0);
    sqe->buf_group = 0;
    sqe->user_data = rj_uring_user_data(RJ_URING_RECEIVED, index, slot->generation);
    slot->is_armed = true;
    uring->armed_count++;
}

static void disarm(rj_uring_t *uring, rj_uring_slot_t *slot)
{
    if (slot->is_armed)
        uring->armed_count--;
    slot->is_armed = false;
}

/* Whoever was stopped for want of buffers would be stopped again by a few of them, so that each
 * gets its turn only when half of them are there. */
static bool is_time_to_arm(const rj_uring_t *uring)
{
    const uint32_t offered = uring->offers_few ? RJ_URING_FEW : uring->ring.buffer_count;
    return uring->to_arm.head != RJ_URING_SLOT_NONE && uring->ring.given_count >= offered / 2;
}

/* The next slot that is to receive; those whose endpoint has gone meanwhile are free. */
static uint32_t next_to_arm(rj_uring_t *uring)
{
    for (;;) {
        const uint32_t index = rj_uring_list_pop(&uring->to_arm, uring->slots);
        if (index == RJ_URING_SLOT_NONE)
            return index;
        uring->slots[index].is_queued = false;
        if (uring->slots[index].endpoint != NULL)
            return index;
        rj_uring_list_push(&uring->free_slots, uring->slots, index);
    }
}

static void arm(rj_uring_t *uring)
{
    uint32_t armed[ARM_BATCH];
    uint32_t count = 0;
    while (count < ARM_BATCH) {
        const uint32_t index = next_to_arm(uring);
        if (index == RJ_URING_SLOT_NONE)
            break;
        prepare(uring, rj_uring_ring_sqe(&uring->ring), index);
        armed[count++] = index;
    }
    if (count == 0)
        return;
    const int result = rj_uring_ring_submit(&uring->ring);
    for (uint32_t i = count - uring->ring.dropped_count; i < count; i++) {
        disarm(uring, &uring->slots[armed[i]]);
        rj_uring_queue_slot(uring, armed[i]);
        rj_uring_keep_error(uring, armed[i], -result);
    }
}

/* --- completions --- */

/* A refusal is the echo of an earlier datagram; the others are no errors of the socket. */
static bool is_worth_telling(int code)
{
    return code != EAGAIN && code != EINTR && code != ECONNREFUSED && code != ENOBUFS &&
           code != ECANCELED;
}

static void on_ended(rj_uring_t *uring, uint32_t index, int result)
{
    rj_uring_slot_t *slot = &uring->slots[index];
    disarm(uring, slot);
    if (slot->endpoint == NULL) {
        rj_uring_list_push(&uring->free_slots, uring->slots, index);
        return;
    }
    rj_port_count(&uring->stats.rearms, 1);
    if (result == -ENOBUFS)
        rj_port_count(&uring->stats.out_of_buffers, 1);
    if (result < 0 && is_worth_telling(-result))
        rj_uring_keep_error(uring, index, -result);
    rj_uring_queue_slot(uring, index);
}

void rj_uring_on_received(rj_uring_t *uring, const struct io_uring_cqe *completion)
{
    const uint32_t index = (uint32_t)(completion->user_data >> 32) & 0xffffffU;
    if ((completion->flags & IORING_CQE_F_BUFFER) != 0) {
        uring->arrivals[uring->arrival_head++ & (uring->ring.buffer_count - 1)] =
            (rj_uring_arrival_t){.slot = index,
                                 .generation = (uint32_t)completion->user_data,
                                 .filled_bytes = (uint32_t)rj_max_i64(completion->res, 0),
                                 .buffer = completion->flags >> IORING_CQE_BUFFER_SHIFT};
        rj_uring_ring_taken(&uring->ring);
    }
    if ((completion->flags & IORING_CQE_F_MORE) == 0)
        on_ended(uring, index, completion->res);
}

/* --- packets --- */

static int64_t epoch_ns(const struct cmsghdr *control)
{
    struct timespec time;
    memcpy(&time, CMSG_DATA(control), sizeof(time));
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void read_control(const rj_uring_t *uring, uint8_t *buffer, rj_packet_t *packet)
{
    const struct io_uring_recvmsg_out *out = (const struct io_uring_recvmsg_out *)buffer;
    struct msghdr header = {.msg_control =
                                buffer + sizeof(*out) + uring->receive_header.msg_namelen,
                            .msg_controllen = out->controllen};
    struct cmsghdr *control;
    for (control = CMSG_FIRSTHDR(&header); control != NULL;
         control = CMSG_NXTHDR(&header, control)) {
        int segment_bytes;
        if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_TIMESTAMPNS)
            packet->media_epoch_ns = epoch_ns(control);
        if (control->cmsg_level != SOL_UDP || control->cmsg_type != UDP_GRO)
            continue;
        memcpy(&segment_bytes, CMSG_DATA(control), sizeof(segment_bytes));
        if (segment_bytes > 0 && (uint32_t)segment_bytes < packet->length_bytes)
            packet->segment_bytes = (uint32_t)segment_bytes;
    }
}

static uint32_t datagrams_of(const rj_packet_t *packet)
{
    return packet->segment_bytes == 0
               ? 1
               : (packet->length_bytes + packet->segment_bytes - 1) / packet->segment_bytes;
}

static void fill(rj_uring_t *uring, const rj_uring_arrival_t *arrival, rj_packet_t *packet,
                 int64_t now_ns)
{
    uint8_t *buffer = rj_uring_ring_buffer(&uring->ring, arrival->buffer);
    const struct io_uring_recvmsg_out *out = (const struct io_uring_recvmsg_out *)buffer;
    *packet = (rj_packet_t){.data = buffer + RJ_URING_HEADER_BYTES,
                            .length_bytes = arrival->filled_bytes - RJ_URING_HEADER_BYTES,
                            .endpoint = uring->slots[arrival->slot].endpoint,
                            .receive_time_ns = now_ns};
    if (!rj_address_from_sockaddr(&packet->source, (const struct sockaddr *)(buffer + sizeof(*out)),
                                  out->namelen))
        packet->source.family = AF_UNSPEC;
    if (out->controllen > 0)
        read_control(uring, buffer, packet);
    rj_port_count(&uring->stats.received_datagrams, datagrams_of(packet));
    if (packet->segment_bytes > 0)
        rj_port_count(&uring->stats.received_merged, 1);
}

/* What came for an endpoint that has gone since is let go with it. */
static bool is_for_us(const rj_uring_t *uring, const rj_uring_arrival_t *arrival)
{
    const rj_uring_slot_t *slot = &uring->slots[arrival->slot];
    return slot->endpoint != NULL && slot->generation == arrival->generation &&
           arrival->filled_bytes >= RJ_URING_HEADER_BYTES;
}

static uint32_t deliver(rj_uring_t *uring, rj_packet_t *packets, uint32_t room, int64_t now_ns)
{
    uint32_t filled = 0;
    while (filled < room && uring->arrival_tail != uring->arrival_head) {
        const rj_uring_arrival_t *arrival =
            &uring->arrivals[uring->arrival_tail++ & (uring->ring.buffer_count - 1)];
        if (!is_for_us(uring, arrival)) {
            rj_uring_ring_give(&uring->ring, arrival->buffer);
            continue;
        }
        fill(uring, arrival, &packets[filled++], now_ns);
        uring->held[uring->held_count++] = arrival->buffer;
    }
    rj_uring_ring_give_end(&uring->ring);
    return filled;
}

/* The kernel fills buffers in the order in which it got them, so that each is touched before one is
 * touched again. Long messages would so go through all caches; while they come it has but few. */
static void give_held(rj_uring_t *uring)
{
    for (uint32_t i = 0; i < uring->held_count; i++) {
        if (uring->offers_few && uring->ring.given_count + uring->ring.giving_count >= RJ_URING_FEW)
            uring->spare[uring->spare_count++] = uring->held[i];
        else
            rj_uring_ring_give(&uring->ring, uring->held[i]);
    }
    while (!uring->offers_few && uring->spare_count > 0)
        rj_uring_ring_give(&uring->ring, uring->spare[--uring->spare_count]);
    rj_uring_ring_give_end(&uring->ring);
    uring->held_count = 0;
}

static void note_lengths(rj_uring_t *uring, const rj_packet_t *packets, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += packets[i].length_bytes;
    if (count > 0)
        uring->offers_few = bytes / count >= LONG_BYTES;
}

int rj_uring_poll(rj_port_t *port, rj_packet_t *packets, size_t count, int64_t now_ns)
{
    rj_uring_t *uring = rj_uring_from(port);
    const uint32_t room = count < uring->receive_batch ? (uint32_t)count : uring->receive_batch;
    if (uring->is_retired || room == 0)
        return 0;
    const uint64_t calls = uring->ring.calls;
    uring->now_ns = now_ns;
    give_held(uring);
    if (is_time_to_arm(uring))
        arm(uring);
    if (uring->arrival_head - uring->arrival_tail < room)
        rj_uring_ring_pull(&uring->ring);
    rj_uring_reap(uring);
    rj_port_count(&uring->stats.receive_calls, uring->ring.calls - calls);
    const uint32_t filled = deliver(uring, packets, room, now_ns);
    note_lengths(uring, packets, filled);
    uring->base.has_more = uring->arrival_head != uring->arrival_tail ||
                           uring->to_arm.head != RJ_URING_SLOT_NONE ||
                           rj_uring_ring_has_work(&uring->ring);
    return (int)filled;
}
