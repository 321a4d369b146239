/* SPDX-License-Identifier: Apache-2.0 */
/* uring_state.h - what the sources of the port `uring` share; nobody else includes it.
 *
 * Each attached endpoint has a slot, which is also its place in the table of registered files. A
 * slot has at most one lasting request, and is free for another endpoint only when that has ended;
 * what the request brought before is recognised by the generation of the slot and let go.
 *
 *      attach --> queued --> armed --(out of buffers, an error)--> queued
 *                   '--- detach ---'--> cancelled --(its last completion)--> free
 *
 * Units      bytes.
 * Ownership  as uring.h says.
 * Thread     the engine's.
 * Errors     as in port.h.
 */
#ifndef RJ_TRANSPORT_URING_STATE_H
#define RJ_TRANSPORT_URING_STATE_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "transport/port.h"
#include "transport/segment_refusals.h"
#include "transport/uring_ring.h"

enum {
    RJ_URING_PIECES = 256,  /* of one submission */
    RJ_URING_SEGMENTS = 64, /* of one super-datagram, as every kernel takes them */
    RJ_URING_PARTS = 512,   /* of runs, in one submission */
    /* Behind them: what takes the place of one piece, its datagrams, and one that is repeated. */
    RJ_URING_AGAIN = RJ_URING_SEGMENTS + 1,
    RJ_URING_PIECES_ALL = RJ_URING_PIECES + RJ_URING_AGAIN,
    RJ_URING_PARTS_ALL = RJ_URING_PARTS + RJ_URING_SEGMENTS,
    RJ_URING_AIRBORNE = INT32_MIN,   /* no errno */
    RJ_URING_SLOT_NONE = UINT32_MAX, /* ends a list */
    RJ_URING_FEW = 16,               /* buffers that the kernel has while messages are long */
    RJ_URING_UNCOPIED = 1024,        /* runs that the kernel still reads, a power of two */
};

/* What a completion is about: the top byte of its user data. */
typedef enum rj_uring_about {
    RJ_URING_RECEIVED,      /* slot, generation */
    RJ_URING_SENT,          /* piece */
    RJ_URING_UNCOPIED_SENT, /* piece, and the entry that says which run it is of */
    RJ_URING_CANCELLED,
} rj_uring_about_t;

static inline uint64_t rj_uring_user_data(rj_uring_about_t about, uint32_t high, uint32_t low)
{
    return (uint64_t)about << 56 | (uint64_t)high << 32 | low;
}

typedef struct rj_uring_slot {
    rj_endpoint_t *endpoint; /* NULL: free, or being cancelled */
    uint32_t generation;
    uint32_t next; /* in the list of free ones or of those that are to be armed */
    int error;     /* positive errno that nobody has seen yet */
    bool has_file;
    bool is_armed;
    bool is_queued;
} rj_uring_slot_t;

typedef struct rj_uring_list {
    uint32_t head, tail;
} rj_uring_list_t;

/* A buffer that the kernel has filled. */
typedef struct rj_uring_arrival {
    uint32_t slot;
    uint32_t generation;
    uint32_t filled_bytes; /* of the buffer, header included */
    uint32_t buffer;
} rj_uring_arrival_t;

/* A run that the kernel reads until it says that it is done. */
typedef struct rj_uring_uncopied {
    uint64_t run_number;
    bool is_done;
} rj_uring_uncopied_t;

/* What one request sends: a datagram, or a super-datagram of one size for one address, whose bytes
 * lie in one run or in several. */
typedef struct rj_uring_piece {
    struct msghdr header; /* of `part_count` parts, one after the other in `iovecs` */
    uint8_t control[CMSG_SPACE(sizeof(uint16_t))] __attribute__((aligned(8)));
    uint32_t first_part;
    uint32_t part_count;
    uint32_t total_bytes;
    uint32_t segment_bytes;
    int32_t result;                /* RJ_URING_AIRBORNE until the kernel says */
    rj_uring_uncopied_t *uncopied; /* NULL: the kernel copies it */
} rj_uring_piece_t;

/* How far the runs of one call have been turned into pieces. */
typedef struct rj_uring_cursor {
    rj_run_t *runs;
    size_t count;
    size_t index;
    uint32_t offset; /* in the run at `index` */
} rj_uring_cursor_t;

