/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/udp.h>
#include <string.h>

#include "transport/uring_state.h"

enum {
    SUPER_BYTES_MAX = 65507, /* the payload of one IPv4 packet, for the kernel makes one first */
    LINKED_SUBMISSIONS = 256,
    UNCOPIED_BYTES_MIN = 16384,
    COPIED_MAX = 8, /* runs that the kernel copied before `auto` believes that it always does */
    UNCOPIED_MASK = RJ_URING_UNCOPIED - 1,
    NO_SOCKET = INT_MIN,
};

/* Of later kernels than the headers: says in the notification whether it was copied after all. */
#define SEND_ZC_REPORT_USAGE (1U << 3)
#define NOTIFIED_COPIED      (1U << 31)

/* How far the runs of one call have been turned into pieces. */
typedef struct send_cursor {
    rj_run_t *runs;
    size_t count;
    size_t index;
    uint32_t offset; /* in the run at `index` */
} send_cursor_t;

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

/* --- pieces --- */

static void set_segments(rj_uring_piece_t *piece, uint32_t segment_bytes)
{
    const uint16_t bytes = (uint16_t)segment_bytes;
    struct cmsghdr *control = (struct cmsghdr *)piece->control;
    control->cmsg_level = SOL_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof(bytes));
    memcpy(CMSG_DATA(control), &bytes, sizeof(bytes));
    piece->header.msg_control = piece->control;
    piece->header.msg_controllen = sizeof(piece->control);
}

static void fill_piece(rj_uring_piece_t *piece, const rj_run_t *run, uint32_t run_index,
                       uint32_t offset, uint32_t length)
{
    const rj_path_t *path = run->path;
    /* The kernel's types lack the const; it only reads both. */
    piece->iovec.iov_base = (void *)(uintptr_t)(run->start + offset);
    piece->iovec.iov_len = length;
    piece->header.msg_name = path->sockaddr_bytes > 0 ? (void *)(uintptr_t)&path->sockaddr : NULL;
    piece->header.msg_namelen = path->sockaddr_bytes;
    piece->header.msg_control = NULL;
    piece->header.msg_controllen = 0;
    if (length > run->segment_bytes)
        set_segments(piece, run->segment_bytes);
    piece->run = run_index;
}

static uint32_t piece_length(const rj_run_t *run, uint32_t left, bool is_cut_here)
{
    uint32_t segments = is_cut_here ? 1 : SUPER_BYTES_MAX / run->segment_bytes;
    if (segments > RJ_URING_SEGMENTS)
        segments = RJ_URING_SEGMENTS;
    const uint32_t length = segments > 1 ? segments * run->segment_bytes : run->segment_bytes;
    return left < length ? left : length;
}

static uint32_t gather(rj_uring_t *uring, send_cursor_t *cursor)
{
    uint32_t filled = 0;
    bool is_cut_here = false;
    for (; cursor->index < cursor->count; cursor->index++, cursor->offset = 0) {
        const rj_run_t *run = &cursor->runs[cursor->index];
        assert(run->segment_bytes > 0 || run->total_bytes == 0);
        if (run->total_bytes > run->segment_bytes)
            is_cut_here = rj_segment_refusals_has(&uring->refusals, run->path, run->segment_bytes,
                                                  uring->now_ns);
        while (cursor->offset < run->total_bytes) {
            if (filled == RJ_URING_PIECES)
                return filled;
            const uint32_t length =
                piece_length(run, run->total_bytes - cursor->offset, is_cut_here);
            fill_piece(&uring->pieces[filled++], run, (uint32_t)cursor->index, cursor->offset,
                       length);
            cursor->offset += length;
        }
    }
    return filled;
}

/* --- runs that are sent without a copy --- */

static bool wants_uncopied(const rj_uring_t *uring, const rj_uring_piece_t *piece)
{
    return uring->zero_copy != RJ_ZERO_COPY_OFF && piece->iovec.iov_len >= UNCOPIED_BYTES_MIN &&
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
}

uint64_t rj_uring_reclaim(rj_port_t *port)
{
    rj_uring_t *uring = rj_uring_from(port);
    if (uring->uncopied_head == uring->uncopied_tail)
        return uring->next_run_number;
    if (!uring->is_retired) {
        rj_uring_ring_pull(&uring->ring);
        rj_uring_reap(uring);
    }
    for (; uring->uncopied_tail != uring->uncopied_head; uring->uncopied_tail++) {
        const rj_uring_uncopied_t *entry = &uring->uncopied[uring->uncopied_tail & UNCOPIED_MASK];
        if (!entry->is_done)
            return entry->run_number;
    }
    return uring->next_run_number;
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
    piece->result = -EAGAIN;
    return sqe;
}

void rj_uring_on_sent(rj_uring_t *uring, const struct io_uring_cqe *completion)
{
    uring->pieces[(uint32_t)completion->user_data].result = completion->res;
    if (uring->pending_count > 0)
        uring->pending_count--;
}

/* A piece that was not handed over: the kernel will never say that it is done with it. */
static void drop(rj_uring_piece_t *piece, int32_t result)
{
    if (result != -EAGAIN && result != -EBUSY)
        piece->result = result;
    if (piece->uncopied != NULL)
        piece->uncopied->is_done = true;
}

static void fly(rj_uring_t *uring, uint32_t first, uint32_t count)
{
    int result = rj_uring_ring_submit(&uring->ring);
    uring->pending_count = count - uring->ring.dropped_count;
    for (uint32_t i = uring->pending_count; i < count; i++)
        drop(&uring->pieces[first + i], result);
    rj_uring_reap(uring);
    for (result = 0; uring->pending_count > 0 && result == 0;) {
        result = rj_uring_ring_wait(&uring->ring);
        rj_uring_reap(uring);
    }
}

