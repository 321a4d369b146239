/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "transport/uring_state.h"

enum {
    LINKED_SUBMISSIONS = 256,
    UNCOPIED_BYTES_MIN = 16384,
    COPIED_MAX = 8, /* runs that the kernel copied before `auto` believes that it always does */
    UNCOPIED_MASK = RJ_URING_UNCOPIED - 1,
    NO_SOCKET = INT_MIN,
};

/* Of later kernels than the headers: says in the notification whether it was copied after all. */
#define SEND_ZC_REPORT_USAGE (1U << 3)
#define NOTIFIED_COPIED      (1U << 31)

/* What has become of the pieces before, while the results are looked at in order. */
typedef struct send_verdict {
    int full_socket;     /* nothing more is taken by it, up to the next piece of another */
    uint32_t failed_run; /* the rest of it does not count */
} send_verdict_t;

static int socket_of(const rj_run_t *run)
{
    return run->path->endpoint->socket;
}

static bool is_refused_for_segments(int32_t result)
{
    return result == -EINVAL || result == -EMSGSIZE || result == -EIO || result == -EOPNOTSUPP ||
           result == -ENOPROTOOPT;
}

/* --- runs that are sent without a copy --- */

static bool wants_uncopied(const rj_uring_t *uring, const rj_uring_piece_t *piece)
{
    return uring->zero_copy != RJ_ZERO_COPY_OFF && piece->total_bytes >= UNCOPIED_BYTES_MIN &&
           uring->uncopied_head - uring->uncopied_tail < RJ_URING_UNCOPIED;
}

static void prepare_uncopied(rj_uring_t *uring, struct io_uring_sqe *sqe, uint64_t run_number,
                             uint32_t piece)
{
    const uint32_t entry = uring->uncopied_head++ & UNCOPIED_MASK;
    uring->uncopied[entry] = (rj_uring_uncopied_t){.run_number = run_number};
    sqe->opcode = IORING_OP_SENDMSG_ZC;
    sqe->ioprio = SEND_ZC_REPORT_USAGE;
    sqe->user_data = rj_uring_user_data(RJ_URING_UNCOPIED_SENT, entry, piece);
    uring->pieces[piece].uncopied = &uring->uncopied[entry];
    rj_port_count(&uring->stats.sent_uncopied, 1);
}

static void note_copied(rj_uring_t *uring)
{
    uring->copied_count++;
    if (uring->zero_copy == RJ_ZERO_COPY_AUTO && uring->copied_count >= COPIED_MAX)
        uring->zero_copy = RJ_ZERO_COPY_OFF;
}

static void release_done(rj_uring_t *uring)
{
    while (uring->uncopied_tail != uring->uncopied_head &&
           uring->uncopied[uring->uncopied_tail & UNCOPIED_MASK].is_done)
        uring->uncopied_tail++;
}

/* Two completions: the result, and unless it says that there is no more, that bytes are free. */
void rj_uring_on_uncopied(rj_uring_t *uring, const struct io_uring_cqe *completion)
{
    rj_uring_uncopied_t *entry = &uring->uncopied[(completion->user_data >> 32) & UNCOPIED_MASK];
    if ((completion->flags & IORING_CQE_F_NOTIF) == 0)
        rj_uring_on_sent(uring, completion);
    else if (((uint32_t)completion->res & NOTIFIED_COPIED) != 0)
        note_copied(uring);
    if ((completion->flags & IORING_CQE_F_MORE) == 0)
        entry->is_done = true;
    release_done(uring);
}

/* --- what the kernel still reads --- */

bool rj_uring_is_reading(const rj_uring_t *uring)
{
    return uring->airborne_count > 0 || uring->uncopied_head != uring->uncopied_tail;
}

static void look_for_landed(rj_uring_t *uring)
{
    rj_uring_ring_pull(&uring->ring);
    rj_uring_reap(uring);
}

/* No run below is in the air; nor one that is sent without a copy below the other. */
static uint64_t flight_number(const rj_uring_t *uring)
{
    return uring->airborne_count > 0 ? uring->flight_number : uring->next_run_number;
}