typedef struct rj_uring {
    rj_port_t base;
    rj_uring_ring_t ring;
    rj_port_stats_t stats;
    bool is_retired;

    rj_uring_slot_t *slots;
    uint32_t slot_count;
    rj_uring_list_t free_slots;
    rj_uring_list_t to_arm;
    uint32_t armed_count;
    int error_count;

    struct msghdr receive_header; /* of every receiving request */
    uint32_t receive_batch;
    rj_uring_arrival_t *arrivals; /* [number % buffer_count] */
    uint32_t arrival_head;
    uint32_t arrival_tail;
    uint32_t *held; /* buffers of the packets that the last poll gave */
    uint32_t held_count;
    uint32_t *spare; /* buffers that are kept from the kernel while messages are long */
    uint32_t spare_count;
    bool offers_few;

    uint64_t next_run_number;
    uint32_t airborne_count;  /* pieces that have no result yet */
    uint64_t flight_number;   /* while there are any: no run with a lower number is in the flight */
    bool is_submitting;       /* what completes now is in time for its run's result */
    uint32_t linked_left;     /* so many submissions keep their order even where they fail */
    rj_uring_piece_t *pieces; /* RJ_URING_PIECES_ALL */
    struct iovec *iovecs;     /* their parts, RJ_URING_PARTS_ALL */
    uint32_t *part_runs;      /* [part]: the run in whose bytes it lies */
    rj_segment_refusals_t refusals;
    int64_t now_ns; /* of the last poll */

    rj_zero_copy_t zero_copy;
    uint32_t copied_count; /* runs sent without a copy that the kernel then copied itself */
    rj_uring_uncopied_t *uncopied;
    uint32_t uncopied_head;
    uint32_t uncopied_tail;
} rj_uring_t;

static inline rj_uring_t *rj_uring_from(rj_port_t *port)
{
    return (rj_uring_t *)port;
}

/* Takes all completions that there are. */
void rj_uring_reap(rj_uring_t *uring);

/* --- uring_receive.c --- */

int rj_uring_poll(rj_port_t *port, rj_packet_t *packets, size_t count, int64_t now_ns);

void rj_uring_on_received(rj_uring_t *uring, const struct io_uring_cqe *completion);

/* The slot's request is made by the next poll that has buffers for it. */
void rj_uring_queue_slot(rj_uring_t *uring, uint32_t slot);

void rj_uring_keep_error(rj_uring_t *uring, uint32_t slot, int code);

/* --- uring_piece.c --- */

/* Makes pieces of the runs from the cursor on, as many as fit; returns how many. */
uint32_t rj_uring_gather(rj_uring_t *uring, rj_uring_cursor_t *cursor);

/* Makes pieces of single datagrams of what a piece was to send, from number RJ_URING_PIECES on. */
uint32_t rj_uring_split(rj_uring_t *uring, const rj_uring_piece_t *piece);

static inline const rj_run_t *rj_uring_first_run(const rj_uring_t *uring,
                                                 const rj_uring_cursor_t *cursor,
                                                 const rj_uring_piece_t *piece)
{
    return &cursor->runs[uring->part_runs[piece->first_part]];
}

/* --- uring_send.c ---
 *
 *      runs -> pieces -> one submission, a flight -> results -> the next flight
 *                                     '- a piece without a result: nothing flies until it has one
 *
 * All of a flight have their results when the submission returns, for none of them may wait; that
 * is how kernels do it so far, and it is not relied on. What a kernel takes its time over counts as
 * taken: its bytes are not reclaimed, and until it has landed the port is a full queue. If it fails
 * then, it is lost as on the wire, and counted. */

int rj_uring_send(rj_port_t *port, rj_run_t *runs, size_t count);
uint64_t rj_uring_reclaim(rj_port_t *port);

/* Whether the kernel may still read bytes of runs. */
bool rj_uring_is_reading(const rj_uring_t *uring);

void rj_uring_on_sent(rj_uring_t *uring, const struct io_uring_cqe *completion);
void rj_uring_on_uncopied(rj_uring_t *uring, const struct io_uring_cqe *completion);

/* --- lists of slots --- */

static inline void rj_uring_list_push(rj_uring_list_t *list, rj_uring_slot_t *slots, uint32_t slot)
{
    slots[slot].next = RJ_URING_SLOT_NONE;
    if (list->head == RJ_URING_SLOT_NONE)
        list->head = slot;
    else
        slots[list->tail].next = slot;
    list->tail = slot;
}

/* RJ_URING_SLOT_NONE when it is empty. */
static inline uint32_t rj_uring_list_pop(rj_uring_list_t *list, const rj_uring_slot_t *slots)
{
    const uint32_t slot = list->head;
    if (slot != RJ_URING_SLOT_NONE)
        list->head = slots[slot].next;
    return slot;
}

#endif
