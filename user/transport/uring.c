/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/uring.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "transport/uring_state.h"

enum {
    BUFFERS_MIN = 64,
    /* Several polls' worth: one of them is with the engine, and the kernel, which fills up to 32 at
     * a time for one socket, is not to run out of them while the others are. */
    BUFFERS_PER_PACKET = 4,
    CANCEL_TRIES = 16,
    LANDING_TRIES = 16,
};

static const int64_t landing_wait_ns = INT64_C(10000000);

/* --- completions --- */

static void on_completion(rj_uring_t *uring, const struct io_uring_cqe *completion)
{
    switch ((rj_uring_about_t)(completion->user_data >> 56)) {
    case RJ_URING_RECEIVED:
        rj_uring_on_received(uring, completion);
        break;
    case RJ_URING_SENT:
        rj_uring_on_sent(uring, completion);
        break;
    case RJ_URING_UNCOPIED_SENT:
        rj_uring_on_uncopied(uring, completion);
        break;
    case RJ_URING_CANCELLED:
        break;
    }
}

void rj_uring_reap(rj_uring_t *uring)
{
    const struct io_uring_cqe *completion;
    unsigned head;
    unsigned count = 0;
    io_uring_for_each_cqe(&uring->ring.ring, head, completion)
    {
        on_completion(uring, completion);
        count++;
    }
    io_uring_cq_advance(&uring->ring.ring, count);
}

/* --- attach --- */

static int uring_attach(rj_port_t *port, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    static const int on = 1;
    rj_uring_t *uring = rj_uring_from(port);
    if (role == RJ_ATTACH_GUEST)
        return 0;
    const int result = rj_uring_ring_enable(&uring->ring);
    if (result < 0)
        return result;
    const uint32_t index = rj_uring_list_pop(&uring->free_slots, uring->slots);
    if (index == RJ_URING_SLOT_NONE)
        return -ENOSPC;
    rj_uring_slot_t *slot = &uring->slots[index];
    slot->endpoint = endpoint;
    slot->has_file =
        endpoint->socket >= 0 && rj_uring_ring_set_file(&uring->ring, index, endpoint->socket) == 0;
    /* A socket that cannot have datagrams merged gets them one by one. */
    setsockopt(endpoint->socket, SOL_UDP, UDP_GRO, &on, sizeof(on));
    endpoint->slot = (int)index;
    rj_uring_queue_slot(uring, index);
    return 0;
}

/* Asks the kernel to end requests. They end within the call that asks, unless it is just working on
 * one of them. */
static void cancel(rj_uring_t *uring, uint64_t user_data, unsigned flags)
{
    struct io_uring_sqe *sqe = rj_uring_ring_sqe(&uring->ring);
    if (sqe == NULL)
        return;
    io_uring_prep_cancel64(sqe, user_data, (int)(flags | IORING_ASYNC_CANCEL_ALL));
    sqe->user_data = rj_uring_user_data(RJ_URING_CANCELLED, 0, 0);
    if (rj_uring_ring_submit(&uring->ring) < 0)
        return;
    rj_uring_ring_pull(&uring->ring);
    rj_uring_reap(uring);
}

static void uring_detach(rj_port_t *port, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    rj_uring_t *uring = rj_uring_from(port);
    if (role == RJ_ATTACH_GUEST || endpoint->slot < 0)
        return;
    const uint32_t index = (uint32_t)endpoint->slot;
    rj_uring_slot_t *slot = &uring->slots[index];
    const uint64_t request = rj_uring_user_data(RJ_URING_RECEIVED, index, slot->generation);
    if (slot->error != 0)
        uring->error_count--;
    slot->error = 0;
    slot->endpoint = NULL;
    slot->generation++;
    endpoint->slot = -1;
    if (slot->is_armed) {
        for (int tries = 0; slot->is_armed && tries < CANCEL_TRIES; tries++)
            cancel(uring, request, 0);
    } else if (!slot->is_queued) {
        rj_uring_list_push(&uring->free_slots, uring->slots, index);
    }
    if (slot->has_file)
        rj_uring_ring_set_file(&uring->ring, index, -1);
    slot->has_file = false;
}

static int uring_take_error(rj_port_t *port, rj_endpoint_t **ret_endpoint)
{
    rj_uring_t *uring = rj_uring_from(port);
    if (uring->error_count == 0)
        return 0;
    for (uint32_t i = 0; i < uring->slot_count; i++) {
        const int code = uring->slots[i].error;
        if (code == 0)
            continue;
        uring->slots[i].error = 0;
        uring->error_count--;
        *ret_endpoint = uring->slots[i].endpoint;
        return -code;
    }
    return 0;
}

static const rj_port_stats_t *uring_stats(const rj_port_t *port)
{
    return &((const rj_uring_t *)port)->stats;
}

/* --- open, close --- */

/* The logs that are being sent from are about to go. Nobody waits for this thread any more. */
static void await_landing(rj_uring_t *uring)
{
    if (uring->airborne_count > 0)
        cancel(uring, 0, IORING_ASYNC_CANCEL_ANY);
    for (int tries = 0; rj_uring_is_reading(uring) && tries < LANDING_TRIES; tries++) {
        rj_uring_ring_wait(&uring->ring, landing_wait_ns);
        rj_uring_reap(uring);
    }
}