static uint64_t uncopied_number(const rj_uring_t *uring)
{
    if (uring->uncopied_head == uring->uncopied_tail)
        return uring->next_run_number;
    return uring->uncopied[uring->uncopied_tail & UNCOPIED_MASK].run_number;
}

uint64_t rj_uring_reclaim(rj_port_t *port)
{
    rj_uring_t *uring = rj_uring_from(port);
    if (!rj_uring_is_reading(uring))
        return uring->next_run_number;
    if (!uring->is_retired)
        look_for_landed(uring);
    return uncopied_number(uring) < flight_number(uring) ? uncopied_number(uring)
                                                         : flight_number(uring);
}

/* --- submission --- */

static struct io_uring_sqe *prepare(rj_uring_t *uring, const rj_run_t *run, uint32_t index,
                                    bool may_be_uncopied)
{
    rj_uring_piece_t *piece = &uring->pieces[index];
    const rj_endpoint_t *endpoint = run->path->endpoint;
    const uint32_t slot = (uint32_t)endpoint->slot;
    /* The slot of an endpoint that is at home elsewhere is not ours. */
    const bool has_file = slot < uring->slot_count && uring->slots[slot].endpoint == endpoint &&
                          uring->slots[slot].has_file;
    struct io_uring_sqe *sqe = rj_uring_ring_sqe(&uring->ring);
    assert(sqe != NULL);
    io_uring_prep_sendmsg(sqe, has_file ? (int)slot : endpoint->socket, &piece->header,
                          MSG_DONTWAIT | MSG_NOSIGNAL);
    sqe->flags |= has_file ? IOSQE_FIXED_FILE : 0;
    sqe->user_data = rj_uring_user_data(RJ_URING_SENT, 0, index);
    piece->uncopied = NULL;
    if (may_be_uncopied && wants_uncopied(uring, piece))
        prepare_uncopied(uring, sqe, run->number, index);
    piece->result = RJ_URING_AIRBORNE;
    return sqe;
}

void rj_uring_on_sent(rj_uring_t *uring, const struct io_uring_cqe *completion)
{
    uring->pieces[(uint32_t)completion->user_data].result = completion->res;
    uring->airborne_count--;
    if (!uring->is_submitting && completion->res < 0)
        rj_port_count(&uring->stats.failed_late, 1);
}

/* A piece that was not handed over: the kernel will never say that it is done with it. */
static void drop(rj_uring_piece_t *piece, int32_t result)
{
    piece->result = result == -EBUSY ? -EAGAIN : result;
    if (piece->uncopied != NULL)
        piece->uncopied->is_done = true;
}

/* What a link holds back begins as work that the kernel has put off when the one before is done;
 * each pull does some of it. Waits for nothing. */
static void fly(rj_uring_t *uring, const rj_run_t *run, uint32_t first, uint32_t count)
{
    assert(uring->airborne_count == 0);
    const int result = rj_uring_ring_submit(&uring->ring);
    const uint32_t flown = count - uring->ring.dropped_count;
    uring->flight_number = run->number;
    uring->airborne_count = flown;
    uring->is_submitting = true;
    for (uint32_t i = flown; i < count; i++)
        drop(&uring->pieces[first + i], result);
    release_done(uring);
    rj_uring_reap(uring);
    for (uint32_t pulls = 0; pulls < flown && uring->airborne_count > 0; pulls++) {
        if (!rj_uring_ring_has_work(&uring->ring))
            break;
        look_for_landed(uring);
    }
    uring->is_submitting = false;
}

/* Each request is done, or has failed, when the kernel comes to it: none of them may wait. So they
 * are done in order; but one that fails stops those behind it only when they are linked, which
 * costs something for each, and is therefore kept for sockets that were found full lately. */