/* Each request is done, or has failed, within the submission: none of them may wait. So they are
 * done in order; but one that fails stops those behind it only when they are linked, which costs
 * something for each, and is therefore kept for sockets that were found full lately. */
static void fly_all(rj_uring_t *uring, const send_cursor_t *cursor, uint32_t count)
{
    const bool is_linked = uring->linked_left > 0;
    struct io_uring_sqe *before = NULL;
    int before_socket = NO_SOCKET;
    for (uint32_t i = 0; i < count; i++) {
        const rj_run_t *run = &cursor->runs[uring->pieces[i].run];
        if (is_linked && socket_of(run) == before_socket)
            before->flags |= IOSQE_IO_LINK;
        before = prepare(uring, run, i, true);
        before_socket = socket_of(run);
    }
    if (is_linked)
        uring->linked_left--;
    fly(uring, 0, count);
}

/* --- second tries --- */

/* Sends what the piece was to send once more, in datagrams of `cut_bytes`. Returns the bytes that
 * were taken, or the error of the first datagram. */
static int32_t try_again(rj_uring_t *uring, const rj_run_t *run, const rj_uring_piece_t *piece,
                         uint32_t cut_bytes)
{
    const uint32_t offset = (uint32_t)((const uint8_t *)piece->iovec.iov_base - run->start);
    const uint32_t total = (uint32_t)piece->iovec.iov_len;
    uint32_t count = 0;
    for (uint32_t at = 0; at < total; at += cut_bytes, count++) {
        const uint32_t length = total - at < cut_bytes ? total - at : cut_bytes;
        fill_piece(&uring->pieces[RJ_URING_PIECES + count], run, piece->run, offset + at, length);
        prepare(uring, run, RJ_URING_PIECES + count, false);
    }
    fly(uring, RJ_URING_PIECES, count);
    int32_t taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        const int32_t result = uring->pieces[RJ_URING_PIECES + i].result;
        if (result < 0)
            return taken > 0 ? taken : result;
        taken += result;
    }
    return taken;
}

static bool has_no_room(int32_t result)
{
    return result == -EAGAIN || result == -EINTR;
}

/* The result of a piece, when what can be mended has been. A refusal is an earlier datagram's echo
 * and says nothing of this one; nor does it that a piece before it failed, to which it was linked.
 */
static int32_t result_of(rj_uring_t *uring, const rj_run_t *run, const rj_uring_piece_t *piece)
{
    const uint32_t total = (uint32_t)piece->iovec.iov_len;
    int32_t result = piece->result;
    if (result >= 0 || has_no_room(result))
        return result;
    if (result == -ECONNREFUSED || result == -ECANCELED || piece->uncopied != NULL)
        result = try_again(uring, run, piece, total);
    if (total > run->segment_bytes && is_refused_for_segments(result)) {
        rj_segment_refusals_add(&uring->refusals, run->path, run->segment_bytes, uring->now_ns);
        rj_port_count(&uring->stats.segment_refused, 1);
        result = try_again(uring, run, piece, run->segment_bytes);
    }
    return result == -ECONNREFUSED ? -EAGAIN : result;
}

/* --- results --- */

static void credit(rj_uring_t *uring, rj_run_t *run, int32_t bytes)
{
    run->result += bytes;
    rj_port_count(&uring->stats.sent_datagrams,
                  ((uint32_t)bytes + run->segment_bytes - 1) / run->segment_bytes);
}

/* Moves the cursor behind the run that failed, and with `skips_socket` behind all that follow it on
 * the same socket. */
static void give_up(send_cursor_t *cursor, size_t failed, bool skips_socket)
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

static void settle_piece(rj_uring_t *uring, send_cursor_t *cursor, const rj_uring_piece_t *piece,
                         send_verdict_t *verdict)
{
    rj_run_t *run = &cursor->runs[piece->run];
    const int fd = socket_of(run);
    if (fd == verdict->full_socket || piece->run == verdict->failed_run)
        return;
    verdict->full_socket = NO_SOCKET;
    const int32_t result = result_of(uring, run, piece);
    if (result > 0)
        credit(uring, run, result);
    if (piece->header.msg_control != NULL)
        rj_port_count(&uring->stats.sent_segmented, 1);
    if (result == (int32_t)piece->iovec.iov_len)
        return;
    if (result > 0 || has_no_room(result)) {
        rj_port_count(&uring->stats.short_sends, 1);
        uring->linked_left = LINKED_SUBMISSIONS;
        verdict->full_socket = fd;
        give_up(cursor, piece->run, true);
        return;
    }
    if (run->result == 0)
        run->result = result;
    verdict->failed_run = piece->run;
    give_up(cursor, piece->run, false);
}

static void send_batch(rj_uring_t *uring, send_cursor_t *cursor)
{
    const uint32_t count = gather(uring, cursor);
    if (count == 0)
        return;
    send_verdict_t verdict = {.full_socket = NO_SOCKET, .failed_run = UINT32_MAX};
    fly_all(uring, cursor, count);
    for (uint32_t i = 0; i < count; i++)
        settle_piece(uring, cursor, &uring->pieces[i], &verdict);
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
    send_cursor_t cursor = {.runs = runs, .count = count};
    while (cursor.index < count)
        send_batch(uring, &cursor);
    rj_port_count(&uring->stats.send_calls, uring->ring.calls - calls);
    return (int)count;
}
