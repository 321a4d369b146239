/* SPDX-License-Identifier: Apache-2.0 */
/* Runs into pieces, one request each. */
#include <assert.h>
#include <netinet/udp.h>
#include <string.h>

#include "transport/uring_state.h"

/* The payload of one IPv4 packet, which the kernel makes first of what it then cuts. */
enum { SUPER_BYTES_MAX = 65507 };

/* --- one piece --- */

static void begin(rj_uring_piece_t *piece, const rj_path_t *path, uint32_t segment_bytes,
                  uint32_t first_part)
{
    /* The kernel's type lacks the const; it only reads it. */
    piece->header.msg_name = path->sockaddr_bytes > 0 ? (void *)(uintptr_t)&path->sockaddr : NULL;
    piece->header.msg_namelen = path->sockaddr_bytes;
    piece->first_part = first_part;
    piece->part_count = 0;
    piece->total_bytes = 0;
    piece->segment_bytes = segment_bytes;
}

static void add(rj_uring_t *uring, rj_uring_piece_t *piece, const uint8_t *bytes, uint32_t length,
                uint32_t run)
{
    const uint32_t part = piece->first_part + piece->part_count++;
    uring->iovecs[part] = (struct iovec){.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    uring->part_runs[part] = run;
    piece->total_bytes += length;
}

static void finish(rj_uring_t *uring, rj_uring_piece_t *piece)
{
    const uint16_t segment_bytes = (uint16_t)piece->segment_bytes;
    struct cmsghdr *control = (struct cmsghdr *)piece->control;
    piece->header.msg_iov = &uring->iovecs[piece->first_part];
    piece->header.msg_iovlen = piece->part_count;
    piece->header.msg_control = NULL;
    piece->header.msg_controllen = 0;
    if (piece->total_bytes <= piece->segment_bytes)
        return;
    control->cmsg_level = SOL_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof(segment_bytes));
    memcpy(CMSG_DATA(control), &segment_bytes, sizeof(segment_bytes));
    piece->header.msg_control = piece->control;
    piece->header.msg_controllen = sizeof(piece->control);
}

/* --- all of them --- */

/* How many bytes of full segments a piece may still take. */
static uint32_t room_of(const rj_uring_piece_t *piece)
{
    const uint32_t segment_bytes = piece->segment_bytes;
    uint32_t segments = SUPER_BYTES_MAX / segment_bytes;
    if (segments > RJ_URING_SEGMENTS)
        segments = RJ_URING_SEGMENTS;
    const uint32_t room = segments * segment_bytes;
    return room > piece->total_bytes ? room - piece->total_bytes : 0;
}

static bool leads_to_the_same(const rj_path_t *a, const rj_path_t *b)
{
    return a == b || (a->endpoint == b->endpoint && a->sockaddr_bytes == b->sockaddr_bytes &&
                      rj_address_equal(&a->address, &b->address));
}

/* Whether the next datagrams may go behind those of the piece: only its last may be shorter. */
static bool goes_on(const rj_uring_piece_t *piece, const rj_path_t *path, const rj_run_t *run,
                    uint32_t left)
{
    return piece->total_bytes % piece->segment_bytes == 0 && room_of(piece) > 0 &&
           (run->segment_bytes == piece->segment_bytes ||
            (left <= piece->segment_bytes && left <= run->segment_bytes)) &&
           leads_to_the_same(path, run->path);
}

typedef struct gathering {
    rj_uring_piece_t *piece; /* to which more may be added; NULL: none */
    const rj_path_t *path;   /* where it goes */
    uint32_t piece_count;
    uint32_t part_count;
} gathering_t;

static void end_piece(rj_uring_t *uring, gathering_t *gathering)
{
    if (gathering->piece != NULL)
        finish(uring, gathering->piece);
    gathering->piece = NULL;
}

/* The piece that the next datagrams of the run go into; NULL: no more fit. */
static rj_uring_piece_t *piece_for(rj_uring_t *uring, gathering_t *gathering, const rj_run_t *run,
                                   uint32_t left)
{
    if (gathering->part_count == RJ_URING_PARTS)
        return NULL;
    if (gathering->piece != NULL && goes_on(gathering->piece, gathering->path, run, left))
        return gathering->piece;
    end_piece(uring, gathering);
    if (gathering->piece_count == RJ_URING_PIECES)
        return NULL;
    gathering->piece = &uring->pieces[gathering->piece_count++];
    gathering->path = run->path;
    begin(gathering->piece, run->path, run->segment_bytes, gathering->part_count);
    return gathering->piece;
}

/* Puts datagrams of the run, from the offset on, into one piece; returns their bytes, 0 when no
 * more fit. */
static uint32_t place(rj_uring_t *uring, gathering_t *gathering, const rj_uring_cursor_t *cursor,
                      bool is_cut_here)
{
    const rj_run_t *run = &cursor->runs[cursor->index];
    const uint32_t left = run->total_bytes - cursor->offset;
    rj_uring_piece_t *piece = piece_for(uring, gathering, run, left);
    if (piece == NULL)
        return 0;
    const uint32_t room = is_cut_here ? run->segment_bytes : room_of(piece);
    const uint32_t most = room > 0 ? room : run->segment_bytes;
    const uint32_t length = left < most ? left : most;
    add(uring, piece, run->start + cursor->offset, length, (uint32_t)cursor->index);
    gathering->part_count++;
    if (is_cut_here)
        end_piece(uring, gathering);
    return length;
}

uint32_t rj_uring_gather(rj_uring_t *uring, rj_uring_cursor_t *cursor)
{
    gathering_t gathering = {.piece = NULL};
    for (; cursor->index < cursor->count; cursor->index++, cursor->offset = 0) {
        const rj_run_t *run = &cursor->runs[cursor->index];
        if (run->total_bytes == 0)
            continue;
        assert(run->segment_bytes > 0);
        const bool is_cut_here =
            rj_segment_refusals_has(&uring->refusals, run->path, run->segment_bytes, uring->now_ns);
        if (is_cut_here)
            end_piece(uring, &gathering);
        while (cursor->offset < run->total_bytes) {
            const uint32_t length = place(uring, &gathering, cursor, is_cut_here);
            if (length == 0) {
                end_piece(uring, &gathering);
                return gathering.piece_count;
            }
            cursor->offset += length;
        }
    }
    end_piece(uring, &gathering);
    return gathering.piece_count;
}

/* --- what takes the place of one --- */

uint32_t rj_uring_split(rj_uring_t *uring, const rj_uring_piece_t *piece)
{
    uint32_t count = 0;
    for (uint32_t i = piece->first_part; i < piece->first_part + piece->part_count; i++) {
        const uint8_t *bytes = uring->iovecs[i].iov_base;
        for (uint32_t at = 0; at < uring->iovecs[i].iov_len; count++) {
            const uint32_t left = (uint32_t)uring->iovecs[i].iov_len - at;
            const uint32_t length = left < piece->segment_bytes ? left : piece->segment_bytes;
            rj_uring_piece_t *single = &uring->pieces[RJ_URING_PIECES + count];
            single->header.msg_name = piece->header.msg_name;
            single->header.msg_namelen = piece->header.msg_namelen;
            single->first_part = RJ_URING_PARTS + count;
            single->part_count = 0;
            single->total_bytes = 0;
            single->segment_bytes = piece->segment_bytes;
            add(uring, single, bytes + at, length, uring->part_runs[i]);
            finish(uring, single);
            at += length;
        }
    }
    return count;
}