/* Sockets that a request or the table holds would keep their addresses for some time after they
 * were closed: the kernel takes a ring apart when it finds the time. */
static void uring_retire(rj_port_t *port)
{
    rj_uring_t *uring = rj_uring_from(port);
    if (uring->is_retired || !uring->ring.is_enabled)
        return;
    uring->is_retired = true;
    for (int tries = 0; uring->armed_count > 0 && tries < CANCEL_TRIES; tries++)
        cancel(uring, 0, IORING_ASYNC_CANCEL_ANY);
    await_landing(uring);
    rj_uring_ring_drop_files(&uring->ring);
}

static void uring_close(rj_port_t *port)
{
    rj_uring_t *uring = rj_uring_from(port);
    if (uring->ring.is_open)
        uring_retire(port);
    rj_uring_ring_close(&uring->ring);
    free(uring->slots);
    free(uring->arrivals);
    free(uring->held);
    free(uring->spare);
    free(uring->pieces);
    free(uring->iovecs);
    free(uring->part_runs);
    free(uring->uncopied);
    free(uring);
}

static const rj_port_ops_t uring_ops = {
    .name = "uring",
    .send = rj_uring_send,
    .poll = rj_uring_poll,
    .reclaim = rj_uring_reclaim,
    .attach = uring_attach,
    .detach = uring_detach,
    .take_error = uring_take_error,
    .close = uring_close,
    .retire = uring_retire,
    .stats = uring_stats,
};

static uint32_t buffers_for(uint32_t receive_batch)
{
    uint32_t count = BUFFERS_MIN;
    while (count < BUFFERS_PER_PACKET * receive_batch)
        count *= 2;
    return count;
}

static bool take_memory(rj_uring_t *uring, const rj_port_params_t *params, uint32_t buffer_count)
{
    uring->receive_batch = params->receive_batch;
    uring->slot_count = params->endpoint_max;
    uring->zero_copy = params->zero_copy;
    uring->slots = calloc(params->endpoint_max, sizeof(uring->slots[0]));
    uring->arrivals = calloc(buffer_count, sizeof(uring->arrivals[0]));
    uring->held = calloc(params->receive_batch, sizeof(uring->held[0]));
    uring->spare = calloc(buffer_count, sizeof(uring->spare[0]));
    uring->pieces = calloc(RJ_URING_PIECES_ALL, sizeof(uring->pieces[0]));
    uring->iovecs = calloc(RJ_URING_PARTS_ALL, sizeof(uring->iovecs[0]));
    uring->part_runs = calloc(RJ_URING_PARTS_ALL, sizeof(uring->part_runs[0]));
    uring->uncopied = calloc(RJ_URING_UNCOPIED, sizeof(uring->uncopied[0]));
    if (uring->slots == NULL || uring->arrivals == NULL || uring->held == NULL ||
        uring->spare == NULL || uring->pieces == NULL || uring->iovecs == NULL ||
        uring->part_runs == NULL || uring->uncopied == NULL)
        return false;
    uring->free_slots.head = RJ_URING_SLOT_NONE;
    uring->to_arm.head = RJ_URING_SLOT_NONE;
    for (uint32_t i = 0; i < uring->slot_count; i++)
        rj_uring_list_push(&uring->free_slots, uring->slots, i);
    return true;
}

/* Room for an address, a time and a size of segments; the address takes what is left, so that the
 * payload begins where it should. */
static void set_receive_header(rj_uring_t *uring)
{
    uring->receive_header.msg_controllen =
        CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(int));
    uring->receive_header.msg_namelen =
        (socklen_t)(RJ_URING_HEADER_BYTES - sizeof(struct io_uring_recvmsg_out) -
                    uring->receive_header.msg_controllen);
}

int rj_uring_open(const rj_port_params_t *params, rj_port_t **ret_port, rj_err_t *err)
{
    if (params->receive_batch < 1 || params->receive_batch > RJ_PORT_RECEIVE_BATCH_MAX)
        return rj_fail(err, -EINVAL, "a batch of %u packets is not within 1..%d",
                       params->receive_batch, RJ_PORT_RECEIVE_BATCH_MAX);
    if (params->endpoint_max < 1 || params->endpoint_max > RJ_PORT_ENDPOINTS_MAX)
        return rj_fail(err, -EINVAL, "room for %u endpoints is not within 1..%d",
                       params->endpoint_max, RJ_PORT_ENDPOINTS_MAX);
    const uint32_t buffer_count = buffers_for(params->receive_batch);
    rj_uring_t *uring = calloc(1, sizeof(*uring));
    if (uring == NULL)
        return rj_fail(err, -ENOMEM, "no memory for its state");
    uring->base.ops = &uring_ops;
    int result = 0;
    if (!take_memory(uring, params, buffer_count))
        result = rj_fail(err, -ENOMEM, "no memory for %u packets", params->receive_batch);
    if (result == 0)
        result = rj_uring_ring_open(&uring->ring, buffer_count, params->endpoint_max, err);
    if (result < 0) {
        uring_close(&uring->base);
        return result;
    }
    set_receive_header(uring);
    *ret_port = &uring->base;
    return 0;
}