static void fly_all(rj_uring_t *uring, const rj_uring_cursor_t *cursor, uint32_t count)
{
    const bool is_linked = uring->linked_left > 0;
    struct io_uring_sqe *before = NULL;
    int before_socket = NO_SOCKET;
    for (uint32_t i = 0; i < count; i++) {
        const rj_run_t *run = rj_uring_first_run(uring, cursor, &uring->pieces[i]);
        if (is_linked && socket_of(run) == before_socket)
            before->flags |= IOSQE_IO_LINK;
        before = prepare(uring, run, i, true);
        before_socket = socket_of(run);
    }
    if (is_linked)
        uring->linked_left--;
    fly(uring, rj_uring_first_run(uring, cursor, &uring->pieces[0]), 0, count);
}

/* --- results --- */

static bool has_no_room(int32_t result)
{
    return result == -EAGAIN || result == -EINTR;
}

/* Sent, or about to be. */
static bool is_taken(int32_t result)
{
    return result >= 0 || result == RJ_URING_AIRBORNE;
}

/* Moves the cursor behind the run that failed, and with `skips_socket` behind all that follow it on
 * the same socket. */
static void give_up(rj_uring_cursor_t *cursor, size_t failed, bool skips_socket)
{
    size_t index = failed + 1;
    const int fd = socket_of(&cursor->runs[failed]);
    while (skips_socket && index < cursor->count && socket_of(&cursor->runs[index]) == fd)
        index++;
    if (index > cursor->index) {
        cursor->index = index;
        cursor->offset = 0;
    }
}

static void credit(rj_uring_t *uring, const rj_uring_cursor_t *cursor,
                   const rj_uring_piece_t *piece, const send_verdict_t *verdict)
{
    for (uint32_t i = piece->first_part; i < piece->first_part + piece->part_count; i++)
        if (uring->part_runs[i] != verdict->failed_run)
            cursor->runs[uring->part_runs[i]].result += (int32_t)uring->iovecs[i].iov_len;
    rj_port_count(&uring->stats.sent_datagrams,
                  (piece->total_bytes + piece->segment_bytes - 1) / piece->segment_bytes);
    if (piece->header.msg_control != NULL)
        rj_port_count(&uring->stats.sent_segmented, 1);
}

/* The socket is full, from the first run of the piece on. */
static void note_full(rj_uring_t *uring, rj_uring_cursor_t *cursor, const rj_uring_piece_t *piece,
                      send_verdict_t *verdict)
{
    rj_port_count(&uring->stats.short_sends, 1);
    uring->linked_left = LINKED_SUBMISSIONS;
    verdict->full_socket = socket_of(rj_uring_first_run(uring, cursor, piece));
    give_up(cursor, uring->part_runs[piece->first_part], true);
}

static void note_failed(const rj_uring_t *uring, rj_uring_cursor_t *cursor,
                        const rj_uring_piece_t *piece, send_verdict_t *verdict, int32_t result)
{
    for (uint32_t i = piece->first_part; i < piece->first_part + piece->part_count; i++) {
        const uint32_t failed = uring->part_runs[i];
        if (cursor->runs[failed].result == 0)
            cursor->runs[failed].result = result;
        verdict->failed_run = failed;
        give_up(cursor, failed, false);
    }
}

/* Once more as it is, but with a copy, and alone. */
static int32_t repeat(rj_uring_t *uring, const rj_uring_cursor_t *cursor,
                      const rj_uring_piece_t *piece)
{
    const uint32_t index = RJ_URING_PIECES + RJ_URING_SEGMENTS;
    const rj_run_t *run = rj_uring_first_run(uring, cursor, piece);
    if (uring->airborne_count > 0)
        return -EAGAIN;
    uring->pieces[index] = *piece;
    prepare(uring, run, index, false);
    fly(uring, run, index, 1);
    return uring->pieces[index].result;
}

/* What has become of a piece, when what can be mended has been; returns false when its datagrams
 * have to be sent one by one. A refusal is an earlier datagram's echo and says nothing of this one;
 * nor does it that a piece before it failed, to which it was linked. */
static bool settle(rj_uring_t *uring, rj_uring_cursor_t *cursor, const rj_uring_piece_t *piece,
                   send_verdict_t *verdict)
{
    const rj_run_t *run = rj_uring_first_run(uring, cursor, piece);
    int32_t result = piece->result;
    if (socket_of(run) == verdict->full_socket ||
        (piece->part_count == 1 && uring->part_runs[piece->first_part] == verdict->failed_run))
        return true;
    verdict->full_socket = NO_SOCKET;
    if (result == -ECONNREFUSED || result == -ECANCELED ||
        (piece->uncopied != NULL && !is_taken(result) && !has_no_room(result)))
        result = repeat(uring, cursor, piece);
    if (is_taken(result)) {
        credit(uring, cursor, piece, verdict);
    } else if (has_no_room(result) || result == -ECONNREFUSED) {
        note_full(uring, cursor, piece, verdict);
    } else if (piece->header.msg_control != NULL && is_refused_for_segments(result)) {
        rj_segment_refusals_add(&uring->refusals, run->path, piece->segment_bytes, uring->now_ns);
        rj_port_count(&uring->stats.segment_refused, 1);
        return false;
    } else {
        note_failed(uring, cursor, piece, verdict, result);
    }
    return true;
}

static void settle_in_datagrams(rj_uring_t *uring, rj_uring_cursor_t *cursor,
                                const rj_uring_piece_t *piece, send_verdict_t *verdict)
{
    if (uring->airborne_count > 0) {
        note_full(uring, cursor, piece, verdict);
        return;
    }
    const uint32_t count = rj_uring_split(uring, piece);
    const rj_run_t *run = rj_uring_first_run(uring, cursor, piece);
    for (uint32_t i = 0; i < count; i++)
        prepare(uring, run, RJ_URING_PIECES + i, false);
    fly(uring, run, RJ_URING_PIECES, count);
    for (uint32_t i = 0; i < count; i++)
        settle(uring, cursor, &uring->pieces[RJ_URING_PIECES + i], verdict);
}

static void send_batch(rj_uring_t *uring, rj_uring_cursor_t *cursor)
{
    const uint32_t count = rj_uring_gather(uring, cursor);
    send_verdict_t verdict = {.full_socket = NO_SOCKET, .failed_run = UINT32_MAX};
    if (count == 0)
        return;
    fly_all(uring, cursor, count);
    for (uint32_t i = 0; i < count; i++)
        if (!settle(uring, cursor, &uring->pieces[i], &verdict))
            settle_in_datagrams(uring, cursor, &uring->pieces[i], &verdict);
}

/* How many runs have been looked at: all, unless a flight is in the air. */
static size_t send_runs(rj_uring_t *uring, rj_run_t *runs, size_t count)
{
    rj_uring_cursor_t cursor = {.runs = runs, .count = count};
    if (uring->airborne_count > 0)
        look_for_landed(uring);
    while (cursor.index < count && uring->airborne_count == 0)
        send_batch(uring, &cursor);
    if (cursor.index == count)
        return count;
    rj_port_count(&uring->stats.short_sends, 1);
    return cursor.offset > 0 ? cursor.index + 1 : cursor.index;
}

static void refuse(rj_run_t *runs, size_t count, int32_t result)
{
    for (size_t i = 0; i < count; i++)
        runs[i].result = result;
}

int rj_uring_send(rj_port_t *port, rj_run_t *runs, size_t count)
{
    rj_uring_t *uring = rj_uring_from(port);
    for (size_t i = 0; i < count; i++)
        runs[i].number = uring->next_run_number++;
    const int result = uring->is_retired ? -ESHUTDOWN : rj_uring_ring_enable(&uring->ring);
    refuse(runs, count, result);
    if (result < 0)
        return (int)count;
    const uint64_t calls = uring->ring.calls;
    const size_t looked_at = send_runs(uring, runs, count);
    rj_port_count(&uring->stats.send_calls, uring->ring.calls - calls);
    return (int)looked_at;
}
